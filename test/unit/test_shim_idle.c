/* When a shim ends by itself: minutes after the last task, or when nobody has
 * taken its events. The clock is not waited for: a timer is made due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "events.pb-c.h"
#include "file.h"
#include "service.h"
#include "shim.h"

enum { MINUTES = 60 * 1000 };

static char dir[] = "/tmp/berth-shim-idle-XXXXXX";
static char socket_path[64], journal[64];
static struct shim s;
static struct loop loop;
static struct reaper reaper;

static void on_ended(struct shim *shim)
{
	loop_stop(shim->loop, 0);
}

static void begin(const char *daemon)
{
	snprintf(socket_path, sizeof socket_path, "%s/socket", dir);
	snprintf(journal, sizeof journal, "%s/events", dir);
	loop = (struct loop)LOOP_INIT;
	s = (struct shim){ .loop = &loop, .reaper = &reaper, .namespace = "idle", .socket = socket_path };
	s.ended = on_ended;
	s.spare = (struct helper_spare)HELPER_SPARE;
	assert_int_equal(loop_init(&loop, NULL), 0);
	assert_int_equal(events_open(&s.events, &loop, "idle", daemon, journal, NULL), 0);
	assert_int_equal(ttrpc_server_init(&s.server, &loop, -1, shim_request, &s, NULL), 0);
	fclose(fopen(socket_path, "we"));
}

static int end(void **state)
{
	while (s.tasks)
		task_free(s.tasks);
	ttrpc_server_done(&s.server);
	events_close(&s.events);
	loop_done(&loop);
	unlink(journal);
	unlink(socket_path);
	return 0;
}

static int group_setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int group_teardown(void **state)
{
	return rmdir(dir);
}

static int on_pause(struct source *src, uint32_t events)
{
	loop_stop(&loop, 7);
	return 0;
}

/* False: what was due has ended the loop. */
static bool goes_on(void)
{
	struct source pause = { 0 };
	int r;

	source_timer(&pause, &loop, 100, on_pause);
	r = loop_run(&loop);
	source_remove(&pause);
	return r == 7;
}

/* It waits for `src` minutes from now, which pass. */
static void pass(struct source *src, int minutes)
{
	int (*fn)(struct source * s, uint32_t events) = src->fn;
	int64_t left = (int64_t)src->due - clock_ms();

	assert_non_null(src->loop);
	assert_true(left > (minutes - 1) * MINUTES && left <= minutes * MINUTES);
	source_remove(src);
	source_timer(src, &loop, 1, fn);
}

static void nobody_ever_came(void **state)
{
	begin(NULL);
	shim_is_idle(&s);
	assert_true(goes_on());
	pass(&s.idle, 5);
	assert_false(goes_on());
	assert_int_equal(access(socket_path, F_OK), -1); /* the next of this name is another */
}

static void somebody_is_connected(void **state)
{
	struct ttrpc_conn *conn;
	int pair[2];

	begin(NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ttrpc_server_add(&s.server, pair[0], &conn), 0);
	shim_is_idle(&s);
	pass(&s.idle, 5);
	assert_true(goes_on());
	close(pair[1]);
	assert_true(goes_on());
	pass(&s.idle, 5); /* anew */
	assert_false(goes_on());
}

static void a_task_came_and_went(void **state)
{
	begin(NULL);
	shim_is_idle(&s);
	assert_non_null(task_new(&s, "c1", dir));
	pass(&s.idle, 5);
	assert_true(goes_on());
	assert_null(s.idle.loop);
	task_free(s.tasks);
	pass(&s.idle, 5);
	assert_false(goes_on());
}

/* Its client was killed, and somebody else has removed what it left. */
static void its_bundle_goes_after_its_task(void **state)
{
	begin(NULL);
	s.bundle = "/no/such/bundle";
	assert_non_null(task_new(&s, "c1", dir));
	shim_end_spare(&s); /* as by Create */
	assert_null(s.unused.loop);
	task_free(s.tasks);
	assert_non_null(s.unused.loop);
	assert_in_range(s.unused.due, (uint64_t)clock_ms() + 9000, (uint64_t)clock_ms() + 10000);
	pass(&s.unused, 1);
	assert_false(goes_on());
	assert_true(s.stopping);
}

static void events_that_nobody_takes(void **state)
{
	Containerd__Events__TaskOOM m = CONTAINERD__EVENTS__TASK_OOM__INIT;

	begin("/no/such/daemon");
	m.container_id = dir;
	events_publish(&s.events, "/tasks/oom", &m.base);
	shim_stop(&s); /* as by Shutdown */
	assert_true(goes_on());
	pass(&s.stop, 5);
	assert_false(goes_on());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_ever_came, end),
		cmocka_unit_test_teardown(somebody_is_connected, end),
		cmocka_unit_test_teardown(a_task_came_and_went, end),
		cmocka_unit_test_teardown(its_bundle_goes_after_its_task, end),
		cmocka_unit_test_teardown(events_that_nobody_takes, end),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
