/* The mount table of our namespace, as far as live_mount.c needs it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

struct live_entry {
	uint64_t id, parent;
	char *path; /* of the mount point */
};

/* The mount with this id and those below it, each after what it is mounted on;
 * n is 0 when there is none. `proc` is a /proc that shows us. */
int live_table_below(int proc, struct arena *a, uint64_t id, struct live_entry **ret, size_t *ret_n, struct err *e);
/* The pure part: the text of mountinfo, which is changed. -E2BIG: there are more
 * than anyone mounts on purpose. */
int live_table_parse(struct arena *a, char *text, uint64_t id, struct live_entry **ret, size_t *ret_n);
