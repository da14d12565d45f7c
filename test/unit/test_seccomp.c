/* Seccomp: profiles compiled and then lived under by a child, and the cache
 * with everything that can be wrong in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "json.h"
#include "mem.h"
#include "seccomp_filter.h"
#include "spec.h"
#include "spec_seccomp_default.h"
#include "str.h"

/* ---- profiles --------------------------------------------------------- */

/* A whole config.json around one seccomp object. */
static struct spec_seccomp *profile(struct arena *a, const char *seccomp)
{
	char *text = arena_printf(a,
				  "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
				  "\"process\":{\"cwd\":\"/\",\"args\":[\"x\"],"
				  "\"user\":{\"uid\":0,\"gid\":0}},"
				  "\"linux\":{\"seccomp\":%s}}",
				  seccomp);
	struct spec *spec;
	struct err e;

	if (spec_parse(a, text, strlen(text), "config.json", NULL, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	return spec->linux->seccomp;
}

static struct seccomp_filter compile(struct arena *a, const char *seccomp)
{
	struct seccomp_filter f;
	struct err e;

	if (seccomp_compile(a, profile(a, seccomp), NULL, &f, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(f.n > 0 && f.n <= 4096);
	return f;
}

static char *default_profile(struct arena *a)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	spec_seccomp_default(&w, 0);
	return arena_strdup(a, b.s);
}

/* ---- a child under the filter ----------------------------------------- */

/* errno of one system call made under the filter; -signal if it died of it. */
static int call_under(const struct seccomp_filter *f, long nr, long a0, long a1)
{
	struct sock_fprog prog = { (unsigned short)f->n, f->insns };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		long r;

		signal(SIGSYS, SIG_DFL); /* cmocka has a handler */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    f->flags & ~SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) < 0)
			_exit(250);
		r = syscall(nr, a0, a1, 0, 0, 0, 0);
		syscall(SYS_exit_group, r < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void allows_and_denies(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f = compile(
		&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
		    "{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_ERRNO\"},"
		    "{\"names\":[\"getuid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77},"
		    "{\"names\":[\"no_such_call\",\"getgid\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
		    "{\"names\":[\"geteuid\"],\"action\":\"SCMP_ACT_TRAP\"},"
		    "{\"names\":[\"getegid\"],\"action\":\"SCMP_ACT_LOG\"},"
		    "{\"names\":[\"getsid\"],\"action\":\"SCMP_ACT_TRACE\"}]}");

	assert_int_equal(call_under(&f, SYS_getpid, 0, 0), 0);
	assert_int_equal(call_under(&f, SYS_getppid, 0, 0), EPERM);
	assert_int_equal(call_under(&f, SYS_getuid, 0, 0), 77);
	assert_int_equal(call_under(&f, SYS_getgid, 0, 0), -SIGSYS);
	assert_int_equal(call_under(&f, SYS_geteuid, 0, 0), -SIGSYS);
	assert_int_equal(call_under(&f, SYS_getegid, 0, 0), 0);
	assert_int_equal(call_under(&f, SYS_getsid, 0, 0), ENOSYS); /* no tracer */
	/* Permissive: what nobody knows reaches the kernel. */
	assert_int_equal(call_under(&f, 9999, 0, 0), ENOSYS);
}

#define ARG(index, value, two, op)                                               \
	"{\"index\":" #index ",\"value\":" #value ",\"valueTwo\":" #two          \
	",\"op\":\"SCMP_CMP_" #op "\"}"

/* getsid has the same argument twice: two rules, so either is enough. */
#define WITH_ARGUMENTS                                                              \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["                          \
	"{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":41,"    \
	"\"args\":[" ARG(0, 8, 0, EQ) "]},"                                             \
	"{\"names\":[\"getpgid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":42,"        \
	"\"args\":[" ARG(0, 240, 16, MASKED_EQ) "]},"                                   \
	"{\"names\":[\"getsid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":43,"         \
	"\"args\":[" ARG(0, 4294967296, 0, GT) "," ARG(0, 7, 0, EQ) "]},"               \
	"{\"names\":[\"dup3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":44,"           \
	"\"args\":[" ARG(0, 1, 0, LE) "," ARG(1, 5, 0, NE) "]}]}"

static void filters_arguments(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f = compile(&a, WITH_ARGUMENTS);

	assert_int_equal(call_under(&f, SYS_personality, 8, 0), 41);
	assert_int_equal(call_under(&f, SYS_personality, 0xffffffff, 0), 0);
	assert_int_equal(call_under(&f, SYS_getpgid, 0x1f, 0), 42);
	assert_int_not_equal(call_under(&f, SYS_getpgid, 0, 0), 42);
	assert_int_equal(call_under(&f, SYS_getsid, 7, 0), 43);
#if __SIZEOF_LONG__ == 8
	assert_int_equal(call_under(&f, SYS_getsid, 0x100000001, 0), 43);
#endif
	assert_int_equal(call_under(&f, SYS_getsid, 0, 0), 0);
	assert_int_equal(call_under(&f, SYS_dup3, 1, 6), 44);
	assert_int_equal(call_under(&f, SYS_dup3, 1, 5), 0);
	assert_int_equal(call_under(&f, SYS_dup3, 2, 6), 0);
}

/* A list of names as docker has it, cut off at an old kernel's. */
#define OLD_LIST(more)                                                             \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\"" more ",\"syscalls\":[{\"names\":["     \
	"\"exit_group\",\"exit\",\"read\",\"write\",\"getpid\",\"openat2\",\"mseal\"]," \
	"\"action\":\"SCMP_ACT_ALLOW\"}]}"

static void unknown_is_enosys(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f = compile(
		&a, OLD_LIST(",\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\","
			     "\"SCMP_ARCH_X32\"]"));

	assert_int_equal(call_under(&f, SYS_getpid, 0, 0), 0);
	assert_int_equal(call_under(&f, SYS_getppid, 0, 0), EPERM);
	/* 462, mseal: newer than libseccomp; allowed, so the kernel answers. */
	assert_int_equal(call_under(&f, 462, 1, 0), EINVAL);
	assert_int_equal(call_under(&f, 461, 0, 0), EPERM);
	assert_int_equal(call_under(&f, 463, 0, 0), ENOSYS);
	assert_int_equal(call_under(&f, 100000, 0, 0), ENOSYS);
#ifdef __x86_64__
	assert_int_equal(call_under(&f, 0x40000000 | 100000, 0, 0), ENOSYS);
	assert_int_equal(call_under(&f, 0x40000000 | SYS_getppid, 0, 0), EPERM);
#endif
	/* A default of ENOSYS needs no such help, one of kill gets it. */
	f = compile(&a, OLD_LIST(",\"defaultErrnoRet\":38"));
	assert_int_equal(call_under(&f, SYS_getppid, 0, 0), ENOSYS);
	assert_int_equal(call_under(&f, 462, 1, 0), EINVAL);
#ifdef __x86_64__
	/* x32 is not in this list: a wrong architecture kills. */
	assert_int_equal(call_under(&f, 0x40000000 | SYS_getpid, 0, 0), -SIGSYS);
#endif
}

static void the_default_profile_holds(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f = compile(&a, default_profile(&a));

	assert_int_equal(call_under(&f, SYS_getpid, 0, 0), 0);
	assert_int_equal(call_under(&f, SYS_init_module, 0, 0), EPERM);
	assert_int_equal(call_under(&f, SYS_mount, 0, 0), EPERM);
	assert_int_equal(call_under(&f, 100000, 0, 0), ENOSYS);
}

static void sets_flags(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f;

	f = compile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":["
			"\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}");
	assert_int_equal(f.flags, SECCOMP_FILTER_FLAG_LOG);
	assert_int_equal(call_under(&f, SYS_getpid, 0, 0), 0);
	f = compile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":["
			"\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
			"\"listenerPath\":\"/run/x.sock\",\"syscalls\":["
			"{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}");
	assert_int_equal(f.flags, SECCOMP_FILTER_FLAG_NEW_LISTENER | 1 << 5);
}

static void fails_with(struct arena *a, const struct spec_seccomp *s, const char *words)
{
	struct seccomp_filter f;
	struct err e = { 0 };

	assert_true(seccomp_compile(a, s, NULL, &f, &e) < 0);
	if (!strstr(e.msg, words))
		fail_msg("%s", e.msg);
}

/* Some of it the reader of the document refuses already. */
static void refuses(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_seccomp *s;

	s = profile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	s->default_action = SECCOMP_RET_USER_NOTIF;
	fails_with(&a, s, "/linux/seccomp/defaultAction");
	s = profile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
			"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
	s->syscalls[0].action = SECCOMP_RET_USER_NOTIF;
	fails_with(&a, s, "/linux/seccomp/syscalls/0");
	s = profile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
			"{\"names\":[\"listmount\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[" ARG(0, 1, 0, EQ) "]}]}");
	fails_with(&a, s, "'listmount'");
	s->syscalls[0].names[0][0] = 'x';
	assert_int_equal(seccomp_compile(&a, s, NULL, &(struct seccomp_filter){ 0 }, NULL), 0);
	s->syscalls[0].names[0] = (char *)"getpid";
	s->syscalls[0].args[0].index = 6;
	fails_with(&a, s, "/linux/seccomp/syscalls/0/args/0/index");
}

