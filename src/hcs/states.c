/* The table of states and calls; see states.h. */
#include "states.h"

#include <berth/computedefs.h>

enum answer { ok, pending, bad, over, lost, none };

static const HRESULT answers[] = {
	[ok] = S_OK,
	[pending] = HCS_E_OPERATION_PENDING,
	[bad] = HCS_E_INVALID_STATE,
	[over] = HCS_E_SYSTEM_ALREADY_STOPPED,
	[lost] = HCS_E_SERVICE_DISCONNECT,
	[none] = HCS_E_SYSTEM_NOT_FOUND,
};

static const uint8_t table[SYS_CALL_COUNT][SYS_STATE_COUNT] = {
#define X(id, ...) [SYS_CALL_##id] = { __VA_ARGS__ },
	SYS_CALLS_TABLE(X)
#undef X
};

static const struct {
	const char *name, *words;
} states[SYS_STATE_COUNT] = {
#define X(id, name, words) [SYS_##id] = { name, words },
	SYS_STATES(X)
#undef X
};

static const char *const calls[SYS_CALL_COUNT] = {
	[SYS_CALL_START] = "start",	  [SYS_CALL_SHUTDOWN] = "shut down",
	[SYS_CALL_TERMINATE] = "terminate", [SYS_CALL_PAUSE] = "pause",
	[SYS_CALL_RESUME] = "resume",	  [SYS_CALL_SAVE] = "save",
	[SYS_CALL_CRASH] = "crash",	  [SYS_CALL_PROPERTIES] = "query",
	[SYS_CALL_MODIFY] = "modify",	  [SYS_CALL_PROCESS] = "create or open a process in",
	[SYS_CALL_ATTACH] = "attach to the first process of",
	[SYS_CALL_DELETE] = "delete",
};

const char *sys_state_name(enum sys_state s)
{
	return states[s].name;
}

const char *sys_state_words(enum sys_state s)
{
	return states[s].words;
}

const char *sys_call_words(enum sys_call c)
{
	return calls[c];
}

int32_t sys_state_check(enum sys_state s, enum sys_call c)
{
	return answers[table[c][s]];
}
