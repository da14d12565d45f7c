/* An engine: its settings, its tasks, its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "err.h"
#include "identifier.h"

static int copy_settings(struct arena *a, struct engine_settings *to, const struct engine_settings *s)
{
	char **members[] = {
		&to->state,
		&to->namespace,
		&to->cgroup_parent,
		&to->shim,
		&to->runtime,
		&to->runtime_root,
		&to->shim_cgroup,
	};

	*to = *s;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		*members[i] = arena_strdup(a, *members[i] ? *members[i] : "");
		if (!*members[i])
			return -ENOMEM;
	}
	return 0;
}

int engine_new(struct engine **ret, struct loop *l, const struct engine_settings *s, const struct engine_watch *w,
	       struct err *e)
{
	struct engine *en = calloc(1, sizeof *en);
	int r = en ? copy_settings(&en->arena, &en->settings, s) : -ENOMEM;

	if (r >= 0) {
		en->loop = l;
		if (w)
			en->watch = *w;
		*ret = en;
		return 0;
	}
	if (en)
		arena_done(&en->arena);
	free(en);
	return err_sys(e, r, "make an engine");
}

void engine_host(struct engine *en, const struct engine_hosting *h)
{
	en->hosting = *h;
}

void engine_free(struct engine *en)
{
	struct err e;
	int r = err_set(&e, ERR_INTERNAL, -ECANCELED, "the engine ends");

	en->ending = true;
	while (en->operations)
		en->operations->stop(en->operations, r, &e);
	tasks_free(en);
	cleanups_free(en);
	arena_done(&en->arena);
	free(en);
}

int engine_set_settings(struct engine *en, const struct engine_settings *s, struct err *e)
{
	struct engine_settings wanted = *s, next;
	struct arena a = ARENA_INIT;

	wanted.state = en->settings.state;
	if (copy_settings(&a, &next, &wanted) < 0) {
		arena_done(&a);
		return err_sys(e, -ENOMEM, "take the engine's settings");
	}
	arena_done(&en->arena);
	en->arena = a;
	en->settings = next;
	return 0;
}

const struct engine_settings *engine_settings_of(const struct engine *en)
{
	return &en->settings;
}
