/*
 * Types and codes of <berth/computecore.h>: those of Microsoft's Host Compute
 * System API, whose documentation holds for them, on Linux. What differs:
 *
 *	HRESULT		int32_t
 *	DWORD, UINT64	uint32_t, uint64_t
 *	PCWSTR		const char *, UTF-8, ended by a NUL
 *	PWSTR *		char **: a result, which the caller gives to HcsFree()
 *	HANDLE		int, a file descriptor; -1: none
 *	INFINITE	UINT32_MAX
 *
 * Define BERTH_WINDOWS_NAMES before this header to have those names, too.
 * Values are Microsoft's wherever Microsoft has one; berth's own are in the last
 * part of this file, and nowhere else.
 */
#ifndef BERTH_COMPUTEDEFS_H
#define BERTH_COMPUTEDEFS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t HRESULT;

#ifdef BERTH_WINDOWS_NAMES
typedef uint32_t DWORD;
typedef uint64_t UINT64;
typedef int HANDLE;
typedef const char *PCWSTR;
typedef char *PWSTR;
typedef void SECURITY_DESCRIPTOR;
#define CALLBACK
#endif

#ifndef SUCCEEDED
#define SUCCEEDED(hr) ((HRESULT)(hr) >= 0)
#define FAILED(hr) ((HRESULT)(hr) < 0)
#endif
#ifndef INFINITE
#define INFINITE UINT32_MAX /* a timeout: wait as long as it takes */
#endif
#ifndef GENERIC_ALL
#define GENERIC_ALL 0x10000000u /* the only access that can be asked for */
#endif

/* ---- handles ---------------------------------------------------------------
 *
 * Values of a table, not addresses: one that was closed is never valid again,
 * and a call with it answers E_HANDLE. NULL is no handle.
 */
typedef struct HCS_SYSTEM_T *HCS_SYSTEM;
typedef struct HCS_PROCESS_T *HCS_PROCESS;
typedef struct HCS_OPERATION_T *HCS_OPERATION;

/* ---- operations ------------------------------------------------------------ */

/* What an operation was used for; HcsGetOperationType(). */
typedef enum HCS_OPERATION_TYPE {
	HcsOperationTypeNone = -1, /* for no call so far */
	HcsOperationTypeEnumerate = 0,
	HcsOperationTypeCreate = 1,
	HcsOperationTypeStart = 2,
	HcsOperationTypeShutdown = 3,
	HcsOperationTypePause = 4,
	HcsOperationTypeResume = 5,
	HcsOperationTypeSave = 6,
	HcsOperationTypeTerminate = 7,
	HcsOperationTypeModify = 8,
	HcsOperationTypeGetProperties = 9,
	HcsOperationTypeCreateProcess = 10,
	HcsOperationTypeSignalProcess = 11, /* also HcsTerminateProcess() */
	HcsOperationTypeGetProcessInfo = 12,
	HcsOperationTypeGetProcessProperties = 13,
	HcsOperationTypeModifyProcess = 14,
	HcsOperationTypeCrash = 15,
	HcsOperationTypeLiveMigration = 19,
	HcsOperationTypeDelete = 0x1000 /* berth's: HcsDeleteComputeSystem() */
} HCS_OPERATION_TYPE;

/* What HcsGetOperationId() answers when there is no such operation. */
#define HCS_INVALID_OPERATION_ID UINT64_MAX

typedef enum HCS_OPERATION_OPTIONS {
	HcsOperationOptionNone = 0,
	HcsOperationOptionProgressUpdate = 1, /* HcsEventGroupOperationInfo as it goes on */
	HcsOperationOptionReserved1 = 2
} HCS_OPERATION_OPTIONS;

/* An operation has completed: HcsGetOperationResult() has its result. */
typedef void (*HCS_OPERATION_COMPLETION)(HCS_OPERATION operation, void *context);

