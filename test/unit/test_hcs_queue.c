/* HCSSHIM_MAX_PARALLEL_START: in order, cancellable, and freed by whatever ends a start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include <berth/hcsshim.h>

#include "hcs_calls.h"

enum { N = 6 };

static HCS_SYSTEM systems[N];
static HCS_OPERATION ops[N];

static int setup(void **state)
{
	setenv("HCSSHIM_MAX_PARALLEL_START", "2", 1);
	return 0;
}

static void begin_all(void)
{
	for (int i = 0; i < N; i++) {
		char id[16];

		snprintf(id, sizeof id, "q%d", i);
		systems[i] = created(id);
	}
	fake_hold("Start");
	for (int i = 0; i < N; i++)
		ops[i] = begin(HcsStartComputeSystem, systems[i]);
}

static void end_all(void)
{
	fake_release("Start");
	for (int i = 0; i < N; i++) {
		HcsCloseOperation(ops[i]);
		over(systems[i]);
	}
}

static bool queued(int i)
{
	char *doc;
	bool is;

	assert_int_equal(HcsGetOperationProperties(ops[i], NULL, &doc), S_OK);
	is = strstr(doc, "\"Phase\":\"queue for HCSSHIM_MAX_PARALLEL_START\"");
	HcsFree(doc);
	return is;
}

static void answer_one(void)
{
	lib_lock();
	for (struct engine_progress *p = fake.ops; p; p = p->next)
		if (p->held && !p->next) { /* the oldest */
			p->held = false;
			fake_answer_at(p);
			break;
		}
	lib_unlock();
}

static void test_in_order(void **state)
{
	begin_all();
	for (int i = 0; i < N; i++)
		assert_int_equal(queued(i), i >= 2);
	for (int done = 0; done < N; done++) {
		answer_one();
		assert_int_equal(HcsWaitForOperationResult(ops[done], WAIT_MS, NULL), S_OK);
		for (int i = done + 1; i < N; i++)
			assert_int_equal(queued(i), i >= done + 3);
	}
	end_all();
}

/* The time in the queue is told apart. */
static void test_queue_time(void **state)
{
	char *doc;

	begin_all();
	usleep(20000);
	fake_release("Start");
	for (int i = 0; i < N; i++)
		assert_int_equal(HcsWaitForOperationResult(ops[i], WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsGetOperationProperties(ops[0], NULL, &doc), S_OK);
	assert_null(strstr(doc, "Queue100ns"));
	HcsFree(doc);
	assert_int_equal(HcsGetOperationProperties(ops[N - 1], NULL, &doc), S_OK);
	assert_non_null(strstr(doc, "Queue100ns"));
	HcsFree(doc);
	end_all();
}

static void test_cancel(void **state)
{
	begin_all();
	assert_int_equal(HcsCancelOperation(ops[3]), S_OK);
	assert_int_equal(HcsGetOperationResult(ops[3], NULL), HCS_E_ERROR_CANCELLED);
	assert_int_equal(call(HcsTerminateComputeSystem, systems[4]), S_OK);
	assert_int_equal(HcsWaitForOperationResult(ops[4], WAIT_MS, NULL), HCS_E_TERMINATED_DURING_START);
	/* The cancelled one has not begun, and can begin again. */
	HcsCloseOperation(ops[3]);
	ops[3] = begin(HcsStartComputeSystem, systems[3]);
	assert_true(queued(5));
	assert_true(queued(3));
	fake_release("Start");
	for (int i = 0; i < N; i++)
		assert_int_equal(HcsWaitForOperationResult(ops[i], WAIT_MS, NULL),
				 i == 4 ? HCS_E_TERMINATED_DURING_START : S_OK);
	end_all();
}

/* A start that fails, and one whose shim dies, free their places. */
static void test_failed(void **state)
{
	begin_all();
	fake_fail("Start", ERR_EXEC, ENOENT, "exec");
	answer_one();
	assert_int_equal(HcsWaitForOperationResult(ops[0], WAIT_MS, NULL), HCS_E_ERROR_FILE_NOT_FOUND);
	assert_false(queued(2));
	assert_true(queued(3));
	fake_die("q1");
	assert_int_equal(HcsWaitForOperationResult(ops[1], WAIT_MS, NULL), HCS_E_SERVICE_DISCONNECT);
	assert_false(queued(3));
	end_all();
}

/* Closing the handle of one that waits does not hold up those behind it. */
static void test_close(void **state)
{
	begin_all();
	HcsCloseComputeSystem(systems[2]);
	assert_int_equal(HcsGetOperationResult(ops[2], NULL), E_HANDLE);
	fake_release("Start");
	for (int i = 0; i < N; i++)
		if (i != 2)
			assert_int_equal(HcsWaitForOperationResult(ops[i], WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsOpenComputeSystem("q2", GENERIC_ALL, &systems[2]), S_OK);
	end_all();
}

/* hcsshim's start: the time in the queue is not the start's. */
static void test_hcsshim(void **state)
{
	char *error;

	begin_all();
	lib.timeouts.start = 100;
	HcsCloseOperation(ops[5]);
	over(systems[5]);
	systems[5] = created("q5");
	ops[5] = NULL;
	assert_int_equal(HcsWaitForOperationResult(ops[4], 150, NULL), HCS_E_OPERATION_TIMEOUT);
	assert_true(queued(4));
	fake_release("Start");
	assert_int_equal(hcsshim_start(systems[5], &error), S_OK);
	lib.timeouts.start = 240000;
	end_all();
}

enum { MANY = 800, STACK = 256 << 10 };

static void *wait_for_one(void *op)
{
	fake_release("Start");
	return (void *)(intptr_t)HcsWaitForOperationResult(op, WAIT_MS, NULL);
}

/* All shims are killed: each of those in the queue fails as soon as it is its turn. */
static void test_all_lost(void **state)
{
	static HCS_SYSTEM all[MANY];
	static HCS_OPERATION starts[MANY];
	pthread_attr_t attr;
	pthread_t thread;
	void *hr;

	fake_hold("Start");
	for (int i = 0; i < MANY; i++) {
		char id[16];

		snprintf(id, sizeof id, "m%d", i);
		all[i] = created(id);
		starts[i] = begin(HcsStartComputeSystem, all[i]);
		if (i >= 2) {
			struct fake_task *t = fake_task(id);

			t->t.now.status = ENGINE_GONE;
			t->in_use = false;
		}
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	assert_int_equal(pthread_create(&thread, &attr, wait_for_one, starts[MANY - 1]), 0);
	pthread_join(thread, &hr);
	pthread_attr_destroy(&attr);
	assert_int_equal((HRESULT)(intptr_t)hr, HCS_E_SERVICE_DISCONNECT);
	for (int i = 0; i < MANY; i++) {
		HcsCloseOperation(starts[i]);
		over(all[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order), TEST(test_queue_time), TEST(test_cancel),
		TEST(test_failed),   TEST(test_close),	    TEST(test_hcsshim),
		TEST(test_all_lost),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
