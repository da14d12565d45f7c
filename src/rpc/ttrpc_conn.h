/*
 * The frames of ttrpc, containerd's protocol between daemon and shim: ten bytes
 * of header (length, stream, type, flags; big endian) and at most 4 MiB of
 * message, over a unix socket. Server and client (ttrpc_server.h,
 * ttrpc_client.h) stand on this; neither waits for its peer.
 *
 * A message that is too long is read and thrown away, and its frame is handed
 * on with `too_long`, so that its sender gets an answer. While a peer leaves
 * more than 8 MiB of ours unread, nothing more is read from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "loop.h"

enum { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };
enum { TTRPC_HEADER = 10, TTRPC_MESSAGE_MAX = 4 << 20, TTRPC_UNREAD_MAX = 8 << 20 };

enum { TTRPC_FDS_MAX = 3 };

struct ttrpc_frame {
	uint32_t stream;
	uint8_t type, flags;
	bool too_long; /* body is NULL, len is what was announced */
	const uint8_t *body; /* during the callback */
	size_t len;
	int *fds; /* taken by setting -1, else closed */
	size_t n_fds;
};

struct ttrpc_out;

struct ttrpc_conn {
	struct loop_owner owner; /* its release frees what the connection is a part of */
	struct source io;
	int fd; /* -1: closed */
	/* `r`: 0 when the peer has closed, else -errno; the connection is closed. */
	void (*on_frame)(struct ttrpc_conn *c, const struct ttrpc_frame *f);
	void (*on_close)(struct ttrpc_conn *c, int r);

	/* reading: the header, then the body or what is thrown away of it */
	uint8_t header[TTRPC_HEADER];
	size_t have, want;
	uint8_t *body;
	bool take_fds; /* set before; else what comes is closed */
	bool fds_are_current; /* they came with the frame that is being read */
	uint8_t n_fds;
	int fds[TTRPC_FDS_MAX];

	/* writing */
	struct ttrpc_out *first, **last;
	bool corked; /* what is sent waits, to go together */
	size_t unread; /* bytes in the queue */
	uint32_t events; /* that are waited for */
};

/* Takes the connected socket; closed on failure, too. The callbacks and the
 * owner's release are set before. */
int ttrpc_conn_init(struct ttrpc_conn *c, struct loop *l, int fd);

/* Queues a message and sends what the socket takes. -EMSGSIZE: over 4 MiB. A
 * connection that is broken is closed by the loop, not here. */
int ttrpc_conn_send(struct ttrpc_conn *c, uint32_t stream, uint8_t type, const ProtobufCMessage *m);
/* The same with fds (SCM_RIGHTS) at the first byte of the frame: taken, and
 * closed when they are sent or cannot be. */
int ttrpc_conn_send_fds(struct ttrpc_conn *c, uint32_t stream, uint8_t type, const ProtobufCMessage *m, int *fds,
			size_t n);

/* What is sent between the two goes together, as all does that is sent from within
 * on_frame. Returns whether it is for the caller to end it. */
bool ttrpc_conn_cork(struct ttrpc_conn *c);
void ttrpc_conn_uncork(struct ttrpc_conn *c, bool ours);

/* Reads what is there now, and calls on_frame for it; may close. */
void ttrpc_conn_drain(struct ttrpc_conn *c);
/* The same, but once: more is for the loop. */
void ttrpc_conn_read(struct ttrpc_conn *c);

/* The part of reading that knows no socket: for the loop, tests and the fuzzer. */
void ttrpc_conn_feed(struct ttrpc_conn *c, const uint8_t *data, size_t n);

/* No callback is called any more; twice is fine. */
void ttrpc_conn_close(struct ttrpc_conn *c);
