/* Shorter seccomp programs: that they decide like the old ones, on profiles, on
 * programs made at random and on some made by hand, and under the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_run.h"
#include "err.h"
#include "fd.h"
#include "json.h"
#include "mem.h"
#include "seccomp_shrink.h"
#include "spec.h"
#include "spec_seccomp_default.h"
#include "str.h"

struct prog {
	struct sock_filter *insns;
	size_t n;
};

static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static int soak(int rounds)
{
	return getenv("BERTH_SOAK") ? 50 * rounds : rounds;
}

/* ---- comparing -------------------------------------------------------- */

/* A constant of the program, about, or any number. */
static uint32_t any_number(const struct prog *p)
{
	switch (rnd(8)) {
	case 0:
		return rnd(500);
	case 1:
		return rnd(1 << 24) << 8 | rnd(256);
	case 2:
		return 0x40000000 + rnd(600);
	case 3:
		return rnd(2) ? 0 : UINT32_MAX;
	default:
		return p->insns[rnd((uint32_t)p->n)].k + rnd(3) - 1;
	}
}

static void decide_alike(const struct prog *p, const struct prog *q, int rounds)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0 };

	for (int i = 0; i < rounds; i++) {
		uint32_t words[16], x, y;
		struct seccomp_data d;

		for (size_t w = 0; w < 16; w++)
			words[w] = any_number(p);
		if (rnd(10))
			words[1] = arches[rnd(4)];
		memcpy(&d, words, sizeof d);
		x = bpf_run(p->insns, &d);
		y = bpf_run(q->insns, &d);
		if (x != y)
			fail_msg("arch %#x nr %u: %#x became %#x", d.arch, d.nr, x, y);
	}
}

static struct prog shrunk(struct arena *a, const struct prog *p, int want)
{
	struct prog q;
	int r = seccomp_shrink(a, p->insns, p->n, &q.insns, &q.n);

	if (want >= 0)
		assert_int_equal(r, want);
	if (r == 0) {
		assert_ptr_equal(q.insns, p->insns);
		assert_int_equal(q.n, p->n);
	} else {
		assert_int_equal(r, 1);
		assert_true(q.n < p->n);
	}
	assert_true(bpf_valid(q.insns, q.n));
	return q;
}

/* ---- profiles --------------------------------------------------------- */

static struct prog exported(struct arena *a, scmp_filter_ctx ctx)
{
	OWN_FD fd = (int)syscall(SYS_memfd_create, "x", 0u);
	struct prog p;
	off_t size;

	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	size = lseek(fd, 0, SEEK_END);
	p.n = (size_t)size / sizeof *p.insns;
	p.insns = arena_alloc(a, (size_t)size);
	assert_int_equal(pread(fd, p.insns, (size_t)size, 0), size);
	seccomp_release(ctx);
	return p;
}

static scmp_filter_ctx three_abis(uint32_t action, int tree)
{
	scmp_filter_ctx ctx = seccomp_init(action);

	assert_non_null(ctx);
	if (tree)
		assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0);
	seccomp_arch_add(ctx, SCMP_ARCH_X86_64);
	seccomp_arch_add(ctx, SCMP_ARCH_X86);
	seccomp_arch_add(ctx, SCMP_ARCH_X32);
	return ctx;
}

/* Docker's: most calls allowed, some not, a few by argument. */
static struct prog docker_like(struct arena *a, int tree)
{
	scmp_filter_ctx ctx = three_abis(SCMP_ACT_ERRNO(EPERM), tree);
	static const uint64_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };

	for (int nr = 0; nr < 440; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (!name)
			continue;
		if (strncmp(name, "mount", 5) && !strstr(name, "module") && strcmp(name, "bpf") &&
		    nr % 23 && nr != SYS_personality && nr != SYS_clone && nr != SYS_socket &&
		    nr != SYS_clone3)
			seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 0, NULL);
		free(name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_personality, 1,
				 SCMP_A0(SCMP_CMP_EQ, personalities[i]));
	seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_clone, 1,
			 SCMP_A0(SCMP_CMP_MASKED_EQ, 0x7e020000, 0));
	seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_socket, 1, SCMP_A0(SCMP_CMP_NE, 40));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3, 0);
	return exported(a, ctx);
}

