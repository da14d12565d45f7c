#!/usr/bin/env bats
# shim_stdio.bats: the streams of a process: FIFOs whose other end is absent,
# stalls, vanishes and returns; files, loggers, terminals; and their ends.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

# ---- FIFOs ------------------------------------------------------------------

@test "shim: three streams of the first process" {
	shim <<-'PY'
		t = Task("sh", "-c", "cat; echo to out; echo to err >&2; exit 3")
		i, o, e = t.inp(), t.out("stdout"), t.out("stderr")
		t.create()
		s = t.State()
		eq((s.stdin, s.stdout, s.stderr, s.terminal), (i.path, o.path, e.path, False))
		t.start()
		i.write(b"first\n")
		o.wait(b"first\n")
		i.write(b"second\n").vanish()
		t.CloseIO(stdin=True)
		eq(t.Wait().exit_status, 3)
		t.Delete()
		eq((o.end().text, e.end().text), ("first\nsecond\nto out\n", "to err\n"))
	PY
}

@test "shim: three streams of an exec" {
	shim <<-'PY'
		t = Task("sh", "-c", "echo init; exec sleep 100")
		io = t.out("stdout")
		t.run()
		i, o, e = t.inp("i"), t.out("o"), t.out("e")
		t.add("x", "sh", "-c", "cat; echo to out; echo to err >&2; exit 3", stdin=i.path, stdout=o.path, stderr=e.path)
		s = t.State(exec_id="x")
		eq((s.stdin, s.stdout, s.stderr, s.terminal), (i.path, o.path, e.path, False))
		t.Start(exec_id="x")
		i.write(b"words\n").vanish()
		t.CloseIO(exec_id="x", stdin=True)
		eq(t.Wait(exec_id="x").exit_status, 3)
		t.Delete(exec_id="x")
		eq((o.end().text, e.end().text, io.text), ("words\nto out\n", "to err\n", "init\n"))
	PY
}

@test "shim: without streams the process has /dev/null" {
	shim <<-'PY'
		script = "for f in 0 1 2; do stat -Lc %F:%t:%T /proc/$$/fd/$f; done >/tmp/null-streams; echo x >&2 && echo y && cat"
		t = Task("sh", "-c", script).run()
		eq(t.Wait().exit_status, 0) # it has written, and read to the end
		name = IT_OUT + "/rootfs/tmp/null-streams"
		lines = open(name).read().splitlines()
		os.unlink(name)
		eq((lines[0], lines[2]), ("character special file:1:3",) * 2)
	PY
}

@test "shim: some streams alone" {
	ours_only 'it wants all or none'
	shim <<-'PY'
		for only in (["stdout"], ["stderr"], ["stdin"], ["stdin", "stdout"], ["stdin", "stderr"]):
		    t = Task("sh", "-c", "cat; echo to out; echo to err >&2", group="some")
		    i = t.inp() if "stdin" in only else None
		    outs = {n: t.out(n) for n in only if n != "stdin"}
		    t.run(**{n: "" for n in ("stdout", "stderr") if n not in only})
		    if i:
		        i.write(b"in\n").vanish()
		        t.CloseIO(stdin=True)
		    eq(t.Wait().exit_status, 0)
		    t.Delete()
		    for n, o in outs.items():
		        want = ("in\n" if i and n == "stdout" else "") + ("to out\n" if n == "stdout" else "to err\n")
		        eq((only, n, o.end().text), (only, n, want))
	PY
}

@test "shim: all output of a fast process is there when Delete has answered" {
	shim <<-'PY'
		for n in range(8):
		    t = Task("sh", "-c", "head -c 60000 /dev/zero; exit 2", group="fast")
		    o = t.out("stdout")
		    t.run()
		    t.Wait()
		    t.Delete()
		    eq(len(o.end().now()), 60000)
		t = Task(group="fast").run()
		for n in range(8):
		    x = t.out("x%d" % n)
		    t.exec("x%d" % n, "sh", "-c", "head -c 60000 /dev/zero", stdout=x.path)
		    t.Wait(exec_id="x%d" % n)
		    t.Delete(exec_id="x%d" % n)
		    eq(len(x.end().now()), 60000)
	PY
}

