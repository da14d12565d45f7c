/* A small D-Bus client; see dbus.h. The wire format is chapter "Message
 * Protocol" of the D-Bus specification; peers are on this machine, so they
 * have our byte order. */
#include "dbus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "clock.h"
#include "fd.h"
#include "sys.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER 'l'
#else
#define OUR_ORDER 'B'
#endif

enum { PROTOCOL = 1, FIXED = 16 };
enum { F_PATH = 1, F_INTERFACE, F_MEMBER, F_ERROR, F_REPLY_SERIAL, F_DESTINATION, F_SENDER, F_SIGNATURE };

/* ---- writing values --------------------------------------------------- */

void dbus_put_align(struct sb *b, size_t to)
{
	while (b->len % to && !b->failed)
		sb_putc(b, '\0');
}

void dbus_put_u32(struct sb *b, uint32_t v)
{
	dbus_put_align(b, 4);
	sb_add(b, (const char *)&v, sizeof v);
}

void dbus_put_u64(struct sb *b, uint64_t v)
{
	dbus_put_align(b, 8);
	sb_add(b, (const char *)&v, sizeof v);
}

void dbus_put_string(struct sb *b, const char *s)
{
	size_t n = strlen(s);

	dbus_put_u32(b, (uint32_t)n);
	sb_add(b, s, n + 1);
}

void dbus_put_signature(struct sb *b, const char *s)
{
	size_t n = strlen(s);

	if (n > 255) {
		b->failed = true;
		return;
	}
	sb_putc(b, (char)n);
	sb_add(b, s, n + 1);
}

void dbus_put_bytes(struct sb *b, const void *data, size_t len)
{
	dbus_put_u32(b, (uint32_t)len);
	sb_add(b, data, len);
}

/* The length of an array does not count the padding before its first element. */
size_t dbus_put_array(struct sb *b, size_t align)
{
	size_t mark;

	dbus_put_align(b, 4);
	mark = b->len;
	dbus_put_u32(b, 0);
	dbus_put_align(b, align);
	return mark;
}

void dbus_end_array(struct sb *b, size_t mark, size_t align)
{
	size_t start = (mark + 4 + align - 1) / align * align;
	uint32_t n = (uint32_t)(b->len - start);

	if (!b->failed)
		memcpy(b->s + mark, &n, sizeof n);
}

/* ---- reading values --------------------------------------------------- */

static const uint8_t *take(struct dbus_reader *r, size_t n, size_t align)
{
	size_t at = (r->at + align - 1) / align * align;

	if (r->bad || at > r->len || n > r->len - at) {
		r->bad = true;
		return NULL;
	}
	r->at = at + n;
	return r->p + at;
}

uint8_t dbus_get_u8(struct dbus_reader *r)
{
	const uint8_t *p = take(r, 1, 1);

	return p ? *p : 0;
}

