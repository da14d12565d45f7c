#!/usr/bin/env bats
# spec_process.bats: process: ids, capabilities, limits, scheduling, directory,
# environment, and what a program is given open.

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
}

teardown_file() {
	spec_down
}

@test "process: user, groups, supplementary groups, umask" {
	same 'p["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6, 70000], "umask": 0o37}' \
		'id; umask; grep ^Groups /proc/self/status'
	expect_in 'uid=1000(kay) gid=1001 groups='
	expect_in 0037
	same '' 'id; umask'
}

@test "process: capabilities, each of the five sets" {
	same 'p["capabilities"] = {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], "permitted": ["CAP_CHOWN", "CAP_KILL"],
"effective": ["CAP_KILL"], "inheritable": [], "ambient": []}; p["noNewPrivileges"] = False' 'grep ^Cap /proc/self/status'
	expect_in 'CapBnd:	0000000000002021'
	same 'caps("CAP_KILL"); p["capabilities"]["inheritable"] = ["CAP_KILL"]; p["capabilities"]["ambient"] = ["CAP_KILL"]
p["user"] = {"uid": 1000, "gid": 1000}' 'grep ^Cap /proc/self/status'
	expect_in 'CapAmb:	0000000000000020'
	same 'p["capabilities"] = {}' 'grep ^Cap /proc/self/status'
	same 'p["user"] = {"uid": 1000, "gid": 1000}' 'grep ^Cap /proc/self/status'
}

@test "process: a capability that does not exist is a warning" {
	conf 'p["capabilities"]["bounding"].append("CAP_NOSUCH"); p["capabilities"]["ambient"] = ["chown"]' 'grep ^CapBnd /proc/self/status'
	RT=berth
	run go
	[ "$status" = 0 ]
	expect_in "level=warning msg=\"/process/capabilities: unknown capability 'CAP_NOSUCH'\""
	expect_in "unknown capability 'chown'"
	expect_in 'CapBnd:	0000000020000420'
}

keyring_program() {
	cat >"$IT_OUT/keyring.c" <<-'C'
		#include <stdio.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void)
		{
			char text[256] = "";

			syscall(SYS_keyctl, 6, -3, text, sizeof text - 1);
			puts(text);
			return 0;
		}
	C
	cc -static -o "$IT_OUT/rootfs/keyring" "$IT_OUT/keyring.c"
}

@test "process: the session keyring has the name and the rights that runc gives it" {
	keyring_program
	same 'p["args"] = ["/keyring"]'
	expect_in ';3f1b0000;_ses.c'
	same 'p["args"] = ["/keyring"]; maps(0, 100000)'
	expect_in ';3f130008;_ses.c'
}

@test "process: --no-new-keyring keeps the caller's session keyring, for an exec too" {
	keyring_program
	conf '' 'exec sleep 100'
	kept() {
		up --no-new-keyring
		rt exec c /keyring
		gone c
	}
	both kept
	case $output in *_ses.c*) return 1 ;; esac
}

@test "process: no_new_privs both ways" {
	same 'p["noNewPrivileges"] = True' 'grep NoNewPrivs /proc/self/status'
	same 'p["noNewPrivileges"] = False' 'grep NoNewPrivs /proc/self/status'
	expect_in 0
}

@test "process: rlimits; those this machine may not raise are named" {
	same 'p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
{"type": "RLIMIT_FSIZE", "soft": 4096, "hard": 18446744073709551615}, {"type": "RLIMIT_STACK", "soft": 1048576, "hard": 2097152}]' \
		'grep "files\|core\|file size\|stack" /proc/self/limits'
	expect_in '100                  200'
	refused_by_both RLIMIT_NOFILE 'p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 1073741816}]' true
	refused_by_both /process/rlimits/0 'p["rlimits"] = [{"type": "RLIMIT_NOSUCH", "soft": 9, "hard": 9}]' true
	refused /process/rlimits 'p["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2' true
}

@test "process: oom_score_adj" {
	same 'p["oomScoreAdj"] = 321' 'cat /proc/self/oom_score_adj'
	expect 321
	refused /process/oomScoreAdj 'p["oomScoreAdj"] = 1001' true
}

