/* The parent's side of the handshake against a child that dies, hangs, or says
 * what it should not, in every phase: one error that names phase and cause,
 * within the deadline. And init's side against a parent that does so. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "container.h"
#include "err.h"
#include "fd.h"
#include "init.h"
#include "launch.h"
#include "mem.h"
#include "plan.h"
#include "sys.h"

enum { DEADLINE_MS = 1000, ENOUGH_MS = 30000 };

enum misdeed { DIES, IS_KILLED, HANGS, TALKS_SHORT, TALKS_LONG, UNKNOWN_PHASE, BRINGS_FDS, FAILS };

struct fake {
	const enum hs_phase *before; /* phases that go well, HS_NONE at the end */
	enum misdeed then;
};

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void say(int sync, enum hs_phase phase, int with_fd)
{
	struct hs_msg m = { .phase = (uint32_t)phase };

	if (fd_send(sync, &m, sizeof m, &with_fd, with_fd >= 0) < 0)
		_exit(9);
}

static void misbehave(int sync, enum misdeed what)
{
	struct hs_msg m = { .phase = HS_FAILED, .stage = STAGE_HOSTNAME, .sys = ENODEV };
	struct hs_msg two[2] = { { .phase = HS_CREATED } };
	int fds[3] = { 0, 1, 2 };

	switch (what) {
	case DIES:
		_exit(3);
	case IS_KILLED:
		raise(SIGKILL);
		break;
	case HANGS:
		break;
	case TALKS_SHORT:
		write(sync, &m, 3) < 0 ? _exit(9) : (void)0;
		break;
	case TALKS_LONG:
		write(sync, two, sizeof two) < 0 ? _exit(9) : (void)0;
		break;
	case UNKNOWN_PHASE:
		m.phase = 77;
		fd_send(sync, &m, sizeof m, NULL, 0);
		break;
	case BRINGS_FDS:
		m.phase = HS_TAKEN;
		fd_send(sync, &m, sizeof m, fds, 3);
		break;
	case FAILS:
		fd_send(sync, &m, sizeof m, NULL, 0);
		break;
	}
	pause();
}

static _Noreturn void fake_child(int sync, const struct fake *f)
{
	struct hs_msg m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (const enum hs_phase *p = f->before; *p != HS_NONE; p++) {
		say(sync, *p, -1);
		if ((*p == HS_MOUNTED || *p == HS_STARTING) && read(sync, &m, sizeof m) != sizeof m)
			_exit(9);
	}
	misbehave(sync, f->then);
	_exit(9);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int agree(struct launch *l, enum hs_phase where, struct err *e)
{
	return 0;
}

/* Runs the fake to its end; fills e. */
static int drive_fake(const struct fake *f, enum hs_phase until, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct plan plan = { .id = "x", .hostname = "box" };
	int64_t start = now_ms();
	struct launch l;
	int pair[2], r, fds = count_fds();

	memset(e, 0, sizeof *e);
	launch_init(&l, &a, &plan);
	l.deadline_ms = DEADLINE_MS;
	l.on_stop = agree;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	l.pid = fork();
	if (l.pid == 0) {
		close(pair[0]);
		fake_child(pair[1], f);
	}
	close(pair[1]);
	l.sync = pair[0];
	l.pidfd = (int)syscall(SYS_pidfd_open, l.pid, 0);
	assert_true(l.pidfd >= 0);
	r = launch_drive(&l, until, e);
	launch_done(&l);
	assert_true(now_ms() - start < ENOUGH_MS);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped, whatever it did */
	assert_int_equal(count_fds(), fds);
	return r;
}

static void expect_text(enum misdeed what, const struct err *e, const char *phase_word)
{
	static const char *const words[] = {
		[DIES] = "ended while ",
		[IS_KILLED] = "was killed by signal 9 while ",
		[HANGS] = "hung while ",
		[TALKS_SHORT] = "a message of 3 bytes",
		[TALKS_LONG] = NULL, /* cut to the length of a message */
		[UNKNOWN_PHASE] = "message 77 ",
		[BRINGS_FDS] = "message 11 ",
		[FAILS] = "set the hostname 'box'",
	};

	if (words[what] && !strstr(e->msg, words[what]))
		fail_msg("'%s' is not in '%s'", words[what], e->msg);
	if (what <= HANGS && !strstr(e->msg, phase_word))
		fail_msg("'%s' is not in '%s'", phase_word, e->msg);
}

static void every_misdeed_in_every_phase(void **state)
{
	static const enum hs_phase at_once[] = { HS_NONE };
	static const enum hs_phase mounted[] = { HS_MOUNTED, HS_NONE };
	static const struct {
		const enum hs_phase *before;
		const char *words;
	} phases[] = {
		{ at_once, "while starting" },
		{ mounted, "entering its root file system" },
	};

	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
		for (enum misdeed m = DIES; m <= FAILS; m++) {
			struct fake f = { phases[i].before, m };
			struct err e;
			int r = drive_fake(&f, HS_CREATED, &e);

			if (m == TALKS_LONG)
				continue;
			assert_true(r < 0);
			expect_text(m, &e, phases[i].words);
		}
}

static void after_start(void **state)
{
	static const enum hs_phase starting[] = { HS_STARTING, HS_NONE };

	for (enum misdeed m = IS_KILLED; m <= FAILS; m++) {
		struct fake f = { starting, m };
		struct err e;

		if (m == TALKS_LONG)
			continue;
		assert_true(drive_fake(&f, HS_NONE, &e) < 0);
		expect_text(m, &e, "entering its root file system");
	}
}

/* A child that says it forked brings the pidfd; one without is refused. */
static void forked_without_a_process(void **state)
{
	static const enum hs_phase forked[] = { HS_FORKED, HS_NONE };
	struct fake f = { forked, HANGS };
	struct err e;

	assert_true(drive_fake(&f, HS_CREATED, &e) < 0);
	assert_non_null(strstr(e.msg, "reported no process"));
}

static void listener_nobody_asked_for(void **state)
{
	static const enum hs_phase listener[] = { HS_LISTENER, HS_NONE };
	struct fake f = { listener, HANGS };
	struct err e;

	assert_true(drive_fake(&f, HS_CREATED, &e) < 0);
	assert_non_null(strstr(e.msg, "listener"));
}

static void goes_well(void **state)
{
	static const enum hs_phase all[] = { HS_MOUNTED, HS_CREATED, HS_NONE };
	struct fake f = { all, HANGS };
	struct err e;

	assert_int_equal(drive_fake(&f, HS_CREATED, &e), 0);
}

/* ---- a start that waits for nothing ---------------------------------------- */

enum { EXECUTES = FAILS + 1 };

static _Noreturn void let_go_child(int sync, int what)
{
	struct hs_msg m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(sync, &m, sizeof m) != sizeof m || m.phase != HS_START)
		_exit(9);
	if (what == EXECUTES)
		execl("/bin/sleep", "sleep", "100", NULL);
	misbehave(sync, (enum misdeed)what);
	_exit(9);
}

