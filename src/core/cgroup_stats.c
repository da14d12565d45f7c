/* Statistics: reading them from v1 and v2; see cgroup_stats.h. */
#include "cgroup_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "cgroup_files.h"
#include "dir.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "str.h"
#include "sys.h"

/* What one reading works on. The buffer holds one file at a time; usage of
 * every CPU of a large machine is the longest. */
struct reader {
	const struct cgroup *cg;
	struct arena *a;
	struct cgroup_stats *s;
	bool failed; /* out of memory */
	int dir; /* of the controller at hand */
	char buf[65536];
};

enum { MAX_NUMBERS = 8192, MAX_NAMED = 512, MAX_IO = 1024, MAX_HUGE = 16, MAX_RDMA = 64 };

static void *list_of(struct reader *r, size_t n, size_t size)
{
	void *list = arena_calloc(r->a, n, size);

	r->failed |= !list;
	return list;
}

static char *copy_of(struct reader *r, const char *s)
{
	char *copy = arena_strdup(r->a, s);

	r->failed |= !copy;
	return copy;
}

/* Goes to a controller's directory; false: it is not there. */
static bool enter(struct reader *r, const char *controller)
{
	int i = cgroup_hierarchy_of(r->cg->host, controller);

	r->dir = i < 0 ? -1 : r->cg->fd[i];
	return r->dir >= 0;
}

static bool load(struct reader *r, const char *file)
{
	return file_read_line(r->dir, file, r->buf, sizeof r->buf) >= 0;
}

/* One number; "max" is UINT64_MAX. Stays as it is when the file is absent. */
static bool number(struct reader *r, const char *file, uint64_t *ret)
{
	if (!load(r, file))
		return false;
	if (!strcmp(r->buf, "max"))
		*ret = UINT64_MAX;
	else
		parse_u64(r->buf, 10, ret);
	return true;
}

/* The next line of what was loaded, cut into words; NULL at the end. */
static char *line(char **text)
{
	return strsep(text, "\n");
}

/* "key value": the value as a word, key cut off. NULL: the line is another. */
static const char *value_of(char *l)
{
	char *space = strchr(l, ' ');

	if (!space)
		return NULL;
	*space = '\0';
	return space + 1;
}

struct key {
	const char *name;
	uint64_t *to;
	uint64_t scale;
};

/* A flat keyed file into the places of a table that ends in an empty row.
 * Whether it is there. */
static bool keyed(struct reader *r, const char *file, const struct key *keys)
{
	char *text = r->buf, *l;

	if (!load(r, file))
		return false;
	while ((l = line(&text))) {
		const char *v = value_of(l);
		uint64_t n;

		for (const struct key *k = keys; v && k->name; k++)
			if (!strcmp(l, k->name) && parse_u64(v, 10, &n) == 0)
				*k->to = n * k->scale;
	}
	return true;
}

static bool add_number(struct reader *r, struct stats_numbers *list, uint64_t v)
{
	if (!list->v)
		list->v = list_of(r, MAX_NUMBERS, sizeof *list->v);
	if (!list->v || list->n == MAX_NUMBERS)
		return false;
	list->v[list->n++] = v;
	return true;
}

/* ---- processor -------------------------------------------------------- */

/* "0-3,7" */
static void range_list(struct reader *r, const char *file, struct stats_numbers *list)
{
	char *text = r->buf, *part;

	if (!load(r, file))
		return;
	while ((part = strsep(&text, ","))) {
		char *dash = strchr(part, '-');
		uint64_t from, to;

		if (dash)
			*dash = '\0';
		if (parse_u64(part, 10, &from) < 0)
			continue;
		to = from;
		if (dash)
			parse_u64(dash + 1, 10, &to);
		while (from <= to && add_number(r, list, from))
			from++;
	}
}

/* "cpu user system" a line, with a heading. */
static void usage_by_mode(struct reader *r)
{
	char *text = r->buf, *l;

	if (!load(r, "cpuacct.usage_all"))
		return;
	line(&text);
	while ((l = line(&text))) {
		uint64_t user, kernel;
		char *w[3];

		for (int i = 0; i < 3; i++)
			w[i] = strsep(&l, " ");
		if (w[2] && parse_u64(w[1], 10, &user) == 0 && parse_u64(w[2], 10, &kernel) == 0) {
			add_number(r, &r->s->cpu.percpu_user, user);
			add_number(r, &r->s->cpu.percpu_kernel, kernel);
		}
	}
}

