/*
 * The shim's configuration: /etc/berth/shim.json, or where BERTH_SHIM_CONFIG
 * says. Every member may be left out; docs/shim.md lists them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define SETTINGS_FILE "/etc/berth/shim.json"

struct settings {
	char **builtin_names; /* of BinaryName that mean the built-in runtime, beside "" */
	size_t n_builtin_names;
	char *root; /* state of the built-in runtime, without the namespace */
	char *runtime_root; /* of an external one */
	char *state_dir; /* the shims' own */
	char *socket_dir;
	uint32_t keep_events; /* minutes that the journal of a shim stays after its end */
	bool mount_namespace; /* the shim's own, in which it makes root file systems */
};

/* `path` NULL: the usual one, if it is there. */
int settings_read_file(struct arena *a, const char *path, struct settings *ret, struct err *e);
int settings_read(struct arena *a, struct settings *ret, struct err *e);
bool settings_is_builtin(const struct settings *s, const char *binary_name);
