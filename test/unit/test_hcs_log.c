/* The log: lines for each call, what was expected is no error, no secrets; bad settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include <berth/hcsshim.h>

#include "hcs_calls.h"

static char lines[1 << 16];
static HRESULT from_inside;

static void on_line(HCS_LOG_LEVEL level, const char *line, void *context)
{
	size_t len = strlen(lines);

	snprintf(lines + len, sizeof lines - len, "%d %s\n", (int)level, line);
	from_inside = HcsDispatch(0);
}

static void listen(HCS_LOG_LEVEL level)
{
	lines[0] = '\0';
	assert_int_equal(HcsSetLogCallback(on_line, NULL, level), S_OK);
}

static void listen_no_more(void)
{
	assert_int_equal(HcsSetLogCallback(NULL, NULL, HcsLogError), S_OK);
}

/* D19: the first call says which setting is wrong; and nothing has happened. */
static void test_settings(void **state)
{
	HCS_SYSTEM s;
	char *doc, *error;

	setenv("HCSSHIM_TIMEOUT_SYSTEMSTART", "soon", 1);
	assert_int_equal(try_create("a", &s), E_INVALIDARG);
	assert_null(s);
	assert_int_equal(HcsGetLastResult(&doc), S_OK);
	assert_non_null(strstr(doc, "HCSSHIM_TIMEOUT_SYSTEMSTART: 'soon'"));
	HcsFree(doc);
	assert_int_equal(hcsshim_open("a", &s, &error), E_INVALIDARG);
	assert_non_null(strstr(error, "HCSSHIM_TIMEOUT_SYSTEMSTART"));
	HcsFree(error);
	setenv("HCSSHIM_TIMEOUT_SYSTEMSTART", "7", 1);
	setenv("HCSSHIM_TIMEOUT_SYSCALLWATCHER", "1", 1);
	over(running("a"));
	assert_int_equal(lib.timeouts.start, 7000);
}

/* D17: begin and end of each call, with what it is about and how it ended. */
static void test_lines(void **state)
{
	HCS_SYSTEM s = running("a"), none;

	listen(HcsLogInfo);
	assert_int_equal(call(HcsTerminateComputeSystem, s), S_OK);
	assert_int_equal(call(HcsTerminateComputeSystem, s), HCS_E_SYSTEM_ALREADY_STOPPED);
	assert_int_equal(HcsOpenComputeSystem("nobody", GENERIC_ALL, &none), HCS_E_SYSTEM_NOT_FOUND);
	listen_no_more();
	assert_non_null(strstr(lines, "\"Message\":\"begin\",\"Operation\":\"HcsTerminateComputeSystem\","
				      "\"Namespace\":\"default\",\"SystemId\":\"a\""));
	assert_non_null(strstr(lines, "\"Message\":\"completed\",\"Operation\":\"HcsTerminateComputeSystem\""));
	assert_non_null(strstr(lines, "\"Result\":\"HCS_E_SYSTEM_ALREADY_STOPPED\""));
	assert_non_null(strstr(lines, "\"SystemId\":\"nobody\""));
	assert_null(strstr(lines, "\"Level\":\"error\""));
	assert_int_equal(from_inside, BERTH_E_IN_LOG_CALLBACK);
	listen(HcsLogError);
	assert_int_equal(call(HcsPauseComputeSystem, s), HCS_E_SYSTEM_ALREADY_STOPPED);
	assert_string_equal(lines, "");
	fake_fail("create", ERR_INTERNAL, ENOSPC, "mount '/x'");
	assert_int_equal(try_create("b", &none), BERTH_E_FROM_ERRNO(ENOSPC));
	HcsCloseComputeSystem(none);
	listen_no_more();
	assert_non_null(strstr(lines, "mount '/x'"));
	HcsCloseComputeSystem(s);
}

static void test_documents(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op = new_op();
	HCS_PROCESS p;

	listen(HcsLogDebug);
	static const char secret[] = "{\"CommandLine\": \"true\", \"Environment\": {\"TOKEN\": \"secret\"}}";

	assert_int_equal(HcsCreateProcess(s, secret, op,
					  NULL, &p),
			 S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), S_OK);
	listen_no_more();
	assert_non_null(strstr(lines, "TOKEN"));
	assert_null(strstr(lines, "secret"));
	HcsCloseOperation(op);
	HcsCloseProcess(p);
	over(s);
}

/* A call that outlives HCSSHIM_TIMEOUT_SYSCALLWATCHER (1 s here) is warned of, once. */
static void test_watcher(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op;
	const char *first;

	listen(HcsLogWarning);
	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	assert_int_equal(HcsWaitForOperationResult(op, 2300, NULL), HCS_E_OPERATION_TIMEOUT);
	listen_no_more();
	first = strstr(lines, "has not completed yet");
	assert_non_null(first);
	assert_non_null(strstr(lines, "\"Operation\":\"HcsPauseComputeSystem\""));
	assert_null(strstr(first + 1, "has not completed yet"));
	fake_release("Pause");
	HcsCloseOperation(op);
	over(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_settings),
		TEST(test_lines),
		TEST(test_documents),
		TEST(test_watcher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
