/*
 * The floor: what the kernel alone charges for a container.
 *
 * One static program that does the kernel work of a container start with the
 * default spec ("runc spec") and nothing else: no JSON, no state directory, no
 * two-phase start, no error text beyond the failing step. A runtime is judged
 * by its distance from this, so everything here is what that spec asks for:
 * the same namespaces, cgroups, device rules, mounts, masks and credentials.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_HIERARCHIES 16
#define MAX_PHASES 32
#define MAX_BPF 4096
#define DEFAULT_CAPS (1U << CAP_AUDIT_WRITE | 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE)

struct hierarchy {
	const char *name; /* the directory below /sys/fs/cgroup */
	char dir[384]; /* the container's cgroup in it */
	int tasks;
};

/* Shared with the child when --phases is given. */
struct phases {
	int n;
	struct {
		const char *name;
		uint64_t ns;
	} at[MAX_PHASES];
};

struct floor {
	bool net, cgroupns, unified;
	const char *rootfs, *cgroup, *bpf, *pid_file;
	pid_t exec_pid;
	char *names; /* of the v1 hierarchies, with commas */
	char **argv;
	struct hierarchy h[MAX_HIERARCHIES];
	int n_hierarchies;
	char unified_dir[384];
	int unified_fd;
	struct sock_filter filter[MAX_BPF];
	struct sock_fprog prog;
	struct phases *phases;
};

static char *const child_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
	NULL,
};

static void __attribute__((noreturn)) die(const char *step)
{
	dprintf(2, "floor: %s: %s\n", step, strerror(errno));
	_exit(125);
}

static void must(long r, const char *step)
{
	if (r < 0)
		die(step);
}

static void phase(struct floor *f, const char *name)
{
	struct timespec t;

	if (!f->phases || f->phases->n >= MAX_PHASES)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	f->phases->at[f->phases->n].name = name;
	f->phases->at[f->phases->n++].ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- cgroups ---- */

/* The hierarchies' names are ready-made too: finding them is a runtime's work, not the kernel's. */
static void find_hierarchies(struct floor *f)
{
	char *save = NULL;

	for (char *name = strtok_r(f->names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		struct hierarchy *h = &f->h[f->n_hierarchies];

		if (f->n_hierarchies++ == MAX_HIERARCHIES) {
			errno = E2BIG;
			die("hierarchies");
		}
		h->name = name;
		snprintf(h->dir, sizeof(h->dir), "/sys/fs/cgroup/%s%s", name, f->cgroup);
	}
}

static int open_below(const char *dir, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	must(fd = open(path, flags | O_CLOEXEC), path);
	return fd;
}

/* A v1 cpuset takes no task before its cpus and mems are set. */
static void fill_cpuset(const char *dir)
{
	static const char *const name[][2] = {
		{ "cpuset.cpus", "../cpuset.cpus" },
		{ "cpuset.mems", "../cpuset.mems" },
	};
	char buf[256];
	ssize_t n;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		fd = open_below(dir, name[i][1], O_RDONLY);
		must(n = read(fd, buf, sizeof(buf)), name[i][1]);
		close(fd);
		fd = open_below(dir, name[i][0], O_WRONLY);
		must(write(fd, buf, (size_t)n), name[i][0]);
		close(fd);
	}
}

/* The spec denies all devices; every runtime then allows these. */
static void limit_devices(const char *dir)
{
	static const char *const allow[] = {
		"c *:* m",
		"b *:* m",
		"c 1:3 rwm",
		"c 1:8 rwm",
		"c 1:7 rwm",
		"c 5:0 rwm",
		"c 1:5 rwm",
		"c 1:9 rwm",
		"c 5:2 rwm",
		"c 136:* rwm",
		"c 10:200 rwm",
	};
	int fd = open_below(dir, "devices.deny", O_WRONLY);

	must(write(fd, "a", 1), "devices.deny");
	close(fd);
	fd = open_below(dir, "devices.allow", O_WRONLY);
	for (size_t i = 0; i < ARRAY_SIZE(allow); i++)
		must(write(fd, allow[i], strlen(allow[i])), allow[i]);
	close(fd);
}

static void make_dir(const char *dir)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die(dir);
}

