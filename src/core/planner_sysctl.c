/* Sysctls. Which of them a container may have is decided in spec_sysctl.c. */
#include <string.h>

#include "planner_parts.h"

/* Where it stands in config.json, if it was written with dots as nearly
 * always; a "/" of such a key is "~1" in a pointer. */
static char *pointer_of(struct arena *a, const char *path)
{
	static const char base[] = "/linux/sysctl/";
	char *out = arena_alloc(a, sizeof base + 2 * strlen(path)), *p;

	if (!out)
		return NULL;
	p = stpcpy(out, base);
	for (; *path; path++) {
		if (*path == '.' || *path == '~') {
			*p++ = '~';
			*p++ = *path == '.' ? '1' : '0';
		} else {
			*p++ = *path == '/' ? '.' : *path;
		}
	}
	*p = '\0';
	return out;
}

int plan_sysctl(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;
	struct plan_kv *kv = arena_calloc(pl->a, l->n_sysctl, sizeof *kv);

	if (!kv)
		return plan_nomem(pl);
	for (size_t i = 0; i < l->n_sysctl; i++) {
		kv[i].key = l->sysctl[i].key;
		kv[i].value = l->sysctl[i].value;
		kv[i].pointer = pointer_of(pl->a, l->sysctl[i].key);
		if (!kv[i].pointer)
			return plan_nomem(pl);
	}
	pl->p->sysctl = kv;
	pl->p->n_sysctl = l->n_sysctl;
	return 0;
}
