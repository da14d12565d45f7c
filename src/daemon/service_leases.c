/* Leases, as containerd has them: what a client needs for a while, until it deletes
 * the lease or its time has come (label containerd.io/gc.expire). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "answer.h"
#include "log.h"
#include "map.h"
#include "store_tables.h"
#include "timestamp.h"

#define REQUEST(q, type) ((Containerd__Services__Leases__V1__##type *)(void *)(q)->m)

/* ---- their time ----------------------------------------------------------------- */

enum {
	CLOCK_MS = 3600 * 1000, /* so often the clock is looked at, which may be set meanwhile */
	RETRY_MS = 60 * 1000,
};

struct expiry {
	struct store_change change;
	struct daemon *d;
	int64_t now;
};

static void arm(struct daemon *d);
static int on_time(struct source *s, uint32_t events);

static int expire(struct store_change *c, struct store_db *db, struct err *e)
{
	return lease_expire(db, ((struct expiry *)c)->now, e);
}

/* Not at once: what fails may fail for long. */
static void try_later(struct daemon *d, const struct err *e)
{
	char words[sizeof e->msg + 128];

	log_printf(LOG_LEVEL_ERROR, "leases do not expire: %s", err_text(e, words, sizeof words));
	source_remove(&d->lease_timer);
	source_timer(&d->lease_timer, &d->loop, RETRY_MS, on_time);
}

static void expired(struct store_change *c, int r, const struct err *e)
{
	struct expiry *x = (struct expiry *)c;

	if (r < 0)
		try_later(x->d, e);
	else
		arm(x->d);
	free(x);
}

static int on_time(struct source *s, uint32_t events)
{
	struct daemon *d = (struct daemon *)((char *)s - offsetof(struct daemon, lease_timer));
	struct expiry *x = calloc(1, sizeof *x);

	if (!x)
		return source_timer(s, &d->loop, RETRY_MS, on_time);
	x->change.run = expire;
	x->change.done = expired;
	x->d = d;
	x->now = time(NULL);
	store_change(d->store, &x->change);
	return 0;
}

/* For the next that expires. */
static void arm(struct daemon *d)
{
	int64_t next, left;
	struct err e;

	if (lease_next_expiry(store_reader(d->store), &next, &e) < 0) {
		try_later(d, &e);
		return;
	}
	source_remove(&d->lease_timer);
	left = next - time(NULL);
	if (next)
		source_timer(&d->lease_timer, &d->loop,
			     left <= 0 ? 0 : left < CLOCK_MS / 1000 ? (uint32_t)left * 1000 : CLOCK_MS, on_time);
}

int services_begin(struct daemon *d, struct err *e)
{
	arm(d);
	return 0;
}

void services_end(struct daemon *d)
{
	source_remove(&d->lease_timer);
}

/* ---- leases --------------------------------------------------------------------- */

/* As containerd's: "123456789-aB_9". */
static char *random_id(struct arena *a)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct timespec now;
	uint32_t v = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (getrandom(&v, 3, 0) != 3)
		return NULL;
	return arena_printf(a, "%ld-%c%c%c%c", now.tv_nsec, digits[v >> 18 & 63], digits[v >> 12 & 63],
			    digits[v >> 6 & 63], digits[v & 63]);
}

static int create(struct request *q, struct store_db *db, struct err *e)
{
	return lease_insert(db, q->namespace, q->ctx, e);
}

static void created(struct request *q)
{
	Containerd__Services__Leases__V1__CreateResponse m = CONTAINERD__SERVICES__LEASES__V1__CREATE_RESPONSE__INIT;

	arm(q->d);
	m.lease = q->ctx;
	request_reply(q, &m.base);
}

/* The lease is the arena's; its labels are the request's. */
void serve_lease_create(struct request *q)
{
	Containerd__Services__Leases__V1__CreateRequest *m = REQUEST(q, CreateRequest);
	Lease *l = arena_alloc(&q->arena, sizeof *l);
	Google__Protobuf__Timestamp *now = arena_alloc(&q->arena, sizeof *now);
	struct err e;
	int r = l && now ? map_tidy_labels(MAP(m, labels)) : -ENOMEM;

	if (r >= 0) {
		containerd__services__leases__v1__lease__init(l);
		l->id = *m->id ? m->id : random_id(&q->arena);
		r = l->id ? 0 : -ENOMEM;
	}
	if (r < 0) {
		err_sys(&e, r, "create a lease");
		request_fail(q, &e);
		return;
	}
	timestamp_now(now);
	l->created_at = now;
	l->n_labels = m->n_labels;
	l->labels = (void *)m->labels;
	q->ctx = l;
	request_change(q, create, created);
}

