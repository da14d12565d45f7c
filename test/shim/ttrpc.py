"""ttrpc, both ends of it: frames, a client connection that has many calls under
way at once, and a server for the one method that a shim calls (Forward).

Nothing here knows what a task is; client.py does.
"""
import os
import socket
import struct
import threading
import time

import status_pb2  # before ttrpc_pb2, which imports it
import ttrpc_pb2

HEADER = struct.Struct(">IIBB")  # length, stream, type, flags
REQUEST, RESPONSE, DATA = 1, 2, 3
MAX_PAYLOAD = 4 << 20

OK, CANCELED, UNKNOWN, INVALID, DEADLINE, NOT_FOUND, EXISTS = range(7)
EXHAUSTED, PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 9, 12, 13, 14


class Failed(Exception):
    """The other end answered with an error."""

    def __init__(self, what, status):
        super().__init__("%s: code %d: %s" % (what, status.code, status.message))
        self.code, self.text = status.code, status.message


class Lost(Exception):
    """The connection ended before the answer."""


def frame(stream, payload, kind=REQUEST, flags=0, length=None):
    return HEADER.pack(len(payload) if length is None else length, stream, kind, flags) + payload


def request(service, method, payload, metadata=(), timeout_nano=0):
    r = ttrpc_pb2.Request(service=service, method=method, payload=payload, timeout_nano=timeout_nano)
    for key, value in metadata:
        r.metadata.add(key=key, value=value)
    return r.SerializeToString()


def read_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def read_frame(sock):
    """(stream, type, flags, payload); EOFError at the end."""
    length, stream, kind, flags = HEADER.unpack(read_exactly(sock, HEADER.size))
    return stream, kind, flags, read_exactly(sock, length)


def dial(path):
    path = path.removeprefix("unix://")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    s.settimeout(20)
    s.connect(path)
    s.settimeout(None)
    return s


class Call:
    """One call under way."""

    def __init__(self, what, answer):
        self.what, self.answer = what, answer
        self.done = threading.Event()
        self.response = None  # None although done: the connection was lost
        self.at = None  # when it came, of the monotonic clock

    def finish(self, response):
        self.response, self.at = response, time.monotonic()
        self.done.set()

    def result(self, timeout=30):
        if not self.done.wait(timeout):
            raise TimeoutError("%s: no answer within %s s" % (self.what, timeout))
        if self.response is None:
            raise Lost(self.what)
        if self.response.HasField("status") and self.response.status.code != OK:
            raise Failed(self.what, self.response.status)
        return self.answer.FromString(self.response.payload)

    def status(self, timeout=30):
        """(code, text), whether it failed or not."""
        try:
            self.result(timeout)
            return OK, ""
        except Failed as e:
            return e.code, e.text


class Conn:
    """A client's connection. Answers are taken by a thread, in whatever order."""

    def __init__(self, path, metadata=()):
        self.sock, self.metadata = dial(path), metadata
        self.lock = threading.Lock()
        self.calls, self.stream, self.lost = {}, 1, False
        self.strange = []  # frames that answer nothing
        threading.Thread(target=self._read, daemon=True).start()

    def begin(self, service, method, message, answer, timeout_nano=0, metadata=None):
        call = Call(method, answer)
        payload = message if isinstance(message, bytes) else message.SerializeToString()
        data = request(service, method, payload, self.metadata if metadata is None else metadata, timeout_nano)
        with self.lock:
            if self.lost:
                raise Lost(method)
            self.calls[self.stream] = call
            out = frame(self.stream, data)
            self.stream += 2
            try:
                self.sock.sendall(out)
            except OSError:
                raise Lost(method) from None
        return call

    def call(self, *args, timeout=30, **kw):
        return self.begin(*args, **kw).result(timeout)

    def _read(self):
        try:
            while True:
                stream, kind, flags, payload = read_frame(self.sock)
                call = self.calls.pop(stream, None)
                if call is None or kind != RESPONSE or flags:
                    self.strange.append((stream, kind, flags, payload))
                if call is not None:
                    call.finish(ttrpc_pb2.Response.FromString(payload))
        except (EOFError, OSError):
            pass
        with self.lock:
            self.lost = True
        for call in list(self.calls.values()):
            call.finish(None)

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Raw:
    """A connection for bytes that no client would send."""

    def __init__(self, path, timeout=30):
        self.sock = dial(path)
        self.sock.settimeout(timeout)

    def send(self, data):
        """False if the other end has hung up."""
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def ask(self, stream, data, **kw):
        """A frame, and the response to it: (stream, code, text), or None for a hang-up."""
        return self.send(frame(stream, data, **kw)) and self.answer()

    def answer(self):
        try:
            stream, kind, _, payload = read_frame(self.sock)
        except (EOFError, ConnectionResetError):
            return None
        assert kind == RESPONSE, "a frame of type %d" % kind
        status = ttrpc_pb2.Response.FromString(payload).status
        return stream, status.code, status.message

    def silent(self, seconds):
        """True if neither an answer nor a hang-up comes in this time."""
        self.sock.settimeout(seconds)
        try:
            return self.answer() is False
        except TimeoutError:
            return True

    def close(self):
        self.sock.close()


class Server:
    """Calls `handle(request) -> payload` for each call, one after the other per connection. To be
    slow, stalled (takes nothing) or dead (closed, its socket gone) is part of its job."""

    def __init__(self, path, handle):
        self.path, self.handle = path, handle
        self.slow, self.open = 0, threading.Event()
        self.listener, self.conns = None, []
        self.open.set()
        self.back()

    def back(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def die(self, unlink=True):
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for c in self.conns:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.conns = []
        if unlink and os.path.exists(self.path):
            os.unlink(self.path)

    def stall(self):
        self.open.clear()

    def go_on(self):
        self.open.set()

    def _accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            self.conns.append(c)
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            while True:
                self.open.wait()
                stream, kind, _, payload = read_frame(c)
                if kind != REQUEST:
                    raise EOFError
                self.open.wait()
                time.sleep(self.slow)
                answer = ttrpc_pb2.Response()
                try:
                    answer.payload = self.handle(ttrpc_pb2.Request.FromString(payload))
                except EOFError: # the handler wants to hang up
                    raise
                except Exception as e:  # pylint: disable=broad-except
                    answer.status.code, answer.status.message = UNKNOWN, str(e)
                c.sendall(frame(stream, answer.SerializeToString(), RESPONSE))
        except (EOFError, OSError):
            pass
        finally:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()
