#!/usr/bin/env bats
# spec_mounts.bats: root and mounts: every option of the specification, where a
# mount may go, propagation, read-only and masked paths, devices, cgroup mounts.

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
	mkdir -p "$IT_OUT/src/sub" "$IT_OUT/mapped"
	echo inner >"$IT_OUT/src/file"
	# A source with a mount below it, for what is recursive.
	ns mount -t tmpfs -o nosuid sub "$IT_OUT/src/sub"
	ns touch "$IT_OUT/src/sub/deep"
	touch "$IT_OUT/mapped/file"
	chown 1000:1000 "$IT_OUT/mapped/file"
}

teardown_file() {
	ns umount -R "$IT_OUT/src/sub"
	spec_down
}

# Mount point, flags, propagation, and options of the superblock.
# shellcheck disable=SC2016
INFO='awk '\''$5 ~ /^\/m/ { p = ""; for (i = 7; $i != "-"; i++) { t = $i; sub(/:.*/, "", t); p = p " " t }
	print $5, $6 p, "-", $(i + 1), $(i + 3) }'\'' /proc/self/mountinfo | sort'

@test "mounts: every option of a new mount" {
	same 'for i, o in enumerate("async atime dev diratime dirsync exec lazytime loud mand noatime nodev nodiratime"
" noexec iversion silent noiversion nolazytime nomand norelatime nostrictatime nosuid relatime ro rw strictatime suid sync"
" mode=700 size=64k nr_inodes=100 uid=5 gid=6".split()):
    mount(f"/m{i:02}-{o}", "tmpfs", "tmpfs", o)' "$INFO"
	[ "$status" = 0 ]
	[ "$(wc -l <<<"$output")" = 32 ]
	ours 'mount("/m", "tmpfs", "tmpfs", "defaults")' "$INFO"
	expect "/m rw,relatime - tmpfs rw"
}

@test "mounts: every option of a bind mount" {
	same 'src = out + "/src"
for i, o in enumerate("atime dev diratime exec noatime nodev nodiratime noexec norelatime nostrictatime nosuid relatime"
" ro rw strictatime suid private slave shared unbindable rprivate rslave rshared runbindable".split()):
    mount(f"/m{i:02}-{o}", src, "bind", "rbind", o)
mount("/m-bind", src, "", "bind", "ro"); mount("/m-file", src + "/file", "none", "bind", "ro")' "$INFO"
	[ "$status" = 0 ]
	expect_in '/m-file ro,'
}

@test "mounts: the recursive options" {
	same 'src = out + "/src"
for i, o in enumerate("rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnoatime rnodiratime rdiratime rrelatime"
" rstrictatime".split()):
    mount(f"/m{i:02}-{o}", src, "bind", "rbind", o)' "$INFO"
	[ "$status" = 0 ]
	expect_in '/m00-rro/sub ro,'
	ours 'for o in "ratime rnorelatime rnostrictatime".split(): mount("/m-" + o, out + "/src", "bind", "rbind", o)' "$INFO"
	[ "$status" = 0 ]
	expect_in '/m-ratime/sub rw,nosuid,relatime'
	ours 'mount("/m", out + "/src", "bind", "rbind", "nosymfollow"); mount("/mr", out + "/src", "bind", "rbind", "rnosymfollow")' "$INFO"
	expect_in '/m rw,relatime,nosymfollow'
	expect_in '/mr/sub rw,nosuid,relatime,nosymfollow'
}

@test "mounts: an option nobody knows is refused by the kernel, a type too" {
	refused_by_both /mounts/7 'mount("/m", "tmpfs", "tmpfs", "nosuch=1")' true
	refused_by_both /mounts/7 'mount("/m", "x", "nosuchfs")' true
	refused_by_both "/no/such" 'mount("/m", "/no/such", "bind", "bind")' true
	refused_by_both /mounts/7 'mount("/", "tmpfs", "tmpfs")' true
}

