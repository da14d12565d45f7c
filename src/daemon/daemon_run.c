/* The daemon's parts, begun in order and ended in the reverse; see daemon_run.h. */
#include "daemon_run.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "daemon_settings.h"
#include "fd.h"
#include "file.h"
#include "listen.h"
#include "log.h"
#include "prometheus.h"
#include "request.h"
#include "store.h"
#include "str.h"
#include "sys.h"
#include "tasks.h"
#include "tasks_forward.h"
#include "waits.h"

/* Calls that run when it is told to end have this long. */
enum { STOP_MS = 5000 };
/* Memory that a burst has left is given back then. */
enum { TRIM_MS = 1000 };
enum { LOCK_MS = 2000, LOCK_PAUSE_MS = 10 };

struct running {
	struct daemon d;
	const struct daemon_flags *flags;
	struct daemon_settings settings; /* that hold now, */
	struct arena arena; /* and those of them that were read again */
	int signals, lock;
	struct source signal, end, trim;
	bool stopping;
};

/* ---- signals ------------------------------------------------------------------- */

static int on_end(struct source *s, uint32_t events)
{
	struct running *r = (struct running *)((char *)s - offsetof(struct running, end));

	loop_stop(&r->d.loop, 0); /* the source has left it */
	return 0;
}

static void on_stopped(struct grpc_server *g)
{
	loop_stop(g->loop, 0);
}

static void stop(struct running *r, const char *why)
{
	if (r->stopping) {
		loop_stop(&r->d.loop, 0);
		return;
	}
	r->stopping = true;
	log_printf(LOG_LEVEL_INFO, "%s: ends; containers go on", why);
	notify_systemd("STOPPING=1");
	source_timer(&r->end, &r->d.loop, STOP_MS, on_end);
	r->d.grpc.stopped = on_stopped;
	grpc_server_stop(&r->d.grpc);
}

static int open_log(const struct daemon_settings *s, struct err *e)
{
	const struct log_options o = {
		.file = s->log_file,
		.json = !strcmp(s->log_format, "json"),
		.journal = !strcmp(s->log_format, "journal"),
		.debug = !strcmp(s->log_level, "debug"),
		.less = !strcmp(s->log_level, "warn") ? 1 : !strcmp(s->log_level, "error") ? 2 : 0,
	};

	return log_open(&o, e);
}

static int take_settings(struct running *r, const struct daemon_settings *next, struct err *e)
{
	int n = open_log(next, e);

	return n < 0 ? n : engine_set_settings(r->d.engine, &next->engine, e);
}

static void say_changes(const struct settings_again *again)
{
	if (again->fixed.len)
		log_printf(LOG_LEVEL_WARNING, "configuration: %s: other than before, which needs a restart",
			   again->fixed.s);
	if (again->taken.len)
		log_printf(LOG_LEVEL_INFO, "configuration: %s: taken", again->taken.s);
}

/* The log is opened again in any case, since somebody may have moved it. */
static void read_again(struct running *r)
{
	struct settings_again again = { .taken = SB_INIT, .fixed = SB_INIT };
	struct arena a = ARENA_INIT;
	char text[sizeof((struct err *)0)->msg + 256];
	struct err e, log_error;
	int n = daemon_settings_again(&a, r->flags, &r->settings, &again, &e);

	if (n >= 0)
		n = take_settings(r, &again.next, &e);
	if (n < 0 && open_log(&r->settings, &log_error) < 0)
		e = log_error;
	if (n < 0) {
		log_printf(LOG_LEVEL_ERROR, "the configuration stays as it is: %s", err_text(&e, text, sizeof text));
		arena_done(&a);
	} else {
		r->settings = again.next;
		arena_done(&r->arena);
		r->arena = a;
		say_changes(&again);
	}
	sb_done(&again.taken);
	sb_done(&again.fixed);
}

static int on_signal(struct source *s, uint32_t events)
{
	struct running *r = (struct running *)((char *)s - offsetof(struct running, signal));
	struct signalfd_siginfo si;

	while (loop_take_signal(r->signals, &si) == 1) {
		if (si.ssi_signo != SIGHUP)
			stop(r, strsignal((int)si.ssi_signo));
		else
			read_again(r);
	}
	return 0;
}

static int watch_signals(struct running *r, struct err *e)
{
	sigset_t mask;
	int n;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	r->signals = loop_signalfd(&mask);
	n = r->signals < 0 ? r->signals : source_fd(&r->signal, &r->d.loop, r->signals, EPOLLIN, on_signal);
	return n < 0 ? err_sys(e, n, "watch signals") : 0;
}

/* ---- memory ---------------------------------------------------------------------- */

static int on_trim(struct source *s, uint32_t events)
{
	struct running *r = (struct running *)((char *)s - offsetof(struct running, trim));

	malloc_trim(0);
	r->d.is_busy = false;
	return 0;
}

