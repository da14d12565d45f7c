/*
 * The table of system calls. Whatever reads or changes the host or a container
 * goes through sys_NAME(), which returns a value >= 0 or -errno and never sets
 * errno for its caller. In the fault-injection build (BERTH_FAULTS) each of
 * them can be made to fail, or to kill the process, in turn; see fault.h.
 *
 * Safe after clone3: no heap, no locks, nothing but the call.
 */
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

struct clone_args;
struct itimerspec;
struct linux_dirent64;
struct sys_cap_header;
struct sys_cap_data;
struct sock_fprog;
struct sys_mount_attr;
struct sys_statx;

#define SYS_CALLS(X)                                                                                            \
	/* files */                                                                                             \
	X(int, openat, (int dir, const char *path, int flags, mode_t mode), openat(dir, path, flags, mode))     \
	X(int, openat2, (int dir, const char *path, const struct open_how *how),                                \
	  (int)syscall(SYS_openat2, dir, path, how, sizeof *how))                                               \
	X(ssize_t, read, (int fd, void *buf, size_t n), read(fd, buf, n))                                       \
	X(ssize_t, write, (int fd, const void *buf, size_t n), write(fd, buf, n))                               \
	X(ssize_t, pread, (int fd, void *buf, size_t n, off_t at), pread(fd, buf, n, at))                       \
	X(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), pwrite(fd, buf, n, at))               \
	X(ssize_t, getdents, (int fd, void *buf, size_t n), syscall(SYS_getdents64, fd, buf, n))                \
	X(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t n), readlinkat(dir, path, buf, n)) \
	X(int, fstat, (int fd, struct stat *st), fstat(fd, st))                                                 \
	X(int, fstatat, (int dir, const char *path, struct stat *st, int flags), fstatat(dir, path, st, flags)) \
	X(int, fstatfs, (int fd, struct statfs *st), fstatfs(fd, st))                                           \
	X(int, statx, (int dir, const char *path, int flags, unsigned mask, struct sys_statx *ret),             \
	  (int)syscall(SYS_statx, dir, path, flags, mask, ret))                                                 \
	X(int, faccessat, (int dir, const char *path, int mode),                                                \
	  (int)syscall(SYS_faccessat, dir, path, mode))                                                         \
	X(int, faccessat2, (int dir, const char *path, int mode, int flags),                                    \
	  (int)syscall(SYS_faccessat2, dir, path, mode, flags))                                                 \
	X(int, mkdirat, (int dir, const char *path, mode_t mode), mkdirat(dir, path, mode))                     \
	X(int, mknodat, (int dir, const char *path, mode_t mode, dev_t dev), mknodat(dir, path, mode, dev))     \
	X(int, symlinkat, (const char *to, int dir, const char *path), symlinkat(to, dir, path))                \
	X(int, unlinkat, (int dir, const char *path, int flags), unlinkat(dir, path, flags))                    \
	X(int, linkat, (int d1, const char *p1, int d2, const char *p2, int flags),                             \
	  linkat(d1, p1, d2, p2, flags))                                                                        \
	X(int, renameat, (int d1, const char *p1, int d2, const char *p2), renameat(d1, p1, d2, p2))            \
	X(int, fchmod, (int fd, mode_t mode), (int)syscall(SYS_fchmod, fd, mode)) /* musl's may go by /proc */  \
	X(int, fchownat, (int dir, const char *path, uid_t u, gid_t g, int flags),                              \
	  fchownat(dir, path, u, g, flags))                                                                     \
	X(int, renameat2, (int d1, const char *p1, int d2, const char *p2, unsigned flags),                     \
	  (int)syscall(SYS_renameat2, d1, p1, d2, p2, flags))                                                   \
	X(int, flock, (int fd, int op), flock(fd, op))                                                          \
	X(int, fcntl, (int fd, int op, long arg), fcntl(fd, op, arg))                                           \
	X(int, close_range, (unsigned first, unsigned last, unsigned flags),                                    \
	  (int)syscall(SYS_close_range, first, last, flags))                                                    \
	X(int, dup3, (int from, int to, int flags), dup3(from, to, flags))                                      \
	X(int, pipe2, (int fds[2], int flags), pipe2(fds, flags))                                               \
	X(int, memfd_create, (const char *name, unsigned flags), memfd_create(name, flags))                     \
	X(int, chdir, (const char *path), chdir(path))                                                          \
	X(int, fchdir, (int fd), fchdir(fd))                                                                    \
	X(ssize_t, getcwd, (char *buf, size_t n), syscall(SYS_getcwd, buf, n))                                  \
	X(ssize_t, sendfile, (int out, int in, off_t *off, size_t n), sendfile(out, in, off, n))                \
	X(ssize_t, splice, (int from, int to, size_t n),                                                        \
	  splice(from, NULL, to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK))                                   \
	/* mounts */                                                                                            \
	X(int, open_tree, (int dir, const char *path, unsigned flags),                                          \
	  (int)syscall(SYS_open_tree, dir, path, flags))                                                        \
	X(int, move_mount, (int d1, const char *p1, int d2, const char *p2, unsigned flags),                    \
	  (int)syscall(SYS_move_mount, d1, p1, d2, p2, flags))                                                  \
	X(int, fsopen, (const char *type, unsigned flags), (int)syscall(SYS_fsopen, type, flags))               \
	X(int, fsconfig, (int fd, unsigned cmd, const char *key, const char *value),                            \
	  (int)syscall(SYS_fsconfig, fd, cmd, key, value, 0))                                                   \
	X(int, fsmount, (int fd, unsigned flags, unsigned attrs), (int)syscall(SYS_fsmount, fd, flags, attrs))  \
	X(int, mount_setattr, (int dir, const char *path, unsigned flags, const struct sys_mount_attr *attr),   \
	  (int)syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof *attr))                                \
	X(int, mount, (const char *src, const char *dst, const char *type, unsigned long flags, const void *d), \
	  mount(src, dst, type, flags, d))                                                                      \
	X(int, umount2, (const char *path, int flags), umount2(path, flags))                                    \
	X(int, pivot_root, (const char *new_root, const char *put_old),                                         \
	  (int)syscall(SYS_pivot_root, new_root, put_old))                                                      \
	X(int, chroot, (const char *path), chroot(path))                                                        \
	/* processes and namespaces */                                                                          \
	X(pid_t, clone3, (struct clone_args * args), (pid_t)syscall(SYS_clone3, args, sizeof *args))            \
	X(pid_t, clone, (unsigned long flags, int *pidfd), sys_raw_clone(flags, pidfd))                         \
	X(int, setns, (int fd, int type), setns(fd, type))                                                      \
	X(int, unshare, (int flags), unshare(flags))                                                            \
	X(int, execveat, (int dir, const char *path, char *const argv[], char *const envp[], int flags),        \
	  (int)syscall(SYS_execveat, dir, path, argv, envp, flags))                                             \
	X(int, execve, (const char *path, char *const argv[], char *const envp[]), execve(path, argv, envp))    \
	X(int, pidfd_open, (pid_t pid, unsigned flags), (int)syscall(SYS_pidfd_open, pid, flags))               \
	X(int, pidfd_send_signal, (int fd, int sig), (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0))     \
	X(int, pidfd_getfd, (int pidfd, int fd), (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0))                   \
	X(int, waitid, (int type, int id, siginfo_t * si, int options),                                         \
	  (int)syscall(SYS_waitid, type, id, si, options, NULL))                                                \
	X(int, kill, (pid_t pid, int sig), kill(pid, sig))                                                      \
	X(pid_t, setsid, (void), setsid())                                                                      \
	X(int, prctl, (int op, unsigned long a, unsigned long b, unsigned long c),                              \
	  prctl(op, a, b, c, 0ul))                                                                              \
	/* credentials and limits */                                                                            \
	X(int, setresuid, (uid_t u), (int)syscall(SYS_NR_setresuid, u, u, u))                                   \
	X(int, setresgid, (gid_t g), (int)syscall(SYS_NR_setresgid, g, g, g))                                   \
	X(int, setgroups, (size_t n, const gid_t *list), (int)syscall(SYS_NR_setgroups, n, list))               \
	X(int, capget, (struct sys_cap_header * h, struct sys_cap_data * d), (int)syscall(SYS_capget, h, d))    \
	X(int, capset, (struct sys_cap_header * h, const struct sys_cap_data *d),                               \
	  (int)syscall(SYS_capset, h, d))                                                                       \
	X(int, seccomp, (unsigned op, unsigned flags, void *args), (int)syscall(SYS_seccomp, op, flags, args))  \
	X(int, prlimit, (pid_t pid, int which, const struct rlimit64 *lim, struct rlimit64 *old),               \
	  (int)syscall(SYS_prlimit64, pid, which, lim, old))                                                    \
	X(int, sched_setattr, (pid_t pid, const void *attr),                                                    \
	  (int)syscall(SYS_sched_setattr, pid, attr, 0))                                                        \
	X(int, sched_setaffinity, (pid_t pid, size_t n, const void *mask),                                      \
	  (int)syscall(SYS_sched_setaffinity, pid, n, mask))                                                    \
	X(int, ioprio_set, (int which, int who, int prio), (int)syscall(SYS_ioprio_set, which, who, prio))      \
	X(int, personality, (unsigned long domain), personality(domain))                                        \
	X(long, keyctl_join, (const char *name), syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, name))       \
	X(long, keyctl_describe, (long key, char *buf, size_t n), syscall(SYS_keyctl, 6 /* DESCRIBE */, key, buf, n)) \
	X(int, keyctl_setperm, (long key, uint32_t perm), (int)syscall(SYS_keyctl, 5 /* SETPERM */, key, perm)) \
	X(int, sethostname, (const char *s, size_t n), sethostname(s, n))                                       \
	X(int, setdomainname, (const char *s, size_t n), setdomainname(s, n))                                   \
	/* sockets and waiting */                                                                               \
	X(int, socket, (int domain, int type, int protocol), socket(domain, type, protocol))                    \
	X(int, socketpair, (int domain, int type, int fds[2]), socketpair(domain, type, 0, fds))                \
	X(int, bind, (int fd, const struct sockaddr *sa, socklen_t n), bind(fd, sa, n))                         \
	X(int, listen, (int fd, int backlog), listen(fd, backlog))                                              \
	X(int, connect, (int fd, const struct sockaddr *sa, socklen_t n), connect(fd, sa, n))                   \
	X(int, setsockopt, (int fd, int level, int name, const void *v, socklen_t n),                           \
	  setsockopt(fd, level, name, v, n))                                                                    \
	X(int, getsockopt, (int fd, int level, int name, void *v, socklen_t *n),                                \
	  getsockopt(fd, level, name, v, n))                                                                    \
	X(int, accept, (int fd), accept4(fd, NULL, NULL, SOCK_CLOEXEC))                                         \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), sendmsg(fd, m, flags))                 \
	X(ssize_t, recvmsg, (int fd, struct msghdr * m, int flags), recvmsg(fd, m, flags))                      \
	X(int, ioctl, (int fd, unsigned long op, void *arg), ioctl(fd, (unsigned)op, arg))                      \
	X(int, poll, (struct pollfd * p, nfds_t n, int ms), poll(p, n, ms))                                     \
	X(int, eventfd, (unsigned init, int flags), eventfd(init, flags))                                       \
	X(int, epoll_create, (void), epoll_create1(EPOLL_CLOEXEC))                                              \
	X(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event * ev), epoll_ctl(ep, op, fd, ev))         \
	X(int, epoll_wait, (int ep, struct epoll_event * ev, int n, int ms), epoll_wait(ep, ev, n, ms))         \
	X(int, timerfd_create, (int clock, int flags), timerfd_create(clock, flags))                            \
	X(int, timerfd_settime, (int fd, int flags, const struct itimerspec *at),                               \
	  timerfd_settime(fd, flags, at, NULL))                                                                 \
	X(int, signalfd, (int fd, const sigset_t *mask, int flags), signalfd(fd, mask, flags))                  \
	X(int, inotify_init, (int flags), inotify_init1(flags))                                                 \
	X(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), inotify_add_watch(fd, path, mask)) \
	X(int, bpf, (int cmd, void *attr, size_t n), (int)syscall(SYS_bpf, cmd, attr, n))

