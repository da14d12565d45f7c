/*
 * The library's life-cycle logic, on an engine that does what the test says. What
 * hcsshim had wrong once is tested by the number it has in docs/libberth.md: D1 to
 * D19 its own defects, C1 to C33 what its users reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include "hcs_calls.h"

static void test_life(void **state)
{
	HCS_SYSTEM s = created("a"), again;
	char *doc;

	assert_int_equal(call(HcsStartComputeSystem, s), S_OK);
	assert_int_equal(call(HcsStartComputeSystem, s), HCS_E_INVALID_STATE);
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &again), S_OK);
	assert_int_equal(HcsWaitForComputeSystemExit(s, 20, NULL), HCS_E_OPERATION_TIMEOUT);
	assert_int_equal(call(HcsTerminateComputeSystem, s), S_OK);
	assert_int_equal(call(HcsTerminateComputeSystem, again), HCS_E_SYSTEM_ALREADY_STOPPED);
	assert_int_equal(HcsWaitForComputeSystemExit(again, 0, &doc), S_OK);
	assert_non_null(strstr(doc, "ForcedExit"));
	HcsFree(doc);
	HcsCloseComputeSystem(s);
	HcsCloseComputeSystem(s);
	assert_int_equal(call(HcsPauseComputeSystem, s), E_HANDLE);
	HcsCloseComputeSystem(again);
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &again), HCS_E_SYSTEM_NOT_FOUND);
}

/* C16: what an answer means is what it says, and nothing else. */
static void test_errors_are_not_guessed(void **state)
{
	HCS_SYSTEM s = running("a");

	fake_fail("Kill", ERR_INTERNAL, EIO, "the shim is confused");
	assert_int_equal(call(HcsTerminateComputeSystem, s), BERTH_E_FROM_ERRNO(EIO));
	fake_fail("Kill", ERR_TIMEOUT, 0, "no answer");
	assert_int_equal(call(HcsShutDownComputeSystem, s), HCS_E_OPERATION_TIMEOUT);
	assert_int_equal(call(HcsPauseComputeSystem, s), S_OK);
	over(s);
}

/* C10, C27: which access was denied, and what the host lacks, is in the words. */
static void test_refusals(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s;
	char *doc;

	fake_fail("create", ERR_PERMISSION, EACCES, "open '/layers/1'");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, &doc), E_ACCESSDENIED);
	assert_non_null(strstr(doc, "open '/layers/1': permission denied"));
	HcsFree(doc);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
	op = new_op();
	fake_fail("create", ERR_UNSUPPORTED, ENOSYS, "the memory controller");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, &doc), HCS_E_ERROR_NOT_SUPPORTED);
	assert_non_null(strstr(doc, "the memory controller: function not implemented"));
	HcsFree(doc);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

/* A clock that was set back since the start is no uptime of thousands of years. */
static void test_clock_set_back(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op = new_op();
	char *doc;

	fake_started.seconds = time(NULL) + 3600;
	assert_int_equal(HcsGetComputeSystemProperties(s, op, "{\"PropertyTypes\": [\"Statistics\"]}"), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, &doc), S_OK);
	fake_started.seconds = 0;
	assert_non_null(strstr(doc, "\"ContainerStartTime\""));
	assert_non_null(strstr(doc, "\"Uptime100ns\":0,"));
	HcsFree(doc);
	HcsCloseOperation(op);
	over(s);
}

