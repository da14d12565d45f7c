/* Numbered events on file; see journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "str.h"
#include "sys.h"

static const char header[] = "berth events 1\n";

enum { HEADER = sizeof header - 1 };

struct head { /* before each event */
	uint32_t len;
	uint64_t number;
} __attribute__((packed));

static int open_file(const struct journal *j, int flags)
{
	return sys_openat(AT_FDCWD, j->path, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int journal_open(struct journal *j, const char *path, struct err *e)
{
	OWN_FD fd = -1;
	int r;

	*j = (struct journal){ .path = strdup(path), .first = 1, .generation = 1, .size = HEADER };
	if (!j->path)
		return err_sys(e, -ENOMEM, "keep events");
	fd = r = open_file(j, O_WRONLY | O_CREAT | O_TRUNC);
	if (r >= 0)
		r = fd_write_all(fd, header, HEADER);
	if (r < 0) {
		journal_close(j);
		return err_sys(e, r, "write '%s'", path);
	}
	return 0;
}

void journal_close(struct journal *j)
{
	free(j->path);
	j->path = NULL;
}

static int read_at(int fd, off_t at, void *buf, size_t len)
{
	ssize_t n = sys_pread(fd, buf, len, at);

	return n < 0 ? (int)n : n == (ssize_t)len ? 0 : -EPROTO;
}

static int read_text(int fd, off_t at, size_t len, struct sb *out)
{
	char buf[1024];

	for (out->len = 0; out->len < len;) {
		size_t n = len - out->len < sizeof buf ? len - out->len : sizeof buf;
		int r = read_at(fd, at + (off_t)out->len, buf, n);

		if (r < 0)
			return r;
		sb_add(out, buf, n);
		if (out->failed)
			return -ENOMEM;
	}
	return 0;
}

/* The place of the first event after `number`. */
static int find(struct journal *j, int fd, uint64_t number, off_t *ret)
{
	struct head h;

	for (*ret = HEADER; *ret < j->size; *ret += (off_t)(sizeof h + h.len)) {
		int r = read_at(fd, *ret, &h, sizeof h);

		if (r < 0)
			return r;
		if (h.number > number)
			break;
	}
	return 0;
}

/* The newer half of a file that has become too long. */
static int shorten(struct journal *j)
{
	OWN_FD from = open_file(j, O_RDONLY);
	OWN_FD to = -1;
	OWN_SB struct sb temporary = SB_INIT;
	off_t at = HEADER, rest;
	struct head h;
	int r = from < 0 ? from : find(j, from, j->first + (j->last - j->first) / 2, &at);

	sb_printf(&temporary, "%s.new", j->path);
	if (r >= 0 && temporary.failed)
		r = -ENOMEM;
	if (r >= 0)
		r = read_at(from, at, &h, sizeof h);
	if (r >= 0)
		to = r = sys_openat(AT_FDCWD, temporary.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r >= 0)
		r = fd_write_all(to, header, HEADER);
	for (rest = at; r >= 0 && rest < j->size;) {
		ssize_t n = sys_sendfile(to, from, &rest, (size_t)(j->size - rest));

		r = n > 0 ? 0 : n ? (int)n : -EPROTO;
	}
	if (r >= 0)
		r = sys_renameat(AT_FDCWD, temporary.s, AT_FDCWD, j->path);
	if (r < 0)
		return r;
	j->size = j->size - at + HEADER;
	j->first = h.number;
	j->generation++;
	return 0;
}

/* What was being written when its writer was killed does not count. */
static int look_through(struct journal *j, int fd)
{
	char begin[HEADER];
	struct stat st;
	struct head h;
	int r = sys_fstat(fd, &st);

	if (r >= 0)
		r = read_at(fd, 0, begin, HEADER);
	if (r >= 0 && memcmp(begin, header, HEADER) != 0)
		r = -EPROTO;
	while (r >= 0 && j->size + (off_t)sizeof h <= st.st_size) {
		r = read_at(fd, j->size, &h, sizeof h);
		if (r < 0 || h.len > JOURNAL_EVENT_MAX || h.number <= j->last ||
		    j->size + (off_t)(sizeof h + h.len) > st.st_size)
			break;
		if (!j->last)
			j->first = h.number;
		j->last = h.number;
		j->size += (off_t)(sizeof h + h.len);
	}
	return r;
}

int journal_open_left(struct journal *j, const char *path, struct err *e)
{
	OWN_FD fd = -1;
	int r;

	*j = (struct journal){ .path = strdup(path), .first = 1, .generation = 1, .size = HEADER };
	fd = r = j->path ? open_file(j, O_RDONLY) : -ENOMEM;
	if (r >= 0)
		r = look_through(j, fd);
	if (r < 0) {
		journal_close(j);
		return err_sys(e, r, "read '%s'", path);
	}
	return 0;
}

int journal_add(struct journal *j, const void *data, size_t len, struct err *e)
{
	struct head h = { (uint32_t)len, j->last + 1 };
	OWN_SB struct sb b = SB_INIT;
	OWN_FD fd = -1;
	ssize_t n = 0;
	int r = len > JOURNAL_EVENT_MAX ? -EMSGSIZE : 0;

	if (r >= 0 && j->size + (off_t)(sizeof h + len) > JOURNAL_MAX)
		r = shorten(j);
	sb_add(&b, (const char *)&h, sizeof h);
	sb_add(&b, data, len);
	if (r >= 0 && b.failed)
		r = -ENOMEM;
	if (r >= 0)
		fd = r = open_file(j, O_WRONLY);
	if (r >= 0) /* over what a failed write may have left */
		n = sys_pwrite(fd, b.s, b.len, j->size);
	if (r >= 0 && n != (ssize_t)b.len)
		r = n < 0 ? (int)n : -ENOSPC;
	if (r < 0)
		return err_sys(e, r, "write event %llu to '%s'", (unsigned long long)h.number, j->path);
	j->size += (off_t)b.len;
	j->last = h.number;
	return 0;
}

int journal_next(struct journal *j, struct journal_reader *rd, struct sb *out)
{
	OWN_FD fd = -1;
	struct head h;
	int r;

	if (rd->number >= j->last || j->last < j->first)
		return 0;
	fd = r = open_file(j, O_RDONLY);
	if (r >= 0 && rd->generation != j->generation)
		r = find(j, fd, rd->number, &rd->at);
	if (r >= 0)
		r = read_at(fd, rd->at, &h, sizeof h);
	if (r >= 0 && (h.number <= rd->number || h.len > JOURNAL_EVENT_MAX))
		r = -EPROTO;
	if (r < 0)
		return r;
	r = read_text(fd, rd->at + (off_t)sizeof h, h.len, out);
	if (r < 0)
		return r;
	rd->generation = j->generation;
	rd->number = h.number;
	rd->at += (off_t)(sizeof h + h.len);
	return 1;
}
