/* ttrpc: frames in pieces, answers in any order, peers that leave, stall or lie. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "rpc_status.h"
#include "ttrpc_client.h"
#include "ttrpc_server.h"
#include "wellknown.pb-c.h"

#include "loop_for.h"

static struct ttrpc_server server;
static struct ttrpc_call *waiting[8];
static int n_waiting, n_gone;

/* ---- the service of these tests: Echo, Later, Forget, Fail ----------------- */

static void on_gone(struct ttrpc_call *c)
{
	n_gone++;
}

static void on_request(struct ttrpc_call *c)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	const char *ns = ttrpc_metadata(c, "containerd-namespace-ttrpc");
	struct err e;

	if (!strcmp(c->req->method, "Echo")) {
		any.type_url = (char *)(uintptr_t)(ns ? ns : "");
		any.value = c->req->payload;
		ttrpc_reply(c, &any.base);
	} else if (!strcmp(c->req->method, "Later") || !strcmp(c->req->method, "Forget")) {
		if (c->req->method[0] == 'L')
			c->gone = on_gone;
		waiting[n_waiting++] = c;
	} else if (!strcmp(c->req->method, "Fail")) {
		err_set(&e, ERR_NOT_FOUND, 0, "task \xff%s", "c1");
		ttrpc_fail(c, &e);
	} else if (!strcmp(c->req->method, "Exec")) {
		err_set(&e, ERR_EXEC, -EACCES, "exec: \"/etc\"");
		ttrpc_fail(c, &e);
	} else {
		err_set(&e, ERR_UNSUPPORTED, 0, "method %s", c->req->method);
		ttrpc_fail(c, &e);
	}
}

static int setup(void **state)
{
	n_waiting = n_gone = 0;
	assert_int_equal(loop_init(&loop, NULL), 0);
	assert_int_equal(ttrpc_server_init(&server, &loop, -1, on_request, NULL, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	ttrpc_server_done(&server);
	loop_done(&loop);
	return 0;
}

/* A connection of the server; ours is the other end. */
static int peer_of(int type, struct ttrpc_conn **ret)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ttrpc_server_add(&server, pair[0], ret), 0);
	return pair[1];
}

static int peer(struct ttrpc_conn **ret)
{
	return peer_of(SOCK_STREAM, ret);
}

/* ---- raw frames ------------------------------------------------------------ */

static size_t frame(uint8_t *to, uint32_t stream, uint8_t type, const char *method, size_t payload)
{
	Ttrpc__Request m = TTRPC__REQUEST__INIT;
	static uint8_t zeros[1 << 20];
	size_t len;

	m.service = (char *)(uintptr_t) "test";
	m.method = (char *)(uintptr_t)method;
	m.payload.data = zeros;
	m.payload.len = payload;
	len = ttrpc__request__pack(&m, to + TTRPC_HEADER);
	for (int i = 0; i < 4; i++) {
		to[i] = (uint8_t)(len >> (24 - 8 * i));
		to[4 + i] = (uint8_t)(stream >> (24 - 8 * i));
	}
	to[8] = type;
	to[9] = 0;
	return TTRPC_HEADER + len;
}

/* The next answer on the socket: its code; the words in buf. */
static int answer(int fd, uint32_t *stream, char *words, size_t cap)
{
	uint8_t header[TTRPC_HEADER], *body;
	Ttrpc__Response *m;
	uint32_t len;
	int code;

	assert_int_equal(recv(fd, header, sizeof header, MSG_WAITALL), sizeof header);
	len = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
	*stream = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 | header[7];
	assert_int_equal(header[8], TTRPC_RESPONSE);
	body = malloc(len + 1);
	assert_int_equal(len ? recv(fd, body, len, MSG_WAITALL) : 0, len);
	m = ttrpc__response__unpack(NULL, len, body);
	assert_non_null(m);
	code = m->status ? m->status->code : 0;
	snprintf(words, cap, "%s", m->status ? m->status->message : "");
	ttrpc__response__free_unpacked(m, NULL);
	free(body);
	return code;
}

