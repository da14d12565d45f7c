#!/usr/bin/env bats
# ctl_flags.bats: flags of berthctl(1), and sentences of it, that no other test is about.

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

@test "ctl: --debug, --namespace and --json before the verb; help behind it" {
	ctl -n one create -f "$DOC" c
	json 0 ctl --namespace one --json list
	is 'map(.Id) == ["c"]'
	json 0 ctl --json list -n two
	is '. == []'
	said 0 ctl --debug -n one list -q
	expect_in HcsEnumerateComputeSystems
	expect c "$(ctl --debug -n one list -q 2>/dev/null)"
	expect "$(ctl list --help)" "$(ctl list -h)"
	said 0 ctl -h
	expect "$(ctl --help)"
	said 0 ctl -v
	expect "$(ctl --version)"
}

# A call of every verb, and one that fails: the exit status of each.
@test "ctl: --json: every verb writes one document, also where it fails" {
	local verb good bad call want args

	echo text >"$BATS_TEST_TMPDIR/h"
	cat >"$BATS_TEST_TMPDIR/table" <<-END
		create     | 0 -f $DOC c             | 1 -f $DOC c
		start      | 0 c                     | 1 none
		pause      | 0 c                     | 1 none
		resume     | 0 c                     | 1 none
		modify     | 0 -m 64m c              | 1 -m 64m none
		exec       | 0 c true                | 1 none true
		console    | 0 c true                | 1 none
		write      | 0 c $BATS_TEST_TMPDIR/h /tmp/f | 1 none $BATS_TEST_TMPDIR/h /tmp/f
		read       | 0 c /tmp/f $BATS_TEST_TMPDIR/back | 1 none /tmp/f $BATS_TEST_TMPDIR/back
		share      | 0 c /tmp /shared        | 1 none /tmp /shared
		list       | 0                       | 64 none
		inspect    | 0 c                     | 1 none
		ps         | 0 c                     | 1 none
		stats      | 0 c                     | 1 none
		top        | 0 c                     | 1 none
		events     | 0 c                     | 64 c c
		operations | 0 c                     | 1 none
		stacks     | 0 c                     | 1 none
		status     | 0                       | 64 none
		kill       | 0 c CONT                | 1 none
		shutdown   | 0 c                     | 1 none
		wait       | 0 c                     | 1 none
		terminate  | 0 c                     | 1 none
		rm         | 0 c                     | 1 none
		run        | 0 --rootfs $ROOTFS -- true | 1 --rootfs /none -- true
		validate   | 0 $DOC                  | 1 /none
	END
	expect "$(ctl completion | grep -vxE -- '-.*|help' | sort)" "$(awk '{ print $1 }' "$BATS_TEST_TMPDIR/table" | sort)"
	while IFS='|' read -r verb good bad; do
		for call in "$good" "$bad"; do
			read -r want args <<<"$call"
			# shellcheck disable=SC2086
			json "$want" ctl $verb --json $args </dev/null || { echo "$verb $call"; return 1; }
			[ "$want" = 0 ] || is '.Error < 0 and has("ErrorName") and (.ErrorMessage | length > 0)'
		done
	done <"$BATS_TEST_TMPDIR/table"
}

@test "ctl: run: what the flags are without a value of ours: host name, network, owner, a shell" {
	expect c "$(ctl run --rootfs "$ROOTFS" c hostname)"
	for net in '' '--net none'; do
		# shellcheck disable=SC2086
		expect lo "$(ctl run --rootfs "$ROOTFS" $net -- ls /sys/class/net)"
	done
	said 0 ctl run --rootfs "$ROOTFS" --net "/proc/1/ns/net" -- readlink /proc/self/ns/net
	expect "$(ns readlink /proc/1/ns/net)"
	said 1 ctl run --rootfs "$ROOTFS" --net nosuch -- true
	expect_in "'/run/netns/nosuch': no such file or directory"
	mkdir -p "$IT_OUT/shared"
	echo there >"$IT_OUT/shared/file"
	said 1 ctl run --rootfs "$ROOTFS" --mount "src=$IT_OUT/shared,dst=/shared,ro" --mount "$IT_OUT/shared/file:/file" -- \
		sh -c 'cat /shared/file /file; touch /shared/new'
	expect_in $'there\nthere'
	expect_in 'Read-only file system'
	expect typed "$(echo 'echo typed' | ctl run --rootfs "$ROOTFS" -i c)"
	said 0 ctl run --rootfs "$ROOTFS" -d c
	json 0 ctl inspect --json c
	is '.Owner == "berthctl"'
}

