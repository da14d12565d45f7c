#!/usr/bin/env bats
# daemon_noshim.bats: tasks without a shim, whose parent is the daemon itself.
# bats file_tags=long

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() {
	daemon_up
	mkdir "$IT_OUT/bin"
	ln -s "$BERTH" "$IT_OUT/bin/berth"
	export NO_SHIM=1 PATH=$IT_OUT/bin:$PATH
}

teardown_file() { daemon_down; }

# As `daemon`, with what is said of processes below.
hosted() {
	{ cat "$IT_TOP/test/daemon/noshim.py" -; } | daemon
}

@test "no_shim: a life: create, start, exec, pause, resume, kill, wait, delete, and its events" {
	hosted <<-'PY'
		ev = Events_("topic~=|^/tasks/|")
		t = Task().create()
		eq(t.status(), CREATED)
		eq((parent(t.pid), shims()), (DAEMON.process.pid, []))
		eq(t.Start().pid, t.pid)
		eq([(x.id, x.status) for x in Tasks.List().tasks], [(t.id, RUNNING)])
		t.Exec(exec_id="x", spec=program("sh", "-c", "exit 7"))
		x = t.Start(exec_id="x").pid
		eq(t.Wait(exec_id="x").exit_status, 7)
		d = t.DeleteProcess(exec_id="x")
		eq((d.id, d.pid, d.exit_status), ("x", x, 7))
		t.Pause()
		eq(t.status(), PAUSED)
		t.Resume()
		assert t.pid in [q.pid for q in t.ListPids().processes]
		m = Tasks.Metrics(filters=["id==" + t.id]).metrics
		eq([q.id for q in m], [t.id])
		assert m[0].data.type_url.startswith("io.containerd.cgroups.v"), m[0].data.type_url
		t.Update(resources={"value": json.dumps({"pids": {"limit": 50}}).encode()})
		later = t.Wait(later=True)
		eq(t.kill(), 137)
		eq(later.result().exit_status, 137)
		eq(t.status(), STOPPED)
		fails(NOT_FOUND, "process already finished: not found", t.Kill, signal=9)
		d = t.Delete()
		eq((d.pid, d.exit_status), (t.pid, 137))
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		for topic in "create start exec-added exec-started exit paused resumed exit delete".split():
		    e = ev.next()
		    eq((e.topic, e.namespace), ("/tasks/" + topic, NS))
		ev.nothing()
		t.run() # the id is free
		eq(t.kill(), 137)
		t.remove()
		nothing_left()
	PY
}

@test "no_shim: streams, a terminal, and what cannot be started" {
	hosted <<-'PY'
		out, inp = IT + "/out", IT + "/in"
		os.mkfifo(out)
		os.mkfifo(inp)
		t = Task("sh", "-c", "read x; echo said $x; exit 3").create(stdin=inp, stdout=out)
		w = os.open(inp, os.O_RDWR)
		r = os.open(out, os.O_RDONLY)
		eq((t.Get().process.stdin, t.Get().process.stdout), (inp, out))
		t.Start()
		os.write(w, b"that\n")
		eq(os.read(r, 100), b"said that\n")
		eq(t.Wait().exit_status, 3)
		t.remove()
		t = Task("sh", "-c", "read x; stty size; sleep 1000", change=lambda c: c["process"].update(terminal=True))
		t.create(terminal=True, stdin=inp, stdout=out)
		t.ResizePty(width=70, height=20)
		t.Start()
		os.write(w, b"go\n")
		said = b""
		while b"20 70" not in said:
		    said += os.read(r, 100)
		eq(t.kill(), 137)
		t.remove()
		os.close(r)
		os.close(w)
		os.remove(out)
		os.remove(inp)
		t = Task("/nowhere")
		try:
		    t.run()
		    raise AssertionError("it runs")
		except grpc.RpcError as e:
		    assert "/nowhere" in e.details(), e.details()
		for x in Tasks.List().tasks:
		    t.Delete()
		Containers.Delete(id=t.id)
		nothing_left()
	PY
}