/* ---- the cache -------------------------------------------------------- */

struct cache {
	char dir[64], sub[96], file[256];
};

static int cache_setup(void **state)
{
	static struct cache c;

	strcpy(c.dir, "/tmp/berth-seccomp-XXXXXX");
	if (!mkdtemp(c.dir))
		return -1;
	snprintf(c.sub, sizeof c.sub, "%s/made/below", c.dir);
	*state = &c;
	return 0;
}

static int cache_teardown(void **state)
{
	struct cache *c = *state;
	char cmd[128];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", c->dir);
	return system(cmd);
}

static void find_file(struct cache *c)
{
	char cmd[256];
	FILE *f;

	snprintf(cmd, sizeof cmd, "ls %s/*.bpf", c->sub);
	f = popen(cmd, "r");
	assert_non_null(fgets(c->file, sizeof c->file, f));
	c->file[strcspn(c->file, "\n")] = '\0';
	assert_null(fgets(cmd, sizeof cmd, f)); /* one file, no temporary one */
	pclose(f);
}

static void overwrite(const char *path, off_t at, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
}

/* Compiles through the cache and says whether it had to be compiled anew (the
 * file is replaced then, and so gets another inode). */
static bool was_rewritten(struct cache *c, const struct spec_seccomp *s,
			  const struct seccomp_filter *want)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct seccomp_filter f;
	struct stat before, after;
	struct err e;

	assert_int_equal(lstat(c->file, &before), 0);
	assert_int_equal(seccomp_compile(&a, s, c->sub, &f, &e), 0);
	assert_int_equal(f.n, want->n);
	assert_int_equal(f.flags, want->flags);
	assert_memory_equal(f.insns, want->insns, f.n * sizeof *f.insns);
	assert_int_equal(lstat(c->file, &after), 0);
	assert_true(S_ISREG(after.st_mode));
	assert_int_equal(after.st_mode & 07777, 0600);
	return before.st_ino != after.st_ino || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec ||
	       before.st_mtim.tv_sec != after.st_mtim.tv_sec;
}

