/*
 * Answering ttrpc calls. A server listens on a unix socket; each request comes
 * as a call, which is answered once, now or later, in any order:
 *
 *	static void on_request(struct ttrpc_call *c)
 *	{
 *		if (!strcmp(c->req->method, "Wait"))
 *			return wait_for_exit(c);	// ttrpc_reply(c, &m) some day
 *		err_set(&e, ERR_UNSUPPORTED, 0, "method %s", c->req->method);
 *		ttrpc_fail(c, &e);
 *	}
 *
 * The client may leave before its answer, or its deadline may pass (it is told
 * so): then `gone` is called, if set, and the call is over. Without `gone` the
 * handler's answer is thrown away. Only root and our own user are served.
 */
#pragma once

#include "listener.h"
#include "ttrpc.pb-c.h"
#include "ttrpc_conn.h"

struct err;
struct ttrpc_call;
struct ttrpc_peer;

/* More are refused: calls that wait for one client, and clients. */
enum { TTRPC_CALLS_MAX = 32768, TTRPC_PEERS_MAX = 256 };

struct ttrpc_server {
	struct loop *loop;
	struct listener listener;
	struct ttrpc_peer *peers;
	unsigned n_peers;
	void (*request)(struct ttrpc_call *c);
	/* A connection has ended, after its calls were told; NULL: nobody cares. */
	void (*left)(struct ttrpc_server *s, const struct ttrpc_peer *p);
	void *ctx; /* the handler's */
};

struct ttrpc_call {
	struct ttrpc_server *server;
	const Ttrpc__Request *req; /* until it is answered */
	void (*gone)(struct ttrpc_call *c); /* set by the handler; c is freed after it */
	void *ctx; /* the handler's */

	struct ttrpc_peer *peer; /* NULL: the client has left */
	struct ttrpc_call *next, **link; /* in the peer's list */
	uint32_t stream;
	struct source deadline;
};

/* A number that the handler keeps for the connection that has called; 0 at first. */
uint64_t *ttrpc_call_mark(struct ttrpc_call *c);

/* `fd` is a listening socket; the server's from now on. */
int ttrpc_server_init(struct ttrpc_server *s, struct loop *l, int fd, void (*request)(struct ttrpc_call *c),
		      void *ctx, struct err *e);
/* Closes all connections; calls that are not answered are gone. */
void ttrpc_server_done(struct ttrpc_server *s);
/* A connection that was made elsewhere; the fd is taken in any case. */
int ttrpc_server_add(struct ttrpc_server *s, int fd, struct ttrpc_conn **ret);

/* The value of a key in the request's metadata; NULL: not there. */
const char *ttrpc_metadata(const struct ttrpc_call *c, const char *key);

/* The end of a call, which is freed. */
void ttrpc_reply(struct ttrpc_call *c, const ProtobufCMessage *m);
/* With fds, which are taken. */
void ttrpc_reply_fds(struct ttrpc_call *c, const ProtobufCMessage *m, int *fds, size_t n);
void ttrpc_fail(struct ttrpc_call *c, const struct err *e);
