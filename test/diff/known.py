"""known.py: where berth may differ from another runtime, and why.

A row of a peer names the fields (a regular expression for all of the name), the
condition on document and values, and the reason. `d` is the document, `b` and
`t` what berth and the peer print for the field (None: nothing), `m` the match
of the field, `err` the peer's words on stderr and `us` berth's.
"""
import collections
import posixpath
import re

import gen

Row = collections.namedtuple("Row", "field when reason")


def get(d, *keys):
    for k in keys:
        d = d.get(k) if isinstance(d, dict) else None
    return d


def same_but(b, t, *patterns):
    """The values are equal after these changes to both."""
    if b is None or t is None:
        return False
    for pattern, to in patterns:
        b, t = re.sub(pattern, to, b), re.sub(pattern, to, t)
    return b == t


def place(path):
    """Without the links of the root file system (run)."""
    return re.sub("^/abs(?=/|$)", "/tmp", re.sub("^/link(?=/|$)", "/data", posixpath.normpath(path or "/")))


def mount_of(d, at):
    """The last mount of the document there."""
    found = [x for x in get(d, "mounts") or [] if place(x.get("destination", "")) == place(at)]
    return found[-1] if found else {}


def options(d, at=None):
    """All options of all mounts, or of those there."""
    return {o for x in get(d, "mounts") or [] if at is None or place(x["destination"]) == place(at) for o in x.get("options") or []}


def above(d, at):
    """The mounts there and above."""
    return [x for x in get(d, "mounts") or [] if (place(at) + "/").startswith(place(x["destination"]).rstrip("/") + "/")]


def hidden_readonly(d, at=None):
    """There is a read-only tmpfs that a later mount hides: there, or anywhere."""
    found = [place(x["destination"]) for x in d["mounts"]]
    return any(x.get("type") == "tmpfs" and "ro" in (x.get("options") or []) and (at is None or place(at) == found[i]) and
               any((found[i] + "/").startswith(over + "/") for over in found[i + 1:]) for i, x in enumerate(d["mounts"]))


def types(d, at):
    return {x.get("type") for x in get(d, "mounts") or [] if place(x.get("destination", "")) == place(at)}


def last(value):
    return (value or "").split("\n")[-1]


# What an option of a mount is taken back or given by.
UNDO = {"nosuid": {"suid"}, "nodev": {"dev"}, "noexec": {"exec"}, "ro": {"rw"}, "rw": {"ro"}, "nodiratime": {"diratime"},
        "noatime": {"atime", "strictatime", "relatime", "nostrictatime", "norelatime"}, "relatime": {"noatime", "strictatime", "norelatime"}}


def taken_back(d, at, b, t):
    """What only the peer's mount has is what an option takes back."""
    more = set(t.split()[3].split(",")) - set(b.split()[3].split(","))
    if "rrelatime" in options(d, at):
        more.discard("nosymfollow")  # crun 1.8 takes the one for the other
    if "noatime" in b.split()[3].split(","):
        more.discard("relatime")  # the kernel's default, where that of the source is lost
    return all(UNDO.get(word, set()) & {o[1:] if o in gen.REC_OPTIONS and o != "ro" else o for o in options(d, at)} for word in more)


SUPER = (r"(?m) r[ow]((?:,\S*)? on \S+)$", r" \1")  # read-only or not: of the file system
OPTIONS = (r"(?m)(?<= r[ow])(,\S+)?(?=  | \w+ r[ow][, ])", "")  # of the mount, but for that
TAGS = (r" (shared|unbindable) ", "  ")
MODE = (r"(?m)^4\d+", "")
WRITE = (r"write \w+", "")


def masked(d, at):
    return at.replace("/PID/", "/self/") in (get(d, "linux", "maskedPaths") or [])


def below(d, at, kind):
    """A mount of that kind there or above."""
    return any(x.get("type") == kind for x in above(d, at))


def userns(d):
    return any(n.get("type") == "user" for n in get(d, "linux", "namespaces") or [])


def same_lines(value):
    """The different lines, but for what may be done with a device."""
    return sorted(set(re.sub("(read|write) (ok|EPERM)", "", value).split("\n")))


def lines(value):
    """The lines, but for what read-only file systems are told by."""
    return set(re.sub(*WRITE, re.sub(*SUPER, value)).split("\n"))


def once(value, *patterns):
    """The different lines after these changes."""
    for pattern, to in patterns:
        value = re.sub(pattern, to, value)
    return set(value.split("\n"))


def every_device(d):
    """No rule forbids all devices."""
    return all(x["allow"] or "major" in x for x in get(d, "linux", "resources", "devices") or [])


def default_listed(d):
    """A device of /linux/devices is one that every container has."""
    return any(x.get("path") in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
               for x in get(d, "linux", "devices") or [])


def own_rule(d):
    """A default device that the document lists has a rule there, or one of its kind has."""
    return any(x.get("type") == "c" and x.get("major") in (1, 5) for x in get(d, "linux", "resources", "devices") or [])


def hook_timeout(d):
    """A hook has a timeout."""
    return any("timeout" in x for kind in get(d, "hooks").values() for x in kind)


def hook_words(d, b, t, m):
    """A hook was told the same, but for what crun adds and how far it says to be."""
    return same_but(b, t, (r', "root": "[^"]*"', ""), (r'"status": "creat(ing|ed)"', ""), (r"cwd [^,]*", ""), (r'"bundle": "[^"]*"', ""),
                    (r'"pid": (0|"a pid")', ""), (r", env .*" if "env" not in d["hooks"][m[1]][int(m[2])] else "$^", ""))


def shared_root(d):
    return get(d, "linux", "rootfsPropagation") in ("shared", "rshared")


def as_peers(d, b, t, *patterns):
    """Of bound files as many or more are in sight with the peer; they are the same but for what a peer's own are."""
    b, t = ({re.sub("|".join((r" (shared)? ?r[ow](?=,)", r" on \S+$", "(?<=write )EPERM|(?<=write )ok") + patterns), "", x)
             for x in value.split("\n")} for value in (b, t))
    return b == t


def null_changed(d):
    return any(x.get("path") == "/dev/null" for x in get(d, "linux", "devices") or []) or below(d, "/dev/null", "bind")


