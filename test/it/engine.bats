#!/usr/bin/env bats
# engine.bats: the engine with real shims: a task's life, its events, and what
# several programs do with one state directory.
# bats file_tags=long

load lib.bash
load shim_lib.bash
load engine_lib.bash

setup_file() { engine_up; }
teardown_file() { engine_down; }

@test "engine: a task's life: create, start, exec, wait, delete, and its events" {
	engine <<-'PY'
		en = Engine()
		t = en.create("c1", "sleep", "1000", record='{"mine": 1}')
		eq((t["status"], t["watched"], t["record"]), ("created", True, '{"mine": 1}'))
		assert t["pid"] > 1
		eq(en.start("c1"), t["pid"])
		eq(en.event("c1", "start")["now"], "running")
		en.do("exec", id="c1", exec="x", spec=process("sh", "-c", "exit 5"))
		assert en.start("c1", exec="x") > 1
		eq(en.wait("c1", exec="x")["exit_status"], 5)
		eq(en.do("delete-exec", id="c1", exec="x")["answer"]["exit_status"], 5)
		eq(en.statuses(), {"c1": "running"})
		en.do("pause", id="c1")
		en.event("c1", "paused")
		eq(en.statuses(), {"c1": "paused"})
		en.do("resume", id="c1")
		en.fails("state", "running", "delete", id="c1")
		eq(en.kill("c1"), 137)
		eq(en.event("c1", "exit", n=2)["now"], "stopped")
		eq(en.statuses(), {"c1": "stopped"})
		d = en.delete("c1")
		eq((d["exit_status"], d["pid"]), (137, t["pid"]))
		eq(en.is_gone("c1")["lost"], False)
		eq(en.topics("c1"), ["create", "start", "exec-added", "exec-started", "exit", "paused", "resumed", "exit", "delete"])
		eq([e["number"] for e in en.events], list(range(1, 10)))
		exit, delete = (en.event("c1", k, n=n)["body"] for k, n in (("exit", 2), ("delete", 1)))
		eq((exit["exited_at"], exit["pid"]), (delete["exited_at"], t["pid"]))
		assert not os.path.exists(bundle("c1"))
		eq(en.statuses(), {})
	PY
}

@test "engine: kill -9 of a shim: the container is killed, its exit and deletion are told, by who watches and to all" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		pid = a.run("c1")["pid"]
		b.open("c1")
		os.kill(a.shim("c1"), KILL)
		for en in a, b:
		    eq(en.is_gone("c1")["lost"], True)
		gone(pid)
		for en in a, b:
		    exit, delete = (en.event("c1", k)["body"] for k in ("exit", "delete"))
		    eq((exit["exit_status"], exit["pid"], delete["exit_status"], delete["pid"]), (137, pid, 137, pid))
		    eq(exit["exited_at"], delete["exited_at"])
		eq(a.topics("c1"), ["create", "start", "exit", "delete"])
		eq(b.topics("c1"), ["exit", "delete"])
		eq([e["number"] for e in a.events], [1, 2, 3, 4])
		assert not os.path.exists(bundle("c1"))
		eq(a.statuses(), {})
		a.fails("not-found", "c1", "open", id="c1")
		for words, log in ("shim reaped", a.log), ("cleaning up after a dead shim", lambda: a.log() + b.log()): # one does it
		    until(lambda: words + ": id=c1 namespace=default" in log(), say=log())
		a.run("c1") # the id is free
	PY
}

@test "engine: kill -9 of a shim whose task has ended: the true status" {
	engine <<-'PY'
		a = Engine()
		a.run("c1", "sh", "-c", "exit 7")
		at = a.wait("c1")["exited_at"]
		a.event("c1", "exit")
		os.kill(a.shim("c1"), KILL)
		eq(a.is_gone("c1")["lost"], True)
		eq(a.topics("c1"), ["create", "start", "exit", "delete"])
		d = a.event("c1", "delete")["body"]
		eq((d["exit_status"], d["exited_at"]), (7, at))
	PY
}

