/* What the engine has to know of a config.json, and the one thing it adds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

struct config {
	const char *text; /* the caller's, or one with the cgroupsPath added */
	size_t len;
	bool grouped; /* its shim may serve other tasks, too: a pod's annotation says so */
};

/* `cgroup` is added as /linux/cgroupsPath where there is none; NULL: nothing is. */
int config_prepare(struct arena *a, const char *text, size_t len, const char *cgroup, struct config *ret,
		   struct err *e);
