/* Limits on cgroup v1, file by file. What is 0 in a number means "not given",
 * as runc takes it: clients send zeros for what they leave alone. */
#include "cgroup_limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "spec.h"
#include "str.h"

#define LL(v) ((long long)(v))
#define ULL(v) ((unsigned long long)(v))

/* ---- memory ----------------------------------------------------------- */

static const struct limit mem_limit = { "memory", "memory.limit_in_bytes", "/memory/limit" };
static const struct limit mem_swap = { "memory", "memory.memsw.limit_in_bytes", "/memory/swap" };

static int set_mem_limit(const struct cgroup *cg, int64_t v, struct err *e)
{
	uint64_t usage = 0, peak = 0;
	char buf[24];
	int r;

	if (v == 0)
		return 0;
	snprintf(buf, sizeof buf, "%lld", LL(v));
	r = limit_try(cg, &mem_limit, buf);
	if (r != -EBUSY)
		return r < 0 ? limit_fail(&mem_limit, buf, r, e) : 0;
	limit_read(cg, "memory", "memory.usage_in_bytes", &usage);
	limit_read(cg, "memory", "memory.max_usage_in_bytes", &peak);
	return err_set(e, ERR_INVALID, -EBUSY,
		       "/linux/resources/memory/limit: unable to set memory limit to %lld "
		       "(current usage: %llu, peak usage: %llu)",
		       LL(v), ULL(usage), ULL(peak));
}

static int set_mem_swap(const struct cgroup *cg, int64_t v, struct err *e)
{
	return v == 0 ? 0 : limit_write(cg, &mem_swap, e, "%lld", LL(v));
}

/* The kernel keeps limit <= memory+swap at every step, so the order depends on
 * whether the pair grows or shrinks. */
static int set_mem_and_swap(const struct cgroup *cg, const struct spec_memory *m, struct err *e)
{
	int64_t limit = m->has_limit ? m->limit : 0, swap = m->has_swap ? m->swap : 0;
	bool swap_first = false;
	uint64_t cur;
	int r;

	if (limit == -1 && swap == 0 &&
	    limit_read(cg, "memory", "memory.memsw.limit_in_bytes", &cur) == 0)
		swap = -1;
	if (limit && swap && limit_read(cg, "memory", "memory.limit_in_bytes", &cur) == 0)
		swap_first = swap == -1 || cur < (uint64_t)swap;
	r = swap_first ? set_mem_swap(cg, swap, e) : set_mem_limit(cg, limit, e);
	if (r < 0)
		return r;
	return swap_first ? set_mem_limit(cg, limit, e) : set_mem_swap(cg, swap, e);
}

/* The kernel dropped this limit in 5.16 and the specification advises against
 * it: where it is gone, it is left out, as runc does everywhere. */
static int set_kernel_memory(const struct cgroup *cg, int64_t v, struct err *e)
{
	static const struct limit l = { "memory", "memory.kmem.limit_in_bytes", "/memory/kernel" };
	enum { KERNEL_ENOTSUPP = 524 };
	char buf[24];
	int r;

	snprintf(buf, sizeof buf, "%lld", LL(v));
	r = limit_try(cg, &l, buf);
	if (r == -EOPNOTSUPP || r == -KERNEL_ENOTSUPP || r == -ENOENT)
		return 0;
	return r < 0 ? limit_fail(&l, buf, r, e) : 0;
}

static int set_memory(const struct cgroup *cg, const struct spec_memory *m, struct err *e)
{
	static const struct limit soft = { "memory", "memory.soft_limit_in_bytes",
					   "/memory/reservation" };
	static const struct limit tcp = { "memory", "memory.kmem.tcp.limit_in_bytes",
					  "/memory/kernelTCP" };
	static const struct limit oom = { "memory", "memory.oom_control",
					  "/memory/disableOOMKiller" };
	static const struct limit swappy = { "memory", "memory.swappiness", "/memory/swappiness" };
	static const struct limit hier = { "memory", "memory.use_hierarchy",
					   "/memory/useHierarchy" };
	int r = 0;

	if (m->has_use_hierarchy)
		r = limit_write(cg, &hier, e, "%d", m->use_hierarchy);
	if (r == 0)
		r = set_mem_and_swap(cg, m, e);
	if (r == 0 && m->has_reservation && m->reservation)
		r = limit_write(cg, &soft, e, "%lld", LL(m->reservation));
	if (r == 0 && m->has_kernel && m->kernel)
		r = set_kernel_memory(cg, m->kernel, e);
	if (r == 0 && m->has_kernel_tcp && m->kernel_tcp)
		r = limit_write(cg, &tcp, e, "%lld", LL(m->kernel_tcp));
	if (r == 0 && m->has_disable_oom_killer && m->disable_oom_killer)
		r = limit_write(cg, &oom, e, "1");
	/* Clients send -1 (as an unsigned number) for "leave it". */
	if (r == 0 && m->has_swappiness && m->swappiness != UINT64_MAX)
		r = limit_write(cg, &swappy, e, "%llu", ULL(m->swappiness));
	return r;
}

