/* The shim's helpers: what they hand back, and how they may end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

static int answer_what_is_not_there(struct helper_result *ret, void *arg, struct err *e)
{
	ret->fd = 250;
	return 0;
}

/* What goes wrong beside the work has words, too. */
static void one_that_cannot_begin_or_answer(void **state)
{
	const int closed[] = { -1, 250, -1 };
	struct helper_job begin = { look_around, NULL, closed, 0 };
	struct helper_job answer = { answer_what_is_not_there, NULL, NULL, 0 };
	struct helper h;

	run(&h, &begin);
	assert_int_equal(seen.r, -EBADF);
	assert_string_equal(seen.e.msg, "prepare the helper's file descriptors");
	assert_false(seen.ret.answered);
	seen.calls = 0;
	run(&h, &answer);
	assert_int_equal(seen.r, -EBADF);
	assert_string_equal(seen.e.msg, "send what the helper has done");
	assert_false(seen.ret.answered);
	assert_int_equal(seen.ret.fd, -1);
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

/* ---- ends that come later than the answer ----------------------------------- */

/* Instead of its end: it is stopped, by itself, and then ends. */
static void on_exit_group(int sig)
{
	raise(SIGSTOP);
	syscall(SYS_exit, 0);
}

static int stop_at_the_end(struct helper_result *ret, void *arg, struct err *e)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof code / sizeof code[0], code };

	signal(SIGSYS, on_exit_group);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return err_sys(e, -errno, "load a filter");
	ret->pid = getpid();
	return 0;
}

static int on_time(struct source *s, uint32_t events)
{
	loop_stop(&loop, 1);
	return 0;
}

/* Its process is ours only when it has ended; and nobody else waits for that. */
static void one_that_is_stopped_after_its_answer(void **state)
{
	struct helper_job job = { .work = stop_at_the_end };
	struct source timer = { 0 };
	struct helper h;

	assert_int_equal(helper_start(&h, &loop, &job, on_done, NULL, NULL), 0);
	source_timer(&timer, &loop, 200, on_time);
	assert_int_equal(loop_run(&loop), 1); /* it went on, */
	assert_int_equal(seen.calls, 0); /* and was not told */
	assert_int_equal(sys_pidfd_send_signal(h.pidfd, SIGCONT), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.r, 0);
	assert_true(seen.ret.pid > 0 && seen.ret.answered);
	assert_int_equal(h.pidfd, -1);
}

/* ---- a spare one -------------------------------------------------------------- */

static int told(struct helper_result *ret, const void *ctx, const void *order, size_t len, struct err *e)
{
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	ret->pid = getpid();
	snprintf(ret->cgroup, sizeof ret->cgroup, "%s %.*s %s", (const char *)ctx, (int)len, (const char *)order, name);
	return look_around(ret, NULL, e);
}

static int forked(struct helper_result *ret, void *arg, struct err *e)
{
	strcpy(ret->cgroup, "forked");
	return 0;
}

static pid_t pid_of(int pidfd)
{
	char path[32], line[64];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	fclose(f);
	return pid;
}

static void a_spare_one_does_what_it_is_told(void **state)
{
	struct helper_spare spare;
	int out[2], stdio[3] = { -1, -1, -1 };
	struct helper_job job = {
		.work = forked, .stdio = stdio, .name = "named", .spare = &spare, .order = "order", .len = 5
	};
	char context[] = "before", buf[8] = "";
	struct helper h;
	pid_t pid;

	helper_spare_begin(&spare, told, NULL, context);
	pid = pid_of(spare.pidfd);
	strcpy(context, "after"); /* it has its own */
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	stdio[1] = out[1];
	run(&h, &job);
	assert_string_equal(seen.e.msg, "");
	assert_string_equal(seen.ret.cgroup, "before order named");
	assert_int_equal(seen.ret.pid, pid);
	assert_int_equal(read(out[0], buf, sizeof buf), 3);
	assert_string_equal(buf, "out");
	assert_true(seen.ret.fd >= 0);
	close(seen.ret.fd);
	assert_int_equal(spare.pidfd, -1);
	assert_int_equal(spare.socket, -1);
	close(out[0]);
	close(out[1]);
	seen.calls = 0;
	run(&h, &job); /* there is none any more */
	assert_string_equal(seen.ret.cgroup, "forked");
}

static void a_spare_one_that_cannot_be_told(void **state)
{
	static char much[64 * 1024];
	struct helper_spare spare;
	struct helper_job job = { .work = forked, .spare = &spare, .order = much, .len = sizeof much };
	struct helper h;
	pid_t pid;

	helper_spare_begin(&spare, told, NULL, "");
	run(&h, &job);
	assert_string_equal(seen.ret.cgroup, "forked");
	assert_true(spare.pidfd >= 0); /* it still waits */
	job.len = 5;
	sys_pidfd_send_signal(spare.pidfd, SIGKILL);
	assert_int_equal(proc_wait(spare.pidfd, 5000), 0);
	seen.calls = 0;
	run(&h, &job);
	assert_string_equal(seen.ret.cgroup, "forked");
	helper_spare_end(&spare); /* one that is dead, one that waits, none */
	helper_spare_begin(&spare, told, NULL, "");
	pid = pid_of(spare.pidfd);
	helper_spare_end(&spare);
	assert_int_equal(kill(pid, 0), -1);
	helper_spare_end(&spare);
	assert_int_equal(spare.socket, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_that_it_made_is_ours),
		TEST(an_error_comes_as_it_is),
		TEST(only_its_own_fds_are_open),
		TEST(one_that_is_killed),
		TEST(one_that_cannot_begin_or_answer),
		TEST(one_that_does_not_end),
		TEST(one_that_is_stopped_after_its_answer),
		TEST(a_spare_one_does_what_it_is_told),
		TEST(a_spare_one_that_cannot_be_told),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
