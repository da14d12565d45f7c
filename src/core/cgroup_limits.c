/* Limits: what v1 and v2 have in common; see cgroup_limits.h. */
#include "cgroup_limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cgroup_devices.h"
#include "err.h"
#include "file.h"
#include "spec.h"
#include "str.h"

#define ROOT "/linux/resources"

static int controller_dir(const struct cgroup *cg, const char *controller)
{
	int i = cgroup_hierarchy_of(cg->host, controller);

	return i < 0 ? -1 : cgroup_fd(cg, (size_t)i);
}

int limit_try(const struct cgroup *cg, const struct limit *l, const char *value)
{
	int dir = controller_dir(cg, l->controller);

	return dir < 0 ? -ENOENT : file_write_string(dir, l->file, value);
}

int limit_fail(const struct limit *l, const char *value, int r, struct err *e)
{
	if (r == -ENOENT)
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP,
			       ROOT "%s: the %s controller is not available (no %s)", l->field,
			       l->controller, l->file);
	return err_sys(e, r, ROOT "%s: write '%.200s' to %s", l->field, value, l->file);
}

int limit_write(const struct cgroup *cg, const struct limit *l, struct err *e, const char *fmt,
		...)
{
	char value[4096];
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	r = r < 0 || (size_t)r >= sizeof value ? -E2BIG : limit_try(cg, l, value);
	return r < 0 ? limit_fail(l, value, r, e) : 0;
}

int limit_missing(const char *field, const char *version, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP, ROOT "%s: cgroup %s has no such limit", field,
		       version);
}

int limit_read(const struct cgroup *cg, const char *controller, const char *file, uint64_t *ret)
{
	int dir = controller_dir(cg, controller);
	char buf[64];
	ssize_t n;

	if (dir < 0)
		return -ENOENT;
	n = file_read_line(dir, file, buf, sizeof buf);
	if (n < 0)
		return (int)n;
	buf[strcspn(buf, " ")] = '\0';
	if (!strcmp(buf, "max") || buf[0] == '-') {
		*ret = UINT64_MAX;
		return 0;
	}
	return parse_u64(buf, 10, ret);
}

const char *limit_or_max(char buf[24], int64_t value)
{
	if (value < 0)
		return "max";
	snprintf(buf, 24, "%lld", (long long)value);
	return buf;
}

/* ---- limits that both versions write alike ---------------------------- */

int limit_pids(const struct cgroup *cg, int64_t limit, struct err *e)
{
	static const struct limit l = { "pids", "pids.max", "/pids/limit" };
	const char *value;
	char buf[24];
	int r;

	value = limit_or_max(buf, limit > 0 ? limit : -1);
	r = limit_try(cg, &l, value);
	if (r == -ENOENT && limit <= 0)
		return 0; /* nobody limits pids here anyway */
	return r < 0 ? limit_fail(&l, value, r, e) : 0;
}

int limit_rdma(const struct cgroup *cg, const struct spec_rdma *d, struct err *e)
{
	static const struct limit l = { "rdma", "rdma.max", "/rdma" };
	char handles[32] = "", objects[32] = "";

	if (d->has_hca_handles)
		snprintf(handles, sizeof handles, " hca_handle=%u", d->hca_handles);
	if (d->has_hca_objects)
		snprintf(objects, sizeof objects, " hca_object=%u", d->hca_objects);
	return limit_write(cg, &l, e, "%s%s%s", d->device, handles, objects);
}

/* The pages a process uses, and (5.7) those it has reserved: without the
 * second a container is killed where it should have been refused. */
static int set_hugepage(const struct cgroup *cg, const struct spec_hugepage_limit *h,
			const char *suffix, struct err *e)
{
	char file[96], rsvd[96], value[24];
	struct limit l = { "hugetlb", file, "/hugepageLimits" };
	struct limit reserved = { "hugetlb", rsvd, "/hugepageLimits" };
	int r;

	if (strchr(h->page_size, '/') || strlen(h->page_size) > 32)
		return err_set(e, ERR_INVALID, 0, ROOT "/hugepageLimits: page size '%.64s'",
			       h->page_size);
	snprintf(file, sizeof file, "hugetlb.%s%s", h->page_size, suffix);
	snprintf(rsvd, sizeof rsvd, "hugetlb.%s.rsvd%s", h->page_size, suffix);
	snprintf(value, sizeof value, "%llu", (unsigned long long)h->limit);
	r = limit_write(cg, &l, e, "%s", value);
	if (r < 0)
		return r;
	r = limit_try(cg, &reserved, value);
	return r < 0 && r != -ENOENT ? limit_fail(&reserved, value, r, e) : 0;
}

int limit_hugepages(const struct cgroup *cg, const struct spec_resources *res, const char *suffix,
		    struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < res->n_hugepages; i++)
		r = set_hugepage(cg, &res->hugepages[i], suffix, e);
	return r;
}

