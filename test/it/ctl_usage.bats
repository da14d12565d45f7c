#!/usr/bin/env bats
# ctl_usage.bats: how berthctl is called: wrong calls, help, completion, what comes
# from hcsdiag.
# bats file_tags=sansoak

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

# Each ends with 64, says what is wrong and where help is, on standard error alone;
# with --json the document says the same.
@test "ctl: wrong calls of every verb" {
	local call rc bad=0

	while read -r call; do
		rc=0
		# shellcheck disable=SC2086
		eval ctl $call </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || rc=$?
		if [ "$rc" != 64 ] || [ -s "$BATS_TEST_TMPDIR/out" ] ||
			! grep -q "^berthctl: " "$BATS_TEST_TMPDIR/err" || ! grep -q -- "--help' tells" "$BATS_TEST_TMPDIR/err"; then
			echo "$call: exit status $rc: $(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")"
			bad=1
		fi
		# shellcheck disable=SC2086
		eval ctl --json $call </dev/null 2>/dev/null | jq -e '.ErrorName == "E_INVALIDARG" and .Error == -2147024809' >/dev/null ||
			{ echo "$call: no document"; bad=1; }
	done <<-'END'
		nosuch
		--nosuch list
		create c
		create -f
		create -f x a b
		validate
		validate a b
		run c true
		run --rootfs / -f x c true
		run -f x -m 64m c
		run --rootfs / -m 1 c true
		run --rootfs / -m nosuch c true
		run --rootfs / --cpus 0 c true
		run --rootfs / --mount relative c true
		run --rootfs / --mount /a:/b:nosuch c true
		run --rootfs / -e =x c true
		start
		start a b
		start --nosuch c
		shutdown
		shutdown -t nosuch c
		shutdown -t -1s c
		terminate
		kill
		kill c TERM x
		kill -s TERM c TERM
		kill -p -1 c
		wait
		wait --timeout nosuch c
		wait -p -1 c
		pause
		resume
		modify c
		modify -m 64m
		modify -m nosuch c
		modify -m 100 c
		modify --cpus nosuch c
		modify --cpus 1 --cpu-weight 5 c
		modify --cpu-weight 10001 c
		modify -f x -m 64m c
		exec
		exec c
		exec --nosuch c true
		console
		read c
		read c a b d
		write c
		write c a b d
		share c
		share c /x
		share --remove c /x /y
		share --port nosuch c /x /y
		list x
		list --format nosuch
		inspect
		inspect a b
		ps
		ps a b
		stats -A c
		stats --interval nosuch
		top a b
		top -A c
		events a b
		events --timeout nosuch
		events --since nosuch
		events --since a/b/c-1/0
		events --since a//c-1/2/3
		operations -A c
		stacks -A c
		rm
		rm a b
		status x
		crash
		attach
	END
	return "$bad"
}

@test "ctl: what only makes sense apart" {
	said 64 ctl read --json c /etc/passwd
	expect_in 'standard output has the document'
}

# What hcsdiag's users type.
@test "ctl: hcsdiag's verbs and the order of their arguments" {
	ctl_make Running
	echo text >"$BATS_TEST_TMPDIR/h"
	said 0 ctl list
	said 0 ctl exec c echo hello
	expect hello
	said 0 ctl exec c 'echo hello'
	expect hello
	said 0 ctl console c 'echo hello' </dev/null
	expect $'hello\r'
	said 0 ctl write c "$BATS_TEST_TMPDIR/h" /tmp/f
	ctl write c /tmp/g <"$BATS_TEST_TMPDIR/h"
	said 0 ctl read c /tmp/f
	expect text
	said 0 ctl read c /tmp/g "$BATS_TEST_TMPDIR/back"
	cmp "$BATS_TEST_TMPDIR/h" "$BATS_TEST_TMPDIR/back"
	said 1 ctl exec -uvm c true
	expect 'berthctl: exec c: not supported: -uvm: there is no utility VM to run it in'
	said 1 ctl attach c
	expect "berthctl: attach c: not supported: a process's streams go to who starts it: 'run' or 'exec' without --detach, or 'console' for a shell beside it"
	for call in 'console -uvm c' 'read -uvm c /a' 'write -uvm c /a' 'kill -uvm c' 'share -uvm c /tmp /a' 'share -asuser c /tmp /a' \
		'share -port 5 c /tmp /a' 'attach c' 'vhd c /a /b' 'vhd -uvm c /a /b' 'crash c'; do
		# shellcheck disable=SC2086
		said 1 ctl $call
		expect_in 'not supported'
		# shellcheck disable=SC2086
		json 1 ctl --json $call
		is '.ErrorName == "HCS_E_ERROR_NOT_SUPPORTED"'
	done
	said 0 ctl kill c
	expect Stopped "$(ctl_state)"
}

