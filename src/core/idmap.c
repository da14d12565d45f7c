/* The id maps of a new user namespace. Written directly where the kernel lets
 * us; where it does not (an ordinary user with more than its own id), by the
 * set-uid helpers newuidmap and newgidmap, which look at /etc/subuid. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "err.h"
#include "file.h"
#include "launch.h"
#include "plan.h"
#include "proc.h"
#include "spec.h"
#include "str.h"

static int write_proc(int proc, pid_t pid, const char *file, const char *text)
{
	char path[48];

	snprintf(path, sizeof path, "%d/%s", (int)pid, file);
	return file_write_string(proc, path, text);
}

static int run_helper(const char *program, pid_t pid, const struct plan_id_map *m, size_t n,
		      struct err *e)
{
	const char *argv[3 * SPEC_MAX_ID_MAPS + 3];
	char numbers[3 * SPEC_MAX_ID_MAPS + 1][12];
	OWN_SB struct sb out = SB_INIT;
	size_t k = 0, argc = 0;
	int r;

	argv[argc++] = program;
	snprintf(numbers[k], sizeof numbers[k], "%d", (int)pid);
	argv[argc++] = numbers[k++];
	for (size_t i = 0; i < n; i++) {
		const uint32_t v[3] = { m[i].inside, m[i].outside, m[i].size };

		for (int j = 0; j < 3; j++) {
			snprintf(numbers[k], sizeof numbers[k], "%u", v[j]);
			argv[argc++] = numbers[k++];
		}
	}
	argv[argc] = NULL;
	r = proc_capture(argv, &out);
	if (r < 0)
		return err_sys(e, r, "run %s", program);
	if (r > 0)
		return err_set(e, ERR_PERMISSION, -EPERM, "%s failed with %d: %.300s", program, r,
			       out.s ? out.s : "");
	return 0;
}

static int write_map(int proc, pid_t pid, const char *file, const char *helper,
		     const struct plan_id_map *m, size_t n, struct err *e)
{
	OWN_SB struct sb text = SB_INIT;
	int r;

	if (n > SPEC_MAX_ID_MAPS) /* run_helper() has room for no more */
		return err_set(e, ERR_INVALID, 0, "%s: more than %d ranges", file, (int)SPEC_MAX_ID_MAPS);
	for (size_t i = 0; i < n; i++)
		sb_printf(&text, "%u %u %u\n", m[i].inside, m[i].outside, m[i].size);
	if (text.failed || !text.s)
		return err_sys(e, text.failed ? -ENOMEM : -EINVAL, "write %s", file);
	if (text.len >= (size_t)sysconf(_SC_PAGESIZE))
		return err_set(e, ERR_INVALID, 0,
			       "%s: %zu ranges are %zu bytes of text, and the kernel takes less than a page",
			       file, n, text.len);
	r = write_proc(proc, pid, file, text.s);
	if (r == -EPERM || r == -EACCES)
		return run_helper(helper, pid, m, n, e);
	return r < 0 ? err_sys(e, r, "write %s", file) : 0;
}

int idmap_write(const struct plan *p, int proc, pid_t pid, struct err *e)
{
	int r;

	if (p->deny_setgroups) {
		r = write_proc(proc, pid, "setgroups", "deny");
		if (r < 0)
			return err_sys(e, r, "deny setgroups");
	}
	r = write_map(proc, pid, "uid_map", "newuidmap", p->uid_maps, p->n_uid_maps, e);
	if (r >= 0)
		r = write_map(proc, pid, "gid_map", "newgidmap", p->gid_maps, p->n_gid_maps, e);
	return r;
}