/* C1, C28: the error says which operation, system and phase, and how long; not the document. */
static void test_words(void **state)
{
	HCS_OPERATION op;
	HCS_SYSTEM s = running("a");
	char *doc;

	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	assert_int_equal(HcsWaitForOperationResult(op, 10, &doc), HCS_E_OPERATION_TIMEOUT);
	assert_null(doc);
	assert_int_equal(HcsGetLastResult(&doc), S_OK);
	assert_non_null(strstr(doc, "wait for the fake shim"));
	assert_non_null(strstr(doc, "10 ms"));
	HcsFree(doc);
	assert_int_equal(HcsGetOperationProperties(op, NULL, &doc), S_OK);
	assert_non_null(strstr(doc, "\"Operation\":\"Pause\""));
	assert_non_null(strstr(doc, "\"SystemId\":\"a\""));
	assert_non_null(strstr(doc, "\"Phase\":\"wait for the fake shim\""));
	HcsFree(doc);
	fake_fail("Pause", ERR_INTERNAL, EBUSY, "freeze '/x'");
	fake_release("Pause");
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, &doc), BERTH_E_FROM_ERRNO(EBUSY));
	assert_non_null(strstr(doc, "HcsPauseComputeSystem 'default/a': wait for the fake shim"));
	assert_non_null(strstr(doc, "freeze '/x': device or resource busy"));
	assert_null(strstr(doc, "Container"));
	HcsFree(doc);
	HcsCloseOperation(op);
	over(s);
}

/* D8: a wait that timed out leaves the operation; its late end answers nothing else. */
static void test_late_completion(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION first, second;

	fake_hold("Pause");
	first = begin(HcsPauseComputeSystem, s);
	assert_int_equal(HcsWaitForOperationResult(first, 10, NULL), HCS_E_OPERATION_TIMEOUT);
	HcsCloseOperation(first);
	second = HcsCreateOperation(NULL, NULL);
	assert_int_equal(HcsPauseComputeSystem(s, second, NULL), HCS_E_INVALID_STATE);
	HcsCloseOperation(second);
	fake_release("Pause");
	while (fake.ops)
		HcsDispatch(10);
	fake_hold("Resume");
	second = begin(HcsResumeComputeSystem, s);
	assert_int_equal(HcsWaitForOperationResult(second, 20, NULL), HCS_E_OPERATION_TIMEOUT);
	fake_release("Resume");
	assert_int_equal(HcsWaitForOperationResult(second, WAIT_MS, NULL), S_OK);
	HcsCloseOperation(second);
	over(s);
}

/* D10, C3: a start that hangs can be ended, closed, and asked about. */
static void test_start_hangs(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION start, end;

	fake_hold("Start");
	start = begin(HcsStartComputeSystem, s);
	assert_int_equal(call((system_call)HcsGetComputeSystemProperties, s), S_OK);
	assert_int_equal(call(HcsStartComputeSystem, s), HCS_E_INVALID_STATE);
	end = begin(HcsTerminateComputeSystem, s);
	assert_int_equal(HcsWaitForOperationResult(end, WAIT_MS, NULL), S_OK);
	fake_release("Start");
	assert_int_equal(HcsWaitForOperationResult(start, WAIT_MS, NULL), HCS_E_TERMINATED_DURING_START);
	HcsCloseOperation(start);
	HcsCloseOperation(end);
	HcsCloseComputeSystem(s);
}

/* D3: the start was answered and the system has ended already: started is what it says. */
static void test_exit_at_once(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION start;

	fake_hold("Properties");
	start = begin(HcsStartComputeSystem, s);
	while (fake_task("a")->t.now.status != ENGINE_RUNNING)
		HcsDispatch(10);
	fake_exit("a", 0, 0);
	assert_int_equal(HcsWaitForOperationResult(start, WAIT_MS, NULL), S_OK);
	fake_release("Properties");
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), S_OK);
	HcsCloseOperation(start);
	HcsCloseComputeSystem(s);
}

/* D6, C6: closing is no exit: who waits is told so, and opening again finds the system. */
static void test_close_is_no_exit(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op;

	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	HcsCloseComputeSystem(s);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), E_HANDLE);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), E_HANDLE);
	HcsCloseOperation(op);
	fake_release("Pause");
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &s), S_OK);
	while (fake.ops)
		HcsDispatch(10);
	assert_int_equal(call(HcsResumeComputeSystem, s), S_OK);
	over(s);
}

