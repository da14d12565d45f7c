/* Reading HCS's documents: what is kept of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_requests.h"
#include "str.h"

#define V "\"SchemaVersion\":{\"Major\":2,\"Minor\":1}"
#define STORAGE "\"Storage\":{\"Path\":\"/r\"}"

static struct schema_source source(const char *text)
{
	return (struct schema_source){ .text = text, .len = text ? strlen(text) : 0, .name = "doc" };
}

#define READ(T, text)                               \
	struct schema_##T *T = NULL;                \
	OWN_ARENA struct arena a = ARENA_INIT;      \
	struct schema_source src = source(text);    \
	struct err e = { 0 };                       \
	if (schema_parse_##T(&a, &src, &T, &e) < 0) \
	fail_msg("%s", e.msg)

/* ---- systems -------------------------------------------------------------- */

static void test_container(void **state)
{
	READ(system, "{" V ",\"Owner\":\"me\",\"ShouldTerminateOnLastHandleClosed\":true,\"Container\":{"
		     "\"GuestOs\":{\"HostName\":\"h\"},\"Storage\":{\"Layers\":[{\"Id\":\"i\",\"Path\":\"/t\"},"
		     "{\"Path\":\"/b\"}],\"Path\":\"/s\",\"QoS\":{\"IopsMaximum\":5,\"BandwidthMaximum\":6}},"
		     "\"MappedDirectories\":[{\"HostPath\":\"/a\",\"ContainerPath\":\"/b\",\"ReadOnly\":true}],"
		     "\"MappedPipes\":[{\"HostPath\":\"/p\",\"ContainerPipeName\":\"n\"}],"
		     "\"Memory\":{\"SizeInMB\":7},\"Processor\":{\"Weight\":8},"
		     "\"Networking\":{\"Namespace\":\"ns\"}}}");
	const struct schema_container *c = &system->container;

	(void)state;
	assert_int_equal(system->form, SCHEMA_FORM_CONTAINER);
	assert_int_equal(system->version.major * 10 + system->version.minor, 21);
	assert_string_equal(system->owner, "me");
	assert_true(system->terminate_on_last_handle_closed && c->has_storage && !c->own_command);
	assert_string_equal(c->hostname, "h");
	assert_int_equal(c->storage.n_layers, 2);
	assert_string_equal(c->storage.layers[0].id, "i");
	assert_string_equal(c->storage.layers[0].path, "/t");
	assert_string_equal(c->storage.layers[1].path, "/b");
	assert_string_equal(c->storage.path, "/s");
	assert_int_equal(c->storage.iops_maximum, 5);
	assert_int_equal(c->storage.bandwidth_maximum, 6);
	assert_int_equal(c->n_directories, 1);
	assert_string_equal(c->directories[0].container_path, "/b");
	assert_true(c->directories[0].read_only);
	assert_int_equal(c->n_pipes, 1);
	assert_string_equal(c->pipes[0].container_pipe_name, "n");
	assert_int_equal(c->memory_mb, 7);
	assert_int_equal(c->processor.weight, 8);
	assert_string_equal(c->networking.ns, "ns");
}

static void test_container_config(void **state)
{
	READ(system, "{\"SystemType\":\"Container\",\"Name\":\"n\",\"LayerFolderPath\":\"/s\","
		     "\"Layers\":[{\"ID\":\"x\",\"Path\":\"/l\"}],\"ProcessorMaximum\":10000,"
		     "\"MemoryMaximumInMB\":3,\"HvPartition\":false,\"IgnoreFlushesDuringBoot\":true,"
		     "\"NetworkSharedContainerName\":\"other\",\"TerminateOnLastHandleClosed\":true}");
	const struct schema_container *c = &system->container;

	(void)state;
	assert_int_equal(system->form, SCHEMA_FORM_V1);
	assert_int_equal(system->version.major * 10 + system->version.minor, 10);
	assert_string_equal(system->name, "n");
	assert_true(system->terminate_on_last_handle_closed && c->has_storage);
	assert_string_equal(c->storage.path, "/s");
	assert_string_equal(c->storage.layers[0].id, "x");
	assert_int_equal(c->processor.maximum, 10000);
	assert_int_equal(c->memory_mb, 3);
	assert_string_equal(c->networking.shared_with, "other");
	assert_int_equal(system->n_warnings, 1);
	assert_non_null(strstr(system->warnings[0], "/IgnoreFlushesDuringBoot: "));
}

