/* Every way in which one of HCS's documents can be wrong: pointer, line and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "schema_table.h"
#include "str.h"

#define V "\"SchemaVersion\":{\"Major\":2,\"Minor\":1}"
#define STORAGE "\"Storage\":{\"Path\":\"/r\"}"
#define CONTAINER(members) "{" V ",\n\"Container\":{" members "}}"
#define ROOTED(members) CONTAINER(STORAGE "," members)
#define CONFIG(members) "{\"SystemType\":\"Container\",\"Name\":\"n\",\n" members "}"
#define OCI(members) "{" V ",\n\"HostedSystem\":{" V "," members "}}"
#define SPEC "\"OciSpecification\":{\"ociVersion\":\"1.0.0\","

/* clang-format off */
static const struct bad {
	const struct schema_type *type;
	const char *text;
	enum err_kind kind;
	const char *words; /* after "doc: line 2: " */
} bads[] = {
#define SYSTEM(text, kind, words) { &schema_type_system, text, ERR_##kind, words }
	SYSTEM("{" V ",\n\"Container\":{}}", INVALID, "/Container/Storage: is missing"),
	SYSTEM("{" V ",\n\"Container\":[]}", INVALID, "/Container: must be an object, not a list"),
	SYSTEM("{" V ",\n\"VirtualMachine\":{}}",
	       UNSUPPORTED, "/VirtualMachine: is not supported: there are no virtual machines here"),
	SYSTEM("{" V ",\n\"HostedSystem\":{" V "}}",
	       INVALID, "/HostedSystem: needs OciSpecification, OciBundlePath or Container"),
	SYSTEM("{" V ",\"Container\":{" STORAGE "},\n\"VirtualMachine\":{}}",
	       INVALID, "/VirtualMachine: needs exactly one of Container, VirtualMachine and HostedSystem"),
	SYSTEM("{\n\"SchemaVersion\":{\"Major\":1,\"Minor\":0},\"Container\":{" STORAGE "}}",
	       UNSUPPORTED, "/SchemaVersion: schema 1.0 is not supported: 2.0 to 2.6 are, and 1.0 in documents with "
	       "SystemType and Name"),
	SYSTEM("{\n\"SchemaVersion\":{\"Major\":2,\"Minor\":7},\"Container\":{" STORAGE "}}",
	       UNSUPPORTED, "/SchemaVersion: schema 2.7 is not supported: 2.0 to 2.6 are"),
	SYSTEM("{\n\"SchemaVersion\":{\"Major\":2},\"Container\":{" STORAGE "}}",
	       INVALID, "/SchemaVersion/Minor: is missing"),
	SYSTEM("\n{\"Container\":{" STORAGE "}}", INVALID, "/SchemaVersion: is missing"),
	SYSTEM("{" V ",\n\"HostingSystemId\":\"x\",\"Container\":{" STORAGE "}}",
	       UNSUPPORTED, "/HostingSystemId: is not supported: there are no virtual machines here"),
	SYSTEM("{" V ",\n\"SystemType\":\"Container\",\"Container\":{" STORAGE "}}",
	       UNSUPPORTED, "/SystemType: is not supported: no such member is known"),
	SYSTEM(ROOTED("\"Extra\":1"),
	       UNSUPPORTED, "/Container/Extra: is not supported: no such member is known"),
	SYSTEM(ROOTED("\"Processor\":{\"Extra\":1}"),
	       UNSUPPORTED, "/Container/Processor/Extra: is not supported: no such member is known"),
	SYSTEM(ROOTED("\"Process\":{}"), INVALID,
	       "/Container/Process: needs a command: CommandLine, CommandArgs or ApplicationName"),
	SYSTEM(ROOTED("\"Process\":{\"CommandLine\":\"a 'b\"}"), INVALID,
	       "/Container/Process/CommandLine: has a ' that is not closed"),
	SYSTEM(CONTAINER("\"Storage\":{}"), INVALID, "/Container/Storage/Path: is missing"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"\"}"),
	       INVALID, "/Container/Storage/Path: must not be empty"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"C:\\\\x\"}"),
	       INVALID, "/Container/Storage/Path: 'C:\\x' must be an absolute path"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"/s\",\"Layers\":[{\"Id\":\"x\"}]}"),
	       INVALID, "/Container/Storage/Layers/0/Path: is missing"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"/s\",\"Layers\":[{\"Path\":\"/l\","
		"\"PathType\":\"VirtualSmbShareName\"}]}"),
	       UNSUPPORTED, "/Container/Storage/Layers/0/PathType: 'VirtualSmbShareName' is not supported: only "
	       "'AbsolutePath' is"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"/s\",\"Layers\":[{\"Path\":\"/l\",\"Cache\":\"Private\"}]}"),
	       UNSUPPORTED, "/Container/Storage/Layers/0/Cache: 'Private' is not supported: only 'Enabled' is"),
	SYSTEM(CONTAINER("\"Storage\":{\"Path\":\"/s\",\"QoS\":{\"IopsMaximum\":1.5}}"),
	       INVALID, "/Container/Storage/QoS/IopsMaximum: must be a whole number, not a number with a fraction"),
	SYSTEM(ROOTED("\"MappedDirectories\":[{\"HostPath\":\"a\",\"ContainerPath\":\"/a\"}]"),
	       INVALID, "/Container/MappedDirectories/0/HostPath: 'a' must be an absolute path"),
	SYSTEM(ROOTED("\"MappedDirectories\":[{\"HostPath\":\"/a\",\"ContainerPath\":\"/x/..\"}]"),
	       INVALID, "/Container/MappedDirectories/0/ContainerPath: '/x/..' is the root of the container"),
	SYSTEM(ROOTED("\"MappedDirectories\":[{\"HostPath\":\"/a\"}]"),
	       INVALID, "/Container/MappedDirectories/0/ContainerPath: is missing"),
	SYSTEM(ROOTED("\"MappedDirectories\":[{\"ContainerPath\":\"/a\"}]"),
	       INVALID, "/Container/MappedDirectories/0/HostPath: is missing"),
	SYSTEM(ROOTED("\"MappedDirectories\":[{\"HostPath\":\"/a\",\"ContainerPath\":\"/b\","
		"\"SupportCloudFiles\":true}]"),
	       UNSUPPORTED, "/Container/MappedDirectories/0/SupportCloudFiles: is not supported"),
	SYSTEM(ROOTED("\"MappedPipes\":[{\"HostPath\":\"/a\",\"ContainerPipeName\":\"..\"}]"),
	       INVALID, "/Container/MappedPipes/0/ContainerPipeName: '..' must be an absolute path, or a name"),
	SYSTEM(ROOTED("\"MappedPipes\":[{\"HostPath\":\"/a\","
		"\"ContainerPipeName\":\"\\\\\\\\.\\\\pipe\\\\x\"}]"),
	       INVALID, "/Container/MappedPipes/0/ContainerPipeName: '\\\\.\\pipe\\x' must be an absolute "
	       "path, or a name"),
	SYSTEM(ROOTED("\"MappedPipes\":[{\"HostPath\":\"/a\",\"ContainerPipeName\":\"\"}]"),
	       INVALID, "/Container/MappedPipes/0/ContainerPipeName: must not be empty"),
	SYSTEM(ROOTED("\"Memory\":{\"SizeInMB\":-1}"),
	       INVALID, "/Container/Memory/SizeInMB: must not be negative"),
	SYSTEM(ROOTED("\"Memory\":{\"SizeInMB\":8796093022208}"),
	       INVALID, "/Container/Memory/SizeInMB: must be at most 8796093022207"),
	SYSTEM(ROOTED("\"Processor\":{\"Weight\":10001}"),
	       INVALID, "/Container/Processor/Weight: must be at most 10000"),
	SYSTEM(ROOTED("\"Processor\":{\"Count\":8193}"),
	       INVALID, "/Container/Processor/Count: must be at most 8192"),
	SYSTEM(ROOTED("\"Processor\":{\"Maximum\":1,\"Count\":1}"),
	       INVALID, "/Container/Processor/Maximum: is exclusive with Count"),
	SYSTEM(ROOTED("\"Networking\":{\"Namespace\":\"a/b\"}"),
	       INVALID, "/Container/Networking/Namespace: 'a/b' must be a name, or an absolute path"),
	SYSTEM(ROOTED("\"Networking\":{\"Namespace\":\"a\",\"NetworkSharedContainerName\":\"b\"}"),
	       INVALID, "/Container/Networking/NetworkSharedContainerName: is exclusive with Namespace"),
	SYSTEM(ROOTED("\"GuestOs\":{\"HostName\":\"01234567890123456789012345678901"
		"234567890123456789012345678901234\"}"),
	       INVALID, "/Container/GuestOs/HostName: longer than 64 bytes"),
	SYSTEM(ROOTED("\"GuestOs\":{\"HostName\":\"a\",\"HostName\":\"b\"}"), INVALID, NULL),
	SYSTEM(ROOTED("\"ScratchDirPath\":\"/s\""), INVALID, "/Container/OciSpecification: is missing"),
	SYSTEM(ROOTED(SPEC "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}},\"ScratchDirPath\":\"/s\""),
	       INVALID, "/Container/ScratchDirPath: is exclusive with Storage"),
	SYSTEM(ROOTED(SPEC "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}},\"Memory\":{\"SizeInMB\":1}"),
	       UNSUPPORTED, "/Container/Memory: is not supported beside OciSpecification, which can say it"),
	SYSTEM(OCI(SPEC "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}"),
	       INVALID, "/HostedSystem/OciSpecification/root: is missing"),
	SYSTEM(OCI(SPEC "\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}"),
	       INVALID, "/HostedSystem/OciSpecification/root/path: 'r' is relative, and there is no OciBundlePath"),
	SYSTEM(OCI(SPEC "\"root\":{\"path\":\"/r\"}}"),
	       INVALID, "/HostedSystem/OciSpecification/process: is missing"),
	SYSTEM(OCI(SPEC "\"root\":{\"path\":\"/r\"},\"process\":{\"cwd\":\"x\",\"args\":[\"a\"]}}"),
	       INVALID, "/HostedSystem/OciSpecification/process/cwd: 'x' must be an absolute path"),
	SYSTEM(OCI(SPEC "\"root\":{\"path\":\"/r\"},\"hooks\":{\"poststop\":[{\"path\":\"/x\"}]},"
		"\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}"),
	       UNSUPPORTED, "/HostedSystem/OciSpecification/hooks: is not supported: hooks run programs on the host"),
	SYSTEM(OCI(SPEC "\"root\":{\"path\":\"/r\"},\"windows\":{},\"process\":{\"cwd\":\"/\","
		"\"args\":[\"a\"]}}"),
	       UNSUPPORTED, "/HostedSystem/OciSpecification/windows: is not supported"),
	SYSTEM(OCI("\"OciBundlePath\":\"/b\",\"Container\":{" STORAGE "}"),
	       INVALID, "/HostedSystem/OciBundlePath: is exclusive with Container"),
	SYSTEM(OCI("\"OciBundlePath\":\"b\""),
	       INVALID, "/HostedSystem/OciBundlePath: 'b' must be an absolute path"),
	SYSTEM(CONFIG("\"Owner\":1"), INVALID, "/Owner: must be a string, not a whole number"),
	SYSTEM("{\"Name\":\"n\",\n\"SystemType\":\"VirtualMachine\",\"VolumePath\":\"/v\"}",
	       UNSUPPORTED, "/SystemType: 'VirtualMachine' is not supported: only 'Container' is"),
	SYSTEM("\n{\"Name\":\"n\",\"VolumePath\":\"/v\"}", INVALID, "/SystemType: is missing"),
	SYSTEM(CONFIG("\"Layers\":[{\"Path\":\"/l\"}],\"VolumePath\":\"/v\",\"LayerFolderPath\":\"/s\""),
	       UNSUPPORTED, "/VolumePath: is not supported beside Layers: it would be another root file system"),
	SYSTEM("\n{\"SystemType\":\"Container\",\"Name\":\"n\",\"Layers\":[{\"Path\":\"/l\"}]}",
	       INVALID, "/LayerFolderPath: is missing: the layers need a directory for changes"),
	SYSTEM(CONFIG("\"VolumePath\":\"/v\",\"LayerFolderPath\":\"/s\""),
	       INVALID, "/LayerFolderPath: is for Layers, and there are none"),
	SYSTEM("\n{\"SystemType\":\"Container\",\"Name\":\"n\",\"Layers\":null}",
	       INVALID, "/Layers: is missing, and so is VolumePath"),
	SYSTEM(CONFIG("\"VolumePath\":\"/v\",\"MappedDirectories\":[{\"HostPath\":\"/a\","
		"\"ContainerPath\":\"/b\",\"IOPSMaximum\":1}]"),
	       UNSUPPORTED, "/MappedDirectories/0/IOPSMaximum: is not supported: there are no limits for "
	       "one directory"),
	SYSTEM(CONFIG("\"VolumePath\":\"/v\",\"ProcessorWeight\":1,\"ProcessorMaximum\":1"),
	       INVALID, "/ProcessorMaximum: is exclusive with ProcessorWeight"),
	SYSTEM(CONFIG("\"VolumePath\":\"/v\",\"EndpointList\":[\"x\"]"),
	       UNSUPPORTED, "/EndpointList: is not supported: adapters are put into a network namespace by "
	       "who makes it"),
	SYSTEM(CONFIG("\"VolumePath\":\"/v\",\"Container\":{}"),
	       UNSUPPORTED, "/Container: is not supported: no such member is known"),
	SYSTEM("\n[]", INVALID, "must be an object, not a list"),
