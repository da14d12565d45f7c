/*
 * The daemon's services with a store and a bus, and no sockets: a call is made by
 * ask(), and what grpc_server.h would send for it is kept here. What is asked for is
 * awaited, unless it is a stream.
 */
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

#include "bus.h"
#include "daemon_settings.h"
#include "err.h"
#include "events.pb-c.h"
#include "file.h"
#include "map.h"
#include "mem.h"
#include "request.h"
#include "rpc_unpack.h"
#include "str.h"
#include "store_tables.h"

enum { SENT_MAX = 20000 };

struct grpc_message {
	unsigned refs;
	size_t len;
	struct grpc_receipt *receipt;
	uint8_t body[];
};

static unsigned messages; /* that there are */

/* A call as the client sees it. */
struct asked {
	struct grpc_call rpc; /* first */
	const char *ns;
	uint8_t *body;
	bool ended, failed;
	struct err e;
	struct grpc_message *sent[SENT_MAX];
	size_t n_sent;
	bool reads_not; /* it takes nothing: what is sent stays unread */
	size_t unread;
	ProtobufCMessage *m; /* the first message, read by answer() */
};

static char dir[] = "/tmp/berth-daemon-XXXXXX";
static struct daemon d;
static struct daemon_settings settings;
static struct arena arena;

/* ---- instead of the server, and of the daemon's program -------------------------- */

void daemon_is_busy(struct daemon *unused)
{
}

const char *grpc_metadata(const struct grpc_call *c, const char *key)
{
	assert_string_equal(key, "containerd-namespace");
	return ((const struct asked *)c)->ns;
}

void grpc_trailer(struct grpc_call *c, const char *key, const char *value)
{
}

struct grpc_message *grpc_message_packed(const void *body, size_t len)
{
	struct grpc_message *m = malloc(sizeof *m + len);

	assert_non_null(m);
	m->refs = 1;
	m->receipt = NULL;
	m->len = len;
	if (len)
		memcpy(m->body, body, len);
	messages++;
	return m;
}

struct grpc_message *grpc_message_new(const ProtobufCMessage *m)
{
	uint8_t *body = malloc(protobuf_c_message_get_packed_size(m) + 1);
	size_t len = protobuf_c_message_pack(m, body);
	struct grpc_message *packed = grpc_message_packed(body, len);

	free(body);
	return packed;
}

struct grpc_message *grpc_message_ref(struct grpc_message *m)
{
	m->refs++;
	return m;
}

void grpc_message_unref(struct grpc_message *m)
{
	if (!m || --m->refs)
		return;
	messages--;
	if (m->receipt)
		m->receipt->told(m->receipt);
	free(m);
}

void grpc_message_receipt(struct grpc_message *m, struct grpc_receipt *r)
{
	m->receipt = r;
}

size_t grpc_send(struct grpc_call *c, struct grpc_message *m)
{
	struct asked *a = (struct asked *)c;

	assert_false(a->ended);
	assert_in_range(a->n_sent, 0, SENT_MAX - 1);
	a->sent[a->n_sent++] = grpc_message_ref(m);
	a->unread = a->reads_not ? a->unread + m->len + 5 : 0;
	return a->unread;
}

void grpc_end(struct grpc_call *c)
{
	struct asked *a = (struct asked *)c;

	assert_false(a->ended);
	a->ended = true;
	loop_stop(&d.loop, 0);
}

void grpc_reply(struct grpc_call *c, const ProtobufCMessage *m)
{
	struct grpc_message *packed = grpc_message_new(m);

	grpc_send(c, packed);
	grpc_message_unref(packed);
	grpc_end(c);
}

void grpc_fail(struct grpc_call *c, const struct err *e)
{
	struct asked *a = (struct asked *)c;

	a->failed = true;
	a->e = *e;
	grpc_end(c);
}

/* ---- a call ---------------------------------------------------------------------- */

static struct grpc_server server = { .ctx = &d };

/* Bytes as a request. */
static inline struct asked *begin_bytes(const char *path, const char *ns, const void *body, size_t len)
{
	struct asked *a = calloc(1, sizeof *a);

	assert_non_null(a);
	a->rpc.server = &server;
	a->rpc.path = path;
	a->ns = ns;
	a->body = malloc(len + 1);
	if (len)
		memcpy(a->body, body, len);
	a->rpc.body = a->body;
	a->rpc.len = len;
	service_request(&a->rpc);
	/* not there any longer, as with the server */
	memset(a->body, 0xff, len);
	return a;
}

static inline struct asked *begin(const char *path, const char *ns, const void *m)
{
	uint8_t *body = m ? malloc(protobuf_c_message_get_packed_size(m) + 1) : NULL;
	struct asked *a = begin_bytes(path, ns, body, m ? protobuf_c_message_pack(m, body) : 0);

	free(body);
	return a;
}

static inline void await(struct asked *a)
{
	while (!a->ended)
		assert_int_equal(loop_run(&d.loop), 0);
}

