/* Something that is shown again and again. */
#include "refresh.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "term.h"

enum { SHORTEST_MS = 100, ROWS = 24, COLUMNS = 80 };

static bool never(void *ctx)
{
	return false;
}

/* As much as there is room for; each line takes the place of the one before it. */
static void in_place(const struct sb *text, bool first, struct sb *out)
{
	uint16_t rows = 0, columns = 0;
	const char *s = text->len ? text->s : "";

	if (term_get_size(STDOUT_FILENO, &rows, &columns) < 0 || !rows || !columns) {
		rows = ROWS;
		columns = COLUMNS;
	}
	sb_puts(out, first ? "\033[2J\033[H" : "\033[H");
	for (uint16_t row = 1; *s && row < rows; row++) {
		size_t len = strcspn(s, "\n"), shown = 0, at = 0;

		while (at < len && shown < columns) {
			size_t n = utf8_len(s + at, len - at);

			at += n ? n : 1;
			shown++;
		}
		sb_add(out, s, at);
		sb_puts(out, "\033[K\n");
		s += len + (s[len] == '\n');
	}
	sb_puts(out, "\033[J");
}

static int one_round(struct request *q, watch_round *round, void *ctx, struct sb *out, struct err *e)
{
	struct arena own = ARENA_INIT, *all = q->arena;
	int r;

	q->arena = &own;
	r = round(q, ctx, out, e);
	q->arena = all;
	q->report = NULL; /* was of that arena; `e` has the words */
	arena_done(&own);
	if (r == 0 && out->failed)
		r = no_memory(e);
	return r;
}

static int print_round(struct request *q, const struct sb *text, int64_t n, bool tty, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	if (q->common.json)
		sb_puts(&out, n ? ",\n" : "[");
	else if (tty)
		in_place(text, n == 0, &out);
	else if (n)
		sb_putc(&out, '\n');
	if (!tty || q->common.json)
		sb_add(&out, text->len ? text->s : "", text->len);
	q->printed = true;
	return cli_put_sb(&out, e);
}

int watch(struct request *q, const struct watch_flags *f, watch_round *round, void *ctx, struct err *e)
{
	int64_t ms = f->interval / 1000000, next = clock_ms();
	bool tty = isatty(STDOUT_FILENO);
	struct err ended;
	int r = 0;

	ms = ms < SHORTEST_MS ? SHORTEST_MS : ms;
	for (int64_t n = 0; r == 0; n++) {
		OWN_SB struct sb text = SB_INIT;

		r = one_round(q, round, ctx, &text, e);
		if (r == 0)
			r = print_round(q, &text, n, tty, e);
		if (r < 0 || (f->count && n + 1 >= f->count))
			break;
		next += ms;
		if (next < clock_ms())
			next = clock_ms();
		r = drive(never, NULL, next, NULL, &ended);
		if (r == -ETIMEDOUT)
			r = 0;
		else if (r < 0 && r != -EINTR)
			*e = ended;
	}
	if (q->common.json && q->printed)
		cli_put("]\n", 2, NULL);
	return r == -EINTR ? 0 : r;
}
