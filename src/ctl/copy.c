/*
 * read and write: files of a system that runs.
 *
 * No program in it is needed, or trusted. A path is resolved from the root of the
 * system's first process as if that were "/" (base/rootfs.h), so no link leads
 * out. What is opened is opened by a child that may do no more than the system's
 * own root may: its user namespace, its user and group 0, and of the capabilities
 * those that the system can have. So a link to something that the system cannot
 * read or write leads us no further than it. Only regular files are opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "proc.h"
#include "rootfs.h"
#include "sys.h"

enum { CAPABILITY_VERSION = 0x20080522, STATUS_MAX = 64 << 10 };

/* ---- who may open it ---------------------------------------------------------------------- */

struct place {
	int pidfd, root, user_ns; /* of the system's first process */
	bool own_user_ns; /* it is in another one than we */
	uint64_t caps; /* at most */
};
#define PLACE_INIT { .pidfd = -1, .root = -1, .user_ns = -1 }

static void place_done(struct place *p)
{
	fd_closep(&p->root);
	fd_closep(&p->user_ns);
}
#define OWN_PLACE __attribute__((cleanup(place_done))) struct place

static int bounding_set(struct request *q, pid_t pid, uint64_t *ret, struct err *e)
{
	static const char key[] = "\nCapBnd:\t";
	char path[64], *text, *at;
	size_t len;
	int r;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	r = file_read(q->arena, AT_FDCWD, path, STATUS_MAX, &text, &len, e);
	if (r < 0)
		return r;
	at = strstr(text, key);
	if (!at)
		return err_set(e, ERR_INTERNAL, 0, "%s: has no CapBnd", path);
	at += strlen(key);
	at[strcspn(at, "\n")] = '\0';
	r = parse_u64(at, 16, ret);
	return r < 0 ? err_sys(e, r, "read %s", path) : 0;
}

static int open_of(pid_t pid, const char *what, int flags, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
	fd = sys_openat(AT_FDCWD, path, flags | O_CLOEXEC, 0);
	return fd < 0 ? err_sys(e, fd, "open %s", path) : fd;
}

static int another_user_ns(int fd, bool *ret, struct err *e)
{
	OWN_FD own = open_of(getpid(), "ns/user", O_RDONLY, e);
	struct stat a, b;
	int r = own < 0 ? own : sys_fstat(own, &a);

	if (r == 0)
		r = sys_fstat(fd, &b);
	if (own < 0)
		return own;
	*ret = r == 0 && (a.st_ino != b.st_ino || a.st_dev != b.st_dev);
	return r < 0 ? err_sys(e, r, "compare user namespaces") : 0;
}

/* All by the pid, which the pidfd says at the end was not another's meanwhile. */
static int find_place(struct request *q, HCS_PROCESS process, pid_t pid, struct place *ret, struct err *e)
{
	HRESULT hr = HcsGetProcessFd(process, &ret->pidfd);
	int r;

	if (FAILED(hr))
		return failed_last(q, hr, e);
	ret->root = open_of(pid, "root", O_PATH | O_DIRECTORY, e);
	if (ret->root < 0)
		return ret->root;
	ret->user_ns = open_of(pid, "ns/user", O_RDONLY, e);
	if (ret->user_ns < 0)
		return ret->user_ns;
	r = another_user_ns(ret->user_ns, &ret->own_user_ns, e);
	if (r == 0)
		r = bounding_set(q, pid, &ret->caps, e);
	if (r == 0 && proc_wait(ret->pidfd, 0) == 0)
		return failed(q, HCS_E_SYSTEM_ALREADY_STOPPED, NULL, e);
	return r;
}

/* ---- in the child ------------------------------------------------------------------------- */

