/* /proc/self/mountinfo; see live_table.h. */
#include "live_table.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "err.h"
#include "file.h"
#include "mem.h"
#include "str.h"

enum { MAX_SIZE = 64 << 20, MAX_BELOW = 1000 };

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* "\040" is a space; so are tab, newline and the backslash itself written. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (*s == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3])) {
			*to++ = (char)(((s[1] - '0') * 8 + (s[2] - '0')) * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ..." */
static bool parse_line(char *line, struct live_entry *ret)
{
	char *field[5], *next = line;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&next, " ");
		if (!field[i] || !next)
			return false;
	}
	if (parse_u64(field[0], 10, &ret->id) < 0 || parse_u64(field[1], 10, &ret->parent) < 0 || *field[4] != '/')
		return false;
	ret->path = field[4];
	unescape(ret->path);
	return true;
}

static bool has(const struct live_entry *list, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id)
			return true;
	return false;
}

int live_table_parse(struct arena *a, char *text, uint64_t id, struct live_entry **ret, size_t *ret_n)
{
	struct live_entry *all, *list;
	size_t lines = 1, n = 0, found = 0, before;
	char *line;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	all = arena_calloc(a, lines, sizeof *all);
	list = arena_calloc(a, lines < MAX_BELOW ? lines : MAX_BELOW + 1, sizeof *list);
	if (!all || !list)
		return -ENOMEM;
	while ((line = strsep(&text, "\n")))
		n += parse_line(line, &all[n]);
	/* They may stand in any order, so as often as there is another one. */
	do {
		before = found;
		for (size_t i = 0; i < n; i++)
			if (found <= MAX_BELOW && (all[i].id == id || has(list, found, all[i].parent)) &&
			    !has(list, found, all[i].id))
				list[found++] = all[i];
	} while (found > before);
	if (found > MAX_BELOW)
		return -E2BIG;
	*ret = list;
	*ret_n = found;
	return 0;
}

int live_table_below(int proc, struct arena *a, uint64_t id, struct live_entry **ret, size_t *ret_n, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, proc, "self/mountinfo", MAX_SIZE, &text, &len, e);

	if (r < 0)
		return r;
	r = live_table_parse(a, text, id, ret, ret_n);
	return r < 0 ? err_sys(e, r, "look at the container's mounts") : 0;
}
