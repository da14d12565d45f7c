"""gen.py: config.json files from a seed. Seven in ten keep to what fits together,
and nearly all of them run; in the others (r.wrong) there may be anything, and most
are refused.

generate(seed) answers a document in which @SLOT@ stands for the directory that
the run has for itself and @A@, @B@ for the processes whose namespaces can be
joined (B's are below a user namespace of its own). orders(config) says what the
inspector shall look at for it.
"""
import random

CAPS = ["CAP_" + n for n in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()]
CAP_SETS = ["bounding", "permitted", "effective", "inheritable", "ambient"]  # each may need those before it

# The calls that inspect.c tries, and the values of their arguments.
CALLS = ("getpriority getpgid sched_yield personality sysinfo times alarm getitimer sethostname socket dup3 fchmod lseek "
         "readahead getcpu unshare madvise syncfs ioprio_get flock kcmp fanotify_init umount2 reboot mlock membarrier").split()
VALUES = [0, 1, 2, 4, 7, 8, 9, 15, 16, 40, 99, 0o755, 0o6755, 0o2000000, 0xffffffff, 2**64 - 1, 0x100000000,
          0x123456789a, 2**32 - 2, 2**63]
# What a filter that refuses the rest must let through: for the runtimes up to execve and the inspector.
NEEDED = ("read write open openat openat2 close stat fstat newfstatat lstat statx lseek mmap mprotect munmap brk rt_sigaction "
          "rt_sigprocmask rt_sigreturn ioctl pread64 pwrite64 readv writev access faccessat faccessat2 pipe pipe2 select "
          "mremap madvise dup dup2 dup3 nanosleep clock_nanosleep getpid socket connect sendto recvfrom sendmsg recvmsg "
          "clone clone3 fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill uname fcntl getdents "
          "getdents64 getcwd chdir fchdir readlink readlinkat umask getrlimit prlimit64 setrlimit getuid getgid geteuid "
          "getegid setuid setgid setresuid setresgid getresuid getresgid getgroups setgroups getppid getpgrp getsid setsid "
          "capget capset rt_sigpending sigaltstack statfs fstatfs prctl arch_prctl gettid futex sched_getaffinity "
          "sched_getattr set_tid_address clock_gettime clock_getres gettimeofday epoll_create1 epoll_ctl epoll_wait epoll_pwait "
          "eventfd2 set_robust_list get_robust_list getrandom memfd_create rseq close_range keyctl ioprio_get personality "
          "getpgid sched_yield times newuname restart_syscall tee splice poll ppoll").split()

OPTIONS = ("async atime defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec "
           "noiversion nolazytime nomand norelatime nostrictatime nosuid relatime ro rw silent strictatime suid sync").split()
REC_OPTIONS = ("rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime "
               "rstrictatime rnostrictatime rnosymfollow rsymfollow nosymfollow symfollow").split()
PROPAGATION = "private shared slave unbindable rprivate rshared rslave runbindable".split()

MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def base(r):
    default = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
            "args": ["/bin/inspect", str(r.choice([0, 0, 0, 1, 7, 255]))],
            "env": ["PATH=/usr/bin:/bin", "TERM=xterm"],
            "capabilities": {s: list(default) for s in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "root": {"path": "@SLOT@/rootfs", "readonly": r.random() < 0.2},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "cgroupsPath": "@CGROUP@",
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": list(MASKED), "readonlyPaths": list(READONLY),
        },
    }


def some(r, things, low, high):
    return r.sample(things, min(len(things), r.randint(low, high)))


def doubt(r, chance):
    """Whether to do what is most likely refused."""
    return r.random() < chance and r.wrong


def has(c, kind, own=False):
    """Whether the container gets that namespace, of its own if it must not be a joined one."""
    return any(n["type"] == kind and not (own and "path" in n) for n in c["linux"]["namespaces"])


def possible(r, c, key, ids):
    """Those of the ids that the user namespace has."""
    maps = c["linux"].get(key) or [{"containerID": 0, "size": 65536 if has(c, "user") else 2**32}]
    return ids if r.wrong else [i for i in ids if any(0 <= i - m["containerID"] < m["size"] for m in maps)]


# -- the parts: each changes the document in one respect ---------------------

NS_FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup", "user": "user", "time": "time"}


def namespaces(r, c):
    kinds = ["mount"]
    ns = [{"type": "mount"}]
    holder = r.choice("AAAB") if r.random() < 0.4 else None
    for kind, new, joined in (("pid", .85, .08), ("network", .7, .2), ("ipc", .75, .15), ("uts", .75, .15),
                              ("cgroup", .5, .1), ("time", .04, 0)):
        x = r.random()
        if x < new:
            ns.append({"type": kind})
        elif x < new + joined and holder:
            ns.append({"type": kind, "path": "/proc/@%s@/ns/%s" % (holder, NS_FILES[kind])})
        else:
            continue
        kinds.append(kind)
    if holder == "B" and not doubt(r, 0.1):
        ns.insert(r.randint(0, len(ns)), {"type": "user", "path": "/proc/@B@/ns/user"})
    r.shuffle(ns)
    c["linux"]["namespaces"] = ns
    if "uts" not in kinds and not doubt(r, 0.2):
        c.pop("hostname", None)
    if "ipc" not in kinds and r.random() < 0.5:
        c["mounts"] = [m for m in c["mounts"] if m["type"] != "mqueue"]


