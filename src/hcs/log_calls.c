/* The log; see log_calls.h. */
#include "log_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "hcs.h"
#include "json.h"
#include "results.h"
#include "schema.h"
#include "str.h"
#include "sys.h"

struct log_entry {
	struct log_entry *next;
	HCS_LOG_LEVEL level;
	HCS_LOG_CALLBACK fn; /* NULL: to the fd */
	void *context;
	char line[];
};

static struct {
	HCS_LOG_CALLBACK fn;
	void *context;
	int level; /* -1: nothing is logged */
	int fd;
	unsigned writing; /* threads in `fn` */
	bool looked; /* at BERTH_LOG */
} sink = { .level = -1, .fd = -1 };

static _Thread_local bool in_log_callback;

bool log_in_callback(void)
{
	return in_log_callback;
}

/* "debug", or "debug:/path": that file, made if need be. */
static void read_variable(void)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	const char *value = getenv("BERTH_LOG"), *path;
	size_t len;

	sink.looked = true;
	if (str_empty(value) || sink.fn)
		return;
	path = strchr(value, ':');
	len = path ? (size_t)(path - value) : strlen(value);
	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && !strncmp(value, names[i], len))
			sink.level = i;
	if (sink.level < 0)
		sink.level = HcsLogInfo;
	if (path && sink.fd < 0)
		sink.fd = sys_openat(AT_FDCWD, path + 1, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (sink.fd < 0)
		sink.fd = STDERR_FILENO;
}

bool log_wants(HCS_LOG_LEVEL level)
{
	if (!sink.looked)
		read_variable();
	return (int)level <= sink.level;
}

/* ---- lines ---------------------------------------------------------------------------- */

static void queue_line(HCS_LOG_LEVEL level, const struct sb *b)
{
	struct log_entry *n = b->failed ? NULL : malloc(sizeof *n + b->len + 1);

	if (!n)
		return;
	*n = (struct log_entry){ .level = level, .fn = sink.fn, .context = sink.context };
	memcpy(n->line, b->s, b->len + 1);
	if (!lib.log)
		lib.last_log = &lib.log;
	*lib.last_log = n;
	lib.last_log = &n->next;
	sink.writing++;
}

static void begin_line(struct jw *w, struct sb *b, HCS_LOG_LEVEL level, const char *message)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct timespec now;
	char stamp[CLOCK_TEXT];

	clock_gettime(CLOCK_REALTIME, &now);
	clock_utc(&now, 1, stamp);
	jw_init(w, b, NULL);
	jw_begin(w, '{');
	jw_kstr(w, "Time", stamp);
	jw_kstr(w, "Level", names[level]);
	jw_kstr(w, "Message", message);
}

static void end_line(struct jw *w, struct sb *b, HCS_LOG_LEVEL level)
{
	jw_end(w);
	queue_line(level, b);
}

static void subject(struct jw *w, const char *ns, const char *id, uint32_t pid, uint64_t operation)
{
	if (ns)
		jw_kstr(w, "Namespace", ns);
	if (id)
		jw_kstr(w, "SystemId", id);
	if (pid)
		jw_kuint(w, "ProcessId", pid);
	if (operation)
		jw_kuint(w, "OperationId", operation);
}

static void of_call(struct jw *w, const struct call *c)
{
	const struct operation *op = c->op;

	jw_kstr(w, "Operation", c->name);
	subject(w, c->sys ? c->sys->ns : NULL, c->sys ? c->sys->id : c->id, c->proc ? c->proc->pid : 0,
		op ? op->id : 0);
}

void log_begin(const struct call *c)
{
	OWN_SB struct sb b = SB_INIT, shown = SB_INIT;
	HCS_LOG_LEVEL level = c->doc ? HcsLogDebug : HcsLogInfo;
	struct jw w;

	if (!log_wants(HcsLogInfo))
		return;
	level = log_wants(level) ? level : HcsLogInfo;
	begin_line(&w, &b, level, "begin");
	of_call(&w, c);
	if (c->doc && level == HcsLogDebug) {
		schema_redact(&shown, c->doc, strlen(c->doc));
		jw_kstr(&w, "Document", shown.failed ? "" : shown.s);
	}
	end_line(&w, &b, level);
}

