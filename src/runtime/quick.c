/* run --rootfs: flags and a command -> the text of a config.json. */
#include "quick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "err.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "names.h"
#include "spec.h"
#include "spec_seccomp_default.h"
#include "spec_template.h"
#include "str.h"
#include "verb.h"

enum { CPU_PERIOD = 100000 };

/* What a container gets that was not asked for more or less: docker's set. */
static const char *const capabilities[] = {
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
	"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
};

struct writer {
	struct request *q;
	const struct quick_flags *f;
	const char *rootfs; /* absolute */
	struct jw w;
	struct err *e;
};

static int bad_flag(struct writer *c, const char *flag, const char *value)
{
	return err_set(c->e, ERR_INVALID, 0, "invalid value for --%s: \"%s\"", flag, value);
}

/* ---- process -------------------------------------------------------------- */

static bool is_set_by_flag(const struct quick_flags *f, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (size_t i = 0; i < f->env.n; i++)
		if (!strncmp(f->env.v[i], entry, n) && (f->env.v[i][n] == '=' || !f->env.v[i][n]))
			return true;
	return false;
}

static void environment(struct writer *c, const struct json *from)
{
	const struct quick_flags *f = c->f;

	jw_kbegin(&c->w, "env", '[');
	for (uint32_t i = 0; from && i < from->n; i++) {
		const char *entry = json_string(json_at(from, i), "");

		if (!is_set_by_flag(f, entry))
			jw_str(&c->w, entry);
	}
	for (size_t i = 0; i < f->env.n; i++) {
		const char *value;

		if (strchr(f->env.v[i], '=')) {
			jw_str(&c->w, f->env.v[i]);
			continue;
		}
		value = getenv(f->env.v[i]);
		if (value)
			jw_str(&c->w, arena_printf(c->q->core.arena, "%s=%s", f->env.v[i], value));
	}
	jw_end(&c->w);
}

static int user(struct writer *c)
{
	const char *s = c->f->user ? c->f->user : "0", *colon = strchr(s, ':');
	const char *uid = colon ? arena_strndup(c->q->core.arena, s, (size_t)(colon - s)) : s;
	uint32_t u, g = 0;

	if (!uid || parse_u32(uid, &u) < 0 || (colon && parse_u32(colon + 1, &g) < 0))
		return bad_flag(c, "user", s);
	jw_kbegin(&c->w, "user", '{');
	jw_kuint(&c->w, "uid", u);
	jw_kuint(&c->w, "gid", colon ? g : u);
	jw_end(&c->w);
	return 0;
}

static int process(struct writer *c, const struct json *from)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	int r;

	jw_kbegin(&c->w, "process", '{');
	jw_kbool(&c->w, "terminal", c->f->tty);
	r = user(c);
	if (r < 0)
		return r;
	jw_kbegin(&c->w, "args", '[');
	if (c->q->n_args < 2)
		jw_str(&c->w, "sh");
	for (size_t i = 1; i < c->q->n_args; i++)
		jw_str(&c->w, c->q->args[i]);
	jw_end(&c->w);
	environment(c, json_get(from, "env"));
	jw_kstr(&c->w, "cwd", c->f->cwd ? c->f->cwd : "/");
	jw_kbegin(&c->w, "capabilities", '{');
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		jw_kbegin(&c->w, sets[i], '[');
		for (size_t k = 0; k < ARRAY_SIZE(capabilities); k++)
			jw_str(&c->w, capabilities[k]);
		jw_end(&c->w);
	}
	jw_end(&c->w);
	jw_kbool(&c->w, "noNewPrivileges", true);
	jw_end(&c->w);
	return 0;
}

/* ---- mounts --------------------------------------------------------------- */

struct mount_words {
	const char *type, *source, *target;
	const char *options[32];
	size_t n;
};

static int add_option(struct mount_words *m, const char *s)
{
	if (m->n == ARRAY_SIZE(m->options))
		return -E2BIG;
	m->options[m->n++] = s;
	return 0;
}

/* "type=bind,src=/a,dst=/b,ro" */
static int split_keys(char *s, struct mount_words *m)
{
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&s, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (!strcmp(word, "type") && value)
			m->type = value;
		else if ((!strcmp(word, "src") || !strcmp(word, "source")) && value)
			m->source = value;
		else if ((!strcmp(word, "dst") || !strcmp(word, "target") ||
			  !strcmp(word, "destination")) &&
			 value)
			m->target = value;
		else if (!strcmp(word, "readonly"))
			r = add_option(m, "ro");
		else if (value)
			r = (value[-1] = '=', add_option(m, word)); /* size=1m: the file system's */
		else
			r = add_option(m, word);
	}
	return r;
}

