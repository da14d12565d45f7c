/*
 * Records in a bundle (exit_record.h, task_record.h, hosted_record.h): a JSON object each, with a
 * version, which is an int32_t and the first member of its struct.
 */
#pragma once

#include "json.h"

struct sb;

/* TEXT replaces the document NAME of the bundle. */
int bundle_document_write(const char *bundle, const char *name, const struct sb *text, struct err *e);
int bundle_document_read(struct arena *a, const char *bundle, const char *name, int32_t version,
			 const struct json_field *fields, void *ret, struct err *e);
