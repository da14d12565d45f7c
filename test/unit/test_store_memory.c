/*
 * The store: each allocation fails in turn, ours and SQLite's, in the loop and in the
 * thread. It is an error of whoever asked; a change is there or is not; nothing leaks
 * (sanitizers look), and no database is taken for damaged.
 */
#include <errno.h>
#include <stdatomic.h>

#include <sqlite3.h>

#include "dir.h"
#include "fd.h"
#include "store_for.h"

static atomic_bool armed;
static atomic_int until_failure, failures;

static bool fails(void)
{
	if (!armed || atomic_fetch_sub(&until_failure, 1) != 1)
		return false;
	failures++;
	return true;
}

#include "alloc_fails.h"

static sqlite3_mem_methods sqlites;

static void *sqlite_malloc(int n)
{
	return fails() ? NULL : sqlites.xMalloc(n);
}

static void *sqlite_realloc(void *p, int n)
{
	return fails() ? NULL : sqlites.xRealloc(p, n);
}

/* From now on the n-th fails. */
static void arm(int n)
{
	until_failure = n;
	failures = 0;
	armed = true;
}

static bool disarm(void)
{
	armed = false;
	return failures > 0;
}

static void is_no_memory(int r)
{
	assert_int_equal(r, -ENOMEM);
	assert_true(said.msg[0]);
	assert_int_equal(said.kind, ERR_INTERNAL);
}

/* Each of the first ones; of hundreds a sample, for opening costs the disk's time. */
static int next_of(int k)
{
	return k + 1 + (getenv("BERTH_SOAK") ? 0 : k / 20);
}

static int damaged(void)
{
	OWN_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;
	int n = 0;

	while ((d = dir_next(&rd)))
		n += strstr(d->name, "damaged") != NULL;
	return n;
}

/* ---- what is in it ----------------------------------------------------------- */

static Container *full_container(struct arena *a)
{
	static Containerd__Services__Containers__V1__Container__ExtensionsEntry x, *list = &x;
	Container *c = some_container("c1", 3000);

	containerd__services__containers__v1__container__extensions_entry__init(&x);
	x.key = (char *)"x";
	x.value = c->spec;
	c->extensions = &list;
	c->n_extensions = 1;
	c->labels = map_of(a, CONTAINER_LABELS, PAIRS("a", "1", "b", "2", "c", "3"), &c->n_labels);
	return c;
}

static int each_namespace(void *ctx, const Namespace *n)
{
	return 0;
}

static int each_container(void *ctx, const Container *c)
{
	return 0;
}

static int each_lease(void *ctx, const Lease *l)
{
	return 0;
}

static int each_resource(void *ctx, const LeaseResource *r)
{
	return 0;
}

static int get_container(struct store_db *db)
{
	Container *c = NULL;
	int r = container_get(db, "ns", "c1", &c, &said);

	if (r >= 0)
		protobuf_c_message_free_unpacked(&c->base, NULL);
	return r;
}

static int get_namespace(struct store_db *db)
{
	Namespace *n = NULL;
	int r = namespace_get(db, "ns", &n, &said);

	if (r >= 0)
		protobuf_c_message_free_unpacked(&n->base, NULL);
	return r;
}

static int list_namespaces(struct store_db *db)
{
	return namespace_each(db, each_namespace, NULL, &said);
}

static int list_containers(struct store_db *db)
{
	return container_each(db, "ns", each_container, NULL, &said);
}

static int list_leases(struct store_db *db)
{
	return lease_each(db, "ns", each_lease, NULL, &said);
}

static int list_resources(struct store_db *db)
{
	return lease_resources(db, "ns", "l1", each_resource, NULL, &said);
}

static void reading(void **state)
{
	static int (*const all[])(struct store_db * db) = { get_container, get_namespace, list_namespaces,
							    list_containers, list_leases, list_resources };
	OWN_ARENA struct arena a = ARENA_INIT;
	Namespace n = CONTAINERD__SERVICES__NAMESPACES__V1__NAMESPACE__INIT;
	Lease l = CONTAINERD__SERVICES__LEASES__V1__LEASE__INIT;
	LeaseResource x = CONTAINERD__SERVICES__LEASES__V1__RESOURCE__INIT;
	int r, failed = 0;

	n.name = (char *)"ns";
	n.labels = map_of(&a, NAMESPACE_LABELS, PAIRS("a", "1"), &n.n_labels);
	l.id = (char *)"l1";
	l.labels = map_of(&a, LEASE_LABELS, PAIRS("a", "1"), &l.n_labels);
	x.id = x.type = (char *)"content";
	assert_int_equal(call(do_namespace_insert, NULL, NULL, &n), 0);
	assert_int_equal(call(do_container_insert, "ns", NULL, full_container(&a)), 0);
	assert_int_equal(call(do_lease_insert, "ns", NULL, &l), 0);
	assert_int_equal(call(do_lease_add, "ns", "l1", &x), 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		/* also where nothing has been prepared yet */
		close_store();
		open_store();
		for (int k = 1;; k++) {
			arm(k);
			r = all[i](store_reader(store));
			if (!disarm())
				break;
			/* some that SQLite does not get it does without */
			if (r < 0)
				is_no_memory(r);
			failed += r < 0;
			assert_int_equal(all[i](store_reader(store)), 0);
		}
		assert_int_equal(r, 0);
	}
	assert_true(failed > 30);
}

static void changing(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	Container *c = full_container(&a);
	int r, failed = 0;

	for (int k = 1;; k = next_of(k)) {
		close_store();
		open_store();
		arm(k);
		r = call(do_container_insert, "ns", NULL, c);
		if (!disarm())
			break;
		if (r < 0)
			is_no_memory(r);
		failed += r < 0;
		assert_int_equal(get_container(store_reader(store)) < 0, r < 0);
		if (r < 0) /* the next attempt */
			assert_int_equal(call(do_container_insert, "ns", NULL, c), 0);
		assert_int_equal(call(do_container_remove, "ns", "c1", NULL), 0);
	}
	assert_int_equal(r, 0);
	assert_true(failed > 10);
}

static void opening(void **state)
{
	int r, failed = 0;

	assert_int_equal(call(do_container_insert, "ns", NULL, some_container("c1", 10)), 0);
	for (int k = 1;; k = next_of(k)) {
		close_store();
		arm(k);
		r = try_store();
		if (!disarm())
			break;
		if (r < 0) {
			assert_true(said.msg[0]);
			failed++;
			open_store();
		}
		assert_int_equal(damaged(), 0);
		assert_int_equal(get_container(store_reader(store)), 0);
	}
	assert_int_equal(r, 0);
	assert_true(failed > 30);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	const struct CMUnitTest tests[] = { T(reading), T(changing), T(opening) };
	sqlite3_mem_methods m;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlites);
	m = sqlites;
	m.xMalloc = sqlite_malloc;
	m.xRealloc = sqlite_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &m);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
