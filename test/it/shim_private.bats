#!/usr/bin/env bats
# shim_private.bats: berth's own service on a shim's socket, berth.shim.v1.Shim:
# versions, events from any number on, and what is known of a task.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

# Its calls: own("Hello", version=1)
WITH='
import berth_shim_pb2 as own_messages
t = Task()
def begin(method, conn=None, **fields):
    return (conn or t.conn).begin("berth.shim.v1.Shim", method, getattr(own_messages, method + "Request")(**fields),
                                  getattr(own_messages, method + "Response"))
def own(method, **fields):
    return begin(method, **fields).result()
def topics(answer):
    return [e.envelope.topic.removeprefix("/tasks/") for e in answer.events]
'

@test "shim: its own service: an older and a newer client, and one of no version" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t.launch()
		h = own("Hello", version=1)
		eq((h.version, h.pid, h.last_event), (1, t.shim, 0))
		assert h.program and h.instance
		eq(own("Hello", version=4000000000).version, 1) # what both know
		code, text = begin("Hello", version=0).status()
		eq(code, INVALID)
		within(text, "version")
		eq(t.conn.begin("berth.shim.v2.Shim", "Hello", b"", own_messages.HelloResponse).status()[0], UNIMPLEMENTED)
		eq(t.conn.begin("berth.shim.v1.Shim", "Goodbye", b"", own_messages.HelloResponse).status()[0], UNIMPLEMENTED)
		# Fields that this version does not know are passed over.
		eq(t.conn.begin("berth.shim.v1.Shim", "Hello", b"\x08\x01\xfa\x3f\x05later", own_messages.HelloResponse).result().version, 1)
		u = Task().launch()
		assert u.conn.begin("berth.shim.v1.Shim", "Hello", b"\x08\x01", own_messages.HelloResponse).result().instance != h.instance
	PY
}

@test "shim: its own service: events from the first on, from any number, and the next ones" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t.run()
		x = t.exec("x", "true")
		t.Wait(exec_id="x")
		said = own("Events")
		eq(topics(said), ["create", "start", "exec-added", "exec-started", "exit"])
		eq([e.number for e in said.events], [1, 2, 3, 4, 5])
		eq(said.events[0].envelope.namespace, NS)
		eq(topics(own("Events", after=3)), ["exec-started", "exit"])
		eq(topics(own("Events", after=1, limit=2)), ["start", "exec-added"])
		waiting = [begin("Events", after=5) for n in range(3)]
		time.sleep(0.1)
		assert not any(w.done.is_set() for w in waiting)
		t.Pause()
		for w in waiting:
		    eq(topics(w.result()), ["paused"])
		t.Resume()
		# A client that went while it waited leaves nothing behind.
		before = fds(t.shim)
		other = Conn(t.address, METADATA)
		begin("Events", conn=other, after=own("Hello", version=1).last_event)
		time.sleep(0.1)
		other.close()
		until(lambda: fds(t.shim) == before)
		eq(t.kill(), 137)
		eq(topics(own("Events", after=6)), ["resumed", "exit"])
		t.Delete()
		eq(topics(own("Events", after=8)), ["delete"])
	PY
}

@test "shim: its own service: events from what Hello has told this connection" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t.run()
		eq(own("Hello", version=1).last_event, 2)
		t.Pause()
		eq(topics(own("Events", after_hello=True)), ["paused"]) # it came after Hello, and before this
		eq(topics(own("Events", after_hello=True, after=7)), ["paused"])
		eq(own("Hello", version=1).last_event, 3)
		next_one = begin("Events", after_hello=True)
		other = Conn(t.address, METADATA)
		eq(topics(begin("Events", conn=other, after_hello=True).result()), ["create", "start", "paused"]) # it has said none
		other.close()
		t.Resume()
		eq(topics(next_one.result()), ["resumed"])
	PY
}

@test "shim: its own service: the events that nobody could be told are there" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import events_pb2
		t = Task("sh", "-c", "exit 5")
		EVENTS.server.die()
		t.run()
		t.Wait()
		said = own("Events")
		eq(topics(said), ["create", "start", "exit"])
		eq(events_pb2.TaskExit.FromString(said.events[2].envelope.event.value).exit_status, 5)
		eq(EVENTS.said(t.id), [])
		EVENTS.server.back()
		EVENTS.wait(t.id, "exit")
	PY
}

