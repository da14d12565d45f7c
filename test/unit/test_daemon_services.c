/* Namespaces, leases and containers: what is checked, changed, told and answered. */
#include "daemon_for.h"

#include "resource_events.pb-c.h"
#include "containers.pb-c.h"
#include "leases.pb-c.h"
#include "namespaces.pb-c.h"
#include "store_db.h"

#define NAMESPACES "/containerd.services.namespaces.v1.Namespaces/"
#define LEASES "/containerd.services.leases.v1.Leases/"
#define CONTAINERS "/containerd.services.containers.v1.Containers/"
#define MUST " must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$"

static Google__Protobuf__FieldMask *mask_of(const char *const *paths)
{
	static Google__Protobuf__FieldMask m;

	google__protobuf__field_mask__init(&m);
	m.paths = (char **)(uintptr_t)paths;
	while (paths[m.n_paths])
		m.n_paths++;
	return &m;
}

static char *longer(size_t n)
{
	char *s = arena_alloc(&arena, n + 1);

	memset(s, 'x', n);
	return s;
}

/* ---- namespaces ------------------------------------------------------------------- */

/* All of them: "a{k=v} b{}" */
static const char *namespaces(void)
{
	struct asked *a = ask(NAMESPACES "List", NULL, NULL);
	Containerd__Services__Namespaces__V1__ListNamespacesResponse *m =
		answer(a, &containerd__services__namespaces__v1__list_namespaces_response__descriptor);
	static char text[4096];

	*text = '\0';
	for (size_t i = 0; i < m->n_namespaces; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s{%s}", i ? " " : "",
			 m->namespaces[i]->name, labels_text(MAP(m->namespaces[i], labels)));
	forget(a);
	return text;
}

static Containerd__Services__Namespaces__V1__CreateNamespaceRequest *namespace_of(const char *name,
										  const char *const *labels)
{
	static Containerd__Services__Namespaces__V1__CreateNamespaceRequest m;
	static Namespace n;

	containerd__services__namespaces__v1__create_namespace_request__init(&m);
	containerd__services__namespaces__v1__namespace__init(&n);
	n.name = (char *)name;
	put_labels(MAP(&n, labels), labels);
	m.namespace_ = &n;
	return &m;
}

static void namespaces_made(void **state)
{
	Containerd__Services__Namespaces__V1__CreateNamespaceRequest none =
		CONTAINERD__SERVICES__NAMESPACES__V1__CREATE_NAMESPACE_REQUEST__INIT;
	Containerd__Services__Namespaces__V1__GetNamespaceRequest get =
		CONTAINERD__SERVICES__NAMESPACES__V1__GET_NAMESPACE_REQUEST__INIT;
	Containerd__Services__Namespaces__V1__GetNamespaceResponse *got;
	Containerd__Services__Namespaces__V1__CreateNamespaceResponse *m;
	Containerd__Events__NamespaceCreate *event;
	struct asked *a;

	assert_string_equal(namespaces(), "");
	a = ask(NAMESPACES "Create", "client", namespace_of("b", PAIRS("k", "1", "e", "", "a", "2", "k", "3")));
	m = answer(a, &containerd__services__namespaces__v1__create_namespace_response__descriptor);
	assert_string_equal(m->namespace_->name, "b");
	assert_string_equal(labels_text(MAP(m->namespace_, labels)), "a=2 k=3");
	forget(a);
	event = event_is("client", "/namespaces/create", &containerd__events__namespace_create__descriptor);
	assert_string_equal(event->name, "b");
	assert_string_equal(labels_text(MAP(event, labels)), "a=2 k=3");
	protobuf_c_message_free_unpacked(&event->base, NULL);
	well(NAMESPACES "Create", NULL, namespace_of("a", PAIRS(NULL)));
	event = event_is("a", "/namespaces/create", &containerd__events__namespace_create__descriptor);
	protobuf_c_message_free_unpacked(&event->base, NULL);
	assert_string_equal(namespaces(), "a{} b{a=2 k=3}");

	refused(NAMESPACES "Create", NULL, namespace_of("a", PAIRS(NULL)), ERR_EXISTS, "namespace \"a\"");
	refused(NAMESPACES "Create", NULL, namespace_of("", PAIRS(NULL)), ERR_INVALID, "identifier must not be empty");
	refused(NAMESPACES "Create", NULL, &none, ERR_INVALID, "identifier must not be empty");
	refused(NAMESPACES "Create", NULL, namespace_of("a/b", PAIRS(NULL)), ERR_INVALID, "identifier \"a/b\"" MUST);
	refused(NAMESPACES "Create", NULL, namespace_of("c", PAIRS("k", longer(4096))), ERR_INVALID,
		"namespace.Labels: label key and value greater than maximum size (4096 bytes), key: k");
	no_event();

	get.name = (char *)"b";
	a = ask(NAMESPACES "Get", NULL, &get);
	got = answer(a, &containerd__services__namespaces__v1__get_namespace_response__descriptor);
	assert_string_equal(labels_text(MAP(got->namespace_, labels)), "a=2 k=3");
	forget(a);
	/* one that nobody has made */
	get.name = (char *)"none";
	a = ask(NAMESPACES "Get", NULL, &get);
	got = answer(a, &containerd__services__namespaces__v1__get_namespace_response__descriptor);
	assert_string_equal(got->namespace_->name, "none");
	assert_int_equal(got->namespace_->n_labels, 0);
	forget(a);
	assert_string_equal(namespaces(), "a{} b{a=2 k=3}");
}

