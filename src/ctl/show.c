/* What is printed: documents as the library has them, tables and numbers for
 * people. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"

enum { COLUMN_WIDTH = 4 };

/* ---- documents ------------------------------------------------------------------- */

int read_json(struct request *q, const char *text, const char *name, struct json_doc *ret, struct err *e)
{
	const char *copy = arena_strdup(q->arena, text ? text : "null");

	if (!copy)
		return no_memory(e);
	return json_parse(q->arena, copy, strlen(copy), name, ret, e);
}

int show_json(struct request *q, const char *text, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct json_doc doc;
	struct jw w;
	int r = read_json(q, text, "result", &doc, e);

	if (r < 0)
		return r;
	jw_init(&w, &out, NULL);
	jw_value(&w, doc.root);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

static char *property_query(struct request *q, const char *const *types)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kbegin(&w, "PropertyTypes", '[');
	for (; *types; types++)
		jw_str(&w, *types);
	jw_end(&w);
	jw_end(&w);
	return b.failed ? NULL : arena_strdup(q->arena, b.s);
}

int find_settings(struct request *q, const char **state, const char **ns, struct err *e)
{
	OWN_RESULT text = NULL;
	const struct json *settings;
	struct json_doc doc;
	HRESULT hr = HcsGetServiceProperties("{\"PropertyTypes\":[\"Settings\"]}", &text);
	int r;

	if (FAILED(hr))
		return failed_last(q, hr, e);
	r = read_json(q, text, "settings", &doc, e);
	if (r < 0)
		return r;
	settings = json_get(json_at(json_get(doc.root, "Properties"), 0), "Settings");
	if (state)
		*state = json_string(json_get(settings, "State"), "");
	if (ns)
		*ns = q->common.ns ? q->common.ns : json_string(json_get(settings, "Namespace"), "");
	return 0;
}

int get_properties(struct request *q, HCS_SYSTEM s, const char *const *types, char **ret, struct err *e)
{
	const char *query = types ? property_query(q, types) : NULL;
	OWN_OPERATION op = operation_new(e);

	if (!op)
		return -ENOMEM;
	if (types && !query)
		return no_memory(e);
	return finish(q, op, HcsGetComputeSystemProperties(s, op, query), ret, e);
}

int show_system(struct request *q, HCS_SYSTEM s, struct err *e)
{
	OWN_RESULT doc = NULL;
	int r;

	if (!q->common.json)
		return 0;
	r = get_properties(q, s, NULL, &doc, e);
	return r < 0 ? r : show_json(q, doc, e);
}

/* ---- tables ------------------------------------------------------------------------ */

/* C0, DEL and (in UTF-8) C1 become blanks: no text of a container's gets to talk to
 * the terminal. */
void sanitize(char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(s + i, len - i);
		unsigned char c = (unsigned char)s[i];

		if (!n || (n == 1 && (c < ' ' || c == 0x7f)))
			s[i] = '?';
		if (n == 2 && c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)
			s[i] = s[i + 1] = '?';
		i += n ? n : 1;
	}
}

int cell(struct table *t, struct request *q, const char *fmt, ...)
{
	char text[1024], *copy;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	copy = arena_strdup(q->arena, *text ? text : "-");
	if (!copy)
		return -ENOMEM;
	sanitize(copy);
	return table_cell(t, q->arena, copy);
}

int cells(struct table *t, struct request *q, const char *const *head)
{
	int r = 0;

	t->min_width = COLUMN_WIDTH;
	for (; r == 0 && *head; head++)
		r = table_cell(t, q->arena, *head);
	return r;
}

int show_table(const struct table *t, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;

	table_print(t, &out);
	return cli_put_sb(&out, e);
}

/* ---- numbers ------------------------------------------------------------------------- */

const char *size_words(struct request *q, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		n /= 1024;
		unit++;
	}
	return arena_printf(q->arena, unit && n < 100 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

const char *time_words(struct request *q, uint64_t units_100ns)
{
	uint64_t s = units_100ns / 10000000;

	if (s < 60)
		return arena_printf(q->arena, "%.1f s", (double)units_100ns / 1e7);
	if (s < 3600)
		return arena_printf(q->arena, "%llu min %llu s", (unsigned long long)s / 60,
				    (unsigned long long)s % 60);
	if (s < 86400)
		return arena_printf(q->arena, "%llu h %llu min", (unsigned long long)s / 3600,
				    (unsigned long long)s / 60 % 60);
	return arena_printf(q->arena, "%llu d %llu h", (unsigned long long)s / 86400,
			    (unsigned long long)s / 3600 % 24);
}
