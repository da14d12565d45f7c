/* The tables of names. To support a new one, add a row. */
#include "names.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "mem.h"
#include "str.h"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

int name_value(const struct name *table, const char *name, uint64_t *ret)
{
	for (; table->name; table++) {
		if (strcmp(table->name, name) == 0) {
			*ret = table->value;
			return 0;
		}
	}
	return -ENOENT;
}

const char *name_of(const struct name *table, uint64_t value)
{
	for (; table->name; table++)
		if (table->value == value)
			return table->name;
	return NULL;
}

/* clang-format off */

#define X(id, type, flag) { type, NS_##id },
const struct name namespace_names[] = { SPEC_NAMESPACES(X) { NULL, 0 } };
#undef X

#define X(id, key) { key, HOOK_##id },
const struct name hook_names[] = { SPEC_HOOKS(X) { NULL, 0 } };
#undef X

#define ROW(x) { #x, x }
const struct name capability_names[] = {
	ROW(CAP_CHOWN), ROW(CAP_DAC_OVERRIDE), ROW(CAP_DAC_READ_SEARCH), ROW(CAP_FOWNER),
	ROW(CAP_FSETID), ROW(CAP_KILL), ROW(CAP_SETGID), ROW(CAP_SETUID), ROW(CAP_SETPCAP),
	ROW(CAP_LINUX_IMMUTABLE), ROW(CAP_NET_BIND_SERVICE), ROW(CAP_NET_BROADCAST),
	ROW(CAP_NET_ADMIN), ROW(CAP_NET_RAW), ROW(CAP_IPC_LOCK), ROW(CAP_IPC_OWNER),
	ROW(CAP_SYS_MODULE), ROW(CAP_SYS_RAWIO), ROW(CAP_SYS_CHROOT), ROW(CAP_SYS_PTRACE),
	ROW(CAP_SYS_PACCT), ROW(CAP_SYS_ADMIN), ROW(CAP_SYS_BOOT), ROW(CAP_SYS_NICE),
	ROW(CAP_SYS_RESOURCE), ROW(CAP_SYS_TIME), ROW(CAP_SYS_TTY_CONFIG), ROW(CAP_MKNOD),
	ROW(CAP_LEASE), ROW(CAP_AUDIT_WRITE), ROW(CAP_AUDIT_CONTROL), ROW(CAP_SETFCAP),
	ROW(CAP_MAC_OVERRIDE), ROW(CAP_MAC_ADMIN), ROW(CAP_SYSLOG), ROW(CAP_WAKE_ALARM),
	ROW(CAP_BLOCK_SUSPEND), ROW(CAP_AUDIT_READ), ROW(CAP_PERFMON), ROW(CAP_BPF),
	ROW(CAP_CHECKPOINT_RESTORE),
	{ NULL, 0 }
};

const struct name rlimit_names[] = {
	ROW(RLIMIT_AS), ROW(RLIMIT_CORE), ROW(RLIMIT_CPU), ROW(RLIMIT_DATA), ROW(RLIMIT_FSIZE),
	ROW(RLIMIT_LOCKS), ROW(RLIMIT_MEMLOCK), ROW(RLIMIT_MSGQUEUE), ROW(RLIMIT_NICE),
	ROW(RLIMIT_NOFILE), ROW(RLIMIT_NPROC), ROW(RLIMIT_RSS), ROW(RLIMIT_RTPRIO),
	ROW(RLIMIT_RTTIME), ROW(RLIMIT_SIGPENDING), ROW(RLIMIT_STACK),
	{ NULL, 0 }
};

#define SIG(x) { #x, SIG##x }
const struct name signal_names[] = {
	SIG(ABRT), SIG(ALRM), SIG(BUS), SIG(CHLD), SIG(CONT), SIG(FPE), SIG(HUP), SIG(ILL),
	SIG(INT), SIG(IO), SIG(KILL), SIG(PIPE), SIG(PROF), SIG(PWR), SIG(QUIT), SIG(SEGV),
	SIG(STKFLT), SIG(STOP), SIG(SYS), SIG(TERM), SIG(TRAP), SIG(TSTP), SIG(TTIN), SIG(TTOU),
	SIG(URG), SIG(USR1), SIG(USR2), SIG(VTALRM), SIG(WINCH), SIG(XCPU), SIG(XFSZ),
	/* second names */
	{ "CLD", SIGCHLD }, SIG(IOT), SIG(POLL),
	{ NULL, 0 }
};
#undef SIG

const struct name device_type_names[] = {
	{ "b", 'b' }, { "c", 'c' }, { "u", 'c' }, { "p", 'p' }, { NULL, 0 }
};

const struct name device_rule_type_names[] = {
	{ "a", 'a' }, { "b", 'b' }, { "c", 'c' }, { NULL, 0 }
};

