/* The file of the database: made for its owner alone, and, when it is damaged, set
 * aside for whoever wants to look into it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "log.h"
#include "mem.h"
#include "store_db.h"
#include "sys.h"

static int open_dir(const char *dir, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_set(e, ERR_INTERNAL, fd, "open '%s'", dir) : fd;
}

/* All of it is looked at when it is opened, and SQLite asks for a page at a time: ten
 * times slower where nothing is cached. The kernel takes a request up to some size only. */
static void read_ahead(int fd, off_t size)
{
	for (off_t at = 0; at < size && at < STORE_CHECK_MAX; at += 128 << 10)
		posix_fadvise(fd, at, 128 << 10, POSIX_FADV_WILLNEED);
}

/* SQLite's would be for everybody to read; the WAL has the mode of the database. */
int store_file_make(const char *dir, struct err *e)
{
	OWN_FD at = open_dir(dir, e), fd = -1;
	struct stat st;
	int r;

	if (at < 0)
		return at;
	fd = r = sys_openat(at, STORE_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (r >= 0)
		r = sys_fstat(fd, &st);
	if (r == -EISDIR || r == -ENXIO || (r >= 0 && !S_ISREG(st.st_mode)))
		return err_set(e, ERR_INTERNAL, -EUCLEAN, "database '%s/" STORE_FILE "': is no regular file", dir);
	if (r >= 0 && (st.st_mode & 0777) != 0600)
		r = sys_fchmod(fd, 0600);
	if (r >= 0)
		read_ahead(fd, st.st_size);
	return r < 0 ? err_set(e, ERR_INTERNAL, r, "open '%s/" STORE_FILE "'", dir) : 0;
}

/* meta.db.damaged-TIME, or -TIME.2 if there is such a one. */
static int rename_it(int at, char to[64])
{
	char now[CLOCK_TEXT], compact[CLOCK_TEXT], *out = compact;
	struct timespec ts;
	int r;

	clock_gettime(CLOCK_REALTIME, &ts);
	clock_utc(&ts, 0, now);
	for (const char *in = now; *in; in++)
		if (*in != '-' && *in != ':')
			*out++ = *in;
	*out = '\0';
	for (int n = 1;; n++) {
		snprintf(to, 64, n > 1 ? STORE_FILE ".damaged-%.20s.%d" : STORE_FILE ".damaged-%.20s", compact, n);
		r = sys_renameat2(at, STORE_FILE, at, to, RENAME_NOREPLACE);
		if (r != -EEXIST || n >= 100)
			return r;
	}
}

/* The database first: SQLite makes nothing of a WAL beside an empty database. The WAL
 * gets the name with which sqlite3(1) finds it; the index is made anew from it. */
int store_file_set_aside(const char *dir, const struct err *why, struct err *e)
{
	OWN_FD at = open_dir(dir, e);
	char to[64], wal[80], words[sizeof why->msg + 128];
	int r;

	if (at < 0)
		return at;
	r = rename_it(at, to);
	if (r < 0)
		return err_set(e, ERR_INTERNAL, r, "set aside the damaged '%s/" STORE_FILE "'", dir);
	snprintf(wal, sizeof wal, "%s-wal", to);
	r = sys_renameat(at, STORE_FILE "-wal", at, wal);
	if (r >= 0 || r == -ENOENT)
		r = sys_unlinkat(at, STORE_FILE "-shm", 0);
	if (r < 0 && r != -ENOENT)
		return err_set(e, ERR_INTERNAL, r, "set aside the damaged '%s/" STORE_FILE "-wal'", dir);
	log_printf(LOG_LEVEL_ERROR, "%s: it is now '%s/%s', and an empty one takes its place",
		   err_text(why, words, sizeof words), dir, to);
	return 0;
}
