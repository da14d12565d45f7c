/* linux.resources; also what `update --resources` reads. */
#include "spec_decode.h"

#include <string.h>

#include "mem.h"
#include "str.h"

/* ---- devices ---------------------------------------------------------- */

static JSON_DECODER(dec_access)
{
	struct spec_device_rule *rule = obj;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	if (v->s[strspn(v->s, "rwm")])
		return json_fail(d, v, "'%s' must be made of 'r', 'w' and 'm'", v->s);
	rule->read = strchr(v->s, 'r');
	rule->write = strchr(v->s, 'w');
	rule->mknod = strchr(v->s, 'm');
	return 0;
}

static const struct spec_choice rule_type = { device_rule_type_names, "device type" };

static JSON_DECODER(dec_rule_type)
{
	if (v->type == JSON_STRING && v->n == 0)
		return 0;
	return spec_dec_name_char(d, v, f, obj);
}

/* clang-format off */
static const struct json_field rule_fields[] = {
	JSON_FIELD("allow",    json_dec_bool, struct spec_device_rule, allow, 0),
	JSON_FIELD_ARG("type", dec_rule_type, struct spec_device_rule, type, 0, &rule_type),
	JSON_FIELD("major",    json_dec_i64,  struct spec_device_rule, major, 0),
	JSON_FIELD("minor",    json_dec_i64,  struct spec_device_rule, minor, 0),
	JSON_FIELD("access",   dec_access,    struct spec_device_rule, read, 0),
	{ 0 }
};
/* clang-format on */

static bool is_given(const struct json *v, const char *key)
{
	v = json_get(v, key);
	return v && v->type != JSON_NULL;
}

static int check_rule(struct json_dec *d, const struct json *v, void *obj)
{
	struct spec_device_rule *rule = obj;

	if (!rule->type)
		rule->type = 'a';
	if (!is_given(v, "major"))
		rule->major = -1;
	if (!is_given(v, "minor"))
		rule->minor = -1;
	if (rule->major < -1 || rule->major > UINT32_MAX)
		return json_fail_at(d, v, "/major", "must be -1 or a device number");
	if (rule->minor < -1 || rule->minor > UINT32_MAX)
		return json_fail_at(d, v, "/minor", "must be -1 or a device number");
	return 0;
}

static const struct json_struct rule_struct = { sizeof(struct spec_device_rule), rule_fields,
						check_rule };

/* ---- memory, cpu, pids ------------------------------------------------ */

static JSON_DECODER(dec_bytes)
{
	if (v->type == JSON_INT && v->negative && v->i < -1)
		return json_fail(d, v, "must not be negative (-1: unlimited)");
	return spec_dec_nonzero_i64(d, v, f, obj);
}

static JSON_DECODER(dec_swappiness)
{
	/* -1 as an unsigned number is how some clients say "leave it". */
	if (v->type == JSON_INT && !v->negative && v->u > 100 && v->u != UINT64_MAX)
		return json_fail(d, v, "must be between 0 and 100");
	return json_dec_u64(d, v, f, obj);
}

/* clang-format off */
static const struct json_field memory_fields[] = {
	JSON_FIELD_OPT("limit",             dec_bytes,      struct spec_memory, limit),
	JSON_FIELD_OPT("reservation",       dec_bytes,      struct spec_memory, reservation),
	JSON_FIELD_OPT("swap",              dec_bytes,      struct spec_memory, swap),
	JSON_FIELD_OPT("kernel",            dec_bytes,      struct spec_memory, kernel),
	JSON_FIELD_OPT("kernelTCP",         dec_bytes,      struct spec_memory, kernel_tcp),
	JSON_FIELD_OPT("swappiness",        dec_swappiness, struct spec_memory, swappiness),
	JSON_FIELD_OPT("disableOOMKiller",  json_dec_bool,  struct spec_memory, disable_oom_killer),
	JSON_FIELD_OPT("useHierarchy",      json_dec_bool,  struct spec_memory, use_hierarchy),
	JSON_FIELD_OPT("checkBeforeUpdate", json_dec_bool,  struct spec_memory, check_before_update),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_cpus)
{
	if (v->type == JSON_STRING && v->n && !spec_is_cpu_list(v->s))
		return json_fail(d, v, "'%s' is not a list such as \"0-3,7\"", v->s);
	return spec_dec_text(d, v, f, obj);
}

static JSON_DECODER(dec_idle)
{
	if (v->type == JSON_INT && (v->negative || v->u > 1))
		return json_fail(d, v, "must be 0 or 1");
	return json_dec_i64(d, v, f, obj);
}

