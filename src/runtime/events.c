/* events: statistics at intervals, and out-of-memory kills as they happen. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cgroup_stats.h"
#include "cgroups.h"
#include "err.h"
#include "fd.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "record.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

struct events_flags {
	int64_t interval; /* nanoseconds */
	bool stats, json;
};

static const struct option_def events_options[] = {
	OPTION("interval", 0, OPT_DURATION, struct events_flags, interval, "5s",
	       "set the stats collection interval"),
	OPTION("stats", 0, OPT_BOOL, struct events_flags, stats, NULL,
	       "display the container's stats then exit"),
	OPTION("json", 0, OPT_BOOL, struct events_flags, json, NULL,
	       "accepted: the output is always JSON, one event a line"),
	{ 0 },
};

struct watch {
	const char *id;
	const struct cgroup *cg;
	uint32_t interval_ms;
	int pidfd, oom; /* oom: -1 when the kernel cannot tell */
	uint64_t oom_seen;
	struct loop loop;
	struct source timer_src, oom_src, exit_src;
};
#define watch_of(s, member) \
	((struct watch *)(void *)((char *)(s) - offsetof(struct watch, member)))

/* The arena is the call's own: a follower would grow for ever otherwise. */
static int print_stats(const struct watch *w, struct err *e)
{
	OWN_ARENA struct arena arena = ARENA_INIT;
	OWN_SB struct sb out = SB_INIT;
	struct cgroup_stats stats;
	struct jw j;
	int r;

	r = cgroup_stats_read(w->cg, &arena, &stats, e);
	if (r < 0)
		return r;
	jw_init(&j, &out, NULL);
	jw_begin(&j, '{');
	jw_kstr(&j, "type", "stats");
	jw_kstr(&j, "id", w->id);
	jw_key(&j, "data");
	cgroup_stats_print(&j, &stats);
	jw_end(&j);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

/* One line for each kill since the last look. */
static int print_oom(struct watch *w)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw j;
	uint64_t n;

	if (cgroup_oom_count(w->cg, &n, NULL) < 0 || n <= w->oom_seen)
		return 0;
	for (; w->oom_seen < n; w->oom_seen++) {
		jw_init(&j, &out, NULL);
		jw_begin(&j, '{');
		jw_kstr(&j, "type", "oom");
		jw_kstr(&j, "id", w->id);
		jw_end(&j);
		sb_putc(&out, '\n');
	}
	return out.failed ? -ENOMEM : cli_put(out.s, out.len, NULL);
}

static int on_timer(struct source *s, uint32_t events)
{
	struct watch *w = watch_of(s, timer_src);
	char text[1200];
	struct err e;

	if (print_stats(w, &e) < 0) {
		if (e.sys == EPIPE)
			return -EPIPE;
		log_line(LOG_LEVEL_ERROR, err_text(&e, text, sizeof text));
	}
	return source_timer(s, &w->loop, w->interval_ms, on_timer);
}

static int on_oom(struct source *s, uint32_t events)
{
	struct watch *w = watch_of(s, oom_src);

	cgroup_oom_clear(w->oom);
	return print_oom(w);
}

static int on_end(struct source *s, uint32_t events)
{
	struct watch *w = watch_of(s, exit_src);

	print_oom(w); /* the last one may have been the reason */
	loop_stop(&w->loop, 0);
	return 0;
}

static int follow(struct watch *w, struct err *e)
{
	OWN_FD oom = -1;
	int r;

	r = loop_init(&w->loop, e);
	if (r < 0)
		return r;
	cgroup_oom_count(w->cg, &w->oom_seen, NULL);
	w->oom = oom = cgroup_oom_fd(w->cg, e);
	if (oom < 0) {
		loop_done(&w->loop);
		return oom;
	}
	r = source_fd(&w->oom_src, &w->loop, oom, EPOLLIN, on_oom);
	if (r == 0)
		r = source_fd(&w->exit_src, &w->loop, w->pidfd, EPOLLIN, on_end);
	if (r == 0)
		r = source_timer(&w->timer_src, &w->loop, w->interval_ms, on_timer);
	if (r == 0)
		r = loop_run(&w->loop);
	loop_done(&w->loop);
	return r < 0 ? err_sys(e, r, "follow the container's events") : 0;
}

static int events_of(struct request *q, const struct events_flags *f, struct container *ct,
		     struct err *e)
{
	struct watch w = { .id = q->args[0], .pidfd = ct->pidfd, .oom = -1 };
	struct cgroup cg;
	int r;

	if (f->interval <= 0)
		return err_set(e, ERR_INVALID, 0, "duration interval must be greater than 0");
	if (ct->state == CT_STOPPED)
		return err_set(e, ERR_STATE, 0, "container with id %s is not running", q->args[0]);
	w.interval_ms = f->interval / 1000000 > UINT32_MAX ? UINT32_MAX :
							     (uint32_t)(f->interval / 1000000);
	r = cgroups_open(q, ct, &cg, e);
	if (r < 0)
		return r;
	w.cg = &cg;
	r = f->stats ? print_stats(&w, e) : follow(&w, e);
	cgroup_done(&cg);
	return r;
}

static int events_run(struct request *q, void *options, struct err *e)
{
	struct container ct;
	int r;

	r = request_open(q, false, &ct, e);
	if (r < 0)
		return r;
	r = events_of(q, options, &ct, e);
	container_close(&ct);
	return r;
}

const struct verb verb_events = {
	.name = "events",
	.summary = "display events of a container: statistics and out-of-memory kills",
	.usage = "<container-id>\n\n"
		 "Where \"<container-id>\" is the name for the instance of the container.",
	.description = "Displays information about the container, one JSON object a line. By default\n"
		       "statistics come once every 5 seconds.",
	.options = events_options,
	.options_size = sizeof(struct events_flags),
	.min_args = 1,
	.max_args = 1,
	.run = events_run,
};
