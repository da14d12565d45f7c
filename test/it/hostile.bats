#!/usr/bin/env bats
# Every component of every path that berth touches below a rootfs becomes a link,
# a pipe, a device, a mount point, or changes all the while: test/hostile/hostile
# says what must hold. A fixed sample; all of it with BERTH_SOAK=1.

setup_file() {
	export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-240}
	for tool in strace cc busybox; do
		command -v "$tool" >/dev/null || { echo "'$tool' is not installed" >&2; return 1; }
	done
}

@test "hostile: whatever is put in the way, nothing outside the root is touched" {
	"$BATS_TEST_DIRNAME/../hostile/hostile"
}
