/*
 * Threads and callbacks: who is told what, where, and how often. Built with
 * -Db_sanitize=thread this is also the proof that two threads may use one handle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "engine_fake.h"

#include <cmocka.h>

#include "hcs_calls.h"

/* ---- what a callback saw -------------------------------------------------------- */

struct seen {
	atomic_int operations, exits, disconnects, processes, others;
	HCS_OPERATION last;
	HRESULT result;
	char *exit;
	pthread_t thread;
};

static void on_event(HCS_EVENT *event, void *context)
{
	struct seen *seen = context;

	seen->thread = pthread_self();
	switch (event->Type) {
	case HcsEventOperationCallback:
		seen->last = event->Operation;
		seen->result = HcsGetOperationResult(event->Operation, NULL);
		seen->operations++;
		break;
	case HcsEventSystemExited:
		free(seen->exit);
		seen->exit = strdup(event->EventData);
		seen->exits++;
		break;
	case HcsEventServiceDisconnect:
		seen->disconnects++;
		break;
	case HcsEventProcessExited:
		seen->processes++;
		break;
	default:
		seen->others++;
	}
}

static void on_complete(HCS_OPERATION op, void *context)
{
	struct seen *seen = context;

	seen->thread = pthread_self();
	seen->last = op;
	seen->result = HcsGetOperationResult(op, NULL);
	seen->operations++;
}

static void settle(void)
{
	for (int i = 0; i < 20; i++)
		HcsDispatch(2);
}

/* ---- once, and also late ------------------------------------------------------------ */

static void test_operation_callback(void **state)
{
	struct seen seen = { 0 };
	HCS_OPERATION op = HcsCreateOperation(&seen, on_complete);
	HCS_SYSTEM s = created("a");

	assert_ptr_equal(HcsGetOperationContext(op), &seen);
	assert_int_equal(HcsSetOperationContext(op, NULL), S_OK);
	assert_null(HcsGetOperationContext(op));
	assert_int_equal(HcsSetOperationContext(op, &seen), S_OK);
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	assert_int_equal(HcsGetOperationResult(op, NULL), HCS_E_OPERATION_PENDING);
	assert_int_equal(seen.operations, 0);
	while (!seen.operations)
		HcsDispatch(INFINITE);
	settle();
	assert_int_equal(seen.operations, 1);
	assert_int_equal(seen.result, S_OK);
	assert_ptr_equal(seen.last, op);
	assert_true(pthread_equal(seen.thread, pthread_self()));
	assert_int_equal(HcsWaitForOperationResult(op, 0, NULL), S_OK);
	HcsCloseOperation(op);
	assert_int_equal(HcsSetOperationContext(op, &seen), E_HANDLE);
	assert_null(HcsGetOperationContext(op));

	/* Set when it had completed already; and again: it was told. */
	op = new_op();
	assert_int_equal(HcsPauseComputeSystem(s, op, NULL), S_OK);
	while (fake.ops)
		HcsDispatch(10);
	assert_int_equal(HcsSetOperationCallback(op, &seen, on_complete), S_OK);
	settle();
	assert_int_equal(seen.operations, 2);
	assert_int_equal(HcsSetOperationCallback(op, &seen, on_complete), S_OK);
	settle();
	assert_int_equal(seen.operations, 2);
	HcsCloseOperation(op);
	over(s);
}

