/*
 * The standard streams of a process, as its client asked for them: each path
 * is that of a FIFO, which the shim moves bytes to or from (stream.h), of a file
 * or /dev/null, which the process gets itself, or empty; stdout may be a URI:
 * file:///path, or binary:///path?args for a logging program (logger.h). With
 * held:// the shim keeps its end for whoever asks (Stdio in api/berth_shim.proto).
 */
#pragma once

#include "shim.h"

struct stdfds { /* what the process gets */
	int fd[STDIO_COUNT]; /* owned; -1: /dev/null */
	const char *logger; /* borrowed of the process; NULL */
};
#define STDFDS_INIT { { -1, -1, -1 }, NULL }

/* Copies the paths; ERR_INVALID for what is none. */
int stdstreams_set(struct process *p, const char *in, const char *out, const char *err, bool terminal,
		   struct err *e);
/* Opens them and begins to move. With a terminal, that is later: */
int stdstreams_open(struct process *p, struct stdfds *ret, struct err *e);
void stdfds_close(struct stdfds *f);
/* Takes the terminal's master, and `out` for its output instead of a FIFO (-1: none). */
int stdstreams_attach(struct process *p, int master, int out, struct err *e);

/* CloseIO, which may come before there is a stream. */
void stdstreams_close_input(struct process *p);
/* The process has ended. */
void stdstreams_end_input(struct process *p);
/* Calls drained(p) once the client has what was written until now, or has not
 * taken it for DRAIN_MS. */
enum { DRAIN_MS = 5000 };
void stdstreams_drain(struct process *p, drained_fn *drained);
void stdstreams_forget_drain(struct process *p); /* nobody is to be called */
/* Those that are open; what a new start opens are others. */
void stdstreams_stop(struct process *p);
void stdstreams_close(struct process *p);
