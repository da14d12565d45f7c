"""crash.py: clients that live through a daemon and shims that are killed at any moment, beside a model of what has
to be true. Run by client.py's statements: crash.run(globals(), rounds).

Four workers make containers, each a life of its own: create, start, perhaps an exec, an end by itself or by a
signal, wait, delete. Whatever is not answered is asked again. A fifth thread kills the daemon, or some shim, and
starts the daemon again. A sixth subscribes to events whenever there is somebody to subscribe to.

In the end each life has been told: one create, start, exit (with the status that the client was told) and delete,
in that order, none of them twice but where the daemon was killed between telling and writing that down; and nothing
is left anywhere. A create whose daemon was killed is undone, and told of: it has another pid.
"""
import collections
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

WORKERS = 4


class Model:
    def __init__(self, g, rounds):
        self.g, self.rounds = g, rounds
        self.over, self.events_over = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.lives, self.killed_shims, self.answered, self.problems = {}, set(), set(), []
        self.told = collections.defaultdict(lambda: collections.defaultdict(list)) # by id, by pid
        self.seen = set()
        self.restarts = self.doubled = 0
        self.listens = False

    # ---- calls that survive the daemon -----------------------------------------------

    def again(self, call, *args, expected=(), **fields):
        """The answer, sooner or later; or None for one of the `expected` codes."""
        grpc, end = self.g["grpc"], time.monotonic() + 60
        while True:
            try:
                return call(*args, **fields)
            except (grpc.RpcError, ValueError) as e: # ValueError: the channel was closed meanwhile
                code = e.code() if isinstance(e, grpc.RpcError) else None
                if code in expected or (code in (self.g["UNKNOWN"], self.g["NOT_FOUND"]) and
                                         fields.get("container_id") in self.killed_shims):
                    return None
                if code not in (None, self.g["UNAVAILABLE"], self.g["CANCELLED"]) or time.monotonic() > end:
                    raise
            time.sleep(0.005)

    def make(self, id, begun):
        """Until there is the task, or its shim has been killed. A create that was cut off is undone, or not: whether
        it has been answered."""
        g = self.g
        while id not in self.killed_shims:
            if self.again(g["Tasks"].Create, container_id=id, expected=(g["ALREADY_EXISTS"],)):
                return True
            if begun and self.again(g["Tasks"].Get, container_id=id, expected=(g["NOT_FOUND"],)):
                return False
            begun = True
        return False

    def life(self, id, rnd):
        """One container: the status that was told; None where its shim was killed."""
        g = self.g
        Containers, Tasks = g["Containers"], g["Tasks"]
        gone, there, unknown, state = g["NOT_FOUND"], g["ALREADY_EXISTS"], g["UNKNOWN"], g["FAILED_PRECONDITION"]
        want, lasts = rnd.randrange(1, 100), rnd.choice((0, 0, 0.01, 0.05))
        by_signal = rnd.random() < 0.4
        args = ("sleep", "1000") if by_signal else ("sh", "-c", "sleep %s; exit %d" % (lasts, want))
        want = 137 if by_signal else want
        self.again(Containers.Create, container=g["container"](id, spec=g["config"](id, *args)), expected=(there,))
        w = None
        while not w and id not in self.killed_shims:
            if self.make(id, True):
                self.answered.add(id)
            self.again(Tasks.Start, container_id=id, expected=(gone, unknown, state))
            if by_signal and rnd.random() < 0.3:
                self.again(Tasks.Exec, container_id=id, exec_id="x", spec=g["program"]("true"),
                           expected=(gone, there, unknown, state))
                self.again(Tasks.Start, container_id=id, exec_id="x", expected=(gone, unknown, state))
            if by_signal:
                self.again(Tasks.Kill, container_id=id, signal=9, expected=(gone, unknown))
            w = self.again(Tasks.Wait, container_id=id, timeout=30, expected=(gone,))
            if w and w.exit_status != want and id not in self.killed_shims:
                if w.exit_status != 137 or id in self.answered:
                    self.problems.append("%s: wait says %d instead of %d" % (id, w.exit_status, want))
                w = None # undone
            if not w and id in self.answered and id not in self.killed_shims:
                self.problems.append("%s: it was made, and is gone" % id)
                break
        self.again(Tasks.Delete, container_id=id, expected=(gone,))
        self.again(Containers.Delete, id=id, expected=(gone,))
        return w.exit_status if w else None

    def worker(self, n):
        rnd = random.Random(n)
        k = 0
        try:
            while not self.over.is_set():
                id = "w%d-%d" % (n, k)
                k += 1
                status = self.life(id, rnd)
                with self.lock:
                    self.lives[id] = status
        except Exception as e:  # pylint: disable=broad-except
            self.problems.append("worker %d: %r" % (n, e))
            self.over.set()

    # ---- events ------------------------------------------------------------------------

    def listen(self):
        """By ctr: gRPC's library for Python drops what has come before a connection breaks; Go's does not."""
        topics = {"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"}
        while not self.events_over.is_set():
            with subprocess.Popen(["ctr", "--address", self.g["DAEMON"].address, "events", "topic~=^/tasks/"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as p:
                self.ctr = p
                for line in p.stdout:
                    self.listens = True
                    when, topic, body = line.partition(" UTC ")[0], *line.split(" ", 6)[5:]
                    m = json.loads(body)
                    if topic not in topics or m.get("id", "") not in ("", m["container_id"]):
                        continue # an exec's
                    key = (m["container_id"], topic, m.get("pid"), when)
                    if key in self.seen:
                        self.doubled += 1
                        continue
                    self.seen.add(key)
                    self.told[m["container_id"]][m.get("pid")].append((topic[7:], m.get("exit_status", 0)))

    # ---- killing -----------------------------------------------------------------------

    def shims(self):
        found = {}
        for p in os.listdir("/proc"):
            if not p.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    args = f.read().split(b"\0")
                with open("/proc/%s/stat" % p) as f: # not a process that it has forked: a session of its own
                    stat = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[3] == p and b"containerd-shim" in args[0] and b"-bundle" in args and b"-id" in args and \
                    not {b"start", b"delete"} & set(args):
                found[int(p)] = args[args.index(b"-id") + 1].decode()
        return found

    def kill(self):
        rnd, daemon = random.Random(0), self.g["DAEMON"]
        for _ in range(self.rounds):
            time.sleep(rnd.uniform(0, 0.06))
            if self.over.is_set():
                return
            shims = self.shims() if rnd.random() < 0.3 else {}
            if shims:
                pid, id = rnd.choice(sorted(shims.items()))
                self.killed_shims.add(id)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not shims or rnd.random() < 0.3:
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait()
                time.sleep(rnd.choice((0, 0, 0.02, 0.1)))
                daemon.start()
                self.restarts += 1

    # ---- what has to be true -------------------------------------------------------------

    def check(self):
        for id, status in self.lives.items():
            whole = []
            for pid, told in self.told[id].items():
                topics = [t for t, _ in told]
                if topics == ["create", "start", "exit", "delete"]:
                    whole.append(told[2][1])
                elif topics != ["create", "exit", "delete"]:
                    self.problems.append("%s, pid %d%s: told %s" % (
                        id, pid, " (shim killed)" if id in self.killed_shims else "", told))
            if whole != [status] and id not in self.killed_shims and (whole or id in self.answered):
                self.problems.append("%s: whole lives ended with %s instead of %s: told %s" % (
                    id, whole, status, dict(self.told[id])))
        if self.doubled > self.restarts:
            self.problems.append("%d events told twice" % self.doubled)

    def nothing_left(self):
        g = self.g
        g["eq"]([c.id for c in g["Containers"].List().containers], [])
        g["eq"]([t.id for t in g["Tasks"].List().tasks], [])
        root = g["IT"] + "/d"
        # One that was begun and never reached ends by itself, ten seconds after its bundle.
        g["until"](lambda: not self.shims(), 60, "shims are left")
        g["eq"]([x for x in os.listdir(root + "/state/it") if not x.startswith(".del-")], [])
        g["eq"](os.listdir(root + "/state/it"), [])
        db = sqlite3.connect(root + "/root/meta.db")
        g["eq"](db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        db.close()


def run(g, rounds):
    m = Model(g, rounds)
    listener = threading.Thread(target=m.listen, daemon=True)
    listener.start()
    def listens(): # it has to be one before the first event
        g["Events"].Publish(topic="/tasks/ready", event={
            "type_url": "containerd.events.TaskCreate",
            "value": g["events_pb2"].TaskCreate(container_id="ready").SerializeToString()})
        return m.listens
    g["until"](listens, say="nobody subscribes")
    workers = [threading.Thread(target=m.worker, args=(n,), daemon=True) for n in range(WORKERS)]
    for w in workers:
        w.start()
    m.kill()
    m.over.set()
    for w in workers:
        w.join(120)
        if w.is_alive():
            m.problems.append("a worker does not end")
    try:
        # Go's client waits a second before it tries to connect again, then longer.
        g["until"](lambda: all((m.told[i] or i not in m.answered or i in m.killed_shims) and
                               all(told[-1][0] == "delete" for told in list(m.told[i].values())) for i in m.lives), 60)
    except AssertionError:
        pass
    m.events_over.set()
    m.ctr.kill()
    listener.join(10)
    m.check()
    print("%d lives, %d restarts, %d shims killed, %d events told twice" % (
        len(m.lives), m.restarts, len(m.killed_shims), m.doubled))
    assert not m.problems, "%d problems:\n%s" % (len(m.problems), "\n".join(m.problems[:20]))
    assert len(m.lives) > 10, "few lives"
    m.nothing_left()
