/*
 * Orphans: the shim, or a daemon that hosts some, is the parent of what containers
 * leave behind. Known processes and helpers have pidfds, and are reaped by those who
 * know them. A zombie that nobody knows yet may be what a helper has just made: then
 * it waits (strangers_wait()).
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "job.h"
#include "proc.h"
#include "shim.h"
#include "sys.h"

enum { AGAIN_MS = 10 };

static bool is_known(const struct shim *s, pid_t pid)
{
	for (const struct task *t = s->tasks; t; t = t->next) {
		if (t->init.pid == pid && t->init.pidfd >= 0)
			return true;
		for (const struct process *p = t->execs; p; p = p->next)
			if (p->pid == pid && p->pidfd >= 0)
				return true;
	}
	return false;
}

static bool any_knows(const struct reaper *r, pid_t pid)
{
	for (const struct shim *s = r->shims; s; s = s->next)
		if (is_known(s, pid))
			return true;
	return false;
}

/*
 * What a helper has made may be among the strangers. A fork's becomes our child
 * while it is at work; one that is executed keeps it until its own end (helper_be()),
 * and what is then told of it is about to come.
 */
static bool strangers_wait(const struct shim *s)
{
	if (!s->binary)
		return s->n_jobs;
	for (const struct task *t = s->tasks; t; t = t->next)
		for (const struct job *j = t->jobs; j; j = j->next)
			if (j->helper.pidfd >= 0 && proc_wait(j->helper.pidfd, 0) >= 0)
				return true;
	return false;
}

static bool any_waits(const struct reaper *r)
{
	for (const struct shim *s = r->shims; s; s = s->next)
		if (strangers_wait(s))
			return true;
	return false;
}

static void tell_inits(const struct reaper *r)
{
	for (const struct shim *s = r->shims; s; s = s->next)
		for (struct task *t = s->tasks; t; t = t->next)
			task_tell_init(t); /* whoever's it was: a helper that was killed leaves such */
}

static int on_again(struct source *src, uint32_t events)
{
	reaper_look((struct reaper *)((char *)src - offsetof(struct reaper, again)));
	return 0;
}

void reaper_look(struct reaper *r)
{
	siginfo_t si;

	for (;;) {
		si.si_pid = 0;
		if (sys_waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || !si.si_pid)
			return;
		/* after it was seen: the source of either is about to fire, and looks again */
		if (any_knows(r, si.si_pid) || any_waits(r))
			return;
		if (r->is_other && r->is_other(si.si_pid)) {
			if (!r->again.loop)
				source_timer(&r->again, r->loop, AGAIN_MS, on_again);
			return;
		}
		sys_waitid(P_PID, si.si_pid, &si, WEXITED | WNOHANG | __WALL);
		tell_inits(r);
	}
}

static int on_signal(struct source *src, uint32_t events)
{
	struct reaper *r = (struct reaper *)((char *)src - offsetof(struct reaper, signal));
	struct signalfd_siginfo si;

	while (loop_take_signal(r->signals, &si) > 0)
		;
	reaper_look(r);
	return 0;
}

int reaper_start(struct reaper *rp, struct loop *l, struct err *e)
{
	sigset_t mask;
	int r;

	rp->loop = l;
	rp->signals = -1;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	r = sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	if (r >= 0)
		rp->signals = r = loop_signalfd(&mask);
	if (r >= 0)
		r = source_fd(&rp->signal, l, rp->signals, EPOLLIN, on_signal);
	return r < 0 ? err_sys(e, r, "watch for orphans") : 0;
}

void reaper_end(struct reaper *r)
{
	source_remove(&r->signal);
	source_remove(&r->again);
	source_remove(&r->turn);
	fd_closep(&r->signals);
}

void reaper_add(struct reaper *r, struct shim *s)
{
	s->reaper = r;
	s->next = r->shims;
	r->shims = s;
}

void reaper_leave(struct shim *s)
{
	struct shim **at = &s->reaper->shims;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}
