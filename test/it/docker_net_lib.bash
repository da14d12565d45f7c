# docker_net_lib.bash: what docker_net.bats and shim_docker_net.bats both look at.

serve() {
	d run -d --name "$1-$RT" --runtime "$(runtime_name)" "${@:2}" box \
		sh -c 'mkdir -p /www; hostname >/www/name; echo served >/www/index.html; exec httpd -f -p 80 -h /www' >/dev/null
}

d_net() {
	d run --rm --runtime "$(runtime_name)" --network "$1" box sh -c 'readlink /proc/self/ns/net; ip -o link show lo | grep -c UP'
}

# a container has an address, a route and a resolver
docker_net_address() {
	seen() {
		d run --rm --runtime "$(runtime_name)" box sh -c 'ip -4 -o addr show eth0 | grep -o "inet 172[^ ]*" | sed "s/\.[0-9]*\//.N\//"; ip route | sed "s/src .*//"; ls -l /sys/class/net | grep -c eth0; cat /etc/hosts | sed "s/[0-9a-f]*$//" | head -n1'
	}
	both seen
	expect_in 'inet 172'
	expect_in 'default via'
}

# a published port answers from outside
docker_net_port() {
	published() {
		serve web -p 127.0.0.1:0:80
		local port
		port=$(d port "web-$RT" 80/tcp | sed 's/.*://')
		it_wait 30 ns busybox wget -q -O - "http://127.0.0.1:$port/"
		ns busybox wget -q -O - "http://127.0.0.1:$port/"
		d port "web-$RT" | sed 's/:[0-9]*$//'
	}
	both published
	expect_in served
}

# container to container, both ways round
docker_net_both_ways() {
	talk() {
		local other=peer ip
		[ "$RT" = berth ] || other=berth
		serve srv
		ip=$(d inspect -f '{{.NetworkSettings.IPAddress}}' "srv-$RT")
		d run --rm --runtime "$(RT=$other runtime_name)" --link "srv-$RT:srv" box sh -c "
			i=0; until wget -q -O - http://srv/ || [ \$((i += 1)) -gt 20 ]; do sleep 0.2; done
			wget -q -O - http://$ip/; ping -c1 -W2 srv | grep -c '1 packets received'"
	}
	both talk
	expect $'served\nserved\n1'
}

# a network of one's own with names
docker_net_names() {
	named() {
		d network create "net-$RT" >/dev/null
		serve alpha --network "net-$RT"
		d run --rm --runtime "$(runtime_name)" --network "net-$RT" box sh -c "
			i=0; until wget -q -O - http://alpha-$RT/ 2>/dev/null || [ \$((i += 1)) -gt 20 ]; do sleep 0.2; done"
		d rm -f "alpha-$RT" >/dev/null
		d network rm "net-$RT" >/dev/null
	}
	both named
	expect served
}

# attaching and detaching a running container
docker_net_attach() {
	hot() {
		d network create "hot-$RT" >/dev/null
		d run -d --name "hot-$RT" --runtime "$(runtime_name)" box sleep 60 >/dev/null
		d network connect "hot-$RT" "hot-$RT"
		d exec "hot-$RT" sh -c 'ls /sys/class/net | sort | tr "\n" " "; ip -o link show eth1 >/dev/null && echo two'
		d network disconnect "hot-$RT" "hot-$RT"
		d exec "hot-$RT" sh -c 'ip -o link show eth1 >/dev/null 2>&1 || echo one'
		d rm -f "hot-$RT" >/dev/null
		d network rm "hot-$RT" >/dev/null
	}
	both hot
	expect_in two
	expect_in one
}

# host and none
docker_net_host() {
	both d_net host
	both d_net none
}
