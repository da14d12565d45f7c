/*
 * What berthd is at and waits for, for berthctl: a page over HTTP at a socket in the state
 * directory, STATE/.daemons/PID, of which there is one for each daemon that uses it.
 * The page is a JSON document, described in docs/berthd.md.
 */
#pragma once

struct daemon;
struct err;

int waits_begin(struct daemon *d, struct err *e);
void waits_end(struct daemon *d);
