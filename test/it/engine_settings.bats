#!/usr/bin/env bats
# engine_settings.bats: each setting of the engine (docs/engine.md) as it is seen at
# work: from the file, from its variable, and what the options of a container say.

load lib.bash
load shim_lib.bash
load engine_lib.bash

setup_file() { engine_up; }
teardown_file() { engine_down; }

@test "engine_settings: state, namespace and cgroup_parent: where a task is; a variable comes before the file" {
	engine <<-'PY'
		def is_at(en, namespace, parent, pid):
		    eq(en.lines[0]["task"]["bundle"], "%s/%s/c1" % (en.state, namespace))
		    assert os.path.isdir(en.lines[0]["task"]["bundle"])
		    within(open("/proc/%d/cgroup" % pid).read(), ":%s/%s/c1\n" % (parent, namespace))
		a = Engine(state=IT + "/state-a", settings={"namespace": "file", "cgroup_parent": IT_CG + "/file"})
		is_at(a, "file", IT_CG + "/file", a.create("c1")["pid"])
		b = Engine(state=IT + "/state-b", settings={"state": "/nowhere", "namespace": "file", "cgroup_parent": "/nowhere"},
		           BERTH_STATE=IT + "/state-b", BERTH_NAMESPACE="variable", BERTH_CGROUP_PARENT=IT_CG + "/variable")
		is_at(b, "variable", IT_CG + "/variable", b.create("c1")["pid"])
		# A config.json that names its cgroup has it, and a caller that names a namespace.
		t = b.create("c1", cfg=config(cgroup=IT_CG + "/own"), namespace="caller")
		within(open("/proc/%d/cgroup" % t["pid"]).read(), ":%s/own\n" % IT_CG)
		eq(t["bundle"], IT + "/state-b/caller/c1")
		b.do("delete", id="c1", namespace="caller")
		a.delete("c1")
		b.delete("c1")
		for m in (m.split()[4] for m in mountinfo() if " - cgroup" in m):
		    for d in ("/file/file", "/file", "/variable/variable", "/variable"):
		        if os.path.isdir(m + IT_CG + d): os.rmdir(m + IT_CG + d)
	PY
}

@test "engine_settings: shim: a path, a name beside this program or in PATH; a variable comes before the file" {
	engine <<-'PY'
		os.makedirs(IT + "/path/beside")
		def shim(path, word):
		    os.rename(script("echo >%s/used-%s" % (IT, word), 'exec %s "$@"' % SHIM), path)
		    return path
		def uses(word, **more):
		    en = Engine(**more)
		    en.create("c1")
		    en.delete("c1")
		    eq([f for f in os.listdir(IT) if f.startswith("used-")], ["used-" + word])
		    os.unlink(IT + "/used-" + word)
		uses("path", shim=shim(IT + "/path/by-path", "path"))
		shim(IT + "/path/by-name", "name")
		path = IT + "/path:" + os.environ["PATH"]
		uses("name", shim="by-name", PATH=path)
		uses("name", shim="/nowhere", BERTH_SHIM="by-name", PATH=path)
		shim(IT + "/path/beside/by-name", "beside")
		tool, TOOL = TOOL, shutil.copy(TOOL, IT + "/path/beside/tool")
		uses("beside", shim="by-name", PATH=path)
		TOOL = tool
		Engine(shim="no-such-name").fails("not-found", "no-such-name", "create", id="c1", config=config())
		shutil.rmtree(IT + "/path")
	PY
}

@test "engine_settings: runtime and runtime_root; a variable comes before the file, options before both" {
	[ -x "$PEER" ] || skip "no runtime to execute"
	engine <<-PY
		def peer(c): c["linux"]["cgroupsPath"] = IT_CG + "/c1"
		used = IT + "/used"
		wrapper = script('echo >%s; exec $PEER "\$@"' % used)
		def made_by(en, mine, **options):
		    en.create("c1", cfg=config(change=peer), **options)
		    here = os.path.exists(used), os.path.isdir(IT + "/roots/default/c1"), os.path.isdir(STATE + "/.runtime/default/c1")
		    eq(here, (mine, mine, not mine))
		    en.delete("c1")
		    if mine:
		        os.unlink(used)
		of_file = {"runtime": wrapper, "runtime_root": IT + "/roots"}
		made_by(Engine(settings=of_file), True)
		made_by(Engine(settings={**of_file, "runtime": ""}), False)
		made_by(Engine(settings=of_file, BERTH_RUNTIME=""), False)
		made_by(Engine(settings={**of_file, "runtime": "/nowhere"}, BERTH_RUNTIME=wrapper), True)
		made_by(Engine(settings=of_file), False, binary="berth")
		made_by(Engine(settings={**of_file, "runtime": ""}), True, binary=wrapper)
		shutil.rmtree(IT + "/roots")
	PY
}

@test "engine_settings: shim_debug: its log is ours, or nobody's" {
	engine <<-'PY'
		for debug in True, False:
		    en = Engine(settings={"shim_debug": debug})
		    en.run("c1")
		    with open("/proc/%d/cmdline" % en.shim("c1")) as f:
		        eq("-debug" in f.read().split("\0"), debug)
		    eq(os.path.samestat(os.stat("/proc/%d/fd/2" % en.shim("c1")), os.stat(en.stderr)), debug)
		    en.kill("c1")
		    en.delete("c1")
		    en.close()
	PY
}

@test "engine_settings: shim_mount_namespace: root file systems are mounted there, or in ours" {
	engine <<-'PY'
		ours = os.readlink("/proc/self/ns/mnt")
		def relative(c): c["root"]["path"] = "rootfs"
		for own in None, True, False:
		    en = Engine(settings={} if own is None else {"shim_mount_namespace": own})
		    en.create("c1", cfg=config(change=relative), mount_type="bind", mount_source=IT_OUT + "/rootfs", mount_options=["rbind"])
		    eq(os.readlink("/proc/%d/ns/mnt" % en.shim("c1")) == ours, own is False)
		    eq(any(bundle("c1") + "/rootfs" in m for m in mountinfo()), own is False)
		    en.delete("c1")
		    en.close()
	PY
}

@test "engine_settings: shim_cgroup: shims join it; one that is not there is an error" {
	engine <<-'PY'
		own = IT_CG + "/the-shims"
		dirs = [m.split()[4] + own for m in mountinfo() if " - cgroup" in m]
		for d in dirs:
		    os.makedirs(d)
		    for f in ("cpuset.cpus", "cpuset.mems"):
		        if os.path.exists(d + "/" + f):
		            for p in (os.path.dirname(d), d):
		                open(p + "/" + f, "w").write(open(os.path.dirname(p) + "/" + f).read())
		en = Engine(settings={"shim_cgroup": own})
		t = en.run("c1")
		for d in dirs:
		    within(open(d + "/cgroup.procs").read().split(), str(en.shim("c1")))
		assert own not in open("/proc/%d/cgroup" % t["pid"]).read()
		en.kill("c1")
		en.delete("c1")
		for d in dirs:
		    until(lambda: not open(d + "/cgroup.procs").read().strip())
		    os.rmdir(d)
		Engine(settings={"shim_cgroup": own}).fails("internal", own, "create", id="c1", config=config())
		eq(bundles(), [])
	PY
}
