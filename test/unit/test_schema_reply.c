/* Writing HCS's documents, reading them again, and showing them without secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_reply.h"
#include "schema_table.h"
#include "str.h"

static void written(const struct schema_type *t, const void *doc, const char *want)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT, again = SB_INIT;
	struct schema_source src = { .name = "written" };
	struct err e = { 0 };
	void *read = NULL;
	struct jw w;

	jw_init(&w, &b, NULL);
	schema_write(&w, t, doc);
	assert_string_equal(b.s, want);
	/* and the other direction */
	src.text = b.s;
	src.len = b.len;
	if (schema_parse(&a, &src, t, &read, &e) < 0)
		fail_msg("%s", e.msg);
	jw_init(&w, &again, NULL);
	schema_write(&w, t, read);
	assert_string_equal(again.s, want);
}

static void test_properties(void **state)
{
	struct schema_process_details list[] = { { .process_id = 7, .image_name = "sh", .created = 1500000000 } };
	struct schema_processor_stats processor = { 30, 20, 10 };
	struct schema_statistics statistics = {
		.timestamp = 1795405020123456789, .uptime_100ns = 5, .processor = &processor
	};
	struct schema_properties p = { .id = "a", .system_type = SCHEMA_SYSTEM_CONTAINER };

	(void)state;
	written(&schema_type_properties, &p, "{\"Id\":\"a\",\"SystemType\":\"Container\"}");
	p.state = SCHEMA_STATE_RUNNING;
	p.has_stopped = p.has_terminate = true;
	p.process_list = list;
	written(&schema_type_properties, &p,
		"{\"Id\":\"a\",\"SystemType\":\"Container\",\"State\":\"Running\",\"Stopped\":false,"
		"\"ProcessList\":[],\"TerminateOnLastHandleClosed\":false}");
	p.n_process_list = 1;
	p.statistics = &statistics;
	p.has_stopped = p.has_terminate = false;
	written(&schema_type_properties, &p,
		"{\"Id\":\"a\",\"SystemType\":\"Container\",\"State\":\"Running\","
		"\"Statistics\":{\"Timestamp\":\"2026-11-23T03:37:00.123456789Z\",\"Uptime100ns\":5,"
		"\"Processor\":{\"TotalRuntime100ns\":30,\"RuntimeUser100ns\":20,\"RuntimeKernel100ns\":10}},"
		"\"ProcessList\":[{\"ProcessId\":7,\"ImageName\":\"sh\","
		"\"CreateTimestamp\":\"1970-01-01T00:00:01.500000000Z\",\"UserTime100ns\":0,\"KernelTime100ns\":0,"
		"\"MemoryCommitBytes\":0,\"MemoryWorkingSetPrivateBytes\":0,\"MemoryWorkingSetSharedBytes\":0}]}");
}

static void test_answers_by_name(void **state)
{
	struct schema_memory_info memory = { .has_assigned = true, .assigned = 4 };
	struct schema_properties part = { .memory = &memory, .has_terminate = true, .terminate = true, .id = "a" };
	struct schema_result_error error = { .error = (int32_t)0x80070032, .error_message = "no" };
	struct schema_property_response responses[] = {
		{ .name = "Memory", .response = &part },
		{ .name = "TerminateOnLastHandleClosed", .response = &part },
		{ .name = "Basic", .response = &part },
		{ .name = "x", .error = &error },
	};
	struct schema_properties p = { .id = "a", .responses = responses, .n_responses = ARRAY_SIZE(responses) };

	(void)state;
	written(&schema_type_properties, &p,
		"{\"Id\":\"a\",\"PropertyResponses\":{"
		"\"Memory\":{\"Response\":{\"VirtualMachineMemory\":{\"AssignedMemory\":4}}},"
		"\"TerminateOnLastHandleClosed\":{\"Response\":true},"
		"\"Basic\":{\"Response\":{\"Id\":\"a\",\"Memory\":{\"VirtualMachineMemory\":{\"AssignedMemory\":4}},"
		"\"TerminateOnLastHandleClosed\":true}},"
		"\"x\":{\"Error\":{\"Error\":-2147024846,\"ErrorMessage\":\"no\"}}}}");
}

