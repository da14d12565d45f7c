/* The life-cycle table; see life.h. */
#include "life.h"

#include "err.h"
#include "types.pb-c.h"

static const struct {
	const char *name;
	int status;
} states[LIFE_STATE_COUNT] = {
#define X(id, name, status) [LIFE_##id] = { name, status },
	LIFE_STATES(X)
#undef X
};

static const char *const refusals[LIFE_CALL_COUNT][LIFE_STATE_COUNT] = {
#define X(id, created, running, paused, stopped) [LIFE_##id] = { created, running, paused, stopped },
	LIFE_CALLS(X)
#undef X
};

const char *life_state_name(enum life_state s)
{
	return states[s].name;
}

int life_status(enum life_state s)
{
	return states[s].status;
}

int life_check(enum life_state s, enum life_call c, struct err *e)
{
	const char *words = refusals[c][s];

	if (!words)
		return 0;
	return err_set(e, c == LIFE_KILL ? ERR_NOT_FOUND : ERR_STATE, 0, "%s", words);
}
