/*
 * How a process ended, on file in the bundle before anyone is told, so that it
 * is known although the shim is gone: exit.json of the first process, or
 * exec.<id>.exit.json. Format: docs/formats/exit.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct arena;
struct err;

#define EXIT_RECORD_VERSION 1

struct exit_record {
	const char *id;
	const char *exec_id; /* "": the first process */
	pid_t pid;
	uint32_t status; /* as a shell shows it: the code, or 128 + the signal */
	struct timespec at;
	uint64_t oom_kills; /* in the container, up to then */
	uint32_t signal; /* that ended it; 0: it exited, or it is not known */
	bool core_dumped;
	uint32_t kill_signal; /* the last that a client sent to it; 0: none */
	bool kill_all; /* to it and all others */
};

int exit_record_write(const char *bundle, const struct exit_record *r, struct err *e);
/* ERR_NOT_FOUND: it has not ended, or its end is not known. */
int exit_record_read(struct arena *a, const char *bundle, const char *exec_id, struct exit_record *ret,
		     struct err *e);
void exit_record_remove(const char *bundle, const char *exec_id);
