/* A connection to the database: how it is set up, and how it is asked. */
#include "store_db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"

static const char *const statements[SQL_COUNT] = {
#define X(name, sql) [SQL_##name] = sql,
	STORE_STATEMENTS(X)
#undef X
};

/* ---- errors ------------------------------------------------------------------ */

/* What the system said of the WAL, to which all is written first, or of the database;
 * 0: nothing. What SQLite remembers of a connection is of what it has opened. */
static int system_errno(sqlite3 *sql)
{
	static const int files[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };
	sqlite3_file *f = NULL;
	int sys = 0;

	for (size_t i = 0; !sys && i < ARRAY_SIZE(files); i++)
		if (!sqlite3_file_control(sql, "main", files[i], &f) && f && f->pMethods)
			f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &sys);
	return sys ? sys : sqlite3_system_errno(sql);
}

static int errno_of(sqlite3 *sql, int code)
{
	int sys;

	if (code == SQLITE_IOERR_NOMEM)
		return ENOMEM;
	switch (code & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* of what is asked here all is known to every database of ours */
		return EUCLEAN;
	case SQLITE_TOOBIG:
		return E2BIG;
	case SQLITE_IOERR:
		sys = sql ? system_errno(sql) : 0;
		return sys ? sys : EIO;
	case SQLITE_CANTOPEN:
		sys = sql ? sqlite3_system_errno(sql) : 0;
		return sys ? sys : EIO;
	default:
		return EIO;
	}
}

/* Never one of the kinds that tell something of a row: a database that has gone is no
 * container that is not found. */
int db_failed(struct store_db *db, struct err *e)
{
	int sys = db->sql ? errno_of(db->sql, sqlite3_extended_errcode(db->sql)) : ENOMEM;

	return err_set(e, sys == EBUSY ? ERR_BUSY : ERR_INTERNAL, -sys, "database '%s': %s", db->path,
		       db->sql ? sqlite3_errmsg(db->sql) : "open");
}

int store_no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "read the database");
}

int db_exec(struct store_db *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) ? db_failed(db, e) : 0;
}

/* ---- connections ------------------------------------------------------------- */

/*
 * Little memory: what is read often is in the kernel's cache anyway. Waiting for a
 * person who writes with sqlite3(1) is the thread's; the loop only meets locks of a
 * moment. Checkpoints are made by store.c, when nobody waits.
 */
#define SETTINGS                                                                                    \
	"PRAGMA foreign_keys = ON; PRAGMA cache_size = -256; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;" \
	"PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;"

static const struct access {
	int busy_ms;
	const char *settings;
} accesses[] = {
	[STORE_WRITES] = { 5000, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
				 "PRAGMA journal_size_limit = 4194304;" SETTINGS },
	[STORE_READS] = { 100, SETTINGS "PRAGMA query_only = ON;" },
};

int db_open(struct store_db *db, const char *path, enum store_access access, struct err *e)
{
	const struct access *a = &accesses[access];
	int r;

	*db = (struct store_db){ .path = path };
	if (sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			    NULL)) {
		r = db_failed(db, e);
	} else {
		sqlite3_db_config(db->sql, SQLITE_DBCONFIG_LOOKASIDE, NULL, 256, 64);
		sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_busy_timeout(db->sql, a->busy_ms);
		r = db_exec(db, a->settings, e);
	}
	if (r < 0)
		db_close(db);
	return r;
}

void db_close(struct store_db *db)
{
	for (size_t i = 0; i < ARRAY_SIZE(db->kept); i++)
		sqlite3_finalize(db->kept[i]);
	sqlite3_close(db->sql);
	*db = (struct store_db){ .path = db->path };
}

/* ---- queries ----------------------------------------------------------------- */

static int bind(struct query *q, int n, char type, va_list *ap)
{
	const ProtobufCBinaryData *b;
	const char *text;

	switch (type) {
	case 't':
		text = va_arg(*ap, const char *);
		return sqlite3_bind_text(q->st, n, text, -1, SQLITE_STATIC);
	case 'i':
		return sqlite3_bind_int64(q->st, n, va_arg(*ap, int64_t));
	default:
		b = va_arg(*ap, const ProtobufCBinaryData *);
		if (!b)
			return sqlite3_bind_null(q->st, n);
		if (!b->len)
			return sqlite3_bind_zeroblob(q->st, n, 0);
		return sqlite3_bind_blob64(q->st, n, b->data, b->len, SQLITE_STATIC);
	}
}

