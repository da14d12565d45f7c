#!/usr/bin/env bats
# podman.bats: Debian's podman, as root, drives the runtime; everything is
# compared with runc driven the same way.
# bats file_tags=nosan,long

load lib.bash
load setup_podman.bash

setup_file() {
	it_need podman conmon crun script busybox python3
	it_world
	podman_up
	for RT in berth peer; do
		p run -d --name "keep-$RT" --hostname kept --cgroup-parent "$IT_CG" \
			-e WHO=kept -m 128m --pids-limit 99 box sleep 3600 >/dev/null
	done
}

teardown_file() {
	local bad=0

	podman_down || bad=1
	it_end || bad=1
	return "$bad"
}

# ---- run --------------------------------------------------------------------

@test "podman: run prints what the container prints" {
	both pr box echo hello
	expect hello
}

@test "podman: everything a default container sees is as with runc" {
	both pr box /probe
	expect_in 'Seccomp:	2'
	expect_in 'FROM_IMAGE=yes'
}

@test "podman: --runtime PATH, which podman knows nothing of" {
	by_path() {
		local RT_PATH=$BERTH
		# shellcheck disable=SC2034
		[ "$RT" = berth ] || RT_PATH=$PEER
		pr "$@"
	}
	both by_path box /probe id
	both_rc 127 by_path box no-such-command
	both_rc 127 by_path box /no/such
	both_rc 126 by_path box /noexec
	both_rc 3 by_path box sh -c 'exit 3'
}

@test "podman: stdin, stdout and stderr are three streams" {
	streams() {
		echo in | pr -i box sh -c 'cat; echo out; echo err >&2' 2>"$BATS_TEST_TMPDIR/err"
		echo "stderr: $(cat "$BATS_TEST_TMPDIR/err")"
	}
	both streams
	expect $'in\nout\nstderr: err'
}

# podman under a terminal: p and pr are functions, so their words are given.
pt() {
	local cmd=$1
	shift
	on_tty ns podman --root "$IT/root" --runroot "$IT/runroot" --tmpdir "$IT/tmp" \
		--storage-driver vfs --log-level error --runtime "$RT" "$cmd" "$@"
}

@test "podman: run -it has a terminal of the right size" {
	both pt run --rm -it --cgroup-parent "$IT_CG" box sh -c '/probe tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; exit 5'
	expect_in three
	expect_in '33 99'
	[ "$status" = 5 ]
}

@test "podman: what is typed at a terminal arrives" {
	typed() {
		type_keys '' 'echo $((6*7))\n' 'exit 3\n' | pt run --rm -it --cgroup-parent "$IT_CG" box sh | grep -x 42
		return "${PIPESTATUS[1]}"
	}
	both typed
	expect 42
	[ "$status" = 3 ]
}

@test "podman: exit codes 0, 1, 42 and of a signal" {
	both_rc 0 pr box true
	both_rc 1 pr box false
	both_rc 42 pr box sh -c 'exit 42'
	both_rc same pr --timeout 1 box sleep 60
}

@test "podman: exit codes 125, 126 and 127" {
	both_rc 127 pr box no-such-command
	both_rc 127 pr box /no/such/command
	both_rc 126 pr box /noexec
	both_rc 126 pr box /etc
	both_rc same pr -v "$IT/vol/file:/data" box true
	both_rc same pr --ulimit nofile=9999999:9999999 box true
	both_rc same pr --sysctl net.no.such=1 box true
	both_rc same pr --workdir /noexec box true
	both_rc 125 pr --no-such-flag box true
}

@test "podman: a bad executable or interpreter fails like runc's" {
	both pr box /badelf
	both pr box /badinterp
	[ "$status" != 0 ]
}

@test "podman: --rootfs" {
	rootfs() {
		[ -d "$IT_OUT/root-$RT" ] || cp -a "$IT_OUT/rootfs" "$IT_OUT/root-$RT"
		pr --rootfs "$IT_OUT/root-$RT" "$@"
	}
	both rootfs /probe
	both rootfs sh -c 'echo kept >/data/new; exit 4'
	[ "$status" = 4 ]
	expect kept "$(cat "$IT_OUT/root-berth/data/new")"
}

# ---- the options, each compared as a whole ----------------------------------

