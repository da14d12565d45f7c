/* Names for the parts of a plan, shared by its text and its JSON form. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

struct plan;

/* The name of a propagation: "rslave". */
const char *plan_propagation_name(unsigned long flags);
/* The mount options that make a step's flags, attributes and propagation:
 * "nosuid", "rw", "rro", "rslave". Returns how many. */
#define PLAN_MAX_OPTIONS 264
struct fs_step;
size_t plan_step_options(const struct fs_step *s, const char *names[PLAN_MAX_OPTIONS]);
/* "pid", "network": the i-th name of the namespaces that are made new, in the
 * order of SPEC_NAMESPACES; NULL after the last. */
const char *plan_new_ns_name(const struct plan *p, size_t i);
const char *plan_op_name(int op); /* "mount" */

/* The five capability sets, in the order in which they are shown. */
struct plan_caps;
struct plan_cap_set {
	const char *name; /* "bounding" */
	size_t offset; /* in struct plan_caps */
};
extern const struct plan_cap_set plan_cap_sets[];
static inline uint64_t plan_caps_of(const struct plan_caps *c, const struct plan_cap_set *s)
{
	return *(const uint64_t *)(const void *)((const char *)c + s->offset);
}
