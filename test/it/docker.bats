#!/usr/bin/env bats
# docker.bats: Debian's docker drives the runtime; everything is compared with
# runc driven by the same daemon.
# bats file_tags=nosan,long

load lib.bash
load setup_docker.bash
load docker_lib.bash

setup_file() {
	it_need dockerd docker-init script busybox python3
	it_world
	docker_up --bridge=none --iptables=false
	for RT in berth peer; do
		d run -d --name "keep-$RT" --hostname kept --runtime "$(runtime_name)" --network none \
			-e WHO=kept -m 128m --pids-limit 99 box sleep 3600 >/dev/null
	done
}

teardown_file() {
	local bad=0

	docker_down || bad=1
	it_end || bad=1
	return "$bad"
}

# ---- run --------------------------------------------------------------------

@test "docker: run prints what the container prints" { docker_prints; }
@test "docker: everything a default container sees is as with runc" { docker_default; }
@test "docker: stdin, stdout and stderr are three streams" { docker_streams; }
@test "docker: run -it has a terminal of the right size" { docker_terminal; }
@test "docker: what is typed at a terminal arrives" { docker_typing; }
@test "docker: exit codes 0, 1, 42 and of a signal" { docker_exit_codes; }
@test "docker: exit code 127 for a command that is not there" { docker_exit_127; }
@test "docker: exit code 126 for what cannot be executed" { docker_exit_126; }
@test "docker: exit code 125 for what the runtime refuses" { docker_exit_125; }
@test "docker: a file mounted onto a directory is explained" { docker_file_on_directory; }
@test "docker: a bad executable or interpreter fails like runc's" { docker_bad_programs; }
@test "docker: a sysctl that does not exist" { docker_no_such_sysctl; }

# ---- the options, each compared as a whole ----------------------------------

@test "docker: --user by name, by id, with groups" { docker_users; }
@test "docker: --cap-drop and --cap-add" { docker_capabilities; }
@test "docker: --security-opt seccomp and no-new-privileges" { docker_security_opt; }
@test "docker: --read-only and --tmpfs" { docker_read_only; }
@test "docker: volumes, writable and not" { docker_volumes; }
@test "docker: --shm-size, --ipc, --pid, --uts host" { docker_host_namespaces; }
@test "docker: namespaces of another container" { docker_shared_namespaces; }
@test "docker: --ulimit, --oom-score-adj, --sysctl" { docker_ulimits; }
@test "docker: --hostname, --workdir, -e, --env-file" { docker_names_and_environment; }
@test "docker: --init" { docker_init; }
@test "docker: --privileged" { docker_is_privileged; }
@test "docker: --device" { docker_devices; }
@test "docker: --cgroupns private" { docker_private_cgroupns; }

# ---- limits -----------------------------------------------------------------

@test "docker: limits, read back inside the cgroup" { docker_limits; }
@test "docker: the pids limit holds" { docker_pids_limit; }
@test "docker: running out of memory is 137 and OOMKilled" { docker_oom; }

# ---- a long-lived container -------------------------------------------------

@test "docker: exec sees the container" { docker_exec; }
@test "docker: exec options" { docker_exec_options; }
@test "docker: exec -it" { docker_exec_terminal; }
@test "docker: top, stats, logs, port, diff" { docker_top_stats_logs; }
@test "docker: pause and unpause" { docker_pause; }
@test "docker: update" { docker_update; }

# ---- ending -----------------------------------------------------------------

@test "docker: kill, with a signal that is caught" { docker_kill; }
@test "docker: stop of a container that ignores TERM is 137" { docker_stop; }
@test "docker: attach, and detach keys" { docker_attach; }
@test "docker: --restart on-failure" { docker_restart_policy; }
@test "docker: health check" { docker_health; }

@test "docker: many at once" {
	crowd() {
		local i pids=()
		for i in 1 2 3 4 5 6; do dr box sh -c "exit $i" & pids+=($!); done
		for i in "${pids[@]}"; do wait "$i"; echo $?; done
	}
	both crowd
	expect $'1\n2\n3\n4\n5\n6'
}

@test "docker: a container deleted or killed behind its back" { docker_behind; }
@test "docker: the runtime's own words arrive" { docker_words; }
