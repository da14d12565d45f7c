#!/usr/bin/env bats
# shim_mounts.bats: berth.shim.v1.Shim/MountAdd and MountRemove: bind mounts of a
# container that is there already, and what a container can do about them.

load lib.bash
load shim_lib.bash

setup_file() {
	shim_up
	MOUNTS_WITHOUT=${BERTH_BUILD:-$IT_TOP/build}/test/without
	export MOUNTS_WITHOUT
}
teardown_file() { shim_down; }

WITH='
import berth_shim_pb2 as own_messages
OWN = "berth.shim.v1.Shim"
DATA = IT + "/data-%d" % os.getpid()
os.makedirs(DATA + "/sub")
os.chmod(DATA, 0o755)
for name, text in (("file", "of the host"), ("sub/inner", "inner")):
    with open(DATA + "/" + name, "w") as f:
        f.write(text)
def own_root(c):
    """A root file system of the test`s own, to be written to."""
    root = IT + "/roots/" + os.path.basename(c["linux"]["cgroupsPath"])
    os.makedirs(root + "/bin")
    for d in ("proc", "dev", "sys", "tmp"):
        os.mkdir(root + "/" + d)
    shutil.copy(IT_OUT + "/rootfs/bin/busybox", root + "/bin/busybox")
    for name in ("sh", "sleep", "cat", "true", "mount", "umount", "mv", "mkdir", "ln", "rm", "mkfifo", "ls", "touch"):
        os.symlink("busybox", root + "/bin/" + name)
    c["root"] = {"path": root}
    return root
def every(*configs):
    def config(c):
        for f in configs:
            f(c)
    return config
def caps(*names):
    def config(c):
        c["process"]["capabilities"] = {k: list(names) for k in ("bounding", "effective", "permitted")}
    return config
def users(c):
    c["linux"]["namespaces"].append({"type": "user"})
    for k in ("uidMappings", "gidMappings"):
        c["linux"][k] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    shutil.os.chown(c["root"]["path"], 100000, 100000)
def begin(t, method, **fields):
    answer = wellknown_pb2.Empty if method == "MountRemove" else getattr(own_messages, method + "Response")
    return t.conn.begin(OWN, method, getattr(own_messages, method + "Request")(id=t.id, **fields), answer)
def mount(destination, source=DATA, *options, **more):
    return json.dumps({"destination": destination, "source": source, "type": "bind", "options": list(options), **more})
def add(t, *args, **kw):
    return begin(t, "MountAdd", mount=mount(*args, **kw)).result().destination
def remove(t, destination):
    begin(t, "MountRemove", destination=destination).result()
def refused(t, code, part, m):
    got, text = begin(t, "MountAdd", mount=m).status()
    assert got == code and part in text, (m[:100], got, text, "not", code, part)
runs = [0]
def run(t, script):
    """What a shell in the container says, and its exit status."""
    runs[0] += 1
    x = "run%d" % runs[0]
    o = Out("%s/%s-%s" % (FIFOS, t.id, x))
    t.exec(x, "sh", "-c", "exec 2>&1; " + script, stdout=o.path)
    code = t.Wait(exec_id=x).exit_status
    t.Delete(exec_id=x)
    return o.end().text.strip(), code
def table(pid):
    with open("/proc/%d/mountinfo" % pid) as f:
        return sorted(" ".join(l.split()[2:6]) for l in f)
'

@test "shim: mounts: a directory: seen at once, by all processes, until it is taken off; what was made for it goes" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task(config=own_root).run()
		root = IT + "/roots/" + t.id
		before = sorted(os.listdir(root)), table(t.pid)
		eq(add(t, "/a/b/../b//c/", DATA), "/a/b/c")
		eq(run(t, "cat /a/b/c/file /a/b/c/sub/inner"), ("of the hostinner", 0))
		eq(run(t, "echo new >/a/b/c/new"), ("", 0))
		eq(open(DATA + "/new").read(), "new\\n")
		assert not os.listdir(root + "/a/b/c") # it is in the container alone
		remove(t, "/a/b/c")
		eq((sorted(os.listdir(root)), table(t.pid)), before)
		# what was there stays, and what somebody put there by now
		os.makedirs(root + "/x/y")
		add(t, "/x/y/z/w")
		open(root + "/x/y/note", "w").close()
		remove(t, "/x/y/z/w")
		eq(sorted(os.listdir(root + "/x/y")), ["note"])
		add(t, "/x/y")
		remove(t, "//x/./y/")
		eq(sorted(os.listdir(root + "/x/y")), ["note"])
		add(t, "/n/e/w")
		open(root + "/n/e/note", "w").close()
		remove(t, "/n/e/w")
		eq(os.listdir(root + "/n/e"), ["note"])
		shutil.rmtree(root)
	PY
}

