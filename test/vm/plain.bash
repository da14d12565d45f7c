# plain.bash: the cgroupfs driver on cgroup v2, every controller there is, beside
# what runc and crun make of the same document. Run by driver.bash.

CGROUP=/sys/fs/cgroup

cgroups_path() {
	echo "/berth-test/$RT"
}

world_of_file() {
	CG=$CGROUP/berth-test/berth
	IFS= read -r DISK </sys/block/vda/dev
	echo 0 >/proc/sys/kernel/dmesg_restrict # /dev/kmsg is a device that only the rules forbid
}

LIMITS='cpu.weight cpu.max cpuset.cpus cpuset.mems cpuset.cpus.effective memory.max memory.low memory.high
memory.swap.max pids.max io.max io.bfq.weight io.weight hugetlb.2MB.max rdma.max cgroup.freeze'

read_back() {
	local dir=$CGROUP/berth-test/$RT

	conf "$FILTER"
	rt create -b "$T/$RT" c >$T/out 2>&1 || cat $T/out
	# shellcheck disable=SC2086
	values "$dir" $LIMITS
	gone
	rmdir "$dir" 2>/dev/null || : # runc gives up when the machine is slow
}

test_every_limit_beside_runc_and_crun() {
	FILTER='.linux.resources = {
		memory: {limit: 67108864, swap: 100663296, reservation: 33554432},
		cpu: {shares: 1024, quota: 50000, period: 200000, cpus: "0-1", mems: "0"}, pids: {limit: 55},
		hugepageLimits: [{pageSize: "2MB", limit: 4194304}],
		blockIO: {weight: 500, throttleReadBpsDevice: [{major: '${DISK%:*}', minor: '${DISK#*:}', rate: 1048576}],
			throttleWriteIOPSDevice: [{major: '${DISK%:*}', minor: '${DISK#*:}', rate: 99}]}}'
	beside 'crun runc' read_back
	expect_in 'memory.max: 67108864'
	expect_in 'memory.swap.max: 33554432'
	expect_in 'memory.low: 33554432'
	expect_in 'cpu.weight: 39'
	expect_in 'cpu.max: 50000 200000'
	expect_in 'cpuset.cpus: 0-1'
	expect_in 'pids.max: 55'
	expect_in 'hugetlb.2MB.max: 4194304'
	expect_in 'io.weight: default 4950'
	expect_in "io.max: $DISK rbps=1048576 wbps=max riops=max wiops=99"
}

disk_is() { # LIMIT…: a list for blockIO, of the one disk
	echo "[{major: ${DISK%:*}, minor: ${DISK#*:}, $1}]"
}

test_every_limit_of_a_disk_also_with_bfq() {
	FILTER=".linux.resources.blockIO = {throttleReadBpsDevice: $(disk_is 'rate: 1048576'), throttleWriteBpsDevice: $(disk_is 'rate: 7340032'),
		throttleReadIOPSDevice: $(disk_is 'rate: 98'), throttleWriteIOPSDevice: $(disk_is 'rate: 99')}"
	LIMITS=io.max beside 'crun runc' read_back
	expect "io.max: $DISK rbps=1048576 wbps=7340032 riops=98 wiops=99"
	# Without it a weight for one disk is refused, not forgotten.
	FILTER=".linux.resources.blockIO = {weight: 500, weightDevice: $(disk_is 'weight: 300')}"
	conf "$FILTER" true
	go
	expect_in /linux/resources/blockIO/weightDevice
	busybox insmod /run/vm/bfq.ko
	echo bfq >/sys/block/vda/queue/scheduler
	LIMITS='io.bfq.weight io.weight' beside 'crun runc' read_back
	expect $'io.bfq.weight: default 500 '"$DISK"$' 300\nio.weight: default 100'
	echo none >/sys/block/vda/queue/scheduler
}

