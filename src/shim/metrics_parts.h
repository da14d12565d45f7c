/*
 * Inside metrics*.c only: building the messages in an arena, and the two of
 * them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "cgroup_stats.h"

struct metrics {
	const struct cgroup *cg;
	const struct cgroup_stats *s;
	struct arena *a;
	bool failed; /* out of memory: what was built is not whole */
};

/* An empty message; NULL: out of memory. */
void *metrics_part(struct metrics *m, const ProtobufCMessageDescriptor *d);
/* Pointers to `n` of them, for a repeated field. NULL when n is 0, too. */
void *metrics_list(struct metrics *m, const ProtobufCMessageDescriptor *d, size_t n);

/* The lines of memory.stat into the numbers of a message that are named like
 * them; `renamed`, which ends in an empty row, has those that are not. */
struct metrics_name {
	const char *line, *field;
};
void metrics_memory_stat(const struct metrics *m, const struct metrics_name *renamed,
			 ProtobufCMessage *to);

/* The RdmaStat of either, which differ in nothing but their names. */
void *metrics_rdma(struct metrics *m, const ProtobufCMessageDescriptor *d);

ProtobufCMessage *metrics_v1(struct metrics *m);
ProtobufCMessage *metrics_v2(struct metrics *m);
