/*
 * gRPC: peers that send too much, too little, or nonsense, or that do not read; and a
 * listening socket when descriptors run out.
 */
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "grpc_client.h"
#include "sys.h"
#include "wellknown.pb-c.h"

static int n_requests, n_gone;
static size_t reply_size;

static void on_gone(struct grpc_call *c)
{
	n_gone++;
}

static void on_request(struct grpc_call *c)
{
	const char *method = strrchr(c->path, '/') + 1;
	ProtobufCBinaryData data;

	n_requests++;
	if (!strcmp(method, "Later")) {
		c->gone = on_gone;
	} else if (!strcmp(method, "Big")) {
		Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

		data = (ProtobufCBinaryData){ reply_size, calloc(1, reply_size) };
		any.value = data;
		grpc_reply(c, &any.base);
		free(data.data);
	} else {
		struct grpc_message *m = grpc_message_packed(c->body, c->len);

		grpc_send(c, m);
		grpc_message_unref(m);
		grpc_end(c);
	}
}

static int setup(void **state)
{
	n_requests = n_gone = 0;
	assert_int_equal(loop_init(&loop, NULL), 0);
	assert_int_equal(grpc_server_init(&server, &loop, -1, on_request, NULL, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	grpc_server_done(&server);
	assert_int_equal(server.bodies, 0);
	loop_done(&loop);
	return 0;
}

/* A minute passes. */
static void sweep(void)
{
	assert_non_null(server.sweep.loop);
	source_remove(&server.sweep);
	assert_int_equal(server.sweep.fn(&server.sweep, 0), 0);
}

/* ---- what is kept of requests ---------------------------------------------------- */

static void half_requests_are_given_up(void **state)
{
	struct client *c = client_new(true);
	struct request q = { .method = "Echo", .keep_open = true };
	int32_t id = send_raw(c, &q, "\0\0\0\0\5he", 7), slow, none;

	none = send_raw(c, &q, "", 0);
	pump(c);
	sweep();
	slow = send_raw(c, &q, "\0\0\0\0\5he", 7);
	pump(c);
	assert_string_equal(status_of(c, id), "");
	sweep();
	pump(c);
	is_status(c, id, "4");
	is_status(c, none, "4");
	assert_string_equal(status_of(c, slow), "");
	c->sending[slow / 2] = (struct sending){ (const uint8_t *)"llo", 3, 0, false };
	nghttp2_session_resume_data(c->session, slow);
	pump(c);
	is_status(c, slow, "0");
	sweep();
	assert_null(server.sweep.loop); /* there is nothing to look at any more */
	client_free(c);
}

/* Nothing, half a preface, and half of the headers of a request. */
static void silent_peers_are_closed(void **state)
{
	struct client *c[3] = { client_new(true), client_new(true), client_new(true) };
	size_t had;
	const uint8_t *data;
	ssize_t n;

	grpc_peer_feed(c[1]->peer, (const uint8_t *)"PRI * HTTP/2.0\r\n", 16);
	pump(c[2]);
	call(c[2], "Echo", 1);
	n = nghttp2_session_mem_send(c[2]->session, &data);
	grpc_peer_feed(c[2]->peer, data, (size_t)n - 10);
	had = server.n_peers;
	sweep();
	sweep();
	run(5);
	assert_int_equal(server.n_peers, had - 3);
	for (int i = 0; i < 3; i++)
		client_free(c[i]);
}

static void an_idle_peer_is_kept(void **state)
{
	struct client *c = client_new(true);
	int32_t id = call(c, "Later", 1);

	pump(c);
	sweep();
	assert_null(server.sweep.loop);
	assert_string_equal(status_of(c, id), "");
	still_works(c);
	client_free(c);
}

/* Announced lengths cost nothing; what has come is bounded, and who asks for more refused. */
static void requests_together_are_bounded(void **state)
{
	struct client *c = client_new(true);
	struct request q = { .method = "Echo", .keep_open = true };
	int32_t id[6];
	int refused = 0;
	size_t n;
	const uint8_t *m = message(GRPC_MESSAGE_MAX, &n);

	for (int i = 0; i < 6; i++)
		id[i] = send_raw(c, &q, m, 1000);
	pump(c);
	assert_true(server.bodies <= 6 * (65536 + 1000)); /* with their headers */
	for (int i = 0; i < 6; i++) {
		c->sending[id[i] / 2] = (struct sending){ m + 1000, n - 1001, 0, true };
		nghttp2_session_resume_data(c->session, id[i]);
		pump(c);
	}
	assert_true(server.bodies <= GRPC_BODIES_MAX);
	for (int i = 0; i < 6; i++) {
		if (reply_to(c, id[i])->closed) {
			is_status(c, id[i], "8");
			refused++;
			continue;
		}
		c->sending[id[i] / 2] = (struct sending){ m + n - 1, 1, 0, false };
		nghttp2_session_resume_data(c->session, id[i]);
		pump(c);
		is_status(c, id[i], "0");
	}
	assert_int_equal(refused, 3); /* four and their headers are more */
	assert_int_equal(server.bodies, 0);
	still_works(c);
	client_free(c);
}

static void requests_of_all_peers_are_bounded(void **state)
{
	struct client *c = client_new(true);
	int32_t id;

	pump(c);
	server.bodies += GRPC_ALL_BODIES_MAX - 100000; /* as if others had sent them */
	id = call(c, "Echo", 200000);
	pump(c);
	is_status(c, id, "8");
	still_works(c);
	server.bodies -= GRPC_ALL_BODIES_MAX - 100000;
	assert_int_equal(server.bodies, 0);
	id = call(c, "Echo", 200000);
	pump(c);
	is_status(c, id, "0");
	client_free(c);
}

static void headers_are_bounded(void **state)
{
	struct client *c = client_new(true);
	char value[GRPC_HEADERS_MAX - 2000];
	struct request q = { .method = "Echo", .key = "x", .value = value };
	nghttp2_nv fields[2500];
	int32_t id;
	size_t n;
	const uint8_t *m = message(1, &n);

	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	id = send_raw(c, &q, m, n);
	pump(c);
	is_status(c, id, "0");
	for (size_t i = 0; i < 2500; i++)
		fields[i] = (nghttp2_nv)FIELD("k", "");
	fields[0] = (nghttp2_nv)FIELD(":method", "POST");
	fields[1] = (nghttp2_nv)FIELD(":scheme", "http");
	fields[2] = (nghttp2_nv)FIELD(":path", "/test.Test/Echo");
	fields[3] = (nghttp2_nv)FIELD("content-type", "application/grpc");
	fields[4] = (nghttp2_nv)FIELD("host", "x");
	id = open_stream(c, fields, 2500, m, n, false);
	pump(c);
	is_status(c, id, "8");
	still_works(c);
	assert_true(c->peer->block.text.cap <= 4096);
	client_free(c);
}

/* What is kept of them is, too: of calls that wait for long, each with many. */
static void headers_together_are_bounded(void **state)
{
	enum { EACH = GRPC_HEADERS_MAX - 2000, N = GRPC_BODIES_MAX / EACH + 20 };
	struct client *c = client_new(true);
	char *value = malloc(EACH);
	struct request q = { .method = "Later", .key = "x", .value = value };
	int32_t id[N];
	int refused = 0;
	size_t n;
	const uint8_t *m = message(1, &n);

	memset(value, 'v', EACH - 1);
	value[EACH - 1] = '\0';
	for (int i = 0; i < N; i++) {
		id[i] = send_raw(c, &q, m, n);
		pump(c);
		refused += !strcmp(status_of(c, id[i]), "8");
	}
	assert_in_range(refused, 10, 25);
	assert_string_equal(status_of(c, id[0]), "");
	assert_true(server.bodies <= GRPC_BODIES_MAX);
	for (int i = 0; i < N; i++)
		nghttp2_submit_rst_stream(c->session, 0, id[i], NGHTTP2_CANCEL);
	pump(c);
	assert_int_equal(server.bodies, 0);
	still_works(c);
	free(value);
	client_free(c);
}

/* ---- peers that do not read ------------------------------------------------------ */

/* Windows are shut: those over the bound wait, and all come in the end. */
static void answers_that_are_not_taken(void **state)
{
	struct client *c = client_new(false);
	int32_t id[100];

	reply_size = 1 << 20;
	pump(c);
	for (int i = 0; i < 100; i++)
		id[i] = call(c, "Big", 0);
	pump(c);
	assert_true(n_requests < 40);
	assert_true(c->peer->unread < GRPC_UNREAD_MAX + (2 << 20));
	nghttp2_submit_rst_stream(c->session, 0, id[99], NGHTTP2_CANCEL);
	nghttp2_session_set_local_window_size(c->session, 0, 0, 1 << 30);
	for (int i = 0; i < 99; i++)
		nghttp2_session_set_local_window_size(c->session, 0, id[i], 1 << 21);
	pump(c);
	assert_int_equal(n_requests, 99);
	for (int i = 0; i < 99; i++)
		is_status(c, id[i], "0");
	assert_int_equal(c->peer->unread, 0);
	client_free(c);
}

/* One that waits for its turn has its deadline, may be cancelled, and ends with its peer. */
static void requests_that_wait(void **state)
{
	struct client *c = client_new(false);
	struct request q = { "Big", "grpc-timeout", "30m", false };
	int32_t late, cancelled;

	reply_size = 15 << 20;
	pump(c);
	for (int i = 0; i < 4; i++)
		call(c, "Big", 0);
	late = send_raw(c, &q, "\0\0\0\0\0", 5);
	cancelled = call(c, "Big", 0);
	call(c, "Big", 0);
	pump(c);
	assert_int_equal(n_requests, 3);
	nghttp2_submit_rst_stream(c->session, 0, cancelled, NGHTTP2_CANCEL);
	pump(c);
	run(50);
	pump(c);
	is_status(c, late, "4");
	assert_int_equal(n_requests, 3);
	assert_non_null(c->peer->held->next_held);
	assert_null(c->peer->held->next_held->next_held);
	client_free(c);
	run(5);
	assert_int_equal(n_requests, 3);
}

/* Nor the socket: nothing is written that cannot be, and no more read than answered. */
static void a_peer_that_reads_nothing(void **state)
{
	struct client *c = client_new(true), *other = client_new(true);
	int32_t id[500];

	reply_size = 100000;
	pump(c);
	c->stalled = true;
	for (int i = 0; i < 500; i++)
		id[i] = call(c, "Big", 0);
	pump(c);
	assert_true(c->peer->unread < GRPC_UNREAD_MAX + (2 << 20));
	still_works(other);
	c->stalled = false;
	pump(c);
	for (int i = 0; i < 500; i++)
		is_status(c, id[i], "0");
	client_free(c);
	client_free(other);
}

/* One that never ends sending what wants an answer, and reads none. */
static void a_flood(const void *frame, size_t n)
{
	struct client *c = client_new(true), *other = client_new(true);
	uint8_t sink[4096];
	size_t sent = 0;

	pump(c);
	c->stalled = true;
	for (int i = 0; i < 200000 && server.n_peers == 2; i++) {
		ssize_t r = send(c->fd, frame, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += r > 0 ? (size_t)r : 0;
		if (r < 0 || i % 1000 == 0)
			pump(other);
		if (r < 0 && errno == EAGAIN)
			break; /* it is not read any more */
	}
	pump(other);
	assert_true(sent < 199000 * n);
	still_works(other);
	while (recv(c->fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
		;
	client_free(c);
	client_free(other);
}

static void a_flood_of_pings(void **state)
{
	a_flood("\0\0\x08\6\0\0\0\0\0pingping", 17);
}

static void a_flood_of_settings(void **state)
{
	a_flood("\0\0\0\4\0\0\0\0\0", 9);
}

static void a_flood_of_resets(void **state)
{
	struct client *c = client_new(true), *other = client_new(true);

	pump(c);
	for (int i = 0; i < 2000 && !c->goaways; i++) {
		for (int k = 0; k < 10; k++) { /* the same number in the client's table again */
			int32_t id = call(c, "Later", 0);

			nghttp2_submit_rst_stream(c->session, 0, id, NGHTTP2_CANCEL);
			client_io(c);
			free(c->replies[id / 2]);
			c->replies[id / 2] = NULL;
			if (id / 2 >= CALLS - 2) {
				client_free(c);
				c = client_new(true);
			}
		}
		pump(c);
	}
	still_works(other);
	client_free(c);
	client_free(other);
}

/* ---- bytes that are none of the protocol's --------------------------------------- */

static void nonsense(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxx", 33 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\0\1\4\0\0\0\1", 42 }, /* no headers */
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\1\0\1\0\0\0\2x", 43 }, /* for no stream */
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\xff\xff\xff\1\4\0\0\0\1", 42 }, /* too long */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t sink[4096];
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(grpc_server_add(&server, pair[0], NULL), 0);
		assert_int_equal(send(pair[1], cases[i].bytes, cases[i].n, 0), cases[i].n);
		run(5);
		if (i != 2) /* which is a request without a method: of the stream alone */
			assert_null(server.peers);
		assert_int_equal(n_requests, 0);
		while (recv(pair[1], sink, sizeof sink, MSG_DONTWAIT) > 0)
			;
		close(pair[1]);
		run(5);
		assert_null(server.peers);
	}
}

/* ---- listening ------------------------------------------------------------------- */

static int connect_to(const struct sockaddr_un *sa, socklen_t n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)sa, n), 0);
	return fd;
}

