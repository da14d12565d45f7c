/* Which systems there are. */
#pragma once

#include "ctl.h"

struct list_flags {
	struct common common;
	bool all, quiet;
	const char *format, *state;
	struct option_list owners, names;
};

#define ALL_NAMESPACES "*"

/* Properties of each, a list. `query` is a SystemQuery or NULL. */
int enumerate(struct request *q, const char *ns, const char *query, struct json_doc *ret, struct err *e);
