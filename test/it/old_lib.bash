# old_lib.bash: the runtime where system calls are missing or refused: a script in
# place of $BERTH that goes through test/old/without.c, and containers of all
# kinds to judge it by.

old_up() {
	OLD_BERTH=$BERTH
	OLD_WITHOUT=${BERTH_BUILD:-$IT_TOP/build}/test/without
	[ -x "$OLD_WITHOUT" ] || { echo "build $OLD_WITHOUT" >&2; return 1; }
	export OLD_BERTH OLD_WITHOUT
}

# old_script FILE BINARY [ERRNO CALL…]
old_script() {
	local errno=${3:-ENOSYS} calls

	calls=$(IFS=,; echo "${*:4}")
	printf '#!/bin/sh\nexec %s --errno %s %s -- %s "$@"\n' "$OLD_WITHOUT" "$errno" "$calls" "$2" >"$1"
	chmod 755 "$1"
}

# old_runtime [ERRNO CALL…]: from now on $BERTH is without them, and of the filters
# that were compiled with them.
old_runtime() {
	ns rm -rf "$IT/berth/root/.seccomp"
	BERTH=$IT_OUT/berth.sh
	old_script "$BERTH" "$OLD_BERTH" "$@"
	export BERTH
}

OLD_KINDS='life userns stage recursive idmap closed quick filter agent init'

# What a program sees of its container (the order of mounts is who made them first), without what differs by nature.
# shellcheck disable=SC2016
OLD_LOOK='awk "{ p = \"\"; for (i = 4; i <= NF; i++) { t = \$i; sub(/:[0-9]+\$/, \"\", t); p = p \" \" t } print p }" /proc/self/mountinfo | sort
grep -E "^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap.*|Sig(Ign|Blk|Cgt)|Cpus_allowed_list):" /proc/self/status
cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/uid_map
hostname; id; env | sort; pwd; umask; ionice; cut -d" " -f19,41 /proc/self/stat
ls -l /dev | awk "{ print \$1, \$NF }"; ls /proc/self/fd | wc -l'

old_bundles() {
	mkdir -p "$IT_OUT/src/sub"
	echo inner >"$IT_OUT/src/file"
	chmod -R a+rX "$IT_OUT/src"
	ns mount -t tmpfs -o nosuid sub "$IT_OUT/src/sub"
	OLD_COMMON='src = out + "/src"
p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}]
mount("/m-tmp", "tmpfs", "tmpfs", "size=64k", "mode=711", "noexec")
mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro")
mount("/m-ro", "tmpfs", "tmpfs", "ro", "noexec", "mode=711"); mount("/m-ro", "tmpfs", "tmpfs", "nodev", "mode=711")
mount("/m-bind", src, "bind", "rbind", "ro", "nosuid", "rslave")
mount("/m-file", src + "/file", "bind", "bind", "noexec")
p["oomScoreAdj"] = 77
l["resources"].update(memory={"limit": 1 << 26}, pids={"limit": 100}, cpu={"shares": 512})
'
	SPEC_SUFFIX=.life conf "$OLD_COMMON"'p["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
