#!/usr/bin/env bats
# shim_task.bats: what the calls of the task service do, beyond their answers:
# exit codes, signals, waiting, processes, limits, options, and failures.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

# ---- ends -------------------------------------------------------------------

@test "shim: exit codes and signals of the first process" {
	shim <<-'PY'
		for script, want in (("exit 0", 0), ("exit 1", 1), ("exit 255", 255)):
		    t = Task("sh", "-c", script, group="codes").run()
		    eq(t.Wait().exit_status, want)
		    eq(t.Delete().exit_status, want)
		# From outside: what it does not handle a pid namespace's first process ignores, but for KILL.
		t = Task("sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.01; done", group="codes").run()
		trapped(t.pid, TERM)
		t.Kill(signal=USR1)
		t.Kill(signal=TERM)
		eq(t.Wait().exit_status, 9)
		t = Task(group="codes").run()
		os.kill(t.pid, KILL) # by somebody else
		eq(t.Wait().exit_status, 137)
		eq(EVENTS.wait(t.id, "exit").m.exit_status, 137)
	PY
}

@test "shim: exit codes and signals of execs" {
	shim <<-'PY'
		t = Task().run()
		for i, (script, want) in enumerate((("exit 0", 0), ("exit 7", 7), ("exit 255", 255),
		        ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -SEGV $$", 139), ("kill -40 $$", 168))):
		    t.exec("x%d" % i, "sh", "-c", script)
		    eq((script, t.Wait(exec_id="x%d" % i).exit_status), (script, want))
		    eq(t.Delete(exec_id="x%d" % i).exit_status, want)
		    eq(EVENTS.wait(t.id, "exit", "x%d" % i).m.exit_status, want)
	PY
}

@test "shim: the time of an exit is the same in every answer, and true" {
	shim <<-'PY'
		def same(t, exec_id=""):
		    w = t.Wait(exec_id=exec_id).exited_at
		    now = time.time()
		    s, e = t.State(exec_id=exec_id).exited_at, EVENTS.wait(t.id, "exit", exec_id).m.exited_at
		    d = t.Delete(exec_id=exec_id).exited_at
		    eq((s, e, d), (w, w, w))
		    at = w.seconds + w.nanos / 1e9
		    assert began + 0.2 <= at <= now, "%s is not between %s and %s" % (at, began + 0.2, now)
		t = Task("sh", "-c", "sleep 3").create()
		assert t.State().exited_at.seconds <= 0 # not yet: absent, or the year 1
		began = time.time()
		t.start()
		t.exec("x", "sleep", "0.2")
		same(t, "x")
		time.sleep(0.3) # asked later, still that time
		same(t)
	PY
}

@test "shim: Wait before, during and after the exit" {
	shim <<-'PY'
		t = Task("sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.01; done").create()
		early = [t.begin("Wait") for _ in range(20)]
		t.start()
		late = [t.begin("Wait") for _ in range(20)]
		trapped(t.pid, TERM)
		assert not any(w.done.is_set() for w in early + late)
		t.Kill(signal=TERM)
		eq({w.result().exit_status for w in early + late}, {6})
		eq(t.Wait().exit_status, 6)
		pending = t.begin("Wait")
		t.Delete()
		eq(pending.result().exit_status, 6)
		t.fails(NOT_FOUND, "not found", "Wait")
	PY
}

@test "shim: Wait of an exec before, during and after the exit" {
	shim <<-'PY'
		t = Task().run()
		t.add("x", "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.01; done")
		early = t.begin("Wait", exec_id="x")
		pid = t.Start(exec_id="x").pid
		late = t.begin("Wait", exec_id="x")
		other = t.begin("Wait")
		trapped(pid, TERM)
		assert not early.done.is_set() and not late.done.is_set()
		t.Kill(exec_id="x", signal=TERM)
		eq([w.result().exit_status for w in (early, late)], [6, 6])
		eq(t.Wait(exec_id="x").exit_status, 6)
		assert not other.done.is_set() # it was not the container that ended
		t.Delete(exec_id="x")
		t.fails(NOT_FOUND, "process does not exist", "Wait", exec_id="x")
	PY
}

@test "shim: Wait of an exec that is deleted before it was started ends" {
	ours_only 'its Wait is never answered'
	shim <<-'PY'
		t = Task().run()
		t.add("x", "true")
		w = t.begin("Wait", exec_id="x")
		time.sleep(0.2)
		t.Delete(exec_id="x")
		assert w.status(5)[0] in (OK, NOT_FOUND)
	PY
}

# ---- signals ----------------------------------------------------------------

@test "shim: a signal goes to the process that is meant" {
	shim <<-'PY'
		t = Task("sh", "-c", "trap 'exit 3' USR1; while :; do sleep 0.01; done").run()
		trapped(t.pid, USR1)
		for x in "ab":
		    trapped(t.exec(x, "sh", "-c", "trap 'exit 4' USR1; while :; do sleep 0.01; done"), USR1)
		t.Kill(exec_id="a", signal=USR1)
		eq(t.Wait(exec_id="a").exit_status, 4)
		eq((t.status(), t.status("b")), (RUNNING, RUNNING))
		t.Kill(signal=USR1)
		eq(t.Wait().exit_status, 3)
		eq(t.Wait(exec_id="b").exit_status, 137) # its pid namespace ended
	PY
}

@test "shim: a pid that is somebody else's by now is never signalled" {
	ours_only 'its delete says 137 whatever happened'
	shim <<-PY
		strangers = []
		def stranger(pid): # with this very pid
		    until(lambda: not os.path.exists("/proc/%d" % pid))
		    time.sleep(0.02) # they are told apart by the clock tick in which they began
		    for _ in range(300):
		        open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
		        strangers.append(subprocess.Popen(["sleep", "1000"]))
		        if strangers[-1].pid == pid:
		            return
		    raise AssertionError("nobody gets pid %d" % pid)
		t = Task().run()
		x = t.exec("x", "true")
		t.Wait(exec_id="x")
		stranger(x)
		t.fails(NOT_FOUND, "process already finished", "Kill", exec_id="x", signal=KILL)
		eq((t.State(exec_id="x").pid, t.status("x")), (x, STOPPED))
		assert x not in [p.pid for p in t.Pids().processes]
		t.Delete(exec_id="x")
		t.kill()
		stranger(t.pid)
		for everybody in (False, True):
		    t.fails(NOT_FOUND, "process already finished", "Kill", signal=KILL, all=everybody)
		eq(t.Delete().pid, t.pid)
		# Nor by the program's delete, which finds the pid in a file.
		for binary in ("", "$PEER", "gone"):
		    t = Task()
		    runtime = binary if binary != "gone" else t.script('exec $PEER "\$@"')
		    t.create(options=options(binary_name=runtime)).start()
		    os.kill(t.shim, KILL)
		    os.kill(t.pid, KILL)
		    stranger(t.pid)
		    if binary == "gone":
		        os.unlink(runtime)
		    d = t.binary_delete()
		    eq((d.pid, d.exit_status), (t.pid, 137 if binary else 255))
		eq([p.pid for p in strangers if p.poll() is not None], [])
		for p in strangers:
		    p.kill()
		    p.wait()
	PY
}

@test "shim: Kill with all reaches every process, TERM as well as KILL" {
	shim <<-'PY'
		# It stays until the others have ended: its end would kill who has not heard the signal yet.
		t = Task("sh", "-c", "trap 'n=3' TERM; until [ -e /tmp/go ]; do sleep 0.01; done; exit $n").run()
		t.exec("a", "sleep", "100")
		t.exec("b", "sh", "-c", "sleep 100 & sleep 101 & wait")
		until(lambda: len(t.Pids().processes) >= 5)
		trapped(t.pid, TERM)
		t.Kill(signal=TERM, all=True)
		eq([t.Wait(exec_id=x).exit_status for x in "ab"], [143, 143])
		t.exec("c", "touch", "/tmp/go")
		eq(t.Wait().exit_status, 3)
	PY
}

@test "shim: Kill with all ends what somebody else has frozen" {
	shim <<-'PY'
		t = Task("sh", "-c", "sleep 100 & wait").run()
		t.exec("x", "sleep", "100")
		for path, word in [(d + "/freezer.state", "FROZEN") for d in t.cgroup_dirs()] + \
		                  [(d + "/cgroup.freeze", "1") for d in t.cgroup_dirs()]:
		    if os.path.exists(path):
		        with open(path, "w") as f:
		            f.write(word)
		t.Kill(signal=KILL, all=True)
		eq((t.Wait(exec_id="x").exit_status, t.Wait().exit_status), (137, 137))
	PY
}

@test "shim: Kill with a signal that there is not changes nothing" {
	shim <<-'PY'
		t = Task().run()
		for signal in (65, 4711, 0xffffffff):
		    assert t.begin("Kill", signal=signal).status()[0] != OK
		eq(t.status(), RUNNING)
		assert alive(t.pid)
	PY
}

@test "shim: without a pid namespace of its own a container leaves no process behind" {
	shim <<-'PY'
		def host_pid(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		t = Task("sh", "-c", "sleep 1234 & sleep 1234 & trap 'exit 2' TERM; while :; do sleep 0.01; done", config=host_pid).run()
		trapped(t.pid, TERM)
		pids = [p.pid for p in t.Pids().processes]
		assert len(pids) >= 3, pids
		t.Kill(signal=TERM)
		eq(t.Wait().exit_status, 2)
		for p in pids:
		    gone(p)
		t.Delete()
		eq(t.cgroup_dirs(), [])
	PY
}

@test "shim: orphans of the container are collected" {
	shim <<-'PY'
		def host_pid(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		t = Task("sh", "-c", "for i in 1 2 3 4 5; do (sh -c 'sleep 0.1 & exit' &); done; exec sleep 100", config=host_pid).run()
		t.exec("x", "sh", "-c", "(sleep 0.1 &); exit 0")
		t.Wait(exec_id="x")
		def children():
		    with open("/proc/%d/task/%d/children" % (t.shim, t.shim)) as f:
		        return [int(p) for p in f.read().split()]
		until(lambda: [p.pid for p in t.Pids().processes] == [t.pid])
		until(lambda: children() == [t.pid], 30, "zombies stay")
	PY
}

@test "shim: orphans are collected though nobody calls" {
	shim <<-'PY'
		def host_pid(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		t = Task("sh", "-c", "for i in 1 2 3 4 5; do (sh -c 'sleep 3 & exit' &); done; exec sleep 100", config=host_pid).run()
		def children():
		    with open("/proc/%d/task/%d/children" % (t.shim, t.shim)) as f:
		        return [int(p) for p in f.read().split()]
		until(lambda: len(children()) == 6, 30, "they are not the shim's")
		until(lambda: children() == [t.pid], 30, "zombies stay")
	PY
}

# ---- processes, limits ------------------------------------------------------

@test "shim: Pids names the execs" {
	shim <<-'PY'
		t = Task("sh", "-c", "sleep 100 & exec sleep 101").run()
		pid = t.exec("an-exec", "sleep", "100")
		until(lambda: len(t.Pids().processes) == 3)
		got = {p.pid: p.info for p in t.Pids().processes}
		assert not got[t.pid].type_url and t.pid in got
		eq(got[pid].type_url, "containerd.runc.v1.ProcessDetails")
		eq(runc_options_pb2.ProcessDetails.FromString(got[pid].value).exec_id, "an-exec")
		eq([i.type_url for p, i in got.items() if p not in (t.pid, pid)], [""])
		t.Kill(exec_id="an-exec", signal=KILL)
		t.Wait(exec_id="an-exec")
		assert pid not in [p.pid for p in t.Pids().processes]
	PY
}

@test "shim: a paused container stands still, and goes on" {
	shim <<-'PY'
		t = Task("sh", "-c", "while :; do echo .; sleep 0.01; done")
		o = t.out("stdout")
		t.run()
		o.wait(20)
		t.Pause()
		EVENTS.wait(t.id, "paused")
		def still(): # what is on its way has come
		    n = len(o.now())
		    time.sleep(0.3)
		    return len(o.now()) == n
		until(still)
		n = len(o.now())
		time.sleep(0.3)
		eq(len(o.now()), n)
		t.Resume()
		EVENTS.wait(t.id, "resumed")
		o.wait(n + 20)
	PY
}

@test "shim: Update changes the limits, and a wrong one changes nothing" {
	shim <<-'PY'
		def value(name):
		    for d in t.cgroup_dirs():
		        if os.path.exists(d + "/" + name):
		            return open(d + "/" + name).read().strip()
		t = Task().run()
		t.Update(resources=limits(pids={"limit": 44}, memory={"limit": 64 << 20}, cpu={"shares": 333}))
		eq([value(n) for n in ("pids.max", "memory.limit_in_bytes", "cpu.shares")], ["44", str(64 << 20), "333"])
		t.Update(resources=limits(pids={"limit": 45}))
		eq([value(n) for n in ("pids.max", "memory.limit_in_bytes", "cpu.shares")], ["45", str(64 << 20), "333"])
		for wrong in (json_any("LinuxResources", ["pids"]), json_any("LinuxResources", {"pids": {"limit": "many"}}),
		        any_of("types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", b"{"), any_of("", b"")):
		    code, text = t.begin("Update", resources=wrong).status()
		    assert code in (UNKNOWN, INVALID), (wrong, code, text)
		eq((value("pids.max"), t.status()), ("45", RUNNING))
	PY
}

@test "shim: Stats are containerd's metrics, and true" {
	shim <<-'PY'
		import cgroups_v1_pb2, cgroups_v2_pb2
		t = Task("sh", "-c", "sleep 100 & i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 100").run()
		t.Update(resources=limits(pids={"limit": 44}, memory={"limit": 64 << 20}))
		until(lambda: len(t.Pids().processes) == 2)
		kinds = {"io.containerd.cgroups.v1.Metrics": cgroups_v1_pb2, "io.containerd.cgroups.v2.Metrics": cgroups_v2_pb2}
		def stats():
		    s = t.Stats().stats
		    return kinds[s.type_url].Metrics.FromString(s.value)
		def total(m):
		    return m.cpu.usage_usec * 1000 if hasattr(m.cpu, "usage_usec") else m.cpu.usage.total
		until(lambda: total(stats()) > 5_000_000)
		m = stats()
		eq((m.pids.current, m.pids.limit), (2, 44))
		two = hasattr(m.memory, "usage_limit")
		eq(m.memory.usage_limit if two else m.memory.usage.limit, 64 << 20)
		used = m.memory.usage if two else m.memory.usage.usage
		assert 10_000 < used < 64 << 20, used
		assert total(m) < 60e9
	PY
}

@test "shim: ResizePty without a terminal is nothing, with one the process sees it" {
	shim <<-'PY'
		t = Task("sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done", tty=True)
		o = t.out("stdout")
		t.create()
		t.ResizePty(width=91, height=31)
		t.start()
		o.wait(b"31 91")
		t.ResizePty(width=92, height=32)
		o.wait(b"32 92")
		x = t.out("x")
		trapped(t.exec("x", "sh", "-c", "trap 'stty size; exit 5' WINCH; while :; do sleep 0.01; done", terminal=True, stdout=x.path),
		    signal.SIGWINCH)
		t.ResizePty(exec_id="x", width=93, height=33)
		x.wait(b"33 93")
		eq(t.Wait(exec_id="x").exit_status, 5)
		assert b"33 93" not in o.now()
	PY
}

# ---- Create and its options -------------------------------------------------

@test "shim: Create with an id that exists touches nothing" {
	shim <<-'PY'
		def look(): # atimes change when it is read
		    return {f: (os.lstat(t.bundle + "/" + f).st_ino, os.lstat(t.bundle + "/" + f).st_mtime_ns) for f in os.listdir(t.bundle)}
		t = Task().run()
		before, mounts = look(), mountinfo()
		text = t.fails(EXISTS if OURS else UNKNOWN, "already exists" if OURS else "", "Create", bundle=t.bundle)
		eq((t.status(), t.State().pid, alive(t.pid)), (RUNNING, t.pid, True))
		eq(len(mountinfo()), len(mounts))
		eq(sorted(os.listdir(t.bundle)), sorted(before))
		if OURS:
		    eq(look(), before)
		t.exec("x", "true")
		eq(t.Wait(exec_id="x").exit_status, 0)
		until(lambda: EVENTS.said(t.id)[:2] == ["create", "start"])
	PY
}

@test "shim: a Create that fails says why, leaves nothing, and can be repeated" {
	shim <<-'PY'
		t = Task("no-such-program").launch()
		t.fails(UNKNOWN, 'OCI runtime create failed: ', "Create", bundle=t.bundle)
		t.fails(UNKNOWN, 'exec: "no-such-program": executable file not found in $PATH', "Create", bundle=t.bundle)
		t.fails(NOT_FOUND, "not found", "State")
		eq(t.cgroup_dirs(), [])
		good = open(t.bundle + "/config.json").read().replace("no-such-program", "sleep\", \"1000")
		for content in ("", "{", "[]", None):
		    os.unlink(t.bundle + "/config.json")
		    if content is not None:
		        open(t.bundle + "/config.json", "w").write(content)
		    assert t.begin("Create", bundle=t.bundle).status()[0] not in (OK, EXISTS)
		open(t.bundle + "/config.json", "w").write(good)
		t.run()
		until(lambda: EVENTS.said(t.id)[:1] == ["create"])
	PY
}

@test "shim: after a Create that failed Shutdown ends the shim" {
	shim <<-'PY'
		t = Task("no-such-program").launch()
		t.fails(UNKNOWN, "no-such-program", "Create", bundle=t.bundle)
		try:
		    t.Shutdown()
		except Lost:
		    pass
		gone(t.shim)
		assert not os.path.exists(t.address.removeprefix("unix://"))
	PY
}

@test "shim: Shutdown while a Create is at work: what it makes is undone, and the shim ends" {
	ours_only 'it goes at once, and leaves the container'
	shim <<-'PY'
		def slow(c): c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "touch %s/slow; sleep 0.3" % IT]}]}
		t = Task(config=slow).launch()
		create = t.begin("Create", bundle=t.bundle)
		until(lambda: os.path.exists(IT + "/slow"))
		t.Shutdown()
		assert not os.path.exists(t.address.removeprefix("unix://"))
		try:
		    code, text = create.status()
		    within(text, "told to end")
		except Lost:
		    pass
		gone(t.shim)
		eq(t.cgroup_dirs(), [])
		os.unlink(IT + "/slow")
	PY
}

@test "shim: options of a wrong type, or broken, are refused" {
	ours_only 'it panics on a type that it knows from elsewhere'
	shim <<-'PY'
		t = Task().launch()
		for wrong in (any_of("containerd.runc.v1.ProcessDetails", runc_options_pb2.ProcessDetails(exec_id="x")),
		        any_of("containerd.runc.v1.CheckpointOptions"), any_of("no.such.Type", b"x"), any_of("", b"x"),
		        any_of("containerd.runc.v1.Options", b"\x3a\xff\xff\xff\xff\xff\x0fx"),
		        any_of("containerd.runc.v1.Options", b"\x32\x02\xff\xfe")):
		    t.fails(INVALID, "", "Create", bundle=t.bundle, options=wrong)
		t.fails(NOT_FOUND, "not found", "State")
		eq(t.cgroup_dirs(), [])
		t.run(options=options()) # the right type
	PY
}

@test "shim: options of containerd 1.0's runtime are understood" {
	ours_only 'it panics'
	shim <<-PY
		for name in ("containerd.linux.runc.CreateOptions", "types.containerd.io/containerd.linux.runc.CreateOptions"):
		    def user(c):
		        c["process"]["user"] = {"uid": 1000, "gid": 0} # the runtime gives them to the user, not the group
		    t = Task("sh", "-c", "exec stat -Lc '%u %g' /proc/self/fd/1", config=user, group="v1")
		    o = t.out("stdout")
		    t.run(options=any_of(name, runc_v1_pb2.CreateOptions(io_uid=1000, io_gid=2000, no_pivot_root=True)))
		    t.Wait()
		    o.wait(b"1000 2000\n")
		for name, runtime in (("containerd.linux.runc.RuncOptions", "$PEER"), ("types.containerd.io/containerd.linux.runc.RuncOptions", "runc")):
		    t = Task(group="v1")
		    t.run(options=any_of(name, runc_v1_pb2.RuncOptions(runtime=runtime, runtime_root=IT + "/v1-root")))
		    eq(os.path.exists(IT + "/v1-root/" + NS + "/" + t.id + ("/state.json" if "/" in runtime else "/record.json")), True)
		    eq(t.kill(), 137)
		    t.Delete()
		shutil.rmtree(IT + "/v1-root")
	PY
}

@test "shim: ids that are paths are refused" {
	ours_only 'the daemon checks them'
	shim <<-'PY'
		t = Task().launch()
		for wrong in ("../evil", "a/b", "", ".", "..", "x" * 2000):
		    t.fails(INVALID, "", "Create", bundle=t.bundle, id=wrong)
		t.run()
		for wrong in ("../evil", "a/b", "", ".", "..", "x" * 2000):
		    t.fails(INVALID, "", "Exec", exec_id=wrong, spec=program("true"))
		eq(t.status(), RUNNING)
	PY
}

@test "shim: an exec that cannot start says why, and can be deleted" {
	shim <<-'PY'
		t = Task().run()
		t.add("x", "no-such-program")
		t.fails(UNKNOWN, "OCI runtime exec failed: ", "Start", exec_id="x")
		assert t.State(exec_id="x").status in (CREATED, STOPPED)
		t.Delete(exec_id="x")
		t.add("x", "no-such-program")
		t.fails(UNKNOWN, 'exec: "no-such-program": executable file not found in $PATH', "Start", exec_id="x")
		t.Delete(exec_id="x")
		t.add("x", "true", process={"cwd": "/no/such/directory"})
		t.fails(UNKNOWN, "/no/such/directory", "Start", exec_id="x")
		t.Delete(exec_id="x")
		eq((t.status(), [p.pid for p in t.Pids().processes]), (RUNNING, [t.pid]))
		assert "exec-started x" not in EVENTS.said(t.id)
	PY
}

@test "shim: a process document that is wrong is refused" {
	shim <<-'PY'
		t = Task().run()
		url = "types.containerd.io/opencontainers/runtime-spec/1/Process"
		for wrong in (any_of(url, b""), any_of(url, b"{"), any_of(url, b"[]"), any_of(url, b'{"args": 7}'), any_of("", b"")):
		    code, text = t.begin("Exec", exec_id="x", spec=wrong).status()
		    if code == OK: # then when it is to be used
		        code, text = t.begin("Start", exec_id="x").status()
		        t.Delete(exec_id="x")
		    assert code in (UNKNOWN, INVALID), (wrong, code, text)
		eq(t.status(), RUNNING)
	PY
}

@test "shim: Start of an exec whose container has ended is refused" {
	shim <<-'PY'
		t = Task().run()
		t.add("x", "true")
		t.kill()
		assert t.begin("Start", exec_id="x").status()[0] in (UNKNOWN, PRECONDITION, NOT_FOUND)
		t.Delete(exec_id="x")
		assert "exec-started x" not in EVENTS.said(t.id)
	PY
}

@test "shim: an exec has the user, environment, directory and limits that it asks for" {
	shim <<-'PY'
		t = Task().run()
		o = t.out("x")
		t.exec("x", "sh", "-c", "id -u; id -g; echo $A; pwd; ulimit -t", stdout=o.path, process={
		    "user": {"uid": 1000, "gid": 2000}, "env": ["PATH=/bin", "A=is b"], "cwd": "/home",
		    "rlimits": [{"type": "RLIMIT_CPU", "soft": 77, "hard": 88}]})
		t.Wait(exec_id="x")
		o.wait(b"1000\n2000\nis b\n/home\n77\n")
	PY
}

# ---- runtimes ---------------------------------------------------------------

# One life with this binary_name; its state has to be below the root that is given, and
# is that of the built-in runtime ($2) or of another.
life_with() {
	local SHIM_BINARY=$1 builtin=${2:-}

	shim <<-PY
		t = Task("sh", "-c", "cat; exit 3")
		i, o = t.inp(), t.out("stdout")
		t.create(options=options(binary_name="$SHIM_BINARY", root=IT + "/roots"))
		eq([f for f in os.listdir(IT + "/roots/" + NS) if not f.startswith(".")], [t.id])
		eq(open(t.bundle + "/berth.json").read().count('"binary":""') if OURS else bool("$builtin"), bool("$builtin"))
		t.start()
		i.write(b"words")
		o.wait(b"words")
		pid = t.exec("x", "sh", "-c", "exit 4")
		eq(t.Wait(exec_id="x").exit_status, 4)
		eq(t.Delete(exec_id="x").pid, pid)
		t.Update(resources=limits(pids={"limit": 44}))
		t.Pause()
		eq(t.status(), PAUSED)
		t.Resume()
		t.exec("y", "sleep", "100")
		eq(len(t.Pids().processes), 3)
		i.vanish()
		t.CloseIO(stdin=True)
		eq(t.Wait().exit_status, 3)
		eq(t.Wait(exec_id="y").exit_status, 137)
		t.Delete()
		eq([f for f in os.listdir(IT + "/roots/" + NS) if not f.startswith(".")], [])
		eq(EVENTS.wait(t.id, "delete").m.exit_status, 3)
		# And one that fails, in the runtime's own words.
		f = Task("no-such-program", group="fails").launch()
		f.fails(UNKNOWN, "OCI runtime create failed: ", "Create", bundle=f.bundle, options=options(binary_name="$SHIM_BINARY", root=IT + "/roots"))
		text = f.fails(UNKNOWN, "no-such-program", "Create", bundle=f.bundle, options=options(binary_name="$SHIM_BINARY", root=IT + "/roots"))
		assert "exit status" not in text or "$SHIM_BINARY".endswith("crun"), text
		for d in glob.glob(IT + "/roots/" + NS + "/.*"):
		    shutil.rmtree(d) if os.path.isdir(d) else os.unlink(d)
	PY
}

@test "shim: the runtime when none is named" { life_with '' builtin; }
@test "shim: the bare name runc" { life_with runc builtin; }
@test "shim: the bare name berth" { ours_only 'it has no such name'; life_with berth builtin; }
@test "shim: runc by its path" { life_with "$PEER"; }
@test "shim: crun by its path" { life_with "$(command -v crun)"; }
@test "shim: berth by its path" { life_with "$BERTH"; }

@test "shim: the settings" {
	ours_only 'it has none'
	shim <<-PY
		conf, top = IT + "/shim.json", IT + "/settings"
		def life(opts=None, **settings):
		    with open(conf, "w") as f:
		        json.dump(settings, f)
		    t = Task().launch(env={"BERTH_SHIM_CONFIG": conf})
		    t.run(**({"options": opts} if opts else {}))
		    builtin = json.load(open(t.bundle + "/berth.json"))["binary"] == ""
		    found = sorted(f[len(top) + 1:] for f in glob.glob(top + "/*/**", recursive=True) if os.path.exists(f))
		    eq(t.kill(), 137)
		    t.end()
		    return t, builtin, found
		t, builtin, found = life(root=top + "/root", state_dir=top + "/state", socket_dir=top + "/s")
		name = t.address.rpartition("/")[2]
		eq((builtin, t.address), (True, "unix://" + top + "/s/" + name))
		within(found, "s/" + name)
		within(found, "root/" + NS + "/" + t.id + "/record.json")
		within(found, "state/%s.%d/events" % (name, t.shim))
		eq(os.stat(top + "/s").st_mode & 0o777, 0o700)
		# Which names are the built-in runtime's: the empty one always is.
		t, builtin, found = life(options(binary_name="mine"), builtin_names=["mine"], root=top + "/root", runtime_root=top + "/others")
		eq((builtin, "root/" + NS + "/" + t.id + "/record.json" in found), (True, True))
		t, builtin, found = life(options(binary_name="runc"), builtin_names=["mine"], root=top + "/root", runtime_root=top + "/others")
		eq((builtin, "others/" + NS + "/" + t.id + "/state.json" in found), (False, True))
		eq(life(builtin_names=["mine"], root=top + "/root")[1], True)
		# One that is wrong, or not there, is no reason to go on with others.
		for text, words in (('{"root": 7}', "/root"), ('{"rot": "/x"}', "/rot"), ("{", conf), (None, conf)):
		    os.unlink(conf) if text is None else open(conf, "w").write(text)
		    rc, out, err = Task().command("start", env={"BERTH_SHIM_CONFIG": conf})
		    eq((rc, out), (1, b""))
		    within(err.decode(), words)
		shutil.rmtree(top)
	PY
}

@test "shim: a runtime that is not there" {
	shim <<-'PY'
		t = Task().launch()
		for name in ("/no/such/runtime", "no-such-runtime"):
		    text = t.fails((UNKNOWN, NOT_FOUND), name, "Create", bundle=t.bundle, options=options(binary_name=name))
		t.fails(NOT_FOUND, "not found", "State")
		t.run(options=options())
	PY
}

@test "shim: a runtime that hangs, or whose shim is killed, holds up nobody and is ended" {
	ours_only 'one lock is held while a runtime runs'
	shim <<-'PY'
		pids = IT + "/slow-pids"
		t = Task(group="slow")
		slow = t.script('case " $* " in *" create "*|*" exec "*) echo $$ >>%s; exec sleep 1000;; esac' % pids)
		u = Task(group="slow").run()
		c = t.launch().begin("Create", bundle=t.bundle, options=options(binary_name=slow))
		until(lambda: os.path.exists(pids) and open(pids).read().strip())
		began = time.monotonic()
		eq(u.status(), RUNNING)
		eq(u.exec("x", "true") > 0, True)
		eq(u.kill(), 137)
		u.Delete()
		assert time.monotonic() - began < 30
		t.fails((NOT_FOUND, *STATE_ERROR), "", "Start")
		runtime = int(open(pids).read())
		assert alive(runtime)
		os.kill(t.shim, KILL)
		gone(runtime)
		os.unlink(pids)
	PY
}

@test "shim: an exec that hangs leaves State, Kill and Delete of its own container answering" {
	ours_only 'one lock is held while a runtime runs'
	shim <<-PY
		pids = IT + "/hung-pids"
		t = Task()
		hangs = t.script('case " \$* " in *" exec "*) echo \$\$ >>%s; exec sleep 1000;; esac' % pids, 'exec $PEER "\$@"')
		t.create(options=options(binary_name=hangs)).start()
		t.add("x", "true")
		t.add("y", "true")
		start = t.begin("Start", exec_id="x")
		until(lambda: os.path.exists(pids) and open(pids).read().strip())
		began = time.monotonic()
		eq((t.status(), t.status("x"), t.status("y")), (RUNNING, CREATED, CREATED))
		t.fails(STATE_ERROR, "", "Start", exec_id="x")
		t.fails(PRECONDITION, "process not created", "Kill", exec_id="x", signal=9)
		t.allows(("Pids",), ("Stats",), ("Update", {"resources": limits(pids={"limit": 50})}))
		t.Delete(exec_id="y")
		t.Pause()
		t.Resume()
		eq(t.kill(), 137)
		t.Delete()
		assert time.monotonic() - began < 30, "%.1f s" % (time.monotonic() - began)
		within(start.status()[1], "OCI runtime exec failed: the helper was killed as it did not end")
		gone(int(open(pids).read()))
		EVENTS.wait(t.id, "delete")
		os.unlink(pids)
	PY
}

@test "shim: the pipes belong to io_uid and io_gid, else to the user of the process" {
	shim <<-'PY'
		def user(c):
		    c["process"]["user"] = {"uid": 1000, "gid": 2000}
		show = "stat -Lc '%u %g' /proc/self/fd/1; echo x >/proc/self/fd/2 && echo writable"
		t = Task("sh", "-c", show, config=user, group="io")
		o, e = t.out("stdout"), t.out("stderr")
		t.run(options=options(io_uid=1000, io_gid=6))
		t.Wait()
		o.wait(b"1000 6\nwritable\n")
		t = Task("sh", "-c", show, config=user, group="io")
		o, e = t.out("stdout"), t.out("stderr")
		t.run()
		t.Wait()
		o.wait(b"1000 0\nwritable\n")
	PY
}

# bats test_tags=nosan
@test "shim: nothing is executed to make a container, nothing forked to answer from memory, no stream read" {
	ours_only 'it executes runc'
	it_need strace
	shim <<-'PY'
		t = Task("cat")
		i, o = t.inp(), t.out("stdout")
		t.launch()
		ours = [t.shim] + children(t.shim) # what is forked for the Create
		tracer = subprocess.Popen(["strace", "-ff", "-qq", "-o", IT + "/trace", "-p", ",".join(str(p) for p in ours), "-e",
		    "trace=execve,execveat,fork,vfork,clone,clone3,read,write,readv,writev,splice,tee"])
		until(lambda: all("TracerPid:\t0" not in open("/proc/%d/status" % p).read() for p in ours))
		def lines(*words, of="*"): # of a process, or of all
		    return [l for f in glob.glob(IT + "/trace.%s" % of) for l in open(f) if l.startswith(words)]
		t.run()
		t.exec("x", "sh", "-c", "exit 3")
		t.Wait(exec_id="x")
		t.Delete(exec_id="x")
		eq(sorted(os.path.basename(l.split('"')[1]) for l in lines("execve(", "execveat(") if l.rstrip().endswith("= 0")), ["cat", "sh"])
		before = len(lines("fork(", "vfork(", "clone(", "clone3("))
		assert before >= 3, before
		waits = [t.begin("Wait") for _ in range(20)]
		for _ in range(20):
		    t.State()
		    t.Connect()
		    t.Kill(signal=0)
		    t.ResizePty(width=80, height=24)
		    t.fails(STATE_ERROR, "", "Start")
		i.write(b"unmistakable " * 3000)
		o.wait(39000)
		i.vanish()
		t.CloseIO(stdin=True)
		eq({w.result().exit_status for w in waits}, {0})
		eq(len(lines("fork(", "vfork(", "clone(", "clone3(")), before)
		assert lines("splice(", of=t.shim)
		eq([l for l in lines("read", "write", of=t.shim) if "unmistakable" in l], [])
		assert lines("read(0, \"unmistakable") # by cat
		t.Delete()
		tracer.terminate()
		tracer.wait()
		for f in glob.glob(IT + "/trace.*"):
		    os.unlink(f)
	PY
}

# ---- the rest ---------------------------------------------------------------

@test "shim: Connect tells who the shim is" {
	shim <<-'PY'
		t = Task().run()
		c = t.Connect()
		eq(c.task_pid, t.pid)
		assert os.path.samestat(os.stat("/proc/%d/exe" % c.shim_pid), os.stat(SHIM))
		assert ppid(t.pid) == c.shim_pid or not OURS
	PY
}

@test "shim: Shutdown does nothing while there is a container, then ends the shim" {
	shim <<-'PY'
		t = Task().run()
		t.Shutdown()
		eq(t.status(), RUNNING)
		t.kill()
		t.Shutdown()
		eq(t.status(), STOPPED)
		t.Delete()
		try:
		    t.Shutdown()
		except Lost:
		    pass
		gone(t.shim)
		assert not os.path.exists(t.address.removeprefix("unix://"))
	PY
}

@test "shim: Checkpoint and the calls of sandboxes say that they are not implemented" {
	ours_only 'it has Checkpoint'
	shim <<-'PY'
		t = Task().run()
		within(t.fails(UNIMPLEMENTED, "not implemented", "Checkpoint", path=IT + "/checkpoint"), "heckpoint")
		for method in ("CreateSandbox", "StartSandbox", "Platform", "StopSandbox", "WaitSandbox", "SandboxStatus",
		        "PingSandbox", "ShutdownSandbox", "SandboxMetrics"):
		    code, text = t.conn.begin("containerd.runtime.sandbox.v1.Sandbox", method, b"", wellknown_pb2.Empty).status()
		    eq(code, UNIMPLEMENTED)
		eq(t.status(), RUNNING)
	PY
}

@test "shim: calls for an unknown container leave the known one alone" {
	shim <<-'PY'
		t = Task().run()
		for method, fields in {"State": {}, "Start": {}, "Delete": {}, "Kill": {"signal": 9, "all": True}, "Pause": {},
		        "Pids": {}, "Wait": {}, "Exec": {"exec_id": "x", "spec": program("true")}}.items():
		    t.fails(NOT_FOUND, "not found", method, id="somebody-else", **fields)
		eq(t.status(), RUNNING)
	PY
}

@test "shim: a call without the namespace is for the one of the shim" {
	shim <<-'PY'
		t = Task().launch()
		t.conn.metadata = []
		t.run()
		eq(t.kill(), 137)
		eq(EVENTS.wait(t.id, "exit").namespace, NS)
	PY
}
