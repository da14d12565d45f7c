/*
 * Paths below a root directory that may be hostile. The root is a directory
 * fd; a path is resolved as if that directory were "/" (symbolic links stay
 * inside, ".." stops at the root, magic links are refused), by openat2 where
 * the kernel has it and by our own walk, one pinned component at a time, where
 * it does not or where something has to be created.
 *
 * Safe after clone3: no heap, no stdio. All functions return an fd (O_CLOEXEC)
 * or -errno.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Opens an existing object. `flags` as for open(2), without O_CREAT. */
int rootfs_open(int root, const char *path, int flags);

/* An O_PATH fd of a directory or of a regular file, made (with missing parent
 * directories, mode 0755) when nothing is there. What is there already is
 * returned whatever its type. */
int rootfs_make_dir(int root, const char *path, mode_t mode);
int rootfs_make_file(int root, const char *path, mode_t mode);

/* The parent directory of the last path, for one in which several things are
 * made. It stays the directory that was found: forget it before anything may
 * be mounted over it or above it. */
struct rootfs_dir {
	int fd; /* -1: none */
	char path[PATH_MAX];
};

/* The parent directory of `path`, made when missing, and the last component;
 * `leaf` holds at least NAME_MAX + 1 bytes. The fd is the memory's. -EINVAL
 * when there is no last component ("/", "a/.."). */
int rootfs_parent(int root, struct rootfs_dir *memory, const char *path, char *leaf);
bool rootfs_knows_parent(const struct rootfs_dir *memory, const char *path);
void rootfs_forget(struct rootfs_dir *memory);
