/*
 * Begin and end of each call, for HcsSetLogCallback() or BERTH_LOG. Lines are made
 * with the lock held and written without it, in their order.
 */
#pragma once

#include <stdbool.h>

#include <berth/computecore.h>

#include "log.h"

struct call;
struct log_entry;
struct operation;

bool log_wants(HCS_LOG_LEVEL level);
void log_begin(const struct call *c);
/* What was to be expected (already stopped, ...) is no error. */
void log_end(const struct call *c, HRESULT hr);
void log_completed(const struct operation *op);
/* It outlives HCSSHIM_TIMEOUT_SYSCALLWATCHER. */
void log_slow(const struct operation *op);
/* A line of the engine, or of our own. */
void log_engine(enum log_level level, const char *words);

/* lib_unlock()'s: what came up, and its writing. */
struct log_entry *log_take(void);
void log_write(struct log_entry *list);
bool log_in_callback(void);