/* Lets a child go; what container_let_go_end() says of it, at once. */
static int let_go(int what, struct err *e)
{
	struct pollfd p = { .events = POLLIN };
	int pair[2], pidfd, r;
	int64_t start;
	pid_t pid;

	memset(e, 0, sizeof *e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		let_go_child(pair[1], what);
	}
	close(pair[1]);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pidfd >= 0);
	assert_int_equal(container_let_go(pair[0], e), 0);
	p.fd = pair[0];
	assert_int_equal(poll(&p, 1, what == HANGS ? 50 : ENOUGH_MS), what != HANGS);
	start = now_ms();
	r = container_let_go_end(pair[0], "x", pid, pidfd, e);
	assert_true(now_ms() - start < DEADLINE_MS);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* not reaped by that */
	close(pair[0]);
	close(pidfd);
	return r;
}

static void lets_go(void **state)
{
	struct err e;
	int pair[2];

	assert_int_equal(let_go(EXECUTES, &e), 0);
	for (int what = IS_KILLED; what <= FAILS; what++) {
		if (what == TALKS_LONG)
			continue;
		assert_true(let_go(what, &e) < 0);
		if (what == FAILS) /* there is no plan any more to say which */
			assert_non_null(strstr(e.msg, "set the hostname"));
		else
			expect_text((enum misdeed)what, &e, "executing its program");
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	assert_int_equal(container_let_go(pair[0], &e), -EPIPE);
	close(pair[0]);
}

/* ---- init's side ---------------------------------------------------------- */

/* What init_expect(HOOKED) makes of the parent: its exit code, and in *m what
 * it said. */
static int expect_in_child(const void *data, size_t len, struct hs_msg *m)
{
	static struct init in;
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		in.sync = pair[1];
		init_expect(&in, HS_HOOKED);
		_exit(0);
	}
	close(pair[1]);
	if (len)
		assert_int_equal(write(pair[0], data, len), (ssize_t)len);
	else
		shutdown(pair[0], SHUT_WR);
	n = read(pair[0], m, sizeof *m);
	if (n != (ssize_t)sizeof *m)
		memset(m, 0, sizeof *m);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void init_against_its_parent(void **state)
{
	struct hs_msg say_hooked = { .phase = HS_HOOKED }, say_mapped = { .phase = HS_MAPPED };
	struct hs_msg m;

	assert_int_equal(expect_in_child(&say_hooked, sizeof say_hooked, &m), 0);
	assert_int_equal(expect_in_child(NULL, 0, &m), INIT_EXIT_SILENT);
	assert_int_equal(m.phase, HS_NONE);
	assert_int_equal(expect_in_child(&say_hooked, 3, &m), INIT_EXIT_SILENT);
	assert_true(expect_in_child(&say_mapped, sizeof say_mapped, &m) != 0);
	assert_int_equal(m.phase, HS_FAILED);
	assert_int_equal(m.stage, STAGE_PROTOCOL);
	assert_int_equal(m.sys, EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_well),
		cmocka_unit_test(every_misdeed_in_every_phase),
		cmocka_unit_test(after_start),
		cmocka_unit_test(forked_without_a_process),
		cmocka_unit_test(listener_nobody_asked_for),
		cmocka_unit_test(lets_go),
		cmocka_unit_test(init_against_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
