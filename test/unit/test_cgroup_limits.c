/* Limits: conversions, what is written where, and what an error names. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cgroup_devices.h"
#include "cgroup_fake.h"
#include "cgroup_limits.h"
#include "err.h"
#include "mem.h"
#include "spec.h"

/* ---- conversions ------------------------------------------------------ */

static void converts_shares(void **state)
{
	static const struct {
		uint64_t shares, weight;
	} t[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 2, 1 },
		{ 1024, 39 },
		{ 262143, 9999 },
		{ 262144, 10000 },
		{ 1u << 30, 10000 },
		{ 512, 20 },
		{ 2048, 79 },
		{ 102400, 3906 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(cgroup_weight_from_shares(t[i].shares), t[i].weight);
	for (uint64_t s = 2; s < 262144; s += 11)
		assert_true(cgroup_weight_from_shares(s) <= cgroup_weight_from_shares(s + 11));
}

static void converts_the_rest(void **state)
{
	static const struct {
		int64_t limit, swap; /* 0: not given */
		int64_t ret; /* -2: leave, -3: an error */
	} t[] = {
		{ 0, 0, -2 },
		{ 100, 0, -2 },
		{ -1, 0, -1 },
		{ 100, -1, -1 },
		{ 100, 100, 0 },
		{ 100, 250, 150 },
		{ 100, 50, -3 },
		{ 0, 50, -3 },
		{ -1, 50, -3 },
	};

	assert_int_equal(cgroup_io_weight_from_blkio(0), 0);
	assert_int_equal(cgroup_io_weight_from_blkio(10), 1);
	assert_int_equal(cgroup_io_weight_from_blkio(1000), 10000);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct spec_memory m = { .limit = t[i].limit, .swap = t[i].swap };
		int64_t swap = 0;
		bool set = false;
		struct err e;
		int r;

		m.has_limit = t[i].limit != 0;
		m.has_swap = t[i].swap != 0;
		r = cgroup_swap_from_memsw(&m, t[i].limit, &swap, &set, &e);
		if (t[i].ret == -3) {
			assert_true(r < 0);
			assert_non_null(strstr(e.msg, "/linux/resources/memory/swap"));
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(set, t[i].ret != -2);
		if (set)
			assert_int_equal(swap, t[i].ret);
	}
}

/* ---- v2 --------------------------------------------------------------- */

static void wrote(struct fake *f, const char *file, const char *want)
{
	const char *got = fake_get(f, file);

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s: '%s', not '%s'", file, got ? got : "(none)", want);
}

static void applies(struct fake *f, const struct spec_resources *r)
{
	struct err e = { 0 };

	if (cgroup_apply(&f->cg, r, false, &e) < 0)
		fail_msg("%s", e.msg);
}

static void refuses(struct fake *f, const struct spec_resources *r, const char *words)
{
	struct err e = { 0 };

	assert_true(cgroup_apply(&f->cg, r, false, &e) < 0);
	if (!strstr(e.msg, words))
		fail_msg("'%s' says nothing of '%s'", e.msg, words);
}

static void writes_v2(void **state)
{
	struct spec_weight_device wd = { 8, 0, true, false, 500, 0 };
	struct spec_throttle_device td = { 8, 16, 1048576 }, none = { 8, 16, 0 };
	struct spec_hugepage_limit huge = { (char *)"2MB", 4096 };
	struct spec_rdma rdma = { (char *)"mlx5_0", true, true, 3, 4 };
	struct kv unified = { (char *)"memory.high", (char *)"12345" };
	/* clang-format off */
	struct spec_resources r = {
		.memory = { .has_limit = true, .limit = 1000, .has_swap = true, .swap = 3000,
			    .has_reservation = true, .reservation = -1, .has_swappiness = true,
			    .swappiness = UINT64_MAX },
		.cpu = { .has_shares = true, .shares = 1024, .has_quota = true, .quota = 50000,
			 .has_period = true, .period = 100000, .has_burst = true, .burst = 7,
			 .has_idle = true, .idle = 0, .cpus = (char *)"0-1", .mems = (char *)"0" },
		.has_pids = true, .pids_limit = 42,
		.block_io = { .has_weight = true, .weight = 10, .weight_devices = &wd,
			      .n_weight_devices = 1,
			      .throttle = { [THROTTLE_READ_BPS] = &td },
			      .n_throttle = { [THROTTLE_READ_BPS] = 1 } },
		.hugepages = &huge, .n_hugepages = 1, .rdma = &rdma, .n_rdma = 1,
		.unified = &unified, .n_unified = 1,
	};
	/* clang-format on */
	struct fake f;

	fake_init(&f, CGROUP_V2);
	fake_touch(&f, "memory.max memory.swap.max memory.low memory.high cpu.weight cpu.max "
		       "cpu.max.burst cpu.idle cpuset.cpus cpuset.mems pids.max io.bfq.weight "
		       "io.max hugetlb.2MB.max hugetlb.2MB.rsvd.max rdma.max");
	applies(&f, &r);
	wrote(&f, "memory.max", "1000");
	wrote(&f, "memory.swap.max", "2000");
	wrote(&f, "memory.low", "max");
	wrote(&f, "memory.high", "12345");
	wrote(&f, "cpu.weight", "39");
	wrote(&f, "cpu.max", "50000 100000");
	wrote(&f, "cpu.max.burst", "7");
	wrote(&f, "cpu.idle", "0");
	wrote(&f, "cpuset.cpus", "0-1");
	wrote(&f, "pids.max", "42");
	wrote(&f, "io.bfq.weight", "8:0 500");
	wrote(&f, "io.max", "8:16 rbps=1048576");
	wrote(&f, "hugetlb.2MB.max", "4096");
	wrote(&f, "hugetlb.2MB.rsvd.max", "4096");
	wrote(&f, "rdma.max", "mlx5_0 hca_handle=3 hca_object=4");

	/* Without BFQ the other file with the other scale; rate 0 is no limit. */
	r.block_io.throttle[THROTTLE_READ_BPS] = NULL;
	r.block_io.n_throttle[THROTTLE_READ_BPS] = 0;
	r.block_io.throttle[THROTTLE_WRITE_IOPS] = &none;
	r.block_io.n_throttle[THROTTLE_WRITE_IOPS] = 1;
	r.block_io.n_weight_devices = 0;
	r.block_io.weight = 1000;
	remove(strcat(strcpy((char[128]){ 0 }, f.dir), "/io.bfq.weight"));
	fake_touch(&f, "io.weight io.max");
	r.pids_limit = 0;
	fake_touch(&f, "pids.max");
	applies(&f, &r);
	wrote(&f, "io.weight", "10000");
	wrote(&f, "io.max", "8:16 wiops=max");
	wrote(&f, "pids.max", "max");
	fake_done(&f);
}

/* As update does it. */
static void completes(struct fake *f, struct spec_resources *r)
{
	cgroup_complete(&f->cg, r);
	applies(f, r);
}

/* What an update gives a part of, the rest is read for. */
static void completes_v2(void **state)
{
	const struct spec_resources only_period = { .cpu = { .has_period = true, .period = 20000 } };
	struct spec_resources r = only_period;
	struct fake f;

	fake_init(&f, CGROUP_V2);
	fake_put(&f, "cpu.max", "50000 100000\n");
	completes(&f, &r);
	wrote(&f, "cpu.max", "50000 200000\n"); /* the 0 is left of the longer old line */
	fake_put(&f, "cpu.max", "max 100000");
	r = only_period;
	completes(&f, &r);
	wrote(&f, "cpu.max", "max 200000");
	r = (struct spec_resources){ .cpu = { .has_quota = true, .quota = 7000 } };
	completes(&f, &r);
	wrote(&f, "cpu.max", "7000 200000");
	r = (struct spec_resources){ .cpu = { .has_quota = true, .quota = -1 } };
	fake_put(&f, "cpu.max", "");
	completes(&f, &r);
	wrote(&f, "cpu.max", "max");
	r = (struct spec_resources){ .cpu = { .has_idle = true } };
	fake_put(&f, "cpu.idle", "0\n");
	completes(&f, &r);
	assert_false(r.cpu.has_idle);
	r = (struct spec_resources){ .memory = { .has_swap = true, .swap = 5000 } };
	fake_put(&f, "memory.max", "2000\n");
	fake_put(&f, "memory.swap.max", "");
	completes(&f, &r);
	wrote(&f, "memory.swap.max", "3000");
	/* Zeros are how clients say "leave it". */
	r = (struct spec_resources){ 0 };
	r.memory.has_limit = r.memory.has_swap = r.memory.has_reservation = true;
	r.cpu.has_shares = r.cpu.has_quota = r.cpu.has_period = r.cpu.has_rt_period = true;
	r.block_io.has_weight = true;
	r.cpu.cpus = (char *)"";
	fake_put(&f, "memory.max", "x");
	completes(&f, &r);
	wrote(&f, "memory.max", "x");
	fake_done(&f);
}

static void names_what_is_missing(void **state)
{
	struct spec_resources r = { .has_pids = true, .pids_limit = 5 };
	struct kv bad = { (char *)"../cgroup.procs", (char *)"0" };
	struct fake f;

	for (int mode = CGROUP_V1; mode <= CGROUP_V2; mode++) {
		fake_init(&f, mode);
		r = (struct spec_resources){ .has_pids = true, .pids_limit = 5 };
		refuses(&f, &r, "/linux/resources/pids/limit: the pids controller is not available");
		r.pids_limit = -1;
		applies(&f, &r);
		r = (struct spec_resources){ .memory = { .has_limit = true, .limit = 5 } };
		refuses(&f, &r, "/linux/resources/memory/limit: the memory controller is not");
		r = (struct spec_resources){ .cpu = { .cpus = (char *)"0" } };
		refuses(&f, &r, "/linux/resources/cpu/cpus: the cpuset controller is not available");
		fake_put(&f, "memory.current", "100");
		fake_put(&f, "memory.usage_in_bytes", "100");
		r = (struct spec_resources){ .memory = { .has_limit = true, .limit = 99 } };
		r.memory.check_before_update = true;
		refuses(&f, &r, "/linux/resources/memory/limit: 99 is below the current usage of 100");
		fake_done(&f);
	}
	fake_init(&f, CGROUP_V2);
	r = (struct spec_resources){ .cpu = { .has_rt_runtime = true, .rt_runtime = 1 } };
	refuses(&f, &r, "/linux/resources/cpu/realtimeRuntime: cgroup v2 has no such limit");
	r = (struct spec_resources){ .has_net_class_id = true, .net_class_id = 1 };
	refuses(&f, &r, "/linux/resources/network/classID");
	r = (struct spec_resources){ .unified = &bad, .n_unified = 1 };
	refuses(&f, &r, "/linux/resources/unified/");
	/* These move processes, or stop the container. */
	bad.key = (char *)"cgroup.procs";
	refuses(&f, &r, "/linux/resources/unified/cgroup.procs: must be");
	bad.key = (char *)"cgroup.freeze";
	refuses(&f, &r, "/linux/resources/unified/cgroup.freeze: must be");
	fake_done(&f);
	fake_init(&f, CGROUP_V1);
	refuses(&f, &r, "/linux/resources/unified: cgroup v1 has no such limit");
	fake_done(&f);
}

static void writes_v1(void **state)
{
	struct spec_throttle_device td = { 8, 16, 0 };
	struct spec_net_priority prio = { (char *)"eth0", 5 };
	/* clang-format off */
	struct spec_resources r = {
		.memory = { .has_limit = true, .limit = 1000, .has_swap = true, .swap = -1,
			    .has_reservation = true, .reservation = 500, .has_kernel = true,
			    .kernel = 10, .has_kernel_tcp = true, .kernel_tcp = 20,
			    .has_disable_oom_killer = true, .disable_oom_killer = true,
			    .has_swappiness = true, .swappiness = 60 },
		.cpu = { .has_rt_period = true, .rt_period = 11, .has_rt_runtime = true,
			 .rt_runtime = 12, .has_quota = true, .quota = -1 },
		.block_io = { .has_weight = true, .weight = 10, .has_leaf_weight = true,
			      .leaf_weight = 20, .throttle = { [THROTTLE_WRITE_BPS] = &td },
			      .n_throttle = { [THROTTLE_WRITE_BPS] = 1 } },
		.has_net_class_id = true, .net_class_id = 1048577,
		.net_priorities = &prio, .n_net_priorities = 1,
	};
	/* clang-format on */
	struct fake f;

	fake_init(&f, CGROUP_V1);
	fake_touch(&f, "memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes "
		       "memory.kmem.limit_in_bytes memory.kmem.tcp.limit_in_bytes memory.oom_control "
		       "memory.swappiness cpu.rt_period_us cpu.rt_runtime_us cpu.cfs_quota_us "
		       "blkio.bfq.weight blkio.leaf_weight blkio.throttle.write_bps_device "
		       "net_cls.classid net_prio.ifpriomap");
	applies(&f, &r);
	wrote(&f, "memory.limit_in_bytes", "1000");
	wrote(&f, "memory.memsw.limit_in_bytes", "-1");
	wrote(&f, "memory.soft_limit_in_bytes", "500");
	wrote(&f, "memory.kmem.limit_in_bytes", "10");
	wrote(&f, "memory.kmem.tcp.limit_in_bytes", "20");
	wrote(&f, "memory.oom_control", "1");
	wrote(&f, "memory.swappiness", "60");
	wrote(&f, "cpu.rt_period_us", "11");
	wrote(&f, "cpu.rt_runtime_us", "12");
	wrote(&f, "cpu.cfs_quota_us", "-1");
	wrote(&f, "blkio.bfq.weight", "10");
	wrote(&f, "blkio.leaf_weight", "20");
	wrote(&f, "blkio.throttle.write_bps_device", "8:16 0");
	wrote(&f, "net_cls.classid", "1048577");
	wrote(&f, "net_prio.ifpriomap", "eth0 5");
	fake_done(&f);
}

/* ---- devices ---------------------------------------------------------- */

#define RULE(allow, type, major, minor, acc)                                                   \
	{                                                                                      \
		allow, type, major, minor, strchr(acc, 'r') != NULL, strchr(acc, 'w') != NULL, \
			strchr(acc, 'm') != NULL                                               \
	}

/* As the kernel's v1 controller decides about one request. */
static bool v1_decides(const struct device_policy *p, char type, uint32_t major, uint32_t minor,
		       uint32_t access)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct device_exception *x = &p->list[i];

		if (x->type != type || (x->major >= 0 && x->major != major) ||
		    (x->minor >= 0 && x->minor != minor))
			continue;
		if (p->allow ? (access & x->access) != 0 : (access & ~x->access) == 0)
			return !p->allow;
	}
	return p->allow;
}

