#!/usr/bin/env bats
# spec_seccomp.bats: linux.seccomp: every action, comparison and flag, the agent
# behind listenerPath, when the filter goes on, and its cache.
# bats file_tags=sansoak

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
	touch "$IT_OUT/rootfs/tmp/f"
	SPEC_NEW=$IT_OUT/rootfs/tmp/new
	export SPEC_NEW
}

teardown_file() {
	spec_down
}

teardown() {
	ns_stop agent
	rm -rf "$SPEC_NEW"
}

# A profile for conf: l["seccomp"] by default allowing, with these rules.
DEF='def sec(*rules, default="SCMP_ACT_ALLOW", **more):
    l["seccomp"] = {"defaultAction": default, "syscalls": list(rules), **more}
def on(action, *names, **more):
    return {"names": list(names), "action": "SCMP_ACT_" + action, **more}
def arg(index, op, value, two=0):
    return {"index": index, "value": value, "valueTwo": two, "op": "SCMP_CMP_" + op}
'

@test "seccomp: actions" {
	local action

	for action in KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG; do
		same "$DEF"'sec(on("'$action'", "mkdir", "mkdirat"))' 'rmdir /tmp/new 2>/dev/null; mkdir /tmp/new && echo made; echo then' || { echo "$action"; return 1; }
		case $action in
		KILL*) [ "$status" = 159 ] || expect_in 'Bad system call' ;;
		TRAP) [ "$status" = 159 ] || expect_in 'Bad system call' ;;
		ERRNO) expect_in 'Operation not permitted' ;;
		TRACE) expect_in 'not implemented' ;;
		*) expect_in made ;;
		esac || { echo "$action: $status $output"; return 1; }
		rm -rf "$SPEC_NEW"
	done
}

@test "seccomp: errnoRet of a rule" {
	same "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat", errnoRet=28))' 'mkdir /tmp/new'
	expect_in 'No space left'
	refused /linux/seccomp "$DEF"'sec(on("ERRNO", "mkdir", errnoRet=70000))' true
	refused /linux/seccomp "$DEF"'sec(on("ALLOW", "mkdir", errnoRet=7))' true
}

# The sanitizers make calls of their own after the filter is on.
# bats test_tags=nosan
@test "seccomp: nothing but what the program needs is allowed, defaultErrnoRet" {
	ours "$DEF"'sec(on("ALLOW", "execve", "brk", "arch_prctl", "write", "exit_group", "open", "openat", "read", "close", "fstat",
"newfstatat", "rt_sigprocmask", "getuid", "geteuid", "getgid", "setuid", "setgid", "prctl", "set_tid_address", "mmap", "munmap", "writev"),
	default="SCMP_ACT_ERRNO", defaultErrnoRet=123); p["args"] = ["mkdir", "/tmp/new"]'
	expect_in 'No medium found'
}

@test "seccomp: comparisons of arguments" {
	local op
	# shellcheck disable=SC2016
	local script='for m in 100 200 300 400; do chmod $m /tmp/f 2>/dev/null && echo $m ok || echo $m no; done'

	for op in '"EQ", 128' '"NE", 128' '"LT", 128' '"LE", 128' '"GE", 128' '"GT", 128' '"MASKED_EQ", 192, 64'; do
		same "$DEF"'sec(on("ERRNO", "chmod", args=[arg(1, '"$op"')]), on("ERRNO", "fchmodat", args=[arg(2, '"$op"')]))' "$script" ||
			{ echo "$op"; return 1; }
		expect_in no
		expect_in ok
	done
	# Two conditions on different arguments: both must hold.
	same "$DEF"'sec(on("ERRNO", "kill", args=[arg(0, "NE", 1), arg(1, "EQ", 10)]))' \
		'trap "echo usr1" USR1; kill -USR1 1; sleep 60 & kill -USR1 $! 2>/dev/null || echo denied; kill -KILL $!'
}

@test "seccomp: flags" {
	ours "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat"), flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"])' \
		'mkdir /tmp/new; grep ^Seccomp: /proc/self/status'
	expect_in 'Operation not permitted'
	expect_in '2'
}

