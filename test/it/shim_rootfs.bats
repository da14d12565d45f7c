#!/usr/bin/env bats
# shim_rootfs.bats: the mounts that Create makes a root file system of, where
# they are made, and what is left of them.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

@test "shim: a bind mount, writable and not" {
	shim <<-'PY'
		for opts, want in (([], b"written\n"), (["ro"], b"Read-only")):
		    t = Task("sh", "-c", "cat /data/seed; exec 2>&1; echo written >/tmp/w && cat /tmp/w; echo end",
		        mounts=[bind(IT_OUT + "/rootfs", *opts)])
		    o = t.out("stdout")
		    t.run()
		    t.Wait()
		    o.wait(b"end\n")
		    within(o.now(), b"seed\n")
		    within(o.now(), want)
		os.unlink(IT_OUT + "/rootfs/tmp/w")
	PY
}

# An overlay on the root file system; upper and work are below $1 of Python.
OVERLAY='
def overlay(d, *more):
    for n in ("upper", "work"):
        os.makedirs(d + "/" + n, exist_ok=True)
    return types_pb2.Mount(type="overlay", source="overlay", options=["index=off", "workdir=" + d + "/work",
        "upperdir=" + d + "/upper", "lowerdir=" + IT_OUT + "/rootfs", *more])
'

@test "shim: an overlay, written to, and deleted" {
	shim <<-PY
		$OVERLAY
		t = Task("sh", "-c", "echo new >/data/new; rm /data/seed; ls /data", mounts=[overlay(IT + "/ov")])
		o = t.out("stdout")
		t.run()
		t.Wait()
		eq(o.wait(b"new\n").text, "new\n")
		t.Delete()
		eq([m for m in mountinfo() if t.bundle in m], [])
		eq(open(IT + "/ov/upper/data/new").read(), "new\n")
		eq(open(IT_OUT + "/rootfs/data/seed").read(), "seed\n")
		eq(os.listdir(t.bundle + "/rootfs"), [])
		shutil.rmtree(IT + "/ov")
	PY
}

@test "shim: several mounts, in their order" {
	shim <<-PY
		$OVERLAY
		t = Task("sh", "-c", "ls /data", mounts=[bind(IT_OUT), overlay(IT + "/ov")]) # the last one is on top
		o = t.out("stdout")
		t.run()
		eq(t.Wait().exit_status, 0)
		eq(o.wait(b"seed\n").text, "seed\n")
		t.Delete()
		eq([m for m in mountinfo() if t.bundle in m], [])
		shutil.rmtree(IT + "/ov")
	PY
}

@test "shim: a mount with a target below the root" {
	ours_only '1.6 knows no target'
	shim <<-'PY'
		os.makedirs(IT + "/extra")
		open(IT + "/extra/file", "w").write("extra\n")
		t = Task("sh", "-c", "cat /data/file; cat /etc/passwd | head -n1", mounts=[bind(IT_OUT + "/rootfs"),
		    types_pb2.Mount(type="bind", source=IT + "/extra", target="/data", options=["rbind", "ro"])])
		o = t.out("stdout")
		t.run()
		t.Wait()
		o.wait(b"extra\nroot:")
		t.Delete()
		shutil.rmtree(IT + "/extra")
	PY
}

@test "shim: a mount that fails says which, and leaves nothing of those before it" {
	shim <<-'PY'
		good, bad = bind(IT_OUT + "/rootfs"), bind("/no/such/source")
		t = Task(mounts=[good, bad]).launch()
		fields = {"bundle": t.bundle, "rootfs": t.mounts}
		text = t.fails((UNKNOWN, NOT_FOUND), "/no/such/source", "Create", **fields)
		wrong = types_pb2.Mount(type="overlay", source="overlay", options=["lowerdir=/no/such/lower"])
		t.fails((UNKNOWN, NOT_FOUND, INVALID), "", "Create", bundle=t.bundle, rootfs=[wrong])
		t.fails((UNKNOWN, NOT_FOUND, INVALID), "", "Create", bundle=t.bundle, rootfs=[types_pb2.Mount(type="no-such-fs", source="x")])
		eq([m for m in mountinfo() if t.bundle in m], [])
		eq([m for m in open("/proc/%d/mountinfo" % t.shim) if t.bundle in m], [])
		t.mounts = [good]
		t.run()
	PY
}

