# docker_lib.bash: what docker.bats and shim_docker.bats both look at, each with
# the runtime that is `runtime_name` of the turn.

# All that there is: where the host itself lacks a capability, runc refuses, and
# berth does as the specification says, which warns and goes on. A newer dockerd
# asks for what there is.
privileged() { # COMMAND…: under both, if runc can
	local last all

	last=$(cat /proc/sys/kernel/cap_last_cap)
	all=$(printf '%016x' $(((1 << (last + 1)) - 1)))
	if grep -q "^CapBnd:.$all" /proc/self/status || [[ $(dockerd --version) != 'Docker version 20.'* ]]; then
		both "$@"
		return
	fi
	RT=peer
	run "$@"
	[ "$status" != 0 ]
	expect_in 'peration not permitted'
	RT=berth
	run "$@"
	[ "$status" = 0 ]
}

d_top() {
	d top "keep-$RT" -o user,comm,args
}

# run prints what the container prints
docker_prints() {
	both dr box echo hello
	expect hello
}

# stdin, stdout and stderr are three streams
docker_streams() {
	streams() {
		echo in | dr -i box sh -c 'cat; echo out; echo err >&2' 2>"$BATS_TEST_TMPDIR/err"
		echo "stderr: $(cat "$BATS_TEST_TMPDIR/err")"
	}
	both streams
	expect $'in\nout\nstderr: err'
}

# run -it has a terminal of the right size
docker_terminal() {
	tty_run() { on_tty ns "$DOCKER" run --rm -it --runtime "$(runtime_name)" --network none box "$@"; }
	both tty_run sh -c '/probe tty; tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; exit 5'
	expect_in three
	[ "$status" = 5 ]
}

# what is typed at a terminal arrives
docker_typing() {
	typed() {
		type_keys 'echo $((6*7))\n' 'exit 3\n' |
			on_tty ns "$DOCKER" run --rm -it --runtime "$(runtime_name)" --network none box sh | grep -x 42
		return "${PIPESTATUS[1]}"
	}
	both typed
	expect 42
	[ "$status" = 3 ]
}

# exit codes 0, 1, 42 and of a signal
docker_exit_codes() {
	both_rc 0 dr box true
	both_rc 1 dr box false
	both_rc 42 dr box sh -c 'exit 42'
	both_rc 143 dr --init box sh -c 'kill -TERM $$'
}

# exit code 127 for a command that is not there
docker_exit_127() {
	both_rc 127 dr box no-such-command
	both_rc 127 dr box /no/such/command
}

# exit code 126 for what cannot be executed
docker_exit_126() {
	both_rc 126 dr box /noexec
	both_rc 126 dr box /etc
}

# exit code 125 for what the runtime refuses
docker_exit_125() {
	both_rc 125 dr --ulimit nofile=9999999:9999999 box true
}

# a file mounted onto a directory is explained
docker_file_on_directory() {
	both_rc 125 dr -v "$IT/vol/file:/data" box true
	for RT in berth peer; do
		run dr -v "$IT/vol/file:/data" box true
		expect_in 'Are you trying to mount a directory onto a file'
	done
}

# --read-only and --tmpfs
docker_read_only() {
	both dr --read-only --tmpfs /tmp:size=1m,noexec,mode=700 box /probe
	both dr --read-only --tmpfs /tmp:size=64k box sh -c 'dd if=/dev/zero of=/tmp/x bs=1k count=100 2>&1 | head -n1'
	both dr --tmpfs /data box ls /data
	both dr --mount type=tmpfs,dst=/m,tmpfs-size=65536,tmpfs-mode=1770 box sh -c 'grep " /m " /proc/mounts; stat -c %a /m'
}

# volumes, writable and not
docker_volumes() {
	both dr -v "$IT/vol/rw:/w" -v "$IT/vol/ro:/r:ro" -v "$IT/vol/file:/etc/one:ro" box \
		sh -c 'exec 2>&1; cat /r/file /etc/one; echo x >/w/x && cat /w/x; echo y >/r/x; echo z >/etc/one; true'
	both dr -v "$IT/vol/rw:/w:rslave" -v "$IT/vol/rw:/s:rshared" -v "$IT/vol/ro:/r:ro,rprivate" box /probe mounts
	both dr -v named:/data box cat /data/seed
	expect seed
}

# --init
docker_init() {
	both dr --init box sh -c 'cat /proc/1/comm'
	expect_in docker-init
}