static const char *namespace_update(const char *name, const char *const *labels, const char *const *paths)
{
	Containerd__Services__Namespaces__V1__UpdateNamespaceRequest m =
		CONTAINERD__SERVICES__NAMESPACES__V1__UPDATE_NAMESPACE_REQUEST__INIT;
	Containerd__Services__Namespaces__V1__UpdateNamespaceResponse *r;
	Containerd__Events__NamespaceUpdate *event;
	static char text[4096];
	struct asked *a;

	m.namespace_ = namespace_of(name, labels)->namespace_;
	m.update_mask = paths ? mask_of(paths) : NULL;
	a = ask(NAMESPACES "Update", NULL, &m);
	if (a->failed) {
		snprintf(text, sizeof text, "%s", a->e.msg);
	} else {
		r = answer(a, &containerd__services__namespaces__v1__update_namespace_response__descriptor);
		snprintf(text, sizeof text, "%s", labels_text(MAP(r->namespace_, labels)));
		event = event_is(name, "/namespaces/update", &containerd__events__namespace_update__descriptor);
		assert_string_equal(labels_text(MAP(event, labels)), text);
		protobuf_c_message_free_unpacked(&event->base, NULL);
	}
	forget(a);
	return text;
}

static void namespaces_updated(void **state)
{
	well(NAMESPACES "Create", NULL, namespace_of("a", PAIRS("k", "1", "l", "2")));
	heard++;
#define UPDATE(labels, paths, text) assert_string_equal(namespace_update("a", labels, paths), text)
	UPDATE(PAIRS("m", "3", "k", "4"), PAIRS("labels.m"), "k=1 l=2 m=3");
	UPDATE(PAIRS("k", "5"), PAIRS("labels.k", "labels.l", "labels.none"), "k=5 m=3");
	UPDATE(PAIRS("x.y", "6", "k", ""), PAIRS("labels.x.y", "labels.k"), "m=3 x.y=6");
	UPDATE(PAIRS("only", "7"), NULL, "only=7");
	UPDATE(PAIRS("still", "8"), PAIRS(NULL), "still=8"); /* a mask without paths */
	UPDATE(PAIRS("k", "9"), PAIRS("labels"), "cannot update \"labels\" field");
	UPDATE(PAIRS("k", "9"), PAIRS("labels.k", "name"), "cannot update \"name\" field");
	UPDATE(PAIRS("k", longer(4096)), PAIRS("labels.k"),
	       "namespace.Labels: label key and value greater than maximum size (4096 bytes), key: k");
	assert_string_equal(namespaces(), "a{still=8}");
	UPDATE(PAIRS(NULL), NULL, "");
	assert_string_equal(namespaces(), "a{}");
	assert_string_equal(namespace_update("", PAIRS("k", "9"), NULL), "identifier must not be empty");
	/* one that nobody has made is made */
	assert_string_equal(namespace_update("new", PAIRS("k", "1"), PAIRS("labels.k")), "k=1");
	assert_string_equal(namespaces(), "a{} new{k=1}");
	no_event();
}

/* ---- containers ------------------------------------------------------------------- */

static Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

/* A good one. */
static Container *container(const char *id)
{
	static Containerd__Services__Containers__V1__Container__Runtime runtime;
	Container *c = arena_alloc(&arena, sizeof *c);

	containerd__services__containers__v1__container__runtime__init(&runtime);
	containerd__services__containers__v1__container__init(c);
	any.type_url = (char *)"spec";
	any.value = (ProtobufCBinaryData){ 2, (uint8_t *)"{}" };
	runtime.name = (char *)"io.containerd.berth.v2";
	c->id = (char *)id;
	c->runtime = &runtime;
	c->spec = &any;
	return c;
}

static Containerd__Services__Containers__V1__CreateContainerRequest *creation(Container *c)
{
	static Containerd__Services__Containers__V1__CreateContainerRequest m;

	containerd__services__containers__v1__create_container_request__init(&m);
	m.container = c;
	return &m;
}

static void not_created(Container *c, const char *words)
{
	char all[600];

	snprintf(all, sizeof all, "create container failed validation: %s", words);
	refused(CONTAINERS "Create", "ns", creation(c), ERR_INVALID, all);
}

