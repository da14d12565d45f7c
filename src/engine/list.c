/*
 * engine_list(): every task with its state. What is watched is known; the shims
 * of all others are asked at once, each over a connection that is closed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "dir.h"
#include "engine_parts.h"
#include "fd.h"
#include "identifier.h"
#include "log.h"
#include "probe.h"
#include "str.h"
#include "sys.h"

/* The list waits for clean-ups, too, which have a deadline of their own. */
enum { LIST_MS = 120000, SILENT_MS = 2000 };

/* So many are asked at a time, which costs a quarter less than all at once: what each
 * connection takes is still in the processor's caches. One that takes its time lets
 * the next go. */
enum { AT_ONCE = 8, SLOW_MS = 10 };

struct listed {
	struct probe probe; /* first */
	struct listing *listing;
	struct task *task; /* with a reference; NULL: it is the probe's */
	bool slow, answered, there;
	int64_t asked_ms;
};

struct listing {
	struct engine_progress p; /* first */
	struct listed **all;
	size_t n, cap;
	size_t next; /* the first that has not been asked */
	size_t at_work, slow, answered; /* the slow are at work */
	size_t limit; /* connections at a time */
	struct source go, late;
	struct engine_task **tasks;
};

static void listing_free(struct listing *l)
{
	source_remove(&l->go);
	source_remove(&l->late);
	for (size_t i = 0; i < l->n; i++) {
		struct listed *one = l->all[i];

		probe_end(&one->probe);
		if (one->task)
			task_unref(one->task);
		free(one);
	}
	free(l->all);
	free(l->tasks);
	free(l);
}

static void stop(struct engine_progress *p, int r, const struct err *e)
{
	operation_end(p, r, e);
	listing_free((struct listing *)p);
}

static struct task *task_in(struct listed *one)
{
	return one->task;
}

static void finish(struct listing *l)
{
	struct err e;

	l->tasks = calloc(l->n + 1, sizeof(struct engine_task *));
	if (!l->tasks) {
		stop(&l->p, err_sys(&e, -ENOMEM, "list the tasks"), &e);
		return;
	}
	for (size_t i = 0; l->p.op && i < l->n; i++)
		if (l->all[i]->there)
			l->tasks[l->p.op->n_tasks++] = &task_in(l->all[i])->t;
	if (l->p.op)
		l->p.op->tasks = l->tasks;
	operation_end(&l->p, 0, NULL);
	listing_free(l);
}

/* ---- asking ----------------------------------------------------------------- */

static int ask_more(struct source *s, uint32_t events);

static void answered(struct listed *one, bool there)
{
	struct listing *l = one->listing;

	one->answered = true;
	one->there = there;
	l->at_work--;
	l->slow -= one->slow;
	l->answered++;
	if (!l->go.loop)
		source_timer(&l->go, l->p.engine->loop, 0, ask_more);
}

static bool no_room(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* There is more room when some of the others have answered. False: there are none. */
static bool ask_later(struct listed *one, struct task *t)
{
	struct listing *l = one->listing;
	size_t i = 0;

	if (l->at_work < 2)
		return false;
	while (l->all[i] != one)
		i++;
	l->all[i] = l->all[--l->next];
	l->all[l->next] = one;
	l->limit = --l->at_work;
	l->slow -= one->slow;
	one->slow = false;
	probe_end(&one->probe);
	one->task = t;
	return true;
}

static void on_probed(struct probe *p, enum probe_result result)
{
	struct listed *one = (struct listed *)p;
	struct task *t = task_ref(p->task);
	struct err why;

	if (result == PROBE_FAILED && no_room(p->why.sys)) {
		if (ask_later(one, t))
			return;
		task_unref(t);
		why = p->why; /* a list without it would be wrong */
		stop(&one->listing->p, -why.sys, &why);
		return;
	}
	if (result == PROBE_SILENT)
		t->t.now = (struct engine_state){ .status = ENGINE_UNKNOWN };
	if (result == PROBE_FAILED)
		task_log(LOG_LEVEL_WARNING, t, "the task is left out", &p->why);
	/* The connection has done its work. That its end is noticed takes the shim's
	 * time, which nobody has to wait for. */
	if (one->listing->n > AT_ONCE)
		probe_end(p);
	one->task = t;
	answered(one, result == PROBE_ALIVE || result == PROBE_SILENT || result == PROBE_KEPT);
}

/* How long one has that was asked: 0, it does not count any more. */
static int64_t look_at(struct listed *one, int64_t now)
{
	int64_t age = now - one->asked_ms;

	if (one->answered)
		return 0;
	if (age >= SILENT_MS && !one->probe.cleanup) {
		waiter_leave(&one->probe.waiter);
		source_remove(&one->probe.soon);
		on_probed(&one->probe, PROBE_SILENT);
		return 0;
	}
	if (age >= SLOW_MS && !one->slow) {
		one->slow = true;
		one->listing->slow++;
	}
	if (one->slow && one->probe.cleanup)
		return 0;
	return (one->slow ? SILENT_MS : SLOW_MS) - age;
}

static int on_late(struct source *s, uint32_t events)
{
	struct listing *l = (struct listing *)((char *)s - offsetof(struct listing, late));
	int64_t now = clock_ms(), next = 0;

	for (size_t i = 0; i < l->next; i++) {
		int64_t left = look_at(l->all[i], now);

		if (left && (!next || left < next))
			next = left;
	}
	if (!l->go.loop)
		source_timer(&l->go, l->p.engine->loop, 0, ask_more);
	return next ? source_timer(s, l->p.engine->loop, (uint32_t)next, on_late) : 0;
}

/* What is known of a watched task is what it is, if no event is on its way. */
static void ask(struct listed *one)
{
	struct task *t = one->task;

	one->asked_ms = clock_ms();
	one->listing->at_work++;
	if (t->watches && !link_drain(t)) {
		answered(one, t->t.now.status != ENGINE_GONE);
	} else if (t->ending) {
		answered(one, t->t.now.status == ENGINE_UNKNOWN && t->watches);
	} else {
		one->task = NULL;
		probe_begin(&one->probe, t, GREET_STATE, on_probed);
	}
}

static int ask_more(struct source *s, uint32_t events)
{
	struct listing *l = (struct listing *)((char *)s - offsetof(struct listing, go));

	operation_phase(&l->p, "ask the shims");
	while (l->next < l->n && l->at_work < l->limit && l->at_work - l->slow < AT_ONCE)
		ask(l->all[l->next++]);
	if (l->answered == l->n) {
		finish(l);
		return 0;
	}
	if (l->late.loop && l->late.due > (uint64_t)clock_ms() + SLOW_MS)
		source_remove(&l->late);
	if (l->at_work && !l->late.loop)
		source_timer(&l->late, l->p.engine->loop, SLOW_MS, on_late);
	return 0;
}

/* ---- what is there ---------------------------------------------------------- */

static int add(struct listing *l, const char *namespace, const char *id, struct err *e)
{
	struct listed *one;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct listed **all = realloc(l->all, cap * sizeof(struct listed *));

		if (!all)
			return err_sys(e, -ENOMEM, "list the tasks");
		l->all = all;
		l->cap = cap;
	}
	one = calloc(1, sizeof *one);
	if (!one)
		return err_sys(e, -ENOMEM, "list the tasks");
	one->listing = l;
	one->task = task_get(l->p.engine, namespace, id, e);
	if (!one->task) {
		free(one);
		return -ENOMEM;
	}
	l->all[l->n++] = one;
	return 0;
}

