#!/usr/bin/env bats
# review.bats: found by reading the code with ill will: ids that mean "no
# change", records that cannot be read again, commands that meet half-way, and
# peers that never answer.

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

# To the kernel an id of 2^32-1 means "as it is", and that is root.
@test "review: exec as user or group 4294967295 is refused" {
	local how

	conf '' 'exec sleep 600'
	up
	for how in '-u 4294967295' '-u 1000:4294967295' '-u 1000 -g 4294967295'; do
		# shellcheck disable=SC2086
		output=$(rt exec $how c id 2>&1) && { echo "exec $how: $output"; return 1; }
		expect_in 'must be at most 4294967294'
	done
	gone c
}

@test "review: annotations that make a record too long to read are refused" {
	conf 'c["annotations"] = {"a": "@" * 1000000}' true
	tr @ '\177' <"$IT_OUT/berth/config.json" >"$IT_OUT/raw"
	mv "$IT_OUT/raw" "$IT_OUT/berth/config.json"
	output=$(go 2>&1) && return 1
	expect_in '/annotations: file too large'
	it_cgroup_none
}

@test "review: an id that begins with a dot is listed, the filter cache is none" {
	conf '' 'exec sleep 600'
	rt run -d -b "$(bundle)" .dot >/dev/null 2>&1
	output=$(rt list -q)
	[ "$output" = .dot ]
	rt delete -f .dot
	output=$(rt create -b "$(bundle)" .seccomp 2>&1) && return 1
	expect_in 'invalid container ID'
}

@test "review: a hook's timeout of weeks is not one of milliseconds" {
	ours 'c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1"], "timeout": 4294968}]}' 'echo fine'
	[ "$output" = fine ]
}

@test "review: more passed sockets than there can be are an error" {
	# shellcheck disable=SC2016 # the inner shell's
	output=$(ns sh -c 'LISTEN_FDS=4294967295 LISTEN_PID=$$ exec "$0" --root "$1" list' \
		"$BERTH" "$IT/berth/root" 2>&1) && return 1
	expect_in 'invalid number of fds to preserve'
}

# It came when the directory was there and the record was not.
# LeakSanitizer does not work under strace.
# bats test_tags=nosan
@test "review: delete --force during create leaves no container without a state" {
	local creator

	command -v strace >/dev/null || skip "'strace' is not installed"
	conf '' 'exec sleep 600'
	ns strace -f -qq -o /dev/null -e trace=mkdirat -e inject=mkdirat:delay_exit=1000000:when=2 \
		"$BERTH" --root "$IT/berth/root" create -b "$(bundle)" c >/dev/null 2>&1 </dev/null 3>&- 4>&- &
	creator=$!
	it_wait 5 ns test -e "$IT/berth/root/c"
	ns timeout 20 strace -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=2500000:when=2 \
		"$BERTH" --root "$IT/berth/root" delete --force c
	wait "$creator" || true
	ns test ! -e "$IT/berth/root/c"
	it_cgroup_none
}

@test "review: a console socket that takes no connection ends create" {
	local peer

	ns python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
time.sleep(14)' "$IT/deaf" 3>&- 4>&- &
	peer=$!
	it_wait 5 ns test -S "$IT/deaf"
	sleep 0.5
	conf 'p["terminal"] = True' true
	output=$(rt create --console-socket "$IT/deaf" -b "$(bundle)" c 2>&1) && return 1
	expect_in 'console socket'
	expect_in 'timed out'
	ns test ! -e "$IT/berth/root/c"
	wait "$peer"
}

