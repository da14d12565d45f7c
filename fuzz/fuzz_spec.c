/* config.json, and the parts of it that exec --process and update read. */
#include <stdint.h>
#include <stdlib.h>

#include "err.h"
#include "mem.h"
#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, const char *pointer, int line, const char *words)
{
	if (!pointer || !words || !words[0])
		abort();
	++*(int *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *text = arena_strndup(&a, (const char *)data, size);
	struct spec_resources *resources;
	struct spec_process *process;
	int n = 0, alone, all;
	struct spec *spec;
	struct err e = { 0 };
	struct spec_problems problems = { .add = count, .ctx = &n };

	if (!text)
		return 0;
	alone = spec_parse(&a, text, size, "config.json", NULL, &spec, &e);
	if (alone < 0 && !e.msg[0])
		abort();
	/* validate finds a problem exactly where create would stop. */
	all = spec_parse(&a, text, size, "config.json", &problems, &spec, NULL);
	if ((alone < 0) != (all < 0) || (all < 0 && n == 0))
		abort();
	spec_parse_process(&a, text, size, "process.json", &process, NULL);
	spec_parse_resources(&a, text, size, "resources.json", &resources, NULL);
	return 0;
}