static void make_cgroups(struct floor *f)
{
	for (int i = 0; i < f->n_hierarchies; i++) {
		make_dir(f->h[i].dir);
		if (strstr(f->h[i].name, "cpuset"))
			fill_cpuset(f->h[i].dir);
		if (strstr(f->h[i].name, "devices"))
			limit_devices(f->h[i].dir);
	}
	if (f->unified)
		make_dir(f->unified_dir);
}

static void open_cgroups(struct floor *f)
{
	for (int i = 0; i < f->n_hierarchies; i++)
		f->h[i].tasks = open_below(f->h[i].dir, "tasks", O_WRONLY);
	if (f->unified)
		f->unified_fd = open_below(f->unified_dir, "", O_RDONLY | O_DIRECTORY);
}

/* Written by the single-threaded child itself: no RCU grace period to wait for. */
static void join_cgroups(struct floor *f)
{
	for (int i = 0; i < f->n_hierarchies; i++)
		must(write(f->h[i].tasks, "0", 1), f->h[i].dir);
}

static void remove_cgroups(struct floor *f)
{
	for (int i = 0; i < f->n_hierarchies; i++)
		must(rmdir(f->h[i].dir), f->h[i].dir);
	if (f->unified)
		must(rmdir(f->unified_dir), f->unified_dir);
}

/* cgroup v2: born in its cgroup, which costs a copy of our memory instead. */
static pid_t fork_into_cgroup(struct floor *f, int flags)
{
	struct clone_args args = {
		.flags = (unsigned int)flags | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned int)f->unified_fd,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* ---- mounts; the working directory is the rootfs until pivot_root ---- */

static void mount_api(struct floor *f)
{
	const unsigned long sec = MS_NOSUID | MS_NOEXEC | MS_NODEV;

	must(mount("proc", "proc", "proc", 0, NULL), "proc");
	phase(f, "proc");
	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
	     "dev");
	must(mkdir("dev/pts", 0755), "dev/pts");
	must(mkdir("dev/shm", 0755), "dev/shm");
	must(mkdir("dev/mqueue", 0755), "dev/mqueue");
	phase(f, "/dev tmpfs");
	must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620,gid=5"),
	     "devpts");
	phase(f, "devpts");
	must(mount("shm", "dev/shm", "tmpfs", sec, "mode=1777,size=65536k"), "shm");
	phase(f, "shm");
	must(mount("mqueue", "dev/mqueue", "mqueue", sec, NULL), "mqueue");
	phase(f, "mqueue");
	must(mount("sysfs", "sys", "sysfs", sec | MS_RDONLY, NULL), "sysfs");
	phase(f, "sysfs");
}

static void mount_cgroups(struct floor *f)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					     MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	char at[256];

	must(mount("cgroup", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV,
		   "mode=755"),
	     "cgroup tmpfs");
	for (int i = 0; i < f->n_hierarchies; i++) {
		struct hierarchy *h = &f->h[i];

		snprintf(at, sizeof(at), "sys/fs/cgroup/%s", h->name);
		must(mkdir(at, 0755), at);
		must(mount(h->dir, at, NULL, MS_BIND | MS_REC, NULL), at);
	}
	must(syscall(SYS_mount_setattr, AT_FDCWD, "sys/fs/cgroup", AT_RECURSIVE, &ro, sizeof(ro)),
	     "cgroup read-only");
	phase(f, "cgroup mounts");
}

