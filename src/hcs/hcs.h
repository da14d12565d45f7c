/*
 * The library inside: what its files share. There is one `struct library`, made
 * at the first call, and one mutex: whatever a function here touches, it touches
 * with the mutex held, except where it says otherwise. The engine and its loop are
 * single-threaded; they run below the mutex, on whichever thread drives
 * (dispatch.c). Callbacks of the program run without it.
 *
 *	operation.c   an operation: what is told of a call
 *	request.c     a call that goes on in the engine; knows the operation it
 *	              answers, as long as somebody wants that answer
 *	system.c      a system, as all its handles see it
 *	process.c     the same of a process
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <berth/computecore.h>

#include "engine.h"
#include "err.h"
#include "handles.h"
#include "loop.h"
#include "mem.h"
#include "meta.h"
#include "states.h"
#include "timeouts.h"

/* What the library exports. */
#define API __attribute__((visibility("default")))

struct library;
struct log_entry;
struct notice;
struct operation;
struct process;
struct request;
struct system;

enum { NS_PER_MS = 1000000 };

/* ---- callbacks of the program (dispatch.c) --------------------------------- */

struct callback {
	HCS_EVENT_CALLBACK fn; /* NULL: none */
	void *context;
	HCS_EVENT_OPTIONS options;
};

/* What a handle has to be told, once each. */
enum tell { TELL_EXIT = 1, TELL_DISCONNECT = 2 };

/* A handle of a system or a process: what they have in common. */
struct watcher {
	struct obj obj; /* first */
	struct callback cb;
	unsigned told; /* enum tell: was told, or waits for its turn */
	struct operation *ops; /* begun with this handle: in progress, or nobody has their result */
	int fd; /* eventfd, or pidfd; -1: nobody asked */
};

struct system_handle {
	struct watcher w; /* first */
	struct system *sys;
	struct system_handle *next;
};

struct process_handle {
	struct watcher w; /* first */
	struct process *proc;
	struct process_handle *next;
};

/* ---- operations (operation.c) ----------------------------------------------- */

enum op_state { OP_NEW, OP_PENDING, OP_DONE };

struct operation {
	struct obj obj; /* first */
	uint64_t id;
	const char *call; /* the function's name; static */
	HCS_OPERATION_TYPE type;
	enum op_state state;
	bool slow; /* that was said */
	void *context;
	HCS_OPERATION_COMPLETION fn; /* with `context` */
	HCS_EVENT_CALLBACK event_fn; /* instead of `fn` */
	HCS_OPERATION_OPTIONS event_types;
	bool told; /* its completion, by a callback or by its result */
	struct watcher *on; /* whose list it is in; NULL: none */
	struct operation *next;
	HCS_SYSTEM system;
	HCS_PROCESS process;
	char *system_id, *system_ns; /* for words; NULL: none */
	uint32_t pid;
	struct request *rq; /* while it goes on */
	struct operation *pending_next; /* in lib.pending */
	HRESULT hr;
	char *doc; /* NULL: none */
	bool has_info;
	HCS_PROCESS_INFORMATION info;
	struct timespec began, ended; /* CLOCK_REALTIME */
	int64_t began_ms, ended_ms, queued_ms; /* the latter: how long it queued */
	const char *phase; /* static; the last one seen */
	int64_t phase_ms;
	int resource[3]; /* HcsAddResourceToOperation(); -1: none, or the call's by now */
	int fd; /* eventfd; -1: nobody asked */
};

/* Completes it: callbacks, those who wait. `doc` is taken. */
void op_complete(struct operation *op, HRESULT hr, char *doc);
/* The same of a call that failed before it began: nobody is told. */
void op_refuse(struct operation *op, HRESULT hr, char *doc);
/* A timer for the oldest that takes long and was not told of; the first operation is
 * begun before there is a loop. */
void operations_watch(void);
/* The handle that it was begun with is closed. */
void op_orphan(struct operation *op);
/* Where it has got to. */
void op_phase(struct operation *op, const char *phase);
void op_tell(struct operation *op);
void op_begin(struct operation *op, HCS_OPERATION_TYPE type, const char *call);
void op_attach(struct operation *op, struct watcher *w);
void op_detach(struct operation *op);
int op_set_system(struct operation *op, const char *ns, const char *id);
bool op_is_queued(HCS_OPERATION operation); /* takes the lock itself */
char *op_describe(const struct operation *op); /* OperationInfo; malloc'ed, or NULL */
struct jw;
void op_write(struct jw *w, const struct operation *op);

/* ---- calls (call.c) ------------------------------------------------------------ */

