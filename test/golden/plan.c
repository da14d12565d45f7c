/*
 * Prints the plan of a config.json as it would be on a fixed, made-up host, for
 * the golden files. How the file is called says which host:
 *
 *	v1-NAME.json        root, cgroup v1
 *	rootless-NAME.json  an ordinary user, cgroup v2
 *	exec-NAME.json      root, v2; the plan of `exec` of the document's process
 *	NAME.json           root, cgroup v2
 *
 * A document that is refused prints its error, which is golden as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "mem.h"
#include "planner.h"
#include "spec.h"
#include "str.h"

static const char v1_mounts[] =
	"30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	"31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	"34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
static const char v1_own[] = "4:name=systemd:/\n3:pids:/\n2:memory:/\n1:cpu,cpuacct:/\n";
static const char v2_mounts[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
static const char v2_own[] = "0::/\n";

static int host(const char *name, struct arena *a, struct cgroup_host *cg, struct host_facts *f,
		struct err *e)
{
	bool v1 = str_starts(name, "v1-"), rootless = str_starts(name, "rootless-");
	int r = cgroup_host_parse(cg, a, v1 ? v1_mounts : v2_mounts, v1 ? v1_own : v2_own, e);

	*f = (struct host_facts){
		.euid = rootless ? 1000 : 0,
		.egid = rootless ? 1000 : 0,
		.privileged = !rootless,
		.last_cap = 40,
		.cgroup = cg,
		.has_time_ns = true,
		.has_kcore = true,
		.kernel_major = 6,
		.kernel_minor = 1,
	};
	return r;
}

static int print(const char *path, struct arena *a, const char *text, size_t len, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct plan_options o = { .id = "golden", .bundle = "/bundle" };
	OWN_SB struct sb out = SB_INIT;
	struct cgroup_host cg = { 0 };
	struct plan *plan = NULL;
	struct spec *spec = NULL;
	struct host_facts f;
	int r;

	r = host(name, a, &cg, &f, e);
	if (r >= 0)
		r = spec_parse(a, text, len, "config.json", NULL, &spec, e);
	if (r >= 0)
		r = str_starts(name, "exec-") ?
			    plan_exec(a, spec, spec->process, &f, &o, &plan, e) :
			    plan_container(a, spec, &f, &o, &plan, e);
	if (r < 0)
		return r;
	plan_print(plan, &out);
	if (out.failed)
		return err_set(e, ERR_INTERNAL, -ENOMEM, "print the plan");
	fputs(out.s, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static char text[1 << 20];
	struct err e = { 0 };
	char words[2048];
	size_t n;
	FILE *f;

	if (argc != 2 || !(f = fopen(argv[1], "r"))) {
		fprintf(stderr, "usage: plan FILE\n");
		return 2;
	}
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	if (print(argv[1], &a, text, n, &e) < 0)
		printf("error (%s): %s\n", err_kind_name(e.kind), err_text(&e, words, sizeof words));
	return 0;
}
