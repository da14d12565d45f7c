"""libberth from Python, by ctypes alone: the functions of computecore.h as they
are, and a few words on top for tests (System, Process, run(), eq()).

A test is written to the standard input of this file and runs with these names:

    s = System.create("c1")
    s.start()
    p = s.process("sh", "-c", "exit 5")
    eq(p.wait()["ExitCode"], 5)
"""
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

C = ctypes.CDLL(os.environ["LIBBERTH"])
HRESULT, HANDLE, TEXT = ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p
OUT = ctypes.POINTER(ctypes.c_void_p)
INFINITE = 0xFFFFFFFF
GENERIC_ALL = 0x10000000


class EVENT(ctypes.Structure):
    _fields_ = [("Type", ctypes.c_int), ("EventData", ctypes.c_char_p), ("Operation", HANDLE)]


class PROCESS_INFORMATION(ctypes.Structure):
    _fields_ = [("ProcessId", ctypes.c_uint32), ("Reserved", ctypes.c_uint32), ("StdInput", ctypes.c_int),
                ("StdOutput", ctypes.c_int), ("StdError", ctypes.c_int)]


COMPLETION = ctypes.CFUNCTYPE(None, HANDLE, HANDLE)
EVENT_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.POINTER(EVENT), HANDLE)
LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, HANDLE)


class CREATE_OPTIONS(ctypes.Structure):
    _fields_ = [("Version", ctypes.c_int), ("UserToken", ctypes.c_int), ("SecurityDescriptor", HANDLE),
                ("CallbackOptions", ctypes.c_int), ("CallbackContext", HANDLE), ("Callback", EVENT_CALLBACK),
                ("Lifetime", ctypes.c_int), ("Reserved", ctypes.c_uint32 * 7)]


def declare(result, name, *args):
    f = getattr(C, name)
    f.restype, f.argtypes = result, args
    globals()[name] = f


declare(HANDLE, "HcsCreateOperation", HANDLE, COMPLETION)
declare(HANDLE, "HcsCreateOperationWithNotifications", ctypes.c_int, HANDLE, EVENT_CALLBACK)
for name in ("HcsCloseOperation", "HcsCloseComputeSystem", "HcsCloseProcess", "HcsFree"):
    declare(None, name, HANDLE)
for name in ("HcsGetOperationContext", "HcsGetComputeSystemFromOperation", "HcsGetProcessFromOperation"):
    declare(HANDLE, name, HANDLE)
declare(HRESULT, "HcsSetOperationContext", HANDLE, HANDLE)
declare(ctypes.c_int, "HcsGetOperationType", HANDLE)
declare(ctypes.c_uint64, "HcsGetOperationId", HANDLE)
declare(HRESULT, "HcsGetOperationResult", HANDLE, OUT)
declare(HRESULT, "HcsGetOperationResultAndProcessInfo", HANDLE, ctypes.POINTER(PROCESS_INFORMATION), OUT)
declare(HRESULT, "HcsWaitForOperationResult", HANDLE, ctypes.c_uint32, OUT)
declare(HRESULT, "HcsWaitForOperationResultAndProcessInfo", HANDLE, ctypes.c_uint32,
        ctypes.POINTER(PROCESS_INFORMATION), OUT)
declare(HRESULT, "HcsSetOperationCallback", HANDLE, HANDLE, COMPLETION)
declare(HRESULT, "HcsCancelOperation", HANDLE)
declare(HRESULT, "HcsGetOperationProperties", HANDLE, TEXT, OUT)
declare(HRESULT, "HcsAddResourceToOperation", HANDLE, ctypes.c_int, TEXT, ctypes.c_int)
declare(HRESULT, "HcsEnumerateComputeSystems", TEXT, HANDLE)
declare(HRESULT, "HcsEnumerateComputeSystemsInNamespace", TEXT, TEXT, HANDLE)
declare(HRESULT, "HcsCreateComputeSystem", TEXT, TEXT, HANDLE, HANDLE, OUT)
declare(HRESULT, "HcsCreateComputeSystemInNamespace", TEXT, TEXT, TEXT, HANDLE, ctypes.POINTER(CREATE_OPTIONS), OUT)
declare(HRESULT, "HcsOpenComputeSystem", TEXT, ctypes.c_uint32, OUT)
declare(HRESULT, "HcsOpenComputeSystemInNamespace", TEXT, TEXT, ctypes.c_uint32, OUT)
for name in ("HcsStartComputeSystem", "HcsShutDownComputeSystem", "HcsTerminateComputeSystem",
             "HcsCrashComputeSystem", "HcsPauseComputeSystem", "HcsResumeComputeSystem", "HcsSaveComputeSystem",
             "HcsGetComputeSystemProperties", "HcsDeleteComputeSystem", "HcsTerminateProcess", "HcsSignalProcess",
             "HcsGetProcessProperties", "HcsModifyProcess", "HcsInitializeLiveMigrationOnSource",
             "HcsStartLiveMigrationOnSource", "HcsStartLiveMigrationTransfer", "HcsFinalizeLiveMigration",
             "HcsCancelLiveMigration"):
    declare(HRESULT, name, HANDLE, HANDLE, TEXT)
