/*
 * Waiting. The library is driven by a loop of ours, which hears signals and the
 * clock besides: what takes long says so, on a terminal in one line that changes,
 * else in a line now and then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "fd.h"
#include "json.h"
#include "sys.h"

enum {
	TICK_MS = 250, /* a line on a terminal */
	FIRST_TTY_MS = 1000,
	FIRST_MS = 5000, /* a line elsewhere */
	NEXT_MS = 10000,
	UNITS_PER_MS = 10000, /* of 100 ns */
	UNDO_MS = 2000,
	QUIET_MS = 200,
};

struct wait {
	bool (*done)(void *ctx);
	void *ctx;
	struct progress *p;
	struct loop loop;
	struct source library, signal, tick, end;
	int signals;
	bool tty, shown;
	int64_t next_ms; /* when there is something to say */
};
#define wait_of(s, member) ((struct wait *)(void *)((char *)(s)-offsetof(struct wait, member)))

/* ---- what is told meanwhile --------------------------------------------------------- */

/* Where the operation is, and for how long; the buffer, or static. */
static const char *phase_of(const struct progress *p, char *buf, size_t cap, int64_t *ms)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_RESULT text = NULL;
	struct json_doc doc;
	const char *words;

	*ms = clock_ms() - p->since_ms;
	if (!p->op)
		return p->phase;
	if (FAILED(HcsGetOperationProperties(p->op, NULL, &text)) || !text ||
	    json_parse(&a, text, strlen(text), "operation", &doc, NULL) < 0)
		return NULL;
	words = json_string(json_get(doc.root, "Phase"), NULL);
	if (!words)
		return NULL;
	*ms = json_i64(json_get(doc.root, "PhaseAge100ns"), *ms * UNITS_PER_MS) / UNITS_PER_MS;
	snprintf(buf, cap, "%s", words);
	return buf;
}

static void tell(struct wait *w)
{
	OWN_SB struct sb out = SB_INIT;
	char buf[128];
	int64_t whole = clock_ms() - w->p->since_ms, ms;
	const char *phase = phase_of(w->p, buf, sizeof buf, &ms);

	sb_printf(&out, "%s%s: ", w->tty ? "\r\033[K" : PROGRAM ": ", w->p->what);
	if (phase)
		sb_printf(&out, "%s for %lld s", phase, (long long)ms / 1000);
	if (phase && whole / 1000 > ms / 1000)
		sb_printf(&out, " (%lld s in all)", (long long)whole / 1000);
	if (!phase)
		sb_printf(&out, "waiting for %lld s", (long long)whole / 1000);
	if (!w->tty)
		sb_putc(&out, '\n');
	if (!out.failed)
		fd_write_all(STDERR_FILENO, out.s, out.len);
	w->shown = true;
}

static int on_tick(struct source *s, uint32_t events)
{
	struct wait *w = wait_of(s, tick);

	if (clock_ms() >= w->next_ms) {
		tell(w);
		w->next_ms = clock_ms() + (w->tty ? FIRST_TTY_MS : NEXT_MS);
	}
	return source_timer(s, &w->loop, TICK_MS, on_tick);
}

/* ---- one wait ---------------------------------------------------------------------------- */

static int on_library(struct source *s, uint32_t events)
{
	struct wait *w = wait_of(s, library);

	HcsDispatch(0);
	if (w->done(w->ctx))
		loop_stop(&w->loop, 0);
	return 0;
}

static int on_signal(struct source *s, uint32_t events)
{
	struct wait *w = wait_of(s, signal);
	struct signalfd_siginfo si;

	if (loop_take_signal(w->signals, &si) == 1)
		loop_stop(&w->loop, -EINTR);
	return 0;
}

static int on_end(struct source *s, uint32_t events)
{
	loop_stop(&wait_of(s, end)->loop, -ETIMEDOUT);
	return 0;
}

static void ending_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
}

int drive_within(struct source *s, struct loop *l, struct err *e)
{
	int (*fn)(struct source * s, uint32_t events) = s->fn;
	int fd = -1, r;
	HRESULT hr = HcsGetDispatchFd(&fd);

	if (FAILED(hr))
		return err_set(e, ERR_INTERNAL, 0, "drive the library: %s", HcsResultToString(hr));
	r = source_fd(s, l, fd, EPOLLIN, fn);
	return r < 0 ? err_sys(e, r, "drive the library") : 0;
}

static int begin(struct wait *w, int64_t until, struct err *e)
{
	sigset_t mask;
	int r;

	w->library.fn = on_library;
	r = drive_within(&w->library, &w->loop, e);
	if (r < 0)
		return r;
	ending_signals(&mask);
	w->signals = loop_signalfd(&mask);
	r = w->signals < 0 ? w->signals : source_fd(&w->signal, &w->loop, w->signals, EPOLLIN, on_signal);
	if (r == 0 && w->p)
		r = source_timer(&w->tick, &w->loop, TICK_MS, on_tick);
	if (r == 0 && until != FOREVER) {
		int64_t left = until - clock_ms();

		left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
		r = source_timer(&w->end, &w->loop, (uint32_t)left, on_end);
	}
	return r < 0 ? err_sys(e, r, "wait") : 0;
}