static void containers_checked(void **state)
{
	Containerd__Services__Containers__V1__Container__ExtensionsEntry x, *list = &x;
	Container *c;

	not_created(NULL, "container.ID: identifier must not be empty");
	not_created(container(""), "container.ID: identifier must not be empty");
	not_created(container("a..b"), "container.ID: identifier \"a..b\"" MUST);
	c = container("c");
	c->runtime = NULL;
	not_created(c, "container.Runtime.Name must be set");
	c = container("c");
	c->runtime->name = (char *)"";
	not_created(c, "container.Runtime.Name must be set");
	c = container("c");
	c->spec = NULL;
	not_created(c, "container.Spec must be set");
	c = container("c");
	c->snapshot_key = (char *)"k";
	not_created(c, "container.Snapshotter must be set if container.SnapshotKey is set");
	c = container("c");
	put_labels(MAP(c, labels), PAIRS("a", "b", longer(4000), longer(97)));
	not_created(c,
		    "containers.Labels: label key and value greater than maximum size (4096 bytes), key: xxxxxxxxxx");
	c = container("c");
	containerd__services__containers__v1__container__extensions_entry__init(&x);
	x.value = &any;
	c->extensions = &list;
	c->n_extensions = 1;
	not_created(c, "container.Extension keys must not be zero-length");
	no_event();
}

static Container *got(struct asked **a, const char *id)
{
	Containerd__Services__Containers__V1__GetContainerRequest m =
		CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
	Containerd__Services__Containers__V1__GetContainerResponse *r;

	m.id = (char *)id;
	*a = ask(CONTAINERS "Get", "ns", &m);
	r = answer(*a, &containerd__services__containers__v1__get_container_response__descriptor);
	return r->container;
}

static void containers_created(void **state)
{
	Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Services__Containers__V1__CreateContainerResponse *m;
	Containerd__Services__Containers__V1__DeleteContainerRequest gone =
		CONTAINERD__SERVICES__CONTAINERS__V1__DELETE_CONTAINER_REQUEST__INIT;
	Containerd__Events__ContainerCreate *event;
	Containerd__Events__ContainerDelete *deleted;
	Container *c = container("c1");
	struct asked *a, *b;

	t.seconds = 12345; /* is not the client's to say */
	c->created_at = &t;
	c->image = (char *)"an/image";
	c->snapshotter = (char *)"s";
	c->snapshot_key = (char *)"k";
	put_labels(MAP(c, labels), PAIRS("b", "1", "a", "2", "none", ""));
	a = ask(CONTAINERS "Create", "ns", creation(c));
	m = answer(a, &containerd__services__containers__v1__create_container_response__descriptor);
	assert_string_equal(labels_text(MAP(m->container, labels)), "a=2 b=1");
	assert_true(llabs(m->container->created_at->seconds - (int64_t)time(NULL)) < 60);
	assert_int_equal(m->container->created_at->nanos, m->container->updated_at->nanos);
	event = event_is("ns", "/containers/create", &containerd__events__container_create__descriptor);
	assert_string_equal(event->id, "c1");
	assert_string_equal(event->image, "an/image");
	assert_string_equal(event->runtime->name, "io.containerd.berth.v2");
	protobuf_c_message_free_unpacked(&event->base, NULL);

	c = got(&b, "c1"); /* the same as was answered */
	assert_int_equal(b->sent[0]->len, a->sent[0]->len);
	assert_memory_equal(b->sent[0]->body, a->sent[0]->body, a->sent[0]->len);
	forget(a);
	forget(b);

	assert_string_equal(namespaces(), "ns{}"); /* is made with it */
	refused(CONTAINERS "Create", "ns", creation(container("c1")), ERR_EXISTS, "container \"c1\"");
	gone.id = (char *)"c2";
	refused(CONTAINERS "Get", "ns", &gone, ERR_NOT_FOUND, "container \"c2\" in namespace \"ns\"");
	refused(CONTAINERS "Delete", "ns", &gone, ERR_NOT_FOUND, "container c2");
	gone.id = (char *)"ns";
	refused(NAMESPACES "Delete", NULL, &gone, ERR_STATE,
		"namespace \"ns\" must be empty, but it still has containers");
	no_event();

	gone.id = (char *)"c1";
	refused(CONTAINERS "Get", "other", &gone, ERR_NOT_FOUND, "container \"c1\" in namespace \"other\"");
	well(CONTAINERS "Delete", "ns", &gone);
	deleted = event_is("ns", "/containers/delete", &containerd__events__container_delete__descriptor);
	assert_string_equal(deleted->id, "c1");
	protobuf_c_message_free_unpacked(&deleted->base, NULL);
	refused(CONTAINERS "Get", "ns", &gone, ERR_NOT_FOUND, "container \"c1\" in namespace \"ns\"");

	gone.id = (char *)"ns";
	well(NAMESPACES "Delete", NULL, &gone);
	deleted = event_is("ns", "/namespaces/delete", &containerd__events__namespace_delete__descriptor);
	protobuf_c_message_free_unpacked(&deleted->base, NULL);
	refused(NAMESPACES "Delete", NULL, &gone, ERR_NOT_FOUND, "namespace \"ns\"");
}

