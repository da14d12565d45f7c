/*
 * What the clean-up of a task needs when its shim is gone: berth.json in the
 * bundle, written before anything is made. Format: docs/formats/task.md.
 */
#pragma once

#include "operation.h"

struct arena;

#define TASK_RECORD_VERSION 1

int task_record_write(const char *bundle, const struct runtime *rt, struct err *e);
/* ERR_NOT_FOUND: nothing was ever made for this bundle. */
int task_record_read(struct arena *a, const char *bundle, struct runtime *ret, struct err *e);
