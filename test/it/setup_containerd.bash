# setup_containerd.bash: a containerd of our own in the private world.

containerd_up() {
	ns mkdir -p "$IT/ctd"
	ns sh -c "cat >$IT/ctd/config.toml" <<-C
		version = 2
		root = "$IT/ctd/root"
		state = "$IT/ctd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
		  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
		  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
		[grpc]
		  address = "$IT/ctd/sock"
	C
	ns_daemon containerd containerd -c "$IT/ctd/config.toml" -l warn
	if ! it_wait 20 c version; then
		tail -n 30 "$IT_OUT/containerd.log" >&2
		return 1
	fi
	it_mark /run/containerd/runc/default
	it_rootfs "$IT_OUT/rootfs"
}

containerd_down() {
	local id bad=0

	[ -n "${IT_PID:-}" ] || return 0
	for id in $(c task ls -q 2>/dev/null); do
		c task rm -f "$id" >/dev/null 2>&1
	done
	for id in $(c c ls -q 2>/dev/null); do
		c c rm "$id" >/dev/null 2>&1
	done
	it_wait 10 only_containerd
	it_unchanged /run/containerd/runc/default || bad=1
	ns_stop containerd || bad=1
	return "$bad"
}

only_containerd() {
	[ "$(ns_left | wc -l)" = 1 ]
}

c() {
	ns ctr -a "$IT/ctd/sock" "$@"
}
