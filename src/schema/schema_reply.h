/*
 * What is answered: written for the library's callers, and read by its tools and
 * tests; see schema.h. Times are nanoseconds since 1970, 0 when unknown, written
 * as RFC 3339; HRESULTs are numbers with a sign.
 *
 * The answer to an enumeration is a list: jw_begin(&w, '['), schema_write_properties()
 * for each, jw_end(&w).
 */
#pragma once

#include "schema.h"
#include "schema_names.h"

/* ---- errors ------------------------------------------------------------- */

struct schema_exit_attribution { /* SystemExit */
	int detail; /* SCHEMA_DETAIL_x */
	int initiator; /* SCHEMA_INITIATOR_x */
};

/* An addition to HCS's: how the system's first process ended. */
struct schema_process_exit { /* ProcessExit */
	uint32_t exit_code; /* 128 + n for signal n */
	int32_t signal; /* 0: none */
	bool core_dumped, oom_killed;
};

struct schema_failure_attribution { /* OperationFailure */
	int detail; /* SCHEMA_FAILURE_x */
};

/* One of them is not NULL. */
struct schema_attribution {
	struct schema_exit_attribution *system_exit;
	struct schema_process_exit *process_exit;
	struct schema_failure_attribution *operation_failure;
};

struct schema_event_data {
	int type; /* SCHEMA_DATA_x */
	const char *value;
};

struct schema_error_event {
	const char *message, *stack_trace, *provider, *source;
	bool has_event_id, has_flags;
	uint16_t event_id;
	uint32_t flags;
	struct schema_event_data *data;
	size_t n_data;
};

struct schema_result_error {
	int32_t error;
	const char *error_message;
	struct schema_error_event *events;
	size_t n_events;
	struct schema_attribution *attribution;
	size_t n_attribution;
};

/* ---- properties of a system --------------------------------------------- */

struct schema_processor_stats { /* in units of 100 ns */
	uint64_t total, user, kernel;
};

struct schema_memory_stats { /* bytes */
	uint64_t commit, commit_peak, private_working_set;
};

struct schema_storage_stats {
	uint64_t read_count, read_bytes, write_count, write_bytes;
};

struct schema_network_stats { /* schema 1.0 */
	uint64_t bytes_received, bytes_sent, packets_received, packets_sent;
	uint64_t dropped_incoming, dropped_outgoing;
	const char *endpoint_id, *instance_id;
};

struct schema_statistics {
	int64_t timestamp, start_time;
	uint64_t uptime_100ns;
	/* NULL: not known */
	struct schema_processor_stats *processor;
	struct schema_memory_stats *memory;
	struct schema_storage_stats *storage;
	struct schema_network_stats *network;
	size_t n_network;
};

struct schema_process_details {
	uint32_t process_id;
	const char *image_name;
	int64_t created;
	uint64_t user_100ns, kernel_100ns;
	uint64_t commit_bytes, private_bytes, shared_bytes;
};

struct schema_memory_node {
	uint32_t virtual_node, physical_node, processor_count;
	uint64_t usage_pages;
};

/* Of 4 KiB, as HCS counts them, whatever the size of the host's. */
struct schema_memory_info {
	bool has_assigned, has_reserved, has_available;
	uint64_t assigned, reserved; /* what it uses, its limit */
	int32_t available; /* percent of the limit */
	uint32_t node_count;
	struct schema_memory_node *nodes;
	size_t n_nodes;
};

/* One answer of PropertyResponses: error, or that member of `response` which was
 * asked for. */
struct schema_properties;
struct schema_property_response {
	const char *name;
	struct schema_result_error *error;
	struct schema_properties *response;
};

struct schema_properties {
	const char *id; /* always */
	int system_type; /* SCHEMA_SYSTEM_x; always */
	const char *runtime_os_type; /* "Linux" */
	const char *ns; /* "Namespace", an addition to HCS's: of the id */
	const char *name, *owner, *runtime_id, *runtime_template_id, *hosting_system_id;
	int state; /* SCHEMA_STATE_x */
	bool has_stopped, stopped;
	int exit_type; /* SCHEMA_EXIT_x */
	struct schema_memory_info *memory;
	struct schema_statistics *statistics;
	struct schema_process_details *process_list; /* not NULL: given, though it may be empty */
	size_t n_process_list;
	bool has_terminate, terminate; /* TerminateOnLastHandleClosed */
	struct schema_property_response *responses;
	size_t n_responses;
	/* schema 1.0 */
	bool has_updates_pending, updates_pending;
};

/* ---- ends ---------------------------------------------------------------- */

struct schema_process_status {
	uint32_t process_id;
	bool exited;
	uint32_t exit_code; /* 128 + n for signal n, as opengcs has it */
	int32_t last_wait_result; /* HRESULT */
	/* additions to HCS's: */
	bool has_signal, has_core_dumped, has_oom_killed;
	int32_t signal; /* 0: it ended by itself */
	bool core_dumped, oom_killed;
};

struct schema_exit_status {
	int32_t status; /* HRESULT */
	int exit_type; /* SCHEMA_EXIT_x */
	struct schema_attribution *attribution;
	size_t n_attribution;
};

/* ---- operations, service ------------------------------------------------- */

struct schema_operation_info {
	int operation; /* SCHEMA_OPERATION_x */
	int64_t start, end;
	bool has_result; /* FailureInfo */
	int32_t result;
};

struct schema_logical_processor {
	uint32_t index, node, package, core;
};

/* One of the service's properties: the members of the one asked for are not
 * absent. */
struct schema_service_property_value {
	struct schema_version *versions; /* Basic */
	size_t n_versions;
	bool has_processor_count; /* ProcessorTopology */
	uint32_t processor_count;
	struct schema_logical_processor *processors;
	size_t n_processors;
	bool has_total, has_available; /* Memory, bytes: of berth's own making */
	uint64_t total, available;
};

struct schema_service_response {
	const char *name;
	struct schema_result_error *error;
	struct schema_service_property_value *response;
};

struct schema_service_properties {
	struct schema_service_property_value *properties; /* in the order of the query */
	size_t n_properties;
	struct schema_service_response *responses;
	size_t n_responses;
};

/* Basic: what schema_parse_system() takes. */
extern const struct schema_version schema_supported_versions[];
extern const size_t schema_n_supported_versions;
