/*
 * The document of `berth features` (runtime-spec, features.md): printed from
 * the tables that parse, so it cannot claim what is not understood. (Not named
 * features.h: glibc has one.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sb;

#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.2.1"

/* What is not in tables: how it was built, and what this host has. */
struct features_host {
	bool cgroup_v1, cgroup_v2, systemd, systemd_user, rdma;
	bool seccomp; /* built in */
	const char *libseccomp_version; /* "2.5.4"; NULL: unknown */
	uint32_t seccomp_flags; /* SECCOMP_FILTER_FLAG_* the kernel takes */
	bool apparmor, selinux, intel_rdt, idmap;
	const char *version, *commit; /* berth's; commit may be NULL */
	/* prefixes of annotations that change what runs; NULL-terminated or NULL */
	const char *const *unsafe_annotations;
};

void spec_features_print(struct sb *b, const struct features_host *h);
