/* A standard stream between process and client; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "err.h"
#include "fd.h"
#include "sys.h"

/* At most this at a time, so that one busy stream leaves the others their turn. */
enum { MOVE_MAX = 1 << 20 };

/* ---- the client's side ---------------------------------------------------- */

/* Both ends at once, so that neither open waits for the client. */
static int open_fifo(const char *path, int flags, int other, int *ret_other, struct err *e)
{
	struct stat st;
	OWN_FD both = -1;
	OWN_FD rest = -1;
	OWN_FD fd = -1;
	int r;

	both = r = sys_openat(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (r >= 0)
		r = sys_fstat(both, &st);
	if (r >= 0 && !S_ISFIFO(st.st_mode))
		return err_set(e, ERR_INVALID, 0, "'%s' is no FIFO", path);
	if (r >= 0)
		fd = r = sys_openat(AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC, 0);
	if (r >= 0)
		rest = r = sys_openat(AT_FDCWD, path, other | O_NONBLOCK | O_CLOEXEC, 0);
	if (r < 0)
		return err_sys(e, r, "open '%s'", path);
	*ret_other = take_fd(&rest);
	return take_fd(&fd);
}

int stream_open_output(const char *path, int *ret_hold, struct err *e)
{
	return open_fifo(path, O_WRONLY, O_RDONLY, ret_hold, e);
}

int stream_open_input(const char *path, int *ret_hold, struct err *e)
{
	return open_fifo(path, O_RDONLY, O_WRONLY, ret_hold, e);
}

/* ---- moving --------------------------------------------------------------- */

static int on_ready(struct source *src, uint32_t events);

static void close_all(struct stream *s)
{
	source_remove(&s->src);
	fd_closep(&s->from);
	fd_closep(&s->to);
	fd_closep(&s->hold);
}

static void end(struct stream *s)
{
	close_all(s);
	if (s->ended)
		s->ended(s);
}

static int wait_for(struct stream *s, int fd, uint32_t events)
{
	if (s->src.loop && s->src.fd == fd)
		return 0;
	source_remove(&s->src);
	return source_fd(&s->src, s->loop, fd, events, on_ready);
}

static int waiting_bytes(int fd)
{
	int n = 0;

	return sys_ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* 0, or the end: a negative number. */
static int move(struct stream *s)
{
	ssize_t n = sys_splice(s->from, s->to, s->last && s->left < MOVE_MAX ? s->left : MOVE_MAX);
	bool empty;

	if (n > 0 && s->last)
		s->left -= (size_t)n;
	if (s->last && !s->left)
		return -EPIPE;
	if (n > 0 || n == -EINTR)
		return 0;
	if (n != -EAGAIN)
		return n ? (int)n : -EPIPE;
	/* Nothing to read, or no room to write. */
	empty = waiting_bytes(s->from) == 0;
	return wait_for(s, empty ? s->from : s->to, empty ? EPOLLIN : EPOLLOUT);
}

static int on_ready(struct source *src, uint32_t events)
{
	struct stream *s = (struct stream *)((char *)src - offsetof(struct stream, src));
	int r = move(s);

	if (r < 0)
		end(s);
	return 0;
}

int stream_start(struct stream *s, struct loop *l, int from, int to, int hold, void (*ended)(struct stream *s),
		 void *ctx)
{
	int r;

	*s = (struct stream){ .loop = l, .from = from, .to = to, .hold = hold, .ended = ended, .ctx = ctx };
	r = wait_for(s, from, EPOLLIN);
	if (r == -EPERM) /* an ordinary file is always ready; epoll does not take it */
		r = wait_for(s, to, EPOLLOUT);
	if (r < 0)
		close_all(s);
	return r;
}

void stream_finish(struct stream *s)
{
	s->last = true;
	s->left = s->from < 0 ? 0 : (size_t)waiting_bytes(s->from);
	if (s->from >= 0 && !s->left)
		end(s);
}

void stream_close_hold(struct stream *s)
{
	fd_closep(&s->hold);
}

void stream_stop(struct stream *s)
{
	close_all(s);
}
