/*
 * The planner's decisions, one by one. A specification is put together from
 * pieces of JSON; the host is made up.
 */
#include <setjmp.h>
#include <unistd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cgroup.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "plan.h"
#include "planner.h"
#include "spec.h"
#include "str.h"

#define ARGS "\"args\": [\"sh\"], \"cwd\": \"/\""
#define NS_DEFAULT "{\"type\": \"mount\"}, {\"type\": \"pid\"}"
#define NS_USER_JSON "{\"type\": \"user\"}"
#define MAPS                                                                        \
	"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 1000, \"size\": 10}], " \
	"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 2000, \"size\": 10}]"

static const char v1_mounts[] =
	"31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"33 30 0:29 /outer /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
static const char v1_own[] = "3:name=systemd:/outer/here\n2:memory:/\n1:cpu,cpuacct:/a\n";
static const char v2_mounts[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/* What a test says of its container; what it leaves out is ordinary. */
struct want {
	const char *root, *process, *mounts, *namespaces, *linux_more, *top;
	bool v1, unprivileged, selinux, apparmor, systemd, no_cgroup, old_kernel, resctrl;
	bool no_pivot;
	uint32_t last_cap;
	uint64_t missing_caps;
};

struct planned {
	struct arena a;
	struct cgroup_host cg;
	struct host_facts f;
	struct plan_options o;
	struct spec *spec;
	struct plan *plan;
	struct err e;
	int r;
};

static void host(struct planned *t, const struct want *w)
{
	assert_int_equal(cgroup_host_parse(&t->cg, &t->a, w->v1 ? v1_mounts : v2_mounts,
					   w->v1 ? v1_own : "0::/own\n", &t->e),
			 0);
	t->f = (struct host_facts){
		.euid = w->unprivileged ? 1000 : 0,
		.egid = w->unprivileged ? 1000 : 0,
		.privileged = !w->unprivileged,
		.last_cap = w->last_cap ? w->last_cap : 40,
		.missing_caps = w->missing_caps,
		.cgroup = w->no_cgroup ? NULL : &t->cg,
		.has_selinux = w->selinux,
		.has_apparmor = w->apparmor,
		.has_time_ns = true,
		.has_kcore = !w->old_kernel,
		.has_resctrl = w->resctrl,
		.kernel_major = 5,
		.kernel_minor = w->old_kernel ? 10 : 15,
	};
	t->o = (struct plan_options){
		.id = "c1",
		.bundle = "/b/c1",
		.systemd_cgroup = w->systemd,
		.no_pivot = w->no_pivot,
	};
}

static void parse(struct planned *t, const struct want *w)
{
	OWN_SB struct sb b = SB_INIT;

	sb_printf(&b, "{\"ociVersion\": \"1.2.0\", \"root\": %s, \"process\": {%s}, ",
		  w->root ? w->root : "{\"path\": \"rootfs\"}", w->process ? w->process : ARGS);
	sb_printf(&b, "\"mounts\": [%s], %s%s ", w->mounts ? w->mounts : "", w->top ? w->top : "",
		  w->top ? "," : "");
	sb_printf(&b, "\"linux\": {\"namespaces\": [%s]%s%s}}",
		  w->namespaces ? w->namespaces : NS_DEFAULT, w->linux_more ? ", " : "",
		  w->linux_more ? w->linux_more : "");
	t->r = spec_parse(&t->a, b.s, b.len, "config.json", NULL, &t->spec, &t->e);
}

static void plan_of(struct planned *t, struct want w)
{
	*t = (struct planned){ .r = 0 };
	host(t, &w);
	parse(t, &w);
	if (t->r < 0)
		return;
	t->r = plan_container(&t->a, t->spec, &t->f, &t->o, &t->plan, &t->e);
}

#define PLAN(...)                                                \
	struct planned t __attribute__((cleanup(planned_done))); \
	plan_of(&t, (struct want){ __VA_ARGS__ });               \
	if (t.r < 0)                                             \
		print_message("%s\n", t.e.msg);                  \
	assert_true(t.r >= 0)

#define REFUSED(words, ...)                                              \
	do {                                                             \
		struct planned t __attribute__((cleanup(planned_done))); \
		plan_of(&t, (struct want){ __VA_ARGS__ });               \
		assert_true(t.r < 0);                                    \
		if (!strstr(t.e.msg, words))                             \
			print_message("got: %s\n", t.e.msg);             \
		assert_non_null(strstr(t.e.msg, words));                 \
	} while (0)

static void planned_done(struct planned *t)
{
	arena_done(&t->a);
}

static const struct fs_step *find(const struct fs_step *s, size_t n, enum fs_op op,
				  const char *target)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].op == op && strcmp(s[i].target, target) == 0)
			return &s[i];
	return NULL;
}

static const struct fs_step *step(const struct planned *t, enum fs_op op, const char *target)
{
	return find(t->plan->steps, t->plan->n_steps, op, target);
}

static const struct fs_step *late(const struct planned *t, enum fs_op op, const char *target)
{
	return find(t->plan->late_steps, t->plan->n_late_steps, op, target);
}

/* ---- namespaces --------------------------------------------------------- */

