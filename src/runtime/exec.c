/* exec: another process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "bundle.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "foreground.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "names.h"
#include "proc.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

struct exec_flags {
	const char *console_socket, *pid_file, *pidfd_socket, *process, *cwd, *user;
	const char *apparmor, *process_label;
	bool detach, ignore_paused;
	int tty, no_new_privs; /* OPT_SWITCH */
	int64_t preserve_fds;
	struct option_list env, gids, caps, cgroups;
};

#define FLAG(name, letter, type, member, otherwise, help)                      \
	OPTION(name, letter, type, struct exec_flags, member, otherwise, help)

static const struct option_def exec_options[] = {
	FLAG("console-socket", 0, OPT_STRING, console_socket, NULL,
	     "path to an AF_UNIX socket which will receive the master end of the terminal"),
	FLAG("cwd", 0, OPT_STRING, cwd, NULL, "current working directory in the container"),
	FLAG("env", 'e', OPT_LIST, env, NULL, "set environment variables"),
	FLAG("tty", 't', OPT_SWITCH, tty, NULL, "allocate a pseudo-TTY"),
	FLAG("user", 'u', OPT_STRING, user, NULL, "UID (format: <uid>[:<gid>])"),
	FLAG("additional-gids", 'g', OPT_LIST, gids, NULL, "additional gids"),
	FLAG("process", 'p', OPT_STRING, process, NULL, "path to the process.json"),
	FLAG("detach", 'd', OPT_BOOL, detach, NULL, "detach from the process"),
	FLAG("pid-file", 0, OPT_STRING, pid_file, NULL, "write the process id to this file"),
	FLAG("pidfd-socket", 0, OPT_STRING, pidfd_socket, NULL,
	     "path to an AF_UNIX socket which will receive a pidfd of the process"),
	FLAG("process-label", 0, OPT_STRING, process_label, NULL,
	     "set the SELinux label of the process"),
	FLAG("apparmor", 0, OPT_STRING, apparmor, NULL, "set the AppArmor profile of the process"),
	FLAG("no-new-privs", 0, OPT_SWITCH, no_new_privs, NULL,
	     "set the no new privileges value of the process"),
	FLAG("cap", 'c', OPT_LIST, caps, NULL, "add a capability for the process"),
	FLAG("preserve-fds", 0, OPT_INT, preserve_fds, "0",
	     "pass N more file descriptors (stdio + $LISTEN_FDS + N in total)"),
	FLAG("cgroup", 0, OPT_LIST, cgroups, NULL,
	     "run the process in an existing sub-cgroup: [<controller>:]<cgroup>"),
	FLAG("ignore-paused", 0, OPT_BOOL, ignore_paused, NULL,
	     "allow exec in a paused container"),
	{ 0 },
};

static int no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "read the process");
}

/* ---- the process that is asked for ---------------------------------------- */

static int add_env(struct arena *a, struct spec_process *p, const struct option_list *l,
		   struct err *e)
{
	char **env = arena_calloc(a, p->n_env + l->n + 1, sizeof *env);

	if (!env)
		return no_memory(e);
	if (p->n_env)
		memcpy(env, p->env, p->n_env * sizeof *env);
	for (size_t i = 0; i < l->n; i++) {
		env[p->n_env + i] = arena_strdup(a, l->v[i]);
		if (!env[p->n_env + i])
			return no_memory(e);
	}
	p->env = env;
	p->n_env += l->n;
	return 0;
}

static int add_gids(struct arena *a, struct spec_user *u, const struct option_list *l,
		    struct err *e)
{
	uint32_t *gids = arena_calloc(a, u->n_additional_gids + l->n + 1, sizeof *gids);

	if (!gids)
		return no_memory(e);
	if (u->n_additional_gids)
		memcpy(gids, u->additional_gids, u->n_additional_gids * sizeof *gids);
	for (size_t i = 0; i < l->n; i++)
		if (parse_u32(l->v[i], &gids[u->n_additional_gids + i]) < 0)
			return err_set(e, ERR_INVALID, 0,
				       "additional-gids must be a positive number %s", l->v[i]);
	u->additional_gids = gids;
	u->n_additional_gids += l->n;
	return 0;
}

/* Bounding, effective and permitted; ambient only where the container's own
 * process has it inheritable, since it could not be raised otherwise. */
static int add_caps(struct arena *a, struct spec_process *p, const struct option_list *l,
		    struct err *e)
{
	struct spec_caps *caps = arena_alloc(a, sizeof *caps);

	if (!caps)
		return no_memory(e);
	if (p->capabilities)
		*caps = *p->capabilities;
	for (size_t i = 0; i < l->n; i++) {
		uint64_t n, bit;

		if (name_value(capability_names, l->v[i], &n) < 0) {
			log_printf(LOG_LEVEL_WARNING,
				   "ignoring unknown or unavailable capabilities: [%s]", l->v[i]);
			continue;
		}
		bit = (uint64_t)1 << n;
		caps->set[CAP_SET_BOUNDING] |= bit;
		caps->set[CAP_SET_EFFECTIVE] |= bit;
		caps->set[CAP_SET_PERMITTED] |= bit;
		caps->set[CAP_SET_AMBIENT] |= bit & caps->set[CAP_SET_INHERITABLE];
	}
	p->capabilities = caps;
	return 0;
}

