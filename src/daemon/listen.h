/*
 * The daemon's sockets, and what systemd wants to know of it: sd_listen_fds(3) and
 * sd_notify(3), whose protocols are a few lines each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* A listening socket at `path` (0660, in a directory that is made 0711), or the one
 * that systemd has passed for it. What a daemon that is gone has left there is
 * replaced; one at which somebody listens is ERR_EXISTS. */
int listen_unix(const char *path, uint32_t uid, uint32_t gid, struct err *e);

/* A socket that is there, but nobody listens at it any more. */
bool listen_is_stale(const char *path);

/* "READY=1"; nobody is told where nobody wants to know. */
void notify_systemd(const char *state);
