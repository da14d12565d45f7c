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

#include <sys/types.h>

/* Opens an existing object. `flags` as for open(2), without O_CREAT. */
int rootfs_open(int root, const char *path, int flags);

/* An O_PATH fd of a directory or of a regular file, made (with missing parent
 * directories, mode 0755) when nothing is there. What is there already is
 * returned whatever its type. */
int rootfs_make_dir(int root, const char *path, mode_t mode);
int rootfs_make_file(int root, const char *path, mode_t mode);

/* The parent directory of `path`, made when missing, and the last component;
 * `leaf` holds at least NAME_MAX + 1 bytes. -EINVAL when there is no last
 * component ("/", "a/.."). */
int rootfs_make_parent(int root, const char *path, char *leaf);
