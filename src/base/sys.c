/* The system-call table: one wrapper per row of sys.h. Allow-listed for code
 * that runs after clone3: nothing here may use the heap, stdio or locks. */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

/* 32-bit machines have a second, older set of these. */
#ifdef SYS_setresuid32
#define SYS_NR_setresuid SYS_setresuid32
#define SYS_NR_setresgid SYS_setresgid32
#define SYS_NR_setgroups SYS_setgroups32
#else
#define SYS_NR_setresuid SYS_setresuid
#define SYS_NR_setresgid SYS_setresgid
#define SYS_NR_setgroups SYS_setgroups
#endif

#define X(type, name, params, expr)                     \
	type sys_##name params                          \
	{                                               \
		type r;                                 \
                                                        \
		FAULT_POINT(#name);                     \
		r = (expr);                             \
		return r < 0 ? (type)-errno : r;        \
	}
SYS_CALLS(X)
#undef X

bool sys_refused(int r)
{
	return r == -ENOSYS || r == -EPERM;
}

pid_t sys_raw_clone(unsigned long flags, int *pidfd)
{
	return (pid_t)syscall(SYS_clone, flags, 0ul, pidfd, 0ul, 0ul);
}

void sys_default_signals(void)
{
	/* The kernel's struct: libc's own wrapper refuses the signals it uses. */
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action = { .handler = (void *)SIG_DFL };
	uint64_t none = 0;

	for (int sig = 1; sig <= 64; sig++)
		syscall(SYS_rt_sigaction, sig, &action, NULL, sizeof action.mask);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

void sys_block_signals(void)
{
	uint64_t all = ~(uint64_t)0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
}

void sys_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}
