"""client.py: runs the test on its standard input (Python statements) against the
shim of $SHIM, with everything below in its names; then ends what the test left
running, the way a daemon would, and fails if anything is left behind.

    t = Task("sh", "-c", "exit 7").run()     a bundle; `start`; Create; Start
    eq(t.Wait().exit_status, 7)
    t.fails(UNKNOWN, "cannot start a stopped process", "Start")

Environment: SHIM, IT (a directory of our own, on a tmpfs), IT_CG (cgroups below
it), IT_OUT (base.json, rootfs and the compiled messages in it).
"""
import glob
import json
import linecache
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path[:0] = [os.environ["IT_OUT"] + "/api", os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
# pylint: disable=wrong-import-position,wrong-import-order
import runc_options_pb2
import runc_v1_pb2
import task_pb2
import types_pb2
import wellknown_pb2
from expect import eq, within, until, trapped
from receiver import Receiver
from streams import In, Out
from ttrpc import *  # pylint: disable=wildcard-import,unused-wildcard-import

SHIM, IT, IT_CG, IT_OUT = (os.environ[k] for k in ("SHIM", "IT", "IT_CG", "IT_OUT"))
OURS = "berth" in os.path.basename(os.path.realpath(SHIM))
NS = "shim-test"
V2, V3 = "containerd.task.v2.Task", "containerd.task.v3.Task"
METADATA = [("containerd-namespace-ttrpc", NS)]
CREATED, RUNNING, STOPPED, PAUSED = 1, 2, 3, 4
GONE = "/run/berth/shim/gone"  # where the journals of shims that have ended stay for some minutes
KILL, TERM, USR1 = signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1
STATE_ERROR = (UNKNOWN, PRECONDITION)  # the first is what containerd's own shim says

ANSWERS = {"State": task_pb2.StateResponse, "Create": task_pb2.CreateTaskResponse, "Start": task_pb2.StartResponse,
           "Delete": task_pb2.DeleteResponse, "Pids": task_pb2.PidsResponse, "Pause": wellknown_pb2.Empty,
           "Resume": wellknown_pb2.Empty, "Checkpoint": wellknown_pb2.Empty, "Kill": wellknown_pb2.Empty,
           "Exec": wellknown_pb2.Empty, "ResizePty": wellknown_pb2.Empty, "CloseIO": wellknown_pb2.Empty,
           "Update": wellknown_pb2.Empty, "Wait": task_pb2.WaitResponse, "Stats": task_pb2.StatsResponse,
           "Connect": task_pb2.ConnectResponse, "Shutdown": wellknown_pb2.Empty}
LONG = {"Create": "CreateTask", "Exec": "ExecProcess", "Update": "UpdateTask", "Checkpoint": "CheckpointTask"}


def message(method, **fields):
    return getattr(task_pb2, LONG.get(method, method) + "Request")(**fields)


def any_of(name, value=b""):
    """An Any as containerd makes it: the bare name is its type."""
    return wellknown_pb2.Any(type_url=name, value=value if isinstance(value, bytes) else value.SerializeToString())


def options(**fields):
    return any_of("containerd.runc.v1.Options", runc_options_pb2.Options(**fields))


def json_any(what, document):
    return any_of("types.containerd.io/opencontainers/runtime-spec/1/" + what, json.dumps(document).encode())


def bind(source, *opts):
    return types_pb2.Mount(type="bind", source=source, options=["rbind", *opts])


def limits(**kinds):
    """linux.resources: limits(pids={"limit": 7})"""
    return json_any("LinuxResources", kinds)


def program(*args, **fields):
    return json_any("Process", {"args": list(args), "cwd": "/", "env": ["PATH=/bin"],
                                "user": {"uid": 0, "gid": 0}, **fields})


def alive(pid):
    """Not gone, and not a zombie that somebody else is yet to collect."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid, timeout=30):
    until(lambda: not alive(pid), timeout, "process %d is still there" % pid)


def ppid(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[1])


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(n) for n in f.read().split()]


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


# ---- one shim and its tasks --------------------------------------------------

class Task:
    """A bundle, and the task that a shim makes of it. Task.SomeMethod(fields) is a call to the
    shim; `id` is filled in."""
    number = 0
    every = []

    def __init__(self, *args, tty=False, group=None, config=None, id=None, mounts=None, events=None):
        Task.number += 1
        self.id = id or "t%d-%d" % (Task.number, os.getpid())
        self.bundle = os.path.join(IT, "bundles", self.id)
        self.io = {"terminal": True} if tty else {}
        self.mounts = mounts or []
        self.events = events or EVENTS
        self.cgroup = IT_CG + "/" + self.id
        self.log, self.conn, self.address, self.pid, self.shim = bytearray(), None, None, 0, 0
        self.service, self.created = V2, False
        os.makedirs(self.bundle)
        os.mkdir(self.bundle + "/rootfs", 0o711)
        with open(IT_OUT + "/base.json") as f:
            c = json.load(f)
        c["process"].update(terminal=tty, args=list(args or ["sleep", "1000"]))
        c["root"] = {"path": "rootfs" if self.mounts else IT_OUT + "/rootfs"}
        c["linux"]["cgroupsPath"] = self.cgroup
        if group:
            c["annotations"] = group if isinstance(group, dict) else {"io.containerd.runc.v2.group": group}
        if config:
            config(c)
        with open(self.bundle + "/config.json", "w") as f:
            json.dump(c, f)
        os.mkfifo(self.bundle + "/log", 0o700)
        self.log_fd = os.open(self.bundle + "/log", os.O_RDWR | os.O_CLOEXEC)
        Task.every.append(self)

    def _read_log(self, fd):
        while self.log_fd is not None:
            if select.select([fd], [], [], 0.5)[0]:
                self.log += os.read(fd, 65536)
        os.close(fd)

    # -- the program ----------------------------------------------------------

    def command(self, *args, stdin=b"", env=None, cwd=None, timeout=30, under=()):
        """The shim's program with a daemon's flags, `under` another: (exit code, stdout, stderr)."""
        every = {"PATH": os.environ["PATH"], "GOMAXPROCS": "2", "TTRPC_ADDRESS": self.events.path + ".ttrpc",
                 "TMPDIR": IT + "/tmp"}
        p = subprocess.run([*under, SHIM, "-namespace", NS, "-address", self.events.path, "-publish-binary",
                            "/usr/bin/containerd", "-id", self.id, *args],
                           input=stdin, cwd=cwd or self.bundle, env={**every, **(env or {})},
                           capture_output=True, timeout=timeout, check=False)
        return p.returncode, p.stdout, p.stderr

    def launch(self, opts=None, read_log=True, **kw):
        """`start`, and a connection to the address that it prints."""
        if read_log:
            threading.Thread(target=self._read_log, args=(os.dup(self.log_fd),), daemon=True).start()
        rc, out, err = self.command("start", stdin=opts.SerializeToString() if opts else b"", **kw)
        # A daemon reads both streams as one.
        assert rc == 0 and not err, "start: exit %d: %s%s" % (rc, out, err)
        self.address = out.decode()
        self.connect()
        return self

    def connect(self):
        self.conn = Conn(self.address, METADATA)
        self.shim = self.Connect().shim_pid

    def binary_delete(self, **kw):
        """The program's `delete`: what it prints, decoded."""
        rc, out, err = self.command("-bundle", self.bundle, "delete", **kw)
        assert rc == 0, "delete: exit %d: %s" % (rc, err)
        if OURS:
            eq(err, b"")
        return task_pb2.DeleteResponse.FromString(out)

    # -- calls ----------------------------------------------------------------

    def begin(self, method, service=None, timeout_nano=0, metadata=None, **fields):
        fields = {"id": self.id, **fields}
        return self.conn.begin(service or self.service, method, message(method, **fields), ANSWERS[method],
                               timeout_nano=timeout_nano, metadata=metadata)

    def __getattr__(self, method):
        if method not in ANSWERS:
            raise AttributeError(method)
        return lambda timeout=30, **fields: self.begin(method, **fields).result(timeout)

    def fails(self, code, part, method, **fields):
        """The call fails with one of these codes, and the words."""
        got, text = self.begin(method, **fields).status()
        codes = code if isinstance(code, tuple) else (code,)
        assert got in codes and part in text, "%s: code %d, '%s' instead of %s, '%s'" % (method, got, text, codes, part)
        return text

    def refuses(self, *rows):
        """Each (code, words, method, fields) fails so, and changes nothing."""
        before = self.status()
        for code, part, method, *fields in rows:
            self.fails(code, part, method, **(fields[0] if fields else {}))
            eq(self.status(), before)

    def allows(self, *rows):
        """Each (method, fields) succeeds, and changes nothing."""
        before = self.status()
        for method, *fields in rows:
            eq((method, self.begin(method, **(fields[0] if fields else {})).status()), (method, (OK, "")))
            eq(self.status(), before)

    # -- a life ---------------------------------------------------------------

    def create(self, **fields):
        if not self.conn:
            self.launch()
        fields = {"bundle": self.bundle, "rootfs": self.mounts, **self.io, **fields}
        self._both(fields)
        self.pid = self.Create(**fields).pid
        self.created = True
        return self

    def start(self):
        eq(self.Start().pid, self.pid)
        return self

    def run(self, **fields):
        return self.create(**fields).start()

    def out(self, name, **kw):
        """A FIFO for a stream of the first process, or of an exec: its reader."""
        o = Out("%s/%s-%s" % (FIFOS, self.id, name), **kw)
        if name in ("stdout", "stderr"):
            self.io[name] = o.path
        return o

    def _both(self, fields, name=""):
        """A client gives both streams or none; here a test may look at one alone."""
        given = {"stdout", "stderr"} & set(fields)
        if len(given) == 1 and not fields.get("terminal"):
            other = ({"stdout", "stderr"} - given).pop()
            fields[other] = Out("%s/%s-%s-other" % (FIFOS, self.id, name)).path

    def inp(self, name="stdin"):
        i = In("%s/%s-%s" % (FIFOS, self.id, name))
        if name == "stdin":
            self.io[name] = i.path
        return i

    def add(self, exec_id, *args, terminal=False, process=None, **fields):
        spec = program(*args, terminal=terminal, **(process or {}))
        fields = {"exec_id": exec_id, "spec": spec, "terminal": terminal, **fields}
        self._both(fields, exec_id)
        self.Exec(**fields)

    def exec(self, exec_id, *args, **fields):
        """Exec and Start: its pid."""
        self.add(exec_id, *args, **fields)
        return self.Start(exec_id=exec_id).pid

    def status(self, exec_id=""):
        return self.State(exec_id=exec_id).status

    def stopped(self, exec_id="", timeout=30):
        until(lambda: self.status(exec_id) == STOPPED, timeout, "it does not stop")
        return self

    def kill(self, **fields):
        self.Kill(signal=KILL, **fields)
        return self.Wait().exit_status

    def script(self, *lines):
        """A program of the host for the shim to run."""
        path = "%s/script-%s-%d" % (IT, self.id, len(os.listdir(IT)))
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + "\n".join(lines) + "\n")
        os.chmod(path, 0o755)
        return path

    def cgroup_dirs(self):
        found = [m.split()[4] + self.cgroup for m in mountinfo() if " - cgroup" in m]
        return [d for d in found if os.path.isdir(d)]

    # -- the end --------------------------------------------------------------

    def end(self):
        """As a daemon ends a task: kill, delete, shut down, then the program's `delete`."""
        if self.created and not self.conn.lost:
            self._end_task()
        if self.conn and not self.conn.lost:
            others = [t for t in Task.every if t is not self and t.address == self.address and t.conn]
            if not others:
                try:
                    self.Shutdown()
                except Lost:
                    pass
                until(lambda: self.conn.lost or not alive(self.shim), 30, "the shim stays after Shutdown")
            self.conn.close()
        self.conn = None
        if os.path.exists(self.bundle):
            if self.address and (OURS or self.pid): # the peer's fails before a Create
                self.binary_delete()
            if self.address and not OURS and not alive(self.shim): # a dead one's socket it leaves
                subprocess.run(["rm", "-f", self.address.removeprefix("unix://")], check=True)
            below = [m for m in mountinfo() if self.bundle in m]
            assert not below, "mounted below the bundle: %s" % below
            shutil.rmtree(self.bundle)
        if self.log_fd is not None:
            fd, self.log_fd = self.log_fd, None
            os.close(fd)

    def _end_task(self):
        try:
            if self.status() == PAUSED:
                self.Resume()
            if self.status() != STOPPED:
                self.Kill(signal=KILL, all=True)
                self.Wait()
            self.Delete()
        except (Failed, Lost) as e:
            if not isinstance(e, Lost) and e.code != NOT_FOUND:
                raise
        self.created = False


