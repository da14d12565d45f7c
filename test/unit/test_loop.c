/* The event loop: order, removal while an event waits, owners, timers. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "loop.h"
#include "sys.h"

/* A pipe with a byte in it, watched. */
struct pipe_source {
	struct source src; /* first: a source is its pipe */
	int fds[2];
	int calls, result;
	struct pipe_source *victim; /* removed and freed by our callback */
	bool stop;
};

static int on_pipe(struct source *s, uint32_t events)
{
	struct pipe_source *p = (struct pipe_source *)(void *)s;

	p->calls++;
	if (p->stop)
		loop_stop(s->loop, 5);
	if (p->victim) {
		source_remove(&p->victim->src);
		memset(&p->victim->src, 0xee, sizeof p->victim->src);
		p->victim = NULL;
	}
	return p->result;
}

static void pipe_open(struct pipe_source *p, struct loop *l)
{
	assert_int_equal(sys_pipe2(p->fds, O_CLOEXEC), 0);
	assert_int_equal(write(p->fds[1], "x", 1), 1);
	if (l)
		assert_int_equal(source_fd(&p->src, l, p->fds[0], EPOLLIN, on_pipe), 0);
}

static void pipe_close(struct pipe_source *p)
{
	close(p->fds[0]);
	close(p->fds[1]);
}

static void removed_source_is_not_called(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct pipe_source a = { 0 }, b = { 0 };

	assert_int_equal(loop_init(&l, NULL), 0);
	pipe_open(&a, &l);
	pipe_open(&b, &l);
	/* both events are in one batch; whichever runs first frees the other */
	a.victim = &b;
	b.victim = &a;
	a.stop = b.stop = true;
	assert_int_equal(loop_run(&l), 5);
	assert_int_equal(a.calls + b.calls, 1);
	pipe_close(&a);
	pipe_close(&b);
}

/* The slot of a removed source is used again at once: the old event, already
 * taken from the kernel, must not reach the new user. */
static struct pipe_source *reuse_victim, *reuse_new;
static int reuse_calls;

static int on_reuse(struct source *s, uint32_t events)
{
	struct loop *l = s->loop;

	if (reuse_calls++)
		return 0;
	source_remove(&reuse_victim->src);
	assert_int_equal(source_fd(&reuse_new->src, l, reuse_new->fds[0], 0, on_pipe), 0);
	assert_int_equal(reuse_new->src.slot, reuse_victim->src.slot);
	source_remove(s);
	return 0;
}

/* A timer that fires is in no loop any more: this is how it knows which. */
static struct loop *stopping;

static int on_stop(struct source *s, uint32_t events)
{
	loop_stop(stopping, 1);
	return 0;
}

static void stop_after(struct source *s, struct loop *l, uint32_t ms)
{
	stopping = l;
	assert_int_equal(source_timer(s, l, ms, on_stop), 0);
}

static void slot_is_used_again_safely(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct pipe_source a = { 0 }, b = { 0 }, c = { 0 };
	struct source timer = { 0 };

	assert_int_equal(loop_init(&l, NULL), 0);
	pipe_open(&a, NULL);
	pipe_open(&b, NULL);
	pipe_open(&c, NULL);
	reuse_victim = &b;
	reuse_new = &c;
	reuse_calls = 0;
	assert_int_equal(source_fd(&a.src, &l, a.fds[0], EPOLLIN, on_reuse), 0);
	assert_int_equal(source_fd(&b.src, &l, b.fds[0], EPOLLIN, on_reuse), 0);
	stop_after(&timer, &l, 30);
	assert_int_equal(loop_run(&l), 1);
	assert_int_equal(c.calls, 0);
	pipe_close(&a);
	pipe_close(&b);
	pipe_close(&c);
}

static void source_may_remove_itself(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct pipe_source a = { 0 };
	struct source timer = { 0 };

	assert_int_equal(loop_init(&l, NULL), 0);
	pipe_open(&a, &l);
	a.victim = &a; /* and overwrites itself */
	stop_after(&timer, &l, 20);
	assert_int_equal(loop_run(&l), 1);
	assert_int_equal(a.calls, 1);
	pipe_close(&a);
}

/* ---- owners --------------------------------------------------------------- */

