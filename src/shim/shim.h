/*
 * What a shim supervises, all of it in memory: tasks, each with its first
 * process and those that were exec'ed into it. Single-threaded: everything
 * here happens in callbacks of one loop (base/loop.h), and whatever may take
 * time is a job (job.h).
 *
 * Order of effects, always: the life-cycle table is asked, the work is done,
 * the record is written, the event is published, the call is answered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "container.h"
#include "events.h"
#include "helper.h"
#include "life.h"
#include "loop.h"
#include "mem.h"
#include "operation.h"
#include "proc.h"
#include "settings.h"
#include "ttrpc_server.h"

struct deletion;
struct job;
struct holding;
struct mounted;
struct process;
struct stream;
struct subscriber;
struct task;
struct waiter;

enum { STDIN, STDOUT, STDERR, STDIO_COUNT };

typedef void drained_fn(struct process *p);

struct process {
	struct shim *shim;
	struct task *task;
	struct process *next; /* the task's execs */
	char *id; /* "": the task's first */
	char *document; /* exec: what to execute, until it is started */
	size_t document_len;

	enum life_state state;
	bool busy; /* a job is changing it: its end waits for that */
	bool ended; /* reaped; `status` and `at` are known, but nobody has been told */
	bool gone; /* an exec that is being deleted: its id is free again */
	struct deletion *deletion; /* NULL: none in progress */
	pid_t pid; /* 0: none yet; stays after its end */
	int pidfd; /* -1: none, or reaped */
	struct source exit;
	int64_t asked_us; /* when the operation that is in progress began */
	uint64_t create_us, start_us; /* how long they took */
	struct timespec created, started; /* when they were done; all 0: not yet */
	uint32_t status; /* as a shell shows it */
	uint32_t signal; /* that ended it; 0: none */
	bool core_dumped;
	uint64_t oom_kills; /* the task's, by its end */
	struct timespec at;
	uint32_t kill_signal; /* that a client sent last; 0: none */
	bool kill_all; /* to all of the task */
	struct timespec killed;
	struct waiter *waiters;

	char *path[STDIO_COUNT]; /* the client's; "": none */
	bool terminal, input_ended;
	struct stream *streams[STDIO_COUNT]; /* NULL: none, or not the shim's to move */
	int held[STDIO_COUNT]; /* the shim's ends, until a client takes them; -1 */
	int master; /* of the terminal; -1 */
	struct source unread; /* see unread.h */
	struct source drain; /* a deadline; see stdstreams_drain() */
	drained_fn *drained;
};

struct task_options;
struct task {
	struct shim *shim;
	struct task *next;
	char *id, *bundle;
	bool ready; /* created, and not deleted: calls may find it */
	struct job *jobs; /* in flight: it stays until they are done */
	unsigned n_jobs;
	struct runtime runtime;
	uint32_t io_uid, io_gid;
	bool shared_pids; /* its processes outlive the first one */
	bool plain; /* as in struct helper_result */
	bool builtin_init; /* the first one waits to be alone; see task_tell_init() */
	char *cgroup, *memory; /* as in struct helper_result */
	int start; /* container_let_go(); -1: the runtime starts it, or it was */
	struct job *let_go; /* that does it now; NULL: none */
	int oom; /* -1: not watched */
	struct source oom_source, oom_again;
	uint64_t oom_kills; /* told so far */
	struct holding *holding; /* NULL: nobody ever held it */
	struct mounted *mounted; /* by MountAdd (calls_mount.c) */
	struct process init;
	struct process *execs;
};

/* The process that is the tasks' parent: of a shim, or of all that a daemon hosts. */
struct reaper {
	struct loop *loop;
	struct shim *shims;
	unsigned n_helpers; /* that are executed */
	struct job *waiting; /* for one of them to end: job.h */
	struct source turn;
	/* Whether a child is somebody else's in this process, who reaps it himself; NULL: none is. */
	bool (*is_other)(pid_t pid);
	int signals;
	struct source signal, again;
};