@test "podman: --user, --cap-drop, --cap-add" {
	both pr --user kay box /probe
	expect_in 'uid=1000(kay)'
	both pr --user 1000:2000 --group-add 6 box /probe status
	both pr --user 4711 box /probe id
	both pr --cap-drop ALL box /probe status
	both pr --cap-drop ALL --cap-add CHOWN --cap-add NET_RAW --user kay box /probe status
}

@test "podman: --security-opt" {
	cat >"$BATS_TEST_TMPDIR/profile.json" <<-'J'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		  {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
	J
	both pr --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" box mkdir /tmp/x
	expect_in 'No space left'
	both pr --security-opt seccomp=unconfined --security-opt no-new-privileges box /probe status
	expect_in 'Seccomp:	0'
	expect_in 'NoNewPrivs:	1'
	both pr --security-opt unmask=ALL box sh -c '/probe mounts; /probe masks'
	both pr --security-opt mask=/etc:/data/seed box sh -c 'exec 2>&1; ls /etc; cat /data/seed'
}

@test "podman: --read-only, --tmpfs, --shm-size, --mount" {
	both pr --read-only --tmpfs /tmp:size=1m,noexec,mode=700 box /probe
	both pr --read-only --read-only-tmpfs=false box /probe write
	both pr --shm-size 1m --mount type=tmpfs,dst=/m,tmpfs-size=65536,tmpfs-mode=1770 box \
		sh -c 'grep -E " (/dev/shm|/m) " /proc/mounts; stat -c %a /m'
	both pr --tmpfs /data box ls /data
	both pr --mount type=devpts,dst=/pts box sh -c 'grep " /pts " /proc/mounts'
}

@test "podman: volumes" {
	both pr -v "$IT/vol/rw:/w" -v "$IT/vol/ro:/r:ro" -v "$IT/vol/file:/etc/one:ro" box \
		sh -c 'exec 2>&1; cat /r/file /etc/one; echo x >/w/x && cat /w/x; echo y >/r/x; echo z >/etc/one; true'
	both pr -v "$IT/vol/rw:/w:rslave,noexec,nodev" -v "$IT/vol/rw:/s:rshared" -v "$IT/vol/ro:/r:ro,rprivate" box /probe mounts
	vol() { pr -v "vol-$RT:/data" box cat /data/seed; }
	both vol
	expect seed
}

@test "podman: namespaces of the host" {
	both pr --ipc host --pid host --uts host --network host --cgroupns host box sh -c '/probe ns; /probe mounts; /probe cgroup; hostname'
	expect_in 'pid pid:world'
	expect_in 'net net:world'
	both pr --cgroupns private box /probe cgroup
}

@test "podman: namespaces of another container" {
	joined() {
		pr --ipc "container:keep-$RT" --pid "container:keep-$RT" --network "container:keep-$RT" --uts "container:keep-$RT" \
			box sh -c 'for n in ipc pid net uts; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] && echo $n; done; hostname; tr "\0" " " </proc/1/cmdline'
	}
	both joined
	expect_in kept
}

@test "podman: a user namespace" {
	both pr --uidmap 0:200000:5000 --gidmap 0:300000:5000 box sh -c '/probe; cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/x; stat -c "%u %g" /tmp/x /data/seed'
	expect_in '200000'
	both pr --uidmap 0:200000:5000 -v "$IT/vol/rw:/new/sub/w" --tmpfs /other/t box stat -c '%n %u %g %a' /new /new/sub /other /other/t
	both pr --uidmap 0:200000:5000 --user kay --read-only box /probe
	both pr --uidmap 0:200000:5000 -v "$IT/vol/rw:/w" --cap-add SYS_ADMIN box sh -c 'exec 2>&1; mount -t tmpfs x /mnt || mount -t tmpfs x /tmp && echo mounted; stat -c %u /w'
}

@test "podman: --ulimit, --oom-score-adj, --sysctl, --hostname, --workdir, -e, --init" {
	both pr --ulimit nofile=100:200 --ulimit nproc=9999 --ulimit core=0 --oom-score-adj 123 --sysctl kernel.shmmax=123456 \
		--sysctl net.ipv4.ip_unprivileged_port_start=7 --hostname box7 --workdir /home/kay -e A=1 -e 'B=two words' \
		--umask 0077 box /probe
	expect_in 'oom_score_adj 123'
	expect_in 'kernel/shmmax 123456'
	expect_in 'B=two words'
	both pr --init box sh -c 'tr "\0" " " </proc/1/cmdline'
}

@test "podman: --privileged, --device" {
	both_privileged
	both pr --device /dev/zero:/dev/nought:r box sh -c 'exec 2>&1; ls -l /dev/nought | cut -c1-10; head -c3 /dev/nought | od -An -tx1; : >/dev/nought; /probe values'
}

# --privileged gives what the host has; device numbers and mounts of the host show.
both_privileged() {
	both pr --privileged box sh -c '/probe status; /probe write; /probe values; /probe masks; /probe dev; mount -t tmpfs x /data && echo mounted'
	expect_in mounted
}

@test "podman: --preserve-fds" {
	fds() {
		p run --rm --cgroup-parent "$IT_CG" --preserve-fds 2 box sh -c 'cat <&3; cat <&4' 3< <(echo three) 4< <(echo four)
	}
	both fds
	expect $'three\nfour'
}

@test "podman: hooks see the state" {
	local h
	for h in prestart createRuntime createContainer poststart poststop; do
		ns sh -c "cat >$IT/hooks/$h.json" <<-J
			{"version": "1.0.0", "when": {"annotations": {"^hooked$": "yes"}}, "stages": ["$h"],
			 "hook": {"path": "/bin/sh", "args": ["sh", "-c", "cat >$IT/vol/hook-$h-\$WHICH", "x"], "env": ["WHICH=last", "PATH=/usr/bin:/bin"]}}
		J
	done
	hooked() {
		ns sh -c "rm -f $IT/vol/hook-*"
		pr --annotation hooked=yes --name "hook-$RT" box echo ran
		it_until 30 "ns test -e $IT/vol/hook-poststop-last"
		ns python3 - "$IT/vol" <<-'P'
			import glob, json, os, sys
			for f in sorted(glob.glob(sys.argv[1] + "/hook-*")):
			    s = json.load(open(f))
			    status = s["status"] if "poststart" not in f else "created or running"
			    print(os.path.basename(f), sorted(s), status, s.get("pid", 0) > 0)
		P
	}
	both hooked
	expect_in ran
	[ "$status" = 0 ]
}

# ---- limits -----------------------------------------------------------------

@test "podman: limits, read back inside the cgroup" {
	both pr -m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 300 \
		--cpuset-cpus 0 --cpuset-mems 0 --pids-limit 77 box /probe
	expect_in 'memory/memory.limit_in_bytes 67108864'
	expect_in 'cpu/cpu.cfs_quota_us 50000'
	expect_in 'pids/pids.max 77'
}

@test "podman: running out of memory is 137 and OOMKilled" {
	oom() {
		p run --name "oom-$RT" --cgroup-parent "$IT_CG" -m 16m --memory-swap 16m box tail /dev/zero
		echo "rc $?"
		p inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' "oom-$RT"
	}
	both oom
	expect_in 'rc 137'
}

@test "podman: --cgroups=disabled" {
	case $BERTH in */runc) skip "runc cannot" ;; esac
	RT=berth
	run p run --rm --cgroups=disabled box sh -c '/probe cgroup'
	[ "$status" = 0 ]
	local got=$output
	RT=crun
	run p run --rm --cgroups=disabled box sh -c '/probe cgroup'
	[ "$status" = 0 ]
	expect "$output" "$got"
}

