# shim.bash: containerd's shim on cgroup v2: what it reads and writes there, and
# below containerd. Run by driver.bash; the tests in Python are for test/shim/client.py.

CGROUP=/sys/fs/cgroup

cgroups_path() {
	echo "/berth-test/$RT"
}

world_of_file() {
	shim_world
	IFS= read -r DISK </sys/block/vda/dev
	export DISK
}

WITH='
def val(t, name):
    with open(t.cgroup_dirs()[0] + "/" + name) as f:
        return f.read().strip()
def keys(t, name):
    """{"usage_usec": 17}; "oom_kill 1" a line."""
    return {l.split()[0]: l.split()[1] for l in val(t, name).splitlines()}
def resources(**kinds):
    def change(c):
        c["linux"]["resources"] = kinds
    return change
little = resources(memory={"limit": 16 << 20, "swap": 16 << 20})
'

test_limits_and_their_update() {
	client <<-PY
		$WITH
		t = Task(config=resources(memory={"limit": 64 << 20, "swap": 96 << 20}, pids={"limit": 44}, cpu={"shares": 1024})).run()
		def limits_are(*want):
		    eq([val(t, n) for n in ("memory.max", "memory.swap.max", "pids.max", "cpu.weight", "cpu.max", "cpuset.cpus")], list(want))
		limits_are(str(64 << 20), str(32 << 20), "44", "39", "max 100000", "")
		t.Update(resources=limits(memory={"limit": 128 << 20, "swap": 256 << 20}, pids={"limit": 45},
		    cpu={"shares": 512, "quota": 50000, "period": 200000, "cpus": "0"}))
		limits_are(str(128 << 20), str(128 << 20), "45", "20", "50000 200000", "0")
		t.Update(resources=limits(unified={"memory.high": "50331648"}))
		limits_are(str(128 << 20), str(128 << 20), "45", "20", "50000 200000", "0")
		eq(val(t, "memory.high"), "50331648")
		for wrong, words in (({"cpu": {"cpus": "77"}}, "/cpu/cpus"), ({"unified": {"memory.nothing": "1"}}, "memory.nothing"),
		        ({"memory": {"swappiness": 3}}, "swappiness")):
		    t.fails((UNKNOWN, INVALID, UNIMPLEMENTED), words, "Update", resources=limits(**wrong))
		limits_are(str(128 << 20), str(128 << 20), "45", "20", "50000 200000", "0")
		t.Pause() # also of what stands still
		t.Update(resources=limits(pids={"limit": -1}, memory={"limit": -1, "swap": -1}))
		limits_are("max", "max", "max", "20", "50000 200000", "0")
		eq(t.status(), PAUSED)
	PY
}

