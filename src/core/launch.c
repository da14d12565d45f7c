/* Makes a process from a plan and drives the handshake; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builtin_init.h"
#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

/* Between two messages of the child; copying up a large tmpfs is the longest. */
enum { PHASE_DEADLINE_MS = 120 * 1000 };
enum { DYING_MS = 1000, ADOPTED_MS = 10, END_MS = 10 * 1000 };

static const char *const phase_words[HS_PHASE_COUNT] = {
#define X(id, words) [HS_##id] = words,
	HANDSHAKE_PHASES(X)
#undef X
};

static const char *const stage_words[STAGE_COUNT] = {
#define X(id, words) [STAGE_##id] = words,
	INIT_STAGES(X)
#undef X
};

void launch_init(struct launch *l, struct arena *a, const struct plan *plan)
{
	memset(l, 0, sizeof *l);
	l->a = a;
	l->plan = plan;
	l->deadline_ms = PHASE_DEADLINE_MS;
	l->start = l->console = l->target = l->target_root = l->proc = l->sync = l->pidfd = l->stage_pidfd = -1;
	l->fds.sync = l->fds.parent_sync = l->fds.start = l->fds.console = l->fds.program = -1;
	l->fds.proc = l->fds.target = l->fds.target_root = l->fds.clone_cgroup = -1;
	l->fds.gate[0] = l->fds.gate[1] = -1;
	for (size_t i = 0; i < sizeof l->fds.join / sizeof l->fds.join[0]; i++)
		l->fds.join[i] = -1;
}

/* ---- words ------------------------------------------------------------- */

static const char *step_item(const struct fs_step *s, char *buf, size_t cap)
{
	int n = s->pointer ? snprintf(buf, cap, "%s: ", s->pointer) : 0;

	if (n < 0 || (size_t)n >= cap)
		return s->pointer;
	plan_step_words(s, buf + n, cap - (size_t)n);
	return buf;
}

/* What the %s of a stage's words is: the item of the plan. */
static const char *item_of(const struct launch *l, const struct hs_msg *m, char *buf, size_t cap)
{
	const struct plan *p = l->plan;

	switch ((enum init_stage)m->stage) {
	case STAGE_JOIN:
		return m->index < p->n_joins ? p->joins[m->index].name : "?";
	case STAGE_UNSHARE:
		return m->index == CLONE_NEWUSER ? "user" : m->index == CLONE_NEWIPC ? "ipc" : "time";
	case STAGE_ROOTFS:
	case STAGE_PIVOT:
		return p->rootfs ? p->rootfs : "/";
	case STAGE_STEP:
	case STAGE_STEP_MAPPED:
	case STAGE_STEP_PATH:
		return m->index < p->n_steps ? step_item(&p->steps[m->index], buf, cap) : "?";
	case STAGE_LATE_STEP:
		return m->index < p->n_late_steps ?
			       step_item(&p->late_steps[m->index], buf, cap) :
			       "?";
	case STAGE_SETTING:
		return setting_name(p, m->index);
	case STAGE_RLIMIT:
		return m->index < p->process.n_rlimits ? p->process.rlimits[m->index].name : "?";
	case STAGE_HOSTNAME:
		return p->hostname;
	case STAGE_DOMAINNAME:
		return p->domainname;
	case STAGE_SYSCTL:
		return m->index < p->n_sysctl ? p->sysctl[m->index].pointer : "?";
	case STAGE_CWD:
		return p->process.cwd;
	case STAGE_APPARMOR:
		return p->process.apparmor;
	case STAGE_SELINUX:
		return p->process.selinux;
	case STAGE_LOOKUP:
	case STAGE_LOOKUP_PATH:
		return p->process.argv ? p->process.argv[0] : "?";
	default:
		return "";
	}
}

