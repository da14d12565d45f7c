/* Statistics from made-up files, and the JSON they become. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cgroup_fake.h"
#include "cgroup_stats.h"
#include "err.h"
#include "fd.h"
#include "json.h"
#include "mem.h"
#include "str.h"

static char *printed(struct arena *a, const struct cgroup *cg)
{
	OWN_SB struct sb b = SB_INIT;
	struct cgroup_stats s;
	struct err e;
	struct jw w;

	assert_int_equal(cgroup_stats_read(cg, a, &s, &e), 0);
	jw_init(&w, &b, NULL);
	cgroup_stats_print(&w, &s);
	assert_false(b.failed);
	return arena_strdup(a, b.s);
}

#define EMPTY_CPUSET                                                                        \
	"\"cpuset\":{\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,"           \
	"\"memory_migrate\":0,\"memory_spread_page\":0,\"memory_spread_slab\":0,"           \
	"\"memory_pressure\":0,\"sched_load_balance\":0,\"sched_relax_domain_level\":0}"

static void nothing_is_zeros(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct fake f;

	for (int mode = CGROUP_V1; mode <= CGROUP_V2; mode++) {
		fake_init(&f, mode);
		assert_string_equal(
			printed(&a, &f.cg),
			"{\"cpu\":{\"usage\":{\"kernel\":0,\"user\":0},\"throttling\":{}}," EMPTY_CPUSET
			",\"memory\":{\"usage\":{\"limit\":0,\"failcnt\":0},"
			"\"swap\":{\"limit\":0,\"failcnt\":0},\"kernel\":{\"limit\":0,\"failcnt\":0},"
			"\"kernelTCP\":{\"limit\":0,\"failcnt\":0}},\"pids\":{},\"blkio\":{},"
			"\"hugetlb\":{},\"intel_rdt\":{},\"network_interfaces\":null}");
		fake_done(&f);
	}
}

static void reads_v1(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct fake f;
	char *json;

	fake_init(&f, CGROUP_V1);
	fake_put(&f, "cpuacct.usage", "9347643\n");
	fake_put(&f, "cpuacct.stat", "user 3\nsystem 5\n");
	fake_put(&f, "cpuacct.usage_percpu", "1324265 8023378 \n");
	fake_put(&f, "cpuacct.usage_all", "cpu user system\n0 0 4000000\n1 4000000 0\n");
	fake_put(&f, "cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_time 99\nnr_bursts 0\n");
	fake_put(&f, "cpuset.cpus", "0-2,7\n");
	fake_put(&f, "cpuset.mems", "0\n");
	fake_put(&f, "cpuset.sched_relax_domain_level", "-1\n");
	fake_put(&f, "cpuset.sched_load_balance", "1\n");
	fake_put(&f, "memory.stat", "rss 5\ncache 12\nbad\nalso bad x\n");
	fake_put(&f, "memory.usage_in_bytes", "100\n");
	fake_put(&f, "memory.memsw.limit_in_bytes", "9223372036854771712\n");
	fake_put(&f, "memory.kmem.failcnt", "3\n");
	fake_put(&f, "pids.current", "1\n");
	fake_put(&f, "pids.max", "max\n");
	fake_put(&f, "blkio.bfq.io_serviced_recursive", "Total 0\n");
	fake_put(&f, "blkio.throttle.io_serviced_recursive", "8:0 Read 4\n8:0 Total 4\nTotal 4\n");
	fake_put(&f, "blkio.throttle.io_service_bytes_recursive", "8:16 Write 4096\nTotal 1\n");
	json = printed(&a, &f.cg);
	fake_done(&f);
	assert_non_null(strstr(json, "{\"cpu\":{\"usage\":{\"total\":9347643,"
				     "\"percpu\":[1324265,8023378],\"percpu_kernel\":[4000000,0],"
				     "\"percpu_user\":[0,4000000],\"kernel\":50000000,"
				     "\"user\":30000000},\"throttling\":{\"periods\":7,"
				     "\"throttledPeriods\":2,\"throttledTime\":99}}"));
	assert_non_null(strstr(json, "\"cpuset\":{\"cpus\":[0,1,2,7],\"cpu_exclusive\":0,"
				     "\"mems\":[0],"));
	assert_non_null(strstr(json, "\"sched_load_balance\":1,\"sched_relax_domain_level\":-1}"));
	assert_non_null(strstr(json, "\"memory\":{\"cache\":12,"
				     "\"usage\":{\"limit\":0,\"usage\":100,\"failcnt\":0},"
				     "\"swap\":{\"limit\":9223372036854771712,\"failcnt\":0},"
				     "\"kernel\":{\"limit\":0,\"failcnt\":3}"));
	assert_non_null(strstr(json, "\"raw\":{\"cache\":12,\"rss\":5}}"));
	assert_non_null(strstr(json, "\"pids\":{\"current\":1}"));
	assert_non_null(strstr(json, "\"blkio\":{\"ioServiceBytesRecursive\":["
				     "{\"major\":8,\"minor\":16,\"op\":\"Write\",\"value\":4096}],"
				     "\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":4},"
				     "{\"major\":8,\"op\":\"Total\",\"value\":4}]}"));
}

static void reads_v2(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct fake f;
	char *json;

	fake_init(&f, CGROUP_V2);
	fake_put(&f, "cpu.stat", "usage_usec 10\nuser_usec 4\nsystem_usec 6\nnr_periods 1\n"
				 "nr_throttled 1\nthrottled_usec 2\n");
	fake_put(&f, "cpu.pressure", "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\n"
				     "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	fake_put(&f, "memory.stat", "anon 1\nfile 2\n");
	fake_put(&f, "memory.current", "1000\n");
	fake_put(&f, "memory.max", "5000\n");
	fake_put(&f, "memory.swap.current", "10\n");
	fake_put(&f, "memory.swap.max", "max\n");
	fake_put(&f, "pids.current", "3\n");
	fake_put(&f, "pids.max", "9\n");
	fake_put(&f, "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1\n");
	json = printed(&a, &f.cg);
	assert_non_null(strstr(json, "\"usage\":{\"total\":10000,\"kernel\":6000,\"user\":4000}"));
	assert_non_null(strstr(json, "\"throttledTime\":2000},\"psi\":{\"some\":{\"avg10\":1.5,"
				     "\"avg60\":0.25,\"avg300\":0"));
	assert_non_null(strstr(json, "\"cache\":2,\"usage\":{\"limit\":5000,\"usage\":1000,"));
	assert_non_null(strstr(json, "\"swap\":{\"limit\":18446744073709551615,\"usage\":1010,"));
	assert_non_null(strstr(json, "\"pids\":{\"current\":3,\"limit\":9}"));
	assert_non_null(strstr(json, "\"ioServiceBytesRecursive\":["
				     "{\"major\":8,\"op\":\"Read\",\"value\":1},"
				     "{\"major\":8,\"op\":\"Write\",\"value\":2}]"));
	fake_put(&f, "memory.swap.max", "100\n");
	json = printed(&a, &f.cg);
	assert_non_null(strstr(json, "\"swap\":{\"limit\":5100,"));
	fake_done(&f);
}

/* With too little memory there is an error, and never a part of the numbers. */
static void no_memory(void **state)
{
	struct cgroup_stats s;
	size_t max = 0;
	struct fake f;
	int i, r;

	fake_init(&f, CGROUP_V1);
	fake_put(&f, "memory.stat", "rss 5\ncache 12\nmapped_file 7\n");
	/* Its list would come after that, and miss what the names miss. */
	i = cgroup_hierarchy_of(&f.host, "hugetlb");
	assert_true(i >= 0);
	fd_closep(&f.cg.fd[i]);
	do {
		OWN_ARENA struct arena a = { .max = max += 8 };
		struct err e = { 0 };

		r = cgroup_stats_read(&f.cg, &a, &s, &e);
		assert_int_equal(e.sys, r < 0 ? ENOMEM : 0);
		if (r == 0)
			assert_int_equal(s.memory.n_raw, 3);
	} while (r < 0);
	assert_true(max > 1024);
	fake_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_zeros),
		cmocka_unit_test(reads_v1),
		cmocka_unit_test(reads_v2),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
