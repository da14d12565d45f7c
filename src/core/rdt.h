/*
 * Intel RDT / AMD QoS: the container's group in the resctrl file system. A
 * group that was there before is only used; one that we made is removed with
 * the container.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct spec_intel_rdt;

#define RESCTRL "/sys/fs/resctrl"

/* The directory fd of resctrl that the others want, O_PATH. */
int rdt_open(struct err *e);
/* Finds or makes the group `name` (the closID, or the container's id) and writes
 * its schemata; those of a closID that was there are only compared. *ret_made:
 * it is ours to remove. On failure nothing is left. */
int rdt_create(int root, const struct spec_intel_rdt *rdt, const char *name, bool *ret_made,
	       struct err *e);
int rdt_join(int root, const char *name, pid_t pid, struct err *e);
/* Absent is fine. */
int rdt_remove(int root, const char *name, struct err *e);
