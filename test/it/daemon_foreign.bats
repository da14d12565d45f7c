#!/usr/bin/env bats
# daemon_foreign.bats: tasks under a shim that is not ours, containerd's own in Go, as
# the setting `shims` says. What is expected was learnt from containerd:
#
#   BERTHD=/usr/bin/containerd bats test/it/daemon_foreign.bats

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() {
	it_need containerd-shim-runc-v2 runc ctr
	export SHIMS='{"io.containerd.runc.v2": "containerd-shim-runc-v2"}'
	daemon_up
}
teardown_file() { daemon_down; }

# The tests' common words.
foreign() {
	{
		cat <<-'PY'
			def socket_of(t):
			    with open(bundle(t) + "/address") as f:
			        return f.read().strip()[len("unix://"):]
			def bundle(t):
			    return IT + ("/d/state/it/" if OURS else "/d/state/io.containerd.runtime.v2.task/it/") + t.id
			def gone(t):
			    until(lambda: not shims(t), 30, "the shim is left")
			    until(lambda: not os.path.exists(bundle(t)), 30, "the bundle is left")
			    assert not os.path.exists("/run/containerd/runc/it/" + t.id), "the runtime's state is left"
			ON = "topic~=|^/tasks/|"
		PY
		cat
	} | daemon
}

@test "foreign shim: a life: create, start, exec, pause, resume, kill, wait, delete, and its events" {
	foreign <<-'PY'
		ev = Events_(ON)
		t = Task().create()
		s, where = shim(t), socket_of(t)
		eq(t.status(), CREATED)
		eq(t.Start().pid, t.pid)
		eq([(x.id, x.status, x.pid) for x in Tasks.List().tasks], [(t.id, RUNNING, t.pid)])
		t.Exec(exec_id="x", spec=program("sh", "-c", "exit 7"))
		x = t.Start(exec_id="x").pid
		eq(t.Wait(exec_id="x").exit_status, 7)
		d = t.DeleteProcess(exec_id="x")
		eq((d.id, d.pid, d.exit_status), ("x", x, 7))
		t.Pause()
		eq(t.status(), PAUSED)
		eq([x.status for x in Tasks.List().tasks], [PAUSED])
		t.Resume()
		eq([x.status for x in Tasks.List().tasks], [RUNNING])
		assert t.pid in [q.pid for q in t.ListPids().processes]
		eq([q.id for q in Tasks.Metrics(filters=["id==" + t.id]).metrics], [t.id])
		later = t.Wait(later=True)
		eq(t.kill(), 137)
		eq(later.result().exit_status, 137)
		eq(t.status(), STOPPED)
		for topic in "create start exec-added exec-started exit paused resumed exit".split():
		    e = ev.next()
		    eq((e.topic, e.namespace), ("/tasks/" + topic, NS))
		m = events_pb2.TaskExit.FromString(e.event.value)
		eq((m.container_id, m.id, m.pid, m.exit_status), (t.id, t.id, t.pid, 137))
		p = Tasks.List().tasks[0]
		eq((p.status, p.exit_status, p.exited_at.seconds), (STOPPED, 137, m.exited_at.seconds))
		d = t.Delete()
		eq((d.pid, d.exit_status), (t.pid, 137))
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=t.id, pid=t.pid, exit_status=137)
		ev.nothing()
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		gone(t)
		assert not os.path.exists(where), "its socket is left"
		eq(len(Tasks.List().tasks), 0)
		t.run()
		eq(t.kill(), 137)
		t.remove()
	PY
}