static bool expected(HRESULT hr)
{
	return SUCCEEDED(hr) || HcsIsAlreadyStopped(hr) || HcsIsPending(hr) || HcsIsNotExist(hr) ||
	       HcsIsTimeout(hr) || HcsIsAlreadyClosed(hr);
}

static void result(struct jw *w, HRESULT hr, int64_t us)
{
	const char *name = HcsResultToName(hr);
	char number[16];

	snprintf(number, sizeof number, "0x%08x", (unsigned)hr);
	jw_kstr(w, "Result", name ? name : number);
	jw_kint(w, "Duration100ns", us * 10);
}

void log_end(const struct call *c, HRESULT hr)
{
	HCS_LOG_LEVEL level = expected(hr) ? HcsLogInfo : HcsLogError;
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!log_wants(level))
		return;
	begin_line(&w, &b, level, "end");
	of_call(&w, c);
	result(&w, hr, clock_us() - c->began_us);
	if (FAILED(hr) && c->e.kind)
		jw_kstr(&w, "Error", c->e.msg);
	end_line(&w, &b, level);
}

void log_completed(const struct operation *op)
{
	HCS_LOG_LEVEL level = expected(op->hr) ? HcsLogInfo : HcsLogError;
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!log_wants(level))
		return;
	begin_line(&w, &b, level, "completed");
	jw_kstr(&w, "Operation", op->call);
	subject(&w, op->system_ns, op->system_id, op->pid, op->id);
	result(&w, op->hr, (op->ended_ms - op->began_ms) * 1000);
	if (FAILED(op->hr) && op->doc)
		jw_kstr(&w, "Error", op->doc);
	end_line(&w, &b, level);
}

void log_slow(const struct operation *op)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!log_wants(HcsLogWarning))
		return;
	begin_line(&w, &b, HcsLogWarning, "the operation has not completed yet");
	jw_kstr(&w, "Operation", op->call);
	subject(&w, op->system_ns, op->system_id, op->pid, op->id);
	if (op->phase)
		jw_kstr(&w, "Phase", op->phase);
	jw_kint(&w, "Duration100ns", (clock_ms() - op->began_ms) * 10000);
	end_line(&w, &b, HcsLogWarning);
}

void log_engine(enum log_level level, const char *words)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (!log_wants((HCS_LOG_LEVEL)level))
		return;
	begin_line(&w, &b, (HCS_LOG_LEVEL)level, words);
	end_line(&w, &b, (HCS_LOG_LEVEL)level);
}

/* ---- writing ----------------------------------------------------------------------------- */

struct log_entry *log_take(void)
{
	struct log_entry *list = lib.log;

	lib.log = NULL;
	return list;
}

void log_write(struct log_entry *list)
{
	unsigned n = 0;

	for (struct log_entry *at = list, *next; at; at = next, n++) {
		next = at->next;
		if (at->fn) {
			in_log_callback = true;
			at->fn(at->level, at->line, at->context);
			in_log_callback = false;
		} else {
			size_t len = strlen(at->line);

			at->line[len] = '\n'; /* whole lines: one write */
			(void)fd_write_all(sink.fd, at->line, len + 1);
		}
		free(at);
	}
	if (!n)
		return;
	pthread_mutex_lock(&lib.lock);
	sink.writing -= n;
	pthread_cond_broadcast(&lib.changed);
	pthread_mutex_unlock(&lib.lock);
}

API HRESULT HcsSetLogCallback(HCS_LOG_CALLBACK callback, void *context, HCS_LOG_LEVEL level)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	if (level < HcsLogError || level > HcsLogDebug)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "level: %d", (int)level));
	log_wants(HcsLogError);
	sink.fn = callback;
	sink.context = context;
	sink.level = callback ? (int)level : -1;
	if (!callback)
		read_variable();
	/* What was on its way to the one before; our own lines go to the new one. */
	do {
		lib_unlock();
		lib_lock();
		if (sink.writing && !lib.log)
			lib_await_change();
	} while (sink.writing);
	return call_end(&c, S_OK);
}
