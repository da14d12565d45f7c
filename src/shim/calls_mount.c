/* The calls that change the mounts of a task that lives: what was attached is
 * remembered here, since only that is taken off again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "err.h"
#include "job.h"
#include "live_mount.h"
#include "mem.h"
#include "service.h"
#include "spec.h"

enum { MOUNTED_MAX = 256 };

struct mounted {
	struct mounted *next;
	char *destination;
	bool busy; /* being attached, or taken off */
	struct live_mount live;
};

static struct mounted *find(const struct task *t, const char *destination)
{
	struct mounted *m = t->mounted;

	while (m && strcmp(m->destination, destination) != 0)
		m = m->next;
	return m;
}

static void forget(struct task *t, struct mounted *m)
{
	struct mounted **at = &t->mounted;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	free(m->destination);
	free(m);
}

void mounted_free(struct task *t)
{
	while (t->mounted)
		forget(t, t->mounted);
}

static struct mounted *remember(struct task *t, const char *destination, struct err *e)
{
	struct mounted *m;
	unsigned n = 0;

	if (find(t, destination)) {
		err_set(e, ERR_EXISTS, 0, "mount '%s'", destination);
		return NULL;
	}
	for (m = t->mounted; m; m = m->next)
		n++;
	m = n < MOUNTED_MAX ? calloc(1, sizeof *m) : NULL;
	if (m)
		m->destination = strdup(destination);
	if (!m || !m->destination) {
		free(m);
		if (n < MOUNTED_MAX)
			err_sys(e, -ENOMEM, "mount");
		else
			err_set(e, ERR_STATE, 0, "there are %u mounts already", n);
		return NULL;
	}
	m->next = t->mounted;
	t->mounted = m;
	return m;
}

/* The helper gets at the container by the pidfd of its first process. */
static void start(struct job *j, int (*work)(struct helper_result *ret, void *order, struct err *e),
		  struct mounted *m)
{
	const int stdio[STDIO_COUNT] = { j->task->init.pidfd, -1, -1 };

	m->busy = true;
	j->extra = m;
	j->order.pid = j->task->init.pid;
	job_start(j, work, stdio);
}

static struct task *task_to_change(struct call *c, const char *id)
{
	struct task *t = call_task(c, id);
	struct err e;

	if (t && life_check(t->init.ended ? LIFE_STOPPED : t->init.state, LIFE_MOUNT, &e) < 0) {
		call_fail(c, &e);
		return NULL;
	}
	return t;
}

static void on_added(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	Berth__Shim__V1__MountAddResponse answer = BERTH__SHIM__V1__MOUNT_ADD_RESPONSE__INIT;
	struct mounted *m = j->extra;

	if (r < 0) {
		ttrpc_fail(j->call, e);
		forget(j->task, m);
		return;
	}
	m->busy = false;
	m->live = ret->mount;
	answer.destination = m->destination;
	ttrpc_reply(j->call, &answer.base);
}

void call_mount_add(struct call *c)
{
	const Berth__Shim__V1__MountAddRequest *q = (void *)c->m;
	struct task *t = task_to_change(c, q->id);
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_mount *spec = NULL;
	struct mounted *m = NULL;
	struct job *j = NULL;
	struct err e;
	int r;

	if (!t)
		return;
	r = spec_parse_mount(&a, q->mount, strlen(q->mount), "mount", &spec, &e);
	if (r >= 0)
		r = live_mount_check(spec, &e);
	if (r >= 0)
		m = remember(t, spec->destination, &e);
	if (!m) {
		call_fail(c, &e);
		return;
	}
	j = job_new(t, NULL, c->rpc, on_added);
	if (!j) {
		forget(t, m);
		return;
	}
	j->order.mount = spec; /* the fork has it */
	start(j, operation_mount_add, m);
}

static void on_removed(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct mounted *m = j->extra;

	m->busy = false;
	if (r >= 0 || e->kind == ERR_NOT_FOUND)
		forget(j->task, m);
	call_end(j->call, r, e);
}

void call_mount_remove(struct call *c)
{
	const Berth__Shim__V1__MountRemoveRequest *q = (void *)c->m;
	struct task *t = task_to_change(c, q->id);
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *destination = t ? spec_clean_path(&a, q->destination) : NULL;
	struct mounted *m = destination ? find(t, destination) : NULL;
	struct job *j;
	struct err e;

	if (!t)
		return;
	if (!m || m->busy) {
		if (!destination)
			err_sys(&e, -ENOMEM, "unmount");
		else if (!m)
			err_set(&e, ERR_NOT_FOUND, 0, "mount '%s'", destination);
		else
			err_set(&e, ERR_STATE, 0, "another operation on mount '%s' is in progress", destination);
		call_fail(c, &e);
		return;
	}
	j = job_new(t, NULL, c->rpc, on_removed);
	if (!j)
		return;
	j->order.destination = m->destination;
	j->order.live = &m->live;
	start(j, operation_mount_remove, m);
}
