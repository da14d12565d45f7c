/* The one library of a process: made at the first call, gone with the process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "hcs.h"
#include "library.h"
#include "fd.h"
#include "log_calls.h"
#include "sys.h"
#include "watch.h"

struct library lib = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.loop = LOOP_INIT,
	.wake = -1,
	.told = -1,
	.dispatch = -1,
	.last_notice = &lib.notices,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_result;

/* A child shares fds and sees a lock that is held by nobody it has. */
static void forked(void)
{
	lib.in_child = true;
}

static void make_once(void)
{
	pthread_condattr_t attr;

	once_result = -pthread_condattr_init(&attr);
	if (once_result)
		return;
	once_result = -pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!once_result)
		once_result = -pthread_cond_init(&lib.changed, &attr);
	if (!once_result)
		once_result = -pthread_atfork(NULL, NULL, forked);
	pthread_condattr_destroy(&attr);
}

/* What the names of our execs begin with: no other program's do, now or before. */
static void name_instance(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(lib.instance, sizeof lib.instance, "%x-%x", (unsigned)getpid(),
		 (unsigned)(t.tv_sec << 20) ^ (unsigned)t.tv_nsec >> 10);
}

static void on_failed(struct loop *l, struct source *s, int r)
{
	char words[128];

	snprintf(words, sizeof words, "a callback of the loop failed: %s", err_cause(-r));
	log_engine(LOG_LEVEL_ERROR, words);
}

static int make_fds(struct err *e)
{
	lib.wake = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lib.told = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lib.wake < 0 || lib.told < 0)
		return err_sys(e, lib.wake < 0 ? lib.wake : lib.told, "make an eventfd");
	return 0;
}

static int make(struct err *e)
{
	static const struct engine_watch watch = { .event = on_engine_event, .gone = on_engine_gone };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct engine_settings s;
	int r = timeouts_read(&lib.timeouts, getenv, e);

	if (r >= 0)
		r = engine_settings_read(&a, &s, e);
	if (r >= 0)
		r = make_fds(e);
	if (r >= 0)
		r = loop_init(&lib.loop, e);
	if (r >= 0)
		r = engine_new(&lib.engine, &lib.loop, &s, &watch, e);
	if (r < 0)
		return r;
	lib.loop.failed = on_failed;
	lib.gate.last = &lib.gate.first;
	log_hook(log_engine);
	name_instance();
	lib.ready = true;
	operations_watch();
	return 0;
}

static void unmake(void)
{
	watch_end();
	if (lib.engine)
		engine_free(lib.engine);
	lib.engine = NULL;
	loop_done(&lib.loop);
	lib.loop = (struct loop)LOOP_INIT;
	fd_closep(&lib.wake);
	fd_closep(&lib.told);
	fd_closep(&lib.dispatch);
	lib.wake = lib.told = lib.dispatch = -1;
}

int lib_ready(struct err *e)
{
	int r;

	if (lib.ready)
		return 0;
	r = make(e);
	if (r < 0)
		unmake();
	return r;
}

int lib_once(void)
{
	pthread_once(&once, make_once);
	return once_result;
}

void lib_end(void)
{
	lib_lock();
	unmake();
	free(lib.handles.slots);
	memset(&lib.handles, 0, sizeof lib.handles);
	lib.ready = false;
	lib_unlock();
}
