/*
 * Bind mounts that are attached to a container that is there already, and taken
 * off again. The source is a matter of the host and opened there; for the rest
 * the caller becomes a process of the container's mount and user namespaces:
 * a helper of its own, that ends afterwards.
 *
 *	r = live_mount_check(m, e);
 *	r = live_mount_add(&where, m, &made, e);	// in a helper
 *	r = live_mount_remove(&where, m->destination, &made, e);	// in another
 *
 * The container may do with its files what it likes meanwhile. The destination is
 * looked up in its root, links included; what is unmounted is the mount that was
 * attached, wherever it has been moved, and no other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct spec_mount;

struct live_where {
	int pidfd; /* the container's first process */
	pid_t pid;
	const char *bundle; /* for relative sources */
};

struct live_mount { /* that was attached */
	uint64_t id; /* as in mountinfo; and what it is the root of, since ids are used again */
	uint64_t dev, ino;
	uint32_t made; /* components at the end of the destination that were not there */
	bool file; /* the last of them */
};

/* What has nothing to do with a container: a bind mount, and its options. Errors
 * are ERR_INVALID with the pointer in the mount object. */
int live_mount_check(const struct spec_mount *m, struct err *e);
int live_mount_add(const struct live_where *w, const struct spec_mount *m, struct live_mount *ret, struct err *e);
/* ERR_NOT_FOUND: the container has unmounted it; ERR_STATE: it is busy, or hidden
 * by what is mounted on a directory above. */
int live_mount_remove(const struct live_where *w, const char *destination, const struct live_mount *m,
		      struct err *e);
