#!/usr/bin/env bats
# conformance.bats: what the specification demands and no other file shows.
# docs/conformance.md has every demand and its test.
# bats file_tags=sansoak

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
}

teardown_file() {
	spec_down
}

@test "conformance: ociVersion is a semantic version that is supported" {
	refused /ociVersion 'c.pop("ociVersion")' true
	refused /ociVersion 'c["ociVersion"] = "1.0"' true
	refused /ociVersion 'c["ociVersion"] = "one"' true
	refused /ociVersion 'c["ociVersion"] = "2.0.0"' true
	for v in $(python3 -c 'import json, subprocess, os
f = json.loads(subprocess.check_output([os.environ["BERTH"], "features"]))
print(f["ociVersionMin"], f["ociVersionMax"])'); do
		ours "c['ociVersion'] = '$v'" 'echo ran'
		expect ran
	done
}

@test "conformance: unknown properties and annotations are ignored" {
	same 'c["unknown"] = {"deep": [1]}; p["unknown"] = True; l["unknown"] = []; l["resources"]["unknown"] = 5
c["annotations"] = {"org.opencontainers.unknown": "", "x": "y"}' 'echo ran'
	expect ran
	refused /annotations 'c["annotations"] = {"": "x"}' true
	refused /annotations/k 'c["annotations"] = {"k": 5}' true
}

@test "conformance: a change of config.json after create has no effect" {
	RT=berth
	conf 'p["env"].append("MARK=first"); c["annotations"] = {"mark": "first"}' 'echo $MARK >/data/mark'
	rt create -b "$(bundle)" c
	conf 'p["env"].append("MARK=second"); c["annotations"] = {"mark": "second"}' 'echo $MARK >/data/mark'
	[ "$(rt state c | jq -r .annotations.mark)" = first ]
	rt start c
	it_until 30 '[ "$(rt state c | jq -r .status)" = stopped ]'
	expect first "$(cat "$IT_OUT/rootfs/data/mark")"
	gone c
}

@test "conformance: state has what the specification lists, in every state" {
	RT=berth
	conf 'c["annotations"] = {"a": "b"}' 'exec sleep 600'
	rt create -b "$(bundle)" c
	want='[.id, .status, .bundle, .annotations.a, (.pid > 0), (.ociVersion | test("^1[.]"))] | join(" ")'
	expect "c created $(bundle) b true true" "$(rt state c | jq -r "$want")"
	rt start c
	expect "c running $(bundle) b true true" "$(rt state c | jq -r "$want")"
	rt kill c KILL
	it_until 30 '[ "$(rt state c | jq -r .status)" = stopped ]'
	expect "c stopped $(bundle) b false true" "$(rt state c | jq -r "$want")"
	gone c
}

@test "conformance: an id that is in use is refused, and again free after delete" {
	RT=berth
	conf '' 'exec sleep 600'
	up
	if rt create -b "$(bundle)" c; then false; fi
	[ "$(rt state c | jq -r .status)" = running ]
	gone c
	up
	gone c
}

@test "conformance: without a process there is no container" {
	refused_by_both /process 'c.pop("process")'
}

@test "conformance: consoleSize counts only with a terminal" {
	same 'p["consoleSize"] = {"height": 33, "width": 99}' 'echo ran'
	expect ran
}

@test "conformance: mounts are made in the listed order" {
	same 'mount("/m", "tmpfs", "tmpfs"); mount("/m", out + "/rootfs/etc", "bind", "bind")' 'ls /m | head -n 1; awk "\$5 == \"/m\" { print \$4 }" /proc/self/mountinfo | wc -l'
	expect 'group
2'
	rmdir "$IT_OUT/rootfs/m"
}

@test "conformance: a device where another file is" {
	mknod "$IT_OUT/rootfs/data/zero" c 1 5
	refused /linux/devices/0 'l["devices"] = [{"path": "/data/zero", "type": "c", "major": 1, "minor": 3}]' true
	refused /linux/devices/0 'l["devices"] = [{"path": "/data/zero", "type": "p"}]' true
	ours 'l["devices"] = [{"path": "/data/zero", "type": "c", "major": 1, "minor": 5}]' 'stat -c %t,%T /data/zero'
	expect 1,5
	rm "$IT_OUT/rootfs/data/zero"
	refused /linux/devices/0 'l["devices"] = [{"path": "/data/seed", "type": "c", "major": 1, "minor": 3}]' true
	expect seed "$(cat "$IT_OUT/rootfs/data/seed")"
}

@test "conformance: links and devices in /dev" {
	same '' 'for f in fd stdin stdout stderr; do readlink /dev/$f; done
for f in null zero full random urandom tty; do stat -c "%n %t,%T %A" /dev/$f; done; readlink /dev/ptmx; ls /dev/console 2>&1'
	expect_in '/proc/self/fd/2'
	expect_in '/dev/tty 5,0 crw-rw-rw-'
	expect_in pts/ptmx
}

@test "conformance: hooks need an absolute path and a positive timeout" {
	refused /hooks/createRuntime/0/path 'c["hooks"] = {"createRuntime": [{"path": "bin/true"}]}' true
	refused /hooks/poststop/0/path 'c["hooks"] = {"poststop": [{}]}' true
	refused /hooks/poststart/0/timeout 'c["hooks"] = {"poststart": [{"path": "/bin/true", "timeout": 0}]}' true
	refused /hooks/poststart/0/timeout 'c["hooks"] = {"poststart": [{"path": "/bin/true", "timeout": -1}]}' true
}

@test "conformance: what must be given together" {
	refused /linux/resources/blockIO/weightDevice/0 'l["resources"]["blockIO"] = {"weightDevice": [{"major": 7, "minor": 0}]}' true
	refused /linux/resources/rdma/x 'l["resources"]["rdma"] = {"x": {}}' true
	refused /linux/resources/hugepageLimits 'l["resources"]["hugepageLimits"] = [{"pageSize": "3MB", "limit": 0}]' true
	refused /linux/resources/unified 'l["resources"]["unified"] = {"nosuch.max": "1"}' true
	refused Mappings 'mount("/m", out, "bind", "bind"); c["mounts"][-1]["uidMappings"] = [{"containerID": 0, "hostID": 5, "size": 1}]' true
	refused /linux/uidMappings/0/size 'maps(); l["uidMappings"][0].pop("size")' true
	refused /linux/personality/domain 'l["personality"] = {}' true
	refused /linux/intelRdt/memBwSchema 'l["intelRdt"] = {"closID": "x", "memBwSchema": "L3:0=f"}' true
	refused /process/ioPriority/priority 'p["ioPriority"] = {"class": "IOPRIO_CLASS_BE"}' true
}

@test "conformance: seccomp: actions without an errno, a listener's metadata, rules without names" {
	refused errnoRet 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["times"], "action": "SCMP_ACT_KILL", "errnoRet": 3}]}' true
	refused defaultErrnoRet 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 3}' true
	refused /linux/seccomp/listenerMetadata 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}' true
	refused /linux/seccomp/syscalls/0/names 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}]}' true
	refused /linux/seccomp/defaultAction 'l["seccomp"] = {}' true
}

