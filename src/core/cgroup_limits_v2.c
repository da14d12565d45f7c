/* Limits on cgroup v2. The document speaks v1; conversions are runc's. What
 * is 0 in a number means "not given", as there. */
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

static int set_swap(const struct cgroup *cg, const struct spec_memory *m, struct err *e)
{
	static const struct limit l = { "memory", "memory.swap.max", "/memory/swap" };
	const char *value;
	int64_t swap;
	char buf[24];
	bool set;
	int r;

	r = cgroup_swap_from_memsw(m, m->has_limit ? m->limit : 0, &swap, &set, e);
	if (r < 0 || !set)
		return r;
	value = limit_or_max(buf, swap);
	r = limit_try(cg, &l, value);
	/* Without swap accounting there is no swap to limit to nothing. */
	if (r == -ENOENT && swap <= 0)
		return 0;
	return r < 0 ? limit_fail(&l, value, r, e) : 0;
}

static int set_memory(const struct cgroup *cg, const struct spec_memory *m, struct err *e)
{
	static const struct limit max = { "memory", "memory.max", "/memory/limit" };
	static const struct limit low = { "memory", "memory.low", "/memory/reservation" };
	char buf[24];
	int r = 0;

	if (m->has_disable_oom_killer && m->disable_oom_killer)
		return limit_missing("/memory/disableOOMKiller", "v2", e);
	if (m->has_swappiness && m->swappiness != UINT64_MAX)
		return limit_missing("/memory/swappiness", "v2", e);
	if (m->has_limit || m->has_swap)
		r = set_swap(cg, m, e);
	if (r == 0 && m->has_limit && m->limit)
		r = limit_write(cg, &max, e, "%s", limit_or_max(buf, m->limit));
	if (r == 0 && m->has_reservation && m->reservation)
		r = limit_write(cg, &low, e, "%s", limit_or_max(buf, m->reservation));
	return r;
}

/* ---- cpu -------------------------------------------------------------- */

/* One file holds quota and period; cgroup_complete() gave the other. */
static int set_bandwidth(const struct cgroup *cg, const struct spec_cpu *c, struct err *e)
{
	static const struct limit l = { "cpu", "cpu.max", "/cpu/quota" };
	static const struct limit burst = { "cpu", "cpu.max.burst", "/cpu/burst" };
	bool has_quota = c->has_quota && c->quota, has_period = c->has_period && c->period;
	bool burst_later = false;
	const char *quota;
	char value[24];
	int r = 0;

	if (c->has_burst) {
		snprintf(value, sizeof value, "%llu", ULL(c->burst));
		r = limit_try(cg, &burst, value);
		burst_later = r == -EINVAL && has_quota;
		if (r < 0 && !burst_later)
			return limit_fail(&burst, value, r, e);
		r = 0;
	}
	quota = limit_or_max(value, has_quota ? c->quota : -1);
	if (has_period)
		r = limit_write(cg, &l, e, "%s %llu", quota, ULL(c->period));
	else if (has_quota)
		r = limit_write(cg, &l, e, "%s", quota);
	if (r == 0 && burst_later)
		r = limit_write(cg, &burst, e, "%llu", ULL(c->burst));
	return r;
}