# --privileged
docker_is_privileged() {
	privileged dr --privileged box sh -c 'mount -t tmpfs x /data && mknod /tmp/d b 7 0 && echo fine'
	expect fine
	local caps=() i
	for i in SYS_ADMIN NET_ADMIN MKNOD SYS_PTRACE SYS_MODULE SYS_TIME DAC_READ_SEARCH SYSLOG IPC_LOCK; do
		caps+=(--cap-add "$i")
	done
	wide() {
		dr "${caps[@]}" --security-opt seccomp=unconfined --security-opt systempaths=unconfined \
			--device-cgroup-rule 'a *:* rwm' box "$@"
	}
	both wide /probe
	expect_in '/data yes'
	both wide sh -c 'mount -t tmpfs x /data && mknod /tmp/d b 7 0 && echo fine'
	expect fine
}

# running out of memory is 137 and OOMKilled
docker_oom() {
	oom() {
		d run --name "oom-$RT" --runtime "$(runtime_name)" --network none -m 16m --memory-swap 16m box tail /dev/zero
		echo "rc $?"
		d inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' "oom-$RT"
	}
	both oom
	expect_in 'rc 137'
	expect_in 'true 137'
}

# exec sees the container
docker_exec() {
	ex() { d exec "keep-$RT" "$@"; }
	both ex /probe
	expect_in 'WHO=kept'
	both_rc 7 ex sh -c 'exit 7'
	# docker 20.10 says 126 for all of these, later ones 127 for the first two.
	both_rc same ex no-such-command
	both_rc same ex /no/such
	both_rc same ex /noexec
}

# exec options
docker_exec_options() {
	ex() { local o=(); while [ "$1" != -- ]; do o+=("$1"); shift; done; shift; d exec "${o[@]}" "keep-$RT" "$@"; }
	both ex --user kay --workdir /home -e EX=1 -- /probe
	expect_in 'EX=1'
	privileged ex --privileged -- sh -c 'mknod /tmp/d b 7 0 && rm /tmp/d && echo fine'
	expect fine
	both ex --user 1000:6 -- id
	piped() { echo piped | ex -i -- cat; }
	both piped
	expect piped
	both ex -d -- touch /tmp/detached
	it_until 30 'd exec keep-berth test -e /tmp/detached'
	both_rc same ex --workdir /no/such/dir -- true
}

# exec -it
docker_exec_terminal() {
	ex() { on_tty ns "$DOCKER" exec -it "keep-$RT" "$@"; }
	both ex sh -c '/probe tty; exit 9'
	expect_in '33 99'
	[ "$status" = 9 ]
	typed() {
		type_keys 'echo $((6*7))\n' 'exit 4\n' | ex sh | grep -x 42
		return "${PIPESTATUS[1]}"
	}
	both typed
	expect 42
	[ "$status" = 4 ]
}

