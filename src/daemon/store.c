/*
 * The store: two connections, the thread that changes, and the queue between it and
 * the loop.
 *
 * A transaction takes what has come while the one before was written to the disk, so
 * that a hundred changes at once are a handful of commits. Each is in a savepoint: one
 * that fails takes nothing of its neighbours with it. One that SQLite itself ends the
 * transaction for (a full disk) does; who was in it is told so.
 */
#include "store.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "fd.h"
#include "store_db.h"
#include "sys.h"

enum {
	BATCH = 64, /* changes in a transaction, at most */
	BATCH_MS = 20, /* and so long, before it is committed */
	CHECKPOINT_PAGES = 1000, /* of the WAL, 4 KiB each */
};

struct queue {
	struct store_change *first, **end;
};

struct store {
	struct store_db writer; /* the thread's */
	struct store_db reader; /* the loop's */
	int wal_pages; /* the thread's */
	char *path;
	char *uuid;

	int ended_fd; /* an eventfd: there is something in `ended` */
	struct source ended_src;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	struct queue asked, ended;
	bool closing;
};

/* ---- queues ------------------------------------------------------------------ */

static void queue_add(struct queue *q, struct store_change *c)
{
	c->next = NULL;
	*(q->first ? q->end : &q->first) = c;
	q->end = &c->next;
}

/* At most n of them, as a list. */
static struct store_change *queue_take(struct queue *q, unsigned n)
{
	struct store_change *first = q->first, **at = &q->first;

	for (; n && *at; n--)
		at = &(*at)->next;
	q->first = *at;
	*at = NULL;
	return q->first == first ? NULL : first;
}

/* ---- the thread -------------------------------------------------------------- */

static int run(struct store_db *db, enum store_statement s, struct err *e)
{
	OWN_QUERY q = query(db, s, "");

	return query_run(&q, e);
}

static bool in_transaction(struct store_db *db)
{
	return !sqlite3_get_autocommit(db->sql);
}

/* Its savepoint is closed, whatever has become of it; what cannot be closed ends all. */
static int close_savepoint(struct store_db *db, const struct store_change *c, struct err *e)
{
	int r = c->result < 0 ? run(db, SQL_UNDO, e) : 0;

	if (r >= 0)
		r = run(db, SQL_RELEASE, e);
	if (r < 0)
		run(db, SQL_ROLLBACK, NULL);
	return r;
}

/* One change. False: the transaction is no more, and *r and *e are what ended it, which
 * may be the change. */
static bool apply(struct store_db *db, struct store_change *c, int *r, struct err *e)
{
	bool begun;

	c->result = run(db, SQL_SAVEPOINT, &c->err);
	begun = c->result >= 0;
	if (begun)
		c->result = c->run(c, db, &c->err);
	if (!in_transaction(db)) {
		*r = c->result;
		*e = c->err;
	} else if (begun) {
		*r = close_savepoint(db, c, e);
	}
	return in_transaction(db);
}

static void fail(struct store_change *first, const struct store_change *end, int r, const struct err *e)
{
	for (struct store_change *c = first; c != end; c = c->next) {
		if (c->result < 0)
			continue;
		c->result = r;
		c->err = *e;
	}
}

static void tell(struct store *s, struct store_change *first, const struct store_change *end)
{
	static const uint64_t one = 1;
	struct store_change *next;

	pthread_mutex_lock(&s->lock);
	for (struct store_change *c = first; c != end; c = next) {
		next = c->next;
		queue_add(&s->ended, c);
	}
	pthread_mutex_unlock(&s->lock);
	(void)!sys_write(s->ended_fd, &one, sizeof one);
}

/* A transaction of what is at the head of the list; the rest of it. */
static struct store_change *transact(struct store *s, struct store_change *list)
{
	struct store_db *db = &s->writer;
	struct store_change *c = list;
	int64_t until = clock_ms() + BATCH_MS;
	struct err e;
	int r = run(db, SQL_BEGIN, &e);
	bool alive = r >= 0, full = false;

	for (; alive && c && (c == list || clock_ms() < until); c = c->next) {
		alive = apply(db, c, &r, &e);
		full |= c->result == -ENOSPC;
	}
	if (r >= 0) {
		r = run(db, SQL_COMMIT, &e);
	} else if (c == list) { /* it has not begun: for nobody */
		for (; c; c = c->next)
			c->result = 0;
	}
	if (r < 0) {
		if (in_transaction(db))
			run(db, SQL_ROLLBACK, NULL);
		fail(list, c, r, &e);
	}
	if (full || r == -ENOSPC) /* for the WAL to begin anew, in the room it has */
		s->wal_pages = CHECKPOINT_PAGES;
	tell(s, list, c);
	return c;
}

/* After the answers: it may take as long as the disk wants. When it fails it is tried
 * again after the next transaction. */
