#!/usr/bin/env bats
# life_races.bats: commands that meet half-way, and what one that was killed, or
# had no fds to spare, leaves for the next: whose a state directory is.

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
}

teardown_file() {
	spec_down
}

setup() {
	export RT=berth
}

# A create that was killed before it had written the record, or a delete after it had removed it.
@test "races: a state directory without a record is no container, and in nobody's way" {
	local root=$IT/berth/root/c

	conf '' 'echo fine'
	for what in empty some locked; do
		ns mkdir -p -m 700 "$root"
		[ $what = empty ] || ns sh -c 'echo "{}" >"$1/config.json"; : >"$1/lock"' - "$root"
		if [ $what != locked ]; then
			expect fine "$(go)"
			continue
		fi
		# Somebody is at it: a directory that is being filled.
		output=$(ns flock "$root/lock" "$BERTH" --root "$IT/berth/root" create -b "$(bundle)" c 2>&1) && return 1
		expect_in 'already exists'
		ns test -e "$root/config.json"
		ns rm -r "$root"
	done
}

# A state root in which there is more than containers: nothing of it is ours to remove.
@test "races: a directory that is not a container's is refused and left alone" {
	local root=$IT/berth/root/c before

	conf '' 'echo fine'
	for what in 'mkdir data; echo 1 >data/file; : >lock' 'echo "{}" >config.json' ': >lock; mkdir config.json' \
		': >lock; : >.notes'; do
		ns sh -c 'mkdir -p "$1"; cd "$1"; eval "$2"' - "$root" "$what"
		before=$(ns find "$root" | sort)
		output=$(rt run -b "$(bundle)" c 2>&1) && { echo "$what: made"; return 1; }
		expect_in 'already exists'
		expect "$before" "$(ns find "$root" | sort)"
		ns rm -r "$root"
	done
}

# It came when the directory was there and the record was not.
# LeakSanitizer does not work under strace.
# bats test_tags=nosan
@test "races: delete --force during create leaves no container without a state" {
	local creator

	command -v strace >/dev/null || skip "'strace' is not installed"
	conf '' 'exec sleep 600'
	ns strace -f -qq -o /dev/null -e trace=mkdirat -e inject=mkdirat:delay_exit=1000000:when=2 \
		"$BERTH" --root "$IT/berth/root" create -b "$(bundle)" c >/dev/null 2>&1 </dev/null 3>&- 4>&- &
	creator=$!
	it_wait 30 ns test -e "$IT/berth/root/c"
	ns timeout 60 strace -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=2500000:when=2 \
		"$BERTH" --root "$IT/berth/root" delete --force c
	wait "$creator" || true
	ns test ! -e "$IT/berth/root/c"
	it_cgroup_none
}

# `delete` without --force ended a container that ran, as its record said "created".
@test "races: what a start that was killed let go is running" {
	command -v strace >/dev/null || skip "'strace' is not installed"
	conf '' 'exec sleep 600'
	rt create -b "$(bundle)" c >/dev/null 2>&1
	rt state c | grep -q '"status": "created"'
	ns strace -qq -o /dev/null -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=1 \
		"$BERTH" --root "$IT/berth/root" start c </dev/null 3>&- 4>&- || true
	rt state c | grep -q '"status": "running"'
	output=$(rt start c 2>&1) && return 1
	expect_in 'cannot start an already running container'
	output=$(rt delete c 2>&1) && return 1
	rt delete -f c
}

# It removed the state of the container that was made after it had looked.
# bats test_tags=nosan
@test "races: remains that became a container in the meantime are not removed" {
	local root=$IT/berth/root/c late

	command -v strace >/dev/null || skip "'strace' is not installed"
	conf '' 'exec sleep 600'
	ns sh -c 'mkdir -p -m 700 "$1"; : >"$1/lock"' - "$root"
	ns strace -f -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=6000000:when=1 \
		"$BERTH" --root "$IT/berth/root" create -b "$(bundle)" c >"$IT_OUT/late" 2>&1 </dev/null 3>&- 4>&- &
	late=$!
	# It has looked, and comes to the lock.
	it_until 30 'ns sh -c "ls -l /proc/[0-9]*/fd" 2>/dev/null | grep -q "$root/lock"'
	ns rm -r "$root"
	up
	wait "$late" && return 1
	output=$(cat "$IT_OUT/late")
	expect_in 'already exists'
	rt state c | grep -q '"status": "running"'
	rt delete -f c
	it_cgroup_none
}

# It sleeps until the lock is free, and for ten seconds at most.
@test "races: a command waits for the lock of another without asking again and again" {
	local lock=$IT/berth/root/c/lock holder pid waiter before rc=0

	switches() {
		grep -h '^voluntary' /proc/"$1"/status
	}
	conf '' 'exec sleep 600'
	up
	ns flock "$lock" sleep 8 3>&- 4>&- &
	holder=$!
	it_until 30 '! ns flock -n "$lock" true'
	# shellcheck disable=SC2086
	$IT_ENTER -- "$BERTH" --root "$IT/berth/root" pause c </dev/null 3>&- 4>&- &
	pid=$!
	it_until 30 'waiter=$(pgrep -P "$pid" -x berth)'
	sleep 2
	before=$(switches "$waiter")
	sleep 1.5
	expect "$before" "$(switches "$waiter")"
	wait $pid
	rt state c | grep -q paused
	rt resume c
	wait $holder
	ns flock "$lock" sleep 16 3>&- 4>&- &
	holder=$!
	it_until 30 '! ns flock -n "$lock" true'
	output=$(rt pause c 2>&1) || rc=$?
	expect 1 $rc
	expect_in "another command has held the container's lock for 10 s"
	wait $holder
	gone c
	[ -z "$(ns_left)" ]
}

# Undoing wants fds as well.
@test "races: with every too low limit of open files there is one error and nothing left" {
	local n rc bad=0

	conf '' 'echo fine'
	# shellcheck disable=SC2016 # the inner shell's
	for n in {4..40}; do
		rc=0
		output=$(ns sh -c 'ulimit -n "$0"; exec "$@"' "$n" "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c 2>&1 </dev/null 3>&- 4>&-) || rc=$?
		case $rc-$output in
		0-fine | 1-*level=error*'too many open files"') ;;
		*) echo "$n: exit status $rc: $output"; bad=1 ;;
		esac
		if ns test -e "$IT/berth/root/c" || ! it_cgroup_none; then
			echo "$n: something is left"
			bad=1
			gone c
		fi
	done
	[ "$bad$rc" = 00 ]
}
