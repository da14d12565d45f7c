/*
 * Moves the bytes of one standard stream of a process between its own pipe (or
 * the master of its terminal) and the client's FIFO, by splice(2): the bytes
 * stay in the kernel, and there is no buffer here that could fill up or be lost.
 *
 * A client that stalls or is away fills the FIFO, then the process's pipe, and
 * the process waits; when it reads again, all goes on. Nothing here ever waits,
 * and nobody gets a SIGPIPE: a FIFO is opened so that it always has a reader.
 */
#pragma once

#include <stdbool.h>

#include "loop.h"

struct err;

struct stream {
	struct source src; /* the one end that is waited for */
	struct loop *loop;
	int from, to; /* owned */
	int hold; /* the other end of the client's FIFO, which keeps it alive; -1: a terminal's, or let go */
	bool last; /* ends when `left` more bytes have been moved */
	size_t left;
	void (*ended)(struct stream *s); /* its fds are closed; may free it */
	void *ctx;
};

/* Opens a client's FIFO for output; *ret_hold keeps a reader of it. Never waits
 * for the client. */
int stream_open_output(const char *path, int *ret_hold, struct err *e);
/* For input: a writer is held, so that a client that goes is no end of file;
 * after stream_close_hold() it is one. */
int stream_open_input(const char *path, int *ret_hold, struct err *e);

/* Takes the three fds. One of `from` and `to` is a pipe or FIFO. */
int stream_start(struct stream *s, struct loop *l, int from, int to, int hold, void (*ended)(struct stream *s),
		 void *ctx);
/* The process is gone: the stream ends once what is in its pipe now has been
 * moved, though others may still have it open and write. */
void stream_finish(struct stream *s);
void stream_close_hold(struct stream *s);
/* At once, without `ended`. Twice is fine. */
void stream_stop(struct stream *s);