static int erase(struct request *q, struct store_db *db, struct err *e)
{
	return lease_remove(db, q->namespace, REQUEST(q, DeleteRequest)->id, e);
}

/* `sync` would wait until what it kept has been collected: nothing is kept. */
void serve_lease_delete(struct request *q)
{
	request_change(q, erase, request_empty);
}

static const char *lease_field(void *ctx, const char *const *path, size_t n)
{
	const Lease *l = ctx;

	if (n && !strcmp(path[0], "id"))
		return l->id;
	return n && !strcmp(path[0], "labels") ? map_label(MAP(l, labels), path + 1, n - 1) : NULL;
}

static int list(void *ctx, const Lease *l)
{
	return answer_wants(ctx, lease_field, l) ? answer_add(ctx, &l->base) : 0;
}

void serve_lease_list(struct request *q)
{
	const Containerd__Services__Leases__V1__ListRequest *m = REQUEST(q, ListRequest);
	struct answer a = { .q = q };
	int r = answer_filter(&a, m->filters, m->n_filters);

	if (r >= 0)
		r = lease_each(store_reader(q->d->store), q->namespace, list, &a, &a.e);
	answer_end(&a, r);
}

/* ---- what they keep ------------------------------------------------------------- */

/* ALGORITHM:HEX */
static bool is_digest(const char *s)
{
	static const struct {
		const char *prefix;
		size_t digits;
	} algorithms[] = { { "sha256:", 64 }, { "sha384:", 96 }, { "sha512:", 128 } };

	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		const char *hex = s + strlen(algorithms[i].prefix);

		if (str_starts(s, algorithms[i].prefix))
			return strlen(hex) == algorithms[i].digits && strspn(hex, "0123456789abcdef") == strlen(hex);
	}
	return false;
}

static bool is_kind(const char *type, const char *kind)
{
	return str_starts(type, kind) && (!type[strlen(kind)] || type[strlen(kind)] == '/');
}

/* "content", "ingests", or "snapshots/SNAPSHOTTER". */
static int check_resource(const LeaseResource *r, struct err *e)
{
	const char *type = r ? r->type : "", *slash = strchr(type, '/');

	if (!r || !(is_kind(type, "content") || is_kind(type, "ingests") || is_kind(type, "snapshots")))
		return err_set(e, ERR_UNSUPPORTED, 0, "resource type %s not supported yet", type);
	if (is_kind(type, "snapshots")) {
		if (!slash || strchr(slash + 1, '/'))
			return err_set(e, ERR_INVALID, 0, "invalid snapshot resource type %s", type);
	} else if (slash) {
		return err_set(e, ERR_INVALID, 0, "invalid resource type %s", type);
	}
	if (is_kind(type, "content") && !is_digest(r->id))
		return err_set(e, ERR_INVALID, 0, "invalid content resource id %s: invalid checksum digest format",
			       r->id);
	return *r->id ? 0 : err_set(e, ERR_INVALID, 0, "a resource must have an id");
}

static int add(struct request *q, struct store_db *db, struct err *e)
{
	const Containerd__Services__Leases__V1__AddResourceRequest *m = REQUEST(q, AddResourceRequest);
	int r = lease_find(db, q->namespace, m->id, e);

	if (r >= 0)
		r = check_resource(m->resource, e);
	return r < 0 ? r : lease_add(db, q->namespace, m->id, m->resource, e);
}

void serve_lease_add_resource(struct request *q)
{
	request_change(q, add, request_empty);
}

static int drop(struct request *q, struct store_db *db, struct err *e)
{
	const Containerd__Services__Leases__V1__DeleteResourceRequest *m = REQUEST(q, DeleteResourceRequest);
	int r = lease_find(db, q->namespace, m->id, e);

	if (r >= 0)
		r = check_resource(m->resource, e);
	return r < 0 ? r : lease_drop(db, q->namespace, m->id, m->resource, e);
}

void serve_lease_delete_resource(struct request *q)
{
	request_change(q, drop, request_empty);
}

static int list_resource(void *ctx, const LeaseResource *r)
{
	return answer_add(ctx, &r->base);
}

void serve_lease_list_resources(struct request *q)
{
	const char *id = REQUEST(q, ListResourcesRequest)->id;
	struct answer a = { .q = q };

	answer_end(&a, lease_resources(store_reader(q->d->store), q->namespace, id, list_resource, &a, &a.e));
}
