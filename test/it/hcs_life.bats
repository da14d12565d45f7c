#!/usr/bin/env bats
# hcs_life.bats: libberth with real shims: states, several programs at one system,
# programs and shims that die. D1 to D19 and C1 to C33 are the numbers of
# docs/libberth.md.

# A program that is not built with the sanitizers cannot load the library that is.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load hcs_lib.bash

setup_file() { hcs_up; }
teardown_file() { hcs_down; }

@test "hcs_life: the table of states, walked on real systems" {
	hcs <<-'PY'
		OK, BAD, OVER, UNSUP = "S_OK", "HCS_E_INVALID_STATE", "HCS_E_SYSTEM_ALREADY_STOPPED", "HCS_E_ERROR_NOT_SUPPORTED"
		LIMIT = {"ResourcePath": "Container/Memory/SizeInMB", "RequestType": "Update", "Settings": 64}
		def stubborn(id):
		    s = System.running(id)
		    s.process("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done").output_line()
		    s.shutdown()
		    return s
		def paused(id):
		    s = System.running(id)
		    s.pause()
		    return s
		def stopped(id):
		    s = System.running(id)
		    s.terminate()
		    return s
		Process.output_line = lambda p: os.read(p.stdout, 100)
		make = {"Created": System.create, "Running": System.running, "Paused": paused, "Stopping": stubborn,
		        "Stopped": stopped}
		calls = {
		    "Start":     (lambda s: s.start(),            [OK, BAD, BAD, BAD, OVER]),
		    "ShutDown":  (lambda s: s.shutdown(),         [BAD, OK, BAD, OVER, OVER]),
		    "Terminate": (lambda s: s.terminate(),        [OK, OK, OK, OK, OVER]),
		    "Pause":     (lambda s: s.pause(),            [BAD, OK, BAD, BAD, OVER]),
		    "Resume":    (lambda s: s.resume(),           [BAD, BAD, OK, BAD, OVER]),
		    "Save":      (lambda s: s.do("Save"),         [BAD, BAD, UNSUP, BAD, OVER]),
		    "Crash":     (lambda s: s.do("Crash"),        [BAD, UNSUP, UNSUP, BAD, OVER]),
		    "Query":     (lambda s: s.properties("Statistics"), [OK] * 5),
		    "Modify":    (lambda s: s.modify(LIMIT),      [OK, OK, OK, BAD, OVER]),
		    "Process":   (lambda s: s.process("true"),    [BAD, OK, BAD, BAD, OVER]),
		    "Open":      (lambda s: s.open_process(0),    [BAD, OK, BAD, BAD, OVER]),
		    "Callback":  (lambda s: s.listen(),           [OK] * 5),
		    "Delete":    (lambda s: s.delete(),           [OK, BAD, BAD, BAD, OK]),
		}
		n = 0
		for call, (f, wanted) in calls.items():
		    for (state, maker), want in zip(make.items(), wanted):
		        n += 1
		        s = maker("s%d" % n)
		        try:
		            f(s)
		            got = OK
		        except Failed as e:
		            got = e.name
		        assert got == want, "%s while %s: %s, not %s" % (call, state, got, want)
		        try:
		            s.terminate()
		        except Failed:
		            pass
		        s.close()
		eq(n, 65)
	PY
}

@test "hcs_life: two programs: each sees what the other does; a stopped system stays for who has it open" {
	hcs <<-'PY'
		s = System.running("c1")
		s.listen()
		other = subprocess.run([sys.executable, sys.argv[0]], text=True, check=True, input='''
s = System.open("c1")
eq(s.state(), "Running")
s.pause()
s.resume()
p = s.process("sh", "-c", "echo from the other")
eq(p.output(), "from the other\\n")
fails("HCS_E_SYSTEM_ALREADY_EXISTS", System.create, "c1")
s.terminate()
s.close()
''')
		eq(s.wait()["ExitType"], "ForcedExit")
		until("the event", lambda: s.events)
		eq([e[0] for e in s.events], [1])
		fails("HCS_E_SYSTEM_ALREADY_EXISTS", System.create, "c1")
		eq(System.open("c1").wait()["ExitType"], "ForcedExit")
		for x in list(System.all):
		    x.close()
		System.running("c1").terminate()
	PY
}