test_metrics_are_what_the_files_say() {
	client <<-PY
		$WITH
		import mmap, cgroups_v2_pb2
		def number(text):
		    return (1 << 64) - 1 if text == "max" else int(text)
		def files(t):
		    found = {"pids.current": val(t, "pids.current"), "pids.limit": val(t, "pids.max")}
		    for part, file in ("cpu", "cpu.stat"), ("memory", "memory.stat"), ("memory_events", "memory.events"):
		        found.update({part + "." + k: v for k, v in keys(t, file).items()})
		    for field, file in (("usage", "current"), ("usage_limit", "max"), ("max_usage", "peak"), ("swap_usage", "swap.current"),
		            ("swap_limit", "swap.max")):
		        found["memory." + field] = val(t, "memory." + file)
		    for size in ("2MB", "1GB"):
		        if os.path.exists(t.cgroup_dirs()[0] + "/hugetlb." + size + ".max"):
		            found["hugetlb." + size + ".current"] = val(t, "hugetlb." + size + ".current")
		            found["hugetlb." + size + ".max"] = val(t, "hugetlb." + size + ".max")
		    disk, *rest = val(t, "io.stat").split()
		    found.update({"io." + disk + "." + r.split("=")[0]: r.split("=")[1] for r in rest})
		    for part in ("cpu", "memory", "io"):
		        for l in val(t, part + ".pressure").splitlines():
		            found[part + ".psi." + l.split()[0] + ".total"] = l.rpartition("=")[2]
		    return {k: number(v) for k, v in found.items()}
		def told(t):
		    s = t.Stats().stats
		    eq(s.type_url, "io.containerd.cgroups.v2.Metrics")
		    m, found = cgroups_v2_pb2.Metrics.FromString(s.value), {}
		    for part in ("pids", "cpu", "memory", "memory_events"):
		        for f in getattr(m, part).DESCRIPTOR.fields:
		            if f.name != "psi":
		                found[part + "." + f.name] = getattr(getattr(m, part), f.name)
		    for h in m.hugetlb:
		        found.update({"hugetlb." + h.pagesize + ".current": h.current, "hugetlb." + h.pagesize + ".max": h.max})
		    for e in m.io.usage:
		        found.update({"io.%d:%d.%s" % (e.major, e.minor, k): getattr(e, k) for k in ("rbytes", "wbytes", "rios", "wios")})
		    for part in ("cpu", "memory", "io"):
		        for which in ("some", "full"):
		            found[part + ".psi." + which + ".total"] = getattr(getattr(m, part).psi, which).total
		    return found
		t = Task("sh", "-c", "head -c 4000000 /dev/zero >/tmp/z; i=0; while [ \$i -lt 3000 ]; do i=\$((i+1)); done; echo done; "
		    "sleep 999 & exec sleep 1000", config=resources(memory={"limit": 64 << 20, "swap": 96 << 20}, pids={"limit": 44},
		    cpu={"quota": 20000}, devices=[{"allow": True, "access": "rwm"}], hugepageLimits=[{"pageSize": "2MB", "limit": 4 << 20}]))
		o = t.out("stdout")
		t.run()
		o.wait(b"done", 60)
		pid = os.fork()
		if not pid: # what is read from the disk counts, not from its cache
		    try:
		        open(t.cgroup_dirs()[0] + "/cgroup.procs", "w").write("0")
		        os.preadv(os.open("/dev/vda", os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 16384)], 0)
		    finally:
		        os._exit(0)
		os.waitpid(pid, 0)
		t.Pause() # so that next to nothing moves
		before, got, after = files(t), told(t), files(t)
		disk = "io." + os.environ["DISK"]
		for name in ("memory.anon", "memory.shmem", "memory.pgfault", "cpu.usage_usec", "cpu.nr_throttled", "memory.max_usage"):
		    assert got[name] > 0, name
		eq((got["pids.current"], got["pids.limit"], got["memory.usage_limit"], got["memory.swap_limit"]), (2, 44, 64 << 20, 32 << 20))
		eq((got[disk + ".rbytes"], got[disk + ".rios"], got["hugetlb.2MB.max"]), (16384, 1, 4 << 20))
		for name in set(before) & set(got):
		    assert min(before[name], after[name]) <= got[name] <= max(before[name], after[name]), \
		        "%s: %d is not between %d and %d" % (name, got[name], before[name], after[name])
		# All that the message has room for and the kernel has a file for.
		missing = {n for n in got if n not in before} - {"memory.swap_max_usage"}
		eq({n for n in missing if got[n] or not n.startswith("memory.")}, set())
		assert len(set(before) & set(got)) > 55, len(set(before) & set(got))
		os.unlink(IT_OUT + "/rootfs/tmp/z")
	PY
}

test_rdma_in_the_metrics() {
	local m

	for m in crc32_generic ib_core ib_uverbs udp_tunnel ip6_udp_tunnel rdma_rxe; do
		busybox insmod /run/vm/$m.ko
	done
	rdma link add rxe0 type rxe netdev lo
	client <<-PY
		$WITH
		import cgroups_v2_pb2
		t = Task(config=resources(rdma={"rxe0": {"hcaHandles": 3, "hcaObjects": 10000}})).run()
		m = cgroups_v2_pb2.Metrics.FromString(t.Stats().stats.value)
		eq([(e.device, e.hca_handles, e.hca_objects) for e in m.rdma.limit], [("rxe0", 3, 10000)])
		eq([(e.device, e.hca_handles, e.hca_objects) for e in m.rdma.current], [("rxe0", 0, 0)])
	PY
	rdma link delete rxe0
}

