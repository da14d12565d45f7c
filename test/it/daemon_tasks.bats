#!/usr/bin/env bats
# daemon_tasks.bats: the daemon's tasks, over its API: lives, states, streams, what
# is said to wrong calls, who else makes tasks, and restarts.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

@test "daemon: a life: create, start, exec, pause, resume, kill, wait, delete, and its events" {
	daemon <<-'PY'
		ev = Events_("topic~=|^/tasks/|")
		t = Task().create()
		eq(t.status(), CREATED)
		p = t.Get().process
		eq((p.id, p.pid), (t.id, t.pid))
		eq(t.Start().pid, t.pid)
		eq([(x.id, x.status) for x in Tasks.List().tasks], [(t.id, RUNNING)])
		eq(list(Tasks.List(ns="other").tasks), [])
		t.Exec(exec_id="x", spec=program("sh", "-c", "exit 7"))
		x = t.Start(exec_id="x").pid
		eq(t.Wait(exec_id="x").exit_status, 7)
		eq(t.status(exec_id="x"), STOPPED)
		d = t.DeleteProcess(exec_id="x")
		eq((d.id, d.pid, d.exit_status), ("x", x, 7))
		t.Pause()
		eq(t.status(), PAUSED)
		t.Resume()
		assert t.pid in [q.pid for q in t.ListPids().processes]
		m = Tasks.Metrics(filters=["id==" + t.id]).metrics
		eq([q.id for q in m], [t.id])
		assert m[0].data.type_url.startswith("io.containerd.cgroups.v"), m[0].data.type_url
		eq(len(Tasks.Metrics(filters=["id==nope"]).metrics), 0)
		later = t.Wait(later=True)
		eq(t.kill(), 137)
		eq(later.result().exit_status, 137)
		eq(t.status(), STOPPED)
		d = t.Delete()
		eq((d.pid, d.exit_status), (t.pid, 137))
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		Containers.Delete(id=t.id)
		fails(NOT_FOUND, 'container "%s" in namespace "it": not found' % t.id, t.Get)
		for topic in "create start exec-added exec-started exit paused resumed exit delete".split():
		    e = ev.next()
		    eq((e.topic, e.namespace), ("/tasks/" + topic, NS))
	PY
}

# Others' execs keep events under way, so that an answer is often read before its own
# event can be asked for.
@test "daemon: what Start, Pause and Resume have answered is so in the next List" {
	daemon <<-'PY'
		import contextlib, threading
		added, late = [], []
		def execs(t, id, over):
		    while not over.is_set():
		        try:
		            t.Exec(exec_id=id, spec=program("true"))
		            added.append(id)
		            t.DeleteProcess(exec_id=id)
		        except grpc.RpcError as e: # it is paused
		            if e.code() != FAILED_PRECONDITION:
		                raise
		            over.wait(0.001)
		@contextlib.contextmanager
		def storm(t):
		    over = threading.Event()
		    threads = [threading.Thread(target=execs, args=(t, "x%d" % n, over)) for n in range(4)]
		    for one in threads:
		        one.start()
		    try:
		        yield
		    finally:
		        over.set()
		        for one in threads:
		            one.join()
		def then(t, call, status):
		    call()
		    if [x.status for x in Tasks.List().tasks if x.id == t.id] != [status]:
		        late.append(status)
		for i in range(20):
		    t = Task().create()
		    with storm(t):
		        then(t, t.Start, RUNNING)
		    t.Exec(exec_id="x", spec=program("sleep", "1000"))
		    t.Start(exec_id="x") # whose end is the first event
		    wait = t.Wait(later=True)
		    t.Kill(signal=9)
		    then(t, wait.result, STOPPED)
		    t.remove()
		    eq(list(Tasks.List().tasks), [])
		t = Task().run()
		with storm(t):
		    for i in range(200):
		        then(t, t.Pause, PAUSED)
		        then(t, t.Resume, RUNNING)
		eq(late, [])
		assert len(added) > 100, len(added)
		t.kill()
		t.remove()
	PY
}