@test "mounts: tmpcopyup keeps files, owners, modes and links" {
	same 'mount("/home", "tmpfs", "tmpfs", "tmpcopyup", "ro"); mount("/data", "tmpfs", "tmpfs", "tmpcopyup")' \
		'ls -lnA /home /data | awk "{ print \$1, \$3, \$4, \$5, \$NF }"; cat /data/seed; touch /data/new && ls /data
		touch /home/x 2>&1; ls -ld /data | cut -c1-10'
	expect_in seed
	expect_in 'Read-only file system'
	[ ! -e "$IT_OUT/rootfs/data/new" ]
}

# As in crun; runc ends at the first that is no block device.
@test "mounts: tmpcopyup keeps FIFOs, sockets and devices, of these what can be made" {
	local dir=$IT_OUT/rootfs/nodes

	mkdir "$dir"
	mkfifo -m 620 "$dir/fifo"
	mknod -m 640 "$dir/null" c 1 3
	mknod -m 604 "$dir/loop" b 7 0
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/socket"
	chmod 700 "$dir/socket"
	chown 5:6 "$dir/fifo" "$dir/loop"
	ours 'mount("/nodes", "tmpfs", "tmpfs", "tmpcopyup")' \
		"ls -lnA /nodes | awk 'NF > 2 { print \$1, \$3, \$4, \$1 ~ /^[bc]/ ? \$5 \$6 : \"\", \$NF }'"
	expect 'prw--w---- 5 6  fifo
brw----r-- 5 6 7,0 loop
crw-r----- 0 0 1,3 null
srwx------ 0 0  socket'
	chown -R 100000:100000 "$dir"
	ours 'maps(0, 100000); mount("/nodes", "tmpfs", "tmpfs", "tmpcopyup")' 'ls /nodes'
	expect 'fifo
socket'
	rm -r "$dir"
}

@test "mounts: a tmpfs has the mode of the directory it covers" {
	same 'mount("/var/tmp", "tmpfs", "tmpfs"); mount(f"/fresh-{rt}", "tmpfs", "tmpfs"); p["env"].append("RT=" + rt)' \
		'ls -ld /var/tmp /fresh-$RT | cut -c1-10'
	expect_in drwxrwxrwt
	rmdir "$IT_OUT"/rootfs/fresh-*
	ours 'mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "mode=711")' 'ls -ld /data | cut -c1-10'
	expect drwx--x--x
}

# What is made below a directory goes to the mount that is on it by then, also by another name.
@test "mounts: one over another, and what comes after goes to the upper one" {
	ln -s m "$IT_OUT/rootfs/alias"
	same 'src = out + "/src"
mount("/m", "tmpfs", "tmpfs"); mount("/m/a", "tmpfs", "tmpfs"); mount("/m/b", src, "bind", "bind")
mount("/m", "tmpfs", "tmpfs"); mount("/m/c", "tmpfs", "tmpfs"); mount("/m/d", src, "bind", "bind")
mount("/alias", "tmpfs", "tmpfs"); mount("/m/e", "tmpfs", "tmpfs"); mount("/m/f/g", src, "bind", "bind")
mount("/alias/f/h", "tmpfs", "tmpfs"); mount("/m/f", "tmpfs", "tmpfs"); mount("/m/f/i", src, "bind", "bind")' \
		'ls -R /m | grep -v "^$"; cut -d" " -f5 /proc/self/mountinfo | grep ^/m'
	[ "$status" = 0 ]
	expect_in /m/f/i
	[ ! -e "$IT_OUT/rootfs/m/a" ]
	rm -r "$IT_OUT/rootfs/m" "$IT_OUT/rootfs/alias"
}

