#!/usr/bin/env bats
# rootless.bats: id maps of every form, and berth run by somebody who is not root:
# an ordinary user with and without subordinate ids, root of a nested user
# namespace, a host without cgroups. Compared with runc wherever it can do it.

load lib.bash
load spec_lib.bash

setup_file() {
	it_need newuidmap newgidmap setpriv
	spec_up
	it_accounts 'passwd kim:x:4242:4242::/tmp:/bin/sh' 'passwd lee:x:4343:4343::/tmp:/bin/sh' \
		'group kim:x:4242:' 'group lee:x:4343:' 'subuid kim:500000:65536' 'subgid kim:500000:65536'
}

teardown_file() {
	spec_down
}

# What an ordinary user's config.json lacks; with `maps` of its own before it.
ROOTLESS='
l["cgroupsPath"] = ""; l.pop("resources"); ns("network", new=False)
c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("sysfs", "cgroup")]
for m in c["mounts"]:
    m["options"] = [o for o in m.get("options", []) if o != "gid=5"]'

MAPS='cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; id -u; id -g; cat /proc/self/setgroups'

# as USER COMMAND…: nobody special.
as() {
	local user=$1

	shift
	# shellcheck disable=SC2086
	ns setpriv --reuid "$user" --regid "$user" --clear-groups env XDG_RUNTIME_DIR="$IT/u$user" \
		timeout -k 1 60 "$@" </dev/null 3>&- 4>&-
}

# rootless USER: the container of $RT, run by the user.
rootless() {
	local bin=$BERTH

	[ "$RT" = berth ] || bin=$PEER
	ns rm -rf "$IT/u$1"
	ns install -d -o "$1" -g "$1" -m 700 "$IT/u$1" "$IT/u$1/$RT"
	as "$1" "$bin" --root "$IT/u$1/$RT" run -b "$(bundle)" c
}

# ---- the forms of a map -----------------------------------------------------------

ids() {
	printf '%s; ' '[m.update(options=[o for o in m.get("options", []) if o != "gid=5"]) for m in c["mounts"]]'
	printf 'l["uidMappings"] = l["gidMappings"] = [%s]' "$(printf '{"containerID": %s, "hostID": %s, "size": %s},' "$@")"
}

@test "rootless: maps of one id, of many, with gaps, out of order, far up" {
	same "ns('user'); $(ids 0 100000 1)" "$MAPS"
	same "ns('user'); $(ids 0 100000 10 20 100020 10 1000 300000 5)" "$MAPS"
	same "ns('user'); $(ids 1000 300000 5 0 100000 10)" "$MAPS"
	same "ns('user'); $(ids 0 100000 1 1 4294967294 1)" "$MAPS"
	same "ns('user'); $(ids 0 0 4294967295)" "$MAPS"
	same "ns('user'); $(ids 0 2147483648 65536)" "$MAPS"
	same "ns('user'); $(ids 0 100000 65536); l['gidMappings'] = [{'containerID': 0, 'hostID': 200000, 'size': 7}]" "$MAPS"
}

# runc wants it mapped; the specification does not.
@test "rootless: the container's root need not be mapped, but its user" {
	ours "ns('user'); $(ids 1000 100000 5); p['user'] = {'uid': 1000, 'gid': 1000}; c['mounts'] = [m for m in c['mounts'] if m['destination'] == '/proc']" "$MAPS"
	expect ' 1000 100000 5
 1000 100000 5
1000
1000
allow'
	refused /process/user "ns('user'); $(ids 1000 100000 5)" true
}

@test "rootless: maps that overlap, are empty, or do not fit are refused, by their place" {
	refused /linux/uidMappings/1 "ns('user'); $(ids 0 100000 10 5 200000 10)" true
	refused /linux/uidMappings/1 "ns('user'); $(ids 0 100000 10 20 100005 10)" true
	refused /linux/uidMappings "ns('user'); $(ids 0 100000 0)" true
	refused /linux/uidMappings "ns('user'); $(ids 4294967296 0 1)" true
	refused /linux/uidMappings "ns('user'); $(ids 0 4294967296 1)" true
	refused /linux/uidMappings "ns('user'); $(ids 0 0 4294967296)" true
	refused /linux/uidMappings "ns('user'); $(ids -1 0 1)" true
	refused uid "ns('user'); $(ids 4294967290 0 100)" true
	refused uid "ns('user'); $(ids 0 4294967290 100)" true
	refused uid "ns('user'); $(ids 0 100000 1.5)" true
	refused gidMappings "ns('user'); $(ids 0 100000 10); l.pop('gidMappings')" true
}