struct query query(struct store_db *db, enum store_statement s, const char *types, ...)
{
	struct query q = { .db = db };
	sqlite3_stmt **kept = &db->kept[s];
	va_list ap;

	if (*kept && !sqlite3_stmt_busy(*kept)) {
		q.st = *kept;
	} else {
		q.failed = sqlite3_prepare_v3(db->sql, statements[s], -1, *kept ? 0 : SQLITE_PREPARE_PERSISTENT, &q.st,
					      NULL);
		if (q.failed)
			return q;
	}
	if (!*kept)
		*kept = q.st;
	q.kept = q.st == *kept;
	va_start(ap, types);
	for (int i = 0; types[i] && !q.failed; i++)
		q.failed = bind(&q, i + 1, types[i], &ap);
	va_end(ap);
	return q;
}

int db_knows_all(struct store_db *db, struct err *e)
{
	sqlite3_stmt *st;

	for (size_t i = 0; i < SQL_COUNT; i++) {
		if (sqlite3_prepare_v2(db->sql, statements[i], -1, &st, NULL))
			return db_failed(db, e);
		sqlite3_finalize(st);
	}
	return 0;
}

int query_step(struct query *q, struct err *e)
{
	int code = q->failed ? q->failed : sqlite3_step(q->st);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_failed(q->db, e);
}

int query_run(struct query *q, struct err *e)
{
	int r;

	do
		r = query_step(q, e);
	while (r > 0);
	return r < 0 ? r : sqlite3_changes(q->db->sql);
}

void query_end(struct query *q)
{
	if (q->kept) {
		sqlite3_reset(q->st);
		sqlite3_clear_bindings(q->st);
	} else {
		sqlite3_finalize(q->st);
	}
	q->st = NULL;
}

/* ---- columns ----------------------------------------------------------------- */

bool query_string(struct query *q, int column, char **ret)
{
	const char *text = (const char *)sqlite3_column_text(q->st, column);
	char *copy;

	if (!text)
		return sqlite3_column_type(q->st, column) == SQLITE_NULL;
	if (!*text)
		return true;
	copy = strdup(text);
	if (!copy)
		return false;
	*ret = copy;
	return true;
}

bool query_bytes(struct query *q, int column, ProtobufCBinaryData *ret)
{
	const void *data = sqlite3_column_blob(q->st, column);
	size_t n = (size_t)sqlite3_column_bytes(q->st, column);

	if (!n)
		return true;
	ret->data = data ? malloc(n) : NULL;
	if (!ret->data)
		return false;
	memcpy(ret->data, data, n);
	ret->len = n;
	return true;
}

bool query_any(struct query *q, int type_column, Google__Protobuf__Any **ret)
{
	Google__Protobuf__Any *any;

	if (sqlite3_column_type(q->st, type_column) == SQLITE_NULL)
		return true;
	any = *ret = malloc(sizeof *any);
	if (!any)
		return false;
	google__protobuf__any__init(any);
	return query_string(q, type_column, &any->type_url) && query_bytes(q, type_column + 1, &any->value);
}

/* One that a person has spoilt is none. */
bool query_time(struct query *q, int column, Google__Protobuf__Timestamp **ret)
{
	const char *text = (const char *)sqlite3_column_text(q->st, column);
	Google__Protobuf__Timestamp *t;
	struct timespec ts;

	if (!text)
		return sqlite3_column_type(q->st, column) == SQLITE_NULL;
	if (clock_read(text, &ts) < 0)
		return true;
	t = *ret = malloc(sizeof *t);
	if (!t)
		return false;
	google__protobuf__timestamp__init(t);
	t->seconds = ts.tv_sec;
	t->nanos = (int32_t)ts.tv_nsec;
	return true;
}

int query_message(struct query *q, const ProtobufCMessageDescriptor *type,
		  int (*read)(struct query *q, void *m, struct err *e), void **ret, struct err *e)
{
	ProtobufCMessage *m;
	int r = query_step(q, e);

	if (r <= 0)
		return r;
	m = malloc(type->sizeof_message);
	if (!m)
		return store_no_memory(e);
	protobuf_c_message_init(type, m);
	r = read(q, m, e);
	if (r < 0) {
		protobuf_c_message_free_unpacked(m, NULL);
		return r;
	}
	*ret = m;
	return 1;
}

const char *store_time(const Google__Protobuf__Timestamp *t, char buf[CLOCK_TEXT])
{
	if (!t)
		return NULL;
	clock_utc(&(struct timespec){ .tv_sec = t->seconds, .tv_nsec = t->nanos }, 1, buf);
	return buf;
}
