/*
 * `run` and `exec` without --detach: the program stays, forwards signals to the
 * process, carries the bytes of its terminal, and ends with its exit code.
 *
 *	OWN_FOREGROUND struct foreground f = FOREGROUND_INIT;
 *	foreground_size(process);
 *	foreground_begin(&f, e);	// before the process exists
 *	container_create(..., &pidfd, &pid, e);	// with .ret_master = &f.master
 *	code = foreground_wait(&f, pidfd, pid, e);
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "term.h"

struct err;
struct spec_process;

struct foreground {
	int signals; /* signalfd */
	int master; /* of the process's terminal; -1: none */
	struct term own; /* the caller's terminal, in raw mode */
};
#define FOREGROUND_INIT { .signals = -1, .master = -1, .own = TERM_INIT }

int foreground_begin(struct foreground *f, struct err *e);
/* A process with a terminal starts in one of the caller's size, unless it names
 * a size itself: set before it can look. */
void foreground_size(struct spec_process *p);
/* The exit code; < 0: something went wrong here, and the process may live on. */
int foreground_wait(struct foreground *f, int pidfd, pid_t pid, struct err *e);
void foreground_done(struct foreground *f);
#define OWN_FOREGROUND __attribute__((cleanup(foreground_done)))
