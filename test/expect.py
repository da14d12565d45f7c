"""What the tests' clients say of what they see: eq(), within(), until(), trapped()."""
import time


def eq(got, want):
    if got != want:
        raise AssertionError("got %r, not %r" % (got, want))


def within(text, part):
    if part not in text:
        raise AssertionError("%r is not in %r" % (part, text))


def until(what, timeout=30, say="it does not happen"):
    end = time.monotonic() + timeout
    while True:
        r = what()
        if r:
            return r
        if time.monotonic() > end:
            raise AssertionError(say)
        time.sleep(0.005)


def trapped(pid, *signals):
    """Until the process has come so far that it catches, or ignores, these."""
    def mask():
        with open("/proc/%d/status" % pid) as f:
            lines = dict(line.split(":", 1) for line in f)
        return int(lines["SigCgt"], 16) | int(lines["SigIgn"], 16)
    until(lambda: all(mask() >> (s - 1) & 1 for s in signals), say="process %d does not catch %s" % (pid, signals))
