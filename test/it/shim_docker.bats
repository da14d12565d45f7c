#!/usr/bin/env bats
# shim_docker.bats: what docker makes of the shim; see shim_docker_lib.bash.
# bats file_tags=nosan,long

load lib.bash
load shim_lib.bash
load setup_docker.bash
load docker_lib.bash
load shim_docker_lib.bash

setup_file() {
	it_need dockerd docker-init script busybox python3
	it_shim
	it_world
	shim_docker_up --bridge=none --iptables=false --live-restore
	for RT in berth peer; do
		d run -d --name "keep-$RT" --hostname kept --runtime "$(runtime_name)" --network none \
			-e WHO=kept -m 128m --pids-limit 99 box sleep 3600 >/dev/null
	done
}

teardown_file() { shim_docker_down; }

@test "shim docker: it is this shim, and each container is its own runtime's" {
	local id

	for RT in berth peer; do
		id=$(d inspect -f '{{.Id}}' "keep-$RT")
		is_peer || ns test -e "$BUNDLES/$id/berth.json"
		ns "$(rt)" --root "$IT/exec/runtime-runc/moby" state "$id" | grep '"status": "running"'
	done
	ns test -e "$IT/exec/runtime-runc/moby/$id/state.json" # as runc has it
	expect runc "$(d inspect -f '{{.HostConfig.Runtime}}' keep-berth)"
	expect runc "$(d info -f '{{.DefaultRuntime}}')"
	expect fine "$(d run --rm --network none box echo fine)"
}

@test "shim docker: the program of this runtime as an external one" {
	local n

	for n in 0 1 42; do
		run d run --rm --runtime berth --network none box sh -c "echo out; exit $n"
		expect out
		expect "$n" "$status"
	done
	n=0
	d run --rm --runtime berth --network none box no-such || n=$?
	expect 127 "$n"
	d run -d --name ext --runtime berth --network none box sleep 100
	expect fine "$(d exec ext echo fine)"
	d kill ext
	expect 137 "$(d wait ext)"
	d rm ext
}

# ---- run --------------------------------------------------------------------

@test "shim docker: run prints what the container prints" { docker_prints; }
@test "shim docker: stdin, stdout and stderr are three streams" { docker_streams; }

@test "shim docker: all of a long input and of a long output" {
	long() {
		head -c 3000000 /dev/zero | dr -i box wc -c
		dr box seq 300000 | md5sum
	}
	both long
	expect "3000000
$(seq 300000 | md5sum)"
}

@test "shim docker: run -it has a terminal of the right size" { docker_terminal; }
@test "shim docker: what is typed at a terminal arrives" { docker_typing; }
@test "shim docker: exit codes 0, 1, 42 and of a signal" { docker_exit_codes; }
@test "shim docker: exit code 127 for a command that is not there" { docker_exit_127; }
@test "shim docker: exit code 126 for what cannot be executed" { docker_exit_126; }
@test "shim docker: exit code 125 for what the runtime refuses" { docker_exit_125; }
@test "shim docker: a file mounted onto a directory is explained" { docker_file_on_directory; }
@test "shim docker: the runtime's own words arrive" { docker_words; }
@test "shim docker: a bad executable or interpreter fails like runc's" { docker_bad_programs; }
@test "shim docker: a sysctl that does not exist" { docker_no_such_sysctl; }

# ---- the options, each compared as a whole ----------------------------------

@test "shim docker: everything a default container sees is as with runc" { docker_default; }
@test "shim docker: --user by name, by id, with groups" { docker_users; }
@test "shim docker: --cap-drop and --cap-add" { docker_capabilities; }
@test "shim docker: --security-opt seccomp and no-new-privileges" { docker_security_opt; }
@test "shim docker: --shm-size, --ipc, --pid, --uts host" { docker_host_namespaces; }
@test "shim docker: namespaces of another container" { docker_shared_namespaces; }
@test "shim docker: --ulimit, --oom-score-adj, --sysctl" { docker_ulimits; }
@test "shim docker: --hostname, --workdir, -e, --env-file" { docker_names_and_environment; }
@test "shim docker: --device" { docker_devices; }
@test "shim docker: --cgroupns private" { docker_private_cgroupns; }
@test "shim docker: limits, read back inside the cgroup" { docker_limits; }
@test "shim docker: the pids limit holds" { docker_pids_limit; }
@test "shim docker: --read-only and --tmpfs" { docker_read_only; }
@test "shim docker: volumes, writable and not" { docker_volumes; }
@test "shim docker: --init" { docker_init; }
@test "shim docker: --privileged" {
	ours_only 'runc refuses where the host itself lacks a capability'
	docker_is_privileged
}
@test "shim docker: running out of memory is 137 and OOMKilled" { docker_oom; }

@test "shim docker: 20 at once, each with its own output and status" {
	crowd() {
		local i pids=()
		for i in {1..20}; do
			dr box sh -c "echo of $i; exit $i" >"$BATS_TEST_TMPDIR/of$i" 3>&- &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i"
			echo $?
		done
		cat "$BATS_TEST_TMPDIR"/of{1..20}
	}
	both crowd
	expect "$(seq 20; seq 20 | sed 's/^/of /')"
}

# ---- a long-lived container -------------------------------------------------

@test "shim docker: exec sees the container" { docker_exec; }
@test "shim docker: exec options" {
	ours_only 'runc refuses where the host itself lacks a capability'
	docker_exec_options
}
@test "shim docker: exec -it" { docker_exec_terminal; }

