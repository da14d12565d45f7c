/* What good config.json files become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "err.h"
#include "fd.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

static const char *path_of(char *buf, size_t cap, const char *name)
{
	const char *source = getenv("BERTH_SOURCE");

	snprintf(buf, cap, "%s/test/golden/configs/%s", source ? source : ".", name);
	return buf;
}

static size_t read_config(const char *name, char *buf, size_t cap)
{
	char path[4096];
	OWN_FD fd = open(path_of(path, sizeof path, name), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = fd_read_all(fd, buf, cap);
	assert_true(n > 0);
	return (size_t)n;
}

static struct spec *parse(struct arena *a, const char *text, size_t len)
{
	struct spec *spec = NULL;
	struct err e = { 0 };

	if (spec_parse(a, text, len, "config.json", NULL, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	return spec;
}

static struct spec *parse_file(struct arena *a, const char *name)
{
	static char text[65536];

	return parse(a, text, read_config(name, text, sizeof text));
}

/* ---- every field ------------------------------------------------------ */

static void check_process(const struct spec_process *p)
{
	assert_true(p->terminal && p->has_console_size && p->no_new_privileges);
	assert_int_equal(p->console_height, 25);
	assert_int_equal(p->console_width, 80);
	assert_int_equal(p->user.uid, 1000);
	assert_int_equal(p->user.gid, 1001);
	assert_true(p->user.has_umask);
	assert_int_equal(p->user.umask, 077);
	assert_int_equal(p->user.n_additional_gids, 2);
	assert_int_equal(p->user.additional_gids[1], 6);
	assert_int_equal(p->n_args, 3);
	assert_string_equal(p->args[2], "echo hi");
	assert_null(p->args[3]);
	assert_int_equal(p->n_env, 2);
	assert_string_equal(p->env[1], "EMPTY=");
	assert_string_equal(p->cwd, "/home");
	assert_true(p->capabilities->set[CAP_SET_BOUNDING] == ((1ull << CAP_CHOWN) | (1ull << CAP_CHECKPOINT_RESTORE)));
	assert_true(p->capabilities->set[CAP_SET_EFFECTIVE] == 1ull << CAP_CHOWN);
	assert_true(p->capabilities->set[CAP_SET_INHERITABLE] == 0);
	assert_true(p->capabilities->set[CAP_SET_PERMITTED] == ((1ull << CAP_CHOWN) | (1ull << CAP_KILL)));
	assert_true(p->capabilities->set[CAP_SET_AMBIENT] == 1ull << CAP_KILL);
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_CORE);
	assert_true(p->rlimits[0].soft == 0 && p->rlimits[0].hard == UINT64_MAX);
	assert_string_equal(p->apparmor_profile, "acme_secure_profile");
	assert_true(p->has_oom_score_adj && p->oom_score_adj == -100);
	assert_int_equal(p->scheduler->policy, 6);
	assert_int_equal(p->scheduler->flags, 3);
	assert_true(p->scheduler->runtime == 1000 && p->scheduler->deadline == 2000 && p->scheduler->period == 3000);
	assert_int_equal(p->io_priority->class, 2);
	assert_int_equal(p->io_priority->priority, 4);
	assert_string_equal(p->cpu_affinity_initial, "7");
	assert_string_equal(p->cpu_affinity_final, "0-3,7");
	assert_non_null(p->selinux_label);
}

