/* gRPC: calls, streams of answers, errors, cancelled calls, deadlines, the server's end. */
#include <sys/ioctl.h>

#include "err.h"
#include "grpc_client.h"
#include "rpc_status.h"
#include "wellknown.pb-c.h"

static struct grpc_call *waiting[8];
static int n_waiting, n_gone, n_requests, n_stopped, n_writable;
static size_t reply_size;
static struct grpc_message *stream_message;
static unsigned stream_left;

/* ---- the service of these tests ------------------------------------------------- */

static void on_gone(struct grpc_call *c)
{
	n_gone++;
}

static void give(struct grpc_call *c, const void *body, size_t len)
{
	struct grpc_message *m = grpc_message_packed(body, len);

	grpc_send(c, m);
	grpc_message_unref(m);
	grpc_end(c);
}

static void stream_more(struct grpc_call *c)
{
	n_writable++;
	while (stream_left) {
		stream_left--;
		if (grpc_send(c, stream_message) > GRPC_SEND_MARK && stream_left)
			return;
	}
	grpc_end(c);
}

static void answer_any(struct grpc_call *c, const char *url, size_t size)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)(uintptr_t)url;
	any.value.len = size;
	any.value.data = size ? calloc(1, size) : NULL;
	grpc_reply(c, &any.base);
	free(any.value.data);
}

static void on_request(struct grpc_call *c)
{
	const char *method = strrchr(c->path, '/') + 1, *ns = grpc_metadata(c, "containerd-namespace");
	struct err e;

	n_requests++;
	assert_non_null(c->body);
	if (!strcmp(method, "Echo")) {
		give(c, c->body, c->len);
	} else if (!strcmp(method, "Any")) {
		answer_any(c, ns ? ns : "", reply_size);
	} else if (!strcmp(method, "Later") || !strcmp(method, "Forget")) {
		if (method[0] == 'L')
			c->gone = on_gone;
		waiting[n_waiting++] = c;
	} else if (!strcmp(method, "Stream")) {
		c->gone = on_gone;
		c->writable = stream_more;
		waiting[n_waiting++] = c;
		stream_more(c);
	} else if (!strcmp(method, "Done")) {
		c->gone = on_gone;
		grpc_server_done(&server);
	} else {
		err_set(&e, ERR_NOT_FOUND, 0, "t\xc3\xa4sk 100%%");
		grpc_fail(c, &e);
	}
}

static void on_stopped(struct grpc_server *s)
{
	n_stopped++;
}

static int setup(void **state)
{
	n_waiting = n_gone = n_requests = n_stopped = n_writable = 0;
	reply_size = 0;
	assert_int_equal(loop_init(&loop, NULL), 0);
	assert_int_equal(grpc_server_init(&server, &loop, -1, on_request, NULL, NULL), 0);
	server.stopped = on_stopped;
	*state = client_new(true);
	return 0;
}

static int teardown(void **state)
{
	client_free(*state);
	grpc_server_done(&server);
	loop_done(&loop);
	grpc_message_unref(stream_message);
	stream_message = NULL;
	return 0;
}

/* ---- one answer ----------------------------------------------------------------- */

static void an_echo_of_any_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 16379, 16384, 65536, 1 << 20, GRPC_MESSAGE_MAX };
	struct client *c = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int32_t id = call(c, "Echo", sizes[i]);
		struct reply *r = reply_to(c, id);

		pump(c);
		is_status(c, id, "0");
		assert_string_equal(r->http, "200");
		assert_string_equal(r->type, "application/grpc");
		assert_int_equal(r->headers, 2);
		assert_int_equal(r->len, sizes[i] + 5);
		assert_memory_equal(r->body, c->sending[id / 2].data, r->len);
		assert_false(r->reset);
	}
	assert_int_equal(server.bodies, 0);
	assert_int_equal(c->max_streams, GRPC_STREAMS_MAX);
}

