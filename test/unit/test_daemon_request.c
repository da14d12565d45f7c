/* How a request comes to its method, and what is refused before that. */
#include "daemon_for.h"

#include "health.pb-c.h"
#include "plugins.pb-c.h"
#include "version.pb-c.h"
#include "wellknown.pb-c.h"
#include "leases.pb-c.h"

#define NAMESPACES "/containerd.services.namespaces.v1.Namespaces/"
#define LEASES "/containerd.services.leases.v1.Leases/"
#define CONTAINERS "/containerd.services.containers.v1.Containers/"

static void methods(void **state)
{
	static const struct {
		const char *path, *words;
	} wrong[] = {
		{ "/x.Y/Z", "unknown service x.Y" },
		{ "/containerd.services.version.v1.Versio/Version",
		  "unknown service containerd.services.version.v1.Versio" },
		{ "/containerd.services.version.v1.Version2/Version",
		  "unknown service containerd.services.version.v1.Version2" },
		{ "/containerd.services.version.v1.Version/Ver",
		  "unknown method Ver for service containerd.services.version.v1.Version" },
		{ "/containerd.services.version.v1.Version/",
		  "unknown method  for service containerd.services.version.v1.Version" },
		{ "/a/b/c", "unknown service a/b" },
		{ "//", "unknown service " },
		{ "/x", "malformed method name: \"/x\"" },
		{ "", "malformed method name: \"\"" },
		{ "x", "malformed method name: \"x\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		refused(wrong[i].path, "ns", NULL, ERR_UNSUPPORTED, wrong[i].words);
		assert_false(service_knows(&server, wrong[i].path));
	}
	assert_true(service_knows(&server, "/containerd.services.tasks.v1.Tasks/Wait"));
	assert_true(service_is_known("containerd.services.tasks.v1.Tasks"));
	assert_false(service_is_known("containerd.services.tasks.v1"));
}

static void namespace_of(void **state)
{
	Containerd__Services__Leases__V1__ListRequest m = CONTAINERD__SERVICES__LEASES__V1__LIST_REQUEST__INIT;

	refused(LEASES "List", NULL, &m, ERR_STATE, "namespace is required");
	refused(LEASES "List", "", &m, ERR_STATE, "namespace is required");
	refused(LEASES "List", "a/b", &m, ERR_INVALID,
		"namespace validation: identifier \"a/b\" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$");
	well(LEASES "List", "a.b", &m);
	well("/containerd.services.version.v1.Version/Version", NULL, NULL); /* needs none, */
	well("/containerd.services.version.v1.Version/Version", "a/b", NULL); /* nor looks at it */
}

/* Texts that others would read otherwise, and what is no message at all. */
static void unreadable(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} wrong[] = {
#define BYTES(s) { s, sizeof s - 1 }
		BYTES("\x0a\x03" "a\0b"), BYTES("\x0a\x01" "\0"), BYTES("\x0a\x02" "a\xff"), BYTES("\x0a\x05" "abc"),
		BYTES("\x0a"), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), BYTES("\x0b\x0c"),
		BYTES("\x00\x00"),
		BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), BYTES("\x11\x00"), BYTES("\x15\x00"),
	};
	/* in a map's entry, in a message */
	static const char nested[] = "\x0a\x0b\x0a\x01"
				     "n\x12\x06\x0a\x01"
				     "k\x12\x01\xff";
	static const char fine[] = "\x0a\x0b\x0a\x01"
				   "n\x12\x06\x0a\x01"
				   "k\x12\x01v";

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		fails_with(begin_bytes(CONTAINERS "Get", "ns", wrong[i].bytes, wrong[i].len), ERR_INVALID,
			   "Get: the request cannot be read");
	fails_with(begin_bytes(NAMESPACES "Create", "ns", nested, sizeof nested - 1), ERR_INVALID,
		   "Create: the request cannot be read");
	forget(ask(NAMESPACES "Get", "ns", NULL));
	{
		struct asked *a = begin_bytes(NAMESPACES "Create", "ns", fine, sizeof fine - 1);

		await(a);
		assert_false(a->failed);
		forget(a);
	}
}

/* Two bytes each that would take fifty times as much memory. */
static void a_bomb(void **state)
{
	size_t len = GRPC_MESSAGE_MAX;
	char *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = i % 2 ? 0 : 1 << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
	fails_with(begin_bytes(LEASES "List", "ns", bytes, len), ERR_INVALID, "List: the request cannot be read");
	free(bytes);
}

/* Fields of a newer client are no reason to refuse it. */
static void unknown_fields(void **state)
{
	static const char bytes[] =
		"\x0a\x01x\xfa\x7f\x02\xff\xfe\xf8\x7f\x05\xf9\x7f\1\2\3\4\5\6\7\x08\xfd\x7f\1\2\3\4";

	fails_with(begin_bytes(CONTAINERS "Get", "ns", bytes, sizeof bytes - 1), ERR_NOT_FOUND,
		   "container \"x\" in namespace \"ns\"");
}

