#!/usr/bin/env bats
# builtin_init.bats: containers without a program of their own (annotation
# io.berth.init): what their first process does, with any specification, and
# what a container can do to it. The shim's side of it is in shim_init.bats.

load lib.bash
load spec_lib.bash

setup_file() {
	it_need cc
	spec_up
	cc -static -O1 -o "$IT_OUT/rootfs/attack" "$IT_TOP/test/hostile/attack.c"
}

teardown_file() {
	spec_down
}

setup() {
	export RT=berth
}

teardown() {
	gone c
}

INIT='c["annotations"] = {"io.berth.init": "true"}
p["args"] = ["/pod", "one two"]
'

# ended CODE: the container ends by itself, with this code, within the time that nobody has to poll.
ended() {
	it_until 30 'rt state c | grep -q "\"status\": \"stopped\""' || { rt state c; return 1; }
}

# `run` in the background: its exit code will be in $BATS_TEST_TMPDIR/code.
in_front() {
	rm -f "$BATS_TEST_TMPDIR/code"
	{
		go >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- && rc=0 || rc=$?
		echo "$rc" >"$BATS_TEST_TMPDIR/code"
	} 3>&- 4>&- &
	it_until 30 'rt state c 2>/dev/null | grep -q "\"status\": \"running\""'
}

code() {
	it_wait "${2:-5}" test -s "$BATS_TEST_TMPDIR/code" || { echo "it does not end"; return 1; }
	expect "$1" "$(cat "$BATS_TEST_TMPDIR/code")"
}

# Its processes as the container sees them, without the one that looks.
inside() {
	rt exec c sh -c 'for p in /proc/[0-9]*; do [ ${p#/proc/} = $$ ] || echo "${p#/proc/} $(cat $p/comm) $(tr "\0" , <$p/cmdline)"; done'
}

@test "builtin init: it stays, has its arguments for ps, and SIGTERM ends it with 0" {
	conf "$INIT"
	in_front
	expect '1 init /pod,one two,' "$(inside)"
	expect / "$(rt exec c readlink /proc/1/cwd)"
	[ "$(ns sh -c "ls /proc/$(pid_of)/fd | wc -l")" = 3 ]
	rt kill c TERM
	code 0
}

@test "builtin init: SIGKILL ends it as any other" {
	conf "$INIT"
	in_front
	rt kill c KILL
	code 137
}

@test "builtin init: create and start, and SIGTERM at once after start" {
	local _

	conf "$INIT"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rt create -b "$(bundle)" c </dev/null >/dev/null 2>&1
		rt start c
		rt kill c TERM
		ended || return 1
		rt delete c
	done
}

@test "builtin init: other signals are ignored, from inside and from outside, and so is SIGTERM from inside while another lives" {
	local sig

	conf "$INIT"
	in_front
	for sig in HUP INT QUIT USR1 USR2 ALRM PIPE WINCH CHLD CONT TSTP TTIN 34 64; do
		rt kill c $sig || return 1
		rt exec c kill -$sig 1 || return 1
	done
	sleep 0.2
	expect '1 init /pod,one two,' "$(inside)"
	# One that is stopped goes on where it was.
	rt kill c STOP
	rt kill c CONT
	# Asked from inside: it waits for the one that asks.
	rt exec c kill -TERM 1
	code 0
}

@test "builtin init: it reaps what is left to it" {
	conf "$INIT"
	in_front
	rt exec c sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.1 &); done'
	it_until 30 '[ "$(inside)" = "1 init /pod,one two," ]' || { inside; return 1; }
	rt kill c TERM
	code 0
}

@test "builtin init: after SIGTERM it stays until the last process has ended, however that came to be" {
	conf "$INIT"
	in_front
	# an orphan, which is init's own child, and an exec, which is not
	rt exec c sh -c 'sleep 100 & echo $! >/tmp/orphan'
	rt exec c sh -c 'until test -e /tmp/go; do sleep 0.1; done' 3>&- 4>&- &
	it_until 30 'rt ps c | grep -q until' || { rt ps c; return 1; }
	rt kill c TERM
	sleep 0.3
	[ ! -e "$BATS_TEST_TMPDIR/code" ]
	rt exec c sh -c 'kill $(cat /tmp/orphan)'
	sleep 0.3
	[ ! -e "$BATS_TEST_TMPDIR/code" ]
	touch "$IT_OUT/rootfs/tmp/go"
	code 0
	rm -f "$IT_OUT"/rootfs/tmp/{go,orphan}
}

@test "builtin init: it does not look for anything while it waits" {
	local before after

	conf "$INIT"
	in_front
	rt exec c sh -c 'sleep 100 &'
	rt kill c TERM
	sleep 2
	before=$(ns grep ctxt "/proc/$(pid_of)/status")
	sleep 1
	after=$(ns grep ctxt "/proc/$(pid_of)/status")
	expect "$before" "$after"
	rt kill c KILL
	code 137
}