@test "ctl: limits of run and modify are those of the cgroup" {
	pid=
	value() { # CONTROLLER V1 V2
		local at

		at=$(ns sed -n "s/^[0-9]*:\(.*,\)\?$1\(,.*\)\?:/\/sys\/fs\/cgroup\/$1/p" "/proc/$pid/cgroup")
		[ -n "$at" ] && ns cat "$at/$2" || ns cat "/sys/fs/cgroup$(ns sed -n 's/^0:://p' "/proc/$pid/cgroup")/$3"
	}
	ctl run --rootfs "$ROOTFS" --memory 2g --cpus 1.5 -d c -- sleep 100
	pid=$(ctl ps --json c | jq '.[0].ProcessId')
	expect 2147483648 "$(value memory memory.limit_in_bytes memory.max)"
	quota() {
		value cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1
	}
	expect 150000 "$(quota)"
	ctl modify --cpus 0.5 c
	expect 50000 "$(quota)"
	ctl modify --memory 1g c
	expect 1073741824 "$(value memory memory.limit_in_bytes memory.max)"
	before=$(value cpu cpu.shares cpu.weight)
	ctl modify --cpu-weight 10000 c
	[ "$(value cpu cpu.shares cpu.weight)" -gt "$before" ]
	ctl modify --cpu-weight 5000 c
	expect "$before" "$(value cpu cpu.shares cpu.weight)"
}

# told SIGNAL: a process that says it when it gets that, and ends with 9; its pid.
told() {
	rm -f "$ROOTFS/tmp/ready" "$ROOTFS/tmp/got"
	ctl exec -d c -- sh -c "trap 'echo $1 >/tmp/got; exit 9' $1; : >/tmp/ready; while :; do sleep 0.05; done"
	it_until 10 '[ -e "$ROOTFS/tmp/ready" ]'
}

@test "ctl: shutdown -s: who looks sees the same end as who asked" {
	# One that the signal kills, which needs the host's pid namespace, and one that catches it.
	own_document sh -c 'trap : USR1; while :; do sleep 0.1; done' |
		jq 'del(.Container.OciSpecification.linux.namespaces[] | select(.type == "pid"))' >"$OWN"
	for signal in USR2 HUP; do
		ctl create -f "$OWN" c
		ctl start c
		it_trapped "$(ctl_pid)" 10 # USR1
		ctl wait --json c >"$BATS_TEST_TMPDIR/other" &
		it_until 30 'ns_left | grep -q "wait --json c"'
		json 0 ctl shutdown -s "$signal" c --json
		wait $!
		json 0 cat "$BATS_TEST_TMPDIR/other"
		is '.ExitType == "GracefulExit" and (.Attribution | map(.SystemExit.Initiator) | index("Client")) != null'
		json 0 ctl wait --json c
		is '.ExitType == "GracefulExit"'
		ctl rm c
		own_document sh -c 'trap : USR1; trap "exit 4" HUP; while :; do sleep 0.1; done' >"$OWN"
	done
}

