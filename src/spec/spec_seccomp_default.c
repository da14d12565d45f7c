/* The default seccomp profile, as data and as JSON. */
#include "spec_seccomp_default.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "mem.h"

/* clang-format off */
static const char *const architectures[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
#endif
	NULL
};

static const char *const allowed[] = {
	"_llseek", "_newselect", "accept", "accept4", "access", "adjtimex", "alarm", "bind",
	"brk", "cachestat", "capget", "capset", "chdir", "chmod", "chown", "chown32",
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "close", "close_range", "connect",
	"copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
	"execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64",
	"fadvise64_64", "fallocate", "fanotify_mark", "fchdir", "fchmod", "fchmodat",
	"fchmodat2", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat",
	"fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64",
	"futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
	"futimesat", "get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents",
	"getdents64", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32",
	"getgroups", "getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getrandom", "getresgid", "getresgid32", "getresuid",
	"getresuid32", "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt",
	"gettid", "gettimeofday", "getuid", "getuid32", "getxattr", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
	"io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit",
	"ioctl", "ioprio_get", "ioprio_set", "ipc", "kill", "landlock_add_rule",
	"landlock_create_ruleset", "landlock_restrict_self", "lchown", "lchown32", "lgetxattr",
	"link", "linkat", "listen", "listxattr", "llistxattr", "lremovexattr", "lseek",
	"lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack", "membarrier",
	"memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat",
	"mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mq_getsetattr",
	"mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "mq_unlink", "mremap", "msgctl", "msgget", "msgrcv", "msgsnd",
	"msync", "munlock", "munlockall", "munmap", "name_to_handle_at", "nanosleep",
	"newfstatat", "nice", "oldfstat", "oldlstat", "oldolduname", "oldstat", "olduname",
	"open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe",
	"pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll", "ppoll_time64",
	"prctl", "pread64", "preadv", "preadv2", "prlimit64", "process_mrelease",
	"process_vm_readv", "process_vm_writev", "pselect6", "pselect6_time64", "ptrace",
	"pwrite64", "pwritev", "pwritev2", "read", "readahead", "readdir", "readlink",
	"readlinkat", "readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
	"remap_file_pages", "removexattr", "rename", "renameat", "renameat2", "restart_syscall",
	"rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
	"sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
	"select", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send",
	"sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsgid32", "setfsuid",
	"setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid",
	"setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
	"setresuid32", "setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid",
	"setuid32", "setxattr", "sgetmask", "shmat", "shmctl", "shmdt", "shmget", "shutdown",
	"sigaction", "sigaltstack", "signal", "signalfd", "signalfd4", "sigpending",
	"sigprocmask", "sigreturn", "sigsuspend", "socketcall", "socketpair", "splice",
	"ssetmask", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat",
	"sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill", "time", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64", "times", "tkill", "truncate", "truncate64",
	"ugetrlimit", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid",
	"write", "writev",
#if defined(__x86_64__)
	"arch_prctl", "modify_ldt",
#elif defined(__aarch64__)
	"arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls",
	"sync_file_range2",
#endif
	NULL
};

/* What a capability is no good without. */
static const struct {
	int capability;
	const char *const names[24];
} by_capability[] = {
	{ CAP_DAC_READ_SEARCH, { "open_by_handle_at" } },
	{ CAP_SYS_ADMIN, {
		"bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
		"lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree", "perf_event_open",
		"quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "umount", "umount2",
		"unshare" } },
	{ CAP_SYS_BOOT, { "reboot" } },
	{ CAP_SYS_CHROOT, { "chroot" } },
	{ CAP_SYS_MODULE, { "delete_module", "finit_module", "init_module" } },
	{ CAP_SYS_PACCT, { "acct" } },
	{ CAP_SYS_PTRACE, { "kcmp", "pidfd_getfd", "process_madvise" } },
	{ CAP_SYS_RAWIO, { "ioperm", "iopl" } },
	{ CAP_SYS_TIME, {
		"clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday",
		"stime" } },
	{ CAP_SYS_TTY_CONFIG, { "vhangup" } },
	{ CAP_SYS_NICE, {
		"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node" } },
	{ CAP_SYSLOG, { "syslog" } },
};

/* Allowed for some values of the first argument. */
static const struct {
	const char *name, *op;
	uint64_t value, value_two;
	int unless; /* this capability allows it whole; -1: none does */
} by_argument[] = {
	{ "personality", "SCMP_CMP_EQ", 0x0, 0, -1 },
	{ "personality", "SCMP_CMP_EQ", 0x8, 0, -1 }, /* LINUX32 */
	{ "personality", "SCMP_CMP_EQ", 0x20000, 0, -1 }, /* UNAME26 */
	{ "personality", "SCMP_CMP_EQ", 0x20008, 0, -1 },
	{ "personality", "SCMP_CMP_EQ", 0xffffffff, 0, -1 }, /* asks */
	{ "socket", "SCMP_CMP_NE", 40, 0, -1 }, /* AF_VSOCK reaches the host */
	/* no new namespaces: none of the CLONE_NEW* bits */
	{ "clone", "SCMP_CMP_MASKED_EQ", 0x7e020000, 0, CAP_SYS_ADMIN },
};
/* clang-format on */

static void rule(struct jw *w, const char *const *names, const char *action)
{
	jw_begin(w, '{');
	jw_kbegin(w, "names", '[');
	for (; *names; names++)
		jw_str(w, *names);
	jw_end(w);
	jw_kstr(w, "action", action);
}

static void argument_rule(struct jw *w, size_t i)
{
	const char *const names[] = { by_argument[i].name, NULL };

	rule(w, names, "SCMP_ACT_ALLOW");
	jw_kbegin(w, "args", '[');
	jw_begin(w, '{');
	jw_kuint(w, "index", 0);
	jw_kuint(w, "value", by_argument[i].value);
	jw_kuint(w, "valueTwo", by_argument[i].value_two);
	jw_kstr(w, "op", by_argument[i].op);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static bool has(uint64_t capabilities, int n)
{
	return n >= 0 && capabilities >> n & 1;
}

static void rules(struct jw *w, uint64_t capabilities)
{
	static const char *const clone3[] = { "clone3", NULL };

	rule(w, allowed, "SCMP_ACT_ALLOW");
	jw_end(w);
	for (size_t i = 0; i < ARRAY_SIZE(by_capability); i++) {
		if (!has(capabilities, by_capability[i].capability))
			continue;
		rule(w, by_capability[i].names, "SCMP_ACT_ALLOW");
		jw_end(w);
	}
	for (size_t i = 0; i < ARRAY_SIZE(by_argument); i++)
		if (!has(capabilities, by_argument[i].unless))
			argument_rule(w, i);
	if (has(capabilities, CAP_SYS_ADMIN))
		return;
	/* its flags are out of a filter's sight; libc then falls back to clone */
	rule(w, clone3, "SCMP_ACT_ERRNO");
	jw_kuint(w, "errnoRet", ENOSYS);
	jw_end(w);
}

void spec_seccomp_default(struct jw *w, uint64_t capabilities)
{
	jw_begin(w, '{');
	jw_kstr(w, "defaultAction", "SCMP_ACT_ERRNO");
	jw_kuint(w, "defaultErrnoRet", EPERM);
	jw_kbegin(w, "architectures", '[');
	for (size_t i = 0; architectures[i]; i++)
		jw_str(w, architectures[i]);
	jw_end(w);
	jw_kbegin(w, "syscalls", '[');
	rules(w, capabilities);
	jw_end(w);
	jw_end(w);
}
