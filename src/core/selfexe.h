/*
 * Keeps our own binary out of a container's reach (CVE-2019-5736). A process
 * that will become or enter a container first executes itself again from a
 * file that cannot be written through /proc/PID/exe: a fresh, detached,
 * read-only bind of the binary that nobody holds, or a sealed copy in memory
 * where the caller may not make mounts.
 */
#pragma once

struct err;

/* The verbs that enter a container (`start`: for startContainer hooks), for
 * runtime/entry.c; a test holds them against the verb table. */
#define SELFEXE_VERBS "create", "run", "start", "exec"

/* Returns 0 when this process already runs from such a file; otherwise it
 * executes itself again (same arguments and environment) and does not return,
 * or fails. */
int selfexe_protect(char *const argv[], struct err *e);
