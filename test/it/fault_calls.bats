#!/usr/bin/env bats
# Every system call of every verb fails in turn, or kills whoever makes it:
# test/fault/faults says what must hold afterwards. A fixed sample of the calls;
# all of them with BERTH_SOAK=1. Each test prints what was hit.

# bats file_tags=nosan
bats_require_minimum_version 1.5.0

setup_file() {
	export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}
	export FAULTS=$BATS_TEST_DIRNAME/../fault/faults
	if [ ! -x "${BERTH_FAULT_BIN:-}" ] || [ ! -x "${BERTH:-}" ]; then
		echo "set BERTH and BERTH_FAULT_BIN: berth and berth-fault of one build" >&2
		return 1
	fi
}

# faults POINTS VERB MODE [BUNDLE]: POINTS of the calls, unless all.
faults() {
	BERTH_FAULT_SAMPLE=$1 "$FAULTS" "${@:2}"
}

@test "create: a call that fails is one error, and nothing is left" {
	faults 40 create EIO
}

@test "create with a stage and a user namespace: a call that fails" {
	faults 30 create EIO stage
}

@test "create with a seccomp filter: a call that fails" {
	faults 15 create EIO seccomp
}

@test "create with hooks: a call that fails" {
	faults 15 create EIO hooks
}

@test "create: calls that the kernel does not have" {
	faults 20 create ENOSYS
}

@test "create: calls that are refused" {
	faults 20 create EPERM
}

@test "create: killed at a call, then delete --force" {
	faults 30 create kill
}

@test "create with a stage: killed at a call" {
	faults 20 create kill stage
}

@test "create with hooks: killed at a call" {
	faults 10 create kill hooks
}

@test "create that fails: a call of its undoing fails" {
	faults 15 undo EIO
	faults 10 undo kill
}

@test "run: a call that fails" {
	faults 25 run EIO
	faults 10 run EIO stage
}

@test "run: killed at a call" {
	faults 15 run kill
}

@test "start: a call that fails leaves it created or stopped" {
	faults 15 start EIO
	faults 8 start EIO hooks
}

@test "start: killed at a call" {
	faults 10 start kill
}

@test "exec: a call that fails leaves the container as it was" {
	faults 25 exec EIO
	faults 10 exec ENOSYS+EPERM
}

@test "exec: killed at a call" {
	faults 15 exec kill
}

@test "kill: a call that fails, or kills" {
	faults 8 kill EIO+EPERM
	faults 6 kill kill
	faults 10 kill-all EIO
	faults 6 kill-all kill
}

@test "pause and resume: a call that fails, or kills" {
	faults 10 pause EIO
	faults 6 pause kill
	faults 10 resume EIO
	faults 6 resume kill
}

@test "update: a call that fails, or kills" {
	faults 10 update EIO
	faults 6 update kill
}

@test "state: a call that fails, or kills" {
	faults 8 state EIO
	faults 4 state kill
}

@test "delete: a call that fails, or kills" {
	faults 12 delete EIO
	faults 8 delete kill
	faults 12 delete-force EIO+EPERM
	faults 8 delete-force kill
	faults 12 delete-paused EIO
	faults 8 delete-paused kill
}