/* ---- cpu -------------------------------------------------------------- */

/* A shorter period or a larger burst may only fit once the new quota is in:
 * then -EINVAL is kept for a second try. */
static int set_or_defer(const struct cgroup *cg, const struct limit *l, uint64_t v, bool *later,
			struct err *e)
{
	char buf[24];
	int r;

	snprintf(buf, sizeof buf, "%llu", ULL(v));
	r = limit_try(cg, l, buf);
	if (r == -EINVAL && later) {
		*later = true;
		return 0;
	}
	return r < 0 ? limit_fail(l, buf, r, e) : 0;
}

static int set_bandwidth(const struct cgroup *cg, const struct spec_cpu *c, struct err *e)
{
	static const struct limit period = { "cpu", "cpu.cfs_period_us", "/cpu/period" };
	static const struct limit quota = { "cpu", "cpu.cfs_quota_us", "/cpu/quota" };
	static const struct limit burst = { "cpu", "cpu.cfs_burst_us", "/cpu/burst" };
	bool has_quota = c->has_quota && c->quota, period_later = false, burst_later = false;
	int r = 0;

	if (c->has_burst)
		r = set_or_defer(cg, &burst, c->burst, has_quota ? &burst_later : NULL, e);
	if (r == 0 && c->has_period && c->period)
		r = set_or_defer(cg, &period, c->period, has_quota ? &period_later : NULL, e);
	if (r == 0 && has_quota)
		r = limit_write(cg, &quota, e, "%lld", LL(c->quota));
	if (r == 0 && period_later)
		r = set_or_defer(cg, &period, c->period, NULL, e);
	if (r == 0 && burst_later)
		r = set_or_defer(cg, &burst, c->burst, NULL, e);
	return r;
}

/* The kernel clamps shares silently. */
static int set_shares(const struct cgroup *cg, uint64_t shares, struct err *e)
{
	static const struct limit l = { "cpu", "cpu.shares", "/cpu/shares" };
	uint64_t got;
	int r = limit_write(cg, &l, e, "%llu", ULL(shares));

	if (r < 0 || limit_read(cg, "cpu", "cpu.shares", &got) < 0 || got == shares)
		return r;
	return err_set(e, ERR_INVALID, 0, "/linux/resources/cpu/shares: the %s allowed is %llu",
		       shares > got ? "maximum" : "minimum", ULL(got));
}

static int set_cpu(const struct cgroup *cg, const struct spec_cpu *c, struct err *e)
{
	static const struct limit rt_period = { "cpu", "cpu.rt_period_us", "/cpu/realtimePeriod" };
	static const struct limit rt_runtime = { "cpu", "cpu.rt_runtime_us",
						 "/cpu/realtimeRuntime" };
	static const struct limit idle = { "cpu", "cpu.idle", "/cpu/idle" };
	static const struct limit cpus = { "cpuset", "cpuset.cpus", "/cpu/cpus" };
	static const struct limit mems = { "cpuset", "cpuset.mems", "/cpu/mems" };
	int r = 0;

	if (c->has_rt_period && c->rt_period)
		r = limit_write(cg, &rt_period, e, "%llu", ULL(c->rt_period));
	if (r == 0 && c->has_rt_runtime && c->rt_runtime)
		r = limit_write(cg, &rt_runtime, e, "%lld", LL(c->rt_runtime));
	/* An idle group takes no shares: leave idle first, enter it last. */
	if (r == 0 && c->has_idle && !c->idle)
		r = limit_write(cg, &idle, e, "0");
	if (r == 0 && c->has_shares && c->shares)
		r = set_shares(cg, c->shares, e);
	if (r == 0 && c->has_idle && c->idle)
		r = limit_write(cg, &idle, e, "%lld", LL(c->idle));
	if (r == 0)
		r = set_bandwidth(cg, c, e);
	if (r == 0 && !str_empty(c->cpus))
		r = limit_write(cg, &cpus, e, "%s", c->cpus);
	if (r == 0 && !str_empty(c->mems))
		r = limit_write(cg, &mems, e, "%s", c->mems);
	return r;
}

/* ---- block devices ---------------------------------------------------- */

