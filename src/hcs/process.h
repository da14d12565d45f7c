/* A process inside the library: what the files about it share. */
#pragma once

#include "berth_shim.pb-c.h"
#include "hcs.h"

struct process *process_new(struct system *s, const char *exec_id); /* one reference; NULL: out of memory */
struct process *process_find(const struct system *s, const char *exec_id);
struct process_handle *process_open(struct process *p);
void process_forget(struct process_handle *h);
void process_tell(struct process *p);

/* Events: the process `exec_id` of the system has ended; all of them have. */
void process_exited(struct system *s, const char *exec_id, uint32_t status);
void processes_over(struct system *s, bool lost);
/* That of its own command, where the system has ended. */
void process_over_with_system(struct process *p);
/* What ended it is known, or never will be. */
void process_over(struct process *p, uint32_t status, uint32_t signal, bool core_dumped, bool oom);
/* The same, as the shim tells it. */
void process_ended(struct process *p, const Berth__Shim__V1__ProcessProperties *at);
/* Its exec is deleted in the shim, where it is ours and has ended. */
void process_clean_up(struct process *p);
void process_delete(struct process *p); /* in any case */
/* The shim's answer to Stdio. < 0: not all of them have come. */
int process_take_streams(struct process *p, struct engine_op *answer, struct err *e);
char *process_status(const struct process *p); /* ProcessStatus; malloc'ed, or NULL */

HRESULT process_check(struct call *c);