test_burst_idle_and_files_by_name() {
	conf '.linux.resources = {cpu: {quota: 50000, period: 100000, burst: 20000, idle: 1},
		unified: {"memory.oom.group": "1", "memory.min": "1048576", "cgroup.max.depth": "3", "hugetlb.2MB.rsvd.max": "4194304"}}'
	up
	FILES='cpu.max cpu.max.burst cpu.idle cpu.weight memory.oom.group memory.min cgroup.max.depth hugetlb.2MB.rsvd.max'
	# shellcheck disable=SC2086
	expect "$(printf '%s\n' 'cpu.max: 50000 100000' 'cpu.max.burst: 20000' 'cpu.idle: 1' 'cpu.weight: 0' 'memory.oom.group: 1' \
		'memory.min: 1048576' 'cgroup.max.depth: 3' 'hugetlb.2MB.rsvd.max: 4194304')" "$(values $CG $FILES)"
	# The burst fits only together with the new quota; idle is left before a weight is set.
	echo '{"cpu": {"burst": 60000, "quota": 80000, "idle": 0, "shares": 512}}' >$T/r.json
	rt update -r $T/r.json c
	expect $'cpu.max: 80000 100000\ncpu.max.burst: 60000\ncpu.idle: 0\ncpu.weight: 20' "$(values $CG cpu.max cpu.max.burst cpu.idle cpu.weight)"
}

test_rdma() {
	local m

	for m in crc32_generic ib_core ib_uverbs udp_tunnel ip6_udp_tunnel rdma_rxe; do
		busybox insmod /run/vm/$m.ko
	done
	rdma link add rxe0 type rxe netdev lo
	conf '.linux.resources.rdma = {rxe0: {hcaHandles: 3, hcaObjects: 10000}}'
	up
	expect_in 'rdma.max: rxe0 hca_handle=3 hca_object=10000' "$(values $CG rdma.max)"
	echo '{"rdma": {"rxe0": {"hcaObjects": 7}}}' >$T/r.json
	rt update -r $T/r.json c
	expect_in 'rdma.max: rxe0 hca_handle=3 hca_object=7' "$(values $CG rdma.max)"
	rdma link delete rxe0
}

test_unified_and_no_limits_beside_runc() {
	FILTER='.linux.resources = {unified: {"memory.high": "50331648", "pids.max": "33", "cpu.weight": "77",
		"io.max": "'$DISK' rbps=2097152", "memory.swap.max": "0", "hugetlb.2MB.max": "2097152"}}'
	beside runc read_back
	expect_in 'memory.high: 50331648'
	expect_in 'memory.swap.max: 0'
	FILTER='del(.linux.resources)'
	beside runc read_back
	expect_in 'memory.max: max'
	expect_in 'cpu.weight: 100'
}

test_unlimited_and_extremes_beside_runc() {
	FILTER='.linux.resources = {memory: {limit: -1, swap: -1}, cpu: {shares: 2, quota: -1, period: 50000}, pids: {limit: -1}}'
	beside runc read_back
	expect_in 'cpu.max: max 50000'
	FILTER='.linux.resources = {memory: {limit: 83886080, swap: 83886080}, cpu: {shares: 262144, quota: 100000}, pids: {limit: 100}}'
	beside runc read_back
	expect_in 'memory.swap.max: 0'
	expect_in 'cpu.weight: 10000'
}

test_what_the_kernel_refuses_names_the_field_and_leaves_nothing() {
	refused() {
		conf ".linux.resources = $2 | .linux.cgroupsPath = \"/berth-no/a/b\"" true
		go
		[ "$status" = 1 ] || { echo "$status for $2: $output"; return 1; }
		expect_in "$1"
		[ ! -e $CGROUP/berth-no ]
	}
	refused /linux/resources/cpu/cpus '{cpu: {cpus: "77"}}'
	refused /linux/resources/memory/swap '{memory: {limit: 67108864, swap: 33554432}}'
	refused /linux/resources/memory/swap '{memory: {swap: 67108864}}'
	refused /linux/resources/memory/swappiness '{memory: {swappiness: 10}}'
	refused /linux/resources/hugepageLimits '{hugepageLimits: [{pageSize: "3MB", limit: 4194304}]}'
	refused /linux/resources/rdma '{rdma: {mlx9_0: {hcaHandles: 3}}}'
	refused '/linux/resources/unified/misc.max' '{unified: {"misc.max": "sev 1"}}'
	refused '/linux/resources/unified/memory.nothing' '{unified: {"memory.nothing": "1"}}'
	refused '/linux/resources/unified/cgroup' '{unified: {"cgroup.procs": "1"}}'
	refused /linux/resources/blockIO '{blockIO: {throttleReadBpsDevice: [{major: 99, minor: 99, rate: 1}]}}'
	refused /linux/resources/network '{network: {classID: 5}}'
}