/* As much of the kernel's BPF machine as the program needs. */
static int run(const struct bpf_insn *p, size_t n, const uint32_t ctx[3])
{
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &p[pc];
		uint64_t src = i->code & BPF_X ? r[i->src_reg] : (uint64_t)(int64_t)i->imm;
		bool taken = false;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, 1);
			assert_true(i->off >= 0 && i->off <= 8 && i->off % 4 == 0);
			r[i->dst_reg] = ctx[i->off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = (uint32_t)src;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] = (uint32_t)(r[i->dst_reg] & src);
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] = (uint32_t)r[i->dst_reg] >> src;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
		case BPF_JMP32 | BPF_JNE | BPF_X:
			taken = (uint32_t)r[i->dst_reg] != (uint32_t)src;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			taken = (uint32_t)r[i->dst_reg] == (uint32_t)src;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			fail_msg("instruction %#x", i->code);
		}
		if (taken) {
			assert_true(i->off >= 0 && pc + 1 + (size_t)i->off < n);
			pc += (size_t)i->off;
		}
	}
	fail_msg("fell off the end");
	return -1;
}

static void program_agrees(const struct spec_device_rule *rules, size_t n)
{
	static const uint32_t numbers[] = { 0, 1, 3, 5, 136, 4095, 0x80000001 };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct device_policy p;
	struct bpf_insn *insns;
	struct err e;
	size_t len;

	assert_int_equal(device_policy_make(&a, rules, n, &p, &e), 0);
	assert_int_equal(device_policy_program(&a, &p, &insns, &len, &e), 0);
	for (int block = 0; block < 2; block++)
		for (uint32_t access = 1; access < 8; access++)
			for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
				for (size_t k = 0; k < ARRAY_SIZE(numbers); k++) {
					uint32_t type = block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
					uint32_t ctx[3] = { access << 16 | type, numbers[i], numbers[k] };

					assert_int_equal(run(insns, len, ctx),
							 v1_decides(&p, block ? 'b' : 'c', numbers[i],
								    numbers[k], access));
				}
}

