/*
 * What a client wants of the shim and of one task's runtime: containerd's
 * options of the runc shims (and of its runtime of 1.0), which all clients send
 * whatever the shim.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wellknown.pb-c.h"

struct arena;
struct err;

struct task_options {
	bool no_pivot_root, no_new_keyring, systemd_cgroup;
	uint32_t io_uid, io_gid; /* whose the pipes of a process are; 0: its own user's */
	const char *shim_cgroup; /* existing, for the shim itself; "" */
	const char *binary_name; /* "": the built-in runtime, or the shim's setting */
	const char *root; /* the runtime's state, without the namespace; "": its default */
};

/* Strings are arena memory. No options are an Any without a type. A type that
 * is none of ours is ERR_INVALID, and so is a message that cannot be read. */
int task_options_decode(struct arena *a, const Google__Protobuf__Any *any, struct task_options *ret, struct err *e);

/* What `start` gets on its stdin: an Any with options, or (containerd 2.3)
 * BootstrapParams, which say the same `id` as the command line; or nothing. */
int task_options_of_start(struct arena *a, const void *data, size_t len, const char *id, struct task_options *ret,
		     struct err *e);
