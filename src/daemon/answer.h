/*
 * Answers that are a list: field 1 of the answer, repeated, as in all of containerd's.
 * What a row of the store becomes is packed while it is there.
 *
 *	struct answer a = { .q = q };
 *
 *	r = lease_each(db, q->namespace, on_lease, &a, &a.e);	// answer_add() for each
 *	answer_end(&a, r);
 */
#pragma once

#include "filter.h"
#include "request.h"
#include "str.h"

struct answer {
	struct request *q;
	struct filter *filter; /* NULL: all */
	struct sb b;
	struct err e; /* of what has failed */
};

/* The request's own filters. */
int answer_filter(struct answer *a, char *const *texts, size_t n);
/* Whether this is wanted. */
bool answer_wants(const struct answer *a, filter_field *field, const void *m);
int answer_add(struct answer *a, const ProtobufCMessage *m);
/* Answers with the list, or the error when r < 0. */
void answer_end(struct answer *a, int r);
void answer_done(struct answer *a); /* without an answer */
