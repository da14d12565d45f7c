/* A document of OCI's that a system brings along: passed on as it is, but for
 * where the root file system is, its cgroup, and annotations that are added. */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci_parts.h"
#include "schema_table.h"

struct pass {
	const struct json *document;
	const struct spec *spec;
	const struct schema_oci_input *in;
	const char *root; /* in effect */
	const char *cgroups_path; /* to be added; NULL: the document has one, or there is none */
};

/* ---- reading what the bundle has ----------------------------------------- */

static int read_bundle(struct arena *a, const struct schema_container *c,
		       const struct schema_oci_input *in, struct pass *p, struct err *e)
{
	struct json_doc doc = { 0 };
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	struct spec *spec = NULL;
	const char *name;
	int r;

	if (!in->bundle_config)
		return err_set(e, ERR_NOT_FOUND, 0, "'%s/config.json' was not read", c->oci.bundle_path);
	name = arena_printf(a, "%s/config.json", c->oci.bundle_path);
	if (!name)
		return schema_no_memory(e);
	r = json_parse(a, in->bundle_config, in->bundle_config_len, name, &doc, e);
	if (r >= 0)
		r = spec_decode(&d, doc.root, &spec);
	if (r >= 0)
		r = schema_check_oci(&d, doc.root, spec);
	if (r >= 0 && !c->has_storage && !spec->root_path)
		r = json_fail_at(&d, doc.root, "/root", "is missing");
	p->document = doc.root;
	p->spec = spec;
	return r;
}

/* ---- the root file system ------------------------------------------------ */

static int find_root(struct arena *a, const struct schema_container *c, struct pass *p,
		     struct schema_oci_output *out, struct err *e)
{
	const char *path = p->spec->root_path;

	p->root = "rootfs";
	if (c->has_storage)
		return schema_root_of_storage(a, &c->storage, out, e);
	if (path[0] != '/')
		path = arena_printf(a, "%s/%s", c->oci.bundle_path, path);
	if (!path)
		return schema_no_memory(e);
	if (c->oci.scratch_path)
		return schema_root_over(a, path, c->oci.scratch_path, out, e);
	p->root = path;
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

static void write_root(struct jw *w, const struct pass *p, const struct json *root)
{
	jw_kbegin(w, "root", '{');
	jw_kstr(w, "path", p->root);
	for (uint32_t i = 0; root && root->type == JSON_OBJECT && i < root->n; i++) {
		const struct json *m = &root->items[i];

		if (!strcmp(m->key, "path"))
			continue;
		jw_key(w, m->key);
		jw_value(w, m);
	}
	jw_end(w);
}

static void write_linux(struct jw *w, const struct pass *p, const struct json *section)
{
	jw_kbegin(w, "linux", '{');
	for (uint32_t i = 0; section && section->type == JSON_OBJECT && i < section->n; i++) {
		const struct json *m = &section->items[i];

		if (p->cgroups_path && !strcmp(m->key, "cgroupsPath"))
			continue;
		jw_key(w, m->key);
		jw_value(w, m);
	}
	if (p->cgroups_path)
		jw_kstr(w, "cgroupsPath", p->cgroups_path);
	jw_end(w);
}

/* The document's own stay as they are. */
static void write_annotations(struct jw *w, const struct pass *p)
{
	const struct schema_oci_input *in = p->in;

	if (!in->n_annotations && !p->spec->n_annotations)
		return;
	jw_kbegin(w, "annotations", '{');
	for (size_t i = 0; i < p->spec->n_annotations; i++)
		jw_kstr(w, p->spec->annotations[i].key, p->spec->annotations[i].value);
	for (size_t i = 0; i < in->n_annotations; i++) {
		const char *key = in->annotations[i].key;

		if (!schema_has_key(p->spec->annotations, p->spec->n_annotations, key) &&
		    !schema_has_key(in->annotations, i, key))
			jw_kstr(w, key, in->annotations[i].value);
	}
	jw_end(w);
}

static void write_document(struct jw *w, const struct pass *p)
{
	static const char *const ours[] = { "root", "linux", "annotations" };

	jw_begin(w, '{');
	for (uint32_t i = 0; i < p->document->n; i++) {
		const struct json *m = &p->document->items[i];
		size_t k = 0;

		while (k < ARRAY_SIZE(ours) && strcmp(ours[k], m->key) != 0)
			k++;
		if (k < ARRAY_SIZE(ours))
			continue;
		jw_key(w, m->key);
		jw_value(w, m);
	}
	write_root(w, p, json_get(p->document, "root"));
	write_annotations(w, p);
	write_linux(w, p, json_get(p->document, "linux"));
	jw_end(w);
}

/* What was read within the limits of a document stays within them, but where the
 * caller adds. */
static size_t count_values(const struct json *v)
{
	size_t n = 1;

	if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
		for (uint32_t i = 0; i < v->n; i++)
			n += count_values(&v->items[i]);
	return n;
}

int schema_oci_pass(struct arena *a, const struct schema_container *c,
		    const struct schema_oci_input *in, struct schema_oci_output *out,
		    struct err *e)
{
	struct pass p = { .document = c->oci.document, .spec = c->oci.spec, .in = in };
	OWN_SB struct sb text = SB_INIT;
	struct jw w;
	int r = 0;

	if (!p.document)
		r = read_bundle(a, c, in, &p, e);
	if (r == 0)
		r = find_root(a, c, &p, out, e);
	if (r < 0)
		return r;
	if (count_values(p.document) + in->n_annotations + 8 > JSON_MAX_VALUES)
		return err_set(e, ERR_INVALID, -E2BIG, "map the document: it has too many values");
	p.cgroups_path = p.spec->linux->cgroups_path ? NULL : in->cgroups_path;
	out->own_command = true;
	out->spec = p.spec;
	out->terminal = p.spec->process->terminal;
	out->cgroups_path = p.cgroups_path ? p.cgroups_path : p.spec->linux->cgroups_path;
	jw_init(&w, &text, NULL);
	write_document(&w, &p);
	return schema_take_text(a, &text, &out->text, &out->len, e);
}