@test "shim: mounts: options: read-only, recursive ones, and what is below" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		subprocess.run(["mount", "-t", "tmpfs", "below", DATA + "/sub"], check=True)
		with open(DATA + "/sub/inner", "w") as f:
		    f.write("of the tmpfs")
		t = Task(config=own_root).run()
		add(t, "/one", DATA, "ro")
		add(t, "/two", DATA, "rbind", "ro")
		add(t, "/three", DATA, "rbind", "rro", "nosuid", "rnodev", "noexec")
		eq(run(t, "cat /one/file; ls /one/sub; touch /one/x"), ("of the hostinner\\ntouch: /one/x: Read-only file system", 1))
		eq(run(t, "cat /two/sub/inner; touch /two/sub/x; touch /two/x")[0], "of the tmpfstouch: /two/x: Read-only file system")
		eq(run(t, "touch /three/x; touch /three/sub/y")[0].count("Read-only"), 2)
		with open("/proc/%d/mountinfo" % t.pid) as f:
		    flags = {l.split()[4]: l.split()[5].split(",") for l in f}
		assert {"ro", "nosuid", "nodev", "noexec"} <= set(flags["/three"]), flags
		assert {"ro", "nodev"} <= set(flags["/three/sub"]) and "noexec" not in flags["/three/sub"], flags
		for d in ("/one", "/two", "/three"):
		    remove(t, d)
		assert not [l for l in table(t.pid) if "/one" in l or "/two" in l or "/three" in l]
		subprocess.run(["umount", DATA + "/sub"], check=True)
	PY
}

@test "shim: mounts: files, sockets and FIFOs" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import socket
		t = Task(config=own_root).run()
		root = IT + "/roots/" + t.id
		s = socket.socket(socket.AF_UNIX)
		s.bind(DATA + "/sock")
		s.listen()
		os.mkfifo(DATA + "/fifo")
		eq(add(t, "/etc/conf", DATA + "/file", "ro"), "/etc/conf")
		add(t, "/run/sock", DATA + "/sock")
		add(t, "/pipes/one", DATA + "/fifo")
		eq(run(t, "cat /etc/conf; echo x >/etc/conf")[1], 1)
		eq(open(DATA + "/file").read(), "of the host")
		got = []
		def serve():
		    c, _ = s.accept()
		    got.append(c.recv(100))
		    c.close()
		threading.Thread(target=serve, daemon=True).start()
		c = socket.socket(socket.AF_UNIX)
		c.connect("/proc/%d/root/run/sock" % t.pid)
		c.send(b"hello\\n")
		c.close()
		until(lambda: got == [b"hello\\n"])
		fd = os.open(DATA + "/fifo", os.O_RDWR)
		run(t, "echo through >/pipes/one")
		eq(os.read(fd, 100), b"through\\n")
		os.close(fd)
		# onto what is there: a file, and a FIFO that nobody opens
		os.mkfifo(root + "/waits")
		add(t, "/waits", DATA + "/file")
		eq(run(t, "cat /waits")[0], "of the host")
		for d in ("/etc/conf", "/run/sock", "/pipes/one", "/waits"):
		    remove(t, d)
		eq([d for d in ("etc", "run", "pipes") if os.path.exists(root + "/" + d)], [])
		# one that is no longer empty stays
		add(t, "/kept", DATA + "/file")
		with open(root + "/kept", "w") as f:
		    f.write("x")
		remove(t, "/kept")
		eq(open(root + "/kept").read(), "x")
	PY
}

