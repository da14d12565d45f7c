/* Errors on the wire; see rpc_status.h. */
#include "rpc_status.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "mem.h"

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

/* Bytes of the UTF-8 sequence at s; 0: it is none. */
static size_t sequence(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t n = 0; n < ARRAY_SIZE(forms); n++) {
		uint32_t c = s[0] & (unsigned char)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		return c < forms[n].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n + 1;
	}
	return 0;
}

static void make_valid(char *s)
{
	while (*s) {
		size_t n = sequence((const unsigned char *)s);

		if (n)
			s += n;
		else
			*s++ = '?';
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
