/* tmpcopyup: the contents of the directory below a tmpfs, copied into it. Of
 * devices, none where none can be made: in a user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dir.h"
#include "fd.h"
#include "init.h"
#include "sys.h"

enum { MAX_DEPTH = 64 };

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	OWN_FD in = sys_openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	OWN_FD out = -1;
	struct stat now;
	ssize_t n;

	if (in < 0)
		return in;
	n = sys_fstat(in, &now);
	if (n < 0 || !S_ISREG(now.st_mode)) /* exchanged since we looked */
		return n < 0 ? (int)n : -EAGAIN;
	out = sys_openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return out;
	while ((n = sys_sendfile(out, in, NULL, 1 << 20)) > 0 || n == -EINTR)
		;
	if (n < 0)
		return (int)n;
	n = sys_fchownat(out, "", st->st_uid, st->st_gid, AT_EMPTY_PATH);
	return n < 0 ? (int)n : sys_fchmod(out, st->st_mode & 07777);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = sys_readlinkat(from, name, target, sizeof target - 1);
	int r;

	if (n < 0)
		return (int)n;
	target[n] = '\0';
	r = sys_symlinkat(target, to, name);
	return r < 0 ? r : sys_fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

/* A FIFO, a socket, a device. */
static int copy_node(int to, const char *name, const struct stat *st)
{
	int r = sys_mknodat(to, name, st->st_mode, st->st_rdev);

	if (r == -EPERM && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
		return 0;
	return r < 0 ? r : sys_fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_tree(int from, int to, int depth);

static int copy_dir(int from, int to, const char *name, const struct stat *st, int depth)
{
	OWN_FD sub = -1, made = -1;
	int r = sys_mkdirat(to, name, 0700);

	if (r >= 0)
		sub = r = sys_openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r >= 0)
		made = r = sys_openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r >= 0)
		r = copy_tree(sub, made, depth + 1);
	if (r >= 0)
		r = sys_fchownat(made, "", st->st_uid, st->st_gid, AT_EMPTY_PATH);
	return r < 0 ? r : sys_fchmod(made, st->st_mode & 07777);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int r = sys_fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return depth < MAX_DEPTH ? copy_dir(from, to, name, &st, depth) : -ELOOP;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st);
	return copy_node(to, name, &st);
}

static int copy_tree(int from, int to, int depth)
{
	struct dir_reader rd = { .fd = from };
	const struct dir_entry *d;
	int r;

	while ((d = dir_next(&rd))) {
		r = copy_entry(from, to, d->name, depth);
		if (r < 0)
			return r;
	}
	return (int)rd.n;
}

int copy_up(int from, int to)
{
	OWN_FD source = sys_openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_FD target = -1;

	if (source < 0)
		return source;
	target = sys_openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return target < 0 ? target : copy_tree(source, target, 0);
}