static void a_request_in_single_bytes(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Echo", 300);
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &data)) > 0)
		for (ssize_t i = 0; i < n; i++)
			grpc_peer_feed(c->peer, data + i, 1);
	pump(c);
	is_status(c, id, "0");
	assert_int_equal(reply_to(c, id)->len, 305);
}

static void metadata(void **state)
{
	struct client *c = *state;
	struct request q = { "Any", "containerd-namespace", "k8s.io", false };
	size_t n;
	const uint8_t *m = message(0, &n);
	int32_t id = send_raw(c, &q, m, n);

	pump(c);
	is_status(c, id, "0");
	assert_memory_equal(reply_to(c, id)->body, "\0\0\0\0\x08\x0a\x06k8s.io", 13);
	q.key = "x-data-bin";
	id = send_raw(c, &q, m, n);
	pump(c);
	is_status(c, id, "0");
	assert_int_equal(reply_to(c, id)->len, 5);
}

static void answers_in_any_order(void **state)
{
	struct client *c = *state;
	int32_t first = call(c, "Later", 0), second = call(c, "Later", 0), third = call(c, "Echo", 1);

	pump(c);
	is_status(c, third, "0");
	assert_int_equal(n_waiting, 2);
	answer_any(waiting[1], "", 0);
	pump(c);
	is_status(c, second, "0");
	assert_string_equal(status_of(c, first), "");
	answer_any(waiting[0], "", 0);
	pump(c);
	is_status(c, first, "0");
	assert_int_equal(n_gone, 0);
}

static void an_error(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Fail", 0);

	pump(c);
	is_status(c, id, "5");
	assert_string_equal(reply_to(c, id)->words, "t%C3%A4sk 100%25: not found");
	assert_string_equal(reply_to(c, id)->http, "200");
	assert_int_equal(reply_to(c, id)->headers, 1); /* trailers only */
	assert_int_equal(reply_to(c, id)->len, 0);
	still_works(c);
}

static void an_answer_that_is_too_long(void **state)
{
	struct client *c = *state;
	int32_t id;

	reply_size = GRPC_MESSAGE_MAX;
	id = call(c, "Any", 0);
	pump(c);
	is_status(c, id, "8");
	still_works(c);
}

/* ---- what is wrong with a request ----------------------------------------------- */

static void wrong_messages(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *status, *words;
	} cases[] = {
		{ "", 0, "13", "no request message" },
		{ "\0\0\0", 3, "13", "unexpected EOF" },
		{ "\0\0\0\0\5", 5, "13", "unexpected EOF" },
		{ "\0\0\0\0\5hell", 9, "13", "unexpected EOF" },
		{ "\1\0\0\0\1x", 6, "12", "compressed" },
		{ "\7\0\0\0\1x", 6, "13", "payload format 7" },
		{ "\0\0\0\0\1x\0", 7, "13", "multiple request messages" },
		{ "\0\0\0\0\1x\0\0\0\0\1x", 12, "13", "multiple request messages" },
		{ "\0\1\0\0\1x", 6, "8", "larger than max (16777217 vs. 16777216)" },
		{ "\0\xff\xff\xff\xff", 5, "8", "larger than max (4294967295 vs. 16777216)" },
	};
	struct client *c = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct request q = { .method = "Echo" };
		int32_t id = send_raw(c, &q, cases[i].data, cases[i].len);

		pump(c);
		is_status(c, id, cases[i].status);
		assert_non_null(strstr(reply_to(c, id)->words, cases[i].words));
		assert_int_equal(n_requests, (int)i);
		n_requests--;
		still_works(c);
		n_requests++;
	}
	assert_int_equal(server.bodies, 0);
	assert_int_equal(c->peer->n_half, 0);
}

/* All of it is sent before the answer is read. */
static void a_message_that_is_too_long(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Echo", GRPC_MESSAGE_MAX + 1);

	pump(c);
	assert_string_equal(status_of(c, id), "8");
	assert_true(reply_to(c, id)->closed);
	assert_int_equal(server.bodies, 0);
	still_works(c);
}

