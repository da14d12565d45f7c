/*
 * The table of states and calls, as hcs.md has it, and every one of its cells
 * asked for through the library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include "hcs_calls.h"

#define OK S_OK
#define BAD HCS_E_INVALID_STATE
#define GONE HCS_E_SYSTEM_ALREADY_STOPPED
#define PEND HCS_E_OPERATION_PENDING
#define LOST HCS_E_SERVICE_DISCONNECT
#define NONE HCS_E_SYSTEM_NOT_FOUND
#define UNSUP HCS_E_ERROR_NOT_SUPPORTED
#define ALONE HCS_E_INVALID_JSON /* allowed; but this system has no command of its own */
#define DEAD HCS_E_TERMINATED /* what becomes of the create that it ends */

/* Written down a second time, independently of states.h, and with what the call itself comes to. */
static const struct {
	const char *name;
	/* creating created starting running pausing paused stopping terminating stopped unknown lost none */
	HRESULT in[12];
} rows[] = {
	{ "start", { PEND, OK, BAD, BAD, BAD, BAD, BAD, BAD, GONE, OK, LOST, NONE } },
	{ "shut down", { PEND, BAD, BAD, OK, BAD, BAD, GONE, GONE, GONE, OK, GONE, NONE } },
	{ "terminate", { OK, OK, OK, OK, OK, OK, OK, GONE, GONE, OK, GONE, NONE } },
	{ "pause", { PEND, BAD, BAD, OK, BAD, BAD, BAD, BAD, GONE, OK, LOST, NONE } },
	{ "resume", { PEND, BAD, BAD, BAD, BAD, OK, BAD, BAD, GONE, OK, LOST, NONE } },
	{ "save", { PEND, BAD, BAD, BAD, BAD, UNSUP, BAD, BAD, GONE, UNSUP, LOST, NONE } },
	{ "crash", { PEND, BAD, BAD, UNSUP, UNSUP, UNSUP, BAD, BAD, GONE, UNSUP, LOST, NONE } },
	{ "query", { OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, NONE } },
	{ "modify", { PEND, OK, BAD, OK, BAD, OK, BAD, BAD, GONE, OK, LOST, NONE } },
	{ "create or open a process in", { PEND, BAD, BAD, OK, BAD, BAD, BAD, BAD, GONE, OK, LOST, NONE } },
	{ "attach to the first process of",
	  { PEND, ALONE, ALONE, ALONE, ALONE, ALONE, ALONE, ALONE, ALONE, ALONE, LOST, NONE } },
	{ "delete", { PEND, OK, BAD, BAD, BAD, BAD, BAD, BAD, OK, OK, NONE, NONE } },
};

static void test_table(void **state)
{
	assert_int_equal(ARRAY_SIZE(rows), SYS_CALL_COUNT);
	assert_int_equal(ARRAY_SIZE(rows[0].in), SYS_STATE_COUNT);
	for (int call = 0; call < SYS_CALL_COUNT; call++) {
		assert_string_equal(sys_call_words((enum sys_call)call), rows[call].name);
		for (int s = 0; s < SYS_STATE_COUNT; s++) {
			HRESULT want = rows[call].in[s] == UNSUP || rows[call].in[s] == ALONE ? S_OK : rows[call].in[s];

			if (sys_state_check((enum sys_state)s, (enum sys_call)call) != want)
				fail_msg("%s while %s", rows[call].name, sys_state_words((enum sys_state)s));
		}
	}
}

/* ---- a system in each state ------------------------------------------------------ */

static HCS_OPERATION pending; /* what keeps it in that state */

static HCS_SYSTEM make(enum sys_state state)
{
	HCS_SYSTEM s = NULL;
	HCS_OPERATION op;

	pending = NULL;
	switch (state) {
	case SYS_CREATING:
		fake_hold("create");
		pending = new_op();
		assert_int_equal(HcsCreateComputeSystem("a", document, pending, NULL, &s), S_OK);
		break;
	case SYS_CREATED:
		return created("a");
	case SYS_STARTING:
		s = created("a");
		fake_hold("Start");
		pending = begin(HcsStartComputeSystem, s);
		break;
	case SYS_RUNNING:
		return running("a");
	case SYS_PAUSING:
		s = running("a");
		fake_hold("Pause");
		pending = begin(HcsPauseComputeSystem, s);
		break;
	case SYS_PAUSED:
		s = running("a");
		assert_int_equal(call(HcsPauseComputeSystem, s), S_OK);
		break;
	case SYS_STOPPING:
		s = running("a");
		fake_task("a")->ignores_term = true;
		assert_int_equal(call(HcsShutDownComputeSystem, s), S_OK);
		break;
	case SYS_TERMINATING:
		s = running("a");
		fake_hold("Kill");
		pending = begin(HcsTerminateComputeSystem, s);
		break;
	case SYS_STOPPED:
		s = running("a");
		assert_int_equal(call(HcsTerminateComputeSystem, s), S_OK);
		break;
	case SYS_UNKNOWN:
		s = running("a");
		fake_task("a")->t.now.status = ENGINE_UNKNOWN;
		break;
	case SYS_LOST:
		s = running("a");
		fake_die("a");
		break;
	default:
		op = new_op();
		fake_fail("create", ERR_INTERNAL, EIO, "no");
		assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
		assert_true(FAILED(end_op(op, S_OK)));
		break;
	}
	return s;
}

