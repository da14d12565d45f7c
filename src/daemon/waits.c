/* What is in progress, and since when; see waits.h. */
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon_settings.h"
#include "dir.h"
#include "err.h"
#include "fd.h"
#include "json.h"
#include "listen.h"
#include "log.h"
#include "prometheus_http.h"
#include "request.h"
#include "str.h"
#include "sys.h"
#include "tasks.h"

#define DIRECTORY ".daemons"

struct waits {
	struct daemon *d;
	struct prometheus_http http;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

struct printing {
	struct jw w;
	struct timespec now;
};

/* ---- the page -------------------------------------------------------------------- */

static int64_t age(const struct printing *p, const struct timespec *since)
{
	return (p->now.tv_sec - since->tv_sec) * 10000000 + (p->now.tv_nsec - since->tv_nsec) / 100;
}

/* Members have the same names in all the requests that have them. */
static const void *member(const ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *f =
		m ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name) : NULL;

	return f ? (const char *)m + f->offset : NULL;
}

static const char *id_of(const struct request *q)
{
	const void *container = member(q->m, "container");
	const void *id = container ? member(*(const ProtobufCMessage *const *)container, "id") :
				     member(q->m, "container_id");

	id = id ? id : member(q->m, "id");
	return id ? *(const char *const *)id : "";
}

/* "Tasks.Start" */
static void print_method(struct jw *w, const struct request *q)
{
	const char *service = strrchr(q->service, '.');
	OWN_SB struct sb name = SB_INIT;

	sb_printf(&name, "%s.%s", service ? service + 1 : q->service, q->method->name ? q->method->name : "?");
	jw_kstr(w, "Operation", name.failed ? "?" : name.s);
}

static void print_phase(struct printing *p, const char *phase, const struct timespec *since)
{
	jw_kstr(&p->w, "WaitsFor", phase);
	if (phase && since)
		jw_kint(&p->w, "WaitsFor100ns", age(p, since));
}

static void print_request(struct printing *p, const struct request *q)
{
	const struct engine_op *op = q->op && q->op->progress ? q->op : NULL;
	const struct timespec since = {
		.tv_sec = (time_t)(q->since / 1000000000),
		.tv_nsec = (long)(q->since % 1000000000),
	};

	jw_begin(&p->w, '{');
	jw_kstr(&p->w, "SystemId", id_of(q));
	jw_kstr(&p->w, "Namespace", q->namespace);
	print_method(&p->w, q);
	jw_kint(&p->w, "Age100ns", age(p, &since));
	print_phase(p, op ? op->phase : q->phase, op ? &op->since : &q->since_phase);
	jw_end(&p->w);
}

static void print_look(void *ctx, const struct task_look *k)
{
	struct printing *p = ctx;

	jw_begin(&p->w, '{');
	jw_kstr(&p->w, "SystemId", k->id);
	jw_kstr(&p->w, "Namespace", k->namespace);
	jw_kstr(&p->w, "Operation", "find the task");
	if (k->since)
		jw_kint(&p->w, "Age100ns", age(p, k->since));
	print_phase(p, k->phase, k->since);
	jw_end(&p->w);
}

/* Those that wait until something happens are not worth a line each. */
static void print_requests(struct printing *p, const struct daemon *d)
{
	unsigned endless = 0;

	jw_kbegin(&p->w, "Operations", '[');
	for (const struct request *q = d->requests; q; q = q->next) {
		if (q->rpc && q->rpc->endless)
			endless++;
		else if (q->method)
			print_request(p, q);
	}
	tasks_each_look((struct daemon *)(uintptr_t)d, print_look, p);
	jw_end(&p->w);
	jw_kuint(&p->w, "EndlessCalls", endless);
}

static void print(void *ctx, struct sb *out)
{
	const struct waits *all = ctx;
	struct printing p = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &p.now);
	jw_init(&p.w, out, NULL);
	jw_begin(&p.w, '{');
	jw_kstr(&p.w, "Daemon", "berthd");
	jw_kstr(&p.w, "Version", BERTH_VERSION);
	jw_kint(&p.w, "ProcessId", getpid());
	jw_kstr(&p.w, "Address", all->d->settings->address);
	print_requests(&p, all->d);
	jw_end(&p.w);
	sb_putc(out, '\n');
}

/* ---- its place ------------------------------------------------------------------- */

/* Those of daemons that were killed. */
static void remove_stale(const char *state)
{
	OWN_SB struct sb dir = SB_INIT;
	struct dir_reader rd = { .fd = -1 };
	const struct dir_entry *entry;
	OWN_FD fd = -1;

	sb_printf(&dir, "%s/" DIRECTORY, state);
	fd = dir.failed ? -ENOMEM : sys_openat(AT_FDCWD, dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	rd.fd = fd;
	while (fd >= 0 && (entry = dir_next(&rd))) {
		OWN_SB struct sb path = SB_INIT;

		sb_printf(&path, "%s/%s", dir.s, entry->name);
		if (!path.failed && listen_is_stale(path.s))
			(void)sys_unlinkat(fd, entry->name, 0);
	}
}

int waits_begin(struct daemon *d, struct err *e)
{
	const char *state = d->settings->engine.state;
	struct waits *all = calloc(1, sizeof *all);
	struct err why;
	int n, r;

	if (!all)
		return err_sys(e, -ENOMEM, "say what is in progress");
	d->waits = all;
	all->d = d;
	prometheus_http_init(&all->http, &d->loop, print, all);
	all->http.path = "/operations";
	all->http.type = "application/json";
	remove_stale(state);
	n = snprintf(all->path, sizeof all->path, "%s/" DIRECTORY "/%d", state, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof all->path)
		r = err_set(&why, ERR_INVALID, 0, "'%s' is too long for a socket", state);
	else
		r = prometheus_http_listen(&all->http, all->path, &why);
	all->http.listener.anyone = false;
	if (r >= 0)
		return 0;
	*all->path = '\0';
	log_printf(LOG_LEVEL_WARNING, "berthctl cannot ask what is in progress: %s", why.msg);
	return 0;
}

void waits_end(struct daemon *d)
{
	if (!d->waits)
		return;
	prometheus_http_done(&d->waits->http);
	if (*d->waits->path)
		(void)sys_unlinkat(AT_FDCWD, d->waits->path, 0);
	free(d->waits);
	d->waits = NULL;
}