uint32_t dbus_get_u32(struct dbus_reader *r)
{
	const uint8_t *p = take(r, 4, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

static const char *text_of(struct dbus_reader *r, size_t n)
{
	const uint8_t *p = n < DBUS_MAX_MESSAGE ? take(r, n + 1, 1) : NULL;

	if (!p || strnlen((const char *)p, n + 1) != n) {
		r->bad = true;
		return "";
	}
	return (const char *)p;
}

const char *dbus_get_string(struct dbus_reader *r)
{
	return text_of(r, dbus_get_u32(r));
}

const char *dbus_get_signature(struct dbus_reader *r)
{
	return text_of(r, dbus_get_u8(r));
}

/* ---- messages --------------------------------------------------------- */

static void put_field(struct sb *b, uint8_t code, const char *signature, const char *value)
{
	if (!value)
		return;
	dbus_put_align(b, 8);
	sb_putc(b, (char)code);
	dbus_put_signature(b, signature);
	if (*signature == 'g')
		dbus_put_signature(b, value);
	else
		dbus_put_string(b, value);
}

void dbus_marshal_call(struct sb *out, const struct dbus_call *c, uint32_t serial,
		       const struct sb *body)
{
	const char head[4] = { OUR_ORDER, DBUS_CALL, 0, PROTOCOL };
	size_t mark;

	sb_add(out, head, sizeof head);
	dbus_put_u32(out, body ? (uint32_t)body->len : 0);
	dbus_put_u32(out, serial);
	mark = dbus_put_array(out, 8);
	put_field(out, F_PATH, "o", c->path);
	put_field(out, F_DESTINATION, "s", c->destination);
	put_field(out, F_INTERFACE, "s", c->interface);
	put_field(out, F_MEMBER, "s", c->member);
	put_field(out, F_SIGNATURE, "g", c->signature);
	dbus_end_array(out, mark, 8);
	dbus_put_align(out, 8);
	if (body && body->len)
		sb_add(out, body->s, body->len);
	if (body && body->failed)
		out->failed = true;
}

/* One header field: a code and a variant of a basic type. */
static void parse_field(struct dbus_reader *r, struct dbus_message *m)
{
	const char *signature, *text = "";
	uint32_t number = 0;
	uint8_t code;

	take(r, 0, 8);
	code = dbus_get_u8(r);
	signature = dbus_get_signature(r);
	if (!strcmp(signature, "s") || !strcmp(signature, "o"))
		text = dbus_get_string(r);
	else if (!strcmp(signature, "g"))
		text = dbus_get_signature(r);
	else if (!strcmp(signature, "u"))
		number = dbus_get_u32(r);
	else
		r->bad = true;
	switch (code) {
	case F_PATH:
		m->path = text;
		break;
	case F_INTERFACE:
		m->interface = text;
		break;
	case F_MEMBER:
		m->member = text;
		break;
	case F_ERROR:
		m->error = text;
		break;
	case F_SIGNATURE:
		m->signature = text;
		break;
	case F_REPLY_SERIAL:
		m->reply_serial = number;
		break;
	default:
		break;
	}
}

ssize_t dbus_parse(const uint8_t *data, size_t len, struct dbus_message *ret)
{
	struct dbus_message m = { .path = "", .interface = "", .member = "", .error = "", .signature = "" };
	struct dbus_reader r = { .p = data, .len = FIXED };
	uint32_t body, fields;
	size_t head;

	if (len < FIXED)
		return 0;
	if (data[0] != OUR_ORDER || data[3] != PROTOCOL || !data[1])
		return -EPROTO;
	r.at = 4;
	body = dbus_get_u32(&r);
	m.serial = dbus_get_u32(&r);
	fields = dbus_get_u32(&r);
	if (fields > DBUS_MAX_MESSAGE || body > DBUS_MAX_MESSAGE)
		return -EMSGSIZE;
	head = (FIXED + (size_t)fields + 7) / 8 * 8;
	if (head + body > DBUS_MAX_MESSAGE)
		return -EMSGSIZE;
	if (len < head + body)
		return 0;
	r.len = FIXED + (size_t)fields;
	while (r.at < r.len && !r.bad)
		parse_field(&r, &m);
	if (r.bad)
		return -EPROTO;
	m.type = data[1];
	m.body = data + head;
	m.len = body;
	*ret = m;
	return (ssize_t)(head + body);
}

/* ---- the connection --------------------------------------------------- */

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - clock_ms();
		int r = left > 0 ? sys_poll(&p, 1, (int)left) : 0;

		if (r == 0)
			return -ETIMEDOUT;
		if (r != -EINTR)
			return r < 0 ? r : 0;
	}
}