static void caches(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cache *c = *state;
	struct spec_seccomp *s = profile(&a, default_profile(&a));
	struct seccomp_filter f;
	struct stat st;
	struct err e;

	assert_int_equal(seccomp_compile(&a, s, c->sub, &f, &e), 0);
	find_file(c);
	assert_int_equal(stat(c->sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(was_rewritten(c, s, &f));
	/* Other bytes in the profile, another key. */
	s = profile(&a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	assert_int_equal(seccomp_compile(&a, s, c->sub, &f, &e), 0);
	assert_true(f.n < 20);
}

static void mistrusts_the_cache(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cache *c = *state;
	struct spec_seccomp *s = profile(&a, default_profile(&a));
	struct seccomp_filter f;
	struct stat st;
	struct err e;
	char other[300];

	assert_int_equal(seccomp_compile(&a, s, c->sub, &f, &e), 0);
	find_file(c);
	assert_int_equal(stat(c->file, &st), 0);
	/* Every part of the header, and the last instruction. */
	for (off_t at = 0; at < 64; at += 4) {
		if (at == 20) /* reserved */
			continue;
		overwrite(c->file, at, "\xff\xee\xdd\xcc", 4);
		assert_true(was_rewritten(c, s, &f));
	}
	overwrite(c->file, st.st_size - 1, "\x55", 1);
	assert_true(was_rewritten(c, s, &f));
	/* Sizes. */
	assert_int_equal(truncate(c->file, st.st_size - 8), 0);
	assert_true(was_rewritten(c, s, &f));
	assert_int_equal(truncate(c->file, st.st_size - 3), 0);
	assert_true(was_rewritten(c, s, &f));
	assert_int_equal(truncate(c->file, 0), 0);
	assert_true(was_rewritten(c, s, &f));
	assert_int_equal(truncate(c->file, 64), 0);
	assert_true(was_rewritten(c, s, &f));
	assert_int_equal(truncate(c->file, 64 + 8 * 4097), 0);
	assert_true(was_rewritten(c, s, &f));
	/* Others may write or read it; it is somebody else's; it is a link. */
	assert_int_equal(chmod(c->file, 0660), 0);
	assert_true(was_rewritten(c, s, &f));
	if (geteuid() == 0) {
		assert_int_equal(chown(c->file, 65534, 0), 0);
		assert_true(was_rewritten(c, s, &f));
	}
	snprintf(other, sizeof other, "%s/moved", c->dir);
	assert_int_equal(rename(c->file, other), 0);
	assert_int_equal(symlink(other, c->file), 0);
	assert_true(was_rewritten(c, s, &f));
	assert_false(was_rewritten(c, s, &f));
	/* A cache that cannot be: the filter comes all the same. */
	assert_int_equal(seccomp_compile(&a, s, "/proc/no/such", &f, &e), 0);
}

static void costs(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct cache *c = *state;
	struct spec_seccomp *s = profile(&a, default_profile(&a));
	int rounds = getenv("BERTH_TIMES") ? 20 : 1;
	double best[2] = { 1e9, 1e9 };

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 2; k++) {
			OWN_ARENA struct arena b = ARENA_INIT;
			struct seccomp_filter f;
			struct timespec t0, t1;
			double us;

			clock_gettime(CLOCK_MONOTONIC, &t0);
			assert_int_equal(seccomp_compile(&b, s, k ? c->sub : NULL, &f, NULL), 0);
			clock_gettime(CLOCK_MONOTONIC, &t1);
			us = (double)((t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec -
				      t0.tv_nsec) /
			     1e3;
			if (us < best[k])
				best[k] = us;
		}
	}
	print_message("# default profile: compiled %.0f us, from the cache %.0f us\n", best[0],
		      best[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_and_denies),
		cmocka_unit_test(filters_arguments),
		cmocka_unit_test(unknown_is_enosys),
		cmocka_unit_test(the_default_profile_holds),
		cmocka_unit_test(sets_flags),
		cmocka_unit_test(refuses),
		cmocka_unit_test_setup_teardown(caches, cache_setup, cache_teardown),
		cmocka_unit_test_setup_teardown(mistrusts_the_cache, cache_setup, cache_teardown),
		cmocka_unit_test_setup_teardown(costs, cache_setup, cache_teardown),
	};

	if (!getenv("BERTH_TIMES")) /* a measurement, on request */
		cmocka_set_skip_filter("costs");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
