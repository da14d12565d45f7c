/*
 * Making ttrpc calls, any number at a time, over one connection.
 *
 *	r = ttrpc_client_connect(&c, &loop, "/run/containerd/s/1b2c", e);
 *	r = ttrpc_client_call(&c, &request, on_answer, ctx);
 *
 * `done` is called exactly once per call, by the loop or by
 * ttrpc_client_close(): with what was answered, or with an error: the peer's,
 * ERR_TIMEOUT at its deadline, ERR_LOST with EPIPE when the connection ends.
 */
#pragma once

#include "ttrpc.pb-c.h"
#include "ttrpc_conn.h"

struct err;
struct ttrpc_pending;

struct ttrpc_client {
	struct ttrpc_conn conn; /* first */
	uint32_t last_stream;
	struct ttrpc_pending *pending;
	/* The connection has ended, after the calls were told; NULL: nobody cares. */
	void (*on_end)(struct ttrpc_client *c);
};

struct ttrpc_answer { /* during the call of `done` */
	const uint8_t *payload; /* the packed message */
	size_t len;
	int *fds; /* that came with it; taken by setting -1, else closed */
	size_t n_fds;
};

struct ttrpc_request {
	const char *service, *method;
	const char *namespace; /* for containerd-namespace-ttrpc; NULL: none */
	const ProtobufCMessage *m;
	uint32_t timeout_ms; /* 0: none */
	/* r < 0: `a` is NULL, and `e` is set. */
	void (*done)(void *ctx, int r, struct ttrpc_answer *a, const struct err *e);
	void *ctx;
};

/* Never waits: -EAGAIN when the peer's backlog is full. An abstract address
 * begins with '@'; "unix://" in front is passed over. */
int ttrpc_client_connect(struct ttrpc_client *c, struct loop *l, const char *address, struct err *e);
/* Over a connection that is there; the fd is taken in any case. */
int ttrpc_client_init(struct ttrpc_client *c, struct loop *l, int fd);
/* On failure `done` is not called. */
int ttrpc_client_call(struct ttrpc_client *c, const struct ttrpc_request *r, struct err *e);
/* Takes what has arrived by now, as the loop would. */
void ttrpc_client_drain(struct ttrpc_client *c);
void ttrpc_client_close(struct ttrpc_client *c); /* twice is fine */
static inline bool ttrpc_client_is_open(const struct ttrpc_client *c)
{
	return c->conn.fd >= 0;
}
