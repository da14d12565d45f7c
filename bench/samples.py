"""What bench/report and bench/report-shim share: samples, ratios with their spread, facts of a run."""
import collections
import csv
import random

RESAMPLES = 400


def percentile(values, share):
    values = sorted(values)
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def median(values):
    return percentile(values, 0.5)


class Samples:
    """samples[mode, case, runtime][round] -> row; only what succeeded."""

    def __init__(self, path):
        self.rows = collections.defaultdict(dict)
        self.failed = collections.Counter()
        with open(path, newline="", encoding="utf-8") as f:
            for row in csv.DictReader(f):
                key = row["mode"], row["case"], row["runtime"]
                if row["status"] != "0":
                    self.failed[key[1:]] += 1
                    continue
                self.rows[key][int(row["round"])] = {
                    "wall": float(row["wall_us"]) / 1000, "cpu": float(row["cpu_us"]) / 1000,
                    "rss": int(row["rss_kib"]), "count": int(row["count"])}

    def get(self, mode, case, runtime, what):
        return [r[what] for r in self.rows.get((mode, case, runtime), {}).values()]

    def median(self, mode, case, runtime, what):
        values = self.get(mode, case, runtime, what)
        return median(values) if values else None

    def ratio(self, mode, what, over, under):
        """Ratio of medians of two (case, runtime), with a 90 % interval from resampled rounds."""
        a, b = (self.rows.get((mode, *pair), {}) for pair in (over, under))
        rounds = sorted(set(a) & set(b))
        if not rounds:
            return None
        rng = random.Random(str((mode, what, over, under)))
        drawn = []
        for _ in range(RESAMPLES):
            pick = rng.choices(rounds, k=len(rounds))
            drawn.append(median([a[i][what] for i in pick]) / median([b[i][what] for i in pick]))
        value = median([r[what] for r in a.values()]) / median([r[what] for r in b.values()])
        return value, percentile(drawn, 0.05), percentile(drawn, 0.95)


def show_ratio(r):
    return "–" if r is None else f"{r[0]:.2f} ({r[1]:.2f}–{r[2]:.2f})"


def show_target(r, limit):
    """Three digits where two would hide on which side of the limit it is."""
    if r is None or abs(r[0] - limit) >= 0.01:
        return show_ratio(r)
    return f"{r[0]:.3f} ({r[1]:.2f}–{r[2]:.2f})"


def verdict(value, limit):
    return "–" if value is None else "met" if value <= limit else "**not met**"


# ---- facts ----

def read_facts(path):
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)


def others_share(f):
    """Share of the machine that others used while the bench ran, from /proc/stat."""
    if not f.get("usage_end"):
        return None
    span = float(f["time_end"]) - float(f["time_begin"])
    busy = (float(f["busy_end"]) - float(f["busy_begin"])) / float(f["ticks"])
    ours = (float(f["usage_end"]) - float(f["usage_begin"])) / 1e9
    return max(0.0, busy - ours) / span / float(f["cpus"])


def stolen_share(f):
    """Share of the machine that its host gave to others, of the time that was wanted here."""
    busy = float(f["busy_end"]) - float(f["busy_begin"])
    stolen = float(f["stolen_end"]) - float(f["stolen_begin"])
    return stolen / (busy + stolen) if busy + stolen else 0.0


def facts_text(f):
    versions = ", ".join(f[k] for k in sorted(f) if k.startswith("version_"))
    share = others_share(f)
    load = "" if share is None else f", others used {share:.0%} of the CPUs meanwhile"
    load += f", the host withheld {stolen_share(f):.1%} of the time wanted"
    seconds = float(f["time_end"]) - float(f["time_begin"])
    return [
        f"Taken {f['date']} at commit {f['commit']}: {f['cpus']} × {f['cpu']}, {f['memory']}, "
        f"Linux {f['kernel']}, {f['cgroups']}; {versions}. "
        f"{f['gap_rounds']} rounds with gaps and {f['hot_rounds']} without in {seconds:.0f} s, "
        f"seed {f['seed']}. Load average {f['load_begin']} before and {f['load_end']} after"
        f"{load}."]
