/* Labels: one table for whatever has them, as the maps of the messages. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "store_db.h"

/* A map<string, string> is a list of messages of a type of its own, which all are alike:
 * the key and the value are the first and the second member. */
static char **member(const ProtobufCMessageDescriptor *type, void *entry, unsigned n)
{
	return (char **)((char *)entry + type->fields[n].offset);
}

static const char *text_of(const ProtobufCMessage *entry, unsigned n)
{
	return *(char *const *)((const char *)entry + entry->descriptor->fields[n].offset);
}

void *list_add(void ***list, size_t *n, const ProtobufCMessageDescriptor *type)
{
	void **more, *m;

	if (!*list || !(*n & (*n - 1))) { /* 0 or a power of 2: it is full */
		more = realloc(*list, (*n ? *n * 2 : 1) * sizeof *more);
		if (!more)
			return NULL;
		*list = more;
	}
	m = malloc(type->sizeof_message);
	if (!m)
		return NULL;
	protobuf_c_message_init(type, m);
	return (*list)[(*n)++] = m;
}

/* As containerd: a label without a value is none. */
int labels_put(struct store_db *db, const struct label_owner *o, void *const *entries, size_t n, struct err *e)
{
	OWN_QUERY remove = query(db, SQL_LABELS_REMOVE, "ttt", o->kind, o->ns, o->id);
	int r = query_run(&remove, e);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *key = text_of(entries[i], 0), *value = text_of(entries[i], 1);
		OWN_QUERY put = { 0 };

		if (!*value)
			continue;
		put = query(db, SQL_LABEL_PUT, "ttttt", o->kind, o->ns, o->id, key, value);
		r = query_run(&put, e);
	}
	return r < 0 ? r : 0;
}

int labels_get(struct store_db *db, const struct label_owner *o, const ProtobufCMessageDescriptor *type, void **ret,
	       size_t *ret_n, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LABELS_GET, "ttt", o->kind, o->ns, o->id);
	void **list = NULL, *entry;
	int r;

	while ((r = query_step(&q, e)) > 0) {
		entry = list_add(&list, ret_n, type);
		if (!entry || !query_string(&q, 0, member(type, entry, 0)) ||
		    !query_string(&q, 1, member(type, entry, 1))) {
			r = store_no_memory(e);
			break;
		}
	}
	*ret = list; /* also what there is of it: the owner's to free */
	return r;
}

const char *labels_find(void *const *entries, size_t n, const char *key)
{
	const char *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(text_of(entries[i], 0), key))
			found = text_of(entries[i], 1);
	return found;
}
