/* The metrics of a task, from made-up files: packed, and read back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cgroup_fake.h"
#include "cgroups_v1.pb-c.h"
#include "cgroups_v2.pb-c.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "metrics.h"
#include "str.h"

static ProtobufCMessage *read_back(const struct cgroup *cg, const ProtobufCMessageDescriptor *d)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	ProtobufCMessage *m;
	const char *type;
	uint8_t *data;
	struct err e;
	size_t len;

	if (metrics_read(cg, &a, &type, &data, &len, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(type, d->name);
	m = protobuf_c_message_unpack(d, NULL, len, data);
	assert_non_null(m);
	assert_int_equal(m->n_unknown_fields, 0);
	return m;
}

static Io__Containerd__Cgroups__V1__Metrics *v1_of(const struct cgroup *cg)
{
	return (void *)read_back(cg, &io__containerd__cgroups__v1__metrics__descriptor);
}

static Io__Containerd__Cgroups__V2__Metrics *v2_of(const struct cgroup *cg)
{
	return (void *)read_back(cg, &io__containerd__cgroups__v2__metrics__descriptor);
}

static void done(void *m)
{
	protobuf_c_message_free_unpacked(m, NULL);
}

/* memory.stat, where the line with number i has the value 1000 + i: `lines` in
 * the order of the message's fields, which are compared from `first` on. */
static void put_memory_stat(struct fake *f, const char *const *lines, size_t n)
{
	OWN_SB struct sb b = SB_INIT;

	/* Unknown ones and one that means something else in the message. */
	sb_puts(&b, "swap 77\nnew_line 78\nusage 79\npsi 80\n");
	for (size_t i = n; i-- > 0;)
		sb_printf(&b, "%s %zu\n", lines[i], 1001 + i);
	fake_put(f, "memory.stat", b.s);
}

static void check_memory_stat(const ProtobufCMessage *m, size_t n)
{
	for (uint32_t i = 1; i <= n; i++) {
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(m->descriptor, i);
		uint64_t value;

		memcpy(&value, (const char *)m + field->offset, sizeof value);
		if (value != 1000 + i)
			fail_msg("%s is %llu", field->name, (unsigned long long)value);
	}
}

/* ---- v1 --------------------------------------------------------------- */

static const char *const v1_lines[] = {
	"cache", "rss", "rss_huge", "mapped_file", "dirty", "writeback", "pgpgin", "pgpgout",
	"pgfault", "pgmajfault", "inactive_anon", "active_anon", "inactive_file", "active_file",
	"unevictable", "hierarchical_memory_limit", "hierarchical_memsw_limit", "total_cache",
	"total_rss", "total_rss_huge", "total_mapped_file", "total_dirty", "total_writeback",
	"total_pgpgin", "total_pgpgout", "total_pgfault", "total_pgmajfault", "total_inactive_anon",
	"total_active_anon", "total_inactive_file", "total_active_file", "total_unevictable",
};

static void check_entry(const Io__Containerd__Cgroups__V1__MemoryEntry *m, uint64_t usage, uint64_t max,
			uint64_t failcnt, uint64_t limit)
{
	assert_int_equal(m->usage, usage);
	assert_int_equal(m->max, max);
	assert_int_equal(m->failcnt, failcnt);
	assert_int_equal(m->limit, limit);
}