int drive(bool (*done)(void *ctx), void *ctx, int64_t until, struct progress *p, struct err *e)
{
	struct wait w = { .done = done, .ctx = ctx, .p = p, .loop = LOOP_INIT, .signals = -1 };
	sigset_t old;
	int r;

	if (done(ctx))
		return 0;
	if (p && !p->since_ms)
		p->since_ms = clock_ms();
	w.tty = isatty(STDERR_FILENO);
	w.next_ms = clock_ms() + (w.tty ? FIRST_TTY_MS : FIRST_MS);
	r = loop_init(&w.loop, e);
	if (r < 0)
		return r;
	pthread_sigmask(SIG_BLOCK, NULL, &old);
	r = begin(&w, until, e);
	if (r == 0) {
		HcsDispatch(0); /* what is ready already */
		r = done(ctx) ? 0 : loop_run(&w.loop);
		if (r == -EINTR)
			err_set(e, ERR_INTERNAL, 0, "%s: told to end", p ? p->what : PROGRAM);
		else if (r < 0)
			err_sys(e, r, "wait");
	}
	if (w.shown && w.tty)
		fd_write_all(STDERR_FILENO, "\r\033[K", 4);
	loop_done(&w.loop);
	fd_closep(&w.signals);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* ---- operations ------------------------------------------------------------------------------ */

HCS_OPERATION operation_new(struct err *e)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

	if (!op)
		no_memory(e);
	return op;
}

static bool has_result(void *ctx)
{
	return HcsGetOperationResult(ctx, NULL) != HCS_E_OPERATION_PENDING;
}

/* What the library undoes it undoes while it is driven, and we are about to end: a
 * create is over when its system is gone, of all else we do not hear. */
static int undo(HCS_OPERATION op, struct progress *p, struct err *e)
{
	OWN_OPERATION end = HcsCreateOperation(NULL, NULL);
	HCS_SYSTEM s = HcsGetComputeSystemFromOperation(op);
	int64_t until = clock_ms() + UNDO_MS;

	p->op = NULL;
	p->phase = "cancelled, ending";
	if (HcsGetOperationType(op) == HcsOperationTypeCreate && end &&
	    SUCCEEDED(HcsTerminateComputeSystem(s, end, NULL)))
		return drive(has_result, end, FOREVER, p, e);
	HcsCancelOperation(op);
	while (clock_ms() < until && HcsDispatch(QUIET_MS) == S_OK)
		;
	return 0;
}

int settle(struct request *q, HCS_OPERATION op, HRESULT *hr, char **doc, struct err *e)
{
	struct progress p = { .what = request_what(q), .op = op };
	bool cancelled = false;
	int r = 0;

	if (SUCCEEDED(*hr))
		r = drive(has_result, op, FOREVER, &p, e);
	if (r == -EINTR) {
		cancelled = true;
		r = undo(op, &p, e);
	}
	if (r == 0)
		r = drive(has_result, op, FOREVER, &p, e);
	if (r < 0)
		return r;
	if (SUCCEEDED(*hr))
		*hr = HcsGetOperationResult(op, doc);
	else
		HcsGetOperationResult(op, doc);
	if (cancelled && FAILED(*hr))
		*hr = HCS_E_ERROR_CANCELLED;
	return 0;
}

int finish(struct request *q, HCS_OPERATION op, HRESULT hr, char **doc, struct err *e)
{
	char *text = NULL;
	int r = settle(q, op, &hr, &text, e);

	if (r == 0 && FAILED(hr))
		return failed(q, hr, text, e);
	if (r == 0 && doc)
		*doc = text;
	else
		HcsFree(text);
	return r;
}

/* ---- the end of a system ------------------------------------------------------------------------ */

static bool has_stopped(void *ctx)
{
	return HcsWaitForComputeSystemExit(ctx, 0, NULL) != HCS_E_OPERATION_TIMEOUT;
}

int wait_exit(struct request *q, HCS_SYSTEM s, int64_t until, const char *phase, char **ret, struct err *e)
{
	struct progress p = { .what = request_what(q), .phase = phase };
	OWN_RESULT doc = NULL;
	HRESULT hr;
	int r = drive(has_stopped, s, until, &p, e);

	if (r == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, 0, "%s: %s for %lld s, and goes on", p.what, phase,
			       (long long)(clock_ms() - p.since_ms + 500) / 1000);
	if (r < 0)
		return r;
	hr = HcsWaitForComputeSystemExit(s, 0, &doc);
	/* The shim died, and the system with it: it has stopped all the same. */
	if (FAILED(hr) && (hr != HCS_E_SERVICE_DISCONNECT || !doc))
		return failed_last(q, hr, e);
	if (ret) {
		*ret = doc;
		doc = NULL;
	}
	return 0;
}