@test "mounts: a read-only tmpfs is filled first, and is not what is mounted over it" {
	ours 'mount("/m", "tmpfs", "tmpfs", "ro"); mount("/m/a", "tmpfs", "tmpfs"); mount("/m/b/c", "tmpfs", "tmpfs", "ro")
mount("/m/b", "tmpfs", "tmpfs"); mount("/n", "tmpfs", "tmpfs", "ro"); mount("/n", out + "/src", "bind", "bind")' \
		'grep -E " /[mn][/ ]" /proc/self/mountinfo | cut -d" " -f5,6; ls /m; ls /m/b; touch /n/made && rm /n/made'
	expect '/m ro,relatime
/m/a rw,relatime
/m/b/c ro,relatime
/m/b rw,relatime
/n ro,relatime
/n rw,relatime
a
b'
	rm -r "$IT_OUT"/rootfs/[mn]
}

# Not what a link of the image, or a hook, has put over it or in its place by then.
@test "mounts: a tmpfs becomes read-only, not what its name leads to at the end" {
	mkdir -p "$IT_OUT/rootfs/t/x"
	ln -s m "$IT_OUT/rootfs/over-m"
	ln -s t "$IT_OUT/rootfs/over-t"
	ours 'mount("/m", "tmpfs", "tmpfs", "ro"); mount("/over-m", "tmpfs", "tmpfs"); mount("/h", "tmpfs", "tmpfs", "ro")
mount("/t/x", "tmpfs", "tmpfs", "ro"); mount("/over-t", "tmpfs", "tmpfs")
c["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", f"mount -t tmpfs hook {out}/rootfs/h"],
    "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"]}]}' \
		'grep -E " /[mth][/ ]" /proc/self/mountinfo | cut -d" " -f5,6'
	expect '/m ro,relatime
/m rw,relatime
/h ro,relatime
/t/x ro,relatime
/t rw,relatime
/h rw,relatime'
	rm -r "$IT_OUT"/rootfs/[mth] "$IT_OUT"/rootfs/over-[mt]
}

@test "mounts: relative source and destination, missing mount points" {
	same 'os.makedirs(out + "/" + rt + "/rel", exist_ok=True); open(out + "/" + rt + "/rel/here", "w").write("rel\n")
mount("/new/deep/dir", "rel", "bind", "bind"); mount("/new/file/f", "rel/here", "bind", "bind")' \
		'cat /new/deep/dir/here /new/file/f'
	expect 'rel
rel'
	rm -r "$IT_OUT/rootfs/new"
}

@test "mounts: a relative destination is taken as absolute; --debug says so" {
	conf 'mount("data", out + "/src", "bind", "bind")' 'cat /data/file'
	RT=berth
	expect inner "$(go)"
	output=$(rt --debug run -b "$(bundle)" c 2>&1)
	expect_in "level=debug msg=\"mount destination 'data' is not absolute"
}

@test "mounts: read-only root, with what is mounted on it still writable" {
	same 'c["root"]["readonly"] = True; mount("/tmp", "tmpfs", "tmpfs"); p["cwd"] = "/made/here"' \
		'pwd; touch /x /dev/y /tmp/z 2>&1; ls /tmp; grep " / / \| / " /proc/self/mountinfo | cut -d" " -f6 | head -n 1'
	expect_in 'touch: /x: Read-only file system'
	rm -rf "$IT_OUT/rootfs/made"
}

@test "mounts: masked and read-only paths" {
	same 'l["maskedPaths"] = ["/data", "/etc/passwd", "/no/such", "/proc/kcore"]
l["readonlyPaths"] = ["/home", "/etc/group", "/no/such", "/proc/sys"]' \
		'ls -A /data; cat /etc/passwd; touch /data/x /home/x 2>&1; (echo >>/etc/group) 2>&1; ls /home
		ls -l /etc/passwd | cut -c1; (echo 1 >/proc/sys/net/ipv4/ip_forward) 2>&1'
	expect_in 'touch: /data/x: Read-only file system'
	refused /linux/maskedPaths/0 'l["maskedPaths"] = ["data"]' true
	refused /linux/readonlyPaths/0 'l["readonlyPaths"] = ["data"]' true
}