static void a_frame_in_single_bytes(void **state)
{
	uint8_t bytes[256];
	struct ttrpc_conn *conn;
	int fd = peer(&conn);
	char words[1100];
	uint32_t stream;
	size_t n = frame(bytes, 1, TTRPC_REQUEST, "Echo", 20);

	for (size_t i = 0; i < n; i++)
		ttrpc_conn_feed(conn, bytes + i, 1);
	assert_int_equal(answer(fd, &stream, words, sizeof words), 0);
	assert_int_equal(stream, 1);
	close(fd);
	run(10);
	assert_null(server.peers);
}

static void two_frames_at_once(void **state)
{
	uint8_t bytes[512];
	struct ttrpc_conn *conn;
	int fd = peer(&conn);
	char words[1100];
	uint32_t stream;
	size_t n = frame(bytes, 1, TTRPC_REQUEST, "Echo", 3);

	n += frame(bytes + n, 3, TTRPC_REQUEST, "Nothing", 0);
	ttrpc_conn_feed(conn, bytes, n);
	assert_int_equal(answer(fd, &stream, words, sizeof words), 0);
	assert_int_equal(answer(fd, &stream, words, sizeof words), RPC_UNIMPLEMENTED);
	assert_int_equal(stream, 3);
	assert_string_equal(words, "method Nothing: not implemented");
	close(fd);
}

/* Each gets an answer on its stream, and the connection goes on. */
static void what_is_wrong_with_a_frame(void **state)
{
	static const struct {
		uint32_t stream;
		uint8_t type;
		int code;
		const char *words;
	} cases[] = {
		{ 2, TTRPC_REQUEST, RPC_INVALID_ARGUMENT, "StreamID must be odd" },
		{ 0, TTRPC_REQUEST, RPC_INVALID_ARGUMENT, "StreamID must be odd" },
		{ 5, TTRPC_REQUEST, 0, "" },
		{ 5, TTRPC_REQUEST, RPC_INVALID_ARGUMENT, "must increment" },
		{ 3, TTRPC_REQUEST, RPC_INVALID_ARGUMENT, "must increment" },
		{ 5, TTRPC_DATA, RPC_INVALID_ARGUMENT, "no longer active" },
		{ 7, TTRPC_REQUEST, 0, "" },
	};
	uint8_t bytes[256];
	struct ttrpc_conn *conn;
	int fd = peer(&conn);
	char words[1100];
	uint32_t stream;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ttrpc_conn_feed(conn, bytes, frame(bytes, cases[i].stream, cases[i].type, "Echo", 0));
		assert_int_equal(answer(fd, &stream, words, sizeof words), cases[i].code);
		assert_int_equal(stream, cases[i].stream);
		assert_non_null(strstr(words, cases[i].words));
	}
	close(fd);
}

static void bytes_that_are_no_request(void **state)
{
	static const uint8_t bad[] = { 0, 0, 0, 3, 0, 0, 0, 1, TTRPC_REQUEST, 0, 0xff, 0xff, 0xff };
	static const uint8_t unknown_type[] = { 0, 0, 0, 1, 0, 0, 0, 3, 9, 0, 'x' };
	uint8_t bytes[256];
	struct ttrpc_conn *conn;
	int fd = peer(&conn);
	char words[1100];
	uint32_t stream;

	ttrpc_conn_feed(conn, bad, sizeof bad);
	assert_int_equal(answer(fd, &stream, words, sizeof words), RPC_INVALID_ARGUMENT);
	ttrpc_conn_feed(conn, unknown_type, sizeof unknown_type); /* of a later protocol: no answer */
	ttrpc_conn_feed(conn, bytes, frame(bytes, 5, TTRPC_REQUEST, "Echo", 0));
	assert_int_equal(answer(fd, &stream, words, sizeof words), 0);
	assert_int_equal(stream, 5);
	close(fd);
}

