#!/usr/bin/env bats
# life_quick.bats: what berth has beyond runc: run --rootfs with its flags and
# default seccomp profile, --dry-run, preserved fds, socket activation.

load lib.bash
load life_lib.bash

setup_file() {
	it_need busybox python3
	it_world
	life_up
}

teardown_file() {
	RT=berth life_gone
	it_end
}

setup() {
	RT=berth
}

# quick FLAG… -- COMMAND…
quick() {
	local flags=()

	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	rt run --rootfs "$IT_OUT/rootfs" --cgroup-path "$IT_CG/quick" "${flags[@]}" c "$@"
}

@test "quick: runs a command, ends with its code, leaves nothing" {
	[ "$(quick -- echo hello)" = hello ]
	rc=0
	quick -- sh -c 'exit 6' || rc=$?
	[ "$rc" = 6 ]
	[ -z "$(rt list -q)" ]
	[ -z "$(it_cgroup_dirs "$IT_CG/quick")" ]
}

@test "quick: user, directory, environment, host name" {
	FROM_OUTSIDE=seen quick --user 5:6 --cwd /tmp -e A=1 -e PATH=/bin -e FROM_OUTSIDE -e UNSET_ONE --hostname there -- \
		sh -c 'id -u; id -g; pwd; echo $A $PATH $FROM_OUTSIDE ${UNSET_ONE-none}; hostname' >"$BATS_TEST_TMPDIR/out"
	expect $'5\n6\n/tmp\n1 /bin seen none\nthere' "$(cat "$BATS_TEST_TMPDIR/out")"
	expect c "$(quick -- hostname)"
}

@test "quick: limits" {
	quick --memory 32m --cpus 0.5 --pids 17 -- sh -c '
		cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max \
			/sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null ||
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max' >"$BATS_TEST_TMPDIR/out"
	expect $'33554432\n17\n50000' "$(sed 's/ .*//' "$BATS_TEST_TMPDIR/out")"
}

@test "quick: read-only root and mounts" {
	ns mkdir -p "$IT/shared"
	ns sh -c "echo there >$IT/shared/file"
	out=$(quick --read-only --mount "$IT/shared:/data" --mount "$IT/shared:/mnt:ro" \
		--mount "type=tmpfs,dst=/tmp,size=1m" --mount "type=bind,src=$IT/shared,dst=/home,readonly" -- sh -c '
		touch /x 2>/dev/null || echo read-only
		cat /data/file; touch /data/new && echo written
		touch /mnt/x 2>/dev/null || echo mnt read-only
		touch /home/x 2>/dev/null || echo home read-only
		df -k /tmp | tail -n 1 | tr -s " " | cut -d" " -f2')
	expect $'read-only\nthere\nwritten\nmnt read-only\nhome read-only\n1024' "$out"
	ns test -e "$IT/shared/new"
}

@test "quick: network: none has a loopback alone, host is the host's" {
	expect lo "$(quick -- ls /sys/class/net)"
	own=$(ns readlink /proc/self/ns/net)
	expect "$own" "$(quick --net host -- readlink /proc/self/ns/net)"
}

@test "quick: the default profile of seccomp: what a shell needs, no more" {
	out=$(quick -- sh -c 'grep ^Seccomp: /proc/self/status; unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; sh -c "echo child"')
	expect_in $'Seccomp:\t2' "$out"
	expect_in 'Operation not permitted' "$out"
	expect_in child "$out"
	[ -n "${UNDER_BERTH:-}" ] || # which has a filter of its own
		expect $'Seccomp:\t0' "$(quick --seccomp unconfined -- grep ^Seccomp: /proc/self/status)"
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":5}]}' |
		ns tee "$IT/profile.json" >/dev/null
	expect_in 'Input/output error' "$(quick --seccomp "$IT/profile.json" --mount type=tmpfs,dst=/tmp -- mkdir /tmp/x 2>&1 || true)"
}

@test "quick: --dry-run prints a plan and makes nothing" {
	expect_in 'host name' "$(quick --dry-run -- true | sed 's/hostname/host name/')"
	quick --dry-run --json -- true | python3 -c '
import json, sys
p = json.load(sys.stdin)
assert p["id"] == "c" and p["steps"], p'
	rt create --dry-run -b "$IT/berth" c | grep -q "^container: c"
	[ -z "$(rt list -q)" ]
	[ -z "$(it_cgroup_dirs "$IT_CG/quick")" ]
	[ -z "$(it_cgroup_dirs "$IT_CG/berth")" ]
}

# fds FLAGS: what the container sees when fds 3 and 4 are open files of ours.
fds() {
	$IT_ENTER -- sh -c 'exec 3<"$1/data/seed" 4<"$1/etc/group" 5</dev/null 6</dev/null; shift; exec "$@"' sh \
		"$IT_OUT/rootfs" "$BERTH" --root "$IT/berth/root" run --rootfs "$IT_OUT/rootfs" \
		--cgroup-path "$IT_CG/quick" "$@"
}

@test "quick: no fd gets in but those that are preserved" {
	list='for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done'
	expect $'0\n1\n2' "$(fds c sh -c "$list")"
	expect $'0\n1\n2\n3\n4' "$(fds --preserve-fds 2 c sh -c "$list")"
	expect seed "$(fds --preserve-fds 1 c sh -c 'cat <&3')"
	rc=0
	out=$(rt run --rootfs "$IT_OUT/rootfs" --preserve-fds 9 c true 2>&1 8>&-) || rc=$?
	[ "$rc" = 1 ]
	expect_in 'bad file descriptor' "$out"
}

@test "quick: socket activation is passed on" {
	out=$($IT_ENTER -- sh -c 'exec 3<"$1/data/seed"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' sh \
		"$IT_OUT/rootfs" "$BERTH" --root "$IT/berth/root" run --rootfs "$IT_OUT/rootfs" \
		--cgroup-path "$IT_CG/quick" c sh -c 'echo $LISTEN_FDS $LISTEN_PID; cat <&3')
	expect $'1 1\nseed' "$out"
}

@test "quick: a command only with --rootfs" {
	rc=0
	out=$(rt run -b "$IT/berth" c true 2>&1) || rc=$?
	[ "$rc" = 1 ]
	expect_in 'only with --rootfs' "$out"
}