/* D11: Microsoft's sample sets the callback after it has issued the create. */
static void test_sample(void **state)
{
	struct seen seen = { 0 };
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s;

	assert_int_equal(HcsCreateComputeSystem("a", document, op, NULL, &s), S_OK);
	while (fake.ops)
		HcsDispatch(10);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionEnableOperationCallbacks, &seen, on_event), S_OK);
	while (!seen.operations)
		HcsDispatch(INFINITE);
	assert_ptr_equal(seen.last, op);
	assert_int_equal(seen.result, S_OK);
	HcsCloseOperation(op);
	op = new_op();
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	while (seen.operations < 2)
		HcsDispatch(INFINITE);
	HcsCloseOperation(op);
	/* One with a callback of its own has nobody to be told twice. */
	op = HcsCreateOperation(&seen, on_complete);
	assert_int_equal(HcsPauseComputeSystem(s, op, NULL), HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
	assert_int_equal(HcsGetOperationResult(op, NULL), HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
	HcsCloseOperation(op);
	assert_int_equal(seen.operations, 2);
	over(s);
	settle();
	assert_int_equal(seen.exits, 1);
	free(seen.exit);
}

static void test_exit_told(void **state)
{
	struct seen one = { 0 }, late = { 0 }, lost = { 0 };
	HCS_SYSTEM s = running("a"), again;

	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &again), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, &one, on_event), S_OK);
	fake_exit("a", 7, 0);
	while (!one.exits)
		HcsDispatch(INFINITE);
	assert_non_null(strstr(one.exit, "GracefulExit"));
	assert_int_equal(HcsSetComputeSystemCallback(again, HcsEventOptionNone, &late, on_event), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, &one, on_event), S_OK);
	settle();
	assert_int_equal(late.exits, 1);
	assert_int_equal(one.exits, 1);
	assert_int_equal(one.operations + one.disconnects + late.disconnects, 0);
	HcsCloseComputeSystem(s);
	HcsCloseComputeSystem(again);
	s = running("b");
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, &lost, on_event), S_OK);
	fake_die("b");
	settle();
	assert_int_equal(lost.disconnects, 1);
	assert_int_equal(lost.exits, 1);
	HcsCloseComputeSystem(s);
	free(one.exit);
	free(late.exit);
	free(lost.exit);
}

static void test_process_told(void **state)
{
	struct seen early = { 0 }, late = { 0 };
	HCS_SYSTEM s = running("a");
	HCS_PROCESS p, same;
	uint32_t pid;

	assert_int_equal(try_process(s, &p), S_OK);
	pid = pid_of(p);
	assert_int_equal(HcsOpenProcess(s, pid, GENERIC_ALL, &same), S_OK);
	assert_int_equal(HcsSetProcessCallback(p, HcsEventOptionNone, &early, on_event), S_OK);
	fake_process_exit("a", pid, 0);
	settle();
	assert_int_equal(HcsSetProcessCallback(same, HcsEventOptionNone, &late, on_event), S_OK);
	settle();
	assert_int_equal(early.processes, 1);
	assert_int_equal(late.processes, 1);
	HcsCloseProcess(p);
	HcsCloseProcess(same);
	over(s);
}

/* The callback is there before anything can happen. */
static void test_callback_at_create(void **state)
{
	struct seen seen = { 0 };
	const HCS_CREATE_OPTIONS_1 options = { .Version = HcsCreateOptions_1,
					       .UserToken = -1,
					       .CallbackOptions = HcsEventOptionEnableOperationCallbacks,
					       .CallbackContext = &seen,
					       .Callback = on_event };
	HCS_OPERATION op = new_op();
	HCS_SYSTEM s;

	assert_int_equal(HcsCreateComputeSystemInNamespace(NULL, "a", document, op, &options.Version, &s), S_OK);
	while (!seen.operations)
		HcsDispatch(INFINITE);
	assert_int_equal(seen.result, S_OK);
	HcsCloseOperation(op);
	fake_exit("a", 0, 0);
	while (!seen.exits)
		HcsDispatch(INFINITE);
	HcsCloseComputeSystem(s);
	free(seen.exit);
}

static atomic_int phases;

static void on_phase(HCS_EVENT *event, void *context)
{
	if (event->Type == HcsEventGroupOperationInfo) {
		assert_non_null(strstr(event->EventData, "\"State\":\"Pending\""));
		phases++;
	}
}

static void test_progress(void **state)
{
	HCS_OPERATION op = HcsCreateOperationWithNotifications(HcsOperationOptionProgressUpdate, NULL, on_phase);
	HCS_SYSTEM s = created("a");

	phases = 0;
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), S_OK);
	assert_int_equal(phases, 1);
	HcsCloseOperation(op);
	assert_null(HcsCreateOperationWithNotifications((HCS_OPERATION_OPTIONS)8, NULL, on_phase));
	over(s);
}

/* ---- inside a callback ------------------------------------------------------------------ */

static atomic_int inside_done;

