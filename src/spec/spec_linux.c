/* The `linux` section, but for resources, seccomp and sysctl. */
#include "spec_decode.h"

#include <string.h>

#include "mem.h"
#include "str.h"

/* ---- namespaces ------------------------------------------------------- */

struct namespace_row {
	int type;
	char *path;
};

/* clang-format off */
static const struct spec_choice namespace_choice = { namespace_names, "namespace" };
static const struct json_field namespace_fields[] = {
	JSON_FIELD_ARG("type", spec_dec_name, struct namespace_row, type, JSON_REQUIRED, &namespace_choice),
	JSON_FIELD("path",     spec_dec_text, struct namespace_row, path, 0),
	{ 0 }
};
/* clang-format on */

static int add_namespace(struct json_dec *d, const struct json *v, struct spec_namespace *ns)
{
	struct namespace_row row = { .type = -1 };
	int r = json_decode(d, v, namespace_fields, &row);

	if (r < 0 || row.type < 0)
		return r;
	if (ns[row.type].present)
		return json_fail_at(d, v, "/type", "duplicate namespace '%s'",
				    namespace_name((enum ns_type)row.type));
	if (row.path && row.path[0] != '/')
		r = json_fail_at(d, v, "/path", "'%s' must be an absolute path", row.path);
	ns[row.type].present = true;
	ns[row.type].path = row.path;
	return r;
}

static JSON_DECODER(dec_namespaces)
{
	struct spec_namespace *ns = (struct spec_namespace *)((char *)obj + f->offset);
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	for (uint32_t i = 0; r == 0 && i < v->n; i++)
		r = add_namespace(d, &v->items[i], ns);
	return r;
}

/* ---- time offsets ----------------------------------------------------- */

static JSON_DECODER(dec_nanosecs)
{
	if (v->type == JSON_INT && !v->negative && v->u > 999999999)
		return json_fail(d, v, "must be at most 999999999");
	return json_dec_u32(d, v, f, obj);
}

/* clang-format off */
static const struct json_field offset_fields[] = {
	JSON_FIELD("secs",     json_dec_i64, struct spec_time_offset, secs, 0),
	JSON_FIELD("nanosecs", dec_nanosecs, struct spec_time_offset, nanosecs, 0),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_offset)
{
	struct spec_time_offset *o = (struct spec_time_offset *)((char *)obj + f->offset);

	o->present = true;
	return json_decode(d, v, offset_fields, o);
}

/* clang-format off */
static const struct json_field clock_fields[] = {
	JSON_FIELD("monotonic", dec_offset, struct spec_linux, monotonic, 0),
	JSON_FIELD("boottime",  dec_offset, struct spec_linux, boottime, 0),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_time_offsets)
{
	(void)f;
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->n; i++) {
		const char *clock = v->items[i].key;
		int r = 0;

		if (strcmp(clock, "monotonic") && strcmp(clock, "boottime"))
			r = json_fail(d, &v->items[i], "unknown clock '%s'", clock);
		if (r < 0)
			return r;
	}
	return json_decode(d, v, clock_fields, obj);
}

/* ---- devices ---------------------------------------------------------- */

static JSON_DECODER(dec_file_mode)
{
	struct spec_device *dev = obj;
	int r = json_dec_u32(d, v, f, obj);

	/* Some callers put the type of the file in, too. */
	dev->mode &= 07777;
	return r;
}

/* clang-format off */
static const struct spec_choice device_type = { device_type_names, "device type" };
static const struct json_field device_fields[] = {
	JSON_FIELD_ARG("type",     spec_dec_name_char, struct spec_device, type, JSON_REQUIRED, &device_type),
	JSON_FIELD("path",         spec_dec_abs_path,  struct spec_device, path, JSON_REQUIRED),
	JSON_FIELD("major",        json_dec_i64,       struct spec_device, major, 0),
	JSON_FIELD("minor",        json_dec_i64,       struct spec_device, minor, 0),
	JSON_FIELD_OPT("fileMode", dec_file_mode,      struct spec_device, mode),
	JSON_FIELD_OPT("uid",      spec_dec_id,        struct spec_device, uid),
	JSON_FIELD_OPT("gid",      spec_dec_id,        struct spec_device, gid),
	{ 0 }
};
/* clang-format on */