static void test_ends(void **state)
{
	struct schema_process_status s = { .process_id = 5 };
	struct schema_exit_attribution asked = { SCHEMA_DETAIL_TERMINATE, SCHEMA_INITIATOR_CLIENT };
	struct schema_process_exit ended = { .exit_code = 137, .signal = 9, .oom_killed = true };
	struct schema_attribution why[] = { { .system_exit = &asked }, { .process_exit = &ended } };
	struct schema_exit_status x = { .exit_type = SCHEMA_EXIT_FORCED, .attribution = why, .n_attribution = 2 };

	(void)state;
	written(&schema_type_process_status, &s,
		"{\"ProcessId\":5,\"Exited\":false,\"ExitCode\":0,\"LastWaitResult\":0}");
	s.exited = s.has_signal = s.has_core_dumped = s.has_oom_killed = s.oom_killed = true;
	s.exit_code = 137;
	s.signal = 9;
	s.last_wait_result = -1;
	written(&schema_type_process_status, &s,
		"{\"ProcessId\":5,\"Exited\":true,\"ExitCode\":137,\"LastWaitResult\":-1,\"Signal\":9,"
		"\"CoreDumped\":false,\"OomKilled\":true}");
	written(&schema_type_exit_status, &x,
		"{\"Status\":0,\"ExitType\":\"ForcedExit\",\"Attribution\":["
		"{\"SystemExit\":{\"Detail\":\"Terminate\",\"Initiator\":\"Client\"}},"
		"{\"ProcessExit\":{\"ExitCode\":137,\"Signal\":9,\"OomKilled\":true}}]}");
}

static void test_errors(void **state)
{
	struct schema_event_data data[] = { { SCHEMA_DATA_STRING, "/Container" }, { SCHEMA_DATA_INT32, "22" } };
	struct schema_error_event events[] = {
		{ .message = "m", .provider = "p", .source = "s", .data = data, .n_data = 2 },
	};
	struct schema_failure_attribution failed = { SCHEMA_FAILURE_CREATE };
	struct schema_attribution why[] = { { .operation_failure = &failed } };
	const struct schema_result_error e = {
		(int32_t)0x8037010d, "words \"and\" more", events, 1, why, 1
	};
	const struct schema_result_error none = { 0 };

	(void)state;
	written(&schema_type_result_error, &none, "{\"Error\":0}");
	written(&schema_type_result_error, &e,
		"{\"Error\":-2143878899,\"ErrorMessage\":\"words \\\"and\\\" more\",\"ErrorEvents\":["
		"{\"Message\":\"m\",\"Provider\":\"p\",\"Source\":\"s\",\"Data\":["
		"{\"Type\":\"String\",\"Value\":\"/Container\"},{\"Type\":\"Int32\",\"Value\":\"22\"}]}],"
		"\"Attribution\":[{\"OperationFailure\":{\"Detail\":\"Construct\"}}]}");
}

static void test_operations_and_service(void **state)
{
	struct schema_operation_info o = { .operation = SCHEMA_OPERATION_START, .start = 1 };
	struct schema_logical_processor processors[] = { { 0, 0, 0, 0 }, { 1, 0, 0, 1 } };
	struct schema_service_property_value values[] = {
		{ .versions = (struct schema_version *)schema_supported_versions, .n_versions = 2 },
		{ .has_processor_count = true, .processor_count = 2, .processors = processors, .n_processors = 2 },
		{ .has_total = true, .total = 9, .has_available = true },
	};
	struct schema_service_properties s = { values, ARRAY_SIZE(values), NULL, 0 };

	(void)state;
	written(&schema_type_operation_info, &o,
		"{\"Operation\":\"Start\",\"StartTimestamp\":\"1970-01-01T00:00:00.000000001Z\"}");
	o.end = 1000000000;
	o.has_result = true;
	written(&schema_type_operation_info, &o,
		"{\"Operation\":\"Start\",\"StartTimestamp\":\"1970-01-01T00:00:00.000000001Z\","
		"\"EndTimestamp\":\"1970-01-01T00:00:01.000000000Z\",\"FailureInfo\":{\"Result\":0}}");
	written(&schema_type_service_properties, &s,
		"{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":1,\"Minor\":0},{\"Major\":2,\"Minor\":0}]},"
		"{\"LogicalProcessorCount\":2,\"LogicalProcessors\":["
		"{\"LpIndex\":0,\"NodeNumber\":0,\"PackageId\":0,\"CoreId\":0},"
		"{\"LpIndex\":1,\"NodeNumber\":0,\"PackageId\":0,\"CoreId\":1}]},"
		"{\"TotalBytes\":9,\"AvailableBytes\":0}]}");
}

static void test_versions(void **state)
{
	const struct schema_version *last = &schema_supported_versions[schema_n_supported_versions - 1];

	(void)state;
	assert_int_equal(schema_n_supported_versions, 8);
	assert_int_equal(schema_supported_versions[0].major * 10 + schema_supported_versions[0].minor, 10);
	assert_int_equal(last->major * 10 + last->minor, 26);
}

