/*
 * The daemon's services under a client that sends what it likes: the input is a list
 * of calls, each a method's number, how its client behaves, and the bytes of its
 * request. There is a store, and no sockets: what grpc_server.h would send is looked at
 * here. What must hold whatever comes: every call has one end, errors have words, all
 * that is sent can be read, and nothing is left.
 *
 * Tasks are not called: the engine has none.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "daemon_settings.h"
#include "events.pb-c.h"
#include "file.h"
#include "log.h"
#include "request.h"
#include "rpc_unpack.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

enum { CALLS = 64 };

/* A number above them: the path is the bytes up to a NUL. */
static const char *const paths[] = {
#define PATH(service) "/containerd.services." service "/"
#define X(name, function, package, type, ns) PATH("version.v1.Version") #name,
	VERSION_METHODS(X)
#undef X
#define X(name, function, package, type, ns) "/grpc.health.v1.Health/" #name,
	HEALTH_METHODS(X)
#undef X
#define X(name, function, package, type, ns) PATH("introspection.v1.Introspection") #name,
	INTROSPECTION_METHODS(X)
#undef X
#define X(name, function, package, type, ns) PATH("namespaces.v1.Namespaces") #name,
	NAMESPACES_METHODS(X)
#undef X
#define X(name, function, package, type, ns) PATH("leases.v1.Leases") #name,
	LEASES_METHODS(X)
#undef X
#define X(name, function, package, type, ns) PATH("containers.v1.Containers") #name,
	CONTAINERS_METHODS(X)
#undef X
#define X(name, function, package, type, ns) PATH("events.v1.Events") #name,
	EVENTS_METHODS(X)
#undef X
};

struct grpc_message {
	unsigned refs;
	size_t len;
	uint8_t *body;
};

static struct call {
	struct grpc_call rpc; /* first */
	char *path;
	uint8_t *body;
	const char *ns;
	bool ended, reads_not;
	size_t unread;
} calls[CALLS];

static unsigned messages;
static struct daemon d;
static struct daemon_settings settings;
static struct grpc_server server = { .ctx = &d };
static char dir[128];
static bool is_changed; /* the store is not the new one that it was */

/* ---- instead of the server, and of the daemon's program --------------------------- */

void daemon_is_busy(struct daemon *unused)
{
}

const char *grpc_metadata(const struct grpc_call *c, const char *key)
{
	return ((const struct call *)c)->ns;
}

struct grpc_message *grpc_message_packed(const void *body, size_t len)
{
	struct grpc_message *m = calloc(1, sizeof *m);

	CHECK(m && len <= GRPC_MESSAGE_MAX);
	m->refs = 1;
	m->len = len;
	m->body = malloc(len + 1);
	CHECK(m->body);
	if (len)
		memcpy(m->body, body, len);
	messages++;
	return m;
}

struct grpc_message *grpc_message_new(const ProtobufCMessage *m)
{
	uint8_t *body = malloc(protobuf_c_message_get_packed_size(m) + 1);
	struct grpc_message *packed;
	ProtobufCMessage *again;

	CHECK(body);
	packed = grpc_message_packed(body, protobuf_c_message_pack(m, body));
	free(body);
	again = rpc_unpack(m->descriptor, packed->body, packed->len);
	CHECK(again);
	protobuf_c_message_free_unpacked(again, NULL);
	return packed;
}

struct grpc_message *grpc_message_ref(struct grpc_message *m)
{
	m->refs++;
	return m;
}

void grpc_message_receipt(struct grpc_message *m, struct grpc_receipt *r)
{
	r->told(r);
}

void grpc_message_unref(struct grpc_message *m)
{
	if (!m || --m->refs)
		return;
	messages--;
	free(m->body);
	free(m);
}

size_t grpc_send(struct grpc_call *rpc, struct grpc_message *m)
{
	struct call *c = (struct call *)rpc;

	CHECK(!c->ended);
	c->unread += m->len + 5;
	if (!c->reads_not)
		c->unread = 0;
	return c->unread;
}

void grpc_end(struct grpc_call *rpc)
{
	struct call *c = (struct call *)rpc;

	CHECK(!c->ended);
	c->ended = true;
	if (strstr(c->path, "Create") || strstr(c->path, "Update") || strstr(c->path, "Add"))
		is_changed = true;
}

void grpc_trailer(struct grpc_call *c, const char *key, const char *value)
{
}

void grpc_reply(struct grpc_call *rpc, const ProtobufCMessage *m)
{
	grpc_message_unref(grpc_message_new(m));
	grpc_end(rpc);
}