# ---- what a test may not leave behind ----------------------------------------

def mountinfo():
    with open("/proc/self/mountinfo") as f:
        return f.read().splitlines()


def traces():
    found = {"mount " + m.split()[4] for m in mountinfo()}
    for h in (m.split()[4] for m in mountinfo() if " - cgroup" in m):
        found |= {"cgroup " + d for d, _, _ in os.walk(h + IT_CG) if d != h + IT_CG}
    for top in ("/run/containerd", "/run/berth", "/run/runc", IT + "/bundles", IT + "/tmp"):
        # The directories that are made once stay.
        found |= {"file " + f for f in glob.glob(top + "/**", recursive=True)
                  if f.rstrip("/") != top and os.path.basename(f) not in ("s", "runc", "shim", "containerd", NS)
                  and not f.startswith(GONE)}
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
            os.readlink(d + "/exe") # fails for the kernel's own
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


def clean(before):
    """Ends all tasks; what went wrong with that."""
    bad = []
    for t in reversed(Task.every):
        try:
            t.end()
        except Exception as e:  # pylint: disable=broad-except
            bad.append("end of %s: %s: %s" % (t.id, type(e).__name__, e))
    bad += EVENTS.judge(oom=OURS)
    rest = left(before)
    bad += ["left behind: " + r for r in rest]
    for name, pid in processes().items():
        if name in rest and alive(pid):
            os.kill(pid, KILL)
    for t in Task.every:
        shutil.rmtree(t.bundle, ignore_errors=True) if not any(t.bundle in m for m in mountinfo()) else None
    return bad


def show():
    """What helps to understand a failure."""
    for t in Task.every:
        print("-- %s: pid %d, shim %d, events: %s" % (t.id, t.pid, t.shim, ", ".join(EVENTS.said(t.id))))
        print(t.log.decode(errors="replace")[-3000:])


def main():
    global EVENTS, FIFOS  # pylint: disable=global-statement
    source = sys.stdin.read()
    linecache.cache["the test"] = (len(source), None, source.splitlines(True), "the test")
    for d in ("/bundles", "/tmp"):
        os.makedirs(IT + d, exist_ok=True)
    before = traces() | set(processes())
    FIFOS = tempfile.mkdtemp(prefix="fifos-", dir=IT)
    EVENTS = Receiver(IT + "/d%d/sock.ttrpc" % os.getpid())
    EVENTS.path = EVENTS.server.path.removesuffix(".ttrpc")
    bad = False
    try:
        exec(compile(source, "the test", "exec"), dict(globals()))  # pylint: disable=exec-used
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        bad = True
    for what in clean(before):
        print(what)
        bad = True
    if bad:
        show()
    sys.stdout.flush()
    os._exit(bad)


if __name__ == "__main__":
    main()