static void test_times(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		int64_t ns; /* -1: wrong */
	} times[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.000000001Z", 1 },
		{ "1970-01-01T01:00:00.5+01:00", 500000000 },
		{ "1969-12-31T23:00:00-01:00", 0 },
		{ "2000-02-29T12:00:00Z", 951825600000000000 },
		{ "2100-03-01T00:00:00Z", 4107542400000000000 },
		{ "2261-12-31T23:59:59.9999999999Z", 9214646399999999999 },
		{ "2262-01-01T00:00:00Z", -1 }, { "2026-00-01T00:00:00Z", -1 }, { "2026-01-01T24:00:00Z", -1 },
		{ "2026-01-01T00:00:00", -1 }, { "2026-01-01T00:00:00.Z", -1 }, { "2026-01-01T00:00:00+25:00", -1 },
		{ "2026-01-01 00:00:00Z", -1 }, { "26-01-01T00:00:00Z", -1 },
		{ "2026-02-29T00:00:00Z", -1 }, { "2026-04-31T00:00:00Z", -1 }, { "1969-12-31T23:59:59Z", -1 },
		{ "1970-01-01T00:00:00+00:01", -1 },
		{ "", -1 }, { "2026-01-01T00:00:00Zx", -1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct schema_operation_info *o = NULL;
		struct schema_source src = { .name = "time" };
		struct err e = { 0 };
		char text[128];

		snprintf(text, sizeof text, "{\"StartTimestamp\":\"%s\"}", times[i].text);
		src.text = text;
		src.len = strlen(text);
		assert_int_equal(schema_parse_operation_info(&a, &src, &o, &e) == 0, times[i].ns >= 0);
		if (o)
			assert_int_equal(o->start, times[i].ns);
	}
}

/* ---- every type, both directions ---------------------------------------------------- */

/* What is empty can be written and read, unless something is required. */
static void test_empty_documents(void **state)
{
	static const struct schema_type *const empty[] = {
		&schema_type_system_query,
		&schema_type_property_query,
		&schema_type_pause,
		&schema_type_shutdown,
		&schema_type_properties,
		&schema_type_process_status,
		&schema_type_exit_status,
		&schema_type_result_error,
		&schema_type_operation_info,
		&schema_type_service_properties,
		&schema_type_process,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct schema_source src = { "{}", 2, "empty", NULL };
		void *doc = NULL;

		assert_int_equal(schema_parse(&a, &src, empty[i], &doc, NULL), 0);
	}
}

/* A decoder that keeps something has a writer. (What a setting of the service is
 * does not matter: it fails.) */
static void check_written(const char *name, const struct json_field *f, int depth)
{
	for (; f->key; f++) {
		const struct json_field *below = schema_below(f);

		if (!schema_is_written(f) && !schema_is_unsupported(f) && strcmp(f->key, "PropertyType") != 0)
			fail_msg("%s: %s", name, f->key);
		if (below && depth < 8)
			check_written(name, below, depth + 1);
	}
}

static void test_every_decoder_is_written(void **state)
{
	(void)state;
	for (size_t i = 0; schema_types[i]; i++)
		if (!schema_types[i]->write)
			check_written(schema_types[i]->name, schema_types[i]->s.fields, 0);
	check_written("ContainerConfig", schema_system_v1_fields, 0);
}

/* ---- redaction ------------------------------------------------------------------------ */

static void test_redaction(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *shown;
	} texts[] = {
		{ "{\"CommandLine\":\"a\",\"Environment\":{\"A\":\"secret\",\"B\":\"\"}}",
		  "{\"CommandLine\":\"a\",\"Environment\":{\"A\":\"***\",\"B\":\"***\"}}" },
		{ "{\"OciProcess\":{\"env\":[\"A=secret=x\",\"secret\"],\"args\":[\"B=c\"]}}",
		  "{\"OciProcess\":{\"env\":[\"A=***\",\"***\"],\"args\":[\"B=c\"]}}" },
		{ "{\"a\":[{\"hooks\":{\"x\":{\"env\":[\"A=s\"]}}}],\"Credentials\":\"s\"}",
		  "{\"a\":[{\"hooks\":{\"x\":{\"env\":[\"A=***\"]}}}],\"Credentials\":\"***\"}" },
		/* what is written wrongly is a secret nevertheless */
		{ "{\"environment\":\"A=s\",\"ENV\":{\"A\":[\"s\",{\"B\":1}]},\"Environment\":[\"A=s\",5,null,true]}",
		  "{\"environment\":\"***\",\"ENV\":{\"A\":[\"***\",{\"B\":\"***\"}]},"
		  "\"Environment\":[\"A=***\",\"***\",null,\"***\"]}" },
		{ "{\"Env\":5}", "{\"Env\":\"***\"}" },
		{ " [1, 2.50, \"x\"] ", "[1,2.50,\"x\"]" },
		{ "{\"Environment\":{\"A\":\"s\"}", "(24 bytes that are no JSON)" },
		{ "", "(0 bytes that are no JSON)" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		OWN_SB struct sb b = SB_INIT;

		schema_redact(&b, texts[i].text, strlen(texts[i].text));
		assert_string_equal(b.s, texts[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_answers_by_name),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_operations_and_service),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_empty_documents),
		cmocka_unit_test(test_every_decoder_is_written),
		cmocka_unit_test(test_redaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
