"""client.py: runs the test on its standard input (Python statements) against the
engine, through test/engine/engine_tool.c, with everything below in its names;
then ends what the test left running, and fails if anything is left behind.

    en = Engine()
    t = en.create("c1", "sh", "-c", "exit 7")
    en.start("c1")
    eq(en.wait("c1")["exit_status"], 7)
    en.fails("exists", "", "create", id="c1", config=config("true"))

Environment: SHIM, ENGINE_TOOL, IT (a directory of our own, on a tmpfs), IT_CG
(cgroups below it), IT_OUT (base.json and rootfs in it).
"""
import glob
import json
import linecache
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from expect import eq, within, until, trapped

SHIM, TOOL, IT, IT_CG, IT_OUT = (os.environ[k] for k in ("SHIM", "ENGINE_TOOL", "IT", "IT_CG", "IT_OUT"))
STATE = IT + "/state"
KILL, TERM, STOP, CONT = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT


class Failed(Exception):
    def __init__(self, answer):
        super().__init__("%s: %s" % (answer["result"], answer["words"]))
        self.kind, self.words, self.errno = answer["result"], answer["words"], answer["errno"]


def state_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def alive(pid):
    return state_of(pid) not in "ZX"


def gone(pid, timeout=30):
    until(lambda: not alive(pid), timeout, "process %d is still there" % pid)


def ppid(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[1])


_number = 0


def config(*args, cgroup=None, change=None):
    """A config.json, on file: its path."""
    global _number
    with open(IT_OUT + "/base.json") as f:
        c = json.load(f)
    c["process"].update(terminal=False, args=list(args or ["sleep", "1000"]))
    c["root"] = {"path": IT_OUT + "/rootfs"}
    c["linux"].pop("cgroupsPath", None)
    if cgroup:
        c["linux"]["cgroupsPath"] = cgroup
    if change:
        change(c)
    _number += 1
    path = "%s/config-%d-%d.json" % (IT, os.getpid(), _number)
    with open(path, "w") as f:
        json.dump(c, f)
    return path


def process(*args, **fields):
    return json.dumps({"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}, **fields})


def script(*lines):
    """A program of the host."""
    global _number
    _number += 1
    path = "%s/script-%d-%d" % (IT, os.getpid(), _number)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + "\n".join(lines) + "\n")
    os.chmod(path, 0o755)
    return path


class Operation:
    def __init__(self, engine, tag):
        self.engine, self.tag, self.done, self.value = engine, tag, threading.Event(), None

    def answer(self, timeout=60):
        if not self.done.wait(timeout):
            raise AssertionError("operation %d does not end; log: %s" % (self.tag, self.engine.log()[-2000:]))
        return self.value

    def result(self, timeout=60):
        a = self.answer(timeout)
        if a["result"] != "ok":
            raise Failed(a)
        return a


class Engine:
    """A process of its own with an engine in it."""
    every = []

    def __init__(self, state=STATE, shim=SHIM, settings=None, **env):
        self.state = state
        n = len(Engine.every)
        conf = "%s/engine-%d-%d.json" % (IT, os.getpid(), n)
        with open(conf, "w") as f:
            json.dump({"cgroup_parent": IT_CG, "state": state, "shim": shim, "runtime_root": IT + "/runc",
                       **(settings or {})}, f)
        self.stderr = "%s/engine-%d-%d.log" % (IT, os.getpid(), n)
        with open(self.stderr, "wb") as log:
            self.p = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                      env={**os.environ, "BERTH_CONFIG": conf, **env})
        self.pid = self.p.pid
        self.lock, self.changed = threading.Lock(), threading.Condition()
        self.operations, self.tag = {}, 0
        self.events, self.gones, self.lines = [], [], []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        Engine.every.append(self)

    def _read(self):
        for line in self.p.stdout:
            m = json.loads(line)
            with self.changed:
                self.lines.append(m)
                if "event" in m:
                    self.events.append(m)
                if "gone" in m:
                    self.gones.append(m)
                op = self.operations.pop(m["tag"], None) if "tag" in m else None
                self.changed.notify_all()
            if op:
                op.value = m
                op.done.set()

    def log(self):
        with open(self.stderr, errors="replace") as f:
            return f.read()

    # -- operations -------------------------------------------------------------

    def begin(self, what, **fields):
        with self.lock:
            self.tag += 1
            op = Operation(self, self.tag)
            with self.changed:
                self.operations[op.tag] = op
            try:
                self.p.stdin.write(json.dumps({"do": what, "tag": op.tag, **fields}).encode() + b"\n")
                self.p.stdin.flush()
            except BrokenPipeError:
                pass # it has been killed
        return op

    def do(self, what, wait_s=60, **fields):
        return self.begin(what, **fields).result(wait_s)

    def fails(self, kind, part, what, **fields):
        a = self.begin(what, **fields).answer()
        kinds = kind if isinstance(kind, tuple) else (kind,)
        assert a["result"] in kinds and part in a.get("words", ""), "%s: %r instead of %s, '%s'" % (what, a, kinds, part)
        return a

    def create(self, id, *args, cfg=None, **fields):
        return self.do("create", id=id, config=cfg or config(*args), **fields)["task"]

    def start(self, id, **fields):
        return self.do("start", id=id, **fields)["answer"]["pid"]

    def run(self, id, *args, **fields):
        t = self.create(id, *args, **fields)
        self.start(id)
        return t

    def wait(self, id, **fields):
        return self.do("wait", id=id, **fields)["answer"]

    def kill(self, id, **fields):
        self.do("kill", id=id, **fields)
        return self.wait(id, **fields)["exit_status"]

    def delete(self, id, **fields):
        return self.do("delete", id=id, **fields)["answer"]

    def open(self, id, **fields):
        return self.do("open", id=id, **fields)["task"]

    def list(self, **fields):
        return {t["id"]: t for t in self.do("list", **fields)["tasks"]}

    def statuses(self, **fields):
        return {i: t["status"] for i, t in self.list(**fields).items()}

    # -- what happens -------------------------------------------------------------

    def topics(self, id):
        return [e["event"].removeprefix("/tasks/") for e in self.events if e["id"] == id]

    def event(self, id, topic, timeout=30, n=1):
        """The n-th of that kind."""
        def found():
            return [e for e in self.events if e["id"] == id and e["event"] == "/tasks/" + topic][n - 1:]
        return until(found, timeout, "no event %s of %s: %s; %s" % (topic, id, self.topics(id), self.log()[-1000:]))[0]

    def is_gone(self, id, timeout=30):
        return until(lambda: [g for g in self.gones if g["gone"] == id], timeout,
                     "task %s is not gone: %s" % (id, self.log()[-2000:]))[-1]

    def shim(self, id):
        """The pid of its shim, which has to be open here."""
        return self.do("hello", id=id)["answer"]["pid"]

    # -- its end ------------------------------------------------------------------

    def die(self):
        self.p.kill()
        self.p.wait()
        self.reader.join()

    def close(self, timeout=60):
        if self.p.poll() is None:
            self.p.stdin.close()
            eq(self.p.wait(timeout), 0)
            self.reader.join()


