/*
 * Events for whoever subscribes: those of tasks, which the engine tells; those of
 * what the daemon keeps; and those that clients and foreign shims publish or
 * forward. Each subscriber has a queue with a bound: one that is too slow misses
 * some, is told how many, and goes on.
 *
 * After a restart clients need a moment to come back: what is told in the first
 * minute, which is also what happened while no daemon ran, they get when they do.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <protobuf-c/protobuf-c.h>

#include "events.pb-c.h"
#include "grpc_server.h"

struct bus;
struct bus_subscriber;
struct err;
struct filter;
struct loop;

/* Bytes of events that a subscriber has not taken; what would go over that it misses. */
enum { BUS_UNREAD_MAX = 4 << 20 };
/* How long events are kept for who comes late, and how many bytes of them. */
enum { BUS_KEEP_MS = 60 * 1000, BUS_KEPT_MAX = 8 << 20 };

struct bus *bus_new(struct loop *l); /* NULL: no memory */
/* From now on, and only for a while: this is a restart. */
int bus_keep(struct bus *b, struct err *e);
void bus_forget(struct bus *b); /* those that are kept, and no more are */
void bus_free(struct bus *b); /* subscribers are gone by then */

struct bus_event {
	const char *ns, *topic;
	struct timespec at;
	const char *type; /* without an authority: "containerd.events.TaskExit" */
	const uint8_t *body; /* packed */
	size_t len;
	/* Told when a subscriber's socket has it; or when nobody wants it, and nobody who
	 * comes late can get it any more. NULL: nobody wants to know. */
	struct grpc_receipt *receipt;
};
void bus_publish(struct bus *b, const struct bus_event *ev);
/* One of ours, now. */
void bus_tell(struct bus *b, const char *ns, const char *topic, const ProtobufCMessage *m);
/* Namespace, topic and time of one that came with its envelope, which may be NULL. */
int bus_check(const Containerd__Events__Envelope *m, struct err *e);
/* One that is checked, too. */
int bus_forward(struct bus *b, const Containerd__Events__Envelope *m, struct err *e);
/* "/tasks/exit": of identifiers. */
int bus_topic_check(const char *topic, struct err *e);

/* A stream of answers (envelopes), of what matches; the filter is taken. NULL: no
 * memory. bus_resume() is for its call's `writable`. */
struct bus_subscriber *bus_subscribe(struct bus *b, struct filter *f, struct grpc_call *rpc);
void bus_resume(struct bus_subscriber *s);
void bus_unsubscribe(struct bus_subscriber *s);