RUNC = [
    Row(r"fd\.[012]", lambda d, b, t, m, err, us: t.startswith(" type 10000 ") and b.startswith("/run/diff/"),
        "a foreground container has the caller's own descriptors; runc puts pipes between"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: masked(d, m[1]) and last(b).startswith("tmpfs dev /null ") and "/null " in last(t),
        "a masked file is the host's null device, which the container cannot replace; runc takes the container's"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and null_changed(d) and "/etc/passwd" in get(d, "linux", "maskedPaths") and
        "bufio.Scanner: token too long" in err,
        "a masked file is the host's null device, which the container cannot replace; runc takes the container's"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: not mount_of(d, m[1]).get("source") and
        same_but(b, t, (r"^(\S+) \S* ", r"\1 ")),
        "a mount without a source has its type as the source, as in crun and util-linux; runc's is empty"),
    Row("outcome|exit", lambda d, b, t, m, err, us: re.search("/proc/(self/fd|sys/\\S+): no such file", err) and mount_of(d, "/proc").get("type") != "proc",
        "runc needs a /proc in the container, to close descriptors and to write sysctls"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/linux/sysctl/\S+: sysctl '\S+' is given twice", us),
        "a sysctl under two names is an error; runc sets both, in an order of its own"),
    Row("outcome|exit", lambda d, b, t, m, err, us: b in ("refused", "1") and "ociVersion" not in d and "/ociVersion: is missing" in us,
        "the specification requires ociVersion; runc does not look"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/process/args/\d+: must be a string, not null", us),
        "the specification: an argument is a string; Go takes null for an empty one"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "tmpcopyup: failed to copy" in err and
        (get(d, "linux", "uidMappings") or re.search("lchown .*: no such file", err)),
        "tmpcopyup copies all that can be made there; runc fails at a device where none can, and at a FIFO, a socket or a character device everywhere"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "" in (get(d, "annotations") or {}),
        "the specification: keys of annotations must not be empty; runc does not look"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and 'namespace {\\"time' in err,
        "runc 1.1 knows no time namespaces"),
    Row("outcome|exit", lambda d, b, t, m, err, us: b != "refused" and "but no uid mappings found" in err and
        any(n.get("path") for n in get(d, "linux", "namespaces") if n["type"] == "user"),
        "a joined user namespace has its maps; runc 1.1 wants them again"),
    Row("sched", lambda d, b, t, m, err, us: get(d, "process", "scheduler") and t.startswith("policy 0 flags 0 nice 0"),
        "runc 1.1 knows no process.scheduler"),
    Row("ioprio", lambda d, b, t, m, err, us: get(d, "process", "ioPriority"),
        "runc 1.1 knows no process.ioPriority"),
    Row("domainname", lambda d, b, t, m, err, us: b == d.get("domainname") and t == "(none)",
        "runc 1.1 knows no domainname"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/(process/(scheduler|ioPriority)|linux/timeOffsets|domainname|linux/personality)\b", us),
        "what the specification got since 1.1 is checked; runc 1.1 does not know it"),
    Row(r"cgroup\.memory\.kmem\.tcp\.limit_in_bytes", lambda d, b, t, m, err, us: get(d, "linux", "resources", "memory", "kernelTCP"),
        "runc 1.1 leaves out kernelTCP with the rest of kernel memory; the controller has it"),
    Row(r"(at|dev|list|top)\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[2]).get("type") == "mqueue" and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")) and
        same_but(b, t, (r":65534\b", ":0"), (r"^(.*)\n\1$" if "/" in get(d, "linux", "readonlyPaths") else "($^)", r"\1")),
        "with runc, the group of the message queues is one that the user namespace does not have"),
    Row(r"(at|path|list|dev|open)\.(.*)", lambda d, b, t, m, err, us: masked(d, m[2]) and null_changed(d),
        "a masked file is the host's null device, also where the document makes another thing of the container's"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: below(d, m[1], "cgroup") and
        same_but(b, t, (r"(?<= r[ow]),[a-z,]*", "")),
        "the hierarchies of a cgroup mount have nosuid, nodev and noexec and no other options; runc takes the ones given where there is no cgroup namespace"),
    Row(r"(at|path|list|dev|open|top)\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[2]).get("type") == "cgroup" and
        b.startswith("40755") and same_but(b, t, (r"(?m)^\d+", ""), (r"write (ok|EACCES|EROFS)", "")),
        "the directory of a cgroup mount has mode 755; runc takes that of what it covers"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: {"bind", "rbind"} & options(d, m[1]) and
        same_but(b, t, (r"(?<=r[ow]),[a-z,]*", "")) and (len(b) > len(t) or ",noatime" in b and ",noatime" not in t or
        {"suid", "dev", "exec", "atime", "diratime", "nostrictatime", "relatime", "norelatime", "strictatime"} & options(d, m[1])),
        "a bind mount keeps the restrictions of its source unless an option lifts them; runc drops all when there is any option"),
    Row(r"hook\.poststop-\d", lambda d, b, t, m, err, us: same_but(b, t, (r'"pid": (0|null)', "")),
        "a stopped container has the pid 0 in its state; runc leaves it out"),
    Row(r"hook\.poststart-\d", lambda d, b, t, m, err, us: same_but(b, t, (r'"status": "(created|running)"', "")),
        "the specification: poststart hooks see a container that is running; runc 1.1 says created"),
    Row("machine|personality", lambda d, b, t, m, err, us: get(d, "linux", "personality", "domain") == "LINUX32",
        "runc 1.1 knows no personality"),
    Row(r"call\.\d+\.no such call", lambda d, b, t, m, err, us: b == "38 ENOSYS" and
        "SCMP_ARCH_X86_64" not in (get(d, "linux", "seccomp", "architectures") or []),
        "calls newer than the filter are ENOSYS, so that libraries fall back; runc forgets it where the own architecture is not listed"),
    Row(r"mount\./", lambda d, b, t, m, err, us: (get(d, "linux", "rootfsPropagation") or "") in ("shared", "rshared", "unbindable", "runbindable") and
        same_but(b, t, (" (shared|unbindable) ", "  ")),
        "the specification: rootfsPropagation is that of the container's root; runc sets it on the host's side only"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: same_but(b, t, (r" (ro|rw),", " "), ("write (ok|EROFS)", "")) and
        any(x["type"] == "cgroup" and "ro" in x["options"] for x in above(d, m[2]) if place(x["destination"]) == place(m[2])),
        "the directory of a read-only cgroup mount is read-only too"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '\\S+': read-only file system", us) and
        any(x.get("type") == "cgroup" and "ro" in x["options"] for x in above(d, re.search(r"device '(\S+)'", us)[1])),
        "the directory of a read-only cgroup mount is read-only too: a device cannot be made in it"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: t.startswith("cgroup ") and same_but(b, t, (" unbindable ", "  "), ("^cgroup (systemd|cgroup) ", "")) and
        any(x.get("type") == "cgroup" and {"unbindable", "runbindable"} & set(x["options"]) for x in above(d, m[1])),
        "the propagation of a cgroup mount is that of its hierarchies too; runc leaves out this one"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("data: .*defaults", err),
        "'defaults' is an option of the specification; runc 1.1 hands it to the file system"),
    Row("outcome|exit", lambda d, b, t, m, err, us: "seccomp flags are not yet supported" in err,
        "this runc knows no seccomp flags"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "duplicate rlimit" in us,
        "the specification: the same limit twice is an error; runc takes the last"),
    Row(r"(at|list|path|top|dev)\.(.*)", lambda d, b, t, m, err, us: any(
        x.get("type") == "tmpfs" and any(o.startswith("mode=") for o in x.get("options") or [])
        for x in above(d, m[2])) and (b == "EACCES" or b is None and m[1] == "list" or same_but(b, t, (r"(?m)^4\d+", ""), (r"write \w+", ""))),
        "the mode that a tmpfs is mounted with counts; runc gives it that of the directory below"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("mounting ..(proc|sysfs).. to rootfs .*(/proc/self|procfd|must be|/tmp/)", err) and
        any(x.get("type") in ("proc", "sysfs") and place(x["destination"]) != x["destination"] for x in d["mounts"]),
        "a mount point behind a link of the image is made inside the root, for proc and sysfs too"),
    Row("groups|status.Groups", lambda d, b, t, m, err, us: sorted(set(b.split())) == sorted(t.split()),
        "a group that is listed twice is set twice, as in crun; runc leaves one out"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search(r"flags: 0x[0-9a-f]+: operation not permitted|error mounting \S+ to rootfs at \S+: operation not permitted", err) and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")),
        "in a user namespace the flags of a bind mount's source that are locked are kept; runc 1.1 fails"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "error creating device nodes: mount" in err and
        get(d, "linux", "uidMappings") and any(x.get("type") == "p" for x in get(d, "linux", "devices") or []),
        "a FIFO can be made in a user namespace; runc binds one of the host's"),
    Row(r"sysctl\..*/forwarding", lambda d, b, t, m, err, us: "net.ipv4.ip_forward" in (get(d, "linux", "sysctl") or {}),
        "a sysctl that sets others: in the order of the document; runc has an order of its own every time"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: "/" in (get(d, "linux", "readonlyPaths") or []) and
        b and t and lines(b) <= lines(t),
        "the root as a read-only path becomes read-only itself; runc also puts a mount on it that nobody sees"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: b and t and {re.sub(r" on \S+$", "", x) for x in b.split("\n")} ==
        {re.sub(r" on \S+$", "", x) for x in t.split("\n")} and
        len([x for x in get(d, "linux", "maskedPaths") or [] if place(x) == place(m[2])]) > 1,
        "a path that is masked by two names is masked twice"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: get(d, "linux", "uidMappings") and b and t and b != t and
        sorted(b.split("\n")) == sorted(t.split("\n")),
        "binds into a user namespace are opened first, by the caller: the order of mount ids, not of what covers what"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: shared_root(d) and (masked(d, m[2]) or m[2].startswith("/dev/")) and
        re.match("tmpfs dev /|20666 ", b) and b.count("\n") <= t.count("\n") and as_peers(d, b, t),
        "a bound file is no peer of the host's, and what is mounted on it is on no other; runc's are where the container's root is shared"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("open /proc/sys/\\S+: read-only file system", err) and
        "ro" in options(d, "/proc") and get(d, "linux", "sysctl"),
        "sysctls are set also where the container's own /proc is read-only; runc writes through that one"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "tmpcopyup: failed to setup tmpdir: mount" in err and
        "unbindable" in get(d, "linux", "rootfsPropagation"),
        "runc cannot bind in a mount namespace that it has made unbindable"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("mount /\\S+, flags: 0x[0-9a-f]+: (invalid argument|no such file)", err) and
        hidden_readonly(d),
        "a read-only tmpfs becomes so by its descriptor, whatever hides it; runc looks for its name at the end"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: any("rnorelatime" in (x.get("options") or []) for x in above(d, m[1])) and
        same_but(b, t, (",(relatime|noatime)", "")),
        "rnorelatime gives the kernel's default, as ratime does; runc 1.1 asks the kernel for nothing"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: hidden_readonly(d, m[2]) and
        same_but(b, t, (r" r[ow](,\S+)? ", " "), SUPER, WRITE, (r"^tmpfs \S* ", ""), (r",mode=\d+", "")),
        "a read-only tmpfs is that tmpfs, not what is mounted over it later, which runc makes read-only"),
    Row("exit", lambda d, b, t, m, err, us: "open /dev/tty: no such device" in err,
        "runc wants a terminal of its own for one in the container"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "a bind mount needs it" in us,
        "a bind mount without a source is an error; runc binds the bundle"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search(r"stat \S*/bundle/none: no such|final child's PID", err) and
        any("remount" in (x.get("options") or []) for x in d["mounts"]),
        "a remount has no source, whatever is written there; runc looks for it"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "no such device" in err and
        any(x.get("type") == "bind" and not {"bind", "rbind"} & set(x.get("options") or []) for x in d["mounts"]),
        "a mount of the type bind is a bind mount without the option too; runc asks the kernel for a file system of that name"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: "tmpfs" in types(d, m[1]) and
        same_but(b, t, (r"^tmpfs \S* ", ""), (r",mode=\d+", "")),
        "the mode of a tmpfs is an option of its mount; runc changes it afterwards"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: "tmpfs tmpfs /" in b and below(d, m[1], "tmpfs") and same_but(b, t, (r",mode=\d+", "")),
        "the mode of a tmpfs is an option of its mount; runc changes it afterwards"),
    Row(r"cgroup\.cpu\.(cfs_burst_us|idle)", lambda d, b, t, m, err, us: b == str(get(d, "linux", "resources", "cpu", "burst" if "burst" in m[1] else "idle")),
        "runc 1.1 knows no cpu.burst and cpu.idle"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/cpu/quota: write " in us and
        get(d, "linux", "resources", "cpu", "burst") > get(d, "linux", "resources", "cpu", "quota"),
        "the kernel has no burst above the quota; runc 1.1 knows no cpu.burst"),
    Row(r"env\.\d+", lambda d, b, t, m, err, us: (b, t) == ("HOME=/", "HOME=") and mount_of(d, "/etc/passwd"),
        "a user that /etc/passwd does not list has the home /; runc says nothing where the file has no valid line"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("flags: 0x[0-9a-f]+: invalid argument", err) and
        any(n["type"] == "user" for n in get(d, "linux", "namespaces")),
        "in a user namespace a bind of a directory with mounts below works; runc 1.1 lets the container's own rights decide"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and null_changed(d) and
        re.search("reopening /dev/null inside container|container process is already dead|^(?!.*level=error)", err, re.S),
        "runc needs a working /dev/null in the container"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "reopening /dev/null inside container: open /dev/null: permission denied" in err and
        "nodev" in options(d, "/dev"),
        "runc needs a working /dev/null in the container, which it is not on a /dev with nodev"),
    Row("exit", lambda d, b, t, m, err, us: b == "1" and t == "timeout" and null_changed(d) and "container process is already dead" in err,
        "runc needs a working /dev/null in the container"),
    Row("exit", lambda d, b, t, m, err, us: b == "1" and t == get(d, "process", "args")[1] and not err.strip() and
        any(x["path"] == "/dev/null" and x["type"] == "p" for x in get(d, "linux", "devices")),
        "berth refuses the document; runc takes a FIFO at /dev/null for where standard files of the type of a FIFO lead, and puts it there"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '\\S+': file exists", us),
        "the specification: another file in the place of a device is an error; runc leaves it there"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "unable to setup user: chown" in err and get(d, "linux", "seccomp"),
        "the filter goes on last; runc without noNewPrivileges puts itself under it before it is done"),
    Row(r"hook\.(order|poststop-\d)", lambda d, b, t, m, err, us: len(get(d, "hooks", "poststop") or []) > 1 and
        "poststop hook" in us and t in (None, b.split("\n")[0], b.rsplit("\n", 1)[0]),
        "the specification: after a failing poststop hook the others still run; runc ends there"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/linux/resources/blockIO" in us,
        "a weight that cannot be is an error that names it; runc leaves it out where the controller has no file for it"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "unbindable" in (get(d, "linux", "rootfsPropagation") or "") and
        re.search("rootfs, flags: 0x5000: invalid argument", err),
        "runc cannot bind a root file system that it has made unbindable"),
    Row(r"mount\..*", lambda d, b, t, m, err, us: (get(d, "linux", "rootfsPropagation") or "") in ("shared", "rshared") and
        same_but(b, t, (" shared ", "  ")),
        "only the container's root and what asks for it is shared, not every mount made below it"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: shared_root(d) and t.startswith("cgroup systemd ") and
        same_but(b, t, (" shared ", "  "), ("^cgroup (systemd|cgroup) ", "")),
        "the hierarchies of a cgroup mount are binds, and shared where the container's root is; runc's with a cgroup namespace are none"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '.*': no such device", us) and userns(d),
        "in a user namespace a device is the host's of that path, and an error where that is another; runc takes what is there"),
    Row(r"cgroup\.cpu\.shares", lambda d, b, t, m, err, us: b == "3" and get(d, "linux", "resources", "cpu", "idle") == 1,
        "runc 1.1 knows no cpu.idle, with which the kernel shows 3 shares"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "invalid cross-device link" in us and
        any(x.get("type") == "proc" or x.get("source") == "/proc" for x in d["mounts"]
            if (place(re.search(r"on '([^']*)'.*: invalid", us)[1]) + "/").startswith(place(x["destination"]) + "/")),
        "nothing is mounted on a procfs but the files of lxcfs, whatever its mount point is"),
    Row("outcome", lambda d, b, t, m, err, us: "error running poststart hook" in us and "error running hook" in err,
        "the program may have printed before a poststart hook failed"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "invalid argument" in err and
        any({"ratime", "rnorelatime", "rnostrictatime"} & set(x.get("options") or []) for x in d["mounts"]),
        "these are options of the specification that give relatime; runc 1.1 hands the kernel what it refuses"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/access: " in us,
        "an access that is none of r, w, m is an error; runc takes it for none"),
    Row("outcome|exit", lambda d, b, t, m, err, us: get(d, "linux", "seccomp") and (
        t == "159" or re.search(r"(?m)^rax |signal: bad system call|fork/exec /bin/inspect: ", err)),
        "the filter goes on last; runc without noNewPrivileges puts itself and startContainer hooks under it"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(
        r"id mappings need a user namespace|/linux/devices/\d+/path: .* must be an absolute path|write '0' to memory.use_hierarchy", us),
        "what cannot be had is an error that names it; runc leaves it out"),
    Row("outcome|exit", lambda d, b, t, m, err, us: re.search("error adding seccomp (filter )?rule .*: file exists", err),
        "a rule that is there already adds nothing; runc fails"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: re.match("(sysfs|proc|mqueue) ", b) and same_but(b, t, SUPER),
        "a read-only file system of a namespace is so as a mount, for the sake of others in the namespace, as with crun"),
    Row(r"at\.(.*)", lambda d, b, t, m, err, us: any(below(d, m[1], k) for k in ("sysfs", "proc", "mqueue")) and
        b != t and same_but(b, t, (r"write (ok|EROFS|EACCES)", "")),
        "a read-only file system of a namespace is so as a mount, for the sake of others in the namespace, as with crun"),
    Row(r"(dev|path|open|list|top|at)\..*", lambda d, b, t, m, err, us: default_listed(d) and same_but(b, t, (r"(read|write) (ok|EPERM)", "")),
        "the specification: devices that are listed are available; runc then takes a default one off those that are allowed"),
    Row(r"cgroup\.devices\.list", lambda d, b, t, m, err, us: default_listed(d) and same_but(b, t, (r"c (1:[35789]|5:0) rwm\|?", "")),
        "the specification: devices that are listed are available; runc then takes a default one off those that are allowed"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "the domain name is set by /domainname" in us,
        "a domain name as a field and as a sysctl is an error, as in crun; runc 1.1 knows no domainname"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("/ociVersion: |(defaultAction|major): is missing|(Paths/\\d+|syscalls/\\d+/names): must not be empty|"
        "Paths/\\d+: '\\S+' must be an absolute path", us),
        "a version that is none or another, and what is required and missing or empty, is an error; runc does not look"),
    Row("exit", lambda d, b, t, m, err, us: b == "159" and err.strip(),
        "berth ran the program, which its filter killed; runc was not able to start it"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search(r"mounting .*cgroup.*(/link.*file exists|/abs/.*procfd: .*no such file)", err),
        "a mount point behind a link of the image is made inside the root, for cgroup too"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search('mounting ..(sysfs|mqueue).*resource busy', err),
        "a mount may be on another of the same; with mount(2) the kernel refuses that for one file system"),
    Row(r"(mount|at|dev|list|top)\.(.*)", lambda d, b, t, m, err, us: below(d, m[2], "cgroup") and
        any(n["type"] == "cgroup" and "path" in n for n in get(d, "linux", "namespaces")),
        "a cgroup mount is the container's own cgroup, unless its namespace begins there; runc mounts what a joined namespace has"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "cannot be granted" in us and "operation not permitted" in err,
        "the specification: a capability that the caller does not have is a warning; runc and crun end there"),
]

