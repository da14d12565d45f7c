/* What the engine reports, for those whose it is. */
#include <stdlib.h>
#include <string.h>

#include "events.pb-c.h"
#include "library.h"
#include "process.h"
#include "str.h"
#include "system.h"
#include "wellknown.pb-c.h"

static void on_exit_event(struct system *s, const struct engine_event *ev)
{
	Containerd__Events__TaskExit *m = containerd__events__task_exit__unpack(NULL, ev->len, ev->body);
	struct timespec at;

	if (!m)
		return;
	at = ev->at;
	if (m->exited_at)
		at = (struct timespec){ .tv_sec = m->exited_at->seconds, .tv_nsec = m->exited_at->nanos };
	if (str_empty(m->id) || !strcmp(m->id, s->id)) {
		process_exited(s, "", m->exit_status);
		system_exit_begin(s, m->exit_status, &at);
	} else {
		process_exited(s, m->id, m->exit_status);
	}
	containerd__events__task_exit__free_unpacked(m, NULL);
}

void on_engine_event(void *ctx, struct engine_task *t, const struct engine_event *ev)
{
	struct system *s = system_of(t);

	if (!s)
		return;
	system_ref(s);
	if (!strcmp(ev->topic, "/tasks/exit"))
		on_exit_event(s, ev);
	system_unref(s);
	lib_changed();
}

void on_engine_gone(void *ctx, struct engine_task *t, bool lost)
{
	struct system *s = system_of(t);

	system_gone(t);
	if (!s)
		return;
	system_ref(s);
	s->watches = 0;
	if (lost)
		system_lost(s);
	else
		system_deleted(s);
	system_unref(s);
}

void notice_untold(struct notice *n)
{
	if (n->to && n->to->kind != OBJ_OPERATION && !n->op) {
		struct watcher *w = (struct watcher *)n->to;

		w->told &= n->type == HcsEventServiceDisconnect ? ~(unsigned)TELL_DISCONNECT : ~(unsigned)TELL_EXIT;
	} else if (n->op && n->type == HcsEventOperationCallback) {
		n->op->told = false;
	}
}
