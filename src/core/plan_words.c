/* One step of a plan in words, for errors and the dry run. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "plan.h"
#include "planner.h"
#include "str.h"

const char *plan_step_words(const struct fs_step *s, char *buf, size_t cap)
{
	const char *source = s->source ? s->source : "", *target = s->target;

	switch (s->op) {
	case FS_MOUNT:
		snprintf(buf, cap, "mount '%s' on '%s'", s->fstype, target);
		return buf;
	case FS_BIND:
		snprintf(buf, cap, "bind '%s' on '%s'", source, target);
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
