/* A fork that does one thing; see helper.h. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "file.h"
#include "launch.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "sys.h"

/* What the helper sends at its end, with those of the fds that it has. */
struct message {
	int r;
	bool has[HELPER_FDS];
	struct helper_result ret;
	struct err e;
};

extern char **environ;

enum { END_SOON_MS = 2 };
struct helper_answer {
	int r;
	struct helper_result ret;
	struct err e;
};

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

/* Without the fds, and without what it cannot hand over. */
static int cannot_answer(struct message *m, int socket, int r, const char *what)
{
	if (m->ret.pidfd >= 0)
		proc_signal(m->ret.pidfd, SIGKILL);
	*m = (struct message){ .ret = HELPER_RESULT };
	m->r = err_set(&m->e, ERR_INTERNAL, r, "%s", what);
	return fd_send(socket, m, sizeof *m, NULL, 0);
}

static void be_helper(struct message *m, const int *stdio, int socket)
{
	static const int ignored[] = HELPER_IGNORED;
	sigset_t none;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) /* the others are as at the shim's start */
		signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = keep_fds(stdio, socket);
	if (r < 0)
		_exit(cannot_answer(m, socket, r, "prepare the helper's file descriptors") < 0);
}

static _Noreturn void answer(struct message *m)
{
	int *has[HELPER_FDS], fds[HELPER_FDS], r;
	size_t n = 0;

	m->ret.answered = true;
	helper_result_fds(&m->ret, has);
	for (int i = 0; i < HELPER_FDS; i++) {
		m->has[i] = *has[i] >= 0;
		if (m->has[i])
			fds[n++] = *has[i];
	}
	r = fd_send(SOCKET, m, sizeof *m, fds, n);
	if (r < 0)
		r = cannot_answer(m, SOCKET, r, "send what the helper has done");
	_exit(r < 0);
}

static _Noreturn void helper_main(const struct helper_job *job, int socket)
{
	struct message m = { .ret = HELPER_RESULT };

	be_helper(&m, job->stdio, socket);
	if (job->name)
		sys_prctl(PR_SET_NAME, (unsigned long)job->name, 0, 0);
	m.r = job->work(&m.ret, job->arg, &m.e);
	answer(&m);
}

/* ---- one that waits ------------------------------------------------------- */

enum { STDIO = 3, NAME = 16, ORDER_MAX = 8192, ORDER_FILE_MAX = 32 << 20 };
struct telling {
	pid_t from;
	bool has[STDIO];
	char name[NAME]; /* "": the shim's */
	char order[];
};

/* Ends with the shim, or when that has no use for it. */
static _Noreturn void spare_main(helper_told *work, void (*warm)(const void *ctx), const void *ctx, int socket)
{
	struct message m = { .ret = HELPER_RESULT };
	union {
		struct telling t;
		char space[ORDER_MAX];
	} u;
	int fds[STDIO];
	size_t n = STDIO;
	ssize_t len;

	be_helper(&m, NULL, socket);
	if (warm)
		warm(ctx);
	len = fd_recv(SOCKET, &u, sizeof u, fds, &n);
	if (len < (ssize_t)sizeof u.t)
		_exit(0);
	for (size_t i = 0, at = 0; i < STDIO && at < n; i++) {
		if (!u.t.has[i])
			continue;
		sys_dup3(fds[at], (int)i, 0);
		sys_close(fds[at++]);
	}
	if (*u.t.name)
		sys_prctl(PR_SET_NAME, (unsigned long)u.t.name, 0, 0);
	m.r = work(&m.ret, ctx, u.t.order, (size_t)len - sizeof u.t, &m.e);
	answer(&m);
}

/* ---- one that is executed ------------------------------------------------- */

_Noreturn void helper_be(helper_told *work)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct message m = { .ret = HELPER_RESULT };
	struct telling t;
	int fds[STDIO + 1];
	size_t n = STDIO + 1, at = 0, len;
	char *order;

	sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0); /* what it leaves is its parent's once it has ended */
	be_helper(&m, NULL, SOCKET);
	if (fd_recv(SOCKET, &t, sizeof t, fds, &n) != (ssize_t)sizeof t || !n)
		_exit(0);
	if (getppid() != t.from) /* it has told us, and was gone before the signal was asked for */
		_exit(0);
	for (int i = 0; i < STDIO && at < n - 1; i++)
		if (t.has[i])
			sys_dup3(fds[at++], i, 0);
	if (*t.name)
		sys_prctl(PR_SET_NAME, (unsigned long)t.name, 0, 0);
	if (lseek(fds[n - 1], 0, SEEK_SET) < 0)
		m.r = err_sys(&m.e, -errno, "read the order");
	else
		m.r = file_read_fd(&a, fds[n - 1], "the order", ORDER_FILE_MAX, &order, &len, &m.e);
	fd_close_from(KEPT);
	if (m.r >= 0)
		m.r = work(&m.ret, NULL, order, len, &m.e);
	answer(&m);
}

