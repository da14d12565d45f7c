#!/usr/bin/env bats
# cve_process.bats: what was found in other runtimes around the process itself:
# the runtime's own binary, what it holds open, capabilities, ids, groups, the
# environment, the terminal, cgroups, documents. Every test is an attack or the
# state that made one possible, named by its number; docs/security.md has the
# whole table, and how each test was seen to fail. What an attack would spoil is
# always the test's own.

load lib.bash
load spec_lib.bash

setup_file() {
	it_need cc script
	spec_up
	cc -static -O1 -o "$IT_OUT/rootfs/attack" "$IT_TOP/test/hostile/attack.c"
	mkdir "$IT_OUT/outside"
	echo secret >"$IT_OUT/outside/file"
}

teardown_file() {
	spec_down
}

setup() {
	export RT=berth
}

hash_of() {
	ns sha256sum "$1" | cut -d' ' -f1
}

# A copy of the runtime, whose hash may be lost: $victim.
victim() {
	victim=$IT/victim
	ns rm -f "$victim"
	ns cp "$1" "$victim"
	before=$(hash_of "$victim")
}

# A container that may look into every process, and write wherever root may.
MIGHTY='p["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_KILL"] for k in ("bounding", "effective", "permitted")}; p["noNewPrivileges"] = False; '

# The attacker is done, and has written nothing. It ends last: what is executed cannot
# be written to, so that a berth still running would protect the file.
attacked() {
	it_until 30 'grep -q wrote "$BATS_TEST_TMPDIR/up.berth"'
	output=$(cat "$BATS_TEST_TMPDIR/up.berth")
	gone c
	expect_in 'wrote 0'
}

# ---- the runtime's own binary ---------------------------------------------------

# With the container's own capabilities, with all, and as root of an identity-mapped
# user namespace: the attacker keeps whatever it saw executing, makes the mount
# writable again, and writes while it runs and when it has ended.
# bats test_tags=nosan
@test "CVE-2019-5736: the runtime's binary is not reached through /proc/PID/exe" {
	local how conf

	for how in own all userns; do
		conf=
		[ $how = own ] || conf=$MIGHTY
		[ $how != userns ] || conf+='maps(0, 0, 65536)'
		victim "$BERTH"
		conf "$conf" "exec /attack exe 3 $(ns stat -c %d:%i "$victim")"
		BERTH=$victim up
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
			BERTH=$victim rt exec c true || true
			BERTH=$victim rt exec c /proc/self/exe --version || true
		done >/dev/null 2>&1
		attacked || return 1
		[ $how != all ] || expect_in 'kept 1' || return 1
		expect "$before" "$(hash_of "$victim")" || { echo "$how"; return 1; }
	done
	# The attack is one: a program of the host that enters without protection is overwritten.
	victim "$(command -v busybox)"
	conf "$MIGHTY" "exec /attack exe 60 $(ns stat -c %d:%i "$victim")"
	up
	for _ in {1..60}; do
		ns timeout 5 nsenter -t "$(pid_of)" -p "$victim" sleep 0.2 2>/dev/null || true
		[ "$before" = "$(hash_of "$victim")" ] || break
	done
	gone c
	[ "$before" != "$(hash_of "$victim")" ] || { echo "the attacker overwrites nothing"; return 1; }
	ns rm -f "$victim"
}

@test "CVE-2019-5736: a container whose program is the runtime, by script and by link" {
	local prog

	victim "$BERTH"
	printf '#!/proc/self/exe\n' >"$IT_OUT/rootfs/tmp/script"
	chmod 755 "$IT_OUT/rootfs/tmp/script"
	ln -sf /proc/self/exe "$IT_OUT/rootfs/tmp/link"
	conf "$MIGHTY" "exec /attack exe 3 $(ns stat -c %d:%i "$victim")"
	BERTH=$victim up
	for prog in /tmp/script /tmp/link /proc/self/exe; do
		for _ in 1 2 3 4; do
			BERTH=$victim rt exec c "$prog" --version >/dev/null 2>&1 || true
		done
	done
	attacked
	expect_in 'kept 1'
	expect "$before" "$(hash_of "$victim")"
	rm -f "$IT_OUT"/rootfs/tmp/{script,link}
	ns rm -f "$victim"
}