/* dev_t has 12 and 20 bits in the kernel. */
static int check_number(struct json_dec *d, const struct json *v, const char *rel, int64_t number,
			int64_t max, char type)
{
	const struct json *given = json_get(v, rel + 1);

	if (type != 'p' && (!given || given->type == JSON_NULL))
		return json_fail_at(d, v, rel, "is missing");
	if (number < 0 || number > max)
		return json_fail_at(d, v, rel, "must be between 0 and %lld", (long long)max);
	return 0;
}

static int check_device(struct json_dec *d, const struct json *v, void *obj)
{
	const struct spec_device *dev = obj;
	int r = 0;

	if (dev->type)
		r = check_number(d, v, "/major", dev->major, 0xfff, dev->type);

	if (r == 0 && dev->type)
		r = check_number(d, v, "/minor", dev->minor, 0xfffff, dev->type);
	return r;
}

static const struct json_struct device_struct = { sizeof(struct spec_device), device_fields,
						  check_device };

/* ---- the rest --------------------------------------------------------- */

static JSON_DECODER(dec_clos_id)
{
	if (v->type == JSON_STRING &&
	    (strchr(v->s, '/') || !strcmp(v->s, ".") || !strcmp(v->s, "..")))
		return json_fail(d, v, "'%s' is not a directory name", v->s);
	return spec_dec_text(d, v, f, obj);
}

static JSON_DECODER(dec_mb_schema)
{
	if (v->type == JSON_STRING && v->n && (!str_starts(v->s, "MB:") || strchr(v->s, '\n')))
		return json_fail(d, v, "'%s' must be one line that begins with 'MB:'", v->s);
	return spec_dec_text(d, v, f, obj);
}

/* clang-format off */
static const struct json_field intel_rdt_fields[] = {
	JSON_FIELD("closID",           dec_clos_id,      struct spec_intel_rdt, clos_id, 0),
	JSON_FIELD("l3CacheSchema",    spec_dec_text,    struct spec_intel_rdt, l3_cache_schema, 0),
	JSON_FIELD("memBwSchema",      dec_mb_schema,    struct spec_intel_rdt, mem_bw_schema, 0),
	JSON_FIELD_LIST("schemata",    json_dec_strings, struct spec_intel_rdt, schemata, 0, NULL),
	JSON_FIELD("enableCMT",        json_dec_bool,    struct spec_intel_rdt, enable_cmt, 0),
	JSON_FIELD("enableMBM",        json_dec_bool,    struct spec_intel_rdt, enable_mbm, 0),
	JSON_FIELD("enableMonitoring", json_dec_bool,    struct spec_intel_rdt, enable_monitoring, 0),
	{ 0 }
};
static const struct json_struct intel_rdt_struct = {
	sizeof(struct spec_intel_rdt), intel_rdt_fields, NULL
};

static const struct spec_choice domain = { personality_names, "personality" };
static const struct json_field personality_fields[] = {
	JSON_FIELD_ARG("domain", spec_dec_name_u32,    struct spec_personality, domain, JSON_REQUIRED, &domain),
	JSON_FIELD("flags",      spec_dec_unsupported_content, struct spec_personality, domain, 0),
	{ 0 }
};
static const struct json_struct personality_struct = {
	sizeof(struct spec_personality), personality_fields, NULL
};
/* clang-format on */

static JSON_DECODER(dec_propagation)
{
	const struct mount_option *o;
	int r = 0;

	if (!json_want(d, v, JSON_STRING, &r) || v->n == 0)
		return r;
	o = mount_option_find(v->s);
	if (!o || o->kind != MOUNT_OPTION_PROPAGATION)
		return json_fail(d, v, "unknown propagation '%s'", v->s);
	*(unsigned long *)((char *)obj + f->offset) = (unsigned long)o->bits;
	return 0;
}

