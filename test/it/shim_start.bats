#!/usr/bin/env bats
# shim_start.bats: the shim's program as a daemon runs it: `start` and what it
# starts, groups, dead sockets, and `delete` after the shim was killed.
# bats file_tags=long

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

# ---- start ------------------------------------------------------------------

@test "shim: start prints the plain address and nothing else" {
	shim <<-'PY'
		import hashlib, re, stat
		t = Task().launch()
		assert re.fullmatch("unix:///run/containerd/s/[0-9a-f]{64}", t.address), t.address
		path = t.address.removeprefix("unix://")
		within(path, hashlib.sha256(("%s/%s/%s" % (EVENTS.path, NS, t.id)).encode()).hexdigest())
		s = os.stat(path)
		assert stat.S_ISSOCK(s.st_mode) and not s.st_mode & 0o077, oct(s.st_mode)
		assert not os.stat("/run/containerd/s").st_mode & 0o066
		eq(open(t.bundle + "/address").read(), t.address)
	PY
}

@test "shim: what start leaves running is one process of its own, and a subreaper" {
	shim <<-'PY'
		before = set(processes())
		t = Task().launch()
		now = {p for n, p in processes().items() if n not in before}
		eq(now, {t.shim} | set(children(t.shim)))
		assert len(now) <= 2, now
		p = "/proc/%d/" % t.shim
		assert os.getpgid(t.shim) != os.getpgid(0)
		assert os.path.realpath(p + "cwd") in ("/", t.bundle)
		# It holds nothing of the one who started it.
		fds_ = [os.readlink(f) for f in glob.glob(p + "fd/*")]
		assert not any(f == os.readlink("/proc/self/fd/1") for f in fds_ if f != "/dev/null"), fds_
		t.run()
		eq(ppid(t.pid), t.shim) # although it was made by another process
		score = lambda p: int(open("/proc/%d/oom_score_adj" % p).read())
		eq(score(t.shim), min(score(os.getpid()) + 1, 1000))
	PY
}

@test "shim: one whose bundle went before anybody came ends by itself, and no other" {
	ours_only 'it stays'
	shim <<-'PY'
		import shutil
		kept, held, lost = Task().launch(), Task().launch(), Task().launch()
		for t in kept, lost:
		    t.conn.close()
		for t in held, lost:
		    shutil.rmtree(t.bundle)
		gone(lost.shim, 60)
		until(lambda: not os.path.exists(lost.address.removeprefix("unix://")), 5)
		# They were there before it.
		eq(sorted(os.path.exists("/proc/%d" % t.shim) for t in (kept, held)), [True, True])
		kept.connect()
		for t in kept, held:
		    t.Shutdown(id=t.id)
		    gone(t.shim)
	PY
}

@test "shim: the first Create is the work of a process that waits for it, for ten seconds" {
	ours_only 'it forks none'
	shim <<-'PY'
		late = Task().launch() # connected, so it has been forked
		first, = children(late.shim)
		began = time.monotonic()

		t = Task().launch()
		waits, = children(t.shim)
		held = lambda: sorted(int(n) for n in os.listdir("/proc/%d/fd" % waits))
		until(lambda: held() == [0, 1, 2, 3, 4], say="it holds %s" % held()) # 3: its job, 4: the log
		t.create()
		until(lambda: children(t.shim) == [t.pid])
		t.start()

		t = Task().launch() # one that is killed is missed by nobody
		waits, = children(t.shim)
		os.kill(waits, KILL)
		gone(waits)
		t.run()
		until(lambda: children(t.shim) == [t.pid])

		t = Task().launch()
		waits, = children(t.shim)
		os.kill(t.shim, KILL)
		gone(waits)

		t = Task().launch()
		waits, = children(t.shim)
		t.end()
		gone(waits)

		until(lambda: not children(late.shim), 30, "it waits for ever")
		assert 5 < time.monotonic() - began, time.monotonic() - began
		assert not alive(first)
		late.run()
	PY
}

# bats test_tags=nosan
@test "shim: the shim is single-threaded and small" {
	ours_only 'it has eleven threads and some megabytes'
	shim <<-'PY'
		t = Task().run()
		t.exec("x", "true")
		t.Wait(exec_id="x")
		t.Delete(exec_id="x")
		def status(key):
		    with open("/proc/%d/status" % t.shim) as f:
		        return next(l.split()[1] for l in f if l.startswith(key))
		eq(status("Threads"), "1")
		before = fds(t.shim)
		assert before <= 10, os.listdir("/proc/%d/fd" % t.shim)
		ends = [t.inp("y-stdin"), t.out("y-stdout"), t.out("y-stderr")]
		t.exec("y", "sleep", "1000", **dict(zip(("stdin", "stdout", "stderr"), (e.path for e in ends))))
		assert fds(t.shim) <= before + 7, os.listdir("/proc/%d/fd" % t.shim)
		with open("/proc/%d/smaps_rollup" % t.shim) as f:
		    dirty = next(int(l.split()[1]) for l in f if l.startswith("Anonymous"))
		assert dirty <= 100, "%d KiB" % dirty # with a slack: bench measures it
	PY
}

