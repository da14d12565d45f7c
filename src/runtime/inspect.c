/* state and list: what is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "record.h"
#include "str.h"
#include "table.h"
#include "verb.h"

static int no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "print");
}

/* ---- state ---------------------------------------------------------------- */

static int state_run(struct request *q, void *options, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct container ct;
	int r;

	r = request_open(q, false, &ct, e);
	if (r < 0)
		return r;
	container_state_json(&ct, &out);
	container_close(&ct);
	return cli_put_sb(&out, e);
}

const struct verb verb_state = {
	.name = "state",
	.summary = "output the state of a container",
	.usage = "<container-id>\n\n"
		 "Where \"<container-id>\" is your name for the instance of the container.",
	.description = "Outputs the state of a container as JSON.",
	.min_args = 1,
	.max_args = 1,
	.run = state_run,
};

/* ---- list ----------------------------------------------------------------- */

struct list_flags {
	const char *format;
	bool quiet, json;
};

static const struct option_def list_options[] = {
	OPTION("format", 'f', OPT_STRING, struct list_flags, format, "table",
	       "select one of: table or json"),
	OPTION("quiet", 'q', OPT_BOOL, struct list_flags, quiet, NULL,
	       "display only container IDs"),
	OPTION("json", 0, OPT_BOOL, struct list_flags, json, NULL, "the same as --format json"),
	{ 0 },
};

/* Names of users, from /etc/passwd: a static program has no other source. */
struct users {
	struct arena *a;
	char *passwd; /* NULL: not read yet */
};

static const char *user_name(struct users *u, uint32_t uid)
{
	char *line, *rest;
	size_t len;

	if (!u->passwd &&
	    file_read(u->a, AT_FDCWD, "/etc/passwd", 1 << 20, &u->passwd, &len, NULL) < 0)
		u->passwd = arena_strdup(u->a, "");
	rest = u->passwd ? arena_strdup(u->a, u->passwd) : NULL;
	while ((line = strsep(&rest, "\n"))) {
		char *fields = line, *name = strsep(&fields, ":");
		uint32_t id;

		strsep(&fields, ":"); /* the password */
		if (fields && parse_u32(strsep(&fields, ":"), &id) == 0 && id == uid)
			return name;
	}
	return arena_printf(u->a, "#%u", uid);
}

struct listing {
	struct request *q;
	struct users users;
	struct table table;
	struct jw json;
	bool as_json;
	bool as_runc; /* which says null instead of [] */
};

static int add_row(struct listing *l, const struct container *ct)
{
	const char *row[] = {
		ct->rec->id,
		arena_printf(l->q->core.arena, "%d",
			     ct->state == CT_STOPPED ? 0 : ct->rec->pid),
		container_state_name(ct->state),
		ct->rec->bundle,
		ct->rec->created,
		user_name(&l->users, ct->rec->owner),
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (table_cell(&l->table, l->q->core.arena, row[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* As `state` prints it, with the owner's name. */
static int add_json(struct listing *l, const struct container *ct)
{
	struct json_doc doc;
	OWN_SB struct sb text = SB_INIT;
	int r;

	container_state_json(ct, &text);
	if (text.failed)
		return -ENOMEM;
	r = json_parse(l->q->core.arena, text.s, text.len, "state", &doc, NULL);
	if (r < 0)
		return r;
	jw_begin(&l->json, '{');
	for (uint32_t i = 0; i < doc.root->n; i++) {
		const struct json *v = json_at(doc.root, i);

		if (!strcmp(v->key, "owner"))
			continue;
		jw_key(&l->json, v->key);
		jw_value(&l->json, v);
	}
	jw_kstr(&l->json, "owner", user_name(&l->users, ct->rec->owner));
	jw_end(&l->json);
	return 0;
}

/* One that cannot be read is told about and left out, as one that is gone by
 * now is left out silently. */
static int list_one(struct listing *l, const char *id, struct err *e)
{
	char text[sizeof e->msg + 80];
	struct container ct;
	struct err why;
	int r;

	r = container_open(&l->q->core, id, false, &ct, &why);
	if (r < 0) {
		if (why.kind != ERR_NOT_FOUND)
			log_printf(LOG_LEVEL_ERROR, "load container %s: %s", id,
				   err_text(&why, text, sizeof text));
		return 0;
	}
	r = l->as_json ? add_json(l, &ct) : add_row(l, &ct);
	container_close(&ct);
	return r < 0 ? err_sys(e, r, "list container %s", id) : 0;
}

static int list_all(struct listing *l, struct sb *out, struct err *e)
{
	static const char *const head[] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
	char **ids;
	size_t n;
	int r;

	r = container_list(&l->q->core, &ids, &n, e);
	if (r < 0)
		return r;
	l->table.columns = ARRAY_SIZE(head);
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		if (table_cell(&l->table, l->q->core.arena, head[i]) < 0)
			return no_memory(e);
	if (l->as_runc && !n) {
		sb_puts(out, "null\n");
		return 0;
	}
	jw_init(&l->json, out, NULL);
	if (l->as_json)
		jw_begin(&l->json, '[');
	for (size_t i = 0; i < n; i++) {
		r = list_one(l, ids[i], e);
		if (r < 0)
			return r;
	}
	if (l->as_json) {
		jw_end(&l->json);
		sb_putc(out, '\n');
	} else {
		table_print(&l->table, out);
	}
	return 0;
}

static int list_quiet(struct request *q, struct sb *out, struct err *e)
{
	char **ids;
	size_t n;
	int r = container_list(&q->core, &ids, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		sb_printf(out, "%s\n", ids[i]);
	return 0;
}

static int list_run(struct request *q, void *options, struct err *e)
{
	const struct list_flags *f = options;
	OWN_SB struct sb out = SB_INIT;
	struct listing l = { .q = q, .users.a = q->core.arena };
	int r;

	l.as_runc = !f->json && !strcmp(f->format, "json");
	l.as_json = f->json || l.as_runc;
	if (f->quiet)
		r = list_quiet(q, &out, e);
	else if (l.as_json || !strcmp(f->format, "table"))
		r = list_all(&l, &out, e);
	else
		r = err_set(e, ERR_INVALID, 0, "invalid format option");
	if (r < 0)
		return r;
	return cli_put_sb(&out, e);
}

const struct verb verb_list = {
	.name = "list",
	.summary = "lists containers started with the given root",
	.description = "Lists the containers below the directory of the global option \"--root\".",
	.options = list_options,
	.options_size = sizeof(struct list_flags),
	.min_args = 0,
	.max_args = 0,
	.run = list_run,
};
