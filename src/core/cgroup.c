/*
 * Making, opening, joining and removing one container's cgroup in every
 * hierarchy of the host. Directories are reached by their whole path below the
 * mountpoint, one system call each; the rest goes through directory fds.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cgroup_files.h"
#include "clock.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "str.h"
#include "sys.h"

enum how {
	WHOLE, /* everywhere or nowhere; processes in it are an error */
	PARTIAL, /* where it may be written */
	ADOPT, /* as WHOLE, but it may be there and in use */
};

static int cgroup_init(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		       struct err *e)
{
	*cg = (struct cgroup){ .host = host, .lock = -1 };
	for (size_t i = 0; i < CGROUP_MAX_HIERARCHIES; i++)
		cg->fd[i] = -1;
	cg->path = strdup(path);
	return cg->path ? 0 : err_sys(e, -ENOMEM, "cgroup '%s'", path);
}

void cgroup_done(struct cgroup *cg)
{
	if (!cg->path)
		return;
	for (size_t i = 0; i < CGROUP_MAX_HIERARCHIES; i++)
		fd_closep(&cg->fd[i]);
	fd_closep(&cg->lock);
	free(cg->path);
	cg->path = NULL;
}

int cgroup_fd(const struct cgroup *cg, size_t i)
{
	int *fd = (int *)(uintptr_t)&cg->fd[i];
	char path[PATH_MAX];

	if (*fd != CGROUP_NOT_OPENED)
		return *fd;
	*fd = cgroup_dir_path(path, cg, i) < 0 ?
		      -1 :
		      sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return *fd < 0 ? *fd = -1 : *fd;
}

static bool has_controller(const struct cgroup *cg, size_t i, const char *controller)
{
	return cg->host->mode == CGROUP_V1 &&
	       cgroup_hierarchy_of(cg->host, controller) == (int)i;
}

