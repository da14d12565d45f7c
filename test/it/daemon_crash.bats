#!/usr/bin/env bats
# daemon_crash.bats: the daemon and shims are killed at random moments under clients
# that go on; nothing is lost, told twice, or left. BERTH_SOAK: 2,000 times.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

# A daemon with sanitizers takes too long to begin for this.
# bats test_tags=nosan
@test "daemon: kill -9 at any moment" {
	ROUNDS=$([ -z "${BERTH_SOAK:-}" ] && echo 100 || echo 2000) IT_TOP=$IT_TOP daemon <<-'PY'
		sys.path.insert(0, os.environ["IT_TOP"] + "/test/daemon")
		import crash
		crash.run(globals(), int(os.environ["ROUNDS"]))
	PY
}
