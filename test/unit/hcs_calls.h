/* What tests of the library say often; after engine_fake.h and cmocka.h. */
#pragma once

#include "clock.h"

static const char document[] = "{\"Owner\": \"test\", \"SchemaVersion\": {\"Major\": 2, \"Minor\": 1},"
			       " \"Container\": {\"Storage\": {\"Path\": \"/\"}}}";
static const char program[] = "{\"CommandArgs\": [\"true\"], \"CreateStdInPipe\": true, \"CreateStdOutPipe\": true}";

typedef HRESULT (*system_call)(HCS_SYSTEM system, HCS_OPERATION operation, const char *options);
typedef HRESULT (*process_call)(HCS_PROCESS process, HCS_OPERATION operation, const char *options);

enum { WAIT_MS = 5000 };

static inline HCS_OPERATION new_op(void)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

	assert_non_null(op);
	return op;
}

static inline HRESULT end_op(HCS_OPERATION op, HRESULT hr)
{
	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, WAIT_MS, NULL);
	HcsCloseOperation(op);
	return hr;
}

static inline HRESULT try_create(const char *id, HCS_SYSTEM *ret)
{
	HCS_OPERATION op = new_op();

	return end_op(op, HcsCreateComputeSystem(id, document, op, NULL, ret));
}

static inline HCS_SYSTEM created(const char *id)
{
	HCS_SYSTEM s;

	assert_int_equal(try_create(id, &s), S_OK);
	return s;
}

static inline HCS_OPERATION begin(system_call fn, HCS_SYSTEM s)
{
	HCS_OPERATION op = new_op();

	assert_int_equal(fn(s, op, NULL), S_OK);
	return op;
}

static inline HRESULT call(system_call fn, HCS_SYSTEM s)
{
	HCS_OPERATION op = new_op();

	return end_op(op, fn(s, op, NULL));
}

static inline HRESULT call_on(process_call fn, HCS_PROCESS p)
{
	HCS_OPERATION op = new_op();

	return end_op(op, fn(p, op, NULL));
}

static inline HCS_SYSTEM running(const char *id)
{
	HCS_SYSTEM s = created(id);

	assert_int_equal(call(HcsStartComputeSystem, s), S_OK);
	return s;
}

static inline HRESULT try_process(HCS_SYSTEM s, HCS_PROCESS *ret)
{
	HCS_OPERATION op = new_op();

	return end_op(op, HcsCreateProcess(s, program, op, NULL, ret));
}

static inline uint32_t pid_of(HCS_PROCESS p)
{
	HCS_OPERATION op = new_op();
	HCS_PROCESS_INFORMATION info;

	assert_int_equal(HcsGetProcessInfo(p, op), S_OK);
	assert_int_equal(HcsWaitForOperationResultAndProcessInfo(op, WAIT_MS, &info, NULL), S_OK);
	HcsCloseOperation(op);
	if (info.StdInput >= 0)
		close(info.StdInput);
	if (info.StdOutput >= 0)
		close(info.StdOutput);
	return info.ProcessId;
}

static inline void over(HCS_SYSTEM s)
{
	HRESULT hr = call(HcsTerminateComputeSystem, s);

	assert_true(hr == S_OK || HcsIsAlreadyStopped(hr));
	HcsCloseComputeSystem(s);
}

/* After each test: nothing is open, nothing is watched, nothing goes on. */
static inline int nothing_left(void **state)
{
	for (int i = 0; i < 200 && (fake.watched || fake.ops); i++)
		HcsDispatch(5);
	for (int i = 0; i < FAKE_HELD; i++)
		fake.held[i] = NULL;
	for (int kind = OBJ_SYSTEM; kind <= OBJ_OPERATION; kind++)
		if (lib.handles.open[kind]) {
			print_error("%u handles of kind %d are open\n", lib.handles.open[kind], kind);
			return -1;
		}
	if (fake.watched || fake.ops || lib.pending || lib.notices || lib.gate.in_progress || lib.gate.first) {
		print_error("left: %u watched, %p %p\n", fake.watched, (void *)fake.ops, (void *)lib.pending);
		return -1;
	}
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, nothing_left)