@test "ctl: help of every verb names its flags, completion the same" {
	local verb flag

	said 0 ctl
	expect "$(ctl --help)"
	expect "$(ctl help)"
	for verb in $(ctl completion | grep -v ^-); do
		[ "$verb" != help ] || continue
		said 0 ctl "$verb" --help
		expect "$(ctl help "$verb")"
		expect_in "berthctl $verb - "
		[[ $(ctl --help) == *"   $verb "* ]]
		for flag in $(ctl completion "$verb"); do
			expect_in "   $flag"
		done
		ctl completion "$verb" | grep -qx -- --json
		ctl completion "$verb" | grep -qx -- --namespace
	done
	said 0 ctl --version
	[[ $output =~ ^berthctl\ version\ [0-9] ]]
}

# complete WORD…: what bash proposes for the last one.
complete_words() {
	COMP_WORDS=(berthctl "$@") COMP_CWORD=$#
	COMPREPLY=()
	_berthctl
	printf '%s\n' "${COMPREPLY[@]}"
}

@test "ctl: completion in bash: verbs, flags, ids, files" {
	berthctl() { ctl "$@"; }
	# shellcheck disable=SC1091
	source "$IT_TOP/completion/berthctl.bash"
	ctl create -f "$DOC" system-one
	ctl -n other create -f "$DOC" system-two
	expect shutdown "$(complete_words shu)"
	expect $'stacks\nstart\nstats\nstatus' "$(complete_words sta | sort)"
	expect --readonly "$(complete_words share --rea)"
	expect system-one "$(complete_words start sys)"
	expect system-two "$(complete_words -n other start sys)"
	expect "$IT_TOP/README.md" "$(complete_words validate "$IT_TOP/READ")"
	expect "$IT_TOP/README.md" "$(complete_words create -f "$IT_TOP/READ")"
	expect Running "$(complete_words list --state R)"
	expect "$IT_TOP/README.md" "$(complete_words write system-one "$IT_TOP/READ")"
}

@test "ctl: completion in zsh: verbs, flags, ids, files; berth's, too" {
	it_need zsh
	offered() {
		TMPDIR=$BATS_TEST_TMPDIR ns env PATH="$(dirname "$CTL"):$(dirname "$BERTH"):$PATH" \
			zsh -f "$IT_TOP/test/it/zsh_completion" "$IT_TOP/completion" "$1" </dev/null
	}
	ctl create -f "$DOC" system-one
	ctl -n other create -f "$DOC" system-two
	expect shutdown "$(offered 'berthctl shu')"
	expect $'stacks\nstart\nstats\nstatus' "$(offered 'berthctl sta')"
	expect --readonly "$(offered 'berthctl share --rea')"
	expect system-one "$(offered 'berthctl start ')"
	expect system-two "$(offered 'berthctl -n other start sys')"
	expect Running "$(offered 'berthctl list --state R')"
	offered "berthctl validate $IT_TOP/READ" | grep -qx README.md
	offered "berthctl write system-one $IT_TOP/READ" | grep -qx README.md
	expect $'start\nstate' "$(offered 'berth sta')"
	expect $'--pid-file\n--pidfd-socket' "$(offered 'berth create --pid')"
	expect json "$(offered 'berth --log-format j')"
}

@test "ctl: a library that says no: a wrong setting is named" {
	said 1 ns env HCSSHIM_TIMEOUT_SYSTEMSTART=soon "$CTL" list
	expect_in HCSSHIM_TIMEOUT_SYSTEMSTART
	said 1 ns env BERTH_STATE=relative "$CTL" list
	expect_in BERTH_STATE
	json 1 ns env BERTH_STATE=relative "$CTL" list --json
	is '.ErrorMessage | contains("BERTH_STATE")'
}

@test "ctl: what cannot be printed is an error" {
	ctl create -f "$DOC" c
	# shellcheck disable=SC2016
	for call in 'inspect c' 'list' 'list --json' 'stats' 'events' 'status' '--version' '--help' 'help' 'help list' 'list -h' 'run -d --rootfs '"$ROOTFS"' d -- true'; do
		said 1 ns sh -c '"$0" $1 >/dev/full' "$CTL" "$call"
	done
	# shellcheck disable=SC2016
	said 1 ns sh -c '"$0" inspect c >/dev/full' "$CTL"
	expect 'berthctl: write to stdout: no space left on device'
}
