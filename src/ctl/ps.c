/* ps: the processes of a system. */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "sample.h"

static int ps_table(struct request *q, const struct json *list, struct err *e)
{
	static const char *const head[] = { "PID", "STARTED", "USER TIME", "KERNEL TIME", "MEMORY", "PROGRAM", NULL };
	struct table t = { .columns = ARRAY_SIZE(head) - 1 };
	int r = cells(&t, q, head);

	for (uint32_t i = 0; r == 0 && list && i < list->n; i++) {
		const struct json *p = json_at(list, i);

		r = cell(&t, q, "%llu", (unsigned long long)number(p, "ProcessId"));
		if (r == 0)
			r = cell(&t, q, "%.19s", json_string(json_get(p, "CreateTimestamp"), ""));
		if (r == 0)
			r = cell(&t, q, "%s", time_words(q, number(p, "UserTime100ns")));
		if (r == 0)
			r = cell(&t, q, "%s", time_words(q, number(p, "KernelTime100ns")));
		if (r == 0)
			r = cell(&t, q, "%s", size_words(q, number(p, "MemoryCommitBytes")));
		if (r == 0)
			r = cell(&t, q, "%s", json_string(json_get(p, "ImageName"), ""));
	}
	return r < 0 ? no_memory(e) : show_table(&t, e);
}

static int ps_run(struct request *q, void *options, struct err *e)
{
	static const char *const types[] = { "ProcessList", NULL };
	const struct json *list;
	OWN_RESULT text = NULL;
	OWN_SYSTEM s = NULL;
	struct json_doc doc;
	int r = open_system(q, q->args[0], &s, e);

	if (r < 0)
		return r;
	r = get_properties(q, s, types, &text, e);
	if (r < 0)
		return r;
	r = read_json(q, text, "properties", &doc, e);
	if (r < 0)
		return r;
	list = json_get(doc.root, "ProcessList");
	if (!q->common.json)
		return ps_table(q, list, e);
	return show_json(q, list ? json_print(q->arena, list) : "[]", e);
}

const struct verb verb_ps = {
	.name = "ps",
	.summary = "the processes of a system",
	.usage = "<id>",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.min_args = 1,
	.max_args = 1,
	.run = ps_run,
};
