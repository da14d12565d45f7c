#!/usr/bin/env bats
# old_suites.bats: the suites of the life cycle and of the specification where
# newer system calls are missing or refused (test/old/under), with the same
# expectations: what passes on a new kernel passes without them, but for what
# CANNOT lists. A part of it here, all of it with BERTH_SOAK=1. `make old` has the
# life cycle for each call by itself.

bats_require_minimum_version 1.5.0

# bats file_tags=nosan,long
setup_file() {
	export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300}
	export SUITES='life_states life_output life_quick spec_mounts spec_namespaces spec_process spec_userns
		spec_seccomp spec_hooks spec_security spec_terminal spec_cgroup'
}

# Everything that has a fallback, and what a sandbox of 2019 refuses besides.
FALLBACK=open_tree,move_mount,fsopen,fsconfig,fsmount,fspick,mount_setattr,openat2,clone3,close_range
FALLBACK+=,faccessat2,pidfd_send_signal,keyctl,epoll_pwait2
SANDBOX=$FALLBACK,pidfd_getfd,bpf
OF_5_10=mount_setattr,epoll_pwait2

# What cannot be: recursive options and id-maps are mount_setattr, and so is it that a bind leaves the host's peers before
# it is attached, for a user namespace: left after that it is shared no more; a source that only root of the host can reach wants
# open_tree; the listener of a filter is taken by pidfd_getfd; a keyring is made, and asked for, by keyctl.
CANNOT='mounts: the recursive options
mounts: in a user namespace too what is bound on a shared mount is shared
mounts: id-mapped, with the mount'\''s own maps or the container'\''s
userns: bind sources only root of the host can reach, in a new and in a joined one
seccomp: the agent is sent the listener and answers, with run
seccomp: the agent with create and start, and with exec
seccomp: the agent gets its listener under an open file limit of 4
seccomp: an agent that hangs up
seccomp: an unprivileged caller'\''s agent gets the listener, too
process: the session keyring has the name and the rights that runc gives it
process: --no-new-keyring keeps the caller'\''s session keyring, for an exec too'

# suites ERRNO CALLS FILE…: what fails is listed in CANNOT; with BERTH_SOAK=1 all files.
suites() {
	local errno=$1 calls=$2 tap=$BATS_TEST_TMPDIR/tap bad

	shift 2
	# shellcheck disable=SC2086
	[ -z "${BERTH_SOAK:-}" ] || set -- $SUITES
	env -u BERTH_FILTER "$BATS_TEST_DIRNAME/../old/under" "$errno" "$calls" "$@" >"$tap" 2>&1 || true
	bad=$(sed -n 's/^not ok [0-9]* //p' "$tap" | grep -vxF "$CANNOT") || true
	if [ -n "$bad" ] || [ "$(sed -n 's/^1\.\.//p' "$tap")" != "$(grep -cE '^(not )?ok ' "$tap")" ]; then
		echo "without $calls ($errno):"
		grep -vE '^ok' "$tap"
		return 1
	fi
	grep -q '^ok' "$tap"
}

@test "old: suites on a kernel without what has a fallback" {
	suites ENOSYS "$FALLBACK" spec_mounts
}

@test "old: suites in a sandbox of 2019" {
	suites EPERM "$SANDBOX" spec_userns life_quick
}

@test "old: suites on a kernel of 2020" {
	suites ENOSYS "$OF_5_10" life_quick
}

@test "old: suites without one call" {
	suites ENOSYS openat2 life_quick
}
