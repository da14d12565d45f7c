/*
 * Where things are in the text of a JSON document. Used only when an error is
 * reported, so that reading need not keep positions. The text has been read
 * once without error: these walk it, they do not check it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct json;
struct json_doc;

/* "name:line:column: words"; returns -EINVAL. */
int json_text_error(const struct json_doc *doc, size_t pos, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}