@test "shim: start again for the same id is the same shim" {
	shim <<-'PY'
		t = Task().run()
		rc, out, err = t.command("start")
		eq((rc, out.decode()), (0, t.address))
		eq(t.Connect().shim_pid, t.shim)
		eq(t.status(), RUNNING)
	PY
}

@test "shim: a shim for each group" {
	shim <<-'PY'
		group, pod = "io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"
		a = Task(group={group: "g1"}).launch()
		b = Task(group={pod: "g1"}).launch() # the same, by the other name
		c = Task(group={group: "g1", pod: "g2"}).launch() # the first one counts
		d = Task(group={pod: "g2"}).launch()
		e = Task().launch()
		eq((b.address, c.address, b.shim, c.shim), (a.address, a.address, a.shim, a.shim))
		assert len({a.shim, d.shim, e.shim}) == 3 and len({a.address, d.address, e.address}) == 3
		for t in (a, b, c, d, e):
		    eq(open(t.bundle + "/address").read(), t.address)
		for t in (a, b, c):
		    t.run()
		eq(len({a.pid, b.pid, c.pid}), 3)
		x = a.exec("x", "sleep", "100")
		b.fails(NOT_FOUND, "process does not exist x", "State", exec_id="x")
		eq(b.kill(), 137)
		b.Delete()
		b.Shutdown() # not while the others are there
		eq((a.status(), c.status(), a.status("x"), alive(a.shim)), (RUNNING, RUNNING, RUNNING, True))
		b.fails(NOT_FOUND, "not found", "State")
		EVENTS.wait(b.id, "delete")
		eq([s.split()[0] for s in EVENTS.said(c.id)], ["create", "start"])
	PY
}

@test "shim: starts at the same time for a group give one shim" {
	shim <<-'PY'
		tasks = [Task(group="together") for _ in range(6)]
		threads = [threading.Thread(target=t.launch) for t in tasks]
		for x in threads:
		    x.start()
		for x in threads:
		    x.join()
		eq(len({t.address for t in tasks}), 1)
		eq(len({t.shim for t in tasks}), 1)
		one = tasks[0].shim
		eq(len([n for n, p in processes().items() if os.path.basename(SHIM) in n and ppid(p) != one]), 1)
	PY
}

@test "shim: the socket of a shim that died is replaced" {
	shim <<-'PY'
		t = Task().launch()
		os.kill(t.shim, KILL)
		gone(t.shim)
		path = t.address.removeprefix("unix://")
		assert os.path.exists(path)
		old, pid = os.stat(path).st_ino, t.shim
		t.conn = None
		t.launch(read_log=False)
		eq(t.address.removeprefix("unix://"), path)
		assert t.shim != pid and os.stat(path).st_ino != old
		t.run()
		eq(t.kill(), 137)
	PY
}

@test "shim: shim_cgroup, in every hierarchy" {
	shim <<-'PY'
		own = IT_CG + "/the-shim"
		dirs = [m.split()[4] + own for m in mountinfo() if " - cgroup " in m]
		for d in dirs:
		    os.makedirs(d)
		    for f in ("cpuset.cpus", "cpuset.mems"):
		        if os.path.exists(d + "/" + f):
		            for p in (os.path.dirname(d), d):
		                open(p + "/" + f, "w").write(open(os.path.dirname(p) + "/" + f).read())
		t = Task().launch(options(shim_cgroup=own))
		for d in dirs:
		    within(open(d + "/cgroup.procs").read().split(), str(t.shim))
		t.run()
		assert own not in open("/proc/%d/cgroup" % t.pid).read() # the container is where it says itself
		t.end()
		for d in dirs:
		    until(lambda: not open(d + "/cgroup.procs").read().strip())
		    os.rmdir(d)
	PY
}