static int failed(const struct launch *l, const struct hs_msg *m, struct err *e)
{
	char item[512], words[768];
	enum err_kind kind = ERR_INTERNAL;
	const char *format;
	const char *percent;
	int sys = m->sys > 0 && m->sys < 4096 ? -m->sys : 0;

	if (m->stage >= STAGE_COUNT)
		return err_set(e, ERR_INTERNAL, -EPROTO, "unknown failure %u of the child", m->stage);
	format = stage_words[m->stage];
	percent = strstr(format, "%s");
	if (percent) {
		const char *s = item_of(l, m, item, sizeof item);

		snprintf(words, sizeof words, "%.*s%s%s", (int)(percent - format), format,
			 s ? s : "?", percent + 2);
	} else {
		snprintf(words, sizeof words, "%s", format);
	}
	if (m->stage == STAGE_LOOKUP || m->stage == STAGE_LOOKUP_PATH)
		kind = ERR_EXEC;
	/* Go's os.Stat says which call failed, and front ends search for it. */
	if (m->stage == STAGE_LOOKUP && (sys == -ENOENT || sys == -ENOTDIR))
		snprintf(words + strlen(words), sizeof words - strlen(words), ": stat %s",
			 l->plan->process.argv[0]);
	if (kind == ERR_EXEC) {
		err_set(e, kind, m->stage == STAGE_LOOKUP_PATH ? -ENOENT : sys, "%s", words);
		if (e)
			e->told = m->stage == STAGE_LOOKUP_PATH;
		return -EINVAL;
	}
	return err_sys(e, sys ? sys : -EIO, "%s", words);
}

/* How the process that closed the handshake ended: it is a zombie, or about to
 * be. The signal, 0 for an exit, *code; of another's child only the signal. */
static int cause_of_death(const struct launch *l, int *code)
{
	int fd = l->pid ? l->pidfd : l->stage_pidfd, status = 0;
	siginfo_t si = { 0 };
	char path[32], buf[1024];

	*code = 0;
	proc_wait(fd, l->deadline_ms ? DYING_MS : 0);
	if (sys_waitid(P_PIDFD, fd, &si, WEXITED | WNOWAIT | WNOHANG | __WALL) >= 0 && si.si_pid) {
		*code = si.si_code == CLD_EXITED ? si.si_status : 0;
		return si.si_code == CLD_EXITED ? 0 : si.si_status;
	}
	snprintf(path, sizeof path, "/proc/%d/stat", (int)l->pid);
	if (file_read_line(AT_FDCWD, path, buf, sizeof buf) > 0 && strrchr(buf, ' '))
		status = atoi(strrchr(buf, ' ')); /* the last field is what wait would say */
	*code = status >> 8;
	return status & 0x7f;
}

static int died(struct launch *l, struct err *e)
{
	int code, sig = cause_of_death(l, &code);

	if (code == INIT_EXIT_SILENT) /* it was left alone */
		sig = l->stage_signal;
	if (sig)
		return err_set(e, ERR_INTERNAL, 0,
			       "the container's process was killed by signal %d while %s", sig,
			       phase_words[l->phase]);
	return err_set(e, ERR_INTERNAL, 0, "the container's process ended while %s",
		       phase_words[l->phase]);
}

/* One that is gone ran, ended, and was reaped. */
static bool has_executed(const struct launch *l)
{
	struct proc_stat st;

	return proc_stat(l->pid, &st) < 0 || st.executed;
}

/* End of file after START is the execve, or a death before it. One that could
 * not execute its program says so itself, and has been started. */
static int executed(struct launch *l, struct err *e)
{
	int code;

	if (has_executed(l))
		return 0;
	if (!cause_of_death(l, &code) && code != INIT_EXIT_SILENT)
		return 0;
	return died(l, e);
}

/* ---- the handshake ------------------------------------------------------ */

static int tell(struct launch *l, enum hs_phase phase, struct err *e)
{
	struct hs_msg m = { .phase = (uint32_t)phase };
	int r = fd_send(l->sync, &m, sizeof m, NULL, 0);

	if (r == -EPIPE || r == -ECONNRESET)
		return died(l, e);
	if (r < 0)
		return err_sys(e, r, "speak to the container's process");
	l->phase = phase;
	return 0;
}

/* 1: a message; 0: end of file. */
static int hear(struct launch *l, struct hs_msg *m, int *fd, struct err *e)
{
	struct pollfd p = { .fd = l->sync, .events = POLLIN };
	size_t n = 1;
	ssize_t r;

	do
		r = sys_poll(&p, 1, l->deadline_ms);
	while (r == -EINTR);
	if (r == 0)
		return err_set(e, ERR_TIMEOUT, -ETIMEDOUT, "the container's process hung while %s",
			       phase_words[l->phase]);
	*fd = -1;
	if (r > 0)
		r = fd_recv(l->sync, m, sizeof *m, fd, &n);
	if (r == -ECONNRESET)
		r = 0;
	if (r < 0)
		return err_sys(e, (int)r, "hear from the container's process");
	if (r && r != (ssize_t)sizeof *m) {
		fd_closep(fd);
		return err_set(e, ERR_INTERNAL, -EPROTO,
			       "a message of %zd bytes from the container's process", r);
	}
	return r > 0;
}

