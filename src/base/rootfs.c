/* Paths below a root directory; see rootfs.h. */
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>

#include "fd.h"
#include "sys.h"

enum { MAX_DEPTH = 128, MAX_LINKS = 40, MAX_RETRIES = 32, PROC_ROOT_INO = 1 };
enum want { WANT_OPEN, WANT_DIR, WANT_FILE };

/* A walk in progress: the directories from the root to here, and what is left
 * to resolve. Each directory is held, so ".." never asks the file system. */
struct walk {
	int dir[MAX_DEPTH];
	int depth; /* dir[0] is the root, borrowed */
	int links;
	char rest[PATH_MAX];
};

static void pop_to(struct walk *w, int depth)
{
	while (w->depth > depth)
		sys_close(w->dir[w->depth--]);
}

static int push(struct walk *w, int fd)
{
	if (w->depth + 1 >= MAX_DEPTH) {
		sys_close(fd);
		return -ELOOP;
	}
	w->dir[++w->depth] = fd;
	return 0;
}

/* Takes the first component off w->rest. False at the end. */
static bool next_component(struct walk *w, char *name, bool *last)
{
	size_t skip = strspn(w->rest, "/"), len = strcspn(w->rest + skip, "/");
	const char *after = w->rest + skip + len;

	if (!len || len > NAME_MAX)
		return false;
	memcpy(name, w->rest + skip, len);
	name[len] = '\0';
	*last = !after[strspn(after, "/")];
	memmove(w->rest, after, strlen(after) + 1);
	return true;
}

/* The links of procfs that lead where their text does not say are those of a
 * process; self, mounts and net in its first directory are like any other. */
static int check_magic(int dir, int link)
{
	struct statfs fs;
	struct stat st;
	int r = sys_fstatfs(link, &fs);

	if (r < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return r;
	r = sys_fstat(dir, &st);
	return r < 0 ? r : st.st_ino == PROC_ROOT_INO ? 0 : -ELOOP;
}

/* Puts the target of the symbolic link `fd` in front of the rest. */
static int follow(struct walk *w, int fd)
{
	char target[PATH_MAX];
	ssize_t n;
	int r = ++w->links > MAX_LINKS ? -ELOOP : check_magic(w->dir[w->depth], fd);

	if (r < 0)
		return r;
	n = sys_readlinkat(fd, "", target, sizeof target);
	if (n < 0)
		return (int)n;
	if ((size_t)n + 1 + strlen(w->rest) >= sizeof w->rest)
		return -ENAMETOOLONG;
	memmove(w->rest + n + 1, w->rest, strlen(w->rest) + 1);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	if (target[0] == '/')
		pop_to(w, 0);
	return 0;
}

/* Opens one component without following it; makes it when that is wanted. */
static int open_component(int dir, const char *name, bool last, enum want want,
			  mode_t mode)
{
	int fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0), r = 0;

	if (fd != -ENOENT || want == WANT_OPEN)
		return fd;
	if (last && want == WANT_FILE) {
		fd = sys_openat(dir, name,
				O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, mode);
		if (fd >= 0)
			sys_close(fd);
		else if (fd != -EEXIST)
			return fd;
	} else {
		r = sys_mkdirat(dir, name, last ? mode : 0755);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* The last component is pinned by the O_PATH fd `fd`; opens it for real and
 * checks that it is still the same object. */
static int reopen(int dir, const char *name, int fd, int flags)
{
	struct stat a, b;
	int real, r;

	real = sys_openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0);
	if (real < 0)
		return real;
	r = sys_fstat(fd, &a);
	if (r >= 0)
		r = sys_fstat(real, &b);
	if (r >= 0 && (a.st_dev != b.st_dev || a.st_ino != b.st_ino))
		r = -EAGAIN;
	if (r < 0) {
		sys_close(real);
		return r;
	}
	return real;
}

static int walk_on(struct walk *w, enum want want, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	struct stat st;
	bool last;
	int fd, r;

	while (next_component(w, name, &last)) {
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			pop_to(w, w->depth ? w->depth - 1 : 0);
			continue;
		}
		fd = open_component(w->dir[w->depth], name, last, want, mode);
		if (fd < 0)
			return fd;
		r = sys_fstat(fd, &st);
		if (r >= 0 && S_ISLNK(st.st_mode) && !(last && flags & O_NOFOLLOW)) {
			r = follow(w, fd);
			sys_close(fd);
		} else if (r >= 0 && last) {
			if (flags & O_DIRECTORY && !S_ISDIR(st.st_mode))
				r = -ENOTDIR;
			else if (flags & O_PATH)
				return fd;
			else
				r = reopen(w->dir[w->depth], name, fd, flags);
			sys_close(fd);
			return r;
		} else if (r >= 0) {
			r = push(w, fd);
		} else {
			sys_close(fd);
		}
		if (r < 0)
			return r;
	}
	if (w->rest[strspn(w->rest, "/")])
		return -ENAMETOOLONG;
	return sys_openat(w->dir[w->depth], ".", flags | O_CLOEXEC, 0);
}

