/* A config.json on its way into a bundle; see config.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "str.h"

static void print_linux(struct jw *w, const struct json *linux_object, const char *cgroup)
{
	jw_begin(w, '{');
	for (uint32_t i = 0; linux_object && i < linux_object->n; i++) {
		const struct json *v = &linux_object->items[i];

		if (!strcmp(v->key, "cgroupsPath")) /* "" or null */
			continue;
		jw_key(w, v->key);
		jw_value(w, v);
	}
	jw_kstr(w, "cgroupsPath", cgroup);
	jw_end(w);
}

static int add_cgroup(struct arena *a, const struct json *root, const char *cgroup, struct config *ret, struct err *e)
{
	const struct json *linux_object = json_get(root, "linux");
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	for (uint32_t i = 0; i < root->n; i++) {
		const struct json *v = &root->items[i];

		if (v == linux_object)
			continue;
		jw_key(&w, v->key);
		jw_value(&w, v);
	}
	jw_key(&w, "linux");
	print_linux(&w, linux_object, cgroup);
	jw_end(&w);
	ret->text = b.failed ? NULL : arena_strndup(a, b.s, b.len);
	ret->len = b.len;
	return ret->text ? 0 : err_sys(e, -ENOMEM, "config.json");
}

static bool is_grouped(const struct json *root)
{
	static const char *const keys[] = { "io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id" };
	const struct json *annotations = json_get(root, "annotations");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *group = json_string(json_get(annotations, keys[i]), NULL);

		if (!str_empty(group))
			return true;
	}
	return false;
}

int config_prepare(struct arena *a, const char *text, size_t len, const char *cgroup, struct config *ret,
		   struct err *e)
{
	const struct json *linux_object, *path;
	struct json_doc doc;
	int r = json_parse(a, text, len, "config.json", &doc, e);

	if (r < 0)
		return r;
	if (doc.root->type != JSON_OBJECT)
		return err_set(e, ERR_INVALID, 0, "config.json: must be an object, not %s", json_type_name(doc.root));
	linux_object = json_get(doc.root, "linux");
	if (linux_object && linux_object->type != JSON_OBJECT && linux_object->type != JSON_NULL)
		return err_set(e, ERR_INVALID, 0, "config.json: /linux: must be an object, not %s",
			       json_type_name(linux_object));
	*ret = (struct config){ .text = text, .len = len, .grouped = is_grouped(doc.root) };
	path = json_get(linux_object, "cgroupsPath");
	if (!cgroup || !(!path || path->type == JSON_NULL || (path->type == JSON_STRING && !*path->s)))
		return 0;
	return add_cgroup(a, doc.root, cgroup, ret, e);
}