/* It is read and thrown away without being kept, and the next one is served. */
static void a_message_that_is_too_long(void **state)
{
	static uint8_t bytes[TTRPC_HEADER + TTRPC_MESSAGE_MAX + 1] = { 0, 0x40, 0, 1, 0, 0, 0, 1, TTRPC_REQUEST };
	struct ttrpc_conn *conn;
	int fd = peer(&conn);
	char words[1100];
	uint32_t stream;

	ttrpc_conn_feed(conn, bytes, TTRPC_HEADER);
	assert_null(conn->body);
	ttrpc_conn_feed(conn, bytes + TTRPC_HEADER, TTRPC_MESSAGE_MAX + 1);
	assert_int_equal(answer(fd, &stream, words, sizeof words), RPC_RESOURCE_EXHAUSTED);
	assert_int_equal(stream, 1);
	ttrpc_conn_feed(conn, bytes, frame(bytes, 3, TTRPC_REQUEST, "Echo", 1 << 10));
	assert_int_equal(answer(fd, &stream, words, sizeof words), 0);
	close(fd);
}

/* Nothing more is read from it until it reads; then all of it arrives. */
static void a_peer_that_does_not_read(void **state)
{
	static uint8_t bytes[(1 << 20) + 256];
	static uint8_t sink[1 << 16];
	struct ttrpc_conn *conn;
	int fd = peer(&conn), n = 0;
	size_t total = 0;

	while (conn->unread < TTRPC_UNREAD_MAX) {
		ttrpc_conn_feed(conn, bytes, frame(bytes, (uint32_t)(2 * n + 1), TTRPC_REQUEST, "Echo", 1 << 20));
		n++;
	}
	assert_true(n < 16);
	assert_int_equal(write(fd, bytes, frame(bytes, (uint32_t)(2 * n + 1), TTRPC_REQUEST, "Later", 0)) > 0, 1);
	run(20);
	assert_int_equal(n_waiting, 0); /* it was not read */
	while (total < (size_t)n << 20) {
		ssize_t r = recv(fd, sink, sizeof sink, MSG_DONTWAIT);

		total += r > 0 ? (size_t)r : 0;
		if (r < 0)
			run(1); /* the loop writes as we read */
	}
	run(20);
	assert_int_equal(n_waiting, 1);
	close(fd);
	run(10);
	assert_int_equal(n_gone, 1);
}

/* ---- calls ------------------------------------------------------------------ */

static struct outcome {
	int calls, r, sys;
	enum err_kind kind;
	char words[1100];
} outcomes[8];

static void on_done(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct outcome *o = ctx;
	Google__Protobuf__Any *any = r < 0 ? NULL : google__protobuf__any__unpack(NULL, a->len, a->payload);

	o->calls++;
	o->r = r;
	o->kind = e ? e->kind : ERR_NONE;
	o->sys = e ? e->sys : 0;
	if (e)
		err_text(e, o->words, sizeof o->words);
	else
		snprintf(o->words, sizeof o->words, "%s", any->type_url);
	if (any)
		google__protobuf__any__free_unpacked(any, NULL);
}

static void client_of(struct ttrpc_client *c)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char address[64];

	/* an abstract name that the kernel chooses */
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &(socklen_t){ sizeof sa }), 0);
	assert_int_equal(listen(fd, 5), 0);
	snprintf(address, sizeof address, "@%.5s", sa.sun_path + 1);
	ttrpc_server_done(&server);
	assert_int_equal(ttrpc_server_init(&server, &loop, fd, on_request, NULL, NULL), 0);
	memset(c, 0, sizeof *c);
	assert_int_equal(ttrpc_client_connect(c, &loop, address, NULL), 0);
	memset(outcomes, 0, sizeof outcomes);
}

static void call(struct ttrpc_client *c, int i, const char *method, uint32_t ms)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_request r = { "test", method, "ns1", &m.base, ms, on_done, &outcomes[i] };

	assert_int_equal(ttrpc_client_call(c, &r, NULL), 0);
}