test_update_beside_runc() {
	updated() {
		conf '.linux.resources = {memory: {limit: 67108864}}'
		up
		rt update --memory 134217728 --memory-swap 268435456 --memory-reservation 67108864 --cpu-share 500 \
			--cpu-period 50000 --cpu-quota 20000 --cpuset-cpus 1 --pids-limit 77 --blkio-weight 100 c
		echo "exit $?"
		# shellcheck disable=SC2086
		values "$CGROUP/berth-test/$RT" $LIMITS
		echo '{"memory": {"limit": 33554432, "swap": 33554432}, "cpu": {"shares": 128}}' >$T/r.json
		rt update -r $T/r.json c
		echo "exit $?"
		# shellcheck disable=SC2086
		values "$CGROUP/berth-test/$RT" $LIMITS
		rt update --memory -1 c
		values "$CGROUP/berth-test/$RT" memory.max memory.swap.max
		gone
	}
	beside runc updated
	expect_in 'memory.swap.max: 134217728'
	expect_in 'cpu.max: 20000 50000'
	expect_in 'pids.max: 77'
}

test_an_update_of_a_part_keeps_the_rest() {
	conf ".linux.resources = {memory: {limit: 67108864, swap: 100663296}, cpu: {quota: 50000, period: 100000, shares: 512}}" \
		'head -c 4000000 /dev/zero >/work/z; exec sleep 1000'
	up
	is() { # FLAGS FILE: VALUE
		# shellcheck disable=SC2086
		rt update $1 c
		expect "$2" "$(values $CG "${2%%:*}")"
	}
	is '--cpu-period 200000' 'cpu.max: 50000 200000'
	is '--cpu-quota 10000' 'cpu.max: 10000 200000'
	is '--memory 50331648' 'memory.swap.max: 33554432'
	is '--memory-swap 100663296' 'memory.swap.max: 50331648'
	is '--memory-swap -1' 'memory.swap.max: max'
	is '--memory-reservation 1048576' 'memory.low: 1048576'
	is '--cpu-quota -1' 'cpu.max: max 200000'
	is '--cpu-idle 0' 'cpu.weight: 20'
	echo '{"blockIO": {"throttleReadIOPSDevice": [{"major": '"${DISK%:*}"', "minor": '"${DISK#*:}"', "rate": 5}]},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}], "unified": {"memory.high": "40960000"}}' >$T/r.json
	is "-r $T/r.json" "io.max: $DISK rbps=max wbps=max riops=5 wiops=max"
	expect $'memory.high: 40960000\nhugetlb.2MB.max: 2097152\nhugetlb.2MB.rsvd.max: 2097152' \
		"$(values $CG memory.high hugetlb.2MB.max hugetlb.2MB.rsvd.max)"
	echo '{"memory": {"limit": 1048576, "checkBeforeUpdate": true}}' >$T/r.json
	output=$(rt update -r $T/r.json c 2>&1) && return 1
	expect_in '/linux/resources/memory/limit: 1048576 is below the current usage'
	expect 'memory.max: 50331648' "$(values $CG memory.max)"
}

