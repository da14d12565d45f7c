# noshim.py: processes, for tests of tasks without a shim (test/it/daemon_noshim.bats).


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