#define PROCESS(text, kind, words) { &schema_type_process, text, ERR_##kind, words }
	PROCESS("{\n\"CommandLine\":\"a 'b\"}", INVALID, "/CommandLine: has a ' that is not closed"),
	PROCESS("{\n\"CommandLine\":\"a\\\\\"}", INVALID, "/CommandLine: ends with a backslash"),
	PROCESS("{\n\"CommandLine\":\" \"}", INVALID, "/CommandLine: has no word in it"),
	PROCESS("{\n\"CommandLine\":\"'' a\"}",
	       INVALID, "/CommandLine: the first word, the program, must not be empty"),
	PROCESS("{\n\"CommandArgs\":[\"\"]}",
	       INVALID, "/CommandArgs: the first word, the program, must not be empty"),
	PROCESS("{\n\"CommandArgs\":[1]}", INVALID, "/CommandArgs/0: must be a string, not a whole number"),
	PROCESS("{\"CommandLine\":\"a\",\n\"CommandArgs\":[\"a\"]}",
	       INVALID, "/CommandArgs: is exclusive with CommandLine"),
	PROCESS("{\"CommandLine\":\"a\",\n\"User\":\"a:b\"}",
	       INVALID, "/User: 'a:b' must be UID, UID:GID or a name"),
	PROCESS("{\"CommandLine\":\"a\",\n\"User\":\"1:\"}",
	       INVALID, "/User: '' is not a number up to 4294967294"),
	PROCESS("{\"CommandLine\":\"a\",\n\"User\":\"4294967295\"}",
	       INVALID, "/User: '4294967295' is not a number up to 4294967294"),
	PROCESS("{\"CommandLine\":\"a\",\n\"User\":\"1:99999999999\"}",
	       INVALID, "/User: '99999999999' is not a number up to 4294967294"),
	PROCESS("{\"CommandLine\":\"a\",\n\"WorkingDirectory\":\"b\"}",
	       INVALID, "/WorkingDirectory: 'b' must be an absolute path"),
	PROCESS("{\"CommandLine\":\"a\",\n\"Environment\":{\"A=B\":\"c\"}}",
	       INVALID, "/Environment/A=B: a name must not have a '='"),
	PROCESS("{\"CommandLine\":\"a\",\n\"Environment\":{\"\":\"c\"}}",
	       INVALID, "/Environment/: a key must not be empty"),
	PROCESS("{\"CommandLine\":\"a\",\n\"Environment\":[\"A=b\"]}",
	       INVALID, "/Environment: must be an object, not a list"),
	PROCESS("{\"CommandLine\":\"a\",\n\"ConsoleSize\":[1,2]}",
	       INVALID, "/ConsoleSize: needs EmulateConsole"),
	PROCESS("{\"CommandLine\":\"a\",\n\"ConsoleSize\":[1]}",
	       INVALID, "/ConsoleSize: must be two numbers: height, width"),
	PROCESS("{\"CommandLine\":\"a\",\n\"ConsoleSize\":[1,65536]}",
	       INVALID, "/ConsoleSize/1: must be between 0 and 65535"),
	PROCESS("{\"CommandLine\":\"a\",\n\"CreateInUtilityVm\":true}",
	       UNSUPPORTED, "/CreateInUtilityVm: is not supported: there are no virtual machines here"),
	PROCESS("{\n\"User\":\"1\"}",
	       INVALID, "/User: needs a command: CommandLine, CommandArgs or ApplicationName"),
	PROCESS("{\"OciProcess\":{\"cwd\":\"/\",\"args\":[\"a\"]},\n\"CommandLine\":\"a\"}",
	       UNSUPPORTED, "/CommandLine: is not supported beside OciProcess, which says it itself"),
	PROCESS("{\"OciProcess\":{\"cwd\":\"/\",\"args\":[\"a\"]},\n\"EmulateConsole\":true}",
	       INVALID, "/EmulateConsole: OciProcess wants no terminal"),
	PROCESS("{\n\"OciProcess\":{\"cwd\":\"/\"}}", INVALID, "/OciProcess/args: args must not be empty"),
