/* cgroups: finding hierarchies, paths, and (as root, below /berth-test/) the
 * life of a real one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "cgroup_fake.h"
#include "err.h"
#include "fd.h"
#include "mem.h"
#include "spec.h"

/* ---- pure ------------------------------------------------------------- */

static const char hybrid_mounts[] =
	"23 1 0:22 / /sys rw - sysfs sysfs rw\n"
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset,clone_children\n"
	"34 31 0:32 / /mnt/else\\040where rw - cgroup cgroup rw,memory\n"
	"35 31 0:32 /sub /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char hybrid_self[] = "5:name=systemd:/user\n4:memory:/a/b\n3:cpuset:/\n"
				  "2:cpu,cpuacct:/\n1:pids:/\n0::/\n";

static void finds_hybrid(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host h;
	struct err e;

	assert_int_equal(cgroup_host_parse(&h, &a, hybrid_mounts, hybrid_self, &e), 0);
	assert_int_equal(h.mode, CGROUP_V1);
	assert_int_equal(h.n, 4); /* pids is not mounted, v2 is left out */
	assert_string_equal(h.h[0].controllers, "name=systemd");
	assert_string_equal(h.h[0].own, "/user");
	assert_string_equal(h.h[1].mountpoint, "/sys/fs/cgroup/memory");
	assert_string_equal(h.h[1].mount_root, "/sub");
	assert_string_equal(h.h[3].controllers, "cpu,cpuacct");
	assert_int_equal(cgroup_hierarchy_of(&h, "cpuacct"), 3);
	assert_int_equal(cgroup_hierarchy_of(&h, "cpu"), 3);
	assert_int_equal(cgroup_hierarchy_of(&h, "cpua"), -1);
	assert_int_equal(cgroup_hierarchy_of(&h, "pids"), -1);
}

static void finds_elsewhere(void **state)
{
	static const char mounts[] = "34 31 0:32 / /mnt/a\\040b\\134c rw - cgroup cgroup rw,memory\n";
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host h;

	assert_int_equal(cgroup_host_parse(&h, &a, mounts, "4:memory:/\n", NULL), 0);
	assert_int_equal(h.mode, CGROUP_V1);
	assert_string_equal(h.h[0].mountpoint, "/mnt/a b\\c");
}

static void finds_v2(void **state)
{
	static const char mounts[] =
		"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
		"31 23 0:27 / /run/vpn rw - cgroup cgroup rw,net_cls\n";
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host h;

	assert_int_equal(cgroup_host_parse(&h, &a, mounts, "1:net_cls:/\n0::/user.slice/x\n", NULL),
			 0);
	assert_int_equal(h.mode, CGROUP_V2);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.h[0].own, "/user.slice/x");
	assert_int_equal(cgroup_hierarchy_of(&h, "memory"), 0);
}

static void finds_nothing(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cgroup_host h;

	assert_int_equal(cgroup_host_parse(&h, &a, "", "", NULL), 0);
	assert_int_equal(h.mode, CGROUP_NONE);
	assert_int_equal(cgroup_host_parse(&h, &a, "1 2 3\n - \n\n-", ":\n::\nx:y\n0::/", NULL), 0);
	assert_int_equal(h.mode, CGROUP_NONE);
	assert_int_equal(h.n, 0);
}

static void chooses_paths(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ NULL, "/berth/c1" },
		{ "", "/berth/c1" },
		{ "/a/b", "/a/b" },
		{ "a/b", "/a/b" },
		{ "//a/.//b/", "/a/b" },
		{ "/", NULL },
		{ "/a/../b", NULL },
		{ "..", NULL },
		{ "/a..b", "/a..b" },
	};
	OWN_ARENA struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e = { 0 };
		char *path;
		int r = cgroup_path_from_spec(&a, t[i].in, "c1", &path, &e);

		if (t[i].out) {
			assert_int_equal(r, 0);
			assert_string_equal(path, t[i].out);
		} else {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(e.msg, "'"));
		}
	}
}

