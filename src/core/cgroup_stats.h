/*
 * What a container's cgroup has used: read from v1 or v2 into one struct, and
 * printed as the `data` of `events --stats`, in runc's layout (which speaks
 * v1: times in nanoseconds, swap including memory). What it has no place for
 * is not printed; others want it.
 *
 *	cgroup_stats_read(&cg, &a, &stats, e);
 *	cgroup_stats_print(&w, &stats);		// one JSON object
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cgroup;
struct err;
struct jw;

struct stats_numbers { /* arena memory */
	uint64_t *v;
	size_t n;
};

struct stats_memory {
	uint64_t limit, usage, max, failcnt; /* no limit: v1's largest number, v2 UINT64_MAX */
};

struct stats_named { /* one line of memory.stat */
	const char *name;
	uint64_t value;
};

struct stats_io {
	uint64_t major, minor, value;
	const char *op; /* "Read", ...; NULL: none */
};

/*      id              key in the output          */
#define STATS_IO(X)                                \
	X(SERVICE_BYTES, "ioServiceBytesRecursive") \
	X(SERVICED,      "ioServicedRecursive")     \
	X(QUEUED,        "ioQueueRecursive")        \
	X(SERVICE_TIME,  "ioServiceTimeRecursive")  \
	X(WAIT_TIME,     "ioWaitTimeRecursive")     \
	X(MERGED,        "ioMergedRecursive")       \
	X(TIME,          "ioTimeRecursive")         \
	X(SECTORS,       "sectorsRecursive")

enum stats_io_table {
#define X(id, key) STATS_IO_##id,
	STATS_IO(X)
#undef X
	STATS_IO_COUNT
};

struct stats_pressure_line {
	double avg10, avg60, avg300;
	uint64_t total;
};

struct stats_pressure { /* v2 */
	bool present;
	struct stats_pressure_line some, full;
};

struct stats_hugetlb {
	const char *size; /* "2MB" */
	uint64_t usage, max, failcnt;
	uint64_t limit; /* v2; UINT64_MAX: none */
};

struct stats_rdma { /* UINT32_MAX: no limit */
	const char *device;
	uint32_t handles, objects;
};

struct stats_rdma_file { /* a line a device */
	bool present;
	struct stats_rdma *v;
	size_t n;
};

struct cgroup_stats {
	struct {
		uint64_t total, kernel, user; /* nanoseconds */
		struct stats_numbers percpu, percpu_kernel, percpu_user; /* v1 */
		uint64_t periods, throttled_periods, throttled_time, bursts, burst_time;
		struct stats_pressure pressure;
	} cpu;
	struct { /* v1 */
		struct stats_numbers cpus, mems;
		uint64_t cpu_exclusive, mem_hardwall, mem_exclusive, memory_migrate,
			memory_spread_page, memory_spread_slab, memory_pressure, sched_load_balance;
		int64_t sched_relax_domain_level;
	} cpuset;
	struct {
		uint64_t cache;
		struct stats_memory usage, swap, kernel, kernel_tcp;
		struct stats_memory swap_alone; /* v2: without the memory, as its files have it */
		struct stats_named *raw; /* sorted by name */
		size_t n_raw;
		struct stats_pressure pressure;
		struct { /* v1 */
			bool present;
			uint64_t kill_disabled, under_oom, kills;
		} oom;
		struct { /* v2: how often */
			bool present;
			uint64_t low, high, max, oom, oom_kill;
		} events;
	} memory;
	struct {
		bool present;
		uint64_t current, limit; /* limit 0: none */
		bool unlimited; /* told apart from a limit of 0 */
	} pids;
	struct {
		struct stats_io *table[STATS_IO_COUNT];
		size_t n[STATS_IO_COUNT];
		struct stats_pressure pressure;
	} io;
	struct stats_hugetlb *hugetlb;
	size_t n_hugetlb;
	struct {
		struct stats_rdma_file current, limit;
	} rdma;
};

/* A controller or file that is not there leaves zeros. */
int cgroup_stats_read(const struct cgroup *cg, struct arena *a, struct cgroup_stats *ret,
		      struct err *e);
void cgroup_stats_print(struct jw *w, const struct cgroup_stats *s);