static void v1_memory(void **state)
{
	static const char *const kinds[] = { "", "memsw.", "kmem.", "kmem.tcp." };
	static const char *const files[] = { "usage_in_bytes", "max_usage_in_bytes", "failcnt" };
	Io__Containerd__Cgroups__V1__Metrics *m;
	char name[64], value[32];
	struct fake f;

	fake_init(&f, CGROUP_V1);
	put_memory_stat(&f, v1_lines, ARRAY_SIZE(v1_lines));
	for (int k = 0; k < 4; k++) {
		for (int i = 0; i < 3; i++) {
			snprintf(name, sizeof name, "memory.%s%s", kinds[k], files[i]);
			snprintf(value, sizeof value, "%d\n", 10 * (k + 1) + i);
			fake_put(&f, name, value);
		}
		snprintf(name, sizeof name, "memory.%slimit_in_bytes", kinds[k]);
		fake_put(&f, name, "9223372036854771712\n");
	}
	fake_put(&f, "memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 3\n");
	m = v1_of(&f.cg);
	check_memory_stat(&m->memory->base, ARRAY_SIZE(v1_lines));
	check_entry(m->memory->usage, 10, 11, 12, 9223372036854771712u);
	check_entry(m->memory->swap, 20, 21, 22, 9223372036854771712u);
	check_entry(m->memory->kernel, 30, 31, 32, 9223372036854771712u);
	check_entry(m->memory->kernel_tcp, 40, 41, 42, 9223372036854771712u);
	assert_int_equal(m->memory_oom_control->oom_kill_disable, 1);
	assert_int_equal(m->memory_oom_control->under_oom, 0);
	assert_int_equal(m->memory_oom_control->oom_kill, 3);
	done(m);
	fake_put(&f, "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 0\n");
	m = v1_of(&f.cg);
	assert_int_equal(m->memory_oom_control->under_oom, 1);
	done(m);
	fake_done(&f);
}

static void v1_cpu_pids_rdma(void **state)
{
	Io__Containerd__Cgroups__V1__Metrics *m;
	struct fake f;

	fake_init(&f, CGROUP_V1);
	fake_put(&f, "cpuacct.usage", "9347643\n");
	fake_put(&f, "cpuacct.stat", "user 3\nsystem 5\n");
	fake_put(&f, "cpuacct.usage_percpu", "1324265 8023378 \n");
	fake_put(&f, "cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_time 99\n");
	fake_put(&f, "pids.current", "4\n");
	fake_put(&f, "pids.max", "100\n");
	fake_put(&f, "rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=1\n");
	fake_put(&f, "rdma.max", "mlx4_0 hca_handle=max hca_object=5000\n");
	m = v1_of(&f.cg);
	assert_int_equal(m->cpu->usage->total, 9347643);
	assert_int_equal(m->cpu->usage->user, 3 * (1000000000 / sysconf(_SC_CLK_TCK)));
	assert_int_equal(m->cpu->usage->kernel, 5 * (1000000000 / sysconf(_SC_CLK_TCK)));
	assert_int_equal(m->cpu->usage->n_per_cpu, 2);
	assert_int_equal(m->cpu->usage->per_cpu[0], 1324265);
	assert_int_equal(m->cpu->usage->per_cpu[1], 8023378);
	assert_int_equal(m->cpu->throttling->periods, 7);
	assert_int_equal(m->cpu->throttling->throttled_periods, 2);
	assert_int_equal(m->cpu->throttling->throttled_time, 99);
	assert_int_equal(m->pids->current, 4);
	assert_int_equal(m->pids->limit, 100);
	assert_int_equal(m->rdma->n_current, 2);
	assert_string_equal(m->rdma->current[0]->device, "mlx4_0");
	assert_int_equal(m->rdma->current[0]->hca_handles, 2);
	assert_int_equal(m->rdma->current[0]->hca_objects, 2000);
	assert_string_equal(m->rdma->current[1]->device, "ocrdma1");
	assert_int_equal(m->rdma->n_limit, 1);
	assert_int_equal(m->rdma->limit[0]->hca_handles, UINT32_MAX);
	assert_int_equal(m->rdma->limit[0]->hca_objects, 5000);
	done(m);
	fake_put(&f, "pids.max", "max\n");
	m = v1_of(&f.cg);
	assert_int_equal(m->pids->limit, 0);
	done(m);
	fake_done(&f);
}

/* The first device that /proc/partitions has. */
static bool first_device(unsigned *major, unsigned *minor, char path[128])
{
	FILE *in = fopen("/proc/partitions", "re");
	char line[256], name[100];
	bool found = false;

	while (in && !found && fgets(line, sizeof line, in))
		found = sscanf(line, "%u %u %*u %99s", major, minor, name) == 3;
	if (in)
		fclose(in);
	snprintf(path, 128, "/dev/%s", found ? name : "");
	return found;
}

