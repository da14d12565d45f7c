/* Containers: what a client keeps of one beside its task, as containerd has it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "bus.h"
#include "identifier.h"
#include "map.h"
#include "resource_events.pb-c.h"
#include "store_tables.h"
#include "timestamp.h"

#define REQUEST(q, type) ((Containerd__Services__Containers__V1__##type *)(void *)(q)->m)

/* ---- reading -------------------------------------------------------------------- */

void serve_container_get(struct request *q)
{
	Containerd__Services__Containers__V1__GetContainerResponse m =
		CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_RESPONSE__INIT;
	const char *id = REQUEST(q, GetContainerRequest)->id;
	struct err e;

	if (container_get(store_reader(q->d->store), q->namespace, id, &m.container, &e) < 0) {
		request_fail(q, &e);
		return;
	}
	q->made = &m.container->base;
	request_reply(q, &m.base);
}

static const char *text_or_none(const char *s)
{
	return str_empty(s) ? NULL : s;
}

static const char *container_field(void *ctx, const char *const *path, size_t n)
{
	const Container *c = ctx;

	if (!n)
		return NULL;
	if (!strcmp(path[0], "id"))
		return c->id;
	if (!strcmp(path[0], "image"))
		return text_or_none(c->image);
	if (!strcmp(path[0], "labels"))
		return map_label(MAP(c, labels), path + 1, n - 1);
	if (!strcmp(path[0], "runtime") && n > 1 && !strcmp(path[1], "name"))
		return c->runtime ? text_or_none(c->runtime->name) : NULL;
	return NULL;
}

static int list(void *ctx, const Container *c)
{
	return answer_wants(ctx, container_field, c) ? answer_add(ctx, &c->base) : 0;
}

void serve_container_list(struct request *q)
{
	const Containerd__Services__Containers__V1__ListContainersRequest *m = REQUEST(q, ListContainersRequest);
	struct answer a = { .q = q };
	int r = answer_filter(&a, m->filters, m->n_filters);

	if (r >= 0)
		r = container_each(store_reader(q->d->store), q->namespace, list, &a, &a.e);
	answer_end(&a, r);
}

/* ---- a stream of them ----------------------------------------------------------- */

/* The ids of those that are wanted; each is read when the client has room for it. */
struct found {
	struct found *next;
	char id[];
};

struct stream { /* of the request's arena */
	struct answer a;
	struct found *first, **last;
};

static int find(void *ctx, const Container *c)
{
	struct stream *s = ctx;
	size_t len = strlen(c->id);
	struct found *f;

	if (!answer_wants(&s->a, container_field, c))
		return 0;
	f = arena_alloc(&s->a.q->arena, sizeof *f + len + 1);
	if (!f)
		return err_sys(&s->a.e, -ENOMEM, "list containers");
	memcpy(f->id, c->id, len + 1);
	*s->last = f;
	s->last = &f->next;
	return 0;
}

/* Bytes that the client has yet to read, this one with them. */
static int send_one(struct stream *s, const char *id, size_t *unread)
{
	struct request *q = s->a.q;
	struct grpc_message *m = NULL;
	Container *c;
	int r = container_get(store_reader(q->d->store), q->namespace, id, &c, &s->a.e);

	if (r < 0)
		return s->a.e.kind == ERR_NOT_FOUND ? 0 : r; /* deleted meanwhile */
	s->a.b.len = 0;
	r = answer_add(&s->a, &c->base);
	protobuf_c_message_free_unpacked(&c->base, NULL);
	if (r < 0)
		return r;
	m = grpc_message_packed(s->a.b.s, s->a.b.len);
	if (!m)
		return err_sys(&s->a.e, -ENOMEM, "list containers");
	*unread = grpc_send(q->rpc, m);
	grpc_message_unref(m);
	return 0;
}

static void send_more(struct request *q)
{
	struct stream *s = q->ctx;
	size_t unread = 0;
	int r = 0;

	while (r >= 0 && s->first && unread <= GRPC_SEND_MARK) {
		r = send_one(s, s->first->id, &unread);
		s->first = s->first->next;
	}
	if (r < 0)
		request_fail(q, &s->a.e);
	else if (!s->first)
		request_close(q);
}

static void on_writable(struct grpc_call *rpc)
{
	send_more(rpc->ctx);
}

static void end(struct request *q)
{
	answer_done(&((struct stream *)q->ctx)->a);
}

