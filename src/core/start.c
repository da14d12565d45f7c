/* start: lets a created container's process go on to its program. */
#include <errno.h>
#include <string.h>

#include "container.h"
#include "container_priv.h"
#include "err.h"
#include "fd.h"
#include "hooks.h"
#include "mem.h"
#include "plan.h"
#include "proc.h"
#include "record.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

enum { KILL_MS = 1000 };

/* A failing poststart hook ends the container, as in runc. */
int run_poststart(const struct spec *s, const struct record *rec, struct err *e)
{
	OWN_SB struct sb state = SB_INIT;
	struct hook_run run = { .hooks = &s->hooks, .target = -1, .cwd = rec->bundle };

	if (!run.hooks->n[HOOK_POSTSTART])
		return 0;
	record_state_json(rec, CT_RUNNING, false, NULL, &state);
	if (state.failed)
		return err_sys(e, -ENOMEM, "describe the container to its hooks");
	run.state = state.s;
	return hooks_run(&run, HOOK_POSTSTART, e);
}

/* The program runs: nobody can start it any more, and the record says so. */
static int started(struct container *ct, const struct spec *s, struct err *e)
{
	int r;

	sys_unlinkat(ct->dir, START_SOCKET, 0);
	ct->rec->status = (char *)(uintptr_t)"running";
	r = record_write(ct->dir, ct->rec, e);
	return r < 0 || !s ? r : run_poststart(s, ct->rec, e);
}

int container_start(struct container *ct, struct err *e)
{
	struct plan words = { .id = ct->rec->id }; /* of what can still fail */
	struct stop_ctx stop;
	struct launch l;
	struct spec *s = NULL;
	OWN_FD sock = -1;
	int r = state_check(ct->state, EV_START, e);

	if (r >= 0 && ct->rec->needs_spec)
		r = container_spec(ct, &s, e);
	if (r < 0)
		return r;
	stop = (struct stop_ctx){
		.spec = s,
		.rec = ct->rec,
		.target_ns = s ? container_ns_flags(s) : 0,
	};
	launch_init(&l, ct->core->arena, &words);
	l.on_stop = run_hooks_at;
	l.on_listener = hand_listener_over;
	l.ctx = &stop;
	sock = r = start_socket_connect(ct->dir, e);
	if (r >= 0)
		r = launch_resume(&l, sock, ct->rec->pid, ct->pidfd, e);
	if (r >= 0)
		r = started(ct, s, e);
	/* Once let go it cannot be started again: better stopped than half started. */
	if (r < 0 && l.phase != HS_NONE && proc_signal(ct->pidfd, SIGKILL) >= 0)
		proc_wait(ct->pidfd, KILL_MS);
	return r;
}

int container_let_go(int start, struct err *e)
{
	const struct hs_msg m = { .phase = HS_START };
	int r = fd_send(start, &m, sizeof m, NULL, 0);

	return r < 0 ? err_sys(e, r, "speak to the container's process") : 0;
}

/* The record goes on saying "created": a process that has executed runs all the same. */
int container_let_go_end(int start, const char *id, pid_t pid, int pidfd, struct err *e)
{
	struct plan words = { .id = (char *)(uintptr_t)id };
	struct launch l;

	launch_init(&l, NULL, &words);
	l.deadline_ms = 0;
	l.sync = start;
	l.pid = pid;
	l.pidfd = pidfd;
	l.phase = HS_START;
	return launch_drive(&l, HS_NONE, e);
}
