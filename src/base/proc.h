/*
 * Processes of the host: who a pid is, waiting for one with a deadline, and
 * what its status means. A process is held by pidfd, never by its bare number;
 * pid and start time together say whether a number still means the same one.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sb;

struct proc_stat {
	char state; /* 'R', 'S', 'Z', ... */
	uint64_t start_time; /* field 22, in clock ticks since boot */
	bool executed; /* it has called execve since it was forked */
	bool exiting; /* it has begun to end, and is not a zombie yet */
};

/* /proc/PID/stat. -ESRCH when there is no such process. The second is the pure
 * part: the name in it may hold spaces, brackets and newlines. */
int proc_stat(pid_t pid, struct proc_stat *ret);
int proc_stat_parse(const char *text, struct proc_stat *ret);

/* How a process is called in its own pid namespace; `pid` where that is not known. */
pid_t proc_pid_inside(pid_t pid);
pid_t proc_pid_inside_parse(const char *status, pid_t pid);

/* /proc/sys/kernel/random/boot_id without its newline. */
#define PROC_BOOT_ID 37
int proc_boot_id(char ret[PROC_BOOT_ID]);

/* A user namespace other than the host's first: its uid map is not the whole. */
bool proc_in_user_ns(void);

/* Waits until the process has ended, at most `ms` (-1: for ever); it is not
 * reaped. 0 or -ETIMEDOUT. */
int proc_wait(int pidfd, int ms);

/* Where a sandbox refuses pidfd_send_signal: kill(2), by the pid that the pidfd
 * holds. */
int proc_signal(int pidfd, int sig);

/* Reaps a child that has ended; its exit code as a shell shows it: the status,
 * or 128 + the signal. -errno. */
int proc_reap(int pidfd);
/* The same, and what the exit code alone does not say. */
struct proc_end {
	int signal; /* that ended it; 0: it exited */
	bool core_dumped;
};
int proc_reap_end(int pidfd, struct proc_end *ret);

/* Kills a child and reaps it. One that cannot die (frozen, or in a call that
 * hangs) is left after 10 s: -ETIMEDOUT. */
int proc_end(int pidfd);

/* Reaps whatever other children have ended (of a subreaper); never blocks. */
void proc_reap_others(pid_t except);

/* For whoever forks and executes: the child's end closes by itself when that
 * succeeds; else it says why not, by proc_exec_failed(), and ends. The parent
 * closes the child's end and asks: 0, or -errno. */
int proc_exec_pipe(int *ret_ours, int *ret_childs);
_Noreturn void proc_exec_failed(int childs);
int proc_exec_result(int ours);

/* Runs a program found in PATH to its end: stdout and stderr together go to
 * `out`. Its exit code, or -errno when it could not be run. */
int proc_capture(const char *const argv[], struct sb *out);
