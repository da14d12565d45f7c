#!/usr/bin/env bats
# spec_namespaces.bats: linux.namespaces: all eight kinds, new, shared with the
# caller, joined by path; host and domain name, time offsets, sysctl.

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
}

teardown_file() {
	ns_stop holder
	spec_down
}

KINDS='for n in cgroup ipc mnt net pid user uts; do echo $n $(readlink /proc/self/ns/$n); done'

@test "namespaces: new ones are the container's own" {
	same 'ns("cgroup")' "$KINDS"
	expect_in 'cgroup cgroup:own'
	expect_in 'net net:own'
	expect_in 'user user:world'
}

@test "namespaces: those not listed are the caller's" {
	same 'ns("network", new=False); ns("ipc", new=False); ns("uts", new=False); ns("cgroup", new=False)
c.pop("hostname"); c["mounts"] = [m for m in c["mounts"] if m["type"] != "mqueue"]' "$KINDS"
	expect_in 'net net:world'
	expect_in 'uts uts:world'
	expect_in 'pid pid:own'
}

@test "namespaces: without one of pids the container sees the world's" {
	same 'ns("pid", new=False)' 'readlink /proc/self/ns/pid; tr "\0" " " </proc/1/cmdline'
	expect_in setup_world
}

@test "namespaces: all joined by path" {
	local pid

	ns_daemon holder unshare -muinpC --mount-proc --fork --kill-child sleep 600
	it_until 30 'ns_left | grep -q "^[0-9]* sleep 600"'
	pid=$(ns_left | sed -n 's/^\([0-9]*\) sleep 600.*/\1/p')
	same "for kind, f in (('network', 'net'), ('uts', 'uts'), ('ipc', 'ipc'), ('pid', 'pid'), ('cgroup', 'cgroup')):
    ns(kind, '/proc/$pid/ns/' + f)
c.pop('hostname'); caps('CAP_SYS_PTRACE')" "for n in cgroup ipc net pid uts; do
	[ \$(readlink /proc/self/ns/\$n) = \$(readlink /proc/1/ns/\$n) ] && echo \$n same; done
	tr '\0' ' ' </proc/1/cmdline"
	expect_in "$(printf '%s same\n' cgroup ipc net pid uts)"
	expect_in 'sleep 600'
	ns kill -KILL "$pid"
}

@test "namespaces: a joined mount namespace gets the root file system and its mounts" {
	mounted() {
		local pid

		ns_daemon holder unshare -m sleep 602
		it_until 30 'ns_left | grep -q "^[0-9]* sleep 602"'
		pid=$(ns_left | sed -n 's/^\([0-9]*\) sleep 602.*/\1/p')
		conf "ns('mount', '/proc/$pid/ns/mnt'); p['env'].append('WANT=$(ns readlink "/proc/$pid/ns/mnt")')" \
			'cat /data/seed; cut -d" " -f5 /proc/self/mountinfo | sort; [ $(readlink /proc/self/ns/mnt) = $WANT ] && echo there'
		go
		ns kill -KILL "$pid"
	}
	both mounted
	expect_in there
	expect_in /dev/shm
	refused "the mount namespace is the caller's own" 'ns("mount", "/proc/self/ns/mnt")' true
}

@test "namespaces: those of another container, joined by path" {
	shares() {
		local pid

		conf 'c["hostname"] = "inner"' 'exec sleep 600'
		up || return 1
		pid=$(pid_of)
		SPEC_SUFFIX=-d conf "for kind, f in (('network', 'net'), ('uts', 'uts'), ('ipc', 'ipc'), ('pid', 'pid')):
    ns(kind, '/proc/$pid/ns/' + f)
c.pop('hostname'); l['cgroupsPath'] += '-d'" 'hostname; tr "\0" " " </proc/1/cmdline'
		rt run -b "$(bundle)-d" d
		gone c
	}
	both shares
	expect_in inner
	expect_in 'sleep 600'
}

@test "namespaces: a path of the wrong kind, of nothing, or not absolute is refused" {
	refused_by_both 'network namespace' 'ns("network", "/proc/self/ns/uts")' true
	refused_by_both "open the network namespace '/no/such'" 'ns("network", "/no/such")' true
	refused_by_both '/linux/namespaces' 'ns("network", "proc/self/ns/net")' true
}

@test "namespaces: one that is listed twice is refused" {
	refused_by_both '/linux/namespaces' 'l["namespaces"].append({"type": "uts"})' true
	refused_by_both '/linux/namespaces' 'l["namespaces"].append({"type": "moon"})' true
}

@test "namespaces: loopback is up in a new network namespace" {
	same '' 'ip addr show lo | grep -o "UP\|inet 127.0.0.1/8"'
	expect_in 'inet 127.0.0.1/8'
}

