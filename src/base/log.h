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
#include <time.h>

struct err;
struct sb;

/*      id        name       short, on a terminal  colour */
#define LOG_LEVELS(X)                                     \
	X(ERROR,   "error",   "ERRO", 31)                 \
	X(WARNING, "warning", "WARN", 33)                 \
	X(INFO,    "info",    "INFO", 36)                 \
	X(DEBUG,   "debug",   "DEBU", 37)

enum log_level {
#define X(id, name, abbreviation, colour) LOG_LEVEL_##id,
	LOG_LEVELS(X)
#undef X
	LOG_LEVEL_COUNT
};

enum log_style { LOG_TEXT, LOG_JSON, LOG_TERMINAL };

struct log_options {
	const char *file; /* NULL or "": stderr. Appended to, mode 0644 */
	bool json;
	bool debug; /* levels below info too */
};

int log_open(const struct log_options *o, struct err *e);
/* From now on to this fd, and to no other. */
void log_to(int fd);
bool log_debug_enabled(void);

/* One line; the words may hold any bytes. */
void log_line(enum log_level level, const char *words);
void log_printf(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The line alone, with its newline: the pure part. */
void log_format(struct sb *out, enum log_style style, enum log_level level,
		const char *words, time_t when);
