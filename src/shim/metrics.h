/*
 * What containerd calls the metrics of a task: what its cgroup has used, as one
 * packed message, io.containerd.cgroups.v1.Metrics (api/cgroups_v1.proto) or
 * v2.Metrics, which are laid out like the files of either. Units and absent
 * parts are those of containerd's own shim: its clients compute with them.
 *
 *	r = metrics_read(&cg, &a, &any.type_url, &any.value.data, &any.value.len, e);
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct cgroup;
struct err;

/* Everything returned is the arena's, or constant. ERR_NOT_FOUND: no directory
 * of the cgroup is open. */
int metrics_read(const struct cgroup *cg, struct arena *a, const char **ret_type_url, uint8_t **ret,
		 size_t *ret_len, struct err *e);
