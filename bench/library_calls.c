/* libberth's functions, each waited for; see library_calls.h. */
#include "library_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sampling.h"

void system_id(char id[ID_SIZE], long n)
{
	snprintf(id, ID_SIZE, "s%ld", n);
}

static void check(const char *what, HRESULT hr, const char *result)
{
	const char *name = HcsResultToName(hr);

	if (FAILED(hr))
		die("%s: %s: %s", what, name ? name : HcsResultToString(hr), result ? result : "");
}

char *finish(const char *what, HCS_OPERATION op, HRESULT hr)
{
	char *result = NULL;

	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, INFINITE, &result);
	check(what, hr, result);
	HcsCloseOperation(op);
	return result;
}

HCS_SYSTEM system_create(const char *id, const char *document)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	HCS_SYSTEM s = NULL;

	HcsFree(finish("create", op, HcsCreateComputeSystem(id, document, op, NULL, &s)));
	return s;
}

HCS_SYSTEM system_open(const char *id)
{
	HCS_SYSTEM s = NULL;

	check("open", HcsOpenComputeSystem(id, GENERIC_ALL, &s), id);
	return s;
}

void system_do(const char *what, HCS_SYSTEM s, system_call call)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

	HcsFree(finish(what, op, call(s, op, NULL)));
}

int system_process(HCS_SYSTEM s)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	HCS_PROCESS p = NULL;
	char *status = NULL;
	const char *code;
	int r;

	HcsFree(finish("process", op, HcsCreateProcess(s, "{\"CommandArgs\": [\"/bin/true\"]}", op, NULL, &p)));
	check("wait for the process", HcsWaitForProcessExit(p, INFINITE, &status), status);
	code = strstr(status, "\"ExitCode\":");
	r = code ? atoi(code + strlen("\"ExitCode\":")) : -1;
	HcsFree(status);
	HcsCloseProcess(p);
	return r;
}