const struct name seccomp_action_names[] = {
	ROW(SCMP_ACT_ALLOW),
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
	ROW(SCMP_ACT_KILL), ROW(SCMP_ACT_KILL_PROCESS), ROW(SCMP_ACT_KILL_THREAD),
	ROW(SCMP_ACT_LOG), ROW(SCMP_ACT_NOTIFY),
	{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
	ROW(SCMP_ACT_TRAP),
	{ NULL, 0 }
};

const struct name seccomp_operator_names[] = {
	ROW(SCMP_CMP_EQ), ROW(SCMP_CMP_GE), ROW(SCMP_CMP_GT), ROW(SCMP_CMP_LE), ROW(SCMP_CMP_LT),
	ROW(SCMP_CMP_MASKED_EQ), ROW(SCMP_CMP_NE),
	{ NULL, 0 }
};

const struct name seccomp_arch_names[] = {
	ROW(SCMP_ARCH_AARCH64), ROW(SCMP_ARCH_ARM), ROW(SCMP_ARCH_MIPS), ROW(SCMP_ARCH_MIPS64),
	ROW(SCMP_ARCH_MIPS64N32), ROW(SCMP_ARCH_MIPSEL), ROW(SCMP_ARCH_MIPSEL64),
	ROW(SCMP_ARCH_MIPSEL64N32), ROW(SCMP_ARCH_PARISC), ROW(SCMP_ARCH_PARISC64),
	ROW(SCMP_ARCH_PPC), ROW(SCMP_ARCH_PPC64), ROW(SCMP_ARCH_PPC64LE), ROW(SCMP_ARCH_RISCV64),
	ROW(SCMP_ARCH_S390), ROW(SCMP_ARCH_S390X), ROW(SCMP_ARCH_X32), ROW(SCMP_ARCH_X86),
	ROW(SCMP_ARCH_X86_64),
	{ NULL, 0 }
};

const struct name seccomp_flag_names[] = {
	ROW(SECCOMP_FILTER_FLAG_LOG), ROW(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
	ROW(SECCOMP_FILTER_FLAG_TSYNC), ROW(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
	{ NULL, 0 }
};

/* SCHED_ISO is in the specification and reserved in the kernel. */
#define SCHED_ISO 4
const struct name scheduler_policy_names[] = {
	ROW(SCHED_OTHER), ROW(SCHED_FIFO), ROW(SCHED_RR), ROW(SCHED_BATCH), ROW(SCHED_ISO),
	ROW(SCHED_IDLE), ROW(SCHED_DEADLINE),
	{ NULL, 0 }
};

const struct name scheduler_flag_names[] = {
	ROW(SCHED_FLAG_RESET_ON_FORK), ROW(SCHED_FLAG_RECLAIM), ROW(SCHED_FLAG_DL_OVERRUN),
	ROW(SCHED_FLAG_KEEP_POLICY), ROW(SCHED_FLAG_KEEP_PARAMS),
	ROW(SCHED_FLAG_UTIL_CLAMP_MIN), ROW(SCHED_FLAG_UTIL_CLAMP_MAX),
	{ NULL, 0 }
};

const struct name ioprio_class_names[] = {
	{ "IOPRIO_CLASS_RT", 1 }, { "IOPRIO_CLASS_BE", 2 }, { "IOPRIO_CLASS_IDLE", 3 }, { NULL, 0 }
};

const struct name personality_names[] = {
	{ "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 }, { NULL, 0 }
};
#undef ROW

#define SET(name, bits)   { name, MOUNT_OPTION_FLAG, false, bits }
#define CLEAR(name, bits) { name, MOUNT_OPTION_FLAG, true, bits }
#define PROP(name, bits)  { name, MOUNT_OPTION_PROPAGATION, false, bits }
#define RSET(name, bits)  { name, MOUNT_OPTION_RECURSIVE, false, bits }
#define RCLR(name, bits)  { name, MOUNT_OPTION_RECURSIVE, true, bits }
#define MEMBER(name, member) { name, MOUNT_OPTION_MEMBER, false, offsetof(struct spec_mount, member) }
/* mount_setattr takes only the whole access time field for clearing, so what is
 * cleared there becomes relatime, the kernel's default. */
const struct mount_option mount_options[] = {
	SET("acl",            MS_POSIXACL),
	CLEAR("async",        MS_SYNCHRONOUS),
	CLEAR("atime",        MS_NOATIME),
	SET("bind",           MS_BIND),
	{ "defaults",         MOUNT_OPTION_NOTHING, false, 0 },
	CLEAR("dev",          MS_NODEV),
	CLEAR("diratime",     MS_NODIRATIME),
	SET("dirsync",        MS_DIRSYNC),
	CLEAR("exec",         MS_NOEXEC),
	MEMBER("idmap",       idmap),
	SET("iversion",       MS_I_VERSION),
	SET("lazytime",       MS_LAZYTIME),
	CLEAR("loud",         MS_SILENT),
	SET("mand",           MS_MANDLOCK),
	CLEAR("noacl",        MS_POSIXACL),
	SET("noatime",        MS_NOATIME),
	SET("nodev",          MS_NODEV),
	SET("nodiratime",     MS_NODIRATIME),
	SET("noexec",         MS_NOEXEC),
	CLEAR("noiversion",   MS_I_VERSION),
	CLEAR("nolazytime",   MS_LAZYTIME),
	CLEAR("nomand",       MS_MANDLOCK),
	CLEAR("norelatime",   MS_RELATIME),
	CLEAR("nostrictatime", MS_STRICTATIME),
	SET("nosuid",         MS_NOSUID),
	SET("nosymfollow",    MS_NOSYMFOLLOW),
	PROP("private",       MS_PRIVATE),
	RCLR("ratime",        MOUNT_ATTR__ATIME),
	SET("rbind",          MS_BIND | MS_REC),
	RCLR("rdev",          MOUNT_ATTR_NODEV),
	RCLR("rdiratime",     MOUNT_ATTR_NODIRATIME),
	SET("relatime",       MS_RELATIME),
	SET("remount",        MS_REMOUNT),
	RCLR("rexec",         MOUNT_ATTR_NOEXEC),
	MEMBER("ridmap",      ridmap),
	RSET("rnoatime",      MOUNT_ATTR_NOATIME),
	RSET("rnodev",        MOUNT_ATTR_NODEV),
	RSET("rnodiratime",   MOUNT_ATTR_NODIRATIME),
	RSET("rnoexec",       MOUNT_ATTR_NOEXEC),
	RCLR("rnorelatime",   MOUNT_ATTR__ATIME),
	RCLR("rnostrictatime", MOUNT_ATTR__ATIME),
	RSET("rnosuid",       MOUNT_ATTR_NOSUID),
	RSET("rnosymfollow",  MOUNT_ATTR_NOSYMFOLLOW),
	SET("ro",             MS_RDONLY),
	PROP("rprivate",      MS_PRIVATE | MS_REC),
	RSET("rrelatime",     MOUNT_ATTR_RELATIME),
	RSET("rro",           MOUNT_ATTR_RDONLY),
	RCLR("rrw",           MOUNT_ATTR_RDONLY),
	PROP("rshared",       MS_SHARED | MS_REC),
	PROP("rslave",        MS_SLAVE | MS_REC),
	RSET("rstrictatime",  MOUNT_ATTR_STRICTATIME),
	RCLR("rsuid",         MOUNT_ATTR_NOSUID),
	RCLR("rsymfollow",    MOUNT_ATTR_NOSYMFOLLOW),
	PROP("runbindable",   MS_UNBINDABLE | MS_REC),
	CLEAR("rw",           MS_RDONLY),
	PROP("shared",        MS_SHARED),
	SET("silent",         MS_SILENT),
	PROP("slave",         MS_SLAVE),
	SET("strictatime",    MS_STRICTATIME),
	CLEAR("suid",         MS_NOSUID),
	CLEAR("symfollow",    MS_NOSYMFOLLOW),
	SET("sync",           MS_SYNCHRONOUS),
	MEMBER("tmpcopyup",   tmpcopyup),
	PROP("unbindable",    MS_UNBINDABLE),
	{ NULL, 0, false, 0 }
};
#undef SET
#undef CLEAR
#undef PROP
#undef RSET
#undef RCLR
#undef MEMBER
/* clang-format on */

static int compare_option(const void *key, const void *row)
{
	return strcmp(key, ((const struct mount_option *)row)->name);
}

const struct mount_option *mount_option_find(const char *name)
{
	return bsearch(name, mount_options, ARRAY_SIZE(mount_options) - 1, sizeof mount_options[0],
		       compare_option);
}

const char *namespace_name(enum ns_type type)
{
	return name_of(namespace_names, type);
}

int namespace_flag(enum ns_type type)
{
	static const int flags[] = {
#define X(id, type, flag) [NS_##id] = flag,
		SPEC_NAMESPACES(X)
#undef X
	};

	return flags[type];
}

/* Users mean glibc's numbers; other C libraries keep more for themselves. */
#define RTMIN 34
#define RTMAX 64

/* "+3" after RTMIN, "-1" after RTMAX, or nothing. */
static int realtime(const char *s, int base, char sign)
{
	uint32_t n = 0;
	int sig;

	if (*s && (*s != sign || parse_u32(s + 1, &n) < 0 || n > 64))
		return -EINVAL;
	sig = sign == '+' ? base + (int)n : base - (int)n;
	return sig >= RTMIN && sig <= RTMAX ? sig : -EINVAL;
}

int signal_parse(const char *s)
{
	uint32_t n;

	if (str_empty(s))
		return -EINVAL;
	if (*s >= '0' && *s <= '9')
		return parse_u32(s, &n) == 0 && n < NSIG ? (int)n : -EINVAL;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	if (!strncasecmp(s, "RTMIN", 5))
		return realtime(s + 5, RTMIN, '+');
	if (!strncasecmp(s, "RTMAX", 5))
		return realtime(s + 5, RTMAX, '-');
	for (const struct name *row = signal_names; row->name; row++)
		if (!strcasecmp(row->name, s))
			return (int)row->value;
	return -EINVAL;
}
