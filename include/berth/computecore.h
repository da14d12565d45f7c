/*
 * libberth: Linux containers by the API of Microsoft's Host Compute Service.
 * Names, order of parameters, values and rules are Microsoft's; its pages for
 * these functions hold, and what is said here besides is marked "berth".
 *
 *	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
 *	HCS_SYSTEM system;
 *	char *result = NULL;
 *	HRESULT hr = HcsCreateComputeSystem("web", document, op, NULL, &system);
 *
 *	if (SUCCEEDED(hr))
 *		hr = HcsWaitForOperationResult(op, INFINITE, &result);
 *	if (FAILED(hr))
 *		fprintf(stderr, "%s: %s\n", HcsResultToString(hr), result ? result : "");
 *	HcsFree(result);
 *	HcsCloseOperation(op);
 *
 * Asynchronous calls are those that take an HCS_OPERATION. S_OK from one means
 * "begun"; how it ended is the result of the operation. Arguments, handles and
 * states that are known to be wrong fail in the call itself; the operation then
 * has that same result, and no callback is called. What is wrong with a document
 * and what the host says comes as the operation's result alone. A failed
 * operation's result document is a ResultError (libberth(3)) that names system,
 * process and phase, and the place in the document by JSON pointer.
 *
 * Threads. Any function may be called from any thread at any time, two with the
 * same handle included; none waits for another that is in progress. The library
 * has no thread unless HcsStartDispatchThread() was called. What goes on, goes on
 * while some thread is inside a function that waits (HcsWait..., HcsOpen..., an
 * HcsClose... that must), inside HcsDispatch(), or in that helper thread; and
 * callbacks are called there, one at a time in the whole process, in the order in
 * which things happened, with no lock held. A callback may call every function
 * here, those that wait included; callbacks that come up meanwhile are called
 * after it has returned.
 *
 * A result that is given through a `char **` belongs to the caller, who gives it
 * to HcsFree(). It is NULL when there is none. The pointer to it may be NULL.
 *
 * Fork. A process that was forked from one that has used the library may only
 * exec or exit: each function answers BERTH_E_AFTER_FORK there.
 *
 * Every function may answer, besides what is listed with it, E_HANDLE (a handle
 * is closed), E_INVALIDARG (an argument is NULL or not possible), E_OUTOFMEMORY,
 * HCS_E_SERVICE_DISCONNECT (the system's shim died), BERTH_E_AFTER_FORK,
 * BERTH_E_IN_LOG_CALLBACK. An asynchronous one also
 * HCS_E_OPERATION_ALREADY_STARTED, and through its operation
 * HCS_E_ERROR_CANCELLED.
 */
#ifndef BERTH_COMPUTECORE_H
#define BERTH_COMPUTECORE_H

#include <stdbool.h>
#include <stddef.h>

#include "computedefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- operations ------------------------------------------------------------
 *
 * An operation follows one call and cannot be used for another. It completes
 * once. It may be closed at any time, also while its call goes on (which it then
 * does unobserved) and inside its own callback.
 */

/* `callback` (or NULL) is called once, with `context`, when the operation has
 * completed. NULL: out of memory. */
HCS_OPERATION HcsCreateOperation(const void *context, HCS_OPERATION_COMPLETION callback);

/* The same with events: HcsEventOperationCallback when it has completed and, if
 * `eventTypes` says so, HcsEventGroupOperationInfo whenever it enters a phase. */
HCS_OPERATION HcsCreateOperationWithNotifications(HCS_OPERATION_OPTIONS eventTypes, const void *context,
						  HCS_EVENT_CALLBACK callback);

/* What waits for it gets E_HANDLE. Its callback is not called any more, and when
 * another thread is in it, this waits for that one to return. */
void HcsCloseOperation(HCS_OPERATION operation);

void *HcsGetOperationContext(HCS_OPERATION operation); /* NULL: none, or closed */
HRESULT HcsSetOperationContext(HCS_OPERATION operation, const void *context);

