/*
 * The verbs on one container: what the runtime's command line calls, and later
 * the shim. Single-threaded, synchronous, every wait with a deadline.
 *
 * A container lives in <root>/<id>/: record.json (core/record.h), config.json
 * (the specification it was made from), start.sock, lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "state.h"

struct arena;
struct cgroup_host;
struct err;
struct plan;
struct record;
struct sb;
struct spec;
struct spec_intel_rdt;
struct spec_process;
struct spec_resources;

/* A request's surroundings: made once by the program, borrowed by all calls. */
struct core {
	struct arena *arena; /* of this request */
	const char *root; /* state root: /run/berth/runtime */
	bool systemd_cgroup;
	/* containers stay in the caller's cgroups, limits are ignored (crun: --cgroup-manager disabled) */
	bool no_cgroup;
	bool rootless; /* cgroup errors of an unprivileged caller are forgiven */
	bool in_user_ns; /* the caller is in a user namespace of somebody's own */
	/* what whoever makes many requests may have read before; NULL: read when it is needed */
	const struct cgroup_host *cgroup; /* core_cgroup() */
	const char *boot_id; /* core_boot_id() */
};

/* A container that was looked up. */
struct container {
	struct core *core; /* borrowed */
	int dir; /* its state directory */
	int lock; /* flock'ed lock file, or -1 */
	int pidfd; /* its first process, -1 when that is gone */
	enum container_state state;
	struct record *rec; /* arena memory */
	struct spec *spec; /* arena memory, read on first use: container_spec() */
};

/* The host's cgroup hierarchies, read once per request. */
int core_cgroup(struct core *c, const struct cgroup_host **ret, struct err *e);

int container_check_id(const char *id, struct err *e);

/* Opens an existing one and finds its state (record, pid identity, freezer).
 * `lock`: hold the exclusive lock until container_close (deadline 10 s);
 * verbs that change something take it. ERR_NOT_FOUND when there is none. */
int container_open(struct core *c, const char *id, bool lock,
		   struct container *ret, struct err *e);
void container_close(struct container *ct);

struct create_options {
	const char *id;
	const char *bundle; /* absolute */
	struct spec *spec;
	const char *spec_text; /* the text of `spec`, saved with the container */
	const char *console_socket;
	const char *pid_file;
	bool pid_file_early; /* nobody waits for it to appear */
	const char *pidfd_socket;
	bool no_pivot, no_new_keyring;
	uint32_t preserve_fds;
	bool run; /* no waiting for start: run in one go */
	/* run: a terminal's master end comes here instead of a console socket */
	int *ret_master; /* -1 when there is none */
	const char **ret_cgroup; /* its path in each hierarchy, arena memory; NULL: none */
	int *ret_oom; /* cgroup_oom_fd(); -1 when there is none */
	/* Not NULL: the process waits on this connection instead of the start socket; -1
	 * where starting it is more than letting it go (hooks). */
	int *ret_start;
	bool *ret_plain; /* all that it has is processes, cgroups and files: container_remove_plain() */
};

/* On success the container is created (or, with `run`, running) and its first
 * process is our child; *ret_pidfd is the caller's. On failure nothing is left. */
int container_create(struct core *c, const struct create_options *o,
		     int *ret_pidfd, pid_t *ret_pid, struct err *e);

/* --dry-run: the plan that create would carry out; changes nothing. */
int container_dry_run(struct core *c, const struct create_options *o,
		      struct plan **ret, struct err *e);

int container_start(struct container *ct, struct err *e);
/* What starts a process that waits on such a connection, in two steps that wait for
 * nothing: this, and once `start` is readable what has become of it. */
int container_let_go(int start, struct err *e);
int container_let_go_end(int start, const char *id, pid_t pid, int pidfd, struct err *e);
int container_kill(struct container *ct, int sig, bool all, struct err *e);
int container_pause(struct container *ct, struct err *e);
int container_resume(struct container *ct, struct err *e);
/* force: kill first if need be, and an absent container is fine. */
int container_delete(struct core *c, const char *id, bool force, struct err *e);
/* The same for its parent, once all of its processes are reaped: what is plain and empty
 * is removed without looking or waiting. Where that fails, container_delete() has to.
 * `cgroup`: its path in each hierarchy; "": none. */
int container_remove_plain(struct core *c, const char *id, const char *cgroup);
/* Schemata of its resctrl group, which is made when it has none yet. */
int container_update_rdt(struct container *ct, const struct spec_intel_rdt *rdt, struct err *e);
int container_update(struct container *ct, const struct spec_resources *r,
		     struct err *e);

struct exec_options {
	const struct spec_process *process; /* complete: defaults are the caller's business */
	const char *console_socket, *pid_file, *pidfd_socket;
	/* --cgroup: existing sub-cgroups of the container's, "[controllers:]path" */
	const char *const *cgroups;
	size_t n_cgroups;
	bool ignore_paused;
	uint32_t preserve_fds;
	int *ret_master;
};

/* A process in a running container; it is our child. */
int container_exec(struct container *ct, const struct exec_options *o,
		   int *ret_pidfd, pid_t *ret_pid, struct err *e);

/* That process has been reaped (one that failed: by container_exec): a built-in
 * init may be alone now, and is not told by the kernel of the end of a child of ours. */
void container_exec_ended(const struct container *ct);

/* The specification the container was made from (its saved copy). */
int container_spec(struct container *ct, struct spec **ret, struct err *e);
/* The same, without what only the making of a container needs: half the time. */
int container_spec_for_exec(struct container *ct, struct spec **ret, struct err *e);

/* `state` as the OCI runtime specification says; `owner`, `created`, `rootfs`
 * as runc adds them. */
void container_state_json(const struct container *ct, struct sb *out);

/* Ids below the root, sorted, NULL-terminated. */
int container_list(struct core *c, char ***ret, size_t *n, struct err *e);