test_out_of_memory_is_told_before_the_exit() {
	client <<-PY
		$WITH
		t = Task("sh", "-c", "exec tail /dev/zero", config=little).run()
		eq(t.Wait(timeout=60).exit_status, 137)
		with open(t.bundle + "/exit.json") as f:
		    eq(json.load(f)["oomKills"], 1)
		EVENTS.wait(t.id, "exit")
		EVENTS.tell(t.id, ["create", "start", "oom", "exit 137"])
		# Of an exec: the container goes on, and it is told each time.
		t = Task(config=little).run()
		for n in (1, 2):
		    t.exec("x%d" % n, "tail", "/dev/zero")
		    eq(t.Wait(exec_id="x%d" % n, timeout=60).exit_status, 137)
		    until(lambda: [s.split()[0] for s in EVENTS.said(t.id)].count("oom") == n)
		eq((t.status(), keys(t, "memory.events")["oom_kill"]), (RUNNING, "2"))
		# All of them at once, where the container wants that: one event, or one for each.
		t = Task("sh", "-c", "sleep 999 & tail /dev/zero; sleep 998", config=resources(memory={"limit": 16 << 20, "swap": 16 << 20},
		    unified={"memory.oom.group": "1"})).run()
		eq(t.Wait(timeout=60).exit_status, 137)
		EVENTS.wait(t.id, "exit")
		said = EVENTS.said(t.id)
		eq((said[:3], set(said[3:-1]) <= {"oom"}, said[-1]), (["create", "start", "oom"], True, "exit 137"))
		# Killed by somebody else, and at its limit without being killed: no such event.
		t = Task("sh", "-c", "head -c 30000000 /dev/zero >/dev/null; cat /bin/busybox >/dev/null; kill -9 \$\$; sleep 1000", config=little).run()
		eq(t.kill(), 137)
		EVENTS.wait(t.id, "exit")
		EVENTS.tell(t.id, ["create", "start", "exit 137"])
	PY
}

test_a_pod_has_a_shim_and_each_container_its_own_numbers() {
	client <<-PY
		$WITH
		import cgroups_v2_pb2
		pod = IT_CG + "/pod"
		def member(name, *args):
		    def change(c):
		        c["linux"]["cgroupsPath"] = pod + "/" + name
		    t = Task(*args, group={"io.kubernetes.cri.sandbox-id": "pod"}, config=change)
		    t.cgroup = pod + "/" + name
		    return t
		def stats(t):
		    return cgroups_v2_pb2.Metrics.FromString(t.Stats().stats.value)
		a, b = member("a").run(), member("b", "sh", "-c", "sleep 997 & sleep 998 & exec sleep 999").run()
		eq(a.shim, b.shim)
		until(lambda: stats(b).pids.current == 3)
		eq(stats(a).pids.current, 1)
		a.Update(resources=limits(memory={"limit": 32 << 20}))
		eq((stats(a).memory.usage_limit, stats(b).memory.usage_limit), (32 << 20, (1 << 64) - 1))
		b.Pause()
		eq((keys(a, "cgroup.events")["frozen"], keys(b, "cgroup.events")["frozen"], a.status(), b.status()), ("0", "1", RUNNING, PAUSED))
		b.Resume()
		# The limit of the pod: told of the container that it hit.
		top = a.cgroup_dirs()[0].rpartition("/")[0]
		open(top + "/memory.max", "w").write(str(24 << 20))
		b.exec("x", "tail", "/dev/zero")
		eq(b.Wait(exec_id="x", timeout=60).exit_status, 137)
		EVENTS.wait(b.id, "oom")
		a.Kill(signal=KILL, all=True)
		eq(a.Wait().exit_status, 137)
		eq((len(b.Pids().processes), b.status()), (3, RUNNING))
		a.Delete()
		eq((a.cgroup_dirs(), "oom" in EVENTS.said(a.id)), ([], False))
		b.end()
		a.end()
		os.rmdir(top)
	PY
}

test_a_paused_container_stands_still_and_goes_on_or_is_killed() {
	client <<-PY
		$WITH
		t = Task("sh", "-c", "while :; do echo .; sleep 0.05; done")
		o = t.out("stdout")
		t.run()
		x = t.exec("x", "sleep", "1000")
		o.wait(10, 30)
		t.Pause()
		eq((keys(t, "cgroup.events")["frozen"], t.status(), t.status("x")), ("1", PAUSED, PAUSED))
		def still(): # what is on its way has come
		    n = len(o.now())
		    time.sleep(0.5)
		    return len(o.now()) == n
		until(still)
		n = len(o.now())
		time.sleep(0.5)
		eq(len(o.now()), n)
		t.fails(STATE_ERROR, "cannot exec in a paused state", "Exec", exec_id="y", spec=program("true"))
		t.Resume()
		eq((keys(t, "cgroup.events")["frozen"], t.status()), ("0", RUNNING))
		o.wait(n + 5, 30)
		t.Pause()
		t.Kill(exec_id="x", signal=KILL)
		eq(t.Wait(exec_id="x").exit_status, 137) # does not wait for Resume
		eq(t.status(), PAUSED)
		eq(t.kill(), 137)
		t.Delete()
		EVENTS.wait(t.id, "delete")
		EVENTS.tell(t.id, ["create", "start", "exec-added x", "exec-started x", "paused", "resumed", "paused", "exit x 137",
		    "exit 137", "delete 137"])
		# Somebody else thaws and freezes: what the shim answers is what it was told itself.
		t = Task().run()
		t.Pause()
		t.Update(resources=limits(pids={"limit": 9}))
		eq((keys(t, "cgroup.events")["frozen"], val(t, "pids.max")), ("1", "9"))
	PY
}

