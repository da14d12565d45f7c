/* What a system's configuration needs to know of the host; see schema_needs(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct schema_needs;
struct schema_oci_input;
struct schema_user;

bool host_cgroup_v2(void);
uint32_t host_processors(void);
/* The whole disk that it is on. -errno: on none. */
int host_disk(const char *path, uint32_t *major, uint32_t *minor);
/* By etc/passwd and etc/group below this directory. -ENOENT: there is no etc/passwd. */
int host_find_user(struct arena *a, const char *root, const char *name, struct schema_user *ret, struct err *e);
/* Everything but the network of another system. */
int host_answer(struct arena *a, const struct schema_needs *n, struct schema_oci_input *in, struct err *e);

struct schema_logical_processor;
/* Those that are online; how many. */
size_t host_topology(struct schema_logical_processor *list, size_t max);
