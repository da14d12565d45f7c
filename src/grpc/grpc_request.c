/* What comes on a stream: headers, the one message of a request, its end, its deadline. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grpc_peer.h"
#include "grpc_words.h"
#include "rpc_status.h"

enum { FIELD = 32, TEXT_KEPT = 2048, BODY_FIRST = 64 << 10 };

/* ---- headers -------------------------------------------------------------------- */

/* What was large once is not kept for a connection's life. */
void grpc_block_begin(struct grpc_block *b)
{
	if (b->text.cap > TEXT_KEPT || b->text.failed)
		sb_done(&b->text);
	b->text.len = 0;
	b->size = 0;
	b->open = true;
	b->is_bad = false;
}

void grpc_block_add(struct grpc_block *b, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value)
{
	b->size += n_name + n_value + FIELD;
	if (b->size > GRPC_HEADERS_MAX)
		return;
	if (memchr(name, '\0', n_name) || memchr(value, '\0', n_value))
		b->is_bad = true;
	sb_add(&b->text, (const char *)name, n_name);
	sb_putc(&b->text, '\0');
	sb_add(&b->text, (const char *)value, n_value);
	sb_putc(&b->text, '\0');
}

struct headers {
	const char *method, *path, *type, *timeout, *encoding;
};

static void find(const char *text, size_t n, struct headers *h)
{
	const struct {
		const char *key;
		const char **value;
	} wanted[] = {
		{ ":method", &h->method }, { ":path", &h->path },	     { "content-type", &h->type },
		{ "grpc-timeout", &h->timeout }, { "grpc-encoding", &h->encoding },
	};
	const char *end = text + n;

	while (text < end) {
		const char *value = text + strlen(text) + 1;

		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
			if (!strcmp(text, wanted[i].key))
				*wanted[i].value = value;
		text = value + strlen(value) + 1;
	}
}

const char *grpc_metadata(const struct grpc_call *c, const char *key)
{
	const struct grpc_stream *st = (const struct grpc_stream *)c;
	const char *text = st->text, *end = text + st->n_text;

	while (text < end) {
		const char *value = text + strlen(text) + 1;

		if (!strcmp(text, key))
			return value;
		text = value + strlen(value) + 1;
	}
	return NULL;
}

/* ---- the message ---------------------------------------------------------------- */

static void is_whole(struct grpc_stream *st)
{
	if (st->half)
		st->peer->n_half--;
	st->half = false;
}

static void charge(struct grpc_peer *p, size_t less, size_t more)
{
	p->bodies += more - less;
	p->server->bodies += more - less;
}

/* Taken from the stream; the caller frees it. */
static uint8_t *take_body(struct grpc_stream *st)
{
	uint8_t *body = st->body;

	charge(st->peer, st->cap, 0);
	st->body = NULL;
	st->cap = 0;
	return body;
}

static void refuse(struct grpc_stream *st, int status, const char *words)
{
	is_whole(st);
	free(take_body(st));
	grpc_stream_end(st, status, words);
}

static bool is_room(const struct grpc_peer *p, size_t more)
{
	return p->bodies + more <= GRPC_BODIES_MAX && p->server->bodies + more <= GRPC_ALL_BODIES_MAX;
}

static const char no_room[] = "grpc: requests take too much memory";

/* For so many bytes of the message. An announced length is believed as its bytes come. */
static bool make_room(struct grpc_stream *st, size_t need)
{
	struct grpc_peer *p = st->peer;
	size_t cap = st->cap ? st->cap : BODY_FIRST;
	uint8_t *grown = NULL;

	if (need <= st->cap)
		return true;
	while (cap < need)
		cap *= 2;
	if (cap > st->call.len)
		cap = st->call.len;
	if (is_room(p, cap - st->cap))
		grown = realloc(st->body, cap);
	if (!grown) {
		refuse(st, RPC_RESOURCE_EXHAUSTED, no_room);
		return false;
	}
	charge(p, st->cap, cap);
	st->body = grown;
	st->cap = cap;
	return true;
}

