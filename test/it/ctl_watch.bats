#!/usr/bin/env bats
# ctl_watch.bats: what berthctl shows: list, inspect, ps, stats, top, events,
# operations, stacks, status. Tables for people, one document with --json.

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

# A column of the table in $output: its values, below its title.
column() {
	awk -F '   +' -v title="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == title) at = i; next } at { print $at }' <<<"$output"
}

@test "ctl: list: every state, filters, ids, hcsdiag's lines" {
	ctl create -f "$DOC" one
	ctl run --rootfs "$ROOTFS" --owner me -d two -- sleep 100
	ctl run --rootfs "$ROOTFS" -d three -- sleep 100
	ctl pause three
	said 0 ctl list
	expect 'ID      STATE     TYPE        OWNER      EXIT' "$(head -n 1 <<<"$output")"
	expect $'Created one\nPaused three\nRunning two' "$(paste -d' ' <(column STATE) <(column ID) | sort)"
	json 0 ctl list --json
	is 'map("\(.Id) \(.State) \(.Owner) \(.SystemType)") | sort ==
		["one Created test Container", "three Paused berthctl Container", "two Running me Container"]'
	expect one "$(ctl list -q --state created)"
	expect two "$(ctl list -q --owner me)"
	expect $'one\nthree\ntwo' "$(ctl list -q | sort)"
	said 0 ctl list --format hcsdiag --owner me
	expect $'two\n    Container, \tRunning, \ttwo, \tme'
	said 0 ctl list --state nosuch --json
	expect '[]'
	said 64 ctl list --format nosuch
}

@test "ctl: names of a container's make are no escape sequences of ours" {
	ctl_make Running
	ctl exec -d c -- sh -c 'printf "sl\033[31mep" >/proc/self/comm; while :; do sleep 100; done' >/dev/null
	it_until 30 'ctl ps c | grep -q "31mep"'
	for verb in ps 'top' stacks; do
		said 0 ctl $verb c
		[[ $output != *$'\033'* ]]
	done
	json 0 ctl ps --json c
	is 'map(.ImageName) | any(contains("\u001b"))'
}

@test "ctl: inspect: what is known, in every state" {
	ctl create -f "$DOC" c
	json 0 ctl inspect --json c
	is '.Id == "c" and .State == "Created" and .RuntimeOsType == "Linux"'
	ctl start c
	said 0 ctl inspect c
	expect_in 'Statistics.Memory.MemoryUsageCommitBytes'
	[[ $output =~ State\ +Running ]]
	ctl terminate c
	json 0 ctl inspect --json c
	is '.State == "Stopped" and .ExitType == "ForcedExit"'
}

@test "ctl: ps: every process" {
	ctl_make Running
	pid=$(ctl exec -d c -- sleep 100)
	said 0 ctl ps c
	expect_in 'PID'
	expect "sleep" "$(paste -d' ' <(column PID) <(column PROGRAM) | sed -n "s/^$pid //p")"
	json 0 ctl ps --json c
	is 'any(.ProcessId == '"$pid"' and .ImageName == "sleep" and .MemoryCommitBytes > 0)'
	ctl terminate c
	json 0 ctl ps --json c
	is '. == []'
}

@test "ctl: stats: what systems use; one that is gone is an error, one that stopped is not" {
	ctl_make Running
	ctl run --rootfs "$ROOTFS" -d other -- sleep 100
	ctl exec -d c -- sh -c 'while :; do :; done' >/dev/null
	sleep 1
	said 0 ctl stats
	expect $'c\nother' "$(column ID)"
	awk -v use="$(column 'CPU %' | head -n 1)" 'BEGIN { exit !(use > 5) }'
	json 0 ctl stats --json c
	is 'length == 1 and .[0].Id == "c" and .[0].CpuPercent > 5 and .[0].ProcessCount == 2 and
		.[0].Statistics.Memory.MemoryUsageCommitBytes > 0'
	ctl terminate c
	json 0 ctl stats --json c other
	is 'map(.State) == ["Stopped", "Running"]'
	said 1 ctl stats nosuch
	expect 'berthctl: stats nosuch: no such compute system'
	expect other "$(ctl stats --json | jq -r '.[].Id')"
}

