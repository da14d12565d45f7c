/* What shims have left for us; see tasks_left.h. */
#include "tasks_left.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cursors.h"
#include "engine.h"
#include "err.h"
#include "journal_left.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "told.h"

struct row {
	uint32_t pid; /* its shim's */
	int row;
	bool wanted; /* to be told */
	bool found; /* its journal */
	struct told *told;
};

struct left {
	struct told_list *list;
	struct row *rows; /* by pid */
	size_t n;
	bool others; /* those of shims without a row are told, too */
	const struct row *at; /* whose events are read; NULL: of a shim without */
	bool news; /* in its journal */
};

static struct timespec time_of(const Containerd__Events__Envelope *m)
{
	return (struct timespec){ m->timestamp ? (time_t)m->timestamp->seconds : 0,
				  m->timestamp ? m->timestamp->nanos : 0 };
}

static void tell(struct left *l, const char *id, uint64_t number, const Containerd__Events__Envelope *m)
{
	const struct cursor *row = l->at ? cursor_at(l->list->cursors, l->at->row) : NULL;
	struct bus_event ev = {
		.ns = m->namespace_,
		.topic = m->topic,
		.at = time_of(m),
		.type = m->event->type_url,
		.body = m->event->value.data,
		.len = m->event->value.len,
	};

	if (row && (strcmp(row->id, id) != 0 || strcmp(row->namespace, m->namespace_) != 0))
		return;
	told_publish(l->list, l->at ? l->at->told : NULL, &ev, number);
}

static void on_event(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	/* Every event of a task has its id first. */
	Containerd__Events__TaskOOM *first =
		m->event ? containerd__events__task_oom__unpack(NULL, m->event->value.len, m->event->value.data) : NULL;

	if (!first)
		return;
	tell(ctx, first->container_id, number, m);
	containerd__events__task_oom__free_unpacked(first, NULL);
}

/* "NAME.PID" */
static uint32_t pid_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
}

/* ---- rows ------------------------------------------------------------------------- */

static int add_row(struct left *l, int row, bool wanted)
{
	struct row *more = l->n & (l->n - 1) ? l->rows : realloc(l->rows, (2 * l->n + 1) * sizeof *more);

	if (!more)
		return -ENOMEM;
	l->rows = more;
	l->rows[l->n++] = (struct row){
		.pid = cursor_pid(cursor_at(l->list->cursors, row)),
		.row = row,
		.wanted = wanted,
		.told = wanted ? told_new(l->list, row) : NULL,
	};
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->pid != y->pid ? (x->pid > y->pid ? 1 : -1) : x->row - y->row;
}

static struct row *first_of(const struct left *l, uint32_t pid)
{
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (l->rows[middle].pid < pid)
			from = middle + 1;
		else
			to = middle;
	}
	return &l->rows[from];
}

/* ---- journals --------------------------------------------------------------------- */

static void on_journal(void *ctx, const char *path, const char *name)
{
	struct left *l = ctx;
	const struct row *end = l->rows + l->n;
	uint32_t pid = pid_of(name);

	for (struct row *r = first_of(l, pid); r < end && r->pid == pid; r++) {
		if (!r->wanted || r->found)
			continue;
		l->at = r;
		r->found = journal_left_tell(path, cursor_at(l->list->cursors, r->row)->number, on_event, l) >= 0;
	}
}

/* Later than all that has been told. */
static void on_news(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct left *l = ctx;
	const struct timespec at = time_of(m), last = cursors_last_told(l->list->cursors);

	if (at.tv_sec > last.tv_sec || (at.tv_sec == last.tv_sec && at.tv_nsec > last.tv_nsec))
		l->news = true;
}

/* Of a shim without a row all has been told, to its tasks' deletion, or nothing: its first event
 * may be older than another task's that has come sooner. */
static void on_left(void *ctx, const char *path, const char *name)
{
	struct left *l = ctx;
	uint32_t pid = pid_of(name);
	const struct row *r = first_of(l, pid);

	if (r < l->rows + l->n && r->pid == pid) {
		on_journal(l, path, name);
	} else if (l->others) {
		l->at = NULL;
		l->news = false;
		journal_left_tell(path, 0, on_news, l);
		if (l->news)
			journal_left_tell(path, 0, on_event, l);
	}
}

/* In one look, however many there are. */
static void tell_all(struct left *l, const struct engine_settings *s)
{
	OWN_SB struct sb shims = SB_INIT;

	if (l->n)
		qsort(l->rows, l->n, sizeof *l->rows, by_pid);
	sb_printf(&shims, "%s/" ENGINE_SHIMS, s->state);
	if (!shims.failed && l->n) /* it may be just ending */
		journal_live_each(shims.s, on_journal, l);
	if (!shims.failed)
		journal_left_each(shims.s, on_left, l);
	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].told)
			told_end(l->rows[i].told);
}

void tasks_tell_left(struct told_list *list, const struct engine_settings *s, const char *namespace, const char *id)
{
	struct left l = { .list = list };
	int r = 0;

	for (int row = -1; r >= 0 && (row = cursor_of(list->cursors, namespace, id, row)) >= 0;)
		if (!told_waits(list, row))
			r = add_row(&l, row, true);
	if (l.n)
		tell_all(&l, s);
	free(l.rows);
}

static bool has_bundle(const struct engine_settings *s, const struct cursor *r)
{
	OWN_SB struct sb path = SB_INIT;

	sb_printf(&path, "%s/%s/%s", s->state, r->namespace, r->id);
	return path.failed || sys_faccessat(AT_FDCWD, path.s, F_OK) >= 0;
}

void tasks_tell_all_left(struct told_list *list, const struct engine_settings *s)
{
	struct left l = { .list = list, .others = true };
	int r = 0;

	if (!cursors_had_run(list->cursors))
		return;
	for (int row = -1; r >= 0 && (row = cursor_next(list->cursors, row)) >= 0;)
		r = add_row(&l, row, !told_waits(list, row) && !has_bundle(s, cursor_at(list->cursors, row)));
	if (r >= 0)
		tell_all(&l, s);
	else
		log_printf(LOG_LEVEL_ERROR, "events of tasks that have ended are not told: %s", err_cause(-r));
	free(l.rows);
}
