/*
 * Which cgroup hierarchies this host has, and where: from /proc/self/cgroup
 * (the hierarchies) and mountinfo (their mountpoints). Names below
 * /sys/fs/cgroup say nothing: plain directories there can look like
 * controllers.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "str.h"
#include "sys.h"

static const char v2_default[] = "/sys/fs/cgroup";

/* One line, without its newline; advances *text. NULL at the end. */
static const char *next_line(const char **text, size_t *len)
{
	const char *line = *text;

	if (!*line)
		return NULL;
	*len = strcspn(line, "\n");
	*text = line + *len + (line[*len] == '\n');
	return line;
}

/* One space-separated field; advances *p within [*p, end). */
static const char *next_field(const char **p, const char *end, size_t *len)
{
	const char *f = *p;

	while (f < end && *f == ' ')
		f++;
	*p = f;
	while (*p < end && **p != ' ')
		++*p;
	*len = (size_t)(*p - f);
	return *len ? f : NULL;
}

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' &&
	       s[2] >= '0' && s[2] <= '7';
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static char *unescape(struct arena *a, const char *s, size_t len)
{
	char *d = arena_strndup(a, s, len), *w = d;

	if (!d)
		return NULL;
	for (const char *r = d; *r; r++) {
		if (r[0] == '\\' && is_octal(r + 1)) {
			*w++ = (char)((r[1] - '0') * 64 + (r[2] - '0') * 8 + (r[3] - '0'));
			r += 3;
		} else {
			*w++ = *r;
		}
	}
	*w = '\0';
	return d;
}

/* Whether `name` is one of the comma-separated words of list[0..len). */
static bool in_list(const char *list, size_t len, const char *name, size_t name_len)
{
	const char *end = list + len;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t n = comma ? (size_t)(comma - list) : (size_t)(end - list);

		if (n == name_len && !memcmp(list, name, n))
			return true;
		list += n + 1;
	}
	return false;
}

/* Whether the mount options name every controller of the hierarchy. */
static bool is_mount_of(const char *opts, size_t len, const char *controllers)
{
	while (*controllers) {
		size_t n = strcspn(controllers, ",");

		if (!in_list(opts, len, controllers, n))
			return false;
		controllers += n + (controllers[n] == ',');
	}
	return true;
}

/* "4:memory:/own/path": a hierarchy without a mountpoint so far. */
static int parse_own(struct cgroup_host *h, struct arena *a, const char *line, size_t len)
{
	const char *end = line + len;
	const char *c1 = memchr(line, ':', len), *c2;
	struct cgroup_hierarchy *x;

	c2 = c1 ? memchr(c1 + 1, ':', (size_t)(end - c1 - 1)) : NULL;
	if (!c2)
		return 0;
	if (h->n == CGROUP_MAX_HIERARCHIES)
		return -E2BIG;
	x = &h->h[h->n++];
	x->controllers = arena_strndup(a, c1 + 1, (size_t)(c2 - c1 - 1));
	x->own = arena_strndup(a, c2 + 1, (size_t)(end - c2 - 1));
	return x->controllers && x->own ? 0 : -ENOMEM;
}

struct mount_line {
	const char *root, *point, *type, *opts;
	size_t root_len, point_len, type_len, opts_len;
};

/* "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755" */
static bool parse_mount(const char *line, size_t len, struct mount_line *m)
{
	const char *p = line, *end = line + len, *f;
	size_t n;

	for (int i = 0; i < 3; i++)
		next_field(&p, end, &n);
	m->root = next_field(&p, end, &m->root_len);
	m->point = next_field(&p, end, &m->point_len);
	next_field(&p, end, &n);
	while ((f = next_field(&p, end, &n)) && !(n == 1 && *f == '-'))
		;
	m->type = next_field(&p, end, &m->type_len);
	next_field(&p, end, &n);
	m->opts = next_field(&p, end, &m->opts_len);
	return m->opts != NULL;
}

/* Several mounts can show one hierarchy: one below /sys/fs/cgroup is better
 * than one elsewhere; of two at the same place the later covers the earlier. */
static bool is_better(const struct cgroup_hierarchy *x, const char *point)
{
	bool old_usual, new_usual;

	if (!x->mountpoint)
		return true;
	old_usual = str_starts(x->mountpoint, v2_default);
	new_usual = str_starts(point, v2_default);
	return new_usual > old_usual || str_eq(x->mountpoint, point);
}

static int set_mount(struct cgroup_hierarchy *x, struct arena *a, const struct mount_line *m)
{
	char *point = unescape(a, m->point, m->point_len);
	char *root = unescape(a, m->root, m->root_len);

	if (!point || !root)
		return -ENOMEM;
	if (is_better(x, point)) {
		x->mountpoint = point;
		x->mount_root = root;
	}
	return 0;
}

static int match_mount(struct cgroup_host *h, struct arena *a, const struct mount_line *m)
{
	bool v1 = m->type_len == 6 && !memcmp(m->type, "cgroup", 6);
	bool v2 = m->type_len == 7 && !memcmp(m->type, "cgroup2", 7);
	int r = 0;

	if (!v1 && !v2)
		return 0;
	for (size_t i = 0; i < h->n && r == 0; i++) {
		struct cgroup_hierarchy *x = &h->h[i];

		if (v2 ? !*x->controllers :
			 *x->controllers && is_mount_of(m->opts, m->opts_len, x->controllers))
			r = set_mount(x, a, m);
	}
	return r;
}

/* v2 if it sits at /sys/fs/cgroup itself or no v1 controller is mounted. */
static enum cgroup_mode mode_of(const struct cgroup_host *h)
{
	bool v1 = false, v2 = false;

