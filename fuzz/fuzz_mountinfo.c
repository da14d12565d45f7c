/* /proc/self/mountinfo and /proc/self/cgroup, in one input with a NUL between. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "live_table.h"
#include "mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *text = arena_strndup(&a, (const char *)data, size);
	const uint8_t *nul = memchr(data, 0, size);
	const char *own = "0::/\n";
	struct cgroup_host h = { 0 };
	struct live_entry *below;
	struct err e = { 0 };
	size_t n;

	if (!text)
		return 0;
	if (nul)
		own = arena_strndup(&a, (const char *)nul + 1, size - (size_t)(nul + 1 - data));
	if (!own)
		return 0;
	if (cgroup_host_parse(&h, &a, text, own, &e) < 0 && !e.msg[0])
		abort();
	if (h.n > CGROUP_MAX_HIERARCHIES)
		abort();
	if (live_table_parse(&a, text, 25, &below, &n) < 0)
		return 0;
	for (size_t i = 1; i < n; i++) /* each after what it is mounted on */
		for (size_t j = i; j < n; j++)
			if (below[j].id == below[i].parent || below[j].id == 25)
				abort();
	for (size_t i = 0; i < h.n; i++)
		if (!h.h[i].mountpoint || !h.h[i].controllers)
			abort();
	return 0;
}
