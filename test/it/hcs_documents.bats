#!/usr/bin/env bats
# hcs_documents.bats: what a document asks for is there in a real system, form by
# form: layers, directories, pipes, limits, names, networks; and what cannot be is
# refused by name. C25, C29 and C30 are numbers of docs/libberth.md.

# A program that is not built with the sanitizers cannot load the library that is.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load hcs_lib.bash

setup_file() { hcs_up; }
teardown_file() { hcs_down; }

# doc: hcs, with words for what a system sees and what its cgroup has.
doc() {
	{
		cat <<-'PY'
			IT = os.environ["IT"]
			def out(s, *args):
			    p = s.process(*args)
			    text = p.output()
			    p.wait()
			    p.close()
			    return text.strip()
			def limit(s, controller, v1, v2):
			    "what one file of its cgroup holds"
			    pid = s.properties("ProcessList")["ProcessList"][0]["ProcessId"]
			    for line in open("/proc/%d/cgroup" % pid):
			        _, names, path = line.strip().split(":", 2)
			        if controller in names.split(","):
			            return open("/sys/fs/cgroup/%s%s/%s" % (controller, path, v1)).read().strip()
			    return open("/sys/fs/cgroup%s/%s" % (path, v2)).read().strip()
			def layer(name, **files):
			    top = "%s/layers/%s" % (IT, name)
			    for path, text in files.items():
			        os.makedirs(top, exist_ok=True)
			        open(top + "/" + path, "w").write(text)
			    return {"Id": name, "Path": top}
			def scratch(name):
			    os.makedirs(IT + "/scratch/" + name, exist_ok=True)
			    return IT + "/scratch/" + name
			base = {"Id": "base", "Path": ROOTFS}
			def end(*systems):
			    for s in systems:
			        s.terminate()
			        s.close()
		PY
		cat
	} >"$IT_OUT/doc.py"
	hcs <"$IT_OUT/doc.py"
}

@test "hcs_documents: layers, the topmost first; what is written is in the scratch directory; a layer in use by two (C29)" {
	doc <<-'PY'
		layers = [layer("top", what="top"), layer("odd:a,b\\c", what="odd", more="odd"), base]
		s = System.running("c1", container(Storage={"Layers": layers, "Path": scratch("one")}))
		t = System.running("c2", container(Storage={"Layers": layers, "Path": scratch("two")}))
		eq(out(s, "cat", "/what", "/more"), "topodd")
		eq(out(s, "sh", "-c", "echo mine >/what; cat /what"), "mine")
		eq(out(t, "cat", "/what"), "top")
		eq(open(scratch("one") + "/upper/what").read(), "mine\n")
		# A scratch directory that is in use is nobody else's; the one that has it goes on.
		end(s)
		eq(out(t, "cat", "/what", "/more"), "topodd")
		eq(open(IT + "/layers/top/what").read(), "top")
		eq([l for l in open("/proc/mounts") if "/scratch/one" in l], [])
		# A layer is a directory like any other: it may go while it is in use.
		os.rename(IT + "/layers/top", IT + "/layers/was")
		eq(out(t, "cat", "/what"), "top")
		d = fails("HCS_E_INVALID_LAYER", System.create, "c3",
		          container(Storage={"Layers": layers, "Path": scratch("three")}))
		assert IT + "/layers/top" in d["ErrorMessage"], d
		end(t)
		# What was written stays in the scratch directory, for the next system with it.
		os.rename(IT + "/layers/was", IT + "/layers/top")
		s = System.running("c1", container(Storage={"Layers": layers, "Path": scratch("one")}))
		eq(out(s, "cat", "/what"), "mine")
		end(s)
	PY
}

