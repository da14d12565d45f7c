/*
 * A mount on the command line: "SRC:DST[:options]", or
 * "type=TYPE,src=SRC,dst=DST[,option...]" as docker's --mount has it.
 */
#pragma once

#include <stddef.h>

enum { MOUNT_FLAG_OPTIONS = 32 };

struct mount_flag {
	const char *type; /* "bind" when it says nothing */
	const char *source; /* NULL: none; a bind has one */
	const char *target; /* absolute */
	const char *options[MOUNT_FLAG_OPTIONS];
	size_t n_options;
};

/* Writes into `s`, and points there. 0, or -EINVAL. */
int mount_flag_parse(char *s, struct mount_flag *ret);