# bats test_tags=nosan
@test "shim: SCHED_CORE gives it a cookie for core scheduling before the server begins, or start fails" {
	ours_only 'of its many calls of prctl strace cannot answer one'
	it_need strace
	shim <<-'PY'
		trace = IT + "/trace"
		def answered(result):
		    # The same on every kernel: the first prctl of `start` is answered for it. The server is not followed.
		    return ["strace", "-qq", "-o", trace, "-e", "trace=prctl,fork,clone", "-e", "inject=prctl:%s:when=1" % result]
		env = {"SCHED_CORE": "1"}
		t = Task()
		for error, words in ("ENODEV", b"no such device"), ("EINVAL", b"invalid argument"): # no SMT; a kernel without it
		    rc, out, err = t.command("start", env=env, under=answered("error=" + error))
		    eq((rc, out), (1, b""))
		    within(err, b"SCHED_CORE: give the shim a cookie for core scheduling: " + words)
		    eq([n for n in processes() if os.path.basename(SHIM) in n], [])
		    eq(os.listdir("/run/containerd/s"), [])
		t.launch(env=env, under=answered("retval=0"))
		first, then = open(trace).read().splitlines()
		within(first, "prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0x1 /* PIDTYPE_TGID */, ")
		assert then.startswith(("fork(", "clone(")), then # the server inherits it, and all that it starts
		t.run()
		u = Task().launch(under=answered("retval=0"))
		assert "prctl" not in open(trace).read()
		os.unlink(trace)
	PY
}

@test "shim: options that are wrong make start fail and leave no shim" {
	shim <<-'PY'
		t = Task()
		# One that the peer does not know it refuses too, but its shim stays.
		for wrong in (options(shim_cgroup=IT_CG + "/no-such-cgroup"),) + ((any_of("no.such.Type", b"x"),) if OURS else ()):
		    rc, out, err = t.command("start", stdin=wrong.SerializeToString())
		    assert rc != 0 and (out + err), (rc, out, err)
		until(lambda: not [n for n in processes() if os.path.basename(SHIM) in n], 30, "a shim stays")
		t.launch()
	PY
}

@test "shim: the namespace's and the id's flags are needed, and unknown ones refused" {
	shim <<-'PY'
		def run(*args, cwd=IT):
		    p = subprocess.run([SHIM, *args], cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False,
		        env={"PATH": os.environ["PATH"], "TTRPC_ADDRESS": EVENTS.path + ".ttrpc"})
		    return p.returncode, p.stdout + p.stderr
		t = Task()
		for args in (["-id", t.id, "-address", "/a", "start"], ["-namespace", NS, "-address", "/a", "-no-such-flag", "start"]):
		    rc, text = run(*args, cwd=t.bundle)
		    assert rc != 0 and text, (args, rc, text)
		rc, text = run("-v")
		eq(rc, 0)
		within(text.decode(), os.path.basename(SHIM))
		eq([n for n in processes() if os.path.basename(SHIM) in n], [])
	PY
}

@test "shim: -info is what the runtime is" {
	ours_only '1.6 has no -info'
	shim <<-'PY'
		import introspection_pb2
		p = subprocess.run([SHIM, "-info"], input=options(binary_name="berth").SerializeToString(), capture_output=True,
		    timeout=10, check=False)
		eq((p.returncode, p.stderr), (0, b""))
		info = introspection_pb2.RuntimeInfo.FromString(p.stdout)
		eq(info.name, "io.containerd.berth.v2")
		assert info.version.version
		within(json.loads(info.features.value), "mountOptions")
		eq(info.options.type_url, "containerd.runc.v1.Options")
	PY
}

@test "shim: start as containerd 2.3 does it" {
	ours_only 'it came later'
	shim <<-'PY'
		import bootstrap_pb2
		t = Task()
		p = bootstrap_pb2.BootstrapParams(instance_id=t.id, namespace=NS, containerd_ttrpc_address=EVENTS.path + ".ttrpc",
		    containerd_grpc_address=EVENTS.path, containerd_version="2.3.0")
		threading.Thread(target=t._read_log, args=(os.dup(t.log_fd),), daemon=True).start()
		rc, out, err = t.command("start", stdin=p.SerializeToString())
		eq((rc, err), (0, b""))
		within(out, b"unix:///run/containerd/s/")
		t.address = "unix:///run/containerd/s/" + out.split(b"/s/")[1][:64].decode()
		t.connect()
		t.service = V3
		t.run()
		eq(t.kill(), 137)
	PY
}

@test "shim: the log FIFO: something in it, nobody at it, or none" {
	shim <<-'PY'
		t = Task("no-such-program").launch()
		t.fails(UNKNOWN, "no-such-program", "Create", bundle=t.bundle)
		u = Task() # nobody reads it, and it is full
		os.set_blocking(u.log_fd, False)
		try:
		    while True:
		        os.write(u.log_fd, b"x" * 65536)
		except BlockingIOError:
		    pass
		if OURS: # the peer waits
		    u.launch(read_log=False, timeout=30).run()
		    u.fails((UNKNOWN, NOT_FOUND), "", "Create", bundle=u.bundle + "/no", id="other") # logged
		    eq(u.kill(), 137)
		    u.end()
		    v = Task()
		    os.unlink(v.bundle + "/log")
		    v.launch(read_log=False, timeout=30).run()
		    eq(v.kill(), 137)
	PY
}