/* ---- real ------------------------------------------------------------- */

struct world {
	struct arena a;
	struct cgroup_host host;
	struct cgroup_host v2; /* the v2 of a hybrid, as if it were alone */
	bool has_v2;
};

static int world_setup(void **state)
{
	static struct world w;
	struct err e;

	w.a = (struct arena)ARENA_INIT;
	if (cgroup_host_read(&w.host, &w.a, &e) < 0)
		return -1;
	w.v2 = (struct cgroup_host){ .mode = CGROUP_V2, .n = 1 };
	w.v2.h[0] = (struct cgroup_hierarchy){ .controllers = (char *)"",
					       .mount_root = (char *)"/",
					       .own = (char *)"/" };
	w.v2.h[0].mountpoint = (char *)"/sys/fs/cgroup/unified";
	w.v2.v2_controllers = (char *)"";
	w.has_v2 = access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0;
	*state = &w;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *w = *state;

	arena_done(&w->a);
	return 0;
}

#define NEED_ROOT(w)                                                     \
	do {                                                             \
		if (geteuid() != 0 || (w)->host.mode != CGROUP_V1) \
			skip();                                          \
	} while (0)

static const char *test_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "/berth-test/unit-%d/%s", (int)getpid(), name);
	return path;
}

static void remove_parent(const struct cgroup_host *h)
{
	char parent[64], path[256];

	snprintf(parent, sizeof parent, "/berth-test/unit-%d", (int)getpid());
	for (size_t i = 0; i < h->n; i++) {
		snprintf(path, sizeof path, "%s%s", h->h[i].mountpoint, parent);
		rmdir(path);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

/* A child that joins by writing 0, runs `body` and exits with its result. */
static pid_t spawn_in(const struct cgroup *cg, int (*body)(void))
{
	int fds[CGROUP_MAX_HIERARCHIES], n, pipefd[2];
	struct err e;
	char c;
	pid_t pid;

	n = cgroup_join_fds(cg, fds, &e);
	assert_true(n > 0);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			if (write(fds[i], "0", 1) != 1)
				_exit(99);
		if (write(pipefd[1], "x", 1) != 1)
			_exit(98);
		_exit(body());
	}
	close(pipefd[1]);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	assert_int_equal(read(pipefd[0], &c, 1), 1);
	close(pipefd[0]);
	return pid;
}

static int body_pause(void)
{
	for (;;)
		pause();
	return 0;
}

/* A body that goes on forking short-lived children. */
static int body_forks(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (fork() == 0) {
			usleep(2000);
			_exit(0);
		}
		usleep(200);
	}
	return 0;
}

