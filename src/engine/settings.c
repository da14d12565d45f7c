/* Reading the engine's configuration; see engine.h and docs/engine.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "err.h"
#include "file.h"
#include "identifier.h"
#include "json.h"
#include "mem.h"
#include "str.h"

#define SETTINGS_FILE "/etc/berth/engine.json"

const struct json_field engine_settings_fields[] = {
	JSON_FIELD("state", json_dec_string, struct engine_settings, state, JSON_NONEMPTY),
	JSON_FIELD("namespace", json_dec_string, struct engine_settings, namespace, JSON_NONEMPTY),
	JSON_FIELD("cgroup_parent", json_dec_string, struct engine_settings, cgroup_parent, JSON_NONEMPTY),
	JSON_FIELD("shim", json_dec_string, struct engine_settings, shim, JSON_NONEMPTY),
	JSON_FIELD("runtime", json_dec_string, struct engine_settings, runtime, 0),
	JSON_FIELD("runtime_root", json_dec_string, struct engine_settings, runtime_root, JSON_NONEMPTY),
	JSON_FIELD("shim_debug", json_dec_bool, struct engine_settings, shim_debug, 0),
	JSON_FIELD("shim_mount_namespace", json_dec_bool, struct engine_settings, shim_mount_namespace, 0),
	JSON_FIELD("shim_cgroup", json_dec_string, struct engine_settings, shim_cgroup, 0),
	{ 0 },
};

static const struct variable {
	const char *name;
	size_t member;
} variables[] = {
	{ "BERTH_STATE", offsetof(struct engine_settings, state) },
	{ "BERTH_NAMESPACE", offsetof(struct engine_settings, namespace) },
	{ "BERTH_CGROUP_PARENT", offsetof(struct engine_settings, cgroup_parent) },
	{ "BERTH_SHIM", offsetof(struct engine_settings, shim) },
	{ "BERTH_RUNTIME", offsetof(struct engine_settings, runtime) },
};

/* The name a value came by last: a member's, or a variable's. */
static const char *name_of(size_t member)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (variables[i].member == member && getenv(variables[i].name))
			return variables[i].name;
	for (const struct json_field *f = engine_settings_fields; f->key; f++)
		if (f->offset == member)
			return f->key;
	return "";
}

static int check_directory(const char *path, size_t member, struct err *e)
{
	if (*path != '/')
		return err_set(e, ERR_INVALID, 0, "%s: '%s' is no absolute path", name_of(member), path);
	return 0;
}

int engine_settings_check(const struct engine_settings *s, struct err *e)
{
	int r = check_directory(s->state, offsetof(struct engine_settings, state), e);

	if (r >= 0)
		r = check_directory(s->cgroup_parent, offsetof(struct engine_settings, cgroup_parent), e);
	if (r >= 0)
		r = check_directory(s->runtime_root, offsetof(struct engine_settings, runtime_root), e);
	if (r < 0)
		return r;
	r = identifier_check(s->namespace, e);
	return r < 0 ? err_wrap(e, r, "%s", name_of(offsetof(struct engine_settings, namespace))) : r;
}

static int read_file(struct arena *a, struct engine_settings *ret, struct err *e)
{
	const char *path = getenv("BERTH_CONFIG");
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .refuse_unknown = true, .e = e };
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path ? path : SETTINGS_FILE, JSON_MAX_SIZE, &text, &len, e);

	if (r == -ENOENT && !path)
		return 0;
	if (r >= 0)
		r = json_parse(a, text, len, path ? path : SETTINGS_FILE, &doc, e);
	if (r >= 0)
		r = json_decode(&d, doc.root, engine_settings_fields, ret);
	return r < 0 ? r : json_dec_end(&d);
}

int engine_settings_read(struct arena *a, struct engine_settings *ret, struct err *e)
{
	static char state[] = "/run/berth/state", namespace[] = "default", cgroup_parent[] = "/berth";
	static char shim[] = "containerd-shim-berth-v2", runtime_root[] = "/run/berth/runc", none[] = "";
	int r;

	*ret = (struct engine_settings){
		.state = state,
		.namespace = namespace,
		.cgroup_parent = cgroup_parent,
		.shim = shim,
		.runtime = none,
		.runtime_root = runtime_root,
		.shim_mount_namespace = true,
		.shim_cgroup = none,
	};
	r = read_file(a, ret, e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(variables); i++) {
		const char *value = getenv(variables[i].name);
		char *copy;

		if (!value)
			continue;
		copy = arena_strdup(a, value);
		if (!copy)
			return err_sys(e, -ENOMEM, "read the settings");
		*(char **)((char *)ret + variables[i].member) = copy;
	}
	return r < 0 ? r : engine_settings_check(ret, e);
}
