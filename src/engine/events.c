/* A task's events: what they change in what is known, and who is told. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine_parts.h"
#include "events.pb-c.h"
#include "journal_left.h"
#include "log.h"
#include "str.h"
#include "sys.h"

/* ---- what they change ------------------------------------------------------- */

static void apply_create(struct task *t, const ProtobufCMessage *base)
{
	t->t.now.pid = ((const Containerd__Events__TaskCreate *)base)->pid;
	if (t->t.now.status == ENGINE_UNKNOWN)
		t->t.now.status = ENGINE_CREATED;
}

/* An older event than the state that was asked for does not undo it. */
static void apply_start(struct task *t, const ProtobufCMessage *base)
{
	if (t->t.now.status <= ENGINE_CREATED)
		t->t.now.status = ENGINE_RUNNING;
}

static void apply_paused(struct task *t, const ProtobufCMessage *base)
{
	if (t->t.now.status == ENGINE_RUNNING)
		t->t.now.status = ENGINE_PAUSED;
}

static void apply_resumed(struct task *t, const ProtobufCMessage *base)
{
	if (t->t.now.status == ENGINE_PAUSED)
		t->t.now.status = ENGINE_RUNNING;
}

static void apply_exit(struct task *t, const ProtobufCMessage *base)
{
	const Containerd__Events__TaskExit *m = (const void *)base;

	if (!strcmp(m->id, m->container_id)) /* no exec's */
		task_set_stopped(t, m->pid, m->exit_status, m->exited_at);
}

static void apply_delete(struct task *t, const ProtobufCMessage *base)
{
	if (*((const Containerd__Events__TaskDelete *)base)->id)
		return;
	t->deleted = true;
	t->t.now.status = ENGINE_GONE;
}

static const struct kind {
	const char *topic;
	const ProtobufCMessageDescriptor *type;
	void (*apply)(struct task *t, const ProtobufCMessage *m);
} kinds[] = {
	{ "/tasks/create", &containerd__events__task_create__descriptor, apply_create },
	{ "/tasks/start", &containerd__events__task_start__descriptor, apply_start },
	{ "/tasks/paused", &containerd__events__task_paused__descriptor, apply_paused },
	{ "/tasks/resumed", &containerd__events__task_resumed__descriptor, apply_resumed },
	{ "/tasks/exit", &containerd__events__task_exit__descriptor, apply_exit },
	{ "/tasks/delete", &containerd__events__task_delete__descriptor, apply_delete },
};

/* ---- whose they are --------------------------------------------------------- */

/* All of them have the task's id as their first member. */
static bool is_of(const struct task *t, const struct engine_event *ev)
{
	Containerd__Events__TaskOOM *m = containerd__events__task_oom__unpack(NULL, ev->len, ev->body);
	bool ours = m && !strcmp(m->container_id, t->t.id);

	if (m)
		containerd__events__task_oom__free_unpacked(m, NULL);
	return ours;
}

static void apply(struct task *t, const struct engine_event *ev)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		ProtobufCMessage *m;

		if (strcmp(kinds[i].topic, ev->topic) != 0)
			continue;
		m = protobuf_c_message_unpack(kinds[i].type, NULL, ev->len, ev->body);
		if (!m)
			return;
		kinds[i].apply(t, m);
		protobuf_c_message_free_unpacked(m, NULL);
	}
}

void event_tell(struct task *t, struct engine_event *ev)
{
	const struct engine_watch *w = &t->t.engine->watch;

	if (!is_of(t, ev))
		return;
	apply(t, ev);
	ev->namespace = t->t.namespace;
	ev->id = t->t.id;
	ev->instance = t->instance ? t->instance : "";
	/* Those of a foreign shim come by themselves, before it is watched; those of a hosted
	 * task that is gone, instead of that. */
	if (w->event && (t->t.watched || ((t->foreign || t->hosted) && w->told)))
		w->event(w->ctx, &t->t, ev);
}

void event_deliver(struct task *t, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct engine_event ev;

	if (number <= t->told)
		return;
	if (number > t->told + 1)
		log_printf(LOG_LEVEL_WARNING, "events %llu to %llu are not kept any more: id=%s namespace=%s",
			   (unsigned long long)t->told + 1, (unsigned long long)number - 1, t->t.id, t->t.namespace);
	t->told = number;
	if (!m->event)
		return;
	ev = (struct engine_event){
		.topic = m->topic,
		.number = number,
		.at = timespec_of(m->timestamp),
		.type = m->event->type_url,
		.body = m->event->value.data,
		.len = m->event->value.len,
	};
	event_tell(t, &ev);
}

/* ---- what a shim has left --------------------------------------------------- */

static int find_journal(const struct task *t, struct sb *path)
{
	OWN_SB struct sb shims = SB_INIT;

	if (t->hosted) {
		sb_printf(path, "%s/" HOSTED_JOURNAL, t->t.bundle);
		return path->failed ? -ENOMEM : 0;
	}
	if (!t->address || !t->shim_pid || t->foreign)
		return -ENOENT;
	sb_printf(&shims, "%s/" ENGINE_SHIMS, t->t.engine->settings.state);
	return shims.failed ? -ENOMEM : journal_left_find(shims.s, t->address, t->shim_pid, path);
}

bool events_are_complete(const struct task *t)
{
	OWN_SB struct sb path = SB_INIT;

	if (find_journal(t, &path) < 0)
		return false;
	path.len = (size_t)(strrchr(path.s, '/') + 1 - path.s);
	sb_puts(&path, JOURNAL_KILLED);
	return !path.failed && sys_faccessat(AT_FDCWD, path.s, F_OK) == -ENOENT;
}

static void on_left(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	event_deliver(ctx, number, m);
}

void events_replay(struct task *t, const Containerd__Task__V2__DeleteResponse *end)
{
	OWN_SB struct sb path = SB_INIT;

	if (t->foreign && (end || !t->deletion))
		foreign_tell_end(t, end);
	if (find_journal(t, &path) < 0)
		return;
	task_ref(t);
	journal_left_tell(path.s, t->told, on_left, t);
	task_unref(t);
}
