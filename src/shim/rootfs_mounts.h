/* The mounts that a client gives a task for its root file system (an overlay,
 * as a rule), made on <bundle>/rootfs as mount(8) would. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "types.pb-c.h"

struct err;

/* In their order; on failure those that were made are undone. */
int rootfs_mounts_make(const char *bundle, Containerd__Types__Mount *const *mounts, size_t n, struct err *e);
/* Others have what is mounted, too: undoing it takes no time. */
bool rootfs_mounts_are_binds(Containerd__Types__Mount *const *mounts, size_t n);
/* Whatever is mounted there, however often. */
int rootfs_mounts_undo(const char *bundle, struct err *e);
