/* What is answered: errors, properties, ends, operations. */
#include "schema_reply.h"

#include <string.h>

#include "mem.h"
#include "schema_table.h"

/* clang-format off */
#define CHOICE(what, words) static const struct schema_choice what = { schema_##what##_names, words, NULL }
CHOICE(system_type, "type");
CHOICE(state, "state");
CHOICE(exit_type, "exit type");
CHOICE(exit_detail, "detail");
CHOICE(initiator, "initiator");
CHOICE(operation, "operation");
CHOICE(failure, "detail");
CHOICE(data_type, "type");

/* ---- attribution, ResultError -------------------------------------------- */

#define OF struct schema_exit_attribution
static const struct json_field system_exit_fields[] = {
	ROW_ARG("Detail",    schema_dec_name, detail, &exit_detail),
	ROW_ARG("Initiator", schema_dec_name, initiator, &initiator),
	{ 0 }
};
#undef OF
static const struct json_struct system_exit_struct = {
	sizeof(struct schema_exit_attribution), system_exit_fields, NULL
};

#define OF struct schema_process_exit
static const struct json_field process_exit_fields[] = {
	ROW("ExitCode",   json_dec_u32,  exit_code, SCHEMA_ALWAYS),
	ROW("Signal",     json_dec_i32,  signal, 0),
	ROW("CoreDumped", json_dec_bool, core_dumped, 0),
	ROW("OomKilled",  json_dec_bool, oom_killed, 0),
	{ 0 }
};
#undef OF
static const struct json_struct process_exit_struct = {
	sizeof(struct schema_process_exit), process_exit_fields, NULL
};

#define OF struct schema_failure_attribution
static const struct json_field operation_failure_fields[] = {
	ROW_ARG("Detail", schema_dec_name, detail, &failure),
	{ 0 }
};
#undef OF
static const struct json_struct operation_failure_struct = {
	sizeof(struct schema_failure_attribution), operation_failure_fields, NULL
};

#define OF struct schema_attribution
static const struct json_field attribution_fields[] = {
	ROW_ARG("SystemExit",       json_dec_pointer, system_exit, &system_exit_struct),
	ROW_ARG("ProcessExit",      json_dec_pointer, process_exit, &process_exit_struct),
	ROW_ARG("OperationFailure", json_dec_pointer, operation_failure, &operation_failure_struct),
	{ 0 }
};
#undef OF
static const struct json_struct attribution_struct = {
	sizeof(struct schema_attribution), attribution_fields, NULL
};

#define OF struct schema_event_data
static const struct json_field event_data_fields[] = {
	ROW_ARG("Type", schema_dec_name, type, &data_type),
	ROW("Value",    json_dec_string, value, 0),
	{ 0 }
};
#undef OF
static const struct json_struct event_data_struct = {
	sizeof(struct schema_event_data), event_data_fields, NULL
};

#define OF struct schema_error_event
static const struct json_field error_event_fields[] = {
	ROW("Message",     json_dec_string, message, 0),
	ROW("StackTrace",  json_dec_string, stack_trace, 0),
	ROW("Provider",    json_dec_string, provider, 0),
	ROW_OPT("EventId", json_dec_u16,    event_id),
	ROW_OPT("Flags",   json_dec_u32,    flags),
	ROW("Source",      json_dec_string, source, 0),
	ROW_LIST("Data",   json_dec_list,   data, &event_data_struct),
	{ 0 }
};
#undef OF
static const struct json_struct error_event_struct = {
	sizeof(struct schema_error_event), error_event_fields, NULL
};

