/*
 * Carries out a plan: makes the process (clone3, through a stage where
 * namespaces have to be entered first), drives the handshake
 * (init/handshake.h), and undoes on failure. The new process is the caller's
 * child.
 *
 *	launch_init(&l, a, plan);
 *	l.cg = &cg;
 *	r = launch_create(&l, e);	// up to CREATED
 *	r = launch_start(&l, e);	// run, exec; or launch_detach() for create
 *	launch_done(&l);		// kills and reaps what was not started or detached
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "handshake.h"

struct arena;
struct cgroup;
struct err;
struct plan;

struct launch {
	/* the caller's, borrowed */
	struct arena *a;
	const struct plan *plan;
	const struct cgroup *cg; /* NULL: none */
	int start; /* listening start socket; -1 */
	int console; /* connected console socket; -1 */
	int target; /* exec: pidfd of the container's first process; -1 */
	int target_ns; /* exec: CLONE_NEW* */
	bool hide; /* exec: the container may trace what enters it */
	int target_root; /* exec without a mount namespace to join: its root, O_PATH; -1 */
	/* Called at MOUNTED and STARTING, if the plan stops there. */
	int (*on_stop)(struct launch *l, enum hs_phase where, struct err *e);
	/* Called with the seccomp listener's fd (borrowed). */
	int (*on_listener)(struct launch *l, int fd, struct err *e);
	void *ctx;
	int deadline_ms; /* between two messages; -1: none; 0: nothing is waited for */

	/* made here */
	struct init_fds fds;
	int proc; /* /proc of the host */
	int sync; /* our end of the handshake */
	pid_t pid; /* 0: none yet */
	int pidfd;
	pid_t stage; /* 0: none, or reaped */
	int stage_signal; /* that killed it; 0: none */
	int stage_pidfd;
	enum hs_phase phase; /* where the child is */
	bool kept; /* started or detached: launch_done leaves the process alone */
};

void launch_init(struct launch *l, struct arena *a, const struct plan *plan);
int launch_create(struct launch *l, struct err *e);
/* The same in two steps: this, and launch_drive() to HS_CREATED. */
int launch_clone(struct launch *l, struct err *e);
int launch_start(struct launch *l, struct err *e);
int launch_detach(struct launch *l, struct err *e);
/* The same, where the child has no start socket: *ret, our end of the handshake, is
 * what it waits on from now. */
int launch_hold(struct launch *l, int *ret, struct err *e);
void launch_done(struct launch *l);

/* Follows the child until it reports `until`; HS_NONE: until it executes. */
int launch_drive(struct launch *l, enum hs_phase until, struct err *e);

/* `start` in another process: `sync` is the connection to the start socket. */
int launch_resume(struct launch *l, int sync, pid_t pid, int pidfd, struct err *e);

/* mountfd.c: a child that dies with us at the latest; an idle one does nothing. */
pid_t clone_helper(uint64_t flags, int *ret_pidfd);
pid_t clone_idle(uint64_t flags, int *ret_pidfd);

/* idmap.c: writes the id maps of a new user namespace, directly or with
 * newuidmap and newgidmap. */
int idmap_write(const struct plan *p, int proc, pid_t pid, struct err *e);

/* mountfd.c: opens what only the caller may open: the sources of binds and the
 * root file system as detached mounts, id-mapped where asked for. Fills
 * l->fds.step. */
int mountfd_prepare(struct launch *l, struct err *e);
void mountfd_done(struct launch *l);
