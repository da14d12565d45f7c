/* hcsshim's own surface, on the documented functions alone; see <berth/hcsshim.h>. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <berth/hcsshim.h>

#include "hcs.h"
#include "json.h"
#include "library.h"
#include "schema_reply.h"
#include "str.h"

/* ---- errors ------------------------------------------------------------------------------ */

/* The words of a ResultError, with a line for each event that says more. */
static char *words_of(HRESULT hr, const char *document)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct schema_source src = {
		.text = document,
		.len = document ? strlen(document) : 0,
		.name = "result",
	};
	struct schema_result_error *doc = NULL;
	struct sb b = SB_INIT;
	struct err e;

	if (document && schema_parse_result_error(&a, &src, &doc, &e) < 0)
		doc = NULL;
	sb_printf(&b, "%s (0x%08x)", doc && doc->error_message ? doc->error_message : HcsResultToString(hr),
		  (unsigned)hr);
	for (size_t i = 0; doc && doc->n_events > 1 && i < doc->n_events; i++)
		sb_printf(&b, "\n[Event Detail: %s Provider: %s]", doc->events[i].message, doc->events[i].provider);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}

static HRESULT say(HRESULT hr, char *document, char **error)
{
	if (error && FAILED(hr)) {
		char *last = NULL;

		if (!document)
			(void)HcsGetLastResult(&last);
		*error = words_of(hr, document ? document : last);
		free(last);
	}
	free(document);
	return hr;
}

static void clear(char **error)
{
	if (error)
		*error = NULL;
}

/* ---- one call and its end -------------------------------------------------------------------- */

enum which { CREATE, START, PAUSE, RESUME, NO_TIMEOUT };

/* The settings are read with the library, so after the first call. */
static uint32_t timeout(enum which w)
{
	switch (w) {
	case CREATE:
		return lib.timeouts.create;
	case START:
		return lib.timeouts.start;
	case PAUSE:
		return lib.timeouts.pause;
	case RESUME:
		return lib.timeouts.resume;
	default:
		return INFINITE;
	}
}

/* A start's time in the queue does not count. */
static HRESULT wait_for(HCS_OPERATION op, enum which w, char **document)
{
	uint32_t ms = timeout(w);
	HRESULT hr = HcsWaitForOperationResult(op, ms, document);

	while (w == START && hr == HCS_E_OPERATION_TIMEOUT && op_is_queued(op))
		hr = HcsWaitForOperationResult(op, ms, document);
	return hr;
}

typedef HRESULT (*system_function)(HCS_SYSTEM system, HCS_OPERATION op, const char *options);

static HRESULT run(system_function fn, HCS_SYSTEM system, const char *doc, enum which w, char **result, char **error)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	char *document = NULL;
	HRESULT hr;

	clear(error);
	if (!op)
		return say(E_OUTOFMEMORY, NULL, error);
	hr = fn(system, op, doc);
	if (SUCCEEDED(hr))
		hr = wait_for(op, w, &document);
	HcsCloseOperation(op);
	if (SUCCEEDED(hr) && result) {
		*result = document;
		document = NULL;
	}
	return say(hr, document, error);
}

/* ---- systems ---------------------------------------------------------------------------------- */

/* What was made of it goes: it has a clean-up time of its own. */
static void abandon(HCS_SYSTEM system)
{
	enum { CLEAN_UP_MS = 30000 };
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

	if (op && SUCCEEDED(HcsTerminateComputeSystem(system, op, NULL)))
		(void)HcsWaitForOperationResult(op, CLEAN_UP_MS, NULL);
	HcsCloseOperation(op);
	HcsCloseComputeSystem(system);
}

API HRESULT hcsshim_create(const char *id, const char *document, HCS_SYSTEM *system, char **error)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	HCS_SYSTEM made = NULL;
	char *report = NULL;
	HRESULT hr;

	clear(error);
	if (!op || !system) {
		HcsCloseOperation(op);
		return say(op ? E_INVALIDARG : E_OUTOFMEMORY, NULL, error);
	}
	*system = NULL;
	hr = HcsCreateComputeSystem(id, document, op, NULL, &made);
	if (SUCCEEDED(hr))
		hr = wait_for(op, CREATE, &report);
	HcsCloseOperation(op);
	hr = say(hr, report, error);
	if (SUCCEEDED(hr))
		*system = made;
	else if (hr == HCS_E_OPERATION_TIMEOUT)
		abandon(made);
	else
		HcsCloseComputeSystem(made);
	return hr;
}

API HRESULT hcsshim_open(const char *id, HCS_SYSTEM *system, char **error)
{
	clear(error);
	return say(HcsOpenComputeSystem(id, GENERIC_ALL, system), NULL, error);
}

static HRESULT enumerate(HCS_SYSTEM system, HCS_OPERATION op, const char *query)
{
	return HcsEnumerateComputeSystems(query, op);
}

API HRESULT hcsshim_list(const char *query, char **systems, char **error)
{
	if (systems)
		*systems = NULL;
	return run(enumerate, NULL, query, NO_TIMEOUT, systems, error);
}

