/*
 * The control groups of a container that exists, opened from its record: for
 * the verbs that look at them (ps, events).
 */
#pragma once

#include "cgroup.h"

struct container;
struct err;
struct request;

/* ERR_UNSUPPORTED when the container has none. */
int cgroups_open(struct request *q, const struct container *ct, struct cgroup *ret,
		 struct err *e);