@test "hcs_documents: host name, directories, a pipe, memory, processor" {
	doc <<-'PY'
		os.makedirs(IT + "/data/sub", exist_ok=True)
		open(IT + "/data/f", "w").write("outside")
		os.mkfifo(IT + "/fifo")
		s = System.running("c1", container(
		    GuestOs={"HostName": "guest"}, Memory={"SizeInMB": 48}, Processor={"Weight": 10000},
		    MappedDirectories=[{"HostPath": IT + "/data", "ContainerPath": "/mnt/rw"},
		                       {"HostPath": IT + "/data", "ContainerPath": "/mnt/ro", "ReadOnly": True}],
		    MappedPipes=[{"HostPath": IT + "/fifo", "ContainerPipeName": "channel"}]))
		eq(out(s, "hostname"), "guest")
		eq(out(s, "cat", "/mnt/ro/f"), "outside")
		eq(out(s, "sh", "-c", "touch /mnt/ro/sub/x 2>/dev/null || echo no; touch /mnt/rw/sub/x && echo yes"), "no\nyes")
		fd = os.open(IT + "/fifo", os.O_RDWR)
		eq(out(s, "sh", "-c", "echo through >/run/channel"), "")
		eq(os.read(fd, 100), b"through\n")
		eq(limit(s, "memory", "memory.limit_in_bytes", "memory.max"), str(48 << 20))
		eq(limit(s, "cpu", "cpu.shares", "cpu.weight"), "2048" if os.path.isdir("/sys/fs/cgroup/cpu") else "200")
		end(s)
		s = System.running("c2", container())
		eq(out(s, "hostname"), "c2")
		end(s)
		quota = lambda s: limit(s, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
		s = System.running("c3", container(Processor={"Count": 1}))
		eq(quota(s), "100000")
		end(s)
		s = System.running("c4", container(Processor={"Maximum": 5000}))
		eq(quota(s), str(50000 * os.cpu_count()))
		end(s)
	PY
}

@test "hcs_documents: networks: its own, one by name, that of another system" {
	doc <<-'PY'
		net = lambda s: out(s, "readlink", "/proc/self/ns/net")
		os.makedirs("/run/netns", exist_ok=True)
		open("/run/netns/blue", "w").close()
		subprocess.run(["unshare", "-n", "sh", "-c", "mount --bind /proc/self/ns/net /run/netns/blue"], check=True)
		try:
		    s = System.running("c1", container())
		    shares = System.running("c2", container(Networking={"NetworkSharedContainerName": "c1"}))
		    blue = System.running("c3", container(Networking={"Namespace": "blue", "AllowUnqualifiedDnsQuery": True}))
		    path = System.running("c4", container(Networking={"Namespace": "/run/netns/blue"}))
		    assert net(s) != os.readlink("/proc/self/ns/net")
		    eq(out(s, "ls", "/sys/class/net"), "lo")
		    eq(net(shares), net(s))
		    eq(net(blue), "net:[%d]" % os.stat("/run/netns/blue").st_ino)
		    eq(net(path), net(blue))
		    assert net(s) != net(blue)
		    end(shares, s, blue, path)
		    d = fails("HCS_E_ERROR_NOT_FOUND", System.create, "c5",
		              container(Networking={"NetworkSharedContainerName": "nobody"}))
		    assert "/Container/Networking/NetworkSharedContainerName" in d["ErrorMessage"], d
		    assert "nobody" in d["ErrorMessage"], d
		    d = fails("0xa0be0002", System.create, "c5", container(Networking={"Namespace": "green"}))
		    assert "/run/netns/green" in d["ErrorMessage"], d
		finally:
		    subprocess.run(["umount", "/run/netns/blue"])
	PY
}

@test "hcs_documents: schema v1: layers, a volume, limits, names" {
	doc <<-'PY'
		v1 = {"SystemType": "Container", "Name": "old", "Owner": "docker", "HvPartition": False}
		s = System.running("c1", {**v1, "LayerFolderPath": scratch("v1"), "Layers": [
		        {"ID": "top", "Path": layer("v1", what="v1")["Path"]}, {"ID": "base", "Path": ROOTFS}],
		    "HostName": "old-host", "MemoryMaximumInMB": 40, "ProcessorCount": 1, "TerminateOnLastHandleClosed": True,
		    "MappedDirectories": [{"HostPath": IT + "/layers", "ContainerPath": "/mnt/layers", "ReadOnly": True}]})
		eq(out(s, "cat", "/what", "/mnt/layers/v1/what"), "v1v1")
		eq(out(s, "hostname"), "old-host")
		eq(limit(s, "memory", "memory.limit_in_bytes", "memory.max"), str(40 << 20))
		eq(limit(s, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0], "100000")
		p = s.properties("TerminateOnLastHandleClosed")
		eq((p["Owner"], p["TerminateOnLastHandleClosed"]), ("docker", True))
		# ProcessConfig
		p, op = s.begin_process({"CommandLine": "/bin/sh -c 'echo $A; pwd'", "Environment": {"A": "b"},
		                         "WorkingDirectory": "/tmp", "CreateStdOutPipe": True, "CreateInUtilityVm": False})
		p.take(op.wait_info())
		eq(p.output(), "b\n/tmp\n")
		p.close()
		s.close()
		until("it is terminated", lambda: not enumerate_systems({"Ids": ["c1"]}))
		s = System.running("c2", {**v1, "VolumePath": ROOTFS})
		eq(out(s, "echo", "there"), "there")
		end(s)
		d = fails("HCS_E_INVALID_LAYER", System.create, "c3", {**v1, "LayerFolderPath": scratch("v2"), "Layers": [
		        {"ID": "base", "Path": ROOTFS}, {"ID": "gone", "Path": "/nowhere"}]})
		assert " /Layers/1/Path: '/nowhere'" in " " + d["ErrorMessage"], d
	PY
}

@test "hcs_documents: OCI's bundles: by path, with a scratch directory, in Container" {
	doc <<-'PY'
		version = {"SchemaVersion": {"Major": 2, "Minor": 1}}
		spec = oci("sh", "-c", "exec 2>&1; echo written >/new; cat /new; exit 6",
		           annotations={"io.berth.stdio": "held"})["HostedSystem"]["OciSpecification"]
		spec["root"]["readonly"] = False
		def runs(id, doc):
		    s = System.running(id, {**version, "Owner": "test", **doc})
		    p = s.process()
		    text = p.output()
		    d = s.wait()
		    p.close()
		    s.close()
		    return text, next(a["ProcessExit"]["ExitCode"] for a in d["Attribution"] if "ProcessExit" in a)
		os.makedirs(IT + "/bundle/rootfs", exist_ok=True)
		subprocess.run(["mount", "--bind", ROOTFS, IT + "/bundle/rootfs"], check=True)
		try:
		    with open(IT + "/bundle/config.json", "w") as f:
		        json.dump({**spec, "root": {"path": "rootfs"}}, f)
		    eq(runs("c1", {"HostedSystem": {**version, "OciBundlePath": IT + "/bundle"}}), ("written\n", 6))
		    # What it says in annotations, too.
		    stops = oci("sh", "-c", "trap 'exit 7' USR1; echo; while :; do sleep 0.05; done", annotations={
		        "io.berth.stdio": "held", "org.opencontainers.image.stopSignal": "SIGUSR1"})
		    with open(IT + "/bundle/config.json", "w") as f:
		        json.dump({**stops["HostedSystem"]["OciSpecification"], "root": {"path": "rootfs"}}, f)
		    s = System.running("c1", {**version, "HostedSystem": {**version, "OciBundlePath": IT + "/bundle"}})
		    p = s.process()
		    eq(os.read(p.stdout, 9), b"\n")
		    s.shutdown()
		    eq(next(a["ProcessExit"]["ExitCode"] for a in s.wait()["Attribution"] if "ProcessExit" in a), 7)
		    p.close()
		    s.close()
		finally:
		    subprocess.run(["umount", IT + "/bundle/rootfs"])
		os.remove(ROOTFS + "/new")
		eq(runs("c2", {"HostedSystem": {**version, "OciSpecification": spec, "ScratchDirPath": scratch("oci")}}),
		   ("written\n", 6))
		assert not os.path.exists(ROOTFS + "/new")
		eq(open(scratch("oci") + "/upper/new").read(), "written\n")
		eq(runs("c3", {"Container": {"Storage": {"Layers": [base], "Path": scratch("c3")},
		                             "OciSpecification": {**spec, "root": {"path": "rootfs"}}}}), ("written\n", 6))
		assert not os.path.exists(ROOTFS + "/new")
		d = fails("HCS_E_ERROR_NOT_SUPPORTED", System.create, "c4", {**version, "HostedSystem": {
		    **version, "OciSpecification": {**spec, "hooks": {"poststart": [{"path": "/bin/true"}]}}}})
		assert "/HostedSystem/OciSpecification/hooks" in d["ErrorMessage"], d
	PY
}

@test "hcs_documents: a limit that the host does not have is named, and nothing is left (C30)" {
	doc <<-'PY'
		def refused(change):
		    doc = oci("true")
		    change(doc["HostedSystem"]["OciSpecification"])
		    try:
		        System.create("c1", doc)
		    except Failed as e:
		        eq(os.listdir(os.environ["BERTH_STATE"] + "/default"), [])
		        return e.document["ErrorMessage"]
		    raise AssertionError("it was created")
		def nofile(c):
		    c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]
		words = refused(nofile)
		assert "RLIMIT_NOFILE" in words, words
		words = refused(lambda c: c["linux"].__setitem__("resources", {"cpu": {"cpus": "4000"}}))
		assert "cpuset.cpus" in words and "4000" in words, words
		d = fails("0xa0be0002", System.create, "c1",
		          container(MappedDirectories=[{"HostPath": "/not/there", "ContainerPath": "/mnt/x"}]))
		assert "/not/there" in d["ErrorMessage"], d
		eq(os.listdir(os.environ["BERTH_STATE"] + "/default"), [])
	PY
}

