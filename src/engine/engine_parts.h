/*
 * What the files of the engine share.
 *
 *	task.c		what is known of each task, by namespace and id
 *	link.c		a connection to a task's shim: greeting, calls, events
 *	ending.c	a shim that has ended, in its order or not
 *	cleanup.c	what is left of a task without a shim
 *	foreign.c	a shim that is not ours
 *	operation.c	what a caller has begun, with its deadline and its end
 *	create.c, delete.c, call.c, open.c, list.c	each kind of operation
 *
 * An operation is described by a struct of its own that begins with a struct
 * engine_progress. It outlives the caller's engine_op where something has still
 * to be undone, or an answer to be thrown away.
 */
#pragma once

#include "berth_shim.pb-c.h"
#include "state_dir.h"
#include "child.h"
#include "engine.h"
#include "err.h"
#include "mem.h"
#include "task.pb-c.h"
#include "ttrpc_client.h"

struct cleanup;
struct deletion;
struct ending;
struct foreign;
struct link;
struct task;

struct engine {
	struct loop *loop;
	struct arena arena; /* the settings' strings */
	struct engine_settings settings;
	struct engine_watch watch;
	struct engine_hosting hosting; /* connect NULL: nobody hosts anything */
	struct task *tasks; /* all that there are */
	struct task **buckets; /* those that can be found */
	unsigned n_buckets, n_tasks;
	struct engine_progress *operations;
	struct cleanup *cleanups;
	unsigned n_deletes; /* children of theirs */
	bool ending; /* engine_free() is at work */
};

/* ---- operation.c ------------------------------------------------------------ */

struct engine_progress {
	struct engine *engine;
	struct engine_op *op; /* NULL: its caller has been told */
	struct engine_progress *prev, *next; /* in the engine's list, while op is there */
	struct source deadline, soon;
	struct err *why; /* what `soon` is going to say */
	const char *failed_in; /* the phase, of one that is undone meanwhile; NULL: its last */
	int result;
	/* To be ended with this, now or when what was begun is undone: cancelled,
	 * too late, or the engine goes (then now). */
	void (*stop)(struct engine_progress *p, int r, const struct err *e);
};

/* From now on the operation ends by operation_end(). default_ms 0: no deadline. */
void operation_begin(struct engine *en, struct engine_op *op, struct engine_progress *p, uint32_t default_ms,
		     void (*stop)(struct engine_progress *p, int r, const struct err *e));
void operation_phase(struct engine_progress *p, const char *words);
/* Calls `done`, from the loop; `p` is the caller's to free afterwards. */
void operation_end(struct engine_progress *p, int r, const struct err *e);
/* It was refused after all: nobody is told. */
void operation_drop(struct engine_progress *p);
/* p->stop() is called from the loop, with this. */
void operation_stop_soon(struct engine_progress *p, int r, const struct err *e);

/* ---- task.c ----------------------------------------------------------------- */

struct task {
	struct engine_task t; /* first */
	struct task *all_prev, *all_next;
	struct task *next; /* in its bucket */
	unsigned refs, watches;
	bool found; /* in a bucket */
	bool made_here; /* by an engine_create() that is at it */
	char *made; /* bundle_record.made */
	enum engine_lifetime lifetime;
	struct link *link; /* NULL: not connected */
	unsigned users; /* operations that need the connection: it stays for them */
	struct ending *ending;
	struct deletion *deletion;
	struct foreign *foreign; /* NULL: its shim is ours */
	bool hosted; /* or it has none: hosted.c */
	/* Of its shim, and what has been told of its events. */
	char *address, *instance;
	char *stdio; /* three strings, which t.stdio are */
	uint32_t shim_pid;
	uint64_t told;
	bool deleted; /* its delete event has been seen */
};

static inline struct task *task_of(struct engine_task *t)
{
	return (struct task *)t;
}

/* The one that is known; else a new one, with a reference that is the caller's. */
struct task *task_known(struct engine *en, const char *namespace, const char *id);
struct task *task_get(struct engine *en, const char *namespace, const char *id, struct err *e);
static inline struct task *task_ref(struct task *t)
{
	t->refs++;
	return t;
}
void task_unref(struct task *t);
/* One that nobody finds yet; and from now on they do, and no other of that id. */
struct task *task_make(struct engine *en, const char *namespace, const char *id);
int task_add(struct task *t);
int task_set_record(struct task *t, const struct bundle_record *r);
/* Reads engine.json; a task of an earlier time with this id is forgotten first,
 * and *t is a new one then. -ENOENT: no bundle; -ENODATA: nothing of ours in it. */
