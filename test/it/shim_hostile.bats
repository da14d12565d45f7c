#!/usr/bin/env bats
# shim_hostile.bats: what no daemon sends: broken frames and messages, strange
# streams, clients that do not read, and very many calls at once. Whatever
# happens to the connection, the shim goes on, and others notice nothing.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

# What every one of these tests begins with, and what must hold at its end.
WITH='
t = Task().run()
def raw():
    return Raw(t.address)
def call(method, **fields):
    return request(V2, method, message(method, **{"id": t.id, **fields}).SerializeToString(), METADATA)
def unharmed():
    began = time.monotonic()
    eq((t.status(), t.Connect().shim_pid), (RUNNING, t.shim))
    assert time.monotonic() - began < 20
    with_new = raw()
    eq(with_new.ask(1, call("State")), (1, OK, ""))
    with_new.close()
def rss():
    with open("/proc/%d/status" % t.shim) as f:
        return int(next(l for l in f if l.startswith("VmRSS")).split()[1])
'

@test "shim: bytes that are no frame" {
	shim <<-PY
		$WITH
		import random
		random.seed(4)
		for data in (b"", b"x", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 4096, b"\0" * 4096, random.randbytes(70000)):
		    r = raw()
		    r.send(data)
		    unharmed()
		    r.close()
		    unharmed()
	PY
}

@test "shim: a frame in pieces, and one that never ends" {
	shim <<-PY
		$WITH
		r, whole = raw(), frame(1, call("State"))
		for i in range(len(whole)):
		    r.send(whole[i:i + 1])
		eq(r.answer(), (1, OK, ""))
		r.send(frame(3, call("State")) + frame(5, call("Connect")) + frame(7, call("State"))[:20])
		eq(sorted([r.answer(), r.answer()]), [(3, OK, ""), (5, OK, "")])
		assert r.silent(0.3)
		unharmed()
		r.send(frame(7, call("State"))[20:])
		eq(r.answer(), (7, OK, ""))
		half = raw()
		half.send(whole[:15])
		half.close()
		unharmed()
	PY
}

@test "shim: a frame that is too long is refused, and the connection goes on" {
	shim <<-PY
		$WITH
		r, before = raw(), rss()
		for stream, size in ((1, MAX_PAYLOAD + 1), (3, MAX_PAYLOAD + 100000)):
		    got = r.ask(stream, b"x" * size)
		    eq(got[:2], (stream, EXHAUSTED))
		    within(got[2], str(MAX_PAYLOAD))
		eq(r.ask(5, call("State")), (5, OK, ""))
		unharmed()
		if OURS:
		    assert rss() - before < 200, "%d KiB more" % (rss() - before)
	PY
}

@test "shim: a length that is a lie makes nobody wait and needs no memory" {
	shim <<-PY
		$WITH
		before, conns = rss(), []
		for _ in range(20):
		    r = raw()
		    conns.append(r)
		    r.send(HEADER.pack(0xffffffff, 1, REQUEST, 0) + b"x" * 1000)
		unharmed()
		for _ in range(20):
		    r = raw()
		    conns.append(r)
		    r.send(HEADER.pack(MAX_PAYLOAD, 1, REQUEST, 0) + b"x" * 1000)
		unharmed()
		if OURS:
		    assert rss() - before < 2048, "%d KiB more" % (rss() - before)
		for r in conns:
		    r.close()
	PY
}

@test "shim: the largest frame that is allowed" {
	shim <<-PY
		$WITH
		r = raw()
		pad = call("State", exec_id="y" * (MAX_PAYLOAD - len(call("State")) - 200))
		assert MAX_PAYLOAD - 1000 < len(pad) <= MAX_PAYLOAD
		eq(r.ask(1, pad)[:2], (1, NOT_FOUND))
		eq(r.ask(3, call("State")), (3, OK, ""))
		unharmed()
	PY
}