@test "hcs_documents: limits of a running system, read back; what cannot be changes nothing (C25)" {
	doc <<-'PY'
		s = System.running("c1", container(Memory={"SizeInMB": 64}, Processor={"Count": 1}))
		memory = lambda: int(limit(s, "memory", "memory.limit_in_bytes", "memory.max")) >> 20
		quota = lambda: limit(s, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
		weight = lambda: limit(s, "cpu", "cpu.shares", "cpu.weight")
		change = lambda path, settings: s.modify({"ResourcePath": "Container/" + path, "RequestType": "Update",
		                                          "Settings": settings})
		change("Memory/SizeInMB", 96)
		eq(memory(), 96)
		eq(s.properties("Memory")["Memory"]["VirtualMachineMemory"]["ReservedMemory"], 96 * 256)
		change("Processor", {"Count": 2})
		eq(quota(), "200000")
		change("Processor", {"Maximum": 10000})
		eq(quota(), str(100000 * os.cpu_count()))
		change("Processor", {"Weight": 10000})
		eq(weight(), "2048" if os.path.isdir("/sys/fs/cgroup/cpu") else "200")
		# both or none
		before = memory(), quota(), weight()
		d = fails("HCS_E_INVALID_JSON", change, "Processor", {"Weight": 5000, "Maximum": 10001})
		assert "/Settings/Maximum" in json.dumps(d), d
		fails("HCS_E_INVALID_JSON", change, "Processor", {"Weight": 5000, "Count": 1})
		fails("HCS_E_ERROR_NOT_SUPPORTED", change, "RegistryFlushState", {})
		eq((memory(), quota(), weight()), before)
		# what the document did not limit
		t = System.running("c2")
		t.modify({"ResourcePath": "Container/Memory/SizeInMB", "RequestType": "Update", "Settings": 32})
		eq(int(limit(t, "memory", "memory.limit_in_bytes", "memory.max")) >> 20, 32)
		end(s, t)
	PY
}

@test "hcs_documents: storage QoS: the disk's limits, and what is on none" {
	doc <<-'PY'
		on_disk = os.environ["IT_OUT"] + "/qos"
		st = os.stat(os.environ["IT_OUT"])
		disk = "%d:%d" % (os.major(st.st_dev), os.minor(st.st_dev))
		qos = lambda path: container(Storage={"Layers": [base], "Path": path, "QoS": {"IopsMaximum": 300, "BandwidthMaximum": 1 << 20}})
		d = fails("HCS_E_ERROR_NOT_SUPPORTED", System.create, "c1", qos(scratch("memory")))
		assert "'%s' is on no disk" % scratch("memory") in d["ErrorMessage"], d
		eq(enumerate_systems({}), [])
		if os.path.exists("/sys/dev/block/" + disk):
		    if os.path.exists("/sys/dev/block/%s/partition" % disk):
		        disk = open("/sys/dev/block/%s/../dev" % disk).read().strip()
		    os.makedirs(on_disk)
		    s = System.running("c1", qos(on_disk))
		    for name, v2, value in (("read_bps", "rbps", 1 << 20), ("write_bps", "wbps", 1 << 20), ("read_iops", "riops", 300),
		                            ("write_iops", "wiops", 300)):
		        text = limit(s, "blkio", "blkio.throttle.%s_device" % name, "io.max")
		        assert text == "%s %d" % (disk, value) or text.startswith(disk) and "%s=%d" % (v2, value) in text, text
		    # Three MiB at one a second; a busy machine only takes longer.
		    begun = time.monotonic()
		    words = out(s, "sh", "-c", "exec 2>&1; dd if=/dev/zero of=/big bs=64k count=48 oflag=direct")
		    took = time.monotonic() - begun
		    assert "48+0 records out" in words, words
		    eq(os.stat(on_disk + "/upper/big").st_size, 3 << 20)
		    assert took > 2, took
		    end(s)
	PY
}
