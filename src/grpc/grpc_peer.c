/* A connection of a gRPC server: nghttp2's session, and its socket; see grpc_peer.h. */
#include "grpc_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sys.h"

enum {
	TOGETHER = 64 << 10, /* bytes of one read or write */
	FRAME = 9 + (16 << 10), /* nghttp2 never gives more at once */
	TURN = 16, /* writes, then others have theirs */
	WINDOW = 1 << 20, /* of a stream; what comes is taken at once, within the bounds of requests */
	ALL_WINDOW = 4 << 20, /* of a connection */
	/* Frames, not of data, that a peer leaves unread: then nothing is read from it. */
	QUEUE_MAX = 4096,
	/* A client may cancel a thousand calls at once, and not only once. */
	RESETS = 10000,
	RESETS_PER_S = 1000,
	CONTINUATIONS = 8,
};

/* For reading and for writing, of every connection in its turn: the loop is one thread. */
static uint8_t buffer[TOGETHER + FRAME];

/* ---- nghttp2's callbacks -------------------------------------------------------- */

/* After a callback that has closed the connection there are no more. */
static int verdict(const struct grpc_peer *p)
{
	return p->fd < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
	struct grpc_peer *p = ctx;

	if (f->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_block_begin(&p->block);
	return verdict(p);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n_value, uint8_t flags, void *ctx)
{
	struct grpc_peer *p = ctx;

	/* A request's trailers say nothing. */
	if (f->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_block_add(&p->block, name, n_name, value, n_value);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
	bool is_end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct grpc_peer *p = ctx;
	struct grpc_stream *st;

	p->settled = true; /* the first one is SETTINGS */
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST) {
		grpc_request_begin(p, f->hd.stream_id, is_end);
	} else if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) && is_end) {
		st = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
		if (st)
			grpc_request_end(st);
	}
	return verdict(p);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *ctx)
{
	struct grpc_stream *st = nghttp2_session_get_stream_user_data(session, id);

	if (st)
		grpc_request_data(st, data, n);
	return verdict(ctx);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct grpc_stream *st = nghttp2_session_get_stream_user_data(session, id);

	if (st)
		grpc_stream_left(st);
	return verdict(ctx);
}

/* The client need not send the rest of what is answered; not sooner, as a reset may
 * overtake the trailers in it. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *f, void *ctx)
{
	int32_t id = f->hd.stream_id;

	if (f->hd.type != NGHTTP2_HEADERS || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	if (nghttp2_session_get_stream_remote_close(session, id) == 0)
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
	return 0;
}

int grpc_session_setup(struct grpc_server *s)
{
	nghttp2_session_callbacks *c;
	nghttp2_option *o;

	if (nghttp2_session_callbacks_new(&s->callbacks) || nghttp2_option_new(&s->options))
		return -ENOMEM;
	c = s->callbacks;
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	o = s->options;
	nghttp2_option_set_no_closed_streams(o, 1);
	/* nghttp2 refuses requests whose `:authority` is a path, which some clients of gRPC
	 * send for a unix socket; what we need of headers grpc_request.c checks. */
	nghttp2_option_set_no_http_messaging(o, 1);
	nghttp2_option_set_stream_reset_rate_limit(o, RESETS, RESETS_PER_S);
	nghttp2_option_set_max_continuations(o, CONTINUATIONS);
	return 0;
}

/* ---- writing -------------------------------------------------------------------- */

static int wait_for(struct grpc_peer *p)
{
	bool stuck = p->out && nghttp2_session_get_outbound_queue_size(p->session) > QUEUE_MAX;
	uint32_t events = (stuck ? 0 : EPOLLIN) | (p->out ? EPOLLOUT : 0);
	int r = events == p->events ? 0 : source_change(&p->io, events);

	if (r == 0)
		p->events = events;
	return r;
}