@test "ctl: stats --watch: a system that has the name of one that was removed is another" {
	ctl_make Running
	ns "$CTL" stats --watch --interval 200ms --count 50 --json >"$BATS_TEST_TMPDIR/out" &
	local pid=$!
	it_until 30 'grep -q Running "$BATS_TEST_TMPDIR/out"'
	ctl_make Running
	wait $pid
	expect Running "$(jq -r '.[0][0].State' "$BATS_TEST_TMPDIR/out")"
	expect Running "$(jq -r '.[-1][0].State' "$BATS_TEST_TMPDIR/out")"
}

@test "ctl: stats --watch, top: in place on a terminal, else one below the other; one list with --json" {
	ctl_make Running
	ctl exec -d c -- sh -c 'while :; do :; done' >/dev/null
	said 0 ctl stats --watch --count 3 --interval 200ms
	expect 3 "$(grep -c '^ID' <<<"$output")"
	[[ $output != *$'\033'* ]]
	json 0 ctl stats --watch --count 3 --interval 200ms --json
	is 'length == 3 and all(.[0].Id == "c")'
	# shellcheck disable=SC2016
	json 0 told INT 'sleep 2' stats --watch --interval 200ms --json
	is 'length > 1'
	said 0 ctl top
	expect_in '1 systems'
	expect c "$(sed 1,2d <<<"$output" | { output=$(cat); column ID; })"
	json 0 ctl top --json --count 2 --interval 300ms c
	is 'length == 2 and .[1][0].ImageName == "sh" and .[1][0].CpuPercent > 5'
	said 0 ctl top c
	expect 'sh' "$(column PROGRAM | head -n 1)"
	output=$(on_tty ns timeout --foreground 60 "$CTL" top --count 2 --interval 200ms)
	expect_in $'\033[2J\033[H'
	expect_in $'\033[J\033[H'
	output=$(on_tty ns timeout --foreground 60 "$CTL" stats --watch --count 2 --interval 200ms)
	expect_in $'\033[K'
}

# It counts on how long things take.
# bats test_tags=nosan
@test "ctl: events: what is kept, in order, and what comes" {
	ctl run --rootfs "$ROOTFS" -d kept -- sleep 100
	ctl run --rootfs "$ROOTFS" -d other -- sleep 100
	ctl exec kept sh -c 'exit 3' || true
	ctl pause kept
	ctl resume kept
	json 0 ctl events --json kept
	is 'map(.Event) == ["Created", "Started", "ProcessCreated", "ProcessStarted", "ProcessExited", "Paused", "Resumed"]'
	is 'all(.SystemId == "kept") and (map(select(.Event == "ProcessExited"))[0].ExitCode == 3)'
	json 0 ctl events --json
	is '(map(.Timestamp) | . == sort) and (map(.SystemId) | unique | contains(["kept", "other"]))'
	said 0 ctl events kept
	[[ $output =~ Z\ kept\ +Created ]]
	json 0 ctl events -n nosuch --json
	is '. == []'
	BERTH_NAMESPACE=nosuch json 0 ctl events --json
	is '. == []'
	ns "$CTL" events -f -A >"$BATS_TEST_TMPDIR/events" 3>&- 4>&- &
	follower=$!
	# It tells what happens from now on as soon as it tells anything.
	it_until 30 'ctl pause other; ctl resume other; grep -q Resumed "$BATS_TEST_TMPDIR/events"'
	ctl run -n another --rootfs "$ROOTFS" new -- true
	it_until 30 'grep -qE "another/new +Deleted" "$BATS_TEST_TMPDIR/events"'
	ns pkill -TERM -x berthctl
	wait "$follower" || true
	for event in Created Started ProcessExited Exited Deleted; do
		grep -qE "another/new +$event" "$BATS_TEST_TMPDIR/events" || { cat "$BATS_TEST_TMPDIR/events"; return 1; }
	done
	json 0 told INT 'sleep 2' events --follow --json
	is 'length > 5'
}

