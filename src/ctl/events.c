/* events: what happens to systems, whoever made them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "json.h"
#include "verbs_parts.h"

struct events_flags {
	struct common common;
	bool follow, all;
	const char *timeout, *since;
};

static const struct option_def events_options[] = {
	OPTION("follow", 'f', OPT_BOOL, struct events_flags, follow, NULL,
	       "go on with what happens from now on, until told to end"),
	OPTION("since", 's', OPT_STRING, struct events_flags, since, NULL,
	       "what was after this event only: its Cursor, of --json"),
	OPTION("timeout", 't', OPT_STRING, struct events_flags, timeout, NULL,
	       "end after this time: seconds, or \"1m30s\""),
	OPTION("all-namespaces", 'A', OPT_BOOL, struct events_flags, all, NULL, "of every namespace"),
	COMMON_FLAGS(struct events_flags),
	{ 0 },
};

struct kept { /* one of the past: each system's come together, and are sorted by time */
	char *text;
	const char *at;
};

/* What a cursor says: "NAMESPACE/ID/BOOT-PID/NUMBER", and "~" after it where events of
 * other systems that are older may have come later. */
struct cursor {
	const char *text; /* without "~"; NULL: none was given */
	size_t n_shim; /* the part before the number */
	uint64_t number;
	bool is_rough;
	char at[CLOCK_TEXT]; /* of others: what is later */
};

struct following {
	struct request *q;
	const char *id; /* NULL: of every system */
	const char *ns;
	bool all;
	struct cursor since;
	bool past; /* what comes is kept until all of that is there */
	struct kept *kept;
	size_t n_kept;
	size_t n; /* told */
	int r; /* of writing */
	struct err e;
};

/* "2026-11-22T14:07:11Z  web  ProcessExited  4711  code 3" */
static void line(const struct json *v, bool with_namespace, struct sb *out)
{
	const struct json *code = json_get(v, "ExitCode");
	size_t from = out->len;

	sb_printf(out, "%-30s ", json_string(json_get(v, "Timestamp"), "-"));
	if (with_namespace)
		sb_printf(out, "%s/", json_string(json_get(v, "Namespace"), ""));
	sb_printf(out, "%-20s %s", json_string(json_get(v, "SystemId"), "-"), json_string(json_get(v, "Event"), "-"));
	if (json_get(v, "ProcessId"))
		sb_printf(out, "  process %lld", (long long)json_i64(json_get(v, "ProcessId"), 0));
	if (code)
		sb_printf(out, "  code %lld", (long long)json_i64(code, 0));
	if (!out->failed)
		sanitize(out->s + from);
	sb_putc(out, '\n');
}

static bool is_wanted(const struct following *f, const struct json *v)
{
	if (f->id && strcmp(json_string(json_get(v, "SystemId"), ""), f->id) != 0)
		return false;
	return f->all || !strcmp(json_string(json_get(v, "Namespace"), ""), f->ns);
}

/* ---- cursors ----------------------------------------------------------------------------- */

/* One that was told as it came cannot know of what is still on its way. */
static void event_json(const struct following *f, struct jw *w, const struct json *v)
{
	jw_begin(w, '{');
	for (size_t i = 0; i < v->n; i++) {
		const struct json *m = json_at(v, i);

		jw_key(w, m->key);
		if (f->past || strcmp(m->key, "Cursor") != 0)
			jw_value(w, m);
		else
			jw_str(w, arena_printf(f->q->arena, "%s~", json_string(m, "")));
	}
	jw_end(w);
}

static int parse_cursor(struct request *q, const char *text, struct cursor *ret, struct err *e)
{
	char *copy = text ? arena_strdup(q->arena, text) : NULL;
	size_t len = copy ? strlen(copy) : 0, parts = 0;
	const char *last;
	int64_t number;

	if (!text)
		return 0;
	if (!copy)
		return no_memory(e);
	if (len && copy[len - 1] == '~') {
		ret->is_rough = true;
		copy[len - 1] = '\0';
	}
	for (const char *c = copy; *c; c++)
		parts += *c == '/';
	last = strrchr(copy, '/');
	if (parts != 3 || *copy == '/' || strstr(copy, "//") || parse_i64(last + 1, &number) < 0 || number < 1)
		return bad_usage(q, e, "--since: '%s' is no cursor", text);
	ret->text = copy;
	ret->n_shim = (size_t)(last + 1 - copy);
	ret->number = (uint64_t)number;
	return 0;
}

/* A second before it. */
static void earlier(char at[CLOCK_TEXT])
{
	struct timespec t = { 0 };
	struct tm tm = { 0 };
	const char *fraction = strptime(at, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!fraction)
		return;
	t.tv_sec = timegm(&tm) - 1;
	if (*fraction == '.')
		t.tv_nsec = strtol(fraction + 1, NULL, 10);
	clock_utc(&t, 1, at);
}

