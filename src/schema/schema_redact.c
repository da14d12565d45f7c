/* A document as it may be logged. */
#include <string.h>
#include <strings.h>

#include "json.h"
#include "mem.h"
#include "schema.h"
#include "str.h"

static const char hidden[] = "***";

static bool is_secret(const struct json *v)
{
	static const char *const keys[] = { "environment", "env", "credentials" };

	for (size_t i = 0; v->key && i < ARRAY_SIZE(keys); i++)
		if (!strcasecmp(v->key, keys[i]))
			return true;
	return false;
}

/* Names stay: the keys of objects, and what is before a '=' in a list. */
static void hide(struct jw *w, const struct json *v, bool in_list)
{
	if (v->type == JSON_OBJECT || v->type == JSON_ARRAY) {
		jw_begin(w, v->type == JSON_OBJECT ? '{' : '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (v->items[i].key)
				jw_key(w, v->items[i].key);
			hide(w, &v->items[i], v->type == JSON_ARRAY);
		}
		jw_end(w);
	} else if (in_list && v->type == JSON_STRING && strchr(v->s, '=')) {
		OWN_SB struct sb entry = SB_INIT;

		sb_add(&entry, v->s, (size_t)(strchr(v->s, '=') - v->s) + 1);
		sb_puts(&entry, hidden);
		jw_str(w, entry.failed ? hidden : entry.s);
	} else if (v->type == JSON_NULL) {
		jw_null(w);
	} else {
		jw_str(w, hidden);
	}
}

static void show(struct jw *w, const struct json *v)
{
	if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) {
		jw_value(w, v);
		return;
	}
	jw_begin(w, v->type == JSON_OBJECT ? '{' : '[');
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *m = &v->items[i];

		if (m->key)
			jw_key(w, m->key);
		if (is_secret(m))
			hide(w, m, false);
		else
			show(w, m);
	}
	jw_end(w);
}

void schema_redact(struct sb *b, const char *text, size_t len)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc;
	struct jw w;

	if (json_parse(&a, text ? text : "", text ? len : 0, "document", &doc, NULL) < 0) {
		sb_printf(b, "(%zu bytes that are no JSON)", text ? len : 0);
		return;
	}
	jw_init(&w, b, NULL);
	show(&w, doc.root);
}