@test "conformance: the same cgroupsPath is the same cgroup, and an impossible one is an error" {
	ours 'l["cgroupsPath"] += "/deep"' 'cut -d: -f3 /proc/self/cgroup | sort -u | grep deep'
	expect "$IT_CG/berth/deep"
	for h in $(it_hierarchies); do
		[ ! -d "$h$IT_CG/berth" ] || rmdir "$h$IT_CG/berth" # the parent stays
	done
	refused /linux/cgroupsPath 'l["cgroupsPath"] = "/berth-test/../../up"' true
}

@test "conformance: oom_score_adj stays the caller's when it is not set" {
	adjusted() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		# shellcheck disable=SC2016
		ns sh -c 'echo 300 >/proc/self/oom_score_adj; exec "$@"' sh "$bin" --root "$IT/$RT/root" run -b "$(bundle)" c </dev/null
	}
	conf '' 'cat /proc/self/oom_score_adj'
	both adjusted
	expect 300
}

@test "conformance: operations without their arguments are errors" {
	RT=berth
	for verb in state create start kill delete; do
		if rt "$verb" </dev/null; then false; fi
	done
	if rt create c; then false; fi
	if rt create -b "$(bundle)"; then false; fi
}

@test "conformance: delete of a created container ends and deletes it" {
	deleted() {
		rt create -b "$(bundle)" c >"$BATS_TEST_TMPDIR/said" 2>&1
		rt delete c
		echo "delete $?"
		rt state c >/dev/null 2>&1 || echo gone
	}
	conf '' 'exec sleep 600'
	both deleted
	expect 'delete 0
gone'
}

@test "conformance: a relative root.path is taken from the bundle" {
	same 'c["root"]["path"] = "../rootfs"' 'cat /data/seed'
	expect seed
}

@test "conformance: a time namespace that is not listed is the caller's" {
	ours '' 'readlink /proc/self/ns/time'
	expect "$(readlink /proc/self/ns/time)"
}

@test "conformance: a capability that the caller does not have is a warning" {
	conf 'p["capabilities"]["bounding"] += ["CAP_SYS_TIME"]; p["capabilities"]["permitted"] += ["CAP_SYS_TIME"]' \
		'grep ^CapBnd /proc/self/status; exec sleep 600'
	less() {
		ns setpriv --bounding-set=-sys_time timeout -k 1 60 "$BERTH" --root "$IT/berth/root" "$@" 3>&- 4>&-
	}
	RT=berth
	less create -b "$(bundle)" c </dev/null >"$IT_OUT/said" 2>&1
	less start c
	less exec c grep ^CapPrm /proc/self/status >"$IT_OUT/exec" 2>&1
	gone c
	expect_in 'level=warning msg="/process/capabilities/bounding: CAP_SYS_TIME cannot be granted"' "$(cat "$IT_OUT/said")"
	expect_in 'CapBnd:	0000000020000420' "$(cat "$IT_OUT/said")"
	expect_in 'CapPrm:	0000000020000420' "$(cat "$IT_OUT/exec")"
}

