/* Which events have been told: a table that outlives its process. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cursors.h"
#include "err.h"
#include "file.h"

#define INSTANCE "b5e7f52b-23b7-49d8-92ef-17cb6a54eb91-2785-7413867"

/* The first digits of what sha256sum says of "/", a daemon's root. */
#define OF_ROOT ".8a5edab282632443"

static const char *root = "/";
static char dir[] = "/tmp/berth-cursors-XXXXXX";
static char path[64];
static struct cursors *c;

static void reopen(void)
{
	struct err e;

	if (c)
		cursors_close(c);
	assert_int_equal(cursors_open(&c, dir, root, &e), 0);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/.berthd.cursors" OF_ROOT, dir);
	c = NULL;
	reopen();
	return 0;
}

static int teardown(void **state)
{
	if (c)
		cursors_close(c);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void rows_are_there_after_a_restart(void **state)
{
	struct stat st;
	int a, b;

	assert_false(cursors_had_run(c));
	assert_int_equal(cursors_last_told(c).tv_sec, 0);
	a = cursor_add(c, "default", "c1", INSTANCE, 0);
	b = cursor_add(c, "other", "c1", INSTANCE, 7);
	assert_true(a > 0 && b > 0 && a != b);
	cursor_set(c, a, 41);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	reopen();
	assert_true(cursors_had_run(c));
	assert_true(cursors_last_told(c).tv_sec > 0);
	assert_int_equal(cursor_find(c, "default", "c1", INSTANCE), a);
	assert_int_equal(cursor_at(c, a)->number, 41);
	assert_int_equal(cursor_find(c, "other", "c1", INSTANCE), b);
	assert_int_equal(cursor_at(c, b)->number, 7);
	assert_int_equal(cursor_find(c, "other", "c2", INSTANCE), -1);
	assert_int_equal(cursor_find(c, "other", "c1", INSTANCE "0"), -1);
	cursor_remove(c, a);
	reopen();
	assert_int_equal(cursor_find(c, "default", "c1", INSTANCE), -1);
	assert_int_equal(cursor_next(c, -1), b);
	assert_int_equal(cursor_next(c, b), -1);
}

static void many_rows_and_their_places_again(void **state)
{
	enum { N = 1000 };
	int rows[N];
	char id[16];
	struct stat st;

	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof id, "c%d", i);
		rows[i] = cursor_add(c, "ns", id, INSTANCE, (uint64_t)i);
		assert_true(rows[i] > 0);
	}
	/* On a full disk a page without its space would be the end of who writes to it. */
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= st.st_size);
	for (int i = 0; i < N; i += 2)
		cursor_remove(c, rows[i]);
	for (int i = 0; i < N; i += 2) {
		snprintf(id, sizeof id, "d%d", i);
		assert_true(cursor_add(c, "ns", id, INSTANCE, (uint64_t)i) <= rows[N - 1]);
	}
	reopen();
	for (int i = 0; i < N; i++) {
		int row;

		snprintf(id, sizeof id, "%c%d", i % 2 ? 'c' : 'd', i);
		row = cursor_find(c, "ns", id, INSTANCE);
		assert_true(row > 0);
		assert_int_equal(cursor_at(c, row)->number, i);
	}
}

/* So many that a row that is looked for among all takes longer than the test has. */
static void each_of_very_many_is_found(void **state)
{
	enum { N = 200000 };
	char id[16];
	int row;

	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof id, "c%d", i);
		assert_int_equal(cursor_find(c, "ns", id, INSTANCE), -1);
		assert_true(cursor_add(c, "ns", id, INSTANCE, (uint64_t)i) > 0);
	}
	reopen();
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof id, "c%d", i);
		row = cursor_find(c, "ns", id, INSTANCE);
		assert_int_equal(cursor_at(c, row)->number, i);
		cursor_remove(c, row);
		assert_int_equal(cursor_find(c, "ns", id, INSTANCE), -1);
	}
	assert_int_equal(cursor_next(c, -1), -1);
}

static void rows_of_one_task(void **state)
{
	int first = cursor_add(c, "ns", "c1", INSTANCE, 1), n = 0;

	cursor_add(c, "ns", "c2", INSTANCE, 2);
	cursor_add(c, "other", "c1", INSTANCE, 3);
	cursor_add(c, "ns", "c1", INSTANCE "0", 4);
	cursor_add(c, "ns", "c1", INSTANCE "1", 5);
	for (int row = -1; (row = cursor_of(c, "ns", "c1", row)) >= 0; n++)
		if (row != first)
			cursor_remove(c, row);
	assert_int_equal(n, 3);
	assert_int_equal(cursor_of(c, "ns", "c1", -1), first);
	assert_int_equal(cursor_of(c, "ns", "c1", first), -1);
	assert_true(cursor_of(c, "other", "c1", -1) > 0);
	assert_int_equal(cursor_of(c, "other", "c2", -1), -1);
}

