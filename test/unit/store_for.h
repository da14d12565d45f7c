/* A store in a directory of the test's, and its loop. What is asked for is awaited. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "file.h"
#include "loop.h"
#include "mem.h"
#include "store.h"
#include "store_tables.h"

static char dir[] = "/tmp/berth-store-XXXXXX";
static struct loop loop;
static struct store *store;

/* A change that calls one function of the tables with what it needs. */
struct asked {
	struct store_change change;
	int (*fn)(struct asked *a, struct store_db *db, struct err *e);
	const char *ns, *id;
	const void *m;
	int64_t number;
	int r; /* what it has come to */
	struct err err;
	bool ended;
};

static unsigned waiting;

static int asked_run(struct store_change *c, struct store_db *db, struct err *e)
{
	struct asked *a = (struct asked *)c;

	return a->fn(a, db, e);
}

static inline void asked_done(struct store_change *c, int r, const struct err *e)
{
	struct asked *a = (struct asked *)c;

	assert_false(a->ended);
	a->ended = true;
	a->r = r;
	if (r < 0)
		a->err = *e;
	if (!--waiting)
		loop_stop(&loop, 0);
}

static inline void ask(struct asked *a)
{
	a->change = (struct store_change){ .run = asked_run, .done = asked_done };
	a->ended = false;
	waiting++;
	store_change(store, &a->change);
}

static inline void await(void)
{
	if (waiting)
		assert_int_equal(loop_run(&loop), 0);
}

/* What it said, for the tests of failures. */
static struct err said;

static inline int call(int (*fn)(struct asked *a, struct store_db *db, struct err *e), const char *ns, const char *id,
		       const void *m)
{
	struct asked a = { .fn = fn, .ns = ns, .id = id, .m = m };

	ask(&a);
	await();
	assert_true(a.ended);
	said = a.err;
	return a.r;
}

#define CALL(name, expression)                                                               \
	static inline int name(struct asked *a, struct store_db *db, struct err *e) \
	{                                                                                    \
		return expression;                                                           \
	}
CALL(do_container_insert, container_insert(db, a->ns, a->m, e))
CALL(do_container_replace, container_replace(db, a->ns, a->m, e))
CALL(do_container_remove, container_remove(db, a->ns, a->id, e))
CALL(do_namespace_insert, namespace_insert(db, a->m, e))
CALL(do_namespace_replace, namespace_replace(db, a->m, e))
CALL(do_namespace_remove, namespace_remove(db, a->id, e))
CALL(do_lease_insert, lease_insert(db, a->ns, a->m, e))
CALL(do_lease_remove, lease_remove(db, a->ns, a->id, e))
CALL(do_lease_add, lease_add(db, a->ns, a->id, a->m, e))
CALL(do_lease_drop, lease_drop(db, a->ns, a->id, a->m, e))
CALL(do_lease_expire, lease_expire(db, a->number, e))

static inline int try_store(void)
{
	return store_open(&store, &loop, dir, &said);
}

static inline void open_store(void)
{
	if (try_store() < 0)
		fail_msg("%s", said.msg);
}

static inline void close_store(void)
{
	store_close(store);
	store = NULL;
}

static inline int store_setup(void **state)
{
	strcpy(dir + sizeof dir - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(loop_init(&loop, NULL), 0);
	open_store();
	return 0;
}

static inline int store_teardown(void **state)
{
	close_store();
	loop_done(&loop);
	return file_remove_tree(AT_FDCWD, dir);
}

/* ---- what is put into it ----------------------------------------------------- */

static inline Container *some_container(const char *id, size_t spec)
{
	static Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	static Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT, any = GOOGLE__PROTOBUF__ANY__INIT;
	static Containerd__Services__Containers__V1__Container__Runtime runtime =
		CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__RUNTIME__INIT;
	static uint8_t bytes[65536];
	static Container c;

	containerd__services__containers__v1__container__init(&c);
	memset(bytes, 's', sizeof bytes);
	t.seconds = 1795318621;
	t.nanos = 123456789;
	options.type_url = (char *)"containerd.runc.v1.Options";
	options.value = (ProtobufCBinaryData){ 3, (uint8_t *)"\0\1\2" };
	any.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/Spec";
	any.value = (ProtobufCBinaryData){ spec, bytes };
	runtime.name = (char *)"io.containerd.berth.v2";
	runtime.options = &options;
	c.id = (char *)id;
	c.image = (char *)"docker.io/library/busybox:latest";
	c.snapshotter = (char *)"overlayfs";
	c.snapshot_key = (char *)id;
	c.runtime = &runtime;
	c.spec = &any;
	c.created_at = c.updated_at = &t;
	return &c;
}

/* "key", "value", ... NULL as a map of that type, until the arena goes. */
static inline void *map_of(struct arena *a, const ProtobufCMessageDescriptor *type, const char *const *pairs, size_t *n)
{
	void **list = arena_alloc(a, 64 * sizeof *list);

	for (*n = 0; pairs[*n * 2]; ++*n) {
		char *m = arena_alloc(a, type->sizeof_message);

		protobuf_c_message_init(type, m);
		*(const char **)(m + type->fields[0].offset) = pairs[*n * 2];
		*(const char **)(m + type->fields[1].offset) = pairs[*n * 2 + 1];
		list[*n] = m;
	}
	return list;
}
#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define CONTAINER_LABELS (&containerd__services__containers__v1__container__labels_entry__descriptor)
#define NAMESPACE_LABELS (&containerd__services__namespaces__v1__namespace__labels_entry__descriptor)
#define LEASE_LABELS (&containerd__services__leases__v1__lease__labels_entry__descriptor)

/* The same bytes on the wire. */
static inline void same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t n = protobuf_c_message_get_packed_size(a);
	uint8_t *x = malloc(n + 1), *y = malloc(n + 1);

	assert_int_equal(protobuf_c_message_get_packed_size(b), n);
	protobuf_c_message_pack(a, x);
	protobuf_c_message_pack(b, y);
	assert_memory_equal(x, y, n);
	free(x);
	free(y);
}
