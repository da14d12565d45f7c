# noshim.py: processes and runtimes, for tests of tasks without a shim (test/it/daemon_noshim.bats).


def processes():
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f, open("/proc/%s/stat" % p) as g:
                    yield int(p), f.read().split(b"\0"), g.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                pass


def parent(pid):
    return next(int(stat[1]) for p, _, stat in processes() if p == pid)


def shims():
    return [p for p, args, _ in processes() if b"containerd-shim" in args[0]]


def children():
    """The daemon's, with their states."""
    return [(p, stat[0]) for p, _, stat in processes() if int(stat[1]) == DAEMON.process.pid]


def nothing_left():
    until(lambda: not children(), 10, "the daemon has children")
    eq([names for _, names, _ in os.walk(IT + "/d/state/" + NS) if names], [])


def executed(path):
    """For a Task: the runtime at this path."""
    return {"name": "io.containerd.runc.v2", "options": {
        "type_url": "containerd.runc.v1.Options", "value": b"\x32" + bytes([len(path)]) + path.encode()}} # binary_name = 6


def slow_runtime(verb, words):
    """berth, but that these words of the shell come first for this verb; in IT/slow."""
    with open(IT + "/slow", "w") as f:
        f.write('#!/bin/sh\ncase " $* " in *" %s "*) %s ;; esac\nexec berth "$@"\n' % (verb, words))
    os.chmod(IT + "/slow", 0o755)
    return executed(IT + "/slow")