def user_namespace(r, c):
    ns = c["linux"]["namespaces"]
    if has(c, "user"):
        return
    ns.insert(r.randint(0, len(ns)), {"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        shape = r.random()
        if shape < 0.4:
            maps = [{"containerID": 0, "hostID": r.choice([100000, 1000, 65536]), "size": r.choice([65536, 2000, 70000])}]
        elif shape < 0.6:
            maps = [{"containerID": 0, "hostID": 0, "size": r.choice([65536, 4294967295, 2000])}]
        else:
            maps, at = [], 100000
            for i, inside in enumerate([0, 1, 1000, 2000, 65534][:r.randint(2, 5)]):
                size = 1 if i % 2 == 0 else r.randint(1, 500)
                maps.append({"containerID": inside, "hostID": at, "size": size})
                at += 1000
            r.shuffle(maps)
        c["linux"][key] = maps
    if r.random() < 0.15:
        c["linux"]["uidMappings"], c["linux"]["gidMappings"] = c["linux"]["gidMappings"], c["linux"]["uidMappings"]


def binds_of_host(r, c):
    """In a user namespace: the kernel's file systems of namespaces that are not its own are those of the host."""
    for kind, ns in (("sysfs", "network"), ("proc", "pid"), ("mqueue", "ipc")):
        if has(c, "user") and not has(c, ns, own=has(c, "user", own=True)) and not r.wrong:
            c["mounts"] = [m if m["type"] != kind else
                           {"destination": m["destination"], "type": "none", "source": m["destination"],
                            "options": ["rbind", "nosuid", "noexec", "nodev"] + ["ro"] * (kind == "sysfs")} for m in c["mounts"]]


def user(r, c):
    u = c["process"]["user"]
    u["uid"], u["gid"] = (r.choice(possible(r, c, key, [0, 1, 1000, 65534, 4242])) for key in ("uidMappings", "gidMappings"))
    if r.random() < 0.5:
        u["additionalGids"] = some(r, possible(r, c, "gidMappings", [0, 1, 6, 1000, 2000, 65534, 5, 77]), 0, 5)
        if r.random() < 0.1:
            u["additionalGids"] *= 2
    if r.random() < 0.4:
        u["umask"] = r.choice([0, 0o22, 0o77, 0o777, 0o27])
    if r.random() < 0.2:
        u["username"] = r.choice(["kay", "", "nobody-there"])


def capabilities(r, c):
    p = c["process"]
    shape = r.random()
    caps = [x for x in CAPS if r.wrong or x != "CAP_SYS_RESOURCE"]  # which hosts of tests may lack
    if shape < 0.1:
        p.pop("capabilities", None)
    elif shape < 0.2:
        p["capabilities"] = {s: list(caps) for s in (some(r, CAP_SETS, 1, 5) if r.wrong else CAP_SETS[:r.randint(1, 5)])}
    elif shape < 0.85 or not r.wrong:
        held = some(r, caps, 0, 12)
        p["capabilities"] = {"bounding": held + some(r, caps, 0, 3), "permitted": held}
        for s in ("effective", "inheritable"):
            p["capabilities"][s] = some(r, held, 0, 12)
        p["capabilities"]["ambient"] = some(r, p["capabilities"]["inheritable"], 0, 12)
    else:
        p["capabilities"] = {s: some(r, caps, 0, r.choice([1, 6])) for s in some(r, CAP_SETS, 0, 5)}
    if r.random() < 0.08:
        p["capabilities"] = dict(p.get("capabilities", {}))
        p["capabilities"].setdefault("bounding", []).append(r.choice(["CAP_NOSUCH", "chown", "CAP_", "cap_chown"]))
    p["noNewPrivileges"] = r.random() < 0.5


def rlimits(r, c):
    out = []
    for name in some(r, "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING "
                     "STACK".split(), 1, 5):
        # Below what hosts have, since raising one is refused without CAP_SYS_RESOURCE.
        hard = {"AS": 2**40, "DATA": 2**40, "NOFILE": 4096, "NPROC": 10000, "STACK": 2**26, "NICE": 0, "SIGPENDING": 1000,
                "MEMLOCK": 2**16, "MSGQUEUE": 8192, "RTPRIO": 0, "CPU": 1000, "RTTIME": 10**7}.get(name, 2**30)
        soft = r.choice([hard, hard // 2, max(hard - 1, 0)])
        if doubt(r, 0.05):
            hard = r.choice([2**64 - 1, 30])
        out.append({"type": "RLIMIT_" + name, "soft": soft, "hard": hard})
    c["process"]["rlimits"] = out
    if doubt(r, 0.15):
        out.append(dict(r.choice(out)))  # the same one twice is an error


def process(r, c):
    p = c["process"]
    if r.random() < 0.3:
        p["oomScoreAdj"] = r.choice([0, 1, 100, 500, 1000] + r.wrong * [-1, -500, -1000, -999])
    if r.random() < 0.4:
        p["noNewPrivileges"] = r.random() < 0.5
    if r.random() < 0.4:
        p["cwd"] = r.choice(["/tmp", "/data", "/data/dir", "/home/kay", "/made/by/runtime", "/link", "/proc/self", "/dev",
                             "/usr/bin/", "/data/../tmp", "/sys"] + r.wrong * ["/closed"])
    if r.random() < 0.4:
        p["env"] = p["env"] + some(r, ["A=1", "EMPTY=", "HOME=/x", "UNI=ä☃", "SPACED=a b  c", "EQ=a=b=c", "A=2", "LONG=" + "y" * 3000,
                                       "HOSTNAME=h", "container=berth", "PATH=/bin"], 1, 5)
    if r.random() < 0.05:
        p.pop("env")
    if r.random() < 0.3:
        names = ["inspect", "/usr/bin/inspect", "/link-inspect"]
        if r.wrong or p["cwd"] in ("/", "/tmp"):
            names += ["./bin/inspect", "bin/inspect", "../bin/inspect"] if p["cwd"] == "/" else ["../bin/inspect"]
        p["args"] = [r.choice(names), p["args"][1]] + some(r, ["", "a b", "--", "-x", "ü", "'"], 0, 4)
        if r.random() < 0.2 and (r.wrong or "/" in p["args"][0]):
            p["env"] = [e for e in p.get("env", []) if not e.startswith("PATH=")] + some(
                r, ["PATH=", "PATH=:/bin", "PATH=bin", "PATH=/nowhere:/data:/bin", "PATH=/noexec:/bin"], 0, 1)
    if r.random() < 0.1:
        p["consoleSize"] = {"height": 20, "width": 80}
    if r.random() < 0.15:
        c["annotations"] = {k: r.choice(["", "x", "long " * 20]) for k in some(r, ["a", "com.example.k", "b.c"], 1, 3)}
    if r.random() < 0.1:
        c["linux"]["personality"] = {"domain": r.choice(["LINUX", "LINUX32"])}
    if r.random() < 0.06 and (r.wrong or has(c, "uts")):
        c["domainname"] = r.choice(["example.org", "x"])
    if r.random() < 0.06:
        p["ioPriority"] = {"class": r.choice(["IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE", "IOPRIO_CLASS_RT"]),
                           "priority": r.randint(0, 7)}
    if r.random() < 0.06:
        policy = r.choice(["SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"] + r.wrong * ["SCHED_FIFO", "SCHED_RR"])
        p["scheduler"] = {"policy": policy, **({"priority": r.randint(1, 50)} if policy in ("SCHED_FIFO", "SCHED_RR") else
                                               {"nice": r.randint(-20, 19)} if r.wrong or policy != "SCHED_IDLE" else {})}
    if r.random() < 0.1 and (r.wrong or has(c, "uts")):
        c["hostname"] = r.choice(["", "a-much-longer-host.name.example", "x" * 63])


def bad_program(r, c):
    c["process"]["args"] = [r.choice(["nosuch", "/nosuch", "/noexec", "/data", "/badelf", "/badinterp", "noexec", "", "/bin/", ".",
                                      "/data/file/x", "/proc/1", "/dev/null"])]


def mounts(r, c):
    used = set()
    for _ in range(r.randint(1, 4)):
        dest = r.choice(["/m1", "/m2", "/m3", "/data", "/data/dir", "/tmp", "/m1/deep/er", "/link", "/home/kay", "/mnt/new", "/abs/x",
                         "/dev/extra", "/data/file", "/m1"])
        kind = r.choice(["tmpfs", "tmpfs", "bind", "bind", "rbind", "devpts", "file"] +
                        ["proc", "sysfs", "mqueue", "cgroup"] * (r.wrong or not has(c, "user")))
        if kind == "file" and not doubt(r, 0.1):
            dest = r.choice(["/data/file", "/f1", "/m1/f", "/etc/passwd", "/noexec"])
        elif dest == "/data/file" and not doubt(r, 0.5):
            dest = "/data"
        m = {"destination": dest, "type": kind, "source": kind, "options": some(r, OPTIONS, 0, 4)}
        if kind in ("bind", "rbind", "file"):
            m["type"] = r.choice(["bind", "none", "bind"])
            m["source"] = "@SLOT@/src" + r.choice(["", "/sub", "/dir"]) if kind != "file" else "@SLOT@/src/file"
            if r.random() < 0.1 and (r.wrong or kind != "file"):
                m["source"] = r.choice(["../src/dir", "/proc", "/sys", "/dev"] + r.wrong * ["@SLOT@/src/nosuch", "/dev/null"])
            m["options"].insert(r.randint(0, len(m["options"])), "bind" if kind == "file" else kind)
            if r.random() < 0.1:
                m["options"] += some(r, REC_OPTIONS, 1, 2)
        elif kind == "tmpfs":
            m["options"] += some(r, ["size=64k", "mode=700", "mode=1777", "uid=1", "gid=2", "nr_inodes=50", "tmpcopyup",
                                     "huge=never", "size=10%"], 0, 3)
        elif kind == "proc":
            m["options"] += some(r, ["hidepid=2", "subset=pid", "hidepid=invisible"], 0, 1)
        elif kind == "devpts":
            m["options"] += some(r, ["newinstance", "mode=620", "gid=5", "ptmxmode=0666", "max=10"], 0, 3)
        if r.random() < 0.2:
            m["options"].append(r.choice(PROPAGATION))
        if not m["options"] and r.random() < 0.5:
            del m["options"]
        c["mounts"].append(m)
        used.add(dest)
    if r.random() < 0.25:
        change = r.choice(c["mounts"][:6])
        change["options"] = change.get("options", []) + some(r, OPTIONS, 1, 2)
    if r.random() < 0.15:
        del c["mounts"][r.randint(1, 5)]
    if r.random() < 0.1:
        r.shuffle(c["mounts"])
    if r.random() < 0.06:
        target = r.choice(c["mounts"])["destination"]
        c["mounts"].append({"destination": target, "type": "bind", "source": "none", "options": ["bind", "remount"] + some(r, OPTIONS, 1, 2)})
    if r.random() < 0.15:
        c["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                            "options": ["nosuid", "noexec", "nodev"] + some(r, ["ro", "relatime"], 0, 2)})


def paths(r, c):
    pool = ["/data", "/data/file", "/etc/passwd", "/proc/kcore", "/proc/self/environ", "/no/such", "/sys/kernel", "/proc/sys/kernel",
            "/link", "/dev/null", "/home", "/tmp", "/proc/timer_list", "/dev/shm", "/closed/in"]
    c["linux"]["maskedPaths"] = some(r, pool, 0, 5)
    c["linux"]["readonlyPaths"] = some(r, pool, 0, 5)


def rootfs(r, c):
    c["root"]["readonly"] = r.random() < 0.5
    if r.random() < 0.5:
        c["linux"]["rootfsPropagation"] = r.choice(PROPAGATION + [""])


def devices(r, c):
    out = []
    for i in range(r.randint(1, 4)):
        kind = r.choice("cccbpu")
        d = {"path": r.choice(["/dev/d%d" % i, "/dev/deep/d%d" % i, "/tmp/d%d" % i] * 4 + ["/dev/null", "/dev/fuse", "/dev/zero"]),
             "type": kind}
        if has(c, "user") and not doubt(r, 0.5):
            # Bound from the host, which must have it.
            d["path"], d["type"], d["major"], d["minor"] = r.choice([
                ("/dev/null", "c", 1, 3), ("/dev/zero", "c", 1, 5), ("/dev/full", "c", 1, 7), ("/dev/urandom", "u", 1, 9)])
        elif kind != "p":
            d["major"], d["minor"] = r.choice([(1, 3), (1, 5), (1, 9), (7, 200), (10, 229), (240, 17), (259, 70000)])
        if r.random() < 0.6:
            d["fileMode"] = r.choice([0o666, 0o600, 0o000, 0o640, 0o777, 0o1666, 0o20666])
        if r.random() < 0.5:
            d["uid"], d["gid"] = r.choice([0, 1, 1000]), r.choice([0, 5, 1000])
        out.append(d)
    c["linux"]["devices"] = out


def device_rules(r, c):
    rules = []
    if r.random() < 0.8:
        rules.append({"allow": False, "access": "rwm"})
    for _ in range(r.randint(0, 4)):
        rule = {"allow": r.random() < 0.8, "type": r.choice("cccb"), "major": r.choice([1, 1, 5, 7, 10, 240]),
                "minor": r.choice([3, 5, 7, 9, 0, 200, 229]), "access": r.choice(["r", "w", "m", "rw", "rwm", "rm", "wm"])}
        if r.random() < 0.15:
            rule.pop("minor")
        elif r.random() < 0.1:
            rule["minor"] = -1
        if r.random() < 0.05:
            rule = {"allow": r.random() < 0.7, "type": "a", "access": "rwm"}
        rules.append(rule)
    c["linux"].setdefault("resources", {})["devices"] = rules


def resources(r, c):
    res = c["linux"].setdefault("resources", {})
    mib = 1 << 20
    if r.random() < 0.5:
        limit = r.choice([128, 200, 256, 1024]) * mib + r.choice([0, 0, 1, 4097])
        m = {"limit": limit}
        if r.random() < 0.3:
            m["swap"] = r.choice([limit, limit * 2, -1, limit + 4096])
        if r.random() < 0.4:
            m["reservation"] = r.choice([limit // 2, 64 * mib, limit])
        if r.random() < 0.3:
            m["swappiness"] = r.choice([0, 1, 60, 100])
        if r.random() < 0.2:
            m["disableOOMKiller"] = r.random() < 0.5
        if r.random() < 0.15:
            m["kernel"] = 64 * mib
        if r.random() < 0.15:
            m["kernelTCP"] = r.choice([16 * mib, 1 << 30, -1])
        if r.random() < 0.2:
            m["useHierarchy"] = not doubt(r, 0.3)
        if r.random() < 0.2:
            m["checkBeforeUpdate"] = r.random() < 0.5
        if r.random() < 0.1:
            m = {k: 0 for k in some(r, ["limit", "swap", "reservation", "kernel"], 1, 3)}
        if r.random() < 0.06:
            m = {"limit": -1, **({"swap": -1} if r.random() < .5 else {})}
        res["memory"] = m
    if r.random() < 0.5:
        cpu = {}
        if r.random() < 0.5:
            cpu["shares"] = r.choice([2, 10, 512, 1024, 1025, 262144, 0])
        if r.random() < 0.5:
            cpu["period"] = r.choice([100000, 50000, 1000, 1000000, 0])
        if r.random() < 0.5:
            cpu["quota"] = r.choice([50000, 100000, 200000, -1, 1000, 0])
        if r.random() < 0.2:
            cpu["cpus"] = r.choice(["0", "1", "0-1", "0,1", ""])
        if r.random() < 0.2:
            cpu["mems"] = r.choice(["0", ""])
        if r.random() < 0.08:
            cpu["idle"] = r.choice([0, 1])
        if r.random() < 0.08:
            cpu["burst"] = r.choice([0, 1000, 20000])
        if r.random() < 0.06:
            cpu["realtimeRuntime"], cpu["realtimePeriod"] = r.choice([0, 10000] if r.wrong else [0]), 1000000
        res["cpu"] = cpu
    if r.random() < 0.4:
        res["pids"] = {"limit": r.choice([64, 100, 1000, 32768, -1, 0])}
    if r.random() < 0.2:
        b = {}
        if r.random() < 0.3:
            b["weight"] = r.choice([10, 500, 1000, 0])
        for key in some(r, ["throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice"], 1, 2):
            b[key] = [{"major": r.choice([7, 7, 259] if r.wrong else [7]), "minor": 0, "rate": r.choice([1048576, 0, 600])}]
        res["blockIO"] = b
    if doubt(r, 0.05):
        res["hugepageLimits"] = [{"pageSize": r.choice(["2MB", "1GB"]), "limit": 2 * mib}]
    if doubt(r, 0.05):
        res["network"] = r.choice([{"classID": 1048577}, {"priorities": [{"name": "lo", "priority": 3}]}])
    if doubt(r, 0.05):
        res["rdma"] = {"mlx5_1": {"hcaHandles": 3}}
    if doubt(r, 0.05):
        res["unified"] = {"memory.high": "1000000000"}


def cgroup_view(_, c):
    """The host's hierarchies inside, so that the inspector can read what was set."""
    c["mounts"].append({"destination": "/cg", "type": "bind", "source": "/sys/fs/cgroup", "options": ["rbind"]})


ACTIONS = ["SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRAP", "SCMP_ACT_KILL",
           "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRACE"]
COMPARES = ["SCMP_CMP_" + n for n in "EQ NE LT LE GT GE MASKED_EQ".split()]


def seccomp(r, c):
    strict = r.random() < 0.3
    s = {"defaultAction": r.choice(["SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP", "SCMP_ACT_TRACE"]) if strict else
         r.choice(["SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG"]), "syscalls": []}
    if strict:
        s["syscalls"].append({"names": list(NEEDED), "action": "SCMP_ACT_ALLOW"})
        if r.random() < 0.4 and s["defaultAction"] in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
            s["defaultErrnoRet"] = r.choice([1, 38, 13, 95])
    if r.random() < 0.5:
        s["architectures"] = r.choice([["SCMP_ARCH_X86_64"], ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                                       ["SCMP_ARCH_X86"], ["SCMP_ARCH_AARCH64"], []])
    if r.random() < 0.2:
        s["flags"] = some(r, ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 0, 2)
    for _ in range(r.randint(0, 8)):
        free = [n for n in CALLS if not strict or n not in NEEDED]
        rule = {"names": some(r, free + ["nosuchcall"], 1, 3), "action": r.choice(ACTIONS)}
        if r.random() < 0.3 and rule["action"] in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
            rule["errnoRet"] = r.choice([0, 1, 2, 38, 99, 200] + r.wrong * [4095])
        if r.random() < 0.5:
            rule["args"] = []
            for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
                op = r.choice(COMPARES)
                arg = {"index": r.randint(0, 3), "value": r.choice(VALUES), "op": op}
                if op == "SCMP_CMP_MASKED_EQ":
                    arg["valueTwo"] = r.choice([0, 1, arg["value"], 8])
                rule["args"].append(arg)
        s["syscalls"].append(rule)
    r.shuffle(s["syscalls"])
    c["linux"]["seccomp"] = s
    c["process"]["noNewPrivileges"] = r.random() < 0.6


SYSCTLS = [("net.ipv4.ip_forward", ["0", "1"]), ("net/ipv4/ip_forward", ["1"]), ("net.core.somaxconn", ["256", "4096"]),
           ("net.ipv4.ping_group_range", ["0 0", "1 0"]), ("net.ipv4.conf.lo.forwarding", ["1"]),
           ("net.ipv4.ip_unprivileged_port_start", ["0", "80"]), ("kernel.msgmax", ["8192", "65536"]), ("kernel.shmmax", ["68719476736"]),
           ("kernel.sem", ["250 32000 100 128"]), ("kernel.shm_rmid_forced", ["0", "1"]), ("fs.mqueue.msg_max", ["10", "20"]),
           ("kernel.domainname", ["dom.example"]), ("kernel.msgmnb", ["16384"]), ("kernel/shmall", ["18446744073692774399"]),
           ("net.ipv4.tcp_keepalive_time", ["600"])]


def sysctl(r, c):
    owner = {"net": "network", "kernel.domainname": "uts"}
    values = {k: r.choice(v) for k, v in some(r, SYSCTLS, 1, 4)
              if r.wrong or has(c, owner.get(k) or owner.get(k[:3], "ipc"), own=True)}
    c["linux"]["sysctl"] = values
    if not r.wrong and "net.ipv4.ip_forward" in values:
        values.pop("net/ipv4/ip_forward", None)  # the same one
    if doubt(r, 0.3):
        c["linux"]["sysctl"][r.choice(["vm.swappiness", "kernel.pid_max", "kernel.hostname", "net.nosuch", "net.ipv4.ip_forward.x",
                                       "fs.file-max", "kernel.panic", "user.max_user_namespaces"])] = "1"
    if doubt(r, 0.2):
        c["linux"]["sysctl"]["net.core.somaxconn"] = r.choice(["abc", "", "-5"])


def hooks(r, c):
    c["hooks"] = {}
    for kind in some(r, ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"], 1, 4):
        c["hooks"][kind] = []
        for i in range(r.choice([1, 1, 2])):
            inside = kind == "startContainer"
            code = "3" if doubt(r, 0.2) else "0"
            hook = {"path": "/bin/inspect" if inside else "@SLOT@/inspect",
                    "args": ["inspect", "hook", "/tmp/hooks.log" if inside else "@SLOT@/hooks.log", code, "%s-%d" % (kind, i)]}
            if r.random() < 0.5:
                hook["env"] = some(r, ["H=1", "PATH=/bin", "E="], 0, 3)
            if r.random() < 0.3:
                hook["timeout"] = r.choice([5, 20])
            if doubt(r, 0.1):
                hook["path"] = r.choice(["/no/such/hook", "@SLOT@/src/file", "@SLOT@/src"])
            c["hooks"][kind].append(hook)


def time_namespace(r, c):
    ns = c["linux"]["namespaces"]
    if not any(n["type"] == "time" for n in ns):
        ns.append({"type": "time"})
    c["linux"]["timeOffsets"] = {k: {"secs": r.choice([1000, 86400, 5]), "nanosecs": r.choice([0, 5])}
                                 for k in some(r, ["monotonic", "boottime"], 1, 2)}


def set_at(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(_, c):
        for k in keys:
            c = c[k] if isinstance(c, list) else c.setdefault(k, {})
        c[last] = value
    return change


def remove(*keys):
    def change(_, c):
        for k in keys[:-1]:
            c = c[k]
        c.pop(keys[-1], None)
    return change


def append(value, *keys):
    def change(_, c):
        for k in keys[:-1]:
            c = c.setdefault(k, {})
        c.setdefault(keys[-1], []).append(value)
    return change


# What nobody should accept, or what is doubtful: one of them at a time.
BROKEN = [
    remove("process"), remove("linux", "namespaces"), remove("process", "args"), remove("process", "cwd"),
    remove("mounts"), remove("linux", "maskedPaths"), remove("process", "capabilities"), remove("linux", "readonlyPaths"),
    set_at("process", "args", []), set_at("process", "cwd", "tmp"), set_at("process", "cwd", ""), set_at("process", "cwd", "/data/file"),
    set_at("root", "path", "@SLOT@/nosuch"), set_at("root", "path", "@SLOT@/src/file"),
    set_at("root", "path", "../rootfs"),
    append({"type": "nosuch"}, "linux", "namespaces"), append({"type": "pid"}, "linux", "namespaces"),
    append({"type": "network", "path": "/proc/@A@/ns/uts"}, "linux", "namespaces"),
    append({"type": "network", "path": "/no/such"}, "linux", "namespaces"),
    append({"type": "user"}, "linux", "namespaces"),
    set_at("linux", "uidMappings", [{"containerID": 0, "hostID": 5, "size": 1}]),
    append({"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}, "process", "rlimits"),
    append({"type": "RLIMIT_CORE", "soft": 2, "hard": 1}, "process", "rlimits"),
    append({"type": "RLIMIT_NOFILE", "soft": 2**40, "hard": 2**40}, "process", "rlimits"),
    set_at("process", "oomScoreAdj", 1001), set_at("process", "oomScoreAdj", -1001), set_at("process", "oomScoreAdj", "5"),
    set_at("process", "user", "uid", -1), set_at("process", "user", "uid", 2**32), set_at("process", "user", "uid", 1.5),
    set_at("process", "user", "uid", 2**32 - 1),
    set_at("process", "env", ["NOEQUALS"]), set_at("process", "env", ["=x"]), set_at("process", "env", [""]),
    append({"destination": "", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "rel", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "/m", "type": "nosuchfs", "source": "x"}, "mounts"),
    append({"destination": "/m", "type": "tmpfs", "source": "x", "options": ["nosuch=1"]}, "mounts"),
    append({"destination": "/m", "type": "bind", "source": "@SLOT@/nosuch", "options": ["bind"]}, "mounts"),
    append({"destination": "/m", "type": "bind", "source": "@SLOT@/src"}, "mounts"),
    append({"destination": "/m", "options": ["bind"]}, "mounts"),
    append({"destination": "/m"}, "mounts"),
    append({"destination": "/proc/version", "type": "bind", "source": "@SLOT@/src/file", "options": ["bind"]}, "mounts"),
    append({"destination": "/proc/meminfo", "type": "bind", "source": "@SLOT@/src/file", "options": ["bind"]}, "mounts"),
    append({"destination": "/proc", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "/", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "/sys/kernel", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "/../../m", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"destination": "/outside/x", "type": "tmpfs", "source": "tmpfs"}, "mounts"),
    append({"path": "dev/x", "type": "c", "major": 1, "minor": 3}, "linux", "devices"),
    append({"path": "/dev/x", "type": "z", "major": 1, "minor": 3}, "linux", "devices"),
    append({"path": "/dev/x", "type": "c"}, "linux", "devices"),
    append({"path": "/dev/x", "major": 1, "minor": 3}, "linux", "devices"),
    append("relative", "linux", "maskedPaths"), append("", "linux", "readonlyPaths"), append("/", "linux", "readonlyPaths"),
    append("/", "linux", "maskedPaths"), append("/data/../tmp", "linux", "maskedPaths"),
    set_at("linux", "rootfsPropagation", "sideways"),
    set_at("linux", "resources", "memory", {"limit": "x"}), set_at("linux", "resources", "memory", {"limit": 4096, "swap": 1024}),
    set_at("linux", "resources", "cpu", {"cpus": "99"}), set_at("linux", "resources", "cpu", {"cpus": "a-b"}),
    set_at("linux", "resources", "cpu", {"mems": "77"}), set_at("linux", "resources", "cpu", {"quota": 5}),
    set_at("linux", "resources", "cpu", {"period": 5}), set_at("linux", "resources", "cpu", {"shares": 1}),
    set_at("linux", "resources", "pids", {"limit": -7}), set_at("linux", "resources", "memory", {"swappiness": 101}),
    set_at("linux", "resources", "memory", {"swap": 2**30}), set_at("linux", "resources", "memory", {"limit": 2**62}),
    set_at("linux", "resources", "hugepageLimits", [{"pageSize": "3MB", "limit": 1}]),
    set_at("linux", "resources", "blockIO", {"weight": 1}), set_at("linux", "resources", "devices", [{"allow": True, "type": "z"}]),
    set_at("linux", "resources", "devices", [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "q"}]),
    set_at("linux", "resources", "devices", [{"allow": False, "type": "c", "major": 1, "access": "rwm"},
                                             {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}]),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_NOSUCH"}), set_at("linux", "seccomp", {}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NOSUCH"]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["NOSUCH"]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["times"], "action": "SCMP_ACT_NOSUCH"}]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["times"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["times"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NOSUCH"}]}]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["times"], "action": "SCMP_ACT_NOTIFY"}]}),
    set_at("linux", "seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}),
    set_at("linux", "personality", {"domain": "NOSUCH"}), set_at("linux", "personality", {"domain": "LINUX", "flags": ["X"]}),
    set_at("process", "apparmorProfile", "nosuch"), set_at("process", "selinuxLabel", "a:b:c:d"), set_at("linux", "mountLabel", "a:b:c:d"),
    set_at("linux", "intelRdt", {"closID": "x", "l3CacheSchema": "L3:0=f"}),
    set_at("ociVersion", "9.0.0"), set_at("ociVersion", ""), set_at("ociVersion", "abc"), remove("ociVersion"),
    set_at("unknownProperty", {"x": 1}), set_at("linux", "unknownProperty", 1), set_at("process", "unknownProperty", [1]),
    set_at("hostname", "h" * 65), set_at("hostname", 5), set_at("domainname", "d" * 65), set_at("process", "args", "inspect"),
    set_at("mounts", {}), set_at("linux", "namespaces", {}), set_at("process", "terminal", True),
    set_at("process", "args", ["/bin/inspect", None]), set_at("annotations", {"": "empty"}), set_at("annotations", {"k": 5}),
    set_at("hooks", {"createRuntime": [{"path": "relative"}]}), set_at("hooks", {"createRuntime": [{"args": ["x"]}]}),
    set_at("hooks", {"poststart": [{"path": "@SLOT@/inspect", "timeout": -1}]}),
    set_at("hooks", {"createRuntime": [{"path": "@SLOT@/inspect", "timeout": 0}]}),
    set_at("linux", "sysctl", {"nosuch": "1"}), set_at("linux", "sysctl", {"": "1"}), set_at("linux", "sysctl", {"net.ipv4": "1"}),
    set_at("linux", "timeOffsets", {"boottime": {"secs": 5}}),
    set_at("process", "scheduler", {"policy": "SCHED_NOSUCH"}), set_at("process", "ioPriority", {"class": "NOSUCH", "priority": 1}),
    set_at("process", "ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}),
]


def broken(r, c):
    r.choice(BROKEN)(r, c)


PARTS = [(namespaces, .45), (user_namespace, .2), (binds_of_host, 1), (user, .35), (capabilities, .4), (rlimits, .25), (process, .5), (mounts, .35), (paths, .2),
         (rootfs, .2), (devices, .2), (device_rules, .2), (resources, .35), (cgroup_view, .5), (seccomp, .25), (sysctl, .2), (hooks, .2),
         (time_namespace, .03)]
WRONG = [(bad_program, .12), (broken, .4)]


def generate(seed):
    r = random.Random(seed)
    r.wrong = r.random() < 0.3
    c = base(r)
    for part, chance in PARTS + r.wrong * WRONG:
        if r.random() < chance:
            part(r, c)
    return c


def confined(c):
    """Whether it stays in its root file system and its cgroup, whatever else is wrong with it."""
    root, linux = c.get("root"), c.get("linux")
    return isinstance(root, dict) and isinstance(linux, dict) and linux.get("cgroupsPath") == "@CGROUP@" and \
        str(root.get("path")).startswith(("@SLOT@/", "../rootfs"))


def orders(c, hierarchies):
    """The lines of /inspect.list; c may be any document, a broken one too."""
    out = []

    def get(kind, *keys):
        at = c
        for k in keys:
            at = at.get(k) if isinstance(at, dict) else None
        return at if isinstance(at, kind) else kind()

    dests = [m["destination"] for m in get(list, "mounts") if isinstance(m, dict) and isinstance(m.get("destination"), str)]
    if "/cg" in dests:
        out += ["cgroup /cg%s@CGROUP@" % h for h in hierarchies]
    for key in get(dict, "linux", "sysctl"):
        out.append("sysctl /proc/sys/" + (key.replace(".", "/") if "/" not in key else key))
    for key in ("maskedPaths", "readonlyPaths"):
        out += ["path " + p for p in get(list, "linux", key) if p.startswith("/") and p != "/"]
    for d in get(list, "linux", "devices"):
        safe = (d.get("major"), d.get("minor")) in ((1, 3), (1, 5), (1, 9)) and d.get("type") in ("c", "u")
        out.append(("open " if safe else "path ") + d.get("path", ""))
    kernel = [m.get("destination") for m in get(list, "mounts") if isinstance(m, dict) and (
        m.get("type") in ("proc", "sysfs", "cgroup") or str(m.get("source")).startswith(("/proc", "/sys", "/dev")))]
    out += ["list " + d for d in sorted(set(dests) - set(kernel)) if d.startswith("/") and len(d) > 1 and
            d.split("/")[1] not in ("proc", "sys", "cg", "dev")]
    out.append("top /")
    if get(dict, "linux", "seccomp"):
        out.append("calls")
    return out
