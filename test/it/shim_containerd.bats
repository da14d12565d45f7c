#!/usr/bin/env bats
# shim_containerd.bats: an unmodified containerd and the shim: what ctr sees of
# it, what is told, and the death of either of them at each step of a task's life.
#
#   SHIM=/usr/bin/containerd-shim-runc-v2 bats test/it/shim_containerd.bats
#
# runs them against containerd's own, from which what they expect was learnt.
# bats file_tags=nosan,long

load lib.bash
load shim_lib.bash
load setup_containerd.bash

IMAGE=localhost/box:1

setup_file() {
	it_need containerd ctr busybox python3 crun strace
	it_shim
	it_world
	# BinaryName is an option that ctr has for this name of a runtime alone.
	ns mkdir "$IT/bin"
	ns ln -s "$SHIM" "$IT/bin/containerd-shim-berth-v2"
	ns ln -s "$SHIM" "$IT/bin/containerd-shim-runc-v2"
	export CTD_BUNDLES=/run/it/ctd/state/io.containerd.runtime.v2.task/default
	export CTD_STATE="/run/containerd/runc/default /run/berth/containerd/default /run/berth/shim $CTD_BUNDLES"
	# containerd's own leaves the socket of a shim that was killed.
	is_peer || CTD_STATE+=" /run/containerd/s"
	containerd_up "$IT/bin"
	events_listen 1
	python3 "$IT_LIB/setup_image" "$IT_OUT/rootfs" "$IT_OUT/box.tar" "$IMAGE"
	c_import "$IT_OUT/box.tar"
	run_it -d "$IMAGE" keep sleep 3600
}

teardown_file() {
	local bad=0

	containerd_down || bad=1
	it_end || bad=1
	return "$bad"
}

# ctr run: options, image, id, command. What a process says at its very end ctr
# may lose, whichever the shim: it cancels opening what it reads from. So those
# whose output is looked at sleep a little.
run_it() {
	c run --snapshotter native --runtime io.containerd.berth.v2 --cgroup "$IT_CG/$RANDOM$RANDOM" "$@"
}

# A container that ends with status N when it gets TERM.
run_until_term() { # N ID [OPTION…]
	run_it -d "${@:3}" "$IMAGE" "$2" sh -c "trap 'exit $1' TERM; echo begun; while :; do sleep 0.05; done"
	it_trapped "$(pid_of "$2")" 15
}

# One that is only created: ctr cannot write the file, and leaves it so.
run_created() { # ID COMMAND…
	run run_it -d --pid-file /no/such/dir/pid "$IMAGE" "$@"
	expect_in 'no such file or directory'
	is "$1" CREATED
}

# stdin for ctr, which hangs if it ends before there is a process.
slowly() {
	cat
	sleep 3
}

# What ctr cannot do to a created task: Start, told to its shim.
start_directly() { # ID
	ns python3 - "$(ns cat "$CTD_BUNDLES/$1/address")" "$1" <<-'PY'
		import socket, struct, sys
		def text(n, s):
		    return bytes([n << 3 | 2, len(s)]) + s
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1].removeprefix("unix://"))
		q = text(1, b"containerd.task.v2.Task") + text(2, b"Start") + text(3, text(1, sys.argv[2].encode()))
		s.sendall(struct.pack(">IIBB", len(q), 1, 1, 0) + q)
		answer = s.recv(1000)[10:]
		assert answer[:1] == b"\x12", answer # not a status, but a payload
	PY
}

status_of() {
	c task ls | awk -v n="$1" '$1 == n { print $3 }'
}

pid_of() { # ID: of the first process, in the world
	c task ls | awk -v n="$1" '$1 == n { print $2 }'
}

shim_of() { # ID
	ns_left | awk -v n="$1" '$2 ~ /containerd-shim/ && / -id / { for (i = 3; i < NF; i++) if ($i == "-id" && $(i + 1) == n) { print $1; exit } }'
}

is() { # ID STATUS
	it_until 30 "[ \"\$(status_of $1)\" = '$2' ]" || expect "$2" "$(status_of "$1")"
}

remove() { # ID…: of stopped tasks
	local id

	for id; do
		c task rm "$id" 2>/dev/null
		c c rm "$id"
	done
}

