#!/usr/bin/env bats
# shim_states.bats: every call of the task service in every state of a task and
# of an exec: what it answers, with code and words, and the state afterwards.

load lib.bash
load shim_lib.bash

# What is refused in every state of a task that there is, and changes nothing.
ALWAYS='
def always(t):
    t.refuses((EXISTS if OURS else UNKNOWN, "", "Create", {"bundle": t.bundle}))
    if OURS: # the peer makes an exec without an id, and can make checkpoints
        t.refuses((INVALID, "cannot be empty", "Exec", {"spec": program("true")}),
            (UNIMPLEMENTED, "not implemented", "Checkpoint", {"path": IT + "/checkpoint"}))
'

setup_file() { shim_up; }
teardown_file() { shim_down; }

# Every method but Create, Connect and Shutdown, with what a client would send.
EVERY='
EVERY = {"State": {}, "Start": {}, "Delete": {}, "Pids": {}, "Pause": {}, "Resume": {}, "Wait": {}, "Stats": {},
         "Kill": {"signal": 9}, "Exec": {"exec_id": "x", "spec": program("true")}, "CloseIO": {"stdin": True},
         "ResizePty": {"width": 80, "height": 24}, "Update": {"resources": limits(pids={"limit": 50})},
         "Checkpoint": {"path": IT + "/checkpoint"}}
'

@test "shim: before Create nothing is found" {
	shim <<-PY
		$EVERY
		t = Task().launch()
		for method, fields in EVERY.items():
		    t.fails(NOT_FOUND, "not found", method, **fields)
		    if OURS: # by the other name of the service, too
		        eq(t.begin(method, service=V3, **fields).status(), t.begin(method, **fields).status())
		c = t.Connect()
		eq(c.task_pid, 0)
		assert alive(c.shim_pid)
		t.create() # and none of that was in the way
	PY
}

@test "shim: created" {
	shim <<-PY
		$ALWAYS
		t = Task().create()
		s = t.State()
		eq((s.status, s.pid, s.id, s.bundle), (CREATED, t.pid, t.id, t.bundle))
		eq((s.exit_status, s.exec_id, s.terminal), (0, "", False))
		eq([p.pid for p in t.Pids().processes], [t.pid])
		always(t)
		t.refuses((STATE_ERROR, "cannot pause task in created state", "Pause"),
		    (STATE_ERROR, "cannot resume task in created state", "Resume"))
		t.allows(("Kill", {"signal": 0}), ("CloseIO", {"stdin": True}), ("ResizePty", {"width": 80, "height": 24}),
		    ("Update", {"resources": limits(pids={"limit": 50})}), ("Stats",), ("Pids",))
		t.exec("x", "sh", "-c", "exit 3")
		eq(t.Wait(exec_id="x").exit_status, 3)
		t.Delete(exec_id="x")
		eq(t.status(), CREATED)
		t.start()
		eq(t.status(), RUNNING)
	PY
}

@test "shim: running" {
	shim <<-PY
		$ALWAYS
		t = Task().run()
		s = t.State()
		eq((s.status, s.pid, s.id, s.bundle, s.exit_status), (RUNNING, t.pid, t.id, t.bundle, 0))
		always(t)
		t.refuses((STATE_ERROR, "cannot start a running process", "Start"),
		    (STATE_ERROR, "cannot delete a running process", "Delete"),
		    (STATE_ERROR, "cannot resume a running process", "Resume"))
		t.allows(("Kill", {"signal": 0}), ("CloseIO", {"stdin": True}), ("ResizePty", {"width": 80, "height": 24}),
		    ("Update", {"resources": limits(pids={"limit": 50})}), ("Stats",), ("Pids",))
		assert alive(t.pid)
		t.Pause()
		eq(t.status(), PAUSED)
	PY
}

@test "shim: paused" {
	shim <<-PY
		$ALWAYS
		t = Task().run()
		t.add("x", "true")
		t.Pause()
		eq((t.State().status, t.State().pid), (PAUSED, t.pid))
		always(t)
		t.refuses((STATE_ERROR, "cannot start a paused process", "Start"),
		    (STATE_ERROR, "cannot delete a paused process", "Delete"),
		    (STATE_ERROR, "cannot pause a paused container", "Pause"),
		    (STATE_ERROR, "cannot exec in a paused state", "Exec", {"exec_id": "y", "spec": program("true")}))
		t.allows(("Kill", {"signal": 0}), ("CloseIO", {"stdin": True}), ("ResizePty", {"width": 80, "height": 24}),
		    ("Update", {"resources": limits(pids={"limit": 50})}), ("Stats",), ("Pids",))
		t.Resume()
		eq(t.status(), RUNNING)
		# Killed while it is paused, it ends.
		t.Pause()
		eq(t.kill(), 137)
		eq(t.status(), STOPPED)
	PY
}

