/*
 * gRPC: each allocation of the server fails in turn, ours and nghttp2's (both linked
 * through here). Whoever is concerned loses the connection or gets an error, nothing
 * leaks (sanitizers look), and the next client is served.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "loop.h"

static bool armed;
static unsigned until_failure; /* 0: none */
static bool has_failed;

static bool fails(void)
{
	if (!armed || !until_failure || --until_failure)
		return false;
	has_failed = true;
	return true;
}

#include "alloc_fails.h"

int __wrap_nghttp2_session_server_new2(nghttp2_session **ret, const nghttp2_session_callbacks *c, void *ctx,
				       const nghttp2_option *o);

static void *mem_malloc(size_t n, void *ctx)
{
	return __wrap_malloc(n);
}

static void *mem_calloc(size_t n, size_t size, void *ctx)
{
	return __wrap_calloc(n, size);
}

static void *mem_realloc(void *p, size_t n, void *ctx)
{
	return __wrap_realloc(p, n);
}

static void mem_free(void *p, void *ctx)
{
	free(p);
}

int __wrap_nghttp2_session_server_new2(nghttp2_session **ret, const nghttp2_session_callbacks *c, void *ctx,
				       const nghttp2_option *o)
{
	static nghttp2_mem mem = { NULL, mem_malloc, mem_free, mem_calloc, mem_realloc };

	return nghttp2_session_server_new3(ret, c, ctx, o, &mem);
}

static int dispatch(struct loop *l)
{
	int r;

	armed = true;
	r = loop_dispatch(l);
	armed = false;
	return r;
}
#define loop_dispatch(l) dispatch(l)

#include "err.h"
#include "grpc_client.h"

static int n_requests, n_gone;

static void on_gone(struct grpc_call *c)
{
	n_gone++;
}

static void on_request(struct grpc_call *c)
{
	const char *method = strrchr(c->path, '/') + 1;
	struct grpc_message *m;
	struct err e;

	n_requests++;
	if (!strcmp(method, "Later")) {
		c->gone = on_gone;
	} else if (!strcmp(method, "Fail")) {
		m = grpc_message_packed("x", 1);
		if (m)
			grpc_send(c, m);
		grpc_message_unref(m);
		err_set(&e, ERR_NOT_FOUND, 0, "task");
		grpc_fail(c, &e);
	} else {
		m = grpc_message_packed(c->body, c->len);
		for (int i = 0; m && i < 3; i++)
			grpc_send(c, m);
		grpc_message_unref(m);
		grpc_end(c);
	}
}

/* Until the client has all its answers, or none will come. */
static void calls_of_all_kinds(void)
{
	struct request wrong = { "Echo", "grpc-timeout", "x", false }, late = { "Later", "grpc-timeout", "1m", false };
	struct client *c;
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c = client_of_fd(pair[1], true);
	armed = true;
	r = grpc_server_add(&server, pair[0], &c->peer);
	armed = false;
	if (r >= 0) {
		int32_t ids[5] = { call(c, "Echo", 100000), call(c, "Fail", 0), send_raw(c, &wrong, "\0\0\0\0\0", 5),
				   send_raw(c, &late, "\0\0\0\0\0", 5), call(c, "Echo", 0) };

		call(c, "Later", 0);
		pump(c);
		run(2);
		pump(c);
		for (int i = 0; i < 5 && !c->closed; i++)
			assert_true(reply_to(c, ids[i])->closed);
		if (!has_failed)
			is_status(c, ids[0], "0");
	}
	client_free(c);
	run(1);
	assert_null(server.peers);
	assert_int_equal(server.bodies, 0);
}

static void every_allocation_fails(void **state)
{
	unsigned n = 0;
	int r;

	do {
		n_requests = n_gone = 0;
		has_failed = false;
		assert_int_equal(loop_init(&loop, NULL), 0);
		until_failure = ++n;
		armed = true;
		r = grpc_server_init(&server, &loop, -1, on_request, NULL, NULL);
		armed = false;
		if (r >= 0) {
			bool failed;

			calls_of_all_kinds();
			failed = has_failed;
			until_failure = 0;
			has_failed = false;
			n_requests = n_gone = 0;
			calls_of_all_kinds();
			assert_int_equal(n_requests, 5);
			assert_int_equal(n_gone, 2);
			has_failed = failed;
			grpc_server_done(&server);
		}
		loop_done(&loop);
	} while (has_failed);
	assert_true(n > 50);
	print_message("%u allocations\n", n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_fails) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
