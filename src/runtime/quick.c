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
#include "mount_flag.h"
#include "spec.h"
#include "spec_make.h"
#include "str.h"
#include "verb.h"

enum { CPU_PERIOD = 100000 };

struct wishes {
	struct request *q;
	const struct quick_flags *f;
	struct spec_make make;
	struct err *e;
};

static int bad_flag(struct wishes *c, const char *flag, const char *value)
{
	return err_set(c->e, ERR_INVALID, 0, "invalid value for --%s: \"%s\"", flag, value);
}

static int no_memory(struct wishes *c)
{
	return err_sys(c->e, -ENOMEM, "make a specification");
}

/* ---- process -------------------------------------------------------------- */

static int environment(struct wishes *c)
{
	const struct option_list *given = &c->f->env;
	const char **env = arena_calloc(c->q->core.arena, given->n + 1, sizeof *env);

	if (!env)
		return no_memory(c);
	for (size_t i = 0; i < given->n; i++) {
		const char *value = strchr(given->v[i], '=') ? NULL : getenv(given->v[i]);

		env[i] = value ? arena_printf(c->q->core.arena, "%s=%s", given->v[i], value) :
				 given->v[i];
		if (!env[i])
			return no_memory(c);
	}
	c->make.env = env;
	c->make.n_env = given->n;
	return 0;
}

static int user(struct wishes *c)
{
	const char *s = c->f->user ? c->f->user : "0", *colon = strchr(s, ':');
	const char *uid = colon ? arena_strndup(c->q->core.arena, s, (size_t)(colon - s)) : s;
	uint32_t u, g = 0;

	if (!uid || parse_u32(uid, &u) < 0 || (colon && parse_u32(colon + 1, &g) < 0))
		return bad_flag(c, "user", s);
	c->make.uid = u;
	c->make.gid = colon ? g : u;
	return 0;
}

static int process(struct wishes *c)
{
	static const char *const shell[] = { "sh" };
	int r = user(c);

	c->make.terminal = c->f->tty;
	c->make.cwd = c->f->cwd;
	c->make.args = c->q->n_args < 2 ? shell : (const char *const *)c->q->args + 1;
	c->make.n_args = c->q->n_args < 2 ? ARRAY_SIZE(shell) : c->q->n_args - 1;
	return r < 0 ? r : environment(c);
}

/* ---- mounts --------------------------------------------------------------- */

static int mount(struct wishes *c, const char *flag, struct spec_make_mount *ret)
{
	struct mount_flag m;
	char *copy = arena_strdup(c->q->core.arena, flag);
	const char **options = arena_calloc(c->q->core.arena, ARRAY_SIZE(m.options) + 1, sizeof *options);
	const char *source;
	size_t n = 0;
	int r;

	if (!copy || !options)
		return err_sys(c->e, -ENOMEM, "read --mount");
	if (mount_flag_parse(copy, &m) < 0)
		return bad_flag(c, "mount", flag);
	source = m.source ? m.source : m.type;
	if (!strcmp(m.type, "bind") && *source != '/') {
		r = bundle_path(c->q, source, &source, c->e);
		if (r < 0)
			return r;
	}
	if (!strcmp(m.type, "bind"))
		options[n++] = "rbind";
	for (size_t i = 0; i < m.n_options; i++)
		options[n++] = m.options[i];
	*ret = (struct spec_make_mount){ m.target, m.type, source, options, n };
	return 0;
}

static int mounts(struct wishes *c)
{
	const struct option_list *given = &c->f->mounts;
	struct spec_make_mount *list = arena_calloc(c->q->core.arena, given->n + 1, sizeof *list);
	int r = 0;

	if (!list)
		return no_memory(c);
	for (size_t i = 0; r == 0 && i < given->n; i++)
		r = mount(c, given->v[i], &list[i]);
	c->make.mounts = list;
	c->make.n_mounts = given->n;
	return r;
}

/* ---- linux ---------------------------------------------------------------- */

static int limits(struct wishes *c)
{
	double n;

	if (c->f->memory && (bytes_parse(c->f->memory, &c->make.memory) < 0 || !c->make.memory))
		return bad_flag(c, "memory", c->f->memory);
	c->make.pids = c->f->pids;
	if (!c->f->cpus)
		return 0;
	if (cpus_parse(c->f->cpus, &n) < 0)
		return bad_flag(c, "cpus", c->f->cpus);
	c->make.cpu_quota = (int64_t)(n * CPU_PERIOD + 0.5);
	c->make.cpu_period = CPU_PERIOD;
	return 0;
}

static int network(struct wishes *c)
{
	c->make.host_network = !strcmp(c->f->net, "host");
	if (!c->make.host_network && strcmp(c->f->net, "none") != 0)
		return err_set(c->e, ERR_INVALID, 0,
			       "invalid value for --net: \"%s\": not 'host' or 'none'", c->f->net);
	return 0;
}

static int seccomp(struct wishes *c)
{
	const char *name = c->f->seccomp;
	struct json_doc doc = { 0 };
	char *text;
	size_t len;
	int r;

	c->make.unconfined = !strcmp(name, "unconfined");
	if (c->make.unconfined || !strcmp(name, "default"))
		return 0;
	r = file_read(c->q->core.arena, AT_FDCWD, name, JSON_MAX_SIZE, &text, &len, c->e);
	if (r == 0)
		r = json_parse(c->q->core.arena, text, len, name, &doc, c->e);
	c->make.seccomp = doc.root;
	return r;
}

/* ---- the document --------------------------------------------------------- */

static int read_flags(struct wishes *c)
{
	int r = process(c);

	if (r == 0)
		r = mounts(c);
	if (r == 0)
		r = network(c);
	if (r == 0)
		r = limits(c);
	return r < 0 ? r : seccomp(c);
}

int quick_bundle(struct request *q, const struct quick_flags *f, struct bundle *ret,
		 struct err *e)
{
	struct wishes c = {
		.q = q,
		.f = f,
		.e = e,
		.make = {
			.template = { .rootless = geteuid() != 0, .uid = geteuid(), .gid = getegid() },
			.read_only = f->read_only,
			.hostname = f->hostname ? f->hostname : q->args[0],
			.cgroups_path = f->cgroup_path,
		},
	};
	OWN_SB struct sb text = SB_INIT;
	struct jw w;
	char *copy;
	int r;

	r = container_check_id(q->args[0], e);
	if (r < 0)
		return r;
	r = bundle_path(q, f->rootfs, &c.make.root, e);
	if (r == 0)
		r = bundle_path(q, NULL, &ret->path, e);
	if (r == 0)
		r = read_flags(&c);
	if (r < 0)
		return r;
	jw_init(&w, &text, NULL);
	r = spec_make(&w, q->core.arena, &c.make, e);
	if (r < 0)
		return r;
	copy = text.failed ? NULL : arena_strndup(q->core.arena, text.s, text.len);
	if (!copy)
		return err_sys(e, -ENOMEM, "make a specification");
	ret->text = copy;
	return spec_parse(q->core.arena, copy, text.len, "specification from flags", NULL,
			  &ret->spec, e);
}