struct owned {
	struct loop_owner owner;
	struct source one, two;
	int fds[2];
	struct loop *loop;
	bool during; /* released while a callback was on the stack */
};
static int released;

static void release(struct loop_owner *o)
{
	struct owned *w = (struct owned *)(void *)o;

	released++;
	assert_false(o->running);
	close(w->fds[0]);
	close(w->fds[1]);
	free(w);
}

static int on_owned(struct source *s, uint32_t events)
{
	struct owned *w = (struct owned *)(void *)((char *)s - offsetof(struct owned, one));

	source_remove(&w->one);
	source_remove(&w->two);
	assert_int_equal(released, 0);
	w->during = true; /* still ours until we return */
	return 0;
}

static int on_owned_failing(struct source *s, uint32_t events)
{
	on_owned(s, events);
	return -EIO;
}

static struct owned *owned_new(struct loop *l, int (*fn)(struct source *, uint32_t))
{
	struct owned *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->owner.release = release;
	w->one.owner = w->two.owner = &w->owner;
	assert_int_equal(sys_pipe2(w->fds, O_CLOEXEC), 0);
	assert_int_equal(write(w->fds[1], "x", 1), 1);
	assert_int_equal(source_fd(&w->one, l, w->fds[0], EPOLLIN, fn), 0);
	assert_int_equal(source_timer(&w->two, l, 60000, on_stop), 0);
	assert_int_equal(w->owner.sources, 2);
	return w;
}

static void owner_outlives_its_sources(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct source timer = { 0 };

	released = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	owned_new(&l, on_owned);
	stop_after(&timer, &l, 20);
	assert_int_equal(loop_run(&l), 1);
	assert_int_equal(released, 1);
}

static void owner_is_released_after_a_failure(void **state)
{
	OWN_LOOP l = LOOP_INIT;

	released = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	owned_new(&l, on_owned_failing);
	assert_int_equal(loop_run(&l), -EIO);
	assert_int_equal(released, 1);
}

static void owner_is_released_from_outside(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct owned *w;

	released = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	w = owned_new(&l, on_owned);
	source_remove(&w->one);
	assert_int_equal(released, 0);
	source_remove(&w->two);
	assert_int_equal(released, 1);
}

/* ---- failures, timers, signals -------------------------------------------- */

static int reported;

static void report(struct loop *l, struct source *s, int r)
{
	reported = r;
}

static void failing_callback_is_reported(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct pipe_source a = { .result = -EBADMSG };
	struct source timer = { 0 };

	assert_int_equal(loop_init(&l, NULL), 0);
	pipe_open(&a, &l);
	assert_int_equal(loop_run(&l), -EBADMSG);
	assert_null(a.src.loop);

	l.failed = report;
	assert_int_equal(source_fd(&a.src, &l, a.fds[0], EPOLLIN, on_pipe), 0);
	stop_after(&timer, &l, 20);
	assert_int_equal(loop_run(&l), 1); /* goes on without it */
	assert_int_equal(reported, -EBADMSG);
	assert_int_equal(a.calls, 2);
	pipe_close(&a);
}

static int order[4], n_order;

struct numbered {
	struct source src;
	int number;
};

static int on_numbered(struct source *s, uint32_t events)
{
	order[n_order++] = ((struct numbered *)(void *)s)->number;
	return 0;
}

static void timers_fire_in_order(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct numbered a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct source stop = { 0 };

	n_order = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	source_timer(&c.src, &l, 30, on_numbered);
	source_timer(&a.src, &l, 10, on_numbered);
	source_timer(&b.src, &l, 20, on_numbered);
	stop_after(&stop, &l, 40);
	source_remove(&b.src);
	source_remove(&b.src); /* twice is fine */
	assert_int_equal(loop_run(&l), 1);
	assert_int_equal(n_order, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 3);
}

static bool is_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static struct loop *busy_loop;
static int n_busy;

static int on_busy(struct source *s, uint32_t events)
{
	n_busy++;
	return source_timer(s, busy_loop, 0, on_busy);
}

