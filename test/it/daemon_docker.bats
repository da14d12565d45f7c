#!/usr/bin/env bats
# daemon_docker.bats: Debian's dockerd with berthd for its containerd. It asks for
# containerd's runtime, with the program `runc`, and gets the built-in one; that
# this is as with runc is shown by shim_docker.bats, so here only what is expected
# is looked at, and what the two daemons make of each other's ends.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load daemon_lib.bash
load setup_docker.bash
load docker_lib.bash
load shim_docker_lib.bash

RT=berth

# Only the runtime under test, with the words of docker_lib.bash.
both() {
	local rc=0

	output=$("$@" 2>&1) || rc=$?
	output=$(it_norm <<<"$output")
	status=$rc
}

both_rc() { # WANT COMMAND…
	local want=$1 rc=0 out

	out=$("${@:2}" 2>&1) || rc=$?
	if [ "$want" = same ] && [ "$rc" != 0 ]; then
		want=$rc
	fi
	[ "$rc" = "$want" ] || { echo "exit status $rc instead of $want: ${*:2}"; echo "$out"; return 1; }
}

dockerd_again() {
	docker_start --containerd "$IT/berthd/sock" --bridge=none --iptables=false --live-restore
}

setup_file() {
	it_need dockerd docker-init ctr script busybox python3
	it_daemon
	export DAEMON=berthd DOCKER_STATE="/run/berth/shim $IT/berthd/state/moby"
	it_world
	DOCKER_STATE="/run/berth/shim $IT/berthd/state/moby"
	daemon_up berthd
	docker_up --containerd "$IT/berthd/sock" --bridge=none --iptables=false --live-restore
	d run -d --name keep-berth --hostname kept --network none -e WHO=kept -m 128m --pids-limit 99 box sleep 3600 >/dev/null
}

teardown_file() {
	local bad=0

	docker_down || bad=1
	expect '' "$(dc -n moby containers ls -q)$(dc -n moby tasks ls -q)" || bad=1
	daemon_stop || bad=1
	it_end || bad=1
	return "$bad"
}

# state NAME WANT: soon.
state() {
	it_until 30 "[ \"\$(d inspect -f '{{.State.Status}} {{.State.ExitCode}}' $1)\" = '$2' ]" ||
		expect "$2" "$(d inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$1")"
}

# until_term NAME STATUS: a container that counts, and ends so when it gets TERM.
until_term() {
	d run -d --name "$1" --network none "${@:3}" box \
		sh -c "trap 'exit $2' TERM; n=0; while :; do n=\$((n + 1)); echo \$n; sleep 0.05; done" >/dev/null
	it_until 30 "d logs $1 | grep -x 3"
}

# in_order NAME: nothing of what it counted is missing.
in_order() {
	local n

	n=$(d logs "$1" | wc -l)
	[ "$n" -gt 3 ]
	expect "$(seq "$n")" "$(d logs "$1")"
}

pid_in() { # NAME
	d inspect -f '{{.State.Pid}}' "$1"
}

@test "daemon docker: it is this daemon, and its built-in runtime" {
	local id

	id=$(d inspect -f '{{.Id}}' keep-berth)
	expect RUNNING "$(dc -n moby tasks ls | awk -v n="$id" '$1 == n { print $3 }')"
	dc -n moby containers info "$id" | grep -q '"Name": "io.containerd.runc.v2"'
	ns test -e "$IT/berthd/state/moby/$id/berth.json"
	expect runc "$(d inspect -f '{{.HostConfig.Runtime}}' keep-berth)"
	! ns pgrep -x containerd
}

@test "daemon docker: run prints what the container prints" { docker_prints; }
@test "daemon docker: stdin, stdout and stderr are three streams" { docker_streams; }
@test "daemon docker: run -it has a terminal of the right size" { docker_terminal; }
@test "daemon docker: exit codes 0, 1, 42 and of a signal" { docker_exit_codes; }
@test "daemon docker: exit code 127 for a command that is not there" { docker_exit_127; }
@test "daemon docker: exit code 126 for what cannot be executed" { docker_exit_126; }
@test "daemon docker: exit code 125 for what the runtime refuses" { docker_exit_125; }
@test "daemon docker: running out of memory is 137 and OOMKilled" { docker_oom; }
@test "daemon docker: exec sees the container" { docker_exec; }
@test "daemon docker: exec -it" { docker_exec_terminal; }
@test "daemon docker: pause and unpause" { docker_pause; }
@test "daemon docker: update" { docker_update; }
@test "daemon docker: kill, with a signal that is caught" { docker_kill; }
@test "daemon docker: stop of a container that ignores TERM is 137, and restart" { docker_stop; }
@test "daemon docker: --restart on-failure" { docker_restart_policy; }

@test "daemon docker: top, stats, logs" {
	expect_in 'sleep 3600' "$(d top keep-berth -o pid,args)"
	expect 'keep-berth 1' "$(d stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' keep-berth |
		sed -E 's# [0-9.]+[KM]iB / 1(00|28)MiB$##')"
	d run --name logged --network none box sh -c 'echo one; echo two >&2'
	expect $'one\ntwo' "$(d logs logged 2>&1 | sort)"
	d start -a logged
	expect $'one\none\ntwo\ntwo' "$(d logs logged 2>&1 | sort)"
	d rm logged
}

