/* One page over HTTP, for clients of all kinds. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "file.h"
#include "prometheus_http.h"
#include "str.h"

static char dir[] = "/tmp/berth-prometheus-XXXXXX";
static char path[64];
static struct loop loop = LOOP_INIT;
static struct prometheus_http http;

static void print(void *ctx, struct sb *out)
{
	sb_puts(out, "page 1\n");
}

static int setup(void **state)
{
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	assert_int_equal(loop_init(&loop, &e), 0);
	prometheus_http_init(&http, &loop, print, NULL);
	assert_int_equal(prometheus_http_listen(&http, path, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	prometheus_http_done(&http);
	loop_done(&loop);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static int on_time(struct source *s, uint32_t events)
{
	loop_stop(&loop, 0);
	return 0;
}

static void run_for(uint32_t ms)
{
	struct source timer = { 0 };

	assert_int_equal(source_timer(&timer, &loop, ms, on_time), 0);
	assert_int_equal(loop_run(&loop), 0);
}

static int client(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

/* What is answered to this; "": nothing. The connection ends then. */
static const char *ask(int fd, const char *request, size_t len)
{
	static char text[1024];
	ssize_t n;

	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	run_for(5);
	n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void requests(void **state)
{
	static const struct {
		const char *request, *answer, *end;
	} asked[] = {
		{ "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\npage 1\n" },
		{ "GET /metrics?x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\npage 1\n" },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "\r\n\r\n" },
		{ "PUT /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", "\r\n\r\n" },
		{ "GET /metrics HTTP/1.1\r\n", "", "" },
	};

	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		int fd = client();
		const char *text = ask(fd, asked[i].request, strlen(asked[i].request));

		assert_true(str_starts(text, asked[i].answer));
		assert_true(str_ends(text, asked[i].end));
		close(fd);
	}
	run_for(5);
	assert_int_equal(http.n, 0);
}

static void one_without_an_end(void **state)
{
	static char text[8192];
	int fd = client();
	char c;

	memset(text, 'x', sizeof text);
	assert_string_equal(ask(fd, text, sizeof text), "");
	assert_true(recv(fd, &c, 1, MSG_DONTWAIT) <= 0);
	assert_int_equal(http.n, 0);
	close(fd);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Who connects waits; and nothing spins. */
static void no_descriptor(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	int fd = client(), taken[256], n = 0;
	struct rlimit old, few;
	double before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ sizeof taken / sizeof *taken, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((taken[n] = dup(fd)) >= 0)
		n++;
	before = cpu_seconds();
	run_for(300);
	before = cpu_seconds() - before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (n)
		close(taken[--n]);
	assert_true(before < 0.1);
	run_for(150);
	assert_true(str_ends(ask(fd, request, sizeof request - 1), "page 1\n"));
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests),
		TEST(one_without_an_end),
		TEST(no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
