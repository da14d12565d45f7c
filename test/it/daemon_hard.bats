#!/usr/bin/env bats
# daemon_hard.bats: the daemon where it is hard: no space, no descriptors, clocks that
# are set, wrong and huge requests, damaged files, what systemd does, who else uses
# its state, and what hundreds of lives leave in it.
# bats file_tags=long

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up && daemon_ctl; }
teardown_file() { daemon_down; }

# ---- space ------------------------------------------------------------------

@test "hard: a full disk is an error of the call, loses nothing, and is forgotten when there is space" {
	hard <<-'PY'
		with Small("4m") as small:
		    DAEMON.stop()
		    DAEMON.configure(root=small.path + "/root")
		    with open(small.path + "/.filler", "wb") as f:
		        f.write(b"x" * (2 << 20))
		    DAEMON.start()
		    n = 0
		    def create(labels=None):
		        global n
		        n += 1
		        Containers.Create(container=container("c%d" % n, labels=labels or {}))
		        there.append("c%d" % n)
		    there = []
		    create()
		    Leases.Create(id="l")
		    def failed(call, *a, **k):
		        try:
		            call(*a, **k)
		        except grpc.RpcError as e:
		            within(e.details(), "full")
		            assert e.code() not in (NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT, UNAVAILABLE), e
		            return True
		        return False
		    def until_full():
		        for _ in range(2000):
		            if failed(create, {"l%d" % i: "v" * 4000 for i in range(8)}):
		                return
		        raise AssertionError("it is never full")
		    until_full()
		    small.fill()
		    for _ in range(3):
		        until_full()
		    much = {"l%d" % i: "v" * 4000 for i in range(100)} # what is small has room where something was undone
		    assert failed(Leases.Create, id="m", labels=much)
		    assert failed(Namespaces.Create, namespace={"name": "other", "labels": much})
		    eq(ids(), sorted(there)) # reading goes on
		    eq([l.id for l in Leases.List().leases], ["l"])

		    # It is killed, and what was answered is there; a start without space does not take it for damaged.
		    DAEMON.stop(signal.SIGKILL)
		    small.fill()
		    try:
		        DAEMON.start()
		    except AssertionError:
		        DAEMON.refuses("meta.db")
		    else:
		        eq(ids(), sorted(there))
		        DAEMON.stop()
		    eq([x for x in os.listdir(small.path + "/root") if "damaged" in x], [])
		    small.free()
		    DAEMON.start()
		    eq(ids(), sorted(there))
		    DAEMON.stop()
		    DAEMON.start()
		    for id in there[1:]:
		        Containers.Delete(id=id)
		    del there[1:]
		    create(much)
		    Containers.Delete(id=there.pop())
		    DAEMON.stop()
		    DAEMON.start()
		    # A small disk is not used up by what is gone: the log of changes begins anew.
		    bad = sum(failed(create, much) or failed(Containers.Delete, id=there.pop()) for _ in range(25))
		    assert bad <= 12, bad
		    Leases.Create(id="m")
		    eq(ids(), sorted(there))
	PY
}

@test "hard: a state directory without space: Create says so and leaves nothing; what runs can be ended" {
	hard <<-'PY'
		with Small("4m") as small:
		    DAEMON.stop()
		    DAEMON.configure(engine={"state": small.path + "/state"})
		    small.fill()
		    DAEMON.start() # what was told is not kept then
		    DAEMON.stop()
		    small.free()
		    DAEMON.start()
		    runs, new = Task().run(), Task()
		    small.fill()
		    for _ in range(3):
		        try:
		            new.Create()
		            raise AssertionError("it is made")
		        except grpc.RpcError as e:
		            within(e.details(), "no space left on device")
		        eq(os.listdir(small.path + "/state/it"), [runs.id])
		    eq(runs.status(), RUNNING)
		    runs.Exec(exec_id="x", spec=program("sh", "-c", "exit 4"))
		    runs.Start(exec_id="x")
		    eq(runs.Wait(exec_id="x").exit_status, 4)
		    DAEMON.stop(signal.SIGKILL)
		    DAEMON.start()
		    eq((runs.status(), runs.kill()), (RUNNING, 137))
		    runs.remove()
		    eq(os.listdir(small.path + "/state/it"), [])
		    small.free()
		    new.run()
		    eq(new.kill(), 137)
		    new.remove()
	PY
}

@test "hard: a state directory that is removed or replaced: Create and the log say so; what runs can be ended" {
	hard <<-'PY'
		def said():
		    with open(IT_OUT + "/daemon.log") as f:
		        return f.read().count("no task is made: the state directory '%s' is " % state)
		def refused(words):
		    before = said()
		    try:
		        Task().Create()
		        raise AssertionError("it is made")
		    except grpc.RpcError as e:
		        eq(e.code(), FAILED_PRECONDITION)
		        within(e.details(), "the state directory '%s' is %s" % (state, words))
		    eq(said(), before + 1)
		DAEMON.stop()
		state = IT + "/s"
		DAEMON.configure(engine={"state": state})
		DAEMON.start()
		t = Task().run()
		os.rename(state, state + ".away")
		refused("gone: no such file or directory")
		os.mkdir(state)
		refused("another than at the start")
		eq((t.status(), t.id in [x.id for x in Tasks.List().tasks], os.listdir(state)), (RUNNING, True, []))
		os.rmdir(state)
		os.rename(state + ".away", state) # as if nothing had been
		u = Task().run()
		eq((t.kill(), u.kill()), (137, 137))
		t.remove()
		u.remove()
		v = Task().run()
		its_shim = shim(v)
		shutil.rmtree(state)
		refused("gone")
		eq((v.status(), v.kill()), (RUNNING, 137))
		DAEMON.stop()
		os.kill(its_shim, signal.SIGKILL) # nobody finds it any more
		DAEMON.start()
		Containers.Delete(id=v.id)
		w = Task().run()
		eq(w.kill(), 137)
		w.remove()
	PY
}

