#!/usr/bin/env bats
# engine_restore.bats: what an engine tells of tasks that it has not made: memory
# that runs out, process ids, and the one time of an end.

load lib.bash
load shim_lib.bash
load engine_lib.bash

setup_file() { engine_up; }
teardown_file() { engine_down; }

# restore RUNTIME: with words for tasks with little memory, and for every event.
restore() {
	{
		echo "SETTINGS = {'runtime': '$1'}"
		cat <<-'PY'
			def little(id, *args):
			    def change(c):
			        c["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
			        if SETTINGS["runtime"]:
			            c["linux"]["cgroupsPath"] = IT_CG + "/" + id
			    return config(*(args or ("sleep", "1000")), change=change)
			def no_pid_is_0(*engines):
			    for en in engines:
			        for e in en.events:
			            assert e["event"] in ("/tasks/oom", "/tasks/exec-added") or e["body"]["pid"] > 0, e
			def one_end(en, id, status, pid, at=None):
			    "of a task whose shim has died"
			    eq(en.is_gone(id)["lost"], True)
			    both = [e["body"] for e in en.events if e["id"] == id and e["event"] in ("/tasks/exit", "/tasks/delete")]
			    last = both[-1]
			    eq([(b["exit_status"], b["pid"], b["exited_at"]) for b in both], [(status, pid, at or last["exited_at"])] * len(both))
			    eq(en.topics(id)[-1], "delete")
			    return last["exited_at"]
		PY
		cat
	} | engine
}

oom_after_a_restart() {
	restore "$1" <<-'PY'
		a = Engine(settings=SETTINGS)
		ids = "c1", "c2", "c3"
		for i in ids:
		    a.create(i, cfg=little(i, *(("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exec tail /dev/zero") if i == "c3" else ())))
		    a.start(i)
		a.die()
		b, c = Engine(settings=SETTINGS), Engine(settings=SETTINGS)
		for en in b, c:
		    for i in ids:
		        en.open(i)
		def eat(id, exec):
		    b.do("exec", id=id, exec=exec, spec=process("tail", "/dev/zero"))
		    b.start(id, exec=exec)
		    eq(b.wait(id, exec=exec)["exit_status"], 137)
		eat("c1", "x")
		eat("c2", "x")
		for en in b, c:
		    for i in "c1", "c2":
		        eq(en.event(i, "oom")["id"], i)
		c.die()
		b.event("c1", "exit")
		eat("c1", "y") # and again
		b.event("c1", "oom", n=2)
		open(IT_OUT + "/rootfs/tmp/go", "w").close() # the first process, too
		eq(b.event("c3", "exit")["body"]["exit_status"], 137)
		b.event("c3", "oom")
		os.unlink(IT_OUT + "/rootfs/tmp/go")
		eq((b.topics("c2").count("oom"), b.topics("c3").count("oom")), (1, 1))
		no_pid_is_0(b, c)
	PY
}

@test "engine_restore: memory that runs out after a restart is told, of every task, again and again" {
	oom_after_a_restart ""
}

@test "engine_restore: memory that runs out after a restart, with an OCI runtime" {
	[ -x "$PEER" ] || skip "no runtime to execute"
	oom_after_a_restart "$PEER"
}

@test "engine_restore: no event has pid 0, whatever the pid file says" {
	restore "" <<-'PY'
		texts = None, "", "0", "-5", "what\n", "4294967296"
		def spoil(id, text):
		    path = bundle(id) + "/init.pid"
		    os.unlink(path)
		    if text is not None:
		        with open(path, "w") as f: f.write(text)
		for text in texts:
		    a = Engine()
		    for i in "dies", "ends", "away":
		        a.run(i)
		    pids = {i: t["pid"] for i, t in a.list().items()}
		    for i in pids:
		        spoil(i, text)
		    away = Engine()
		    away.open("away")
		    shim = away.shim("away")
		    a.die()
		    b = Engine()
		    eq({i: t["pid"] for i, t in b.list().items()}, pids)
		    eq({i: b.open(i)["pid"] for i in ("dies", "ends")}, {i: pids[i] for i in ("dies", "ends")})
		    os.kill(b.shim("dies"), KILL)
		    one_end(b, "dies", 137, pids["dies"])
		    eq(b.kill("ends"), 137)
		    eq(b.event("ends", "exit")["body"]["pid"], pids["ends"])
		    eq(b.delete("ends")["pid"], pids["ends"])
		    # Another has cleaned up meanwhile.
		    os.kill(away.pid, STOP)
		    os.kill(shim, KILL)
		    until(lambda: b.statuses() == {})
		    os.kill(away.pid, CONT)
		    one_end(away, "away", 137, pids["away"])
		    no_pid_is_0(a, b, away)
		    for en in b, away:
		        en.close()
	PY
}

@test "engine_restore: an OCI runtime that writes no pid: no task, and no event of one" {
	[ -x "$PEER" ] || skip "no runtime to execute"
	restore "" <<-PY
		for text in "rm -f", "printf 0 >", "printf -- -7 >", ": >":
		    wrapper = script('f=; for a; do [ "\$f" != next ] || f=\$a; [ "\$a" != --pid-file ] || f=next; done',
		                     '$PEER "\$@" || exit', '[ -z "\$f" ] || %s "\$f"' % text)
		    a = Engine(settings={"runtime": wrapper})
		    def peer(c): c["linux"]["cgroupsPath"] = IT_CG + "/c1"
		    a.fails(("internal", "exec", "invalid", "not-found"), "pid", "create", id="c1", config=config(change=peer))
		    eq(a.events, [])
		    eq(bundles(), [])
		    eq(os.listdir(IT + "/runc/default"), [])
	PY
}

@test "engine_restore: one time for exit and deletion of a task whose shim dies after a restart" {
	restore "" <<-'PY'
		a = Engine()
		runs = a.run("runs")["pid"]
		over = {i: a.run(i, "sh", "-c", "exit 7")["pid"] for i in ("over", "lost-record", "no-record")}
		at = {i: a.wait(i)["exited_at"] for i in over}
		a.die()
		b, c = Engine(), Engine()
		for en in b, c:
		    for i in "runs", *over:
		        en.open(i)
		# What is on record of its end may be gone, too.
		for i in "lost-record", "no-record":
		    for f in glob.glob(bundle(i) + "/exit*"):
		        os.unlink(f)
		begun = time.time()
		for i in "runs", *over:
		    os.kill(b.shim(i), KILL)
		ended = {en: one_end(en, "runs", 137, runs) for en in (b, c)}
		eq(ended[b], ended[c])
		for en in b, c:
		    for i, pid in over.items():
		        one_end(en, i, 7, pid, at[i])
		        eq(en.topics(i), ["delete"])
		eq(b.topics("runs"), ["exit", "delete"])
		no_pid_is_0(b, c)
	PY
}
