# docker_userns_lib.bash: what docker_userns.bats and shim_docker_userns.bats both look at.

d_exec() {
	d exec --user kay "keep-$RT" /probe
}

# a default container
docker_userns_default() {
	both dr box sh -c '/probe; cat /proc/self/uid_map /proc/self/gid_map'
	expect_in 700000
	expect_in 800000
}

# users, limits, read-only, tmpfs, seccomp
docker_userns_options() {
	both dr --user kay -m 64m --cpus 0.5 --pids-limit 55 --read-only --tmpfs /tmp:size=1m --hostname h --init box /probe
	both dr --user 1000:2000 --cap-drop ALL --security-opt seccomp=unconfined box /probe status
	both dr box sh -c 'touch /data/x; stat -c "%u %g" /data/x /data/seed; chown kay /data/x; stat -c %u /data/x'
}

# what may be mounted and made inside
docker_userns_mount() {
	both dr --cap-add SYS_ADMIN --security-opt seccomp=unconfined box sh -c 'exec 2>&1; mount -t tmpfs x /data && echo mounted; mknod /tmp/z c 1 5 || echo refused'
	expect_in mounted
}

# volumes
docker_userns_volumes() {
	ns chown 700000:800000 "$IT/vol/rw"
	vol() {
		dr -v "$IT/vol/rw:/w" -v "$IT/vol/ro:/r:ro" -v "$IT/vol/rw:/made/by/runtime" box \
			sh -c "echo x >/w/$RT; stat -c '%u %g' /w/$RT /made /made/by; cat /r/file"
		ns stat -c '%u %g' "$IT/vol/rw/$RT"
	}
	both vol
	expect_in '700000 800000'
}

# exec, terminal, pause, update, stop
docker_userns_life() {
	both d_exec
	ext() { on_tty ns "$DOCKER" exec -it "keep-$RT" sh -c '/probe tty; exit 9'; }
	both ext
	[ "$status" = 9 ]
	changes() {
		d pause "keep-$RT"
		d unpause "keep-$RT"
		d update -m 64m --memory-swap 64m "keep-$RT"
		d exec "keep-$RT" cat /sys/fs/cgroup/memory/memory.limit_in_bytes
		d stop -t 0 "keep-$RT"
		d inspect -f '{{.State.ExitCode}}' "keep-$RT"
		d start "keep-$RT"
	}
	both changes
	expect_in 67108864
}

# the default runtime is asked for its version, and builds
docker_builds() {
	run d info -f '{{.DefaultRuntime}} {{.RuncCommit.ID}}'
	expect_in "$(RT=berth runtime_name) "
	[ "$status" = 0 ]
	if grep 'failed to .*version' "$IT_OUT/dockerd.log"; then return 1; fi
	run d build --network none -q - <<-'D'
		FROM box
		ENV BUILT=yes
		RUN id -u >/data/who && test -e /probe
		RUN exit 0
	D
	[ "$status" = 0 ]
	run d run --rm --network none "$output" cat /data/who
	expect 0
	local rc=0
	d build --network none -q - <<-'D' >"$IT_OUT/build.log" 2>&1 || rc=$?
		FROM box
		RUN no-such-command-at-all
	D
	[ "$rc" = 127 ]
	grep 'returned a non-zero code: 127' "$IT_OUT/build.log"
}
