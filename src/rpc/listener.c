/* Who connects to a server; see listener.h. */
#include "listener.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"
#include "sys.h"

enum { AGAIN_MS = 100 };

static bool is_allowed(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof cred;

	return sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) >= 0 && (cred.uid == 0 || cred.uid == geteuid());
}

static int again(struct source *s, uint32_t events);

static int on_io(struct source *s, uint32_t events)
{
	struct listener *n = (struct listener *)((char *)s - offsetof(struct listener, io));
	OWN_FD fd = sys_accept(n->fd);
	int r = fd;

	if (r == -EAGAIN || r == -EINTR || r == -ECONNABORTED)
		return 0;
	if (r < 0) {
		source_remove(s);
		return source_timer(s, n->loop, AGAIN_MS, again);
	}
	if (n->anyone || is_allowed(fd))
		n->connected(n, take_fd(&fd)); /* the last use of n, which it may close */
	return 0;
}

static int again(struct source *s, uint32_t events)
{
	struct listener *n = (struct listener *)((char *)s - offsetof(struct listener, io));
	int r = source_fd(s, n->loop, n->fd, EPOLLIN, on_io);

	return r < 0 ? source_timer(s, n->loop, AGAIN_MS, again) : r;
}

int listener_init(struct listener *n, struct loop *l, int fd, void (*connected)(struct listener *n, int fd))
{
	int r = 0;

	*n = (struct listener){ .loop = l, .fd = fd, .connected = connected };
	if (fd >= 0)
		r = source_fd(&n->io, l, fd, EPOLLIN, on_io);
	if (r < 0)
		fd_closep(&n->fd);
	return r;
}

void listener_close(struct listener *n)
{
	source_remove(&n->io);
	fd_closep(&n->fd);
}
