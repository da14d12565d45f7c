#!/usr/bin/env bats
# docker_userns.bats: docker with a user namespace for every container
# (--userns-remap), and with the runtime under test as its default: `docker
# build` and `docker info` then use it, too.
# bats file_tags=nosan

load lib.bash
load setup_docker.bash
load docker_userns_lib.bash

setup_file() {
	it_need dockerd busybox script
	it_world
	it_accounts 'passwd remap:x:4243:4243::/nonexistent:/bin/false' 'group remap:x:4243:' \
		'subuid remap:700000:65536' 'subgid remap:800000:65536'
	docker_up --bridge=none --iptables=false --userns-remap remap:remap --default-runtime berth
	for RT in berth peer; do
		d run -d --name "keep-$RT" --runtime "$RT" --network none box sleep 3600 >/dev/null
	done
}

teardown_file() {
	local bad=0

	docker_down || bad=1
	it_end || bad=1
	return "$bad"
}

@test "docker in a user namespace: a default container" { docker_userns_default; }
@test "docker in a user namespace: users, limits, read-only, tmpfs, seccomp" { docker_userns_options; }
@test "docker in a user namespace: what may be mounted and made inside" { docker_userns_mount; }
@test "docker in a user namespace: volumes" { docker_userns_volumes; }
@test "docker in a user namespace: exec, terminal, pause, update, stop" { docker_userns_life; }
@test "docker: the default runtime is asked for its version, and builds" { docker_builds; }
