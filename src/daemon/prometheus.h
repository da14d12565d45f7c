/*
 * What the daemon does, counted, for Prometheus: GET /metrics on a unix socket or on
 * loopback, in its text format. docs/berthd.md has the names.
 */
#pragma once

#include <stdint.h>

struct daemon;
struct err;
struct metrics;

struct metrics *metrics_new(struct daemon *d); /* NULL: no memory */
void metrics_free(struct metrics *m);

/* `address`: a path, or 127.0.0.1:PORT, [::1]:PORT. */
int metrics_listen(struct metrics *m, const char *address, struct err *e);

/* A call has been answered, with this code of gRPC's, after so long. The names are
 * static. */
void metrics_count(struct metrics *m, const char *service, const char *method, int code, uint64_t ns);
