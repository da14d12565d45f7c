/*
 * Prints what becomes of a document of HCS's on a made-up host, for the golden
 * files: what was read, written again; every problem with its pointer; what a
 * system, a process or a change is in OCI's words. How the file is called says
 * which document it is, and which host:
 *
 *	KIND-NAME.json           KIND is that of SCHEMA_DOCUMENTS; cgroup v2
 *	KIND-cgroup1-NAME.json   cgroup v1
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci.h"
#include "schema_reply.h"
#include "schema_requests.h"
#include "str.h"

/* What stands in for /bundles/one/config.json. */
static const char bundle_config[] =
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"process\":{\"args\":[\"sleep\",\"1\"],\"cwd\":\"/\"}}";

struct golden {
	struct arena *a;
	struct schema_source src;
	struct schema_oci_input in;
	struct sb *out;
	struct err *e;
};

static void add_problem(void *ctx, const char *pointer, int line, const char *words)
{
	printf("problem: line %d: %s: %s\n", line, pointer, words);
	(void)ctx;
}

/* Indented, without what is the same everywhere. */
static void pretty(struct golden *g, const char *title, const char *text, size_t len)
{
	/* clang-format off */
	static const struct json_member without[] = {
		{ "linux", "seccomp" }, { "linux", "maskedPaths" }, { "linux", "readonlyPaths" },
		{ "process", "capabilities" }, { 0 }
	};
	/* clang-format on */
	struct json_doc doc;
	struct jw w;
	size_t n = len;
	char *shorter = json_text_without(g->a, text, len, without, &n);

	if (!shorter || json_parse(g->a, shorter, n, title, &doc, g->e) < 0)
		abort();
	sb_printf(g->out, "%s: ", title);
	jw_init(&w, g->out, "  ");
	jw_value(&w, doc.root);
	sb_puts(g->out, "\n");
}

/* ---- the kinds that become something ---------------------------------------- */

static uint32_t groups[] = { 27, 100 };
static const struct schema_user user = { 1000, 1001, groups, ARRAY_SIZE(groups) };

static int map_system(struct golden *g, const void *doc)
{
	const struct schema_system *s = doc;
	struct schema_oci_output o = { 0 };
	struct schema_needs n;
	int r = schema_needs(g->a, s, &n, g->e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_warnings; i++)
		sb_printf(g->out, "warning: %s\n", s->warnings[i]);
	if (n.user_name)
		sb_printf(g->out, "look up: %s in %s\n", n.user_name, n.roots[0]);
	g->in.user = n.user_name ? &user : NULL;
	sb_printf(g->out, "needs:%s%s%s%s%s%s%s\n", n.network_of ? " network of " : "",
		  n.network_of ? n.network_of : "", n.device_of ? " device of " : "",
		  n.device_of ? n.device_of : "", n.bundle_config ? " file " : "",
		  n.bundle_config ? n.bundle_config : "", n.processors ? " processors" : "");
	r = schema_oci_system(g->a, s, &g->in, &o, g->e);
	if (r < 0)
		return r;
	sb_printf(g->out, "command: %s%s\n", o.own_command ? "its own" : "the built-in init",
		  o.terminal ? ", on a terminal" : "");
	for (size_t i = 0; i < o.n_directories; i++)
		sb_printf(g->out, "make: %s\n", o.directories[i]);
	for (size_t i = 0; i < o.n_rootfs; i++) {
		sb_printf(g->out, "mount: %s %s", o.rootfs[i].type, o.rootfs[i].source);
		for (size_t k = 0; k < o.rootfs[i].n_options; k++)
			sb_printf(g->out, " %s", o.rootfs[i].options[k]);
		sb_puts(g->out, "\n");
	}
	pretty(g, "config.json", o.text, o.len);
	return 0;
}

static int map_process(struct golden *g, const void *doc)
{
	const struct schema_process *p = doc;
	struct schema_text t = { 0 };
	int r;

	if (p->command == SCHEMA_COMMAND_INIT) {
		sb_puts(g->out, "command: the system's own\n");
		return 0;
	}
	if (p->user_name)
		sb_printf(g->out, "look up: %s\n", p->user_name);
	r = schema_oci_process(g->a, p, p->user_name ? &user : NULL, &t, g->e);
	if (r == 0)
		pretty(g, "process", t.text, t.len);
	return r;
}