/* The handle that the operation's call was made with, or made. It is not the
 * caller's to close a second time. NULL: none, or closed meanwhile. */
HCS_SYSTEM HcsGetComputeSystemFromOperation(HCS_OPERATION operation);
HCS_PROCESS HcsGetProcessFromOperation(HCS_OPERATION operation);

HCS_OPERATION_TYPE HcsGetOperationType(HCS_OPERATION operation);

/* Unique in this process, never used again. */
uint64_t HcsGetOperationId(HCS_OPERATION operation);

/*
 * The result, as often as it is asked for: S_OK or the code of the call's
 * failure; HCS_E_OPERATION_NOT_STARTED, HCS_E_OPERATION_PENDING while there is
 * none. Never waits, and calls no callbacks.
 */
HRESULT HcsGetOperationResult(HCS_OPERATION operation, char **resultDocument);

/* Of HcsCreateProcess() and HcsGetProcessInfo() only, else E_INVALIDARG. The
 * descriptors are given away by the first call that gets them; later ones see -1.
 * Those that nobody took before the operation is closed are the process's again,
 * for HcsGetProcessInfo(), and are closed with its last handle. */
HRESULT HcsGetOperationResultAndProcessInfo(HCS_OPERATION operation, HCS_PROCESS_INFORMATION *processInformation,
					    char **resultDocument);

/* Waits until it has completed. HCS_E_OPERATION_TIMEOUT after `timeoutMs`: the
 * operation goes on. Any number of threads may wait for one operation. */
HRESULT HcsWaitForOperationResult(HCS_OPERATION operation, uint32_t timeoutMs, char **resultDocument);
HRESULT HcsWaitForOperationResultAndProcessInfo(HCS_OPERATION operation, uint32_t timeoutMs,
						HCS_PROCESS_INFORMATION *processInformation,
						char **resultDocument);

/* Instead of the one it was created with; NULL for none. When the operation has
 * completed, nobody has taken its result and no callback was told, this one is. */
HRESULT HcsSetOperationCallback(HCS_OPERATION operation, const void *context, HCS_OPERATION_COMPLETION callback);

/*
 * berth: implemented. The operation completes at once with HCS_E_ERROR_CANCELLED.
 * Undone are a create, a process being created, and a start that is queued; of
 * what the shim has begun already the end is not waited for. S_FALSE: it had
 * completed. HCS_E_OPERATION_NOT_STARTED.
 */
HRESULT HcsCancelOperation(HCS_OPERATION operation);

/* An OperationInfo: Operation, OperationId, SystemId, ProcessId, State, Phase,
 * StartTimestamp, EndTimestamp, Age100ns, PhaseAge100ns, Queue100ns. `options`
 * must be NULL or "{}". */
HRESULT HcsGetOperationProperties(HCS_OPERATION operation, const char *options, char **resultDocument);

/*
 * Gives a descriptor to the call that the operation will be used for; it is
 * duplicated, and stays the caller's. Before the call only. `uri` says what for:
 *
 *	"hcs:/Process/StdIn", ".../StdOut", ".../StdErr"	(HcsCreateProcess, and
 *		HcsCreateComputeSystem where the document brings its own command) the
 *		process has this file, FIFO or pipe, and none is in the process
 *		information. Sockets cannot be given.
 *
 * Any other is HCS_E_ERROR_NOT_SUPPORTED.
 */
HRESULT HcsAddResourceToOperation(HCS_OPERATION operation, HCS_RESOURCE_TYPE type, const char *uri, int handle);

/* ---- systems ---------------------------------------------------------------
 *
 * An id belongs to a namespace; functions without one, or with NULL, mean the
 * one in the configuration (`default`). Handles are independent of each other:
 * what one does, all see. States and what is possible in which: libberth(3).
 */

/* A SystemQuery, or NULL for every system. The result is an array of Properties. */
HRESULT HcsEnumerateComputeSystems(const char *query, HCS_OPERATION operation);
/* berth: the namespace "*" means all of them; Properties.Namespace tells which. */
HRESULT HcsEnumerateComputeSystemsInNamespace(const char *idNamespace, const char *query, HCS_OPERATION operation);

