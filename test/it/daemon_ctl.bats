#!/usr/bin/env bats
# daemon_ctl.bats: what berthctl shows of a daemon: what it is at, what it waits for and
# since when, also where it is too busy to say so.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up && daemon_ctl; }
teardown_file() { daemon_down; }

@test "daemon ctl: help that cannot be written is an error" {
	for call in --help help 'config --help'; do
		rc=0
		# shellcheck disable=SC2016
		out=$(sh -c '"$0" $1 2>&1 >/dev/full' "$BERTHD" "$call") || rc=$?
		expect '1 berthd: write to stdout: no space left on device' "$rc $out"
	done
}

@test "daemon ctl: every program tells its commit where the sources are a git checkout" {
	local v='version [0-9.]+' commit='[0-9a-f]{40}(\.m)?'

	git --git-dir="$IT_TOP/.git" rev-parse HEAD || commit=
	[[ $("$BERTHD" --version | tr '\n' ' ') =~ ^berthd\ $v\ revision:\ $commit\ $ ]]
	[[ $("$CTL" --version | tr '\n' ' ') =~ ^berthctl\ $v\ revision:\ $commit\ $ ]]
	[[ $("$SHIM" -v | tr '\n' ' ') =~ ^containerd-shim-berth-v2:\ +Version:\ +[0-9.]+\ +Revision:\ $commit\ $ ]]
	[[ $("$BERTH" --version | tr '\n' ' ') =~ ^berth\ $v\ commit:\ ${commit:-v[0-9.]+}\  ]]
	COMMIT=$("$BERTHD" --version | sed -n 's/^revision: //p') daemon <<-'PY'
		eq(Version.Version(ns=None).revision, os.environ["COMMIT"])
	PY
}

@test "daemon ctl: a call to a silent shim whose client has gone is let go at once" {
	hard <<-'PY'
		def operations():
		    return [o["Operation"] for o in json.loads(ctl("operations", "--json")) if "Daemon" in o]
		def let_go(name):
		    until(lambda: operations() == [], 5, "Tasks.%s is held" % name)
		t, u = Task().run(), Task("true").run()
		eq(u.Wait().exit_status, 0)
		shims = [int(p) for p in os.listdir("/proc") if p.isdigit() for x in (t, u)
		         if b"\0-id\0%s\0" % x.id.encode() in open("/proc/%s/cmdline" % p, "rb").read()]
		eq(len(shims), 2)
		for pid in shims:
		    os.kill(pid, signal.SIGSTOP)
		try:
		    # It is reset.
		    for x, name, fields in ((t, "Get", {}), (t, "Kill", {"signal": 0}), (t, "ListPids", {}), (u, "Delete", {}),
		                            (t, "Exec", {"exec_id": "x", "spec": program("true")}), (t, "Pause", {}), (t, "Wait", {})):
		        call = getattr(x, name)(later=True, timeout=None, **fields)
		        if name != "Wait": # which is only counted
		            until(lambda: operations() == ["Tasks." + name], 5, name)
		        call.cancel()
		        let_go(name)
		    # Its deadline passes.
		    fails(DEADLINE_EXCEEDED, None, t.Get, timeout=0.2)
		    let_go("Get")
		    # Its connection is closed.
		    client = subprocess.Popen(["ctr", "-a", DAEMON.address, "-n", NS, "tasks", "pause", t.id])
		    until(lambda: operations() == ["Tasks.Get"], 5, "Get") # which it asks first
		    client.kill()
		    client.wait()
		    let_go("Get")
		finally:
		    for pid in shims:
		        os.kill(pid, signal.SIGCONT)
		# What the shims had been told is done.
		until(lambda: t.status() == PAUSED, 5)
		t.Resume()
		eq(t.Start(exec_id="x").pid > 0, True)
		t.kill()
		for x in t, u: # which its shim had not been told to delete
		    x.remove()
	PY
}

