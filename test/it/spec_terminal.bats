#!/usr/bin/env bats
# spec_terminal.bats: process.terminal: over a console socket and in the
# foreground, its size, its place in the container, exec with one.
# bats file_tags=sansoak,long

load lib.bash
load spec_lib.bash

setup_file() {
	it_need script
	spec_up
}

teardown_file() {
	ns_stop receiver
	spec_down
}

receiver_up() {
	ns rm -rf "$IT/con"
	ns mkdir -p "$IT/con"
	rm -f "$IT_OUT"/con.*
	ns_daemon receiver python3 "$IT_LIB/spec_console" "$IT/con/s" "$IT_OUT/con"
	it_wait 30 ns test -S "$IT/con/s"
}

# shellcheck disable=SC2016
SHOW='tty; stty size; ls -lL /dev/console | awk "{ print \$1, \$3, \$4, \$5, \$6 }"; ls -l /dev/pts
for f in 0 1 2; do readlink /proc/self/fd/$f; done; ps -o pid,tty | grep " 1 "; cut -d" " -f5-8 /proc/1/stat'

@test "terminal: sent to the console socket, with create and start" {
	by_socket() {
		receiver_up
		rt create -b "$(bundle)" --console-socket "$IT/con/s" c
		rt start c
		it_wait 30 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		gone c
		ns_stop receiver
	}
	conf 'p["terminal"] = True' "$SHOW; echo ready; read x; echo got \$x"
	both by_socket
	expect_in /dev/pts/0
	expect_in 'got key'
	expect_in 'fds 1'
}

@test "terminal: consoleSize" {
	sized() {
		receiver_up
		rt run -d -b "$(bundle)" --console-socket "$IT/con/s" c
		it_wait 30 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		gone c
		ns_stop receiver
	}
	conf 'p["terminal"] = True; p["consoleSize"] = {"height": 31, "width": 77}' 'sleep 2; stty size; ls -l /dev/console | cut -c1-10'
	both sized
	expect_in '31 77'
}

@test "terminal: belongs to the process's user, in the container's devpts" {
	owned() {
		receiver_up
		rt run -d -b "$(bundle)" --console-socket "$IT/con/s" c
		it_wait 30 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		gone c
		ns_stop receiver
	}
	conf 'p["terminal"] = True; p["user"] = {"uid": 1000, "gid": 1000}' \
		'ls -ln /dev/pts /dev/console | awk "{ print \$1, \$3, \$4, \$NF }"; : >/dev/tty && echo tty; echo x >/dev/console && echo console'
	both owned
	expect_in 'crw--w---- 1000'
}

@test "terminal: in the foreground" {
	fore() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		on_tty ns "$bin" --root "$IT/$RT/root" run -b "$(bundle)" c </dev/null
		echo "exit $?"
	}
	conf 'p["terminal"] = True' "sleep 2; $SHOW; exit 9"
	both fore
	expect_in '33 99'
	expect_in 'exit 9'
}

@test "terminal: keys are typed through, and size changes follow" {
	typed() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		type_keys 'hello\n' | on_tty ns "$bin" --root "$IT/$RT/root" run -b "$(bundle)" c
	}
	conf 'p["terminal"] = True' 'stty -echo; read x; echo "<$x>"'
	both typed
	expect_in '<hello>'
}

@test "terminal: exec -t, detached over a socket and in the foreground" {
	ex() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		receiver_up
		up || return 1
		rt exec -t -d --console-socket "$IT/con/s" c sh -c 'tty; echo ready; read x; echo got $x'
		it_wait 30 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		on_tty ns "$bin" --root "$IT/$RT/root" exec -t c sh -c 'tty; sleep 2; stty size; exit 7' </dev/null
		echo "exit $?"
		gone c
		ns_stop receiver
	}
	conf '' 'exec sleep 600'
	both ex
	expect_in 'got key'
	expect_in '33 99'
	expect_in 'exit 7'
}

@test "terminal: without a console socket and detached, and a socket without a terminal, are refused" {
	detached() {
		rt run -d -b "$(bundle)" "$@" c >/dev/null 2>&1
		echo "$?"
		gone c
	}
	conf 'p["terminal"] = True' true
	both detached
	expect 1
	RT=berth
	output=$(rt create -b "$(bundle)" --console-socket /no/such c 2>&1) && return 1
	expect_in /no/such
	it_cgroup_none
	conf '' true
	both detached --console-socket /no/such
}