@test "conformance: what hooks find, and the pid of the container as they see it" {
	mkdir -p "$IT_OUT/rootfs/log"
	# shellcheck disable=SC2016
	found() {
		conf 'def says(kind, script, log=out + "/rootfs/log/"):
    c.setdefault("hooks", {})[kind] = [{"path": "/bin/sh", "env": ["PATH=/bin:/usr/bin", "CG=/sys/fs/cgroup/pids" + l["cgroupsPath"]],
        "args": ["sh", "-c", f"exec >{log}{kind} 2>&1; pid=$(tr -d \" \\n\" | sed \"s/.*.pid.:\\([0-9]*\\).*/\\1/\"); " + script]}]
for k in ("prestart", "createRuntime"):
    says(k, "[ $(readlink /proc/$pid/ns/net) != $(readlink /proc/self/ns/net) ] && echo a new namespace; [ -e /proc/$pid/root/run/it ] && echo not pivoted"
        "; grep -o rootfs/proc.proc /proc/$pid/mountinfo; grep -c . $CG/cgroup.procs; grep -o rootfs/dev/shm /proc/$pid/mountinfo")
says("createContainer", "echo pid $pid; [ -e /run/it ] && echo not pivoted; cat /proc/sys/kernel/hostname")
says("startContainer", "echo pid $pid; cat /data/seed /proc/sys/kernel/hostname; tr \"\\0\" \" \" </proc/1/cmdline | grep -c sleep.77; true", "/log/")
says("poststart", "tr \"\\0\" \" \" </proc/$pid/cmdline")
says("poststop", "[ -e $CG ] || echo no cgroup")' 'exec sleep 77'
		rt create -b "$(bundle)" c >"$BATS_TEST_TMPDIR/said" 2>&1
		rt start c
		it_wait 30 test -s "$IT_OUT/rootfs/log/poststart"
		rt delete -f c
		cd "$IT_OUT/rootfs/log"
		tail -n 99 prestart createRuntime createContainer startContainer poststop
		tail -n 99 poststart >"$IT_OUT/poststart.$RT"
		rm -f ./*
	}
	both found
	expect_in 'a new namespace
not pivoted
1
rootfs/dev/shm'
	[ "$(grep -c '^pid 1$' <<<"$output")" = 2 ]
	expect_in 'no cgroup'
	expect 'sleep 77 ' "$(cat "$IT_OUT/poststart.berth")" # with runc 1.1 before the program
}

@test "conformance: listenerPath without SCMP_ACT_NOTIFY is ignored" {
	same 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/no/such", "listenerMetadata": "x"}' 'echo ran'
	expect ran
}

@test "conformance: features tells what this program can do, on any host" {
	python3 - <<-'PY'
		import json, os, subprocess
		f = json.loads(subprocess.check_output([os.environ["BERTH"], "features"]))
		assert f.keys() <= {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
		                    "potentiallyUnsafeConfigAnnotations"}, f.keys()
		assert f["linux"].keys() <= {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux",
		                             "intelRdt", "mountExtensions"}, f["linux"].keys()
		for k in ("seccomp", "apparmor", "selinux", "intelRdt"):
		    assert f["linux"][k]["enabled"] is True, k
		assert f["linux"]["intelRdt"] == {"enabled": True}
		assert f["linux"]["mountExtensions"] == {"idmap": {"enabled": True}}
		must = """async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec
		    noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared
		    rslave runbindable rw shared silent slave strictatime suid sync unbindable""".split()
		assert not set(must) - set(f["mountOptions"]), set(must) - set(f["mountOptions"])
	PY
}

@test "conformance: kill sends the signal that is named" {
	signalled() {
		up || return 1
		it_wait 30 test -e "$IT_OUT/rootfs/data/ready"
		rt kill c USR2
		it_wait 30 grep -q two "$IT_OUT/rootfs/data/ready"
		rt kill c 10
		it_wait 30 grep -q one "$IT_OUT/rootfs/data/ready"
		cat "$IT_OUT/rootfs/data/ready"
		rm "$IT_OUT/rootfs/data/ready"
		gone c
	}
	conf '' 'trap "echo one >>/data/ready" USR1; trap "echo two >>/data/ready" USR2; : >/data/ready; while :; do sleep 0.05; done'
	both signalled
	expect 'two
one'
}

@test "conformance: delete leaves the mounts of others and removes its own cgroup, also one that was there" {
	there() {
		local h

		for h in $(it_hierarchies); do
			mkdir -p "$h$IT_CG/$RT"
		done
		ns mkdir -p "$IT/kept"
		ns mount -t tmpfs kept "$IT/kept"
		up || return 1
		rt delete -f c
		ns mountpoint -q "$IT/kept" && echo kept
		ns umount "$IT/kept"
		it_cgroup_dirs "$IT_CG/$RT" | grep -v ^/sys/fs/cgroup/unified || echo removed
		it_cgroup_remove "$IT_CG/$RT"
	}
	conf 'mount("/data", os.environ["IT"] + "/kept", "bind", "bind")' 'exec sleep 600'
	both there
	expect 'kept
removed'
}