/* A client that leaves before a change is kept: the change is. */
static void gone_before_the_answer(void **state)
{
	Containerd__Services__Leases__V1__CreateRequest m = CONTAINERD__SERVICES__LEASES__V1__CREATE_REQUEST__INIT;
	Containerd__Services__Leases__V1__ListResponse *l;
	struct asked *a;

	m.id = (char *)"left";
	forget(begin(LEASES "Create", "ns", &m));
	m.id = (char *)"stays";
	forget(ask(LEASES "Create", "ns", &m));
	a = ask(LEASES "List", "ns", NULL);
	l = answer(a, &containerd__services__leases__v1__list_response__descriptor);
	assert_int_equal(l->n_leases, 2);
	forget(a);
}

/* ---- the smallest services -------------------------------------------------------- */

static void version(void **state)
{
	struct asked *a = ask("/containerd.services.version.v1.Version/Version", NULL, NULL);
	Containerd__Services__Version__V1__VersionResponse *m =
		answer(a, &containerd__services__version__v1__version_response__descriptor);

	assert_string_equal(m->version, BERTH_VERSION);
	forget(a);
}

static void health(void **state)
{
	static const char *const known[] = { "", "containerd.services.tasks.v1.Tasks", "grpc.health.v1.Health" };
	Grpc__Health__V1__HealthCheckRequest m = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		Grpc__Health__V1__HealthCheckResponse *is;
		struct asked *a;

		m.service = (char *)known[i];
		a = ask("/grpc.health.v1.Health/Check", NULL, &m);
		is = answer(a, &grpc__health__v1__health_check_response__descriptor);
		assert_int_equal(is->status, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
		forget(a);
	}
	m.service = (char *)"x";
	refused("/grpc.health.v1.Health/Check", NULL, &m, ERR_NOT_FOUND, "unknown service");
}

static void nothing_there(void **state)
{
	static const char *const lists[] = {
		"/containerd.services.images.v1.Images/List",
		"/containerd.services.sandbox.v1.Store/List",
	};
	static const char *const streams[] = {
		"/containerd.services.content.v1.Content/List",
		"/containerd.services.snapshots.v1.Snapshots/List",
	};
	static const char *const none[] = {
		"/containerd.services.content.v1.Content/Write",
		"/containerd.services.images.v1.Images/Get",
		"/containerd.services.snapshots.v1.Snapshots/Prepare",
		"/containerd.services.diff.v1.Diff/Apply",
		"/containerd.services.diff.v1.Diff/List",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct asked *a = ask(lists[i], "ns", NULL);

		assert_false(a->failed);
		assert_int_equal(a->n_sent, 1);
		assert_int_equal(a->sent[0]->len, 0);
		forget(a);
		refused(lists[i], NULL, NULL, ERR_STATE, "namespace is required");
		assert_true(service_knows(&server, lists[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		struct asked *a = ask(streams[i], "ns", NULL);

		assert_false(a->failed);
		assert_int_equal(a->n_sent, 0);
		forget(a);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		refused(none[i], "ns", NULL, ERR_UNSUPPORTED, "not implemented");
		assert_false(service_knows(&server, none[i]));
	}
}

static Containerd__Services__Introspection__V1__PluginsResponse *plugins(struct asked **a, const char *filter)
{
	Containerd__Services__Introspection__V1__PluginsRequest m =
		CONTAINERD__SERVICES__INTROSPECTION__V1__PLUGINS_REQUEST__INIT;
	char *list[] = { (char *)filter };

	m.filters = list;
	m.n_filters = filter != NULL;
	*a = ask("/containerd.services.introspection.v1.Introspection/Plugins", NULL, &m);
	return answer(*a, &containerd__services__introspection__v1__plugins_response__descriptor);
}

static void introspection(void **state)
{
	Containerd__Services__Introspection__V1__PluginsResponse *m;
	Containerd__Services__Introspection__V1__ServerResponse *s;
	struct asked *a;

	m = plugins(&a, NULL);
	assert_in_range(m->n_plugins, 10, 100);
	forget(a);
	m = plugins(&a, "type==io.containerd.runtime.v2,id==task");
	assert_int_equal(m->n_plugins, 1);
	assert_int_equal(m->plugins[0]->n_requires, 2);
	assert_string_equal(m->plugins[0]->requires[0], "io.containerd.metadata.v1");
	assert_int_equal(m->plugins[0]->n_platforms, 1);
	assert_string_equal(m->plugins[0]->platforms[0]->os, "linux");
	assert_int_equal(m->plugins[0]->n_exports, 2);
	assert_string_equal(m->plugins[0]->exports[0]->value, dir);
	assert_string_equal(m->plugins[0]->exports[1]->key, "state");
	forget(a);
	m = plugins(&a, "type==io.containerd.snapshotter.v1,id==overlayfs");
	assert_int_equal(m->n_plugins, 0);
	forget(a);

	a = ask("/containerd.services.introspection.v1.Introspection/Server", NULL, NULL);
	s = answer(a, &containerd__services__introspection__v1__server_response__descriptor);
	assert_int_equal(strlen(s->uuid), 36);
	assert_int_equal(s->pid, getpid());
	assert_true(s->pidns > 0);
	forget(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(methods),
		DAEMON_TEST(namespace_of),
		DAEMON_TEST(unreadable),
		DAEMON_TEST(a_bomb),
		DAEMON_TEST(unknown_fields),
		DAEMON_TEST(gone_before_the_answer),
		DAEMON_TEST(version),
		DAEMON_TEST(health),
		DAEMON_TEST(nothing_there),
		DAEMON_TEST(introspection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
