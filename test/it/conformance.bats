#!/usr/bin/env bats
# conformance.bats: what the specification demands and no other file shows.
# docs/conformance.md has every demand and its test.

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
	it_until 5 '[ "$(rt state c | jq -r .status)" = stopped ]'
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
	it_until 5 '[ "$(rt state c | jq -r .status)" = stopped ]'
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

@test "conformance: create without a process is possible, start is not" {
	RT=berth
	conf 'c.pop("process")'
	if rt create -b "$(bundle)" c; then
		if rt start c; then false; fi
	fi
	gone c
	it_cgroup_none
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
	refused /linux/intelRdt 'l["intelRdt"] = {"closID": "x", "memBwSchema": "L3:0=f"}' true
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
	same '' 'cat /proc/self/oom_score_adj'
	expect "$(cat /proc/self/oom_score_adj)"
}

@test "conformance: operations without their arguments are errors" {
	RT=berth
	for verb in state create start kill delete; do
		if rt "$verb" </dev/null; then false; fi
	done
	if rt create c; then false; fi
	if rt create -b "$(bundle)"; then false; fi
}
