#!/usr/bin/env bats
# spec_cgroup.bats: linux.resources on cgroup v1, read back and compared with
# runc; devices, a small memory limit, update, pause, kill --all, events.
# bats file_tags=sansoak,long

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
}

teardown_file() {
	spec_down
}

# values FILE…: of the container's cgroups, whichever runtime made them.
values() {
	local f

	for f; do
		echo "$f: $(ns sh -c 'cat "$0"' "/sys/fs/cgroup/${f%%/*}$IT_CG/$RT/${f#*/}" 2>&1 | sort | tr '\n' ' ')"
	done
}

FILES='cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.rt_runtime_us cpuset/cpuset.cpus cpuset/cpuset.mems
memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.swappiness
memory/memory.oom_control pids/pids.max blkio/blkio.weight blkio/blkio.bfq.weight blkio/blkio.throttle.read_bps_device
blkio/blkio.throttle.write_iops_device hugetlb/hugetlb.2MB.limit_in_bytes net_cls/net_cls.classid devices/devices.list'

read_back() {
	up || return 1
	# shellcheck disable=SC2086
	values $FILES | sed 's/oom_kill [0-9]* //'
	gone c
}

@test "cgroup: every limit, read back" {
	conf 'l["resources"].update({"cpu": {"shares": 300, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432, "swappiness": 10},
"pids": {"limit": 55}})' 'exec sleep 600'
	both read_back
	expect_in 'cpu.shares: 300'
	expect_in 'memory.limit_in_bytes: 67108864'
	expect_in 'pids.max: 55'
	expect_in 'cpuset.cpus: 0 '
}

@test "cgroup: disks" {
	local disk

	disk=$(awk '$1 ~ /^[0-9]/ { print $1 ":" $2; exit }' /proc/partitions)
	disk="\"major\": ${disk%:*}, \"minor\": ${disk#*:}"
	conf 'l["resources"]["blockIO"] = {"throttleReadBpsDevice": [{'"$disk"', "rate": 1048576}],
"throttleWriteIOPSDevice": [{'"$disk"', "rate": 99}]}' 'exec sleep 600'
	both read_back
}

@test "cgroup: no limits, no resources at all" {
	conf 'l.pop("resources")' 'exec sleep 600'
	both read_back
	conf 'l["resources"].update({"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1}})' 'exec sleep 600'
	both read_back
}

@test "cgroup: devices by list" {
	conf 'l["resources"]["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"},
{"allow": True, "type": "c", "major": 5, "access": "r"}, {"allow": True, "type": "b", "access": "m"}]' 'exec sleep 600'
	both read_back
	expect_in 'b *:* m'
	same 'caps("CAP_MKNOD"); p["noNewPrivileges"] = False' 'mknod /tmp/n c 1 11; (: >/tmp/n) 2>&1; mknod /tmp/z c 1 5 && head -c 2 /tmp/z | wc -c; rm -f /tmp/n /tmp/z'
	expect_in 'Operation not permitted'
}

# The specification: devices that are listed MUST be available; runc forgets that it would have allowed these.
@test "cgroup: a default device that is listed is allowed, unless a rule speaks of it" {
	local list='l["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}]; l["resources"]["devices"] = [{"allow": False, "access": "rwm"}'

	ours "$list]" 'head -c 2 /dev/zero | wc -c; echo >/dev/zero'
	[ "$status" = 0 ]
	expect 2
	same "$list"', {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}]' 'head -c 2 /dev/zero | wc -c; (: >/dev/zero) 2>&1'
	expect_in 'Operation not permitted'
	same "$list"', {"allow": False, "type": "c", "major": 1, "minor": 5, "access": "rwm"}]' '(: </dev/zero) 2>&1'
	expect_in 'Operation not permitted'
}

@test "cgroup: what the kernel refuses names the field" {
	refused_by_both /linux/resources/cpu 'l["resources"]["cpu"] = {"cpus": "777"}' true
	refused_by_both /linux/resources/memory 'l["resources"]["memory"] = {"limit": 67108864, "swap": 33554432}' true
	refused_by_both cpu 'l["resources"]["cpu"] = {"shares": 100, "quota": 5, "period": 100000}' true
	refused /linux/resources/memory/swappiness 'l["resources"]["memory"] = {"swappiness": 300}' true
	refused_by_both /linux/resources/devices 'l["resources"]["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 5, "access": "r"},
{"allow": False, "type": "c", "major": 5, "minor": 2, "access": "r"}]' true
	# This machine has no hugetlb controller.
	refused_by_both /linux/resources/hugepageLimits 'l["resources"]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4194304}]' true
}

