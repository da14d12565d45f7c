/* Codes: which error becomes which, their names and words, which kind they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine_fake.h"

#include <cmocka.h>

#include "results.h"
#include "timeouts.h"

static HRESULT of(enum err_kind kind, int sys)
{
	struct err e;

	err_set(&e, kind, -sys, "words");
	return result_of(&e);
}

static void test_kinds(void **state)
{
	assert_int_equal(of(ERR_INVALID, 0), E_INVALIDARG);
	assert_int_equal(of(ERR_NOT_FOUND, 0), HCS_E_ERROR_NOT_FOUND);
	assert_int_equal(of(ERR_EXISTS, EEXIST), HCS_E_SYSTEM_ALREADY_EXISTS);
	assert_int_equal(of(ERR_STATE, 0), HCS_E_INVALID_STATE);
	assert_int_equal(of(ERR_PERMISSION, EPERM), E_ACCESSDENIED);
	assert_int_equal(of(ERR_UNSUPPORTED, 0), HCS_E_ERROR_NOT_SUPPORTED);
	assert_int_equal(of(ERR_TIMEOUT, 0), HCS_E_OPERATION_TIMEOUT);
	assert_int_equal(of(ERR_LOST, EPIPE), HCS_E_SERVICE_DISCONNECT);
	assert_int_equal(of(ERR_BUSY, 0), HCS_E_ERROR_BUSY);
	assert_int_equal(of(ERR_INTERNAL, ENOMEM), E_OUTOFMEMORY);
	assert_int_equal(of(ERR_INTERNAL, ECANCELED), HCS_E_ERROR_CANCELLED);
	assert_int_equal(of(ERR_INTERNAL, ENOSPC), BERTH_E_FROM_ERRNO(ENOSPC));
	assert_int_equal(BERTH_ERRNO(of(ERR_INTERNAL, ENOSPC)), ENOSPC);
	assert_int_equal(of(ERR_EXEC, ENOENT), HCS_E_ERROR_FILE_NOT_FOUND);
	assert_false(HcsIsNotExist(HCS_E_ERROR_FILE_NOT_FOUND)); /* the system is there */
	assert_int_equal(of(ERR_EXEC, EACCES), E_ACCESSDENIED);
	assert_int_equal(of(ERR_EXEC, EPERM), E_ACCESSDENIED);
	assert_int_equal(of(ERR_EXEC, ELOOP), BERTH_E_FROM_ERRNO(ELOOP));
	assert_int_equal(of(ERR_EXEC, 0), E_FAIL);
	assert_int_equal(of(ERR_INTERNAL, 0), E_FAIL);
	for (int kind = 0; kind < ERR_KIND_COUNT; kind++)
		assert_true(FAILED(of((enum err_kind)kind, 0)));
}

