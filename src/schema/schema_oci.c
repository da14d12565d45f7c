/* A system of HCS's schema -> OCI's config.json. */
#include "schema_oci.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci_parts.h"

int schema_no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "map the document");
}

int schema_take_text(struct arena *a, const struct sb *b, char **ret_text, size_t *ret_len,
		     struct err *e)
{
	char *text;

	if (b->failed || !b->s)
		return schema_no_memory(e);
	/* it grows where characters need to be escaped */
	if (b->len > JSON_MAX_SIZE)
		return err_set(e, ERR_INVALID, -E2BIG, "map the document: the result has %zu bytes", b->len);
	text = arena_strndup(a, b->s, b->len);
	if (!text)
		return schema_no_memory(e);
	*ret_text = text;
	*ret_len = b->len;
	return 0;
}

bool schema_has_key(const struct kv *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].key, key))
			return true;
	return false;
}

/* Where the system will find its own, before there is one: layers from the top. */
static int set_roots(struct arena *a, const struct schema_storage *s, struct schema_needs *n, struct err *e)
{
	n->roots = arena_calloc(a, s->n_layers + 1, sizeof *n->roots);
	if (!n->roots)
		return schema_no_memory(e);
	n->roots[n->n_roots++] = schema_root_directory(s);
	if (s->n_layers)
		n->n_roots = 0;
	for (size_t i = 0; i < s->n_layers; i++)
		n->roots[n->n_roots++] = s->layers[i].path;
	return 0;
}

int schema_needs(struct arena *a, const struct schema_system *s, struct schema_needs *ret,
		 struct err *e)
{
	const struct schema_container *c = &s->container;
	struct schema_needs n = {
		.network_of = c->networking.shared_with,
		.processors = c->processor.maximum != 0,
	};

	if (c->storage.iops_maximum || c->storage.bandwidth_maximum)
		n.device_of = schema_root_directory(&c->storage);
	if (c->own_command && !c->oci.document) {
		n.bundle_config = arena_printf(a, "%s/config.json", c->oci.bundle_path);
		if (!n.bundle_config)
			return schema_no_memory(e);
	}
	if (c->process && c->process->user_name) {
		n.user_name = c->process->user_name;
		if (set_roots(a, &c->storage, &n, e) < 0)
			return schema_no_memory(e);
	}
	*ret = n;
	return 0;
}

/* ---- wishes -------------------------------------------------------------- */

static int set_network(struct arena *a, struct spec_make *m, const struct schema_networking *n,
		       const struct schema_oci_input *in, struct err *e)
{
	if (n->shared_with) {
		m->network_path = in->network_path;
		if (!m->network_path)
			return err_set(e, ERR_NOT_FOUND, 0, "the network of system '%s' is not known",
				       n->shared_with);
	} else if (n->ns) {
		m->network_path = n->ns[0] == '/' ? n->ns : arena_printf(a, "/run/netns/%s", n->ns);
		if (!m->network_path)
			return schema_no_memory(e);
	}
	return 0;
}

static int set_throttle(struct spec_make *m, const struct schema_storage *s,
			const struct schema_oci_input *in, struct err *e)
{
	if (!s->iops_maximum && !s->bandwidth_maximum)
		return 0;
	if (!in->has_device)
		return err_set(e, ERR_INVALID, 0, "the device of '%s', for its limits, is not known",
			       schema_root_directory(s));
	m->throttle = (struct spec_make_throttle){
		.major = in->major,
		.minor = in->minor,
		.bytes = s->bandwidth_maximum,
		.operations = s->iops_maximum,
	};
	return 0;
}

static void put_bind(struct spec_make_mount *m, const struct schema_bind *b)
{
	static const char *const directory[] = { "rbind", "rro" }, *const pipe[] = { "bind" };

	*m = (struct spec_make_mount){
		.destination = b->destination,
		.type = "bind",
		.source = b->source,
		.options = b->is_directory ? directory : pipe,
		.n_options = b->is_directory && b->read_only ? 2 : 1,
	};
}

