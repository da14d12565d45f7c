/* The tables of names, against the kernel's and each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "mem.h"
#include "names.h"

static const struct name *const tables[] = {
	namespace_names, capability_names, rlimit_names, signal_names, hook_names, device_type_names,
	device_rule_type_names, seccomp_action_names, seccomp_operator_names, seccomp_arch_names,
	seccomp_flag_names, scheduler_policy_names, scheduler_flag_names, ioprio_class_names,
	personality_names,
};

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct name *row = tables[t]; row->name; row++) {
			uint64_t value = ~row->value;

			assert_int_equal(name_value(tables[t], row->name, &value), 0);
			assert_true(value == row->value);
			assert_non_null(name_of(tables[t], row->value));
			/* no name twice */
			for (const struct name *other = tables[t]; other < row; other++)
				assert_string_not_equal(other->name, row->name);
		}
	}
}

static void test_unknown(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_int_equal(name_value(rlimit_names, "RLIMIT_FOO", &value), -ENOENT);
	assert_int_equal(name_value(capability_names, "cap_kill", &value), -ENOENT);
	assert_int_equal(name_value(capability_names, "KILL", &value), -ENOENT);
	assert_int_equal(name_value(capability_names, "", &value), -ENOENT);
	assert_true(value == 77);
	assert_null(name_of(rlimit_names, 99));
}

static void test_complete(void **state)
{
	(void)state;
	for (uint64_t cap = 0; cap <= CAP_LAST_CAP; cap++)
		assert_non_null(name_of(capability_names, cap));
	for (uint64_t limit = 0; limit < RLIMIT_NLIMITS; limit++)
		assert_non_null(name_of(rlimit_names, limit));
	for (int sig = 1; sig < 32; sig++)
		assert_non_null(name_of(signal_names, (uint64_t)sig));
	for (int ns = 0; ns < NS_COUNT; ns++)
		assert_string_equal(name_of(namespace_names, (uint64_t)ns), namespace_name((enum ns_type)ns));
}

static void test_namespaces(void **state)
{
	(void)state;
	assert_string_equal(namespace_name(NS_NETWORK), "network");
	assert_int_equal(namespace_flag(NS_NETWORK), CLONE_NEWNET);
	assert_int_equal(namespace_flag(NS_MOUNT), CLONE_NEWNS);
}

static void test_options_sorted(void **state)
{
	(void)state;
	for (const struct mount_option *o = mount_options; o->name; o++) {
		assert_ptr_equal(mount_option_find(o->name), o);
		if (o > mount_options)
			assert_true(strcmp(o[-1].name, o->name) < 0);
	}
	assert_null(mount_option_find(""));
	assert_null(mount_option_find("size=5"));
	assert_null(mount_option_find("RO"));
	assert_null(mount_option_find("zzz"));
}

/* An option and its opposite are about the same bits. */
static void test_opposites(void **state)
{
	static const char *const pairs[][2] = {
		{ "ro", "rw" }, { "nosuid", "suid" }, { "nodev", "dev" }, { "noexec", "exec" }, { "sync", "async" },
		{ "noatime", "atime" }, { "nodiratime", "diratime" }, { "relatime", "norelatime" },
		{ "strictatime", "nostrictatime" }, { "mand", "nomand" }, { "silent", "loud" }, { "acl", "noacl" },
		{ "iversion", "noiversion" }, { "lazytime", "nolazytime" }, { "nosymfollow", "symfollow" },
		{ "rro", "rrw" }, { "rnosuid", "rsuid" }, { "rnodev", "rdev" }, { "rnoexec", "rexec" },
		{ "rnodiratime", "rdiratime" }, { "rnosymfollow", "rsymfollow" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct mount_option *on = mount_option_find(pairs[i][0]), *off = mount_option_find(pairs[i][1]);

		assert_true(on && off && !on->clear && off->clear);
		assert_true(on->bits == off->bits && on->bits && on->kind == off->kind);
	}
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int sig;
	} good[] = {
		{ "0", 0 },
		{ "9", SIGKILL },
		{ "KILL", SIGKILL },
		{ "SIGKILL", SIGKILL },
		{ "kill", SIGKILL },
		{ "sigterm", SIGTERM },
		{ "SIGUSR1", SIGUSR1 },
		{ "CLD", SIGCHLD },
		{ "IOT", SIGABRT },
		{ "POLL", SIGIO },
		{ "64", 64 },
		{ "RTMIN", 34 },
		{ "SIGRTMIN+3", 37 },
		{ "rtmin+30", 64 },
		{ "RTMAX", 64 },
		{ "RTMAX-14", 50 },
		{ "PWR", SIGPWR },
		{ "15", SIGTERM },
	};
	static const char *const bad[] = { "", "SIG", "FOO", "65", "-1", "9x", " 9", "RTMIN-1", "RTMIN+31", "RTMAX+1",
					   "RTMAX-31", "RTMIN+", "RTMINX", "SIGSIGKILL", "99999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(signal_parse(good[i].text), good[i].sig);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(signal_parse(bad[i]), -EINVAL);
	assert_int_equal(signal_parse(NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_options_sorted),
		cmocka_unit_test(test_opposites),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
