/* A client's filters: several, with a NUL behind each; what is behind the last NUL is
 * the value of every field that is not named "none". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *value_of(void *ctx, const char *const *path, size_t n)
{
	if (!n || !path[0])
		abort();
	return filter_is_key(path, n, "none") ? NULL : ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	const char *texts[8];
	struct filter *f;
	struct err e = { 0 };
	size_t n = 0;
	char *at, *end;
	bool first;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (at = copy; n < 8 && (end = memchr(at, '\0', (size_t)(copy + size - at))); at = end + 1)
		texts[n++] = at;
	if (filter_parse(texts, n, &f, &e) >= 0) {
		first = filter_match(f, value_of, at);
		/* the same again, unless an expression was given up */
		if (filter_match(f, value_of, at) != first && n <= 1 && strlen(at) < 100 && size < 100)
			abort();
		filter_free(f);
	} else if (e.kind != ERR_INVALID || !e.msg[0]) {
		abort();
	}
	free(copy);
	return 0;
}