@test "seccomp: what nobody knows is refused by name" {
	refused_by_both /linux/seccomp/defaultAction "$DEF"'sec(default="SCMP_ACT_NOSUCH")' true
	refused_by_both /linux/seccomp/syscalls/0/action "$DEF"'sec(on("NOSUCH", "mkdir"))' true
	refused_by_both /linux/seccomp/syscalls/0/args/0 "$DEF"'sec(on("ERRNO", "mkdir", args=[arg(0, "NOSUCH", 1)]))' true
	refused_by_both /linux/seccomp/syscalls/0/args/0 "$DEF"'sec(on("ERRNO", "mkdir", args=[arg(9, "EQ", 1)]))' true
	refused_by_both /linux/seccomp/architectures "$DEF"'sec(on("ERRNO", "mkdir"), architectures=["SCMP_ARCH_NOSUCH"])' true
	refused /linux/seccomp/flags "$DEF"'sec(on("ERRNO", "mkdir"), flags=["SECCOMP_FILTER_FLAG_NOSUCH"])' true
	same "$DEF"'sec(on("ERRNO", "no_such_call", "mkdir", "mkdirat"))' 'mkdir /tmp/new'
	expect_in 'Operation not permitted'
}

@test "seccomp: with no_new_privs and without, as root and as a user" {
	local nnp uid

	for nnp in True False; do
		for uid in 0 1000; do
			same "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat")); p["noNewPrivileges"] = '$nnp'; p["user"] = {"uid": '$uid', "gid": '$uid'}' \
				'mkdir /tmp/new; grep "^Cap\|^Seccomp:\|^NoNew" /proc/self/status; id -u'
			expect_in 'Operation not permitted'
		done
	done
}

@test "seccomp: the filter goes on last, so only execve has to be allowed of what the runtime calls" {
	local mounts='"mount", "umount2", "pivot_root", "move_mount", "fsopen", "open_tree", "mount_setattr", "sethostname", "chroot",
"setns", "unshare", "clone3", "setresuid", "setresgid", "setgroups", "rt_sigaction", "rt_sigprocmask", "close_range", "chdir", "fchdir",
"accept4", "accept", "connect", "socket", "sendmsg", "recvmsg", "openat2", "sched_setattr", "personality", "keyctl", "setsid", "umask"'

	ours "$DEF"'sec(on("KILL_PROCESS", "capset", "seccomp", '"$mounts"')); p["args"] = ["/bin/cat", "/data/seed"]'
	expect seed
	# Not for the filter's sake kept longer: without no_new_privs, capabilities
	# are dropped after it.
	ours "$DEF"'sec(on("KILL_PROCESS", "seccomp", '"$mounts"')); p["args"] = ["/bin/cat", "/data/seed"]; p["noNewPrivileges"] = False
p["user"] = {"uid": 1000, "gid": 1000}; p["capabilities"] = {}'
	expect seed
}

@test "seccomp: exec has the filter, too" {
	ex() {
		up || return 1
		rt exec c mkdir /tmp/new
		rt exec -u 1000 c sh -c 'exec 2>&1; mkdir /tmp/new; grep ^Seccomp: /proc/self/status'
		gone c
	}
	conf "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat", errnoRet=28))' 'exec sleep 600'
	both ex
	expect_in 'No space left'
}

@test "seccomp: a compiled filter is kept, found again, and not trusted when damaged" {
	local dir=$IT/berth/root/.seccomp f

	ns rm -rf "$dir"
	ours "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat", errnoRet=28))' 'mkdir /tmp/new'
	[ "$(ns ls "$dir" | wc -l)" = 1 ]
	f=$dir/$(ns ls "$dir")
	ns touch -d '2001-01-01' "$f"
	output=$(go 2>&1) || true
	expect_in 'No space left'
	[ "$(ns ls "$dir" | wc -l)" = 1 ]
	[ "$(ns stat -c %y "$f" | cut -c1-4)" = 2001 ]
	ns dd if=/dev/zero of="$f" bs=1 seek=90 count=8 conv=notrunc status=none
	output=$(go 2>&1) || true
	expect_in 'No space left'
	ns truncate -s 30 "$f"
	output=$(go 2>&1) || true
	expect_in 'No space left'
	ours "$DEF"'sec(on("ERRNO", "mkdir", "mkdirat", errnoRet=29))' 'mkdir /tmp/new'
	expect_in 'Illegal seek'
	[ "$(ns ls "$dir" | wc -l)" = 2 ]
}

# ---- the agent ----------------------------------------------------------------

agent_up() {
	ns rm -rf "$IT/agent"
	ns mkdir -p "$IT/agent"
	rm -f "$IT_OUT"/state.*
	ns_daemon agent python3 "$IT_LIB/spec_agent" "$IT/agent/sock" "$IT_OUT/state"
	it_wait 30 ns test -S "$IT/agent/sock"
}

NOTIFY=$DEF'sec(on("NOTIFY", "mkdir", "mkdirat"), listenerPath=os.environ["IT"] + "/agent/sock", listenerMetadata="meta data")
c["annotations"] = {"a": "b"}
'