static void a_docker_like_profile(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;

	seed = 1;
	for (int tree = 0; tree < 2; tree++) {
		struct prog p = docker_like(&a, tree), q = shrunk(&a, &p, 1);

		print_message("# docker-like, %s: %zu became %zu\n", tree ? "tree" : "list", p.n, q.n);
		assert_true(q.n < p.n / 3);
		decide_alike(&p, &q, soak(40000));
	}
}

/* What the engines pass on, by the libraries alone: no rules of ours in front. */
static struct prog from_spec(struct arena *a, const struct spec_seccomp *s)
{
	scmp_filter_ctx ctx = three_abis(s->default_action == SCMP_ACT_ERRNO(0) ?
						 SCMP_ACT_ERRNO(s->default_errno) :
						 s->default_action,
					 1);

	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct spec_syscall *c = &s->syscalls[i];
		struct scmp_arg_cmp cmp[6];

		for (size_t k = 0; k < c->n_args && k < 6; k++)
			cmp[k] = (struct scmp_arg_cmp){ c->args[k].index, (enum scmp_compare)c->args[k].op,
							c->args[k].value, c->args[k].value_two };
		for (size_t k = 0; k < c->n_names; k++)
			seccomp_rule_add_array(ctx, c->action | c->errno_ret,
					       seccomp_syscall_resolve_name(c->names[k]),
					       (unsigned)c->n_args, cmp);
	}
	return exported(a, ctx);
}

static const struct spec_seccomp *parsed(struct arena *a, const char *text)
{
	struct spec *spec;
	struct err e;

	if (spec_parse(a, text, strlen(text), "config.json", NULL, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	return spec->linux->seccomp;
}

static const struct spec_seccomp *our_default(struct arena *a)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	spec_seccomp_default(&w, 0);
	return parsed(a, arena_printf(a,
				      "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
				      "\"process\":{\"cwd\":\"/\",\"args\":[\"x\"],"
				      "\"user\":{\"uid\":0,\"gid\":0}},"
				      "\"linux\":{\"seccomp\":%s}}",
				      b.s));
}

static const struct spec_seccomp *sample(struct arena *a, const char *name)
{
	const char *source = getenv("BERTH_SOURCE");
	char *path = arena_printf(a, "%s/test/golden/%s", source ? source : ".", name);
	char *text = arena_calloc(a, 1, 1 << 20);
	OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	assert_true(fd_read_all(fd, text, (1 << 20) - 1) > 0);
	return parsed(a, text);
}

static void real_profiles(void **state)
{
	static const char *const names[] = { NULL, "v1-docker.json", "v1-podman.json", "seccomp.json" };

	seed = 8;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		const struct spec_seccomp *s = names[i] ? sample(&a, names[i]) : our_default(&a);
		struct prog p, q;

		if (!s)
			continue;
		p = from_spec(&a, s);
		q = shrunk(&a, &p, -1);
		print_message("# %s: %zu became %zu\n", names[i] ? names[i] : "default", p.n, q.n);
		assert_true(p.n < 1000 || q.n < p.n / 3);
		decide_alike(&p, &q, soak(20000));
	}
}

