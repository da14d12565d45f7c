# systemd.bash: the systemd driver on cgroup v2, where systemd is the first
# process: scopes as systemd shows them, beside runc's and crun's; then podman.
# Run by driver.bash.

CGROUP=/sys/fs/cgroup
DRIVER=systemd

cgroups_path() {
	echo "system.slice:vt:$RT"
}

world_of_file() {
	CG=$CGROUP/system.slice/vt-berth.scope
	IFS= read -r DISK </sys/block/vda/dev
	echo 0 >/proc/sys/kernel/dmesg_restrict
	[ "$(systemctl is-system-running)" = running ]
}

# Nothing of ours is known to systemd any more, and nothing has failed.
no_units() {
	local left

	left=$(systemctl list-units --all --plain --no-legend 'vt-*' '*berth*' 'machine*' --failed)
	left+=$(systemctl list-units --all --plain --no-legend 'vt-*' '*berth*')
	[ -z "$left" ] || { echo "units left: $left"; return 1; }
}

PROPERTIES=ActiveState,SubState,Slice,Delegate,DefaultDependencies,MemoryAccounting,CPUAccounting,IOAccounting,TasksAccounting
LIMITS=MemoryMax,MemoryLow,MemorySwapMax,MemoryHigh,CPUWeight,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,TasksMax,IOWeight,AllowedCPUs,AllowedMemoryNodes,DevicePolicy,DeviceAllow

shown() {
	conf "$FILTER"
	rt create -b "$T/$RT" c >$T/out 2>&1 || cat $T/out
	# What is no device here runc leaves out.
	systemctl show "vt-$RT.scope" -p "$SHOW" | grep -v '^DeviceAllow=/dev/char/10:200' | sort
	values "$CGROUP/system.slice/vt-$RT.scope$SUB" memory.max memory.low memory.swap.max cpu.weight cpu.max pids.max cpuset.cpus
	rt delete -f c
}

SUB=
FULL='.linux.resources = {
	memory: {limit: 67108864, swap: 100663296, reservation: 33554432},
	cpu: {shares: 1024, quota: 50000, period: 200000, cpus: "0-1", mems: "0"}, pids: {limit: 55},
	devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"},
		{allow: true, type: "c", major: 136, access: "rw"}, {allow: true, type: "b", access: "m"}]}'

test_the_scope_is_that_of_runc() {
	FILTER=$FULL SHOW=$PROPERTIES,$LIMITS
	beside runc shown
	expect_in 'MemoryMax=67108864'
	expect_in 'MemorySwapMax=33554432'
	expect_in 'TasksMax=55'
	expect_in 'CPUWeight=39'
	expect_in 'CPUQuotaPerSecUSec=250ms'
	expect_in 'DevicePolicy=strict'
	expect_in 'Delegate=yes'
	expect_in 'Slice=system.slice'
	expect_in 'cpu.max: 50000 200000'
	no_units
}

test_the_limits_are_those_of_crun() {
	local theirs

	# It puts container and limits one level below the scope.
	FILTER=$FULL SHOW=Slice,Delegate
	theirs=$(RT=crun SUB=/container shown)
	output=$(SUB='' shown)
	expect "$theirs"
	expect_in 'memory.swap.max: 33554432'
}

test_unified_and_no_limits_beside_runc() {
	FILTER='.linux.resources = {unified: {"memory.high": "50331648", "pids.max": "33", "cpu.weight": "77", "cpu.max": "20000 100000"}}'
	SHOW=MemoryHigh,TasksMax,CPUWeight,CPUQuotaPerSecUSec
	beside runc shown
	expect_in MemoryHigh=50331648
	expect_in CPUQuotaPerSecUSec=200ms
	FILTER='del(.linux.resources)' SHOW=MemoryMax,TasksMax,CPUWeight
	beside runc shown
	expect_in MemoryMax=infinity
}

