/*
 * The config.json that `berth spec` writes: runc's, with our host name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sb;

struct template_options {
	bool rootless; /* a user namespace with one id, no limits, the host's network */
	uint32_t uid, gid; /* rootless: who the container's root is on the host */
	bool cgroup_namespace; /* a host with only cgroup v2 gets one */
};

/* No new line at the end, as runc's. */
void spec_template_print(struct sb *b, const struct template_options *o);
