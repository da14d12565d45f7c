/* Finding a container and what state it is in; the verbs that only look or
 * send something: kill, pause, resume, update, list. */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cgroup.h"
#include "container_priv.h"
#include "dir.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "launch.h"
#include "mem.h"
#include "proc.h"
#include "rdt.h"
#include "record.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "texts.h"

enum { LOCK_DEADLINE_MS = 10 * 1000, MAX_ID = 1024 };

static const char *const texts[TEXT_COUNT] = {
#define X(id, text) [TEXT_##id] = text,
	CORE_TEXTS(X)
#undef X
};

const char *core_text(enum core_text t)
{
	return texts[t];
}

/* runc's rule: letters, digits, "_", "+", "-", "." and neither "." nor ".."; nor
 * what else is in the state root. */
int container_check_id(const char *id, struct err *e)
{
	if (str_empty(id))
		return err_set(e, ERR_INVALID, 0, "container id cannot be empty");
	if (strlen(id) > MAX_ID)
		return err_set(e, ERR_INVALID, 0, "container id is longer than %d", (int)MAX_ID);
	for (const char *p = id; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.", *p))
			return err_set(e, ERR_INVALID, 0, "invalid container ID format: '%.100s'", id);
	if (!strcmp(id, ".") || !strcmp(id, "..") || !strcmp(id, SECCOMP_CACHE))
		return err_set(e, ERR_INVALID, 0, "invalid container ID format: '%s'", id);
	return 0;
}

/* flock has no deadline of its own: a child waits in our place. What it locks is
 * the open file, which is ours as well. */
static int wait_for_lock(int fd)
{
	OWN_FD pidfd = -1;
	pid_t pid = clone_helper(0, &pidfd);

	if (pid == 0) {
		sys_flock(fd, LOCK_EX);
		_exit(0);
	}
	if (pid < 0)
		return pid;
	proc_wait(pidfd, LOCK_DEADLINE_MS);
	proc_end(pidfd);
	return sys_flock(fd, LOCK_EX | LOCK_NB);
}

int container_lock(int dir, int *ret, struct err *e)
{
	OWN_FD fd = sys_openat(dir, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return fd == -ENOENT ? err_set(e, ERR_NOT_FOUND, 0, "%s", core_text(TEXT_NOT_EXIST)) :
				       err_sys(e, fd, "open the container's lock");
	r = sys_flock(fd, LOCK_EX | LOCK_NB);
	if (r == -EWOULDBLOCK)
		r = wait_for_lock(fd);
	if (r == -EWOULDBLOCK)
		return err_set(e, ERR_TIMEOUT, -ETIMEDOUT,
			       "another command has held the container's lock for %d s",
			       LOCK_DEADLINE_MS / 1000);
	if (r < 0)
		return err_sys(e, r, "lock the container");
	*ret = take_fd(&fd);
	return 0;
}

/* The recorded process, if that pid is still the one it was: same boot, same
 * start time, looked at after the pidfd pins it. -ESRCH when it is gone. */
static int open_process(const struct record *rec, bool *ret_executed)
{
	OWN_FD fd = -1;
	char boot[PROC_BOOT_ID];
	struct proc_stat st;
	int r;

	if (rec->pid <= 0)
		return -ESRCH;
	fd = sys_pidfd_open(rec->pid, 0);
	if (fd < 0)
		return fd;
	r = proc_stat(rec->pid, &st);
	if (r < 0)
		return r;
	if (st.start_time != rec->start_time || st.state == 'Z' || st.state == 'X')
		return -ESRCH;
	*ret_executed = st.executed;
	r = proc_boot_id(boot);
	if (r < 0)
		return r;
	return str_eq(boot, rec->boot_id) ? take_fd(&fd) : -ESRCH;
}

/* 1, 0 or -errno: what cannot be looked at must not pass for running, or a
 * SIGKILL to it would wait for ever. */
static int is_frozen(struct container *ct, struct err *e)
{
	struct cgroup_ref ref;
	int r;

	if (!ct->rec->cgroup_path)
		return 0;
	r = cgroup_ref_open(ct->core, ct->rec, "freezer", &ref, e);
	if (r >= 0)
		r = cgroup_is_frozen(&ref.cg, e);
	cgroup_ref_close(&ref);
	return r == -ENOENT || r == -ENODEV || r == -EACCES || r == -EPERM ? 0 : r;
}

/* Somebody holds the lock of a container that is being made; a creator that
 * was killed holds none. */
static bool is_being_made(int dir)
{
	OWN_FD fd = sys_openat(dir, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);

	return fd >= 0 && sys_flock(fd, LOCK_SH | LOCK_NB) == -EWOULDBLOCK;
}

static int find_state(struct container *ct, struct err *e)
{
	const struct record *rec = ct->rec;
	bool executed = false;
	int r;

	ct->pidfd = open_process(rec, &executed);
	if (ct->pidfd < 0 && ct->pidfd != -ESRCH && ct->pidfd != -EINVAL)
		return err_sys(e, ct->pidfd, "look at process %d%s", (int)rec->pid,
			       sys_refused(ct->pidfd) ? " (pidfd_open)" : "");
	if (ct->pidfd < 0) {
		ct->pidfd = -1;
		ct->state = !strcmp(rec->status, "creating") && ct->lock < 0 && is_being_made(ct->dir) ?
				    CT_CREATING :
				    CT_STOPPED;
		return 0;
	}
	if (!strcmp(rec->status, "creating")) {
		ct->state = CT_CREATING;
		return 0;
	}
	r = is_frozen(ct, e);
	if (r < 0)
		return r;
	if (r)
		ct->state = CT_PAUSED;
	else
		/* A `start` that was killed may not have come to write it down. */
		ct->state = !strcmp(rec->status, "created") && !executed ? CT_CREATED : CT_RUNNING;
	return 0;
}

int container_open_dir(const struct core *c, const char *id, struct err *e)
{
	OWN_FD root = sys_openat(AT_FDCWD, c->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int dir = root < 0 ? root :
			     sys_openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

	if (dir == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "%s", core_text(TEXT_NOT_EXIST));
	return dir < 0 ? err_sys(e, dir, "open '%s/%s'", c->root, id) : dir;
}

bool container_is_dir(int root, const char *id, int dir)
{
	struct stat ours, there;

	return sys_fstat(dir, &ours) >= 0 &&
	       sys_fstatat(root, id, &there, AT_SYMLINK_NOFOLLOW) >= 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int container_open(struct core *c, const char *id, bool lock, struct container *ret,
		   struct err *e)
{
	struct container ct = { .core = c, .dir = -1, .lock = -1, .pidfd = -1 };
	int r = container_check_id(id, e);

	if (r >= 0)
		ct.dir = r = container_open_dir(c, id, e);
	if (r >= 0 && lock)
		r = container_lock(ct.dir, &ct.lock, e);
	if (r >= 0)
		r = record_read(c->arena, ct.dir, &ct.rec, e);
	if (r == -ENOENT)
		r = err_set(e, ERR_NOT_FOUND, 0, "%s", core_text(TEXT_NOT_EXIST));
	if (r >= 0)
		r = find_state(&ct, e);
	if (r < 0) {
		container_close(&ct);
		return r;
	}
	*ret = ct;
	return 0;
}

void container_close(struct container *ct)
{
	fd_closep(&ct->pidfd);
	fd_closep(&ct->lock);
	fd_closep(&ct->dir);
}

int core_cgroup(struct core *c, const struct cgroup_host **ret, struct err *e)
{
	struct cgroup_host *host;
	int r = 0;

	if (!c->cgroup) {
		host = arena_alloc(c->arena, sizeof *host);
		r = host ? cgroup_host_read(host, c->arena, e) :
			   err_sys(e, -ENOMEM, "read the cgroup hierarchies");
		if (r >= 0)
			c->cgroup = host;
	}
	if (ret)
		*ret = c->cgroup;
	return r < 0 ? r : 0;
}

int cgroup_ref_open(struct core *c, const struct record *rec, const char *controller,
		    struct cgroup_ref *ret, struct err *e)
{
	int r = core_cgroup(c, NULL, e);

	memset(ret, 0, sizeof *ret);
	if (r >= 0)
		r = controller ?
			    cgroup_open_only(&ret->cg, c->cgroup, rec->cgroup_path, controller, e) :
			    cgroup_open(&ret->cg, c->cgroup, rec->cgroup_path, e);
	ret->open = r >= 0;
	return r;
}

struct cgroup_unit record_unit(const struct record *rec)
{
	return (struct cgroup_unit){
		.name = rec->systemd_unit,
		.path = rec->cgroup_path,
		.made = rec->created,
		.user = rec->systemd_user,
	};
}

void cgroup_ref_close(struct cgroup_ref *ref)
{
	if (ref->open)
		cgroup_done(&ref->cg);
	ref->open = false;
}

/* ---- verbs -------------------------------------------------------------- */

static int with_cgroup(struct container *ct, struct cgroup_ref *ref, const char *verb,
		       struct err *e)
{
	if (!ct->rec->cgroup_path) {
		ref->open = false;
		return err_set(e, ERR_UNSUPPORTED, 0, "cannot %s: the container has no cgroup", verb);
	}
	return cgroup_ref_open(ct->core, ct->rec, NULL, ref, e);
}

int container_kill(struct container *ct, int sig, bool all, struct err *e)
{
	struct cgroup_ref ref = { 0 };
	int r = 0;

	if (all && ct->rec->cgroup_path) {
		r = with_cgroup(ct, &ref, "kill", e);
		if (r >= 0)
			r = cgroup_signal_all(&ref.cg, sig, e);
		cgroup_ref_close(&ref);
		return r;
	}
	r = state_check(ct->state, EV_KILL, e);
	if (r < 0)
		return r;
	r = proc_signal(ct->pidfd, sig);
	if (r == -ESRCH)
		return err_set(e, ERR_STATE, 0, "%s", core_text(TEXT_NOT_RUNNING));
	if (r < 0)
		return err_sys(e, r, "send signal %d", sig);
	/* A frozen v1 cgroup holds even a killed process. */
	if (sig == SIGKILL && ct->state == CT_PAUSED) {
		r = with_cgroup(ct, &ref, "resume", e);
		if (r >= 0)
			r = cgroup_freeze(&ref.cg, false, e);
		cgroup_ref_close(&ref);
	}
	return r;
}

static int freeze(struct container *ct, bool on, const char *verb, struct err *e)
{
	struct cgroup_ref ref = { 0 };
	int r = with_cgroup(ct, &ref, verb, e);

	if (r >= 0)
		r = cgroup_freeze(&ref.cg, on, e);
	cgroup_ref_close(&ref);
	return r;
}

int container_pause(struct container *ct, struct err *e)
{
	int r = state_check(ct->state, EV_PAUSE, e);

	return r < 0 ? r : freeze(ct, true, "pause", e);
}

int container_resume(struct container *ct, struct err *e)
{
	int r = state_check(ct->state, EV_RESUME, e);

	return r < 0 ? r : freeze(ct, false, "resume", e);
}

/* To callers of update a zero means "as it was". */
static void drop_zeros(struct spec_resources *r)
{
	r->memory.has_limit = r->memory.has_limit && r->memory.limit;
	r->memory.has_swap = r->memory.has_swap && r->memory.swap;
	r->memory.has_reservation = r->memory.has_reservation && r->memory.reservation;
	r->memory.has_kernel = r->memory.has_kernel_tcp = false;
	r->cpu.has_shares = r->cpu.has_shares && r->cpu.shares;
	r->cpu.has_quota = r->cpu.has_quota && r->cpu.quota;
	r->cpu.has_period = r->cpu.has_period && r->cpu.period;
	r->cpu.has_rt_period = r->cpu.has_rt_period && r->cpu.rt_period;
	r->cpu.has_rt_runtime = r->cpu.has_rt_runtime && r->cpu.rt_runtime;
	r->block_io.has_weight = r->block_io.has_weight && r->block_io.weight;
	r->has_pids = r->has_pids && r->pids_limit;
	/* unlimited memory with limited swap cannot be: both are meant */
	if (r->memory.has_limit && r->memory.limit == -1 && !r->memory.has_swap) {
		r->memory.has_swap = true;
		r->memory.swap = -1;
	}
}

int container_update(struct container *ct, const struct spec_resources *r, struct err *e)
{
	struct cgroup_ref ref = { 0 };
	struct spec_resources whole = *r;
	int rc = state_check(ct->state, EV_UPDATE, e);

	if (rc < 0)
		return rc;
	drop_zeros(&whole);
	rc = with_cgroup(ct, &ref, "update", e);
	if (rc >= 0)
		cgroup_complete(&ref.cg, &whole);
	if (rc >= 0 && ct->rec->systemd_unit) {
		struct cgroup_unit u = record_unit(ct->rec);

		rc = cgroup_systemd_update(&u, ct->core->cgroup, &whole, e);
	}
	if (rc >= 0)
		rc = cgroup_apply(&ref.cg, &whole, false, e);
	cgroup_ref_close(&ref);
	return rc;
}

int container_update_rdt(struct container *ct, const struct spec_intel_rdt *rdt, struct err *e)
{
	const struct spec_intel_rdt *given;
	OWN_FD root = -1;
	struct spec *s;
	const char *name;
	bool made;
	int r = state_check(ct->state, EV_UPDATE, e);

	if (r >= 0)
		r = container_spec(ct, &s, e);
	if (r >= 0)
		root = r = rdt_open(e);
	if (r < 0)
		return r;
	given = s->linux->intel_rdt;
	name = given && given->clos_id ? given->clos_id : ct->rec->id;
	r = rdt_create(root, rdt, name, &made, e);
	if (r < 0 || !made)
		return r;
	ct->rec->rdt_group = (char *)(uintptr_t)name;
	r = record_write(ct->dir, ct->rec, e);
	return r < 0 ? r : rdt_join(root, name, ct->rec->pid, e);
}

static int read_spec(struct container *ct, const struct json_member *out, struct err *e)
{
	struct arena *a = ct->core->arena;
	char *text;
	size_t len;
	int r = file_read(a, ct->dir, SPEC_FILE, JSON_MAX_SIZE, &text, &len, e);

	if (r < 0)
		return r;
	if (out)
		text = json_text_without(a, text, len, out, &len);
	return text ? spec_parse(a, text, len, SPEC_FILE, NULL, &ct->spec, e) :
		      err_sys(e, -ENOMEM, "read '" SPEC_FILE "'");
}

int container_spec(struct container *ct, struct spec **ret, struct err *e)
{
	int r = ct->spec ? 0 : read_spec(ct, NULL, e);

	*ret = ct->spec;
	return r < 0 ? r : 0;
}

int container_spec_for_exec(struct container *ct, struct spec **ret, struct err *e)
{
	static const struct json_member out[] = {
		{ "mounts", NULL },
		{ "hooks", NULL },
		{ "annotations", NULL },
		{ "linux", "resources" },
		{ "linux", "devices" },
		{ "linux", "sysctl" },
		{ "linux", "maskedPaths" },
		{ "linux", "readonlyPaths" },
		{ NULL, NULL },
	};
	int r = ct->spec ? 0 : read_spec(ct, out, e);

	*ret = ct->spec;
	return r < 0 ? r : 0;
}

void record_state_json(const struct record *rec, enum container_state state, bool full,
		       const char *indent, struct sb *out)
{
	struct jw w;

	jw_init(&w, out, indent);
	jw_begin(&w, '{');
	jw_kstr(&w, "ociVersion", rec->oci_version);
	jw_kstr(&w, "id", rec->id);
	jw_kint(&w, "pid", state == CT_STOPPED ? 0 : rec->pid);
	jw_kstr(&w, "status", container_state_name(state));
	jw_kstr(&w, "bundle", rec->bundle);
	if (full) {
		jw_kstr(&w, "rootfs", rec->rootfs);
		jw_kstr(&w, "created", rec->created);
	}
	if (rec->n_annotations) {
		jw_kbegin(&w, "annotations", '{');
		for (size_t i = 0; i < rec->n_annotations; i++)
			jw_kstr(&w, rec->annotations[i].key, rec->annotations[i].value);
		jw_end(&w);
	}
	if (full)
		jw_kstr(&w, "owner", "");
	jw_end(&w);
}

void container_state_json(const struct container *ct, struct sb *out)
{
	record_state_json(ct->rec, ct->state, true, "  ", out);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int container_list(struct core *c, char ***ret, size_t *n, struct err *e)
{
	OWN_FD dir = sys_openat(AT_FDCWD, c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = dir };
	const struct dir_entry *d;
	char **list = arena_alloc(c->arena, sizeof *list), **more;
	size_t count = 0, cap = 0;

	if (dir < 0 && dir != -ENOENT)
		return err_sys(e, dir, "open '%s'", c->root);
	while (dir >= 0 && (d = dir_next(&rd))) {
		if (container_check_id(d->name, NULL) < 0)
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			more = arena_calloc(c->arena, cap + 1, sizeof *more);
			if (more && count)
				memcpy(more, list, count * sizeof *more);
			list = more;
		}
		if (!list || !(list[count++] = arena_strdup(c->arena, d->name)))
			return err_sys(e, -ENOMEM, "list '%s'", c->root);
	}
	if (rd.n < 0)
		return err_sys(e, (int)rd.n, "read '%s'", c->root);
	if (count)
		qsort(list, count, sizeof *list, by_name);
	*ret = list;
	*n = count;
	return 0;
}
