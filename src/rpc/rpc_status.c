/* Errors on the wire; see rpc_status.h. */
#include "rpc_status.h"

#include <stdio.h>
#include <string.h>

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
	if (*class && !str_ends(buf, class))
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

int rpc_err_of(struct err *e, const char *words, uint32_t sys, bool exec)
{
	int r = err_set(e, exec ? ERR_EXEC : ERR_INTERNAL, sys < 4096 ? -(int)sys : 0, "%s", words);

	e->told = true;
	return r;
}
