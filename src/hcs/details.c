/* ProcessDetails, from /proc: only of the processes that are asked for. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "properties.h"
#include "str.h"

/* The fields of /proc/PID/stat behind the name, counted as proc(5) does. */
struct fields {
	char name[64];
	uint64_t utime, stime, start; /* 14, 15, 22; in clock ticks */
};

static bool read_stat(uint32_t pid, struct fields *ret)
{
	char path[40], line[1024], *name, *rest;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%u/stat", pid);
	n = file_read_line(AT_FDCWD, path, line, sizeof line);
	name = n < 0 ? NULL : strchr(line, '(');
	rest = n < 0 ? NULL : strrchr(line, ')');
	if (!name || !rest)
		return false;
	*rest = '\0';
	snprintf(ret->name, sizeof ret->name, "%s", name + 1);
	return sscanf(rest + 2,
		      "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		      " %*d %*d %*d %*d %*d %*d %" SCNu64,
		      &ret->utime, &ret->stime, &ret->start) == 3;
}

/* Pages: all, resident, of those shared. */
static void read_memory(uint32_t pid, struct schema_process_details *ret)
{
	char path[40], line[256];
	uint64_t size = 0, resident = 0, shared = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);

	snprintf(path, sizeof path, "/proc/%u/statm", pid);
	if (file_read_line(AT_FDCWD, path, line, sizeof line) < 0)
		return;
	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &size, &resident, &shared) != 3)
		return;
	ret->commit_bytes = resident * page;
	ret->shared_bytes = shared * page;
	ret->private_bytes = resident > shared ? (resident - shared) * page : 0;
}

static int64_t boot_ns(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (now.tv_sec - up.tv_sec) * 1000000000ll + now.tv_nsec - up.tv_nsec;
}

bool process_details_read(struct arena *a, uint32_t pid, struct schema_process_details *ret)
{
	const uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct fields f;

	if (!hz || !read_stat(pid, &f))
		return false;
	*ret = (struct schema_process_details){
		.process_id = pid,
		.image_name = arena_strdup(a, f.name),
		.created = boot_ns() + (int64_t)(f.start * (1000000000ull / hz)),
		.user_100ns = f.utime * (10000000 / hz),
		.kernel_100ns = f.stime * (10000000 / hz),
	};
	read_memory(pid, ret);
	return true;
}
