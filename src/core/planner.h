/*
 * Makes a plan (init/plan.h) from a specification and host facts. Pure: no
 * system calls, so it is unit-tested, fuzzed and printed without root. What is
 * wrong with a specification whatever the host was found when it was decoded
 * (spec.h), and is not asked again here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct cgroup_host;
struct err;
struct plan;
struct sb;
struct spec;
struct spec_process;

/* What the plan needs to know of the host. Read once by host_facts_read()
 * (facts.c); tests fill it by hand. */
struct host_facts {
	bool setgroups_denied; /* in the caller's user namespace, so in every one below it */
	uid_t euid;
	gid_t egid;
	bool privileged; /* CAP_SYS_ADMIN in the initial user namespace */
	uint32_t last_cap;
	uint64_t missing_caps; /* that the caller does not have */
	const struct cgroup_host *cgroup; /* NULL: no cgroup file system */
	bool has_apparmor, has_selinux;
	bool has_time_ns;
	bool has_resctrl; /* intelRdt */
	bool has_kcore; /* /proc/kcore, for /dev/core */
	uint32_t kernel_major, kernel_minor;
};

/* Looks only for what `s` asks for, or `exec` (NULL: the container itself is
 * made). `in_user_ns`: capabilities in a user namespace of somebody's own are
 * not privileges. `cgroup` is borrowed. A kernel older than 5.10 is an error. */
int host_facts_read(struct host_facts *f, const struct spec *s, const struct spec_process *exec,
		    const struct cgroup_host *cgroup, bool in_user_ns, struct err *e);
/* The pure part: "5.10.0-28-amd64". -EINVAL when it is no version. */
int host_facts_kernel(struct host_facts *f, const char *release);

struct plan_options { /* what the command line says */
	const char *id;
	const char *bundle; /* absolute */
	bool systemd_cgroup;
	bool no_pivot;
	bool no_new_keyring;
	uint32_t preserve_fds;
	bool no_cgroup; /* none of its own */
};

/* The first process and its container. */
int plan_container(struct arena *a, const struct spec *s,
		   const struct host_facts *f, const struct plan_options *o,
		   struct plan **ret, struct err *e);

/* Another process in it (exec). `s` is the container's own specification;
 * `proc` the process as asked for. */
int plan_exec(struct arena *a, const struct spec *s,
	      const struct spec_process *proc, const struct host_facts *f,
	      const struct plan_options *o, struct plan **ret, struct err *e);

/* What the container's cgroup lets it do with devices: the rules of the
 * specification, then what every container may. */
struct spec_device_rule;
int plan_device_rules(struct arena *a, const struct spec *s,
		      struct spec_device_rule **ret, size_t *n);

/* The plan as text (--dry-run, golden files) or JSON. */
void plan_print(const struct plan *p, struct sb *out);
void plan_print_json(const struct plan *p, struct sb *out);

/* "mount 'proc' on '/proc'": the words of one step, for errors and the dry run. */
struct fs_step;
const char *plan_step_words(const struct fs_step *s, char *buf, size_t cap);
