/* Errors on the wire; see rpc_status.h. */
#include "rpc_status.h"

#include <stdio.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "err.h"
#include "str.h"

static const struct {
	int code;
	const char *words;
} codes[ERR_KIND_COUNT] = {
#define X(kind, code, words) [ERR_##kind] = { code, words },
	RPC_CODES(X)
#undef X
};

int rpc_code(const struct err *e)
{
	return e->kind < ERR_KIND_COUNT ? codes[e->kind].code : RPC_UNKNOWN;
}

static void make_valid(char *s)
{
	for (size_t left = strlen(s), n; left; s += n, left -= n) {
		n = utf8_len(s, left);
		if (!n) {
			*s = '?';
			n = 1;
		}
	}
}

const char *rpc_words(const struct err *e, char *buf, size_t cap)
{
	const char *class = e->kind < ERR_KIND_COUNT ? codes[e->kind].words : "";
	size_t n;

	err_text(e, buf, cap);
	make_valid(buf);
	n = strlen(buf);
	if (*class)
		snprintf(buf + n, cap - n, "%s%s", n ? ": " : "", class);
	return buf;
}

int rpc_err(struct err *e, int code, const char *words)
{
	enum err_kind kind = ERR_INTERNAL;

	for (int i = ERR_INVALID; i < ERR_KIND_COUNT; i++)
		if (codes[i].code == code && code != RPC_UNKNOWN)
			kind = (enum err_kind)i;
	return err_set(e, kind, 0, "%s", words);
}

static bool is_text(const char *s)
{
	size_t left = s ? strlen(s) : 0;

	while (left) {
		size_t n = utf8_len(s, left);

		if (!n)
			return false;
		s += n;
		left -= n;
	}
	return true;
}

static bool is_field_text(const ProtobufCFieldDescriptor *f, const void *value)
{
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return is_text(*(const char *const *)value);
	return !*(const void *const *)value || rpc_is_text(*(const ProtobufCMessage *const *)value);
}

bool rpc_is_text(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *value = (const char *)m + f->offset;
		size_t n = 1;

		if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(const size_t *)((const char *)m + f->quantifier_offset);
			value = *(const char *const *)value;
		}
		for (size_t k = 0; k < n; k++)
			if (!is_field_text(f, value + k * sizeof(void *)))
				return false;
	}
	return true;
}