@test "no_shim: after kill -9 of the daemon: what runs is there, what ended has status 255" {
	hosted <<-'PY'
		runs, ends, created, paused = Task().run(), Task().run(), Task().create(), Task().run()
		before = Task("sh", "-c", "exit 4").run()
		eq(before.Wait().exit_status, 4)
		paused.Pause()
		runs.Exec(exec_id="x", spec=program("sleep", "1000"))
		runs.Start(exec_id="x")
		DAEMON.stop(signal.SIGKILL)
		os.kill(ends.pid, signal.SIGKILL)
		until(lambda: not os.path.exists("/proc/%d" % ends.pid), 10, "it does not end")
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		eq([t.status() for t in (runs, ends, created, paused, before)], [RUNNING, STOPPED, CREATED, PAUSED, STOPPED])
		eq({x.id: (x.status, x.exit_status) for x in Tasks.List().tasks},
		   {runs.id: (RUNNING, 0), ends.id: (STOPPED, 255), created.id: (CREATED, 0), paused.id: (PAUSED, 0),
		    before.id: (STOPPED, 4)})
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=ends.id, exit_status=255)
		ev.nothing()
		fails(NOT_FOUND, "process does not exist x: not found", runs.Get, exec_id="x")
		eq((ends.Wait().exit_status, before.Wait().exit_status), (255, 4))
		eq(shims(), [])
		created.Start()
		eq(created.Get().process.pid, created.pid)
		paused.Resume()
		runs.Exec(exec_id="y", spec=program("sh", "-c", "exit 7"))
		runs.Start(exec_id="y")
		eq(runs.Wait(exec_id="y").exit_status, 7)
		eq([q.id for q in Tasks.Metrics(filters=["id==" + runs.id]).metrics], [runs.id])
		for t in (runs, created, paused):
		    eq(t.kill(), 255) # whose child it is not any more: nobody says how it ended
		for t in (runs, ends, created, paused, before):
		    t.remove()
		nothing_left()
	PY
}

@test "no_shim: a task whose journal is missing or damaged is there, and tells what comes" {
	hosted <<-'PY'
		def remove(path):
		    os.remove(path)
		def damage(path):
		    with open(path, "w") as f:
		        f.write("no journal")
		def empty(path):
		    os.truncate(path, 0)
		for change in remove, damage, empty:
		    t = Task().run()
		    DAEMON.stop(signal.SIGKILL)
		    change(IT + "/d/state/%s/%s/events" % (NS, t.id))
		    DAEMON.start()
		    eq(t.status(), RUNNING)
		    eq([(x.id, x.status) for x in Tasks.List().tasks], [(t.id, RUNNING)])
		    DAEMON.stop(signal.SIGKILL) # nothing is in the new one yet
		    DAEMON.start()
		    ev = Events_("topic~=|^/tasks/exit|")
		    eq(t.status(), RUNNING)
		    eq(t.kill(), 255)
		    ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id, pid=t.pid, exit_status=255)
		    t.remove()
		    ev.nothing()
		nothing_left()
	PY
}

@test "no_shim: a task whose records are damaged is there, and can be deleted; the log says which" {
	hosted <<-'PY'
		def damaged(t, name, text):
		    with open(IT + "/d/state/%s/%s/%s" % (NS, t.id, name), "w") as f:
		        f.write(text)
		cases = [([name], text) for name in ("hosted.json", "berth.json") for text in ("", "{", '{"version": 99}')]
		cases.append((["hosted.json", "berth.json"], "[]"))
		for names, text in cases:
		    runs, ends, paused = Task().run(), Task().run(), Task().run()
		    paused.Pause()
		    DAEMON.stop(signal.SIGKILL)
		    for t in runs, ends, paused:
		        for name in names:
		            damaged(t, name, text)
		    os.kill(ends.pid, signal.SIGKILL)
		    until(lambda: not os.path.exists("/proc/%d" % ends.pid), 10, "it does not end")
		    DAEMON.start()
		    eq([t.status() for t in (runs, ends, paused)], [RUNNING, STOPPED, PAUSED])
		    eq({x.id: (x.pid, x.status) for x in Tasks.List().tasks if x.id != ends.id},
		       {runs.id: (runs.pid, RUNNING), paused.id: (paused.pid, PAUSED)})
		    for t in runs, paused:
		        eq(t.kill(), 255)
		    eq(ends.Wait().exit_status, 255)
		    for t in runs, ends, paused:
		        t.remove()
		        with open(IT_OUT + "/daemon.log", errors="replace") as f:
		            said = [l for l in f if t.id in l and any(name in l for name in names)]
		        eq(bool(said), True)
		nothing_left()
	PY
}