/* "SRC:DST[:options]" */
static int split_colons(char *s, struct mount_words *m)
{
	char *options, *word;
	int r = 0;

	m->source = strsep(&s, ":");
	m->target = strsep(&s, ":");
	options = s;
	while (r == 0 && options && (word = strsep(&options, ",")))
		r = add_option(m, word);
	return r;
}

static int mount(struct writer *c, const char *flag)
{
	struct mount_words m = { .type = "bind" };
	char *copy = arena_strdup(c->q->core.arena, flag);
	const char *source;
	int r;

	if (!copy)
		return err_sys(c->e, -ENOMEM, "read --mount");
	if (strcspn(flag, "=") < strcspn(flag, ":"))
		r = split_keys(copy, &m);
	else
		r = split_colons(copy, &m);
	if (r < 0 || !m.target || *m.target != '/' || (!strcmp(m.type, "bind") && !m.source))
		return bad_flag(c, "mount", flag);
	source = m.source ? m.source : m.type;
	if (!strcmp(m.type, "bind") && *source != '/') {
		r = bundle_path(c->q, source, &source, c->e);
		if (r < 0)
			return r;
	}
	jw_begin(&c->w, '{');
	jw_kstr(&c->w, "destination", m.target);
	jw_kstr(&c->w, "type", m.type);
	jw_kstr(&c->w, "source", source);
	jw_kbegin(&c->w, "options", '[');
	if (!strcmp(m.type, "bind"))
		jw_str(&c->w, "rbind");
	for (size_t i = 0; i < m.n; i++)
		jw_str(&c->w, m.options[i]);
	jw_end(&c->w);
	jw_end(&c->w);
	return 0;
}

static int mounts(struct writer *c, const struct json *from)
{
	int r = 0;

	jw_kbegin(&c->w, "mounts", '[');
	for (uint32_t i = 0; from && i < from->n; i++)
		jw_value(&c->w, json_at(from, i));
	for (size_t i = 0; r == 0 && i < c->f->mounts.n; i++)
		r = mount(c, c->f->mounts.v[i]);
	jw_end(&c->w);
	return r;
}

/* ---- linux ---------------------------------------------------------------- */

static int memory(struct writer *c)
{
	int64_t bytes;

	if (!c->f->memory)
		return 0;
	if (bytes_parse(c->f->memory, &bytes) < 0 || !bytes)
		return bad_flag(c, "memory", c->f->memory);
	jw_kbegin(&c->w, "memory", '{');
	jw_kint(&c->w, "limit", bytes);
	jw_end(&c->w);
	return 0;
}

static int cpus(struct writer *c)
{
	char *end;
	double n;

	if (!c->f->cpus)
		return 0;
	n = strtod(c->f->cpus, &end);
	if (end == c->f->cpus || *end || !(n >= 0.01 && n <= 100000))
		return bad_flag(c, "cpus", c->f->cpus);
	jw_kbegin(&c->w, "cpu", '{');
	jw_kint(&c->w, "quota", (int64_t)(n * CPU_PERIOD + 0.5));
	jw_kuint(&c->w, "period", CPU_PERIOD);
	jw_end(&c->w);
	return 0;
}

static int resources(struct writer *c, const struct json *from)
{
	int r;

	jw_kbegin(&c->w, "resources", '{');
	if (json_get(from, "devices")) {
		jw_key(&c->w, "devices");
		jw_value(&c->w, json_get(from, "devices"));
	}
	r = memory(c);
	if (r == 0)
		r = cpus(c);
	if (r == 0 && c->f->pids) {
		jw_kbegin(&c->w, "pids", '{');
		jw_kint(&c->w, "limit", c->f->pids);
		jw_end(&c->w);
	}
	jw_end(&c->w);
	return r;
}

static int namespaces(struct writer *c, const struct json *from)
{
	bool host = !strcmp(c->f->net, "host");

	if (!host && strcmp(c->f->net, "none") != 0)
		return err_set(c->e, ERR_INVALID, 0,
			       "invalid value for --net: \"%s\": not 'host' or 'none'", c->f->net);
	jw_kbegin(&c->w, "namespaces", '[');
	for (uint32_t i = 0; from && i < from->n; i++) {
		const char *type = json_string(json_get(json_at(from, i), "type"), "");

		if (strcmp(type, "network") != 0)
			jw_value(&c->w, json_at(from, i));
	}
	if (!host) {
		jw_begin(&c->w, '{');
		jw_kstr(&c->w, "type", "network");
		jw_end(&c->w);
	}
	jw_end(&c->w);
	return 0;
}

