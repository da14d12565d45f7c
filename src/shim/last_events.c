/* The exit and the deletion of a task whose shim is gone; see last_events.h. */
#include "last_events.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "err.h"
#include "events.h"
#include "events.pb-c.h"
#include "fd.h"
#include "file.h"
#include "journal_left.h"
#include "log.h"
#include "remains.h"
#include "str.h"
#include "sys.h"

enum { TRIES = 5 };

struct seen { /* in the journal, of the task that was the last of this id */
	bool created, exited, deleted;
	uint32_t pid, status;
	Google__Protobuf__Timestamp at;
};

static void see_create(struct seen *s, const struct last_events *l, const Google__Protobuf__Any *any)
{
	Containerd__Events__TaskCreate *m =
		containerd__events__task_create__unpack(NULL, any->value.len, any->value.data);

	if (m && !strcmp(m->container_id, l->id))
		*s = (struct seen){ .created = true, .pid = m->pid };
	if (m)
		containerd__events__task_create__free_unpacked(m, NULL);
}

static void see_exit(struct seen *s, const struct last_events *l, const Google__Protobuf__Any *any)
{
	Containerd__Events__TaskExit *m = containerd__events__task_exit__unpack(NULL, any->value.len, any->value.data);

	if (m && !strcmp(m->container_id, l->id) && !strcmp(m->id, l->id) && m->exited_at) {
		s->exited = true;
		s->status = m->exit_status;
		s->at.seconds = m->exited_at->seconds;
		s->at.nanos = m->exited_at->nanos;
	}
	if (m)
		containerd__events__task_exit__free_unpacked(m, NULL);
}

static void see_delete(struct seen *s, const struct last_events *l, const Google__Protobuf__Any *any)
{
	Containerd__Events__TaskDelete *m =
		containerd__events__task_delete__unpack(NULL, any->value.len, any->value.data);

	if (m && !strcmp(m->container_id, l->id) && !*m->id)
		s->deleted = true;
	if (m)
		containerd__events__task_delete__free_unpacked(m, NULL);
}

struct looking {
	struct seen *seen;
	const struct last_events *l;
};

static void see(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	const struct looking *to = ctx;

	if (m->event && !strcmp(m->topic, "/tasks/create"))
		see_create(to->seen, to->l, m->event);
	else if (m->event && !strcmp(m->topic, "/tasks/exit"))
		see_exit(to->seen, to->l, m->event);
	else if (m->event && !strcmp(m->topic, "/tasks/delete"))
		see_delete(to->seen, to->l, m->event);
}

static void add(struct journal *j, const struct last_events *l, const char *topic, const ProtobufCMessage *m)
{
	OWN_SB struct sb envelope = SB_INIT;
	struct err e;
	char text[1200];
	int r = events_pack(l->namespace, topic, m, &envelope);

	if (r >= 0)
		r = journal_add(j, envelope.s, envelope.len, &e);
	else
		err_sys(&e, r, "pack");
	if (r < 0)
		log_printf(LOG_LEVEL_ERROR, "event %s of task %s: %s", topic, l->id, err_text(&e, text, sizeof text));
}

static void add_exit(struct journal *j, const struct last_events *l)
{
	Containerd__Events__TaskExit m = CONTAINERD__EVENTS__TASK_EXIT__INIT;

	m.container_id = m.id = (char *)(uintptr_t)l->id;
	m.pid = l->m->pid;
	m.exit_status = l->m->exit_status;
	m.exited_at = l->m->exited_at;
	add(j, l, "/tasks/exit", &m.base);
}

static void add_delete(struct journal *j, const struct last_events *l)
{
	Containerd__Events__TaskDelete m = CONTAINERD__EVENTS__TASK_DELETE__INIT;

	m.container_id = (char *)(uintptr_t)l->id;
	m.pid = l->m->pid;
	m.exit_status = l->m->exit_status;
	m.exited_at = l->m->exited_at;
	add(j, l, "/tasks/delete", &m.base);
}

/* So that nobody takes what is in the journal for all, before it is: others of
 * its tasks may follow. */
static void say_that_it_was_killed(int directory)
{
	file_replace(directory, JOURNAL_KILLED, "", 0, 0600, NULL);
}

static void learn(Containerd__Task__V2__DeleteResponse *m, const struct seen *s, bool known)
{
	if (!m->pid)
		m->pid = s->pid;
	if (known || !s->exited)
		return;
	m->exit_status = s->status;
	m->exited_at->seconds = s->at.seconds;
	m->exited_at->nanos = s->at.nanos;
}

/* A server may have had several tasks, each with a `delete` of its own. */
static void tell_in(const char *directory, void *ctx)
{
	struct last_events *l = ctx;
	OWN_FD lock = sys_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_SB struct sb path = SB_INIT;
	struct seen seen = { 0 };
	struct journal j;

	int r = lock;

	sb_printf(&path, "%s/events", directory);
	if (r >= 0)
		r = path.failed ? -ENOMEM : sys_flock(lock, LOCK_EX);
	if (r >= 0)
		r = journal_open_left(&j, path.s, NULL);
	l->moved = l->moved || r == -ENOENT;
	if (r < 0)
		return;
	journal_tell(&j, 0, see, &(struct looking){ &seen, l });
	if (seen.created && !seen.deleted) {
		learn(l->m, &seen, l->known);
		say_that_it_was_killed(lock);
		if (!seen.exited)
			add_exit(&j, l);
		if (l->removed)
			add_delete(&j, l);
	}
	journal_close(&j);
}

void last_events_tell(const struct settings *s, const char *name, struct last_events *l)
{
	for (int i = 0; i < TRIES; i++) {
		l->moved = false;
		remains_each(s, name, tell_in, l);
		if (!l->moved)
			return;
	}
}
