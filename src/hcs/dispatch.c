/*
 * Threads. The loop is driven by one of the threads that wait: it polls without
 * the lock, and carries out what is ready with it. The others wait for the
 * condition `changed`, which is signalled after every round; when the one that
 * drives has what it waited for, another goes on.
 *
 * What the program is to be told becomes a notice in the round, and is told when
 * the round is over, one at a time: the loop is never below a callback, so that a
 * callback may wait, and drive, itself.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "hcs.h"
#include "library.h"
#include "log_calls.h"
#include "sys.h"

static _Thread_local bool in_callback;

bool lib_in_callback(void)
{
	return in_callback;
}

void lib_lock(void)
{
	pthread_mutex_lock(&lib.lock);
}

void lib_raise(int fd)
{
	static const uint64_t one = 1;

	if (fd >= 0)
		(void)!sys_write(fd, &one, sizeof one);
}

/* Before the lock is given up: a timer may have come that the thread in poll does not know. */
static void wake_for_timer(void)
{
	const struct source *first = lib.loop.timers;

	if (!lib.driven || !first || first->due >= lib.driven_until)
		return;
	lib.driven_until = 0;
	lib_raise(lib.wake);
}

void lib_unlock(void)
{
	struct log_entry *log = log_take();

	wake_for_timer();
	pthread_mutex_unlock(&lib.lock);
	log_write(log);
}

static void lower(int fd)
{
	uint64_t n;

	(void)!sys_read(fd, &n, sizeof n);
}

void lib_await_change(void)
{
	wake_for_timer();
	pthread_cond_wait(&lib.changed, &lib.lock);
}

void lib_changed(void)
{
	if (lib.driven)
		lib_raise(lib.wake);
	pthread_cond_broadcast(&lib.changed);
}

int64_t lib_deadline(uint32_t timeout_ms)
{
	return timeout_ms == INFINITE ? FOREVER : clock_ms() + timeout_ms;
}

/* ---- telling ----------------------------------------------------------------- */

int notice_add(void *to, HCS_EVENT_TYPE type, const char *data, struct operation *op)
{
	struct notice *n = calloc(1, sizeof *n);

	if (!n)
		return -ENOMEM;
	if (data) {
		n->data = strdup(data);
		if (!n->data) {
			free(n);
			return -ENOMEM;
		}
	}
	n->type = type;
	n->to = to ? obj_ref(to) : NULL;
	n->op = op ? obj_ref(op) : NULL;
	if (!lib.notices)
		lib_raise(lib.told);
	*lib.last_notice = n;
	lib.last_notice = &n->next;
	lib_changed();
	return 0;
}

static struct notice *take_notice(void)
{
	struct notice *n = lib.notices;

	lib.notices = n->next;
	if (!lib.notices) {
		lib.last_notice = &lib.notices;
		lower(lib.told);
	}
	return n;
}

static void notice_free(struct notice *n)
{
	if (n->to)
		obj_unref(n->to);
	if (n->op)
		obj_unref(n->op);
	free(n->data);
	free(n);
}

/* Whom it is for now; an operation's completion goes to its own callback. */
struct target {
	HCS_OPERATION_COMPLETION done;
	HCS_EVENT_CALLBACK event;
	void *context;
	HCS_OPERATION op;
};

static struct target target_of(const struct notice *n)
{
	const struct operation *op = n->op;
	struct target t = { .op = op && !op->obj.closed ? op->obj.handle : NULL };

	if (!n->to) {
		t.event = lib.service.cb.fn;
		t.context = lib.service.cb.context;
	} else if (n->to->closed) {
		return (struct target){ 0 };
	} else if (n->to->kind == OBJ_OPERATION) {
		const struct operation *to = (const struct operation *)n->to;

		t.done = n->type == HcsEventOperationCallback ? to->fn : NULL;
		t.event = to->event_fn;
		t.context = to->context;
	} else {
		const struct callback *cb = &((struct watcher *)n->to)->cb;

		t.event = n->op && !t.op ? NULL : cb->fn;
		t.context = cb->context;
	}
	return t;
}

static void set_busy(const struct notice *n, bool busy)
{
	if (n->to) {
		n->to->busy = busy;
		n->to->busy_by = pthread_self();
	} else {
		lib.service.busy = busy;
		lib.service.busy_by = pthread_self();
	}
}

static void call_back(const struct notice *n, const struct target *t)
{
	HCS_EVENT event = { .Type = n->type, .EventData = n->data, .Operation = t->op };

	in_callback = true;
	if (t->done)
		t->done(t->op, t->context);
	else
		t->event(&event, t->context);
	in_callback = false;
}

/* Everything that is waiting to be told, unless somebody is at it. */
static void tell_all(void)
{
	while (lib.notices && !lib.telling) {
		struct notice *n = take_notice();
		struct target t = target_of(n);

		if (t.done || t.event) {
			lib.telling = true;
			set_busy(n, true);
			lib_unlock();
			call_back(n, &t);
			lib_lock();
			set_busy(n, false);
			lib.telling = false;
			lib.work++;
			lib_changed();
		} else {
			notice_untold(n);
		}
		notice_free(n);
	}
}

void obj_drain(struct obj *o)
{
	while (o->busy && !pthread_equal(o->busy_by, pthread_self()))
		lib_await_change();
}

/* ---- driving -------------------------------------------------------------------- */

