/* The built-in runtime: calls of core, in a helper. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "container.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "helper.h"
#include "json.h"
#include "logger.h"
#include "mem.h"
#include "operation.h"
#include "proc.h"
#include "rootfs_mounts.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

struct work { /* one operation's surroundings; a helper ends with it */
	struct arena arena;
	struct core core;
	const struct order *o;
	struct container ct;
};

static void begin(struct work *w, const struct order *o)
{
	*w = (struct work){ .o = o };
	w->core = *o->facts;
	w->core.arena = &w->arena;
	w->core.root = o->runtime->root;
	w->core.systemd_cgroup = o->runtime->systemd_cgroup;
}

static int begin_with(struct work *w, const struct order *o, bool lock, struct err *e)
{
	begin(w, o);
	return container_open(&w->core, o->id, lock, &w->ct, e);
}

/* ---- create --------------------------------------------------------------- */

static int load(struct work *w, char **text, struct spec **spec, struct err *e)
{
	OWN_FD bundle = sys_openat(AT_FDCWD, w->o->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	size_t len;
	int r = bundle;

	if (r < 0)
		return err_sys(e, r, "open the bundle '%s'", w->o->bundle);
	r = file_read(&w->arena, bundle, "config.json", JSON_MAX_SIZE, text, &len, e);
	return r < 0 ? r : spec_parse(&w->arena, *text, len, "config.json", NULL, spec, e);
}

/* Where the shim finds how often the OOM killer came. */
static void note_cgroup(struct work *w, const char *cgroup, struct helper_result *ret)
{
	const struct cgroup_host *host = w->core.cgroup;
	int i = cgroup ? cgroup_hierarchy_of(host, "memory") : -1;

	if (!cgroup || strlen(cgroup) >= sizeof ret->cgroup)
		return;
	strcpy(ret->cgroup, cgroup);
	if (i >= 0 && snprintf(ret->memory, sizeof ret->memory, "%s%s", host->h[i].mountpoint, cgroup) >= HELPER_PATH)
		*ret->memory = '\0';
}

static int builtin_create(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	const char *cgroup = NULL;
	struct create_options co = {
		.id = o->id,
		.bundle = o->bundle,
		.no_pivot = o->runtime->no_pivot_root,
		.no_new_keyring = o->runtime->no_new_keyring,
		.pid_file_early = true,
		.ret_master = o->terminal ? &ret->fd : NULL,
		.ret_cgroup = &cgroup,
		.ret_oom = &ret->oom,
		.ret_start = &ret->start,
		.ret_plain = &ret->plain,
	};
	struct logger logger = LOGGER_INIT;
	struct err ignored;
	struct work w;
	char *text;
	int r;

	begin(&w, o);
	r = rootfs_mounts_make(o->bundle, o->mounts, o->n_mounts, e);
	if (r < 0)
		return r;
	r = load(&w, &text, &co.spec, e);
	if (r >= 0 && co.spec->process && co.spec->process->terminal != o->terminal)
		r = err_set(e, ERR_INVALID, 0, "config.json: /process/terminal is not what the request says");
	if (r >= 0)
		r = logger_start(&logger, o, e);
	if (r >= 0) {
		co.spec_text = text;
		co.pid_file = arena_printf(&w.arena, "%s/init.pid", o->bundle);
		r = co.pid_file ? container_create(&w.core, &co, &ret->pidfd, &ret->pid, e) :
				  err_sys(e, -ENOMEM, "create");
	}
	logger_let_go(&logger, r);
	if (r < 0) {
		rootfs_mounts_undo(o->bundle, &ignored);
		return r;
	}
	ret->out = take_fd(&logger.out);
	ret->plain = ret->plain && rootfs_mounts_are_binds(o->mounts, o->n_mounts);
	ret->shared_pids = !co.spec->linux->ns[NS_PID].present;
	ret->builtin_init = co.spec->builtin_init;
	note_cgroup(&w, cgroup, ret);
	return 0;
}

/* ---- the others ----------------------------------------------------------- */

static int builtin_start(struct helper_result *ret, void *order, struct err *e)
{
	struct work w;
	int r = begin_with(&w, order, true, e);

	return r < 0 ? r : container_start(&w.ct, e);
}

static int builtin_exec(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct exec_options xo = { .ret_master = o->terminal ? &ret->fd : NULL };
	struct logger logger = LOGGER_INIT;
	struct spec_process *process;
	struct work w;
	int r = begin_with(&w, o, false, e);

	if (r >= 0)
		r = spec_parse_process(&w.arena, o->document, o->document_len, "process", &process, e);
	if (r < 0)
		return r;
	process->terminal = o->terminal;
	xo.process = process;
	r = logger_start(&logger, o, e);
	if (r >= 0)
		r = container_exec(&w.ct, &xo, &ret->pidfd, &ret->pid, e);
	ret->out = take_fd(&logger.out);
	logger_let_go(&logger, r);
	return r < 0 ? err_wrap(e, r, "exec failed") : r;
}

static int builtin_kill(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct work w;
	int r = begin_with(&w, o, false, e);

	return r < 0 ? r : container_kill(&w.ct, o->sig, o->all, e);
}

static int builtin_pause(struct helper_result *ret, void *order, struct err *e)
{
	struct work w;
	int r = begin_with(&w, order, true, e);

	return r < 0 ? r : container_pause(&w.ct, e);
}

static int builtin_resume(struct helper_result *ret, void *order, struct err *e)
{
	struct work w;
	int r = begin_with(&w, order, true, e);

	return r < 0 ? r : container_resume(&w.ct, e);
}

static int builtin_update(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct spec_resources *resources;
	struct work w;
	int r = begin_with(&w, o, true, e);

	if (r >= 0)
		r = spec_parse_resources(&w.arena, o->document, o->document_len, "resources", &resources, e);
	return r < 0 ? r : container_update(&w.ct, resources, e);
}

static int builtin_delete(struct helper_result *ret, void *order, struct err *e)
{
	const struct order *o = order;
	struct err second;
	struct work w;
	int r, unmounted;

	begin(&w, o);
	r = container_delete(&w.core, o->id, true, e);
	unmounted = rootfs_mounts_undo(o->bundle, r < 0 ? &second : e);
	arena_done(&w.arena); /* the program's `delete` does this without a helper */
	return r < 0 ? r : unmounted;
}

/* In the shim: a hundred microseconds, and in the worst case as long as a fork, since both
 * may have to wait for somebody who moves processes between cgroups. */
static int builtin_remove(const struct order *o)
{
	struct work w;
	struct err ignored;
	int r;

	begin(&w, o);
	r = container_remove_plain(&w.core, o->id, o->cgroup);
	return r < 0 ? r : rootfs_mounts_undo(o->bundle, &ignored);
}

/* In the shim as well. A frozen v1 cgroup holds even a killed process: that takes a helper. */
static int builtin_end(const struct order *o, int pidfd)
{
	struct cgroup cg;
	struct err e;
	int r = 0;

	if (!str_empty(o->cgroup)) {
		r = cgroup_open_only(&cg, o->facts->cgroup, o->cgroup, "freezer", &e);
		if (r < 0)
			return r;
		r = cgroup_is_frozen(&cg, &e);
		cgroup_done(&cg);
	}
	if (r != 0)
		return r < 0 ? r : -EBUSY;
	return proc_signal(pidfd, SIGKILL);
}

const struct runtime_ops builtin_ops = {
	.create = builtin_create,
	.start = builtin_start,
	.exec = builtin_exec,
	.kill = builtin_kill,
	.pause = builtin_pause,
	.resume = builtin_resume,
	.update = builtin_update,
	.destroy = builtin_delete,
	.remove = builtin_remove,
	.end = builtin_end,
};