void grpc_fail(struct grpc_call *rpc, const struct err *e)
{
	CHECK(e->kind > ERR_NONE && e->kind < ERR_KIND_COUNT && e->msg[0]);
	grpc_end(rpc);
}

/* ---- a client --------------------------------------------------------------------- */

static void leave(struct call *c)
{
	if (c->rpc.server && !c->ended) {
		c->ended = true;
		is_changed = true; /* perhaps */
		c->rpc.gone(&c->rpc);
	}
}

/* Reads what it has not. */
static void read_all(struct call *c)
{
	c->unread = 0;
	if (c->rpc.server && !c->ended && c->rpc.writable)
		c->rpc.writable(&c->rpc);
}

enum { /* bits of the second byte of a call */
	NS = 3,
	READS_NOT = 4,
	LEAVES = 8,
	ALL_READ = 16,
	ONE_LEAVES = 32,
};

static void begin(struct call *c, unsigned method, unsigned how, const uint8_t *body, size_t len)
{
	static const char *const namespaces[] = { "a", "b", NULL, "not/one" };
	size_t n = method < ARRAY_SIZE(paths) ? 0 : strnlen((const char *)body, len);

	*c = (struct call){ .ns = namespaces[how & NS], .reads_not = how & READS_NOT };
	c->path = n || method >= ARRAY_SIZE(paths) ? strndup((const char *)body, n) : strdup(paths[method]);
	n += n < len && method >= ARRAY_SIZE(paths);
	c->body = malloc(len - n + 1);
	CHECK(c->path && c->body);
	memcpy(c->body, body + n, len - n);
	c->rpc.server = &server;
	c->rpc.path = c->path;
	c->rpc.body = c->body;
	c->rpc.len = len - n;
	if (strstr(c->path, "Tasks/"))
		c->ended = true;
	else
		service_request(&c->rpc);
	free(c->body); /* is not there any longer */
	c->body = NULL;
}

/* ---- the daemon ------------------------------------------------------------------- */

static int nothing(struct store_change *c, struct store_db *db, struct err *e)
{
	return 0;
}

static void all_done(struct store_change *c, int r, const struct err *e)
{
	loop_stop(&d.loop, 0);
}

/* Until what has been asked of the store is done. */
static void wait_for_store(void)
{
	struct store_change c = { .run = nothing, .done = all_done };

	store_change(d.store, &c);
	CHECK(loop_run(&d.loop) == 0);
}

static void open_store(void)
{
	const char *tmp = getenv("TMPDIR");
	struct err e;

	snprintf(dir, sizeof dir, "%s/berth-fuzz-request-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(dir));
	CHECK(store_open(&d.store, &d.loop, dir, &e) >= 0);
	is_changed = false;
}

static void close_store(void)
{
	if (!d.store)
		return;
	store_close(d.store);
	d.store = NULL;
	CHECK(file_remove_tree(AT_FDCWD, dir) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_begun;
	struct err e;
	size_t n = 0;

	if (!is_begun) {
		is_begun = true;
		settings.root = settings.engine.state = (char *)"/x";
		d.settings = &settings;
		CHECK(loop_init(&d.loop, NULL) >= 0);
		CHECK(engine_new(&d.engine, &d.loop, &settings.engine, NULL, &e) >= 0);
		atexit(close_store);
	}
	if (!d.store)
		open_store();
	d.bus = bus_new(&d.loop);
	CHECK(d.bus);
	for (; size >= 4 && n < CALLS; n++) {
		size_t len = (size_t)data[2] << 8 | data[3];
		unsigned how = data[1];

		len = len <= size - 4 ? len : size - 4;
		begin(&calls[n], data[0], how, data + 4, len);
		if (how & LEAVES)
			leave(&calls[n]);
		else if (!strstr(calls[n].path, "Subscribe"))
			wait_for_store();
		for (size_t i = 0; how & ALL_READ && i < n; i++)
			read_all(&calls[i]);
		if (how & ONE_LEAVES)
			leave(&calls[how % (n + 1)]);
		data += 4 + len;
		size -= 4 + len;
	}
	wait_for_store();
	for (size_t i = 0; i < n; i++) {
		/* a stream goes on, also one whose client does not read */
		CHECK(calls[i].ended || strstr(calls[i].path, "Subscribe") || calls[i].unread > GRPC_SEND_MARK);
		leave(&calls[i]);
		free(calls[i].path);
	}
	source_remove(&d.lease_timer);
	bus_free(d.bus);
	CHECK(!messages);
	if (is_changed)
		close_store();
	return 0;
}
