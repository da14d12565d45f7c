/* Problems of documents; see problems.h. */
#include "problems.h"

#include <string.h>

static void add(void *ctx, const char *pointer, int line, const char *words)
{
	struct problems *p = ctx;
	struct problem *at = &p->list[p->n];

	if (p->n == PROBLEMS_MAX)
		return;
	*at = (struct problem){ arena_strdup(p->a, pointer), line, arena_strdup(p->a, words) };
	if (at->pointer && at->words)
		p->n++;
}

void problems_init(struct problems *p, struct arena *a)
{
	p->a = a;
	p->n = 0;
	p->to = (struct spec_problems){ add, p };
}

int problems_parse_system(struct problems *p, struct arena *a, const char *text, struct schema_system **ret,
			  struct err *e)
{
	const struct schema_source src = {
		.text = text,
		.len = strlen(text),
		.name = "configuration",
		.problems = &p->to,
	};

	return schema_parse_system(a, &src, ret, e);
}

HRESULT document_result(const struct err *e)
{
	return e->kind == ERR_INVALID ? HCS_E_INVALID_JSON : result_of(e);
}

char *problems_report(const struct problems *p, const struct call *c, const struct err *e)
{
	struct failure f = {
		.hr = document_result(e),
		.call = c->name,
		.ns = c->sys ? c->sys->ns : NULL,
		.system = c->sys ? c->sys->id : c->id,
		.e = e,
		.problems = p->list,
		.n_problems = p->n,
	};

	return result_error(&f);
}