/* Makes what is missing above the last component. */
static int make_parents(struct cgroup *cg, size_t i, char *path)
{
	char *slash = path + strlen(cg->host->h[i].mountpoint);
	char *last = strrchr(path, '/');
	size_t n = 0;
	int r = 0;

	while (r >= 0 && (slash = strchr(slash + 1, '/')) && slash <= last) {
		*slash = '\0';
		r = sys_mkdirat(AT_FDCWD, path, 0755);
		if (r == 0) {
			n++;
			if (has_controller(cg, i, "cpuset")) {
				OWN_FD dir = sys_openat(AT_FDCWD, path,
							O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

				r = dir < 0 ? dir : cgroup_inherit_cpuset(dir);
				if (r == 0)
					file_write_string(dir, "cgroup.clone_children", "1");
			}
		} else if (r == -EEXIST) {
			r = 0;
		}
		*slash = '/';
	}
	if (n > cg->parents[i]) /* those of an earlier try are among them, or above */
		cg->parents[i] = n;
	return r;
}

static int make_dir(struct cgroup *cg, size_t i, char *path)
{
	/* Somebody else's undo may remove a parent between our two calls. */
	for (int tries = 0;; tries++) {
		int r = sys_mkdirat(AT_FDCWD, path, 0755);

		if (r == 0)
			cg->made[i] = true;
		if (r == 0 || r == -EEXIST)
			return 0;
		if (r != -ENOENT || tries == 3)
			return r;
		r = make_parents(cg, i, path);
		if (r < 0)
			return r;
	}
}

static int count_procs(int dir, void *ctx)
{
	char buf[4096];
	ssize_t n = file_read_line(dir, "cgroup.procs", buf, sizeof buf);

	if (n == -EOPNOTSUPP)
		n = file_read_line(dir, "cgroup.threads", buf, sizeof buf);
	if (n < 0 && n != -EFBIG)
		return (int)n;
	if (n)
		*(bool *)ctx = true;
	return n ? 1 : 0;
}

/* As runc: limits of one container must not hit another's processes. */
static int check_empty(const struct cgroup *cg, size_t i, struct err *e)
{
	bool used = false;
	int r = cgroup_walk(cg->fd[i], count_procs, &used);

	if (r < 0)
		return err_sys(e, r, "look into cgroup '%s'", cg->path);
	if (used)
		return err_set(e, ERR_EXISTS, -EBUSY,
			       "the container's cgroup '%s' is not empty: processes are in it",
			       cg->path);
	return 0;
}

static int check_thawed(const struct cgroup *cg, size_t i, struct err *e)
{
	char state[32];

	if (has_controller(cg, i, "freezer") &&
	    file_read_line(cg->fd[i], "freezer.state", state, sizeof state) > 0 &&
	    strcmp(state, "THAWED") != 0)
		return err_set(e, ERR_STATE, -EBUSY, "the container's cgroup '%s' is frozen",
			       cg->path);
	return 0;
}

/* Of two that find it empty one goes on. Whose mkdir made it does not matter:
 * it is the other's now. */
static int lock_dir(struct cgroup *cg, size_t i, struct err *e)
{
	int r = sys_openat(cg->fd[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (r >= 0) {
		cg->lock = r;
		r = sys_flock(r, LOCK_EX | LOCK_NB);
	}
	if (r == -EWOULDBLOCK) {
		cg->made[i] = false;
		return err_set(e, ERR_EXISTS, -EBUSY,
			       "the container's cgroup '%s' is not free: another container is being made in it",
			       cg->path);
	}
	return r < 0 ? err_sys(e, r, "lock cgroup '%s'", cg->path) : 0;
}

static int make_one(struct cgroup *cg, size_t i, enum how how, struct err *e)
{
	const char *names = *cg->host->h[i].controllers ? cg->host->h[i].controllers : "v2";
	char path[PATH_MAX];
	int r = cgroup_dir_path(path, cg, i);

	if (r == 0)
		r = make_dir(cg, i, path);
	if (r < 0)
		return err_sys(e, r, "make cgroup '%s' (%s)", path, names);
	/* What else there may be to do is for the first, and for v2 and cpuset. */
	if (cg->made[i] && cg->lock >= 0 && cg->host->mode == CGROUP_V1 && !has_controller(cg, i, "cpuset")) {
		cg->fd[i] = CGROUP_NOT_OPENED;
		return 0;
	}
	cg->fd[i] = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (cg->fd[i] < 0)
		return err_sys(e, cg->fd[i], "open cgroup '%s' (%s)", path, names);
	if (cg->lock < 0 && how != ADOPT) {
		r = lock_dir(cg, i, e);
		if (r < 0)
			return r;
	}
	if (!cg->made[i] && how != ADOPT) {
		r = check_empty(cg, i, e);
		if (r == 0)
			r = check_thawed(cg, i, e);
		if (r < 0)
			return r;
	}
	if (cg->host->mode == CGROUP_V2)
		return cgroup_enable_controllers(cg, e);
	if (has_controller(cg, i, "cpuset")) {
		r = cgroup_inherit_cpuset(cg->fd[i]);
		if (r < 0)
			return err_sys(e, r, "inherit the cpuset of '%s'", path);
	}
	return 0;
}

static void remove_parents_in(struct cgroup *cg, size_t i)
{
	char path[PATH_MAX];

	if (cgroup_dir_path(path, cg, i) < 0)
		return;
	for (; cg->parents[i]; cg->parents[i]--) {
		*strrchr(path, '/') = '\0';
		if (sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0)
			break; /* another container is in it */
	}
}

void cgroup_remove_parents(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->host->n; i++)
		remove_parents_in(cg, i);
}

static void undo_one(struct cgroup *cg, size_t i)
{
	char path[PATH_MAX];

	fd_closep(&cg->fd[i]);
	if (cg->made[i] && cgroup_dir_path(path, cg, i) >= 0)
		sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	cg->made[i] = false;
	remove_parents_in(cg, i);
}

static bool is_forbidden(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

static int create(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		  enum how how, struct err *e)
{
	size_t n_made = 0;
	int r = 0;

	if (cgroup_init(cg, host, path, e) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < host->n; i++) {
		r = make_one(cg, i, how, e);
		if (r == 0) {
			n_made++;
		} else if (how == PARTIAL && is_forbidden(r)) {
			undo_one(cg, i);
		} else {
			n_made = 0;
			break;
		}
	}
	if (n_made || !host->n)
		return 0;
	for (size_t i = host->n; i-- > 0;)
		undo_one(cg, i);
	cgroup_done(cg);
	return r;
}

int cgroup_create(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		  struct err *e)
{
	return create(cg, host, path, WHOLE, e);
}

int cgroup_create_partial(struct cgroup *cg, const struct cgroup_host *host, const char *path,
			  struct err *e)
{
	return create(cg, host, path, PARTIAL, e);
}

int cgroup_adopt(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		 struct err *e)
{
	return create(cg, host, path, ADOPT, e);
}

/* Absent is fine: fd -1. */
static int open_hierarchy(struct cgroup *cg, size_t i, struct err *e)
{
	char dir[PATH_MAX];
	int r = cgroup_dir_path(dir, cg, i);

	if (r == 0)
		r = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (r >= 0)
		cg->fd[i] = r;
	else if (r != -ENOENT)
		return err_sys(e, r, "open cgroup '%s'", dir);
	return 0;
}

int cgroup_open(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		struct err *e)
{
	int r = cgroup_init(cg, host, path, e);

	for (size_t i = 0; r >= 0 && i < host->n; i++)
		r = open_hierarchy(cg, i, e);
	if (r < 0)
		cgroup_done(cg);
	return r;
}

int cgroup_open_only(struct cgroup *cg, const struct cgroup_host *host, const char *path,
		     const char *controller, struct err *e)
{
	int i = cgroup_hierarchy_of(host, controller), r = cgroup_init(cg, host, path, e);

	if (r >= 0 && i >= 0)
		r = open_hierarchy(cg, (size_t)i, e);
	if (r < 0)
		cgroup_done(cg);
	return r;
}

/* "0::/path" of /proc/PID/cgroup, as seen from our own cgroup namespace. */
int cgroup_open_of(struct cgroup *cg, const struct cgroup_host *host, pid_t pid, struct err *e)
{
	char name[64], buf[PATH_MAX + 16], *path;
	ssize_t n;

	*cg = (struct cgroup){ .host = host };
	snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
	n = file_read_line(AT_FDCWD, name, buf, sizeof buf);
	if (n < 0)
		return err_sys(e, (int)n, "read '%s'", name);
	path = strstr(buf, "0::/");
	if (host->mode != CGROUP_V2 || !path || strstr(path, "/.."))
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP, "the cgroup of process %d cannot be reached",
			       (int)pid);
	path += strlen("0::");
	path[strcspn(path, "\n")] = '\0';
	return cgroup_open(cg, host, path, e);
}

static int give(const struct cgroup *cg, const char *file, uid_t uid, struct err *e)
{
	int r = sys_fchownat(cg->fd[0], file, uid, (gid_t)-1, *file ? 0 : AT_EMPTY_PATH);

	if (r < 0 && r != -ENOENT)
		return err_sys(e, r, "give '%s' of cgroup '%s' to user %u", file, cg->path,
			       (unsigned)uid);
	return 0;
}

int cgroup_delegate(const struct cgroup *cg, uid_t uid, struct err *e)
{
	char list[4096], *rest = list, *file;
	int r;

	if (cg->host->mode != CGROUP_V2)
		return 0;
	/* The list of 4.15; what is read instead can only be longer. */
	if (file_read_line(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof list) < 0)
		strcpy(list, "cgroup.procs\ncgroup.threads\ncgroup.subtree_control");
	r = give(cg, "", uid, e);
	while (r == 0 && (file = strsep(&rest, "\n")))
		r = strchr(file, '/') || !*file ? 0 : give(cg, file, uid, e);
	return r;
}

static int open_join(const struct cgroup *cg, size_t i, const char *file)
{
	char path[PATH_MAX + 16];
	int r;

	if (cg->fd[i] != CGROUP_NOT_OPENED)
		return sys_openat(cg->fd[i], file, O_WRONLY | O_CLOEXEC, 0);
	r = cgroup_dir_path(path, cg, i);
	return r < 0 ? r : sys_openat(AT_FDCWD, strcat(strcat(path, "/"), file), O_WRONLY | O_CLOEXEC, 0);
}

int cgroup_join_fds(const struct cgroup *cg, int fds[CGROUP_MAX_HIERARCHIES], struct err *e)
{
	const char *file = cg->host->mode == CGROUP_V2 ? "cgroup.procs" : "tasks";
	int n = 0;

	for (size_t i = 0; i < cg->host->n; i++) {
		int fd;

		if (cg->fd[i] == -1)
			continue;
		fd = open_join(cg, i, file);
		if (fd < 0) {
			while (n > 0)
				sys_close(fds[--n]);
			return err_sys(e, fd, "open '%s' of cgroup '%s' (%s)", file, cg->path,
				       cg->host->h[i].controllers);
		}
		fds[n++] = fd;
	}
	return n;
}

bool cgroup_may_join(const struct cgroup *cg)
{
	const char *own = cg->host->n ? cg->host->h[0].own : NULL;
	char path[PATH_MAX];
	size_t common = 0;

	if (cg->host->mode != CGROUP_V2 || !own)
		return true;
	for (size_t i = 0; own[i] == cg->path[i] && own[i]; i++)
		if ((own[i + 1] == '/' || !own[i + 1]) && (cg->path[i + 1] == '/' || !cg->path[i + 1]))
			common = i + 1;
	snprintf(path, sizeof path, "%s%.*s/cgroup.procs", cg->host->h[0].mountpoint, (int)common,
		 cg->path);
	return sys_faccessat(AT_FDCWD, path, W_OK) == 0;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	return cg->host->mode == CGROUP_V2 ? cg->fd[0] : -1;
}

/* The usual case is one rmdir. Children are looked for only when it fails. */
static int remove_dir(const char *path)
{
	OWN_FD dir = -1;
	int r = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);

	if (r != -EBUSY && r != -ENOTEMPTY)
		return r == -ENOENT ? 0 : r;
	dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	r = cgroup_remove_children(dir);
	if (r < 0)
		return r;
	r = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	return r == -ENOENT ? 0 : r;
}

/* Leaving a cgroup is over a moment after the last process was reaped; the
 * kernel offers nothing to wait on for that moment. */
static int remove_until(const char *path, int64_t deadline)
{
	long pause_us = 50;

	for (;;) {
		struct timespec ts = { 0, pause_us * 1000 };
		int r = remove_dir(path);

		if (r != -EBUSY || clock_ms() >= deadline)
			return r;
		nanosleep(&ts, NULL);
		if (pause_us < 10000)
			pause_us *= 2;
	}
}

/* The parent that nobody asked for goes with the last container in it; one that
 * is being made there makes it again (make_dir). */
static void remove_default_parent(const struct cgroup *cg)
{
	const char prefix[] = CGROUP_DEFAULT_PARENT "/";
	char path[PATH_MAX];

	if (!str_starts(cg->path, prefix) || strchr(cg->path + strlen(prefix), '/'))
		return;
	for (size_t i = 0; i < cg->host->n; i++) {
		snprintf(path, sizeof path, "%s" CGROUP_DEFAULT_PARENT, cg->host->h[i].mountpoint);
		sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	}
}

int cgroup_destroy(struct cgroup *cg, int ms, struct err *e)
{
	int64_t deadline = 0;
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < cg->host->n; i++) {
		int one = cgroup_dir_path(path, cg, i);

		if (one == 0)
			one = remove_dir(path);
		if (one == -EBUSY && !deadline && ms > 0) {
			deadline = clock_ms() + ms;
			cgroup_wait_empty(cg, ms, NULL);
		}
		if (one == -EBUSY && deadline)
			one = remove_until(path, deadline);
		if (one < 0 && r == 0)
			r = err_sys(e, one, "remove cgroup '%s'", path);
	}
	remove_default_parent(cg);
	return r;
}

int cgroup_remove(const struct cgroup *cg)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cg->host->n; i++) {
		r = cgroup_dir_path(path, cg, i);
		if (r >= 0)
			r = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
		if (r == -ENOENT)
			r = 0;
	}
	if (r >= 0)
		remove_default_parent(cg);
	return r;
}