static void all_operators(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const uint64_t values[] = { 0, 1, 0xffffffff, 0x100000000, 0x123456789abcdef0,
					   UINT64_MAX };

	seed = 2;
	for (int op = SCMP_CMP_NE; op <= SCMP_CMP_MASKED_EQ; op++) {
		scmp_filter_ctx ctx = three_abis(SCMP_ACT_ALLOW, op % 2);
		struct prog p, q;

		for (int nr = 0; nr < 200; nr++) {
			uint64_t v = values[nr % (int)ARRAY_SIZE(values)];
			struct scmp_arg_cmp cmp = { (unsigned)nr % 6, (enum scmp_compare)op, v, v };

			if (nr % 9)
				seccomp_rule_add(ctx, SCMP_ACT_ERRNO(nr / 9 % 2 + 1), nr, 0);
			else
				seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(nr + 1), nr, 1, &cmp);
		}
		p = exported(&a, ctx);
		q = shrunk(&a, &p, -1); /* mostly arguments: not much to win */
		decide_alike(&p, &q, soak(20000));
	}
}

static void all_actions(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const uint32_t actions[] = { SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP,
					    SCMP_ACT_ERRNO(77), SCMP_ACT_TRACE(5), SCMP_ACT_LOG,
					    SCMP_ACT_NOTIFY };
	scmp_filter_ctx ctx = three_abis(SCMP_ACT_ALLOW, 1);
	struct prog p, q;

	seed = 3;
	for (int nr = 2; nr < 200; nr++)
		seccomp_rule_add(ctx, actions[(nr / 9) % (int)ARRAY_SIZE(actions)], nr, 0);
	p = exported(&a, ctx);
	q = shrunk(&a, &p, 1);
	decide_alike(&p, &q, soak(40000));
	/* Nothing but a list of two: there is not much to win. */
	ctx = three_abis(SCMP_ACT_ALLOW, 0);
	seccomp_rule_add(ctx, SCMP_ACT_LOG, SYS_getppid, 0);
	p = exported(&a, ctx);
	q = shrunk(&a, &p, -1);
	decide_alike(&p, &q, 10000);
}

static void random_profile(struct arena *a)
{
	static const uint32_t actions[] = { SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_LOG,
					    SCMP_ACT_KILL_PROCESS, SCMP_ACT_ERRNO(ENOSYS) };
	uint32_t otherwise = actions[rnd(5)], n = 1 + rnd(120);
	scmp_filter_ctx ctx = rnd(2) ? three_abis(otherwise, (int)rnd(2)) : seccomp_init(otherwise);
	struct prog p, q;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t action = actions[rnd(5)];
		int nr = (int)rnd(450);
		struct scmp_arg_cmp cmp[3];
		unsigned n_cmp = rnd(4) ? 0 : 1 + rnd(3);

		for (unsigned k = 0; k < n_cmp; k++)
			cmp[k] = (struct scmp_arg_cmp){ k + rnd(4), 1 + rnd(7), rnd(256),
							(uint64_t)rnd(3) << 32 | rnd(256) };
		if (action != otherwise) /* conflicts are refused: so be it */
			seccomp_rule_add_array(ctx, action, nr, n_cmp, cmp);
	}
	p = exported(a, ctx);
	q = shrunk(a, &p, -1);
	decide_alike(&p, &q, 1000);
}

static void random_profiles(void **state)
{
	seed = 4;
	for (int i = 0; i < soak(200); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;

		random_profile(&a);
	}
}

/* Any valid program of the instructions that are taken, and some that are not. */
static void random_programs(void **state)
{
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
	int shorter = 0;

	seed = 5;
	for (int i = 0; i < soak(500); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct sock_filter x[120];
		struct prog p = { x, 3 + rnd(117) }, q;

		for (uint32_t k = 0; k < p.n; k++) {
			uint32_t left = (uint32_t)p.n - k - 1;

			if (left == 0 || rnd(12) == 0)
				x[k] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rnd(4));
			else if (k < 2 || rnd(20) == 0)
				x[k] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
								    rnd(3) ? 0 : 4 * rnd(16));
			else if (rnd(150) == 0)
				x[k] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rnd(64));
			else if (rnd(20) == 0)
				x[k] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, rnd(left));
			else
				x[k] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | jumps[rnd(50) ? rnd(3) : 3],
								    rnd(2) ? rnd(30) : rnd(4) << 30,
								    (uint8_t)rnd(left), (uint8_t)rnd(left));
		}
		assert_true(bpf_valid(x, p.n));
		q = shrunk(&a, &p, -1);
		shorter += q.n < p.n;
		decide_alike(&p, &q, 500);
	}
	print_message("# random programs: %d got shorter\n", shorter);
	assert_true(shorter > 100);
}