static void test_oci_forms(void **state)
{
	READ(system, "{" V ",\"HostedSystem\":{" V ",\"OciBundlePath\":\"/b\",\"ScratchDirPath\":\"/s\","
		     "\"OciSpecification\":{\"ociVersion\":\"1.0.0\",\"unknown\":1,\"root\":{\"path\":\"r\"},"
		     "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}}}");
	const struct schema_container *c = &system->container;

	(void)state;
	assert_int_equal(system->form, SCHEMA_FORM_HOSTED);
	assert_int_equal(system->hosted_version.minor, 1);
	assert_true(c->own_command && !c->has_storage);
	assert_string_equal(c->oci.bundle_path, "/b");
	assert_string_equal(c->oci.scratch_path, "/s");
	assert_string_equal(c->oci.spec->process->args[0], "a");
	assert_ptr_equal(json_get(c->oci.document, "root")->parent, c->oci.document);
}

/* What clients that always write every member write. */
static void test_what_asks_for_nothing(void **state)
{
	READ(system, "{" V ",\"Owner\":\"\",\"HostingSystemId\":\"\",\"VirtualMachine\":null,"
		     "\"HostedSystem\":null,\"Container\":{\"GuestOs\":null," STORAGE ",\"MappedPipes\":[],"
		     "\"Memory\":{\"SizeInMB\":0},\"Processor\":{\"Count\":0,\"Weight\":0,\"Maximum\":0},"
		     "\"Networking\":{\"DnsSearchList\":\"\",\"NetworkAdapters\":[]},\"HvSocket\":{},"
		     "\"RegistryChanges\":null,\"AssignedDevices\":[],\"OciBundlePath\":\"\"}}");

	(void)state;
	assert_null(system->owner);
	assert_false(system->container.own_command);
	assert_int_equal(system->container.processor.count, 0);
}

/* ---- processes -------------------------------------------------------------- */

static void test_process(void **state)
{
	READ(process, "{\"CommandLine\":\"sh -c 'a b'\",\"User\":\"7:8\",\"WorkingDirectory\":\"/w\","
		      "\"Environment\":{\"A\":\"b=c\"},\"EmulateConsole\":true,\"CreateStdInPipe\":true,"
		      "\"CreateStdErrPipe\":true,\"ConsoleSize\":[24,80],\"RestrictedToken\":true}");

	(void)state;
	assert_int_equal(process->command, SCHEMA_COMMAND_ARGS);
	assert_int_equal(process->n_args, 3);
	assert_string_equal(process->args[2], "a b");
	assert_null(process->args[3]);
	assert_null(process->user_name);
	assert_int_equal(process->uid * 10 + process->gid, 78);
	assert_string_equal(process->working_directory, "/w");
	assert_string_equal(process->environment[0].value, "b=c");
	assert_true(process->create_stdin && !process->create_stdout && process->restricted_token);
	assert_false(process->create_stderr); /* as HCS has it, beside a console */
	assert_int_equal(process->console_height, 24);
	assert_int_equal(process->console_width, 80);
}

static void test_process_user(void **state)
{
	(void)state;
	{
		READ(process, "{\"CommandArgs\":[\"a\"],\"User\":\"7\"}");
		assert_int_equal(process->gid, 7);
	}
	{
		READ(process, "{\"CommandArgs\":[\"a\"],\"User\":\"7up\"}");
		assert_string_equal(process->user_name, "7up");
	}
	{
		READ(process, "{\"CommandArgs\":[\"a\"]}");
		assert_true(!process->user_name && !process->uid && !process->gid);
	}
}

static void test_process_application(void **state)
{
	(void)state;
	{
		READ(process, "{\"ApplicationName\":\"/bin/a b\",\"CommandLine\":\"a -x\"}");
		assert_int_equal(process->n_args, 2);
		assert_string_equal(process->args[0], "/bin/a b");
		assert_string_equal(process->args[1], "-x");
	}
	{
		READ(process, "{\"ApplicationName\":\"/bin/a\",\"CommandLine\":\"  \"}");
		assert_int_equal(process->n_args, 1);
		assert_string_equal(process->args[0], "/bin/a");
	}
}