@test "builtin init: with another user, no rights at all, and no_new_privs" {
	conf "$INIT"'p["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}; p["capabilities"] = {}; p["noNewPrivileges"] = True
p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]'
	in_front
	expect 1000 "$(ns sh -c "sed -n 's/^Uid:.\([0-9]*\).*/\1/p' /proc/$(pid_of)/status")"
	# What another user leaves it reaps, and sees.
	rt exec --user 0 c sh -c 'sleep 3 &'
	rt kill c TERM
	sleep 0.1
	[ ! -e "$BATS_TEST_TMPDIR/code" ]
	code 0
}

@test "builtin init: in a user namespace, with all its capabilities" {
	conf "$INIT"'maps(0, 100000); p["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_KILL", "CAP_SYS_PTRACE"] for k in ("bounding", "effective", "permitted")}'
	chmod 711 "$IT_OUT"
	in_front
	expect 100000 "$(ns sh -c "sed -n 's/^Uid:.\([0-9]*\).*/\1/p' /proc/$(pid_of)/status")"
	rt kill c TERM
	code 0
}

@test "builtin init: a root file system that is read-only, or empty, or of another machine" {
	conf "$INIT"'c["root"]["readonly"] = True'
	in_front
	rt kill c TERM
	code 0
	rm -rf "$IT_OUT/own"
	mkdir "$IT_OUT/own"
	conf "$INIT$OWN"'c["mounts"] = []; l["maskedPaths"] = l["readonlyPaths"] = []; p["env"] = []'
	in_front
	expect '' "$(find "$IT_OUT/own" -mindepth 1 ! -path "$IT_OUT/own/dev*")"
	rt kill c TERM
	code 0
	rm -rf "$IT_OUT/own"
}

@test "builtin init: where it is not the first in its pid namespace it ends at SIGTERM alone" {
	conf "$INIT"'ns("pid", new=False)'
	in_front
	rt kill c TERM
	code 0
	SPEC_SUFFIX=-d conf 'ns("pid"); l["cgroupsPath"] += "-d"' 'sleep 100'
	rt run -d -b "$IT_OUT/berth-d" d >/dev/null 2>&1
	conf "$INIT"'ns("pid", f"/proc/{'"$(pid_of d)"'}/ns/pid")'
	in_front
	rt kill c TERM
	code 0
	gone d
}

@test "builtin init: with a terminal, with hooks, with more descriptors" {
	conf "$INIT"'c["hooks"] = {k: [{"path": "/bin/true"}] for k in ("createRuntime", "createContainer", "startContainer", "poststart", "poststop")}'
	in_front
	rt kill c TERM
	code 0
	conf "$INIT"'p["terminal"] = True'
	{
		on_tty ns "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c && rc=0 || rc=$?
		echo "$rc" >"$BATS_TEST_TMPDIR/code"
	} </dev/null >"$BATS_TEST_TMPDIR/tty" 2>&1 3>&- 4>&- &
	it_until 30 'rt state c 2>/dev/null | grep -q "\"status\": \"running\""'
	expect "/dev/pts/0" "$(ns sh -c "readlink /proc/$(pid_of)/fd/0 | sed s#.*/dev#/dev#")"
	rt kill c TERM
	code 0
	conf "$INIT"
	ns sh -c 'exec "$@" 3</dev/null 4</dev/zero' sh "$BERTH" --root "$IT/berth/root" run --preserve-fds 2 -d -b "$(bundle)" c \
		</dev/null >/dev/null 2>&1
	expect '/dev/null /dev/zero' "$(ns sh -c "cd /proc/$(pid_of)/fd; echo \$(readlink 3 4)")"
	expect 5 "$(ns sh -c "ls /proc/$(pid_of)/fd | wc -l")"
}

@test "builtin init: another value than true and false is an error that names it; false is what it says" {
	refused "/annotations/io.berth.init: neither true nor false: 'yes'" 'c["annotations"] = {"io.berth.init": "yes"}' 'echo ran'
	ours 'c["annotations"] = {"io.berth.init": "false"}' 'echo ran'
	expect ran "$output"
	ours "$INIT"'p["args"] = []'
	[ "$status" = 1 ]
	expect_in '/process/args'
}

# ---- seccomp ----------------------------------------------------------------

ONLY='def only(*names, action="SCMP_ACT_ERRNO"):
    l["seccomp"] = {"defaultAction": action, "syscalls": [{"names": list(names), "action": "SCMP_ACT_ALLOW"}]}
NEEDS = ["execveat", "prctl", "getpid", "rt_sigtimedwait", "wait4", "kill", "exit_group"]
'

