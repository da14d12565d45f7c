/* The features document and the default config.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "json.h"
#include "mem.h"
#include "names.h"
#include "spec.h"
#include "spec_features.h"
#include "spec_template.h"
#include "str.h"

static const struct json *read_back(struct arena *a, const struct sb *b)
{
	struct json_doc doc;
	struct err e;

	assert_false(b->failed);
	if (json_parse(a, b->s, b->len, "printed", &doc, &e) < 0)
		fail_msg("%s", e.msg);
	return doc.root;
}

static const struct json *at(const struct json *v, const char *a, const char *b, const char *c)
{
	v = json_get(v, a);
	v = b ? json_get(v, b) : v;
	return c ? json_get(v, c) : v;
}

static bool is(const struct json *v, bool b)
{
	return v && v->type == JSON_BOOL && v->b == b;
}

static void check_names(const struct json *list, const struct name *table)
{
	size_t n = 0;

	assert_non_null(list);
	for (; table[n].name; n++)
		assert_string_equal(json_string(json_at(list, n), ""), table[n].name);
	assert_int_equal(list->n, n);
}

static void test_features(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	static const char *const unsafe[] = { "org.systemd.property.", NULL };
	struct features_host h = { .cgroup_v1 = true, .seccomp = true, .seccomp_flags = 6, .apparmor = true };
	const struct json *r, *l;

	(void)state;
	h.idmap = true;
	h.libseccomp_version = "2.5.4";
	h.version = "1";
	h.unsafe_annotations = unsafe;
	spec_features_print(&b, &h);
	r = read_back(&a, &b);
	l = json_get(r, "linux");
	assert_string_equal(json_string(json_get(r, "ociVersionMin"), ""), "1.0.0");
	assert_string_equal(json_string(json_get(r, "ociVersionMax"), ""), SPEC_VERSION_MAX);
	check_names(json_get(r, "hooks"), hook_names);
	check_names(json_get(l, "capabilities"), capability_names);
	check_names(at(l, "seccomp", "actions", NULL), seccomp_action_names);
	check_names(at(l, "seccomp", "operators", NULL), seccomp_operator_names);
	check_names(at(l, "seccomp", "archs", NULL), seccomp_arch_names);
	check_names(at(l, "seccomp", "knownFlags", NULL), seccomp_flag_names);
	assert_int_equal(at(l, "seccomp", "supportedFlags", NULL)->n, 2);
	assert_int_equal(json_get(l, "namespaces")->n, NS_COUNT);
	assert_string_equal(json_string(json_at(json_get(l, "namespaces"), 0), ""), "cgroup");
	assert_true(is(at(l, "cgroup", "v1", NULL), true));
	assert_true(is(at(l, "cgroup", "v2", NULL), false));
	assert_true(is(at(l, "cgroup", "rdma", NULL), false));
	assert_true(is(at(l, "apparmor", "enabled", NULL), true));
	assert_true(is(at(l, "selinux", "enabled", NULL), false));
	assert_true(is(at(l, "intelRdt", "enabled", NULL), false));
	assert_true(is(at(l, "mountExtensions", "idmap", "enabled"), true));
	r = json_get(r, "annotations");
	assert_string_equal(json_string(json_get(r, "io.github.seccomp.libseccomp.version"), ""), "2.5.4");
	r = r->parent;
	assert_string_equal(json_string(json_at(json_get(r, "potentiallyUnsafeConfigAnnotations"), 0), ""), unsafe[0]);
	for (size_t i = 0; mount_options[i].name; i++)
		assert_string_equal(json_string(json_at(json_get(r, "mountOptions"), i), ""), mount_options[i].name);
}

static void test_features_bare(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	const struct features_host h = { 0 };
	const struct json *r;

	(void)state;
	spec_features_print(&b, &h);
	r = read_back(&a, &b);
	assert_true(is(at(r, "linux", "seccomp", "enabled"), false));
	assert_null(at(r, "linux", "seccomp", "actions"));
	assert_null(json_get(r, "potentiallyUnsafeConfigAnnotations"));
}

/* Like runc's, byte by byte, but for the version and the host name. */
static void compare(const struct template_options *o, const char *golden)
{
	OWN_SB struct sb b = SB_INIT;
	const char *source = getenv("BERTH_SOURCE"), *ours, *theirs;
	char path[4096], text[8192];
	OWN_FD fd = -1;
	ssize_t n;

	snprintf(path, sizeof path, "%s/test/golden/configs/%s", source ? source : ".", golden);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd_read_all(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	spec_template_print(&b, o);
	ours = strchr(b.s + 2, '\n');
	theirs = strchr(text + 2, '\n');
	assert_memory_equal(ours, theirs, (size_t)(strstr(theirs, "\"hostname\"") - theirs));
	ours = strstr(ours, "\"mounts\"");
	theirs = strstr(theirs, "\"mounts\"");
	assert_string_equal(ours, theirs);
}

static void test_template(void **state)
{
	(void)state;
	compare(&(struct template_options){ 0 }, "runc.json");
	compare(&(struct template_options){ .rootless = true }, "runc-rootless.json");
}

static void test_template_parses(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	const struct template_options o = { .rootless = true, .uid = 1000, .gid = 1001, .cgroup_namespace = true };
	struct spec *spec;

	(void)state;
	spec_template_print(&b, &o);
	assert_int_equal(spec_parse(&a, b.s, b.len, "t", NULL, &spec, NULL), 0);
	assert_string_equal(spec->hostname, "berth");
	assert_string_equal(spec->oci_version, SPEC_VERSION_MAX);
	assert_int_equal(spec->linux->uid_maps[0].host_id, 1000);
	assert_int_equal(spec->linux->gid_maps[0].host_id, 1001);
	assert_true(spec->linux->ns[NS_CGROUP].present && !spec->linux->ns[NS_NETWORK].present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_features_bare),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_template_parses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
