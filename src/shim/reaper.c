/*
 * Orphans: the shim is the parent of what containers leave behind. Known
 * processes and helpers have pidfds, and are reaped by those who know them. A
 * zombie that nobody knows yet may be the process that a helper is just making:
 * as long as one is at work, strangers wait.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "helper.h"
#include "shim.h"
#include "sys.h"

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

void reaper_look(struct shim *s)
{
	siginfo_t si;

	while (!s->n_jobs) {
		si.si_pid = 0;
		if (sys_waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || !si.si_pid)
			return;
		if (is_known(s, si.si_pid)) /* its own source is about to fire, and looks again */
			return;
		sys_waitid(P_PID, si.si_pid, &si, WEXITED | WNOHANG | __WALL);
		for (struct task *t = s->tasks; t; t = t->next)
			task_tell_init(t); /* whoever's it was: a helper that was killed leaves such */
	}
}

static int on_signal(struct source *src, uint32_t events)
{
	struct shim *s = (struct shim *)((char *)src - offsetof(struct shim, signal));
	struct signalfd_siginfo si;

	while (loop_take_signal(s->signals, &si) > 0)
		;
	reaper_look(s);
	return 0;
}

int reaper_start(struct shim *s, struct err *e)
{
	static const int ignored[] = HELPER_IGNORED;
	sigset_t mask;
	int r;

	sys_default_signals(); /* it unblocks all, and the signalfd needs this one blocked */
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	r = sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	if (r >= 0)
		s->signals = r = loop_signalfd(&mask);
	if (r >= 0)
		r = source_fd(&s->signal, &s->loop, s->signals, EPOLLIN, on_signal);
	return r < 0 ? err_sys(e, r, "watch for orphans") : 0;
}
