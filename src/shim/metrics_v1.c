/* The metrics of a task on cgroup v1: io.containerd.cgroups.v1.Metrics. What
 * belongs to a controller that is not there is absent, as in containerd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cgroups_v1.pb-c.h"
#include "file.h"
#include "mem.h"
#include "metrics_parts.h"

typedef Io__Containerd__Cgroups__V1__BlkIOEntry v1_blkio_entry;
typedef Io__Containerd__Cgroups__V1__BlkIOStat v1_blkio;
typedef Io__Containerd__Cgroups__V1__CPUStat v1_cpu;
typedef Io__Containerd__Cgroups__V1__CPUUsage v1_cpu_usage;
typedef Io__Containerd__Cgroups__V1__MemoryEntry v1_memory_entry;
typedef Io__Containerd__Cgroups__V1__MemoryOomControl v1_oom;
typedef Io__Containerd__Cgroups__V1__MemoryStat v1_memory;
typedef Io__Containerd__Cgroups__V1__Metrics v1_metrics;
typedef Io__Containerd__Cgroups__V1__PidsStat v1_pids;
typedef Io__Containerd__Cgroups__V1__Throttle v1_throttle;

#define DESCRIPTOR(type) (&io__containerd__cgroups__v1__##type##__descriptor)

static void hugetlb(struct metrics *m, v1_metrics *to)
{
	size_t n = m->s->n_hugetlb;

	to->hugetlb = metrics_list(m, DESCRIPTOR(hugetlb_stat), n);
	if (!to->hugetlb)
		return;
	to->n_hugetlb = n;
	for (size_t i = 0; i < n; i++) {
		const struct stats_hugetlb *from = &m->s->hugetlb[i];

		to->hugetlb[i]->usage = from->usage;
		to->hugetlb[i]->max = from->max;
		to->hugetlb[i]->failcnt = from->failcnt;
		to->hugetlb[i]->pagesize = (char *)from->size;
	}
}

static v1_pids *pids(struct metrics *m)
{
	v1_pids *to = m->s->pids.present ? metrics_part(m, DESCRIPTOR(pids_stat)) : NULL;

	if (!to)
		return NULL;
	to->current = m->s->pids.current;
	to->limit = m->s->pids.limit;
	return to;
}

static v1_cpu *cpu(struct metrics *m)
{
	v1_cpu *to = metrics_part(m, DESCRIPTOR(cpustat));
	v1_cpu_usage *usage = metrics_part(m, DESCRIPTOR(cpuusage));
	v1_throttle *throttling = metrics_part(m, DESCRIPTOR(throttle));

	if (!to || !usage || !throttling)
		return NULL;
	to->usage = usage;
	usage->total = m->s->cpu.total;
	usage->kernel = m->s->cpu.kernel;
	usage->user = m->s->cpu.user;
	usage->n_per_cpu = m->s->cpu.percpu.n;
	usage->per_cpu = m->s->cpu.percpu.v;
	to->throttling = throttling;
	throttling->periods = m->s->cpu.periods;
	throttling->throttled_periods = m->s->cpu.throttled_periods;
	throttling->throttled_time = m->s->cpu.throttled_time;
	return to;
}

/* ---- memory ----------------------------------------------------------- */

static v1_memory_entry *memory_entry(struct metrics *m, const struct stats_memory *from)
{
	v1_memory_entry *to = metrics_part(m, DESCRIPTOR(memory_entry));

	if (!to)
		return NULL;
	to->limit = from->limit;
	to->usage = from->usage;
	to->max = from->max;
	to->failcnt = from->failcnt;
	return to;
}

static v1_memory *memory(struct metrics *m)
{
	static const struct metrics_name renamed[] = {
		{ "hierarchical_memsw_limit", "hierarchical_swap_limit" },
		{ "pgfault", "pg_fault" },
		{ "pgmajfault", "pg_maj_fault" },
		{ "pgpgin", "pg_pg_in" },
		{ "pgpgout", "pg_pg_out" },
		{ "total_pgfault", "total_pg_fault" },
		{ "total_pgmajfault", "total_pg_maj_fault" },
		{ "total_pgpgin", "total_pg_pg_in" },
		{ "total_pgpgout", "total_pg_pg_out" },
		{ 0 },
	};
	v1_memory *to = m->s->memory.n_raw ? metrics_part(m, DESCRIPTOR(memory_stat)) : NULL;

	if (!to)
		return NULL;
	metrics_memory_stat(m, renamed, &to->base);
	to->usage = memory_entry(m, &m->s->memory.usage);
	to->swap = memory_entry(m, &m->s->memory.swap);
	to->kernel = memory_entry(m, &m->s->memory.kernel);
	to->kernel_tcp = memory_entry(m, &m->s->memory.kernel_tcp);
	return to;
}

