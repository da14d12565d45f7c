/* Runs hooks; see hooks.h. Input and output are files without a name, so neither
 * a hook that does not read nor one that leaves a child behind holds us up. */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "handshake.h"
#include "names.h"
#include "plan.h"
#include "proc.h"
#include "sys.h"

/* `env` is for a hook that has none of its own. */
static _Noreturn void exec_hook(const struct spec_hook *h, char **env, int in, int out)
{
	sys_default_signals();
	if (in >= 0 && (sys_dup3(in, 0, 0) < 0 || sys_dup3(out, 1, 0) < 0 || sys_dup3(out, 2, 0) < 0))
		_exit(126);
	sys_execve(h->path, h->args, h->env ? h->env : env);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Before the hook could run: what it would have printed says why. */
static _Noreturn void cannot(int out, const char *what, int r)
{
	char text[128];

	snprintf(text, sizeof text, "%s: %s", what, err_cause(-r));
	fd_write_all(out, text, strlen(text));
	_exit(126);
}

/* In the container's namespaces; a new pid namespace is entered by a child,
 * whose status is handed on. */
static _Noreturn void hook_inside(const struct hook_run *run, enum hook_kind kind,
				  const struct spec_hook *h, int in, int out)
{
	int pidfd = -1, code, r;
	struct identity_error why;
	bool joined;
	pid_t pid;

	sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);
	r = sys_setns(run->target, run->target_ns);
	if (r < 0)
		cannot(out, "join the container's namespaces", r);
	if (run->cwd)
		sys_chdir(run->cwd);
	/* Not as root of the host any more, who is nobody in there. */
	r = run->target_ns & CLONE_NEWUSER ? become_root(run->plan) : 0;
	if (r < 0)
		cannot(out, "become root of the user namespace", r);
	/* The container may look into its child, which is why nothing of the
	 * host is open in it. */
	if ((r = sys_dup3(in, 0, 0)) < 0 || (r = sys_dup3(out, 1, 0)) < 0 || (r = sys_dup3(out, 2, 0)) < 0)
		cannot(out, "redirect input and output", r);
	fd_close_from(3);
	pid = clone_process(0, -1, &pidfd, &joined);
	if (pid < 0)
		cannot(1, "clone a process", pid);
	if (pid == 0) {
		sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
		if (kind == HOOK_START_CONTAINER && (identity_set_ids(run->plan, &why) < 0 ||
						     identity_take_caps(run->plan, 0, &why) < 0))
			_exit(126);
		exec_hook(h, run->plan->process.env, -1, -1);
	}
	code = proc_wait(pidfd, -1);
	code = code < 0 ? 126 : proc_reap(pidfd);
	_exit(code < 0 ? 126 : code);
}

static int memory_file(const char *text, struct err *e)
{
	OWN_FD fd = file_memory("hook");
	int r = fd;

	if (r >= 0 && text)
		r = fd_write_all(fd, text, strlen(text));
	if (r < 0)
		return err_sys(e, r, "make a hook's input");
	lseek(fd, 0, SEEK_SET);
	return take_fd(&fd);
}

static int finish(const struct spec_hook *h, int timeout, int pidfd, int out, struct err *e)
{
	char text[512];
	ssize_t n;
	int most = timeout > INT_MAX / 1000 ? INT_MAX : timeout * 1000;
	int r = proc_wait(pidfd, timeout > 0 ? most : -1);

	if (r == -ETIMEDOUT) {
		proc_end(pidfd);
		return err_set(e, ERR_TIMEOUT, -ETIMEDOUT, "hook '%s' ran past %ds", h->path, timeout);
	}
	r = proc_reap(pidfd);
	if (r == 0)
		return 0;
	if (r < 0)
		return err_sys(e, r, "wait for hook '%s'", h->path);
	lseek(out, 0, SEEK_SET);
	n = sys_read(out, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return err_set(e, ERR_INTERNAL, 0, "hook '%s': exit status %d, output: %s", h->path, r, text);
}

static int run_one(const struct hook_run *run, enum hook_kind kind, const struct spec_hook *h,
		   struct err *e)
{
	OWN_FD in = memory_file(run->state, e);
	OWN_FD out = in < 0 ? -1 : memory_file(NULL, e);
	OWN_FD pidfd = -1;
	bool joined;
	pid_t parent = getpid(), pid;

	if (in < 0 || out < 0)
		return -EIO;
	pid = clone_process(0, -1, &pidfd, &joined);
	if (pid < 0)
		return err_sys(e, pid, "clone a process for hook '%s'", h->path);
	if (pid == 0) {
		sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0); /* nobody would wait for it, nor undo what it did */
		if (getppid() != parent) /* it died before that */
			_exit(127);
		if (run->target >= 0)
			hook_inside(run, kind, h, in, out);
		if (run->cwd)
			sys_chdir(run->cwd);
		exec_hook(h, environ, in, out); /* as under runc and crun */
	}
	return finish(h, h->timeout > 0 ? h->timeout : run->timeout, pidfd, out, e);
}

int hooks_run(const struct hook_run *run, enum hook_kind kind, struct err *e)
{
	for (size_t i = 0; i < run->hooks->n[kind]; i++) {
		int r = run_one(run, kind, &run->hooks->list[kind][i], e);

		if (r < 0)
			return err_wrap(e, r, "error running %s hook #%zu", name_of(hook_names, kind), i);
	}
	return 0;
}