/* At once, in their order, and others get their turn between them. */
static void timers_of_no_time(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct numbered a = { .number = 1 }, b = { .number = 2 };
	struct source busy = { 0 }, stop = { 0 };
	struct pipe_source p = { .victim = &p };

	n_order = n_busy = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	busy_loop = &l;
	source_timer(&a.src, &l, 0, on_numbered);
	source_timer(&busy, &l, 0, on_busy);
	source_timer(&b.src, &l, 0, on_numbered);
	pipe_open(&p, &l);
	assert_int_equal(loop_dispatch(&l), 0);
	assert_int_equal(n_order, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(n_busy, 1);
	assert_int_equal(p.calls, 1);
	assert_true(is_readable(loop_fd(&l), 0)); /* there is more to do */
	stop_after(&stop, &l, 10);
	assert_int_equal(loop_run(&l), 1);
	assert_true(n_busy > 2);
	source_remove(&busy);
	pipe_close(&p);
}

/* ---- as a part of somebody else's loop -------------------------------------- */

static void other_loop_is_woken_for_fds(void **state)
{
	enum { N = 40 };
	OWN_LOOP l = LOOP_INIT;
	static struct pipe_source p[N];
	int fd;

	assert_int_equal(loop_init(&l, NULL), 0);
	fd = loop_fd(&l);
	assert_true(fd >= 0);
	assert_int_equal(loop_fd(&l), fd);
	assert_false(is_readable(fd, 0));
	assert_int_equal(loop_dispatch(&l), 0); /* nothing to do: does not wait */
	for (int i = 0; i < N; i++) {
		p[i] = (struct pipe_source){ .victim = &p[i] };
		pipe_open(&p[i], &l);
	}
	assert_true(is_readable(fd, 0));
	assert_int_equal(loop_dispatch(&l), 0);
	assert_false(is_readable(fd, 0));
	for (int i = 0; i < N; i++) {
		assert_int_equal(p[i].calls, 1);
		pipe_close(&p[i]);
	}
}

static void other_loop_is_woken_for_timers(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct numbered early = { .number = 1 }, late = { .number = 2 }, between = { .number = 3 };
	int fd;

	n_order = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	source_timer(&late.src, &l, 60, on_numbered); /* before anybody asks for the fd */
	fd = loop_fd(&l);
	source_timer(&early.src, &l, 1, on_numbered);
	source_remove(&early.src);
	source_timer(&between.src, &l, 30, on_numbered);
	while (n_order < 2) { /* once for nothing is allowed, more is not */
		assert_true(is_readable(fd, 1000));
		assert_int_equal(loop_dispatch(&l), 0);
		assert_false(is_readable(fd, 0));
	}
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 2);
	assert_false(is_readable(fd, 20));
	source_timer(&early.src, &l, 1, on_numbered);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(loop_dispatch(&l), 0);
	assert_int_equal(n_order, 3);
}

static struct numbered follower = { .number = 2 };

static int on_leader(struct source *s, uint32_t events)
{
	source_remove(s);
	return source_timer(&follower.src, busy_loop, 1, on_numbered);
}

/* What a callback asks for is known to the other loop when they have all been called. */
static void other_loop_is_woken_for_timers_of_callbacks(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct source leader = { 0 }, late = { 0 };
	OWN_FD ready_fd = eventfd(1, EFD_CLOEXEC);
	int fd;

	n_order = 0;
	assert_true(ready_fd >= 0);
	assert_int_equal(loop_init(&l, NULL), 0);
	busy_loop = &l;
	fd = loop_fd(&l);
	source_timer(&late, &l, 60000, on_numbered);
	assert_int_equal(source_fd(&leader, &l, ready_fd, EPOLLIN, on_leader), 0);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(loop_dispatch(&l), 0);
	assert_int_equal(n_order, 0);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(loop_dispatch(&l), 0);
	assert_int_equal(n_order, 1);
	assert_false(is_readable(fd, 0));
	source_remove(&late);
}

/* A loop with such an fd may still run by itself. */
static void runs_with_a_timer_fd(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct numbered a = { .number = 1 };
	struct source stop = { 0 };
	struct timespec before, after;

	n_order = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	assert_true(loop_fd(&l) >= 0);
	source_timer(&a.src, &l, 5, on_numbered);
	stop_after(&stop, &l, 100);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(loop_run(&l), 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_int_equal(n_order, 1);
	assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 50);
}