@test "hcs_life: the program is killed: the system goes on, and another opens it (C17, C18, C19)" {
	hcs <<-'PY'
		def killed(code):
		    p = subprocess.Popen([sys.executable, sys.argv[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		    p.stdin.write(code + "\nprint('ready', flush=True)\ntime.sleep(1000)\n")
		    p.stdin.close()
		    eq(p.stdout.readline(), "ready\n")
		    p.kill()
		    p.wait()

		killed('s = System.running("stays"); p = s.process("sleep", "1000")')
		s = System.open("stays")
		eq(s.state(), "Running")
		pids = [d["ProcessId"] for d in s.properties("ProcessList")["ProcessList"] if d["ImageName"] == "sleep"]
		p = s.open_process(pids[0])
		p.terminate()
		eq(p.wait()["ExitCode"], 137)
		s.terminate()
		s.close()

		killed('s = System.running("goes", {**container(), "ShouldTerminateOnLastHandleClosed": True})')
		def gone():
		    try:
		        s = System.open("goes")
		        s.close()
		    except Failed as e:
		        return e.name == "HCS_E_SYSTEM_NOT_FOUND"
		until("it is terminated", gone)
		eq(enumerate_systems(), [])
	PY
}

@test "hcs_life: how long a system stays: handles, terminate on last handle, kept until deleted" {
	hcs <<-'PY'
		def gone(id):
		    try:
		        System.open(id).close()
		        return False
		    except Failed as e:
		        return e.name == "HCS_E_SYSTEM_NOT_FOUND"

		doc = {**container(), "ShouldTerminateOnLastHandleClosed": True}
		s = System.running("t1", doc)
		eq(s.properties("TerminateOnLastHandleClosed")["TerminateOnLastHandleClosed"], True)
		again = System.open("t1")
		s.close()
		eq(again.state(), "Running")
		again.close()
		until("terminated", lambda: gone("t1"))

		k = System.create("k1", keep=True)
		k.start()
		k.terminate()
		k.close()
		k = System.open("k1")
		eq((k.state(), k.wait()["ExitType"]), ("Stopped", "ForcedExit"))
		k.delete()
		k.close()
		eq(gone("k1"), True)
		System.create("k1").delete()

		s = System.running("d1")
		s.close()
		s = System.open("d1")
		eq(s.state(), "Running")
		s.terminate()
		s.close()
		until("gone", lambda: gone("d1"))
	PY
}

@test "hcs_life: kept after it was made" {
	hcs <<-'PY'
		s = System.running("k2")
		check("HcsKeepComputeSystem", HcsKeepComputeSystem(s.handle))
		s.terminate()
		s.close()
		s = System.open("k2")
		eq(s.state(), "Stopped")
		s.delete()
	PY
}

@test "hcs_life: the shim is killed: every wait ends and says so, the id is free (C17, D7)" {
	hcs <<-'PY'
		s = System.running("c1", oci("sleep", "1000"))
		p = s.process("sleep", "1000")
		s.listen()
		p.listen()
		shim = int(open("/proc/%d/stat" % p.pid).read().rpartition(")")[2].split()[1])
		results = []
		def wait():
		    try:
		        s.wait()
		    except Failed as e:
		        results.append((e.name, e.document))
		threads = [threading.Thread(target=wait) for _ in range(4)]
		for t in threads:
		    t.start()
		time.sleep(0.1)
		os.kill(shim, signal.SIGKILL)
		for t in threads:
		    t.join()
		eq([n for n, _ in results], ["HCS_E_SERVICE_DISCONNECT"] * 4)
		fails("HCS_E_SERVICE_DISCONNECT", p.wait)
		until("events", lambda: len(s.events) == 2 and len(p.events) == 2)
		eq([e[0] for e in s.events], [0x02000000, 1])
		eq([e[0] for e in p.events], [0x02000000, 0x10000])
		fails("HCS_E_SYSTEM_ALREADY_STOPPED", s.terminate)
		fails("HCS_E_SERVICE_DISCONNECT", s.pause)
		s.close()
		p.close()
		fails("HCS_E_SYSTEM_NOT_FOUND", System.open, "c1")
		System.running("c1").terminate()
	PY
}

@test "hcs_life: a start that hangs: terminate and queries work, others go on (D10, C3, C4)" {
	cat >"$IT_OUT/slow-runtime" <<-'SH'
		#!/bin/sh
		# berth, whose start takes until somebody ends it
		case " $* " in *" start "*) echo $$ >"$IT_OUT/hangs"; exec sleep 1000 ;; esac
		exec "$BERTH" "$@"
	SH
	chmod 755 "$IT_OUT/slow-runtime"
	BERTH_RUNTIME=$IT_OUT/slow-runtime hcs <<-'PY'
		s = System.create("c1", oci("sleep", "1000"))
		op = s.begin("Start")
		until("it hangs", lambda: os.path.exists(os.environ["IT_OUT"] + "/hangs"))
		fails("HCS_E_OPERATION_TIMEOUT", op.wait, 200)
		eq(op.properties()["State"], "Pending")
		began = time.monotonic()
		s.properties("Statistics", "ProcessList")
		eq([p["Id"] for p in enumerate_systems()], ["c1"])
		fails("HCS_E_INVALID_STATE", s.shutdown)
		System.create("other", oci("true")).terminate()
		s.terminate()
		assert time.monotonic() - began < 60
		fails("HCS_E_TERMINATED_DURING_START", op.wait)
		eq(s.wait()["ExitType"], "ForcedExit")
		s.close()
		fails("HCS_E_SYSTEM_NOT_FOUND", System.open, "c1")
	PY
}

@test "hcs_life: output of short processes is never lost, nothing grows (C11, C20)" {
	hcs <<-'PY'
		s = System.running("c1")
		n = 10000 if os.environ.get("BERTH_SOAK") else 200
		def rss(pid):
		    return int(next(l for l in open("/proc/%d/status" % pid) if l.startswith("VmRSS")).split()[1])
		def one(i):
		    p = s.process("echo", str(i))
		    eq(p.output(), "%d\n" % i)
		    eq(p.wait()["ExitCode"], 0)
		    pid = p.pid
		    p.close()
		    return pid
		p = s.process("sleep", "1000")
		shim = int(open("/proc/%d/stat" % p.pid).read().rpartition(")")[2].split()[1])
		for i in range(50):
		    one(i)
		mine, its, files, its_files = rss(os.getpid()), rss(shim), fds(), len(os.listdir("/proc/%d/fd" % shim))
		for i in range(n):
		    one(i)
		until("the last exec is deleted", lambda: len(os.listdir("/proc/%d/fd" % shim)) <= its_files)
		eq(fds(), files)
		assert rss(shim) - its < 300, (its, rss(shim))
		assert rss(os.getpid()) - mine < 1500, (mine, rss(os.getpid()))
	PY
}

@test "hcs_life: many starts at once, with and without a limit (C2)" {
	hcs <<-'PY'
		n = 200 if os.environ.get("BERTH_SOAK") else 40
		systems = [System.create("c%d" % i) for i in range(n)]
		ops = [s.begin("Start") for s in systems]
		for op in ops:
		    op.wait(60000)
		eq({p["State"] for p in enumerate_systems()}, {"Running"})
		ops = [s.begin("Terminate") for s in systems]
		for op in ops:
		    op.wait(60000)
		for s in systems:
		    s.close()
	PY
	HCSSHIM_MAX_PARALLEL_START=3 hcs <<-'PY'
		systems = [System.create("c%d" % i) for i in range(20)]
		ops = [s.begin("Start") for s in systems]
		queued = sum(op.properties().get("Phase", "").startswith("queue") for op in ops)
		assert queued >= 16, queued
		for op in ops:
		    op.wait(60000)
		assert ops[-1].properties()["Queue100ns"] > 0
	PY
}

@test "hcs_life: terminate again, kill again, while it ends: never an error that means nothing (C14)" {
	hcs <<-'PY'
		for i in range(10):
		    s = System.running("c%d" % i)
		    p = s.process("sleep", "1000")
		    ops = [begin(HcsTerminateProcess, p.handle, Operation, None) for _ in range(5)]
		    for op in ops:
		        try:
		            op.wait()
		        except Failed as e:
		            eq(e.name, "HCS_E_PROCESS_ALREADY_STOPPED")
		    eq(p.wait()["ExitCode"], 137)
		    ops = []
		    for _ in range(5):
		        try:
		            ops.append(s.begin("Terminate"))
		        except Failed as e:
		            eq(e.name, "HCS_E_SYSTEM_ALREADY_STOPPED")
		    eq(len(ops), 1)
		    ops[0].wait()
		    s.close()
	PY
}

@test "hcs_life: a poll loop over 20 systems with callbacks, one thread" {
	hcs <<-'PY'
		fd = ctypes.c_int()
		check("fd", HcsGetDispatchFd(ctypes.byref(fd)))
		ends = {}
		systems = []
		for i in range(20):
		    s = System.create("c%d" % i)
		    s.listen(1, lambda e, i=i: ends.setdefault(i, []).append(e.Type))
		    systems.append(s)
		ops = []
		for s in systems:
		    op = Operation()
		    check("start", HcsStartComputeSystem(s.handle, op.handle, None))
		    ops.append(op)
		poller = select.poll()
		poller.register(fd.value, select.POLLIN)
		def drive(until_, seconds=90):
		    end = time.monotonic() + seconds
		    while not until_():
		        assert time.monotonic() < end
		        if poller.poll(1000):
		            HcsDispatch(0)
		drive(lambda: sum(len(v) for v in ends.values()) == 20)
		eq([op.result()[0] for op in ops], [0] * 20)
		ops += [s.begin("Terminate") for s in systems]
		drive(lambda: sum(v.count(1) for v in ends.values()) == 20)
		drive(lambda: sum(v.count(0x01000000) for v in ends.values()) == 40)
		eq(threading.active_count(), 1)
		eq(len(os.listdir("/proc/self/task")), 1)
	PY
}

@test "hcs_life: a program that was held up takes no system for silent whose answer is there" {
	hcs <<-'PY'
		for i in range(30):
		    System.create("c%d" % i)
		program = "op = begin(HcsEnumerateComputeSystemsInNamespace, None, None, Operation)\n" \
		          "HcsDispatch(0)\n" \
		          "time.sleep(2.5)\n" \
		          "print(sorted({s['State'] for s in op.wait()}))\n"
		r = subprocess.run([sys.executable, sys.argv[0]], input=program, capture_output=True, text=True)
		eq((r.stdout, r.stderr), ("['Created']\n", ""))
	PY
}

@test "hcs_life: the first operation of a program is warned of like any other" {
	hcs <<-'PY'
		s = System.running("c1")
		p = s.process("sleep", "1000")
		shim = int(open("/proc/%d/stat" % p.pid).read().rpartition(")")[2].split()[1])
		os.kill(shim, signal.SIGSTOP)
		try:
		    r = subprocess.run([sys.executable, sys.argv[0]], input="enumerate_systems()", capture_output=True, text=True,
		                       env={**os.environ, "BERTH_LOG": "warning", "HCSSHIM_TIMEOUT_SYSCALLWATCHER": "1"})
		finally:
		    os.kill(shim, signal.SIGCONT)
		assert "has not completed yet" in r.stderr, r.stderr
	PY
}

@test "hcs_life: a library that gets no descriptors says so" {
	hcs <<-'PY'
		program = "import resource\n" \
		          "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n" \
		          "full = []\n" \
		          "try:\n" \
		          "    while True: full.append(os.dup(0))\n" \
		          "except OSError:\n" \
		          "    for i in range(ROOM): os.close(full.pop())\n" \
		          "signal.alarm(60)\n" \
		          "try: System.open('nobody')\n" \
		          "except Failed as e: print(e.name)\n" \
		          "try: check('fd', HcsGetDispatchFd(ctypes.byref(ctypes.c_int())))\n" \
		          "except Failed as e: print(e.name)\n" \
		          "else: print('polls')\n"
		said = []
		for room in range(6):
		    r = subprocess.run([sys.executable, sys.argv[0]], input=program.replace("ROOM", str(room)),
		                       capture_output=True, text=True)
		    said.append(r.stdout.split() or (r.returncode, r.stderr))
		# One of four is for reading. Only who polls needs two more: one that gathers, one for timers.
		eq(said, [["0xa0be0018"] * 2] * 4 + [["HCS_E_SYSTEM_NOT_FOUND", "0xa0be0018"], ["HCS_E_SYSTEM_NOT_FOUND", "polls"]])
	PY
}

@test "hcs_life: clean-up after a failed create has its own time; nothing is left (D12, C31)" {
	hcs <<-'PY'
		fails("HCS_E_OPERATION_TIMEOUT", lambda: System.begin_create("c1")[1].wait(0))
		s = System.all[-1]
		s.terminate()
		s.close()
		before = fds()
		for i in range(5):
		    s, op = System.begin_create("c2")
		    op.cancel()
		    fails("HCS_E_ERROR_CANCELLED", op.wait)
		    s.close()
		    until("it is undone", lambda: not os.listdir(os.environ["BERTH_STATE"] + "/default"))
		    fails("HCS_E_INVALID_JSON", System.create, "c2", {"Owner": 1})
		until("its descriptors are closed", lambda: fds() == before)
		System.create("c2").terminate()
		for x in list(System.all):
		    x.close()
		eq(os.listdir(os.environ["BERTH_STATE"] + "/default"), [])
	PY
}

@test "hcs_life: a create that failed says in which phase, which is not that of its undoing" {
	hcs <<-'PY'
		def says(phase, name, *args):
		    d = fails(name, System.create, "c1", *args)
		    assert re.match("HcsCreateComputeSystem[A-Za-z]* 'default/c1': %s \\(\\d+ ms\\): " % phase, d["ErrorMessage"]), d
		import re
		says("create the task", "HCS_E_ERROR_FILE_NOT_FOUND", oci("/no/such"))
		says("create the task", "0xa0be0002", container(MappedDirectories=[{"HostPath": "/not/there", "ContainerPath": "/mnt/x"}]))
	PY
}

@test "hcs_life: the id is free when the last handle is closed, again and again (C18)" {
	hcs <<-'PY'
		for i in range(100 if os.environ.get("BERTH_SOAK") else 25):
		    s = System.running("again")
		    s.process("true").wait()
		    s.terminate()
		    began = time.monotonic()
		    s.close()
		    assert time.monotonic() - began < 15
		    fails("HCS_E_SYSTEM_NOT_FOUND", System.open, "again")
	PY
}

@test "hcs_life: systems come and go in every way, and nothing grows" {
	hcs <<-'PY'
		n = 10000 if os.environ.get("BERTH_SOAK") else 200
		state = os.environ["BERTH_STATE"]
		def memory(): # of its own: what files share depends on who else runs
		    return next(int(l.split()[1]) for l in open("/proc/self/smaps_rollup") if l.startswith("Anonymous:"))
		def by_itself(id):
		    s = System.running(id, oci("sh", "-c", "exit 7"))
		    eq(s.wait()["ExitType"], "GracefulExit")
		    return s
		def terminated(id):
		    s = System.running(id)
		    p = s.process("echo", id)
		    eq((p.output(), p.wait()["ExitCode"]), (id + "\n", 0))
		    p.close()
		    s.terminate()
		    return s
		def never_started(id):
		    s = System.create(id)
		    s.terminate()
		    return s
		def with_a_process(id):
		    s = System.running(id, container(Memory={"SizeInMB": 64}))
		    p = s.process("sleep", "1000")
		    s.terminate()
		    eq(p.wait()["ExitCode"], 137)
		    p.close()
		    return s
		def not_made(id):
		    fails("HCS_E_INVALID_JSON", System.create, id, {"Owner": 1})
		kinds = [by_itself, terminated, never_started, with_a_process, not_made]
		before, rows = None, []
		for i in range(n):
		    s = kinds[i % len(kinds)]("s%d" % i)
		    if s:
		        s.close()
		    if (i + 1) % (n // 10):
		        continue
		    rows.append((i + 1, memory(), fds()))
		    print("after %d systems: %d KiB, %d descriptors" % rows[-1], file=sys.stderr)
		    eq(os.listdir(state + "/default"), [])
		    eq(os.listdir(state + "/.s"), [])
		    eq(enumerate_systems(), [])
		first, last = rows[1], rows[-1]
		assert last[1] - first[1] <= 256 and last[2] == first[2], rows
		eq([d for d in os.listdir(state + "/.runtime/default") if d != ".seccomp"], [])
		eq([d for d in os.listdir(state + "/.shims") if d != "gone"], [])
	PY
}
