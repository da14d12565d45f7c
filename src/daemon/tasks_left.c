/* What shims have left for us; see tasks_left.h. */
#include "tasks_left.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cursors.h"
#include "engine.h"
#include "fd.h"
#include "journal_left.h"
#include "mem.h"
#include "str.h"
#include "sys.h"
#include "told.h"

/* Where a row's journal was seen: only where to look first, so it may be wrong or not known. */
struct place {
	uint32_t pid; /* the row's shim's */
	const char *path; /* NULL: not seen */
};

struct left {
	struct told_list *list;
	const struct cursor *row; /* whose events are told; NULL: of shims without a row */
	struct told *told; /* the row's */
	uint32_t pid; /* its shim's */
	bool found; /* an event of it, told or not: this is its journal */
	bool news; /* in a journal of a shim without a row */
	struct place *places; /* one a row, by pid; NULL: there is no memory for them, or need */
	size_t n;
	struct arena arena; /* theirs */
};

static struct timespec time_of(const Containerd__Events__Envelope *m)
{
	return (struct timespec){ m->timestamp ? (time_t)m->timestamp->seconds : 0,
				  m->timestamp ? m->timestamp->nanos : 0 };
}

static void tell(struct left *l, const char *id, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct bus_event ev = {
		.ns = m->namespace_,
		.topic = m->topic,
		.at = time_of(m),
		.type = m->event->type_url,
		.body = m->event->value.data,
		.len = m->event->value.len,
	};

	if (l->row && (strcmp(l->row->id, id) != 0 || strcmp(l->row->namespace, m->namespace_) != 0))
		return;
	l->found = true;
	if (!l->row || number > l->row->number)
		told_publish(l->list, l->told, &ev, number);
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

/* ---- where they are --------------------------------------------------------------- */

static int by_pid(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->pid > y->pid ? 1 : x->pid < y->pid ? -1 : 0;
}

/* A pid has one place, however many rows: a pod's shim has several. */
static void make_places(struct left *l)
{
	const struct cursors *c = l->list->cursors;
	size_t n = 0;

	for (int row = -1; (row = cursor_next(c, row)) >= 0;)
		n++;
	l->places = n ? arena_calloc(&l->arena, n, sizeof *l->places) : NULL;
	for (int row = -1; l->places && (row = cursor_next(c, row)) >= 0;)
		l->places[l->n++].pid = cursor_pid(cursor_at(c, row));
	if (!l->places)
		return;
	qsort(l->places, n, sizeof *l->places, by_pid);
	l->n = 1;
	for (size_t i = 1; i < n; i++)
		if (l->places[i].pid != l->places[l->n - 1].pid)
			l->places[l->n++] = l->places[i];
}

static struct place *place_of(const struct left *l, uint32_t pid)
{
	struct place key = { .pid = pid };

	return l->places ? bsearch(&key, l->places, l->n, sizeof key, by_pid) : NULL;
}

static bool has_row(const struct left *l, uint32_t pid)
{
	const struct cursors *c = l->list->cursors;

	if (l->places)
		return place_of(l, pid) != NULL;
	for (int row = -1; (row = cursor_next(c, row)) >= 0;)
		if (cursor_pid(cursor_at(c, row)) == pid)
			return true;
	return false;
}

/* ---- what is told ----------------------------------------------------------------- */

/* Later than all that has been told. */
static void on_news(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct left *l = ctx;
	const struct timespec at = time_of(m), last = cursors_last_told(l->list->cursors);

	if (at.tv_sec > last.tv_sec || (at.tv_sec == last.tv_sec && at.tv_nsec > last.tv_nsec))
		l->news = true;
}

/* Of a shim without a row all has been told, to its tasks' deletion, or nothing: its first event
 * may be older than another task's that has come sooner. So the last one says which. */
static void tell_if_new(struct left *l, const char *path)
{
	OWN_FD dir = -1;
	struct journal j;

	if (journal_left_open(&j, path, &dir) < 0)
		return;
	l->news = false;
	if (j.last >= j.first)
		journal_tell(&j, j.last - 1, on_news, l);
	if (l->news)
		journal_tell(&j, 0, on_event, l);
	journal_close(&j);
}

static void on_other(void *ctx, const char *path, const char *name)
{
	struct left *l = ctx;
	uint32_t pid = pid_of(name);
	struct place *p = place_of(l, pid);

	if (p)
		p->path = arena_strdup(&l->arena, path);
	else if (!has_row(l, pid))
		tell_if_new(l, path);
}

static void on_journal(void *ctx, const char *path, const char *name)
{
	struct left *l = ctx;

	/* It may have moved just now; or another shim had this pid. */
	if (pid_of(name) == l->pid && !l->found)
		journal_left_tell(path, 0, on_event, l);
}

static void tell_row(struct told_list *list, const struct engine_settings *s, int row, const char *first)
{
	const struct cursor *r = cursor_at(list->cursors, row);
	struct left l = { .list = list, .row = r, .pid = cursor_pid(r) };
	OWN_SB struct sb shims = SB_INIT;

	if (told_waits(list, row))
		return;
	l.told = told_new(list, row);
	sb_printf(&shims, "%s/" ENGINE_SHIMS, s->state);
	if (first)
		journal_left_tell(first, 0, on_event, &l);
	if (!l.found && l.pid && !shims.failed) /* it may be just ending */
		journal_live_each(shims.s, on_journal, &l);
	if (!l.found && l.pid && !shims.failed)
		journal_left_each(shims.s, on_journal, &l);
	if (l.told)
		told_end(l.told);
}

void tasks_tell_left(struct told_list *l, const struct engine_settings *s, const char *namespace, const char *id)
{
	for (int row = -1; (row = cursor_of(l->cursors, namespace, id, row)) >= 0;)
		tell_row(l, s, row, NULL);
}

static bool has_bundle(const struct engine_settings *s, const struct cursor *r)
{
	OWN_SB struct sb path = SB_INIT;

	sb_printf(&path, "%s/%s/%s", s->state, r->namespace, r->id);
	return path.failed || sys_faccessat(AT_FDCWD, path.s, F_OK) >= 0;
}

/* Those without a row are first: an event of a row's that is told makes theirs old. */
void tasks_tell_all_left(struct told_list *l, const struct engine_settings *s)
{
	struct left others = { .list = l };
	OWN_SB struct sb shims = SB_INIT;

	if (!cursors_had_run(l->cursors))
		return;
	make_places(&others);
	sb_printf(&shims, "%s/" ENGINE_SHIMS, s->state);
	if (!shims.failed)
		journal_left_each(shims.s, on_other, &others);
	for (int row = -1; (row = cursor_next(l->cursors, row)) >= 0;) {
		const struct cursor *r = cursor_at(l->cursors, row);
		const struct place *p = place_of(&others, cursor_pid(r));

		if (!has_bundle(s, r))
			tell_row(l, s, row, p ? p->path : NULL);
	}
	arena_done(&others.arena);
}