@test "no_shim: a record is damaged and its runtime does not say how the task is: it can be deleted" {
	hosted <<-'PY'
		slow = slow_runtime("state", "echo nothing; exit 0")
		t = Task(runtime=slow).run()
		DAEMON.stop(signal.SIGKILL)
		with open(IT + "/d/state/%s/%s/hosted.json" % (NS, t.id), "w") as f:
		    f.write("{")
		DAEMON.start()
		eq(t.status(), STOPPED)
		t.remove()
		until(lambda: not os.path.exists("/proc/%d" % t.pid), 30, "it runs")
		os.remove(IT + "/slow")
		nothing_left()
	PY
}

@test "no_shim: the daemon is killed while a task is deleted: its events are told, and its bundle goes" {
	hosted <<-'PY'
		t = Task("sh", "-c", "exit 4").run()
		eq(t.Wait().exit_status, 4)
		bundle = IT + "/d/state/%s/%s" % (NS, t.id)
		os.link(bundle + "/events", IT + "/events") # what is added to it is here, too
		shutil.copytree(bundle, IT + "/bundle", symlinks=True)
		t.Delete()
		DAEMON.stop(signal.SIGKILL)
		os.replace(IT + "/events", IT + "/bundle/events")
		shutil.move(IT + "/bundle", bundle)
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		for topic in "create start exit delete".split():
		    eq(ev.next().topic, "/tasks/" + topic)
		ev.nothing()
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		eq(list(Tasks.List().tasks), [])
		until(lambda: not os.path.exists(bundle), 30, "the bundle is left")
		Containers.Delete(id=t.id)
		nothing_left()
	PY
}

@test "no_shim: the runtime or its helper is killed between the creation and the answer" {
	hosted <<-'PY'
		for victim in "$$", "$PPID":
		    killed = slow_runtime("create", 'berth "$@"; kill -9 %s' % victim)
		    t = Task(runtime=killed)
		    try:
		        t.Create()
		        raise AssertionError("it was created")
		    except grpc.RpcError as e:
		        print(e.details())
		    eq(list(Tasks.List().tasks), [])
		    until(lambda: not os.path.exists(IT + "/d/state/%s/%s" % (NS, t.id)), 30, "the bundle is left")
		    eq([p for p, args, _ in processes() if args[:2] == [b"sleep", b"1000"]], [])
		    eq(subprocess.run(["find", "/sys/fs/cgroup", "-path", "*" + os.environ["IT_CG"] + "/" + t.id],
		                      stdout=subprocess.PIPE, check=False).stdout, b"")
		    Containers.Delete(id=t.id)
		os.remove(IT + "/slow")
		nothing_left()
	PY
}

@test "no_shim: a runtime that hangs after a restart does not hide its task for long" {
	hosted <<-'PY'
		slow = slow_runtime("state", "while [ -e %s/hang ]; do sleep 0.1; done" % IT)
		t = Task("sleep", "1000", runtime=slow).run()
		open(IT + "/hang", "w").close()
		DAEMON.stop(signal.SIGKILL)
		DAEMON.start()
		until(lambda: [(x.id, x.status) for x in Tasks.List().tasks] == [(t.id, RUNNING)], 60, "it is not listed as running")
		eq(t.kill(), 255)
		os.remove(IT + "/hang")
		t.remove()
		os.remove(IT + "/slow")
		nothing_left()
	PY
}

