/* A process of HCS's schema -> OCI's `process`. */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci_parts.h"
#include "schema_table.h"

static void write_console_size(struct jw *w, const struct schema_process *p)
{
	jw_kbegin(w, "consoleSize", '{');
	jw_kuint(w, "height", p->console_height);
	jw_kuint(w, "width", p->console_width);
	jw_end(w);
}

static void write_user(struct jw *w, const struct schema_process *p, const struct schema_user *user)
{
	jw_kbegin(w, "user", '{');
	jw_kuint(w, "uid", user ? user->uid : p->uid);
	jw_kuint(w, "gid", user ? user->gid : p->gid);
	if (user && user->n_groups) {
		jw_kbegin(w, "additionalGids", '[');
		for (size_t i = 0; i < user->n_groups; i++)
			jw_uint(w, user->groups[i]);
		jw_end(w);
	}
	jw_end(w);
}

static int write_environment(struct jw *w, struct arena *a, const struct schema_process *p,
			     struct err *e)
{
	jw_kbegin(w, "env", '[');
	for (size_t i = 0; i < p->n_environment; i++) {
		char *entry = arena_printf(a, "%s=%s", p->environment[i].key, p->environment[i].value);

		if (!entry)
			return schema_no_memory(e);
		jw_str(w, entry);
	}
	jw_end(w);
	return 0;
}

static int write_process(struct jw *w, struct arena *a, const struct schema_process *p,
			 const struct schema_user *user, struct err *e)
{
	int r;

	jw_begin(w, '{');
	jw_kbool(w, "terminal", p->emulate_console);
	if (p->has_console_size)
		write_console_size(w, p);
	write_user(w, p, user);
	jw_kbegin(w, "args", '[');
	for (size_t i = 0; i < p->n_args; i++)
		jw_str(w, p->args[i]);
	jw_end(w);
	r = write_environment(w, a, p, e);
	jw_kstr(w, "cwd", p->working_directory ? p->working_directory : "/");
	spec_make_capabilities(w, !p->restricted_token);
	jw_kbool(w, "noNewPrivileges", p->restricted_token);
	jw_end(w);
	return r;
}

/* OCI's own object, with the size of the terminal that HCS's document names. */
static void write_oci(struct jw *w, const struct schema_process *p)
{
	jw_begin(w, '{');
	for (uint32_t i = 0; i < p->oci_document->n; i++) {
		const struct json *m = &p->oci_document->items[i];

		if (p->has_console_size && !strcmp(m->key, "consoleSize"))
			continue;
		jw_key(w, m->key);
		jw_value(w, m);
	}
	if (p->has_console_size)
		write_console_size(w, p);
	jw_end(w);
}

int schema_oci_process(struct arena *a, const struct schema_process *p,
		       const struct schema_user *user, struct schema_text *ret, struct err *e)
{
	OWN_SB struct sb text = SB_INIT;
	struct jw w;
	int r = 0;

	jw_init(&w, &text, NULL);
	switch (p->command) {
	case SCHEMA_COMMAND_INIT:
		return err_set(e, ERR_INVALID, 0,
			       "/CommandLine: is missing: only a system that brings its own command has one");
	case SCHEMA_COMMAND_OCI:
		write_oci(&w, p);
		break;
	case SCHEMA_COMMAND_ARGS:
		if (p->user_name && !user)
			return err_set(e, ERR_NOT_FOUND, 0, "/User: the ids of '%s' are not known",
				       p->user_name);
		r = write_process(&w, a, p, p->user_name ? user : NULL, e);
		break;
	}
	return r < 0 ? r : schema_take_text(a, &text, &ret->text, &ret->len, e);
}
