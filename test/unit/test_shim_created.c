/* A Create whose service is told to end meanwhile, or that cannot be watched: what its helper
 * brought is closed. Helpers are played. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "file.h"
#include "job.h"
#include "service.h"
#include "shim.h"
#include "task.pb-c.h"

static char dir[] = "/tmp/berth-shim-created-XXXXXX";
static struct loop loop;
static struct reaper reaper;
static struct shim s;
static struct err e;

/* -- instead of helpers, and of answers -- */

static struct helper *helper; /* that was begun last */
static int answers;

int helper_start(struct helper *h, struct loop *l, const struct helper_job *job,
		 void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *failure), void *ctx,
		 struct err *failure)
{
	*h = (struct helper){ .socket = -1, .pidfd = -1, .done = done, .ctx = ctx };
	helper = h;
	return 0;
}

void helper_spare_begin(struct helper_spare *sp, helper_told *work, void (*warm)(const void *ctx), const void *ctx)
{
}

void helper_spare_end(struct helper_spare *sp)
{
}

void helper_hurry(struct helper *h, uint32_t ms)
{
}

void helper_end(struct helper *h)
{
}

void __wrap_ttrpc_fail(struct ttrpc_call *c, const struct err *why);
void __wrap_ttrpc_fail(struct ttrpc_call *c, const struct err *why)
{
	answers++;
}

/* -- one Create -- */

static int setup(void **state)
{
	char journal[64];

	assert_non_null(mkdtemp(dir));
	snprintf(journal, sizeof journal, "%s/events", dir);
	loop = (struct loop)LOOP_INIT;
	assert_int_equal(loop_init(&loop, &e), 0);
	s = (struct shim)SHIM_EMPTY;
	s.loop = &loop;
	s.reaper = &reaper;
	s.namespace = "created";
	assert_int_equal(events_open(&s.events, &loop, "created", NULL, journal, &e), 0);
	answers = 0;
	return 0;
}

static int teardown(void **state)
{
	source_remove(&s.stop);
	source_remove(&s.idle);
	events_close(&s.events);
	loop_done(&loop);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void create(struct ttrpc_call *rpc)
{
	Containerd__Task__V2__CreateTaskRequest q = CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	struct call c = { .shim = &s, .rpc = rpc };
	uint8_t packed[256];

	q.id = (char *)(uintptr_t)"c1";
	q.bundle = dir;
	c.m = (void *)containerd__task__v2__create_task_request__unpack(
		NULL, containerd__task__v2__create_task_request__pack(&q, packed), packed);
	call_create(&c);
	assert_null(c.m);
	assert_int_equal(answers, 0);
}

static void ends_with(const int *fds)
{
	struct helper_result ret = HELPER_RESULT, none = HELPER_RESULT;

	e = (struct err){ 0 };
	ret.answered = none.answered = true;
	ret.pidfd = fds[0];
	ret.fd = fds[1];
	ret.out = fds[2];
	ret.oom = fds[3];
	ret.start = fds[4];
	helper->done(helper, 0, &ret, &e);
	assert_int_equal(answers, 0); /* what was made is undone first */
	helper->done(helper, 0, &none, &e);
	assert_int_equal(answers, 1);
	assert_null(s.tasks);
	for (int i = 0; i < HELPER_FDS; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
}

static void open_all(int *fds)
{
	for (int i = 0; i < HELPER_FDS; i++)
		assert_return_code(fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC), 0);
}

static void the_service_is_told_to_end(void **state)
{
	struct ttrpc_call rpc = { 0 };
	int fds[HELPER_FDS];

	create(&rpc);
	shim_stop(&s);
	open_all(fds);
	ends_with(fds);
}

static void its_process_cannot_be_watched(void **state)
{
	struct ttrpc_call rpc = { 0 };
	int fds[HELPER_FDS];

	create(&rpc);
	open_all(fds); /* /dev/null is no pidfd: it cannot be waited for */
	ends_with(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_service_is_told_to_end, setup, teardown),
		cmocka_unit_test_setup_teardown(its_process_cannot_be_watched, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