# The sanitizers make calls of their own after the filter is on.
# bats test_tags=nosan
@test "builtin init: a filter with just what it needs, whatever the others end in" {
	local action

	for action in ERRNO KILL_PROCESS TRAP; do
		conf "$INIT$ONLY"'only(*NEEDS, action="SCMP_ACT_'$action'")'
		in_front
		rt kill c TERM
		code 0 || { echo "$action"; return 1; }
	done
	# Its name is not worth a failure.
	conf "$INIT$ONLY"'only(*[n for n in NEEDS if n != "prctl"])'
	in_front
	rt kill c TERM
	code 0
}

@test "builtin init: a filter without something that it needs is refused, by name, before anything is made" {
	local name

	for name in execveat getpid rt_sigtimedwait wait4 kill exit_group; do
		refused "/linux/seccomp: does not allow $name, which io.berth.init needs" \
			"$INIT$ONLY"'only(*[n for n in NEEDS if n != "'$name'"])' || { echo "$name: $output"; return 1; }
	done
	refused "does not allow prctl" "$INIT$ONLY"'only(*[n for n in NEEDS if n != "prctl"], action="SCMP_ACT_KILL")'
	refused "does not allow kill" "$INIT"'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"],
"action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]}]}'
}

# ---- what a container can do to it ------------------------------------------

MIGHTY='p["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_KILL"] for k in ("bounding", "effective", "permitted")}; p["noNewPrivileges"] = False; '

# The file that it runs from is one in memory, of this container alone: it is no
# file of the host, cannot be written, and what is done to it ends with it.
# bats test_tags=nosan
@test "builtin init: /proc/1/exe leads to no file of the host and cannot be written, with any capabilities (CVE-2019-5736)" {
	local how conf before link sum

	before=$(sha256sum <"$BERTH")
	for how in own all userns; do
		conf=
		[ $how = own ] || conf=$MIGHTY
		[ $how != userns ] || conf+='maps(0, 0, 65536)'
		conf "$INIT$conf"
		in_front
		link=$(rt exec c readlink /proc/1/exe)
		case $link in /memfd:io.berth.init*) ;; *) echo "$how: $link"; return 1 ;; esac
		sum=$(rt exec c sha256sum </dev/null /proc/1/exe)
		for cmd in 'echo x >/proc/1/exe' 'echo x >>/proc/1/exe' ': >/proc/1/exe' 'dd if=/bin/busybox of=/proc/1/exe conv=notrunc bs=1 count=9' \
			'truncate -s 0 /proc/1/exe' 'mount -o remount,rw,bind /proc/1/exe' 'mount --bind /bin/busybox /proc/1/exe' \
			'rm /proc/1/exe' 'mv /bin/busybox /proc/1/exe' 'exec 7<>/proc/1/exe && echo x >&7'; do
			! rt exec c sh -c "$cmd" 2>/dev/null || { echo "$how: $cmd"; return 1; }
		done
		expect "$sum" "$(rt exec c sha256sum /proc/1/exe)"
		# Root of the host's ids can make it set-id; it is still nothing but this program.
		rt exec c chmod 4777 /proc/1/exe 2>/dev/null || true
		! rt exec c sh -c 'echo x >/proc/1/exe' 2>/dev/null
		# Run again it does what it does.
		rt exec c timeout 1 /proc/1/exe || true
		# the attack on programs that enter, too
		rm -f "$BATS_TEST_TMPDIR/attack"
		rt exec c /attack exe 1 "$(stat -Lc %d:%i "$BERTH")" >"$BATS_TEST_TMPDIR/attack" 2>&1 3>&- 4>&- &
		for _ in 1 2 3 4; do
			rt exec c /proc/1/exe >/dev/null 2>&1 3>&- 4>&- &
		done
		it_until 30 'grep -q wrote "$BATS_TEST_TMPDIR/attack"'
		grep -q 'wrote 0' "$BATS_TEST_TMPDIR/attack"
		expect "$sum" "$(rt exec c sha256sum /proc/1/exe)"
		rt kill c KILL
		code 137
	done
	expect "$before" "$(sha256sum <"$BERTH")"
}

@test "builtin init: each container has a file of its own" {
	conf "$INIT"
	SPEC_SUFFIX=-d conf "$INIT"'l["cgroupsPath"] += "-d"'
	up
	rt run -d -b "$IT_OUT/berth-d" d >/dev/null 2>&1
	[ "$(ns stat -Lc %d:%i "/proc/$(pid_of c)/exe")" != "$(ns stat -Lc %d:%i "/proc/$(pid_of d)/exe")" ]
	rt exec c chmod 0 /proc/1/exe 2>/dev/null || true
	rt kill d TERM
	it_until 30 'rt state d | grep -q stopped'
	rt delete d
}