@test "foreign shim: streams, exit codes, fast exits" {
	foreign <<-'PY'
		ev = Events_(ON)
		out = IT + "/out"
		os.mkfifo(out)
		fd = os.open(out, os.O_RDONLY | os.O_NONBLOCK) # it waits for a reader
		t = Task("sh", "-c", "echo said; exit 3").create(stdout=out, stderr=out)
		os.set_blocking(fd, True)
		eq(Tasks.List().tasks[0].stdout, out)
		t.Start()
		eq(os.read(fd, 100), b"said\n")
		eq(t.Wait().exit_status, 3)
		t.remove()
		os.close(fd)
		os.remove(out)
		for n in range(4):
		    t = Task("true").run()
		    eq(t.Wait().exit_status, 0)
		    t.remove()
		for n in range(5):
		    eq([ev.next().topic for _ in range(4)], ["/tasks/" + x for x in "create start exit delete".split()])
		ev.nothing()
	PY
}

@test "foreign shim: its log is read" {
	foreign <<-'PY'
		t = Task().run()
		with open(bundle(t) + "/log", "wb", buffering=0) as f:
		    os.set_blocking(f.fileno(), False)
		    done = 0
		    def write():
		        global done
		        try:
		            done += f.write(b"x" * 4096)
		        except BlockingIOError:
		            time.sleep(0.01)
		        return done > 1 << 20
		    until(write, 30, "nobody reads it")
		DAEMON.stop(signal.SIGKILL)
		DAEMON.start()
		eq(t.status(), RUNNING)
		with open(bundle(t) + "/log", "wb", buffering=0) as f:
		    os.set_blocking(f.fileno(), False)
		    done = 0
		    until(write, 30, "nobody reads it after a restart")
		t.kill()
		t.remove()
	PY
}

@test "foreign shim: after kill -9 of the daemon all is as it was, and what happened meanwhile is told" {
	foreign <<-'PY'
		runs, ends, created = Task().run(), Task("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.01; done").run(), Task().create()
		pids = [shim(t) for t in (runs, ends, created)]
		trapped(ends.pid, signal.SIGTERM)
		DAEMON.stop(signal.SIGKILL)
		os.kill(ends.pid, signal.SIGTERM)
		until(lambda: not os.path.exists("/proc/%d" % ends.pid))
		time.sleep(0.8) # its shim knows
		DAEMON.start()
		ev = Events_(ON)
		eq((runs.status(), ends.status(), created.status()), (RUNNING, STOPPED, CREATED))
		eq([shim(t) for t in (runs, ends, created)], pids)
		until(lambda: {x.id: (x.status, x.exit_status, x.pid) for x in Tasks.List().tasks} ==
		      {runs.id: (RUNNING, 0, runs.pid), ends.id: (STOPPED, 5, ends.pid),
		       created.id: (CREATED, 0, created.pid)}, 30, "the list is wrong")
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=ends.id, exit_status=5, pid=ends.pid)
		# The shim tries again to tell it: this time nobody is to hear.
		time.sleep(4)
		ev.nothing()
		eq(ends.Wait().exit_status, 5)
		created.Start()
		ev.expect("/tasks/start", events_pb2.TaskStart, container_id=created.id, pid=created.pid)
		runs.Exec(exec_id="x", spec=program("true"))
		runs.Start(exec_id="x")
		eq(runs.Wait(exec_id="x").exit_status, 0)
		runs.DeleteProcess(exec_id="x")
		for topic in "exec-added exec-started exit".split():
		    eq(ev.next().topic, "/tasks/" + topic)
		for t in (runs, created):
		    later = t.Wait(later=True)
		    t.Kill(signal=9)
		    eq(later.result().exit_status, 137)
		    ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id, exit_status=137, pid=t.pid)
		for t in (runs, ends, created):
		    t.remove()
		    ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=t.id, pid=t.pid)
		    gone(t)
		ev.nothing()
		DAEMON.stop()
		DAEMON.start()
		ev = Events_(ON)
		time.sleep(0.5)
		ev.nothing()
	PY
}