@test "shim: mounts: in every state" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("sh", "-c", "cat /early/file; exec sleep 1000", config=own_root)
		o = t.out("stdout")
		t.create()
		add(t, "/early")
		t.start()
		until(lambda: o.text == "of the host")
		add(t, "/running")
		t.Pause()
		add(t, "/paused")
		remove(t, "/running")
		t.Resume()
		eq(run(t, "cat /paused/file; ls /running")[1], 1)
		t.kill()
		eq(begin(t, "MountAdd", mount=mount("/late")).status()[0], PRECONDITION)
		eq(begin(t, "MountRemove", destination="/paused").status()[0], PRECONDITION)
		t.Delete()
		t.created = False
		eq(begin(t, "MountAdd", mount=mount("/late")).status()[0], NOT_FOUND)
		eq(begin(t, "MountRemove", destination="/paused").status()[0], NOT_FOUND)
	PY
}

@test "shim: mounts: what is wrong is named, and changes nothing" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task(config=own_root).run()
		root = IT + "/roots/" + t.id
		os.symlink("/", root + "/slash")
		os.symlink("proc", root + "/p")
		os.mkdir(root + "/dir")
		open(root + "/plain", "w").close()
		before = sorted(os.listdir(root)), table(t.pid), table(t.shim)
		for m, part in ((mount("/x", "/no/such"), "/source: open '/no/such': no such file"),
		                (mount("/x", ""), "/source"),
		                ("{", "mount"),
		                ('{"source": "/"}', "/destination"),
		                (mount("/x", DATA, type="tmpfs"), "/type"),
		                (mount("/x", DATA, "bind", "size=1"), "/options: 'size=1'"),
		                (mount("/x", DATA, "tmpcopyup"), "/options"),
		                (mount("/x", DATA, "remount"), "/options: remount"),
		                (mount("/x", DATA, "idmap"), "/options: an id-mapped mount needs"),
		                (mount("/x", DATA, uidMappings=[{"containerID": 0, "hostID": 1, "size": 1}],
		                       gidMappings=[{"containerID": 0, "hostID": 1, "size": 1}]), "/uidMappings"),
		                (mount("/"), "/destination"),
		                (mount("/slash"), "/destination: leads to the root"),
		                (mount("/a/../.."), "/destination"),
		                (mount("/proc/1"), "/destination: leads into procfs"),
		                (mount("/p/sys"), "/destination: leads into procfs"),
		                (mount("/proc/self/root/x"), "/destination"),
		                (mount("/proc/new"), "/destination"),
		                (mount("/plain"), "/destination"),
		                (mount("/plain/x"), "/destination"),
		                (mount("/dir", DATA + "/file"), "/destination"),
		                (mount("/" + "x" * 300), "/destination"),
		                (mount("/new" + "/x" * 2100), "/destination")):
		    refused(t, INVALID, part, m)
		eq((sorted(os.listdir(root)), table(t.pid), table(t.shim)), before)
		add(t, "/dir")
		refused(t, EXISTS, "/dir", mount("/dir/"))
		eq(begin(t, "MountRemove", destination="/plain").status()[0], NOT_FOUND)
		eq(begin(t, "MountRemove", destination="").status()[0], NOT_FOUND)
		remove(t, "/dir")
		eq(begin(t, "MountRemove", destination="/dir").status()[0], NOT_FOUND)
		# a relative source is one of the bundle
		os.mkdir(t.bundle + "/own")
		add(t, "/own", "own")
		with open(t.bundle + "/own/f", "w") as f:
		    f.write("of the bundle")
		eq(run(t, "cat /own/f")[0], "of the bundle")
		# a root that cannot be written
		t = Task(config=every(own_root, lambda c: c["root"].update(readonly=True))).run()
		refused(t, INVALID, "read-only file system", mount("/x"))
		add(t, "/tmp")
		eq(run(t, "cat /tmp/file")[0], "of the host")
		# as many as there may be
		t = Task(config=own_root).run()
		for n in range(256):
		    add(t, "/m/%d" % n)
		refused(t, PRECONDITION, "256 mounts", mount("/m/256"))
		# a container that shares the host's mounts
		t = Task(config=lambda c: c["linux"].update(maskedPaths=[], readonlyPaths=[],
		    namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "mount"]) or c.update(mounts=[]))
		before = None
		try:
		    t.run()
		except Failed as e:
		    print(e)
		else:
		    refused(t, UNIMPLEMENTED, "mount namespace of its own", mount("/x"))
	PY
}

