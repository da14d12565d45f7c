/*
 * The first process of a container that brings none of its own (annotation
 * io.berth.init; docs/builtin-init.md): reaps what is left to it, and after
 * SIGTERM ends as soon as it is alone. A program of its own without a C library,
 * so that its image is a page; its bytes are a part of berth, and are executed
 * from a sealed file in memory (core/builtin_init.h).
 *
 * All signals are blocked by whoever executes it, so none is lost before its
 * first instruction. The calls it makes are those of BUILTIN_INIT_CALLS.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/wait.h>

_Noreturn void _start(void); /* where the kernel begins */

static long call(long nr, long a, long b, long c, long d)
{
#if defined __x86_64__
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return nr;
#elif defined __aarch64__
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x8) : "memory");
	return x0;
#elif defined __arm__
	register long r7 __asm__("r7") = nr;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;

	__asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r7) : "memory");
	return r0;
#elif defined __riscv
	register long a7 __asm__("a7") = nr;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : "memory");
	return a0;
#else
#error "how does this machine make a system call?"
#endif
}

static _Noreturn void end(int code)
{
	for (;;)
		call(__NR_exit_group, code, 0, 0, 0);
}

/* Somebody has forbidden what it cannot do without. */
#define FAIL(what)                                                             \
	do {                                                                   \
		static const char words[] = "io.berth.init: " what " is refused\n"; \
		call(__NR_write, 2, (long)words, sizeof words - 1, 0);         \
		end(1);                                                        \
	} while (0)

_Noreturn void _start(void)
{
	static const unsigned long long all = ~0ull; /* the kernel's sigset_t */
	int first = call(__NR_getpid, 0, 0, 0, 0) == 1;
	int asked = 0;

	call(__NR_prctl, PR_SET_NAME, (long)"init", 0, 0);
	for (;;) {
		long sig = call(__NR_rt_sigtimedwait, (long)&all, 0, 0, sizeof all), r;

		if (sig < 0 && sig != -EINTR)
			FAIL("rt_sigtimedwait");
		asked |= sig == SIGTERM;
		do
			r = call(__NR_wait4, -1, 0, WNOHANG | __WALL, 0);
		while (r > 0);
		if (!asked)
			continue;
		/* Where others have the pid namespace, too, nobody knows whose is whose. */
		r = first ? call(__NR_kill, -1, 0, 0, 0) : -ESRCH;
		if (r == -ESRCH)
			end(0);
		if (r < 0)
			FAIL("kill");
	}
}
