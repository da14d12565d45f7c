/*
 * What the daemon is made of, in containerd's words: clients look there whether there
 * is a snapshotter, say, before they use it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "daemon_settings.h"
#include "plugins.pb-c.h"
#include "store.h"
#include "sys.h"

typedef Containerd__Services__Introspection__V1__Plugin Plugin;

#define TYPE(name) "io.containerd." name
#define METADATA TYPE("metadata.v1")
#define EVENT TYPE("event.v1")
#define SERVICE TYPE("service.v1")

enum { REQUIRES_MAX = 4 };

static const struct plugin {
	const char *type, *id;
	const char *requires[REQUIRES_MAX];
	bool of_host; /* it has the platform's word */
	bool has_root, has_state; /* directories that it tells */
} plugins[] = {
	{ EVENT, "exchange" },
	{ METADATA, "sqlite", { EVENT }, .has_root = true },
	{ TYPE("gc.v1"), "scheduler", { METADATA } }, /* of leases */
	{ TYPE("monitor.v1"), "cgroups", { EVENT }, .of_host = true },
	{ TYPE("runtime.v2"), "task", { METADATA, EVENT }, .of_host = true, .has_root = true, .has_state = true },
	{ SERVICE, "containers-service", { EVENT, METADATA } },
	{ SERVICE, "introspection-service" },
	{ SERVICE, "leases-service", { METADATA } },
	{ SERVICE, "namespaces-service", { EVENT, METADATA } },
	{ SERVICE, "tasks-service", { TYPE("runtime.v2"), METADATA, TYPE("monitor.v1") } },
	{ TYPE("grpc.v1"), "containers", { SERVICE } },
	{ TYPE("grpc.v1"), "events", { EVENT } },
	{ TYPE("grpc.v1"), "healthcheck" },
	{ TYPE("grpc.v1"), "introspection", { SERVICE } },
	{ TYPE("grpc.v1"), "leases", { SERVICE } },
	{ TYPE("grpc.v1"), "namespaces", { SERVICE } },
	{ TYPE("grpc.v1"), "tasks", { SERVICE } },
	{ TYPE("grpc.v1"), "version" },
};

/* As Go has them. */
#if defined __x86_64__
#define ARCHITECTURE "amd64"
#elif defined __aarch64__
#define ARCHITECTURE "arm64"
#elif defined __arm__
#define ARCHITECTURE "arm"
#elif defined __i386__
#define ARCHITECTURE "386"
#else
#define ARCHITECTURE ""
#endif

static const char *plugin_field(void *ctx, const char *const *path, size_t n)
{
	const struct plugin *p = ctx;

	if (n && !strcmp(path[0], "type"))
		return p->type;
	return n && !strcmp(path[0], "id") ? p->id : NULL;
}

static int add(struct answer *a, const struct plugin *p)
{
	const struct daemon_settings *s = a->q->d->settings;
	Containerd__Types__Platform platform = CONTAINERD__TYPES__PLATFORM__INIT, *platforms = &platform;
	Containerd__Services__Introspection__V1__Plugin__ExportsEntry exports[2], *list[2] = { exports, exports + 1 };
	Plugin m = CONTAINERD__SERVICES__INTROSPECTION__V1__PLUGIN__INIT;

	m.type = (char *)p->type;
	m.id = (char *)p->id;
	m.requires = (char **)(uintptr_t)p->requires;
	while (m.n_requires < REQUIRES_MAX && p->requires[m.n_requires])
		m.n_requires++;
	platform.os = (char *)"linux";
	platform.architecture = (char *)ARCHITECTURE;
	m.n_platforms = p->of_host;
	m.platforms = &platforms;
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++)
		containerd__services__introspection__v1__plugin__exports_entry__init(&exports[i]);
	m.exports = list;
	if (p->has_root) {
		exports[m.n_exports].key = (char *)"root";
		exports[m.n_exports++].value = s->root;
	}
	if (p->has_state) {
		exports[m.n_exports].key = (char *)"state";
		exports[m.n_exports++].value = s->engine.state;
	}
	return answer_add(a, &m.base);
}

void serve_plugins(struct request *q)
{
	const Containerd__Services__Introspection__V1__PluginsRequest *m = (const void *)q->m;
	struct answer a = { .q = q };
	int r = answer_filter(&a, m->filters, m->n_filters);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(plugins); i++)
		if (answer_wants(&a, plugin_field, &plugins[i]))
			r = add(&a, &plugins[i]);
	answer_end(&a, r);
}

void serve_server(struct request *q)
{
	Containerd__Services__Introspection__V1__ServerResponse m =
		CONTAINERD__SERVICES__INTROSPECTION__V1__SERVER_RESPONSE__INIT;
	struct stat st;

	m.uuid = (char *)store_uuid(q->d->store);
	m.pid = (uint64_t)getpid();
	if (sys_fstatat(AT_FDCWD, "/proc/self/ns/pid", &st, 0) == 0)
		m.pidns = st.st_ino;
	request_reply(q, &m.base);
}
