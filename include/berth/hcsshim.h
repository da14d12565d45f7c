/*
 * The Go surface of hcsshim's `internal/hcs/system.go`, as synchronous calls on
 * top of <berth/computecore.h>. Handles are those of that header and may be used
 * with its functions.
 *
 * Each waits for what it began, as long as its timeout in the environment says
 * (whole seconds, default 240): HCSSHIM_TIMEOUT_SYSTEMCREATE, _SYSTEMSTART,
 * _SYSTEMPAUSE, _SYSTEMRESUME. HCS_E_OPERATION_TIMEOUT then. A value that is no
 * such number fails the first call of the library with E_INVALIDARG, and names
 * itself in `*error`. A start's time in the queue of HCSSHIM_MAX_PARALLEL_START
 * does not count.
 *
 * `*error` is set by what fails: a text "OPERATION ID: what" with a line for each
 * event, to be freed with HcsFree(). `error` may be NULL.
 */
#ifndef BERTH_HCSSHIM_H
#define BERTH_HCSSHIM_H

#include "computecore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One that times out, or fails in any other way, is terminated and leaves nothing:
 * no system, and no handle. */
HRESULT hcsshim_create(const char *id, const char *document, HCS_SYSTEM *system, char **error);

HRESULT hcsshim_open(const char *id, HCS_SYSTEM *system, char **error);

/* `query` is a SystemQuery or NULL; `*systems` an array of Properties. */
HRESULT hcsshim_list(const char *query, char **systems, char **error);

/* To be freed with HcsFree(); NULL: closed. */
char *hcsshim_id(HCS_SYSTEM system);

HRESULT hcsshim_start(HCS_SYSTEM system, char **error);

/* Do not wait for the exit. Shutting a stopped system down is
 * HCS_E_SYSTEM_ALREADY_STOPPED; terminating it is S_OK. HCS_E_OPERATION_PENDING:
 * it was asked to, and hcsshim_wait() will tell. */
HRESULT hcsshim_shutdown(HCS_SYSTEM system, char **error);
HRESULT hcsshim_terminate(HCS_SYSTEM system, char **error);

/* Until it has stopped. S_OK; the Status of its SystemExitStatus where that is a
 * failure (HCS_E_UNEXPECTED_EXIT); E_HANDLE when it is closed meanwhile. */
HRESULT hcsshim_wait(HCS_SYSTEM system, char **error);
/* S_OK also when the wait ends with `expected`. */
HRESULT hcsshim_wait_expected_error(HCS_SYSTEM system, HRESULT expected, char **error);
HRESULT hcsshim_wait_timeout(HCS_SYSTEM system, uint32_t milliseconds, char **error);

/* `types`: names of property types, ended by NULL; or NULL. */
HRESULT hcsshim_properties(HCS_SYSTEM system, const char *const *types, char **properties, char **error);

HRESULT hcsshim_pause(HCS_SYSTEM system, char **error);
HRESULT hcsshim_resume(HCS_SYSTEM system, char **error);

/* `information` is filled as HcsCreateProcess() has it; NULL: its descriptors are
 * kept for HcsGetProcessInfo(). */
HRESULT hcsshim_create_process(HCS_SYSTEM system, const char *document, HCS_PROCESS *process,
			       HCS_PROCESS_INFORMATION *information, char **error);
HRESULT hcsshim_open_process(HCS_SYSTEM system, uint32_t pid, HCS_PROCESS *process, char **error);

HRESULT hcsshim_modify(HCS_SYSTEM system, const char *document, char **error);

/* S_OK also when it is closed already. Does not terminate, and does not wait. */
HRESULT hcsshim_close(HCS_SYSTEM system);

#ifdef __cplusplus
}
#endif

#endif
