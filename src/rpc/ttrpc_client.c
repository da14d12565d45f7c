/* ttrpc's client side; see ttrpc_client.h. */
#include "ttrpc_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "err.h"
#include "fd.h"
#include "rpc_status.h"
#include "str.h"
#include "sys.h"

struct ttrpc_pending {
	struct ttrpc_pending *next;
	struct ttrpc_client *client;
	uint32_t stream;
	struct source deadline;
	void (*done)(void *ctx, int r, struct ttrpc_answer *a, const struct err *e);
	void *ctx;
};

/* ---- the end of a call ---------------------------------------------------- */

static struct ttrpc_pending *take_pending(struct ttrpc_client *c, uint32_t stream)
{
	struct ttrpc_pending **at = &c->pending, *p;

	while (*at && (*at)->stream != stream)
		at = &(*at)->next;
	p = *at;
	if (p) {
		*at = p->next;
		source_remove(&p->deadline);
	}
	return p;
}

static void finish(struct ttrpc_pending *p, int r, struct ttrpc_answer *a, const struct err *e)
{
	p->done(p->ctx, r, a, e);
	free(p);
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct ttrpc_pending *p = (struct ttrpc_pending *)((char *)s - offsetof(struct ttrpc_pending, deadline));
	struct err e;

	take_pending(p->client, p->stream);
	finish(p, err_set(&e, ERR_TIMEOUT, -ETIMEDOUT, "wait for an answer"), NULL, &e);
	return 0;
}

static void on_response(struct ttrpc_pending *p, const struct ttrpc_frame *f)
{
	Ttrpc__Response *m = f->too_long ? NULL : ttrpc__response__unpack(NULL, f->len, f->body);
	struct ttrpc_answer a = { .fds = f->fds, .n_fds = f->n_fds };
	struct err e;

	if (!m)
		finish(p, err_set(&e, ERR_INTERNAL, -EPROTO, "an answer that cannot be read"), NULL, &e);
	else if (m->status && m->status->code == RPC_UNKNOWN)
		finish(p, rpc_err_of(&e, m->status->message, m->sys, m->exec), NULL, &e);
	else if (m->status && m->status->code)
		finish(p, rpc_err(&e, m->status->code, m->status->message), NULL, &e);
	else {
		a.payload = m->payload.data;
		a.len = m->payload.len;
		finish(p, 0, &a, NULL);
	}
	if (m)
		ttrpc__response__free_unpacked(m, NULL);
}

static void on_frame(struct ttrpc_conn *conn, const struct ttrpc_frame *f)
{
	struct ttrpc_pending *p = NULL;

	if (f->type == TTRPC_RESPONSE)
		p = take_pending((struct ttrpc_client *)conn, f->stream);
	if (p)
		on_response(p, f);
}

static void end(struct ttrpc_client *c)
{
	struct err e;
	int r = err_set(&e, ERR_LOST, -EPIPE, "the connection has ended");

	while (c->pending)
		finish(take_pending(c, c->pending->stream), r, NULL, &e);
	if (c->on_end)
		c->on_end(c);
}

static void on_close(struct ttrpc_conn *conn, int r)
{
	end((struct ttrpc_client *)conn);
}

void ttrpc_client_drain(struct ttrpc_client *c)
{
	ttrpc_conn_drain(&c->conn);
}

void ttrpc_client_close(struct ttrpc_client *c)
{
	if (!ttrpc_client_is_open(c))
		return;
	loop_owner_hold(&c->conn.owner);
	ttrpc_conn_close(&c->conn);
	end(c);
	loop_owner_drop(&c->conn.owner);
}

/* ---- calls ---------------------------------------------------------------- */

static int send_request(struct ttrpc_client *c, const struct ttrpc_request *r)
{
	Ttrpc__KeyValue ns = TTRPC__KEY_VALUE__INIT, *metadata[] = { &ns };
	size_t len = protobuf_c_message_get_packed_size(r->m);
	uint8_t *packed = malloc(len ? len : 1);
	Ttrpc__Request m = TTRPC__REQUEST__INIT;
	int result;

	if (!packed)
		return -ENOMEM;
	ns.key = (char *)(uintptr_t) "containerd-namespace-ttrpc";
	ns.value = (char *)(uintptr_t)r->namespace;
	m.service = (char *)(uintptr_t)r->service;
	m.method = (char *)(uintptr_t)r->method;
	m.timeout_nano = (int64_t)r->timeout_ms * 1000 * 1000;
	m.n_metadata = r->namespace ? 1 : 0;
	m.metadata = metadata;
	m.payload.len = protobuf_c_message_pack(r->m, packed);
	m.payload.data = packed;
	c->last_stream += c->last_stream ? 2 : 1;
	result = ttrpc_conn_send(&c->conn, c->last_stream, TTRPC_REQUEST, &m.base);
	free(packed);
	return result;
}

int ttrpc_client_call(struct ttrpc_client *c, const struct ttrpc_request *r, struct err *e)
{
	struct ttrpc_pending *p = calloc(1, sizeof *p);
	int result = p ? send_request(c, r) : -ENOMEM;

	if (result < 0) {
		free(p);
		return err_sys(e, result, "call %s of %s", r->method, r->service);
	}
	p->client = c;
	p->stream = c->last_stream;
	p->done = r->done;
	p->ctx = r->ctx;
	p->next = c->pending;
	c->pending = p;
	if (r->timeout_ms)
		source_timer(&p->deadline, c->conn.io.loop, r->timeout_ms, on_deadline);
	return 0;
}

int ttrpc_client_init(struct ttrpc_client *c, struct loop *l, int fd)
{
	c->conn.on_frame = on_frame;
	c->conn.on_close = on_close;
	c->conn.take_fds = true;
	return ttrpc_conn_init(&c->conn, l, fd);
}

int ttrpc_client_connect(struct ttrpc_client *c, struct loop *l, const char *address, struct err *e)
{
	const char *path = str_starts(address, "unix://") ? address + 7 : address;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	OWN_FD fd = -1;
	int r;

	if (!n || n >= sizeof sa.sun_path)
		return err_set(e, ERR_INVALID, 0, "'%s' is no address of a unix socket", address);
	memcpy(sa.sun_path, path, n);
	if (*path == '@')
		sa.sun_path[0] = '\0';
	fd = r = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r >= 0)
		r = sys_connect(fd, (struct sockaddr *)&sa,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path != '@')));
	if (r >= 0)
		r = ttrpc_client_init(c, l, take_fd(&fd));
	return r < 0 ? err_sys(e, r, "connect to '%s'", path) : 0;
}