static void test_namespaces(void **state)
{
	PLAN(.namespaces = "{\"type\": \"mount\"}, {\"type\": \"network\"}, {\"type\": \"cgroup\"}, "
			   "{\"type\": \"ipc\", \"path\": \"/proc/7/ns/ipc\"}");
	(void)state;
	assert_true(t.plan->new_ns == (CLONE_NEWNS | CLONE_NEWNET)); /* never CLONE_NEWCGROUP */
	assert_true(t.plan->new_cgroup_ns);
	assert_true(t.plan->own_mount_ns);
	assert_true(t.plan->loopback_up);
	assert_false(t.plan->own_user_ns);
	assert_int_equal(t.plan->n_joins, 1);
	assert_int_equal(t.plan->joins[0].type, CLONE_NEWIPC);
	assert_string_equal(t.plan->joins[0].name, "ipc");
	assert_string_equal(t.plan->joins[0].path, "/proc/7/ns/ipc");
}

static void test_joined_network_stays_as_it_is(void **state)
{
	PLAN(.namespaces = "{\"type\": \"mount\"}, {\"type\": \"network\", \"path\": \"/n\"}");
	(void)state;
	assert_false(t.plan->loopback_up);
	assert_true(t.plan->new_ns == CLONE_NEWNS);
}

static void test_joined_user_ns_order(void **state)
{
	const char *ns = "{\"type\": \"mount\"}, {\"type\": \"user\", \"path\": \"/u\"}, "
			 "{\"type\": \"ipc\", \"path\": \"/i\"}";

	(void)state;
	{
		PLAN(.namespaces = ns);
		assert_int_equal(t.plan->joins[1].type, CLONE_NEWUSER);
		assert_true(t.plan->root_is_mapped);
		assert_false(t.plan->own_user_ns);
	}
	{
		PLAN(.namespaces = ns, .unprivileged = true);
		assert_int_equal(t.plan->joins[0].type, CLONE_NEWUSER);
	}
}

static void test_user_ns(void **state)
{
	PLAN(.namespaces = NS_DEFAULT ", " NS_USER_JSON, .linux_more = MAPS);
	(void)state;
	assert_true(t.plan->own_user_ns);
	assert_true(t.plan->root_is_mapped);
	assert_false(t.plan->deny_setgroups);
	assert_int_equal(t.plan->n_uid_maps, 1);
	assert_int_equal(t.plan->uid_maps[0].outside, 1000);
	assert_int_equal(t.plan->gid_maps[0].outside, 2000);
	assert_int_equal(t.plan->gid_maps[0].size, 10);
}

static void test_user_ns_of_one(void **state)
{
	const char *maps = "\"uidMappings\": [{\"containerID\": 5, \"hostID\": 1000, \"size\": 1}], "
			   "\"gidMappings\": [{\"containerID\": 5, \"hostID\": 1000, \"size\": 1}]";
	const char *ns = NS_DEFAULT ", " NS_USER_JSON;

	(void)state;
	{
		PLAN(.namespaces = ns, .linux_more = maps, .unprivileged = true,
		     .process = ARGS ", \"user\": {\"uid\": 5, \"gid\": 5}");
		assert_true(t.plan->deny_setgroups);
		assert_false(t.plan->root_is_mapped);
	}
	{
		PLAN(.namespaces = ns, .linux_more = maps,
		     .process = ARGS ", \"user\": {\"uid\": 5, \"gid\": 5}");
		assert_false(t.plan->deny_setgroups);
	}
	REFUSED("/process/user/additionalGids", .namespaces = ns, .linux_more = maps,
		.unprivileged = true,
		.process = ARGS ", \"user\": {\"uid\": 5, \"gid\": 5, \"additionalGids\": [5]}");
	REFUSED("/process/user/uid", .namespaces = ns, .linux_more = maps,
		.process = ARGS ", \"user\": {\"uid\": 6, \"gid\": 5}");
}

static void test_user_ns_refused(void **state)
{
	(void)state;
	REFUSED("/linux/uidMappings", .namespaces = NS_DEFAULT ", " NS_USER_JSON);
	REFUSED("uidMappings", .linux_more = MAPS);
	REFUSED("/linux/namespaces: an unprivileged caller needs a user namespace",
		.unprivileged = true);
}

static void test_time_ns(void **state)
{
	const char *offsets = "\"timeOffsets\": {\"monotonic\": {\"secs\": -5, \"nanosecs\": 7}}";

	(void)state;
	{
		PLAN(.namespaces = NS_DEFAULT ", {\"type\": \"time\"}", .linux_more = offsets);
		assert_string_equal(t.plan->time_offsets, "monotonic -5 7\nboottime 0 0\n");
	}
	REFUSED("/linux/timeOffsets", .linux_more = offsets);
}

/* ---- mounts ------------------------------------------------------------- */

static void test_bind(void **state)
{
	const struct fs_step *s;
	PLAN(.mounts = "{\"destination\": \"/d\", \"source\": \"../x/./y\", "
		       "\"options\": [\"rbind\", \"ro\", \"rslave\", \"rro\"]}");
	(void)state;
	s = step(&t, FS_BIND, "/d");
	assert_non_null(s);
	assert_string_equal(s->source, "/b/x/y");
	assert_true(s->recursive);
	assert_true(s->flags == MS_RDONLY);
	assert_int_equal(s->rec_set, 1);
	assert_int_equal(s->n_propagation, 1);
	assert_true(s->propagation[0] == (MS_SLAVE | MS_REC));
	assert_false(s->from_host);
	assert_string_equal(s->pointer, "/mounts/0");
}

static void test_bind_in_user_ns(void **state)
{
	const char *m = "{\"destination\": \"/d\", \"source\": \"/s\", \"options\": [\"bind\"]}";
	const char *ns = NS_DEFAULT ", " NS_USER_JSON;

	(void)state;
	{
		PLAN(.mounts = m, .namespaces = ns, .linux_more = MAPS);
		assert_true(step(&t, FS_BIND, "/d")->from_host);
	}
	{
		PLAN(.mounts = m, .namespaces = ns, .linux_more = MAPS, .unprivileged = true);
		assert_false(step(&t, FS_BIND, "/d")->from_host);
	}
}

