/*
 * Journals of shims that have ended: below `shims`, the shims' state directory,
 * gone/MINUTE/NAME.PID/events, where NAME is that of the socket. They stay for some
 * minutes (docs/formats/journal.md).
 */
#pragma once

#include <stdint.h>

#include "events.pb-c.h"
#include "journal.h"

/* That of the shim which listened at `address` and had this pid. 0; -ENOENT: it has
 * left none, or that is long ago. */
int journal_left_find(const char *shims, const char *address, uint32_t pid, struct sb *path);

/* Every one there is: `name` is "NAME.PID". In no order. */
void journal_left_each(const char *shims, void (*fn)(void *ctx, const char *path, const char *name), void *ctx);

/* The same of shims that live, or are just ending. A journal goes from here to there:
 * who looks here first misses none. */
void journal_live_each(const char *shims, void (*fn)(void *ctx, const char *path, const char *name), void *ctx);

/* Events of a journal, after number `after`, until one cannot be read. */
typedef void journal_event_fn(void *ctx, uint64_t number, const Containerd__Events__Envelope *m);
void journal_tell(struct journal *j, uint64_t after, journal_event_fn *fn, void *ctx);
/* One that may move while it is read: *dir, which is where it is, is to be closed after it. */
int journal_left_open(struct journal *j, const char *path, int *dir);
/* The same of a file that is opened for it. 0; -ENOENT: it is not there, or not any more. */
int journal_left_tell(const char *path, uint64_t after, journal_event_fn *fn, void *ctx);
