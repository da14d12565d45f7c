#!/usr/bin/env bats
# ctl_run.bats: run, exec and console of berthctl: streams, terminals, signals, exit
# codes, what is left.

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

run_in() {
	ctl run --rootfs "$ROOTFS" "$@"
}

@test "ctl: run: output, input, exit code, and nothing is left" {
	said 0 run_in c echo hello
	expect hello
	said 7 run_in c -- sh -c 'echo out; echo err >&2; exit 7'
	expect $'out\nerr'
	expect out "$(run_in c -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
	said 137 run_in c -- sh -c 'kill -9 $$'
	said 143 run_in c -- sh -c 'kill $$'
	expect typed "$(echo typed | run_in -i -- cat)"
	expect '' "$(echo typed | run_in -- cat)"
	expect none "$(ctl_state)"
	json 0 ctl list -A --json
	is '. == []'
}

@test "ctl: run: what cannot be run is told, and leaves nothing" {
	said 1 run_in c -- no-such-program
	expect 'berthctl: run c: exec: "no-such-program": executable file not found in $PATH'
	said 1 ctl run --rootfs /no/such/root c true
	expect "berthctl: open '/no/such/root': no such file or directory"
	said 1 run_in -w /no/such c true
	expect_in "'/no/such': no such file or directory"
	said 1 run_in -u nosuch c true
	expect "berthctl: run c: no user 'nosuch' in /etc/passwd"
	said 1 ctl run -f "$DOC" c
	expect 'berthctl: run c: the document brings no command of its own: name one behind "--"'
	json 1 ctl run --json --rootfs "$ROOTFS" c no-such-program
	is '.ErrorMessage | contains("no-such-program")'
	json 0 ctl list -A --json
	is '. == []'
}

@test "ctl: run: the flags shape the system" {
	mkdir -p "$IT_OUT/shared"
	echo there >"$IT_OUT/shared/file"
	ns ip netns add ctlnet 2>/dev/null || ns sh -c 'mkdir -p /run/netns; : >/run/netns/ctlnet; unshare -n mount --bind /proc/self/ns/net /run/netns/ctlnet'
	said 0 run_in -m 20m --cpus 2 --hostname box --mount "$IT_OUT/shared:/shared:ro" --net ctlnet -e A=1 -e A=2 -e HOME \
		--owner me -u kay -w /tmp c sh -c '
		hostname; id -un; pwd; echo $A; echo $HOME; cat /shared/file; touch /shared/new 2>&1; readlink /proc/self/ns/net'
	expect "box
kay
/tmp
2
$(ns sh -c 'echo $HOME')
there
touch: /shared/new: Read-only file system
net:[$(ns stat -Lc %i /run/netns/ctlnet)]"
	ns umount /run/netns/ctlnet
	ns rm /run/netns/ctlnet
	said 0 run_in -d -m 20m --cpus 0.5 --owner me c -- sleep 100
	json 0 ctl inspect c --json
	is '.Owner == "me" and .Memory.VirtualMachineMemory.ReservedMemory == 5120'
	said 0 run_in --net host -- readlink /proc/self/ns/net
	expect "$(ns readlink /proc/self/ns/net)"
}

@test "ctl: run -d: the id, a system that stays, and no process of ours" {
	said 0 run_in -d c -- sleep 100
	expect c
	json 0 ctl ps c --json
	is 'map(.ImageName) | index("sleep") != null'
	json 0 ctl run --rootfs "$ROOTFS" --json -d d -- sleep 100
	is '.Id == "d" and .State == "Running"'
	said 0 run_in -d -- sleep 100
	[[ $output =~ ^[0-9a-f]{12}$ ]]
	[ -z "$(ns pgrep berthctl)" ]
}

@test "ctl: run -d: the system ends with its command, and tells how" {
	said 0 run_in -d -u kay -w /tmp -e A=b c -- sh -c 'id -un; pwd; echo $A; sleep 0.5; exit 3; '
	said 0 ctl wait c
	expect_in 'code 3'
	expect Stopped "$(ctl_state)"
	ctl rm c
	said 0 run_in -dt c -- sh -c 'tty >/tmp/tty; sleep 100'
	it_until 30 '[ "$(cat "$ROOTFS/tmp/tty")" = /dev/pts/0 ]'
	rm "$ROOTFS/tmp/tty"
	json 0 ctl ps --json c
	is 'map(.ImageName) | index("init") == null'
	ctl rm -f c
	said 1 run_in -d c -- no-such-program
	expect 'berthctl: run c: exec: "no-such-program": executable file not found in $PATH'
	said 1 run_in -d -u nosuch c -- true
	expect "berthctl: run c: no user 'nosuch' in /etc/passwd"
	expect none "$(ctl_state)"
}

