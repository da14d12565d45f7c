/* Reading berthd's configuration; see daemon_settings.h and docs/berthd.md. */
#include "daemon_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "file.h"
#include "identifier.h"
#include "json.h"
#include "mem.h"
#include "str.h"

#define SETTINGS_FILE "/etc/berth/berthd.json"

/* { "RUNTIME": "PROGRAM", ... } */
static JSON_DECODER(decode_shims)
{
	struct daemon_settings *s = obj;
	int r;

	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	s->n_shims = 0;
	s->shims = arena_calloc(d->a, v->n + 1, sizeof *s->shims);
	if (!s->shims)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *one = &v->items[i];

		if (!json_want(d, one, JSON_STRING, &r))
			return r;
		if (identifier_check(one->key, NULL) < 0)
			return json_fail(d, one, "'%s' is no name of a runtime", one->key);
		if (!one->n || (*one->s != '/' && strchr(one->s, '/')))
			return json_fail(d, one, "'%s' is neither an absolute path nor the name of a program", one->s);
		s->shims[s->n_shims].runtime = arena_strdup(d->a, one->key);
		s->shims[s->n_shims].program = arena_strdup(d->a, one->s);
		if (!s->shims[s->n_shims].runtime || !s->shims[s->n_shims].program)
			return json_nomem(d);
		s->n_shims++;
	}
	return 0;
}

static void print_shims(struct jw *w, const struct daemon_settings *s)
{
	for (size_t i = 0; i < s->n_shims; i++)
		jw_kstr(w, s->shims[i].runtime, s->shims[i].program);
}

const char *daemon_settings_shim(const struct daemon_settings *s, const char *runtime)
{
	for (size_t i = 0; i < s->n_shims; i++)
		if (!strcmp(s->shims[i].runtime, runtime))
			return s->shims[i].program;
	return NULL;
}

static const struct json_field fields[] = {
	JSON_FIELD("root", json_dec_string, struct daemon_settings, root, JSON_NONEMPTY),
	JSON_FIELD("address", json_dec_string, struct daemon_settings, address, JSON_NONEMPTY),
	JSON_FIELD("uid", json_dec_u32, struct daemon_settings, uid, 0),
	JSON_FIELD("gid", json_dec_u32, struct daemon_settings, gid, 0),
	JSON_FIELD("metrics", json_dec_string, struct daemon_settings, metrics, 0),
	JSON_FIELD("log_level", json_dec_string, struct daemon_settings, log_level, JSON_NONEMPTY),
	JSON_FIELD("log_format", json_dec_string, struct daemon_settings, log_format, JSON_NONEMPTY),
	JSON_FIELD("log_file", json_dec_string, struct daemon_settings, log_file, 0),
	JSON_FIELD("shims", decode_shims, struct daemon_settings, shims, 0),
	JSON_FIELD("no_shim", json_dec_bool, struct daemon_settings, no_shim, 0),
	JSON_FIELD_ARG("engine", json_dec_object, struct daemon_settings, engine, 0, engine_settings_fields),
	{ 0 },
};

/* `doc` keeps its text: what is wrong has a place there. */
static int read_file(struct arena *a, const char *given, struct daemon_settings *ret, struct json_doc *doc,
		     struct err *e)
{
	const char *path = given ? given : SETTINGS_FILE;
	struct json_dec d = { .doc = doc, .a = a, .refuse_unknown = true, .columns = true, .e = e };
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path, JSON_MAX_SIZE, &text, &len, e);

	if (r == -ENOENT && !given)
		return 0;
	if (r >= 0)
		r = json_parse(a, text, len, path, doc, e);
	if (r >= 0)
		r = json_decode(&d, doc->root, fields, ret);
	return r < 0 ? r : json_dec_end(&d);
}

