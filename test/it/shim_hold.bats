#!/usr/bin/env bats
# shim_hold.bats: berth.shim.v1.Shim/Hold and Release: tasks that live as long as
# a connection holds them, however that ends.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

WITH='
import berth_shim_pb2 as own_messages
import random
KEEP, CLOSED, TERMINATE = own_messages.KEEP, own_messages.CLOSED, own_messages.TERMINATE
OWN = "berth.shim.v1.Shim"
def begin(t, method, conn=None, **fields):
    answer = wellknown_pb2.Empty if method == "Release" else getattr(own_messages, method + "Response")
    return (conn or t.conn).begin(OWN, method, getattr(own_messages, method + "Request")(id=t.id, **fields), answer)
def hold(t, lifetime=0, conn=None, **fields):
    a = begin(t, "Hold", conn, lifetime=lifetime, **fields).result()
    return a.lifetime, a.holders
def release(t, conn=None, timeout=30):
    begin(t, "Release", conn).result(timeout)
def properties(t):
    return begin(t, "Properties").result()
def other(t):
    return Conn(t.address, METADATA)
def holder(t, lifetime, **fields):
    """A process that holds, and does nothing else: kill -9 closes its connection."""
    s = dial(t.address)
    q = own_messages.HoldRequest(id=t.id, lifetime=lifetime, **fields)
    s.sendall(frame(1, request(OWN, "Hold", q.SerializeToString(), METADATA)))
    r = ttrpc_pb2.Response.FromString(read_frame(s)[3])
    eq(r.status.code, OK)
    p = subprocess.Popen(["sleep", "1000"], pass_fds=[s.fileno()])
    s.close()
    return p
def die(p):
    p.kill()
    p.wait()
def nothing_left(t, shim=True, timeout=30):
    until(lambda: not os.path.exists(t.bundle), timeout, "the bundle is still there")
    if t.pid:
        gone(t.pid)
    if shim:
        gone(t.shim, timeout)
        assert not os.path.exists(t.address.removeprefix("unix://"))
    eq(t.cgroup_dirs(), [])
    t.created = False
'

@test "shim: hold: the answers" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task().run()
		p = properties(t)
		eq((p.lifetime, p.holders), (KEEP, 0))
		eq(hold(t), (KEEP, 1))
		eq(hold(t), (KEEP, 1)) # once for a connection
		c = other(t)
		eq(hold(t, TERMINATE, conn=c), (TERMINATE, 2))
		eq(hold(t), (TERMINATE, 2))
		p = properties(t)
		eq((p.lifetime, p.holders), (TERMINATE, 2))
		eq(hold(t, KEEP, bundle=t.bundle), (KEEP, 2))
		release(t, c)
		eq(begin(t, "Release", c).status()[0], NOT_FOUND) # once
		eq(hold(t), (KEEP, 1))
		release(t)
		eq(t.status(), RUNNING)
		for fields, code in (({"lifetime": 4}, INVALID), ({"lifetime": -1}, INVALID), ({"bundle": "relative"}, INVALID),
		                     ({"bundle": t.bundle + "x"}, EXISTS)):
		    eq((fields, begin(t, "Hold", **fields).status()[0]), (fields, code))
		u = Task()
		u.conn, u.address = t.conn, t.address
		eq(begin(u, "Hold").status()[0], NOT_FOUND)
		eq(begin(u, "Release").status()[0], NOT_FOUND)
		u.id = "../x"
		eq(begin(u, "Hold", bundle=u.bundle).status()[0], INVALID)
		u.conn = u.address = None
		eq(properties(t).holders, 0)
	PY
}

@test "shim: hold: nobody gave a lifetime: it stays until it is deleted" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("true").run()
		c = other(t)
		hold(t, conn=c)
		t.stopped()
		c.close()
		die(holder(t, 0))
		until(lambda: properties(t).holders == 0)
		eq(t.status(), STOPPED)
		eq(t.Delete().exit_status, 0)
		assert os.path.exists(t.bundle)
	PY
}

