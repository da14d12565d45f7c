/*
 * What the library keeps of a system's document, in the record that the engine
 * stores beside the task: for the programs that open or list it later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct system_meta {
	char *owner, *name; /* NULL: the document had none */
	bool v1;
	bool own_command; /* the document's; else the built-in init */
	bool terminate; /* when the last handle is closed */
	bool keep; /* until it is deleted */
	char *stop_signal; /* "SIGTERM" */
};

/* A record of another maker, or none: all that is absent. 0 or -ENOMEM. */
int meta_read(struct arena *a, const char *record, struct system_meta *ret);
/* NULL: out of memory. */
char *meta_write(struct arena *a, const struct system_meta *m);
/* On the heap, for a system: an arena would be larger than all the rest of it. */
int meta_copy(struct system_meta *to, const struct system_meta *from);
void meta_free(struct system_meta *m);
int meta_signal(const struct system_meta *m); /* SIGTERM when it says nothing */
