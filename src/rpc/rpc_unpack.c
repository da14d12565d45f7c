/* Messages of peers; see rpc_unpack.h. */
#include "rpc_unpack.h"

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* Fields of a message and of those in it: each may take a hundred times its bytes. */
enum { FIELDS_MAX = 1 << 20 };

static bool is_text(const char *s, size_t left)
{
	while (left) {
		size_t n = *s ? utf8_len(s, left) : 0;

		if (!n)
			return false;
		s += n;
		left -= n;
	}
	return true;
}

/* Bytes of it: 1 to 10; 0: it is none. */
static size_t read_varint(const uint8_t *p, size_t left, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < left && i < 10; i++) {
		*ret |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80))
			return i + 1;
	}
	return 0;
}

/* All texts of a message as it came, of so many fields. The types do not nest without end. */
static bool has_texts(const ProtobufCMessageDescriptor *d, const uint8_t *p, size_t left, unsigned *fields)
{
	while (left) {
		const ProtobufCFieldDescriptor *f;
		uint64_t tag, value, size;
		size_t n = read_varint(p, left, &tag);

		if (!n || !(*fields)--)
			return false;
		p += n;
		left -= n;
		switch (tag & 7) {
		case PROTOBUF_C_WIRE_TYPE_VARINT:
			size = read_varint(p, left, &value);
			if (!size)
				return false;
			break;
		case PROTOBUF_C_WIRE_TYPE_64BIT:
			size = 8;
			break;
		case PROTOBUF_C_WIRE_TYPE_32BIT:
			size = 4;
			break;
		case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
			n = read_varint(p, left, &size);
			if (!n)
				return false;
			p += n;
			left -= n;
			break;
		default:
			return false;
		}
		if (size > left)
			return false;
		n = (size_t)size;
		f = protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> 3));
		if (f && (tag & 7) == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
			if (f->type == PROTOBUF_C_TYPE_STRING && !is_text((const char *)p, n))
				return false;
			if (f->type == PROTOBUF_C_TYPE_MESSAGE && !has_texts(f->descriptor, p, n, fields))
				return false;
		}
		p += n;
		left -= n;
	}
	return true;
}

ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t len)
{
	unsigned fields = FIELDS_MAX;

	if (!has_texts(d, data, len, &fields))
		return NULL;
	return protobuf_c_message_unpack(d, NULL, len, data);
}
