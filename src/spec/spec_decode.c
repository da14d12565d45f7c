/* The decoders that several sections of config.json share. */
#include "spec_decode.h"

#include <string.h>

#include "mem.h"
#include "str.h"

static void *place(void *obj, const struct json_field *f)
{
	return (char *)obj + f->offset;
}

static void set_has(void *obj, const struct json_field *f)
{
	if (f->aux)
		*(bool *)((char *)obj + f->aux - 1) = true;
}

JSON_DECODER(spec_dec_text)
{
	int r = json_dec_string(d, v, f, obj);
	char **s = place(obj, f);

	if (*s && !**s)
		*s = NULL;
	return r;
}

static bool want_abs_path(struct json_dec *d, const struct json *v, int *r)
{
	if (!json_want(d, v, JSON_STRING, r))
		return false;
	if (v->s[0] == '/')
		return true;
	if (v->n == 0)
		*r = json_fail(d, v, "must not be empty");
	else
		*r = json_fail(d, v, "'%s' must be an absolute path", v->s);
	return false;
}

JSON_DECODER(spec_dec_abs_path)
{
	int r = 0;

	return want_abs_path(d, v, &r) ? json_dec_string(d, v, f, obj) : r;
}

JSON_DECODER(spec_dec_abs_paths)
{
	int r = json_dec_strings(d, v, f, obj);

	if (r < 0 || v->type != JSON_ARRAY)
		return r;
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->items[i].type == JSON_STRING && !want_abs_path(d, &v->items[i], &r) && r < 0)
			return r;
	}
	return 0;
}

bool spec_want_name(struct json_dec *d, const struct json *v, const struct spec_choice *c,
		    uint64_t *value, int *r)
{
	if (!json_want(d, v, JSON_STRING, r))
		return false;
	if (name_value(c->table, v->s, value) == 0)
		return true;
	*r = json_fail(d, v, "unknown %s '%s'", c->what, v->s);
	return false;
}

JSON_DECODER(spec_dec_name)
{
	uint64_t value;
	int r = 0;

	if (spec_want_name(d, v, f->arg, &value, &r))
		*(int *)place(obj, f) = (int)value;
	return r;
}

JSON_DECODER(spec_dec_name_u32)
{
	uint64_t value;
	int r = 0;

	if (spec_want_name(d, v, f->arg, &value, &r))
		*(uint32_t *)place(obj, f) = (uint32_t)value;
	return r;
}

JSON_DECODER(spec_dec_name_char)
{
	uint64_t value;
	int r = 0;

	if (spec_want_name(d, v, f->arg, &value, &r))
		*(char *)place(obj, f) = (char)value;
	return r;
}

static int decode_flags(struct json_dec *d, const struct json *v, const struct json_field *f,
			uint64_t *flags)
{
	uint64_t value;
	int r = 0;

	*flags = 0;
	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	for (uint32_t i = 0; i < v->n; i++) {
		if (spec_want_name(d, &v->items[i], f->arg, &value, &r))
			*flags |= value;
		else if (r < 0)
			return r;
	}
	return 0;
}

JSON_DECODER(spec_dec_flags)
{
	set_has(obj, f);
	return decode_flags(d, v, f, place(obj, f));
}

JSON_DECODER(spec_dec_flags_u32)
{
	uint64_t flags;
	int r = decode_flags(d, v, f, &flags);

	*(uint32_t *)place(obj, f) = (uint32_t)flags;
	set_has(obj, f);
	return r;
}

JSON_DECODER(spec_dec_map)
{
	struct kv *list;
	size_t n = 0;
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	list = arena_calloc(d->a, v->n, sizeof *list);
	if (!list)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *m = &v->items[i];

		if (!*m->key)
			r = json_fail(d, m, "a key must not be empty");
		else if (json_want(d, m, JSON_STRING, &r))
			list[n++] = (struct kv){ .key = (char *)m->key, .value = (char *)m->s };
		if (r < 0)
			return r;
	}
	*(struct kv **)place(obj, f) = list;
	*(size_t *)((char *)obj + f->aux - 1) = n;
	return 0;
}

JSON_DECODER(spec_dec_id)
{
	/* -1 means "leave it" to chown and setresuid. */
	if (v->type == JSON_INT && !v->negative && v->u == UINT32_MAX)
		return json_fail(d, v, "must be at most %u", UINT32_MAX - 1);
	return json_dec_u32(d, v, f, obj);
}