test_names_of_scopes_and_slices() {
	local bare='.linux.namespaces |= map(select(.type != "cgroup"))'

	named() {
		conf "$bare | $2" 'cat /proc/self/cgroup'
		go
		expect "0::$1"
		no_units
	}
	named /system.slice/berth-c.scope 'del(.linux.cgroupsPath)'
	named /system.slice/pre-one.scope '.linux.cgroupsPath = ":pre:one"'
	named /vmx.slice/vmx-deep.slice/two.scope '.linux.cgroupsPath = "vmx-deep.slice::two"'
	named /vmx.slice/vmx-b.slice/vmx-b-c.slice/pre-three.scope '.linux.cgroupsPath = "vmx-b-c.slice:pre:three"'
	named /pre-top.scope '.linux.cgroupsPath = "-.slice:pre:top"'
	named /machine.slice/libpod-x.scope '.linux.cgroupsPath = "machine.slice:libpod:x"'
	conf '.linux.cgroupsPath = "/a/b"' true
	go
	expect 1 "$status"
	expect_in slice:prefix:name
	conf '.linux.cgroupsPath = "no/slice:a:b"' true
	go
	expect 1 "$status"
	no_units
}

test_an_update_is_told_to_systemd() {
	updated() {
		conf '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 20}}'
		up
		rt update --memory 134217728 --memory-swap 268435456 --cpu-share 500 --cpu-period 50000 --cpu-quota 20000 --cpuset-cpus 1 --pids-limit 77 c
		echo "exit $?"
		systemctl daemon-reload
		systemctl show "vt-$RT.scope" -p "MemoryMax,MemorySwapMax,CPUWeight,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,TasksMax,AllowedCPUs" | sort
		values "$CGROUP/system.slice/vt-$RT.scope" memory.max memory.swap.max cpu.weight cpu.max pids.max cpuset.cpus
		rt delete -f c
	}
	beside runc updated
	expect_in MemoryMax=134217728
	expect_in MemorySwapMax=134217728
	expect_in TasksMax=77
	expect_in 'cpu.max: 20000 50000'
	expect_in 'pids.max: 77'
	no_units
}

# Only given as a property as well a limit outlives the next thing that systemd does.
test_what_systemd_does_later_undoes_no_limit() {
	local files='memory.max memory.swap.max memory.low memory.high cpu.weight cpu.max cpu.max.burst cpu.idle pids.max cpuset.cpus io.weight io.max hugetlb.2MB.max'
	local before

	held() { # what has just been changed still holds when systemd has applied its own
		# shellcheck disable=SC2086
		before=$(values $CG $files)
		expect_in "$1" "$before"
		systemctl set-property --runtime vt-berth.scope "TasksMax=$((RANDOM + 1000))"
		systemctl daemon-reload
		# shellcheck disable=SC2086
		expect "$(sed 's/^pids.max.*/pids.max/' <<<"$before")" "$(values $CG $files | sed 's/^pids.max.*/pids.max/')"
	}
	conf '.linux.resources = {memory: {limit: 67108864, swap: 100663296, reservation: 4194304},
		cpu: {quota: 50000, period: 200000, burst: 1000, shares: 500, cpus: "0"}, hugepageLimits: [{pageSize: "2MB", limit: 2097152}],
		blockIO: {throttleReadBpsDevice: [{major: '"${DISK%:*}, minor: ${DISK#*:}"', rate: 1048576}]},
		unified: {"memory.high": "62914560", "io.weight": "default 200"}}'
	up
	held 'cpu.max: 50000 200000'
	rt update --cpu-period 100000 c
	held 'cpu.max: 50000 100000'
	rt update --cpu-quota 20000 c
	held 'cpu.max: 20000 100000'
	rt update --memory-swap 134217728 c
	held 'memory.swap.max: 67108864'
	rt update --memory-swap -1 c
	held 'memory.swap.max: max'
	rt update --cpu-idle 1 c
	held 'cpu.idle: 1'
	rt update --cpu-idle 0 --cpu-share 1024 c
	held 'cpu.weight: 39'
	rt delete -f c
	conf '.linux.resources = {cpu: {idle: 1}}'
	up
	held 'cpu.idle: 1'
}

test_device_rules_hold_also_after_a_reload() {
	local what='cd /work; rm -f *; mknod kmsg c 1 11; (: >kmsg) 2>&1; (: <kmsg) && echo read; (: >/dev/null) && echo null'

	conf '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "rm"}] |
		.process.capabilities |= map_values(. + ["CAP_MKNOD"]) | .process.noNewPrivileges = false'
	up
	for _ in 1 2; do
		output=$(rt exec --cap CAP_MKNOD c sh -c "$what" 2>&1)
		expect $'sh: can\'t create kmsg: Operation not permitted\nread\nnull'
		systemctl daemon-reload
		rt update --pids-limit 50 c
	done
}

