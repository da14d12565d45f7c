/*
 * The life cycle of a container as one table: state x event -> the state
 * after it, or the words that refuse it. docs/states.md is printed from it.
 */
#pragma once

struct err;
struct sb;

/*      id        name in `state`   */
#define CONTAINER_STATES(X)         \
	X(CREATING, "creating")     \
	X(CREATED,  "created")      \
	X(RUNNING,  "running")      \
	X(PAUSED,   "paused")       \
	X(STOPPED,  "stopped")

/*      id           name                what it is */
#define CONTAINER_EVENTS(X)                                                        \
	X(START,        "start",          "let the created process execute")       \
	X(KILL,         "kill",           "send a signal to the first process")    \
	X(PAUSE,        "pause",          "freeze the cgroup")                     \
	X(RESUME,       "resume",         "thaw the cgroup")                       \
	X(EXEC,         "exec",           "add a process")                         \
	X(UPDATE,       "update",         "change limits")                         \
	X(DELETE,       "delete",         "remove what is left")                   \
	X(DELETE_FORCE, "delete --force", "kill, then remove")                     \
	X(EXIT,         "(exit)",         "the first process ended")

enum container_state {
#define X(id, name) CT_##id,
	CONTAINER_STATES(X)
#undef X
	CT_COUNT
};

enum container_event {
#define X(id, name, help) EV_##id,
	CONTAINER_EVENTS(X)
#undef X
	EV_COUNT
};

const char *container_state_name(enum container_state s);

/* 0 when `ev` is possible in `s`; ERR_STATE with the refusal's words if not. */
int state_check(enum container_state s, enum container_event ev, struct err *e);

/* The table as docs/states.md shows it. */
void state_print_table(struct sb *out);
