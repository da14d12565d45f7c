#!/usr/bin/env bats
# daemon_edges.bats: the daemon begins and ends while others are at work: clients that
# wait, shims that are silent, programs that make tasks.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

@test "daemon: calls without an end do not hold up its own" {
	daemon <<-'PY'
		t = Task().run()
		ended, ev = queue.Queue(), Events_()
		def read(call):
		    try:
		        for _ in call:
		            pass
		    except grpc.RpcError as e:
		        ended.put(e.code())
		silent = Events.Subscribe(filters=["topic~=|^/never/|"])
		threading.Thread(target=read, args=(silent,), daemon=True).start()
		w = t.Wait(later=True, timeout=None)
		time.sleep(0.1)
		DAEMON.process.send_signal(signal.SIGTERM)
		eq(DAEMON.process.wait(20), 0)
		eq(w.code(), UNAVAILABLE)
		eq(ended.get(timeout=20), UNAVAILABLE)
		eq(ev.call.code(), UNAVAILABLE)
		DAEMON.channel.close()
		DAEMON.start()
		eq(t.status(), RUNNING)
		t.kill()
		t.remove()
	PY
}

@test "daemon: its sockets are its group's, and others may pass to them; config default and check" {
	daemon <<-'PY'
		import stat
		mode = lambda path: stat.S_IMODE(os.stat(path).st_mode)
		eq([oct(mode(DAEMON.address + s)) for s in ("", ".ttrpc")], ["0o660", "0o660"])
		DAEMON.stop()
		DAEMON.configure(address=IT + "/d/made/daemon.sock", root=IT + "/d/made-root", engine={"state": IT + "/d/made-state"})
		before, DAEMON.address = DAEMON.address, IT + "/d/made/daemon.sock"
		os.umask(0)
		DAEMON.start()
		eq([oct(mode(IT + "/d/" + d)) for d in ("made", "made-root", "made-state")], ["0o711"] * 3)
		eq(oct(mode(DAEMON.address)), "0o660")
		DAEMON.stop()
		def config(*args):
		    r = subprocess.run([BERTHD, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
		    return r.returncode, r.stdout.decode()
		code, text = config("config", "default")
		eq((code, sorted(json.loads(text))[:2]), (0, ["address", "engine"]))
		with open(IT + "/d/default", "w") as f:
		    f.write(text)
		eq(config("--config", IT + "/d/default", "config", "check")[0], 0)
		for wrong, where in (('{\n  "root": }', ":2:11: "), ('{\n\n "rot": "/x"}', ":3:2: /rot: unknown key"),
		                     ('{"uid": -1}', ":1:2: ")):
		    with open(IT + "/d/wrong", "w") as f:
		        f.write(wrong)
		    code, text = config("--config", IT + "/d/wrong", "config", "check")
		    eq(code, 1)
		    within(text, IT + "/d/wrong" + where)
		DAEMON.configure(address=before)
		DAEMON.address = before
		DAEMON.start()
	PY
}

@test "daemon: ends while it waits for a shim that is silent" {
	daemon <<-'PY'
		t = Task().run()
		DAEMON.stop()
		os.kill(shim(t), signal.SIGSTOP)
		try:
		    DAEMON.start()
		    fails(DEADLINE_EXCEEDED, None, t.Get, timeout=0.2)
		    eq(DAEMON.stop(), 0)
		finally:
		    os.kill(shim(t), signal.SIGCONT)
		DAEMON.start()
		t.kill()
		t.remove()
	PY
}

# BERTH_SOAK: of 1,000.
@test "daemon: metrics of many, one of which is silent: those of the others, and what is wrong with it" {
	N=$([ -z "${BERTH_SOAK:-}" ] && echo 60 || echo 1000) daemon <<-'PY'
		tasks = [Task().run() for _ in range(int(os.environ["N"]))]
		t, others = tasks[0], sorted(x.id for x in tasks[1:])
		call = Tasks.Metrics(later=True)
		eq(sorted(m.id for m in call.result().metrics), sorted(others + [t.id]))
		eq([k for k, _ in call.trailing_metadata()], [])
		os.kill(shim(t), signal.SIGSTOP)
		try:
		    call = Tasks.Metrics(later=True)
		    eq(sorted(m.id for m in call.result(timeout=30).metrics), others)
		    (key, text), = call.trailing_metadata()
		    eq((key, text.split(":")[0]), ("berth-errors", t.id))
		    within(text, "timed out")
		    fails(DEADLINE_EXCEEDED, None, Tasks.Metrics, filters=["id==" + t.id])
		finally:
		    os.kill(shim(t), signal.SIGCONT)
		for x in tasks:
		    x.kill()
		    x.remove()
	PY
}

@test "daemon: a task that another program is making when it begins" {
	daemon <<-'PY'
		import fcntl
		t = Task().run()
		DAEMON.stop()
		bundle = IT + "/d/state/it/" + t.id
		os.rename(bundle + "/address", bundle + "/address-later")
		lock = os.open(bundle, os.O_RDONLY)
		fcntl.flock(lock, fcntl.LOCK_EX)
		DAEMON.start()
		ev = Events_("topic~=|^/tasks/|")
		time.sleep(0.3)
		eq(list(Tasks.List().tasks), [])
		os.rename(bundle + "/address-later", bundle + "/address")
		os.close(lock)
		until(lambda: [x.id for x in Tasks.List().tasks] == [t.id], 30, "it is not seen")
		t.kill()
		ev.expect("/tasks/exit", events_pb2.TaskExit, container_id=t.id)
		t.remove()
	PY
}

@test "daemon: SIGHUP: what can be taken is, what needs a restart is named, what is wrong changes nothing" {
	daemon <<-'PY'
		DAEMON.stop()
		log, config = IT + "/d/log", IT + "/d/config"
		DAEMON.configure(log_file=log)
		DAEMON.start()
		def hup(words):
		    """The lines that it says for it."""
		    n = len(open(log).readlines())
		    news = lambda: open(log).readlines()[n:]
		    DAEMON.process.send_signal(signal.SIGHUP)
		    until(lambda: words in "".join(news()), 5, words)
		    return news()
		said = lambda: open(log).read().count("task created")
		t = Task().run()
		eq(said(), 0) # which is for debug
		# What is taken counts from now on.
		DAEMON.configure(log_level="debug", log_format="json", shims={"io.containerd.x.v1": "no-shim"}, engine={"cgroup_parent": os.environ["IT_CG"] + "/elsewhere"})
		lines = hup("taken")
		eq([json.loads(l)["msg"] for l in lines],
		   ["configuration: log_level, log_format, shims, engine.cgroup_parent: taken"])
		def no_path(c):
		    del c["linux"]["cgroupsPath"]
		u = Task(change=no_path).run()
		within(open("/proc/%d/cgroup" % u.pid).read(), "/elsewhere/it/" + u.id)
		eq(said(), 1)
		# What cannot be: all that is, in one line, and the rest is taken.
		before = json.load(open(config))
		DAEMON.configure(root=IT + "/d/root2", address=IT + "/d/other.sock", uid=1, metrics=IT + "/d/m", log_level="info",
		                 engine={"state": IT + "/d/state2"})
		lines = [json.loads(l) for l in hup("needs a restart")]
		eq([(l["level"], l["msg"]) for l in lines], [
		    ("warning", "configuration: root, address, uid, metrics, engine.state: other than before, which needs a restart"),
		    ("info", "configuration: log_level: taken")])
		eq(os.path.exists(IT + "/d/state2") or os.path.exists(IT + "/d/root2"), False)
		v = Task().run()
		eq(os.path.isdir(IT + "/d/state/it/" + v.id), True)
		eq(said(), 1)
		with open(config, "w") as f:
		    json.dump(before, f)
		hup("configuration: log_level: taken")
		# One that is wrong: an error with its place, and all is as it was.
		for text, where in (('{\n  "log_level": "info",\n  "log_fil": 1}', ":3:3: /log_fil: unknown key"),
		                    ('{\n "root": }', ":2:10: "), ('{"log_level": "much"}', ":1:2: log_level: 'much'"),
		                    ('{"log_file": "/nosuch/directory/log"}', "/nosuch/directory/log"), (None, config)):
		    os.rename(config, config + ".away")
		    if text is not None:
		        with open(config, "w") as f:
		            f.write(text)
		    line, = [json.loads(l) for l in hup(where.replace('"', '\\"'))] # the format is as it was
		    eq(line["level"], "error")
		    within(line["msg"], "the configuration stays as it is: ")
		    within(line["msg"], where)
		    os.rename(config + ".away", config)
		w = Task().run()
		eq(said(), 2)
		# The log file may change, and go.
		DAEMON.configure(log_file=log + ".2")
		DAEMON.process.send_signal(signal.SIGHUP)
		until(lambda: os.path.exists(log + ".2") and "log_file: taken" in open(log + ".2").read())
		DAEMON.configure(log_file="")
		DAEMON.process.send_signal(signal.SIGHUP)
		until(lambda: "log_file: taken" in open(IT_OUT + "/daemon.log").read().splitlines()[-1])
		eq([os.readlink("/proc/%d/fd/%s" % (DAEMON.process.pid, fd)) for fd in os.listdir("/proc/%d/fd" % DAEMON.process.pid)
		    if "/d/log" in os.readlink("/proc/%d/fd/%s" % (DAEMON.process.pid, fd))], [])
		for x in t, u, v, w:
		    eq(x.kill(), 137)
		    x.remove()
	PY
}