/* clang-format off */
static const struct json_field linux_fields[] = {
	JSON_FIELD("namespaces",          dec_namespaces,     struct spec_linux, ns, 0),
	JSON_FIELD_LIST("uidMappings",    json_dec_list,      struct spec_linux, uid_maps, 0, &spec_id_map_struct),
	JSON_FIELD_LIST("gidMappings",    json_dec_list,      struct spec_linux, gid_maps, 0, &spec_id_map_struct),
	JSON_FIELD("timeOffsets",         dec_time_offsets,   struct spec_linux, monotonic, 0),
	JSON_FIELD_LIST("devices",        json_dec_list,      struct spec_linux, devices, 0, &device_struct),
	JSON_FIELD("cgroupsPath",         spec_dec_text,      struct spec_linux, cgroups_path, 0),
	JSON_FIELD_ARG("resources",       json_dec_pointer,   struct spec_linux, resources, 0, &spec_resources_struct),
	JSON_FIELD_ARG("intelRdt",        json_dec_pointer,   struct spec_linux, intel_rdt, 0, &intel_rdt_struct),
	JSON_FIELD_LIST("sysctl",         spec_dec_map,       struct spec_linux, sysctl, 0, NULL),
	JSON_FIELD_ARG("seccomp",         json_dec_pointer,   struct spec_linux, seccomp, 0, &spec_seccomp_struct),
	JSON_FIELD("rootfsPropagation",   dec_propagation,    struct spec_linux, rootfs_propagation, 0),
	JSON_FIELD_LIST("maskedPaths",    spec_dec_abs_paths, struct spec_linux, masked_paths, 0, NULL),
	JSON_FIELD_LIST("readonlyPaths",  spec_dec_abs_paths, struct spec_linux, readonly_paths, 0, NULL),
	JSON_FIELD("mountLabel",          spec_dec_text,      struct spec_linux, mount_label, 0),
	JSON_FIELD_ARG("personality",     json_dec_pointer,   struct spec_linux, personality, 0, &personality_struct),
	/* of runtime-spec 1.3: empty ones ask for nothing */
	JSON_FIELD("netDevices",          spec_dec_unsupported_content, struct spec_linux, ns, 0),
	JSON_FIELD("memoryPolicy",        spec_dec_unsupported_content, struct spec_linux, ns, 0),
	{ 0 }
};
/* clang-format on */

static int check_user_namespace(struct json_dec *d, const struct json *v, struct spec_linux *l)
{
	const struct spec_namespace *user = &l->ns[NS_USER];
	int r = 0;

	if (!user->present && (l->n_uid_maps || l->n_gid_maps))
		return json_fail_at(d, v, l->n_uid_maps ? "/uidMappings" : "/gidMappings",
				    "id mappings need a user namespace");
	if (user->present && !user->path && !l->n_uid_maps)
		r = json_fail_at(d, v, "/uidMappings", "is missing: a new user namespace needs it");
	if (r == 0 && user->present && !user->path && !l->n_gid_maps)
		r = json_fail_at(d, v, "/gidMappings", "is missing: a new user namespace needs it");
	if (r == 0)
		r = spec_check_id_maps(d, json_get(v, "uidMappings"), l->uid_maps, l->n_uid_maps);
	if (r == 0)
		r = spec_check_id_maps(d, json_get(v, "gidMappings"), l->gid_maps, l->n_gid_maps);
	return r;
}

static int check_linux(struct json_dec *d, const struct json *v, void *obj)
{
	struct spec_linux *l = obj;
	int r = check_user_namespace(d, v, l);

	if (r == 0 && (l->monotonic.present || l->boottime.present) &&
	    (!l->ns[NS_TIME].present || l->ns[NS_TIME].path))
		r = json_fail_at(d, v, "/timeOffsets", "time offsets need a new time namespace");
	return r < 0 ? r : spec_check_sysctl(d, json_get(v, "sysctl"), l);
}

const struct json_struct spec_linux_struct = { sizeof(struct spec_linux), linux_fields,
					       check_linux };