static const char limit[] =
	"{\"ResourcePath\": \"Container/Memory/SizeInMB\", \"RequestType\": \"Update\", \"Settings\": 64}";

static HRESULT modify(HCS_SYSTEM s, HCS_OPERATION op, const char *options)
{
	return HcsModifyComputeSystem(s, op, limit, -1);
}

static HCS_PROCESS process;

static HRESULT create_process(HCS_SYSTEM s, HCS_OPERATION op, const char *options)
{
	return HcsCreateProcess(s, program, op, NULL, &process);
}

static HRESULT attach(HCS_SYSTEM s, HCS_OPERATION op, const char *options)
{
	return HcsCreateProcess(s, "{}", op, NULL, &process);
}

static const system_call calls[] = {
	HcsStartComputeSystem,	 HcsShutDownComputeSystem, HcsTerminateComputeSystem,
	HcsPauseComputeSystem,	 HcsResumeComputeSystem,   HcsSaveComputeSystem,
	HcsCrashComputeSystem,	 HcsGetComputeSystemProperties, modify,
	create_process,		 attach,		   HcsDeleteComputeSystem,
};

static void release_all(void)
{
	static const char *const methods[] = { "create", "Start", "Pause", "Kill" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		fake_release(methods[i]);
}

/* What is done in a state where the shim itself says no is not this table's. */
static bool shim_refuses(int state)
{
	return state == SYS_UNKNOWN;
}

static void check_cell(int which, int state)
{
	HRESULT want = rows[which].in[state], hr, now;
	HCS_SYSTEM s = make((enum sys_state)state), opened;
	HCS_OPERATION op = new_op();

	process = NULL;
	hr = calls[which](s, op, NULL);
	now = hr;
	release_all();
	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, WAIT_MS, NULL);
	if (shim_refuses(state) ? want == UNSUP && hr != want : hr != want)
		fail_msg("%s while %s: %s, not %s", rows[which].name, sys_state_words((enum sys_state)state),
			 HcsResultToName(hr), HcsResultToName(want));
	/* The operation says the same as the call. */
	if (FAILED(now))
		assert_int_equal(HcsGetOperationResult(op, NULL), now);
	HcsCloseOperation(op);
	HcsCloseProcess(process);
	if (pending)
		(void)HcsWaitForOperationResult(pending, WAIT_MS, NULL);
	HcsCloseOperation(pending);
	if (fake_task("a") && fake_task("a")->t.now.status == ENGINE_UNKNOWN)
		fake_task("a")->t.now.status = ENGINE_RUNNING;
	(void)call(HcsTerminateComputeSystem, s);
	HcsCloseComputeSystem(s);
	for (int i = 0; i < 100 && HcsOpenComputeSystem("a", GENERIC_ALL, &opened) == S_OK; i++) {
		(void)call(HcsTerminateComputeSystem, opened);
		HcsCloseComputeSystem(opened);
	}
}

static void test_walk(void **state)
{
	for (int call = 0; call < SYS_CALL_COUNT; call++)
		for (int s = 0; s < SYS_STATE_COUNT; s++)
			check_cell(call, s);
}

/* Callback, wait and close: in every state. */
static void test_always(void **state)
{
	for (int i = 0; i < SYS_STATE_COUNT; i++) {
		HCS_SYSTEM s = make((enum sys_state)i), opened;
		HRESULT hr;

		assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, NULL, NULL), S_OK);
		hr = HcsWaitForComputeSystemExit(s, 0, NULL);
		if (i == SYS_STOPPED)
			assert_int_equal(hr, S_OK);
		else if (i == SYS_LOST)
			assert_int_equal(hr, LOST);
		else if (i == SYS_NONE)
			assert_int_equal(hr, NONE);
		else
			assert_int_equal(hr, HCS_E_OPERATION_TIMEOUT);
		HcsCloseComputeSystem(s);
		HcsCloseOperation(pending);
		release_all();
		for (int k = 0; k < 100 && fake.ops; k++)
			HcsDispatch(5);
		if (HcsOpenComputeSystem("a", GENERIC_ALL, &opened) != S_OK)
			continue;
		fake_task("a")->t.now.status = ENGINE_RUNNING;
		(void)call(HcsTerminateComputeSystem, opened);
		HcsCloseComputeSystem(opened);
	}
}

