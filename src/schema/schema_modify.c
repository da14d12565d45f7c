/* ModifySettingRequest of schema 2.x and 1.0: what Settings is depends on what is
 * to be changed. */
#include <string.h>

#include "mem.h"
#include "schema_requests.h"
#include "schema_table.h"
#include "str.h"

/* clang-format off */
static const struct resource {
	enum schema_resource id;
	const char *path, *type; /* what 2.x and 1.0 call it; NULL: not in 1.0 */
	bool is_list; /* things are added to it and removed; else it is updated */
	const struct json_struct *settings, *settings_v1; /* NULL: a number */
} resources[] = {
	{ SCHEMA_RESOURCE_MEMORY, "Container/Memory/SizeInMB", "Memory", false, NULL, NULL },
	{ SCHEMA_RESOURCE_PROCESSOR, "Container/Processor", NULL, false, &schema_processor_struct, NULL },
	{ SCHEMA_RESOURCE_DIRECTORY, "Container/MappedDirectories", "MappedDirectory", true,
	  &schema_directory_struct, &schema_directory_v1_struct },
	{ SCHEMA_RESOURCE_PIPE, "Container/MappedPipes", "MappedPipe", true,
	  &schema_pipe_struct, &schema_pipe_v1_struct },
};
/* clang-format on */

static const struct resource *resource_of(enum schema_resource id)
{
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (resources[i].id == id)
			return &resources[i];
	return NULL;
}

/* ---- reading ------------------------------------------------------------ */

static const char *name_in(const struct resource *r, bool v1)
{
	return v1 ? r->type : r->path;
}

static int decode_resource(struct json_dec *d, const struct json *v, struct schema_modify *m, bool v1)
{
	OWN_SB struct sb known = SB_INIT;
	int r = 0;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	m->v1 = v1;
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		const char *name = name_in(&resources[i], v1);

		if (!name)
			continue;
		if (!strcmp(name, v->s))
			m->resource = resources[i].id;
		sb_printf(&known, "%s%s", known.len ? ", " : "", name);
	}
	if (m->resource)
		return 0;
	return json_unsupported(d, v, "'%s' is not supported: %s are", v->s, known.s ? known.s : "");
}

static JSON_DECODER(dec_resource_path)
{
	(void)f;
	return decode_resource(d, v, obj, false);
}

static JSON_DECODER(dec_resource_type)
{
	(void)f;
	return decode_resource(d, v, obj, true);
}

/* clang-format off */
static const char *const other_requests[] = { "PreAdd", NULL };
static const struct schema_choice request = { schema_request_names, "request", other_requests };

#define OF struct schema_modify
static const struct json_field modify_fields[] = {
	{ "ResourcePath", dec_resource_path, 0, 0, 0, NULL },
	{ "ResourceType", dec_resource_type, 0, 0, 0, NULL },
	ROW_ARG("RequestType",      schema_dec_name,  request, &request),
	ROW("Settings",             schema_dec_value, settings, JSON_REQUIRED),
	ROW_NOTHING("GuestRequest", "there are no virtual machines here"),
	{ 0 }
};
#undef OF
/* clang-format on */

/* Where Settings is kept, by what it is. */
static void *place(struct schema_modify *m)
{
	switch (m->resource) {
	case SCHEMA_RESOURCE_PROCESSOR:
		return &m->processor;
	case SCHEMA_RESOURCE_DIRECTORY:
		return &m->directory;
	case SCHEMA_RESOURCE_PIPE:
		return &m->pipe;
	case SCHEMA_RESOURCE_MEMORY:
	case SCHEMA_RESOURCE_ABSENT:
		break;
	}
	return m;
}

static int decode_settings(struct json_dec *d, struct schema_modify *m, const struct resource *res)
{
	static const struct json_field memory = JSON_FIELD("Settings", schema_dec_megabytes,
							   struct schema_modify, memory_mb, 0);
	const struct json_struct *s = m->v1 ? res->settings_v1 : res->settings;
	const struct json *v = m->settings;
	int r;

	if (!s) {
		if (v->type == JSON_INT && !v->u)
			return json_fail(d, v, "must not be 0");
		return memory.decode(d, v, &memory, m);
	}
	r = json_decode(d, v, s->fields, place(m));
	if (r < 0 || v->type != JSON_OBJECT || !s->each || m->request == SCHEMA_REQUEST_REMOVE)
		return r;
	r = s->each(d, v, place(m));
	if (r == 0 && res->id == SCHEMA_RESOURCE_PROCESSOR && !schema_is_given(v, "Count") &&
	    !schema_is_given(v, "Weight") && !schema_is_given(v, "Maximum"))
		return json_fail(d, v, "needs Count, Weight or Maximum");
	return r;
}

/* Limits are set, in whatever words; other things come and go. */
static int check_request(struct json_dec *d, const struct json *v, struct schema_modify *m,
			 const struct resource *res)
{
	if (res->is_list && !m->request) /* unless it was wrong, which was told */
		return schema_is_given(v, "RequestType") ? 0 : json_fail_at(d, v, "/RequestType", "is missing");
	if (!m->request)
		m->request = SCHEMA_REQUEST_UPDATE;
	if (res->is_list == (m->request == SCHEMA_REQUEST_UPDATE))
		return json_unsupported(d, json_get(v, "RequestType"), "'%s' is not supported for %s",
					name_of(schema_request_names, (uint64_t)m->request),
					name_in(res, m->v1));
	return 0;
}

static int check_modify(struct json_dec *d, const struct json *v, void *obj)
{
	struct schema_modify *m = obj;
	const struct resource *res = resource_of(m->resource);
	int r;

	if (schema_is_there(v, "ResourcePath") && schema_is_there(v, "ResourceType"))
		return json_fail(d, json_get(v, "ResourceType"), "is exclusive with ResourcePath");
	if (!schema_is_there(v, "ResourcePath") && !schema_is_there(v, "ResourceType"))
		return json_fail_at(d, v, "/ResourcePath", "is missing");
	if (!res)
		return 0;
	r = check_request(d, v, m, res);
	return r < 0 || !m->settings ? r : decode_settings(d, m, res);
}

/* ---- writing ------------------------------------------------------------- */

static void write_modify(struct jw *w, const void *doc)
{
	const struct schema_modify *m = doc;
	const struct resource *res = resource_of(m->resource);
	const struct json_struct *s;

	jw_begin(w, '{');
	if (res) {
		s = m->v1 ? res->settings_v1 : res->settings;
		jw_kstr(w, m->v1 ? "ResourceType" : "ResourcePath", name_in(res, m->v1));
		jw_kstr(w, "RequestType", name_of(schema_request_names, (uint64_t)m->request));
		if (s) {
			jw_kbegin(w, "Settings", '{');
			schema_write_fields(w, s->fields, place((struct schema_modify *)m));
			jw_end(w);
		} else {
			jw_kuint(w, "Settings", m->memory_mb);
		}
	}
	jw_end(w);
}

const struct schema_type schema_type_modify = {
	.name = "ModifySettingRequest",
	.s = { sizeof(struct schema_modify), modify_fields, check_modify },
	.write = write_modify,
};
