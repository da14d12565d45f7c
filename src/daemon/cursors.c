/* What has been told; see cursors.h and docs/formats/cursors.md. */
#include "cursors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "sha256.h"
#include "str.h"
#include "sys.h"

/* With a part of the root's hash behind it; without, it is of a daemon before that. */
#define FILE_NAME ".berthd.cursors"

enum { ROOT_DIGITS = 16 };
enum { MAGIC = 0x43425442, VERSION = 1, ROWS_MIN = 64, ROWS_MAX = 1 << 20 };

struct header { /* one row's size is enough for it */
	uint32_t magic, version, size, rows;
	int64_t told_s;
	int64_t told_ns;
};

union row {
	struct header header; /* of the first */
	struct cursor cursor;
};

struct cursors {
	int fd;
	union row *map;
	uint32_t rows; /* with the header */
	uint32_t next; /* where to look for a free one */
	/* By namespace and id: first[hash] is the first of a chain, further[row] the next; 0 ends it. */
	uint32_t *first, *further;
	bool had_run;
	struct timespec last_told;
};

static size_t size_of(uint32_t rows)
{
	return rows * sizeof(union row);
}

/* With all its pages: there may be no room for one when it is written to, which would
 * be our end. */
static int make_room(int fd, off_t size)
{
	if (fallocate(fd, 0, 0, size) == 0)
		return 0;
	return errno == EOPNOTSUPP && ftruncate(fd, size) == 0 ? 0 : -errno;
}

/* ---- by name -------------------------------------------------------------------- */

static uint32_t *chain_of(const struct cursors *c, const char *namespace, const char *id)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *namespace; namespace ++)
		h = (h ^ (uint8_t) * namespace) * 16777619u;
	h *= 16777619u;
	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 16777619u;
	return &c->first[h % c->rows];
}

static void chain_add(struct cursors *c, uint32_t row)
{
	uint32_t *first = chain_of(c, c->map[row].cursor.namespace, c->map[row].cursor.id);

	c->further[row] = *first;
	*first = row;
}

/* What comes after it in the chain stays known, for who is just walking there. */
static void chain_remove(struct cursors *c, uint32_t row)
{
	uint32_t *at = chain_of(c, c->map[row].cursor.namespace, c->map[row].cursor.id);

	while (*at && *at != row)
		at = &c->further[*at];
	if (*at)
		*at = c->further[row];
}

static void end_texts(struct cursor *r)
{
	r->instance[sizeof r->instance - 1] = '\0';
	r->namespace[sizeof r->namespace - 1] = '\0';
	r->id[sizeof r->id - 1] = '\0';
}

/* Whatever is in them. */
static void chain_all(struct cursors *c)
{
	memset(c->first, 0, c->rows * sizeof *c->first);
	for (uint32_t i = 1; i < c->rows; i++) {
		end_texts(&c->map[i].cursor);
		if (*c->map[i].cursor.instance)
			chain_add(c, i);
	}
}

/* ---- the file ------------------------------------------------------------------- */

static int map_rows(struct cursors *c, uint32_t rows)
{
	int flags = c->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	int r = c->fd < 0 ? 0 : make_room(c->fd, (off_t)size_of(rows));
	void *p;

	if (r < 0)
		return r;
	p = c->map ? mremap(c->map, size_of(c->rows), size_of(rows), MREMAP_MAYMOVE) :
		     mmap(NULL, size_of(rows), PROT_READ | PROT_WRITE, flags, c->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	c->map = p;
	c->rows = rows;
	c->map->header.rows = rows;
	return 0;
}

static int map(struct cursors *c, uint32_t rows)
{
	uint32_t *chains = calloc(2 * (size_t)rows, sizeof *chains);
	int r = chains ? map_rows(c, rows) : -ENOMEM;

	if (r < 0) {
		free(chains);
		return r;
	}
	free(c->first);
	c->first = chains;
	c->further = chains + rows;
	chain_all(c);
	return 0;
}

/* Whatever is there now. */
static uint32_t rows_there(int fd)
{
	struct header h = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0 || pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h || h.magic != MAGIC ||
	    h.version != VERSION || h.size != sizeof(union row) || h.rows < ROWS_MIN || h.rows > ROWS_MAX ||
	    st.st_size < (off_t)size_of(h.rows))
		return 0;
	return h.rows;
}

/* Those of a daemon that had one file for all, where this one has none. */
static uint32_t copy_shared(struct cursors *c, int shared)
{
	uint32_t rows = rows_there(shared);

	if (!rows || map(c, rows) < 0 || pread(shared, c->map, size_of(rows), 0) != (ssize_t)size_of(rows))
		return 0;
	c->map->header.rows = rows; /* it may just grow */
	return rows;
}

static int load(struct cursors *c, int shared)
{
	uint32_t rows = rows_there(c->fd);
	int r = 0;

	if (!rows && c->fd >= 0 && ftruncate(c->fd, 0) < 0)
		return -errno;
	if (rows || !(rows = copy_shared(c, shared)))
		r = map(c, rows ? rows : ROWS_MIN);
	if (r < 0 || !c->map)
		return r < 0 ? r : -ENOMEM;
	c->had_run = rows > 0;
	chain_all(c);
	c->last_told = (struct timespec){ (time_t)c->map->header.told_s, (long)c->map->header.told_ns };
	c->map->header.magic = MAGIC;
	c->map->header.version = VERSION;
	c->map->header.size = sizeof(union row);
	return 0;
}

