/*
 * As Microsoft's sample has it: operations that are waited for, a callback that is
 * set after the system was created, one exit event. Also compiled as C++.
 */
#include <berth/computecore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int exits;

static void on_event(HCS_EVENT *event, void *context)
{
	if (event->Type == HcsEventSystemExited && context == &exits)
		exits++;
}

static void check(const char *what, HRESULT hr, char *result)
{
	if (FAILED(hr)) {
		const char *name = HcsResultToName(hr);

		fprintf(stderr, "%s: %s: %s\n", what, name ? name : HcsResultToString(hr), result ? result : "");
		exit(1);
	}
	HcsFree(result);
}

static void finish(const char *what, HCS_OPERATION operation, HRESULT hr)
{
	char *result = NULL;

	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(operation, INFINITE, &result);
	check(what, hr, result);
	HcsCloseOperation(operation);
}

int main(int argc, char **argv)
{
	HCS_OPERATION operation = HcsCreateOperation(NULL, NULL);
	HCS_PROCESS_INFORMATION info;
	HCS_SYSTEM system = NULL;
	HCS_PROCESS process = NULL;
	char document[4096], buf[64], *result = NULL;
	ssize_t n;

	if (argc != 3)
		return 64;
	snprintf(document, sizeof document,
		 "{\"SchemaVersion\": {\"Major\": 2, \"Minor\": 1}, \"Container\": {\"Storage\": {\"Path\": \"%s\"}}}",
		 argv[2]);
	finish("create", operation, HcsCreateComputeSystem(argv[1], document, operation, NULL, &system));
	check("callback", HcsSetComputeSystemCallback(system, HcsEventOptionNone, &exits, on_event), NULL);
	operation = HcsCreateOperation(NULL, NULL);
	finish("start", operation, HcsStartComputeSystem(system, operation, NULL));

	operation = HcsCreateOperation(NULL, NULL);
	check("process",
	      HcsCreateProcess(system, "{\"CommandLine\": \"/bin/echo hello\", \"CreateStdOutPipe\": true}", operation,
			       NULL, &process),
	      NULL);
	check("process", HcsWaitForOperationResultAndProcessInfo(operation, INFINITE, &info, &result), result);
	HcsCloseOperation(operation);
	n = read(info.StdOutput, buf, sizeof buf);
	if (n > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	close(info.StdOutput);
	check("wait", HcsWaitForProcessExit(process, INFINITE, &result), NULL);
	printf("%d\n", strstr(result, "\"ExitCode\":0") != NULL);
	HcsFree(result);
	HcsCloseProcess(process);

	operation = HcsCreateOperation(NULL, NULL);
	finish("terminate", operation, HcsTerminateComputeSystem(system, operation, NULL));
	check("wait", HcsWaitForComputeSystemExit(system, INFINITE, NULL), NULL);
	printf("exits %d\n", exits);
	HcsCloseComputeSystem(system);
	return exits == 1 ? 0 : 1;
}