static void dispatch_tells_what_stopped_it(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct pipe_source a = { .result = -EBADMSG }, b = { .stop = true };

	assert_int_equal(loop_init(&l, NULL), 0);
	pipe_open(&a, &l);
	assert_int_equal(loop_dispatch(&l), -EBADMSG);
	pipe_open(&b, &l);
	assert_int_equal(loop_dispatch(&l), 5);
	source_remove(&b.src);
	assert_int_equal(loop_dispatch(&l), 0);
	pipe_close(&a);
	pipe_close(&b);
}

static void takes_signals(void **state)
{
	struct signalfd_siginfo si;
	OWN_FD fd = -1;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	fd = loop_signalfd(&mask);
	assert_true(fd >= 0);
	assert_int_equal(loop_take_signal(fd, &si), 0);
	raise(SIGUSR1);
	assert_int_equal(loop_take_signal(fd, &si), 1);
	assert_int_equal(si.ssi_signo, SIGUSR1);
	assert_int_equal(loop_take_signal(fd, &si), 0);
}

enum { READY = 100 };
static struct pipe_source ready[READY];
static int n_seen;

static int on_late(struct source *s, uint32_t events)
{
	for (int i = 0; i < READY; i++)
		n_seen += ready[i].calls;
	return 0;
}

/* What had arrived when a timer is due comes first, however much it is. */
static void timers_wait_for_what_is_ready(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct source late = { 0 };

	n_seen = 0;
	assert_int_equal(loop_init(&l, NULL), 0);
	source_timer(&late, &l, 1, on_late);
	for (int i = 0; i < READY; i++) {
		ready[i] = (struct pipe_source){ .victim = &ready[i] };
		pipe_open(&ready[i], &l);
	}
	usleep(3000);
	assert_int_equal(loop_dispatch(&l), 0);
	assert_int_equal(n_seen, READY);
	for (int i = 0; i < READY; i++)
		pipe_close(&ready[i]);
}

/* ... but not for ever. */
static void timers_do_not_starve(void **state)
{
	OWN_LOOP l = LOOP_INIT;
	struct source stop = { 0 };

	assert_int_equal(loop_init(&l, NULL), 0);
	for (int i = 0; i < READY; i++) {
		ready[i] = (struct pipe_source){ 0 };
		pipe_open(&ready[i], &l);
	}
	stop_after(&stop, &l, 10);
	assert_int_equal(loop_run(&l), 1);
	for (int i = 0; i < READY; i++)
		pipe_close(&ready[i]);
}

static void many_sources(void **state)
{
	enum { N = 100 };
	OWN_LOOP l = LOOP_INIT;
	static struct pipe_source p[N];
	int total = 0;

	assert_int_equal(loop_init(&l, NULL), 0);
	for (int i = 0; i < N; i++) {
		p[i] = (struct pipe_source){ 0 };
		pipe_open(&p[i], &l);
	}
	for (int i = 0; i < N; i++) /* level-triggered: the last one stops it */
		p[i].victim = i + 1 < N ? &p[i + 1] : NULL;
	p[0].stop = true;
	assert_int_equal(loop_run(&l), 5);
	for (int i = 0; i < N; i++) {
		total += p[i].calls;
		pipe_close(&p[i]);
	}
	assert_true(total > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removed_source_is_not_called),
		cmocka_unit_test(slot_is_used_again_safely),
		cmocka_unit_test(source_may_remove_itself),
		cmocka_unit_test(owner_outlives_its_sources),
		cmocka_unit_test(owner_is_released_after_a_failure),
		cmocka_unit_test(owner_is_released_from_outside),
		cmocka_unit_test(failing_callback_is_reported),
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(timers_of_no_time),
		cmocka_unit_test(other_loop_is_woken_for_fds),
		cmocka_unit_test(other_loop_is_woken_for_timers),
		cmocka_unit_test(other_loop_is_woken_for_timers_of_callbacks),
		cmocka_unit_test(runs_with_a_timer_fd),
		cmocka_unit_test(dispatch_tells_what_stopped_it),
		cmocka_unit_test(takes_signals),
		cmocka_unit_test(timers_wait_for_what_is_ready),
		cmocka_unit_test(timers_do_not_starve),
		cmocka_unit_test(many_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