declare(HRESULT, "HcsModifyComputeSystem", HANDLE, HANDLE, TEXT, ctypes.c_int)
declare(HRESULT, "HcsWaitForComputeSystemExit", HANDLE, ctypes.c_uint32, OUT)
declare(HRESULT, "HcsSetComputeSystemCallback", HANDLE, ctypes.c_int, HANDLE, EVENT_CALLBACK)
declare(HRESULT, "HcsKeepComputeSystem", HANDLE)
declare(HRESULT, "HcsCreateProcess", HANDLE, TEXT, HANDLE, HANDLE, OUT)
declare(HRESULT, "HcsOpenProcess", HANDLE, ctypes.c_uint32, ctypes.c_uint32, OUT)
declare(HRESULT, "HcsGetProcessInfo", HANDLE, HANDLE)
declare(HRESULT, "HcsSetProcessCallback", HANDLE, ctypes.c_int, HANDLE, EVENT_CALLBACK)
declare(HRESULT, "HcsWaitForProcessExit", HANDLE, ctypes.c_uint32, OUT)
declare(HRESULT, "HcsGetServiceProperties", TEXT, OUT)
declare(HRESULT, "HcsModifyServiceSettings", TEXT, OUT)
declare(HRESULT, "HcsGetDispatchFd", ctypes.POINTER(ctypes.c_int))
declare(HRESULT, "HcsDispatch", ctypes.c_uint32)
declare(HRESULT, "HcsStartDispatchThread")
declare(HRESULT, "HcsStopDispatchThread")
for name in ("HcsGetOperationFd", "HcsGetComputeSystemFd", "HcsGetProcessFd"):
    declare(HRESULT, name, HANDLE, ctypes.POINTER(ctypes.c_int))
declare(HRESULT, "HcsValidateConfiguration", TEXT, OUT)
declare(HRESULT, "HcsGetLastResult", OUT)
declare(TEXT, "HcsResultToName", HRESULT)
declare(TEXT, "HcsResultToString", HRESULT)
declare(HRESULT, "HcsSetServiceCallback", ctypes.c_int, HANDLE, EVENT_CALLBACK)
declare(HRESULT, "HcsSetLogCallback", LOG_CALLBACK, HANDLE, ctypes.c_int)


# ---- words ---------------------------------------------------------------------

def name_of(hr):
    name = HcsResultToName(hr)
    return name.decode() if name else "0x%08x" % (hr & 0xFFFFFFFF)


class Failed(Exception):
    def __init__(self, what, hr, document=None):
        super().__init__("%s: %s: %s" % (what, name_of(hr), json.dumps(document)))
        self.name, self.hr, self.document = name_of(hr), hr, document or {}


def taken(out):
    """The text behind a char **, which is freed."""
    if not out.value:
        return None
    text = ctypes.string_at(out.value).decode()
    HcsFree(out)
    return text


def document(text):
    return json.loads(text) if text else None


def last():
    out = ctypes.c_void_p()
    HcsGetLastResult(ctypes.byref(out))
    return document(taken(out))


def check(what, hr, doc=None):
    if hr < 0:
        raise Failed(what, hr, doc if doc is not None else last())
    return doc


def encoded(doc):
    if doc is None or isinstance(doc, bytes):
        return doc
    return doc.encode() if isinstance(doc, str) else json.dumps(doc).encode()


class Operation:
    def __init__(self, callback=None, handle=None):
        self.callback = COMPLETION(callback) if callback else COMPLETION()
        self.handle = handle or HcsCreateOperation(None, self.callback)
        assert self.handle

    def wait(self, ms=60000):
        out = ctypes.c_void_p()
        hr = HcsWaitForOperationResult(self.handle, ms, ctypes.byref(out))
        return check("wait", hr, document(taken(out)))

    def wait_info(self, ms=60000):
        out, info = ctypes.c_void_p(), PROCESS_INFORMATION()
        hr = HcsWaitForOperationResultAndProcessInfo(self.handle, ms, ctypes.byref(info), ctypes.byref(out))
        check("wait", hr, document(taken(out)))
        return info

    def result(self):
        out = ctypes.c_void_p()
        hr = HcsGetOperationResult(self.handle, ctypes.byref(out))
        return hr, document(taken(out))

    def properties(self):
        out = ctypes.c_void_p()
        check("properties", HcsGetOperationProperties(self.handle, None, ctypes.byref(out)))
        return document(taken(out))

    def cancel(self):
        return check("cancel", HcsCancelOperation(self.handle))

    def fd(self):
        fd = ctypes.c_int(-1)
        check("fd", HcsGetOperationFd(self.handle, ctypes.byref(fd)))
        return fd.value

    def close(self):
        if self.handle:
            HcsCloseOperation(self.handle)
            self.handle = None

    __del__ = close


