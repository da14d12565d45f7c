/* Which mount did mount(2) make? It does not say, and the name that it was made
 * for may lead to another one by now: then that would become read-only, and ours
 * would not. /proc/self/mountinfo lists mounts in the order of their making, so
 * ours is behind what was the last one before. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fd.h"
#include "init.h"
#include "rootfs.h"
#include "sys.h"

struct scan {
	int id; /* looked for; -1: none */
	int last; /* in: the one to be behind of. out: the last one there is */
	bool behind;
	bool found;
};

static void end_of_id(struct scan *s, int id, int after)
{
	s->found = s->found || (s->behind && id == s->id);
	s->behind = s->behind || id == after;
	s->last = id;
}

static int scan_mounts(struct init *in, struct scan *s)
{
	OWN_FD fd = init_proc_open(in, "self/mountinfo", O_RDONLY);
	const int after = s->last;
	bool in_id = true;
	char buf[4096];
	ssize_t n = fd;
	int id = 0;

	while (n >= 0 && (n = sys_read(fd, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n') {
				in_id = true;
				id = 0;
			} else if (in_id && buf[i] != ' ') {
				id = id * 10 + (buf[i] - '0');
			} else if (in_id) {
				in_id = false;
				end_of_id(s, id, after);
			}
		}
	return (int)n;
}

static int mount_id(struct init *in, int fd)
{
	char path[32] = "self/fdinfo/", buf[512];
	OWN_FD info = -1;
	const char *p;
	ssize_t n;
	int id = 0;

	strcat(path, path_of_fd(fd).s + strlen("/proc/self/fd/"));
	info = init_proc_open(in, path, O_RDONLY);
	n = info < 0 ? info : fd_read_all(info, buf, sizeof buf - 1);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	p = strstr(buf, "mnt_id:\t");
	if (!p)
		return -ENODATA;
	for (p += 8; *p >= '0' && *p <= '9'; p++)
		id = id * 10 + (*p - '0');
	return id;
}

int mount_last(struct init *in)
{
	struct scan s = { .id = -1, .last = -1 };
	int r = scan_mounts(in, &s);

	return r < 0 ? r : s.last;
}

int mount_made(struct init *in, const char *name, int last)
{
	struct scan s = { .last = last };
	OWN_FD fd = rootfs_open(in->root, name, O_PATH);
	int r = s.id = fd < 0 ? fd : mount_id(in, fd);

	if (r >= 0)
		r = scan_mounts(in, &s);
	if (r >= 0 && !s.found)
		r = -ESTALE;
	return r < 0 ? r : take_fd(&fd);
}
