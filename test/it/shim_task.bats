#!/usr/bin/env bats
# shim_task.bats: the calls of the task service, one after the other.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

@test "shim: exit code" {
	shim <<-'PY'
		t = Task("sh", "-c", "exit 7").run()
		eq(t.Wait().exit_status, 7)
		print(t.State())
		print(t.Delete())
	PY
}
