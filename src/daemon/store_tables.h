/*
 * The tables of the store (store.h): rows in and out, as the messages that clients
 * send and get. What is put in has been checked; here only what the database knows
 * is: ERR_EXISTS, ERR_NOT_FOUND and, for a namespace that is not empty, ERR_STATE, in
 * containerd's words. Whatever makes a row in a namespace makes the namespace.
 *
 * What is returned is the caller's: protobuf_c_message_free_unpacked(). An `each`
 * calls with what is only valid meanwhile, in the order of the names, and ends early
 * when that returns < 0, with that and without words. All it tells is of one moment.
 *
 * Of a map with a key twice the last one is kept; a label without a value is none, as
 * containerd has it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "containers.pb-c.h"
#include "leases.pb-c.h"
#include "namespaces.pb-c.h"

struct err;
struct store_db;

typedef Containerd__Services__Containers__V1__Container Container;
typedef Containerd__Services__Leases__V1__Lease Lease;
typedef Containerd__Services__Leases__V1__Resource LeaseResource;
typedef Containerd__Services__Namespaces__V1__Namespace Namespace;

/* store_containers.c; by id */
int container_insert(struct store_db *db, const char *ns, const Container *c, struct err *e);
int container_replace(struct store_db *db, const char *ns, const Container *c, struct err *e);
int container_remove(struct store_db *db, const char *ns, const char *id, struct err *e);
int container_get(struct store_db *db, const char *ns, const char *id, Container **ret, struct err *e);
int container_each(struct store_db *db, const char *ns, int (*fn)(void *ctx, const Container *c), void *ctx,
		   struct err *e);

/* store_namespaces.c; by name */
int namespace_insert(struct store_db *db, const Namespace *n, struct err *e);
int namespace_replace(struct store_db *db, const Namespace *n, struct err *e);
/* With its leases. */
int namespace_remove(struct store_db *db, const char *name, struct err *e);
int namespace_get(struct store_db *db, const char *name, Namespace **ret, struct err *e);
int namespace_each(struct store_db *db, int (*fn)(void *ctx, const Namespace *n), void *ctx, struct err *e);

/* store_leases.c; by id */
int lease_insert(struct store_db *db, const char *ns, const Lease *l, struct err *e);
int lease_remove(struct store_db *db, const char *ns, const char *id, struct err *e); /* with its resources */
int lease_each(struct store_db *db, const char *ns, int (*fn)(void *ctx, const Lease *l), void *ctx, struct err *e);
/* A resource that is there already, or not there any more, is no error. */
int lease_find(struct store_db *db, const char *ns, const char *id, struct err *e);
int lease_add(struct store_db *db, const char *ns, const char *lease, const LeaseResource *r, struct err *e);
int lease_drop(struct store_db *db, const char *ns, const char *lease, const LeaseResource *r, struct err *e);
int lease_resources(struct store_db *db, const char *ns, const char *lease,
		    int (*fn)(void *ctx, const LeaseResource *r), void *ctx, struct err *e);
/* The next one to expire by its label containerd.io/gc.expire (RFC 3339), of any
 * namespace: seconds since 1970; 0: none. */
int lease_next_expiry(struct store_db *db, int64_t *ret, struct err *e);
/* Removes those whose time has come; how many. */
int lease_expire(struct store_db *db, int64_t now, struct err *e);