typedef enum HCS_RESOURCE_TYPE {
	HcsResourceTypeNone = 0,
	HcsResourceTypeFile = 1, /* a file descriptor of any kind */
	HcsResourceTypeJob = 2, /* not supported */
	HcsResourceTypeComObject = 3, /* not supported */
	HcsResourceTypeSocket = 4 /* a socket */
} HCS_RESOURCE_TYPE;

/* ---- events ----------------------------------------------------------------
 *
 * Each is given to the callback of a handle once: also when it happened before
 * the callback was set. Values above INT_MAX are written as negative numbers,
 * so that the type is an int everywhere.
 */
typedef enum HCS_EVENT_TYPE {
	HcsEventInvalid = 0,
	HcsEventSystemExited = 1, /* EventData: SystemExitStatus; the last one of a system */
	HcsEventSystemCrashInitiated = 2, /* never comes: virtual machines */
	HcsEventSystemCrashReport = 3, /* never comes: virtual machines */
	HcsEventSystemRdpEnhancedModeStateChanged = 4, /* never comes: Windows */
	HcsEventSystemSiloJobCreated = 5, /* never comes: Windows */
	HcsEventSystemGuestConnectionClosed = 6, /* never comes: virtual machines */
	HcsEventProcessExited = 0x00010000, /* EventData: ProcessStatus; on callbacks of processes only */
	HcsEventOperationCallback = 0x01000000, /* `Operation` has completed */
	HcsEventServiceDisconnect = 0x02000000, /* the shim died: the handle only answers what is known */
	HcsEventGroupVmLifecycle = -0x7FFFFFFE, /* 0x80000002; never comes */
	HcsEventGroupLiveMigration = -0x7FFFFFFD, /* 0x80000003; never comes */
	HcsEventGroupOperationInfo = -0x3FFFFFFF, /* 0xC0000001; EventData: OperationInfo */
	HcsEventServiceSystem = 0x03000000 /* berth's: see HcsSetServiceCallback() */
} HCS_EVENT_TYPE;

/* Valid during the callback. */
typedef struct HCS_EVENT {
	HCS_EVENT_TYPE Type;
	const char *EventData; /* a JSON document, or NULL */
	HCS_OPERATION Operation; /* of HcsEventOperationCallback and GroupOperationInfo, else NULL */
} HCS_EVENT;

typedef enum HCS_EVENT_OPTIONS {
	HcsEventOptionNone = 0,
	/* The handle's callback is told of every operation on it that completes,
	 * and such an operation may not have a callback of its own. */
	HcsEventOptionEnableOperationCallbacks = 1,
	HcsEventOptionEnableVmLifecycle = 2, /* accepted; no such event comes */
	HcsEventOptionEnableLiveMigrationEvents = 4, /* accepted; no such event comes */
	HcsEventOptionEnableHistory = 0x1000 /* berth's: HcsSetServiceCallback() */
} HCS_EVENT_OPTIONS;

typedef void (*HCS_EVENT_CALLBACK)(HCS_EVENT *event, void *context);

/* ---- structures ------------------------------------------------------------ */

/* Of a new process. The descriptors that are not -1 are the caller's, O_CLOEXEC
 * and blocking. With an emulated console StdInput and StdOutput are two
 * descriptors of one terminal, and StdError is -1. */
typedef struct HCS_PROCESS_INFORMATION {
	uint32_t ProcessId; /* in the host's pid namespace */
	uint32_t Reserved; /* 0 */
	int StdInput; /* write here what the process reads */
	int StdOutput; /* read here what it writes */
	int StdError;
} HCS_PROCESS_INFORMATION;

/* The first member of each struct of options says which one it is. */
typedef enum HCS_CREATE_OPTIONS {
	HcsCreateOptions_1 = 0x00010000,
	HcsCreateOptions_Berth1 = 0x00BE0001 /* berth's: HCS_CREATE_OPTIONS_BERTH_1 */
} HCS_CREATE_OPTIONS;