/* It waits, closes the operation it is about, and the system. */
static void on_inside(HCS_OPERATION op, void *context)
{
	HCS_SYSTEM *s = context;
	HCS_PROCESS p;

	assert_int_equal(try_process(*s, &p), S_OK);
	HcsCloseProcess(p);
	assert_int_equal(call(HcsPauseComputeSystem, *s), S_OK);
	assert_int_equal(call(HcsTerminateComputeSystem, *s), S_OK);
	assert_int_equal(HcsWaitForComputeSystemExit(*s, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsStopDispatchThread(), HCS_E_INVALID_STATE);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(*s);
	inside_done++;
}

static void test_inside(void **state)
{
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = HcsCreateOperation(&s, on_inside);

	inside_done = 0;
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	while (!inside_done)
		HcsDispatch(INFINITE);
	settle();
	assert_int_equal(inside_done, 1);
	assert_int_equal(HcsGetOperationResult(op, NULL), E_HANDLE);
}

static void on_close_system(HCS_EVENT *event, void *context)
{
	HcsCloseComputeSystem(*(HCS_SYSTEM *)context);
	inside_done++;
}

static void test_close_inside_event(void **state)
{
	HCS_SYSTEM s = running("a");

	inside_done = 0;
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, &s, on_close_system), S_OK);
	fake_exit("a", 0, 0);
	while (!inside_done)
		HcsDispatch(INFINITE);
	settle();
	assert_int_equal(inside_done, 1);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { WAITERS = 16 };

struct waiter {
	pthread_t thread;
	HCS_SYSTEM s;
	HCS_OPERATION op;
	HRESULT hr;
};

static void *wait_exit(void *arg)
{
	struct waiter *w = arg;

	w->hr = HcsWaitForComputeSystemExit(w->s, INFINITE, NULL);
	return NULL;
}

static void *wait_op(void *arg)
{
	struct waiter *w = arg;

	w->hr = HcsWaitForOperationResult(w->op, INFINITE, NULL);
	return NULL;
}

static void start_waiters(struct waiter *w, HCS_SYSTEM s, HCS_OPERATION op)
{
	for (int i = 0; i < WAITERS; i++) {
		w[i] = (struct waiter){ .s = s, .op = op };
		assert_int_equal(pthread_create(&w[i].thread, NULL, op ? wait_op : wait_exit, &w[i]), 0);
	}
	usleep(20000);
}

static void join(struct waiter *w, HRESULT want)
{
	for (int i = 0; i < WAITERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].hr, want);
	}
}

/* D1, D2, C23: any number of waiters, and nobody takes the others' news. */
static void test_waiters(void **state)
{
	HCS_SYSTEM s = created("a");
	struct waiter exits[WAITERS], starts[WAITERS];
	HCS_OPERATION op;

	fake_hold("Start");
	op = begin(HcsStartComputeSystem, s);
	start_waiters(exits, s, NULL);
	start_waiters(starts, s, op);
	fake_release("Start");
	join(starts, S_OK);
	fake_exit("a", 0, 0);
	join(exits, S_OK);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(s);
}

/* D5, D6: closing while others wait with it. */
static void test_close_releases(void **state)
{
	HCS_SYSTEM s = running("a"), again;
	struct waiter exits[WAITERS], ops[WAITERS];
	HCS_OPERATION op;

	assert_int_equal(HcsOpenComputeSystem("a", GENERIC_ALL, &again), S_OK);
	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	start_waiters(exits, s, NULL);
	start_waiters(ops, s, op);
	HcsCloseComputeSystem(s);
	join(exits, E_HANDLE);
	join(ops, E_HANDLE);
	HcsCloseOperation(op);
	fake_release("Pause");
	assert_int_equal(HcsWaitForComputeSystemExit(again, 10, NULL), HCS_E_OPERATION_TIMEOUT);
	over(again);
}

static void test_close_operation_releases(void **state)
{
	HCS_SYSTEM s = running("a");
	struct waiter ops[WAITERS];
	HCS_OPERATION op;

	fake_hold("Pause");
	op = begin(HcsPauseComputeSystem, s);
	start_waiters(ops, s, op);
	HcsCloseOperation(op);
	join(ops, E_HANDLE);
	fake_release("Pause");
	over(s);
}