@test "namespaces: time offsets" {
	ours 'ns("time"); l["timeOffsets"] = {"monotonic": {"secs": 5, "nanosecs": 7},
"boottime": {"secs": 100000000, "nanosecs": 3}}' \
		'cut -c1-3 /proc/uptime; cat /proc/self/timens_offsets; readlink /proc/self/ns/time'
	[ "$status" = 0 ]
	expect_in '100'
	expect_in 'monotonic           5         7'
	expect_in 'boottime    100000000         3'
	[ "$(tail -n 1 <<<"$output")" != "$(readlink /proc/self/ns/time)" ]
	ours 'maps(0, 100000); ns("time"); l["timeOffsets"] = {"boottime": {"secs": 100000000}}' 'cut -c1-3 /proc/uptime'
	expect 100
}

@test "namespaces: a joined time namespace" {
	local pid

	conf 'ns("time"); l["timeOffsets"] = {"boottime": {"secs": 100000000}}' 'exec sleep 600'
	RT=berth
	up
	pid=$(pid_of)
	conf "ns('time', '/proc/$pid/ns/time'); l['cgroupsPath'] += '-d'" 'cut -c1-3 /proc/uptime; readlink /proc/self/ns/time'
	output=$(rt run -b "$(bundle)" d)
	expect "100
$(ns readlink "/proc/$pid/ns/time")"
	output=$(rt exec c cut -c1-3 /proc/uptime)
	expect 100
	gone c
}

@test "namespaces: time offsets without a new time namespace are refused" {
	refused '/linux/timeOffsets' 'l["timeOffsets"] = {"boottime": {"secs": 1}}' true
}

@test "namespaces: host and domain name" {
	same 'c["hostname"] = "spec-host"' 'hostname'
	expect spec-host
	ours 'c["domainname"] = "spec.domain"' 'cat /proc/sys/kernel/domainname'
	expect spec.domain
}

# As in crun: one of the two would go unheard.
@test "namespaces: a domain name as a field and as a sysctl is refused" {
	refused kernel.domainname 'c["domainname"] = "spec.domain"; l["sysctl"] = {"kernel.domainname": "other"}' true
	ours 'l["sysctl"] = {"kernel.domainname": "other"}' 'cat /proc/sys/kernel/domainname'
	expect other
}

@test "namespaces: names need a uts namespace" {
	refused_by_both /hostname 'ns("uts", new=False)' true
	refused /domainname 'ns("uts", new=False); c.pop("hostname"); c["domainname"] = "x"' true
}

@test "namespaces: sysctl of the container's own namespaces" {
	same 'l["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "65536", "kernel.msgmax": "1234",
"fs.mqueue.msg_max": "7", "net/ipv4/conf/lo/rp_filter": "2", "kernel.sem": "250 32000 32 128"}' \
		'cd /proc/sys; cat net/ipv4/ip_forward kernel/shmmax kernel/msgmax fs/mqueue/msg_max \
			net/ipv4/conf/lo/rp_filter kernel/sem'
	[ "$status" = 0 ]
	expect_in 65536
}

@test "namespaces: sysctl of the host's are refused, by name" {
	refused_by_both "kernel.panic" 'l["sysctl"] = {"kernel.panic": "1"}' true
	refused_by_both "kernel.shmmax" 'l["sysctl"] = {"kernel.shmmax": "1"}; ns("ipc", new=False)
c["mounts"] = [m for m in c["mounts"] if m["type"] != "mqueue"]' true
	refused_by_both "net.ipv4.ip_forward" 'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; ns("network", new=False)' true
	refused_by_both "kernel.hostname" 'l["sysctl"] = {"kernel.hostname": "x"}' true
	refused_by_both "net.ipv4.no_such" 'l["sysctl"] = {"net.ipv4.no_such": "1"}' true
}

@test "namespaces: sysctl of a joined network namespace that is the caller's are refused" {
	refused_by_both "net.ipv4.ip_forward" \
		'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; ns("network", "/proc/self/ns/net")' true
}

@test "namespaces: a container without a mount namespace" {
	ours 'ns("mount", new=False); c["mounts"] = []; l["maskedPaths"] = []; l["readonlyPaths"] = []' \
		'cat /data/seed; ls /noexec'
	expect "seed
/noexec"
	refused '/mounts needs a mount namespace' 'ns("mount", new=False)' true
	refused '/linux/devices needs a mount namespace' 'ns("mount", new=False); c["mounts"] = []
l["devices"] = [{"path": "/dev/new", "type": "c", "major": 1, "minor": 3}]; l["maskedPaths"] = []; l["readonlyPaths"] = []' true
}
