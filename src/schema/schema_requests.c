/* What is asked of a system, of a process or of the service. */
#include "schema_requests.h"

#include <string.h>

#include "mem.h"
#include "schema_table.h"
#include "str.h"

/* ---- SystemQuery -------------------------------------------------------- */

/* clang-format off */
static const struct schema_choice system_type = { schema_system_type_names, "type", NULL };

#define OF struct schema_system_query
static const struct json_field system_query_fields[] = {
	ROW_LIST("Ids",    json_dec_strings, ids, NULL),
	ROW_LIST("Names",  json_dec_strings, names, NULL),
	ROW_ARG("Types",   schema_dec_names, types, &system_type),
	ROW_LIST("Owners", json_dec_strings, owners, NULL),
	{ 0 }
};
#undef OF
/* clang-format on */

const struct schema_type schema_type_system_query = {
	.name = "SystemQuery",
	.s = { sizeof(struct schema_system_query), system_query_fields, NULL },
	.optional = true,
};

static bool is_listed(char *const *list, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (s && !strcmp(list[i], s))
			return true;
	return !n;
}

bool schema_query_matches(const struct schema_system_query *q, const char *id, const char *name,
			  const char *owner)
{
	if (q->types && !(q->types & 1u << SCHEMA_SYSTEM_CONTAINER))
		return false;
	return is_listed(q->ids, q->n_ids, id) && is_listed(q->names, q->n_names, name) &&
	       is_listed(q->owners, q->n_owners, owner);
}

/* ---- System_PropertyQuery, Service_PropertyQuery ------------------------- */

/* clang-format off */
static const char *const other_properties[] = {
	"SharedMemoryRegion", "GuestConnection", "MappedVirtualDisk", "PendingUpdates",
	"SystemTime", "CpuGroup", "VirtualProcessors", NULL
};
static const struct schema_choice property = {
	schema_property_names, "property", other_properties
};

#define OF struct schema_property_query
static const struct json_field property_query_fields[] = {
	ROW_ARG("PropertyTypes", schema_dec_names,   properties, &property),
	ROW_LIST("Queries",      schema_dec_queries, queries, &property),
	{ 0 }
};
#undef OF

static const char *const other_service_properties[] = {
	"CpuGroup", "ContainerCredentialGuard", "QoSCapabilities", "CacheAllocation",
	"CacheMonitoring", "MemoryBwAllocation", NULL
};
static const struct schema_choice service_property = {
	schema_service_property_names, "property", other_service_properties
};

#define OF struct schema_service_query
static const struct json_field service_query_fields[] = {
	ROW_ARG("PropertyTypes",    schema_dec_names,   properties, &service_property),
	ROW_LIST("PropertyQueries", schema_dec_queries, queries, &service_property),
	{ 0 }
};
#undef OF
/* clang-format on */

const struct schema_type schema_type_property_query = {
	.name = "System_PropertyQuery",
	.s = { sizeof(struct schema_property_query), property_query_fields, NULL },
	.optional = true,
};

/* The answer is a list in the order of the question. */
static int order_properties(struct json_dec *d, const struct json *v, void *obj)
{
	const struct json *types = json_get(v, "PropertyTypes");
	struct schema_service_query *q = obj;
	unsigned seen = 0;

	(void)d;
	for (uint32_t i = 0; types && types->type == JSON_ARRAY && i < types->n; i++) {
		uint64_t value;

		if (name_value(schema_service_property_names, json_string(&types->items[i], ""), &value) < 0 ||
		    seen & 1u << value)
			continue;
		seen |= 1u << value;
		q->order[q->n_order++] = (unsigned)value;
	}
	if (!q->n_order && !q->n_queries) {
		q->properties = 1u << SCHEMA_SERVICE_BASIC;
		q->order[q->n_order++] = SCHEMA_SERVICE_BASIC;
	}
	return 0;
}

const struct schema_type schema_type_service_query = {
	.name = "Service_PropertyQuery",
	.s = { sizeof(struct schema_service_query), service_query_fields, order_properties },
	.optional = true,
};

/* ---- ProcessModifyRequest ------------------------------------------------ */

/* clang-format off */
static const struct schema_choice handle = { schema_handle_names, "handle", NULL };

#define OF struct schema_process_modify
static const struct json_field console_size_fields[] = {
	ROW("Height", json_dec_u16, height, JSON_REQUIRED),
	ROW("Width",  json_dec_u16, width, JSON_REQUIRED),
	{ 0 }
};
#undef OF
static const struct json_struct console_size_struct = { 0, console_size_fields, NULL };

#define OF struct schema_process_modify
static const struct json_field close_handle_fields[] = {
	ROW_MUST("Handle", schema_dec_name, handle, &handle),
	{ 0 }
};
#undef OF
static const struct json_struct close_handle_struct = { 0, close_handle_fields, NULL };

static const struct name operation_names[] = {
	{ "ConsoleSize", SCHEMA_PROCESS_CONSOLE_SIZE },
	{ "CloseHandle", SCHEMA_PROCESS_CLOSE_HANDLE },
	{ 0 }
};
static const struct schema_choice operation = { operation_names, "operation", NULL };