#define OTHER(T, text, kind, words) { &schema_type_##T, text, ERR_##kind, words }
	OTHER(system_query, "{\n\"Types\":[\"x\"]}",
	       INVALID, "/Types/0: unknown type 'x': must be one of Container, VirtualMachine"),
	OTHER(property_query, "{\n\"PropertyTypes\":[\"GuestConnection\"]}",
	       UNSUPPORTED, "/PropertyTypes/0: 'GuestConnection' is not supported"),
	OTHER(service_query, "{\n\"PropertyTypes\":[\"x\"]}",
	       INVALID, "/PropertyTypes/0: unknown property 'x': must be one of Basic, Memory, ProcessorTopology"),
	OTHER(service_modify, "{\n\"PropertyType\":\"CpuGroup\"}",
	       UNSUPPORTED, "/PropertyType: 'CpuGroup' is not supported: the service has no settings"),
	OTHER(service_modify, "\n{\"Settings\":{}}", INVALID, "/PropertyType: is missing"),
	OTHER(modify, "\n{\"Settings\":1}", INVALID, "/ResourcePath: is missing"),
	OTHER(modify, "{\"ResourcePath\":\"Container/Processor\",\n\"ResourceType\":\"Memory\","
		"\"Settings\":1}",
	       INVALID, "/ResourceType: is exclusive with ResourcePath"),
	OTHER(modify, "{\n\"ResourcePath\":\"container/processor\",\"Settings\":1}",
	       UNSUPPORTED, "/ResourcePath: 'container/processor' is not supported: Container/Memory/SizeInMB, "
	       "Container/Processor, Container/MappedDirectories, Container/MappedPipes are"),
	OTHER(modify, "\n{\"ResourcePath\":\"Container/Memory/SizeInMB\"}", INVALID, "/Settings: is missing"),
	OTHER(modify, "{\"ResourcePath\":\"Container/Memory/SizeInMB\",\n\"Settings\":0}",
	       INVALID, "/Settings: must not be 0"),
	OTHER(modify, "{\"ResourcePath\":\"Container/Memory/SizeInMB\",\n\"RequestType\":\"Add\","
		"\"Settings\":1}",
	       UNSUPPORTED, "/RequestType: 'Add' is not supported for Container/Memory/SizeInMB"),
	OTHER(modify, "{\"ResourcePath\":\"Container/Processor\",\n\"Settings\":{}}",
	       INVALID, "/Settings: needs Count, Weight or Maximum"),
	OTHER(modify, "{\"ResourcePath\":\"Container/Processor\",\n\"Settings\":{\"Count\":1,\"Weight\":1}}",
	       INVALID, "/Settings/Weight: is exclusive with Count"),
	OTHER(modify, "\n{\"ResourcePath\":\"Container/MappedPipes\",\"Settings\":{}}",
	       INVALID, "/RequestType: is missing"),
	OTHER(modify, "{\"ResourcePath\":\"Container/MappedPipes\",\n\"RequestType\":\"PreAdd\","
		"\"Settings\":{}}",
	       UNSUPPORTED, "/RequestType: 'PreAdd' is not supported"),
	OTHER(modify, "{\"ResourcePath\":\"Container/MappedDirectories\",\"RequestType\":\"Add\","
		"\n\"Settings\":{\"ContainerPath\":\"/a\"}}",
	       INVALID, "/Settings/HostPath: is missing"),
	OTHER(modify, "{\"ResourcePath\":\"Container/MappedDirectories\",\"RequestType\":\"Remove\","
		"\n\"Settings\":{\"HostPath\":\"/a\"}}",
	       INVALID, "/Settings/ContainerPath: is missing"),
	OTHER(process_modify, "\n{\"Operation\":\"ConsoleSize\"}", INVALID, "/ConsoleSize: is missing"),
	OTHER(process_modify, "{\"Operation\":\"ConsoleSize\",\n\"CloseHandle\":{\"Handle\":\"All\"},"
		"\"ConsoleSize\":{\"Height\":1,\"Width\":1}}",
	       INVALID, "/CloseHandle: is not for the operation ConsoleSize"),
	OTHER(process_modify, "{\n\"Operation\":\"Resize\"}",
	       INVALID, "/Operation: unknown operation 'Resize': must be one of ConsoleSize, CloseHandle"),
	OTHER(signal, "\n{}", INVALID, "/Signal: is missing"),
	OTHER(signal, "{\n\"Signal\":0}", INVALID, "/Signal: must be between 1 and 64"),
	OTHER(signal, "{\n\"Signal\":-9}", INVALID, "/Signal: must be between 1 and 64"),
	OTHER(signal, "{\n\"Signal\":\"0\"}", INVALID, "/Signal: unknown signal '0'"),
	OTHER(signal, "{\n\"Signal\":true}",
	       INVALID, "/Signal: must be a number or a string, not true or false"),
	OTHER(pause, "{\n\"SuspensionLevel\":\"MemoryLow\"}",
	       UNSUPPORTED, "/SuspensionLevel: 'MemoryLow' is not supported: only 'Suspend' is"),
	OTHER(shutdown, "{\n\"Type\":\"Reboot\"}",
	       UNSUPPORTED, "/Type: 'Reboot' is not supported: only 'Shutdown' is"),
	OTHER(operation_info, "{\n\"StartTimestamp\":\"2026-13-01T00:00:00Z\"}",
	       INVALID, "/StartTimestamp: '2026-13-01T00:00:00Z' is not a time such as 2026-11-22T03:37:00Z"),
};
/* clang-format on */

