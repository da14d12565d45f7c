/* The shim's helpers: what they hand back, and how they may end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper.h"
#include "proc.h"
#include "sys.h"

static struct loop loop;
static struct {
	int calls, r;
	struct helper_result ret;
	struct err e;
} seen;

static void on_done(struct helper *h, int r, struct helper_result *ret, const struct err *e)
{
	seen.calls++;
	seen.r = r;
	seen.ret = *ret;
	seen.e = *e;
	loop_stop(&loop, 0);
}

static int setup(void **state)
{
	memset(&seen, 0, sizeof seen);
	return loop_init(&loop, NULL);
}

static int teardown(void **state)
{
	loop_done(&loop);
	return 0;
}

static void run(struct helper *h, const struct helper_job *job)
{
	assert_int_equal(helper_start(h, &loop, job, on_done, NULL, NULL), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(h->pidfd, -1);
	assert_int_equal(h->socket, -1);
}

/* A process that has ended before its helper has: its status is ours to reap. */
static int make_a_process(struct helper_result *ret, void *arg, struct err *e)
{
	ret->pid = sys_raw_clone(CLONE_PIDFD | SIGCHLD, &ret->pidfd);
	if (ret->pid == 0)
		_exit(7);
	return proc_wait(ret->pidfd, 5000);
}

static void a_process_that_it_made_is_ours(void **state)
{
	struct helper_job job = { make_a_process, NULL, NULL, 10000 };
	struct helper h;

	run(&h, &job);
	assert_int_equal(seen.r, 0);
	assert_true(seen.ret.pid > 0 && seen.ret.pidfd >= 0);
	assert_int_equal(seen.ret.fd, -1);
	assert_int_equal(proc_reap(seen.ret.pidfd), 7);
	close(seen.ret.pidfd);
}

static int refuse(struct helper_result *ret, void *arg, struct err *e)
{
	return err_set(e, ERR_EXISTS, -EEXIST, "the id '%s' is taken", (const char *)arg);
}

static void an_error_comes_as_it_is(void **state)
{
	struct helper_job job = { refuse, (char[]){ "c1" }, NULL, 0 };
	struct helper h;

	run(&h, &job);
	assert_int_equal(seen.r, -EEXIST);
	assert_int_equal(seen.e.kind, ERR_EXISTS);
	assert_string_equal(seen.e.msg, "the id 'c1' is taken");
}

static int look_around(struct helper_result *ret, void *arg, struct err *e)
{
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int fd = 5; fd < 256; fd++) /* 3: its answer, 4: the log */
		if (fcntl(fd, F_GETFD) >= 0)
			return err_set(e, ERR_INTERNAL, 0, "%d is open", fd);
	if (sigismember(&mask, SIGTERM))
		return err_set(e, ERR_INTERNAL, 0, "signals are blocked");
	if (write(1, "out", 3) != 3 || write(2, "err", 3) != 3)
		return err_set(e, ERR_INTERNAL, 0, "cannot write");
	ret->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void only_its_own_fds_are_open(void **state)
{
	int out[2], err[2], stdio[3];
	struct helper_job job = { look_around, NULL, stdio, 0 };
	char buf[8] = "";
	struct helper h;
	sigset_t mask, old;

	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	stdio[1] = out[1];
	stdio[2] = err[1];
	sigfillset(&mask);
	sigprocmask(SIG_BLOCK, &mask, &old);
	run(&h, &job);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_string_equal(seen.e.msg, "");
	assert_int_equal(seen.r, 0);
	assert_int_equal(read(out[0], buf, sizeof buf), 3);
	assert_int_equal(read(err[0], buf + 3, sizeof buf - 3), 3);
	assert_string_equal(buf, "outerr");
	assert_int_equal(read(seen.ret.fd, buf, 1), 1);
	assert_int_equal(buf[0], 0);
	close(seen.ret.fd);
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(err[i]);
	}
	close(stdio[0]);
}

static int die(struct helper_result *ret, void *arg, struct err *e)
{
	return raise(SIGKILL);
}

static void one_that_is_killed(void **state)
{
	struct helper_job job = { die, NULL, NULL, 0 };
	struct helper h;

	run(&h, &job);
	assert_int_equal(seen.r, -EPIPE);
	assert_string_equal(seen.e.msg, "the helper ended with status 137 and no answer");
}

static int hang(struct helper_result *ret, void *arg, struct err *e)
{
	return pause();
}

static void one_that_does_not_end(void **state)
{
	struct helper_job job = { hang, NULL, NULL, 30 };
	struct helper h;

	run(&h, &job);
	assert_int_equal(seen.r, -ETIMEDOUT);
	assert_int_equal(seen.e.kind, ERR_TIMEOUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_that_it_made_is_ours),
		TEST(an_error_comes_as_it_is),
		TEST(only_its_own_fds_are_open),
		TEST(one_that_is_killed),
		TEST(one_that_does_not_end),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