@test "shim: SIGTERM and SIGINT do not end it, nor does a client that goes" {
	shim <<-'PY'
		t = Task().run()
		for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
		    if s == signal.SIGPIPE or OURS: # the others end the peer
		        os.kill(t.shim, s)
		t.conn.close()
		time.sleep(0.2)
		t.connect()
		eq(t.status(), RUNNING)
	PY
}

# ---- delete -----------------------------------------------------------------

@test "shim: after kill -9 of the shim, delete kills the container and leaves nothing" {
	shim <<-'PY'
		t = Task("sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000")
		o = t.out("stdout")
		t.run()
		x = t.exec("x", "sleep", "1000")
		pids = [p.pid for p in t.Pids().processes]
		os.kill(t.shim, KILL)
		gone(t.shim)
		before = time.time()
		d = t.binary_delete()
		eq(d.exit_status, 137)
		if OURS: # the peer of 1.6 says 0, which dockerd ignores
		    eq(d.pid, t.pid)
		assert before - 1 <= d.exited_at.seconds <= time.time() + 1
		for p in pids:
		    gone(p)
		eq(t.cgroup_dirs(), [])
		t.binary_delete() # once more
		eq([m for m in mountinfo() if t.bundle in m], [])
	PY
}

@test "shim: delete in every state of the container" {
	shim <<-'PY'
		for state in ("created", "paused", "stopped"):
		    t = Task("sh", "-c", "exit 3") if state == "stopped" else Task()
		    t.create()
		    if state != "created":
		        t.start()
		    if state == "paused":
		        t.Pause()
		    if state == "stopped":
		        t.Wait()
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    # The true end where it is known.
		    eq((state, t.binary_delete().exit_status), (state, 3 if state == "stopped" and OURS else 137))
		    gone(t.pid)
		    eq(t.cgroup_dirs(), [])
	PY
}

@test "shim: delete after a task that was deleted, and before there was one" {
	shim <<-'PY'
		t = Task("sh", "-c", "exit 3").run()
		t.Wait()
		t.Delete()
		try:
		    t.Shutdown()
		except Lost:
		    pass
		gone(t.shim)
		t.binary_delete()
		if OURS: # the peer looks for a file that Create writes
		    u = Task().launch()
		    os.kill(u.shim, KILL)
		    gone(u.shim)
		    u.binary_delete()
		    v = Task() # not even started
		    v.binary_delete()
	PY
}

@test "shim: delete of one container of a group whose shim is alive leaves the others" {
	shim <<-'PY'
		t, u = Task(group="pod").run(), Task(group="pod").run()
		eq(t.kill(), 137)
		t.Delete()
		t.binary_delete()
		eq((u.status(), alive(u.pid), alive(u.shim)), (RUNNING, True, True))
	PY
}

@test "shim: kill -9 of the shim while it creates, execs or deletes leaves nothing after delete" {
	ours_only 'the runtime that it started goes on'
	shim <<-'PY'
		def hooked(kind): # hangs the first time
		    def change(c):
		        seen = IT + "/hook-" + kind
		        script = "[ -e %s ] || { echo >%s; exec sleep 1000; }" % (seen, seen)
		        c["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
		    return change
		for kind in ("createRuntime", "poststart", "poststop"):
		    t = Task(config=hooked(kind)).launch()
		    if kind == "createRuntime":
		        t.begin("Create", bundle=t.bundle)
		    else:
		        t.create()
		        if kind == "poststart":
		            t.begin("Start")
		        else:
		            t.start().kill()
		            t.begin("Delete")
		    until(lambda: os.path.exists(IT + "/hook-" + kind))
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    t.created = False
		    t.binary_delete(timeout=8)
		    eq(t.cgroup_dirs(), [])
		    until(lambda: not [n for n in processes() if n.endswith("sleep 1000")], 30, "%s: %s" % (kind, list(processes())))
		    os.unlink(IT + "/hook-" + kind)
	PY
}

@test "shim: a hook that hangs holds up nobody else" {
	ours_only 'one lock is held while a runtime runs'
	shim <<-'PY'
		def hooked(c):
		    c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 8}]}
		u = Task(group="hang").run()
		t = Task(group="hang", config=hooked).launch()
		c = t.begin("Create", bundle=t.bundle)
		until(lambda: [p for p in processes() if p.endswith(" sleep 1000") and p.split()[1] != str(u.pid)])
		eq(u.status(), RUNNING)
		u.exec("x", "true")
		eq(u.Wait(exec_id="x").exit_status, 0)
		t.fails((NOT_FOUND, *STATE_ERROR), "", "Kill", signal=9)
		eq(u.kill(), 137)
		u.Delete()
		assert not c.done.is_set()
		within((UNKNOWN, DEADLINE), c.status()[0])
		t.fails(NOT_FOUND, "not found", "State")
		eq(t.cgroup_dirs(), [])
	PY
}

