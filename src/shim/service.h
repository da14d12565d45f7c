/*
 * The task service, containerd.task.v2.Task and v3.Task (the same messages), and
 * berth's own beside it: tables of methods, each with the type of its request
 * and a function that answers now or begins a job that will.
 */
#pragma once

#include "shim.h"

/* What a method gets. `m` is freed after it unless it takes it (m = NULL). */
struct call {
	struct shim *shim;
	struct ttrpc_call *rpc;
	ProtobufCMessage *m;
};

#define SERVICE_METHODS(X)                              \
	X(State, state, state_request)                  \
	X(Create, create, create_task_request)          \
	X(Start, start, start_request)                  \
	X(Delete, delete, delete_request)               \
	X(Pids, pids, pids_request)                     \
	X(Pause, pause, pause_request)                  \
	X(Resume, resume, resume_request)               \
	X(Checkpoint, checkpoint, checkpoint_task_request) \
	X(Kill, kill, kill_request)                     \
	X(Exec, exec, exec_process_request)             \
	X(ResizePty, resize_pty, resize_pty_request)    \
	X(CloseIO, close_io, close_iorequest)           \
	X(Update, update, update_task_request)          \
	X(Wait, wait, wait_request)                     \
	X(Stats, stats, stats_request)                  \
	X(Connect, connect, connect_request)            \
	X(Shutdown, shutdown, shutdown_request)

/* berth.shim.v1.Shim */
#define PRIVATE_METHODS(X)              \
	X(Hello, hello, hello_request)   \
	X(Events, events, events_request) \
	X(Stdio, stdio, stdio_request) \
	X(Properties, properties, properties_request) \
	X(MountAdd, mount_add, mount_add_request) \
	X(MountRemove, mount_remove, mount_remove_request) \
	X(Hold, hold, hold_request) \
	X(Release, release, release_request)

/* calls_task.c, calls_process.c, calls_private.c, calls_mount.c */
#define X(name, function, request) void call_##function(struct call *c);
SERVICE_METHODS(X)
PRIVATE_METHODS(X)
#undef X

/* For ttrpc_server_init(). */
void shim_request(struct ttrpc_call *rpc);

/* ---- for the calls -------------------------------------------------------- */

void call_fail(struct call *c, const struct err *e);
/* What an operation of the runtime said: of unknown kind to clients, who take
 * others for an answer about the task. */
void runtime_failed(struct err *e, const char *operation);
/* An answer of nothing; NULL: nobody waits. */
void call_empty(struct ttrpc_call *rpc);
/* That, or the error when r < 0. */
void call_end(struct ttrpc_call *rpc, int r, const struct err *e);
/* The task, or the process, that a request names; else the call has failed. */
struct task *call_task(struct call *c, const char *id);
struct process *call_process(struct call *c, const char *id, const char *exec_id);