static v1_oom *oom_control(struct metrics *m)
{
	v1_oom *to = NULL;

	if (m->s->memory.oom.present)
		to = metrics_part(m, DESCRIPTOR(memory_oom_control));
	if (!to)
		return NULL;
	to->oom_kill_disable = m->s->memory.oom.kill_disabled;
	to->under_oom = m->s->memory.oom.under_oom;
	to->oom_kill = m->s->memory.oom.kills;
	return to;
}

/* ---- block devices ---------------------------------------------------- */

struct partition {
	unsigned long long major, minor;
	const char *path;
};

/* "   8        0  268435456 sda" a line, after a heading. How many. */
static size_t partitions(struct metrics *m, struct partition **ret)
{
	char *text = NULL, *l, name[128];
	size_t n = 0, len = 0;
	int r = file_read(m->a, AT_FDCWD, "/proc/partitions", 256 << 10, &text, &len, NULL);

	*ret = arena_calloc(m->a, len / strlen("0 0 0 a\n") + 1, sizeof **ret);
	if (r == -ENOMEM || !*ret) {
		m->failed = true;
		return 0;
	}
	while ((l = strsep(&text, "\n"))) {
		struct partition *p = &(*ret)[n];

		if (sscanf(l, "%llu %llu %*u %127s", &p->major, &p->minor, name) != 3)
			continue;
		p->path = arena_printf(m->a, "/dev/%s", name);
		m->failed |= !p->path;
		n++;
	}
	return n;
}

static const char *path_of(const struct partition *p, size_t n, const struct stats_io *io)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].major == io->major && p[i].minor == io->minor)
			return p[i].path;
	return "";
}

static v1_blkio_entry **io_entries(struct metrics *m, const struct partition *p, size_t n_p,
				   enum stats_io_table t)
{
	v1_blkio_entry **to = metrics_list(m, DESCRIPTOR(blk_ioentry), m->s->io.n[t]);

	for (size_t i = 0; to && i < m->s->io.n[t]; i++) {
		const struct stats_io *from = &m->s->io.table[t][i];

		to[i]->op = (char *)(from->op ? from->op : "");
		to[i]->device = (char *)path_of(p, n_p, from);
		to[i]->major = from->major;
		to[i]->minor = from->minor;
		to[i]->value = from->value;
	}
	return to;
}

static v1_blkio *blkio(struct metrics *m)
{
	v1_blkio *to = NULL;
	struct partition *p = NULL;
	size_t n_p;
	int h = cgroup_hierarchy_of(m->cg->host, "blkio");

	if (h >= 0 && m->cg->fd[h] >= 0)
		to = metrics_part(m, DESCRIPTOR(blk_iostat));
	if (!to)
		return NULL;
	n_p = partitions(m, &p);
#define TABLE(id, field)                                        \
	to->field = io_entries(m, p, n_p, STATS_IO_##id);       \
	to->n_##field = to->field ? m->s->io.n[STATS_IO_##id] : 0
	TABLE(SERVICE_BYTES, io_service_bytes_recursive);
	TABLE(SERVICED, io_serviced_recursive);
	TABLE(QUEUED, io_queued_recursive);
	TABLE(SERVICE_TIME, io_service_time_recursive);
	TABLE(WAIT_TIME, io_wait_time_recursive);
	TABLE(MERGED, io_merged_recursive);
	TABLE(TIME, io_time_recursive);
	TABLE(SECTORS, sectors_recursive);
#undef TABLE
	return to;
}

ProtobufCMessage *metrics_v1(struct metrics *m)
{
	v1_metrics *to = metrics_part(m, DESCRIPTOR(metrics));

	if (!to)
		return NULL;
	hugetlb(m, to);
	to->pids = pids(m);
	to->cpu = cpu(m);
	to->memory = memory(m);
	to->memory_oom_control = oom_control(m);
	to->blkio = blkio(m);
	if (m->s->rdma.current.present && m->s->rdma.limit.present)
		to->rdma = metrics_rdma(m, DESCRIPTOR(rdma_stat));
	return &to->base;
}