@test "shim: a hook that hangs leaves State, Kill and Delete of its own container answering" {
	ours_only 'one lock is held while a runtime runs'
	shim <<-'PY'
		def hooked(c):
		    c["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo >%s/hangs; exec sleep 1000" % IT]}]}
		t = Task(config=hooked).create()
		start = t.begin("Start")
		until(lambda: os.path.exists(IT + "/hangs"))
		began = time.monotonic()
		assert t.status() in (CREATED, RUNNING)
		t.fails(STATE_ERROR, "", "Start")
		eq(len(t.Pids().processes), 1)
		eq(t.kill(), 137)
		eq((t.status(), start.status()[0]), (STOPPED, UNKNOWN))
		t.Delete()
		assert time.monotonic() - began < 30, "%.1f s" % (time.monotonic() - began)
		EVENTS.wait(t.id, "delete")
		eq([s.split()[0] for s in EVENTS.said(t.id)], ["create", "exit", "delete"])
		os.unlink(IT + "/hangs")
	PY
}

@test "shim: how a task in the same bundle ended before is not said of the next" {
	ours_only 'it keeps no record'
	shim <<-'PY'
		t = Task("sh", "-c", "[ -e /tmp/second ] && exec sleep 1000; touch /tmp/second; exit 3", mounts=[bind(IT_OUT + "/rootfs")])
		t.run()
		eq(t.Wait().exit_status, 3)
		t.Delete()
		t.run()
		os.kill(t.shim, KILL)
		gone(t.shim)
		eq(t.binary_delete().exit_status, 137)
		os.unlink(IT_OUT + "/rootfs/tmp/second")
	PY
}

@test "shim: a runtime that is not there any more: its container is killed and removed all the same" {
	ours_only 'it says so, and leaves the container'
	shim <<-PY
		import json
		roots = IT + "/roots"
		def left(t):
		    return t.cgroup_dirs(), glob.glob(roots + "/" + NS + "/" + t.id)
		for real in ("$PEER", "$(command -v crun)"):
		    for shared in (False, True):
		        def pids(c):
		            c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if not shared or n["type"] != "pid"]
		        t = Task("sh", "-c", "trap '' TERM; sleep 1001 & sleep 1002; true", config=pids)
		        runtime = t.script('exec %s "\$@"' % real)
		        t.create(options=options(binary_name=runtime, root=roots)).start()
		        t.exec("x", "sleep", "1003")
		        until(lambda: len(t.Pids().processes) == 4)
		        every = [p.pid for p in t.Pids().processes]
		        t.Pause() # what is frozen has to be killed, too
		        os.kill(t.shim, KILL)
		        gone(t.shim)
		        os.unlink(runtime)
		        eq(t.binary_delete().exit_status, 137)
		        for p in every:
		            gone(p)
		        eq(left(t), ([], []))
		        # And where the shim is there, and the container has ended.
		        t = Task("sh", "-c", "exit 3")
		        runtime = t.script('exec %s "\$@"' % real)
		        t.create(options=options(binary_name=runtime, root=roots)).start()
		        t.Wait()
		        os.unlink(runtime)
		        eq(t.Delete().exit_status, 3)
		        eq(left(t), ([], []))
		# Of a runtime that made no cgroup nothing is touched: it would be the shim's own.
		t = Task()
		runtime = t.script('exec $(command -v crun) --cgroup-manager=disabled "\$@"')
		t.create(options=options(binary_name=runtime, root=roots)).start()
		t.fails(NOT_FOUND, "cgroup does not exist", "Stats")
		os.kill(t.shim, KILL)
		gone(t.shim)
		os.rename(runtime, runtime + "-away")
		rc, out, err = t.command("-bundle", t.bundle, "delete")
		eq((rc, alive(t.pid)), (0, True))
		within(err, b"is left to itself")
		os.rename(runtime + "-away", runtime)
		eq(t.binary_delete().exit_status, 137)
		gone(t.pid)
		shutil.rmtree(roots)
	PY
}