@test "shim docker: 10 execs at once, each with its own output and status" {
	crowd() {
		local i pids=()
		for i in {1..10}; do
			d exec "keep-$RT" sh -c "echo of $i; exit $i" >"$BATS_TEST_TMPDIR/of$i" 3>&- &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i"
			echo $?
		done
		cat "$BATS_TEST_TMPDIR"/of{1..10}
	}
	both crowd
	expect "$(seq 10; seq 10 | sed 's/^/of /')"
}

@test "shim docker: top, stats, logs" { docker_top_stats_logs; }
@test "shim docker: pause and unpause" { docker_pause; }
@test "shim docker: update" { docker_update; }

# ---- ending -----------------------------------------------------------------

@test "shim docker: kill, with a signal that is caught" { docker_kill; }
@test "shim docker: stop of a container that ignores TERM is 137, and restart" { docker_stop; }
@test "shim docker: attach, and detach keys" { docker_attach; }
@test "shim docker: --restart on-failure" { docker_restart_policy; }
@test "shim docker: health check" { docker_health; }
@test "shim docker: a container deleted or killed behind its back" { docker_behind; }

@test "shim docker: rm -f of what runs, with all that it has started" {
	removed() {
		local i
		for i in 1 2 3; do
			d run -d --name "rm$i-$RT" --runtime "$(runtime_name)" --network none box \
				sh -c 'trap "" TERM; sleep 4321 & sleep 4321 & wait' >/dev/null
		done
		d exec -d "rm1-$RT" sleep 4321
		d pause "rm2-$RT" >/dev/null
		it_until 30 "[ \$(ns_left | grep -c '^[0-9]* sleep 4321') = 7 ]" && echo all
		d rm -f "rm1-$RT" "rm2-$RT" "rm3-$RT" >/dev/null && echo removed
		it_until 30 "! ns_left | grep 'sleep 4321'" && echo gone
		d ps -a --format '{{.Names}}' | grep -c '^rm'
	}
	both removed
	expect $'all\nremoved\ngone\n0'
}

# ---- the daemon -------------------------------------------------------------

# count NAME: a container that counts, until it gets TERM.
count() {
	d run -d --name "$1" --runtime "$(runtime_name)" --network none box \
		sh -c 'trap "exit 5" TERM; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.05; done' >/dev/null
	it_until 30 "d logs $1 | grep -x 3"
}

again() {
	docker_start --bridge=none --iptables=false --live-restore
}

# survived NAME LINES PID: it runs as before, and what it says arrives.
survived() {
	expect "running $3" "$(d inspect -f '{{.State.Status}} {{.State.Pid}}' "$1")"
	it_until 30 "[ \$(d logs $1 | wc -l) -gt $(($2 + 3)) ]"
	expect fine "$(d exec "$1" echo fine)"
	d stop -t 5 "$1"
	expect 'exited 5' "$(d inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$1")"
}

@test "shim docker: containers outlive a daemon that is stopped, and lose no output" {
	local n pid

	for RT in berth peer; do
		count "live-$RT"
		count "ends-$RT"
	done
	n=$(d logs live-berth | wc -l)
	pid=$(d inspect -f '{{.State.Pid}}' live-berth live-peer ends-berth ends-peer | tr '\n' ' ')
	read -ra pid <<<"$pid"
	ns_stop dockerd
	ns kill -TERM "${pid[2]}" "${pid[3]}"
	ns kill -0 "${pid[0]}"
	ns kill -0 "${pid[1]}"
	again
	survived live-berth "$n" "${pid[0]}"
	survived live-peer "$n" "${pid[1]}"
	for RT in berth peer; do
		# The end is told, too, that nobody was there for.
		it_until 30 "[ \$(d inspect -f '{{.State.ExitCode}}{{.State.Status}}' ends-$RT) = 5exited ]"
		n=$(d logs "live-$RT" | wc -l)
		expect "$(seq "$n")" "$(d logs "live-$RT")"
	done
	d rm live-berth live-peer ends-berth ends-peer
}

@test "shim docker: containers outlive a daemon that is killed" {
	local n pid daemon

	RT=berth
	count killed
	d pause keep-berth
	n=$(d logs killed | wc -l)
	pid=$(d inspect -f '{{.State.Pid}}' killed)
	daemon=$(ns cat "$IT/dockerd.itpid")
	ns kill -KILL "$daemon"
	it_wait 30 ns_gone "$daemon"
	again
	survived killed "$n" "$pid"
	d rm killed
	expect paused "$(d inspect -f '{{.State.Status}}' keep-berth)"
	d unpause keep-berth
	expect fine "$(d exec keep-berth echo fine)"
}

@test "shim docker: the shim of a container is killed" {
	local id pid shim

	RT=berth
	id=$(d run -d --name orphan --network none box sh -c 'sleep 4322 & wait')
	pid=$(d inspect -f '{{.State.Pid}}' orphan)
	shim=$(ns_left | awk -v id="$id" '/containerd-shim/ && $0 ~ " -id " id { print $1 }')
	ns kill -KILL "$shim"
	it_wait 30 ns_gone "$pid"
	it_until 30 "[ \$(d inspect -f '{{.State.Status}}{{.State.ExitCode}}' orphan) = exited137 ]"
	it_until 30 "! ns_left | grep -e 'sleep 4322' -e $id"
	d start orphan
	expect fine "$(d exec orphan echo fine)"
	d rm -f orphan
}