@test "terminal: /dev/console of the image may be no link out of the root" {
	# The image's own /dev, where /dev/console is a link.
	mkdir -p "$IT_OUT/rootfs/dev"
	ln -s /etc/passwd "$IT_OUT/rootfs/dev/console"
	linked() {
		receiver_up
		rt run -d -b "$(bundle)" --console-socket "$IT/con/s" c >"$BATS_TEST_TMPDIR/said" 2>&1
		echo "$?"
		gone c
		ns_stop receiver
	}
	conf 'p["terminal"] = True
c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]
os.makedirs(out + "/rootfs/dev/pts", exist_ok=True)' 'head -n 1 /etc/passwd'
	RT=berth
	output=$(linked)
	expect 1
	expect_in 'create the terminal' "$(cat "$BATS_TEST_TMPDIR/said")"
	[ "$(head -n 1 "$IT_OUT/rootfs/etc/passwd")" = root:x:0:0:root:/root:/bin/sh ]
	rm "$IT_OUT/rootfs/dev/console"
}

@test "terminal: a console socket that takes no connection ends create" {
	local peer

	RT=berth
	ns python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
time.sleep(14)' "$IT/deaf" 3>&- 4>&- &
	peer=$!
	it_wait 30 ns test -S "$IT/deaf"
	sleep 0.5
	conf 'p["terminal"] = True' true
	output=$(rt create --console-socket "$IT/deaf" -b "$(bundle)" c 2>&1) && return 1
	expect_in 'console socket'
	expect_in 'timed out'
	ns test ! -e "$IT/berth/root/c"
	wait "$peer"
}

# Output that waits for a reader must not hold up signals, nor the end.
@test "terminal: exec's output that nobody reads: signals are forwarded, and end it" {
	local fifo=$IT_OUT/fifo pid next rc=0

	RT=berth
	conf '' 'exec sleep 600'
	up
	mkfifo "$fifo"
	exec 7<>"$fifo"
	# shellcheck disable=SC2086
	$IT_ENTER -- "$BERTH" --root "$IT/berth/root" exec -t c yes >"$fifo" 2>&1 </dev/null 3>&- 4>&- 7>&- &
	pid=$!
	it_until 30 'rt ps c | grep -q yes'
	while next=$(pgrep -P "$pid" -x berth | head -n 1) && [ -n "$next" ]; do
		pid=$next
	done
	sleep 0.5
	kill -TERM "$pid"
	it_until 30 '! rt ps c | grep -q yes'
	kill -TERM "$pid"
	wait $! || rc=$?
	exec 7>&-
	rm "$fifo"
	expect 143 "$rc"
	gone c
}

# The other side of our own terminal, which is not raw as our input is none.
@test "terminal: the caller's own, when nobody reads it, holds up no signal" {
	RT=berth
	conf 'p["terminal"] = True' 'trap "exit 7" TERM; yes some words and some more & wait'
	# shellcheck disable=SC2086
	output=$(timeout 60 $IT_ENTER -- python3 -c '
import os, pty, select, signal, subprocess, sys, time
master, ours = pty.openpty()
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=ours, stderr=ours)
select.select([master], [], []) # it writes, until there is no more room
time.sleep(1.5)
for _ in range(2):
    p.send_signal(signal.SIGTERM)
    time.sleep(1)
try:
    p.wait(30)
except subprocess.TimeoutExpired:
    print("hangs")
    p.kill()
print(p.wait())' "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c)
	expect 7 "$output"
}

# timeout(1) sends TERM and CONT: what the process said before it ended is not lost over that.
@test "terminal: a continue after the end loses no output" {
	local pid taken

	RT=berth
	conf 'p["terminal"] = True' 'head -c 66000 /dev/zero | tr "\\0" x; exit 7'
	mkfifo "$IT_OUT/slow"
	# shellcheck disable=SC2086
	$IT_ENTER -- setpriv --pdeathsig KILL "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c \
		>"$IT_OUT/slow" 2>&1 </dev/null 3>&- 4>&- &
	exec 7<"$IT_OUT/slow"
	# What came in small pieces fills the pipe earlier: then some is read.
	for ((taken = 0; taken < 12; taken++)); do
		! it_until 30 '! ns test -e "$IT/berth/root/c" || rt state c | grep -q stopped' || break
		head -c 4096 <&7 >/dev/null
	done
	[ "$taken" -lt 12 ]
	# The oldest: a `state` whose reader has seen enough may not have ended yet.
	pid=$(ns pgrep -o -x berth)
	ns kill -CONT "$pid"
	sleep 0.3
	expect 66000 "$(($(wc -c <&7) + taken * 4096))"
	exec 7<&-
	wait $! && return 1
	rm -f "$IT_OUT/slow"
}