/* Its event has to be there: else what came after it may not be, either. */
static int find_cursor(struct following *f)
{
	struct cursor *c = &f->since;

	for (size_t i = 0; c->text && i < f->n_kept; i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct json_doc doc;

		if (!strstr(f->kept[i].text, c->text) ||
		    json_parse(&a, f->kept[i].text, strlen(f->kept[i].text), "event", &doc, NULL) < 0 ||
		    strcmp(json_string(json_get(doc.root, "Cursor"), ""), c->text) != 0)
			continue;
		snprintf(c->at, sizeof c->at, "%s", json_string(json_get(doc.root, "Timestamp"), ""));
		if (c->is_rough)
			earlier(c->at);
		return 0;
	}
	return c->text ? err_set(&f->e, ERR_NOT_FOUND, 0,
				 "--since: '%s': there is no such event, or it is not kept any more", c->text) :
			 0;
}

static bool is_after(const struct cursor *c, const struct json *v)
{
	const char *cursor = json_string(json_get(v, "Cursor"), "");
	int64_t number;

	if (!c->text)
		return true;
	if (!strncmp(cursor, c->text, c->n_shim) && parse_i64(cursor + c->n_shim, &number) >= 0)
		return (uint64_t)number > c->number;
	return strcmp(json_string(json_get(v, "Timestamp"), ""), c->at) > 0;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell(struct following *f, const struct json *v)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	if (f->q->common.json) {
		sb_puts(&out, f->n ? ",\n" : "[");
		jw_init(&w, &out, NULL);
		event_json(f, &w, v);
		f->q->printed = true;
	} else {
		line(v, f->all, &out);
	}
	f->n++;
	f->r = cli_put_sb(&out, &f->e);
}

static void tell_text(struct following *f, const char *text)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct json_doc doc;

	if (f->r < 0 || !text || json_parse(&a, text, strlen(text), "event", &doc, NULL) < 0)
		return;
	if (is_wanted(f, doc.root) && (!f->past || is_after(&f->since, doc.root)))
		tell(f, doc.root);
}

static void keep(struct following *f, const char *text)
{
	struct kept *kept = reallocarray(f->kept, f->n_kept + 1, sizeof *kept);
	char *copy = text && kept ? strdup(text) : NULL;

	if (kept)
		f->kept = kept;
	if (copy)
		f->kept[f->n_kept++].text = copy;
	else
		f->r = no_memory(&f->e);
}

/* All are UTC, with nine digits of a second: the text sorts as the time does. */
static const char *time_in(const char *text)
{
	const char *at = strstr(text, "\"Timestamp\":");

	return at ? at : "";
}

static int by_time(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	int r = strncmp(x->at, y->at, strlen("\"Timestamp\":\"2026-11-22T00:00:00.000000000Z"));

	/* of one time: in the order they came */
	return r ? r : (x > y) - (x < y);
}

static void tell_past(struct following *f)
{
	f->r = find_cursor(f);
	for (size_t i = 0; i < f->n_kept; i++)
		f->kept[i].at = time_in(f->kept[i].text);
	if (f->n_kept)
		qsort(f->kept, f->n_kept, sizeof *f->kept, by_time);
	for (size_t i = 0; i < f->n_kept; i++) {
		tell_text(f, f->kept[i].text);
		free(f->kept[i].text);
	}
	free(f->kept);
	f->kept = NULL;
	f->n_kept = 0;
	f->past = false;
}

static void on_event(HCS_EVENT *event, void *context)
{
	struct following *f = context;

	if (event->Type != HcsEventServiceSystem)
		return;
	if (f->past)
		keep(f, event->EventData);
	else
		tell_text(f, event->EventData);
}

static bool cannot_write(void *ctx)
{
	return ((struct following *)ctx)->r < 0;
}

static int events_run(struct request *q, void *options, struct err *e)
{
	const struct events_flags *o = options;
	struct following f = { .q = q, .id = q->args[0], .all = o->all, .past = true };
	int64_t limit;
	HRESULT hr;
	int r = parse_timeout(q, o->timeout, &limit, e);

	if (r == 0)
		r = parse_cursor(q, o->since, &f.since, e);
	if (r == 0)
		r = find_settings(q, NULL, &f.ns, e);
	if (r < 0)
		return r;
	hr = HcsSetServiceCallback(HcsEventOptionEnableHistory, &f, on_event);
	if (FAILED(hr))
		return failed_last(q, hr, e);
	while (HcsDispatch(0) == S_OK)
		;
	tell_past(&f);
	if (f.r == 0 && (o->follow || limit != FOREVER))
		r = drive(cannot_write, &f, limit == FOREVER ? FOREVER : clock_ms() + limit, NULL, e);
	HcsSetServiceCallback(HcsEventOptionNone, NULL, NULL);
	if (r == -ETIMEDOUT || r == -EINTR)
		r = 0;
	if (q->common.json && f.r == 0)
		f.r = cli_put(f.n ? "]\n" : "[]\n", f.n ? 2 : 3, &f.e);
	if (f.r < 0) {
		*e = f.e;
		return f.r;
	}
	return r;
}

const struct verb verb_events = {
	.name = "events",
	.summary = "what happened to systems, and what happens",
	.usage = "[--follow] [--since <cursor>] [<id>]",
	.description = "What is kept of earlier events comes first: those of systems that are there, and of removed\n"
		       "   ones for some minutes.",
	.options = events_options,
	.options_size = sizeof(struct events_flags),
	.max_args = 1,
	.run = events_run,
};
