"""What the tests' clients say of what they see: eq(), within(), until()."""
import time


def eq(got, want):
    if got != want:
        raise AssertionError("got %r, not %r" % (got, want))


def within(text, part):
    if part not in text:
        raise AssertionError("%r is not in %r" % (part, text))


def until(what, timeout=10, say="it does not happen"):
    end = time.monotonic() + timeout
    while True:
        r = what()
        if r:
            return r
        if time.monotonic() > end:
            raise AssertionError(say)
        time.sleep(0.005)