# All that is there: before and after a test the same.
present() {
	{
		ns_left | sed 's/^[0-9]* //' | grep -v ' events$'
		# shellcheck disable=SC2086
		it_traces $CTD_STATE
	} | sort
}

begin() {
	present >"$BATS_TEST_TMPDIR/before"
}

nothing_left() {
	it_until 30 "[ -z \"\$(comm -13 '$BATS_TEST_TMPDIR/before' <(present))\" ]" ||
		expect '' "$(comm -13 "$BATS_TEST_TMPDIR/before" <(present))"
}

# ---- what ctr sees ----------------------------------------------------------

@test "shim containerd: run, with three streams and a status" {
	begin
	run_it --rm "$IMAGE" a1 sh -c 'echo out; echo err >&2; sleep 0.2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	expect out "$(cat "$BATS_TEST_TMPDIR/out")"
	expect err "$(cat "$BATS_TEST_TMPDIR/err")"
	expect 'in: x' "$(echo x | slowly | run_it --rm "$IMAGE" a2 sed 's/^/in: /')"
	run run_it --rm "$IMAGE" a3 sh -c 'echo $FROM_IMAGE; sleep 0.2; exit 3'
	expect yes
	expect 3 "$status"
	run run_it --rm --rootfs "$IT_OUT/rootfs" a4 /bin/sh -c 'exit 4'
	expect 4 "$status"
	run_it --rm "$IMAGE" a5 true
	nothing_left
}

@test "shim containerd: all of a long input and of a long output" {
	expect 3000000 "$(head -c 3000000 /dev/zero | slowly | run_it --rm "$IMAGE" long1 wc -c)"
	expect "$(seq 400000 | md5sum)" "$(run_it --rm "$IMAGE" long2 seq 400000 | md5sum)"
}

@test "shim containerd: many at once, each with its own status" {
	local i pids=()

	begin
	for i in 1 2 3 4 5 6 7 8 9 10; do
		run_it --rm "$IMAGE" "many$i" sh -c "exit $i" 3>&- &
		pids+=($!)
	done
	output=
	for i in "${pids[@]}"; do
		wait "$i" || output+="$? "
	done
	expect '1 2 3 4 5 6 7 8 9 10 '
	for i in 1 5 10; do
		said_all "many$i" create start "exit $i" "delete $i"
	done
	nothing_left
}

# strace holds the old shim up where it is ending, so that the new one comes then.
@test "shim containerd: a name is used again while the shim of before is ending" {
	ours_only 'its socket is found until it has gone: "ttrpc: closed"'
	local tracer

	run_it -d "$IMAGE" twice sleep 100
	ns strace -qq -o /dev/null -p "$(shim_of twice)" -e trace=unlink,unlinkat \
		-e inject=unlink,unlinkat:delay_enter=300000 >/dev/null 2>&1 3>&- &
	tracer=$!
	it_until 30 "ns grep -q '^TracerPid:.[1-9]' /proc/$(shim_of twice)/status"
	c task kill -s KILL twice
	is twice STOPPED
	remove twice
	run run_it --rm "$IMAGE" twice sh -c 'exit 3'
	expect 3 "$status"
	wait "$tracer"
}