static void life(struct world *w, const struct cgroup_host *host, const char *name)
{
	struct cgroup cg, other;
	struct err e = { 0 };
	pid_t *pids, pid;
	size_t n;

	if (cgroup_create(&cg, host, test_path(name), &e) < 0)
		fail_msg("%s (%d)", e.msg, e.sys);
	assert_int_equal(cgroup_clone_fd(&cg), host->mode == CGROUP_V2 ? cg.fd[0] : -1);
	pid = spawn_in(&cg, body_pause);
	assert_int_equal(cgroup_pids(&cg, &w->a, &pids, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);

	/* Another container may not have the same one. */
	assert_int_equal(cgroup_create(&other, host, test_path(name), &e), -EBUSY);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(cgroup_open(&other, host, test_path(name), &e), 0);

	assert_int_equal(cgroup_is_frozen(&other, &e), 0);
	assert_int_equal(cgroup_freeze(&other, true, &e), 0);
	assert_int_equal(cgroup_is_frozen(&other, &e), 1);
	assert_int_equal(cgroup_wait_empty(&cg, 20, &e), -ETIMEDOUT);
	assert_int_equal(cgroup_destroy(&other, 20, &e), -EBUSY);
	/* SIGKILL reaches a frozen one. */
	assert_int_equal(cgroup_signal_all(&other, SIGKILL, &e), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cgroup_wait_empty(&cg, 5000, &e), 0);
	assert_int_equal(cgroup_destroy(&other, 5000, &e), 0);
	assert_int_equal(cgroup_destroy(&cg, 0, &e), 0);
	cgroup_done(&other);
	cgroup_done(&cg);
	remove_parent(host);
}

static void lives_on_v1(void **state)
{
	struct world *w = *state;

	NEED_ROOT(w);
	life(w, &w->host, "life");
}

static void lives_on_v2(void **state)
{
	struct world *w = *state;

	NEED_ROOT(w);
	if (!w->has_v2)
		skip();
	life(w, &w->v2, "life");
}

static void delegates(void **state)
{
	static const char *const files[] = { "", "cgroup.procs", "cgroup.threads", "cgroup.type",
					     "cgroup.subtree_control" };
	struct world *w = *state;
	struct cgroup cg, of;
	struct err e = { 0 };
	struct stat st;
	pid_t pid;

	NEED_ROOT(w);
	if (!w->has_v2)
		skip();
	assert_int_equal(cgroup_create(&cg, &w->v2, test_path("delegate"), &e), 0);
	assert_int_equal(cgroup_delegate(&cg, 1234, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(fstatat(cg.fd[0], files[i], &st, AT_EMPTY_PATH), 0);
		assert_int_equal(st.st_uid, strcmp(files[i], "cgroup.type") ? 1234 : 0);
	}
	pid = spawn_in(&cg, body_pause);
	assert_int_equal(cgroup_open_of(&of, &w->v2, pid, &e), 0);
	assert_string_equal(of.path, cg.path);
	cgroup_done(&of);
	assert_int_equal(cgroup_open_of(&of, &w->host, pid, &e), -EOPNOTSUPP);
	cgroup_done(&of);
	assert_int_equal(cgroup_signal_all(&cg, SIGKILL, &e), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cgroup_destroy(&cg, 5000, &e), 0);
	cgroup_done(&cg);
	remove_parent(&w->v2);
}

/* With ordinary directories in place of cgroups. */
static void enables_controllers(void **state)
{
	struct fake f;
	struct cgroup cg;
	struct err e = { 0 };

	fake_init(&f, CGROUP_V2);
	f.host.v2_controllers = (char *)"cpu memory pids";
	fake_put(&f, "cgroup.subtree_control", "");
	assert_int_equal(mkdirat(f.cg.fd[0], "a", 0755), 0);
	fake_put(&f, "a/cgroup.subtree_control", "");
	assert_int_equal(cgroup_create(&cg, &f.host, "/a/b", &e), 0);
	assert_string_equal(fake_get(&f, "cgroup.subtree_control"), "+cpu +memory +pids");
	assert_string_equal(fake_get(&f, "a/cgroup.subtree_control"), "+cpu +memory +pids");
	/* Never in the container's own: it could hold no process then. */
	assert_null(fake_get(&f, "a/b/cgroup.subtree_control"));
	cgroup_done(&cg);
	/* With all of them there already nothing is written; what is invalid
	 * becomes threaded. */
	fake_put(&f, "a/b/cgroup.procs", "");
	fake_put(&f, "a/b/cgroup.controllers", "cpu memory\n");
	fake_put(&f, "a/b/cgroup.type", "domain invalid\n");
	fake_put(&f, "cgroup.subtree_control", "");
	assert_int_equal(cgroup_create(&cg, &f.host, "/a/b", &e), 0);
	assert_string_equal(fake_get(&f, "a/b/cgroup.type"), "threadednvalid\n");
	cgroup_done(&cg);
	fake_put(&f, "a/b/cgroup.controllers", "cpu memory pids\n");
	fake_put(&f, "cgroup.subtree_control", "");
	assert_int_equal(cgroup_create(&cg, &f.host, "/a/b", &e), 0);
	assert_string_equal(fake_get(&f, "cgroup.subtree_control"), "");
	cgroup_done(&cg);
	fake_done(&f);
}

static void undoes_a_failed_create(void **state)
{
	struct world *w = *state;
	struct cgroup_host bad;
	struct cgroup cg;
	struct err e = { 0 };

	NEED_ROOT(w);
	bad = w->host;
	bad.h[bad.n - 1].mountpoint = (char *)"/proc/1/nothing";
	assert_true(cgroup_create(&cg, &bad, test_path("undo/deep/er"), &e) < 0);
	assert_non_null(strstr(e.msg, "make cgroup"));
	remove_parent(&w->host);

	/* The rootless way: what may not be written is left out. */
	bad.h[bad.n - 1].mountpoint = (char *)"/sys/kernel";
	assert_int_equal(cgroup_create_partial(&cg, &bad, test_path("undo"), &e), 0);
	assert_int_equal(cg.fd[bad.n - 1], -1);
	assert_true(cg.fd[0] >= 0);
	bad.n--;
	assert_int_equal(cgroup_destroy(&cg, 0, &e), 0);
	cgroup_done(&cg);
	remove_parent(&w->host);
}

/* Two that are made at the same moment, before there is a process in it. */
static void belongs_to_one(void **state)
{
	struct fake f;
	struct cgroup cg, other;
	struct err e = { 0 };
	char path[80];

	(void)state;
	fake_init(&f, CGROUP_V2);
	f.host.v2_controllers = (char *)"";
	assert_int_equal(cgroup_create(&cg, &f.host, "/one", &e), 0);
	fake_put(&f, "one/cgroup.procs", "");
	assert_int_equal(cgroup_create(&other, &f.host, "/one", &e), -EBUSY);
	assert_non_null(strstr(e.msg, "another container is being made in it"));
	snprintf(path, sizeof path, "%s/one", f.dir);
	assert_int_equal(access(path, F_OK), 0);
	cgroup_done(&cg);
	assert_int_equal(cgroup_create(&cg, &f.host, "/one", &e), 0);
	cgroup_done(&cg);
	fake_done(&f);
}

static void kills_a_fork_storm(struct world *w, const struct cgroup_host *host)
{
	struct cgroup cg;
	struct err e = { 0 };
	pid_t pid, *pids;
	size_t n;

	assert_int_equal(cgroup_create(&cg, host, test_path("storm"), &e), 0);
	pid = spawn_in(&cg, body_forks);
	usleep(20000);
	assert_int_equal(cgroup_signal_all(&cg, SIGKILL, &e), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cgroup_wait_empty(&cg, 5000, &e), 0);
	assert_int_equal(cgroup_pids(&cg, &w->a, &pids, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(cgroup_destroy(&cg, 5000, &e), 0);
	cgroup_done(&cg);
	remove_parent(host);
}

static void kills_all(void **state)
{
	struct world *w = *state;

	NEED_ROOT(w);
	for (int i = 0; i < 5; i++)
		kills_a_fork_storm(w, &w->host);
	if (w->has_v2)
		kills_a_fork_storm(w, &w->v2);
}

/* Nested cgroups as a container with a writable cgroup mount can make them. */
static void removes_nested(void **state)
{
	struct world *w = *state;
	struct cgroup cg;
	struct err e = { 0 };
	OWN_FD dir = -1;
	int top;

	NEED_ROOT(w);
	assert_int_equal(cgroup_create(&cg, &w->host, test_path("nest"), &e), 0);
	top = cgroup_fd(&cg, (size_t)cgroup_hierarchy_of(&w->host, "pids"));
	assert_int_equal(mkdirat(top, "a", 0755), 0);
	assert_int_equal(mkdirat(top, "b", 0755), 0);
	assert_int_equal(mkdirat(top, "b/x", 0755), 0);
	dir = openat(top, "a", O_PATH | O_DIRECTORY);
	for (int i = 0; i < 600; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		next = openat(dir, "d", O_PATH | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	assert_int_equal(cgroup_destroy(&cg, 100, &e), 0);
	cgroup_done(&cg);
	remove_parent(&w->host);
}

static int body_eats_memory(void)
{
	volatile char *p = malloc(64 << 20);

	for (size_t i = 0; p && i < (size_t)64 << 20; i += 4096)
		p[i] = 1;
	return 0;
}

static void sees_oom(void **state)
{
	struct spec_resources res = { 0 };
	struct world *w = *state;
	OWN_FD watch = -1;
	struct cgroup cg;
	struct err e = { 0 };
	uint64_t kills = 7;
	uint64_t events;
	int status;
	pid_t pid;

	NEED_ROOT(w);
	assert_int_equal(cgroup_create(&cg, &w->host, test_path("oom"), &e), 0);
	res.memory.has_limit = res.memory.has_swap = true;
	res.memory.limit = res.memory.swap = 8 << 20;
	assert_int_equal(cgroup_apply(&cg, &res, false, &e), 0);
	watch = cgroup_oom_fd(&cg, &e);
	assert_true(watch >= 0);
	assert_int_equal(cgroup_oom_count(&cg, &kills, &e), 0);
	assert_int_equal(kills, 0);
	pid = spawn_in(&cg, body_eats_memory);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(read(watch, &events, sizeof events), sizeof events);
	cgroup_oom_clear(watch);
	assert_int_equal(cgroup_oom_count(&cg, &kills, &e), 0);
	assert_int_equal(kills, 1);
	assert_int_equal(cgroup_destroy(&cg, 5000, &e), 0);
	cgroup_done(&cg);
	remove_parent(&w->host);
}

/* ---- what it costs ---------------------------------------------------- */

static double ms_since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) * 1e3 + (double)(t.tv_nsec - t0->tv_nsec) / 1e6;
}

static void costs(void **state)
{
	double best[4] = { 1e9, 1e9, 1e9, 1e9 };
	struct world *w = *state;
	int rounds = getenv("BERTH_TIMES") ? 100 : 2;
	struct timespec t;

	NEED_ROOT(w);
	for (int i = 0; i < rounds; i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		int fds[CGROUP_MAX_HIERARCHIES], n;
		struct cgroup_host host;
		struct cgroup cg;
		double ms[4];

		clock_gettime(CLOCK_MONOTONIC, &t);
		assert_int_equal(cgroup_host_read(&host, &a, NULL), 0);
		ms[0] = ms_since(&t);
		clock_gettime(CLOCK_MONOTONIC, &t);
		assert_int_equal(cgroup_create(&cg, &host, test_path("cost"), NULL), 0);
		ms[1] = ms_since(&t);
		clock_gettime(CLOCK_MONOTONIC, &t);
		n = cgroup_join_fds(&cg, fds, NULL);
		ms[2] = ms_since(&t);
		while (n > 0)
			close(fds[--n]);
		clock_gettime(CLOCK_MONOTONIC, &t);
		assert_int_equal(cgroup_destroy(&cg, 0, NULL), 0);
		cgroup_done(&cg);
		ms[3] = ms_since(&t);
		for (int k = 0; k < 4; k++)
			if (ms[k] < best[k])
				best[k] = ms[k];
	}
	print_message("# ms: read host %.3f, create %.3f, join fds %.3f, destroy %.3f\n", best[0],
		      best[1], best[2], best[3]);
	remove_parent(&w->host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_hybrid),
		cmocka_unit_test(finds_elsewhere),
		cmocka_unit_test(finds_v2),
		cmocka_unit_test(finds_nothing),
		cmocka_unit_test(chooses_paths),
		cmocka_unit_test(lives_on_v1),
		cmocka_unit_test(lives_on_v2),
		cmocka_unit_test(delegates),
		cmocka_unit_test(enables_controllers),
		cmocka_unit_test(undoes_a_failed_create),
		cmocka_unit_test(belongs_to_one),
		cmocka_unit_test(kills_all),
		cmocka_unit_test(removes_nested),
		cmocka_unit_test(sees_oom),
		cmocka_unit_test(costs),
	};

	if (!getenv("BERTH_TIMES")) /* a measurement, on request */
		cmocka_set_skip_filter("costs");
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
