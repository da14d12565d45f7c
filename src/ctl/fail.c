/* What the library says of a failure, as an error: its code, and the ResultError
 * that names the rest. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"

static enum err_kind kind_of(HRESULT hr)
{
	static const struct {
		HRESULT hr;
		enum err_kind kind;
	} rows[] = {
		{ HCS_E_SYSTEM_NOT_FOUND, ERR_NOT_FOUND },
		{ HCS_E_ERROR_NOT_FOUND, ERR_NOT_FOUND },
		{ HCS_E_SYSTEM_ALREADY_EXISTS, ERR_EXISTS },
		{ HCS_E_INVALID_STATE, ERR_STATE },
		{ HCS_E_SYSTEM_ALREADY_STOPPED, ERR_STATE },
		{ HCS_E_PROCESS_ALREADY_STOPPED, ERR_STATE },
		{ HCS_E_OPERATION_PENDING, ERR_STATE },
		{ E_ACCESSDENIED, ERR_PERMISSION },
		{ HCS_E_ERROR_NOT_SUPPORTED, ERR_UNSUPPORTED },
		{ HCS_E_OPERATION_TIMEOUT, ERR_TIMEOUT },
		{ HCS_E_INVALID_JSON, ERR_INVALID },
		{ E_INVALIDARG, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].hr == hr)
			return rows[i].kind;
	return ERR_INTERNAL;
}

/* "HcsStartComputeSystem 'default/web': start the shim (3 ms): words": without
 * the call and the name, which are ours to say; without the phase where it is not
 * what went wrong; and without the words that shims put before others for docker. */
static const char *essence(const char *message, HRESULT hr)
{
	static const char shim[] = "unable to start container process: ", phase[] = " ms): ";
	const char *at = strncmp(message, "Hcs", 3) ? NULL : strstr(message, ": ");

	if (at)
		message = at + 2;
	at = strstr(message, phase);
	if (at && hr != HCS_E_OPERATION_TIMEOUT && hr != HCS_E_SERVICE_DISCONNECT && hr != HCS_E_ERROR_CANCELLED)
		message = at + strlen(phase);
	at = strstr(message, "OCI runtime ") ? strstr(message, shim) : NULL;
	return at ? at + strlen(shim) : message;
}

/* What of the report stands in one line; the arena's. NULL: nothing. */
static const char *words_of(struct request *q)
{
	struct json_doc doc;
	const struct json *events;

	if (!q->report || json_parse(q->arena, q->report, strlen(q->report), "result", &doc, NULL) < 0)
		return NULL;
	events = json_get(doc.root, "ErrorEvents");
	if (events && events->n > 1) /* the document's problems: see fail_text() */
		return NULL;
	return essence(json_string(json_get(doc.root, "ErrorMessage"), ""), q->hr);
}

const char *request_what(const struct request *q)
{
	const char *what = arena_printf(q->arena, "%s%s%s", q->verb->name, q->n_args ? " " : "",
					q->n_args ? q->args[0] : "");

	return what ? what : q->verb->name;
}

int failed(struct request *q, HRESULT hr, char *doc, struct err *e)
{
	const char *words;

	q->hr = hr;
	q->report = doc ? arena_strdup(q->arena, doc) : NULL;
	HcsFree(doc);
	words = hr == HCS_E_SYSTEM_NOT_FOUND ? NULL : words_of(q); /* which one we say */
	if (str_empty(words))
		words = HcsResultToString(hr);
	return err_set(e, kind_of(hr), 0, "%s: %s", request_what(q), words);
}

int failed_last(struct request *q, HRESULT hr, struct err *e)
{
	char *doc = NULL;

	HcsGetLastResult(&doc);
	return failed(q, hr, doc, e);
}

int bad_usage(struct request *q, struct err *e, const char *fmt, ...)
{
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	q->usage = true;
	q->hr = E_INVALIDARG;
	return err_set(e, ERR_INVALID, 0, "%s: %s", q->verb ? q->verb->name : "usage", words);
}

int not_supported(struct request *q, struct err *e, const char *fmt, ...)
{
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	q->hr = HCS_E_ERROR_NOT_SUPPORTED;
	return err_set(e, ERR_UNSUPPORTED, 0, "%s: not supported: %s", request_what(q), words);
}

/* ---- printing ------------------------------------------------------------------- */

static HRESULT code_of(const struct request *q, const struct err *e)
{
	if (q->hr)
		return q->hr;
	return e->sys ? BERTH_E_FROM_ERRNO(e->sys) : e->kind == ERR_INVALID ? E_INVALIDARG : E_FAIL;
}

void fail_json(const struct request *q, const struct err *e, struct sb *out)
{
	HRESULT hr = code_of(q, e);
	struct json_doc doc = { 0 };
	char text[sizeof e->msg + 128];
	struct jw w;

	if (q->report && json_parse(q->arena, q->report, strlen(q->report), "result", &doc, NULL) < 0)
		doc.root = NULL;
	jw_init(&w, out, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "Error", hr);
	jw_kstr(&w, "ErrorName", HcsResultToName(hr));
	jw_kstr(&w, "ErrorMessage", err_text(e, text, sizeof text));
	for (uint32_t i = 0; doc.root && i < doc.root->n; i++) {
		const struct json *v = json_at(doc.root, i);

		if (!v->key || !strcmp(v->key, "Error") || !strcmp(v->key, "ErrorMessage"))
			continue;
		jw_key(&w, v->key);
		jw_value(&w, v);
	}
	jw_end(&w);
	sb_putc(out, '\n');
}

static void problem_line(const struct json *event, struct sb *out)
{
	const struct json *data = json_at(json_get(event, "Data"), 0);
	const char *pointer = json_string(json_get(data, "Value"), ""),
		   *line = json_string(json_get(event, "Source"), "");

	sb_printf(out, "  %s%s%s", pointer, *pointer ? ": " : "", json_string(json_get(event, "Message"), "?"));
	if (*line)
		sb_printf(out, " (%s)", line);
	sb_putc(out, '\n');
}

void fail_text(const struct request *q, const struct err *e, struct sb *out)
{
	char text[sizeof e->msg + 128];
	const struct json *events;
	struct json_doc doc;

	sb_printf(out, PROGRAM ": %s\n", err_text(e, text, sizeof text));
	if (!q->report || json_parse(q->arena, q->report, strlen(q->report), "result", &doc, NULL) < 0)
		return;
	events = json_get(doc.root, "ErrorEvents");
	for (uint32_t i = 0; events && events->n > 1 && i < events->n; i++)
		problem_line(json_at(events, i), out);
}
