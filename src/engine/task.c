/* What is known of the tasks: by namespace and id, while somebody needs it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "types.pb-c.h"

enum { BUCKETS_MIN = 16 };

/* ---- the table -------------------------------------------------------------- */

static uint32_t hash(const char *namespace, const char *id)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (const char *s = namespace; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	h *= 16777619u;
	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 16777619u;
	return h;
}

static struct task **bucket_of(const struct engine *en, const char *namespace, const char *id)
{
	return &en->buckets[hash(namespace, id) & (en->n_buckets - 1)];
}

struct task *task_known(struct engine *en, const char *namespace, const char *id)
{
	struct task *t = en->n_buckets ? *bucket_of(en, namespace, id) : NULL;

	while (t && (strcmp(t->t.id, id) != 0 || strcmp(t->t.namespace, namespace) != 0))
		t = t->next;
	return t;
}

static int grow(struct engine *en)
{
	unsigned n = en->n_buckets ? en->n_buckets * 2 : BUCKETS_MIN;
	struct task **old = en->buckets, **buckets = calloc(n, sizeof(struct task *));
	unsigned n_old = en->n_buckets;

	if (!buckets)
		return -ENOMEM;
	en->buckets = buckets;
	en->n_buckets = n;
	for (unsigned i = 0; i < n_old; i++)
		for (struct task *t = old[i], *next; t; t = next) {
			struct task **to = bucket_of(en, t->t.namespace, t->t.id);

			next = t->next;
			t->next = *to;
			*to = t;
		}
	free(old);
	return 0;
}

void task_forget(struct task *t)
{
	struct task **at;

	if (!t->found)
		return;
	at = bucket_of(t->t.engine, t->t.namespace, t->t.id);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->found = false;
	t->t.engine->n_tasks--;
}

/* The three strings in one piece with it. */
struct task *task_make(struct engine *en, const char *namespace, const char *id)
{
	size_t n_namespace = strlen(namespace) + 1, n_id = strlen(id) + 1, n_state = strlen(en->settings.state);
	struct task *t = calloc(1, sizeof *t + n_namespace + n_id + n_state + 1 + n_namespace + n_id);
	static char none[] = "";
	char *p;

	if (!t)
		return NULL;
	t->refs = 1;
	t->t.engine = en;
	t->all_next = en->tasks;
	if (t->all_next)
		t->all_next->all_prev = t;
	en->tasks = t;
	t->t.record = none;
	t->t.stdio[0] = t->t.stdio[1] = t->t.stdio[2] = none;
	p = t->t.namespace = (char *)(t + 1);
	memcpy(p, namespace, n_namespace);
	p = t->t.id = p + n_namespace;
	memcpy(p, id, n_id);
	p = t->t.bundle = p + n_id;
	memcpy(p, en->settings.state, n_state);
	p += n_state;
	*p++ = '/';
	memcpy(p, namespace, n_namespace);
	p[n_namespace - 1] = '/';
	memcpy(p + n_namespace, id, n_id);
	return t;
}

struct task *task_get(struct engine *en, const char *namespace, const char *id, struct err *e)
{
	struct task *t = task_known(en, namespace, id);

	if (t)
		return task_ref(t);
	t = task_make(en, namespace, id);
	if (t && task_add(t) >= 0)
		return t;
	err_sys(e, -ENOMEM, "task %s", id);
	if (t)
		task_unref(t);
	return NULL;
}

int task_add(struct task *t)
{
	struct engine *en = t->t.engine;
	struct task *old = task_known(en, t->t.namespace, t->t.id), **at;

	if (old)
		task_forget(old);
	if (en->n_tasks >= en->n_buckets && grow(en) < 0)
		return -ENOMEM;
	at = bucket_of(en, t->t.namespace, t->t.id);
	t->next = *at;
	*at = t;
	t->found = true;
	en->n_tasks++;
	return 0;
}

