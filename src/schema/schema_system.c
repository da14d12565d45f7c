/* ComputeSystem of schema 2.x: Container, and HostedSystem as LCOW writes it. */
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "schema_table.h"
#include "str.h"

int schema_check_lists(struct json_dec *d, const struct json *v)
{
	/* clang-format off */
	static const struct {
		const char *key;
		uint32_t max;
	} lists[] = {
		{ "Layers", 500 }, /* overlayfs' own limit */
		{ "MappedDirectories", 4096 },
		{ "MappedPipes", 4096 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct json *list = json_get(v, lists[i].key);
		int r = 0;

		if (list && list->type == JSON_ARRAY && list->n > lists[i].max)
			r = json_fail(d, list, "more than %" PRIu32 " entries", lists[i].max);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- processor ---------------------------------------------------------- */

int schema_check_processor(struct json_dec *d, const struct json *v,
			   const struct schema_processor *p, const char *const keys[3])
{
	const uint32_t values[] = { p->count, p->weight, p->maximum };
	const char *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i] && first)
			return json_fail(d, json_get(v, keys[i]), "is exclusive with %s", first);
		if (values[i])
			first = keys[i];
	}
	return 0;
}

static int check_processor(struct json_dec *d, const struct json *v, void *obj)
{
	static const char *const keys[] = { "Count", "Weight", "Maximum" };

	return schema_check_processor(d, v, obj, keys);
}

/* clang-format off */
#define OF struct schema_processor
static const struct json_field processor_fields[] = {
	ROW("Count",   schema_dec_count,     count, 0),
	ROW("Weight",  schema_dec_per_10000, weight, 0),
	ROW("Maximum", schema_dec_per_10000, maximum, 0),
	{ 0 }
};
#undef OF
const struct json_struct schema_processor_struct = {
	sizeof(struct schema_processor), processor_fields, check_processor
};

/* clang-format on */

/* ---- mapped directories and pipes --------------------------------------- */

/* No member's own rule, since what is removed may leave it out. */
int schema_check_host_path(struct json_dec *d, const struct json *v, void *obj)
{
	(void)obj;
	return schema_is_there(v, "HostPath") ? 0 : json_fail_at(d, v, "/HostPath", "is missing");
}

/* clang-format off */
static const char *const absolute_path[] = { "AbsolutePath", NULL };

#define OF struct schema_mapped_directory
static const struct json_field directory_fields[] = {
	ROW("HostPath",                  schema_dec_path,           host_path, JSON_NONEMPTY),
	ROW_ONLY("HostPathType",         absolute_path),
	ROW("ContainerPath",             schema_dec_container_path, container_path, JSON_REQUIRED),
	ROW("ReadOnly",                  json_dec_bool,             read_only, 0),
	ROW_NOTHING("SupportCloudFiles", NULL),
	{ 0 }
};
#undef OF
const struct json_struct schema_directory_struct = {
	sizeof(struct schema_mapped_directory), directory_fields, schema_check_host_path
};

#define OF struct schema_mapped_pipe
static const struct json_field pipe_fields[] = {
	ROW("ContainerPipeName", schema_dec_pipe_name, container_pipe_name, JSON_REQUIRED | JSON_NONEMPTY),
	ROW("HostPath",          schema_dec_path,      host_path, JSON_NONEMPTY),
	ROW_ONLY("HostPathType", absolute_path),
	{ 0 }
};
#undef OF
const struct json_struct schema_pipe_struct = {
	sizeof(struct schema_mapped_pipe), pipe_fields, schema_check_host_path
};

/* ---- storage ------------------------------------------------------------ */

static const char *const cache_modes[] = { "Enabled", NULL };

#define OF struct schema_layer
static const struct json_field layer_fields[] = {
	ROW("Id",            spec_dec_text,   id, 0),
	ROW("Path",          schema_dec_path, path, JSON_REQUIRED | JSON_NONEMPTY),
	ROW_ONLY("PathType", absolute_path),
	ROW_ONLY("Cache",    cache_modes),
	{ 0 }
};
#undef OF
static const struct json_struct layer_struct = { sizeof(struct schema_layer), layer_fields, NULL };