# A sanitizer has memory of its own.
# bats test_tags=nosan
@test "cgroup: a container with 256 KiB of memory starts" {
	ours 'l["resources"]["memory"] = {"limit": 262144}; p["args"] = ["/bin/true"]'
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	conf 'l["resources"]["memory"] = {"limit": 262144}; p["args"] = ["/bin/sleep", "600"]'
	up
	[ "$(values memory/memory.limit_in_bytes)" = 'memory/memory.limit_in_bytes: 262144 ' ]
	gone c
}

@test "cgroup: the limits hold: memory and pids" {
	same 'l["resources"]["memory"] = {"limit": 8388608, "swap": 8388608}' 'exec tail -c 50000000 /dev/zero'
	[ "$status" = 137 ]
	same 'l["resources"]["pids"] = {"limit": 4}' 'for i in 1 2 3 4 5 6; do sleep 3 & done'
	expect_in fork
}

@test "cgroup: update, read back" {
	updated() {
		up || return 1
		rt update --memory 128m --memory-swap 256m --memory-reservation 64m --cpu-share 500 --cpu-period 50000 --cpu-quota 20000 \
			--cpuset-cpus 0 --pids-limit 77 c
		echo "exit $?"
		# shellcheck disable=SC2086
		values $FILES | sed 's/oom_kill [0-9]* //'
		ns sh -c 'echo "{\"memory\": {\"limit\": 33554432}, \"cpu\": {\"shares\": 128}}" >/run/it/r.json'
		rt update -r /run/it/r.json c
		echo "exit $?"
		# shellcheck disable=SC2086
		values $FILES | sed 's/oom_kill [0-9]* //'
		rt update --memory 1k c >/dev/null 2>&1
		echo "exit $?"
		gone c
	}
	conf 'l["resources"]["memory"] = {"limit": 67108864}' 'exec sleep 600'
	both updated
	expect_in 'pids.max: 77'
	expect_in 'memory.limit_in_bytes: 33554432'
}

@test "cgroup: pause and resume" {
	paused() {
		local n

		up || return 1
		rt pause c
		rt state c | grep status
		values freezer/freezer.state
		n=$(wc -c <"$IT_OUT/rootfs/tmp/count-$RT")
		sleep 0.3
		[ "$(wc -c <"$IT_OUT/rootfs/tmp/count-$RT")" = "$n" ] && echo frozen
		rt exec c true >/dev/null 2>&1
		echo "exec $?"
		rt resume c
		rt state c | grep status
		it_until 30 "[ \$(wc -c <'$IT_OUT/rootfs/tmp/count-$RT') -gt $n ]" && echo goes on
		rt pause c
		rt delete -f c
		echo "delete $?"
	}
	conf 'p["env"].append("RT=" + rt)' 'while :; do echo -n x >>/tmp/count-$RT; usleep 20000; done'
	both paused
	expect_in frozen
	expect_in 'goes on'
}

@test "cgroup: exec --ignore-paused goes on when the container is resumed" {
	local pid rc=0

	RT=berth
	conf '' 'exec sleep 600'
	up
	rt pause c
	rt exec --ignore-paused c sh -c 'exit 5' >/dev/null 2>&1 &
	pid=$!
	sleep 1
	kill -0 "$pid"
	rt resume c
	wait "$pid" || rc=$?
	expect 5 "$rc"
	gone c
}

@test "cgroup: kill --all, and delete --force, reach every process" {
	killed() {
		local n

		up || return 1
		it_until 30 "[ \$(rt ps -f json c | tr ',' '\n' | grep -c .) = 4 ]"
		rt kill --all c USR1
		sleep 0.2
		rt kill --all c KILL
		echo "kill $?"
		it_until 30 'rt state c | grep -q stopped'
		values pids/cgroup.procs
		rt delete c
		up || return 1
		rt delete --force c
		echo "delete $?"
		it_until 30 "[ -z \"\$(it_cgroup_dirs '$IT_CG/$RT')\" ]" && echo gone
	}
	conf '' 'trap "" USR1; for i in 1 2 3; do sleep 600 & done; wait; wait; exec sleep 600'
	both killed
	expect_in 'kill 0'
	expect_in gone
}

@test "cgroup: events --stats has the same keys" {
	stats() {
		up || return 1
		rt events --stats c | jq -r '[paths(type == "number") | map(select(type == "string")) | join(".")] | unique[]' | grep -v 'raw\|percpu\|hugetlb'
		gone c
	}
	conf '' 'exec sleep 600'
	both stats
	expect_in memory
}

