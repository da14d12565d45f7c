/*
 * One connection of a gRPC server and the streams on it: what grpc_peer.c (session
 * and socket), grpc_request.c (what comes) and grpc_answer.c (what goes) share.
 *
 * nghttp2 must not be asked for bytes to send within a callback of its own, so
 * whoever submits something marks the connection (grpc_peer_dirty), and it is sent
 * when its callbacks have returned, or by the loop in its next turn.
 *
 * A stream's object is there until both HTTP/2's stream is closed (`peer` is NULL)
 * and the handler has done with the call.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "grpc_server.h"
#include "str.h"

struct grpc_stream;

struct grpc_block { /* the headers that are being read: "KEY\0VALUE\0..." */
	struct sb text;
	size_t size; /* as HTTP/2 counts; over GRPC_HEADERS_MAX nothing is kept */
	bool open; /* not complete yet */
	bool is_bad; /* a NUL is in it */
};

struct grpc_peer {
	struct loop_owner owner; /* first */
	struct grpc_server *server;
	struct grpc_peer *prev, *next;
	struct source io;
	int fd; /* -1: closed */
	uint32_t events; /* that are waited for */
	nghttp2_session *session;
	bool feeding; /* its callbacks are on the stack; what they submit is sent after them */
	bool broken; /* it is closed in the next turn */
	bool is_dirty;
	bool settled; /* it has sent its preface */
	bool touched; /* something came since the last sweep */
	struct grpc_peer *next_dirty;

	struct grpc_block block;
	struct grpc_stream *streams;
	unsigned n_half; /* requests that are not whole */
	unsigned n_writable; /* whose handlers are to be told */
	size_t bodies;
	struct grpc_stream *held, **last_held; /* wait until `unread` is less */
	size_t unread; /* bytes of single answers */

	uint8_t *out; /* what the socket did not take */
	size_t out_len, out_sent;
	struct grpc_out *taken; /* messages whose last byte is among what is being sent, with `out` */
};

struct grpc_out { /* in the queue of a stream */
	struct grpc_out *next;
	struct grpc_message *m;
};

struct grpc_stream {
	struct grpc_call call; /* first */
	struct grpc_peer *peer;
	struct grpc_stream *prev, *next, *next_held;
	struct source deadline;
	int32_t id;
	bool with_handler; /* which has not answered */
	bool half; /* the request is not whole */
	bool touched; /* some of it came since the last sweep */
	bool is_held;

	/* the request: gRPC's prefix of five bytes, then the message */
	uint8_t prefix[5];
	uint8_t n_prefix;
	uint8_t *body;
	size_t have, cap;

	/* the answer */
	bool begun; /* its headers are submitted */
	bool ended; /* its status is known */
	bool single; /* its bytes count as the peer's `unread` */
	bool over_mark, is_writable;
	int status;
	char *words; /* encoded; NULL: none */
	const char *trailer_key; /* NULL: none */
	char *trailer;
	struct grpc_out own, *out, **last_out;
	size_t sent; /* of the first in the queue */
	size_t unread;

	size_t n_text;
	char text[]; /* the headers */
};

/* A connection that was made elsewhere; the fd is taken in any case. */
int grpc_server_add(struct grpc_server *s, int fd, struct grpc_peer **ret);

/* ---- grpc_peer.c ---------------------------------------------------------------- */

int grpc_session_setup(struct grpc_server *s); /* callbacks and options */
int grpc_peer_init(struct grpc_peer *p, int fd); /* the fd is closed on failure */
void grpc_peer_read(struct grpc_peer *p); /* once: more is for the loop */
/* The part of reading that knows no socket: for the loop, tests and the fuzzer. */
void grpc_peer_feed(struct grpc_peer *p, const uint8_t *data, size_t n);
void grpc_peer_dirty(struct grpc_peer *p);
void grpc_peer_break(struct grpc_peer *p); /* closed, but not now; as when memory is out */
/* What it has taken from the queues of its streams has been sent, or never will be. */
void grpc_peer_forget(struct grpc_peer *p, bool sent);
/* Sends what there is; may close. */
void grpc_peer_flush(struct grpc_peer *p);
void grpc_peer_stop(struct grpc_peer *p); /* GOAWAY: it is closed when its calls have ended */
/* All its calls are gone; twice is fine. */
void grpc_peer_close(struct grpc_peer *p);

/* ---- grpc_server.c -------------------------------------------------------------- */

void grpc_server_wake(struct grpc_server *s); /* `flush` fires in the loop's next turn */
void grpc_server_watch(struct grpc_server *s); /* there is half a request */
void grpc_server_left(struct grpc_peer *p); /* it is no longer in the list */

/* ---- grpc_request.c ------------------------------------------------------------- */

void grpc_block_begin(struct grpc_block *b);
void grpc_block_add(struct grpc_block *b, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value);
void grpc_request_begin(struct grpc_peer *p, int32_t id, bool end);
void grpc_request_data(struct grpc_stream *st, const uint8_t *data, size_t n);
void grpc_request_end(struct grpc_stream *st);
void grpc_request_go_on(struct grpc_peer *p); /* those that are held */
/* Half a request of which nothing came since the last time is given up. */
void grpc_request_sweep(struct grpc_peer *p);
/* Ends those without an end. */
void grpc_request_stop(struct grpc_peer *p);
/* HTTP/2's stream is closed. */
void grpc_stream_left(struct grpc_stream *st);

/* ---- grpc_answer.c -------------------------------------------------------------- */

/* What is queued goes first, unless the answer has not begun and nothing is. */
void grpc_stream_end(struct grpc_stream *st, int status, const char *words);
/* The answer to a stream that has no object; `http`: HTTP's status. */
void grpc_refuse(struct grpc_peer *p, int32_t id, const char *http, int status, const char *words);
void grpc_stream_discard(struct grpc_stream *st); /* what is queued */
void grpc_stream_free(struct grpc_stream *st); /* if nobody has it any more */
void grpc_peer_writable(struct grpc_peer *p); /* tells the handlers */
