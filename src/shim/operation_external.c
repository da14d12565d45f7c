/*
 * An external OCI runtime, executed as runc's command line has it. It dies with
 * its helper, and that with the shim. What went wrong is read from its log.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "helper.h"
#include "json.h"
#include "life.h"
#include "log.h"
#include "logger.h"
#include "mem.h"
#include "operation.h"
#include "proc.h"
#include "rootfs_mounts.h"
#include "str.h"
#include "sys.h"
#include "task_record.h"

enum { ARGS = 24, TEXT_MAX = 1 << 20, CGROUP_MS = 10 * 1000 };

struct command { /* one call of the runtime; a helper ends with it */
	struct arena arena;
	const struct order *o;
	int bundle;
	const char *argv[ARGS];
	size_t n;
	char *log;
};

static int begin(struct command *c, const struct order *o, struct err *e)
{
	*c = (struct command){ .o = o };
	c->bundle = sys_openat(AT_FDCWD, o->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (c->bundle < 0)
		return err_sys(e, c->bundle, "open the bundle '%s'", o->bundle);
	c->log = arena_printf(&c->arena, "%s/log.json", o->bundle);
	return c->log ? 0 : err_sys(e, -ENOMEM, "call the runtime");
}

static void add(struct command *c, ...)
{
	const char *word;
	va_list ap;

	va_start(ap, c);
	while ((word = va_arg(ap, const char *)) && c->n < ARGS - 1)
		c->argv[c->n++] = word;
	va_end(ap);
}

static void add_globals(struct command *c)
{
	const struct runtime *rt = c->o->runtime;

	add(c, rt->binary, "--root", rt->root, "--log", c->log, "--log-format", "json", NULL);
	if (rt->systemd_cgroup)
		add(c, "--systemd-cgroup", NULL);
}

/* ---- running it ----------------------------------------------------------- */

/* The last line of the log that is an error. */
static const char *last_error(struct command *c)
{
	const char *found = NULL;
	char *text, *line;
	size_t len;

	if (file_read(&c->arena, c->bundle, "log.json", TEXT_MAX, &text, &len, NULL) < 0)
		return NULL;
	while ((line = strsep(&text, "\n"))) {
		struct json_doc doc;

		if (*line && json_parse(&c->arena, line, strlen(line), "log", &doc, NULL) >= 0 &&
		    str_eq(json_string(json_get(doc.root, "level"), NULL), "error"))
			found = json_string(json_get(doc.root, "msg"), found);
	}
	return found;
}

static _Noreturn void execute(struct command *c, pid_t parent, int failure)
{
	sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (getppid() != parent)
		_exit(127);
	execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
	proc_exec_failed(failure);
}

static int run(struct command *c, struct err *e)
{
	pid_t parent = getpid(), pid;
	OWN_FD pidfd = -1, ours = -1, childs = -1;
	const char *words;
	int status, r;

	sys_unlinkat(c->bundle, "log.json", 0);
	r = proc_exec_pipe(&ours, &childs);
	if (r < 0)
		return err_sys(e, r, "start '%s'", c->argv[0]);
	pid = sys_raw_clone(CLONE_PIDFD | SIGCHLD, &pidfd);
	if (pid < 0)
		return err_sys(e, pid, "start '%s'", c->argv[0]);
	if (pid == 0)
		execute(c, parent, childs);
	fd_closep(&childs);
	r = proc_exec_result(ours);
	proc_wait(pidfd, -1);
	status = proc_reap(pidfd);
	if (r < 0)
		return err_set(e, ERR_EXEC, r, "exec: \"%s\"", c->argv[0]);
	if (status == 0)
		return 0;
	words = last_error(c);
	if (words)
		return err_set(e, ERR_INTERNAL, 0, "%s", words);
	return err_set(e, ERR_INTERNAL, 0, "%s %s: exit status %d", c->argv[0], c->argv[c->n - 1], status);
}

static int simple(const struct order *o, const char *verb, const char *flag, const char *last, struct err *e)
{
	struct command c;
	int r = begin(&c, o, e);

	if (r >= 0) {
		add_globals(&c);
		add(&c, verb, NULL);
		if (flag)
			add(&c, flag, NULL);
		add(&c, o->id, last, NULL);
		r = run(&c, e);
	}
	arena_done(&c.arena); /* the program's `delete` does this without a helper */
	fd_closep(&c.bundle);
	return r;
}

/* ---- create and exec ------------------------------------------------------ */

/* Where the runtime sends a terminal's master end. The bundle's path may be too
 * long for a socket, the directory's fd is not. */
struct console {
	int fd; /* -1: no terminal */
	const char *path;
};

static int console_begin(struct command *c, struct console *k, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int r;

	*k = (struct console){ .fd = -1 };
	if (!c->o->terminal)
		return 0;
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/%d/fd/%d/console.sock", (int)getpid(), c->bundle);
	k->path = arena_strdup(&c->arena, sa.sun_path);
	sys_unlinkat(c->bundle, "console.sock", 0);
	k->fd = r = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r >= 0)
		r = sys_bind(k->fd, (struct sockaddr *)&sa, sizeof sa);
	if (r >= 0)
		r = sys_listen(k->fd, 1);
	if (r < 0 || !k->path)
		return err_sys(e, r < 0 ? r : -ENOMEM, "make a console socket");
	add(c, "--console-socket", k->path, NULL);
	return 0;
}