@test "cgroup: events tells of an OOM kill while it runs" {
	ooms() {
		up || return 1
		: >"$IT_OUT/events.$RT"
		rt events --interval 60s c >"$IT_OUT/events.$RT" 2>&1 &
		# As often as it takes for the watcher to be there.
		for _ in 1 2 3 4 5 6 7 8; do
			rt exec c tail -c 50000000 /dev/zero >/dev/null 2>&1
			it_wait 30 grep -q oom "$IT_OUT/events.$RT" && echo told && break
		done
		gone c
		wait $!
		grep -o '"type":"oom","id":"c"' "$IT_OUT/events.$RT" | head -n 1
	}
	conf 'l["resources"]["memory"] = {"limit": 8388608, "swap": 8388608}' 'exec sleep 600'
	both ooms
	expect_in told
}

@test "cgroup: an OOM kill of the first process is still told at its end" {
	conf 'l["resources"]["memory"] = {"limit": 8388608, "swap": 8388608}' 'exec tail -c 50000000 /dev/zero'
	RT=berth
	rt create -b "$(bundle)" c >/dev/null 2>&1
	rt events --interval 60s c >"$IT_OUT/events" 2>&1 &
	sleep 2
	rt start c
	it_until 30 'rt state c | grep -q stopped'
	it_wait 30 grep -q '"type":"oom","id":"c"' "$IT_OUT/events"
	gone c
	wait $!
}

@test "cgroup: a path of its own, a nested one, none at all" {
	where() {
		go | cut -d: -f3 | sort -u
	}
	conf 'ns("cgroup", new=False); l["cgroupsPath"] += "/a/b"' 'grep "memory\|pids" /proc/self/cgroup'
	both where
	expect_in /a/b
}

# No machine that tests this has resctrl: a directory with the files of one stands in for it, in a
# mount namespace where /sys/fs is ours. A group of the administrator's is used, and never removed.
@test "cgroup: intelRdt: the group is joined, update writes its schemata" {
	conf 'c["linux"]["intelRdt"] = {"closID": "gold"}; c["linux"]["cgroupsPath"] += "-rdt"' 'exec sleep 600'
	SPEC_SUFFIX=-d conf 'c["linux"]["cgroupsPath"] += "-rdt"' true
	cat >"$BATS_TEST_TMPDIR/rdt" <<-'SH'
		set -e
		exec 2>&1
		berth=$1 root=$2 bundle=$3 cg=$(mktemp -d)
		mount --rbind /sys/fs/cgroup "$cg"
		mount -t tmpfs tmpfs /sys/fs
		mkdir -p /sys/fs/cgroup /sys/fs/resctrl/info/L3 /sys/fs/resctrl/gold
		mount --rbind "$cg" /sys/fs/cgroup
		umount -R "$cg"
		rmdir "$cg"
		cd /sys/fs/resctrl
		touch schemata gold/tasks gold/schemata
		"$berth" --root "$root" run -d -b "$bundle" c </dev/null >"$root.said" 2>&1 || { cat "$root.said"; exit 1; }
		"$berth" --root "$root" state c | grep -qw "\"pid\": $(cat gold/tasks)" && echo joined
		"$berth" --root "$root" update --l3-cache-schema 'L3:0=f' c && cat gold/schemata
		"$berth" --root "$root" update --mem-bw-schema 'MB:0=50' c 2>&1 | grep -o 'memory bandwidth.*'
		"$berth" --root "$root" delete -f c && ls
		# Without intelRdt nothing there is touched.
		touch -d 2001-01-01 . gold gold/tasks gold/schemata schemata
		"$berth" --root "$root" run -b "$bundle-d" c </dev/null 2>&1
		find . ! -newermt 2001-01-02 ! -path './info*' | wc -l
	SH
	RT=berth
	ns mkdir -p "$IT/berth"
	output=$(ns unshare -m --propagation private sh "$BATS_TEST_TMPDIR/rdt" "$BERTH" "$IT/berth/root" "$(bundle)" 2>&1) || echo "ended with $?"
	expect 'joined
L3:0=f
memory bandwidth schema is not enabled"
gold
info
schemata
5'
}

@test "cgroup: without a path: below /berth, which goes with the last container in it" {
	RT=berth
	conf 'del l["cgroupsPath"]; ns("cgroup", new=False)' 'grep pids /proc/self/cgroup | cut -d: -f3; exec sleep 600'
	up
	expect "/berth/c" "$(ns grep :pids: "/proc/$(pid_of)/cgroup" | cut -d: -f3)"
	expect "two" "$(rt run --rootfs "$IT_OUT/rootfs" two sh -c 'echo two' 2>&1)"
	[ -d /sys/fs/cgroup/pids/berth/c ] && [ ! -e /sys/fs/cgroup/pids/berth/two ]
	gone c
	expect '' "$(find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -name berth)"
}