@test "daemon ctl: operations and stacks: what it waits for, and since when" {
	hard <<-'PY'
		def operations(*args):
		    return [o for o in json.loads(ctl("operations", "--json", *args)) if "Daemon" in o]
		def shown(id, operation, waits):
		    o, = until(lambda: [o for o in operations(id) if o["WaitsFor"] == waits], 30, (waits, operations()))
		    eq((o["SystemId"], o["Namespace"], o["Operation"], o["ProcessId"]), (id, NS, operation, DAEMON.process.pid))
		    assert 0 <= o["WaitsFor100ns"] <= o["Age100ns"] < 1200000000, o
		    return o
		eq(operations(), [])
		slow = Task(change=lambda c: c.update(hooks={"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "until [ -e %s/go ]; do sleep 0.05; done" % IT]}]}))
		creating = slow.Create(later=True)
		shown(slow.id, "Tasks.Create", "create the task")
		text = ctl("operations", slow.id)
		eq(re.findall(r"(?m)^%s   berthd: Tasks.Create +[0-9.]+ \S+ +%d +create the task, " % (slow.id, DAEMON.process.pid),
		              text) != [], True)
		eq(operations("-n", "elsewhere"), [])
		within(ctl("operations", "-A"), "it/%s   berthd: Tasks.Create" % slow.id)
		open(IT + "/go", "w").close()
		creating.result()
		slow.Delete()
		eq(operations(), [])

		# A shim that is silent: for how long it has been.
		t = Task().run()
		waits, sub = t.Wait(later=True, timeout=None), Events_('topic=="/x"')
		os.kill(shim(t), signal.SIGSTOP)
		try:
		    pausing = t.Pause(later=True, timeout=100)
		    first = shown(t.id, "Tasks.Pause", "wait for the shim's answer")
		    metrics = [] # each waits two seconds
		    until(lambda: metrics.append(Tasks.Metrics(later=True, filters=[])) or [o for o in operations() if (o["SystemId"], o["Operation"], o["WaitsFor"]) == ("", "Tasks.Metrics", "ask the shims")])
		    time.sleep(0.5)
		    second = shown(t.id, "Tasks.Pause", "wait for the shim's answer")
		    assert second["WaitsFor100ns"] - first["WaitsFor100ns"] > 4000000, (first, second)
		    at_rest = "\n  thread %d 'berthd', state S, in " % DAEMON.process.pid
		    text = until(lambda: [text for text in [ctl("stacks")] if at_rest in text], say="it is never at rest")[0]
		    within(text, "berthd %d at %s: " % (DAEMON.process.pid, DAEMON.address))
		    within(text, " and 2 calls without an end\n")
		    within(text, "\n  it/%s: Tasks.Pause, for " % t.id)
		    within(text, "; waits: wait for the shim's answer, for ")
		    one, = [d for d in json.loads(ctl("stacks", "--json")) if "Daemon" in d]
		    eq((one["ProcessId"], one["Address"], one["Answers"], one["EndlessCalls"]), (DAEMON.process.pid, DAEMON.address, True, 2))
		    eq({o["Operation"] for o in one["Operations"]} - {"Tasks.Metrics"}, {"Tasks.Pause"}) # that waits two seconds
		    eq({p["Role"] for p in one["Processes"]}, {"thread"})
		    eq(len(one["Processes"]), len(os.listdir("/proc/%d/task" % DAEMON.process.pid)))
		    # It comes back, and looks for it; the one that was killed is not shown.
		    pausing.cancel()
		    DAEMON.stop(signal.SIGKILL)
		    eq(operations(), [])
		    eq(len(os.listdir(IT + "/d/state/.daemons")), 1)
		    DAEMON.start()
		    eq(os.listdir(IT + "/d/state/.daemons"), [str(DAEMON.process.pid)])
		    shown(t.id, "find the task", "ask the shim")
		finally:
		    os.kill(shim(t), signal.SIGCONT)
		until(lambda: not operations())
		until(lambda: t.status() == PAUSED) # the shim had that call
		t.Resume()
		t.kill()
		t.remove()
		Containers.Delete(id=slow.id)

		# Somebody has locked its database.
		import sqlite3
		other = sqlite3.connect(IT + "/d/root/meta.db", isolation_level=None)
		other.execute("BEGIN IMMEDIATE")
		making = Containers.Create(container=container("c"), later=True, timeout=60)
		shown("c", "Containers.Create", "write the database")
		other.execute("ROLLBACK")
		making.result()
		Containers.Delete(id="c")

		# It does not come to its loop: that is shown, too, and where it is.
		os.kill(DAEMON.process.pid, signal.SIGSTOP)
		try:
		    o, = operations()
		    eq((o["Operation"], o["ProcessId"]), ("does not answer", DAEMON.process.pid))
		    within(ctl("operations"), "berthd: does not answer")
		    text = ctl("stacks")
		    within(text, "berthd %d: does not answer\n  thread %d 'berthd', state T" % (2 * (DAEMON.process.pid,)))
		finally:
		    os.kill(DAEMON.process.pid, signal.SIGCONT)
		DAEMON.stop()
		eq(os.listdir(IT + "/d/state/.daemons"), []) # and nothing is left of one that ended
		eq(operations(), [])
	PY
}