/* ---- conversions ------------------------------------------------------ */

/* A straight line between the ends of both scales, as runc 1.1 and crun draw
 * it: the default of 1024 becomes a weight of 39. (Since 1.3 runc has a curve
 * through 100 there.) */
uint64_t cgroup_weight_from_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	return 1 + (shares - 2) * 9999 / 262142;
}

uint64_t cgroup_io_weight_from_blkio(uint16_t weight)
{
	if (weight == 0)
		return 0;
	return 1 + ((uint64_t)weight - 10) * 9999 / 990;
}

int cgroup_swap_from_memsw(const struct spec_memory *m, int64_t limit, int64_t *ret, bool *set,
			   struct err *e)
{
	int64_t swap = m->has_swap ? m->swap : 0;

	*set = true;
	*ret = -1;
	/* As on v1: memory without a limit means swap without one. */
	if (swap == 0)
		*set = m->has_limit && m->limit < 0;
	if (swap <= 0)
		return 0;
	if (limit <= 0)
		return err_set(e, ERR_INVALID, 0,
			       ROOT "/memory/swap: a swap limit needs a memory limit");
	if (swap < limit)
		return err_set(e, ERR_INVALID, 0,
			       ROOT "/memory/swap: %lld is below the memory limit %lld",
			       (long long)swap, (long long)limit);
	*ret = swap - limit;
	return 0;
}

/* ---- all of it -------------------------------------------------------- */

/* "QUOTA PERIOD" is one file on v2, two on v1. UINT64_MAX: no quota. */
static int read_bandwidth(const struct cgroup *cg, uint64_t *quota, uint64_t *period)
{
	char buf[64], *space;
	int dir, r;

	if (cg->host->mode == CGROUP_V1) {
		r = limit_read(cg, "cpu", "cpu.cfs_quota_us", quota);
		return r < 0 ? r : limit_read(cg, "cpu", "cpu.cfs_period_us", period);
	}
	dir = controller_dir(cg, "cpu");
	r = dir < 0 ? -ENOENT : (int)file_read_line(dir, "cpu.max", buf, sizeof buf);
	space = r < 0 ? NULL : strchr(buf, ' ');
	if (!space)
		return r < 0 ? r : -EPROTO;
	r = parse_u64(space + 1, 10, period);
	return r < 0 ? r : limit_read(cg, "cpu", "cpu.max", quota);
}

void cgroup_complete(const struct cgroup *cg, struct spec_resources *r)
{
	struct spec_memory *m = &r->memory;
	struct spec_cpu *c = &r->cpu;
	bool has_quota = c->has_quota && c->quota, has_period = c->has_period && c->period;
	uint64_t v, period;

	if (has_quota != has_period && read_bandwidth(cg, &v, &period) == 0) {
		if (!has_quota)
			c->quota = v == UINT64_MAX ? -1 : (int64_t)v;
		if (!has_period)
			c->period = period;
		c->has_quota = c->has_period = true;
	}
	if (cg->host->mode == CGROUP_V2 && m->has_swap && m->swap && !(m->has_limit && m->limit) &&
	    limit_read(cg, "memory", "memory.max", &v) == 0) {
		m->has_limit = true;
		m->limit = v > INT64_MAX ? -1 : (int64_t)v;
	}
	/* To leave what it is not in would reset the weight. */
	if (c->has_idle && !c->idle && limit_read(cg, "cpu", "cpu.idle", &v) == 0 && !v)
		c->has_idle = false;
}

/* checkBeforeUpdate: rather an error than a kill by the new limit. */
static int check_usage(const struct cgroup *cg, const struct spec_memory *m, struct err *e)
{
	const char *file = cg->host->mode == CGROUP_V2 ? "memory.current" : "memory.usage_in_bytes";
	uint64_t usage;

	if (!m->check_before_update || !m->has_limit || m->limit <= 0)
		return 0;
	if (limit_read(cg, "memory", file, &usage) < 0 || (uint64_t)m->limit >= usage)
		return 0;
	return err_set(e, ERR_INVALID, -EBUSY,
		       ROOT "/memory/limit: %lld is below the current usage of %llu",
		       (long long)m->limit, (unsigned long long)usage);
}

int cgroup_apply(struct cgroup *cg, const struct spec_resources *r, bool devices, struct err *e)
{
	int n;

	if (cg->host->mode == CGROUP_NONE)
		return 0;
	n = check_usage(cg, &r->memory, e);
	if (n == 0 && devices && r->n_devices)
		n = cgroup_devices_apply(cg, r->devices, r->n_devices, e);
	if (n < 0)
		return n;
	return cg->host->mode == CGROUP_V2 ? cgroup_apply_v2(cg, r, e) : cgroup_apply_v1(cg, r, e);
}