@test "shim: output of a fast process waits in the FIFO for a reader that reads later" {
	shim <<-'PY'
		t = Task("sh", "-c", "head -c 60000 /dev/zero; echo the end")
		o = t.out("stdout")
		o.stalled = True # it has it open, but reads nothing yet
		t.run()
		t.Wait()
		t.Delete()
		eq(len(o.data), 0)
		o.stalled = False
		o.wait(b"the end\n").end()
		eq(len(o.now()), 60008)
	PY
}

@test "shim: much output, unchanged" {
	shim <<-'PY'
		import hashlib
		data = os.urandom(3 << 20)
		with open(IT_OUT + "/rootfs/tmp/much", "wb") as f:
		    f.write(data)
		t = Task("sh", "-c", "cat /tmp/much >&2 & cat /tmp/much; wait")
		o, e = t.out("stdout"), t.out("stderr")
		t.run()
		eq(t.Wait().exit_status, 0)
		t.Delete()
		want = hashlib.sha1(data).hexdigest()
		eq([hashlib.sha1(s.end().now()).hexdigest() for s in (o, e)], [want, want])
		os.unlink(IT_OUT + "/rootfs/tmp/much")
	PY
}

@test "shim: much input, unchanged" {
	shim <<-'PY'
		import hashlib
		data = os.urandom(2 << 20)
		t = Task("sh", "-c", "sleep 0.3; sha1sum")
		i, o = t.inp(), t.out("stdout")
		t.run()
		w = threading.Thread(target=lambda: [i.write(data[n:n + 50000]) for n in range(0, len(data), 50000)])
		w.start()
		w.join()
		i.vanish()
		t.CloseIO(stdin=True)
		o.wait(hashlib.sha1(data).hexdigest().encode())
		eq(t.Wait().exit_status, 0)
	PY
}

# ---- a client that is absent, stalls, vanishes, returns ---------------------

@test "shim: a reader that is not there yet stops nobody" {
	ours_only 'its Create waits for the reader'
	shim <<-'PY'
		t = Task("sh", "-c", "head -c 400000 /dev/zero; echo the end; exec sleep 100")
		o, e = t.out("stdout", present=False), t.out("stderr", present=False)
		began = time.monotonic()
		t.run()
		t.exec("x", "sh", "-c", "echo words", stdout=t.out("x", present=False).path, stderr=e.path)
		eq(t.Wait(exec_id="x").exit_status, 0)
		eq(t.status(), RUNNING)
		assert time.monotonic() - began < 10
		until(lambda: len(t.Pids().processes) == 2)
		time.sleep(0.2)
		assert len([p for p in t.Pids().processes]) == 2 # head waits, it was not killed
		o.come()
		o.wait(b"the end\n")
		eq(len(o.now()), 400008)
		t.kill()
		began = time.monotonic()
		t.Delete()
		assert time.monotonic() - began < 10
	PY
}

@test "shim: a reader that stalls makes the workload wait, and nobody else" {
	shim <<-'PY'
		t = Task("sh", "-c", "head -c 1000000 /dev/zero; echo the end; exec sleep 100")
		o, e = t.out("stdout"), t.out("stderr")
		o.stalled = True
		t.run()
		until(lambda: len(t.Pids().processes) == 2)
		time.sleep(0.5)
		eq(len(t.Pids().processes), 2) # head, at the pipe's capacity
		began = time.monotonic()
		x = t.out("x")
		t.exec("x", "sh", "-c", "echo meanwhile", stdout=x.path)
		eq(t.Wait(exec_id="x").exit_status, 0)
		x.wait(b"meanwhile\n")
		t.Delete(exec_id="x")
		eq(t.status(), RUNNING)
		assert time.monotonic() - began < 10
		eq(len(o.data), 0)
		o.stalled = False
		o.wait(b"the end\n")
		eq(len(o.now()), 1000008)
		eq(len(t.Pids().processes), 1)
	PY
}

