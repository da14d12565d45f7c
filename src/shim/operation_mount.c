/* Mounts of a container that lives, in a helper. */
#include <unistd.h>

#include "helper.h"
#include "live_mount.h"
#include "operation.h"

static struct live_where where(const struct order *o)
{
	return (struct live_where){ .pidfd = STDIN_FILENO, .pid = o->pid, .bundle = o->bundle };
}

int operation_mount_add(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct live_where w = where(o);

	return live_mount_add(&w, o->mount, &ret->mount, e);
}

int operation_mount_remove(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct live_where w = where(o);

	return live_mount_remove(&w, o->destination, o->live, e);
}