@test "ctl: shutdown -s: another signal; kill: by number and by Windows' names" {
	ctl_make Running
	told USR1 >"$BATS_TEST_TMPDIR/pid"
	said 0 ctl shutdown --signal USR1 c
	expect Stopped "$(ctl_state)"
	expect USR1 "$(cat "$ROOTFS/tmp/got")"
	json 0 ctl wait --json c
	is '.ExitType == "GracefulExit"'
	ctl_make Running
	said 1 ctl shutdown -s NOSUCH c
	expect "berthctl: shutdown c: options: line 1: /Signal: unknown signal 'NOSUCH'"
	expect Running "$(ctl_state)"
	for pair in INT:CtrlC QUIT:CtrlBreak HUP:CtrlClose TERM:CtrlShutdown HUP:1 USR2:SIGUSR2 USR2:usr2; do
		told "${pair%:*}" >"$BATS_TEST_TMPDIR/pid"
		pid=$(cat "$BATS_TEST_TMPDIR/pid")
		said 0 ctl kill -p "$pid" -s "${pair#*:}" c
		said 0 ctl wait --pid "$pid" --timeout 20 c
		expect 'ended: code 9'
		expect "${pair%:*}" "$(cat "$ROOTFS/tmp/got")"
	done
	pid=$(ctl exec -d c -- sleep 100)
	said 0 ctl kill --pid "$pid" c
	said 0 ctl wait -p "$pid" -t 1m30s c
	expect 'ended: signal 9'
	expect Running "$(ctl_state)"
}

@test "ctl: wait: memory that ran out is told" {
	own_document tail /dev/zero >"$OWN"
	jq '.Container.OciSpecification.linux.resources.memory = {limit: 16777216, swap: 16777216}' "$OWN" >"$OWN.new"
	ctl run -d -f "$OWN.new" c
	said 0 ctl wait c
	expect_in 'signal 9'
	expect_in 'memory'
}

@test "ctl: console: user, directory, variables" {
	ctl_make Running
	said 0 ctl console -u kay -w /tmp -e A=b c sh -c 'id -un; pwd; echo $A' </dev/null
	expect $'kay\r\n/tmp\r\nb\r'
	json 4 ctl console --json c sh -c 'tty; echo err >&2; exit 4' </dev/null
	is '.ExitCode == 4 and .StdOut == "/dev/pts/0\r\nerr\r\n" and has("StdErr") == false'
	json 3 on_tty ns timeout --foreground 60 "$CTL" console --json c sh -c 'stty size; exit 3'
	is '.StdOut == "33 99\r\n"'
	json 0 ctl run --json -t --rootfs "$ROOTFS" d echo there </dev/null
	is '.StdOut == "there\r\n"'
}

@test "ctl: exec --json: what is kept of the output: 16 MiB, and valid text" {
	ctl_make Running
	json 0 ctl exec --json c -- printf 'a\377b'
	is '.StdOut == "a\ufffdb"'
	ctl exec --json c -- sh -c 'head -c 17000000 /dev/zero | tr "\0" x; echo err >&2' >"$BATS_TEST_TMPDIR/out"
	expect '16777216 true err null' "$(jq -r '"\(.StdOut | length) \(.StdOutCut) \(.StdErr | rtrimstr("\n")) \(.StdErrCut)"' "$BATS_TEST_TMPDIR/out")"
}

@test "ctl: list: by name, as a document, of every namespace; stats, top and stacks of every namespace" {
	jq -n '{SystemType: "Container", Name: "called", Owner: "test",
		VolumePath: $root, HvPartition: false}' --arg root "$ROOTFS" >"$BATS_TEST_TMPDIR/v1.json"
	ctl create -f "$BATS_TEST_TMPDIR/v1.json" old
	ctl create -f "$DOC" new
	expect old "$(ctl list --quiet --name called)"
	json 0 ctl list --format json
	is 'map(.Id) | sort == ["new", "old"]'
	ctl run -n another --rootfs "$ROOTFS" -d far -- sleep 100
	said 0 ctl list --all-namespaces
	expect_in another
	json 0 ctl stats --all-namespaces --json
	is 'map(.Id) | index("far") != null'
	json 0 ctl top -A --json
	is 'map(.Id) | index("far") != null'
	json 0 ctl stacks -A --json
	is 'any(.SystemId == "far")'
	json 0 ctl stacks --json
	is 'all(.SystemId != "far")'
}

@test "ctl: attach is not there: what was started detached has its output nowhere, and console is beside it" {
	said 0 ctl run --rootfs "$ROOTFS" -dt c -- sh -c 'while :; do echo again; sleep 0.1; done'
	said 1 ctl attach c
	expect_in 'console'
	expect $'beside\r' "$(ctl console c echo beside </dev/null)"
	json 0 ctl list --json
	is '.[0].State == "Running"'
}