# What the agent got, without pids.
told() {
	it_wait 30 test -s "$IT_OUT/state.$1"
	echo
	sed -E 's/"pid": [1-9][0-9]*/"pid": N/g; s#"bundle": "[^"]*"#"bundle": B#' "$IT_OUT/state.$1"
}

@test "seccomp: the agent is sent the listener and answers, with run" {
	agent_run() {
		agent_up
		go
		echo "exit $?"
		told 1
		ns_stop agent
	}
	conf "$NOTIFY" 'mkdir /tmp/new; echo on'
	RT=berth # runc's own init waits for its agent without end on this kernel
	output=$(agent_run 2>&1)
	expect_in "exit 0"
	expect_in '"status": "created"' # its program does not run yet
	expect_in 'No medium found'
	expect_in '"metadata": "meta data"'
	expect_in 'seccomp notify'
	expect_in '"received": 1'
}

@test "seccomp: the agent with create and start, and with exec" {
	agent_start() {
		agent_up
		rt create -b "$(bundle)" c >"$BATS_TEST_TMPDIR/out.$RT" 2>&1
		rt start c
		told 1
		[ "$(jq .pid "$IT_OUT/state.1")" = "$(pid_of)" ] && echo pid of the container
		jq -r '"first \(.state.status)"' "$IT_OUT/state.1"
		rt exec c mkdir /tmp/new
		told 2
		[ "$(jq .pid "$IT_OUT/state.2")" != "$(pid_of)" ] && echo pid of the process
		jq -r '"then \(.state.status)"' "$IT_OUT/state.2"
		it_wait 30 grep -q on "$BATS_TEST_TMPDIR/out.$RT"
		cat "$BATS_TEST_TMPDIR/out.$RT"
		gone c
		ns_stop agent
	}
	conf "$NOTIFY" 'mkdir /tmp/new; echo on; exec sleep 600'
	RT=berth
	output=$(agent_start 2>&1)
	expect_in 'pid of the container'
	expect_in 'first created'
	expect_in 'then running'
	expect_in 'No medium found'
}

# The listener is an fd below the limit; a shell needs ten and more, and is let have them.
@test "seccomp: the agent gets its listener under an open file limit of 4" {
	agent_up
	RT=berth
	conf "$NOTIFY"'p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]
p["args"] = ["/bin/busybox", "mkdir", "/tmp/x"]'
	output=$(go 2>&1) && return 1
	expect "mkdir: can't create directory '/tmp/x': No medium found"
	rt create -b "$(bundle)" c
	rt start c
	it_until 30 'rt state c | grep -q stopped'
	gone c
	expect 2 "$(ns sh -c "ls $IT_OUT/state.*" | wc -l)"
	ns_stop agent
}

@test "seccomp: no agent: nothing runs, nothing is left" {
	refused_by_both seccomp "$NOTIFY" 'echo ran'
	refused_by_both /linux/seccomp/listenerPath "$DEF"'sec(on("NOTIFY", "mkdir"))' true
	refused_by_both /linux/seccomp "$DEF"'sec(on("NOTIFY", "write"), listenerPath="/x")' true
	refused_by_both /linux/seccomp "$DEF"'sec(default="SCMP_ACT_NOTIFY", listenerPath="/x")' true
}

@test "seccomp: an agent that hangs up" {
	# Nobody answers: the call fails, the container goes on.
	agent_up
	conf "$NOTIFY" 'sleep 1; mkdir /tmp/new; echo on'
	RT=berth
	go >"$BATS_TEST_TMPDIR/out" 2>&1 &
	it_wait 30 test -s "$IT_OUT/state.1"
	ns_stop agent
	wait $!
	grep -q 'not implemented' "$BATS_TEST_TMPDIR/out"
	grep -q on "$BATS_TEST_TMPDIR/out"
}

# The parent has no privileges over the process whose fd it takes.
@test "seccomp: an unprivileged caller's agent gets the listener, too" {
	RT=berth
	agent_up
	ns chmod 711 "$IT/agent"
	ns chmod 777 "$IT/agent/sock"
	ns install -d -o 4242 -g 4242 -m 700 "$IT/kim"
	conf "$NOTIFY"'maps(0, 4242, 1); l["cgroupsPath"] = ""; l.pop("resources"); ns("network", new=False)
c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("sysfs", "cgroup")]
for m in c["mounts"]:
    m["options"] = [o for o in m.get("options", []) if o != "gid=5"]' 'mkdir /tmp/new; echo on'
	run ns setpriv --reuid 4242 --regid 4242 --clear-groups env XDG_RUNTIME_DIR="$IT/kim" \
		timeout -k 1 60 "$BERTH" --root "$IT/kim/root" run -b "$(bundle)" c
	ns_stop agent
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in 'No medium found'
	expect_in on
}