/*
 * Creates a system from a document (libberth(3)): schema 2 ComputeSystem, schema
 * 1 ContainerConfig. `*computeSystem` is set when this returns S_OK, and is to be
 * closed whatever comes; until the operation has completed, other calls answer
 * HCS_E_OPERATION_PENDING, and if it failed, HCS_E_SYSTEM_NOT_FOUND. Only
 * terminate does not wait: it ends the create, too.
 *
 * Through the operation: HCS_E_SYSTEM_ALREADY_EXISTS (and nothing was touched),
 * HCS_E_INVALID_JSON, HCS_E_ERROR_NOT_SUPPORTED (a field that cannot be honoured),
 * HCS_E_INVALID_LAYER, and others. A create that failed leaves nothing behind.
 */
HRESULT HcsCreateComputeSystem(const char *id, const char *configuration, HCS_OPERATION operation,
			       const void *securityDescriptor, HCS_SYSTEM *computeSystem);
/* With options, or NULL: a callback from the beginning, and (berth) a lifetime. */
HRESULT HcsCreateComputeSystemInNamespace(const char *idNamespace, const char *id, const char *configuration,
					  HCS_OPERATION operation, const HCS_CREATE_OPTIONS *options,
					  HCS_SYSTEM *computeSystem);

/*
 * Synchronous. `requestedAccess` is GENERIC_ALL. HCS_E_SYSTEM_NOT_FOUND. A system
 * that has stopped can be opened as long as it exists. One whose shim does not
 * answer can be opened, too: its State is Unknown.
 */
HRESULT HcsOpenComputeSystem(const char *id, uint32_t requestedAccess, HCS_SYSTEM *computeSystem);
HRESULT HcsOpenComputeSystemInNamespace(const char *idNamespace, const char *id, uint32_t requestedAccess,
					HCS_SYSTEM *computeSystem);

/*
 * The handle is gone when this returns. No event comes for that: who waits with
 * it gets E_HANDLE, and so do operations that were begun with it and have not
 * completed; what they began goes on. When its callback is running on another
 * thread, waits until that has returned. When it was the last one, here and in
 * other programs, of a system that goes with it (one that has stopped, or is to be
 * terminated then), waits until that is gone: its id is free. NULL and a closed
 * handle: does nothing.
 */
void HcsCloseComputeSystem(HCS_SYSTEM computeSystem);

/*
 * `options` of these is NULL (or "{}").
 *
 * Start: at most HCSSHIM_MAX_PARALLEL_START of a process are in progress, the
 * others queue in order. HCS_E_TERMINATED_DURING_START.
 */
HRESULT HcsStartComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/*
 * The stop signal, to every process: completes when it was sent. The system has
 * stopped when HcsWaitForComputeSystemExit() says so. `options` may be a
 * ShutdownOptions whose Type is Shutdown; Signal (berth) is another signal.
 * HCS_E_SYSTEM_ALREADY_STOPPED: also when it was asked to shut down before.
 */
HRESULT HcsShutDownComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/* Kills every process; completes when the system has stopped. Works in every
 * state, also while a start is in progress or hangs. HCS_E_SYSTEM_ALREADY_STOPPED:
 * also when it was terminated before. */
HRESULT HcsTerminateComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/* Freezes and thaws every process. `options` of pause may be a PauseOptions whose
 * SuspensionLevel is Suspend. */
HRESULT HcsPauseComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsResumeComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/* HCS_E_ERROR_NOT_SUPPORTED for containers; the state is checked first. */
HRESULT HcsSaveComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsCrashComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/* A System_PropertyQuery, or NULL for the basic ones. The result is Properties.
 * Answers in every state; waits for no other call. */
HRESULT HcsGetComputeSystemProperties(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *propertyQuery);