/* How many of them the socket took, or -errno. */
static ssize_t put(const struct grpc_peer *p, const uint8_t *data, size_t n)
{
	struct iovec iov = { (uint8_t *)(uintptr_t)data, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r = sys_sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	return r == -EAGAIN || r == -EINTR ? 0 : r;
}

/* What was left over. 1: it is sent. */
static int put_rest(struct grpc_peer *p)
{
	ssize_t n = put(p, p->out + p->out_sent, p->out_len - p->out_sent);

	if (n < 0)
		return (int)n;
	p->out_sent += (size_t)n;
	if (p->out_sent < p->out_len)
		return 0;
	free(p->out);
	p->out = NULL;
	grpc_peer_forget(p, true);
	return 1;
}

/* 1: there may be more; 0: not now. */
static int put_some(struct grpc_peer *p)
{
	size_t len = 0;
	ssize_t n;

	while (len < TOGETHER) {
		const uint8_t *data;

		n = nghttp2_session_mem_send(p->session, &data);
		if (n < 0)
			return -ENOMEM;
		if (!n)
			break;
		memcpy(buffer + len, data, (size_t)n);
		len += (size_t)n;
	}
	n = len ? put(p, buffer, len) : 0;
	if (n < 0 || !len)
		return (int)n;
	if ((size_t)n == len) {
		grpc_peer_forget(p, true);
		return len >= TOGETHER;
	}
	p->out_len = len - (size_t)n;
	p->out_sent = 0;
	p->out = malloc(p->out_len);
	if (!p->out)
		return -ENOMEM;
	memcpy(p->out, buffer + n, p->out_len);
	return 0;
}

static int put_all(struct grpc_peer *p)
{
	int r = 1;

	for (int i = 0; r > 0 && i < TURN; i++)
		r = p->out ? put_rest(p) : put_some(p);
	if (r > 0)
		grpc_peer_dirty(p); /* the rest in its next turn */
	return r;
}

void grpc_peer_flush(struct grpc_peer *p)
{
	int r;

	if (p->fd < 0)
		return;
	loop_owner_hold(&p->owner);
	r = p->broken ? -ENOMEM : put_all(p);
	if (r >= 0 && p->n_writable)
		grpc_peer_writable(p);
	if (r >= 0 && p->held)
		grpc_request_go_on(p);
	if (r >= 0 && p->fd >= 0 && !p->out && !nghttp2_session_want_read(p->session) &&
	    !nghttp2_session_want_write(p->session))
		r = -EPIPE; /* all is said */
	if (r >= 0 && p->fd >= 0)
		r = wait_for(p);
	if (r < 0)
		grpc_peer_close(p);
	loop_owner_drop(&p->owner);
}

void grpc_peer_dirty(struct grpc_peer *p)
{
	struct grpc_server *s = p->server;

	if (p->is_dirty || p->feeding || p->fd < 0)
		return;
	p->is_dirty = true;
	p->next_dirty = s->dirty;
	s->dirty = p;
	loop_owner_hold(&p->owner);
	grpc_server_wake(s);
}

void grpc_peer_break(struct grpc_peer *p)
{
	p->broken = true;
	grpc_peer_dirty(p);
}

/* ---- reading -------------------------------------------------------------------- */

void grpc_peer_feed(struct grpc_peer *p, const uint8_t *data, size_t n)
{
	ssize_t r;

	if (p->fd < 0)
		return;
	loop_owner_hold(&p->owner);
	p->touched = true;
	p->feeding = true;
	r = nghttp2_session_mem_recv(p->session, data, n);
	p->feeding = false;
	if (r < 0)
		grpc_peer_close(p);
	if (p->fd >= 0 && (p->n_half || p->block.open))
		grpc_server_watch(p->server);
	grpc_peer_flush(p);
	loop_owner_drop(&p->owner);
}

void grpc_peer_read(struct grpc_peer *p)
{
	struct iovec iov = { buffer, sizeof buffer };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = sys_recvmsg(p->fd, &m, MSG_DONTWAIT);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0)
		grpc_peer_feed(p, buffer, (size_t)n);
	else
		grpc_peer_close(p);
}

static int on_io(struct source *s, uint32_t events)
{
	struct grpc_peer *p = (struct grpc_peer *)((char *)s - offsetof(struct grpc_peer, io));

	if (events & EPOLLOUT)
		grpc_peer_flush(p);
	if (p->fd >= 0 && events & EPOLLIN)
		grpc_peer_read(p);
	else if (p->fd >= 0 && events & (EPOLLHUP | EPOLLERR))
		grpc_peer_close(p);
	return 0;
}

/* ---- the connection ------------------------------------------------------------- */

static void release(struct loop_owner *o)
{
	struct grpc_peer *p = (struct grpc_peer *)o;

	nghttp2_session_del(p->session);
	sb_done(&p->block.text);
	free(p->out);
	free(p);
}

static int begin_session(struct grpc_peer *p)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADERS_MAX },
	};
	int r = nghttp2_session_server_new2(&p->session, p->server->callbacks, p, p->server->options);

	if (!r)
		r = nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, settings,
					    sizeof settings / sizeof settings[0]);
	if (!r)
		r = nghttp2_session_set_local_window_size(p->session, NGHTTP2_FLAG_NONE, 0, ALL_WINDOW);
	return r ? -ENOMEM : 0;
}

int grpc_peer_init(struct grpc_peer *p, int fd)
{
	int r = begin_session(p);

	p->fd = fd;
	p->touched = true;
	p->last_held = &p->held;
	p->events = EPOLLIN;
	p->owner.release = release;
	p->io.owner = &p->owner;
	if (r >= 0)
		r = source_fd(&p->io, p->server->loop, fd, EPOLLIN, on_io);
	if (r < 0) {
		nghttp2_session_del(p->session);
		sys_close(fd);
	}
	return r;
}

void grpc_peer_stop(struct grpc_peer *p)
{
	if (nghttp2_submit_goaway(p->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(p->session),
				  NGHTTP2_NO_ERROR, NULL, 0))
		grpc_peer_break(p);
	grpc_request_stop(p);
	grpc_peer_dirty(p);
}

void grpc_peer_close(struct grpc_peer *p)
{
	int fd = p->fd;

	if (fd < 0)
		return;
	loop_owner_hold(&p->owner);
	p->fd = -1;
	grpc_server_left(p);
	while (p->streams)
		grpc_stream_left(p->streams);
	grpc_peer_forget(p, false);
	/* Before the close, as a forked helper may hold a copy of it. */
	source_remove(&p->io);
	sys_close(fd);
	loop_owner_drop(&p->owner);
}
