/*
 * The processes of a cgroup: listing, signalling, freezing, waiting for the
 * last one, and the OOM killer's verdict on them.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "cgroup_files.h"
#include "clock.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

enum { FREEZE_MS = 10000, KILL_ROUNDS = 200, BATCH = 128, MAX_PIDS = 1 << 22 };

static void sleep_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

static int dir_of(const struct cgroup *cg, const char *controller)
{
	int i = cgroup_hierarchy_of(cg->host, controller);

	return i < 0 ? -1 : cgroup_fd(cg, (size_t)i);
}

/* The directory whose process list counts: the one that can be frozen, else
 * any. All hierarchies hold the same processes. */
static int procs_dir(const struct cgroup *cg)
{
	int fd = dir_of(cg, "freezer");

	for (size_t i = 0; fd < 0 && i < cg->host->n; i++)
		fd = cgroup_fd(cg, i);
	return fd;
}

/* ---- listing ---------------------------------------------------------- */

struct pid_list {
	pid_t *pids; /* heap */
	size_t n, cap;
	bool threaded;
};

static void pid_list_done(struct pid_list *l)
{
	free(l->pids);
}

static int add_pid(struct pid_list *l, pid_t pid)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		pid_t *p;

		if (cap > MAX_PIDS)
			return -E2BIG;
		p = realloc(l->pids, cap * sizeof *p);
		if (!p)
			return -ENOMEM;
		l->pids = p;
		l->cap = cap;
	}
	l->pids[l->n++] = pid;
	return 0;
}

/* The process that a thread belongs to. */
static int add_process_of(struct pid_list *l, pid_t tid)
{
	char path[40], buf[8192], *at;
	uint64_t pid;

	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	if (file_read_line(AT_FDCWD, path, buf, sizeof buf) < 0)
		return 0; /* gone */
	at = strstr(buf, "\nTgid:\t");
	if (!at)
		return -EPROTO;
	at += strlen("\nTgid:\t");
	at[strcspn(at, "\n")] = '\0';
	return parse_u64(at, 10, &pid) < 0 ? -EPROTO : add_pid(l, (pid_t)pid);
}

/* Digits and newlines in chunks; 0 stands for a process outside our pid
 * namespace and is left out. */
static int read_procs(int dir, void *ctx)
{
	struct pid_list *l = ctx;
	OWN_FD fd = sys_openat(dir, l->threaded ? "cgroup.threads" : "cgroup.procs",
			       O_RDONLY | O_CLOEXEC, 0);
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return fd;
	while (r == 0 && (n = sys_read(fd, buf, sizeof buf)) != 0) {
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n == -EOPNOTSUPP ? 0 : (int)n; /* threaded: listed above it */
		for (ssize_t i = 0; i < n && r == 0; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
			} else {
				if (pid)
					r = l->threaded ? add_process_of(l, pid) : add_pid(l, pid);
				pid = 0;
			}
		}
	}
	return r;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* A threaded cgroup tells its threads only, and these can be of one process. */
static void drop_twins(struct pid_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!n || l->pids[i] != l->pids[n - 1])
			l->pids[n++] = l->pids[i];
	l->n = n;
}

static int list_pids(int dir, struct pid_list *l)
{
	int r;

	l->n = 0;
	l->threaded = cgroup_is_threaded(dir);
	r = cgroup_walk(dir, read_procs, l);
	if (r == 0 && l->n > 1)
		qsort(l->pids, l->n, sizeof *l->pids, compare_pids);
	if (l->threaded)
		drop_twins(l);
	return r;
}

int cgroup_pids(const struct cgroup *cg, struct arena *a, pid_t **ret, size_t *n,
		struct err *e)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list l = { 0 };
	int dir = procs_dir(cg), r = 0;

	if (dir >= 0)
		r = list_pids(dir, &l);
	if (r < 0)
		return err_sys(e, r, "list the processes of cgroup '%s'", cg->path);
	*ret = arena_calloc(a, l.n ? l.n : 1, sizeof **ret);
	if (!*ret)
		return err_sys(e, -ENOMEM, "list the processes of cgroup '%s'", cg->path);
	if (l.n)
		memcpy(*ret, l.pids, l.n * sizeof *l.pids);
	*n = l.n;
	return 0;
}

