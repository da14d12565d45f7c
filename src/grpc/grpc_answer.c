/* What goes on a stream: headers, messages, and the status in its trailers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "grpc_peer.h"
#include "grpc_words.h"
#include "rpc_status.h"

enum { PREFIX = 5, STATUS_MAX = 16 };

/* ---- messages ------------------------------------------------------------------- */

struct grpc_message {
	unsigned refs;
	struct grpc_receipt *receipt; /* NULL: nobody waits for it */
	size_t len; /* with the prefix */
	uint8_t data[];
};

static struct grpc_message *make_message(size_t len)
{
	struct grpc_message *m = len <= GRPC_MESSAGE_MAX ? malloc(sizeof *m + PREFIX + len) : NULL;

	if (!m)
		return NULL;
	m->refs = 1;
	m->receipt = NULL;
	m->len = PREFIX + len;
	m->data[0] = 0;
	for (int i = 0; i < 4; i++)
		m->data[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	return m;
}

struct grpc_message *grpc_message_new(const ProtobufCMessage *message)
{
	struct grpc_message *m = make_message(protobuf_c_message_get_packed_size(message));

	if (m)
		protobuf_c_message_pack(message, m->data + PREFIX);
	return m;
}

struct grpc_message *grpc_message_packed(const void *body, size_t len)
{
	struct grpc_message *m = make_message(len);

	if (m && len)
		memcpy(m->data + PREFIX, body, len);
	return m;
}

struct grpc_message *grpc_message_ref(struct grpc_message *m)
{
	m->refs++;
	return m;
}

static void tell(struct grpc_message *m)
{
	struct grpc_receipt *r = m->receipt;

	m->receipt = NULL;
	if (r)
		r->told(r);
}

void grpc_message_unref(struct grpc_message *m)
{
	if (!m || --m->refs)
		return;
	tell(m);
	free(m);
}

void grpc_message_receipt(struct grpc_message *m, struct grpc_receipt *r)
{
	m->receipt = r;
}

/* ---- headers and trailers ------------------------------------------------------- */

#define FIXED (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)
#define TEXT(s) (uint8_t *)(uintptr_t)(s), sizeof(s) - 1
#define NAME(s, value, n, flags) { (uint8_t *)(uintptr_t)(s), (uint8_t *)(uintptr_t)(value), sizeof(s) - 1, n, flags }

static const nghttp2_nv http_ok = NAME(":status", "200", 3, FIXED);
static const nghttp2_nv content_type = NAME("content-type", "application/grpc", 16, FIXED);

static nghttp2_nv status_field(int status)
{
	static const char numbers[STATUS_MAX + 1][3] = { "0", "1", "2",	 "3",  "4",  "5",  "6",	 "7", "8",
							 "9", "10", "11", "12", "13", "14", "15", "16" };
	const char *s = numbers[status];

	return (nghttp2_nv)NAME("grpc-status", s, strlen(s), FIXED);
}

/* The words are copied. */
static nghttp2_nv words_field(const char *words)
{
	return (nghttp2_nv)NAME("grpc-message", words, strlen(words), NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

/* Each has another value: no place in the table of headers for it. */
static nghttp2_nv trailer_field(const struct grpc_stream *st)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)st->trailer_key, (uint8_t *)st->trailer, strlen(st->trailer_key),
			     strlen(st->trailer), NGHTTP2_NV_FLAG_NO_INDEX };
}

/* Trailers only. */
static int submit_status(nghttp2_session *session, int32_t id, nghttp2_nv http, int status, const char *words)
{
	nghttp2_nv fields[] = { http, content_type, status_field(status), { 0 } };
	size_t n = 3;

	if (words && *words)
		fields[n++] = words_field(words);
	return nghttp2_submit_response(session, id, fields, n, NULL);
}

static int submit_trailers(const struct grpc_stream *st)
{
	nghttp2_nv fields[] = { status_field(st->status), { 0 }, { 0 } };
	size_t n = 1;

	if (st->words && *st->words)
		fields[n++] = words_field(st->words);
	if (st->trailer)
		fields[n++] = trailer_field(st);
	return nghttp2_submit_trailer(st->peer->session, st->id, fields, n);
}

void grpc_refuse(struct grpc_peer *p, int32_t id, const char *http, int status, const char *words)
{
	nghttp2_nv field = NAME(":status", http, strlen(http), FIXED);
	char encoded[GRPC_WORDS_MAX + 1];

	grpc_words_encode(words, encoded);
	if (submit_status(p->session, id, field, status, encoded))
		grpc_peer_break(p);
	grpc_peer_dirty(p);
}

/* ---- the queue of a stream ------------------------------------------------------ */

static void count_less(struct grpc_stream *st, size_t n)
{
	st->unread -= n;
	if (st->single)
		st->peer->unread -= n;
	if (st->over_mark && st->unread <= GRPC_SEND_MARK) {
		st->over_mark = false;
		st->is_writable = true;
		st->peer->n_writable++;
	}
}

static struct grpc_out *unqueue(struct grpc_stream *st)
{
	struct grpc_out *o = st->out;

	st->out = o->next;
	if (!st->out)
		st->last_out = &st->out;
	st->sent = 0;
	return o;
}

static void drop_first(struct grpc_stream *st)
{
	struct grpc_out *o = unqueue(st);

	grpc_message_unref(o->m);
	o->m = NULL;
	if (o != &st->own)
		free(o);
}

void grpc_peer_forget(struct grpc_peer *p, bool sent)
{
	for (struct grpc_out *o; (o = p->taken) != NULL;) {
		p->taken = o->next;
		if (sent)
			tell(o->m);
		grpc_message_unref(o->m);
		free(o);
	}
}