# ---- what a test may not leave behind ------------------------------------------

def bundle(id, namespace="default", state=STATE):
    return "%s/%s/%s" % (state, namespace, id)


def bundles(namespace="default", state=STATE):
    """Whatever is there, also what is being made or removed."""
    try:
        return os.listdir("%s/%s" % (state, namespace))
    except FileNotFoundError:
        return []


def mountinfo():
    with open("/proc/self/mountinfo") as f:
        return f.read().splitlines()


def traces():
    found = {"mount " + m.split()[4] for m in mountinfo()}
    for h in (m.split()[4] for m in mountinfo() if " - cgroup" in m):
        # Those of the namespaces stay.
        found |= {"cgroup " + d for d, _, _ in os.walk(h + IT_CG) if os.path.dirname(d) not in (h + os.path.dirname(IT_CG), h + IT_CG)}
    for state in glob.glob(IT + "/state*"):
        for f in glob.glob(state + "/**", recursive=True) + glob.glob(state + "/**/.*", recursive=True) + \
                glob.glob(state + "/.*/**", recursive=True):
            below = f[len(state):].strip("/").split("/")
            # The directories that are made once stay, and journals for some minutes.
            if len(below) > 1 and below[:2] != [".shims", "gone"] and below != [".runtime", below[-1]]:
                found.add("file " + f)
    found |= {"file " + f for f in glob.glob(IT + "/runc/*/*")}
    return found


def processes():
    found = {}
    for d in glob.glob("/proc/[0-9]*"):
        pid = int(d[6:])
        if pid in (1, os.getpid()) or not alive(pid):
            continue
        try:
            with open(d + "/cmdline", "rb") as f:
                cmd = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
            if ppid(pid) != os.getpid() and not cmd.startswith("sleep 86399"):
                found["process %d %s" % (pid, cmd)] = pid
        except OSError:
            pass
    return found


def left(before, timeout=30):
    end = time.monotonic() + timeout
    while True:
        now = (traces() | set(processes())) - before
        if not now or time.monotonic() > end:
            return sorted(now)
        time.sleep(0.02)


def remove_all(state):
    """Kills and deletes every task that is there."""
    en = Engine(state)
    for t in en.do("list", wait_s=120)["tasks"]:
        en.do("open", id=t["id"], namespace=t["namespace"])
        if t["status"] not in ("created", "stopped"):
            if t["status"] == "paused":
                en.do("resume", id=t["id"])
            en.begin("kill", id=t["id"], all=True).answer()
            en.do("wait", id=t["id"])
        en.do("delete", id=t["id"])
    en.close()


def clean(before):
    bad = []
    try:
        for state in {e.state for e in Engine.every} | {STATE}:
            remove_all(state)
    except Exception as e:  # pylint: disable=broad-except
        bad.append("removing what the test left: %s: %s" % (type(e).__name__, e))
    for en in Engine.every:
        try:
            en.close()
        except Exception as e:  # pylint: disable=broad-except
            bad.append("the end of an engine: %s: %s" % (type(e).__name__, e))
            en.die()
    rest = left(before)
    bad += ["left behind: " + r for r in rest]
    for name, pid in processes().items():
        if name in rest:
            os.kill(pid, KILL)
    return bad


def main():
    source = sys.stdin.read()
    linecache.cache["test"] = (len(source), None, source.splitlines(True), "test")
    before = traces() | set(processes())
    bad = []
    try:
        exec(compile(source, "test", "exec"), globals())  # pylint: disable=exec-used
    except Exception:  # pylint: disable=broad-except
        bad.append(traceback.format_exc())
    bad += clean(before)
    if bad:
        print("\n".join(bad))
        for en in Engine.every:
            print("-- engine %d said:\n%s" % (en.pid, "\n".join(map(str, en.lines[-40:]))))
            print(en.log()[-4000:])
        shutil.rmtree(STATE, ignore_errors=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