/* ---- freezing --------------------------------------------------------- */

/* The value of "key N" in a flat keyed file; -ENOENT without such a key. */
static int read_keyed(int fd, const char *key, uint64_t *ret)
{
	char buf[1024];
	size_t len = strlen(key);
	ssize_t n = pread(fd, buf, sizeof buf - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	for (char *p = buf, *end; p && *p; p = end ? end + 1 : NULL) {
		end = strchr(p, '\n');
		if (end)
			*end = '\0';
		if (!strncmp(p, key, len) && p[len] == ' ')
			return parse_u64(p + len + 1, 10, ret);
	}
	return -ENOENT;
}

/* Waits until "key want" stands in cgroup.events, woken by the kernel. */
static int wait_event(int dir, const char *key, uint64_t want, int64_t deadline)
{
	OWN_FD fd = sys_openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC, 0);
	struct pollfd p = { .events = POLLPRI };
	uint64_t v;
	int r;

	if (fd < 0)
		return fd;
	p.fd = fd;
	for (;;) {
		int64_t left = deadline - clock_ms();

		r = read_keyed(fd, key, &v);
		if (r < 0 || v == want)
			return r;
		if (left <= 0)
			return -ETIMEDOUT;
		r = sys_poll(&p, 1, (int)left);
		if (r < 0 && r != -EINTR)
			return r;
	}
}

/* 1 frozen, 0 not (or not wholly), -errno. */
static int v1_is(int dir, const char *state)
{
	char buf[32];
	ssize_t n = file_read_line(dir, "freezer.state", buf, sizeof buf);

	return n < 0 ? (int)n : !strcmp(buf, state);
}

/* The v1 freezer tells nobody when it is done, and can stay FREEZING while a
 * task is between two states until FROZEN is written again: read and nudge,
 * with pauses that grow, up to the deadline. */
static int v1_freeze(int dir, const char *state, int64_t deadline)
{
	long pause_us = 20;
	int r;

	for (int i = 0;; i++) {
		if (i % 50 == 49 && !strcmp(state, "FROZEN")) {
			file_write_string(dir, "freezer.state", "THAWED");
			sleep_us(100);
		}
		r = file_write_string(dir, "freezer.state", state);
		if (r == 0)
			r = v1_is(dir, state);
		if (r != 0)
			return r < 0 ? r : 0;
		if (clock_ms() >= deadline)
			return -ETIMEDOUT;
		sleep_us(pause_us);
		if (pause_us < 5000)
			pause_us *= 2;
	}
}

static int freeze_dir(const struct cgroup *cg, int dir, bool freeze, int64_t deadline)
{
	int r;

	if (cg->host->mode == CGROUP_V1)
		return v1_freeze(dir, freeze ? "FROZEN" : "THAWED", deadline);
	r = file_write_string(dir, "cgroup.freeze", freeze ? "1" : "0");
	return r < 0 ? r : wait_event(dir, "frozen", freeze, deadline);
}

int cgroup_freeze(const struct cgroup *cg, bool freeze, struct err *e)
{
	const char *verb = freeze ? "freeze" : "thaw";
	int dir = dir_of(cg, "freezer"), r;

	if (dir < 0)
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP,
			       "%s the container: the freezer controller is not available", verb);
	r = freeze_dir(cg, dir, freeze, clock_ms() + FREEZE_MS);
	if (r < 0 && freeze)
		freeze_dir(cg, dir, false, clock_ms() + FREEZE_MS);
	return r < 0 ? err_sys(e, r, "%s cgroup '%s'", verb, cg->path) : 0;
}

int cgroup_is_frozen(const struct cgroup *cg, struct err *e)
{
	int dir = dir_of(cg, "freezer"), r;
	char buf[8];

	if (dir < 0)
		return 0;
	if (cg->host->mode == CGROUP_V1) {
		/* FREEZING counts: it was asked for. */
		r = v1_is(dir, "THAWED");
		if (r >= 0)
			r = !r;
	} else {
		ssize_t n = file_read_line(dir, "cgroup.freeze", buf, sizeof buf);

		r = n < 0 ? (int)n : buf[0] == '1';
	}
	return r < 0 ? err_sys(e, r, "read the freezer of cgroup '%s'", cg->path) : r;
}

