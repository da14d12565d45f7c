/* HCS's documents in OCI's words: each rule by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "names.h"
#include "schema_oci.h"
#include "str.h"

#define V "\"SchemaVersion\":{\"Major\":2,\"Minor\":1}"
#define CONTAINER(members) "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/r\"}" members "}}"
#define SPEC "{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}"

static struct schema_oci_input input(void)
{
	return (struct schema_oci_input){
		.id = "c1",
		.cgroups_path = "/berth/c1",
		.cgroup_v2 = true,
		.network_path = "/proc/9/ns/net",
		.has_device = true,
		.major = 8,
		.minor = 1,
		.processors = 4,
	};
}

struct mapped {
	struct arena a;
	struct schema_oci_output out;
	struct spec *spec;
	struct err e;
};

static int map(struct mapped *m, const char *text, const struct schema_oci_input *in)
{
	struct schema_source src = { text, strlen(text), "doc", NULL };
	struct schema_system *s = NULL;
	int r;

	*m = (struct mapped){ .a = ARENA_INIT };
	r = schema_parse_system(&m->a, &src, &s, &m->e);
	if (r < 0)
		fail_msg("%s", m->e.msg);
	r = schema_oci_system(&m->a, s, in, &m->out, &m->e);
	if (r == 0)
		assert_int_equal(spec_parse(&m->a, m->out.text, m->out.len, "mapped", NULL, &m->spec, &m->e), 0);
	return r;
}

static void must_map(struct mapped *m, const char *text)
{
	struct schema_oci_input in = input();

	if (map(m, text, &in) < 0)
		fail_msg("%s", m->e.msg);
}

static const struct spec_mount *find_mount(const struct spec *s, const char *destination)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!strcmp(s->mounts[i].destination, destination))
			return &s->mounts[i];
	fail_msg("no mount on %s", destination);
	return NULL;
}

static const char *annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->n_annotations; i++)
		if (!strcmp(s->annotations[i].key, key))
			return s->annotations[i].value;
	return NULL;
}

/* ---- a container --------------------------------------------------------------- */

static void test_minimal(void **state)
{
	struct mapped m;

	(void)state;
	must_map(&m, CONTAINER(""));
	assert_string_equal(m.spec->root_path, "rootfs");
	assert_false(m.spec->root_readonly);
	assert_string_equal(m.spec->hostname, "c1");
	assert_string_equal(m.spec->process->args[0], "init");
	assert_int_equal(m.spec->process->n_args, 1);
	assert_false(m.out.own_command || m.out.terminal);
	assert_string_equal(annotation(m.spec, SCHEMA_INIT_ANNOTATION), "true");
	assert_string_equal(m.spec->linux->cgroups_path, "/berth/c1");
	assert_string_equal(m.out.cgroups_path, "/berth/c1");
	assert_true(m.spec->linux->ns[NS_NETWORK].present && !m.spec->linux->ns[NS_NETWORK].path);
	assert_true(m.spec->linux->ns[NS_PID].present && m.spec->linux->ns[NS_MOUNT].present);
	assert_false(m.spec->linux->ns[NS_USER].present);
	assert_non_null(m.spec->linux->seccomp);
	assert_true(find_mount(m.spec, "/sys/fs/cgroup")->flags & 1); /* MS_RDONLY */
	find_mount(m.spec, "/proc");
	find_mount(m.spec, "/dev");
	assert_false(m.spec->linux->resources->memory.has_limit || m.spec->linux->resources->cpu.has_quota);
	assert_int_equal(m.out.n_rootfs, 1);
	assert_string_equal(m.out.rootfs[0].type, "bind");
	assert_string_equal(m.out.rootfs[0].source, "/r");
	assert_string_equal(m.out.rootfs[0].options[0], "rbind");
	assert_string_equal(m.out.rootfs[0].options[1], "rw");
	assert_int_equal(m.out.n_directories, 0);
	arena_done(&m.a);
}