@test "shim: hold: CLOSED: it goes when it has stopped and the last holder goes, whichever comes last" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		# the holder last
		t = Task("sh", "-c", "exit 7").run()
		c = other(t)
		hold(t, CLOSED)
		hold(t, conn=c)
		t.stopped()
		eq(t.status(), STOPPED) # and that as long as anybody holds it
		release(t)
		eq(t.status(), STOPPED)
		c.close()
		nothing_left(t)
		EVENTS.tell(t.id, ["create", "start", "exit 7", "delete 7"])
		# the end last
		t = Task("sleep", "1000").run()
		die(holder(t, CLOSED))
		until(lambda: properties(t).holders == 0)
		time.sleep(0.2)
		eq(t.status(), RUNNING)
		os.kill(t.pid, KILL)
		nothing_left(t)
		EVENTS.tell(t.id, ["create", "start", "exit 137", "delete 137"])
		# never started: a created one has not stopped
		t = Task().create()
		die(holder(t, CLOSED))
		until(lambda: properties(t).holders == 0)
		t.start()
		t.Kill(signal=KILL)
		nothing_left(t)
	PY
}

@test "shim: hold: the lifetime of one that has stopped becomes CLOSED, and nobody else holds it" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("true").run().stopped()
		eq(hold(t, CLOSED), (CLOSED, 1))
		release(t)
		nothing_left(t)
		eq(EVENTS.said(t.id)[-1], "delete 0")
	PY
}

@test "shim: hold: TERMINATE: the death of the last holder kills it, in every state" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		for state in ("created", "running", "paused", "stopped"):
		    t = Task("sleep", "1000").create()
		    a, b = holder(t, TERMINATE), holder(t, 0)
		    if state != "created":
		        t.start()
		        t.exec("x", "sleep", "1000")
		    if state == "paused":
		        t.Pause()
		    if state == "stopped":
		        t.kill()
		    die(a)
		    until(lambda: properties(t).holders == 1)
		    eq(properties(t).processes[0].state, state)
		    die(b)
		    nothing_left(t)
		    said = EVENTS.said(t.id)
		    eq((state, said[-2:]), (state, ["exit 137", "delete 137"]))
		    if state in ("running", "paused"):
		        assert "exit x 137" in said, said
	PY
}

@test "shim: hold: Release answers when all is gone, and the id is free" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		for n in range(5):
		    t = Task("sleep", "1000", id="again").run()
		    hold(t, TERMINATE)
		    release(t)
		    assert not os.path.exists(t.bundle) and not alive(t.pid)
		    eq(t.cgroup_dirs(), [])
		    gone(t.shim)
		    t.created = False
		    until(lambda: EVENTS.said(t.id)[-2:] == ["exit 137", "delete 137"])
		    os.close(t.log_fd)
		    t.log_fd = None
		    Task.every.remove(t)
	PY
}

@test "shim: hold: one of several in a shim goes alone" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		a = Task(group="pod").run()
		b = Task(group="pod").run()
		eq(a.shim, b.shim)
		d = holder(a, TERMINATE)
		e = holder(b, TERMINATE)
		die(d)
		nothing_left(a, shim=False)
		eq(b.status(), RUNNING)
		eq(begin(a, "Release").status()[0], NOT_FOUND)
		die(e)
		nothing_left(b)
	PY
}

@test "shim: hold: before Create: the creator dies before, while and after it" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		# before
		for lifetime in (CLOSED, TERMINATE):
		    t = Task().launch()
		    p = holder(t, lifetime, bundle=t.bundle)
		    t.conn.close()
		    die(p)
		    nothing_left(t)
		    eq(EVENTS.said(t.id), [])
		# with KEEP nothing is removed
		t = Task().launch()
		die(holder(t, KEEP, bundle=t.bundle))
		time.sleep(0.2)
		assert os.path.exists(t.bundle + "/config.json") and alive(t.shim)
		t.run() # and a later Create has nothing of it
		eq(properties(t).lifetime, KEEP)
		# while
		def slow(c):
		    c["hooks"] = {"createRuntime": [{"path": t.script("cat >/dev/null", "echo >%s/begun" % IT, "until [ -e %s/go ]; do sleep 0.01; done" % IT)}]}
		t = Task()
		with open(t.bundle + "/config.json") as f:
		    c = json.load(f)
		slow(c)
		with open(t.bundle + "/config.json", "w") as f:
		    json.dump(c, f)
		t.launch()
		p = holder(t, TERMINATE, bundle=t.bundle)
		call = t.begin("Create", bundle=t.bundle)
		until(lambda: os.path.exists(IT + "/begun"))
		die(p)
		time.sleep(0.2)
		assert os.path.exists(t.bundle)
		open(IT + "/go", "w").close()
		t.pid = call.result().pid
		nothing_left(t)
		EVENTS.tell(t.id, ["create", "exit 137", "delete 137"])
		os.unlink(IT + "/begun")
		os.unlink(IT + "/go")
		# after
		t = Task().launch()
		p = holder(t, TERMINATE, bundle=t.bundle)
		t.run()
		eq((properties(t).lifetime, properties(t).holders), (TERMINATE, 1))
		die(p)
		nothing_left(t)
	PY
}