static void v1_cpu(struct reader *r)
{
	uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK), v;
	struct cgroup_stats *s = r->s;
	const struct key throttling[] = {
		{ "nr_periods", &s->cpu.periods, 1 },
		{ "nr_throttled", &s->cpu.throttled_periods, 1 },
		{ "throttled_time", &s->cpu.throttled_time, 1 },
		{ "nr_bursts", &s->cpu.bursts, 1 },
		{ "burst_time", &s->cpu.burst_time, 1 },
		{ 0 },
	};
	const struct key modes[] = {
		{ "user", &s->cpu.user, tick },
		{ "system", &s->cpu.kernel, tick },
		{ 0 },
	};
	char *text, *word;

	if (enter(r, "cpu"))
		keyed(r, "cpu.stat", throttling);
	if (!enter(r, "cpuacct"))
		return;
	number(r, "cpuacct.usage", &s->cpu.total);
	keyed(r, "cpuacct.stat", modes);
	text = r->buf;
	if (load(r, "cpuacct.usage_percpu"))
		while ((word = strsep(&text, " ")))
			if (parse_u64(word, 10, &v) == 0)
				add_number(r, &s->cpu.percpu, v);
	usage_by_mode(r);
}

static void v1_cpuset(struct reader *r)
{
	struct cgroup_stats *s = r->s;
	const struct {
		const char *file;
		uint64_t *to;
	} flags[] = {
		{ "cpuset.cpu_exclusive", &s->cpuset.cpu_exclusive },
		{ "cpuset.mem_hardwall", &s->cpuset.mem_hardwall },
		{ "cpuset.mem_exclusive", &s->cpuset.mem_exclusive },
		{ "cpuset.memory_migrate", &s->cpuset.memory_migrate },
		{ "cpuset.memory_spread_page", &s->cpuset.memory_spread_page },
		{ "cpuset.memory_spread_slab", &s->cpuset.memory_spread_slab },
		{ "cpuset.memory_pressure", &s->cpuset.memory_pressure },
		{ "cpuset.sched_load_balance", &s->cpuset.sched_load_balance },
	};

	if (!enter(r, "cpuset"))
		return;
	range_list(r, "cpuset.cpus", &s->cpuset.cpus);
	range_list(r, "cpuset.mems", &s->cpuset.mems);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		number(r, flags[i].file, flags[i].to);
	if (load(r, "cpuset.sched_relax_domain_level"))
		parse_i64(r->buf, &s->cpuset.sched_relax_domain_level);
}

static void v2_cpu(struct reader *r)
{
	struct cgroup_stats *s = r->s;
	const struct key keys[] = {
		{ "usage_usec", &s->cpu.total, 1000 },
		{ "user_usec", &s->cpu.user, 1000 },
		{ "system_usec", &s->cpu.kernel, 1000 },
		{ "nr_periods", &s->cpu.periods, 1 },
		{ "nr_throttled", &s->cpu.throttled_periods, 1 },
		{ "throttled_usec", &s->cpu.throttled_time, 1000 },
		{ "nr_bursts", &s->cpu.bursts, 1 },
		{ "burst_usec", &s->cpu.burst_time, 1000 },
		{ 0 },
	};

	keyed(r, "cpu.stat", keys);
}

/* ---- memory ----------------------------------------------------------- */