/* An update; what the container has become, or why not. */
static const char *container_update(Container *c, const char *const *paths)
{
	Containerd__Services__Containers__V1__UpdateContainerRequest m =
		CONTAINERD__SERVICES__CONTAINERS__V1__UPDATE_CONTAINER_REQUEST__INIT;
	Containerd__Services__Containers__V1__UpdateContainerResponse *r;
	Containerd__Events__ContainerUpdate *event;
	static char text[4096];
	struct asked *a, *b;
	Container *now;
	size_t n;

	m.container = c;
	m.update_mask = paths ? mask_of(paths) : NULL;
	a = ask(CONTAINERS "Update", "ns", &m);
	if (a->failed) {
		snprintf(text, sizeof text, "%s", a->e.msg);
		forget(a);
		return text;
	}
	r = answer(a, &containerd__services__containers__v1__update_container_response__descriptor);
	event = event_is("ns", "/containers/update", &containerd__events__container_update__descriptor);
	now = got(&b, c->id);
	assert_int_equal(b->sent[0]->len, a->sent[0]->len);
	assert_memory_equal(b->sent[0]->body, a->sent[0]->body, a->sent[0]->len);
	assert_string_equal(event->image, now->image);
	assert_string_equal(event->snapshot_key, now->snapshot_key);
	assert_int_equal(event->n_labels, now->n_labels);
	assert_true(r->container->updated_at->seconds > r->container->created_at->seconds ||
		    r->container->updated_at->nanos > r->container->created_at->nanos);
	n = (size_t)snprintf(text, sizeof text, "%s [%s] %.*s %s/%s %s", now->image, labels_text(MAP(now, labels)),
			     (int)now->spec->value.len, now->spec->value.data, now->snapshotter, now->snapshot_key,
			     now->runtime->name);
	for (size_t i = 0; i < now->n_extensions; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, " %s:%s", now->extensions[i]->key,
				      now->extensions[i]->value->type_url);
	protobuf_c_message_free_unpacked(&event->base, NULL);
	forget(a);
	forget(b);
	return text;
}

/* Everything else than container() has. */
static Container *other(const char *id)
{
	static Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	static Google__Protobuf__Any value = GOOGLE__PROTOBUF__ANY__INIT;
	static Containerd__Services__Containers__V1__Container__ExtensionsEntry x, y, *list[] = { &y, &x };
	Container *c = container(id);

	spec.value = (ProtobufCBinaryData){ 4, (uint8_t *)"{  }" };
	value.type_url = (char *)"new";
	containerd__services__containers__v1__container__extensions_entry__init(&x);
	containerd__services__containers__v1__container__extensions_entry__init(&y);
	x.key = (char *)"x";
	y.key = (char *)"y";
	x.value = y.value = &value;
	c->image = (char *)"new";
	c->spec = &spec;
	c->extensions = list;
	c->n_extensions = 2;
	c->snapshotter = (char *)"s";
	c->snapshot_key = (char *)"new";
	put_labels(MAP(c, labels), PAIRS("l", "new", "m", "new", "e", ""));
	return c;
}

