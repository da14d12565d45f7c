/* The program of a container without one (src/pause): what its file is, what it
 * does where it is not alone, and what a filter has to let it do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builtin_init.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "sealed.h"
#include "sys.h"

enum { PAGE = 4096 };
typedef ElfW(Ehdr) file_header;
typedef ElfW(Phdr) program_header;

static void is_a_page_for_this_machine(void **state)
{
	OWN_FD fd = builtin_init_open(NULL), own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_Alignas(8) unsigned char image[PAGE];
	const file_header *eh = (const void *)image;
	const program_header *ph;
	file_header ours;
	ssize_t n;
	int loads = 0;

	(void)state;
	assert_true(fd >= 0 && own >= 0);
	n = pread(fd, image, sizeof image, 0);
	assert_in_range(n, sizeof *eh, PAGE - 1);
	assert_int_equal(pread(own, &ours, sizeof ours, 0), sizeof ours);
	assert_memory_equal(eh->e_ident, ELFMAG, SELFMAG);
	assert_int_equal(eh->e_machine, ours.e_machine);
	assert_int_equal(eh->e_ident[EI_CLASS], ours.e_ident[EI_CLASS]);
	assert_int_equal(eh->e_type, ET_EXEC);
	ph = (const void *)(image + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		loads += ph[i].p_type == PT_LOAD;
		assert_false(ph[i].p_flags & PF_W && ph[i].p_flags & PF_X);
		assert_false(ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_W); /* so no page is its own */
		assert_true(ph[i].p_type != PT_INTERP && ph[i].p_type != PT_DYNAMIC);
		assert_true(ph[i].p_type != PT_LOAD || ph[i].p_offset % 65536 == ph[i].p_vaddr % 65536);
	}
	assert_int_equal(loads, 1);
}

static void is_sealed(void **state)
{
	OWN_FD fd = builtin_init_open(NULL);
	struct stat st;

	(void)state;
	assert_true(fd >= 0 && sealed_is(fd));
	assert_int_equal(sys_fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(sys_pwrite(fd, "x", 1, 0), -EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
}

/* As core executes it: with all signals blocked. */
static pid_t begin(void)
{
	OWN_FD fd = builtin_init_open(NULL);
	char *argv[] = { (char[]){ "pod" }, NULL };
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return pid;
	}
	sys_block_signals();
	sys_execveat(fd, "", argv, argv + 1, AT_EMPTY_PATH);
	_exit(77);
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void ends_by_term_alone(void **state)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM, SIGCHLD, SIGSEGV, SIGSYS };
	pid_t pid = begin();
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		kill(pid, ignored[i]);
	kill(pid, 64);
	usleep(50000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid), 0);
	for (int i = 0; i < 20; i++) { /* before its first instruction, too */
		pid = begin();
		kill(pid, SIGTERM);
		assert_int_equal(end_of(pid), 0);
	}
}

/* ---- filters -------------------------------------------------------------- */

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define IF(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)

static int check(const struct sock_filter *f, size_t n, struct err *e)
{
	*e = (struct err){ 0 };
	return builtin_init_check(f, n, e);
}

static void filters_are_asked(void **state)
{
	struct sock_filter all[] = { RETURN(SECCOMP_RET_ALLOW) };
	struct sock_filter none[] = { RETURN(SECCOMP_RET_KILL_PROCESS) };
	struct sock_filter no_kill[] = { LOAD(nr), IF(SYS_kill, 0, 1), RETURN(SECCOMP_RET_ERRNO | EPERM),
					 RETURN(SECCOMP_RET_LOG) };
	struct sock_filter no_name[] = { LOAD(nr), IF(SYS_prctl, 0, 1), RETURN(SECCOMP_RET_ERRNO | EPERM),
					 RETURN(SECCOMP_RET_USER_NOTIF) };
	struct sock_filter to_one[] = { LOAD(nr), IF(SYS_kill, 0, 2), LOAD(args[0]), IF(UINT32_MAX, 1, 0),
					RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_TRAP) };
	struct sock_filter elsewhere[] = { LOAD(arch), IF(0xffff, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),
					   RETURN(SECCOMP_RET_ALLOW) };
	struct sock_filter unknown[] = { BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 1), RETURN(SECCOMP_RET_KILL_PROCESS) };
	struct err e;

	(void)state;
	assert_int_equal(check(all, ARRAY_SIZE(all), &e), 0);
	assert_true(check(none, ARRAY_SIZE(none), &e) < 0);
	assert_string_equal(e.msg, "/linux/seccomp: does not allow execveat, which io.berth.init needs");
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(check(no_kill, ARRAY_SIZE(no_kill), &e) < 0);
	assert_non_null(strstr(e.msg, "does not allow kill,"));
	assert_int_equal(check(no_name, ARRAY_SIZE(no_name), &e), 0);
	no_name[2].k = SECCOMP_RET_TRAP;
	assert_true(check(no_name, ARRAY_SIZE(no_name), &e) < 0);
	assert_true(check(to_one, ARRAY_SIZE(to_one), &e) < 0);
	assert_int_equal(check(elsewhere, ARRAY_SIZE(elsewhere), &e), 0);
	assert_int_equal(check(unknown, ARRAY_SIZE(unknown), &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_page_for_this_machine),
		cmocka_unit_test(is_sealed),
		cmocka_unit_test(ends_by_term_alone),
		cmocka_unit_test(filters_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