void task_unref(struct task *t)
{
	struct engine *en = t->t.engine;

	if (--t->refs)
		return;
	task_forget(t);
	if (en) { /* it outlives its engine where a caller keeps it */
		*(t->all_prev ? &t->all_prev->all_next : &en->tasks) = t->all_next;
		if (t->all_next)
			t->all_next->all_prev = t->all_prev;
	}
	if (t->foreign)
		foreign_free(t->foreign);
	free(t->made);
	free(t->address);
	free(t->instance);
	free(t->stdio);
	if (*t->t.record)
		free(t->t.record);
	free(t);
}

struct engine_task *engine_task_ref(struct engine_task *t)
{
	return &task_ref(task_of(t))->t;
}

void engine_task_unref(struct engine_task *t)
{
	task_unref(task_of(t));
}

struct engine_task *engine_find(struct engine *en, const char *namespace, const char *id)
{
	struct task *t = task_known(en, namespace, id);

	return t && t->t.watched ? &t->t : NULL;
}

bool engine_makes(struct engine *en, const char *namespace, const char *id)
{
	const struct task *t = task_known(en, namespace, id);

	return t && t->made_here;
}

void engine_each(struct engine *en, const char *namespace, void (*fn)(void *ctx, struct engine_task *t), void *ctx)
{
	for (struct task *t = en->tasks; t; t = t->all_next)
		if (t->found && t->t.watched && (!namespace || !strcmp(t->t.namespace, namespace)))
			fn(ctx, &t->t);
}

static void end_watches(struct task *t);

void tasks_free(struct engine *en)
{
	while (en->tasks) {
		struct task *t = task_ref(en->tasks);

		en->tasks = t->all_next;
		if (en->tasks)
			en->tasks->all_prev = NULL;
		if (t->ending)
			ending_free(t->ending);
		if (t->link)
			link_close(t->link);
		if (t->foreign)
			foreign_silence(t->foreign);
		if (t->deletion)
			deletion_free(t->deletion);
		task_forget(t);
		end_watches(t);
		t->t.engine = NULL;
		task_unref(t);
	}
	free(en->buckets);
	en->buckets = NULL;
	en->n_buckets = 0;
}

/* ---- what is known ---------------------------------------------------------- */

static int set_text(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int task_set_record(struct task *t, const struct bundle_record *r)
{
	char *copy = *r->record ? strdup(r->record) : NULL;

	if (*r->record && !copy)
		return -ENOMEM;
	if (copy)
		t->t.record = copy;
	t->lifetime = r->lifetime;
	t->hosted = r->hosted;
	if (r->foreign.program && !t->foreign && foreign_set(t, &r->foreign) < 0)
		return -ENOMEM;
	return set_text(&t->made, r->made);
}

int task_not_found(const struct task *t, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, 0, "task %s: not found", t->t.id), -ENOENT;
}

int task_identify(struct task **t, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct bundle_record record;
	struct task *new;
	int r;

	r = bundle_record_read(&a, (*t)->t.bundle, &record, e);
	if (r == -ENOENT && sys_faccessat(AT_FDCWD, (*t)->t.bundle, F_OK) == -ENOENT)
		return task_not_found(*t, e);
	if (r < 0)
		return err_wrap(e, r == -ENOENT ? -ENODATA : r, "task %s", (*t)->t.id);
	if ((*t)->made && !strcmp((*t)->made, record.made))
		return 0;
	if ((*t)->made) { /* the id has been used again */
		task_forget(*t);
		(*t)->t.now.status = ENGINE_GONE;
		new = task_get((*t)->t.engine, (*t)->t.namespace, (*t)->t.id, e);
		if (!new)
			return -ENOMEM;
		task_unref(*t);
		*t = new;
	}
	r = task_set_record(*t, &record);
	return r < 0 ? err_sys(e, r, "task %s", (*t)->t.id) : 0;
}