/* ---- in the shim ---------------------------------------------------------- */

static int receive(struct helper *h, struct helper_result *ret, struct err *e)
{
	size_t n = HELPER_FDS, at = 0, want = 0;
	int fds[HELPER_FDS], *has[HELPER_FDS];
	struct message m;
	ssize_t r = fd_recv(h->socket, &m, sizeof m, fds, &n);

	if (r == 0)
		return -EPIPE;
	for (int i = 0; r == (ssize_t)sizeof m && i < HELPER_FDS; i++)
		want += m.has[i];
	if (r != (ssize_t)sizeof m || n != want) {
		for (; r > 0 && at < n; at++)
			sys_close(fds[at]);
		return -EPROTO;
	}
	*ret = m.ret;
	helper_result_fds(ret, has);
	for (int i = 0; i < HELPER_FDS; i++)
		*has[i] = m.has[i] ? fds[at++] : -1;
	if (m.r < 0)
		*e = m.e;
	return m.r < 0 ? m.r : 0;
}

/* It has ended, or is about to: nothing is between its answer and its end. */
static void finish(struct helper *h, struct helper_answer *a)
{
	int code;

	source_remove(&h->end);
	source_remove(&h->answer);
	source_remove(&h->deadline);
	code = proc_reap(h->pidfd);
	if (a->r == -EPIPE && h->killed)
		a->r = err_set(&a->e, ERR_TIMEOUT, -ETIMEDOUT, "the helper was killed as it did not end");
	else if (a->r < 0 && !a->e.msg[0])
		a->r = err_set(&a->e, ERR_INTERNAL, a->r, "the helper ended with status %d and no answer", code);
	fd_closep(&h->pidfd);
	fd_closep(&h->socket);
	h->done(h, a->r, &a->ret, &a->e);
}

static int on_end(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, end));
	struct helper_answer none = { .ret = HELPER_RESULT }, *a = h->early ? h->early : &none;

	if (a == &none)
		a->r = receive(h, &a->ret, &a->e);
	h->early = NULL;
	finish(h, a);
	if (a != &none)
		free(a);
	return 0;
}

/* Its end follows at once, on another CPU while we wake up, and to wait for that
 * takes less than to sleep a second time; but not for one that somebody has stopped. */
static int on_answer(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, answer));
	struct helper_answer a = { .ret = HELPER_RESULT };

	source_remove(s);
	a.r = receive(h, &a.ret, &a.e);
	if (proc_wait(h->pidfd, END_SOON_MS) >= 0) {
		finish(h, &a);
		return 0;
	}
	h->early = malloc(sizeof a);
	if (h->early)
		*h->early = a;
	else
		finish(h, &a);
	return 0;
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct helper *h = (struct helper *)((char *)s - offsetof(struct helper, deadline));

	h->killed = true;
	proc_signal(h->pidfd, SIGKILL);
	return 0;
}

/* The socket and the pidfd of one that has been forked; -1 and -errno: none has. */
static pid_t fork_one(int *socket, int *pidfd, int *theirs)
{
	int pair[2], r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
	pid_t pid;

	if (r < 0)
		return r;
	pid = clone_helper(0, pidfd);
	if (pid)
		sys_close(pair[1]);
	if (pid < 0)
		sys_close(pair[0]);
	else
		*socket = pair[0];
	*theirs = pair[1];
	return pid;
}

void helper_spare_begin(struct helper_spare *s, helper_told *work, void (*warm)(const void *ctx), const void *ctx)
{
	int theirs;

	*s = (struct helper_spare)HELPER_SPARE;
	if (fork_one(&s->socket, &s->pidfd, &theirs) == 0)
		spare_main(work, warm, ctx, theirs);
}

void helper_spare_end(struct helper_spare *s)
{
	if (s->pidfd >= 0)
		proc_end(s->pidfd);
	fd_closep(&s->pidfd);
	fd_closep(&s->socket);
}