static struct schema_source source(const char *text)
{
	return (struct schema_source){ .text = text, .len = strlen(text), .name = "doc" };
}

static void test_every_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct schema_source src = source(bads[i].text);
		struct err e = { 0 };
		void *doc = NULL;
		char want[1024];

		if (schema_parse(&a, &src, bads[i].type, &doc, &e) >= 0)
			fail_msg("read: %s", bads[i].text);
		assert_null(doc);
		if (bads[i].kind != e.kind)
			fail_msg("kind %s: %s", err_kind_name(e.kind), e.msg);
		if (!bads[i].words)
			continue;
		snprintf(want, sizeof want, "doc: line 2: %s", bads[i].words);
		assert_string_equal(e.msg, want);
	}
}

static void test_too_many(void **state)
{
	/* clang-format off */
	static const struct {
		const char *before, *entry, *after, *words;
		size_t max;
	} lists[] = {
		{ CONTAINER("\"Storage\":{\"Path\":\"/s\",\"Layers\":["), "{\"Path\":\"/l\"}", "]}}}",
		  "/Container/Storage/Layers: more than 500 entries", 500 },
		{ ROOTED("\"MappedDirectories\":["), "{\"HostPath\":\"/h\",\"ContainerPath\":\"/c\"}", "]}}",
		  "/Container/MappedDirectories: more than 4096 entries", 4096 },
		{ CONFIG("\"VolumePath\":\"/v\",\"MappedPipes\":["),
		  "{\"HostPath\":\"/h\",\"ContainerPipeName\":\"c\"}", "]}",
		  "/MappedPipes: more than 4096 entries", 4096 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t more = 0; more < 2; more++) {
			OWN_ARENA struct arena a = ARENA_INIT;
			OWN_SB struct sb text = SB_INIT;
			struct schema_system *s = NULL;
			struct schema_source src = { .name = "doc" };
			struct err e = { 0 };

			/* without the brackets that the macros close */
			sb_add(&text, lists[i].before, (size_t)(strrchr(lists[i].before, '[') - lists[i].before) + 1);
			for (size_t n = 0; n < lists[i].max + more; n++)
				sb_printf(&text, "%s%s", n ? "," : "", lists[i].entry);
			sb_puts(&text, lists[i].after);
			src.text = text.s;
			src.len = text.len;
			assert_int_equal(schema_parse_system(&a, &src, &s, &e) == 0, !more);
			assert_true(!more || strstr(e.msg, lists[i].words));
		}
	}
}