/* ---- signalling ------------------------------------------------------- */

static bool is_listed(const struct pid_list *l, pid_t pid)
{
	return l->n && bsearch(&pid, l->pids, l->n, sizeof pid, compare_pids);
}

/* Signals those of pids[0..n) that are still listed once a pidfd pins each. */
static int signal_batch(int dir, const pid_t *pids, size_t n, int sig)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list now = { 0 };
	int fds[BATCH], r;

	for (size_t i = 0; i < n; i++)
		fds[i] = sys_pidfd_open(pids[i], 0);
	r = list_pids(dir, &now);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0) {
			/* Gone already; anything else (EMFILE) must be told. */
			if (fds[i] != -ESRCH && fds[i] != -EINVAL && r == 0)
				r = fds[i];
			continue;
		}
		if (r == 0 && is_listed(&now, pids[i])) {
			int one = proc_signal(fds[i], sig);

			if (one < 0 && one != -ESRCH)
				r = one;
		}
		sys_close(fds[i]);
	}
	return r;
}

/* Signals whoever is listed now; `l` keeps the list, *fresh says how many of
 * them were not in it before. */
static int signal_round(int dir, int sig, struct pid_list *l, size_t *fresh)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list old = *l;
	int r;

	*l = (struct pid_list){ 0 };
	r = list_pids(dir, l);
	*fresh = 0;
	for (size_t i = 0; i < l->n; i++)
		*fresh += !is_listed(&old, l->pids[i]);
	for (size_t i = 0; i < l->n && r == 0; i += BATCH)
		r = signal_batch(dir, l->pids + i, l->n - i < BATCH ? l->n - i : BATCH, sig);
	return r;
}

static int set_freezer(const struct cgroup *cg, bool freeze)
{
	int dir = dir_of(cg, "freezer"), r;

	if (dir < 0)
		return 0;
	if (cg->host->mode == CGROUP_V1)
		r = file_write_string(dir, "freezer.state", freeze ? "FROZEN" : "THAWED");
	else
		r = file_write_string(dir, "cgroup.freeze", freeze ? "1" : "0");
	return r < 0 ? r : 0;
}

/* Until a look shows nobody new: a fork between listing and signalling is
 * found by the next round, and freezing keeps a fork bomb from outrunning it.
 * A v1 freezer holds even SIGKILL back, so every round ends thawed. */
static int kill_rounds(const struct cgroup *cg, int dir)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list l = { 0 };
	size_t fresh = 1;
	int r = 0;

	for (int i = 0; i < KILL_ROUNDS && fresh && r == 0; i++) {
		if (i > 0)
			set_freezer(cg, true);
		r = signal_round(dir, SIGKILL, &l, &fresh);
		if (i > 0 || fresh) {
			int thawed = set_freezer(cg, false);

			if (r == 0 && thawed != -ENOENT)
				r = thawed;
		}
	}
	return r == 0 && fresh ? -EBUSY : r;
}

int cgroup_signal_all(const struct cgroup *cg, int sig, struct err *e)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list l = { 0 };
	int dir = procs_dir(cg), r;
	size_t fresh;

	if (dir < 0)
		return 0;
	if (sig == SIGKILL) {
		r = -ENOENT;
		if (cg->host->mode == CGROUP_V2)
			r = file_write_string(dir, "cgroup.kill", "1");
		if (r == -ENOENT || r == -EOPNOTSUPP)
			r = kill_rounds(cg, dir);
	} else {
		r = signal_round(dir, sig, &l, &fresh);
	}
	if (r == -ENODEV || r == -ENOENT)
		return 0; /* the cgroup is gone, and with it everybody */
	return r < 0 ? err_sys(e, r, "signal the processes of cgroup '%s'", cg->path) : 0;
}

/* ---- waiting ---------------------------------------------------------- */