# bats test_tags=nosan
@test "hard: a disk that becomes read-only is an error of the call, and is forgotten when it is not" {
	hard <<-'PY'
		preload()
		DAEMON.stop()
		DAEMON.configure(root=IT + "/ro.dir/root")
		DAEMON.start()
		t = Task().run()
		was = ids()
		open(IT + "/ro", "w").close()
		for call, fields in ((Containers.Create, {"container": container("c")}), (Containers.Delete, {"id": t.id}),
		                     (Leases.Create, {"id": "l"}), (Namespaces.Create, {"namespace": {"name": "n"}})):
		    try:
		        call(**fields)
		        raise AssertionError("it is done")
		    except grpc.RpcError as e:
		        within(e.details(), "/ro.dir/root/meta.db")
		        assert e.code() not in (NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT, UNAVAILABLE), e
		eq(ids(), was)
		eq(t.status(), RUNNING)
		os.unlink(IT + "/ro")
		Containers.Create(container=container("c"))
		eq(ids(), sorted([*was, "c"]))
		eq(t.kill(), 137)
		t.remove()
		DAEMON.stop()
		shutil.rmtree(IT + "/ro.dir")
	PY
}

@test "hard: a root that is read-only or cannot be made, and one in use, stop the start with its name" {
	hard <<-'PY'
		with Small("4m") as small:
		    os.mkdir(small.path + "/root")
		    other = {"address": IT + "/d/other.sock", "root": small.path + "/root",
		             "engine": {"state": small.path + "/state"}}
		    first = json.load(open(DAEMON.args[1]))
		    DAEMON.configure(**{**other, "root": first["root"]})
		    DAEMON.refuses("another daemon uses", first["root"])
		    DAEMON.configure(**{**other, "address": first["address"]})
		    DAEMON.refuses("listen at '%s'" % first["address"], "in use")
		    assert Version.Version(ns=None).version # the one that was there has not noticed
		    open(small.path + "/file", "w").close()
		    for name in "root", "state":
		        bad = json.loads(json.dumps(other))
		        (bad if name == "root" else bad["engine"])[name] = small.path + "/file/" + name
		        DAEMON.configure(**bad)
		        DAEMON.refuses(small.path + "/file", "not a directory")
		    subprocess.run(["mount", "-o", "remount,ro", small.path], check=True)
		    DAEMON.configure(**other)
		    DAEMON.refuses(small.path, "read-only file system")
		    DAEMON.configure(**{**other, "root": IT + "/d/root2"})
		    DAEMON.refuses(small.path + "/state", "read-only file system")
		    eq([x for x in os.listdir(IT + "/d") if "other" in x], []) # no sockets of who did not begin
		    subprocess.run(["mount", "-o", "remount,rw", small.path], check=True)
		    DAEMON.stop()
		    DAEMON.configure(**other)
		    DAEMON.address = other["address"]
		    DAEMON.start()
		    Containers.Create(container=container("c"))
	PY
}

# ---- descriptors, clocks ------------------------------------------------------

@test "hard: without descriptors calls fail, nothing spins, and all is well when there are some" {
	hard <<-'PY'
		DAEMON.stop()
		DAEMON.configure(metrics=IT + "/d/metrics")
		DAEMON.start()
		pid, t, new = DAEMON.process.pid, Task().run(), Task()
		limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
		had = DAEMON.descriptors()
		resource.prlimit(pid, resource.RLIMIT_NOFILE, (had, limit[1]))
		waiting = []
		for address in [DAEMON.address, DAEMON.address + ".ttrpc", IT + "/d/metrics"] * 3:
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(address)
		    waiting.append(s)
		before = DAEMON.cpu()
		for _ in range(3):
		    try:
		        new.Create()
		        raise AssertionError("it is made")
		    except grpc.RpcError as e:
		        within(e.details(), "too many open files")
		eq(t.status(), RUNNING)
		eq(len(Tasks.List().tasks), 1)
		Containers.Create(container=container("c")) # the database is open
		# Somebody else makes a task meanwhile: it is found when there is room.
		ctl("run", "-d", "--rootfs", IT_OUT + "/rootfs", "other", "--", "sleep", "1000")
		time.sleep(1)
		assert DAEMON.cpu() - before < 0.3, DAEMON.cpu() - before
		resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
		within(get(IT + "/d/metrics"), "200 OK")
		eq(sorted(x for x in os.listdir(IT + "/d/state/it") if x[0] != "."), sorted([t.id, "other"]))
		until(lambda: "other" in [x.id for x in Tasks.List().tasks], 30)
		for s in waiting:
		    s.close()
		new.run()
		for x in (t, new):
		    eq(x.kill(), 137)
		    x.remove()
		Tasks.Kill(container_id="other", signal=9)
		Tasks.Wait(container_id="other")
		Tasks.Delete(container_id="other")
		until(lambda: DAEMON.descriptors() <= had, 30, "descriptors are left")
	PY
}

