/* What a shim's event is called by HcsSetServiceCallback(), and what it says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "events.pb-c.h"

/*      topic                   event             message */
#define WATCH_EVENTS(X)                                                         \
	X("/tasks/create",       "Created",        containerd__events__task_create)       \
	X("/tasks/start",        "Started",        containerd__events__task_start)        \
	X("/tasks/oom",          "OutOfMemory",    containerd__events__task_oom)          \
	X("/tasks/paused",       "Paused",         containerd__events__task_paused)       \
	X("/tasks/resumed",      "Resumed",        containerd__events__task_resumed)      \
	X("/tasks/exit",         "Exited",         containerd__events__task_exit)         \
	X("/tasks/exec-added",   "ProcessCreated", containerd__events__task_exec_added)   \
	X("/tasks/exec-started", "ProcessStarted", containerd__events__task_exec_started) \
	X("/tasks/delete",       "Deleted",        containerd__events__task_delete)

struct watch_fact {
	const char *event;
	struct timespec at;
	uint32_t pid; /* 0: not told */
	bool has_code;
	uint32_t code;
	uint64_t number; /* of the shim's event, and its pid; 0: there is none behind it */
	uint32_t shim;
};

/* The id of the task that it is about; malloc'ed. NULL: nothing that is told. */
char *watch_task(const Containerd__Events__Envelope *m);
/* false: of another task, or nothing that is told. */
bool watch_read(const Containerd__Events__Envelope *m, const char *id, struct watch_fact *ret);