@test "CVE-2016-9962 CVE-2016-8649: nothing of the host is reached through a process that enters" {
	local pid

	conf 'caps("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT"); p["noNewPrivileges"] = False' \
		"exec /attack fds 2 $IT_OUT/outside/file"
	go >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
	pid=$!
	it_wait 30 ns test -e "$IT/berth/root/c/record.json"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rt exec c true || true
		rt exec --cwd /tmp c true || true
	done >/dev/null 2>&1
	wait "$pid" || true
	expect 'looked 1, reached nothing' "$(cat "$BATS_TEST_TMPDIR/said")"
	# The attack is one: a program that enters with a directory of the host open.
	conf 'caps("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"); p["noNewPrivileges"] = False' \
		"exec /attack fds 3 $IT_OUT/outside/file"
	go >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
	pid=$!
	it_wait 30 ns test -e "$IT/berth/root/c/record.json"
	ns sh -c 'exec 9</; exec nsenter -t "$0" -p sleep 1.5' "$(pid_of)" || true
	wait "$pid" || true
	expect_in 'reached /proc/' "$(cat "$BATS_TEST_TMPDIR/said")"
}

# Where no private procfs is to be had, the host's must not take its place. AppArmor is pretended.
@test "CVE-2016-9962: a label of a process that enters is not written by way of the host's procfs" {
	local without=${BERTH_BUILD:-$IT_TOP/build}/test/without

	conf 'caps("CAP_SYS_PTRACE")' 'exec sleep 600'
	up
	ns sh -c 'mount -t tmpfs none /sys/module && mkdir -p /sys/module/apparmor/parameters &&
		echo Y >/sys/module/apparmor/parameters/enabled'
	output=$(ns timeout -k 1 60 "$without" --errno EPERM fsopen -- "$BERTH" --root "$IT/berth/root" \
		exec --apparmor strict c true 2>&1 </dev/null 3>&- 4>&-) && return 1
	ns umount /sys/module
	expect_in 'open a private procfs'
	gone c
}

@test "CVE-2024-21626: at the program only its three descriptors are open, with create, run and exec" {
	conf '' 'ls /proc/self/fd'
	# ls has its own, the fourth. The caller leaves one of the host open.
	holding() {
		# shellcheck disable=SC2016
		ns sh -c 'exec 7<"$0"; exec "$@"' "$IT_OUT/outside" "$@" </dev/null 2>&1 3>&- 4>&-
	}
	expect_in 7 "$(holding ls /proc/self/fd)"
	expect '0
1
2
3' "$(holding "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c)"
	conf '' 'exec sleep 600'
	up
	output=$(holding "$BERTH" --root "$IT/berth/root" exec c ls /proc/self/fd)
	expect '0
1
2
3'
	output=$(ns ls "/proc/$(pid_of)/fd" | tr '\n' ' ')
	expect '0 1 2 '
	gone c
	# A kernel without close_range leaves no more.
	if command -v strace >/dev/null; then
		conf '' 'ls /proc/self/fd'
		output=$(ns env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o /dev/null -e trace=close_range -e inject=close_range:error=ENOSYS \
			"$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&-)
		expect '0
1
2
3'
	fi
}

@test "CVE-2019-14271 CVE-2026-41567: nothing of the image is loaded or executed by the runtime" {
	own_root
	mkdir -p "$IT_OUT/own/lib/x86_64-linux-gnu" "$IT_OUT/own/lib64" "$IT_OUT/own/etc"
	for f in lib/x86_64-linux-gnu/libnss_files.so.2 lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2 bin/unpigz bin/newuidmap; do
		printf '#!/bin/sh\ntouch /loaded\n' >"$IT_OUT/own/$f"
		chmod 755 "$IT_OUT/own/$f"
	done
	echo /lib/x86_64-linux-gnu/libnss_files.so.2 >"$IT_OUT/own/etc/ld.so.preload"
	echo 'passwd: files' >"$IT_OUT/own/etc/nsswitch.conf"
	conf "$OWN"'p["env"] = ["PATH=/bin"]' true
	# What is opened after pivot_root, by name: the passwd file for HOME, and no more.
	ns env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o "$IT_OUT/trace" -e trace=pivot_root,open,openat,openat2,execve \
		"$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null >/dev/null 2>&1 3>&- 4>&-
	output=$(sed -n '/pivot_root/,$p' "$IT_OUT/trace" | grep -vE 'pivot_root|"/(proc|sys|run|tmp)/|record|ENOENT|O_PATH' | grep -oE 'open[a-z0-9]*\([^,]*, "[^"]*"|execve\("[^"]*"' | sort -u)
	case $output in *nss* | *ld.so* | *libc* | *unpigz*) echo "$output"; return 1 ;; esac
	expect_in 'execve("/bin/sh"'
	conf "$OWN"'p["env"] = ["PATH=/bin"]' 'exec sleep 600'
	up
	rt exec c true
	gone c
	[ ! -e "$IT_OUT/own/loaded" ]
}

