/* Flags of run -> the document of a system. */
#pragma once

#include "attach.h"

struct jw;

struct run_flags {
	struct common common;
	struct process_flags p;
	const char *rootfs, *file, *memory, *cpus, *hostname, *net, *owner;
	struct option_list mounts;
};

/* `*command` (NULL-terminated) becomes a shell where there has to be one; and none
 * where the document has got it: a system that nobody waits for ends with its command. */
const char *run_document(struct request *q, const struct run_flags *f, char ***command, struct err *e);

/* So many processors, as a member of a document's Processor: whole ones are a count, else
 * it is a share of the host. */
void put_cpus(struct jw *w, double n);