static void answers_in_any_order(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_client c;

	client_of(&c);
	call(&c, 0, "Later", 0);
	call(&c, 1, "Later", 0);
	call(&c, 2, "Echo", 0);
	call(&c, 3, "Fail", 0);
	call(&c, 4, "Exec", 0);
	run(20);
	assert_int_equal(outcomes[0].calls + outcomes[1].calls, 0);
	assert_string_equal(outcomes[2].words, "ns1");
	assert_int_equal(outcomes[3].kind, ERR_NOT_FOUND);
	assert_string_equal(outcomes[3].words, "task ?c1: not found");
	assert_int_equal(outcomes[4].kind, ERR_EXEC); /* with its errno, but not twice in words */
	assert_int_equal(outcomes[4].sys, EACCES);
	assert_string_equal(outcomes[4].words, "exec: \"/etc\": permission denied");
	any.type_url = (char *)(uintptr_t) "second";
	ttrpc_reply(waiting[1], &any.base);
	any.type_url = (char *)(uintptr_t) "first";
	ttrpc_reply(waiting[0], &any.base);
	run(20);
	assert_string_equal(outcomes[0].words, "first");
	assert_string_equal(outcomes[1].words, "second");
	ttrpc_client_close(&c);
}

static void a_client_that_leaves(void **state)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_client c;

	client_of(&c);
	call(&c, 0, "Later", 0);
	call(&c, 1, "Forget", 0);
	run(20);
	assert_int_equal(n_waiting, 2);
	ttrpc_client_close(&c);
	assert_int_equal(outcomes[0].calls, 1);
	assert_int_equal(outcomes[0].r, -EPIPE);
	run(20);
	assert_int_equal(n_gone, 1); /* Later, which is freed; Forget is still ours */
	assert_null(server.peers);
	ttrpc_reply(waiting[1], &m.base);
}

static void a_deadline(void **state)
{
	struct ttrpc_client c;

	client_of(&c);
	call(&c, 0, "Later", 30);
	run(80);
	assert_int_equal(outcomes[0].calls, 1);
	assert_int_equal(outcomes[0].kind, ERR_TIMEOUT);
	assert_int_equal(n_gone, 1); /* the server has the deadline, too */
	call(&c, 1, "Echo", 1000);
	run(20);
	assert_int_equal(outcomes[1].r, 0);
	ttrpc_client_close(&c);
}

static void a_server_that_ends(void **state)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_request late = { "test", "Echo", NULL, &m.base, 0, on_done, &outcomes[1] };
	struct ttrpc_client c;

	client_of(&c);
	call(&c, 0, "Later", 0);
	run(20);
	ttrpc_server_done(&server);
	assert_int_equal(n_gone, 1);
	run(20);
	assert_int_equal(outcomes[0].r, -EPIPE);
	assert_false(ttrpc_client_is_open(&c));
	assert_int_equal(ttrpc_client_call(&c, &late, NULL), -EPIPE);
	assert_int_equal(outcomes[1].calls, 0);
}

/* ---- fds -------------------------------------------------------------------- */

static struct received {
	int fds[TTRPC_FDS_MAX];
	size_t n, len;
} received[8];
static int n_received;
static bool leave_fds;

static void on_fds(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct received *to = &received[n_received++];

	assert_int_equal(r, 0);
	to->n = a->n_fds;
	to->len = a->len;
	for (size_t i = 0; i < a->n_fds && !leave_fds; i++) {
		to->fds[i] = a->fds[i];
		a->fds[i] = -1;
	}
}

/* Which pipe's end it is: a byte of it is read. */
static char letter_in(int fd)
{
	char c = '\0';

	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
	return c;
}

static int pipe_with(char c)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], &c, 1), 1);
	close(fds[1]);
	return fds[0];
}

static void ask_for_fds(struct ttrpc_client *c, int n)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_request r = { "test", "Later", NULL, &m.base, 0, on_fds, NULL };

	memset(received, 0, sizeof received);
	n_received = 0;
	leave_fds = false;
	for (int i = 0; i < n; i++)
		assert_int_equal(ttrpc_client_call(c, &r, NULL), 0);
	run(20);
	assert_int_equal(n_waiting, n);
}