static void check_mounts(const struct spec *s)
{
	const struct spec_mount *m = s->mounts;

	assert_int_equal(s->n_mounts, 4);
	assert_string_equal(m[0].type, "proc");
	assert_null(m[0].data);
	assert_non_null(m[0].options);
	assert_true(m[1].flags == (MS_NOSUID | MS_STRICTATIME));
	assert_string_equal(m[1].data, "mode=755,size=65536k");
	assert_true(m[1].tmpcopyup && !m[1].is_bind);
	assert_int_equal(m[1].n_options, 6);
	assert_string_equal(m[2].destination, "/data");
	assert_true(m[2].is_bind && m[2].recursive && m[2].ridmap && !m[2].idmap);
	assert_true(m[2].flags == MS_RDONLY);
	assert_int_equal(m[2].n_propagation, 1);
	assert_true(m[2].propagation[0] == (MS_PRIVATE | MS_REC));
	assert_true(m[2].rec_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME));
	assert_true(m[2].rec_clear == (MOUNT_ATTR__ATIME | MOUNT_ATTR_NOSUID));
	assert_int_equal(m[2].n_uid_maps, 1);
	assert_int_equal(m[2].gid_maps[0].host_id, 1000);
	assert_true(m[3].is_bind && !m[3].recursive);
	assert_true(m[3].flags == 0 && m[3].cleared == MS_RDONLY);
	assert_int_equal(s->n_warnings, 1);
	assert_string_equal(s->warnings[0], "mount destination 'data' is not absolute: '/data' is taken");
}

static void check_hooks(const struct spec_hooks *h)
{
	assert_int_equal(h->n[HOOK_PRESTART], 1);
	assert_string_equal(h->list[HOOK_PRESTART][0].args[0], "/bin/a");
	assert_int_equal(h->list[HOOK_PRESTART][0].n_args, 1);
	assert_null(h->list[HOOK_PRESTART][0].env);
	assert_int_equal(h->list[HOOK_PRESTART][0].timeout, 0);
	assert_string_equal(h->list[HOOK_CREATE_RUNTIME][0].args[1], "-x");
	assert_int_equal(h->list[HOOK_CREATE_RUNTIME][0].timeout, 30);
	assert_int_equal(h->n[HOOK_CREATE_CONTAINER], 1);
	assert_int_equal(h->n[HOOK_START_CONTAINER], 2);
	assert_int_equal(h->n[HOOK_POSTSTART], 0);
	assert_string_equal(h->list[HOOK_POSTSTOP][0].path, "/bin/f");
}

static void check_resources(const struct spec_resources *r)
{
	assert_int_equal(r->n_devices, 3);
	assert_true(r->devices[0].type == 'a' && r->devices[0].major == -1 && r->devices[0].minor == -1);
	assert_true(r->devices[0].read && r->devices[0].write && r->devices[0].mknod && !r->devices[0].allow);
	assert_true(r->devices[1].type == 'c' && r->devices[1].allow && !r->devices[1].mknod);
	assert_true(r->devices[2].major == 8 && r->devices[2].minor == -1);
	assert_true(r->memory.has_limit && r->memory.limit == 536870912);
	assert_true(r->memory.has_swap && r->memory.swap == -1);
	assert_false(r->memory.has_kernel); /* 0 */
	assert_true(r->memory.has_kernel_tcp && r->memory.has_swappiness && r->memory.swappiness == 0);
	assert_true(r->memory.has_disable_oom_killer && !r->memory.disable_oom_killer);
	assert_true(r->memory.use_hierarchy && r->memory.check_before_update);
	assert_true(r->cpu.shares == 1024 && r->cpu.quota == 1000000 && r->cpu.burst == 1000000);
	assert_true(r->cpu.period == 500000 && r->cpu.rt_runtime == 950000 && r->cpu.rt_period == 1000000);
	assert_true(r->cpu.has_idle && r->cpu.idle == 0);
	assert_string_equal(r->cpu.cpus, "2-3");
	assert_string_equal(r->cpu.mems, "0-7");
	assert_true(r->has_pids && r->pids_limit == 32771);
	assert_true(r->block_io.weight == 10 && r->block_io.leaf_weight == 20);
	assert_int_equal(r->block_io.n_weight_devices, 2);
	assert_false(r->block_io.weight_devices[1].has_leaf_weight);
	for (unsigned i = 0; i < THROTTLE_COUNT; i++) {
		assert_int_equal(r->block_io.n_throttle[i], 1);
		assert_int_equal(r->block_io.throttle[i][0].rate, 600 + i);
	}
	assert_int_equal(r->n_hugepages, 2);
	assert_string_equal(r->hugepages[1].page_size, "64KB");
	assert_true(r->has_net_class_id && r->net_class_id == 1048577);
	assert_string_equal(r->net_priorities[0].name, "eth0");
	assert_int_equal(r->n_rdma, 2);
	assert_true(r->rdma[0].has_hca_handles && r->rdma[0].hca_objects == 10000 && !r->rdma[1].has_hca_handles);
	assert_int_equal(r->n_unified, 2);
	assert_string_equal(r->unified[1].key, "hugetlb.1GB.max");
}