static void reap_stage(struct launch *l)
{
	int code;

	if (!l->stage)
		return;
	if (proc_wait(l->stage_pidfd, PHASE_DEADLINE_MS) < 0)
		proc_signal(l->stage_pidfd, SIGKILL);
	code = proc_reap(l->stage_pidfd);
	l->stage_signal = code > 128 ? code - 128 : 0;
	l->stage = 0;
	fd_closep(&l->stage_pidfd);
}

static int on_forked(struct launch *l, const struct hs_msg *m, int fd, struct err *e)
{
	if (l->pid || fd < 0) {
		sys_close(fd);
		return err_set(e, ERR_INTERNAL, -EPROTO, "the stage reported no process");
	}
	l->pid = (pid_t)m->index;
	l->pidfd = fd;
	l->phase = HS_MAPPED; /* the stage has seen to a new user namespace */
	reap_stage(l);
	return 0;
}

static int on_cloned(struct launch *l, struct err *e)
{
	pid_t pid = l->pid ? l->pid : l->stage;
	struct hs_msg m = { .stage = STAGE_SETTING };
	int r = idmap_write(l->plan, l->proc, pid, e);

	if (r < 0)
		return r;
	r = settings_apply(l->plan, l->proc, pid, &m.index);
	if (r < 0) {
		m.sys = -r;
		return failed(l, &m, e);
	}
	return tell(l, HS_MAPPED, e);
}

static int on_listener(struct launch *l, const struct hs_msg *m, struct err *e)
{
	OWN_FD fd = sys_pidfd_getfd(l->pidfd, (int)m->index);
	int r;

	if (fd < 0)
		return err_sys(e, fd, "take the seccomp listener (pidfd_getfd)");
	r = l->on_listener ? l->on_listener(l, fd, e) :
			     err_set(e, ERR_INTERNAL, -EPROTO, "a seccomp listener nobody asked for");
	return r < 0 ? r : tell(l, HS_TAKEN, e);
}

/* Follows the child until it reports `until`; HS_NONE: until it executes. */
int launch_drive(struct launch *l, enum hs_phase until, struct err *e)
{
	struct hs_msg m;
	int fd, r;

	for (;;) {
		r = hear(l, &m, &fd, e);
		if (r < 0)
			return r;
		if (r == 0)
			return until == HS_NONE ? executed(l, e) : died(l, e);
		if (m.phase != HS_FORKED)
			sys_close(fd);
		switch ((enum hs_phase)m.phase) {
		case HS_FORKED:
			r = on_forked(l, &m, fd, e);
			break;
		case HS_CLONED:
			l->phase = HS_CLONED;
			r = on_cloned(l, e);
			break;
		case HS_MOUNTED:
		case HS_STARTING:
			l->phase = (enum hs_phase)m.phase;
			r = l->on_stop ? l->on_stop(l, l->phase, e) : 0;
			if (r >= 0)
				r = tell(l, HS_HOOKED, e);
			break;
		case HS_LISTENER:
			l->phase = HS_LISTENER;
			r = on_listener(l, &m, e);
			break;
		case HS_CREATED:
			l->phase = HS_CREATED;
			break;
		case HS_FAILED:
			return failed(l, &m, e);
		default:
			return err_set(e, ERR_INTERNAL, -EPROTO,
				       "message %u from the container's process out of turn", m.phase);
		}
		if (r < 0)
			return r;
		if (m.phase == (uint32_t)until)
			return 0;
	}
}

/* ---- making the process -------------------------------------------------- */

/* Is the namespace that is joined our own? 1, 0 or an error. */
static int is_own(struct launch *l, int ns, const char *ours, struct err *e)
{
	struct stat own, joined;
	int r = sys_fstatat(l->proc, ours, &own, 0);

	if (r >= 0)
		r = sys_fstat(ns, &joined);
	if (r < 0)
		return err_sys(e, r, "look at '/proc/%s'", ours);
	return own.st_dev == joined.st_dev && own.st_ino == joined.st_ino;
}

/* What would then be done to the host: net.* is set, "/" is replaced. */
static int check_join(struct launch *l, int type, int ns, struct err *e)
{
	const struct plan *p = l->plan;
	int r;

	if (type != CLONE_NEWNS && type != CLONE_NEWNET)
		return 0;
	r = is_own(l, ns, type == CLONE_NEWNS ? "self/ns/mnt" : "self/ns/net", e);
	if (r <= 0)
		return r;
	if (type == CLONE_NEWNS)
		return err_set(e, ERR_INVALID, 0,
			       "/linux/namespaces: the mount namespace is the caller's own");
	for (size_t i = 0; i < p->n_sysctl; i++)
		if (str_starts(p->sysctl[i].key, "net/"))
			return err_set(e, ERR_INVALID, 0, "%s: the network namespace is the caller's own",
				       p->sysctl[i].pointer);
	return 0;
}