/* A ModifySettingRequest (or the one of schema 1). `identity` is -1. */
HRESULT HcsModifyComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *configuration,
			       int identity);

/*
 * Waits until the system has stopped, whether it was stopped before or after the
 * handle was opened. `*result` is a SystemExitStatus: how, with which code or
 * signal, who asked. S_OK, HCS_E_OPERATION_TIMEOUT, E_HANDLE (the handle was
 * closed meanwhile: says nothing of the system), HCS_E_SERVICE_DISCONNECT (the
 * shim died; the system was killed with it; the document is given all the same).
 */
HRESULT HcsWaitForComputeSystemExit(HCS_SYSTEM computeSystem, uint32_t timeoutMs, char **result);

/*
 * One callback a handle; another one instead of it; NULL for none. What happened
 * and was not told yet is told to it: exit, disconnect, and with
 * HcsEventOptionEnableOperationCallbacks operations on this handle that completed
 * and whose result nobody has fetched. When the one before it is running on
 * another thread, waits until that has returned.
 */
HRESULT HcsSetComputeSystemCallback(HCS_SYSTEM computeSystem, HCS_EVENT_OPTIONS callbackOptions,
				    const void *context, HCS_EVENT_CALLBACK callback);

/* ---- processes -------------------------------------------------------------
 *
 * A process of a system that HcsCreateProcess() made, or the one that the system
 * was created with. Its handle is valid until it is closed, also when no handle of
 * its system is open any more; closing does not kill.
 */

/*
 * ProcessParameters, or a ProcessConfig of schema 1. A system whose document
 * brings its own command (OciSpecification) may be given parameters without any:
 * then it is that process, and its streams, that are opened; in every state, so
 * that before the start nothing of it is missed.
 *
 * Such a system's streams are kept for this if its document wants a terminal, or
 * has the annotation "io.berth.stdio": "held"; else they are /dev/null.
 *
 * A terminal (EmulateConsole) without any CreateStd...Pipe stays with the shim. Until
 * HcsGetProcessInfo() asks for it, on any handle, what is written to it is thrown away
 * when it is half full, so that nothing in the system waits. Who has a terminal, by
 * either way, has to read it.
 *
 * Through the operation: HCS_E_INVALID_JSON, HCS_E_ERROR_NOT_SUPPORTED; if the program
 * cannot be executed, HCS_E_ERROR_FILE_NOT_FOUND, E_ACCESSDENIED or, for any other
 * reason, BERTH_E_FROM_ERRNO(); E_FAIL from an external runtime, which has words only.
 * The ResultError has the words, and the errno value in its event's data.
 */
HRESULT HcsCreateProcess(HCS_SYSTEM computeSystem, const char *processParameters, HCS_OPERATION operation,
			 const void *securityDescriptor, HCS_PROCESS *process);

/* Synchronous. `processId` as in the process information; berth: 0 is the process
 * that the system was created with. One that has ended is HCS_E_ERROR_NOT_FOUND, as its
 * creator has been told of its end; berth: if that has gone before, the process can be
 * opened as long as the system runs, with its exit code. Of several that had the pid it
 * is the one that lives, or ended last. */
HRESULT HcsOpenProcess(HCS_SYSTEM computeSystem, uint32_t processId, uint32_t requestedAccess, HCS_PROCESS *process);

/* As HcsCloseComputeSystem(). */
void HcsCloseProcess(HCS_PROCESS process);

/* SIGKILL. HCS_E_PROCESS_ALREADY_STOPPED. `options` is NULL. */
HRESULT HcsTerminateProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *options);

/* SignalProcessOptions: {"Signal": 15}, {"Signal": "SIGTERM"}, {"Signal": "CtrlC"}. */
HRESULT HcsSignalProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *options);

/* The process information. The descriptors are those of HcsCreateProcess() that
 * nobody took there; each is given once. */
HRESULT HcsGetProcessInfo(HCS_PROCESS process, HCS_OPERATION operation);

