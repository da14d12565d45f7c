/*
 * What a daemon that hosts a task has to know of it after a restart, and no runtime
 * does: hosted.json in the bundle, written when it is created. Format:
 * docs/formats/hosted.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct process;

#define HOSTED_RECORD_VERSION 1

struct hosted_record {
	char *boot_id;
	int32_t pid; /* of the first process, which is this one only with */
	uint64_t start_time;
	char *stdio[3]; /* as the client gave them */
	bool terminal;
};

int hosted_record_write(const struct process *p, struct err *e);
/* -ENOENT: nothing was ever created. */
int hosted_record_read(struct arena *a, const char *bundle, struct hosted_record *ret, struct err *e);