/* The fixed codes of the documentation. */
static void test_values(void **state)
{
	static const struct {
		HRESULT hr;
		uint32_t value;
		const char *name;
	} rows[] = {
		{ S_OK, 0, "S_OK" },
		{ E_HANDLE, 0x80070006, "E_HANDLE" },
		{ HCS_E_SERVICE_DISCONNECT, 0x8037011E, "HCS_E_SERVICE_DISCONNECT" },
		{ HCS_E_OPERATION_TIMEOUT, 0x80370118, "HCS_E_OPERATION_TIMEOUT" },
		{ HCS_E_ERROR_CANCELLED, 0x800704C7, "HCS_E_ERROR_CANCELLED" },
		{ E_UNEXPECTED, 0x8000FFFF, "E_UNEXPECTED" },
		{ HCS_E_ERROR_NOT_SUPPORTED, 0x80070032, "HCS_E_ERROR_NOT_SUPPORTED" },
		{ HCS_E_TERMINATED_DURING_START, 0x80370100, "HCS_E_TERMINATED_DURING_START" },
		{ HCS_E_PROCESS_ALREADY_STOPPED, 0x8037011F, "HCS_E_PROCESS_ALREADY_STOPPED" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal((uint32_t)rows[i].hr, rows[i].value);
		assert_string_equal(HcsResultToName(rows[i].hr), rows[i].name);
	}
#define X(name, value, words)                                          \
	assert_string_equal(HcsResultToName(name), #name);             \
	assert_string_equal(HcsResultToString(name), words);           \
	assert_true(FAILED(name));
	HCS_RESULTS(X)
#undef X
	assert_null(HcsResultToName(0x1234));
	assert_string_equal(HcsResultToString(0x1234), "result 0x00001234");
	assert_string_equal(HcsResultToString(BERTH_E_FROM_ERRNO(ENOSPC)), "no space left on device");
}

/* Only what the code says outright: each is of one kind, or of none. */
static void test_classes(void **state)
{
	static bool (*const classes[])(HRESULT) = { HcsIsNotExist, HcsIsAlreadyStopped, HcsIsPending,
						    HcsIsTimeout, HcsIsAlreadyClosed, HcsIsNotSupported,
						    HcsIsInvalidState };
	int total = 0;

#define X(name, value, words)                                          \
	{                                                              \
		int n = 0;                                             \
                                                                       \
		for (size_t i = 0; i < ARRAY_SIZE(classes); i++)       \
			n += classes[i](name);                         \
		assert_in_range(n, 0, 1);                              \
		total += n;                                            \
	}
	HCS_RESULTS(X)
#undef X
	assert_int_equal(total, 11);
	assert_true(HcsIsNotExist(HCS_E_SYSTEM_NOT_FOUND));
	assert_true(HcsIsAlreadyStopped(HCS_E_SYSTEM_ALREADY_STOPPED));
	assert_true(HcsIsAlreadyClosed(E_HANDLE));
	assert_false(HcsIsAlreadyStopped(HCS_E_ERROR_NOT_FOUND));
	assert_false(HcsIsNotExist(E_FAIL));
}

static void test_document(void **state)
{
	struct err e;
	const struct problem problems[] = { { "/a", 3, "is wrong" }, { "/b", 4, "is missing" } };
	struct failure f = {
		.hr = HCS_E_INVALID_STATE,
		.call = "HcsStartComputeSystem",
		.ns = "n",
		.system = "web",
		.pid = 7,
		.phase = "Start",
		.phase_ms = 12,
		.e = &e,
	};
	char *doc;

	err_set(&e, ERR_INTERNAL, -ENOENT, "open '%s'", "/x");
	doc = result_error(&f);
	assert_non_null(strstr(doc, "\"Error\":-2143878907"));
	assert_non_null(strstr(doc, "HcsStartComputeSystem 'n/web' process 7: Start (12 ms): "));
	assert_non_null(strstr(doc, "open '/x': no such file or directory"));
	assert_non_null(strstr(doc, "{\"Type\":\"Int32\",\"Value\":\"2\"}"));
	free(doc);
	f.problems = problems;
	f.n_problems = 2;
	doc = result_error(&f);
	assert_non_null(strstr(doc, "\"Value\":\"/a\""));
	assert_non_null(strstr(doc, "\"Value\":\"/b\""));
	free(doc);
}

/* ---- settings ------------------------------------------------------------------- */

static const char *name_given, *value_given;

static char *give(const char *name)
{
	return name_given && !strcmp(name, name_given) ? (char *)(uintptr_t)value_given : NULL;
}

static int read_with(const char *name, const char *value, struct timeouts *t, struct err *e)
{
	name_given = name;
	value_given = value;
	return timeouts_read(t, give, e);
}

static void test_timeouts(void **state)
{
	static const char *const bad[] = { "x", "-1", "1.5", "1s", " 1", "99999999999" };
	struct timeouts t;
	struct err e;

	assert_int_equal(read_with(NULL, NULL, &t, &e), 0);
	assert_int_equal(t.start, 240000);
	assert_int_equal(t.parallel_starts, 0);
	assert_int_equal(read_with("HCSSHIM_TIMEOUT_SYSTEMSTART", "3", &t, &e), 0);
	assert_int_equal(t.start, 3000);
	assert_int_equal(t.create, 240000);
	assert_int_equal(read_with("HCSSHIM_MAX_PARALLEL_START", "4", &t, &e), 0);
	assert_int_equal(t.parallel_starts, 4);
	assert_int_equal(read_with("HCSSHIM_MAX_PARALLEL_START", "", &t, &e), 0);
	assert_int_equal(read_with("HCSSHIM_TIMEOUT_SYSTEMPAUSE", "0", &t, &e), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_with("HCSSHIM_TIMEOUT_SYSTEMCREATE", bad[i], &t, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "HCSSHIM_TIMEOUT_SYSTEMCREATE"));
		assert_non_null(strstr(e.msg, bad[i]));
		assert_int_equal(read_with("HCSSHIM_MAX_PARALLEL_START", bad[i], &t, &e), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	 cmocka_unit_test(test_values),	  cmocka_unit_test(test_classes),
		cmocka_unit_test(test_document), cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