struct shim {
	struct loop *loop;
	struct reaper *reaper;
	struct shim *next; /* of the same reaper */
	struct ttrpc_server server;
	struct events events;
	struct settings settings;
	const char *namespace, *socket; /* socket: NULL where it is hosted */
	const char *bundle; /* for which it was started; NULL: unknown */
	const char *binary; /* hosted: the runtime that no name stands for; NULL: it is built in */
	struct core facts; /* of the host: what every request begins with */
	char boot_id[PROC_BOOT_ID];
	char *directory; /* of its own, removed at the end: the journal */
	char *instance; /* of this shim, among all there ever were with its socket */
	struct subscriber *subscribers;
	struct holding *holdings;
	struct task *tasks;
	struct helper_spare spare; /* for the first Create, if it comes soon */
	unsigned n_jobs;
	struct source stop, idle, unused;
	bool stopping;
	/* Nothing is left to do, and all events are told: from the loop; may free the shim. */
	void (*ended)(struct shim *s);
};

/* ---- task.c --------------------------------------------------------------- */

/* A new one is in the list and not ready. NULL: out of memory. */
struct task *task_new(struct shim *s, const char *id, const char *bundle);
void task_free(struct task *t);
/* Those that are ready, and any, by id. */
struct task *task_find(struct shim *s, const char *id);
struct task *task_find_any(struct shim *s, const char *id);
/* ERR_NOT_FOUND in the words that clients look for. NULL then. */
struct process *process_find(struct task *t, const char *exec_id, struct err *e);

struct process *exec_new(struct task *t, const char *id);
void exec_free(struct process *p);
/* What calls it, as the options have it. */
int task_choose_runtime(struct task *t, const struct task_options *o, struct err *e);

/* An exec that runs, or that a job is starting. */
bool task_has_live_execs(const struct task *t);

/* A process that may have been in the container has been reaped here, of which
 * the kernel tells a built-in init nothing. */
void task_tell_init(struct task *t);

/* The OOM killer: an event for what is new. */
void task_watch_oom(struct task *t, int fd);
void task_look_for_oom(struct task *t);

/* ---- process.c ------------------------------------------------------------ */

/* It runs, and its end will be noticed; the pidfd is taken. */
int process_watch(struct process *p, pid_t pid, int pidfd);
/* A job of its has ended: tells of an end that had to wait for it. */
void process_settle(struct process *p);
void process_free_members(struct process *p);
int process_signal(struct process *p, int sig, struct err *e);
/* Somebody wants it to get this signal. */
void process_asked(struct process *p, uint32_t sig, bool all);

/* Answers the call when the process has ended. */
void process_wait(struct process *p, struct ttrpc_call *call);

/* SIGCHLD: whoever became our child and is nobody's business is reaped. */
int reaper_start(struct reaper *r, struct loop *l, struct err *e);
void reaper_end(struct reaper *r);
void reaper_look(struct reaper *r);
void reaper_add(struct reaper *r, struct shim *s);
void reaper_leave(struct shim *s);

/* calls_process.c: a process that has stopped (or was never started) is removed;
 * `call` NULL: the task's first, which nobody holds (hold.h). */
int deletion_begin(struct process *p, struct ttrpc_call *call, struct err *e);
/* Without an end. */
void deletion_drop(struct process *p);
/* A deletion that had to wait for this may go on; may free the process. */
void deletion_advance(struct process *p);

/* calls_mount.c: they go with the container. */
void mounted_free(struct task *t);

/* calls_private.c: for struct events. */
void subscribers_tell(struct events *ev);

/* ---- begin.c ---------------------------------------------------------------- */

/* What serves, without anybody who is connected; `journal` and `directory` are there. */
struct shim_parts {
	struct loop *loop;
	struct reaper *reaper;
	const char *namespace;
	const struct settings *settings;
	const struct cgroup_host *cgroup_host; /* NULL: none */
	const char *journal, *events_address;
	bool journal_goes_on; /* is there already */
	int listen_fd; /* -1: who is connected to it comes by ttrpc_server_add() */
};
#define SHIM_EMPTY { .spare = HELPER_SPARE, .events.client.conn.fd = -1 }
int shim_begin(struct shim *s, const struct shim_parts *p, struct err *e);
/* Its processes go on. */
void shim_end(struct shim *s);

/* Nobody is to find it any more; it has ended when nothing is left to do and all
 * events are told. */
void shim_stop(struct shim *s);
/* It has no task: one whose bundle is gone, too, ends soon. */
void shim_look_for_bundle(struct shim *s);
/* Its first Create has come, or it ends. */
void shim_end_spare(struct shim *s);
/* The last task is gone: a daemon that died now would never ask for that. */
void shim_is_idle(struct shim *s);