# bats test_tags=nosan
@test "hard: a clock that is set moves no timer, and leases and events have the new time" {
	hard <<-'PY'
		set_clock(0)
		preload()
		DAEMON.stop()
		DAEMON.start()
		ev = Events_('topic=="/it/mark"', 'topic~="^/tasks"')
		t = Task().run()
		ev.expect("/tasks/create")
		ev.expect("/tasks/start")
		w = t.Wait(later=True, timeout=None)
		stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + s))
		leases = lambda: sorted(l.id for l in Leases.List().leases)
		Leases.Create(id="hour", labels={"containerd.io/gc.expire": stamp(3600)})
		Leases.Create(id="week", labels={"containerd.io/gc.expire": stamp(7 * 86400)})
		for off in 86400, -86400, 40 * 365 * 86400, 0:
		    set_clock(off)
		    Events.Publish(topic="/it/mark", event={"type_url": "x"})
		    assert abs(ev.expect("/it/mark").timestamp.seconds - time.time() - off) < 60
		    c = Containers.Create(container=container("c")).container
		    assert abs(c.created_at.seconds - time.time() - off) < 60
		    u = Containers.Update(container=container("c"), update_mask={"paths": ["image"]}).container
		    assert u.updated_at.seconds >= c.updated_at.seconds
		    Containers.Delete(id="c")
		    before = DAEMON.cpu()
		    l = Leases.Create().lease # which is when the others are looked at
		    assert abs(l.created_at.seconds - time.time() - off) < 60
		    if off == 86400:
		        until(lambda: leases() == sorted(["week", l.id]), 30)
		    if off > 8 * 86400:
		        until(lambda: leases() == [l.id], 30)
		    Leases.Delete(id=l.id)
		    time.sleep(0.3)
		    assert DAEMON.cpu() - before < 0.2
		    assert not w.done()
		    eq(t.status(), RUNNING)
		eq(leases(), [])
		# One for later, and the clock goes back: it stays; forward again, over a restart.
		Leases.Create(id="later", labels={"containerd.io/gc.expire": stamp(1)})
		set_clock(-3600)
		time.sleep(2.5)
		eq(leases(), ["later"])
		DAEMON.stop(signal.SIGKILL)
		set_clock(3600)
		DAEMON.start()
		until(lambda: leases() == [], 30)
		eq(t.status(), RUNNING)
		eq(t.kill(), 137)
		t.remove()
	PY
}

# ---- requests -----------------------------------------------------------------

# The sanitizers keep what is freed.
# bats test_tags=nosan
@test "hard: 100,000 labels, and as many bytes of them as a message may have" {
	hard <<-'PY'
		def timed(seconds, call, *a, **k):
		    t = time.monotonic()
		    r = call(*a, timeout=100, **k)
		    t = time.monotonic() - t
		    assert t < seconds, (call, t)
		    return r
		N = 100000
		labels = {"label-%06d" % i: "v%d" % i for i in range(N)}
		timed(60, Containers.Create, container=container("c", labels=labels))
		Containers.Create(container=container("other"))
		eq(dict(timed(30, Containers.Get, id="c").container.labels), labels)
		eq([c.id for c in timed(30, Containers.List, filters=['labels."label-099999"==v99999']).containers], ["c"])
		timed(60, Containers.Update, container={"id": "c", "labels": {"label-050000": "new"}},
		      update_mask={"paths": ["labels.label-050000"]})
		labels["label-050000"] = "new"
		eq(dict(Containers.Get(id="c").container.labels), labels)
		timed(60, Namespaces.Create, namespace={"name": "many", "labels": labels})
		eq(len(Namespaces.Get(name="many").namespace.labels), N)
		timed(60, Leases.Create, id="l", labels=labels)
		eq([len(l.labels) for l in Leases.List().leases], [N])
		timed(60, Namespaces.Delete, name="many")
		timed(60, Leases.Delete, id="l")
		timed(60, Containers.Delete, id="c")

		# A bomb that may be, and one that may not.
		bomb = {"%06d" % i: "v" * 4090 for i in range(4000)}
		eq(len(timed(60, Containers.Create, container=container("bomb", labels=bomb)).container.labels), 4000)
		assert Version.Version(ns=None).version
		more = {"%06d" % i: "v" * 4090 for i in range(4200)}
		fails(RESOURCE_EXHAUSTED, None, Containers.Create, container=container("more", labels=more))
		fails(INVALID_ARGUMENT, None, Containers.Create, container=container("more", labels={**bomb, "x": "v" * 4096}))
		eq(ids(), ["bomb", "other"])
		timed(60, Containers.Update, container={"id": "bomb", "labels": {"a": "b"}}, update_mask={"paths": ["labels"]})
		eq(dict(Containers.Get(id="bomb").container.labels), {"a": "b"})
		# Memory comes back.
		with open("/proc/%d/statm" % DAEMON.process.pid) as f:
		    statm = lambda: f.seek(0) or int(f.read().split()[1]) * 4096
		    until(lambda: statm() < 40 << 20, 30, "memory is kept")
	PY
}

