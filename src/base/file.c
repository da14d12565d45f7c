/* Files of the host; see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dir.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "sys.h"

int file_read(struct arena *a, int dir, const char *path, size_t max,
	      char **ret, size_t *ret_len, struct err *e)
{
	OWN_FD fd = sys_openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st;
	size_t cap;
	ssize_t n;
	char *buf;

	if (fd < 0)
		return err_sys(e, fd, "open '%s'", path);
	n = sys_fstat(fd, &st);
	if (n < 0)
		return err_sys(e, (int)n, "stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, 0, "'%s' is not a regular file", path);
	/* /proc and cgroup files say 0; they are small or read in one go. */
	cap = st.st_size > 0 ? (size_t)st.st_size : 64 * 1024;
	if (cap > max)
		return err_set(e, ERR_INVALID, -EFBIG, "read '%s'", path);
	for (;;) {
		buf = arena_alloc(a, cap + 1);
		if (!buf)
			return err_sys(e, -ENOMEM, "read '%s'", path);
		n = fd_read_all(fd, buf, cap);
		if (n != -EFBIG || cap >= max)
			break;
		cap = cap * 4 > max ? max : cap * 4;
		if (lseek(fd, 0, SEEK_SET) < 0)
			break;
	}
	if (n < 0)
		return err_sys(e, (int)n, "read '%s'", path);
	buf[n] = '\0';
	*ret = buf;
	if (ret_len)
		*ret_len = (size_t)n;
	return 0;
}

/* In pieces that double: how much will come is not known. */
int file_read_fd(struct arena *a, int fd, const char *name, size_t max,
		 char **ret, size_t *ret_len, struct err *e)
{
	char *buf = NULL;
	size_t cap = 0, len = 0;
	ssize_t n = 0;

	do {
		if (len == cap) {
			size_t more = cap ? cap * 2 : 4096;
			char *larger = arena_alloc(a, (more < max ? more : max) + 1);

			if (larger && len)
				memcpy(larger, buf, len);
			buf = larger;
			cap = more < max ? more : max;
		}
		n = buf ? sys_read(fd, buf + len, cap - len) : -ENOMEM;
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < max) || n == -EINTR);
	if (n > 0) /* there may be more */
		n = fd_read_all(fd, &(char){ 0 }, 0);
	if (n < 0)
		return err_sys(e, (int)n, "read '%s'", name);
	buf[len] = '\0';
	*ret = buf;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int file_path_of(struct arena *a, int fd, const char **ret, struct err *e)
{
	char link[32], buf[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = sys_readlinkat(AT_FDCWD, link, buf, sizeof buf);
	if (n == sizeof buf)
		n = -ENAMETOOLONG;
	if (n < 0)
		return err_sys(e, (int)n, "find the path of a file");
	*ret = arena_strndup(a, buf, (size_t)n);
	return *ret ? 0 : err_sys(e, -ENOMEM, "find the path of a file");
}

ssize_t file_read_line(int dir, const char *path, char *buf, size_t cap)
{
	OWN_FD fd = sys_openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_read_all(fd, buf, cap - 1);
	if (n < 0)
		return n;
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = '\0';
	return n;
}

int file_write_string(int dir, const char *path, const char *s)
{
	OWN_FD fd = sys_openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = sys_write(fd, s, strlen(s));
	while (n == -EINTR);
	return n < 0 ? (int)n : 0;
}

int file_replace(int dir, const char *name, const void *data, size_t len,
		 mode_t mode, struct err *e)
{
	char tmp[NAME_MAX + 1];
	OWN_FD fd = -1;
	int r;

	snprintf(tmp, sizeof tmp, ".%.200s.%d", name, (int)getpid());
	/* Somebody else's file of that name, or one of a writer that was killed,
	 * must not become ours. */
	fd = r = sys_openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (r == -EEXIST && sys_unlinkat(dir, tmp, 0) >= 0)
		fd = r = sys_openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (r >= 0)
		r = sys_fchmod(fd, mode); /* whatever the umask says */
	if (r >= 0)
		r = fd_write_all(fd, data, len);
	if (r >= 0)
		r = sys_renameat(dir, tmp, dir, name);
	if (r < 0) {
		sys_unlinkat(dir, tmp, 0);
		return err_sys(e, r, "write '%s'", name);
	}
	return 0;
}

int file_memory(const char *name)
{
	int fd = sys_memfd_create(name, 1 /* MFD_CLOEXEC */);

	if (sys_refused(fd))
		fd = sys_openat(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	return fd;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char buf[PATH_MAX];
	size_t len = strlen(path);
	int fd, r = 0;

	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0)
		return fd;
	if (len >= sizeof buf)
		return err_sys(e, -ENAMETOOLONG, "make directory '%.100s...'", path);
	memcpy(buf, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (buf[i] != '/' && buf[i] != '\0')
			continue;
		buf[i] = '\0';
		r = sys_mkdirat(AT_FDCWD, buf, mode);
		if (r < 0 && r != -EEXIST && r != -EROFS && r != -EACCES)
			return err_sys(e, r, "make directory '%s'", buf);
		if (i < len)
			buf[i] = '/';
	}
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, r < 0 && r != -EEXIST ? r : fd, "make directory '%s'", path);
	return fd;
}