@test "shim: stopped" {
	shim <<-PY
		$ALWAYS
		t = Task("sh", "-c", "exit 3").run()
		t.Wait()
		s = t.State()
		eq((s.status, s.pid, s.exit_status, s.exited_at), (STOPPED, t.pid, 3, t.Wait().exited_at))
		always(t)
		t.refuses((STATE_ERROR, "cannot start a stopped process", "Start"),
		    (STATE_ERROR, "cannot pause a stopped container", "Pause"),
		    (STATE_ERROR, "cannot resume a stopped container", "Resume"),
		    (STATE_ERROR, "cannot update a stopped container", "Update", {"resources": limits(pids={"limit": 50})}),
		    (STATE_ERROR, "cannot exec in a stopped state", "Exec", {"exec_id": "y", "spec": program("true")}),
		    (NOT_FOUND, "process already finished: not found", "Kill", {"signal": 9}),
		    (NOT_FOUND, "process already finished: not found", "Kill", {"signal": 0}))
		t.allows(("CloseIO", {"stdin": True}), ("Wait",))
		eq(len(t.Pids().processes), 0)
		# Without a terminal nothing is there to resize, and the cgroup may be gone already.
		assert t.begin("ResizePty", width=80, height=24).status()[0] in (OK, *STATE_ERROR)
		assert t.begin("Stats").status()[0] in (OK, NOT_FOUND)
		d = t.Delete()
		eq((d.pid, d.exit_status, d.exited_at), (t.pid, 3, s.exited_at))
	PY
}

@test "shim: deleted" {
	shim <<-PY
		$EVERY
		t = Task().run()
		t.kill()
		t.Delete()
		for method, fields in EVERY.items():
		    t.fails(NOT_FOUND, "not found", method, **fields)
		eq(t.Connect().task_pid, 0)
		t.create().start() # the id is free again
		eq(t.status(), RUNNING)
	PY
}

@test "shim: created and killed, it is stopped without having run" {
	shim <<-'PY'
		t = Task().create()
		eq(t.kill(), 137)
		t.stopped()
		t.refuses((STATE_ERROR, "cannot start a stopped process", "Start"))
		eq(t.Delete().exit_status, 137)
		EVENTS.wait(t.id, "delete")
		EVENTS.tell(t.id, ["create", "exit 137", "delete 137"])
	PY
}

@test "shim: created and deleted without a start" {
	shim <<-'PY'
		t = Task().create()
		eq(t.Delete().pid, t.pid)
		gone(t.pid)
		eq(t.cgroup_dirs(), [])
		t.fails(NOT_FOUND, "not found", "State")
		EVENTS.wait(t.id, "delete")
		eq([w.split()[0] for w in EVENTS.said(t.id) if "exit" not in w], ["create", "delete"])
	PY
}

@test "shim: an exec that is not there" {
	shim <<-'PY'
		t = Task().run()
		for method, fields in {"State": {}, "Start": {}, "Delete": {}, "Kill": {"signal": 9}, "Wait": {},
		        "CloseIO": {"stdin": True}, "ResizePty": {"width": 80, "height": 24}}.items():
		    code = UNKNOWN if method == "CloseIO" and not OURS else NOT_FOUND # the peer forgets its code there
		    t.fails(code, "process does not exist x: not found", method, exec_id="x", **fields)
		eq(t.status(), RUNNING)
	PY
}

@test "shim: an exec that was added" {
	shim <<-'PY'
		t = Task().run()
		t.add("x", "sleep", "100")
		s = t.State(exec_id="x")
		eq((s.status, s.pid, s.exit_status), (CREATED, 0, 0))
		t.refuses((EXISTS, "id x", "Exec", {"exec_id": "x", "spec": program("true")}))
		# A signal has nobody to go to; it is not taken for sent, nor does it go to another.
		t.refuses((PRECONDITION, "process not created", "Kill", {"exec_id": "x", "signal": 9}))
		t.allows(("CloseIO", {"exec_id": "x", "stdin": True}), ("ResizePty", {"exec_id": "x", "width": 80, "height": 24}))
		eq(t.status("x"), CREATED)
		t.Delete(exec_id="x")
		t.fails(NOT_FOUND, "process does not exist x: not found", "State", exec_id="x")
		t.add("x", "true") # the id is free again
	PY
}

@test "shim: an exec that runs" {
	shim <<-'PY'
		t = Task().run()
		pid = t.exec("x", "sleep", "100")
		s = t.State(exec_id="x")
		eq((s.status, s.pid, s.exit_status), (RUNNING, pid, 0))
		t.refuses((EXISTS, "id x", "Exec", {"exec_id": "x", "spec": program("true")}),
		    (STATE_ERROR, "cannot start a running process", "Start", {"exec_id": "x"}),
		    (STATE_ERROR, "cannot delete a running process", "Delete", {"exec_id": "x"}))
		t.allows(("CloseIO", {"exec_id": "x", "stdin": True}), ("Kill", {"exec_id": "x", "signal": 0}),
		    ("ResizePty", {"exec_id": "x", "width": 80, "height": 24}))
		eq((t.status("x"), alive(pid)), (RUNNING, True))
		t.Kill(exec_id="x", signal=TERM)
		eq(t.Wait(exec_id="x").exit_status, 143)
	PY
}

