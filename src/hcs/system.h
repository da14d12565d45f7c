/* A system inside the library: what the files about it share. */
#pragma once

#include "hcs.h"
#include "meta.h"

struct system *system_new(const char *ns, const char *id); /* one reference; NULL: out of memory */
/* It has a task: those who look for the id find it from now on. */
void system_found(struct system *s, struct engine_task *t);
/* Nobody is to find it any more: it is over, or somebody else's by that name. */
void system_unlist(struct system *s);

/* A new handle; NULL: out of memory. */
struct system_handle *system_open(struct system *s, const struct callback *cb);
/* One that nobody has seen yet. */
void system_forget(struct system_handle *h);
/* Tells all its handles what there is to tell. */
void system_tell(struct system *s);
/* It was never created. */
void system_fail(struct system *s);
/* The engine says that the task's shim has ended. */
void system_gone(const struct engine_task *t);
/* Whether the engine has to watch it still. */
void system_settle(struct system *s);

/* The first process has ended, and so has the system; system_exit.c. */
void system_exit_begin(struct system *s, uint32_t status, const struct timespec *at);
void system_lost(struct system *s);
void system_deleted(struct system *s);
/* Ends with the exit: at once, if that was. */
void system_await_exit(struct system *s, struct request *rq);

/* Start's queue; gate.c. */
void gate_enter(struct request *rq, void (*go)(struct request *rq));
bool gate_leave_queue(struct request *rq); /* it was in the queue */
void gate_done(struct request *rq); /* one that went has ended: the next may go */

/* Kills every process of it, whatever it is doing; nobody is told. */
void system_kill(struct system *s);
/* What may be absent is absent: NULL, "" or "{}". */
HRESULT no_options(struct call *c, const char *options);
