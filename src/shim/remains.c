/* What servers that have ended leave; see remains.h. */
#include "remains.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "dir.h"
#include "fd.h"
#include "file.h"
#include "proc.h"
#include "settings.h"
#include "str.h"
#include "sys.h"

#define GONE "gone"

/* ---- of one that was killed --------------------------------------------------- */

/* Its number may be somebody else's by now; or nobody has collected it yet. */
static bool is_server(int32_t pid)
{
	char path[32], name[32];
	struct proc_stat st;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	return proc_stat(pid, &st) >= 0 && st.state != 'Z' && st.state != 'X' && !st.exiting &&
	       file_read_line(AT_FDCWD, path, name, sizeof name) >= 0 && !strcmp(name, "containerd-shim");
}

/* "<name>.<pid>" */
static bool is_named(const char *entry, const char *name, int32_t *pid)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '.' && parse_i32(entry + len + 1, pid) >= 0;
}

void remains_remove(const char *state_dir, const char *name)
{
	OWN_FD dir = sys_openat(AT_FDCWD, state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	int32_t pid;

	while (dir >= 0 && (d = dir_next(&rd)))
		if (is_named(d->name, name, &pid) && !is_server(pid))
			file_remove_tree(dir, d->name);
}

static bool any_lives(const char *state_dir, const char *name)
{
	OWN_FD dir = sys_openat(AT_FDCWD, state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	int32_t pid;

	while (dir >= 0 && (d = dir_next(&rd)))
		if (is_named(d->name, name, &pid) && is_server(pid))
			return true;
	return false;
}

/* Who listens is the server, or, until it is ready, the `start` that makes it; of
 * an older version it is a `start` that has ended. */
bool remains_is_dead(const char *state_dir, const char *name, int fd)
{
	struct ucred cred;
	socklen_t n = sizeof cred;
	struct proc_stat st;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 || cred.pid <= 0)
		return false;
	if (proc_stat(cred.pid, &st) >= 0 && st.state != 'Z' && st.state != 'X' && !st.exiting)
		return false;
	return !any_lives(state_dir, name);
}

/* ---- what stays for a while --------------------------------------------------- */

/* By the minute in which the shims ended: as many as are in one go together. */
static void remove_old(int gone, int64_t oldest)
{
	struct dir_reader rd = { .fd = gone };
	const struct dir_entry *d;
	int64_t minute;

	while ((d = dir_next(&rd)))
		if (parse_i64(d->name, &minute) >= 0 && minute < oldest)
			file_remove_tree(gone, d->name);
}

static int open_gone(const struct settings *s)
{
	OWN_SB struct sb path = SB_INIT;

	sb_printf(&path, "%s/" GONE, s->state_dir);
	return path.failed ? -ENOMEM : sys_openat(AT_FDCWD, path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

void remains_retire(const struct settings *s, const char *directory, bool any_events)
{
	OWN_SB struct sb path = SB_INIT;
	OWN_FD to = -1, gone = -1;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	sb_printf(&path, "%s/" GONE "/%lld", s->state_dir, (long long)now.tv_sec / 60);
	if (s->keep_events && any_events && !path.failed)
		to = file_mkdirs(path.s, 0700, NULL);
	if (to < 0 || sys_renameat(AT_FDCWD, directory, to, strrchr(directory, '/') + 1) < 0)
		file_remove_tree(AT_FDCWD, directory);
	gone = open_gone(s);
	if (gone >= 0)
		remove_old(gone, now.tv_sec / 60 - s->keep_events);
}

/* ---- looking at them ---------------------------------------------------------- */

static void each_in(int dir, const char *path, const char *name, bool dead,
		    void (*fn)(const char *directory, void *ctx), void *ctx)
{
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	int32_t pid;

	while ((d = dir_next(&rd))) {
		OWN_SB struct sb directory = SB_INIT;

		if (!is_named(d->name, name, &pid) || (!dead && is_server(pid)))
			continue;
		sb_printf(&directory, "%s/%s", path, d->name);
		if (!directory.failed)
			fn(directory.s, ctx);
	}
}

static void each_gone(const struct settings *s, const char *name, void (*fn)(const char *directory, void *ctx),
		      void *ctx)
{
	OWN_FD gone = open_gone(s);
	struct dir_reader rd = { .fd = gone };
	const struct dir_entry *d;
	int64_t minute;

	while (gone >= 0 && (d = dir_next(&rd))) {
		OWN_FD dir = -1;
		OWN_SB struct sb path = SB_INIT;

		if (parse_i64(d->name, &minute) < 0)
			continue;
		sb_printf(&path, "%s/" GONE "/%s", s->state_dir, d->name);
		dir = sys_openat(gone, d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (dir >= 0 && !path.failed)
			each_in(dir, path.s, name, true, fn, ctx);
	}
}

struct killed {
	const struct settings *settings;
	void (*fn)(const char *directory, void *ctx);
	void *ctx;
};

static void one_killed(const char *directory, void *ctx)
{
	const struct killed *k = ctx;

	k->fn(directory, k->ctx);
	remains_retire(k->settings, directory, true);
}

void remains_each(const struct settings *s, const char *name, void (*fn)(const char *directory, void *ctx), void *ctx)
{
	struct killed killed = { s, fn, ctx };
	OWN_FD dir = sys_openat(AT_FDCWD, s->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (dir >= 0)
		each_in(dir, s->state_dir, name, false, one_killed, &killed);
	each_gone(s, name, fn, ctx); /* then, since another may just have moved one there */
}
