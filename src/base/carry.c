/* Bytes between our standard streams and those of a process in the foreground. */
#include "carry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "sys.h"
#include "term.h"

enum { NO_ROOM_MS = 10, LAST_WORDS = 1 << 20 };

#define carry_of(s, member) ((struct carry *)(void *)((char *)(s)-offsetof(struct carry, member)))

static int never_block(int fd)
{
	int flags = sys_fcntl(fd, F_GETFL, 0);

	return flags < 0 ? flags : sys_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* ---- output ------------------------------------------------------------------ */

/* How much it took; -EAGAIN: it has no room, or not for what comes next. */
static ssize_t write_some(struct carry_output *o, const char *p, size_t len)
{
	struct carry *c = o->carry;
	int to = o->own >= 0 ? o->own : o->to;
	struct pollfd fds[] = { { .fd = to, .events = POLLOUT }, { .fd = c->signals, .events = POLLIN } };
	ssize_t n = sys_poll(fds, 2, c->ending ? 0 : -1);

	if (n >= 0 && fds[1].revents)
		n = c->hear(c);
	c->ending = c->ending || n == -ESRCH;
	if (n < 0 && n != -EINTR && n != -ESRCH)
		return n;
	if (!fds[0].revents)
		return -EAGAIN;
	n = sys_write(to, p, len < PIPE_BUF ? len : PIPE_BUF);
	if (n == -EAGAIN)
		sys_poll(&fds[1], 1, c->ending ? 0 : NO_ROOM_MS);
	return n;
}

/* Whoever reads this may stop reading: signals are still heard then, and one
 * that comes when the process is gone is for us to end: what can be written
 * still is, but nothing is waited for (-ESRCH). What a pipe says it has room for
 * is PIPE_BUF, so a write does not block; a terminal may have room for one byte,
 * so ours is one that does not block. */
static int write_out(struct carry_output *o, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write_some(o, p, len);

		if (n == -EAGAIN && o->carry->ending)
			return -ESRCH;
		if (n < 0 && n != -EINTR && n != -EAGAIN)
			return (int)n;
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* 0: no more for now, -EIO: nobody holds the other side any longer, or nobody
 * reads ours and the process is to hear of that. Bytes of a terminal that nobody
 * reads are dropped, so that the process does not hang. Once told to end, not for
 * ever: others may still write. */
static int copy_output(struct carry_output *o, bool all)
{
	char buf[8192];
	size_t rest = LAST_WORDS;

	do {
		ssize_t n = sys_read(o->from, buf, sizeof buf);
		int r;

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n ? (int)n : -EIO;
		r = write_out(o, buf, (size_t)n);
		if (r == -ESRCH || (r < 0 && !o->carry->terminal))
			return r;
		if (o->carry->ending)
			rest -= (size_t)n < rest ? (size_t)n : rest;
	} while (all && rest);
	return 0;
}

static void end_output(struct carry_output *o)
{
	source_remove(&o->src);
	if (!o->carry->terminal)
		fd_closep(&o->from);
	if (o->carry->output_ended)
		o->carry->output_ended(o->carry);
}

static int on_output(struct source *s, uint32_t events)
{
	struct carry_output *o = (struct carry_output *)(void *)((char *)s - offsetof(struct carry_output, src));

	/* nobody has the other side of a terminal open: it may be opened again, but
	 * a hang-up that is polled for would spin */
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && copy_output(o, false) < 0)
		end_output(o);
	return 0;
}

int carry_output(struct carry *c, int from, int to, struct err *e)
{
	struct carry_output *o = &c->out[c->n_out++];
	int r;

	*o = (struct carry_output){ .carry = c, .from = from, .to = to, .own = term_open_again(to) };
	r = never_block(from);
	if (r == 0)
		r = source_fd(&o->src, c->loop, from, EPOLLIN, on_output);
	return r < 0 ? err_sys(e, r, "watch the output") : 0;
}

/* ---- input --------------------------------------------------------------------- */

static int on_sink(struct source *s, uint32_t events);

/* Asks for input only while there is room, for room only while there is input. */
static void watch_input(struct carry *c)
{
	bool wants_room = c->has_input && (c->input_len || c->input_is_file);

	if (wants_room && !c->sink_src.loop)
		source_fd(&c->sink_src, c->loop, c->sink, EPOLLOUT, on_sink);
	else if (!wants_room)
		source_remove(&c->sink_src);
	if (c->input_src.loop)
		source_change(&c->input_src, c->input_len ? 0 : EPOLLIN);
}

/* A pipe's reader sees it; a process keeps its terminal. */
static void end_input(struct carry *c)
{
	source_remove(&c->input_src);
	source_remove(&c->sink_src);
	c->input_is_file = false;
	if (!c->terminal && c->has_input) {
		fd_closep(&c->sink);
		c->has_input = false;
		if (c->input_ended)
			c->input_ended(c);
	}
}

static void take_input(struct carry *c)
{
	ssize_t n = sys_read(STDIN_FILENO, c->input, sizeof c->input);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0)
		end_input(c);
	else
		c->input_len = (size_t)n;
}

static int write_input(struct carry *c)
{
	while (c->input_len) {
		ssize_t n = sys_write(c->sink, c->input, c->input_len);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		c->input_len -= (size_t)n;
		memmove(c->input, c->input + n, c->input_len);
	}
	return 0;
}

/* Nobody reads a pipe any more: what we are given is for nobody. */
static void pass_input(struct carry *c)
{
	if (write_input(c) < 0 && !c->terminal) {
		c->input_len = 0;
		end_input(c);
	}
	watch_input(c);
}

static int on_input(struct source *s, uint32_t events)
{
	struct carry *c = carry_of(s, input_src);

	if (!c->input_len)
		take_input(c);
	pass_input(c);
	return 0;
}

static int on_sink(struct source *s, uint32_t events)
{
	struct carry *c = carry_of(s, sink_src);

	if (events & EPOLLOUT && !c->input_len && c->input_is_file)
		take_input(c);
	pass_input(c);
	if (events & (EPOLLHUP | EPOLLERR) && c->terminal)
		source_remove(s);
	return 0;
}

int carry_input(struct carry *c, int sink, struct err *e)
{
	int r = never_block(sink);

	c->sink = sink;
	c->has_input = true;
	if (r == 0)
		r = source_fd(&c->input_src, c->loop, STDIN_FILENO, EPOLLIN, on_input);
	if (r == -EPERM) { /* a file, or /dev/null */
		c->input_is_file = true;
		watch_input(c);
		r = 0;
	}
	return r < 0 ? err_sys(e, r, "watch the standard input") : 0;
}

/* ---- the end --------------------------------------------------------------------- */

bool carry_has_output(const struct carry *c)
{
	for (size_t i = 0; i < c->n_out; i++)
		if (c->out[i].src.loop)
			return true;
	return false;
}

void carry_rest(struct carry *c)
{
	for (size_t i = 0; i < c->n_out; i++)
		if (c->out[i].from >= 0)
			copy_output(&c->out[i], true);
}

void carry_done(struct carry *c)
{
	source_remove(&c->input_src);
	source_remove(&c->sink_src);
	if (c->has_input)
		fd_closep(&c->sink);
	for (size_t i = 0; i < c->n_out; i++) {
		source_remove(&c->out[i].src);
		fd_closep(&c->out[i].from);
		fd_closep(&c->out[i].own);
	}
	c->n_out = 0;
	c->has_input = false;
}
