/*
 * supervisor ROOTFS [COUNT]: runs COUNT (100) systems at a time, all in one thread
 * and one poll loop, and starts each once more when its process has ended, until
 * it has done so twice.
 *
 * Nothing here waits. Every call has an operation with a callback, which does the
 * next step; a process's end is an event on the process's handle. The library's
 * one descriptor is polled beside whatever else a program may have to look at;
 * here that is a timer, which says how far it is.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <berth/computecore.h>

enum { RUNS = 2 };

struct service {
	int number, runs;
	HCS_SYSTEM system;
	HCS_PROCESS process;
};

static const char *rootfs;
static int left, failures, ended;

static void create(struct service *s);

/* ---- one step after the other ------------------------------------------------- */

static void give_up(struct service *s, const char *what, HCS_OPERATION op, HRESULT hr)
{
	char *document = NULL;

	if (op)
		HcsGetOperationResult(op, &document);
	fprintf(stderr, "service %d: %s: %s\n%s\n", s->number, what, HcsResultToString(hr), document ? document : "");
	HcsFree(document);
	HcsCloseProcess(s->process);
	HcsCloseComputeSystem(s->system);
	failures++;
	left--;
}

/* An operation with this as its callback; closed there, or here when the call was refused. */
static void begin(struct service *s, const char *what, HCS_OPERATION op, HRESULT hr)
{
	if (FAILED(hr)) {
		give_up(s, what, op, hr);
		HcsCloseOperation(op);
	}
}

static int succeeded(struct service *s, const char *what, HCS_OPERATION op)
{
	HRESULT hr = HcsGetOperationResult(op, NULL);

	if (FAILED(hr))
		give_up(s, what, op, hr);
	HcsCloseOperation(op);
	return SUCCEEDED(hr);
}

static void on_terminated(HCS_OPERATION op, void *context)
{
	struct service *s = context;

	if (!succeeded(s, "terminate", op))
		return;
	HcsCloseComputeSystem(s->system);
	s->system = NULL;
	if (++s->runs < RUNS)
		create(s); /* the id is free again */
	else
		left--;
}

static void on_process_event(HCS_EVENT *event, void *context)
{
	struct service *s = context;
	HCS_OPERATION op;

	if (event->Type != HcsEventProcessExited)
		return;
	ended++;
	HcsCloseProcess(s->process);
	s->process = NULL;
	op = HcsCreateOperation(s, on_terminated);
	begin(s, "terminate", op, HcsTerminateComputeSystem(s->system, op, NULL));
}

static void on_process_created(HCS_OPERATION op, void *context)
{
	struct service *s = context;
	HRESULT hr;

	if (!succeeded(s, "start a process", op))
		return;
	/* It may have ended by now: then the callback is told so. */
	hr = HcsSetProcessCallback(s->process, HcsEventOptionNone, s, on_process_event);
	if (FAILED(hr))
		give_up(s, "watch the process", NULL, hr);
}

static void on_started(HCS_OPERATION op, void *context)
{
	struct service *s = context;
	HCS_OPERATION next;

	if (!succeeded(s, "start", op))
		return;
	next = HcsCreateOperation(s, on_process_created);
	begin(s, "start a process", next,
	      HcsCreateProcess(s->system,
			       "{ \"CommandLine\": \"sleep 0.1\", \"Environment\": { \"PATH\": \"/bin:/usr/bin\" } }",
			       next, NULL, &s->process));
}

static void on_created(HCS_OPERATION op, void *context)
{
	struct service *s = context;
	HCS_OPERATION next;

	if (!succeeded(s, "create", op))
		return;
	next = HcsCreateOperation(s, on_started);
	begin(s, "start", next, HcsStartComputeSystem(s->system, next, NULL));
}

static void create(struct service *s)
{
	HCS_OPERATION op = HcsCreateOperation(s, on_created);
	char id[32], document[8192];

	snprintf(id, sizeof id, "service-%d", s->number);
	snprintf(document, sizeof document,
		 "{ \"SchemaVersion\": { \"Major\": 2, \"Minor\": 1 }, \"Owner\": \"supervisor\","
		 "  \"ShouldTerminateOnLastHandleClosed\": true,"
		 "  \"Container\": { \"Storage\": { \"Path\": \"%s\" } } }",
		 rootfs);
	begin(s, "create", op, HcsCreateComputeSystem(id, document, op, NULL, &s->system));
}

/* ---- the loop -------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	const struct itimerspec second = { .it_interval.tv_sec = 1, .it_value.tv_sec = 1 };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), library, count;
	struct service *services;
	uint64_t ticks;
	HRESULT hr;

	if (argc < 2 || argc > 3)
		return fprintf(stderr, "usage: %s ROOTFS [COUNT]\n", argv[0]), 64;
	rootfs = argv[1];
	count = argc > 2 ? atoi(argv[2]) : 100;
	services = calloc((size_t)count, sizeof *services);
	hr = HcsGetDispatchFd(&library);
	if (!services || FAILED(hr))
		return fprintf(stderr, "%s\n", HcsResultToString(hr)), 1;
	timerfd_settime(timer, 0, &second, NULL);
	left = count;
	for (int i = 0; i < count; i++) {
		services[i].number = i;
		create(&services[i]);
	}
	while (left) {
		struct pollfd p[] = { { .fd = library, .events = POLLIN }, { .fd = timer, .events = POLLIN } };

		poll(p, 2, -1);
		if (p[0].revents)
			HcsDispatch(0);
		if (p[1].revents && read(timer, &ticks, sizeof ticks) == sizeof ticks)
			fprintf(stderr, "%d processes have ended, %d services are at work\n", ended, left);
	}
	printf("%d services, %d processes ended, %d failures\n", count, ended, failures);
	free(services);
	close(timer);
	return failures != 0;
}
