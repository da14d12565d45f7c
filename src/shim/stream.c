/* A standard stream between process and client; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "err.h"
#include "fd.h"
#include "sys.h"

/* At most this at a time, so that one busy stream leaves the others their turn. */
enum { MOVE_MAX = 1 << 20 };

/* ---- the client's side ---------------------------------------------------- */

int stream_open(const char *path, struct err *e)
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

/* ---- moving --------------------------------------------------------------- */

static int on_ready(struct source *src, uint32_t events);

static int waiting_bytes(int fd)
{
	int n = 0;

	return sys_ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* The same FIFO for one direction alone. */
static int open_again(int fd, int flags)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return sys_openat(AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC, 0);
}

/* A client's, as opposed to a process's own pipe. */
static bool is_fifo(int fd)
{
	struct stat st;

	return fd >= 0 && sys_fstat(fd, &st) >= 0 && S_ISFIFO(st.st_mode) &&
	       (sys_fcntl(fd, F_GETFL, 0) & O_ACCMODE) == O_RDWR;
}

/* No writer is left: the client sees the end, after what is still in there. */
static void close_client(struct stream *s)
{
	if (s->unread < 0 && is_fifo(s->to) && waiting_bytes(s->to))
		s->unread = open_again(s->to, O_RDONLY);
	fd_closep(&s->to);
}

static void close_all(struct stream *s)
{
	source_remove(&s->src);
	fd_closep(&s->from);
	close_client(s);
}

static int wait_for(struct stream *s, int fd, uint32_t events)
{
	if (s->src.loop && s->src.fd == fd)
		return 0;
	source_remove(&s->src);
	return source_fd(&s->src, s->loop, fd, events, on_ready);
}

/* The client sees the end; whoever still writes is not to notice. */
static int to_nowhere(struct stream *s)
{
	int null = sys_openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC, 0);

	if (null < 0)
		return null;
	source_remove(&s->src);
	close_client(s);
	s->to = null;
	s->nowhere = true;
	s->last = false;
	return wait_for(s, s->from, EPOLLIN);
}

static void tell(struct stream *s)
{
	stream_ended_fn *ended = s->ended;

	s->ended = NULL;
	if (ended)
		ended(s, s->ctx);
}

/* 0, or the end: a negative number. */
static int move(struct stream *s)
{
	ssize_t n = sys_splice(s->from, s->to, s->last && s->left < MOVE_MAX ? s->left : MOVE_MAX);
	bool empty;

	if (n > 0 && s->last)
		s->left -= (size_t)n;
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

	if (r >= 0 && s->last && !s->left)
		r = to_nowhere(s);
	if (r < 0)
		close_all(s);
	if (r < 0 && s->orphaned)
		stream_free(s);
	else if (stream_is_over(s))
		tell(s);
	return 0;
}

int stream_new(struct stream **ret, struct loop *l, int from, int to, stream_ended_fn *ended, void *ctx)
{
	struct stream *s = calloc(1, sizeof *s);
	int r;

	if (!s) {
		fd_closep(&from);
		fd_closep(&to);
		return -ENOMEM;
	}
	*s = (struct stream){ .loop = l, .from = from, .to = to, .unread = -1, .ended = ended, .ctx = ctx };
	r = wait_for(s, from, EPOLLIN);
	if (r == -EPERM) /* an ordinary file is always ready; epoll does not take it */
		r = wait_for(s, to, EPOLLOUT);
	if (r < 0)
		stream_free(s);
	else
		*ret = s;
	return r;
}

void stream_finish(struct stream *s)
{
	if (s->from >= 0 && !s->nowhere) {
		s->last = true;
		s->left = (size_t)waiting_bytes(s->from);
		if (!s->left && to_nowhere(s) < 0)
			close_all(s);
	}
	if (stream_is_over(s))
		tell(s);
}

void stream_end_input(struct stream *s)
{
	int fd;

	if (s->from < 0 || s->nowhere)
		return;
	fd = open_again(s->from, O_RDONLY);
	if (s->src.fd == s->from)
		source_remove(&s->src);
	fd_closep(&s->from); /* the FIFO's last writer, if no client has it open */
	s->from = fd < 0 ? -1 : fd;
	if (fd < 0 || (!s->src.loop && wait_for(s, fd, EPOLLIN) < 0))
		close_all(s);
}

static unsigned n_orphaned;

void stream_free(struct stream *s)
{
	n_orphaned -= s->orphaned;
	close_all(s);
	fd_closep(&s->unread);
	free(s);
}

void stream_let_go(struct stream *s)
{
	if (!s->nowhere || s->from < 0 || n_orphaned >= STREAMS_ORPHANED) {
		stream_free(s);
		return;
	}
	fd_closep(&s->unread);
	s->orphaned = true;
	n_orphaned++;
}
