/*
 * Tasks without a shim: somebody in this process serves them (engine_host()). Their
 * events have one count over all of its runs, and their journal is in the bundle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "journal_left.h"
#include "str.h"

#define PROGRAM "berth"

/* As the daemon keeps it on record; no process is looked for by this name. */
static int print_instance(const struct task *t, struct sb *out)
{
	sb_printf(out, "hosted:%s", t->made ? t->made : "");
	for (char *s = out->s; !out->failed && *s; s++)
		if (*s == '-')
			*s = '.';
	return out->failed ? -ENOMEM : 0;
}

int hosted_connect(struct task *t, struct err *e)
{
	const struct engine_hosting *h = &t->t.engine->hosting;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb instance = SB_INIT;
	struct engine_hosted w = {
		.namespace = t->t.namespace,
		.id = t->t.id,
		.bundle = t->t.bundle,
		.binary = shim_find_program(&a, PROGRAM, true),
		.create = t->made_here,
	};

	if (!h->connect)
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP,
			       "task %s has no shim: only the daemon that made it can be asked", t->t.id);
	if (!w.binary && w.create)
		return err_set(e, ERR_NOT_FOUND, -ENXIO,
			       "the runtime '" PROGRAM "': neither beside this program nor in PATH");
	if (print_instance(t, &instance) < 0)
		return err_sys(e, -ENOMEM, "task %s", t->t.id);
	w.binary = w.binary ? w.binary : PROGRAM;
	w.instance = instance.s;
	return h->connect(h->ctx, &w, e);
}

static void on_left(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	event_deliver(ctx, number, m);
}

void hosted_tell_left(struct task *t)
{
	const struct engine_watch *w = &t->t.engine->watch;
	OWN_SB struct sb instance = SB_INIT, path = SB_INIT;

	if (!w->told || t->t.watched || t->instance || print_instance(t, &instance) < 0)
		return;
	sb_printf(&path, "%s/" HOSTED_JOURNAL, t->t.bundle);
	t->instance = path.failed ? NULL : strdup(instance.s);
	if (!t->instance)
		return;
	t->told = w->told(w->ctx, &t->t, t->instance, 0);
	journal_left_tell(path.s, t->told, on_left, t);
	if (w->gone)
		w->gone(w->ctx, &t->t, false);
}
