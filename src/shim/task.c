/* Tasks and their processes: finding, making, freeing; the OOM killer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cgroup.h"
#include "err.h"
#include "events.pb-c.h"
#include "fd.h"
#include "hold.h"
#include "shim.h"
#include "str.h"
#include "sys.h"

enum { OOM_AGAIN_MS = 100 };

static bool process_init(struct process *p, struct task *t, const char *id)
{
	*p = (struct process){
		.shim = t->shim,
		.task = t,
		.id = strdup(id),
		.pidfd = -1,
		.held = { -1, -1, -1 },
		.master = -1,
	};
	return p->id;
}

struct task *task_new(struct shim *s, const char *id, const char *bundle)
{
	struct task *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->shim = s;
	t->start = t->oom = -1;
	t->id = strdup(id);
	t->bundle = strdup(bundle);
	t->next = s->tasks;
	s->tasks = t;
	if (!process_init(&t->init, t, "") || !t->id || !t->bundle) {
		task_free(t);
		return NULL;
	}
	return t;
}

void task_free(struct task *t)
{
	struct task **at = &t->shim->tasks;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	while (t->execs)
		exec_free(t->execs);
	process_free_members(&t->init);
	source_remove(&t->oom_source);
	source_remove(&t->oom_again);
	fd_closep(&t->oom);
	fd_closep(&t->start);
	mounted_free(t);
	holding_lost(t);
	if (!t->shim->tasks)
		shim_is_idle(t->shim);
	free(t->runtime.binary);
	free(t->runtime.root);
	free(t->cgroup);
	free(t->memory);
	free(t->id);
	free(t->bundle);
	free(t);
}

struct task *task_find_any(struct shim *s, const char *id)
{
	for (struct task *t = s->tasks; t; t = t->next)
		if (!strcmp(t->id, id))
			return t;
	return NULL;
}

struct task *task_find(struct shim *s, const char *id)
{
	struct task *t = task_find_any(s, id);

	return t && t->ready ? t : NULL;
}

struct process *process_find(struct task *t, const char *exec_id, struct err *e)
{
	if (str_empty(exec_id))
		return &t->init;
	for (struct process *p = t->execs; p; p = p->next)
		if (!strcmp(p->id, exec_id) && !p->gone)
			return p;
	err_set(e, ERR_NOT_FOUND, 0, "process does not exist %s", exec_id);
	return NULL;
}

struct process *exec_new(struct task *t, const char *id)
{
	struct process *p = calloc(1, sizeof *p);

	if (!p || !process_init(p, t, id)) {
		free(p);
		return NULL;
	}
	p->next = t->execs;
	t->execs = p;
	return p;
}

void exec_free(struct process *p)
{
	struct process **at = &p->task->execs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	process_free_members(p);
	free(p);
}

bool task_has_live_execs(const struct task *t)
{
	for (const struct process *p = t->execs; p; p = p->next)
		if (p->pidfd >= 0 || p->ended || (p->busy && p->state == LIFE_CREATED))
			return true;
	return false;
}

void task_tell_init(struct task *t)
{
	if (t->builtin_init && t->init.pidfd >= 0)
		proc_signal(t->init.pidfd, SIGCHLD);
}

/* ---- out of memory -------------------------------------------------------- */

static int count_oom_kills(const struct task *t, uint64_t *ret)
{
	/* As much of a host as it takes to count in one directory. */
	struct cgroup_host host = { .mode = CGROUP_V1, .n = 1, .h[0].controllers = (char[]){ "memory" } };
	struct cgroup cg = { .host = &host, .path = t->cgroup };
	OWN_FD dir = sys_openat(AT_FDCWD, t->memory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (dir < 0)
		return dir;
	if (sys_faccessat(dir, "memory.events", F_OK) >= 0) {
		host.mode = CGROUP_V2;
		host.h[0].controllers = (char[]){ "" };
	}
	cg.fd[0] = dir;
	return cgroup_oom_count(&cg, ret, NULL);
}

/* One event however many it killed, as a client that missed one would not know. */
void task_look_for_oom(struct task *t)
{
	Containerd__Events__TaskOOM m = CONTAINERD__EVENTS__TASK_OOM__INIT;
	uint64_t n;

	if (str_empty(t->memory) || count_oom_kills(t, &n) < 0 || n <= t->oom_kills)
		return;
	t->oom_kills = n;
	m.container_id = t->id;
	events_publish(&t->shim->events, "/tasks/oom", &m.base);
}

static int on_oom_again(struct source *s, uint32_t events)
{
	task_look_for_oom((struct task *)((char *)s - offsetof(struct task, oom_again)));
	return 0;
}

/* On cgroup v1 we are told before somebody is killed. */
static int on_oom(struct source *s, uint32_t events)
{
	struct task *t = (struct task *)((char *)s - offsetof(struct task, oom_source));

	cgroup_oom_clear(t->oom);
	task_look_for_oom(t);
	if (str_empty(t->memory) || sys_faccessat(AT_FDCWD, t->memory, F_OK) < 0)
		source_remove(s);
	else if (!t->oom_again.loop)
		source_timer(&t->oom_again, t->shim->loop, OOM_AGAIN_MS, on_oom_again);
	return 0;
}

void task_watch_oom(struct task *t, int fd)
{
	t->oom = fd;
	if (fd >= 0)
		source_fd(&t->oom_source, t->shim->loop, fd, EPOLLIN, on_oom);
}
