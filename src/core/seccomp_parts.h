/*
 * Inside the seccomp code only: what seccomp.c is put together from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

struct arena;
struct err;
struct seccomp_filter;
struct sock_filter;
struct spec_seccomp;
struct spec_syscall;

enum { SECCOMP_MAX_INSNS = 4096, SECCOMP_MAX_ARCHES = 20 };

/* The action with its data: 1 is EPERM, the default of errno and trace. */
uint32_t seccomp_action_of(uint32_t action, bool has_errno, uint32_t errno_ret);

/* ---- seccomp_new.c: what libseccomp does not know --------------------- */

/* Instructions to stand before libseccomp's: rules for such system calls, and
 * -ENOSYS instead of a denial for those that are younger than all that the
 * profile names, so that programs fall back instead of failing. `arches` are
 * SCMP_ARCH_* tokens, the native one first. */
int seccomp_prologue(struct arena *a, const struct spec_seccomp *s, const uint32_t *arches,
		     size_t n_arches, struct seccomp_filter *ret, struct err *e);

/* ---- seccomp_cache.c -------------------------------------------------- */

/* Fills `ret` from "<dir>/<key>.bpf". 0, or -errno: compile. */
int seccomp_cache_read(struct arena *a, const char *dir, const uint8_t key[SHA256_SIZE],
		       struct seccomp_filter *ret);
/* Best effort: a cache that cannot be written costs time, not correctness. */
void seccomp_cache_write(const char *dir, const uint8_t key[SHA256_SIZE],
			 const struct seccomp_filter *f);