static int set_mounts(struct arena *a, struct spec_make *m, const struct schema_container *c,
		      struct err *e)
{
	size_t n = c->n_directories + c->n_pipes;
	struct spec_make_mount *list = arena_calloc(a, n, sizeof *list);
	struct schema_bind b;
	int r = list ? 0 : schema_no_memory(e);

	for (size_t i = 0; r == 0 && i < c->n_directories; i++) {
		b = schema_bind_directory(&c->directories[i]);
		put_bind(&list[i], &b);
	}
	for (size_t i = 0; r == 0 && i < c->n_pipes; i++) {
		r = schema_bind_pipe(a, &c->pipes[i], &b, e);
		if (r == 0)
			put_bind(&list[c->n_directories + i], &b);
	}
	m->mounts = list;
	m->n_mounts = n;
	return r;
}

/* Each name once: what the caller adds does not undo what asks for the init, or
 * ask for one where there is another command. */
static int set_annotations(struct arena *a, struct spec_make *m, const struct schema_oci_input *in,
			   struct err *e)
{
	struct kv *list = arena_calloc(a, in->n_annotations + 1, sizeof *list);
	size_t n = 0;

	if (!list)
		return schema_no_memory(e);
	list[n++] = (struct kv){
		.key = (char *)SCHEMA_INIT_ANNOTATION,
		.value = (char *)(m->process ? "false" : "true"),
	};
	for (size_t i = 0; i < in->n_annotations; i++)
		if (!schema_has_key(list, n, in->annotations[i].key))
			list[n++] = in->annotations[i];
	m->annotations = list;
	m->n_annotations = n;
	return 0;
}

/* ---- a system ------------------------------------------------------------ */

enum { HOSTNAME_MAX = 64 };

/* The document's own first process. */
static int set_process(struct arena *a, const struct schema_process *p, const struct schema_oci_input *in,
		       struct spec_make *m, struct err *e)
{
	struct schema_text text = { 0 };
	struct json_doc doc;
	int r = schema_oci_process(a, p, in->user, &text, e);

	if (r == 0)
		r = json_parse(a, text.text, text.len, "process", &doc, e);
	if (r == 0)
		m->process = doc.root;
	return r;
}

static int make(struct arena *a, const struct schema_container *c, const struct schema_oci_input *in,
		struct spec_make *m, struct err *e)
{
	int r;

	m->hostname = c->hostname;
	if (!m->hostname && in->id)
		m->hostname = arena_strndup(a, in->id, strnlen(in->id, HOSTNAME_MAX));
	schema_set_memory(m, c->memory_mb);
	r = schema_set_processor(m, &c->processor, in, e);
	if (r == 0)
		r = set_throttle(m, &c->storage, in, e);
	if (r == 0)
		r = set_network(a, m, &c->networking, in, e);
	if (r == 0)
		r = set_mounts(a, m, c, e);
	if (r == 0 && c->process)
		r = set_process(a, c->process, in, m, e);
	return r < 0 ? r : set_annotations(a, m, in, e);
}

int schema_oci_system(struct arena *a, const struct schema_system *s,
		      const struct schema_oci_input *in, struct schema_oci_output *ret,
		      struct err *e)
{
	static const char *const args[] = { "init" };
	struct spec_make m = {
		.root = "rootfs",
		.args = args,
		.n_args = ARRAY_SIZE(args),
		.cgroups_path = in->cgroups_path,
	};
	struct schema_oci_output out = { .cgroups_path = in->cgroups_path };
	OWN_SB struct sb text = SB_INIT;
	struct jw w;
	int r;

	if (s->container.own_command) {
		r = schema_oci_pass(a, &s->container, in, &out, e);
	} else {
		r = make(a, &s->container, in, &m, e);
		out.own_command = m.process != NULL;
		out.terminal = json_get(m.process, "terminal") && json_get(m.process, "terminal")->b;
		if (r == 0)
			r = schema_root_of_storage(a, &s->container.storage, &out, e);
		jw_init(&w, &text, NULL);
		if (r == 0)
			r = spec_make(&w, a, &m, e);
		if (r == 0)
			r = schema_take_text(a, &text, &out.text, &out.len, e);
	}
	if (r == 0)
		*ret = out;
	return r;
}
