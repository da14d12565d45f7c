/* File descriptors: owning, whole reads and writes, passing over sockets.
 * Allow-listed for code that runs after clone3: no heap, no stdio. */
#include "fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sys.h"

void fd_closep(int *fd)
{
	sys_close(*fd);
	*fd = -1;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = sys_write(fd, p, len);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_all(int fd, void *buf, size_t cap)
{
	size_t len = 0;
	char extra;

	for (;;) {
		bool full = len == cap;
		ssize_t n = sys_read(fd, full ? &extra : (char *)buf + len,
				     full ? 1 : cap - len);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? n : (ssize_t)len;
		if (full)
			return -EFBIG;
		len += (size_t)n;
	}
}

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FD_MSG_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t r;

	if (n > FD_MSG_MAX)
		return -EINVAL;
	if (n) {
		memset(&control, 0, sizeof control);
		msg.msg_control = control.buf;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	do
		r = sys_sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r == -EINTR);
	if (r < 0)
		return (int)r;
	return (size_t)r == len ? 0 : -EIO;
}

/* Hands out the first `want` fds of a control message and closes the others. */
static size_t take_rights(struct msghdr *msg, int *fds, size_t want)
{
	size_t got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (got < want)
				fds[got++] = fd;
			else
				sys_close(fd);
		}
	}
	return got;
}

ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FD_MSG_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf,
	};
	ssize_t r;

	do
		r = sys_recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (r < 0)
		return r;
	if (n)
		*n = take_rights(&msg, fds, *n);
	else
		take_rights(&msg, NULL, 0);
	return r;
}

int fd_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	OWN_FD fd = -1;
	int r;

	if (len >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, len);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? fd : sys_connect(fd, (const struct sockaddr *)&sa, sizeof sa);
	return r < 0 ? r : take_fd(&fd);
}

void fd_close_from(unsigned first)
{
	int r = sys_close_range(first, ~0u, 0);
	struct rlimit64 l;

	if (r >= 0 || sys_prlimit(0, RLIMIT_NOFILE, NULL, &l) < 0)
		return;
	for (unsigned fd = first; fd < l.rlim_cur && fd < 1 << 20; fd++)
		sys_close((int)fd);
}