static void test_idmap(void **state)
{
	const char *own = "{\"destination\": \"/d\", \"source\": \"/s\", \"options\": [\"bind\", "
			  "\"ridmap\"], " MAPS "}";
	const char *container = "{\"destination\": \"/d\", \"source\": \"/s\", \"options\": [\"bind\", \"idmap\"]}";
	const char *ns = NS_DEFAULT ", " NS_USER_JSON;

	(void)state;
	{
		PLAN(.mounts = own);
		const struct fs_step *s = step(&t, FS_BIND, "/d");

		assert_true(s->idmap && s->idmap_recursive && s->from_host);
		assert_int_equal(s->n_uid_maps, 1);
		assert_int_equal(s->uid_maps[0].outside, 1000);
	}
	{
		PLAN(.mounts = container, .namespaces = ns, .linux_more = MAPS);
		const struct fs_step *s = step(&t, FS_BIND, "/d");

		assert_true(s->idmap && !s->idmap_recursive && !s->uid_maps);
	}
	REFUSED("/mounts/0", .mounts = container);
	REFUSED("CAP_SYS_ADMIN", .mounts = own, .unprivileged = true, .namespaces = ns,
		.linux_more = MAPS);
	REFUSED("Linux 5.12", .mounts = own, .old_kernel = true);
	REFUSED("Linux 5.12", .old_kernel = true,
		.mounts = "{\"destination\": \"/d\", \"source\": \"/s\", \"options\": [\"rbind\", \"rro\"]}");
}

static void test_tmpfs(void **state)
{
	const struct fs_step *s;
	PLAN(.mounts = "{\"destination\": \"/a\", \"type\": \"tmpfs\", \"source\": \"x\", "
		       "\"options\": [\"ro\", \"nosuid\", \"tmpcopyup\"]}, "
		       "{\"destination\": \"/b\", \"type\": \"tmpfs\", "
		       "\"options\": [\"size=1k\", \"mode=700\"]}");
	(void)state;
	s = step(&t, FS_MOUNT, "/a");
	assert_true(s->copy_up);
	assert_true(s->keep_mode);
	assert_true(s->flags == MS_NOSUID); /* read-only comes later */
	assert_true(s->kept);
	assert_true(late(&t, FS_REMOUNT, "/a")->flags == (MS_NOSUID | MS_RDONLY));
	assert_true(late(&t, FS_REMOUNT, "/a")->kept);
	assert_ptr_equal(&t.plan->steps[late(&t, FS_REMOUNT, "/a")->of], s);
	s = step(&t, FS_MOUNT, "/b");
	assert_false(s->keep_mode);
	assert_false(s->kept);
	assert_string_equal(s->source, "tmpfs");
	assert_string_equal(s->data, "size=1k,mode=700");
	assert_null(late(&t, FS_REMOUNT, "/b"));
}

static void test_proc_and_sys(void **state)
{
	PLAN(.mounts = "{\"destination\": \"/proc/\", \"type\": \"proc\", \"source\": \"proc\"}, "
		       "{\"destination\": \"/sys\", \"type\": \"sysfs\", \"options\": [\"ro\"]}, "
		       "{\"destination\": \"/proc/meminfo\", \"source\": \"/m\", \"options\": [\"bind\"]}");
	(void)state;
	assert_true(step(&t, FS_MOUNT, "/proc")->no_symlink);
	assert_true(step(&t, FS_MOUNT, "/sys")->no_symlink);
	assert_true(step(&t, FS_MOUNT, "/sys")->flags == MS_RDONLY);
	assert_non_null(step(&t, FS_BIND, "/proc/meminfo"));
}

static void test_refused_mounts(void **state)
{
	(void)state;
	REFUSED("inside /proc",
		.mounts = "{\"destination\": \"/proc/../proc/sys\", \"source\": \"/x\", \"options\": [\"bind\"]}");
	REFUSED("/mounts/0",
		.mounts = "{\"destination\": \"/proc\", \"source\": \"/x\", \"options\": [\"bind\"]}");
	REFUSED("inside /proc", .mounts = "{\"destination\": \"/proc/x\", \"type\": \"ext4\"}");
	REFUSED("/mounts/0", .mounts = "{\"destination\": \"/x/..\", \"type\": \"tmpfs\"}");
	REFUSED("/mounts/1", .mounts = "{\"destination\": \"/x\", \"type\": \"tmpfs\"}, "
				       "{\"destination\": \"/x\"}");
	REFUSED("/linux/mountLabel", .linux_more = "\"mountLabel\": \"a:b:c\"");
}

static void test_mount_label(void **state)
{
	PLAN(.selinux = true, .linux_more = "\"mountLabel\": \"u:r:t:s0\"",
	     .mounts = "{\"destination\": \"/t\", \"type\": \"tmpfs\", \"options\": [\"size=1\"]}, "
		       "{\"destination\": \"/proc\", \"type\": \"proc\"}");
	(void)state;
	assert_string_equal(step(&t, FS_MOUNT, "/t")->data, "size=1,context=\"u:r:t:s0\"");
	assert_null(step(&t, FS_MOUNT, "/proc")->data);
}

#define CGROUP_MOUNT(opt)                                   \
	"{\"destination\": \"/cg\", \"type\": \"cgroup\", " \
	"\"source\": \"cgroup\", \"options\": [" opt "]}"