/* What Microsoft's header has besides, and means nothing here. */
static void test_not_here(void **state)
{
	static const system_call migration[] = {
		HcsInitializeLiveMigrationOnSource, HcsStartLiveMigrationOnSource, HcsStartLiveMigrationTransfer,
		HcsFinalizeLiveMigration,	    HcsCancelLiveMigration,
	};
	static HRESULT (*const on_text[])(const char *text) = {
		HcsSubmitWerReport,    HcsCreateEmptyGuestStateFile, HcsCreateEmptyRuntimeStateFile,
		HcsGrantVmGroupAccess, HcsRevokeVmGroupAccess,
	};
	HCS_SYSTEM s = running("a");
	char *doc = (char *)(uintptr_t)"unchanged";

	for (size_t i = 0; i < ARRAY_SIZE(migration); i++) {
		HCS_OPERATION op = new_op();

		assert_int_equal(migration[i](s, op, NULL), UNSUP);
		assert_int_equal(HcsGetOperationResult(op, NULL), UNSUP);
		assert_int_equal(HcsGetOperationType(op), HcsOperationTypeLiveMigration);
		HcsCloseOperation(op);
	}
	for (size_t i = 0; i < ARRAY_SIZE(on_text); i++)
		assert_int_equal(on_text[i]("/nowhere"), UNSUP);
	assert_int_equal(HcsGrantVmAccess("vm", "/nowhere"), UNSUP);
	assert_int_equal(HcsRevokeVmAccess("vm", "/nowhere"), UNSUP);
	assert_int_equal(HcsGetProcessorCompatibilityFromSavedState("/nowhere", &doc), UNSUP);
	assert_null(doc);
	over(s);
}

/* Nor has a caller another identity, or what he makes a descriptor. */
static void test_no_identity(void **state)
{
	HCS_CREATE_OPTIONS_1 options = { .Version = HcsCreateOptions_1, .UserToken = 3 };
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s, none;
	HCS_PROCESS p;

	assert_int_equal(HcsCreateComputeSystemInNamespace(NULL, "b", document, op, &options.Version, &none), UNSUP);
	HcsCloseOperation(op);
	op = new_op();
	assert_int_equal(HcsCreateComputeSystem("b", document, op, &options, &none), E_INVALIDARG);
	HcsCloseOperation(op);
	s = running("a");
	op = new_op();
	assert_int_equal(HcsModifyComputeSystem(s, op, "{}", 0), UNSUP);
	HcsCloseOperation(op);
	op = new_op();
	assert_int_equal(HcsCreateProcess(s, program, op, &options, &p), E_INVALIDARG);
	HcsCloseOperation(op);
	over(s);
}

static void test_service(void **state)
{
	static const struct {
		const char *query;
		HRESULT hr;
		const char *words;
	} asked[] = {
		{ NULL, S_OK, "SupportedSchemaVersions" },
		{ "{\"PropertyTypes\": [\"Memory\", \"ProcessorTopology\"]}", S_OK, "LogicalProcessorCount" },
		{ "{\"PropertyTypes\": [\"CpuGroup\"]}", UNSUP, "/PropertyTypes/0" },
		{ "{\"PropertyTypes\": [\"Nothing\"]}", HCS_E_INVALID_JSON, "/PropertyTypes/0" },
		{ "[", HCS_E_INVALID_JSON, "query:1:2" },
	};
	char *doc;

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		HRESULT hr = HcsGetServiceProperties(asked[i].query, &doc);

		assert_int_equal(hr, asked[i].hr);
		if (FAILED(hr)) {
			assert_null(doc);
			assert_int_equal(HcsGetLastResult(&doc), S_OK);
		}
		if (!strstr(doc, asked[i].words))
			fail_msg("%s: %s", asked[i].words, doc);
		HcsFree(doc);
	}
	assert_int_equal(HcsGetServiceProperties(NULL, NULL), E_INVALIDARG);
	assert_int_equal(HcsModifyServiceSettings("{\"PropertyType\": \"CpuGroup\", \"Settings\": {}}", &doc), UNSUP);
	assert_non_null(strstr(doc, "/PropertyType"));
	HcsFree(doc);
	assert_int_equal(HcsModifyServiceSettings("{}", NULL), HCS_E_INVALID_JSON);
	assert_int_equal(HcsModifyServiceSettings(NULL, &doc), E_INVALIDARG);
	HcsFree(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table),
		TEST(test_walk),
		TEST(test_always),
		TEST(test_not_here),
		TEST(test_no_identity),
		TEST(test_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