@test "shim: Delete does not wait for ever for a reader that stalls or is away" {
	shim <<-'PY'
		for away in (False, True):
		    t = Task("sh", "-c", "head -c 1000000 /dev/zero", group="away")
		    o, e = t.out("stdout"), t.out("stderr")
		    o.stalled = True
		    t.run()
		    time.sleep(0.3)
		    if away:
		        o.vanish()
		    t.Kill(signal=KILL)
		    eq(t.Wait(timeout=30).exit_status, 137)
		    EVENTS.wait(t.id, "exit", timeout=30)
		    t.Delete(timeout=30)
	PY
}

@test "shim: a reader that vanishes and returns: the workload is not signalled, nothing is lost" {
	shim <<-'PY'
		t = Task("sh", "-c", "trap 'echo broken; exit 77' PIPE; i=0; while [ $i -lt 6000 ]; do i=$((i+1)); echo line $i; done; echo the end; exec sleep 100")
		o, e = t.out("stdout"), t.out("stderr")
		o.stalled = True
		t.run()
		o.stalled = False
		o.wait(1)
		for _ in range(5): # away, and back, while it writes
		    o.vanish()
		    time.sleep(0.05)
		    eq(t.status(), RUNNING)
		    o.come()
		    time.sleep(0.05)
		o.wait(b"the end\n", 20)
		want = "".join("line %d\n" % i for i in range(1, 6001)) + "the end\n"
		eq(o.text == want, True)
	PY
}

@test "shim: a reader that returns only after the exit still gets what was written" {
	ours_only 'it closes the FIFO at the exit, and what is in it is lost'
	shim <<-'PY'
		t = Task("sh", "-c", "echo one; sleep 0.3; echo two; exit 3")
		o, e = t.out("stdout"), t.out("stderr")
		t.run()
		o.wait(b"one\n")
		o.vanish()
		eq(t.Wait().exit_status, 3)
		o.come() # before the Delete that closes the shim's end
		t.Delete()
		o.wait(b"two\n").end()
		eq(o.text, "one\ntwo\n")
	PY
}

@test "shim: a client whose open comes after the exit, or after Delete, gets all and the end" {
	ours_only 'its FIFO has no writer by then: the open waits for ever'
	shim <<-'PY'
		def late(f):
		    got = []
		    def read():
		        with open(f.path, "rb") as file:
		            got.append(file.read())
		    threading.Thread(target=read, daemon=True).start()
		    return until(lambda: got)[0]
		t = Task("sh", "-c", "exec sleep 100").run()
		for n, (say, deleted) in enumerate([("words", False), ("words", True), ("", False), ("", True)]):
		    x = "x%d" % n
		    o, e = t.out(x, present=False), t.out(x + "e", present=False)
		    t.exec(x, "sh", "-c", "printf '%s' " + repr(say), stdout=o.path, stderr=e.path)
		    t.Wait(exec_id=x)
		    if deleted:
		        t.Delete(exec_id=x)
		    time.sleep(0.1)
		    eq((late(o), late(e)), (say.encode(), b""))
		    if not deleted:
		        t.Delete(exec_id=x)
		both = t.out("both", present=False)
		t.exec("b", "sh", "-c", "printf out; printf err >&2", stdout=both.path, stderr=both.path)
		t.Wait(exec_id="b")
		eq(sorted(late(both)), sorted(b"outerr"))
		t.exec("c", "sh", "-c", "printf out; sleep 0.2", stdout=both.path)
		t.exec("d", "sh", "-c", "printf err; sleep 0.4", stdout=both.path)
		t.Wait(exec_id="c")
		t.Wait(exec_id="d")
		eq(sorted(late(both)), sorted(b"outerr"))
		t.kill()
		t.Delete()
		t = Task("echo", "first")
		o = t.out("stdout", present=False)
		t.run()
		t.Wait()
		eq(late(o), b"first\n")
		t.Delete()
	PY
}