@test "shim: mounts: a busy one stays, and one that the container has unmounted, moved or hidden" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task(config=every(own_root, caps("CAP_SYS_ADMIN"))).run()
		root = IT + "/roots/" + t.id
		# busy
		add(t, "/busy")
		t.exec("in-it", "sh", "-c", "cd /busy; exec sleep 1000")
		until(lambda: os.readlink("/proc/%d/cwd" % [p.pid for p in t.Pids().processes if p.pid != t.pid][0]) == "/busy")
		code, text = begin(t, "MountRemove", destination="/busy").status()
		assert code == PRECONDITION and "busy" in text, (code, text)
		eq(run(t, "cat /busy/file")[0], "of the host")
		t.Kill(signal=KILL, exec_id="in-it")
		t.Wait(exec_id="in-it")
		remove(t, "/busy")
		# unmounted by the container, and something of its own there
		add(t, "/gone")
		eq(run(t, "umount /gone && mount -t tmpfs own /gone && touch /gone/own")[1], 0)
		eq(begin(t, "MountRemove", destination="/gone").status()[0], NOT_FOUND)
		eq(run(t, "ls /gone")[0], "own")
		# moved: the directory above has another name, and a new one its old
		add(t, "/above/it")
		eq(run(t, "mv /above /elsewhere; mkdir -p /above/it; ls /elsewhere/it/file")[1], 0)
		remove(t, "/above/it")
		eq(run(t, "ls /elsewhere/it")[0], "")
		eq(os.path.isdir(root + "/elsewhere/it"), True) # not by the name that we made
		# hidden
		add(t, "/cover/it")
		eq(run(t, "mount -t tmpfs over /cover && mkdir /cover/it")[1], 0)
		code, text = begin(t, "MountRemove", destination="/cover/it").status()
		assert code == PRECONDITION and "hides" in text, (code, text)
		eq(run(t, "umount /cover")[1], 0)
		remove(t, "/cover/it")
		# what is mounted on it goes with it
		add(t, "/stack")
		eq(run(t, "mount -t tmpfs one /stack/sub && mount -t tmpfs two /stack && mkdir /stack/deep && mount -t tmpfs three /stack/deep")[1], 0)
		remove(t, "/stack")
		assert not [l for l in table(t.pid) if "/stack" in l], table(t.pid)
		eq(os.listdir(DATA + "/sub"), ["inner"])
	PY
}

@test "shim: mounts: nothing that is mounted below one side shows on the other, unless asked for" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		subprocess.run(["mount", "--bind", DATA, DATA], check=True)
		subprocess.run(["mount", "--make-shared", DATA], check=True)
		try:
		    conf = IT + "/shim.json"
		    for own_ns in (True, False):
		        with open(conf, "w") as f:
		            json.dump({"mount_namespace": own_ns}, f)
		        t = Task(config=every(own_root, caps("CAP_SYS_ADMIN")))
		        t.launch(env={"BERTH_SHIM_CONFIG": conf})
		        t.run()
		        add(t, "/alone", DATA, "rbind")
		        add(t, "/slave", DATA, "rbind", "rslave")
		        eq(run(t, "mount -t tmpfs x /alone/sub && mount -t tmpfs x /slave/sub")[1], 0)
		        eq(os.listdir(DATA + "/sub"), ["inner"])
		        eq(run(t, "umount /alone/sub; umount /slave/sub")[1], 0)
		        subprocess.run(["mount", "-t", "tmpfs", "host", DATA + "/sub"], check=True)
		        open(DATA + "/sub/host", "w").close()
		        eq(run(t, "ls /alone/sub /slave/sub")[0].split(), ["/alone/sub:", "inner", "/slave/sub:", "host"])
		        subprocess.run(["umount", DATA + "/sub"], check=True)
		        remove(t, "/alone")
		        remove(t, "/slave")
		        eq(os.listdir(DATA + "/sub"), ["inner"])
		        assert DATA in [m.split()[4] for m in mountinfo()]
		        os.remove(conf)
		        t.end()
		finally:
		    subprocess.run(["umount", "-R", DATA], check=True)
	PY
}

