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

/* Each line is written by itself: the kernel takes one resource at a time. */
static int write_line(int group, const char *line, const char *pointer, struct err *e)
{
	OWN_SB struct sb text = SB_INIT;
	int r;

	sb_printf(&text, "%s\n", line);
	if (text.failed)
		return err_sys(e, -ENOMEM, "%s", pointer);
	r = file_write_string(group, "schemata", text.s);
	return r < 0 ? err_sys(e, r, "%s: write '%s' to schemata", pointer, line) : 0;
}

static int write_schemata(int group, const struct spec_intel_rdt *rdt, struct err *e)
{
	char pointer[64];
	int r = 0;

	if (!str_empty(rdt->l3_cache_schema))
		r = write_line(group, rdt->l3_cache_schema, "/linux/intelRdt/l3CacheSchema", e);
	if (r >= 0 && !str_empty(rdt->mem_bw_schema))
		r = write_line(group, rdt->mem_bw_schema, "/linux/intelRdt/memBwSchema", e);
	for (size_t i = 0; r >= 0 && i < rdt->n_schemata; i++) {
		snprintf(pointer, sizeof pointer, "/linux/intelRdt/schemata/%zu", i);
		r = write_line(group, rdt->schemata[i], pointer, e);
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
		r = write_schemata(group, rdt, e);
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