@test "shim: a reader that nobody ever is: Delete does not wait, and its FIFO is let go" {
	ours_only 'its Start waits for the reader'
	shim <<-'PY'
		t = Task("sh", "-c", "exec sleep 100").run()
		t.exec("warm", "true")
		t.Wait(exec_id="warm")
		t.Delete(exec_id="warm")
		before = fds(t.shim)
		for n in range(70):
		    x = "x%d" % n
		    t.exec(x, "echo", "words", stdout=t.out(x, present=False).path)
		    t.Wait(exec_id=x)
		    began = time.monotonic()
		    t.Delete(exec_id=x)
		    assert time.monotonic() - began < 1
		assert fds(t.shim) <= before + 64, (fds(t.shim), before)
		until(lambda: fds(t.shim) <= before, 30, "fds: %d, before: %d" % (fds(t.shim), before))
	PY
}

@test "shim: a client that detaches from stdin is not its end" {
	shim <<-'PY'
		t = Task("sh", "-c", "cat; echo the end")
		i, o = t.inp(), t.out("stdout")
		t.run()
		i.write(b"one\n")
		o.wait(b"one\n")
		i.vanish()
		time.sleep(0.3)
		eq(t.status(), RUNNING)
		i.write(b"two\n") # another client
		o.wait(b"two\n")
		i.vanish()
		time.sleep(0.2)
		eq(t.status(), RUNNING)
		t.CloseIO(stdin=True)
		o.wait(b"the end\n")
		eq(t.Wait().exit_status, 0)
	PY
}

@test "shim: a client that never opens stdin stops nobody" {
	shim <<-'PY'
		t = Task("sh", "-c", "echo words; cat; exit 5")
		i, o = t.inp(), t.out("stdout")
		t.run()
		o.wait(b"words\n")
		eq(t.status(), RUNNING)
		t.CloseIO(stdin=True)
		eq(t.Wait().exit_status, 5)
	PY
}

@test "shim: a process that does not read its stdin stops nobody" {
	shim <<-'PY'
		t = Task("sh", "-c", "exec sleep 100")
		i, o = t.inp(), t.out("stdout")
		t.run()
		i.come()
		os.set_blocking(i.fd, False)
		sent = 0
		try:
		    for _ in range(100):
		        sent += os.write(i.fd, b"x" * 65536)
		        time.sleep(0.005)
		except BlockingIOError:
		    pass
		assert sent < 1 << 20, sent # it is not collected without a bound
		began = time.monotonic()
		eq(t.status(), RUNNING)
		t.CloseIO(stdin=True)
		eq(t.kill(), 137)
		i.vanish()
		t.Delete()
		assert time.monotonic() - began < 10
	PY
}

# ---- CloseIO ----------------------------------------------------------------

@test "shim: CloseIO before Start is remembered" {
	shim <<-'PY'
		t = Task("sh", "-c", "cat; echo the end")
		i, o = t.inp(), t.out("stdout")
		t.create()
		i.write(b"early\n").vanish()
		t.CloseIO(stdin=True)
		t.start()
		eq(t.Wait().exit_status, 0)
		o.wait(b"early\nthe end\n")
		t.CloseIO(stdin=True) # once more, and after the end
	PY
}

@test "shim: CloseIO of an exec before its Start is remembered" {
	ours_only 'it forgets it'
	shim <<-'PY'
		t = Task().run()
		i, o = t.inp("i"), t.out("o")
		t.add("x", "sh", "-c", "cat; echo the end", stdin=i.path, stdout=o.path)
		t.CloseIO(exec_id="x", stdin=True)
		t.Start(exec_id="x")
		eq(t.Wait(exec_id="x").exit_status, 0)
		o.wait(b"the end\n")
		t.CloseIO(exec_id="x", stdin=True)
	PY
}

@test "shim: CloseIO loses nothing that was written before it" {
	shim <<-'PY'
		t = Task("sh", "-c", "sleep 0.4; wc -c")
		i, o = t.inp(), t.out("stdout")
		t.run()
		i.write(b"x" * 60000).vanish()
		t.CloseIO(stdin=True)
		o.wait(b"60000\n")
		eq(t.Wait().exit_status, 0)
	PY
}