@test "hard: ids of every bad form, in every method that takes one" {
	hard <<-'PY'
		t = Task().run()
		was = sorted(os.listdir(IT + "/d/state/it")), sorted(os.listdir(IT + "/d"))
		BAD = ["", ".", "..", "/", "a/b", "../x", "a/../b", "/etc", "-a", "a-", ".a", "a.", "a..b", "a__b", "a b", " a", "a ", "a\n",
		       "a\tb", "a\x01b", "a\x7f", "\u00e4", "a\u202eb", "\U0001f600", "a:b", "a%2fb", "a;b", "*", "a" * 77, "a" * 70000]
		C, L, N = Containers, Leases, Namespaces
		calls = [ # name, call, and whether it makes something of an id
		    (C.Create, lambda i: {"container": container(i)}, True),
		    (C.Update, lambda i: {"container": container(i)}, False), (C.Get, lambda i: {"id": i}, False),
		    (C.Delete, lambda i: {"id": i}, False), (N.Create, lambda i: {"namespace": {"name": i}}, True),
		    (N.Update, lambda i: {"namespace": {"name": i, "labels": {"a": "b"}}}, True),
		    (N.Delete, lambda i: {"name": i}, False), (L.Delete, lambda i: {"id": i}, False),
		    (L.AddResource, lambda i: {"id": i, "resource": {"id": "x", "type": "ingests"}}, False),
		    (L.DeleteResource, lambda i: {"id": i, "resource": {"id": "x", "type": "ingests"}}, False),
		    (L.ListResources, lambda i: {"id": i}, False),
		]
		for m in "Create Start Delete Get Kill Pause Resume ListPids Update Wait ResizePty CloseIO DeleteProcess Exec".split():
		    call = getattr(Tasks, m)
		    calls.append((call, lambda i: {"container_id": i}, False))
		    if m in ("Exec", "DeleteProcess"):
		        calls.append((call, lambda i: {"container_id": t.id, "exec_id": i}, m == "Exec"))
		    elif m not in ("Create", "Delete", "Pause", "Resume", "ListPids", "Update"):
		        calls.append((call, lambda i: i and {"container_id": t.id, "exec_id": i}, False))
		n = 0
		for call, fields, makes in calls:
		    for bad in BAD:
		        f = fields(bad)
		        if not f: # the task itself is meant
		            continue
		        try:
		            call(**f)
		        except grpc.RpcError as e:
		            n += 1
		            allowed = (INVALID_ARGUMENT,) if makes else (INVALID_ARGUMENT, NOT_FOUND)
		            if e.code() not in allowed:
		                raise AssertionError("%.300r: %s: %s" % (f, e.code(), e.details())) from None
		            assert e.details(), f
		            continue
		        raise AssertionError("%.300r is taken" % f)
		assert n > 800, n
		for bad in BAD[1:]: # as a namespace, too
		    if bad.isascii() and bad.isprintable() and len(bad) < 100 and bad == bad.strip():
		        fails(INVALID_ARGUMENT, None, Containers.List, ns=bad)
		        fails(INVALID_ARGUMENT, None, Tasks.List, ns=bad)
		eq((sorted(os.listdir(IT + "/d/state/it")), sorted(os.listdir(IT + "/d"))), was)
		eq([n.name for n in Namespaces.List(ns=None).namespaces], [NS])
		eq(t.status(), RUNNING)
		eq(t.kill(), 137)
		t.remove()
	PY
}

@test "hard: bytes that are no text, specs that are huge or deep, messages that are none" {
	hard <<-'PY'
		P = "/containerd.services."
		METHODS = [("containers.v1.Containers/", "Get Delete"), ("leases.v1.Leases/", "Create Delete ListResources"),
		           ("namespaces.v1.Namespaces/", "Get Delete"),
		           ("tasks.v1.Tasks/", "Create Start Delete Get Kill Pause Resume ListPids Wait Exec ResizePty CloseIO Update"),
		           ("events.v1.Events/", "Publish")]
		text = lambda b: b"\n" + bytes([len(b)]) + b # the first field
		for service, methods in METHODS:
		    for m in methods.split():
		        for body in (text(b"a\xff"), text(b"\xc0\xaf"), text(b"\xed\xa0\x80"), text(b"\xf5\x80\x80\x80"), text(b"a\0b"),
		                     text(b"a\xe2\x82"), b"\n\x05a", b"\xff" * 20, b"\n\xff\xff\xff\xff\x0f", b"\x0b" * 200):
		            try:
		                raw(P + service + m, body)
		            except grpc.RpcError as e:
		                if e.code() != INVALID_ARGUMENT:
		                    raise AssertionError("%s %r: %s" % (m, body, e))
		                continue
		            raise AssertionError("%s takes %r" % (m, body))
		t = Task(id="text")
		spec = json.loads(config("x")["value"])
		for name, value in (("deep", b"[" * 1000000), ("deep2", b'{"a":' * 500000 + b"1" + b"}" * 500000),
		                    ("nul", json.dumps(spec).encode() + b"\0"), ("no-text", b'{"ociVersion": "\xff"}'),
		                    ("empty", b""), ("null", b"null"), ("array", b"[]"),
		                    ("huge", json.dumps({**spec, "annotations": {"a": "x" * (15 << 20)}}).encode()),
		                    ("many", json.dumps({**spec, "annotations": {str(i): "" for i in range(800000)}}).encode())):
		    Containers.Create(container=container(name, spec={"type_url": "t", "value": value}), timeout=100)
		    began = time.monotonic()
		    try:
		        Tasks.Create(container_id=name, timeout=100)
		        raise AssertionError("a task of " + name)
		    except grpc.RpcError as e:
		        if e.code() not in (INVALID_ARGUMENT, RESOURCE_EXHAUSTED) or not e.details():
		            raise AssertionError("%s: %s" % (name, e))
		    assert time.monotonic() - began < 30
		    eq([x for x in os.listdir(IT + "/d/state/it") if x[0] != "."] if os.path.exists(IT + "/d/state/it") else [], [])
		    eq(Containers.Get(id=name).container.spec.value, value)
		# All of them in one answer are more than a message may have: said, or sent, and the daemon goes on.
		try:
		    assert len(Containers.List(timeout=100).containers) == 10
		except grpc.RpcError as e:
		    eq(e.code(), RESOURCE_EXHAUSTED)
		eq(len(list(Containers.ListStream())), 10)
		t.run()
		eq(t.kill(), 137)
		t.remove()
	PY
}

