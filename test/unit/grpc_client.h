/* A gRPC client for the tests of the server: nghttp2's, over a socketpair. */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "grpc_peer.h"
#include "loop_for.h"

enum { CALLS = 2048 };

struct reply { /* what came on a stream */
	char http[8], type[64], status[8], words[GRPC_HEADERS_MAX];
	uint8_t *body;
	size_t cap;
	size_t len;
	int headers; /* blocks of them */
	bool closed;
	uint32_t code; /* of a reset */
	bool reset, reset_first; /* the latter: before the trailers */
};

struct sending { /* what goes */
	const uint8_t *data;
	size_t len, sent;
	bool keep_open;
};

struct client {
	int fd;
	nghttp2_session *session;
	struct grpc_peer *peer; /* the server's end, while it is there */
	struct sending sending[CALLS];
	struct reply *replies[CALLS]; /* by stream, halved */
	uint32_t max_streams;
	const uint8_t *rest; /* of what nghttp2 gave, that the socket did not take */
	ssize_t rest_len;
	int goaways;
	bool stalled; /* takes nothing from the socket */
	bool closed; /* by the server */
};

static struct grpc_server server;

static struct reply *reply_to(struct client *c, int32_t id)
{
	return c->replies[id / 2];
}

static const char *status_of(struct client *c, int32_t id)
{
	return reply_to(c, id)->status;
}

static int client_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n_name,
			 const uint8_t *value, size_t n_value, uint8_t flags, void *ctx)
{
	struct reply *r = reply_to(ctx, f->hd.stream_id);

	if (!strcmp((const char *)name, ":status"))
		snprintf(r->http, sizeof r->http, "%s", value);
	else if (!strcmp((const char *)name, "content-type"))
		snprintf(r->type, sizeof r->type, "%s", value);
	else if (!strcmp((const char *)name, "grpc-status"))
		snprintf(r->status, sizeof r->status, "%s", value);
	else if (!strcmp((const char *)name, "grpc-message"))
		snprintf(r->words, sizeof r->words, "%s", value);
	return 0;
}

static int client_frame(nghttp2_session *s, const nghttp2_frame *f, void *ctx)
{
	struct client *c = ctx;

	if (f->hd.type == NGHTTP2_SETTINGS && !(f->hd.flags & NGHTTP2_FLAG_ACK))
		c->max_streams = nghttp2_session_get_remote_settings(s, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	else if (f->hd.type == NGHTTP2_GOAWAY)
		c->goaways++;
	else if (f->hd.type == NGHTTP2_HEADERS)
		reply_to(c, f->hd.stream_id)->headers++;
	else if (f->hd.type == NGHTTP2_RST_STREAM) {
		reply_to(c, f->hd.stream_id)->reset = true;
		reply_to(c, f->hd.stream_id)->reset_first = !*status_of(c, f->hd.stream_id);
	}
	return 0;
}

static int client_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *ctx)
{
	struct reply *r = reply_to(ctx, id);

	if (r->len + n >= r->cap) { /* doubled: under ASan each realloc copies */
		r->cap = 2 * (r->len + n + 1);
		r->body = realloc(r->body, r->cap);
	}
	memcpy(r->body + r->len, data, n);
	r->len += n;
	return 0;
}

static int client_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *ctx)
{
	reply_to(ctx, id)->closed = true;
	reply_to(ctx, id)->code = code;
	return 0;
}