/* ---- by hand ---------------------------------------------------------- */

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define RET(v) BPF_STMT(BPF_RET | BPF_K, v)

/* Twelve comparisons that one would do for, around something in the middle. */
static struct prog padded(struct arena *a, const struct sock_filter *x, size_t n)
{
	struct prog p = { arena_calloc(a, n + 26, sizeof *x), 0 };

	p.insns[p.n++] = (struct sock_filter)LOAD(0);
	for (uint32_t i = 0; i < 12; i++) {
		p.insns[p.n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
		p.insns[p.n++] = (struct sock_filter)RET(7);
	}
	memcpy(p.insns + p.n, x, n * sizeof *x);
	p.n += n;
	return p;
}

static void is_refused(const struct sock_filter *x, size_t n)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct prog p = padded(&a, x, n);
	struct sock_filter *out;
	size_t n_out;

	assert_int_equal(seccomp_shrink(&a, p.insns, p.n, &out, &n_out), 0);
	assert_ptr_equal(out, p.insns);
	assert_int_equal(n_out, p.n);
}

#define REFUSED(...)                                                \
	do {                                                        \
		const struct sock_filter x_[] = { __VA_ARGS__ };    \
		is_refused(x_, ARRAY_SIZE(x_));                     \
	} while (0)

static void refuses(void **state)
{
	/* Scratch memory, X, what A was before, an unknown operation. */
	REFUSED(BPF_STMT(BPF_ST, 0), LOAD(16), BPF_STMT(BPF_LD | BPF_MEM, 0), RET(1));
	REFUSED(BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(16), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET(1));
	REFUSED(BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 3), RET(1));
	REFUSED(BPF_STMT(BPF_RET | BPF_A, 0));
	REFUSED(BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5), RET(1));
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET(1));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 0), RET(1));
	/* The same where it is never reached. */
	REFUSED(RET(1), BPF_STMT(BPF_ST, 0), RET(1));
	/* The number masked, or its low bits tested. */
	REFUSED(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff), RET(1));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x41, 0, 0), RET(1));
	/* The architecture by anything but equality. */
	REFUSED(LOAD(4), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, AUDIT_ARCH_I386, 0, 1), RET(1), RET(2));
	/* Not valid: past the end, backward by overflow, no return, a bad load. */
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), RET(1));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 200, 0), RET(1));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(1));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xfffffffe), RET(1));
	REFUSED(RET(1), LOAD(0));
	REFUSED(LOAD(2), RET(1));
	REFUSED(LOAD(64), RET(1));
}

static void takes(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct sock_filter dead[] = { RET(1), LOAD(24), RET(2) };
	const struct sock_filter abi[] = { BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0, 1), RET(1), RET(2) };
	/* The number again, after an argument. */
	const struct sock_filter again[] = { BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 30, 5, 0),
					     LOAD(16), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1), RET(3),
					     LOAD(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 99, 0, 1), RET(1), RET(2) };
	struct prog p, q;

	seed = 6;
	p = padded(&a, dead, ARRAY_SIZE(dead));
	q = shrunk(&a, &p, 1);
	assert_true(q.n <= 5);
	decide_alike(&p, &q, 10000);
	p = padded(&a, abi, ARRAY_SIZE(abi));
	q = shrunk(&a, &p, 1);
	decide_alike(&p, &q, 10000);
	p = padded(&a, again, ARRAY_SIZE(again));
	q = shrunk(&a, &p, 1);
	decide_alike(&p, &q, 10000);
}

