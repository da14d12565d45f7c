/* What a container is reached by: the start socket, the caller's console and
 * pidfd sockets, the pid file, and the seccomp agent. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "container_priv.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "record.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

enum { SEND_SECONDS = 10 };

static int unix_socket(int type, struct err *e)
{
	int fd = sys_socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "make a socket") : fd;
}

/* What both ends have in common. A socket's path may have 107 bytes; through an
 * fd any directory is short. */
static int start_socket(int dir, struct sockaddr_un *ret, struct err *e)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/" START_SOCKET, dir);
	return unix_socket(SOCK_SEQPACKET, e);
}

int start_socket_listen(int dir, struct err *e)
{
	struct sockaddr_un sa;
	OWN_FD fd = start_socket(dir, &sa, e);
	int r = fd;

	if (r < 0)
		return r;
	r = sys_bind(fd, (struct sockaddr *)&sa, sizeof sa);
	if (r >= 0)
		r = sys_listen(fd, 4);
	return r < 0 ? err_sys(e, r, "make the start socket") : take_fd(&fd);
}

int start_socket_connect(int dir, struct err *e)
{
	struct sockaddr_un sa;
	OWN_FD fd = start_socket(dir, &sa, e);
	int r = fd;

	if (r < 0)
		return r;
	r = sys_connect(fd, (struct sockaddr *)&sa, sizeof sa);
	return r < 0 ? err_sys(e, r, "connect to the container's start socket") : take_fd(&fd);
}

/* A listener that takes no connection, or nothing we send, must not hold us up. */
static int set_deadline(int fd, struct err *e)
{
	const struct timeval most = { .tv_sec = SEND_SECONDS };
	int r = sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);

	return r < 0 ? err_sys(e, r, "set the deadline of a socket") : 0;
}

static int unix_connect(const char *path, const char *what, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	OWN_FD fd = unix_socket(SOCK_STREAM, e);
	OWN_FD at = -1;
	int r = fd < 0 ? fd : set_deadline(fd, e);

	if (r < 0)
		return r;
	if (strlen(path) < sizeof sa.sun_path) {
		strcpy(sa.sun_path, path);
	} else {
		at = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
		if (at < 0)
			return err_sys(e, at, "open %s '%s'", what, path);
		snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d", at);
	}
	r = sys_connect(fd, (struct sockaddr *)&sa, sizeof sa);
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	return r < 0 ? err_sys(e, r, "connect to %s '%s'", what, path) : take_fd(&fd);
}

/* Complete when it appears: readers poll for the name. */
int write_pid_file(const char *path, pid_t pid, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX], text[16];
	OWN_FD fd = -1;

	if ((size_t)(slash ? slash - path + 1 : 1) >= sizeof dir)
		return err_sys(e, -ENAMETOOLONG, "write '%s'", path);
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, fd, "open the directory of '%s'", path);
	snprintf(text, sizeof text, "%d", (int)pid);
	return file_replace(fd, slash ? slash + 1 : path, text, strlen(text), 0644, e);
}

int send_pidfd(const char *socket_path, int pidfd, struct err *e)
{
	OWN_FD fd = unix_connect(socket_path, "the pidfd socket", e);
	int r = fd;

	if (r < 0)
		return r;
	r = fd_send(fd, "pidfd", 5, &pidfd, 1);
	return r < 0 ? err_sys(e, r, "send the pidfd to '%s'", socket_path) : 0;
}

/* The ContainerProcessState of the runtime specification. */
static int send_listener(const struct spec *s, const struct record *rec, int listener, pid_t pid,
			 enum container_state state, struct err *e)
{
	const struct spec_seccomp *sc = s->linux->seccomp;
	OWN_SB struct sb inner = SB_INIT;
	OWN_SB struct sb b = SB_INIT;
	OWN_FD fd = -1;
	struct jw w;
	int r;

	record_state_json(rec, state, false, NULL, &inner);
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "ociVersion", rec->oci_version);
	jw_kbegin(&w, "fds", '[');
	jw_str(&w, "seccompFd");
	jw_end(&w);
	jw_kint(&w, "pid", pid);
	jw_kstr(&w, "metadata", sc->listener_metadata ? sc->listener_metadata : "");
	jw_key(&w, "state");
	sb_puts(&b, inner.s ? inner.s : "{}");
	jw_end(&w);
	if (b.failed || inner.failed)
		return err_sys(e, -ENOMEM, "describe the seccomp listener");
	fd = r = unix_connect(sc->listener_path, "the seccomp agent", e);
	if (r < 0)
		return r;
	r = fd_send(fd, b.s, b.len, &listener, 1);
	return r < 0 ? err_sys(e, r, "send the seccomp listener to '%s'", sc->listener_path) : 0;
}

int hand_listener_over(struct launch *l, int fd, struct err *e)
{
	const struct stop_ctx *s = l->ctx;
	/* The first process has not come to its program yet; beside it others run. */
	enum container_state state = l->pid == s->rec->pid ? CT_CREATED : CT_RUNNING;

	return send_listener(s->spec, s->rec, fd, l->pid, state, e);
}

int console_check(bool terminal, const char *socket, const int *ret_master, struct err *e)
{
	if (terminal && !ret_master && str_empty(socket))
		return err_set(e, ERR_INVALID, 0,
			       "cannot allocate tty if berth will detach without setting console socket");
	if ((!terminal || ret_master) && !str_empty(socket))
		return err_set(e, ERR_INVALID, 0,
			       "cannot use console socket if berth will not detach or allocate tty");
	return 0;
}

/* For a caller in the foreground init gets the one end of a pair as its console
 * socket, and the master comes out of the other. */
int console_open(const char *socket, int *console, int *other, struct err *e)
{
	int pair[2], r;

	if (!str_empty(socket)) {
		*console = r = unix_connect(socket, "the console socket", e);
		return r < 0 ? r : 0;
	}
	r = sys_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, pair);
	if (r < 0)
		return err_sys(e, r, "make a console socket");
	*console = pair[0];
	*other = pair[1];
	return 0;
}

int receive_master(int *console, int *other, int *ret_master, struct err *e)
{
	char name[64];
	size_t n = 1;
	int fd = -1;
	ssize_t r;

	if (*other < 0)
		return 0;
	fd_closep(console);
	r = fd_recv(*other, name, sizeof name, &fd, &n);
	if (r <= 0 || fd < 0)
		return err_sys(e, r < 0 ? (int)r : -EPROTO, "receive the terminal");
	*ret_master = fd;
	return 0;
}
