/*
 * What may be done with a system in which state: one table, call x state. The
 * shim has the last word (another program may have been faster); this is what is
 * known before it is asked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*      id           State of     in words
 *                   Properties */
#define SYS_STATES(X)                                        \
	X(CREATING,    "Unknown", "being created")           \
	X(CREATED,     "Created", "created")                 \
	X(STARTING,    "Created", "starting")                \
	X(RUNNING,     "Running", "running")                 \
	X(PAUSING,     "Running", "being paused")            \
	X(PAUSED,      "Paused",  "paused")                  \
	X(STOPPING,    "Running", "asked to shut down")      \
	X(TERMINATING, "Running", "being terminated")        \
	X(STOPPED,     "Stopped", "stopped")                 \
	X(UNKNOWN,     "Unknown", "silent") /* its shim */   \
	X(LOST,        "Stopped", "lost") /* its shim died */ \
	X(NONE,        "Unknown", "gone") /* or was never created */

enum sys_state {
#define X(id, name, words) SYS_##id,
	SYS_STATES(X)
#undef X
	SYS_STATE_COUNT
};

/*
 * ok      allowed
 * pending HCS_E_OPERATION_PENDING: it is not there yet
 * bad     HCS_E_INVALID_STATE
 * over    HCS_E_SYSTEM_ALREADY_STOPPED
 * lost    HCS_E_SERVICE_DISCONNECT
 * none    HCS_E_SYSTEM_NOT_FOUND
 */
/*         call       creating created starting running pausing paused stopping ending stopped unknown lost  none */
#define SYS_CALLS_TABLE(X) \
	X(START,      pending, ok,     bad,     bad,    bad,    bad,   bad,     bad,   over,   ok,     lost, none) \
	X(SHUTDOWN,   pending, bad,    bad,     ok,     bad,    bad,   over,    over,  over,   ok,     over, none) \
	X(TERMINATE,  ok,      ok,     ok,      ok,     ok,     ok,    ok,      over,  over,   ok,     over, none) \
	X(PAUSE,      pending, bad,    bad,     ok,     bad,    bad,   bad,     bad,   over,   ok,     lost, none) \
	X(RESUME,     pending, bad,    bad,     bad,    bad,    ok,    bad,     bad,   over,   ok,     lost, none) \
	X(SAVE,       pending, bad,    bad,     bad,    bad,    ok,    bad,     bad,   over,   ok,     lost, none) \
	X(CRASH,      pending, bad,    bad,     ok,     ok,     ok,    bad,     bad,   over,   ok,     lost, none) \
	X(PROPERTIES, ok,      ok,     ok,      ok,     ok,     ok,    ok,      ok,    ok,     ok,     ok,   none) \
	X(MODIFY,     pending, ok,     bad,     ok,     bad,    ok,    bad,     bad,   over,   ok,     lost, none) \
	X(PROCESS,    pending, bad,    bad,     ok,     bad,    bad,   bad,     bad,   over,   ok,     lost, none) \
	X(ATTACH,     pending, ok,     ok,      ok,     ok,     ok,    ok,      ok,    ok,     ok,     lost, none) \
	X(DELETE,     pending, ok,     bad,     bad,    bad,    bad,   bad,     bad,   ok,     ok,     none, none)

enum sys_call {
#define X(id, ...) SYS_CALL_##id,
	SYS_CALLS_TABLE(X)
#undef X
	SYS_CALL_COUNT
};

const char *sys_state_name(enum sys_state s); /* of Properties */
const char *sys_state_words(enum sys_state s); /* "being terminated" */
const char *sys_call_words(enum sys_call c); /* "terminate" */
int32_t sys_state_check(enum sys_state s, enum sys_call c);