static ssize_t client_send(nghttp2_session *s, int32_t id, uint8_t *to, size_t cap, uint32_t *flags,
			   nghttp2_data_source *source, void *ctx)
{
	struct sending *from = source->ptr;
	size_t n = from->len - from->sent < cap ? from->len - from->sent : cap;

	if (n)
		memcpy(to, from->data + from->sent, n);
	from->sent += n;
	if (from->sent == from->len && !from->keep_open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (!n)
		return NGHTTP2_ERR_DEFERRED;
	return (ssize_t)n;
}

static int client_io(struct client *c)
{
	uint8_t buf[65536];
	int did = 0;
	ssize_t n;

	for (;;) {
		if (!c->rest_len)
			c->rest_len = nghttp2_session_mem_send(c->session, &c->rest);
		if (c->rest_len <= 0)
			break;
		n = send(c->fd, c->rest, (size_t)c->rest_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
		c->rest += n;
		c->rest_len -= n;
		did = 1;
	}
	while (!c->stalled && !c->closed && (n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT)) >= 0) {
		c->closed = !n;
		did = 1;
		assert_true(nghttp2_session_mem_recv(c->session, buf, (size_t)n) >= 0);
	}
	return did;
}

/* Until nobody has anything to say. */
static void pump(struct client *c)
{
	for (int idle = 0; idle < 4;) {
		idle = client_io(c) ? 0 : idle + 1;
		assert_int_equal(loop_dispatch(&loop), 0);
	}
}

static struct client *client_of_fd(int fd, bool takes)
{
	struct client *c = calloc(1, sizeof *c);
	nghttp2_session_callbacks *cb;
	nghttp2_option *o;

	c->fd = fd;
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, client_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, client_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, client_stream_close);
	nghttp2_option_new(&o);
	nghttp2_option_set_no_auto_window_update(o, !takes);
	nghttp2_option_set_no_http_messaging(o, 1); /* so that wrong requests can be sent */
	assert_int_equal(nghttp2_session_client_new2(&c->session, cb, c, o), 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(o);
	assert_int_equal(nghttp2_submit_settings(c->session, 0, NULL, 0), 0);
	return c;
}

/* `takes`: gives windows back as data comes; else what came stays untaken. */
static inline struct client *client_new(bool takes)
{
	struct client *c;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c = client_of_fd(pair[1], takes);
	assert_int_equal(grpc_server_add(&server, pair[0], &c->peer), 0);
	return c;
}

static void client_free(struct client *c)
{
	nghttp2_session_del(c->session);
	close(c->fd);
	for (int i = 0; i < CALLS; i++)
		if (c->replies[i]) {
			free(c->replies[i]->body);
			free(c->replies[i]);
		}
	free(c);
}

#define FIELD(k, v) { (uint8_t *)(uintptr_t)(k), (uint8_t *)(uintptr_t)(v), strlen(k), strlen(v), 0 }

/* A stream with these headers; the data as they are. */
static int32_t open_stream(struct client *c, const nghttp2_nv *fields, size_t n, const void *data, size_t len,
			   bool keep_open)
{
	int32_t id = (int32_t)nghttp2_session_get_next_stream_id(c->session);
	struct sending *s = &c->sending[id / 2];
	nghttp2_data_provider provider = { { .ptr = s }, client_send };

	assert_true(id / 2 < CALLS);
	*s = (struct sending){ data, len, 0, keep_open };
	c->replies[id / 2] = calloc(1, sizeof(struct reply));
	assert_int_equal(nghttp2_submit_request(c->session, NULL, fields, n, len || keep_open ? &provider : NULL, NULL),
			 id);
	return id;
}

struct request {
	const char *method; /* of gRPC */
	const char *key, *value; /* one more header */
	bool keep_open;
};

/* "/test.Test/METHOD" */
static int32_t send_raw(struct client *c, const struct request *q, const void *data, size_t len)
{
	char path[128] = "";
	nghttp2_nv fields[] = {
		FIELD(":method", "POST"),
		FIELD(":scheme", "http"),
		FIELD(":path", path),
		FIELD(":authority", "localhost"),
		FIELD("content-type", "application/grpc"),
		FIELD("te", "trailers"),
		FIELD(q->key ? q->key : "user-agent", q->key ? q->value : "test"),
	};

	snprintf(path, sizeof path, "/test.Test/%s", q->method);
	fields[2].valuelen = strlen(path);
	return open_stream(c, fields, sizeof fields / sizeof fields[0], data, len, q->keep_open);
}

/* With gRPC's prefix; lives until the end of the program. */
static const uint8_t *message(size_t len, size_t *ret)
{
	static struct made {
		size_t len;
		uint8_t *m;
	} made[64];
	struct made *at = made;

	while (at->m && at->len != len)
		at++;
	*ret = len + 5;
	if (at->m)
		return at->m;
	assert_true(at < made + 63);
	at->len = len;
	at->m = calloc(1, len + 5);
	for (int i = 0; i < 4; i++)
		at->m[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	for (size_t i = 0; i < len; i++)
		at->m[5 + i] = (uint8_t)(i * 7 + (i >> 12));
	return at->m;
}

static int32_t call(struct client *c, const char *method, size_t len)
{
	struct request q = { .method = method };
	size_t n;
	const uint8_t *m = message(len, &n);

	return send_raw(c, &q, m, n);
}

static void is_status(struct client *c, int32_t id, const char *status)
{
	assert_string_equal(status_of(c, id), status);
	assert_true(reply_to(c, id)->closed);
	assert_false(reply_to(c, id)->reset_first);
}

/* Whether the connection is as good as new. */
static inline void still_works(struct client *c)
{
	int32_t id = call(c, "Echo", 3);

	pump(c);
	is_status(c, id, "0");
	assert_int_equal(reply_to(c, id)->len, 8);
}
