/* Requests to methods; see request.h. */
#include "request.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "containers.pb-c.h"
#include "events.pb-c.h"
#include "health.pb-c.h"
#include "identifier.h"
#include "leases.pb-c.h"
#include "namespaces.pb-c.h"
#include "plugins.pb-c.h"
#include "prometheus.h"
#include "rpc_status.h"
#include "rpc_unpack.h"
#include "str.h"
#include "subscribe.pb-c.h"
#include "tasks.pb-c.h"
#include "wellknown.pb-c.h"

/* clang-format off */
#define X(name, function, package, type, ns) { #name, &package##__##type##__descriptor, ns, serve_##function },
static const struct method version_methods[] = { VERSION_METHODS(X) { 0 } };
static const struct method health_methods[] = { HEALTH_METHODS(X) { 0 } };
static const struct method introspection_methods[] = { INTROSPECTION_METHODS(X) { 0 } };
static const struct method namespaces_methods[] = { NAMESPACES_METHODS(X) { 0 } };
static const struct method leases_methods[] = { LEASES_METHODS(X) { 0 } };
static const struct method containers_methods[] = { CONTAINERS_METHODS(X) { 0 } };
static const struct method tasks_methods[] = { TASKS_METHODS(X) { 0 } };
static const struct method events_methods[] = { EVENTS_METHODS(X) { 0 } };
#undef X
/* clang-format on */

static const struct {
	const char *name;
	const struct method *methods;
} services[] = {
	{ "containerd.services.version.v1.Version", version_methods },
	{ "grpc.health.v1.Health", health_methods },
	{ "containerd.services.introspection.v1.Introspection", introspection_methods },
	{ "containerd.services.namespaces.v1.Namespaces", namespaces_methods },
	{ "containerd.services.leases.v1.Leases", leases_methods },
	{ "containerd.services.containers.v1.Containers", containers_methods },
	{ "containerd.services.tasks.v1.Tasks", tasks_methods },
	{ "containerd.services.events.v1.Events", events_methods },
#define X(service, table) { service, table },
	EMPTY_SERVICES(X)
#undef X
};

/* NULL: there is none; else *service is its name. */
static const struct method *service_methods(const char *name, size_t len, const char **service)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strlen(services[i].name) == len && !memcmp(services[i].name, name, len)) {
			*service = services[i].name;
			return services[i].methods;
		}
	return NULL;
}

bool service_is_known(const char *name)
{
	const char *service;

	return service_methods(name, strlen(name), &service);
}

/* "/SERVICE/METHOD". The words are those of Go's server. */
static const struct method *find(const char *path, const char **found, struct err *e)
{
	const char *name = strrchr(path, '/');
	const char *service = path + (*path == '/');
	const struct method *m;

	if (!name || name < service) {
		err_set(e, ERR_UNSUPPORTED, 0, "malformed method name: \"%s\"", path);
		return NULL;
	}
	m = service_methods(service, (size_t)(name - service), found);
	if (!m) {
		err_set(e, ERR_UNSUPPORTED, 0, "unknown service %.*s", (int)(name - service), service);
		return NULL;
	}
	while (m->name && strcmp(m->name, name + 1) != 0)
		m++;
	if (!m->serve) {
		err_set(e, ERR_UNSUPPORTED, 0, "unknown method %s for service %.*s", name + 1, (int)(name - service),
			service);
		return NULL;
	}
	return m;
}

bool service_knows(struct grpc_server *s, const char *path)
{
	const char *service;
	const struct method *m = find(path, &service, NULL);

	return m && m->name;
}

