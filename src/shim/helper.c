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
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "sys.h"

/* What the helper sends at its end, with those of the fds that it has. */
enum { FDS = 4 };
struct message {
	int r;
	bool has[FDS];
	struct helper_result ret;
	struct err e;
};

static void fds_of(struct helper_result *ret, int *fds[FDS])
{
	fds[0] = &ret->pidfd;
	fds[1] = &ret->fd;
	fds[2] = &ret->oom;
	fds[3] = &ret->out;
}

/* ---- in the helper -------------------------------------------------------- */

enum { SOCKET = 3, LOG, KEPT };

/* Only these stay: what else the shim has open is other containers', or clients'. */
static int keep_fds(const int *stdio, int socket)
{
	int fds[KEPT] = { -1, -1, -1, socket, STDERR_FILENO }, null = -1;

	if (stdio)
		memcpy(fds, stdio, 3 * sizeof *stdio);
	for (int i = 0; i < KEPT; i++) { /* out of each other's way */
		if (fds[i] >= 0 && fds[i] < KEPT)
			fds[i] = sys_fcntl(fds[i], F_DUPFD_CLOEXEC, KEPT);
		if (fds[i] < 0 && null < 0)
			null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	}
	for (int i = 0; i < KEPT; i++) {
		int r = sys_dup3(fds[i] < 0 ? null : fds[i], i, i >= SOCKET ? O_CLOEXEC : 0);

		if (r < 0)
			return r;
	}
	fd_close_from(KEPT);
	log_to(LOG);
	return 0;
}

static _Noreturn void helper_main(const struct helper_job *job, int socket)
{
	static const int ignored[] = HELPER_IGNORED;
	struct message m = { .ret = HELPER_RESULT };
	int *has[FDS], fds[FDS];
	size_t n = 0;
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) /* the others are as at the shim's start */
		signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (keep_fds(job->stdio, socket) < 0)
		_exit(1); /* which says itself that there was no answer */
	m.r = job->work(&m.ret, job->arg, &m.e);
	m.ret.answered = true;
	fds_of(&m.ret, has);
	for (int i = 0; i < FDS; i++) {
		m.has[i] = *has[i] >= 0;
		if (m.has[i])
			fds[n++] = *has[i];
	}
	_exit(fd_send(SOCKET, &m, sizeof m, fds, n) < 0);
}

/* ---- in the shim ---------------------------------------------------------- */

static int receive(struct helper *h, struct helper_result *ret, struct err *e)
{
	size_t n = FDS, at = 0, want = 0;
	int fds[FDS], *has[FDS];
	struct message m;
	ssize_t r = fd_recv(h->socket, &m, sizeof m, fds, &n);

	if (r == 0)
		return -EPIPE;
	for (int i = 0; r == (ssize_t)sizeof m && i < FDS; i++)
		want += m.has[i];
	if (r != (ssize_t)sizeof m || n != want) {
		for (; r > 0 && at < n; at++)
			sys_close(fds[at]);
		return -EPROTO;
	}
	*ret = m.ret;
	fds_of(ret, has);
	for (int i = 0; i < FDS; i++)
		*has[i] = m.has[i] ? fds[at++] : -1;
	if (m.r < 0)
		*e = m.e;
	return m.r < 0 ? m.r : 0;
}

static int on_end(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, end));
	struct helper_result ret = HELPER_RESULT;
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
		 void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e),
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