static void wrong_headers(void **state)
{
	static const struct {
		const char *method, *path, *type, *key, *value;
		const char *http, *status, *words;
	} cases[] = {
		{ "GET", "/a/b", "application/grpc", "x", "y", "405", "13", "\"GET\" which should be POST" },
		{ "POST", "/a/b", "application/json", "x", "y", "415", "3", "content-type \"application/json\"" },
		{ "POST", "/a/b", "", "x", "y", "415", "3", "content-type \"\"" },
		{ "POST", "/a/b", "application/grpc", "grpc-timeout", "1", "400", "13", "malformed grpc-timeout" },
		{ "POST", "/a/b", "application/grpc", "grpc-encoding", "gzip", "200", "12", "Decompressor" },
		{ "POST", "/a/b", "application/grpc", "grpc-encoding", "identity", "200", "5", "not found" },
		{ "POST", "a/b", "application/grpc", "x", "y", "200", "12", "malformed method name: \"a/b\"" },
		{ "POST", "", "application/grpc", "x", "y", "200", "12", "malformed method name: \"\"" },
		{ "POST", "/a/b", "application/grpc+proto", "x", "y", "200", "5", "not found" },
	};
	struct client *c = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		nghttp2_nv fields[] = {
			FIELD(":method", cases[i].method),
			FIELD(":scheme", "http"),
			FIELD(":path", cases[i].path),
			FIELD(":authority", "localhost"),
			FIELD("content-type", cases[i].type),
			FIELD(cases[i].key, cases[i].value),
		};
		size_t n;
		const uint8_t *m = message(2, &n);
		int32_t id = open_stream(c, fields, sizeof fields / sizeof fields[0], m, n, false);

		pump(c);
		is_status(c, id, cases[i].status);
		assert_string_equal(reply_to(c, id)->http, cases[i].http);
		assert_non_null(strstr(reply_to(c, id)->words, cases[i].words));
		still_works(c);
	}
}

/* Go's clients of some years ago name the socket. */
static void authorities(void **state)
{
	static const char *values[] = { "localhost", "unix:///run/containerd/containerd.sock", "%2Frun%2Fx", "" };
	struct client *c = *state;

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		nghttp2_nv fields[] = {
			FIELD(":method", "POST"),
			FIELD(":scheme", "http"),
			FIELD(":path", "/test.Test/Echo"),
			FIELD(*values[i] ? ":authority" : "user-agent", values[i]),
			FIELD("content-type", "application/grpc"),
		};
		size_t n;
		const uint8_t *m = message(2, &n);
		int32_t id = open_stream(c, fields, 5, m, n, false);

		pump(c);
		is_status(c, id, "0");
	}
}

static void a_nul_in_headers(void **state)
{
	struct client *c = *state;
	nghttp2_nv fields[] = {
		FIELD(":method", "POST"),
		FIELD(":scheme", "http"),
		FIELD(":path", "/test.Test/Echo"),
		FIELD("content-type", "application/grpc"),
		FIELD("x", "a"),
	};
	size_t n;
	const uint8_t *m = message(2, &n);

	fields[4].valuelen = 2; /* with its end */
	for (int i = 0; i < 2; i++) {
		int32_t id = open_stream(c, fields, 5, m, n, false);

		pump(c);
		assert_true(reply_to(c, id)->reset);
		assert_int_equal(reply_to(c, id)->code, NGHTTP2_PROTOCOL_ERROR);
		fields[4] = fields[2];
		fields[4].namelen++;
	}
	still_works(c);
}

/* The client waits for an answer before it ends its request. */
static bool knows_echo(struct grpc_server *s, const char *path)
{
	return !strcmp(path, "/test.Test/Echo");
}