@test "no_shim: the daemon is stopped and started, with the setting and without it" {
	hosted <<-'PY'
		a, b = Task().run(), Task().run()
		eq(DAEMON.stop(), 0)
		DAEMON.configure(no_shim=False)
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		ev.nothing()
		eq((a.status(), b.status()), (RUNNING, RUNNING))
		c = Task().run() # under a shim, beside them
		eq(len(shims()), 1)
		eq((c.kill(), a.kill()), (137, 255))
		a.remove()
		eq(DAEMON.stop(), 0)
		DAEMON.configure(no_shim=True)
		DAEMON.start()
		eq((b.status(), c.status()), (RUNNING, STOPPED))
		eq(c.Wait().exit_status, 137)
		eq(b.kill(), 255)
		b.remove()
		c.remove()
		nothing_left()
	PY
}

@test "no_shim: SIGHUP takes the setting, for tasks that are created from then on" {
	hosted <<-'PY'
		def set_to(value):
		    DAEMON.configure(no_shim=value)
		    with open(IT_OUT + "/daemon.log") as f:
		        f.seek(0, os.SEEK_END)
		        DAEMON.process.send_signal(signal.SIGHUP)
		        until(lambda: "configuration: no_shim: taken" in f.readline(), 30, "it is not taken")
		a = Task().run()
		eq(shims(), [])
		set_to(False)
		b = Task().run()
		eq(len(shims()), 1)
		set_to(True)
		c = Task().run()
		eq(len(shims()), 1)
		for t in a, b, c:
		    eq(t.kill(), 137)
		    t.remove()
		nothing_left()
	PY
}

@test "no_shim: many at once, orphans are reaped, and the daemon has what it had" {
	hosted <<-'PY'
		def one(n):
		    t = Task("sh", "-c", "(sleep 0.1 &) ; read x; exit %d" % n, id="m%d" % n).run()
		    eq(t.Wait().exit_status, n)
		    t.Delete()
		    Containers.Delete(id=t.id)
		    t = Task(id="e%d" % n).run()
		    t.Exec(exec_id="x", spec=program("sh", "-c", "(sleep 0.1 &) ; exit %d" % n))
		    t.Start(exec_id="x")
		    eq(t.Wait(exec_id="x").exit_status, n)
		    eq(t.kill(), 137)
		    t.remove()
		one(99)
		fds = DAEMON.descriptors()
		threads = [threading.Thread(target=one, args=(n,)) for n in range(10)]
		for t in threads: t.start()
		for t in threads: t.join()
		nothing_left()
		until(lambda: DAEMON.descriptors() == fds, 10, "descriptors are left")
	PY
}

@test "no_shim: so many operations at a time, whichever tasks they are of: the next is refused or waits, but an end" {
	hosted <<-'PY'
		os.mkfifo(IT + "/go")
		slow = slow_runtime("create", "echo $$ >>%s/in; exec 3<%s/go; exit 1" % (IT, IT))
		MAX = 256
		runs, ends = Task().run(), Task().run()
		runs.Exec(exec_id="x", spec=program("true"))
		many = [Task(runtime=slow) for n in range(MAX)]
		later = [t.Create(later=True, timeout=300) for t in many]
		def at_work():
		    with open(IT + "/in") as f:
		        return len(f.readlines())
		until(lambda: os.path.exists(IT + "/in") and at_work() == MAX, 120, "they are not at work")
		one_more = Task()
		words = "%d operations on tasks without a shim are in progress: resource exhausted" % MAX
		for call in one_more.Create, lambda: runs.Start(exec_id="x"):
		    try:
		        call()
		        raise AssertionError("it was done")
		    except grpc.RpcError as e:
		        eq((e.code(), words in e.details()), (RESOURCE_EXHAUSTED, True))
		pauses = runs.Pause(later=True)
		ends.Kill(signal=9, all=True)
		eq(ends.Wait().exit_status, 137)
		ends.remove()
		eq((pauses.done(), runs.status()), (False, RUNNING))
		go = os.open(IT + "/go", os.O_WRONLY)
		pauses.result()
		eq(runs.status(), PAUSED)
		for t, l in zip(many, later):
		    assert l.exception() is not None
		    Containers.Delete(id=t.id)
		os.close(go)
		runs.Resume()
		runs.Start(exec_id="x")
		eq(runs.Wait(exec_id="x").exit_status, 0)
		one_more.run()
		for t in runs, one_more:
		    eq(t.kill(), 137)
		    t.remove()
		for name in "in", "go", "slow":
		    os.remove(IT + "/" + name)
		until(lambda: not os.listdir(IT + "/d/state/" + NS), 60, "a bundle is left")
		nothing_left()
	PY
}

