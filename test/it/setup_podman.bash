# setup_podman.bash: podman with everything of its own in the private world; the
# runtime under test is `berth`, runc is `peer`, crun (where there) `crun`.

# podman_conf FILE: runtimes by name, and limits that an unprivileged host allows.
podman_conf() {
	cat <<-C
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=20000:20000"]
		netns = "none"
		log_driver = "k8s-file"
		init_path = "$(command -v docker-init || command -v tini || true)"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		infra_image = "localhost/pause"
		runtime_supports_json = ["berth", "peer", "crun"]
		runtime_supports_nocgroup = ["berth", "crun"]
		hooks_dir = ["$IT/hooks"]
		[engine.runtimes]
		berth = ["$BERTH"]
		peer = ["$PEER"]
		crun = ["$(command -v crun || echo /nonexistent)"]
	C
}

podman_up() {
	export POD=${POD:-$IT}
	ns mkdir -p "$IT/hooks" "$IT/vol/ro" "$IT/vol/rw"
	ns sh -c "echo from-host >$IT/vol/ro/file; cp $IT/vol/ro/file $IT/vol/file"
	ns sh -c "mount --bind $IT/vol $IT/vol; mount --make-shared $IT/vol"
	podman_conf | ns sh -c "cat >$IT/containers.conf"
	export CONTAINERS_CONF=$IT/containers.conf PODMAN_STATE="/run/runc /run/berth/runtime /run/user/4242/berth /run/user/4242/runc"
	# podman's own: conmon's cgroup, and a pod's after it is gone.
	export IT_NOT_OURS="/conmon$|/[0-9a-f]{64}$"
	RT=peer p info >/dev/null
	# shellcheck disable=SC2086
	it_mark $PODMAN_STATE
	it_rootfs "$IT_OUT/rootfs"
	tar -C "$IT_OUT/rootfs" -c . >"$IT_OUT/rootfs.tar"
	RT=peer p import -c 'ENV FROM_IMAGE=yes' -c 'CMD ["/bin/sh"]' - box <"$IT_OUT/rootfs.tar" >/dev/null
	RT=peer p import -c 'ENTRYPOINT ["/bin/sleep", "3600"]' - pause <"$IT_OUT/rootfs.tar" >/dev/null
}

podman_down() {
	[ -n "${IT_PID:-}" ] || return 0
	RT=peer
	p pod rm -fa -t 0 >/dev/null 2>&1
	p rm -fa -t 0 >/dev/null 2>&1
	# shellcheck disable=SC2086
	it_unchanged $PODMAN_STATE
}

p() {
	# shellcheck disable=SC2086
	ns ${AS_USER:-} podman --root "$POD/root" --runroot "$POD/runroot" --tmpdir "$POD/tmp" \
		--storage-driver vfs --log-level error --runtime "${RT_PATH:-$RT}" "$@"
}

# podman run with the runtime of this turn (see `both`).
pr() {
	p run --rm --cgroup-parent "$IT_CG" "$@"
}