static void test_overlay(void **state)
{
	struct mapped m;

	(void)state;
	must_map(&m, "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/s,x\",\"Layers\":[{\"Path\":\"/t\"},"
		     "{\"Path\":\"/a:b\"},{\"Path\":\"/c\\\\d\"}]}}}");
	assert_string_equal(m.out.rootfs[0].type, "overlay");
	assert_int_equal(m.out.rootfs[0].n_options, 3);
	assert_string_equal(m.out.rootfs[0].options[0], "lowerdir=/t:/a\\:b:/c\\\\d");
	assert_string_equal(m.out.rootfs[0].options[1], "upperdir=/s\\,x/upper");
	assert_string_equal(m.out.rootfs[0].options[2], "workdir=/s\\,x/work");
	assert_null(m.out.rootfs[0].options[3]);
	assert_int_equal(m.out.n_directories, 2);
	assert_string_equal(m.out.directories[0], "/s,x/upper");
	assert_string_equal(m.out.directories[1], "/s,x/work");
	arena_done(&m.a);
}

static void test_hostnames(void **state)
{
	static const char id[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
	struct schema_oci_input in = input();
	struct mapped m;

	(void)state;
	must_map(&m, CONTAINER(",\"GuestOs\":{\"HostName\":\"h\"}"));
	assert_string_equal(m.spec->hostname, "h");
	arena_done(&m.a);
	in.id = id;
	assert_int_equal(map(&m, CONTAINER(""), &in), 0);
	assert_int_equal(strlen(m.spec->hostname), 64);
	arena_done(&m.a);
}

static void test_networks(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *path;
	} networks[] = {
		{ CONTAINER(",\"Networking\":{}"), NULL },
		{ CONTAINER(",\"Networking\":{\"Namespace\":\"blue\"}"), "/run/netns/blue" },
		{ CONTAINER(",\"Networking\":{\"Namespace\":\"/x/y\"}"), "/x/y" },
		{ CONTAINER(",\"Networking\":{\"NetworkSharedContainerName\":\"o\"}"), "/proc/9/ns/net" },
	};
	/* clang-format on */
	struct mapped m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		must_map(&m, networks[i].text);
		assert_true(m.spec->linux->ns[NS_NETWORK].present);
		assert_true(str_eq(m.spec->linux->ns[NS_NETWORK].path, networks[i].path));
		arena_done(&m.a);
	}
}

static void test_binds(void **state)
{
	struct mapped m;

	(void)state;
	must_map(&m, CONTAINER(",\"MappedDirectories\":[{\"HostPath\":\"/h\",\"ContainerPath\":\"/w\"},"
			       "{\"HostPath\":\"/h\",\"ContainerPath\":\"/o\",\"ReadOnly\":true}],"
			       "\"MappedPipes\":[{\"HostPath\":\"/p\",\"ContainerPipeName\":\"n\"},"
			       "{\"HostPath\":\"/p\",\"ContainerPipeName\":\"/q\"}]"));
	assert_true(find_mount(m.spec, "/w")->recursive);
	assert_int_equal(find_mount(m.spec, "/w")->rec_set, 0);
	assert_int_equal(find_mount(m.spec, "/o")->rec_set, 1); /* MOUNT_ATTR_RDONLY */
	assert_string_equal(find_mount(m.spec, "/run/n")->source, "/p");
	assert_true(find_mount(m.spec, "/q")->is_bind && !find_mount(m.spec, "/q")->recursive);
	arena_done(&m.a);
}

static void test_annotations(void **state)
{
	static char init[] = SCHEMA_INIT_ANNOTATION, a[] = "a", b[] = "b", no[] = "false";
	const struct kv annotations[] = { { init, no }, { a, b }, { a, no } };
	struct schema_oci_input in = input();
	struct mapped m;

	(void)state;
	in.annotations = annotations;
	in.n_annotations = ARRAY_SIZE(annotations);
	assert_int_equal(map(&m, CONTAINER(""), &in), 0);
	assert_string_equal(annotation(m.spec, SCHEMA_INIT_ANNOTATION), "true");
	assert_string_equal(annotation(m.spec, "a"), "b");
	assert_int_equal(m.spec->n_annotations, 2);
	arena_done(&m.a);
}

/* ---- limits ---------------------------------------------------------------------- */