# ---- the start ------------------------------------------------------------------

@test "hard: a damaged database is set aside; what runs is shown, and can be killed and deleted" {
	hard <<-'PY'
		db = IT + "/d/root/meta.db"
		damages = [lambda f: f.truncate(6000), lambda f: f.write(b"no database at all" * 500),
		           lambda f: f.seek(4096) and f.write(os.urandom(8192))]
		for n, damage in enumerate(damages):
		    runs, ends, created = Task().run(), Task("sh", "-c", "exit 5").run(), Task().create()
		    eq(ends.Wait().exit_status, 5)
		    DAEMON.stop(signal.SIGKILL if n % 2 else signal.SIGTERM)
		    for name in "-wal", "-shm":
		        with contextlib.suppress(FileNotFoundError):
		            os.unlink(db + name)
		    with open(db, "r+b") as f:
		        damage(f)
		    DAEMON.start()
		    aside = [x for x in os.listdir(IT + "/d/root") if x.startswith("meta.db.damaged-")]
		    eq(len(aside), n + 1)
		    eq(ids(), [])
		    want = {runs.id: RUNNING, ends.id: STOPPED, created.id: CREATED}
		    until(lambda: {x.id: x.status for x in Tasks.List().tasks} == want, 30, "they are not shown")
		    eq([(x.name, dict(x.labels)) for x in Namespaces.List(ns=None).namespaces], [(NS, {})])
		    within(subprocess.check_output(["ctr", "-a", DAEMON.address, "namespaces", "ls"], text=True), "\n%s " % NS)
		    ev = Events_('topic=="/tasks/exit",event.container_id==%s' % runs.id)
		    Tasks.Kill(container_id=runs.id, signal=9, all=True)
		    ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=runs.id, exit_status=137)
		    eq(Tasks.Wait(container_id=runs.id).exit_status, 137)
		    Tasks.Kill(container_id=created.id, signal=9)
		    Tasks.Wait(container_id=created.id)
		    for x in runs, ends, created:
		        Tasks.Delete(container_id=x.id)
		    eq(list(Tasks.List().tasks), [])
		    eq(len(Namespaces.List(ns=None).namespaces), 0)
		    t = Task().run() # and it is a database like any other
		    eq([x.name for x in Namespaces.List(ns=None).namespaces], [NS])
		    eq(t.kill(), 137)
		    t.remove()
		    ev.call.cancel()
		with open(IT_OUT + "/daemon.log") as f:
		    eq(len(re.findall("it is now '%s/root/meta.db.damaged-[^']*', and an empty one takes its place" % (IT + "/d"), f.read())), n + 1)
	PY
}

@test "hard: two daemons on one state directory, each with its root: each tells every event" {
	hard <<-'PY'
		other = Daemon()
		other.address = IT + "/d/other.sock"
		other.args = DAEMON.args + ["--address", other.address, "--root", IT + "/d/root2"]
		other.start()
		def through(daemon, call, *args, **fields):
		    """The same call, of this daemon."""
		    mine, DAEMON.channel = DAEMON.channel, daemon.channel
		    try:
		        return call(*args, **fields)
		    finally:
		        DAEMON.channel = mine
		def told(daemon, t):
		    ev = through(daemon, Events_, 'topic=="/tasks/exit",event.container_id=="%s"' % t.id)
		    ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id, exit_status=137)
		try:
		    for sig in signal.SIGTERM, signal.SIGKILL:
		        t = Task().run()
		        until(lambda: [x.status for x in through(other, Tasks.List).tasks] == [RUNNING], 5, "the other does not see it")
		        for daemon in DAEMON, other:
		            daemon.stop(sig)
		        os.kill(t.pid, signal.SIGKILL)
		        # One after the other: what the one tells is no affair of the other.
		        for daemon in DAEMON, other:
		            daemon.start()
		            told(daemon, t)
		            daemon.stop(sig)
		        for daemon in DAEMON, other:
		            daemon.start()
		        t.remove()
		finally:
		    if other.process.poll() is None:
		        other.stop()
		eq(len([x for x in os.listdir(IT + "/d/state") if x.startswith(".berthd.cursors.")]), 2)
	PY
}