test_where_the_processes_are() {
	local pid v

	conf .
	up
	pid=$(rt state c | jq .pid)
	val v "/proc/$pid/cgroup"
	expect 0::/system.slice/vt-berth.scope "$v"
	val v $CG/cgroup.procs
	expect "$pid" "$v" # the process that the scope was started with is gone
	rt exec c cat /proc/self/cgroup >$T/in
	expect 0::/ "$(<$T/in)"
	rt pause c
	val v $CG/cgroup.events
	expect_in 'frozen 1' "$v"
	rt resume c
	rt kill c KILL
	until_ 60 '[[ "$(rt state c)" == *stopped* ]]'
	rt delete c
	no_units
	[ ! -e $CG ]
}

test_a_container_makes_cgroups_below_its_scope() {
	up_delegated
	systemctl daemon-reload
	expect_in 0::/in "$(rt exec c cat /proc/self/cgroup 2>&1)"
	rt delete -f c
	no_units
	[ ! -e $CG ]
}

test_somebody_stops_the_scope() {
	conf . 'trap "" TERM; while :; do sleep 1000; done'
	up
	systemctl kill -s KILL vt-berth.scope
	until_ 60 '[[ "$(rt state c)" == *stopped* ]]'
	rt delete c
	no_units
	conf .
	up
	systemctl stop vt-berth.scope & # may take the whole stop timeout of a sleep as pid 1
	until_ 60 '[[ "$(systemctl show -p SubState vt-berth.scope)" != *=running ]]'
	rt delete --force c
	wait
	no_units
	[ ! -e $CG ]
}

test_a_scope_that_is_stopped_in_order() {
	conf . 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	up
	rm -f $T/events
	rt events --interval 200ms c >$T/events 2>&1 &
	until_ 60 '[ -s $T/events ]'
	systemctl stop vt-berth.scope
	wait $!
	expect_in '"status": "stopped"' "$(rt state c)"
	expect_in 'not running' "$(rt update --pids-limit 3 c 2>&1)"
	expect_in 'stopped' "$(rt exec c true 2>&1)"
	rt delete c
	no_units
	[ ! -e $CG ]
}

# A bus that takes calls and never answers costs 10 s, and nothing is left.
test_a_bus_that_hangs_or_is_gone() {
	local start

	conf .
	up
	systemctl kill -s STOP dbus.service
	start=$SECONDS
	output=$(rt --root $T/berth/other run -b $T/berth d 2>&1) && return 1
	expect_in 'connect to the system bus: connection timed out'
	[ ! -e $T/berth/other/d ]
	[ $((SECONDS - start)) -lt 24 ]
	rt pause c
	rt resume c
	rt kill c KILL
	output=$(rt delete c 2>&1) && return 1
	expect_in 'connect to the system bus'
	systemctl kill -s CONT dbus.service
	rt delete c
	no_units
	# Root goes without a bus.
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere up
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere rt update --pids-limit 20 c
	expect TasksMax=20 "$(systemctl show -p TasksMax vt-berth.scope)"
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere rt delete -f c
	no_units
}

test_what_fails_leaves_no_scope() {
	conf '.linux.resources = {cpu: {cpus: "77"}}' true
	go
	expect 1 "$status"
	expect_in /linux/resources/cpu
	conf '.linux.resources = {unified: {"memory.nothing": "1"}}' true
	go
	expect 1 "$status"
	conf '.process.args = ["/no/such"]' true
	go
	[ "$status" != 0 ]
	conf . 'exit 7'
	go
	expect 7 "$status"
	no_units
	[ ! -e $CG ]
}

test_a_scope_of_that_name_is_there() {
	systemd-run -q --scope --unit vt-berth sleep 1000 &
	until_ 60 '[ -e $CG ]'
	conf . true
	go
	expect 1 "$status"
	expect_in vt-berth.scope
	[ -e $CG ]
	systemctl kill -s KILL vt-berth.scope
	wait || :
	systemctl reset-failed vt-berth.scope 2>/dev/null || :
	no_units
}

