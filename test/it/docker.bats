#!/usr/bin/env bats
# docker.bats: Debian's docker drives the runtime; everything is compared with
# runc driven by the same daemon.
# bats file_tags=nosan

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

@test "docker: everything a default container sees is as with runc" {
	both dr box /probe
	expect_in 'Seccomp:	2'
	expect_in 'FROM_IMAGE=yes'
}

@test "docker: stdin, stdout and stderr are three streams" { docker_streams; }
@test "docker: run -it has a terminal of the right size" { docker_terminal; }
@test "docker: what is typed at a terminal arrives" { docker_typing; }
@test "docker: exit codes 0, 1, 42 and of a signal" { docker_exit_codes; }
@test "docker: exit code 127 for a command that is not there" { docker_exit_127; }
@test "docker: exit code 126 for what cannot be executed" { docker_exit_126; }
@test "docker: exit code 125 for what the runtime refuses" { docker_exit_125; }
@test "docker: a file mounted onto a directory is explained" { docker_file_on_directory; }

@test "docker: a bad executable or interpreter fails like runc's" {
	both dr box /badelf
	both dr box /badinterp
	[ "$status" != 0 ]
}

@test "docker: a sysctl that does not exist" {
	sysctl_rc() { dr --sysctl net.no.such=1 box true >/dev/null 2>&1; echo $?; }
	both sysctl_rc
}

# ---- the options, each compared as a whole ----------------------------------

@test "docker: --user by name, by id, with groups" {
	both dr --user kay box /probe id
	expect_in 'uid=1000(kay)'
	both dr --user 1000:2000 --group-add 6 box /probe status
	both dr --user 4711 box /probe
}

@test "docker: --cap-drop and --cap-add" {
	both dr --cap-drop ALL box /probe status
	both dr --cap-drop ALL --cap-add CHOWN --cap-add NET_RAW box /probe status
	both dr --cap-add SYS_ADMIN --user kay box /probe status
}

@test "docker: --security-opt seccomp and no-new-privileges" {
	cat >"$BATS_TEST_TMPDIR/profile.json" <<-'J'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		  {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
	J
	both dr --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" box mkdir /tmp/x
	expect_in 'No space left'
	both dr --security-opt seccomp=unconfined box /probe status
	expect_in 'Seccomp:	0'
	both dr --security-opt no-new-privileges box /probe status
	expect_in 'NoNewPrivs:	1'
	# docker's default profile refuses a new user namespace.
	both dr box unshare -U true
	[ "$status" != 0 ]
}

@test "docker: --read-only and --tmpfs" { docker_read_only; }
@test "docker: volumes, writable and not" { docker_volumes; }

@test "docker: --shm-size, --ipc, --pid, --uts host" {
	both dr --shm-size 1m box sh -c 'grep /dev/shm /proc/mounts; df -k /dev/shm | tail -n1'
	both dr --ipc host --pid host --uts host box sh -c '/probe ns; /probe mounts; hostname'
	expect_in 'pid pid:world'
}

@test "docker: namespaces of another container" {
	joined() {
		d run --rm --runtime "$(runtime_name)" --ipc "container:$1-$RT" --pid "container:$1-$RT" --network "container:$1-$RT" \
			box sh -c 'for n in ipc pid net; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] && echo $n; done; tr "\0" " " </proc/1/cmdline'
	}
	for RT in berth peer; do
		d run -d --name "share-$RT" --runtime "$(runtime_name)" --ipc shareable --network none box sleep 60 >/dev/null
	done
	both joined share
	expect_in $'ipc\npid\nnet'
}

@test "docker: --ulimit, --oom-score-adj, --sysctl" {
	both dr --ulimit nofile=100:200 --ulimit core=0 --ulimit cpu=50 --oom-score-adj 123 box /probe limits
	expect_in 'oom_score_adj 123'
	both dr --sysctl kernel.shmmax=123456 --sysctl net.ipv4.ip_unprivileged_port_start=7 box /probe sysctl
	expect_in 'kernel/shmmax 123456'
}

@test "docker: --hostname, --workdir, -e, --env-file" {
	echo 'FILE_VAR=from file' >"$BATS_TEST_TMPDIR/env"
	both dr --hostname box7 --domainname example.test --workdir /home/kay/new -e A=1 -e 'B=two words' \
		--env-file "$BATS_TEST_TMPDIR/env" box sh -c 'hostname; cat /proc/sys/kernel/domainname; pwd; env | sort | grep -v HOSTNAME'
	expect_in 'B=two words'
}

@test "docker: --init" { docker_init; }
@test "docker: --privileged" { docker_is_privileged; }

@test "docker: --device" {
	both dr --device /dev/zero:/dev/nought:r box sh -c 'exec 2>&1; ls -l /dev/nought | cut -c1-10; head -c3 /dev/nought | od -An -tx1; : >/dev/nought; /probe values'
	both dr --device-cgroup-rule 'c 1:3 rm' box /probe values
}

@test "docker: --cgroupns private" {
	both dr --cgroupns private box /probe cgroup
	both dr --cgroupns private box /probe mounts
}

# ---- limits -----------------------------------------------------------------

@test "docker: limits, read back inside the cgroup" {
	both dr -m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 300 \
		--cpuset-cpus 0 --cpuset-mems 0 --pids-limit 77 box /probe
	expect_in 'memory/memory.limit_in_bytes 67108864'
	expect_in 'cpu/cpu.cfs_quota_us 50000'
	expect_in 'pids/pids.max 77'
	both dr --memory-swappiness 10 --oom-kill-disable -m 32m box /probe values
}

@test "docker: the pids limit holds" {
	both dr --pids-limit 5 box sh -c 'for i in 1 2 3 4 5 6 7; do sleep 1 & done 2>&1; wait' 
	expect_in 'fork'
}

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
