/* The parts of berthd, which live as long as it does. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "grpc_server.h"
#include "loop.h"
#include "ttrpc_server.h"

struct bus;
struct engine;
struct store;
struct shim_host;
struct tasks;
struct daemon_settings; /* daemon_settings.h */
struct err;
struct metrics;
struct request;
struct waits;

struct daemon {
	struct loop loop;
	const struct daemon_settings *settings;
	struct store *store;
	struct bus *bus;
	struct engine *engine;
	struct shim_host *host; /* of tasks without a shim; NULL: there was none yet */
	struct tasks *tasks; /* tasks.h: those that are looked for */
	struct grpc_server grpc;
	struct metrics *metrics;
	struct request *requests; /* that are not answered: request.h */
	struct waits *waits; /* waits.h */
	struct ttrpc_server ttrpc; /* where foreign shims forward their events */
	struct timespec started;
	struct source lease_timer;
	bool is_busy; /* calls have been served since memory was given back */
};

/* Says so; calls come one by one. */
void daemon_is_busy(struct daemon *d);

/* What the services do by themselves: leases expire (service_leases.c). */
int services_begin(struct daemon *d, struct err *e);
void services_end(struct daemon *d);
