#!/usr/bin/env bats
# spec_terminal.bats: process.terminal: over a console socket and in the
# foreground, its size, its place in the container, exec with one.

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
	it_wait 5 ns test -S "$IT/con/s"
}

# shellcheck disable=SC2016
SHOW='tty; stty size; ls -lL /dev/console | awk "{ print \$1, \$3, \$4, \$5, \$6 }"; ls -l /dev/pts
for f in 0 1 2; do readlink /proc/self/fd/$f; done; ps -o pid,tty | grep " 1 "; cut -d" " -f5-8 /proc/1/stat'

@test "terminal: sent to the console socket, with create and start" {
	by_socket() {
		receiver_up
		rt create -b "$(bundle)" --console-socket "$IT/con/s" c
		rt start c
		it_wait 5 test -s "$IT_OUT/con.1"
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
		it_wait 5 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		gone c
		ns_stop receiver
	}
	conf 'p["terminal"] = True; p["consoleSize"] = {"height": 31, "width": 77}' 'sleep 0.3; stty size; ls -l /dev/console | cut -c1-10'
	both sized
	expect_in '31 77'
}

@test "terminal: belongs to the process's user, in the container's devpts" {
	owned() {
		receiver_up
		rt run -d -b "$(bundle)" --console-socket "$IT/con/s" c
		it_wait 5 test -s "$IT_OUT/con.1"
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
	conf 'p["terminal"] = True' "sleep 0.3; $SHOW; exit 9"
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
		it_wait 5 test -s "$IT_OUT/con.1"
		sed 's/name .*//' "$IT_OUT/con.1"
		on_tty ns "$bin" --root "$IT/$RT/root" exec -t c sh -c 'tty; sleep 0.3; stty size; exit 7' </dev/null
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
