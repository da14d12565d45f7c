/*
 * The directories of servers that have ended, with their journals: each stays
 * for some minutes below `gone`, for who had not read all; that of one that was
 * killed, too, when `delete` has looked at it.
 */
#pragma once

#include <stdbool.h>

struct settings;

/* Moves it, or removes it where nothing is in it or nothing is kept. Those of
 * long ago go. */
void remains_retire(const struct settings *s, const char *directory, bool any_events);
/* Those of servers with this name that were killed. */
void remains_remove(const char *state_dir, const char *name);
/* A server that was killed may still be connected to, as long as a helper that it
 * had forked lives: `fd` is such a connection. */
bool remains_is_dead(const char *state_dir, const char *name, int fd);
/* Calls `fn` for each directory of a server with this name that has ended: of one
 * that was killed, which is retired then, and of those in `gone`; for one of the
 * first kind maybe twice. */
void remains_each(const struct settings *s, const char *name, void (*fn)(const char *directory, void *ctx), void *ctx);
