/*
 * The engine: tasks in a state directory, each with its shim. The library and
 * the daemon stand on it; it needs neither. Several programs may use one state
 * directory at once: what is true is there and in the shims, and an engine only
 * remembers it.
 *
 * Asynchronous and single-threaded, on the caller's loop (base/loop.h). Whatever
 * takes time is an operation, in the caller's storage:
 *
 *	op->done = on_created;
 *	r = engine_create(en, op, &wanted, e);	// r < 0: refused at once, no `done`
 *	...
 *	static void on_created(struct engine_op *op, int r, const struct err *e)
 *	{
 *		if (r >= 0)
 *			mine->task = engine_task_ref(op->task);
 *	}
 *
 * `done` is called once, from the loop, never from within the call that began
 * the operation, and the storage is the caller's again. Every operation ends:
 * with its answer, at its deadline (ERR_TIMEOUT, with the phase in the words),
 * when the shim is gone (ERR_LOST), or by engine_cancel() (ECANCELED).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <protobuf-c/protobuf-c.h>

#include "json.h"
#include "loop.h"

struct arena;
struct engine;
struct engine_op;
struct engine_task;
struct err;
struct ttrpc_answer;

/* In the state directory: the shims' own, with what those have left that have ended
 * (journal_left.h). */
#define ENGINE_SHIMS ".shims"

/* ---- settings (settings.c; docs/engine.md) -------------------------------- */

struct engine_settings {
	char *state; /* directory: NAMESPACE/ID in it is a task's bundle */
	char *namespace; /* of tasks whose caller names none */
	char *cgroup_parent; /* a task's cgroup is PARENT/NAMESPACE/ID */
	char *shim; /* program: a path, or a name: beside this program, or in PATH */
	char *runtime; /* ""; or an OCI runtime that the shim executes */
	char *runtime_root; /* the latter's, without the namespace */
	bool shim_debug; /* its log goes to our fd 2; a failed clean-up keeps the bundle */
	bool shim_mount_namespace;
	char *shim_cgroup; /* that shims join; "": none */
};

/* /etc/berth/engine.json, or BERTH_CONFIG; then BERTH_STATE, BERTH_NAMESPACE,
 * BERTH_CGROUP_PARENT, BERTH_SHIM, BERTH_RUNTIME. The strings are the arena's. */
int engine_settings_read(struct arena *a, struct engine_settings *ret, struct err *e);

/* For who has the same members in a file of his own, which come last (base/json.h). */
extern const struct json_field engine_settings_fields[];
int engine_settings_check(const struct engine_settings *s, struct err *e);

/* ---- an engine ------------------------------------------------------------ */

struct engine_event {
	const char *namespace, *id, *topic; /* "/tasks/exit" */
	const char *instance; /* of the shim: with the number, the cursor of a client */
	uint64_t number;
	struct timespec at;
	const char *type; /* "containerd.events.TaskExit", and its packed body */
	const uint8_t *body;
	size_t len;
};

struct engine_watch {
	/* In each task's order, once per event; from the loop. The task's `now` says
	 * already what the event says. */
	void (*event)(void *ctx, struct engine_task *t, const struct engine_event *ev);
	/* The shim died, or the task was deleted: no more events of it. `lost`: the
	 * shim died, and what it left has been cleaned up (its exit and delete events
	 * came before this); operations on it have ended. */
	void (*gone)(void *ctx, struct engine_task *t, bool lost);
	void *ctx;
	/* Nothing that is opened lives longer for it, whatever its lifetime. */
	bool looks_on;
	/* Of a task that is opened: how many of its shim's events (by `instance`) have been
	 * told, to an earlier run of the program; those from there to `last` are told now.
	 * NULL: all of them. */
	uint64_t (*told)(void *ctx, struct engine_task *t, const char *instance, uint64_t last);
};

/* Whoever is the tasks' parent himself, in this process, in place of a shim: serves a
 * task's calls at the other end of a connection. */
