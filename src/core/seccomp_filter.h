/*
 * Compiles an OCI seccomp section to BPF with libseccomp, through a cache on
 * disk keyed by SHA-256 of (canonical profile, architecture, libseccomp
 * version, cache format), because compiling docker's profile costs 10 ms and
 * reading it back 0.03 ms.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct spec_seccomp;
struct sock_filter;

struct seccomp_filter {
	struct sock_filter *insns; /* arena memory */
	size_t n; /* <= 4096 */
	uint32_t flags; /* for seccomp(2): SECCOMP_FILTER_FLAG_*, with NEW_LISTENER when notify is used */
};

/* `cache_dir` (mode 0700, made when missing) may be NULL: no cache. A cache that cannot be
 * read, is not root's/ours, or is damaged is ignored and rewritten. */
int seccomp_compile(struct arena *a, const struct spec_seccomp *s,
		    const char *cache_dir, struct seccomp_filter *ret,
		    struct err *e);
