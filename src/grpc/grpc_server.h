/*
 * Answering gRPC calls: HTTP/2 with prior knowledge over a unix socket (nghttp2),
 * and gRPC's frames in it. Like ttrpc_server.h: each request comes as a call, which
 * is answered once, now or later, in any order, from the loop's thread:
 *
 *	static void on_request(struct grpc_call *c)
 *	{
 *		if (!strcmp(c->path, "/containerd.services.version.v1.Version/Version"))
 *			return grpc_reply(c, &version.base);
 *		err_set(&e, ERR_UNSUPPORTED, 0, "method %s", c->path);
 *		grpc_fail(c, &e);
 *	}
 *
 * or, for a stream of answers, with grpc_send() as often as wanted and one of
 * grpc_end() and grpc_fail().
 *
 * The client may leave or cancel before its answer, or its deadline
 * (`grpc-timeout`) may pass, of which it is told: then `gone` is called, if set, and
 * the call is over. Without `gone` the handler's answer is thrown away. Only root
 * and our own user are served. Nothing here waits for a peer, and nothing that a
 * peer sends or leaves unread takes more memory than the bounds below.
 *
 * No function here calls the handler back before it returns, but grpc_server_stop()
 * and grpc_server_done(), which call `gone`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "listener.h"
#include "loop.h"

struct err;
struct grpc_call;
struct grpc_peer;
struct nghttp2_option;
struct nghttp2_session_callbacks;

enum {
	GRPC_MESSAGE_MAX = 16 << 20, /* both ways, as containerd's */
	GRPC_STREAMS_MAX = 10000, /* of one connection at a time */
	GRPC_PEERS_MAX = 4096,
	GRPC_HEADERS_MAX = 64 << 10, /* of one request, as HTTP/2 counts them */
	/* Requests that are not whole yet, or wait for their turn, and the headers of all
	 * until their end: of one connection, and of all. One that would go over is refused. */
	GRPC_BODIES_MAX = 64 << 20,
	GRPC_ALL_BODIES_MAX = 256 << 20,
	/* Answers that a client has not taken: over it, its requests wait for their turn. */
	GRPC_UNREAD_MAX = 32 << 20,
	GRPC_SEND_MARK = 256 << 10, /* of one stream of answers: see grpc_send() */
	/* After so long without a byte, half a request is given up; or up to twice that. */
	GRPC_PATIENCE_MS = 60 * 1000,
};

struct grpc_server {
	struct loop *loop;
	struct listener listener;
	struct grpc_peer *peers;
	unsigned n_peers;
	void (*request)(struct grpc_call *c); /* when the client's message is there, whole */
	/* Whether there is such a method: asked when the headers are there. If not, `request`
	 * is called at once, without a message, to refuse it: a client that streams would
	 * wait for an answer before it ends its request. NULL: nobody knows. */
	bool (*knows)(struct grpc_server *s, const char *path);
	void (*stopped)(struct grpc_server *s); /* see grpc_server_stop() */
	void *ctx; /* the handler's */

	/* grpc_server.c's and grpc_peer.c's */
	struct nghttp2_session_callbacks *callbacks;
	struct nghttp2_option *options;
	struct grpc_peer *dirty; /* have something to be sent */
	struct source flush, sweep;
	size_t bodies;
	bool stopping;
};

struct grpc_call {
	struct grpc_server *server;
	const char *path; /* "/PACKAGE.SERVICE/METHOD" */
	const uint8_t *body; /* the client's message, until `request` returns */
	size_t len;
	void (*gone)(struct grpc_call *c); /* set by the handler; c is freed after it */
	bool endless; /* set by the handler: it has no end of its own, and ends when the server stops */
	/* A stream of answers: it was over GRPC_SEND_MARK, and is no longer. */
	void (*writable)(struct grpc_call *c);
	void *ctx; /* the handler's */
};

/* `fd` is a listening socket; the server's from now on. -1: none, connections are
 * added by hand (grpc_peer.h). */
int grpc_server_init(struct grpc_server *s, struct loop *l, int fd, void (*request)(struct grpc_call *c), void *ctx,
		     struct err *e);
/* No new connections and calls (GOAWAY); those without an end are gone, and told that
 * we are unavailable; `stopped` when the others have ended, by the loop. */
void grpc_server_stop(struct grpc_server *s);
/* Closes all connections at once; calls that are not answered are gone. Within a
 * callback of a call, `s` itself must stay until the loop has its turn. */
void grpc_server_done(struct grpc_server *s);

/* The value of a key in the request's headers ("containerd-namespace"); NULL: not
 * there. One that ends in "-bin" is in base64. */
const char *grpc_metadata(const struct grpc_call *c, const char *key);

/* Goes with the status of a call that is not answered yet; one a call. `key` is static, the
 * value is copied; without memory it is left out. */
void grpc_trailer(struct grpc_call *c, const char *key, const char *value);

/* ---- one answer, or an error: the end of a call, which is freed --------------- */

void grpc_reply(struct grpc_call *c, const ProtobufCMessage *m);
void grpc_fail(struct grpc_call *c, const struct err *e); /* code and words: rpc_status.h */

/* ---- a stream of answers ------------------------------------------------------ */

/* A message as it goes over the wire, counted: the same for any number of calls. */
struct grpc_message;
struct grpc_message *grpc_message_new(const ProtobufCMessage *m); /* NULL: no memory, or too long */
struct grpc_message *grpc_message_packed(const void *body, size_t len);
struct grpc_message *grpc_message_ref(struct grpc_message *m);
void grpc_message_unref(struct grpc_message *m); /* NULL is fine */

/* Somebody who wants to know when one client's socket has the message, all of it; or when
 * nobody is to get it any more: it is freed. Once. */
struct grpc_receipt {
	void (*told)(struct grpc_receipt *r);
};
void grpc_message_receipt(struct grpc_message *m, struct grpc_receipt *r);

/* Bytes of this call that the client has not taken yet, this message with them. The
 * bound is the caller's: this refuses nothing. The message stays the caller's, too. */
size_t grpc_send(struct grpc_call *c, struct grpc_message *m);
void grpc_end(struct grpc_call *c); /* after what was sent; c is freed */
