/*
 * Systems that are looked at again and again: the handles stay, every look asks
 * all of them at once, and what they used since the last one is known.
 */
#pragma once

#include "ctl.h"

struct sampled {
	char *ns, *id;
	HCS_SYSTEM s;
	HCS_OPERATION op;
	HRESULT hr;
	bool there; /* at the last look */
	bool over; /* it does not run any more */
	/* of the last look; the JSON is the look's arena's */
	const struct json *properties; /* NULL: hr says why */
	uint64_t cpu, uptime; /* in units of 100 ns */
	double percent; /* of one CPU, since the look before, or its start */
	bool seen;
};

struct sampler {
	const char *ns;
	bool all; /* of every namespace */
	bool fixed; /* only those that were added */
	struct sampled *v;
	size_t n, cap;
};

/* Looks at this one. */
int sampler_add(struct sampler *sm, struct request *q, const char *id, struct err *e);
/* One look; unless it is fixed, at all that run. */
int sampler_look(struct sampler *sm, struct request *q, struct err *e);
void sampler_done(struct sampler *sm);

/* A member that is a number and not negative; else 0. */
uint64_t number(const struct json *v, const char *key);
