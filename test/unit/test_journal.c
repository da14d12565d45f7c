/* The shim's journal: numbers, order, a file that has become too long, and one
 * that cannot be written. */
#include <errno.h>
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
#include "journal.h"
#include "str.h"

static char dir[] = "/tmp/berth-journal-XXXXXX", path[64];
static struct journal j;

static int setup(void **state)
{
	return journal_open(&j, path, NULL);
}

static int teardown(void **state)
{
	journal_close(&j);
	return unlink(path);
}

static int group_setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/events", dir);
	return 0;
}

static int group_teardown(void **state)
{
	return rmdir(dir);
}

static void add(const char *text)
{
	assert_int_equal(journal_add(&j, text, strlen(text), NULL), 0);
}

static void expect(struct journal_reader *rd, uint64_t number, const char *text)
{
	OWN_SB struct sb b = SB_INIT;

	assert_int_equal(journal_next(&j, rd, &b), 1);
	assert_int_equal(rd->number, number);
	assert_string_equal(b.s, text);
}

static void events_have_numbers(void **state)
{
	struct journal_reader rd = { 0 };
	OWN_SB struct sb b = SB_INIT;

	assert_int_equal(journal_next(&j, &rd, &b), 0);
	add("create");
	assert_int_equal(j.last, 1);
	add("start");
	expect(&rd, 1, "create");
	expect(&rd, 2, "start");
	assert_int_equal(journal_next(&j, &rd, &b), 0);
	add("exit");
	expect(&rd, 3, "exit");
	rd = (struct journal_reader){ .number = 1 };
	expect(&rd, 2, "start");
}

/* The older half goes; a reader in it goes on with what there is, one that is
 * further loses nothing. */
static void a_file_that_is_full(void **state)
{
	struct journal_reader ahead = { 0 }, behind = { 0 };
	static char text[1000];
	OWN_SB struct sb b = SB_INIT;
	off_t largest = 0;

	memset(text, 'x', sizeof text - 1);
	for (uint64_t i = 1; i <= 5000; i++) {
		add(text);
		assert_int_equal(journal_next(&j, &ahead, &b), 1);
		assert_int_equal(ahead.number, i);
		largest = j.size > largest ? j.size : largest;
	}
	assert_true(largest <= JOURNAL_MAX);
	assert_int_equal(journal_next(&j, &behind, &b), 1);
	assert_int_equal(behind.number, j.first);
	assert_true(j.first > 1 && j.first < 5000);
	for (uint64_t i = j.first + 1; i <= 5000; i++) {
		assert_int_equal(journal_next(&j, &behind, &b), 1);
		assert_int_equal(behind.number, i);
	}
	assert_int_equal(journal_next(&j, &behind, &b), 0);
}

static void an_event_that_cannot_be_kept(void **state)
{
	struct journal_reader rd = { 0 };
	char *large = malloc(JOURNAL_EVENT_MAX + 1);
	struct err e;

	assert_non_null(large);
	memset(large, 'x', JOURNAL_EVENT_MAX + 1);
	add("one");
	assert_int_equal(journal_add(&j, large, JOURNAL_EVENT_MAX + 1, &e), -EMSGSIZE);
	free(large);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(journal_add(&j, "lost", 4, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "event 2"));
	journal_close(&j);
	assert_int_equal(journal_open(&j, path, NULL), 0);
	add("first again");
	expect(&rd, 1, "first again");
}

/* What a failed write has left behind is written over. */
static void half_an_event(void **state)
{
	struct journal_reader rd = { 0 };
	int fd;

	add("one");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "rubbish that is longer", 22), 22);
	close(fd);
	add("two");
	expect(&rd, 1, "one");
	expect(&rd, 2, "two");
}

static void a_file_that_was_changed(void **state)
{
	struct journal_reader rd = { 0 };
	OWN_SB struct sb b = SB_INIT;

	add("one");
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(journal_next(&j, &rd, &b), -EPROTO);
	assert_int_equal(rd.number, 0);
}

/* One whose writer was killed, at any byte of the last event. */
static void what_another_has_left(void **state)
{
	struct journal_reader rd = { 0 };
	OWN_SB struct sb b = SB_INIT;
	struct journal left;
	off_t whole;

	add("one");
	whole = j.size;
	add("two, which was being written");
	for (off_t size = whole; size < j.size; size++) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(journal_open_left(&left, path, NULL), 0);
		assert_int_equal(left.last, 1);
		assert_int_equal(left.size, whole);
		journal_close(&left);
	}
	assert_int_equal(journal_open_left(&left, path, NULL), 0);
	assert_int_equal(journal_add(&left, "two", 3, NULL), 0);
	journal_close(&left);
	assert_int_equal(journal_open_left(&left, path, NULL), 0);
	assert_int_equal(left.first, 1);
	assert_int_equal(left.last, 2);
	assert_int_equal(journal_next(&left, &rd, &b), 1);
	assert_int_equal(journal_next(&left, &rd, &b), 1);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.s, "two", 3);
	assert_int_equal(journal_next(&left, &rd, &b), 0);
	journal_close(&left);
}

static void what_is_no_journal(void **state)
{
	struct journal left;
	struct err e;
	FILE *f;

	assert_int_equal(truncate(path, 3), 0);
	assert_true(journal_open_left(&left, path, &e) < 0);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs("something else that is longer\n", f) >= 0);
	fclose(f);
	assert_int_equal(journal_open_left(&left, path, &e), -EPROTO);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(journal_open_left(&left, path, &e), -ENOENT);
	assert_int_equal(journal_open(&left, path, NULL), 0); /* for the teardown */
	journal_close(&left);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_have_numbers),	 TEST(a_file_that_is_full),	TEST(an_event_that_cannot_be_kept),
		TEST(half_an_event),		 TEST(a_file_that_was_changed), TEST(what_another_has_left),
		TEST(what_is_no_journal),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
