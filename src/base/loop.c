/* The event loop: epoll, slots with generations, a sorted list of timers. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "sys.h"

#define BATCH 16
#define NO_SLOT UINT32_MAX /* also the timerfd's: it is no source */
enum { BATCHES = 64 }; /* at most, in one loop_dispatch(), and before timers have their turn */

/* What the kernel is given for a source is its slot and the slot's generation:
 * an event that was queued for an earlier user of the slot does not match. */
struct loop_slot {
	struct source *source; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop)LOOP_INIT;
	l->free_slot = NO_SLOT;
	l->epoll = sys_epoll_create();
	if (l->epoll < 0)
		return err_sys(e, l->epoll, "create an event loop");
	return 0;
}

void loop_done(struct loop *l)
{
	for (uint32_t i = 0; i < l->n_slots; i++)
		if (l->slots[i].source)
			l->slots[i].source->loop = NULL;
	for (struct source *s = l->timers; s; s = s->next)
		s->loop = NULL;
	free(l->slots);
	if (l->timer >= 0)
		sys_close(l->timer);
	sys_close(l->epoll);
	*l = (struct loop)LOOP_INIT;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}

/* ---- owners --------------------------------------------------------------- */

/* While a callback of an owner is on the stack, the owner is not released. */
static bool owner_enter(struct loop_owner *o)
{
	bool outermost = o && !o->running;

	if (outermost)
		o->running = true;
	return outermost;
}

static void owner_release_if_idle(struct loop_owner *o)
{
	if (!o->sources && !o->running && o->release)
		o->release(o);
}

static void owner_leave(struct loop_owner *o, bool outermost)
{
	if (!outermost)
		return;
	o->running = false;
	owner_release_if_idle(o);
}

void loop_owner_hold(struct loop_owner *o)
{
	o->sources++;
}

void loop_owner_drop(struct loop_owner *o)
{
	o->sources--;
	owner_release_if_idle(o);
}

/* ---- slots ---------------------------------------------------------------- */

static int slot_take(struct loop *l, struct source *s)
{
	uint32_t i = l->free_slot;

	if (i == NO_SLOT) {
		uint32_t n = l->n_slots ? l->n_slots * 2 : 8;
		struct loop_slot *grown = realloc(l->slots, n * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		l->slots = grown;
		for (uint32_t k = l->n_slots; k < n; k++)
			grown[k] = (struct loop_slot){ NULL, 0, k + 1 < n ? k + 1 : NO_SLOT };
		i = l->n_slots;
		l->n_slots = n;
	}
	l->free_slot = l->slots[i].next_free;
	l->slots[i].source = s;
	s->slot = i;
	return 0;
}

static void slot_drop(struct loop *l, uint32_t i)
{
	l->slots[i].source = NULL;
	l->slots[i].generation++;
	l->slots[i].next_free = l->free_slot;
	l->free_slot = i;
}

static struct source *slot_find(struct loop *l, uint64_t tag)
{
	uint32_t i = (uint32_t)tag;

	if (i >= l->n_slots || l->slots[i].generation != (uint32_t)(tag >> 32))
		return NULL;
	return l->slots[i].source;
}

static struct epoll_event event_of(const struct source *s, uint32_t events)
{
	uint64_t generation = s->loop->slots[s->slot].generation;

	return (struct epoll_event){ .events = events,
				     .data.u64 = generation << 32 | s->slot };
}

/* ---- sources -------------------------------------------------------------- */

int source_fd(struct source *s, struct loop *l, int fd, uint32_t events,
	      int (*fn)(struct source *s, uint32_t events))
{
	struct epoll_event ev;
	int r;

	r = slot_take(l, s);
	if (r < 0)
		return r;
	s->loop = l;
	s->fn = fn;
	s->fd = fd;
	ev = event_of(s, events);
	r = sys_epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev);
	if (r < 0) {
		slot_drop(l, s->slot);
		s->loop = NULL;
		return r;
	}
	if (s->owner)
		s->owner->sources++;
	return 0;
}

int source_change(struct source *s, uint32_t events)
{
	struct epoll_event ev;

	if (!s->loop || s->fd < 0)
		return -EINVAL;
	ev = event_of(s, events);
	return sys_epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &ev);
}

static void link_timer(struct loop *l, struct source *s, struct source *before)
{
	s->prev = before;
	s->next = before ? before->next : l->timers;
	*(s->next ? &s->next->prev : &l->last_timer) = s;
	*(before ? &before->next : &l->timers) = s;
}

static void unlink_timer(struct loop *l, struct source *s)
{
	*(s->next ? &s->next->prev : &l->last_timer) = s->prev;
	*(s->prev ? &s->prev->next : &l->timers) = s->next;
}

/* To the earliest timer; one that was removed may still make it readable once. */
static void set_timerfd(struct loop *l)
{
	uint64_t due = l->timers ? l->timers->due : 0;
	struct itimerspec at = { .it_value.tv_sec = (time_t)(due / 1000) };

	at.it_value.tv_nsec = (long)(due % 1000) * 1000000;
	if (sys_timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at) >= 0)
		l->timer_due = due;
}