/* ---- one request ---------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t request_age_us(const struct request *q)
{
	return (now_ns() - q->since) / 1000;
}

void request_waits(struct request *q, const char *phase)
{
	q->phase = phase;
	clock_gettime(CLOCK_MONOTONIC, &q->since_phase);
}

static void request_link(struct request *q)
{
	q->next = q->d->requests;
	if (q->next)
		q->next->prev = q;
	q->d->requests = q;
}

static void request_unlink(struct request *q)
{
	*(q->prev ? &q->prev->next : &q->d->requests) = q->next;
	if (q->next)
		q->next->prev = q->prev;
}

/* It has been answered, with this code. */
static void request_free(struct request *q, int code)
{
	request_unlink(q);
	if (q->method && q->d->metrics)
		metrics_count(q->d->metrics, q->service, q->method->name ? q->method->name : "other",
			      q->rpc ? code : RPC_CANCELED, now_ns() - q->since);
	if (q->end)
		q->end(q);
	if (q->m)
		protobuf_c_message_free_unpacked(q->m, NULL);
	if (q->made)
		protobuf_c_message_free_unpacked(q->made, NULL);
	arena_done(&q->arena);
	free(q);
}

static void on_gone(struct grpc_call *rpc)
{
	struct request *q = rpc->ctx;

	q->rpc = NULL;
	if (q->gone)
		q->gone(q);
}

static int take_namespace(struct request *q, bool needed, struct err *e)
{
	const char *name = grpc_metadata(q->rpc, "containerd-namespace");
	int r;

	if (needed) {
		if (str_empty(name))
			return err_set(e, ERR_STATE, 0, "namespace is required");
		r = identifier_check(name, e);
		if (r < 0)
			return err_wrap(e, r, "namespace validation");
	} else if (!name || identifier_check(name, NULL) < 0) {
		name = "";
	}
	q->namespace = arena_strdup(&q->arena, name);
	return q->namespace ? 0 : err_sys(e, -ENOMEM, "read the request");
}

static int take_message(struct request *q, const struct method *m, struct err *e)
{
	if (!m->request)
		return 0;
	q->m = rpc_unpack(m->request, q->rpc->body, q->rpc->len);
	return q->m ? 0 : err_set(e, ERR_INVALID, 0, "%s: the request cannot be read", m->name);
}

void service_request(struct grpc_call *rpc)
{
	struct request *q = calloc(1, sizeof *q);
	const struct method *m;
	struct err e;

	if (!q) {
		err_sys(&e, -ENOMEM, "take the request");
		grpc_fail(rpc, &e);
		return;
	}
	q->d = rpc->server->ctx;
	request_link(q);
	daemon_is_busy(q->d);
	q->rpc = rpc;
	rpc->ctx = q;
	rpc->gone = on_gone;
	q->since = now_ns();
	m = q->method = find(rpc->path, &q->service, &e);
	if (!m || take_namespace(q, m->namespace, &e) < 0 || take_message(q, m, &e) < 0)
		request_fail(q, &e);
	else
		m->serve(q);
}

/* ---- answering ------------------------------------------------------------------ */

void request_reply(struct request *q, const ProtobufCMessage *m)
{
	if (q->rpc)
		grpc_reply(q->rpc, m);
	request_free(q, RPC_OK);
}

void request_empty(struct request *q)
{
	static const Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;

	request_reply(q, &m.base);
}

void request_fail(struct request *q, const struct err *e)
{
	if (q->rpc)
		grpc_fail(q->rpc, e);
	request_free(q, rpc_code(e));
}

void request_end(struct request *q, int r, const struct err *e)
{
	if (r < 0)
		request_fail(q, e);
	else
		request_empty(q);
}

void request_close(struct request *q)
{
	if (q->rpc)
		grpc_end(q->rpc);
	request_free(q, RPC_OK);
}

/* ---- changes of the store ------------------------------------------------------- */

#define request_of(c) ((struct request *)((char *)(c)-offsetof(struct request, change)))

static int change_run(struct store_change *c, struct store_db *db, struct err *e)
{
	struct request *q = request_of(c);

	return q->run(q, db, e);
}

static void change_done(struct store_change *c, int r, const struct err *e)
{
	struct request *q = request_of(c);

	if (r < 0)
		request_fail(q, e);
	else
		q->done(q);
}

void request_change(struct request *q, int (*run)(struct request *q, struct store_db *db, struct err *e),
		    void (*done)(struct request *q))
{
	q->run = run;
	q->done = done;
	q->change.run = change_run;
	q->change.done = change_done;
	request_waits(q, "write the database");
	store_change(q->d->store, &q->change);
}
