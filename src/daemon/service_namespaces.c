/* Namespaces and their labels, as containerd has them. */
#include <errno.h>
#include <string.h>

#include "answer.h"
#include "bus.h"
#include "engine.h"
#include "identifier.h"
#include "map.h"
#include "resource_events.pb-c.h"
#include "store_tables.h"

#define REQUEST(q, type) ((Containerd__Services__Namespaces__V1__##type *)(void *)(q)->m)

/* ---- reading -------------------------------------------------------------------- */

/* One that nobody has made is one without labels: clients ask before they begin. */
void serve_namespace_get(struct request *q)
{
	Containerd__Services__Namespaces__V1__GetNamespaceResponse m =
		CONTAINERD__SERVICES__NAMESPACES__V1__GET_NAMESPACE_RESPONSE__INIT;
	Namespace none = CONTAINERD__SERVICES__NAMESPACES__V1__NAMESPACE__INIT, *n = NULL;
	struct err e;

	none.name = REQUEST(q, GetNamespaceRequest)->name;
	if (namespace_get(store_reader(q->d->store), none.name, &n, &e) < 0 && e.kind != ERR_NOT_FOUND) {
		request_fail(q, &e);
		return;
	}
	q->made = n ? &n->base : NULL;
	m.namespace_ = n ? n : &none;
	request_reply(q, &m.base);
}

static int list(void *ctx, const Namespace *n)
{
	return answer_add(ctx, &n->base);
}

/* Those of tasks, each once. */
struct task_namespaces {
	struct arena *a;
	const char **v;
	size_t n, cap;
	bool failed;
};

static void add_task_namespace(void *ctx, struct engine_task *t)
{
	struct task_namespaces *all = ctx;
	const char **more;

	for (size_t i = all->n; i-- > 0;)
		if (!strcmp(all->v[i], t->namespace))
			return;
	if (all->n == all->cap) {
		more = arena_calloc(all->a, 2 * all->cap + 8, sizeof *more);
		if (!more) {
			all->failed = true;
			return;
		}
		if (all->n)
			memcpy(more, all->v, all->n * sizeof *more);
		all->v = more;
		all->cap = 2 * all->cap + 8;
	}
	all->v[all->n++] = t->namespace;
}

/* What tasks are in is there, too: others may have made them, or a database was lost. */
static int list_of_tasks(struct answer *a)
{
	struct task_namespaces all = { .a = &a->q->arena };
	int r = 0;

	engine_each(a->q->d->engine, NULL, add_task_namespace, &all);
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		Namespace none = CONTAINERD__SERVICES__NAMESPACES__V1__NAMESPACE__INIT, *n = NULL;
		struct err e;

		none.name = (char *)(uintptr_t)all.v[i];
		if (namespace_get(store_reader(a->q->d->store), none.name, &n, &e) >= 0)
			protobuf_c_message_free_unpacked(&n->base, NULL);
		else if (e.kind == ERR_NOT_FOUND)
			r = answer_add(a, &none.base);
	}
	return r >= 0 && all.failed ? err_sys(&a->e, -ENOMEM, "answer") : r;
}

/* The filter is not looked at, as containerd's does not. */
void serve_namespace_list(struct request *q)
{
	struct answer a = { .q = q };
	int r = namespace_each(store_reader(q->d->store), list, &a, &a.e);

	answer_end(&a, r < 0 ? r : list_of_tasks(&a));
}

/* ---- changes -------------------------------------------------------------------- */

static int check(Namespace *n, struct err *e)
{
	int r = identifier_check(n ? n->name : "", e);

	if (r < 0)
		return r;
	r = map_tidy_labels(MAP(n, labels));
	return r < 0 ? err_sys(e, r, "namespace.Labels") : map_check_labels(MAP(n, labels), "namespace.Labels", e);
}

static int create(struct request *q, struct store_db *db, struct err *e)
{
	return namespace_insert(db, REQUEST(q, CreateNamespaceRequest)->namespace_, e);
}

