/* The shim's streams: a client that is there, late, stalled, gone or back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "stream.h"
#include "sys.h"

#include "loop_for.h"

static char dir[] = "/tmp/berth-stream-XXXXXX", fifo[64];
static int n_ended;

static void on_ended(struct stream *s, void *ctx)
{
	n_ended++;
}

static int setup(void **state)
{
	n_ended = 0;
	assert_int_equal(loop_init(&loop, NULL), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	return 0;
}

static int teardown(void **state)
{
	loop_done(&loop);
	return unlink(fifo);
}

static int group_setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	return 0;
}

static int group_teardown(void **state)
{
	return rmdir(dir);
}

/* A process's standard output; returns its end of the pipe. */
static int output(struct stream **s)
{
	int pipe[2], to = fifo_open(fifo, NULL);

	assert_true(to >= 0);
	assert_int_equal(sys_pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(stream_new(s, &loop, pipe[0], to, on_ended, NULL), 0);
	return pipe[1];
}

static int input(struct stream **s)
{
	int pipe[2], from = fifo_open(fifo, NULL);

	assert_true(from >= 0);
	assert_int_equal(sys_pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(stream_new(s, &loop, from, pipe[1], on_ended, NULL), 0);
	return pipe[0];
}

static int client(int flags)
{
	int fd = open(fifo, flags | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void expect_bytes(int fd, const char *want)
{
	char buf[256] = "";

	assert_int_equal(read(fd, buf, sizeof buf - 1), strlen(want));
	assert_string_equal(buf, want);
}

static void output_reaches_a_client_that_comes_late(void **state)
{
	struct stream *s;
	int out = output(&s), reader;

	assert_int_equal(write(out, "early", 5), 5);
	run(10);
	reader = client(O_RDONLY);
	expect_bytes(reader, "early");
	close(out);
	run(10);
	assert_int_equal(n_ended, 1);
	expect_bytes(reader, ""); /* the end */
	close(reader);
	stream_free(s);
}

/* FIFO and pipe fill up; nothing is lost, nobody is signalled, and it goes on. */
static void a_client_that_stalls(void **state)
{
	struct stream *s;
	int out = output(&s), reader = client(O_RDONLY);
	size_t written = 0, seen = 0;
	char block[4096];
	ssize_t n;

	for (int idle = 0; idle < 3;) {
		memset(block, 'a' + (int)(written / sizeof block % 26), sizeof block);
		n = write(out, block, sizeof block);
		idle = n < 0 ? idle + 1 : 0;
		written += n > 0 ? (size_t)n : 0;
		run(1);
	}
	assert_true(written >= 2 * 65536);
	close(out);
	while (!n_ended || seen < written) {
		n = read(reader, block, sizeof block);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(block[i], 'a' + (int)((seen + (size_t)i) / sizeof block % 26));
		seen += n > 0 ? (size_t)n : 0;
		run(1);
	}
	assert_int_equal(seen, written);
	close(reader);
	stream_free(s);
}

static void a_client_that_goes_and_comes_back(void **state)
{
	struct stream *s;
	int out = output(&s), reader = client(O_RDONLY);

	assert_int_equal(write(out, "one", 3), 3);
	run(10);
	expect_bytes(reader, "one");
	close(reader);
	assert_int_equal(write(out, "two", 3), 3);
	run(10);
	assert_int_equal(n_ended, 0);
	reader = client(O_RDONLY);
	expect_bytes(reader, "two");
	close(reader);
	stream_free(s);
	close(out);
	assert_int_equal(n_ended, 0);
}

static void two_streams_on_one_fifo(void **state)
{
	struct stream *a, *b;
	int out = output(&a), err = output(&b), reader = client(O_RDONLY);

	assert_int_equal(write(out, "out ", 4), 4);
	run(10);
	assert_int_equal(write(err, "err", 3), 3);
	run(10);
	expect_bytes(reader, "out err");
	close(out);
	run(10);
	assert_int_equal(n_ended, 1);
	assert_int_equal(read(reader, &(char){ 0 }, 1), -1); /* not the end yet */
	close(err);
	run(10);
	expect_bytes(reader, "");
	close(reader);
	stream_free(a);
	stream_free(b);
}

/* Somebody else has the pipe still open: what is there comes, then it ends. */
static void a_process_that_is_gone(void **state)
{
	static const char block[4096];
	struct stream *s;
	int out = output(&s), reader = client(O_RDONLY);

	assert_int_equal(write(out, "rest", 4), 4);
	stream_finish(s);
	run(10);
	assert_int_equal(n_ended, 1);
	expect_bytes(reader, "rest");
	expect_bytes(reader, "");
	close(reader);
	/* Whoever still writes is neither stopped nor signalled. */
	for (int i = 0; i < 64; i++) {
		assert_int_equal(write(out, block, sizeof block), sizeof block);
		run(1);
	}
	close(out);
	run(10);
	assert_int_equal(n_ended, 1);
	assert_int_equal(s->from, -1);
	stream_free(s);

	out = output(&s);
	run(10);
	stream_finish(s); /* nothing is there */
	assert_int_equal(n_ended, 2);
	close(out);
	stream_free(s);
}

/* A client whose open(2) waits, as most do; returns its pid. It ends with 0 if it
 * got `want` and the end, within seconds. */
static pid_t late_client(const char *want)
{
	pid_t pid = fork();

	if (!pid) {
		char buf[64];
		ssize_t n;
		int fd;

		fd_close_from(3); /* a stream's, which is a writer */
		alarm(10);
		fd = open(fifo, O_RDONLY | O_CLOEXEC);
		n = read(fd, buf, sizeof buf);
		_exit(fd < 0 || n != (ssize_t)strlen(want) || memcmp(buf, want, (size_t)n) ||
		      (n && read(fd, buf, 1)));
	}
	return pid;
}

/* Its end is waited for within the loop. */
static void expect_served(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 1000 && !waitpid(pid, &status, WNOHANG); i++)
		run(10);
	assert_int_equal(status, 0);
}

/* What nobody had read when the process ended is there when a client comes. */
static void a_client_that_comes_after_the_end(void **state)
{
	struct stream *s;
	int out = output(&s);

	assert_int_equal(write(out, "kept", 4), 4);
	close(out);
	run(50);
	assert_int_equal(n_ended, 1);
	expect_served(late_client("kept"));
	run(1100);
	assert_false(fifo_late_is_waiting(&s->late));
	stream_free(s);
}

static void a_client_that_comes_after_the_end_of_nothing(void **state)
{
	struct stream *s;
	int out = output(&s);

	close(out);
	run(50);
	assert_int_equal(n_ended, 1);
	expect_served(late_client(""));
	stream_free(s);
}

/* It had it open at the end, and comes back for the rest. */
static void a_client_that_comes_back_after_the_end(void **state)
{
	struct stream *s;
	int out = output(&s), reader = client(O_RDONLY);

	assert_int_equal(write(out, "kept", 4), 4);
	close(out);
	run(10);
	close(reader);
	reader = client(O_RDONLY);
	expect_bytes(reader, "kept");
	expect_bytes(reader, ""); /* the end, as nobody has it open for writing */
	close(reader);
	stream_free(s);
}

/* The process was deleted before its client came. */
static void a_client_that_comes_after_the_owner_is_gone(void **state)
{
	struct stream *s;
	int out = output(&s);

	assert_int_equal(write(out, "kept", 4), 4);
	close(out);
	run(10);
	stream_let_go(s);
	expect_served(late_client("kept"));
}

static void a_client_that_never_comes(void **state)
{
	struct stream *s;
	int out = output(&s), reader;

	assert_int_equal(write(out, "lost", 4), 4);
	close(out);
	run(10);
	stream_let_go(s);
	s->late.limit = 20; /* in ms */
	run(200);
	reader = client(O_RDONLY);
	expect_bytes(reader, "");
	close(reader);
}

/* The first of two streams to end is no client of the other's. */
static void a_late_client_of_two_streams(void **state)
{
	struct stream *a, *b;
	int out = output(&a), err = output(&b);

	assert_int_equal(write(out, "out ", 4), 4);
	close(out);
	run(10);
	assert_int_equal(write(err, "err", 3), 3);
	close(err);
	run(10);
	assert_int_equal(n_ended, 2);
	expect_served(late_client("out err"));
	stream_free(a);
	stream_free(b);
}

/* Nor is one that has ended, or waits for its client. */
static void a_late_client_of_a_stream_and_its_successor(void **state)
{
	struct stream *a, *b, *c;
	int out = output(&a), reader = client(O_RDONLY);

	assert_int_equal(write(out, "one ", 4), 4);
	close(out);
	run(10); /* it keeps what that reader has not read */
	close(reader);
	out = output(&b);
	assert_int_equal(write(out, "two ", 4), 4);
	close(out);
	run(10);
	stream_let_go(b);
	out = output(&c);
	assert_int_equal(write(out, "three", 5), 5);
	close(out);
	run(10);
	assert_int_equal(n_ended, 3);
	expect_served(late_client("one two three"));
	stream_free(a);
	stream_free(c);
}

static void input_and_its_end(void **state)
{
	struct stream *s;
	int in = input(&s), writer = client(O_WRONLY);

	assert_int_equal(write(writer, "typed", 5), 5);
	run(10);
	expect_bytes(in, "typed");
	close(writer); /* a client that detaches is no end */
	run(10);
	assert_int_equal(read(in, &(char){ 0 }, 1), -1);
	writer = client(O_WRONLY);
	assert_int_equal(write(writer, "more", 4), 4);
	stream_end_input(s);
	run(10);
	assert_int_equal(n_ended, 0); /* the client still has it */
	close(writer);
	run(10);
	expect_bytes(in, "more");
	expect_bytes(in, "");
	assert_int_equal(n_ended, 1);
	close(in);
	stream_free(s);
}

static void a_process_that_closes_its_input(void **state)
{
	struct stream *s;
	int in = input(&s), writer = client(O_WRONLY);

	close(in);
	assert_int_equal(write(writer, "lost", 4), 4);
	run(10);
	assert_int_equal(n_ended, 1);
	close(writer);
	stream_free(s);
}

static void a_terminal_both_ways(void **state)
{
	struct termios raw;
	struct stream *in, *out;
	int from, to, reader, slave, master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	char other[80];
	ssize_t n;

	assert_true(master >= 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	snprintf(other, sizeof other, "%s.in", fifo);
	assert_int_equal(mkfifo(other, 0600), 0);
	from = fifo_open(other, NULL);
	assert_int_equal(stream_new(&in, &loop, from, fcntl(master, F_DUPFD_CLOEXEC, 3), on_ended, NULL), 0);
	to = fifo_open(fifo, NULL);
	assert_int_equal(stream_new(&out, &loop, fcntl(master, F_DUPFD_CLOEXEC, 3), to, on_ended, NULL), 0);
	reader = client(O_RDONLY);

	from = open(other, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(write(from, "keys", 4), 4);
	run(20);
	expect_bytes(slave, "keys");
	assert_int_equal(write(slave, "picture", 7), 7);
	run(20);
	expect_bytes(reader, "picture");
	assert_int_equal(write(slave, "last", 4), 4);
	close(slave);
	run(20);
	expect_bytes(reader, "last");
	n = read(reader, other, 1);
	assert_int_equal(n, 0); /* the end */
	assert_int_equal(n_ended, 1);
	stream_free(in);
	stream_free(out);
	close(from);
	close(reader);
	close(master);
	snprintf(other, sizeof other, "%s.in", fifo);
	assert_int_equal(unlink(other), 0);
}

static void what_is_no_fifo(void **state)
{
	struct err e;

	assert_int_equal(fifo_open("/dev/null", &e), -EINVAL);
	assert_string_equal(e.msg, "'/dev/null' is no FIFO");
	assert_int_equal(fifo_open("/no/such", &e), -ENOENT);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_reaches_a_client_that_comes_late),
		TEST(a_client_that_stalls),
		TEST(a_client_that_goes_and_comes_back),
		TEST(two_streams_on_one_fifo),
		TEST(a_process_that_is_gone),
		TEST(a_client_that_comes_after_the_end),
		TEST(a_client_that_comes_after_the_end_of_nothing),
		TEST(a_client_that_comes_back_after_the_end),
		TEST(a_client_that_comes_after_the_owner_is_gone),
		TEST(a_client_that_never_comes),
		TEST(a_late_client_of_two_streams),
		TEST(a_late_client_of_a_stream_and_its_successor),
		TEST(input_and_its_end),
		TEST(a_process_that_closes_its_input),
		TEST(a_terminal_both_ways),
		TEST(what_is_no_fifo),
	};

	signal(SIGPIPE, SIG_IGN); /* as in the shim, which takes signals by a signalfd */
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