@test "engine: kill -9 of shims that nobody watches: the next list or open cleans up" {
	engine <<-'PY'
		a = Engine()
		pids, shims = [], []
		for i in "c1", "c2", "c3":
		    pids.append(a.run(i)["pid"])
		    shims.append(a.shim(i))
		a.close()
		for s in shims:
		    os.kill(s, KILL)
		b = Engine()
		b.fails("not-found", "c1", "open", id="c1")
		assert not alive(pids[0]) and not os.path.exists(bundle("c1"))
		eq(b.statuses(), {})
		assert not any(map(alive, pids))
		eq(b.events, [])
	PY
}

@test "engine: an id in use is refused, and nothing is touched" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		t = a.run("c1")
		before = sorted(os.listdir(bundle("c1")))
		for en in a, b:
		    en.fails("exists", "c1", "create", id="c1", config=config("true"))
		eq(sorted(os.listdir(bundle("c1"))), before)
		eq(b.statuses(), {"c1": "running"})
		eq(b.list()["c1"]["pid"], t["pid"])
		# In another namespace it is another one.
		b.create("c1", "true", namespace="other")
		eq(sorted((t["namespace"], t["status"]) for t in a.do("list")["tasks"]), [("default", "running"), ("other", "created")])
		eq(len(a.do("list", namespace="other")["tasks"]), 1)
		b.event("c1", "create")
		eq(b.topics("c1"), ["create"])
	PY
}

@test "engine: a create that fails leaves nothing, and says why" {
	engine <<-'PY'
		a = Engine()
		def nothing_left(en=a):
		    eq(bundles(), [])
		    eq(en.statuses(), {})
		a.fails("invalid", "config.json:1", "create", id="c1", config=script())
		a.fails("invalid", "must match", "create", id="-c1", config=config())
		a.fails("invalid", "namespace", "create", id="c1", namespace="../x", config=config())
		a.fails("exec", "OCI runtime create failed", "create", id="c1", config=config("/no/such"))
		nothing_left()
		def wrong(c): c["process"]["cwd"] = 7
		within(a.fails("internal", "", "create", id="c1", config=config(change=wrong))["words"], "/process/cwd")
		nothing_left()
		a.fails("internal", "rootfs", "create", id="c1", config=config(), mount_type="bind", mount_source="/no/such",
		        mount_options=["rbind"])
		nothing_left()
		for shim, part in ((IT + "/no-such-shim", "no such file"), (script("exit 3"), "status 3"),
		                   (script("echo this is why >&2; exit 1"), "this is why"), (script("true"), "no address"),
		                   (script("kill -9 $$"), "signal 9")):
		    en = Engine(shim=shim)
		    en.fails(("internal", "not-found"), part, "create", id="c1", config=config())
		    nothing_left(en)
		begun = time.monotonic()
		en = Engine(shim=script("sleep 1234"))
		en.fails("timeout", "start the shim", "create", id="c1", config=config(), timeout=300)
		assert time.monotonic() - begun < 25
		nothing_left(en)
		a.run("c1")
	PY
}

@test "engine: two programs race for one id: one has it, a hundred times" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		cfg = config("sleep", "1000")
		won = {a: 0, b: 0}
		for n in range(100):
		    ops = {en: en.begin("create", id="c1", config=cfg) for en in ((a, b) if n % 2 else (b, a))}
		    got = {en: op.answer()["result"] for en, op in ops.items()}
		    eq(sorted(got.values()), ["exists", "ok"])
		    winner = a if got[a] == "ok" else b
		    won[winner] += 1
		    winner.delete("c1")
		assert min(won.values()) > 5, won
		eq(bundles(), [])
	PY
}

# It counts on how long things take.
# bats test_tags=nosan
@test "engine: a creator and a deleter race for one id" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		cfg = config("sleep", "1000")
		created = deleted = 0
		took = 0.01
		for n in range(100):
		    c = a.begin("create", id="c1", config=cfg)
		    time.sleep(n % 10 * took / 5)
		    o = b.begin("open", id="c1").answer()
		    if o["result"] == "ok":
		        d = b.begin("delete", id="c1").answer()
		        assert d["result"] in ("ok", "state", "not-found"), d
		        deleted += d["result"] == "ok"
		    else:
		        eq(o["result"], "not-found")
		    r = c.answer()["result"]
		    assert r == "ok", c.value
		    took = c.value["us"] / 1e6
		    created += 1
		    if o["result"] != "ok" or d["result"] != "ok":
		        a.delete("c1")
		    a.is_gone("c1")
		    if o["result"] == "ok":
		        b.is_gone("c1")
		    b.gones.clear()
		    a.gones.clear()
		assert created == 100 and deleted > 5, (created, deleted)
		eq(bundles(), [])
	PY
}