static void test_process_of_the_system(void **state)
{
	(void)state;
	{
		READ(process, "{\"CreateStdOutPipe\":true,\"ConsoleSize\":[0,0],\"Environment\":{}}");
		assert_int_equal(process->command, SCHEMA_COMMAND_INIT);
	}
	{
		READ(process, "{\"OciProcess\":{\"args\":[\"x\"],\"cwd\":\"/\",\"terminal\":true},"
			      "\"CreateStdErrPipe\":true}");
		assert_int_equal(process->command, SCHEMA_COMMAND_OCI);
		assert_true(process->emulate_console && !process->create_stderr);
		assert_string_equal(process->oci->args[0], "x");
	}
}

/* ---- command lines ------------------------------------------------------------ */

static const struct {
	const char *line;
	const char *words[6];
} lines[] = {
	{ "", { NULL } },
	{ " \t\n\r", { NULL } },
	{ "a", { "a", NULL } },
	{ "  a  b\tc\nd ", { "a", "b", "c", "d", NULL } },
	{ "'a b' \"c d\"", { "a b", "c d", NULL } },
	{ "a'b'\"c\"d", { "abcd", NULL } },
	{ "'' \"\"", { "", "", NULL } },
	{ "a\\ b \\'c \\\"d", { "a b", "'c", "\"d", NULL } },
	{ "'a\\b' 'c\"d'", { "a\\b", "c\"d", NULL } },
	{ "\"a\\\"b\" \"c\\\\d\" \"e\\f\" \"g\\$h\\`\"", { "a\"b", "c\\d", "e\\f", "g$h`", NULL } },
	{ "\"it's\"", { "it's", NULL } },
	{ "a \\\n b", { "a", "b", NULL } },
	{ "a\\\nb \"c\\\nd\" 'e\\\nf'", { "ab", "cd", "e\\\nf", NULL } },
	{ "echo $HOME * ~ `x` $(y) | & ; < > #z", { "echo", "$HOME", "*", "~", "`x`", "$(y)" } },
	{ "\\a\\\\", { "a\\", NULL } },
};

static void test_command_lines(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char **args, *problem;
		size_t n;

		assert_int_equal(schema_split(&a, lines[i].line, &args, &n, &problem), 0);
		for (size_t k = 0; k < 6; k++) {
			if (!lines[i].words[k]) {
				assert_int_equal(n, k);
				assert_null(args[k]);
				break;
			}
			assert_true(k < n);
			assert_string_equal(args[k], lines[i].words[k]);
		}
	}
}

static void test_command_lines_without_end(void **state)
{
	static const char *const bad[] = { "a 'b", "a \"b", "a\\", "\"a\\\"", "'a' 'b\\'c'" };
	OWN_ARENA struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char **args, *problem = NULL;
		size_t n;

		assert_int_equal(schema_split(&a, bad[i], &args, &n, &problem), -EINVAL);
		assert_non_null(problem);
	}
}

/* ---- requests ------------------------------------------------------------------ */

static void test_queries(void **state)
{
	(void)state;
	{
		READ(system_query, "{\"Ids\":[\"a\",\"b\"],\"Owners\":[\"o\"],\"Types\":[\"Container\"]}");
		assert_true(schema_query_matches(system_query, "b", NULL, "o"));
		assert_false(schema_query_matches(system_query, "c", NULL, "o"));
		assert_false(schema_query_matches(system_query, "a", NULL, "p"));
		assert_false(schema_query_matches(system_query, "a", NULL, NULL));
	}
	{
		READ(system_query, NULL);
		assert_true(schema_query_matches(system_query, "x", NULL, NULL));
	}
	{
		READ(system_query, "{\"Types\":[\"VirtualMachine\"]}");
		assert_false(schema_query_matches(system_query, "x", NULL, NULL));
	}
	{
		READ(system_query, "{\"Names\":[\"n\"]}");
		assert_true(schema_query_matches(system_query, "x", "n", NULL));
		assert_false(schema_query_matches(system_query, "n", NULL, NULL));
	}
}

