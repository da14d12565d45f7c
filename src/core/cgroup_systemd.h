/*
 * The systemd driver: the container's cgroup is a transient scope that systemd
 * makes, so that systemd's view of the host stays true. Limits are given to
 * systemd as properties (or a daemon-reload would take them back) and then
 * written to the cgroup's files as well, since systemd knows only some.
 *
 *	cgroup_systemd_unit(&a, "machine.slice:libpod:c1", "c1", false, &u, e);
 *	cgroup_systemd_start(&a, &u, &host, resources, pid, e);	// the scope holds pid now
 *	cgroup_adopt(&cg, &host, u.path, e);
 *	cgroup_apply(&cg, resources, true, e);
 *	...
 *	cgroup_systemd_stop(&u, e);		// and cgroup_destroy() for what is left on v1
 *
 * Properties from annotations (org.systemd.property.*) are not passed on: with
 * them whoever writes a pod's annotations could run commands on the host.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct arena;
struct cgroup_host;
struct err;
struct spec_resources;

struct cgroup_unit { /* arena memory */
	const char *name; /* "libpod-c1.scope" */
	const char *slice; /* "machine.slice" */
	const char *path; /* of the cgroup: "/machine.slice/libpod-c1.scope" */
	const char *made; /* when the container was; with the name it is the scope's own. NULL: of no container */
	bool user; /* the caller's own service manager */
};

/* linux.cgroupsPath as "slice:prefix:name"; absent parts are system.slice (or
 * user.slice), "berth" and the id. Pure; for a user manager `path` is below
 * that manager's own cgroup, which cgroup_systemd_start() puts in front. */
int cgroup_systemd_unit(struct arena *a, const char *cgroups_path, const char *id, bool user,
			struct cgroup_unit *ret, struct err *e);
/* "a-b.slice" -> "/a.slice/a-b.slice". */
int cgroup_systemd_expand(struct arena *a, const char *slice, char **ret, struct err *e);

/* Starts the scope around `pid` (0: no process) and waits until it is there. */
int cgroup_systemd_start(struct arena *a, struct cgroup_unit *u, const struct cgroup_host *host,
			 const struct spec_resources *r, pid_t pid, struct err *e);
/* Moves the caller into a scope of its own below its user's service manager:
 * from a login session the kernel lets it put nobody into a container's scope
 * there (cgroup_may_join()). The scope goes with its last process. */
int cgroup_systemd_enter(struct arena *a, const struct cgroup_host *host, struct err *e);
int cgroup_systemd_update(const struct cgroup_unit *u, const struct cgroup_host *host,
			  const struct spec_resources *r, struct err *e);
/* Stops and forgets the scope; one that is not there is fine. 1: one that was
 * started by somebody else is, and is left alone. */
int cgroup_systemd_stop(const struct cgroup_unit *u, struct err *e);