static void check_seccomp(const struct spec_seccomp *s)
{
	assert_int_equal(s->default_action, SCMP_ACT_ERRNO(0));
	assert_true(s->has_default_errno && s->default_errno == 38);
	assert_int_equal(s->n_arches, 3);
	assert_int_equal(s->arches[2], SCMP_ARCH_X32);
	assert_true(s->has_flags && s->flags == 6);
	assert_string_equal(s->listener_path, "/run/seccomp.sock");
	assert_string_equal(s->listener_metadata, "meta");
	assert_int_equal(s->n_syscalls, 5);
	assert_int_equal(s->syscalls[1].args[0].op, SCMP_CMP_MASKED_EQ);
	assert_true(s->syscalls[1].args[0].value == UINT64_MAX && s->syscalls[1].args[0].value_two == 2);
	assert_int_equal(s->syscalls[2].action, SCMP_ACT_NOTIFY);
	assert_true(s->syscalls[3].has_errno && s->syscalls[3].errno_ret == 38);
	assert_false(s->syscalls[0].has_errno);
	assert_true(str_starts(s->canonical, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"arch"));
}

static void check_linux(const struct spec_linux *l)
{
	for (int i = 0; i < NS_COUNT; i++)
		assert_true(l->ns[i].present);
	assert_string_equal(l->ns[NS_PID].path, "/proc/1234/ns/pid");
	assert_null(l->ns[NS_IPC].path);
	assert_int_equal(l->n_uid_maps, 2);
	assert_int_equal(l->gid_maps[0].size, 65536);
	assert_true(l->monotonic.present && l->monotonic.secs == 172800 && l->monotonic.nanosecs == 5);
	assert_true(l->boottime.present && l->boottime.secs == -604800);
	assert_int_equal(l->n_devices, 3);
	assert_true(l->devices[0].has_mode && l->devices[0].mode == 0666 && l->devices[0].has_uid);
	assert_true(l->devices[1].type == 'p' && l->devices[1].mode == 0600); /* 010600 */
	assert_true(l->devices[2].type == 'c' && !l->devices[2].has_mode && !l->devices[2].has_gid);
	assert_string_equal(l->cgroups_path, "/myRuntime/myContainer");
	assert_string_equal(l->intel_rdt->clos_id, "guaranteed_group");
	assert_true(l->intel_rdt->enable_cmt && l->intel_rdt->enable_mbm);
	assert_int_equal(l->n_sysctl, 6);
	assert_string_equal(l->sysctl[0].key, "net/ipv4/ip_forward");
	assert_string_equal(l->sysctl[1].key, "net/ipv4/conf/eth0.1/rp_filter");
	assert_string_equal(l->sysctl[2].key, "net/ipv4/conf/eth0.2/rp_filter");
	assert_true(l->rootfs_propagation == (MS_SLAVE | MS_REC));
	assert_int_equal(l->n_masked_paths, 2);
	assert_int_equal(l->n_readonly_paths, 1);
	assert_non_null(l->mount_label);
	assert_int_equal(l->personality->domain, PER_LINUX32);
}

static void test_full(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct spec *s = parse_file(&a, "full.json");

	(void)state;
	assert_string_equal(s->oci_version, "1.2.0");
	assert_string_equal(s->root_path, "rootfs");
	assert_true(s->root_readonly);
	assert_string_equal(s->hostname, "full");
	assert_string_equal(s->domainname, "example.org");
	assert_int_equal(s->n_annotations, 2);
	assert_false(s->builtin_init);
	assert_string_equal(s->annotations[1].key, "with/slash");
	check_process(s->process);
	check_mounts(s);
	check_hooks(&s->hooks);
	check_resources(s->linux->resources);
	check_linux(s->linux);
	check_seccomp(s->linux->seccomp);
}