@test "shim: hold: a Create that fails leaves it held, and it may be tried again" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		for again in (True, False):
		    t = Task().launch()
		    eq(hold(t, TERMINATE, bundle=t.bundle), (TERMINATE, 1))
		    os.rename(t.bundle + "/config.json", t.bundle + "/c")
		    t.fails(UNKNOWN, "config.json", "Create", bundle=t.bundle)
		    eq(begin(t, "Hold").status()[0], NOT_FOUND)
		    eq(hold(t, bundle=t.bundle), (TERMINATE, 1))
		    os.rename(t.bundle + "/c", t.bundle + "/config.json")
		    t.fails(EXISTS, "is held with the bundle", "Create", bundle="/elsewhere")
		    if again:
		        t.run()
		        eq((properties(t).lifetime, properties(t).holders), (TERMINATE, 1))
		    release(t)
		    nothing_left(t)
	PY
}

@test "shim: hold: deleted by somebody else: the holders are told that it is not there" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("true").run().stopped()
		c = other(t)
		hold(t, TERMINATE, conn=c)
		eq(t.Delete().exit_status, 0)
		eq(begin(t, "Release", c).status()[0], NOT_FOUND)
		eq(begin(t, "Hold", c).status()[0], NOT_FOUND)
		EVENTS.tell(t.id, ["create", "start", "exit 0", "delete 0"])
		# Whoever deleted it does the rest, too; the next of this name is held by nobody.
		assert os.path.exists(t.bundle)
		eq(t.conn.lost, False)
		t.run()
		eq((properties(t).lifetime, properties(t).holders), (KEEP, 0))
		c.close()
		eq(t.Wait().exit_status, 0)
		# While the shim is at it, it is not there either, and its name not free.
		t = Task("sleep", "1000", config=lambda c: c.update(hooks={"poststop": [{"path": "/bin/sleep", "args": ["sleep", "2"]}]})).run()
		hold(t, TERMINATE)
		c = other(t)
		call = begin(t, "Release")
		t.begin("State").status() # on the same connection: Release is read before c is
		until(lambda: begin(t, "Hold", c).status()[0] == NOT_FOUND)
		eq(begin(t, "Hold", c, bundle=t.bundle).status()[0], NOT_FOUND)
		t.fails(EXISTS, "", "Create", bundle=t.bundle)
		t.fails(STATE_ERROR, "", "Delete")
		call.result()
		nothing_left(t)
	PY
}

# A program that looks for a task while it is made hears that it is not there, and ends the shim.
@test "shim: hold: Shutdown while a task that nobody holds is ended: the shim ends after it" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		slow = ["sh", "-c", "until [ -e %s/go ]; do sleep 0.01; done" % IT]
		t = Task("sleep", "1000", config=lambda c: c.update(hooks={"poststop": [{"path": "/bin/sh", "args": slow}]})).launch()
		p = holder(t, TERMINATE, bundle=t.bundle)
		t.run()
		die(p)
		until(lambda: t.status() == STOPPED)
		t.Shutdown()
		assert not os.path.exists(t.address.removeprefix("unix://"))
		assert alive(t.shim) and os.path.exists(t.bundle)
		open(IT + "/go", "w").close()
		nothing_left(t)
		EVENTS.tell(t.id, ["create", "start", "exit 137", "delete 137"])
		os.unlink(IT + "/go")
	PY
}

@test "shim: hold: what cannot be removed is the answer of Release, and is tried again" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		conf = IT + "/shim.json"
		with open(conf, "w") as f:
		    json.dump({"mount_namespace": False}, f)
		t = Task("sleep", "1000")
		os.mkdir(t.bundle + "/sub")
		os.mkdir(t.bundle + "/other")
		open(t.bundle + "/other/file", "w").close()
		t.launch(env={"BERTH_SHIM_CONFIG": conf})
		t.run()
		# a mount of the same file system: what is in it is somebody's
		subprocess.run(["mount", "--bind", t.bundle + "/other", t.bundle + "/sub"], check=True)
		os.rename(t.bundle + "/other", IT + "/saved")
		hold(t, TERMINATE)
		code, text = begin(t, "Release").status()
		assert code != OK and t.bundle in text, (code, text)
		eq(EVENTS.wait(t.id, "delete").m.exit_status, 137)
		eq(os.listdir(IT + "/saved"), ["file"])
		eq(begin(t, "Hold").status()[0], NOT_FOUND)
		subprocess.run(["umount", t.bundle + "/sub"], check=True)
		nothing_left(t)
		shutil.rmtree(IT + "/saved")
		os.remove(conf)
	PY
}

