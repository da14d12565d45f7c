/*
 * JSON: whatever is accepted must print, and read back to the same text; every
 * value has a pointer and a line within the text; with members left out it is
 * still accepted, and has all the others.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
	if (!ok)
		abort();
}

static void visit(const struct json_doc *doc, const struct json *v, int *left, int lines)
{
	char pointer[256];
	int line;

	if (--*left < 0)
		return;
	line = json_line(doc, v);
	require(line >= 1 && line <= lines);
	require(strlen(json_pointer(v, pointer, sizeof pointer)) < sizeof pointer);
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return;
	for (uint32_t i = 0; i < v->n; i++) {
		require(v->items[i].parent == v);
		if (v->type == JSON_OBJECT)
			require(json_get(v, v->items[i].key) == &v->items[i]);
		visit(doc, &v->items[i], left, lines);
	}
}

/* "a" and "b" in "c" are null (or too short to matter), the others as they were. */
static void leave_out(struct arena *a, const char *text, size_t len, const struct json *was)
{
	static const struct json_member out[] = { { "a", NULL }, { "c", "b" }, { NULL, NULL } };
	size_t less_len;
	char *less = json_text_without(a, text, len, out, &less_len);
	struct json_doc doc;
	struct err e = { 0 };

	require(less && less_len <= len);
	if (!was)
		return;
	require(json_parse(a, less, less_len, "less", &doc, &e) == 0);
	require(doc.root->type == was->type);
	if (was->type != JSON_ARRAY && was->type != JSON_OBJECT)
		return;
	require(doc.root->n == was->n);
	for (uint32_t i = 0; was->type == JSON_OBJECT && i < was->n; i++) {
		const struct json *v = &doc.root->items[i];

		require(strcmp(v->key, was->items[i].key) == 0);
		require(v->type == was->items[i].type ||
			(v->type == JSON_NULL && strcmp(v->key, "a") == 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc, again;
	struct err e = { 0 };
	char *text, *twice;
	int left = 200, lines = 1;

	if (json_parse(&a, (const char *)data, size, "fuzz", &doc, &e) < 0) {
		require(e.kind != ERR_NONE && e.msg[0]);
		leave_out(&a, (const char *)data, size, NULL);
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	visit(&doc, doc.root, &left, lines);
	leave_out(&a, (const char *)data, size, doc.root);
	text = json_print(&a, doc.root);
	require(text != NULL);
	require(json_parse(&a, text, strlen(text), "again", &again, &e) == 0);
	twice = json_print(&a, again.root);
	require(twice && strcmp(text, twice) == 0);
	return 0;
}