static bool is_directory(int dir, const struct dir_entry *d)
{
	struct stat st;

	if (d->type != 0 /* DT_UNKNOWN */)
		return d->type == 4 /* DT_DIR */;
	return sys_fstatat(dir, d->name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

/* One that cannot be read is logged and passed over. */
static int scan_namespace(struct listing *l, int state, const char *namespace, struct err *e)
{
	OWN_FD dir = sys_openat(state, namespace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	int r = dir < 0 ? dir : 0;

	while (r >= 0 && (d = dir_next(&rd))) {
		if (bundle_is_leftover(d->name))
			bundle_sweep(dir, d->name);
		if (*d->name != '.' && is_directory(dir, d) && identifier_check(d->name, NULL) >= 0 &&
		    add(l, namespace, d->name, e) < 0)
			return -ENOMEM;
	}
	if (r >= 0)
		r = (int)rd.n;
	if (no_room(-r))
		return err_sys(e, r, "read the namespace '%s'", namespace);
	if (r < 0 && r != -ENOENT)
		log_printf(LOG_LEVEL_WARNING, "namespace %s is left out: %s", namespace, err_cause(-r));
	return 0;
}

static int scan(struct listing *l, const char *namespace, struct err *e)
{
	const char *path = l->p.engine->settings.state;
	OWN_FD state = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = state };
	const struct dir_entry *d;
	int r = 0;

	if (state == -ENOENT)
		return 0;
	if (state < 0)
		return err_sys(e, state, "open '%s'", path);
	if (namespace)
		return scan_namespace(l, state, namespace, e);
	while (r >= 0 && (d = dir_next(&rd)))
		if (*d->name != '.' && is_directory(state, d) && identifier_check(d->name, NULL) >= 0)
			r = scan_namespace(l, state, d->name, e);
	if (r >= 0 && rd.n < 0)
		r = err_sys(e, (int)rd.n, "read '%s'", path);
	return r;
}

/* Half of what may be open; the rest is for who calls us. */
static size_t limit(void)
{
	struct rlimit64 rl;

	if (sys_prlimit(0, RLIMIT_NOFILE, NULL, &rl) < 0 || rl.rlim_cur > 8192)
		return 4096;
	return rl.rlim_cur / 2 ? (size_t)rl.rlim_cur / 2 : 1;
}

int engine_list(struct engine *en, struct engine_op *op, const char *namespace, struct err *e)
{
	struct listing *l;
	int r = namespace ? identifier_check(namespace, e) : 0;

	if (r < 0)
		return r;
	l = calloc(1, sizeof *l);
	if (!l)
		return err_sys(e, -ENOMEM, "list the tasks");
	l->p.engine = en;
	l->limit = limit();
	r = scan(l, namespace, e);
	if (r < 0) {
		listing_free(l);
		return r;
	}
	operation_begin(en, op, &l->p, LIST_MS, stop);
	return source_timer(&l->go, en->loop, 0, ask_more);
}
