/* What the planner needs to know of the host, read once per request. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "planner.h"
#include "str.h"
#include "sys.h"

#define OLDEST_MAJOR 5
#define OLDEST_MINOR 10

/* A small file without its last newline; -errno. */
static ssize_t read_line(const char *path, char *buf, size_t cap)
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_read_all(fd, buf, cap - 1);
	if (n < 0)
		return n;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

static bool exists(const char *path)
{
	return sys_faccessat(AT_FDCWD, path, F_OK, 0) >= 0;
}

int host_facts_kernel(struct host_facts *f, const char *release)
{
	char *end;
	unsigned long major, minor;

	if (*release < '0' || *release > '9')
		return -EINVAL;
	major = strtoul(release, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	minor = strtoul(end + 1, NULL, 10);
	if (major > 1000 || minor > 100000)
		return -EINVAL;
	f->kernel_major = (uint32_t)major;
	f->kernel_minor = (uint32_t)minor;
	return 0;
}

static int read_kernel(struct host_facts *f, struct err *e)
{
	char line[128];
	ssize_t n = read_line("/proc/sys/kernel/osrelease", line, sizeof line);

	if (n < 0)
		return err_sys(e, (int)n, "read '/proc/sys/kernel/osrelease'");
	if (host_facts_kernel(f, line) < 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "unknown kernel version '%s'", line);
	if (f->kernel_major > OLDEST_MAJOR ||
	    (f->kernel_major == OLDEST_MAJOR && f->kernel_minor >= OLDEST_MINOR))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, 0, "Linux %s is too old: %d.%d or later is needed", line,
		       OLDEST_MAJOR, OLDEST_MINOR);
}

static int read_last_cap(struct host_facts *f, struct err *e)
{
	char line[16];
	ssize_t n = read_line("/proc/sys/kernel/cap_last_cap", line, sizeof line);
	int r = n < 0 ? (int)n : parse_u32(line, &f->last_cap);

	if (r >= 0 && f->last_cap > 63)
		r = -ERANGE;
	return r < 0 ? err_sys(e, r, "read '/proc/sys/kernel/cap_last_cap'") : 0;
}

/* Capabilities in a user namespace of somebody's own are not what is meant. */
static int read_privilege(struct host_facts *f, struct err *e)
{
	struct sys_cap_header h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct sys_cap_data d[2] = { { 0 } };
	unsigned long inside, outside, size;
	char line[128], *at = line;
	ssize_t n;
	int r;

	f->euid = geteuid();
	f->egid = getegid();
	r = sys_capget(&h, d);
	if (r < 0)
		return err_sys(e, r, "read the caller's capabilities");
	if (!(d[CAP_SYS_ADMIN / 32].effective >> (CAP_SYS_ADMIN % 32) & 1))
		return 0;
	n = read_line("/proc/self/uid_map", line, sizeof line);
	if (n == -ENOENT) { /* a kernel without user namespaces */
		f->privileged = true;
		return 0;
	}
	if (n < 0 && n != -EFBIG)
		return err_sys(e, (int)n, "read '/proc/self/uid_map'");
	if (n < 0)
		return 0; /* many maps: not the initial namespace */
	inside = strtoul(at, &at, 10);
	outside = strtoul(at, &at, 10);
	size = strtoul(at, &at, 10);
	f->privileged = inside == 0 && outside == 0 && size == UINT32_MAX;
	return 0;
}

static void read_features(struct host_facts *f)
{
	char line[8];

	f->has_apparmor = read_line("/sys/module/apparmor/parameters/enabled", line, sizeof line) > 0 &&
			  line[0] == 'Y';
	f->has_selinux = exists("/sys/fs/selinux/status");
	f->has_time_ns = exists("/proc/self/ns/time");
	f->has_kcore = exists("/proc/kcore");
	f->has_resctrl = exists("/sys/fs/resctrl/schemata");
}

int host_facts_read(struct host_facts *f, struct arena *a, struct err *e)
{
	struct cgroup_host *cgroup = arena_alloc(a, sizeof *cgroup);
	int r;

	*f = (struct host_facts){ 0 };
	if (!cgroup)
		return err_sys(e, -ENOMEM, "read what the host can do");
	r = read_kernel(f, e);
	if (r >= 0)
		r = read_last_cap(f, e);
	if (r >= 0)
		r = read_privilege(f, e);
	if (r >= 0)
		r = cgroup_host_read(cgroup, a, e);
	if (r < 0)
		return r;
	f->cgroup = cgroup;
	read_features(f);
	return 0;
}