static int open_joins(struct launch *l, struct err *e)
{
	for (size_t i = 0; i < l->plan->n_joins; i++) {
		const struct plan_join *j = &l->plan->joins[i];
		int fd = sys_openat(AT_FDCWD, j->path, O_RDONLY | O_CLOEXEC, 0);

		if (fd < 0)
			return err_sys(e, fd, "open the %s namespace '%s'", j->name, j->path);
		l->fds.join[i] = fd;
		fd = check_join(l, j->type, fd, e);
		if (fd < 0)
			return fd;
	}
	return 0;
}

static int open_fds(struct launch *l, struct err *e)
{
	int pair[2], r;

	l->proc = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (l->proc < 0)
		return err_sys(e, l->proc, "open '/proc'");
	r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
	if (r < 0)
		return err_sys(e, r, "make the handshake socket");
	l->sync = pair[0];
	l->fds.sync = pair[1];
	l->fds.parent_sync = pair[0];
	l->fds.proc = l->proc;
	l->fds.start = l->start;
	l->fds.console = l->console;
	l->fds.target = l->target;
	l->fds.target_ns = l->target_ns;
	l->fds.target_root = l->target_root;
	l->fds.wait_for_maps = l->plan->own_user_ns;
	l->fds.settings = !l->plan->own_user_ns;
	if (l->cg) {
		r = cgroup_join_fds(l->cg, l->fds.cgroup, e);
		if (r < 0)
			return r;
		l->fds.n_cgroup = r;
		l->fds.clone_cgroup = cgroup_clone_fd(l->cg);
	}
	if (l->plan->process.builtin_init) {
		l->fds.program = r = builtin_init_open(e);
		if (r < 0)
			return r;
	}
	r = open_joins(l, e);
	return r < 0 ? r : mountfd_prepare(l, e);
}

/* Whether we may come back from another pid namespace: root of a user namespace
 * may not, the host's being none of his. Going to where one is tells. */
static bool may_return(const struct launch *l)
{
	OWN_FD own = sys_openat(l->proc, "self/ns/pid", O_RDONLY | O_CLOEXEC, 0);

	return own >= 0 && sys_setns(own, CLONE_NEWPID) >= 0;
}

/* Where a user namespace has to be entered first, or the plan names namespaces
 * of others, or a time namespace needs its offsets before anyone is in it, or
 * where nobody may see what we still hold of the host. */
static bool needs_stage(const struct launch *l)
{
	return l->hide || l->target_ns & CLONE_NEWUSER || l->plan->n_joins || l->plan->new_ns & CLONE_NEWTIME ||
	       (l->target_ns & CLONE_NEWPID && !may_return(l));
}

static int clone_stage(struct launch *l, struct err *e)
{
	bool joined;
	int r = sys_pipe2(l->fds.gate, O_CLOEXEC);

	if (r < 0)
		return err_sys(e, r, "make a pipe");
	l->fds.hide = l->hide;
	l->stage = clone_process(0, l->hide ? l->fds.clone_cgroup : -1, &l->stage_pidfd, &joined);
	if (l->stage == 0 && joined)
		l->fds.n_cgroup = 0;
	if (l->stage == 0)
		stage_main(l->plan, &l->fds);
	if (l->stage < 0) {
		r = l->stage;
		l->stage = 0;
		return err_sys(e, r, "clone a process");
	}
	return 0;
}

/* setns into a pid namespace is for the children of the caller: there for the
 * one clone, and back. */
static int target_pid_ns(struct launch *l, bool enter, int *own, struct err *e)
{
	int r;

	if (!(l->target_ns & CLONE_NEWPID))
		return 0;
	if (enter) {
		*own = sys_openat(l->proc, "self/ns/pid", O_RDONLY | O_CLOEXEC, 0);
		if (*own < 0)
			return err_sys(e, *own, "open '/proc/self/ns/pid'");
	}
	r = sys_setns(enter ? l->target : *own, CLONE_NEWPID);
	return r < 0 ? err_sys(e, r, "join the pid namespace of the container") : 0;
}

