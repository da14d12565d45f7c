/*
 * A create whose notifications cannot be set up leaves nothing: options that are
 * wrong, and each allocation that fails in turn, the callback's among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool armed, has_failed;
static unsigned until_failure;

static bool fails(void)
{
	if (!armed || --until_failure)
		return false;
	has_failed = true;
	return true;
}

#include "alloc_fails.h"

/* The engine that a test plays always has memory. */
#define malloc __real_malloc
#define calloc __real_calloc
#undef strdup
#define strdup __real_strdup
#include "engine_fake.h"
#undef malloc
#undef calloc
#undef strdup

#include <cmocka.h>

#include "hcs_calls.h"

struct seen {
	int operations, exits;
};

static void on_event(HCS_EVENT *event, void *context)
{
	struct seen *seen = context;

	if (event->Type == HcsEventOperationCallback)
		seen->operations++;
	else if (event->Type == HcsEventSystemExited)
		seen->exits++;
}

static int n_tasks(void)
{
	int n = 0;

	for (int i = 0; i < FAKE_TASKS; i++)
		n += fake.tasks[i] != NULL;
	return n;
}

static void assert_nothing_left(void)
{
	HCS_SYSTEM none;

	assert_int_equal(n_tasks(), 0);
	assert_int_equal(fake.watched, 0);
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &none), HCS_E_SYSTEM_NOT_FOUND);
}

static void test_wrong_callback(void **state)
{
	struct seen seen = { 0 };
	const HCS_CREATE_OPTIONS_1 good = { .Version = HcsCreateOptions_1,
					    .UserToken = -1,
					    .CallbackOptions = HcsEventOptionEnableOperationCallbacks,
					    .CallbackContext = &seen,
					    .Callback = on_event };
	HCS_CREATE_OPTIONS_1 wrong[3] = { good, good, good };

	wrong[0].CallbackOptions = (HCS_EVENT_OPTIONS)0x100;
	wrong[1].Version = (HCS_CREATE_OPTIONS)7;
	wrong[2].SecurityDescriptor = &seen;
	for (int i = 0; i < 3; i++) {
		HCS_OPERATION op = new_op();
		HCS_SYSTEM s = (HCS_SYSTEM)&seen;

		assert_int_equal(HcsCreateComputeSystemInNamespace(NULL, "a", document, op, &wrong[i].Version, &s),
				 E_INVALIDARG);
		assert_null(s);
		assert_int_equal(HcsGetOperationResult(op, NULL), E_INVALIDARG);
		HcsCloseOperation(op);
		assert_nothing_left();
	}
	assert_int_equal(seen.operations + seen.exits, 0);
}

/* One after the other, until there is none left to fail. */
static bool create_without(unsigned n, struct seen *seen)
{
	const HCS_CREATE_OPTIONS_1 options = { .Version = HcsCreateOptions_1,
					       .UserToken = -1,
					       .CallbackOptions = HcsEventOptionEnableOperationCallbacks,
					       .CallbackContext = seen,
					       .Callback = on_event };
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s = NULL;
	HRESULT hr;

	until_failure = n;
	has_failed = false;
	armed = true;
	hr = HcsCreateComputeSystemInNamespace(NULL, "a", document, op, &options.Version, &s);
	while (SUCCEEDED(hr) && HcsGetOperationResult(op, NULL) == HCS_E_OPERATION_PENDING)
		HcsDispatch(10);
	armed = false;
	if (SUCCEEDED(hr))
		hr = HcsGetOperationResult(op, NULL);
	else
		assert_null(s);
	HcsCloseOperation(op);
	if (SUCCEEDED(hr)) {
		assert_int_equal(n_tasks(), 1);
		over(s);
	} else {
		HcsCloseComputeSystem(s);
	}
	assert_nothing_left();
	return has_failed;
}

static void test_no_memory(void **state)
{
	struct seen seen = { 0 };
	unsigned n = 1;

	over(created("a")); /* what is read once is there */
	while (create_without(n, &seen))
		n++;
	assert_true(n > 10); /* so many were made to fail */
	seen = (struct seen){ 0 };
	assert_false(create_without(n, &seen));
	assert_int_equal(seen.operations, 2); /* the create, and the terminate */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_callback),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