@test "ctl: run -f: a command of the document's: nothing of it is missed" {
	own_document sh -c 'echo out; echo err >&2; cat; exit 5' >"$OWN"
	for _ in 1 2 3; do
		expect $'out\nin' "$(echo in | ctl run -f "$OWN" -i c 2>/dev/null; [ $? = 5 ])"
	done
	json 5 ctl run --json -f "$OWN" c
	is '.Id == "c" and .ExitCode == 5 and .StdOut == "out\n" and .StdErr == "err\n"'
	OWN_TTY=1 own_document sh -c 'test -t 0 && echo terminal' >"$OWN"
	for _ in 1 2 3; do
		said 0 ctl run -t -f "$OWN" c
		expect $'terminal\r'
	done
	said 0 ctl run -f "$DOC" c -- echo in-it
	expect in-it
	own_document sleep 100 >"$OWN"
	said 0 ctl run -d -f "$OWN" c
	expect Running "$(ctl_state)"
}

@test "ctl: run in the foreground ends with berthctl, however that ends" {
	own_document sleep 100 >"$OWN"
	for doc in "$DOC" "$OWN"; do
		args=
		[ "$doc" = "$OWN" ] || args='-- sleep 100'
		# shellcheck disable=SC2016
		ns sh -c '"$0" run -f "$1" c $2 & pid=$!; until pgrep -fx "sleep 100" >/dev/null; do sleep 0.1; done; kill -9 $pid' \
			"$CTL" "$doc" "$args" 3>&- 4>&-
		it_until 30 '[ "$(ctl_state)" = none ]' || { ctl_state; false; }
	done
}

# From when we have its process, all of them are blocked here; until then we are told to end ourselves.
@test "ctl: signals that we get are the program's" {
	for sig in TERM INT HUP USR1; do
		# shellcheck disable=SC2016
		said 9 told "$sig" '[ -e "$ROOTFS/tmp/ready" ] && [ $((0x$(mask SigBlk) >> 11 & 1)) = 1 ]' \
			run --rootfs "$ROOTFS" c -- sh -c 'trap "echo got; exit 9" '"$sig"'; >/tmp/ready; while :; do sleep 0.1; done'
		expect got
		rm "$ROOTFS/tmp/ready"
	done
}

