/*
 * A connection of the store to its database, and the one way to ask it something.
 * Private to store_*.c.
 *
 *	OWN_QUERY q = query(db, SQL_CONTAINER_GET, "tt", ns, id);
 *	r = query_step(&q, e);		// 1: a row, 0: no more of them
 *	if (r > 0)
 *		query_string(&q, 0, &c->id);
 *	...
 *	r = query_run(&q, e);		// or, where no row is awaited: how many it changed
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "clock.h"
#include "store_sql.h"
#include "wellknown.pb-c.h"

struct err;

struct store_db {
	sqlite3 *sql;
	const char *path; /* borrowed */
	sqlite3_stmt *kept[SQL_COUNT];
};

enum store_access { STORE_WRITES, STORE_READS };

/* The file exists, and nothing of it has been looked at afterwards. */
int db_open(struct store_db *db, const char *path, enum store_access access, struct err *e);
void db_close(struct store_db *db); /* safe on a zeroed one, and twice */

/* store_schema.c. Makes the tables, of this version. What is damaged, or something
 * else's, is -EUCLEAN, as it is from everything here. */
int db_prepare(struct store_db *db, struct err *e);

/* What has just failed, in SQLite's words; -errno. */
int db_failed(struct store_db *db, struct err *e);
int db_exec(struct store_db *db, const char *sql, struct err *e);
/* Whether it has the tables and columns of all statements; -EUCLEAN: it has not. */
int db_knows_all(struct store_db *db, struct err *e);

struct query {
	struct store_db *db;
	sqlite3_stmt *st;
	bool kept; /* else it was busy: one of our own */
	int failed; /* SQLite's code, told by the next step */
};

/* `types` is a letter for each parameter: t text, i int64_t, b ProtobufCBinaryData *;
 * NULL is NULL. They have to stay until the query ends. */
struct query query(struct store_db *db, enum store_statement s, const char *types, ...);
int query_step(struct query *q, struct err *e);
int query_run(struct query *q, struct err *e);
void query_end(struct query *q);
#define OWN_QUERY __attribute__((cleanup(query_end))) struct query

/* Columns as members of messages, allocated: false is out of memory. What is NULL or
 * empty stays as protobuf-c's init has made it. */
bool query_string(struct query *q, int column, char **ret);
bool query_bytes(struct query *q, int column, ProtobufCBinaryData *ret);
bool query_any(struct query *q, int type_column, Google__Protobuf__Any **ret); /* its value is the next column */
bool query_time(struct query *q, int column, Google__Protobuf__Timestamp **ret);

/* The next row as a message, which `read` fills: 1, and it is the caller's; 0: no row. */
int query_message(struct query *q, const ProtobufCMessageDescriptor *type,
		  int (*read)(struct query *q, void *m, struct err *e), void **ret, struct err *e);

/* A time as it is kept, "2026-11-22T03:37:00.123456789Z"; NULL: none. */
const char *store_time(const Google__Protobuf__Timestamp *t, char buf[CLOCK_TEXT]);

/* The words for memory that has ended. */
int store_no_memory(struct err *e);

/* store_labels.c: labels of whatever has them. */
struct label_owner {
	const char *kind; /* "namespace", "container", "lease" */
	const char *ns, *id;
};
/* Instead of those that are there; `entries` are of the type that a map<string, string> has. */
int labels_put(struct store_db *db, const struct label_owner *o, void *const *entries, size_t n, struct err *e);
int labels_get(struct store_db *db, const struct label_owner *o, const ProtobufCMessageDescriptor *type,
	       void **ret, size_t *ret_n, struct err *e);
/* Its value; NULL: none. */
const char *labels_find(void *const *entries, size_t n, const char *key);

/* The next place of a list of messages that grows, with a new message of that type in
 * it; NULL: no memory. */
void *list_add(void ***list, size_t *n, const ProtobufCMessageDescriptor *type);

/* store_namespaces.c: it is there afterwards. */
int namespace_need(struct store_db *db, const char *name, struct err *e);

/* store_file.c: the file in its directory, owner-only; -EUCLEAN when something else is
 * in its place. */
#define STORE_FILE "meta.db"
enum { STORE_CHECK_MAX = 64 << 20 }; /* bytes; a larger one is not looked through when it is opened */
int store_file_make(const char *dir, struct err *e);
/* It gets another name, which is logged as `why` is, and there is none any more. */
int store_file_set_aside(const char *dir, const struct err *why, struct err *e);
