/* OCI seccomp section -> BPF; see seccomp_filter.h. */
#include "seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "names.h"
#include "seccomp_parts.h"
#include "seccomp_shrink.h"
#include "spec.h"
#include "sys.h"

#define FIELD "/linux/seccomp"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

uint32_t seccomp_action_of(uint32_t action, bool has_errno, uint32_t errno_ret)
{
	uint32_t data = has_errno ? errno_ret & 0xffff : EPERM;

	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
		return action | data;
	return action;
}

/* ---- notify and flags ------------------------------------------------- */

/* The supervisor must still be told about the listener with write(2), and a
 * default of notify would cover that. */
static int check_notify(const struct spec_seccomp *s, bool *used, struct err *e)
{
	*used = false;
	if (s->default_action == SCMP_ACT_NOTIFY)
		return err_set(e, ERR_INVALID, 0,
			       FIELD "/defaultAction: SCMP_ACT_NOTIFY cannot be used as default action");
	for (size_t i = 0; i < s->n_syscalls; i++) {
		if (s->syscalls[i].action != SCMP_ACT_NOTIFY)
			continue;
		*used = true;
		for (size_t k = 0; k < s->syscalls[i].n_names; k++)
			if (!strcmp(s->syscalls[i].names[k], "write"))
				return err_set(e, ERR_INVALID, 0,
					       FIELD "/syscalls/%zu: SCMP_ACT_NOTIFY cannot be "
						     "used for the write syscall",
					       i);
	}
	return 0;
}

/* TSYNC means nothing to a process of one thread and excludes a listener;
 * WAIT_KILLABLE_RECV means nothing without one, and the kernel says EINVAL. */
static uint32_t flags_of(const struct spec_seccomp *s, bool notify)
{
	uint32_t flags = s->has_flags ? s->flags : 0;

	if (notify)
		return (flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC) |
		       SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return flags & ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
}

/* ---- libseccomp ------------------------------------------------------- */

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int add_arches(scmp_filter_ctx ctx, const uint32_t *arches, size_t n, struct err *e)
{
	for (size_t i = 1; i < n; i++) {
		int r = seccomp_arch_add(ctx, arches[i]);

		if (r < 0 && r != -EEXIST)
			return err_set(e, ERR_UNSUPPORTED, r, FIELD "/architectures: add %#x",
				       arches[i]);
	}
	return 0;
}

/* Two conditions on one argument cannot be one rule: then each is a rule of
 * its own, as in runc. */
static bool repeats_argument(const struct spec_syscall *c)
{
	unsigned seen = 0;

	for (size_t i = 0; i < c->n_args; i++) {
		if (seen & 1u << c->args[i].index)
			return true;
		seen |= 1u << c->args[i].index;
	}
	return false;
}

static int add_call(scmp_filter_ctx ctx, const struct spec_syscall *c, uint32_t action, int nr)
{
	struct scmp_arg_cmp cmp[6];
	size_t per_rule = repeats_argument(c) ? 1 : c->n_args;
	int r = 0;

	if (!c->n_args)
		return seccomp_rule_add_array(ctx, action, nr, 0, NULL);
	for (size_t i = 0; i < c->n_args && r == 0; i += per_rule) {
		for (size_t k = 0; k < per_rule; k++) {
			const struct spec_seccomp_arg *x = &c->args[i + k];

			cmp[k] = (struct scmp_arg_cmp){ .arg = x->index,
							.op = (enum scmp_compare)x->op,
							.datum_a = x->value,
							.datum_b = x->value_two };
		}
		r = seccomp_rule_add_array(ctx, action, nr, (unsigned)per_rule, cmp);
		if (r == -EEXIST)
			r = 0;
	}
	return r;
}

/* libseccomp asks the kernel about an action, and calls it invalid where it may not ask. */
static int check_action(uint32_t action, const char *place, struct err *e)
{
	int r = sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action);

	return r < 0 ? err_set(e, ERR_UNSUPPORTED, r, FIELD "/%s: ask for %s (seccomp)", place,
			       name_of(seccomp_action_names, action)) :
		       0;
}

static int cannot_add(const struct spec_seccomp *s, size_t i, const char *name, int r, struct err *e)
{
	char place[40];
	int asked;

	snprintf(place, sizeof place, "syscalls/%zu", i);
	asked = check_action(s->syscalls[i].action, place, e);
	return asked < 0 ? asked :
			   err_set(e, ERR_INVALID, r, FIELD "/%s: add a rule for '%s'", place, name);
}

static int add_calls(scmp_filter_ctx ctx, const struct spec_seccomp *s, struct err *e)
{
	uint32_t otherwise =
		seccomp_action_of(s->default_action, s->has_default_errno, s->default_errno);

	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct spec_syscall *c = &s->syscalls[i];
		uint32_t action = seccomp_action_of(c->action, c->has_errno, c->errno_ret);

		if (action == otherwise)
			continue; /* libseccomp refuses what says nothing new */
		for (size_t k = 0; k < c->n_args; k++)
			if (c->args[k].index > 5)
				return err_set(e, ERR_INVALID, 0,
					       FIELD "/syscalls/%zu/args/%zu/index: must be 0 to 5", i, k);
		for (size_t k = 0; k < c->n_names; k++) {
			int nr = seccomp_syscall_resolve_name(c->names[k]), r;

			/* Unknown ones are for another kernel; see seccomp_new.c. */
			if (nr == __NR_SCMP_ERROR)
				continue;
			r = add_call(ctx, c, action, nr);
			if (r < 0 && r != -EEXIST)
				return cannot_add(s, i, c->names[k], r, e);
		}
	}
	return 0;
}