/* clang-format off */
static const struct json_field cpu_fields[] = {
	JSON_FIELD_OPT("shares",          spec_dec_nonzero_u64, struct spec_cpu, shares),
	JSON_FIELD_OPT("quota",           spec_dec_nonzero_i64, struct spec_cpu, quota),
	JSON_FIELD_OPT("burst",           json_dec_u64,         struct spec_cpu, burst),
	JSON_FIELD_OPT("period",          spec_dec_nonzero_u64, struct spec_cpu, period),
	JSON_FIELD_OPT("realtimeRuntime", spec_dec_nonzero_i64, struct spec_cpu, rt_runtime),
	JSON_FIELD_OPT("realtimePeriod",  spec_dec_nonzero_u64, struct spec_cpu, rt_period),
	JSON_FIELD("cpus",                dec_cpus,             struct spec_cpu, cpus, 0),
	JSON_FIELD("mems",                dec_cpus,             struct spec_cpu, mems, 0),
	JSON_FIELD_OPT("idle",            dec_idle,             struct spec_cpu, idle),
	{ 0 }
};

static const struct json_field pids_fields[] = {
	JSON_FIELD("limit", json_dec_i64, struct spec_resources, pids_limit, 0),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_pids)
{
	(void)f;
	((struct spec_resources *)obj)->has_pids = is_given(v, "limit");
	return json_decode(d, v, pids_fields, obj);
}

/* ---- block I/O -------------------------------------------------------- */

static JSON_DECODER(dec_weight)
{
	if (v->type == JSON_INT && (v->negative || (v->u && v->u < 10) || v->u > 1000))
		return json_fail(d, v, "must be 0 or between 10 and 1000");
	return spec_dec_nonzero_u16(d, v, f, obj);
}

static JSON_DECODER(dec_device_number)
{
	if (v->type == JSON_INT && (v->negative || v->u > UINT32_MAX))
		return json_fail(d, v, "must be a device number");
	return json_dec_i64(d, v, f, obj);
}

/* clang-format off */
static const struct json_field weight_device_fields[] = {
	JSON_FIELD("major",          dec_device_number, struct spec_weight_device, major, JSON_REQUIRED),
	JSON_FIELD("minor",          dec_device_number, struct spec_weight_device, minor, JSON_REQUIRED),
	JSON_FIELD_OPT("weight",     dec_weight,        struct spec_weight_device, weight),
	JSON_FIELD_OPT("leafWeight", dec_weight,        struct spec_weight_device, leaf_weight),
	{ 0 }
};

static int need_weight(struct json_dec *d, const struct json *v, void *obj)
{
	const struct spec_weight_device *w = obj;

	return w->has_weight || w->has_leaf_weight ? 0 : json_fail(d, v, "needs weight or leafWeight");
}

static const struct json_struct weight_device_struct = {
	sizeof(struct spec_weight_device), weight_device_fields, need_weight
};

static const struct json_field throttle_device_fields[] = {
	JSON_FIELD("major", dec_device_number, struct spec_throttle_device, major, JSON_REQUIRED),
	JSON_FIELD("minor", dec_device_number, struct spec_throttle_device, minor, JSON_REQUIRED),
	JSON_FIELD("rate",  json_dec_u64,      struct spec_throttle_device, rate,  JSON_REQUIRED),
	{ 0 }
};
static const struct json_struct throttle_device_struct = {
	sizeof(struct spec_throttle_device), throttle_device_fields, NULL
};

#define THROTTLE(key, which)                                                                \
	JSON_FIELD_LIST(key, json_dec_list, struct spec_block_io, throttle[which], 0,       \
		&throttle_device_struct)
static const struct json_field block_io_fields[] = {
	JSON_FIELD_OPT("weight",        dec_weight,    struct spec_block_io, weight),
	JSON_FIELD_OPT("leafWeight",    dec_weight,    struct spec_block_io, leaf_weight),
	JSON_FIELD_LIST("weightDevice", json_dec_list, struct spec_block_io, weight_devices, 0, &weight_device_struct),
	THROTTLE("throttleReadBpsDevice",   THROTTLE_READ_BPS),
	THROTTLE("throttleWriteBpsDevice",  THROTTLE_WRITE_BPS),
	THROTTLE("throttleReadIOPSDevice",  THROTTLE_READ_IOPS),
	THROTTLE("throttleWriteIOPSDevice", THROTTLE_WRITE_IOPS),
	{ 0 }
};
#undef THROTTLE
/* clang-format on */

/* ---- huge pages, network, rdma, unified ------------------------------- */

static JSON_DECODER(dec_page_size)
{
	size_t digits;

	if (v->type == JSON_STRING) {
		digits = strspn(v->s, "0123456789");
		if (!digits || v->s[0] == '0' || digits > 10 || !v->s[digits] ||
		    !strchr("KMG", v->s[digits]) || strcmp(v->s + digits + 1, "B"))
			return json_fail(d, v, "'%s' is not a page size such as \"2MB\"", v->s);
	}
	return json_dec_string(d, v, f, obj);
}