test_devices_by_BPF() {
	local script='t() { "$@" >/dev/null 2>&1 && echo "yes: $*" || echo "no: $*"; }
w() { true >"$1"; }
cd /work; rm -f *
t mknod full c 1 7; t mknod null c 1 3; t mknod kmsg c 1 11; t mknod disk b 254 0; t mknod tty0 c 4 0
t head -c 1 /dev/zero; t w /dev/zero; t w /dev/null; t head -c 1 full; t w kmsg; t head -c 1 kmsg; t head -c 1 disk; t head -c 1 /dev/random'
	tried() {
		conf '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 7, access: "rm"},
			{allow: true, type: "c", access: "m"}, {allow: true, type: "b", major: '${DISK%:*}', minor: 0, access: "rm"}] |
			.process.capabilities |= map_values(. + ["CAP_MKNOD"]) | .process.noNewPrivileges = false' "$script"
		sed -i "s/b 254 0/b ${DISK%:*} 0/" "$T/$RT/config.json"
		go
		echo "$output"
	}
	beside runc tried
	expect_in 'yes: mknod full c 1 7'
	expect_in 'yes: mknod tty0'
	expect_in 'no: w kmsg'
	expect_in 'yes: head -c 1 disk'
	expect_in 'yes: w /dev/null'
	# Everything but one device.
	conf '.linux.resources.devices = [{allow: true, access: "rwm"}, {allow: false, type: "c", major: 1, minor: 11, access: "w"}] |
		.process.capabilities |= map_values(. + ["CAP_MKNOD"])' \
		'cd /work; rm -f *; mknod k c 1 11 && (: <k) && echo read; (: >k) 2>&1; mknod mem c 1 1 && echo mem'
	go
	expect_in read
	expect_in 'Operation not permitted'
	expect_in mem
}

test_an_update_leaves_the_device_rules() {
	conf '.linux.resources.devices = [{allow: false, access: "rwm"}] | .process.capabilities |= map_values(. + ["CAP_MKNOD"])'
	up
	rt update --pids-limit 50 c
	echo '{"devices": [{"allow": true, "access": "rwm"}], "pids": {"limit": 60}}' | "$BERTH" --root $T/berth/root update -r - c
	values $CG pids.max
	output=$(rt exec c sh -c 'mknod /work/k c 1 11; head -c 9 /work/k' 2>&1) && return 1
	expect_in 'not permitted'
}

test_pause_and_resume() {
	local v n m

	conf . 'while :; do echo x >>/work/count; usleep 20000; done'
	: >$T/rootfs/work/count
	up
	rt pause c
	expect_in '"status": "paused"' "$(rt state c)"
	val v $CG/cgroup.freeze
	expect 1 "$v"
	val v $CG/cgroup.events
	expect_in 'frozen 1' "$v"
	val n $T/rootfs/work/count
	sleep 0.2
	val m $T/rootfs/work/count
	expect "$n" "$m"
	output=$(rt exec c true 2>&1) && return 1
	expect_in paused
	rt resume c
	expect_in '"status": "running"' "$(rt state c)"
	until_ 60 'val m $T/rootfs/work/count; [ ${#m} -gt ${#n} ]'
	rt pause c
	rt delete -f c
	[ ! -e $CG ]
}

test_kill_all_ends_a_fork_bomb_by_cgroup_kill() {
	local v

	# A shell that cannot fork exits: the first one only collects the others.
	conf '.linux.resources.pids.limit = 60' 'b() { while :; do (b) 2>/dev/null & done; }; (b) & while :; do wait; done'
	up
	until_ 60 'val v $CG/pids.current; [ $v -ge 50 ]'
	strace -f -o $T/trace -e trace=openat,write "$BERTH" --root $T/berth/root kill --all c KILL
	output=$(<$T/trace)
	expect_in cgroup.kill
	until_ 60 'val v $CG/cgroup.events; [[ $v == *"populated 0"* ]]'
	expect_in '"status": "stopped"' "$(rt state c)"
	rt delete c
	[ ! -e $CG ]
	up
	until_ 60 'val v $CG/pids.current; [ $v -ge 50 ]'
	rt delete --force c
	[ ! -e $CG ]
}