#define OF struct schema_storage
static const struct json_field qos_fields[] = {
	ROW("IopsMaximum",      json_dec_u64, iops_maximum, 0),
	ROW("BandwidthMaximum", json_dec_u64, bandwidth_maximum, 0),
	{ 0 }
};
#undef OF
static const struct json_struct qos_struct = { 0, qos_fields, NULL };

#define OF struct schema_storage
static const struct json_field storage_fields[] = {
	ROW_LIST("Layers", json_dec_list,   layers, &layer_struct),
	ROW("Path",        schema_dec_path, path, JSON_REQUIRED | JSON_NONEMPTY),
	ROW_PART("QoS",    &qos_struct),
	{ 0 }
};
#undef OF
/* clang-format on */

static int check_storage(struct json_dec *d, const struct json *v, void *obj)
{
	(void)obj;
	return schema_check_lists(d, v);
}

static const struct json_struct storage_struct = { sizeof(struct schema_storage), storage_fields,
						   check_storage };

/* ---- the rest of a container -------------------------------------------- */

/* clang-format off */
#define OF struct schema_container
static const struct json_field guest_os_fields[] = {
	ROW("HostName", schema_dec_hostname, hostname, 0),
	{ 0 }
};
#undef OF
static const struct json_struct guest_os_struct = { 0, guest_os_fields, NULL };

#define OF struct schema_container
static const struct json_field memory_fields[] = {
	ROW("SizeInMB", schema_dec_megabytes, memory_mb, 0),
	{ 0 }
};
#undef OF
static const struct json_struct memory_struct = { 0, memory_fields, NULL };

static const char no_search_list[] =
	"/etc/resolv.conf is the root file system's own; map a file over it";
static const char no_adapters[] = "adapters are put into a network namespace by who makes it";

#define OF struct schema_networking
static const struct json_field networking_fields[] = {
	ROW("AllowUnqualifiedDnsQuery",   json_dec_bool,        allow_unqualified_dns, 0),
	ROW_NOTHING("DnsSearchList",      no_search_list),
	ROW("NetworkSharedContainerName", spec_dec_text,        shared_with, 0),
	ROW("Namespace",                  schema_dec_namespace, ns, 0),
	ROW_NOTHING("NetworkAdapters",    no_adapters),
	{ 0 }
};
#undef OF
/* clang-format on */

static int check_networking(struct json_dec *d, const struct json *v, void *obj)
{
	const struct schema_networking *n = obj;

	if (n->ns && n->shared_with)
		return json_fail(d, json_get(v, "NetworkSharedContainerName"),
				 "is exclusive with Namespace");
	return 0;
}

static const struct json_struct networking_struct = { sizeof(struct schema_networking),
						      networking_fields, check_networking };

/* ---- the form that brings its own command -------------------------------- */

JSON_DECODER(schema_dec_oci)
{
	struct schema_oci_form *oci = (struct schema_oci_form *)((char *)obj + f->offset);
	int r = 0;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	oci->document = v;
	return spec_decode(d, v, &oci->spec);
}

int schema_check_oci(struct json_dec *d, const struct json *document, const struct spec *spec)
{
	if (!schema_is_there(document, "process"))
		return json_fail_at(d, document, "/process", "is missing");
	for (int i = 0; i < HOOK_COUNT; i++)
		if (spec->hooks.n[i])
			return json_unsupported(d, json_get(document, "hooks"),
						"is not supported: hooks run programs on the host");
	return 0;
}

/* Where the root file system is must be clear from the document. */
static int check_root(struct json_dec *d, const struct schema_container *c, bool bundle)
{
	const struct json *root = json_get(c->oci.document, "root");
	const char *path = c->oci.spec->root_path;

	if (c->has_storage)
		return 0;
	if (!schema_is_there(c->oci.document, "root"))
		return json_fail_at(d, c->oci.document, "/root", "is missing");
	if (path && path[0] != '/' && !bundle)
		return json_fail_at(d, root, "/path", "'%s' is relative, and there is no OciBundlePath", path);
	return 0;
}