static int listening(struct sockaddr_un *sa, socklen_t *n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* an abstract name that the kernel chooses */
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof(sa_family_t)), 0);
	*n = sizeof *sa;
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, n), 0);
	assert_int_equal(listen(fd, 100), 0);
	return fd;
}

static void descriptors_run_out(void **state)
{
	struct rlimit was, few;
	struct sockaddr_un sa;
	struct client *c;
	socklen_t n;
	int fd = listening(&sa, &n);

	grpc_server_done(&server);
	assert_int_equal(grpc_server_init(&server, &loop, fd, on_request, NULL, NULL), 0);
	c = client_of_fd(connect_to(&sa, n), true);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)c->fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	run(20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(server.n_peers, 0);
	assert_int_equal(server.listener.io.fd, -1); /* a timer: nothing spins */
	run(150);
	assert_int_equal(server.n_peers, 1);
	still_works(c);
	client_free(c);
}

static void peers_are_bounded(void **state)
{
	int pair[2];

	for (server.n_peers += GRPC_PEERS_MAX - 1;;) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		if (grpc_server_add(&server, pair[0], NULL) < 0)
			break;
		assert_int_equal(server.n_peers, GRPC_PEERS_MAX);
		close(pair[1]);
	}
	assert_int_equal(recv(pair[1], pair, 1, 0), 0); /* closed */
	close(pair[1]);
	run(5);
	assert_null(server.peers);
	assert_int_equal(server.n_peers, GRPC_PEERS_MAX - 1);
	server.n_peers = 0;
}