/* All of it is about to be sent. */
static void take_first(struct grpc_stream *st)
{
	struct grpc_out *o;

	if (st->single) {
		drop_first(st);
		return;
	}
	o = unqueue(st);
	o->next = st->peer->taken;
	st->peer->taken = o;
}

void grpc_stream_discard(struct grpc_stream *st)
{
	st->over_mark = false;
	count_less(st, st->unread);
	while (st->out)
		drop_first(st);
}

/* Up to `cap` bytes of it. */
static size_t take(struct grpc_stream *st, uint8_t *to, size_t cap)
{
	size_t len = 0;

	while (st->out && len < cap) {
		const struct grpc_message *m = st->out->m;
		size_t n = m->len - st->sent < cap - len ? m->len - st->sent : cap - len;

		memcpy(to + len, m->data + st->sent, n);
		len += n;
		st->sent += n;
		if (st->sent == m->len)
			take_first(st);
	}
	count_less(st, len);
	return len;
}

static ssize_t on_room(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap, uint32_t *flags,
		       nghttp2_data_source *source, void *ctx)
{
	struct grpc_stream *st = source->ptr;
	size_t n = take(st, to, cap);

	if (st->out)
		return (ssize_t)n;
	if (!st->ended)
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return submit_trailers(st) ? NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)n;
}

/* There is something to send. */
static void begin_or_resume(struct grpc_stream *st)
{
	nghttp2_nv fields[] = { http_ok, content_type };
	nghttp2_data_provider data = { { .ptr = st }, on_room };
	int r;

	if (st->begun)
		r = nghttp2_session_resume_data(st->peer->session, st->id);
	else
		r = nghttp2_submit_response(st->peer->session, st->id, fields, 2, &data);
	if (nghttp2_is_fatal(r)) /* else it is not deferred, or about to be closed */
		grpc_peer_break(st->peer);
	st->begun = true;
	grpc_peer_dirty(st->peer);
}

static bool queue(struct grpc_stream *st, struct grpc_message *m)
{
	struct grpc_out *o = st->single ? &st->own : malloc(sizeof *o);

	if (!o)
		return false;
	o->next = NULL;
	o->m = grpc_message_ref(m);
	*st->last_out = o;
	st->last_out = &o->next;
	st->unread += m->len;
	if (st->single)
		st->peer->unread += m->len;
	return true;
}

void grpc_stream_end(struct grpc_stream *st, int status, const char *words)
{
	char encoded[GRPC_WORDS_MAX + 1] = "";
	struct grpc_peer *p = st->peer;

	if (st->ended || !p)
		return;
	st->ended = true;
	st->status = status;
	if (words)
		grpc_words_encode(words, encoded);
	if (!st->begun) {
		st->begun = true;
		if (submit_status(p->session, st->id, http_ok, status, encoded))
			grpc_peer_break(p);
		grpc_peer_dirty(p);
		return;
	}
	if (*encoded) {
		st->words = strdup(encoded);
		if (!st->words)
			grpc_peer_break(p);
	}
	begin_or_resume(st);
}

void grpc_stream_free(struct grpc_stream *st)
{
	if (st->peer || st->with_handler)
		return;
	free(st->words);
	free(st->trailer);
	free(st);
}

void grpc_peer_writable(struct grpc_peer *p)
{
	for (struct grpc_stream *st = p->streams, *next; p->n_writable && st; st = next) {
		next = st->next;
		if (!st->is_writable)
			continue;
		st->is_writable = false;
		p->n_writable--;
		if (st->with_handler && st->call.writable) {
			st->call.writable(&st->call);
			break;
		}
	}
	if (p->n_writable)
		grpc_peer_dirty(p);
}

/* ---- the handler's side --------------------------------------------------------- */

static void is_answered(struct grpc_stream *st)
{
	st->with_handler = false;
	if (st->peer)
		source_remove(&st->deadline);
	grpc_stream_free(st);
}

void grpc_trailer(struct grpc_call *c, const char *key, const char *value)
{
	struct grpc_stream *st = (struct grpc_stream *)c;

	free(st->trailer);
	st->trailer_key = key;
	st->trailer = strdup(value);
}

void grpc_reply(struct grpc_call *c, const ProtobufCMessage *message)
{
	struct grpc_stream *st = (struct grpc_stream *)c;
	struct grpc_message *m = NULL;

	if (st->ended)
		return is_answered(st);
	m = grpc_message_new(message);
	st->single = true;
	if (m && queue(st, m)) {
		st->ended = true;
		begin_or_resume(st);
	} else if (protobuf_c_message_get_packed_size(message) > GRPC_MESSAGE_MAX) {
		grpc_stream_end(st, RPC_RESOURCE_EXHAUSTED, "grpc: trying to send message larger than max");
	} else {
		grpc_peer_break(st->peer);
	}
	grpc_message_unref(m);
	is_answered(st);
}

void grpc_fail(struct grpc_call *c, const struct err *e)
{
	struct grpc_stream *st = (struct grpc_stream *)c;
	char words[sizeof e->msg + 256];

	grpc_stream_end(st, rpc_code(e), rpc_words(e, words, sizeof words));
	is_answered(st);
}

size_t grpc_send(struct grpc_call *c, struct grpc_message *m)
{
	struct grpc_stream *st = (struct grpc_stream *)c;

	if (st->ended)
		return 0;
	if (!queue(st, m)) {
		grpc_peer_break(st->peer);
		return st->unread;
	}
	if (st->unread > GRPC_SEND_MARK)
		st->over_mark = true;
	begin_or_resume(st);
	return st->unread;
}

void grpc_end(struct grpc_call *c)
{
	struct grpc_stream *st = (struct grpc_stream *)c;

	grpc_stream_end(st, RPC_OK, NULL);
	is_answered(st);
}
