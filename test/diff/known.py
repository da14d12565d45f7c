"""known.py: where berth may differ from another runtime, and why.

A row names the peer, the fields (a regular expression for all of the name), the
condition on document and values, and the reason. `d` is the document, `b` and
`t` what berth and the peer print for the field (None: nothing), `m` the match
of the field, `err` the peer's words on stderr and `us` berth's.
"""
import collections
import re

Row = collections.namedtuple("Row", "peer field when reason")


def get(d, *keys):
    for k in keys:
        d = d.get(k) if isinstance(d, dict) else None
    return d


def same_but(b, t, *patterns):
    """The values are equal after these changes to both."""
    if b is None or t is None:
        return False
    for pattern, to in patterns:
        b, t = re.sub(pattern, to, b), re.sub(pattern, to, t)
    return b == t


def place(path):
    """Without the links of the root file system (run)."""
    return re.sub("^/abs(?=/|$)", "/tmp", re.sub("^/link(?=/|$)", "/data", path))


def mount_of(d, at):
    """The last mount of the document there."""
    found = [x for x in get(d, "mounts") or [] if place(x.get("destination", "")) == place(at)]
    return found[-1] if found else {}


def last(value):
    return (value or "").split("\n")[-1]


def masked(d, at):
    return at.replace("/PID/", "/self/") in (get(d, "linux", "maskedPaths") or [])


def below(d, at, kind):
    """A mount of that kind there or above."""
    return any(x.get("type") == kind and (place(at) + "/").startswith(place(x["destination"]) + "/") for x in get(d, "mounts") or [])


def null_changed(d):
    return any(x.get("path") == "/dev/null" for x in get(d, "linux", "devices") or []) or below(d, "/dev/null", "bind")


