/*
 * Every table of names: one per fact, read by the parser, by `features`, by
 * errors and by the command line. A table ends with a row without name.
 *
 *	if (name_value(rlimit_names, "RLIMIT_CORE", &v) < 0)
 *		...unknown
 *	printf("%s", name_of(rlimit_names, RLIMIT_CORE));
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"

struct name {
	const char *name;
	uint64_t value;
};

/* Exact, case counts. 0 or -ENOENT. */
int name_value(const struct name *table, const char *name, uint64_t *ret);
/* The first row with this value; NULL: none. */
const char *name_of(const struct name *table, uint64_t value);

extern const struct name namespace_names[]; /* "pid" -> enum ns_type */
extern const struct name capability_names[]; /* "CAP_CHOWN" -> 0; all that linux/capability.h knows */
extern const struct name rlimit_names[]; /* "RLIMIT_NOFILE" */
extern const struct name signal_names[]; /* "HUP"; without SIG, without real-time ones */
extern const struct name hook_names[]; /* "prestart" -> enum hook_kind */
extern const struct name device_type_names[]; /* "c" "b" "u" "p" -> the letter, u -> c */
extern const struct name device_rule_type_names[]; /* "a" "b" "c" */
extern const struct name seccomp_action_names[]; /* "SCMP_ACT_ERRNO" -> without errno */
extern const struct name seccomp_operator_names[]; /* "SCMP_CMP_EQ" */
extern const struct name seccomp_arch_names[]; /* "SCMP_ARCH_X86_64" */
extern const struct name seccomp_flag_names[]; /* "SECCOMP_FILTER_FLAG_LOG" */
extern const struct name scheduler_policy_names[]; /* "SCHED_FIFO" */
extern const struct name scheduler_flag_names[]; /* "SCHED_FLAG_RECLAIM" */
extern const struct name ioprio_class_names[]; /* "IOPRIO_CLASS_BE" */
extern const struct name personality_names[]; /* "LINUX32" */

/* The other two columns of SPEC_NAMESPACES. */
const char *namespace_name(enum ns_type type); /* "network" */
int namespace_flag(enum ns_type type); /* CLONE_NEWNET */

/* "9", "KILL", "SIGKILL", "kill", "RTMIN+3", "SIGRTMAX-1"; 0 is allowed.
 * Returns the number or -EINVAL. */
int signal_parse(const char *s);

/* ---- mount options ---------------------------------------------------- */

enum mount_option_kind {
	MOUNT_OPTION_FLAG, /* MS_* of mount(2), set or cleared */
	MOUNT_OPTION_PROPAGATION, /* MS_SHARED ..., with MS_REC for the r-forms */
	MOUNT_OPTION_RECURSIVE, /* MOUNT_ATTR_*, AT_RECURSIVE */
	MOUNT_OPTION_NOTHING, /* "defaults" */
	MOUNT_OPTION_MEMBER, /* a bool of struct spec_mount, by its offset */
};

struct mount_option {
	const char *name;
	uint8_t kind; /* enum mount_option_kind */
	bool clear;
	uint64_t bits;
};

extern const struct mount_option mount_options[]; /* sorted by name */
/* NULL: not ours, so for the file system. */
const struct mount_option *mount_option_find(const char *name);