/* Several answers in one read; those that have fds get theirs and no others. */
static void fds_come_with_their_answers(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	static uint8_t large[20000];
	struct ttrpc_client c;
	int fds[3];

	client_of(&c);
	ask_for_fds(&c, 6);
	fds[0] = pipe_with('a');
	ttrpc_reply(waiting[0], &any.base);
	ttrpc_reply_fds(waiting[1], &any.base, fds, 1);
	ttrpc_reply(waiting[2], &any.base);
	for (int i = 0; i < 3; i++)
		fds[i] = pipe_with((char)('b' + i));
	any.value = (ProtobufCBinaryData){ sizeof large, large }; /* several reads */
	ttrpc_reply_fds(waiting[3], &any.base, fds, 3);
	any.value.len = 0;
	fds[0] = pipe_with('e');
	ttrpc_reply_fds(waiting[4], &any.base, fds, 1);
	ttrpc_reply(waiting[5], &any.base);
	run(20);
	assert_int_equal(n_received, 6);
	assert_int_equal(received[0].n + received[2].n + received[5].n, 0);
	assert_int_equal(received[1].n, 1);
	assert_int_equal(received[3].n, 3);
	assert_true(received[3].len > sizeof large);
	assert_int_equal(received[4].n, 1);
	assert_int_equal(fcntl(received[1].fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(letter_in(received[1].fds[0]), 'a');
	for (int i = 0; i < 3; i++)
		assert_int_equal(letter_in(received[3].fds[i]), 'b' + i);
	assert_int_equal(letter_in(received[4].fds[0]), 'e');
	ttrpc_client_close(&c);
}

static int lowest_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Nor those of a call that is over, or that a server is sent. */
static void fds_that_nobody_takes_are_closed(void **state)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_request r = { "test", "Later", NULL, &m.base, 10, on_done, &outcomes[0] };
	uint8_t bytes[256];
	struct ttrpc_client c;
	struct ttrpc_conn *conn;
	int before, fds[3], fd;

	client_of(&c);
	ask_for_fds(&c, 1);
	before = lowest_free_fd();
	leave_fds = true;
	fds[0] = pipe_with('a');
	fds[1] = pipe_with('b');
	ttrpc_reply_fds(waiting[0], &m.base, fds, 2);
	run(20);
	assert_int_equal(received[0].n, 2);
	assert_int_equal(lowest_free_fd(), before);

	assert_int_equal(ttrpc_client_call(&c, &r, NULL), 0);
	n_waiting = 0;
	run(5);
	assert_int_equal(n_waiting, 1);
	waiting[0]->gone = NULL;
	run(20);
	assert_int_equal(outcomes[0].kind, ERR_TIMEOUT);
	fds[0] = pipe_with('a');
	ttrpc_reply_fds(waiting[0], &m.base, fds, 1);
	run(20);
	assert_int_equal(lowest_free_fd(), before);
	ttrpc_client_close(&c);
	run(20);

	fd = peer(&conn);
	before = lowest_free_fd();
	fds[0] = pipe_with('a');
	assert_int_equal(fd_send(fd, bytes, frame(bytes, 1, TTRPC_REQUEST, "Echo", 3), fds, 1), 0);
	close(fds[0]);
	run(20);
	assert_int_equal(lowest_free_fd(), before);
	close(fd);
}

/* A peer that sends them again and again with one frame keeps nobody's open. */
static void fds_of_an_endless_frame_are_closed(void **state)
{
	uint8_t bytes[256];
	struct ttrpc_conn *conn;
	int fd = peer(&conn), before, one;

	conn->take_fds = true;
	before = lowest_free_fd();
	frame(bytes, 1, TTRPC_REQUEST, "Echo", 3);
	for (int i = 0; i < 8; i++) {
		one = pipe_with('a');
		assert_int_equal(fd_send(fd, bytes + i, 1, &one, 1), 0);
		close(one);
		run(2);
	}
	assert_true(lowest_free_fd() <= before + 1);
	conn->take_fds = false;
	close(fd);
	run(20);
	assert_true(lowest_free_fd() <= before);
}

/* Without the loop: what is there now, and the end. */
static void a_client_that_drains(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ttrpc_client c;

	client_of(&c);
	call(&c, 0, "Later", 0);
	call(&c, 1, "Later", 0);
	run(20);
	ttrpc_client_drain(&c);
	assert_int_equal(outcomes[0].calls + outcomes[1].calls, 0);
	any.type_url = (char *)(uintptr_t) "first";
	ttrpc_reply(waiting[0], &any.base);
	ttrpc_client_drain(&c);
	assert_string_equal(outcomes[0].words, "first");
	assert_true(ttrpc_client_is_open(&c));
	ttrpc_server_done(&server);
	ttrpc_client_drain(&c);
	assert_int_equal(outcomes[1].kind, ERR_LOST);
	assert_false(ttrpc_client_is_open(&c));
}

/* Frames in the next packet, each with nothing in it; -1: there is none. */
static int frames_in_packet(int fd)
{
	uint8_t buf[1024];
	ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

	assert_true(n < 0 ? errno == EAGAIN : n % TTRPC_HEADER == 0);
	return n < 0 ? -1 : (int)n / TTRPC_HEADER;
}

static void what_is_corked_goes_together(void **state)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct ttrpc_conn *conn;
	int fd = peer_of(SOCK_SEQPACKET, &conn); /* each send is a packet */
	bool ours, inner;

	for (uint32_t i = 1; i < 5; i += 2)
		assert_int_equal(ttrpc_conn_send(conn, i, TTRPC_RESPONSE, &m.base), 0);
	assert_int_equal(frames_in_packet(fd), 1);
	assert_int_equal(frames_in_packet(fd), 1);
	ours = ttrpc_conn_cork(conn);
	assert_true(ours);
	assert_int_equal(ttrpc_conn_send(conn, 5, TTRPC_RESPONSE, &m.base), 0);
	inner = ttrpc_conn_cork(conn);
	assert_false(inner);
	assert_int_equal(ttrpc_conn_send(conn, 7, TTRPC_RESPONSE, &m.base), 0);
	ttrpc_conn_uncork(conn, inner); /* whoever was first ends it */
	assert_int_equal(ttrpc_conn_send(conn, 9, TTRPC_RESPONSE, &m.base), 0);
	assert_int_equal(frames_in_packet(fd), -1);
	ttrpc_conn_uncork(conn, ours);
	assert_int_equal(frames_in_packet(fd), 3);
	assert_int_equal(frames_in_packet(fd), -1);
	ours = ttrpc_conn_cork(conn); /* for nothing */
	ttrpc_conn_uncork(conn, ours);
	assert_int_equal(frames_in_packet(fd), -1);
	assert_int_equal(ttrpc_conn_send(conn, 11, TTRPC_RESPONSE, &m.base), 0);
	assert_int_equal(frames_in_packet(fd), 1);
	close(fd);
}

