/* Executing ourselves from a file that a container cannot reach. */
#include "selfexe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "sealed.h"
#include "str.h"
#include "sys.h"

/* Started by execveat on an fd, and that file's mount is read-only or the file
 * is sealed. A user who imitates this by hand deceives only himself: whoever
 * starts the program decides which file it is. */
static int is_protected(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	OWN_FD fd = -1;
	struct statfs fs;
	int r;

	if (!str_starts(name, "/dev/fd/"))
		return false;
	fd = r = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	if (r >= 0)
		r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return r; /* not false: without end we would try again */
	if ((unsigned long)fs.f_flags & MS_RDONLY)
		return true;
	return sealed_is(fd);
}

static int detached_bind(void)
{
	struct sys_mount_attr ro = { .attr_set = SYS_ATTR_RDONLY };
	OWN_FD fd = sys_open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int r = fd;

	if (r >= 0)
		r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &ro);
	return r < 0 ? r : take_fd(&fd);
}

static int sealed_copy(void)
{
	OWN_FD from = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	OWN_FD fd = -1;
	ssize_t n;
	int r = from;

	if (r >= 0)
		fd = r = sealed_new("berth");
	if (r < 0)
		return r;
	while ((n = sys_sendfile(fd, from, NULL, 1 << 20)) > 0 || n == -EINTR)
		;
	r = n < 0 ? (int)n : sealed_finish(fd);
	return r < 0 ? r : take_fd(&fd);
}

int selfexe_protect(char *const argv[], struct err *e)
{
	OWN_FD fd = -1;
	int r = is_protected();

	if (r < 0)
		return err_sys(e, r, "look at the program's own file");
	if (r)
		return 0;
	fd = detached_bind();
	if (fd < 0)
		fd = sealed_copy();
	if (fd < 0)
		return err_sys(e, fd, "make a protected copy of the program");
	r = sys_execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, r, "execute a protected copy of the program");
}