@test "foreign shim: it dies, with the daemon or without it" {
	foreign <<-'PY'
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		a, b, d = Task().run(), Task().run(), Task().run()
		where = socket_of(a), socket_of(b), socket_of(d)
		later = a.Wait(later=True)
		os.kill(shim(a), 9)
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=a.id, id=a.id, exit_status=137, pid=a.pid)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=a.id, exit_status=137, pid=a.pid)
		fails(NOT_FOUND, "task %s not found" % a.id, a.Get)
		assert later.exception(10), "Wait has an answer"
		assert not os.path.exists("/proc/%d" % a.pid), "its process is left"
		gone(a)
		if OURS: # whose delete says 0 without a pid file
		    c = Task().run()
		    os.unlink(bundle(c) + "/init.pid")
		    os.kill(shim(c), 9)
		    exit = ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=c.id, pid=c.pid)
		    delete = ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=c.id, pid=c.pid)
		    eq(exit.exited_at, delete.exited_at)
		    gone(c)
		DAEMON.stop(signal.SIGKILL)
		os.kill(shim(b), 9)
		os.kill(shim(d), 9)
		os.unlink(bundle(d) + "/init.pid")
		DAEMON.start()
		if OURS: # containerd says nothing, and leaves the socket
		    ev = Events_('topic~="^/tasks/(exit|delete)"')
		    told = [ev.next() for _ in range(4)]
		    exits = [events_pb2.TaskExit.FromString(e.event.value) for e in told if e.topic == "/tasks/exit"]
		    deletes = [events_pb2.TaskDelete.FromString(e.event.value) for e in told if e.topic == "/tasks/delete"]
		    for e in exits, deletes: # a daemon that never asked d's shim knows its pid
		        eq({m.container_id: (m.exit_status, m.pid) for m in e}, {b.id: (137, b.pid), d.id: (137, d.pid)})
		    ev.nothing()
		    eq([p for p in where if os.path.exists(p)], [])
		fails(NOT_FOUND, "task %s not found" % b.id, b.Get)
		gone(b)
		gone(d)
		eq(len(Tasks.List().tasks), 0)
		a.run()
		eq(a.kill(), 137)
		a.remove()
		Containers.Delete(id=b.id)
	PY
}

# As of a daemon that is killed between the answer to Create and its record of that.
@test "foreign shim: a pid that is on record nowhere: the shim is asked, and it is kept" {
	[ "$(basename "$BERTHD")" != containerd ] || skip "of the peer: it says nothing of such a task"
	foreign <<-'PY'
		a, b = Task().run(), Task().run()
		DAEMON.stop(signal.SIGKILL)
		for t in a, b:
		    os.unlink(bundle(t) + "/init.pid")
		    with open(bundle(t) + "/engine.json") as f:
		        record = json.load(f)
		    eq(record["foreign"]["pid"], t.pid)
		    record["foreign"]["pid"] = 0
		    with open(bundle(t) + "/engine.json", "w") as f:
		        json.dump(record, f)
		DAEMON.start()
		eq((a.status(), b.status()), (RUNNING, RUNNING))
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		os.kill(shim(a), 9)
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=a.id, pid=a.pid)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=a.id, pid=a.pid)
		# Now nobody is left to be asked.
		until(lambda: json.load(open(bundle(b) + "/engine.json"))["foreign"]["pid"] == b.pid, 30, "it is not kept")
		DAEMON.stop(signal.SIGKILL)
		os.kill(shim(b), 9)
		DAEMON.start()
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=b.id, pid=b.pid)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=b.id, pid=b.pid)
		for t in a, b:
		    gone(t)
	PY
}

@test "foreign shim: several tasks of one shim" {
	foreign <<-'PY'
		def group(c):
		    c["annotations"] = {"io.containerd.runc.v2.group": "pod"}
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		a, b = Task(change=group).run(), Task(change=group).run()
		pid = shim(a)
		eq((shims(b), socket_of(a)), ([], socket_of(b)))
		eq(a.kill(), 137)
		a.remove()
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=a.id)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=a.id)
		ev.nothing()
		eq((shims(a), b.status(), [x.id for x in Tasks.List().tasks]), ([pid], RUNNING, [b.id]))
		eq(b.kill(), 137)
		b.remove()
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=b.id)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=b.id)
		ev.nothing()
		gone(a)
	PY
}

