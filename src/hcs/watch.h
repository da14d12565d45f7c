/* Everybody's events; see watch.c. */
#pragma once

struct err;

int watch_begin(struct err *e); /* twice is fine */
void watch_end(void);
