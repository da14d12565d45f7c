/* Waiting for a process in the foreground: signals, its terminal, its end. */
#include "foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "carry.h"
#include "err.h"
#include "fd.h"
#include "loop.h"
#include "proc.h"
#include "spec.h"
#include "sys.h"

struct waiting {
	struct foreground *f;
	int pidfd;
	pid_t pid;
	struct loop loop;
	struct source exit_src, signal_src;
	struct carry carry;
};
#define waiting_of(s, member) \
	((struct waiting *)(void *)((char *)(s) - offsetof(struct waiting, member)))

static void copy_size(const struct foreground *f)
{
	uint16_t rows, cols;

	if (term_own_size(&rows, &cols) == 0)
		term_set_size(f->master, rows, cols);
}

void foreground_size(struct spec_process *p)
{
	if (p && p->terminal && !p->has_console_size &&
	    term_own_size(&p->console_height, &p->console_width) == 0)
		p->has_console_size = true;
}

int foreground_begin(struct foreground *f, struct err *e)
{
	sigset_t mask;

	memset(&mask, 0xff, sizeof mask); /* sigfillset leaves out what the C library has a use for */
	/* these come from the kernel about ourselves */
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGTRAP);
	sigdelset(&mask, SIGSYS);
	f->signals = loop_signalfd(&mask);
	if (f->signals < 0)
		return err_sys(e, f->signals, "receive signals");
	return 0;
}

void foreground_done(struct foreground *f)
{
	term_restore(&f->own);
	sys_close(f->signals);
	sys_close(f->master);
	*f = (struct foreground)FOREGROUND_INIT;
}

/* ---- signals and the end -------------------------------------------------- */

/* They end nothing: timeout(1) sends one after the other. */
static bool stops_or_continues(int sig)
{
	return sig == SIGCONT || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* -ESRCH: it was to end the process, which is gone. */
static int take_signal(struct waiting *w)
{
	struct signalfd_siginfo si;
	int r = loop_take_signal(w->f->signals, &si);

	if (r <= 0)
		return r;
	switch (si.ssi_signo) {
	case SIGCHLD:
		proc_reap_others(w->pid);
		return 0;
	case SIGWINCH:
		if (w->f->master >= 0)
			copy_size(w->f);
		return 0;
	case SIGURG:
	case SIGPIPE: /* of our own writing */
		return 0;
	}
	if (proc_wait(w->pidfd, 0) == 0)
		return stops_or_continues((int)si.ssi_signo) ? 0 : -ESRCH;
	return proc_signal(w->pidfd, (int)si.ssi_signo);
}

static int on_signal(struct source *s, uint32_t events)
{
	int r = take_signal(waiting_of(s, signal_src));

	return r == -ESRCH ? 0 : r;
}

static int on_exit_of_process(struct source *s, uint32_t events)
{
	struct waiting *w = waiting_of(s, exit_src);
	int code = proc_reap(w->pidfd);

	source_remove(s);
	loop_stop(&w->loop, code);
	return 0;
}

/* ---- the terminal --------------------------------------------------------- */

static int hear(struct carry *c)
{
	return take_signal(waiting_of(c, carry));
}

static int begin_terminal(struct waiting *w, struct err *e)
{
	int out, in, r;

	r = term_raw(&w->f->own, STDIN_FILENO);
	if (r < 0)
		return err_sys(e, r, "set the terminal to raw mode");
	out = sys_fcntl(w->f->master, F_DUPFD_CLOEXEC, 3);
	if (out < 0)
		return err_sys(e, out, "use the terminal");
	r = carry_output(&w->carry, out, STDOUT_FILENO, e);
	if (r < 0)
		return r;
	in = sys_fcntl(w->f->master, F_DUPFD_CLOEXEC, 3);
	return in < 0 ? err_sys(e, in, "use the terminal") : carry_input(&w->carry, in, e);
}

int foreground_wait(struct foreground *f, int pidfd, pid_t pid, struct err *e)
{
	struct waiting w = { .f = f, .pidfd = pidfd, .pid = pid };
	int r;

	w.carry = (struct carry){ .loop = &w.loop, .signals = f->signals, .hear = hear, .terminal = true };
	r = loop_init(&w.loop, e);
	if (r < 0)
		return r;
	r = source_fd(&w.exit_src, &w.loop, pidfd, EPOLLIN, on_exit_of_process);
	if (r == 0)
		r = source_fd(&w.signal_src, &w.loop, f->signals, EPOLLIN, on_signal);
	if (r < 0)
		err_sys(e, r, "wait for the process");
	else if (f->master >= 0)
		r = begin_terminal(&w, e);
	if (r == 0) {
		r = loop_run(&w.loop);
		if (r < 0)
			err_sys(e, r, "wait for the process");
		else if (f->master >= 0)
			carry_rest(&w.carry); /* what was written before the end */
	}
	carry_done(&w.carry);
	loop_done(&w.loop);
	term_restore(&f->own);
	return r;
}