static void test_property_queries(void **state)
{
	(void)state;
	{
		READ(property_query, "{\"PropertyTypes\":[\"Memory\",\"Statistics\"],"
				     "\"Queries\":{\"Memory\":null,\"a/b\":{},\"Statistics\":{\"x\":1}}}");
		assert_int_equal(property_query->properties,
				 1u << SCHEMA_PROPERTY_MEMORY | 1u << SCHEMA_PROPERTY_STATISTICS);
		assert_int_equal(property_query->n_queries, 3);
		assert_int_equal(property_query->queries[0].property, SCHEMA_PROPERTY_MEMORY);
		assert_int_equal(property_query->queries[1].property, 0);
		assert_string_equal(property_query->queries[1].pointer, "/Queries/a~1b");
		assert_int_equal(property_query->queries[2].property, 0);
	}
	{
		READ(property_query, "");
		assert_int_equal(property_query->properties, 0);
	}
	{
		READ(service_query, " \n");
		assert_int_equal(service_query->n_order, 1);
		assert_int_equal(service_query->order[0], SCHEMA_SERVICE_BASIC);
	}
	{
		READ(service_query, "{\"PropertyTypes\":[\"Memory\",\"Basic\",\"Memory\"]}");
		assert_int_equal(service_query->n_order, 2);
		assert_int_equal(service_query->order[0], SCHEMA_SERVICE_MEMORY);
	}
}

static void test_modify(void **state)
{
	(void)state;
	{
		READ(modify, "{\"ResourcePath\":\"Container/Memory/SizeInMB\",\"Settings\":5}");
		assert_int_equal(modify->resource, SCHEMA_RESOURCE_MEMORY);
		assert_int_equal(modify->request, SCHEMA_REQUEST_UPDATE);
		assert_int_equal(modify->memory_mb, 5);
	}
	{
		READ(modify, "{\"Settings\":{\"Count\":2},\"ResourcePath\":\"Container/Processor\"}");
		assert_int_equal(modify->processor.count, 2);
	}
	{
		READ(modify, "{\"ResourceType\":\"MappedDirectory\",\"RequestType\":\"Remove\","
			     "\"Settings\":{\"ContainerPath\":\"/a\",\"BandwidthMaximum\":0}}");
		assert_true(modify->v1 && modify->resource == SCHEMA_RESOURCE_DIRECTORY);
		assert_int_equal(modify->request, SCHEMA_REQUEST_REMOVE);
		assert_string_equal(modify->directory.container_path, "/a");
		assert_null(modify->directory.host_path);
	}
}

static void test_signals(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		int signal;
	} signals[] = {
		{ "9", 9 }, { "64", 64 }, { "\"9\"", 9 }, { "\"TERM\"", SIGTERM }, { "\"SIGTERM\"", SIGTERM },
		{ "\"sigkill\"", SIGKILL }, { "\"CtrlC\"", SIGINT }, { "\"CtrlBreak\"", SIGQUIT },
		{ "\"CtrlClose\"", SIGHUP }, { "\"CtrlLogOff\"", SIGHUP }, { "\"CtrlShutdown\"", SIGTERM },
		{ "\"RTMIN+3\"", 37 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		char text[64];

		snprintf(text, sizeof text, "{\"Signal\":%s}", signals[i].text);
		READ(signal, text);
		assert_int_equal(signal->signal, signals[i].signal);
	}
}

static void test_other_requests(void **state)
{
	(void)state;
	{
		READ(process_modify, "{\"Operation\":\"ConsoleSize\",\"ConsoleSize\":{\"Height\":1,\"Width\":2}}");
		assert_int_equal(process_modify->operation, SCHEMA_PROCESS_CONSOLE_SIZE);
		assert_int_equal(process_modify->height * 10 + process_modify->width, 12);
	}
	{
		READ(process_modify, "{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"All\"}}");
		assert_int_equal(process_modify->handle, SCHEMA_HANDLE_ALL);
	}
	{
		READ(shutdown, "{\"Force\":true,\"Reason\":\"r\",\"Signal\":\"HUP\"}");
		assert_true(shutdown->force);
		assert_int_equal(shutdown->signal, SIGHUP);
		assert_string_equal(shutdown->reason, "r");
	}
	{
		READ(pause, NULL);
		assert_non_null(pause);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_container_config),
		cmocka_unit_test(test_oci_forms),
		cmocka_unit_test(test_what_asks_for_nothing),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_process_user),
		cmocka_unit_test(test_process_application),
		cmocka_unit_test(test_process_of_the_system),
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_command_lines_without_end),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_property_queries),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_other_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
