#!/usr/bin/env bats
# ctl_life.bats: the life of a system by berthctl: each verb, in each state.

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

@test "ctl: create waits to be started, start runs it, terminate ends it, rm removes it" {
	said 0 ctl create -f "$DOC" c
	expect c
	expect Created "$(ctl_state)"
	said 0 ctl start c
	expect ''
	expect Running "$(ctl_state)"
	said 0 ctl terminate c
	expect ''
	expect Stopped "$(ctl_state)"
	said 0 ctl rm c
	expect none "$(ctl_state)"
}

@test "ctl: create: a new id, a document on standard input, an id that is taken" {
	said 0 ctl create -f - <"$DOC"
	[[ $output =~ ^[0-9a-f]{12}$ ]]
	json 0 ctl inspect "$output" --json
	is '.State == "Created" and .Owner == "test"'
	json 0 ctl create --json -f "$DOC" c
	is '.Id == "c" and .State == "Created"'
	said 1 ctl create -f "$DOC" c
	expect 'berthctl: create c: create task c: the id is in use'
	json 1 ctl create --json -f "$DOC" c
	is '.ErrorName == "HCS_E_SYSTEM_ALREADY_EXISTS" and .Error == -2143878897'
	expect Created "$(ctl_state)"
}

@test "ctl: create: what is wrong with a document is told by place, all of it" {
	echo '{ "Container": { "Storage": { "Path": 3 }, "HvSocket": { "Config": {} }, "Memory": { "SizeInMB": -1 } } }' \
		>"$BATS_TEST_TMPDIR/bad.json"
	said 1 ctl create -f "$BATS_TEST_TMPDIR/bad.json" c
	expect_in 'berthctl: create c: the document is not valid'
	expect_in '  /Container/Storage/Path: '
	expect_in '  /Container/HvSocket'
	expect_in '  /Container/Memory/SizeInMB: '
	json 1 ctl create --json -f "$BATS_TEST_TMPDIR/bad.json" c
	is '.ErrorName == "HCS_E_INVALID_JSON" and ([.ErrorEvents[].Data[0].Value] | index("/Container/Memory/SizeInMB")) != null'
	expect none "$(ctl_state)"
	said 1 ctl create -f "$BATS_TEST_TMPDIR/none" c
	expect_in 'no such file or directory'
}

@test "ctl: systems stay when berthctl has ended, and when they have" {
	ctl create -f "$DOC" c
	ctl start c
	ctl exec c true
	expect Running "$(ctl_state)"
	ctl rm -f c
	ctl run --rootfs "$ROOTFS" -d c -- true
	it_until 30 '[ "$(ctl_state)" = Stopped ]'
	own_document true >"$OWN"
	ctl rm -f c
	ctl run -f "$OWN" -d c
	it_until 30 '[ "$(ctl_state)" = Stopped ]'
	ctl rm c
	expect none "$(ctl_state)"
}

@test "ctl: namespaces are apart" {
	said 0 ctl -n one create -f "$DOC" c
	said 0 ctl create -n two -f "$DOC" c
	said 1 ctl start c
	expect 'berthctl: start c: no such compute system'
	said 0 ctl start c -n one
	json 0 ctl list -A --json
	is '[.[] | "\(.Namespace) \(.Id) \(.State)"] | sort == ["one c Running", "two c Created"]'
	said 0 ctl list -n two
	expect_in 'c    Created'
	said 0 ctl list
	[[ $output != *Created* ]]
}

@test "ctl: shutdown: the stop signal, and the end is waited for" {
	ctl_make Running
	pid=$(ctl exec -d c -- sh -c 'trap "echo term >/tmp/got; exit" TERM; while :; do sleep 0.1; done')
	it_trapped "$pid" 15
	said 0 ctl shutdown c
	expect Stopped "$(ctl_state)"
	expect term "$(cat "$ROOTFS/tmp/got")"
	json 0 ctl wait --json c
	is '.ExitType == "GracefulExit"'
}

@test "ctl: shutdown -t: what does not end is killed; without it is waited for; --no-wait" {
	ctl_make Running
	pid=$(ctl exec -d c -- sh -c 'trap "" TERM; while :; do sleep 0.1; done')
	it_trapped "$pid" 15
	said 0 ctl shutdown --no-wait c
	expect Running "$(ctl_state)"
	said 1 ctl wait --timeout 1 c
	expect 'berthctl: wait c: it runs for 1 s, and goes on'
	json 0 ctl shutdown -t 1 c --json
	is '.State == "Stopped"'
	json 0 ctl wait --json c
	is '.ExitType == "ForcedExit"'
}

@test "ctl: kill with a signal reaches the first process, without one it terminates" {
	own_document sh -c 'trap "exit 3" HUP; while :; do sleep 0.1; done' >"$OWN"
	ctl create -f "$OWN" c
	ctl start c
	it_trapped "$(ctl_pid)" 1
	said 0 ctl kill c HUP
	said 0 ctl wait c
	expect_in 'code 3'
	ctl_make Running
	pid=$(ctl exec -d c -- sleep 100)
	ctl wait -p "$pid" c >"$BATS_TEST_TMPDIR/end" &
	a=$!
	ctl wait --json -p "$pid" c >"$BATS_TEST_TMPDIR/end.json" &
	b=$!
	sleep 0.5
	said 0 ctl kill -p "$pid" -s TERM c
	wait "$a"
	wait "$b"
	expect 'ended: signal 15' "$(cat "$BATS_TEST_TMPDIR/end")"
	json 0 cat "$BATS_TEST_TMPDIR/end.json"
	is '.ProcessId == '"$pid"' and .Exited and .ExitCode == 143 and .Signal == 15'
	said 1 ctl kill -s NOSUCH c
	said 1 ctl kill -p 1 c TERM
	expect Running "$(ctl_state)"
	json 0 ctl kill c --json
	is '.State == "Stopped"'
}