test_the_first_act_is_CLONE_INTO_CGROUP() {
	conf . true
	strace -f -o $T/trace -e trace=clone3,openat,write "$BERTH" --root $T/berth/root run -b $T/berth c
	output=$(<$T/trace)
	expect_in CLONE_INTO_CGROUP
	expect_not_in '"0", 1)' # which is how a process joins a cgroup without it
}

test_stats_and_pressure() {
	conf '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 9}}' 'head -c 4000000 /dev/zero >/work/z; echo >/work/done; exec sleep 1000'
	rm -f $T/rootfs/work/done
	up
	until_ 60 '[ -e $T/rootfs/work/done ]'
	rt events --stats c >$T/stats
	output=$(jq -c '.data | [.pids.current, .pids.limit, .memory.usage.limit, (.memory.usage.usage > 100000),
		(.cpu.usage.total > 0), (.cpu.psi.some | keys), (.memory.psi.full.avg10 >= 0), (.blkio | has("psi"))]' $T/stats)
	expect '[1,9,67108864,true,true,["avg10","avg300","avg60","total"],true,true]'
}

test_stats_are_what_the_files_say() {
	local v line want='' key from

	conf '.linux.resources = {memory: {limit: 67108864, swap: 100663296}, cpu: {quota: 20000}, devices: [{allow: true, access: "rwm"}]}' \
		'head -c 4000000 /dev/zero >/work/z; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo >/work/done; exec sleep 1000'
	rm -f $T/rootfs/work/done
	up
	until_ 60 '[ -e $T/rootfs/work/done ]'
	bash -c 'echo $$ >'$CG'/cgroup.procs; exec dd if=/dev/vda of=/dev/null bs=4k count=4 iflag=direct' 2>/dev/null
	rt pause c # so that nothing moves, once the kernel has added up (every 2 s)
	read -r -t 2.2 <>$T/pause || :
	rt events --stats c >$T/stats
	output=$(jq -r '.data | "usage_usec \(.cpu.usage.total / 1000)", "user_usec \(.cpu.usage.user / 1000)", "system_usec \(.cpu.usage.kernel / 1000)",
		"nr_throttled \(.cpu.throttling.throttledPeriods)", "throttled_usec \(.cpu.throttling.throttledTime / 1000)",
		"file \(.memory.cache)", (.memory.raw | "anon \(.anon)", "pgfault \(.pgfault)", "shmem \(.shmem)"),
		"memory.current \(.memory.usage.usage)", "memory.max \(.memory.usage.limit)", "memory.peak \(.memory.usage.max)",
		"total limit \(.memory.swap.limit)", "pids.current \(.pids.current)",
		(.blkio | .ioServiceBytesRecursive[0], .ioServicedRecursive[0] | "\(.major):\(.minor // 0) \(.op) \(.value)")' $T/stats)
	for from in cpu.stat:usage_usec cpu.stat:user_usec cpu.stat:system_usec cpu.stat:nr_throttled cpu.stat:throttled_usec \
		memory.stat:file memory.stat:anon memory.stat:pgfault memory.stat:shmem; do
		key=${from#*:}
		while read -r line; do
			[[ $line != "$key "* ]] || want+=$line$'\n'
		done <$CG/"${from%:*}"
	done
	for key in memory.current memory.max memory.peak; do
		val v $CG/$key
		want+="$key $v"$'\n'
	done
	want+=$'total limit 100663296\npids.current 1\n'
	expect "$want$DISK Read 16384"$'\n'"$DISK Read 4"
}

stat_keys() {
	conf '.linux.resources = {memory: {limit: 67108864}}' 'echo >/work/z; exec sleep 1000'
	up
	# What is zero has no key; the kernel adds up every 2 s.
	until_ 60 '! grep -q "^file 0" $CGROUP/berth-test/$RT/memory.stat'
	rt events --stats c | jq -c '[paths(type == "number") | map(select(type == "string")) | join(".")] | unique[]'
	gone
}

test_stats_have_the_keys_of_runc() {
	local theirs key

	RT=runc theirs=$(stat_keys)
	RT=berth output=$(stat_keys)
	for key in $theirs; do
		expect_in "$key"
	done
}

test_out_of_memory_is_told() {
	conf '.linux.resources.memory = {limit: 8388608, swap: 8388608}' 'tail -c 50000000 /dev/zero'
	go
	expect 137 "$status"
	conf '.linux.resources.memory = {limit: 8388608, swap: 8388608}'
	up
	rt events --interval 60s c >$T/events 2>&1 &
	for _ in {1..20}; do
		rt exec c tail -c 50000000 /dev/zero && return 1
		read -r -t 0.3 <>$T/pause || :
		[[ $(<$T/events) != *'"type":"oom","id":"c"'* ]] || break
	done
	expect_in '"type":"oom","id":"c"' "$(<$T/events)"
	gone
	wait
}

test_out_of_memory_of_a_process_or_of_all() {
	conf '.linux.resources = {memory: {limit: 8388608, swap: 8388608}}' 'sleep 998 & exec sleep 1000'
	up
	status=0
	rt exec c tail -c 50000000 /dev/zero || status=$?
	expect 137 "$status"
	expect_in '"status": "running"' "$(rt state c)"
	echo '{"unified": {"memory.oom.group": "1"}}' >$T/r.json
	rt update -r $T/r.json c
	rm -f $T/events
	rt events --interval 200ms c >$T/events 2>&1 &
	until_ 60 '[ -s $T/events ]'
	status=0
	rt exec c tail -c 50000000 /dev/zero || status=$?
	expect 137 "$status"
	wait $! # it ends with the container
	expect_in '"type":"oom","id":"c"' "$(<$T/events)"
	expect_in '"status": "stopped"' "$(rt state c)"
	rt delete c
	[ ! -e $CG ]
}

test_how_little_memory_is_enough() {
	local kib

	for kib in 256 320 384 448 512 768 1024; do
		conf ".linux.resources.memory = {limit: $((kib * 1024)), swap: $((kib * 1024))}" .
		jq '.process.args = ["/bin/busybox", "true"]' $T/berth/config.json >$T/c && mv $T/c $T/berth/config.json
		go
		[ "$status" != 0 ] || break
		echo "$kib KiB: $status: $output"
	done
	echo "$kib KiB are enough"
	[ "$kib" -le 512 ]
}

test_a_container_owns_a_delegated_cgroup() {
	local mine f files

	up_delegated
	expect 100000 "$(stat -c %u $CG)"
	mapfile -t files </sys/kernel/cgroup/delegate
	for f in "${files[@]}"; do
		[ ! -e "$CG/$f" ] || mine+=" $(stat -c %u "$CG/$f")"
	done
	expect_not_in ' 0' "$mine"
	expect 0 "$(stat -c %u $CG/memory.max)"
	# exec follows the first process into its cgroup: its own takes nobody any more.
	expect_in '0::/in' "$(rt exec c cat /proc/self/cgroup 2>&1)"
	expect_in sleep "$(rt ps c)"
	rt delete -f c
	[ ! -e $CG ]
}

# The user of the process, not the container's root; and what is in no list stays with root.
test_a_delegated_cgroup_belongs_to_the_user_of_the_process() {
	conf '.linux.namespaces += [{type: "user"}] | .process.user = {uid: 1000, gid: 1000} |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 500}, {containerID: 500, hostID: 300000, size: 1000}] |
		.linux.gidMappings = .linux.uidMappings |
		.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)' 'mkdir /sys/fs/cgroup/mine && echo made; exec sleep 1000'
	up
	until_ 60 'grep -q made $T/out'
	expect '300500 300500' "$(stat -c %u $CG $CG/cgroup.procs | paste -sd' ')"
	rt delete -f c
}

test_without_the_list_of_what_to_delegate() {
	local f

	conf '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
		.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)' 'exec sleep 1000'
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs none /sys/kernel/cgroup && exec "$@" </dev/null' sh \
		"$BERTH" --root "$T/berth/root" run -d -b "$T/berth" c >$T/out 2>&1
	for f in . cgroup.procs cgroup.threads cgroup.subtree_control; do
		expect 100000 "$(stat -c %u $CG/$f)"
	done
	expect 0 "$(stat -c %u $CG/memory.max)"
	rt delete -f c
}

