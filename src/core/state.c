/* The life-cycle table; see state.h. */
#include "state.h"

#include <stdint.h>

#include "err.h"
#include "str.h"
#include "texts.h"

static const char *const state_names[CT_COUNT] = {
#define X(id, name) [CT_##id] = name,
	CONTAINER_STATES(X)
#undef X
};

static const char *const event_names[EV_COUNT] = {
#define X(id, name, help) [EV_##id] = name,
	CONTAINER_EVENTS(X)
#undef X
};

static const char *const event_help[EV_COUNT] = {
#define X(id, name, help) [EV_##id] = help,
	CONTAINER_EVENTS(X)
#undef X
};

/* A cell: the next state, that the container is gone, or a refusal. */
struct cell {
	enum { REFUSED, TO, GONE } kind;
	uint8_t what; /* enum container_state or enum core_text */
};

#define GO(s) { TO, CT_##s }
#define END { GONE, 0 }
#define NO(text) { REFUSED, TEXT_##text }

static const struct cell table[CT_COUNT][EV_COUNT] = {
	[CT_CREATING] = {
		[EV_START] = NO(START_EARLY), [EV_KILL] = NO(NOT_RUNNING),
		[EV_PAUSE] = NO(NOT_RUNNING), [EV_RESUME] = NO(NOT_PAUSED),
		[EV_EXEC] = NO(EXEC_STOPPED), [EV_UPDATE] = NO(NOT_RUNNING),
		[EV_DELETE] = NO(NOT_STOPPED), [EV_DELETE_FORCE] = END,
		[EV_EXIT] = GO(STOPPED),
	},
	[CT_CREATED] = {
		[EV_START] = GO(RUNNING), [EV_KILL] = GO(CREATED),
		[EV_PAUSE] = GO(PAUSED), [EV_RESUME] = NO(NOT_PAUSED),
		[EV_EXEC] = GO(CREATED), [EV_UPDATE] = GO(CREATED),
		[EV_DELETE] = END, [EV_DELETE_FORCE] = END,
		[EV_EXIT] = GO(STOPPED),
	},
	[CT_RUNNING] = {
		[EV_START] = NO(START_AGAIN), [EV_KILL] = GO(RUNNING),
		[EV_PAUSE] = GO(PAUSED), [EV_RESUME] = NO(NOT_PAUSED),
		[EV_EXEC] = GO(RUNNING), [EV_UPDATE] = GO(RUNNING),
		[EV_DELETE] = NO(NOT_STOPPED), [EV_DELETE_FORCE] = END,
		[EV_EXIT] = GO(STOPPED),
	},
	[CT_PAUSED] = {
		[EV_START] = NO(START_PAUSED), [EV_KILL] = GO(PAUSED),
		[EV_PAUSE] = NO(NOT_RUNNING), [EV_RESUME] = GO(RUNNING),
		[EV_EXEC] = NO(EXEC_PAUSED), [EV_UPDATE] = GO(PAUSED),
		[EV_DELETE] = NO(NOT_STOPPED), [EV_DELETE_FORCE] = END,
		[EV_EXIT] = GO(STOPPED),
	},
	[CT_STOPPED] = {
		[EV_START] = NO(START_DEAD), [EV_KILL] = NO(NOT_RUNNING),
		[EV_PAUSE] = NO(NOT_RUNNING), [EV_RESUME] = NO(NOT_PAUSED),
		[EV_EXEC] = NO(EXEC_STOPPED), [EV_UPDATE] = NO(NOT_RUNNING),
		[EV_DELETE] = END, [EV_DELETE_FORCE] = END,
		[EV_EXIT] = GO(STOPPED),
	},
};

const char *container_state_name(enum container_state s)
{
	return s < CT_COUNT ? state_names[s] : "unknown";
}

int state_check(enum container_state s, enum container_event ev, struct err *e)
{
	const struct cell *c = &table[s][ev];

	if (c->kind != REFUSED)
		return 0;
	return err_set(e, ERR_STATE, 0, "%s", core_text((enum core_text)c->what));
}

void state_print_table(struct sb *out)
{
	sb_puts(out, "| event | what it is |");
	for (int s = 0; s < CT_COUNT; s++)
		sb_printf(out, " %s |", state_names[s]);
	sb_puts(out, "\n|---|---|");
	for (int s = 0; s < CT_COUNT; s++)
		sb_puts(out, "---|");
	sb_putc(out, '\n');
	for (int ev = 0; ev < EV_COUNT; ev++) {
		sb_printf(out, "| `%s` | %s |", event_names[ev], event_help[ev]);
		for (int s = 0; s < CT_COUNT; s++) {
			const struct cell *c = &table[s][ev];

			if (c->kind == GONE)
				sb_puts(out, " *(gone)* |");
			else if (c->kind == TO)
				sb_printf(out, " %s |", state_names[c->what]);
			else
				sb_printf(out, " \"%s\" |", core_text((enum core_text)c->what));
		}
		sb_putc(out, '\n');
	}
}