/* By what is there after its database was lost, too. */
static int add_root(struct sb *path, const char *root, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_FD fd = sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char hex[2 * SHA256_SIZE + 1];
	uint8_t sum[SHA256_SIZE];
	struct sha256 hash;
	const char *real;
	int r = fd < 0 ? err_sys(e, fd, "'%s'", root) : file_path_of(&a, fd, &real, e);

	if (r < 0)
		return r;
	sha256_init(&hash);
	sha256_add(&hash, real, strlen(real));
	sha256_end(&hash, sum);
	sha256_hex(sum, hex);
	sb_printf(path, ".%.*s", ROOT_DIGITS, hex);
	return 0;
}

static int open_files(struct cursors *c, const char *path, const char *shared_path)
{
	OWN_FD shared = sys_openat(AT_FDCWD, shared_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	int r;

	c->fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = c->fd < 0 ? c->fd : load(c, shared);
	if (r != -ENOSPC)
		return r;
	/* What is there is to be served all the same. */
	log_printf(LOG_LEVEL_WARNING, "what events were told is not kept: '%s': no space", path);
	fd_closep(&c->fd);
	return load(c, shared);
}

int cursors_open(struct cursors **ret, const char *state, const char *root, struct err *e)
{
	OWN_SB struct sb path = SB_INIT, shared = SB_INIT;
	struct cursors *c;
	int r;

	sb_printf(&shared, "%s/" FILE_NAME, state);
	sb_printf(&path, "%s/" FILE_NAME, state);
	r = add_root(&path, root, e);
	if (r < 0)
		return r;
	c = path.failed || shared.failed ? NULL : calloc(1, sizeof *c);
	if (!c)
		return err_sys(e, -ENOMEM, "read what events were told");
	r = open_files(c, path.s, shared.s);
	if (r < 0) {
		cursors_close(c);
		return err_sys(e, r, "'%s'", path.s);
	}
	*ret = c;
	return 0;
}

void cursors_close(struct cursors *c)
{
	if (c->map)
		munmap(c->map, size_of(c->rows));
	fd_closep(&c->fd);
	free(c->first);
	free(c);
}

bool cursors_had_run(const struct cursors *c)
{
	return c->had_run;
}

struct timespec cursors_last_told(const struct cursors *c)
{
	return c->last_told;
}

const struct cursor *cursor_at(const struct cursors *c, int row)
{
	return &c->map[row].cursor;
}

int cursor_next(const struct cursors *c, int row)
{
	for (uint32_t i = row < 0 ? 1 : (uint32_t)row + 1; i < c->rows; i++)
		if (*c->map[i].cursor.instance)
			return (int)i;
	return -1;
}

int cursor_of(const struct cursors *c, const char *namespace, const char *id, int row)
{
	uint32_t i = row < 0 ? *chain_of(c, namespace, id) : c->further[row];

	while (i && (strcmp(c->map[i].cursor.id, id) != 0 || strcmp(c->map[i].cursor.namespace, namespace) != 0))
		i = c->further[i];
	return i ? (int)i : -1;
}

int cursor_find(const struct cursors *c, const char *namespace, const char *id, const char *instance)
{
	int row = -1;

	while ((row = cursor_of(c, namespace, id, row)) >= 0 && strcmp(cursor_at(c, row)->instance, instance) != 0)
		;
	return row;
}

int cursor_add(struct cursors *c, const char *namespace, const char *id, const char *instance, uint64_t number)
{
	struct cursor *r;
	uint32_t i;

	if (!c->map || !*instance || strlen(instance) >= sizeof r->instance ||
	    strlen(namespace) >= sizeof r->namespace || strlen(id) >= sizeof r->id)
		return -1;
	for (i = c->next ? c->next : 1; i < c->rows && *c->map[i].cursor.instance; i++)
		;
	if (i == c->rows && (c->rows >= ROWS_MAX || map(c, 2 * c->rows) < 0 || !c->map))
		return -1;
	c->next = i + 1;
	r = &c->map[i].cursor;
	strcpy(r->namespace, namespace);
	strcpy(r->id, id);
	r->number = number;
	strcpy(r->instance, instance); /* last: now it counts */
	chain_add(c, i);
	return (int)i;
}

void cursor_remove(struct cursors *c, int row)
{
	chain_remove(c, (uint32_t)row);
	c->map[row].cursor.instance[0] = '\0';
	if ((uint32_t)row < c->next)
		c->next = (uint32_t)row;
}

void cursor_set(struct cursors *c, int row, uint64_t number)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	c->map[row].cursor.number = number;
	c->map->header.told_s = now.tv_sec;
	c->map->header.told_ns = now.tv_nsec;
}

uint32_t cursor_pid(const struct cursor *r)
{
	const char *start = strrchr(r->instance, '-'), *p = start;
	uint32_t pid = 0;

	while (p && p > r->instance && p[-1] >= '0' && p[-1] <= '9')
		p--;
	for (; p && p < start; p++)
		pid = pid * 10 + (uint32_t)(*p - '0');
	return pid;
}
