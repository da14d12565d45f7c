/* Reading the shim's configuration; see settings.h. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "file.h"
#include "json.h"
#include "str.h"

static const struct json_field fields[] = {
	JSON_FIELD_LIST("builtin_names", json_dec_strings, struct settings, builtin_names, 0, NULL),
	JSON_FIELD("root", json_dec_string, struct settings, root, JSON_NONEMPTY),
	JSON_FIELD("runtime_root", json_dec_string, struct settings, runtime_root, JSON_NONEMPTY),
	JSON_FIELD("state_dir", json_dec_string, struct settings, state_dir, JSON_NONEMPTY),
	JSON_FIELD("socket_dir", json_dec_string, struct settings, socket_dir, JSON_NONEMPTY),
	JSON_FIELD("keep_events", json_dec_u32, struct settings, keep_events, 0),
	JSON_FIELD("mount_namespace", json_dec_bool, struct settings, mount_namespace, 0),
	{ 0 },
};

int settings_read_file(struct arena *a, const char *path, struct settings *ret, struct err *e)
{
	static char berth[] = "berth", runc[] = "runc", root[] = "/run/berth/containerd";
	static char runtime_root[] = "/run/containerd/runc", state_dir[] = "/run/berth/shim";
	static char socket_dir[] = "/run/containerd/s", *names[] = { berth, runc, NULL };
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .refuse_unknown = true, .e = e };
	char *text;
	size_t len;
	int r;

	*ret = (struct settings){
		.builtin_names = names,
		.n_builtin_names = 2,
		.root = root,
		.runtime_root = runtime_root,
		.state_dir = state_dir,
		.socket_dir = socket_dir,
		.keep_events = 5,
		.mount_namespace = true,
	};
	r = file_read(a, AT_FDCWD, path ? path : SETTINGS_FILE, JSON_MAX_SIZE, &text, &len, e);
	if (r == -ENOENT && !path)
		return 0;
	if (r >= 0)
		r = json_parse(a, text, len, path ? path : SETTINGS_FILE, &doc, e);
	if (r >= 0)
		r = json_decode(&d, doc.root, fields, ret);
	return r < 0 ? r : json_dec_end(&d);
}

int settings_read(struct arena *a, struct settings *ret, struct err *e)
{
	return settings_read_file(a, getenv("BERTH_SHIM_CONFIG"), ret, e);
}

bool settings_is_builtin(const struct settings *s, const char *binary_name)
{
	if (str_empty(binary_name))
		return true;
	for (size_t i = 0; i < s->n_builtin_names; i++)
		if (!strcmp(s->builtin_names[i], binary_name))
			return true;
	return false;
}
