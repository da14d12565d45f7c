/*
 * Who holds a task (Hold in api/berth_shim.proto): connections, and what becomes
 * of the task when the last of them has gone. A holding begins with the first
 * Hold of an id, which may be before there is a task, and ends with the task.
 *
 *	h = holding_find(s, id)		// in a Create: the task's, from then on
 *	holding_settle(s, t)		// something has changed: is it time?
 *
 * What nobody holds any more is ended by the same steps as a client would take:
 * SIGKILL if it runs, Delete, and then the bundle is removed. Once begun, that
 * goes on to its end: clients are told that the task is not there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "berth_shim.pb-c.h"
#include "loop.h"

struct err;
struct hold;
struct shim;
struct task;
struct ttrpc_call;
struct ttrpc_peer;
struct ttrpc_server;

struct holding {
	struct holding *next;
	struct shim *shim;
	struct task *task; /* NULL: none yet, or its Create failed */
	char *id, *bundle;
	Berth__Shim__V1__Lifetime lifetime;
	struct hold *holds;
	bool ending; /* nobody holds it, and it goes */
	bool killing; /* a job is at it */
	bool not_killed; /* that has failed */
	struct ttrpc_call *release; /* of whom held it last: waits for the end; NULL */
	struct source again; /* what failed is tried again */
	unsigned failures; /* in a row */
};

/* NULL: nobody ever held it. */
struct holding *holding_find(struct shim *s, const char *id);
/* Hold and Release. The peer is who calls. */
int holding_hold(struct shim *s, const struct ttrpc_peer *peer, const Berth__Shim__V1__HoldRequest *q,
		 Berth__Shim__V1__HoldResponse *ret, struct err *e);
void holding_release(struct shim *s, struct ttrpc_call *call, const char *id);
/* For struct ttrpc_server. */
void holding_left(struct ttrpc_server *server, const struct ttrpc_peer *peer);
unsigned holding_count(const struct holding *h); /* of connections; NULL: 0 */

/* All holds are over. */
void holding_free(struct holding *h);

/* The task's state may have changed, or a job has ended; it may be freed
 * already. Begins what is to be done if it is held by nobody. */
void holding_settle(struct shim *s, const struct task *t);
/* The task is about to be freed: Delete has done it, or Create has failed. */
void holding_lost(struct task *t);
/* Its deletion, which nobody asked for, is over: the task is ours to free; or it
 * has failed, and the task is there. */
void holding_deleted(struct task *t);
void holding_not_deleted(struct task *t, const struct err *e);
/* Somebody may still make a task here. */
bool holding_any(const struct shim *s);