static void test_cgroup_v1(void **state)
{
	const struct fs_step *s;
	PLAN(.v1 = true, .mounts = CGROUP_MOUNT("\"ro\""), .linux_more = "\"cgroupsPath\": \"/p/c\"");
	(void)state;
	s = step(&t, FS_MOUNT, "/cg");
	assert_string_equal(s->fstype, "tmpfs");
	assert_string_equal(s->data, "mode=755");
	assert_true(s->flags == (MS_NOSUID | MS_NOEXEC | MS_NODEV));
	s = step(&t, FS_BIND, "/cg/cpu,cpuacct");
	assert_string_equal(s->source, "/sys/fs/cgroup/cpu,cpuacct/p/c");
	assert_true(s->flags & MS_RDONLY);
	assert_null(s->fallback);
	assert_non_null(step(&t, FS_BIND, "/cg/memory"));
	assert_string_equal(step(&t, FS_BIND, "/cg/systemd")->source, "/sys/fs/cgroup/systemd/p/c");
	assert_string_equal(step(&t, FS_SYMLINK, "/cg/cpu")->source, "cpu,cpuacct");
	assert_string_equal(step(&t, FS_SYMLINK, "/cg/cpuacct")->source, "cpu,cpuacct");
	assert_true(step(&t, FS_REMOUNT, "/cg")->flags & MS_RDONLY);
}

static void test_cgroup_v1_systemd(void **state)
{
	const char *m = CGROUP_MOUNT("");

	(void)state;
	{
		PLAN(.v1 = true, .mounts = m, .systemd = true,
		     .linux_more = "\"cgroupsPath\": \"a-b.slice:docker:xy\"");
		assert_string_equal(t.plan->cgroup_path, "/a.slice/a-b.slice/docker-xy.scope");
		assert_string_equal(step(&t, FS_BIND, "/cg/memory")->source,
				    "/sys/fs/cgroup/memory/a.slice/a-b.slice/docker-xy.scope");
		assert_null(step(&t, FS_REMOUNT, "/cg"));
	}
	{
		PLAN(.systemd = true);
		assert_string_equal(t.plan->cgroup_path, "/system.slice/berth-c1.scope");
		assert_true(t.plan->systemd_cgroup);
	}
	REFUSED("/linux/cgroupsPath", .systemd = true, .linux_more = "\"cgroupsPath\": \"/a/b\"");
}

static void test_cgroup_v1_callers_own(void **state)
{
	struct planned t __attribute__((cleanup(planned_done)));
	struct want w = { .v1 = true, .mounts = CGROUP_MOUNT("") };

	(void)state;
	t = (struct planned){ .r = 0 };
	host(&t, &w);
	parse(&t, &w);
	t.o.no_cgroup = true;
	assert_int_equal(plan_container(&t.a, t.spec, &t.f, &t.o, &t.plan, &t.e), 0);
	assert_null(t.plan->cgroup_path);
	/* that mount shows only what is below /outer */
	assert_string_equal(step(&t, FS_BIND, "/cg/systemd")->source, "/sys/fs/cgroup/systemd/here");
	assert_string_equal(step(&t, FS_BIND, "/cg/cpu,cpuacct")->source,
			    "/sys/fs/cgroup/cpu,cpuacct/a");
}

static void test_cgroup_v1_unprivileged(void **state)
{
	const struct fs_step *s;
	PLAN(.v1 = true, .unprivileged = true, .mounts = CGROUP_MOUNT(""),
	     .namespaces = NS_DEFAULT ", " NS_USER_JSON, .linux_more = MAPS);
	(void)state;
	s = step(&t, FS_BIND, "/cg/systemd");
	assert_string_equal(s->source, "/sys/fs/cgroup/systemd/berth/c1");
	assert_string_equal(s->fallback, "/sys/fs/cgroup/systemd/here");
}

static void test_cgroup_v2(void **state)
{
	const char *m = CGROUP_MOUNT("\"ro\"");
	const char *user = NS_DEFAULT ", " NS_USER_JSON ", {\"type\": \"cgroup\", \"path\": \"/c\"}";

	(void)state;
	{
		PLAN(.mounts = m, .namespaces = NS_DEFAULT ", {\"type\": \"cgroup\"}");
		const struct fs_step *s = step(&t, FS_MOUNT, "/cg");

		assert_string_equal(s->fstype, "cgroup2");
		assert_true(s->flags == MS_RDONLY);
	}
	{
		PLAN(.mounts = m);
		assert_string_equal(step(&t, FS_BIND, "/cg")->source, "/sys/fs/cgroup");
	}
	{ /* joined from outside the new user namespace: not ours to mount */
		PLAN(.mounts = m, .namespaces = user, .linux_more = MAPS ", \"cgroupsPath\": \"/p\"");
		assert_string_equal(step(&t, FS_BIND, "/cg")->source, "/sys/fs/cgroup/p");
	}
	REFUSED("/mounts/0", .mounts = m, .no_cgroup = true);
}

/* ---- /dev --------------------------------------------------------------- */

static void test_default_devices(void **state)
{
	const struct fs_step *s;
	PLAN(.top = NULL);
	(void)state;
	s = step(&t, FS_NODE, "/dev/null");
	assert_true(s->mode == (S_IFCHR | 0666));
	assert_true(s->dev == makedev(1, 3));
	assert_true(s->skip_exists);
	assert_non_null(step(&t, FS_NODE, "/dev/urandom"));
	assert_non_null(step(&t, FS_NODE, "/dev/tty"));
	assert_string_equal(step(&t, FS_SYMLINK, "/dev/ptmx")->source, "pts/ptmx");
	assert_false(step(&t, FS_SYMLINK, "/dev/ptmx")->skip_exists);
	assert_string_equal(step(&t, FS_SYMLINK, "/dev/stderr")->source, "/proc/self/fd/2");
	assert_string_equal(step(&t, FS_SYMLINK, "/dev/core")->source, "/proc/kcore");
}