# A scope goes with its last process, and its name is free.
test_the_name_is_another_s_when_the_container_is_deleted() {
	conf . 'exec sleep 1000'
	up
	rt kill c KILL
	until_ 60 '[ ! -e $CG ]'
	systemd-run -q --scope --unit vt-berth sleep 1000 &
	until_ 60 '[ -e $CG ]'
	rt delete c
	[ ! -e $T/berth/root/c ]
	[ -e $CG ] || { echo "a stranger's scope was stopped"; wait; return 1; }
	systemctl kill -s KILL vt-berth.scope
	wait || :
	systemctl reset-failed vt-berth.scope 2>/dev/null || :
	no_units
}

test_killed_in_the_middle_delete_leaves_no_scope() {
	conf . true
	for pause in 0.02 0.05 0.1 0.15 0.2; do
		killed_after $pause
		no_units
	done
}

test_the_service_manager_of_a_user() {
	local own=/user.slice/user-1000.slice/user@1000.service

	mkdir -p /run/user/1000 $T/kay
	chown 1000:1000 /run/user/1000 $T/kay
	systemctl start user@1000 || { systemctl status user@1000; return 1; }
	as_kay() {
		setpriv --reuid 1000 --regid 1000 --clear-groups env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/1000 HOME=/ "$@" </dev/null
	}
	conf '.linux.cgroupsPath = "user.slice:vt:kay" | .linux.namespaces |= map(select(.type != "network")) | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings |
		.mounts |= map(select(.type != "sysfs") | .options |= (. // []) | .options |= map(select(startswith("gid=") | not))) |
		.linux.resources = {memory: {limit: 33554432}, pids: {limit: 7}}'
	as_kay "$BERTH" --systemd-cgroup --root $T/kay/root run -d -b $T/berth c >$T/out 2>&1 || { cat $T/out; return 1; }
	output=$(values $CGROUP$own/user.slice/vt-kay.scope memory.max pids.max)
	expect $'memory.max: 33554432\npids.max: 7'
	expect_in MemoryMax=33554432 "$(as_kay systemctl --user show -p MemoryMax vt-kay.scope)"
	as_kay "$BERTH" --root $T/kay/root update --pids-limit 9 c
	as_kay "$BERTH" --root $T/kay/root exec c true
	expect_in TasksMax=9 "$(as_kay systemctl --user show -p TasksMax vt-kay.scope)"
	as_kay "$BERTH" --root $T/kay/root delete -f c
	[ ! -e $CGROUP$own/user.slice/vt-kay.scope ]
	expect '' "$(as_kay systemctl --user list-units --all --plain --no-legend 'vt-*')"
	systemctl stop user@1000
}

p() {
	podman --root $T/pod/root --runroot $T/pod/run --tmpdir $T/pod/tmp --storage-driver vfs --cgroup-manager systemd \
		--runtime "$BERTH" --events-backend file --log-level error "$@" </dev/null
}

test_podman_with_its_systemd_driver() {
	local id scope

	tar -C $T/rootfs -c . | podman --root $T/pod/root --runroot $T/pod/run --tmpdir $T/pod/tmp --storage-driver vfs import -q - box >/dev/null
	output=$(p run --rm --network none --memory 64m --pids-limit 44 --cpu-shares 512 box \
		sh -c 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.weight; exit 5') || [ $? = 5 ]
	expect $'67108864\n44\n20'
	id=$(p run -d --network none --name one box sleep 1000)
	scope=libpod-$id.scope
	expect_in Slice=machine.slice "$(systemctl show -p Slice "$scope")"
	expect in "$(p exec one echo in)"
	p update --memory 50m --cpus 0.5 one >/dev/null
	expect_in MemoryMax=52428800 "$(systemctl show -p MemoryMax "$scope")"
	expect 52428800 "$(<$CGROUP/machine.slice/$scope/memory.max)"
	expect_in kB "$(p stats --no-stream --format '{{.MemUsage}}' one)"
	p pause one >/dev/null
	p unpause one >/dev/null
	p rm -f -t 0 one >/dev/null
	expect '' "$(systemctl list-units --all --plain --no-legend "$scope")"
	expect '' "$(systemctl --failed --plain --no-legend)"
}

test_a_pod_of_podman() {
	local id

	tar -C $T/rootfs -c . | podman --root $T/pod/root --runroot $T/pod/run --tmpdir $T/pod/tmp --storage-driver vfs \
		import -q -c 'ENTRYPOINT ["/bin/sleep", "3600"]' - pause >/dev/null
	p pod create --infra-image localhost/pause --network none --name pod >/dev/null
	id=$(p run -d --pod pod --name two localhost/box sleep 1000)
	expect_in "machine-libpod_pod_" "$(systemctl show -p ControlGroup "libpod-$id.scope")"
	p pod rm -f -t 0 pod >/dev/null
	expect '' "$(systemctl list-units --all --plain --no-legend 'libpod-*')"
	expect '' "$(systemctl --failed --plain --no-legend)"
}

# ---- the shim ---------------------------------------------------------------------

# The option of the shim is the runtime's --systemd-cgroup, for its own and for others.
test_the_shim_with_the_option_SystemdCgroup() {
	shim_world
	systemctl start dbus.service # which it would be when it is called for, and would seem to be left
	client <<-PY
		import cgroups_v2_pb2
		def scope(name, *args, binary="", path="system.slice:vt:%s", **limits):
		    def change(c):
		        c["linux"]["cgroupsPath"] = path % name if "%" in path else path
		        c["linux"]["resources"] = limits
		    t = Task(*args, id=name, config=change)
		    t.cgroup = "/system.slice/vt-" + name + ".scope"
		    t.launch()
		    t.opts = {"options": options(systemd_cgroup=True, binary_name=binary)}
		    return t
		def shown(t, *names):
		    p = subprocess.run(["systemctl", "show", "vt-" + t.id + ".scope", "-p", ",".join(names)], capture_output=True, check=True)
		    return sorted(p.stdout.decode().split())
		def cgroup_of(pid):
		    return open("/proc/%d/cgroup" % pid).read().strip().removeprefix("0::")
		def val(t, name):
		    return open("/sys/fs/cgroup" + cgroup_of(t.pid) + "/" + name).read().strip()
		def no_scope(t):
		    until(lambda: shown(t, "ActiveState") == ["ActiveState=inactive"])
		    eq(t.cgroup_dirs(), [])
		t = scope("one", memory={"limit": 32 << 20, "swap": 32 << 20}, pids={"limit": 20})
		t.run(**t.opts)
		eq(cgroup_of(t.pid), t.cgroup)
		eq(shown(t, "ActiveState", "Slice", "MemoryMax", "TasksMax"), ["ActiveState=active", "MemoryMax=33554432", "Slice=system.slice", "TasksMax=20"])
		assert t.cgroup not in cgroup_of(t.shim)
		eq(cgroup_of(t.exec("x", "sleep", "1000")), t.cgroup)
		m = cgroups_v2_pb2.Metrics.FromString(t.Stats().stats.value)
		eq((m.pids.current, m.pids.limit, m.memory.usage_limit, len(t.Pids().processes)), (2, 20, 32 << 20, 2))
		t.Update(resources=limits(pids={"limit": 21}, cpu={"shares": 512}))
		eq((shown(t, "TasksMax", "CPUWeight"), val(t, "pids.max"), val(t, "cpu.weight")), (["CPUWeight=20", "TasksMax=21"], "21", "20"))
		t.Pause()
		within(val(t, "cgroup.events"), "frozen 1")
		t.Resume()
		t.exec("y", "tail", "/dev/zero")
		eq(t.Wait(exec_id="y", timeout=60).exit_status, 137)
		EVENTS.wait(t.id, "oom")
		t.Kill(signal=KILL, all=True)
		eq((t.Wait().exit_status, t.Wait(exec_id="x").exit_status), (137, 137))
		t.Delete()
		no_scope(t)
		# The name is free again; killed with its shim; and one that cannot be.
		for binary in ("", "$RUNC", "$CRUN"):
		    t = scope("two" + os.path.basename(binary), binary=binary, pids={"limit": 30})
		    t.create(timeout=60, **t.opts)
		    t.Start(timeout=60)
		    assert cgroup_of(t.pid).startswith(t.cgroup), cgroup_of(t.pid)
		    eq(cgroups_v2_pb2.Metrics.FromString(t.Stats().stats.value).pids.limit, 30)
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    eq(t.binary_delete(timeout=60).exit_status, 137)
		    gone(t.pid)
		    no_scope(t)
		t = scope("bad", path="/a/b")
		within(t.fails(UNKNOWN, "", "Create", bundle=t.bundle, **t.opts), "slice:prefix:name")
		# A runtime that is gone has left a scope.
		for real in ("$RUNC", "$CRUN"):
		    t = scope("gone" + os.path.basename(real), pids={"limit": 30})
		    runtime = t.script('exec %s "\$@"' % real)
		    t.create(timeout=60, options=options(systemd_cgroup=True, binary_name=runtime))
		    t.Start(timeout=60)
		    os.kill(t.shim, KILL)
		    gone(t.shim)
		    os.unlink(runtime)
		    eq(t.binary_delete(timeout=60).exit_status, 137)
		    gone(t.pid)
		    no_scope(t)
	PY
	no_units
}

# As it is installed. No place for units of this machine's is below /usr, and of what they
# depend on by default it has nothing.
berthd_installed() {
	local unit units build=${BERTH_BUILD:-${BASH_SOURCE[0]%/*}/../../build}

	if [ -d "$build/musl" ]; then
		meson install -C "$build/musl" --no-rebuild
		meson install -C "$build" --no-rebuild --tags devel
	else
		meson install -C "$build" --no-rebuild
	fi
	units=$(meson introspect "$build" --installed | jq -r '.[] | select(endswith("/berthd.socket"))')
	for unit in berthd.socket berthd.service; do
		mkdir -p /run/systemd/system/$unit.d
		ln -s "${units%/*}/$unit" /run/systemd/system/$unit
		printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/$unit.d/small.conf
	done
	systemctl daemon-reload
}

main_pid() {
	systemctl show berthd -P MainPID
}

test_berthd_is_started_at_its_socket_and_may_end_while_containers_run() {
	local pid first

	c() { timeout 60 ctr -a /run/berth/berthd.sock "$@"; }
	logs() { # from now on
		mkdir -p /etc/berth
		echo '{"log_file": "/run/t/d.log", "log_level": "'"$1"'"}' >/etc/berth/berthd.json
	}
	berthd_installed
	logs error
	systemctl start berthd.socket
	expect 'inactive' "$(systemctl is-active berthd)"
	c run -d --rootfs --null-io --net-host --cgroup /berth-test/d --memory-limit 67108864 $T/rootfs one /bin/sleep 1000
	expect 'active' "$(systemctl is-active berthd)"
	expect 67108864 "$(</sys/fs/cgroup/berth-test/d/memory.max)"
	read -r pid </sys/fs/cgroup/berth-test/d/cgroup.procs
	first=$(main_pid)
	expect '' "$(<$T/d.log)"
	logs debug
	systemctl reload berthd
	until_ 60 '[[ "$(<$T/d.log)" == *"log_level: taken"* ]]'
	expect "$first" "$(main_pid)"
	c run -d --rootfs --null-io --net-host --cgroup /berth-test/e $T/rootfs two /bin/sleep 1000
	expect_in 'task created' "$(grep id=two $T/d.log)"
	c tasks kill -s KILL two
	until_ 60 '[[ "$(c tasks ls)" == *two*STOPPED* ]]'
	c tasks rm two || :
	c containers rm two
	: >$T/d.log
	systemctl restart berthd
	expect_in 'serves at' "$(<$T/d.log)" # it is ready
	[ "$(main_pid)" != "$first" ]
	first=$(main_pid)
	kill -KILL "$first"
	until_ 60 '[ "$(systemctl is-active berthd)" = active ] && [ "$(main_pid)" != '"$first"' ]'
	expect_in "$pid    RUNNING" "$(c tasks ls)"
	SECONDS=0
	systemctl stop berthd.socket berthd.service
	[ "$SECONDS" -le 40 ]
	expect 'inactive' "$(systemctl is-active berthd)"
	kill -0 "$pid"
	kill -KILL "$pid"
	systemctl start berthd.socket
	expect_in 'exit with non-zero exit code 137' "$(c tasks rm one 2>&1)"
	systemctl stop berthd.socket berthd.service
	rm -r /run/systemd/system/berthd.* /etc/berth
	systemctl daemon-reload
	no_units
}
