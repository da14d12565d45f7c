/*
 * What containerd (1.7 and later) asks of a shim's program with -info: which
 * runtime it is and what that can do. It wants the features before it gives a
 * container mounts with ids of their own.
 */
#pragma once

struct err;

#define SHIM_NAME "io.containerd.berth.v2"

/* Reads a google.protobuf.Any, the options of the runtime, to the end of `in`
 * (there may be none) and writes a containerd.types.RuntimeInfo to `out`. */
int shim_info(int in, int out, struct err *e);
