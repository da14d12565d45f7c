/* config.json as a whole: root, hooks, annotations, and what spans sections. */
#include "spec.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "spec_decode.h"
#include "str.h"

/* ---- version ---------------------------------------------------------- */

static bool version_number(const char **s, unsigned *ret)
{
	const char *from = *s;

	for (*ret = 0; **s >= '0' && **s <= '9' && *s - from < 9; ++*s)
		*ret = *ret * 10 + (unsigned)(**s - '0');
	return *s > from && (from[0] != '0' || *s - from == 1);
}

/* MAJOR.MINOR.PATCH, then "-words" and "+words", of semver.org 2.0. */
static bool parse_version(const char *s, unsigned *major)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	unsigned rest;

	if (!version_number(&s, major) || *s++ != '.' || !version_number(&s, &rest) ||
	    *s++ != '.' || !version_number(&s, &rest))
		return false;
	for (int i = 0; i < 2; i++) {
		size_t n;

		if (*s != "-+"[i])
			continue;
		n = strspn(++s, letters);
		if (!n)
			return false;
		s += n;
	}
	return !*s;
}

static JSON_DECODER(dec_version)
{
	unsigned major;
	int r = 0;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	if (!parse_version(v->s, &major))
		return json_fail(d, v, "'%s' is not a version such as \"1.2.0\"", v->s);
	if (major != 1)
		return json_unsupported(d, v, "version '%s' is not supported: only 1.x is", v->s);
	return json_dec_string(d, v, f, obj);
}

/* ---- root, hooks ------------------------------------------------------ */

/* clang-format off */
static const struct json_field root_fields[] = {
	JSON_FIELD("path",     json_dec_string, struct spec, root_path, JSON_REQUIRED | JSON_NONEMPTY),
	JSON_FIELD("readonly", json_dec_bool,   struct spec, root_readonly, 0),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_root)
{
	(void)f;
	return json_decode(d, v, root_fields, obj);
}

static JSON_DECODER(dec_timeout)
{
	if (v->type == JSON_INT && (v->negative || v->u == 0))
		return json_fail(d, v, "must be greater than 0");
	return json_dec_i32(d, v, f, obj);
}

/* clang-format off */
static const struct json_field hook_fields[] = {
	JSON_FIELD("path",      spec_dec_abs_path, struct spec_hook, path, JSON_REQUIRED),
	JSON_FIELD_LIST("args", json_dec_strings,  struct spec_hook, args, 0, NULL),
	JSON_FIELD_LIST("env",  json_dec_strings,  struct spec_hook, env, 0, NULL),
	JSON_FIELD("timeout",   dec_timeout,       struct spec_hook, timeout, 0),
	{ 0 }
};
/* clang-format on */

static int finish_hook(struct json_dec *d, const struct json *v, void *obj)
{
	struct spec_hook *h = obj;

	(void)v;
	if (h->n_args)
		return 0;
	h->args = arena_calloc(d->a, 2, sizeof *h->args);
	if (!h->args)
		return json_nomem(d);
	h->args[0] = h->path;
	h->n_args = 1;
	return 0;
}

static const struct json_struct hook_struct = { sizeof(struct spec_hook), hook_fields,
						finish_hook };