static void words_of_errors(void **state)
{
	char buf[512];
	struct err e;

	err_set(&e, ERR_STATE, 0, "cannot pause a paused container");
	assert_int_equal(rpc_code(&e), 9);
	assert_string_equal(rpc_words(&e, buf, sizeof buf), "cannot pause a paused container: failed precondition");
	/* A peer's words, or containerd's own, that end in it already. */
	err_set(&e, ERR_NOT_FOUND, 0, "process already finished: not found");
	assert_string_equal(rpc_words(&e, buf, sizeof buf), "process already finished: not found");
	err_set(&e, ERR_NOT_FOUND, 0, "task x not found");
	assert_string_equal(rpc_words(&e, buf, sizeof buf), "task x not found");
	err_set(&e, ERR_INTERNAL, -EIO, "\xe2\x82\xac \xc0\x80 \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82");
	assert_int_equal(rpc_code(&e), RPC_UNKNOWN);
	assert_string_equal(rpc_words(&e, buf, sizeof buf), "\xe2\x82\xac ?? ??? ???? ??: input/output error");
	for (int code = 0; code < 20; code++) {
		rpc_err(&e, code, "x");
		if (e.kind != ERR_INTERNAL)
			assert_int_equal(rpc_code(&e), code);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_in_single_bytes),
		TEST(two_frames_at_once),
		TEST(what_is_wrong_with_a_frame),
		TEST(bytes_that_are_no_request),
		TEST(a_message_that_is_too_long),
		TEST(a_peer_that_does_not_read),
		TEST(answers_in_any_order),
		TEST(a_client_that_leaves),
		TEST(a_deadline),
		TEST(a_server_that_ends),
		TEST(fds_come_with_their_answers),
		TEST(fds_that_nobody_takes_are_closed),
		TEST(fds_of_an_endless_frame_are_closed),
		TEST(a_client_that_drains),
		TEST(what_is_corked_goes_together),
		cmocka_unit_test(words_of_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