struct collected {
	size_t n;
	char pointers[16][128];
};

static void collect(void *ctx, const char *pointer, int line, const char *words)
{
	struct collected *c = ctx;

	(void)line;
	assert_true(*words);
	if (c->n < ARRAY_SIZE(c->pointers))
		snprintf(c->pointers[c->n], sizeof c->pointers[0], "%s", pointer);
	c->n++;
}

static void test_all_problems_at_once(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct collected c = { 0 };
	const struct spec_problems problems = { collect, &c };
	struct schema_source src = source("{" V ",\"Woner\":1,\"Container\":{\"HvSocket\":{\"x\":1},"
					  "\"Processor\":{\"Count\":1,\"Weight\":1}," STORAGE "}}");
	struct schema_system *s = NULL;
	struct err e = { 0 };

	(void)state;
	src.problems = &problems;
	assert_int_equal(schema_parse_system(&a, &src, &s, &e), -ENOTSUP);
	assert_null(s);
	assert_int_equal(c.n, 3);
	assert_string_equal(c.pointers[0], "/Woner");
	assert_string_equal(c.pointers[1], "/Container/HvSocket");
	assert_string_equal(c.pointers[2], "/Container/Processor/Weight");
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "/Woner"));
}

/* Without memory, and without a place for the error. */
static void test_out_of_memory(void **state)
{
	static const char text[] = "{" V ",\"Container\":{\"Storage\":{\"Path\":\"/s\",\"Layers\":["
				   "{\"Path\":\"/l\"}]},\"MappedDirectories\":[{\"HostPath\":\"/a\","
				   "\"ContainerPath\":\"/b\"}]}}";
	struct schema_source src = source(text);
	size_t max = 1;
	int r = -ENOMEM;

	(void)state;
	for (; r < 0 && max < 1 << 16; max += 32) {
		OWN_ARENA struct arena a = { NULL, 0, max };
		struct schema_system *s = NULL;

		r = schema_parse_system(&a, &src, &s, NULL);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true((r == 0) == (s != NULL));
	}
	assert_int_equal(r, 0);
	assert_true(max > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_error),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_all_problems_at_once),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