@test "no_shim: orphans are reaped while the runtime of another task hangs" {
	hosted <<-'PY'
		slow = slow_runtime("create", "echo >%s/in; while [ ! -e %s/go ]; do sleep 0.1; done; exit 1" % (IT, IT))
		def shared(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		def orphans():
		    return [p for p, args, stat in processes()
		            if args[1:2] == [b"4321"] and int(stat[1]) == DAEMON.process.pid]
		b = Task("sh", "-c", "(sleep 4321 &) ; sleep 1000", change=shared).run()
		until(orphans, 30, "it has no orphan")
		a = Task(runtime=slow)
		later = a.Create(later=True)
		until(lambda: os.path.exists(IT + "/in"), 30, "the runtime is not called")
		p = orphans()[0]
		os.kill(p, signal.SIGKILL)
		until(lambda: not os.path.exists("/proc/%d" % p), 30, "the orphan is not reaped")
		assert not later.done(), later.exception() # it was reaped meanwhile, not after that
		eq(b.kill(), 137) # which makes helpers that end meanwhile
		b.remove()
		open(IT + "/go", "w").close()
		assert later.exception() is not None
		until(lambda: not os.listdir(IT + "/d/state/" + NS), 30, "the bundle is left")
		Containers.Delete(id=a.id)
		for name in "in", "go", "slow":
		    os.remove(IT + "/" + name)
		nothing_left()
	PY
}

@test "no_shim: another runtime, which is executed; one that is not there" {
	hosted <<-'PY'
		for name in "runc", "crun":
		    t = Task(runtime=executed(shutil.which(name))).run()
		    eq(parent(t.pid), DAEMON.process.pid)
		    DAEMON.stop(signal.SIGKILL)
		    DAEMON.start()
		    t.Pause()
		    eq(t.status(), PAUSED)
		    t.Resume()
		    t.Kill(signal=9)
		    eq(t.Wait().exit_status, 255)
		    t.remove()
		t = Task(runtime=executed("/no/where"))
		try:
		    t.Create()
		    raise AssertionError("it was created")
		except grpc.RpcError as e:
		    assert "/no/where" in e.details(), e.details()
		Containers.Delete(id=t.id)
		nothing_left()
	PY
}

@test "no_shim: a root file system that is mounted goes with its task, also after a restart" {
	hosted <<-'PY'
		def mounts():
		    with open("/proc/%d/mountinfo" % DAEMON.process.pid) as f:
		        return [m for m in (l.split()[4] for l in f) if "/rootfs" in m and m.startswith(IT + "/d/")]
		def root(c):
		    c["root"]["path"] = "rootfs"
		rootfs = [{"type": "bind", "source": IT_OUT + "/rootfs", "options": ["rbind", "ro"]}]
		a, b = [Task(change=root).create(rootfs=rootfs) for n in range(2)]
		eq(len(mounts()), 2)
		for t in (a, b):
		    t.Start()
		eq(a.kill(), 137)
		a.remove()
		eq(len(mounts()), 1)
		DAEMON.stop(signal.SIGKILL)
		DAEMON.start()
		eq(len(mounts()), 1)
		eq(b.kill(), 255)
		b.remove()
		eq(mounts(), [])
		nothing_left()
	PY
}

@test "no_shim: the daemon is killed while a task is created; a client that gives up" {
	hosted <<-'PY'
		def slow(c):
		    c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo >%s/in; exec sleep 1000" % IT]}]}
		def is_in():
		    until(lambda: os.path.exists(IT + "/in"), 10, "the hook does not run")
		    os.remove(IT + "/in")
		t = Task(change=slow)
		later = t.Create(later=True)
		is_in()
		DAEMON.stop(signal.SIGKILL)
		DAEMON.start()
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		until(lambda: not os.listdir(IT + "/d/state/" + NS), 20, "the bundle is left")
		Containers.Delete(id=t.id)
		t = Task(change=slow)
		later = t.Create(later=True)
		is_in()
		later.cancel()
		until(lambda: not os.listdir(IT + "/d/state/" + NS), 30, "the bundle is left")
		Containers.Delete(id=t.id)
		nothing_left()
		t = Task(change=slow)
		later = t.Create(later=True)
		is_in()
		DAEMON.process.send_signal(signal.SIGTERM) # the second one does not wait for what runs
		eq(DAEMON.stop(), 0)
		DAEMON.start()
		fails(NOT_FOUND, "task %s not found" % t.id, t.Get)
		until(lambda: not os.listdir(IT + "/d/state/" + NS), 20, "the bundle is left")
		Containers.Delete(id=t.id)
		nothing_left()
	PY
}

# A daemon with sanitizers takes too long to begin for this.
# bats test_tags=nosan
@test "no_shim: kill -9 at any moment leaves nothing" {
	ROUNDS=$([ -z "${BERTH_SOAK:-}" ] && echo 15 || echo 300) hosted <<-'PY'
		import random
		def lives(n):
		    while not stop.is_set():
		        try:
		            t = Task(id="k%d-%d" % (n, next(numbers))).run()
		            t.Exec(exec_id="x", spec=program("true"))
		            t.Start(exec_id="x")
		            t.Pause()
		            t.Resume()
		            t.kill()
		            t.remove()
		        except (grpc.RpcError, ValueError): # the daemon has gone
		            time.sleep(0.01)
		import itertools
		numbers, stop = itertools.count(), threading.Event()
		threads = [threading.Thread(target=lives, args=(n,)) for n in range(3)]
		for t in threads: t.start()
		for n in range(int(os.environ["ROUNDS"])):
		    time.sleep(random.uniform(0.05, 0.5))
		    DAEMON.stop(signal.SIGKILL)
		    DAEMON.start()
		stop.set()
		for t in threads: t.join()
		for c in Containers.List().containers:
		    try:
		        Tasks.Get(container_id=c.id)
		    except grpc.RpcError as e: # its creation was cut off, or it was never begun
		        eq(e.code(), NOT_FOUND)
		        continue
		    try:
		        Tasks.Kill(container_id=c.id, signal=9, all=True)
		        Tasks.Wait(container_id=c.id)
		    except grpc.RpcError as e: # it had ended
		        eq(e.code(), NOT_FOUND)
		    Tasks.Delete(container_id=c.id)
		for c in Containers.List().containers:
		    Containers.Delete(id=c.id)
		eq(list(Tasks.List().tasks), [])
		nothing_left()
	PY
}

@test "no_shim: what cannot be" {
	daemon_ctl
	hosted <<-'PY'
		DAEMON.stop()
		DAEMON.configure(engine={"shim_cgroup": "/x"})
		DAEMON.refuses("no_shim: there is no shim that could enter the shim_cgroup '/x'")
		DAEMON.configure(engine={"shim_cgroup": ""}, no_shim=1)
		DAEMON.refuses("no_shim")
		DAEMON.configure(no_shim=True)
		DAEMON.start()
		options = {"type_url": "containerd.runc.v1.Options", "value": b"\x1a\x02/x"} # shim_cgroup = 3
		t = Task(runtime={"name": "io.containerd.runc.v2", "options": options})
		fails(UNIMPLEMENTED, "shim_cgroup '/x': there is no shim that could enter it: not implemented", t.Create)
		Containers.Delete(id=t.id)
		t = Task().run()
		for verb in "inspect", "kill", "rm":
		    r = subprocess.run([os.environ["CTL"], "--namespace", NS, verb, t.id], stdout=subprocess.PIPE,
		                       stderr=subprocess.STDOUT, timeout=30, check=False)
		    said = "task %s has no shim: only the daemon that made it can be asked" % t.id
		    eq((r.returncode, said in r.stdout.decode()), (1, True))
		eq(t.status(), RUNNING)
		eq(t.kill(), 137)
		t.remove()
		nothing_left()
	PY
}
