#!/usr/bin/env bats
# shim_events.bats: what a shim tells the daemon, in which order, and to a daemon
# that is slow, stalled, dead, or back. The order of every test's events is
# judged at its end in the other files, too (test/shim/receiver.py).
# bats file_tags=long

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

@test "shim: the events of a life" {
	shim <<-'PY'
		t = Task("sh", "-c", "sleep 100; exit 3").run()
		t.exec("x", "sh", "-c", "exit 4")
		t.Wait(exec_id="x")
		EVENTS.wait(t.id, "exit", "x")
		t.Delete(exec_id="x")
		t.Pause()
		t.Resume()
		t.kill()
		t.Delete()
		EVENTS.wait(t.id, "delete")
		EVENTS.tell(t.id, ["create", "start", "exec-added x", "exec-started x", "exit x 4", "paused", "resumed",
		    "exit 137", "delete 137"])
	PY
}

@test "shim: what is in the events" {
	shim <<-'PY'
		t = Task("sh", "-c", "cat; exit 3", mounts=[bind(IT_OUT + "/rootfs")])
		i, o = t.inp(), t.out("stdout")
		t.run()
		x = t.exec("x", "sh", "-c", "exit 4")
		t.Wait(exec_id="x")
		i.come().vanish()
		t.CloseIO(stdin=True)
		w = t.Wait()
		d = t.Delete()
		EVENTS.wait(t.id, "delete")
		m = {str(e).split(" ")[0] + e.exec: e.m for e in EVENTS.of(t.id)}
		c = m["create"]
		eq((c.container_id, c.bundle, c.pid, c.checkpoint), (t.id, t.bundle, t.pid, ""))
		eq((c.io.stdin, c.io.stdout, c.io.terminal), (i.path, o.path, False))
		assert c.io.stderr
		eq([(r.type, r.source, list(r.options)) for r in c.rootfs], [("bind", IT_OUT + "/rootfs", ["rbind"])])
		eq(m["start"].pid, t.pid)
		eq((m["exec-addedx"].exec_id, m["exec-startedx"].exec_id, m["exec-startedx"].pid), ("x", "x", x))
		eq((m["exitx"].id, m["exitx"].pid, m["exitx"].exit_status), ("x", x, 4))
		e = m["exit"]
		eq((e.id, e.pid, e.exit_status, e.exited_at), (t.id, t.pid, 3, w.exited_at))
		e = m["delete"]
		eq((e.pid, e.exit_status, e.exited_at), (t.pid, 3, d.exited_at))
		now = time.time()
		for e in EVENTS.of(t.id):
		    eq(e.namespace, NS)
		    assert now - 20 < e.sent <= now + 0.1, e.sent
		eq({m.get("containerd-namespace-ttrpc") for m in EVENTS.metadata}, {NS})
	PY
}

@test "shim: fast exits never come before their start" {
	shim <<-'PY'
		for n in range(12):
		    t = Task("true", group="fast").run()
		t = Task(group="fast").run()
		for n in range(15):
		    t.add("x%d" % n, "true")
		    t.begin("Start", exec_id="x%d" % n)
		for n in range(15):
		    EVENTS.wait(t.id, "exit", "x%d" % n, timeout=30)
		    t.Delete(exec_id="x%d" % n)
		for f in Task.every[:-1]:
		    EVENTS.wait(f.id, "exit")
		    EVENTS.tell(f.id, ["create", "start", "exit 0"])
	PY
}

@test "shim: the exit of the first process is the last one" {
	ours_only 'its order is that of the reaping'
	shim <<-'PY'
		def host_pid(c): # where the kernel does not wait for them
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		for config in (None, host_pid, host_pid):
		    t = Task(group="last", config=config).run()
		    for x in "abcdefgh":
		        t.exec(x, "sleep", "1000")
		    t.kill()
		    EVENTS.wait(t.id, "exit")
		    said = EVENTS.said(t.id)
		    eq(said[-1], "exit 137")
		    eq(sorted(s for s in said if s.startswith("exit ") and len(s) > 8), ["exit %s 137" % x for x in "abcdefgh"])
	PY
}