static int set_cpu(const struct cgroup *cg, const struct spec_cpu *c, struct err *e)
{
	static const struct limit weight = { "cpu", "cpu.weight", "/cpu/shares" };
	static const struct limit idle = { "cpu", "cpu.idle", "/cpu/idle" };
	static const struct limit cpus = { "cpuset", "cpuset.cpus", "/cpu/cpus" };
	static const struct limit mems = { "cpuset", "cpuset.mems", "/cpu/mems" };
	int r = 0;

	if (c->has_rt_period && c->rt_period)
		return limit_missing("/cpu/realtimePeriod", "v2", e);
	if (c->has_rt_runtime && c->rt_runtime)
		return limit_missing("/cpu/realtimeRuntime", "v2", e);
	/* An idle group takes no weight: leave idle first, enter it last. */
	if (c->has_idle && !c->idle)
		r = limit_write(cg, &idle, e, "0");
	if (r == 0 && c->has_shares && c->shares)
		r = limit_write(cg, &weight, e, "%llu", ULL(cgroup_weight_from_shares(c->shares)));
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

/* BFQ has its own file with v1's scale; without BFQ io.weight has another.
 * `device` is "8:0 " or "". */
static int set_weight(const struct cgroup *cg, const char *field, const char *device,
		      uint16_t weight, struct err *e)
{
	struct limit bfq = { "io", "io.bfq.weight", field };
	struct limit io = { "io", "io.weight", field };
	char value[64];
	int r;

	snprintf(value, sizeof value, "%s%u", device, weight);
	r = limit_try(cg, &bfq, value);
	if (r != -ENOENT)
		return r < 0 ? limit_fail(&bfq, value, r, e) : 0;
	return limit_write(cg, &io, e, "%s%llu", device, ULL(cgroup_io_weight_from_blkio(weight)));
}

static const struct {
	const char *key, *field;
} throttles[THROTTLE_COUNT] = {
	[THROTTLE_READ_BPS] = { "rbps", "/blockIO/throttleReadBpsDevice" },
	[THROTTLE_WRITE_BPS] = { "wbps", "/blockIO/throttleWriteBpsDevice" },
	[THROTTLE_READ_IOPS] = { "riops", "/blockIO/throttleReadIOPSDevice" },
	[THROTTLE_WRITE_IOPS] = { "wiops", "/blockIO/throttleWriteIOPSDevice" },
};

static int set_throttle(const struct cgroup *cg, int t, const struct spec_throttle_device *d,
			struct err *e)
{
	struct limit l = { "io", "io.max", throttles[t].field };
	char rate[24];

	/* v1 takes 0 for "no limit", v2 wants the word. */
	if (d->rate)
		snprintf(rate, sizeof rate, "%llu", ULL(d->rate));
	return limit_write(cg, &l, e, "%lld:%lld %s=%s", LL(d->major), LL(d->minor),
			   throttles[t].key, d->rate ? rate : "max");
}

static int set_block_io(const struct cgroup *cg, const struct spec_block_io *b, struct err *e)
{
	int r = 0;

	if (b->has_leaf_weight && b->leaf_weight)
		return limit_missing("/blockIO/leafWeight", "v2", e);
	if (b->has_weight && b->weight)
		r = set_weight(cg, "/blockIO/weight", "", b->weight, e);
	for (size_t i = 0; r == 0 && i < b->n_weight_devices; i++) {
		const struct spec_weight_device *w = &b->weight_devices[i];
		char device[48];

		if (w->has_leaf_weight && w->leaf_weight)
			return limit_missing("/blockIO/weightDevice", "v2", e);
		snprintf(device, sizeof device, "%lld:%lld ", LL(w->major), LL(w->minor));
		if (w->has_weight && w->weight)
			r = set_weight(cg, "/blockIO/weightDevice", device, w->weight, e);
	}
	for (int t = 0; t < THROTTLE_COUNT; t++)
		for (size_t i = 0; r == 0 && i < b->n_throttle[t]; i++)
			r = set_throttle(cg, t, &b->throttle[t][i], e);
	return r;
}

/* ---- the rest --------------------------------------------------------- */

/* File name and contents as they are; only one file of the container's own
 * directory, and never those that move processes or hand out the subtree. */
static int set_unified(const struct cgroup *cg, const struct kv *u, struct err *e)
{
	size_t n = strcspn(u->key, ".");
	char controller[64], field[128];
	struct limit l = { controller, u->key, field };

	snprintf(field, sizeof field, "/unified/%.100s", u->key);
	if (strchr(u->key, '/') || !u->key[n] || !n || n >= sizeof controller ||
	    (str_starts(u->key, "cgroup.") && !str_starts(u->key, "cgroup.max.") &&
	     strcmp(u->key, "cgroup.pressure") != 0))
		return err_set(e, ERR_INVALID, 0,
			       "/linux/resources%s: must be a file name like 'memory.high'", field);
	memcpy(controller, u->key, n);
	controller[n] = '\0';
	return limit_write(cg, &l, e, "%s", u->value);
}

int cgroup_apply_v2(const struct cgroup *cg, const struct spec_resources *res, struct err *e)
{
	int r;

	if (res->has_net_class_id && res->net_class_id)
		return limit_missing("/network/classID", "v2", e);
	if (res->n_net_priorities)
		return limit_missing("/network/priorities", "v2", e);
	r = set_memory(cg, &res->memory, e);
	if (r == 0)
		r = set_cpu(cg, &res->cpu, e);
	if (r == 0 && res->has_pids)
		r = limit_pids(cg, res->pids_limit, e);
	if (r == 0)
		r = set_block_io(cg, &res->block_io, e);
	if (r == 0)
		r = limit_hugepages(cg, res, ".max", e);
	for (size_t i = 0; r == 0 && i < res->n_rdma; i++)
		r = limit_rdma(cg, &res->rdma[i], e);
	for (size_t i = 0; r == 0 && i < res->n_unified; i++)
		r = set_unified(cg, &res->unified[i], e);
	return r;
}