test_exec_where_the_first_process_has_moved_down() {
	local v

	conf '.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)' \
		'cd /sys/fs/cgroup && mkdir -p init/deep side && echo $$ >init/deep/cgroup.procs && echo +pids >cgroup.subtree_control; exec sleep 1000'
	up
	until_ 60 'val v $CG/init/deep/cgroup.procs; [[ $v == [0-9]* ]]' 2>/dev/null
	expect_in '0::/init/deep' "$(rt exec c cat /proc/self/cgroup 2>&1)"
	expect_in '0::/side' "$(rt exec --cgroup side c cat /proc/self/cgroup 2>&1)"
	rt pause c
	val output $CG/init/deep/cgroup.events
	expect_in 'frozen 1'
	rt resume c
	rt kill --all c KILL
	until_ 60 '[[ "$(rt state c)" == *stopped* ]]'
	rt delete c
	[ ! -e $CG ]
}

WRITABLE='.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'

# What has enabled nothing follows too; and what the container has frozen itself stays so.
test_exec_pause_and_kill_where_the_container_made_cgroups() {
	conf "$WRITABLE" 'cd /sys/fs/cgroup && mkdir init cold && echo $$ >init/cgroup.procs && { sleep 998 & echo $! >cold/cgroup.procs; } &&
		echo 1 >cold/cgroup.freeze && echo >/work/done; exec sleep 1000'
	rm -f $T/rootfs/work/done
	up
	until_ 60 '[ -e $T/rootfs/work/done ]'
	expect 0::/init "$(rt exec c cat /proc/self/cgroup 2>&1)"
	expect 0::/ "$(rt exec --cgroup / c cat /proc/self/cgroup 2>&1)"
	expect_in nothere "$(rt exec --cgroup nothere c true 2>&1)"
	expect_in 'not a sub cgroup' "$(rt exec --cgroup ../x c true 2>&1)"
	expect_in 'unknown controller' "$(rt exec --cgroup memory:init c true 2>&1)" # as in runc: v2 has one for all
	expect_in '"status": "running"' "$(rt state c)"
	rt pause c
	rt resume c
	val output $CG/cold/cgroup.events
	expect_in 'frozen 1'
	rt kill --all c KILL
	until_ 60 '[[ "$(rt state c)" == *stopped* ]]'
	rt delete c
	[ ! -e $CG ]
}

