/*
 * What is asked of a system, of a process or of the service; see schema.h.
 */
#pragma once

#include "schema.h"
#include "schema_names.h"

/* ---- queries ------------------------------------------------------------ */

/* A list that is empty asks for nothing: everything matches it. */
struct schema_system_query {
	char **ids, **names, **owners;
	size_t n_ids, n_names, n_owners;
	unsigned types; /* 1 << SCHEMA_SYSTEM_x; 0: any */
};

/* Whether a system is one of those asked for; name and owner may be NULL. */
bool schema_query_matches(const struct schema_system_query *q, const char *id, const char *name,
			  const char *owner);

/* One of Queries (schema 2.5): its answer, or its error, stands in
 * PropertyResponses under the name, so that a name which is not supported is no
 * error of the document. */
struct schema_named_query {
	const char *name;
	unsigned property; /* SCHEMA_PROPERTY_x or SCHEMA_SERVICE_x; 0: not supported */
	const char *pointer; /* of the query, for the error; "/Queries/GuestConnection" */
};

struct schema_property_query { /* of both schemas */
	unsigned properties; /* 1 << SCHEMA_PROPERTY_x */
	struct schema_named_query *queries;
	size_t n_queries;
};

struct schema_service_query {
	unsigned properties; /* 1 << SCHEMA_SERVICE_x; 0: Basic */
	unsigned order[SCHEMA_SERVICE_PROCESSORS + 1]; /* as asked, for ServiceProperties */
	size_t n_order;
	struct schema_named_query *queries;
	size_t n_queries;
};

/* ---- changes ------------------------------------------------------------ */

enum schema_resource {
	SCHEMA_RESOURCE_ABSENT,
	SCHEMA_RESOURCE_MEMORY, /* memory_mb */
	SCHEMA_RESOURCE_PROCESSOR, /* processor */
	SCHEMA_RESOURCE_DIRECTORY, /* directory: Add, or Remove by its ContainerPath */
	SCHEMA_RESOURCE_PIPE, /* pipe: Add, or Remove by its ContainerPipeName */
};

/* ResourcePath and Settings of schema 2.x, ResourceType and Settings of 1.0. */
struct schema_modify {
	enum schema_resource resource;
	int request; /* SCHEMA_REQUEST_x; memory and processor: always UPDATE */
	bool v1;
	uint64_t memory_mb;
	struct schema_processor processor;
	struct schema_mapped_directory directory; /* Remove: host_path may be NULL */
	struct schema_mapped_pipe pipe; /* Remove: host_path may be NULL */
	const struct json *settings; /* as it was written */
};

enum { SCHEMA_PROCESS_CONSOLE_SIZE = 1, SCHEMA_PROCESS_CLOSE_HANDLE };

struct schema_process_modify {
	int operation; /* one of the two */
	bool has_console_size;
	uint16_t height, width;
	int handle; /* SCHEMA_HANDLE_x */
};

/* Settings of the service: it has none, so that every document is an error, which
 * names its PropertyType. */
struct schema_service_modify {
	const struct json *settings;
};

/* ---- options ------------------------------------------------------------ */

/* A number, a name ("TERM", "SIGTERM", "RTMIN+3"), or Windows' names: CtrlC INT,
 * CtrlBreak QUIT, CtrlClose and CtrlLogOff HUP, CtrlShutdown TERM. */
struct schema_signal {
	int signal; /* 1..64 */
};

/* Only SuspensionLevel Suspend: freezing. */
struct schema_pause {
	int nothing;
};

struct schema_shutdown {
	bool force; /* kill what has not ended by itself */
	int signal; /* instead of the system's stop signal; 0: that */
	const char *reason;
};
