/*
 * The tables, as a row of migrations: the database of version N has had the first N.
 * What was released stays as it is here; what changes is a new row.
 *
 * Names are the keys, so that a person with sqlite3(1) sees what belongs to what:
 *
 *	SELECT namespace, id, image FROM containers;
 *	SELECT id, json_extract(spec, '$.process.args') FROM containers;
 *	SELECT * FROM labels WHERE key LIKE 'containerd.io/gc.%';
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "err.h"
#include "mem.h"
#include "store_db.h"

enum { APPLICATION_ID = 0x62727468 }; /* "brth" */

/* Times are RFC 3339; those of leases' ends, which are compared, seconds since 1970.
 * A label has no foreign key, because its owner may be in any table: that one's trigger
 * removes it. */
static const char *const migrations[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE namespaces (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"

	"CREATE TABLE labels (kind TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL,"
	" value TEXT NOT NULL, PRIMARY KEY (kind, namespace, id, key)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE containers (namespace TEXT NOT NULL REFERENCES namespaces (name), id TEXT NOT NULL,"
	" image TEXT NOT NULL, runtime TEXT NOT NULL, runtime_options_type TEXT, runtime_options BLOB,"
	" snapshotter TEXT NOT NULL, snapshot_key TEXT NOT NULL, created_at TEXT, updated_at TEXT,"
	" spec_type TEXT, spec BLOB, PRIMARY KEY (namespace, id)) STRICT;"

	"CREATE TABLE extensions (namespace TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, type TEXT,"
	" value BLOB, PRIMARY KEY (namespace, id, name), FOREIGN KEY (namespace, id)"
	" REFERENCES containers (namespace, id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;"

	"CREATE TABLE leases (namespace TEXT NOT NULL REFERENCES namespaces (name) ON DELETE CASCADE,"
	" id TEXT NOT NULL, created_at TEXT, expires_at INTEGER, PRIMARY KEY (namespace, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX leases_by_end ON leases (expires_at) WHERE expires_at IS NOT NULL;"

	"CREATE TABLE lease_resources (namespace TEXT NOT NULL, lease TEXT NOT NULL, type TEXT NOT NULL,"
	" id TEXT NOT NULL, PRIMARY KEY (namespace, lease, type, id), FOREIGN KEY (namespace, lease)"
	" REFERENCES leases (namespace, id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;"

	"CREATE TRIGGER namespace_gone AFTER DELETE ON namespaces BEGIN"
	" DELETE FROM labels WHERE kind = 'namespace' AND namespace = old.name AND id = ''; END;"
	"CREATE TRIGGER container_gone AFTER DELETE ON containers BEGIN"
	" DELETE FROM labels WHERE kind = 'container' AND namespace = old.namespace AND id = old.id; END;"
	"CREATE TRIGGER lease_gone AFTER DELETE ON leases BEGIN"
	" DELETE FROM labels WHERE kind = 'lease' AND namespace = old.namespace AND id = old.id; END;",
};

/* The number that a PRAGMA or a SELECT says. */
static int ask(struct store_db *db, const char *sql, int64_t *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW)
		r = db_failed(db, e);
	else
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return r;
}

/* Pages that SQLite cannot use are found now, not by a request, unless there are so many
 * that it would take long. */
static int check(struct store_db *db, struct err *e)
{
	const char *words;
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW) {
		r = db_failed(db, e);
	} else {
		words = (const char *)sqlite3_column_text(st, 0);
		if (!words || strcmp(words, "ok"))
			r = err_set(e, ERR_INTERNAL, -EUCLEAN, "database '%s': %s", db->path,
				    words ? words : "no memory");
	}
	sqlite3_finalize(st);
	return r;
}

static int insert_uuid(struct store_db *db, struct err *e)
{
	char sql[128];
	uint8_t b[16];

	if (getrandom(b, sizeof b, 0) != sizeof b)
		return err_sys(e, -errno, "read random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(sql, sizeof sql,
		 "INSERT INTO meta (key, value) VALUES ('uuid', '%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x')",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return db_exec(db, sql, e);
}

static int migrate(struct store_db *db, int64_t from, struct err *e)
{
	char sql[96];
	int r = 0;

	for (size_t i = (size_t)from; r >= 0 && i < ARRAY_SIZE(migrations); i++)
		r = db_exec(db, migrations[i], e);
	if (r >= 0 && from == 0)
		r = insert_uuid(db, e);
	snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID,
		 ARRAY_SIZE(migrations));
	return r < 0 ? r : db_exec(db, sql, e);
}

int db_prepare(struct store_db *db, struct err *e)
{
	int64_t application = 0, version = 0, tables = 0, pages = 0, page_size = 0;
	int r;

	if ((r = ask(db, "PRAGMA application_id", &application, e)) < 0 ||
	    (r = ask(db, "PRAGMA user_version", &version, e)) < 0 ||
	    (r = ask(db, "PRAGMA page_count", &pages, e)) < 0 || (r = ask(db, "PRAGMA page_size", &page_size, e)) < 0 ||
	    (r = ask(db, "SELECT count(*) FROM sqlite_schema", &tables, e)) < 0)
		return r;
	if (application != APPLICATION_ID && (application || version || tables))
		return err_set(e, ERR_INTERNAL, -EUCLEAN, "database '%s': is not one of berthd", db->path);
	if (version > (int64_t)ARRAY_SIZE(migrations) || version < 0)
		return err_set(e, ERR_UNSUPPORTED, -EINVAL,
			       "database '%s': has version %lld, which is newer than this berthd's %zu", db->path,
			       (long long)version, ARRAY_SIZE(migrations));
	r = pages * page_size > STORE_CHECK_MAX ? 0 : check(db, e);
	if (r < 0)
		return r;
	if (version == (int64_t)ARRAY_SIZE(migrations))
		return db_knows_all(db, e);
	r = db_exec(db, "BEGIN IMMEDIATE", e);
	if (r < 0)
		return r;
	r = migrate(db, version, e);
	if (r >= 0)
		r = db_exec(db, "COMMIT", e);
	if (r < 0)
		db_exec(db, "ROLLBACK", NULL);
	return r;
}