@test "shim: CloseIO without stdin=true closes nothing" {
	ours_only 'it closes'
	shim <<-'PY'
		t = Task("sh", "-c", "cat; echo the end")
		i, o = t.inp(), t.out("stdout")
		t.run()
		t.CloseIO(stdin=False)
		i.write(b"words\n")
		o.wait(b"words\n")
		i.vanish()
		t.CloseIO(stdin=True)
		eq(t.Wait().exit_status, 0)
	PY
}

# ---- ends and holders -------------------------------------------------------

@test "shim: a background child that holds the pipe delays nobody" {
	shim <<-'PY'
		t = Task().run()
		o, e = t.out("o"), t.out("e")
		t.exec("x", "sh", "-c", "echo words; sleep 1000 & exit 3", stdout=o.path, stderr=e.path)
		began = time.monotonic()
		eq(t.Wait(exec_id="x").exit_status, 3)
		EVENTS.wait(t.id, "exit", "x")
		eq(t.Delete(exec_id="x").exit_status, 3)
		assert time.monotonic() - began < 10, "%.1f s" % (time.monotonic() - began)
		eq(o.text, "words\n")
		eq(len(t.Pids().processes), 2) # nor is the child killed for it
	PY
}

@test "shim: a background child of another pid namespace that holds the pipe delays nobody" {
	shim <<-'PY'
		def host_pid(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		t = Task("sh", "-c", "echo words; sleep 1000 & exit 3", config=host_pid)
		o, e = t.out("stdout"), t.out("stderr")
		t.run()
		began = time.monotonic()
		eq(t.Wait().exit_status, 3)
		t.Delete()
		assert time.monotonic() - began < 10
		eq(o.end().text, "words\n")
	PY
}

@test "shim: both streams into one FIFO" {
	shim <<-'PY'
		t = Task("sh", "-c", "head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; echo the; echo end >&2")
		o = t.out("stdout")
		t.io["stderr"] = o.path
		t.run()
		eq(t.Wait(timeout=30).exit_status, 0)
		t.Delete()
		o.end()
		eq(len(o.now()), 400008)
	PY
}

@test "shim: FIFOs that are not there are an error, and leave nothing" {
	ours_only 'it leaves the container, and makes a file of a missing stdout'
	shim <<-'PY'
		t = Task().launch()
		o, e = t.out("stdout"), t.out("stderr")
		t.fails((NOT_FOUND, UNKNOWN, INVALID), "/no/such/stdin", "Create", bundle=t.bundle, stdin="/no/such/stdin", **{n: t.io[n] for n in ("stdout", "stderr")})
		t.fails(NOT_FOUND, "not found", "State")
		t.fails((NOT_FOUND, UNKNOWN, INVALID), "/no/such/stdout", "Create", bundle=t.bundle, stdout="/no/such/stdout", stderr=e.path)
		eq(t.cgroup_dirs(), [])
		t.io = {}
		t.run()
		t.add("x", "true", stdin="/no/such/stdin", stdout=o.path, stderr=e.path)
		t.fails((NOT_FOUND, UNKNOWN, INVALID), "/no/such/stdin", "Start", exec_id="x")
		t.Delete(exec_id="x")
		eq(t.status(), RUNNING)
	PY
}

@test "shim: after a task its streams are closed" {
	shim <<-'PY'
		keep = Task(group="streams").run()
		def life(n):
		    t = Task("sh", "-c", "cat; exit 1", group="streams")
		    i, o, e = t.inp(), t.out("stdout"), t.out("stderr")
		    t.run()
		    x = t.out("x")
		    t.exec("x", "true", stdout=x.path)
		    t.Wait(exec_id="x")
		    t.Delete(exec_id="x")
		    x.end()
		    i.write(b"x").vanish()
		    t.CloseIO(stdin=True)
		    t.Wait()
		    t.Delete()
		    o.end(), e.end()
		life(0)
		before = until(lambda: fds(keep.shim))
		time.sleep(0.3)
		before = fds(keep.shim)
		for n in range(1, 5):
		    life(n)
		until(lambda: fds(keep.shim) - before <= len([t for t in Task.every if t.conn]) - 2, 30,
		    "fds: %d, before: %d" % (fds(keep.shim), before))
	PY
}

# Each call that a process and its streams need fails once: it may be refused, or lose
# output, but ends and is deleted; nobody else notices, and nothing stays open.
fail_once() {
	it_need strace
	{
		cat <<-'PY'
			keep = Task("sh", "-c", "while read x; do echo got $x; done", group="fails")
			init, out = keep.inp(), keep.out("stdout")
			keep.run()
			PROGRAM = ("sh", "-c", "cat; head -c 100000 /dev/zero; echo err >&2")
			def fed(t, i, **which):
			    """Until it has ended."""
			    try:
			        i.come(1).write(b"in\n").vanish()
			    except (AssertionError, OSError): # its stdin is lost
			        pass
			    t.begin("CloseIO", stdin=True, **which).status()
			    ended = t.begin("Wait", **which)
			    if not ended.done.wait(2):
			        t.Kill(signal=KILL, **which)
			    ended.result()
			def whole(i, o, e):
			    o.vanish(), e.vanish()
			    for one in (i, o, e):
			        os.unlink(one.path)
			    return len(o.data) == 100003 and e.data == b"err\n"
			# Of epoll_ctl those after the eighth take something off, which never fails.
			def fail_each(prepare):
			    """Whether it was begun, and whether all that it wrote came: what prepare(n)() says."""
			    eq(prepare(0)(), (True, True))
			    time.sleep(0.3)
			    before, kids, seen = fds(keep.shim), len(children(keep.shim)), set()
			    n = 0
			    for call, errors in {"openat": ["EMFILE"], "pipe2": ["EMFILE"], "epoll_ctl": ["ENOMEM"],
			            "splice": ["ENOMEM", "EAGAIN"], "fcntl": ["EINVAL"], "fchown": ["EPERM"],
			            "fstat,newfstatat": ["ENOMEM"], "ioctl": ["EIO"]}.items():
			        for error, when in [(e, w) for e in errors for w in range(1, 9 if call == "epoll_ctl" else 7)]:
			            n += 1
			            life = prepare(n)
			            tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(keep.shim), "-e", "trace=" + call,
			                                       "-e", "inject=%s:error=%s:when=%d" % (call, error, when)])
			            until(lambda: "TracerPid:\t0" not in open("/proc/%d/status" % keep.shim).read())
			            seen.add(life())
			            tracer.terminate()
			            tracer.wait()
			            init.write(b"%d\n" % n)
			            out.wait(b"got %d\n" % n)
			            # A FIFO whose reader has not been seen is kept for ten seconds.
			            until(lambda: fds(keep.shim) <= before and len(children(keep.shim)) <= kids, 20, "%s %s %d: fds: %d, before: %d; "
			                "processes: %d, before: %d" % (call, error, when, fds(keep.shim), before, len(children(keep.shim)), kids))
			    eq(seen, {(True, True), (True, False), (False, False)})
			    eq(prepare(n + 1)(), (True, True))
			    def cpu():
			        with open("/proc/%d/stat" % keep.shim) as f:
			            return sum(int(x) for x in f.read().rpartition(")")[2].split()[11:13])
			    used = cpu()
			    time.sleep(1)
			    assert cpu() - used < 10, cpu() - used # of 100
			    init.vanish()
			    keep.CloseIO(stdin=True)
			    eq(keep.Wait().exit_status, 0)
			    keep.Delete()
		PY
		cat
	} | shim
}

