/* passwd, one character at a time; see home.h. */
#include "home.h"

#include <string.h>

void home_reader_init(struct home_reader *r, uint32_t uid)
{
	memset(r, 0, sizeof *r);
	r->uid = uid;
}

static void start_line(struct home_reader *r)
{
	r->number = r->len = r->field = 0;
	r->bad = false;
}

/* The line is ours when it had a home field and a sound uid that matches. */
static bool end_line(struct home_reader *r)
{
	if (!r->bad && r->field >= 5 && r->number == r->uid && r->len && r->home[0] == '/') {
		r->home[r->len] = '\0';
		return true;
	}
	start_line(r);
	return false;
}

static void in_uid(struct home_reader *r, char c)
{
	r->len++;
	if (c < '0' || c > '9' || r->number > UINT32_MAX)
		r->bad = true;
	else
		r->number = r->number * 10 + (uint64_t)(c - '0');
}

static void next_field(struct home_reader *r)
{
	if (r->field == 2 && !r->len)
		r->bad = true; /* an empty uid is not 0 */
	if (++r->field == 5 || r->field == 2)
		r->len = 0;
}

bool home_reader_feed(struct home_reader *r, const char *data, size_t n)
{
	for (size_t i = 0; i < n && !r->found; i++) {
		char c = data[i];

		if (c == '\n') {
			r->found = end_line(r);
		} else if (c == ':') {
			next_field(r);
		} else if (r->field == 2) {
			in_uid(r, c);
		} else if (r->field == 5) {
			if (r->len + 1 < sizeof r->home && c)
				r->home[r->len++] = c;
			else
				r->bad = true;
		}
	}
	return r->found;
}

const char *home_reader_result(struct home_reader *r)
{
	if (!r->found)
		r->found = end_line(r); /* the last line may lack its newline */
	return r->found ? r->home : "/";
}
