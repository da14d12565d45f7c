/*
 * The one error value. It lives on the caller's stack, never allocates, and
 * can be sent over a socket as it is. A function that takes a `struct err *e`
 * fills it whenever it fails; passing NULL is legal.
 *
 *	if (fd < 0)
 *		return err_set(e, ERR_NOT_FOUND, fd, "open '%s'", path);
 *
 * Words are lower case, have no full stop, and name the subject in quotes; the
 * cause is added by err_text() from `sys`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*      kind            name              what it is for */
#define ERR_KINDS(X)                                                           \
	X(NONE,         "none",           "no error")                          \
	X(INVALID,      "invalid",        "the input is wrong")                \
	X(NOT_FOUND,    "not-found",      "no such container, file or process") \
	X(EXISTS,       "exists",         "the name is taken")                 \
	X(STATE,        "state",          "not possible in this state")        \
	X(PERMISSION,   "permission",     "the caller may not do this")        \
	X(UNSUPPORTED,  "unsupported",    "this kernel or build cannot do it") \
	X(TIMEOUT,      "timeout",        "a deadline passed")                 \
	X(LOST,         "lost",           "the connection to who should answer has ended") \
	X(EXEC,         "exec",           "the program cannot be executed")    \
	X(BUSY,         "busy",           "too much at a time: later it may do") \
	X(INTERNAL,     "internal",       "a system call failed")

enum err_kind {
#define X(id, name, help) ERR_##id,
	ERR_KINDS(X)
#undef X
	ERR_KIND_COUNT
};

struct err {
	enum err_kind kind;
	int sys; /* positive errno, 0 when there is none */
	bool told; /* the words say that already */
	char msg[1024];
};

const char *err_kind_name(enum err_kind kind);

/* Sets kind, cause (-errno or 0) and words; returns `r`, or -EINVAL if r is 0. */
int err_set(struct err *e, enum err_kind kind, int r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The usual case: the kind follows from the cause (ENOENT, EEXIST, EPERM, ...). */
int err_sys(struct err *e, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "words: " in front of what is there; kind and cause stay. Returns r. */
int err_wrap(struct err *e, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "words: cause" in Go's spelling of the cause, which docker and podman look
 * for ("no such file or directory"). Returns buf. */
const char *err_text(const struct err *e, char *buf, size_t cap);

/* Go's spelling of an errno value (lower case); never NULL. */
const char *err_cause(int sys);

/* The same for code after clone3: NULL for a number without a name. */
const char *err_words(int sys);