@test "ctl: wait tells the code, the signal, who asked" {
	own_document sh -c 'exit 7' >"$OWN"
	ctl create -f "$OWN" c >/dev/null
	ns sh -c "sleep 1; $CTL start c" >/dev/null 2>&1 3>&- 4>&- &
	start=$!
	said 0 ctl wait c
	wait "$start"
	expect 'ended by itself (Shutdown, GuestOS): code 7'
	json 0 ctl wait --json c
	is '.ExitType == "GracefulExit" and (.Attribution | map(.ProcessExit.ExitCode) | index(7)) != null'
	ctl_make Running
	ctl terminate c
	said 0 ctl wait c
	expect_in 'was ended'
	expect_in 'Client'
}

@test "ctl: pause freezes every process, resume thaws them" {
	ctl_make Running
	pid=$(ctl exec -d c -- sh -c 'while :; do date +%s%N >/tmp/now; sleep 0.05; done')
	it_until 30 '[ -s "$ROOTFS/tmp/now" ]'
	json 0 ctl pause --json c
	is '.State == "Paused"'
	a=$(cat "$ROOTFS/tmp/now")
	sleep 0.3
	expect "$a" "$(cat "$ROOTFS/tmp/now")"
	said 1 ctl exec c true
	json 0 ctl resume --json c
	is '.State == "Running"'
	it_until 30 '[ "$(cat "$ROOTFS/tmp/now")" != "'"$a"'" ]'
}

# A verb: its exit status in the states none, Created, Running, Paused, Stopped, and
# the state that it leaves.
@test "ctl: every verb in every state" {
	local bad=0 verb want state rc after=- i states=(none Created Running Paused Stopped)

	cat >"$BATS_TEST_TMPDIR/table" <<-'END'
		start c              | 1/= 0/Running 1/= 1/= 1/=
		shutdown -t 5 c      | 1/= 1/= 0/Stopped 1/= 0/=
		terminate c          | 1/= 0/Stopped 0/Stopped 0/Stopped 0/=
		kill c               | 1/= 0/Stopped 0/Stopped 0/Stopped 0/=
		kill c CONT          | 1/= 1/= 0/= 1/= 1/=
		wait --timeout 0 c   | 1/= 1/= 1/= 1/= 0/=
		pause c              | 1/= 1/= 0/Paused 1/= 1/=
		resume c             | 1/= 1/= 1/= 0/Running 1/=
		modify -m 64m c      | 1/= 0/= 0/= 0/= 1/=
		exec c true          | 1/= 1/= 0/= 1/= 1/=
		console c true       | 1/= 1/= 0/= 1/= 1/=
		read c /data/seed    | 1/= 1/= 0/= 1/= 1/=
		inspect c            | 1/= 0/= 0/= 0/= 0/=
		ps c                 | 1/= 0/= 0/= 0/= 0/=
		stats c              | 1/= 0/= 0/= 0/= 0/=
		top c                | 1/= 0/= 0/= 0/= 0/=
		events c             | 0/= 0/= 0/= 0/= 0/=
		operations c         | 1/= 0/= 0/= 0/= 0/=
		stacks c             | 1/= 0/= 0/= 0/= 0/=
		rm c                 | 1/= 0/none 1/= 1/= 0/none
		rm -f c              | 0/= 0/none 0/none 0/none 0/none
		crash c              | 1/= 1/= 1/= 1/= 1/=
	END
	for i in 0 1 2 3 4; do
		state=${states[i]}
		while IFS='|' read -r verb want; do
			want=$(cut -d' ' -f$((i + 2)) <<<"$want")
			want=${want/=/$state}
			[ "$after" = "$state" ] || ctl_make "$state" || { echo "cannot make it $state"; return 1; }
			rc=0
			# shellcheck disable=SC2086
			ctl $verb </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 || rc=$?
			after=$(ctl_state)
			[ "$rc/$after" = "$want" ] ||
				{ echo "$verb: $state: $rc/$after instead of $want"; cat "$BATS_TEST_TMPDIR/said"; bad=1; }
		done <"$BATS_TEST_TMPDIR/table"
	done
	return "$bad"
}

@test "ctl: what takes long says so: a line now and then, on a terminal one that changes" {
	ctl_make Running
	said 1 ctl wait --timeout 6 c
	expect_in 'berthctl: wait c: it runs for 5 s'
	output=$(on_tty ns timeout --foreground 60 "$CTL" wait --timeout 2500ms c) || true
	expect_in $'\033[Kwait c: it runs for 2 s'
}

@test "ctl: told to end: what is in progress is cancelled, and leaves nothing" {
	printf '#!/bin/sh\nexec sleep 60\n' >"$IT_OUT/hangs"
	chmod +x "$IT_OUT/hangs"
	BERTH_SHIM=$IT_OUT/hangs said 1 told INT 'pgrep -fx "sleep 60" >/dev/null' create -f "$DOC" c
	expect_in 'berthctl: create c: '
	expect none "$(ctl_state)"
	ctl_make Running
	said 1 told TERM 'sleep 0.5' wait c
	expect 'berthctl: wait c: told to end'
	expect Running "$(ctl_state)"
}
