/* berthd at work: from its settings to its end. */
#pragma once

struct daemon_flags;
struct daemon_settings;
struct err;

/* Until a signal ends it; containers go on. The flags are for SIGHUP, which reads again. */
int daemon_run(const struct daemon_settings *s, const struct daemon_flags *f, struct err *e);
