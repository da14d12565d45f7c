/* Events of tasks that ended while no daemon ran: their shims' journals have them. */
#pragma once

struct engine_settings;
struct told_list;

/* Of this one, which is gone, whatever has not been told. */
void tasks_tell_left(struct told_list *l, const struct engine_settings *s, const char *namespace, const char *id);
/* Of all whose bundle is gone, and of those that came and went since the last run. */
void tasks_tell_all_left(struct told_list *l, const struct engine_settings *s);