# What the answer says of its phases, in milliseconds.
@test "daemon: create and start tell how long each phase took, in the answer and the log" {
	daemon <<-'PY'
		DAEMON.stop()
		DAEMON.configure(log_level="debug", log_format="json", log_file=IT + "/d/log")
		DAEMON.start()
		def timings(call):
		    call.result()
		    key, text = [p for p in call.trailing_metadata() if p[0].startswith("berth-")][0]
		    eq(key, "berth-timings")
		    return {w.split(";dur=")[0]: float(w.split(";dur=")[1]) for w in text.split(", ")}
		def logged(words, **fields):
		    found = [l for l in map(json.loads, open(IT + "/d/log")) if l["msg"] == words]
		    return [l for l in found if all(l.get(k) == v for k, v in fields.items())]
		for n in range(20): # whoever else runs takes time between the phases, but not each time
		    t = Task()
		    c = timings(t.Create(later=True))
		    eq(list(c), ["make-the-bundle", "start-the-shim", "connect-to-the-shim", "create-the-task",
		                 "set-its-lifetime", "within-the-shim", "total"])
		    assert all(v > 0 for v in c.values()), c
		    outside = sum(c.values()) - c["total"] - c["within-the-shim"]
		    assert outside <= c["total"], c
		    assert c["within-the-shim"] < c["create-the-task"] + c["connect-to-the-shim"], c
		    s = timings(t.Start(later=True))
		    eq(list(s), ["wait-for-the-shims-answer", "total"])
		    assert s["wait-for-the-shims-answer"] <= s["total"], s
		    if 0.8 * c["total"] < outside and 0.8 * s["total"] < s["wait-for-the-shims-answer"]:
		        break
		    t.kill()
		    t.remove()
		else:
		    raise AssertionError("what the phases are is not most of it: %s, %s" % (c, s))
		l, = logged("task created", id=t.id, namespace=NS)
		eq((l["level"], l["start_the_shim_us"]), ("debug", round(c["start-the-shim"] * 1000)))
		assert l["total_us"] == round(c["total"] * 1000), (l, c)
		l, = logged("process started", id=t.id)
		eq("exec_id" in l, False)
		t.Exec(exec_id="x", spec=program("true"))
		assert "total" in timings(t.Start(exec_id="x", later=True))
		eq(len(logged("process started", id=t.id, exec_id="x")), 1)
		eq([k for k, _ in t.Pause(later=True).trailing_metadata()], []) # of these two alone
		# What takes long is in the log in any case.
		DAEMON.stop()
		DAEMON.configure(log_level="info")
		DAEMON.start()
		slow = Task(change=lambda c: c.update(hooks={"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1.1"]}]}))
		c = timings(slow.Create(later=True))
		assert c["within-the-shim"] > 1000, c
		l, = logged("task created", id=slow.id)
		eq(l["level"], "info")
		eq(logged("task created", id=t.id), logged("task created", id=t.id, level="debug"))
		slow.Delete()
		t.kill()
		t.remove()
	PY
}

@test "daemon: streams go where the client says, and are told" {
	daemon <<-'PY'
		out = IT + "/out"
		os.mkfifo(out)
		t = Task("sh", "-c", "echo said; exit 3").create(stdout=out)
		fd = os.open(out, os.O_RDONLY)
		eq(Tasks.List().tasks[0].stdout, out)
		eq(t.Get().process.stdout, out)
		t.Start()
		eq(os.read(fd, 100), b"said\n")
		eq(t.Wait().exit_status, 3)
		p = Tasks.List().tasks[0]
		eq((p.status, p.exit_status, p.exited_at.seconds > 0), (STOPPED, 3, True))
		os.close(fd)
		os.remove(out)
		t.remove()
	PY
}

@test "daemon: what is said to wrong calls" {
	daemon <<-'PY'
		fails(NOT_FOUND, 'container "nope" in namespace "it": not found', Tasks.Create, container_id="nope")
		fails(NOT_FOUND, 'container "nope" in namespace "it": not found', Tasks.Start, container_id="nope")
		fails(NOT_FOUND, 'container "../x" in namespace "it": not found', Tasks.Get, container_id="../x")
		t = Task()
		fails(NOT_FOUND, "task %s not found" % t.id, t.Start)
		fails(NOT_FOUND, "task %s not found" % t.id, t.Delete)
		t.run()
		fails(ALREADY_EXISTS, "task %s: already exists" % t.id, t.Create)
		fails(INVALID_ARGUMENT, None, t.Exec, exec_id="")
		fails(INVALID_ARGUMENT, None, t.Exec, exec_id="a/b", spec={"value": b"{}"})
		fails(NOT_FOUND, None, t.Get, exec_id="x")
		fails(NOT_FOUND, None, t.Kill, exec_id="x", signal=9)
		fails(UNIMPLEMENTED if OURS else UNKNOWN, None, t.Checkpoint)
		try:
		    t.Delete()
		    raise AssertionError("a running task is deleted")
		except grpc.RpcError as e:
		    assert e.code() in (FAILED_PRECONDITION, UNKNOWN), e
		eq(t.status(), RUNNING)
		t.kill()
		fails(NOT_FOUND, "process already finished: not found", t.Kill, signal=9)
		t.remove()
		if OURS:
		    u = Task(id="rt", runtime={"name": "io.containerd.kata.v2"})
		    fails(NOT_FOUND, 'unknown runtime "io.containerd.kata.v2": not found', u.Create)
		    u = Task(id="opt", runtime={"name": "io.containerd.runtime.v1.linux",
		                                "options": {"type_url": "x.Y", "value": b"z"}})
		    fails(INVALID_ARGUMENT, "invalid runtime options format: 'x.Y' is not containerd.linux.runc.RuncOptions: invalid argument",
		          u.Create)
		    u = Task(id="spec", spec={"type_url": "spec", "value": b"no json"})
		    fails(INVALID_ARGUMENT, None, u.Create)
		    eq(os.listdir(IT + "/d/state/it"), [])
	PY
}