@test "ctl: events: of systems that are gone, for some minutes" {
	ctl run --rootfs "$ROOTFS" gone -- true
	ctl run -n another --rootfs "$ROOTFS" gone -- false || true
	ctl run --rootfs "$ROOTFS" -d here -- sleep 100
	json 0 ctl events --json gone
	is 'map(.Event) | sort == ["Created", "Deleted", "Exited", "ProcessCreated", "ProcessExited", "ProcessStarted", "Started"]'
	is '(.[0].Event == "Created") and (.[-1].Event == "Deleted") and (map(.Timestamp) | . == sort)'
	is 'all(.SystemId == "gone" and .Namespace == "default")'
	# Another of that name, of which only the later part is still to come: both, each once.
	ctl run --rootfs "$ROOTFS" -d gone -- sleep 100
	json 0 ctl events --json gone
	is '(map(select(.Event == "Created")) | length == 2) and (map(select(.Event == "Deleted")) | length == 1)'
	json 0 ctl events --json -A
	is '(map(.Timestamp) | . == sort) and any(.Namespace == "another" and .Event == "Deleted")'
	is 'any(.Namespace == "another" and .SystemId == "gone" and .Event == "ProcessExited" and .ExitCode == 1)'
	is 'any(.SystemId == "here" and .Event == "Started")'
	# One that was killed, shim and all, is told of by who cleans up.
	ctl run --rootfs "$ROOTFS" -d lost -- sleep 100
	ns kill -9 "$(ctl stacks lost --json | jq '.[0].Processes[] | select(.Role == "shim") | .ProcessId')"
	it_until 30 '! ctl list --quiet | grep -q lost'
	json 0 ctl events --json lost
	is 'map(.Event)[-2:] == ["Exited", "Deleted"]'
}

@test "ctl: events: since a cursor" {
	ctl run --rootfs "$ROOTFS" -d first -- sleep 100
	ctl run --rootfs "$ROOTFS" passed -- true
	ctl run -n another --rootfs "$ROOTFS" far -- true
	ctl pause first
	ctl events -A --json >"$BATS_TEST_TMPDIR/all"
	# From every one of them on it is what came after it.
	n=$(jq length "$BATS_TEST_TMPDIR/all")
	[ "$n" -gt 15 ]
	expect "$n" "$(jq 'map(.Cursor) | unique | length' "$BATS_TEST_TMPDIR/all")"
	for ((i = 0; i < n; i += 4)); do
		cursor=$(jq -r ".[$i].Cursor" "$BATS_TEST_TMPDIR/all")
		expect "$(jq -c ".[$((i + 1)):][]" "$BATS_TEST_TMPDIR/all")" "$(ctl events -A --json --since "$cursor" | jq -c '.[]')"
	done
	last=$(jq -r '.[-1].Cursor' "$BATS_TEST_TMPDIR/all")
	[[ $last =~ ^default/first/$(cat /proc/sys/kernel/random/boot_id)-[0-9]+/[0-9]+$ ]]
	json 0 ctl events -A --json --since "$last"
	is '. == []'
	# The cursor is one of all that there is, whatever is asked for.
	json 0 ctl events --json passed --since "$(jq -r '.[0].Cursor' "$BATS_TEST_TMPDIR/all")"
	is 'length == 7 and all(.SystemId == "passed")'
	# Then it goes on, or not. What is told as it comes may be repeated, from other systems, but nothing is left out.
	ctl events -f -A --json --timeout 10 --since "$last" >"$BATS_TEST_TMPDIR/on" &
	follower=$!
	sleep 1
	ctl resume first
	ctl run --rootfs "$ROOTFS" next -- true
	wait "$follower"
	expect 'first Resumed' "$(jq -r '.[0] | "\(.SystemId) \(.Event)"' "$BATS_TEST_TMPDIR/on")"
	[ "$(jq length "$BATS_TEST_TMPDIR/on")" -ge 8 ]
	jq -e 'all(.Cursor | endswith("~"))' "$BATS_TEST_TMPDIR/on"
	json 0 ctl events -A --json --since "$(jq -r '.[0].Cursor' "$BATS_TEST_TMPDIR/on")"
	expect "$(jq -c 'map(.Cursor)[1:] | map(.[:-1]) | sort' "$BATS_TEST_TMPDIR/on")" "$(jq -c 'map(.Cursor) | sort' <<<"$output")"
	json 0 ctl events -A --json --since "$(jq -r '.[-1].Cursor' "$BATS_TEST_TMPDIR/on")"
	is 'all(.SystemId == "first")' # a second before it
	# One that is not there, of another shim, of another boot.
	for bad in "${last%/*}/999" "default/nosuch/${last#default/first/}" "${last%-*}-999999/1" \
		"default/first/00000000-0000-0000-0000-000000000000-1/1"; do
		said 1 ctl events -A --since "$bad"
		expect "berthctl: --since: '$bad': there is no such event, or it is not kept any more"
	done
	json 1 ctl events -A -f --json --since "${last%/*}/999"
	is 'has("Error")'
}