static void test_no_link_to_a_missing_kcore(void **state)
{
	PLAN(.old_kernel = true);
	(void)state;
	assert_null(step(&t, FS_SYMLINK, "/dev/core"));
}

static void test_bound_dev_is_left_alone(void **state)
{
	PLAN(.mounts = "{\"destination\": \"/dev/\", \"source\": \"/dev\", \"options\": [\"rbind\"]}");
	(void)state;
	assert_int_equal(t.plan->n_steps, 1);
}

static void test_spec_devices(void **state)
{
	const struct fs_step *s;
	PLAN(.linux_more = "\"devices\": [{\"path\": \"/dev/null\", \"type\": \"c\", \"major\": 9, "
			   "\"minor\": 8, \"fileMode\": 384, \"uid\": 3, \"gid\": 4}, "
			   "{\"path\": \"/dev/ptmx\", \"type\": \"c\", \"major\": 5, \"minor\": 2}, "
			   "{\"path\": \"/dev/pipe\", \"type\": \"p\"}]");
	(void)state;
	s = step(&t, FS_NODE, "/dev/null");
	assert_true(s->dev == makedev(9, 8));
	assert_true(s->mode == (S_IFCHR | 0600));
	assert_int_equal(s->uid, 3);
	assert_int_equal(s->gid, 4);
	assert_string_equal(s->pointer, "/linux/devices/0");
	assert_null(step(&t, FS_NODE, "/dev/ptmx"));
	assert_true(S_ISFIFO(step(&t, FS_NODE, "/dev/pipe")->mode));
}

static bool has_rule(const struct spec_device_rule *r, size_t n, char type, int64_t ma, int64_t mi)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].allow && r[i].type == type && r[i].major == ma && r[i].minor == mi)
			return true;
	return false;
}

static void test_device_rules(void **state)
{
	struct spec_device_rule *r;
	size_t n;
	PLAN(.linux_more = "\"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, "
			   "{\"allow\": false, \"type\": \"c\", \"major\": 5, \"minor\": 0, \"access\": \"r\"}]}, "
			   "\"devices\": [{\"path\": \"/dev/tty\", \"type\": \"c\", \"major\": 5, \"minor\": 0}, "
			   "{\"path\": \"/dev/zero\", \"type\": \"c\", \"major\": 1, \"minor\": 5}]");
	(void)state;
	assert_int_equal(plan_device_rules(&t.a, t.spec, &r, &n), 0);
	assert_int_equal(n, 2 + 10);
	assert_false(r[0].allow);
	assert_true(has_rule(r, n, 'c', -1, -1));
	assert_true(has_rule(r, n, 'b', -1, -1));
	assert_true(r[2].mknod && !r[2].read && !r[2].write);
	assert_true(has_rule(r, n, 'c', 1, 3));
	assert_true(has_rule(r, n, 'c', 1, 5)); /* its own device, but no rule for it */
	assert_true(has_rule(r, n, 'c', 136, -1));
	assert_true(has_rule(r, n, 'c', 5, 2));
	assert_true(has_rule(r, n, 'c', 10, 200));
	assert_false(has_rule(r, n, 'c', 5, 0)); /* its own device, its own rule */
}

/* ---- late steps and the root -------------------------------------------- */

static void test_late_steps_in_order(void **state)
{
	const struct fs_step *l;
	PLAN(.root = "{\"path\": \"/r/s/\", \"readonly\": true}",
	     .process = "\"args\": [\"sh\"], \"cwd\": \"/work\"",
	     .mounts = "{\"destination\": \"/dev\", \"type\": \"devtmpfs\", \"options\": [\"ro\"]}",
	     .linux_more = "\"maskedPaths\": [\"/proc/kcore\"], \"readonlyPaths\": [\"/proc/sys\"]");
	(void)state;
	l = t.plan->late_steps;
	assert_int_equal(t.plan->n_late_steps, 5);
	assert_int_equal(l[0].op, FS_DIR); /* while it can still be made */
	assert_string_equal(l[0].target, "/work");
	assert_int_equal(l[1].op, FS_REMOUNT);
	assert_string_equal(l[1].target, "/dev");
	assert_int_equal(l[2].op, FS_REMOUNT);
	assert_string_equal(l[2].target, "/");
	assert_int_equal(l[3].op, FS_READONLY);
	assert_int_equal(l[4].op, FS_MASK);
	assert_true(l[3].optional && l[4].optional);
	assert_string_equal(l[4].pointer, "/linux/maskedPaths/0");
	assert_string_equal(t.plan->rootfs, "/r/s");
	assert_true(step(&t, FS_MOUNT, "/dev")->flags == 0);
}

static void test_propagation(void **state)
{
	(void)state;
	{
		PLAN(.top = NULL);
		assert_true(t.plan->root_propagation == (MS_SLAVE | MS_REC));
		assert_true(t.plan->final_propagation == 0);
	}
	{
		PLAN(.linux_more = "\"rootfsPropagation\": \"rshared\"");
		assert_true(t.plan->root_propagation == (MS_SHARED | MS_REC));
		assert_true(t.plan->final_propagation == MS_SHARED);
	}
	{
		PLAN(.linux_more = "\"rootfsPropagation\": \"unbindable\"");
		assert_true(t.plan->root_propagation == MS_PRIVATE);
		assert_true(t.plan->final_propagation == MS_UNBINDABLE);
	}
	REFUSED("/linux/rootfsPropagation", .no_pivot = true,
		.linux_more = "\"rootfsPropagation\": \"private\"");
}

