# setup_docker.bash: a dockerd of our own in the private world, with the runtime
# under test as `berth` and runc as `peer`, and one image, `box`.

# docker_up [dockerd options]
docker_up() {
	ns mkdir -p "$IT/data" "$IT/exec" "$IT/cfg" "$IT/vol/ro" "$IT/vol/rw"
	ns sh -c "echo '{}' >$IT/daemon.json; echo from-host >$IT/vol/ro/file; cp $IT/vol/ro/file $IT/vol/file"
	ns sh -c "mount --bind $IT/vol $IT/vol; mount --make-shared $IT/vol"
	export DOCKER_HOST=unix://$IT/docker.sock DOCKER_CONFIG=$IT/cfg
	DOCKER=$(command -v /usr/bin/docker || command -v docker)
	export DOCKER
	docker_start "$@" || return 1
	it_rootfs "$IT_OUT/rootfs"
	tar -C "$IT_OUT/rootfs" -c . | d import -c 'ENV FROM_IMAGE=yes' -c 'CMD ["/bin/sh"]' - box >/dev/null
	# What the daemon makes once: with user namespaces it refuses 'host'.
	d run --rm --runtime peer --network host box true 2>/dev/null ||
		d run --rm --runtime peer --network none box true || return 1
	# shellcheck disable=SC2086
	it_mark "$IT/exec/runtime-runc/moby" ${DOCKER_STATE:-}
}

# docker_start [dockerd options]: with DOCKER_PATH, if that is set, as its PATH.
docker_start() {
	ns_daemon dockerd env "PATH=${DOCKER_PATH:-$PATH}" dockerd --config-file "$IT/daemon.json" \
		--data-root "$IT/data" --exec-root "$IT/exec" -p "$IT/docker.pid" -H "$DOCKER_HOST" \
		--cgroup-parent "$IT_CG" --storage-driver vfs --log-level warn --shutdown-timeout 2 \
		--add-runtime "berth=$BERTH" --add-runtime "peer=$PEER" "$@"
	if ! it_wait 30 d version; then
		tail -n 30 "$IT_OUT/dockerd.log" >&2
		return 1
	fi
}

docker_down() {
	local ids bad=0

	[ -n "${IT_PID:-}" ] || return 0
	ids=$(d ps -aq 2>/dev/null)
	# shellcheck disable=SC2086
	[ -z "$ids" ] || ns timeout 60 "$DOCKER" rm -f $ids >/dev/null || bad=1
	it_wait 30 no_shim || bad=1 # each ends a moment after its container
	# shellcheck disable=SC2086
	it_unchanged "$IT/exec/runtime-runc/moby" ${DOCKER_STATE:-} || bad=1
	ns_stop dockerd || bad=1
	return "$bad"
}

no_shim() {
	! ns pgrep -x containerd-shim >/dev/null
}

d() {
	ns "$DOCKER" "$@"
}

# What the daemon calls the runtime of this turn.
runtime_name() {
	echo "$RT"
}

# docker run with the runtime of this turn (see `both`).
dr() {
	d run --rm --runtime "$(runtime_name)" --network none "$@"
}
