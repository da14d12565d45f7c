/* The program: HOME from the image's /etc/passwd, the search along PATH, and
 * execve. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "home.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

enum { MAX_PASSWD = 16 << 20 };

/* An image need not have a passwd file, nor one that is a file, or ends. */
static int read_passwd(struct home_reader *reader)
{
	OWN_FD fd = sys_openat(AT_FDCWD, "/etc/passwd",
			       O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	struct stat st;
	char buf[4096];
	ssize_t n, sum = 0;

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENXIO || fd == -EACCES ||
	    fd == -EPERM)
		return 0;
	if (fd < 0)
		return fd;
	n = sys_fstat(fd, &st);
	if (n < 0 || !S_ISREG(st.st_mode))
		return (int)n;
	do
		n = sys_read(fd, buf, sizeof buf);
	while (n > 0 && (sum += n) <= MAX_PASSWD && !home_reader_feed(reader, buf, (size_t)n));
	return n < 0 ? (int)n : 0;
}

/* runc sets HOME when the environment has none: from passwd, else "/". */
void init_home(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	struct home_reader reader;

	if (!pr->need_home)
		return;
	home_reader_init(&reader, pr->uid);
	init_must(in, read_passwd(&reader), STAGE_HOME, 0);
	strcpy(in->home, "HOME=");
	strcpy(in->home + 5, home_reader_result(&reader));
	pr->env[pr->n_env] = in->home;
	pr->env[pr->n_env + 1] = NULL;
}

/* As Go's exec.LookPath: a regular file (or anything but a directory) that the
 * user may execute. */
static int executable(const char *path)
{
	struct stat st;
	int r = sys_fstatat(AT_FDCWD, path, &st, 0);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EACCES; /* as Go says of a directory */
	if (!(st.st_mode & 0111))
		return -EACCES;
	r = sys_faccessat2(AT_FDCWD, path, X_OK, AT_EACCESS);
	return sys_refused(r) ? 0 : r; /* execve will say */
}

static bool try_dir(struct init *in, const char *dir, size_t len, const char *name)
{
	size_t n = strlen(name);

	if (!len) {
		dir = ".";
		len = 1;
	}
	if (len + 1 + n >= sizeof in->path)
		return false;
	memcpy(in->path, dir, len);
	in->path[len] = '/';
	memcpy(in->path + len + 1, name, n + 1);
	return executable(in->path) >= 0;
}

void init_lookup(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	const char *name = pr->argv[0], *p = pr->path;
	size_t n = strlen(name);

	if (pr->builtin_init) {
		strcpy(in->path, "the program of io.berth.init");
		return;
	}
	if (strchr(name, '/')) {
		if (n >= sizeof in->path)
			init_fail(in, STAGE_LOOKUP, 0, -ENAMETOOLONG);
		memcpy(in->path, name, n + 1);
		init_must(in, executable(in->path), STAGE_LOOKUP, 0);
		return;
	}
	while (p && *name) {
		size_t len = strcspn(p, ":");

		if (try_dir(in, p, len, name))
			return;
		p = p[len] ? p + len + 1 : NULL;
	}
	init_fail(in, STAGE_LOOKUP_PATH, 0, 0);
}

/* Too late for the handshake to tell anyone but whoever waits for start; as
 * under runc and crun the program has then been started and failed, and says so
 * on its own stderr. */
static _Noreturn void exec_failed(struct init *in, int r)
{
	const char *words = err_words(-r);
	const char *parts[] = { "exec ", in->path, ": ", words ? words : "unknown error", "\n" };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		fd_write_all(2, parts[i], strlen(parts[i]));
	_exit(1);
}

_Noreturn void init_exec(struct init *in)
{
	const struct plan_process *pr = &in->p->process;
	int r = pr->builtin_init ? sys_execveat(in->program, "", pr->argv, pr->env, AT_EMPTY_PATH) :
				   sys_execve(in->path, pr->argv, pr->env);

	exec_failed(in, r);
}
