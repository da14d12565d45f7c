/*
 * /dev: the devices every container has, those that its specification adds,
 * the links, and which devices its cgroup lets it use.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "planner_parts.h"
#include "str.h"

#define ANY (-1)

/* What every container has or may use: runc's list. A path is also a node. */
static const struct default_device {
	const char *path;
	char type;
	int32_t major, minor;
	bool read, write;
} default_devices[] = {
	/* a node may be made for any device; using it is another matter */
	{ NULL, 'c', ANY, ANY, false, false },
	{ NULL, 'b', ANY, ANY, false, false },
	{ "/dev/null", 'c', 1, 3, true, true },
	{ "/dev/random", 'c', 1, 8, true, true },
	{ "/dev/full", 'c', 1, 7, true, true },
	{ "/dev/tty", 'c', 5, 0, true, true },
	{ "/dev/zero", 'c', 1, 5, true, true },
	{ "/dev/urandom", 'c', 1, 9, true, true },
	{ NULL, 'c', 136, ANY, true, true }, /* pseudo-terminals */
	{ NULL, 'c', 5, 2, true, true }, /* /dev/ptmx */
	{ NULL, 'c', 10, 200, true, true }, /* /dev/net/tun */
};

static const struct dev_link {
	const char *path, *to;
	bool replace;
} dev_links[] = {
	{ "/dev/ptmx", "pts/ptmx", true },
	{ "/dev/fd", "/proc/self/fd", false },
	{ "/dev/stdin", "/proc/self/fd/0", false },
	{ "/dev/stdout", "/proc/self/fd/1", false },
	{ "/dev/stderr", "/proc/self/fd/2", false },
	{ "/dev/core", "/proc/kcore", false },
};

static bool spec_has_device(const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->linux->n_devices; i++)
		if (str_eq(s->linux->devices[i].path, path))
			return true;
	return false;
}

/* A default device is allowed, unless the document lists it and has a rule for
 * it: it may be meant for reading only. */
static bool has_own_rule(const struct spec *s, const struct default_device *d)
{
	const struct spec_resources *r = s->linux->resources;

	if (!d->path || !r || !spec_has_device(s, d->path))
		return false;
	for (size_t i = 0; i < r->n_devices; i++)
		if (r->devices[i].type == d->type && r->devices[i].major == d->major &&
		    r->devices[i].minor == d->minor)
			return true;
	return false;
}

/* A bound /dev is the host's business. */
static int dev_is_bound(struct planner *pl, bool *ret)
{
	*ret = false;
	for (size_t i = 0; i < pl->s->n_mounts; i++) {
		const struct spec_mount *m = &pl->s->mounts[i];
		char *dest;

		if (!m->is_bind)
			continue;
		dest = plan_path(pl->a, "/", m->destination);
		if (!dest)
			return plan_nomem(pl);
		if (strcmp(dest, "/dev") == 0)
			*ret = true;
	}
	return 0;
}

static mode_t type_bits(char type)
{
	return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO :
						     S_IFCHR;
}

static int node(struct planner *pl, const struct spec_device *d, const char *pointer)
{
	struct fs_step *s = plan_step(pl, &pl->steps, FS_NODE, d->path, pointer);

	if (!s)
		return plan_nomem(pl);
	s->source = d->path;
	s->mode = type_bits(d->type) | (d->has_mode ? d->mode & 07777 : 0666);
	if (d->type != 'p')
		s->dev = makedev((unsigned)d->major, (unsigned)d->minor);
	s->uid = d->has_uid ? d->uid : 0;
	s->gid = d->has_gid ? d->gid : 0;
	s->skip_exists = !pointer; /* a default device may be there already */
	return 0;
}

static int spec_nodes(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;

	for (size_t i = 0; i < l->n_devices; i++) {
		const struct spec_device *d = &l->devices[i];
		char *pointer = arena_printf(pl->a, "/linux/devices/%zu", i);
		char *path = pointer ? plan_path(pl->a, "/", d->path) : NULL;
		int r;

		if (!path)
			return plan_nomem(pl);
		if (strcmp(path, "/dev/ptmx") == 0)
			continue; /* a link into the container's own devpts */
		if (d->type != 'p' && (d->major < 0 || d->major > 0xfff || d->minor < 0 || d->minor > 0xfffff))
			return plan_bad(pl, pointer, "there is no device %lld:%lld",
					(long long)d->major, (long long)d->minor);
		r = node(pl, d, pointer);
		if (r < 0)
			return r;
	}
	return 0;
}

static int default_nodes(struct planner *pl)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		const struct default_device *d = &default_devices[i];
		struct spec_device dev = {
			.type = d->type,
			.path = (char *)(uintptr_t)d->path,
			.major = d->major,
			.minor = d->minor,
		};
		int r;

		if (!d->path || spec_has_device(pl->s, d->path))
			continue;
		r = node(pl, &dev, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int links(struct planner *pl)
{
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++) {
		struct fs_step *s;

		if (str_eq(dev_links[i].path, "/dev/core") && !pl->f->has_kcore)
			continue;
		s = plan_step(pl, &pl->steps, FS_SYMLINK, dev_links[i].path, NULL);
		if (!s)
			return plan_nomem(pl);
		s->source = dev_links[i].to;
		s->skip_exists = !dev_links[i].replace;
	}
	return 0;
}

int plan_devices(struct planner *pl)
{
	bool bound;
	int r = dev_is_bound(pl, &bound);

	if (r < 0 || bound)
		return r;
	r = default_nodes(pl);
	if (r >= 0)
		r = spec_nodes(pl);
	return r < 0 ? r : links(pl);
}

int plan_device_rules(struct arena *a, const struct spec *s,
		      struct spec_device_rule **ret, size_t *n)
{
	const struct spec_resources *r = s->linux->resources;
	size_t given = r ? r->n_devices : 0;
	struct spec_device_rule *rules = arena_calloc(a, given + ARRAY_SIZE(default_devices),
						      sizeof *rules);

	if (!rules)
		return -ENOMEM;
	if (given)
		memcpy(rules, r->devices, given * sizeof *rules);
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		const struct default_device *d = &default_devices[i];

		if (has_own_rule(s, d))
			continue;
		rules[given++] = (struct spec_device_rule){
			.allow = true,
			.type = d->type,
			.major = d->major,
			.minor = d->minor,
			.read = d->read,
			.write = d->write,
			.mknod = true,
		};
	}
	*ret = rules;
	*n = given;
	return 0;
}