static const struct spec_resources *limits(struct mapped *m, const char *settings, bool v2)
{
	struct schema_oci_input in = input();
	char text[256];

	snprintf(text, sizeof text, CONTAINER(",%s"), settings);
	in.cgroup_v2 = v2;
	assert_int_equal(map(m, text, &in), 0);
	return m->spec->linux->resources;
}

static void test_weights(void **state)
{
	/* clang-format off */
	static const struct {
		int weight, v2, shares;
	} weights[] = {
		{ 1, 1, 10 }, { 49, 1, 10 }, { 50, 1, 10 }, { 99, 1, 10 }, { 100, 2, 20 },
		{ 2500, 50, 512 }, { 5000, 100, 1024 }, { 7500, 150, 1536 }, { 10000, 200, 2048 },
	};
	/* clang-format on */
	struct mapped m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++) {
		const struct spec_resources *r;
		char settings[64];

		snprintf(settings, sizeof settings, "\"Processor\":{\"Weight\":%d}", weights[i].weight);
		r = limits(&m, settings, true);
		assert_false(r->cpu.has_shares);
		assert_int_equal(r->n_unified, 1);
		assert_string_equal(r->unified[0].key, "cpu.weight");
		assert_int_equal(atoi(r->unified[0].value), weights[i].v2);
		arena_done(&m.a);
		r = limits(&m, settings, false);
		assert_int_equal(r->n_unified, 0);
		assert_int_equal(r->cpu.shares, weights[i].shares);
		arena_done(&m.a);
	}
}

static void test_processors(void **state)
{
	/* clang-format off */
	static const struct {
		const char *settings;
		int64_t quota;
		uint64_t period;
	} processors[] = { /* of 4 */
		{ "\"Processor\":{\"Count\":1}", 100000, 100000 },
		{ "\"Processor\":{\"Count\":8192}", 819200000, 100000 },
		{ "\"Processor\":{\"Maximum\":10000}", 400000, 100000 },
		{ "\"Processor\":{\"Maximum\":2500}", 100000, 100000 },
		{ "\"Processor\":{\"Maximum\":25}", 1000, 100000 },
		{ "\"Processor\":{\"Maximum\":24}", 9600, 1000000 },
		{ "\"Processor\":{\"Maximum\":3}", 1200, 1000000 },
		{ "\"Processor\":{\"Maximum\":2}", 1000, 1000000 }, /* the least */
	};
	/* clang-format on */
	struct mapped m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(processors); i++) {
		const struct spec_resources *r = limits(&m, processors[i].settings, true);

		assert_int_equal(r->cpu.quota, processors[i].quota);
		assert_int_equal(r->cpu.period, processors[i].period);
		arena_done(&m.a);
	}
}

static void test_memory_and_storage(void **state)
{
	const struct spec_resources *r;
	struct mapped m;

	(void)state;
	r = limits(&m, "\"Memory\":{\"SizeInMB\":8796093022207}", true);
	assert_int_equal(r->memory.limit, 9223372036853727232);
	arena_done(&m.a);
	must_map(&m, "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/r\",\"QoS\":{\"IopsMaximum\":5,"
		     "\"BandwidthMaximum\":6}}}}");
	r = m.spec->linux->resources;
	for (int i = 0; i < THROTTLE_COUNT; i++) {
		assert_int_equal(r->block_io.n_throttle[i], 1);
		assert_int_equal(r->block_io.throttle[i]->major * 10 + r->block_io.throttle[i]->minor, 81);
		assert_int_equal(r->block_io.throttle[i]->rate,
				 i == THROTTLE_READ_BPS || i == THROTTLE_WRITE_BPS ? 6 : 5);
	}
	arena_done(&m.a);
}

/* ---- needs ------------------------------------------------------------------------- */

