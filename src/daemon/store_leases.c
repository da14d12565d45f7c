/* Leases: what may not be collected as garbage, by whom it was asked, and until when. */
#include <stdlib.h>

#include "err.h"
#include "store_db.h"
#include "store_tables.h"

#define LABEL (&containerd__services__leases__v1__lease__labels_entry__descriptor)
#define EXPIRES "containerd.io/gc.expire"

static struct label_owner owner(const char *ns, const char *id)
{
	return (struct label_owner){ "lease", ns, id };
}

static int not_found(const char *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, 0, "lease \"%s\"", id);
}

/* ---- leases ------------------------------------------------------------------ */

/* The first whole second at which it is over; 0: never, also when the label is no time,
 * as containerd has it. */
static int64_t end_of(const Lease *l)
{
	const char *text = labels_find((void *const *)l->labels, l->n_labels, EXPIRES);
	struct timespec ts;
	int64_t end;

	if (!text || clock_read(text, &ts) < 0)
		return 0;
	end = ts.tv_sec + (ts.tv_nsec > 0);
	return end < 1 ? 1 : end;
}

static int put(struct store_db *db, const char *ns, const Lease *l, struct err *e)
{
	char created[CLOCK_TEXT];
	int64_t end = end_of(l);
	OWN_QUERY q = query(db, SQL_LEASE_INSERT, end ? "ttti" : "ttt", ns, l->id, store_time(l->created_at, created),
			    end);

	return query_run(&q, e);
}

int lease_insert(struct store_db *db, const char *ns, const Lease *l, struct err *e)
{
	const struct label_owner o = owner(ns, l->id);
	int r = namespace_need(db, ns, e);

	if (r >= 0)
		r = put(db, ns, l, e);
	if (r == 0)
		return err_set(e, ERR_EXISTS, 0, "lease \"%s\"", l->id);
	return r < 0 ? r : labels_put(db, &o, (void *const *)l->labels, l->n_labels, e);
}

int lease_remove(struct store_db *db, const char *ns, const char *id, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LEASE_REMOVE, "tt", ns, id);
	int r = query_run(&q, e);

	if (r == 0)
		return not_found(id, e);
	return r < 0 ? r : 0;
}

static int read_row(struct query *q, void *m, struct err *e)
{
	Lease *l = m;

	return query_string(q, 0, &l->id) && query_time(q, 1, &l->created_at) ? 0 : store_no_memory(e);
}

static int next(struct query *q, const char *ns, Lease **ret, struct err *e)
{
	struct label_owner o;
	void *m = NULL, *labels = NULL;
	Lease *l;
	int r = query_message(q, &containerd__services__leases__v1__lease__descriptor, read_row, &m, e);

	if (r <= 0)
		return r;
	l = m;
	o = owner(ns, l->id);
	r = labels_get(q->db, &o, LABEL, &labels, &l->n_labels, e);
	l->labels = labels;
	if (r < 0) {
		protobuf_c_message_free_unpacked(&l->base, NULL);
		return r;
	}
	*ret = l;
	return 1;
}

int lease_each(struct store_db *db, const char *ns, int (*fn)(void *ctx, const Lease *l), void *ctx, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LEASE_EACH, "t", ns);
	Lease *l;
	int r;

	while ((r = next(&q, ns, &l, e)) > 0) {
		r = fn(ctx, l);
		protobuf_c_message_free_unpacked(&l->base, NULL);
		if (r < 0)
			return r;
	}
	return r;
}

int lease_next_expiry(struct store_db *db, int64_t *ret, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LEASE_NEXT, "");
	int r = query_step(&q, e);

	if (r < 0)
		return r;
	*ret = sqlite3_column_int64(q.st, 0); /* NULL, when there is none, is 0 */
	return 0;
}

int lease_expire(struct store_db *db, int64_t now, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LEASE_EXPIRE, "i", now);

	return query_run(&q, e);
}

/* ---- their resources --------------------------------------------------------- */

int lease_find(struct store_db *db, const char *ns, const char *id, struct err *e)
{
	OWN_QUERY q = query(db, SQL_LEASE_GET, "tt", ns, id);
	int r = query_step(&q, e);

	return r == 0 ? not_found(id, e) : r;
}

static int change(struct store_db *db, enum store_statement s, const char *ns, const char *lease,
		  const LeaseResource *r, struct err *e)
{
	OWN_QUERY q = { 0 };
	int ret = lease_find(db, ns, lease, e);

	if (ret < 0)
		return ret;
	q = query(db, s, "tttt", ns, lease, r->type, r->id);
	ret = query_run(&q, e);
	return ret < 0 ? ret : 0;
}

int lease_add(struct store_db *db, const char *ns, const char *lease, const LeaseResource *r, struct err *e)
{
	return change(db, SQL_RESOURCE_PUT, ns, lease, r, e);
}

int lease_drop(struct store_db *db, const char *ns, const char *lease, const LeaseResource *r, struct err *e)
{
	return change(db, SQL_RESOURCE_REMOVE, ns, lease, r, e);
}

int lease_resources(struct store_db *db, const char *ns, const char *lease,
		    int (*fn)(void *ctx, const LeaseResource *r), void *ctx, struct err *e)
{
	LeaseResource x = CONTAINERD__SERVICES__LEASES__V1__RESOURCE__INIT;
	OWN_QUERY q = { 0 };
	int r = lease_find(db, ns, lease, e);

	if (r < 0)
		return r;
	q = query(db, SQL_RESOURCE_EACH, "tt", ns, lease);
	while ((r = query_step(&q, e)) > 0) {
		x.id = (char *)sqlite3_column_text(q.st, 0);
		x.type = (char *)sqlite3_column_text(q.st, 1);
		if (!x.id || !x.type)
			return store_no_memory(e);
		r = fn(ctx, &x);
		if (r < 0)
			return r;
	}
	return r;
}
