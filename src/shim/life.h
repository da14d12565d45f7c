/*
 * The life cycle of a task's processes, as containerd's clients see it: one
 * table, state x call -> allowed, or the words that refuse it.
 */
#pragma once

struct err;

/*      id        name       containerd.types.Status */
#define LIFE_STATES(X)                                  \
	X(CREATED, "created", CONTAINERD__TYPES__STATUS__CREATED) \
	X(RUNNING, "running", CONTAINERD__TYPES__STATUS__RUNNING) \
	X(PAUSED,  "paused",  CONTAINERD__TYPES__STATUS__PAUSED)  \
	X(STOPPED, "stopped", CONTAINERD__TYPES__STATUS__STOPPED)

/*      id       created, running, paused, stopped: NULL is allowed */
#define LIFE_CALLS(X)                                                                                      \
	X(START, NULL, "cannot start a running process", "cannot start a paused process",                  \
	  "cannot start a stopped process")                                                                \
	X(DELETE, NULL, "cannot delete a running process", "cannot delete a paused process", NULL)         \
	X(KILL, NULL, NULL, NULL, "process already finished")                                              \
	X(PAUSE, "cannot pause task in created state", NULL, "cannot pause a paused container",            \
	  "cannot pause a stopped container")                                                              \
	X(RESUME, "cannot resume task in created state", "cannot resume a running process", NULL,          \
	  "cannot resume a stopped container")                                                             \
	X(EXEC, NULL, NULL, "cannot exec in a paused state",                   \
	  "cannot exec in a stopped state")                                                                \
	X(UPDATE, NULL, NULL, NULL, "cannot update a stopped container")                                   \
	X(RESIZE, NULL, NULL, NULL, "cannot resize a stopped container")                                   \
	X(MOUNT, NULL, NULL, NULL, "cannot change the mounts of a stopped container")

enum life_state {
#define X(id, name, status) LIFE_##id,
	LIFE_STATES(X)
#undef X
	LIFE_STATE_COUNT
};

enum life_call {
#define X(id, created, running, paused, stopped) LIFE_##id,
	LIFE_CALLS(X)
#undef X
	LIFE_CALL_COUNT
};

const char *life_state_name(enum life_state s);
int life_status(enum life_state s); /* Containerd__Types__Status */

/* ERR_STATE with the words; a process that is to be signalled but has ended is
 * ERR_NOT_FOUND, which clients look for. */
int life_check(enum life_state s, enum life_call c, struct err *e);