# It counts on how long things take.
# bats test_tags=nosan
@test "engine: kill -9 of the program at any moment leaves nothing that a list by another does not remove" {
	engine <<-'PY'
		b = Engine()
		cfg = config("sleep", "1000")
		kept = 0
		took = b.do("create", id="c1", config=cfg)["us"] / 1e6
		b.delete("c1")
		for n in range(60):
		    a = Engine()
		    c = a.begin("create", id="c1", config=cfg) if n else None
		    time.sleep(n * took / 40)
		    if n == 59:
		        c.answer()
		    a.die()
		    # It is there as a whole, or not at all; a list may come while a shim is just starting.
		    def settled():
		        s = b.statuses()
		        return s in ({}, {"c1": "created"}) and len(s) == len(bundles())
		    until(settled, 30, "neither there nor gone")
		    # It stays if it was as good as made; else it goes, since nobody holds it.
		    time.sleep(0.03)
		    if b.begin("open", id="c1").answer()["result"] == "ok":
		        kept += 1
		        b.fails(("ok", "not-found"), "", "delete", id="c1")
		    until(lambda: not bundles() or b.statuses() == {} and not bundles())
		assert 0 < kept < 60, kept
		eq(bundles(), [])
	PY
}

@test "engine: kill -9 of the program while it deletes" {
	engine <<-'PY'
		b = Engine()
		for n in range(40):
		    a = Engine()
		    a.run("c1", "true")
		    a.wait("c1")
		    a.begin("delete", id="c1")
		    time.sleep(n * 0.0003)
		    a.die()
		    if b.statuses():
		        o = b.begin("open", id="c1").answer()
		        if o["result"] == "ok":
		            b.fails(("ok", "not-found"), "", "delete", id="c1")
		    until(lambda: not bundles() or not b.statuses() and not bundles())
	PY
}

# It counts on how long things take.
# bats test_tags=nosan
@test "engine: kill -9 of the shim during create" {
	engine <<-'PY'
		a = Engine()
		cfg = config("sleep", "1000")
		results = set()
		for n in range(40):
		    c = a.begin("create", id="c1", config=cfg)
		    end, killed = time.monotonic() + 0.3, 0
		    time.sleep(n * 0.0005)
		    while not killed and time.monotonic() < end and not c.done.is_set():
		        for p in glob.glob("/proc/[0-9]*/comm"):
		            try:
		                with open(p) as f:
		                    if f.read().strip() == "containerd-shim":
		                        pid = int(p.split("/")[2])
		                        os.kill(pid, KILL)
		                        killed = pid
		                        break
		            except OSError:
		                pass
		    r = c.answer()["result"]
		    results.add(r)
		    if r == "ok":
		        if a.begin("hello", id="c1").answer()["result"] == "ok":
		            a.delete("c1") # it was a helper of the shim that was killed, at the end of its work
		        a.is_gone("c1")
		    a.gones.clear()
		    until(lambda: not bundles() or a.statuses() == {} and not bundles())
		    if r != "ok": # nobody was told of it, so nobody is told of its end
		        eq(a.topics("c1"), [])
		    a.events.clear()
		assert "lost" in results, results
	PY
}

