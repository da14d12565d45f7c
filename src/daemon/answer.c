/* Answers that are a list; see answer.h. */
#include "answer.h"

#include <errno.h>

int answer_filter(struct answer *a, char *const *texts, size_t n)
{
	return n ? filter_parse((const char *const *)texts, n, &a->filter, &a->e) : 0;
}

bool answer_wants(const struct answer *a, filter_field *field, const void *m)
{
	return !a->filter || filter_match(a->filter, field, (void *)(uintptr_t)m);
}

struct out {
	ProtobufCBuffer base;
	struct sb *b;
};

static void append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
	sb_add(((struct out *)buffer)->b, (const char *)data, len);
}

int answer_add(struct answer *a, const ProtobufCMessage *m)
{
	struct out out = { { append }, &a->b };
	size_t size = protobuf_c_message_get_packed_size(m);

	if (size > GRPC_MESSAGE_MAX || a->b.len > GRPC_MESSAGE_MAX - size)
		return err_set(&a->e, ERR_BUSY, 0, "trying to send message larger than max (%zu vs. %d)",
			       a->b.len + size, GRPC_MESSAGE_MAX);
	sb_putc(&a->b, 1 << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
	for (; size > 0x7f; size >>= 7)
		sb_putc(&a->b, (char)(size | 0x80));
	sb_putc(&a->b, (char)size);
	protobuf_c_message_pack_to_buffer(m, &out.base);
	return a->b.failed ? err_sys(&a->e, -ENOMEM, "answer") : 0;
}

void answer_done(struct answer *a)
{
	filter_free(a->filter);
	sb_done(&a->b);
}

void answer_end(struct answer *a, int r)
{
	struct request *q = a->q;
	struct grpc_message *m = NULL;

	if (r >= 0) {
		m = grpc_message_packed(a->b.s, a->b.len);
		if (!m)
			err_set(&a->e, ERR_BUSY, 0, "the answer is too long, or there is no memory");
	}
	answer_done(a);
	if (!m) {
		request_fail(q, &a->e);
		return;
	}
	if (q->rpc)
		grpc_send(q->rpc, m);
	grpc_message_unref(m);
	request_close(q);
}