/* ---- what others write ------------------------------------------------ */

static void test_docker(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct spec *s = parse_file(&a, "docker.json");

	(void)state;
	assert_int_equal(s->n_mounts, 12);
	assert_false(s->linux->resources->cpu.has_shares);
	assert_true(s->linux->resources->cpu.quota == 50000);
	assert_false(s->linux->resources->block_io.has_weight);
	assert_int_equal(s->hooks.n[HOOK_PRESTART], 1);
	assert_int_equal(s->linux->seccomp->n_syscalls, 12);
	assert_int_equal(s->linux->n_sysctl, 3);
	assert_true(s->process->user.uid == 1000 && s->process->user.n_additional_gids == 2);
}

static void test_podman(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct spec *s = parse_file(&a, "podman.json");

	(void)state;
	assert_true(s->process->user.has_umask && s->process->user.umask == 022);
	assert_int_equal(s->linux->resources->pids_limit, 50);
	assert_true(s->mounts[1].tmpcopyup);
	assert_int_equal(s->linux->seccomp->default_errno, 38);
	assert_int_equal(s->n_warnings, 0);
}

static void test_containerd(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct spec *s = parse_file(&a, "containerd.json");

	(void)state;
	assert_string_equal(s->process->args[0], "/pause");
	assert_string_equal(s->linux->cgroups_path, "/default");
	assert_null(s->linux->seccomp);
}

static void test_runc(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct spec *s = parse_file(&a, "runc.json");

	(void)state;
	assert_true(s->process->terminal && s->root_readonly);
	assert_int_equal(s->n_mounts, 7);
	s = parse_file(&a, "runc-rootless.json");
	assert_int_equal(s->linux->n_uid_maps, 1);
	assert_true(s->linux->ns[NS_USER].present && !s->linux->ns[NS_NETWORK].present);
	assert_non_null(s->linux->resources);
}

/* ---- leniency --------------------------------------------------------- */

static const char *const accepted[] = {
	"{\"ociVersion\":\"1.0.0\"}",
	"{\"ociVersion\":\"1.0.2-dev\"}",
	"{\"ociVersion\":\"1.0.0-rc5+dev.3\"}",
	"{\"ociVersion\":\"1.1.0+dev\"}",
	"{\"ociVersion\":\"1.3.0\"}",
	"{\"ociVersion\":\"1.0.0\",\"process\":null,\"linux\":null,\"mounts\":null,\"hooks\":null,\"root\":null}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":null,\"seccomp\":null,\"namespaces\":null}}",
	"{\"ociVersion\":\"1.0.0\",\"windows\":null,\"vm\":null}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"netDevices\":{},\"memoryPolicy\":null}}",
	"{\"ociVersion\":\"1.0.0\",\"unknown\":{\"a\":[1,2]},\"linux\":{\"unknown\":1}}",
	"{\"ociVersion\":\"1.0.0\",\"hostname\":\"\",\"domainname\":\"\"}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":{\"devices\":[{\"allow\":false}]}}}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":{\"cpu\":{\"cpus\":\"\",\"mems\":\"0,2,4-9\"}}}}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":{\"network\":{},\"rdma\":{},\"unified\":{}}}}",
	/* joined user namespaces bring their own maps */
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}]}}",
	/* a listener nobody uses */
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"seccomp\":"
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}}}",
	"{\"ociVersion\":\"1.0.0\",\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":\"/x\"}]},"
	"\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"idmap\"]}]}",
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		const struct spec *s = parse(&a, accepted[i], strlen(accepted[i]));

		assert_non_null(s->linux);
		assert_non_null(s->linux->resources);
	}
}