/* libseccomp writes to an fd only. */
static int export(scmp_filter_ctx ctx, struct arena *a, const struct seccomp_filter *prologue,
		  struct seccomp_filter *ret, struct err *e)
{
	OWN_FD fd = file_memory("seccomp");
	size_t size;
	off_t end;
	int r;

	if (fd < 0)
		return err_sys(e, fd, "compile the seccomp filter");
	r = seccomp_export_bpf(ctx, fd);
	end = r < 0 ? r : lseek(fd, 0, SEEK_END);
	if (r < 0 || end < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, ERR_INTERNAL, r < 0 ? r : -errno, "compile the seccomp filter");
	size = (size_t)end;
	ret->n = prologue->n + size / sizeof *ret->insns;
	if (ret->n > SECCOMP_MAX_INSNS)
		return err_set(e, ERR_INVALID, -E2BIG,
			       FIELD ": the filter has %zu instructions, at most %d are possible",
			       ret->n, SECCOMP_MAX_INSNS);
	ret->insns = arena_calloc(a, ret->n, sizeof *ret->insns);
	if (!ret->insns)
		return err_sys(e, -ENOMEM, "compile the seccomp filter");
	if (prologue->n)
		memcpy(ret->insns, prologue->insns, prologue->n * sizeof *ret->insns);
	if (fd_read_all(fd, ret->insns + prologue->n, size) != (ssize_t)size)
		return err_set(e, ERR_INTERNAL, -EIO, "read the compiled seccomp filter");
	return 0;
}

/* The native architecture first, each once. */
static size_t collect_arches(const struct spec_seccomp *s, uint32_t arches[SECCOMP_MAX_ARCHES])
{
	size_t n = 0;

	arches[n++] = seccomp_arch_native();
	for (size_t i = 0; i < s->n_arches && n < SECCOMP_MAX_ARCHES; i++) {
		size_t k = 0;

		while (k < n && arches[k] != s->arches[i])
			k++;
		if (k == n && s->arches[i] != SCMP_ARCH_NATIVE)
			arches[n++] = s->arches[i];
	}
	return n;
}

static int compile(struct arena *a, const struct spec_seccomp *s, struct seccomp_filter *ret,
		   struct err *e)
{
	__attribute__((cleanup(release))) scmp_filter_ctx ctx = NULL;
	uint32_t arches[SECCOMP_MAX_ARCHES];
	struct seccomp_filter prologue;
	size_t n_names = 0, n_arches;
	int r;

	ctx = seccomp_init(
		seccomp_action_of(s->default_action, s->has_default_errno, s->default_errno));
	if (!ctx) {
		r = check_action(s->default_action, "defaultAction", e);
		return r < 0 ? r : err_set(e, ERR_INVALID, 0, FIELD "/defaultAction: refused by libseccomp");
	}
	n_arches = collect_arches(s, arches);
	for (size_t i = 0; i < s->n_syscalls; i++)
		n_names += s->syscalls[i].n_names;
	/* A tree instead of a list; with no rule at all libseccomp fails on it. */
	if (n_names > 32)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = add_arches(ctx, arches, n_arches, e);
	if (r == 0)
		r = add_calls(ctx, s, e);
	if (r == 0)
		r = seccomp_prologue(a, s, arches, n_arches, &prologue, e);
	if (r == 0)
		r = export(ctx, a, &prologue, ret, e);
	if (r != 0)
		return r;
	r = seccomp_shrink(a, ret->insns, ret->n, &ret->insns, &ret->n);
	return r < 0 ? err_sys(e, r, "compile the seccomp filter") : 0;
}

/* ---- the cache's key -------------------------------------------------- */

static void key_of(const struct spec_seccomp *s, uint8_t key[SHA256_SIZE])
{
	/* A change in what is generated here must change the first number. */
	const uint32_t facts[] = { 2, seccomp_arch_native(), SCMP_VER_MAJOR, SCMP_VER_MINOR,
				   SCMP_VER_MICRO };
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, facts, sizeof facts);
	sha256_add(&h, s->canonical, strlen(s->canonical));
	sha256_end(&h, key);
}

int seccomp_compile(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		    struct seccomp_filter *ret, struct err *e)
{
	uint8_t key[SHA256_SIZE];
	struct seccomp_filter f;
	uint32_t flags;
	bool notify;
	int r = check_notify(s, &notify, e);

	if (r < 0)
		return r;
	flags = flags_of(s, notify);
	if (!s->canonical)
		cache_dir = NULL;
	if (cache_dir) {
		key_of(s, key);
		if (seccomp_cache_read(a, cache_dir, key, &f) == 0 && f.flags == flags) {
			*ret = f;
			return 0;
		}
	}
	r = compile(a, s, &f, e);
	if (r < 0)
		return r;
	f.flags = flags;
	if (cache_dir)
		seccomp_cache_write(cache_dir, key, &f);
	*ret = f;
	return 0;
}