@test "hard: systemd: any number of sockets; ours must be one that listens" {
	hard <<-'PY'
		DAEMON.stop()
		os.unlink(DAEMON.address)
		idle = socket.socket(socket.AF_UNIX)
		idle.bind(DAEMON.address)
		others = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]
		script = ("import os, sys\nfds = list(map(int, sys.argv[1].split(',')))\nfor n, fd in enumerate(fds): os.dup2(fd, 3 + n)\n"
		          "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])\nos.execv(sys.argv[3], sys.argv[3:])")
		def program(*fds, n=None):
		    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds]
		    return high, [sys.executable, "-c", script, ",".join(map(str, high)), str(n or len(fds)), BERTHD]
		high, command = program(*others, idle.fileno())
		p = subprocess.run(command + DAEMON.args, pass_fds=high, capture_output=True, text=True, timeout=60, check=False)
		eq(p.returncode, 1)
		within(p.stderr, "descriptor 43, passed for '%s', is no stream that listens" % DAEMON.address)
		idle.listen()
		inode = os.stat(DAEMON.address).st_ino
		DAEMON.fds, DAEMON.program = program(*others, idle.fileno(), n=1000000000) # more than there are
		DAEMON.start()
		assert Version.Version(ns=None).version
		eq(os.stat(DAEMON.address).st_ino, inode)
		DAEMON.stop()
		for fd in [*others, *high, *DAEMON.fds]:
		    os.close(fd)
		idle.close()
		DAEMON.program, DAEMON.fds = [BERTHD], ()
		DAEMON.start()
	PY
}

@test "hard: two daemons that find one stale socket: one of them has it" {
	hard <<-'PY'
		DAEMON.stop()
		path = IT + "/race/sock"
		def begin(k, *before):
		    d = IT + "/race/%d" % k
		    return subprocess.Popen([*before, BERTHD, "--address", path, "--root", d + "/root", "--state", d + "/state"],
		                            stderr=subprocess.PIPE, text=True)
		os.mkdir(IT + "/race")
		s = socket.socket(socket.AF_UNIX)
		s.bind(path)
		s.close()
		# The one has seen that nobody listens, and takes its time to remove it.
		slow = begin(1, "strace", "-D", "-o", "/dev/null", "-P", path, "-e", "trace=unlinkat", "-e", "inject=unlinkat:delay_enter=2500000")
		time.sleep(1)
		daemons = [slow, begin(2)]
		until(lambda: sum(p.poll() is None for p in daemons) == 1, 30, "both go on")
		lost = [p for p in daemons if p.poll() is not None]
		eq([p.returncode for p in lost], [1])
		within(lost[0].stderr.read(), "listen at '%s': address already in use" % path)
		c = socket.socket(socket.AF_UNIX)
		c.connect(path)
		c.close()
		for p in daemons:
		    p.kill()
		    p.wait()
		# Somebody may hold the lock for no good.
		fd = os.open(IT + "/race", os.O_RDONLY)
		fcntl.flock(fd, fcntl.LOCK_EX)
		p = begin(3)
		def serves():
		    with socket.socket(socket.AF_UNIX) as c:
		        return c.connect_ex(path) == 0
		until(serves)
		p.kill()
		p.wait()
		os.close(fd)
		DAEMON.start()
	PY
}

@test "hard: systemd: its sockets, readiness, stop and reload" {
	hard <<-'PY'
		DAEMON.stop()
		os.unlink(DAEMON.address)
		log = IT + "/d/log"
		DAEMON.configure(log_file=log)
		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind(IT + "/d/notify")
		notify.settimeout(20)
		tcp = listen(socket.AF_INET, ("127.0.0.1", 0))
		other = listen(socket.AF_UNIX, IT + "/d/elsewhere.sock")
		ours = listen(socket.AF_UNIX, DAEMON.address)
		inode = os.stat(DAEMON.address).st_ino
		early = socket.socket(socket.AF_UNIX) # somebody who came before it
		early.connect(DAEMON.address)
		# As systemd does it: the descriptors from 3 on, and LISTEN_PID is the process itself.
		script = ("import os, sys\nfor n, fd in enumerate(map(int, sys.argv[1].split(','))): os.dup2(fd, 100 + n)\n"
		          "for n in range(3): os.dup2(100 + n, 3 + n); os.close(100 + n)\n"
		          "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='3')\nos.execv(sys.argv[2], sys.argv[2:])")
		DAEMON.fds, DAEMON.env = [s.fileno() for s in (tcp, other, ours)], {"NOTIFY_SOCKET": IT + "/d/notify"}
		DAEMON.program = [sys.executable, "-c", script, ",".join(map(str, DAEMON.fds)), BERTHD]
		DAEMON.start()
		eq(notify.recv(100), b"READY=1")
		assert Version.Version(ns=None).version
		eq(os.stat(DAEMON.address).st_ino, inode) # that one, not one of its own
		for s in tcp, other: # which nobody serves
		    c = socket.socket(s.family)
		    c.connect(s.getsockname())
		    c.setblocking(False)
		    time.sleep(0.1)
		    try:
		        raise AssertionError("it answers: %r" % c.recv(100))
		    except BlockingIOError:
		        pass
		    c.close()
		# What it was given goes to no shim.
		t = Task().run()
		ends = {os.readlink("/proc/%d/fd/%d" % (os.getpid(), s.fileno())) for s in (tcp, other, ours)}
		for p in os.listdir("/proc"):
		    if p.isdigit() and int(p) not in (os.getpid(), DAEMON.process.pid):
		        with contextlib.suppress(OSError):
		            for fd in os.listdir("/proc/%s/fd" % p):
		                with contextlib.suppress(FileNotFoundError):
		                    assert os.readlink("/proc/%s/fd/%s" % (p, fd)) not in ends, open("/proc/%s/cmdline" % p).read()
		# Its log is moved, and it is told.
		os.rename(log, log + ".1")
		DAEMON.process.send_signal(signal.SIGHUP)
		until(lambda: os.path.exists(log))
		eq(open(log).read(), "")
		# It ends though clients wait, and what they wait for goes on.
		waits, sub = t.Wait(later=True, timeout=None), Events_('topic=="/x"')
		DAEMON.process.send_signal(signal.SIGTERM)
		began = time.monotonic()
		eq(notify.recv(100), b"STOPPING=1")
		DAEMON.process.wait(60)
		took = time.monotonic() - began
		eq(DAEMON.process.returncode, 0)
		assert took < 30, took
		within(open(log).read(), "ends; containers go on")
		try:
		    waits.result(timeout=30)
		    raise AssertionError("it ended")
		except grpc.RpcError as e:
		    eq(e.code(), UNAVAILABLE)
		eq(os.stat(DAEMON.address).st_ino, inode) # systemd's, for the next
		early.close()
		DAEMON.program, DAEMON.env, DAEMON.fds = [BERTHD], {}, ()
		for s in tcp, other, ours:
		    s.close()
		DAEMON.start() # of its own: nobody listens there any more
		eq(t.status(), RUNNING)
		eq(t.kill(), 137)
		t.remove()
	PY
}

