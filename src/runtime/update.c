/* update: change the limits of a container. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "rdt.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

struct update_flags {
	const char *resources;
	const char *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime;
	const char *cpuset_cpus, *cpuset_mems, *cpu_idle;
	const char *memory, *memory_reservation, *memory_swap, *kernel_memory, *kernel_memory_tcp;
	const char *l3_cache_schema, *mem_bw_schema;
	int64_t blkio_weight, pids_limit;
};

#define FLAG(name, letter, type, member, otherwise, help)                      \
	OPTION(name, letter, type, struct update_flags, member, otherwise, help)

static const struct option_def update_options[] = {
	FLAG("resources", 'r', OPT_STRING, resources, NULL,
	     "a file with a \"resources\" object as in config.json, or '-' for the standard input;\n"
	     "      all other options are ignored then"),
	FLAG("blkio-weight", 0, OPT_INT, blkio_weight, "0",
	     "weight of the cgroup's I/O, from 10 to 1000"),
	FLAG("cpu-period", 0, OPT_STRING, cpu_period, NULL,
	     "CPU period to be used for hardcapping (in usecs)"),
	FLAG("cpu-quota", 0, OPT_STRING, cpu_quota, NULL,
	     "CPU time (in usecs) that may be used in a period"),
	FLAG("cpu-burst", 0, OPT_STRING, cpu_burst, NULL,
	     "CPU time (in usecs) that may be saved up for a burst"),
	FLAG("cpu-share", 0, OPT_STRING, cpu_share, NULL,
	     "CPU shares (relative weight vs. other containers)"),
	FLAG("cpu-rt-period", 0, OPT_STRING, cpu_rt_period, NULL,
	     "CPU realtime period to be used for hardcapping (in usecs)"),
	FLAG("cpu-rt-runtime", 0, OPT_STRING, cpu_rt_runtime, NULL,
	     "CPU realtime (in usecs) that may be used in a period"),
	FLAG("cpuset-cpus", 0, OPT_STRING, cpuset_cpus, NULL, "CPU(s) to use"),
	FLAG("cpuset-mems", 0, OPT_STRING, cpuset_mems, NULL, "memory node(s) to use"),
	FLAG("cpu-idle", 0, OPT_STRING, cpu_idle, NULL, "1: SCHED_IDLE for the cgroup, 0: not"),
	FLAG("kernel-memory", 0, OPT_STRING, kernel_memory, NULL, NULL /* obsolete */),
	FLAG("kernel-memory-tcp", 0, OPT_STRING, kernel_memory_tcp, NULL, NULL /* obsolete */),
	FLAG("memory", 0, OPT_STRING, memory, NULL, "memory limit (in bytes)"),
	FLAG("memory-reservation", 0, OPT_STRING, memory_reservation, NULL,
	     "memory reservation or soft limit (in bytes)"),
	FLAG("memory-swap", 0, OPT_STRING, memory_swap, NULL,
	     "total memory usage (memory + swap); '-1': unlimited swap"),
	FLAG("pids-limit", 0, OPT_INT, pids_limit, "0",
	     "maximum number of processes in the container; -1: unlimited"),
	FLAG("l3-cache-schema", 0, OPT_STRING, l3_cache_schema, NULL,
	     "the string of Intel RDT/CAT L3 cache schema"),
	FLAG("mem-bw-schema", 0, OPT_STRING, mem_bw_schema, NULL,
	     "the string of Intel RDT/MBA memory bandwidth schema"),
	{ 0 },
};

static int bad_value(const char *flag, const char *s, int r, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid value for %s: \"%s\": %s", flag, s,
		       r == -ERANGE ? "value out of range" : "invalid syntax");
}

/* ---- from flags ----------------------------------------------------------- */

static int set_unsigned(const char *flag, const char *s, bool *has, uint64_t *to, struct err *e)
{
	int r;

	if (str_empty(s))
		return 0;
	r = parse_u64(s, 10, to);
	if (r < 0)
		return bad_value(flag, s, r, e);
	*has = true;
	return 0;
}

static int set_signed(const char *flag, const char *s, bool *has, int64_t *to, struct err *e)
{
	int r;

	if (str_empty(s))
		return 0;
	r = parse_i64(s, to);
	if (r < 0)
		return bad_value(flag, s, r, e);
	*has = true;
	return 0;
}

static int set_bytes(const char *flag, const char *s, bool *has, int64_t *to, struct err *e)
{
	int r;

	if (str_empty(s))
		return 0;
	*has = true;
	*to = -1;
	r = strcmp(s, "-1") ? bytes_parse(s, to) : 0;
	return r < 0 ? bad_value(flag, s, r, e) : 0;
}

static int cpu_of_flags(struct arena *a, const struct update_flags *f, struct spec_cpu *c,
			struct err *e)
{
	int r;

