/*
 * The life-cycle tests that hcsshim's authors described later and could not have
 * without its service (C33 in docs/libberth.md), on an engine that a test plays:
 * start at once and start that pends, exit and disconnect while one pends, exit
 * while a pause does, what an exit is, many that wait, what comes after a callback
 * was taken away, and after a close.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdatomic.h>

#include "engine_fake.h"

#include <cmocka.h>

#include "hcs_calls.h"

static atomic_int told;

static void on_event(HCS_EVENT *event, void *context)
{
	told++;
}

static void settle(void)
{
	for (int i = 0; i < 20; i++)
		HcsDispatch(2);
}

static HCS_OPERATION start_held(HCS_SYSTEM s)
{
	HCS_OPERATION op;

	fake_hold("Start");
	op = begin(HcsStartComputeSystem, s);
	settle();
	return op;
}

/* The start has its answer before anybody waits. */
static void test_start_at_once(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = begin(HcsStartComputeSystem, s);

	settle();
	assert_int_equal(HcsGetOperationResult(op, NULL), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, 0, NULL), S_OK);
	HcsCloseOperation(op);
	over(s);
}

static void test_start_pends(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = start_held(s);

	assert_int_equal(HcsGetOperationResult(op, NULL), HCS_E_OPERATION_PENDING);
	assert_int_equal(HcsWaitForComputeSystemExit(s, 0, NULL), HCS_E_OPERATION_TIMEOUT);
	fake_release("Start");
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), S_OK);
	HcsCloseOperation(op);
	over(s);
}

/* Neither takes the other's news: the start failed, the system has ended. */
static void test_exit_while_starting(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = start_held(s);
	HRESULT hr;
	char *doc;

	fake_exit("a", 139, SIGSEGV);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, "\"ExitType\":\"UnexpectedExit\""));
	HcsFree(doc);
	fake_release("Start");
	hr = HcsWaitForOperationResult(op, WAIT_MS, NULL);
	assert_string_equal(HcsResultToName(hr), "HCS_E_SYSTEM_ALREADY_STOPPED");
	assert_int_equal(HcsWaitForComputeSystemExit(s, 0, NULL), S_OK);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

static void test_disconnect_while_starting(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = start_held(s);

	fake_die("a");
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	fake_release("Start"); /* nobody is there to answer */
	settle();
	assert_int_equal(HcsWaitForOperationResult(op, 0, NULL), HCS_E_SERVICE_DISCONNECT);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

static void test_exit_while_pausing(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op;
	HRESULT hr;

	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	settle();
	fake_exit("a", 0, 0);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), S_OK);
	fake_release("Pause");
	hr = HcsWaitForOperationResult(op, WAIT_MS, NULL);
	assert_string_equal(HcsResultToName(hr), "HCS_E_SYSTEM_ALREADY_STOPPED");
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

static void ends(uint32_t status, uint32_t signal, HRESULT want, const char *type)
{
	HCS_SYSTEM s = running("a");
	char *doc;

	fake_exit("a", status, signal);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, type));
	HcsFree(doc);
	assert_int_equal(call(HcsPauseComputeSystem, s), want);
	HcsCloseComputeSystem(s);
}

static void test_what_an_exit_is(void **state)
{
	ends(0, 0, HCS_E_SYSTEM_ALREADY_STOPPED, "\"ExitType\":\"GracefulExit\"");
	ends(7, 0, HCS_E_SYSTEM_ALREADY_STOPPED, "\"ExitType\":\"GracefulExit\"");
	ends(139, SIGSEGV, HCS_E_SYSTEM_ALREADY_STOPPED, "\"ExitType\":\"UnexpectedExit\"");
}

static void *wait_for_exit(void *s)
{
	return (void *)(intptr_t)HcsWaitForComputeSystemExit(s, WAIT_MS, NULL);
}

static void test_many_wait(void **state)
{
	enum { MANY = 32 };
	HCS_SYSTEM s = running("a");
	pthread_t threads[MANY];
	void *hr;

	for (int i = 0; i < MANY; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_exit, s), 0);
	usleep(20000);
	fake_exit("a", 0, 0);
	for (int i = 0; i < MANY; i++) {
		pthread_join(threads[i], &hr);
		assert_int_equal((HRESULT)(intptr_t)hr, S_OK);
	}
	HcsCloseComputeSystem(s);
}

/* Whose callback was taken away hears nothing, whoever else does. */
static void test_late_for_a_callback(void **state)
{
	HCS_SYSTEM s = running("a"), other;

	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &other), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, NULL, on_event), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, NULL, NULL), S_OK);
	told = 0;
	fake_exit("a", 0, 0);
	settle();
	assert_int_equal(told, 0);
	assert_int_equal(HcsSetComputeSystemCallback(other, HcsEventOptionNone, NULL, on_event), S_OK);
	settle();
	assert_int_equal(told, 1);
	HcsCloseComputeSystem(s);
	HcsCloseComputeSystem(other);
}

/* ... and who has closed. What was to be told when he did is dropped. */
static void test_late_for_a_handle(void **state)
{
	HCS_SYSTEM s = running("a"), other;
	HCS_OPERATION op;

	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &other), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionEnableOperationCallbacks, NULL, on_event), S_OK);
	told = 0;
	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	settle();
	HcsCloseComputeSystem(s);
	fake_release("Pause");
	fake_exit("a", 0, 0);
	settle();
	assert_int_equal(told, 0);
	assert_int_equal(HcsGetOperationResult(op, NULL), E_HANDLE);
	HcsCloseOperation(op);
	assert_int_equal(HcsWaitForComputeSystemExit(other, WAIT_MS, NULL), S_OK);
	HcsCloseComputeSystem(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_at_once),
		TEST(test_start_pends),
		TEST(test_exit_while_starting),
		TEST(test_disconnect_while_starting),
		TEST(test_exit_while_pausing),
		TEST(test_what_an_exit_is),
		TEST(test_many_wait),
		TEST(test_late_for_a_callback),
		TEST(test_late_for_a_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