@test "engine: a shim that is silent is unknown, is not touched, and delays nobody beyond its deadline" {
	engine <<-'PY'
		a = Engine()
		shims = {}
		for i in "c1", "c2", "c3":
		    a.run(i)
		    shims[i] = a.shim(i)
		a.close()
		os.kill(shims["c2"], STOP)
		b = Engine()
		begun = time.monotonic()
		eq(b.statuses(), {"c1": "running", "c2": "unknown", "c3": "running"})
		took = time.monotonic() - begun
		assert 1.9 < took < 20, took
		eq(b.open("c2")["status"], "unknown")
		eq(state_of(shims["c2"]), "T")
		b.open("c1")
		os.kill(shims["c2"], CONT)
		until(lambda: b.do("show", id="c2")["task"]["status"] == "running")
		eq(b.statuses(), {"c1": "running", "c2": "running", "c3": "running"})
		eq(b.kill("c2"), 137)
		eq(b.event("c2", "exit")["body"]["exit_status"], 137)
	PY
}

@test "engine: many silent shims delay a list no longer than one" {
	engine <<-'PY'
		a = Engine()
		ids = ["c%02d" % i for i in range(24)]
		for op in [a.begin("create", id=i, config=config("sleep", "1000")) for i in ids]:
		    op.result(60)
		shims = {i: a.shim(i) for i in ids}
		a.close()
		silent = ids[:20]
		for i in silent:
		    os.kill(shims[i], STOP)
		b = Engine()
		begun = time.monotonic()
		eq(b.statuses(), {i: "unknown" if i in silent else "created" for i in ids})
		took = time.monotonic() - begun
		assert 1.9 < took < 20, took # one after the other they would take 40 s
		for i in silent:
		    os.kill(shims[i], CONT)
		until(lambda: set(b.statuses().values()) == {"created"})
		for i in ids:
		    b.open(i)
		    b.delete(i)
	PY
}

@test "engine: what happens between the end of a connection and the end of a shim is told from its journal" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		a.run("c1", "sh", "-c", "exit 3")
		a.wait("c1")
		b.open("c1")
		# b hears nothing while it is stopped; the task and its shim go meanwhile.
		os.kill(b.pid, STOP)
		a.delete("c1")
		os.kill(b.pid, CONT)
		eq(b.is_gone("c1")["lost"], False)
		eq(b.topics("c1"), ["delete"])
		a.run("c2")
		b.open("c2")
		os.kill(b.pid, STOP)
		a.do("exec", id="c2", exec="x", spec=process("true"))
		a.start("c2", exec="x")
		a.wait("c2", exec="x")
		a.kill("c2")
		a.delete("c2")
		a.run("c2") # another one of the same name
		os.kill(b.pid, CONT)
		eq(b.is_gone("c2")["lost"], False)
		eq(b.topics("c2"), ["exec-added", "exec-started", "exit", "exit", "delete"])
		eq(b.statuses(), {"c2": "running"})
		eq(b.list()["c2"]["watched"], False)
	PY
}

# bats test_tags=nosan
@test "engine: two hundred tasks: listed cold, and when they are open; opened; memory" {
	engine <<-'PY'
		N = 200
		a = Engine()
		cfg = config("sleep", "1000")
		for first in range(0, N, 20):
		    ops = [a.begin("create", id="c%d" % i, config=cfg) for i in range(first, first + 20)]
		    for op in ops:
		        op.result(60)
		small = Engine()
		before = small.do("memory")["kib"]
		small.close()
		a.close()
		b = Engine()
		cold = b.do("list")
		eq({t["status"] for t in cold["tasks"]}, {"created"})
		eq(len(cold["tasks"]), N)
		begun = time.monotonic()
		ops = [b.begin("open", id="c%d" % i) for i in range(100)]
		for op in ops:
		    op.result()
		opened = time.monotonic() - begun
		kib = b.do("memory")["kib"]
		for i in range(100, N):
		    b.open("c%d" % i)
		warm = [b.do("list") for _ in range(10)] # what it has begun is over after some
		eq({len(w["tasks"]) for w in warm}, {N})
		warm = min(w["us"] for w in warm)
		print("list cold %d us, warm %d us; open 100: %d us; 100 open: %d KiB private (%d without a task)" %
		      (cold["us"], warm, opened * 1e6, kib, before), file=sys.stderr)
		assert warm < cold["us"] < 10e6, (cold["us"], warm)
		assert kib < 1024, kib
		ops = [b.begin("delete", id="c%d" % i) for i in range(N)]
		for op in ops:
		    op.result(60)
		eq(bundles(), [])
	PY
}