/* clang-format off */
static const struct json_field hooks_fields[] = {
#define X(id, key)                                                                  \
	{ key, json_dec_list, offsetof(struct spec_hooks, list[HOOK_##id]), 0,      \
	  1 + offsetof(struct spec_hooks, n[HOOK_##id]), &hook_struct },
	SPEC_HOOKS(X)
#undef X
	{ 0 }
};

/* ---- the document ----------------------------------------------------- */

static const struct json_field spec_fields[] = {
	JSON_FIELD("ociVersion",       dec_version,      struct spec, oci_version, JSON_REQUIRED),
	JSON_FIELD("root",             dec_root,         struct spec, root_path, 0),
	JSON_FIELD("hostname",         spec_dec_text,    struct spec, hostname, 0),
	JSON_FIELD("domainname",       spec_dec_text,    struct spec, domainname, 0),
	JSON_FIELD_ARG("process",      json_dec_pointer, struct spec, process, 0, &spec_process_struct),
	JSON_FIELD_LIST("mounts",      json_dec_list,    struct spec, mounts, 0, &spec_mount_struct),
	JSON_FIELD_ARG("hooks",        json_dec_object,  struct spec, hooks, 0, hooks_fields),
	JSON_FIELD_LIST("annotations", spec_dec_map,     struct spec, annotations, 0, NULL),
	JSON_FIELD_ARG("linux",        json_dec_pointer, struct spec, linux, 0, &spec_linux_struct),
	/* other platforms: even an empty one means another kind of container */
	JSON_FIELD("windows", spec_dec_unsupported, struct spec, linux, 0),
	JSON_FIELD("solaris", spec_dec_unsupported, struct spec, linux, 0),
	JSON_FIELD("freebsd", spec_dec_unsupported, struct spec, linux, 0),
	JSON_FIELD("zos",     spec_dec_unsupported, struct spec, linux, 0),
	JSON_FIELD("vm",      spec_dec_unsupported, struct spec, linux, 0),
	{ 0 }
};
/* clang-format on */

static int check_uts_name(struct json_dec *d, const struct json *root, const char *name,
			  const char *rel, const struct spec *spec)
{
	if (!name)
		return 0;
	if (!spec->linux->ns[NS_UTS].present)
		return json_fail_at(d, json_get(root, rel + 1), "",
				    "unable to set %s without a private UTS namespace", rel + 1);
	if (strlen(name) > 64)
		return json_fail_at(d, json_get(root, rel + 1), "", "longer than 64 bytes");
	return 0;
}

static int check_idmap(struct json_dec *d, const struct json *root, const struct spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct spec_mount *m = &spec->mounts[i];
		int r = 0;

		if ((m->idmap || m->ridmap) && !m->n_uid_maps && !spec->linux->ns[NS_USER].present)
			r = json_fail(d, json_at(json_get(root, "mounts"), i),
				      "an id-mapped mount needs uidMappings or a user namespace");
		if (r < 0)
			return r;
	}
	return 0;
}

/* Both set the same name. */
static int check_domainname(struct json_dec *d, const struct json *root, const struct spec *spec)
{
	const struct json *list = json_get(json_get(root, "linux"), "sysctl");

	for (size_t i = 0; spec->domainname && i < spec->linux->n_sysctl; i++)
		if (!strcmp(spec->linux->sysctl[i].key, "kernel/domainname"))
			return json_fail(d, json_at(list, i), "the domain name is set by /domainname");
	return 0;
}

static int read_builtin_init(struct json_dec *d, const struct json *root, struct spec *spec)
{
	const struct json *value = json_get(json_get(root, "annotations"), SPEC_BUILTIN_INIT);
	const char *text = json_string(value, "false");

	spec->builtin_init = !strcmp(text, "true");
	if (spec->builtin_init || !strcmp(text, "false"))
		return 0;
	return json_fail(d, value, "neither true nor false: '%s'", text);
}

static int finish_spec(struct json_dec *d, const struct json *root, struct spec *spec)
{
	int r;

	if (!spec->linux)
		spec->linux = arena_alloc(d->a, sizeof *spec->linux);
	if (spec->linux && !spec->linux->resources)
		spec->linux->resources = arena_alloc(d->a, sizeof *spec->linux->resources);
	if (!spec->linux || !spec->linux->resources)
		return json_nomem(d);
	r = check_uts_name(d, root, spec->hostname, "/hostname", spec);
	if (r == 0)
		r = check_uts_name(d, root, spec->domainname, "/domainname", spec);
	if (r == 0)
		r = check_domainname(d, root, spec);
	if (r == 0)
		r = read_builtin_init(d, root, spec);
	return r < 0 ? r : check_idmap(d, root, spec);
}

/* Unknown keys are ignored, as the specification wants, in whatever document
 * this one is; `user` is what the decoders of the sections look for. */
static struct json_dec begin_part(struct json_dec *d, void *user)
{
	struct json_dec before = *d;

	d->refuse_unknown = d->unknown_unsupported = false;
	d->user = user;
	return before;
}

static void end_part(struct json_dec *d, const struct json_dec *before)
{
	d->refuse_unknown = before->refuse_unknown;
	d->unknown_unsupported = before->unknown_unsupported;
	d->user = before->user;
}

int spec_decode(struct json_dec *d, const struct json *v, struct spec **ret)
{
	struct spec *spec = arena_alloc(d->a, sizeof *spec);
	struct json_dec before;
	int r;

	if (!spec)
		return json_nomem(d);
	before = begin_part(d, spec);
	r = json_decode(d, v, spec_fields, spec);
	if (r >= 0)
		r = finish_spec(d, v, spec);
	end_part(d, &before);
	*ret = spec;
	return r;
}

int spec_decode_process(struct json_dec *d, const struct json *v, struct spec_process **ret)
{
	struct spec_process *p = arena_alloc(d->a, sizeof *p);
	struct json_dec before;
	int r;

	if (!p)
		return json_nomem(d);
	before = begin_part(d, NULL);
	r = json_decode(d, v, spec_process_struct.fields, p);
	if (r >= 0)
		r = spec_process_struct.each(d, v, p);
	end_part(d, &before);
	*ret = p;
	return r;
}

int spec_parse(struct arena *a, const char *text, size_t len, const char *name,
	       const struct spec_problems *problems, struct spec **ret_spec, struct err *e)
{
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	struct err own;
	struct spec *spec = NULL;
	int r;

	d.e = e ? e : &own;
	r = json_parse(a, text, len, name, &doc, d.e);
	if (r < 0) {
		if (problems)
			problems->add(problems->ctx, "", 0, d.e->msg);
		return r;
	}
	if (problems) {
		d.add = problems->add;
		d.ctx = problems->ctx;
	}
	r = spec_decode(&d, doc.root, &spec);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return r;
	*ret_spec = spec;
	return 0;
}

/* One section as a document of its own. */
static int parse_section(struct arena *a, const struct json_doc *doc, const struct json_struct *s,
			 void *user, void **ret, struct err *e)
{
	struct json_dec d = { .doc = doc, .a = a, .user = user, .e = e };
	void *obj = arena_alloc(a, s->size);
	int r;

	if (!obj)
		return json_nomem(&d);
	r = json_decode(&d, doc->root, s->fields, obj);
	if (r >= 0 && s->each)
		r = s->each(&d, doc->root, obj);
	if (r < 0)
		return r;
	*ret = obj;
	return 0;
}

int spec_parse_process(struct arena *a, const char *text, size_t len, const char *name,
		       struct spec_process **ret, struct err *e)
{
	struct json_doc doc;
	void *obj = NULL;
	int r = json_parse(a, text, len, name, &doc, e);

	if (r >= 0)
		r = parse_section(a, &doc, &spec_process_struct, NULL, &obj, e);
	if (r < 0)
		return r;
	*ret = obj;
	return 0;
}

int spec_parse_resources(struct arena *a, const char *text, size_t len, const char *name,
			 struct spec_resources **ret, struct err *e)
{
	struct json_doc doc;
	void *obj = NULL;
	int r = json_parse(a, text, len, name, &doc, e);

	if (r >= 0)
		r = parse_section(a, &doc, &spec_resources_struct, NULL, &obj, e);
	if (r < 0)
		return r;
	*ret = obj;
	return 0;
}

int spec_parse_mount(struct arena *a, const char *text, size_t len, const char *name,
		     struct spec_mount **ret, struct err *e)
{
	struct spec warnings = { 0 };
	struct spec_mount *m;
	struct json_doc doc;
	void *obj = NULL;
	int r = json_parse(a, text, len, name, &doc, e);

	if (r >= 0)
		r = parse_section(a, &doc, &spec_mount_struct, &warnings, &obj, e);
	m = obj;
	if (r < 0 || !m)
		return r;
	m->destination = spec_clean_path(a, m->destination);
	if (!m->destination)
		return err_sys(e, -ENOMEM, "%s", name);
	*ret = m;
	return 0;
}