/* One waits for ever; the other's deadline is kept, and so is the hand-over. */
static void test_leader_and_follower(void **state)
{
	HCS_SYSTEM s = running("a");
	struct waiter w = { .s = s };
	int64_t began;

	assert_int_equal(pthread_create(&w.thread, NULL, wait_exit, &w), 0);
	usleep(20000);
	began = clock_ms();
	assert_int_equal(HcsWaitForComputeSystemExit(s, 50, NULL), HCS_E_OPERATION_TIMEOUT);
	assert_in_range(clock_ms() - began, 49, 20000);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(call(HcsPauseComputeSystem, s), S_OK);
		assert_int_equal(call(HcsResumeComputeSystem, s), S_OK);
	}
	fake_exit("a", 0, 0);
	pthread_join(w.thread, NULL);
	assert_int_equal(w.hr, S_OK);
	HcsCloseComputeSystem(s);
}

/* ---- everything at once ----------------------------------------------------------------------- */

#define LOST HCS_E_SERVICE_DISCONNECT

static atomic_bool stress_ends;
static atomic_int unexpected;
static HCS_SYSTEM stress;

static bool is_expected(HRESULT hr)
{
	return SUCCEEDED(hr) || HcsIsInvalidState(hr) || HcsIsAlreadyStopped(hr) || HcsIsPending(hr) ||
	       HcsIsTimeout(hr) || HcsIsAlreadyClosed(hr) || HcsIsNotExist(hr) || hr == HCS_E_ERROR_CANCELLED ||
	       hr == HCS_E_TERMINATED_DURING_START || hr == HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET;
}

static void one_of_them(unsigned *seed)
{
	static struct seen seen;
	HCS_EVENT_CALLBACK fn = rand_r(seed) % 2 ? on_event : NULL;
	HCS_OPERATION op = new_op();
	HCS_SYSTEM other;
	HRESULT hr = S_OK;

	switch (rand_r(seed) % 10) {
	case 0:
		hr = HcsPauseComputeSystem(stress, op, NULL);
		break;
	case 1:
		hr = HcsResumeComputeSystem(stress, op, NULL);
		break;
	case 2:
		hr = HcsGetComputeSystemProperties(stress, op, "{\"PropertyTypes\": [\"Memory\"]}");
		break;
	case 3:
		hr = HcsEnumerateComputeSystems(NULL, op);
		break;
	case 4:
		(void)HcsWaitForComputeSystemExit(stress, rand_r(seed) % 3, NULL);
		break;
	case 5:
		hr = HcsOpenComputeSystem("stress", GENERIC_ALL, &other);
		HcsCloseComputeSystem(other);
		break;
	case 6: {
		HCS_PROCESS p = NULL;

		hr = HcsCreateProcess(stress, program, op, NULL, &p);
		HcsCloseProcess(p);
		break;
	}
	case 7:
		(void)HcsSetComputeSystemCallback(stress, HcsEventOptionNone, &seen, fn);
		break;
	case 8:
		hr = HcsStartComputeSystem(stress, op, NULL);
		(void)HcsCancelOperation(op);
		break;
	default:
		HcsDispatch(rand_r(seed) % 2);
	}
	if (SUCCEEDED(hr) && rand_r(seed) % 2)
		hr = HcsWaitForOperationResult(op, rand_r(seed) % 5, NULL);
	/* Not cmocka's own: this is not its thread. */
	if (!is_expected(hr) && hr != HCS_E_OPERATION_NOT_STARTED && hr != LOST)
		unexpected = hr;
	HcsCloseOperation(op);
}

static void *make_stress(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!stress_ends)
		one_of_them(&seed);
	return NULL;
}

/* D16, C23: N threads do anything with one handle, while it ends or is closed. */
static void test_stress(void **state)
{
	enum { THREADS = 4 };
	int rounds = getenv("BERTH_SOAK") ? 200 : 12;

	for (int round = 0; round < rounds; round++) {
		pthread_t threads[THREADS];
		HCS_SYSTEM keep;

		stress = running("stress");
		assert_int_equal(HcsOpenComputeSystem("stress", GENERIC_ALL, &keep), S_OK);
		stress_ends = false;
		for (uintptr_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, make_stress,
							(void *)(i + 100 * (uintptr_t)round)),
					 0);
		usleep(30000);
		if (round % 3 == 0)
			fake_exit("stress", 0, 0);
		else if (round % 3 == 1)
			HcsCloseComputeSystem(stress);
		else
			fake_die("stress");
		usleep(20000);
		stress_ends = true;
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		if (unexpected)
			fail_msg("round %d: 0x%08x %s", round, (unsigned)unexpected, HcsResultToName(unexpected));
		HcsCloseComputeSystem(stress);
		over(keep);
		assert_int_equal(nothing_left(NULL), 0);
	}
}