@test "engine: lifetimes: a task that stays, one until it is closed, one that ends with its last watcher" {
	engine <<-'PY'
		a = Engine()
		for lifetime in "keep", "closed", "terminate":
		    for i in "r", "s":
		        a.run(lifetime + "-" + i, *(["sleep", "1000"] if i == "r" else ["sh", "-c", "exit 3"]), lifetime=lifetime)
		        if i == "s":
		            a.wait(lifetime + "-s")
		b = Engine()
		eq(b.open("terminate-r")["status"], "running")
		a.close()
		until(lambda: b.statuses() == {"keep-r": "running", "keep-s": "stopped", "closed-r": "running", "terminate-r": "running"})
		eq(b.open("closed-r")["status"], "running")
		b.kill("closed-r")
		eq(b.statuses()["closed-r"], "stopped")
		for i in "closed-r", "terminate-r":
		    b.do("unwatch", id=i)
		until(lambda: b.statuses() == {"keep-r": "running", "keep-s": "stopped"})
		b.fails("not-found", "", "open", id="terminate-r")
		b.run("terminate-r") # the id is free
	PY
}

@test "engine: a task that is not held any more: who watches it hears of its end" {
	engine <<-'PY'
		a, b = Engine(), Engine()
		a.run("c1", lifetime="terminate")
		b.open("c1")
		a.do("unwatch", id="c1")
		eq(b.statuses(), {"c1": "running"})
		b.do("unwatch", id="c1")
		until(lambda: not bundles())
		a.run("c2", lifetime="terminate")
		b.open("c2")
		a.die()
		time.sleep(0.1)
		eq(b.statuses(), {"c2": "running"})
		b.die()
		until(lambda: not bundles())
	PY
}

@test "engine: what cannot be cleaned up: it stays where it is debugged, with its exit told" {
	engine <<-'PY'
		wrapper = script('for a; do l=$a; done; [ "$l" != delete ] || { %s "$@"; echo no, not now >&2; exit 1; }' % SHIM,
		                 'exec %s "$@"' % SHIM)
		a = Engine(shim=wrapper, settings={"shim_debug": True})
		a.run("c1")
		os.kill(a.shim("c1"), KILL)
		eq(a.is_gone("c1")["lost"], True)
		eq(a.topics("c1")[:3], ["create", "start", "exit"])
		for words in "failed to clean up after a dead shim: id=c1 namespace=default", "no, not now":
		    until(lambda: words in a.log(), say=a.log())
		assert os.path.exists(bundle("c1", state=a.state))
		eq(a.statuses(), {"c1": "stopped"})
		# Whoever does not debug it removes it.
		b = Engine(shim=wrapper)
		eq(b.statuses(), {})
		assert not os.path.exists(bundle("c1"))
	PY
}

@test "engine: tasks of one group share a shim; it stays until the last is deleted; its end is that of all" {
	engine <<-'PY'
		def group(c): c["annotations"] = {"io.containerd.runc.v2.group": "pod1"}
		cfg = config("sleep", "1000", change=group)
		a, b = Engine(), Engine()
		for i in "c1", "c2", "c3":
		    a.create(i, cfg=cfg)
		    a.start(i)
		    b.open(i)
		shim = a.shim("c1")
		eq({a.shim(i) for i in ("c2", "c3")}, {shim})
		a.kill("c1")
		a.delete("c1")
		eq(a.topics("c1"), ["create", "start", "exit", "delete"])
		assert alive(shim)
		eq(a.is_gone("c1")["lost"], False)
		eq(b.is_gone("c1")["lost"], False)
		def wrong(c): group(c); c["process"]["cwd"] = 7
		a.fails("internal", "/process/cwd", "create", id="c4", config=config(change=wrong))
		eq(sorted(bundles()), ["c2", "c3"])
		assert alive(shim)
		os.kill(shim, KILL)
		for en in a, b:
		    for i in "c2", "c3":
		        eq(en.is_gone(i)["lost"], True)
		        eq(en.topics(i)[-2:], ["exit", "delete"])
		        eq(len(en.topics(i)), 4 if en is a else 2)
		eq(a.topics("c1"), ["create", "start", "exit", "delete"]) # it had been deleted: no second end
		eq(b.topics("c1"), ["exit", "delete"])
		eq(bundles(), [])
	PY
}

