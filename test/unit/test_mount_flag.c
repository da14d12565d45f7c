/* A mount on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mount_flag.h"

/* What becomes of it, on one line; "wrong". */
static const char *parsed(const char *text)
{
	static char words[256];
	struct mount_flag m;
	char copy[128];
	int n;

	snprintf(copy, sizeof copy, "%s", text);
	if (mount_flag_parse(copy, &m) < 0)
		return "wrong";
	n = snprintf(words, sizeof words, "%s %s %s", m.type, m.source ? m.source : "-", m.target);
	for (size_t i = 0; i < m.n_options; i++)
		n += snprintf(words + n, sizeof words - (size_t)n, " %s", m.options[i]);
	return words;
}

static void test_parse(void **state)
{
	static const char *const rows[][2] = {
		{ "/a:/b", "bind /a /b" },
		{ "a:/b:ro", "bind a /b ro" },
		{ "/a:/b:ro,nosuid", "bind /a /b ro nosuid" },
		{ "src=/a,dst=/b", "bind /a /b" },
		{ "source=/a,target=/b,readonly", "bind /a /b ro" },
		{ "type=tmpfs,destination=/b,size=1m,noexec", "tmpfs - /b size=1m noexec" },
		{ "type=bind,src=/a:c,dst=/b", "bind /a:c /b" },
		{ "/a", "wrong" },
		{ "/a:b", "wrong" },
		{ "type=bind,dst=/b", "wrong" },
		{ "src=/a", "wrong" },
		{ "", "wrong" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(parsed(rows[i][0]), rows[i][1]);
}

static void test_many_options(void **state)
{
	char text[256] = "/a:/b:o";
	struct mount_flag m;

	(void)state;
	for (int i = 1; i < MOUNT_FLAG_OPTIONS; i++)
		strcat(text, ",o");
	assert_int_equal(strlen(parsed(text)), strlen("bind /a /b") + 2 * MOUNT_FLAG_OPTIONS);
	strcat(text, ",o");
	assert_int_equal(mount_flag_parse(text, &m), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_many_options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