static void make_devices(struct floor *f)
{
	static const struct {
		const char *name;
		unsigned int major, minor;
	} node[] = {
		{ "dev/null", 1, 3 },
		{ "dev/zero", 1, 5 },
		{ "dev/full", 1, 7 },
		{ "dev/random", 1, 8 },
		{ "dev/urandom", 1, 9 },
		{ "dev/tty", 5, 0 },
	};
	static const struct {
		const char *target, *name;
	} link[] = {
		{ "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" },
		{ "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" },
		{ "/proc/kcore", "dev/core" },
		{ "pts/ptmx", "dev/ptmx" },
	};

	umask(0);
	for (size_t i = 0; i < ARRAY_SIZE(node); i++)
		must(mknod(node[i].name, S_IFCHR | 0666, makedev(node[i].major, node[i].minor)),
		     node[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(link); i++)
		must(symlink(link[i].target, link[i].name), link[i].name);
	umask(022);
	phase(f, "device nodes, links");
}

static void read_only_paths(struct floor *f)
{
	static const char *const path[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"
	};

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		if (mount(path[i], path[i], NULL, MS_BIND | MS_REC, NULL) < 0) {
			if (errno == ENOENT)
				continue;
			die(path[i]);
		}
		must(mount(NULL, path[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), path[i]);
	}
	phase(f, "read-only paths");
}

static void masked_paths(struct floor *f)
{
	static const char *const path[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/proc/sched_debug",
		"/sys/firmware",
		"/proc/scsi",
	};
	const char *empty = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		if (mount("/dev/null", path[i], NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
			continue;
		if (errno != ENOTDIR)
			die(path[i]);
		/* one empty read-only directory does for all */
		if (!empty)
			must(mount("tmpfs", path[i], "tmpfs", MS_RDONLY, NULL), path[i]);
		else
			must(mount(empty, path[i], NULL, MS_BIND, NULL), path[i]);
		empty = path[i];
	}
	phase(f, "masked paths");
}

static void build_root(struct floor *f)
{
	must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "slave root");
	phase(f, "slave root");
	must(mount(f->rootfs, f->rootfs, NULL, MS_BIND | MS_REC, NULL), "bind rootfs");
	must(chdir(f->rootfs), f->rootfs);
	phase(f, "bind rootfs");
	mount_api(f);
	if (f->n_hierarchies)
		mount_cgroups(f);
	if (f->unified)
		must(mount("cgroup", "sys/fs/cgroup", "cgroup2",
			   MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL),
		     "cgroup2");
	make_devices(f);
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount old root");
	must(chdir("/"), "chdir /");
	phase(f, "pivot_root, umount");
	must(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "read-only root");
	read_only_paths(f);
	masked_paths(f);
}

/* ---- credentials and the end ---- */

static void drop_privileges(struct floor *f)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = DEFAULT_CAPS, .permitted = DEFAULT_CAPS },
	};
	const struct rlimit nofile = { 1024, 1024 };

	must(setrlimit(RLIMIT_NOFILE, &nofile), "rlimit");
	for (unsigned int cap = 0; cap < 32; cap++) {
		if (!(DEFAULT_CAPS & 1U << cap))
			must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
	}
	for (unsigned int cap = 32; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	must(setgroups(0, NULL), "setgroups");
	must(setresgid(0, 0, 0), "setresgid");
	must(setresuid(0, 0, 0), "setresuid");
	must(syscall(SYS_capset, &hdr, data), "capset");
	/* the spec's ambient set cannot be raised without an inheritable one: runc's is empty too */
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	phase(f, "capabilities, limits");
}

static void __attribute__((noreturn)) finish(struct floor *f)
{
	drop_privileges(f);
	if (f->prog.len) {
		must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->prog), "seccomp");
		phase(f, "seccomp load");
	}
	execve(f->argv[0], f->argv, child_env);
	die(f->argv[0]);
}

static void load_bpf(struct floor *f)
{
	ssize_t n;
	int fd;

	must(fd = open(f->bpf, O_RDONLY | O_CLOEXEC), f->bpf);
	must(n = read(fd, f->filter, sizeof(f->filter)), f->bpf);
	close(fd);
	f->prog.len = (unsigned short)((size_t)n / sizeof(f->filter[0]));
	f->prog.filter = f->filter;
}

static int reap(pid_t pid)
{
	siginfo_t info = { 0 };

	must(waitid(P_PID, (id_t)pid, &info, WEXITED), "waitid");
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static void write_pid_file(const char *path, pid_t pid)
{
	int fd;

	must(fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), path);
	dprintf(fd, "%d", pid);
	close(fd);
}

/* What no field of the spec names and runc and crun do for it all the same. */
static void session(struct floor *f)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	must(setsid(), "setsid");
	must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses.floor", 0, 0, 0), "keyring");
	if (!f->net)
		return;
	must(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
	close(fd);
	phase(f, "session, lo");
}

static int child(void *arg)
{
	struct floor *f = arg;

	phase(f, "clone");
	join_cgroups(f);
	/* the default spec has a cgroup namespace on v2 only */
	if (f->cgroupns || f->unified)
		must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
	phase(f, "cgroups joined");
	session(f);
	must(sethostname("runc", 4), "hostname");
	build_root(f);
	finish(f);
}