/* Those that a member and a flag are for. */
static const struct given {
	const char *key;
	size_t flag, member;
} given[] = {
	{ "root", offsetof(struct daemon_flags, root), offsetof(struct daemon_settings, root) },
	{ "state", offsetof(struct daemon_flags, state), offsetof(struct daemon_settings, engine.state) },
	{ "address", offsetof(struct daemon_flags, address), offsetof(struct daemon_settings, address) },
	{ "log-level", offsetof(struct daemon_flags, log_level), offsetof(struct daemon_settings, log_level) },
	{ "log-format", offsetof(struct daemon_flags, log_format), offsetof(struct daemon_settings, log_format) },
};

static int take_flags(struct arena *a, const struct daemon_flags *f, struct daemon_settings *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		const char *value = *(const char *const *)((const char *)f + given[i].flag);
		char *copy;

		if (!value)
			continue;
		if (!*value)
			return err_set(e, ERR_INVALID, 0, "--%s: is empty", given[i].key);
		copy = arena_strdup(a, value);
		if (!copy)
			return err_sys(e, -ENOMEM, "--%s", given[i].key);
		*(char **)((char *)ret + given[i].member) = copy;
	}
	return 0;
}

static int check_word(const char *name, const char *value, const char *const *words, struct err *e)
{
	for (size_t i = 0; words[i]; i++)
		if (!strcmp(words[i], value))
			return 0;
	return err_set(e, ERR_INVALID, 0, "%s: '%s' is none of those there are ('%s' is one)", name, value, words[0]);
}

/* What a table of types does not say. */
static int check(const struct daemon_settings *s, struct err *e)
{
	static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
	static const char *const formats[] = { "text", "json", "journal", NULL };
	int r = 0;

	if (*s->root != '/')
		r = err_set(e, ERR_INVALID, 0, "root: '%s' is no absolute path", s->root);
	if (r >= 0 && *s->address != '/')
		r = err_set(e, ERR_INVALID, 0, "address: '%s' is no absolute path", s->address);
	/* With ".ttrpc" it has to be the path of a socket, too. */
	if (r >= 0 && strlen(s->address) > 100)
		r = err_set(e, ERR_INVALID, 0, "address: '%s' is too long for a socket", s->address);
	if (r >= 0)
		r = check_word("log_level", s->log_level, levels, e);
	if (r >= 0)
		r = check_word("log_format", s->log_format, formats, e);
	if (r >= 0 && s->no_shim && *s->engine.shim_cgroup)
		r = err_set(e, ERR_INVALID, 0, "no_shim: there is no shim that could enter the shim_cgroup '%s'",
			    s->engine.shim_cgroup);
	return r < 0 ? r : engine_settings_check(&s->engine, e);
}

int daemon_settings_default(struct arena *a, struct daemon_settings *ret, struct err *e)
{
	static char root[] = "/var/lib/berth", address[] = "/run/berth/berthd.sock", none[] = "";
	static char level[] = "info", format[] = "text";

	*ret = (struct daemon_settings){
		.root = root,
		.address = address,
		.metrics = none,
		.log_level = level,
		.log_format = format,
		.log_file = none,
	};
	return engine_settings_read(a, &ret->engine, e);
}

/* The value that `e` is about, which begins with its name; NULL: it is not the file's. */
static const struct json *wrong_value(const struct json *root, const struct daemon_flags *f, const struct err *e)
{
	char name[64];
	const struct json *v;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(e->msg, ":"), e->msg);
	v = json_get(root, name);
	v = v ? v : json_get(json_get(root, "engine"), name);
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (!strcmp(given[i].key, name) && *(const char *const *)((const char *)f + given[i].flag))
			return NULL;
	return v;
}

int daemon_settings_read(struct arena *a, const struct daemon_flags *f, struct daemon_settings *ret, struct err *e)
{
	struct json_doc doc = { 0 };
	const struct json *v;
	int r = daemon_settings_default(a, ret, e), line, column;

	if (r >= 0)
		r = read_file(a, f->config, ret, &doc, e);
	if (r >= 0)
		r = take_flags(a, f, ret, e);
	if (r < 0)
		return r;
	r = check(ret, e);
	v = r < 0 ? wrong_value(doc.root, f, e) : NULL;
	if (!v)
		return r;
	json_place(&doc, v, &line, &column);
	return err_wrap(e, r, "%s:%d:%d", doc.name, line, column);
}