/* Far more than a jump of eight bits reaches. */
static void long_ways(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct prog p = { arena_calloc(&a, 4096, sizeof(struct sock_filter)), 0 }, q;

	seed = 7;
	p.insns[p.n++] = (struct sock_filter)LOAD(0);
	for (uint32_t i = 0; i < 1300; i++) {
		p.insns[p.n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 2);
		p.insns[p.n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
		p.insns[p.n++] = (struct sock_filter)RET(i * i % 11);
	}
	p.insns[p.n++] = (struct sock_filter)LOAD(16);
	for (uint32_t i = 0; i < 50; i++) {
		p.insns[p.n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1000 - i, 0, 1);
		p.insns[p.n++] = (struct sock_filter)RET(i * i % 11);
	}
	p.insns[p.n++] = (struct sock_filter)RET(1);
	q = shrunk(&a, &p, 1);
	assert_true(q.n > 600);
	decide_alike(&p, &q, 20000);
}

/* ---- under the kernel ------------------------------------------------- */

static int load(const struct prog *p)
{
	struct sock_fprog prog = { (unsigned short)p->n, p->insns };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static int call_under(const struct prog *p, long nr, long a0)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		long r;

		signal(SIGSYS, SIG_DFL);
		if (load(p) < 0)
			_exit(250);
		r = syscall(nr, a0, 0, 0, 0, 0, 0);
		syscall(SYS_exit_group, r < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void holds_in_the_kernel(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct prog p = docker_like(&a, 1), q = shrunk(&a, &p, 1);

	assert_int_equal(call_under(&q, SYS_getpid, 0), 0);
	assert_int_equal(call_under(&q, SYS_mount, 0), EPERM);
	assert_int_equal(call_under(&q, SYS_init_module, 0), EPERM);
	assert_int_equal(call_under(&q, SYS_personality, 0xffffffff), 0);
	assert_int_equal(call_under(&q, SYS_personality, 8), 0);
	assert_int_equal(call_under(&q, SYS_personality, 9), EPERM);
	assert_int_equal(call_under(&q, SYS_socket, 40), EPERM);
	assert_int_equal(call_under(&q, SYS_clone, 0x10000000), EPERM);
	assert_int_equal(call_under(&q, SYS_clone3, 0), ENOSYS);
	assert_int_equal(call_under(&q, 5000, 0), EPERM);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static double load_time(const struct prog *p)
{
	double us[200];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			double t = now();

			if (load(p) < 0)
				_exit(1);
			t = now() - t;
			_exit(write(fds[1], &t, sizeof t) != sizeof t);
		}
		assert_int_equal(read(fds[0], &us[i], sizeof us[i]), sizeof us[i]);
		waitpid(pid, NULL, 0);
	}
	close(fds[0]);
	close(fds[1]);
	qsort(us, 200, sizeof *us, by_size);
	return us[100];
}

/* A measurement, on request. */
static void costs(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct prog p = from_spec(&a, our_default(&a)), q;
	double t = now();

	q = shrunk(&a, &p, 1);
	t = now() - t;
	print_message("# %zu instructions load in %.0f us, %zu in %.0f us; made in %.0f us\n", p.n,
		      load_time(&p), q.n, load_time(&q), t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_docker_like_profile),
		cmocka_unit_test(real_profiles),
		cmocka_unit_test(all_operators),
		cmocka_unit_test(all_actions),
		cmocka_unit_test(random_profiles),
		cmocka_unit_test(random_programs),
		cmocka_unit_test(refuses),
		cmocka_unit_test(takes),
		cmocka_unit_test(long_ways),
		cmocka_unit_test(holds_in_the_kernel),
		cmocka_unit_test(costs),
	};

	if (!getenv("BERTH_TIMES"))
		cmocka_set_skip_filter("costs");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