# top, stats, logs, port, diff
docker_top_stats_logs() {
	both d_top
	out=$(d stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' keep-berth keep-peer)
	echo "$out"
	[ "$(grep -cE '^keep-(berth|peer) 1 [0-9.]+[KM]iB / 128MiB' <<<"$out")" = 2 ]
	logged() {
		d run -d --name "log-$RT" --runtime "$(runtime_name)" --network none box sh -c 'echo one; echo two >&2' >/dev/null
		d wait "log-$RT"
		d logs "log-$RT" 2>&1 | sort
		d start -a "log-$RT" 2>&1 | sort
		d logs "log-$RT" 2>&1 | wc -l
	}
	both logged
}

# pause and unpause
docker_pause() {
	paused() {
		d pause "keep-$RT"
		d inspect -f '{{.State.Status}} {{.State.Paused}}' "keep-$RT"
		cat "$(it_hierarchies | grep '/freezer$')$IT_CG/$(d inspect -f '{{.Id}}' "keep-$RT")/freezer.state"
		d exec "keep-$RT" true
		echo "exec $?"
		d pause "keep-$RT"
		echo "again $?"
		d unpause "keep-$RT"
		d inspect -f '{{.State.Status}}' "keep-$RT"
		d exec "keep-$RT" echo alive
	}
	both paused
	expect_in FROZEN
	expect_in alive
}

# update
docker_update() {
	updated() {
		d update --memory 64m --memory-swap 80m --cpus 0.25 --cpuset-cpus 0 --pids-limit 44 --cpu-shares 55 "keep-$RT"
		d exec "keep-$RT" /probe values
		d update --memory 100m --memory-swap 200m --pids-limit -1 --cpus 0.75 "keep-$RT"
		d exec "keep-$RT" /probe values
	}
	both updated
	expect_in 'pids/pids.max 44'
	expect_in 'cpu/cpu.cfs_quota_us 75000'
}

# kill, with a signal that is caught
docker_kill() {
	killed() {
		d run -d --name "k-$RT" --runtime "$(runtime_name)" --network none box \
			sh -c 'trap "echo got-usr1" USR1; trap "echo got-term; exit 6" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
		it_until 30 "d logs k-$RT | grep ready"
		d kill -s USR1 "k-$RT"
		it_until 30 "d logs k-$RT | grep got-usr1" && echo caught
		d stop -t 5 "k-$RT"
		d inspect -f '{{.State.ExitCode}} {{.State.Status}}' "k-$RT"
		d kill "k-$RT" 2>&1 | sed 's/.*is not running/is not running/'
		d start "k-$RT"
		it_until 30 "[ \$(d logs k-$RT | grep -c ready) = 2 ]"
		d kill "k-$RT"
		d wait "k-$RT"
		d rm "k-$RT"
	}
	both killed
	expect_in caught
	expect_in '6 exited'
	expect_in 137
}

# stop of a container that ignores TERM is 137
docker_stop() {
	stubborn() {
		d run -d --name "s-$RT" --runtime "$(runtime_name)" --network none box sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
		d stop -t 1 "s-$RT"
		d inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "s-$RT"
		d restart -t 0 "s-$RT"
		d inspect -f '{{.State.Status}}' "s-$RT"
		d rm -f "s-$RT"
	}
	both stubborn
	expect_in '137 false'
}

# attach, and detach keys
docker_attach() {
	attached() {
		d create -i --name "a-$RT" --runtime "$(runtime_name)" --network none box cat >/dev/null
		echo hello | d start -ai "a-$RT"
		d wait "a-$RT"
		d run -d --name "c-$RT" --runtime "$(runtime_name)" --network none box sh -c 'sleep 5; echo late; exit 4' >/dev/null
		d attach "c-$RT"
		echo "$?"
	}
	both attached
	expect $'hello\n0\nlate\n4'
	detached() {
		type_keys 'echo typed\n' '\020\021' |
			on_tty ns "$DOCKER" run -it --name "b-$RT" --runtime "$(runtime_name)" --network none box sh | grep -c typed
		d inspect -f '{{.State.Running}}' "b-$RT"
		type_keys 'exit 8\n' | on_tty ns "$DOCKER" attach "b-$RT" >/dev/null
		d wait "b-$RT"
	}
	both detached
	expect_in $'true\n8'
}

# --restart on-failure
docker_restart_policy() {
	restarted() {
		d run -d --name "r-$RT" --runtime "$(runtime_name)" --network none --restart on-failure:2 box sh -c 'echo try; exit 3' >/dev/null
		it_until 30 "[ \$(d inspect -f '{{.RestartCount}}{{.State.Status}}' r-$RT) = 2exited ]"
		d logs "r-$RT"
		d inspect -f '{{.RestartCount}} {{.State.ExitCode}}' "r-$RT"
	}
	both restarted
	expect_in '2 3'
}

# health check
docker_health() {
	healthy() {
		d run -d --name "h-$RT" --runtime "$(runtime_name)" --network none --health-cmd 'test -e /tmp/well' \
			--health-interval 0.3s --health-retries 1 box sh -c 'sleep 1; touch /tmp/well; sleep 60' >/dev/null
		it_until 30 "[ \$(d inspect -f '{{.State.Health.Status}}' h-$RT) = unhealthy ]" && echo ill
		it_until 30 "[ \$(d inspect -f '{{.State.Health.Status}}' h-$RT) = healthy ]" && echo well
	}
	both healthy
	expect $'ill\nwell'
}

# a container deleted or killed behind its back
docker_behind() {
	behind() {
		local id
		id=$(d run -d --name "bb-$RT" --runtime "$(runtime_name)" --network none box sleep 60)
		ns "$(rt)" --root "$IT/exec/runtime-runc/moby" delete --force "$id"
		d wait "bb-$RT"
		d start "bb-$RT"
		ns "$(rt)" --root "$IT/exec/runtime-runc/moby" kill "$id" KILL
		d stop -t 1 "bb-$RT"
		d inspect -f '{{.State.ExitCode}} {{.State.Status}}' "bb-$RT"
		d rm "bb-$RT"
	}
	both behind
	expect_in '137 exited'
}

# the runtime's own words arrive
docker_words() {
	words() {
		for RT in berth peer; do
			output=$(dr "${@:2}" 2>&1) && return 1
			expect_in "$1" || return 1
		done
	}
	words 'exec: "no-such": executable file not found in $PATH' box no-such
	words 'exec: "/no/such": stat /no/such: no such file or directory' box /no/such
	words 'exec: "/noexec": permission denied' box /noexec
	words 'exec: "/etc": permission denied' box /etc
}

# everything a default container sees is as with runc
docker_default() {
	both dr box /probe
	expect_in 'Seccomp:	2'
	expect_in 'FROM_IMAGE=yes'
}

# a bad executable or interpreter fails like runc's
docker_bad_programs() {
	both dr box /badelf
	both dr box /badinterp
	[ "$status" != 0 ]
}

# a sysctl that does not exist
docker_no_such_sysctl() {
	sysctl_rc() { dr --sysctl net.no.such=1 box true >/dev/null 2>&1; echo $?; }
	both sysctl_rc
}

# --user by name, by id, with groups
docker_users() {
	both dr --user kay box /probe id
	expect_in 'uid=1000(kay)'
	both dr --user 1000:2000 --group-add 6 box /probe status
	both dr --user 4711 box /probe
}

# --cap-drop and --cap-add
docker_capabilities() {
	both dr --cap-drop ALL box /probe status
	both dr --cap-drop ALL --cap-add CHOWN --cap-add NET_RAW box /probe status
	both dr --cap-add SYS_ADMIN --user kay box /probe status
}

# --security-opt seccomp and no-new-privileges
docker_security_opt() {
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

# --shm-size, --ipc, --pid, --uts host
docker_host_namespaces() {
	both dr --shm-size 1m box sh -c 'grep /dev/shm /proc/mounts; df -k /dev/shm | tail -n1'
	both dr --ipc host --pid host --uts host box sh -c '/probe ns; /probe mounts; hostname'
	expect_in 'pid pid:world'
}

# namespaces of another container
docker_shared_namespaces() {
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

# --ulimit, --oom-score-adj, --sysctl
docker_ulimits() {
	both dr --ulimit nofile=100:200 --ulimit core=0 --ulimit cpu=50 --oom-score-adj 123 box /probe limits
	expect_in 'oom_score_adj 123'
	both dr --sysctl kernel.shmmax=123456 --sysctl net.ipv4.ip_unprivileged_port_start=7 box /probe sysctl
	expect_in 'kernel/shmmax 123456'
}

# --hostname, --workdir, -e, --env-file
docker_names_and_environment() {
	echo 'FILE_VAR=from file' >"$BATS_TEST_TMPDIR/env"
	both dr --hostname box7 --domainname example.test --workdir /home/kay/new -e A=1 -e 'B=two words' \
		--env-file "$BATS_TEST_TMPDIR/env" box sh -c 'hostname; cat /proc/sys/kernel/domainname; pwd; env | sort | grep -v HOSTNAME'
	expect_in 'B=two words'
}

# --device
docker_devices() {
	both dr --device /dev/zero:/dev/nought:r box sh -c 'exec 2>&1; ls -l /dev/nought | cut -c1-10; head -c3 /dev/nought | od -An -tx1; : >/dev/nought; /probe values'
	both dr --device-cgroup-rule 'c 1:3 rm' box /probe values
}

# --cgroupns private
docker_private_cgroupns() {
	both dr --cgroupns private box /probe cgroup
	both dr --cgroupns private box /probe mounts
}

# limits, read back inside the cgroup
docker_limits() {
	both dr -m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 300 \
		--cpuset-cpus 0 --cpuset-mems 0 --pids-limit 77 box /probe
	expect_in 'memory/memory.limit_in_bytes 67108864'
	expect_in 'cpu/cpu.cfs_quota_us 50000'
	expect_in 'pids/pids.max 77'
	both dr --memory-swappiness 10 --oom-kill-disable -m 32m box /probe values
}

# the pids limit holds
docker_pids_limit() {
	both dr --pids-limit 5 box sh -c 'for i in 1 2 3 4 5 6 7; do sleep 1 & done 2>&1; wait' 
	expect_in 'fork'
}
