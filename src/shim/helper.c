/* A fork that does one thing; see helper.h. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"
#include "launch.h"
#include "proc.h"
#include "sys.h"

/* What the helper sends at its end, with the fds that it says it has. */
struct message {
	int r;
	pid_t pid;
	bool has_pidfd, has_fd;
	struct err e;
};

/* ---- in the helper -------------------------------------------------------- */

enum { SOCKET = 3 };

/* Only these stay: what else the shim has open is other containers', or clients'. */
static int keep_fds(const int *stdio, int socket)
{
	int null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	int fds[SOCKET + 1] = { null, null, null, socket };

	if (stdio)
		memcpy(fds, stdio, 3 * sizeof *stdio);
	for (int i = 0; i <= SOCKET; i++) { /* out of each other's way */
		fds[i] = sys_fcntl(fds[i], F_DUPFD_CLOEXEC, SOCKET + 1);
		if (fds[i] < 0)
			return fds[i];
	}
	for (int i = 0; i <= SOCKET; i++) {
		int r = sys_dup3(fds[i], i, i == SOCKET ? O_CLOEXEC : 0);

		if (r < 0)
			return r;
	}
	fd_close_from(SOCKET + 1);
	return 0;
}

static _Noreturn void helper_main(const struct helper_job *job, int socket)
{
	struct helper_result ret = { .pidfd = -1, .fd = -1 };
	struct message m = { 0 };
	size_t n = 0;
	sigset_t none;
	int fds[2];

	sys_default_signals();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (keep_fds(job->stdio, socket) < 0)
		_exit(1); /* which says itself that there was no answer */
	m.r = job->work(&ret, job->arg, &m.e);
	m.pid = ret.pid;
	m.has_pidfd = ret.pidfd >= 0;
	m.has_fd = ret.fd >= 0;
	if (m.has_pidfd)
		fds[n++] = ret.pidfd;
	if (m.has_fd)
		fds[n++] = ret.fd;
	_exit(fd_send(SOCKET, &m, sizeof m, fds, n) < 0);
}

/* ---- in the shim ---------------------------------------------------------- */

static int receive(struct helper *h, struct helper_result *ret, struct err *e)
{
	size_t n = 2, at = 0;
	struct message m;
	int fds[2];
	ssize_t r = fd_recv(h->socket, &m, sizeof m, fds, &n);

	if (r == 0)
		return -EPIPE;
	if (r != (ssize_t)sizeof m || n != (size_t)m.has_pidfd + m.has_fd) {
		for (; r > 0 && at < n; at++)
			sys_close(fds[at]);
		return -EPROTO;
	}
	ret->pid = m.pid;
	ret->pidfd = m.has_pidfd ? fds[at++] : -1;
	ret->fd = m.has_fd ? fds[at] : -1;
	if (m.r < 0)
		*e = m.e;
	return m.r < 0 ? m.r : 0;
}

static int on_end(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, end));
	struct helper_result ret = { .pidfd = -1, .fd = -1 };
	struct err e = { 0 };
	int code, r;

	source_remove(&h->end);
	source_remove(&h->deadline);
	code = proc_reap(h->pidfd);
	r = receive(h, &ret, &e);
	if (r == -EPIPE && h->killed)
		r = err_set(&e, ERR_TIMEOUT, -ETIMEDOUT, "the helper was killed as it did not end");
	else if (r < 0 && !e.msg[0])
		r = err_set(&e, ERR_INTERNAL, r, "the helper ended with status %d and no answer", code);
	fd_closep(&h->pidfd);
	fd_closep(&h->socket);
	h->done(h, r, &ret, &e);
	return 0;
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, deadline));

	h->killed = true;
	proc_signal(h->pidfd, SIGKILL);
	return 0;
}

int helper_start(struct helper *h, struct loop *l, const struct helper_job *job,
		 void (*done)(struct helper *h, int r, const struct helper_result *ret, const struct err *e),
		 void *ctx, struct err *e)
{
	OWN_FD theirs = -1;
	int pair[2], r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
	pid_t pid;

	*h = (struct helper){ .socket = -1, .pidfd = -1, .done = done, .ctx = ctx };
	if (r < 0)
		return err_sys(e, r, "make a pair of sockets");
	h->socket = pair[0];
	theirs = pair[1];
	pid = clone_helper(0, &h->pidfd);
	if (pid == 0)
		helper_main(job, theirs);
	r = pid < 0 ? pid : source_fd(&h->end, l, h->pidfd, EPOLLIN, on_end);
	if (r < 0) {
		if (pid > 0)
			proc_end(h->pidfd);
		fd_closep(&h->pidfd);
		fd_closep(&h->socket);
		return err_sys(e, r, "start a helper");
	}
	if (job->deadline_ms)
		source_timer(&h->deadline, l, job->deadline_ms, on_deadline);
	return 0;
}