@test "mounts: a masked path with two names, and a mask after it" {
	ln -s /data "$IT_OUT/rootfs/to-data"
	same 'l["maskedPaths"] = ["/data", "/to-data", "/home"]' 'cut -d" " -f5 /proc/self/mountinfo | grep -cx /home'
	expect 1
	# All masks are of one tmpfs, but no peers.
	same 'mount("/data", "tmpfs", "tmpfs", "shared"); l["maskedPaths"] = ["/data", "/home", "/to-data"]' \
		'cut -d" " -f5 /proc/self/mountinfo | grep -cx /home'
	expect 1
	rm "$IT_OUT/rootfs/to-data"
}

@test "mounts: what is mounted on a masked file is not on the host's null device" {
	local before

	ns mount --make-rshared /
	before=$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)
	same 'l["rootfsPropagation"] = "shared"; l["maskedPaths"] = ["/proc/keys", "/proc/keys"]' \
		'grep -c " /proc/keys " /proc/self/mountinfo'
	expect "$before" "$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)"
	ns umount /dev/null 2>/dev/null || true
	ns mount --make-rprivate /
	[ "$status" = 0 ]
	[ "$output" = 2 ]
}

@test "mounts: strictatime and noatime together are strictatime" {
	same 'mount("/m", "tmpfs", "tmpfs", "noatime", "strictatime"); mount("/n", "mqueue", "mqueue", "strictatime", "noatime")
mount("/o", out + "/src", "bind", "bind", "strictatime", "noatime")' 'grep " /[mno] " /proc/self/mountinfo | cut -d" " -f5,6'
	expect '/m rw
/n rw
/o rw'
	rmdir "$IT_OUT"/rootfs/[mno]
}

@test "mounts: a read-only path keeps what is mounted below it, as it is" {
	same 'mount("/home/kay", out + "/src", "bind", "bind"); mount("/data", "tmpfs", "tmpfs")
l["readonlyPaths"] = ["/home", "/data"]; l["maskedPaths"] = []' \
		'cat /home/kay/file; touch /home/kay/made && rm /home/kay/made && echo writable; touch /home/x /data/x 2>&1'
	expect_in inner
	expect_in writable
	expect_in 'touch: /home/x: Read-only file system'
}

@test "mounts: the root as a read-only path" {
	same 'mount("/tmp", "tmpfs", "tmpfs"); c["linux"]["readonlyPaths"] = ["/"]' 'touch /x /tmp/x 2>&1; ls /tmp'
	expect 'touch: /x: Read-only file system
x'
	# the working directory is made before
	same 'l["readonlyPaths"] = ["/"]; p["cwd"] = "/made/here"' 'pwd; touch /x 2>&1'
	expect_in /made/here
	rm -rf "$IT_OUT/rootfs/made"
}

# As in crun; with runc a privileged container in the network of another one has a read-only /sys.
@test "mounts: a read-only sysfs is not so for another mount in its network namespace" {
	ours 'caps("CAP_NET_ADMIN"); mount("/sys2", "sysfs", "sysfs")' \
		'echo one >/sys2/class/net/lo/ifalias; cat /sys/class/net/lo/ifalias; (: >/sys/class/net/lo/ifalias) 2>&1'
	expect_in one
	expect_in 'Read-only file system'
}

@test "mounts: devices of the specification and default devices" {
	same 'l["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 1, "gid": 2},
{"path": "/dev/deep/blk", "type": "b", "major": 7, "minor": 200}, {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
{"path": "/dev/u", "type": "u", "major": 1, "minor": 5}]' \
		'ls -lnR /dev | awk "/^[cbpl]/ { print \$1, \$3, \$4, \$5, \$6, \$NF, (/->/ ? \$(NF - 2) : \"\") }"'
	expect_in 'crw-r----- 1 2 1, 3'
	expect_in '/proc/self/fd'
	refused_by_both /linux/devices/0 'l["devices"] = [{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}]' true
}