static void test_needs(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		enum err_kind kind; /* of the error when nothing is given */
		const char *network, *device, *bundle;
		bool processors;
	} needs[] = {
		{ CONTAINER(""), ERR_NONE, NULL, NULL, NULL, false },
		{ CONTAINER(",\"Networking\":{\"NetworkSharedContainerName\":\"o\"}"),
		  ERR_NOT_FOUND, "o", NULL, NULL, false },
		{ CONTAINER(",\"Processor\":{\"Maximum\":1}"), ERR_INVALID, NULL, NULL, NULL, true },
		{ "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/s\",\"QoS\":{\"IopsMaximum\":1}}}}",
		  ERR_INVALID, NULL, "/s", NULL, false },
		{ "{\"SystemType\":\"Container\",\"Name\":\"n\",\"VolumePath\":\"/v\",\"StorageBandwidthMaximum\":1}",
		  ERR_INVALID, NULL, "/v", NULL, false },
		{ "{" V ",\"HostedSystem\":{" V ",\"OciBundlePath\":\"/b\"}}",
		  ERR_NOT_FOUND, NULL, NULL, "/b/config.json", false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const struct schema_oci_input nothing = { .id = "x" };
		OWN_ARENA struct arena a = ARENA_INIT;
		struct schema_source src = { needs[i].text, strlen(needs[i].text), "doc", NULL };
		struct schema_oci_output out = { 0 };
		struct schema_system *s;
		struct schema_needs n;
		struct err e = { 0 };

		assert_int_equal(schema_parse_system(&a, &src, &s, &e), 0);
		assert_int_equal(schema_needs(&a, s, &n, &e), 0);
		assert_true(str_eq(n.network_of, needs[i].network));
		assert_true(str_eq(n.device_of, needs[i].device));
		assert_true(str_eq(n.bundle_config, needs[i].bundle));
		assert_int_equal(n.processors, needs[i].processors);
		assert_int_equal(schema_oci_system(&a, s, &nothing, &out, &e) == 0, needs[i].kind == ERR_NONE);
		assert_int_equal(e.kind, needs[i].kind);
		assert_true(!e.msg[0] == (needs[i].kind == ERR_NONE));
	}
}

/* ---- OCI's own document -------------------------------------------------------------- */

static void test_passed_on(void **state)
{
	static const char text[] =
		"{" V ",\"HostedSystem\":{" V ",\"OciBundlePath\":\"/b\",\"OciSpecification\":" SPEC ","
		"\"root\":{\"path\":\"r\",\"readonly\":true,\"x\":1},\"annotations\":{\"a\":\"own\"},"
		"\"unknown\":{\"y\":[1.50]},\"linux\":{\"cgroupsPath\":\"\",\"namespaces\":[]}}}}";
	static char a[] = "a", b[] = "b", c[] = "c";
	const struct kv annotations[] = { { a, a }, { b, b }, { b, c } };
	struct schema_oci_input in = input();
	struct mapped m;

	(void)state;
	in.annotations = annotations;
	in.n_annotations = ARRAY_SIZE(annotations);
	assert_int_equal(map(&m, text, &in), 0);
	assert_true(m.out.own_command);
	assert_int_equal(m.out.n_rootfs, 0);
	assert_string_equal(m.spec->root_path, "/b/r");
	assert_true(m.spec->root_readonly);
	assert_string_equal(m.spec->process->args[0], "a");
	assert_string_equal(annotation(m.spec, "a"), "own");
	assert_string_equal(annotation(m.spec, "b"), "b");
	assert_null(annotation(m.spec, SCHEMA_INIT_ANNOTATION));
	assert_string_equal(m.spec->linux->cgroups_path, "/berth/c1");
	assert_non_null(strstr(m.out.text, "\"unknown\":{\"y\":[1.50]}"));
	arena_done(&m.a);

	must_map(&m, "{" V ",\"Container\":{\"OciSpecification\":" SPEC ",\"root\":{\"path\":\"/r\"},"
		     "\"linux\":{\"cgroupsPath\":\"/own\"}}}}");
	assert_string_equal(m.spec->root_path, "/r");
	assert_string_equal(m.spec->linux->cgroups_path, "/own");
	assert_string_equal(m.out.cgroups_path, "/own");
	arena_done(&m.a);
}