static void checkpoint(struct store *s)
{
	if (s->wal_pages >= CHECKPOINT_PAGES &&
	    !sqlite3_wal_checkpoint_v2(s->writer.sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL))
		s->wal_pages = 0;
}

static int wal_grew(void *ctx, sqlite3 *sql, const char *name, int pages)
{
	struct store *s = ctx;

	s->wal_pages = pages;
	return SQLITE_OK;
}

static void *write_all(void *arg)
{
	struct store *s = arg;
	struct store_change *list;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		while (!s->asked.first && !s->closing)
			pthread_cond_wait(&s->more, &s->lock);
		list = queue_take(&s->asked, BATCH);
		pthread_mutex_unlock(&s->lock);
		if (!list)
			return NULL;
		while (list)
			list = transact(s, list);
		checkpoint(s);
	}
}

/* ---- the loop's side --------------------------------------------------------- */

static bool answer(struct store *s)
{
	struct store_change *list, *next;

	pthread_mutex_lock(&s->lock);
	list = queue_take(&s->ended, UINT_MAX);
	pthread_mutex_unlock(&s->lock);
	if (!list)
		return false;
	for (; list; list = next) {
		next = list->next;
		list->done(list, list->result, &list->err);
	}
	return true;
}

static int on_ended(struct source *src, uint32_t events)
{
	struct store *s = (struct store *)((char *)src - offsetof(struct store, ended_src));
	uint64_t n;

	(void)!sys_read(s->ended_fd, &n, sizeof n);
	answer(s);
	return 0;
}

void store_change(struct store *s, struct store_change *c)
{
	pthread_mutex_lock(&s->lock);
	if (s->closing) { /* from a `done` that store_close() calls */
		c->result = err_set(&c->err, ERR_STATE, 0, "the store is closed");
		queue_add(&s->ended, c);
	} else {
		queue_add(&s->asked, c);
		pthread_cond_signal(&s->more);
	}
	pthread_mutex_unlock(&s->lock);
}

struct store_db *store_reader(struct store *s)
{
	return &s->reader;
}

const char *store_uuid(const struct store *s)
{
	return s->uuid;
}

/* ---- opening and closing ----------------------------------------------------- */

static int read_uuid(struct store *s, struct err *e)
{
	OWN_QUERY q = query(&s->writer, SQL_UUID_GET, "");
	int r = query_step(&q, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_INTERNAL, -EUCLEAN, "database '%s': has no UUID", s->path);
	return query_string(&q, 0, &s->uuid) && s->uuid ? 0 : store_no_memory(e);
}

static int open_writer(struct store *s, const char *dir, struct err *e)
{
	int r = store_file_make(dir, e);

	if (r >= 0)
		r = db_open(&s->writer, s->path, STORE_WRITES, e);
	if (r < 0)
		return r;
	r = db_prepare(&s->writer, e);
	if (r >= 0)
		r = read_uuid(s, e);
	if (r < 0)
		db_close(&s->writer);
	return r;
}

static int open_database(struct store *s, const char *dir, struct err *e)
{
	struct err why;
	int r = open_writer(s, dir, &why);

	if (r == -EUCLEAN) {
		r = store_file_set_aside(dir, &why, e);
		return r < 0 ? r : open_writer(s, dir, e);
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

/* Signals are the loop's. */
static int start(struct store *s, struct err *e)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&s->thread, NULL, write_all, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? err_set(e, ERR_INTERNAL, r, "start the store's thread") : 0;
}

static void release(struct store *s)
{
	source_remove(&s->ended_src);
	fd_closep(&s->ended_fd);
	db_close(&s->reader);
	db_close(&s->writer); /* the last one: it makes a checkpoint, and removes the WAL */
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	free(s->uuid);
	free(s->path);
	free(s);
}

static int open_all(struct store *s, struct loop *l, const char *dir, struct err *e)
{
	int r = open_database(s, dir, e);

	if (r >= 0)
		r = db_open(&s->reader, s->path, STORE_READS, e);
	if (r < 0)
		return r;
	sqlite3_wal_hook(s->writer.sql, wal_grew, s);
	s->ended_fd = r = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r >= 0)
		r = source_fd(&s->ended_src, l, s->ended_fd, EPOLLIN, on_ended);
	if (r < 0)
		return err_set(e, ERR_INTERNAL, r, "watch the store's thread");
	return start(s, e);
}

int store_open(struct store **ret, struct loop *l, const char *dir, struct err *e)
{
	struct store *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_sys(e, -ENOMEM, "open the store");
	s->ended_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	if (asprintf(&s->path, "%s/" STORE_FILE, dir) < 0) {
		s->path = NULL;
		r = err_sys(e, -ENOMEM, "open the store");
	} else {
		r = open_all(s, l, dir, e);
	}
	if (r < 0)
		release(s);
	else
		*ret = s;
	return r < 0 ? r : 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (answer(s))
		;
	release(s);
}
