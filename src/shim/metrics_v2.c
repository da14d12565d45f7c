/* The metrics of a task on cgroup v2: io.containerd.cgroups.v2.Metrics. All
 * parts but memory_events are there whatever the controllers are, as in
 * containerd. */
#include <string.h>

#include "cgroups_v2.pb-c.h"
#include "mem.h"
#include "metrics_parts.h"

typedef Io__Containerd__Cgroups__V2__CPUStat v2_cpu;
typedef Io__Containerd__Cgroups__V2__IOEntry v2_io_entry;
typedef Io__Containerd__Cgroups__V2__IOStat v2_io;
typedef Io__Containerd__Cgroups__V2__MemoryEvents v2_memory_events;
typedef Io__Containerd__Cgroups__V2__MemoryStat v2_memory;
typedef Io__Containerd__Cgroups__V2__Metrics v2_metrics;
typedef Io__Containerd__Cgroups__V2__PSIData v2_psi_data;
typedef Io__Containerd__Cgroups__V2__PSIStats v2_psi;
typedef Io__Containerd__Cgroups__V2__PidsStat v2_pids;

#define DESCRIPTOR(type) (&io__containerd__cgroups__v2__##type##__descriptor)

static v2_psi_data *psi_data(struct metrics *m, const struct stats_pressure_line *from)
{
	v2_psi_data *to = metrics_part(m, DESCRIPTOR(psidata));

	if (!to)
		return NULL;
	to->avg10 = from->avg10;
	to->avg60 = from->avg60;
	to->avg300 = from->avg300;
	to->total = from->total;
	return to;
}

static v2_psi *psi(struct metrics *m, const struct stats_pressure *from)
{
	v2_psi *to = from->present ? metrics_part(m, DESCRIPTOR(psistats)) : NULL;

	if (!to)
		return NULL;
	to->some = psi_data(m, &from->some);
	to->full = psi_data(m, &from->full);
	return to;
}

static v2_pids *pids(struct metrics *m)
{
	v2_pids *to = metrics_part(m, DESCRIPTOR(pids_stat));

	if (!to)
		return NULL;
	to->current = m->s->pids.current;
	to->limit = m->s->pids.unlimited ? UINT64_MAX : m->s->pids.limit;
	return to;
}

/* The statistics count in nanoseconds. */
static v2_cpu *cpu(struct metrics *m)
{
	v2_cpu *to = metrics_part(m, DESCRIPTOR(cpustat));

	if (!to)
		return NULL;
	to->usage_usec = m->s->cpu.total / 1000;
	to->user_usec = m->s->cpu.user / 1000;
	to->system_usec = m->s->cpu.kernel / 1000;
	to->nr_periods = m->s->cpu.periods;
	to->nr_throttled = m->s->cpu.throttled_periods;
	to->throttled_usec = m->s->cpu.throttled_time / 1000;
	to->nr_bursts = m->s->cpu.bursts;
	to->burst_usec = m->s->cpu.burst_time / 1000;
	to->psi = psi(m, &m->s->cpu.pressure);
	return to;
}

static v2_memory *memory(struct metrics *m)
{
	static const struct metrics_name renamed[] = { { 0 } };
	v2_memory *to = metrics_part(m, DESCRIPTOR(memory_stat));

	if (!to)
		return NULL;
	metrics_memory_stat(m, renamed, &to->base);
	to->usage = m->s->memory.usage.usage;
	to->usage_limit = m->s->memory.usage.limit;
	to->max_usage = m->s->memory.usage.max;
	to->swap_usage = m->s->memory.swap_alone.usage;
	to->swap_limit = m->s->memory.swap_alone.limit;
	to->swap_max_usage = m->s->memory.swap_alone.max;
	to->psi = psi(m, &m->s->memory.pressure);
	return to;
}

static v2_memory_events *memory_events(struct metrics *m)
{
	v2_memory_events *to = NULL;

	if (m->s->memory.events.present)
		to = metrics_part(m, DESCRIPTOR(memory_events));
	if (!to)
		return NULL;
	to->low = m->s->memory.events.low;
	to->high = m->s->memory.events.high;
	to->max = m->s->memory.events.max;
	to->oom = m->s->memory.events.oom;
	to->oom_kill = m->s->memory.events.oom_kill;
	return to;
}

/* ---- block devices ---------------------------------------------------- */

/* The entry of that device, the next free one for a new device. */
static v2_io_entry *io_entry(v2_io *to, const struct stats_io *from)
{
	v2_io_entry *new;

	for (size_t i = 0; i < to->n_usage; i++)
		if (to->usage[i]->major == from->major && to->usage[i]->minor == from->minor)
			return to->usage[i];
	new = to->usage[to->n_usage++];
	new->major = from->major;
	new->minor = from->minor;
	return new;
}

/* The statistics have a row a number, the message has one a device. */
static v2_io *io(struct metrics *m)
{
	static const struct {
		enum stats_io_table table;
		const char *op;
		size_t field;
	} map[] = {
		{ STATS_IO_SERVICE_BYTES, "Read", offsetof(v2_io_entry, rbytes) },
		{ STATS_IO_SERVICE_BYTES, "Write", offsetof(v2_io_entry, wbytes) },
		{ STATS_IO_SERVICED, "Read", offsetof(v2_io_entry, rios) },
		{ STATS_IO_SERVICED, "Write", offsetof(v2_io_entry, wios) },
	};
	size_t most = m->s->io.n[STATS_IO_SERVICE_BYTES] + m->s->io.n[STATS_IO_SERVICED];
	v2_io *to = metrics_part(m, DESCRIPTOR(iostat));

	if (!to)
		return NULL;
	to->psi = psi(m, &m->s->io.pressure);
	to->usage = metrics_list(m, DESCRIPTOR(ioentry), most);
	if (!to->usage)
		return to;
	for (size_t k = 0; k < ARRAY_SIZE(map); k++)
		for (size_t i = 0; i < m->s->io.n[map[k].table]; i++) {
			const struct stats_io *from = &m->s->io.table[map[k].table][i];

			if (!strcmp(from->op, map[k].op))
				*(uint64_t *)((char *)io_entry(to, from) + map[k].field) = from->value;
		}
	return to;
}

static void hugetlb(struct metrics *m, v2_metrics *to)
{
	size_t n = m->s->n_hugetlb;

	to->hugetlb = metrics_list(m, DESCRIPTOR(huge_tlb_stat), n);
	if (!to->hugetlb)
		return;
	to->n_hugetlb = n;
	for (size_t i = 0; i < n; i++) {
		to->hugetlb[i]->current = m->s->hugetlb[i].usage;
		to->hugetlb[i]->max = m->s->hugetlb[i].limit;
		to->hugetlb[i]->pagesize = (char *)m->s->hugetlb[i].size;
	}
}

ProtobufCMessage *metrics_v2(struct metrics *m)
{
	v2_metrics *to = metrics_part(m, DESCRIPTOR(metrics));

	if (!to)
		return NULL;
	to->pids = pids(m);
	to->cpu = cpu(m);
	to->memory = memory(m);
	to->rdma = metrics_rdma(m, DESCRIPTOR(rdma_stat));
	to->io = io(m);
	hugetlb(m, to);
	to->memory_events = memory_events(m);
	return &to->base;
}
