/*
 * What shims keep, as rows `peer,what,index,value` (KiB, or how many): of n
 * with an idle container each, in which one exec has come and gone; of one
 * after more and more execs; and descriptors with one and two processes whose
 * three streams a client reads.
 */
#pragma once

#include <stdio.h>

struct host;
struct peer;

void memory_of_idle(struct host *h, const struct peer *p, long n, FILE *out);
void memory_of_execs(struct host *h, const struct peer *p, long n, FILE *out);
void fds_of_streams(struct host *h, const struct peer *p, FILE *out);
