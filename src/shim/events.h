/*
 * Telling containerd what happens to the tasks: every event goes to the journal
 * first, and from there to the daemon's ttrpc address, one after the other in
 * order. A daemon that is away, or does not answer, is tried again until it is
 * back; what it refuses is logged and passed over. What cannot be written is
 * told all the same, from memory.
 */
#pragma once

#include "journal.h"
#include "ttrpc_client.h"

struct unwritten;

enum { EVENTS_UNWRITTEN = 1024 };

struct events {
	struct loop *loop;
	struct journal journal;
	struct journal_reader told; /* the last one that the daemon has */
	uint64_t lost; /* the last one that was said to be lost */
	char *address; /* owned; NULL: nobody is to be told */
	char *namespace; /* owned */
	struct ttrpc_client client;
	struct unwritten *unwritten; /* after all that is in the journal */
	bool sending, sending_unwritten;
	unsigned failures; /* in a row */
	struct source again;
	bool begun_anew;
	void (*all_told)(struct events *ev); /* NULL: nobody waits for that */
	void (*added)(struct events *ev); /* there is a new one in the journal */
};

/* `address` may be NULL or "". */
int events_open(struct events *ev, struct loop *l, const char *namespace, const char *address, const char *journal,
		struct err *e);
/* Goes on with a journal that is there; it is told to nobody. One that is lost, or damaged, is
 * begun anew (`begun_anew`), with numbers that nobody has been told of. */
int events_resume(struct events *ev, struct loop *l, const char *namespace, const char *journal, struct err *e);
void events_close(struct events *ev);

/* `m` is one of containerd.events; the topic is its own ("/tasks/exit"). */
void events_publish(struct events *ev, const char *topic, const ProtobufCMessage *m);
/* What stands in a journal for it. */
int events_pack(const char *namespace, const char *topic, const ProtobufCMessage *m, struct sb *out);
bool events_are_told(const struct events *ev);
