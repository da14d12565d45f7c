#!/usr/bin/env bats
# daemon_begin.bats: how the daemon looks at many tasks that are there when it begins.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

@test "daemon: shims that hang hold up no others when it begins" {
	daemon <<-'PY'
		def shim(t):
		    for p in os.listdir("/proc"):
		        if p.isdigit():
		            with open("/proc/%s/cmdline" % p, "rb") as f:
		                args = f.read().split(b"\0")
		            if b"-id" in args and args[args.index(b"-id") + 1] == t.id.encode():
		                return int(p)
		    raise AssertionError("no shim of " + t.id)
		def listed(status):
		    return sorted(x.id for x in Tasks.List().tasks if x.status == status)
		tasks = [Task().run() for _ in range(36)]
		# Twice as many as are looked at a time, before others and after them.
		well = tasks[17:19]
		hang = [t for t in tasks if t not in well]
		shims = [shim(t) for t in hang]
		DAEMON.stop(signal.SIGKILL)
		for pid in shims:
		    os.kill(pid, signal.SIGSTOP)
		DAEMON.start()
		until(lambda: listed(RUNNING) == sorted(t.id for t in well), 2, "they wait for others")
		until(lambda: listed(0) == sorted(t.id for t in hang), 10, "what hangs is not shown")
		for pid in shims:
		    os.kill(pid, signal.SIGCONT)
		until(lambda: len(listed(RUNNING)) == len(tasks), 10, "they are not noticed")
		for t in tasks:
		    eq(t.kill(), 137)
		    t.remove()
	PY
}
