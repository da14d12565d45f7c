/* OperationInfo: how far an operation is. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hcs.h"
#include "json.h"
#include "schema_names.h"
#include "str.h"

/* HCS's words; the same numbers stand for other things there. */
static const char *word_of(HCS_OPERATION_TYPE type)
{
	static const struct {
		HCS_OPERATION_TYPE type;
		int word;
	} rows[] = {
		{ HcsOperationTypeCreate, SCHEMA_OPERATION_CREATE },
		{ HcsOperationTypeStart, SCHEMA_OPERATION_START },
		{ HcsOperationTypeShutdown, SCHEMA_OPERATION_SHUTDOWN },
		{ HcsOperationTypePause, SCHEMA_OPERATION_PAUSE },
		{ HcsOperationTypeResume, SCHEMA_OPERATION_RESUME },
		{ HcsOperationTypeSave, SCHEMA_OPERATION_SAVE },
		{ HcsOperationTypeTerminate, SCHEMA_OPERATION_TERMINATE },
		{ HcsOperationTypeModify, SCHEMA_OPERATION_MODIFY },
		{ HcsOperationTypeGetProperties, SCHEMA_OPERATION_GET_PROPERTIES },
		{ HcsOperationTypeCreateProcess, SCHEMA_OPERATION_CREATE_PROCESS },
		{ HcsOperationTypeSignalProcess, SCHEMA_OPERATION_SIGNAL_PROCESS },
		{ HcsOperationTypeGetProcessInfo, SCHEMA_OPERATION_GET_PROCESS_INFO },
		{ HcsOperationTypeGetProcessProperties, SCHEMA_OPERATION_GET_PROPERTIES },
		{ HcsOperationTypeModifyProcess, SCHEMA_OPERATION_MODIFY_PROCESS },
		{ HcsOperationTypeCrash, SCHEMA_OPERATION_CRASH },
	};

	if (type == HcsOperationTypeEnumerate)
		return "Enumerate";
	if (type == HcsOperationTypeDelete)
		return "Delete";
	if (type == HcsOperationTypeLiveMigration)
		return "LiveMigration";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			return name_of(schema_operation_names, rows[i].word);
	return "None";
}

static void times(struct jw *w, const struct operation *op)
{
	int64_t end = op->state == OP_DONE ? op->ended_ms : clock_ms();
	char stamp[CLOCK_TEXT];

	clock_utc(&op->began, 1, stamp);
	jw_kstr(w, "StartTimestamp", stamp);
	if (op->state == OP_DONE) {
		clock_utc(&op->ended, 1, stamp);
		jw_kstr(w, "EndTimestamp", stamp);
	}
	jw_kint(w, "Age100ns", (end - op->began_ms) * 10000);
	if (op->queued_ms)
		jw_kint(w, "Queue100ns", op->queued_ms * 10000);
}

void op_write(struct jw *w, const struct operation *op)
{
	static const char *const states[] = {
		[OP_NEW] = "NotStarted",
		[OP_PENDING] = "Pending",
		[OP_DONE] = "Completed",
	};
	const struct request *rq = op->rq;
	int64_t since = op->phase_ms;
	const char *phase = op->phase;

	jw_begin(w, '{');
	jw_kstr(w, "Operation", word_of(op->type));
	jw_kuint(w, "OperationId", op->id);
	jw_kstr(w, "State", states[op->state]);
	if (op->system_ns)
		jw_kstr(w, "Namespace", op->system_ns);
	if (op->system_id)
		jw_kstr(w, "SystemId", op->system_id);
	if (op->pid)
		jw_kuint(w, "ProcessId", op->pid);
	if (op->state != OP_NEW)
		times(w, op);
	if (op->state == OP_PENDING && rq && rq->in_engine && rq->eop.phase) {
		phase = rq->eop.phase;
		since = rq->eop.since.tv_sec * 1000ll + rq->eop.since.tv_nsec / NS_PER_MS;
	}
	if (op->state == OP_PENDING && phase) {
		jw_kstr(w, "Phase", phase);
		jw_kint(w, "PhaseAge100ns", (clock_ms() - since) * 10000);
	}
	if (op->state == OP_DONE && FAILED(op->hr)) {
		jw_kbegin(w, "FailureInfo", '{');
		jw_kint(w, "Result", op->hr);
		jw_end(w);
	}
	jw_end(w);
}

char *op_describe(const struct operation *op)
{
	struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	op_write(&w, op);
	if (b.failed)
		sb_done(&b);
	return b.failed ? NULL : b.s;
}

API HRESULT HcsGetOperationProperties(HCS_OPERATION operation, const char *options, char **resultDocument)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	const struct operation *op;

	if (FAILED(hr))
		return hr;
	op = handle_find(&lib.handles, operation, OBJ_OPERATION);
	if (!op)
		return call_end(&c, call_refuse(&c, operation ? E_HANDLE : E_INVALIDARG, "operation: %s",
						operation ? "is closed" : "is NULL"));
	if (!resultDocument)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "resultDocument: is NULL"));
	if (options && *options && strcmp(options, "{}") != 0)
		return call_end(&c, call_refuse(&c, HCS_E_ERROR_NOT_SUPPORTED, "options: there are none"));
	*resultDocument = op_describe(op);
	return call_end(&c, *resultDocument ? S_OK : call_nomem(&c));
}
