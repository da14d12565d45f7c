/* docs/hcs-documents.md has a row for every member of every table, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "schema_table.h"
#include "str.h"

enum { DEPTH_MAX = 16 };

struct page {
	char *text;
	const char *section; /* of the document that is looked at */
	size_t section_len;
	const struct json_field *above[DEPTH_MAX];
	size_t depth;
	size_t rows, missing;
};

static char *read_page(void)
{
	static char text[1 << 18];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/docs/hcs-documents.md", getenv("BERTH_SOURCE"));
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* From "## NAME" to the next one. */
static void find_section(struct page *p, const char *name)
{
	char heading[128];
	const char *end;

	snprintf(heading, sizeof heading, "\n## %s\n", name);
	p->section = strstr(p->text, heading);
	if (!p->section)
		fail_msg("no section '%s'", name);
	p->section++;
	end = strstr(p->section, "\n## ");
	p->section_len = end ? (size_t)(end - p->section) : strlen(p->section);
}

/* The row of a member; NULL: none. */
static const char *find_row(const struct page *p, const char *member)
{
	char start[512];
	const char *row;

	snprintf(start, sizeof start, "\n| `%s` |", member);
	row = strstr(p->section, start);
	return row && row < p->section + p->section_len ? row + 1 : NULL;
}

static bool row_has(const char *row, const char *words)
{
	const char *found = strstr(row, words);

	return found && found < row + strcspn(row, "\n");
}

static void look_at(struct page *p, const struct json_field *f, const char *member)
{
	const char *row = find_row(p, member);

	p->rows++;
	if (!row) {
		p->missing++;
		print_error("no row: | `%s` | %s |\n", member,
			    schema_is_unsupported(f) ? "not supported" : "");
	} else if (schema_is_unsupported(f) != row_has(row, "| not supported")) {
		p->missing++;
		print_error("'%s' is%s supported: %.*s\n", member, schema_is_unsupported(f) ? " not" : "",
			    (int)strcspn(row, "\n"), row);
	}
}

/* A table that is within itself is told once. */
static bool is_told(struct page *p, const struct json_field *fields)
{
	for (size_t i = 0; i < p->depth; i++)
		if (p->above[i] == fields)
			return true;
	return p->depth == DEPTH_MAX;
}

static void walk(struct page *p, const struct json_field *fields, const char *prefix)
{
	if (is_told(p, fields))
		return;
	p->above[p->depth++] = fields;
	for (; fields->key; fields++) {
		char member[256];
		const struct json_field *below = schema_below(fields);
		bool is_list = fields->decode == json_dec_list;

		snprintf(member, sizeof member, "%s%s", prefix, fields->key);
		look_at(p, fields, member);
		strncat(member, is_list ? "[]." : ".", sizeof member - strlen(member) - 1);
		/* what is hosted is a Container again, and a version is known */
		if (fields->decode == schema_dec_version ||
		    (fields->decode == schema_dec_variant && strstr(prefix, "HostedSystem")))
			continue;
		if (below)
			walk(p, below, member);
	}
	p->depth--;
}

static size_t count_rows(const struct page *p)
{
	size_t n = 0;

	for (const char *s = p->section; (s = strstr(s, "\n| `")) && s < p->section + p->section_len; s++)
		n++;
	return n;
}

static void check(struct page *p, const char *name, const struct json_field *fields)
{
	size_t before = p->rows;

	find_section(p, name);
	p->depth = 0;
	walk(p, fields, "");
	if (count_rows(p) != p->rows - before) {
		print_error("%s: %zu rows for %zu members\n", name, count_rows(p), p->rows - before);
		p->missing++;
	}
}

static void test_every_member_has_its_row(void **state)
{
	struct page p = { .text = read_page() };

	(void)state;
	for (size_t i = 0; schema_types[i]; i++)
		check(&p, schema_types[i]->name, schema_types[i]->s.fields);
	check(&p, "ContainerConfig", schema_system_v1_fields);
	assert_int_equal(p.missing, 0);
	assert_true(p.rows > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_member_has_its_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