static void a_method_that_is_not_known(void **state)
{
	struct request q = { .method = "Nothing", .keep_open = true };
	struct client *c = *state;
	int32_t id = send_raw(c, &q, "\0\0\0\0\1x", 6);

	pump(c);
	assert_string_equal(status_of(c, id), ""); /* who does not know waits for the end of it */
	server.knows = knows_echo;
	id = send_raw(c, &q, "\0\0\0\0\1x", 6);
	pump(c);
	is_status(c, id, "5");
	assert_true(reply_to(c, id)->reset);
	assert_int_equal(reply_to(c, id)->code, NGHTTP2_NO_ERROR);
	still_works(c);
}

/* ---- a stream of answers -------------------------------------------------------- */

static void a_stream(void **state)
{
	struct client *c = *state;
	int32_t id;

	stream_message = grpc_message_packed("event", 5);
	stream_left = 1000;
	id = call(c, "Stream", 0);
	pump(c);
	is_status(c, id, "0");
	assert_int_equal(reply_to(c, id)->len, 1000 * 10);
	assert_memory_equal(reply_to(c, id)->body + 9990, "\0\0\0\0\5event", 10);
	assert_int_equal(reply_to(c, id)->headers, 2);
}

static void a_stream_that_comes_slowly(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Later", 0);
	struct grpc_message *m = grpc_message_packed("event", 5);
	struct err e;

	pump(c);
	for (int i = 1; i < 4; i++) {
		grpc_send(waiting[0], m);
		pump(c);
		assert_int_equal(reply_to(c, id)->len, 10 * (size_t)i);
		assert_string_equal(status_of(c, id), "");
	}
	grpc_message_unref(m);
	err_set(&e, ERR_STATE, 0, "too slow");
	grpc_fail(waiting[0], &e);
	pump(c);
	is_status(c, id, "9");
	assert_string_equal(reply_to(c, id)->words, "too slow: failed precondition");
	assert_int_equal(n_gone, 0);
}

/* What is sent stays in order, and the error comes after it. */
static void an_error_after_what_was_sent(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Later", 0);
	struct grpc_message *m = grpc_message_packed("event", 5);
	struct err e;

	pump(c);
	grpc_send(waiting[0], m);
	grpc_send(waiting[0], m);
	grpc_message_unref(m);
	err_set(&e, ERR_LOST, 0, "the shim");
	grpc_fail(waiting[0], &e);
	pump(c);
	is_status(c, id, "14");
	assert_int_equal(reply_to(c, id)->len, 20);
}

static void a_stream_with_nothing(void **state)
{
	struct client *c = *state;
	int32_t id;

	stream_left = 0;
	id = call(c, "Stream", 0);
	pump(c);
	is_status(c, id, "0");
	assert_int_equal(reply_to(c, id)->headers, 1);
}

/* One call's answers are not read; another goes on beside it, and the first later. */
static void a_stalled_stream(void **state)
{
	static const uint8_t zeros[1 << 16];
	struct client *c = client_new(false);
	size_t had;
	int32_t id, beside;

	stream_message = grpc_message_packed(zeros, sizeof zeros);
	stream_left = 100;
	id = call(c, "Stream", 0);
	pump(c);
	had = reply_to(c, id)->len;
	assert_int_equal(had, 65535);
	assert_int_equal(stream_left, 95); /* over the mark, no more is asked for */
	assert_int_equal(n_writable, 2); /* the beginning, and once again */
	nghttp2_session_set_local_window_size(c->session, 0, 0, 1 << 20); /* the connection's */
	beside = call(c, "Echo", 1000);
	pump(c);
	is_status(c, beside, "0");
	assert_int_equal(reply_to(c, id)->len, had);
	while (stream_left || reply_to(c, id)->len < 100 * 65541) {
		nghttp2_session_consume(c->session, id, reply_to(c, id)->len - had);
		had = reply_to(c, id)->len;
		if (had == 65535)
			nghttp2_session_consume(c->session, id, had);
		pump(c);
	}
	is_status(c, id, "0");
	assert_true(n_writable > 50);
	client_free(c);
}

