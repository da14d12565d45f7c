/* What the kernel tells of processes. */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dir.h"
#include "fd.h"
#include "file.h"
#include "proc.h"
#include "sys.h"

enum { STACK_MAX = 64 << 10, HELPERS_MAX = 256 };

const char *proc_role_name(enum proc_role role)
{
	static const char *const names[] = {
#define X(id, name) name,
		PROC_ROLES(X)
#undef X
	};

	return names[role];
}

/* A file of a process, without the newline at its end; "" when it cannot be had. */
static const char *text_of(struct request *q, int dir, const char *name)
{
	OWN_FD fd = sys_openat(dir, name, O_RDONLY | O_CLOEXEC, 0);
	char *text;
	size_t len;

	if (fd < 0 || file_read_fd(q->arena, fd, name, STACK_MAX, &text, &len, NULL) < 0)
		return "";
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	return text;
}

static int open_proc(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

static int64_t age_of(const struct proc_stat *st)
{
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	return up.tv_sec * 1000 + up.tv_nsec / 1000000 - (int64_t)st->start_time * 1000 / sysconf(_SC_CLK_TCK);
}

/* False: it is gone. */
static bool look_at(struct request *q, pid_t pid, enum proc_role role, struct proc_info *ret)
{
	OWN_FD dir = open_proc(pid);
	struct proc_stat st;

	if (dir < 0 || proc_stat(pid, &st) < 0)
		return false;
	*ret = (struct proc_info){
		.pid = pid,
		.role = role,
		.state = st.state,
		.name = text_of(q, dir, "comm"),
		.waits_in = text_of(q, dir, "wchan"),
		.call = text_of(q, dir, "syscall"),
		.stack = text_of(q, dir, "stack"),
		.age_ms = age_of(&st),
	};
	if (!strcmp(ret->waits_in, "0"))
		ret->waits_in = "";
	return *ret->name != '\0';
}

static pid_t parent_of(struct request *q, pid_t pid)
{
	OWN_FD dir = open_proc(pid);
	const char *at = dir < 0 ? NULL : strstr(text_of(q, dir, "status"), "\nPPid:\t");
	char word[16];
	int32_t n;

	if (!at)
		return 0;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(at + 7, "\n"), at + 7);
	return parse_i32(word, &n) < 0 ? 0 : n;
}

static bool has(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The parent of those that are no children of others of them. 0: it is none. */
static pid_t shim_of(struct request *q, const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pid_t parent = parent_of(q, pids[i]);
		OWN_FD dir = parent > 1 && !has(pids, n, parent) ? open_proc(parent) : -1;

		if (dir >= 0 && str_starts(text_of(q, dir, "comm"), "containerd-shim"))
			return parent;
	}
	return 0;
}

/* The shim's children that are at work for it call themselves by what they do. */
static void helpers(struct request *q, pid_t shim, const pid_t *pids, size_t n, struct proc_list *ret)
{
	static const char prefix[] = "shim: ";
	OWN_FD dir = open_proc(shim);
	char path[64], *list, *word;

	snprintf(path, sizeof path, "task/%d/children", (int)shim);
	list = dir < 0 ? NULL : arena_strdup(q->arena, text_of(q, dir, path));
	while (list && ret->n < ret->max - n && (word = strsep(&list, " "))) {
		struct proc_info *p = &ret->v[ret->n];
		int32_t pid;

		if (parse_i32(word, &pid) < 0 || has(pids, n, pid) || !look_at(q, pid, ROLE_HELPER, p) ||
		    !str_starts(p->name, prefix))
			continue;
		p->work = p->name + strlen(prefix);
		ret->n++;
	}
}

const char **proc_shim_args(struct request *q, pid_t shim)
{
	OWN_FD dir = open_proc(shim);
	OWN_FD fd = dir < 0 ? -1 : sys_openat(dir, "cmdline", O_RDONLY | O_CLOEXEC, 0);
	const char **ret;
	size_t len, n = 0;
	char *text;

	if (fd < 0 || !str_starts(text_of(q, dir, "comm"), "containerd-shim") ||
	    file_read_fd(q->arena, fd, "cmdline", STACK_MAX, &text, &len, NULL) < 0)
		return NULL;
	ret = arena_calloc(q->arena, len + 2, sizeof *ret);
	for (size_t at = 0; ret && at < len; at += strlen(text + at) + 1)
		ret[n++] = text + at;
	return ret;
}

int proc_look_helpers(struct request *q, pid_t shim, struct proc_list *ret, struct err *e)
{
	ret->max = HELPERS_MAX;
	ret->v = arena_calloc(q->arena, ret->max, sizeof *ret->v);
	ret->n = 0;
	if (!ret->v)
		return no_memory(e);
	helpers(q, shim, NULL, 0, ret);
	return 0;
}

int proc_look_threads(struct request *q, pid_t pid, struct proc_list *ret, struct err *e)
{
	OWN_FD dir = -1;
	struct dir_reader rd = { .fd = -1 };
	const struct dir_entry *d;
	char path[64];
	int32_t tid;

	ret->max = HELPERS_MAX;
	ret->v = arena_calloc(q->arena, ret->max, sizeof *ret->v);
	ret->n = 0;
	if (!ret->v)
		return no_memory(e);
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = rd.fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	while (dir >= 0 && ret->n < ret->max && (d = dir_next(&rd)))
		if (parse_i32(d->name, &tid) >= 0)
			ret->n += look_at(q, tid, ROLE_THREAD, &ret->v[ret->n]);
	return 0;
}

int proc_look(struct request *q, const pid_t *pids, size_t n, struct proc_list *ret, struct err *e)
{
	pid_t shim = shim_of(q, pids, n);

	ret->max = n + 1 + HELPERS_MAX;
	ret->v = arena_calloc(q->arena, ret->max, sizeof *ret->v);
	ret->n = 0;
	if (!ret->v)
		return no_memory(e);
	if (shim) {
		ret->n += look_at(q, shim, ROLE_SHIM, &ret->v[0]);
		helpers(q, shim, pids, n, ret);
	}
	for (size_t i = 0; i < n; i++)
		ret->n += look_at(q, pids[i], ROLE_PROCESS, &ret->v[ret->n]);
	return 0;
}
