"""client.py: runs the test on its standard input (Python statements) against the daemon of $BERTHD, with
everything below in its names; then ends the daemon, and fails if that is not well.

    Namespaces.Create(namespace={"name": "a"})          in the namespace "it"; the answer
    Containers.List(ns="other", filters=["id==x"])
    fails(NOT_FOUND, 'lease "x": not found', Leases.Delete, id="x")
    for c in Containers.ListStream(): ...               a stream

Environment: BERTHD (or containerd's own daemon, from which what the tests expect was learnt), IT (a directory of
our own, on a tmpfs), IT_OUT (the compiled messages in api), IT_CG (cgroups below it), SHIM, SHIMS (berthd's setting), NO_SHIM (set: the
setting is true; then `berth` is to be in PATH).
"""
import json
import linecache
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

sys.path[:0] = [os.environ["IT_OUT"] + "/api", os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
# pylint: disable=wrong-import-position,wrong-import-order,import-error
import grpc
import containers_pb2
import events_pb2
import health_pb2
import leases_pb2
import missed_pb2
import namespaces_pb2
import plugins_pb2
import resource_events_pb2
import subscribe_pb2
import tasks_pb2
import version_pb2
import wellknown_pb2
from expect import eq, within, until, trapped

BERTHD, IT, IT_OUT = (os.environ[k] for k in ("BERTHD", "IT", "IT_OUT"))
OURS = "containerd" not in os.path.basename(BERTHD)
NS = "it"
(CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED,
 FAILED_PRECONDITION, UNIMPLEMENTED, UNAVAILABLE) = (getattr(grpc.StatusCode, k) for k in (
     "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS RESOURCE_EXHAUSTED "
     "FAILED_PRECONDITION UNIMPLEMENTED UNAVAILABLE").split())

# service, module of the messages, and its methods: name, request, answer; * a stream of them
SERVICES = """
containerd.services.version.v1.Version version Version:-:VersionResponse
grpc.health.v1.Health health Check:HealthCheckRequest:HealthCheckResponse
containerd.services.introspection.v1.Introspection plugins Plugins:PluginsRequest:PluginsResponse
 Server:-:ServerResponse
containerd.services.namespaces.v1.Namespaces namespaces Get:GetNamespaceRequest:GetNamespaceResponse
 List:ListNamespacesRequest:ListNamespacesResponse Create:CreateNamespaceRequest:CreateNamespaceResponse
 Update:UpdateNamespaceRequest:UpdateNamespaceResponse Delete:DeleteNamespaceRequest:-
containerd.services.leases.v1.Leases leases Create:CreateRequest:CreateResponse Delete:DeleteRequest:-
 List:ListRequest:ListResponse AddResource:AddResourceRequest:- DeleteResource:DeleteResourceRequest:-
 ListResources:ListResourcesRequest:ListResourcesResponse
containerd.services.containers.v1.Containers containers Get:GetContainerRequest:GetContainerResponse
 List:ListContainersRequest:ListContainersResponse ListStream:ListContainersRequest:*ListContainerMessage
 Create:CreateContainerRequest:CreateContainerResponse Update:UpdateContainerRequest:UpdateContainerResponse
 Delete:DeleteContainerRequest:-
containerd.services.tasks.v1.Tasks tasks Create:CreateTaskRequest:CreateTaskResponse Start:StartRequest:StartResponse
 Delete:DeleteTaskRequest:DeleteResponse DeleteProcess:DeleteProcessRequest:DeleteResponse Get:GetRequest:GetResponse
 List:ListTasksRequest:ListTasksResponse Kill:KillRequest:- Exec:ExecProcessRequest:- ResizePty:ResizePtyRequest:-
 CloseIO:CloseIORequest:- Pause:PauseTaskRequest:- Resume:ResumeTaskRequest:-
 ListPids:ListPidsRequest:ListPidsResponse Checkpoint:CheckpointTaskRequest:CheckpointTaskResponse
 Update:UpdateTaskRequest:- Metrics:MetricsRequest:MetricsResponse Wait:WaitRequest:WaitResponse
containerd.services.events.v1.Events subscribe Publish:PublishRequest:- Subscribe:SubscribeRequest:*Envelope
 Forward:ForwardRequest:-
"""


# ---- the daemon ----------------------------------------------------------------

class Daemon:
    """One of $BERTHD with directories of its own."""
    address = IT + "/d/daemon.sock"

    def __init__(self):
        self.process = self.channel = None
        self.program, self.env, self.fds = [BERTHD], {}, () # besides ours
        os.makedirs(IT + "/d", exist_ok=True)
        if OURS:
            self.args = ["--config", IT + "/d/config"]
            config = json.dumps({
                "root": IT + "/d/root", "address": self.address,
                **({"shims": json.loads(os.environ["SHIMS"])} if "SHIMS" in os.environ else {}),
                **({"no_shim": True} if "NO_SHIM" in os.environ else {}),
                "engine": {"state": IT + "/d/state", "cgroup_parent": os.environ["IT_CG"],
                           "shim": os.environ.get("SHIM", "")},
            })
        else:
            self.args = ["--config", IT + "/d/config"]
            config = ('version = 2\nroot = "%s"\nstate = "%s"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                      '[grpc]\naddress = "%s"\n[ttrpc]\naddress = "%s"\n' % (
                          IT + "/d/root", IT + "/d/state", self.address, self.address + ".ttrpc"))
        with open(IT + "/d/config", "w") as f:
            f.write(config)

    def start(self):
        with open(IT_OUT + "/daemon.log", "ab") as log:
            self.process = subprocess.Popen([*self.program, *self.args], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **self.env}, pass_fds=self.fds)
        # Before that gRPC would wait for seconds until it tries again.
        until(self._listens, 30, "the daemon does not begin")
        self.channel = grpc.insecure_channel("unix:" + self.address,
                                             [("grpc.use_local_subchannel_pool", 1), # and no pause of an earlier one
                                              ("grpc.initial_reconnect_backoff_ms", 20),
                                              # how long one attempt may take, too: on a busy machine not 20
                                              ("grpc.min_reconnect_backoff_ms", 2000),
                                              ("grpc.max_reconnect_backoff_ms", 100),
                                              ("grpc.max_receive_message_length", -1),
                                              ("grpc.max_send_message_length", -1)])
        try:
            until(self._serves, 30, "the daemon does not answer")
        except AssertionError:
            for t in os.listdir("/proc/%d/task" % self.process.pid):
                for name in "syscall", "stack", "status", "cmdline":
                    with open("/proc/%d/task/%s/%s" % (self.process.pid, t, name)) as f:
                        print(t, name, f.read())
            raise
        return self

    def configure(self, **changes):
        """Members of the configuration, from the next start on."""
        with open(self.args[1]) as f:
            c = json.load(f)
        c["engine"].update(changes.pop("engine", {}))
        c.update(changes)
        with open(self.args[1], "w") as f:
            json.dump(c, f)

    def refuses(self, *words):
        """It does not begin, and says these words."""
        r = subprocess.run([BERTHD, *self.args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=20, env={**os.environ, **self.env}, check=False)
        said = r.stdout.decode(errors="replace")
        eq((r.returncode, [w for w in words if w not in said] and said), (1, []))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def cpu(self):
        """Seconds."""
        with open("/proc/%d/stat" % self.process.pid) as f:
            v = f.read().rpartition(")")[2].split()
        return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError("the daemon has ended: %d" % self.process.returncode)
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.address) == 0

    def _serves(self):
        try:
            self.channel.unary_unary("/containerd.services.version.v1.Version/Version")(b"", timeout=10)
            return True
        except grpc.RpcError:
            return False

    def stop(self, sig=signal.SIGTERM):
        """Its exit code."""
        while Events_.every:
            Events_.every.pop().call.cancel()
        self.channel.close()
        self.process.send_signal(sig)
        self.process.wait(60)
        return self.process.returncode

    @staticmethod
    def _kill_all():
        for t in Tasks.List().tasks:
            if t.status != STOPPED:
                Tasks.Kill(container_id=t.id, signal=9, all=True)
                Tasks.Wait(container_id=t.id)
            Tasks.Delete(container_id=t.id)

    def stop_all(self):
        """Tasks and daemon: their directories are to go."""
        if self.process and self.process.poll() is None:
            self._kill_all()
            self.stop()

    def end(self):
        bad = []
        try:
            if self.process and self.process.poll() is None:
                bad += ["task %s is left" % t.id for t in Tasks.List().tasks]
                self._kill_all()
        except grpc.RpcError as e:
            bad.append("the daemon says %s" % e)
        if self.process and self.process.poll() is None and self.stop() not in (0,):
            bad.append("the daemon ends with %d" % self.process.returncode)
        shutil.rmtree(IT + "/d", ignore_errors=True)
        return bad