static void each_root_has_its_own(void **state)
{
	struct cursors *other;
	struct err e;

	cursor_set(c, cursor_add(c, "ns", "c1", INSTANCE, 1), 2);
	assert_int_equal(cursors_open(&other, dir, "/usr/../usr", &e), 0);
	assert_false(cursors_had_run(other));
	cursor_add(other, "ns", "c1", INSTANCE, 7);
	cursors_close(other);
	reopen();
	assert_int_equal(cursor_at(c, cursor_find(c, "ns", "c1", INSTANCE))->number, 2);
	assert_int_equal(cursors_open(&other, dir, "/usr", &e), 0);
	assert_true(cursors_had_run(other));
	assert_int_equal(cursor_at(other, cursor_find(other, "ns", "c1", INSTANCE))->number, 7);
	cursors_close(other);
	assert_true(cursors_open(&other, dir, "/no-such-root", &e) < 0);
	assert_string_equal(e.msg, "'/no-such-root'");
}

/* Of a daemon that had one file for all; each takes it, once. */
static void one_that_all_shared_is_taken_over(void **state)
{
	char shared[64];
	struct cursors *other;

	cursor_add(c, "ns", "c1", INSTANCE, 3);
	cursor_set(c, cursor_add(c, "ns", "c2", "foreign:2026.1", 0), 4);
	snprintf(shared, sizeof shared, "%s/.berthd.cursors", dir);
	assert_int_equal(rename(path, shared), 0);
	reopen();
	assert_true(cursors_had_run(c));
	assert_true(cursors_last_told(c).tv_sec > 0);
	assert_int_equal(cursor_at(c, cursor_find(c, "ns", "c2", "foreign:2026.1"))->number, 4);
	cursor_set(c, cursor_find(c, "ns", "c1", INSTANCE), 5);
	reopen();
	assert_int_equal(cursor_at(c, cursor_find(c, "ns", "c1", INSTANCE))->number, 5);
	assert_int_equal(cursors_open(&other, dir, "/usr", NULL), 0);
	assert_int_equal(cursor_at(other, cursor_find(other, "ns", "c1", INSTANCE))->number, 3);
	cursors_close(other);
}

static void what_is_written_outlives_a_kill(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		int row = cursor_add(c, "ns", "c1", INSTANCE, 0);

		for (uint64_t n = 1; n <= 5; n++)
			cursor_set(c, row, n);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	reopen();
	assert_int_equal(cursor_at(c, cursor_find(c, "ns", "c1", INSTANCE))->number, 5);
}

static void a_damaged_file_is_begun_anew(void **state)
{
	static const char *const files[] = { "", "x", "BTBCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		FILE *f;

		cursors_close(c);
		c = NULL;
		f = fopen(path, "we");
		assert_non_null(f);
		assert_true(fputs(files[i], f) >= 0);
		fclose(f);
		reopen();
		assert_false(cursors_had_run(c));
		assert_int_equal(cursor_next(c, -1), -1);
		assert_true(cursor_add(c, "ns", "c1", INSTANCE, 3) > 0);
	}
	/* Shorter than its header says. */
	cursors_close(c);
	c = NULL;
	assert_int_equal(truncate(path, 300), 0);
	reopen();
	assert_false(cursors_had_run(c));
}

/* What there is no page for when it is written to would be the end of us. */
static void fill_and_add(bool is_full)
{
	static const char bytes[4096];
	char id[16], full[80];
	int fd, n = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		_exit(2);
	snprintf(full, sizeof full, "%s/full", dir);
	fd = is_full ? open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	c = NULL;
	if (cursors_open(&c, dir, "/", NULL) < 0)
		_exit(3);
	for (; n < 1000; n++) {
		snprintf(id, sizeof id, "c%d", n);
		if (cursor_add(c, "ns", id, INSTANCE, 1) < 0)
			break;
	}
	_exit(n < 64 - 1 ? 4 : 0);
}

static void a_directory_without_room(void **state)
{
	int status;

	for (int is_full = 0; is_full < 2; is_full++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			fill_and_add(is_full);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void names_that_do_not_fit(void **state)
{
	char id[CURSOR_NAME + 1];

	memset(id, 'x', sizeof id);
	id[CURSOR_NAME] = '\0';
	assert_int_equal(cursor_add(c, "ns", id, INSTANCE, 0), -1);
	assert_int_equal(cursor_add(c, id, "c1", INSTANCE, 0), -1);
	assert_int_equal(cursor_add(c, "ns", "c1", "", 0), -1);
	id[CURSOR_NAME - 1] = '\0';
	assert_true(cursor_add(c, "ns", id, INSTANCE, 0) > 0);
	assert_true(cursor_find(c, "ns", id, INSTANCE) > 0);
}

static void the_pid_of_an_instance(void **state)
{
	struct cursor r = { .instance = INSTANCE };

	assert_int_equal(cursor_pid(&r), 2785);
	strcpy(r.instance, "x-12-");
	assert_int_equal(cursor_pid(&r), 12);
	strcpy(r.instance, "nothing");
	assert_int_equal(cursor_pid(&r), 0);
	strcpy(r.instance, "-");
	assert_int_equal(cursor_pid(&r), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_there_after_a_restart), TEST(many_rows_and_their_places_again),
		TEST(each_of_very_many_is_found), TEST(rows_of_one_task), TEST(each_root_has_its_own),
		TEST(one_that_all_shared_is_taken_over), TEST(what_is_written_outlives_a_kill),
		TEST(a_damaged_file_is_begun_anew), TEST(a_directory_without_room), TEST(names_that_do_not_fit),
		cmocka_unit_test(the_pid_of_an_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