static const struct limit throttle_limits[THROTTLE_COUNT] = {
	[THROTTLE_READ_BPS] = { "blkio", "blkio.throttle.read_bps_device",
				"/blockIO/throttleReadBpsDevice" },
	[THROTTLE_WRITE_BPS] = { "blkio", "blkio.throttle.write_bps_device",
				 "/blockIO/throttleWriteBpsDevice" },
	[THROTTLE_READ_IOPS] = { "blkio", "blkio.throttle.read_iops_device",
				 "/blockIO/throttleReadIOPSDevice" },
	[THROTTLE_WRITE_IOPS] = { "blkio", "blkio.throttle.write_iops_device",
				  "/blockIO/throttleWriteIOPSDevice" },
};

/* The weights have another name under the BFQ scheduler. */
static int set_weight(const struct cgroup *cg, const char *field, const char *const files[2],
		      const char *value, struct err *e)
{
	struct limit l = { "blkio", files[0], field };
	int r = limit_try(cg, &l, value);

	if (r == -ENOENT && files[1]) {
		struct limit bfq = { "blkio", files[1], field };

		r = limit_try(cg, &bfq, value);
		if (r != -ENOENT)
			l = bfq;
	}
	return r < 0 ? limit_fail(&l, value, r, e) : 0;
}

static int set_device_weight(const struct cgroup *cg, const struct spec_weight_device *w,
			     struct err *e)
{
	static const char *const files[] = { "blkio.weight_device", "blkio.bfq.weight_device" };
	static const char *const leaf_files[] = { "blkio.leaf_weight_device", NULL };
	char value[64];
	int r = 0;

	if (w->has_weight && w->weight) {
		snprintf(value, sizeof value, "%lld:%lld %u", LL(w->major), LL(w->minor), w->weight);
		r = set_weight(cg, "/blockIO/weightDevice", files, value, e);
	}
	if (r == 0 && w->has_leaf_weight && w->leaf_weight) {
		snprintf(value, sizeof value, "%lld:%lld %u", LL(w->major), LL(w->minor),
			 w->leaf_weight);
		r = set_weight(cg, "/blockIO/weightDevice", leaf_files, value, e);
	}
	return r;
}

static int set_block_io(const struct cgroup *cg, const struct spec_block_io *b, struct err *e)
{
	static const char *const files[] = { "blkio.weight", "blkio.bfq.weight" };
	static const char *const leaf_files[] = { "blkio.leaf_weight", NULL };
	char value[16];
	int r = 0;

	if (b->has_weight && b->weight) {
		snprintf(value, sizeof value, "%u", b->weight);
		r = set_weight(cg, "/blockIO/weight", files, value, e);
	}
	if (r == 0 && b->has_leaf_weight && b->leaf_weight) {
		snprintf(value, sizeof value, "%u", b->leaf_weight);
		r = set_weight(cg, "/blockIO/leafWeight", leaf_files, value, e);
	}
	for (size_t i = 0; r == 0 && i < b->n_weight_devices; i++)
		r = set_device_weight(cg, &b->weight_devices[i], e);
	for (int t = 0; t < THROTTLE_COUNT; t++)
		for (size_t i = 0; r == 0 && i < b->n_throttle[t]; i++) {
			const struct spec_throttle_device *d = &b->throttle[t][i];

			r = limit_write(cg, &throttle_limits[t], e, "%lld:%lld %llu", LL(d->major),
					LL(d->minor), ULL(d->rate));
		}
	return r;
}

/* ---- the rest --------------------------------------------------------- */

static int set_network(const struct cgroup *cg, const struct spec_resources *res, struct err *e)
{
	static const struct limit class_id = { "net_cls", "net_cls.classid", "/network/classID" };
	static const struct limit prio = { "net_prio", "net_prio.ifpriomap", "/network/priorities" };
	int r = 0;

	if (res->has_net_class_id && res->net_class_id)
		r = limit_write(cg, &class_id, e, "%u", res->net_class_id);
	for (size_t i = 0; r == 0 && i < res->n_net_priorities; i++)
		r = limit_write(cg, &prio, e, "%s %u", res->net_priorities[i].name,
				res->net_priorities[i].priority);
	return r;
}

int cgroup_apply_v1(const struct cgroup *cg, const struct spec_resources *res, struct err *e)
{
	int r;

	if (res->n_unified)
		return limit_missing("/unified", "v1", e);
	r = set_memory(cg, &res->memory, e);
	if (r == 0)
		r = set_cpu(cg, &res->cpu, e);
	if (r == 0 && res->has_pids)
		r = limit_pids(cg, res->pids_limit, e);
	if (r == 0)
		r = set_block_io(cg, &res->block_io, e);
	if (r == 0)
		r = limit_hugepages(cg, res, ".limit_in_bytes", e);
	if (r == 0)
		r = set_network(cg, res, e);
	for (size_t i = 0; r == 0 && i < res->n_rdma; i++)
		r = limit_rdma(cg, &res->rdma[i], e);
	return r;
}