static int console_end(struct command *c, struct console *k, int r, int *ret, struct err *e)
{
	OWN_FD conn = -1;
	char name[256];
	size_t n = 1;

	if (k->fd < 0)
		return r;
	sys_unlinkat(c->bundle, "console.sock", 0);
	if (r >= 0) {
		int flags = sys_fcntl(k->fd, F_GETFL, 0);

		sys_fcntl(k->fd, F_SETFL, flags | O_NONBLOCK); /* it has been here, or never will */
		conn = r = sys_accept(k->fd);
		if (r >= 0)
			r = (int)fd_recv(conn, name, sizeof name, ret, &n);
		if (r <= 0 || n != 1)
			r = err_sys(e, r < 0 ? r : -EPROTO, "receive the terminal");
	}
	fd_closep(&k->fd);
	return r < 0 ? r : 0;
}

static int take_process(struct command *c, const char *pid_file, struct helper_result *ret, struct err *e)
{
	char text[16];
	int32_t pid;
	int r = (int)file_read_line(c->bundle, pid_file, text, sizeof text);

	if (r >= 0)
		r = parse_i32(text, &pid) < 0 || pid <= 0 ? -EPROTO : 0;
	if (r >= 0)
		ret->pidfd = r = sys_pidfd_open(pid, 0);
	if (r < 0)
		return err_sys(e, r, "find the process in '%s'", pid_file);
	ret->pid = pid;
	return 0;
}

/* The namespace and the cgroup that the runtime has put it into. */
static void look_at(struct command *c, struct helper_result *ret)
{
	struct cgroup_host *host = arena_alloc(&c->arena, sizeof *host);
	char path[64], own[64] = "", its[64] = "", *mountinfo, *cgroups, *ours;
	struct cgroup cg;
	ssize_t n;
	int i;

	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)ret->pid);
	sys_readlinkat(AT_FDCWD, path, its, sizeof its - 1);
	sys_readlinkat(AT_FDCWD, "/proc/self/ns/pid", own, sizeof own - 1);
	ret->shared_pids = !strcmp(own, its);
	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)ret->pid);
	if (!host || file_read(&c->arena, AT_FDCWD, "/proc/self/mountinfo", TEXT_MAX, &mountinfo, NULL, NULL) < 0 ||
	    file_read(&c->arena, AT_FDCWD, path, TEXT_MAX, &cgroups, NULL, NULL) < 0 ||
	    file_read(&c->arena, AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &ours, NULL, NULL) < 0 ||
	    !strcmp(cgroups, ours) || /* it made none: what is counted and killed there is not the container's */
	    cgroup_host_parse(host, &c->arena, mountinfo, cgroups, NULL) < 0)
		return;
	i = cgroup_hierarchy_of(host, "memory");
	if (i < 0 || !host->h[i].own || cgroup_open_only(&cg, host, host->h[i].own, "memory", NULL) < 0)
		return;
	snprintf(ret->cgroup, sizeof ret->cgroup, "%s", host->h[i].own);
	ret->oom = cgroup_oom_fd(&cg, NULL);
	snprintf(path, sizeof path, "/proc/self/fd/%d", cg.fd[i]);
	n = sys_readlinkat(AT_FDCWD, path, ret->memory, sizeof ret->memory - 1);
	ret->memory[n < 0 ? 0 : n] = '\0';
	cgroup_done(&cg);
}

/* For a `delete` that does not find the runtime any more. */
static void record_cgroup(const struct order *o, char *cgroup)
{
	struct runtime rt = *o->runtime;
	char text[1200];
	struct err e;

	rt.cgroup = cgroup;
	if (*cgroup && task_record_write(o->bundle, &rt, &e) < 0)
		log_line(LOG_LEVEL_WARNING, err_text(&e, text, sizeof text));
}