static void test_without_mount_ns(void **state)
{
	const char *ns = "{\"type\": \"pid\"}";

	(void)state;
	{
		PLAN(.namespaces = ns);
		assert_int_equal(t.plan->n_steps, 0);
		assert_false(t.plan->own_mount_ns);
		assert_string_equal(t.plan->rootfs, "/b/c1/rootfs");
	}
	REFUSED("/linux/namespaces", .namespaces = ns,
		.mounts = "{\"destination\": \"/t\", \"type\": \"tmpfs\"}");
}

/* ---- the process -------------------------------------------------------- */

static void test_environment(void **state)
{
	PLAN(.process = ARGS ", \"env\": [\"A=1\", \"PATH=/x\", \"HOME=\", \"A=2\", \"PATH=/y\"]");
	(void)state;
	assert_int_equal(t.plan->process.n_env, 2);
	assert_string_equal(t.plan->process.env[0], "A=2");
	assert_string_equal(t.plan->process.env[1], "PATH=/y");
	assert_null(t.plan->process.env[2]);
	assert_string_equal(t.plan->process.path, "/y");
	assert_true(t.plan->process.need_home);
}

static void test_lookup(void **state)
{
	(void)state;
	{
		PLAN(.process = ARGS ", \"env\": [\"HOME=/root\"]");
		assert_string_equal(t.plan->process.path, ""); /* nowhere to search */
		assert_false(t.plan->process.need_home);
	}
	{
		PLAN(.process = "\"args\": [\"./x\"], \"cwd\": \"/\", \"env\": [\"PATH=/bin\"]");
		assert_null(t.plan->process.path);
	}
	REFUSED("/process/env/0", .process = ARGS ", \"env\": [\"NOVALUE\"]");
}

static void test_capabilities(void **state)
{
	(void)state;
	{
		PLAN(.top = NULL);
		assert_true(t.plan->process.caps.permitted == 0);
		assert_int_equal(t.plan->process.last_cap, 40);
	}
	{ /* runc's own default asks for ambient ones that are not inheritable */
		PLAN(.process = ARGS ", \"capabilities\": {\"permitted\": [\"CAP_KILL\", \"CAP_CHOWN\"], "
				     "\"ambient\": [\"CAP_KILL\", \"CAP_CHOWN\"], \"inheritable\": [\"CAP_CHOWN\"]}");
		assert_true(t.plan->process.caps.ambient == 1ull << CAP_CHOWN);
	}
	{
		PLAN(.last_cap = CAP_AUDIT_READ,
		     .process = ARGS ", \"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_BPF\"]}");
		assert_true(t.plan->process.caps.bounding == 1ull << CAP_KILL);
		assert_int_equal(t.plan->n_warnings, 1);
		assert_non_null(strstr(t.plan->warnings[0], "CAP_BPF"));
	}
	{ /* what the caller does not have itself */
		PLAN(.missing_caps = 1ull << CAP_KILL,
		     .process = ARGS ", \"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_CHOWN\"], "
				     "\"effective\": [\"CAP_KILL\"], \"permitted\": [\"CAP_KILL\", \"CAP_CHOWN\"]}");
		assert_true(t.plan->process.caps.bounding == 1ull << CAP_CHOWN);
		assert_true(t.plan->process.caps.permitted == 1ull << CAP_CHOWN);
		assert_true(t.plan->process.caps.effective == 0);
		assert_int_equal(t.plan->n_warnings, 3);
		assert_non_null(strstr(t.plan->warnings[0], "bounding: CAP_KILL cannot be granted"));
	}
	{ /* a new user namespace has them all */
		PLAN(.missing_caps = 1ull << CAP_KILL, .namespaces = NS_DEFAULT ", " NS_USER_JSON,
		     .linux_more = MAPS,
		     .process = ARGS ", \"capabilities\": {\"bounding\": [\"CAP_KILL\"]}");
		assert_true(t.plan->process.caps.bounding == 1ull << CAP_KILL);
		assert_int_equal(t.plan->n_warnings, 0);
	}
	REFUSED("/process/capabilities/effective: CAP_KILL",
		.process = ARGS ", \"capabilities\": {\"effective\": [\"CAP_KILL\"]}");
}

static void test_labels(void **state)
{
	const char *apparmor = ARGS ", \"apparmorProfile\": \"p\"";
	const char *selinux = ARGS ", \"selinuxLabel\": \"l\"";

	(void)state;
	REFUSED("/process/apparmorProfile: AppArmor is not enabled on this host", .process = apparmor);
	REFUSED("/process/selinuxLabel: SELinux is not enabled on this host", .process = selinux);
	{
		PLAN(.process = apparmor, .apparmor = true);
		assert_string_equal(t.plan->process.apparmor, "p");
	}
	{
		PLAN(.process = selinux, .selinux = true);
		assert_string_equal(t.plan->process.selinux, "l");
	}
}

