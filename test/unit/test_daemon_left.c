/* Events that shims have left: what each row has not told. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus.h"
#include "cursors.h"
#include "engine.h"
#include "err.h"
#include "events.pb-c.h"
#include "file.h"
#include "journal.h"
#include "loop.h"
#include "mem.h"
#include "str.h"
#include "tasks_left.h"
#include "told.h"

static char dir[] = "/tmp/berth-left-XXXXXX";
static struct loop loop;
static struct told_list list;
static struct engine_settings settings;
static struct err e;

/* -- what is told: topics, with a "?" if that does not go on record -- */

static struct sb told = SB_INIT;
static struct grpc_receipt *held[4]; /* where they wait, after a test has said so */
static size_t n_held = ARRAY_SIZE(held);
static char moves[2][160]; /* the first event that is told moves this to that */

void __wrap_bus_publish(struct bus *b, const struct bus_event *ev);
void __wrap_bus_publish(struct bus *b, const struct bus_event *ev)
{
	sb_printf(&told, "%s%s ", ev->topic, ev->receipt ? "" : "?");
	if (*moves[0]) {
		assert_int_equal(rename(moves[0], moves[1]), 0);
		*moves[0] = '\0';
	}
	if (n_held < ARRAY_SIZE(held))
		held[n_held++] = ev->receipt;
	else if (ev->receipt)
		ev->receipt->told(ev->receipt);
}

/* -- looking through what has gone -- */

static int looks;
static const char *move_to; /* after the first look, the directory of the minute */

typedef void journal_fn(void *ctx, const char *path, const char *name);
void __real_journal_left_each(const char *shims, journal_fn *fn, void *ctx);
void __wrap_journal_left_each(const char *shims, journal_fn *fn, void *ctx);
void __wrap_journal_left_each(const char *shims, journal_fn *fn, void *ctx)
{
	char from[160], to[160];

	__real_journal_left_each(shims, fn, ctx);
	snprintf(from, sizeof from, "%s/gone/100", shims);
	snprintf(to, sizeof to, "%s/gone/%s", shims, move_to ? move_to : "");
	if (!looks++ && move_to)
		assert_int_equal(rename(from, to), 0);
}

/* -- what is left -- */

static void add_event(struct journal *j, const char *id, const char *topic, time_t at)
{
	Containerd__Events__TaskOOM m = CONTAINERD__EVENTS__TASK_OOM__INIT;
	Containerd__Events__Envelope v = CONTAINERD__EVENTS__ENVELOPE__INIT;
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uint8_t body[256], whole[512];

	m.container_id = (char *)(uintptr_t)id;
	any.type_url = (char *)(uintptr_t)"containerd.events.TaskOOM";
	any.value = (ProtobufCBinaryData){ containerd__events__task_oom__pack(&m, body), body };
	when.seconds = at;
	v.namespace_ = (char *)(uintptr_t)"ns";
	v.topic = (char *)(uintptr_t)topic;
	v.timestamp = &when;
	v.event = &any;
	assert_int_equal(journal_add(j, whole, containerd__events__envelope__pack(&v, whole), &e), 0);
}

static void leave(const char *where, int pid, struct journal *j)
{
	char path[160];

	snprintf(path, sizeof path, "%s/" ENGINE_SHIMS "/%s.%d", dir, where, pid);
	assert_int_equal(close(file_mkdirs(path, 0700, &e)), 0);
	strcat(path, "/events");
	assert_int_equal(journal_open(j, path, &e), 0);
}

static int add_row(const char *id, int pid, uint64_t number)
{
	char instance[80];

	snprintf(instance, sizeof instance, "b5e7f52b-23b7-49d8-92ef-17cb6a54eb91-%d-7413867", pid);
	return cursor_add(list.cursors, "ns", id, instance, number);
}

static void begin(void)
{
	if (list.cursors)
		cursors_close(list.cursors);
	assert_int_equal(cursors_open(&list.cursors, dir, "/", &e), 0);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	settings.state = dir;
	assert_int_equal(loop_init(&loop, &e), 0);
	list = (struct told_list){ .bus = bus_new(&loop) };
	begin();
	looks = 0;
	move_to = NULL;
	told = (struct sb)SB_INIT;
	return 0;
}

