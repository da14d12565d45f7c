/* A standard stream between process and client; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "fd.h"
#include "sys.h"

/* At most this at a time, so that one busy stream leaves the others their turn. */
enum { MOVE_MAX = 1 << 20 };

/* ---- moving --------------------------------------------------------------- */

static int on_ready(struct source *src, uint32_t events);

static struct stream *streams; /* all of this process */

static bool is_same_fifo(const struct stream *a, const struct stream *b)
{
	return a != b && a->ino && a->ino == b->ino && a->dev == b->dev;
}

/* The client sees the end, after what is still in there; that is left to the last of
 * those that move to its FIFO. */
static void close_client(struct stream *s)
{
	bool last = s->is_clients;

	for (const struct stream *o = streams; o; o = o->next)
		last = last && !(is_same_fifo(o, s) && o->is_clients);
	s->is_clients = false;
	if (last)
		fifo_late_begin(&s->late, s->loop, take_fd(&s->to));
	fd_closep(&s->to);
}

static unsigned n_orphaned; /* whose process's end is open */

static void close_all(struct stream *s)
{
	n_orphaned -= s->orphaned && s->from >= 0;
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
	empty = fifo_waiting_bytes(s->from) == 0;
	return wait_for(s, empty ? s->from : s->to, empty ? EPOLLIN : EPOLLOUT);
}

/* Nobody has it, and it has nothing more to do. */
static void free_if_done(struct stream *s)
{
	if (s->orphaned && s->from < 0 && !fifo_late_is_waiting(&s->late))
		stream_free(s);
}

static void on_late_over(struct fifo_late *l)
{
	free_if_done((struct stream *)((char *)l - offsetof(struct stream, late)));
}

static int on_ready(struct source *src, uint32_t events)
{
	struct stream *s = (struct stream *)((char *)src - offsetof(struct stream, src));
	int r = move(s);

	if (r >= 0 && s->last && !s->left)
		r = to_nowhere(s);
	if (r < 0)
		close_all(s);
	if (stream_is_over(s))
		tell(s);
	free_if_done(s);
	return 0;
}

/* Those that had its FIFO before leave the end to this one. */
static void begin(struct stream *s)
{
	struct stat st;

	s->is_clients = fifo_is_clients(s->to, &st);
	if (s->is_clients) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	for (struct stream *o = streams, *next; o; o = next) {
		next = o->next;
		if (is_same_fifo(o, s)) {
			fifo_late_end(&o->late);
			free_if_done(o);
		}
	}
	s->next = streams;
	s->link = &streams;
	if (streams)
		streams->link = &s->next;
	streams = s;
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
	*s = (struct stream){ .loop = l, .from = from, .to = to, .late = FIFO_LATE_INIT, .ended = ended, .ctx = ctx };
	begin(s);
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
		s->left = (size_t)fifo_waiting_bytes(s->from);
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
	fd = fifo_open_again(s->from, O_RDONLY);
	if (s->src.fd == s->from)
		source_remove(&s->src);
	fd_closep(&s->from); /* the FIFO's last writer, if no client has it open */
	s->from = fd < 0 ? -1 : fd;
	if (fd < 0 || (!s->src.loop && wait_for(s, fd, EPOLLIN) < 0))
		close_all(s);
}

void stream_free(struct stream *s)
{
	close_all(s);
	fifo_late_end(&s->late);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	free(s);
}

void stream_let_go(struct stream *s)
{
	s->ended = NULL;
	if (!s->nowhere || s->from < 0 || n_orphaned >= STREAMS_ORPHANED)
		close_all(s);
	fifo_late_limit(&s->late, on_late_over);
	s->orphaned = true;
	n_orphaned += s->from >= 0;
	free_if_done(s);
}
