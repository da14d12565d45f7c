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
#include "log.h"
#include "order.h"
#include "proc.h"
#include "remains.h"
#include "settings.h"
#include "shim.h"
#include "str.h"
#include "sys.h"

static void on_ended(struct shim *s)
{
	loop_stop(s->loop, 0);
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
	int r = proc_stat(getpid(), &st);

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

/* Only Shutdown ends it. */
static void ignore_signals(void)
{
	static const int ignored[] = HELPER_IGNORED;

	sys_default_signals(); /* it unblocks all, and the reaper's signalfd needs SIGCHLD blocked */
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

struct server {
	struct loop loop;
	struct reaper reaper;
	struct shim s;
};

static int begin(struct server *sv, const struct server_options *o, struct err *e)
{
	struct shim *s = &sv->s;
	OWN_SB struct sb journal = SB_INIT;
	struct shim_parts parts = {
		.loop = &sv->loop,
		.reaper = &sv->reaper,
		.namespace = o->namespace,
		.settings = o->settings,
		.cgroup_host = o->cgroup_host,
		.events_address = o->events_address,
		.listen_fd = o->listen_fd,
	};
	int r;

	s->socket = o->socket;
	s->bundle = o->bundle;
	s->settings = *o->settings;
	s->ended = on_ended;
	r = make_directory(s, o, e);
	if (r < 0)
		return r;
	sb_printf(&journal, "%s/events", s->directory);
	parts.journal = journal.s;
	r = journal.failed ? err_sys(e, -ENOMEM, "begin") : loop_init(&sv->loop, e);
	if (r < 0)
		return r;
	sv->loop.failed = on_failed;
	ignore_signals();
	r = reaper_start(&sv->reaper, &sv->loop, e);
	if (r >= 0)
		r = shim_begin(s, &parts, e);
	return r < 0 ? r : name_instance(s, e);
}

int server_run(const struct server_options *o, struct err *e)
{
	struct server sv = { .loop = LOOP_INIT, .s = SHIM_EMPTY, .reaper.signals = -1 };
	struct shim *s = &sv.s;
	int r = begin(&sv, o, e);

	if (r < 0)
		fd_write_all(o->ready_fd, e, sizeof *e);
	sys_close(o->ready_fd);
	/* Now, when it serves: who has called `start` is busy with its answer. */
	if (r >= 0 && o->spare)
		helper_spare_begin(&s->spare, order_do, order_warm, s);
	if (r >= 0) {
		shim_look_for_bundle(s);
		r = loop_run(&sv.loop);
		if (r < 0)
			err_sys(e, r, "serve");
	}
	shim_end_spare(s);
	events_close(&s->events);
	reaper_end(&sv.reaper);
	loop_done(&sv.loop);
	if (s->directory)
		remains_retire(&s->settings, s->directory, s->events.journal.last);
	free(s->directory);
	free(s->instance);
	return r;
}
