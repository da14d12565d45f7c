/* Facts of the host; see host.h. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "rootfs.h"
#include "schema_oci.h"
#include "schema_reply.h"
#include "str.h"
#include "sys.h"

enum { CGROUP2_MAGIC = 0x63677270, CONFIG_MAX = 4 << 20, USERS_MAX = 4 << 20 };

bool host_cgroup_v2(void)
{
	OWN_FD fd = sys_openat(AT_FDCWD, "/sys/fs/cgroup", O_PATH | O_CLOEXEC, 0);
	struct statfs st;

	return fd >= 0 && sys_fstatfs(fd, &st) >= 0 && st.f_type == CGROUP2_MAGIC;
}

uint32_t host_processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (uint32_t)n : 1;
}

static int read_numbers(const char *path, uint32_t *major, uint32_t *minor)
{
	char line[64];
	ssize_t n = file_read_line(AT_FDCWD, path, line, sizeof line);

	if (n < 0)
		return (int)n;
	return sscanf(line, "%u:%u", major, minor) == 2 ? 0 : -ENODEV;
}

/* Limits are the disk's: of a partition, /sys/dev/block/MAJOR:MINOR/.. is it. */
int host_disk(const char *path, uint32_t *ret_major, uint32_t *ret_minor)
{
	char at[96];
	struct stat st;
	int r = sys_fstatat(AT_FDCWD, path, &st, 0);

	if (r < 0)
		return r;
	snprintf(at, sizeof at, "/sys/dev/block/%u:%u/partition", major(st.st_dev), minor(st.st_dev));
	if (sys_faccessat(AT_FDCWD, at, F_OK) >= 0) {
		snprintf(at, sizeof at, "/sys/dev/block/%u:%u/../dev", major(st.st_dev), minor(st.st_dev));
		return read_numbers(at, ret_major, ret_minor);
	}
	snprintf(at, sizeof at, "/sys/dev/block/%u:%u/dev", major(st.st_dev), minor(st.st_dev));
	return read_numbers(at, ret_major, ret_minor);
}

static int read_below(struct arena *a, int root, const char *path, char **ret, struct err *e)
{
	OWN_FD fd = rootfs_open(root, path, O_RDONLY | O_NONBLOCK);
	size_t len;

	if (fd < 0)
		return err_sys(e, fd, "open '/%s' of the container", path);
	return file_read_fd(a, fd, path, USERS_MAX, ret, &len, e);
}

int host_find_user(struct arena *a, const char *root, const char *name, struct schema_user *ret, struct err *e)
{
	OWN_FD fd = sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char *passwd, *group = NULL;
	struct err ignored;
	int r;

	if (fd < 0)
		return err_sys(e, fd, "open the container's root directory");
	r = read_below(a, fd, "etc/passwd", &passwd, e);
	if (r < 0)
		return r;
	(void)read_below(a, fd, "etc/group", &group, &ignored);
	return schema_find_user(a, name, passwd, group, ret, e);
}

static int find_user(struct arena *a, const struct schema_needs *n, struct schema_oci_input *in, struct err *e)
{
	struct schema_user *user = arena_alloc(a, sizeof *user);
	int r = -ENOENT;

	if (!user)
		return err_sys(e, -ENOMEM, "find a user");
	for (size_t i = 0; r == -ENOENT && i < n->n_roots; i++)
		r = host_find_user(a, n->roots[i], n->user_name, user, e);
	in->user = user;
	return r;
}

int host_answer(struct arena *a, const struct schema_needs *n, struct schema_oci_input *in, struct err *e)
{
	char *text;
	int r;

	if (n->device_of) {
		r = host_disk(n->device_of, &in->major, &in->minor);
		if (r < 0)
			return err_set(e, ERR_UNSUPPORTED, r,
				       "'%s' is on no disk that storage limits could be set for", n->device_of);
		in->has_device = true;
	}
	if (n->bundle_config) {
		r = file_read(a, AT_FDCWD, n->bundle_config, CONFIG_MAX, &text, &in->bundle_config_len, e);
		if (r < 0)
			return r;
		in->bundle_config = text;
	}
	if (n->processors)
		in->processors = host_processors();
	return n->user_name ? find_user(a, n, in, e) : 0;
}

/* ---- processors --------------------------------------------------------------------- */

static uint32_t topology_number(unsigned cpu, const char *what)
{
	char path[96], line[32];
	uint32_t n;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
	return file_read_line(AT_FDCWD, path, line, sizeof line) >= 0 && parse_u32(line, &n) >= 0 ? n : 0;
}

static bool is_online(unsigned cpu)
{
	char path[96], line[8];

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/online", cpu);
	/* The first one has no such file where it cannot be taken away. */
	return file_read_line(AT_FDCWD, path, line, sizeof line) < 0 || line[0] == '1';
}

size_t host_topology(struct schema_logical_processor *list, size_t max)
{
	long all = sysconf(_SC_NPROCESSORS_CONF);
	size_t n = 0;

	for (unsigned cpu = 0; (long)cpu < all && n < max; cpu++)
		if (is_online(cpu))
			list[n++] = (struct schema_logical_processor){
				.index = cpu,
				.package = topology_number(cpu, "physical_package_id"),
				.core = topology_number(cpu, "core_id"),
			};
	return n;
}