# Numbers of sched_getscheduler and ioprio_get.
@test "process: scheduler" {
	ours 'p["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}' \
		'grep "^policy" /proc/self/sched; cut -d" " -f19,41 /proc/self/stat'
	expect_in '5 3'
	ours 'p["scheduler"] = {"policy": "SCHED_IDLE"}' 'cut -d" " -f41 /proc/self/stat'
	expect_in 5
	ours 'p["scheduler"] = {"policy": "SCHED_FIFO", "priority": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}' \
		'read -r s </proc/1/stat; set -- ${s##*)}; echo ${38} ${39}'
	[ "$status" = 0 ] || expect_in /process/scheduler # a cpu cgroup without a real-time share
	refused /process/scheduler 'p["scheduler"] = {"policy": "SCHED_NOSUCH"}' true
	refused /process/scheduler 'p["scheduler"] = {"policy": "SCHED_OTHER", "priority": 4}' true
}

@test "process: ioPriority" {
	ours 'p["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}' 'ionice -p $$'
	expect 'best-effort: prio 6'
	ours 'p["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}' 'ionice -p $$'
	expect_in idle
	refused /process/ioPriority 'p["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 8}' true
}

@test "process: execCPUAffinity" {
	conf 'p["execCPUAffinity"] = {"initial": "0", "final": "1"}' 'grep Cpus_allowed_list /proc/self/status; exec sleep 600'
	RT=berth
	up
	output=$(rt exec c grep Cpus_allowed_list /proc/self/status)
	expect_in '	1'
	gone c
	refused /process/execCPUAffinity 'p["execCPUAffinity"] = {"initial": "x"}' true
}

@test "process: personality" {
	ours 'l["personality"] = {"domain": "LINUX32"}' 'uname -m; cat /proc/self/personality'
	[ "$(head -n 1 <<<"$output")" != "$(uname -m)" ]
	expect_in 00000008
	refused /linux/personality 'l["personality"] = {"domain": "MINIX"}' true
}

@test "process: working directory, made when missing, refused when no directory" {
	same 'p["cwd"] = "/made/deep"' 'pwd; ls -ld /made/deep | cut -c1-10'
	expect_in /made/deep
	ours 'p["cwd"] = "/made/again"; p["user"] = {"uid": 1000, "gid": 1000, "umask": 0o77}' 'pwd; ls -ld . | cut -c1-10'
	expect '/made/again
drwxr-xr-x'
	rm -r "$IT_OUT/rootfs/made"
	refused_by_both "/noexec" 'p["cwd"] = "/noexec"' true
	refused_by_both /process/cwd 'p["cwd"] = "relative"' true
	same 'p["cwd"] = "/home/kay"; p["user"] = {"uid": 1000, "gid": 1000}' 'pwd; touch here && ls'
	rm -f "$IT_OUT/rootfs/home/kay/here"
}

@test "process: environment, HOME and PATH" {
	same 'p["env"] = ["PATH=/bin", "A=1", "B=x=y", "E="]' env
	expect_in 'HOME=/root'
	same 'p["user"] = {"uid": 1000, "gid": 1000}; p["env"] = ["PATH=/usr/bin"]; p["args"] = ["env"]'
	expect_in 'HOME=/home/kay'
	same 'p["env"] = ["PATH=/nowhere"]; p["args"] = ["/bin/env"]'
	same 'p["env"] = ["PATH=/bin", "A=1", "A=2"]' env
}

@test "process: a program that is not there, not executable, a directory" {
	refused_by_both 'executable file not found in $PATH' 'p["args"] = ["no-such"]'
	refused_by_both 'no such file or directory' 'p["args"] = ["/no-such"]'
	refused_by_both 'permission denied' 'p["args"] = ["/noexec"]'
	refused_by_both 'permission denied' 'p["args"] = ["/data"]'
	refused_by_both /process/args 'p["args"] = []'
}

# with_fds VERB…: berth with 3, 4 and 9 open in its caller.
with_fds() {
	# shellcheck disable=SC2016
	ns sh -c '"$@" 3</dev/null 4</dev/null 9</dev/null' sh "$BERTH" --root "$IT/berth/root" "$@" </dev/null
}