# bats test_tags=nosan
@test "shim: a call for an exec's streams that fails costs that exec alone" {
	ours_only 'its calls are others'
	fail_once <<-'PY'
		def prepare(n):
		    id = "x%d" % n
		    i, o, e = keep.inp("i%d" % n), keep.out("o%d" % n), keep.out("e%d" % n)
		    keep.add(id, *PROGRAM, stdin=i.path, stdout=o.path, stderr=e.path)
		    def life():
		        begun = keep.begin("Start", exec_id=id).status()[0] == OK
		        if begun:
		            fed(keep, i, exec_id=id)
		        keep.Delete(exec_id=id)
		        o.now(), e.now()
		        return begun, whole(i, o, e) and begun
		    return life
		fail_each(prepare)
	PY
}

# bats test_tags=nosan
@test "shim: a call for a task's streams that fails costs that task alone" {
	ours_only 'its calls are others'
	fail_once <<-'PY'
		def prepare(n):
		    t = Task(*PROGRAM, group="fails")
		    i, o, e = t.inp(), t.out("stdout"), t.out("stderr")
		    t.launch()
		    def life():
		        made = t.begin("Create", bundle=t.bundle, **t.io).status()[0] == OK
		        begun = made and t.begin("Start").status()[0] == OK
		        if begun:
		            fed(t, i)
		        elif made:
		            t.Kill(signal=KILL)
		            t.Wait()
		        if made:
		            t.Delete()
		        o.now(), e.now()
		        t.conn.close()
		        t.conn = None
		        return begun, whole(i, o, e) and begun
		    return life
		fail_each(prepare)
	PY
}