@test "daemon: a call that its client gives up goes on or ends, and leaves nothing" {
	daemon <<-'PY'
		t = Task().run()
		try:
		    t.Wait(timeout=0.2)
		    raise AssertionError("it ended")
		except grpc.RpcError as e:
		    eq(e.code(), DEADLINE_EXCEEDED)
		later = t.Wait(later=True, timeout=None)
		time.sleep(0.05)
		later.cancel()
		fds = DAEMON.descriptors()
		for n in range(50):
		    w = t.Wait(later=True, timeout=None)
		    w.cancel()
		eq(t.status(), RUNNING)
		until(lambda: DAEMON.descriptors() <= fds)
		t.kill()
		t.remove()
	PY
}

@test "daemon: after kill -9 all is as it was, and what happened meanwhile is told" {
	daemon <<-'PY'
		runs, ends, created = Task().run(), Task("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.01; done").run(), Task().create()
		trapped(ends.pid, signal.SIGTERM)
		DAEMON.stop(signal.SIGKILL)
		os.kill(ends.pid, signal.SIGTERM)
		until(lambda: not args_of(ends.pid) and not os.path.exists("/proc/%d" % ends.pid))
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		eq((runs.status(), ends.status(), created.status()), (RUNNING, STOPPED, CREATED))
		eq({x.id: (x.status, x.exit_status) for x in Tasks.List().tasks},
		   {runs.id: (RUNNING, 0), ends.id: (STOPPED, 5), created.id: (CREATED, 0)})
		m = ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=ends.id, exit_status=5)
		ev.nothing()
		created.Start()
		eq(ends.Wait().exit_status, 5)
		for t in (runs, created):
		    eq(t.kill(), 137)
		for t in (runs, ends, created):
		    t.remove()
	PY
}

@test "daemon: what a subscriber has got is not told again after kill -9" {
	daemon <<-'PY'
		t = Task().run()
		DAEMON.stop(signal.SIGKILL)
		os.kill(t.pid, signal.SIGKILL)
		DAEMON.start()
		until(lambda: [x.status for x in Tasks.List().tasks] == [STOPPED])
		late = Events.Subscribe(filters=["topic==\"/tasks/exit\""])
		eq(events_pb2.TaskExit.FromString(next(late).event.value).container_id, t.id)
		DAEMON.stop(signal.SIGKILL)
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		until(lambda: [x.status for x in Tasks.List().tasks] == [STOPPED])
		ev.nothing()
		t.remove()
		ev.expect("/tasks/delete")
	PY
}

# HTTP/2's window is full, then.
@test "daemon: what waits for a subscriber that does not read is told after kill -9, and no more" {
	daemon <<-'PY'
		t = Task().run()
		out = open(IT_OUT + "/events", "w+")
		ctr = subprocess.Popen(["ctr", "-a", DAEMON.address, "events", "topic==\"/tasks/exec-added\""], stdout=out)
		def exec_(n):
		    t.Exec(exec_id="x%d" % n, spec=program("true"))
		    t.DeleteProcess(exec_id="x%d" % n)
		def heard():
		    out.seek(0)
		    return {json.loads(line.split(" ", 6)[6])["exec_id"] for line in out}
		n = 0
		while not heard():
		    exec_(n)
		    n += 1
		ctr.send_signal(signal.SIGSTOP)
		first, last = n, n + 2000
		for n in range(first, last):
		    exec_(n)
		t.Pause() # which it does not want to hear of
		t.Resume()
		DAEMON.stop(signal.SIGKILL)
		ctr.send_signal(signal.SIGCONT)
		DAEMON.start()
		again, told = Events_("topic==\"/tasks/exec-added\""), []
		while told[-1:] != ["x%d" % (last - 1)]:
		    told.append(again.expect("/tasks/exec-added", events_pb2.TaskExecAdded).exec_id)
		ctr.terminate()
		ctr.wait()
		before = heard()
		eq([n for n in range(first, last) if "x%d" % n not in before | set(told)], [])
		eq([id for id in told if id in before], [])
		assert len(before) > 100 and len(told) > 100, (len(before), len(told))
		t.kill()
		t.remove()
	PY
}

@test "daemon: a shim that dies, with the daemon or without it" {
	daemon <<-'PY'
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		a, b = Task().run(), Task().run()
		os.kill(shim(a), 9)
		m = ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=a.id, exit_status=137, pid=a.pid)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=a.id)
		fails(NOT_FOUND, "task %s not found" % a.id, a.Get)
		DAEMON.stop(signal.SIGKILL)
		os.kill(shim(b), 9)
		DAEMON.start()
		ev = Events_('topic~="^/tasks/(exit|delete)"')
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=b.id, exit_status=137, pid=b.pid)
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=b.id)
		ev.nothing()
		fails(NOT_FOUND, "task %s not found" % b.id, b.Get)
		eq(len(Tasks.List().tasks), 0)
		a.run()
		eq(a.kill(), 137)
		a.remove()
		Containers.Delete(id=b.id)
	PY
}