static inline void forget(struct asked *a)
{
	if (!a->ended && a->rpc.gone) {
		a->ended = true;
		a->rpc.gone(&a->rpc);
	}
	for (size_t i = 0; i < a->n_sent; i++)
		grpc_message_unref(a->sent[i]);
	if (a->m)
		protobuf_c_message_free_unpacked(a->m, NULL);
	free(a->body);
	free(a);
}

static inline struct asked *ask(const char *path, const char *ns, const void *m)
{
	struct asked *a = begin(path, ns, m);

	await(a);
	return a;
}

static inline void *sent(struct asked *a, size_t i, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m;

	assert_in_range(i, 0, a->n_sent ? a->n_sent - 1 : 0);
	m = rpc_unpack(type, a->sent[i]->body, a->sent[i]->len);
	assert_non_null(m);
	return m;
}

/* The answer, which is freed with `a`. */
static inline void *answer(struct asked *a, const ProtobufCMessageDescriptor *type)
{
	if (a->failed)
		fail_msg("%s: %s", a->rpc.path, a->e.msg);
	assert_int_equal(a->n_sent, 1);
	a->m = sent(a, 0, type);
	return a->m;
}

/* It fails so. */
static inline void fails_with(struct asked *a, enum err_kind kind, const char *words)
{
	await(a);
	if (!a->failed)
		fail_msg("%s: no failure: %s", a->rpc.path, words);
	assert_string_equal(a->e.msg, words);
	assert_int_equal(a->e.kind, kind);
	forget(a);
}

static inline void refused(const char *path, const char *ns, const void *m, enum err_kind kind, const char *words)
{
	fails_with(begin(path, ns, m), kind, words);
}

static inline void well(const char *path, const char *ns, const void *m)
{
	struct asked *a = ask(path, ns, m);

	if (a->failed)
		fail_msg("%s: %s", path, a->e.msg);
	forget(a);
}

/* ---- labels, of any message ------------------------------------------------------- */

/* "key", "value", ... NULL */
static inline void put_labels(struct map *map, const char *const *pairs)
{
	map->entries = arena_calloc(&arena, 64, sizeof *map->entries);
	for (map->n = 0; pairs[map->n * 2]; map->n++) {
		Containerd__Services__Leases__V1__Lease__LabelsEntry *x = arena_alloc(&arena, sizeof *x);

		containerd__services__leases__v1__lease__labels_entry__init(x);
		x->key = (char *)pairs[map->n * 2];
		x->value = (char *)pairs[map->n * 2 + 1];
		map->entries[map->n] = (struct map_entry *)x;
	}
}
#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* "a=1 b=2" */
static inline const char *labels_text(const struct map *map)
{
	static struct sb b;

	b.len = 0;
	sb_puts(&b, "");
	for (size_t i = 0; i < map->n; i++)
		sb_printf(&b, "%s%s=%s", i ? " " : "", map->entries[i]->key, (char *)map->entries[i]->value);
	return b.len ? b.s : "";
}

/* ---- events ----------------------------------------------------------------------- */

static struct asked *listener; /* of every event, from setup on */
static size_t heard; /* of its events */

/* The next event is this one; its body, to be freed. */
static inline void *event_is(const char *ns, const char *topic, const ProtobufCMessageDescriptor *type)
{
	Containerd__Events__Envelope *m;
	ProtobufCMessage *body;

	if (heard == listener->n_sent)
		fail_msg("no event, not %s", topic);
	m = sent(listener, heard++, &containerd__events__envelope__descriptor);
	assert_string_equal(m->topic, topic);
	assert_string_equal(m->namespace_, ns);
	assert_string_equal(m->event->type_url, type->name);
	assert_true(m->timestamp->seconds > 1700000000);
	body = rpc_unpack(type, m->event->value.data, m->event->value.len);
	assert_non_null(body);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	return body;
}

static inline void no_event(void)
{
	assert_int_equal(listener->n_sent - heard, 0);
}

/* ---- the daemon ------------------------------------------------------------------- */

static inline int daemon_setup(void **state)
{
	struct err e;

	d = (struct daemon){ .settings = &settings };
	arena = (struct arena)ARENA_INIT;
	strcpy(dir + sizeof dir - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	settings.root = dir;
	settings.engine.state = (char *)"/run/berth/state";
	assert_int_equal(loop_init(&d.loop, NULL), 0);
	if (store_open(&d.store, &d.loop, dir, &e) < 0)
		fail_msg("%s", e.msg);
	d.bus = bus_new(&d.loop);
	assert_non_null(d.bus);
	assert_int_equal(engine_new(&d.engine, &d.loop, &settings.engine, NULL, &e), 0);
	assert_int_equal(services_begin(&d, &e), 0);
	heard = 0;
	listener = begin("/containerd.services.events.v1.Events/Subscribe", NULL, NULL);
	assert_false(listener->ended);
	return 0;
}

static inline int daemon_teardown(void **state)
{
	forget(listener);
	services_end(&d);
	store_close(d.store);
	engine_free(d.engine);
	bus_free(d.bus);
	loop_done(&d.loop);
	arena_done(&arena);
	assert_int_equal(messages, 0);
	return file_remove_tree(AT_FDCWD, dir);
}

#define DAEMON_TEST(fn) cmocka_unit_test_setup_teardown(fn, daemon_setup, daemon_teardown)