# ---- who else is there ------------------------------------------------------------

@test "hard: berthctl beside it: each sees what the other makes, and lifetimes are their makers'" {
	hard <<-'PY'
		listed = lambda: {x["Id"]: x["State"] for x in json.loads(ctl("list", "--json"))}
		tasks = lambda: {x.id: x.status for x in Tasks.List().tasks}
		ev = Events_('topic~="^/tasks/"')
		ctl("run", "-d", "--rootfs", IT_OUT + "/rootfs", "theirs", "--", "sleep", "1000")
		until(lambda: tasks() == {"theirs": RUNNING}, 1)
		ev.expect("/tasks/create", events_pb2.TaskCreate, container_id="theirs")
		ev.expect("/tasks/start", events_pb2.TaskStart, container_id="theirs")
		t = Task().run()
		ev.expect("/tasks/create", events_pb2.TaskCreate, container_id=t.id)
		ev.expect("/tasks/start", events_pb2.TaskStart, container_id=t.id)
		eq(listed(), {"theirs": "Running", t.id: "Running"})
		ctl("pause", t.id)
		ev.expect("/tasks/paused", events_pb2.TaskPaused, container_id=t.id)
		eq(tasks()[t.id], PAUSED)
		Tasks.Resume(container_id=t.id)
		ev.expect("/tasks/resumed", events_pb2.TaskResumed, container_id=t.id)
		eq(listed()[t.id], "Running")
		ctl("terminate", t.id)
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id)
		until(lambda: tasks()[t.id] == STOPPED, 30)
		t.remove()
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id=t.id)
		eq(listed(), {"theirs": "Running"})
		Tasks.Kill(container_id="theirs", signal=9)
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id="theirs", exit_status=137)
		until(lambda: listed() == {"theirs": "Stopped"}, 30)
		ctl("rm", "theirs")
		ev.expect("/tasks/delete", events_pb2.TaskDelete, container_id="theirs")
		until(lambda: tasks() == {}, 30)

		# In the foreground: it ends with its berthctl, although we look on.
		for restart in False, True:
		    p = subprocess.Popen([os.environ["CTL"], "run", "-n", NS, "--rootfs", IT_OUT + "/rootfs", "own", "--", "sleep", "1000"],
		                         stdin=subprocess.DEVNULL)
		    until(lambda: tasks() == {"own": RUNNING})
		    if restart:
		        DAEMON.stop(signal.SIGKILL)
		        DAEMON.start()
		        until(lambda: tasks() == {"own": RUNNING}) # it is served at once, and looked for meanwhile
		    time.sleep(0.2)
		    eq(p.poll(), None)
		    p.kill()
		    p.wait()
		    until(lambda: tasks() == {}, 30, "it goes on")
		    eq(listed(), {})
		    eq([x for x in os.listdir(IT + "/d/state/it") if x[0] != "."], [])
	PY
}