static void check_io(const Io__Containerd__Cgroups__V1__BlkIOEntry *io, const char *op, unsigned major,
		     unsigned minor, uint64_t value)
{
	assert_string_equal(io->op, op);
	assert_int_equal(io->major, major);
	assert_int_equal(io->minor, minor);
	assert_int_equal(io->value, value);
}

static void v1_blkio(void **state)
{
	static const char *const files[] = { "io_service_bytes", "io_serviced", "io_queued", "io_service_time",
					     "io_wait_time",     "io_merged",   "time",      "sectors" };
	Io__Containerd__Cgroups__V1__Metrics *m;
	unsigned major = 8, minor = 0;
	char name[96], text[128], path[128];
	bool known = first_device(&major, &minor, path);
	struct fake f;

	fake_init(&f, CGROUP_V1);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "blkio.%s_recursive", files[i]);
		snprintf(text, sizeof text, i < 6 ? "%u:%u Read %d\nTotal 1\n" : "%u:%u %d\n", major, minor, 100 + i);
		fake_put(&f, name, text);
	}
	m = v1_of(&f.cg);
	assert_int_equal(m->blkio->n_io_service_bytes_recursive, 1);
	assert_string_equal(m->blkio->io_service_bytes_recursive[0]->device, known ? path : "");
	check_io(m->blkio->io_service_bytes_recursive[0], "Read", major, minor, 100);
	check_io(m->blkio->io_serviced_recursive[0], "Read", major, minor, 101);
	check_io(m->blkio->io_queued_recursive[0], "Read", major, minor, 102);
	check_io(m->blkio->io_service_time_recursive[0], "Read", major, minor, 103);
	check_io(m->blkio->io_wait_time_recursive[0], "Read", major, minor, 104);
	check_io(m->blkio->io_merged_recursive[0], "Read", major, minor, 105);
	check_io(m->blkio->io_time_recursive[0], "", major, minor, 106);
	check_io(m->blkio->sectors_recursive[0], "", major, minor, 107);
	done(m);
	fake_done(&f);

	fake_init(&f, CGROUP_V1);
	fake_put(&f, "blkio.throttle.io_serviced", "0:4095 Read 4\n0:4095 Write 5\nTotal 9\n");
	fake_put(&f, "blkio.throttle.io_service_bytes", "0:4095 Read 4096\n");
	m = v1_of(&f.cg);
	assert_int_equal(m->blkio->n_io_serviced_recursive, 2);
	check_io(m->blkio->io_serviced_recursive[1], "Write", 0, 4095, 5);
	assert_string_equal(m->blkio->io_serviced_recursive[0]->device, "");
	check_io(m->blkio->io_service_bytes_recursive[0], "Read", 0, 4095, 4096);
	assert_int_equal(m->blkio->n_sectors_recursive, 0);
	done(m);
	fake_done(&f);
}

/* Sizes of huge pages are the host's. */
static bool has_2mb(void)
{
	return access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) == 0;
}

