/* A numbered JSON document in a bundle: one object, the first member of whose struct is its int32_t version. */
#pragma once

#include "json.h"

struct sb;

/* TEXT replaces the document NAME of the bundle. */
int bundle_document_write(const char *bundle, const char *name, const struct sb *text, struct err *e);
int bundle_document_read(struct arena *a, const char *bundle, const char *name, int32_t version,
			 const struct json_field *fields, void *ret, struct err *e);