@test "shim containerd: what cannot be run is explained, and leaves nothing" {
	local case want

	begin
	for case in 'no-such-command executable file not found in $PATH' '/no/such no such file or directory' \
		'/noexec permission denied' '/etc permission denied'; do
		want=${case#* }
		run run_it --rm "$IMAGE" bad "${case%% *}"
		expect 1 "$status"
		expect_in 'ctr: failed to create shim task: OCI runtime create failed: '
		expect_in "$want"
		[ -z "$(status_of bad)" ]
		c c rm bad 2>/dev/null || true
	done
	nothing_left
	# The name can be used again.
	run_it --rm "$IMAGE" bad true
}

@test "shim containerd: a terminal" {
	tty_run() {
		on_tty ns ctr -a "$IT/ctd/sock" run --snapshotter native --rm -t --runtime io.containerd.berth.v2 \
			--cgroup "$IT_CG/tty" "$IMAGE" tty "$@"
	}
	run tty_run sh -c 'sleep 2; stty size; tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; exit 6'
	expect_in '33 99'
	expect_in three
	expect 6 "$status"
	output=$(type_keys 'echo $((6*7))\n' 'exit 3\n' | tty_run sh | grep -x 42)
	expect 42
}

@test "shim containerd: detached, with a log, and attached to later" {
	run_it -d --log-uri "file://$IT/d1.log" "$IMAGE" d1 sh -c 'echo out; echo err >&2'
	is d1 STOPPED
	expect $'err\nout' "$(ns sort "$IT/d1.log")"
	remove d1
	run_it -d "$IMAGE" d2 sh -c 'sleep 5; echo late; exit 4'
	is d2 RUNNING
	run c task attach d2
	expect late
	expect 4 "$status"
	c c rm d2 # it has deleted the task
}

# ---- a running task ---------------------------------------------------------

@test "shim containerd: exec" {
	ex() { c task exec --exec-id "x$RANDOM" "$@"; }
	run ex keep sh -c 'echo out; sleep 0.2; exit 9'
	expect out
	expect 9 "$status"
	expect 'in: y' "$(echo y | slowly | ex keep sed 's/^/in: /')"
	run ex --user 1000:6 --cwd /home keep sh -c 'id -u; id -g; pwd; sleep 0.2'
	expect $'1000\n6\n/home'
	run on_tty ns ctr -a "$IT/ctd/sock" task exec -t --exec-id xt keep sh -c 'sleep 2; stty size; exit 5'
	expect_in '33 99'
	expect 5 "$status"
	run ex keep no-such-command
	expect 1 "$status"
	expect_in 'OCI runtime exec failed: '
	expect_in 'exec: "no-such-command": executable file not found in $PATH'
}

@test "shim containerd: many execs at once, each with its own status" {
	local i n pids

	for n in 1 2 3; do
		pids=() output=
		for i in 1 2 3 4 5 6 7 8 9 10; do
			c task exec --exec-id "many$n-$i" keep sh -c "exit $i" 3>&- &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i" || output+="$? "
		done
		expect '1 2 3 4 5 6 7 8 9 10 '
	done
	expect 2 "$(c task ps keep | wc -l)"
}

@test "shim containerd: a detached exec is listed, killed and removed" {
	local pid

	run_it -d "$IMAGE" ex1 sleep 100
	c task exec -d --exec-id x1 ex1 sleep 77
	c task exec -d --exec-id x2 ex1 sh -c 'exit 7'
	pid=$(ns_left | awk '/sleep 77/ { print $1 }')
	it_until 30 '[ "$(c task ps ex1 | wc -l)" = 3 ]' # the other one has ended
	run c task ps ex1
	[[ $output =~ $pid\ +.*(ExecID:|exec_id:\")x1 ]] # containerd 1.7 prints it so
	expect 3 "$(wc -l <<<"$output")"
	run c task rm --exec-id x1 ex1
	[ "$status" != 0 ]
	c task kill --exec-id x1 ex1
	it_until 30 "said ex1 | grep -q 'exit x1'"
	run c task rm --exec-id x1 ex1
	expect 143 "$status"
	run c task rm --exec-id x2 ex1
	expect 7 "$status"
	run c task kill --exec-id x1 ex1
	[ "$status" != 0 ]
	expect_in 'not found'
	c task rm -f ex1 2>/dev/null || true
	c c rm ex1
}

@test "shim containerd: kill, with a signal that is caught, and of all" {
	run_until_term 6 k1
	run c task rm k1
	[ "$status" != 0 ]
	c task kill -s TERM k1
	is k1 STOPPED
	run c task kill k1
	[ "$status" != 0 ]
	expect_in 'not found'
	run c task rm k1
	expect_in 'exit code 6'
	c c rm k1
	run_it -d "$IMAGE" k2 sh -c 'trap "" TERM; sleep 100 & sleep 100 & wait'
	c task kill -s TERM k2
	sleep 0.2
	is k2 RUNNING
	c task kill -s KILL -a k2
	is k2 STOPPED
	remove k2
	said_all k2 create start 'exit 137' 'delete 137'
}

@test "shim containerd: pause and resume" {
	run_it -d "$IMAGE" p1 sleep 100
	c task pause p1
	is p1 PAUSED
	run c task exec --exec-id xp p1 true
	[ "$status" != 0 ]
	run c task pause p1
	[ "$status" != 0 ]
	c task resume p1
	is p1 RUNNING
	run c task resume p1
	[ "$status" != 0 ]
	expect fine "$(c task exec --exec-id xr p1 sh -c 'echo fine; sleep 0.2')"
	c task kill -s KILL p1
	is p1 STOPPED
	remove p1
	said_all p1 create start paused resumed 'exec-added xr' 'exec-started xr' 'exit xr 0' 'exit 137' 'delete 137'
}

@test "shim containerd: metrics and processes" {
	local pid

	run_it -d --memory-limit 134217728 "$IMAGE" m1 sh -c 'sleep 100 & wait'
	it_until 30 "[ \$(c task ps m1 | wc -l) = 3 ]"
	pid=$(pid_of m1)
	c task ps m1 | grep -qE "^$pid +-"
	run c task metrics --format json m1
	python3 - "$output" <<-'PY'
		import json, sys
		m = json.loads(sys.argv[1])
		assert m["memory"]["usage"]["limit"] == 134217728, m["memory"]
		assert m["memory"]["usage"]["usage"] > 0 and m["cpu"]["usage"]["total"] > 0, m
		assert m["pids"]["current"] == 2, m["pids"]
	PY
	c task rm -f m1 2>/dev/null || true
	c c rm m1
}

@test "shim containerd: running out of memory is told" {
	run run_it --rm --memory-limit 16777216 "$IMAGE" oom sh -c 'sleep 0.3; tail /dev/zero'
	expect 137 "$status"
	said_all oom create start oom 'exit 137' 'delete 137'
}

@test "shim containerd: containers of a group have one shim" {
	local i shim

	begin
	for i in 1 2 3; do
		run_it -d --annotation io.containerd.runc.v2.group=g "$IMAGE" "g$i" sleep 100
	done
	expect 1 "$(ns_left | grep -cE 'containerd-shim.* -id g[123] ')"
	shim=$(shim_of g1)
	c task rm -f g1 2>/dev/null || true # the one it is named after
	[ -z "$(status_of g1)" ]
	is g2 RUNNING
	is g3 RUNNING
	expect fine "$(c task exec --exec-id x g3 sh -c 'echo fine; sleep 0.2')"
	c task kill -s KILL g2
	is g2 STOPPED
	remove g2
	ns kill -0 "$shim"
	is g3 RUNNING
	c task rm -f g3 2>/dev/null || true
	c c rm g1 g3
	it_wait 30 ns_gone "$shim"
	said_all g3 create start 'exec-added x' 'exec-started x' 'exit x 0' 'exit 137' 'delete 137'
	nothing_left
}

# ---- an external runtime ----------------------------------------------------

run_external() { # BINARY, then as run_it
	c run --snapshotter native --runtime io.containerd.runc.v2 --runc-binary "$1" \
		--cgroup "$IT_CG/$RANDOM$RANDOM" "${@:2}"
}

external() { # BINARY ID
	local b=$1 id=$2

	begin
	run run_external "$b" --rm "$IMAGE" "$id" sh -c 'echo out; sleep 0.2; exit 3'
	expect out
	expect 3 "$status"
	run run_external "$b" --rm "$IMAGE" "$id" no-such-command
	expect 1 "$status"
	expect_in 'OCI runtime create failed: '
	expect_in 'executable file'
	c c rm "$id" 2>/dev/null || true
	run on_tty ns ctr -a "$IT/ctd/sock" run --snapshotter native --rm -t --runtime io.containerd.runc.v2 \
		--runc-binary "$b" --cgroup "$IT_CG/tty-$id" "$IMAGE" "$id-t" sh -c 'sleep 2; stty size; exit 6'
	expect_in '33 99'
	expect 6 "$status"
	run_external "$b" -d "$IMAGE" "$id-d" sleep 100
	# It is that runtime's container, and the built-in one has none of the name.
	ns "$b" --root /run/containerd/runc/default state "$id-d" | grep -q '"status": "running"'
	run c task exec --exec-id x "$id-d" sh -c 'echo fine; sleep 0.2; exit 5'
	expect fine
	expect 5 "$status"
	run c task exec --exec-id no "$id-d" no-such-command
	expect_in 'OCI runtime exec failed: '
	run on_tty ns ctr -a "$IT/ctd/sock" task exec -t --exec-id t "$id-d" sh -c 'sleep 2; stty size; exit 4'
	expect_in '33 99'
	expect 4 "$status"
	c task pause "$id-d"
	is "$id-d" PAUSED
	c task resume "$id-d"
	expect 2 "$(c task ps "$id-d" | wc -l)"
	c task metrics "$id-d" | grep -q pids
	c task kill -s KILL "$id-d"
	is "$id-d" STOPPED
	run c task kill "$id-d"
	expect_in 'not found'
	remove "$id-d"
	said "$id-d" | tail -n 2 >"$BATS_TEST_TMPDIR/end"
	expect $'exit 137\ndelete 137' "$(cat "$BATS_TEST_TMPDIR/end")"
	nothing_left
}

@test "shim containerd: BinaryName runc" {
	external "$PEER" xrunc
}

@test "shim containerd: BinaryName crun" {
	external "$(command -v crun)" xcrun
}

@test "shim containerd: BinaryName of this runtime" {
	external "$BERTH" xberth
}

@test "shim containerd: BinaryName that is not there" {
	begin
	run run_external /no/such/runtime "$IMAGE" xnone true
	expect 1 "$status"
	expect_in 'OCI runtime create failed: '
	expect_in 'no such file or directory'
	[ -z "$(status_of xnone)" ]
	c c rm xnone
	nothing_left
}

# ---- containerd is killed and comes back ------------------------------------

@test "shim containerd: killed and back, a task is created" {
	run_created b1 sh -c 'exit 3'
	containerd_away
	containerd_back
	is b1 CREATED
	start_directly b1
	is b1 STOPPED
	remove b1
	said_all b1 create start 'exit 3' 'delete 3'
}

@test "shim containerd: killed and back, a task is running" {
	local n

	run_it -d --log-uri "file://$IT/b2.log" "$IMAGE" b2 sh -c \
		'trap "exit 6" TERM; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.05; done'
	it_until 30 "ns grep -q 3 $IT/b2.log"
	containerd_away
	containerd_back
	is b2 RUNNING
	expect fine "$(c task exec --exec-id x b2 sh -c 'echo fine; sleep 0.2')"
	c task metrics b2 | grep -q pids
	c task kill -s TERM b2
	is b2 STOPPED
	remove b2
	said_all b2 create start 'exec-added x' 'exec-started x' 'exit x 0' 'exit 6' 'delete 6'
	# The log lacks nothing.
	n=$(ns wc -l "$IT/b2.log" | cut -d' ' -f1)
	[ "$n" -gt 3 ]
	expect "$(seq "$n")" "$(ns cat "$IT/b2.log")"
}

@test "shim containerd: killed and back, a client attaches to what runs" {
	run_it -d "$IMAGE" b3 sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; echo late; exit 4'
	containerd_away
	containerd_back
	c task exec -d --exec-id x b3 sh -c 'sleep 3; >/tmp/go'
	run c task attach b3
	expect late
	expect 4 "$status"
	c c rm b3
}

@test "shim containerd: killed and back, a task is paused" {
	run_it -d "$IMAGE" b4 sleep 100
	c task pause b4
	containerd_away
	containerd_back
	is b4 PAUSED
	c task resume b4
	is b4 RUNNING
	c task kill -s KILL b4
	is b4 STOPPED
	remove b4
	said_all b4 create start paused resumed 'exit 137' 'delete 137'
}

@test "shim containerd: killed and back, a task has ended meanwhile" {
	local pid

	run_until_term 5 b5
	pid=$(pid_of b5)
	containerd_away
	ns kill -TERM "$pid"
	it_wait 30 ns_gone "$pid"
	sleep 0.5 # the shim tries, and tries again
	containerd_back
	is b5 STOPPED
	said_all b5 create start 'exit 5'
	run c task rm b5
	expect_in 'exit code 5'
	c c rm b5
	said_all b5 create start 'exit 5' 'delete 5'
}

@test "shim containerd: killed and back, a task had ended before" {
	run_until_term 5 b6
	c task kill b6
	is b6 STOPPED
	said_all b6 create start 'exit 5'
	containerd_away
	containerd_back
	is b6 STOPPED
	remove b6
	said_all b6 create start 'exit 5' 'delete 5'
}

@test "shim containerd: killed and back, execs run and end meanwhile" {
	local pid

	run_it -d "$IMAGE" b7 sleep 100
	c task exec -d --exec-id x b7 sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
	c task exec -d --exec-id y b7 sleep 77
	c task exec -d --exec-id z b7 true
	it_until 30 "said b7 | grep -q 'exit z'"
	pid=$(c task ps b7 | awk '/(ExecID:|exec_id:")x/ { print $1 }')
	it_trapped "$pid" 15
	containerd_away
	ns kill -TERM "$pid"
	it_wait 30 ns_gone "$pid"
	containerd_back
	is b7 RUNNING
	it_until 30 "said b7 | grep -q 'exit x 7'"
	c task ps b7 | grep -qE '(ExecID:|exec_id:")y'
	run c task rm --exec-id x b7
	expect 7 "$status"
	c task kill --exec-id y b7
	it_until 30 "said b7 | grep -q 'exit y 143'"
	c task kill -s KILL b7
	is b7 STOPPED
	remove b7
	said b7 | grep -v ' z' >"$BATS_TEST_TMPDIR/said"
	expect "$(printf '%s\n' create start 'exec-added x' 'exec-started x' 'exec-added y' 'exec-started y' \
		'exit x 7' 'exit y 143' 'exit 137' 'delete 137')" "$(cat "$BATS_TEST_TMPDIR/said")"
}

@test "shim containerd: killed and back, a task was started and has ended meanwhile" {
	run_created b8 sh -c 'exit 3'
	containerd_away
	start_directly b8
	sleep 0.5
	containerd_back
	is b8 STOPPED
	said_all b8 create start 'exit 3'
	remove b8
}

@test "shim containerd: killed and back, and the shim was killed meanwhile" {
	local pid shim

	begin
	run_it -d "$IMAGE" b9 sh -c 'sleep 88 & wait'
	pid=$(pid_of b9)
	shim=$(shim_of b9)
	containerd_away
	ns kill -KILL "$shim"
	it_wait 30 ns_gone "$shim"
	containerd_back
	expect '' "$(status_of b9)"
	it_wait 30 ns_gone "$pid"
	nothing_left
	# The container is still known, and can have a task again.
	c task start -d b9
	is b9 RUNNING
	c task rm -f b9 2>/dev/null || true
	c c rm b9
	nothing_left
}

@test "shim containerd: killed twice, and the same task all the while" {
	run_until_term 8 b10
	containerd_away
	containerd_back
	is b10 RUNNING
	c task pause b10
	containerd_away
	containerd_back
	is b10 PAUSED
	c task resume b10
	c task kill b10
	is b10 STOPPED
	remove b10
	said_all b10 create start paused resumed 'exit 8' 'delete 8'
}

# All that a task can be asked, one after the other, by clients that give up when
# their daemon is gone.
whole_life() { # ID
	run_it -d "$IMAGE" "$1" sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done' &&
		c task exec --exec-id x "$1" true &&
		c task pause "$1" &&
		c task resume "$1" &&
		c task metrics "$1" &&
		c task kill "$1" &&
		until [ "$(status_of "$1")" = STOPPED ]; do c version || return; done &&
		c task rm "$1"
}

# Whatever it was asked when its daemon died, it can be ended, and nothing is left of it.
# A shim that had not yet been asked for a task containerd 1.6 keeps, connected, and
# lists no task: it is killed here, and containerd cleans up.
can_be_ended() { # ID
	local state shim

	state=$(status_of "$1")
	case $state in
	RUNNING | PAUSED)
		[ "$state" = RUNNING ] || c task resume "$1"
		ns kill -0 "$(pid_of "$1")"
		expect fine "$(c task exec --exec-id y "$1" sh -c 'echo fine; sleep 0.2')"
		c task kill -s KILL "$1"
		is "$1" STOPPED
		;;
	CREATED | STOPPED) ;;
	'')
		expect '' "$(ns_left | grep -F 'exit 5' || true)" # a task that is not listed does not run
		shim=$(shim_of "$1")
		[ -z "$shim" ] || ns kill -KILL "$shim"
		;;
	*) expect 'a state' "$state" ;;
	esac
	[ -z "$state" ] || c task rm -f "$1" || [ $? = 137 ]
	expect '' "$(status_of "$1")"
	! c c info "$1" >/dev/null 2>&1 || c c rm "$1"
}

