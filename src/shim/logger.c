/* Logging programs; see logger.h. */
#include "logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "operation.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

enum { READY_MS = 10 * 1000, ARGS_MAX = 128 };
enum { OUT = 3, ERR, READY, FAILURE, FIRST_FREE };

/* ---- the command line ----------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. As in the query of a URL; -EINVAL for what is none. */
static int unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (*s == '%') {
			int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);

			if (low < 0 || !(high | low))
				return -EINVAL;
			*to = (char)(high << 4 | low);
			s += 2;
		} else {
			*to = *s == '+' ? ' ' : *s;
		}
	}
	*to = '\0';
	return 0;
}

/* "binary:///path?k=v&k2": the path, then k, v, k2; a value that is empty is none. */
static int split(char *uri, const char *argv[ARGS_MAX + 1])
{
	char *query = strchr(uri, '?'), *pair;
	size_t n = 1;

	argv[0] = uri;
	if (query)
		*query++ = '\0';
	while ((pair = strsep(&query, "&"))) {
		char *value = strchr(pair, '=');

		if (!*pair)
			continue;
		if (value)
			*value++ = '\0';
		if (n + 2 > ARGS_MAX)
			return -E2BIG;
		argv[n++] = pair;
		if (!str_empty(value))
			argv[n++] = value;
	}
	argv[n] = NULL;
	for (size_t i = 0; i < n; i++) {
		int r = unescape((char *)(uintptr_t)argv[i]);

		if (r < 0)
			return r;
	}
	return argv[0][0] == '/' ? 0 : -EINVAL;
}

/* ---- the program ---------------------------------------------------------- */

static _Noreturn void execute(const char *const *argv, char *const *env, const int fds[4])
{
	int free_of_others[4];

	for (int i = 0; i < 4; i++)
		free_of_others[i] = sys_fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE);
	for (int i = 0; i < 4; i++)
		if (free_of_others[i] < 0 || sys_dup3(free_of_others[i], OUT + i, i < 3 ? 0 : O_CLOEXEC) < 0)
			_exit(126);
	fd_close_from(FIRST_FREE);
	for (int i = 0; i < OUT; i++) {
		int null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);

		sys_dup3(null, i, 0);
	}
	sys_setsid(); /* it is to read the rest when all else is killed */
	execve(argv[0], (char *const *)(uintptr_t)argv, env);
	proc_exec_failed(FAILURE);
}

/* Waits for a word from the helper, or its death. */
static _Noreturn void guard(int pidfd, int from)
{
	char word;
	ssize_t n;

	sys_dup3(from, 0, O_CLOEXEC);
	sys_dup3(pidfd, 1, O_CLOEXEC);
	sys_close(2);
	fd_close_from(3);
	while ((n = sys_read(0, &word, 1)) == -EINTR)
		;
	if (n == 0)
		proc_signal(1, SIGKILL);
	_exit(0);
}

static int start_guard(struct logger *l, struct err *e)
{
	OWN_FD from = -1, ours = -1;
	int pair[2], r = sys_pipe2(pair, O_CLOEXEC);
	pid_t pid;

	if (r < 0)
		return err_sys(e, r, "guard a logging binary");
	from = pair[0];
	ours = pair[1];
	pid = fork();
	if (pid == 0) {
		sys_close(ours);
		guard(l->pidfd, from);
	}
	if (pid < 0)
		return err_sys(e, -errno, "guard a logging binary");
	l->guard = take_fd(&ours);
	return 0;
}

/* It closes fd 5 when it is ready, and also when it ends. */
static bool is_ending(const struct logger *l)
{
	struct proc_stat st;

	return proc_stat(l->pid, &st) < 0 || st.exiting || st.state == 'Z';
}

