/* Limits as systemd's unit properties; see cgroup_systemd_props.h and
 * systemd.resource-control(5). */
#include "cgroup_systemd_props.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cgroup_devices.h"
#include "cgroup_limits.h"
#include "dbus.h"
#include "err.h"
#include "file.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

/* ---- one property ----------------------------------------------------- */

static void prop_head(struct sb *b, const char *name, const char *type)
{
	dbus_put_align(b, 8);
	dbus_put_string(b, name);
	dbus_put_signature(b, type);
}

static void prop_u64(struct sb *b, const char *name, uint64_t v)
{
	prop_head(b, name, "t");
	dbus_put_u64(b, v);
}

void prop_bool(struct sb *b, const char *name, bool v)
{
	prop_head(b, name, "b");
	dbus_put_u32(b, v);
}

void prop_string(struct sb *b, const char *name, const char *v)
{
	prop_head(b, name, "s");
	dbus_put_string(b, v);
}

void prop_u32s(struct sb *b, const char *name, uint32_t v)
{
	size_t mark;

	prop_head(b, name, "au");
	mark = dbus_put_array(b, 4);
	dbus_put_u32(b, v);
	dbus_end_array(b, mark, 4);
}

/* ---- processor -------------------------------------------------------- */

enum { MAX_CPUS = 8192 };

static bool take_number(const char **p, unsigned long *ret)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	*ret = strtoul(*p, &end, 10);
	*p = end;
	return true;
}

/* "3" or "0-3", and the comma after it. */
static bool take_range(const char **p, unsigned long *from, unsigned long *to)
{
	if (!take_number(p, from))
		return false;
	*to = *from;
	if (**p == '-') {
		++*p;
		if (!take_number(p, to))
			return false;
	}
	if (**p == ',')
		++*p;
	else if (**p)
		return false;
	return *from <= *to && *to < MAX_CPUS;
}

/* "0-3,7" as a bit a CPU, lowest first. */
static int prop_cpus(struct sb *b, const char *name, const char *list, struct err *e)
{
	uint8_t bits[MAX_CPUS / 8] = { 0 };
	size_t used = 0;
	unsigned long from, to;

	for (const char *p = list; *p;) {
		if (!take_range(&p, &from, &to))
			return err_set(e, ERR_INVALID, 0, "/linux/resources/cpu: '%s' is not a list",
				       list);
		for (; from <= to; from++)
			bits[from / 8] |= (uint8_t)(1u << from % 8);
		used = to / 8 + 1 > used ? to / 8 + 1 : used;
	}
	prop_head(b, name, "ay");
	dbus_put_bytes(b, bits, used);
	return 0;
}

/* systemd keeps whole percents of a CPU: rounded up, so that the exact quota
 * that is written to the file later fits below it. */
static void prop_quota(struct sb *b, int64_t quota, uint64_t period)
{
	uint64_t per_second = UINT64_MAX;

	if (period)
		prop_u64(b, "CPUQuotaPeriodUSec", period);
	if (!quota && !period)
		return;
	if (quota > 0) {
		uint64_t p = period ? period : 100000;

		per_second = (uint64_t)quota > UINT64_MAX / 1000000 ?
				     UINT64_MAX :
				     (uint64_t)quota * 1000000 / p;
		if (per_second != UINT64_MAX && per_second % 10000)
			per_second = (per_second / 10000 + 1) * 10000;
	}
	prop_u64(b, "CPUQuotaPerSecUSec", per_second);
}

static int props_cpu(struct sb *b, bool v2, const struct spec_cpu *c, struct err *e)
{
	bool has_shares = c->has_shares && c->shares;
	int r = 0;

	/* A weight of 0 means idle, and any other takes that back. */
	if (v2 && c->has_idle && (c->idle || !has_shares))
		prop_u64(b, "CPUWeight", c->idle ? 0 : UINT64_MAX);
	else if (v2 && has_shares)
		prop_u64(b, "CPUWeight", cgroup_weight_from_shares(c->shares));
	else if (has_shares)
		prop_u64(b, "CPUShares", c->shares);
	prop_quota(b, c->has_quota ? c->quota : 0, c->has_period ? c->period : 0);
	if (!str_empty(c->cpus))
		r = prop_cpus(b, "AllowedCPUs", c->cpus, e);
	if (r == 0 && !str_empty(c->mems))
		r = prop_cpus(b, "AllowedMemoryNodes", c->mems, e);
	return r;
}

/* ---- memory ----------------------------------------------------------- */

static int props_memory(struct sb *b, bool v2, const struct spec_memory *m, struct err *e)
{
	int64_t limit = m->has_limit ? m->limit : 0, swap;
	bool set;
	int r;

	if (limit) /* -1 becomes "infinity" */
		prop_u64(b, v2 ? "MemoryMax" : "MemoryLimit", (uint64_t)limit);
	if (!v2)
		return 0;
	if (m->has_reservation && m->reservation)
		prop_u64(b, "MemoryLow", (uint64_t)m->reservation);
	/* An update of swap alone is left to the file: what it means depends on
	 * the limit that is in force. */
	if (!limit)
		return 0;
	r = cgroup_swap_from_memsw(m, limit, &swap, &set, e);
	if (r == 0 && set)
		prop_u64(b, "MemorySwapMax", (uint64_t)swap);
	return r;
}

/* ---- devices ---------------------------------------------------------- */