static void test_passed_on_over_a_root(void **state)
{
	struct mapped m;

	(void)state;
	must_map(&m, "{" V ",\"HostedSystem\":{" V ",\"OciBundlePath\":\"/b\",\"ScratchDirPath\":\"/s\","
		     "\"OciSpecification\":" SPEC ",\"root\":{\"path\":\"r\"}}}}");
	assert_string_equal(m.spec->root_path, "rootfs");
	assert_string_equal(m.out.rootfs[0].options[0], "lowerdir=/b/r");
	assert_string_equal(m.out.rootfs[0].options[1], "upperdir=/s/upper");
	assert_string_equal(m.out.directories[1], "/s/work");
	arena_done(&m.a);
	must_map(&m, "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/x\"},\"OciSpecification\":" SPEC ","
		     "\"root\":null,\"linux\":null,\"annotations\":null}}}");
	assert_string_equal(m.spec->root_path, "rootfs");
	assert_string_equal(m.out.rootfs[0].source, "/x");
	assert_string_equal(m.spec->linux->cgroups_path, "/berth/c1");
	arena_done(&m.a);
}

static void test_bundles(void **state)
{
	/* clang-format off */
	static const struct {
		const char *config;
		const char *words; /* NULL: it is taken */
	} bundles[] = {
		{ SPEC ",\"root\":{\"path\":\"r\"}}", NULL },
		{ SPEC "}", "/b/config.json: line 1: /root: is missing" },
		{ SPEC ",\"root\":{\"path\":\"r\"},\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}}",
		  "/b/config.json: line 1: /hooks: is not supported: hooks run programs on the host" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}}",
		  "/b/config.json: line 1: /process: is missing" },
		{ "{", "/b/config.json:1:2: unexpected end of data" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		struct schema_oci_input in = input();
		struct mapped m;

		in.bundle_config = bundles[i].config;
		in.bundle_config_len = strlen(bundles[i].config);
		assert_int_equal(map(&m, "{" V ",\"HostedSystem\":{" V ",\"OciBundlePath\":\"/b\"}}", &in) == 0,
				 !bundles[i].words);
		if (bundles[i].words)
			assert_string_equal(m.e.msg, bundles[i].words);
		else
			assert_string_equal(m.spec->root_path, "/b/r");
		arena_done(&m.a);
	}
}

/* ---- processes ------------------------------------------------------------------------- */

static int map_process(struct arena *a, const char *text, const struct schema_user *user,
		       struct spec_process **ret, struct err *e)
{
	struct schema_source src = { text, strlen(text), "doc", NULL };
	struct schema_text t = { 0 };
	struct schema_process *p;
	int r = schema_parse_process(a, &src, &p, e);

	if (r < 0)
		fail_msg("%s", e->msg);
	r = schema_oci_process(a, p, user, &t, e);
	return r < 0 ? r : spec_parse_process(a, t.text, t.len, "mapped", ret, e);
}

static void test_process(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_process *p = NULL;
	struct err e = { 0 };
	uint64_t chown = 0;

	(void)state;
	assert_int_equal(map_process(&a, "{\"CommandLine\":\"a b\",\"Environment\":{\"X\":\"y=z\"},\"User\":\"1:2\"}",
				     NULL, &p, &e),
			 0);
	assert_string_equal(p->args[1], "b");
	assert_int_equal(p->n_env, 1);
	assert_string_equal(p->env[0], "X=y=z");
	assert_string_equal(p->cwd, "/");
	assert_int_equal(p->user.uid * 10 + p->user.gid, 12);
	assert_false(p->no_new_privileges || p->terminal || p->has_console_size);
	assert_true(name_value(capability_names, "CAP_CHOWN", &chown) == 0);
	assert_true(p->capabilities->set[CAP_SET_BOUNDING] >> chown & 1);
	assert_int_equal(p->capabilities->set[CAP_SET_AMBIENT], 0);

	assert_int_equal(map_process(&a, "{\"CommandLine\":\"a\",\"RestrictedToken\":true,\"EmulateConsole\":true,"
					 "\"ConsoleSize\":[3,4],\"WorkingDirectory\":\"/w\"}",
				     NULL, &p, &e),
			 0);
	assert_true(p->no_new_privileges && p->terminal);
	assert_int_equal(p->console_height * 10 + p->console_width, 34);
	assert_string_equal(p->cwd, "/w");
	for (int i = 0; i < CAP_SET_COUNT; i++)
		assert_int_equal(p->capabilities->set[i], 0);
}

