/* The little of HTTP/1.1 that one page needs: GET, one answer, and the connection ends. */
#pragma once

#include <stddef.h>

#include "listener.h"
#include "loop.h"

struct err;
struct metrics_conn;
struct sb;

struct prometheus_http {
	struct loop *loop;
	struct listener listener;
	struct metrics_conn *conns;
	unsigned n;
	const char *path, *type; /* of the page: "/metrics", and its Content-Type */
	void (*print)(void *ctx, struct sb *out);
	void *ctx;
};

void prometheus_http_init(struct prometheus_http *h, struct loop *l, void (*print)(void *ctx, struct sb *out),
			  void *ctx);
int prometheus_http_listen(struct prometheus_http *h, const char *address, struct err *e);
void prometheus_http_done(struct prometheus_http *h);
