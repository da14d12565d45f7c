/* A process in the foreground. */
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "carry.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "proc.h"
#include "sys.h"
#include "term.h"
#include "verbs_parts.h"

enum { KEPT_MAX = 16 << 20, REST_MS = 10000 };

struct attached {
	struct started *p;
	bool tty;
	int signals;
	int pidfd; /* -1: it has ended */
	int kept[2]; /* --json: what it writes; -1 */
	struct loop loop;
	struct source exit_src, signal_src, library_src, deadline;
	struct carry carry;
	struct term own;
};
#define attached_of(s, member) ((struct attached *)(void *)((char *)(s)-offsetof(struct attached, member)))

/* ---- signals --------------------------------------------------------------------------- */

/* Nobody waits for the answer: there is another one when the window changes again. */
static void resize(const struct attached *a)
{
	OWN_OPERATION op = HcsCreateOperation(NULL, NULL);
	OWN_SB struct sb b = SB_INIT;
	uint16_t rows, cols;

	if (!a->tty || !op || term_own_size(&rows, &cols) < 0)
		return;
	sb_printf(&b, "{\"Operation\":\"ConsoleSize\",\"ConsoleSize\":{\"Height\":%u,\"Width\":%u}}", rows, cols);
	if (!b.failed)
		HcsModifyProcess(a->p->process, op, b.s);
}

static void end_input(struct carry *c)
{
	static const char request[] = "{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"StdIn\"}}";
	OWN_OPERATION op = HcsCreateOperation(NULL, NULL);

	if (op)
		HcsModifyProcess(attached_of(c, carry)->p->process, op, request);
}