/* The result is a ProcessStatus; berth: with Signal and OomKilled, where they
 * apply. Answers also when the process and its system are gone. */
HRESULT HcsGetProcessProperties(HCS_PROCESS process, HCS_OPERATION operation, const char *propertyQuery);

/* ProcessModifyRequest: ConsoleSize, CloseHandle. */
HRESULT HcsModifyProcess(HCS_PROCESS process, HCS_OPERATION operation, const char *settings);

/* As HcsSetComputeSystemCallback(); the exit is HcsEventProcessExited. */
HRESULT HcsSetProcessCallback(HCS_PROCESS process, HCS_EVENT_OPTIONS callbackOptions, void *context,
			      HCS_EVENT_CALLBACK callback);

/* As HcsWaitForComputeSystemExit(); `*result` is a ProcessStatus. */
HRESULT HcsWaitForProcessExit(HCS_PROCESS process, uint32_t timeoutMs, char **result);

/* ---- service --------------------------------------------------------------- */

/* Synchronous. A Service_PropertyQuery (Basic, ProcessorTopology; berth:
 * Operations, those of this process that are in progress; Settings; one of these
 * two alone), or NULL for
 * Basic. */
HRESULT HcsGetServiceProperties(const char *propertyQuery, char **result);

/* Synchronous. A ModificationRequest. No setting can be changed yet: each is
 * HCS_E_ERROR_NOT_SUPPORTED, and the ResultError names it. */
HRESULT HcsModifyServiceSettings(const char *settings, char **result);

/* ---- not on Linux ----------------------------------------------------------
 *
 * They check nothing and answer HCS_E_ERROR_NOT_SUPPORTED; those with an
 * operation through it, too.
 */
