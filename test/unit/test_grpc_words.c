/* gRPC's spelling: grpc-message, grpc-timeout, content-type. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc_words.h"

static void words(void **state)
{
	static const char *cases[][2] = {
		{ "", "" },
		{ "task c1: not found", "task c1: not found" },
		{ "100%\n", "100%25%0A" },
		{ "t\xc3\xa4sk \xe2\x82\xac", "t%C3%A4sk %E2%82%AC" },
		{ " both ends ", "%20both ends%20" },
		{ "\x7f\xff", "%7F%FF" },
		{ "~", "~" },
	};
	char ret[GRPC_WORDS_MAX + 1];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(grpc_words_encode(cases[i][0], ret), strlen(cases[i][1]));
		assert_string_equal(ret, cases[i][1]);
	}
}

/* Cut between characters, and not after a blank. */
static void long_words(void **state)
{
	char in[GRPC_WORDS_MAX * 2 + 1], ret[GRPC_WORDS_MAX + 1];
	size_t n;

	memset(in, 'x', sizeof in - 1);
	in[sizeof in - 1] = '\0';
	assert_int_equal(grpc_words_encode(in, ret), GRPC_WORDS_MAX);
	for (size_t i = 0; i < sizeof in - 1; i += 2)
		memcpy(in + i, "\xc3\xa4", 2);
	n = grpc_words_encode(in, ret);
	assert_int_equal(n, GRPC_WORDS_MAX / 6 * 6);
	assert_string_equal(ret + n - 6, "%C3%A4");
	memset(in, ' ', sizeof in - 1);
	in[0] = 'x';
	n = grpc_words_encode(in, ret);
	assert_true(n <= GRPC_WORDS_MAX && ret[n - 1] != ' ');
}

static void timeouts(void **state)
{
	static const struct {
		const char *s;
		int r;
		uint64_t ms;
	} cases[] = {
		{ "29999585u", 0, 30000 },
		{ "1n", 0, 1 },
		{ "0n", 0, 0 },
		{ "1000001n", 0, 2 },
		{ "250m", 0, 250 },
		{ "3S", 0, 3000 },
		{ "2M", 0, 120000 },
		{ "99999999H", 0, 359999996400000 },
		{ "", -EINVAL, 0 },
		{ "1", -EINVAL, 0 },
		{ "m", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "1s", -EINVAL, 0 },
		{ "-1S", -EINVAL, 0 },
		{ "+1S", -EINVAL, 0 },
		{ " 1S", -EINVAL, 0 },
		{ "1SS", -EINVAL, 0 },
		{ "123456789n", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t ms = 0;

		assert_int_equal(grpc_timeout_parse(cases[i].s, &ms), cases[i].r);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void types(void **state)
{
	assert_true(grpc_type_is_known("application/grpc"));
	assert_true(grpc_type_is_known("application/grpc+proto"));
	assert_true(grpc_type_is_known("Application/GRPC;charset=utf-8"));
	assert_false(grpc_type_is_known("application/grpcx"));
	assert_false(grpc_type_is_known("application/grp"));
	assert_false(grpc_type_is_known("application/json"));
	assert_false(grpc_type_is_known(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(long_words),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