@test "rootless: 340 ranges, and not one more; nor more text than the kernel takes" {
	local many='ns("user"); l["uidMappings"] = l["gidMappings"] = [{"containerID": i, "hostID": BASE - i, "size": 1} for i in range(N)]'

	same "$(sed 's/BASE/600/; s/N)/340)/' <<<"$many")" 'wc -l </proc/self/uid_map; id -u'
	expect '340
0'
	refused 'more than 340 entries' "$(sed 's/BASE/600/; s/N)/341)/' <<<"$many")" true
	refused 'less than a page' "$(sed 's/BASE/1000000/; s/N)/340)/' <<<"$many")" true
}

# ---- an ordinary user -------------------------------------------------------------

@test "rootless: a user with subordinate ids, as root and as another" {
	conf 'maps(0, 4242, 1)
for k in ("uidMappings", "gidMappings"):
    l[k].append({"containerID": 1, "hostID": 500000, "size": 65536})
p["user"] = {"uid": 1000, "gid": 1000}'"$ROOTLESS" "$MAPS; id -G"
	both rootless 4242
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in allow
	# runc has no groups for such a user; they are mapped, so why not.
	conf 'maps(0, 4242, 1)
for k in ("uidMappings", "gidMappings"):
    l[k].append({"containerID": 1, "hostID": 500000, "size": 65536})
p["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}'"$ROOTLESS" 'id -G'
	RT=berth
	expect '1000 7' "$(rootless 4242 2>&1)"
}

@test "rootless: ids that are not the user's are refused by newuidmap, and said so" {
	local outside size

	while read -r outside size; do
		conf "maps(0, 4242, 1)
for k in ('uidMappings', 'gidMappings'):
    l[k].append({'containerID': 1, 'hostID': $outside, 'size': $size})$ROOTLESS" true
		RT=berth
		output=$(rootless 4242 2>&1) && { echo "mapped $outside $size"; return 1; }
		expect_in newuidmap || return 1
		ns test ! -e "$IT/u4242/berth/c" || return 1
	done <<-'END'
		0 1
		1000 1
		499999 10
		500000 65537
		600000 1
	END
}

@test "rootless: a user without subordinate ids has one id, no groups, and is refused more" {
	conf "maps(0, 4343, 1)$ROOTLESS" "$MAPS; id -G"
	both rootless 4343
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in deny
	conf "maps(0, 4343, 1); p['user']['additionalGids'] = [7]$ROOTLESS" true
	RT=berth
	output=$(rootless 4343 2>&1) && return 1
	expect_in level=error
	conf "maps(0, 4343, 2)$ROOTLESS" true
	output=$(rootless 4343 2>&1) && return 1
	expect_in newuidmap
	ns test ! -e "$IT/u4343/berth/c"
}

@test "rootless: the whole life of a user's container: create, start, exec, kill, delete" {
	life() {
		local bin=$BERTH r=$IT/u4242/$RT

		[ "$RT" = berth ] || bin=$PEER
		ns rm -rf "$IT/u4242"
		ns install -d -o 4242 -g 4242 -m 700 "$IT/u4242" "$r"
		as 4242 "$bin" --root "$r" create -b "$(bundle)" c >/dev/null 2>&1 || return 9
		as 4242 "$bin" --root "$r" start c
		as 4242 "$bin" --root "$r" exec c sh -c 'id -u; cat /proc/self/uid_map | tr -s " "'
		as 4242 "$bin" --root "$r" exec -u 5:6 c id
		as 4242 "$bin" --root "$r" kill c KILL
		it_until 30 "as 4242 $bin --root $r state c | grep -q stopped"
		as 4242 "$bin" --root "$r" delete c
		ns ls "$r"
	}
	conf 'maps(0, 4242, 1)
for k in ("uidMappings", "gidMappings"):
    l[k].append({"containerID": 1, "hostID": 500000, "size": 1000})'"$ROOTLESS" 'exec sleep 600'
	both life
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in 'uid=5'
}

# ---- nested user namespaces --------------------------------------------------------

# In a user namespace made by somebody else, whose root we are.
nested() {
	local bin=$BERTH

	[ "$RT" = berth ] || bin=$PEER
	ns mkdir -p -m 755 "$IT/nest-$RT"
	ns unshare -Um --map-root-user timeout -k 1 60 "$bin" --root "$IT/nest-$RT" run -b "$(bundle)" c </dev/null 3>&- 4>&-
}

@test "rootless: root of a nested user namespace, with and without another inside" {
	# It is uid 0 to the host's cgroups: no path would be one at their top.
	local own="
l['cgroupsPath'] = '$IT_CG/nested'"

	conf "$ROOTLESS$own"'
l["namespaces"] = [n for n in l["namespaces"] if n["type"] != "user"]' "$MAPS"
	RT=berth
	output=$(nested 2>&1) || { echo "$output"; return 1; }
	expect_in '0 0 1'
	conf "maps(0, 0, 1)$ROOTLESS$own" "$MAPS"
	both nested
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	ns rm -rf "$IT/nest-berth" "$IT/nest-peer"
}

# The program in the container is berth, and needs no library there.
# bats test_tags=nosan
@test "rootless: berth in a berth's user namespace" {
	cp "$BERTH" "$IT_OUT/rootfs/bin/berth-inner"
	mkdir -p "$IT_OUT/rootfs/inner/rootfs/bin" "$IT_OUT/rootfs/inner/rootfs/proc" "$IT_OUT/rootfs/inner/rootfs/dev"
	cp "$IT_OUT/rootfs/bin/busybox" "$IT_OUT/rootfs/inner/rootfs/bin/sh"
	chown -R 100000:100000 "$IT_OUT/rootfs/inner"
	cat >"$IT_OUT/rootfs/inner/config.json" <<-'END'
		{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hostname": "inner",
		"process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "echo $(busybox cat /proc/self/uid_map 2>/dev/null || while read -r l; do echo $l; done </proc/self/uid_map) pid $$"], "env": ["PATH=/bin"]},
		"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
		"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "user"}, {"type": "uts"}],
		"uidMappings": [{"containerID": 0, "hostID": 10, "size": 5}], "gidMappings": [{"containerID": 0, "hostID": 10, "size": 5}]}}
	END
	chown -R 100010:100010 "$IT_OUT/rootfs/inner/rootfs"
	ours 'maps(0, 100000); p["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SETPCAP", "CAP_SETFCAP", "CAP_KILL", "CAP_NET_ADMIN"] for k in ("bounding", "effective", "permitted")}
l["maskedPaths"] = []; l["readonlyPaths"] = []; p["noNewPrivileges"] = False; mount("/run", "tmpfs", "tmpfs")' 'berth-inner --root /run/b run -b /inner i'
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in '0 10 5 pid 1'
	rm -rf "$IT_OUT/rootfs/inner" "$IT_OUT/rootfs/bin/berth-inner"
}

