#!/usr/bin/env bats
# shim_security.bats: who may speak to a shim, and what a container can reach of it.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

@test "shim: only its user can reach the socket, and only root and its user are answered" {
	shim <<-'PY'
		import socket, stat
		t = Task().run()
		path = t.address.removeprefix("unix://")
		eq(stat.S_IMODE(os.stat(path).st_mode), 0o600)
		assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o022 == 0
		if OURS: # and what the mode is worth, when somebody has changed it
		    eq(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
		    for d in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
		        os.chmod(d, 0o755)
		    os.chmod(path, 0o666)
		    child = os.fork()
		    if not child:
		        try:
		            os.setgid(65534)
		            os.setuid(65534)
		            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
		            s.connect(path)
		        except OSError:
		            os._exit(99) # it is not asked at all
		        try:
		            s.sendall(frame(1, request(V2, "Connect", message("Connect", id="x").SerializeToString(), METADATA)))
		            got = s.recv(10)
		        except OSError:
		            got = b""
		        os._exit(len(got))
		    eq(os.waitpid(child, 0)[1], 0)
		    os.chmod(os.path.dirname(path), 0o700)
		    assert not any("@" in l and "shim" in l for l in open("/proc/net/unix")), "an abstract socket"
	PY
}

@test "shim: CVE-2019-5736: the binary that enters a container cannot be written from there" {
	ours_only 'it has no part in that: runc enters'
	shim <<-'PY'
		import hashlib
		def sum():
		    with open(os.path.realpath(SHIM), "rb") as f:
		        return hashlib.sha256(f.read()).hexdigest()
		def powerful(c):
		    every = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_MKNOD"]
		    for s in ("bounding", "effective", "permitted"):
		        c["process"]["capabilities"][s] = every
		    c["process"]["noNewPrivileges"] = False
		before = sum()
		# The interpreter of a program is the program that executes it: the classical way in.
		bad = IT_OUT + "/rootfs/evil-shim"
		open(bad, "w").write("#!/proc/self/exe\n")
		os.chmod(bad, 0o755)
		t = Task("sh", "-c", "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || [ $p = /proc/$$ ] || "
		         "(exec 3<>$p/exe; echo x >&3; mount -o remount,rw $p/exe; echo x >>$p/exe) 2>/dev/null; done; done",
		         config=powerful)
		t.run()
		for n in range(20):
		    t.add("x%d" % n, "/evil-shim" if n % 2 else "true")
		    t.begin("Start", exec_id="x%d" % n).status(20)
		    t.Delete(exec_id="x%d" % n, timeout=30) if t.status("x%d" % n) == STOPPED else None
		eq(t.kill(), 137)
		eq(sum(), before)
		# The server does not run from the file itself either.
		assert os.stat("/proc/%d/exe" % t.shim).st_ino == os.stat(os.path.realpath(SHIM)).st_ino
		mounts = {l.split()[0]: l for l in open("/proc/%d/mountinfo" % t.shim)}
		with open("/proc/%d/fdinfo/%d" % (os.getpid(), os.open("/proc/%d/exe" % t.shim, os.O_PATH))) as f:
		    mnt = next(l.split()[1] for l in f if l.startswith("mnt_id"))
		assert mnt not in mounts, "it can be reached by a mount: " + mounts.get(mnt, "")
		os.unlink(bad)
	PY
}

@test "shim: nothing of it is open in a container's process" {
	shim <<-'PY'
		t = Task().run()
		x = t.exec("x", "sleep", "1000")
		for pid in (t.pid, x):
		    eq(sorted(os.listdir("/proc/%d/fd" % pid)), ["0", "1", "2"])
		    eq(open("/proc/%d/environ" % pid).read().count("TTRPC_ADDRESS"), 0)
	PY
}