@test "ctl: operations: what a shim is at" {
	# A file system that does not answer: the helper that is to open it waits.
	ns mkdir -p "$IT/hangs"
	ns python3 - "$IT/hangs" <<-'PY' &
		import ctypes, os, sys, time
		fd = os.open("/dev/fuse", os.O_RDWR)
		libc = ctypes.CDLL(None, use_errno=True)
		options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
		if libc.mount(b"hangs", sys.argv[1].encode(), b"fuse", 0, options.encode()):
		    sys.exit(os.strerror(ctypes.get_errno()))
		while not os.path.exists(sys.argv[1] + ".done"):
		    time.sleep(0.05)
	PY
	server=$!
	it_until 30 "ns grep -q ' $IT/hangs ' /proc/mounts"
	ctl_make Running
	said 0 ctl operations
	expect 'ID   OPERATION   AGE   PROCESS   WAITS IN'
	json 0 ctl operations --json c
	is '. == []'
	echo '{"ResourcePath":"Container/MappedDirectories","RequestType":"Add",
		"Settings":{"HostPath":"'"$IT"'/hangs/dir","ContainerPath":"/mnt/x"}}' >"$IT_OUT/add.json"
	ctl modify -f "$IT_OUT/add.json" c >/dev/null 2>&1 &
	asker=$!
	it_until 30 'ctl operations | grep -q "c    mount"' || { ctl operations; ctl stacks; false; }
	json 0 ctl operations --json c
	is '.[0].SystemId == "c" and .[0].Operation == "mount" and .[0].Age100ns >= 0 and .[0].WaitsIn != null'
	said 0 ctl stacks c
	expect_in "  helper "
	ns touch "$IT/hangs.done"
	wait "$server" "$asker" || true
	ns umount "$IT/hangs" || true
}

@test "ctl: operations: of systems that are being made, started and removed" {
	own_document sleep 100 >"$OWN"
	cat >"$IT_OUT/slow-runtime" <<-END
		#!/bin/sh
		case " \$* " in *" create "* | *" start "* | *" delete "*) until [ -e "$IT/go" ]; do sleep 0.05; done; rm "$IT/go" ;; esac
		exec "$BERTH" "\$@"
	END
	chmod 755 "$IT_OUT/slow-runtime"
	export BERTH_RUNTIME=$IT_OUT/slow-runtime
	shows() { # OPERATION: it is seen to be at work, on c, and by its name
		it_until 30 'ctl operations --json | grep -q "\"Operation\":\"'"$1"'\""' || { ctl operations; return 1; }
		json 0 ctl operations c --json
		is 'length == 1 and .[0].SystemId == "c" and .[0].Namespace == "default" and .[0].Operation == "'"$1"'"'
		json 0 ctl operations -n other --json
		is '. == []'
		said 0 ctl operations -A
		expect_in "default/c   $1 "
		ns touch "$IT/go"
	}
	ctl create -f "$OWN" c &
	shows create
	wait $!
	ctl start c &
	shows start
	wait $!
	ctl terminate c
	ctl rm c &
	shows delete
	wait $!
	json 0 ctl operations --json
	is '. == []'
}

@test "ctl: stacks: every process and its shim, where they are" {
	ctl_make Running
	ctl exec -d c -- sleep 100 >/dev/null
	# The shim may still be at what it was asked last.
	at_rest="shim [0-9]+ 'containerd-shim', state S, in [a-z_]*poll"
	it_until 30 'said 0 ctl stacks c && [[ $output =~ $at_rest ]]' || { echo "$output"; return 1; }
	expect_in 'c: Running'
	[[ $output =~ process\ [0-9]+\ \'sleep\',\ state\ S,\ in\ [a-z_]*nanosleep ]] || { echo "$output"; return 1; }
	expect_in '[<0>] do_syscall_64'
	json 0 ctl stacks --json
	is 'length == 1 and .[0].SystemId == "c" and (.[0].Processes | map(.Role)) == ["shim", "process", "process"] and
		(.[0].Processes | all(.KernelStack | length > 0))'
}

@test "ctl: status: the library and the systems" {
	ctl_make Running
	ctl run -n another --rootfs "$ROOTFS" -d new -- sleep 100
	said 0 ctl status
	[[ $output =~ Systems.Running\ +2 ]]
	json 0 ctl status --json
	is '.Settings.Namespace == "default" and .Settings.State == "'"$BERTH_STATE"'" and .Settings.HCSSHIM_TIMEOUT_SYSTEMSTART == 240'
	is '.Systems.Running == 2 and .Systems.Stopped == 0 and (.Basic.SupportedSchemaVersions | length) > 1 and .Version != null'
}