/* What it is to do: `inline_len` bytes of the order, or all of it in a file. */
static int tell(int socket, const struct helper_job *job, size_t inline_len, int file)
{
	size_t len = sizeof(struct telling) + inline_len, n = 0;
	struct telling *t = calloc(1, len);
	int fds[STDIO + 1], r;

	if (!t)
		return -ENOMEM;
	t->from = getpid();
	for (int i = 0; job->stdio && i < STDIO; i++) {
		t->has[i] = job->stdio[i] >= 0;
		if (t->has[i])
			fds[n++] = job->stdio[i];
	}
	if (file >= 0)
		fds[n++] = file;
	if (job->name)
		snprintf(t->name, sizeof t->name, "%s", job->name);
	memcpy(t->order, job->order, inline_len);
	r = fd_send(socket, t, len, fds, n);
	free(t);
	return r;
}

/* < 0: it is to be forked, as there is none, or it has been killed. */
static int tell_spare(struct helper *h, const struct helper_job *job)
{
	struct helper_spare *s = job->spare;
	int r;

	if (!s || s->pidfd < 0 || sizeof(struct telling) + job->len > ORDER_MAX)
		return -ENOENT;
	r = tell(s->socket, job, job->len, -1);
	if (r < 0)
		return r;
	h->socket = take_fd(&s->socket);
	h->pidfd = take_fd(&s->pidfd);
	return 0;
}

/* As a child of ours, with the socket as its fd 3. */
static int spawn(int theirs, pid_t *pid)
{
	static const char *const argv[] = HELPER_ARGV;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	r = posix_spawn_file_actions_adddup2(&actions, theirs, SOCKET);
	r = r ? r : posix_spawnattr_setsigdefault(&attr, &all);
	r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
	r = r ? r : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	r = r ? r : posix_spawn(pid, "/proc/self/exe", &actions, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int execute(struct helper *h, const struct helper_job *job)
{
	OWN_FD ours = -1, theirs = -1, order = file_memory("order");
	int pair[2], r = order;
	pid_t pid = 0;

	if (r >= 0)
		r = fd_write_all(order, job->order, job->len);
	if (r >= 0)
		r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
	if (r < 0)
		return r;
	ours = pair[0];
	theirs = sys_fcntl(pair[1], F_DUPFD_CLOEXEC, SOCKET + 1); /* dup2() onto itself would keep it closed */
	sys_close(pair[1]);
	r = theirs < 0 ? theirs : spawn(theirs, &pid);
	if (r < 0)
		return r;
	h->pidfd = r = sys_pidfd_open(pid, 0);
	if (r < 0) {
		sys_kill(pid, SIGKILL);
		sys_waitid(P_PID, pid, NULL, WEXITED);
		return r;
	}
	fd_closep(&theirs);
	h->socket = take_fd(&ours);
	return tell(h->socket, job, 0, order);
}

int helper_start(struct helper *h, struct loop *l, const struct helper_job *job,
		 void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e),
		 void *ctx, struct err *e)
{
	int theirs, r;

	*h = (struct helper){ .socket = -1, .pidfd = -1, .done = done, .ctx = ctx };
	r = job->execute ? execute(h, job) : tell_spare(h, job);
	if (r < 0 && !job->execute) {
		r = fork_one(&h->socket, &h->pidfd, &theirs);
		if (r == 0)
			helper_main(job, theirs);
	}
	if (r >= 0)
		r = source_fd(&h->end, l, h->pidfd, EPOLLIN, on_end);
	if (r >= 0) {
		r = source_fd(&h->answer, l, h->socket, EPOLLIN, on_answer);
		if (r < 0)
			source_remove(&h->end);
	}
	if (r < 0) {
		if (h->pidfd >= 0)
			proc_end(h->pidfd);
		fd_closep(&h->pidfd);
		fd_closep(&h->socket);
		return err_sys(e, r, "start a helper");
	}
	if (job->deadline_ms)
		source_timer(&h->deadline, l, job->deadline_ms, on_deadline);
	return 0;
}

void helper_end(struct helper *h)
{
	source_remove(&h->end);
	source_remove(&h->answer);
	source_remove(&h->deadline);
	if (h->early)
		helper_result_drop(&h->early->ret);
	free(h->early);
	if (h->pidfd >= 0)
		proc_end(h->pidfd);
	fd_closep(&h->pidfd);
	fd_closep(&h->socket);
}

void helper_hurry(struct helper *h, uint32_t ms)
{
	struct loop *l = h->deadline.loop;

	if (!l || h->deadline.due < (uint64_t)clock_ms() + ms)
		return;
	source_remove(&h->deadline);
	source_timer(&h->deadline, l, ms, on_deadline);
}
