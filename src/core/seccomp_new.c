/*
 * System calls that are younger than libseccomp: rules for those a profile
 * names, and ENOSYS for those it does not even know of. Both stand as a
 * prologue before the program that libseccomp makes.
 */
#include "seccomp_parts.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "seccomp_filter.h"
#include "spec.h"

/* Since 424 every architecture has the same numbers (MIPS above a base). */
static const struct {
	const char *name;
	int number;
} new_syscalls[] = {
	{ "futex_wait", 455 },
	{ "futex_requeue", 456 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },
	{ "mseal", 462 },
	{ "setxattrat", 463 },
	{ "getxattrat", 464 },
	{ "listxattrat", 465 },
	{ "removexattrat", 466 },
	{ "open_tree_attr", 467 },
	{ "file_getattr", 468 },
	{ "file_setattr", 469 },
	{ "listns", 470 },
	{ "rseq_slice_yield", 471 },
};

enum { X32_BIT = 0x40000000 };

/* The number (without the part that belongs to an architecture) of a system
 * call that is younger than libseccomp, or -1. */
static int new_syscall(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(new_syscalls); i++)
		if (!strcmp(name, new_syscalls[i].name))
			return new_syscalls[i].number;
	return -1;
}

/* ---- facts about an architecture -------------------------------------- */

static uint32_t audit_arch(uint32_t arch)
{
	return arch == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : arch;
}

static uint32_t number_on(uint32_t arch, int number)
{
	switch (arch) {
	case SCMP_ARCH_X32:
		return (uint32_t)number | X32_BIT;
	case SCMP_ARCH_MIPS:
	case SCMP_ARCH_MIPSEL:
		return (uint32_t)number + 4000;
	case SCMP_ARCH_MIPS64:
	case SCMP_ARCH_MIPSEL64:
		return (uint32_t)number + 5000;
	case SCMP_ARCH_MIPS64N32:
	case SCMP_ARCH_MIPSEL64N32:
		return (uint32_t)number + 6000;
	default:
		return (uint32_t)number;
	}
}

/* The largest number that the profile names there; 0: none. */
static uint32_t newest_named(const struct spec_seccomp *s, uint32_t arch)
{
	uint32_t newest = 0;

	for (size_t i = 0; i < s->n_syscalls; i++)
		for (size_t k = 0; k < s->syscalls[i].n_names; k++) {
			const char *name = s->syscalls[i].names[k];
			int nr = seccomp_syscall_resolve_name_arch(arch, name);
			int young = nr == __NR_SCMP_ERROR ? new_syscall(name) : -1;

			if (young >= 0)
				nr = (int)number_on(arch, young);
			if (nr > 0 && (uint32_t)nr > newest)
				newest = (uint32_t)nr;
		}
	return newest;
}

/* Permissive defaults let unknown calls reach the kernel, which knows best. */
static bool wants_enosys(const struct spec_seccomp *s)
{
	uint32_t act = seccomp_action_of(s->default_action, s->has_default_errno, s->default_errno);

	switch (s->default_action & SECCOMP_RET_ACTION_FULL) {
	case SCMP_ACT_ALLOW:
	case SCMP_ACT_LOG:
	case SCMP_ACT_TRACE(0):
		return false;
	default:
		return act != SCMP_ACT_ERRNO(ENOSYS);
	}
}

/* ---- rules for young system calls ------------------------------------- */

struct young_rule {
	int number;
	uint32_t action;
};

struct young {
	struct young_rule rules[ARRAY_SIZE(new_syscalls)];
	size_t n;
};

/* The first rule for a call counts. */
static void add_young(struct young *y, int number, uint32_t action)
{
	for (size_t i = 0; i < y->n; i++)
		if (y->rules[i].number == number)
			return;
	y->rules[y->n++] = (struct young_rule){ number, action };
}

static int collect_young(const struct spec_seccomp *s, struct young *y, struct err *e)
{
	uint32_t otherwise =
		seccomp_action_of(s->default_action, s->has_default_errno, s->default_errno);

	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct spec_syscall *c = &s->syscalls[i];
		uint32_t action = seccomp_action_of(c->action, c->has_errno, c->errno_ret);

		for (size_t k = 0; k < c->n_names; k++) {
			int number = new_syscall(c->names[k]);

			if (number < 0 || action == otherwise ||
			    seccomp_syscall_resolve_name(c->names[k]) != __NR_SCMP_ERROR)
				continue;
			if (c->n_args)
				return err_set(e, ERR_UNSUPPORTED, 0,
					       "/linux/seccomp/syscalls/%zu/args: not possible for "
					       "'%s', which this libseccomp does not know",
					       i, c->names[k]);
			add_young(y, number, action);
		}
	}
	return 0;
}

