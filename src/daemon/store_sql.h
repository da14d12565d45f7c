/*
 * The statements of the store, each prepared once for a connection and kept. The
 * tables they speak of are in store_schema.c. Private to store_*.c.
 */
#pragma once

#define LEASE_COLUMNS "id, created_at"
#define CONTAINER_COLUMNS                                                                                  \
	"id, image, runtime, runtime_options_type, runtime_options, spec_type, spec, snapshotter, snapshot_key, " \
	"created_at, updated_at"

#define STORE_STATEMENTS(X)                                                                                \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                        \
	X(COMMIT, "COMMIT")                                                                                \
	X(ROLLBACK, "ROLLBACK")                                                                            \
	X(SAVEPOINT, "SAVEPOINT change")                                                                   \
	X(RELEASE, "RELEASE change")                                                                       \
	X(UNDO, "ROLLBACK TO change")                                                                      \
                                                                                                           \
	X(UUID_GET, "SELECT value FROM meta WHERE key = 'uuid'")                                           \
                                                                                                           \
	/* a map of the wire may name a key twice: the last one counts */                                  \
	X(LABEL_PUT, "INSERT OR REPLACE INTO labels (kind, namespace, id, key, value) VALUES (?, ?, ?, ?, ?)") \
	X(LABELS_REMOVE, "DELETE FROM labels WHERE kind = ? AND namespace = ? AND id = ?")                 \
	X(LABELS_GET, "SELECT key, value FROM labels WHERE kind = ? AND namespace = ? AND id = ? ORDER BY key") \
                                                                                                           \
	X(NAMESPACE_PUT, "INSERT OR IGNORE INTO namespaces (name) VALUES (?)")                             \
	X(NAMESPACE_REMOVE, "DELETE FROM namespaces WHERE name = ?")                                       \
	X(NAMESPACE_GET, "SELECT name FROM namespaces WHERE name = ?")                                     \
	X(NAMESPACE_EACH, "SELECT name FROM namespaces ORDER BY name")                                     \
                                                                                                           \
	X(CONTAINER_INSERT, "INSERT OR IGNORE INTO containers (namespace, " CONTAINER_COLUMNS              \
			    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                               \
	X(CONTAINER_REPLACE, "UPDATE containers SET (" CONTAINER_COLUMNS                                   \
			     ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "                        \
			     "WHERE namespace = ?1 AND id = ?2")                                           \
	X(CONTAINER_REMOVE, "DELETE FROM containers WHERE namespace = ? AND id = ?")                       \
	X(CONTAINER_GET, "SELECT " CONTAINER_COLUMNS " FROM containers WHERE namespace = ? AND id = ?")    \
	X(CONTAINER_EACH, "SELECT " CONTAINER_COLUMNS " FROM containers WHERE namespace = ? ORDER BY id")  \
	X(CONTAINER_ANY, "SELECT 1 FROM containers WHERE namespace = ? LIMIT 1")                           \
                                                                                                           \
	X(EXTENSION_PUT, "INSERT OR REPLACE INTO extensions (namespace, id, name, type, value) "           \
			 "VALUES (?, ?, ?, ?, ?)")                                                         \
	X(EXTENSIONS_REMOVE, "DELETE FROM extensions WHERE namespace = ? AND id = ?")                      \
	X(EXTENSIONS_GET, "SELECT name, type, value FROM extensions WHERE namespace = ? AND id = ? ORDER BY name") \
                                                                                                           \
	X(LEASE_INSERT, "INSERT OR IGNORE INTO leases (namespace, id, created_at, expires_at) VALUES (?, ?, ?, ?)") \
	X(LEASE_REMOVE, "DELETE FROM leases WHERE namespace = ? AND id = ?")                               \
	X(LEASE_GET, "SELECT " LEASE_COLUMNS " FROM leases WHERE namespace = ? AND id = ?")                \
	X(LEASE_EACH, "SELECT " LEASE_COLUMNS " FROM leases WHERE namespace = ? ORDER BY id")              \
	X(LEASE_NEXT, "SELECT min(expires_at) FROM leases WHERE expires_at IS NOT NULL")                   \
	X(LEASE_EXPIRE, "DELETE FROM leases WHERE expires_at <= ?")                                        \
	X(RESOURCE_PUT, "INSERT OR IGNORE INTO lease_resources (namespace, lease, type, id) VALUES (?, ?, ?, ?)") \
	X(RESOURCE_REMOVE, "DELETE FROM lease_resources WHERE namespace = ? AND lease = ? AND type = ? AND id = ?") \
	X(RESOURCE_EACH, "SELECT id, type FROM lease_resources WHERE namespace = ? AND lease = ? ORDER BY type, id")

enum store_statement {
#define X(name, sql) SQL_##name,
	STORE_STATEMENTS(X)
#undef X
	SQL_COUNT
};
