/*
 * A containerd shim, ours or another, driven as containerd drives it: `start`
 * in the bundle with its flags, environment and options, then ttrpc calls over
 * the socket that it names. Events come to a receiver in this process.
 *
 * All of it is one process and one thread, and every call waits: whoever
 * measures does one thing at a time. What must not fail ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"
#include "sampling.h"
#include "ttrpc_client.h"
#include "ttrpc_server.h"

enum { MAX_TEXT = 256, EVENTS = 64 };

/* The world that all shims share. */
struct host {
	struct loop loop;
	struct ttrpc_server receiver;
	const char *work, *cgroup;
	char address[90], events_address[100]; /* as containerd has two */
	char log[MAX_TEXT];
	/* since events_forget() */
	struct {
		char topic[32], id[64]; /* of the exec, else the container's */
		uint64_t at;
	} event[EVENTS];
	unsigned n_events;
	const char *wanted_topic, *wanted_id;
	unsigned long next_id;
};

struct peer {
	const char *name, *path;
	const char *binary; /* BinaryName in the options; NULL: none are sent */
};

struct shim {
	struct host *h;
	const struct peer *peer;
	char bundle[MAX_TEXT], id[64], address[MAX_TEXT];
	int log; /* the reader of its log */
	pid_t pid; /* after shim_connect() */
	struct ttrpc_client client;
};

/* Where a process's stdio goes: the client's FIFOs, or nothing at all. */
struct stdio {
	char path[3][MAX_TEXT]; /* "": none */
};

void host_open(struct host *h);

/* An event has come in the meantime, or comes now. When it came. */
uint64_t events_wait(struct host *h, const char *topic, const char *id);
void events_forget(struct host *h);

/* A bundle of its own, from one of those that bench/bundles made: its cgroup
 * has the name of `id`, which is set. */
void bundle_make(struct host *h, const char *from, char id[64], char bundle[MAX_TEXT]);
void bundle_remove(const char *bundle);

struct rusage;

/* A command to its end; with what it used. */
int run(const char *const argv[], const char *log, struct rusage *u);

void shim_prepare(struct host *h, const struct peer *p, struct shim *s); /* a bundle, and the log */
void shim_start(struct shim *s); /* until it has named its socket */
void shim_connect(struct shim *s); /* and has answered */
void shim_stop(struct shim *s);

/* The life of a container or, with an exec id, of an exec in it. */
void shim_create(struct shim *s, const char *id, const char *bundle, const struct stdio *io);
void shim_exec(struct shim *s, const char *id, const char *exec, const struct stdio *io);
pid_t shim_run(struct shim *s, const char *id, const char *exec);
unsigned shim_wait(struct shim *s, const char *id, const char *exec);
void shim_kill(struct shim *s, const char *id);
void shim_stats(struct shim *s, const char *id);
void shim_delete(struct shim *s, const char *id, const char *exec);