API char *hcsshim_id(HCS_SYSTEM system)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	char *id = NULL;

	if (FAILED(hr))
		return NULL;
	hr = call_system(&c, system);
	if (SUCCEEDED(hr))
		id = strdup(c.sys->id);
	call_end(&c, hr);
	return id;
}

API HRESULT hcsshim_start(HCS_SYSTEM system, char **error)
{
	return run(HcsStartComputeSystem, system, NULL, START, NULL, error);
}

/* Begun, and not waited for: pending is what it says, unless it is over already. */
static HRESULT ask(system_function fn, HCS_SYSTEM system, char **error)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	char *document = NULL;
	HRESULT hr;

	clear(error);
	if (!op)
		return say(E_OUTOFMEMORY, NULL, error);
	hr = fn(system, op, NULL);
	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, 0, &document);
	if (hr == HCS_E_OPERATION_TIMEOUT)
		hr = HCS_E_OPERATION_PENDING;
	HcsCloseOperation(op);
	return say(hr, document, error);
}

API HRESULT hcsshim_shutdown(HCS_SYSTEM system, char **error)
{
	return ask(HcsShutDownComputeSystem, system, error);
}

API HRESULT hcsshim_terminate(HCS_SYSTEM system, char **error)
{
	HRESULT hr = ask(HcsTerminateComputeSystem, system, error);

	if (hr != HCS_E_SYSTEM_ALREADY_STOPPED)
		return hr;
	if (error) {
		HcsFree(*error);
		*error = NULL;
	}
	return S_OK;
}

static HRESULT wait_ms(HCS_SYSTEM system, uint32_t ms, char **error)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_exit_status *doc;
	char *result = NULL;
	struct err e;
	HRESULT hr;

	clear(error);
	hr = HcsWaitForComputeSystemExit(system, ms, &result);
	if (SUCCEEDED(hr) && result) {
		const struct schema_source src = { .text = result, .len = strlen(result), .name = "exit status" };

		if (schema_parse_exit_status(&a, &src, &doc, &e) >= 0 && FAILED(doc->status))
			hr = doc->status;
		if (FAILED(hr) && error)
			*error = words_of(hr, NULL);
		free(result);
		return hr;
	}
	free(result);
	return say(hr, NULL, error);
}

API HRESULT hcsshim_wait(HCS_SYSTEM system, char **error)
{
	return wait_ms(system, INFINITE, error);
}

API HRESULT hcsshim_wait_expected_error(HCS_SYSTEM system, HRESULT expected, char **error)
{
	HRESULT hr = wait_ms(system, INFINITE, error);

	if (hr != expected)
		return hr;
	if (error) {
		HcsFree(*error);
		*error = NULL;
	}
	return S_OK;
}

API HRESULT hcsshim_wait_timeout(HCS_SYSTEM system, uint32_t milliseconds, char **error)
{
	return wait_ms(system, milliseconds, error);
}

API HRESULT hcsshim_properties(HCS_SYSTEM system, const char *const *types, char **properties, char **error)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (properties)
		*properties = NULL;
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kbegin(&w, "PropertyTypes", '[');
	for (; types && *types; types++)
		jw_str(&w, *types);
	jw_end(&w);
	jw_end(&w);
	return run(HcsGetComputeSystemProperties, system, b.failed ? NULL : b.s, NO_TIMEOUT, properties, error);
}

API HRESULT hcsshim_pause(HCS_SYSTEM system, char **error)
{
	return run(HcsPauseComputeSystem, system, NULL, PAUSE, NULL, error);
}

API HRESULT hcsshim_resume(HCS_SYSTEM system, char **error)
{
	return run(HcsResumeComputeSystem, system, NULL, RESUME, NULL, error);
}

static HRESULT modify(HCS_SYSTEM system, HCS_OPERATION op, const char *document)
{
	return HcsModifyComputeSystem(system, op, document, -1);
}

API HRESULT hcsshim_modify(HCS_SYSTEM system, const char *document, char **error)
{
	return run(modify, system, document, NO_TIMEOUT, NULL, error);
}

API HRESULT hcsshim_close(HCS_SYSTEM system)
{
	HcsCloseComputeSystem(system);
	return S_OK;
}

/* ---- processes ---------------------------------------------------------------------------------- */

API HRESULT hcsshim_create_process(HCS_SYSTEM system, const char *document, HCS_PROCESS *process,
				   HCS_PROCESS_INFORMATION *information, char **error)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	char *report = NULL;
	HRESULT hr;

	clear(error);
	if (!op)
		return say(E_OUTOFMEMORY, NULL, error);
	hr = HcsCreateProcess(system, document, op, NULL, process);
	if (SUCCEEDED(hr) && information)
		hr = HcsWaitForOperationResultAndProcessInfo(op, INFINITE, information, &report);
	else if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, INFINITE, &report);
	if (FAILED(hr) && process) {
		HcsCloseProcess(*process);
		*process = NULL;
	}
	HcsCloseOperation(op);
	return say(hr, report, error);
}

API HRESULT hcsshim_open_process(HCS_SYSTEM system, uint32_t pid, HCS_PROCESS *process, char **error)
{
	clear(error);
	return say(HcsOpenProcess(system, pid, GENERIC_ALL, process), NULL, error);
}