static int check_oci(struct json_dec *d, const struct json *v, struct schema_container *c)
{
	bool document = schema_is_there(v, "OciSpecification"), bundle = schema_is_given(v, "OciBundlePath");
	int r = 0;

	c->own_command = document || bundle || schema_is_given(v, "ScratchDirPath");
	if (!c->own_command)
		return 0;
	if (!document && !bundle)
		r = json_fail_at(d, v, "/OciSpecification", "is missing");
	if (r == 0 && schema_is_given(v, "ScratchDirPath") && c->has_storage)
		r = json_fail(d, json_get(v, "ScratchDirPath"), "is exclusive with Storage");
	if (r == 0 && c->oci.spec) {
		r = schema_check_oci(d, c->oci.document, c->oci.spec);
		if (r == 0)
			r = check_root(d, c, bundle);
	}
	return r;
}

/* clang-format off */
#define OCI_ROWS(member)                                                        \
	ROW("OciSpecification", schema_dec_oci, member.document, 0),            \
	ROW("OciBundlePath", schema_dec_path, member.bundle_path, 0),           \
	ROW("ScratchDirPath", schema_dec_path, member.scratch_path, 0)

/* ---- a container --------------------------------------------------------- */

static const char windows_only[] = "it is Windows' own";

#define OF struct schema_container
static const struct json_field container_fields[] = {
	ROW_PART("GuestOs",                      &guest_os_struct),
	{ "Storage", schema_dec_part, offsetof(OF, storage), 0, 1 + offsetof(OF, has_storage), &storage_struct },
	ROW_LIST("MappedDirectories",            json_dec_list,   directories, &schema_directory_struct),
	ROW_LIST("MappedPipes",                  json_dec_list,   pipes, &schema_pipe_struct),
	ROW_PART("Memory",                       &memory_struct),
	ROW_ARG("Processor",                     schema_dec_part, processor, &schema_processor_struct),
	ROW_ARG("Networking",                    schema_dec_part, networking, &networking_struct),
	ROW_ARG("Process",                       json_dec_pointer, process, &schema_process_struct),
	OCI_ROWS(oci),
	ROW_NOTHING("HvSocket",                  "only virtual machines have such sockets"),
	ROW_NOTHING("ContainerCredentialGuard",  windows_only),
	ROW_NOTHING("RegistryChanges",           windows_only),
	ROW_NOTHING("AssignedDevices",           "its types are Windows' own"),
	ROW_NOTHING("AdditionalDeviceNamespace", windows_only),
	ROW_NOTHING("IsolationType",             NULL),
	{ 0 }
};
#undef OF
/* clang-format on */