# ---- capabilities, ids, groups --------------------------------------------------

@test "CVE-2022-29162 CVE-2022-24769 CVE-2022-27649 CVE-2022-27650 CVE-2022-27651 CVE-2025-27612: nothing is inheritable or ambient" {
	caps_of() {
		grep -E '^Cap(Inh|Amb)' | tr -d '\t' | sort | uniq -c | tr -s ' '
	}
	local none=' 1 CapAmb:0000000000000000
 1 CapInh:0000000000000000'

	conf '' 'cat /proc/self/status'
	expect "$none" "$(go 2>&1 | caps_of)"
	conf 'p["user"] = {"uid": 1000, "gid": 1000}' 'cat /proc/self/status'
	expect "$none" "$(go 2>&1 | caps_of)"
	conf '' 'exec sleep 600'
	up
	for how in '' '-u 1000' '--cap CAP_SYS_ADMIN' '-u 1000 --cap CAP_NET_RAW'; do
		# shellcheck disable=SC2086
		expect "$none" "$(rt exec $how c cat /proc/self/status | caps_of)" || { echo "exec $how"; gone c; return 1; }
	done
	gone c
	# And a caller that has some does not hand them on.
	conf '' 'cat /proc/self/status'
	output=$(ns setpriv --inh-caps +net_raw,+sys_admin --ambient-caps +net_raw "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&- | caps_of)
	expect "$none"
	expect ' 1 CapAmb:0000000000002000
 1 CapInh:0000000000202000' "$(ns setpriv --inh-caps +net_raw,+sys_admin --ambient-caps +net_raw cat /proc/self/status | caps_of)"
}

@test "CVE-2026-30892: exec -u means the user that was written" {
	local user want

	conf '' 'exec sleep 600'
	up
	while read -r user want; do
		output=$(rt exec -u "$user" c sh -c 'echo $(id -u):$(id -g)' 2>&1) || output=refused
		case $output in refused | [0-9]*:[0-9]*) ;; *) output=refused ;; esac
		expect "$want" || { echo "exec -u '$user'"; gone c; return 1; }
	done <<-'END'
		1 1:0
		1: refused
		1:1 1:1
		0:5 0:5
		1000 1000:0
		4294967294 4294967294:0
		4294967295 refused
		4294967296 refused
		4294967297:1 refused
		18446744073709551616 refused
		18446744073709551617 refused
		-1 refused
		+1 refused
		1x refused
		0x1 refused
		1:x refused
		1:-1 refused
		1:2:3 refused
		: refused
		:1 refused
		kay refused
		1.5 refused
	END
	output=$(rt exec -u '' c id -u 2>&1) && [ "$output" != 0 ] && { echo "empty: $output"; gone c; return 1; }
	gone c
}

@test "CVE-2024-40635 CVE-2019-11245: a user beyond 2^31 is that user, one beyond 2^32 is refused" {
	ours 'p["user"] = {"uid": 2147483648, "gid": 2147483649, "additionalGids": [4294967294]}; p["args"] = ["id"]; p["capabilities"] = {}'
	expect_in 'uid=2147483648 gid=2147483649'
	for uid in 4294967295 4294967296 -1 1.5 '"0"' 1e3 18446744073709551616; do
		refused "$([ ${#uid} = 20 ] && echo '64 bits' || echo /process/user/uid)" 'import json; p["user"] = json.loads('"'"'{"uid": '"$uid"', "gid": 1000}'"'"')' || { echo "$uid"; return 1; }
	done
}