# ---- files and loggers ------------------------------------------------------

@test "shim: file: is appended to by both streams" {
	shim <<-'PY'
		name = IT + "/log-file"
		with open(name, "w") as f:
		    f.write("before\n")
		t = Task("sh", "-c", "echo to out; echo to err >&2; exit 3")
		t.run(stdout="file://" + name, stderr="file://" + name)
		eq(t.State().stdout, "file://" + name)
		eq(t.Wait().exit_status, 3)
		t.Delete()
		eq(sorted(open(name).read().splitlines()), ["before", "to err", "to out"])
		os.unlink(name)
		u = Task(group="new file").run()
		u.exec("x", "sh", "-c", "echo exec", stdout="file://" + name, stderr="file://" + name)
		u.Wait(exec_id="x")
		u.Delete(exec_id="x")
		eq(open(name).read(), "exec\n")
		os.unlink(name)
	PY
}

# A logger: writes what it is told and what it reads into files of $1.
LOGGER='
log = IT + "/logger"
os.makedirs(log, exist_ok=True)
def logger(*more):
    return "binary://" + t.script("trap \"\" TERM", "d=$2", "echo \"$1 $2 $CONTAINER_ID $CONTAINER_NAMESPACE\" >$d/told", *more,
        "cat <&3 >$d/out & cat <&4 >$d/err &", "echo 1 >&5; exec 5>&-", "exec 3<&- 4<&-; wait; echo >$d/ended")
def read(name):
    return open(log + "/" + name).read()
'

@test "shim: binary: is started and given the streams" {
	shim <<-PY
		t = Task("sh", "-c", "echo to out; echo to err >&2; exit 3")
		$LOGGER
		uri = logger() + "?dir=" + log
		t.run(stdout=uri, stderr=uri)
		eq(t.Wait().exit_status, 3)
		t.Delete()
		until(lambda: os.path.exists(log + "/ended"), 30, "the logger does not end")
		eq((read("out"), read("err")), ("to out\n", "to err\n"))
		eq(read("told"), "dir %s %s %s\n" % (log, t.id, NS))
		shutil.rmtree(log)
	PY
}

@test "shim: the process starts when the logger is ready, not before" {
	shim <<-PY
		t = Task("true")
		$LOGGER
		uri = logger("sleep 0.6") + "?dir=" + log
		t.launch()
		began = time.monotonic()
		t.run(stdout=uri, stderr=uri)
		assert time.monotonic() - began >= 0.5
		t.Wait()
		t.Delete()
		until(lambda: os.path.exists(log + "/ended"), 30)
		shutil.rmtree(log)
	PY
}

@test "shim: a logger that is not there, or fails, is an error" {
	shim <<-PY
		t = Task("true").launch()
		$LOGGER
		for uri in ("binary:///no/such/logger", "binary://" + t.script("exit 9")):
		    code, text = t.begin("Create", bundle=t.bundle, stdout=uri, stderr=uri).status()
		    if code == OK and "/script" in uri and not OURS:
		        t.Kill(signal=KILL)
		        t.Delete()
		        continue # the peer takes its end for readiness
		    assert code in (UNKNOWN, NOT_FOUND, INVALID), (uri, code, text)
		    t.fails(NOT_FOUND, "not found", "State")
		for uri in ("gopher://x/y", "file://", "binary://"):
		    code, text = t.begin("Create", bundle=t.bundle, stdout=uri, stderr=uri).status()
		    assert code in (UNKNOWN, NOT_FOUND, INVALID), (uri, code, text)
		eq(t.cgroup_dirs(), [])
		shutil.rmtree(log, ignore_errors=True)
	PY
}

