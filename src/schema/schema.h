/*
 * The documents of HCS's API: JSON <-> structs, and from there to what berth
 * speaks itself (schema_oci.h). Pure: no system calls, no clock, no host.
 *
 *	struct schema_source src = { .text = json, .len = strlen(json), .name = "configuration" };
 *	struct schema_system *s;
 *	r = schema_parse_system(&a, &src, &s, e);
 *
 * Reading is strict. What is wrong, unknown, or cannot be done on Linux is an
 * error that reads "configuration: line 3: /Container/HvSocket: is not supported:
 * ...": ERR_INVALID for what is wrong, ERR_UNSUPPORTED for what has no meaning
 * here, unknown members included. A member that is null, "", 0, false or empty
 * where HCS takes that for "not given" asks for nothing and is no error, whatever
 * the member. docs/hcs-documents.md says of each what becomes of it.
 *
 * Everything that is read lives in the arena; the text may go. Strings are NULL
 * when absent; a list is a pointer and a count; a number that HCS treats as
 * absent when it is 0 is 0, any other optional one has `has_x` beside it.
 *
 * Each type of document has one table of its members, which both directions go
 * by: schema_parse_T() reads a struct schema_T, schema_write_T() writes one. What
 * is absent is not written. The structs are here (a system, a process),
 * in schema_requests.h (what else is asked) and in schema_reply.h (answers).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"

struct arena;
struct err;
struct json;
struct jw;
struct sb;

struct schema_source {
	const char *text; /* NULL or "": where HCS lets a document be absent, all of it is */
	size_t len;
	const char *name; /* what it is called in errors: "configuration"; borrowed */
	/* may be NULL. With it every problem is reported, with its pointer, its line
	 * and words, and reading goes on; the first is also put into `e` */
	const struct spec_problems *problems;
};

/*      T                HCS's name                in */
#define SCHEMA_DOCUMENTS(X)                                                    \
	X(system,          "ComputeSystem")          /* schema.h */           \
	X(process,         "ProcessParameters")      /* schema.h */           \
	X(system_query,    "SystemQuery")            /* schema_requests.h */  \
	X(property_query,  "System_PropertyQuery")                             \
	X(modify,          "ModifySettingRequest")                             \
	X(process_modify,  "ProcessModifyRequest")                             \
	X(signal,          "SignalProcessOptions")                             \
	X(pause,           "PauseOptions")                                     \
	X(shutdown,        "ShutdownOptions")                                  \
	X(service_query,   "Service_PropertyQuery")                            \
	X(service_modify,  "ModificationRequest")                              \
	X(properties,      "Properties")             /* schema_reply.h */     \
	X(process_status,  "ProcessStatus")                                    \
	X(exit_status,     "SystemExitStatus")                                 \
	X(result_error,    "ResultError")                                      \
	X(operation_info,  "OperationInfo")                                    \
	X(service_properties, "ServiceProperties")

#define X(T, name)                                                             \
	struct schema_##T;                                                     \
	int schema_parse_##T(struct arena *a, const struct schema_source *src, \
			     struct schema_##T **ret, struct err *e);          \
	void schema_write_##T(struct jw *w, const struct schema_##T *doc);
SCHEMA_DOCUMENTS(X)
#undef X

/* The document as it may be logged: on one line, and with "***" for the values of
 * the environment (any member called Environment or env, however deep and
 * however it is written) and of Credentials. Of what is no JSON nothing is shown
 * but its length. Look at b->failed. */
void schema_redact(struct sb *b, const char *text, size_t len);

/* ---- a system ----------------------------------------------------------- */

struct schema_version {
	uint32_t major, minor;
};

struct schema_layer {
	const char *id, *path; /* absolute, and no path that overlayfs cannot take */
};

struct schema_storage {
	struct schema_layer *layers; /* topmost first */
	size_t n_layers;
	const char *path; /* with layers: the scratch directory; without: the root file system */
	const char *volume; /* schema 1.0: the root file system, without layers */
	uint64_t iops_maximum, bandwidth_maximum; /* 0: no limit; bandwidth in bytes a second */
};

struct schema_mapped_directory {
	const char *host_path, *container_path; /* absolute */
	bool read_only; /* and all that is mounted below it */
	bool linux_metadata; /* schema 1.0; files have it here in any case */
};