static void hugetlb(void **state)
{
	Io__Containerd__Cgroups__V1__Metrics *v1;
	Io__Containerd__Cgroups__V2__Metrics *v2;
	struct fake f;

	fake_init(&f, CGROUP_V1);
	fake_put(&f, "hugetlb.2MB.usage_in_bytes", "2097152\n");
	fake_put(&f, "hugetlb.2MB.max_usage_in_bytes", "4194304\n");
	fake_put(&f, "hugetlb.2MB.failcnt", "3\n");
	v1 = v1_of(&f.cg);
	assert_int_equal(v1->n_hugetlb, has_2mb());
	if (v1->n_hugetlb) {
		assert_string_equal(v1->hugetlb[0]->pagesize, "2MB");
		assert_int_equal(v1->hugetlb[0]->usage, 2097152);
		assert_int_equal(v1->hugetlb[0]->max, 4194304);
		assert_int_equal(v1->hugetlb[0]->failcnt, 3);
	}
	done(v1);
	fake_done(&f);

	fake_init(&f, CGROUP_V2);
	fake_put(&f, "hugetlb.2MB.current", "2097152\n");
	fake_put(&f, "hugetlb.2MB.max", "max\n");
	v2 = v2_of(&f.cg);
	assert_int_equal(v2->n_hugetlb, has_2mb());
	if (v2->n_hugetlb) {
		assert_string_equal(v2->hugetlb[0]->pagesize, "2MB");
		assert_int_equal(v2->hugetlb[0]->current, 2097152);
		assert_true(v2->hugetlb[0]->max == UINT64_MAX);
	}
	done(v2);
	fake_done(&f);
}

/* ---- v2 --------------------------------------------------------------- */

static const char *const v2_lines[] = {
	"anon", "file", "kernel_stack", "slab", "sock", "shmem", "file_mapped", "file_dirty",
	"file_writeback", "anon_thp", "inactive_anon", "active_anon", "inactive_file", "active_file",
	"unevictable", "slab_reclaimable", "slab_unreclaimable", "pgfault", "pgmajfault",
	"workingset_refault", "workingset_activate", "workingset_nodereclaim", "pgrefill", "pgscan",
	"pgsteal", "pgactivate", "pgdeactivate", "pglazyfree", "pglazyfreed", "thp_fault_alloc",
	"thp_collapse_alloc",
};

#define PRESSURE(n)                                                \
	"some avg10=" #n ".50 avg60=0.25 avg300=0.00 total=7" #n "\n" \
	"full avg10=0.00 avg60=0.00 avg300=" #n ".75 total=8" #n "\n"

static void check_pressure(const Io__Containerd__Cgroups__V2__PSIStats *p, unsigned n)
{
	assert_non_null(p);
	assert_true(p->some->avg10 == n + 0.5 && p->some->avg60 == 0.25 && p->some->avg300 == 0);
	assert_int_equal(p->some->total, 70 + n);
	assert_true(p->full->avg10 == 0 && p->full->avg60 == 0 && p->full->avg300 == n + 0.75);
	assert_int_equal(p->full->total, 80 + n);
}

