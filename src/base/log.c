/* Log lines: where they go, and how one looks. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "json.h"
#include "mem.h"
#include "str.h"
#include "sys.h"

static struct {
	int fd; /* 0: stderr */
	enum log_style style;
	bool debug;
	bool bare; /* errors go to stderr, too */
} sink;

static const struct {
	const char *name, *abbreviation;
	int colour;
} levels[LOG_LEVEL_COUNT] = {
#define X(id, name, abbreviation, colour) [LOG_LEVEL_##id] = { name, abbreviation, colour },
	LOG_LEVELS(X)
#undef X
};

int log_open(const struct log_options *o, struct err *e)
{
	int fd;

	sink.debug = o->debug;
	sink.style = o->json ? LOG_JSON : LOG_TEXT;
	if (str_empty(o->file)) {
		if (!o->json && isatty(STDERR_FILENO))
			sink.style = LOG_TERMINAL;
		return 0;
	}
	fd = sys_openat(AT_FDCWD, o->file,
			O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(e, fd, "open %s", o->file);
	sink.fd = fd;
	sink.bare = true;
	return 0;
}

void log_to(int fd)
{
	sink.fd = fd;
	sink.bare = false;
}

bool log_debug_enabled(void)
{
	return sink.debug;
}

/* logrus leaves a value bare when it is made of these alone. */
static bool plain(const char *s)
{
	return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-._/@^+")] == '\0';
}

/* As Go's %q does. Bytes above ASCII are passed on as they are. */
static void quoted(struct sb *out, const char *s)
{
	static const char named[] = "\a\b\f\n\r\t\v", letter[] = "abfnrtv";

	sb_putc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		const char *n = strchr(named, c);

		if (n)
			sb_printf(out, "\\%c", letter[n - named]);
		else if (c == '"' || c == '\\')
			sb_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			sb_printf(out, "\\x%02x", c);
		else
			sb_putc(out, (char)c);
	}
	sb_putc(out, '"');
}

static void format_json(struct sb *out, enum log_level level, const char *words,
			const char *when)
{
	struct jw w;

	jw_init(&w, out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "level", levels[level].name);
	jw_kstr(&w, "msg", words);
	jw_kstr(&w, "time", when);
	jw_end(&w);
	sb_putc(out, '\n');
}

void log_format(struct sb *out, enum log_style style, enum log_level level,
		const char *words, time_t when)
{
	const struct timespec t = { .tv_sec = when };
	char stamp[CLOCK_TEXT];

	clock_utc(&t, 0, stamp);
	switch (style) {
	case LOG_JSON:
		format_json(out, level, words, stamp);
		break;
	case LOG_TERMINAL:
		sb_printf(out, "\033[%dm%s\033[0m[0000] %-44s \n", levels[level].colour,
			  levels[level].abbreviation, words);
		break;
	case LOG_TEXT:
		sb_printf(out, "time=\"%s\" level=%s msg=", stamp, levels[level].name);
		if (plain(words))
			sb_puts(out, words);
		else
			quoted(out, words);
		sb_putc(out, '\n');
		break;
	}
}

void log_line(enum log_level level, const char *words)
{
	OWN_SB struct sb line = SB_INIT;

	if (level == LOG_LEVEL_DEBUG && !sink.debug)
		return;
	log_format(&line, sink.style, level, words, time(NULL));
	if (!line.failed)
		fd_write_all(sink.fd ? sink.fd : STDERR_FILENO, line.s, line.len);
	if (sink.bare && level == LOG_LEVEL_ERROR) {
		OWN_SB struct sb bare = SB_INIT;

		sb_printf(&bare, "%s\n", words);
		if (!bare.failed)
			fd_write_all(STDERR_FILENO, bare.s, bare.len);
	}
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	char words[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	log_line(level, words);
}
