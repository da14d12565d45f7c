/* ContainerConfig of schema 1.0: the same system in other words. */
#include <string.h>

#include "mem.h"
#include "schema_table.h"

/* clang-format off */
static const char no_virtual_machines[] = "there are no virtual machines here";
static const char not_per_directory[] = "there are no limits for one directory";
static const char windows_only[] = "it is Windows' own";

#define OF struct schema_layer
static const struct json_field layer_fields[] = {
	ROW("ID",   spec_dec_text,   id, 0),
	ROW("Path", schema_dec_path, path, JSON_REQUIRED | JSON_NONEMPTY),
	{ 0 }
};
#undef OF
static const struct json_struct layer_struct = { sizeof(struct schema_layer), layer_fields, NULL };

#define OF struct schema_mapped_directory
static const struct json_field directory_fields[] = {
	ROW("HostPath",                  schema_dec_path,           host_path, JSON_NONEMPTY),
	ROW("ContainerPath",             schema_dec_container_path, container_path, JSON_REQUIRED),
	ROW("ReadOnly",                  json_dec_bool,             read_only, 0),
	ROW_NOTHING("BandwidthMaximum",  not_per_directory),
	ROW_NOTHING("IOPSMaximum",       not_per_directory),
	ROW_NOTHING("CreateInUtilityVM", no_virtual_machines),
	/* files have it here in any case */
	ROW("LinuxMetadata",             json_dec_bool,             linux_metadata, 0),
	{ 0 }
};
#undef OF
const struct json_struct schema_directory_v1_struct = {
	sizeof(struct schema_mapped_directory), directory_fields, schema_check_host_path
};

#define OF struct schema_mapped_pipe
static const struct json_field pipe_fields[] = {
	ROW("HostPath",          schema_dec_path,      host_path, JSON_NONEMPTY),
	ROW("ContainerPipeName", schema_dec_pipe_name, container_pipe_name, JSON_REQUIRED | JSON_NONEMPTY),
	{ 0 }
};
#undef OF
const struct json_struct schema_pipe_v1_struct = {
	sizeof(struct schema_mapped_pipe), pipe_fields, schema_check_host_path
};

static const char *const container[] = { "Container", NULL };
static const char *const linux_type[] = { "Linux", NULL };
static const char no_size[] = "the scratch directory is as large as its file system";
static const char no_search_list[] =
	"/etc/resolv.conf is the root file system's own; map a file over it";
static const char no_endpoints[] = "adapters are put into a network namespace by who makes it";

#define OF struct schema_system
const struct json_field schema_system_v1_fields[] = {
	{ "SystemType", schema_dec_only, 0, JSON_REQUIRED | JSON_NONEMPTY, 0, container },
	ROW("Name",                        spec_dec_text,        name, JSON_REQUIRED | JSON_NONEMPTY),
	ROW("Owner",                       spec_dec_text,        owner, 0),
	ROW("VolumePath",                  schema_dec_path,      container.storage.volume, 0),
	ROW("IgnoreFlushesDuringBoot",     json_dec_bool,        ignore_flushes_during_boot, 0),
	ROW("LayerFolderPath",             schema_dec_path,      container.storage.path, 0),
	ROW_LIST_IN("Layers",              json_dec_list,        container.storage, layers, &layer_struct),
	ROW_NOTHING("Credentials",         windows_only),
	ROW("ProcessorCount",              schema_dec_count,     container.processor.count, 0),
	ROW("ProcessorWeight",             schema_dec_per_10000, container.processor.weight, 0),
	ROW("ProcessorMaximum",            schema_dec_per_10000, container.processor.maximum, 0),
	ROW("StorageIOPSMaximum",          json_dec_u64,         container.storage.iops_maximum, 0),
	ROW("StorageBandwidthMaximum",     json_dec_u64,         container.storage.bandwidth_maximum, 0),
	ROW_NOTHING("StorageSandboxSize",  no_size),
	ROW("MemoryMaximumInMB",           schema_dec_megabytes, container.memory_mb, 0),
	ROW("HostName",                    schema_dec_hostname,  container.hostname, 0),
	ROW_LIST_IN("MappedDirectories",   json_dec_list,        container, directories, &schema_directory_v1_struct),
	ROW_LIST_IN("MappedPipes",         json_dec_list,        container, pipes, &schema_pipe_v1_struct),
	ROW_NOTHING("MappedVirtualDisks",  "mount the disk, and map the directory"),
	ROW_NOTHING("HvPartition",         no_virtual_machines),
	ROW_NOTHING("HvRuntime",           no_virtual_machines),
	ROW("NetworkSharedContainerName",  spec_dec_text,        container.networking.shared_with, 0),
	ROW_NOTHING("EndpointList",        no_endpoints),
	ROW("AllowUnqualifiedDNSQuery",    json_dec_bool,        container.networking.allow_unqualified_dns, 0),
	ROW_NOTHING("DNSSearchList",       no_search_list),
	ROW_NOTHING("Servicing",           windows_only),
	ROW_ONLY("ContainerType",          linux_type),
	ROW("TerminateOnLastHandleClosed", json_dec_bool,        terminate_on_last_handle_closed, 0),
	ROW_NOTHING("AssignedDevices",     "its types are Windows' own"),
	{ 0 }
};
#undef OF
/* clang-format on */

static int check_storage(struct json_dec *d, const struct json *v)
{
	bool layers = schema_is_given(v, "Layers"), volume = schema_is_given(v, "VolumePath");
	bool scratch = schema_is_given(v, "LayerFolderPath");

	if (layers && !scratch)
		return json_fail_at(d, v, "/LayerFolderPath",
				    "is missing: the layers need a directory for changes");
	if (layers && volume)
		return json_unsupported(d, json_get(v, "VolumePath"),
					"is not supported beside Layers: it would be another root file system");
	if (!layers && scratch)
		return json_fail(d, json_get(v, "LayerFolderPath"), "is for Layers, and there are none");
	if (!layers && !volume)
		return json_fail_at(d, v, "/Layers", "is missing, and so is VolumePath");
	return 0;
}

int schema_check_system_v1(struct json_dec *d, const struct json *v, struct schema_system *s)
{
	static const char *const keys[] = { "ProcessorCount", "ProcessorWeight", "ProcessorMaximum" };
	static const char *const warning =
		"/IgnoreFlushesDuringBoot: has no meaning here: a container writes through the host's cache";
	int r;

	s->form = SCHEMA_FORM_V1;
	s->version = (struct schema_version){ 1, 0 };
	s->container.has_storage = true;
	if (s->ignore_flushes_during_boot) {
		s->warnings = arena_calloc(d->a, 1, sizeof *s->warnings);
		if (!s->warnings)
			return json_nomem(d);
		s->warnings[s->n_warnings++] = warning;
	}
	r = schema_check_processor(d, v, &s->container.processor, keys);
	if (r == 0)
		r = schema_check_lists(d, v);
	return r < 0 ? r : check_storage(d, v);
}