class Service:
    def __init__(self, name, module, methods):
        self.name, self.methods = name, {}
        for m in methods:
            method, request, answer = m.split(":")
            self.methods[method] = (self._type(module, request), self._type(module, answer.lstrip("*")),
                                    answer.startswith("*"))

    @staticmethod
    def _type(module, name):
        if name == "-":
            return wellknown_pb2.Empty
        return getattr(module if hasattr(module, name) else events_pb2, name)

    def __getattr__(self, method):
        if method not in self.methods:
            raise AttributeError(method)
        request, answer, stream = self.methods[method]

        def call(ns=NS, timeout=30, later=False, **fields):
            c = (DAEMON.channel.unary_stream if stream else DAEMON.channel.unary_unary)(
                "/%s/%s" % (self.name, method), request.SerializeToString, answer.FromString)
            metadata = [("containerd-namespace", ns)] if ns is not None else []
            m = request(**fields)
            if stream:
                return c(m, metadata=metadata, timeout=None)
            return (c.future if later else c)(m, metadata=metadata, timeout=timeout)
        return call


def services():
    """The services by their last names."""
    found, line = {}, ""
    for more in SERVICES.strip().split("\n") + [""]:
        if more.startswith(" "):
            line += more
            continue
        if line:
            name, module, *methods = line.split()
            found[name.rsplit(".", 1)[1]] = Service(name, globals()[module + "_pb2"], methods)
        line = more
    return found