#define OF struct schema_process_modify
static const struct json_field process_modify_fields[] = {
	ROW_MUST("Operation",   schema_dec_name, operation, &operation),
	{ "ConsoleSize", schema_dec_part, 0, 0, 1 + offsetof(OF, has_console_size), &console_size_struct },
	ROW_PART("CloseHandle", &close_handle_struct),
	{ 0 }
};
#undef OF
/* clang-format on */

static int check_process_modify(struct json_dec *d, const struct json *v, void *obj)
{
	const struct schema_process_modify *m = obj;
	const char *needed = name_of(operation_names, (uint64_t)m->operation);

	if (!needed)
		return 0;
	for (const struct name *row = operation_names; row->name; row++) {
		bool given = schema_is_there(v, row->name);
		char rel[32] = "/";

		if (given && row->name != needed)
			return json_fail(d, json_get(v, row->name), "is not for the operation %s", needed);
		strncat(rel, row->name, sizeof rel - 2);
		if (!given && row->name == needed)
			return json_fail_at(d, v, rel, "is missing");
	}
	return 0;
}

const struct schema_type schema_type_process_modify = {
	.name = "ProcessModifyRequest",
	.s = { sizeof(struct schema_process_modify), process_modify_fields, check_process_modify },
};

/* ---- SignalProcessOptions ------------------------------------------------ */

/* clang-format off */
static const struct {
	const char *windows, *here;
} control_events[] = {
	{ "CtrlC",        "INT" },
	{ "CtrlBreak",    "QUIT" },
	{ "CtrlClose",    "HUP" },
	{ "CtrlLogOff",   "HUP" },
	{ "CtrlShutdown", "TERM" },
};
/* clang-format on */

static int signal_of(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(control_events); i++)
		if (!strcmp(control_events[i].windows, s))
			return signal_parse(control_events[i].here);
	return signal_parse(s);
}

JSON_DECODER(schema_dec_signal)
{
	int n;

	if (v->type == JSON_INT) {
		n = v->negative || v->u > 64 ? -1 : (int)v->u;
	} else if (v->type == JSON_STRING) {
		n = signal_of(v->s);
	} else {
		return json_fail(d, v, "must be a number or a string, not %s", json_type_name(v));
	}
	if (n < 1 && v->type == JSON_STRING)
		return json_fail(d, v, "unknown signal '%s'", v->s);
	if (n < 1)
		return json_fail(d, v, "must be between 1 and 64");
	*(int *)((char *)obj + f->offset) = n;
	return 0;
}

/* clang-format off */
#define OF struct schema_signal
static const struct json_field signal_fields[] = {
	ROW("Signal", schema_dec_signal, signal, JSON_REQUIRED),
	{ 0 }
};
#undef OF
/* clang-format on */

const struct schema_type schema_type_signal = {
	.name = "SignalProcessOptions",
	.s = { sizeof(struct schema_signal), signal_fields, NULL },
};

/* ---- PauseOptions, ShutdownOptions --------------------------------------- */

/* clang-format off */
static const char *const suspend[] = { "Suspend", NULL };
static const char *const no_reason[] = { "None", NULL };

static const struct json_field notification_fields[] = {
	ROW_ONLY("Reason", no_reason),
	{ 0 }
};
static const struct json_struct notification_struct = { 0, notification_fields, NULL };

static const struct json_field pause_fields[] = {
	ROW_ONLY("SuspensionLevel",    suspend),
	ROW_PART("HostedNotification", &notification_struct),
	{ 0 }
};

static const char *const guest_connection[] = { "GuestConnection", NULL };
static const char *const shutdown_type[] = { "Shutdown", NULL };

#define OF struct schema_shutdown
static const struct json_field shutdown_fields[] = {
	ROW_ONLY("Mechanism", guest_connection),
	ROW_ONLY("Type",      shutdown_type),
	ROW("Force",          json_dec_bool, force, 0),
	ROW("Signal",         schema_dec_signal, signal, 0),
	ROW("Reason",         spec_dec_text, reason, 0),
	{ 0 }
};
#undef OF
/* clang-format on */

const struct schema_type schema_type_pause = {
	.name = "PauseOptions",
	.s = { sizeof(struct schema_pause), pause_fields, NULL },
	.optional = true,
};

const struct schema_type schema_type_shutdown = {
	.name = "ShutdownOptions",
	.s = { sizeof(struct schema_shutdown), shutdown_fields, NULL },
	.optional = true,
};

/* ---- ModificationRequest of the service ----------------------------------- */

static JSON_DECODER(dec_service_setting)
{
	int r = 0;

	(void)f;
	(void)obj;
	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	return json_unsupported(d, v, "'%s' is not supported: the service has no settings", v->s);
}

/* clang-format off */
#define OF struct schema_service_modify
static const struct json_field service_modify_fields[] = {
	{ "PropertyType", dec_service_setting, 0, JSON_REQUIRED, 0, NULL },
	ROW("Settings", schema_dec_value, settings, 0),
	{ 0 }
};
#undef OF
/* clang-format on */

const struct schema_type schema_type_service_modify = {
	.name = "ModificationRequest",
	.s = { sizeof(struct schema_service_modify), service_modify_fields, NULL },
};