@test "mounts: rootfsPropagation" {
	local how

	for how in private slave shared unbindable rprivate rslave; do
		ours "l['rootfsPropagation'] = '$how'" 'grep " / / \| / rw" /proc/self/mountinfo | grep -o "shared\|master\|unbindable" | sort -u'
		[ "$status" = 0 ] || { echo "$how: $output"; return 1; }
		case $how in
		shared | unbindable) expect "$how" ;;
		*) expect '' ;;
		esac
	done
	same 'l["rootfsPropagation"] = "shared"' true
	refused_by_both /linux/rootfsPropagation 'l["rootfsPropagation"] = "sideways"' true
}

# What appears below a source of the host while the container runs.
# Only "/" was given the propagation: a root elsewhere sent its mounts to the host, and pivot_root refused it.
@test "mounts: a root on a shared mount of its own, whatever the propagation of /" {
	local kind before

	ns mkdir "$IT/own"
	ns mount -t tmpfs own "$IT/own"
	ns cp -a "$IT_OUT/rootfs" "$IT/own/rootfs"
	ns mount --make-rshared /
	before=$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)
	for kind in private slave unbindable shared rprivate rslave rshared; do
		same "c['root']['path'] = '$IT/own/rootfs'; l['rootfsPropagation'] = '$kind'" \
			'cut -d" " -f5 /proc/self/mountinfo | sort' || { echo "$kind"; return 1; }
		expect "$before" "$(ns cut -d' ' -f5 /proc/self/mountinfo | sort)"
	done
	ns mount --make-rprivate /
	ns umount "$IT/own"
}

@test "mounts: a slave sees what the host mounts later, a private one does not" {
	later() {
		conf 'l["rootfsPropagation"] = "rslave"
mount("/mslave", out + "/src", "bind", "rbind", "rslave"); mount("/mprivate", out + "/src", "bind", "rbind", "rprivate")' \
			'exec sleep 600'
		up || return 1
		ns mkdir -p "$IT_OUT/src/late"
		ns mount -t tmpfs late "$IT_OUT/src/late"
		ns touch "$IT_OUT/src/late/seen"
		rt exec c sh -c 'ls /mslave/late /mprivate/late'
		ns umount "$IT_OUT/src/late"
		gone c
	}
	ns mount --bind "$IT_OUT/src" "$IT_OUT/src"
	ns mount --make-shared "$IT_OUT/src"
	both later
	ns umount "$IT_OUT/src"
	expect_in seen
}

@test "mounts: in a user namespace too what is bound on a shared mount is shared" {
	same 'maps(); mount("/m", "tmpfs", "tmpfs", "shared"); mount("/m/f", out + "/src/file", "bind", "bind")' \
		'grep " /m/f " /proc/self/mountinfo | grep -o shared'
	expect shared
}

@test "mounts: remount changes what an earlier mount has" {
	same 'mount("/m", out + "/src", "bind", "bind"); mount("/m", "", "", "bind", "remount", "ro", "noexec"); rt == "berth" and c["mounts"][-1].pop("source")' "$INFO"
	expect_in '/m ro,'
}