static const enum engine_status statuses[] = {
	[CONTAINERD__TYPES__STATUS__CREATED] = ENGINE_CREATED, [CONTAINERD__TYPES__STATUS__RUNNING] = ENGINE_RUNNING,
	[CONTAINERD__TYPES__STATUS__STOPPED] = ENGINE_STOPPED, [CONTAINERD__TYPES__STATUS__PAUSED] = ENGINE_PAUSED,
	[CONTAINERD__TYPES__STATUS__PAUSING] = ENGINE_PAUSED,
};

enum engine_status task_status_of(const Containerd__Task__V2__StateResponse *m)
{
	return (size_t)m->status < ARRAY_SIZE(statuses) ? statuses[m->status] : ENGINE_UNKNOWN;
}

int task_set_stdio(struct task *t, const char *const stdio[3], bool terminal)
{
	size_t n[3], all = 0;
	char *p;

	for (unsigned i = 0; i < 3; i++)
		all += n[i] = strlen(stdio[i] ? stdio[i] : "") + 1;
	p = malloc(all);
	if (!p)
		return -ENOMEM;
	free(t->stdio);
	t->stdio = p;
	for (unsigned i = 0; i < 3; p += n[i++])
		t->t.stdio[i] = memcpy(p, stdio[i] ? stdio[i] : "", n[i]);
	t->t.terminal = terminal;
	return 0;
}

void task_set_state(struct task *t, const Containerd__Task__V2__StateResponse *m)
{
	if (!t->stdio)
		(void)task_set_stdio(t, (const char *const[]){ m->stdin, m->stdout, m->stderr }, m->terminal);
	if (task_status_of(m) == ENGINE_STOPPED)
		task_set_stopped(t, m->pid, m->exit_status, m->exited_at);
	else
		t->t.now = (struct engine_state){ .status = task_status_of(m), .pid = m->pid };
}

void task_set_stopped(struct task *t, uint32_t pid, uint32_t exit_status, const Google__Protobuf__Timestamp *at)
{
	t->t.now = (struct engine_state){
		.status = ENGINE_STOPPED,
		.pid = pid,
		.exit_status = exit_status,
		.exited_at = timespec_of(at),
	};
}

struct timespec timespec_of(const Google__Protobuf__Timestamp *at)
{
	return (struct timespec){ .tv_sec = at ? (time_t)at->seconds : 0, .tv_nsec = at ? at->nanos : 0 };
}

void task_log(int level, const struct task *t, const char *words, const struct err *e)
{
	char text[sizeof e->msg + 256];

	if (e)
		log_printf((enum log_level)level, "%s: id=%s namespace=%s error=\"%s\"", words, t->t.id, t->t.namespace,
			   err_text(e, text, sizeof text));
	else
		log_printf((enum log_level)level, "%s: id=%s namespace=%s", words, t->t.id, t->t.namespace);
}

/* ---- watching --------------------------------------------------------------- */

void task_watch(struct task *t)
{
	t->watches++;
	t->t.watched = true;
	task_ref(t);
}

static void end_watches(struct task *t)
{
	t->refs -= t->watches; /* the caller has one of his own */
	t->watches = 0;
	t->t.watched = false;
}

void engine_task_unwatch(struct engine_task *et)
{
	struct task *t = task_of(et);

	if (!t->watches)
		return;
	if (--t->watches == 0) {
		t->t.watched = false;
		if (t->ending)
			ending_free(t->ending);
		if (t->link && !t->users)
			link_close(t->link);
	}
	task_unref(t);
}

void task_gone(struct task *t, bool lost)
{
	const struct engine_watch *w = &t->t.engine->watch;
	bool watched = t->t.watched;

	task_ref(t);
	t->t.now.status = ENGINE_GONE;
	task_forget(t);
	end_watches(t);
	if (watched && w->gone)
		w->gone(w->ctx, &t->t, lost);
	task_unref(t);
}
