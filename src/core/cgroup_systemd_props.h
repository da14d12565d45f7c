/*
 * Inside the systemd driver only: limits as unit properties, marshalled as the
 * elements of an a(sv). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cgroup_host;
struct err;
struct sb;
struct spec_resources;

void prop_bool(struct sb *b, const char *name, bool v);
void prop_string(struct sb *b, const char *name, const char *v);
void prop_u32s(struct sb *b, const char *name, uint32_t v); /* "au" with one element */

/* Everything of `r` that systemd knows. */
int props_resources(struct sb *b, const struct cgroup_host *host, const struct spec_resources *r,
		    struct err *e);
