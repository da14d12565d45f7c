/*
 * config.json text -> specification -> plan, for a container and an exec -> its
 * text and JSON, on made-up hosts. The first byte chooses the host.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "spec.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char v1_mounts[] =
	"31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"33 30 0:29 /o /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
static const char v1_own[] = "3:name=systemd:/o/h\n1:cpu,cpuacct:/\n";
static const char v2_mounts[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

enum { V1 = 1, UNPRIVILEGED = 2, LSM = 4, SYSTEMD = 8, NO_CGROUP = 16, OLD = 32 };

static void check(const struct plan *p, struct arena *a)
{
	OWN_SB struct sb text = SB_INIT, json = SB_INIT;
	struct json_doc doc;
	struct err e;

	plan_print(p, &text);
	plan_print_json(p, &json);
	if (!text.failed && (!text.len || text.s[text.len - 1] != '\n'))
		abort();
	/* what we write we can read, unless it is larger than what we read */
	if (!json.failed && json_parse(a, json.s, json.len, "plan", &doc, &e) < 0 &&
	    json.len < JSON_MAX_SIZE && !strstr(e.msg, "duplicate"))
		abort();
	for (size_t i = 0; i < p->n_steps; i++)
		if (!p->steps[i].target || p->steps[i].target[0] != '/')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	unsigned how = size ? data[0] : 0;
	struct cgroup_host cg;
	struct host_facts f = {
		.euid = how & UNPRIVILEGED ? 1000 : 0,
		.egid = how & UNPRIVILEGED ? 1000 : 0,
		.privileged = !(how & UNPRIVILEGED),
		.last_cap = how & OLD ? 37 : 40,
		.cgroup = how & NO_CGROUP ? NULL : &cg,
		.has_apparmor = how & LSM,
		.has_selinux = how & LSM,
		.has_time_ns = !(how & OLD),
		.kernel_major = 5,
		.kernel_minor = how & OLD ? 10 : 15,
	};
	struct plan_options o = {
		.id = "c1",
		.bundle = "/b",
		.systemd_cgroup = how & SYSTEMD,
		.no_cgroup = (how & UNPRIVILEGED) && (how & V1),
	};
	struct spec_device_rule *rules;
	struct spec *s = NULL;
	struct plan *p = NULL;
	struct err e = { 0 };
	size_t n;

	if (!size || cgroup_host_parse(&cg, &a, how & V1 ? v1_mounts : v2_mounts,
				       how & V1 ? v1_own : "0::/\n", &e) < 0)
		return 0;
	if (spec_parse(&a, (const char *)data + 1, size - 1, "config.json", NULL, &s, &e) < 0)
		return 0;
	if (plan_container(&a, s, &f, &o, &p, &e) >= 0)
		check(p, &a);
	else if (!e.msg[0])
		abort();
	if (s->process && plan_exec(&a, s, s->process, &f, &o, &p, &e) >= 0)
		check(p, &a);
	plan_device_rules(&a, s, &rules, &n);
	return 0;
}
