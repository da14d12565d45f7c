#!/usr/bin/env bats
# shim_init.bats: the shim's part in a container without a program of its own
# (builtin_init.bats has the rest): its init is told of the end of processes that
# are the shim's children.

load lib.bash
load shim_lib.bash

setup_file() { shim_up; }
teardown_file() { shim_down; }

WITH='
def init(c):
    c["annotations"] = {"io.berth.init": "true"}
def ended(t, timeout=30):
    """By itself: the status, and how long that took."""
    began = time.monotonic()
    return t.Wait(timeout=timeout).exit_status, time.monotonic() - began
'

@test "shim: built-in init: it stays while execs come and go, and SIGTERM ends it" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("pod", config=init).run()
		for n in range(5):
		    t.exec("x%d" % n, "sh", "-c", "exit %d" % n)
		    eq(t.Wait(exec_id="x%d" % n).exit_status, n)
		    t.Delete(exec_id="x%d" % n)
		eq(t.status(), RUNNING)
		t.Kill(signal=TERM)
		eq(ended(t)[0], 0)
		eq(EVENTS.wait(t.id, "exit").m.exit_status, 0)
	PY
}

@test "shim: built-in init: SIGTERM to all ends what ends by it, and then the container" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		t = Task("pod", config=init).run()
		t.exec("quick", "sleep", "1000")
		trapped(t.exec("slow", "sh", "-c", "trap 'sleep 0.4; exit 5' TERM; while :; do sleep 0.02; done"), TERM)
		t.exec("child", "sh", "-c", "sleep 1000 & sleep 1001")
		until(lambda: len([p for p in processes() if p.endswith((" sleep 1000", " sleep 1001"))]) == 3)
		t.Kill(signal=TERM, all=True)
		code, took = ended(t)
		eq(code, 0)
		assert 0.3 < took < 9, took # then it would kill them
		eq([t.Wait(exec_id=x).exit_status for x in ("quick", "slow", "child")], [143, 5, 143])
		EVENTS.wait(t.id, "exit")
		eq(EVENTS.said(t.id)[-1], "exit 0")
	PY
}

@test "shim: built-in init: the last exec to end is what it waits for, at once" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import random
		for n in range(20):
		    t = Task("pod", config=init, group="last").run()
		    count = random.randint(1, 4)
		    for x in range(count):
		        t.exec("x%d" % x, "sleep", "%.3f" % random.uniform(0, 0.05))
		    time.sleep(random.uniform(0, 0.05))
		    t.Kill(signal=TERM)
		    code, took = ended(t)
		    eq(code, 0)
		    assert took < 9, took # then it would kill them
		    t.Delete()
	PY
}

@test "shim: built-in init: an exec that fails, or whose helper is killed, keeps nobody waiting" {
	ours_only 'it has none'
	shim <<-PY
		$WITH
		import random
		for n in range(10):
		    t = Task("pod", config=init, group="failing").run()
		    t.add("bad", "/no/such/program")
		    t.add("slow", "true")
		    call = t.begin("Start", exec_id="bad")
		    other = t.begin("Start", exec_id="slow")
		    time.sleep(random.uniform(0, 0.005))
		    t.Kill(signal=TERM)
		    code, took = ended(t)
		    eq(code, 0)
		    assert call.status()[0] != OK
		    other.status()
		    t.Delete()
		for n in range(10):
		    t = Task("pod", config=init, group="failing").run()
		    t.add("x", "sleep", "0.3") # it may have come so far that it runs, and nobody knows it
		    call = t.begin("Start", exec_id="x")
		    time.sleep(random.uniform(0, 0.004))
		    for p in subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(t.shim)], capture_output=True,
		                            text=True, check=True).stdout.splitlines():
		        if "containerd-shim" in p:
		            try:
		                os.kill(int(p.split()[0]), KILL)
		            except ProcessLookupError:
		                pass
		    t.Kill(signal=TERM)
		    call.status()
		    eq(ended(t)[0], 0)
		    t.Delete()
	PY
}