static int seccomp(struct writer *c)
{
	const char *name = c->f->seccomp;
	struct json_doc doc = { 0 };
	uint64_t caps = 0, n;
	char *text;
	size_t len;
	int r;

	if (!strcmp(name, "unconfined"))
		return 0;
	jw_key(&c->w, "seccomp");
	if (!strcmp(name, "default")) {
		for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
			if (name_value(capability_names, capabilities[i], &n) == 0)
				caps |= (uint64_t)1 << n;
		spec_seccomp_default(&c->w, caps);
		return 0;
	}
	r = file_read(c->q->core.arena, AT_FDCWD, name, JSON_MAX_SIZE, &text, &len, c->e);
	if (r == 0)
		r = json_parse(c->q->core.arena, text, len, name, &doc, c->e);
	if (r < 0)
		return r;
	jw_value(&c->w, doc.root);
	return 0;
}

static int linux_section(struct writer *c, const struct json *from)
{
	int r;

	jw_kbegin(&c->w, "linux", '{');
	for (uint32_t i = 0; i < from->n; i++) {
		const struct json *v = json_at(from, i);

		if (!strcmp(v->key, "namespaces") || !strcmp(v->key, "resources"))
			continue;
		jw_key(&c->w, v->key);
		jw_value(&c->w, v);
	}
	if (c->f->cgroup_path)
		jw_kstr(&c->w, "cgroupsPath", c->f->cgroup_path);
	r = namespaces(c, json_get(from, "namespaces"));
	if (r == 0)
		r = resources(c, json_get(from, "resources"));
	if (r == 0)
		r = seccomp(c);
	jw_end(&c->w);
	return r;
}

/* ---- the document --------------------------------------------------------- */

static int write_spec(struct writer *c, const struct json *from)
{
	int r;

	jw_begin(&c->w, '{');
	jw_kstr(&c->w, "ociVersion", json_string(json_get(from, "ociVersion"), "1.0.0"));
	r = process(c, json_get(from, "process"));
	if (r < 0)
		return r;
	jw_kbegin(&c->w, "root", '{');
	jw_kstr(&c->w, "path", c->rootfs);
	jw_kbool(&c->w, "readonly", c->f->read_only);
	jw_end(&c->w);
	jw_kstr(&c->w, "hostname", c->f->hostname ? c->f->hostname : c->q->args[0]);
	r = mounts(c, json_get(from, "mounts"));
	if (r < 0)
		return r;
	r = linux_section(c, json_get(from, "linux"));
	jw_end(&c->w);
	return r;
}

static int read_template(struct request *q, struct json_doc *ret, struct err *e)
{
	struct template_options o = {
		.rootless = geteuid() != 0,
		.uid = geteuid(),
		.gid = getegid(),
	};
	OWN_SB struct sb text = SB_INIT;

	spec_template_print(&text, &o);
	if (text.failed)
		return err_sys(e, -ENOMEM, "make a specification");
	return json_parse(q->core.arena, text.s, text.len, "default specification", ret, e);
}

int quick_bundle(struct request *q, const struct quick_flags *f, struct bundle *ret,
		 struct err *e)
{
	struct writer c = { .q = q, .f = f, .e = e };
	OWN_SB struct sb text = SB_INIT;
	struct json_doc doc = { 0 };
	char *copy;
	int r;

	r = container_check_id(q->args[0], e);
	if (r < 0)
		return r;
	r = bundle_path(q, f->rootfs, &c.rootfs, e);
	if (r == 0)
		r = bundle_path(q, NULL, &ret->path, e);
	if (r == 0)
		r = read_template(q, &doc, e);
	if (r < 0)
		return r;
	jw_init(&c.w, &text, NULL);
	r = write_spec(&c, doc.root);
	if (r < 0)
		return r;
	copy = text.failed ? NULL : arena_strndup(q->core.arena, text.s, text.len);
	if (!copy)
		return err_sys(e, -ENOMEM, "make a specification");
	ret->text = copy;
	return spec_parse(q->core.arena, copy, text.len, "specification from flags", NULL,
			  &ret->spec, e);
}