static void test_process_of_a_named_user(void **state)
{
	static uint32_t groups[] = { 27 };
	const struct schema_user user = { 5, 6, groups, 1 };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_process *p = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(map_process(&a, "{\"CommandLine\":\"a\",\"User\":\"app\"}", &user, &p, &e), 0);
	assert_int_equal(p->user.uid * 10 + p->user.gid, 56);
	assert_int_equal(p->user.n_additional_gids, 1);
	assert_int_equal(p->user.additional_gids[0], 27);
	assert_true(map_process(&a, "{\"CommandLine\":\"a\",\"User\":\"app\"}", NULL, &p, &e) < 0);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "/User: the ids of 'app' are not known");
	/* who names no user is not asked for one */
	assert_int_equal(map_process(&a, "{\"CommandLine\":\"a\",\"User\":\"7\"}", &user, &p, &e), 0);
	assert_int_equal(p->user.uid, 7);
}

static void test_process_without_command(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_process *p = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(map_process(&a, "{}", NULL, &p, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "/CommandLine: is missing"));
}

/* 0x7f takes one byte where it is read, six where it is written. */
/* berth's own member: the container's first process is the document's. */
static void test_first_process(void **state)
{
	static const struct schema_user user = { .uid = 7, .gid = 8 };
	struct schema_oci_input in = input();
	struct mapped m;

	(void)state;
	assert_int_equal(map(&m, CONTAINER(",\"Process\":{\"CommandLine\":\"a 'b c'\",\"User\":\"5:6\","
					   "\"WorkingDirectory\":\"/w\",\"EmulateConsole\":true,"
					   "\"ConsoleSize\":[10,20],\"Environment\":{\"A\":\"b\"}}"),
			     &in),
			 0);
	assert_true(m.out.own_command);
	assert_true(m.out.terminal);
	assert_string_equal(m.spec->process->args[1], "b c");
	assert_int_equal(m.spec->process->user.uid * 10 + m.spec->process->user.gid, 56);
	assert_string_equal(m.spec->process->cwd, "/w");
	assert_int_equal(m.spec->process->console_width, 20);
	assert_int_equal(m.spec->process->n_env, 1);
	for (size_t i = 0; i < m.spec->n_annotations; i++)
		if (!strcmp(m.spec->annotations[i].key, SCHEMA_INIT_ANNOTATION))
			assert_string_equal(m.spec->annotations[i].value, "false");
	arena_done(&m.a);

	in.user = &user;
	assert_int_equal(map(&m, CONTAINER(",\"Process\":{\"CommandArgs\":[\"a\"],\"User\":\"me\"}"), &in), 0);
	assert_false(m.out.terminal);
	assert_int_equal(m.spec->process->user.uid * 10 + m.spec->process->user.gid, 78);
	arena_done(&m.a);
	in.user = NULL;
	assert_true(map(&m, CONTAINER(",\"Process\":{\"CommandArgs\":[\"a\"],\"User\":\"me\"}"), &in) < 0);
	assert_int_equal(m.e.kind, ERR_NOT_FOUND);
	arena_done(&m.a);
}

/* A name is looked for where the system will find it: in its layers, or its root. */
static void test_needs_of_a_name(void **state)
{
	static const char *const texts[] = {
		"{" V ",\"Container\":{\"Storage\":{\"Path\":\"/r\"},"
		"\"Process\":{\"CommandArgs\":[\"a\"],\"User\":\"me\"}}}",
		"{" V ",\"Container\":{\"Storage\":{\"Path\":\"/r\",\"Layers\":[{\"Path\":\"/t\"},{\"Path\":\"/b\"}]},"
		"\"Process\":{\"CommandArgs\":[\"a\"],\"User\":\"me\"}}}",
	};
	static const char *const roots[][2] = { { "/r", NULL }, { "/t", "/b" } };
	OWN_ARENA struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct schema_source src = { texts[i], strlen(texts[i]), "doc", NULL };
		struct schema_system *s;
		struct schema_needs n;
		struct err e;

		assert_int_equal(schema_parse_system(&a, &src, &s, &e), 0);
		assert_int_equal(schema_needs(&a, s, &n, &e), 0);
		assert_string_equal(n.user_name, "me");
		assert_int_equal(n.n_roots, i + 1);
		for (size_t k = 0; k < n.n_roots; k++)
			assert_string_equal(n.roots[k], roots[i][k]);
	}
}

