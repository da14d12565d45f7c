/*
 * A client's FIFO: opened for both directions, so that nothing waits for the
 * client, and left at the end of its stream so that no byte is lost.
 *
 * A client may come after that end: it asks for a process, and opens the FIFO in
 * a thread of its own meanwhile. Were its last writer gone by then, open(2) would
 * wait for one for ever, and the bytes in the FIFO would be gone. So a writer stays
 * until somebody reads. Nothing tells when that is: it is looked after, first at once,
 * then in steps that grow to a second.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "loop.h"

struct err;

/* Opens a client's FIFO for either direction; never waits for the client. */
int fifo_open(const char *path, struct err *e);
/* The same for one direction alone. */
int fifo_open_again(int fd, int flags);
/* A client's, opened by fifo_open(), as opposed to a process's own pipe. */
bool fifo_is_clients(int fd, struct stat *ret);
int fifo_waiting_bytes(int fd); /* of a FIFO, a pipe or a terminal */

struct fifo_late;
typedef void fifo_late_fn(struct fifo_late *l);

struct fifo_late { /* all zero but for the fds, which are -1 */
	struct loop *loop;
	struct source look;
	int writer; /* until there is a reader */
	int unread; /* then: keeps what that one has not read, for when it comes back */
	uint32_t step;
	uint32_t limit; /* to the end of it, in ms; UINT32_MAX: none */
	fifo_late_fn *over; /* once, if it is limited */
};
#define FIFO_LATE_INIT { .writer = -1, .unread = -1, .limit = UINT32_MAX }

/* All has been written; takes the fd, of fifo_open(). */
void fifo_late_begin(struct fifo_late *l, struct loop *loop, int fd);
static inline bool fifo_late_is_waiting(const struct fifo_late *l)
{
	return l->writer >= 0;
}
/* Its owner goes; whoever has not come in FIFO_LATE_MS will not. FIFO_LATE_MAX
 * such are kept, and those beyond end now. `over` is called later, and only if it
 * is still waiting now. */
enum { FIFO_LATE_MS = 10000, FIFO_LATE_MAX = 64 };
void fifo_late_limit(struct fifo_late *l, fifo_late_fn *over);
void fifo_late_end(struct fifo_late *l); /* at once, without `over` */