def begin(f, *args):
    op = Operation()
    check(f.__name__, f(*[op.handle if a is Operation else a for a in args]))
    return op


ROOTFS = os.environ.get("HCS_ROOTFS", "/")


def container(**more):
    return {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1},
            "Container": {"Storage": {"Path": ROOTFS}, **more}}


def oci(*args, **more):
    """A system that brings its own command."""
    with open(os.environ["IT_OUT"] + "/base.json") as f:
        c = json.load(f)
    c["process"].update(args=list(args), terminal=more.pop("terminal", False))
    c["root"]["path"] = ROOTFS
    c["linux"].pop("cgroupsPath", None)
    c["annotations"] = more.pop("annotations", {})
    return {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1},
            "HostedSystem": {"SchemaVersion": {"Major": 2, "Minor": 1}, "OciSpecification": c}}


class System:
    all = []

    def __init__(self, handle, id=None):
        self.handle, self.id, self.events, self.callback = handle, id, [], None
        System.all.append(self)

    @classmethod
    def begin_create(cls, id, doc=None, ns=None, keep=False, callback=None, options=0):
        op, out = Operation(), ctypes.c_void_p()
        cb = EVENT_CALLBACK(callback) if callback else EVENT_CALLBACK()
        o = CREATE_OPTIONS(0x00BE0001, -1, None, options, None, cb, 1 if keep else 0)
        hr = HcsCreateComputeSystemInNamespace(encoded(ns), id.encode(), encoded(doc or container()), op.handle,
                                               ctypes.byref(o), ctypes.byref(out))
        check("HcsCreateComputeSystem", hr)
        s = cls(out.value, id)
        s.created_callback = cb
        return s, op

    @classmethod
    def create(cls, id, doc=None, **more):
        s, op = cls.begin_create(id, doc, **more)
        try:
            op.wait()
        except Failed:
            s.close()
            raise
        return s

    @classmethod
    def open(cls, id, ns=None):
        out = ctypes.c_void_p()
        check("HcsOpenComputeSystem", HcsOpenComputeSystemInNamespace(encoded(ns), id.encode(), GENERIC_ALL,
                                                                      ctypes.byref(out)))
        return cls(out.value, id)

    @classmethod
    def running(cls, id, doc=None, **more):
        s = cls.create(id, doc, **more)
        s.start()
        return s

    def begin(self, what, doc=None):
        return begin(globals()["Hcs" + what + "ComputeSystem"], self.handle, Operation, encoded(doc))

    def do(self, what, doc=None):
        return self.begin(what, doc).wait()

    def start(self):
        return self.do("Start")

    def shutdown(self, doc=None):
        return self.do("ShutDown", doc)

    def terminate(self):
        return self.do("Terminate")

    def pause(self):
        return self.do("Pause")

    def resume(self):
        return self.do("Resume")

    def delete(self):
        return self.do("Delete")

    def modify(self, doc):
        return begin(HcsModifyComputeSystem, self.handle, Operation, encoded(doc), -1).wait()

    def properties(self, *types, **more):
        q = {"PropertyTypes": list(types), **more} if types or more else None
        return begin(HcsGetComputeSystemProperties, self.handle, Operation, encoded(q)).wait()

    def state(self):
        return self.properties()["State"]

    def wait(self, ms=60000):
        out = ctypes.c_void_p()
        hr = HcsWaitForComputeSystemExit(self.handle, ms, ctypes.byref(out))
        return check("HcsWaitForComputeSystemExit", hr, document(taken(out)))

    def listen(self, options=0, fn=None):
        """Its events go to self.events."""
        def on_event(event, _):
            e = event.contents
            self.events.append((e.Type, document(e.EventData.decode() if e.EventData else None), e.Operation))
            if fn:
                fn(e)
        self.callback = EVENT_CALLBACK(on_event)
        check("HcsSetComputeSystemCallback",
              HcsSetComputeSystemCallback(self.handle, options, None, self.callback))

    def fd(self):
        fd = ctypes.c_int(-1)
        check("fd", HcsGetComputeSystemFd(self.handle, ctypes.byref(fd)))
        return fd.value

    def begin_process(self, doc, op=None):
        op, out = op or Operation(), ctypes.c_void_p()
        check("HcsCreateProcess", HcsCreateProcess(self.handle, encoded(doc), op.handle, None, ctypes.byref(out)))
        return Process(out.value), op

    def process(self, *args, pipes="oe", **more):
        doc = {"CommandArgs": list(args), "Environment": {"PATH": "/bin:/usr/bin:/sbin"},
               "CreateStdInPipe": "i" in pipes, "CreateStdOutPipe": "o" in pipes, "CreateStdErrPipe": "e" in pipes,
               **more}
        if not args:
            doc.pop("CommandArgs")
            if "CommandLine" not in more:
                doc.pop("Environment")
        p, op = self.begin_process(doc)
        try:
            p.take(op.wait_info())
        except Failed:
            p.close()
            raise
        return p

    def open_process(self, pid):
        out = ctypes.c_void_p()
        check("HcsOpenProcess", HcsOpenProcess(self.handle, pid, GENERIC_ALL, ctypes.byref(out)))
        p = Process(out.value)
        p.pid = pid
        return p

    def close(self):
        if self.handle:
            HcsCloseComputeSystem(self.handle)
            self.handle = None
            System.all.remove(self)


