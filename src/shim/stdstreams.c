/* The standard streams of a process; see stdstreams.h. */
#include "stdstreams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "fifo.h"
#include "str.h"
#include "stream.h"
#include "sys.h"
#include "unread.h"

/* ---- paths ---------------------------------------------------------------- */

static const char *const names[STDIO_COUNT] = { "stdin", "stdout", "stderr" };

static const char *path_of(const char *s)
{
	static const char *const schemes[] = { "fifo://", "file://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(s, schemes[i]))
			return s + strlen(schemes[i]);
	return s;
}

static bool is_held(const char *s)
{
	return !strcmp(s, "held://");
}

static bool is_logger(const struct process *p)
{
	return str_starts(p->path[STDOUT], "binary://");
}

int stdstreams_set(struct process *p, const char *in, const char *out, const char *err, bool terminal,
		   struct err *e)
{
	const char *given[STDIO_COUNT] = { in, out, err };

	p->terminal = terminal;
	for (int i = 0; i < STDIO_COUNT; i++) {
		const char *s = given[i] ? given[i] : "";

		p->path[i] = strdup(s);
		if (!p->path[i])
			return err_sys(e, -ENOMEM, "keep the paths of the standard streams");
		if (*s && *path_of(s) != '/' && !is_held(s) && !(i != STDIN && str_starts(s, "binary://")))
			return err_set(e, ERR_INVALID, 0, "%s: '%s' is neither a path nor a known URI", names[i], s);
	}
	return 0;
}

/* ---- opening -------------------------------------------------------------- */

static int open_file(const char *path, int i, bool make, struct err *e)
{
	int flags = i == STDIN ? O_RDONLY : O_WRONLY | O_APPEND | (make ? O_CREAT : 0);
	int fd = sys_openat(AT_FDCWD, path, flags | O_NOCTTY | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(e, fd, "open %s '%s'", names[i], path) : fd;
}

/* A pipe to the process; its end belongs to whom the options say, else init
 * gives it to the process's own user. */
static int make_pipe(struct process *p, int i, int *ret_ours, int *ret_theirs, struct err *e)
{
	const struct task *t = p->task;
	int pair[2], r = sys_pipe2(pair, O_CLOEXEC);

	if (r < 0)
		return err_sys(e, r, "make a pipe for %s", names[i]);
	*ret_theirs = pair[i != STDIN];
	*ret_ours = pair[i == STDIN];
	if (t->io_uid || t->io_gid)
		r = sys_fchownat(*ret_theirs, "", t->io_uid, t->io_gid, AT_EMPTY_PATH);
	return r < 0 ? err_sys(e, r, "give %s to user %u", names[i], t->io_uid) : 0;
}

static int move_pipe(struct process *p, int i, int fifo, int *ret, struct err *e)
{
	OWN_FD owned_fifo = fifo;
	OWN_FD ours = -1, theirs = -1;
	int flags, r = make_pipe(p, i, &ours, &theirs, e);

	if (r < 0)
		return r;
	flags = sys_fcntl(ours, F_GETFL, 0);
	r = flags < 0 ? flags : sys_fcntl(ours, F_SETFL, flags | O_NONBLOCK);
	if (r >= 0 && i == STDIN)
		r = stream_new(&p->streams[i], p->shim->loop, take_fd(&owned_fifo), take_fd(&ours), NULL, NULL);
	else if (r >= 0)
		r = stream_new(&p->streams[i], p->shim->loop, take_fd(&ours), take_fd(&owned_fifo), NULL, NULL);
	if (r < 0)
		return err_sys(e, r, "prepare %s", names[i]);
	*ret = take_fd(&theirs);
	return 0;
}

static int open_one(struct process *p, int i, int *ret, struct err *e)
{
	const char *s = p->path[i], *path = path_of(s);
	bool make = str_starts(s, "file://");
	struct stat st;
	int r;

	if (!*s)
		return 0;
	if (is_held(s))
		return make_pipe(p, i, &p->held[i], ret, e);
	r = sys_fstatat(AT_FDCWD, path, &st, 0);
	if (r < 0 && !(r == -ENOENT && make))
		return err_sys(e, r, "open %s '%s'", names[i], path);
	if (r >= 0 && S_ISFIFO(st.st_mode)) {
		r = fifo_open(path, e);
		return r < 0 ? r : move_pipe(p, i, r, ret, e);
	}
	*ret = r = open_file(path, i, make, e);
	return r < 0 ? r : 0;
}

int stdstreams_open(struct process *p, struct stdfds *ret, struct err *e)
{
	int r = 0;

	if (is_logger(p))
		ret->logger = p->path[STDOUT];
	if (p->terminal)
		return 0;
	for (int i = 0; r >= 0 && i < (is_logger(p) ? STDOUT : STDIO_COUNT); i++)
		r = open_one(p, i, &ret->fd[i], e);
	/* A file that is given for stdout alone is meant for both. */
	if (r >= 0 && str_starts(p->path[STDOUT], "file://") && !*p->path[STDERR]) {
		ret->fd[STDERR] = r = sys_fcntl(ret->fd[STDOUT], F_DUPFD_CLOEXEC, 3);
		if (r < 0)
			err_sys(e, r, "open stderr");
	}
	if (r >= 0 && p->input_ended)
		stdstreams_close_input(p);
	return r < 0 ? r : 0;
}

void stdfds_close(struct stdfds *f)
{
	for (int i = 0; i < STDIO_COUNT; i++)
		fd_closep(&f->fd[i]);
}

/* ---- terminals ------------------------------------------------------------ */

static int attach_one(struct process *p, int i, int other, struct err *e)
{
	OWN_FD theirs = other;
	OWN_FD master = sys_fcntl(p->master, F_DUPFD_CLOEXEC, 3);
	int r = master;

	if (theirs < 0)
		theirs = fifo_open(path_of(p->path[i]), e);
	if (theirs < 0)
		return theirs;
	if (r >= 0 && i == STDIN)
		r = stream_new(&p->streams[i], p->shim->loop, take_fd(&theirs), take_fd(&master), NULL, NULL);
	else if (r >= 0)
		r = stream_new(&p->streams[i], p->shim->loop, take_fd(&master), take_fd(&theirs), NULL, NULL);
	return r < 0 ? err_sys(e, r, "prepare the terminal's %s", names[i]) : 0;
}

int stdstreams_attach(struct process *p, int master, int out, struct err *e)
{
	OWN_FD to = out;
	int flags, r = 0;

	p->master = master;
	if (master < 0)
		return 0;
	if (is_held(p->path[STDOUT])) {
		p->held[STDOUT] = r = sys_fcntl(master, F_DUPFD_CLOEXEC, 3);
		unread_begin(p);
		return r < 0 ? err_sys(e, r, "keep the terminal") : 0;
	}
	flags = sys_fcntl(master, F_GETFL, 0);
	r = flags < 0 ? flags : sys_fcntl(master, F_SETFL, flags | O_NONBLOCK);
	if (r < 0)
		return err_sys(e, r, "prepare the terminal");
	if (*p->path[STDIN])
		r = attach_one(p, STDIN, -1, e);
	if (r >= 0 && (to >= 0 || *p->path[STDOUT]))
		r = attach_one(p, STDOUT, take_fd(&to), e);
	else if (r >= 0)
		unread_begin(p);
	if (r >= 0 && p->input_ended)
		stdstreams_close_input(p);
	return r < 0 ? r : 0;
}

/* ---- ends ----------------------------------------------------------------- */

void stdstreams_close_input(struct process *p)
{
	p->input_ended = true;
	fd_closep(&p->held[STDIN]);
	if (p->streams[STDIN])
		stream_end_input(p->streams[STDIN]);
}

void stdstreams_end_input(struct process *p)
{
	if (p->streams[STDIN])
		stream_free(p->streams[STDIN]);
	p->streams[STDIN] = NULL;
}

static bool is_drained(const struct process *p)
{
	for (int i = STDOUT; i < STDIO_COUNT; i++)
		if (p->streams[i] && !stream_is_over(p->streams[i]))
			return false;
	return true;
}

void stdstreams_forget_drain(struct process *p)
{
	source_remove(&p->drain);
	p->drained = NULL;
}

static void on_drained(struct process *p)
{
	drained_fn *drained = p->drained;

	stdstreams_forget_drain(p);
	if (drained)
		drained(p);
}

static int on_deadline(struct source *s, uint32_t events)
{
	on_drained((struct process *)((char *)s - offsetof(struct process, drain)));
	return 0;
}

static void on_ended(struct stream *s, void *ctx)
{
	if (is_drained(ctx))
		on_drained(ctx);
}

void stdstreams_drain(struct process *p, drained_fn *drained)
{
	for (int i = STDOUT; i < STDIO_COUNT; i++)
		if (p->streams[i])
			stream_finish(p->streams[i]);
	p->drained = drained;
	if (is_drained(p)) {
		on_drained(p);
		return;
	}
	for (int i = STDOUT; i < STDIO_COUNT; i++)
		if (p->streams[i]) {
			p->streams[i]->ended = on_ended;
			p->streams[i]->ctx = p;
		}
	source_timer(&p->drain, p->shim->loop, DRAIN_MS, on_deadline);
}

void stdstreams_stop(struct process *p)
{
	unread_end(p);
	for (int i = 0; i < STDIO_COUNT; i++) {
		if (p->streams[i])
			stream_let_go(p->streams[i]);
		p->streams[i] = NULL;
		fd_closep(&p->held[i]);
	}
}

void stdstreams_close(struct process *p)
{
	stdstreams_forget_drain(p);
	stdstreams_stop(p);
	for (int i = 0; i < STDIO_COUNT; i++) {
		free(p->path[i]);
		p->path[i] = NULL;
	}
	fd_closep(&p->master);
}
