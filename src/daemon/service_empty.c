/*
 * The services of what berthd does not have (EMPTY_SERVICES): content, images,
 * snapshots, sandboxes. To list nothing is right; all else they cannot.
 */
#include "request.h"
#include "wellknown.pb-c.h"

static void unsupported(struct request *q)
{
	struct err e;

	err_set(&e, ERR_UNSUPPORTED, 0, "not implemented");
	request_fail(q, &e);
}

/* clang-format off */
const struct method empty_streams[] = { { "List", NULL, true, request_close }, { .serve = unsupported } };
const struct method empty_lists[] = { { "List", NULL, true, request_empty }, { .serve = unsupported } };
const struct method empty_all[] = { { .serve = unsupported } };
/* clang-format on */
