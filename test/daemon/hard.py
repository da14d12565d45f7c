# What the tests of daemon_hard.bats have besides client.py's names; read before each.
import array
import contextlib
import ctypes
import fcntl
import re
import resource


class Small:
    """A tmpfs with room for little, until the test is over."""
    path = IT + "/small"

    def __init__(self, size):
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", self.path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        DAEMON.stop_all()
        subprocess.run(["umount", "-l", self.path], check=True)
        os.rmdir(self.path)

    def fill(self):
        """To the last byte."""
        with open(self.path + "/.filler", "ab", buffering=0) as f:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        f.write(b"x" * size)

    def free(self):
        os.unlink(self.path + "/.filler")


def ids():
    return sorted(c.id for c in Containers.List().containers)


def listen(kind, address):
    """A socket, as systemd makes it."""
    if kind == socket.AF_UNIX:
        os.makedirs(os.path.dirname(address), exist_ok=True)
    s = socket.socket(kind)
    s.bind(address)
    s.listen(16)
    return s


def get(address, request=b"GET /metrics HTTP/1.0\r\n\r\n"):
    """What an HTTP server says."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        s.settimeout(20)
        s.connect(address)
        s.sendall(request)
        said = b""
        while True:
            b = s.recv(65536)
            if not b:
                return said.decode()
            said += b


def preload():
    """The daemon with test/daemon/hard.c, from its next start on."""
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_FORTIFY_SOURCE=0", "-o", IT_OUT + "/hard.so",
                    os.environ["HARD_C"]], check=True)
    DAEMON.env.update(LD_PRELOAD=IT_OUT + "/hard.so", HARD_CLOCK=IT + "/clock", HARD_READ_ONLY=IT + "/ro")


def set_clock(seconds):
    with open(IT + "/clock.new", "w") as f:
        f.write(str(seconds))
    os.rename(IT + "/clock.new", IT + "/clock")


def ctl(verb, *args):
    """What berthctl says, of the namespace that is ours."""
    r = subprocess.run([os.environ["CTL"], verb, "-n", NS, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=30, check=False)
    if r.returncode:
        raise AssertionError("berthctl %s: %d %s" % (verb, r.returncode, r.stdout.decode()))
    return r.stdout.decode()
