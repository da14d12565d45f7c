/* What the store keeps: every function of its tables, and what of it refers to what. */
#include "store_for.h"

static struct arena arena = ARENA_INIT;

static Container *get(const char *ns, const char *id)
{
	Container *c = NULL;

	assert_int_equal(container_get(store_reader(store), ns, id, &c, &said), 0);
	return c;
}

static int count_container(void *ctx, const Container *c)
{
	++*(int *)ctx;
	return 0;
}

static int count_lease(void *ctx, const Lease *l)
{
	++*(int *)ctx;
	return 0;
}

static int containers(const char *ns)
{
	int n = 0;

	assert_int_equal(container_each(store_reader(store), ns, count_container, &n, &said), 0);
	return n;
}

static int leases(const char *ns)
{
	int n = 0;

	assert_int_equal(lease_each(store_reader(store), ns, count_lease, &n, &said), 0);
	return n;
}

/* ---- containers -------------------------------------------------------------- */

static void container_comes_back(void **state)
{
	Container *c = some_container("c1", 3000), *back;
	Containerd__Services__Containers__V1__Container__ExtensionsEntry x[3], *list[3] = { &x[0], &x[1], &x[2] };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, empty = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)"a/type";
	any.value = (ProtobufCBinaryData){ 4, (uint8_t *)"\0\xff\0x" };
	for (int i = 0; i < 3; i++)
		containerd__services__containers__v1__container__extensions_entry__init(&x[i]);
	x[0].key = (char *)"a";
	x[0].value = &any;
	x[1].key = (char *)"b";
	x[1].value = &empty;
	x[2].key = (char *)"c";
	x[2].value = &any;
	c->extensions = list;
	c->n_extensions = 3;
	c->labels = map_of(&arena, CONTAINER_LABELS, PAIRS("a.b/c", "1", "b", "\xe7\x89\x9b", "c", "it's \"so\""),
			   &c->n_labels);
	assert_int_equal(call(do_container_insert, "ns", NULL, c), 0);
	back = get("ns", "c1");
	same_message(&c->base, &back->base);
	protobuf_c_message_free_unpacked(&back->base, NULL);

	/* nothing of the other maps and fields is left */
	c->n_extensions = 1;
	c->labels = map_of(&arena, CONTAINER_LABELS, PAIRS("b", "2"), &c->n_labels);
	c->image = (char *)"";
	c->spec = NULL;
	c->created_at = NULL;
	c->runtime->options = NULL;
	assert_int_equal(call(do_container_replace, "ns", NULL, c), 0);
	back = get("ns", "c1");
	same_message(&c->base, &back->base);
	protobuf_c_message_free_unpacked(&back->base, NULL);
}

/* A map may come with a key twice, and with labels that have no value. */
static void maps_as_containerd_has_them(void **state)
{
	Container *c = some_container("c1", 10), *back;

	c->labels = map_of(&arena, CONTAINER_LABELS, PAIRS("a", "1", "none", "", "a", "2"), &c->n_labels);
	assert_int_equal(call(do_container_insert, "ns", NULL, c), 0);
	back = get("ns", "c1");
	assert_int_equal(back->n_labels, 1);
	assert_string_equal(back->labels[0]->key, "a");
	assert_string_equal(back->labels[0]->value, "2");
	protobuf_c_message_free_unpacked(&back->base, NULL);
}

/* In one container, and in ten thousand. */
static void a_hundred_thousand_labels(void **state)
{
	enum { MANY = 100000 };
	Container *c = some_container("c1", 10), *back;
	Containerd__Services__Containers__V1__Container__LabelsEntry *x = calloc(MANY, sizeof *x), **list;
	char *names = malloc(MANY * 16), id[32];
	static struct asked all[10000];

	list = calloc(MANY, sizeof *list);
	for (int i = 0; i < MANY; i++) {
		list[i] = &x[i];
		containerd__services__containers__v1__container__labels_entry__init(&x[i]);
		x[i].key = names + i * 16;
		x[i].value = names + i * 16;
		sprintf(x[i].key, "label-%05d", i);
	}
	c->labels = list;
	c->n_labels = MANY;
	assert_int_equal(call(do_container_insert, "one", NULL, c), 0);
	back = get("one", "c1");
	same_message(&c->base, &back->base);
	protobuf_c_message_free_unpacked(&back->base, NULL);
	assert_int_equal(call(do_container_remove, "one", "c1", NULL), 0);

	for (int i = 0; i < 10000; i++) {
		Container *m = arena_alloc(&arena, sizeof *m);

		*m = *c;
		snprintf(id, sizeof id, "c%05d", i);
		m->id = arena_strdup(&arena, id);
		m->labels = list + i * 10;
		m->n_labels = 10;
		all[i] = (struct asked){ .fn = do_container_insert, .ns = "many", .m = m };
		ask(&all[i]);
	}
	await();
	assert_int_equal(containers("many"), 10000);
	back = get("many", "c07777");
	assert_int_equal(back->n_labels, 10);
	assert_string_equal(back->labels[9]->key, "label-77779");
	protobuf_c_message_free_unpacked(&back->base, NULL);
	free(x);
	free(list);
	free(names);
}

