"""Runs the statements on standard input with a gRPC client (python3-grpcio, whose own
HTTP/2 this is) of the server at $GRPC_SOCKET, which is test/grpc/grpc_tool.c. Messages
are bytes.
"""
import os
import sys
import threading
import time

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Client:
    def __init__(self, options=()):
        # Each with a connection of its own.
        self.channel = grpc.insecure_channel("unix:" + os.environ["GRPC_SOCKET"],
                                             UNLIMITED + [("grpc.use_local_subchannel_pool", 1)] + list(options))

    def call(self, method, body=b"", **more):
        return self.channel.unary_unary("/test.Test/" + method)(body, **more)

    def future(self, method, body=b"", **more):
        return self.channel.unary_unary("/test.Test/" + method).future(body, **more)

    def stream(self, method, body=b"", **more):
        return self.channel.unary_stream("/test.Test/" + method)(body, **more)


def eq(a, b):
    assert a == b, "%.200r is not %.200r" % (a, b)


def fails(code, words, fn, *args, **more):
    try:
        fn(*args, **more)
    except grpc.RpcError as e:
        eq(e.code(), getattr(grpc.StatusCode, code))
        assert words in e.details(), "%r is not in %r" % (words, e.details())
        return
    raise AssertionError("did not fail")


def until(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def server_memory():
    """PSS, in KiB."""
    with open("/proc/%s/smaps_rollup" % os.environ["GRPC_PID"]) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


exec(compile(sys.stdin.read(), "the test", "exec"))