/* ---- receipts ------------------------------------------------------------------- */

static unsigned n_told;

static void on_told(struct grpc_receipt *r)
{
	n_told++;
}

static void send_with_receipt(struct grpc_call *c)
{
	static const uint8_t zeros[30000];
	static struct grpc_receipt receipt = { on_told };
	struct grpc_message *m = grpc_message_packed(zeros, sizeof zeros);

	grpc_message_receipt(m, &receipt);
	grpc_send(c, m);
	grpc_message_unref(m);
}

/* For each message by itself, when a socket has the last byte of it. */
static void a_receipt(void **state)
{
	struct client *c = client_new(false);
	int32_t id = call(c, "Later", 0);

	n_told = 0;
	pump(c);
	for (int i = 0; i < 3; i++)
		send_with_receipt(waiting[0]);
	assert_int_equal(n_told, 0);
	pump(c); /* the window is 65,535 */
	assert_int_equal(n_told, 2);
	nghttp2_session_consume(c->session, id, 65535);
	pump(c);
	assert_int_equal(n_told, 3);
	client_free(c);
	assert_int_equal(n_told, 3);
}

static void a_receipt_from_a_full_socket(void **state)
{
	struct client *c = client_new(true);
	int32_t id = call(c, "Later", 0);
	uint8_t some[1000];

	n_told = 0;
	pump(c);
	nghttp2_session_set_local_window_size(c->session, 0, 0, 1 << 30);
	nghttp2_session_set_local_window_size(c->session, 0, id, 1 << 30);
	pump(c);
	c->stalled = true;
	for (int i = 0; i < 100; i++)
		send_with_receipt(waiting[0]);
	pump(c);
	assert_in_range(n_told, 1, 99);
	for (ssize_t n = 0, had = 0; n >= 0; n = recv(c->fd, some, sizeof some, MSG_DONTWAIT)) {
		int there;

		had += n;
		pump(c);
		assert_int_equal(ioctl(c->fd, FIONREAD, &there), 0);
		assert_in_range(n_told, 1, (had + there) / 30005);
	}
	assert_int_equal(n_told, 100);
	client_free(c);
}

/* What nobody is to get any more is told, too; but not while one may. */
static void a_receipt_of_who_has_gone(void **state)
{
	static const uint8_t zeros[70000];
	static struct grpc_receipt receipt = { on_told };
	struct client *a = client_new(false), *b = client_new(false);
	struct grpc_message *m = grpc_message_packed(zeros, sizeof zeros);

	n_told = 0;
	call(a, "Later", 0);
	call(b, "Later", 0);
	pump(a);
	pump(b);
	grpc_message_receipt(m, &receipt);
	grpc_send(waiting[0], m);
	grpc_send(waiting[1], m);
	grpc_message_unref(m);
	pump(a);
	pump(b);
	assert_int_equal(n_told, 0);
	client_free(a);
	pump(b);
	assert_int_equal(n_told, 0);
	client_free(b);
	still_works(*state);
	assert_int_equal(n_told, 1);
}

/* ---- calls that end otherwise --------------------------------------------------- */

static void a_cancelled_call(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Later", 0), forgotten = call(c, "Forget", 0);

	pump(c);
	nghttp2_submit_rst_stream(c->session, 0, id, NGHTTP2_CANCEL);
	nghttp2_submit_rst_stream(c->session, 0, forgotten, NGHTTP2_CANCEL);
	pump(c);
	assert_int_equal(n_gone, 1);
	answer_any(waiting[1], "", 0); /* thrown away */
	pump(c);
	still_works(c);
	assert_int_equal(n_gone, 1);
	assert_null(c->peer->streams);
}