static int compare_named(const void *a, const void *b)
{
	const struct stats_named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* memory.stat whole; `cache` is the line that says the page cache. */
static void raw_memory(struct reader *r, const char *cache)
{
	struct stats_named *list = list_of(r, MAX_NAMED, sizeof *list);
	char *text = r->buf, *l;
	size_t n = 0;

	if (!list || !load(r, "memory.stat"))
		return;
	while ((l = line(&text)) && n < MAX_NAMED) {
		const char *v = value_of(l);

		if (!v || parse_u64(v, 10, &list[n].value) < 0)
			continue;
		list[n].name = copy_of(r, l);
		if (!list[n].name)
			break;
		if (!strcmp(l, cache))
			r->s->memory.cache = list[n].value;
		n++;
	}
	qsort(list, n, sizeof *list, compare_named);
	r->s->memory.raw = list;
	r->s->memory.n_raw = n;
}

static void v1_memory_of(struct reader *r, const char *kind, struct stats_memory *m)
{
	char file[64];

	snprintf(file, sizeof file, "memory.%susage_in_bytes", kind);
	number(r, file, &m->usage);
	snprintf(file, sizeof file, "memory.%smax_usage_in_bytes", kind);
	number(r, file, &m->max);
	snprintf(file, sizeof file, "memory.%sfailcnt", kind);
	number(r, file, &m->failcnt);
	snprintf(file, sizeof file, "memory.%slimit_in_bytes", kind);
	number(r, file, &m->limit);
}

static void v1_memory(struct reader *r)
{
	struct cgroup_stats *s = r->s;
	const struct key oom[] = {
		{ "oom_kill_disable", &s->memory.oom.kill_disabled, 1 },
		{ "under_oom", &s->memory.oom.under_oom, 1 },
		{ "oom_kill", &s->memory.oom.kills, 1 },
		{ 0 },
	};

	if (!enter(r, "memory"))
		return;
	raw_memory(r, "cache");
	v1_memory_of(r, "", &s->memory.usage);
	v1_memory_of(r, "memsw.", &s->memory.swap);
	v1_memory_of(r, "kmem.", &s->memory.kernel);
	v1_memory_of(r, "kmem.tcp.", &s->memory.kernel_tcp);
	s->memory.oom.present = keyed(r, "memory.oom_control", oom);
}

/* v2 counts swap alone; readers of v1's layout expect it with the memory. */
static void v2_swap(struct reader *r)
{
	const struct stats_memory *m = &r->s->memory.usage;
	struct stats_memory *alone = &r->s->memory.swap_alone, *both = &r->s->memory.swap;

	if (!number(r, "memory.swap.current", &alone->usage))
		return;
	number(r, "memory.swap.max", &alone->limit);
	number(r, "memory.swap.peak", &alone->max);
	both->usage = alone->usage + m->usage;
	if (alone->limit != UINT64_MAX && m->limit != UINT64_MAX)
		both->limit = alone->limit + m->limit;
	else
		both->limit = UINT64_MAX;
}

static void v2_memory(struct reader *r)
{
	struct cgroup_stats *s = r->s;
	const struct key events[] = {
		{ "low", &s->memory.events.low, 1 },
		{ "high", &s->memory.events.high, 1 },
		{ "max", &s->memory.events.max, 1 },
		{ "oom", &s->memory.events.oom, 1 },
		{ "oom_kill", &s->memory.events.oom_kill, 1 },
		{ 0 },
	};

	raw_memory(r, "file");
	number(r, "memory.current", &s->memory.usage.usage);
	number(r, "memory.max", &s->memory.usage.limit);
	number(r, "memory.peak", &s->memory.usage.max);
	v2_swap(r);
	s->memory.events.present = keyed(r, "memory.events", events);
}

/* ---- block devices ---------------------------------------------------- */

static void add_io(struct reader *r, enum stats_io_table t, const struct stats_io *entry)
{
	if (!r->s->io.table[t])
		r->s->io.table[t] = list_of(r, MAX_IO, sizeof *entry);
	if (r->s->io.table[t] && r->s->io.n[t] < MAX_IO)
		r->s->io.table[t][r->s->io.n[t]++] = *entry;
}

/* "8:16" */
static bool parse_device(char *s, struct stats_io *io)
{
	char *colon = s ? strchr(s, ':') : NULL;

	if (!colon)
		return false;
	*colon = '\0';
	return parse_u64(s, 10, &io->major) == 0 && parse_u64(colon + 1, 10, &io->minor) == 0;
}

/* "8:0 Read 4096", "8:0 4096", and at the end "Total 4096". How many. */
static size_t v1_io_file(struct reader *r, const char *file, enum stats_io_table t)
{
	char *text = r->buf, *l;
	size_t n = 0;

	if (!load(r, file))
		return 0;
	while ((l = line(&text))) {
		struct stats_io io = { 0 };
		char *device = strsep(&l, " "), *op = strsep(&l, " ");
		char *value = l ? l : op;

		if (!value || !parse_device(device, &io) || parse_u64(value, 10, &io.value) < 0)
			continue;
		io.op = l ? copy_of(r, op) : NULL;
		add_io(r, t, &io);
		n++;
	}
	return n;
}

/* Which files count depends on scheduler and kernel: the first group that has
 * anything to say is taken, as runc does it. */
static void v1_io(struct reader *r)
{
	static const struct {
		const char *prefix, *suffix;
		bool all; /* or just bytes and requests */
	} groups[] = {
		{ "blkio.bfq.", "_recursive", true },
		{ "blkio.bfq.", "_recursive", false },
		{ "blkio.", "_recursive", true },
		{ "blkio.throttle.", "_recursive", false },
		{ "blkio.throttle.", "", false },
	};
	static const struct {
		const char *name;
		enum stats_io_table table;
		bool basic;
	} files[] = {
		{ "sectors", STATS_IO_SECTORS, false },
		{ "io_service_time", STATS_IO_SERVICE_TIME, false },
		{ "io_wait_time", STATS_IO_WAIT_TIME, false },
		{ "io_merged", STATS_IO_MERGED, false },
		{ "io_queued", STATS_IO_QUEUED, false },
		{ "time", STATS_IO_TIME, false },
		{ "io_serviced", STATS_IO_SERVICED, true },
		{ "io_service_bytes", STATS_IO_SERVICE_BYTES, true },
	};
	size_t n = 0;

	if (!enter(r, "blkio"))
		return;
	for (size_t g = 0; g < ARRAY_SIZE(groups) && !n; g++)
		for (size_t f = 0; f < ARRAY_SIZE(files); f++) {
			char name[96];

			if (!groups[g].all && !files[f].basic)
				continue;
			snprintf(name, sizeof name, "%s%s%s", groups[g].prefix, files[f].name,
				 groups[g].suffix);
			n += v1_io_file(r, name, files[f].table);
			if (!n)
				break; /* the first file decides about the group */
		}
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void v2_io(struct reader *r)
{
	static const struct {
		const char *key, *op;
		enum stats_io_table table;
	} map[] = {
		{ "rbytes=", "Read", STATS_IO_SERVICE_BYTES },
		{ "wbytes=", "Write", STATS_IO_SERVICE_BYTES },
		{ "rios=", "Read", STATS_IO_SERVICED },
		{ "wios=", "Write", STATS_IO_SERVICED },
	};
	char *text = r->buf, *l, *word;

	if (!load(r, "io.stat"))
		return;
	while ((l = line(&text))) {
		struct stats_io io = { 0 };

		if (!parse_device(strsep(&l, " "), &io))
			continue;
		while ((word = strsep(&l, " ")))
			for (size_t i = 0; i < ARRAY_SIZE(map); i++)
				if (str_starts(word, map[i].key) &&
				    parse_u64(word + strlen(map[i].key), 10, &io.value) == 0) {
					io.op = map[i].op;
					add_io(r, map[i].table, &io);
				}
	}
}

/* ---- the rest --------------------------------------------------------- */

static void pids(struct reader *r)
{
	if (!enter(r, "pids"))
		return;
	r->s->pids.present = number(r, "pids.current", &r->s->pids.current);
	number(r, "pids.max", &r->s->pids.limit);
	r->s->pids.unlimited = r->s->pids.limit == UINT64_MAX;
	if (r->s->pids.unlimited)
		r->s->pids.limit = 0;
}

/* "hugepages-2048kB" -> "2MB", as the files of the controller are named. */
static const char *page_size(struct reader *r, const char *dir)
{
	static const char *const units[] = { "KB", "MB", "GB" };
	unsigned long long n;
	char size[32];
	size_t u = 0;

	if (sscanf(dir, "hugepages-%llukB", &n) != 1)
		return NULL;
	for (; n >= 1024 && n % 1024 == 0 && u < 2; u++)
		n /= 1024;
	snprintf(size, sizeof size, "%llu%s", n, units[u]);
	return copy_of(r, size);
}

static void add_hugetlb(struct reader *r, const char *size)
{
	bool v2 = r->cg->host->mode == CGROUP_V2;
	struct stats_hugetlb h = { .size = size };
	const struct key events[] = { { "max", &h.failcnt, 1 }, { 0 } };
	char file[64];

	snprintf(file, sizeof file, "hugetlb.%s.%s", size, v2 ? "current" : "usage_in_bytes");
	if (!load(r, file))
		return;
	parse_u64(r->buf, 10, &h.usage);
	if (v2) {
		snprintf(file, sizeof file, "hugetlb.%s.max", size);
		number(r, file, &h.limit);
		snprintf(file, sizeof file, "hugetlb.%s.events", size);
		keyed(r, file, events);
	} else {
		snprintf(file, sizeof file, "hugetlb.%s.max_usage_in_bytes", size);
		number(r, file, &h.max);
		snprintf(file, sizeof file, "hugetlb.%s.failcnt", size);
		number(r, file, &h.failcnt);
	}
	if (r->s->n_hugetlb < MAX_HUGE)
		r->s->hugetlb[r->s->n_hugetlb++] = h;
}

static void hugetlb(struct reader *r)
{
	const struct dir_entry *d;
	struct dir_reader rd;
	OWN_FD dir = -1;

	if (!enter(r, "hugetlb"))
		return;
	dir = sys_openat(AT_FDCWD, "/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	r->s->hugetlb = list_of(r, MAX_HUGE, sizeof *r->s->hugetlb);
	if (dir < 0 || !r->s->hugetlb)
		return;
	rd = (struct dir_reader){ .fd = dir };
	while ((d = dir_next(&rd))) {
		const char *size = page_size(r, d->name);

		if (size)
			add_hugetlb(r, size);
	}
}

/* "mlx4_0 hca_handle=2 hca_object=max" */
static void rdma_file(struct reader *r, const char *file, struct stats_rdma_file *ret)
{
	char *text = r->buf, *l, *word;

	ret->present = load(r, file);
	ret->v = ret->present ? list_of(r, MAX_RDMA, sizeof *ret->v) : NULL;
	while (ret->v && ret->n < MAX_RDMA && (l = line(&text))) {
		struct stats_rdma *d = &ret->v[ret->n];
		const char *device = strsep(&l, " ");

		if (!l)
			continue;
		while ((word = strsep(&l, " "))) {
			char *value = strchr(word, '=');
			uint32_t n = 0;

			if (!value)
				continue;
			*value++ = '\0';
			if (!strcmp(value, "max"))
				n = UINT32_MAX;
			else
				parse_u32(value, &n);
			if (!strcmp(word, "hca_handle"))
				d->handles = n;
			else if (!strcmp(word, "hca_object"))
				d->objects = n;
		}
		d->device = copy_of(r, device);
		ret->n += d->device != NULL;
	}
}

static void rdma(struct reader *r)
{
	if (!enter(r, "rdma"))
		return;
	rdma_file(r, "rdma.current", &r->s->rdma.current);
	rdma_file(r, "rdma.max", &r->s->rdma.limit);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the same for "full". */
static void pressure(struct reader *r, const char *file, struct stats_pressure *p)
{
	char *text = r->buf, *l;

	if (!load(r, file))
		return;
	while ((l = line(&text))) {
		struct stats_pressure_line *to = str_starts(l, "some ") ? &p->some : &p->full;
		unsigned long long total;

		if (sscanf(l, "%*s avg10=%lf avg60=%lf avg300=%lf total=%llu", &to->avg10,
			   &to->avg60, &to->avg300, &total) == 4) {
			to->total = total;
			p->present = true;
		}
	}
}

static int no_memory(const struct cgroup *cg, struct err *e)
{
	return err_sys(e, -ENOMEM, "read the statistics of cgroup '%s'", cg->path);
}

int cgroup_stats_read(const struct cgroup *cg, struct arena *a, struct cgroup_stats *ret,
		      struct err *e)
{
	struct reader *r = malloc(sizeof *r);
	bool failed;

	if (!r)
		return no_memory(cg, e);
	*ret = (struct cgroup_stats){ 0 };
	r->failed = false;
	r->cg = cg;
	r->a = a;
	r->s = ret;
	if (cg->host->mode == CGROUP_V2) {
		if (enter(r, "cpu")) {
			v2_cpu(r);
			v2_memory(r);
			v2_io(r);
			pressure(r, "cpu.pressure", &ret->cpu.pressure);
			pressure(r, "memory.pressure", &ret->memory.pressure);
			pressure(r, "io.pressure", &ret->io.pressure);
		}
	} else {
		v1_cpu(r);
		v1_cpuset(r);
		v1_memory(r);
		v1_io(r);
	}
	pids(r);
	hugetlb(r);
	rdma(r);
	failed = r->failed;
	free(r);
	return failed ? no_memory(cg, e) : 0;
}
