/* ttrpc's frames over a socket; see ttrpc_conn.h. */
#include "ttrpc_conn.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sys.h"

enum { TOGETHER = 8 }; /* frames in one message */

struct ttrpc_out {
	struct ttrpc_out *next;
	size_t len, sent;
	int fds[TTRPC_FDS_MAX];
	size_t n_fds;
	uint8_t data[];
};

static void out_free(struct ttrpc_out *o)
{
	while (o->n_fds)
		sys_close(o->fds[--o->n_fds]);
	free(o);
}

/* ---- reading -------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

static void close_fds(struct ttrpc_conn *c)
{
	while (c->n_fds) {
		int fd = c->fds[--c->n_fds];

		if (fd >= 0)
			sys_close(fd);
	}
	c->fds_are_current = false;
}

/* `with_fds`: those that have come are this frame's. */
static void hand_on(struct ttrpc_conn *c, bool with_fds)
{
	uint32_t len = get32(c->header);
	struct ttrpc_frame f = {
		.stream = get32(c->header + 4),
		.type = c->header[8],
		.flags = c->header[9],
		.too_long = len > TTRPC_MESSAGE_MAX,
		.body = c->body,
		.len = len,
		.fds = c->fds,
		.n_fds = with_fds ? c->n_fds : 0,
	};
	uint8_t *body = c->body;

	c->body = NULL;
	c->have = 0;
	c->on_frame(c, &f);
	if (with_fds)
		close_fds(c);
	free(body);
}

static void lost(struct ttrpc_conn *c, int r)
{
	ttrpc_conn_close(c);
	c->on_close(c, r);
}

/* The header is there: room for what follows. */
static int begin_body(struct ttrpc_conn *c)
{
	c->want = get32(c->header);
	if (c->want && c->want <= TTRPC_MESSAGE_MAX) {
		c->body = malloc(c->want);
		if (!c->body)
			return -ENOMEM;
	}
	return 0;
}

/* Of the current frame: to the end of its header, or of all. */
static size_t missing_of(const struct ttrpc_conn *c)
{
	return (c->have < TTRPC_HEADER ? TTRPC_HEADER : TTRPC_HEADER + c->want) - c->have;
}

/* Of the n bytes at data, those that belong to the current frame. */
static size_t take(struct ttrpc_conn *c, const uint8_t *data, size_t n)
{
	size_t missing = missing_of(c);

	if (n > missing)
		n = missing;
	if (c->have < TTRPC_HEADER)
		memcpy(c->header + c->have, data, n);
	else if (c->body)
		memcpy(c->body + (c->have - TTRPC_HEADER), data, n);
	c->have += n;
	return n;
}

void ttrpc_conn_feed(struct ttrpc_conn *c, const uint8_t *data, size_t n)
{
	bool corked;

	loop_owner_hold(&c->owner);
	corked = ttrpc_conn_cork(c);
	while (n && c->fd >= 0) {
		bool in_header = c->have < TTRPC_HEADER;
		size_t taken = take(c, data, n);
		int r = 0;

		data += taken;
		n -= taken;
		if (in_header && c->have == TTRPC_HEADER)
			r = begin_body(c);
		if (r < 0)
			lost(c, r);
		else if (c->have >= TTRPC_HEADER && c->have == TTRPC_HEADER + c->want)
			hand_on(c, !n || c->fds_are_current);
	}
	c->fds_are_current = c->n_fds;
	ttrpc_conn_uncork(c, corked);
	loop_owner_drop(&c->owner);
}

union control {
	struct cmsghdr head;
	char buf[CMSG_SPACE(TTRPC_FDS_MAX * sizeof(int))];
};

/* They were sent with the first byte of a frame, in a message of its own, and
 * reading stops after such a message: so they are of the last frame that begins
 * in what was read. */
static void receive_fds(struct ttrpc_conn *c, const struct msghdr *m)
{
	const struct cmsghdr *h = CMSG_FIRSTHDR(m);

	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return;
	close_fds(c); /* of a peer that sends some twice with a frame */
	c->n_fds = (uint8_t)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(c->fds, CMSG_DATA(h), c->n_fds * sizeof(int));
}

/* 1: there may be more. */
static int read_some(struct ttrpc_conn *c)
{
	uint8_t buf[4096];
	union control control;
	struct iovec iov = { buf, sizeof buf };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (c->take_fds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_LEN(TTRPC_FDS_MAX * sizeof(int)); /* there is space for one more */
	}
	if (c->fds_are_current && missing_of(c) < sizeof buf) /* those of the next frame wait */
		iov.iov_len = missing_of(c);
	n = sys_recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0) {
		lost(c, (int)n);
		return 0;
	}
	receive_fds(c, &m);
	ttrpc_conn_feed(c, buf, (size_t)n);
	return 1;
}

void ttrpc_conn_drain(struct ttrpc_conn *c)
{
	loop_owner_hold(&c->owner);
	while (c->fd >= 0 && read_some(c))
		;
	loop_owner_drop(&c->owner);
}

void ttrpc_conn_read(struct ttrpc_conn *c)
{
	loop_owner_hold(&c->owner);
	(void)read_some(c);
	loop_owner_drop(&c->owner);
}

/* ---- writing -------------------------------------------------------------- */