typedef struct HCS_CREATE_OPTIONS_1 {
	HCS_CREATE_OPTIONS Version; /* HcsCreateOptions_1 */
	int UserToken; /* -1 (or 0): another identity is not supported */
	const void *SecurityDescriptor; /* NULL */
	HCS_EVENT_OPTIONS CallbackOptions;
	void *CallbackContext;
	HCS_EVENT_CALLBACK Callback; /* set before anything can happen; or NULL */
} HCS_CREATE_OPTIONS_1;

/* ---- results ---------------------------------------------------------------
 *
 * Name, value, and what HcsResultToString() says. E_... and HCS_E_... are those
 * of Microsoft; HCS_E_ERROR_NAME is its HRESULT_FROM_WIN32(ERROR_NAME).
 */
#define HCS_RESULTS(X) \
	X(HCS_E_TERMINATED_DURING_START, 0x80370100, "the system was terminated while it started") \
	X(HCS_E_IMAGE_MISMATCH, 0x80370101, "the image does not fit this host") \
	X(HCS_E_HYPERV_NOT_INSTALLED, 0x80370102, "no hypervisor") \
	X(HCS_E_INVALID_STATE, 0x80370105, "not possible in this state") \
	X(HCS_E_UNEXPECTED_EXIT, 0x80370106, "the system ended unexpectedly") \
	X(HCS_E_TERMINATED, 0x80370107, "the system was terminated") \
	X(HCS_E_CONNECT_FAILED, 0x80370108, "no connection to the system could be made") \
	X(HCS_E_CONNECTION_TIMEOUT, 0x80370109, "the connection to the system timed out") \
	X(HCS_E_CONNECTION_CLOSED, 0x8037010A, "the connection to the system was closed") \
	X(HCS_E_UNKNOWN_MESSAGE, 0x8037010B, "a message of a kind that is not known") \
	X(HCS_E_UNSUPPORTED_PROTOCOL_VERSION, 0x8037010C, "the document's or the protocol's version is not supported") \
	X(HCS_E_INVALID_JSON, 0x8037010D, "the document is not valid") \
	X(HCS_E_SYSTEM_NOT_FOUND, 0x8037010E, "no such compute system") \
	X(HCS_E_SYSTEM_ALREADY_EXISTS, 0x8037010F, "a compute system with this id exists") \
	X(HCS_E_SYSTEM_ALREADY_STOPPED, 0x80370110, "the system has stopped already") \
	X(HCS_E_PROTOCOL_ERROR, 0x80370111, "an answer that breaks the protocol") \
	X(HCS_E_INVALID_LAYER, 0x80370112, "a layer is missing, or is no directory") \
	X(HCS_E_WINDOWS_INSIDER_REQUIRED, 0x80370113, "another release of Windows is required") \
	X(HCS_E_SERVICE_NOT_AVAILABLE, 0x80370114, "the host lacks something that is required") \
	X(HCS_E_OPERATION_NOT_STARTED, 0x80370115, "the operation was used for no call yet") \
	X(HCS_E_OPERATION_ALREADY_STARTED, 0x80370116, "the operation was used for a call already") \
	X(HCS_E_OPERATION_PENDING, 0x80370117, "the operation has not completed yet") \
	X(HCS_E_OPERATION_TIMEOUT, 0x80370118, "the wait timed out") \
	X(HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, 0x80370119, \
	  "the handle's callback is told of operations, so this one may have none of its own") \
	X(HCS_E_OPERATION_RESULT_ALLOCATION_FAILED, 0x8037011A, "no memory for the result") \
	X(HCS_E_ACCESS_DENIED, 0x8037011B, "the system refuses access") \
	X(HCS_E_GUEST_CRITICAL_ERROR, 0x8037011C, "a critical error inside the system") \
	X(HCS_E_PROCESS_INFO_NOT_AVAILABLE, 0x8037011D, "the process information is not available") \
	X(HCS_E_SERVICE_DISCONNECT, 0x8037011E, "the connection to the system's shim was lost") \
	X(HCS_E_PROCESS_ALREADY_STOPPED, 0x8037011F, "the process has ended already") \
	X(E_NOTIMPL, 0x80004001, "not implemented") \
	X(E_POINTER, 0x80004003, "a pointer is NULL that may not be") \
	X(E_FAIL, 0x80004005, "failed") \
	X(E_UNEXPECTED, 0x8000FFFF, "an unexpected value") \
	X(HCS_E_ERROR_FILE_NOT_FOUND, 0x80070002, "the program is not there") \
	X(E_ACCESSDENIED, 0x80070005, "permission denied") \
	X(E_HANDLE, 0x80070006, "the handle is closed, or never was one") \
	X(E_OUTOFMEMORY, 0x8007000E, "out of memory") \
	X(HCS_E_ERROR_NOT_SUPPORTED, 0x80070032, "not supported here") \
	X(HCS_E_ERROR_BUSY, 0x800700AA, "too much at a time: later it may do") \
	X(E_INVALIDARG, 0x80070057, "an argument is wrong") \
	X(HCS_E_ERROR_NOT_FOUND, 0x80070490, "no such element") \
	X(HCS_E_ERROR_CANCELLED, 0x800704C7, "cancelled") \
	X(BERTH_E_AFTER_FORK, 0xA0BF0001, "this process was forked from the one that began to use the library") \
	X(BERTH_E_IN_LOG_CALLBACK, 0xA0BF0002, "not from the log callback")