@test "engine: an OCI runtime instead of the built-in one" {
	[ -x "$PEER" ] || skip "no runtime to execute"
	engine <<-PY
		a = Engine(settings={"runtime": os.path.basename("$PEER")})
		def peer(c): c["linux"]["cgroupsPath"] = IT_CG + "/c1"
		a.run("c1", "sh", "-c", "exit 4", cfg=config("sh", "-c", "exit 4", change=peer))
		eq(a.wait("c1")["exit_status"], 4)
		assert os.path.isdir(IT + "/runc/default/c1"), os.listdir(IT)
		a.delete("c1")
		a.is_gone("c1")
		a.gones.clear()
		a.run("c1")
		os.kill(a.shim("c1"), KILL)
		eq(a.is_gone("c1")["lost"], True)
		eq(bundles(), [])
		b = Engine(settings={"runtime": "no-such-runtime"})
		b.fails("not-found", "no-such-runtime", "create", id="c2", config=config())
		b.run("c2", binary="berth") # the options say which
	PY
}

@test "engine: streams that the program holds itself come with the answer" {
	engine <<-'PY'
		a = Engine()
		a.run("c1", "sh", "-c", "echo out; echo err >&2", stdin="held://", stdout="held://", stderr="held://")
		a.wait("c1")
		eq(a.do("stdio", id="c1")["fds"], ["", "out\n", "err\n"])
		eq(a.do("stdio", id="c1")["fds"], []) # once
		a.run("c2", "grep", "Sig[BI]", "/proc/self/status", stdin="held://", stdout="held://")
		a.wait("c2")
		eq(a.do("stdio", id="c2")["fds"], ["", "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"])
	PY
}

@test "engine: what stands in the state directory and is no task" {
	engine <<-'PY'
		a = Engine()
		a.run("c1")
		os.makedirs(STATE + "/.hidden/x")
		os.makedirs(STATE + "/default/.hidden")
		os.makedirs(STATE + "/default/.new-1-2-3/rootfs")
		os.makedirs(STATE + "/default/.del-1-2-3/rootfs")
		open(STATE + "/a-file", "w").close()
		open(STATE + "/default/a-file", "w").close()
		os.makedirs(STATE + "/default/not_an_id_")
		os.makedirs(STATE + "/default/empty") # a bundle with nothing in it
		os.makedirs(STATE + "/default/broken")
		for name, text in (("engine.json", '{"version": 1'), ("config.json", "{}")):
		    with open(STATE + "/default/broken/" + name, "w") as f: f.write(text)
		os.makedirs(STATE + "/default/newer")
		with open(STATE + "/default/newer/engine.json", "w") as f:
		    f.write('{"version": 4, "made": "x", "lifetime": "keep", "record": ""}')
		for name in "pipe", "deaf": # nobody writes to these
		    os.makedirs(STATE + "/default/" + name)
		os.mkfifo(STATE + "/default/pipe/engine.json")
		with open(STATE + "/default/deaf/engine.json", "w") as f:
		    f.write('{"version": 1, "made": "x", "lifetime": "keep", "record": ""}')
		os.mkfifo(STATE + "/default/deaf/address")
		os.symlink("c1", STATE + "/default/link")
		b = Engine()
		eq(b.statuses(), {"c1": "running"})
		within(b.log(), "the task is left out: id=broken namespace=default")
		within(b.log(), "/version: 4")
		eq(sorted(bundles()), [".hidden", "a-file", "broken", "c1", "deaf", "link", "newer", "not_an_id_", "pipe"])
		b.fails("invalid", "engine.json", "open", id="broken")
		b.fails("exists", "", "create", id="broken", config=config())
		b.fails(("not-found", "internal"), "", "open", id="a-file")
		eq(b.open("c1")["status"], "running")
		for f in "a-file", "default/a-file", "default/link": os.unlink(STATE + "/" + f)
		for d in "default/broken", "default/newer", "default/pipe", "default/deaf", "default/not_an_id_", "default/.hidden", ".hidden": shutil.rmtree(STATE + "/" + d)
	PY
}