# ---- a long-lived container -------------------------------------------------

@test "podman: exec" {
	ex() { p exec "keep-$RT" "$@"; }
	both ex /probe
	expect_in 'WHO=kept'
	both_rc 7 ex sh -c 'exit 7'
	both_rc 127 ex no-such-command
	both_rc 127 ex /no/such
	both_rc 126 ex /noexec
	exo() { local o=(); while [ "$1" != -- ]; do o+=("$1"); shift; done; shift; p exec "${o[@]}" "keep-$RT" "$@"; }
	both exo --user kay --workdir /home -e EX=1 -- /probe
	expect_in 'EX=1'
	both exo --privileged -- /probe status
	both exo --user 1000:6 -- id
	piped() { echo piped | exo -i -- cat; }
	both piped
	expect piped
	both_rc 0 exo -d -- touch /tmp/detached
	it_until 30 'RT=berth ex test -e /tmp/detached'
	both_rc same exo --workdir /no/such/dir -- true
}

@test "podman: exec -it" {
	ext() { pt exec -it "keep-$RT" "$@"; }
	both ext sh -c '/probe tty; exit 9'
	expect_in '33 99'
	[ "$status" = 9 ]
	typed() {
		type_keys '' 'echo $((6*7))\n' 'exit 4\n' | ext sh | grep -x 42
		return "${PIPESTATUS[1]}"
	}
	both typed
	expect 42
	[ "$status" = 4 ]
}