HOST_PIDS='
def host_pids(c): # where the kernel does not end the others with the first one
    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]
def many(**kw):
    t = Task("sh", "-c", "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; exec sleep 1000", config=host_pids, **kw).run()
    until(lambda: val(t, "pids.current") == "31", 30)
    d = t.cgroup_dirs()[0]
    for n, sub in enumerate(("a", "a/b", "c")): # as a container may that has its cgroup
        os.mkdir(d + "/" + sub)
        open(d + "/" + sub + "/cgroup.procs", "w").write(str([p.pid for p in t.Pids().processes if p.pid != t.pid][n]))
    open(d + "/c/cgroup.freeze", "w").write("1")
    return t, [p.pid for p in t.Pids().processes]
'

test_Kill_of_all_writes_cgroup_kill_and_reaches_every_process() {
	client <<-PY
		$WITH
		$HOST_PIDS
		t, every = many()
		eq(len(every), 31)
		x = t.exec("x", "sleep", "1000")
		tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", IT + "/trace", "-e", "trace=openat,write,pidfd_send_signal,kill",
		    "-p", str(t.shim)])
		until(lambda: "TracerPid:\t0" not in open("/proc/%d/status" % t.shim).read())
		t.Kill(signal=KILL, all=True)
		eq((t.Wait(timeout=30).exit_status, t.Wait(exec_id="x").exit_status), (137, 137))
		tracer.terminate()
		tracer.wait()
		trace = open(IT + "/trace").read()
		within(trace, 'cgroup.kill')
		assert " kill(" not in trace and "pidfd_send_signal(" not in trace, trace
		for p in every:
		    gone(p)
		eq(keys(t, "cgroup.events")["populated"], "0")
		t.Delete()
		eq(t.cgroup_dirs(), [])
		os.unlink(IT + "/trace")
		# Another signal reaches all of them, too, but for those that are frozen.
		t, every = many()
		open(t.cgroup_dirs()[0] + "/c/cgroup.freeze", "w").write("0")
		t.Kill(signal=TERM, all=True)
		eq(t.Wait(timeout=30).exit_status, 143)
		for p in every:
		    gone(p)
	PY
}

test_the_exit_of_the_first_process_is_the_last_one() {
	client <<-PY
		$WITH
		$HOST_PIDS
		t, every = many()
		for x in "abc":
		    t.exec(x, "sleep", "1000")
		t.kill()
		EVENTS.wait(t.id, "exit", timeout=30)
		said = EVENTS.said(t.id)
		eq((said[-1], sorted(said[-4:-1])), ("exit 137", ["exit a 137", "exit b 137", "exit c 137"]))
		t.Delete(timeout=30)
		for p in every: # what had no parent to wait for it
		    gone(p)
		eq(t.cgroup_dirs(), [])
	PY
}

test_kill_9_of_the_shim_then_delete_leaves_nothing() {
	client <<-PY
		$WITH
		$HOST_PIDS
		for state in ("running", "paused", "stopped"):
		    t, every = many(mounts=[bind(IT_OUT + "/rootfs")])
		    every.append(t.exec("x", "sleep", "1000"))
		    if state == "paused":
		        t.Pause()
		    if state == "stopped":
		        os.kill(t.pid, KILL)
		        t.stopped(timeout=30)
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    eq((state, t.binary_delete(timeout=30).exit_status), (state, 137))
		    for p in every:
		        gone(p)
		    eq((t.cgroup_dirs(), [m for m in mountinfo() if t.bundle in m]), ([], []))
		    eq([p for p in glob.glob("/proc/[0-9]*/mountinfo") if t.bundle in open(p).read()], [])
	PY
}

