/* A user's ids from the texts of /etc/passwd and /etc/group: the container's, so
 * nothing in them is trusted. */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "schema_oci_parts.h"

enum { GROUPS_MAX = 65536 }; /* the kernel's NGROUPS_MAX */

struct field {
	const char *s;
	size_t n;
};

/* The first `n` fields of a line; returns how many it has. */
static int split(struct field line, struct field *fields, int n)
{
	int found = 0;

	while (found < n) {
		const char *colon = memchr(line.s, ':', line.n);
		size_t len = colon ? (size_t)(colon - line.s) : line.n;

		fields[found++] = (struct field){ line.s, len };
		if (!colon)
			break;
		line.s += len + 1;
		line.n -= len + 1;
	}
	return found;
}

static bool next_line(const char **text, struct field *line)
{
	const char *s = *text;

	if (!s || !*s)
		return false;
	line->s = s;
	line->n = strcspn(s, "\n");
	*text = s + line->n + (s[line->n] == '\n');
	return true;
}

static bool is(struct field f, const char *name)
{
	return f.n == strlen(name) && !memcmp(f.s, name, f.n);
}

static bool id_of(struct field f, uint32_t *ret)
{
	char digits[16];

	if (!f.n || f.n >= sizeof digits)
		return false;
	memcpy(digits, f.s, f.n);
	digits[f.n] = '\0';
	return parse_u32(digits, ret) == 0 && *ret != UINT32_MAX;
}

static bool has_member(struct field list, const char *name)
{
	while (list.n) {
		const char *comma = memchr(list.s, ',', list.n);
		size_t len = comma ? (size_t)(comma - list.s) : list.n;

		if (is((struct field){ list.s, len }, name))
			return true;
		if (!comma)
			return false;
		list.s += len + 1;
		list.n -= len + 1;
	}
	return false;
}

/* "name:password:gid:member,member" */
static bool is_group_of(struct field line, const char *name, uint32_t *gid)
{
	struct field f[4];

	return split(line, f, 4) == 4 && has_member(f[3], name) && id_of(f[2], gid);
}

static int find_groups(struct arena *a, const char *name, const char *group, struct schema_user *u,
		       struct err *e)
{
	struct field line;
	const char *text;
	size_t n = 0;
	uint32_t gid;

	for (text = group; next_line(&text, &line);)
		n += is_group_of(line, name, &gid);
	if (n > GROUPS_MAX)
		return err_set(e, ERR_INVALID, 0, "user '%s' is in %zu groups, at most %d", name, n,
			       (int)GROUPS_MAX);
	u->groups = arena_calloc(a, n, sizeof *u->groups);
	if (!u->groups)
		return schema_no_memory(e);
	for (text = group; next_line(&text, &line);)
		if (is_group_of(line, name, &gid))
			u->groups[u->n_groups++] = gid;
	return 0;
}

int schema_find_user(struct arena *a, const char *name, const char *passwd, const char *group,
		     struct schema_user *ret, struct err *e)
{
	struct field line, f[4]; /* name:password:uid:gid:... */
	struct schema_user u = { 0 };
	int r;

	while (next_line(&passwd, &line)) {
		if (split(line, f, 4) < 4 || !is(f[0], name))
			continue;
		if (!id_of(f[2], &u.uid) || !id_of(f[3], &u.gid))
			return err_set(e, ERR_INVALID, 0, "user '%s' has no ids in /etc/passwd", name);
		r = find_groups(a, name, group, &u, e);
		if (r == 0)
			*ret = u;
		return r;
	}
	return err_set(e, ERR_NOT_FOUND, 0, "no user '%s' in /etc/passwd", name);
}
