/* Times in messages. */
#pragma once

#include <time.h>

#include "wellknown.pb-c.h"

/* Initialises it. */
static inline void timestamp_set(Google__Protobuf__Timestamp *t, const struct timespec *at)
{
	google__protobuf__timestamp__init(t);
	t->seconds = at->tv_sec;
	t->nanos = (int32_t)at->tv_nsec;
}

static inline void timestamp_now(Google__Protobuf__Timestamp *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	timestamp_set(t, &now);
}