/* ---- driving by fd, by a thread ------------------------------------------------------------------ */

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void test_poll(void **state)
{
	struct seen seen = { 0 };
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = HcsCreateOperation(&seen, on_complete);
	int fd, op_fd, sys_fd, again;

	assert_int_equal(HcsGetDispatchFd(&fd), S_OK);
	assert_int_equal(HcsGetDispatchFd(&again), S_OK);
	assert_int_equal(fd, again);
	settle();
	assert_false(readable(fd, 0));
	assert_int_equal(HcsDispatch(0), S_FALSE);
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	assert_int_equal(HcsGetOperationFd(op, &op_fd), S_OK);
	assert_int_equal(HcsGetComputeSystemFd(s, &sys_fd), S_OK);
	assert_false(readable(op_fd, 0));
	while (!seen.operations) {
		assert_true(readable(fd, WAIT_MS));
		assert_int_equal(HcsDispatch(0), S_OK);
	}
	assert_true(readable(op_fd, 0));
	assert_false(readable(sys_fd, 0));
	fake_exit("a", 0, 0);
	while (!readable(sys_fd, 0)) {
		assert_true(readable(fd, WAIT_MS));
		HcsDispatch(0);
	}
	HcsCloseOperation(op);
	/* An fd that is asked for when it has completed is readable at once; and it is closed. */
	op = new_op();
	assert_int_equal(HcsGetComputeSystemProperties(s, op, NULL), S_OK);
	assert_int_equal(HcsWaitForOperationResult(op, WAIT_MS, NULL), S_OK);
	assert_int_equal(HcsGetOperationFd(op, &op_fd), S_OK);
	assert_true(readable(op_fd, 0));
	HcsCloseOperation(op);
	assert_int_equal(fcntl(op_fd, F_GETFD), -1);
	HcsCloseComputeSystem(s);
}

/* What another thread completes makes the fd readable, too. */
static void test_poll_notice(void **state)
{
	struct seen seen = { 0 };
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = HcsCreateOperation(&seen, on_complete);
	int fd;

	assert_int_equal(HcsGetDispatchFd(&fd), S_OK);
	fake_hold("Start");
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	assert_int_equal(HcsCancelOperation(op), S_OK); /* completes it in here */
	assert_int_equal(seen.operations, 0);
	assert_true(readable(fd, 0));
	assert_int_equal(HcsDispatch(0), S_OK);
	assert_int_equal(seen.operations, 1);
	assert_int_equal(seen.result, HCS_E_ERROR_CANCELLED);
	HcsCloseOperation(op);
	fake_release("Start");
	settle();
	over(s);
}

static void test_helper(void **state)
{
	struct seen seen = { 0 };
	HCS_SYSTEM s = created("a");
	HCS_OPERATION op = HcsCreateOperation(&seen, on_complete);

	assert_int_equal(HcsStopDispatchThread(), S_FALSE);
	assert_int_equal(HcsStartDispatchThread(), S_OK);
	assert_int_equal(HcsStartDispatchThread(), S_FALSE);
	assert_int_equal(HcsStartComputeSystem(s, op, NULL), S_OK);
	for (int i = 0; i < 30000 && !seen.operations; i++)
		usleep(1000);
	assert_int_equal(seen.operations, 1);
	assert_false(pthread_equal(seen.thread, pthread_self()));
	HcsCloseOperation(op);
	assert_int_equal(call(HcsPauseComputeSystem, s), S_OK);
	over(s);
	assert_int_equal(HcsStopDispatchThread(), S_OK);
	assert_int_equal(HcsStopDispatchThread(), S_FALSE);
	assert_int_equal(HcsStartDispatchThread(), S_OK);
	assert_int_equal(HcsStopDispatchThread(), S_OK);
}

/* ---- closing waits for a callback that runs --------------------------------------------------------- */

static atomic_int in_slow, out_of_slow;

static void slow(HCS_EVENT *event, void *context)
{
	in_slow++;
	usleep(1000000);
	out_of_slow++;
}