static void test_process_settings(void **state)
{
	const struct plan_process *pr;
	PLAN(.process = ARGS ", \"terminal\": true, \"consoleSize\": {\"height\": 24, \"width\": 80}, "
			     "\"user\": {\"uid\": 1, \"gid\": 2, \"umask\": 18, \"additionalGids\": [3, 4]}, "
			     "\"rlimits\": [{\"type\": \"RLIMIT_CORE\", \"soft\": 1, \"hard\": 2}], "
			     "\"oomScoreAdj\": -5, \"noNewPrivileges\": true, "
			     "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\", \"priority\": 7}, "
			     "\"scheduler\": {\"policy\": \"SCHED_FIFO\", \"priority\": 3}",
	     .linux_more = "\"personality\": {\"domain\": \"LINUX32\"}");
	(void)state;
	pr = &t.plan->process;
	assert_true(pr->terminal && t.plan->console_in_dev);
	assert_int_equal(pr->rows, 24);
	assert_int_equal(pr->cols, 80);
	assert_int_equal(pr->uid, 1);
	assert_int_equal(pr->gid, 2);
	assert_int_equal(pr->n_groups, 2);
	assert_int_equal(pr->groups[1], 4);
	assert_true(pr->has_umask);
	assert_int_equal(pr->umask, 022);
	assert_int_equal(pr->n_rlimits, 1);
	assert_int_equal(pr->rlimits[0].resource, RLIMIT_CORE);
	assert_string_equal(pr->rlimits[0].name, "RLIMIT_CORE");
	assert_true(pr->has_oom_score_adj);
	assert_int_equal(pr->oom_score_adj, -5);
	assert_true(pr->no_new_privs);
	assert_int_equal(pr->ioprio, 3 << 13 | 7);
	assert_int_equal(pr->scheduler->policy, SCHED_FIFO);
	assert_int_equal(pr->scheduler->priority, 3);
	assert_true(pr->has_personality);
	assert_int_equal(pr->personality, 8);
	assert_string_equal(pr->keyring, "_ses.c1");
	assert_true(pr->make_cwd);
}

static void test_seccomp(void **state)
{
	const char *notify = "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", %s\"syscalls\": "
			     "[{\"names\": [\"mkdir\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}";
	char text[512];

	(void)state;
	{
		PLAN(.linux_more = "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\"}");
		assert_true(t.plan->process.has_filter);
		assert_false(t.plan->wants_listener);
	}
	snprintf(text, sizeof text, notify, "\"listenerPath\": \"/s\", ");
	{
		PLAN(.linux_more = text);
		assert_true(t.plan->wants_listener);
		assert_string_equal(t.plan->listener_path, "/s");
	}
	snprintf(text, sizeof text, notify, "");
	REFUSED("listenerPath", .linux_more = text);
}

static void test_hooks(void **state)
{
	(void)state;
	{
		PLAN(.top = "\"hooks\": {\"createContainer\": [{\"path\": \"/h\"}]}");
		assert_true(t.plan->stop_for_hooks);
		assert_false(t.plan->stop_for_start_hooks);
	}
	{
		PLAN(.top = "\"hooks\": {\"startContainer\": [{\"path\": \"/h\"}], "
			    "\"poststop\": [{\"path\": \"/h\"}]}");
		assert_false(t.plan->stop_for_hooks);
		assert_true(t.plan->stop_for_start_hooks);
	}
}

static void test_sysctl(void **state)
{
	const char *net = NS_DEFAULT ", {\"type\": \"network\"}";

	(void)state;
	{
		PLAN(.namespaces = net,
		     .linux_more = "\"sysctl\": {\"net.ipv4.conf.eth0/1.rp_filter\": \"1\"}");
		assert_string_equal(t.plan->sysctl[0].key, "net/ipv4/conf/eth0.1/rp_filter");
	}
	REFUSED("/linux/sysctl/", .linux_more = "\"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}");
	REFUSED("/linux/sysctl/", .namespaces = net, .linux_more = "\"sysctl\": {\"kernel.sem\": \"1\"}");
	REFUSED("/linux/sysctl/", .linux_more = "\"sysctl\": {\"vm.swappiness\": \"1\"}");
	REFUSED("/linux/sysctl/", .namespaces = net,
		.linux_more = "\"sysctl\": {\"net/../kernel/core_pattern\": \"1\"}");
}

static void test_names(void **state)
{
	(void)state;
	{
		PLAN(.namespaces = NS_DEFAULT ", {\"type\": \"uts\"}",
		     .top = "\"hostname\": \"h\", \"domainname\": \"d\"");
		assert_string_equal(t.plan->hostname, "h");
		assert_string_equal(t.plan->domainname, "d");
	}
	REFUSED("/hostname", .top = "\"hostname\": \"h\"");
	REFUSED("/linux/intelRdt", .linux_more = "\"intelRdt\": {\"closID\": \"x\"}");
}

/* ---- exec --------------------------------------------------------------- */

static void test_exec_takes_from_the_first(void **state)
{
	struct plan *p = NULL;
	struct spec_process proc = { 0 };
	char program[] = "/bin/x", root[] = "/", *args[] = { program, NULL };
	char *env[] = { NULL };
	PLAN(.namespaces = NS_DEFAULT ", " NS_USER_JSON, .linux_more = MAPS, .apparmor = true,
	     .process = ARGS ", \"capabilities\": {\"permitted\": [\"CAP_KILL\"]}, "
			     "\"apparmorProfile\": \"p\", \"oomScoreAdj\": 9, "
			     "\"rlimits\": [{\"type\": \"RLIMIT_CORE\", \"soft\": 1, \"hard\": 2}]");
	(void)state;
	proc.args = args;
	proc.n_args = 1;
	proc.env = env;
	proc.cwd = root;
	assert_int_equal(plan_exec(&t.a, t.spec, &proc, &t.f, &t.o, &p, &t.e), 0);
	assert_int_equal(p->kind, PLAN_EXEC);
	assert_true(p->new_ns == 0);
	assert_false(p->own_user_ns);
	assert_true(p->root_is_mapped);
	assert_null(p->rootfs);
	assert_int_equal(p->n_steps, 0);
	assert_true(p->process.caps.permitted == 1ull << CAP_KILL);
	assert_string_equal(p->process.apparmor, "p");
	assert_int_equal(p->process.n_rlimits, 1);
	assert_int_equal(p->process.oom_score_adj, 9);
	assert_false(p->process.make_cwd);
	proc.user.uid = 10; /* the map ends at 9 */
	assert_true(plan_exec(&t.a, t.spec, &proc, &t.f, &t.o, &p, &t.e) < 0);
}

