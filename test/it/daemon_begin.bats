#!/usr/bin/env bats
# daemon_begin.bats: how the daemon looks at many tasks that are there when it begins.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

@test "daemon: shims that hang hold up no others when it begins" {
	daemon <<-'PY'
		def listed(status):
		    return sorted(x.id for x in Tasks.List().tasks if x.status == status)
		tasks = [Task().run() for _ in range(36)]
		# Twice as many as are looked at a time, before others and after them.
		well = tasks[17:19]
		hang = [t for t in tasks if t not in well]
		silent = [shim(t) for t in hang]
		DAEMON.stop(signal.SIGKILL)
		for pid in silent:
		    os.kill(pid, signal.SIGSTOP)
		DAEMON.start()
		looks, first = [], {}
		def shown():
		    now = {x.id: x.status for x in Tasks.List().tasks}
		    looks.append(now)
		    for status, some in (RUNNING, well), (0, hang):
		        if [now.get(t.id) for t in some] == [status] * len(some):
		            first.setdefault(status, len(looks))
		    return len(first) == 2
		until(shown, say="not all are shown")
		assert first[RUNNING] < first[0], "they wait for others"
		for pid in silent:
		    os.kill(pid, signal.SIGCONT)
		until(lambda: len(listed(RUNNING)) == len(tasks), 30, "they are not noticed")
		for t in tasks:
		    eq(t.kill(), 137)
		    t.remove()
	PY
}