static void a_stream_that_is_cancelled(void **state)
{
	struct client *c = *state;
	int32_t id = call(c, "Later", 0), forgotten = call(c, "Forget", 0);

	stream_message = grpc_message_packed("event", 5);
	pump(c);
	grpc_send(waiting[0], stream_message);
	grpc_send(waiting[1], stream_message);
	pump(c);
	grpc_send(waiting[0], stream_message); /* not sent yet when the reset comes */
	nghttp2_submit_rst_stream(c->session, 0, id, NGHTTP2_CANCEL);
	nghttp2_submit_rst_stream(c->session, 0, forgotten, NGHTTP2_CANCEL);
	pump(c);
	assert_int_equal(n_gone, 1);
	assert_int_equal(grpc_send(waiting[1], stream_message), 0);
	grpc_end(waiting[1]);
	still_works(c);
}

static void deadlines(void **state)
{
	struct client *c = *state;
	struct request q = { "Later", "grpc-timeout", "30m", false }, half = { "Echo", "grpc-timeout", "30m", true },
		       long_time = { "Forget", "grpc-timeout", "99999999H", false };
	int32_t later = send_raw(c, &q, "\0\0\0\0\0", 5), never, unfinished, far;

	q.method = "Forget";
	never = send_raw(c, &q, "\0\0\0\0\0", 5);
	unfinished = send_raw(c, &half, "\0\0\0\0\5he", 7);
	far = send_raw(c, &long_time, "\0\0\0\0\0", 5);
	pump(c);
	run(60);
	pump(c);
	assert_int_equal(n_gone, 1);
	is_status(c, later, "4");
	is_status(c, never, "4");
	assert_string_equal(reply_to(c, never)->words, "context deadline exceeded");
	is_status(c, unfinished, "4");
	assert_string_equal(status_of(c, far), "");
	answer_any(waiting[1], "", 0); /* thrown away */
	answer_any(waiting[2], "", 0);
	pump(c);
	is_status(c, far, "0");
	assert_int_equal(server.bodies, 0);
	still_works(c);
}

/* It has passed with the answer on its way: that arrives. */
static void a_deadline_that_is_kept(void **state)
{
	struct client *c = *state;
	struct request q = { "Later", "grpc-timeout", "30m", false };
	int32_t id = send_raw(c, &q, "\0\0\0\0\0", 5);

	pump(c);
	answer_any(waiting[0], "", 0);
	run(60);
	pump(c);
	is_status(c, id, "0");
	assert_int_equal(n_gone, 0);
}

static void a_client_that_leaves(void **state)
{
	struct client *c = client_new(true);

	call(c, "Later", 0);
	call(c, "Forget", 0);
	pump(c);
	assert_int_equal(server.n_peers, 2);
	client_free(c);
	run(10);
	assert_int_equal(n_gone, 1);
	assert_int_equal(server.n_peers, 1);
	answer_any(waiting[1], "", 0);
}

static void a_server_that_ends(void **state)
{
	struct client *c = *state;

	call(c, "Later", 0);
	call(c, "Forget", 0);
	pump(c);
	grpc_server_done(&server);
	assert_int_equal(n_gone, 1);
	pump(c);
	assert_true(c->closed);
	answer_any(waiting[1], "", 0);
}

/* Within a request, while nghttp2 is at work. */
static void a_server_that_is_ended_by_a_call(void **state)
{
	struct client *c = *state;

	call(c, "Later", 0);
	pump(c);
	call(c, "Done", 0);
	call(c, "Echo", 0);
	pump(c);
	assert_true(c->closed);
	assert_int_equal(n_gone, 2);
	assert_int_equal(n_requests, 2);
}

/* Those that run may end; then the connection, and then the server. */
static void a_graceful_stop(void **state)
{
	struct client *c = *state, *idle = client_new(true), *silent = client_new(true);
	int32_t id = call(c, "Later", 0);

	pump(c);
	pump(idle);
	grpc_server_stop(&server);
	grpc_server_stop(&server);
	pump(c);
	pump(idle);
	assert_int_equal(c->goaways, 1);
	assert_false(c->closed);
	assert_true(idle->closed);
	assert_int_equal(n_stopped, 0);
	assert_int_equal(server.n_peers, 1);
	answer_any(waiting[0], "", 0);
	pump(c);
	is_status(c, id, "0");
	assert_true(c->closed);
	assert_int_equal(n_stopped, 1);
	assert_int_equal(n_gone, 0);
	client_free(idle);
	client_free(silent);
}