KNOWN = [
    Row("runc", r"fd\.[012]", lambda d, b, t, m, err, us: t.startswith(" type 10000 ") and b.startswith("/run/diff/"),
        "a foreground container has the caller's own descriptors; runc puts pipes between"),
    Row("runc", r"mount\.(.*)", lambda d, b, t, m, err, us: masked(d, m[1]) and last(b).startswith("tmpfs dev /null ") and "/null " in last(t),
        "a masked file is the host's null device, which the container cannot replace; runc takes the container's"),
    Row("runc", r"mount\.(.*)", lambda d, b, t, m, err, us: not mount_of(d, m[1]).get("source") and
        same_but(b, t, (r"^(\S+) \S* ", r"\1 ")),
        "a mount without a source has its type as the source, as in crun and util-linux; runc's is empty"),
    Row("runc", "outcome|exit", lambda d, b, t, m, err, us: re.search("/proc/(self/fd|sys/\\S+): no such file", err) and not below(d, "/proc", "proc"),
        "runc needs a /proc in the container, to close descriptors and to write sysctls"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/linux/sysctl/\S+: sysctl '\S+' is given twice", us),
        "a sysctl under two names is an error; runc sets both, in an order of its own"),
    Row("runc", "outcome|exit", lambda d, b, t, m, err, us: b in ("refused", "1") and "ociVersion" not in d and "/ociVersion: is missing" in us,
        "the specification requires ociVersion; runc does not look"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/process/args/\d+: must be a string, not null", us),
        "the specification: an argument is a string; Go takes null for an empty one"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "tmpcopyup: failed to copy" in err and get(d, "linux", "uidMappings"),
        "tmpcopyup copies files, directories and links; runc also devices, which no user namespace can make"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "" in (get(d, "annotations") or {}),
        "the specification: keys of annotations must not be empty; runc does not look"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and 'namespace {\\"time' in err,
        "runc 1.1 knows no time namespaces"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "but no uid mappings found" in err and
        any(n.get("path") for n in get(d, "linux", "namespaces") if n["type"] == "user"),
        "a joined user namespace has its maps; runc 1.1 wants them again"),
    Row("runc", "sched", lambda d, b, t, m, err, us: get(d, "process", "scheduler") and t.startswith("policy 0 flags 0 nice 0"),
        "runc 1.1 knows no process.scheduler"),
    Row("runc", "ioprio", lambda d, b, t, m, err, us: get(d, "process", "ioPriority"),
        "runc 1.1 knows no process.ioPriority"),
    Row("runc", "domainname", lambda d, b, t, m, err, us: b == d.get("domainname") and t == "(none)",
        "runc 1.1 knows no domainname"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/(process/(scheduler|ioPriority)|linux/timeOffsets|domainname|linux/personality)\b", us),
        "what the specification got since 1.1 is checked; runc 1.1 does not know it"),
    Row("runc", r"cgroup\.memory\.kmem\.tcp\.limit_in_bytes", lambda d, b, t, m, err, us: get(d, "linux", "resources", "memory", "kernelTCP"),
        "runc 1.1 leaves out kernelTCP with the rest of kernel memory; the controller has it"),
    Row("runc", r"(at|dev|list|top)\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[2]).get("type") == "mqueue" and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")) and same_but(b, t, (r":65534\b", ":0")),
        "with runc, the group of the message queues is one that the user namespace does not have"),
    Row("runc", r"(at|path|list|dev|open)\.(.*)", lambda d, b, t, m, err, us: masked(d, m[2]) and null_changed(d),
        "a masked file is the host's null device, also where the document makes another thing of the container's"),
    Row("runc", r"mount\.(.*)", lambda d, b, t, m, err, us: below(d, m[1], "cgroup") and
        same_but(b, t, (r"(?<= r[ow]),[a-z,]*", "")),
        "the hierarchies of a cgroup mount have nosuid, nodev and noexec and no other options; runc takes the ones given where there is no cgroup namespace"),
    Row("runc", r"(at|path|list|dev|open|top)\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[2]).get("type") == "cgroup" and
        b.startswith("40755") and same_but(b, t, (r"(?m)^\d+", ""), (r"write (ok|EACCES|EROFS)", "")),
        "the directory of a cgroup mount has mode 755; runc takes that of what it covers"),
    Row("runc", r"mount\.(.*)", lambda d, b, t, m, err, us: {"bind", "rbind"} & set(mount_of(d, m[1]).get("options") or []) and
        same_but(b, t, (r"(?<=r[ow]),[a-z,]*", "")) and (len(b) > len(t) or
        {"suid", "dev", "exec", "atime", "diratime", "nostrictatime", "relatime", "norelatime", "strictatime"} & set(mount_of(d, m[1])["options"])),
        "a bind mount keeps the restrictions of its source unless an option lifts them; runc drops all when there is any option"),
    Row("runc", r"hook\.poststop-\d", lambda d, b, t, m, err, us: same_but(b, t, (r'"pid": (0|null)', "")),
        "a stopped container has the pid 0 in its state; runc leaves it out"),
    Row("runc", r"hook\.poststart-\d", lambda d, b, t, m, err, us: same_but(b, t, (r'"status": "(created|running)"', "")),
        "the specification: poststart hooks see a container that is running; runc 1.1 says created"),
    Row("runc", "machine|personality", lambda d, b, t, m, err, us: get(d, "linux", "personality", "domain") == "LINUX32",
        "runc 1.1 knows no personality"),
    Row("runc", r"call\.\d+\.no such call", lambda d, b, t, m, err, us: b == "38 ENOSYS" and
        "SCMP_ARCH_X86_64" not in (get(d, "linux", "seccomp", "architectures") or []),
        "calls newer than the filter are ENOSYS, so that libraries fall back; runc forgets it where the own architecture is not listed"),
    Row("runc", r"mount\./", lambda d, b, t, m, err, us: (get(d, "linux", "rootfsPropagation") or "") in ("shared", "rshared", "unbindable", "runbindable") and
        same_but(b, t, (" (shared|unbindable) ", "  ")),
        "the specification: rootfsPropagation is that of the container's root; runc sets it on the host's side only"),
    Row("runc", r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[2]).get("type") == "cgroup" and
        "ro" in mount_of(d, m[2]).get("options", []) and same_but(b, t, (r" (ro|rw),", " "), ("write (ok|EROFS)", ""))
        , "the directory of a read-only cgroup mount is read-only too"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("data: .*defaults", err),
        "'defaults' is an option of the specification; runc 1.1 hands it to the file system"),
    Row("runc", "outcome|exit", lambda d, b, t, m, err, us: "seccomp flags are not yet supported" in err,
        "this runc knows no seccomp flags"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "duplicate rlimit" in us,
        "the specification: the same limit twice is an error; runc takes the last"),
    Row("runc", r"(at|list|path|top)\.(.*)", lambda d, b, t, m, err, us: any(
        x.get("type") == "tmpfs" and place(x["destination"]) == place(m[2]) and any(o.startswith("mode=") for o in x.get("options") or [])
        for x in d["mounts"]) and (b == "EACCES" or same_but(b, t, (r"(?m)^4\d+", ""), (r"write \w+", ""))),
        "the mode that a tmpfs is mounted with counts; runc gives it that of the directory below"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("mounting ..(proc|sysfs).. to rootfs .*(/proc/self|procfd|must be|/tmp/)", err) and
        any(x.get("type") in ("proc", "sysfs") and place(x["destination"]) != x["destination"] for x in d["mounts"]),
        "a mount point behind a link of the image is made inside the root, for proc and sysfs too"),
    Row("runc", "groups|status.Groups", lambda d, b, t, m, err, us: sorted(set(b.split())) == sorted(t.split()),
        "a group that is listed twice is set twice, as in crun; runc leaves one out"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("flags: 0x[0-9a-f]+: operation not permitted", err) and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")),
        "in a user namespace the flags of a bind mount's source that are locked are kept; runc 1.1 fails"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "error creating device nodes: mount" in err and
        get(d, "linux", "uidMappings") and any(x.get("type") == "p" for x in get(d, "linux", "devices") or []),
        "a FIFO can be made in a user namespace; runc binds one of the host's"),
    Row("runc", r"sysctl\..*/forwarding", lambda d, b, t, m, err, us: "net.ipv4.ip_forward" in (get(d, "linux", "sysctl") or {}),
        "a sysctl that sets others: in the order of the document; runc has an order of its own every time"),
    Row("runc", r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: "/" in (get(d, "linux", "readonlyPaths") or []) and
        b and t and set(b.split("\n")) <= set(t.split("\n")),
        "the root as a read-only path becomes read-only itself; runc also puts a mount on it that nobody sees"),
    Row("runc", r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: b and t and {re.sub(r" on \S+$", "", x) for x in b.split("\n")} ==
        {re.sub(r" on \S+$", "", x) for x in t.split("\n")} and
        len([x for x in get(d, "linux", "maskedPaths") or [] if place(x) == place(m[2])]) > 1,
        "a path that is masked by two names is masked twice"),
    Row("runc", "exit", lambda d, b, t, m, err, us: "open /dev/tty: no such device" in err,
        "runc wants a terminal of its own for one in the container"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "a bind mount needs it" in us,
        "a bind mount without a source is an error; runc binds the bundle"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and re.search(r"stat \S*/bundle/none: no such|final child's PID", err) and
        any("remount" in (x.get("options") or []) for x in d["mounts"]),
        "a remount has no source, whatever is written there; runc looks for it"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "no such device" in err and
        any(x.get("type") == "bind" and not {"bind", "rbind"} & set(x.get("options") or []) for x in d["mounts"]),
        "a mount of the type bind is a bind mount without the option too; runc asks the kernel for a file system of that name"),
    Row("runc", r"mount\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[1]).get("type") == "tmpfs" and
        same_but(b, t, (r"^tmpfs \S* ", ""), (r",mode=\d+", "")),
        "the mode of a tmpfs is an option of its mount; runc changes it afterwards"),
    Row("runc", r"cgroup\.cpu\.(cfs_burst_us|idle)", lambda d, b, t, m, err, us: b == str(get(d, "linux", "resources", "cpu", "burst" if "burst" in m[1] else "idle")),
        "runc 1.1 knows no cpu.burst and cpu.idle"),
    Row("runc", r"env\.\d+", lambda d, b, t, m, err, us: (b, t) == ("HOME=/", "HOME=") and mount_of(d, "/etc/passwd"),
        "a user that /etc/passwd does not list has the home /; runc says nothing where the file has no valid line"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("flags: 0x[0-9a-f]+: invalid argument", err) and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")),
        "in a user namespace a bind of a directory with mounts below works; runc 1.1 lets the container's own rights decide"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and null_changed(d) and
        (not err.strip() or "reopening /dev/null inside container" in err),
        "runc needs a working /dev/null in the container"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '\\S+': file exists", us),
        "the specification: another file in the place of a device is an error; runc leaves it there"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "unable to setup user: chown" in err and get(d, "linux", "seccomp"),
        "the filter goes on last; runc without noNewPrivileges puts itself under it before it is done"),
    Row("runc", r"hook\.(order|poststop-\d)", lambda d, b, t, m, err, us: len(get(d, "hooks", "poststop") or []) > 1 and
        "poststop hook" in us and t in (None, b.split("\n")[0], b.rsplit("\n", 1)[0]),
        "the specification: after a failing poststop hook the others still run; runc ends there"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "/linux/resources/blockIO" in us,
        "a weight that cannot be is an error that names it; runc leaves it out where the controller has no file for it"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "unbindable" in (get(d, "linux", "rootfsPropagation") or "") and
        re.search("rootfs, flags: 0x5000: invalid argument", err),
        "runc cannot bind a root file system that it has made unbindable"),
    Row("runc", r"mount\..*", lambda d, b, t, m, err, us: (get(d, "linux", "rootfsPropagation") or "") in ("shared", "rshared") and
        same_but(b, t, (" shared ", "  ")),
        "only the container's root and what asks for it is shared, not every mount made below it"),
    Row("runc", r"cgroup\.cpu\.shares", lambda d, b, t, m, err, us: b == "3" and get(d, "linux", "resources", "cpu", "idle") == 1,
        "runc 1.1 knows no cpu.idle, with which the kernel shows 3 shares"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "invalid cross-device link" in us and
        below(d, re.search(r"on '([^']*)': invalid", us)[1], "proc"),
        "nothing is mounted on a procfs but the files of lxcfs, whatever its mount point is"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "error running poststart hook" in us,
        "the program may have printed before a poststart hook failed"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "invalid argument" in err and
        any({"ratime", "rnorelatime", "rnostrictatime"} & set(x.get("options") or []) for x in d["mounts"]),
        "these are options of the specification that give relatime; runc 1.1 hands the kernel what it refuses"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and "/access: " in us,
        "an access that is none of r, w, m is an error; runc takes it for none"),
    Row("runc", "outcome|exit", lambda d, b, t, m, err, us: get(d, "linux", "seccomp") and (t == "159" or re.search(r"(?m)^rax |signal: bad system call", err)),
        "the filter goes on last; runc without noNewPrivileges puts itself and startContainer hooks under it"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(
        r"id mappings need a user namespace|/linux/devices/\d+/path: .* must be an absolute path|write '0' to memory.use_hierarchy", us),
        "what cannot be had is an error that names it; runc leaves it out"),
    Row("runc", "outcome|exit", lambda d, b, t, m, err, us: re.search("error adding seccomp rule .*: file exists", err),
        "a rule that is there already adds nothing; runc fails"),
    Row("runc", "outcome", lambda d, b, t, m, err, us: b == "ran" and "cannot be granted" in us and "operation not permitted" in err,
        "the specification: a capability that the caller does not have is a warning; runc and crun end there"),
    Row("crun", r".*", lambda d, b, t, m, err, us: True,
        "where crun alone differs, berth does as runc"),
]


def explains(peer, field, config, got, errs):
    """The reason of the first row that fits. Of several mounts on one place each that differs needs a row."""
    b, t = got["berth"].get(field), got[peer].get(field)
    if field.startswith("mount.") and b and t and "\n" in b and b.count("\n") == t.count("\n"):
        pairs = [(x, y) for x, y in zip(b.split("\n"), t.split("\n")) if x != y]
        reasons = [one(peer, field, config, x, y, errs) for x, y in pairs]
        if None not in reasons:
            return reasons[0]
    return one(peer, field, config, b, t, errs)


def one(peer, field, config, b, t, errs):
    for row in KNOWN:
        m = re.fullmatch(row.field, field) if row.peer == peer else None
        try:
            if m and row.when(config, b, t, m, errs[peer], errs["berth"]):
                return row.peer + ": " + row.reason
        except (AttributeError, KeyError, TypeError):
            pass  # a document that lacks what the row looks at, or a field that one of them lacks
    return None
