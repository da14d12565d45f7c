/* A plan's parts in words, for errors and the dry run. */
#include "plan_words.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "plan.h"
#include "planner.h"
#include "sys.h"

const char *plan_step_words(const struct fs_step *s, char *buf, size_t cap)
{
	const char *source = s->source ? s->source : "", *target = s->target;

	switch (s->op) {
	case FS_MOUNT:
		snprintf(buf, cap, "mount '%s' on '%s'", s->fstype, target);
		return buf;
	case FS_BIND:
		snprintf(buf, cap, "bind '%s' on '%s'%s", source, target,
			 s->rec_set | s->rec_clear ? " with recursive options" : "");
		return buf;
	case FS_DIR:
		snprintf(buf, cap, "create directory '%s'", target);
		return buf;
	case FS_NODE:
		snprintf(buf, cap, "create device '%s'", target);
		return buf;
	case FS_SYMLINK:
		snprintf(buf, cap, "link '%s' to '%s'", target, source);
		return buf;
	case FS_MASK:
		snprintf(buf, cap, "mask '%s'", target);
		return buf;
	case FS_READONLY:
		snprintf(buf, cap, "make '%s' read-only", target);
		return buf;
	case FS_REMOUNT:
		snprintf(buf, cap, "remount '%s'%s", target,
			 s->flags & MS_RDONLY ? " read-only" : "");
		return buf;
	case FS_OP_COUNT:
		break;
	}
	snprintf(buf, cap, "no step");
	return buf;
}

static const char *option_name(enum mount_option_kind kind, bool clear, uint64_t bits)
{
	for (const struct mount_option *o = mount_options; o->name; o++)
		if (o->kind == kind && o->clear == clear && o->bits == bits)
			return o->name;
	return "unknown";
}

const char *plan_propagation_name(unsigned long flags)
{
	return option_name(MOUNT_OPTION_PROPAGATION, false, flags);
}

struct names {
	const char **s;
	size_t n;
};

static void names_of(struct names *to, enum mount_option_kind kind, bool clear, uint64_t bits)
{
	for (; bits; bits &= bits - 1)
		to->s[to->n++] = option_name(kind, clear, bits & -bits);
}

size_t plan_step_options(const struct fs_step *s, const char *names[PLAN_MAX_OPTIONS])
{
	const uint64_t atime = SYS_ATTR__ATIME;
	struct names to = { names, 0 };

	names_of(&to, MOUNT_OPTION_FLAG, false, s->flags);
	names_of(&to, MOUNT_OPTION_FLAG, true, s->cleared);
	names_of(&to, MOUNT_OPTION_RECURSIVE, false, s->rec_set);
	/* atime is a number within the bits: clearing it is how relatime is set,
	 * and how another one is made possible. */
	names_of(&to, MOUNT_OPTION_RECURSIVE, true, s->rec_clear & ~atime);
	if (s->rec_clear & atime && !(s->rec_set & atime))
		to.s[to.n++] = "rrelatime";
	for (uint32_t i = 0; i < s->n_propagation; i++)
		to.s[to.n++] = plan_propagation_name(s->propagation[i]);
	return to.n;
}

const char *plan_new_ns_name(const struct plan *p, size_t i)
{
	for (int t = 0; t < NS_COUNT; t++) {
		uint64_t flag = (uint64_t)(uint32_t)namespace_flag((enum ns_type)t);

		if ((p->new_ns & flag || (t == NS_CGROUP && p->new_cgroup_ns)) && i-- == 0)
			return namespace_name((enum ns_type)t);
	}
	return NULL;
}

const char *plan_op_name(int op)
{
	static const char *const names[] = {
#define X(id, name) [FS_##id] = name,
		FS_OPS(X)
#undef X
	};

	return op >= 0 && op < FS_OP_COUNT ? names[op] : "?";
}

const struct plan_cap_set plan_cap_sets[] = {
	{ "bounding", offsetof(struct plan_caps, bounding) },
	{ "effective", offsetof(struct plan_caps, effective) },
	{ "inheritable", offsetof(struct plan_caps, inheritable) },
	{ "permitted", offsetof(struct plan_caps, permitted) },
	{ "ambient", offsetof(struct plan_caps, ambient) },
	{ NULL, 0 },
};
