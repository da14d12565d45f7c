/* Log lines: both formats of logrus, byte for byte, and where they go. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "log.h"
#include "str.h"

#define WHEN 1795310344 /* 2026-11-22T01:19:04Z */

static void looks(enum log_style style, enum log_level level, const char *words, const char *line)
{
	OWN_SB struct sb b = SB_INIT;

	log_format(&b, style, &(struct log_record){ .level = level, .words = words, .when = WHEN });
	assert_false(b.failed);
	assert_string_equal(b.s, line);
}

static void formats(void **state)
{
	looks(LOG_TEXT, LOG_LEVEL_ERROR, "container does not exist",
	      "time=\"2026-11-22T01:19:04Z\" level=error msg=\"container does not exist\"\n");
	looks(LOG_TEXT, LOG_LEVEL_WARNING, "plain-word/1.0@x^+",
	      "time=\"2026-11-22T01:19:04Z\" level=warning msg=plain-word/1.0@x^+\n");
	looks(LOG_TEXT, LOG_LEVEL_INFO, "",
	      "time=\"2026-11-22T01:19:04Z\" level=info msg=\"\"\n");
	looks(LOG_TEXT, LOG_LEVEL_ERROR, "a \"b\" \\ c\n\x01\xc3\xa4",
	      "time=\"2026-11-22T01:19:04Z\" level=error msg=\"a \\\"b\\\" \\\\ c\\n\\x01\xc3\xa4\"\n");
	looks(LOG_JSON, LOG_LEVEL_ERROR, "a \"b\"\n",
	      "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\n\",\"time\":\"2026-11-22T01:19:04Z\"}\n");
	looks(LOG_JOURNAL, LOG_LEVEL_ERROR, "id=\"x\" failed", "<3>id=\"x\" failed\n");
	looks(LOG_JOURNAL, LOG_LEVEL_WARNING, "a\n<3>b", "<4>\"a\\n<3>b\"\n");
	looks(LOG_TERMINAL, LOG_LEVEL_ERROR, "short",
	      "\033[31mERRO\033[0m[0000] short                                        \n");
}

static void has(enum log_style style, const char *line)
{
	const struct log_field fields[] = { { "id", "a b", 0 }, { "ns", "x", 0 }, { "us", NULL, 12 } };
	OWN_SB struct sb b = SB_INIT;

	log_format(&b, style, &(struct log_record){ LOG_LEVEL_INFO, "it is", WHEN, fields, 3 });
	assert_false(b.failed);
	assert_string_equal(b.s, line);
}

static void fields_of_their_own(void **state)
{
	has(LOG_TEXT, "time=\"2026-11-22T01:19:04Z\" level=info msg=\"it is\" id=\"a b\" ns=x us=12\n");
	has(LOG_JSON, "{\"level\":\"info\",\"msg\":\"it is\",\"time\":\"2026-11-22T01:19:04Z\","
		      "\"id\":\"a b\",\"ns\":\"x\",\"us\":12}\n");
	has(LOG_JOURNAL, "<6>it is id=\"a b\" ns=x us=12\n");
	has(LOG_TERMINAL, "\033[36mINFO\033[0m[0000] it is                                       "
			  "  id=\"a b\" ns=x us=12\n");
}

/* Reads a file whole. */
static void contents(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, cap - 1);

	assert_true(fd >= 0 && n >= 0);
	buf[n] = '\0';
	close(fd);
}

static void writes_a_file_and_stderr(void **state)
{
	char dir[] = "/tmp/test-log-XXXXXX", log[64], err[64], buf[4096];
	int saved, fd;
	struct stat st;
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(log, sizeof log, "%s/log.json", dir);
	snprintf(err, sizeof err, "%s/stderr", dir);
	umask(022);
	assert_int_equal(log_open(&(struct log_options){ .file = log, .json = true }, &e), 0);
	saved = dup(2);
	fd = open(err, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	dup2(fd, 2);
	log_line(LOG_LEVEL_DEBUG, "not shown");
	log_line(LOG_LEVEL_WARNING, "warned");
	log_printf(LOG_LEVEL_ERROR, "failed %d", 7);
	dup2(saved, 2);
	close(saved);
	close(fd);

	contents(log, buf, sizeof buf);
	assert_null(strstr(buf, "not shown"));
	assert_non_null(strstr(buf, "{\"level\":\"warning\",\"msg\":\"warned\",\"time\":\""));
	assert_non_null(strstr(buf, "{\"level\":\"error\",\"msg\":\"failed 7\",\"time\":\""));
	contents(err, buf, sizeof buf); /* errors only, bare */
	assert_string_equal(buf, "failed 7\n");
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	unlink(log);
	unlink(err);
	rmdir(dir);
}

static void refuses_a_bad_file(void **state)
{
	char text[512];
	struct err e;

	assert_true(log_open(&(struct log_options){ .file = "/nonexistent/x" }, &e) < 0);
	assert_string_equal(err_text(&e, text, sizeof text),
			    "open /nonexistent/x: no such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(fields_of_their_own),
		cmocka_unit_test(refuses_a_bad_file),
		cmocka_unit_test(writes_a_file_and_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