static int wait_for(struct ttrpc_conn *c)
{
	uint32_t events = (c->unread < TTRPC_UNREAD_MAX ? EPOLLIN : 0) | (c->first ? EPOLLOUT : 0);
	int r = events == c->events ? 0 : source_change(&c->io, events);

	if (r == 0)
		c->events = events;
	return r;
}

/* What has fds goes alone. */
static ssize_t send_some(const struct ttrpc_conn *c)
{
	const struct ttrpc_out *o = c->first;
	union control control = { 0 };
	struct iovec iov[TOGETHER];
	struct msghdr m = { .msg_iov = iov };

	for (const struct ttrpc_out *at = o; at && m.msg_iovlen < TOGETHER && (at == o || !(at->n_fds || o->n_fds));
	     at = at->next)
		iov[m.msg_iovlen++] = (struct iovec){ (uint8_t *)(uintptr_t)at->data + at->sent, at->len - at->sent };
	if (o->n_fds && !o->sent) {
		m.msg_control = control.buf;
		m.msg_controllen = (socklen_t)CMSG_SPACE(o->n_fds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = (socklen_t)CMSG_LEN(o->n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), o->fds, o->n_fds * sizeof(int));
	}
	return sys_sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* n bytes of what is first are sent; whether that was all of what was tried. */
static bool sent(struct ttrpc_conn *c, size_t n)
{
	c->unread -= n;
	while (c->first && n >= c->first->len - c->first->sent) {
		struct ttrpc_out *o = c->first;

		n -= o->len - o->sent;
		c->first = o->next;
		if (!c->first)
			c->last = &c->first;
		out_free(o);
	}
	if (c->first)
		c->first->sent += n;
	return !n;
}

static int flush(struct ttrpc_conn *c)
{
	while (c->first) {
		ssize_t n = send_some(c);

		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0)
			return (int)n;
		if (!sent(c, (size_t)n))
			break;
	}
	return wait_for(c);
}

bool ttrpc_conn_cork(struct ttrpc_conn *c)
{
	bool ours = !c->corked;

	c->corked = true;
	return ours;
}

/* A broken one is noticed by the loop, which reads the end of it. */
void ttrpc_conn_uncork(struct ttrpc_conn *c, bool ours)
{
	if (!ours)
		return;
	c->corked = false;
	if (c->first && c->fd >= 0)
		flush(c);
}

int ttrpc_conn_send(struct ttrpc_conn *c, uint32_t stream, uint8_t type, const ProtobufCMessage *m)
{
	return ttrpc_conn_send_fds(c, stream, type, m, NULL, 0);
}

static struct ttrpc_out *make_out(const struct ttrpc_conn *c, size_t len, int *fds, size_t n, int *r)
{
	struct ttrpc_out *o = NULL;

	*r = c->fd < 0 ? -EPIPE : len > TTRPC_MESSAGE_MAX ? -EMSGSIZE : 0;
	if (*r == 0) {
		o = malloc(sizeof *o + TTRPC_HEADER + len);
		*r = o ? 0 : -ENOMEM;
	}
	if (o) {
		*o = (struct ttrpc_out){ .len = TTRPC_HEADER + len, .n_fds = n };
		if (n)
			memcpy(o->fds, fds, n * sizeof *fds);
	}
	while (!o && n)
		sys_close(fds[--n]);
	return o;
}

int ttrpc_conn_send_fds(struct ttrpc_conn *c, uint32_t stream, uint8_t type, const ProtobufCMessage *m, int *fds,
			size_t n)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	int r;
	struct ttrpc_out *o = make_out(c, len, fds, n, &r);

	if (!o)
		return r;
	put32(o->data, (uint32_t)len);
	put32(o->data + 4, stream);
	o->data[8] = type;
	o->data[9] = 0;
	protobuf_c_message_pack(m, o->data + TTRPC_HEADER);
	*c->last = o;
	c->last = &o->next;
	c->unread += o->len;
	ttrpc_conn_uncork(c, ttrpc_conn_cork(c));
	return 0;
}

/* ---- the connection ------------------------------------------------------- */

static int on_io(struct source *s, uint32_t events)
{
	struct ttrpc_conn *c = (struct ttrpc_conn *)((char *)s - offsetof(struct ttrpc_conn, io));
	int r = events & EPOLLOUT ? flush(c) : 0;

	if (r < 0)
		lost(c, r);
	else if (events & EPOLLIN)
		read_some(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		lost(c, 0);
	return 0;
}

int ttrpc_conn_init(struct ttrpc_conn *c, struct loop *l, int fd)
{
	int r;

	c->fd = fd;
	c->have = c->unread = c->n_fds = 0;
	c->fds_are_current = c->corked = false;
	c->first = NULL;
	c->last = &c->first;
	c->events = EPOLLIN;
	c->io.owner = &c->owner;
	r = source_fd(&c->io, l, fd, EPOLLIN, on_io);
	if (r < 0) {
		sys_close(fd);
		c->fd = -1;
	}
	return r;
}

void ttrpc_conn_close(struct ttrpc_conn *c)
{
	int fd = c->fd;

	if (fd < 0)
		return;
	if (c->corked)
		flush(c);
	c->fd = -1;
	while (c->first) {
		struct ttrpc_out *o = c->first;

		c->first = o->next;
		out_free(o);
	}
	free(c->body);
	c->body = NULL;
	close_fds(c);
	/* Before the close, as a forked helper may hold a copy of it; and the last
	 * use of `c`, which the owner may now release. */
	source_remove(&c->io);
	sys_close(fd);
}
