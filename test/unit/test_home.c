/* A uid's home in a passwd file fed in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "home.h"

static const char *home_of(const char *text, size_t piece, uint32_t uid)
{
	static struct home_reader r;
	size_t len = strlen(text);

	home_reader_init(&r, uid);
	for (size_t at = 0; at < len; at += piece)
		if (home_reader_feed(&r, text + at, len - at < piece ? len - at : piece))
			break;
	return home_reader_result(&r);
}

static void table(void **state)
{
	static const struct {
		const char *text;
		uint32_t uid;
		const char *home;
	} rows[] = {
		{ "root:x:0:0:root:/root:/bin/sh\n", 0, "/root" },
		{ "root:x:0:0:root:/root:/bin/sh\n", 1, "/" },
		{ "a:x:1:1::/a:/s\nb:x:2:2::/b:/s\n", 2, "/b" },
		{ "a:x:1:1::/a:/s\nb:x:1:2::/b:/s\n", 1, "/a" }, /* the first one counts */
		{ "a:x:7:1::/a:/s", 7, "/a" }, /* no newline at the end */
		{ "a:x:7:1::/a", 7, "/a" }, /* no shell */
		{ "a:x:7:1:", 7, "/" },
		{ "a:x:7:1::\n", 7, "/" }, /* an empty home */
		{ "a:x:7:1::rel:/s\n", 7, "/" }, /* not absolute */
		{ "a:x::1::/a:/s\n", 0, "/" }, /* an empty uid is not 0 */
		{ "a:x:-1:1::/a:/s\n", UINT32_MAX, "/" },
		{ "a:x:4294967295:1::/a:/s\n", UINT32_MAX, "/a" },
		{ "a:x:4294967296:1::/a:/s\nr:x:0:0::/r:\n", 0, "/r" }, /* does not wrap round */
		{ "a:x:18446744073709551616:1::/a:/s\n", 0, "/" },
		{ "a:x:7 :1::/a:/s\n", 7, "/" },
		{ "\n\n#c\na:x:7:1::/a:/s\n", 7, "/a" },
		{ "", 0, "/" },
		{ ":::::\n", 0, "/" },
		{ "a:x:007:1::/a:/s\n", 7, "/a" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t piece = 1; piece < 40; piece += 6)
			assert_string_equal(home_of(rows[i].text, piece, rows[i].uid), rows[i].home);
}

static void too_long(void **state)
{
	size_t n = PATH_MAX + 100;
	char *text = calloc(1, n + 100);

	strcpy(text, "a:x:7:1::/");
	memset(text + strlen(text), 'h', n);
	strcat(text, ":/s\n");
	assert_string_equal(home_of(text, 512, 7), "/");
	strcpy(text + strlen(text), "b:x:7:1::/b:/s\n");
	assert_string_equal(home_of(text, 512, 7), "/b");
	memset(text, 'n', n); /* a long name is only passed over */
	strcpy(text + n, ":x:7:1::/b:/s\n");
	assert_string_equal(home_of(text, 512, 7), "/b");
	free(text);
}

static void zero_bytes(void **state)
{
	static const char text[] = "a:x:7:1::/a\0b:/s\nb:x:7:1::/b:/s\n";
	static struct home_reader r;

	home_reader_init(&r, 7);
	home_reader_feed(&r, text, sizeof text - 1);
	assert_string_equal(home_reader_result(&r), "/b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(too_long),
		cmocka_unit_test(zero_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