@test "shim: a logger that never says it is ready does not stop others, and is ended" {
	ours_only 'it waits for ever'
	shim <<-PY
		t = Task("true", group="slow logger")
		u = Task(group="slow logger").run()
		$LOGGER
		uri = "binary://" + t.script("echo \$\$ >%s/pid; exec sleep 1000" % log)
		c = t.launch().begin("Create", bundle=t.bundle, stdout=uri, stderr=uri)
		pid = int(until(lambda: os.path.exists(log + "/pid") and read("pid").strip()))
		began = time.monotonic()
		eq(u.status(), RUNNING)
		eq(u.kill(), 137)
		assert time.monotonic() - began < 9 # then it would be given up
		os.kill(t.shim, KILL) # what it started must not outlive it
		gone(pid)
		shutil.rmtree(log)
	PY
}

# ---- terminals --------------------------------------------------------------

@test "shim: a terminal: what is typed, what is shown, its end" {
	shim <<-'PY'
		t = Task("sh", "-c", "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; read x; echo got \$x; read y; exit 7".replace("\\", ""), tty=True)
		i, o = t.inp(), t.out("stdout")
		t.create()
		eq(t.State().terminal, True)
		t.start()
		o.wait(b"three")
		i.write(b"hello\n")
		o.wait(b"got hello")
		i.write(b"\n")
		eq(t.Wait().exit_status, 7)
		t.Delete()
		o.end()
		within(o.text, "hello\ngot hello\n") # the echo, then the answer
	PY
}

@test "shim: a terminal of an exec, and interrupt from the keyboard" {
	shim <<-'PY'
		t = Task().run()
		i, o = t.inp("i"), t.out("o")
		t.exec("x", "sh", "-c", "trap 'echo interrupted; exit 6' INT; tty; echo ready; while :; do sleep 0.01; done",
		    terminal=True, stdin=i.path, stdout=o.path)
		o.wait(b"ready")
		i.write(b"\003")
		o.wait(b"interrupted")
		eq(t.Wait(exec_id="x").exit_status, 6)
		t.Delete(exec_id="x")
		o.end()
	PY
}

@test "shim: all output of a fast process on a terminal is there when Delete has answered" {
	shim <<-'PY'
		for n in range(5):
		    t = Task("sh", "-c", "i=0; while [ $i -lt 800 ]; do i=$((i+1)); echo line $i; done; echo the end", tty=True, group="fast tty")
		    o = t.out("stdout")
		    t.run()
		    eq(t.Wait().exit_status, 0)
		    t.Delete()
		    eq(o.end().text, "".join("line %d\n" % i for i in range(1, 801)) + "the end\n")
	PY
}

@test "shim: a terminal whose reader stalls or is away stops nobody" {
	shim <<-'PY'
		t = Task("sh", "-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo a longer line, number $i; done; echo the end; exec sleep 100", tty=True)
		o = t.out("stdout")
		o.stalled = True
		t.run()
		time.sleep(0.3)
		eq(t.status(), RUNNING)
		o.vanish()
		t.ResizePty(width=70, height=20)
		eq(t.status(), RUNNING)
		o.come()
		o.stalled = False
		o.wait(b"the end", 10)
		o.vanish()
		eq(t.kill(), 137)
		t.Delete()
	PY
}

@test "shim: a process that has closed its terminal, or all streams, still runs" {
	shim <<-'PY'
		for tty in (True, False):
		    t = Task("sh", "-c", "echo words; exec <&- >&- 2>&-; sleep 3; exit 4", tty=tty, group="closed")
		    o = t.out("stdout")
		    t.run()
		    o.wait(b"words")
		    time.sleep(0.2)
		    eq(t.status(), RUNNING)
		    eq(t.Wait().exit_status, 4)
		    t.Delete()
	PY
}
