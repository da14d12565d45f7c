/* hcsshim's surface: synchronous, with its timeouts and what it takes for success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include <berth/hcsshim.h>

#include "hcs_calls.h"

static HCS_SYSTEM made(const char *id)
{
	HCS_SYSTEM s;
	char *error;

	assert_int_equal(hcsshim_create(id, document, &s, &error), S_OK);
	assert_null(error);
	return s;
}

static void test_surface(void **state)
{
	static const char *const types[] = { "Statistics", NULL };
	HCS_SYSTEM s = made("a"), again;
	HCS_PROCESS_INFORMATION info;
	HCS_PROCESS p;
	char *text, *error;

	text = hcsshim_id(s);
	assert_string_equal(text, "a");
	HcsFree(text);
	assert_int_equal(hcsshim_start(s, &error), S_OK);
	assert_int_equal(hcsshim_pause(s, &error), S_OK);
	assert_int_equal(hcsshim_pause(s, &error), HCS_E_INVALID_STATE);
	assert_non_null(strstr(error, "HcsPauseComputeSystem 'default/a': "));
	assert_non_null(strstr(error, "cannot pause a system that is paused (0x80370105)"));
	HcsFree(error);
	assert_int_equal(hcsshim_resume(s, NULL), S_OK);
	assert_int_equal(hcsshim_properties(s, types, &text, &error), S_OK);
	assert_non_null(strstr(text, "\"State\":\"Running\""));
	HcsFree(text);
	assert_int_equal(hcsshim_list("{\"Ids\": [\"a\"]}", &text, &error), S_OK);
	assert_non_null(strstr(text, "\"Id\":\"a\""));
	HcsFree(text);
	assert_int_equal(hcsshim_create_process(s, program, &p, &info, &error), S_OK);
	close(info.StdInput);
	close(info.StdOutput);
	HcsCloseProcess(p);
	assert_int_equal(hcsshim_open_process(s, info.ProcessId, &p, &error), S_OK);
	HcsCloseProcess(p);
	assert_int_equal(hcsshim_open_process(s, 4711, &p, &error), HCS_E_ERROR_NOT_FOUND);
	assert_non_null(strstr(error, "4711"));
	HcsFree(error);
	assert_int_equal(hcsshim_modify(s, "{\"ResourcePath\": \"Nothing\"}", &error), HCS_E_ERROR_NOT_SUPPORTED);
	HcsFree(error);
	assert_int_equal(hcsshim_open("a", &again, &error), S_OK);
	assert_int_equal(hcsshim_close(again), S_OK);
	assert_int_equal(hcsshim_close(again), S_OK);
	assert_int_equal(hcsshim_wait_timeout(s, 10, &error), HCS_E_OPERATION_TIMEOUT);
	HcsFree(error);
	over(s);
	assert_int_equal(hcsshim_open("a", &again, &error), HCS_E_SYSTEM_NOT_FOUND);
	HcsFree(error);
	assert_null(hcsshim_id(s));
}

/* C5: the end of what has ended. Terminating it is success, shutting it down says so. */
static void test_ends(void **state)
{
	HCS_SYSTEM s = made("a");
	char *error;
	HRESULT hr;

	assert_int_equal(hcsshim_start(s, NULL), S_OK);
	fake_hold("Kill");
	assert_int_equal(hcsshim_terminate(s, &error), HCS_E_OPERATION_PENDING);
	assert_non_null(error);
	HcsFree(error);
	fake_release("Kill");
	assert_int_equal(hcsshim_wait(s, &error), S_OK);
	assert_int_equal(hcsshim_terminate(s, &error), S_OK);
	assert_null(error);
	hr = hcsshim_shutdown(s, &error);
	assert_true(HcsIsAlreadyStopped(hr));
	HcsFree(error);
	HcsCloseComputeSystem(s);
}

static void test_waits(void **state)
{
	HCS_SYSTEM s = made("a");
	char *error;

	assert_int_equal(hcsshim_start(s, NULL), S_OK);
	fake_exit("a", 139, SIGSEGV);
	assert_int_equal(hcsshim_wait(s, &error), HCS_E_UNEXPECTED_EXIT);
	assert_non_null(error);
	HcsFree(error);
	assert_int_equal(hcsshim_wait_expected_error(s, HCS_E_UNEXPECTED_EXIT, &error), S_OK);
	assert_null(error);
	assert_int_equal(hcsshim_wait_expected_error(s, E_HANDLE, &error), HCS_E_UNEXPECTED_EXIT);
	HcsFree(error);
	hcsshim_close(s);
	assert_int_equal(hcsshim_wait_expected_error(s, E_HANDLE, &error), S_OK);
}

/* A create that times out is ended, and leaves nothing. */
static void test_timeout(void **state)
{
	HCS_SYSTEM s, none;
	char *error;

	over(made("a"));
	lib.timeouts.create = 30;
	fake_hold("create");
	assert_int_equal(hcsshim_create("b", document, &s, &error), HCS_E_OPERATION_TIMEOUT);
	lib.timeouts.create = 240000;
	assert_null(s);
	HcsFree(error);
	fake_release("create");
	assert_int_equal(hcsshim_open("b", &none, NULL), HCS_E_SYSTEM_NOT_FOUND);
	s = made("b");
	lib.timeouts.pause = 30;
	assert_int_equal(hcsshim_start(s, NULL), S_OK);
	fake_hold("Pause");
	assert_int_equal(hcsshim_pause(s, &error), HCS_E_OPERATION_TIMEOUT);
	HcsFree(error);
	lib.timeouts.pause = 240000;
	fake_release("Pause");
	over(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_surface),
		TEST(test_ends),
		TEST(test_waits),
		TEST(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