/* D18: any call with a handle that is closed, or never was one. */
static void test_closed(void **state)
{
	HCS_SYSTEM s = running("a"), none;
	HCS_PROCESS p;
	HCS_OPERATION op = new_op();
	int fd;

	assert_int_equal(try_process(s, &p), S_OK);
	HcsCloseProcess(p);
	HcsCloseProcess(p);
	HcsCloseProcess(NULL);
	assert_int_equal(call_on(HcsTerminateProcess, p), E_HANDLE);
	assert_int_equal(call_on(HcsGetProcessProperties, p), E_HANDLE);
	assert_int_equal(HcsWaitForProcessExit(p, 0, NULL), E_HANDLE);
	assert_int_equal(HcsSetProcessCallback(p, HcsEventOptionNone, NULL, NULL), E_HANDLE);
	assert_int_equal(HcsGetProcessFd(p, &fd), E_HANDLE);
	over(s);
	assert_int_equal(call((system_call)HcsGetComputeSystemProperties, s), E_HANDLE);
	assert_int_equal(HcsGetComputeSystemFd(s, &fd), E_HANDLE);
	assert_int_equal(HcsKeepComputeSystem(s), E_HANDLE);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, NULL, NULL), E_HANDLE);
	/* An operation is no system. */
	assert_int_equal(call(HcsStartComputeSystem, (HCS_SYSTEM)(void *)op), E_HANDLE);
	assert_int_equal(call(HcsStartComputeSystem, NULL), E_INVALIDARG);
	HcsCloseOperation(op);
	HcsCloseOperation(op);
	HcsCloseOperation(NULL);
	assert_int_equal(HcsGetOperationResult(op, NULL), E_HANDLE);
	assert_int_equal(HcsCancelOperation(op), E_HANDLE);
	assert_int_equal(HcsGetOperationId(op), HCS_INVALID_OPERATION_ID);
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), E_HANDLE);
	HcsFree(NULL);
	assert_int_equal(HcsOpenComputeSystem("a", 1, &none), E_INVALIDARG);
}

/* C17: the shim dies: every wait ends, and says why; the handle answers what is known. */
static void test_shim_dies(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION pause;
	HCS_PROCESS p;
	char *doc;

	assert_int_equal(try_process(s, &p), S_OK);
	fake_hold("Pause");
	pause = begin(HcsPauseComputeSystem, s);
	fake_die("a");
	assert_int_equal(HcsWaitForOperationResult(pause, WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, &doc), HCS_E_SERVICE_DISCONNECT);
	assert_non_null(strstr(doc, "UnexpectedExit"));
	HcsFree(doc);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(call(HcsResumeComputeSystem, s), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(call(HcsTerminateComputeSystem, s), HCS_E_SYSTEM_ALREADY_STOPPED);
	assert_int_equal(call((system_call)HcsGetComputeSystemProperties, s), S_OK);
	assert_int_equal(call_on(HcsTerminateProcess, p), HCS_E_SERVICE_DISCONNECT);
	HcsCloseOperation(pause);
	HcsCloseProcess(p);
	HcsCloseComputeSystem(s);
	/* The id is free. */
	over(running("a"));
}

/* A process's handle is as good without one of its system. */
static void test_process_alone(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_PROCESS p, never;
	char *doc;

	assert_int_equal(try_process(s, &p), S_OK);
	assert_int_equal(try_process(s, &never), S_OK);
	HcsCloseComputeSystem(s);
	fake_process_exit("a", pid_of(p), 7);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, "\"ExitCode\":7"));
	HcsFree(doc);
	assert_int_equal(HcsWaitForProcessExit(never, 20, NULL), HCS_E_OPERATION_TIMEOUT);
	assert_int_equal(fake.watched, 1);
	HcsCloseProcess(never);
	assert_int_equal(fake.watched, 0);
	HcsCloseProcess(p);
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &s), S_OK);
	over(s);
}

