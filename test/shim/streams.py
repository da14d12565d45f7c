"""A client's ends of the streams of a process: FIFOs whose reader can be absent,
stall, vanish and return."""
import os
import select
import threading
import time


class Out:
    """Reads what a process writes. `present=False`: there is nobody yet."""

    def __init__(self, path, present=True):
        self.path, self.data = path, bytearray()
        self.fd, self.stalled, self.ended = None, False, False
        self.lock = threading.Condition()
        if not os.path.exists(path):
            os.mkfifo(path, 0o600)
        if present:
            self.come()

    def come(self):
        self.ended = False
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        threading.Thread(target=self._read, args=(self.fd,), daemon=True).start()

    def vanish(self):
        with self.lock:
            fd, self.fd = self.fd, None
            if fd is not None:
                os.close(fd)

    def _read(self, fd):
        connected = False
        while True:
            with self.lock:
                if self.fd != fd:
                    return
                if not self.stalled:
                    try:
                        part = os.read(fd, 65536)
                        connected = connected or bool(part)
                        if not part and (connected or self._hung_up(fd)):
                            self.ended = True
                            self.lock.notify_all()
                            return
                        self.data += part
                        self.lock.notify_all()
                    except BlockingIOError:
                        connected = True  # somebody writes
            time.sleep(0.002)

    @staticmethod
    def _hung_up(fd):
        p = select.poll()
        p.register(fd, select.POLLIN)
        return any(events & select.POLLHUP for _, events in p.poll(0))

    def wait(self, what, timeout=30):
        """Until this was written (bytes), or so much (a number)."""
        end = time.monotonic() + timeout
        with self.lock:
            while (len(self.data) < what) if isinstance(what, int) else (what not in self.data):
                if not self.lock.wait(max(0, end - time.monotonic())) and time.monotonic() > end:
                    got = bytes(self.data[-300:])
                    raise AssertionError("waiting for %s: got %d bytes, ...%s" % (what, len(self.data), got))
        return self

    def end(self, timeout=30):
        """Until nobody writes any more."""
        until = time.monotonic() + timeout
        with self.lock:
            while not self.ended:
                if not self.lock.wait(max(0, until - time.monotonic())) and time.monotonic() > until:
                    raise AssertionError("the writer keeps it open after %s" % bytes(self.data[-300:]))
        return self

    def now(self):
        """What is there at this moment, without waiting for more."""
        with self.lock:
            if self.fd is not None and not self.stalled:
                try:
                    while part := os.read(self.fd, 1 << 20):
                        self.data += part
                except BlockingIOError:
                    pass
            return bytes(self.data)

    @property
    def text(self):
        return self.now().decode(errors="replace").replace("\r", "")


class In:
    """Writes what a process reads. It is opened at the first write, as the shim opens first."""

    def __init__(self, path):
        self.path, self.fd = path, None
        if not os.path.exists(path):
            os.mkfifo(path, 0o600)

    def come(self, timeout=30):
        end = time.monotonic() + timeout
        while self.fd is None:
            try:
                self.fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as e: # ENXIO: no reader yet
                if time.monotonic() > end:
                    raise AssertionError("nobody reads " + self.path) from e
                time.sleep(0.005)
        os.set_blocking(self.fd, True)
        return self

    def write(self, data):
        self.come()
        os.write(self.fd, data)
        return self

    def vanish(self):
        os.close(self.fd)
        self.fd = None
