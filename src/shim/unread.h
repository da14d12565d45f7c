/*
 * A terminal whose output nobody has asked for. It takes four kilobytes and then makes
 * its processes wait; so from half of that on what is in it is thrown away, as it is on a
 * screen that nobody looks at. A client that takes the terminal later (Stdio in
 * api/berth_shim.proto) gets what has come since.
 *
 * Not in the first second: who has a process started and fetches its streams then gets
 * everything.
 */
#pragma once

struct process;

/* It has a master. */
void unread_begin(struct process *p);
/* Somebody reads it, or it is closed; twice is fine. */
void unread_end(struct process *p);
