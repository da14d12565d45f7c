/* The functions of every type of document; see SCHEMA_DOCUMENTS. */
#include "mem.h"
#include "schema_table.h"

#define X(T, name)                                                                \
	int schema_parse_##T(struct arena *a, const struct schema_source *src,    \
			     struct schema_##T **ret, struct err *e)              \
	{                                                                         \
		void *doc = NULL;                                                 \
		int r = schema_parse(a, src, &schema_type_##T, &doc, e);          \
                                                                                  \
		if (r >= 0)                                                       \
			*ret = doc;                                               \
		return r;                                                         \
	}                                                                         \
                                                                                  \
	void schema_write_##T(struct jw *w, const struct schema_##T *doc)         \
	{                                                                         \
		schema_write(w, &schema_type_##T, doc);                           \
	}
SCHEMA_DOCUMENTS(X)
#undef X

#define X(T, name) &schema_type_##T,
const struct schema_type *const schema_types[] = { SCHEMA_DOCUMENTS(X) NULL };
#undef X