/* The id has been used again before we hear of the end of the one who had it. */
static void test_replaced(void **state)
{
	HCS_SYSTEM old = running("a"), new;
	struct fake_task *t = fake_task("a");

	t->in_use = false;
	new = created("a");
	lib_lock();
	engine_task_ref(&t->t);
	fake_gone(t, true);
	engine_task_unref(&t->t);
	lib_unlock();
	assert_int_equal(HcsWaitForComputeSystemExit(old, WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(HcsWaitForComputeSystemExit(new, 20, NULL), HCS_E_OPERATION_TIMEOUT);
	HcsCloseComputeSystem(old);
	over(new);
}

/* D12: a create that fails leaves nothing, at whichever step. */
static void test_create_fails(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s, other;

	fake_fail("create", ERR_INTERNAL, ENOSPC, "mount '/x'");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	assert_int_equal(call(HcsStartComputeSystem, s), HCS_E_OPERATION_PENDING);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), BERTH_E_FROM_ERRNO(ENOSPC));
	assert_int_equal(call(HcsStartComputeSystem, s), HCS_E_SYSTEM_NOT_FOUND);
	assert_int_equal(HcsWaitForComputeSystemExit(s, INFINITE, NULL), HCS_E_SYSTEM_NOT_FOUND);
	HcsCloseComputeSystem(s);
	HcsCloseOperation(op);
	s = created("a");
	assert_int_equal(try_create("a", &other), HCS_E_SYSTEM_ALREADY_EXISTS);
	HcsCloseComputeSystem(other);
	over(s);
}

/* Documents are the operation's business; arguments the call's, and the operation has it, too. */
static void test_who_says_what(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s = NULL;
	char *doc;

	assert_int_equal(HcsCreateComputeSystem("a", "{\"Container\": 7}", op, NULL, &s), S_OK);
	assert_int_equal(HcsGetOperationResult(op, &doc), HCS_E_INVALID_JSON);
	assert_non_null(strstr(doc, "/Container"));
	HcsFree(doc);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);

	op = new_op();
	assert_int_equal(HcsGetOperationResult(op, NULL), HCS_E_OPERATION_NOT_STARTED);
	assert_int_equal(HcsGetOperationType(op), HcsOperationTypeNone);
	assert_int_equal(HcsCreateComputeSystem(NULL, document, op, NULL, &s), E_INVALIDARG);
	assert_int_equal(HcsGetOperationType(op), HcsOperationTypeCreate);
	assert_int_equal(HcsGetOperationResult(op, &doc), E_INVALIDARG);
	assert_non_null(strstr(doc, "id: is NULL"));
	HcsFree(doc);
	/* One operation, one call. */
	assert_int_equal(HcsEnumerateComputeSystems(NULL, op), HCS_E_OPERATION_ALREADY_STARTED);
	assert_int_equal(HcsGetOperationResult(op, NULL), E_INVALIDARG);
	HcsCloseOperation(op);
	assert_int_equal(HcsEnumerateComputeSystems(NULL, NULL), E_INVALIDARG);
}

/* ---- cancel --------------------------------------------------------------------- */

static void test_cancel_create(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s, none;

	fake_hold("create");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	assert_int_equal(HcsCancelOperation(op), S_OK);
	assert_int_equal(HcsGetOperationResult(op, NULL), HCS_E_ERROR_CANCELLED);
	assert_int_equal(HcsCancelOperation(op), S_FALSE);
	while (fake.ops)
		HcsDispatch(10);
	assert_int_equal(call(HcsStartComputeSystem, s), HCS_E_SYSTEM_NOT_FOUND);
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &none), HCS_E_SYSTEM_NOT_FOUND);
	HcsCloseComputeSystem(s);
	HcsCloseOperation(op);
}

/* ... also when the answer was on its way. */
static void test_cancel_create_late(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s, again;

	fake_hold("create");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	fake.deaf = true;
	assert_int_equal(HcsCancelOperation(op), S_OK);
	fake_release("create");
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), HCS_E_SYSTEM_NOT_FOUND);
	fake.deaf = false;
	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &again), HCS_E_SYSTEM_NOT_FOUND);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