@test "CVE-2023-25173 CVE-2022-2989: supplementary groups are those of the document, and no others" {
	groups_of() {
		sed -n 's/^Groups:[ 	]*\(.*[^ ]\) *$/\1/p'
	}
	conf 'p["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000]}' 'cat /proc/self/status'
	# The caller's own groups do not show.
	output=$(ns setpriv --groups 6,27,44 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&- | groups_of)
	expect '5 2000'
	expect '6 27 44' "$(ns setpriv --groups 6,27,44 cat /proc/self/status | groups_of)"
	conf 'p["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000]}' 'exec sleep 600'
	up
	expect '5 2000' "$(rt exec c cat /proc/self/status | groups_of)"
	expect '7' "$(rt exec -g 7 c cat /proc/self/status | groups_of | tr ' ' '\n' | grep -x 7)"
	gone c
	conf 'p["user"] = {"uid": 1000, "gid": 1000}' 'grep -c "^Groups:.*[0-9]" /proc/self/status'
	output=$(ns setpriv --groups 6,27,44 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&-) || true
	expect 0
}

@test "CVE-2021-21334 CVE-2020-14370 CVE-2026-57231: no variable of the host or of another container is in the environment" {
	conf 'p["env"] = ["PATH=/bin", "EMPTY=", "MINE=1"]' 'env | sort; exec sleep 600'
	output=$(ns env SECRET=host LISTEN_PID=1 NOTIFY_SOCKET= "$BERTH" --root "$IT/berth/root" run -d -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&- >"$BATS_TEST_TMPDIR/out"; cat "$BATS_TEST_TMPDIR/out")
	output=$(ns env SECRET=host "$BERTH" --root "$IT/berth/root" exec -e OF_EXEC=1 c env </dev/null 3>&- 4>&- | sort)
	expect 'EMPTY=
HOME=/root
MINE=1
OF_EXEC=1
PATH=/bin'
	expect 'EMPTY=
HOME=/root
MINE=1
PATH=/bin' "$(ns env SECRET=host "$BERTH" --root "$IT/berth/root" exec c env </dev/null 3>&- 4>&- | sort)"
	gone c
	# An entry without "=" is no order to copy the host's variable of that name.
	for entry in SECRET =x; do
		conf 'p["env"] = ["PATH=/bin", "'$entry'"]' 'env'
		output=$(ns env SECRET=host "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null 2>&1 3>&- 4>&-) && return 1
		case $output in *host*) echo "$output"; return 1 ;; esac
		expect_in "'$entry'"
	done
}