struct engine_hosted {
	const char *namespace, *id, *bundle;
	const char *instance; /* the same over restarts: the task's events have one count */
	const char *binary; /* the built-in runtime's program, to be executed */
	bool create; /* else it was created before */
};

struct engine_hosting {
	/* The fd; -ECONNREFUSED: there is no such task, and never will be: what is left of it is cleaned up. */
	int (*connect)(void *ctx, const struct engine_hosted *t, struct err *e);
	void *ctx;
};

/* The settings are copied. `w` may be NULL. */
int engine_new(struct engine **ret, struct loop *l, const struct engine_settings *s, const struct engine_watch *w,
	       struct err *e);
/* Not from a callback. Operations that are in progress end now, with ECANCELED. No
 * task ends by this but those that live only as long as they are watched. */
void engine_free(struct engine *en);
/* From now on tasks without a shim may be created and opened; those are nobody else's. */
void engine_host(struct engine *en, const struct engine_hosting *h);
/* A child of this process that some engine of this thread executes, and reaps itself. */
bool engine_has_child(pid_t pid);
/* For what is made from now on; the state directory stays. The settings are copied. */
int engine_set_settings(struct engine *en, const struct engine_settings *s, struct err *e);
const struct engine_settings *engine_settings_of(const struct engine *en);

/* ---- tasks ---------------------------------------------------------------- */

enum engine_status {
	ENGINE_UNKNOWN, /* its shim is silent: it may be anything, and is not touched */
	ENGINE_CREATED,
	ENGINE_RUNNING,
	ENGINE_PAUSED,
	ENGINE_STOPPED,
	ENGINE_GONE, /* deleted, or its shim died */
};

/* What is known; up to date while the task is watched. */
struct engine_state {
	enum engine_status status;
	uint32_t pid; /* of the first process */
	uint32_t exit_status; /* when it has stopped */
	struct timespec exited_at;
};

/* Read only, and only from the loop's thread. */
struct engine_task {
	struct engine *engine;
	char *namespace, *id, *bundle; /* the latter is its directory's path */
	char *record; /* the text that its creator gave: engine_create.record */
	struct engine_state now;
	bool watched;
	/* Of the first process, as its creator gave them; "": none, or not known yet. */
	const char *stdio[3];
	bool terminal;
	uintptr_t user; /* of who watches; 0 at first */
};

struct engine_task *engine_task_ref(struct engine_task *t); /* returns t; keeps it in memory, not alive */
void engine_task_unref(struct engine_task *t);
/* One that is watched; NULL: there is none by that name, or it is not known yet. */
struct engine_task *engine_find(struct engine *en, const char *namespace, const char *id);
/* One that engine_create() is at. */
bool engine_makes(struct engine *en, const char *namespace, const char *id);
/* All that are watched, those of all namespaces when it is NULL. `fn` begins and ends no operation. */
void engine_each(struct engine *en, const char *namespace, void (*fn)(void *ctx, struct engine_task *t), void *ctx);

/* ---- operations ----------------------------------------------------------- */

enum { ENGINE_PHASES_MAX = 8 };
struct engine_phase {
	const char *words; /* static */
	uint64_t us;
};

struct engine_op {
	/* the caller's */
	void (*done)(struct engine_op *op, int r, const struct err *e);
	void *ctx;
	uint32_t timeout_ms; /* 0: the bound of its kind; it ends in any case */

	/* to be looked at while it is in progress */
	const char *phase; /* "start the shim"; static; during `done` that in which it failed */
	struct timespec since; /* CLOCK_MONOTONIC; of the phase */
	struct engine_phase phases[ENGINE_PHASES_MAX]; /* those that are over; during `done` all */
	unsigned n_phases;

	/* the answer, during `done` */
	struct engine_task *task; /* of create and open: borrowed */
	struct engine_task **tasks; /* of list: borrowed, with n_tasks */
	size_t n_tasks;
	uint64_t shim_us; /* of create: what the shim needed of it */
	const uint8_t *payload; /* of call: the packed message, len bytes */
	size_t len;
	int fds[3]; /* that came with it, the caller's from now on; -1: none */