static void containers_updated(void **state)
{
	Container *c = container("c");

	c->image = (char *)"old";
	c->snapshotter = (char *)"s";
	c->snapshot_key = (char *)"old";
	put_labels(MAP(c, labels), PAIRS("l", "old", "o", "old", "e", "old"));
	well(CONTAINERS "Create", "ns", creation(c));
	heard++;
#define RUNTIME "io.containerd.berth.v2"
#define UPDATED(c, paths, text) assert_string_equal(container_update(c, paths), text)
	UPDATED(other("c"), PAIRS("image"), "new [e=old l=old o=old] {} s/old " RUNTIME);
	UPDATED(other("c"), PAIRS("labels.l", "labels.e", "labels.n"), "new [l=new o=old] {} s/old " RUNTIME);
	UPDATED(other("c"), PAIRS("extensions.y", "extensions.n"), "new [l=new o=old] {} s/old " RUNTIME " y:new");
	UPDATED(other("c"), PAIRS("spec", "labels"), "new [l=new m=new] {  } s/old " RUNTIME " y:new");
	UPDATED(other("c"), PAIRS("snapshotkey", "extensions"),
		"new [l=new m=new] {  } s/new " RUNTIME " x:new y:new");
	c->snapshotter = (char *)"s";
	UPDATED(c, NULL, "old [e=old l=old o=old] {} s/old " RUNTIME);
	UPDATED(other("c"), PAIRS(NULL), "new [l=new m=new] {  } s/new " RUNTIME " x:new y:new");

	/* what may not change, and what it may not become */
	UPDATED(other("c"), PAIRS("image", "id"), "cannot update \"id\" field on \"c\"");
	UPDATED(other("c"), PAIRS("runtime"), "cannot update \"runtime\" field on \"c\"");
	UPDATED(other("c"), PAIRS("snapshotter"), "cannot update \"snapshotter\" field on \"c\"");
	UPDATED(other("c"), PAIRS("created_at"), "cannot update \"created_at\" field on \"c\"");
	UPDATED(other("c"), PAIRS(""), "cannot update \"\" field on \"c\"");
	c = other("c");
	c->snapshotter = (char *)"t";
	UPDATED(c, NULL, "container.Snapshotter field is immutable");
	c = other("c");
	c->runtime = NULL;
	UPDATED(c, NULL, "container.Runtime.Name field is immutable");
	c = other("c");
	c->spec = NULL;
	UPDATED(c, NULL, "update failed validation: container.Spec must be set");
	UPDATED(c, PAIRS("spec"), "update failed validation: container.Spec must be set");
	UPDATED(c, PAIRS("image"), "new [l=new m=new] {  } s/new " RUNTIME " x:new y:new"); /* it is not looked at */
	c = other("c");
	put_labels(MAP(c, labels), PAIRS("l", longer(4096)));
	UPDATED(c, PAIRS("labels.l"),
		"update failed validation: containers.Labels: label key and value greater than maximum size "
		"(4096 bytes), key: l");
	UPDATED(container(""), NULL, "Container.ID required");
	UPDATED(other("d"), NULL, "container \"d\" in namespace \"ns\"");
	UPDATED(other("c"), PAIRS("image"), "new [l=new m=new] {  } s/new " RUNTIME " x:new y:new");
	no_event();
}

static void seven_containers(void)
{
	for (char id[] = "c1"; id[1] <= '7'; id[1]++) {
		Container *c = container(arena_strdup(&arena, id));

		c->image = id[1] % 2 ? (char *)"odd" : (char *)"";
		c->runtime->name = id[1] < '4' ? (char *)"low" : (char *)"high";
		put_labels(MAP(c, labels), PAIRS("a.b/c", id, "even", id[1] % 2 ? "" : "yes"));
		well(CONTAINERS "Create", "ns", creation(c));
	}
	well(CONTAINERS "Create", "other", creation(container("c8")));
}

static const char *ids_of(const char *filter, const char *more)
{
	Containerd__Services__Containers__V1__ListContainersRequest m =
		CONTAINERD__SERVICES__CONTAINERS__V1__LIST_CONTAINERS_REQUEST__INIT;
	char *filters[] = { (char *)filter, (char *)more };
	Containerd__Services__Containers__V1__ListContainersResponse *r;
	static char text[1024];
	struct asked *a, *s;

	m.filters = filters;
	m.n_filters = (filter != NULL) + (more != NULL);
	a = ask(CONTAINERS "List", "ns", &m);
	r = answer(a, &containerd__services__containers__v1__list_containers_response__descriptor);
	s = ask(CONTAINERS "ListStream", "ns", &m);
	assert_false(s->failed);
	assert_int_equal(s->n_sent, r->n_containers);
	*text = '\0';
	for (size_t i = 0; i < r->n_containers; i++) {
		Containerd__Services__Containers__V1__ListContainerMessage *one =
			sent(s, i, &containerd__services__containers__v1__list_container_message__descriptor);

		assert_string_equal(one->container->id, r->containers[i]->id);
		protobuf_c_message_free_unpacked(&one->base, NULL);
		strcat(text, r->containers[i]->id + 1);
	}
	forget(a);
	forget(s);
	return text;
}

static void containers_listed(void **state)
{
	Containerd__Services__Containers__V1__ListContainersRequest m =
		CONTAINERD__SERVICES__CONTAINERS__V1__LIST_CONTAINERS_REQUEST__INIT;
	char *wrong[] = { (char *)"id==" };
	struct asked *a;

	assert_string_equal(ids_of(NULL, NULL), "");
	seven_containers();
	assert_string_equal(ids_of(NULL, NULL), "1234567");
	assert_string_equal(ids_of("id==c3", NULL), "3");
	assert_string_equal(ids_of("id==c3", "id==c5"), "35");
	assert_string_equal(ids_of("image==odd,runtime.name==low", NULL), "13");
	assert_string_equal(ids_of("image", NULL), "1357");
	assert_string_equal(ids_of("labels.\"a.b/c\"==c4", NULL), "4");
	assert_string_equal(ids_of("labels.even", NULL), "246");
	assert_string_equal(ids_of("runtime.name!=low,id~=\"c[67]\"", NULL), "67");
	assert_string_equal(ids_of("runtime", NULL), "");
	assert_string_equal(ids_of("runtime.options", NULL), "");
	assert_string_equal(ids_of("snapshotter", NULL), "");
	assert_string_equal(ids_of("id==none", NULL), "");

	m.filters = wrong;
	m.n_filters = 1;
	for (int i = 0; i < 2; i++) {
		a = ask(i ? CONTAINERS "List" : CONTAINERS "ListStream", "ns", &m);
		assert_true(a->failed);
		assert_int_equal(a->e.kind, ERR_INVALID);
		forget(a);
	}
}