# The test `shim: WORDS` of test/it/FILE, as it stands there.
from_it() {
	eval "$(sed -n "s/^@test \"shim: $2\" {\$/shared() {/; /^shared() {/,/^}/p" "${CLIENT%/*}/../it/$1")"
	shim() { client; }
	shared
}

# New processes are begun in their cgroup here, and a kill is one write to it: what races with both.
test_execs_and_a_kill_of_the_container_at_random_moments() {
	from_it shim_hostile.bats 'execs and a kill of the container at random moments'
}

test_the_cgroup_of_the_shim_itself() {
	client <<-PY
		$WITH
		own = IT_CG + "/the-shim"
		dir = "/sys/fs/cgroup" + own
		os.makedirs(dir)
		t = Task().launch(options(shim_cgroup=own))
		assert str(t.shim) in open(dir + "/cgroup.procs").read().split() # and what it has forked for the first Create
		t.run()
		eq((val(t, "cgroup.procs"), open(dir + "/cgroup.procs").read().split()), (str(t.pid), [str(t.shim)]))
		t.end()
		os.rmdir(dir)
	PY
}

test_external_runtimes() {
	client <<-PY
		$WITH
		import cgroups_v2_pb2
		for real in ("$RUNC", "$CRUN"):
		    t = Task(config=resources(memory={"limit": 16 << 20, "swap": 16 << 20}, pids={"limit": 44}))
		    runtime = t.script('exec %s "\$@"' % real)
		    t.create(options=options(binary_name=runtime, root=IT + "/roots"), timeout=60)
		    t.Start(timeout=60)
		    t.add("x", "tail", "/dev/zero")
		    t.Start(exec_id="x", timeout=60)
		    eq(t.Wait(exec_id="x", timeout=60).exit_status, 137)
		    EVENTS.wait(t.id, "oom")
		    t.Update(resources=limits(pids={"limit": 45}), timeout=60)
		    m = cgroups_v2_pb2.Metrics.FromString(t.Stats().stats.value)
		    eq((m.pids.limit, m.memory.usage_limit, m.memory_events.oom_kill), (45, 16 << 20, 1))
		    eq([p.pid for p in t.Pids().processes], [t.pid])
		    t.Pause(timeout=60)
		    eq(keys(t, "cgroup.events")["frozen"], "1")
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    os.unlink(runtime) # and without it: what was in the cgroup is gone
		    eq(t.binary_delete(timeout=60).exit_status, 137)
		    gone(t.pid)
		    eq((t.cgroup_dirs(), glob.glob(IT + "/roots/" + NS + "/" + t.id)), ([], []))
		shutil.rmtree(IT + "/roots")
	PY
}

# ---- below containerd ---------------------------------------------------------------

below_containerd() {
	timeout 60 ctr -a $T/ctd/sock "$@"
}

containerd_up() {
	mkdir -p $T/ctd/bin
	ln -s "$(realpath "$SHIM")" $T/ctd/bin/containerd-shim-berth-v2
	printf '%s\n' 'version = 2' "root = \"$T/ctd/root\"" "state = \"$T/ctd/state\"" \
		'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
		"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt",
		"io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]' \
		'[grpc]' "address = \"$T/ctd/sock\"" >$T/ctd/config.toml
	PATH=$T/ctd/bin:$PATH containerd -c $T/ctd/config.toml -l warn >$T/ctd/log 2>&1 &
	until_ 60 '[ -S $T/ctd/sock ]' || { cat $T/ctd/log; return 1; }
}

