/* delete: nothing of the container is left afterwards. Works on whatever a
 * killed command left behind: the record says where to look. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cgroup.h"
#include "cgroup_systemd.h"
#include "container.h"
#include "container_priv.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "hooks.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "rdt.h"
#include "record.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

enum { POSTSTOP_SECONDS = 60 }; /* of a hook without a timeout: it must not keep a container for ever */
enum { KILL_MS = 10 * 1000, CGROUP_MS = 10 * 1000 };

/* A creator that died before it had looked may have named a cgroup in which
 * another container lives; create would have refused it. */
static bool cgroup_is_anothers(struct container *ct)
{
	const struct record *rec = ct->rec;
	char **ids;
	size_t n;

	if (strcmp(rec->status, "creating") != 0 || rec->pid ||
	    container_list(ct->core, &ids, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		OWN_FD dir = strcmp(ids[i], rec->id) ? container_open_dir(ct->core, ids[i], NULL) : -1;
		struct record *other;

		if (dir >= 0 && record_read(ct->core->arena, dir, &other, NULL) >= 0 &&
		    str_eq(other->cgroup_path, rec->cgroup_path))
			return true;
	}
	return false;
}

static int remove_cgroup(struct container *ct, struct err *e)
{
	struct cgroup_ref ref = { 0 };
	int r;

	if (cgroup_is_anothers(ct))
		return 0;
	if (ct->rec->systemd_unit) {
		struct cgroup_unit u = record_unit(ct->rec);

		r = cgroup_systemd_stop(&u, e);
		if (r)
			return r < 0 ? r : 0; /* ours is gone, and the name another's */
	}
	if (!ct->rec->cgroup_path)
		return 0;
	r = cgroup_ref_open(ct->core, ct->rec, "", &ref, e); /* empty, as a rule: the path is enough */
	if (r >= 0)
		r = cgroup_destroy(&ref.cg, 0, e);
	if (r == -EBUSY || r == -ENOTEMPTY || r == -ETIMEDOUT) {
		/* Processes of a shared pid namespace, or a creator's that died. */
		cgroup_ref_close(&ref);
		r = cgroup_ref_open(ct->core, ct->rec, NULL, &ref, e);
		if (r >= 0)
			r = cgroup_signal_all(&ref.cg, SIGKILL, e);
		if (r >= 0)
			r = cgroup_destroy(&ref.cg, CGROUP_MS, e);
	}
	cgroup_ref_close(&ref);
	return r;
}

/* A failing poststop hook stops neither the others nor delete. */
void run_poststop(const struct spec *s, const struct record *rec, enum log_level level)
{
	OWN_SB struct sb state = SB_INIT;
	size_t n = s->hooks.n[HOOK_POSTSTOP];
	struct err e;
	char text[sizeof e.msg + 80];

	if (!n)
		return;
	record_state_json(rec, CT_STOPPED, false, NULL, &state);
	for (size_t i = 0; i < n; i++) {
		struct spec_hooks one = { 0 };
		struct hook_run run = {
			.hooks = &one,
			.target = -1,
			.state = state.s,
			.cwd = rec->bundle,
			.timeout = POSTSTOP_SECONDS,
		};

		one.list[HOOK_POSTSTOP] = &s->hooks.list[HOOK_POSTSTOP][i];
		one.n[HOOK_POSTSTOP] = 1;
		if (hooks_run(&run, HOOK_POSTSTOP, &e) < 0)
			log_line(level, err_text(&e, text, sizeof text));
	}
}

static void poststop(struct container *ct)
{
	struct spec *s;
	struct err ignored;

	if (ct->rec->needs_spec && container_spec(ct, &s, &ignored) >= 0)
		run_poststop(s, ct->rec, LOG_LEVEL_WARNING); /* as the specification says */
}

static int remove_rdt_group(struct container *ct, struct err *e)
{
	struct err ignored;
	OWN_FD root = -1;

	if (!ct->rec->rdt_group)
		return 0;
	root = rdt_open(&ignored);
	return root < 0 ? 0 : rdt_remove(root, ct->rec->rdt_group, e); /* unmounted: gone */
}

/* Kills what is left in the cgroup, removes it and the directory. */
static int destroy(struct container *ct, struct err *e)
{
	OWN_FD root = -1;
	int r = remove_cgroup(ct, e);

	if (r >= 0)
		r = remove_rdt_group(ct, e);
	if (r < 0)
		return r;
	poststop(ct);
	root = sys_openat(AT_FDCWD, ct->core->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	r = root < 0 ? root : file_remove_tree(root, ct->rec->id);
	return r < 0 ? err_sys(e, r, "remove '%s/%s'", ct->core->root, ct->rec->id) : 0;
}

static int kill_first(struct container *ct, struct err *e)
{
	int r;

	if (ct->pidfd < 0)
		return 0;
	r = container_kill(ct, SIGKILL, false, e);
	if (r < 0 && ct->state == CT_STOPPED)
		return 0;
	if (r < 0 && e->kind != ERR_STATE) /* that is one which ended just now */
		return r;
	r = proc_wait(ct->pidfd, KILL_MS);
	return r < 0 ? err_sys(e, r, "container '%s' does not die", ct->rec->id) : 0;
}

/* A directory without a readable record: a creator died before it wrote one,
 * or another version wrote it. Only --force removes it, and only when its lock
 * is free. */
static int remove_unreadable(struct core *c, const char *id, struct err *e)
{
	OWN_FD dir = container_open_dir(c, id, e);
	OWN_FD root = -1, lock = -1;
	int r = dir;

	if (r >= 0)
		r = container_lock(dir, &lock, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* Its creator had only not come so far when we looked. */
	if (sys_faccessat(dir, RECORD_FILE, F_OK) >= 0) {
		fd_closep(&lock);
		return container_delete(c, id, true, e);
	}
	root = sys_openat(AT_FDCWD, c->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root >= 0 && !container_is_dir(root, id, dir))
		return 0; /* removed before we had its lock; another's may be there */
	r = root < 0 ? root : file_remove_tree(root, id);
	return r < 0 ? err_sys(e, r, "remove '%s/%s'", c->root, id) : 0;
}

int container_delete(struct core *c, const char *id, bool force, struct err *e)
{
	struct container ct;
	struct err probe;
	int r = container_open(c, id, true, &ct, e);

	if (r < 0) {
		OWN_FD dir = -1;

		if (!force || container_check_id(id, &probe) < 0)
			return r;
		dir = container_open_dir(c, id, &probe);
		if (dir < 0)
			return 0;
		/* It exists, but its record does not (a creator died early). */
		return e->kind == ERR_NOT_FOUND ? remove_unreadable(c, id, e) : r;
	}
	r = state_check(ct.state, force ? EV_DELETE_FORCE : EV_DELETE, e);
	if (r < 0)
		err_set(e, ERR_STATE, 0, "cannot delete container %s that is not stopped: %s", id,
			container_state_name(ct.state));
	if (r >= 0)
		r = kill_first(&ct, e);
	if (r >= 0)
		r = destroy(&ct, e);
	container_close(&ct);
	return r;
}

int container_remove_plain(struct core *c, const char *id, const char *cgroup)
{
	OWN_FD root = sys_openat(AT_FDCWD, c->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_FD dir = root < 0 ? root : sys_openat(root, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	OWN_FD lock = dir < 0 ? dir : sys_openat(dir, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	struct cgroup cg;
	struct err e;
	int r = lock < 0 ? lock : sys_flock(lock, LOCK_EX | LOCK_NB);

	if (r >= 0 && sys_faccessat(AT_FDCWD, RESCTRL "/schemata", F_OK) >= 0)
		r = -EAGAIN; /* an update may have made a group since */
	if (r >= 0 && *cgroup) {
		r = cgroup_open_only(&cg, c->cgroup, cgroup, "", &e);
		if (r >= 0) {
			r = cgroup_remove(&cg);
			cgroup_done(&cg);
		}
	}
	return r < 0 ? r : file_remove_tree(root, id);
}