static int clone_init(struct launch *l, struct err *e)
{
	uint64_t flags = l->plan->new_ns;
	OWN_FD own = -1;
	bool joined;
	pid_t pid;
	int r = target_pid_ns(l, true, &own, e);

	if (r < 0)
		return r;
	/* The queues of a new IPC namespace belong to whoever makes it: root of
	 * the user namespace, once it is that. */
	if (l->plan->own_user_ns)
		flags &= ~(uint64_t)CLONE_NEWIPC;
	l->fds.enter_target = l->target >= 0;
	/* Born where the container sees it, with our privileges and files:
	 * nothing of the container may trace it. The child inherits this. */
	if (l->target >= 0)
		sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);
	pid = clone_process(flags, l->fds.clone_cgroup, &l->pidfd, &joined);
	if (pid == 0) {
		if (joined)
			l->fds.n_cgroup = 0;
		init_main(l->plan, &l->fds);
	}
	if (l->target >= 0)
		sys_prctl(PR_SET_DUMPABLE, 1, 0, 0);
	if (pid < 0)
		return err_sys(e, pid, "clone a process in new namespaces");
	l->pid = pid;
	return target_pid_ns(l, false, &own, e);
}

/* The parent's copies of what only the child needs. */
static void close_child_fds(struct launch *l)
{
	fd_closep(&l->fds.sync);
	fd_closep(&l->fds.program);
	fd_closep(&l->fds.gate[0]);
	fd_closep(&l->fds.gate[1]);
	for (int i = 0; i < l->fds.n_cgroup; i++)
		fd_closep(&l->fds.cgroup[i]);
	l->fds.n_cgroup = 0;
	for (size_t i = 0; i < sizeof l->fds.join / sizeof l->fds.join[0]; i++)
		fd_closep(&l->fds.join[i]);
	mountfd_done(l);
}

int launch_clone(struct launch *l, struct err *e)
{
	int r = open_fds(l, e);

	if (r >= 0)
		r = needs_stage(l) ? clone_stage(l, e) : clone_init(l, e);
	close_child_fds(l);
	return r;
}

int launch_create(struct launch *l, struct err *e)
{
	int r = launch_clone(l, e);

	return r < 0 ? r : launch_drive(l, HS_CREATED, e);
}

int launch_start(struct launch *l, struct err *e)
{
	int r = tell(l, HS_START, e);

	if (r >= 0)
		r = launch_drive(l, HS_NONE, e);
	if (r >= 0)
		l->kept = true;
	return r;
}

int launch_detach(struct launch *l, struct err *e)
{
	int r = tell(l, HS_DETACH, e);

	if (r >= 0)
		l->kept = true;
	return r;
}

int launch_hold(struct launch *l, int *ret, struct err *e)
{
	int r = launch_detach(l, e);

	if (r >= 0)
		*ret = take_fd(&l->sync);
	return r;
}

int launch_resume(struct launch *l, int sync, pid_t pid, int pidfd, struct err *e)
{
	int r;

	l->sync = sync;
	l->pid = pid;
	l->pidfd = pidfd;
	l->kept = true; /* another process made it */
	r = launch_start(l, e);
	l->sync = l->pidfd = -1; /* the caller's */
	return r;
}

static void kill_and_reap(pid_t pid, int pidfd)
{
	if (!pid || pidfd < 0) /* none, or done before */
		return;
	proc_signal(pidfd, SIGKILL);
	/* Init of a pid namespace ends after all in it were reaped, some perhaps by
	 * us: a subreaper inherits what a hook's process leaves. */
	for (int ms = 0; proc_wait(pidfd, ADOPTED_MS) == -ETIMEDOUT; ms += ADOPTED_MS) {
		if (ms >= END_MS)
			return; /* it cannot die: frozen, or in a call that hangs */
		proc_reap_others(pid);
	}
	proc_reap(pidfd);
}

/* A stage that was stopped may have made init without our having heard of it. */
static void find_unheard(struct launch *l)
{
	struct hs_msg m;
	struct err e;
	int fd;

	kill_and_reap(l->stage, l->stage_pidfd);
	l->stage = 0;
	while (!l->pid && hear(l, &m, &fd, &e) > 0) {
		if (m.phase == HS_FORKED)
			on_forked(l, &m, fd, &e);
		else
			sys_close(fd);
	}
}

void launch_done(struct launch *l)
{
	if (!l->kept && l->stage && l->sync >= 0)
		find_unheard(l);
	fd_closep(&l->sync);
	close_child_fds(l);
	if (!l->kept)
		kill_and_reap(l->pid, l->pidfd);
	fd_closep(&l->stage_pidfd);
	fd_closep(&l->pidfd);
	fd_closep(&l->proc);
}