/* Who reads slowly gets them as it reads; one that is deleted meanwhile is left out. */
static void containers_streamed_slowly(void **state)
{
	static uint8_t spec[GRPC_SEND_MARK];
	Containerd__Services__Containers__V1__DeleteContainerRequest gone =
		CONTAINERD__SERVICES__CONTAINERS__V1__DELETE_CONTAINER_REQUEST__INIT;
	struct asked *a, *left;

	for (char id[] = "c1"; id[1] <= '4'; id[1]++) {
		Container *c = container(id);

		c->spec->value = (ProtobufCBinaryData){ sizeof spec, spec };
		well(CONTAINERS "Create", "ns", creation(c));
	}
	a = calloc(1, sizeof *a);
	a->rpc = (struct grpc_call){ .server = &server, .path = CONTAINERS "ListStream" };
	a->ns = "ns";
	a->reads_not = true;
	service_request(&a->rpc);
	assert_int_equal(a->n_sent, 1);
	assert_false(a->ended);
	left = calloc(1, sizeof *left);
	left->rpc = a->rpc;
	left->ns = "ns";
	left->reads_not = true;
	service_request(&left->rpc);
	forget(left);

	gone.id = (char *)"c2";
	well(CONTAINERS "Delete", "ns", &gone);
	a->rpc.writable(&a->rpc);
	assert_int_equal(a->n_sent, 2);
	a->reads_not = false;
	a->rpc.writable(&a->rpc);
	assert_int_equal(a->n_sent, 3);
	assert_true(a->ended && !a->failed);
	forget(a);
}

/* More than a message may have is an error, and not for the stream. */
static void too_many_for_one_answer(void **state)
{
	static uint8_t spec[6 << 20];
	struct asked *a;

	for (char id[] = "c1"; id[1] <= '3'; id[1]++) {
		Container *c = container(id);

		c->spec->value = (ProtobufCBinaryData){ sizeof spec, spec };
		well(CONTAINERS "Create", "ns", creation(c));
	}
	a = ask(CONTAINERS "List", "ns", NULL);
	assert_true(a->failed);
	assert_int_equal(a->e.kind, ERR_BUSY);
	forget(a);
	a = ask(CONTAINERS "ListStream", "ns", NULL);
	assert_false(a->failed);
	assert_int_equal(a->n_sent, 3);
	forget(a);
}

/* ---- leases ----------------------------------------------------------------------- */

static Containerd__Services__Leases__V1__CreateRequest *lease_of(const char *id, const char *const *labels)
{
	static Containerd__Services__Leases__V1__CreateRequest m;

	containerd__services__leases__v1__create_request__init(&m);
	m.id = (char *)id;
	put_labels(MAP(&m, labels), labels);
	return &m;
}

static const char *leases(const char *filter)
{
	Containerd__Services__Leases__V1__ListRequest m = CONTAINERD__SERVICES__LEASES__V1__LIST_REQUEST__INIT;
	Containerd__Services__Leases__V1__ListResponse *r;
	char *filters[] = { (char *)filter };
	static char text[1024];
	struct asked *a;

	m.filters = filters;
	m.n_filters = filter != NULL;
	a = ask(LEASES "List", "ns", &m);
	r = answer(a, &containerd__services__leases__v1__list_response__descriptor);
	*text = '\0';
	for (size_t i = 0; i < r->n_leases; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s{%s}", i ? " " : "", r->leases[i]->id,
			 labels_text(MAP(r->leases[i], labels)));
	forget(a);
	return text;
}

