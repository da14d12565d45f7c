#!/usr/bin/env bats
# shim_docker_net.bats: docker with its default bridge, whose hooks the shim runs, in
# a network namespace of its own: nothing leaves it.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load setup_docker.bash
load docker_net_lib.bash
load shim_docker_lib.bash

setup_file() {
	it_need dockerd docker-proxy iptables ip busybox
	it_shim
	it_world -n
	shim_docker_up
}

teardown_file() { shim_docker_down; }

@test "shim docker network: a container has an address, a route and a resolver" { docker_net_address; }
@test "shim docker network: a published port answers from outside" { docker_net_port; }
@test "shim docker network: container to container, both ways round" { docker_net_both_ways; }
@test "shim docker network: a network of one's own with names" { docker_net_names; }
@test "shim docker network: attaching and detaching a running container" { docker_net_attach; }
@test "shim docker network: host and none" { docker_net_host; }
