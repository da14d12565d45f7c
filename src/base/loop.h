/*
 * The event loop of a single-threaded program: one epoll, sources that are
 * members of their owners, and timers.
 *
 *	struct task { struct loop_owner owner; struct source exit_src; ... };
 *
 *	loop_init(&l, e);
 *	source_fd(&t->exit_src, &l, pidfd, EPOLLIN, task_on_exit);
 *	r = loop_run(&l);	// until loop_stop() or a failing callback
 *
 * or, as a part of somebody else's loop:
 *
 *	fd = loop_fd(&l);	// readable: something is to be done, a timer too
 *	r = loop_dispatch(&l);	// does it, and never waits
 *
 * Timers have their turn when all else that was ready has had one: who was held up
 * does not take for late what has arrived.
 *
 * A callback does one step and returns. A negative return stops its source and
 * is reported: to loop->failed when that is set, else loop_run returns it.
 *
 * A source may be removed at any time, also by another source's callback while
 * its own event is waiting, and its memory used again at once: an event is
 * matched to its source by slot and generation, so that it cannot reach a
 * source that is gone. An object with several sources names itself as their
 * `owner`; it is released after its last source has been removed and no
 * callback of it is running.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/signalfd.h>

struct err;
struct source;
struct loop_slot;

struct loop_owner {
	unsigned sources; /* in a loop now, and holds */
	bool running; /* one of its callbacks is on the stack */
	void (*release)(struct loop_owner *o); /* may free the object */
};

/* Somebody else than a source needs the object: it is released after the drop. */
void loop_owner_hold(struct loop_owner *o);
void loop_owner_drop(struct loop_owner *o);

struct source {
	struct loop *loop; /* NULL: in none */
	int (*fn)(struct source *s, uint32_t events);
	struct loop_owner *owner; /* NULL: none; set before it is added */
	int fd; /* borrowed; -1: a timer */
	uint32_t slot; /* a timer: its number */
	uint64_t due; /* a timer: CLOCK_MONOTONIC, in ms */
	struct source *prev, *next; /* timers, the earliest first */
};

struct loop {
	int epoll;
	bool stopped;
	int result; /* of loop_stop */
	struct loop_slot *slots;
	uint32_t n_slots, free_slot;
	struct source *timers, *last_timer;
	int timer; /* a timerfd for who polls loop_fd(); -1: nobody does */
	uint64_t timer_due; /* what it is set to; 0: to nothing */
	bool dispatching; /* it will be set when that is done */
	uint32_t n_timers; /* added so far */
	unsigned batches; /* full ones, since timers had their turn */
	/* what to do about a callback that failed; NULL: loop_run returns it */
	void (*failed)(struct loop *l, struct source *s, int r);
};

int loop_init(struct loop *l, struct err *e);
void loop_done(struct loop *l); /* the sources are forgotten, not called */
#define LOOP_INIT { .epoll = -1, .timer = -1 }
#define OWN_LOOP __attribute__((cleanup(loop_done))) struct loop

int loop_run(struct loop *l); /* what loop_stop said, or -errno */
void loop_stop(struct loop *l, int result);

/* The loop's own fd, to be polled for reading; or -errno. From the first call
 * on it becomes readable for timers, too. */
int loop_fd(struct loop *l);
/* Without that: l->epoll is polled for this long at most, until the next timer; -1: as
 * long as nothing comes. */
int loop_wait_ms(const struct loop *l);
/* Calls what is ready now. 0, or as loop_run() when it was stopped. */
int loop_dispatch(struct loop *l);

/* `fd` stays the caller's and must be open until the source is removed. A
 * pidfd is a source like any other: it is readable when the process ended. */
int source_fd(struct source *s, struct loop *l, int fd, uint32_t events,
	      int (*fn)(struct source *s, uint32_t events));
int source_change(struct source *s, uint32_t events);

/* Fires once, `ms` from now; add it again for the next time. 0: when all that is
 * ready now has had its turn. */
int source_timer(struct source *s, struct loop *l, uint32_t ms,
		 int (*fn)(struct source *s, uint32_t events));

/* Safe on one that is in no loop. */
void source_remove(struct source *s);

/* Signals come by a signalfd: these are blocked first, and the fd is the
 * caller's. One is taken at a time: 1, 0 when there is none left. */
int loop_signalfd(const sigset_t *mask);
int loop_take_signal(int fd, struct signalfd_siginfo *ret);