	for (size_t i = 0; i < h->n; i++) {
		const struct cgroup_hierarchy *x = &h->h[i];

		if (!x->mountpoint)
			continue;
		if (!*x->controllers && str_eq(x->mountpoint, v2_default))
			return CGROUP_V2;
		v2 |= !*x->controllers;
		v1 |= *x->controllers && !str_starts(x->controllers, "name=");
	}
	return v1 ? CGROUP_V1 : v2 ? CGROUP_V2 : CGROUP_NONE;
}

/* Leaves what is mounted and belongs to the mode. */
static void drop_others(struct cgroup_host *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->h[i].mountpoint && (h->mode == CGROUP_V2) == !*h->h[i].controllers)
			h->h[n++] = h->h[i];
	h->n = n;
}

int cgroup_host_parse(struct cgroup_host *h, struct arena *a, const char *mountinfo,
		      const char *self_cgroup, struct err *e)
{
	struct mount_line m;
	const char *line;
	size_t len;
	int r = 0;

	*h = (struct cgroup_host){ .mode = CGROUP_NONE };
	while (r == 0 && (line = next_line(&self_cgroup, &len)))
		r = parse_own(h, a, line, len);
	while (r == 0 && (line = next_line(&mountinfo, &len)))
		if (parse_mount(line, len, &m))
			r = match_mount(h, a, &m);
	if (r < 0) {
		*h = (struct cgroup_host){ .mode = CGROUP_NONE };
		return err_set(e, ERR_INTERNAL, r, "find the cgroup hierarchies");
	}
	h->mode = mode_of(h);
	drop_others(h);
	return 0;
}

/* A small file of /proc into a buffer, a large one into the arena: mountinfo
 * is a few KiB, and fresh pages for more would cost more than the read. */
static int read_proc(struct arena *a, const char *path, char *buf, size_t cap, char **ret,
		     struct err *e)
{
	ssize_t n = file_read_line(AT_FDCWD, path, buf, cap);

	if (n == -EFBIG)
		return file_read(a, AT_FDCWD, path, (size_t)64 << 20, ret, NULL, e);
	if (n < 0)
		return err_sys(e, (int)n, "read '%s'", path);
	*ret = buf;
	return 0;
}

static bool is_pure_v2(void)
{
	OWN_FD fd = sys_openat(AT_FDCWD, v2_default, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statfs st;

	return fd >= 0 && sys_fstatfs(fd, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

static int read_v2_controllers(struct cgroup_host *h, struct arena *a, struct err *e)
{
	OWN_FD dir = sys_openat(AT_FDCWD, h->h[0].mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char buf[512];
	ssize_t n = dir < 0 ? dir : file_read_line(dir, "cgroup.controllers", buf, sizeof buf);

	if (n < 0)
		return err_sys(e, (int)n, "read the controllers of '%s'", h->h[0].mountpoint);
	h->v2_controllers = arena_strdup(a, buf);
	return h->v2_controllers ? 0 : err_sys(e, -ENOMEM, "read the cgroup controllers");
}

int cgroup_host_read(struct cgroup_host *h, struct arena *a, struct err *e)
{
	/* With thousands of mounts mountinfo costs milliseconds: a host whose
	 * /sys/fs/cgroup is v2 needs none of it. */
	static const char pure_v2[] = "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
	char mounts[16384], own[4096];
	char *mountinfo = (char *)(uintptr_t)pure_v2, *self;
	int r;

	r = read_proc(a, "/proc/self/cgroup", own, sizeof own, &self, e);
	if (r == -ENOENT) { /* a kernel without cgroups */
		*h = (struct cgroup_host){ .mode = CGROUP_NONE };
		return 0;
	}
	if (r == 0 && !is_pure_v2())
		r = read_proc(a, "/proc/self/mountinfo", mounts, sizeof mounts, &mountinfo, e);
	if (r == 0)
		r = cgroup_host_parse(h, a, mountinfo, self, e);
	if (r == 0 && h->mode == CGROUP_V2)
		r = read_v2_controllers(h, a, e);
	return r;
}

int cgroup_hierarchy_of(const struct cgroup_host *host, const char *controller)
{
	if (host->mode == CGROUP_V2)
		return host->n ? 0 : -1;
	for (size_t i = 0; i < host->n; i++) {
		const char *list = host->h[i].controllers;

		if (in_list(list, strlen(list), controller, strlen(controller)))
			return (int)i;
	}
	return -1;
}

int cgroup_path_from_spec(struct arena *a, const char *cgroups_path, const char *id, char **ret,
			  struct err *e)
{
	const char *p = cgroups_path;
	char *out, *w;

	if (str_empty(p)) {
		*ret = arena_printf(a, CGROUP_DEFAULT_PARENT "/%s", id);
		return *ret ? 0 : err_sys(e, -ENOMEM, "choose the cgroup");
	}
	out = w = arena_alloc(a, strlen(p) + 2);
	if (!out)
		return err_sys(e, -ENOMEM, "choose the cgroup");
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && !memcmp(p, "..", 2))
			return err_set(e, ERR_INVALID, 0,
				       "'%s' must not contain '..'", cgroups_path);
		if (n > 0 && !(n == 1 && *p == '.')) {
			*w++ = '/';
			memcpy(w, p, n);
			w += n;
		}
		p += n + (p[n] == '/');
	}
	*w = '\0';
	if (w == out)
		return err_set(e, ERR_INVALID, 0, "'%s' names no cgroup",
			       cgroups_path);
	*ret = out;
	return 0;
}