static void programs_devices(void **state)
{
	const struct spec_device_rule list[] = {
		RULE(false, 'a', -1, -1, "rwm"),
		RULE(true, 'c', -1, -1, "m"),
		RULE(true, 'b', -1, -1, "m"),
		RULE(true, 'c', 1, 3, "rwm"),
		RULE(true, 'c', 136, -1, "rw"),
		RULE(true, 'c', -1, 5, "r"),
		RULE(true, 'b', 0x80000001, 0, "r"),
	};
	const struct spec_device_rule deny[] = {
		RULE(true, 'a', -1, -1, "rwm"),
		RULE(false, 'c', 1, 3, "w"),
		RULE(false, 'b', 5, -1, "rwm"),
	};

	for (size_t n = 0; n <= ARRAY_SIZE(list); n++)
		program_agrees(list, n);
	for (size_t n = 0; n <= ARRAY_SIZE(deny); n++)
		program_agrees(deny, n);
}

static void reduces_rules(void **state)
{
	const struct spec_device_rule t[] = {
		RULE(true, 'c', 9, 9, "rwm"),
		RULE(false, 'a', -1, -1, "rwm"),
		RULE(true, 'c', 1, 3, "r"),
		RULE(true, 'c', 1, 3, "w"),
		RULE(true, 'c', 1, 5, "rwm"),
		RULE(false, 'c', 1, 5, "m"),
		RULE(true, 'b', 8, -1, "rwm"),
		RULE(false, 'b', 8, -1, "rwm"),
		RULE(true, 'c', 7, 7, ""),
		RULE(false, 'c', 2, 2, "r"),
	};
	const struct spec_device_rule hole[] = {
		RULE(false, 'a', -1, -1, "rwm"),
		RULE(true, 'c', 1, -1, "rw"),
		RULE(false, 'c', 1, 3, "m"), /* nothing in common: fine */
		RULE(false, 'c', 1, 3, "w"),
	};
	OWN_ARENA struct arena a = ARENA_INIT;
	struct device_policy p;
	struct err e;

	assert_int_equal(device_policy_make(&a, t, ARRAY_SIZE(t), &p, &e), 0);
	assert_false(p.allow);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.list[0].access, DEVICE_READ | DEVICE_WRITE);
	assert_int_equal(p.list[1].minor, 5);
	assert_int_equal(p.list[1].access, DEVICE_READ | DEVICE_WRITE);
	assert_int_equal(device_policy_make(&a, hole, 3, &p, &e), 0);
	assert_int_equal(device_policy_make(&a, hole, 4, &p, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "/linux/resources/devices/3"));
}