@test "shim: mounts: in a user namespace" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task(config=every(own_root, caps("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"), users)).run()
		root = IT + "/roots/" + t.id
		add(t, "/one/two", DATA, "ro", "nosuid")
		eq(os.stat(root + "/one").st_uid, 100000) # made by the container's root
		eq(run(t, "cat /one/two/file")[0], "of the host")
		eq(run(t, "touch /one/two/x")[1], 1)
		with open(DATA + "/mine", "w") as f:
		    f.write("secret")
		os.chmod(DATA + "/mine", 0o600) # of the host's root, who is nobody there
		add(t, "/plain", DATA)
		eq(run(t, "cat /plain/mine")[1], 1)
		add(t, "/mapped", DATA, "idmap")
		eq(run(t, "cat /mapped/mine")[0], "secret")
		eq(run(t, "touch /mapped/made")[1], 0)
		eq(os.stat(DATA + "/made").st_uid, 0)
		add(t, "/both", DATA, "rbind", "ridmap", "rro")
		eq(run(t, "cat /both/mine; touch /both/sub/x")[0], "secrettouch: /both/sub/x: Read-only file system")
		for d in ("/one/two", "/plain", "/mapped", "/both"):
		    remove(t, d)
		eq([d for d in ("one", "plain", "mapped", "both") if os.path.exists(root + "/" + d)], [])
		# a directory that is the host's root's alone
		os.chmod(DATA, 0o700)
		add(t, "/closed", DATA, "idmap")
		eq(run(t, "cat /closed/file")[0], "of the host")
	PY
}

@test "shim: mounts: links of a hostile image lead nowhere else" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		outside = IT + "/outside"
		os.makedirs(outside + "/dir", exist_ok=True)
		t = Task(config=own_root).run()
		root = IT + "/roots/" + t.id
		def host():
		    return table(os.getpid()), table(t.shim), sorted(os.walk(outside))
		before = host()
		os.symlink("../../../../../../../.." + outside, root + "/up")
		os.symlink(outside, root + "/absolute")
		os.symlink("/proc/self/root/" + outside, root + "/magic")
		os.symlink("/proc/self/fd/0", root + "/fd")
		os.symlink("loop", root + "/loop")
		os.symlink("up/new", root + "/dangling")
		os.mkfifo(root + "/fifo")
		for d in ("/up/dir", "/absolute/dir", "/up/../../../dir", "/magic/dir", "/fd", "/fd/x", "/loop", "/loop/x", "/fifo/x", "/dangling/x"):
		    code, text = begin(t, "MountAdd", mount=mount(d)).status()
		    eq(host(), before)
		    if code == OK:
		        eq(run(t, "cat " + d + "/file")[0], "of the host") # in the container's own directory of that name
		        remove(t, d)
		    else:
		        eq((d, code), (d, INVALID))
		    eq(host(), before)
		shutil.rmtree(outside)
	PY
}

@test "shim: mounts: renames that race with it change nothing outside" {
	ours_only 'it has none'
	cc -static -O1 -o "$BATS_FILE_TMPDIR/rootfs/swap" -x c - <<-'C'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdio.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			for (;;) /* RENAME_EXCHANGE */
				for (int i = 1; i + 1 < argc; i += 2)
					syscall(SYS_renameat2, AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], 2);
		}
	C
	ROUNDS=$([ -z "${BERTH_SOAK:-}" ] && echo 150 || echo 5000) shim <<-PY
		$WITH
		outside = IT + "/outside"
		os.makedirs(outside + "/in/dir")
		t = Task(config=own_root).run()
		root = IT + "/roots/" + t.id
		shutil.copy(IT_OUT + "/rootfs/swap", root + "/swap")
		for d in ("d/in/dir", "e/in"):
		    os.makedirs(root + "/" + d)
		os.symlink("../../../../../../../../.." + outside, root + "/link")
		os.symlink("/proc/self/root/../../../../../../../../.." + outside, root + "/link2")
		os.mkfifo(root + "/pipe")
		def host():
		    return table(os.getpid()), table(t.shim), sorted(os.walk(outside))
		before = host()
		t.exec("swap", "/swap", "/d", "/link", "/e/in", "/pipe", "/e", "/link2")
		done = {}
		for n in range(int(os.environ["ROUNDS"])):
		    for d in ("/d/in/dir", "/d/in/new%d/x" % (n % 3), "/e/in", "/e/in/sub"):
		        code, text = begin(t, "MountAdd", mount=mount(d)).status()
		        assert code in (OK, INVALID, UNKNOWN, EXISTS, NOT_FOUND), (code, text)
		        done[code] = done.get(code, 0) + 1
		        if code == OK:
		            code, text = begin(t, "MountRemove", destination=d).status()
		            assert code in (OK, PRECONDITION, NOT_FOUND), (code, text)
		            done["off", code] = done.get(("off", code), 0) + 1
		    eq(host(), before)
		print(done)
		assert done.get(OK) and done.get(("off", OK)), done
		eq(sorted(os.listdir(DATA)), ["file", "sub"])
		t.Kill(signal=KILL, exec_id="swap")
		t.Wait(exec_id="swap")
		eq(host(), before)
		shutil.rmtree(outside)
	PY
}

