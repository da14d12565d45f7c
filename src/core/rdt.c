/* The container's resctrl group; see rdt.h and linux.intelRdt of the runtime
 * specification. */
#include "rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

enum { MAX_SCHEMATA = 65536 };

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

/* What l3CacheSchema and memBwSchema say together, line by line. */
static int combine(const struct spec_intel_rdt *rdt, struct sb *out, struct err *e)
{
	const char *line = rdt->l3_cache_schema ? rdt->l3_cache_schema : "";
	bool has_mb = !str_empty(rdt->mem_bw_schema);

	for (; *line; line = *line_end(line) ? line_end(line) + 1 : line_end(line))
		if (!has_mb || !str_starts(line, "MB:"))
			sb_printf(out, "%.*s\n", (int)(line_end(line) - line), line);
	if (has_mb)
		sb_printf(out, "%s\n", rdt->mem_bw_schema);
	return out->failed ? err_sys(e, -ENOMEM, "/linux/intelRdt") : 0;
}

static const char *field_of(const struct spec_intel_rdt *rdt)
{
	if (str_empty(rdt->mem_bw_schema))
		return "/linux/intelRdt/l3CacheSchema";
	return str_empty(rdt->l3_cache_schema) ? "/linux/intelRdt/memBwSchema" : "/linux/intelRdt";
}

static int write_schemata(int group, const char *pointer, const char *text, struct err *e)
{
	int r = file_write_string(group, "schemata", text);

	return r < 0 ? err_sys(e, r, "%s: write '%.*s' to schemata", pointer, (int)strcspn(text, "\n"), text) : 0;
}

/* Of what the kernel prints, as "    MB:0= 50;1=100": the part
 * behind the colon of the line that begins as `line` does. */
static const char *same_resource(const char *now, const char *line)
{
	size_t n = strcspn(line, ":\n") + 1;

	if (line[n - 1] != ':')
		return NULL;
	for (; *now; now = *line_end(now) ? line_end(now) + 1 : line_end(now)) {
		now += strspn(now, " ");
		if (strncmp(now, line, n) == 0)
			return now + n;
	}
	return NULL;
}

/* "1= 50" and "1=050": the kernel pads what it prints. */
static bool same_domain(const char *a, const char *b)
{
	size_t id = strcspn(a, "=;\n");

	if (a[id] != '=' || strncmp(a, b, id + 1) != 0)
		return false;
	a += id + 1;
	b += id + 1;
	a += strspn(a, " 0");
	b += strspn(b, " 0");
	return strcspn(a, ";\n") == strcspn(b, ";\n") && strncasecmp(a, b, strcspn(a, ";\n")) == 0;
}

static bool has_domain(const char *now, const char *domain)
{
	while (!same_domain(domain, now)) {
		now += strcspn(now, ";\n");
		if (*now++ != ';')
			return false;
	}
	return true;
}

static bool has_line(const char *now, const char *line)
{
	now = same_resource(now, line);
	if (!now)
		return false;
	line += strcspn(line, ":") + 1;
	for (;; line++) {
		if (!has_domain(now, line))
			return false;
		line += strcspn(line, ";\n");
		if (*line != ';')
			return true;
	}
}

/* A group that was there, under a closID, must be what is asked for. */
static int compare_schemata(int group, const struct spec_intel_rdt *rdt, const char *text, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *now;
	int r = file_read(&a, group, "schemata", MAX_SCHEMATA, &now, NULL, e);

	if (r < 0)
		return err_wrap(e, r, "%s", field_of(rdt));
	for (; *text; text = line_end(text) + 1)
		if (!has_line(now, text))
			return err_set(e, ERR_INVALID, -EINVAL, "%s: the group '%s' has another '%.*s'",
				       field_of(rdt), rdt->clos_id, (int)strcspn(text, ":\n"), text);
	return 0;
}

static int apply_schemata(int group, const struct spec_intel_rdt *rdt, bool made, struct err *e)
{
	OWN_SB struct sb text = SB_INIT;
	int r = combine(rdt, &text, e);

	if (r >= 0 && text.len && rdt->clos_id && !made)
		r = compare_schemata(group, rdt, text.s, e);
	else if (r >= 0 && text.len)
		r = write_schemata(group, field_of(rdt), text.s, e);
	/* of 1.3, line by line: the kernel takes each resource once in a write */
	for (size_t i = 0; r >= 0 && i < rdt->n_schemata; i++) {
		OWN_SB struct sb line = SB_INIT;
		char pointer[64];

		snprintf(pointer, sizeof pointer, "/linux/intelRdt/schemata/%zu", i);
		sb_printf(&line, "%s\n", rdt->schemata[i]);
		r = line.failed ? err_sys(e, -ENOMEM, "%s", pointer) : write_schemata(group, pointer, line.s, e);
	}
	return r;
}

static bool has_schema(const struct spec_intel_rdt *rdt)
{
	return !str_empty(rdt->l3_cache_schema) || !str_empty(rdt->mem_bw_schema) ||
	       rdt->n_schemata;
}

static int make_monitor_group(int group, const char *name, struct err *e)
{
	char path[300];
	int r;

	snprintf(path, sizeof path, "mon_groups/%.255s", name);
	r = sys_mkdirat(group, path, 0755);
	return r < 0 && r != -EEXIST ? err_sys(e, r, "/linux/intelRdt: make '%s'", path) : 0;
}

int rdt_open(struct err *e)
{
	int fd = sys_openat(AT_FDCWD, RESCTRL, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "/linux/intelRdt: open '" RESCTRL "'") : fd;
}

int rdt_create(int root, const struct spec_intel_rdt *rdt, const char *name, bool *ret_made,
	       struct err *e)
{
	OWN_FD group = -1;
	int r;

	*ret_made = false;
	/* A closID without a schema names a group that the administrator made. */
	if (!rdt->clos_id || has_schema(rdt)) {
		r = sys_mkdirat(root, name, 0755);
		if (r < 0 && r != -EEXIST)
			return err_sys(e, r, "/linux/intelRdt: make the group '%s'", name);
		*ret_made = r >= 0;
	}
	group = r = sys_openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r < 0)
		err_sys(e, r, "/linux/intelRdt/closID: open the group '%s'", name);
	else
		r = apply_schemata(group, rdt, *ret_made, e);
	if (r >= 0 && (rdt->enable_cmt || rdt->enable_mbm || rdt->enable_monitoring))
		r = make_monitor_group(group, name, e);
	if (r < 0 && *ret_made) {
		sys_unlinkat(root, name, AT_REMOVEDIR);
		*ret_made = false;
	}
	return r < 0 ? r : 0;
}

int rdt_join(int root, const char *name, pid_t pid, struct err *e)
{
	char path[300], number[16];
	int r;

	snprintf(path, sizeof path, "%.255s/tasks", name);
	snprintf(number, sizeof number, "%d", (int)pid);
	r = file_write_string(root, path, number);
	return r < 0 ? err_sys(e, r, "/linux/intelRdt: join the group '%s'", name) : 0;
}

int rdt_remove(int root, const char *name, struct err *e)
{
	int r = sys_unlinkat(root, name, AT_REMOVEDIR);

	return r < 0 && r != -ENOENT ? err_sys(e, r, "remove the resctrl group '%s'", name) : 0;
}