static int send_all(int fd, const void *data, size_t len, int64_t deadline)
{
	const char *p = data;

	while (len) {
		struct iovec iov = { (void *)(uintptr_t)p, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sys_sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			r = wait_for(fd, POLLOUT, deadline);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* At least one byte, at most `cap`. No control data is taken, so that nobody
 * can send us file descriptors. */
static ssize_t receive(int fd, void *buf, size_t cap, int64_t deadline)
{
	for (;;) {
		struct iovec iov = { buf, cap };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		int r = wait_for(fd, POLLIN, deadline);
		ssize_t n = r < 0 ? r : sys_recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		return n == 0 ? -ECONNRESET : n;
	}
}

/* An empty EXTERNAL answer lets the peer go by the socket's credentials: right
 * in a user namespace too, where our uid means nothing to it. */
static int authenticate(int fd, int64_t deadline)
{
	static const char words[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
	char in[1024];
	size_t len = 0;
	int r = send_all(fd, words, sizeof words - 1, deadline);

	while (r == 0) {
		const char *ok;
		ssize_t n;

		if (len == sizeof in - 1)
			return -EPROTO;
		n = receive(fd, in + len, sizeof in - 1 - len, deadline);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		in[len] = '\0';
		if (strlen(in) != len)
			return -EPROTO;
		if (strstr(in, "REJECTED") || strstr(in, "ERROR"))
			return -EACCES;
		/* "DATA\r\nOK <guid>\r\n" */
		ok = strstr(in, "OK ");
		if (ok && strstr(ok, "\r\n"))
			return 0;
	}
	return r;
}

/* The next message, whole. Read in two steps, so that nothing of the one after
 * it needs a place. */
static int read_message(struct dbus *b, struct dbus_message *ret, int64_t deadline)
{
	size_t len = 0, want = FIXED;
	ssize_t n;

	for (;;) {
		uint32_t body, fields;

		n = receive(b->fd, b->in + len, want - len, deadline);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		n = dbus_parse(b->in, len, ret);
		if (n != 0)
			return n < 0 ? (int)n : 0;
		if (len < FIXED)
			continue;
		memcpy(&body, b->in + 4, sizeof body);
		memcpy(&fields, b->in + 12, sizeof fields);
		want = (FIXED + (size_t)fields + 7) / 8 * 8 + body;
	}
}

static int hello(struct dbus *b, int ms)
{
	static const struct dbus_call c = { "org.freedesktop.DBus", "/org/freedesktop/DBus",
					    "org.freedesktop.DBus", "Hello", NULL };
	struct dbus_message reply;

	return dbus_call(b, &c, NULL, &reply, ms);
}

int dbus_open_fd(struct dbus *b, int fd, enum dbus_kind kind, int ms)
{
	int r;

	*b = (struct dbus){ .fd = fd, .in = malloc(DBUS_MAX_MESSAGE) };
	r = b->in ? authenticate(fd, clock_ms() + ms) : -ENOMEM;
	if (r == 0 && kind == DBUS_BUS)
		r = hello(b, ms);
	if (r < 0)
		dbus_close(b);
	return r;
}

int dbus_open(struct dbus *b, const char *socket_path, enum dbus_kind kind, int ms)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	OWN_FD fd = -1;
	int r;

	if (strlen(socket_path) >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, socket_path);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys_connect(fd, (const struct sockaddr *)&sa, sizeof sa);
	return r < 0 ? r : dbus_open_fd(b, take_fd(&fd), kind, ms);
}

void dbus_close(struct dbus *b)
{
	fd_closep(&b->fd);
	free(b->in);
	b->in = NULL;
}

static int keep_error(struct dbus *b, const struct dbus_message *m)
{
	struct dbus_reader r = { .p = m->body, .len = m->len };
	const char *text = m->signature[0] == 's' ? dbus_get_string(&r) : "";

	snprintf(b->error, sizeof b->error, "%.200s: %.300s", m->error, text);
	return -EREMOTEIO;
}

int dbus_call(struct dbus *b, const struct dbus_call *c, const struct sb *body,
	      struct dbus_message *reply, int ms)
{
	OWN_SB struct sb out = SB_INIT;
	int64_t deadline = clock_ms() + ms;
	int r;

	b->error[0] = '\0';
	dbus_marshal_call(&out, c, ++b->serial, body);
	if (out.failed)
		return -ENOMEM;
	r = send_all(b->fd, out.s, out.len, deadline);
	while (r == 0) {
		r = read_message(b, reply, deadline);
		if (r < 0 || reply->reply_serial != b->serial)
			continue;
		if (reply->type == DBUS_RETURN)
			return 0;
		if (reply->type == DBUS_ERROR)
			return keep_error(b, reply);
	}
	return r;
}

int dbus_wait(struct dbus *b, int (*is_it)(const struct dbus_message *m, void *ctx), void *ctx,
	      int ms)
{
	int64_t deadline = clock_ms() + ms;
	struct dbus_message m;
	int r = 0;

	while (r == 0) {
		r = read_message(b, &m, deadline);
		if (r == 0)
			r = is_it(&m, ctx);
	}
	return r < 0 ? r : 0;
}

int dbus_add_match(struct dbus *b, const char *rule, int ms)
{
	static const struct dbus_call c = { "org.freedesktop.DBus", "/org/freedesktop/DBus",
					    "org.freedesktop.DBus", "AddMatch", "s" };
	OWN_SB struct sb body = SB_INIT;
	struct dbus_message reply;

	dbus_put_string(&body, rule);
	return dbus_call(b, &c, &body, &reply, ms);
}