test_threaded_cgroups_in_a_container() {
	conf "$WRITABLE" 'cd /sys/fs/cgroup && mkdir -p dom/t1 dom/t2 && echo $$ >dom/cgroup.procs && echo threaded >dom/t1/cgroup.type &&
		echo threaded >dom/t2/cgroup.type && echo $$ >dom/t1/cgroup.procs && { sleep 998 & echo >/work/done; }; exec sleep 1000'
	rm -f $T/rootfs/work/done
	up
	until_ 60 '[ -e $T/rootfs/work/done ]'
	val output $CG/dom/cgroup.type
	expect 'domain threaded'
	expect 0::/dom/t1 "$(rt exec c cat /proc/self/cgroup 2>&1)"
	output=$(rt ps -f json c)
	expect 2 "$(jq length <<<"$output")"
	rt pause c
	rt resume c
	rt delete --force c
	[ ! -e $CG ]
}

# Below a cgroup with processes only a threaded one can be; it lists no processes.
test_a_container_in_a_threaded_cgroup() {
	mkdir $CGROUP/thr
	sleep 1000 &
	echo $! >$CGROUP/thr/cgroup.procs
	conf '.linux.cgroupsPath = "/thr/c" | .linux.namespaces |= map(select(.type != "pid"))' 'sleep 998 & exec sleep 1000'
	up
	val output $CGROUP/thr/c/cgroup.type
	expect threaded
	output=$(rt ps -f json c)
	expect 2 "$(jq length <<<"$output")"
	conf '.linux.cgroupsPath = "/thr/c"' true
	output=$(rt run -b $T/berth c2 2>&1) && return 1
	expect_in 'is not empty'
	rt pause c
	rt resume c
	rt kill --all c KILL
	until_ 60 'val v $CGROUP/thr/c/cgroup.events; [[ $v == *"populated 0"* ]]'
	rt delete c
	conf '.linux.cgroupsPath = "/thr/c" | .linux.namespaces |= map(select(.type != "pid"))' 'sleep 998 & exec sleep 1000'
	up
	rt delete --force c
	[ ! -e $CGROUP/thr/c ]
	kill $!
	wait $! || :
	rmdir $CGROUP/thr
}

