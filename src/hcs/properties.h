/* Properties of systems: what is told of one, and from where. */
#pragma once

#include "hcs.h"
#include "schema_reply.h"
#include "schema_requests.h"

/* What is known without asking anybody. */
void properties_basic(struct schema_properties *ret, const char *id, const struct system_meta *m,
		      enum sys_state state);
int properties_state(enum sys_state state); /* SCHEMA_STATE_x */

/* The answer to Stats, of cgroup v1 or v2; what it does not say stays NULL. In
 * `a`. -EPROTO: it is none. */
int stats_read(struct arena *a, const uint8_t *payload, size_t len, struct schema_statistics *stats,
	       struct schema_memory_info *memory);

/* What /proc says of a process; false: it has ended. */
bool process_details_read(struct arena *a, uint32_t pid, struct schema_process_details *ret);