/* ---- words -------------------------------------------------------------- */

static void test_words(void **state)
{
	static const struct {
		struct fs_step s;
		const char *words;
	} cases[] = {
		{ { .op = FS_MOUNT, .fstype = "proc", .target = "/proc" }, "mount 'proc' on '/proc'" },
		{ { .op = FS_BIND, .source = "/srv/x", .target = "/mnt" }, "bind '/srv/x' on '/mnt'" },
		{ { .op = FS_NODE, .target = "/dev/null" }, "create device '/dev/null'" },
		{ { .op = FS_MASK, .target = "/proc/kcore" }, "mask '/proc/kcore'" },
		{ { .op = FS_READONLY, .target = "/proc/sys" }, "make '/proc/sys' read-only" },
		{ { .op = FS_REMOUNT, .target = "/", .flags = MS_RDONLY }, "remount '/' read-only" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(plan_step_words(&cases[i].s, buf, sizeof buf), cases[i].words);
	plan_step_words(&cases[0].s, buf, 8);
	assert_string_equal(buf, "mount '");
}

static void test_print(void **state)
{
	OWN_SB struct sb text = SB_INIT, json = SB_INIT;
	struct json_doc doc;
	PLAN(.process = "\"args\": [\"a\\nb\"], \"cwd\": \"/\", \"env\": [\"X=\\u001b[31m\"]",
	     .mounts = CGROUP_MOUNT("\"ro\""));
	(void)state;
	plan_print(t.plan, &text);
	assert_false(text.failed);
	assert_null(strchr(text.s, '\033'));
	assert_non_null(strstr(text.s, "execute: 'a\\x0ab'\n"));
	plan_print_json(t.plan, &json);
	assert_false(json.failed);
	assert_int_equal(json_parse(&t.a, json.s, json.len, "plan", &doc, &t.e), 0);
	assert_string_equal(json_string(json_get(doc.root, "id"), ""), "c1");
	assert_string_equal(json_string(json_at(json_get(json_get(doc.root, "process"), "args"), 0), ""),
			    "a\nb");
}

/* ---- facts -------------------------------------------------------------- */

static void test_kernel_version(void **state)
{
	struct host_facts f = { 0 };

	(void)state;
	assert_int_equal(host_facts_kernel(&f, "5.10.0-28-amd64"), 0);
	assert_int_equal(f.kernel_major, 5);
	assert_int_equal(f.kernel_minor, 10);
	assert_int_equal(host_facts_kernel(&f, "6.18"), 0);
	assert_true(host_facts_kernel(&f, "six") < 0);
	assert_true(host_facts_kernel(&f, "6") < 0);
	assert_true(host_facts_kernel(&f, "6.") < 0);
}

static void test_facts_of_this_host(void **state)
{
	struct spec_linux linux_part = { .ns[NS_TIME].present = true };
	const struct spec s = { .linux = &linux_part };
	const struct spec_process exec = { 0 };
	struct host_facts f;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(host_facts_read(&f, &s, NULL, NULL, false, &e), 0);
	assert_int_equal(f.has_time_ns, access("/proc/self/ns/time", F_OK) == 0);
	assert_int_equal(f.has_kcore, access("/proc/kcore", F_OK) == 0);
	assert_true(f.kernel_major >= 5);
	assert_true(f.last_cap >= CAP_AUDIT_READ);
	assert_int_equal(f.privileged, geteuid() == 0);
	assert_int_equal(host_facts_read(&f, &s, &exec, NULL, true, &e), 0);
	assert_false(f.privileged);
	assert_false(f.has_time_ns); /* not what an exec needs to know */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_joined_network_stays_as_it_is),
		cmocka_unit_test(test_joined_user_ns_order),
		cmocka_unit_test(test_user_ns),
		cmocka_unit_test(test_user_ns_of_one),
		cmocka_unit_test(test_user_ns_refused),
		cmocka_unit_test(test_time_ns),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_in_user_ns),
		cmocka_unit_test(test_idmap),
		cmocka_unit_test(test_tmpfs),
		cmocka_unit_test(test_proc_and_sys),
		cmocka_unit_test(test_refused_mounts),
		cmocka_unit_test(test_mount_label),
		cmocka_unit_test(test_cgroup_v1),
		cmocka_unit_test(test_cgroup_v1_systemd),
		cmocka_unit_test(test_cgroup_v1_callers_own),
		cmocka_unit_test(test_cgroup_v1_unprivileged),
		cmocka_unit_test(test_cgroup_v2),
		cmocka_unit_test(test_default_devices),
		cmocka_unit_test(test_no_link_to_a_missing_kcore),
		cmocka_unit_test(test_bound_dev_is_left_alone),
		cmocka_unit_test(test_spec_devices),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_late_steps_in_order),
		cmocka_unit_test(test_propagation),
		cmocka_unit_test(test_without_mount_ns),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_process_settings),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_exec_takes_from_the_first),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_kernel_version),
		cmocka_unit_test(test_facts_of_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
