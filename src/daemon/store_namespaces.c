/* Namespaces: there by their own making, or because something in them was made. */
#include "err.h"
#include "store_db.h"
#include "store_tables.h"

#define ENTRY (&containerd__services__namespaces__v1__namespace__labels_entry__descriptor)

static struct label_owner owner(const char *name)
{
	return (struct label_owner){ "namespace", name, "" };
}

/* How many were made: 0 or 1. */
static int put(struct store_db *db, const char *name, struct err *e)
{
	OWN_QUERY q = query(db, SQL_NAMESPACE_PUT, "t", name);

	return query_run(&q, e);
}

static int not_found(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, 0, "namespace \"%s\"", name);
}

int namespace_need(struct store_db *db, const char *name, struct err *e)
{
	int r = put(db, name, e);

	return r < 0 ? r : 0;
}

static int put_labels(struct store_db *db, const Namespace *n, struct err *e)
{
	const struct label_owner o = owner(n->name);

	return labels_put(db, &o, (void *const *)n->labels, n->n_labels, e);
}

int namespace_insert(struct store_db *db, const Namespace *n, struct err *e)
{
	int r = put(db, n->name, e);

	if (r == 0)
		return err_set(e, ERR_EXISTS, 0, "namespace \"%s\"", n->name);
	return r < 0 ? r : put_labels(db, n, e);
}

static int find(struct store_db *db, const char *name, struct err *e)
{
	OWN_QUERY q = query(db, SQL_NAMESPACE_GET, "t", name);
	int r = query_step(&q, e);

	return r == 0 ? not_found(name, e) : r;
}

int namespace_replace(struct store_db *db, const Namespace *n, struct err *e)
{
	int r = find(db, n->name, e);

	return r < 0 ? r : put_labels(db, n, e);
}

/* Leases do not keep it: they go with it. */
int namespace_remove(struct store_db *db, const char *name, struct err *e)
{
	OWN_QUERY any = query(db, SQL_CONTAINER_ANY, "t", name);
	OWN_QUERY remove = { 0 };
	int r = query_step(&any, e);

	if (r > 0)
		return err_set(e, ERR_STATE, 0, "namespace \"%s\" must be empty, but it still has containers", name);
	if (r < 0)
		return r;
	remove = query(db, SQL_NAMESPACE_REMOVE, "t", name);
	r = query_run(&remove, e);
	if (r == 0)
		return not_found(name, e);
	return r < 0 ? r : 0;
}

static int read_row(struct query *q, void *m, struct err *e)
{
	Namespace *n = m;
	struct label_owner o;
	void *labels = NULL;
	int r;

	if (!query_string(q, 0, &n->name))
		return store_no_memory(e);
	o = owner(n->name);
	r = labels_get(q->db, &o, ENTRY, &labels, &n->n_labels, e);
	n->labels = labels;
	return r;
}

static int next(struct query *q, Namespace **ret, struct err *e)
{
	void *m = NULL;
	int r = query_message(q, &containerd__services__namespaces__v1__namespace__descriptor, read_row, &m, e);

	*ret = m;
	return r;
}

int namespace_get(struct store_db *db, const char *name, Namespace **ret, struct err *e)
{
	OWN_QUERY q = query(db, SQL_NAMESPACE_GET, "t", name);
	Namespace *n;
	int r = next(&q, &n, e);

	if (r <= 0)
		return r < 0 ? r : not_found(name, e);
	*ret = n;
	return 0;
}

int namespace_each(struct store_db *db, int (*fn)(void *ctx, const Namespace *n), void *ctx, struct err *e)
{
	OWN_QUERY q = query(db, SQL_NAMESPACE_EACH, "");
	Namespace *n;
	int r;

	while ((r = next(&q, &n, e)) > 0) {
		r = fn(ctx, n);
		protobuf_c_message_free_unpacked(&n->base, NULL);
		if (r < 0)
			return r;
	}
	return r;
}