@test "shim: hold: a client that is killed at any moment leaves nothing" {
	ours_only 'it has none'
	cat >"$BATS_TEST_TMPDIR/creator.py" <<-'PY'
		import json, os, sys
		sys.path.insert(0, os.environ["IT_TOP"] + "/test/shim")
		sys.path.insert(0, os.environ["IT_OUT"] + "/api")
		import berth_shim_pb2, task_pb2, wellknown_pb2
		from ttrpc import *
		a = json.load(open(sys.argv[1]))
		c = Conn(a["address"], [tuple(m) for m in a["metadata"]])
		def call(service, method, request, response):
		    sys.stdin.readline()
		    c.begin(service, method, request, response).result()
		    print(method, flush=True)
		task = "containerd.task.v2.Task"
		call("berth.shim.v1.Shim", "Hold", berth_shim_pb2.HoldRequest(id=a["id"], lifetime=3, bundle=a["bundle"]),
		     berth_shim_pb2.HoldResponse)
		call(task, "Create", task_pb2.CreateTaskRequest(id=a["id"], bundle=a["bundle"]), task_pb2.CreateTaskResponse)
		call(task, "Start", task_pb2.StartRequest(id=a["id"]), task_pb2.StartResponse)
		call(task, "Pause", task_pb2.PauseRequest(id=a["id"]), wellknown_pb2.Empty)
		call(task, "Resume", task_pb2.ResumeRequest(id=a["id"]), wellknown_pb2.Empty)
		call(task, "Kill", task_pb2.KillRequest(id=a["id"], signal=9), wellknown_pb2.Empty)
		call(task, "Wait", task_pb2.WaitRequest(id=a["id"]), task_pb2.WaitResponse)
		call("berth.shim.v1.Shim", "Release", berth_shim_pb2.ReleaseRequest(id=a["id"]), wellknown_pb2.Empty)
	PY
	CREATOR=$BATS_TEST_TMPDIR/creator.py ROUNDS=$([ -z "${BERTH_SOAK:-}" ] && echo 25 || echo 500) IT_TOP=$IT_TOP shim <<-PY
		$WITH
		far = set()
		for n in range(int(os.environ["ROUNDS"])):
		    t = Task("sleep", "1000")
		    t.launch()
		    with open(IT + "/args", "w") as f:
		        json.dump({"address": t.address, "metadata": METADATA, "id": t.id, "bundle": t.bundle}, f)
		    p = subprocess.Popen([sys.executable, os.environ["CREATOR"], IT + "/args"],
		                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
		    for answered in range(1 + n % 7):
		        p.stdin.write(b"\\n")
		        assert p.stdout.readline() != b""
		    p.stdin.write(b"\\n") # it is killed while the next one is done, or soon after
		    time.sleep(random.uniform(0, 0.005))
		    die(p)
		    nothing_left(t)
		    said = EVENTS.said(t.id)
		    far.add(len(said))
		    if said:
		        eq(said[-2:], ["exit 137", "delete 137"])
		    t.conn.close()
		print(sorted(far))
		assert len(far) > 2, "always at the same moment"
	PY
}

# The sanitizers keep what is freed.
# bats test_tags=nosan
@test "shim: hold: fds and memory do not grow" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task().run()
		def round():
		    conns = [other(t) for n in range(20)]
		    for c in conns:
		        hold(t, conn=c)
		    for c in conns[::2]:
		        release(t, c)
		    for c in conns:
		        c.close()
		    until(lambda: properties(t).holders == 0)
		def rss():
		    with open("/proc/%d/statm" % t.shim) as f:
		        return int(f.read().split()[1])
		round()
		before = fds(t.shim), rss()
		for n in range(20):
		    round()
		until(lambda: fds(t.shim) <= before[0])
		assert rss() <= before[1] + 8, (before, rss())
	PY
}