@test "hard: /metrics has the right figures, on both kinds of socket, and nobody can hold it up" {
	hard <<-'PY'
		with socket.socket() as s:
		    s.bind(("127.0.0.1", 0))
		    port = s.getsockname()[1]
		for bad in "0.0.0.0:%d" % port, "127.0.0.1:0", "127.0.0.1:65536", "example.org:80", "relative":
		    DAEMON.configure(metrics=bad, address=IT + "/d/other", root=IT + "/d/root2")
		    DAEMON.refuses(bad)
		for where, address in ("127.0.0.1:%d" % port, ("127.0.0.1", port)), (IT + "/d/metrics", IT + "/d/metrics"):
		    DAEMON.stop()
		    DAEMON.configure(metrics=where, address=DAEMON.address, root=IT + "/d/root")
		    DAEMON.start()
		    before = get(address)
		    for _ in range(7):
		        Containers.List()
		    for _ in range(3):
		        fails(NOT_FOUND, None, Containers.Get, id="none")
		    a, b = Task().run(), Task().create()
		    page = get(address)
		    head, _, body = page.partition("\r\n\r\n")
		    within(head, "HTTP/1.1 200 OK")
		    within(head, "Content-Length: %d\r\n" % len(body))
		    for line in ('berthd_grpc_requests_total{service="containerd.services.containers.v1.Containers",method="List",code="OK"} 7',
		                 'berthd_grpc_requests_total{service="containerd.services.containers.v1.Containers",method="Get",code="NotFound"} 3',
		                 'berthd_grpc_requests_total{service="containerd.services.tasks.v1.Tasks",method="Create",code="OK"} 2',
		                 'berthd_tasks{namespace="it",state="running"} 1', 'berthd_tasks{namespace="it",state="created"} 1',
		                 'berthd_grpc_connections 1'):
		        within(body, "\n" + line + "\n")
		    for line in body.splitlines(): # as Prometheus reads it
		        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+', line), line
		    eq("berthd_tasks{" in before, False)
		    within(get(address, b"GET / HTTP/1.1\r\n\r\n"), "404")
		    within(get(address, b"POST /metrics HTTP/1.1\r\n\r\n"), "405")
		    with contextlib.suppress(ConnectionResetError):
		        eq(get(address, b"\0" * 9000), "")
		    if isinstance(address, str): # once is enough: it takes five seconds
		        silent, slow = [], time.monotonic()
		        for i in range(16):
		            s = socket.socket(socket.AF_UNIX)
		            s.settimeout(60)
		            s.connect(address)
		            s.send(b"GET /met" if i % 2 else b"\xff\0")
		            silent.append(s)
		        assert Version.Version(ns=None).version
		        for s in silent:
		            eq(s.recv(1), b"") # dropped
		        assert 3 < time.monotonic() - slow < 40
		        within(get(address), "200 OK")
		    for x in a, b:
		        x.Kill(signal=9)
		        x.Wait()
		        x.remove()
	PY
}

@test "hard: a shim that is not ours: Create says so, and leaves neither it nor anything else" {
	[ -x /usr/bin/containerd-shim-runc-v2 ] || it_need containerd-shim-runc-v2
	hard <<-'PY'
		def others():
		    return [p for p in os.listdir("/proc") if p.isdigit() and b"containerd-shim-runc" in b" ".join(args_of(p))]
		ours = Task().run() # a daemon that is set up anew goes on with those that are there
		DAEMON.stop()
		DAEMON.configure(engine={"shim": "/usr/bin/containerd-shim-runc-v2"})
		DAEMON.start()
		eq(ours.status(), RUNNING)
		t = Task()
		try:
		    t.Create()
		    raise AssertionError("it is made")
		except grpc.RpcError as e:
		    within(e.details(), "create task %s: " % t.id)
		until(lambda: not others(), 30, "its shim is left")
		eq([x for x in os.listdir(IT + "/d/state/it") if x[0] != "."], [ours.id])
		DAEMON.stop()
		DAEMON.configure(engine={"shim": os.environ["SHIM"]})
		DAEMON.start()
		t.run()
		for x in ours, t:
		    eq(x.kill(), 137)
		    x.remove()
	PY
}

# ---- for long ------------------------------------------------------------------------

# The sanitizers keep what is freed. BERTH_SOAK: 1,000 tasks are up, and there are 50,000 lives.
# bats test_tags=nosan
@test "hard: memory, descriptors and threads are flat over hundreds of lives" {
	hard <<-'PY'
		SOAK = os.environ.get("BERTH_SOAK")
		UP, LIVES = (1000, 50000) if SOAK else (20, 500)
		def rss():
		    with open("/proc/%d/smaps_rollup" % DAEMON.process.pid) as f:
		        return int(re.search("Private_Dirty: +([0-9]+)", f.read()).group(1))
		def threads():
		    return len(os.listdir("/proc/%d/task" % DAEMON.process.pid))
		def live(n):
		    for i in range(n):
		        t = Task("sleep", "1000", id="life").run()
		        if i % 3 == 0:
		            t.Exec(exec_id="x", spec=program("true"))
		            t.Start(exec_id="x")
		            eq(t.Wait(exec_id="x").exit_status, 0)
		            t.DeleteProcess(exec_id="x")
		        eq(t.kill(), 137)
		        t.remove()
		        if i % 5000 == 4999:
		            print("%d lives: %d KiB, %d descriptors, %d threads" % (i + 1, rss(), DAEMON.descriptors(), threads()), file=sys.stderr)
		ev = Events_('topic=="/x"')
		up = [Task("sleep", "100000", id="up%d" % i).run() for i in range(UP)]
		live(LIVES // 4)
		fds, mem, n = DAEMON.descriptors(), rss(), threads()
		live(LIVES - LIVES // 4)
		until(lambda: DAEMON.descriptors() <= fds + 1, 30, "descriptors: %d, then %d" % (fds, DAEMON.descriptors()))
		until(lambda: rss() < mem + 512, 30, "memory: %d KiB, then %d" % (mem, rss())) # it gives back what it can
		eq(threads(), n)
		eq(sorted(x for x in os.listdir(IT + "/d/state/it") if x[0] != "."), sorted(t.id for t in up))
		for t in up:
		    eq(t.kill(), 137)
		    t.remove()
	PY
}