/* ---- real ------------------------------------------------------------- */

/* The result of opening a device (by a node of its own) inside the cgroup. */
static int opens_inside(const struct cgroup *cg, dev_t dev, int flags)
{
	int fds[CGROUP_MAX_HIERARCHIES], n = cgroup_join_fds(cg, fds, NULL), status;
	char node[] = "/tmp/berth-node-XXXXXX";
	pid_t pid;

	assert_true(n > 0);
	close(mkstemp(node));
	unlink(node);
	assert_int_equal(mknod(node, S_IFCHR | 0600, dev), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			if (write(fds[i], "0", 1) != 1)
				_exit(99);
		_exit(open(node, flags) < 0 ? errno : 0);
	}
	for (int i = 0; i < n; i++)
		close(fds[i]);
	waitpid(pid, &status, 0);
	unlink(node);
	return WEXITSTATUS(status);
}

static void enforces(const struct cgroup_host *host, const char *name)
{
	/* clang-format off */
	struct spec_device_rule list[] = {
		RULE(false, 'a', -1, -1, "rwm"), RULE(true, 'c', 1, 3, "rwm"),
		RULE(true, 'c', 1, 5, "r"),
	};
	/* clang-format on */
	struct spec_resources r = { .devices = list, .n_devices = ARRAY_SIZE(list) };
	struct cgroup cg, again;
	struct err e = { 0 };
	char path[128];

	snprintf(path, sizeof path, "/berth-test/unit-%s-%d", name, (int)getpid());
	assert_int_equal(cgroup_create(&cg, host, path, &e), 0);
	if (cgroup_apply(&cg, &r, true, &e) < 0) {
		cgroup_destroy(&cg, 2000, NULL);
		fail_msg("%s (%d)", e.msg, e.sys);
	}
	assert_int_equal(opens_inside(&cg, makedev(1, 3), O_RDWR), 0);
	assert_int_equal(opens_inside(&cg, makedev(1, 5), O_RDONLY), 0);
	assert_int_equal(opens_inside(&cg, makedev(1, 5), O_RDWR), EPERM);
	assert_int_equal(opens_inside(&cg, makedev(1, 7), O_RDONLY), EPERM);
	/* An update replaces: the new rules hold, the old ones are gone. */
	assert_int_equal(cgroup_open(&again, host, path, &e), 0);
	list[1].minor = 7;
	r.n_devices = 2;
	if (cgroup_apply(&again, &r, true, &e) < 0)
		fail_msg("%s (%d)", e.msg, e.sys);
	assert_int_equal(opens_inside(&cg, makedev(1, 7), O_RDONLY), 0);
	assert_int_equal(opens_inside(&cg, makedev(1, 3), O_RDONLY), EPERM);
	list[0].allow = true;
	r.n_devices = 1;
	assert_int_equal(cgroup_apply(&again, &r, true, &e), 0);
	assert_int_equal(opens_inside(&cg, makedev(1, 3), O_RDONLY), 0);
	assert_int_equal(cgroup_destroy(&cg, 2000, &e), 0);
	cgroup_done(&again);
	cgroup_done(&cg);
}