static int walk(int root, const char *path, enum want want, int flags, mode_t mode)
{
	struct walk w;
	int fd;

	if (strlen(path) >= sizeof w.rest)
		return -ENAMETOOLONG;
	w.depth = w.links = 0;
	w.dir[0] = root;
	strcpy(w.rest, path);
	fd = walk_on(&w, want, flags, mode);
	pop_to(&w, 0);
	return fd;
}

int rootfs_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	/* EAGAIN: something was renamed while the kernel looked. A container
	 * that renames without end must not hold us up, so this is bounded. */
	do
		fd = sys_openat2(root, *path ? path : ".", &how);
	while ((fd == -EAGAIN || fd == -EINTR) && ++tries < MAX_RETRIES);
	if (sys_refused(fd) || fd == -EAGAIN)
		fd = walk(root, path, WANT_OPEN, flags, 0);
	return fd;
}

/* Splits off the last component. False when there is none to make: "/", ".",
 * "..", or one that is too long. */
static bool split(const char *path, char *dir, char *leaf)
{
	size_t len = strlen(path), at;

	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	if (at == len || len - at > NAME_MAX || at >= PATH_MAX)
		return false;
	memcpy(leaf, path + at, len - at);
	leaf[len - at] = '\0';
	memcpy(dir, path, at);
	dir[at] = '\0';
	if (!at)
		strcpy(dir, ".");
	return strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0;
}

/* The usual case, in three calls instead of a walk: only the last component is
 * missing. -ENOENT or -EEXIST: it was not that simple. */
static int make_in_parent(int root, const char *path, enum want want, mode_t mode)
{
	char dir[PATH_MAX], leaf[NAME_MAX + 1];
	int parent, r;

	if (!split(path, dir, leaf))
		return -ENOENT;
	parent = rootfs_open(root, dir, O_PATH | O_DIRECTORY);
	if (parent < 0)
		return parent;
	if (want == WANT_DIR) {
		r = sys_mkdirat(parent, leaf, mode);
	} else {
		r = sys_openat(parent, leaf, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC,
			       mode);
		if (r >= 0)
			sys_close(r);
	}
	if (r >= 0)
		r = sys_openat(parent, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	sys_close(parent);
	return r;
}

static int make(int root, const char *path, enum want want, mode_t mode)
{
	int fd = rootfs_open(root, path, O_PATH);

	if (fd == -ENOENT)
		fd = make_in_parent(root, path, want, mode);
	if (fd == -ENOENT || fd == -EEXIST) /* missing parents, or a dangling link */
		fd = walk(root, path, want, O_PATH, mode);
	return fd;
}

int rootfs_make_dir(int root, const char *path, mode_t mode)
{
	return make(root, path, WANT_DIR, mode);
}

int rootfs_make_file(int root, const char *path, mode_t mode)
{
	return make(root, path, WANT_FILE, mode);
}

void rootfs_forget(struct rootfs_dir *memory)
{
	fd_closep(&memory->fd);
}

bool rootfs_knows_parent(const struct rootfs_dir *memory, const char *path)
{
	char dir[PATH_MAX], leaf[NAME_MAX + 1];

	return memory->fd >= 0 && split(path, dir, leaf) && !strcmp(dir, memory->path);
}

int rootfs_parent(int root, struct rootfs_dir *memory, const char *path, char *leaf)
{
	char dir[PATH_MAX];

	if (!split(path, dir, leaf))
		return -EINVAL;
	if (memory->fd >= 0 && !strcmp(dir, memory->path))
		return memory->fd;
	rootfs_forget(memory);
	strcpy(memory->path, dir);
	return memory->fd = rootfs_make_dir(root, dir, 0755);
}