@test "shim containerd: killed and back, in the middle of any call" {
	local n rounds=8 life other

	[ -z "${BERTH_SOAK:-}" ] || rounds=100
	begin
	for ((n = 0; n < rounds; n++)); do
		whole_life "away$n" >"$BATS_TEST_TMPDIR/life" 2>&1 &
		life=$!
		sleep "$(awk -v r=$RANDOM 'BEGIN { print r / 32768 * 0.4 }')"
		containerd_away
		wait "$life" || true
		containerd_back
		can_be_ended "away$n"
		nothing_left
		# By TERM, before or after it was caught, or killed by us or with its shim.
		other=$(said "away$n" | grep '^exit [0-9]' | grep -vE '^exit (5|143|137)$' || true)
		expect '' "$other"
		# Told twice is allowed, to who had no time to say that he had heard; another end is not.
		other=$(said "away$n" | awk '/^exit [0-9]/' | sort -u | tail -n +2)
		[ -z "$other" ] || { said "away$n"; expect '' "$other"; }
	done
}

# ---- the shim is killed -----------------------------------------------------

# shim_dies ID: and nothing is left of its task.
shim_dies() {
	local id=$1 pid shim

	pid=$(pid_of "$id")
	shim=$(shim_of "$id")
	ns kill -KILL "$shim"
	it_wait 30 ns_gone "$pid"
	it_until 30 "said $id | grep -q delete"
	it_until 30 "[ -z \"\$(status_of $id)\" ]"
	nothing_left
	c c rm "$id"
}