int source_timer(struct source *s, struct loop *l, uint32_t ms,
		 int (*fn)(struct source *s, uint32_t events))
{
	struct source *before = l->last_timer; /* most are later than all others */

	s->loop = l;
	s->fn = fn;
	s->fd = -1;
	s->due = (uint64_t)clock_ms() + ms;
	s->slot = l->n_timers++;
	while (before && before->due > s->due)
		before = before->prev;
	link_timer(l, s, before);
	if (!before && l->timer >= 0 && !l->dispatching)
		set_timerfd(l);
	if (s->owner)
		s->owner->sources++;
	return 0;
}

static void unlink_source(struct source *s)
{
	struct loop *l = s->loop;

	if (s->fd >= 0) {
		sys_epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
		slot_drop(l, s->slot);
	} else {
		unlink_timer(l, s);
	}
	s->loop = NULL;
}

void source_remove(struct source *s)
{
	struct loop_owner *o = s->owner;

	if (!s->loop)
		return;
	unlink_source(s);
	if (o)
		loop_owner_drop(o);
}

/* ---- running -------------------------------------------------------------- */

/* A callback failed; `s` is NULL when its source is gone already. */
static void failed(struct loop *l, struct source *s, int r)
{
	if (l->failed)
		l->failed(l, s, r);
	else
		loop_stop(l, r);
	if (s)
		source_remove(s);
}

static void dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct source *s = slot_find(l, ev->data.u64);
	struct loop_owner *o;
	bool outermost;
	int r;

	if (!s)
		return; /* removed after the kernel had queued this */
	o = s->owner;
	outermost = owner_enter(o);
	r = s->fn(s, ev->events);
	if (r < 0)
		failed(l, slot_find(l, ev->data.u64), r);
	owner_leave(o, outermost);
}

static void run_timers(struct loop *l)
{
	uint32_t end = l->n_timers; /* those that are added meanwhile wait for the next pass */
	uint64_t now;

	if (!l->timers && !l->timer_due)
		return;
	now = (uint64_t)clock_ms();
	while (!l->stopped && l->timers && l->timers->due <= now && (int32_t)(l->timers->slot - end) < 0) {
		struct source *s = l->timers;
		struct loop_owner *o = s->owner;
		bool outermost = owner_enter(o);
		int r;

		unlink_source(s);
		if (o)
			o->sources--;
		r = s->fn(s, 0);
		if (r < 0)
			failed(l, NULL, r);
		owner_leave(o, outermost);
	}
	if (l->timer_due && l->timer_due <= now)
		set_timerfd(l);
}

int loop_wait_ms(const struct loop *l)
{
	uint64_t now;

	if (!l->timers)
		return -1;
	now = (uint64_t)clock_ms();
	if (l->timers->due <= now)
		return 0;
	return l->timers->due - now > INT32_MAX ? INT32_MAX : (int)(l->timers->due - now);
}

/* How many there were, or -errno. */
static int run_batch(struct loop *l, int ms)
{
	struct epoll_event ev[BATCH];
	int n = sys_epoll_wait(l->epoll, ev, BATCH, ms);

	if (n == -EINTR)
		return 0;
	for (int i = 0; i < n && !l->stopped; i++)
		dispatch(l, &ev[i]);
	l->batches = n < BATCH ? 0 : l->batches + 1;
	if (n >= 0 && (!l->batches || l->batches == BATCHES)) {
		l->batches = 0;
		run_timers(l);
	}
	return n;
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int r = run_batch(l, loop_wait_ms(l));

		if (r < 0)
			return r;
	}
	return l->result;
}

int loop_fd(struct loop *l)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = NO_SLOT };
	OWN_FD fd = -1;
	int r;

	if (l->timer >= 0)
		return l->epoll;
	fd = r = sys_timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r >= 0)
		r = sys_epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev);
	if (r < 0)
		return r;
	l->timer = take_fd(&fd);
	set_timerfd(l);
	return l->epoll;
}

int loop_dispatch(struct loop *l)
{
	int n = BATCH;

	l->stopped = false;
	l->dispatching = true;
	for (int i = 0; n == BATCH && !l->stopped && i < BATCHES; i++)
		n = run_batch(l, 0);
	l->dispatching = false;
	if (l->timer >= 0 && l->timers && (!l->timer_due || l->timers->due < l->timer_due))
		set_timerfd(l);
	if (n < 0)
		return n;
	return l->stopped ? l->result : 0;
}

/* ---- signals -------------------------------------------------------------- */

int loop_signalfd(const sigset_t *mask)
{
	if (sigprocmask(SIG_BLOCK, mask, NULL) < 0)
		return -errno;
	return sys_signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int loop_take_signal(int fd, struct signalfd_siginfo *ret)
{
	ssize_t n;

	do
		n = sys_read(fd, ret, sizeof *ret);
	while (n == -EINTR);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return (int)n;
	return n == sizeof *ret ? 1 : -EIO;
}