static int wait_ready(struct logger *l, int fd, const char *path, struct err *e)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = l->pidfd, .events = POLLIN } };
	int64_t until = clock_ms() + READY_MS;

	for (;;) {
		int64_t left = until - clock_ms();
		int r = left > 0 ? sys_poll(p, 2, (int)left) : 0;

		if (r == -EINTR)
			continue;
		if (r == 0)
			return err_set(e, ERR_TIMEOUT, -ETIMEDOUT, "logging binary '%s' is not ready", path);
		if (r < 0)
			return err_sys(e, r, "wait for logging binary '%s'", path);
		if (!p[1].revents && !(p[0].revents & POLLIN) && is_ending(l)) {
			p[0].fd = -1; /* the other comes in a moment */
			continue;
		}
		if (p[1].revents)
			return err_set(e, ERR_INTERNAL, 0, "logging binary '%s' ended with status %d", path,
				       proc_reap(l->pidfd));
		return 0;
	}
}

static int begin(struct logger *l, const struct order *o, const char *const *argv, char *const *env, struct err *e)
{
	OWN_FD out = -1, err = -1, ready = -1, our_out = -1, our_err = -1, our_ready = -1, failure = -1, why = -1;
	int *theirs[] = { &out, &err, &ready }, *ours[] = { &our_out, &our_err, &our_ready };
	int r = proc_exec_pipe(&why, &failure);

	for (int i = 0; r >= 0 && i < 3; i++) {
		int pair[2];

		r = sys_pipe2(pair, O_CLOEXEC);
		if (r < 0)
			break;
		*theirs[i] = pair[i == 2]; /* it reads the first two and writes the last */
		*ours[i] = pair[i != 2];
	}
	if (r >= 0) {
		l->pid = sys_raw_clone(CLONE_PIDFD | SIGCHLD, &l->pidfd);
		r = l->pid < 0 ? l->pid : 0;
	}
	if (r < 0) {
		l->pid = 0;
		return err_sys(e, r, "start logging binary '%s'", argv[0]);
	}
	if (l->pid == 0)
		execute(argv, env, (int[]){ out, err, ready, failure });
	fd_closep(&ready);
	fd_closep(&failure);
	r = proc_exec_result(why);
	if (r < 0)
		return err_sys(e, r, "start logging binary '%s'", argv[0]);
	r = start_guard(l, e);
	if (r >= 0)
		r = wait_ready(l, our_ready, argv[0], e);
	if (r >= 0 && o->terminal) {
		l->out = take_fd(&our_out);
	} else if (r >= 0) {
		r = sys_dup3(our_out, STDOUT_FILENO, 0);
		if (r >= 0)
			r = sys_dup3(our_err, STDERR_FILENO, 0);
		if (r < 0)
			err_sys(e, r, "connect logging binary '%s'", argv[0]);
	}
	return r;
}

int logger_start(struct logger *l, const struct order *o, struct err *e)
{
	const char *argv[ARGS_MAX + 1];
	OWN_ARENA struct arena a = ARENA_INIT;
	char *env[4], *uri;
	int r;

	if (str_empty(o->logger))
		return 0;
	if (!str_starts(o->logger, "binary://"))
		return err_set(e, ERR_INVALID, 0, "unknown STDIO scheme: '%s'", o->logger);
	uri = arena_strdup(&a, o->logger + strlen("binary://"));
	env[0] = arena_printf(&a, "CONTAINER_ID=%s", o->id);
	env[1] = arena_printf(&a, "CONTAINER_NAMESPACE=%s", o->namespace);
	env[2] = arena_printf(&a, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/sbin:/usr/bin:/sbin:/bin");
	env[3] = NULL;
	if (!uri || !env[0] || !env[1] || !env[2])
		return err_sys(e, -ENOMEM, "start a logging binary");
	r = split(uri, argv);
	if (r < 0)
		return err_set(e, ERR_INVALID, 0, "stdout: '%s' is no path of a program with arguments", o->logger);
	return begin(l, o, argv, env, e);
}

void logger_let_go(struct logger *l, int r)
{
	if (l->pid && r < 0)
		proc_end(l->pidfd);
	if (l->guard >= 0)
		fd_write_all(l->guard, "", 1);
	fd_closep(&l->guard);
	fd_closep(&l->pidfd);
}