p["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
p["user"]["additionalGids"] = [5, 6]
ns("cgroup")
l["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
l["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
hook = {"path": "/bin/busybox", "args": ["true"]}
c["hooks"] = {k: [hook] for k in ("createContainer", "startContainer", "poststart", "poststop")}' \
		"$OLD_LOOK; trap 'exit 3' TERM; echo END; while :; do sleep 0.05; done"
	SPEC_SUFFIX=.userns conf "$OLD_COMMON"'maps(0, 100000)' "$OLD_LOOK"
	SPEC_SUFFIX=.stage conf "$OLD_COMMON"'maps(0, 100000); ns("time"); l["timeOffsets"] = {"boottime": {"secs": 100000000}}' "$OLD_LOOK; cut -c1-3 /proc/uptime"
	SPEC_SUFFIX=.recursive conf 'mount("/m", out + "/src", "bind", "rbind", "rro", "rnosuid")' "$OLD_LOOK"
	SPEC_SUFFIX=.idmap conf 'maps(0, 100000); mount("/home", out + "/src", "bind", "bind", "idmap")' 'stat -c "%u %g" /home/file'
	mkdir -p "$IT_OUT/closed/in" # for root of the host alone
	chmod 700 "$IT_OUT/closed"
	SPEC_SUFFIX=.closed conf 'maps(0, 100000); mount("/home", out + "/closed/in", "bind", "bind", "ro")' 'stat -c "%u %g" /home'
	SPEC_SUFFIX=.kill conf 'l["seccomp"] = {"defaultAction": "SCMP_ACT_KILL_PROCESS"}' true
	SPEC_SUFFIX=.filter conf 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}' 'mkdir /x; echo done'
	SPEC_SUFFIX=.init conf 'c["annotations"] = {"io.berth.init": "true"}'
	SPEC_SUFFIX=.agent conf 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": os.environ["IT"] + "/agent/sock",
"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}' 'mkdir /tmp/new; echo on'
}

# old_try KIND: runs one; what it prints is what is compared, "exit N" at the end.
old_try() {
	local rc=0

	case $1 in
	life) old_life || rc=$? ;;
	quick)
		rt run --rootfs "$IT_OUT/rootfs" --cgroup-path "$IT_CG/quick" --user 1000:6 c \
			sh -c "exec 2>&1; $OLD_LOOK" || rc=$?
		;;
	agent)
		ns rm -rf "$IT/agent"
		ns mkdir -p "$IT/agent"
		ns_daemon agent python3 "$IT_LIB/spec_agent" "$IT/agent/sock" "$IT_OUT/state"
		it_wait 30 ns test -S "$IT/agent/sock"
		rt run -b "$IT_OUT/berth.agent" c || rc=$?
		ns_stop agent
		;;
	init) old_init || rc=$? ;;
	*) rt run -b "$IT_OUT/berth.$1" c || rc=$? ;;
	esac
	echo "exit $rc"
}

# Its output would be the init's, and with it the pipe would stay open.
old_init() {
	rt create -b "$IT_OUT/berth.init" c >"$IT_OUT/init.out" 2>&1 || { cat "$IT_OUT/init.out"; return 1; }
	rt start c && rt exec c sh -c 'cat /proc/1/comm; readlink /proc/1/exe; (sleep 0.2 &)' && rt kill c TERM || { rt delete --force c; return 1; }
	it_wait 30 old_stopped || { echo "it did not end"; return 1; }
	rt delete c
}

# Everything that one container can be asked for, up to what fails first.
old_life() {
	local b=$IT_OUT/berth.life out=$IT_OUT/life.out

	: >"$out"
	rt create -b "$b" --pid-file "$IT_OUT/pid" c >"$out" 2>&1 || { cat "$out"; return 1; }
	old_state && rt start c || return
	it_wait 30 grep -qx END "$out" || { echo "nothing is run"; cat "$out"; return 1; }
	cat "$out"
	old_state &&
		rt exec c sh -c "exec 2>&1; $OLD_LOOK" && rt exec -d --cwd /tmp -u 1000 c sleep 60 &&
		it_until 30 'rt ps -f json c | grep -qxE "\[[0-9]+(,[0-9]+){2}\]"' && rt pause c && old_state && rt resume c && old_state &&
		rt update --memory 32m --pids-limit 50 c && rt exec c sh -c "$OLD_LIMITS" &&
		rt events --stats c | cut -c1-30 && rt list -q && rt kill c TERM || return
	it_wait 30 old_stopped || { echo "it did not end"; return 1; }
	rt delete c && rt list -q
}
# shellcheck disable=SC2016
OLD_LIMITS='cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null ||
cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'

old_state() {
	rt state c | sed -n 's/^ *"status": //p'
}

old_stopped() {
	old_state | grep -q stopped
}

# old_judge KIND [PART]: as with all calls; with PART: one error that has it.
old_judge() {
	local got=$IT_OUT/got.$1 bad=0

	old_try "$1" >"$got" 2>&1 || true
	if [ -z "${2:-}" ]; then
		cmp -s "$IT_OUT/want.$1" "$got" || { diff "$IT_OUT/want.$1" "$got" | head -n 6 | cut -c1-250; bad=1; }
	elif grep -qx 'exit 0' "$got" || [ "$(grep -c 'level=error' "$got")" != 1 ] ||
		! grep 'level=error' "$got" | grep -qF -- "$2"; then
		echo "no error with '$2':"
		cat "$got"
		bad=1
	fi
	old_nothing_left || bad=1
	return "$bad"
}

old_nothing_left() {
	local left

	left=$(ns find "$IT/berth/root" -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null
		it_cgroup_dirs "$IT_CG" | grep "$IT_CG/"
		ns_left)
	[ -n "$left" ] || return 0
	echo "left behind: $left"
	BERTH=$OLD_BERTH gone c
	return 1
}