	r = set_unsigned("cpu-burst", f->cpu_burst, &c->has_burst, &c->burst, e);
	if (r == 0)
		r = set_unsigned("cpu-period", f->cpu_period, &c->has_period, &c->period, e);
	if (r == 0)
		r = set_unsigned("cpu-rt-period", f->cpu_rt_period, &c->has_rt_period,
				 &c->rt_period, e);
	if (r == 0)
		r = set_unsigned("cpu-share", f->cpu_share, &c->has_shares, &c->shares, e);
	if (r == 0)
		r = set_signed("cpu-quota", f->cpu_quota, &c->has_quota, &c->quota, e);
	if (r == 0)
		r = set_signed("cpu-rt-runtime", f->cpu_rt_runtime, &c->has_rt_runtime,
			       &c->rt_runtime, e);
	if (r == 0)
		r = set_signed("cpu-idle", f->cpu_idle, &c->has_idle, &c->idle, e);
	if (r < 0)
		return r;
	if (!str_empty(f->cpuset_cpus) && !(c->cpus = arena_strdup(a, f->cpuset_cpus)))
		return err_sys(e, -ENOMEM, "read the limits");
	if (!str_empty(f->cpuset_mems) && !(c->mems = arena_strdup(a, f->cpuset_mems)))
		return err_sys(e, -ENOMEM, "read the limits");
	return 0;
}

static int resources_of_flags(struct arena *a, const struct update_flags *f,
			      struct spec_resources *res, struct err *e)
{
	struct spec_memory *m = &res->memory;
	int r;

	r = cpu_of_flags(a, f, &res->cpu, e);
	if (r == 0)
		r = set_bytes("memory", f->memory, &m->has_limit, &m->limit, e);
	if (r == 0)
		r = set_bytes("memory-swap", f->memory_swap, &m->has_swap, &m->swap, e);
	if (r == 0)
		r = set_bytes("memory-reservation", f->memory_reservation, &m->has_reservation,
			      &m->reservation, e);
	if (r < 0)
		return r;
	if (!str_empty(f->kernel_memory) || !str_empty(f->kernel_memory_tcp))
		log_line(LOG_LEVEL_WARNING,
			 "Setting --kernel-memory or --kernel-memory-tcp is ignored");
	if (f->blkio_weight) {
		if (f->blkio_weight < 0 || f->blkio_weight > UINT16_MAX)
			return err_set(e, ERR_INVALID, 0, "invalid value for blkio-weight: %lld",
				       (long long)f->blkio_weight);
		res->block_io.has_weight = true;
		res->block_io.weight = (uint16_t)f->blkio_weight;
	}
	if (f->pids_limit) {
		res->has_pids = true;
		res->pids_limit = f->pids_limit;
	}
	return 0;
}

/* ---- from a document ------------------------------------------------------ */

static int resources_of_file(struct request *q, const char *path, struct spec_resources **ret,
			     struct err *e)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	char *text;
	size_t len;
	int r;

	if (is_stdin)
		r = file_read_fd(q->core.arena, STDIN_FILENO, name, JSON_MAX_SIZE, &text, &len, e);
	else
		r = file_read(q->core.arena, AT_FDCWD, path, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return r;
	return spec_parse_resources(q->core.arena, text, len, name, ret, e);
}

static int check_rdt(const struct update_flags *f, struct err *e)
{
	if (!str_empty(f->l3_cache_schema) && sys_faccessat(AT_FDCWD, RESCTRL "/info/L3", F_OK) < 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "Intel RDT/CAT: l3 cache schema is not enabled");
	if (!str_empty(f->mem_bw_schema) && sys_faccessat(AT_FDCWD, RESCTRL "/info/MB", F_OK) < 0)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "Intel RDT/MBA: memory bandwidth schema is not enabled");
	return 0;
}

static int update_rdt(struct container *ct, const struct update_flags *f, struct err *e)
{
	const struct spec_intel_rdt rdt = {
		.l3_cache_schema = (char *)(uintptr_t)f->l3_cache_schema,
		.mem_bw_schema = (char *)(uintptr_t)f->mem_bw_schema,
	};

	if (str_empty(f->l3_cache_schema) && str_empty(f->mem_bw_schema))
		return 0;
	return container_update_rdt(ct, &rdt, e);
}

static int update_run(struct request *q, void *options, struct err *e)
{
	const struct update_flags *f = options;
	struct spec_resources *res = arena_alloc(q->core.arena, sizeof *res);
	struct container ct;
	int r;

	if (!res)
		return err_sys(e, -ENOMEM, "read the limits");
	r = request_open(q, true, &ct, e);
	if (r < 0)
		return r;
	if (!str_empty(f->resources))
		r = resources_of_file(q, f->resources, &res, e);
	else
		r = resources_of_flags(q->core.arena, f, res, e);
	if (r == 0)
		r = check_rdt(f, e);
	if (r == 0)
		r = container_update(&ct, res, e);
	if (r >= 0)
		r = update_rdt(&ct, f, e);
	container_close(&ct);
	return r < 0 ? r : 0;
}

const struct verb verb_update = {
	.name = "update",
	.summary = "update container resource constraints",
	.usage = "<container-id>",
	.options = update_options,
	.options_size = sizeof(struct update_flags),
	.min_args = 1,
	.max_args = 1,
	.run = update_run,
};
