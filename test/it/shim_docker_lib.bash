# shim_docker_lib.bash: a dockerd that finds the shim where it looks for containerd's
# own. Its default runtime, `runc`, is then the built-in one; it is compared with
# runc itself, which the same shim runs as an external one (`peer`).
#
#   SHIM=/usr/bin/containerd-shim-runc-v2 bats test/it/shim_docker.bats
#
# compares runc with runc, both run by containerd's own.

runtime_name() {
	if [ "$RT" = berth ]; then echo runc; else echo "$RT"; fi
}

rt() {
	if [ "$RT" = berth ] && ! is_peer; then echo "$BERTH"; else echo "$PEER"; fi
}

# shim_docker_up [dockerd options]: in the world.
shim_docker_up() {
	ns mkdir "$IT/bin"
	ns ln -s "$SHIM" "$IT/bin/containerd-shim-runc-v2"
	export DOCKER_PATH=$IT/bin:$PATH
	export BUNDLES=$IT/exec/containerd/daemon/io.containerd.runtime.v2.task/moby
	export DOCKER_STATE="/run/berth/shim $BUNDLES"
	docker_up "$@"
}

shim_docker_down() {
	local bad=0

	docker_down || bad=1
	it_end || bad=1
	return "$bad"
}