# Of crun only what it alone does, and is not runc's as well: crun 1.8.1 is the peer.
CRUN = [
    # -- whether it runs, and how it ends
    Row(r"exit", lambda d, b, t, m, err, us: t == "255",
        "crun ends with 255 where docker and podman look for runc's 1, 126 and 127"),
    Row("left", lambda d, b, t, m, err, us: b is None and "cgroup " in t,
        "a container that could not start leaves nothing behind; crun leaves its cgroups"),
    Row("left", lambda d, b, t, m, err, us: b is None and re.fullmatch(r"/run/diff/state-crun-\d/c\d", t) and re.search("post(start|stop) hook", us),
        "a failing hook of the end is an error or a warning; in crun it keeps the container from being deleted"),
    Row("exit", lambda d, b, t, m, err, us: t == "-13" and get(d, "hooks") and re.search("error running (prestart|createRuntime|poststart|poststop) hook", us),
        "a failing hook is an error; crun 1.8 now and then dies of SIGPIPE, since its other process has gone"),
    Row("exit", lambda d, b, t, m, err, us: t == "timeout" and hook_timeout(d) and (not err.strip() or "timeout expired for" in err),
        "a hook that has ended is not waited for; where the container ends at the same time crun 1.8 gets one SIGCHLD for both, and waits on"),
    Row("hook.order", lambda d, b, t, m, err, us: hook_timeout(d) and (b.startswith(t + "\npoststart") or t.startswith(b + "\n") and
        set(re.sub(r"-\d", "", t[len(b) + 1:]).split("\n")) == {"poststop"}),
        "a hook that has ended is not waited for; where the container ends at the same time crun 1.8 gets one SIGCHLD for both, and waits on"),
    Row(r"hook\.(poststop)-(\d)", lambda d, b, t, m, err, us: hook_timeout(d) and len(set(t.split("\n"))) == 1 and
        hook_words(d, b, t.split("\n")[0], m),
        "a hook that has ended is not waited for; where the container ends at the same time crun 1.8 gets one SIGCHLD for both, and waits on"),
    Row("exit", lambda d, b, t, m, err, us: t == "timeout" and userns(d) and any(n["type"] == "time" for n in get(d, "linux", "namespaces")) and
        any("path" in n for n in get(d, "linux", "namespaces") if n["type"] == "user"),
        "with a joined user namespace and a time namespace both processes of crun 1.8 wait for the other"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and ("`pids.max`: Invalid" in err and get(d, "linux", "resources", "pids", "limit") <= 0 or
        "`cpu.cfs_quota_us`: Numerical" in err and get(d, "linux", "resources", "cpu", "quota") == -1 or
        re.search("`memory.*: (Invalid|Device or resource busy)|OOM: the memory limit", err) and 0 in get(d, "linux", "resources", "memory").values()),
        "0 and -1 are limits that are not set; crun 1.8 writes them as they are"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("`devices.(allow|deny)`: Invalid", err) and
        any(-1 in (x.get("major"), x.get("minor")) for x in get(d, "linux", "resources", "devices")),
        "a number of -1 stands for all; crun writes it as it is"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "`blkio.weight`" in err and get(d, "linux", "resources", "blockIO", "weight"),
        "a weight is that of the scheduler that there is, blkio.bfq.weight; crun 1.8 knows only the old one"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "it must be mounted at the root" in err,
        "the specification: a mount point may be anywhere; crun wants proc and sysfs in the root directory"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search(r"mount `.*: Invalid argument", err) and
        {"iversion", "noiversion", "loud", "silent"} & options(d),
        "these are options of the specification; crun 1.8 hands the file system what it refuses"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "mount_setattr `" in err and
        options(d) & set(gen.REC_OPTIONS),
        "these are options of the specification; crun 1.8 hands the kernel what it refuses"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "open mount target `" in err and "Not a directory" in err and
        options(d) & set(gen.REC_OPTIONS),
        "recursive options on a file are the file's; crun looks for a directory"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "mknod `" in err and
        any((x.get("fileMode") or 0) > 0o7777 for x in get(d, "linux", "devices")),
        "fileMode has the permissions; crun takes a type in it for the device's"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "openat2 `outside`" in err and
        any(x["destination"].startswith("/outside") for x in d["mounts"]),
        "a mount point behind a link that leads nowhere is made inside the root, as in runc"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and get(d, "hooks") and "seccomp" in d["linux"] and
        ("sigtimedwait: Operation" in err or "error executing hook" in err or get(d, "hooks", "startContainer") and not err.strip()),
        "the filter goes on last; crun runs startContainer hooks under it"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and re.search("(failed open\\(\\)ing|mknod) ./?dev/\\w+.?: Operation not permitted", err) and
        any(not x["allow"] and "minor" not in x and x.get("major") in (1, 5) for x in get(d, "linux", "resources", "devices")),
        "the default devices are allowed whatever rules there are for more; crun leaves them forbidden, and needs them"),
    Row("outcome", lambda d, b, t, m, err, us: b == "ran" and "timeout expired for" in err and hook_timeout(d),
        "a hook that has ended is not waited for; where the container ends at the same time crun 1.8 gets one SIGCHLD for both, and waits on"),
    Row("exit", lambda d, b, t, m, err, us: "159" in (b, t) and (us + err).strip(),
        "one of them ran the program, which its filter killed; the other refused the document"),
    Row("exit", lambda d, b, t, m, err, us: (b, t) == ("1", "0") and "error executing hook" in err,
        "a failing hook is an error; crun 1.8 may end with 0 then"),
    Row("exit", lambda d, b, t, m, err, us: t == "1" and "timeout expired for" in err and hook_timeout(d),
        "a hook that has ended is not waited for; where the container ends at the same time crun 1.8 gets one SIGCHLD for both, and waits on"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("listenerPath: is missing|because it is inside /proc", us),
        "what would not do what it says, or hide the kernel's files, is an error, as in runc; crun does not look"),
    Row("exit", lambda d, b, t, m, err, us: b == "1" and t in ("0", "1", "7", "255") and "error running poststart hook" in us,
        "a failing poststart hook is an error, as in runc; in crun it is a warning"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "error running poststart hook" in us,
        "a failing poststart hook is an error, as in runc, which may end the program before it prints; in crun it is a warning"),
    Row(r"hook\.(order|poststart-\d)", lambda d, b, t, m, err, us: "error running poststart hook" in us and
        (b is None or b == re.sub(r"(^|\n)poststart-\d(?=\n)", lambda x: x[0] if x[0].strip() in b.split("\n") else "", t).lstrip("\n")),
        "after a failing poststart hook there are no others, as in runc; crun runs them"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/cpu/quota: write " in us and
        get(d, "linux", "resources", "cpu", "burst") > get(d, "linux", "resources", "cpu", "quota"),
        "the kernel has no burst above the quota; crun 1.8 knows no cpu.burst"),
    Row("exit", lambda d, b, t, m, err, us: t == "125" and "SCMP_ACT_NOTIFY cannot be used for 'write'" in us,
        "nobody could be told that of the one who tells it, as in runc; in crun the program cannot write"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '\\S+': file exists", us),
        "the specification: another file in the place of a device is an error; crun leaves it there"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("(bind '\\S+' on|create device) '\\S+': read-only file system", us) and
        any("ro" in x["options"] for x in above(d, re.search(r" (?:on|device) '(\S+)':", us)[1]) if {"bind", "rbind"} & set(x["options"])),
        "a bind mount is read-only from then on, as in runc, and has no new mount points and devices; in crun it becomes so at the end"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/linux/sysctl/\S+: sysctl '\S+' is given twice", us),
        "a sysctl under two names is an error; crun sets both"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/mounts needs a mount namespace" in us,
        "without a mount namespace there is nothing of its own to mount on, as in runc; crun mounts on the host"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(r"/process/args/\d+: must be a string, not null", us),
        "the specification: an argument is a string; crun takes null for none"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "invalid cross-device link" in us and
        any(x.get("type") == "proc" or x.get("source") == "/proc" for x in above(d, re.search(r"on '([^']*)'.*: invalid", us)[1])),
        "nothing is mounted on a procfs but the files of lxcfs, whatever its mount point is"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("/mounts/\\d+: mount '(sysfs|proc|mqueue)' on .*not permitted", us) and userns(d),
        "a user namespace without the other namespace cannot have one of its own; crun binds the host's"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(
        "/(process/(scheduler|ioPriority)|linux/(intelRdt|mountLabel|rootfsPropagation|timeOffsets|personality|resources/(rdma|unified|memory/swappiness))|annotations/):? ?", us),
        "what cannot be had is an error that names it; crun 1.8 leaves it out"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search(
        "must be a whole number, not a string|/hostname: must be a string, not|must be at most|/timeout: must be greater than 0|"
        "duplicate (namespace|rlimit)|must be an absolute path|no '='|environment variable '=.*': no name|/cpu/shares: the minimum allowed|"
        "(Paths/\\d+|syscalls/\\d+/names): must not be empty|/devices/\\d+/(major: is missing|type: unknown device type)|Mappings: is missing: a new user namespace", us),
        "the specification's types, limits and paths; crun does not look"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "a hole in an earlier rule" in us,
        "with cgroup v1 a rule cannot take back a part of another; crun leaves the whole"),
    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and re.search("create device '.*': no such (device|file)", us) and userns(d),
        "in a user namespace a device is the host's of that path; crun makes one where that is another or none"),

    Row("outcome", lambda d, b, t, m, err, us: b == "refused" and "/" in get(d, "linux", "maskedPaths") and
        re.search(r"exec: .*/usr/bin/inspect: no such file", us),
        "where the root is a masked path a link back to it leads to the mask, as in runc; crun leaves it out"),

    # -- the process
    Row("keyring", lambda d, b, t, m, err, us: same_but(b, t, (r";\d+;\d+;3f1[3b]000[08];(_ses\.)?", "")),
        "the session keyring has runc's name and rights"),
    Row(r"dev\./dev/core", lambda d, b, t, m, err, us: b is None,
        "/dev/core is there if the host has a /proc/kcore"),
    Row(r"env\.\d+", lambda d, b, t, m, err, us: (b, t) == ("HOME=/", None),
        "a user that /etc/passwd does not list has the home /; crun sets none"),
    Row(r"fd\.[012]", lambda d, b, t, m, err, us: same_but(b, t, (r"owner \S+", "")),
        "the user gets the standard files, their group stays; crun changes it too"),
    Row(r"hook\.(\w+)-(\d)", lambda d, b, t, m, err, us: hook_words(d, b, t, m),
        "the state is the specification's and a hook without an environment has the caller's, as with runc; crun has members, a status and a variable of its own"),
    Row(r"signals|status\.S(igBlk|hdPnd)", lambda d, b, t, m, err, us: get(d, "hooks") and t in ("blocked 17 ", "0000000000010000"),
        "the signal mask is the caller's; crun with hooks leaves SIGCHLD blocked"),
    Row("self.timens_offsets", lambda d, b, t, m, err, us: get(d, "linux", "timeOffsets"),
        "crun 1.8 does not set time offsets"),
    Row("sched|ioprio", lambda d, b, t, m, err, us: get(d, "process", "scheduler") or get(d, "process", "ioPriority"),
        "crun 1.8 knows no process.scheduler and no process.ioPriority"),
    Row(r"(cap|status)\..*", lambda d, b, t, m, err, us: t and int(t, 16) == int(b, 16) | 1 and "unknown capability" in us,
        "a capability that there is not is left out; crun takes it for CAP_CHOWN"),
    Row(r"call\.\d+\.no such call", lambda d, b, t, m, err, us: b == "38 ENOSYS",
        "calls newer than the filter are ENOSYS, so that libraries fall back; crun does what the filter does with others"),
    Row("prctl.dumpable", lambda d, b, t, m, err, us: "unknown capability" in us,
        "a capability that there is not is left out; crun takes it for CAP_CHOWN"),

    # -- cgroups
    Row(r"(dev|path|open|list|top|at)\.(.*)", lambda d, b, t, m, err, us: default_listed(d) and own_rule(d) and "EPERM" in b and
        same_lines(b) == same_lines(t) and "EPERM" not in t,
        "a default device that the document lists is as its own rules say, as with runc; crun allows it whatever they say"),
    Row(r"cgroup\.devices\.list", lambda d, b, t, m, err, us: default_listed(d) and own_rule(d) and
        same_but(b, t, (r"c (10:200 [rwm]+|5:1 rwm)\|?", ""), (r"c 1:[35789] [rwm]+\|", "")),
        "a default device that the document lists is as its own rules say, as with runc; crun allows it whatever they say"),
    Row(r"cgroup\.cpu\.cfs_burst_us", lambda d, b, t, m, err, us: b == str(get(d, "linux", "resources", "cpu", "burst")) and t == "0",
        "crun 1.8 knows no cpu.burst"),
    Row(r"cgroup\.devices\.list", lambda d, b, t, m, err, us: t == "a *:* rwm" and every_device(d),
        "without a first rule for all a container has the default devices; crun gives it every device of the host"),
    Row(r"(at|dev|open)\.(.*)", lambda d, b, t, m, err, us: every_device(d) and any(x["path"] == m[2] for x in get(d, "linux", "devices")) and
        "EPERM" in b and same_lines(b) == same_lines(t) and "EPERM" not in t,
        "without a first rule for all a container has the default devices; crun gives it every device of the host"),
    Row(r"cgroup\.devices\.list", lambda d, b, t, m, err, us: same_but(b, t, (r"c (10:200 [rwm]+|5:1 rwm)\|?", "")),
        "the default devices are runc 1.1's, with /dev/net/tun and without a console that is not there"),
    Row(r"cgroup\.memory\..*", lambda d, b, t, m, err, us: t == "0" and 0 in get(d, "linux", "resources", "memory").values(),
        "0 is a limit that is not set; crun 1.8 writes it as it is"),

    # -- mounts and what is in them
    Row(r"(mount|at|list|top|path|cgroup)\.(.*)", lambda d, b, t, m, err, us: t in (None, "ENOENT") and userns(d) and any(
        "rbind" in (x.get("options") or []) and (m[1] == "cgroup" and x["source"] == "/sys/fs/cgroup" or
        place(m[2]).startswith(place(x["destination"]) + "/")) for x in d["mounts"]),
        "in a user namespace an rbind mount has what is mounted below it; crun 1.8 leaves that out"),
    Row(r"(at|mount)\.(.*)", lambda d, b, t, m, err, us: b is None and userns(d) and any(
        x["type"] == "sysfs" and {"iversion", "noiversion", "loud", "silent"} & set(x["options"]) for x in above(d, m[2])),
        "these are options of the specification; crun 1.8 hands the file system what it refuses, and in a user namespace then binds the host's"),
    Row(r"(at|mount)\.(.*)", lambda d, b, t, m, err, us: userns(d) and below(d, m[2], "cgroup") and "\n" in b and "\n" not in t and
        any("rbind" in x["options"] for x in above(d, m[2])) and (once(b, MODE, WRITE) == once(t, MODE, WRITE) if m[1] == "at" else
        re.match("tmpfs tmpfs|cgroup cgroup", last(b)) and re.match("(tmpfs|cgroup) (cgroup|/sys/fs/cgroup/)", t)),
        "in a user namespace an rbind mount has what is mounted below it, a cgroup mount covers it; crun 1.8 leaves that out"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: same_but(b, t, TAGS) and any(
        "rbind" in x["options"] and {"shared", "unbindable"} & set(x["options"]) and place(m[1]) != place(x["destination"]) for x in above(d, m[1])),
        "an option for the propagation is that mount's own, and rshared and its like are for those below; crun's with rbind is for all"),
    Row(r"mount\..*", lambda d, b, t, m, err, us: (get(d, "linux", "rootfsPropagation") or "") in ("shared", "rshared") and
        same_but(b, t, TAGS, SUPER, (",size=0k", ""), OPTIONS),
        "only the container's root and what asks for it is shared, not every mount made below it"),
    Row(r"mount\..*", lambda d, b, t, m, err, us: get(d, "linux", "rootfsPropagation") in ("unbindable", "runbindable") and same_but(b, t, TAGS) and " unbindable " in t,
        "only the container's root and what asks for it is unbindable, not every mount made below it"),
    Row(r"mount\./", lambda d, b, t, m, err, us: "/" in get(d, "linux", "maskedPaths") and b == t + "\ntmpfs tmpfs / ro,relatime  ro on /",
        "the root can be a masked path; crun leaves it out"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: masked(d, m[1]) and " /null r" in last(b) and same_but(last(b), last(t), (r" r[ow](?=,)", "")),
        "a masked file is a null device, which anyone may write to; crun's is on a read-only mount"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: shared_root(d) and (masked(d, m[2]) or m[2].startswith("/dev/")) and
        re.match("tmpfs dev /|20666 ", b) and b.count("\n") <= t.count("\n") and
        as_peers(d, b, re.sub(r"tmpfs none /\d+ .*\n", "", t), ",nosuid,noexec(?=,)"),
        "a bound file is no peer of the host's, and what is mounted on it is on no other; crun's are where the container's root is shared"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: m[1].replace("/PID/", "/self/") in (get(d, "linux", "readonlyPaths") or []) and
        re.search("nosuid|nodev|noexec", last(b)) and same_but(last(b), last(t), OPTIONS, SUPER),
        "a read-only path keeps nosuid, nodev and noexec of the mount that it is of; crun drops them"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: any(place(m[2]).startswith(place(x) + "/") for x in
        get(d, "linux", "maskedPaths") + get(d, "linux", "readonlyPaths")),
        "what is below a masked directory nobody sees, and below a read-only one is read-only; crun does it in another order"),
    Row(r"mount\.(/dev/.*)", lambda d, b, t, m, err, us: userns(d) and b.startswith("tmpfs dev ") and
        t.split("\n")[-1].replace(",nosuid,noexec", "").rsplit(" on ")[0] == b.split("\n")[-1].rsplit(" on ")[0],
        "a device of the host that is bound has the mount of /dev; crun has it nosuid and noexec, on a file of its own if the document lists it"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: last(b).startswith("tmpfs tmpfs / ro") and
        re.search(" (shared )?rw,size=0k", t) and any(place(x) == place(m[1]) for x in get(d, "linux", "maskedPaths") or []),
        "the empty directory over a masked one is read-only as a file system, and comes after read-only paths; crun's is so as a mount"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: below(d, m[1], "cgroup") and re.match("tmpfs tmpfs|cgroup cgroup", b) and
        re.match("(tmpfs|cgroup) (cgroup|/sys/fs/cgroup/)", t),
        "a cgroup mount is runc's: nosuid, nodev and noexec whatever is written there; crun's tmpfs and hierarchies have the options given"),
    Row(r"(at|list|top|dev|path)\.(.*)", lambda d, b, t, m, err, us: below(d, m[2], "cgroup") and (
        (b is None and t.endswith(" net_cls,net_prio")) or same_but(b, t, MODE, WRITE)),
        "a cgroup mount is runc's: a directory of mode 755 with the hierarchies; crun's has 1777 and links"),
    Row(r"open\.(.*)", lambda d, b, t, m, err, us: below(d, m[1], "cgroup") and b.endswith(" read EACCES write EACCES") and
        same_but(b, t, (r"(read|write) \w+", "")),
        "a cgroup mount is runc's: nosuid, nodev and noexec whatever is written there; a device works in crun's"),
    Row(r"(at|list|top|dev|path)\.(.*)", lambda d, b, t, m, err, us: "tmpfs" in types(d, m[2]) and
        same_but(b, t, (r"(?m)^4\d+", ""), (r"write \w+", "")),
        "a tmpfs has the mode of the directory that it covers unless an option says another; crun's has the kernel's, 1777"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: mount_of(d, m[1]).get("type") == "tmpfs" and
        same_but(b, t, (r",mode=\d+", ""), TAGS if {"unbindable", "runbindable"} & options(d, m[1]) else MODE),
        "a tmpfs has the mode of the directory that it covers unless an option says another; crun's has the kernel's, 1777"),
    Row(r"(list|top|dev|at)\.(.*)", lambda d, b, t, m, err, us: same_but(b, t, ("(?m)^41755", "40755"), ("(?m)^100700", "100755")),
        "a directory or file made for a mount has mode 755; crun's have the sticky bit or 700"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: options(d, m[1]) and same_but(b, t, OPTIONS, TAGS, (" r[ow](?=[ ,])", ""),
        (",mode=\\d+" if "tmpfs" in types(d, m[1]) else "$^", ""), (",mand" if {"mand", "nomand"} <= options(d, m[1]) else "$^", "")) and
        taken_back(d, m[1], b, t),
        "a mount has all of its options, of those that take each other back the last, and the restrictions of its source; crun loses some"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: same_but(b, t, OPTIONS) and any(
        "rbind" in x["options"] and set(gen.REC_OPTIONS) & set(x["options"]) and (len(b) > len(t) or "rrelatime" in x["options"]) for x in above(d, m[1])),
        "a recursive option is one of all mounts below too; crun 1.8 loses it there, and takes rrelatime for nosymfollow"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: ((set(gen.PROPAGATION) | {"lazytime", "async"}) & options(d, m[1]) or
        any({"rshared", "rslave", "rprivate", "runbindable"} & set(x.get("options") or []) for x in above(d, m[1]))) and same_but(b, t, TAGS, (",lazytime|,nodiratime|,sync", ""), (",mode=\\d+" if "tmpfs" in types(d, m[1]) else "$^", "")),
        "a mount has its options and the propagation that they ask for; crun loses some of one or the other"),
    Row(r"at\.(.*)", lambda d, b, t, m, err, us: (below(d, m[1], "sysfs") or below(d, m[1], "devpts")) and
        same_but(b, t, (r"write (ok|EROFS|EACCES)", "")),
        "a read-only devpts is so as a file system; a sysfs is, where runc has another in a joined namespace just then"),
    Row(r"at\.(.*)", lambda d, b, t, m, err, us: "ro" in options(d, m[1]) and {"rw", "rrw"} & options(d, m[1]) and
        same_but(b, t, (r"write (ok|EROFS)", "")),
        "of options that take each other back the last one counts; in crun the first"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: b.startswith("devpts ") and same_but(b, t, SUPER),
        "a read-only file system is so as a file system, as with mount(8); crun's only as a mount"),
    Row(r"(mount|at|list)\.(.*)", lambda d, b, t, m, err, us: b is None and any(
        "bind" in x["options"] and {"rprivate", "rshared", "rslave", "runbindable"} & set(x["options"]) and
        place(m[2]).startswith(place(x["destination"]) + "/") for x in d["mounts"] if x.get("options")),
        "an option for the propagation makes no bind mount recursive; in crun it does"),
    Row(r"at\.(/dev/.*)", lambda d, b, t, m, err, us: userns(d) and set(b.split("\n")) == set(t.split("\n")),
        "a device of the host that is bound is one mount; crun's is on a file of its own if the document lists it"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: t and (
        "proc " not in t and last(b).startswith("proc ") if m[1] == "mount" else b == "ENOENT" or b.startswith("40555")) and
        any(x.get("type") == "proc" and x["destination"] != place(x["destination"]) for x in above(d, m[2])),
        "a mount point behind a link of the image is made inside the root, for proc too; crun's is not in sight"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: masked(d, m[1]) and m[1].replace("/PID/", "/self/") in get(d, "linux", "readonlyPaths") and
        b.startswith("proc ") and t.startswith("tmpfs dev /null ro"),
        "read-only paths come before masked ones; in crun, after them"),
    Row(r"(mount|at)\.(.*)", lambda d, b, t, m, err, us: m[2].replace("/PID/", "/self/") in
        (get(d, "linux", "readonlyPaths") or []) + (get(d, "linux", "maskedPaths") or []) and
        (t is None or set(b.split("\n")) == set(t.split("\n"))),
        "read-only paths come before masked ones; in crun, after them, where more than one lead to the same file"),
    Row(r"mount\./proc/.*", lambda d, b, t, m, err, us: "lazytime" in options(d, "/proc") and same_but(b, t, (",lazytime", "")),
        "an option of the file system is one of all its mounts; crun remounts it without"),
    Row(r"mount\.(.*)", lambda d, b, t, m, err, us: userns(d) and re.match("(mqueue|proc) none / ", t) and
        same_but(b, t, ("^(mqueue|proc) \\w+ / (rw|ro)[a-z,]*", "")),
        "in a joined user namespace a file system is mounted as asked for; crun binds one of its own making"),
    Row(r"mount\./proc/.*", lambda d, b, t, m, err, us: userns(d) and t.startswith("proc none /") and same_but(b, t, ("^proc (proc|none) ", "")),
        "in a joined user namespace a file system is mounted as asked for; crun binds one of its own making"),
    Row(r"(at|mount|path|dev)\.(.*)", lambda d, b, t, m, err, us: userns(d) and (b is None or b.startswith("1")) and
        re.match("1[0-7]{4} |tmpfs none /", t) and any(x["type"] == "p" and x["path"] == m[2] for x in get(d, "linux", "devices")),
        "a FIFO can be made in a user namespace; crun binds one of its own making"),
]