#define OF struct schema_result_error
const struct json_field schema_result_error_fields[] = {
	ROW("Error",            json_dec_i32,    error, SCHEMA_ALWAYS),
	ROW("ErrorMessage",     json_dec_string, error_message, 0),
	ROW_LIST("ErrorEvents", json_dec_list,   events, &error_event_struct),
	ROW_LIST("Attribution", json_dec_list,   attribution, &attribution_struct),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_result_error = {
	.name = "ResultError",
	.s = { sizeof(struct schema_result_error), schema_result_error_fields, NULL },
};

/* ---- Statistics ----------------------------------------------------------- */


#define OF struct schema_processor_stats
static const struct json_field processor_fields[] = {
	ROW("TotalRuntime100ns",  json_dec_u64, total, SCHEMA_ALWAYS),
	ROW("RuntimeUser100ns",   json_dec_u64, user, SCHEMA_ALWAYS),
	ROW("RuntimeKernel100ns", json_dec_u64, kernel, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct processor_struct = {
	sizeof(struct schema_processor_stats), processor_fields, NULL
};

#define OF struct schema_memory_stats
static const struct json_field memory_fields[] = {
	ROW("MemoryUsageCommitBytes",            json_dec_u64, commit, SCHEMA_ALWAYS),
	ROW("MemoryUsageCommitPeakBytes",        json_dec_u64, commit_peak, SCHEMA_ALWAYS),
	ROW("MemoryUsagePrivateWorkingSetBytes", json_dec_u64, private_working_set, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct memory_struct = {
	sizeof(struct schema_memory_stats), memory_fields, NULL
};

#define OF struct schema_storage_stats
static const struct json_field storage_fields[] = {
	ROW("ReadCountNormalized",  json_dec_u64, read_count, SCHEMA_ALWAYS),
	ROW("ReadSizeBytes",        json_dec_u64, read_bytes, SCHEMA_ALWAYS),
	ROW("WriteCountNormalized", json_dec_u64, write_count, SCHEMA_ALWAYS),
	ROW("WriteSizeBytes",       json_dec_u64, write_bytes, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct storage_struct = {
	sizeof(struct schema_storage_stats), storage_fields, NULL
};

#define OF struct schema_network_stats
static const struct json_field network_fields[] = {
	ROW("BytesReceived",          json_dec_u64,    bytes_received, SCHEMA_ALWAYS),
	ROW("BytesSent",              json_dec_u64,    bytes_sent, SCHEMA_ALWAYS),
	ROW("PacketsReceived",        json_dec_u64,    packets_received, SCHEMA_ALWAYS),
	ROW("PacketsSent",            json_dec_u64,    packets_sent, SCHEMA_ALWAYS),
	ROW("DroppedPacketsIncoming", json_dec_u64,    dropped_incoming, SCHEMA_ALWAYS),
	ROW("DroppedPacketsOutgoing", json_dec_u64,    dropped_outgoing, SCHEMA_ALWAYS),
	ROW("EndpointId",             json_dec_string, endpoint_id, 0),
	ROW("InstanceId",             json_dec_string, instance_id, 0),
	{ 0 }
};
#undef OF
static const struct json_struct network_struct = {
	sizeof(struct schema_network_stats), network_fields, NULL
};

#define OF struct schema_statistics
static const struct json_field statistics_fields[] = {
	ROW("Timestamp",          schema_dec_time,  timestamp, 0),
	ROW("ContainerStartTime", schema_dec_time,  start_time, 0),
	ROW("Uptime100ns",        json_dec_u64,     uptime_100ns, SCHEMA_ALWAYS),
	ROW_ARG("Processor",      json_dec_pointer, processor, &processor_struct),
	ROW_ARG("Memory",         json_dec_pointer, memory, &memory_struct),
	ROW_ARG("Storage",        json_dec_pointer, storage, &storage_struct),
	ROW_LIST("Network",       json_dec_list,    network, &network_struct),
	{ 0 }
};
#undef OF
static const struct json_struct statistics_struct = {
	sizeof(struct schema_statistics), statistics_fields, NULL
};

/* ---- Memory, ProcessList -------------------------------------------------- */

#define OF struct schema_memory_info
static const struct json_field machine_memory_fields[] = {
	ROW_OPT("AvailableMemory", json_dec_i32, available),
	ROW_OPT("ReservedMemory",  json_dec_u64, reserved),
	ROW_OPT("AssignedMemory",  json_dec_u64, assigned),
	{ 0 }
};
#undef OF
static const struct json_struct machine_memory_struct = { 0, machine_memory_fields, NULL };

#define OF struct schema_memory_node
static const struct json_field node_fields[] = {
	ROW("VirtualNodeIndex",      json_dec_u32, virtual_node, SCHEMA_ALWAYS),
	ROW("PhysicalNodeNumber",    json_dec_u32, physical_node, SCHEMA_ALWAYS),
	ROW("VirtualProcessorCount", json_dec_u32, processor_count, SCHEMA_ALWAYS),
	ROW("MemoryUsageInPages",    json_dec_u64, usage_pages, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct node_struct = { sizeof(struct schema_memory_node), node_fields, NULL };

#define OF struct schema_memory_info
static const struct json_field memory_info_fields[] = {
	ROW("VirtualNodeCount",          json_dec_u32,  node_count, 0),
	ROW_PART("VirtualMachineMemory", &machine_memory_struct),
	ROW_LIST("VirtualNodes",         json_dec_list, nodes, &node_struct),
	{ 0 }
};
#undef OF
static const struct json_struct memory_info_struct = {
	sizeof(struct schema_memory_info), memory_info_fields, NULL
};

#define OF struct schema_process_details
static const struct json_field process_details_fields[] = {
	ROW("ProcessId",                    json_dec_u32,    process_id, SCHEMA_ALWAYS),
	ROW("ImageName",                    json_dec_string, image_name, 0),
	ROW("CreateTimestamp",              schema_dec_time, created, 0),
	ROW("UserTime100ns",                json_dec_u64,    user_100ns, SCHEMA_ALWAYS),
	ROW("KernelTime100ns",              json_dec_u64,    kernel_100ns, SCHEMA_ALWAYS),
	ROW("MemoryCommitBytes",            json_dec_u64,    commit_bytes, SCHEMA_ALWAYS),
	ROW("MemoryWorkingSetPrivateBytes", json_dec_u64,    private_bytes, SCHEMA_ALWAYS),
	ROW("MemoryWorkingSetSharedBytes",  json_dec_u64,    shared_bytes, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct process_details_struct = {
	sizeof(struct schema_process_details), process_details_fields, NULL
};

/* ---- Properties ----------------------------------------------------------- */

#define OF struct schema_properties
const struct json_field schema_properties_fields[] = {
	ROW("Id",                              json_dec_string,      id, 0),
	ROW_ARG("SystemType",                  schema_dec_name,      system_type, &system_type),
	ROW("RuntimeOsType",                   json_dec_string,      runtime_os_type, 0),
	ROW("Name",                            json_dec_string,      name, 0),
	ROW("Owner",                           json_dec_string,      owner, 0),
	ROW("Namespace",                       json_dec_string,      ns, 0),
	ROW("RuntimeId",                       json_dec_string,      runtime_id, 0),
	ROW("RuntimeTemplateId",               json_dec_string,      runtime_template_id, 0),
	ROW("HostingSystemId",                 json_dec_string,      hosting_system_id, 0),
	ROW_ARG("State",                       schema_dec_name,      state, &state),
	ROW_OPT("Stopped",                     json_dec_bool,        stopped),
	ROW_ARG("ExitType",                    schema_dec_name,      exit_type, &exit_type),
	ROW_OPT("AreUpdatesPending",           json_dec_bool,        updates_pending),
	ROW_ARG("Memory",                      json_dec_pointer,     memory, &memory_info_struct),
	ROW_ARG("Statistics",                  json_dec_pointer,     statistics, &statistics_struct),
	ROW_LIST("ProcessList",                json_dec_list,        process_list, &process_details_struct),
	ROW_OPT("TerminateOnLastHandleClosed", json_dec_bool,        terminate),
	ROW("PropertyResponses",               schema_dec_responses, responses, 0),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_properties = {
	.name = "Properties",
	.s = { sizeof(struct schema_properties), schema_properties_fields, NULL },
};

/* ---- ends, operations ----------------------------------------------------- */

#define OF struct schema_process_status
static const struct json_field process_status_fields[] = {
	ROW("ProcessId",      json_dec_u32,  process_id, SCHEMA_ALWAYS),
	ROW("Exited",         json_dec_bool, exited, SCHEMA_ALWAYS),
	ROW("ExitCode",       json_dec_u32,  exit_code, SCHEMA_ALWAYS),
	ROW("LastWaitResult", json_dec_i32,  last_wait_result, SCHEMA_ALWAYS),
	ROW_OPT("Signal",     json_dec_i32,  signal),
	ROW_OPT("CoreDumped", json_dec_bool, core_dumped),
	ROW_OPT("OomKilled",  json_dec_bool, oom_killed),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_process_status = {
	.name = "ProcessStatus",
	.s = { sizeof(struct schema_process_status), process_status_fields, NULL },
};

#define OF struct schema_exit_status
static const struct json_field exit_status_fields[] = {
	ROW("Status",           json_dec_i32,    status, SCHEMA_ALWAYS),
	ROW_ARG("ExitType",     schema_dec_name, exit_type, &exit_type),
	ROW_LIST("Attribution", json_dec_list,   attribution, &attribution_struct),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_exit_status = {
	.name = "SystemExitStatus",
	.s = { sizeof(struct schema_exit_status), exit_status_fields, NULL },
};

#define OF struct schema_operation_info
static const struct json_field failure_info_fields[] = {
	ROW_OPT("Result", json_dec_i32, result),
	{ 0 }
};
#undef OF
static const struct json_struct failure_info_struct = { 0, failure_info_fields, NULL };

#define OF struct schema_operation_info
static const struct json_field operation_info_fields[] = {
	ROW_ARG("Operation",    schema_dec_name, operation, &operation),
	ROW("StartTimestamp",   schema_dec_time, start, 0),
	ROW("EndTimestamp",     schema_dec_time, end, 0),
	ROW_PART("FailureInfo", &failure_info_struct),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_operation_info = {
	.name = "OperationInfo",
	.s = { sizeof(struct schema_operation_info), operation_info_fields, NULL },
};

/* ---- the service ----------------------------------------------------------- */

static const struct json_struct version_struct = {
	sizeof(struct schema_version), schema_version_fields, NULL
};

#define OF struct schema_logical_processor
static const struct json_field logical_processor_fields[] = {
	ROW("LpIndex",    json_dec_u32, index, SCHEMA_ALWAYS),
	ROW("NodeNumber", json_dec_u32, node, SCHEMA_ALWAYS),
	ROW("PackageId",  json_dec_u32, package, SCHEMA_ALWAYS),
	ROW("CoreId",     json_dec_u32, core, SCHEMA_ALWAYS),
	{ 0 }
};
#undef OF
static const struct json_struct logical_processor_struct = {
	sizeof(struct schema_logical_processor), logical_processor_fields, NULL
};

#define OF struct schema_service_property_value
const struct json_field schema_service_value_fields[] = {
	ROW_LIST("SupportedSchemaVersions", json_dec_list, versions, &version_struct),
	ROW_OPT("LogicalProcessorCount",    json_dec_u32,  processor_count),
	ROW_LIST("LogicalProcessors",       json_dec_list, processors, &logical_processor_struct),
	ROW_OPT("TotalBytes",               json_dec_u64,  total),
	ROW_OPT("AvailableBytes",           json_dec_u64,  available),
	{ 0 }
};
#undef OF
static const struct json_struct service_value_struct = {
	sizeof(struct schema_service_property_value), schema_service_value_fields, NULL
};

#define OF struct schema_service_properties
static const struct json_field service_properties_fields[] = {
	ROW_LIST("Properties",   json_dec_list, properties, &service_value_struct),
	ROW("PropertyResponses", schema_dec_service_responses, responses, 0),
	{ 0 }
};
#undef OF
const struct schema_type schema_type_service_properties = {
	.name = "ServiceProperties",
	.s = { sizeof(struct schema_service_properties), service_properties_fields, NULL },
};
/* clang-format on */

/* ---- answers by name ------------------------------------------------------- */

static const struct json_struct result_error_struct = { sizeof(struct schema_result_error),
							schema_result_error_fields, NULL };

/* Decodes one answer's two members: Error as it is, Response by `response`. */
static int decode_response(struct json_dec *d, const struct json *v,
			   struct schema_result_error **error, const struct json_field *response,
			   void *obj)
{
	static const struct json_field row = { "Error", json_dec_pointer, 0, 0, 0, &result_error_struct };
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	for (uint32_t i = 0; r >= 0 && i < v->n; i++) {
		const struct json *m = &v->items[i];

		if (m->type == JSON_NULL)
			continue;
		if (!strcmp(m->key, "Error"))
			r = row.decode(d, m, &row, error);
		else if (!strcmp(m->key, "Response"))
			r = response->decode(d, m, response, obj);
		else
			r = json_unsupported(d, m, "is not supported: no such member is known");
	}
	return r;
}

static const struct json_struct properties_struct = { sizeof(struct schema_properties),
						      schema_properties_fields, NULL };

/* The member of Properties that has the name; Basic: all of them. */
const struct json_field *schema_response_row(const char *name)
{
	static const struct json_field all = { "Response", schema_dec_part, 0, 0, 0, &properties_struct };

	for (const struct json_field *f = schema_properties_fields; f->key; f++)
		if (!strcmp(f->key, name) && f->decode != schema_dec_responses)
			return f;
	return &all;
}

JSON_DECODER(schema_dec_responses)
{
	struct schema_properties *p = obj;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	p->responses = arena_calloc(d->a, v->n, sizeof *p->responses);
	if (!p->responses)
		return json_nomem(d);
	p->n_responses = v->n;
	for (uint32_t i = 0; r >= 0 && i < v->n; i++) {
		struct schema_property_response *response = &p->responses[i];

		response->name = v->items[i].key;
		if (schema_is_there(&v->items[i], "Response")) {
			response->response = arena_alloc(d->a, sizeof *response->response);
			if (!response->response)
				return json_nomem(d);
		}
		r = decode_response(d, &v->items[i], &response->error, schema_response_row(response->name),
				    response->response);
	}
	return r;
}

JSON_DECODER(schema_dec_service_responses)
{
	static const struct json_field row = { "Response", schema_dec_part, 0, 0, 0,
					       &service_value_struct };
	struct schema_service_properties *p = obj;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	p->responses = arena_calloc(d->a, v->n, sizeof *p->responses);
	if (!p->responses)
		return json_nomem(d);
	p->n_responses = v->n;
	for (uint32_t i = 0; r >= 0 && i < v->n; i++) {
		struct schema_service_response *response = &p->responses[i];

		response->name = v->items[i].key;
		if (schema_is_there(&v->items[i], "Response")) {
			response->response = arena_alloc(d->a, sizeof *response->response);
			if (!response->response)
				return json_nomem(d);
		}
		r = decode_response(d, &v->items[i], &response->error, &row, response->response);
	}
	return r;
}
