#!/usr/bin/env bats
# shim_races.bats: many processes at once in one container, ended, killed and
# deleted at random moments, held against what each of them must come to; and the
# shim afterwards is as it was before. 500 processes; BERTH_SOAK: 10,000.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

@test "shim: execs that end, fail, are killed and deleted at random: no end is lost, nothing grows" {
	shim <<-'PY'
		import random
		total, seed = 10000 if os.environ.get("BERTH_SOAK") else 500, int(os.environ.get("BERTH_SEED", "20261122"))
		random.seed(seed)
		print("seed", seed)
		kinds = [ # program, what it ends with: None is a Start that fails
		    (("true",), {0}), (("sh", "-c", "exit 7"), {7}), (("sh", "-c", "kill -9 $$"), {137}),
		    (("sleep", "0.01"), {0}), (("sleep", "1000"), {137, 143}), (("no-such-program",), None)]

		def dirty(pid):
		    with open("/proc/%d/smaps_rollup" % pid) as f:
		        return next(int(l.split()[1]) for l in f if l.startswith("Anonymous"))

		def children(pid):
		    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
		        return [int(p) for p in f.read().split()]

		def one(t, x):
		    """One exec's life; its calls go their way, and what they say is looked at in the end."""
		    args, ends = random.choice(kinds)
		    t.add(x, *args)
		    start = t.begin("Start", exec_id=x)
		    waits = [t.begin("Wait", exec_id=x) for _ in range(random.randrange(3))]
		    early = t.begin("Delete", exec_id=x) if random.random() < 0.1 else None
		    kill = t.begin("Kill", exec_id=x, signal=KILL) if random.random() < 0.2 else None
		    return x, args, ends, start, waits, early, kill

		def ended(t, x, args, ends, start, waits, early, kill):
		    code, text = start.status(20)
		    deleted = early is not None and early.status(20)[0] == OK
		    if kill is not None:
		        kill.status(20)
		    if code != OK:
		        # It was not there, or was deleted before; else somebody waits in vain for a program.
		        assert ends is None or deleted, (x, args, text)
		    elif not deleted:
		        if args[0] == "sleep":
		            t.begin("Kill", exec_id=x, signal=random.choice((TERM, KILL))).status(20)
		        status = t.Wait(exec_id=x, timeout=30).exit_status
		        assert status in ends | {137, 143}, (x, args, status)
		        for w in waits:
		            eq(w.result(30).exit_status, status)
		        EVENTS.wait(t.id, "exit", x, timeout=30)
		        eq(t.status(x), STOPPED)
		        d = t.Delete(exec_id=x)
		        eq(d.exit_status, status)
		    else:
		        EVENTS.wait(t.id, "exit", x, timeout=30)
		    if code != OK and not deleted:
		        t.Delete(exec_id=x)

		t = Task().run()
		n, before = 0, None
		while n < total:
		    batch = [one(t, "x%d" % (n + i)) for i in range(random.randrange(1, 9))]
		    for b in batch:
		        ended(t, *b)
		    n += len(batch)
		    if before is None and n >= total // 5: # so many at once as there ever are
		        until(lambda: children(t.shim) == [t.pid], 30, "children are left")
		        before = fds(t.shim), dirty(t.shim)
		until(lambda: children(t.shim) == [t.pid], 30, "children are left: %r" % children(t.shim))
		until(lambda: fds(t.shim) == before[0], 30, "descriptors: %r, before %r" % (fds(t.shim), before[0]))
		grown = dirty(t.shim) - before[1]
		print("private memory: %d KiB, %d more than after the first fifth" % (dirty(t.shim), grown))
		assert grown <= (8 if total > 1000 else 16), "%d KiB more" % grown
		eq(t.status(), RUNNING)
		told = lambda what: len([e for e in EVENTS.said(t.id) if e.startswith(what)])
		until(lambda: told("exit") == told("exec-started"), 30, "not every end is told")
		eq(t.kill(), 137)
	PY
}