void serve_container_list_stream(struct request *q)
{
	const Containerd__Services__Containers__V1__ListContainersRequest *m = REQUEST(q, ListContainersRequest);
	struct stream *s = arena_alloc(&q->arena, sizeof *s);
	struct err e;

	if (!s) {
		err_sys(&e, -ENOMEM, "list containers");
		request_fail(q, &e);
		return;
	}
	s->a.q = q;
	s->last = &s->first;
	q->ctx = s;
	q->end = end;
	if (answer_filter(&s->a, m->filters, m->n_filters) < 0 ||
	    container_each(store_reader(q->d->store), q->namespace, find, s, &s->a.e) < 0) {
		request_fail(q, &s->a.e);
		return;
	}
	q->gone = request_close;
	q->rpc->writable = on_writable;
	send_more(q);
}

/* ---- changes -------------------------------------------------------------------- */

/* Its maps are tidy. */
static int check(const Container *c, struct err *e)
{
	int r = identifier_check(c->id, e);

	if (r < 0)
		return err_wrap(e, r, "container.ID");
	if (c->n_extensions && !*c->extensions[0]->key)
		return err_set(e, ERR_INVALID, 0, "container.Extension keys must not be zero-length");
	r = map_check_labels(MAP(c, labels), "containers.Labels", e);
	if (r < 0)
		return r;
	if (!c->runtime || !*c->runtime->name)
		return err_set(e, ERR_INVALID, 0, "container.Runtime.Name must be set");
	if (!c->spec)
		return err_set(e, ERR_INVALID, 0, "container.Spec must be set");
	if (*c->snapshot_key && !*c->snapshotter)
		return err_set(e, ERR_INVALID, 0, "container.Snapshotter must be set if container.SnapshotKey is set");
	return 0;
}

static int tidy(Container *c, struct err *e)
{
	int r = map_tidy_labels(MAP(c, labels));

	if (r >= 0)
		r = map_tidy(MAP(c, extensions));
	return r < 0 ? err_sys(e, r, "container '%s'", c->id) : 0;
}

/* Now, in place of what the message has. */
static int stamp(Google__Protobuf__Timestamp **t, struct err *e)
{
	if (!*t)
		*t = malloc(sizeof **t);
	if (!*t)
		return err_sys(e, -ENOMEM, "container");
	timestamp_now(*t);
	return 0;
}

static int create(struct request *q, struct store_db *db, struct err *e)
{
	return container_insert(db, q->namespace, REQUEST(q, CreateContainerRequest)->container, e);
}

static void created(struct request *q)
{
	Containerd__Services__Containers__V1__CreateContainerResponse m =
		CONTAINERD__SERVICES__CONTAINERS__V1__CREATE_CONTAINER_RESPONSE__INIT;
	Containerd__Events__ContainerCreate event = CONTAINERD__EVENTS__CONTAINER_CREATE__INIT;
	Containerd__Events__ContainerCreate__Runtime runtime = CONTAINERD__EVENTS__CONTAINER_CREATE__RUNTIME__INIT;
	Container *c = REQUEST(q, CreateContainerRequest)->container;

	runtime.name = c->runtime->name;
	runtime.options = c->runtime->options;
	event.id = c->id;
	event.image = c->image;
	event.runtime = &runtime;
	bus_tell(q->d->bus, q->namespace, "/containers/create", &event.base);
	m.container = c;
	request_reply(q, &m.base);
}

void serve_container_create(struct request *q)
{
	Container none = CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
	Container *c = REQUEST(q, CreateContainerRequest)->container;
	struct err e;
	int r = c ? tidy(c, &e) : 0;

	if (r >= 0)
		r = check(c ? c : &none, &e);
	if (r < 0)
		err_wrap(&e, r, "create container failed validation");
	if (r < 0 || stamp(&c->created_at, &e) < 0 || stamp(&c->updated_at, &e) < 0) {
		request_fail(q, &e);
		return;
	}
	*c->updated_at = *c->created_at;
	request_change(q, create, created);
}

#define SWAP(a, b)                      \
	do {                            \
		__auto_type c_ = (a);   \
		(a) = (b);              \
		(b) = c_;               \
	} while (0)

