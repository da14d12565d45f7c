/* Processes: /proc/PID/stat with hostile names, waiting, exit codes. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

static void parses_stat(void **state)
{
	struct proc_stat st;

	assert_int_equal(proc_stat_parse("42 (a) b) (c\n) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 "
					 "20 0 1 0 123456789 1000 1\n",
					 &st),
			 0);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.start_time, 123456789);
	assert_int_equal(proc_stat_parse("", &st), -EINVAL);
	assert_int_equal(proc_stat_parse("42 (a) S", &st), -EINVAL);
	assert_int_equal(proc_stat_parse("42 (a", &st), -EINVAL);
}

static void reads_stat(void **state)
{
	struct proc_stat self, again;

	assert_int_equal(proc_stat(getpid(), &self), 0);
	assert_int_equal(proc_stat(getpid(), &again), 0);
	assert_true(self.start_time && self.start_time == again.start_time);
	assert_int_equal(proc_stat(0x7ffffff0, &self), -ESRCH);
}

static void reads_the_boot_id(void **state)
{
	char a[PROC_BOOT_ID];

	assert_int_equal(proc_boot_id(a), 0);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[8], '-');
}

static pid_t child(int code, int sig, int ms)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (ms)
			usleep((useconds_t)ms * 1000);
		if (sig)
			raise(sig);
		_exit(code);
	}
	return pid;
}

static void waits_and_reaps(void **state)
{
	OWN_FD a = -1, b = -1, c = -1;

	a = sys_pidfd_open(child(7, 0, 0), 0);
	assert_true(a >= 0);
	assert_int_equal(proc_wait(a, 5000), 0);
	assert_int_equal(proc_reap(a), 7);
	b = sys_pidfd_open(child(0, SIGKILL, 0), 0);
	assert_int_equal(proc_wait(b, -1), 0);
	assert_int_equal(proc_reap(b), 128 + SIGKILL);
	c = sys_pidfd_open(child(0, 0, 300), 0);
	assert_int_equal(proc_wait(c, 20), -ETIMEDOUT);
	assert_int_equal(proc_wait(c, 0), -ETIMEDOUT);
	assert_int_equal(proc_reap(c), 0); /* waits */
	assert_int_equal(proc_reap(c), -ECHILD);
}

static void reaps_others(void **state)
{
	pid_t ours = child(3, 0, 0), other;
	OWN_FD fd = sys_pidfd_open(ours, 0);
	OWN_FD fd_other = -1;

	assert_int_equal(proc_wait(fd, 5000), 0);
	other = child(0, 0, 0);
	fd_other = sys_pidfd_open(other, 0);
	assert_int_equal(proc_wait(fd_other, 5000), 0);
	proc_reap_others(ours); /* may stop at ours, and must not take it */
	assert_int_equal(proc_reap(fd), 3);
	proc_reap_others(-1);
	assert_int_equal(waitpid(other, NULL, WNOHANG), -1);
}

static void captures(void **state)
{
	OWN_SB struct sb b = SB_INIT, none = SB_INIT;
	const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
	const char *const missing[] = { "no-such-program-here", NULL };

	assert_int_equal(proc_capture(argv, &b), 3);
	assert_string_equal(b.s, "out\nerr\n");
	assert_int_equal(proc_capture(missing, &none), -ENOENT);
}

static void parses_pid_inside(void **state)
{
	(void)state;
	assert_int_equal(proc_pid_inside_parse("Name:\ta\nNSpid:\t4711\t30\t1\nNSpgid:\t9\n", 4711), 1);
	assert_int_equal(proc_pid_inside_parse("Name:\ta\nNSpid:\t4711\nNSpgid:\t9\n", 4711), 4711);
	assert_int_equal(proc_pid_inside_parse("Name:\ta\n", 4711), 4711);
	assert_int_equal(proc_pid_inside_parse("", 4711), 4711);
	assert_int_equal(proc_pid_inside(getpid()), getpid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_stat),
		cmocka_unit_test(reads_stat),
		cmocka_unit_test(parses_pid_inside),
		cmocka_unit_test(reads_the_boot_id),
		cmocka_unit_test(waits_and_reaps),
		cmocka_unit_test(reaps_others),
		cmocka_unit_test(captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