enum {
	S_OK = 0,
	S_FALSE = 1, /* a success that had nothing to do */
#define BERTH_RESULT_CODE(name, value, words) name = (HRESULT)value##u,
	HCS_RESULTS(BERTH_RESULT_CODE)
#undef BERTH_RESULT_CODE
};

/* ---- berth's own ----------------------------------------------------------- */

/* A failed system call that no other code is for: the errno value in a facility
 * of its own. BERTH_ERRNO() is 0 for any other code. */
#define BERTH_E_FROM_ERRNO(n) ((HRESULT)(0xA0BE0000u | (uint32_t)(n)))
#define BERTH_ERRNO(hr) (((uint32_t)(hr)&0xFFFF0000u) == 0xA0BE0000u ? (int)((uint32_t)(hr)&0xFFFFu) : 0)

/* What becomes of a system when no program has a handle on it any more. */
typedef enum HCS_LIFETIME {
	/* It goes on. When it has stopped and its last handle is closed, it is gone
	 * and its id free. ShouldTerminateOnLastHandleClosed in its document changes
	 * that to: it is terminated. */
	HcsLifetimeHandles = 0,
	/* It stays, also when it has stopped, until HcsDeleteComputeSystem(). */
	HcsLifetimeKeep = 1
} HCS_LIFETIME;

/* HCS_CREATE_OPTIONS_1 and what was added: give its address as
 * `const HCS_CREATE_OPTIONS *`. Members that are 0 mean the default. */
typedef struct HCS_CREATE_OPTIONS_BERTH_1 {
	HCS_CREATE_OPTIONS Version; /* HcsCreateOptions_Berth1 */
	int UserToken; /* -1 */
	const void *SecurityDescriptor; /* NULL */
	HCS_EVENT_OPTIONS CallbackOptions;
	void *CallbackContext;
	HCS_EVENT_CALLBACK Callback;
	HCS_LIFETIME Lifetime;
	uint32_t Reserved[7]; /* 0 */
} HCS_CREATE_OPTIONS_BERTH_1;

typedef enum HCS_LOG_LEVEL {
	HcsLogError = 0,
	HcsLogWarning = 1, /* a call that outlives HCSSHIM_TIMEOUT_SYSCALLWATCHER */
	HcsLogInfo = 2, /* begin and end of each call */
	HcsLogDebug = 3 /* and the documents, without the environment's values */
} HCS_LOG_LEVEL;

/* One line, without a newline: a JSON object whose members are Time, Level,
 * Message and, where they apply, Operation, SystemId, ProcessId, Result,
 * Duration100ns, Document. */
typedef void (*HCS_LOG_CALLBACK)(HCS_LOG_LEVEL level, const char *line, void *context);

#ifdef __cplusplus
}
#endif

#endif