KNOWN = {"runc": RUNC, "crun": CRUN}


def sorting(line):
    """Type, root and source of a mount, but for a source that is the peer's own choice."""
    kind, source, root = line.split()[:3]
    return kind, root, "" if kind == "cgroup" or source in ("cgroup", "tmpfs") else source


def explains(peer, field, config, got, errs):
    """The reason of the first row that fits. Of several mounts on one place each that differs needs a row."""
    b, t = got["berth"].get(field), got[peer].get(field)
    if field.startswith("mount.") and b and t and "\n" in b and b.count("\n") == t.count("\n"):
        b, t = b.split("\n"), t.split("\n")
        if userns(config):
            # Binds are opened first, by the caller: the order of the ids is not that of what covers what.
            b, t = (sorted(x, key=sorting) for x in (b, t))
        pairs = [(x, y) for x, y in zip(b, t) if x != y]
        reasons = [one(peer, field, config, x, y, errs) for x, y in pairs]
        if None not in reasons:
            return reasons[0] if reasons else peer + ": binds into a user namespace are opened first"
    return one(peer, field, config, got["berth"].get(field), got[peer].get(field), errs)


def one(peer, field, config, b, t, errs):
    for row in KNOWN[peer]:
        m = re.fullmatch(row.field, field)
        try:
            if m and row.when(config, b, t, m, errs[peer], errs["berth"]):
                return peer + ": " + row.reason
        except (AttributeError, KeyError, TypeError):
            pass  # a document that lacks what the row looks at, or a field that one of them lacks
    return None
