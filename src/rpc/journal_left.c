/* What shims have left; see journal_left.h. */
#include "journal_left.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dir.h"
#include "fd.h"
#include "str.h"
#include "sys.h"

/* The directory of `gone`, with its path. */
static int open_gone(const char *shims, struct sb *path)
{
	sb_printf(path, "%s/gone", shims);
	return path->failed ? -ENOMEM : sys_openat(AT_FDCWD, path->s, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static bool is_minute(const char *name)
{
	int64_t minute;

	return parse_i64(name, &minute) >= 0;
}

int journal_left_find(const char *shims, const char *address, uint32_t pid, struct sb *path)
{
	OWN_SB struct sb gone = SB_INIT, name = SB_INIT;
	const char *slash = strrchr(address, '/');
	OWN_FD dir = open_gone(shims, &gone);
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;

	if (dir < 0)
		return dir;
	while (slash && (d = dir_next(&rd))) {
		if (!is_minute(d->name))
			continue;
		name.len = 0;
		sb_printf(&name, "%s/%s.%u/events", d->name, slash + 1, pid);
		if (name.failed || sys_faccessat(dir, name.s, R_OK) < 0)
			continue;
		sb_printf(path, "%s/%s", gone.s, name.s);
		return path->failed ? -ENOMEM : 0;
	}
	return -ENOENT;
}

static void each_in(int gone, const char *path, const char *minute,
		    void (*fn)(void *ctx, const char *path, const char *name), void *ctx)
{
	OWN_FD dir = sys_openat(gone, minute, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = dir };
	OWN_SB struct sb file = SB_INIT;
	const struct dir_entry *d;

	while (dir >= 0 && (d = dir_next(&rd))) {
		file.len = 0;
		sb_printf(&file, "%s%s%s/%s/events", path, *path ? "/" : "", minute, d->name);
		if (!file.failed)
			fn(ctx, file.s, d->name);
	}
}

void journal_left_each(const char *shims, void (*fn)(void *ctx, const char *path, const char *name), void *ctx)
{
	OWN_SB struct sb path = SB_INIT;
	OWN_FD gone = open_gone(shims, &path);
	struct dir_reader rd = { .fd = gone };
	const struct dir_entry *d;

	while (gone >= 0 && (d = dir_next(&rd)))
		if (is_minute(d->name))
			each_in(gone, path.s, d->name, fn, ctx);
}

void journal_live_each(const char *shims, void (*fn)(void *ctx, const char *path, const char *name), void *ctx)
{
	each_in(AT_FDCWD, "", shims, fn, ctx);
}

void journal_tell(struct journal *j, uint64_t after, journal_event_fn *fn, void *ctx)
{
	OWN_SB struct sb text = SB_INIT;
	struct journal_reader rd = { .number = after };

	while (journal_next(j, &rd, &text) > 0) {
		Containerd__Events__Envelope *m =
			containerd__events__envelope__unpack(NULL, text.len, (const uint8_t *)text.s);

		if (!m)
			return;
		fn(ctx, rd.number, m);
		containerd__events__envelope__free_unpacked(m, NULL);
	}
}

int journal_left_open(struct journal *j, const char *path, int *dir)
{
	OWN_SB struct sb directory = SB_INIT, file = SB_INIT;
	const char *name = strrchr(path, '/') + 1;
	int r;

	sb_add(&directory, path, (size_t)(name - path));
	*dir = directory.failed ? -ENOMEM :
				  sys_openat(AT_FDCWD, directory.s, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	sb_printf(&file, "/proc/self/fd/%d/%s", *dir, name);
	r = *dir < 0 ? *dir : file.failed ? -ENOMEM : journal_open_left(j, file.s, NULL);
	if (r < 0)
		fd_closep(dir);
	return r;
}

int journal_left_tell(const char *path, uint64_t after, journal_event_fn *fn, void *ctx)
{
	OWN_FD dir = -1;
	struct journal j;
	int r = journal_left_open(&j, path, &dir);

	if (r < 0)
		return r;
	journal_tell(&j, after, fn, ctx);
	journal_close(&j);
	return 0;
}