@test "shim containerd: its shim is killed, a task is running, with an exec" {
	begin
	run_it -d "$IMAGE" s1 sh -c 'sleep 88 & wait'
	c task exec -d --exec-id x s1 sleep 77
	shim_dies s1
	said_all s1 create start 'exec-added x' 'exec-started x' 'exit 137' 'delete 137'
}

@test "shim containerd: its shim is killed, a task is created" {
	begin
	run_created s2 sleep 77
	shim_dies s2
	said_all s2 create 'exit 137' 'delete 137'
}

@test "shim containerd: its shim is killed, a task is paused" {
	begin
	run_it -d "$IMAGE" s3 sleep 77
	c task pause s3
	shim_dies s3
	said_all s3 create start paused 'exit 137' 'delete 137'
}

@test "shim containerd: its shim is killed, a task has ended" {
	ours_only 'it says 137 whatever the status was'
	begin
	run_until_term 5 s4
	c task kill s4
	is s4 STOPPED
	shim_dies s4
	# The daemon tells the end of what it has lost, although it was told before.
	said_all s4 create start 'exit 5' 'exit 5' 'delete 5'
}

@test "shim containerd: its shim is killed, of three in a group" {
	local i shim

	begin
	for i in 1 2 3; do
		run_it -d --annotation io.containerd.runc.v2.group=h "$IMAGE" "h$i" sleep 77
	done
	shim=$(shim_of h1)
	ns kill -KILL "$shim"
	for i in 1 2 3; do
		said_all "h$i" create start 'exit 137' 'delete 137'
	done
	expect '' "$(status_of h1)$(status_of h2)$(status_of h3)"
	nothing_left
	c c rm h1 h2 h3
}

@test "shim containerd: its shim is killed, of an external runtime" {
	begin
	run_external "$PEER" -d "$IMAGE" s5 sleep 77
	shim_dies s5
	said_all s5 create start 'exit 137' 'delete 137'
}

@test "shim containerd: its shim is killed, and somebody is attached" {
	local rc=0 client

	begin
	run_it --rm "$IMAGE" s6 sleep 77 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	client=$!
	is s6 RUNNING
	ns kill -KILL "$(shim_of s6)"
	wait "$client" || rc=$?
	[ "$rc" != 0 ]
	said_all s6 create start 'exit 137' 'delete 137'
	c c rm s6 2>/dev/null || true
	nothing_left
}
