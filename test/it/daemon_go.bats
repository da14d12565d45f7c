#!/usr/bin/env bats
# daemon_go.bats: containerd's own Go client (test/daemon) at berthd.
#
#   DAEMON=containerd bats test/it/daemon_go.bats
#
# runs it at containerd with runc, from which most of what it expects was learnt.
# bats file_tags=sansoak

load lib.bash
load shim_lib.bash
load daemon_lib.bash

setup_file() {
	it_need go ctr busybox
	it_daemon
	it_world
	it_client
	export CLIENT_CGROUP=$IT_CG/go
	"$PEER" spec -b "$IT_OUT"
	daemon_up "$DAEMON"
}

teardown_file() {
	local bad=0

	daemon_down "$DAEMON" || bad=1
	it_end || bad=1
	return "$bad"
}

client() { # WHAT [ARGUMENT]
	ns "$CLIENT" "$IT/$DAEMON/sock" "$IT_OUT" "$@" 3>&- 4>&-
}

# What the daemon has open; by which of its threads does not matter.
held() {
	ns sh -c 'ls "/proc/$0/fd" | wc -l' "$(daemon_pid)"
}

# released N: soon no more than that is open.
released() {
	it_until 30 "[ \$(held) -le $1 ]" || expect "$1" "$(held)"
}

@test "daemon go: the life of a container, and what is refused" {
	local before

	client life
	dc containers ls -q
	before=$(held)
	# And again, under the same name; nothing is kept of the first.
	client life
	released "$before"
}

@test "daemon go: 8 loops at once, each end is told once" {
	local before

	client loops 1
	before=$(held)
	client loops 12
	released "$before"
	[ -z "$(dc containers ls -q)$(dc tasks ls -q)" ]
}

# bats test_tags=nosan
@test "daemon go: 1,100 subscribers on one connection hear all, in order" {
	local before

	before=$(held)
	client subscribers 1100
	released "$before"
}

@test "daemon go: calls that are cancelled, or whose deadline passes" {
	local before

	client waits 1
	before=$(held)
	client waits 500
	released "$before"
}

@test "daemon go: a deadline passes while a task is created" {
	client slow
	[ -z "$(dc containers ls -q)$(dc tasks ls -q)" ]
	it_until 30 "! ns_left | grep containerd-shim"
}

@test "daemon go: labels, 8 MiB of them, one that is too long, and too many" { client labels; }

@test "daemon go: the daemon is killed and comes back, the client goes on" {
	local pid

	client reconnect "$IT/turn" &
	pid=$!
	it_until 30 "ns test -e $IT/turn.ready"
	daemon_kill
	sleep 0.3
	daemon_start
	ns touch "$IT/turn.back"
	wait "$pid"
	[ -z "$(dc containers ls -q)$(dc tasks ls -q)" ]
}