/* One field of `c` into `old`: what it had is freed with the request. */
static int set(Container *old, Container *c, const char *path, struct err *e)
{
	int r = 0;

	if (str_starts(path, "labels."))
		r = map_move(MAP(old, labels), MAP(c, labels), path + strlen("labels."));
	else if (str_starts(path, "extensions."))
		r = map_move(MAP(old, extensions), MAP(c, extensions), path + strlen("extensions."));
	else if (!strcmp(path, "labels"))
		map_swap(MAP(old, labels), MAP(c, labels));
	else if (!strcmp(path, "extensions"))
		map_swap(MAP(old, extensions), MAP(c, extensions));
	else if (!strcmp(path, "spec"))
		SWAP(old->spec, c->spec);
	else if (!strcmp(path, "image"))
		SWAP(old->image, c->image);
	else if (!strcmp(path, "snapshotkey"))
		SWAP(old->snapshot_key, c->snapshot_key);
	else
		return err_set(e, ERR_INVALID, 0, "cannot update \"%s\" field on \"%s\"", path, old->id);
	return r < 0 ? err_sys(e, r, "update container '%s'", old->id) : 0;
}

/* Without a mask: all that may change; the rest must be as it was. */
static int set_all(Container *old, Container *c, struct err *e)
{
	static const char *const all[] = { "labels", "spec", "extensions", "image", "snapshotkey" };
	int r = 0;

	if (strcmp(old->snapshotter, c->snapshotter) != 0)
		return err_set(e, ERR_INVALID, 0, "container.Snapshotter field is immutable");
	if (strcmp(old->runtime->name, c->runtime ? c->runtime->name : "") != 0)
		return err_set(e, ERR_INVALID, 0, "container.Runtime.Name field is immutable");
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(all); i++)
		r = set(old, c, all[i], e);
	return r;
}

static int update(struct request *q, struct store_db *db, struct err *e)
{
	Containerd__Services__Containers__V1__UpdateContainerRequest *m = REQUEST(q, UpdateContainerRequest);
	const Google__Protobuf__FieldMask *mask = m->update_mask;
	Container *c = m->container, *old;
	int r = container_get(db, q->namespace, c->id, &old, e);

	if (r < 0)
		return r;
	q->made = &old->base;
	r = tidy(old, e);
	if (r >= 0 && (!mask || !mask->n_paths))
		r = set_all(old, c, e);
	for (size_t i = 0; r >= 0 && mask && i < mask->n_paths; i++)
		r = set(old, c, mask->paths[i], e);
	if (r < 0)
		return r;
	r = check(old, e);
	if (r < 0)
		return err_wrap(e, r, "update failed validation");
	r = stamp(&old->updated_at, e);
	return r < 0 ? r : container_replace(db, q->namespace, old, e);
}

static void updated(struct request *q)
{
	Containerd__Services__Containers__V1__UpdateContainerResponse m =
		CONTAINERD__SERVICES__CONTAINERS__V1__UPDATE_CONTAINER_RESPONSE__INIT;
	Containerd__Events__ContainerUpdate event = CONTAINERD__EVENTS__CONTAINER_UPDATE__INIT;
	Container *c = (Container *)q->made;

	event.id = c->id;
	event.image = c->image;
	event.n_labels = c->n_labels;
	event.labels = (void *)c->labels;
	event.snapshot_key = c->snapshot_key;
	bus_tell(q->d->bus, q->namespace, "/containers/update", &event.base);
	m.container = c;
	request_reply(q, &m.base);
}

void serve_container_update(struct request *q)
{
	Container *c = REQUEST(q, UpdateContainerRequest)->container;
	struct err e;
	int r = c && *c->id ? tidy(c, &e) : err_set(&e, ERR_INVALID, 0, "Container.ID required");

	if (r < 0)
		request_fail(q, &e);
	else
		request_change(q, update, updated);
}

static int erase(struct request *q, struct store_db *db, struct err *e)
{
	return container_remove(db, q->namespace, REQUEST(q, DeleteContainerRequest)->id, e);
}

static void deleted(struct request *q)
{
	Containerd__Events__ContainerDelete event = CONTAINERD__EVENTS__CONTAINER_DELETE__INIT;

	event.id = REQUEST(q, DeleteContainerRequest)->id;
	bus_tell(q->d->bus, q->namespace, "/containers/delete", &event.base);
	request_empty(q);
}

void serve_container_delete(struct request *q)
{
	request_change(q, erase, deleted);
}