/* ---- reading them again ------------------------------------------------------------------ */

/* What was made of it at the start cannot be made anew while we run. */
static const size_t fixed_members[] = {
	offsetof(struct daemon_settings, root),	   offsetof(struct daemon_settings, address),
	offsetof(struct daemon_settings, uid),	   offsetof(struct daemon_settings, gid),
	offsetof(struct daemon_settings, metrics), offsetof(struct daemon_settings, engine.state),
};

static bool is_fixed(size_t member)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixed_members); i++)
		if (fixed_members[i] == member)
			return true;
	return false;
}

static bool shims_differ(const struct daemon_settings *a, const struct daemon_settings *b)
{
	const char *program;

	for (size_t i = 0; i < a->n_shims && a->n_shims == b->n_shims; i++) {
		program = daemon_settings_shim(b, a->shims[i].runtime);
		if (!program || strcmp(program, a->shims[i].program) != 0)
			return true;
	}
	return a->n_shims != b->n_shims;
}

static bool differs(const struct json_field *f, const void *a, const void *b)
{
	if (f->decode == decode_shims)
		return shims_differ((const void *)((const char *)a - f->offset),
				    (const void *)((const char *)b - f->offset));
	if (f->decode == json_dec_string)
		return strcmp(*(const char *const *)a, *(const char *const *)b) != 0;
	return f->decode == json_dec_bool ? *(const bool *)a != *(const bool *)b :
					    *(const uint32_t *)a != *(const uint32_t *)b;
}

/* `base` is the place of the table's struct in the settings, whose members the lists name. */
static void compare(const struct json_field *f, size_t base, const struct daemon_settings *now,
		    struct settings_again *ret)
{
	for (; f->key; f++) {
		size_t member = base + f->offset;
		const void *from = (const char *)now + member;
		const void *to = (const char *)&ret->next + member;
		struct sb *names = is_fixed(member) ? &ret->fixed : &ret->taken;

		if (f->decode == json_dec_object)
			compare(f->arg, member, now, ret);
		else if (differs(f, from, to))
			sb_printf(names, "%s%s%s", names->len ? ", " : "", base ? "engine." : "", f->key);
	}
}

int daemon_settings_again(struct arena *a, const struct daemon_flags *f, const struct daemon_settings *now,
			  struct settings_again *ret, struct err *e)
{
	struct daemon_settings *next = &ret->next;
	int r = daemon_settings_read(a, f, next, e);

	if (r < 0)
		return r;
	compare(fields, 0, now, ret);
	next->root = now->root;
	next->address = now->address;
	next->uid = now->uid;
	next->gid = now->gid;
	next->metrics = now->metrics;
	next->engine.state = now->engine.state;
	return 0;
}

static void print_fields(struct jw *w, const struct json_field *f, const void *obj)
{
	for (; f->key; f++) {
		const void *at = (const char *)obj + f->offset;

		if (f->decode == json_dec_string)
			jw_kstr(w, f->key, *(const char *const *)at);
		else if (f->decode == json_dec_bool)
			jw_kbool(w, f->key, *(const bool *)at);
		else if (f->decode == json_dec_u32)
			jw_kuint(w, f->key, *(const uint32_t *)at);
		else {
			jw_kbegin(w, f->key, '{');
			if (f->decode == decode_shims)
				print_shims(w, obj);
			else
				print_fields(w, f->arg, at);
			jw_end(w);
		}
	}
}

void daemon_settings_print(const struct daemon_settings *s, struct sb *out)
{
	struct jw w;

	jw_init(&w, out, "\t");
	jw_begin(&w, '{');
	print_fields(&w, fields, s);
	jw_end(&w);
	sb_putc(out, '\n');
}