@test "shim: stream numbers that are even, zero, used, or go back" {
	shim <<-PY
		$WITH
		for first, second in ((2, None), (0, None), (5, 3), (5, 5)):
		    r = raw()
		    if second is None:
		        r.send(frame(first, call("State")))
		    else:
		        eq(r.ask(first, call("State")), (first, OK, ""))
		        r.send(frame(second, call("State")))
		    got = r.answer() # an error or a hang-up, but not the answer
		    assert not got or got[1] != OK or not OURS and second, got # 1.6 wants them odd, no more
		    r.close()
		    unharmed()
		# A number of a call that is under way is not a new call.
		r = raw()
		r.send(frame(1, call("Wait")))
		r.send(frame(1, call("State")))
		got = r.answer()
		assert not got or got[1] != OK or not OURS, got
		unharmed()
	PY
}

@test "shim: frames of other types and with flags" {
	shim <<-PY
		$WITH
		for kind, flags in ((RESPONSE, 0), (DATA, 0), (DATA, 4), (0, 0), (77, 0), (255, 255)):
		    r = raw()
		    r.send(frame(1, call("State"), kind, flags))
		    # Ignored, refused, or the end of this connection.
		    r.sock.settimeout(0.1)
		    try:
		        got = r.answer()
		        assert not got or got[1] != OK, (kind, flags, got)
		    except TimeoutError:
		        pass
		    r.close()
		    unharmed()
	PY
}

@test "shim: services and methods that there are not" {
	shim <<-PY
		$WITH
		r = raw()
		names = (("containerd.task.v2.Task", "NoSuchMethod"), ("no.such.Service", "State"), ("", ""), (V2, ""), ("", "State"),
		    ("x" * 100000, "y" * 100000), (V2 + "/State", "State"), (V2, "state"))
		for i, (service, method) in enumerate(names):
		    got = r.ask(2 * i + 1, request(service, method, b"", METADATA))
		    eq(got[:2], (2 * i + 1, UNIMPLEMENTED))
		    assert got[2] or not OURS
		eq(r.ask(99, call("State")), (99, OK, ""))
		unharmed()
	PY
}