struct schema_mapped_pipe {
	const char *host_path; /* absolute */
	const char *container_pipe_name; /* a path, or a name, which is one below /run */
};

/* At most one of them is not 0. */
struct schema_processor {
	uint32_t count; /* processors */
	uint32_t weight; /* 1..10000; unweighted ones have 5000 */
	uint32_t maximum; /* 1..10000: hundredths of a percent of the whole host */
};

struct schema_networking {
	const char *ns; /* a name below /run/netns, or an absolute path */
	const char *shared_with; /* the id of the system whose network it joins */
	bool allow_unqualified_dns; /* what resolvers do here anyway */
};

/* A system that brings its own command: OCI's config.json in HCS's document. */
struct schema_oci_form {
	const struct json *document; /* NULL: it is bundle_path/config.json, see schema_needs() */
	struct spec *spec; /* decoded from it */
	const char *bundle_path; /* absolute: where a relative root.path starts */
	const char *scratch_path; /* absolute: upper and work of an overlay over root.path */
};

struct schema_container {
	const char *hostname;
	bool has_storage;
	struct schema_storage storage;
	struct schema_mapped_directory *directories;
	size_t n_directories;
	struct schema_mapped_pipe *pipes;
	size_t n_pipes;
	uint64_t memory_mb; /* 0: no limit */
	struct schema_processor processor;
	struct schema_networking networking;
	/* berth's own member: its first process, instead of the built-in init */
	struct schema_process *process;
	bool own_command; /* `oci`; else its first process is the built-in init */
	struct schema_oci_form oci;
};

enum schema_form {
	SCHEMA_FORM_CONTAINER, /* schema 2.x, Container */
	SCHEMA_FORM_HOSTED, /* schema 2.x, HostedSystem (what LCOW writes) */
	SCHEMA_FORM_V1, /* schema 1.0, ContainerConfig */
};

struct schema_system {
	enum schema_form form;
	struct schema_version version, hosted_version;
	const char *owner;
	const char *name; /* schema 1.0 only */
	bool terminate_on_last_handle_closed;
	bool ignore_flushes_during_boot; /* schema 1.0; a hint that has no meaning here */
	struct schema_container container;
	const char **warnings; /* accepted, but the user should be told */
	size_t n_warnings;
};

/* ---- a process ---------------------------------------------------------- */

enum schema_command {
	SCHEMA_COMMAND_INIT, /* none given: the first process of a system that has its own command */
	SCHEMA_COMMAND_ARGS, /* `args` */
	SCHEMA_COMMAND_OCI, /* `oci_document` */
};

/* ProcessParameters of schema 2.x and ProcessConfig of 1.0. */
struct schema_process {
	enum schema_command command;
	const char **args; /* what is executed, NULL-terminated, from the next three */
	size_t n_args;
	const char *application_name; /* the program; args[0] in any case */
	const char *command_line; /* split into words; see schema_split() */
	char **command_args; /* the words themselves */
	size_t n_command_args;

	/* "UID", "UID:GID", or a name that is looked up in the container's /etc/passwd:
	 * then `user_name` is not NULL and the caller finds the ids (schema_find_user()) */
	const char *user;
	const char *user_name;
	uint32_t uid, gid; /* without a GID it is the UID */

	const char *working_directory; /* absolute; NULL: "/" */
	struct kv *environment; /* all of it: nothing is inherited */
	size_t n_environment;
	bool restricted_token; /* no capabilities, and no new privileges */

	bool emulate_console; /* a terminal; then create_stderr is false, as HCS has it */
	bool create_stdin, create_stdout, create_stderr;
	bool has_console_size; /* only together with emulate_console */
	uint16_t console_height, console_width;

	const struct json *oci_document; /* OciProcess */
	struct spec_process *oci; /* decoded from it */
};

/* CommandLine's rules: words end at blanks and new lines. '...' is taken as it is.
 * In "..." a backslash stands for the next character if that is one of \ " $ `,
 * else for itself; elsewhere it stands for the next character. A backslash before
 * a new line vanishes with it. Nothing is expanded: $, *, ~, ;, | and all others
 * are characters. 0, -ENOMEM, or -EINVAL with *ret_words saying what is wrong (a
 * quote or backslash at the end). The list is NULL-terminated. */
int schema_split(struct arena *a, const char *line, const char ***ret_args, size_t *ret_n,
		 const char **ret_words);
