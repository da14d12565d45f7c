/*
 * HCS's documents: the first byte says which one. Stopping at the first problem and
 * collecting all of them agree; what is read and written again stays the same; and
 * what a system, a process or a change becomes is something that OCI's own decoder
 * takes, whatever was read.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci.h"
#include "schema_reply.h"
#include "schema_requests.h"
#include "schema_table.h"
#include "spec.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
	if (!ok)
		abort();
}

static void count(void *ctx, const char *pointer, int line, const char *words)
{
	require(pointer && words && *words && line >= 0);
	++*(size_t *)ctx;
}

/* ---- mapping -------------------------------------------------------------- */

/* The only reasons why something that was read cannot be mapped. */
static void require_too_large(int r, const struct err *e)
{
	require(r == -ENOMEM || e->sys == ENOMEM || e->sys == E2BIG);
}

static void map_system(struct arena *a, const struct schema_system *s)
{
	static const char bundle[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
				     "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}}";
	static const struct kv annotations[] = { { (char *)"a", (char *)"b" }, { (char *)"a", (char *)"c" } };
	struct schema_oci_input in = {
		.id = "fuzz",
		.cgroups_path = "/berth/fuzz",
		.annotations = annotations,
		.n_annotations = ARRAY_SIZE(annotations),
		.network_path = "/proc/1/ns/net",
		.has_device = true,
		.major = 8,
		.bundle_config = bundle,
		.bundle_config_len = sizeof bundle - 1,
		.processors = 8192,
	};
	struct schema_oci_output out = { 0 };
	struct schema_needs needs;
	struct spec *spec = NULL;
	struct err e = { 0 };
	int r;

	if (schema_needs(a, s, &needs, &e) < 0)
		return;
	for (int v2 = 0; v2 < 2; v2++) {
		in.cgroup_v2 = v2;
		r = schema_oci_system(a, s, &in, &out, &e);
		if (r < 0) {
			require_too_large(r, &e);
			return;
		}
		r = spec_parse(a, out.text, out.len, "mapped", NULL, &spec, &e);
		require(r == 0 || r == -ENOMEM);
		if (r < 0)
			return;
		require(spec->process && (out.n_rootfs || spec->root_path[0] == '/'));
		require(!out.n_rootfs || !strcmp(spec->root_path, "rootfs"));
		for (size_t i = 0; i < out.n_rootfs; i++)
			require(out.rootfs[i].n_options > 0 && !out.rootfs[i].options[out.rootfs[i].n_options]);
		for (size_t i = 0; i < out.n_directories; i++)
			require(out.directories[i][0] == '/');
	}
}

static void map_process(struct arena *a, const struct schema_process *p)
{
	static uint32_t groups[] = { 1, UINT32_MAX - 1 };
	static const struct schema_user user = { 1, 2, groups, ARRAY_SIZE(groups) };
	struct schema_text t = { 0 };
	struct spec_process *mapped;
	struct err e = { 0 };
	int r = schema_oci_process(a, p, p->user_name ? &user : NULL, &t, &e);

	if (p->command == SCHEMA_COMMAND_INIT) {
		require(r == -EINVAL);
	} else if (r < 0) {
		require_too_large(r, &e);
	} else {
		r = spec_parse_process(a, t.text, t.len, "mapped", &mapped, &e);
		require(r == 0 || r == -ENOMEM);
		require(r < 0 || mapped->terminal == p->emulate_console);
	}
}

static void map_modify(struct arena *a, const struct schema_modify *m)
{
	const struct schema_oci_input in = { .processors = 1 };
	struct spec_resources *mapped;
	struct schema_text t = { 0 };
	struct schema_bind b = { 0 };
	struct err e = { 0 };

	require(m->request != SCHEMA_REQUEST_ABSENT);
	if (m->resource == SCHEMA_RESOURCE_DIRECTORY || m->resource == SCHEMA_RESOURCE_PIPE) {
		require(schema_bind_of(a, m, &b, &e) == 0 && b.destination[0] == '/');
		require(b.source || m->request == SCHEMA_REQUEST_REMOVE);
		return;
	}
	require(schema_oci_resources(a, m, &in, &t, &e) == 0);
	require(spec_parse_resources(a, t.text, t.len, "mapped", &mapped, &e) == 0);
}

/* ---- reading and writing --------------------------------------------------- */

static void check_again(struct arena *a, const struct schema_type *t, const void *doc)
{
	OWN_SB struct sb first = SB_INIT, second = SB_INIT;
	struct schema_source src = { .name = "written" };
	void *again = NULL;
	struct jw w;
	int r;

	jw_init(&w, &first, NULL);
	schema_write(&w, t, doc);
	if (first.failed || first.len > JSON_MAX_SIZE)
		return;
	src.text = first.s;
	src.len = first.len;
	r = schema_parse(a, &src, t, &again, NULL);
	require(r == 0 || r == -ENOMEM);
	if (r < 0)
		return;
	jw_init(&w, &second, NULL);
	schema_write(&w, t, again);
	require(second.failed || (first.len == second.len && !memcmp(first.s, second.s, first.len)));
}

static void read_document(const struct schema_type *t, const char *text, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT, b = ARENA_INIT;
	size_t problems = 0;
	const struct spec_problems collect = { count, &problems };
	struct schema_source src = { text, size, "fuzz", NULL };
	struct err first = { 0 }, all = { 0 };
	void *doc = NULL, *same = NULL;
	int r1 = schema_parse(&a, &src, t, &doc, &first), r2;

	src.problems = &collect;
	r2 = schema_parse(&b, &src, t, &same, &all);
	require(r1 == r2 && (r1 == 0) == (problems == 0) && (r1 == 0) == (doc != NULL));
	require(!strcmp(first.msg, all.msg) && (r1 == 0) == !first.msg[0]);
	if (r1 < 0)
		return;
	check_again(&a, t, doc);
	if (t == &schema_type_system)
		map_system(&a, doc);
	else if (t == &schema_type_process)
		map_process(&a, doc);
	else if (t == &schema_type_modify)
		map_modify(&a, doc);
}

/* ---- the rest --------------------------------------------------------------- */

static void redact(const char *text, size_t size)
{
	OWN_SB struct sb once = SB_INIT, twice = SB_INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc;

	schema_redact(&once, text, size);
	if (once.failed || once.len > JSON_MAX_SIZE || once.s[0] == '(')
		return;
	require(json_parse(&a, once.s, once.len, "redacted", &doc, NULL) == 0);
	schema_redact(&twice, once.s, once.len);
	require(twice.failed || (once.len == twice.len && !memcmp(once.s, twice.s, once.len)));
}

static void words(const char *text, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *s = arena_strndup(&a, text, size);
	struct schema_user user = { 0 };
	const char **args, *problem = NULL;
	struct err e = { 0 };
	size_t n = 0, len = 0;
	int r;

	if (!s)
		return;
	r = schema_split(&a, s, &args, &n, &problem);
	require(r == 0 || r == -ENOMEM || problem);
	for (size_t i = 0; r == 0 && i < n; i++)
		len += strlen(args[i]);
	require(r < 0 || (len <= strlen(s) && !args[n]));
	if (schema_find_user(&a, "root", s, s, &user, &e) < 0)
		require(e.msg[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	size_t types = 0;

	while (schema_types[types])
		types++;
	if (!size)
		return 0;
	read_document(schema_types[data[0] % types], text, size - 1);
	redact(text, size - 1);
	words(text, size - 1);
	return 0;
}