static bool is_zero(const struct json *v)
{
	return v->type == JSON_INT && v->u == 0;
}

JSON_DECODER(spec_dec_nonzero_u16)
{
	return is_zero(v) ? 0 : json_dec_u16(d, v, f, obj);
}

JSON_DECODER(spec_dec_nonzero_u64)
{
	return is_zero(v) ? 0 : json_dec_u64(d, v, f, obj);
}

JSON_DECODER(spec_dec_nonzero_i64)
{
	return is_zero(v) ? 0 : json_dec_i64(d, v, f, obj);
}

JSON_DECODER(spec_dec_unsupported)
{
	(void)f;
	(void)obj;
	return json_unsupported(d, v, "is not supported");
}

JSON_DECODER(spec_dec_unsupported_content)
{
	if ((v->type == JSON_OBJECT || v->type == JSON_ARRAY) && v->n == 0)
		return 0;
	return spec_dec_unsupported(d, v, f, obj);
}

bool spec_is_known(const struct json *object, const char *key, const struct name *table)
{
	const char *name = json_string(json_get(object, key), NULL);
	uint64_t value;

	return name && name_value(table, name, &value) == 0;
}

static const char *cpu_number(const char *s, unsigned long *ret)
{
	const char *from = s;

	*ret = 0;
	while (*s >= '0' && *s <= '9' && s - from < 6)
		*ret = *ret * 10 + (unsigned long)(*s++ - '0');
	return s > from ? s : NULL;
}

bool spec_is_cpu_list(const char *s)
{
	unsigned long from, to;

	for (;; s++) {
		s = cpu_number(s, &from);
		if (s && *s == '-') {
			s = cpu_number(s + 1, &to);
			if (s && to < from)
				return false;
		}
		if (!s || (*s && *s != ','))
			return false;
		if (!*s)
			return true;
	}
}

char *spec_clean_path(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2), *end = out;

	if (!out)
		return NULL;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (end > out && *--end != '/')
				;
		} else if (n && !(n == 1 && path[0] == '.')) {
			*end++ = '/';
			memcpy(end, path, n);
			end += n;
		}
		path += n;
		path += *path == '/';
	}
	if (end == out)
		*end++ = '/';
	*end = '\0';
	return out;
}

/* ---- id maps ---------------------------------------------------------- */

/* clang-format off */
static const struct json_field id_map_fields[] = {
	JSON_FIELD("containerID", spec_dec_id,  struct spec_id_map, container_id, JSON_REQUIRED),
	JSON_FIELD("hostID",      spec_dec_id,  struct spec_id_map, host_id,      JSON_REQUIRED),
	JSON_FIELD("size",        json_dec_u32, struct spec_id_map, size,         JSON_REQUIRED | JSON_POSITIVE),
	{ 0 }
};
/* clang-format on */
const struct json_struct spec_id_map_struct = { sizeof(struct spec_id_map), id_map_fields, NULL };

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

static int check_id_map(struct json_dec *d, const struct json *v, const struct spec_id_map *maps,
			size_t i)
{
	const struct spec_id_map *m = &maps[i];

	if ((uint64_t)m->container_id + m->size > UINT32_MAX ||
	    (uint64_t)m->host_id + m->size > UINT32_MAX)
		return json_fail_at(d, json_at(v, i), "/size", "the range ends beyond the last id");
	for (size_t k = 0; k < i; k++) {
		if (overlap(m->container_id, m->size, maps[k].container_id, maps[k].size))
			return json_fail_at(d, json_at(v, i), "/containerID",
					    "overlaps with entry %zu", k);
		if (overlap(m->host_id, m->size, maps[k].host_id, maps[k].size))
			return json_fail_at(d, json_at(v, i), "/hostID", "overlaps with entry %zu",
					    k);
	}
	return 0;
}

int spec_check_id_maps(struct json_dec *d, const struct json *v, const struct spec_id_map *maps,
		       size_t n)
{
	if (n > SPEC_MAX_ID_MAPS)
		return json_fail(d, v, "more than %d entries", (int)SPEC_MAX_ID_MAPS);
	for (size_t i = 0; i < n; i++) {
		int r = check_id_map(d, v, maps, i);

		if (r < 0)
			return r;
	}
	return 0;
}
