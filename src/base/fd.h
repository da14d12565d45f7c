/*
 * File descriptors that close themselves. Every fd is O_CLOEXEC from birth and
 * -1 when empty.
 *
 *	OWN_FD fd = sys_openat(dir, name, O_RDONLY | O_CLOEXEC, 0);
 *	return take_fd(&fd);	// gives it away
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

void fd_closep(int *fd);
#define OWN_FD __attribute__((cleanup(fd_closep))) int

static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/* Whole reads and writes, EINTR handled. 0 or -errno; fd_read_all returns the
 * number of bytes, -EFBIG when there are more than cap. */
int fd_write_all(int fd, const void *data, size_t len);
ssize_t fd_read_all(int fd, void *buf, size_t cap);

/* One message with up to `n` fds over a unix socket. recv returns the bytes
 * read, sets *n to the fds received (all O_CLOEXEC), and closes what does not
 * fit. Limit: FD_MSG_MAX fds. */
#define FD_MSG_MAX 16
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n);
ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *n);

/* A stream to who listens there, without waiting for him. -ENOENT, -ECONNREFUSED:
 * nobody does; -EAGAIN: his backlog is full. */
int fd_connect(const char *path);

/* Closes this one and all above. */
void fd_close_from(unsigned first);
