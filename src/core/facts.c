/* What the planner needs to know of the host, read once per request. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "planner.h"
#include "spec.h"
#include "str.h"
#include "sys.h"

#define OLDEST_MAJOR 5
#define OLDEST_MINOR 10

static bool exists(const char *path)
{
	return sys_faccessat(AT_FDCWD, path, F_OK) >= 0;
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

/* Without pidfds we could make a container, but neither find nor end it. */
static int check_pidfds(struct err *e)
{
	int r = sys_pidfd_open(-1, 0);

	return sys_refused(r) ? err_set(e, ERR_UNSUPPORTED, r, "open a process (pidfd_open)") : 0;
}

static int read_kernel(struct host_facts *f, struct err *e)
{
	struct utsname u;

	if (uname(&u) < 0)
		return err_sys(e, -errno, "read the kernel version");
	if (host_facts_kernel(f, u.release) < 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "unknown kernel version '%s'", u.release);
	if (f->kernel_major > OLDEST_MAJOR ||
	    (f->kernel_major == OLDEST_MAJOR && f->kernel_minor >= OLDEST_MINOR))
		return check_pidfds(e);
	return err_set(e, ERR_UNSUPPORTED, 0, "Linux %s is too old: %d.%d or later is needed",
		       u.release, OLDEST_MAJOR, OLDEST_MINOR);
}

/* The kernel answers for any capability it knows: from the newest of our
 * headers, up or down to its last. */
static int read_last_cap(struct host_facts *f, struct err *e)
{
	uint32_t cap = CAP_LAST_CAP;
	int r = 0;

	while (cap < 63 && (r = sys_prctl(PR_CAPBSET_READ, cap + 1, 0, 0)) >= 0)
		cap++;
	while (r == -EINVAL && cap > 0 && (r = sys_prctl(PR_CAPBSET_READ, cap, 0, 0)) == -EINVAL)
		cap--;
	f->last_cap = cap;
	return r < 0 ? err_sys(e, r, "look for the last capability of the kernel") : 0;
}

static int read_privilege(struct host_facts *f, bool in_user_ns, struct err *e)
{
	struct sys_cap_header h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct sys_cap_data d[2] = { { 0 } };
	char word[8];
	int r;

	f->euid = geteuid();
	f->egid = getegid();
	r = sys_capget(&h, d);
	if (r < 0)
		return err_sys(e, r, "read the caller's capabilities");
	f->privileged = !in_user_ns &&
			d[CAP_SYS_ADMIN / 32].effective >> (CAP_SYS_ADMIN % 32) & 1;
	f->missing_caps = ~(d[0].permitted | (uint64_t)d[1].permitted << 32);
	f->setgroups_denied = in_user_ns &&
			      file_read_line(AT_FDCWD, "/proc/self/setgroups", word, sizeof word) > 0 &&
			      strcmp(word, "deny") == 0;
	return 0;
}

static void read_features(struct host_facts *f, const struct spec *s,
			  const struct spec_process *exec)
{
	const struct spec_process *p = s->process;
	char line[8];

	if ((p && p->apparmor_profile) || (exec && exec->apparmor_profile))
		f->has_apparmor = file_read_line(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", line,
						 sizeof line) > 0 &&
				  line[0] == 'Y';
	if (s->linux->mount_label || (p && p->selinux_label) || (exec && exec->selinux_label))
		f->has_selinux = exists("/sys/fs/selinux/status");
	if (exec)
		return;
	if (s->linux->ns[NS_TIME].present)
		f->has_time_ns = exists("/proc/self/ns/time");
	if (s->linux->intel_rdt)
		f->has_resctrl = exists("/sys/fs/resctrl/schemata");
	f->has_kcore = exists("/proc/kcore");
}

int host_facts_read(struct host_facts *f, const struct spec *s, const struct spec_process *exec,
		    const struct cgroup_host *cgroup, bool in_user_ns, struct err *e)
{
	int r;

	*f = (struct host_facts){ .cgroup = cgroup };
	r = read_kernel(f, e);
	if (r >= 0)
		r = read_privilege(f, in_user_ns, e);
	if (r >= 0)
		r = read_last_cap(f, e);
	if (r < 0)
		return r;
	read_features(f, s, exec);
	return 0;
}
