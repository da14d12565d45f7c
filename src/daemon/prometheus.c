/* Counting, and printing what was counted; see prometheus.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine.h"
#include "file.h"
#include "mem.h"
#include "daemon.h"
#include "prometheus.h"
#include "prometheus_http.h"
#include "str.h"

enum { METHODS_MAX = 256, CODES = 17 };

struct counted {
	const char *service, *method;
	uint64_t n[CODES], ns;
};

struct metrics {
	struct daemon *d;
	struct prometheus_http http;
	size_t n_counted;
	struct counted counted[METHODS_MAX];
};

static void print_all(void *ctx, struct sb *out);

struct metrics *metrics_new(struct daemon *d)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (m) {
		m->d = d;
		prometheus_http_init(&m->http, &d->loop, print_all, m);
	}
	return m;
}

void metrics_free(struct metrics *m)
{
	prometheus_http_done(&m->http);
	free(m);
}

int metrics_listen(struct metrics *m, const char *address, struct err *e)
{
	return prometheus_http_listen(&m->http, address, e);
}

void metrics_count(struct metrics *m, const char *service, const char *method, int code, uint64_t ns)
{
	struct counted *c = m->counted, *end = m->counted + m->n_counted;

	while (c < end && (c->method != method || c->service != service))
		c++;
	if (c == end) {
		if (m->n_counted == METHODS_MAX)
			return;
		m->n_counted++;
		*c = (struct counted){ .service = service, .method = method };
	}
	c->n[code >= 0 && code < CODES ? code : 2]++;
	c->ns += ns;
}

/* ---- printing ---------------------------------------------------------------------- */

static void head(struct sb *out, const char *name, const char *type, const char *help)
{
	sb_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* grpc/codes, as Go's library names them. */
static const char *const codes[CODES] = {
	"OK",		  "Canceled",	       "Unknown",	   "InvalidArgument", "DeadlineExceeded", "NotFound",
	"AlreadyExists",  "PermissionDenied",  "ResourceExhausted", "FailedPrecondition", "Aborted",	  "OutOfRange",
	"Unimplemented",  "Internal",	       "Unavailable",	   "DataLoss",	      "Unauthenticated",
};

static void print_requests(const struct metrics *m, struct sb *out)
{
	head(out, "berthd_grpc_requests_total", "counter", "Calls that were answered.");
	for (size_t i = 0; i < m->n_counted; i++)
		for (int code = 0; code < CODES; code++)
			if (m->counted[i].n[code])
				sb_printf(out,
					  "berthd_grpc_requests_total{service=\"%s\",method=\"%s\",code=\"%s\"} %llu\n",
					  m->counted[i].service, m->counted[i].method, codes[code],
					  (unsigned long long)m->counted[i].n[code]);
	head(out, "berthd_grpc_request_seconds_total", "counter", "Time from request to answer.");
	for (size_t i = 0; i < m->n_counted; i++)
		sb_printf(out, "berthd_grpc_request_seconds_total{service=\"%s\",method=\"%s\"} %.6f\n",
			  m->counted[i].service, m->counted[i].method, (double)m->counted[i].ns / 1e9);
}

/* ---- tasks ---- */

static const char *const statuses[] = {
	[ENGINE_UNKNOWN] = "unknown", [ENGINE_CREATED] = "created", [ENGINE_RUNNING] = "running",
	[ENGINE_PAUSED] = "paused",   [ENGINE_STOPPED] = "stopped", [ENGINE_GONE] = "gone",
};

struct tasks_of { /* a namespace; there are few */
	struct tasks_of *next;
	const char *namespace;
	unsigned n[ARRAY_SIZE(statuses)];
};

static void count_task(void *ctx, struct engine_task *t)
{
	struct tasks_of **at = ctx;

	while (*at && strcmp((*at)->namespace, t->namespace) != 0)
		at = &(*at)->next;
	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at)
			return;
		(*at)->namespace = t->namespace;
	}
	(*at)->n[t->now.status]++;
}

static void print_tasks(const struct metrics *m, struct sb *out)
{
	struct tasks_of *list = NULL;

	engine_each(m->d->engine, NULL, count_task, &list);
	head(out, "berthd_tasks", "gauge", "Tasks by namespace and state.");
	while (list) {
		struct tasks_of *n = list;

		list = n->next;
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
			if (n->n[i])
				sb_printf(out, "berthd_tasks{namespace=\"%s\",state=\"%s\"} %u\n", n->namespace,
					  statuses[i], n->n[i]);
		free(n);
	}
}

static void print_memory(struct sb *out)
{
	char line[128];
	uint64_t pages = 0;

	if (file_read_line(AT_FDCWD, "/proc/self/statm", line, sizeof line) <= 0)
		return;
	strtok(line, " ");
	(void)parse_u64(strtok(NULL, " "), 10, &pages);
	head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
	sb_printf(out, "process_resident_memory_bytes %llu\n",
		  (unsigned long long)pages * (unsigned long long)sysconf(_SC_PAGESIZE));
}

static double seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void print_process(struct sb *out)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	head(out, "process_cpu_seconds_total", "counter", "User and system CPU time.");
	sb_printf(out, "process_cpu_seconds_total %.6f\n", seconds_of(&u.ru_utime) + seconds_of(&u.ru_stime));
	print_memory(out);
}

static void print_all(void *ctx, struct sb *out)
{
	const struct metrics *m = ctx;

	head(out, "berthd_build_info", "gauge", "Always 1.");
	sb_puts(out, "berthd_build_info{version=\"" BERTH_VERSION "\"} 1\n");
	head(out, "process_start_time_seconds", "gauge", "Since 1970.");
	sb_printf(out, "process_start_time_seconds %lld\n", (long long)m->d->started.tv_sec);
	print_process(out);
	head(out, "berthd_grpc_connections", "gauge", "Clients that are connected.");
	sb_printf(out, "berthd_grpc_connections %u\n", m->d->grpc.n_peers);
	print_requests(m, out);
	print_tasks(m, out);
}