/* What a client did to one is told in the namespace that the client is in. */
static void created(struct request *q)
{
	Containerd__Services__Namespaces__V1__CreateNamespaceResponse m =
		CONTAINERD__SERVICES__NAMESPACES__V1__CREATE_NAMESPACE_RESPONSE__INIT;
	Containerd__Events__NamespaceCreate event = CONTAINERD__EVENTS__NAMESPACE_CREATE__INIT;
	Namespace *n = REQUEST(q, CreateNamespaceRequest)->namespace_;

	event.name = n->name;
	event.n_labels = n->n_labels;
	event.labels = (void *)n->labels;
	bus_tell(q->d->bus, *q->namespace ? q->namespace : n->name, "/namespaces/create", &event.base);
	m.namespace_ = n;
	request_reply(q, &m.base);
}

void serve_namespace_create(struct request *q)
{
	struct err e;

	if (check(REQUEST(q, CreateNamespaceRequest)->namespace_, &e) < 0)
		request_fail(q, &e);
	else
		request_change(q, create, created);
}

/* What is in `n` into `old`: all labels, or those of the mask. */
static int merge(Namespace *old, Namespace *n, const Google__Protobuf__FieldMask *mask, struct err *e)
{
	int r = 0;

	if (!mask || !mask->n_paths)
		map_swap(MAP(old, labels), MAP(n, labels));
	for (size_t i = 0; mask && r >= 0 && i < mask->n_paths; i++)
		r = map_move(MAP(old, labels), MAP(n, labels), mask->paths[i] + strlen("labels."));
	return r < 0 ? err_sys(e, r, "update namespace '%s'", n->name) : 0;
}

/* It may be a new one, as with containerd. */
static int update(struct request *q, struct store_db *db, struct err *e)
{
	Containerd__Services__Namespaces__V1__UpdateNamespaceRequest *m = REQUEST(q, UpdateNamespaceRequest);
	Namespace *n = m->namespace_, *old = NULL;
	struct err why;
	int r = namespace_get(db, n->name, &old, &why);

	if (r < 0 && why.kind != ERR_NOT_FOUND) {
		*e = why;
		return r;
	}
	if (r < 0)
		return namespace_insert(db, n, e);
	q->made = &old->base;
	r = map_tidy(MAP(old, labels));
	if (r < 0)
		return err_sys(e, r, "update namespace '%s'", n->name);
	r = merge(old, n, m->update_mask, e);
	return r < 0 ? r : namespace_replace(db, old, e);
}

static void updated(struct request *q)
{
	Containerd__Services__Namespaces__V1__UpdateNamespaceResponse m =
		CONTAINERD__SERVICES__NAMESPACES__V1__UPDATE_NAMESPACE_RESPONSE__INIT;
	Containerd__Events__NamespaceUpdate event = CONTAINERD__EVENTS__NAMESPACE_UPDATE__INIT;
	Namespace *n = q->made ? (Namespace *)q->made : REQUEST(q, UpdateNamespaceRequest)->namespace_;

	event.name = n->name;
	event.n_labels = n->n_labels;
	event.labels = (void *)n->labels;
	bus_tell(q->d->bus, *q->namespace ? q->namespace : n->name, "/namespaces/update", &event.base);
	m.namespace_ = n;
	request_reply(q, &m.base);
}

void serve_namespace_update(struct request *q)
{
	const Containerd__Services__Namespaces__V1__UpdateNamespaceRequest *m = REQUEST(q, UpdateNamespaceRequest);
	struct err e;
	int r = check(m->namespace_, &e);

	for (size_t i = 0; r >= 0 && m->update_mask && i < m->update_mask->n_paths; i++)
		if (!str_starts(m->update_mask->paths[i], "labels."))
			r = err_set(&e, ERR_INVALID, 0, "cannot update \"%s\" field", m->update_mask->paths[i]);
	if (r < 0)
		request_fail(q, &e);
	else
		request_change(q, update, updated);
}

static int erase(struct request *q, struct store_db *db, struct err *e)
{
	return namespace_remove(db, REQUEST(q, DeleteNamespaceRequest)->name, e);
}

static void deleted(struct request *q)
{
	Containerd__Events__NamespaceDelete event = CONTAINERD__EVENTS__NAMESPACE_DELETE__INIT;

	event.name = REQUEST(q, DeleteNamespaceRequest)->name;
	bus_tell(q->d->bus, event.name, "/namespaces/delete", &event.base);
	request_empty(q);
}

void serve_namespace_delete(struct request *q)
{
	request_change(q, erase, deleted);
}
