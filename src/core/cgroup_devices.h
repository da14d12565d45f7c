/*
 * Which devices a container may use. The rules of the document are first
 * reduced to a default and its exceptions, exactly as the v1 controller would
 * end up with them; that is written to devices.allow and devices.deny (v1), or
 * made into a BPF program (v2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct bpf_insn;
struct cgroup;
struct err;
struct spec_device_rule;

enum { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4, DEVICE_ALL = 7 }; /* as BPF_DEVCG_ACC_* */

struct device_exception {
	char type; /* 'b' or 'c' */
	uint8_t access; /* DEVICE_*; never 0 */
	int64_t major, minor; /* -1: any */
};

struct device_policy {
	bool allow; /* what holds for a device without exception */
	struct device_exception *list;
	size_t n;
};

/* A rule that takes only a part out of a wildcard exception is an error: v1
 * would ignore it silently. Pure. */
int device_policy_make(struct arena *a, const struct spec_device_rule *rules, size_t n,
		       struct device_policy *ret, struct err *e);
/* The BPF_PROG_TYPE_CGROUP_DEVICE program: returns 1 or 0. Pure. */
int device_policy_program(struct arena *a, const struct device_policy *p, struct bpf_insn **ret,
			  size_t *n, struct err *e);

/* Puts the rules in force for the container; on v2 the program replaces the
 * one of an earlier call. */
int cgroup_devices_apply(const struct cgroup *cg, const struct spec_device_rule *rules, size_t n,
			 struct err *e);