static void test_too_large(void **state)
{
	static const size_t n = 1 << 20;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb text = SB_INIT;
	struct spec_process *p = NULL;
	struct err e = { 0 };

	(void)state;
	sb_puts(&text, "{\"CommandArgs\":[\"");
	for (size_t i = 0; i < n; i++)
		sb_putc(&text, 0x7f);
	sb_puts(&text, "\"]}");
	assert_true(map_process(&a, text.s, NULL, &p, &e) < 0);
	assert_int_equal(e.sys, E2BIG);
}

/* ---- changes ----------------------------------------------------------------------------- */

static void test_changes(void **state)
{
	const struct schema_oci_input in = { .cgroup_v2 = true };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_modify m = { .resource = SCHEMA_RESOURCE_MEMORY, .memory_mb = 2 };
	struct schema_text t = { 0 };
	struct schema_bind b;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(schema_oci_resources(&a, &m, &in, &t, &e), 0);
	assert_string_equal(t.text, "{\"memory\":{\"limit\":2097152}}");
	m = (struct schema_modify){ .resource = SCHEMA_RESOURCE_PROCESSOR, .processor = { .maximum = 1 } };
	assert_int_equal(schema_oci_resources(&a, &m, &in, &t, &e), -EINVAL);
	m.processor = (struct schema_processor){ .weight = 200 };
	assert_int_equal(schema_oci_resources(&a, &m, &in, &t, &e), 0);
	assert_string_equal(t.text, "{\"unified\":{\"cpu.weight\":\"4\"}}");
	assert_int_equal(schema_bind_of(&a, &m, &b, &e), -EINVAL);
	m = (struct schema_modify){ .resource = SCHEMA_RESOURCE_PIPE, .pipe = { "/h", "n" } };
	assert_int_equal(schema_bind_of(&a, &m, &b, &e), 0);
	assert_string_equal(b.destination, "/run/n");
	assert_false(b.is_directory || b.read_only);
	assert_int_equal(schema_oci_resources(&a, &m, &in, &t, &e), -EINVAL);
}

/* ---- users ------------------------------------------------------------------------------- */

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "#comment\n"
			     "short:x:5\n"
			     "\n"
			     "app:x:1000:1001:An App:/app:/bin/false\n"
			     "app:x:7:7::/:\n"
			     "odd:x::12::/:\n"
			     "huge:x:4294967295:1::/:\n"
			     "last:x:9:8";
static const char group[] = "root:x:0:\n"
			    "a:x:10:app\n"
			    "b:x:11:other,app,more\n"
			    "c:x:12:apple,happ\n"
			    "d:x:x:app\n"
			    "e:x:13\n"
			    "f:x:14:,app";

static void test_users(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_user u;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(schema_find_user(&a, "root", passwd, group, &u, &e), 0);
	assert_int_equal(u.uid + u.gid + u.n_groups, 0);
	assert_int_equal(schema_find_user(&a, "app", passwd, group, &u, &e), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 1001);
	assert_int_equal(u.n_groups, 3);
	assert_int_equal(u.groups[0] * 10000 + u.groups[1] * 100 + u.groups[2], 101114);
	assert_int_equal(schema_find_user(&a, "last", passwd, NULL, &u, &e), 0);
	assert_int_equal(u.uid * 10 + u.gid, 98);
	assert_true(schema_find_user(&a, "nobody", passwd, group, &u, &e) < 0);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_true(schema_find_user(&a, "short", passwd, group, &u, &e) < 0);
	assert_true(schema_find_user(&a, "x", NULL, NULL, &u, &e) < 0);
	assert_int_equal(schema_find_user(&a, "odd", passwd, group, &u, &e), -EINVAL);
	assert_int_equal(schema_find_user(&a, "huge", passwd, group, &u, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_hostnames),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_binds),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_processors),
		cmocka_unit_test(test_memory_and_storage),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_passed_on),
		cmocka_unit_test(test_passed_on_over_a_root),
		cmocka_unit_test(test_bundles),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_process_of_a_named_user),
		cmocka_unit_test(test_process_without_command),
		cmocka_unit_test(test_first_process),
		cmocka_unit_test(test_needs_of_a_name),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