@test "foreign shim: a create that fails, or is given up, leaves nothing and can be repeated" {
	foreign <<-'PY'
		def broken(c):
		    c["process"]["args"] = ["/no/such/program"]
		t = Task(change=broken)
		try:
		    t.Create()
		    raise AssertionError("it is there")
		except grpc.RpcError as e:
		    assert "/no/such/program" in e.details(), e.details()
		gone(t)
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		Containers.Delete(id=t.id)
		t = Task(id=t.id)
		for ms in (1, 5, 20, 40, 60, 80, 120):
		    try:
		        t.Create(timeout=ms / 1000)
		    except grpc.RpcError as e:
		        eq(e.code(), DEADLINE_EXCEEDED)
		        if OURS: # it is undone, or was done already
		            until(lambda: [x.id for x in Tasks.List().tasks] == [t.id] or
		                  not (shims(t) or os.path.exists(bundle(t))), 10, "it is left halfway")
		    try:
		        t.Kill(signal=9)
		        t.Wait()
		        t.Delete()
		    except grpc.RpcError:
		        pass
		    gone(t)
		t.run()
		t.kill()
		t.remove()
	PY
}

@test "foreign shim: which one is said by the configuration, and what is wrong with it" {
	[ "$(basename "$BERTHD")" != containerd ] || skip "of the peer: it finds the program by the name alone"
	foreign <<-'PY'
		t = Task(runtime={"name": "io.containerd.berth.v2"}).run()
		u = Task(runtime={"name": "io.containerd.kata.v2"})
		fails(NOT_FOUND, 'unknown runtime "io.containerd.kata.v2": not found', u.Create)
		DAEMON.stop()
		DAEMON.configure(shims={"io.containerd.kata.v2": "containerd-shim-kata-v2",
		                        "io.containerd.false.v2": "/bin/false", "io.containerd.true.v2": "/bin/true"})
		DAEMON.start()
		eq(t.status(), RUNNING)
		fails(NOT_FOUND, "the shim 'containerd-shim-kata-v2': not in PATH: no such file or directory: not found",
		      u.Create)
		for name, words in ("false", "it ended with status 1"), ("true", "it said no address"):
		    v = Task(runtime={"name": "io.containerd.%s.v2" % name})
		    fails(UNKNOWN, "create task %s: start the shim: %s" % (v.id, words), v.Create)
		    Containers.Delete(id=v.id)
		eq(os.listdir(IT + "/d/state/it"), [t.id])
		DAEMON.stop()
		for bad, words in (([], ": /shims: must be an object"), ({"x": 3}, "/shims/x: must be a string"),
		                   ({"x": ""}, "/shims/x: '' is neither"), ({"x": "a/b"}, "/shims/x: 'a/b' is neither"),
		                   ({"": "y"}, "'' is no name of a runtime"), ({"a/b": "y"}, "'a/b' is no name")):
		    DAEMON.configure(shims=bad)
		    DAEMON.refuses(words)
		DAEMON.configure(shims={})
		DAEMON.start()
		t.kill()
		t.remove()
		Containers.Delete(id=u.id)
	PY
}

@test "foreign shim: other programs see it, and end it" {
	[ "$(basename "$BERTHD")" != containerd ] || skip "of the peer: it has no such programs"
	foreign <<-'PY'
		env = {**os.environ, "BERTH_STATE": IT + "/d/state", "BERTH_NAMESPACE": NS}
		def ctl(*args, code=0):
		    r = subprocess.run([os.environ["BERTH_BUILD"] + "/src/ctl/berthctl", *args], env=env, timeout=60,
		                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
		    eq((r.returncode, r.returncode != code and r.stdout), (code, False))
		    return r.stdout.decode()
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		t = Task().run()
		eq(ctl("list").split()[5:7], [t.id, "Running"])
		ctl("pause", t.id)
		eq(t.status(), PAUSED)
		ctl("resume", t.id)
		within(ctl("exec", t.id, "true", code=1), "held")
		ctl("kill", t.id, "KILL")
		eq(t.Wait().exit_status, 137)
		within(ctl("wait", t.id), "code 137")
		eq(ctl("list").split()[5:7], [t.id, "Stopped"])
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id, exit_status=137, pid=t.pid)
		ctl("rm", t.id)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=t.id, exit_status=137, pid=t.pid)
		ev.nothing()
		gone(t)
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		Containers.Delete(id=t.id)
	PY
}