/* v1 has no event for "empty", but every process has one for its exit. */
static int v1_wait_some(const pid_t *pids, size_t n, int64_t deadline)
{
	struct pollfd p[BATCH];
	int64_t left = deadline - clock_ms();
	nfds_t k = 0;
	int r = 0;

	for (size_t i = 0; i < n && k < BATCH; i++) {
		int fd = sys_pidfd_open(pids[i], 0);

		if (fd >= 0)
			p[k++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		else if (fd != -ESRCH && fd != -EINVAL)
			r = fd;
	}
	if (k && left > 0)
		r = sys_poll(p, k, (int)left);
	else if (!k)
		sleep_us(200); /* listed but just gone: the list is about to follow */
	while (k)
		sys_close(p[--k].fd);
	return r < 0 && r != -EINTR ? r : 0;
}

static int v1_wait_empty(int dir, int64_t deadline)
{
	__attribute__((cleanup(pid_list_done))) struct pid_list l = { 0 };
	int r;

	while ((r = list_pids(dir, &l)) == 0 && l.n) {
		if (clock_ms() >= deadline)
			return -ETIMEDOUT;
		r = v1_wait_some(l.pids, l.n, deadline);
		if (r < 0)
			break;
	}
	return r;
}

int cgroup_wait_empty(const struct cgroup *cg, int ms, struct err *e)
{
	int64_t deadline = clock_ms() + ms;
	int dir = procs_dir(cg), r;

	if (dir < 0)
		return 0;
	if (cg->host->mode == CGROUP_V2)
		r = wait_event(dir, "populated", 0, deadline);
	else
		r = v1_wait_empty(dir, deadline);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	return r < 0 ? err_sys(e, r, "wait until cgroup '%s' is empty", cg->path) : 0;
}

/* ---- out of memory ---------------------------------------------------- */

static int add_oom_kills(int dir, void *ctx)
{
	OWN_FD fd = sys_openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
	uint64_t v = 0;
	int r = fd < 0 ? fd : read_keyed(fd, "oom_kill", &v);

	*(uint64_t *)ctx += v;
	return r == -ENOENT ? 0 : r; /* kernels before 4.13 do not count */
}

int cgroup_oom_count(const struct cgroup *cg, uint64_t *ret, struct err *e)
{
	int dir = dir_of(cg, "memory"), r;
	uint64_t n = 0;

	if (dir >= 0 && cg->host->mode == CGROUP_V2) {
		OWN_FD fd = sys_openat(dir, "memory.events", O_RDONLY | O_CLOEXEC, 0);

		/* This one counts the whole subtree. */
		r = fd < 0 ? fd : read_keyed(fd, "oom_kill", &n);
		r = r == -ENOENT ? 0 : r;
	} else {
		r = dir >= 0 ? cgroup_walk(dir, add_oom_kills, &n) : 0;
	}
	if (r < 0)
		return err_sys(e, r, "read the OOM count of cgroup '%s'", cg->path);
	*ret = n;
	return 0;
}

static int v1_oom_fd(int dir)
{
	OWN_FD control = sys_openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
	OWN_FD event = -1;
	char line[32];
	int r;

	if (control < 0)
		return control;
	event = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return event;
	snprintf(line, sizeof line, "%d %d", event, control);
	r = file_write_string(dir, "cgroup.event_control", line);
	return r < 0 ? r : take_fd(&event);
}

static int v2_oom_fd(int dir)
{
	OWN_FD fd = sys_inotify_init(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];
	int r;

	if (fd < 0)
		return fd;
	snprintf(path, sizeof path, "/proc/self/fd/%d/memory.events", dir);
	r = sys_inotify_add_watch(fd, path, IN_MODIFY);
	return r < 0 ? r : take_fd(&fd);
}

int cgroup_oom_fd(const struct cgroup *cg, struct err *e)
{
	int dir = dir_of(cg, "memory"), r;

	if (dir < 0)
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP,
			       "watch for OOM: the memory controller is not available");
	r = cg->host->mode == CGROUP_V2 ? v2_oom_fd(dir) : v1_oom_fd(dir);
	return r < 0 ? err_sys(e, r, "watch cgroup '%s' for OOM", cg->path) : r;
}

void cgroup_oom_clear(int fd)
{
	char buf[4096];

	while (sys_read(fd, buf, sizeof buf) > 0)
		;
}
