/* A client's FIFO; see fifo.h. */
#include "fifo.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "err.h"
#include "fd.h"
#include "sys.h"

enum { FIRST_STEP_MS = 10, LAST_STEP_MS = 1000 };

int fifo_open(const char *path, struct err *e)
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	struct stat st;
	int r = fd;

	if (r >= 0)
		r = sys_fstat(fd, &st);
	if (r < 0)
		return err_sys(e, r, "open '%s'", path);
	if (!S_ISFIFO(st.st_mode))
		return err_set(e, ERR_INVALID, 0, "'%s' is no FIFO", path);
	return take_fd(&fd);
}

int fifo_open_again(int fd, int flags)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return sys_openat(AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC, 0);
}

bool fifo_is_clients(int fd, struct stat *ret)
{
	return fd >= 0 && sys_fstat(fd, ret) >= 0 && S_ISFIFO(ret->st_mode) &&
	       (sys_fcntl(fd, F_GETFL, 0) & O_ACCMODE) == O_RDWR;
}

int fifo_waiting_bytes(int fd)
{
	int n = 0;

	return sys_ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* ---- late clients --------------------------------------------------------- */

static unsigned n_limited;

static bool is_limited(const struct fifo_late *l)
{
	return l->limit != UINT32_MAX;
}

static bool has_reader(int writer)
{
	struct pollfd p = { .fd = writer, .events = POLLOUT };

	return sys_poll(&p, 1, 0) >= 0 && !(p.revents & POLLERR);
}

static int look(struct source *src, uint32_t events)
{
	struct fifo_late *l = (struct fifo_late *)((char *)src - offsetof(struct fifo_late, look));
	bool read = has_reader(l->writer);

	if (!read && l->limit) {
		l->step = !l->step ? FIRST_STEP_MS : l->step < LAST_STEP_MS / 2 ? 2 * l->step : LAST_STEP_MS;
		if (l->step > l->limit)
			l->step = l->limit;
		l->limit -= is_limited(l) ? l->step : 0;
		return source_timer(&l->look, l->loop, l->step, look);
	}
	if (read && fifo_waiting_bytes(l->writer))
		l->unread = fifo_open_again(l->writer, O_RDONLY);
	fd_closep(&l->writer);
	n_limited -= is_limited(l);
	if (is_limited(l))
		l->over(l);
	return 0;
}

void fifo_late_begin(struct fifo_late *l, struct loop *loop, int fd)
{
	OWN_FD both = fd;

	l->writer = fifo_open_again(both, O_WRONLY);
	fd_closep(&both); /* which is a reader, too */
	l->loop = loop;
	if (l->writer >= 0)
		look(&l->look, 0);
}

void fifo_late_limit(struct fifo_late *l, fifo_late_fn *over)
{
	if (!fifo_late_is_waiting(l) || n_limited >= FIFO_LATE_MAX) {
		fifo_late_end(l);
		return;
	}
	n_limited++;
	l->limit = FIFO_LATE_MS;
	l->over = over;
}

void fifo_late_end(struct fifo_late *l)
{
	if (fifo_late_is_waiting(l)) {
		source_remove(&l->look);
		n_limited -= is_limited(l);
	}
	fd_closep(&l->writer);
	fd_closep(&l->unread);
}