static int become_its_root(const struct place *p)
{
	struct sys_cap_header h = { .version = CAPABILITY_VERSION };
	struct sys_cap_data d[2] = { { 0 } };
	int r = p->own_user_ns ? sys_setns(p->user_ns, CLONE_NEWUSER) : 0;

	if (r == 0)
		r = sys_setgroups(0, NULL);
	if (r == -EPERM && p->own_user_ns) /* setgroups may be denied there; so it has none of ours to keep */
		r = 0;
	if (r == 0)
		r = sys_setresgid(0);
	if (r == 0)
		r = sys_setresuid(0);
	if (r == 0)
		r = sys_capget(&h, d);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		d[i].permitted &= (uint32_t)(p->caps >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	return sys_capset(&h, d);
}

/* What is there is looked at before it is opened: a FIFO would wait, a device do
 * what devices do. */
static int open_regular(int at, int flags)
{
	char path[32];
	struct stat st;
	int r = sys_fstat(at, &st);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EOPNOTSUPP;
	snprintf(path, sizeof path, "/proc/self/fd/%d", at);
	return sys_openat(AT_FDCWD, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

/* A new file only where its directory is, and not where a link leads that leads
 * nowhere yet. Our caller's umask is no business of the system's. */
static int make_file(int root, const char *path)
{
	const char *slash = strrchr(path, '/'), *leaf = slash ? slash + 1 : path;
	OWN_FD parent = -1;
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof dir)
		return -ENAMETOOLONG;
	if (!*leaf)
		return -EISDIR;
	snprintf(dir, sizeof dir, "/%.*s", (int)(leaf - path), path);
	parent = rootfs_open(root, dir, O_PATH | O_DIRECTORY);
	if (parent < 0)
		return parent;
	umask(022);
	return sys_openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static int open_there(const struct place *p, const char *path, bool write)
{
	int r = become_its_root(p);
	OWN_FD at = r < 0 ? r : rootfs_open(p->root, path, O_PATH);

	if (r == 0 && at == -ENOENT && write)
		at = make_file(p->root, path);
	return at < 0 ? at : open_regular(at, write ? O_WRONLY | O_TRUNC : O_RDONLY);
}

_Noreturn static void child(const struct place *p, const char *path, bool write, int to)
{
	int fd = open_there(p, path, write);

	fd_send(to, &fd, sizeof fd, &fd, fd >= 0);
	_exit(0);
}

static int open_in(struct request *q, const struct place *p, const char *path, bool write, struct err *e)
{
	OWN_FD ours = -1, childs = -1, pidfd = -1;
	int pair[2], fd = -1, r, said = -EPROTO;
	size_t n = 1;
	pid_t pid;

	r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
	if (r < 0)
		return err_sys(e, r, "make a socket");
	ours = pair[0];
	childs = pair[1];
	pid = fork();
	if (pid == 0)
		child(p, path, write, childs);
	if (pid < 0)
		return err_sys(e, -errno, "fork");
	pidfd = sys_pidfd_open(pid, 0);
	fd_closep(&childs);
	if (fd_recv(ours, &said, sizeof said, &fd, &n) != sizeof said)
		said = -EPROTO;
	if (pidfd >= 0)
		proc_reap(pidfd);
	if (said < 0)
		return said == -EOPNOTSUPP ?
			       err_set(e, ERR_INVALID, 0, "%s: '%s' is not a regular file", request_what(q), path) :
			       err_sys(e, said, "%s: open '%s'", request_what(q), path);
	return n == 1 ? fd : err_sys(e, -EPROTO, "open '%s'", path);
}

/* ---- the copy --------------------------------------------------------------------------------- */

static int copy(int from, int to, uint64_t *bytes, struct err *e)
{
	char buf[64 << 10];

	for (*bytes = 0;;) {
		ssize_t n = sys_read(from, buf, sizeof buf);
		int r;

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(e, (int)n, "read") : 0;
		r = fd_write_all(to, buf, (size_t)n);
		if (r < 0)
			return err_sys(e, r, "write");
		*bytes += (uint64_t)n;
	}
}

/* Its first process is where its files are. */
static int open_file(struct request *q, const char *path, bool write, struct err *e)
{
	OWN_PLACE place = PLACE_INIT;
	HCS_PROCESS_INFORMATION info;
	OWN_OPERATION op = operation_new(e);
	OWN_PROCESS process = NULL;
	OWN_SYSTEM s = NULL;
	HRESULT hr;
	int r;

	if (!op)
		return -ENOMEM;
	r = open_system(q, q->args[0], &s, e);
	if (r < 0)
		return r;
	hr = HcsOpenProcess(s, 0, GENERIC_ALL, &process);
	if (FAILED(hr))
		return failed_last(q, hr, e);
	r = finish(q, op, HcsGetProcessInfo(process, op), NULL, e);
	if (r < 0)
		return r;
	hr = HcsGetOperationResultAndProcessInfo(op, &info, NULL);
	if (FAILED(hr))
		return failed(q, hr, NULL, e);
	fd_closep(&info.StdInput);
	fd_closep(&info.StdOutput);
	fd_closep(&info.StdError);
	r = find_place(q, process, (pid_t)info.ProcessId, &place, e);
	return r < 0 ? r : open_in(q, &place, path, write, e);
}

static int show_copied(struct request *q, const char *cfile, const char *hfile, uint64_t bytes, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	if (!q->common.json)
		return 0;
	jw_init(&w, &out, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Id", q->args[0]);
	jw_kstr(&w, "ContainerPath", cfile);
	jw_kstr(&w, "HostPath", hfile);
	jw_kuint(&w, "Bytes", bytes);
	jw_end(&w);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

/* ---- the verbs ------------------------------------------------------------------------------------ */

struct copy_flags {
	struct common common;
	bool uvm;
};

static const struct option_def copy_options[] = {
	OPTION("uvm", 0, OPT_BOOL, struct copy_flags, uvm, NULL, NULL),
	COMMON_FLAGS(struct copy_flags),
	{ 0 },
};

static int read_run(struct request *q, void *options, struct err *e)
{
	const struct copy_flags *f = options;
	const char *hfile = q->args[2];
	OWN_FD from = -1, to = -1;
	uint64_t bytes;
	int r;

	if (f->uvm)
		return not_supported(q, e, "-uvm: there is no utility VM");
	if (q->common.json && !hfile)
		return bad_usage(q, e, "with --json it takes the name of a file: standard output has the document");
	from = open_file(q, q->args[1], false, e);
	if (from < 0)
		return from;
	if (hfile) {
		to = sys_openat(AT_FDCWD, hfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
		if (to < 0)
			return err_sys(e, to, "open '%s'", hfile);
	}
	r = copy(from, hfile ? to : STDOUT_FILENO, &bytes, e);
	if (r < 0)
		return err_wrap(e, r, "%s", request_what(q));
	return show_copied(q, q->args[1], hfile, bytes, e);
}

const struct verb verb_read = {
	.name = "read",
	.summary = "copy a file out of a system that runs",
	.usage = "<id> <cfile> [<hfile>]",
	.description = "Without <hfile> to standard output.",
	.options = copy_options,
	.options_size = sizeof(struct copy_flags),
	.min_args = 2,
	.max_args = 3,
	.run = read_run,
};

static int write_run(struct request *q, void *options, struct err *e)
{
	const struct copy_flags *f = options;
	const char *hfile = q->n_args > 2 ? q->args[1] : NULL, *cfile = q->args[q->n_args - 1];
	OWN_FD from = -1, to = -1;
	uint64_t bytes;
	int r;

	if (f->uvm)
		return not_supported(q, e, "-uvm: there is no utility VM");
	if (hfile) {
		from = sys_openat(AT_FDCWD, hfile, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
		if (from < 0)
			return err_sys(e, from, "open '%s'", hfile);
	}
	to = open_file(q, cfile, true, e);
	if (to < 0)
		return to;
	r = copy(hfile ? from : STDIN_FILENO, to, &bytes, e);
	if (r < 0)
		return err_wrap(e, r, "%s", request_what(q));
	return show_copied(q, cfile, hfile, bytes, e);
}

const struct verb verb_write = {
	.name = "write",
	.summary = "copy a file into a system that runs",
	.usage = "<id> [<hfile>] <cfile>",
	.description = "Without <hfile> from standard input. What was there is replaced; a new file is the\n"
		       "   system's root's, mode 0644, in a directory that is there.",
	.options = copy_options,
	.options_size = sizeof(struct copy_flags),
	.min_args = 2,
	.max_args = 3,
	.run = write_run,
};
