/* The table of handles: values that are never valid again, of the right kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handles.h"

static int released;

static void release(struct obj *o)
{
	released++;
	free(o);
}

static struct obj *open_one(struct handles *t, enum obj_kind kind)
{
	struct obj *o = calloc(1, sizeof *o);

	assert_int_equal(handle_open(t, o, kind, release), 0);
	return o;
}

static void close_one(struct handles *t, struct obj *o)
{
	handle_close(t, o);
	obj_unref(o);
}

static void test_kinds(void **state)
{
	struct handles t = { 0 };
	struct obj *o = open_one(&t, OBJ_PROCESS);

	assert_ptr_equal(handle_find(&t, o->handle, OBJ_PROCESS), o);
	assert_null(handle_find(&t, o->handle, OBJ_SYSTEM));
	assert_null(handle_find(&t, o->handle, OBJ_OPERATION));
	assert_null(handle_find(&t, NULL, OBJ_PROCESS));
	assert_null(handle_find(&t, o, OBJ_PROCESS));
	assert_null(handle_find(&t, (void *)(uintptr_t)-1, OBJ_PROCESS));
	close_one(&t, o);
	free(t.slots);
}

/* The place is used again at once; the value is another. */
static void test_never_again(void **state)
{
	struct handles t = { 0 };
	void *old[100];

	released = 0;
	for (int i = 0; i < 100; i++) {
		struct obj *o = open_one(&t, OBJ_SYSTEM);

		old[i] = o->handle;
		for (int k = 0; k < i; k++) {
			assert_ptr_not_equal(old[k], old[i]);
			assert_null(handle_find(&t, old[k], OBJ_SYSTEM));
		}
		close_one(&t, o);
	}
	assert_int_equal(released, 100);
	assert_int_equal(t.n, 64);
	assert_int_equal(t.open[OBJ_SYSTEM], 0);
	free(t.slots);
}

static void test_many(void **state)
{
	struct handles t = { 0 };
	struct obj *o[5000];

	for (int i = 0; i < 5000; i++)
		o[i] = open_one(&t, (enum obj_kind)(OBJ_SYSTEM + i % 3));
	for (int i = 0; i < 5000; i += 2)
		close_one(&t, o[i]);
	for (int i = 1; i < 5000; i += 2)
		assert_ptr_equal(handle_find(&t, o[i]->handle, o[i]->kind), o[i]);
	for (int i = 1; i < 5000; i += 2)
		close_one(&t, o[i]);
	free(t.slots);
}

/* A reference keeps the object; its handle is gone all the same. */
static void test_references(void **state)
{
	struct handles t = { 0 };
	struct obj *o = obj_ref(open_one(&t, OBJ_OPERATION));
	void *handle = o->handle;

	released = 0;
	close_one(&t, o);
	assert_int_equal(released, 0);
	assert_true(o->closed);
	assert_null(handle_find(&t, handle, OBJ_OPERATION));
	obj_unref(o);
	assert_int_equal(released, 1);
	obj_unref(NULL);
	free(t.slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_never_again),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
