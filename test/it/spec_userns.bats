#!/usr/bin/env bats
# spec_userns.bats: user namespaces: maps written directly and by newuidmap, a
# joined one, who owns what the runtime makes in it, id-mapped mounts.

load lib.bash
load spec_lib.bash

setup_file() {
	it_need newuidmap newgidmap setpriv
	spec_up
	chown -R 100000:100000 "$IT_OUT/rootfs/home"
	it_accounts 'passwd kim:x:4242:4242::/tmp:/bin/sh' 'group kim:x:4242:' \
		'subuid kim:500000:65536' 'subgid kim:500000:65536'
}

teardown() {
	ns_stop holder
}

teardown_file() {
	spec_down
}

# Owners inside of what the runtime made, and the device nodes.
OWNERS='ls -lnd / /proc /dev /dev/shm /dev/pts /dev/mqueue /dev/pts/ptmx /sys | awk "{ print \$1, \$3, \$NF }"
ls -ln /dev | awk "/^c/ { print \$1, \$5, \$6, \$NF }"; echo x >/dev/null && echo null works'

@test "userns: one map" {
	same 'maps(0, 100000)' "cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /home/x && ls -ln /home | grep x; rm /home/x
		touch /data/x 2>&1; grep ^Cap /proc/self/status; cat /proc/self/setgroups"
	expect_in '0     100000      65536'
	expect_in 'Permission denied'
}

@test "userns: several maps, a process that is not root" {
	same 'maps(0, 100000); l["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 4242, "size": 1},
{"containerID": 2000, "hostID": 300000, "size": 7}]; p["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000]}' \
		'cat /proc/self/uid_map; id; grep ^Cap /proc/self/status'
	expect_in 'uid=1000(kay)'
}

@test "userns: what the runtime makes belongs to the container's root" {
	same 'maps(0, 100000)' "$OWNERS"
	expect_in '0 /dev/shm'
	# runc leaves this one to nobody.
	ours 'maps(0, 100000)' 'stat -c "%u %g" /dev/mqueue'
	expect '0 0'
}

@test "userns: mounts, sysctl, hostname and a read-only root work inside" {
	same 'maps(0, 100000); c["root"]["readonly"] = True; l["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096"}
mount("/tmp", "tmpfs", "tmpfs", "mode=1777"); mount("/data", out + "/rootfs/data", "bind", "rbind", "ro")' \
		'hostname; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax; touch /x /data/x /tmp/x 2>&1; ls -ln /tmp | tail -n 1 | cut -c1-30'
	expect_in 'touch: /x: Read-only file system'
}

@test "userns: exec is root of the container, too" {
	ex() {
		up || return 1
		rt exec c sh -c 'id -u; cat /proc/self/uid_map; [ $(readlink /proc/self/ns/user) = $(readlink /proc/1/ns/user) ] && echo same'
		rt exec -u 5:6 c id
		gone c
	}
	conf 'maps(0, 100000); caps("CAP_SYS_PTRACE")' 'exec sleep 600'
	both ex
	expect_in '100000'
}

@test "userns: one joined by path" {
	local pid

	ns_daemon holder unshare -U sleep 601
	it_until 30 'ns_left | grep -q "^[0-9]* sleep 601"'
	pid=$(ns_left | sed -n 's/^\([0-9]*\) sleep 601.*/\1/p')
	ns sh -c "echo 0 100000 65536 >/proc/$pid/uid_map; echo 0 100000 65536 >/proc/$pid/gid_map"
	ours "ns('user', '/proc/$pid/ns/user')" "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; touch /home/x && stat -c %u /home/x; rm /home/x"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in '0     100000      65536'
	expect_in "$(ns readlink "/proc/$pid/ns/user")"
	ns_stop holder
}

@test "userns: bind sources only root of the host can reach, in a new and in a joined one" {
	local pid

	mkdir -p "$IT_OUT/closed/in"
	echo reached >"$IT_OUT/closed/in/file"
	chmod 700 "$IT_OUT/closed"
	same 'maps(0, 100000); mount("/data", out + "/closed/in", "bind", "bind")' 'cat /data/file'
	expect reached
	ns_daemon holder unshare -U sleep 601
	it_until 30 'ns_left | grep -q "^[0-9]* sleep 601"'
	pid=$(ns_left | sed -n 's/^\([0-9]*\) sleep 601.*/\1/p')
	ns sh -c "echo 0 100000 65536 >/proc/$pid/uid_map; echo 0 100000 65536 >/proc/$pid/gid_map"
	ours "ns('user', '/proc/$pid/ns/user'); mount('/data', out + '/closed/in', 'bind', 'bind')" 'cat /data/file; stat -c %u /dev/mqueue; echo x >/dev/null && echo null'
	expect 'reached
0
null'
	ours "ns('user', '/proc/$pid/ns/user'); mount('/data', out + '/closed/in', 'bind', 'bind', 'idmap')" 'stat -c %u /data/file'
	expect 0
	ns_stop holder
}