int task_identify(struct task **t, struct err *e);
int task_not_found(const struct task *t, struct err *e); /* -ENOENT */
/* Nobody finds it any more. */
void task_forget(struct task *t);
enum engine_status task_status_of(const Containerd__Task__V2__StateResponse *m);
void task_set_state(struct task *t, const Containerd__Task__V2__StateResponse *m);
void task_set_stopped(struct task *t, uint32_t pid, uint32_t exit_status, const Google__Protobuf__Timestamp *at);
/* NULL: the epoch. */
struct timespec timespec_of(const Google__Protobuf__Timestamp *at);
/* NULL is "". */
int task_set_stdio(struct task *t, const char *const stdio[3], bool terminal);
/* "id=ID namespace=NS", for log lines. */
void task_log(int level, const struct task *t, const char *words, const struct err *e);
void tasks_free(struct engine *en);

/* ---- events.c --------------------------------------------------------------- */

/* To the task's `now` and to who watches; of another task, or known already: nothing. */
void event_deliver(struct task *t, uint64_t number, const Containerd__Events__Envelope *m);
/* The same without a look at its number. */
void event_tell(struct task *t, struct engine_event *ev);
/* Whether the shim has ended by itself, and left a journal that says all. */
bool events_are_complete(const struct task *t);
/* What is in the journal that the task's shim has left; of a foreign one, what `end` says,
 * its `delete` (NULL: nobody knows how it ended). */
void events_replay(struct task *t, const Containerd__Task__V2__DeleteResponse *end);

/* ---- foreign.c ---------------------------------------------------------------- */

struct foreign {
	char *program, *address, *ttrpc_address;
	int log; /* -1: not open */
	struct source log_source;
	bool debug; /* what it logs is shown */
	bool is_told_of; /* what was missed before the connection */
	bool has_pid; /* on record */
};

int foreign_set(struct task *t, const struct bundle_foreign *f);
void foreign_silence(struct foreign *f); /* the engine goes */
void foreign_free(struct foreign *f);
/* What it wants in its bundle before it starts. */
int foreign_prepare(struct task *t, int bundle, struct err *e);
/* It is about to be connected to: without a reader of its log it may not answer. */
void foreign_hear(struct task *t);
/* The address that it printed, in the form that it has for version 2. */
int foreign_take_address(struct sb *out, int bundle, struct err *e);
/* Its task is created: for an engine that finds the shim dead, and no pid file. */
int foreign_record_pid(const struct task *t, int bundle, struct err *e);
/* Its events are going to be told; what has been told before is known then. */
int foreign_begin(struct task *t);
/* Of a State's answer, a PropertiesResponse as ours gives it, packed, to be freed; NULL: it
 * cannot be read. */
uint8_t *foreign_properties(const struct task *t, const uint8_t *state, size_t len, size_t *ret_len);
/* It is connected to, and watched: for link_poll(). */
void foreign_watch(struct task *t);
/* The task's end, as far as it has not been told; NULL: nobody knows how it ended. */
void foreign_tell_end(struct task *t, const Containerd__Task__V2__DeleteResponse *end);
/* The same of one that nobody had found yet, or that was never made. */
void foreign_tell_left(struct task *t, const Containerd__Task__V2__DeleteResponse *end, bool lost);

/* ---- hosted.c ----------------------------------------------------------------- */

#define HOSTED_JOURNAL "events" /* in the bundle */

/* A connection to its service. */
int hosted_connect(struct task *t, struct err *e);
/* It cannot be had any more: what its journal says is told to who counts events. */
void hosted_tell_left(struct task *t);

/* ---- link.c ----------------------------------------------------------------- */

enum { /* what a greeting says, in this order */
	GREET_HELLO = 1,
	GREET_HOLD = 2,
	GREET_STATE = 4,
	GREET_EVENTS = 8, /* asks for those that come after the greeting; nobody waits for them */
};

/* For who is going to watch. */
static inline unsigned greet_all(const struct engine *en)
{
	unsigned hold = en->watch.looks_on ? 0 : GREET_HOLD;

	/* Who counts events says from which one on, when Hello has said whose they are. */
	return GREET_HELLO | hold | GREET_STATE | (en->watch.told ? 0 : GREET_EVENTS);
}

/* Somebody who waits for the answers to the greeting. */
struct waiter {
	struct waiter *prev, *next;
	struct waiter **list; /* NULL: he does not wait */
	void (*ready)(struct waiter *w, int r, const struct err *e);
};

struct link {
	struct ttrpc_client client; /* first */
	struct engine *engine;
	struct task *task; /* with a reference; NULL: the connection is closed */
	unsigned due; /* answers to the greeting */
	unsigned greeted; /* GREET_: what was said */
	int result; /* of the greeting; < 0: some answer was `why` */
	struct err *why;
	struct waiter *waiters;
	bool polling; /* for events */
	uint64_t polled; /* after which one; 0, too: after Hello's */
	int64_t polled_ms; /* since when */
	int pidfd; /* -1 */
	struct source process, again;
};

/* Connects, unless it is. -ENOENT, -ECONNREFUSED: there is no shim; -EAGAIN: it
 * does not accept. Never waits. */