# Limits, metrics, the OOM killer, the freezer and the end, as cgroup v2 has them.
test_the_shim_below_containerd() {
	containerd_up
	below_containerd events >$T/events 2>&1 &
	below_containerd run -d --runtime io.containerd.berth.v2 --cgroup /berth-test/shim --memory-limit 16777216 \
		--rootfs $T/rootfs t1 /bin/sleep 1000 >$T/out 2>&1 || { cat $T/out $T/ctd/log; return 1; }
	values $CGROUP/berth-test/shim memory.max >$T/out
	expect_in 'memory.max: 16777216' "$(<$T/out)"
	status=0
	below_containerd task exec --exec-id e1 t1 /bin/sh -c 'exit 5' || status=$?
	expect 5 "$status"
	below_containerd task metrics t1 >$T/out
	expect_in 'pids.current' "$(<$T/out)"
	expect_in 'memory.usage_limit' "$(<$T/out)"
	expect_in '16777216' "$(<$T/out)"
	below_containerd task pause t1
	expect_in 'frozen 1' "$(<$CGROUP/berth-test/shim/cgroup.events)"
	below_containerd task resume t1
	status=0
	below_containerd task exec --exec-id e2 t1 /bin/tail -c 100000000 /dev/zero || status=$?
	expect 137 "$status"
	until_ 60 '[[ $(<$T/events) == *"/tasks/oom {\"container_id\":\"t1\"}"* ]]' || cat $T/events
	below_containerd task kill -s KILL t1
	until_ 60 '[[ $(<$T/events) == *"/tasks/exit {\"container_id\":\"t1\",\"id\":\"t1\""* ]]'
	below_containerd task delete t1 >$T/out 2>&1 || :
	until_ 60 '[ ! -e $CGROUP/berth-test/shim ]'
	expect_in '/tasks/delete {"container_id":"t1"' "$(<$T/events)"
	kill %1 %2 2>/dev/null || :
	wait
}

# A disk with a file system, at $T/disk.
disk_up() {
	local m

	for m in crc32c_generic crc16 mbcache jbd2 ext4; do
		busybox insmod /run/vm/$m.ko
	done
	mke2fs -q /dev/vda
	mkdir $T/disk
	mount -t ext4 /dev/vda $T/disk
}

# The words of a document of HCS's, as a cgroup has them here.
test_limits_of_a_document_of_hcs_and_their_change() {
	local ctl=$BERTH_BUILD/src/ctl/berthctl cg=$CGROUP/berth-test/ctl/default/c said

	limits_are() {
		local name

		for name in memory.max cpu.weight cpu.max io.max; do
			val said $cg/$name
			expect "$1" "$said"
			shift
		done
	}
	export BERTH_SHIM=$SHIM BERTH_STATE=$T/state BERTH_CGROUP_PARENT=/berth-test/ctl
	disk_up
	printf '{"SchemaVersion": {"Major": 2, "Minor": 1}, "Owner": "test", "Container": {"Memory": {"SizeInMB": 48},
		"Processor": {"Weight": 10000}, "Storage": {"Path": "%s",
		"QoS": {"IopsMaximum": 300, "BandwidthMaximum": 1048576}}}}' $T/disk >$T/doc.json
	"$ctl" create -f $T/doc.json c
	limits_are 50331648 200 "max 100000" "$DISK rbps=1048576 wbps=1048576 riops=300 wiops=300"
	"$ctl" start c
	"$ctl" modify --memory 96m --cpus 2 c
	limits_are 100663296 200 '200000 100000' "$DISK rbps=1048576 wbps=1048576 riops=300 wiops=300"
	"$ctl" rm -f c
	umount $T/disk
	[ ! -e $cg ]
}

# Where they are, how their memory runs out, and how they end.
test_an_engine_s_tasks_after_a_restart() {
	ENGINE_TOOL=$BERTH_BUILD/test/engine_tool python3 "${CLIENT%/*}/../engine/client.py" <<-'PY'
		top, settings = "/sys/fs/cgroup" + IT_CG, {"cgroup_parent": IT_CG + "/tasks", "shim_cgroup": IT_CG + "/shims"}
		def little(c):
		    c["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
		os.makedirs(top + "/shims")
		a = Engine(settings=settings)
		pid = a.run("c1", cfg=config(change=little))["pid"]
		eq(open("/proc/%d/cgroup" % pid).read(), "0::%s/tasks/default/c1\n" % IT_CG)
		a.die()
		b = Engine(settings=settings)
		eq(b.open("c1")["pid"], pid)
		eq(open(top + "/shims/cgroup.procs").read().split(), [str(b.shim("c1"))])
		b.do("exec", id="c1", exec="x", spec=process("tail", "/dev/zero"))
		b.start("c1", exec="x")
		eq(b.wait("c1", exec="x")["exit_status"], 137)
		b.event("c1", "oom")
		os.kill(b.shim("c1"), KILL)
		eq(b.is_gone("c1")["lost"], True)
		eq([(e["body"]["exit_status"], e["body"]["pid"]) for e in (b.event("c1", "exit", n=2), b.event("c1", "delete"))], [(137, pid)] * 2)
		until(lambda: not os.path.exists(top + "/tasks/default/c1"))
		for d in "tasks/default", "tasks", "shims":
		    os.rmdir(top + "/" + d)
	PY
}
