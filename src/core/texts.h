/*
 * The texts that docker, podman and containerd search for in a runtime's
 * errors: change one, and an exit code or a "not found" of theirs changes.
 * Tested through each of them (test/it). Those of a failed exec are the rows
 * LOOKUP, LOOKUP_PATH and EXEC of init/handshake.h with Go's words for errno
 * (err_cause); docs/errors.md says who looks for what.
 */
#pragma once

/*      id              text */
#define CORE_TEXTS(X)                                                            \
	X(NOT_EXIST,    "container does not exist")                              \
	X(EXISTS,       "container with given ID already exists")                \
	X(NOT_RUNNING,  "container not running")                                 \
	X(NOT_PAUSED,   "container not paused")                                  \
	X(START_AGAIN,  "cannot start an already running container")             \
	X(START_EARLY,  "cannot start a container in the creating state")        \
	X(START_PAUSED, "cannot start a container in the paused state")          \
	X(NOT_STOPPED,  "cannot delete a container that is not stopped")         \
	X(START_DEAD,   "cannot start a container that has stopped")             \
	X(EXEC_STOPPED, "cannot exec in a stopped container")                    \
	X(EXEC_PAUSED,  "cannot exec in a paused container (use --ignore-paused to override)")

enum core_text {
#define X(id, text) TEXT_##id,
	CORE_TEXTS(X)
#undef X
	TEXT_COUNT
};

const char *core_text(enum core_text t);
