/* The directories and files of one cgroup; see cgroup_files.h. */
#include "cgroup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "dir.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "sys.h"

int cgroup_dir_path(char buf[PATH_MAX], const struct cgroup *cg, size_t i)
{
	size_t above = strlen(cg->host->h[i].mountpoint), below = strlen(cg->path);

	if (above + below >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(buf, cg->host->h[i].mountpoint, above);
	memcpy(buf + above, cg->path, below + 1);
	return 0;
}

bool cgroup_is_threaded(int dir)
{
	char type[32];

	return file_read_line(dir, "cgroup.type", type, sizeof type) > 0 && !strcmp(type, "threaded");
}

enum { CPUSET_MAX = 4096 };

/* The next child directory, NULL at the end (or on an error: r->n < 0). */
static const struct dir_entry *next_child(struct dir_reader *r)
{
	const struct dir_entry *d;

	while ((d = dir_next(r)) && d->type != DT_DIR)
		;
	return d;
}

static int open_dir(int dir, const char *name)
{
	return sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* kernfs counts child directories as links, so a leaf is known without a
 * directory read. */
static bool is_leaf(int dir)
{
	struct stat st;

	return sys_fstat(dir, &st) == 0 && st.st_nlink == 2;
}

static int walk(int dir, int depth, int (*visit)(int dir, void *ctx), void *ctx)
{
	struct dir_reader rd = { .fd = -1 };
	const struct dir_entry *d;
	int r = visit(dir, ctx);

	if (r != 0 || is_leaf(dir))
		return is_gone(r) ? 0 : r;
	if (depth == CGROUP_MAX_DEPTH)
		return -ELOOP;
	rd.fd = open_dir(dir, ".");
	if (rd.fd < 0)
		return is_gone(rd.fd) ? 0 : rd.fd;
	while (r == 0 && (d = next_child(&rd))) {
		OWN_FD child = open_dir(dir, d->name);

		if (child >= 0)
			r = walk(child, depth + 1, visit, ctx);
		else if (!is_gone(child))
			r = child;
	}
	if (r == 0 && rd.n < 0 && !is_gone((int)rd.n))
		r = (int)rd.n;
	sys_close(rd.fd);
	return r;
}

int cgroup_walk(int dir, int (*visit)(int dir, void *ctx), void *ctx)
{
	return walk(dir, 0, visit, ctx);
}

/* Removes the children of `dir` that have none themselves. Returns an open fd
 * of one that has, -EBUSY if that one is `came_from` (nothing is below it any
 * more, so it holds processes), -ENOENT when no child is left. */
static int remove_leaves(int dir, ino_t came_from)
{
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;

	while ((d = next_child(&rd))) {
		int r = sys_unlinkat(dir, d->name, AT_REMOVEDIR);

		if (r == 0 || is_gone(r))
			continue;
		if (r != -EBUSY && r != -ENOTEMPTY)
			return r;
		if (d->ino == came_from)
			return -EBUSY;
		r = open_dir(dir, d->name);
		if (!is_gone(r))
			return r;
	}
	return rd.n < 0 ? (int)rd.n : -ENOENT;
}

/* Down to where nothing is below, and up again by "..", with one fd: a
 * container may have nested its cgroups deeper than fds or a stack would
 * reach. A cgroup cannot be moved to another parent, so ".." is safe. */
int cgroup_remove_children(int dir)
{
	OWN_FD cur = open_dir(dir, ".");
	ino_t came_from = 0;
	size_t depth = 0;
	struct stat st;
	int next;

	if (cur < 0)
		return is_gone(cur) ? 0 : cur;
	for (;;) {
		next = remove_leaves(cur, came_from);
		came_from = 0;
		if (next >= 0) {
			depth++;
		} else if (next != -ENOENT || depth == 0) {
			return next == -ENOENT ? 0 : next;
		} else {
			depth--;
			if (sys_fstat(cur, &st) == 0)
				came_from = st.st_ino;
			next = open_dir(cur, "..");
			if (next < 0)
				return next;
		}
		sys_close(cur);
		cur = next;
	}
}

/* Copies one of cpus and mems down from where it is set; buf then has it. */
static int inherit_file(int dir, const char *file, char buf[CPUSET_MAX], int depth)
{
	OWN_FD parent = -1;
	ssize_t n = file_read_line(dir, file, buf, CPUSET_MAX);
	int r;

	if (n != 0)
		return n < 0 ? (int)n : 0;
	if (depth == CGROUP_MAX_DEPTH)
		return -ELOOP;
	parent = open_dir(dir, "..");
	if (parent < 0)
		return parent;
	r = inherit_file(parent, file, buf, depth + 1);
	return r < 0 ? r : file_write_string(dir, file, buf);
}

/* The kernel fills a new cpuset itself below a parent with
 * cgroup.clone_children, which cgroup_create() sets in the parents it makes:
 * then this is two reads. */
int cgroup_inherit_cpuset(int dir)
{
	char buf[CPUSET_MAX];
	int r = inherit_file(dir, "cpuset.cpus", buf, 0);

	return r < 0 ? r : inherit_file(dir, "cpuset.mems", buf, 0);
}

/* "a b c" -> "+a +b +c" in one write; if the kernel refuses, one by one: what
 * then is still missing is reported by the limit that needs it. */
static void enable_all(int dir, const char *controllers)
{
	char all[512], one[64];
	size_t n = 0;

	for (const char *p = controllers; *p;) {
		size_t len = strcspn(p, " ");

		if (n + len + 3 < sizeof all)
			n += (size_t)snprintf(all + n, sizeof all - n, "%s+%.*s", n ? " " : "",
					      (int)len, p);
		p += len + (p[len] == ' ');
	}
	if (!n || file_write_string(dir, "cgroup.subtree_control", all) == 0)
		return;
	for (const char *p = controllers; *p;) {
		size_t len = strcspn(p, " ");

		snprintf(one, sizeof one, "+%.*s", (int)len, p);
		file_write_string(dir, "cgroup.subtree_control", one);
		p += len + (p[len] == ' ');
	}
}

/* A cgroup below one with processes becomes "domain invalid"; only as
 * "threaded" can it take processes at all (as runc decides it). */
static int settle_type(int dir, const char *path, struct err *e)
{
	char type[64];
	int r;

	if (file_read_line(dir, "cgroup.type", type, sizeof type) < 0 ||
	    strcmp(type, "domain invalid") != 0)
		return 0;
	r = file_write_string(dir, "cgroup.type", "threaded");
	if (r < 0)
		return err_set(e, ERR_INVALID, r,
			       "the cgroup '%s' is invalid: a parent holds processes", path);
	return 0;
}

int cgroup_enable_controllers(const struct cgroup *cg, struct err *e)
{
	const char *want = cg->host->v2_controllers ? cg->host->v2_controllers : "";
	char have[512], path[PATH_MAX];
	size_t root;
	int r = cgroup_dir_path(path, cg, 0);

	if (r < 0)
		return err_sys(e, r, "enable the controllers of cgroup '%s'", cg->path);
	/* Usually the parents have done it for an earlier container. */
	if (file_read_line(cg->fd[0], "cgroup.controllers", have, sizeof have) >= 0 &&
	    !strcmp(have, want))
		return 0;
	root = strlen(cg->host->h[0].mountpoint);
	for (char *slash = path + root; slash; slash = strchr(slash + 1, '/')) {
		OWN_FD dir = -1;

		*slash = '\0';
		dir = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		*slash = '/';
		if (dir >= 0)
			enable_all(dir, want);
	}
	return settle_type(cg->fd[0], cg->path, e);
}
