/* Shared by the files behind container.h: container.c, create.c, start.c,
 * exec.c, delete.c, sockets.c. */
#pragma once

#include <stdbool.h>

#include "cgroup.h"
#include "cgroup_systemd.h"
#include "container.h"
#include "launch.h"
#include "log.h"
#include "proc.h"

struct record;

/* Below the state root beside the containers; no id of one. */
#define SECCOMP_CACHE ".seccomp"
/* In a container's directory, beside RECORD_FILE. */
#define LOCK_FILE "lock"
#define SPEC_FILE "config.json"
#define START_SOCKET "start.sock"

/* container.c */
int core_boot_id(const struct core *c, char ret[PROC_BOOT_ID]);
int container_open_dir(const struct core *c, const char *id, struct err *e);
int container_lock(int dir, int *ret, struct err *e);
/* Whether `dir` is still what has that name: before we had its lock another
 * command may have removed it, and yet another made it again. */
bool container_is_dir(int root, const char *id, int dir);
void record_state_json(const struct record *rec, enum container_state state, bool full,
		       const char *indent, struct sb *out);

struct cgroup_ref { /* the opened cgroup of a record */
	struct cgroup cg;
	bool open;
};
/* `controller`: only the hierarchy that has it; NULL: all; "": none, the path alone. */
int cgroup_ref_open(struct core *c, const struct record *rec, const char *controller,
		    struct cgroup_ref *ret, struct err *e);
void cgroup_ref_close(struct cgroup_ref *ref);
/* The scope of a record that has one. */
struct cgroup_unit record_unit(const struct record *rec);

/* hooks that run while the first process waits (start.c, create.c) */
struct stop_ctx {
	const struct spec *spec;
	struct record *rec;
	int target_ns; /* of the container's own namespaces */
};
int run_hooks_at(struct launch *l, enum hs_phase where, struct err *e);
int run_poststart(const struct spec *s, const struct record *rec, struct err *e);
int container_ns_flags(const struct spec *s);
/* delete.c; also where a creation is undone. A hook that fails is logged. */
void run_poststop(const struct spec *s, const struct record *rec, enum log_level level);

/* create.c: fills plan->process.filter from linux.seccomp. */
struct plan;
int compile_filter(struct core *c, const struct spec *s, struct plan *p, struct err *e);

/* sockets.c */
int start_socket_listen(int dir, struct err *e);
int start_socket_connect(int dir, struct err *e);
int write_pid_file(const char *path, pid_t pid, struct err *e);
int send_pidfd(const char *socket_path, int pidfd, struct err *e);
/* launch's on_listener: sends it with the container's state to the agent at
 * linux.seccomp.listenerPath. */
int hand_listener_over(struct launch *l, int fd, struct err *e);
/* runc's rule: somebody must hold the other end of a terminal: whoever listens
 * at the console socket, or a caller in the foreground (`ret_master`). */
int console_check(bool terminal, const char *socket, const int *ret_master, struct err *e);
int console_open(const char *socket, int *console, int *other, struct err *e);
int receive_master(int *console, int *other, int *ret_master, struct err *e);
