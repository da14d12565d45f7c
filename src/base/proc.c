/* Processes: identity, waiting, status, running a helper program. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "file.h"
#include "str.h"
#include "sys.h"

enum { END_MS = 10 * 1000, EXITING = 0x4 /* PF_EXITING */, FORKED_NOT_EXECUTED = 0x40 /* PF_FORKNOEXEC */ };
/* PROC_USER_INIT_INO of the kernel: the first user namespace has it on every boot. */
static const ino_t FIRST_USER_NS = 0xEFFFFFFD;

int proc_stat_parse(const char *text, struct proc_stat *ret)
{
	const char *p = strrchr(text, ')');
	unsigned long long start;
	unsigned flags;
	char state;

	if (!p || sscanf(p + 1,
			 " %c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s"
			 " %*s %*s %*s %*s %*s %llu",
			 &state, &flags, &start) != 3)
		return -EINVAL;
	ret->state = state;
	ret->start_time = start;
	ret->executed = !(flags & FORKED_NOT_EXECUTED);
	ret->exiting = flags & EXITING;
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret)
{
	char path[32], buf[1024];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	n = file_read_line(AT_FDCWD, path, buf, sizeof buf);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	return proc_stat_parse(buf, ret);
}

/* "NSpid:\t4711\t1": one number for each namespace, the innermost last. */
pid_t proc_pid_inside_parse(const char *status, pid_t pid)
{
	const char *p = strstr(status, "\nNSpid:");
	int inside = pid, n;

	for (p = p ? p + strlen("\nNSpid:") : ""; sscanf(p, "%*[ \t]%d%n", &inside, &n) == 1; p += n)
		;
	return inside;
}

pid_t proc_pid_inside(pid_t pid)
{
	char path[32], buf[4096];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	return file_read_line(AT_FDCWD, path, buf, sizeof buf) < 0 ? pid : proc_pid_inside_parse(buf, pid);
}

int proc_boot_id(char ret[PROC_BOOT_ID])
{
	char buf[PROC_BOOT_ID + 1];
	ssize_t n = file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", buf, sizeof buf);

	if (n < 0)
		return (int)n;
	if (n >= PROC_BOOT_ID)
		return -EINVAL;
	memcpy(ret, buf, (size_t)n + 1);
	return 0;
}

bool proc_in_user_ns(void)
{
	unsigned long long inside, outside, size;
	struct stat ns;
	char buf[256];
	ssize_t n;

	if (sys_fstatat(AT_FDCWD, "/proc/self/ns/user", &ns, 0) >= 0 && ns.st_ino == FIRST_USER_NS)
		return false;
	/* without user namespaces in the kernel there is no such file; the whole
	 * map is one line */
	n = file_read_line(AT_FDCWD, "/proc/self/uid_map", buf, sizeof buf);
	if (n < 0)
		return n == -EFBIG;
	if (sscanf(buf, "%llu %llu %llu", &inside, &outside, &size) != 3)
		return true; /* not mapped yet */
	return !(inside == 0 && outside == 0 && size == UINT32_MAX);
}

int proc_wait(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t end = clock_ms() + ms;

	for (;;) {
		int64_t left = ms < 0 ? -1 : end - clock_ms();
		int r = sys_poll(&p, 1, ms < 0 ? -1 : left < 0 ? 0 : (int)left);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (r != -EINTR)
			return r;
	}
}

/* As a shell shows it. */
static int status_of(const siginfo_t *si)
{
	return si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
}

int proc_reap_end(int pidfd, struct proc_end *ret)
{
	siginfo_t si = { 0 };
	int r;

	*ret = (struct proc_end){ 0 };
	do /* __WALL: a process cloned without an exit signal counts too */
		r = sys_waitid(P_PIDFD, pidfd, &si, WEXITED | __WALL);
	while (r == -EINTR);
	if (r < 0)
		return r;
	ret->signal = si.si_code == CLD_EXITED ? 0 : si.si_status;
	ret->core_dumped = si.si_code == CLD_DUMPED;
	return status_of(&si);
}

int proc_reap(int pidfd)
{
	struct proc_end end;

	return proc_reap_end(pidfd, &end);
}

int proc_signal(int pidfd, int sig)
{
	int r = sys_pidfd_send_signal(pidfd, sig), pid = 0;
	char path[40], buf[1024];
	const char *p;

	if (!sys_refused(r))
		return r;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	p = file_read_line(AT_FDCWD, path, buf, sizeof buf) < 0 ? NULL : strstr(buf, "\nPid:");
	if (!p || sscanf(p, " Pid: %d", &pid) != 1 || !pid) /* 0: outside our pid namespace */
		return r;
	return pid < 0 ? -ESRCH : sys_kill(pid, sig);
}

int proc_end(int pidfd)
{
	int r;

	proc_signal(pidfd, SIGKILL);
	r = proc_wait(pidfd, END_MS);
	return r < 0 ? r : proc_reap(pidfd);
}

void proc_reap_others(pid_t except)
{
	for (;;) {
		siginfo_t si = { 0 };

		/* looks first: the one that is waited for elsewhere stays */
		if (sys_waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
		    !si.si_pid || si.si_pid == except)
			return;
		sys_waitid(P_PID, si.si_pid, &si, WEXITED | WNOHANG | __WALL);
	}
}

static int drain(int fd, struct sb *out)
{
	char buf[4096];

	for (;;) {
		ssize_t n = sys_read(fd, buf, sizeof buf);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		sb_add(out, buf, (size_t)n);
	}
}

int proc_exec_pipe(int *ret_ours, int *ret_childs)
{
	int fds[2], r = sys_pipe2(fds, O_CLOEXEC);

	if (r < 0)
		return r;
	*ret_ours = fds[0];
	*ret_childs = fds[1];
	return 0;
}

_Noreturn void proc_exec_failed(int childs)
{
	int why = errno;

	sys_write(childs, &why, sizeof why);
	_exit(127);
}

int proc_exec_result(int ours)
{
	int why = 0;

	while (sys_read(ours, &why, sizeof why) == -EINTR)
		;
	return -why;
}

/* Not by posix_spawn: glibc's gives up where a sandbox refuses clone3. `failure`
 * closes when the child executes; before, it says why not. */
_Noreturn static void execute(const char *const argv[], int out, int failure)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	proc_exec_failed(failure);
}

static int spawn(const char *const argv[], int out, pid_t *ret)
{
	OWN_FD ours = -1, childs = -1;
	int r = proc_exec_pipe(&ours, &childs);

	if (r < 0)
		return r;
	*ret = fork();
	if (*ret == 0)
		execute(argv, out, childs);
	if (*ret < 0)
		return -errno;
	fd_closep(&childs);
	r = proc_exec_result(ours);
	if (r < 0)
		waitpid(*ret, NULL, 0);
	return r;
}

int proc_capture(const char *const argv[], struct sb *out)
{
	OWN_FD in = -1, to = -1;
	int fds[2], r, status;
	pid_t pid;

	r = sys_pipe2(fds, O_CLOEXEC);
	if (r < 0)
		return r;
	in = fds[0];
	to = fds[1];
	r = spawn(argv, to, &pid);
	if (r < 0)
		return r;
	sys_close(take_fd(&to));
	r = drain(in, out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
