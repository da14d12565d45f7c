/* The settings of hcsshim; see timeouts.h. */
#include "timeouts.h"

#include <errno.h>

#include "err.h"
#include "str.h"

enum { MS = 1000, SECONDS_MAX = INT32_MAX / MS, STARTS_MAX = 1 << 20 };

static int read_one(const char *name, const char *value, uint32_t min, uint32_t max, uint32_t *ret, struct err *e)
{
	uint32_t n;

	if (str_empty(value))
		return 0;
	if (parse_u32(value, &n) < 0 || n < min || n > max)
		return err_set(e, ERR_INVALID, -EINVAL, "%s: '%s' is not a whole number from %u to %u", name, value,
			       min, max);
	*ret = n;
	return 0;
}

int timeouts_read(struct timeouts *t, char *(*get)(const char *name), struct err *e)
{
	const struct {
		const char *name;
		uint32_t *at, seconds;
	} rows[] = {
#define X(member, variable, seconds) { variable, &t->member, seconds },
		TIMEOUTS(X)
#undef X
	};
	int r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t seconds = rows[i].seconds;

		r = read_one(rows[i].name, get(rows[i].name), 1, SECONDS_MAX, &seconds, e);
		if (r < 0)
			return r;
		*rows[i].at = seconds * MS;
	}
	t->parallel_starts = 0;
	return read_one("HCSSHIM_MAX_PARALLEL_START", get("HCSSHIM_MAX_PARALLEL_START"), 0, STARTS_MAX,
			&t->parallel_starts, e);
}