@test "CVE-2017-5226 CVE-2016-10124: the program cannot type into the caller's terminal" {
	# The kernel may refuse everybody; then this shows little, and says so.
	echo "legacy_tiocsti: $(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo absent)"
	conf 'p["args"] = ["/attack", "sti"]; caps()'
	output=$(on_tty ns timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null)
	expect_in 'TIOCSTI: Operation not permitted'
	# It has no controlling terminal at all, and its own session.
	conf '' 'awk "{ print \$6 == \$1, \$7 }" /proc/self/stat; cut -d" " -f5-7 /proc/1/stat'
	output=$(on_tty ns timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" c </dev/null)
	expect_in '1 1 0'
	# The attack is one, where nothing is in the way.
	output=$(on_tty ns "$IT_OUT/rootfs/attack" sti </dev/null) || true
	[ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1)" = 0 ] || expect_in 'TIOCSTI: typed'
}

# ---- cgroups ----------------------------------------------------------------------

@test "CVE-2022-0492: release_agent and the cgroup file systems are out of reach by default" {
	same 'mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"); ns("cgroup")' '
		for f in $(find /sys/fs/cgroup/ -maxdepth 2 -name release_agent -o -maxdepth 2 -name notify_on_release -o -maxdepth 2 -name cgroup.procs); do
			(echo 1 >$f) 2>/dev/null && echo "wrote $f"
		done
		mkdir /tmp/cg 2>/dev/null; mount -t cgroup -o memory x /tmp/cg 2>/dev/null && echo mounted
		unshare -UrmC sh -c "mount -t cgroup -o memory x /tmp/cg && echo 1 >/tmp/cg/release_agent && echo broken" 2>/dev/null
		echo end'
	expect end
}

@test "CVE-2023-25809: without a cgroup namespace of its own, root of a user namespace cannot write cgroups" {
	# Its cgroups are its own, as those of a rootless caller are: only the mount protects them.
	# shellcheck disable=SC2016
	printf 'for d in %s; do [ ! -d $d ] || chown -R 100000 $d || exit 1; done\n' \
		"$(it_hierarchies | sed "s#\$#$IT_CG/berth#" | tr '\n' ' ')" >"$IT_OUT/give"
	ours 'c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", out + "/give"]}]}
maps(0, 100000); ns("cgroup", new=False); mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")' '
		for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
			mkdir $d/made 2>/dev/null && echo "made $d/made"
			(echo 0 >$d/cgroup.procs) 2>/dev/null && echo "wrote $d/cgroup.procs"
		done
		mount -o remount,rw,bind /sys/fs/cgroup/memory 2>/dev/null && mkdir /sys/fs/cgroup/memory/made 2>/dev/null && echo remounted
		echo end'
	expect end
	[ -z "$(it_cgroup_dirs "$IT_CG/berth/made")" ]
}

# ---- names, sysctl, annotations: what a document may not choose -------------------

@test "CVE-2022-0811: one sysctl is one key and one value, and a namespaced one" {
	# kernel.ostype and the congestion controls are the host's, but read-only: should
	# one get through, nothing is changed.
	ours 'l["sysctl"] = {"kernel.shm_rmid_forced": "1+kernel.ostype=other"}' true
	[ "$status" != 0 ]
	refused 'is not in a separate kernel namespace' 'l["sysctl"] = {"kernel.ostype": "other"}' true
	refused 'is not in a separate kernel namespace' 'l["sysctl"] = {"kernel/ostype": "other"}' true
	refused 'is not a name' 'l["sysctl"] = {"net/../kernel/ostype": "other"}' true
	refused 'is not a name' 'l["sysctl"] = {"net.ipv4...kernel.ostype": "other"}' true
	refused 'is not in a separate kernel namespace' 'l["sysctl"] = {"kernel.shm_rmid_forced+kernel.ostype": "1"}' true
	refused "needs the container's own network namespace" 'l["sysctl"] = {"net.ipv4.tcp_available_congestion_control": "1"}; ns("network", new=False)' true
}

@test "CVE-2026-53488 CVE-2026-53492 CVE-2026-50195 CVE-2024-3154: an annotation selects no program, path, device or unit property" {
	rm -f "$IT_OUT/ran"
	mkfifo "$IT_OUT/node"
	printf '#!/bin/sh\ntouch %s/ran\n' "$IT_OUT" >"$IT_OUT/evil"
	chmod 755 "$IT_OUT/evil"
	ours 'e = out + "/evil"
c["annotations"] = {"run.oci.handler": e, "run.oci.hooks.stdout": e, "run.oci.seccomp.receiver": e, "run.oci.mount_context_type": "context",
"io.containerd.restart.loguri": "binary://" + e, "containerd.io/restart.loguri": "binary://" + e, "cdi.k8s.io/x": "vendor.com/dev=" + e,
"io.kubernetes.cri-o.Devices": out + "/node:/dev/node", "org.systemd.property.ExecStopPost": "[(" + e + ")]", "run.oci.keep_original_groups": "1",
"org.criu.config": e, "run.oci.systemd.subgroup": "../../x", "run.oci.delegate-cgroup": "x", "run.oci.seccomp_fail_unknown_syscall": "1"}' 'ls /dev/node 2>/dev/null; echo ran'
	expect ran
	[ ! -e "$IT_OUT/ran" ]
	conf 'c["annotations"] = {"org.systemd.property.ExecStopPost": "[(\"" + out + "/evil\")]"}' 'exec sleep 600'
	up
	gone c
	[ ! -e "$IT_OUT/ran" ]
}

@test "CVE-2021-43784: strings and tables beyond 64 KiB do not change what was asked for" {
	# The overflowed length let the document's own bytes become the instructions.
	refused_by_both / 'ns("network", "/" + "\x00\x01\x00\x04".encode().hex() * 9000)' true
	ours 'maps(0, 100000); p["env"] += ["BIG=" + "x" * 70000]; c["annotations"] = {"k": "y" * 70000}
l["uidMappings"] = [{"containerID": i, "hostID": 600 - i, "size": 1} for i in range(340)]
l["gidMappings"] = l["uidMappings"]' 'grep -c . /proc/self/uid_map; head -n 1 /proc/self/uid_map | tr -s " "; readlink /proc/self/ns/user; echo ${#BIG}'
	expect_in '340
 0 600 1'
	expect_in 70000
	case $output in *"$(ns readlink /proc/self/ns/user)"*) echo "no user namespace"; return 1 ;; esac
}

# The sanitizers want more address space than there is here.
# bats test_tags=nosan
@test "CVE-2023-25153: a document without end is refused, in bounded time and memory" {
	local peak

	conf '' true
	truncate -s 8G "$IT_OUT/berth/config.json"
	output=$(ns timeout 60 bash -c 'ulimit -v 300000; exec "$0" --root "$1" run -b "$2" c' "$BERTH" "$IT/berth/root" "$(bundle)" 2>&1 3>&- 4>&-) && return 1
	expect_in 'too large'
	python3 -c 'print("[" * 3000000)' >"$IT_OUT/berth/config.json"
	output=$(go 2>&1) && return 1
	expect_in config.json
}

@test "CVE-2022-31030 CVE-2022-1708 CVE-2022-23471 CVE-2025-64329: output without end is not kept, a failing exec leaves nothing" {
	# The only output that berth itself reads is a hook's.
	ours 'c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "head -c 30000000 /dev/zero | tr \"\\\\0\" x; exit 3"]}]}' true
	[ "$status" = 1 ]
	[ "${#output}" -lt 2000 ]
	conf '' 'exec sleep 600'
	up
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		rt exec c /none >/dev/null 2>&1 && return 1
	done
	output=$(rt ps -f json c)
	expect_in "$(pid_of)"
	[ "$(tr ',' '\n' <<<"$output" | grep -c .)" = 1 ]
	[ -z "$(ns find "$IT/berth/root/c" -newer "$IT/berth/root/c/record.json" -type s)" ]
	gone c
}

# ---- the runtime's own files and sockets ------------------------------------------

@test "CVE-2021-32760 CVE-2021-41103 CVE-2021-41091 CVE-2024-25621: the state is its owner's alone, whatever the umask" {
	conf 'c["hooks"] = {"poststop": [{"path": "/bin/true"}]}' 'exec sleep 600'
	# The start socket has no mode of its own to speak of; its directory has.
	ns sh -c 'umask 0; exec "$0" --root "$1/deep/root" create --pid-file "$1/pidfile" -b "$2" c' "$BERTH" "$IT" "$(bundle)" </dev/null >/dev/null 2>&1 3>&- 4>&-
	output=$(ns find "$IT/deep/root" ! -type s -printf '%m %y %P\n' | awk '$1 % 100 != 0')
	[ -z "$output" ] || { echo "$output"; ns "$BERTH" --root "$IT/deep/root" delete -f c; return 1; }
	output=$(ns stat -c %a "$IT/pidfile")
	case $output in *[2367]) echo "the pid file is $output"; return 1 ;; esac
	ns "$BERTH" --root "$IT/deep/root" delete -f c
	ns rm -r "$IT/deep" "$IT/pidfile"
}

@test "CVE-2020-15257: no abstract socket, and the state's socket is out of a host-network container's reach" {
	conf '' 'exec sleep 600'
	rt create -b "$(bundle)" c >/dev/null 2>&1
	output=$(ns grep -c '@.*berth' /proc/net/unix || true)
	expect 0
	SPEC_SUFFIX=-d conf 'ns("network", new=False); l["cgroupsPath"] += "-d"; p["capabilities"] = {}' "grep -o '@[^ ]*berth.*' /proc/net/unix; ls -d $IT/berth/root/c 2>/dev/null; id -u"
	output=$(rt run -b "$(bundle)-d" d 2>&1)
	expect 0
	output=$(ns stat -c '%a %u' "$IT/berth/root" "$IT/berth/root/c" | sort -u)
	expect '700 0'
	gone c
}