/* One call of an exported function, on its caller's stack. */
struct call {
	const char *name;
	int64_t began_us;
	struct operation *op; /* claimed by it; or NULL */
	struct system_handle *sh; /* a reference to the handle it is about, or NULL */
	struct process_handle *ph;
	struct system *sys; /* of one of these */
	struct process *proc;
	const char *id; /* where there is no handle */
	const char *doc; /* the document; may be NULL */
	bool force; /* of its options */
	int signal; /* the same; 0: the system's stop signal */
	struct err e; /* what is wrong, when it fails */
	char *report; /* a ResultError that says more; taken; or NULL */
};

/* Every exported function begins and ends with these two; between them the lock
 * is held. begin fails: nothing is to be undone, nothing else may be done. end
 * returns `hr`. */
HRESULT call_begin(struct call *c, const char *name);
HRESULT call_end(struct call *c, HRESULT hr);

/* They set the members; S_OK, or the call's failure. */
HRESULT call_system(struct call *c, HCS_SYSTEM system);
HRESULT call_process(struct call *c, HCS_PROCESS process);
HRESULT call_claim(struct call *c, HCS_OPERATION operation, HCS_OPERATION_TYPE type);
/* The library is needed, not only its handles. */
HRESULT call_ready(struct call *c);

/* Sets c->e and returns `hr`. */
HRESULT call_refuse(struct call *c, HRESULT hr, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What c->e says, as a code. */
HRESULT call_failed(struct call *c);
HRESULT call_nomem(struct call *c);

/* That these are failures, for who reads the code without running it. */
#ifdef __clang_analyzer__
#define call_refuse(...) ((void)call_refuse(__VA_ARGS__), E_FAIL)
#define call_failed(c) ((void)call_failed(c), E_FAIL)
#define call_nomem(c) ((void)call_nomem(c), E_OUTOFMEMORY)
#endif

/* ---- driving (dispatch.c) -------------------------------------------------------- */

enum { FOREVER = -1 };

/* With the lock held, which is given up meanwhile: drives until `ready`, which
 * is asked with the lock. `until`: clock_ms(), or FOREVER. */
HRESULT lib_wait(bool (*ready)(void *ctx), void *ctx, int64_t until);
int64_t lib_deadline(uint32_t timeout_ms);
/* Something that somebody may wait for has changed. */
void lib_changed(void);
/* Waits for that, with the lock, which is given up meanwhile. */
void lib_await_change(void);
/* Gives the lock back, and writes the log lines that came up. */
void lib_unlock(void);
void lib_lock(void);
bool lib_in_callback(void); /* this thread is in one */
void lib_raise(int fd); /* makes an eventfd readable; -1: nothing */

struct notice {
	struct notice *next;
	struct obj *to; /* a reference; NULL: the service callback */
	HCS_EVENT_TYPE type;
	char *data;
	struct operation *op; /* a reference, or NULL */
};

/* To be called as soon as some thread drives; -ENOMEM. `data` is copied. */
int notice_add(void *to, HCS_EVENT_TYPE type, const char *data, struct operation *op);
/* Waits until no other thread is in the callback of `o`. */
void obj_drain(struct obj *o);

/* ---- requests (request.c) ----------------------------------------------------------- */

typedef void (*request_next)(struct request *rq, int r, const struct err *e);

struct request {
	struct engine_op eop; /* first */
	request_next next;
	struct operation *op; /* a reference; NULL: nobody wants to know any more */
	struct system *sys; /* references, or NULL */
	struct process *proc;
	struct arena a; /* what it was begun with */
	bool in_engine; /* `eop` is the engine's */
	bool cancelled; /* undo what was done, then end */
	int64_t begun_ms;
	int resource[3]; /* the operation's, which may be closed before they are opened; -1 */
	struct request *link; /* in the queue, or in the list of who waits for an exit */
	struct source timer;
	void (*cancel)(struct request *rq); /* NULL: its end is awaited, and thrown away */
	void (*go)(struct request *rq); /* gate.c */
	bool in_gate, force;
	void *mine; /* of what it is about; in the arena */
};

/* For c->op, c->sys and c->proc. NULL: out of memory, and c->e says so. */
struct request *request_new(struct call *c);
/* A call of the shim; `next` hears of the end. < 0: e says why, nothing was begun. */
int request_call(struct request *rq, const char *method, const ProtobufCMessage *m, request_next next, struct err *e);
/* The end: its operation completes, if there still is one. `doc` is taken. */
void request_end(struct request *rq, HRESULT hr, const struct err *e, char *doc);
/* The call itself fails with `hr` and what c->e says. Returns `hr`. */
HRESULT request_refuse(struct request *rq, struct call *c, HRESULT hr);
/* Its operation does not want to know any more. */
void request_forget(struct request *rq);
/* What can be undone is undone. */
void request_cancel(struct request *rq);
/* One that nobody waits for. NULL: out of memory. */
struct request *request_for(struct system *s, struct process *p);
/* Before another function of the engine than engine_call(); in_engine is the caller's. */
void request_in_engine(struct request *rq, request_next next);
struct engine_task *request_task(const struct request *rq);

/* ---- the library (library.c) ------------------------------------------------------------- */

enum { SYSTEM_BUCKETS = 512 };

struct gate { /* HCSSHIM_MAX_PARALLEL_START */
	unsigned in_progress;
	bool calling; /* those whose turn it is */
	struct request *first, **last;
};

struct service {
	struct callback cb;
	bool busy;
	pthread_t busy_by;
};

struct library {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ready;
	bool in_child; /* of a fork; never unset */
	struct timeouts timeouts;
	struct loop loop;
	struct engine *engine;
	struct handles handles;
	struct system *systems[SYSTEM_BUCKETS];
	struct gate gate;
	struct service service;
	struct operation *pending; /* list of OP_PENDING, for who lists them */
	uint64_t last_operation, last_exec;
	char instance[20]; /* in the names of our execs */
	/* dispatch.c */
	bool driven; /* a thread is in poll */
	uint64_t driven_until; /* clock_ms() */
	unsigned followers; /* threads that wait for it */
	int wake; /* eventfd: ends that poll */
	int told; /* eventfd: there are notices */
	int dispatch; /* epoll of loop and `told`; -1: nobody asked */
	uint64_t work; /* how often there was something to do */
	struct notice *notices, **last_notice;
	bool telling; /* a thread is in a callback */
	pthread_t helper;
	bool has_helper, helper_ends;
	struct log_entry *log, **last_log;
	struct source watcher; /* of operations that take long */
};

extern struct library lib;

/* Made, or an error that says what is wrong with the settings or the host. */
int lib_ready(struct err *e);
/* For tests: everything goes; no handle may be open, no thread inside. */
void lib_end(void);

/* ---- systems (system.c, system_*.c) ------------------------------------------------------- */

struct system {
	unsigned refs; /* handles, requests */
	char *ns, *id;
	struct engine_task *task; /* a reference; NULL: being created, or that failed */
	unsigned watches; /* how often the engine was told to watch it */
	unsigned requests; /* in progress */
	unsigned opening; /* HcsOpen... that will have a handle */
	struct system_meta meta;
	bool in_table;
	bool listed; /* ... and found there by its id */
	struct request *creating, *starting; /* NULL: not in progress */
	bool pausing; /* a request is in progress */
	bool shut, killed; /* asked by us, and it was not refused */
	bool failed; /* was never created */
	bool exited; /* ... and the document is there */
	bool exiting; /* the document is being made */
	bool lost, deleted;
	uint32_t exit_status, exit_signal;
	bool core_dumped, oom;
	struct timespec exited_at;
	char *exit_doc; /* SystemExitStatus */
	int exit_type; /* SCHEMA_EXIT_x */
	struct request *waiting; /* terminates: end with the exit */
	struct system_handle *handles;
	struct process *processes;
	struct system *next; /* in its bucket */
};

struct system *system_find(const char *ns, const char *id);
struct system *system_of(const struct engine_task *t); /* also one that is not found any more */
struct system *system_ref(struct system *s);
void system_unref(struct system *s);
enum sys_state system_state(const struct system *s);
HRESULT system_check(struct call *c, enum sys_call what);
/* Of what the shim refused: that the system has ended meanwhile, if that is why. */
HRESULT system_refused(const struct system *s, const struct err *e);

/* Of handles of both kinds. */
void watcher_close(struct watcher *w);
void watcher_set(struct watcher *w, const struct callback *cb);
HRESULT check_callback_options(struct call *c, HCS_EVENT_OPTIONS options);

/* ---- processes (process.c, process_*.c) ---------------------------------------------------- */

struct process *process_ref(struct process *p);
void process_unref(struct process *p);

struct process {
	unsigned refs;
	struct system *sys; /* a reference */
	char *exec_id; /* "": the system's first */
	uint32_t pid;
	bool ours; /* this library made it, and deletes it */
	bool creating; /* the request that makes it is in progress */
	bool failed; /* was not made */
	bool started; /* its pid is known */
	bool cleaned; /* its exec was deleted in the shim */
	bool exited; /* ... and what follows is known */
	bool exiting;
	bool lost;
	uint32_t exit_status, exit_signal;
	uint64_t oom_before; /* OOM kills of the system when it was started */
	bool core_dumped, oom;
	int fds[3]; /* not given away yet; -1 */
	bool terminal;
	char *exit_doc; /* ProcessStatus */
	struct process_handle *handles;
	struct process *next; /* of its system */
};