@test "daemon docker: an external runtime" {
	expect fine "$(d run --rm --runtime peer --network none box echo fine)"
	both_rc 42 d run --rm --runtime berth --network none box sh -c 'exit 42'
}

@test "daemon docker: 10 at once, each with its own output and status" {
	local i rc n pids=()

	n=$(d ps -aq | wc -l)
	for i in {1..10}; do
		dr box sh -c "echo of $i; exit $i" >"$BATS_TEST_TMPDIR/of$i" 3>&- &
		pids+=($!)
	done
	for i in {1..10}; do
		rc=0
		wait "${pids[i - 1]}" || rc=$?
		expect "$i of $i" "$rc $(cat "$BATS_TEST_TMPDIR/of$i")"
	done
	expect "$n" "$(d ps -aq | wc -l)"
}

# ---- the daemons end and come back ------------------------------------------

# survived NAME PID STATUS: it runs as before, and what it says arrives; and it ends so.
survived() {
	local n

	expect "running $2" "$(d inspect -f '{{.State.Status}} {{.State.Pid}}' "$1")"
	n=$(d logs "$1" | wc -l)
	it_until 30 "[ \$(d logs $1 | wc -l) -gt $((n + 3)) ]"
	expect fine "$(d exec "$1" echo fine)"
	d stop -t 5 "$1"
	state "$1" "exited $3"
	in_order "$1"
	d rm "$1"
}

@test "daemon docker: dockerd is stopped and comes back" {
	local pid ends

	until_term live 5
	until_term ends 6
	pid=$(pid_in live)
	ends=$(pid_in ends)
	ns_stop dockerd
	ns kill -TERM "$ends"
	it_wait 30 ns_gone "$ends"
	ns kill -0 "$pid"
	dockerd_again
	# The end is told, too, that nobody was there for.
	state ends 'exited 6'
	in_order ends
	survived live "$pid" 5
	d rm ends
}

@test "daemon docker: dockerd is killed and comes back" {
	local pid daemon

	until_term live 5
	d pause keep-berth
	pid=$(pid_in live)
	daemon=$(ns cat "$IT/dockerd.itpid")
	ns kill -KILL "$daemon"
	it_wait 30 ns_gone "$daemon"
	dockerd_again
	survived live "$pid" 5
	expect paused "$(d inspect -f '{{.State.Status}}' keep-berth)"
	d unpause keep-berth
	expect fine "$(d exec keep-berth echo fine)"
}

# away HOW: the daemon ends; what docker has lives on, and one container ends meanwhile.
away() {
	local pid ends before

	until_term live 5
	until_term ends 6
	until_term again 7 --restart on-failure:1
	before=$(d inspect -f '{{.RestartCount}}' again)
	pid=$(pid_in live)
	ends="$(pid_in ends) $(pid_in again)"
	"daemon_$1"
	# shellcheck disable=SC2086
	ns kill -TERM $ends
	it_wait 30 ns_gone "${ends% *}"
	ns kill -0 "$pid"
	expect running "$(d inspect -f '{{.State.Status}}' ends)"
	daemon_start
	state ends 'exited 6'
	in_order ends
	it_until 30 "[ \"\$(d inspect -f '{{.RestartCount}} {{.State.Status}}' again)\" = '$((before + 1)) running' ]"
	survived live "$pid" 5
	expect fine "$(d exec keep-berth echo fine)"
	expect new "$(dr box echo new)"
	d rm -f ends again
}

@test "daemon docker: berthd is killed under running containers, and docker sees what ended" { away kill; }
@test "daemon docker: berthd is stopped under running containers, and docker sees what ended" { away stop; }

@test "daemon docker: berthd is killed while a client waits for a container" {
	local rc=0 pid

	d run --name waited --network none box sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; echo late; exit 4' \
		>"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	it_until 30 "[ \"\$(d inspect -f '{{.State.Status}}' waited)\" = running ]"
	daemon_kill
	daemon_start
	it_until 30 "d exec waited touch /tmp/go"
	wait "$pid" || rc=$?
	expect '4 late' "$rc $(cat "$BATS_TEST_TMPDIR/out")"
	d rm waited
}

@test "daemon docker: berthd and dockerd are both killed" {
	local daemon pid ends

	until_term live 5
	until_term ends 6
	pid=$(pid_in live)
	ends=$(pid_in ends)
	daemon=$(ns cat "$IT/dockerd.itpid")
	ns kill -KILL "$daemon"
	daemon_kill
	ns kill -TERM "$ends"
	it_wait 30 ns_gone "$ends"
	daemon_start
	dockerd_again
	state ends 'exited 6'
	survived live "$pid" 5
	d rm ends
}

@test "daemon docker: the shim of a container is killed" {
	local id pid shim

	id=$(d run -d --name orphan --network none box sh -c 'sleep 4322 & wait')
	pid=$(pid_in orphan)
	shim=$(shim_of "$id")
	ns kill -KILL "$shim"
	it_wait 30 ns_gone "$pid"
	state orphan 'exited 137'
	it_until 30 "! ns_left | grep -e 'sleep 4322' -e $id"
	d start orphan
	expect fine "$(d exec orphan echo fine)"
	d rm -f orphan
}