globals().update(services())


def raw(path, body=b"", ns=NS, stream=False):
    """A call of bytes: the answer's."""
    kind = DAEMON.channel.unary_stream if stream else DAEMON.channel.unary_unary
    c = kind(path, lambda b: b, lambda b: b)
    r = c(body, metadata=[("containerd-namespace", ns)] if ns else [], timeout=30)
    return list(r) if stream else r


def fails(code, words, call, *args, **fields):
    """The call fails so: the words whole; None: any."""
    try:
        r = call(*args, **fields)
        if hasattr(r, "__next__"):
            list(r)
    except grpc.RpcError as e:
        eq((e.code(), e.details() if words is not None else None), (code, words))
        return
    raise AssertionError("no failure: %s, %s" % (code, words))


# ---- events --------------------------------------------------------------------

class Events_:
    """What a subscriber gets. It is one when this returns."""
    every = []

    def __init__(self, *filters):
        self.queue = queue.Queue()
        self.call = Events.Subscribe(filters=list(filters) + ["topic~=^/it/"] if filters else [])
        Events_.every.append(self)
        threading.Thread(target=self._read, daemon=True).start()
        while self.queue.empty():
            if self.call.done():
                raise AssertionError("no subscription: %s" % self.call.details())
            Events.Publish(topic="/it/ready", event={"type_url": "x"})
            time.sleep(0.01)

    def _read(self):
        try:
            for e in self.call:
                self.queue.put(e)
        except grpc.RpcError:
            pass

    def next(self, timeout=30):
        while True:
            e = self.queue.get(timeout=timeout)
            if e.topic != "/it/ready":
                return e

    def expect(self, topic, type_=None, ns=NS, **fields):
        """The next one is this; its body."""
        e = self.next()
        eq((e.topic, e.namespace), (topic, ns))
        if type_ is None:
            return e
        eq(e.event.type_url, type_.DESCRIPTOR.full_name)
        m = type_.FromString(e.event.value)
        for k, v in fields.items():
            eq(dict(getattr(m, k)) if isinstance(v, dict) else getattr(m, k), v)
        return m

    def nothing(self):
        """No more than there was: a mark is the next."""
        Events.Publish(topic="/it/mark", event={"type_url": "x"})
        eq(self.next().topic, "/it/mark")


