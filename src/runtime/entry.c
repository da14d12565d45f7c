/*
 * The first instructions of the program, before the C library exists. A verb
 * that enters a container runs from a protected copy of the program
 * (core/selfexe.h); done from main() that costs a second start of the C
 * library, 0.5 ms where CPUID traps to a hypervisor, which is a quarter of what
 * the kernel needs for a container. Done here it costs two system calls.
 *
 * It only ever helps: whatever goes wrong, or on another architecture, the
 * normal start follows and main() does the same by selfexe_protect().
 */
#ifdef __x86_64__

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "selfexe.h"
#include "sys.h"

void entry_main(long *stack); /* called by entry_start below */

static long call(long nr, long a, long b, long c, long d, long e)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static int starts(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix)
		s++, prefix++;
	return !*prefix;
}

/* One of the words is a verb that enters. A path that is called the same costs
 * one needless exec. */
static int enters(char **argv)
{
	static const char *const verbs[] = { SELFEXE_VERBS };

	for (; *argv; argv++)
		for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
			if (equal(*argv, verbs[i]))
				return 1;
	return 0;
}

void entry_main(long *stack)
{
	char **argv = (char **)(stack + 1), **envp = argv + *stack + 1, **p = envp;
	struct sys_mount_attr ro = { .attr_set = SYS_ATTR_RDONLY };
	const char *name = "";
	long fd;

	while (*p)
		p++;
	for (const Elf64_auxv_t *v = (const void *)(p + 1); v->a_type != AT_NULL; v++)
		if (v->a_type == AT_EXECFN)
			name = (const char *)v->a_un.a_val;
	if (starts(name, "/dev/fd/") || !*stack || !enters(argv + 1))
		return;
	fd = call(SYS_open_tree, AT_FDCWD, (long)"/proc/self/exe",
		  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
	if (fd < 0)
		return;
	if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&ro, sizeof ro) >= 0)
		call(SYS_execveat, fd, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH);
	call(SYS_close, fd, 0, 0, 0, 0);
}

__asm__(".text\n"
	".globl entry_start\n"
	".type entry_start, @function\n"
	"entry_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	push %rdx\n" /* the C library's start wants rdx as the kernel left it */
	"	mov %rsp, %rbx\n"
	"	and $-16, %rsp\n"
	"	call entry_main\n"
	"	mov %rbx, %rsp\n"
	"	pop %rdx\n"
	"	jmp _start\n");
#endif
extern int entry_not_empty; /* ISO C wants a declaration in every file */
