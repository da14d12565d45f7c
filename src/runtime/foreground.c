/* Waiting for a process in the foreground: signals, its terminal, its end. */
#include "foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "loop.h"
#include "proc.h"
#include "spec.h"
#include "sys.h"

enum { NO_ROOM_MS = 10, LAST_WORDS = 1 << 20 };

struct waiting {
	struct foreground *f;
	int pidfd;
	pid_t pid;
	struct loop loop;
	struct source exit_src, signal_src, input_src, master_src;
	/* typed, and not yet taken by the terminal */
	char input[4096];
	size_t input_len;
	int out; /* our standard output */
	bool ending; /* we were told to, and wait for nobody to take our output */
	bool input_is_file; /* cannot be polled: read whenever there is room */
};
#define waiting_of(s, member) \
	((struct waiting *)(void *)((char *)(s) - offsetof(struct waiting, member)))

/* Of the first of our standard fds that is a terminal. */
static int own_size(uint16_t *rows, uint16_t *cols)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (term_get_size(fd, rows, cols) == 0)
			return 0;
	return -ENOTTY;
}

static void copy_size(const struct foreground *f)
{
	uint16_t rows, cols;

	if (own_size(&rows, &cols) == 0)
		term_set_size(f->master, rows, cols);
}

void foreground_size(struct spec_process *p)
{
	if (p && p->terminal && !p->has_console_size &&
	    own_size(&p->console_height, &p->console_width) == 0)
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

/* Whoever reads this may stop reading: signals are still forwarded then, and
 * one that comes when the process is gone is for us to end: what can be written
 * still is, but nothing is waited for (-ESRCH). What a pipe says it has room for
 * is PIPE_BUF, so a write does not block; a terminal may have room for one byte,
 * so ours is one that does not block. */
static int write_out(struct waiting *w, const char *p, size_t len)
{
	while (len) {
		struct pollfd fds[] = { { .fd = w->out, .events = POLLOUT },
					{ .fd = w->f->signals, .events = POLLIN } };
		ssize_t n = sys_poll(fds, 2, w->ending ? 0 : -1);

		if (n >= 0 && fds[1].revents)
			n = take_signal(w);
		w->ending = w->ending || n == -ESRCH;
		if (n < 0 && n != -EINTR && n != -ESRCH)
			return (int)n;
		n = fds[0].revents ? sys_write(w->out, p, len < PIPE_BUF ? len : PIPE_BUF) : -EAGAIN;
		if (n == -EAGAIN && w->ending)
			return -ESRCH;
		if (n == -EAGAIN && fds[0].revents) /* room, but not for what comes next */
			sys_poll(&fds[1], 1, NO_ROOM_MS);
		if (n < 0 && n != -EINTR && n != -EAGAIN)
			return (int)n;
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Output of the process to ours. 0: no more for now, -EIO: nobody holds the
 * terminal any longer. Bytes that nobody reads are dropped, so that the
 * process does not hang. Once told to end, not for ever: others may still write. */
static int copy_output(struct waiting *w, bool all)
{
	char buf[8192];
	size_t rest = LAST_WORDS;

	do {
		ssize_t n = sys_read(w->f->master, buf, sizeof buf);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -EIO;
		if (write_out(w, buf, (size_t)n) == -ESRCH)
			return -ESRCH;
		if (w->ending)
			rest -= (size_t)n < rest ? (size_t)n : rest;
	} while (all && rest);
	return 0;
}

static int write_input(struct waiting *w)
{
	while (w->input_len) {
		ssize_t n = sys_write(w->f->master, w->input, w->input_len);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		w->input_len -= (size_t)n;
		memmove(w->input, w->input + n, w->input_len);
	}
	return 0;
}

/* Asks for input only while there is room, for room only while there is input. */
static void watch_terminal(struct waiting *w)
{
	uint32_t want = EPOLLIN;

	if (w->input_len || w->input_is_file)
		want |= EPOLLOUT;
	if (w->master_src.loop)
		source_change(&w->master_src, want);
	if (w->input_src.loop)
		source_change(&w->input_src, w->input_len ? 0 : EPOLLIN);
}

static void take_input(struct waiting *w)
{
	ssize_t n = sys_read(STDIN_FILENO, w->input, sizeof w->input);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0) { /* end of input: the process keeps its terminal */
		source_remove(&w->input_src);
		w->input_is_file = false;
		return;
	}
	w->input_len = (size_t)n;
}

static int on_input(struct source *s, uint32_t events)
{
	struct waiting *w = waiting_of(s, input_src);

	if (!w->input_len)
		take_input(w);
	write_input(w);
	watch_terminal(w);
	return 0;
}

static int on_master(struct source *s, uint32_t events)
{
	struct waiting *w = waiting_of(s, master_src);

	if (events & EPOLLOUT) {
		if (!w->input_len && w->input_is_file)
			take_input(w);
		write_input(w);
		watch_terminal(w);
	}
	/* nobody has the other side open: it may be opened again, but a hang-up
	 * that is polled for would spin */
	if ((events & (EPOLLIN | EPOLLHUP)) && copy_output(w, false) < 0)
		source_remove(s);
	return 0;
}

static int begin_terminal(struct waiting *w, struct err *e)
{
	int flags, r;

	flags = sys_fcntl(w->f->master, F_GETFL, 0);
	r = flags < 0 ? flags : sys_fcntl(w->f->master, F_SETFL, flags | O_NONBLOCK);
	if (r < 0)
		return err_sys(e, r, "use the terminal");
	r = term_raw(&w->f->own, STDIN_FILENO);
	if (r < 0)
		return err_sys(e, r, "set the terminal to raw mode");
	r = source_fd(&w->master_src, &w->loop, w->f->master, EPOLLIN, on_master);
	if (r < 0)
		return err_sys(e, r, "watch the terminal");
	r = source_fd(&w->input_src, &w->loop, STDIN_FILENO, EPOLLIN, on_input);
	if (r == -EPERM) { /* a file, or /dev/null */
		w->input_is_file = true;
		watch_terminal(w);
		r = 0;
	}
	return r < 0 ? err_sys(e, r, "watch the standard input") : 0;
}

int foreground_wait(struct foreground *f, int pidfd, pid_t pid, struct err *e)
{
	OWN_FD own = term_open_again(STDOUT_FILENO);
	struct waiting w = { .f = f, .pidfd = pidfd, .pid = pid, .out = own >= 0 ? own : STDOUT_FILENO };
	int r;

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
			copy_output(&w, true); /* what was written before the end */
	}
	loop_done(&w.loop);
	term_restore(&f->own);
	return r;
}
