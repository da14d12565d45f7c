/* Programs that the engine runs for their output: how they end, and what they leave. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "clock.h"
#include "err.h"
#include "loop.h"

static struct loop loop;
static struct child child;
static int n_done;

static void on_done(struct child *c)
{
	n_done++;
	loop_stop(&loop, 0);
}

static int setup(void **state)
{
	assert_int_equal(loop_init(&loop, NULL), 0);
	child_init(&child, on_done, NULL);
	n_done = 0;
	return 0;
}

static int teardown(void **state)
{
	child_done(&child, true);
	loop_done(&loop);
	return 0;
}

static int begin(const char *script, uint32_t ms, const char *input, struct err *e)
{
	static int directory = -1;
	char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL };
	char *env[] = { (char *)(uintptr_t) "PATH=/usr/bin:/bin", (char *)(uintptr_t) "WORD=given", NULL };
	struct child_command cmd = {
		.path = "/bin/sh",
		.argv = argv,
		.env = env,
		.kept = -1,
		.input = input,
		.input_len = input ? strlen(input) : 0,
		.timeout_ms = ms,
	};

	if (directory < 0)
		directory = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cmd.directory = directory;
	return child_start(&child, &loop, &cmd, e);
}

static void finish(void)
{
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_done, 1);
	assert_false(child_runs(&child));
}

static void output_input_and_surroundings(void **state)
{
	assert_int_equal(begin("cat; echo $WORD; pwd; echo first >&2; echo last >&2; exit 7", 5000, "in ", NULL), 0);
	assert_true(child_runs(&child));
	finish();
	assert_int_equal(child.status, 7);
	assert_string_equal(child.out.s, "in given\n/usr\n");
	assert_string_equal(child.err.s, "first\nlast\n");
}

static void its_last_words(void **state)
{
	char buf[128];

	assert_int_equal(begin("echo first >&2; echo last >&2; exit 1", 5000, NULL, NULL), 0);
	finish();
	assert_string_equal(child_words(&child, buf, sizeof buf), "last");
}

static void a_status_without_words(void **state)
{
	char buf[128];

	assert_int_equal(begin("exit 3", 5000, NULL, NULL), 0);
	finish();
	assert_string_equal(child_words(&child, buf, sizeof buf), "it ended with status 3");
}

static void a_signal(void **state)
{
	char buf[128];

	assert_int_equal(begin("kill -9 $$", 5000, NULL, NULL), 0);
	finish();
	assert_int_equal(child.status, 128 + SIGKILL);
	assert_string_equal(child_words(&child, buf, sizeof buf), "it was ended by signal 9");
}

static void a_deadline_ends_all_of_it(void **state)
{
	int64_t begun = clock_ms();
	char buf[128];
	int pid = 0;

	assert_int_equal(begin("sleep 100 & echo $!; sleep 100", 2000, NULL, NULL), 0);
	finish();
	assert_true(clock_ms() - begun < 50000);
	assert_true(child.timed_out);
	assert_string_equal(child_words(&child, buf, sizeof buf), "it did not end in time");
	assert_int_equal(sscanf(child.out.s, "%d", &pid), 1);
	for (int i = 0; i < 3000 && kill(pid, 0) == 0; i++) { /* whoever collects orphans here has to do it */
		FILE *f;
		char state_of = '\0';

		snprintf(buf, sizeof buf, "/proc/%d/stat", pid);
		f = fopen(buf, "re");
		if (f && fscanf(f, "%*d (%*[^)]) %c", &state_of) == 1 && state_of == 'Z')
			pid = 1 << 30;
		if (f)
			fclose(f);
		usleep(10000);
	}
	assert_int_equal(kill(pid, 0), -1);
}

/* The output's other end is held by somebody: that is not waited for. */
static void what_it_left_behind_holds_the_pipe(void **state)
{
	int64_t begun = clock_ms();
	int pid = 0;

	assert_int_equal(begin("sleep 100 & echo $!", 50000, NULL, NULL), 0);
	finish();
	assert_true(clock_ms() - begun < 40000);
	assert_int_equal(child.status, 0);
	assert_int_equal(sscanf(child.out.s, "%d", &pid), 1);
	kill(pid, SIGKILL);
}

static void much_output_is_cut(void **state)
{
	assert_int_equal(begin("yes | head -c 1000000; echo end >&2", 10000, NULL, NULL), 0);
	finish();
	assert_int_equal(child.status, 0);
	assert_true(child.out.len >= CHILD_OUTPUT_MAX && child.out.len < CHILD_OUTPUT_MAX + 8192);
	assert_string_equal(child.err.s, "end\n");
}

static void a_program_that_is_not_there(void **state)
{
	char *argv[] = { (char *)(uintptr_t) "x", NULL };
	struct child_command cmd = {
		.path = "/no/such/program",
		.argv = argv,
		.env = argv + 1,
		.kept = -1,
		.timeout_ms = 1000,
	};
	struct err e;

	cmd.directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(child_start(&child, &loop, &cmd, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/no/such/program"));
	assert_false(child_runs(&child));
	close(cmd.directory);
}

/* A program that handles SIGCHLD itself may have taken its end away. */
static void somebody_else_collects_it(void **state)
{
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(begin("echo out", 5000, NULL, NULL), 0);
	finish();
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(child.status, -ECHILD);
	assert_string_equal(child.out.s, "out\n");
}

static void signals_are_as_a_program_expects(void **state)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(begin("grep -E 'Sig(Blk|Ign)' /proc/self/status | grep -vE '0{16}$'", 5000, NULL, NULL), 0);
	finish();
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* But for two that are glibc's own: it leaves those ignored. */
	if (child.out.len && strcmp(child.out.s, "SigIgn:\t0000000180000000\n") != 0)
		fail_msg("%s", child.out.s);
}

/* It has the lock as long as it runs, whatever becomes of us; until we give it back. */
static void a_lock_is_inherited(void **state)
{
	char dir[] = "/tmp/berth-child-XXXXXX";
	char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t) "sleep 100", NULL };
	char *env[] = { NULL };
	struct child_command cmd = { .path = "/bin/sh", .argv = argv, .env = env, .timeout_ms = 10000 };
	int fd, other;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	other = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	cmd.directory = cmd.kept = fd;
	assert_int_equal(child_start(&child, &loop, &cmd, NULL), 0);
	close(fd); /* as when we are killed */
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	child_kill(&child);
	finish();
	for (int i = 0; flock(other, LOCK_EX | LOCK_NB) < 0; i++) { /* what it has forked ends, too */
		assert_true(i < 3000);
		usleep(10000);
	}
	close(other);
	rmdir(dir);
}

static void forgotten_while_it_runs(void **state)
{
	assert_int_equal(begin("sleep 100", 5000, NULL, NULL), 0);
	child_done(&child, true);
	assert_int_equal(n_done, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* it is collected, too */
	child_init(&child, on_done, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_input_and_surroundings),
		TEST(its_last_words),
		TEST(a_status_without_words),
		TEST(a_signal),
		TEST(a_deadline_ends_all_of_it),
		TEST(what_it_left_behind_holds_the_pipe),
		TEST(much_output_is_cut),
		TEST(a_program_that_is_not_there),
		TEST(somebody_else_collects_it),
		TEST(signals_are_as_a_program_expects),
		TEST(a_lock_is_inherited),
		TEST(forgotten_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
