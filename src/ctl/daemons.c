/* Asking berthd what it is at; see daemons.h. */
#include "daemons.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "dir.h"
#include "fd.h"
#include "json.h"
#include "sys.h"

enum { PATIENCE_MS = 1000, ANSWER_MAX = 16 << 20, DAEMONS_MAX = 64, BLOCK = 64 << 10 };

static int read_all(int fd, int64_t until, struct sb *out)
{
	char block[BLOCK];

	while (out->len < ANSWER_MAX && !out->failed) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return -ETIMEDOUT;
		n = recv(fd, block, sizeof block, MSG_DONTWAIT);
		if (n == 0)
			return 0;
		if (n > 0)
			sb_add(out, block, (size_t)n);
		else if (errno != EAGAIN)
			return -errno;
	}
	return -ENOMEM;
}

/* NULL: it has not answered in time, or with something else. */
static const struct json *ask(struct request *q, int fd)
{
	static const char request[] = "GET /operations HTTP/1.1\r\n\r\n";
	OWN_SB struct sb answer = SB_INIT;
	struct json_doc doc;
	const char *body;
	char *text;

	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0 ||
	    read_all(fd, clock_ms() + PATIENCE_MS, &answer) < 0)
		return NULL;
	body = strstr(answer.s, "\r\n\r\n");
	text = body && strstr(answer.s, " 200 ") ? arena_strdup(q->arena, body + 4) : NULL;
	if (!text || json_parse(q->arena, text, strlen(text), "berthd's operations", &doc, NULL) < 0)
		return NULL;
	return doc.root;
}

static int look_at(struct request *q, const char *path, pid_t pid, struct daemons *ret, struct err *e)
{
	struct daemon_seen *seen = &ret->v[ret->n];
	int r = proc_look_threads(q, pid, &seen->threads, e); /* before it has us to do with */
	OWN_FD fd = fd_connect(path);

	if (r < 0 || (fd < 0 && fd != -EAGAIN)) /* that: so many wait already */
		return r;
	seen->pid = pid;
	seen->doc = fd < 0 ? NULL : ask(q, fd);
	ret->n++;
	return 0;
}

int daemons_look(struct request *q, const char *state, struct daemons *ret, struct err *e)
{
	const char *dir = arena_printf(q->arena, "%s/.daemons", state);
	OWN_FD fd = dir ? sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) : -ENOMEM;
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;
	int32_t pid;
	int r = 0;

	*ret = (struct daemons){ .v = arena_calloc(q->arena, DAEMONS_MAX, sizeof *ret->v) };
	if (!ret->v || fd == -ENOMEM)
		return no_memory(e);
	if (fd < 0 && fd != -ENOENT)
		return err_sys(e, fd, "read '%s'", dir);
	while (r == 0 && fd >= 0 && ret->n < DAEMONS_MAX && (d = dir_next(&rd))) {
		const char *path = arena_printf(q->arena, "%s/%s", dir, d->name);

		if (path && parse_i32(d->name, &pid) >= 0)
			r = look_at(q, path, pid, ret, e);
	}
	return r;
}
