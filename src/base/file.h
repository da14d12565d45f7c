/*
 * Files of the host: state, documents, /proc entries. Never for a path below a
 * container's root; that is rootfs.h.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct arena;
struct err;

/* A whole file as NUL-terminated arena memory. -EFBIG beyond `max`. */
int file_read(struct arena *a, int dir, const char *path, size_t max,
	      char **ret, size_t *ret_len, struct err *e);

/* The same of an open fd of any kind, read to its end; `name` is for errors. */
int file_read_fd(struct arena *a, int fd, const char *name, size_t max,
		 char **ret, size_t *ret_len, struct err *e);

/* The path of what is open, absolute and without symbolic links, in the arena. */
int file_path_of(struct arena *a, int fd, const char **ret, struct err *e);

/* A small file (no link), NUL-terminated, without trailing white space. The
 * length or -errno; longer than the buffer is -EFBIG. */
ssize_t file_read_line(int dir, const char *path, char *buf, size_t cap);

/* One write(2) of a string to an existing file (cgroup, /proc; no link).
 * -errno; no words, since only the caller knows what it means. */
int file_write_string(int dir, const char *path, const char *s);

/* Replaces `name` in `dir` atomically: temporary file, write, rename. No fsync:
 * the state directory is on tmpfs. */
int file_replace(int dir, const char *name, const void *data, size_t len,
		 mode_t mode, struct err *e);

/* A file of nobody else: in memory, or without a name where memfd_create(2) is refused. */
int file_memory(const char *name);

/* mkdir -p on the host; returns an O_PATH|O_DIRECTORY fd of it. */
int file_mkdirs(const char *path, mode_t mode, struct err *e);

/* Removes a directory and what is below it, without following links. Absent is
 * fine; what is mounted there stays, and is -EBUSY. */
int file_remove_tree(int dir, const char *name);