class Process:
    def __init__(self, handle):
        self.handle, self.pid, self.stdin, self.stdout, self.stderr, self.events = handle, 0, -1, -1, -1, []

    def take(self, info):
        self.pid, self.stdin, self.stdout, self.stderr = info.ProcessId, info.StdInput, info.StdOutput, info.StdError

    def wait(self, ms=60000):
        out = ctypes.c_void_p()
        hr = HcsWaitForProcessExit(self.handle, ms, ctypes.byref(out))
        return check("HcsWaitForProcessExit", hr, document(taken(out)))

    def begin(self, what, doc=None):
        return begin(globals()["Hcs" + what + "Process"], self.handle, Operation, encoded(doc))

    def signal(self, n):
        return self.begin("Signal", {"Signal": n}).wait()

    def terminate(self):
        return self.begin("Terminate").wait()

    def modify(self, doc):
        return self.begin("Modify", doc).wait()

    def properties(self):
        return begin(HcsGetProcessProperties, self.handle, Operation, None).wait()

    def info(self):
        return begin(HcsGetProcessInfo, self.handle, Operation).wait_info()

    def fd(self):
        fd = ctypes.c_int(-1)
        check("fd", HcsGetProcessFd(self.handle, ctypes.byref(fd)))
        return fd.value

    def listen(self, options=0):
        def on_event(event, _):
            e = event.contents
            self.events.append((e.Type, document(e.EventData.decode() if e.EventData else None)))
        self.callback = EVENT_CALLBACK(on_event)
        check("HcsSetProcessCallback", HcsSetProcessCallback(self.handle, options, None, self.callback))

    def output(self):
        """All that it writes, until it closes its end."""
        data = b""
        while True:
            try:
                part = os.read(self.stdout, 65536)
            except OSError:  # the other end of a terminal is closed
                part = b""
            if not part:
                return data.decode()
            data += part

    def close(self):
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = -1
        if self.handle:
            HcsCloseProcess(self.handle)
            self.handle = None


def enumerate_systems(query=None, ns=None):
    return begin(HcsEnumerateComputeSystemsInNamespace, encoded(ns), encoded(query), Operation).wait()


def service(query=None):
    out = ctypes.c_void_p()
    check("HcsGetServiceProperties", HcsGetServiceProperties(encoded(query), ctypes.byref(out)))
    return document(taken(out))


def validate(doc):
    out = ctypes.c_void_p()
    hr = HcsValidateConfiguration(encoded(doc), ctypes.byref(out))
    return name_of(hr), document(taken(out))


# ---- for tests -------------------------------------------------------------------

def eq(a, b):
    assert a == b, "%r is not %r" % (a, b)


def fails(name, f, *args, **more):
    """f(...) fails with this code; its ResultError."""
    try:
        f(*args, **more)
    except Failed as e:
        assert e.name == name, "%s is not %s: %s" % (e.name, name, e)
        return e.document
    raise AssertionError("it did not fail with " + name)


def until(what, f, seconds=60):
    end = time.monotonic() + seconds
    while not f():
        assert time.monotonic() < end, "it never came to this: %s" % (what() if callable(what) else what)
        HcsDispatch(20)


def trapped(system, sig):
    """Until its first process has come so far that it catches, or ignores, this signal."""
    def mask():
        pid = min(d["ProcessId"] for d in system.properties("ProcessList")["ProcessList"])
        with open("/proc/%d/status" % pid) as f:
            lines = dict(line.split(":", 1) for line in f)
        return int(lines["SigCgt"], 16) | int(lines["SigIgn"], 16)
    until("it catches signal %d" % sig, lambda: mask() >> (sig - 1) & 1)


def fds():
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    code = compile(sys.stdin.read(), "<test>", "exec")
    try:
        exec(code, globals())
    finally:
        for s in list(System.all):
            try:
                s.terminate()
            except (Failed, KeyError):
                pass
            s.close()
        sys.stdout.flush()