static void test_terminate_create(void **state)
{
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s;

	fake_hold("create");
	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	assert_int_equal(call(HcsTerminateComputeSystem, s), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), HCS_E_TERMINATED);
	HcsCloseComputeSystem(s);
	HcsCloseOperation(op);
}

static void cancel_process(HCS_SYSTEM s, const char *at)
{
	HCS_OPERATION op = new_op();
	HCS_PROCESS p;
	char *doc;

	fake_hold(at);
	assert_int_equal(HcsCreateProcess(s, program, op, NULL, &p), S_OK);
	assert_int_equal(call_on(HcsTerminateProcess, p), HCS_E_OPERATION_PENDING);
	HcsDispatch(10);
	assert_int_equal(HcsCancelOperation(op), S_OK);
	fake_release(at);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, &doc), HCS_E_ERROR_NOT_FOUND);
	for (int i = 0; i < 50; i++)
		HcsDispatch(1);
	for (int i = 0; i < FAKE_EXECS; i++)
		assert_false(fake_task("a")->execs[i].there);
	HcsCloseProcess(p);
	HcsCloseOperation(op);
}

static void test_cancel_process(void **state)
{
	HCS_SYSTEM s = running("a");

	cancel_process(s, "Exec");
	cancel_process(s, "Start");
	cancel_process(s, "Stdio");
	over(s);
}

static void test_cancel_others(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op = new_op();

	assert_int_equal(HcsCancelOperation(op), HCS_E_OPERATION_NOT_STARTED);
	HcsCloseOperation(op);
	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	assert_int_equal(HcsCancelOperation(op), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), HCS_E_ERROR_CANCELLED);
	HcsCloseOperation(op);
	fake_release("Pause");
	over(s);
}

/* ---- processes -------------------------------------------------------------------- */

static void test_process(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_PROCESS p, same;
	HCS_OPERATION op = new_op();
	HCS_PROCESS_INFORMATION info, later;
	char buf[16], *doc;

	assert_int_equal(HcsCreateProcess(s, program, op, NULL, &p), S_OK);
	assert_int_equal(HcsWaitForOperationResultAndProcessInfo(op, WAIT_MS, &info, NULL), S_OK);
	assert_int_equal(read(info.StdOutput, buf, sizeof buf), 6);
	assert_int_equal(HcsGetOperationResultAndProcessInfo(op, &later, NULL), S_OK);
	assert_int_equal(later.ProcessId, info.ProcessId);
	assert_int_equal(later.StdOutput, -1);
	assert_ptr_equal(HcsGetProcessFromOperation(op), p);
	assert_ptr_equal(HcsGetComputeSystemFromOperation(op), s);
	close(info.StdOutput);
	close(info.StdInput);
	assert_int_equal(HcsOpenProcess(s, info.ProcessId, GENERIC_ALL, &same), S_OK);
	assert_int_equal(HcsWaitForProcessExit(p, 0, NULL), HCS_E_OPERATION_TIMEOUT);
	fake_process_exit("a", info.ProcessId, 130);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, "\"ExitCode\":130"));
	assert_non_null(strstr(doc, "\"Signal\":2"));
	HcsFree(doc);
	assert_int_equal(HcsWaitForProcessExit(same, 0, NULL), S_OK);
	assert_int_equal(call_on(HcsTerminateProcess, same), HCS_E_PROCESS_ALREADY_STOPPED);
	HcsCloseOperation(op);
	HcsCloseProcess(p);
	assert_null(HcsGetProcessFromOperation(op));
	HcsCloseProcess(same);
	over(s);
}