/* "pts" for char 136, from /proc/devices: systemd knows all minors of a major
 * only by the driver's name. */
static bool group_name(struct arena *a, const struct device_exception *x, char *buf, size_t cap)
{
	const char *want = x->type == 'b' ? "Block devices:" : "Character devices:";
	char *text, *line, name[64];
	bool in_section = false;
	long long major;

	if (file_read(a, AT_FDCWD, "/proc/devices", 65536, &text, NULL, NULL) < 0)
		return false;
	while ((line = strsep(&text, "\n"))) {
		if (strchr(line, ':'))
			in_section = !strcmp(line, want);
		else if (in_section && sscanf(line, "%lld %63s", &major, name) == 2 && major == x->major) {
			snprintf(buf, cap, "%s-%s", x->type == 'b' ? "block" : "char", name);
			return true;
		}
	}
	return false;
}

/* What systemd cannot say ("any major, minor 5") it denies; as in runc. */
static bool device_name(struct arena *a, const struct device_exception *x, char *buf, size_t cap)
{
	const char *kind = x->type == 'b' ? "block" : "char";

	if (x->major < 0 && x->minor >= 0)
		return false;
	if (x->major >= 0 && x->minor < 0)
		return group_name(a, x, buf, cap);
	if (x->major < 0)
		snprintf(buf, cap, "%s-*", kind);
	else
		snprintf(buf, cap, "/dev/%s/%lld:%lld", kind, (long long)x->major, (long long)x->minor);
	return true;
}

static int props_devices(struct sb *b, const struct spec_resources *res, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct device_policy p;
	size_t mark;
	int r = device_policy_make(&a, res->devices, res->n_devices, &p, e);

	if (r < 0)
		return r;
	/* systemd has no deny list: our own rules do that part. */
	prop_string(b, "DevicePolicy", p.allow ? "auto" : "strict");
	prop_head(b, "DeviceAllow", "a(ss)");
	mark = dbus_put_array(b, 8);
	for (size_t i = 0; i < p.n && !p.allow; i++) {
		const struct device_exception *x = &p.list[i];
		char name[128], access[4];

		if (!device_name(&a, x, name, sizeof name))
			continue;
		snprintf(access, sizeof access, "%s%s%s", x->access & DEVICE_READ ? "r" : "",
			 x->access & DEVICE_WRITE ? "w" : "", x->access & DEVICE_MKNOD ? "m" : "");
		dbus_put_align(b, 8);
		dbus_put_string(b, name);
		dbus_put_string(b, access);
	}
	dbus_end_array(b, mark, 8);
	return 0;
}

/* ---- unified ---------------------------------------------------------- */

static const struct {
	const char *file, *property;
} unified_numbers[] = {
	{ "cpu.weight", "CPUWeight" },
	{ "io.weight", "IOWeight" },
	{ "memory.high", "MemoryHigh" },
	{ "memory.low", "MemoryLow" },
	{ "memory.max", "MemoryMax" },
	{ "memory.min", "MemoryMin" },
	{ "memory.swap.max", "MemorySwapMax" },
	{ "pids.max", "TasksMax" },
};

/* Files that systemd has no property for are only written. */
static int prop_unified(struct sb *b, const struct kv *u, struct err *e)
{
	const char *value = str_starts(u->value, "default ") ? u->value + 8 : u->value; /* io.weight */
	long long quota, period = 100000;
	uint64_t v = UINT64_MAX;

	if (!strcmp(u->key, "cpuset.cpus"))
		return prop_cpus(b, "AllowedCPUs", u->value, e);
	if (!strcmp(u->key, "cpuset.mems"))
		return prop_cpus(b, "AllowedMemoryNodes", u->value, e);
	if (!strcmp(u->key, "cpu.max")) {
		if (sscanf(u->value, "max %lld", &period) >= 0 && str_starts(u->value, "max"))
			prop_quota(b, -1, (uint64_t)period);
		else if (sscanf(u->value, "%lld %lld", &quota, &period) >= 1)
			prop_quota(b, quota, (uint64_t)period);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unified_numbers); i++)
		if (!strcmp(u->key, unified_numbers[i].file) &&
		    (!strcmp(value, "max") || parse_u64(value, 10, &v) == 0))
			prop_u64(b, unified_numbers[i].property, v);
	return 0;
}

int props_resources(struct sb *b, const struct cgroup_host *host, const struct spec_resources *r,
		    struct err *e)
{
	bool v2 = host->mode == CGROUP_V2;
	int n = 0;

	if (r->n_devices)
		n = props_devices(b, r, e);
	if (n == 0)
		n = props_memory(b, v2, &r->memory, e);
	if (n == 0)
		n = props_cpu(b, v2, &r->cpu, e);
	if (n < 0)
		return n;
	if (r->has_pids)
		prop_u64(b, "TasksMax", r->pids_limit > 0 ? (uint64_t)r->pids_limit : UINT64_MAX);
	if (r->block_io.has_weight && r->block_io.weight && v2)
		prop_u64(b, "IOWeight", cgroup_io_weight_from_blkio(r->block_io.weight));
	else if (r->block_io.has_weight && r->block_io.weight)
		prop_u64(b, "BlockIOWeight", r->block_io.weight);
	for (size_t i = 0; i < r->n_unified && n == 0; i++)
		n = prop_unified(b, &r->unified[i], e);
	return n;
}
