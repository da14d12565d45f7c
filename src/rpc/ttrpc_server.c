/* ttrpc's server side: connections and calls; see ttrpc_server.h. */
#include "ttrpc_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "rpc_status.h"
#include "sys.h"

struct ttrpc_peer {
	struct ttrpc_conn conn; /* first */
	struct ttrpc_server *server;
	struct ttrpc_peer *prev, *next;
	struct ttrpc_call *calls;
	unsigned n_calls;
	uint32_t last_stream;
	uint64_t mark; /* the handler's */
};

uint64_t *ttrpc_call_mark(struct ttrpc_call *c)
{
	return &c->peer->mark;
}

/* ---- answers -------------------------------------------------------------- */

/* `m`: empty, or with what there is to say besides. */
static int send_status_with(struct ttrpc_conn *c, uint32_t stream, int code, const char *words, Ttrpc__Response *m)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

	status.code = code;
	status.message = (char *)(uintptr_t)words;
	m->status = &status;
	return ttrpc_conn_send(c, stream, TTRPC_RESPONSE, &m->base);
}

static int send_status(struct ttrpc_conn *c, uint32_t stream, int code, const char *words)
{
	Ttrpc__Response m = TTRPC__RESPONSE__INIT;

	return send_status_with(c, stream, code, words, &m);
}

static void leave_peer(struct ttrpc_call *c)
{
	struct ttrpc_peer *p = c->peer;

	source_remove(&c->deadline);
	if (!p)
		return;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	p->n_calls--;
	c->peer = NULL;
}

static void call_free(struct ttrpc_call *c)
{
	leave_peer(c);
	protobuf_c_message_free_unpacked((ProtobufCMessage *)(uintptr_t)c->req, NULL);
	free(c);
}

/* Nobody waits for it any more; without `gone` it goes on. */
static void call_gone(struct ttrpc_call *c)
{
	leave_peer(c);
	if (c->gone) {
		c->gone(c);
		call_free(c);
	}
}

static void peer_left(struct ttrpc_peer *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		p->server->peers = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->server->n_peers--;
	while (p->calls) {
		struct ttrpc_call *c = p->calls;

		p->calls = c->next; /* as leave_peer() does, but for clang's analyzer to see */
		call_gone(c);
	}
	if (p->server->left)
		p->server->left(p->server, p);
}

static void peer_drop(struct ttrpc_peer *p)
{
	loop_owner_hold(&p->conn.owner);
	ttrpc_conn_close(&p->conn);
	peer_left(p);
	loop_owner_drop(&p->conn.owner);
}

void ttrpc_reply(struct ttrpc_call *c, const ProtobufCMessage *m)
{
	ttrpc_reply_fds(c, m, NULL, 0);
}

void ttrpc_reply_fds(struct ttrpc_call *c, const ProtobufCMessage *m, int *fds, size_t n)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;
	struct ttrpc_peer *p = c->peer;
	uint32_t stream = c->stream;
	uint8_t *packed = malloc(len ? len : 1);
	int r = -ENOMEM;

	response.payload.len = packed ? protobuf_c_message_pack(m, packed) : 0;
	response.payload.data = packed;
	call_free(c); /* m may point into it */
	if (p && packed) {
		r = ttrpc_conn_send_fds(&p->conn, stream, TTRPC_RESPONSE, &response.base, fds, n);
		n = 0;
	}
	while (n)
		sys_close(fds[--n]);
	free(packed);
	if (p && r == -EMSGSIZE)
		r = send_status(&p->conn, stream, RPC_RESOURCE_EXHAUSTED, "the answer is longer than a message may be");
	if (p && r < 0)
		peer_drop(p);
}

void ttrpc_fail(struct ttrpc_call *c, const struct err *e)
{
	char words[sizeof e->msg + 256];
	Ttrpc__Response m = TTRPC__RESPONSE__INIT;

	if (rpc_code(e) == RPC_UNKNOWN) {
		m.sys = (uint32_t)e->sys;
		m.exec = e->kind == ERR_EXEC;
	}
	if (c->peer)
		send_status_with(&c->peer->conn, c->stream, rpc_code(e), rpc_words(e, words, sizeof words), &m);
	call_free(c);
}

const char *ttrpc_metadata(const struct ttrpc_call *c, const char *key)
{
	for (size_t i = 0; i < c->req->n_metadata; i++)
		if (!strcmp(c->req->metadata[i]->key, key))
			return c->req->metadata[i]->value;
	return NULL;
}

/* ---- requests ------------------------------------------------------------- */