/* "UID" or "UID:GID"; without a gid it stays the container's. */
static int set_user(struct arena *a, struct spec_user *u, const char *s, struct err *e)
{
	char *uid = arena_strdup(a, s), *gid;

	if (!uid)
		return no_memory(e);
	gid = strchr(uid, ':');
	if (gid) {
		*gid++ = '\0';
		if (parse_u32(gid, &u->gid) < 0)
			return err_set(e, ERR_INVALID, 0,
				       "parsing %s as int for gid failed: invalid syntax", gid);
	}
	if (parse_u32(uid, &u->uid) < 0)
		return err_set(e, ERR_INVALID, 0,
			       "parsing %s as int for uid failed: invalid syntax", uid);
	return 0;
}

/* --process: the whole of it from a file. */
static int read_process(struct request *q, const char *path, struct spec_process **ret,
			struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(q->core.arena, AT_FDCWD, path, JSON_MAX_SIZE, &text, &len, e);

	if (r < 0)
		return r;
	return spec_parse_process(q->core.arena, text, len, path, ret, e);
}

static int apply_flags(struct arena *a, struct spec_process *p, const struct exec_flags *f,
		       struct err *e)
{
	int r = 0;

	if (!str_empty(f->cwd))
		p->cwd = arena_strdup(a, f->cwd);
	if (!str_empty(f->apparmor))
		p->apparmor_profile = arena_strdup(a, f->apparmor);
	if (!str_empty(f->process_label))
		p->selinux_label = arena_strdup(a, f->process_label);
	if (!p->cwd || (!str_empty(f->apparmor) && !p->apparmor_profile) ||
	    (!str_empty(f->process_label) && !p->selinux_label))
		return no_memory(e);
	p->terminal = f->tty > 0;
	if (f->no_new_privs)
		p->no_new_privileges = f->no_new_privs > 0;
	if (f->caps.n)
		r = add_caps(a, p, &f->caps, e);
	if (r == 0)
		r = add_env(a, p, &f->env, e);
	if (r == 0 && !str_empty(f->user))
		r = set_user(a, &p->user, f->user, e);
	if (r == 0)
		r = add_gids(a, &p->user, &f->gids, e);
	return r;
}

/* From the flags, with the container's own process for what they leave open. */
static int process_of_flags(struct request *q, struct container *ct, const struct exec_flags *f,
			    struct spec_process **ret, struct err *e)
{
	struct spec_process *p = arena_alloc(q->core.arena, sizeof *p);
	struct spec *s;
	int r;

	if (!p)
		return no_memory(e);
	r = container_spec_for_exec(ct, &s, e);
	if (r < 0)
		return r;
	if (s->process)
		*p = *s->process;
	else
		p->cwd = arena_strdup(q->core.arena, "/");
	p->args = q->args + 1;
	p->n_args = q->n_args - 1;
	*ret = p;
	return apply_flags(q->core.arena, p, f, e);
}

static int make_process(struct request *q, struct container *ct, const struct exec_flags *f,
			struct spec_process **ret, struct err *e)
{
	int r;

	if (!str_empty(f->process))
		r = read_process(q, f->process, ret, e);
	else
		r = process_of_flags(q, ct, f, ret, e);
	if (r == 0)
		r = bundle_add_listen_fds(q, *ret, e);
	return r;
}

/* ---- running it ----------------------------------------------------------- */

static int exec_foreground(struct container *ct, struct exec_options *o, struct err *e)
{
	OWN_FOREGROUND struct foreground fg = FOREGROUND_INIT;
	OWN_FD pidfd = -1;
	pid_t pid;
	int r;

	sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	r = foreground_begin(&fg, e);
	if (r < 0)
		return r;
	o->ret_master = &fg.master;
	r = container_exec(ct, o, &pidfd, &pid, e);
	if (r < 0)
		return r;
	r = foreground_wait(&fg, pidfd, pid, e);
	if (r < 0) /* nobody would hear of its end */
		proc_signal(pidfd, SIGKILL);
	container_exec_ended(ct);
	return r;
}

static int exec_in(struct request *q, struct container *ct, const struct exec_flags *f,
		   struct err *e)
{
	struct spec_process *p;
	struct exec_options o = {
		.console_socket = f->console_socket,
		.pid_file = f->pid_file,
		.pidfd_socket = f->pidfd_socket,
		.cgroups = f->cgroups.v,
		.n_cgroups = f->cgroups.n,
		.ignore_paused = f->ignore_paused,
		.preserve_fds = (uint32_t)f->preserve_fds + q->listen_fds,
	};
	OWN_FD pidfd = -1;
	pid_t pid;
	int r;

	r = ct->state == CT_PAUSED && f->ignore_paused ? 0 : state_check(ct->state, EV_EXEC, e);
	if (r < 0)
		return r;
	r = make_process(q, ct, f, &p, e);
	if (r < 0)
		return r;
	o.process = p;
	if (f->detach)
		return container_exec(ct, &o, &pidfd, &pid, e);
	foreground_size(p);
	return exec_foreground(ct, &o, e);
}

static int exec_run(struct request *q, void *options, struct err *e)
{
	struct container ct;
	int r;

	r = request_open(q, false, &ct, e);
	if (r == 0) {
		r = exec_in(q, &ct, options, e);
		container_close(&ct);
	}
	return r < 0 ? err_wrap(e, r, "exec failed") : r;
}

const struct verb verb_exec = {
	.name = "exec",
	.summary = "execute new process inside the container",
	.usage = "<container-id> <command> [command options]  || -p process.json <container-id>\n\n"
		 "Where \"<container-id>\" is the name for the instance of the container and\n"
		 "\"<command>\" is the command to be executed in it. \"<command>\" can't be empty\n"
		 "unless \"-p\" is given.",
	.options = exec_options,
	.options_size = sizeof(struct exec_flags),
	.min_args = 1,
	.max_args = -1,
	.failure = 255,
	.run = exec_run,
	.enters = true,
};