static void test_absent(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const char text[] =
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"apparmorProfile\":\"\","
		"\"selinuxLabel\":\"\",\"env\":null},"
		"\"linux\":{\"cgroupsPath\":\"\",\"mountLabel\":\"\",\"rootfsPropagation\":\"\"}}";
	const struct spec *s = parse(&a, text, sizeof text - 1);

	(void)state;
	assert_null(s->root_path);
	assert_null(s->hostname);
	assert_null(s->process->apparmor_profile);
	assert_null(s->process->selinux_label);
	assert_null(s->process->capabilities);
	assert_null(s->process->scheduler);
	assert_false(s->process->has_oom_score_adj || s->process->has_console_size || s->process->user.has_umask);
	assert_non_null(s->process->env);
	assert_null(s->process->env[0]);
	assert_null(s->linux->cgroups_path);
	assert_null(s->linux->mount_label);
	assert_true(s->linux->rootfs_propagation == 0);
	assert_null(s->linux->seccomp);
	assert_null(s->linux->personality);
	assert_false(s->linux->resources->has_pids || s->linux->resources->memory.has_limit);
}

/* ---- mount options ---------------------------------------------------- */

static const struct {
	const char *options; /* JSON */
	unsigned long flags, cleared;
	uint64_t rec_set, rec_clear;
	const char *data;
} options[] = {
	{ "[]", 0, 0, 0, 0, NULL },
	{ "[\"\"]", 0, 0, 0, 0, NULL },
	{ "[\"ro\",\"nosuid\",\"nodev\",\"noexec\"]", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0, 0, 0, NULL },
	{ "[\"ro\",\"rw\"]", 0, MS_RDONLY, 0, 0, NULL },
	{ "[\"rw\",\"ro\"]", MS_RDONLY, 0, 0, 0, NULL },
	{ "[\"rbind\",\"remount\"]", MS_REMOUNT, 0, 0, 0, NULL },
	{ "[\"suid\",\"dev\",\"exec\",\"async\",\"atime\"]", 0,
	  MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOATIME, 0, 0, NULL },
	{ "[\"sync\",\"dirsync\",\"mand\",\"silent\",\"iversion\",\"lazytime\",\"acl\",\"nosymfollow\"]",
	  MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK | MS_SILENT | MS_I_VERSION | (1 << 25) | MS_POSIXACL |
		  MS_NOSYMFOLLOW,
	  0, 0, 0, NULL },
	{ "[\"rro\",\"rnosuid\",\"rnodev\",\"rnoexec\",\"rnodiratime\",\"rnosymfollow\"]", 0, 0,
	  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME |
		  MOUNT_ATTR_NOSYMFOLLOW,
	  0, NULL },
	{ "[\"rrw\",\"rsuid\",\"rdev\",\"rexec\",\"rdiratime\",\"rsymfollow\"]", 0, 0, 0,
	  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME |
		  MOUNT_ATTR_NOSYMFOLLOW,
	  NULL },
	{ "[\"rro\",\"rrw\"]", 0, 0, 0, MOUNT_ATTR_RDONLY, NULL },
	{ "[\"rrw\",\"rro\"]", 0, 0, MOUNT_ATTR_RDONLY, 0, NULL },
	{ "[\"rnoatime\"]", 0, 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, NULL },
	{ "[\"rstrictatime\",\"rrelatime\"]", 0, 0, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME, NULL },
	{ "[\"rnoatime\",\"ratime\"]", 0, 0, 0, MOUNT_ATTR__ATIME, NULL },
	{ "[\"mode=755\",\"ro\",\"size=1k\",\"defaults\",\"uid=0\"]", MS_RDONLY, 0, 0, 0, "mode=755,size=1k,uid=0" },
	{ "[\"a,b\",\"RO\"]", 0, 0, 0, 0, "a,b,RO" },
};

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		const char *text = arena_printf(&a,
						"{\"ociVersion\":\"1.0.0\",\"mounts\":[{\"destination\":\"/a\","
						"\"source\":\"/b\",\"options\":%s}]}",
						options[i].options);
		const struct spec_mount *m = parse(&a, text, strlen(text))->mounts;

		assert_int_equal(m->flags, options[i].flags);
		assert_int_equal(m->cleared, options[i].cleared);
		assert_int_equal(m->rec_set, options[i].rec_set);
		assert_int_equal(m->rec_clear, options[i].rec_clear);
		if (options[i].data)
			assert_string_equal(m->data, options[i].data);
		else
			assert_null(m->data);
	}
}

