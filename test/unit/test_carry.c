/* Bytes between our streams and those of a process: pipes. (Terminals are tested
 * with containers, in test/it.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "carry.h"
#include "err.h"
#include "fd.h"
#include "loop.h"

struct world {
	struct loop loop;
	struct carry carry;
	struct source deadline;
	int silent; /* what signals would come by */
	int stdin_before;
	int ended; /* callbacks */
	struct err e;
};
#define world_of(c) ((struct world *)(void *)((char *)(c)-offsetof(struct world, carry)))

static int hear(struct carry *c)
{
	return 0;
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct world *w = (struct world *)(void *)((char *)s - offsetof(struct world, deadline));

	loop_stop(&w->loop, -ETIMEDOUT);
	return 0;
}

static void count_end(struct carry *c)
{
	world_of(c)->ended++;
	loop_stop(c->loop, 0);
}

static void begin(struct world *w)
{
	signal(SIGPIPE, SIG_IGN);
	*w = (struct world){ .loop = LOOP_INIT, .silent = eventfd(0, EFD_CLOEXEC), .stdin_before = dup(0) };
	assert_int_equal(loop_init(&w->loop, &w->e), 0);
	w->carry = (struct carry){ .loop = &w->loop, .signals = w->silent, .hear = hear };
}

/* Until something stops it; else for so long. */
static int run_for(struct world *w, uint32_t ms)
{
	int r;

	assert_int_equal(source_timer(&w->deadline, &w->loop, ms, on_deadline), 0);
	r = loop_run(&w->loop);
	source_remove(&w->deadline);
	return r;
}

static void end(struct world *w)
{
	carry_done(&w->carry);
	loop_done(&w->loop);
	dup2(w->stdin_before, 0);
	close(w->stdin_before);
	close(w->silent);
}

static void two_ends(int *in, int *out)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*in = fds[0];
	*out = fds[1];
}

static void expect_text(int fd, const char *want)
{
	char buf[64] = "";

	assert_int_equal(read(fd, buf, sizeof buf - 1), strlen(want));
	assert_string_equal(buf, want);
}

/* What is written to `process` comes out of `ours`. */
static void begin_output(struct world *w, int *process, int *ours, int *to)
{
	int from;

	begin(w);
	two_ends(&from, process);
	two_ends(ours, to);
	assert_int_equal(carry_output(&w->carry, from, *to, &w->e), 0);
}

static void test_output(void **state)
{
	int process, ours, to;
	struct world w;

	(void)state;
	begin_output(&w, &process, &ours, &to);
	w.carry.output_ended = count_end;
	assert_int_equal(write(process, "hello", 5), 5);
	assert_int_equal(run_for(&w, 50), -ETIMEDOUT);
	expect_text(ours, "hello");
	assert_true(carry_has_output(&w.carry));
	assert_int_equal(write(process, "last", 4), 4);
	close(process);
	assert_int_equal(run_for(&w, 2000), 0);
	assert_int_equal(w.ended, 1);
	assert_false(carry_has_output(&w.carry));
	expect_text(ours, "last");
	close(to);
	close(ours);
	end(&w);
}

/* Whoever reads ours has gone: the process is to hear of it. */
static void test_output_nobody_reads(void **state)
{
	int process, ours, to;
	struct world w;

	(void)state;
	begin_output(&w, &process, &ours, &to);
	w.carry.output_ended = count_end;
	close(ours);
	assert_int_equal(write(process, "hello", 5), 5);
	assert_int_equal(run_for(&w, 2000), 0);
	assert_int_equal(write(process, "again", 5), -1);
	assert_int_equal(errno, EPIPE);
	close(process);
	close(to);
	end(&w);
}

static void test_rest(void **state)
{
	int process, ours, to;
	struct world w;

	(void)state;
	begin_output(&w, &process, &ours, &to);
	assert_int_equal(write(process, "rest", 4), 4);
	carry_rest(&w.carry); /* the other end is open, and not waited for */
	expect_text(ours, "rest");
	close(process);
	close(ours);
	close(to);
	end(&w);
}

/* What is written to `typed` comes out of `process`. */
static void begin_input(struct world *w, int *typed, int *process)
{
	int in, sink;

	begin(w);
	two_ends(&in, typed);
	two_ends(process, &sink);
	dup2(in, 0);
	close(in);
	w->carry.input_ended = count_end;
	assert_int_equal(carry_input(&w->carry, sink, &w->e), 0);
}

static void test_input(void **state)
{
	int typed, process;
	struct world w;
	char c;

	(void)state;
	begin_input(&w, &typed, &process);
	assert_int_equal(write(typed, "typed", 5), 5);
	assert_int_equal(run_for(&w, 50), -ETIMEDOUT);
	expect_text(process, "typed");
	close(typed);
	assert_int_equal(run_for(&w, 2000), 0);
	assert_int_equal(w.ended, 1);
	assert_int_equal(read(process, &c, 1), 0); /* the sink is closed */
	close(process);
	end(&w);
}

/* More than the process takes: it waits, and nothing is lost. */
static void test_input_that_waits(void **state)
{
	enum { MUCH = 300000 };
	int process, sink, file;
	char name[] = "/tmp/berth-carry-XXXXXX", *data = malloc(MUCH), *got = malloc(MUCH);
	size_t n = 0;
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < MUCH; i++)
		data[i] = (char)(i * 7);
	file = mkstemp(name);
	unlink(name);
	assert_int_equal(fd_write_all(file, data, MUCH), 0);
	lseek(file, 0, SEEK_SET);
	dup2(file, 0); /* what epoll does not take */
	close(file);
	two_ends(&process, &sink);
	w.carry.input_ended = count_end;
	assert_int_equal(carry_input(&w.carry, sink, &w.e), 0);
	while (n < MUCH) {
		ssize_t k;

		if (!w.ended)
			(void)run_for(&w, 10);
		k = read(process, got + n, MUCH - n);
		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_memory_equal(data, got, MUCH);
	free(data);
	free(got);
	close(process);
	end(&w);
}

/* The process reads no more: what comes is for nobody, and no error. */
static void test_input_nobody_reads(void **state)
{
	int typed, process;
	struct world w;

	(void)state;
	begin_input(&w, &typed, &process);
	close(process);
	assert_int_equal(write(typed, "typed", 5), 5);
	assert_int_equal(run_for(&w, 2000), 0);
	assert_int_equal(w.ended, 1);
	close(typed);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_output_nobody_reads),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_that_waits),
		cmocka_unit_test(test_input_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