static JSON_DECODER(dec_interface)
{
	if (v->type == JSON_STRING && (v->n > 15 || v->s[strcspn(v->s, "/ \t\n")]))
		return json_fail(d, v, "'%s' is not the name of a network interface", v->s);
	return json_dec_string(d, v, f, obj);
}

/* clang-format off */
static const struct json_field hugepage_fields[] = {
	JSON_FIELD("pageSize", dec_page_size, struct spec_hugepage_limit, page_size, JSON_REQUIRED),
	JSON_FIELD("limit",    json_dec_u64,  struct spec_hugepage_limit, limit,     JSON_REQUIRED),
	{ 0 }
};
static const struct json_struct hugepage_struct = {
	sizeof(struct spec_hugepage_limit), hugepage_fields, NULL
};

static const struct json_field priority_fields[] = {
	JSON_FIELD("name",     dec_interface, struct spec_net_priority, name,     JSON_REQUIRED | JSON_NONEMPTY),
	JSON_FIELD("priority", json_dec_u32,  struct spec_net_priority, priority, JSON_REQUIRED),
	{ 0 }
};
static const struct json_struct priority_struct = {
	sizeof(struct spec_net_priority), priority_fields, NULL
};

static const struct json_field network_fields[] = {
	JSON_FIELD_OPT("classID",     json_dec_u32,  struct spec_resources, net_class_id),
	JSON_FIELD_LIST("priorities", json_dec_list, struct spec_resources, net_priorities, 0, &priority_struct),
	{ 0 }
};

static const struct json_field rdma_fields[] = {
	JSON_FIELD_OPT("hcaHandles", json_dec_u32, struct spec_rdma, hca_handles),
	JSON_FIELD_OPT("hcaObjects", json_dec_u32, struct spec_rdma, hca_objects),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_network)
{
	(void)f;
	return json_decode(d, v, network_fields, obj);
}

static int decode_rdma(struct json_dec *d, const struct json *v, struct spec_rdma *rdma)
{
	int r;

	rdma->device = (char *)v->key;
	if (!*v->key || v->key[strcspn(v->key, " \n")])
		return json_fail(d, v, "'%s' is not the name of a device", v->key);
	r = json_decode(d, v, rdma_fields, rdma);
	if (r < 0 || v->type != JSON_OBJECT || v->n)
		return r;
	return json_fail(d, v, "needs hcaHandles or hcaObjects");
}

static JSON_DECODER(dec_rdma)
{
	struct spec_resources *res = obj;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	res->rdma = arena_calloc(d->a, v->n, sizeof *res->rdma);
	if (!res->rdma)
		return json_nomem(d);
	res->n_rdma = v->n;
	for (uint32_t i = 0; r == 0 && i < v->n; i++)
		r = decode_rdma(d, &v->items[i], &res->rdma[i]);
	return r;
}

static JSON_DECODER(dec_unified)
{
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->n; i++) {
		const char *key = v->items[i].key;
		int r = 0;

		if (strchr(key, '/') || !strcmp(key, ".") || !strcmp(key, ".."))
			r = json_fail(d, &v->items[i],
				      "unified resource '%s' must be a file name (no slashes)", key);
		if (r < 0)
			return r;
	}
	return spec_dec_map(d, v, f, obj);
}

/* ---- the section ------------------------------------------------------ */

/* clang-format off */
static const struct json_field resources_fields[] = {
	JSON_FIELD_LIST("devices",        json_dec_list,   struct spec_resources, devices, 0, &rule_struct),
	JSON_FIELD_ARG("memory",          json_dec_object, struct spec_resources, memory, 0, memory_fields),
	JSON_FIELD_ARG("cpu",             json_dec_object, struct spec_resources, cpu, 0, cpu_fields),
	JSON_FIELD("pids",                dec_pids,        struct spec_resources, pids_limit, 0),
	JSON_FIELD_ARG("blockIO",         json_dec_object, struct spec_resources, block_io, 0, block_io_fields),
	JSON_FIELD_LIST("hugepageLimits", json_dec_list,   struct spec_resources, hugepages, 0, &hugepage_struct),
	JSON_FIELD("network",             dec_network,     struct spec_resources, net_class_id, 0),
	JSON_FIELD("rdma",                dec_rdma,        struct spec_resources, rdma, 0),
	JSON_FIELD_LIST("unified",        dec_unified,     struct spec_resources, unified, 0, NULL),
	{ 0 }
};
/* clang-format on */

const struct json_struct spec_resources_struct = { sizeof(struct spec_resources), resources_fields,
						   NULL };