static void enforces_devices(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host host, v2 = { .mode = CGROUP_V2, .n = 1 };

	if (geteuid() != 0 || cgroup_host_read(&host, &a, NULL) < 0 || host.mode != CGROUP_V1)
		skip();
	enforces(&host, "v1");
	if (access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) < 0)
		skip();
	v2.h[0].controllers = (char *)"";
	v2.h[0].mountpoint = (char *)"/sys/fs/cgroup/unified";
	v2.v2_controllers = (char *)"";
	enforces(&v2, "v2");
}

static void v1_kernel_agrees(void **state)
{
	/* clang-format off */
	struct spec_resources r = {
		.memory = { .has_limit = true, .limit = 32 << 20, .has_swap = true,
			    .swap = 64 << 20 },
		.cpu = { .has_shares = true, .shares = 512, .has_quota = true, .quota = 50000,
			 .has_period = true, .period = 50000, .cpus = (char *)"0" },
	};
	/* clang-format on */
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host host;
	struct err e = { 0 };
	struct cgroup cg;
	uint64_t v;
	char path[128];

	if (geteuid() != 0 || cgroup_host_read(&host, &a, NULL) < 0 || host.mode != CGROUP_V1)
		skip();
	snprintf(path, sizeof path, "/berth-test/unit-limits-%d", (int)getpid());
	assert_int_equal(cgroup_create(&cg, &host, path, &e), 0);
	if (cgroup_apply(&cg, &r, false, &e) < 0)
		fail_msg("%s (%d)", e.msg, e.sys);
	/* Growing both, then shrinking both: the order has to turn around. */
	r.memory.limit = 96 << 20;
	r.memory.swap = 128 << 20;
	assert_int_equal(cgroup_apply(&cg, &r, false, &e), 0);
	r.memory.limit = 16 << 20;
	r.memory.swap = 16 << 20;
	assert_int_equal(cgroup_apply(&cg, &r, false, &e), 0);
	assert_int_equal(limit_read(&cg, "memory", "memory.memsw.limit_in_bytes", &v), 0);
	assert_int_equal(v, 16 << 20);
	/* Unlimited memory takes swap along. */
	r = (struct spec_resources){ .memory = { .has_limit = true, .limit = -1 } };
	assert_int_equal(cgroup_apply(&cg, &r, false, &e), 0);
	assert_int_equal(limit_read(&cg, "memory", "memory.memsw.limit_in_bytes", &v), 0);
	assert_true(v > (uint64_t)1 << 60);
	/* A shorter period with a smaller quota, which fits only in one order. */
	r = (struct spec_resources){ .cpu = { .has_quota = true, .quota = 2000, .has_period = true, .period = 2000 } };
	assert_int_equal(cgroup_apply(&cg, &r, false, &e), 0);
	/* What the kernel refuses is named. */
	r = (struct spec_resources){ .cpu = { .cpus = (char *)"999" } };
	assert_true(cgroup_apply(&cg, &r, false, &e) < 0);
	assert_non_null(strstr(e.msg, "/linux/resources/cpu/cpus: write '999' to cpuset.cpus"));
	r = (struct spec_resources){ .cpu = { .has_shares = true, .shares = 1 } };
	assert_true(cgroup_apply(&cg, &r, false, &e) < 0);
	assert_non_null(strstr(e.msg, "the minimum allowed is 2"));
	r = (struct spec_resources){ .memory = { .has_kernel = true, .kernel = 1 << 20 } };
	assert_int_equal(cgroup_apply(&cg, &r, false, &e), 0);
	assert_int_equal(cgroup_destroy(&cg, 100, &e), 0);
	cgroup_done(&cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts_shares),
		cmocka_unit_test(converts_the_rest),
		cmocka_unit_test(writes_v2),
		cmocka_unit_test(completes_v2),
		cmocka_unit_test(writes_v1),
		cmocka_unit_test(names_what_is_missing),
		cmocka_unit_test(reduces_rules),
		cmocka_unit_test(programs_devices),
		cmocka_unit_test(enforces_devices),
		cmocka_unit_test(v1_kernel_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