#define X(type, name, params, expr) type sys_##name params;
SYS_CALLS(X)
#undef X

/* A call that is not to be had: ENOSYS is an old kernel, EPERM a sandbox. EPERM
 * may be a real refusal; the older call that is tried instead then repeats it. */
bool sys_refused(int r);

/* Fork-like clone(2), for kernels and filters without clone3. */
pid_t sys_raw_clone(unsigned long flags, int *pidfd);

/* Every signal to its default and none blocked, for a program about to be
 * executed: what our caller ignores (conmon: SIGPIPE) it would ignore, too. */
void sys_default_signals(void);
/* All of them, for a program that waits for them: none gets lost before it can. */
void sys_block_signals(void);

/* close() is never injected: it cannot usefully fail. */
void sys_close(int fd);

/* Of struct statx, which not every C library has with its younger members, what
 * struct stat does not say. */
struct sys_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint8_t others[128];
	uint64_t mnt_id;
	uint8_t reserved[104];
};
enum { SYS_STATX_MNT_ID = 0x1000, SYS_STATX_ATTR_MOUNT_ROOT = 0x2000 };

/* What <linux/mount.h> calls struct mount_attr, without its clash with
 * <sys/mount.h>. */
struct sys_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

struct sys_cap_header {
	uint32_t version;
	int pid;
};

struct sys_cap_data {
	uint32_t effective, permitted, inheritable;
};

/* From <linux/mount.h>, which cannot be included beside <sys/mount.h>. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC 02000000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
enum { SYS_FSOPEN_CLOEXEC = 1, SYS_FSMOUNT_CLOEXEC = 1 };
enum { SYS_FSCONFIG_SET_FLAG = 0, SYS_FSCONFIG_SET_STRING = 1, SYS_FSCONFIG_CMD_CREATE = 6 };
#define SYS_ATTR_RDONLY 0x00000001
#define SYS_ATTR_NOSUID 0x00000002
#define SYS_ATTR_NODEV 0x00000004
#define SYS_ATTR_NOEXEC 0x00000008
#define SYS_ATTR__ATIME 0x00000070
#define SYS_ATTR_NOATIME 0x00000010
#define SYS_ATTR_STRICTATIME 0x00000020
#define SYS_ATTR_NODIRATIME 0x00000080
#define SYS_ATTR_IDMAP 0x00100000
#define SYS_ATTR_NOSYMFOLLOW 0x00200000