#define REFUSED(r, kind_, words)                   \
	do {                                       \
		assert_true((r) < 0);              \
		assert_int_equal(said.kind, kind_); \
		assert_string_equal(said.msg, words); \
	} while (0)

static void containers_there_and_not(void **state)
{
	Container *back;

	assert_int_equal(call(do_container_insert, "ns", NULL, some_container("c1", 10)), 0);
	REFUSED(call(do_container_insert, "ns", NULL, some_container("c1", 10)), ERR_EXISTS, "container \"c1\"");
	assert_int_equal(call(do_container_insert, "other", NULL, some_container("c1", 10)), 0);
	REFUSED(call(do_container_replace, "ns", NULL, some_container("c2", 10)), ERR_NOT_FOUND, "container \"c2\"");
	REFUSED(call(do_container_remove, "ns", "c2", NULL), ERR_NOT_FOUND, "container c2");
	REFUSED(container_get(store_reader(store), "ns", "c2", &back, &said), ERR_NOT_FOUND,
		"container \"c2\" in namespace \"ns\"");
	REFUSED(container_get(store_reader(store), "none", "c1", &back, &said), ERR_NOT_FOUND,
		"container \"c1\" in namespace \"none\"");
	assert_int_equal(call(do_container_remove, "ns", "c1", NULL), 0);
	assert_int_equal(containers("ns"), 0);
	assert_int_equal(containers("other"), 1);
	/* what had failed has left nothing */
	assert_int_equal(containers("none"), 0);
}

/* Labels and extensions go with their container: the next one of that name has none. */
static void nothing_is_left_of_a_container(void **state)
{
	Container *c = some_container("c1", 10), *back;
	Containerd__Services__Containers__V1__Container__ExtensionsEntry x, *list = &x;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	containerd__services__containers__v1__container__extensions_entry__init(&x);
	x.key = (char *)"x";
	x.value = &any;
	c->extensions = &list;
	c->n_extensions = 1;
	c->labels = map_of(&arena, CONTAINER_LABELS, PAIRS("a", "1"), &c->n_labels);
	assert_int_equal(call(do_container_insert, "ns", NULL, c), 0);
	assert_int_equal(call(do_container_remove, "ns", "c1", NULL), 0);
	assert_int_equal(call(do_container_insert, "ns", NULL, some_container("c1", 10)), 0);
	back = get("ns", "c1");
	assert_int_equal(back->n_labels + back->n_extensions, 0);
	protobuf_c_message_free_unpacked(&back->base, NULL);
}

struct seen {
	int n, end;
	char ids[64];
};

static int see(void *ctx, const Container *c)
{
	struct seen *s = ctx;
	Container *again;

	/* a query in a query, of the same kind, too */
	assert_int_equal(container_get(store_reader(store), "ns", c->id, &again, &said), 0);
	protobuf_c_message_free_unpacked(&again->base, NULL);
	assert_int_equal(containers("ns"), 3);
	strcat(s->ids, c->id);
	return ++s->n == s->end ? -ECANCELED : 0;
}

static void containers_in_order(void **state)
{
	struct seen all = { 0 }, two = { .end = 2 };

	for (int i = 0; i < 3; i++)
		assert_int_equal(call(do_container_insert, "ns", NULL, some_container(&"c\0a\0b"[i * 2], 10)), 0);
	assert_int_equal(container_each(store_reader(store), "ns", see, &all, &said), 0);
	assert_string_equal(all.ids, "abc");
	assert_int_equal(container_each(store_reader(store), "ns", see, &two, &said), -ECANCELED);
	assert_string_equal(two.ids, "ab");
}