static bool stops_or_continues(int sig)
{
	return sig == SIGCONT || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static int take_signal(struct attached *a)
{
	struct signalfd_siginfo si;
	int r = loop_take_signal(a->signals, &si), sig;

	if (r <= 0)
		return r;
	sig = (int)si.ssi_signo;
	if (sig == SIGWINCH)
		resize(a);
	if (sig == SIGWINCH || sig == SIGCHLD || sig == SIGURG || sig == SIGPIPE)
		return 0;
	if (a->pidfd < 0 || proc_wait(a->pidfd, 0) == 0)
		return stops_or_continues(sig) ? 0 : -ESRCH;
	return proc_signal(a->pidfd, sig);
}

static int hear(struct carry *c)
{
	return take_signal(attached_of(c, carry));
}

static int on_signal(struct source *s, uint32_t events)
{
	int r = take_signal(attached_of(s, signal_src));

	return r == -ESRCH ? 0 : r;
}

static int on_exit_of_process(struct source *s, uint32_t events)
{
	loop_stop(&attached_of(s, exit_src)->loop, 0);
	return 0;
}

static int on_library(struct source *s, uint32_t events)
{
	HcsDispatch(0);
	return 0;
}

/* All but those that the kernel sends about ourselves. */
static int open_signals(struct err *e)
{
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t mask;
	int fd;

	sigfillset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigdelset(&mask, ours[i]);
	fd = loop_signalfd(&mask);
	return fd < 0 ? err_sys(e, fd, "receive signals") : fd;
}

/* ---- its streams ------------------------------------------------------------------------ */

/* Where a stream of the process goes: to ours, or to be kept. */
static int target(struct request *q, struct attached *a, int fd, struct err *e)
{
	int *kept = &a->kept[fd - STDOUT_FILENO];

	if (!q->common.json)
		return fd;
	*kept = file_memory("output");
	return *kept < 0 ? err_sys(e, *kept, "keep the output") : *kept;
}

static int begin_streams(struct request *q, struct attached *a, struct err *e)
{
	HCS_PROCESS_INFORMATION *info = &a->p->info;
	int to, r = 0;

	if (a->tty) {
		r = term_raw(&a->own, STDIN_FILENO);
		if (r < 0)
			return err_sys(e, r, "set the terminal to raw mode");
	}
	if (info->StdOutput >= 0) {
		to = target(q, a, STDOUT_FILENO, e);
		r = to < 0 ? to : carry_output(&a->carry, take_fd(&info->StdOutput), to, e);
	}
	if (r == 0 && info->StdError >= 0) {
		to = target(q, a, STDERR_FILENO, e);
		r = to < 0 ? to : carry_output(&a->carry, take_fd(&info->StdError), to, e);
	}
	if (r == 0 && info->StdInput >= 0)
		r = carry_input(&a->carry, take_fd(&info->StdInput), e);
	return r;
}

static int begin(struct request *q, struct attached *a, struct err *e)
{
	int fd = -1, r;
	HRESULT hr = HcsGetProcessFd(a->p->process, &fd);

	if (FAILED(hr) && hr != HCS_E_PROCESS_ALREADY_STOPPED)
		return failed_last(q, hr, e);
	a->pidfd = SUCCEEDED(hr) ? fd : -1;
	r = loop_init(&a->loop, e);
	if (r < 0)
		return r;
	a->carry = (struct carry){ .loop = &a->loop, .signals = a->signals, .hear = hear, .terminal = a->tty };
	a->carry.input_ended = a->p->through_shim ? end_input : NULL;
	a->library_src.fn = on_library;
	r = drive_within(&a->library_src, &a->loop, e);
	if (r < 0)
		return r;
	r = source_fd(&a->signal_src, &a->loop, a->signals, EPOLLIN, on_signal);
	if (r == 0 && a->pidfd >= 0)
		r = source_fd(&a->exit_src, &a->loop, a->pidfd, EPOLLIN, on_exit_of_process);
	if (r < 0)
		return err_sys(e, r, "wait for the process");
	return begin_streams(q, a, e);
}

/* ---- its end ---------------------------------------------------------------------------- */

static void kept_text(struct request *q, struct jw *w, const char *key, const char *cut, int fd)
{
	bool too_long;
	char *text;
	size_t len;

	if (fd < 0)
		return;
	too_long = lseek(fd, 0, SEEK_END) > KEPT_MAX;
	if ((too_long && ftruncate(fd, KEPT_MAX) < 0) || lseek(fd, 0, SEEK_SET) < 0)
		return;
	jw_key(w, key);
	if (file_read_fd(q->arena, fd, "output", KEPT_MAX, &text, &len, NULL) < 0)
		jw_null(w);
	else
		jw_strn(w, text, len);
	if (too_long)
		jw_kbool(w, cut, true);
}

static int show_end(struct request *q, const struct attached *a, const struct json *status, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	jw_init(&w, &out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Id", q->args[0]);
	for (uint32_t i = 0; status && status->type == JSON_OBJECT && i < status->n; i++) {
		jw_key(&w, json_at(status, i)->key);
		jw_value(&w, json_at(status, i));
	}
	kept_text(q, &w, "StdOut", "StdOutCut", a->kept[0]);
	kept_text(q, &w, "StdErr", "StdErrCut", a->kept[1]);
	jw_end(&w);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

/* The kernel has said that it ended; the shim tells how. */
static int end_of(struct request *q, struct attached *a, struct err *e)
{
	struct progress p = { .what = request_what(q), .phase = "it has ended, waiting to hear how" };
	OWN_RESULT text = NULL;
	struct json_doc doc;
	HRESULT hr;
	int r = drive(process_ended, a->p->process, FOREVER, &p, e);

	if (r < 0)
		return r;
	hr = HcsWaitForProcessExit(a->p->process, 0, &text);
	if (FAILED(hr) && !text)
		return failed_last(q, hr, e);
	r = read_json(q, text, "process status", &doc, e);
	if (r == 0 && q->common.json)
		r = show_end(q, a, doc.root, e);
	if (r < 0)
		return r;
	if (hr == HCS_E_SERVICE_DISCONNECT)
		return failed(q, hr, NULL, e);
	return (int)json_i64(json_get(doc.root, "ExitCode"), 255) & 0xff;
}

static void output_ended(struct carry *c)
{
	struct attached *a = attached_of(c, carry);

	if (!carry_has_output(c))
		loop_stop(&a->loop, 0);
}

static int on_deadline(struct source *s, uint32_t events)
{
	loop_stop(&attached_of(s, deadline)->loop, 0);
	return 0;
}

/* It has ended: what it wrote and we have not read. */
static int rest(struct attached *a)
{
	int r = 0;

	source_remove(&a->exit_src);
	if (a->p->through_shim && carry_has_output(&a->carry)) {
		a->carry.output_ended = output_ended;
		r = source_timer(&a->deadline, &a->loop, REST_MS, on_deadline);
		if (r == 0)
			r = loop_run(&a->loop);
	}
	carry_rest(&a->carry);
	return r;
}

int attach(struct request *q, struct started *p, const struct process_flags *f, struct err *e)
{
	struct attached a = {
		.p = p,
		.tty = f->tty,
		.signals = -1,
		.pidfd = -1,
		.kept = { -1, -1 },
		.loop = LOOP_INIT,
		.own = TERM_INIT,
	};
	int r;

	a.signals = open_signals(e);
	r = a.signals < 0 ? a.signals : begin(q, &a, e);
	if (r == 0 && a.pidfd >= 0) {
		r = loop_run(&a.loop);
		if (r < 0)
			err_sys(e, r, "wait for the process");
	}
	if (r == 0)
		r = rest(&a);
	carry_done(&a.carry);
	loop_done(&a.loop);
	term_restore(&a.own);
	if (r == 0)
		r = end_of(q, &a, e);
	fd_closep(&a.signals);
	fd_closep(&a.kept[0]);
	fd_closep(&a.kept[1]);
	return r;
}
