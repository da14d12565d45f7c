/*
 * A cgroup directory in /tmp whose files are ordinary ones: what was written
 * can be read back, and v2 needs no v2 host.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"

struct fake {
	char dir[64];
	struct cgroup_host host;
	struct cgroup cg;
};

static inline void fake_init(struct fake *f, enum cgroup_mode mode)
{
	static const char *const v1[] = { "cpu",  "cpuacct", "cpuset",	"memory", "devices",
					  "pids", "blkio",   "hugetlb", "rdma",	  "net_cls,net_prio" };
	size_t n = mode == CGROUP_V2 ? 1 : sizeof v1 / sizeof *v1;

	*f = (struct fake){ .dir = "/tmp/berth-cgroup-XXXXXX" };
	if (!mkdtemp(f->dir))
		abort();
	f->host.mode = mode;
	f->host.n = n;
	f->cg.host = &f->host;
	f->cg.path = (char *)"/fake";
	for (size_t i = 0; i < CGROUP_MAX_HIERARCHIES; i++)
		f->cg.fd[i] = -1;
	for (size_t i = 0; i < n; i++) {
		f->host.h[i].controllers = (char *)(mode == CGROUP_V2 ? "" : v1[i]);
		f->host.h[i].mountpoint = f->dir;
		f->cg.fd[i] = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
}

static inline void fake_done(struct fake *f)
{
	char cmd[128];

	for (size_t i = 0; i < f->host.n; i++)
		close(f->cg.fd[i]);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", f->dir);
	if (system(cmd) != 0)
		abort();
}

static inline void fake_put(struct fake *f, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	out = fopen(path, "w");
	if (!out)
		abort();
	fputs(text, out);
	fclose(out);
}

/* Several files "a b c", all empty. */
static inline void fake_touch(struct fake *f, const char *names)
{
	char copy[1024], *rest = copy, *name;

	snprintf(copy, sizeof copy, "%s", names);
	while ((name = strsep(&rest, " ")))
		fake_put(f, name, "");
}

static inline const char *fake_get(struct fake *f, const char *name)
{
	static char buf[4096];
	char path[256];
	size_t n = 0;
	FILE *in;

	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	in = fopen(path, "r");
	if (in) {
		n = fread(buf, 1, sizeof buf - 1, in);
		fclose(in);
	}
	buf[n] = '\0';
	return in ? buf : NULL;
}