@test "process: exactly 0, 1, 2 and the preserved fds are open, with every verb" {
	# shellcheck disable=SC2016
	local fds='ls /proc/$$/fd; true'

	RT=berth
	conf '' "$fds"
	expect "$(seq 0 2)" "$(with_fds run -b "$IT_OUT/berth" c)"
	expect "$(seq 0 4)" "$(with_fds run --preserve-fds 2 -b "$IT_OUT/berth" c)"
	conf '' "(${fds%%;*}) >/data/fds; exec sleep 600"
	with_fds create --preserve-fds 1 -b "$IT_OUT/berth" c >/dev/null 2>&1 3>&- 4>&-
	rt start c
	it_wait 30 test -s "$IT_OUT/rootfs/data/fds"
	expect "$(seq 0 3)" "$(cat "$IT_OUT/rootfs/data/fds")"
	rm "$IT_OUT/rootfs/data/fds"
	expect "$(seq 0 2)" "$(with_fds exec c sh -c "$fds")"
	expect "$(seq 0 4)" "$(with_fds exec --preserve-fds 2 c sh -c "$fds")"
	gone c
}

@test "process: sockets of systemd activation are handed over" {
	conf '' 'echo $LISTEN_FDS; [ -e /proc/$$/fd/3 ] && echo three'
	activated() {
		local bin=$BERTH

		[ "$RT" = berth ] || bin=$PEER
		# shellcheck disable=SC2016
		ns sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3</dev/null' sh "$bin" --root "$IT/$RT/root" run -b "$(bundle)" c </dev/null
	}
	both activated
	expect_in three
}

@test "process: exec takes what the specification of the process says" {
	same_exec() {
		up || return 1
		rt exec -p "$IT_OUT/process.json" c
		rt exec -u 1000:1000 -e X=1 --cwd /tmp --cap CAP_NET_RAW -g 6 -g 7 c sh -c 'id; pwd; echo $X $HOME; grep ^Cap /proc/self/status'
		gone c
	}
	cat >"$IT_OUT/process.json" <<-'JSON'
		{"args": ["sh", "-c", "id; pwd; grep ^Cap /proc/self/status; grep core /proc/self/limits"],
		 "cwd": "/data", "env": ["PATH=/bin"], "user": {"uid": 5, "gid": 7, "additionalGids": [9], "umask": 63},
		 "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
		 "rlimits": [{"type": "RLIMIT_CORE", "soft": 33, "hard": 44}]}
	JSON
	conf '' 'exec sleep 600'
	both same_exec
	expect_in 'uid=5 gid=7'
	# What runc ignores in it.
	RT=berth
	up
	echo '{"args": ["sh", "-c", "umask; cat /proc/self/oom_score_adj; ionice -p $$"], "cwd": "/", "umask": 63, "oomScoreAdj": 99,
		"user": {"uid": 0, "gid": 0, "umask": 63}, "env": ["PATH=/bin"], "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 2}}' |
		sed 's/"umask": 63, "oom/"oom/' >"$IT_OUT/process.json"
	output=$(rt exec -p "$IT_OUT/process.json" c)
	expect '0077
99
best-effort: prio 2'
	gone c
}

# To the kernel an id of 2^32-1 means "as it is", and that is root.
@test "process: exec as user or group 4294967295 is refused" {
	local how

	RT=berth
	conf '' 'exec sleep 600'
	up
	for how in '-u 4294967295' '-u 1000:4294967295' '-u 1000 -g 4294967295'; do
		# shellcheck disable=SC2086
		output=$(rt exec $how c id 2>&1) && { echo "exec $how: $output"; return 1; }
		expect_in 'must be at most 4294967294'
	done
	gone c
}

@test "process: labels need an LSM, which this machine does not have" {
	refused /process/apparmorProfile 'p["apparmorProfile"] = "some-profile"' true
	refused /process/selinuxLabel 'p["selinuxLabel"] = "system_u:system_r:container_t:s0"' true
}

@test "process: a resctrl group needs resctrl" {
	refused /linux/intelRdt 'l["intelRdt"] = {"closID": "x"}' true
}