# What mount(2) does not read would be a layer that is missing, in silence.
@test "shim: an overlay of many layers; one whose options do not fit is refused" {
	shim <<-'PY'
		top = IT + "/many/" + 150 * "t"
		def layers(n, name):
		    """Each an empty directory, the last but one with a file; and the root file system."""
		    dirs = [top + "/" + name % i for i in range(n)]
		    for d in dirs:
		        os.makedirs(d)
		    os.mknod(dirs[-1] + "/last")
		    return types_pb2.Mount(type="overlay", source="overlay", options=["lowerdir=" + ":".join(dirs + [top + "/root"])])

		os.makedirs(top)
		os.symlink(IT_OUT + "/rootfs", top + "/root")
		t = Task("ls", "/last", mounts=[layers(60, "%d")]) # 10 KB, but for what all names begin with
		t.run()
		eq(t.Wait().exit_status, 0)
		t.Delete()
		t = Task(mounts=[layers(60, "%d" + 150 * "l")]).launch()
		t.fails((UNKNOWN, INVALID), "argument list too long", "Create", bundle=t.bundle, rootfs=t.mounts)
		eq([m for m in mountinfo() if t.bundle in m], [])
		shutil.rmtree(IT + "/many")
	PY
}

@test "shim: a container that fails leaves no mount" {
	shim <<-'PY'
		t = Task("no-such-program", mounts=[bind(IT_OUT + "/rootfs")]).launch()
		t.fails(UNKNOWN, "no-such-program", "Create", bundle=t.bundle, rootfs=t.mounts)
		eq([m for m in mountinfo() if t.bundle in m], [])
		eq([m for m in open("/proc/%d/mountinfo" % t.shim) if t.bundle in m], [])
	PY
}

@test "shim: the mounts are in the shim's own mount namespace" {
	ours_only "its are the host's"
	shim <<-PY
		$OVERLAY
		t = Task(mounts=[overlay(IT + "/ov")]).run()
		eq([m for m in mountinfo() if t.bundle in m], [])
		assert os.readlink("/proc/%d/ns/mnt" % t.shim) != os.readlink("/proc/self/ns/mnt")
		u = Task(mounts=[bind(IT_OUT + "/rootfs")], group="own").run()
		u.exec("x", "sh", "-c", "test -e /data/seed")
		eq(u.Wait(exec_id="x").exit_status, 0)
		# kill -9 takes them along: the file system is free at once, with nobody to clean up.
		os.kill(t.shim, KILL)
		gone(t.shim)
		t.binary_delete()
		def mounted(p): # in a process that may be gone
		    try:
		        with open(p) as f:
		            return IT + "/ov/upper" in f.read()
		    except OSError:
		        return False
		eq([p for p in glob.glob("/proc/[0-9]*/mountinfo") if mounted(p)], [])
		shutil.rmtree(IT + "/ov")
	PY
}

@test "shim: it does not pin the host's mount points" {
	shim <<-'PY'
		def mount(*args):
		    subprocess.run(["mount", *args], check=True)
		points = [IT + "/pin-" + n for n in ("before", "shared", "busy")]
		for p in points[:2]:
		    os.mkdir(p)
		    mount("-t", "tmpfs", "pin", p)
		mount("--make-shared", points[1]) # what is mounted below it comes and goes in the shim as well
		os.mkdir(points[1] + "/below")
		mount("-t", "tmpfs", "pin", points[1] + "/below")
		t = Task(mounts=[bind(IT_OUT + "/rootfs")]).run()
		own = lambda: open("/proc/%d/mountinfo" % t.shim).read()
		# What is unmounted on the host is gone in the shim, too.
		assert points[1] + "/below" in own()
		subprocess.run(["umount", points[1] + "/below"], check=True)
		assert points[1] + "/below" not in own()
		os.rmdir(points[1] + "/below")
		subprocess.run(["umount", points[1]], check=True)
		# And a mount point that it has from before does not stay in anybody's way.
		subprocess.run(["umount", points[0]], check=True)
		os.rename(points[0], points[0] + "-renamed")
		os.rmdir(points[0] + "-renamed")
		os.rmdir(points[1])
		file = IT + "/pin-file"
		open(file, "w").close()
		mount("--bind", "/dev/null", file)
		u = Task(mounts=[bind(IT_OUT + "/rootfs")]).run()
		subprocess.run(["umount", file], check=True)
		os.unlink(file)
		assert file not in open("/proc/%d/mountinfo" % u.shim).read()
	PY
}

@test "shim: without its own mount namespace, by a setting, clean-up unmounts" {
	shim <<-PY
		$OVERLAY
		conf = IT + "/shim.json"
		open(conf, "w").write('{"mount_namespace": false}')
		env = {"BERTH_SHIM_CONFIG": conf}
		t = Task(mounts=[overlay(IT + "/ov")]).launch(env=env)
		t.run()
		eq(len([m for m in mountinfo() if t.bundle in m]), 1)
		eq(t.kill(), 137)
		t.Delete()
		eq([m for m in mountinfo() if t.bundle in m], [])
		u = Task(mounts=[overlay(IT + "/ov")]).launch(env=env)
		u.run()
		os.kill(u.shim, KILL)
		gone(u.shim)
		eq(len([m for m in mountinfo() if u.bundle in m]), 1)
		u.binary_delete(env=env)
		eq([m for m in mountinfo() if u.bundle in m], [])
		os.unlink(conf)
		shutil.rmtree(IT + "/ov")
	PY
}