@test "mounts: id-mapped, with the mount's own maps or the container's" {
	ours 'mount("/m", out + "/mapped", "bind", "bind")
c["mounts"][-1]["uidMappings"] = [{"containerID": 1000, "hostID": 0, "size": 1}]
c["mounts"][-1]["gidMappings"] = [{"containerID": 1000, "hostID": 5, "size": 1}]' 'stat -c "%u %g" /m/file'
	expect '0 5'
	ours 'maps(0, 100000); mount("/home", out + "/mapped", "bind", "bind", "idmap"); mount("/data", out + "/mapped", "bind", "rbind", "ridmap")' \
		'stat -c "%u %g" /home/file /data/file'
	expect '1000 1000
1000 1000'
	# Those of the mount go before the container's; ridmap reaches what is mounted below.
	ours 'maps(0, 100000); own = [{"containerID": 0, "hostID": 100009, "size": 1}]
for at, o in (("/home", "ridmap"), ("/data", "idmap")):
    mount(at, out + "/src", "bind", "rbind", o)
    c["mounts"][-1].update({"uidMappings": own, "gidMappings": own})' 'stat -c "%n %u" /home/file /home/sub/deep /data/file /data/sub/deep'
	expect '/home/file 9
/home/sub/deep 9
/data/file 9
/data/sub/deep 65534'
	refused /mounts/7 'mount("/m", out + "/mapped", "bind", "bind", "idmap")' true
	refused /mounts/7 'mount("/m", "tmpfs", "tmpfs", "idmap")' true
}

@test "mounts: cgroup v1, in a cgroup namespace and without" {
	local look='cat /proc/self/mountinfo | grep " /sys/fs/cgroup" | awk "{ print \$4, \$5, \$6 }" | sort
		ls /sys/fs/cgroup | sort; cat /sys/fs/cgroup/pids/pids.max; touch /sys/fs/cgroup/pids/x 2>&1'

	same 'ns("cgroup"); l["resources"]["pids"] = {"limit": 77}; mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")' \
		'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/cgroup.procs | head -n 2; ls /sys/fs/cgroup | sort; mkdir /sys/fs/cgroup/pids/x 2>&1'
	expect_in 77
	same 'ns("cgroup", new=False); l["resources"]["pids"] = {"limit": 77}; mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")' \
		'cat /sys/fs/cgroup/pids/pids.max; ls /sys/fs/cgroup | sort; mkdir /sys/fs/cgroup/pids/x 2>&1'
	expect_in 77
}

@test "mounts: sysfs, mqueue, devpts with options; proc with hidepid" {
	same 'c["mounts"] = [m for m in c["mounts"] if m["type"] != "sysfs"]; mount("/m1", "sysfs", "sysfs", "noexec", "nosuid"); mount("/m2", "mqueue", "mqueue"); mount("/m3", "devpts", "devpts", "newinstance", "ptmxmode=0600", "mode=0600")' \
		"$INFO; ls -l /m3/ptmx | cut -c1-10"
	expect_in 'crw-------'
}

@test "mounts: below /proc only the few files that lxcfs covers" {
	same 'mount("/proc/uptime", out + "/src/file", "bind", "bind")' 'cat /proc/uptime'
	expect inner
	refused_by_both /mounts/7 'mount("/proc/version", out + "/src/file", "bind", "bind")' true
	refused_by_both /mounts/7 'mount("/proc/../proc/self/attr", out + "/src", "bind", "bind")' true
	refused_by_both /mounts/7 'mount("/proc", out + "/src", "bind", "bind")' true
}

@test "mounts: a link of the image does not lead a mount into procfs" {
	ln -s /proc "$IT_OUT/rootfs/link"
	ln -s /proc/sys "$IT_OUT/rootfs/link2"
	refused_by_both /mounts/7 'mount("/link/version", out + "/src/file", "bind", "bind")' true
	refused /mounts/7 'mount("/link2/kernel", "tmpfs", "tmpfs")' true
	refused_by_both /mounts/7 'mount("/link", out + "/src", "bind", "bind")' true
	rm "$IT_OUT/rootfs/link" "$IT_OUT/rootfs/link2"
}

@test "mounts: --no-pivot" {
	conf '' 'cat /data/seed; ls /proc/self/root/data'
	both go --no-pivot
	expect_in seed
}

@test "mounts: labels need SELinux, which this machine does not have" {
	refused /linux/mountLabel 'l["mountLabel"] = "system_u:object_r:container_file_t:s0:c1,c2"' true
}