@test "foreign shim: the daemon is killed in the middle of a create, a start, a delete" {
	[ "$(basename "$BERTHD")" != containerd ] || skip "of the peer: a shim without its container stays"
	foreign <<-'PY'
		def cut(call, ms):
		    later = call(later=True)
		    time.sleep(ms / 1000)
		    DAEMON.stop(signal.SIGKILL)
		    DAEMON.start()
		def end(t):
		    # What is there is true, and can be ended; a call for it waits until it has been looked at.
		    try:
		        if t.status() in (CREATED, RUNNING):
		            t.Kill(signal=9)
		            until(lambda: t.status() == STOPPED, 30, "it does not end")
		        t.Delete()
		    except grpc.RpcError as e:
		        eq((e.code(), e.details()), (NOT_FOUND, "task %s not found" % t.id))
		    gone(t)
		    t.create()
		    t.Start()
		    t.kill()
		    t.remove()
		    gone(t)
		for ms in (2, 15, 30, 45, 60, 80, 100, 120):
		    t = Task()
		    cut(t.Create, ms)
		    end(t)
		for ms in (0, 5, 10, 20):
		    t = Task().create()
		    cut(t.Start, ms)
		    end(t)
		for ms in (0, 5, 10, 20, 30, 40):
		    t = Task().run()
		    t.kill()
		    cut(t.Delete, ms)
		    end(t)
	PY
}

@test "foreign shim: ctr --runtime io.containerd.runc.v2" {
	foreign <<-'PY'
		def ctr(*args, code=0):
		    r = subprocess.run(["ctr", "-a", DAEMON.address, "-n", NS, *args], timeout=60, stdin=subprocess.DEVNULL,
		                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
		    eq((r.returncode, r.returncode != code and r.stdout), (code, False))
		    return r.stdout.decode()
		def run(*args, **more):
		    return ctr("run", "--runtime", "io.containerd.runc.v2", "--cgroup", os.environ["IT_CG"] + "/c",
			               "--env", "PATH=/bin", *args, **more)
		root = IT_OUT + "/rootfs"
		within(ctr("containers", "ls"), "CONTAINER")
		eq(run("--rm", "--rootfs", root, "c", "sh", "-c", "echo out; exit 3", code=3), "out\n")
		eq(ctr("containers", "ls", "-q"), "")
		run("-d", "--rootfs", root, "c", "sleep", "1000")
		eq(ctr("tasks", "ls").split()[3::2], ["c", "RUNNING"])
		eq(ctr("tasks", "exec", "--exec-id", "x", "c", "echo", "hi"), "hi\n")
		ctr("tasks", "exec", "--exec-id", "y", "c", "sh", "-c", "exit 4", code=4)
		ctr("tasks", "pause", "c")
		eq(ctr("tasks", "ls").split()[3::2], ["c", "PAUSED"])
		ctr("tasks", "resume", "c")
		within(ctr("tasks", "ps", "c"), "PID")
		within(ctr("tasks", "metrics", "c"), "c")
		ctr("tasks", "kill", "-s", "KILL", "c")
		until(lambda: ctr("tasks", "ls").split()[3::2] == ["c", "STOPPED"], 30, "it does not end")
		within(ctr("tasks", "rm", "c"), "137")
		ctr("containers", "rm", "c")
	PY
}