HRESULT HcsInitializeLiveMigrationOnSource(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsStartLiveMigrationOnSource(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsStartLiveMigrationTransfer(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsFinalizeLiveMigration(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsCancelLiveMigration(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);
HRESULT HcsSubmitWerReport(const char *settings);
HRESULT HcsCreateEmptyGuestStateFile(const char *guestStateFilePath);
HRESULT HcsCreateEmptyRuntimeStateFile(const char *runtimeStateFilePath);
HRESULT HcsGrantVmAccess(const char *vmId, const char *filePath);
HRESULT HcsRevokeVmAccess(const char *vmId, const char *filePath);
HRESULT HcsGrantVmGroupAccess(const char *filePath);
HRESULT HcsRevokeVmGroupAccess(const char *filePath);
HRESULT HcsGetProcessorCompatibilityFromSavedState(const char *runtimeFileName, char **processorFeaturesString);

/* ==== berth's additions =====================================================
 *
 * Nothing below is Microsoft's.
 */

/* Gives back what a `char **` gave. NULL: does nothing. */
void HcsFree(void *memory);

/* ---- systems that stay ------------------------------------------------------ */

/*
 * Removes a system that has stopped, or never was started; its id is free when
 * the operation has completed. HCS_E_INVALID_STATE while it runs.
 * HCS_LIFETIME says which systems stay until this: HcsLifetimeKeep.
 */
HRESULT HcsDeleteComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options);

/* Synchronous: from now on the system is HcsLifetimeKeep. */
HRESULT HcsKeepComputeSystem(HCS_SYSTEM computeSystem);

/* ---- driving ---------------------------------------------------------------- */

/*
 * For a program with a poll loop: when `*fd` is readable, call HcsDispatch(0).
 * It is the library's, is always the same, and is never read or closed by others.
 */
HRESULT HcsGetDispatchFd(int *fd);

/* Does what there is to do, and calls the callbacks; waits up to `timeoutMs` for
 * there being something. S_FALSE: there was nothing. Inside a callback: no
 * callbacks are called. */
HRESULT HcsDispatch(uint32_t timeoutMs);

/* One thread of the library's own that dispatches from now on, with all signals
 * blocked. A second call does nothing. Stop waits until it has ended; callbacks
 * may not call it. */
HRESULT HcsStartDispatchThread(void);
HRESULT HcsStopDispatchThread(void);

/*
 * Descriptors to poll for POLLIN, the library's, valid until their handle is
 * closed. An operation's: it has completed. A system's: it has stopped, or its
 * shim died. They become readable while the library is driven. A process's is
 * its pidfd, for poll, pidfd_send_signal and setns alike; it needs no driving.
 * HCS_E_PROCESS_ALREADY_STOPPED where there is none any more.
 */
HRESULT HcsGetOperationFd(HCS_OPERATION operation, int *fd);
HRESULT HcsGetComputeSystemFd(HCS_SYSTEM computeSystem, int *fd);
HRESULT HcsGetProcessFd(HCS_PROCESS process, int *fd);

/* ---- documents, results ----------------------------------------------------- */

/*
 * What HcsCreateComputeSystem() would say of the document, all of it at once, and
 * without any effect: `*report` is a ResultError with an event for each problem,
 * or NULL.
 */
HRESULT HcsValidateConfiguration(const char *configuration, char **report);

/* The ResultError of this thread's last call that failed, for those without an
 * operation: HcsOpen..., HcsGetService.... NULL when there is none. */
HRESULT HcsGetLastResult(char **resultDocument);

/* "HCS_E_SYSTEM_NOT_FOUND", or NULL for a code that has no name; and words for
 * every code. Static, or (codes of errno) the thread's until the next call. */
const char *HcsResultToName(HRESULT result);
const char *HcsResultToString(HRESULT result);

/* Which kind of failure is it? Only what the code says outright. */
bool HcsIsNotExist(HRESULT result); /* SYSTEM_NOT_FOUND, ERROR_NOT_FOUND */
bool HcsIsAlreadyStopped(HRESULT result); /* SYSTEM_, PROCESS_ALREADY_STOPPED */
bool HcsIsPending(HRESULT result);
bool HcsIsTimeout(HRESULT result);
bool HcsIsAlreadyClosed(HRESULT result);
bool HcsIsNotSupported(HRESULT result); /* ERROR_NOT_SUPPORTED, UNKNOWN_MESSAGE, UNSUPPORTED_PROTOCOL_VERSION */
bool HcsIsInvalidState(HRESULT result);

/* ---- everybody's events, log ------------------------------------------------ */

/*
 * Events of every system in the state directory, whoever created it, as
 * HcsEventServiceSystem; NULL for none. EventData: Namespace, SystemId, Event
 * (Created Started Paused Resumed OutOfMemory Exited Deleted ProcessCreated
 * ProcessStarted ProcessExited Lost), Timestamp and, where they apply, ProcessId,
 * ExitCode; and Cursor, a text that no other event has, NAMESPACE/ID/BOOT-PID/NUMBER, with
 * the number of the event among those of the shim that had this pid since the boot (not of
 * Lost, which no shim has told). Only what happens from now on; with HcsEventOptionEnableHistory this
 * waits for what is kept of earlier events, and that is told first: those of systems
 * that are there and, for some minutes, of those that are gone; in order for each
 * shim. A system that comes and goes while nobody drives the library, or in the
 * milliseconds until its shim is found, may be missed. It is no handle: no system
 * lives longer, or shorter, for being watched.
 */
HRESULT HcsSetServiceCallback(HCS_EVENT_OPTIONS callbackOptions, const void *context, HCS_EVENT_CALLBACK callback);

/*
 * Lines up to `level`; NULL for none. Called on the thread whose call it is
 * about, before that call returns; two threads may be in it at a time. It must
 * not call the library (BERTH_E_IN_LOG_CALLBACK). Without one, BERTH_LOG is
 * looked at: error, warning, info or debug, and the lines go to fd 2; or
 * LEVEL:PATH, and they are appended to that file.
 */
HRESULT HcsSetLogCallback(HCS_LOG_CALLBACK callback, void *context, HCS_LOG_LEVEL level);

#ifdef __cplusplus
}
#endif

#endif