# Whatever rootfsPropagation says: a bind of what is shared on the host is its slave.
@test "userns: what is mounted on a bind does not reach the host" {
	local how options pid inside

	# shellcheck disable=SC2016 # the container's
	inside='mount -t tmpfs in /data/sub && mount -t tmpfs in /data
grep " /data" /proc/self/mountinfo | cut -d" " -f5-8 | sed "s/:[0-9]*//g; s/ -.*//" | sort'
	ns sh -ec 'mkdir -p "$0"; mount -t tmpfs shared "$0"; mkdir "$0/sub"; mount -t tmpfs shared "$0/sub"
		mount --make-rshared "$0"; chmod 755 "$0" "$0/sub"' "$IT/shared"
	ns cat /proc/self/mountinfo >"$BATS_TEST_TMPDIR/before"
	for how in shared rshared slave; do
		for options in '"rbind"' '"rbind", "rshared"' '"rbind", "rslave"'; do
			same "maps(0, 100000); caps('CAP_SYS_ADMIN'); l['rootfsPropagation'] = '$how'
mount('/data', os.environ['IT'] + '/shared', 'bind', $options)" "$inside"
			expect_in master
			ns diff "$BATS_TEST_TMPDIR/before" /proc/self/mountinfo
		done
	done
	ns_daemon holder unshare -U sleep 601
	it_until 30 'ns_left | grep -q "^[0-9]* sleep 601"'
	pid=$(ns_left | sed -n 's/^\([0-9]*\) sleep 601.*/\1/p')
	ns sh -c "echo 0 100000 65536 >/proc/$pid/uid_map; echo 0 100000 65536 >/proc/$pid/gid_map"
	ours "ns('user', '/proc/$pid/ns/user'); caps('CAP_SYS_ADMIN'); l['rootfsPropagation'] = 'shared'
mount('/data', os.environ['IT'] + '/shared', 'bind', 'rbind')" "$inside"
	expect_in master
	ns diff "$BATS_TEST_TMPDIR/before" /proc/self/mountinfo
	ns_stop holder
	ns umount -R "$IT/shared"
}

@test "userns: maps that are missing, empty, overlapping or without a namespace are refused" {
	refused_by_both /linux/uidMappings 'ns("user")' true
	refused_by_both /linux/uidMappings 'maps(0, 100000, 0)' true
	refused /linux/uidMappings 'l["uidMappings"] = [{"containerID": 0, "hostID": 1, "size": 1}]' true
	refused_by_both uid 'maps(0, 100000); l["uidMappings"] *= 2' true
	refused_by_both /process/user 'maps(0, 100000, 10); p["user"] = {"uid": 10, "gid": 0}' true
}

@test "userns: a read-only sysfs where the host's is so" {
	conf 'maps(0, 100000)' 'grep " /sys " /proc/self/mountinfo'
	RT=berth
	run ns timeout -k 1 60 unshare -m sh -c 'mount -o remount,bind,ro /sys && exec "$@"' sh \
		"$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null
	[ "$status" = 0 ]
	expect_in ' / /sys ro,'
}

@test "userns: devices are the host's, bound" {
	refused_by_both /linux/devices/0 'maps(0, 100000); l["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]' true
	same 'maps(0, 100000); l["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]' \
		'ls -ln /dev/zero /dev/kmsg | awk "{ print \$1, \$5, \$6 }"; head -c 4 /dev/zero | wc -c'
	ours 'maps(0, 100000)' 'head -c 4 /dev/zero | wc -c; ls -ln /dev/zero | awk "{ print \$1, \$3 }"'
	expect '4
crw-rw-rw- 65534'
}

# As kim, who is nobody special: no cgroup, ids of her own and from /etc/subuid.
as_kim() {
	# shellcheck disable=SC2086
	ns setpriv --reuid 4242 --regid 4242 --clear-groups env XDG_RUNTIME_DIR="$IT/kim" \
		timeout -k 1 60 "$@" </dev/null 3>&- 4>&-
}

@test "userns: an unprivileged caller, mapped by newuidmap" {
	rootless() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		ns rm -rf "$IT/kim"
		ns install -d -o 4242 -g 4242 -m 700 "$IT/kim" "$IT/kim/$RT"
		as_kim "$bin" --root "$IT/kim/$RT" run -b "$(bundle)" c
	}
	conf 'maps(0, 4242, 1); l["cgroupsPath"] = ""; l.pop("resources"); ns("network", new=False)
for k in ("uidMappings", "gidMappings"):
    l[k].append({"containerID": 1, "hostID": 500000, "size": 1000})
c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("sysfs", "cgroup")]
for m in c["mounts"]:
    m["options"] = [o for o in m.get("options", []) if o != "gid=5"]' \
		'cat /proc/self/uid_map /proc/self/setgroups; id -u; grep ^CapEff /proc/self/status; hostname'
	both rootless
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in '500000       1000'
	expect_in allow
}

@test "userns: an unprivileged caller without newuidmap's help has only itself" {
	rootless() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		ns rm -rf "$IT/kim"
		ns install -d -o 4242 -g 4242 -m 700 "$IT/kim" "$IT/kim/$RT"
		as_kim env -u PATH PATH=/none "$bin" --root "$IT/kim/$RT" run -b "$(bundle)" c
	}
	conf 'maps(0, 4242, 1); l["cgroupsPath"] = ""; l.pop("resources"); ns("network", new=False)
c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("sysfs", "cgroup")]
for m in c["mounts"]:
    m["options"] = [o for o in m.get("options", []) if o != "gid=5"]' \
		'cat /proc/self/uid_map /proc/self/setgroups; id -u'
	both rootless
	expect_in deny
}

@test "userns: an unprivileged caller without a user namespace is told so" {
	conf 'l["cgroupsPath"] = ""' true
	ns rm -rf "$IT/kim"
	ns install -d -o 4242 -g 4242 -m 700 "$IT/kim"
	output=$(as_kim "$BERTH" --root "$IT/kim" run -b "$IT_OUT/berth" c 2>&1) && return 1
	expect_in /linux/namespaces
}
