/*
 * Log lines of a program, in the two formats of the field: logrus' text and
 * JSON, one object a line. Libraries return errors and never log above debug;
 * the program that owns the request logs its error once.
 *
 *	log_open(&(struct log_options){ .file = path, .json = true }, &e);
 *	log_line(LOG_LEVEL_ERROR, "container does not exist");
 *
 * Without a file, lines go to stderr. An error that goes to a file is also
 * printed bare on stderr, because callers read either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;
struct sb;

/*      id        name       short, on a terminal  colour  syslog's */
#define LOG_LEVELS(X)                                              \
	X(ERROR,   "error",   "ERRO", 31, 3)                       \
	X(WARNING, "warning", "WARN", 33, 4)                       \
	X(INFO,    "info",    "INFO", 36, 6)                       \
	X(DEBUG,   "debug",   "DEBU", 37, 7)

enum log_level {
#define X(id, name, abbreviation, colour, number) LOG_LEVEL_##id,
	LOG_LEVELS(X)
#undef X
	LOG_LEVEL_COUNT
};

enum log_style { LOG_TEXT, LOG_JSON, LOG_TERMINAL, LOG_JOURNAL };

struct log_options {
	const char *file; /* NULL or "": stderr. Appended to, mode 0644 */
	bool json;
	bool journal; /* for systemd's: the level in front, as sd-daemon(3) has it, and no time */
	bool debug; /* levels below info too */
	unsigned less; /* 1: no info; 2: errors only */
};

int log_open(const struct log_options *o, struct err *e);
/* From now on to this fd, and to no other. */
void log_to(int fd);
/* ... or to this function, in a library, whose program has its own log. */
void log_hook(void (*fn)(enum log_level level, const char *words));
bool log_debug_enabled(void);

/* One line; the words may hold any bytes. */
void log_line(enum log_level level, const char *words);
void log_printf(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What programs look for in a line: a member of its own where the format has such, else
 * key=value after the words. */
struct log_field {
	const char *key; /* "start_us" */
	const char *text; /* NULL: the number */
	uint64_t number;
};
struct log_record {
	enum log_level level;
	const char *words;
	time_t when; /* set by log_record() */
	const struct log_field *fields;
	size_t n_fields;
};
void log_record(struct log_record *l);

/* The line alone, with its newline: the pure part. */
void log_format(struct sb *out, enum log_style style, const struct log_record *l);