static int map_modify(struct golden *g, const void *doc)
{
	const struct schema_modify *m = doc;
	struct schema_text t = { 0 };
	struct schema_bind b = { 0 };
	int r;

	if (m->resource == SCHEMA_RESOURCE_DIRECTORY || m->resource == SCHEMA_RESOURCE_PIPE) {
		r = schema_bind_of(g->a, m, &b, g->e);
		if (r == 0)
			sb_printf(g->out, "bind: %s -> %s%s%s\n", b.source ? b.source : "(any)",
				  b.destination, b.is_directory ? ", a directory" : "",
				  b.read_only ? ", read-only" : "");
		return r;
	}
	r = schema_oci_resources(g->a, m, &g->in, &t, g->e);
	if (r == 0)
		pretty(g, "resources", t.text, t.len);
	return r;
}

static const struct {
	const char *kind;
	int (*map)(struct golden *g, const void *doc);
} maps[] = {
	{ "system", map_system },
	{ "process", map_process },
	{ "modify", map_modify },
};

/* ---- every kind -------------------------------------------------------------- */

#define X(T, name)                                                   \
	static int read_##T(struct golden *g, const void **ret)      \
	{                                                            \
		struct schema_##T *doc = NULL;                       \
		int r = schema_parse_##T(g->a, &g->src, &doc, g->e); \
		struct jw w;                                         \
                                                                     \
		*ret = doc;                                          \
		if (r < 0)                                           \
			return r;                                    \
		sb_puts(g->out, name ": ");                          \
		jw_init(&w, g->out, "  ");                           \
		schema_write_##T(&w, doc);                           \
		sb_puts(g->out, "\n");                               \
		return 0;                                            \
	}
SCHEMA_DOCUMENTS(X)
#undef X

static const struct {
	const char *kind;
	int (*read)(struct golden *g, const void **ret);
} kinds[] = {
#define X(T, name) { #T, read_##T },
	SCHEMA_DOCUMENTS(X)
#undef X
};

static int print(struct golden *g, const char *file)
{
	char kind[64];
	const void *doc = NULL;
	int r = -ENOENT;

	snprintf(kind, sizeof kind, "%.*s", (int)strcspn(file, "-."), file);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			r = kinds[i].read(g, &doc);
	if (r == -ENOENT)
		return err_set(g->e, ERR_NOT_FOUND, 0, "no document is called '%s'", kind);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		if (!strcmp(maps[i].kind, kind))
			r = maps[i].map(g, doc);
	return r;
}

int main(int argc, char **argv)
{
	static const struct spec_problems problems = { add_problem, NULL };
	static char key[] = "org.example", value[] = "one";
	static const struct kv annotations[] = { { key, value } };
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb out = SB_INIT;
	static char text[1 << 20];
	struct err e = { 0 };
	const char *file;
	char words[2048];
	FILE *f;

	if (argc != 2 || !(f = fopen(argv[1], "r"))) {
		fprintf(stderr, "usage: schema FILE\n");
		return 2;
	}
	file = strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1];
	struct golden g = {
		.a = &a,
		.src = { text, fread(text, 1, sizeof text, f), "document", &problems },
		.in = {
			.id = "golden",
			.cgroups_path = "/berth/default/golden",
			.cgroup_v2 = !strstr(file, "-cgroup1-"),
			.annotations = annotations,
			.n_annotations = ARRAY_SIZE(annotations),
			.network_path = "/proc/7/ns/net",
			.has_device = true,
			.major = 8,
			.minor = 16,
			.bundle_config = bundle_config,
			.bundle_config_len = sizeof bundle_config - 1,
			.processors = 4,
		},
		.out = &out,
		.e = &e,
	};
	fclose(f);
	if (print(&g, file) < 0)
		printf("error (%s): %s\n", err_kind_name(e.kind), err_text(&e, words, sizeof words));
	if (out.failed)
		return 1;
	fputs(out.s ? out.s : "", stdout);
	return 0;
}
