/* Between the files that make the library run: library.c, dispatch.c, system_events.c. */
#pragma once

#include "hcs.h"

int lib_once(void); /* what needs no settings; 0 or -errno */

/* Of the engine's watch; system_events.c. */
void on_engine_event(void *ctx, struct engine_task *t, const struct engine_event *ev);
void on_engine_gone(void *ctx, struct engine_task *t, bool lost);

/* A notice that nobody could be told: it may be told later, to another callback. */
void notice_untold(struct notice *n);
