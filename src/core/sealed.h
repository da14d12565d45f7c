/* Programs in memory: files that can be executed, and never be written again. */
#pragma once

#include <stdbool.h>

/* An empty one, O_CLOEXEC; -errno. */
int sealed_new(const char *name);
/* What was written stays; it may be executed by all. */
int sealed_finish(int fd);
bool sealed_is(int fd);
