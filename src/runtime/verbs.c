/* The array of verbs, and what all of them need. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "str.h"
#include "verb.h"

const struct verb *const verbs[] = {
#define X(name) &verb_##name,
	VERBS(X)
#undef X
	NULL
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

int verb_check_args(const struct verb *v, size_t n, struct err *e)
{
	size_t min = (size_t)v->min_args;

	if (v->max_args == v->min_args && n != min)
		return err_set(e, ERR_INVALID, 0, PROGRAM ": \"%s\" requires exactly %d argument(s)",
			       v->name, v->min_args);
	if (n < min)
		return err_set(e, ERR_INVALID, 0,
			       PROGRAM ": \"%s\" requires a minimum of %d argument(s)",
			       v->name, v->min_args);
	if (v->max_args >= 0 && n > (size_t)v->max_args)
		return err_set(e, ERR_INVALID, 0,
			       PROGRAM ": \"%s\" requires a maximum of %d argument(s)",
			       v->name, v->max_args);
	return 0;
}

int request_open(struct request *q, bool lock, struct container *ret, struct err *e)
{
	if (str_empty(q->args[0]))
		return err_set(e, ERR_INVALID, 0, "container id cannot be empty");
	return container_open(&q->core, q->args[0], lock, ret, e);
}