@test "shim: an exec that has ended" {
	shim <<-'PY'
		t = Task().run()
		pid = t.exec("x", "sh", "-c", "exit 4")
		w = t.Wait(exec_id="x")
		s = t.State(exec_id="x")
		eq((s.status, s.pid, s.exit_status, s.exited_at), (STOPPED, pid, 4, w.exited_at))
		t.refuses((EXISTS, "id x", "Exec", {"exec_id": "x", "spec": program("true")}),
		    (STATE_ERROR, "cannot start a stopped process", "Start", {"exec_id": "x"}),
		    (NOT_FOUND, "process already finished: not found", "Kill", {"exec_id": "x", "signal": 9}))
		t.allows(("CloseIO", {"exec_id": "x", "stdin": True}), ("Wait", {"exec_id": "x"}))
		d = t.Delete(exec_id="x")
		eq((d.pid, d.exit_status, d.exited_at), (pid, 4, w.exited_at))
		t.fails(NOT_FOUND, "process does not exist x: not found", "Delete", exec_id="x")
		eq(t.status(), RUNNING)
	PY
}

@test "shim: an exec of a paused container is paused, one of a stopped container has stopped" {
	shim <<-'PY'
		t = Task().run()
		t.exec("x", "sleep", "100")
		t.Pause()
		eq(t.status("x"), PAUSED)
		t.Resume()
		eq(t.status("x"), RUNNING)
		t.kill()
		eq(t.Wait(exec_id="x").exit_status, 137)
		eq(t.status("x"), STOPPED)
		t.Delete(exec_id="x")
	PY
}

@test "shim: both names of the service, on one connection" {
	ours_only 'containerd 1.6 knows task.v2 alone'
	shim <<-'PY'
		t = Task("sh", "-c", "exit 5")
		t.launch()
		t.service = V3
		t.run()
		t.service = V2
		eq(t.Wait().exit_status, 5)
		t.service = V3
		eq(t.State().exit_status, 5)
		t.fails(NOT_FOUND, "not found", "State", exec_id="x")
		eq(t.Delete().exit_status, 5)
	PY
}

# ---- what is done without a helper, and when it cannot be -------------------

@test "shim: Start says how a process died that was let go" {
	shim <<-'PY'
		def no_execve(c):
		    c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
		                             "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_KILL_PROCESS"}]}
		t = Task("true", config=no_execve).create()
		t.fails(UNKNOWN, "was killed by signal 31 while executing its program" if OURS else "", "Start")
		if OURS:
		    eq(t.Wait().exit_status, 128 + 31)
		    EVENTS.tell(t.id, ["create", "exit 159"])
		t.Delete()
		eq(t.cgroup_dirs(), [])
	PY
}

@test "shim: a Start that does not come to an end holds up nobody" {
	ours_only 'one lock is held while a runtime runs'
	shim <<-'PY'
		def freeze(v1, v2):
		    for path, word in [(d + "/freezer.state", v1) for d in t.cgroup_dirs()] + \
		                      [(d + "/cgroup.freeze", v2) for d in t.cgroup_dirs()]:
		        if os.path.exists(path):
		            with open(path, "w") as f:
		                f.write(word)
		t = Task().create()
		freeze("FROZEN", "1")
		s = t.begin("Start")
		t.refuses((PRECONDITION, "another operation", "Start"), (PRECONDITION, "another operation", "Delete"))
		eq(t.status(), CREATED)
		assert not s.done.wait(0.3)
		freeze("THAWED", "0")
		eq(s.result(30).pid, t.pid)
		eq((t.status(), t.kill()), (RUNNING, 137))
		EVENTS.tell(t.id, ["create", "start", "exit 137"])
	PY
}

@test "shim: a Delete that has to wait holds up nobody" {
	ours_only 'the lock is ours'
	shim <<-'PY'
		import fcntl
		t = Task("true").run()
		t.Wait()
		with open("/run/berth/containerd/%s/%s/lock" % (NS, t.id)) as f:
		    fcntl.flock(f, fcntl.LOCK_EX)
		    d = t.begin("Delete")
		    eq(t.status(), STOPPED)
		    assert not d.done.wait(0.3)
		eq(d.result(30).exit_status, 0)
		eq(t.cgroup_dirs(), [])
	PY
}

@test "shim: Delete removes cgroups that were made in the container's" {
	shim <<-'PY'
		t = Task("true").run()
		t.Wait()
		assert t.cgroup_dirs()
		for d in t.cgroup_dirs():
		    os.makedirs(d + "/one/two")
		t.Delete()
		eq(t.cgroup_dirs(), [])
	PY
}