static int create(struct command *c, struct helper_result *ret, struct err *e)
{
	const struct runtime *rt = c->o->runtime;
	char *pid_file = arena_printf(&c->arena, "%s/init.pid", c->o->bundle);
	struct console console;
	int r;

	if (!pid_file)
		return err_sys(e, -ENOMEM, "create");
	add_globals(c);
	add(c, "create", "--bundle", c->o->bundle, "--pid-file", pid_file, NULL);
	if (rt->no_pivot_root)
		add(c, "--no-pivot", NULL);
	if (rt->no_new_keyring)
		add(c, "--no-new-keyring", NULL);
	r = console_begin(c, &console, e);
	add(c, c->o->id, NULL);
	if (r >= 0)
		r = run(c, e);
	r = console_end(c, &console, r, &ret->fd, e);
	if (r >= 0)
		r = take_process(c, "init.pid", ret, e);
	if (r < 0)
		return r;
	look_at(c, ret);
	record_cgroup(c->o, ret->cgroup);
	return r;
}

static int external_create(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct logger logger = LOGGER_INIT;
	struct err ignored;
	struct command c;
	int r = begin(&c, o, e);

	if (r >= 0)
		r = rootfs_mounts_make(o->bundle, o->mounts, o->n_mounts, e);
	if (r < 0)
		return r;
	r = logger_start(&logger, o, e);
	if (r >= 0)
		r = create(&c, ret, e);
	ret->out = take_fd(&logger.out);
	logger_let_go(&logger, r);
	if (r < 0)
		rootfs_mounts_undo(o->bundle, &ignored);
	return r;
}

static int exec(struct command *c, struct helper_result *ret, struct err *e)
{
	const struct order *o = c->o;
	char *document = arena_printf(&c->arena, "%s.json", o->exec_id), *pid_file, *paths[2];
	struct console console;
	int r;

	pid_file = arena_printf(&c->arena, "%s.pid", o->exec_id);
	paths[0] = arena_printf(&c->arena, "%s/%s.json", o->bundle, o->exec_id);
	paths[1] = arena_printf(&c->arena, "%s/%s.pid", o->bundle, o->exec_id);
	if (!document || !pid_file || !paths[0] || !paths[1])
		return err_sys(e, -ENOMEM, "exec");
	r = file_replace(c->bundle, document, o->document, o->document_len, 0600, e);
	if (r < 0)
		return r;
	add_globals(c);
	add(c, "exec", "--process", paths[0], "--detach", "--pid-file", paths[1], NULL);
	r = console_begin(c, &console, e);
	add(c, o->id, NULL);
	if (r >= 0)
		r = run(c, e);
	r = console_end(c, &console, r, &ret->fd, e);
	if (r >= 0)
		r = take_process(c, pid_file, ret, e);
	sys_unlinkat(c->bundle, document, 0);
	sys_unlinkat(c->bundle, pid_file, 0);
	return r;
}

static int external_exec(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct logger logger = LOGGER_INIT;
	struct command c;
	int r = begin(&c, o, e);

	if (r >= 0)
		r = logger_start(&logger, o, e);
	if (r >= 0)
		r = exec(&c, ret, e);
	ret->out = take_fd(&logger.out);
	logger_let_go(&logger, r);
	return r;
}

/* ---- the others ----------------------------------------------------------- */

static int external_start(struct helper_result *ret, void *order, struct err *e)
{
	return simple(order, "start", NULL, NULL, e);
}

/* As containerd reads it from what runc and crun say. */
static bool says_finished(const struct err *e)
{
	static const char *const words[] = { "already finished", "no such process", "not running", "does not exist" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(e->msg, words[i]))
			return true;
	return false;
}

static int external_kill(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	char sig[16];
	int r;

	snprintf(sig, sizeof sig, "%d", o->sig);
	r = simple(o, "kill", o->all ? "--all" : NULL, sig, e);
	return r < 0 && says_finished(e) ? err_set(e, ERR_NOT_FOUND, 0, "process already finished") : r;
}

static int external_pause(struct helper_result *ret, void *order, struct err *e)
{
	return simple(order, "pause", NULL, NULL, e);
}

static int external_resume(struct helper_result *ret, void *order, struct err *e)
{
	return simple(order, "resume", NULL, NULL, e);
}

static int external_update(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct command c;
	char *path;
	int r = begin(&c, o, e);

	if (r >= 0)
		r = file_replace(c.bundle, "resources.json", o->document, o->document_len, 0600, e);
	if (r < 0)
		return r;
	path = arena_printf(&c.arena, "%s/resources.json", o->bundle);
	add_globals(&c);
	add(&c, "update", "--resources", path ? path : "", o->id, NULL);
	r = run(&c, e);
	sys_unlinkat(c.bundle, "resources.json", 0);
	return r;
}

