/*
 * hello ROOTFS: a system, a process in it, and what that prints.
 *
 * Everything is waited for, one call after the other: the simplest way to use the
 * library. Errors name themselves; a result document says the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <berth/computecore.h>

static void fail(const char *what, HRESULT hr, char *document)
{
	fprintf(stderr, "%s: %s\n%s\n", what, HcsResultToString(hr), document ? document : "");
	HcsFree(document);
	exit(1); /* which closes the system, and so ends it: see the document below */
}

/* Waits for the call that `op` was given to. */
static void finish(const char *what, HRESULT hr, HCS_OPERATION op)
{
	char *document = NULL;

	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, INFINITE, &document);
	else
		HcsGetOperationResult(op, &document);
	if (FAILED(hr))
		fail(what, hr, document);
	HcsFree(document);
	HcsCloseOperation(op);
}

static HCS_PROCESS start_process(HCS_SYSTEM system, int *output)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	HCS_PROCESS_INFORMATION info;
	HCS_PROCESS process;
	char *document = NULL;
	HRESULT hr;

	hr = HcsCreateProcess(system,
			      "{ \"CommandLine\": \"sh -c 'echo hello from $(hostname)'\","
			      "  \"Environment\": { \"PATH\": \"/bin:/usr/bin\" },"
			      "  \"CreateStdOutPipe\": true }",
			      op, NULL, &process);
	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResultAndProcessInfo(op, INFINITE, &info, &document);
	if (FAILED(hr))
		fail("start a process", hr, document);
	HcsFree(document);
	HcsCloseOperation(op);
	*output = info.StdOutput;
	return process;
}

int main(int argc, char **argv)
{
	char configuration[8192], buffer[4096], *status = NULL;
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	HCS_PROCESS process;
	HCS_SYSTEM system;
	int output, n;
	HRESULT hr;

	if (argc != 2)
		return fprintf(stderr, "usage: %s ROOTFS\n", argv[0]), 64;
	snprintf(configuration, sizeof configuration,
		 "{ \"SchemaVersion\": { \"Major\": 2, \"Minor\": 1 },"
		 "  \"Owner\": \"hello\","
		 "  \"ShouldTerminateOnLastHandleClosed\": true,"
		 "  \"Container\": { \"GuestOs\": { \"HostName\": \"hello\" },"
		 "                   \"Storage\": { \"Path\": \"%s\" } } }",
		 argv[1]);
	hr = HcsCreateComputeSystem("hello", configuration, op, NULL, &system);
	finish("create", hr, op);
	op = HcsCreateOperation(NULL, NULL);
	finish("start", HcsStartComputeSystem(system, op, NULL), op);

	process = start_process(system, &output);
	while ((n = (int)read(output, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	close(output);
	hr = HcsWaitForProcessExit(process, INFINITE, &status);
	if (FAILED(hr))
		fail("wait", hr, status);
	printf("%s\n", status);
	HcsFree(status);
	HcsCloseProcess(process);

	op = HcsCreateOperation(NULL, NULL);
	finish("terminate", HcsTerminateComputeSystem(system, op, NULL), op);
	HcsCloseComputeSystem(system);
	return 0;
}