int link_open(struct task *t, struct err *e);
/* Says what has not been said; a state is asked for again. ERR_LOST: no connection. */
int link_greet(struct task *t, unsigned what, const Berth__Shim__V1__HoldRequest *request, struct err *e);
/* `ready` will be called, from the loop, unless waiter_leave() comes first. */
void link_wait(struct task *t, struct waiter *w);
void waiter_leave(struct waiter *w);
/* ERR_LOST: there is no connection any more. */
int link_call(struct task *t, const char *method, const ProtobufCMessage *m, uint32_t timeout_ms,
	      void (*done)(void *ctx, int r, struct ttrpc_answer *a, const struct err *e), void *ctx, struct err *e);
void link_use(struct task *t);
/* Closed when nobody uses it and the task is not watched. */
void link_unuse(struct task *t);
void link_close(struct link *l);
/* Takes the events that have arrived; true: there may be some on their way. */
bool link_drain(struct task *t);
/* The process that serves, as the kernel knows it; 0: it does not. */
pid_t link_peer(const struct link *l);
/* Asks for events from now on; a greeting with hello has been answered. */
void link_poll(struct task *t);
/* Does so some time from now. */
void link_poll_later(struct link *l, uint32_t ms);
/* The task is deleted; its shim may stay, with others. */
void link_leave_soon(struct link *l);
/* The shim's process, if it is held. */
int link_dup_pidfd(const struct task *t);

/* ---- watch: task.c ---------------------------------------------------------- */

void task_watch(struct task *t);
/* It is over: `gone` is called if anybody watched. */
void task_gone(struct task *t, bool lost);

/* ---- ending.c --------------------------------------------------------------- */

/* The connection to its shim has ended, or the shim's process. Takes the pidfd. */
void ending_begin(struct task *t, int pidfd);
void ending_free(struct ending *x);

/* ---- cleanup.c -------------------------------------------------------------- */

enum cleanup_result {
	CLEANUP_DONE, /* nothing is left */
	CLEANUP_NOTHING, /* nothing was there, or somebody else has done it */
	CLEANUP_BUSY, /* somebody else is at it, and takes his time */
	CLEANUP_ALIVE, /* its shim lives after all */
	CLEANUP_FAILED, /* and the bundle stays, for who debugs it */
};

enum { /* what else there may be to do */
	CLEANUP_ORPHAN = 1, /* a shim without the task: told to end */
	CLEANUP_KILL = 2, /* a shim of ours that is to end now */
	CLEANUP_QUIET = 4, /* a create that is undone: not worth a line in the log */
};

struct cleanup {
	struct cleanup *prev, *next;
	struct engine *engine;
	struct task *task; /* with a reference */
	unsigned flags;
	struct bundle bundle;
	struct child child;
	struct waiter hosted; /* for the end of its connection */
	bool again_once; /* its `delete` was killed, and has been begun anew */
	bool counted, queued; /* its `delete` runs; has to wait, since many do */
	int pidfd; /* of a shim that is to end first; -1 */
	struct source again, process;
	uint64_t until; /* CLOCK_MONOTONIC, ms */
	uint32_t pause;
	struct err why;
	Containerd__Task__V2__DeleteResponse *answer; /* how the task ended; NULL: nobody knows */
	void (*done)(struct cleanup *c, enum cleanup_result result);
	void *ctx;
};

/* `b` is taken; NULL, or not locked: the lock is taken first. The pidfd too, or
 * -1. NULL: out of memory. `done` is called from the loop, once; then it is freed. */
struct cleanup *cleanup_begin(struct task *t, unsigned flags, struct bundle *b, int pidfd,
			      void (*done)(struct cleanup *c, enum cleanup_result result), void *ctx);
/* Nobody wants to know any more. */
void cleanup_forget(struct cleanup *c);
void cleanups_free(struct engine *en);

/* ---- shim.c: its two commands, and where it keeps what ------------------------ */

struct shim_order {
	const char *namespace, *id;
	const char *bundle; /* path */
	int directory; /* the same, locked: the command keeps the lock */
	const ProtobufCMessage *options; /* of `start` */
	const struct foreign *foreign; /* NULL: it is ours; else with these options: */
	const Google__Protobuf__Any *any;
	uint32_t timeout_ms;
};

/* Writes shim.json into the bundle, for both commands. */
int shim_write_settings(const struct engine *en, int bundle, struct err *e);
int shim_command_start(struct engine *en, struct child *c, const struct shim_order *o, struct err *e);
int shim_command_delete(struct engine *en, struct child *c, const struct shim_order *o, struct err *e);
/* A program by its name; NULL: it is not there. */
const char *shim_find_program(struct arena *a, const char *name, bool beside_us);
/* Whether the task's shim stays after Shutdown, since it has others. */
bool shim_stays(const struct task *t);
/* Whether its socket is still there: one that is to end removes it first. */
bool shim_listens(const char *address);
/* That of a shim that has ended. */
void shim_remove_socket(const char *address);

/* ---- delete.c --------------------------------------------------------------- */

/* The shim has ended; the task's last events have been told. */
void deletion_shim_ended(struct deletion *d);
void deletion_free(struct deletion *d);
