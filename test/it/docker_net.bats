#!/usr/bin/env bats
# docker_net.bats: docker with its default bridge, in a network namespace of its
# own: nothing leaves it.
# bats file_tags=nosan

load lib.bash
load setup_docker.bash
load docker_net_lib.bash

setup_file() {
	it_need dockerd docker-proxy iptables ip busybox
	it_world -n
	docker_up
}

teardown_file() {
	local bad=0

	docker_down || bad=1
	it_end || bad=1
	return "$bad"
}

@test "docker network: a container has an address, a route and a resolver" { docker_net_address; }
@test "docker network: a published port answers from outside" { docker_net_port; }
@test "docker network: container to container, both ways round" { docker_net_both_ways; }
@test "docker network: a network of one's own with names" { docker_net_names; }
@test "docker network: attaching and detaching a running container" { docker_net_attach; }
@test "docker network: host and none" { docker_net_host; }