	struct engine_progress *progress; /* the engine's; NULL: not in progress */
};

/* `done` is called, with ECANCELED, from the loop. A create is undone; a call
 * that the shim has is carried out there, and its answer thrown away. */
void engine_cancel(struct engine_op *op);

enum engine_lifetime {
	ENGINE_KEEP, /* until it is deleted */
	ENGINE_CLOSED, /* until it has stopped and no engine watches it */
	ENGINE_TERMINATE, /* killed when no engine watches it any more, then as ENGINE_CLOSED */
};

struct engine_mount {
	const char *type, *source;
	const char *const *options; /* NULL-terminated */
};

/* A shim that is not ours: any program that speaks containerd's protocol, version 2. It
 * has no journal: it forwards its events, which its caller passes to engine_forwarded(). */
struct engine_foreign {
	const char *program; /* a path, or a name in PATH */
	const char *address, *ttrpc_address; /* of who starts it, as it is told */
	const char *options_type; /* what it is to make of them is its own affair; NULL: none */
	const uint8_t *options;
	size_t options_len;
};

/* Copied where the engine needs it after the call. */
struct engine_create {
	const char *namespace; /* NULL: that of the settings */
	const char *id;
	const char *config; /* config.json; its cgroupsPath is added where it has none */
	size_t config_len;
	const struct engine_mount *rootfs; /* mounted over each other on BUNDLE/rootfs */
	size_t n_rootfs;
	const char *stdio[3]; /* as containerd's Create has them; NULL: none; "held://" */
	bool terminal;
	const char *record; /* kept beside config.json, for who opens the task later; NULL: "" */
	enum engine_lifetime lifetime;
	const ProtobufCMessage *options; /* containerd.runc.v1.Options; NULL: by the settings */
	bool hosted; /* no shim: see engine_host(); it is kept */
	const struct engine_foreign *foreign; /* NULL: our shim; then `options` are not looked at, and it is kept */
};

/* An id in use is ERR_EXISTS, and nothing is touched; a failure at any step
 * leaves no shim, mount, cgroup or directory. The task is watched. */
int engine_create(struct engine *en, struct engine_op *op, const struct engine_create *w, struct err *e);

/* Finds one, and watches it: events come, and a lifetime counts it, until
 * engine_task_unwatch(), as often as it was created or opened. ERR_NOT_FOUND. What
 * a dead shim left is cleaned up first. A silent shim: ENGINE_UNKNOWN, no error. */
int engine_open(struct engine *en, struct engine_op *op, const char *namespace, const char *id, struct err *e);
void engine_task_unwatch(struct engine_task *t);

/* Every task with its true state, those of all namespaces when it is NULL; all
 * shims are asked, and what dead ones left is cleaned up. */
int engine_list(struct engine *en, struct engine_op *op, const char *namespace, struct err *e);

/* An event that a foreign shim has forwarded to its ttrpc_address: who watches is told,
 * once, and `now` says so. False: there is no such task that is known and has one;
 * it may have to be opened first. */
bool engine_forwarded(struct engine *en, const struct engine_event *ev);

/* One call of the shim's two services (api/task.proto, api/berth_shim.proto):
 * "Start", "Exec", "MountAdd"; not Create, Delete of the task, or Shutdown. Hold
 * changes the lifetime. Release ends what the watch holds, and answers when what
 * that had to cause is done; engine_task_unwatch() is to follow. */
int engine_call(struct engine_task *t, struct engine_op *op, const char *method, const ProtobufCMessage *m,
		struct err *e);

/* A stopped one, or one that was never started: its shim ends, its directory
 * goes, its id is free when `done` is called. ERR_STATE while it runs. `payload`
 * is a containerd.task.v2.DeleteResponse. */
int engine_delete(struct engine_task *t, struct engine_op *op, struct err *e);
