/* An order as bytes, for a helper that was forked before it came, or is executed. */
#pragma once

#include <stddef.h>

#include "operation.h"

typedef int order_work(struct helper_result *ret, void *order, struct err *e);

/* What is to be done, as a number; -1: it cannot be told. */
int order_verb(const struct runtime_ops *ops, order_work *work);
/* What somebody who looks at the shim sees it do: `berthctl operations`, ps. -1: NULL. */
const char *order_verb_name(int verb);

/* The caller's, to be freed; NULL: out of memory, or it cannot be told. */
void *order_pack(const struct order *o, int verb, size_t *len);

/* For helper_spare_begin(), with the shim as it was at the fork; and for helper_be(),
 * without one: what is to be known of the host is read. */
int order_do(struct helper_result *ret, const void *shim, const void *packed, size_t len, struct err *e);
/* What can be done before the order comes: its memory is there. */
void order_warm(const void *shim);
