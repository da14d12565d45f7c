/* Programs that are run for their output; see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "proc.h"
#include "sys.h"

enum { KEPT = 3, FIRST = 10 /* ours are above what the child has */ };

/* Those of this thread that run: one engine may not reap another's, either. */
static _Thread_local struct child *running;

bool engine_has_child(pid_t pid)
{
	for (const struct child *c = running; c; c = c->next)
		if (c->pid == pid)
			return true;
	return false;
}

static void leave(struct child *c)
{
	if (c->link) {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
	}
	c->link = NULL;
}

static void enter(struct child *c)
{
	c->next = running;
	c->link = &running;
	if (c->next)
		c->next->link = &c->next;
	running = c;
}

void child_init(struct child *c, void (*done)(struct child *c), void *ctx)
{
	*c = (struct child){ .pidfd = -1, .out_fd = -1, .err_fd = -1, .done = done, .ctx = ctx };
}

/* ---- its output ------------------------------------------------------------- */

/* 1: there may be more. */
static int read_some(int fd, struct sb *into)
{
	char buf[4096];
	ssize_t n = sys_read(fd, buf, sizeof buf);

	if (n > 0 && into->len < CHILD_OUTPUT_MAX)
		sb_add(into, buf, (size_t)n);
	return n > 0 || n == -EINTR ? 1 : (int)n;
}

static int on_readable(struct source *s, struct sb *into)
{
	int r = read_some(s->fd, into);

	if (r <= 0 && r != -EAGAIN)
		source_remove(s); /* its end is told by the pidfd */
	return 0;
}

static int on_output(struct source *s, uint32_t events)
{
	struct child *c = (struct child *)((char *)s - offsetof(struct child, output));

	return on_readable(s, &c->out);
}

static int on_errors(struct source *s, uint32_t events)
{
	struct child *c = (struct child *)((char *)s - offsetof(struct child, errors));

	return on_readable(s, &c->err);
}

const char *child_words(const struct child *c, char *buf, size_t cap)
{
	size_t end = c->err.failed ? 0 : c->err.len, begin;

	while (end && c->err.s[end - 1] == '\n')
		end--;
	for (begin = end; begin && c->err.s[begin - 1] != '\n';)
		begin--;
	if (begin < end)
		snprintf(buf, cap, "%.*s", (int)(end - begin), c->err.s + begin);
	else if (c->timed_out)
		snprintf(buf, cap, "it did not end in time");
	else if (c->status > 128)
		snprintf(buf, cap, "it was ended by signal %d", c->status - 128);
	else
		snprintf(buf, cap, "it ended with status %d", c->status);
	return buf;
}

/* ---- its end ---------------------------------------------------------------- */

static void close_all(struct child *c)
{
	c->runs = false;
	leave(c);
	source_remove(&c->end);
	source_remove(&c->output);
	source_remove(&c->errors);
	source_remove(&c->deadline);
	fd_closep(&c->pidfd);
	fd_closep(&c->out_fd);
	fd_closep(&c->err_fd);
}

/* What it has left behind may hold the pipes' other ends: that is not waited for. */
static void finish(struct child *c)
{
	while (c->output.loop && read_some(c->out_fd, &c->out) > 0)
		;
	while (c->errors.loop && read_some(c->err_fd, &c->err) > 0)
		;
	close_all(c);
	c->done(c);
}

static int on_end(struct source *s, uint32_t events)
{
	struct child *c = (struct child *)((char *)s - offsetof(struct child, end));

	c->status = proc_reap(c->pidfd);
	finish(c);
	return 0;
}

void child_kill(struct child *c)
{
	if (!child_runs(c) || c->pidfd < 0)
		return;
	/* By number, since a session has no other name: it is ours until it is reaped. */
	if (sys_kill(-c->pid, SIGKILL) < 0)
		proc_signal(c->pidfd, SIGKILL);
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct child *c = (struct child *)((char *)s - offsetof(struct child, deadline));

	c->timed_out = true;
	child_kill(c);
	return 0;
}

void child_hurry(struct child *c, uint32_t ms)
{
	if (!child_runs(c) || c->pidfd < 0)
		return;
	source_remove(&c->deadline);
	source_timer(&c->deadline, c->loop, ms, on_deadline);
}

