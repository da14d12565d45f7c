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
	enum log_level least; /* INFO where nobody has said anything */
	bool bare; /* errors go to stderr, too */
	void (*hook)(enum log_level level, const char *words);
} sink = { .least = LOG_LEVEL_INFO };

static const struct {
	const char *name, *abbreviation;
	int colour, number;
} levels[LOG_LEVEL_COUNT] = {
#define X(id, name, abbreviation, colour, number) [LOG_LEVEL_##id] = { name, abbreviation, colour, number },
	LOG_LEVELS(X)
#undef X
};

int log_open(const struct log_options *o, struct err *e)
{
	int fd;

	sink.least = o->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO - (o->less < 2 ? o->less : 2);
	sink.style = o->json ? LOG_JSON : o->journal ? LOG_JOURNAL : LOG_TEXT;
	if (str_empty(o->file)) {
		if (sink.bare) { /* no longer there */
			close(sink.fd);
			log_to(0);
		}
		if (sink.style == LOG_TEXT && isatty(STDERR_FILENO))
			sink.style = LOG_TERMINAL;
		return 0;
	}
	fd = sys_openat(AT_FDCWD, o->file,
			O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(e, fd, "open %s", o->file);
	if (sink.bare) /* the one before it */
		close(sink.fd);
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
	return sink.least == LOG_LEVEL_DEBUG;
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

static void field(struct sb *out, const struct log_field *f)
{
	sb_printf(out, " %s=", f->key);
	if (!f->text)
		sb_printf(out, "%llu", (unsigned long long)f->number);
	else if (plain(f->text))
		sb_puts(out, f->text);
	else
		quoted(out, f->text);
}

static void fields(struct sb *out, const struct log_record *l)
{
	for (size_t i = 0; i < l->n_fields; i++)
		field(out, &l->fields[i]);
}

static void format_json(struct sb *out, const struct log_record *l, const char *when)
{
	struct jw w;

	jw_init(&w, out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "level", levels[l->level].name);
	jw_kstr(&w, "msg", l->words);
	jw_kstr(&w, "time", when);
	for (size_t i = 0; i < l->n_fields; i++) {
		if (l->fields[i].text)
			jw_kstr(&w, l->fields[i].key, l->fields[i].text);
		else
			jw_kuint(&w, l->fields[i].key, l->fields[i].number);
	}
	jw_end(&w);
	sb_putc(out, '\n');
}

static void format_text(struct sb *out, const struct log_record *l, const char *when)
{
	sb_printf(out, "time=\"%s\" level=%s msg=", when, levels[l->level].name);
	if (plain(l->words))
		sb_puts(out, l->words);
	else
		quoted(out, l->words);
	fields(out, l);
	sb_putc(out, '\n');
}

static void format_journal(struct sb *out, const struct log_record *l)
{
	sb_printf(out, "<%d>", levels[l->level].number);
	if (l->words[strcspn(l->words, "\n\r")]) /* one line, whatever somebody has put into a name */
		quoted(out, l->words);
	else
		sb_puts(out, l->words);
	fields(out, l);
	sb_putc(out, '\n');
}

void log_format(struct sb *out, enum log_style style, const struct log_record *l)
{
	const struct timespec t = { .tv_sec = l->when };
	char stamp[CLOCK_TEXT];

	clock_utc(&t, 0, stamp);
	switch (style) {
	case LOG_JSON:
		format_json(out, l, stamp);
		break;
	case LOG_TERMINAL:
		sb_printf(out, "\033[%dm%s\033[0m[0000] %-44s ", levels[l->level].colour,
			  levels[l->level].abbreviation, l->words);
		fields(out, l);
		sb_putc(out, '\n');
		break;
	case LOG_JOURNAL:
		format_journal(out, l);
		break;
	case LOG_TEXT:
		format_text(out, l, stamp);
		break;
	}
}

void log_hook(void (*fn)(enum log_level level, const char *words))
{
	sink.hook = fn;
}

static void to_hook(const struct log_record *l)
{
	OWN_SB struct sb words = SB_INIT;

	sb_puts(&words, l->words);
	fields(&words, l);
	if (!words.failed)
		sink.hook(l->level, words.s);
}

void log_record(struct log_record *l)
{
	OWN_SB struct sb line = SB_INIT;

	if (sink.hook) {
		to_hook(l);
		return;
	}
	if (l->level > sink.least)
		return;
	l->when = time(NULL);
	log_format(&line, sink.style, l);
	if (!line.failed)
		fd_write_all(sink.fd ? sink.fd : STDERR_FILENO, line.s, line.len);
	if (sink.bare && l->level == LOG_LEVEL_ERROR) {
		OWN_SB struct sb bare = SB_INIT;

		sb_printf(&bare, "%s\n", l->words);
		if (!bare.failed)
			fd_write_all(STDERR_FILENO, bare.s, bare.len);
	}
}

void log_line(enum log_level level, const char *words)
{
	log_record(&(struct log_record){ .level = level, .words = words });
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