/* A second after the last call that was served, once. */
void daemon_is_busy(struct daemon *d)
{
	struct running *r = (struct running *)d;

	if (d->is_busy)
		return;
	d->is_busy = true;
	source_timer(&r->trim, &d->loop, TRIM_MS, on_trim);
}

/* ---- beginning ------------------------------------------------------------------- */

static void take_all_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int make_directory(const char *path, struct err *e)
{
	OWN_FD fd = file_mkdirs(path, 0711, e);

	return fd < 0 ? fd : 0;
}

/* One daemon for one root. Of one that was killed a child may still have the lock, for
 * as long as it takes to execute a shim. */
static int lock_root(struct running *r, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };
	const char *root = r->d.settings->root;
	int n;

	r->lock = sys_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	n = r->lock < 0 ? r->lock : sys_flock(r->lock, LOCK_EX | LOCK_NB);
	for (int ms = 0; n == -EWOULDBLOCK && ms < LOCK_MS; ms += LOCK_PAUSE_MS) {
		nanosleep(&pause, NULL);
		n = sys_flock(r->lock, LOCK_EX | LOCK_NB);
	}
	if (n == -EWOULDBLOCK)
		return err_set(e, ERR_EXISTS, 0, "another daemon uses '%s'", root);
	return n < 0 ? err_sys(e, n, "lock '%s'", root) : 0;
}

static int listen_all(struct daemon *d, struct err *e)
{
	const struct daemon_settings *s = d->settings;
	OWN_SB struct sb path = SB_INIT;
	int fd = listen_unix(s->address, s->uid, s->gid, e), n;

	if (fd < 0)
		return fd;
	n = grpc_server_init(&d->grpc, &d->loop, fd, service_request, d, e);
	if (n < 0)
		return n;
	d->grpc.knows = service_knows;
	sb_printf(&path, "%s.ttrpc", s->address);
	fd = path.failed ? err_sys(e, -ENOMEM, "listen") : listen_unix(path.s, s->uid, s->gid, e);
	return fd < 0 ? fd : ttrpc_server_init(&d->ttrpc, &d->loop, fd, forward_ttrpc_request, d, e);
}

static int begin(struct running *r, struct err *e)
{
	struct daemon *d = &r->d;
	const struct daemon_settings *s = d->settings;
	int n = open_log(s, e);

	clock_gettime(CLOCK_REALTIME, &d->started);
	take_all_descriptors();
	if (n >= 0)
		n = make_directory(s->root, e);
	if (n >= 0)
		n = make_directory(s->engine.state, e);
	if (n >= 0)
		n = lock_root(r, e);
	if (n >= 0)
		n = loop_init(&d->loop, e);
	if (n >= 0)
		n = watch_signals(r, e);
	if (n >= 0)
		n = store_open(&d->store, &d->loop, s->root, e);
	if (n < 0)
		return n;
	d->bus = bus_new(&d->loop);
	if (!d->bus)
		return err_sys(e, -ENOMEM, "events");
	d->metrics = metrics_new(d);
	if (!d->metrics)
		return err_sys(e, -ENOMEM, "metrics");
	n = tasks_begin(d, e);
	if (n >= 0)
		n = services_begin(d, e);
	if (n >= 0 && *s->metrics)
		n = metrics_listen(d->metrics, s->metrics, e);
	if (n >= 0)
		n = waits_begin(d, e);
	return n < 0 ? n : listen_all(d, e);
}

static void end(struct running *r)
{
	struct daemon *d = &r->d;

	source_remove(&r->end);
	source_remove(&r->trim);
	source_remove(&r->signal);
	waits_end(d);
	tasks_stop_telling(d);
	if (d->grpc.loop)
		grpc_server_done(&d->grpc);
	if (d->ttrpc.loop)
		ttrpc_server_done(&d->ttrpc);
	if (d->store)
		store_close(d->store);
	services_end(d); /* what the store's changes have caused, too */
	tasks_end(d);
	if (d->metrics)
		metrics_free(d->metrics);
	if (d->bus)
		bus_free(d->bus);
	fd_closep(&r->signals);
	fd_closep(&r->lock);
	loop_done(&d->loop);
}

int daemon_run(const struct daemon_settings *s, const struct daemon_flags *f, struct err *e)
{
	struct running r = { .flags = f, .settings = *s, .signals = -1, .lock = -1 };
	int n;

	r.d = (struct daemon){ .settings = &r.settings, .loop = LOOP_INIT };
	n = begin(&r, e);

	if (n >= 0) {
		log_printf(LOG_LEVEL_INFO, "berthd " BERTH_VERSION " serves at %s", s->address);
		notify_systemd("READY=1");
		n = loop_run(&r.d.loop);
		if (n < 0)
			err_sys(e, n, "serve");
	}
	end(&r);
	arena_done(&r.arena);
	return n;
}
