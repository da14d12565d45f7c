/*
 * Loaded before the C library into a daemon that is tested: its clock of the day is
 * as many seconds off as the file $HARD_CLOCK says, and its files cannot be written below
 * $HARD_READ_ONLY.dir while the file $HARD_READ_ONLY is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long off(void)
{
	const char *path = getenv("HARD_CLOCK");
	char text[32] = "";
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	(void)!syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (r == 0 && clock == CLOCK_REALTIME)
		t->tv_sec += off();
	return r;
}

time_t time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

static int is_read_only(int fd)
{
	const char *flag = getenv("HARD_READ_ONLY");
	char link[64], path[4096], dir[4096];
	ssize_t n;

	if (!flag || syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) < 0)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	n = snprintf(dir, sizeof dir, "%s.dir/", flag);
	return !strncmp(path, dir, (size_t)n);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t at)
{
	if (is_read_only(fd)) {
		errno = EROFS;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, len, at);
}
