/* gRPC's spelling of things; see grpc_words.h. */
#include "grpc_words.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "str.h"

/* As one byte of the answer: a blank at an end would be cut off by HTTP/2. */
static bool is_plain(char c, bool at_end)
{
	return c >= ' ' && c <= '~' && c != '%' && !(c == ' ' && at_end);
}

size_t grpc_words_encode(const char *words, char ret[GRPC_WORDS_MAX + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t left = strlen(words), i = 0; left;) {
		bool plain = is_plain(words[i], !i || left == 1);
		size_t bytes = utf8_len(words + i, left);

		if (!bytes)
			bytes = 1;
		if (n + (plain ? 1 : 3 * bytes) > GRPC_WORDS_MAX)
			break;
		for (left -= bytes; bytes; bytes--, i++) {
			if (plain) {
				ret[n++] = words[i];
				continue;
			}
			ret[n++] = '%';
			ret[n++] = hex[(uint8_t)words[i] >> 4];
			ret[n++] = hex[words[i] & 15];
		}
	}
	while (n && ret[n - 1] == ' ') /* it was cut there */
		n--;
	ret[n] = '\0';
	return n;
}

int grpc_timeout_parse(const char *s, uint64_t *ms)
{
	/* In ns; a value of eight digits fits in any of them. */
	static const struct {
		char unit;
		uint64_t ns;
	} units[] = {
		{ 'n', 1 },
		{ 'u', 1000 },
		{ 'm', 1000000 },
		{ 'S', 1000000000 },
		{ 'M', 60000000000 },
		{ 'H', 3600000000000 },
	};
	size_t n = strspn(s, "0123456789");
	uint64_t value = 0;

	if (!n || n > 8 || !s[n] || s[n + 1])
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (uint64_t)(s[i] - '0');
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		uint64_t ns = units[i].ns;

		if (units[i].unit != s[n])
			continue;
		*ms = ns >= 1000000 ? value * (ns / 1000000) : (value * ns + 999999) / 1000000;
		return 0;
	}
	return -EINVAL;
}

bool grpc_type_is_known(const char *s)
{
	static const char type[] = "application/grpc";
	char next;

	if (strncasecmp(s, type, sizeof type - 1))
		return false;
	next = s[sizeof type - 1];
	return !next || next == '+' || next == ';';
}