static void leases_made(void **state)
{
	Containerd__Services__Leases__V1__CreateResponse *m;
	Containerd__Services__Leases__V1__DeleteRequest gone = CONTAINERD__SERVICES__LEASES__V1__DELETE_REQUEST__INIT;
	struct asked *a;

	a = ask(LEASES "Create", "ns", lease_of("l/1", PAIRS("b", "1", "a", "2", "b", "3", "c", "")));
	m = answer(a, &containerd__services__leases__v1__create_response__descriptor);
	assert_string_equal(m->lease->id, "l/1");
	assert_string_equal(labels_text(MAP(m->lease, labels)), "a=2 b=3");
	assert_true(llabs(m->lease->created_at->seconds - (int64_t)time(NULL)) < 60);
	forget(a);
	refused(LEASES "Create", "ns", lease_of("l/1", PAIRS(NULL)), ERR_EXISTS, "lease \"l/1\"");
	well(LEASES "Create", "ns", lease_of("m", PAIRS("x.y", "1")));
	well(LEASES "Create", "other", lease_of("l/1", PAIRS(NULL)));
	assert_string_equal(leases(NULL), "l/1{a=2 b=3} m{x.y=1}");
	assert_string_equal(leases("id==m"), "m{x.y=1}");
	assert_string_equal(leases("labels.x.y==1"), "m{x.y=1}");
	assert_string_equal(leases("labels.a"), "l/1{a=2 b=3}");
	assert_string_equal(leases("name"), "");

	gone.id = (char *)"l/1";
	gone.sync = true;
	well(LEASES "Delete", "ns", &gone);
	refused(LEASES "Delete", "ns", &gone, ERR_NOT_FOUND, "lease \"l/1\"");
	assert_string_equal(leases(NULL), "m{x.y=1}");
	no_event();
}

/* Without an id it has one of its own, as containerd's. */
static void leases_named(void **state)
{
	char first[64] = "";

	for (int i = 0; i < 20; i++) {
		struct asked *a = ask(LEASES "Create", "ns", lease_of("", PAIRS(NULL)));
		Containerd__Services__Leases__V1__CreateResponse *m =
			answer(a, &containerd__services__leases__v1__create_response__descriptor);
		const char *id = m->lease->id, *dash = strchr(id, '-');

		assert_non_null(dash);
		assert_int_equal(strspn(id, "0123456789"), dash - id);
		assert_int_equal(strlen(dash + 1), 4);
		assert_string_not_equal(id, first);
		if (!i)
			strcpy(first, id);
		forget(a);
	}
}

static char *in_seconds(time_t n)
{
	time_t t = time(NULL) + n;
	char text[32];

	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	return arena_strdup(&arena, text);
}

static int on_tick(struct source *s, uint32_t events)
{
	loop_stop(&d.loop, 0);
	return 0;
}

static void run_for(uint32_t ms)
{
	struct source s = { 0 };

	source_timer(&s, &d.loop, ms, on_tick);
	assert_int_equal(loop_run(&d.loop), 0);
	source_remove(&s);
}

static int refuse(void *ctx, int action, const char *a, const char *b, const char *c, const char *in)
{
	return SQLITE_DENY;
}

static void leases_expire(void **state)
{
	well(LEASES "Create", "ns", lease_of("late", PAIRS("containerd.io/gc.expire", in_seconds(86400 * 365))));
	well(LEASES "Create", "ns", lease_of("never", PAIRS(NULL)));
	well(LEASES "Create", "ns", lease_of("not-a-time", PAIRS("containerd.io/gc.expire", "soon")));
	well(LEASES "Create", "ns", lease_of("past", PAIRS("containerd.io/gc.expire", in_seconds(-5))));
	well(LEASES "Create", "other", lease_of("past", PAIRS("containerd.io/gc.expire", in_seconds(-5))));
	well(LEASES "Create", "ns", lease_of("soon", PAIRS("containerd.io/gc.expire", in_seconds(2))));
	assert_non_null(strstr(leases(NULL), "soon{"));
	for (int i = 0; i < 100 && strstr(leases(NULL), "past{"); i++)
		run_for(10);
	assert_null(strstr(leases(NULL), "past{"));
	assert_non_null(strstr(leases(NULL), "soon{"));
	for (int i = 0; i < 500 && strstr(leases(NULL), "soon{"); i++)
		run_for(10);
	assert_null(strstr(leases(NULL), "soon{"));
	assert_non_null(strstr(leases(NULL), "late{"));
	assert_non_null(strstr(leases(NULL), "never{"));
	assert_non_null(strstr(leases(NULL), "not-a-time{"));
}

/* The next end cannot be read: it is asked for again, and not in an endless turn. */
static void expiry_that_cannot_be_read(void **state)
{
	sqlite3 *sql = store_reader(d.store)->sql;

	sqlite3_set_authorizer(sql, refuse, NULL);
	well(LEASES "Create", "ns", lease_of("late", PAIRS("containerd.io/gc.expire", in_seconds(86400 * 365))));
	assert_non_null(d.lease_timer.loop);
	sqlite3_set_authorizer(sql, NULL, NULL);
}

static Containerd__Services__Leases__V1__AddResourceRequest *resource(const char *lease, const char *type,
								      const char *id)
{
	static Containerd__Services__Leases__V1__AddResourceRequest m;
	static LeaseResource r;

	containerd__services__leases__v1__add_resource_request__init(&m);
	containerd__services__leases__v1__resource__init(&r);
	m.id = (char *)lease;
	m.resource = &r;
	r.type = (char *)type;
	r.id = (char *)id;
	return &m;
}