Any = wellknown_pb2.Any # for maps, which take no dict


def container(id, **fields):
    return {"id": id, "runtime": {"name": "io.containerd.runc.v2"}, "spec": {"type_url": "spec", "value": b"{}"},
            **fields}


# ---- tasks ---------------------------------------------------------------------

CREATED, RUNNING, STOPPED, PAUSED = 1, 2, 3, 4


def args_of(pid):
    """The words of its command line; none of one that has just ended."""
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return []


def shims(t):
    """The shim of the task, unless it has ended; as long as it comes up or does something there may be several."""
    every = {int(p): args_of(p) for p in os.listdir("/proc") if p.isdigit()}
    return [p for p, a in every.items() if b"-id" in a and a[a.index(b"-id") + 1] == t.id.encode()]


def shim(t):
    return until(lambda: len(shims(t)) == 1 and shims(t), say="shims of %s: %s" % (t.id, shims(t)))[0]


def config(id, *args, change=None):
    """A config.json for a container of our root file system."""
    with open(IT_OUT + "/base.json") as f:
        c = json.load(f)
    c["process"].update(terminal=False, args=list(args or ["sleep", "1000"]))
    c["root"] = {"path": IT_OUT + "/rootfs"}
    c["linux"]["cgroupsPath"] = os.environ["IT_CG"] + "/" + id
    if change:
        change(c)
    return {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": json.dumps(c).encode()}


def program(*args):
    """What is executed in a container that runs."""
    return {"value": json.dumps({"args": args, "cwd": "/", "env": ["PATH=/bin"]}).encode()}


class Task:
    """A container and its task: Task("sh", "-c", "exit 3").run(). Task.SomeMethod(fields) is a call about it."""
    number = 0

    def __init__(self, *args, id=None, change=None, **fields):
        Task.number += 1
        self.id, self.pid = id or "t%d" % Task.number, 0
        Containers.Create(container=container(self.id, **{"spec": config(self.id, *args, change=change), **fields}))

    def __getattr__(self, method):
        call = getattr(Tasks, method)
        return lambda **fields: call(container_id=self.id, **fields)

    def create(self, **fields):
        self.pid = self.Create(**fields).pid
        return self

    def run(self, **fields):
        self.create(**fields)
        eq(self.Start().pid, self.pid)
        return self

    def status(self, **fields):
        return self.Get(**fields).process.status

    def kill(self):
        """Its exit status."""
        self.Kill(signal=9)
        return self.Wait().exit_status

    def remove(self):
        self.Delete()
        Containers.Delete(id=self.id)


DAEMON = Daemon()


def main():
    source = sys.stdin.read()
    linecache.cache["the test"] = (len(source), None, source.splitlines(True), "the test")
    bad = False
    try:
        DAEMON.start()
        exec(compile(source, "the test", "exec"), dict(globals()))  # pylint: disable=exec-used
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        bad = True
    for what in DAEMON.end():
        print(what)
        bad = True
    if bad:
        with open(IT_OUT + "/daemon.log", errors="replace") as f:
            print("-- the daemon:\n" + f.read()[-4000:])
    sys.stdout.flush()
    os._exit(bad)


if __name__ == "__main__":
    main()