/* The dispatch thread is in a slow callback of it. */
static HCS_SYSTEM in_slow_callback(void)
{
	HCS_SYSTEM s = running("a");

	in_slow = out_of_slow = 0;
	assert_int_equal(HcsStartDispatchThread(), S_OK);
	assert_int_equal(HcsSetComputeSystemCallback(s, HcsEventOptionNone, NULL, slow), S_OK);
	fake_exit("a", 0, 0);
	lib_lock();
	lib_changed();
	lib_unlock();
	while (!in_slow)
		usleep(1000);
	return s;
}

static void test_drain(void **state)
{
	HCS_SYSTEM s = in_slow_callback();

	HcsCloseComputeSystem(s);
	assert_int_equal(out_of_slow, 1);
	assert_int_equal(HcsStopDispatchThread(), S_OK);
}

static void *stop_helper(void *ctx)
{
	*(HRESULT *)ctx = HcsStopDispatchThread();
	return NULL;
}

/* Whoever stops it: when he is told so it has ended. A start in that moment starts another. */
static void test_two_stop(void **state)
{
	HRESULT other = E_FAIL;
	pthread_t t;

	for (int i = 0; i < 2; i++) {
		HCS_SYSTEM s = in_slow_callback();

		pthread_create(&t, NULL, stop_helper, &other);
		usleep(300000);
		assert_int_equal(out_of_slow, 0);
		assert_int_equal(i ? HcsStartDispatchThread() : HcsStopDispatchThread(), i ? S_OK : S_FALSE);
		assert_int_equal(out_of_slow, 1);
		pthread_join(t, NULL);
		assert_int_equal(other, S_OK);
		HcsCloseComputeSystem(s);
	}
	assert_int_equal(HcsStopDispatchThread(), S_OK);
}

/* D4, D7: what nobody listens to hinders nobody. */
static void test_nobody_listens(void **state)
{
	HCS_SYSTEM s = running("a");

	for (int i = 0; i < 500; i++)
		assert_int_equal(call((system_call)HcsGetComputeSystemProperties, s), S_OK);
	fake_die("a");
	HcsCloseComputeSystem(s);
}

/* ---- fork --------------------------------------------------------------------------------------------- */

static int in_child(HCS_SYSTEM s, HCS_OPERATION op)
{
	HCS_SYSTEM other;
	char *doc;
	int fd;

	if (HcsOpenComputeSystem("a", GENERIC_ALL, &other) != BERTH_E_AFTER_FORK)
		return 1;
	if (HcsStartComputeSystem(s, op, NULL) != BERTH_E_AFTER_FORK)
		return 2;
	if (HcsWaitForComputeSystemExit(s, INFINITE, NULL) != BERTH_E_AFTER_FORK)
		return 3;
	if (HcsCreateOperation(NULL, NULL) || HcsDispatch(INFINITE) != BERTH_E_AFTER_FORK)
		return 4;
	if (HcsGetServiceProperties(NULL, &doc) != BERTH_E_AFTER_FORK || HcsGetDispatchFd(&fd) != BERTH_E_AFTER_FORK)
		return 5;
	HcsCloseComputeSystem(s);
	HcsCloseOperation(op);
	return 0;
}

static void test_fork(void **state)
{
	HCS_SYSTEM s = running("a");
	HCS_OPERATION op = new_op();
	int status;
	pid_t pid;

	lib_lock(); /* as if another thread were inside */
	pid = fork();
	if (!pid)
		_exit(in_child(s, op));
	lib_unlock();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(call(HcsPauseComputeSystem, s), S_OK);
	HcsCloseOperation(op);
	over(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_operation_callback),
		TEST(test_sample),
		TEST(test_exit_told),
		TEST(test_process_told),
		TEST(test_callback_at_create),
		TEST(test_progress),
		TEST(test_inside),
		TEST(test_close_inside_event),
		TEST(test_waiters),
		TEST(test_close_releases),
		TEST(test_close_operation_releases),
		TEST(test_leader_and_follower),
		TEST(test_stress),
		TEST(test_poll),
		TEST(test_poll_notice),
		TEST(test_helper),
		TEST(test_drain),
		TEST(test_two_stop),
		TEST(test_nobody_listens),
		TEST(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