static const char *resources(void)
{
	Containerd__Services__Leases__V1__ListResourcesRequest m =
		CONTAINERD__SERVICES__LEASES__V1__LIST_RESOURCES_REQUEST__INIT;
	Containerd__Services__Leases__V1__ListResourcesResponse *r;
	static char text[4096];
	struct asked *a;

	m.id = (char *)"l";
	a = ask(LEASES "ListResources", "ns", &m);
	r = answer(a, &containerd__services__leases__v1__list_resources_response__descriptor);
	*text = '\0';
	for (size_t i = 0; i < r->n_resources; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%.10s", i ? " " : "",
			 r->resources[i]->type, r->resources[i]->id);
	forget(a);
	return text;
}

#define HEX "0123456789abcdef"
#define SHA256 "sha256:" HEX HEX HEX HEX

static void leases_with_resources(void **state)
{
	static const struct {
		const char *type, *id;
		enum err_kind kind;
		const char *words;
	} wrong[] = {
		{ "", "x", ERR_UNSUPPORTED, "resource type  not supported yet" },
		{ "images", "x", ERR_UNSUPPORTED, "resource type images not supported yet" },
		{ "contents", "x", ERR_UNSUPPORTED, "resource type contents not supported yet" },
		{ "content/x", SHA256, ERR_INVALID, "invalid resource type content/x" },
		{ "ingests/", "x", ERR_INVALID, "invalid resource type ingests/" },
		{ "snapshots", "x", ERR_INVALID, "invalid snapshot resource type snapshots" },
		{ "snapshots/a/b", "x", ERR_INVALID, "invalid snapshot resource type snapshots/a/b" },
		{ "content", "x", ERR_INVALID, "invalid content resource id x: invalid checksum digest format" },
		{ "content", "sha256:" HEX, ERR_INVALID,
		  "invalid content resource id sha256:" HEX ": invalid checksum digest format" },
		{ "content", SHA256 "0", ERR_INVALID,
		  "invalid content resource id " SHA256 "0: invalid checksum digest format" },
		{ "content", "sha512:" HEX HEX HEX HEX, ERR_INVALID,
		  "invalid content resource id sha512:" HEX HEX HEX HEX ": invalid checksum digest format" },
		{ "ingests", "", ERR_INVALID, "a resource must have an id" },
	};
	Containerd__Services__Leases__V1__AddResourceRequest none =
		CONTAINERD__SERVICES__LEASES__V1__ADD_RESOURCE_REQUEST__INIT;

	well(LEASES "Create", "ns", lease_of("l", PAIRS(NULL)));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		refused(LEASES "AddResource", "ns", resource("l", wrong[i].type, wrong[i].id), wrong[i].kind,
			wrong[i].words);
		refused(LEASES "DeleteResource", "ns", resource("l", wrong[i].type, wrong[i].id), wrong[i].kind,
			wrong[i].words);
	}
	refused(LEASES "AddResource", "ns", &none, ERR_NOT_FOUND, "lease \"\"");
	none.id = (char *)"l";
	refused(LEASES "AddResource", "ns", &none, ERR_UNSUPPORTED, "resource type  not supported yet");
	well(LEASES "AddResource", "ns", resource("l", "snapshots/overlayfs", "key"));
	well(LEASES "AddResource", "ns", resource("l", "ingests", "ref"));
	well(LEASES "AddResource", "ns", resource("l", "content", SHA256));
	well(LEASES "AddResource", "ns", resource("l", "content", SHA256)); /* again */
	assert_string_equal(resources(), "content:sha256:012 ingests:ref snapshots/overlayfs:key");
	well(LEASES "DeleteResource", "ns", resource("l", "ingests", "ref"));
	well(LEASES "DeleteResource", "ns", resource("l", "ingests", "ref")); /* nor is that an error */
	assert_string_equal(resources(), "content:sha256:012 snapshots/overlayfs:key");
	refused(LEASES "AddResource", "ns", resource("m", "ingests", "ref"), ERR_NOT_FOUND, "lease \"m\"");
	refused(LEASES "DeleteResource", "ns", resource("m", "ingests", "ref"), ERR_NOT_FOUND, "lease \"m\"");
	none.id = (char *)"m";
	refused(LEASES "ListResources", "ns", &none, ERR_NOT_FOUND, "lease \"m\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(namespaces_made),
		DAEMON_TEST(namespaces_updated),
		DAEMON_TEST(containers_checked),
		DAEMON_TEST(containers_created),
		DAEMON_TEST(containers_updated),
		DAEMON_TEST(containers_listed),
		DAEMON_TEST(containers_streamed_slowly),
		DAEMON_TEST(too_many_for_one_answer),
		DAEMON_TEST(leases_made),
		DAEMON_TEST(leases_named),
		DAEMON_TEST(leases_expire),
		DAEMON_TEST(expiry_that_cannot_be_read),
		DAEMON_TEST(leases_with_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