@test "shim: running out of memory is told, before the exit" {
	shim <<-'PY'
		def little(c):
		    c["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
		t = Task("sh", "-c", "sleep 0.3; exec tail /dev/zero", config=little).run()
		eq(t.Wait(timeout=30).exit_status, 137)
		EVENTS.wait(t.id, "oom")
		EVENTS.wait(t.id, "exit")
		if OURS: # the peer's comes by another way, at any time
		    EVENTS.tell(t.id, ["create", "start", "oom", "exit 137"])
		    eq(json.load(open(t.bundle + "/exit.json"))["oomKills"], 1)
		u = Task("sh", "-c", "sleep 0.1; kill -9 $$", group="no oom").run()
		eq(u.kill(), 137)
		time.sleep(0.1)
		assert "oom" not in EVENTS.said(u.id)
	PY
}

@test "shim: a process of the container that runs out of memory is told, though the first one stays" {
	shim <<-'PY'
		def little(c):
		    c["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
		t = Task("sh", "-c", "sleep 0.3; tail /dev/zero; exec sleep 100", config=little).run()
		EVENTS.wait(t.id, "oom")
		eq(t.status(), RUNNING)
	PY
}

@test "shim: who hears of an exit sees it in the state" {
	shim <<-'PY'
		seen = {}
		def look(e):
		    if e.topic == "/tasks/exit":
		        s = t.State(exec_id=e.exec)
		        seen[e.exec] = (s.status, s.exit_status, s.pid)
		        if OURS: # and in the record
		            with open(t.bundle + "/" + ("exec.%s." % e.exec if e.exec else "") + "exit.json") as f:
		                r = json.load(f)
		            eq((r["version"], r["execId"], r["status"], r["pid"], r["oomKills"]), (1, e.exec, s.exit_status, s.pid, 0))
		            eq((r["seconds"], r["nanoseconds"]), (s.exited_at.seconds, s.exited_at.nanos))
		            seen["record " + e.exec] = r["status"]
		    if e.topic == "/tasks/start":
		        seen["start"] = t.status()
		EVENTS.on = look
		t = Task("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.01; done")
		t.run()
		x = t.exec("x", "sh", "-c", "exit 4")
		trapped(t.pid, TERM)
		until(lambda: "start" in seen)
		t.Kill(signal=TERM)
		t.Wait()
		records = {"record x": 4, "record ": 3} if OURS else {}
		until(lambda: len(seen) == 3 + len(records))
		eq(seen, {"start": RUNNING, "x": (STOPPED, 4, x), "": (STOPPED, 3, t.pid), **records})
	PY
}

@test "shim: a slow receiver gets everything, in order, and delays no call" {
	shim <<-'PY'
		EVENTS.server.slow = 0.5
		t = Task().run()
		for n in range(5):
		    t.exec("x%d" % n, "true")
		    t.Wait(exec_id="x%d" % n)
		    t.Delete(exec_id="x%d" % n)
		t.kill()
		t.Delete()
		assert len(EVENTS.said(t.id)) < 18, "the calls have waited for it"
		EVENTS.wait(t.id, "delete")
		want = ["create", "start"]
		for n in range(5):
		    want += ["exec-added x%d" % n, "exec-started x%d" % n, "exit x%d 0" % n]
		EVENTS.tell(t.id, want + ["exit 137", "delete 137"])
	PY
}

@test "shim: a receiver that stalls gets everything when it goes on, and delays no call" {
	shim <<-'PY'
		EVENTS.server.stall()
		began = time.monotonic()
		t = Task("sh", "-c", "exit 3").run()
		eq(t.Wait().exit_status, 3)
		t.Delete()
		for n in range(10):
		    u = Task(group="stalled").run()
		    u.kill()
		    u.Delete()
		assert time.monotonic() - began < 40 # 5 s for each event would be much more
		time.sleep(max(0, 5.5 - (time.monotonic() - began))) # longer than a call is waited for
		EVENTS.server.go_on()
		for x in Task.every:
		    EVENTS.wait(x.id, "delete", timeout=30)
		    eq([s.split()[0] for s in EVENTS.said(x.id)], ["create", "start", "exit", "delete"])
	PY
}

@test "shim: a daemon that restarts gets what happens next at once" {
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		EVENTS.server.die()
		time.sleep(0.2)
		EVENTS.server.back()
		began = time.monotonic()
		t.exec("x", "true")
		EVENTS.wait(t.id, "exit", "x", timeout=30)
		if OURS:
		    assert time.monotonic() - began < 5 # so long it would wait after several failures
		EVENTS.tell(t.id, ["create", "start", "exec-added x", "exec-started x", "exit x 0"])
	PY
}

@test "shim: what happens while the daemon is dead is told when it is back, in order" {
	ours_only 'what it tries again comes later than what it has not tried yet'
	shim <<-'PY'
		t = Task("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.01; done", group="dead").run()
		u = Task(group="dead").run()
		EVENTS.wait(u.id, "start")
		EVENTS.server.die()
		t.exec("x", "sh", "-c", "exit 4")
		eq(t.Wait(exec_id="x").exit_status, 4)
		trapped(t.pid, TERM)
		t.Kill(signal=TERM)
		eq(t.Wait().exit_status, 3)
		t.Delete()
		u.Pause()
		u.Resume()
		began = time.monotonic()
		eq(u.kill(), 137)
		assert time.monotonic() - began < 5
		time.sleep(5.5) # longer than a connection is waited for
		EVENTS.server.back()
		EVENTS.wait(u.id, "exit", timeout=30)
		EVENTS.tell(t.id, ["create", "start", "exec-added x", "exec-started x", "exit x 4", "exit 3", "delete 3"])
		EVENTS.tell(u.id, ["create", "start", "paused", "resumed", "exit 137"])
	PY
}

@test "shim: the last event is told again when the daemon dies before it has taken it, and the shim is to end" {
	ours_only 'it does not wait for its events'
	shim <<-'PY'
		seen = []
		def on(event):
		    if event.topic == "/tasks/delete":
		        seen.append(event)
		        if len(seen) == 1: # so long that Shutdown comes first
		            time.sleep(1)
		            EVENTS.server.die()
		t = Task("true").run().stopped()
		EVENTS.on = on
		t.Delete()
		t.created = False
		until(lambda: seen)
		t.Shutdown()
		time.sleep(0.3)
		assert alive(t.shim)
		until(lambda: EVENTS.server.listener is None)
		time.sleep(0.3)
		EVENTS.server.back()
		until(lambda: len(seen) == 2)
		gone(t.shim)
	PY
}

@test "shim: a daemon whose socket is there but which does not answer loses nothing" {
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		EVENTS.server.die(unlink=False) # refused, not absent
		t.kill()
		t.Delete()
		time.sleep(0.5)
		EVENTS.tell(t.id, ["create", "start"])
		EVENTS.server.back()
		EVENTS.wait(t.id, "delete", timeout=30)
		EVENTS.tell(t.id, ["create", "start", "exit 137", "delete 137"])
	PY
}

@test "shim: a daemon that is not there at the start is no reason not to start" {
	shim <<-'PY'
		EVENTS.server.die()
		t = Task("sh", "-c", "exit 3").run()
		eq(t.Wait().exit_status, 3)
		EVENTS.server.back()
		EVENTS.wait(t.id, "exit", timeout=30)
		EVENTS.tell(t.id, ["create", "start", "exit 3"])
	PY
}

@test "shim: without a daemon's address it works, and tells nobody" {
	shim <<-'PY'
		t = Task("sh", "-c", "exit 3").launch(env={"TTRPC_ADDRESS": ""})
		t.run()
		eq(t.Wait().exit_status, 3)
		t.Delete()
		eq(EVENTS.said(t.id), [])
	PY
}

@test "shim: events that nobody took are told after Delete and Shutdown" {
	shim <<-'PY'
		t = Task("sh", "-c", "sleep 0.3; exit 3").run()
		EVENTS.wait(t.id, "start")
		EVENTS.server.die()
		eq(t.Wait().exit_status, 3)
		t.Delete()
		try:
		    t.Shutdown()
		except Lost:
		    pass
		time.sleep(0.5)
		EVENTS.server.back()
		EVENTS.wait(t.id, "delete", timeout=30)
		EVENTS.tell(t.id, ["create", "start", "exit 3", "delete 3"])
		gone(t.shim) # and then there is nothing more to stay for
	PY
}

@test "shim: a daemon that hangs up instead of answering is told again" {
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		times = []
		def hang_up(e):
		    times.append(e.topic)
		    if times.count("/tasks/exit") == 1:
		        raise EOFError
		EVENTS.on = hang_up
		t.kill()
		t.Delete()
		until(lambda: "/tasks/delete" in times, 30, "%s" % times)
		eq(times, ["/tasks/exit", "/tasks/exit", "/tasks/delete"])
		EVENTS.tell(t.id, ["create", "start", "exit 137", "delete 137"])
	PY
}

@test "shim: an event that the daemon refuses does not stop those after it" {
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		def refuse(e):
		    if e.topic == "/tasks/paused":
		        raise ValueError("not such a one")
		EVENTS.on = refuse
		t.Pause()
		t.Resume()
		t.kill()
		t.Delete()
		EVENTS.wait(t.id, "delete", timeout=30)
	PY
}

# bats test_tags=nosan
@test "shim: more than a thousand events for a dead daemon block nothing and are all told" {
	ours_only 'its queue of 128 blocks'
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		EVENTS.server.die()
		def rss():
		    with open("/proc/%d/status" % t.shim) as f:
		        return int(next(l for l in f if l.startswith("VmRSS")).split()[1])
		before = rss()
		for n in range(600):
		    t.Pause()
		    t.Resume()
		began = time.monotonic()
		eq(t.kill(), 137)
		t.Delete()
		assert time.monotonic() - began < 5 # so long one answer is waited for
		assert rss() - before < 512, "%d KiB more" % (rss() - before)
		EVENTS.server.back()
		EVENTS.wait(t.id, "delete", timeout=30)
		EVENTS.tell(t.id, ["create", "start"] + ["paused", "resumed"] * 600 + ["exit 137", "delete 137"])
	PY
}

# bats test_tags=nosan
@test "shim: of more events than are kept the newest are told, and how many are lost" {
	ours_only 'it drops them without a word'
	shim <<-'PY'
		import berth_shim_pb2 as own
		t = Task().run()
		EVENTS.wait(t.id, "start")
		time.sleep(0.5) # until it is acknowledged
		EVENTS.server.die()
		n, name = 9000, lambda i: "x%d-" % i + "y" * 69
		calls = []
		for i in range(n): # none of them is started
		    calls += [t.begin("Exec", exec_id=name(i), spec=program("true")), t.begin("Delete", exec_id=name(i))]
		    if i % 100 == 99:
		        eq({c.status()[0] for c in calls}, {OK})
		        calls = []
		    if i in (6200, n - 1): # so that it tries to tell what is left, several times
		        time.sleep(7)
		journal, = glob.glob("/run/berth/shim/*.%d/events" % t.shim)
		assert os.path.getsize(journal) <= 1 << 20
		got = t.conn.call("berth.shim.v1.Shim", "Events", own.EventsRequest(limit=1000), own.EventsResponse).events
		first = got[0].number # the gap is seen there, too
		assert 1000 < first < n, first
		eq([e.number for e in got], list(range(first, first + 1000)))
		eq(t.kill(), 137)
		t.Delete()
		EVENTS.server.back()
		EVENTS.wait(t.id, "delete", timeout=30)
		said = EVENTS.said(t.id)
		eq(said[:2] + said[-2:], ["create", "start", "exit 137", "delete 137"])
		eq(said[2:-2], ["exec-added " + name(i) for i in range(first - 3, n)])
		import re # each of them is said to be lost once
		lost = lambda: [int(n) for m in re.findall(rb"events (\d+) to (\d+) could not be told in time and are lost", t.log) for n in m]
		until(lambda: lost()[-1:] == [first - 1], say="lost: %s, up to %d" % (lost(), first - 1))
		eq(lost()[0], 3)
		eq([b - a for a, b in zip(lost()[1::2], lost()[2::2])], [1] * (len(lost()) // 2 - 1))
	PY
}

@test "shim: events are told although they cannot be written" {
	ours_only 'it writes none'
	shim <<-'PY'
		t = Task().run()
		EVENTS.wait(t.id, "start")
		time.sleep(0.2) # until it is acknowledged: what is written and not told would be gone
		journal, = glob.glob("/run/berth/shim/*.%d" % t.shim)
		shutil.rmtree(journal)
		t.exec("x", "sh", "-c", "exit 4")
		EVENTS.wait(t.id, "exit", "x")
		EVENTS.server.die() # and wait in memory
		eq(t.kill(), 137)
		time.sleep(0.2)
		EVENTS.server.back()
		EVENTS.wait(t.id, "exit")
		t.Delete()
		EVENTS.wait(t.id, "delete")
		EVENTS.tell(t.id, ["create", "start", "exec-added x", "exec-started x", "exit x 4", "exit 137", "delete 137"])
		until(lambda: b"cannot" in t.log or b"events" in t.log)
	PY
}