static void others_are_not_served(void **state)
{
	struct sockaddr_un sa;
	socklen_t n;
	int fd = listening(&sa, &n), status;
	pid_t pid;

	if (geteuid())
		skip();
	grpc_server_done(&server);
	assert_int_equal(grpc_server_init(&server, &loop, fd, on_request, NULL, NULL), 0);
	pid = fork();
	if (!pid) {
		char c;

		if (sys_setresuid(65534) < 0)
			_exit(2);
		fd = connect_to(&sa, n);
		_exit(recv(fd, &c, 1, 0) != 0);
	}
	for (int i = 0; i < 500 && !waitpid(pid, &status, WNOHANG); i++)
		run(10);
	assert_int_equal(status, 0);
	assert_null(server.peers);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(half_requests_are_given_up),
		TEST(silent_peers_are_closed),
		TEST(an_idle_peer_is_kept),
		TEST(requests_together_are_bounded),
		TEST(requests_of_all_peers_are_bounded),
		TEST(headers_are_bounded),
		TEST(headers_together_are_bounded),
		TEST(answers_that_are_not_taken),
		TEST(requests_that_wait),
		TEST(a_peer_that_reads_nothing),
		TEST(a_flood_of_pings),
		TEST(a_flood_of_settings),
		TEST(a_flood_of_resets),
		TEST(nonsense),
		TEST(descriptors_run_out),
		TEST(peers_are_bounded),
		TEST(others_are_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