@test "rootless: id-mapped mounts in a user namespace, with its maps and with their own" {
	mkdir -p "$IT_OUT/vol"
	touch "$IT_OUT/vol/root" "$IT_OUT/vol/five"
	chown 5:5 "$IT_OUT/vol/five"
	ours 'maps(0, 100000); mount("/data", out + "/vol", "bind", "bind", "idmap")' 'stat -c "%u %n" /data/*; touch /data/new; stat -c %u /data/new'
	expect '5 /data/five
0 /data/root
0'
	expect 0 "$(stat -c %u "$IT_OUT/vol/new")"
	ours 'maps(0, 100000); mount("/data", out + "/vol", "bind", "bind"); c["mounts"][-1].update({"uidMappings": [{"containerID": 0, "hostID": 100007, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 100007, "size": 10}]})' 'stat -c "%u %n" /data/five /data/root'
	expect '12 /data/five
7 /data/root'
	rm -r "$IT_OUT/vol"
}

# ---- cgroups absent ------------------------------------------------------------------

# no_cgroups HOW COMMAND…: in a mount namespace of its own, whose /sys/fs/cgroup is
# not there, or read-only.
no_cgroups() {
	local how=$1

	shift
	# shellcheck disable=SC2016
	ns unshare -m sh -c 'case $0 in
		none) umount -R -l /sys/fs/cgroup ;;
		*) for m in $(sed -n "s#^[^ ]* [^ ]* [^ ]* [^ ]* \(/sys/fs/cgroup[^ ]*\) .*#\1#p" /proc/self/mountinfo); do
			mount -o remount,bind,ro $m
		done ;;
		esac; exec "$@"' "$how" "$@" </dev/null 3>&- 4>&-
}

@test "rootless: no cgroup file system, and a read-only one, are no obstacle to a user" {
	local how

	conf "maps(0, 4242, 1)$ROOTLESS" 'echo ran'
	ns rm -rf "$IT/u4242"
	ns install -d -o 4242 -g 4242 -m 700 "$IT/u4242"
	for how in none ro; do
		output=$(no_cgroups $how setpriv --reuid 4242 --regid 4242 --clear-groups timeout 60 "$BERTH" --root "$IT/u4242" run -b "$IT_OUT/berth" c 2>&1) ||
			{ echo "$how: $output"; return 1; }
		expect ran || { echo "$how"; return 1; }
	done
}

@test "rootless: no cgroup file system: root runs what asks for none, and limits are refused" {
	RT=berth
	conf 'l["cgroupsPath"] = ""; l.pop("resources"); c["mounts"] = [m for m in c["mounts"] if m["type"] != "cgroup"]' 'echo ran'
	output=$(no_cgroups none timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c 2>&1) || { echo "$output"; return 1; }
	expect ran
	conf 'l["resources"] = {"memory": {"limit": 100000000}}' 'echo ran'
	output=$(no_cgroups none timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c 2>&1) && { echo "$output"; return 1; }
	expect_in cgroup
	output=$(no_cgroups ro timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c 2>&1) && { echo "$output"; return 1; }
	expect_in cgroup
	ns test ! -e "$IT/berth/root/c"
}
