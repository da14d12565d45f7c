/*
 * Moves the bytes of one standard stream of a process between its own pipe (or
 * the master of its terminal) and the client's FIFO, by splice(2): the bytes
 * stay in the kernel, and there is no buffer here that could fill up or be lost.
 *
 * A client that stalls or is away fills the FIFO, then the process's pipe, and
 * the process waits; when it reads again, all goes on. Nothing here ever waits,
 * and nobody gets a SIGPIPE: a FIFO is opened for reading and writing, so that
 * it always has a reader; and a process that writes on when its client is done
 * writes to nowhere. What is in the FIFO at the end stays there for a client
 * that comes later (fifo.h).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "fifo.h"
#include "loop.h"

struct stream;
typedef void stream_ended_fn(struct stream *s, void *ctx);

struct stream {
	struct source src; /* the one end that is waited for */
	struct loop *loop;
	int from, to; /* owned */
	struct fifo_late late; /* after the end */
	bool is_clients; /* `to` is a client's FIFO, open; */
	dev_t dev;
	ino_t ino; /* which one it is, or was; 0: none */
	struct stream *next, **link;
	bool last; /* the client is done when `left` more bytes have been moved */
	bool orphaned; /* nobody has it: it frees itself */
	bool nowhere; /* it is done: the rest is thrown away until its end */
	size_t left;
	stream_ended_fn *ended; /* once: the client has all that it gets */
	void *ctx;
};

/* Takes the two fds, in any case. One of them is a pipe or FIFO. */
int stream_new(struct stream **ret, struct loop *l, int from, int to, stream_ended_fn *ended, void *ctx);
/* The process is gone: the client is done once what is in the pipe now has been
 * moved, though others may still have it open and write. Calls `ended` if there
 * is nothing. */
void stream_finish(struct stream *s);
/* No more input but what clients still write: after the last one the process
 * sees the end. Until then a client that goes is none. */
void stream_end_input(struct stream *s);
/* The client has had all there was, and only the process's own end is open. */
static inline bool stream_is_over(const struct stream *s)
{
	return s->nowhere || s->from < 0;
}
/* At once, without `ended`. */
void stream_free(struct stream *s);
/* Its owner goes. One whose client is done stays until the process's end is
 * closed, so that nobody is signalled; of these there may be STREAMS_ORPHANED.
 * One whose client has not come yet waits for it a while, as fifo.h says. */
enum { STREAMS_ORPHANED = 64 };
void stream_let_go(struct stream *s);