@test "ctl: run -t, exec -t: a terminal of our size, raw, and its changes" {
	output=$(on_tty ns timeout --foreground 60 "$CTL" run --rootfs "$ROOTFS" -it c -- sh -c 'stty size; tty; exit 4') && return 1
	expect $'33 99\n/dev/pts/0'
	ctl_make Running
	output=$(type_keys 'echo one $((1+1))\r' 'exit 3\r' | on_tty ns timeout --foreground 60 "$CTL" console c) && return 1
	expect_in 'one 2'
	output=$(on_tty ns timeout --foreground 60 sh -c "(sleep 1; stty rows 41 </dev/tty) &
		exec $CTL exec -t c -- sh -c 'while ! stty size | grep 41; do sleep 0.1; done'") || return 1
	expect_in '41 99'
	said 0 ctl console c echo there </dev/null
	expect $'there\r'
}

@test "ctl: exec: streams, code, user, directory, variables" {
	ctl_make Running
	said 3 ctl exec c -- sh -c 'echo out; echo err >&2; exit 3'
	expect $'out\nerr'
	expect typed "$(echo typed | ctl exec -i c cat)"
	expect '' "$(echo typed | ctl exec c cat)"
	said 0 ctl exec -u 1000:6 -w /home/kay -e A=x=y -e B= c sh -c 'id -u; id -g; pwd; echo "$A$B"; echo $PATH; env | grep -c TERM; true'
	expect $'1000\n6\n/home/kay\nx=y\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n0'
	json 3 ctl exec --json c -- sh -c 'echo out; echo err >&2; exit 3'
	is '.Id == "c" and .Exited and .ExitCode == 3 and .StdOut == "out\n" and .StdErr == "err\n" and .ProcessId > 1'
	json 137 ctl exec --json c -- sh -c 'kill -9 $$'
	is '.ExitCode == 137 and .Signal == 9'
	said 1 ctl exec c no-such-program
	expect_in 'executable file not found'
	json 1 ctl exec --json c no-such-program
	expect HCS_E_ERROR_FILE_NOT_FOUND "$(jq -r .ErrorName <<<"$output")"
	json 1 ctl run --json --rootfs "$ROOTFS" d no-such-program
	expect HCS_E_ERROR_FILE_NOT_FOUND "$(jq -r .ErrorName <<<"$output")"
	json 1 ctl run --json --rootfs "$ROOTFS" d /etc/passwd
	expect E_ACCESSDENIED "$(jq -r .ErrorName <<<"$output")"
	expect Running "$(ctl_state)"
}

@test "ctl: exec: one argument with blanks is a command line, but not behind --" {
	ctl_make Running
	said 0 ctl exec c "echo 'a  b' c"
	expect 'a  b c'
	said 1 ctl exec c -- "echo 'a  b' c"
	expect_in 'executable file not found'
	said 1 ctl exec c "echo 'a"
	expect_in "has a ' that is not closed"
}

@test "ctl: exec -d: its pid, and it goes on" {
	ctl_make Running
	said 0 ctl exec -d c -- sh -c 'sleep 0.5; echo done >/tmp/done; sleep 100'
	[[ $output =~ ^[0-9]+$ ]]
	it_until 30 '[ "$(cat "$ROOTFS/tmp/done")" = done ]'
	json 0 ctl exec -d --json c sleep 100
	is '.Id == "c" and .ProcessId > 1'
	# Its end is known, also when it came while nobody waited.
	said 0 ctl exec -d c -- sh -c 'sleep 0.5; exit 5'
	it_wait 30 ns_gone "$output"
	json 0 ctl wait --json --pid "$output" c
	is '.ExitCode == 5 and .Exited'
	said 0 ctl exec -d c -- sh -c 'sleep 0.5; kill -9 $$'
	it_wait 30 ns_gone "$output"
	json 0 ctl wait --json --pid "$output" c
	is '.ExitCode == 137 and .Signal == 9'
	said 1 ctl wait --pid 1 c
	said 0 ctl exec -dt c sh -c 'tty >/tmp/done; sleep 100'
	it_until 30 '[ "$(cat "$ROOTFS/tmp/done")" = /dev/pts/0 ]'
}

@test "ctl: run -dt, exec -dt: a terminal that nobody reads stops nobody" {
	# shellcheck disable=SC2016 # the system's shell is to expand it
	local much='i=0; while [ $i -lt 3000 ]; do echo "line $i, which is one of many"; i=$((i+1)); done'

	ctl_make Running
	said 0 ctl exec -dt c -- sh -c "$much; echo done >/tmp/done; sleep 100"
	it_until 30 '[ "$(cat "$ROOTFS/tmp/done")" = done ]'
	rm "$ROOTFS/tmp/done"
	said 0 ctl run --rootfs "$ROOTFS" -dt d -- sh -c "$much; echo done >/tmp/done; sleep 100"
	it_until 30 '[ "$(cat "$ROOTFS/tmp/done")" = done ]'
	rm "$ROOTFS/tmp/done"
	OWN_TTY=1 own_document sh -c "$much; echo done >/tmp/done; sleep 100" >"$OWN"
	said 0 ctl run -f "$OWN" -dt e
	it_until 30 '[ "$(cat "$ROOTFS/tmp/done")" = done ]'
}

@test "ctl: exec: much of everything, both ways; a reader that goes away; one that is slow" {
	ctl_make Running
	head -c 5000000 /dev/urandom >"$BATS_TEST_TMPDIR/big"
	ctl exec -i c cat <"$BATS_TEST_TMPDIR/big" | cmp - "$BATS_TEST_TMPDIR/big"
	expect y "$(ctl exec c yes | head -n 1)"
	it_until 30 '! ctl ps c | grep -q yes'
	ctl exec c -- sh -c 'i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done' |
		{ sleep 1; tail -n 1; } >"$BATS_TEST_TMPDIR/last"
	expect 'line 29999' "$(cat "$BATS_TEST_TMPDIR/last")"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		expect short "$(ctl exec c echo short)"
	done
}

@test "ctl: a shim that dies takes its system with it, and that is told" {
	ctl_make Running
	ctl exec c sleep 100 >"$BATS_TEST_TMPDIR/exec" 2>&1 &
	exec=$!
	ctl wait c >"$BATS_TEST_TMPDIR/wait" 2>&1 &
	waiter=$!
	it_until 30 'ctl ps c | grep -q sleep'
	sleep 2
	ns pkill -9 -x containerd-shim
	rc=0
	wait "$exec" || rc=$?
	[ "$rc" = 1 ] || [ "$rc" = 137 ]
	wait "$waiter" || { cat "$BATS_TEST_TMPDIR/wait"; return 1; }
	it_until 30 '[ "$(ctl_state)" = none ]'
	json 0 run_in --json c -- echo again
	is '.StdOut == "again\n"'
}

@test "ctl: exec: an input that ends, and one that is not read" {
	ctl_make Running
	yes | ctl exec -i c true
	[ "${PIPESTATUS[1]}" = 0 ]
	said 0 ctl exec -i c -- sh -c 'read x; echo "$x"' <<<'first
second'
	expect first
	printf 'no newline' | ctl exec -i c cat >"$BATS_TEST_TMPDIR/out"
	expect 'no newline' "$(cat "$BATS_TEST_TMPDIR/out")"
}