@test "podman: top, stats, logs, inspect" {
	ptop() { p top "keep-$RT" user pid comm args; }
	both ptop
	expect_in 'sleep 3600'
	stats() { p stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' "keep-$RT" | sed -E 's/[0-9.]+[kM]B/N/'; }
	both stats
	expect_in '1 N / 134.2MB'
	logged() {
		p run -d --name "log-$RT" --cgroup-parent "$IT_CG" box sh -c 'echo one; echo two >&2; exit 5' >/dev/null
		p wait "log-$RT"
		p logs "log-$RT" 2>&1 | sort
		p start -a "log-$RT" 2>&1 | sort
		p inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' "log-$RT"
	}
	both logged
	expect_in 'exited 5 0'
}

@test "podman: pause and unpause" {
	paused() {
		p pause "keep-$RT" >/dev/null
		p inspect -f '{{.State.Status}} {{.State.Paused}}' "keep-$RT"
		cat "$(it_hierarchies | grep '/freezer$')$IT_CG/libpod-$(p inspect -f '{{.Id}}' "keep-$RT")/freezer.state"
		p exec "keep-$RT" true >/dev/null 2>&1
		echo "exec $?"
		p unpause "keep-$RT" >/dev/null
		p inspect -f '{{.State.Status}}' "keep-$RT"
		p exec "keep-$RT" echo alive
	}
	both paused
	expect_in FROZEN
	expect_in alive
}

@test "podman: update" {
	updated() {
		p update --memory 64m --memory-swap 80m --cpus 0.25 --cpuset-cpus 0 "keep-$RT" >/dev/null
		echo "rc $?"
		p exec "keep-$RT" /probe values
	}
	both updated
	expect_in 'rc 0'
	expect_in 'cpu/cpu.cfs_quota_us 25000'
}

# ---- ending -----------------------------------------------------------------

@test "podman: init, start, kill, stop, restart, rm" {
	life() {
		p create --name "k-$RT" --cgroup-parent "$IT_CG" box \
			sh -c 'trap "echo got-usr1" USR1; trap "echo got-term; exit 6" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
		p init "k-$RT" >/dev/null
		p inspect -f '{{.State.Status}}' "k-$RT"
		p start "k-$RT" >/dev/null
		it_until 30 "p logs k-$RT | grep ready"
		p kill -s USR1 "k-$RT" >/dev/null
		it_until 30 "p logs k-$RT | grep got-usr1" && echo caught
		p stop -t 5 "k-$RT" >/dev/null
		p inspect -f '{{.State.ExitCode}} {{.State.Status}}' "k-$RT"
		p kill "k-$RT" >/dev/null 2>&1
		echo "kill $?"
		p restart -t 1 "k-$RT" >/dev/null
		p inspect -f '{{.State.Status}}' "k-$RT"
		p kill "k-$RT" >/dev/null
		p wait "k-$RT"
		p rm "k-$RT" >/dev/null
		p inspect "k-$RT" >/dev/null 2>&1
		echo "gone $?"
	}
	both life
	expect_in caught
	expect_in '6 exited'
	expect_in 137
}

@test "podman: stop of a container that ignores TERM is 137" {
	stubborn() {
		p run -d --name "s-$RT" --cgroup-parent "$IT_CG" box sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
		p stop -t 1 "s-$RT" >/dev/null 2>&1
		p inspect -f '{{.State.ExitCode}} {{.State.Status}}' "s-$RT"
		p rm -f "s-$RT" >/dev/null
	}
	both stubborn
	expect '137 exited'
}

@test "podman: rm -f of running, paused and created containers" {
	removed() {
		p run -d --name "f1-$RT" --cgroup-parent "$IT_CG" box sleep 60 >/dev/null
		p run -d --name "f2-$RT" --cgroup-parent "$IT_CG" box sleep 60 >/dev/null
		p pause "f2-$RT" >/dev/null
		p create --name "f3-$RT" --cgroup-parent "$IT_CG" box sleep 60 >/dev/null
		p init "f3-$RT" >/dev/null
		p rm -f -t 0 "f1-$RT" "f2-$RT" "f3-$RT" >/dev/null
		echo "$?"
	}
	both removed
	expect 0
}

@test "podman: attach" {
	attached() {
		p create -i --name "a-$RT" --cgroup-parent "$IT_CG" box cat >/dev/null
		echo hello | p start -ai "a-$RT"
		p wait "a-$RT"
		p run -d --name "c-$RT" --cgroup-parent "$IT_CG" box sh -c 'sleep 5; echo late; exit 4' >/dev/null
		p attach "c-$RT" | grep late
		p wait "c-$RT"
	}
	both attached
	expect $'hello\n0\nlate\n4'
}

@test "podman: --restart and health checks" {
	restarted() {
		p run -d --name "r-$RT" --cgroup-parent "$IT_CG" --restart on-failure:2 box sh -c 'echo try; exit 3' >/dev/null
		it_until 30 "[ \"\$(p inspect -f '{{.RestartCount}}{{.State.Status}}' r-$RT)\" = 2exited ]"
		p logs "r-$RT"
	}
	both restarted
	expect $'try\ntry\ntry'
	healthy() {
		p run -d --name "h-$RT" --cgroup-parent "$IT_CG" --health-cmd 'test -e /tmp/well' --health-interval disable \
			--health-retries 1 box sleep 60 >/dev/null
		p healthcheck run "h-$RT"
		echo "$?"
		p exec "h-$RT" touch /tmp/well
		p healthcheck run "h-$RT"
		echo "$?"
	}
	both healthy
	expect $'unhealthy\n1\n0'
}

@test "podman: pods" {
	pod() {
		p pod create --name "pod-$RT" --cgroup-parent "$IT_CG" --share ipc,net,uts,pid --hostname inpod >/dev/null
		p run -d --pod "pod-$RT" --name "one-$RT" box sleep 60 >/dev/null
		p run --rm --pod "pod-$RT" box sh -c 'hostname; tr "\0" " " </proc/1/cmdline; ps | grep -c "[s]leep 60"; /probe cgroup'
		p pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}' --filter "name=pod-$RT"
		p pod pause "pod-$RT" >/dev/null
		p pod inspect -f '{{.State}}' "pod-$RT"
		p pod unpause "pod-$RT" >/dev/null
		p pod top "pod-$RT" comm | sort | uniq -c
		p pod stop -t 0 "pod-$RT" >/dev/null 2>&1
		p pod inspect -f '{{.State}}' "pod-$RT"
		p pod start "pod-$RT" >/dev/null
		p exec "one-$RT" echo again
		p pod rm -f -t 0 "pod-$RT" >/dev/null 2>&1
		echo "$?"
	}
	both pod
	expect_in inpod
	expect_in again
}

@test "podman: many at once" {
	crowd() {
		local i pids=()
		for i in 1 2 3 4 5; do pr box sh -c "exit $i" & pids+=($!); done
		for i in "${pids[@]}"; do wait "$i"; echo $?; done
	}
	both crowd
	expect $'1\n2\n3\n4\n5'
}

@test "podman: a container deleted or killed behind its back" {
	behind() {
		local id
		id=$(p run -d --name "bb-$RT" --cgroup-parent "$IT_CG" box sleep 60)
		ns "$(rt)" delete --force "$id"
		p wait "bb-$RT"
		p inspect -f '{{.State.Status}} {{.State.ExitCode}}' "bb-$RT"
		p start "bb-$RT" >/dev/null
		ns "$(rt)" kill "$id" KILL
		p wait "bb-$RT"
		p kill "bb-$RT" >/dev/null 2>&1
		echo "kill $?"
		p rm "bb-$RT" >/dev/null
	}
	both behind
	expect_in 137
}
