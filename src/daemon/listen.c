/* Sockets and systemd; see listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "sys.h"

enum { FIRST_FD = 3, BACKLOG = 4096 };
enum { LISTEN_MS = 2000, LISTEN_PAUSE_MS = 10 };

/* ---- from systemd -------------------------------------------------------------- */

static int number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

/* The one that is bound to this path; -ENOENT: none is. */
static int passed(const char *path, struct err *e)
{
	int n = number_of("LISTEN_PID") == getpid() ? number_of("LISTEN_FDS") : 0;

	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
		struct sockaddr_un sa = { 0 };
		socklen_t len = sizeof sa;
		int r = getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ? -errno : 0;

		if (r == -EBADF)
			break; /* so many were not passed */
		if (r < 0 || sa.sun_family != AF_UNIX || strncmp(sa.sun_path, path, sizeof sa.sun_path) != 0)
			continue;
		if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1)
			return err_set(e, ERR_INVALID, 0, "descriptor %d, passed for '%s', is no stream that listens",
				       fd, path);
		sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
		sys_fcntl(fd, F_SETFL, O_NONBLOCK);
		return fd;
	}
	return -ENOENT;
}

void notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	OWN_FD fd = -1;
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, len);
	if (*path == '@')
		sa.sun_path[0] = '\0';
	fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

/* ---- our own --------------------------------------------------------------------- */

/* The socket's, made if need be. */
static int open_directory(const char *path, struct err *e)
{
	char dir[sizeof((struct sockaddr_un *)0)->sun_path];
	OWN_FD made = -1;
	char *slash;
	int fd;

	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	made = file_mkdirs(dir, 0711, e);
	if (made < 0)
		return made;
	fd = sys_openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? err_sys(e, fd, "open '%s'", dir) : fd;
}

/* Nobody answers there any more. */
static bool is_stale(const struct sockaddr_un *sa)
{
	OWN_FD fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && sys_connect(fd, (const struct sockaddr *)sa, sizeof *sa) == -ECONNREFUSED;
}

bool listen_is_stale(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof sa.sun_path)
		return false;
	strcpy(sa.sun_path, path);
	return is_stale(&sa);
}

static int bind_and_listen(int fd, const struct sockaddr_un *sa, uint32_t uid, uint32_t gid)
{
	int r = sys_bind(fd, (const struct sockaddr *)sa, sizeof *sa);

	if (r == -EADDRINUSE && is_stale(sa) && sys_unlinkat(AT_FDCWD, sa->sun_path, 0) >= 0)
		r = sys_bind(fd, (const struct sockaddr *)sa, sizeof *sa);
	if (r < 0)
		return r;
	if (uid || gid)
		r = sys_fchownat(AT_FDCWD, sa->sun_path, uid, gid, AT_SYMLINK_NOFOLLOW);
	if (r >= 0)
		r = sys_listen(fd, BACKLOG);
	if (r < 0)
		(void)sys_unlinkat(AT_FDCWD, sa->sun_path, 0);
	return r;
}

/* Of a daemon that was killed a child may still have the socket, until it has executed
 * a shim. Of two that find one stale socket the second would remove the first's: so they
 * take turns. */
static int listen_in_turn(int fd, int dir, const struct sockaddr_un *sa, uint32_t uid, uint32_t gid)
{
	const struct timespec pause = { .tv_nsec = LISTEN_PAUSE_MS * 1000000 };
	/* It is 0660 from the start. */
	mode_t old = umask(0117);
	int r = -EADDRINUSE;

	for (int ms = 0; r == -EADDRINUSE && ms < LISTEN_MS; ms += LISTEN_PAUSE_MS) {
		if (ms)
			nanosleep(&pause, NULL);
		/* Whoever may read the directory can hold its lock: we wait, but not for ever. */
		if (sys_flock(dir, LOCK_EX | LOCK_NB) < 0 && ms + LISTEN_PAUSE_MS < LISTEN_MS)
			continue;
		r = bind_and_listen(fd, sa, uid, gid);
		sys_flock(dir, LOCK_UN);
	}
	umask(old);
	return r;
}

int listen_unix(const char *path, uint32_t uid, uint32_t gid, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	OWN_FD fd = passed(path, e), dir = -1;
	int r;

	if (fd != -ENOENT)
		return take_fd(&fd);
	if (strlen(path) >= sizeof sa.sun_path)
		return err_set(e, ERR_INVALID, 0, "'%s' is too long for a socket", path);
	strcpy(sa.sun_path, path);
	dir = open_directory(path, e);
	if (dir < 0)
		return dir;
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? fd : listen_in_turn(fd, dir, &sa, uid, gid);
	if (r == -EADDRINUSE)
		return err_set(e, ERR_EXISTS, r, "listen at '%s'", path);
	return r < 0 ? err_sys(e, r, "listen at '%s'", path) : take_fd(&fd);
}
