/* A program with many open systems; see library_many.h. */
#include "library_many.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library_calls.h"
#include "sampling.h"

enum { AT_ONCE = 16 };

/* ---- what is true ------------------------------------------------------------ */

static long count(const char *text, const char *what, const char **last)
{
	long n = 0;

	while ((text = strstr(text, what))) {
		n++;
		*last = text;
		text += strlen(what);
	}
	return n;
}

/* The Id of the object in which `at` is: it comes before the state. */
static void id_before(const char *begin, const char *at, char id[ID_SIZE])
{
	static const char key[] = "\"Id\":\"";
	size_t n;

	while (at > begin && strncmp(at, key, sizeof key - 1) != 0)
		at--;
	at += sizeof key - 1;
	n = strcspn(at, "\"");
	snprintf(id, ID_SIZE, "%.*s", (int)n, at);
}

static void list(void)
{
	char id[ID_SIZE] = "-";
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), end;
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	char *all = finish("list", op, HcsEnumerateComputeSystems(NULL, op));
	const char *at = NULL, *paused = NULL;
	long n_running, n_paused;

	end = clock_ns(CLOCK_MONOTONIC);
	n_running = count(all, "\"State\":\"Running\"", &at);
	n_paused = count(all, "\"State\":\"Paused\"", &paused);
	if (paused)
		id_before(all, paused, id);
	HcsFree(all);
	printf("list %llu %ld %ld %s\n", (unsigned long long)(end - begin), n_running, n_paused, id);
}

static long number_of(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	long value = 0;

	if (!f)
		die("cannot read '%s'", path);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			value += atol(line + strlen(key));
	fclose(f);
	return value;
}

static void memory(void)
{
	long kib = number_of("/proc/self/smaps_rollup", "Private_Dirty:") +
		   number_of("/proc/self/smaps_rollup", "Private_Clean:");
	DIR *d = opendir("/proc/self/fd");
	long fds = -1; /* that one */

	if (!d)
		die("cannot count descriptors");
	for (const struct dirent *e; (e = readdir(d));)
		fds += e->d_name[0] != '.';
	closedir(d);
	printf("memory %ld %ld %ld\n", kib, number_of("/proc/self/status", "Threads:"), fds);
}

/* ---- all of them --------------------------------------------------------------- */

/* AT_ONCE in progress, each waited for in its turn. */
static void each(const char *what, long n, HRESULT (*begin)(void *ctx, long i, HCS_OPERATION op), void *ctx)
{
	HCS_OPERATION op[AT_ONCE];
	HRESULT hr[AT_ONCE];

	for (long i = 0; i < n + AT_ONCE; i++) {
		if (i >= AT_ONCE && i - AT_ONCE < n)
			HcsFree(finish(what, op[i % AT_ONCE], hr[i % AT_ONCE]));
		if (i >= n)
			continue;
		op[i % AT_ONCE] = HcsCreateOperation(NULL, NULL);
		hr[i % AT_ONCE] = begin(ctx, i, op[i % AT_ONCE]);
	}
}

struct made {
	const char *document;
	HCS_SYSTEM *systems;
};

static HRESULT begin_create(void *ctx, long i, HCS_OPERATION op)
{
	const struct made *m = ctx;
	char id[ID_SIZE];

	system_id(id, i);
	return HcsCreateComputeSystem(id, m->document, op, NULL, &m->systems[i]);
}

static HRESULT begin_start(void *ctx, long i, HCS_OPERATION op)
{
	return HcsStartComputeSystem(((struct made *)ctx)->systems[i], op, NULL);
}

static HRESULT begin_terminate(void *ctx, long i, HCS_OPERATION op)
{
	return HcsTerminateComputeSystem(((struct made *)ctx)->systems[i], op, NULL);
}

static void open_all(const struct made *m, long n)
{
	char id[ID_SIZE];

	for (long i = 0; i < n; i++) {
		system_id(id, i);
		m->systems[i] = system_open(id);
	}
}

static void serve(struct made *m, long n)
{
	char line[32];

	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "list\n")) {
			list();
		} else if (!strcmp(line, "memory\n")) {
			memory();
		} else {
			each("terminate", n, begin_terminate, m);
			for (long i = 0; i < n; i++)
				HcsCloseComputeSystem(m->systems[i]);
			return;
		}
		fflush(stdout);
	}
}

int many(const char *how, long n, const char *document)
{
	struct made m = { document, calloc((size_t)n + 1, sizeof(HCS_SYSTEM)) };
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);

	if (!m.systems)
		die("out of memory");
	if (!strcmp(how, "list")) {
		list();
		return 0;
	}
	if (!strcmp(how, "make")) {
		each("create", n, begin_create, &m);
		each("start", n, begin_start, &m);
	} else if (!strcmp(how, "open")) {
		open_all(&m, n);
	} else {
		n = 0;
	}
	printf("ready %llu %llu\n", (unsigned long long)begin, (unsigned long long)clock_ns(CLOCK_MONOTONIC));
	fflush(stdout);
	serve(&m, n);
	return 0;
}