static void drive(int ms)
{
	struct pollfd p[] = {
		{ .fd = lib.loop.epoll, .events = POLLIN },
		{ .fd = lib.wake, .events = POLLIN },
	};
	int timer = loop_wait_ms(&lib.loop);

	if (timer >= 0 && (ms < 0 || timer < ms))
		ms = timer;
	if (timer) {
		lib.driven = true;
		lib.driven_until = ms < 0 ? UINT64_MAX : (uint64_t)(clock_ms() + ms);
		lib_unlock();
		(void)sys_poll(p, 2, ms);
		lib_lock();
		lib.driven = false;
	}
	if (p[1].revents)
		lower(lib.wake);
	if (p[0].revents || !loop_wait_ms(&lib.loop)) {
		lib.work++;
		(void)loop_dispatch(&lib.loop);
	}
	/* Those whose turn it may be: to go on, or to drive. */
	if (lib.followers)
		pthread_cond_broadcast(&lib.changed);
}

static void follow(int ms)
{
	struct timespec until;

	if (!ms)
		return;
	if (lib.log) { /* it is not written while we sleep */
		lib_unlock();
		lib_lock();
		return;
	}
	lib.followers++;
	if (ms < 0) {
		lib_await_change();
	} else {
		wake_for_timer();
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ms / 1000;
		until.tv_nsec += (long)(ms % 1000) * NS_PER_MS;
		if (until.tv_nsec >= 1000l * NS_PER_MS) {
			until.tv_sec++;
			until.tv_nsec -= 1000l * NS_PER_MS;
		}
		pthread_cond_timedwait(&lib.changed, &lib.lock, &until);
	}
	lib.followers--;
}

HRESULT lib_wait(bool (*ready)(void *ctx), void *ctx, int64_t until)
{
	HRESULT hr;

	for (bool looked = false;; looked = true) {
		int64_t left = FOREVER;

		tell_all();
		hr = S_OK;
		if (ready(ctx))
			break;
		if (until != FOREVER) {
			left = until - clock_ms();
			left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
		}
		hr = HCS_E_OPERATION_TIMEOUT;
		if (!left && looked)
			break;
		if (lib.driven)
			follow((int)left);
		else
			drive((int)left);
	}
	if (lib.followers)
		pthread_cond_broadcast(&lib.changed);
	return hr;
}

/* ---- for a program's own loop; a thread of ours ------------------------------------ */

static int add_fd(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

API HRESULT HcsGetDispatchFd(int *fd)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	int loop, r;

	if (FAILED(hr))
		return hr;
	if (!fd)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "fd: is NULL"));
	hr = call_ready(&c);
	if (FAILED(hr))
		return call_end(&c, hr);
	if (lib.dispatch < 0) {
		OWN_FD ep = sys_epoll_create();

		/* Not sooner: who waits in here needs no descriptor for the timers, and to
		 * set one to a time that is over costs as much as a call on a shim. */
		loop = ep < 0 ? ep : loop_fd(&lib.loop);
		r = loop < 0 ? loop : add_fd(ep, loop);
		if (r >= 0)
			r = add_fd(ep, lib.told);
		if (r < 0) {
			err_sys(&c.e, r, "make the fd to poll");
			return call_end(&c, call_failed(&c));
		}
		lib.dispatch = take_fd(&ep);
	}
	*fd = lib.dispatch;
	return call_end(&c, S_OK);
}

static bool did_something(void *ctx)
{
	return lib.work != *(uint64_t *)ctx;
}

API HRESULT HcsDispatch(uint32_t timeoutMs)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	uint64_t work;

	if (FAILED(hr))
		return hr;
	hr = call_ready(&c);
	if (FAILED(hr))
		return call_end(&c, hr);
	work = lib.work;
	hr = lib_wait(did_something, &work, lib_deadline(timeoutMs));
	return call_end(&c, FAILED(hr) ? S_FALSE : S_OK);
}

static bool helper_ends(void *ctx)
{
	return lib.helper_ends;
}

static void *help(void *arg)
{
	lib_lock();
	(void)lib_wait(helper_ends, NULL, FOREVER);
	lib_unlock();
	return NULL;
}

/* Somebody stops it. Its own callbacks, which he waits for, do not wait for him. */
static void await_helper_end(void)
{
	while (lib.helper_ends && !in_callback)
		lib_await_change();
}

API HRESULT HcsStartDispatchThread(void)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	sigset_t all, old;
	int r;

	if (FAILED(hr))
		return hr;
	hr = call_ready(&c);
	if (SUCCEEDED(hr))
		await_helper_end();
	if (FAILED(hr) || lib.has_helper)
		return call_end(&c, FAILED(hr) ? hr : S_FALSE);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = -pthread_create(&lib.helper, NULL, help, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		err_sys(&c.e, r, "start the thread");
		return call_end(&c, call_failed(&c));
	}
	lib.has_helper = true;
	return call_end(&c, S_OK);
}

API HRESULT HcsStopDispatchThread(void)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	pthread_t helper;

	if (FAILED(hr))
		return hr;
	if (in_callback)
		return call_end(&c, call_refuse(&c, HCS_E_INVALID_STATE, "not in a callback"));
	await_helper_end();
	if (!lib.has_helper)
		return call_end(&c, S_FALSE);
	helper = lib.helper;
	lib.helper_ends = true;
	lib_changed();
	lib_unlock();
	pthread_join(helper, NULL);
	lib_lock();
	lib.has_helper = lib.helper_ends = false;
	lib_changed();
	return call_end(&c, S_OK);
}
