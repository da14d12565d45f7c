/*
 * A process in the foreground: its streams are ours, signals that we get are
 * its, and its exit code becomes ours.
 */
#pragma once

#include "ctl.h"

struct process_flags { /* of run and exec */
	const char *user, *cwd;
	struct option_list env;
	bool input, tty, detach;
	bool it, dt; /* written as one: -it, -dt */
};

#define PROCESS_FLAGS(strct, m)                                                                        \
	OPTION("interactive", 'i', OPT_BOOL, strct, m.input, NULL, "our standard input is the process's"), \
	OPTION("tty", 't', OPT_BOOL, strct, m.tty, NULL, "give it a terminal, and our input"),             \
	OPTION("detach", 'd', OPT_BOOL, strct, m.detach, NULL, "return when it has started"),              \
	OPTION("user", 'u', OPT_STRING, strct, m.user, NULL, "NAME or UID[:GID]"),                         \
	OPTION("cwd", 'w', OPT_STRING, strct, m.cwd, NULL, "its working directory"),                       \
	OPTION("env", 'e', OPT_LIST, strct, m.env, NULL, "NAME=value, or NAME of our own"),                \
	OPTION("it", 0, OPT_BOOL, strct, m.it, NULL, NULL),                                                \
	OPTION("ti", 0, OPT_BOOL, strct, m.it, NULL, NULL),                                                \
	OPTION("dt", 0, OPT_BOOL, strct, m.dt, NULL, NULL),                                                \
	OPTION("td", 0, OPT_BOOL, strct, m.dt, NULL, NULL)

/* Letters that were written together, and what one flag implies. */
void process_flags_settle(struct process_flags *f);

/* ProcessParameters. `args` is NULL-terminated; none: the system's own command. */
const char *process_document(struct request *q, const struct process_flags *f, char *const *args, struct err *e);

struct started {
	HCS_PROCESS process;
	HCS_PROCESS_INFORMATION info;
	/* The streams go through the shim: it keeps the input open until it is told that
	 * there is no more, and may have output that we have not when the process ends. */
	bool through_shim;
};
#define STARTED_INIT { .info = { 0, 0, -1, -1, -1 } }

int start_process(struct request *q, HCS_SYSTEM s, const char *document, struct started *ret, struct err *e);
void started_done(struct started *p);
#define OWN_STARTED __attribute__((cleanup(started_done))) struct started

/* Until it has ended: its exit code, as a shell has it. With --json what it
 * writes is kept, and printed with the rest in one document. */
int attach(struct request *q, struct started *p, const struct process_flags *f, struct err *e);
/* -d: what is printed of it. */
int show_started(struct request *q, const struct started *p, struct err *e);
