/* Reading flags by table, with the words of Go's flag package. */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "str.h"

int bool_parse(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
			*ret = !strcmp(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

/* ParseInt with base 0: 0x, 0o, 0b and plain 0 prefixes. */
static int int_parse(const char *s, int64_t *ret)
{
	bool neg = *s == '-';
	int base = 10, r;
	uint64_t v;

	if (*s == '-' || *s == '+')
		s++;
	if (s[0] == '0' && s[1]) {
		char c = (char)(s[1] | 0x20);

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	r = parse_u64(s, base, &v);
	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + neg)
		return -ERANGE;
	*ret = neg ? (int64_t)-v : (int64_t)v;
	return 0;
}

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	/* the longer of two that start alike comes first */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\302\265s", 1000 },
	{ "\316\274s", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
};

/* One "1.5h": the number and its unit, added to *sum. */
static int duration_part(const char **s, double *sum)
{
	size_t whole = strspn(*s, "0123456789"), digits = whole;
	char number[64];

	if ((*s)[whole] == '.')
		digits += 1 + strspn(*s + whole + 1, "0123456789");
	if (!digits || (digits == 1 && **s == '.') || digits >= sizeof number)
		return -EINVAL;
	memcpy(number, *s, digits);
	number[digits] = '\0';
	*s += digits;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!str_starts(*s, units[i].name))
			continue;
		*s += strlen(units[i].name);
		*sum += strtod(number, NULL) * (double)units[i].ns;
		return 0;
	}
	return -EINVAL;
}

int duration_parse(const char *s, int64_t *ret)
{
	bool neg = *s == '-';
	double sum = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!strcmp(s, "0")) {
		*ret = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		int r = duration_part(&s, &sum);

		if (r < 0)
			return r;
	}
	if (sum >= 9.2e18)
		return -ERANGE;
	*ret = (int64_t)(neg ? -sum : sum);
	return 0;
}

int bytes_parse(const char *s, int64_t *ret)
{
	size_t whole = strspn(s, "0123456789"), fraction = 0;
	uint64_t v, unit;
	char rest[32];
	int r;

	if (s[whole] != '.') {
		r = parse_size(s, &v);
		if (r == 0 && v > INT64_MAX)
			r = -ERANGE;
		if (r == 0)
			*ret = (int64_t)v;
		return r;
	}
	fraction = strspn(s + whole + 1, "0123456789");
	if (!whole || !fraction || strlen(s) - whole - fraction >= sizeof rest - 2)
		return -EINVAL;
	/* what one of its unit is */
	rest[0] = '1';
	strcpy(rest + 1, s + whole + 1 + fraction);
	r = parse_size(rest, &unit);
	if (r < 0)
		return r;
	if (strtod(s, NULL) * (double)unit >= 9.2e18)
		return -ERANGE;
	*ret = (int64_t)(strtod(s, NULL) * (double)unit);
	return 0;
}

int cpus_parse(const char *s, double *ret)
{
	char *end;
	double n = strtod(s, &end);

	if (end == s || *end || !(n >= 0.01 && n <= 100000))
		return -EINVAL;
	*ret = n;
	return 0;
}

static int list_add(struct arena *a, struct option_list *l, const char *s)
{
	const char **v = arena_calloc(a, l->n + 2, sizeof *v);

	if (!v)
		return -ENOMEM;
	if (l->n)
		memcpy(v, l->v, l->n * sizeof *v);
	v[l->n++] = s;
	l->v = v;
	return 0;
}

static int set_value(struct arena *a, const struct option_def *d, void *into, const char *s)
{
	void *at = (char *)into + d->offset;
	bool b;
	int r;

	switch (d->type) {
	case OPT_BOOL:
		return bool_parse(s, at);
	case OPT_SWITCH:
		r = bool_parse(s, &b);
		if (r == 0)
			*(int *)at = b ? 1 : -1;
		return r;
	case OPT_STRING:
		*(const char **)at = s;
		return 0;
	case OPT_INT:
		return int_parse(s, at);
	case OPT_DURATION:
		return duration_parse(s, at);
	case OPT_LIST:
		return list_add(a, at, s);
	}
	return -EINVAL;
}

static const struct option_def *find(const struct option_def *defs, const char *name,
				     size_t len)
{
	for (; defs->name; defs++) {
		if (len == 1 && defs->letter == *name)
			return defs;
		if (strlen(defs->name) == len && !memcmp(defs->name, name, len))
			return defs;
	}
	return NULL;
}

static bool is_bool(const struct option_def *d)
{
	return d->type == OPT_BOOL || d->type == OPT_SWITCH;
}

static int bad_value(const struct option_def *d, const char *name, int len,
		     const char *value, int r, struct err *e)
{
	const char *why = r == -ERANGE ? "value out of range" : "parse error";

	if (r == -ENOMEM)
		return err_sys(e, r, "read the command line");
	if (is_bool(d))
		err_set(e, ERR_INVALID, 0, "invalid boolean value \"%s\" for -%.*s: %s",
			value, len, name, why);
	else
		err_set(e, ERR_INVALID, 0, "invalid value \"%s\" for flag -%.*s: %s",
			value, len, name, why);
	return -EINVAL;
}

/* One flag, `arg` without its dashes. */
static int parse_one(struct arena *a, const struct option_def *defs, void *into,
		     const char *arg, char ***args, struct err *e)
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;
	const struct option_def *d = find(defs, arg, len);
	int r;

	if (!d) {
		if (!strcmp(arg, "help") || !strcmp(arg, "h"))
			return OPTIONS_HELP;
		return err_set(e, ERR_INVALID, 0, "flag provided but not defined: -%.*s",
			       (int)len, arg);
	}
	if (!value && is_bool(d))
		value = "true";
	if (!value && !(value = *(*args)++)) {
		--*args;
		return err_set(e, ERR_INVALID, 0, "flag needs an argument: -%.*s",
			       (int)len, arg);
	}
	r = set_value(a, d, into, value);
	return r < 0 ? bad_value(d, arg, (int)len, value, r, e) : 0;
}

int options_parse(struct arena *a, const struct option_def *defs, void *into,
		  char ***args, struct err *e)
{
	int r;

	for (const struct option_def *d = defs; d->name; d++) {
		if (!d->otherwise)
			continue;
		r = set_value(a, d, into, d->otherwise);
		if (r < 0)
			return bad_value(d, d->name, INT_MAX, d->otherwise, r, e);
	}
	while (**args) {
		const char *s = **args;

		if (s[0] != '-' || !s[1])
			return 0;
		++*args;
		if (!strcmp(s, "--"))
			return 0;
		s += s[1] == '-' ? 2 : 1;
		if (*s == '-' || *s == '=')
			return err_set(e, ERR_INVALID, 0, "bad flag syntax: %s", (*args)[-1]);
		r = parse_one(a, defs, into, s, args, e);
		if (r)
			return r;
	}
	return 0;
}