/* What OCI's document has words for must be said there. */
static int check_alone(struct json_dec *d, const struct json *v)
{
	/* clang-format off */
	static const char *const others[] = {
		"GuestOs", "MappedDirectories", "MappedPipes", "Memory", "Processor", "Networking", "Process",
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		int r = 0;

		if (schema_is_given(v, others[i]))
			r = json_unsupported(d, json_get(v, others[i]),
					     "is not supported beside OciSpecification, which can say it");
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_container(struct json_dec *d, const struct json *v, void *obj)
{
	struct schema_container *c = obj;
	int r = check_oci(d, v, c);

	if (r == 0 && c->own_command)
		r = check_alone(d, v);
	if (r == 0 && c->process && c->process->command == SCHEMA_COMMAND_INIT)
		r = json_fail(d, json_get(v, "Process"),
			      "needs a command: CommandLine, CommandArgs or ApplicationName");
	if (r == 0 && !c->own_command && !c->has_storage)
		r = json_fail_at(d, v, "/Storage", "is missing");
	return r < 0 ? r : schema_check_lists(d, v);
}

/* ---- a system ------------------------------------------------------------ */

static bool is_container(const void *obj)
{
	return ((const struct schema_system *)obj)->form == SCHEMA_FORM_CONTAINER;
}

static bool is_hosted(const void *obj)
{
	return ((const struct schema_system *)obj)->form == SCHEMA_FORM_HOSTED;
}

static bool is_hosted_container(const void *obj)
{
	return is_hosted(obj) && !((const struct schema_system *)obj)->container.own_command;
}

/* clang-format off */
static const struct schema_variant container_variant = {
	{ sizeof(struct schema_container), container_fields, check_container }, is_container
};
static const struct schema_variant hosted_container_variant = {
	{ sizeof(struct schema_container), container_fields, check_container }, is_hosted_container
};

#define OF struct schema_system
static const struct json_field hosted_fields[] = {
	ROW("SchemaVersion", schema_dec_version, hosted_version, JSON_REQUIRED),
	ROW_ARG("Container", schema_dec_variant, container, &hosted_container_variant),
	OCI_ROWS(container.oci),
	{ 0 }
};
#undef OF
/* clang-format on */

static int check_hosted(struct json_dec *d, const struct json *v, void *obj)
{
	static const char *const oci[] = { "OciSpecification", "OciBundlePath", "ScratchDirPath" };
	struct schema_system *s = obj;

	s->form = SCHEMA_FORM_HOSTED;
	if (!schema_is_there(v, "Container")) {
		if (schema_is_there(v, "OciSpecification") || schema_is_given(v, "OciBundlePath"))
			return check_oci(d, v, &s->container);
		return json_fail(d, v, "needs OciSpecification, OciBundlePath or Container");
	}
	for (size_t i = 0; i < ARRAY_SIZE(oci); i++)
		if (schema_is_given(v, oci[i]))
			return json_fail(d, json_get(v, oci[i]), "is exclusive with Container");
	return 0;
}

/* clang-format off */
static const struct schema_variant hosted_variant = {
	{ sizeof(struct schema_system), hosted_fields, check_hosted }, is_hosted
};

static const char no_virtual_machines[] = "there are no virtual machines here";

#define OF struct schema_system
static const struct json_field system_fields[] = {
	ROW("SchemaVersion",                     schema_dec_version, version, JSON_REQUIRED),
	ROW("Owner",                             spec_dec_text,      owner, 0),
	ROW_NOTHING("HostingSystemId",           no_virtual_machines),
	{ "HostedSystem", schema_dec_variant, 0, 0, 0, &hosted_variant },
	ROW_ARG("Container",                     schema_dec_variant, container, &container_variant),
	ROW_NOTHING("VirtualMachine",            no_virtual_machines),
	ROW("ShouldTerminateOnLastHandleClosed", json_dec_bool,      terminate_on_last_handle_closed, 0),
	{ 0 }
};
#undef OF
/* clang-format on */

/* Told apart by what only one of them has. */
static bool is_v1(const struct json *root)
{
	return !json_get(root, "SchemaVersion") &&
	       (json_get(root, "SystemType") || json_get(root, "Name"));
}

static const struct json_field *fields_of(const struct json *root)
{
	return is_v1(root) ? schema_system_v1_fields : system_fields;
}

static const struct json_field *fields_of_doc(const void *doc)
{
	const struct schema_system *s = doc;

	return s->form == SCHEMA_FORM_V1 ? schema_system_v1_fields : system_fields;
}

static int check_system(struct json_dec *d, const struct json *v, void *obj)
{
	static const char *const kinds[] = { "Container", "VirtualMachine", "HostedSystem" };
	static const char words[] = "needs exactly one of Container, VirtualMachine and HostedSystem";
	const struct json *kind = NULL;

	if (is_v1(v))
		return schema_check_system_v1(d, v, obj);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!schema_is_there(v, kinds[i]))
			continue;
		if (kind)
			return json_fail(d, json_get(v, kinds[i]), words);
		kind = json_get(v, kinds[i]);
	}
	if (!kind)
		return json_fail(d, v, words);
	if (!strcmp(kind->key, "VirtualMachine") && kind->type == JSON_OBJECT && !kind->n)
		return json_unsupported(d, kind, "is not supported: %s", no_virtual_machines);
	return 0;
}

const struct schema_type schema_type_system = {
	.name = "ComputeSystem",
	.s = { sizeof(struct schema_system), system_fields, check_system },
	.fields_of = fields_of,
	.fields_of_doc = fields_of_doc,
};