/* ---- code ------------------------------------------------------------- */

struct code {
	struct sock_filter *insns;
	size_t n;
};

static void emit(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	c->insns[c->n++] = (struct sock_filter){ op, jt, jf, k };
}

static void emit_load(struct code *c, size_t offset)
{
	emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* "if (number OP k) return action" */
static void emit_return_if(struct code *c, uint16_t op, uint32_t k, uint32_t action)
{
	emit(c, BPF_JMP | op | BPF_K, k, 0, 1);
	emit(c, BPF_RET | BPF_K, action, 0, 0);
}

enum { PART_MAX = 2 * (int)ARRAY_SIZE(new_syscalls) + 6 };

/* One architecture's checks, with the number loaded; ends in a jump whose
 * target is set when the whole is complete. */
static void emit_part(struct code *c, uint32_t arch, const struct young *y, uint32_t newest)
{
	for (size_t i = 0; i < y->n; i++)
		emit_return_if(c, BPF_JEQ, number_on(arch, y->rules[i].number), y->rules[i].action);
	/* There, calls the kernel does not know arrive as number 0. */
	if (newest && (arch == SCMP_ARCH_S390 || arch == SCMP_ARCH_S390X))
		emit_return_if(c, BPF_JEQ, 0, SCMP_ACT_ERRNO(ENOSYS));
	if (newest)
		emit_return_if(c, BPF_JGT, newest, SCMP_ACT_ERRNO(ENOSYS));
	emit(c, BPF_JMP | BPF_JA, UINT32_MAX, 0, 0);
}

struct todo {
	const struct young *young;
	const uint32_t *arches;
	uint32_t newest[SECCOMP_MAX_ARCHES];
	size_t n;
};

/* x86_64 and x32 are one architecture to the kernel; a bit in the number tells
 * them apart. What is not in the profile is left to libseccomp's program. */
static void emit_x86_64(struct code *c, const struct todo *t)
{
	size_t branch = c->n;

	emit(c, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 0);
	for (int x32 = 0; x32 < 2; x32++) {
		uint32_t arch = x32 ? SCMP_ARCH_X32 : SCMP_ARCH_X86_64;
		size_t i = 0;

		if (x32)
			c->insns[branch].jt = (uint8_t)(c->n - branch - 1);
		while (i < t->n && t->arches[i] != arch)
			i++;
		if (i < t->n)
			emit_part(c, arch, t->young, t->newest[i]);
		else
			emit(c, BPF_JMP | BPF_JA, UINT32_MAX, 0, 0);
	}
}

static void emit_all(struct code *c, const struct todo *t)
{
	bool x86_64_done = false;

	emit_load(c, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < t->n; i++) {
		bool x86_64 = audit_arch(t->arches[i]) == AUDIT_ARCH_X86_64;
		size_t head;

		if (x86_64 && x86_64_done)
			continue;
		head = c->n;
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, audit_arch(t->arches[i]), 0, 0);
		emit_load(c, offsetof(struct seccomp_data, nr));
		if (x86_64)
			emit_x86_64(c, t);
		else
			emit_part(c, t->arches[i], t->young, t->newest[i]);
		x86_64_done |= x86_64;
		c->insns[head].jf = (uint8_t)(c->n - head - 1);
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->insns[i].code == (BPF_JMP | BPF_JA))
			c->insns[i].k = (uint32_t)(c->n - i - 1);
}

int seccomp_prologue(struct arena *a, const struct spec_seccomp *s, const uint32_t *arches,
		     size_t n_arches, struct seccomp_filter *ret, struct err *e)
{
	struct young y = { .n = 0 };
	struct todo t = { .young = &y, .arches = arches, .n = n_arches };
	struct code c = { NULL, 0 };
	bool needed;
	int r = collect_young(s, &y, e);

	if (r < 0)
		return r;
	needed = y.n > 0;
	for (size_t i = 0; i < n_arches && wants_enosys(s); i++) {
		t.newest[i] = newest_named(s, arches[i]);
		needed |= t.newest[i] != 0;
	}
	if (!needed) {
		*ret = (struct seccomp_filter){ 0 };
		return 0;
	}
	c.insns = arena_calloc(a, 1 + (n_arches + 1) * (PART_MAX + 4), sizeof *c.insns);
	if (!c.insns)
		return err_sys(e, -ENOMEM, "compile the seccomp filter");
	emit_all(&c, &t);
	*ret = (struct seccomp_filter){ .insns = c.insns, .n = c.n };
	return 0;
}