/* A tree may be deeper than there are descriptors, or stack. */
enum { REMOVE_DEPTH = 64 };

struct removal {
	int top;
	dev_t dev;
	unsigned next; /* name for what is too deep, and moved to the top for its next pass */
	bool moved;
};

static int remove_children(struct removal *rm, int fd, int depth);

static int move_to_top(struct removal *rm, int dir, const char *name)
{
	char up[32];
	int r;

	do { /* by a name that is free */
		snprintf(up, sizeof up, ".removed.%u", rm->next++);
		r = sys_renameat(dir, name, rm->top, up);
	} while ((r == -EEXIST || r == -ENOTEMPTY || r == -ENOTDIR) && rm->next < UINT_MAX);
	rm->moved = rm->moved || r >= 0;
	return r;
}

/* Of the same file system, too. */
static bool is_mount(int fd)
{
	struct sys_statx st;

	return sys_statx(fd, "", AT_EMPTY_PATH, 0, &st) >= 0 && st.attributes & SYS_STATX_ATTR_MOUNT_ROOT;
}

static int remove_dir(struct removal *rm, int dir, const char *name, int depth)
{
	OWN_FD fd = sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;
	int r = fd < 0 ? fd : sys_fstat(fd, &st);

	if (r >= 0 && (st.st_dev != rm->dev || is_mount(fd)))
		r = -EBUSY;
	if (r >= 0)
		r = remove_children(rm, fd, depth);
	return r < 0 ? r : sys_unlinkat(dir, name, AT_REMOVEDIR);
}

static int remove_children(struct removal *rm, int fd, int depth)
{
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;
	int first = 0;

	while ((d = dir_next(&rd))) {
		int r = sys_unlinkat(fd, d->name, 0);

		if (r == -EISDIR || r == -EPERM)
			r = depth < REMOVE_DEPTH ? remove_dir(rm, fd, d->name, depth + 1) :
						   move_to_top(rm, fd, d->name);
		if (r < 0 && r != -ENOENT && !first)
			first = r;
	}
	return rd.n < 0 ? (int)rd.n : first;
}

int file_remove_tree(int dir, const char *name)
{
	struct removal rm = { 0 };
	struct stat st;
	int r;

	do {
		OWN_FD fd = sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

		if (fd < 0)
			return fd == -ENOENT ? 0 : fd;
		r = sys_fstat(fd, &st);
		rm.moved = false;
		rm.top = fd;
		rm.dev = st.st_dev;
		if (r >= 0)
			r = remove_children(&rm, fd, 0);
	} while (rm.moved);
	if (r >= 0)
		r = sys_unlinkat(dir, name, AT_REMOVEDIR);
	return r == -ENOENT ? 0 : r;
}