@test "engine: a namespace that cannot be read is logged and passed over" {
	engine <<-'PY'
		a = Engine()
		a.run("c1")
		a.run("c2", namespace="dark")
		os.chmod(STATE + "/dark", 0)
		tool, client = TOOL, sys.modules["__main__"]
		client.TOOL = script("exec setpriv --bounding-set -dac_override,-dac_read_search %s" % tool)
		b = Engine()
		client.TOOL = tool
		eq(b.statuses(), {"c1": "running"})
		within(b.log(), "namespace dark is left out: permission denied")
		os.chmod(STATE + "/dark", 0o711)
		eq(b.statuses(), {"c1": "running", "c2": "running"})
	PY
}

@test "engine: operations that are cancelled or too late: a create is undone, a call is answered to nobody" {
	engine <<-'PY'
		a = Engine()
		def slow(c): c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "30"]}]}
		cfg = config(change=slow)
		c = a.begin("create", id="c1", config=cfg)
		until(lambda: os.path.exists(bundle("c1") + "/berth.json"))
		a.do("cancel", target=c.tag)
		eq(c.answer()["errno"], 125) # ECANCELED
		eq(bundles(), [])
		begun = time.monotonic()
		r = a.fails("timeout", "create the task", "create", id="c1", config=cfg, timeout=300)
		assert time.monotonic() - begun < 25
		eq(bundles(), [])
		for n in range(20): # at any moment
		    c = a.begin("create", id="c1", config=config())
		    time.sleep(n * 0.001)
		    a.do("cancel", target=c.tag)
		    if c.answer()["result"] == "ok":
		        a.delete("c1")
		    eq(bundles(), [])
		a.run("c2")
		w = a.begin("wait", id="c2")
		time.sleep(0.05)
		assert not w.done.is_set()
		a.do("cancel", target=w.tag)
		eq(w.answer()["errno"], 125)
		a.fails("timeout", "", "wait", id="c2", timeout=100)
		w = a.begin("wait", id="c2")
		os.kill(a.shim("c2"), KILL)
		eq(w.answer()["result"], "lost")
		a.is_gone("c2")
		a.fails("not-found", "", "delete", id="c2")
	PY
}

@test "engine: a program that ends while much is in progress leaves no task that it did not get" {
	engine <<-'PY'
		for n in range(5):
		    a = Engine()
		    for i in range(8):
		        a.begin("create", id="c%d" % i, config=config("sleep", "1000"), lifetime="terminate")
		    time.sleep(n * 0.005)
		    a.p.stdin.close() # it waits for all, then it goes
		    eq(a.p.wait(30), 0)
		until(lambda: not bundles(), 30, "not all are gone")
	PY
}

@test "engine: a root file system that is still mounted when the bundle goes is not emptied" {
	engine <<-'PY'
		wrapper = script('for a; do l=$a; done; [ "$l" != delete ] || exit 1', 'exec %s "$@"' % SHIM)
		a = Engine(shim=wrapper, settings={"shim_mount_namespace": False})
		shutil.copytree(IT_OUT + "/rootfs", IT + "/root", symlinks=True)
		def relative(c): c["root"]["path"] = "rootfs"
		t = a.create("c1", cfg=config("sleep", "1000", change=relative), mount_type="bind", mount_source=IT + "/root",
		             mount_options=["rbind"])
		a.start("c1")
		assert any(bundle("c1") + "/rootfs" in m for m in mountinfo())
		os.kill(a.shim("c1"), KILL)
		a.is_gone("c1")
		assert os.path.exists(IT + "/root/bin/busybox")
		until(lambda: not bundles())
		assert not any("rootfs" in m.split()[4] for m in mountinfo() if IT in m.split()[4]), mountinfo()
		os.kill(t["pid"], KILL) # what the clean-up that failed has left
		gone(t["pid"])
		subprocess.run([SHIM, "-namespace", "default", "-id", "c1", "delete"], cwd=IT, check=True, capture_output=True)
		shutil.rmtree(IT + "/root")
		shutil.rmtree(STATE + "/.runtime/default/c1")
		for d in glob.glob("/sys/fs/cgroup/*" + IT_CG + "/default/c1"): os.rmdir(d)
		for f in glob.glob(STATE + "/.s/*") + glob.glob(STATE + "/.shims/*.*/*"): os.unlink(f)
		for d in glob.glob(STATE + "/.shims/*.*"): os.rmdir(d)
	PY
}