static const struct {
	const char *written, *taken;
} destinations[] = {
	{ "/a/../b", "/a/../b" }, /* absolute: the kernel's business, as in runc */
	{ "a", "/a" },
	{ "a/b/", "/a/b" },
	{ "./a//b", "/a/b" },
	{ "..", "/" },
	{ "../../a", "/a" },
	{ "a/../..", "/" },
	{ ".", "/" },
	{ "a/./b/../c", "/a/c" },
	{ "...", "/..." },
};

static void test_destinations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		const char *text = arena_printf(&a, "{\"ociVersion\":\"1.0.0\",\"mounts\":[{\"destination\":\"%s\"}]}",
						destinations[i].written);
		const struct spec *s = parse(&a, text, strlen(text));

		assert_string_equal(s->mounts[0].destination, destinations[i].taken);
		assert_int_equal(s->n_warnings, destinations[i].written[0] != '/');
	}
}

/* ---- sections, memory ------------------------------------------------- */

static void test_sections(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static const char process[] = "{\"args\":[\"ps\"],\"cwd\":\"/\",\"user\":{\"uid\":5}}";
	static const char resources[] = "{\"memory\":{\"limit\":0,\"swap\":-1},\"pids\":{\"limit\":-1}}";
	static const char mount[] = "{\"destination\":\"a/../b/\",\"source\":\"/\",\"options\":[\"rbind\",\"ro\"]}";
	struct spec_process *p;
	struct spec_resources *r;
	struct spec_mount *m;

	(void)state;
	assert_int_equal(spec_parse_process(&a, process, sizeof process - 1, "p", &p, NULL), 0);
	assert_string_equal(p->args[0], "ps");
	assert_true(p->user.uid == 5 && p->user.gid == 0);
	assert_int_equal(spec_parse_mount(&a, mount, sizeof mount - 1, "m", &m, NULL), 0);
	assert_string_equal(m->destination, "/b");
	assert_true(m->is_bind && m->recursive && m->flags == MS_RDONLY);
	assert_int_equal(spec_parse_resources(&a, resources, sizeof resources - 1, "r", &r, NULL), 0);
	assert_true(!r->memory.has_limit && r->memory.has_swap && r->has_pids && r->pids_limit == -1);
}

/* Whatever the size at which memory ends: an error with words, no crash. */
static void test_no_memory(void **state)
{
	static char text[65536];
	size_t len = read_config("full.json", text, sizeof text);
	int failed = 0;

	(void)state;
	for (size_t max = 1; max < 65536; max += 64) {
		OWN_ARENA struct arena a = { .max = max };
		struct spec *spec = NULL;
		struct err e = { 0 };
		int r = spec_parse(&a, text, len, "config.json", NULL, &spec, &e);

		if (r == 0) {
			assert_true(failed > 100);
			return;
		}
		failed++;
		assert_int_equal(r, -ENOMEM);
		assert_true(e.msg[0]);
		assert_null(spec);
	}
	fail();
}

/* Every prefix of a good document is refused, and says why. */
static void test_truncated(void **state)
{
	static char text[65536];
	size_t len = read_config("full.json", text, sizeof text);

	(void)state;
	while (len && text[len - 1] != '}')
		len--;
	for (size_t n = 0; n < len; n += 7) {
		OWN_ARENA struct arena a = ARENA_INIT;
		OWN_STR cut = malloc(n + 1);
		struct spec *spec;
		struct err e = { 0 };

		memcpy(cut, text, n);
		assert_int_equal(spec_parse(&a, cut, n, "config.json", NULL, &spec, &e), -EINVAL);
		assert_true(str_starts(e.msg, "config.json:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_runc),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
