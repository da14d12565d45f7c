/*
 * How an error crosses ttrpc and gRPC: a code, and words that end in the code's
 * class ("task c1: not found"), as containerd's own clients expect and some
 * search for. The codes are gRPC's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*      kind         code  containerd's words for the class */
#define RPC_CODES(X)                                 \
	X(NONE,        0,  "")                       \
	X(INVALID,     3,  "invalid argument")       \
	X(TIMEOUT,     4,  "context deadline exceeded") \
	X(NOT_FOUND,   5,  "not found")              \
	X(EXISTS,      6,  "already exists")         \
	X(PERMISSION,  7,  "permission denied")      \
	X(BUSY,        8,  "resource exhausted")     \
	X(STATE,       9,  "failed precondition")    \
	X(UNSUPPORTED, 12, "not implemented")        \
	X(LOST,        14, "unavailable")            \
	X(EXEC,        2,  "")                       \
	X(INTERNAL,    2,  "")

enum {
	RPC_OK = 0,
	RPC_CANCELED = 1,
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_DEADLINE_EXCEEDED = 4,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14,
};

int rpc_code(const struct err *e);

/* The words, which end in the class, valid UTF-8 whatever is in the error: Go's clients refuse others.
 * Returns buf. */
const char *rpc_words(const struct err *e, char *buf, size_t cap);

/* What a peer said, as an error: the kind from the code, the words as they are. */
int rpc_err(struct err *e, int code, const char *words);

/* The same for one that says Unknown, with the errno value that it gives besides. */
int rpc_err_of(struct err *e, const char *words, uint32_t sys, bool exec);