static void prefix_is_there(struct grpc_stream *st)
{
	const uint8_t *p = st->prefix;
	char words[96];

	st->call.len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (p[0] == 1) {
		refuse(st, RPC_UNIMPLEMENTED, "grpc: a message is compressed");
	} else if (p[0]) {
		snprintf(words, sizeof words, "grpc: received unexpected payload format %d", p[0]);
		refuse(st, RPC_INTERNAL, words);
	} else if (st->call.len > GRPC_MESSAGE_MAX) {
		snprintf(words, sizeof words, "grpc: received message larger than max (%zu vs. %d)", st->call.len,
			 GRPC_MESSAGE_MAX);
		refuse(st, RPC_RESOURCE_EXHAUSTED, words);
	}
}

void grpc_request_data(struct grpc_stream *st, const uint8_t *data, size_t n)
{
	st->touched = true;
	while (n && st->half && st->n_prefix < sizeof st->prefix) {
		st->prefix[st->n_prefix++] = *data++;
		n--;
		if (st->n_prefix == sizeof st->prefix)
			prefix_is_there(st);
	}
	if (!n || !st->half)
		return; /* the rest of what was refused */
	if (n > st->call.len - st->have) {
		refuse(st, RPC_INTERNAL, "cardinality violation: received multiple request messages");
	} else if (make_room(st, st->have + n)) {
		memcpy(st->body + st->have, data, n);
		st->have += n;
	}
}

static void to_handler(struct grpc_stream *st)
{
	uint8_t *body = take_body(st);

	is_whole(st);
	st->with_handler = true;
	st->call.body = body ? body : st->prefix; /* never NULL */
	st->call.server->request(&st->call);
	free(body);
}

void grpc_request_end(struct grpc_stream *st)
{
	struct grpc_peer *p = st->peer;

	if (!st->half)
		return;
	if (!st->n_prefix) {
		refuse(st, RPC_INTERNAL, "cardinality violation: received no request message");
	} else if (st->n_prefix < sizeof st->prefix || st->have < st->call.len) {
		refuse(st, RPC_INTERNAL, "unexpected EOF");
	} else if (p->unread > GRPC_UNREAD_MAX || p->held) {
		is_whole(st);
		st->is_held = true;
		*p->last_held = st;
		p->last_held = &st->next_held;
	} else {
		to_handler(st);
	}
}

static void leave_held(struct grpc_stream *st)
{
	struct grpc_peer *p = st->peer;
	struct grpc_stream **at = &p->held;

	while (*at != st)
		at = &(*at)->next_held;
	*at = st->next_held;
	if (!*at)
		p->last_held = at;
	st->is_held = false;
}

void grpc_request_go_on(struct grpc_peer *p)
{
	while (p->held && p->unread <= GRPC_UNREAD_MAX) {
		struct grpc_stream *st = p->held;

		leave_held(st);
		to_handler(st);
	}
}

void grpc_request_sweep(struct grpc_peer *p)
{
	for (struct grpc_stream *st = p->streams; st; st = st->next) {
		if (st->half && !st->touched)
			refuse(st, RPC_DEADLINE_EXCEEDED, "grpc: the request does not end");
		st->touched = false;
	}
}

/* ---- a stream ------------------------------------------------------------------- */

/* Nobody waits for it any more; without `gone` the handler has it until it answers. */
static void is_gone(struct grpc_stream *st)
{
	if (!st->with_handler || !st->call.gone)
		return;
	st->with_handler = false;
	st->call.gone(&st->call);
}

