#!/usr/bin/env bats
# podman_rootless.bats: podman as an ordinary user with a range of subordinate
# ids (newuidmap), without a cgroup of its own to manage. Compared with runc.
# bats file_tags=nosan

load lib.bash
load setup_podman.bash

# The user exists only in the world: its mount namespace has its own /etc files.
setup_file() {
	it_need podman conmon crun newuidmap newgidmap setpriv script busybox
	it_world
	it_accounts "passwd kim:x:4242:4242::$IT/u/home:/bin/sh" 'group kim:x:4242:' \
		'subuid kim:500000:65536' 'subgid kim:600000:65536'
	ns sh -ec "
		mkdir -p $IT/u/home /run/user/4242
		chown -R 4242:4242 $IT/u /run/user/4242
		chmod 700 /run/user/4242"
	export POD=$IT/u
	export AS_USER="setpriv --reuid 4242 --regid 4242 --clear-groups env -u SUDO_UID
		HOME=$IT/u/home XDG_RUNTIME_DIR=/run/user/4242 TMPDIR=/run/user/4242 USER=kim LOGNAME=kim"
	podman_up
	ns chown -R 4242:4242 "$IT/vol"
	for RT in berth peer; do
		p run -d --name "keep-$RT" box sleep 3600 >/dev/null
	done
}

teardown_file() {
	local pid bad=0

	podman_down || bad=1
	# The pause process that holds the user namespace.
	pid=$(ns cat "$POD/tmp/pause.pid" 2>/dev/null || ns cat /run/user/4242/libpod/tmp/pause.pid 2>/dev/null)
	[ -z "$pid" ] || ns kill "$pid"
	it_end || bad=1
	return "$bad"
}

ur() {
	p run --rm "$@"
}

@test "rootless podman: run" {
	both ur box echo hello
	expect hello
	both ur box /probe
	expect_in 'uid=0(root)'
}

@test "rootless podman: the user and its subordinate ids are mapped" {
	both ur box sh -c 'cat /proc/self/uid_map /proc/self/gid_map'
	expect_in 4242
	expect_in 500000
	expect_in 600000
	both ur --user kay box sh -c 'id; touch /tmp/x; stat -c "%u %g" /tmp/x'
	both ur --userns keep-id box sh -c 'id -u; cat /proc/self/uid_map'
	both ur --uidmap 0:1:1000 --gidmap 0:1:1000 box cat /proc/self/uid_map /proc/self/gid_map
}

@test "rootless podman: volumes belong to the user" {
	vol() {
		ur -v "$IT/vol/rw:/w" -v "$IT/vol/ro:/r:ro" box sh -c "echo mine >/w/$RT; stat -c '%u %g' /w/$RT; (echo x >/r/x) 2>&1; cat /r/file"
		ns stat -c '%u %g' "$IT/vol/rw/$RT"
	}
	both vol
	expect_in '4242 4242'
}

@test "rootless podman: exit codes" {
	both_rc 0 ur box true
	both_rc 7 ur box sh -c 'exit 7'
	both_rc 127 ur box no-such-command
	both_rc 126 ur box /noexec
	both ur box /badelf
}

@test "rootless podman: a terminal" {
	tty_run() {
		# shellcheck disable=SC2086
		on_tty ns $AS_USER podman --root "$POD/root" --runroot "$POD/runroot" --tmpdir "$POD/tmp" \
			--storage-driver vfs --log-level error --runtime "$RT" run --rm -it box sh -c '/probe tty; exit 5'
	}
	both tty_run
	expect_in '33 99'
	[ "$status" = 5 ]
}

@test "rootless podman: --read-only, --tmpfs, --cap-drop, seccomp, --init, --shm-size, --hostname" {
	both ur --read-only --tmpfs /tmp:size=1m,mode=700 --cap-drop ALL --shm-size 1m --hostname rl box /probe
	both ur --security-opt seccomp=unconfined --security-opt no-new-privileges --init box /probe status
	both ur --privileged box sh -c '/probe status; /probe write; mount -t tmpfs x /data && echo mounted'
	expect_in mounted
	both ur --sysctl kernel.shmmax=123456 --ulimit nofile=100:200 --ulimit nproc=9999 --user 1000:2000 box sh -c '/probe sysctl; /probe limits'
}

@test "rootless podman: namespaces of the host" {
	both ur --network host --ipc host --uts host box /probe ns
	both ur --pid host box /probe ns
}

@test "rootless podman: --rootfs" {
	rootfs() {
		ns mkdir "$POD/rootfs-$RT"
		ns tar -C "$POD/rootfs-$RT" -x <"$IT_OUT/rootfs.tar"
		ns chown -R 4242:4242 "$POD/rootfs-$RT"
		ur --rootfs "$POD/rootfs-$RT" sh -c 'id -u; ls -ld /data | cut -c1-10; echo y >/data/new'
	}
	both rootfs
}

@test "rootless podman: exec, top, logs, kill, stop" {
	ex() { p exec "keep-$RT" "$@"; }
	both ex /probe
	both_rc 3 ex sh -c 'exit 3'
	both_rc 127 ex no-such-command
	exu() { p exec --user kay -i "keep-$RT" sh -c 'id; cat' <<<"piped"; }
	both exu
	expect_in piped
	life() {
		p run -d --name "k-$RT" box sh -c 'trap "exit 6" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
		it_until 30 "p logs k-$RT | grep ready"
		p top "k-$RT" user comm | grep -v sleep # which comes and goes
		p stop -t 5 "k-$RT" >/dev/null
		p inspect -f '{{.State.ExitCode}} {{.State.Status}}' "k-$RT"
		p start "k-$RT" >/dev/null
		p kill "k-$RT" >/dev/null
		p wait "k-$RT"
		p rm "k-$RT" >/dev/null
	}
	both life
	expect_in '6 exited'
	expect_in 137
}

@test "rootless podman: --cgroups=disabled" {
	case $BERTH in */runc) skip "runc cannot" ;; esac
	local RT=berth
	run ur --cgroups=disabled box echo ran
	[ "$status" = 0 ]
	expect ran
}

@test "rootless podman: a pod" {
	pod() {
		p pod create --name "pod-$RT" --share ipc,net,uts,pid --hostname inpod >/dev/null
		p run --rm --pod "pod-$RT" box sh -c 'hostname; tr "\0" " " </proc/1/cmdline'
		p pod rm -f -t 0 "pod-$RT" >/dev/null 2>&1
		echo "$?"
	}
	both pod
	expect_in inpod
}
