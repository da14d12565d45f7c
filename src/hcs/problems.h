/* What is wrong with a document: all of it, for a ResultError with an event each. */
#pragma once

#include "hcs.h"
#include "results.h"
#include "schema.h"

enum { PROBLEMS_MAX = 64 };

struct problems {
	struct arena *a;
	struct spec_problems to;
	struct problem list[PROBLEMS_MAX];
	size_t n;
};

void problems_init(struct problems *p, struct arena *a);
/* schema_parse_system(), into `p`. */
int problems_parse_system(struct problems *p, struct arena *a, const char *text, struct schema_system **ret,
			  struct err *e);
/* A ResultError; NULL where there are no more words than e's. */
char *problems_report(const struct problems *p, const struct call *c, const struct err *e);

/* The codes of what a document can be: not valid, or not supported. */
HRESULT document_result(const struct err *e);