/* ---- namespaces -------------------------------------------------------------- */

static int names(void *ctx, const Namespace *n)
{
	strcat(ctx, n->name);
	strcat(ctx, " ");
	return 0;
}

static const char *all_namespaces(void)
{
	static char text[200];

	text[0] = '\0';
	assert_int_equal(namespace_each(store_reader(store), names, text, &said), 0);
	return text;
}

static void namespaces(void **state)
{
	Namespace n = CONTAINERD__SERVICES__NAMESPACES__V1__NAMESPACE__INIT, *back;

	n.name = (char *)"a";
	n.labels = map_of(&arena, NAMESPACE_LABELS, PAIRS("k", "v", "l", "w"), &n.n_labels);
	REFUSED(call(do_namespace_replace, NULL, NULL, &n), ERR_NOT_FOUND, "namespace \"a\"");
	assert_int_equal(call(do_namespace_insert, NULL, NULL, &n), 0);
	REFUSED(call(do_namespace_insert, NULL, NULL, &n), ERR_EXISTS, "namespace \"a\"");
	assert_int_equal(namespace_get(store_reader(store), "a", &back, &said), 0);
	same_message(&n.base, &back->base);
	protobuf_c_message_free_unpacked(&back->base, NULL);
	n.n_labels = 1;
	assert_int_equal(call(do_namespace_replace, NULL, NULL, &n), 0);
	assert_int_equal(namespace_get(store_reader(store), "a", &back, &said), 0);
	same_message(&n.base, &back->base);
	protobuf_c_message_free_unpacked(&back->base, NULL);
	REFUSED(namespace_get(store_reader(store), "b", &back, &said), ERR_NOT_FOUND, "namespace \"b\"");

	/* made by what is in it; one that is not empty stays */
	assert_int_equal(call(do_container_insert, "c", NULL, some_container("c1", 10)), 0);
	assert_string_equal(all_namespaces(), "a c ");
	REFUSED(call(do_namespace_remove, NULL, "c", NULL), ERR_STATE,
		"namespace \"c\" must be empty, but it still has containers");
	assert_int_equal(call(do_container_remove, "c", "c1", NULL), 0);
	assert_int_equal(call(do_namespace_remove, NULL, "c", NULL), 0);
	assert_int_equal(call(do_namespace_remove, NULL, "a", NULL), 0);
	REFUSED(call(do_namespace_remove, NULL, "a", NULL), ERR_NOT_FOUND, "namespace \"a\"");
	assert_string_equal(all_namespaces(), "");

	/* its labels went with it */
	n.n_labels = 0;
	assert_int_equal(call(do_namespace_insert, NULL, NULL, &n), 0);
	assert_int_equal(namespace_get(store_reader(store), "a", &back, &said), 0);
	assert_int_equal(back->n_labels, 0);
	protobuf_c_message_free_unpacked(&back->base, NULL);
}

/* ---- leases ------------------------------------------------------------------ */

static Lease *some_lease(const char *id, const char *expires)
{
	static Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	static Lease l;

	containerd__services__leases__v1__lease__init(&l);
	t.seconds = 1795318621;
	l.id = (char *)id;
	l.created_at = &t;
	if (expires)
		l.labels = map_of(&arena, LEASE_LABELS, PAIRS("containerd.io/gc.expire", expires), &l.n_labels);
	return &l;
}

static int same_lease(void *ctx, const Lease *l)
{
	same_message(ctx, &l->base);
	return 0;
}

static int add_resource(void *ctx, const LeaseResource *r)
{
	char *s = ctx;

	sprintf(s + strlen(s), "%s=%s ", r->type, r->id);
	return 0;
}

static LeaseResource *resource(const char *type, const char *id)
{
	static LeaseResource r;

	containerd__services__leases__v1__resource__init(&r);
	r.type = (char *)type;
	r.id = (char *)id;
	return &r;
}

static const char *resources(const char *lease)
{
	static char text[500];

	text[0] = '\0';
	assert_int_equal(lease_resources(store_reader(store), "ns", lease, add_resource, text, &said), 0);
	return text;
}