@test "shim: its own service: without a daemon's address every event is kept for whoever asks here" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import events_pb2
		def little(c):
		    c["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
		t = Task(config=little)
		t.launch(env={"TTRPC_ADDRESS": ""})
		next_one = begin("Events")
		t.run()
		eq(topics(next_one.result()), ["create"])
		t.exec("x", "sh", "-c", "exit 4")
		t.Wait(exec_id="x")
		t.Delete(exec_id="x")
		t.Pause()
		t.Resume()
		t.exec("y", "tail", "/dev/zero")
		eq(t.Wait(exec_id="y").exit_status, 137)
		eq(t.kill(), 137)
		t.Delete()
		said, after = [], 0
		while after < own("Hello", version=1).last_event: # a few at a time
		    some = own("Events", after=after, limit=4).events
		    eq([e.number for e in some], list(range(after + 1, after + 1 + len(some))))
		    said, after = said + list(some), some[-1].number
		eq([e.envelope.topic.removeprefix("/tasks/") for e in said], ["create", "start", "exec-added", "exec-started", "exit",
		    "paused", "resumed", "exec-added", "exec-started", "oom", "exit", "exit", "delete"])
		exits = [events_pb2.TaskExit.FromString(e.envelope.event.value) for e in said if e.envelope.topic == "/tasks/exit"]
		eq([(e.id, e.exit_status) for e in exits], [("x", 4), ("y", 137), (t.id, 137)])
		eq({e.envelope.namespace for e in said}, {NS})
		eq(EVENTS.said(t.id), [])
	PY
}

@test "shim: its own service: what is known of a task" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t.run()
		t.exec("x", "sh", "-c", "exit 7")
		t.Wait(exec_id="x")
		t.add("y", "true")
		p = own("Properties", id=t.id)
		eq((p.bundle, p.runtime, p.cgroup, p.oom_kills), (t.bundle, "", t.cgroup, 0))
		assert os.path.isdir(p.runtime_root + "/" + t.id), p.runtime_root
		eq({(q.exec_id, q.state, q.exit_status) for q in p.processes},
		   {("", "running", 0), ("x", "stopped", 7), ("y", "created", 0)})
		eq(p.processes[0].pid, t.pid)
		for q in p.processes:
		    if q.exec_id == "":
		        assert 0 < q.create_us < 10 ** 7
		    if q.state != "created":
		        assert 0 < q.start_us < 10 ** 7
		eq(begin("Properties", id="nobody").status()[0], NOT_FOUND)
	PY
}

@test "shim: its own service: how a process ended, when, and who asked for it" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		def at(stamp):
		    return stamp.seconds + stamp.nanos / 1e9
		def of(exec_id=""):
		    return {q.exec_id: q for q in own("Properties", id=t.id).processes}[exec_id]
		began = time.time()
		t.create()
		p = of()
		assert began <= at(p.created_at) <= time.time()
		eq([p.HasField(f) for f in ("started_at", "exited_at", "killed_at")], [False] * 3)
		t.start()
		p = of()
		assert at(p.created_at) <= at(p.started_at) <= time.time()
		# by itself, by a signal of its own, of a client, of somebody else
		for exec_id, script, sig, want in (("exits", "exit 137", 0, (137, 0, 0)), ("own", "kill -SEGV \$\$", 0, (139, 11, 0)),
		                                   ("asked", "sleep 1000", TERM, (143, 15, 15)), ("no-way", "trap '' TERM; touch /tmp/\$\$; while :; do sleep 0.1; done", TERM, None)):
		    pid = t.exec(exec_id, "sh", "-c", script)
		    if sig:
		        if not want:
		            trapped(pid, TERM)
		        t.Kill(signal=sig, exec_id=exec_id)
		    if not want: # asked, and did not; then it was somebody else
		        time.sleep(0.1)
		        eq((of(exec_id).state, of(exec_id).kill_signal), ("running", TERM))
		        os.kill(pid, KILL)
		        want = (137, 9, 15)
		    w = t.Wait(exec_id=exec_id)
		    p = of(exec_id)
		    eq((exec_id, p.exit_status, p.exit_signal, p.kill_signal), (exec_id, *want))
		    eq(p.exited_at, w.exited_at)
		    assert began <= at(p.created_at) <= at(p.started_at) <= at(p.exited_at)
		    eq(p.HasField("killed_at"), bool(sig))
		    if sig:
		        assert at(p.started_at) <= at(p.killed_at) <= at(p.exited_at)
		    with open(t.bundle + "/exec.%s.exit.json" % exec_id) as f:
		        e = json.load(f)
		    eq((e["status"], e["signal"], e["killSignal"], e["killAll"], e["oomKills"]), (*want, False, 0))
		# what could not be started
		t.add("bad", "/no/such")
		t.fails(UNKNOWN, "", "Start", exec_id="bad")
		p = of("bad")
		eq((p.state, p.exit_status, p.HasField("created_at"), p.HasField("started_at"), p.HasField("exited_at")),
		   ("stopped", 255, True, False, True))
		# all of them, and a signal that nobody got is none
		t.exec("both", "sleep", "1000")
		eq(t.begin("Kill", exec_id="bad", signal=TERM).status()[0], NOT_FOUND)
		eq(of("bad").kill_signal, 0)
		eq((of("both").kill_signal, of().kill_signal), (0, 0))
		t.Kill(signal=0)
		assert not of().HasField("killed_at")
		t.Pause()
		assert own("Properties", id=t.id).paused and of().state == "paused"
		t.Resume()
		assert not own("Properties", id=t.id).paused
		t.Kill(signal=KILL, all=True)
		t.Wait()
		eq([(of(x).exit_signal, of(x).kill_signal) for x in ("both", "")], [(9, 9), (9, 9)])
		with open(t.bundle + "/exit.json") as f:
		    e = json.load(f)
		eq((e["signal"], e["killSignal"], e["killAll"], of().kill_all), (9, 9, True, True))
		# a core
		t = Task("sh", "-c", "ulimit -c unlimited; cd /tmp; kill -SEGV \$\$; sleep 1", config=lambda c: c["linux"].update(
		    namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "pid"])).run()
		t.Wait()
		eq((of().exit_signal, of().exit_status), (11, 139))
		with open("/proc/sys/kernel/core_pattern") as f:
		    if f.read().strip() == "core":
		        eq(of().core_dumped, bool(glob.glob(IT_OUT + "/rootfs/tmp/core*")))
		for f in glob.glob(IT_OUT + "/rootfs/tmp/*"):
		    if os.path.isfile(f):
		        os.remove(f)
	PY
}

