/* Errors as results: the code, and the document that says the rest. */
#pragma once

#include <stdint.h>

#include <berth/computecore.h>

struct err;

/* One table: err_kind (and errno) -> code. */
HRESULT result_of(const struct err *e);

struct problem { /* of a document */
	const char *pointer; /* "/Container/HvSocket" */
	int line;
	const char *words;
};

/* Members that are NULL or 0 are not known. */
struct failure {
	HRESULT hr;
	const char *call; /* "HcsStartComputeSystem", or "start" */
	const char *ns, *system;
	uint32_t pid;
	const char *phase;
	int64_t phase_ms; /* for how long; -1: unknown */
	const struct err *e;
	const struct problem *problems;
	size_t n_problems;
};

/* A ResultError; malloc'ed; NULL: out of memory. */
char *result_error(const struct failure *f);