static int start(struct floor *f)
{
	static char stack[65536] __attribute__((aligned(16)));
	/* on our own memory until it executes: nothing is copied that is not needed */
	int shared = CLONE_VM | CLONE_VFORK | SIGCHLD;
	int flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
		    (f->net ? CLONE_NEWNET : 0);
	pid_t pid;
	int code;

	make_cgroups(f);
	open_cgroups(f);
	phase(f, "cgroups made");
	must(pid = f->unified ? fork_into_cgroup(f, flags) :
				clone(child, stack + sizeof(stack), flags | shared, f),
	     "clone");
	if (pid == 0)
		child(f);
	if (f->pid_file)
		write_pid_file(f->pid_file, pid);
	code = reap(pid);
	phase(f, "exec, exit, reap");
	remove_cgroups(f);
	phase(f, "cgroups removed");
	return code;
}

static int exec_into(struct floor *f)
{
	const int all = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;
	int pidfd;
	pid_t pid;

	must(pidfd = (int)syscall(SYS_pidfd_open, f->exec_pid, 0), "pidfd_open");
	open_cgroups(f);
	must(setns(pidfd, all), "setns");
	phase(f, "setns");
	must(pid = f->unified ? fork_into_cgroup(f, 0) : fork(), "fork");
	if (pid == 0) {
		join_cgroups(f);
		must(setsid(), "setsid");
		phase(f, "cgroups joined");
		finish(f);
	}
	return reap(pid);
}

static void print_phases(const struct phases *p)
{
	for (int i = 1; i < p->n; i++)
		printf("%s\t%.1f\n", p->at[i].name,
		       (double)(p->at[i].ns - p->at[i - 1].ns) / 1000.0);
}

static const char usage[] =
	"usage: floor [--net] [--cgroupns] [--bpf FILE] [CGROUP] [--pid-file FILE] [--phases]\n"
	"             --rootfs DIR [CMD [ARG...]]\n"
	"       floor --exec PID [--bpf FILE] [CGROUP] [CMD [ARG...]]\n"
	"CGROUP: --cgroup PATH with --hierarchies NAME,NAME... (v1) or --cgroup2\n";

static void parse(struct floor *f, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "net", 0, NULL, 'n' },
		{ "cgroupns", 0, NULL, 'C' },
		{ "cgroup2", 0, NULL, 'U' },
		{ "bpf", 1, NULL, 'b' },
		{ "cgroup", 1, NULL, 'c' },
		{ "rootfs", 1, NULL, 'r' },
		{ "hierarchies", 1, NULL, 'H' },
		{ "exec", 1, NULL, 'e' },
		{ "pid-file", 1, NULL, 'p' },
		{ "phases", 0, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	static char *true_argv[] = { "/bin/true", NULL };
	int c;

	while ((c = getopt_long(argc, argv, "+", opts, NULL)) != -1) {
		switch (c) {
		case 'n':
			f->net = true;
			break;
		case 'U':
			f->unified = true;
			break;
		case 'C':
			f->cgroupns = true;
			break;
		case 'b':
			f->bpf = optarg;
			break;
		case 'c':
			f->cgroup = optarg;
			break;
		case 'r':
			f->rootfs = optarg;
			break;
		case 'H':
			f->names = optarg;
			break;
		case 'e':
			f->exec_pid = atoi(optarg);
			break;
		case 'p':
			f->pid_file = optarg;
			break;
		case 'P':
			f->phases = mmap(NULL, sizeof(*f->phases), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
			break;
		default:
			f->argv = NULL;
			return;
		}
	}
	f->argv = optind < argc ? argv + optind : true_argv;
}

int main(int argc, char **argv)
{
	static struct floor f = { .cgroup = "/berth-test/floor" };
	int code;

	parse(&f, argc, argv);
	if (!f.argv || (!f.rootfs && !f.exec_pid)) {
		fputs(usage, stderr);
		return 1;
	}
	phase(&f, "begin");
	if (f.bpf)
		load_bpf(&f);
	if (f.names)
		find_hierarchies(&f);
	if (f.unified)
		snprintf(f.unified_dir, sizeof(f.unified_dir), "/sys/fs/cgroup%s", f.cgroup);
	phase(&f, "ready-made facts");
	code = f.exec_pid ? exec_into(&f) : start(&f);
	if (f.phases)
		print_phases(f.phases);
	return code;
}