static void v2_memory(void **state)
{
	Io__Containerd__Cgroups__V2__Metrics *m;
	struct fake f;

	fake_init(&f, CGROUP_V2);
	put_memory_stat(&f, v2_lines, ARRAY_SIZE(v2_lines));
	fake_put(&f, "memory.current", "1000\n");
	fake_put(&f, "memory.max", "5000\n");
	fake_put(&f, "memory.peak", "3000\n");
	fake_put(&f, "memory.swap.current", "10\n");
	fake_put(&f, "memory.swap.max", "max\n");
	fake_put(&f, "memory.swap.peak", "20\n");
	fake_put(&f, "memory.pressure", PRESSURE(2));
	fake_put(&f, "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
	m = v2_of(&f.cg);
	check_memory_stat(&m->memory->base, ARRAY_SIZE(v2_lines));
	assert_int_equal(m->memory->usage, 1000);
	assert_int_equal(m->memory->usage_limit, 5000);
	assert_int_equal(m->memory->max_usage, 3000);
	assert_int_equal(m->memory->swap_usage, 10);
	assert_true(m->memory->swap_limit == UINT64_MAX);
	assert_int_equal(m->memory->swap_max_usage, 20);
	check_pressure(m->memory->psi, 2);
	assert_int_equal(m->memory_events->low, 1);
	assert_int_equal(m->memory_events->high, 2);
	assert_int_equal(m->memory_events->max, 3);
	assert_int_equal(m->memory_events->oom, 4);
	assert_int_equal(m->memory_events->oom_kill, 5);
	done(m);
	fake_put(&f, "memory.max", "max\n");
	fake_put(&f, "memory.swap.max", "100\n");
	m = v2_of(&f.cg);
	assert_true(m->memory->usage_limit == UINT64_MAX);
	assert_int_equal(m->memory->swap_limit, 100);
	done(m);
	fake_done(&f);
}

static void v2_cpu_pids_rdma(void **state)
{
	Io__Containerd__Cgroups__V2__Metrics *m;
	struct fake f;

	fake_init(&f, CGROUP_V2);
	fake_put(&f, "cpu.stat", "usage_usec 10\nuser_usec 4\nsystem_usec 6\nnr_periods 11\nnr_throttled 12\n"
				 "throttled_usec 13\nnr_bursts 14\nburst_usec 15\n");
	fake_put(&f, "cpu.pressure", PRESSURE(1));
	fake_put(&f, "pids.current", "3\n");
	fake_put(&f, "pids.max", "9\n");
	fake_put(&f, "rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n");
	fake_put(&f, "rdma.max", "mlx4_0 hca_handle=max hca_object=max\nx hca_handle=1 hca_object=4\n");
	m = v2_of(&f.cg);
	assert_int_equal(m->cpu->usage_usec, 10);
	assert_int_equal(m->cpu->user_usec, 4);
	assert_int_equal(m->cpu->system_usec, 6);
	assert_int_equal(m->cpu->nr_periods, 11);
	assert_int_equal(m->cpu->nr_throttled, 12);
	assert_int_equal(m->cpu->throttled_usec, 13);
	assert_int_equal(m->cpu->nr_bursts, 14);
	assert_int_equal(m->cpu->burst_usec, 15);
	check_pressure(m->cpu->psi, 1);
	assert_int_equal(m->pids->current, 3);
	assert_int_equal(m->pids->limit, 9);
	assert_int_equal(m->rdma->n_current, 1);
	assert_string_equal(m->rdma->current[0]->device, "mlx4_0");
	assert_int_equal(m->rdma->current[0]->hca_handles, 2);
	assert_int_equal(m->rdma->current[0]->hca_objects, 2000);
	assert_int_equal(m->rdma->n_limit, 2);
	assert_int_equal(m->rdma->limit[0]->hca_handles, UINT32_MAX);
	assert_int_equal(m->rdma->limit[0]->hca_objects, UINT32_MAX);
	assert_string_equal(m->rdma->limit[1]->device, "x");
	assert_int_equal(m->rdma->limit[1]->hca_objects, 4);
	done(m);
	fake_put(&f, "pids.max", "max\n");
	m = v2_of(&f.cg);
	assert_true(m->pids->limit == UINT64_MAX);
	done(m);
	fake_put(&f, "pids.max", "0\n");
	m = v2_of(&f.cg);
	assert_int_equal(m->pids->limit, 0);
	done(m);
	fake_done(&f);
}

static void v2_io(void **state)
{
	Io__Containerd__Cgroups__V2__Metrics *m;
	struct fake f;

	fake_init(&f, CGROUP_V2);
	fake_put(&f, "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1\n"
				"8:16 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=50 dios=60\n");
	fake_put(&f, "io.pressure", PRESSURE(3));
	m = v2_of(&f.cg);
	assert_int_equal(m->io->n_usage, 2);
	assert_int_equal(m->io->usage[0]->major, 8);
	assert_int_equal(m->io->usage[0]->minor, 0);
	assert_int_equal(m->io->usage[0]->rbytes, 1);
	assert_int_equal(m->io->usage[0]->wbytes, 2);
	assert_int_equal(m->io->usage[0]->rios, 3);
	assert_int_equal(m->io->usage[0]->wios, 4);
	assert_int_equal(m->io->usage[1]->minor, 16);
	assert_int_equal(m->io->usage[1]->rbytes, 10);
	assert_int_equal(m->io->usage[1]->wios, 40);
	check_pressure(m->io->psi, 3);
	done(m);
	fake_done(&f);
}

/* ---- what is not there ------------------------------------------------ */

static void absent_parts(void **state)
{
	Io__Containerd__Cgroups__V1__Metrics *v1;
	Io__Containerd__Cgroups__V2__Metrics *v2;
	struct fake f;

	fake_init(&f, CGROUP_V1);
	v1 = v1_of(&f.cg);
	assert_non_null(v1->cpu->usage);
	assert_non_null(v1->cpu->throttling);
	assert_non_null(v1->blkio);
	assert_null(v1->pids);
	assert_null(v1->memory);
	assert_null(v1->memory_oom_control);
	assert_null(v1->rdma);
	assert_int_equal(v1->n_hugetlb, 0);
	done(v1);
	fake_done(&f);

	fake_init(&f, CGROUP_V2);
	v2 = v2_of(&f.cg);
	assert_non_null(v2->pids);
	assert_non_null(v2->cpu);
	assert_null(v2->cpu->psi);
	assert_non_null(v2->memory);
	assert_non_null(v2->rdma);
	assert_non_null(v2->io);
	assert_null(v2->memory_events);
	done(v2);
	fake_done(&f);
}

static void no_blkio(void **state)
{
	Io__Containerd__Cgroups__V1__Metrics *m;
	struct fake f;
	int i;

	fake_init(&f, CGROUP_V1);
	i = cgroup_hierarchy_of(&f.host, "blkio");
	assert_true(i >= 0);
	fd_closep(&f.cg.fd[i]);
	m = v1_of(&f.cg);
	assert_null(m->blkio);
	done(m);
	fake_done(&f);
}

static void no_cgroup(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *type;
	uint8_t *data;
	struct err e;
	struct fake f;
	size_t len;

	fake_init(&f, CGROUP_V2);
	fd_closep(&f.cg.fd[0]);
	assert_true(metrics_read(&f.cg, &a, &type, &data, &len, &e) < 0);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cgroup '/fake' does not exist");
	fake_done(&f);
}

/* With too little memory there is an error, and never a part of a message. */
static void check_no_memory(const struct cgroup *cg)
{
	OWN_ARENA struct arena whole = ARENA_INIT;
	size_t max = 0, whole_len = 0, len;
	const char *type;
	uint8_t *data;
	int r = metrics_read(cg, &whole, &type, &data, &whole_len, NULL);

	assert_int_equal(r, 0);
	do {
		OWN_ARENA struct arena a = { .max = max += 512 };
		struct err e = { 0 };

		r = metrics_read(cg, &a, &type, &data, &len, &e);
		assert_int_equal(e.sys, r < 0 ? ENOMEM : 0);
	} while (r < 0);
	assert_true(max > 4096);
	assert_int_equal(len, whole_len);
}

static void no_memory(void **state)
{
	unsigned major = 8, minor = 0;
	char text[128], path[128];
	struct fake f;

	fake_init(&f, CGROUP_V2);
	put_memory_stat(&f, v2_lines, ARRAY_SIZE(v2_lines));
	fake_put(&f, "memory.pressure", PRESSURE(2));
	fake_put(&f, "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n");
	fake_put(&f, "rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n");
	check_no_memory(&f.cg);
	fake_done(&f);

	fake_init(&f, CGROUP_V1);
	put_memory_stat(&f, v1_lines, ARRAY_SIZE(v1_lines));
	fake_put(&f, "cpuacct.usage_percpu", "1324265 8023378\n");
	first_device(&major, &minor, path);
	snprintf(text, sizeof text, "%u:%u Read 4\n", major, minor);
	fake_put(&f, "blkio.throttle.io_serviced", text);
	check_no_memory(&f.cg);
	fake_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v1_memory),
		cmocka_unit_test(v1_cpu_pids_rdma),
		cmocka_unit_test(v1_blkio),
		cmocka_unit_test(hugetlb),
		cmocka_unit_test(v2_memory),
		cmocka_unit_test(v2_cpu_pids_rdma),
		cmocka_unit_test(v2_io),
		cmocka_unit_test(absent_parts),
		cmocka_unit_test(no_blkio),
		cmocka_unit_test(no_cgroup),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