static void leases_and_resources(void **state)
{
	Lease *l = some_lease("l1", "2030-01-01T00:00:00Z");

	assert_int_equal(call(do_lease_insert, "ns", NULL, l), 0);
	assert_int_equal(lease_each(store_reader(store), "ns", same_lease, &l->base, &said), 0);
	REFUSED(call(do_lease_insert, "ns", NULL, l), ERR_EXISTS, "lease \"l1\"");
	assert_string_equal(all_namespaces(), "ns ");

	assert_int_equal(call(do_lease_add, "ns", "l1", resource("snapshots/overlayfs", "s1")), 0);
	assert_int_equal(call(do_lease_add, "ns", "l1", resource("content", "sha256:2")), 0);
	assert_int_equal(call(do_lease_add, "ns", "l1", resource("content", "sha256:1")), 0);
	assert_int_equal(call(do_lease_add, "ns", "l1", resource("content", "sha256:1")), 0);
	assert_string_equal(resources("l1"), "content=sha256:1 content=sha256:2 snapshots/overlayfs=s1 ");
	assert_int_equal(call(do_lease_drop, "ns", "l1", resource("content", "sha256:2")), 0);
	assert_int_equal(call(do_lease_drop, "ns", "l1", resource("content", "sha256:2")), 0);
	assert_string_equal(resources("l1"), "content=sha256:1 snapshots/overlayfs=s1 ");

	REFUSED(call(do_lease_add, "ns", "l2", resource("content", "x")), ERR_NOT_FOUND, "lease \"l2\"");
	REFUSED(call(do_lease_drop, "ns", "l2", resource("content", "x")), ERR_NOT_FOUND, "lease \"l2\"");
	REFUSED(lease_resources(store_reader(store), "ns", "l2", add_resource, NULL, &said), ERR_NOT_FOUND,
		"lease \"l2\"");
	REFUSED(call(do_lease_remove, "ns", "l2", NULL), ERR_NOT_FOUND, "lease \"l2\"");
	assert_int_equal(call(do_lease_remove, "ns", "l1", NULL), 0);
	assert_int_equal(leases("ns"), 0);
	assert_int_equal(call(do_lease_insert, "ns", NULL, some_lease("l1", NULL)), 0);
	assert_string_equal(resources("l1"), "");
	/* with its namespace, which it does not keep */
	assert_int_equal(call(do_namespace_remove, NULL, "ns", NULL), 0);
	assert_int_equal(leases("ns"), 0);
}

static int64_t next_expiry(void)
{
	int64_t t = -1;

	assert_int_equal(lease_next_expiry(store_reader(store), &t, &said), 0);
	return t;
}

static int expire(int64_t now)
{
	struct asked a = { .fn = do_lease_expire, .number = now };

	ask(&a);
	await();
	return a.r;
}

static void leases_expire(void **state)
{
	static const char *const times[] = { "2026-11-22T00:00:00Z", "2026-11-21T23:30:00.5-00:30",
					     "1969-01-01T00:00:00Z",
					     "tomorrow", "2030-01-01T00:00:00+02:00", NULL };
	char id[] = "l0";

	assert_int_equal(next_expiry(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++, id[1]++)
		assert_int_equal(call(do_lease_insert, i % 2 ? "a" : "b", NULL, some_lease(id, times[i])), 0);
	assert_int_equal(next_expiry(), 1);
	assert_int_equal(expire(0), 0);
	assert_int_equal(expire(1), 1);
	assert_int_equal(next_expiry(), 1795305600);
	assert_int_equal(expire(1795305599), 0);
	assert_int_equal(expire(1795305600), 1);
	assert_int_equal(next_expiry(), 1795305601); /* a half of a second is not over yet */
	assert_int_equal(expire(1795305601), 1);
	assert_int_equal(next_expiry(), 1893448800);
	assert_int_equal(expire(INT64_MAX), 1);
	assert_int_equal(next_expiry(), 0);
	assert_int_equal(leases("a") + leases("b"), 2); /* of which one is no time and one has none */
}

static int done(void **state)
{
	arena_done(&arena);
	return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	const struct CMUnitTest tests[] = {
		T(container_comes_back), T(maps_as_containerd_has_them), T(containers_there_and_not),
		T(nothing_is_left_of_a_container), T(containers_in_order), T(namespaces), T(leases_and_resources),
		T(leases_expire), T(a_hundred_thousand_labels),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
