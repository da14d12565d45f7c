/* Codes, their names and words, and the ResultError; see results.h. */
#include "results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hcs.h"
#include "json.h"
#include "schema_reply.h"
#include "str.h"

/* ---- from errors ---------------------------------------------------------------- */

static const HRESULT of_kind[ERR_KIND_COUNT] = {
	[ERR_NONE] = E_UNEXPECTED,
	[ERR_INVALID] = E_INVALIDARG,
	[ERR_NOT_FOUND] = HCS_E_ERROR_NOT_FOUND,
	[ERR_EXISTS] = HCS_E_SYSTEM_ALREADY_EXISTS,
	[ERR_STATE] = HCS_E_INVALID_STATE,
	[ERR_PERMISSION] = E_ACCESSDENIED,
	[ERR_UNSUPPORTED] = HCS_E_ERROR_NOT_SUPPORTED,
	[ERR_TIMEOUT] = HCS_E_OPERATION_TIMEOUT,
	[ERR_EXEC] = E_FAIL, /* see of_exec() where it has an errno */
	[ERR_INTERNAL] = E_FAIL, /* with its errno, where it has one */
	[ERR_LOST] = HCS_E_SERVICE_DISCONNECT,
	[ERR_BUSY] = HCS_E_ERROR_BUSY,
};

/* A program that is not there has a code of its own: it is no element of ours that is
 * not found (HcsIsNotExist). */
static HRESULT of_exec(int sys)
{
	switch (sys) {
	case ENOENT:
		return HCS_E_ERROR_FILE_NOT_FOUND;
	case EACCES:
	case EPERM:
		return E_ACCESSDENIED;
	default:
		return BERTH_E_FROM_ERRNO(sys);
	}
}

HRESULT result_of(const struct err *e)
{
	if (e->kind == ERR_INTERNAL && e->sys == ENOMEM)
		return E_OUTOFMEMORY;
	if (e->kind == ERR_INTERNAL && e->sys == ECANCELED)
		return HCS_E_ERROR_CANCELLED;
	if (e->kind == ERR_EXEC && e->sys)
		return of_exec(e->sys);
	if (e->kind == ERR_INTERNAL && e->sys)
		return BERTH_E_FROM_ERRNO(e->sys);
	return e->kind < ERR_KIND_COUNT ? of_kind[e->kind] : E_UNEXPECTED;
}

/* ---- names and words --------------------------------------------------------------- */

static const struct {
	HRESULT hr;
	const char *name, *words;
} table[] = {
	{ S_OK, "S_OK", "done" },
	{ S_FALSE, "S_FALSE", "there was nothing to do" },
#define X(name, value, words) { name, #name, words },
	HCS_RESULTS(X)
#undef X
};

API const char *HcsResultToName(HRESULT result)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].hr == result)
			return table[i].name;
	return NULL;
}

API const char *HcsResultToString(HRESULT result)
{
	static _Thread_local char words[128];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].hr == result)
			return table[i].words;
	if (BERTH_ERRNO(result))
		return err_cause(BERTH_ERRNO(result));
	snprintf(words, sizeof words, "result 0x%08x", (unsigned)result);
	return words;
}

/* ---- which kind ----------------------------------------------------------------------- */

API bool HcsIsNotExist(HRESULT result)
{
	return result == HCS_E_SYSTEM_NOT_FOUND || result == HCS_E_ERROR_NOT_FOUND;
}

API bool HcsIsAlreadyStopped(HRESULT result)
{
	return result == HCS_E_SYSTEM_ALREADY_STOPPED || result == HCS_E_PROCESS_ALREADY_STOPPED;
}

API bool HcsIsPending(HRESULT result)
{
	return result == HCS_E_OPERATION_PENDING;
}

API bool HcsIsTimeout(HRESULT result)
{
	return result == HCS_E_OPERATION_TIMEOUT;
}

API bool HcsIsAlreadyClosed(HRESULT result)
{
	return result == E_HANDLE;
}

API bool HcsIsNotSupported(HRESULT result)
{
	return result == HCS_E_ERROR_NOT_SUPPORTED || result == HCS_E_UNKNOWN_MESSAGE ||
	       result == HCS_E_UNSUPPORTED_PROTOCOL_VERSION;
}

API bool HcsIsInvalidState(HRESULT result)
{
	return result == HCS_E_INVALID_STATE;
}

/* ---- the document ------------------------------------------------------------------------ */

/* "HcsStartComputeSystem 'default/web': phase 'start the shim' after 120 ms: words" */
static void message(struct sb *b, const struct failure *f)
{
	char words[sizeof f->e->msg + 128];

	if (f->call)
		sb_puts(b, f->call);
	if (f->system && f->ns)
		sb_printf(b, " '%s/%s'", f->ns, f->system);
	else if (f->system)
		sb_printf(b, " '%s'", f->system);
	if (f->pid)
		sb_printf(b, " process %u", f->pid);
	if (b->len)
		sb_puts(b, ": ");
	if (f->phase)
		sb_printf(b, "%s%s", f->phase, f->phase_ms < 0 ? ": " : "");
	if (f->phase && f->phase_ms >= 0)
		sb_printf(b, " (%lld ms): ", (long long)f->phase_ms);
	if (f->e && f->e->kind)
		sb_puts(b, err_text(f->e, words, sizeof words));
	else
		sb_puts(b, HcsResultToString(f->hr));
}

static char provider[] = "berth";

static int events_of(struct arena *a, const struct failure *f, struct schema_result_error *doc)
{
	size_t n = f->n_problems ? f->n_problems : 1;
	struct schema_event_data *data = arena_calloc(a, n, sizeof *data);

	doc->events = arena_calloc(a, n, sizeof *doc->events);
	if (!doc->events || !data)
		return -ENOMEM;
	doc->n_events = n;
	if (!f->n_problems) { /* the cause alone, for who compares words */
		doc->events[0] = (struct schema_error_event){ .provider = provider, .source = f->call };
		doc->events[0].message = f->e && f->e->kind ? f->e->msg : HcsResultToString(f->hr);
		if (f->e && f->e->sys) {
			data[0] = (struct schema_event_data){ SCHEMA_DATA_INT32, arena_printf(a, "%d", f->e->sys) };
			doc->events[0].data = data;
			doc->events[0].n_data = 1;
		}
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		data[i] = (struct schema_event_data){ SCHEMA_DATA_STRING, f->problems[i].pointer };
		doc->events[i] = (struct schema_error_event){
			.message = f->problems[i].words,
			.provider = provider,
			.source = f->problems[i].line ? arena_printf(a, "line %d", f->problems[i].line) : NULL,
			.data = &data[i],
			.n_data = 1,
		};
	}
	return 0;
}

char *result_error(const struct failure *f)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb words = SB_INIT;
	struct schema_result_error doc = { .error = f->hr };
	struct sb b = SB_INIT;
	struct jw w;

	message(&words, f);
	doc.error_message = words.s;
	if (words.failed || events_of(&a, f, &doc) < 0)
		return NULL;
	jw_init(&w, &b, NULL);
	schema_write_result_error(&w, &doc);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}
