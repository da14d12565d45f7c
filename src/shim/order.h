/* An order for a Create as bytes, for a helper that was forked before it came. */
#pragma once

#include <stddef.h>

#include "operation.h"

/* The caller's, to be freed; NULL: out of memory. */
void *order_pack(const struct order *o, size_t *len);

/* For helper_spare_begin(), with the shim as it was at the fork. */
int order_create(struct helper_result *ret, const void *shim, const void *packed, size_t len, struct err *e);
/* What can be done before the order comes: its memory is there. */
void order_warm(const void *shim);
