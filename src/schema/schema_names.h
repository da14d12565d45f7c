/*
 * The words of HCS's documents. Each list is one table: the enum, what is read
 * and what is written. 0 is in none of them: it says that a member is absent.
 *
 *	name_of(schema_state_names, SCHEMA_STATE_RUNNING)	"Running"
 */
#pragma once

#include "names.h"

/* What a system is. */
#define SCHEMA_SYSTEM_TYPES(X)						\
	X(SCHEMA_SYSTEM_CONTAINER,       "Container")			\
	X(SCHEMA_SYSTEM_VIRTUAL_MACHINE, "VirtualMachine")

#define SCHEMA_STATES(X)						\
	X(SCHEMA_STATE_CREATED,  "Created")				\
	X(SCHEMA_STATE_RUNNING,  "Running")				\
	X(SCHEMA_STATE_PAUSED,   "Paused")				\
	X(SCHEMA_STATE_STOPPED,  "Stopped")				\
	X(SCHEMA_STATE_TEMPLATE, "SavedAsTemplate")			\
	X(SCHEMA_STATE_UNKNOWN,  "Unknown")

#define SCHEMA_EXIT_TYPES(X)						\
	X(SCHEMA_EXIT_NONE,       "None")				\
	X(SCHEMA_EXIT_GRACEFUL,   "GracefulExit")			\
	X(SCHEMA_EXIT_FORCED,     "ForcedExit")				\
	X(SCHEMA_EXIT_UNEXPECTED, "UnexpectedExit")			\
	X(SCHEMA_EXIT_UNKNOWN,    "Unknown")

/* Why a system ended, and who wanted it. */
#define SCHEMA_EXIT_DETAILS(X)						\
	X(SCHEMA_DETAIL_INVALID,      "Invalid")			\
	X(SCHEMA_DETAIL_FATAL_ERROR,  "HcsApiFatalError")		\
	X(SCHEMA_DETAIL_SERVICE_STOP, "ServiceStop")			\
	X(SCHEMA_DETAIL_SHUTDOWN,     "Shutdown")			\
	X(SCHEMA_DETAIL_TERMINATE,    "Terminate")			\
	X(SCHEMA_DETAIL_UNEXPECTED,   "UnexpectedExit")

#define SCHEMA_INITIATORS(X)						\
	X(SCHEMA_INITIATOR_NONE,     "None")				\
	X(SCHEMA_INITIATOR_GUEST,    "GuestOS")				\
	X(SCHEMA_INITIATOR_CLIENT,   "Client")				\
	X(SCHEMA_INITIATOR_INTERNAL, "Internal")			\
	X(SCHEMA_INITIATOR_UNKNOWN,  "Unknown")

#define SCHEMA_OPERATIONS(X)						\
	X(SCHEMA_OPERATION_NONE,             "None")			\
	X(SCHEMA_OPERATION_CREATE,           "Construct")		\
	X(SCHEMA_OPERATION_START,            "Start")			\
	X(SCHEMA_OPERATION_PAUSE,            "Pause")			\
	X(SCHEMA_OPERATION_RESUME,           "Resume")			\
	X(SCHEMA_OPERATION_SHUTDOWN,         "Shutdown")		\
	X(SCHEMA_OPERATION_TERMINATE,        "Terminate")		\
	X(SCHEMA_OPERATION_SAVE,             "Save")			\
	X(SCHEMA_OPERATION_GET_PROPERTIES,   "GetProperties")		\
	X(SCHEMA_OPERATION_MODIFY,           "Modify")			\
	X(SCHEMA_OPERATION_CRASH,            "Crash")			\
	X(SCHEMA_OPERATION_CREATE_PROCESS,   "ExecuteProcess")		\
	X(SCHEMA_OPERATION_GET_PROCESS_INFO, "GetProcessInfo")		\
	X(SCHEMA_OPERATION_SIGNAL_PROCESS,   "SignalProcess")		\
	X(SCHEMA_OPERATION_MODIFY_PROCESS,   "ModifyProcess")		\
	X(SCHEMA_OPERATION_CANCEL,           "CancelOperation")

/* OperationFailure.Detail: of HCS's list what can fail here. */
#define SCHEMA_FAILURES(X)						\
	X(SCHEMA_FAILURE_INVALID,          "Invalid")			\
	X(SCHEMA_FAILURE_CREATE,           "Construct")			\
	X(SCHEMA_FAILURE_START,            "Start")			\
	X(SCHEMA_FAILURE_PAUSE,            "Pause")			\
	X(SCHEMA_FAILURE_RESUME,           "Resume")			\
	X(SCHEMA_FAILURE_SHUTDOWN,         "Shutdown")			\
	X(SCHEMA_FAILURE_TERMINATE,        "Terminate")			\
	X(SCHEMA_FAILURE_SAVE,             "Save")			\
	X(SCHEMA_FAILURE_GET_PROPERTIES,   "GetProperties")		\
	X(SCHEMA_FAILURE_MODIFY,           "Modify")			\
	X(SCHEMA_FAILURE_CRASH,            "Crash")			\
	X(SCHEMA_FAILURE_CREATE_PROCESS,   "ExecuteProcess")		\
	X(SCHEMA_FAILURE_GET_PROCESS_INFO, "GetProcessInfo")		\
	X(SCHEMA_FAILURE_WAIT_PROCESS,     "WaitForProcess")		\
	X(SCHEMA_FAILURE_SIGNAL_PROCESS,   "SignalProcess")		\
	X(SCHEMA_FAILURE_MODIFY_PROCESS,   "ModifyProcess")

