/* The `mounts` section: options are split here by what they do. */
#include "spec_decode.h"

#include <linux/mount.h>
#include <string.h>

#include "mem.h"
#include "str.h"

/* clang-format off */
static const struct json_field mount_fields[] = {
	JSON_FIELD("destination",      json_dec_string,  struct spec_mount, destination, JSON_REQUIRED | JSON_NONEMPTY),
	JSON_FIELD("type",             spec_dec_text,    struct spec_mount, type, 0),
	JSON_FIELD("source",           spec_dec_text,    struct spec_mount, source, 0),
	JSON_FIELD_LIST("options",     json_dec_strings, struct spec_mount, options, 0, NULL),
	JSON_FIELD_LIST("uidMappings", json_dec_list,    struct spec_mount, uid_maps, 0, &spec_id_map_struct),
	JSON_FIELD_LIST("gidMappings", json_dec_list,    struct spec_mount, gid_maps, 0, &spec_id_map_struct),
	{ 0 }
};
/* clang-format on */

static void add_flag(struct spec_mount *m, const struct mount_option *o)
{
	unsigned long bits = (unsigned long)o->bits;

	if (bits & MS_BIND) {
		m->is_bind = true;
		m->recursive = (bits & MS_REC) != 0;
	} else if (o->clear) {
		m->flags &= ~bits;
		m->cleared |= bits;
	} else {
		m->flags |= bits;
		m->cleared &= ~bits;
	}
}

static void add_recursive(struct spec_mount *m, const struct mount_option *o)
{
	/* The access time is one field: setting any value clears the others. */
	if ((o->bits & ~(uint64_t)MOUNT_ATTR__ATIME) == 0) {
		m->rec_set &= ~(uint64_t)MOUNT_ATTR__ATIME;
		m->rec_clear |= MOUNT_ATTR__ATIME;
		if (!o->clear)
			m->rec_set |= o->bits;
	} else if (o->clear) {
		m->rec_set &= ~o->bits;
		m->rec_clear |= o->bits;
	} else {
		m->rec_set |= o->bits;
		m->rec_clear &= ~o->bits;
	}
}

static int add_option(struct json_dec *d, const struct json *v, struct spec_mount *m,
		      const struct mount_option *o)
{
	switch ((enum mount_option_kind)o->kind) {
	case MOUNT_OPTION_FLAG:
		add_flag(m, o);
		break;
	case MOUNT_OPTION_RECURSIVE:
		add_recursive(m, o);
		break;
	case MOUNT_OPTION_MEMBER:
		*(bool *)((char *)m + o->bits) = true;
		break;
	case MOUNT_OPTION_NOTHING:
		break;
	case MOUNT_OPTION_PROPAGATION:
		if (m->n_propagation == ARRAY_SIZE(m->propagation))
			return json_fail(d, v, "more than %zu propagation options",
					 ARRAY_SIZE(m->propagation));
		m->propagation[m->n_propagation++] = (unsigned long)o->bits;
		break;
	}
	return 0;
}

/* What is not in our table is for the file system. */
static int split_options(struct json_dec *d, const struct json *list, struct spec_mount *m)
{
	size_t size = 1, len = 0;
	int r;

	for (size_t i = 0; i < m->n_options; i++)
		size += strlen(m->options[i]) + 1;
	m->data = arena_alloc(d->a, size);
	if (!m->data)
		return json_nomem(d);
	for (size_t i = 0; i < m->n_options; i++) {
		const struct mount_option *o = mount_option_find(m->options[i]);
		size_t n = strlen(m->options[i]);

		if (o) {
			r = add_option(d, json_at(list, i), m, o);
			if (r < 0)
				return r;
		} else if (n) {
			if (len)
				m->data[len++] = ',';
			memcpy(m->data + len, m->options[i], n);
			len += n;
		}
	}
	if (!len)
		m->data = NULL;
	return 0;
}

static int check_maps(struct json_dec *d, const struct json *v, struct spec_mount *m)
{
	int r = spec_check_id_maps(d, json_get(v, "uidMappings"), m->uid_maps, m->n_uid_maps);

	if (r == 0)
		r = spec_check_id_maps(d, json_get(v, "gidMappings"), m->gid_maps, m->n_gid_maps);
	if (r < 0)
		return r;
	if (!m->n_uid_maps != !m->n_gid_maps)
		return json_fail_at(d, v, m->n_uid_maps ? "/gidMappings" : "/uidMappings",
				    "is missing: uidMappings and gidMappings go together");
	if (m->n_uid_maps && !m->ridmap)
		m->idmap = true;
	if ((m->idmap || m->ridmap) && !m->is_bind)
		return json_fail(d, v, "id-mapped mounts are only supported for bind mounts");
	return 0;
}

/* runc takes a relative destination and warns. */
static int make_absolute(struct json_dec *d, struct spec_mount *m)
{
	struct spec *spec = d->user;
	const char *written = m->destination;
	char *warning;

	m->destination = spec_clean_path(d->a, written);
	if (!m->destination)
		return json_nomem(d);
	if (!spec->warnings)
		spec->warnings = arena_calloc(d->a, JSON_MAX_PROBLEMS, sizeof(char *));
	if (!spec->warnings)
		return json_nomem(d);
	if (spec->n_warnings == JSON_MAX_PROBLEMS - 1)
		return 0;
	warning = arena_printf(d->a, "mount destination '%s' is not absolute: '%s' is taken", written,
			       m->destination);
	if (!warning)
		return json_nomem(d);
	spec->warnings[spec->n_warnings++] = warning;
	return 0;
}

static int check_mount(struct json_dec *d, const struct json *v, void *obj)
{
	static char *empty[] = { NULL };
	struct spec_mount *m = obj;
	int r = split_options(d, json_get(v, "options"), m);

	if (!m->options)
		m->options = empty;
	if (r == 0 && m->destination && m->destination[0] != '/')
		r = make_absolute(d, m);
	if (m->type && !strcmp(m->type, "bind"))
		m->is_bind = true;
	if (r == 0 && m->is_bind && !m->source && !(m->flags & MS_REMOUNT))
		r = json_fail_at(d, v, "/source", "is missing: a bind mount needs it");
	return r < 0 ? r : check_maps(d, v, m);
}

const struct json_struct spec_mount_struct = { sizeof(struct spec_mount), mount_fields,
					       check_mount };
