#!/usr/bin/env bats
# shim_docker_userns.bats: docker with a user namespace for every container
# (--userns-remap), and what it builds with its default runtime.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load setup_docker.bash
load docker_userns_lib.bash
load shim_docker_lib.bash

setup_file() {
	it_need dockerd busybox script
	it_shim
	it_world
	it_accounts 'passwd remap:x:4243:4243::/nonexistent:/bin/false' 'group remap:x:4243:' \
		'subuid remap:700000:65536' 'subgid remap:800000:65536'
	shim_docker_up --bridge=none --iptables=false --userns-remap remap:remap
	for RT in berth peer; do
		d run -d --name "keep-$RT" --runtime "$(runtime_name)" --network none box sleep 3600 >/dev/null
	done
}

teardown_file() { shim_docker_down; }

@test "shim docker in a user namespace: a default container" { docker_userns_default; }
@test "shim docker in a user namespace: users, limits, read-only, tmpfs, seccomp" { docker_userns_options; }
@test "shim docker in a user namespace: what may be mounted and made inside" { docker_userns_mount; }
@test "shim docker in a user namespace: volumes" { docker_userns_volumes; }
@test "shim docker in a user namespace: exec, terminal, pause, update, stop" { docker_userns_life; }
@test "shim docker: what it builds" { docker_builds; }
