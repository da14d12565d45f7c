/* SHA-256 against the vectors of NIST (FIPS 180-4 examples, CAVS) and against
 * itself in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mem.h"
#include "sha256.h"

static const char *hex_of(const void *data, size_t len)
{
	static char hex[2 * SHA256_SIZE + 1];
	uint8_t sum[SHA256_SIZE];
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, data, len);
	sha256_end(&s, sum);
	sha256_hex(sum, hex);
	return hex;
}

static void nist_vectors(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
		{ "\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_string_equal(hex_of(t[i].in, strlen(t[i].in)), t[i].out);
}

static void a_million(void **state)
{
	char *p = malloc(1000000);

	memset(p, 'a', 1000000);
	assert_string_equal(hex_of(p, 1000000),
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(p);
}

static void pieces_make_no_difference(void **state)
{
	uint8_t data[300], sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= sizeof data; len++) {
		for (size_t step = 1; step < 130; step += 9) {
			struct sha256 s;

			sha256_init(&s);
			for (size_t at = 0; at < len; at += step)
				sha256_add(&s, data + at, len - at < step ? len - at : step);
			sha256_end(&s, sum);
			sha256_hex(sum, hex);
			assert_string_equal(hex, hex_of(data, len));
		}
	}
}

static void costs(void **state)
{
	int rounds = getenv("BERTH_TIMES") ? 1000 : 1;
	struct timespec a, b;
	char *p = calloc(1, 12288);

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < rounds; i++)
		hex_of(p, 12288);
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("# 12 KiB: %.1f us\n",
		      (double)((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec) / 1e3 / rounds);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nist_vectors),
		cmocka_unit_test(a_million),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(costs),
	};

	if (!getenv("BERTH_TIMES")) /* a measurement, on request */
		cmocka_set_skip_filter("costs");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
