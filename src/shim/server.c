/* The server of a shim: sets up what it needs, and serves until Shutdown. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "hold.h"
#include "log.h"
#include "order.h"
#include "proc.h"
#include "remains.h"
#include "service.h"
#include "settings.h"
#include "str.h"
#include "sys.h"

/* How long events are kept for a daemon that is away when all else is over. */
enum { LINGER_MS = 5 * 60 * 1000 };
/* A shim without tasks, to which nobody is connected either, ends after this. */
enum { IDLE_MS = 5 * 60 * 1000 };
/* Who starts a shim creates at once; another Create than that waits for a fork. Or who
 * started it was killed, and its bundle removed: nobody will come any more. */
enum { SPARE_MS = 10 * 1000 };

static void on_all_told(struct events *ev)
{
	loop_stop(ev->loop, 0);
}

static int on_linger(struct source *src, uint32_t events)
{
	loop_stop(&((struct shim *)((char *)src - offsetof(struct shim, stop)))->loop, 0);
	return 0;
}

/* Nobody can ask for anything any more; the answer to Shutdown is still on its way. */
static int on_stop(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, stop));

	ttrpc_server_done(&s->server);
	if (events_are_told(&s->events)) {
		loop_stop(&s->loop, 0);
		return 0;
	}
	s->events.all_told = on_all_told;
	return source_timer(src, &s->loop, LINGER_MS, on_linger);
}

void shim_stop(struct shim *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	sys_unlinkat(AT_FDCWD, s->socket, 0);
	if (!s->tasks) /* else when the last one has been undone */
		source_timer(&s->stop, &s->loop, 0, on_stop);
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
		source_timer(&s->stop, &s->loop, 0, on_stop);
	else if (!s->idle.loop)
		source_timer(&s->idle, &s->loop, IDLE_MS, on_idle);
}

static int on_unused(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, unused));

	shim_end_spare(s);
	if (s->tasks)
		return 0;
	if (!s->server.n_peers && s->bundle && sys_faccessat(AT_FDCWD, s->bundle, F_OK) == -ENOENT)
		shim_stop(s);
	else
		source_timer(src, &s->loop, SPARE_MS, on_unused);
	return 0;
}

void shim_end_spare(struct shim *s)
{
	source_remove(&s->unused);
	helper_spare_end(&s->spare);
}

static void on_failed(struct loop *l, struct source *s, int r)
{
	log_printf(LOG_LEVEL_ERROR, "an event was lost: %s", err_cause(-r));
}

/* A process is one of a kind by boot, pid and start time. */
static int name_instance(struct shim *s, struct err *e)
{
	char text[PROC_BOOT_ID + 48];
	struct proc_stat st;
	int r = proc_boot_id(s->boot_id);

	if (r >= 0)
		r = proc_stat(getpid(), &st);
	if (r < 0)
		return err_sys(e, r, "find out who we are");
	snprintf(text, sizeof text, "%s-%d-%llu", s->boot_id, (int)getpid(), (unsigned long long)st.start_time);
	s->instance = strdup(text);
	return s->instance ? 0 : err_sys(e, -ENOMEM, "begin");
}

/* The pid keeps apart a shim that is just ending and the next with its socket. */
static int make_directory(struct shim *s, const struct server_options *o, struct err *e)
{
	OWN_SB struct sb path = SB_INIT;
	OWN_FD fd = -1;

	sb_printf(&path, "%s/%s.%d", o->settings->state_dir, o->name, (int)getpid());
	s->directory = path.failed ? NULL : strdup(path.s);
	if (!s->directory)
		return err_sys(e, -ENOMEM, "make a directory for the shim");
	fd = file_mkdirs(s->directory, 0700, e);
	return fd < 0 ? fd : 0;
}

static int begin(struct shim *s, const struct server_options *o, struct err *e)
{
	OWN_SB struct sb journal = SB_INIT;
	int r;

	s->namespace = o->namespace;
	s->socket = o->socket;
	s->bundle = o->bundle;
	s->settings = *o->settings;
	r = make_directory(s, o, e);
	if (r < 0)
		return r;
	s->facts = (struct core){
		.cgroup = o->cgroup_host,
		.boot_id = s->boot_id,
		.in_user_ns = proc_in_user_ns(),
	};
	s->facts.rootless = s->facts.in_user_ns || geteuid() != 0;
	sb_printf(&journal, "%s/events", s->directory);
	r = journal.failed ? err_sys(e, -ENOMEM, "begin") : loop_init(&s->loop, e);
	if (r < 0)
		return r;
	s->loop.failed = on_failed;
	r = reaper_start(s, e);
	if (r >= 0)
		r = events_open(&s->events, &s->loop, o->namespace, o->events_address, journal.s, e);
	s->events.added = subscribers_tell;
	shim_is_idle(s);
	if (r >= 0)
		r = name_instance(s, e);
	if (r >= 0)
		r = ttrpc_server_init(&s->server, &s->loop, o->listen_fd, service_request, s, e);
	s->server.left = holding_left;
	return r;
}

int server_run(const struct server_options *o, struct err *e)
{
	struct shim s = { .signals = -1, .loop = LOOP_INIT, .spare = HELPER_SPARE, .events.client.conn.fd = -1 };
	int r = begin(&s, o, e);

	if (r < 0)
		fd_write_all(o->ready_fd, e, sizeof *e);
	sys_close(o->ready_fd);
	/* Now, when it serves: who has called `start` is busy with its answer. */
	if (r >= 0 && o->spare)
		helper_spare_begin(&s.spare, order_create, order_warm, &s);
	if (r >= 0) {
		source_timer(&s.unused, &s.loop, SPARE_MS, on_unused);
		r = loop_run(&s.loop);
		if (r < 0)
			err_sys(e, r, "serve");
	}
	shim_end_spare(&s);
	events_close(&s.events);
	fd_closep(&s.signals);
	loop_done(&s.loop);
	if (s.directory)
		remains_retire(&s.settings, s.directory, s.events.journal.last);
	free(s.directory);
	free(s.instance);
	return r;
}
