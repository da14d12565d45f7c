/*
 * Inside the cgroup code only: writing limits, with the names of the fields
 * they come from, and the conversions between v1's and v2's scales.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup;
struct err;
struct spec_memory;
struct spec_rdma;
struct spec_resources;

/* Where a limit goes and where it comes from. */
struct limit {
	const char *controller;
	const char *file;
	const char *field; /* below /linux/resources: "/memory/limit" */
};

/* Writes a value. A controller (or file) that is not there is the error
 * "/linux/resources/pids/limit: the pids controller is not available", a value
 * that the kernel refuses "...: write '1' to pids.max". */
int limit_write(const struct cgroup *cg, const struct limit *l, struct err *e,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same without words: -errno, -ENOENT without controller or file. */
int limit_try(const struct cgroup *cg, const struct limit *l, const char *value);
int limit_fail(const struct limit *l, const char *value, int r, struct err *e);
/* The limit that this version of cgroups does not have. */
int limit_missing(const char *field, const char *version, struct err *e);
/* A number (or "max", read as UINT64_MAX) from a file of the controller. */
int limit_read(const struct cgroup *cg, const char *controller, const char *file, uint64_t *ret);
/* -1 and below 0 as "max" (v2). Returns buf. */
const char *limit_or_max(char buf[24], int64_t value);

/* Shared by both versions. */
int limit_pids(const struct cgroup *cg, int64_t limit, struct err *e);
int limit_rdma(const struct cgroup *cg, const struct spec_rdma *d, struct err *e);
/* hugetlb: `suffix` is ".limit_in_bytes" or ".max"; the .rsvd. file may be absent. */
int limit_hugepages(const struct cgroup *cg, const struct spec_resources *r,
		    const char *suffix, struct err *e);

int cgroup_apply_v1(const struct cgroup *cg, const struct spec_resources *r, struct err *e);
int cgroup_apply_v2(const struct cgroup *cg, const struct spec_resources *r, struct err *e);

/* ---- conversions, as runc --------------------------------------------- */

uint64_t cgroup_weight_from_shares(uint64_t shares); /* cpu.weight; 0: unset */
uint64_t cgroup_io_weight_from_blkio(uint16_t weight); /* io.weight */
/* memory+swap of v1 to swap alone: *ret -1 unlimited; *set false: leave. */
int cgroup_swap_from_memsw(const struct spec_memory *m, int64_t limit, int64_t *ret, bool *set,
			   struct err *e);
