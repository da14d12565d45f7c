/*
 * OCI hooks: programs run at points of a container's life, with its state on
 * stdin. One after another; the first that fails ends it, with what it printed.
 */
#pragma once

#include "spec.h"

struct err;
struct plan;

struct hook_run {
	const struct spec_hooks *hooks; /* may have none of the kind */
	const char *state; /* JSON */
	const char *cwd; /* NULL: the caller's, or / in the container */
	/* -1: in the runtime's namespaces. Else a pidfd of the container's first
	 * process and the CLONE_NEW* to join (createContainer, startContainer). */
	int target;
	int target_ns;
	const struct plan *plan; /* of a target */
	int timeout; /* seconds, for a hook that names none; 0: none either */
};

int hooks_run(const struct hook_run *run, enum hook_kind kind, struct err *e);
