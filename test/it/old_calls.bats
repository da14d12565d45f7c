#!/usr/bin/env bats
# The same paths of the same program as in the other files: once is enough.
# bats file_tags=nosan,long
# old_calls.bats: older kernels and narrower sandboxes. Each newer system call in
# turn fails with ENOSYS, then with EPERM (test/old/without.c), for the runtime
# and all that it starts. Containers of every kind must come out as they do with
# the call; what cannot must end in one error that names it, and leave nothing.
# old_suites.bats runs the other suites the same way.

load lib.bash
load spec_lib.bash
load old_lib.bash

setup_file() {
	spec_up
	old_up
	old_bundles
	RT=berth
	old_runtime
	local kind

	for kind in $OLD_KINDS; do
		old_try "$kind" >"$IT_OUT/want.$kind" 2>&1
		if ! grep -qx 'exit 0' "$IT_OUT/want.$kind"; then
			cat "$IT_OUT/want.$kind" >&2
			return 1
		fi
	done
}

teardown_file() {
	BERTH=$OLD_BERTH
	spec_down
}

setup() {
	RT=berth
}

# without CALL… [-- KIND=PART…]: both errnos; these kinds of container (or every
# one) fail, in one line that has PART in it. KINDS is where the call is used;
# with BERTH_SOAK=1 all are tried.
without() {
	local errno kind part calls=() bad=0

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		calls+=("$1")
		shift
	done
	[ $# = 0 ] || shift
	[ -z "${BERTH_SOAK:-}" ] || KINDS=
	for errno in ${OLD_ERRNOS:-ENOSYS EPERM}; do
		old_runtime "$errno" "${calls[@]}"
		for kind in ${KINDS:-$OLD_KINDS}; do
			part=$(printf '%s\n' "$@" | sed -n "s/^\($kind\|every\)=//p")
			old_judge "$kind" "$part" || { echo "^ $kind without ${calls[*]} ($errno)"; bad=1; }
		done
	done
	return "$bad"
}

CLOSED='closed=by its path, as open_tree or move_mount is refused'

@test "old: openat2" { KINDS='life userns stage quick' without openat2; }
@test "old: fsopen" { KINDS='life userns quick' without fsopen; }
@test "old: fsconfig" { KINDS='life userns' without fsconfig; }
@test "old: fsmount" { KINDS='life userns' without fsmount; }
@test "old: move_mount" { without move_mount -- idmap='id-mapped, which needs move_mount' "$CLOSED"; }
@test "old: open_tree" { without open_tree -- idmap='id-map' "$CLOSED"; }
@test "old: mount_setattr" { without mount_setattr -- idmap='id-map' recursive='recursive options'; }
@test "old: all of the new mount calls" {
	without open_tree move_mount fsopen fsconfig fsmount mount_setattr -- idmap='id-map' recursive='recursive options' "$CLOSED"
}
@test "old: clone3" { KINDS='life userns stage quick' without clone3; }
@test "old: close_range" { KINDS='life quick' without close_range; }
@test "old: faccessat2" { KINDS='life userns stage quick' without faccessat2; }
@test "old: pidfd_send_signal" { KINDS='life idmap userns' without pidfd_send_signal; }
@test "old: pidfd_getfd" { KINDS='filter agent' without pidfd_getfd -- agent='the seccomp listener (pidfd_getfd)'; }
@test "old: memfd_create" {
	KINDS='life quick filter init' without memfd_create -- init='the program of io.berth.init'
}
@test "old: seccomp" {
	KINDS='life quick filter agent kill' without seccomp -- quick='the seccomp filter' filter='the seccomp filter' \
		agent='/linux/seccomp/syscalls/0: ask for SCMP_ACT_NOTIFY (seccomp)' \
		kill='/linux/seccomp/defaultAction: ask for SCMP_ACT_KILL_PROCESS (seccomp)'
}
# bats test_tags=nosan
@test "old: prlimit64" { KINDS='life userns quick' without prlimit64 -- life=RLIMIT_NOFILE userns=RLIMIT_NOFILE stage=RLIMIT_NOFILE; }
@test "old: sched_setattr" { KINDS='life userns' without sched_setattr -- life=/process/scheduler; }
@test "old: ioprio_set" { KINDS='life userns' without ioprio_set -- life=/process/ioPriority; }

@test "old: keyctl" { KINDS=life without keyctl; }
@test "old: calls that the C library does without" {
	KINDS=life without renameat2 statx rseq set_robust_list epoll_pwait2 bpf
	KINDS=life OLD_ERRNOS=ENOSYS without getrandom
}

# Without these there is nothing to be had: one error, before anything is made.
@test "old: pidfd_open" {
	local rc errno

	KINDS='life quick idmap agent' without pidfd_open -- every=pidfd_open
	old_runtime
	rt create -b "$IT_OUT/berth.life" c >/dev/null 2>&1
	for errno in ENOSYS EPERM; do
		old_runtime "$errno" pidfd_open
		rc=0
		output=$(rt kill c 2>&1) || rc=$?
		[ "$rc" = 1 ] || break
		expect_in '(pidfd_open): ' || { rc=0; break; }
	done
	BERTH=$OLD_BERTH gone c
	[ "$rc" = 1 ]
}
@test "old: setns" { KINDS='life' without setns -- life="join the container's namespaces" init='join the namespaces of the container'; }
@test "old: setsid" { KINDS='life quick' without setsid -- every='session'; }
@test "old: fstatfs" { KINDS='life quick' without fstatfs -- every="look at the program's own file"; }
@test "old: execveat" { KINDS='life quick' without execveat -- every='a protected copy of the program'; }
@test "old: memfd_create and open_tree" {
	KINDS='life quick' without memfd_create open_tree -- every='a protected copy of the program'
}

# As Docker's default profile was in 2019, for a container with CAP_SYS_ADMIN.
@test "old: a sandbox of 2019" {
	OLD_ERRNOS=EPERM without open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr openat2 \
		clone3 close_range faccessat2 pidfd_send_signal pidfd_getfd keyctl bpf epoll_pwait2 -- \
		idmap='id-map' recursive='recursive options' agent='the seccomp listener' "$CLOSED"
}

@test "old: a kernel of 2020" {
	OLD_ERRNOS=ENOSYS without mount_setattr epoll_pwait2 -- idmap='id-map' recursive='recursive options'
}

@test "old: everything that has a fallback, at once" {
	without open_tree move_mount fsopen fsconfig fsmount mount_setattr openat2 clone3 close_range \
		faccessat2 pidfd_send_signal keyctl -- idmap='id-map' recursive='recursive options' "$CLOSED"
}