test_delete_removes_children_and_what_is_frozen_in_them() {
	local pid

	conf .
	up
	mkdir -p $CG/a/b/c $CG/d
	sleep 1000 &
	pid=$!
	echo $pid >$CG/a/b/cgroup.procs
	echo 1 >$CG/a/cgroup.freeze
	output=$(rt ps -f json c)
	expect_in "$pid"
	rt delete --force c
	[ ! -e $CG ]
	until_ 60 '! kill -0 '$pid' 2>/dev/null'
}

test_a_path_of_its_own_a_nested_one_one_in_use() {
	local bare='.linux.namespaces |= map(select(.type != "cgroup"))'

	conf "$bare | del(.linux.cgroupsPath)" 'cat /proc/self/cgroup'
	go
	expect 0::/berth/c
	conf "$bare | .linux.cgroupsPath = \"berth-test/x/y\"" 'cat /proc/self/cgroup'
	go
	expect 0::/berth-test/x/y
	conf . 'cat /proc/self/cgroup; ls -d /sys/fs/cgroup/memory.max'
	go
	expect $'0::/\n/sys/fs/cgroup/memory.max'
	mkdir -p $CG
	sleep 100 &
	echo $! >$CG/cgroup.procs
	go
	expect_in 'is not empty'
	kill $!
	wait $! || :
	rmdir $CG
}

test_a_container_of_a_user_in_a_delegated_subtree() {
	local u=$CGROUP/kay

	mkdir -p $u/shell $T/kay
	echo '+cpu +memory +pids +cpuset +io' >$u/cgroup.subtree_control
	chown -R 1000:1000 $u/shell $T/kay
	chown 1000:1000 $u $u/cgroup.procs $u/cgroup.subtree_control $u/cgroup.threads
	conf '.linux.cgroupsPath = "/kay/c1" | .linux.namespaces |= map(select(.type != "network")) | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings |
		.mounts |= map(select(.type != "sysfs") | .options |= (. // []) | .options |= map(select(startswith("gid=") | not))) |
		.linux.resources = {memory: {limit: 33554432}, pids: {limit: 7}, cpu: {shares: 512}}' 'cat /proc/self/cgroup; sleep 1000'
	as_kay() {
		bash -c 'echo $$ >'$u'/shell/cgroup.procs; exec setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=/run/t/kay HOME=/ "$@"' \
			bash "$BERTH" --root $T/kay/root "$@" </dev/null
	}
	as_kay run -d -b $T/berth c >$T/out 2>&1 || { cat $T/out; return 1; }
	values $u/c1 memory.max pids.max cpu.weight >$T/v
	expect $'memory.max: 33554432\npids.max: 7\ncpu.weight: 20' "$(<$T/v)"
	as_kay update --pids-limit 8 c
	values $u/c1 pids.max
	as_kay pause c
	as_kay resume c
	as_kay exec c true
	as_kay kill --all c KILL
	until_ 60 '[[ "$(as_kay state c)" == *stopped* ]]'
	as_kay delete c
	[ ! -e $u/c1 ]
}

test_killed_in_the_middle_delete_leaves_nothing() {
	conf . true
	for pause in 0.01 0.03 0.05 0.08; do
		killed_after $pause
	done
}
