#!/usr/bin/python3
"""hello.py ROOTFS: the same as hello.c, in Python by ctypes: no module to build.

The library is asked for by its soname, so it is found where the linker finds it
(LD_LIBRARY_PATH, ldconfig).
"""
import ctypes
import json
import os
import sys

hcs = ctypes.CDLL("libberth.so.0")
INFINITE = 0xFFFFFFFF


class ProcessInformation(ctypes.Structure):
    _fields_ = [("ProcessId", ctypes.c_uint32), ("Reserved", ctypes.c_uint32),
                ("StdInput", ctypes.c_int), ("StdOutput", ctypes.c_int), ("StdError", ctypes.c_int)]


# Handles are pointers; what is not declared would be cut to an int.
P, S = ctypes.c_void_p, ctypes.c_char_p
for name, result, arguments in [
        ("HcsCreateOperation", P, [P, P]),
        ("HcsCloseOperation", None, [P]),
        ("HcsGetOperationResult", ctypes.c_int32, [P, ctypes.POINTER(P)]),
        ("HcsWaitForOperationResult", ctypes.c_int32, [P, ctypes.c_uint32, ctypes.POINTER(P)]),
        ("HcsGetOperationResultAndProcessInfo", ctypes.c_int32,
         [P, ctypes.POINTER(ProcessInformation), ctypes.POINTER(P)]),
        ("HcsCreateComputeSystem", ctypes.c_int32, [S, S, P, P, ctypes.POINTER(P)]),
        ("HcsStartComputeSystem", ctypes.c_int32, [P, P, S]),
        ("HcsTerminateComputeSystem", ctypes.c_int32, [P, P, S]),
        ("HcsCloseComputeSystem", None, [P]),
        ("HcsCreateProcess", ctypes.c_int32, [P, S, P, P, ctypes.POINTER(P)]),
        ("HcsWaitForProcessExit", ctypes.c_int32, [P, ctypes.c_uint32, ctypes.POINTER(P)]),
        ("HcsCloseProcess", None, [P]),
        ("HcsResultToString", S, [ctypes.c_int32]),
        ("HcsFree", None, [P])]:
    function = getattr(hcs, name)
    function.restype, function.argtypes = result, arguments


def take(pointer):
    """A result document, as a str; given back."""
    text = ctypes.cast(pointer, S).value.decode() if pointer else ""
    hcs.HcsFree(pointer)
    return text


def check(what, result, document=""):
    if result < 0:
        raise OSError("%s: %s\n%s" % (what, hcs.HcsResultToString(result).decode(), document))


class Operation:
    """One call, waited for: `with Operation() as op: op.finish("start", hcs.HcsStart...)`"""
    def __enter__(self):
        self.handle = hcs.HcsCreateOperation(None, None)
        return self

    def __exit__(self, *_):
        hcs.HcsCloseOperation(self.handle)

    def finish(self, what, result):
        document = P()
        if result >= 0:
            result = hcs.HcsWaitForOperationResult(self.handle, INFINITE, ctypes.byref(document))
        else:
            hcs.HcsGetOperationResult(self.handle, ctypes.byref(document))
        check(what, result, take(document))


def run(rootfs):
    configuration = {
        "SchemaVersion": {"Major": 2, "Minor": 1}, "Owner": "hello.py",
        "ShouldTerminateOnLastHandleClosed": True,
        "Container": {"GuestOs": {"HostName": "hello"}, "Storage": {"Path": rootfs}}}
    parameters = {
        "CommandArgs": ["echo", "hello from Python"], "CreateStdOutPipe": True,
        "Environment": {"PATH": "/bin:/usr/bin"}}
    system, process, info, status = P(), P(), ProcessInformation(), P()
    with Operation() as op:
        op.finish("create", hcs.HcsCreateComputeSystem(b"hello.py", json.dumps(configuration).encode(),
                                                       op.handle, None, ctypes.byref(system)))
    with Operation() as op:
        op.finish("start", hcs.HcsStartComputeSystem(system, op.handle, None))
    with Operation() as op:
        op.finish("start a process", hcs.HcsCreateProcess(system, json.dumps(parameters).encode(),
                                                          op.handle, None, ctypes.byref(process)))
        check("its streams", hcs.HcsGetOperationResultAndProcessInfo(op.handle, ctypes.byref(info), None))
    with os.fdopen(info.StdOutput) as output:
        print(output.read(), end="")
    check("wait", hcs.HcsWaitForProcessExit(process, INFINITE, ctypes.byref(status)))
    print("exit code", json.loads(take(status))["ExitCode"])
    hcs.HcsCloseProcess(process)
    with Operation() as op:
        op.finish("terminate", hcs.HcsTerminateComputeSystem(system, op.handle, None))
    hcs.HcsCloseComputeSystem(system)


if len(sys.argv) != 2:
    sys.exit("usage: hello.py ROOTFS")
try:
    run(sys.argv[1])
except OSError as e:
    sys.exit(str(e))
