/* What a shim is made of, in a process of its own (server.c) or in a daemon (hosting.c); and
 * when it ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "err.h"
#include "hold.h"
#include "job.h"
#include "proc.h"
#include "service.h"
#include "shim.h"
#include "sys.h"

/* How long events are kept for a daemon that is away when all else is over. */
enum { LINGER_MS = 5 * 60 * 1000 };
/* A shim without tasks, to which nobody is connected either, ends after this. */
enum { IDLE_MS = 5 * 60 * 1000 };

static void on_all_told(struct events *ev)
{
	struct shim *s = (struct shim *)((char *)ev - offsetof(struct shim, events));

	s->ended(s);
}

static int on_linger(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, stop));

	s->ended(s);
	return 0;
}

/* Nobody can ask for anything any more; the answer to Shutdown is still on its way. */
static int on_stop(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, stop));

	ttrpc_server_done(&s->server);
	if (events_are_told(&s->events)) {
		s->ended(s);
		return 0;
	}
	s->events.all_told = on_all_told;
	return source_timer(src, s->loop, LINGER_MS, on_linger);
}

void shim_stop(struct shim *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	if (s->socket)
		sys_unlinkat(AT_FDCWD, s->socket, 0);
	if (!s->tasks) /* else when the last one has been undone */
		source_timer(&s->stop, s->loop, 0, on_stop);
}

static int on_idle(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, idle));

	if (!s->tasks && !s->server.n_peers)
		shim_stop(s);
	else if (!s->tasks)
		shim_is_idle(s);
	return 0;
}

void shim_is_idle(struct shim *s)
{
	if (s->stopping)
		source_timer(&s->stop, s->loop, 0, on_stop);
	else if (!s->idle.loop)
		source_timer(&s->idle, s->loop, IDLE_MS, on_idle);
	if (!s->stopping && s->bundle)
		shim_look_for_bundle(s);
}

/* Who starts a shim creates at once; another Create than that waits for a fork. Or who
 * started it was killed, before that or later, and its bundle removed: nobody will come any more. */
enum { SPARE_MS = 10 * 1000 };

static int on_unused(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, unused));

	shim_end_spare(s);
	if (s->tasks)
		return 0;
	if (!s->server.n_peers && s->bundle && sys_faccessat(AT_FDCWD, s->bundle, F_OK) == -ENOENT)
		shim_stop(s);
	else
		shim_look_for_bundle(s);
	return 0;
}

void shim_look_for_bundle(struct shim *s)
{
	if (!s->unused.loop)
		source_timer(&s->unused, s->loop, SPARE_MS, on_unused);
}

void shim_end_spare(struct shim *s)
{
	source_remove(&s->unused);
	helper_spare_end(&s->spare);
}

/* ---- its parts -------------------------------------------------------------- */

int shim_begin(struct shim *s, const struct shim_parts *p, struct err *e)
{
	int r = proc_boot_id(s->boot_id);

	if (r < 0)
		return err_sys(e, r, "find out who we are");
	s->loop = p->loop;
	s->namespace = p->namespace;
	s->settings = *p->settings;
	s->facts = (struct core){
		.cgroup = p->cgroup_host,
		.boot_id = s->boot_id,
		.in_user_ns = proc_in_user_ns(),
	};
	s->facts.rootless = s->facts.in_user_ns || geteuid() != 0;
	r = p->journal_goes_on ? events_resume(&s->events, s->loop, p->namespace, p->journal, e) :
				 events_open(&s->events, s->loop, p->namespace, p->events_address, p->journal, e);
	if (r < 0)
		return r;
	s->events.added = subscribers_tell;
	reaper_add(p->reaper, s);
	shim_is_idle(s);
	r = ttrpc_server_init(&s->server, s->loop, p->listen_fd, shim_request, s, e);
	s->server.left = holding_left;
	return r;
}

void shim_end(struct shim *s)
{
	shim_end_spare(s);
	if (s->server.loop)
		ttrpc_server_done(&s->server);
	while (s->tasks) {
		while (s->tasks->jobs)
			job_drop(s->tasks->jobs);
		for (struct process *p = s->tasks->execs; p; p = p->next)
			deletion_drop(p);
		deletion_drop(&s->tasks->init);
		task_free(s->tasks);
	}
	while (s->holdings)
		holding_free(s->holdings);
	source_remove(&s->stop);
	source_remove(&s->idle);
	source_remove(&s->unused);
	events_close(&s->events);
	if (s->reaper)
		reaper_leave(s);
}