# `delete` without --force ended a container that ran, as its record said "created".
@test "review: what a start that was killed let go is running" {
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

# A create that was killed before it had written the record, or a delete after it had removed it.
@test "review: a state directory without a record is no container, and in nobody's way" {
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

# It sleeps until the lock is free, and for ten seconds at most.
@test "review: a command waits for the lock of another without asking again and again" {
	local lock=$IT/berth/root/c/lock holder pid waiter before rc=0

	switches() {
		grep -h '^voluntary' /proc/"$1"/status
	}
	conf '' 'exec sleep 600'
	up
	ns flock "$lock" sleep 4 3>&- 4>&- &
	holder=$!
	it_until 5 '! ns flock -n "$lock" true'
	# shellcheck disable=SC2086
	$IT_ENTER -- "$BERTH" --root "$IT/berth/root" pause c </dev/null 3>&- 4>&- &
	pid=$!
	it_until 2 'waiter=$(pgrep -P "$pid" -x berth)'
	sleep 0.5
	before=$(switches "$waiter")
	sleep 1.5
	expect "$before" "$(switches "$waiter")"
	wait $pid
	rt state c | grep -q paused
	rt resume c
	wait $holder
	ns flock "$lock" sleep 12 3>&- 4>&- &
	holder=$!
	it_until 5 '! ns flock -n "$lock" true'
	output=$(rt pause c 2>&1) || rc=$?
	expect 1 $rc
	expect_in "another command has held the container's lock for 10 s"
	wait $holder
	gone c
	[ -z "$(ns_left)" ]
}

# Undoing wants fds as well.
@test "review: with every too low limit of open files there is one error and nothing left" {
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

# Output that waits for a reader must not hold up signals, nor the end.
@test "review: a terminal whose output nobody reads: signals are forwarded, and end it" {
	local fifo=$IT_OUT/fifo pid next rc=0


	conf '' 'exec sleep 600'
	up
	mkfifo "$fifo"
	exec 7<>"$fifo"
	# shellcheck disable=SC2086
	$IT_ENTER -- "$BERTH" --root "$IT/berth/root" exec -t c yes >"$fifo" 2>&1 </dev/null 3>&- 4>&- 7>&- &
	pid=$!
	it_until 5 'rt ps c | grep -q yes'
	while next=$(pgrep -P "$pid" -x berth | head -n 1) && [ -n "$next" ]; do
		pid=$next
	done
	sleep 0.5
	kill -TERM "$pid"
	it_until 5 '! rt ps c | grep -q yes'
	kill -TERM "$pid"
	wait $! || rc=$?
	exec 7>&-
	rm "$fifo"
	expect 143 "$rc"
	gone c
}

@test "review: exec --ignore-paused goes on when the container is resumed" {
	local pid rc=0

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

# A state root in which there is more than containers: nothing of it is ours to remove.
@test "review: a directory that is not a container's is refused and left alone" {
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

# It removed the state of the container that was made after it had looked.
# bats test_tags=nosan
@test "review: remains that became a container in the meantime are not removed" {
	local root=$IT/berth/root/c late

	command -v strace >/dev/null || skip "'strace' is not installed"
	conf '' 'exec sleep 600'
	ns sh -c 'mkdir -p -m 700 "$1"; : >"$1/lock"' - "$root"
	ns strace -f -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=2000000:when=1 \
		"$BERTH" --root "$IT/berth/root" create -b "$(bundle)" c >"$IT_OUT/late" 2>&1 </dev/null 3>&- 4>&- &
	late=$!
	sleep 1
	ns rm -r "$root"
	up
	wait "$late" && return 1
	output=$(cat "$IT_OUT/late")
	expect_in 'already exists'
	rt state c | grep -q '"status": "running"'
	rt delete -f c
	it_cgroup_none
}

# timeout(1) sends TERM and CONT: what the process said before it ended is not lost over that.
@test "review: a continue after the end loses no output" {
	local pid

	conf 'p["terminal"] = True' 'head -c 66000 /dev/zero | tr "\\0" x; exit 7'
	mkfifo "$IT_OUT/slow"
	# shellcheck disable=SC2086
	$IT_ENTER -- setpriv --pdeathsig KILL "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c \
		>"$IT_OUT/slow" 2>&1 </dev/null 3>&- 4>&- &
	exec 7<"$IT_OUT/slow"
	it_until 5 '! ns test -e "$IT/berth/root/c" || rt state c | grep -q stopped'
	# The oldest: a `state` whose reader has seen enough may not have ended yet.
	pid=$(ns pgrep -o -x berth)
	ns kill -CONT "$pid"
	sleep 0.3
	expect 66000 "$(wc -c <&7)"
	exec 7<&-
	wait $! && return 1
	rm "$IT_OUT/slow"
}

# The other side of our own terminal, which is not raw as our input is none.
@test "review: a terminal that nobody reads holds up no signal" {
	conf 'p["terminal"] = True' 'trap "exit 7" TERM; yes some words and some more & wait'
	# shellcheck disable=SC2086
	output=$(timeout 20 $IT_ENTER -- python3 -c '
import os, pty, signal, subprocess, sys, time
master, ours = pty.openpty()
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=ours, stderr=ours)
time.sleep(1.5)
for _ in range(2):
    p.send_signal(signal.SIGTERM)
    time.sleep(1)
if p.poll() is None:
    print("hangs")
    p.kill()
print(p.wait())' "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c)
	expect 7 "$output"
}

# Only "/" was given the propagation: a root elsewhere sent its mounts to the host, and pivot_root refused it.
@test "review: a root on a shared mount of its own, whatever the propagation of /" {
	local kind before

	ns mkdir "$IT/own"
	ns mount -t tmpfs own "$IT/own"
	ns cp -a "$IT_OUT/rootfs" "$IT/own/rootfs"
	ns mount --make-rshared /
	before=$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)
	for kind in private slave unbindable shared rprivate rslave rshared; do
		same "c['root']['path'] = '$IT/own/rootfs'; l['rootfsPropagation'] = '$kind'" \
			'cut -d" " -f5 /proc/self/mountinfo | sort' || { echo "$kind"; return 1; }
		expect "$before" "$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)"
	done
	ns mount --make-rprivate /
	ns umount "$IT/own"
}