static int on_deadline(struct source *s, uint32_t events)
{
	struct grpc_stream *st = (struct grpc_stream *)((char *)s - offsetof(struct grpc_stream, deadline));

	if (st->is_held)
		leave_held(st);
	grpc_stream_discard(st);
	refuse(st, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	is_gone(st);
	return 0;
}

void grpc_request_stop(struct grpc_peer *p)
{
	for (struct grpc_stream *st = p->streams; st; st = st->next) {
		if (!st->with_handler || !st->call.endless)
			continue;
		source_remove(&st->deadline);
		grpc_stream_end(st, RPC_UNAVAILABLE, "the daemon ends: unavailable");
		is_gone(st);
	}
}

void grpc_stream_left(struct grpc_stream *st)
{
	struct grpc_peer *p = st->peer;

	if (st->is_held)
		leave_held(st);
	is_whole(st);
	free(take_body(st));
	charge(p, st->n_text, 0);
	grpc_stream_discard(st);
	source_remove(&st->deadline);
	if (st->is_writable)
		p->n_writable--;
	if (st->prev)
		st->prev->next = st->next;
	else
		p->streams = st->next;
	if (st->next)
		st->next->prev = st->prev;
	if (p->fd < 0) /* else nghttp2 forgets it itself */
		nghttp2_session_set_stream_user_data(p->session, st->id, NULL);
	st->peer = NULL;
	st->ended = true;
	is_gone(st);
	grpc_stream_free(st);
}

static struct grpc_stream *make_stream(struct grpc_peer *p, int32_t id)
{
	struct grpc_stream *st = calloc(1, sizeof *st + p->block.text.len);

	if (!st)
		return NULL;
	st->n_text = p->block.text.len;
	memcpy(st->text, p->block.text.s, st->n_text);
	if (nghttp2_session_set_stream_user_data(p->session, id, st)) {
		free(st);
		return NULL;
	}
	st->call.server = p->server;
	st->peer = p;
	charge(p, 0, st->n_text);
	st->id = id;
	st->touched = true;
	st->half = true;
	p->n_half++;
	st->last_out = &st->out;
	st->next = p->streams;
	if (st->next)
		st->next->prev = st;
	p->streams = st;
	return st;
}

/* As grpc-go does; false: it is answered. */
static bool is_grpc(struct grpc_peer *p, int32_t id, const struct headers *h)
{
	char words[256];

	if (!h->type || !grpc_type_is_known(h->type)) {
		snprintf(words, sizeof words, "invalid gRPC request content-type \"%.128s\"", h->type ? h->type : "");
		grpc_refuse(p, id, "415", RPC_INVALID_ARGUMENT, words);
	} else if (!h->method || strcmp(h->method, "POST")) {
		snprintf(words, sizeof words, "Received a HEADERS frame with :method \"%.128s\" which should be POST",
			 h->method ? h->method : "");
		grpc_refuse(p, id, "405", RPC_INTERNAL, words);
	} else if (!h->path || *h->path != '/') {
		snprintf(words, sizeof words, "malformed method name: \"%.128s\"", h->path ? h->path : "");
		grpc_refuse(p, id, "200", RPC_UNIMPLEMENTED, words);
	} else {
		return true;
	}
	return false;
}

static void reset(struct grpc_peer *p, int32_t id, uint32_t code)
{
	if (nghttp2_submit_rst_stream(p->session, NGHTTP2_FLAG_NONE, id, code))
		grpc_peer_break(p);
	grpc_peer_dirty(p);
}

void grpc_request_begin(struct grpc_peer *p, int32_t id, bool end)
{
	struct grpc_block *b = &p->block;
	struct headers h = { 0 };
	struct grpc_stream *st;
	uint64_t ms = 0;

	b->open = false;
	/* GOAWAY, which may be not sent yet, says that we have not begun with it: the
	 * client will ask again, our successor perhaps. */
	if (p->server->stopping)
		return reset(p, id, NGHTTP2_REFUSED_STREAM);
	if (b->is_bad)
		return reset(p, id, NGHTTP2_PROTOCOL_ERROR);
	if (b->size > GRPC_HEADERS_MAX)
		return grpc_refuse(p, id, "200", RPC_RESOURCE_EXHAUSTED, "grpc: headers larger than max");
	find(b->text.s, b->text.len, &h);
	if (!is_grpc(p, id, &h))
		return;
	if (h.timeout && grpc_timeout_parse(h.timeout, &ms) < 0)
		return grpc_refuse(p, id, "400", RPC_INTERNAL, "malformed grpc-timeout");
	if (!is_room(p, b->text.len))
		return grpc_refuse(p, id, "200", RPC_RESOURCE_EXHAUSTED, no_room);
	st = b->text.failed ? NULL : make_stream(p, id);
	if (!st)
		return grpc_peer_break(p);
	st->call.path = st->text + (h.path - b->text.s);
	/* A deadline that is further away than the loop can count is none. */
	if (h.timeout && ms < UINT32_MAX)
		source_timer(&st->deadline, p->server->loop, (uint32_t)ms, on_deadline);
	if (h.encoding && strcmp(h.encoding, "identity"))
		refuse(st, RPC_UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding");
	else if (p->server->knows && !p->server->knows(p->server, st->call.path))
		to_handler(st);
	else if (end)
		grpc_request_end(st);
}