@test "shim: mounts: the helper cannot be looked into, or ended, by a container that shares the pid namespace" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		def host_pid(c):
		    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
		    c["mounts"] = [{"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}] + [
		        m for m in c["mounts"] if m["destination"] != "/proc"]
		    c["linux"].update(maskedPaths=[], readonlyPaths=[])
		t = Task(config=every(own_root, caps("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_KILL", "CAP_DAC_OVERRIDE"), users, host_pid)).run()
		# it looks at the files of whatever comes
		t.exec("looks", "sh", "-c", "while :; do for p in /proc/[0-9]*; do ls -l \$p/fd/ \$p/root/ \$p/exe \$p/cwd; done 2>/dev/null; done >/seen")
		path = IT + "/roots/" + t.id + "/seen"
		until(lambda: os.path.exists(path))
		def seen():
		    with open(path) as f:
		        return f.read()
		until(lambda: "sleep" in seen() or "busybox" in seen()) # of its own
		for n in range(60):
		    add(t, "/m")
		    remove(t, "/m")
		t.Kill(signal=KILL, exec_id="looks")
		t.Wait(exec_id="looks")
		for secret in (SHIM, "containerd-shim", "anon_inode:[pidfd]", IT_OUT):
		    assert secret not in seen(), secret
	PY
}

@test "shim: mounts: of a container of another runtime" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import runc_options_pb2
		t = Task(config=own_root)
		t.create(options=options(binary_name="/usr/sbin/runc" if os.path.exists("/usr/sbin/runc") else "runc-not-there")).start()
		add(t, "/a/b", DATA, "ro")
		eq(run(t, "cat /a/b/file; touch /a/b/x")[1], 1)
		remove(t, "/a/b")
	PY
}

@test "shim: mounts: without mount_setattr: plain options as ever, others are refused by name" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		for errno in ("ENOSYS", "EPERM"):
		    t = Task(config=own_root)
		    shim = t.script('exec %s --errno %s mount_setattr -- %s "\$@"' % (os.environ["MOUNTS_WITHOUT"], errno, SHIM))
		    SHIM_BEFORE = globals()["SHIM"]
		    sys.modules["__main__"].SHIM = shim
		    try:
		        t.launch()
		    finally:
		        sys.modules["__main__"].SHIM = SHIM_BEFORE
		    t.run()
		    add(t, "/a/b", DATA, "ro", "nosuid")
		    eq(run(t, "cat /a/b/file; touch /a/b/x")[0], "of the hosttouch: /a/b/x: Read-only file system")
		    add(t, "/f", DATA + "/file", "ro")
		    eq(run(t, "echo x >/f")[1], 1)
		    add(t, "/w")
		    eq(run(t, "touch /w/x")[1], 0)
		    refused(t, UNIMPLEMENTED, "mount_setattr", mount("/x", DATA, "rro"))
		    for d in ("/a/b", "/f", "/w"):
		        remove(t, d)
		    assert DATA not in "".join(table(t.shim)), table(t.shim)
	PY
}

@test "shim: mounts: many at once, and nothing grows" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task(config=own_root).run()
		def round():
		    calls = [begin(t, "MountAdd", mount=mount("/m/%d/x" % n)) for n in range(40)]
		    for c in calls:
		        c.result()
		    calls = [begin(t, "MountRemove", destination="/m/%d/x" % n) for n in range(40)]
		    again = [begin(t, "MountRemove", destination="/m/%d/x" % n) for n in range(40)]
		    for c in calls:
		        c.result()
		    for c in again:
		        assert c.status()[0] in (NOT_FOUND, PRECONDITION), c.status()
		def rss():
		    with open("/proc/%d/statm" % t.shim) as f:
		        return int(f.read().split()[1])
		round()
		before = fds(t.shim), rss(), table(t.pid)
		for n in range(5):
		    round()
		eq((fds(t.shim), table(t.pid)), (before[0], before[2]))
		if not os.environ.get("BERTH_SAN"):
		    assert rss() <= before[1] + 32, (before, rss())
	PY
}