/* What has no end of its own ends then, behind what was sent; a stream or none. */
static void a_graceful_stop_ends_what_has_no_end(void **state)
{
	struct client *c = *state;
	int32_t stream = call(c, "Later", 0), wait = call(c, "Later", 0);
	struct grpc_message *m = grpc_message_packed("told", 4);

	pump(c);
	for (int i = 0; i < 2; i++)
		waiting[i]->endless = true;
	grpc_send(waiting[0], m);
	grpc_server_stop(&server);
	assert_int_equal(n_gone, 2);
	pump(c);
	is_status(c, stream, "14");
	assert_int_equal(reply_to(c, stream)->len, 5 + 4);
	is_status(c, wait, "14");
	assert_true(c->closed);
	assert_int_equal(n_stopped, 1);
	grpc_message_unref(m);
}

/* On its way when the server stops: it is not done, as the client is told so. */
static void a_request_after_the_stop(void **state)
{
	struct client *c = *state;
	int32_t before, after;
	const uint8_t *data;
	uint8_t all[1024];
	size_t n = 0;

	before = call(c, "Later", 0);
	pump(c);
	grpc_server_stop(&server);
	after = call(c, "Echo", 0);
	for (ssize_t k; (k = nghttp2_session_mem_send(c->session, &data)) > 0; n += (size_t)k)
		memcpy(all + n, data, (size_t)k);
	grpc_peer_feed(c->peer, all, n);
	pump(c);
	assert_int_equal(n_requests, 1);
	assert_int_equal(c->goaways, 1);
	assert_true(reply_to(c, after)->closed);
	assert_int_equal(reply_to(c, after)->code, NGHTTP2_REFUSED_STREAM);
	answer_any(waiting[0], "", 0);
	pump(c);
	is_status(c, before, "0");
	assert_int_equal(n_stopped, 1);
}

static void a_graceful_stop_of_nobody(void **state)
{
	struct client *c = *state;

	grpc_server_done(&server);
	assert_int_equal(grpc_server_init(&server, &loop, -1, on_request, NULL, NULL), 0);
	server.stopped = on_stopped;
	grpc_server_stop(&server);
	assert_int_equal(n_stopped, 0); /* by the loop */
	pump(c);
	assert_int_equal(n_stopped, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_echo_of_any_size),
		TEST(a_request_in_single_bytes),
		TEST(metadata),
		TEST(answers_in_any_order),
		TEST(an_error),
		TEST(an_answer_that_is_too_long),
		TEST(wrong_messages),
		TEST(a_message_that_is_too_long),
		TEST(wrong_headers),
		TEST(authorities),
		TEST(a_nul_in_headers),
		TEST(a_method_that_is_not_known),
		TEST(a_stream),
		TEST(a_stream_that_comes_slowly),
		TEST(an_error_after_what_was_sent),
		TEST(a_stream_with_nothing),
		TEST(a_stalled_stream),
		TEST(a_receipt),
		TEST(a_receipt_from_a_full_socket),
		TEST(a_receipt_of_who_has_gone),
		TEST(a_cancelled_call),
		TEST(a_stream_that_is_cancelled),
		TEST(deadlines),
		TEST(a_deadline_that_is_kept),
		TEST(a_client_that_leaves),
		TEST(a_server_that_ends),
		TEST(a_server_that_is_ended_by_a_call),
		TEST(a_graceful_stop),
		TEST(a_graceful_stop_ends_what_has_no_end),
		TEST(a_request_after_the_stop),
		TEST(a_graceful_stop_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