@test "shim: its own service: how often the OOM killer came, by the end of each process" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		def small(c):
		    c["linux"]["resources"] = {"memory": {"limit": 16 << 20}}
		t = Task(config=small).run()
		t.exec("before", "true")
		t.Wait(exec_id="before")
		t.exec("eats", "sh", "-c", "exec dd if=/dev/zero of=/dev/null bs=200M count=1")
		eq(t.Wait(exec_id="eats").exit_status, 137)
		p = own("Properties", id=t.id)
		q = {x.exec_id: x for x in p.processes}
		eq((p.oom_kills, q["before"].oom_kills, q["eats"].oom_kills), (1, 0, 1))
		eq((q["eats"].exit_signal, q["eats"].kill_signal), (9, 0))
		EVENTS.wait(t.id, "oom")
	PY
}

@test "shim: its own service: the ends of a process's streams" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import array, socket
		def stdio(exec_id=""):
		    """The answer, and the fds that came with it."""
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
		    s.connect(t.address.removeprefix("unix://"))
		    s.sendall(frame(1, request("berth.shim.v1.Shim", "Stdio",
		                               own_messages.StdioRequest(id=t.id, exec_id=exec_id).SerializeToString(), METADATA)))
		    data, control, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(12))
		    s.close()
		    got = array.array("i")
		    for _, _, c in control:
		        got.frombytes(c)
		    answer = own_messages.StdioResponse.FromString(ttrpc_pb2.Response.FromString(data[10:]).payload)
		    return answer, list(got)
		held = {"stdin": "held://", "stdout": "held://", "stderr": "held://"}
		before = None
		t = Task("sh", "-c", "read x; echo out \$x; echo err >&2; exec cat")
		t.run(**held)
		a, (i, o, e) = stdio()
		eq((a.stdin, a.stdout, a.stderr, a.terminal), (True, True, True, False))
		os.write(i, b"word\\n")
		eq(os.read(o, 99), b"out word\\n")
		eq(os.read(e, 99), b"err\\n")
		eq(stdio()[1], []) # once
		os.write(i, b"more")
		eq(os.read(o, 99), b"more")
		os.close(i)
		eq(os.read(o, 99), b"")
		eq(t.Wait().exit_status, 0)
		for fd in (o, e):
		    os.close(fd)
		t.Delete()
		t = Task().run()
		before = fds(t.shim)
		t.exec("x", "sh", "-c", "tty; read x; echo got \$x", terminal=True, **held)
		a, (m,) = stdio("x")
		assert a.terminal
		until(lambda: b"/dev/pts" in os.read(m, 99))
		os.write(m, b"typed\\n")
		eq(t.Wait(exec_id="x").exit_status, 0)
		os.close(m)
		t.Delete(exec_id="x")
		t.add("y", "cat", **held) # nobody takes them: CloseIO, and Delete closes all
		t.Start(exec_id="y")
		t.CloseIO(exec_id="y", stdin=True)
		eq(t.Wait(exec_id="y").exit_status, 0)
		t.Delete(exec_id="y")
		until(lambda: fds(t.shim) <= before)
	PY
}

@test "shim: its journal stays for some minutes after it, and not for ever" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import time
		def kept():
		    return [f for f in glob.glob(GONE + "/*/*/events") if t.address.rpartition("/")[2] in f]
		def life(**kw):
		    global t
		    t = Task("true")
		    t.launch(**kw)
		    t.run()
		    t.Wait()
		    t.Delete()
		    t.Shutdown()
		    gone(t.shim)
		minute = int(time.time() / 60)
		os.makedirs(GONE + "/%d/old.1" % (minute - 7))
		open(GONE + "/%d/old.1/events" % (minute - 7), "w").close()
		os.makedirs(GONE + "/%d/young.1" % (minute - 3), exist_ok=True)
		life()
		eq(len(kept()), 1)
		within(open(kept()[0], "rb").read(), b"/tasks/delete")
		assert not os.path.exists(GONE + "/%d" % (minute - 7))
		assert os.path.exists(GONE + "/%d/young.1" % (minute - 3))
		conf = IT + "/shim.json"
		open(conf, "w").write('{"keep_events": 0}')
		life(env={"BERTH_SHIM_CONFIG": conf})
		eq(kept(), [])
		os.unlink(conf)
	PY
}