static int on_deadline(struct source *s, uint32_t events)
{
	struct ttrpc_call *c = (struct ttrpc_call *)((char *)s - offsetof(struct ttrpc_call, deadline));

	send_status(&c->peer->conn, c->stream, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	call_gone(c);
	return 0;
}

static void begin_call(struct ttrpc_peer *p, uint32_t stream, Ttrpc__Request *req)
{
	const int64_t ms = 1000 * 1000;
	struct ttrpc_call *c = calloc(1, sizeof *c);

	if (!c) {
		send_status(&p->conn, stream, RPC_RESOURCE_EXHAUSTED, "out of memory");
		ttrpc__request__free_unpacked(req, NULL);
		return;
	}
	c->server = p->server;
	c->req = req;
	c->stream = stream;
	c->peer = p;
	c->next = p->calls;
	if (c->next)
		c->next->link = &c->next;
	c->link = &p->calls;
	p->calls = c;
	p->n_calls++;
	/* A deadline that is further away than the loop can count is none. */
	if (req->timeout_nano > 0 && req->timeout_nano / ms < UINT32_MAX)
		source_timer(&c->deadline, p->server->loop, (uint32_t)(req->timeout_nano / ms), on_deadline);
	p->server->request(c);
}

static const char *refusal(const struct ttrpc_peer *p, const struct ttrpc_frame *f)
{
	if (f->stream % 2 == 0)
		return "StreamID must be odd for client initiated streams";
	if (f->type == TTRPC_DATA)
		return "StreamID is no longer active"; /* no method of ours streams */
	if (f->stream <= p->last_stream)
		return "StreamID cannot be re-used and must increment";
	return NULL;
}

static void on_frame(struct ttrpc_conn *conn, const struct ttrpc_frame *f)
{
	struct ttrpc_peer *p = (struct ttrpc_peer *)conn;
	const char *why = refusal(p, f);
	Ttrpc__Request *req;

	if (f->too_long) {
		send_status(conn, f->stream, RPC_RESOURCE_EXHAUSTED, "message length exceeds 4194304 bytes");
		return;
	}
	if (f->type != TTRPC_REQUEST && f->type != TTRPC_DATA)
		return; /* of a later protocol */
	if (why) {
		send_status(conn, f->stream, RPC_INVALID_ARGUMENT, why);
		return;
	}
	p->last_stream = f->stream;
	if (p->n_calls >= TTRPC_CALLS_MAX) {
		send_status(conn, f->stream, RPC_RESOURCE_EXHAUSTED, "too many calls wait for an answer");
		return;
	}
	req = ttrpc__request__unpack(NULL, f->len, f->body);
	if (req)
		begin_call(p, f->stream, req);
	else
		send_status(conn, f->stream, RPC_INVALID_ARGUMENT, "unmarshal request error");
}

/* ---- connections ---------------------------------------------------------- */

static void on_close(struct ttrpc_conn *conn, int r)
{
	peer_left((struct ttrpc_peer *)conn);
}

static void peer_release(struct loop_owner *o)
{
	free(o);
}

int ttrpc_server_add(struct ttrpc_server *s, int fd, struct ttrpc_conn **ret)
{
	struct ttrpc_peer *p = s->n_peers < TTRPC_PEERS_MAX ? calloc(1, sizeof *p) : NULL;
	int r;

	if (!p) {
		sys_close(fd);
		return -ENOMEM;
	}
	p->server = s;
	p->conn.owner.release = peer_release;
	p->conn.on_frame = on_frame;
	p->conn.on_close = on_close;
	r = ttrpc_conn_init(&p->conn, s->loop, fd);
	if (r < 0) {
		free(p);
		return r;
	}
	p->next = s->peers;
	if (p->next)
		p->next->prev = p;
	s->peers = p;
	s->n_peers++;
	if (ret)
		*ret = &p->conn;
	return 0;
}

static void on_connected(struct listener *n, int fd)
{
	struct ttrpc_server *s = (struct ttrpc_server *)((char *)n - offsetof(struct ttrpc_server, listener));
	struct ttrpc_conn *conn;

	/* Whoever connects has sent something by now, as a rule. */
	if (ttrpc_server_add(s, fd, &conn) >= 0)
		ttrpc_conn_read(conn);
}

int ttrpc_server_init(struct ttrpc_server *s, struct loop *l, int fd, void (*request)(struct ttrpc_call *c),
		      void *ctx, struct err *e)
{
	int r;

	*s = (struct ttrpc_server){ .loop = l, .request = request, .ctx = ctx };
	r = listener_init(&s->listener, l, fd, on_connected);
	return r < 0 ? err_sys(e, r, "listen for calls") : 0;
}

void ttrpc_server_done(struct ttrpc_server *s)
{
	while (s->peers)
		peer_drop(s->peers);
	listener_close(&s->listener);
}
