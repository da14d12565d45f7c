/* The terminal of the process: a pty of the container's own devpts, sent to
 * whoever asked for it, and bound on /dev/console. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "fd.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

/* Opened only when it is devpts: what else the image may have of that name could
 * block, or do something when it is opened. */
static int open_master(struct init *in)
{
	OWN_FD dir = rootfs_open(in->root, "/dev/pts", O_PATH | O_DIRECTORY);
	struct statfs fs;
	struct stat st;
	int fd, r;

	if (dir < 0)
		return dir;
	r = sys_fstatfs(dir, &fs);
	if (r >= 0 && fs.f_type != DEVPTS_SUPER_MAGIC)
		r = -ENODEV;
	fd = r < 0 ? r : sys_openat(dir, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys_fstat(fd, &st);
	if (r >= 0 && st.st_rdev != makedev(5, 2))
		r = -ENODEV;
	if (r >= 0)
		r = sys_fcntl(fd, F_SETFL, O_RDWR);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

static int open_slave(struct init *in, int master)
{
	const struct plan_process *pr = &in->p->process;
	struct winsize size = { .ws_row = pr->rows, .ws_col = pr->cols };
	int unlock = 0, r = sys_ioctl(master, TIOCSPTLCK, &unlock);

	if (r >= 0 && (pr->rows || pr->cols))
		r = sys_ioctl(master, TIOCSWINSZ, &size);
	/* By the master, not by a path that the container could have changed. */
	return r < 0 ? r : sys_ioctl(master, TIOCGPTPEER, (void *)(intptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
}

/* Not through a symbolic link of the image (CVE-2025-52565). */
static int bind_console(struct init *in, int slave)
{
	OWN_FD target = rootfs_open(in->root, "/dev/console", O_PATH | O_NOFOLLOW);
	struct stat st;
	int r;

	if (target == -ENOENT)
		target = rootfs_make_file(in->root, "/dev/console", 0600);
	if (target < 0)
		return target;
	r = sys_fstat(target, &st);
	if (r >= 0 && S_ISLNK(st.st_mode))
		r = -ELOOP;
	if (r >= 0)
		r = mount_bind_fd(in, slave, target, "/dev/console", false);
	if (r >= 0)
		sys_close(r);
	return r < 0 ? r : 0;
}

static int take_terminal(struct init *in, int slave)
{
	int r = sys_fchownat(slave, "", in->p->process.uid, (gid_t)-1, AT_EMPTY_PATH);

	/* EINVAL, EPERM: an id that is not mapped here; runc passes over it too. */
	if (r < 0 && r != -EINVAL && r != -EPERM)
		return r;
	r = sys_ioctl(slave, TIOCSCTTY, NULL);
	for (int fd = 0; r >= 0 && fd < 3; fd++)
		r = sys_dup3(slave, fd, 0);
	return r < 0 ? r : 0;
}

void init_console(struct init *in)
{
	static const char name[] = "/dev/pts/ptmx";
	int master = init_must(in, open_master(in), STAGE_CONSOLE, 0);
	int slave = init_must(in, open_slave(in, master), STAGE_CONSOLE, 1);

	if (in->p->console_in_dev)
		init_must(in, bind_console(in, slave), STAGE_CONSOLE, 2);
	init_must(in, fd_send(in->f->console, name, sizeof name - 1, &master, 1),
		  STAGE_CONSOLE_SEND, 0);
	sys_close(master);
	init_must(in, take_terminal(in, slave), STAGE_CONSOLE, 3);
	sys_close(slave);
}