/* What a runtime that is gone would have done, as far as that can be known. */
static int remove_without(const struct order *o, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_FD root = sys_openat(AT_FDCWD, o->runtime->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct cgroup_host *host = arena_alloc(&a, sizeof *host);
	struct cgroup cg;
	int r = host ? cgroup_host_read(host, &a, e) : err_sys(e, -ENOMEM, "look for cgroups");

	if (r >= 0)
		r = cgroup_open(&cg, host, o->cgroup, e);
	if (r < 0)
		return r;
	r = cgroup_signal_all(&cg, SIGKILL, e);
	if (r >= 0 && o->runtime->systemd_cgroup && host->mode == CGROUP_V2)
		r = cgroup_wait_empty(&cg, CGROUP_MS, e); /* systemd removes it; before it has seen that, we must not */
	else if (r >= 0)
		r = cgroup_destroy(&cg, CGROUP_MS, e);
	cgroup_done(&cg);
	if (r >= 0 && root >= 0)
		file_remove_tree(root, o->id);
	return r;
}

static int external_delete(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct err second;
	int unmounted, r = simple(o, "delete", "--force", NULL, e);

	/* A runtime that is gone cannot remove anything, however often it is asked. */
	if (r < 0 && e->kind == ERR_EXEC && str_empty(o->cgroup)) {
		log_printf(LOG_LEVEL_WARNING, "container %s is left to itself: %s: %s", o->id, e->msg,
			   err_cause(e->sys));
		r = 0;
	} else if (r < 0 && e->kind == ERR_EXEC) {
		r = remove_without(o, e);
	} else if (r < 0 && strstr(e->msg, "does not exist")) {
		r = 0;
	}
	unmounted = rootfs_mounts_undo(o->bundle, r < 0 ? &second : e);
	return r < 0 ? r : unmounted;
}

/* ---- after a restart ------------------------------------------------------ */

/* As the runtime has it, in the words of the OCI. */
static int ask_state(struct command *c, pid_t *pid, struct err *e)
{
	OWN_FD out = file_memory("state");
	struct json_doc doc;
	const char *status;
	char *text;
	size_t len;
	int r = out < 0 ? out : sys_dup3(out, STDOUT_FILENO, 0);

	if (r < 0)
		return err_sys(e, r, "ask for the state");
	add_globals(c);
	add(c, "state", c->o->id, NULL);
	r = run(c, e);
	if (r >= 0 && lseek(out, 0, SEEK_SET) < 0)
		r = err_sys(e, -errno, "read the state");
	if (r >= 0)
		r = file_read_fd(&c->arena, out, "the state", TEXT_MAX, &text, &len, e);
	if (r >= 0)
		r = json_parse(&c->arena, text, len, "the state", &doc, e);
	if (r < 0)
		return r;
	*pid = (pid_t)json_i64(json_get(doc.root, "pid"), 0);
	status = json_string(json_get(doc.root, "status"), "");
	for (int i = 0; i < LIFE_STATE_COUNT; i++)
		if (!strcmp(life_state_name(i), status))
			return i;
	return err_set(e, ERR_INTERNAL, 0, "the state '%s'", status);
}

/* Its process is not on record any more, so what its runtime says has to do. */
static int find_process(struct command *c, struct helper_result *ret, struct err *e)
{
	pid_t pid;
	int r = ask_state(c, &pid, e);

	if (r < 0 || r == LIFE_STOPPED || pid <= 0)
		return r < 0 ? r : err_set(e, ERR_NOT_FOUND, 0, "no process of container %s", c->o->id);
	ret->state = (unsigned)r;
	ret->pidfd = r = sys_pidfd_open(pid, 0);
	if (r < 0)
		return err_sys(e, r, "the process of container %s", c->o->id);
	ret->pid = pid;
	look_at(c, ret);
	return 0;
}

/* Its process lives, so a runtime that cannot say more does not change that. */
static int external_restore(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct command c;
	char text[1200];
	pid_t pid;
	int r = begin(&c, o, e);

	if (r < 0)
		return r;
	if (!o->pid)
		return find_process(&c, ret, e);
	ret->pid = o->pid;
	look_at(&c, ret);
	r = ask_state(&c, &pid, e);
	if (r < 0)
		log_printf(LOG_LEVEL_WARNING, "container %s: is taken to be running: %s", o->id,
			   err_text(e, text, sizeof text));
	ret->state = r < 0 || r == LIFE_STOPPED ? LIFE_RUNNING : (unsigned)r;
	return 0;
}

const struct runtime_ops external_ops = {
	.create = external_create,
	.start = external_start,
	.exec = external_exec,
	.kill = external_kill,
	.pause = external_pause,
	.resume = external_resume,
	.update = external_update,
	.destroy = external_delete,
	.restore = external_restore,
};