/* ErrorEvents.Data.Type: of HCS's list what is used here. */
#define SCHEMA_DATA_TYPES(X)						\
	X(SCHEMA_DATA_EMPTY,   "Empty")					\
	X(SCHEMA_DATA_STRING,  "String")				\
	X(SCHEMA_DATA_INT32,   "Int32")					\
	X(SCHEMA_DATA_UINT32,  "UInt32")				\
	X(SCHEMA_DATA_INT64,   "Int64")					\
	X(SCHEMA_DATA_UINT64,  "UInt64")				\
	X(SCHEMA_DATA_BOOLEAN, "Boolean")

#define SCHEMA_HANDLES(X)						\
	X(SCHEMA_HANDLE_STDIN,  "StdIn")				\
	X(SCHEMA_HANDLE_STDOUT, "StdOut")				\
	X(SCHEMA_HANDLE_STDERR, "StdErr")				\
	X(SCHEMA_HANDLE_ALL,    "All")

#define SCHEMA_REQUESTS(X)						\
	X(SCHEMA_REQUEST_ADD,    "Add")					\
	X(SCHEMA_REQUEST_REMOVE, "Remove")				\
	X(SCHEMA_REQUEST_UPDATE, "Update")

/* What a system can be asked for; Basic is always told. */
#define SCHEMA_PROPERTIES(X)						\
	X(SCHEMA_PROPERTY_BASIC,        "Basic")			\
	X(SCHEMA_PROPERTY_MEMORY,       "Memory")			\
	X(SCHEMA_PROPERTY_STATISTICS,   "Statistics")			\
	X(SCHEMA_PROPERTY_PROCESS_LIST, "ProcessList")			\
	X(SCHEMA_PROPERTY_TERMINATE,    "TerminateOnLastHandleClosed")

/* What the service can be asked for. */
#define SCHEMA_SERVICE_PROPERTIES(X)					\
	X(SCHEMA_SERVICE_BASIC,      "Basic")				\
	X(SCHEMA_SERVICE_MEMORY,     "Memory")				\
	X(SCHEMA_SERVICE_PROCESSORS, "ProcessorTopology")

#define SCHEMA_ID(id, word) id,
enum schema_system_type { SCHEMA_SYSTEM_ABSENT, SCHEMA_SYSTEM_TYPES(SCHEMA_ID) };
enum schema_state { SCHEMA_STATE_ABSENT, SCHEMA_STATES(SCHEMA_ID) };
enum schema_exit_type { SCHEMA_EXIT_ABSENT, SCHEMA_EXIT_TYPES(SCHEMA_ID) };
enum schema_exit_detail { SCHEMA_DETAIL_ABSENT, SCHEMA_EXIT_DETAILS(SCHEMA_ID) };
enum schema_initiator { SCHEMA_INITIATOR_ABSENT, SCHEMA_INITIATORS(SCHEMA_ID) };
enum schema_operation { SCHEMA_OPERATION_ABSENT, SCHEMA_OPERATIONS(SCHEMA_ID) };
enum schema_failure { SCHEMA_FAILURE_ABSENT, SCHEMA_FAILURES(SCHEMA_ID) };
enum schema_data_type { SCHEMA_DATA_ABSENT, SCHEMA_DATA_TYPES(SCHEMA_ID) };
enum schema_handle { SCHEMA_HANDLE_ABSENT, SCHEMA_HANDLES(SCHEMA_ID) };
enum schema_request { SCHEMA_REQUEST_ABSENT, SCHEMA_REQUESTS(SCHEMA_ID) };
enum schema_property { SCHEMA_PROPERTY_ABSENT, SCHEMA_PROPERTIES(SCHEMA_ID) };
enum schema_service_property { SCHEMA_SERVICE_ABSENT, SCHEMA_SERVICE_PROPERTIES(SCHEMA_ID) };
#undef SCHEMA_ID

extern const struct name schema_system_type_names[];
extern const struct name schema_state_names[];
extern const struct name schema_exit_type_names[];
extern const struct name schema_exit_detail_names[];
extern const struct name schema_initiator_names[];
extern const struct name schema_operation_names[];
extern const struct name schema_failure_names[];
extern const struct name schema_data_type_names[];
extern const struct name schema_handle_names[];
extern const struct name schema_request_names[];
extern const struct name schema_property_names[];
extern const struct name schema_service_property_names[];
