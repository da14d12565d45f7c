/* Statistics as runc's `events --stats` prints them; see cgroup_stats.h. A key
 * that runc leaves out when it is zero is left out here. */
#include "cgroup_stats.h"

#include "json.h"

static const char *const io_keys[STATS_IO_COUNT] = {
#define X(id, key) [STATS_IO_##id] = key,
	STATS_IO(X)
#undef X
};

static void unless_zero(struct jw *w, const char *key, uint64_t v)
{
	if (v)
		jw_kuint(w, key, v);
}

static void numbers(struct jw *w, const char *key, const struct stats_numbers *list)
{
	if (!list->n)
		return;
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < list->n; i++)
		jw_uint(w, list->v[i]);
	jw_end(w);
}

static void pressure_line(struct jw *w, const char *key, const struct stats_pressure_line *l)
{
	jw_kbegin(w, key, '{');
	jw_key(w, "avg10");
	jw_double(w, l->avg10);
	jw_key(w, "avg60");
	jw_double(w, l->avg60);
	jw_key(w, "avg300");
	jw_double(w, l->avg300);
	jw_kuint(w, "total", l->total);
	jw_end(w);
}

static void pressure(struct jw *w, const struct stats_pressure *p)
{
	if (!p->present)
		return;
	jw_kbegin(w, "psi", '{');
	pressure_line(w, "some", &p->some);
	pressure_line(w, "full", &p->full);
	jw_end(w);
}

static void print_cpu(struct jw *w, const struct cgroup_stats *s)
{
	jw_kbegin(w, "cpu", '{');
	jw_kbegin(w, "usage", '{');
	unless_zero(w, "total", s->cpu.total);
	numbers(w, "percpu", &s->cpu.percpu);
	numbers(w, "percpu_kernel", &s->cpu.percpu_kernel);
	numbers(w, "percpu_user", &s->cpu.percpu_user);
	jw_kuint(w, "kernel", s->cpu.kernel);
	jw_kuint(w, "user", s->cpu.user);
	jw_end(w);
	jw_kbegin(w, "throttling", '{');
	unless_zero(w, "periods", s->cpu.periods);
	unless_zero(w, "throttledPeriods", s->cpu.throttled_periods);
	unless_zero(w, "throttledTime", s->cpu.throttled_time);
	jw_end(w);
	pressure(w, &s->cpu.pressure);
	jw_end(w);
}

static void print_cpuset(struct jw *w, const struct cgroup_stats *s)
{
	jw_kbegin(w, "cpuset", '{');
	numbers(w, "cpus", &s->cpuset.cpus);
	jw_kuint(w, "cpu_exclusive", s->cpuset.cpu_exclusive);
	numbers(w, "mems", &s->cpuset.mems);
	jw_kuint(w, "mem_hardwall", s->cpuset.mem_hardwall);
	jw_kuint(w, "mem_exclusive", s->cpuset.mem_exclusive);
	jw_kuint(w, "memory_migrate", s->cpuset.memory_migrate);
	jw_kuint(w, "memory_spread_page", s->cpuset.memory_spread_page);
	jw_kuint(w, "memory_spread_slab", s->cpuset.memory_spread_slab);
	jw_kuint(w, "memory_pressure", s->cpuset.memory_pressure);
	jw_kuint(w, "sched_load_balance", s->cpuset.sched_load_balance);
	jw_kint(w, "sched_relax_domain_level", s->cpuset.sched_relax_domain_level);
	jw_end(w);
}

static void print_memory_of(struct jw *w, const char *key, const struct stats_memory *m)
{
	jw_kbegin(w, key, '{');
	jw_kuint(w, "limit", m->limit);
	unless_zero(w, "usage", m->usage);
	unless_zero(w, "max", m->max);
	jw_kuint(w, "failcnt", m->failcnt);
	jw_end(w);
}

static void print_memory(struct jw *w, const struct cgroup_stats *s)
{
	jw_kbegin(w, "memory", '{');
	unless_zero(w, "cache", s->memory.cache);
	print_memory_of(w, "usage", &s->memory.usage);
	print_memory_of(w, "swap", &s->memory.swap);
	print_memory_of(w, "kernel", &s->memory.kernel);
	print_memory_of(w, "kernelTCP", &s->memory.kernel_tcp);
	if (s->memory.n_raw) {
		jw_kbegin(w, "raw", '{');
		for (size_t i = 0; i < s->memory.n_raw; i++)
			jw_kuint(w, s->memory.raw[i].name, s->memory.raw[i].value);
		jw_end(w);
	}
	pressure(w, &s->memory.pressure);
	jw_end(w);
}

static void print_io(struct jw *w, const struct cgroup_stats *s)
{
	jw_kbegin(w, "blkio", '{');
	for (int t = 0; t < STATS_IO_COUNT; t++) {
		if (!s->io.n[t])
			continue;
		jw_kbegin(w, io_keys[t], '[');
		for (size_t i = 0; i < s->io.n[t]; i++) {
			const struct stats_io *io = &s->io.table[t][i];

			jw_begin(w, '{');
			unless_zero(w, "major", io->major);
			unless_zero(w, "minor", io->minor);
			if (io->op)
				jw_kstr(w, "op", io->op);
			unless_zero(w, "value", io->value);
			jw_end(w);
		}
		jw_end(w);
	}
	pressure(w, &s->io.pressure);
	jw_end(w);
}

void cgroup_stats_print(struct jw *w, const struct cgroup_stats *s)
{
	jw_begin(w, '{');
	print_cpu(w, s);
	print_cpuset(w, s);
	print_memory(w, s);
	jw_kbegin(w, "pids", '{');
	unless_zero(w, "current", s->pids.current);
	unless_zero(w, "limit", s->pids.limit);
	jw_end(w);
	print_io(w, s);
	jw_kbegin(w, "hugetlb", '{');
	for (size_t i = 0; i < s->n_hugetlb; i++) {
		jw_kbegin(w, s->hugetlb[i].size, '{');
		unless_zero(w, "usage", s->hugetlb[i].usage);
		unless_zero(w, "max", s->hugetlb[i].max);
		jw_kuint(w, "failcnt", s->hugetlb[i].failcnt);
		jw_end(w);
	}
	jw_end(w);
	jw_kbegin(w, "intel_rdt", '{');
	jw_end(w);
	jw_key(w, "network_interfaces");
	jw_null(w);
	jw_end(w);
}