static int teardown(void **state)
{
	told_free_all(&list);
	cursors_close(list.cursors);
	bus_free(list.bus);
	loop_done(&loop);
	sb_done(&told);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void each_row_is_told_what_it_has_not(void **state)
{
	char bundle[80];
	struct journal j;

	leave("gone/100/a", 10, &j); /* a pod's: two tasks, one of which has all but the last */
	add_event(&j, "a1", "/a1/1", 1);
	add_event(&j, "a2", "/a2/2", 1);
	add_event(&j, "a1", "/a1/3", 1);
	journal_close(&j);
	snprintf(bundle, sizeof bundle, "%s/" ENGINE_SHIMS "/a.10", dir); /* from where it has just gone */
	assert_int_equal(close(file_mkdirs(bundle, 0700, &e)), 0);
	leave("b", 20, &j); /* a shim that is just ending */
	add_event(&j, "b", "/b/1", 1);
	journal_close(&j);
	leave("gone/101/c", 30, &j); /* of a task that is there */
	add_event(&j, "c", "/c/1", 1);
	journal_close(&j);
	add_row("b", 20, 0);
	add_row("c", 30, 0);
	add_row("a1", 10, 1);
	add_row("a2", 10, 0);
	add_row("d", 40, 0); /* nothing is left of it */
	snprintf(bundle, sizeof bundle, "%s/ns/c", dir);
	assert_int_equal(close(file_mkdirs(bundle, 0700, &e)), 0);
	begin();
	tasks_tell_all_left(&list, &settings);
	assert_non_null(strstr(told.s, "/a1/3 "));
	assert_non_null(strstr(told.s, "/a2/2 "));
	assert_non_null(strstr(told.s, "/b/1 "));
	assert_int_equal(strlen("/a1/3 /a2/2 /b/1 "), told.len);
	assert_int_equal(cursor_next(list.cursors, -1), cursor_of(list.cursors, "ns", "c", -1)); /* the only one */
	assert_int_equal(cursor_next(list.cursors, cursor_next(list.cursors, -1)), -1);
	told.len = 0;
	tasks_tell_left(&list, &settings, "ns", "c");
	assert_string_equal(told.s, "/c/1 ");
	assert_int_equal(cursor_next(list.cursors, -1), -1);
}

static void of_a_shim_without_a_row_all_if_it_has_news(void **state)
{
	struct journal j;

	cursor_set(list.cursors, add_row("x", 5, 0), 1);
	leave("gone/100/a", 10, &j);
	add_event(&j, "a", "/a/1", 1);
	add_event(&j, "a", "/a/2", time(NULL) + 1000);
	journal_close(&j);
	leave("gone/100/c", 30, &j); /* it has been told to its end */
	add_event(&j, "c", "/c/1", 1);
	journal_close(&j);
	leave("b", 20, &j); /* it lives, and will be asked */
	add_event(&j, "b", "/b/1", time(NULL) + 1000);
	journal_close(&j);
	begin();
	tasks_tell_all_left(&list, &settings);
	assert_string_equal(told.s, "/a/1? /a/2? ");
}

/* A shim that is just ending, or whose `delete` is at work. */
static void one_that_moves_while_it_is_told_is_told_to_its_end(void **state)
{
	struct journal j;

	for (int has_row = 0; has_row < 2; has_row++) {
		leave(has_row ? "a" : "gone/100/a", 10, &j);
		for (int n = 0; n < 3; n++)
			add_event(&j, "a", "/a", time(NULL) + 1000);
		journal_close(&j);
		if (has_row)
			add_row("a", 10, 0);
		cursor_set(list.cursors, add_row("x", 5, 0), 1);
		begin();
		snprintf(moves[0], sizeof moves[0], "%s/" ENGINE_SHIMS "/%sa.10", dir, has_row ? "" : "gone/100/");
		snprintf(moves[1], sizeof moves[1], "%s/" ENGINE_SHIMS "/gone/moved", dir);
		told.len = 0;
		tasks_tell_all_left(&list, &settings);
		assert_string_equal(told.s, has_row ? "/a /a /a " : "/a? /a? /a? ");
		assert_int_equal(file_remove_tree(AT_FDCWD, moves[1]), 0);
	}
}

enum { MANY = 300 };

static void leave_many(int many)
{
	struct journal j;
	char id[16];

	for (int i = 0; i < many; i++) {
		snprintf(id, sizeof id, "t%d", i);
		leave("gone/100/m", 1000 + i, &j);
		add_event(&j, id, "/t", 1);
		journal_close(&j);
		assert_true(add_row(id, 1000 + i, 0) > 0);
	}
	begin();
}

static void many_are_found_in_one_look(void **state)
{
	int many = getenv("BERTH_MANY") ? atoi(getenv("BERTH_MANY")) : MANY;
	struct timespec from, to;

	leave_many(many);
	clock_gettime(CLOCK_MONOTONIC, &from);
	tasks_tell_all_left(&list, &settings);
	clock_gettime(CLOCK_MONOTONIC, &to);
	print_message("%d tasks: %.0f ms, looked %d times\n", many,
		      (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6, looks);
	assert_int_equal(told.len, (size_t)many * strlen("/t "));
	assert_int_equal(cursor_next(list.cursors, -1), -1);
	assert_int_equal(looks, 1);
}

static void one_that_moves_after_the_look_is_found(void **state)
{
	leave_many(3);
	move_to = "101";
	tasks_tell_all_left(&list, &settings);
	assert_string_equal(told.s, "/t /t /t ");
	assert_int_equal(looks, 4);
}

static void another_shim_that_had_the_pid_does_not_hide_it(void **state)
{
	static const char *const minutes[] = { "gone/100/a", "gone/101/b", "gone/102/c" };
	struct journal j;

	for (int i = 0; i < 3; i++) { /* in whatever order they are found */
		const char id[] = { (char)('a' + i), '\0' };
		const char topic[] = { '/', (char)('a' + i), '\0' };

		leave(minutes[i], 10, &j);
		add_event(&j, id, topic, 1);
		journal_close(&j);
		assert_true(add_row(id, 10, 0) > 0);
	}
	begin();
	tasks_tell_all_left(&list, &settings);
	assert_string_equal(told.s, "/a /b /c ");
}

/* What goes on record is what has been told together with all before it. */
static void an_event_that_waits_holds_the_record_back(void **state)
{
	int row = add_row("a", 10, 5);
	const struct cursor *c = cursor_at(list.cursors, row);
	struct told *t = told_new(&list, row);

	n_held = 0;
	for (uint64_t i = 6; i < 10; i++)
		told_publish(&list, t, &(struct bus_event){ .topic = "/a" }, i);
	told_end(t);
	held[3]->told(held[3]);
	assert_int_equal(c->number, 5);
	held[1]->told(held[1]);
	assert_int_equal(c->number, 5);
	held[0]->told(held[0]);
	assert_int_equal(c->number, 7);
	assert_string_not_equal(c->instance, "");
	held[2]->told(held[2]);
	assert_int_equal(c->number, 9);
	assert_string_equal(c->instance, ""); /* it is over */
}

/* At the daemon's end nothing does: the next one tells it. */
static void at_the_end_nothing_goes_on_record(void **state)
{
	int row = add_row("a", 10, 5);
	struct told *t = told_new(&list, row);

	n_held = ARRAY_SIZE(held) - 1;
	told_publish(&list, t, &(struct bus_event){ .topic = "/a" }, 6);
	told_stop(&list);
	held[3]->told(held[3]);
	assert_int_equal(cursor_at(list.cursors, row)->number, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_row_is_told_what_it_has_not, setup, teardown),
		cmocka_unit_test_setup_teardown(of_a_shim_without_a_row_all_if_it_has_news, setup, teardown),
		cmocka_unit_test_setup_teardown(an_event_that_waits_holds_the_record_back, setup, teardown),
		cmocka_unit_test_setup_teardown(at_the_end_nothing_goes_on_record, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_moves_while_it_is_told_is_told_to_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(many_are_found_in_one_look, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_moves_after_the_look_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(another_shim_that_had_the_pid_does_not_hide_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