@test "shim: messages that cannot be read" {
	shim <<-PY
		$WITH
		r, n = raw(), 1
		envelope = (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x0b" * 5000, b"\x0a\x02\xff\xfe")
		for data in envelope:
		    got = r.ask(n, data)
		    if not got: # that much may end the connection
		        r, n = raw(), 1
		    else:
		        assert got[0] == n and got[1] != OK, got
		        n += 2
		    unharmed()
		for payload in envelope + (b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",):
		    for method in ("State", "Create", "Exec", "Kill", "Update"):
		        got = r.ask(n, request(V2, method, payload, METADATA))
		        assert got and got[0] == n and got[1] in (INVALID, UNKNOWN, NOT_FOUND, INTERNAL), (method, payload, got)
		        n += 2
		if OURS: # at a NUL the id would end
		    got = r.ask(n, request(V2, "State", b"\x0a\x03a\0b", METADATA))
		    assert got and got[:2] == (n, INVALID), got
		    n += 2
		unharmed()
		eq(r.ask(n, call("State")), (n, OK, ""))
	PY
}

@test "shim: answers stay readable whatever the ids are" {
	shim <<-PY
		$WITH
		r, n = raw(), 1
		bad = b"\x0a\x04a\xff\xfeb", b"\x0a\x03\xed\xa0\x80", b"\x0a\x02\xc0\x80"
		for payload in bad: # text that is not UTF-8: Python refuses such an answer
		    got = r.ask(n, request(V2, "State", payload, METADATA))
		    assert got[1] in (INVALID, UNKNOWN, NOT_FOUND, INTERNAL), got
		    n += 2
		for name in ("\n\n", "%s%n", "x" * 70000, "\u202e"):
		    got = r.ask(n, call("State", exec_id=name))
		    eq(got[:2], (n, NOT_FOUND))
		    n += 2
		unharmed()
	PY
}

# bats test_tags=nosan
@test "shim: ten thousand calls of Wait at once" {
	shim <<-PY
		$WITH
		before, began = rss(), time.monotonic()
		conns = [Conn(t.address, METADATA) for _ in range(4)]
		waits = [conns[i % 4].begin(V2, "Wait", message("Wait", id=t.id), ANSWERS["Wait"]) for i in range(10000)]
		unharmed()
		more = rss() - before
		if OURS:
		    assert more < 8192, "%d KiB more" % more
		assert not any(w.done.is_set() for w in waits)
		# Half of them go away before the answer.
		conns[0].close(), conns[1].close()
		unharmed()
		t.Kill(signal=KILL)
		for i, w in enumerate(waits):
		    if i % 4 > 1:
		        eq(w.result(30).exit_status, 137)
		for c in conns:
		    assert not c.strange, c.strange[:3]
		    c.close()
		eq(t.status(), STOPPED)
		until(lambda: fds(t.shim) <= (10 if OURS else 40), 30, "%d fds" % fds(t.shim))
	PY
}

# bats test_tags=nosan
@test "shim: a client that sends but does not read stops only itself" {
	shim <<-PY
		$WITH
		before, r = rss(), raw()
		r.sock.settimeout(1)
		data = b"".join(frame(2 * i + 1, call("State")) for i in range(2000))
		sent = 0
		try:
		    for _ in range(60):
		        r.sock.sendall(data)
		        sent += 1
		        base = sent * 4000
		        data = b"".join(frame(base + 2 * i + 1, call("State")) for i in range(2000))
		except (TimeoutError, BrokenPipeError, ConnectionResetError):
		    pass # it has stopped taking them, or has hung up
		unharmed()
		if OURS:
		    assert rss() - before < 16384, "%d KiB more after %d x 2000 calls" % (rss() - before, sent)
		eq(t.kill(), 137)
	PY
}

@test "shim: very many connections, and none stays" {
	shim <<-PY
		$WITH
		before = fds(t.shim)
		conns = []
		for _ in range(300):
		    try:
		        conns.append(raw())
		    except OSError: # it may have enough
		        break
		eq(t.status(), RUNNING)
		for r in conns:
		    r.close()
		until(lambda: fds(t.shim) <= before, 30, "%d fds, before: %d" % (fds(t.shim), before))
		unharmed()
	PY
}

@test "shim: a connection that is cut during a call: the call is done, nothing is leaked" {
	shim <<-PY
		$WITH
		before = fds(t.shim)
		for i in range(10):
		    r = raw()
		    r.send(frame(1, call("Exec", exec_id="x%d" % i, spec=program("true"))) + frame(3, call("Start", exec_id="x%d" % i)) +
		        frame(5, call("Wait", exec_id="x%d" % i)))
		    r.close() if i % 2 else time.sleep(0.05)
		for i in range(10):
		    if ("exec-added x%d" % i) in EVENTS.said(t.id) and t.status("x%d" % i) != CREATED:
		        t.Wait(exec_id="x%d" % i)
		unharmed()
		r = None
		until(lambda: t.Pids().processes[-1].pid == t.pid, 30)
	PY
}

# bats test_tags=nosan
@test "shim: more operations than it has in progress at a time are refused, without harm" {
	ours_only 'it has no limit'
	shim <<-PY
		pids = IT + "/hung-pids"
		t = Task(group="full")
		runtime = t.script('case " \$* " in *" exec "*) echo \$\$ >>%s; exec sleep 1000;; esac' % pids, 'exec $PEER "\$@"')
		t.create(options=options(binary_name=runtime)).start()
		ended, fresh = Task("sh", "-c", "exit 3", group="full").run(), Task(group="full").launch()
		eq(ended.Wait().exit_status, 3)
		starts = []
		for n in range(257):
		    t.add("x%d" % n, "true", stdout="", stderr="")
		for n in range(256):
		    starts.append(t.begin("Start", exec_id="x%d" % n))
		until(lambda: os.path.exists(pids) and len(open(pids).read().split()) == 256, 60)
		fds_before = fds(t.shim)
		t.refuses(*[(EXHAUSTED, "256 operations are in progress: resource exhausted", *call) for call in (
		    ("Start", {"exec_id": "x256"}), ("Pause",), ("Pids",), ("Stats",), ("Kill", {"signal": 15, "all": True}),
		    ("Update", {"resources": limits(pids={"limit": 50})}))])
		eq(t.status("x256"), CREATED)
		fresh.fails(EXHAUSTED, "resource exhausted", "Create", bundle=fresh.bundle)
		fresh.fails(NOT_FOUND, "not found", "State")
		eq(fds(t.shim), fds_before)
		# What ends something is not refused.
		eq(ended.Delete().exit_status, 3)
		t.allows(("Kill", {"signal": 0}), ("State",))
		for pid in open(pids).read().split():
		    os.kill(int(pid), KILL)
		for s in starts:
		    within(s.status(30)[1], "OCI runtime exec failed")
		eq(len(t.Pids().processes), 1)
		fresh.run()
		w = t.begin("Start", exec_id="x256") # it was not spent
		until(lambda: len(open(pids).read().split()) == 257)
		os.kill(int(open(pids).read().split()[-1]), KILL)
		within(w.status(10)[1], "OCI runtime exec failed")
		eq(t.kill(), 137)
		os.unlink(pids)
	PY
}

@test "shim: Create of one id by many at once: one does it" {
	shim <<-'PY'
		t = Task().launch()
		conns = [Conn(t.address, METADATA) for _ in range(5)]
		calls = [c.begin(V2, "Create", message("Create", id=t.id, bundle=t.bundle), ANSWERS["Create"]) for c in conns for _ in range(3)]
		got = [c.status(20) for c in calls]
		eq(sum(code == OK for code, _ in got), 1)
		assert OURS is False or all(code in (OK, EXISTS) for code, _ in got), got
		s = t.State()
		eq(s.status, CREATED)
		t.pid, t.created = s.pid, True
		t.start()
		EVENTS.wait(t.id, "start")
		eq([x.split()[0] for x in EVENTS.said(t.id)].count("create"), 1)
	PY
}

@test "shim: Start of one process by many at once: one does it" {
	shim <<-'PY'
		t = Task().create()
		got = [c.status(20)[0] for c in [t.begin("Start") for _ in range(10)]]
		eq(got.count(OK), 1)
		t.add("x", "sleep", "100")
		got = [c.status(20)[0] for c in [t.begin("Start", exec_id="x") for _ in range(10)]]
		eq(got.count(OK), 1)
		eq(len(t.Pids().processes), 2)
		EVENTS.wait(t.id, "exec-started", "x")
		eq([s for s in EVENTS.said(t.id) if "started" in s or s == "start"], ["start", "exec-started x"])
	PY
}

@test "shim: Delete by many at once, and kill beside it: one does it" {
	shim <<-'PY'
		for n in range(5):
		    t = Task(group="many").run()
		    t.exec("x", "sleep", "100")
		    t.begin("Kill", signal=9)
		    calls = []
		    until(lambda: calls.append(t.begin("Delete")) or calls[-1].status(20)[0] == OK or len(calls) > 300, 30)
		    more = [t.begin("Delete") for _ in range(5)]
		    eq(sum(c.status(20)[0] == OK for c in calls + more), 1)
		    eq([c.status(20)[0] for c in more], [NOT_FOUND] * 5)
		    EVENTS.wait(t.id, "delete")
		    eq([s.split()[0] for s in EVENTS.said(t.id) if "x" not in s.split()], ["create", "start", "exit", "delete"])
	PY
}

@test "shim: an exec that is deleted and added again at once is another one" {
	shim <<-'PY'
		t = Task().run()
		for n in range(25):
		    pid = t.exec("x", "sh", "-c", "exit %d" % n)
		    eq(t.Wait(exec_id="x").exit_status, n)
		    d = t.Delete(exec_id="x")
		    eq((d.pid, d.exit_status), (pid, n))
	PY
}

@test "shim: execs and a kill of the container at random moments" {
	shim <<-'PY'
		import random
		random.seed(7)
		for n in range(6 if OURS else 2):
		    t = Task(group="storm").run()
		    for i in range(8):
		        t.add("x%d" % i, *random.choice((("true",), ("sleep", "0.02"), ("sleep", "100"), ("no-such",))))
		    starts = [t.begin("Start", exec_id="x%d" % i) for i in range(8)]
		    waits = [t.begin("Wait", exec_id="x%d" % i) for i in range(8)]
		    time.sleep(random.random() * (0.05 if OURS else 0.5))
		    t.Kill(signal=KILL)
		    eq(t.Wait(timeout=30).exit_status, 137)
		    ok = [s.status(20)[0] == OK for s in starts]
		    EVENTS.wait(t.id, "exit", timeout=30)
		    for i in range(8): # who was started has ended, and that was told
		        if ok[i]:
		            waits[i].result(30)
		            eq(t.status("x%d" % i), STOPPED)
		            EVENTS.wait(t.id, "exit", "x%d" % i)
		        t.Delete(exec_id="x%d" % i)
		    t.Delete()
	PY
}