@test "engine: an engine that is freed in the midst of everything" {
	engine <<-'PY'
		b = Engine()
		def slow(c): c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "5"]}]}
		for n in range(12):
		    a = Engine()
		    a.run("r")
		    a.run("s", "true")
		    a.wait("s")
		    ops = [a.begin("create", id="c1", config=config(change=slow)), a.begin("create", id="c2", config=config()),
		           a.begin("wait", id="r"), a.begin("list"), a.begin("delete", id="s"), a.begin("open", id="r")]
		    if n % 3 == 0:
		        os.kill(a.shim("r"), KILL)
		    time.sleep(n * 0.003)
		    f = a.begin("free")
		    for op in ops:
		        r = op.answer()
		        assert r["result"] in ("ok", "lost", "not-found") or r["errno"] == 125, r
		    eq(f.answer()["result"], "ok")
		    eq(a.p.wait(20), 0)
		    until(lambda: set(b.statuses()) <= {"r", "s", "c2"}) # c1 was held by nobody else
		    for i in list(b.statuses()):
		        if b.begin("open", id=i).answer()["result"] == "ok":
		            b.begin("kill", id=i).answer()
		            b.begin("wait", id=i).answer()
		            r = b.begin("delete", id=i).answer()
		            assert r["result"] in ("ok", "not-found", "lost"), r
		    until(lambda: b.statuses() == {} and not bundles(), say=bundles())
	PY
}

@test "engine: all shims are killed at the same time: of each task the end is told once to each" {
	engine <<-'PY'
		N = 40
		a, b = Engine(), Engine()
		cfg = config("sleep", "1000")
		for op in [a.begin("create", id="c%d" % i, config=cfg) for i in range(N)]:
		    op.result(60)
		for i in range(N):
		    a.start("c%d" % i)
		    b.open("c%d" % i)
		shims = [a.shim("c%d" % i) for i in range(N)]
		for s in shims:
		    os.kill(s, KILL)
		for i in range(N):
		    for en in a, b:
		        eq(en.is_gone("c%d" % i, 60)["lost"], True)
		    eq(a.topics("c%d" % i), ["create", "start", "exit", "delete"])
		    eq(b.topics("c%d" % i), ["exit", "delete"])
		eq(bundles(), [])
		eq(len(a.gones) + len(b.gones), 2 * N)
	PY
}

@test "engine: few file descriptors: a list asks as many at a time as it may, a create says what is missing" {
	engine <<-'PY'
		import resource
		N = 60
		a = Engine()
		cfg = config("sleep", "1000")
		for op in [a.begin("create", id="c%d" % i, config=cfg) for i in range(N)]:
		    op.result(60)
		a.close()
		resource.setrlimit(resource.RLIMIT_NOFILE, (32, 4096))
		b = Engine()
		resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
		eq(len(b.statuses()), N)
		opened = 0
		for i in range(N):
		    r = b.begin("open", id="c%d" % i).answer()
		    opened += r["result"] == "ok"
		    assert r["result"] == "ok" or "too many open files" in r["words"], r
		assert 5 < opened < 32, opened
		r = b.begin("create", id="d1", config=cfg).answer()
		assert "too many open files" in r["words"], r
		assert "d1" not in bundles()
		r = b.begin("list").answer(60) # all of them, or none
		assert "too many open files" in r["words"] or len(r["tasks"]) == N, r
		for i in range(opened):
		    b.do("unwatch", id="c%d" % i)
		eq(set(b.statuses().values()), {"created"})
		b.open("c7")
	PY
}
