/* Containers: everything that containerd's message of one has. */
#include <stdlib.h>

#include "err.h"
#include "store_db.h"
#include "store_tables.h"

#define LABEL (&containerd__services__containers__v1__container__labels_entry__descriptor)
#define EXTENSION (&containerd__services__containers__v1__container__extensions_entry__descriptor)

typedef Containerd__Services__Containers__V1__Container__ExtensionsEntry Extension;

static struct label_owner owner(const char *ns, const char *id)
{
	return (struct label_owner){ "container", ns, id };
}

/* ---- in ---------------------------------------------------------------------- */

/* The row alone; both statements have the same parameters. */
static int put(struct store_db *db, enum store_statement s, const char *ns, const Container *c, struct err *e)
{
	const Containerd__Services__Containers__V1__Container__Runtime *runtime = c->runtime;
	const Google__Protobuf__Any *options = runtime ? runtime->options : NULL, *spec = c->spec;
	char created[CLOCK_TEXT], updated[CLOCK_TEXT];
	OWN_QUERY q = query(db, s, "tttttbtbtttt", ns, c->id, c->image, runtime ? runtime->name : "",
			    options ? options->type_url : NULL, options ? &options->value : NULL,
			    spec ? spec->type_url : NULL, spec ? &spec->value : NULL, c->snapshotter, c->snapshot_key,
			    store_time(c->created_at, created), store_time(c->updated_at, updated));

	return query_run(&q, e);
}

static int put_extensions(struct store_db *db, const char *ns, const Container *c, struct err *e)
{
	OWN_QUERY remove = query(db, SQL_EXTENSIONS_REMOVE, "tt", ns, c->id);
	int r = query_run(&remove, e);

	for (size_t i = 0; r >= 0 && i < c->n_extensions; i++) {
		const Google__Protobuf__Any *any = c->extensions[i]->value;
		OWN_QUERY q = query(db, SQL_EXTENSION_PUT, "ttttb", ns, c->id, c->extensions[i]->key,
				    any ? any->type_url : "", any ? &any->value : NULL);

		r = query_run(&q, e);
	}
	return r < 0 ? r : 0;
}

static int put_maps(struct store_db *db, const char *ns, const Container *c, struct err *e)
{
	const struct label_owner o = owner(ns, c->id);
	int r = labels_put(db, &o, (void *const *)c->labels, c->n_labels, e);

	return r < 0 ? r : put_extensions(db, ns, c, e);
}

int container_insert(struct store_db *db, const char *ns, const Container *c, struct err *e)
{
	int r = namespace_need(db, ns, e);

	if (r >= 0)
		r = put(db, SQL_CONTAINER_INSERT, ns, c, e);
	if (r == 0)
		return err_set(e, ERR_EXISTS, 0, "container \"%s\"", c->id);
	return r < 0 ? r : put_maps(db, ns, c, e);
}

int container_replace(struct store_db *db, const char *ns, const Container *c, struct err *e)
{
	int r = put(db, SQL_CONTAINER_REPLACE, ns, c, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "container \"%s\"", c->id);
	return r < 0 ? r : put_maps(db, ns, c, e);
}

int container_remove(struct store_db *db, const char *ns, const char *id, struct err *e)
{
	OWN_QUERY q = query(db, SQL_CONTAINER_REMOVE, "tt", ns, id);
	int r = query_run(&q, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "container %s", id); /* containerd's words have no quotes */
	return r < 0 ? r : 0;
}

/* ---- out --------------------------------------------------------------------- */

static int get_extensions(struct store_db *db, const char *ns, Container *c, struct err *e)
{
	OWN_QUERY q = query(db, SQL_EXTENSIONS_GET, "tt", ns, c->id);
	void **list = NULL;
	Extension *x;
	int r;

	while ((r = query_step(&q, e)) > 0) {
		x = list_add(&list, &c->n_extensions, EXTENSION);
		if (!x || !query_string(&q, 0, &x->key) || !query_any(&q, 1, &x->value)) {
			r = store_no_memory(e);
			break;
		}
	}
	c->extensions = (void *)list;
	return r;
}

static int read_row(struct query *q, void *m, struct err *e)
{
	Container *c = m;
	Containerd__Services__Containers__V1__Container__Runtime *runtime;

	runtime = c->runtime = malloc(sizeof *runtime);
	if (!runtime)
		return store_no_memory(e);
	containerd__services__containers__v1__container__runtime__init(runtime);
	if (!query_string(q, 0, &c->id) || !query_string(q, 1, &c->image) || !query_string(q, 2, &runtime->name) ||
	    !query_any(q, 3, &runtime->options) || !query_any(q, 5, &c->spec) ||
	    !query_string(q, 7, &c->snapshotter) || !query_string(q, 8, &c->snapshot_key) ||
	    !query_time(q, 9, &c->created_at) || !query_time(q, 10, &c->updated_at))
		return store_no_memory(e);
	return 0;
}

/* The query's row and what other tables have of it, all as of one moment: as long as
 * the query has a row, the connection sees no newer commit. */
static int next(struct query *q, const char *ns, Container **ret, struct err *e)
{
	struct label_owner o;
	void *m = NULL, *labels = NULL;
	Container *c;
	int r = query_message(q, &containerd__services__containers__v1__container__descriptor, read_row, &m, e);

	if (r <= 0)
		return r;
	c = m;
	o = owner(ns, c->id);
	r = labels_get(q->db, &o, LABEL, &labels, &c->n_labels, e);
	c->labels = labels;
	if (r >= 0)
		r = get_extensions(q->db, ns, c, e);
	if (r < 0) {
		protobuf_c_message_free_unpacked(&c->base, NULL);
		return r;
	}
	*ret = c;
	return 1;
}

int container_get(struct store_db *db, const char *ns, const char *id, Container **ret, struct err *e)
{
	OWN_QUERY q = query(db, SQL_CONTAINER_GET, "tt", ns, id);
	int r = next(&q, ns, ret, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "container \"%s\" in namespace \"%s\"", id, ns);
	return r < 0 ? r : 0;
}

int container_each(struct store_db *db, const char *ns, int (*fn)(void *ctx, const Container *c), void *ctx,
		   struct err *e)
{
	OWN_QUERY q = query(db, SQL_CONTAINER_EACH, "t", ns);
	Container *c;
	int r;

	while ((r = next(&q, ns, &c, e)) > 0) {
		r = fn(ctx, c);
		protobuf_c_message_free_unpacked(&c->base, NULL);
		if (r < 0)
			return r;
	}
	return r;
}