/* D14, D15: the exit is known without asking again, the streams stay until somebody takes them. */
static void test_after_exit(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_PROCESS_INFORMATION info;
	HCS_OPERATION op;
	HCS_PROCESS p;
	char buf[16], *doc;

	assert_int_equal(try_process(s, &p), S_OK);
	fake_exit("a", 0, 0);
	assert_int_equal(HcsWaitForComputeSystemExit(s, WAIT_MS, NULL), S_OK);
	HcsCloseComputeSystem(s);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, "\"ExitCode\":137"));
	HcsFree(doc);
	assert_int_equal(call_on(HcsGetProcessProperties, p), S_OK);
	op = new_op();
	assert_int_equal(HcsGetProcessInfo(p, op), S_OK);
	assert_int_equal(HcsWaitForOperationResultAndProcessInfo(op, WAIT_MS, &info, NULL), S_OK);
	assert_int_equal(read(info.StdOutput, buf, sizeof buf), 6);
	close(info.StdOutput);
	close(info.StdInput);
	HcsCloseOperation(op);
	HcsCloseProcess(p);
}

/* An exit whose event is faster than the answer to Start. */
static void test_exit_before_answer(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op = new_op();
	HCS_PROCESS p;
	char *doc;

	fake_hold("Stdio");
	assert_int_equal(HcsCreateProcess(s, program, op, NULL, &p), S_OK);
	while (!fake_task("a")->execs[0].running)
		HcsDispatch(10);
	fake_process_exit("a", fake_task("a")->execs[0].pid, 3);
	fake_release("Stdio");
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, &doc), S_OK);
	assert_non_null(strstr(doc, "\"ExitCode\":3"));
	HcsFree(doc);
	HcsCloseOperation(op);
	HcsCloseProcess(p);
	over(s);
}

/* C11: each exec that has ended is deleted in the shim. */
static void test_execs_are_deleted(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_PROCESS p;

	fake.deleted_execs = 0;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(try_process(s, &p), S_OK);
		fake_process_exit("a", pid_of(p), 0);
		assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, NULL), S_OK);
		HcsCloseProcess(p);
	}
	while (fake.ops)
		HcsDispatch(10);
	assert_int_equal(fake.deleted_execs, 200);
	over(s);
}

/* D13, C15: a signal is that signal, and waits for no other. */
static void test_signals(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_PROCESS p;
	HCS_OPERATION term = new_op(), kill = new_op();

	assert_int_equal(try_process(s, &p), S_OK);
	fake_hold("Kill");
	assert_int_equal(HcsSignalProcess(p, term, "{\"Signal\": \"SIGTERM\"}"), S_OK);
	fake_hold_no_more("Kill");
	assert_int_equal(HcsSignalProcess(p, kill, "{\"Signal\": 9}"), S_OK);
	assert_int_equal(HcsWaitForOperationResult(kill, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsWaitForProcessExit(p, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsGetOperationResult(term, NULL), HCS_E_OPERATION_PENDING);
	fake_release("Kill");
	assert_int_equal(HcsWaitForOperationResult(term, WAIT_MS, NULL), HCS_E_PROCESS_ALREADY_STOPPED);
	HcsCloseProcess(p);
	assert_int_equal(try_process(s, &p), S_OK);
	HcsCloseOperation(term);
	term = new_op();
	assert_int_equal(HcsSignalProcess(p, term, "{\"Signal\": \"SIGTERM\"}"), S_OK);
	assert_int_equal(HcsWaitForOperationResult(term, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsWaitForProcessExit(p, 10, NULL), HCS_E_OPERATION_TIMEOUT);
	HcsCloseOperation(term);
	HcsCloseOperation(kill);
	HcsCloseProcess(p);
	over(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_errors_are_not_guessed),
		TEST(test_refusals),
		TEST(test_words),
		TEST(test_clock_set_back),
		TEST(test_late_completion),
		TEST(test_start_hangs),
		TEST(test_exit_at_once),
		TEST(test_close_is_no_exit),
		TEST(test_closed),
		TEST(test_shim_dies),
		TEST(test_process_alone),
		TEST(test_replaced),
		TEST(test_create_fails),
		TEST(test_who_says_what),
		TEST(test_cancel_create),
		TEST(test_cancel_create_late),
		TEST(test_terminate_create),
		TEST(test_cancel_process),
		TEST(test_cancel_others),
		TEST(test_process),
		TEST(test_after_exit),
		TEST(test_exit_before_answer),
		TEST(test_execs_are_deleted),
		TEST(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
