/* The error value: setting, wrapping, and the words for a cause. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[ERR_KIND_COUNT] = {
#define X(id, name, help) [ERR_##id] = name,
	ERR_KINDS(X)
#undef X
};

const char *err_kind_name(enum err_kind kind)
{
	return kind < ERR_KIND_COUNT ? kind_names[kind] : "unknown";
}

static enum err_kind kind_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
	case ESRCH:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EPERM:
	case EACCES:
	case EROFS:
		return ERR_PERMISSION;
	case ENOSYS:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_INTERNAL;
	}
}

/* What did not fit: that it goes on is seen, and no character is cut in two. */
static void shorten(char *msg, size_t cap, int len)
{
	size_t n = cap - sizeof "...";

	if (len < (int)cap)
		return;
	while (n && ((uint8_t)msg[n] & 0xc0) == 0x80)
		n--;
	memcpy(msg + n, "...", sizeof "...");
}

static int set(struct err *e, enum err_kind kind, int r, const char *fmt, va_list ap)
{
	if (e) {
		e->kind = kind;
		e->sys = r < 0 ? -r : 0;
		e->told = false;
		shorten(e->msg, sizeof e->msg, vsnprintf(e->msg, sizeof e->msg, fmt, ap));
	}
	return r < 0 ? r : -EINVAL;
}

int err_set(struct err *e, enum err_kind kind, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r = set(e, kind, r, fmt, ap);
	va_end(ap);
	return r;
}

int err_sys(struct err *e, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r = set(e, kind_of_errno(-r), r, fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
	char old[sizeof e->msg];
	size_t n;
	va_list ap;

	if (!e)
		return r;
	memcpy(old, e->msg, sizeof old);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", old);
	return r;
}

const char *err_cause(int sys)
{
	static _Thread_local char buf[32];
	const char *words = err_words(sys);

	if (words)
		return words;
	snprintf(buf, sizeof buf, "unknown error %d", sys);
	return buf;
}

const char *err_text(const struct err *e, char *buf, size_t cap)
{
	if (e->sys && !e->told)
		snprintf(buf, cap, "%s: %s", e->msg, err_cause(e->sys));
	else
		snprintf(buf, cap, "%s", e->msg);
	return buf;
}