void child_done(struct child *c, bool kill)
{
	if (child_runs(c) && c->pidfd >= 0 && kill) {
		child_kill(c);
		proc_end(c->pidfd);
	}
	close_all(c);
	sb_done(&c->out);
	sb_done(&c->err);
}

/* ---- its beginning ---------------------------------------------------------- */

struct ends { /* of the pipes: the child's */
	int in, out, err, directory, kept;
};

static int above(int fd)
{
	return sys_fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
}

static int make_pipe(int *ours, int *childs)
{
	int fds[2], r = sys_pipe2(fds, O_CLOEXEC);

	if (r < 0)
		return r;
	*ours = above(fds[0]);
	*childs = above(fds[1]);
	sys_close(fds[0]);
	sys_close(fds[1]);
	if (*ours < 0 || *childs < 0)
		return *ours < 0 ? *ours : *childs;
	return sys_fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int make_input(const struct child_command *cmd)
{
	OWN_FD fd = file_memory("input");
	int r = fd;

	if (r >= 0)
		r = fd_write_all(fd, cmd->input, cmd->input_len);
	if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : above(fd);
}

static int spawn(struct child *c, const struct child_command *cmd, const struct ends *t)
{
	const short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
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
	r = posix_spawn_file_actions_addfchdir_np(&actions, t->directory);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, t->in, STDIN_FILENO);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, t->out, STDOUT_FILENO);
	if (t->err >= 0)
		r = r ? r : posix_spawn_file_actions_adddup2(&actions, t->err, STDERR_FILENO);
	if (t->kept >= 0)
		r = r ? r : posix_spawn_file_actions_adddup2(&actions, t->kept, KEPT);
	r = r ? r : posix_spawnattr_setsigdefault(&attr, &all);
	r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
	r = r ? r : posix_spawnattr_setflags(&attr, flags);
	r = r ? r : posix_spawn(&c->pid, cmd->path, &actions, &attr, cmd->argv, cmd->env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* It has ended, and who we are in has collected it, before we could look. */
static int on_collected(struct source *s, uint32_t events)
{
	struct child *c = (struct child *)((char *)s - offsetof(struct child, deadline));

	c->status = -ECHILD;
	finish(c);
	return 0;
}

static int watch(struct child *c, uint32_t timeout_ms)
{
	int r = c->pidfd = sys_pidfd_open(c->pid, 0);
	bool collected = r == -ESRCH;

	if (r >= 0 || collected)
		r = source_fd(&c->output, c->loop, c->out_fd, EPOLLIN, on_output);
	if (r >= 0 && c->err_fd >= 0)
		r = source_fd(&c->errors, c->loop, c->err_fd, EPOLLIN, on_errors);
	c->runs = r >= 0;
	if (r >= 0)
		enter(c);
	if (r >= 0 && collected)
		return source_timer(&c->deadline, c->loop, 0, on_collected);
	if (r >= 0)
		r = source_fd(&c->end, c->loop, c->pidfd, EPOLLIN, on_end);
	if (r >= 0)
		return source_timer(&c->deadline, c->loop, timeout_ms, on_deadline);
	sys_kill(-c->pid, SIGKILL);
	sys_kill(c->pid, SIGKILL);
	sys_waitid(P_PID, c->pid, NULL, WEXITED);
	return r;
}

static void close_ends(struct ends *t)
{
	fd_closep(&t->in);
	fd_closep(&t->out);
	fd_closep(&t->err);
	fd_closep(&t->directory);
	fd_closep(&t->kept);
}

int child_start(struct child *c, struct loop *l, const struct child_command *cmd, struct err *e)
{
	struct ends t = { -1, -1, -1, -1, -1 };
	int r;

	c->loop = l;
	t.in = r = make_input(cmd);
	if (r >= 0)
		r = make_pipe(&c->out_fd, &t.out);
	if (r >= 0 && !cmd->our_stderr)
		r = make_pipe(&c->err_fd, &t.err);
	if (r >= 0)
		t.directory = r = above(cmd->directory);
	if (r >= 0 && cmd->kept >= 0)
		t.kept = r = above(cmd->kept);
	if (r >= 0)
		r = spawn(c, cmd, &t);
	if (r >= 0)
		r = watch(c, cmd->timeout_ms);
	close_ends(&t);
	if (r >= 0)
		return 0;
	close_all(c);
	return err_sys(e, r, "execute '%s'", cmd->path);
}
