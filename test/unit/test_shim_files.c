/* What the shim keeps in a bundle and what it is told: records, settings, options; and its life-cycle table. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bootstrap.pb-c.h"
#include "err.h"
#include "exit_record.h"
#include "file.h"
#include "life.h"
#include "mem.h"
#include "runc_options.pb-c.h"
#include "runc_v1.pb-c.h"
#include "settings.h"
#include "task_options.h"
#include "task_record.h"

static char dir[] = "/tmp/berth-shim-files-XXXXXX";
static struct arena arena;

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int teardown(void **state)
{
	arena_done(&arena);
	unsetenv("BERTH_SHIM_CONFIG");
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* ---- records -------------------------------------------------------------- */

static void how_a_process_ended(void **state)
{
	struct exit_record r = { "c1", "e1", 4711, 137, { 1700000000, 999999999 }, 2, 9, true, 15, true }, back;
	struct err e;

	assert_int_equal(exit_record_read(&arena, dir, "e1", &back, &e), -ENOENT);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(exit_record_write(dir, &r, NULL), 0);
	assert_int_equal(exit_record_read(&arena, dir, "", &back, NULL), -ENOENT); /* that is the first process */
	assert_int_equal(exit_record_read(&arena, dir, "e1", &back, NULL), 0);
	assert_string_equal(back.id, "c1");
	assert_string_equal(back.exec_id, "e1");
	assert_int_equal(back.pid, 4711);
	assert_int_equal(back.status, 137);
	assert_int_equal(back.at.tv_sec, 1700000000);
	assert_int_equal(back.at.tv_nsec, 999999999);
	assert_int_equal(back.oom_kills, 2);
	assert_int_equal(back.signal, 9);
	assert_true(back.core_dumped);
	assert_int_equal(back.kill_signal, 15);
	assert_true(back.kill_all);
	exit_record_remove(dir, "e1");
	assert_int_equal(exit_record_read(&arena, dir, "e1", &back, NULL), -ENOENT);
}

static void a_record_of_another_version(void **state)
{
	struct exit_record back;
	struct runtime rt;
	struct err e;

	put("exit.json", "{\"version\":2,\"id\":\"c1\",\"execId\":\"\",\"pid\":1,"
			 "\"status\":0,\"seconds\":1,\"nanoseconds\":0}");
	assert_true(exit_record_read(&arena, dir, "", &back, &e) < 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	put("exit.json", "{\"version\":1,\"id\":\"c1\"");
	assert_true(exit_record_read(&arena, dir, "", &back, &e) < 0);
	put("berth.json", "{\"version\":9,\"binary\":\"\",\"root\":\"/r\"}");
	assert_true(task_record_read(&arena, dir, &rt, &e) < 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	put("berth.json", "{\"version\":1,\"binary\":7,\"root\":\"/r\"}");
	assert_true(task_record_read(&arena, dir, &rt, &e) < 0);
	assert_non_null(strstr(e.msg, "/binary"));
}

static void which_runtime_a_task_has(void **state)
{
	char binary[] = "crun", root[] = "/run/x/default", cgroup[] = "/x/c1", none[] = "";
	struct runtime rt = { .ops = &external_ops, .binary = binary, .root = root, .systemd_cgroup = true }, back;

	assert_int_equal(task_record_read(&arena, dir, &back, NULL), -ENOENT);
	assert_int_equal(task_record_write(dir, &rt, NULL), 0);
	assert_int_equal(task_record_read(&arena, dir, &back, NULL), 0);
	assert_string_equal(back.binary, "crun");
	assert_string_equal(back.root, "/run/x/default");
	assert_true(back.systemd_cgroup);
	assert_ptr_equal(back.ops, &external_ops);
	assert_null(back.cgroup);
	rt.cgroup = cgroup;
	assert_int_equal(task_record_write(dir, &rt, NULL), 0);
	assert_int_equal(task_record_read(&arena, dir, &back, NULL), 0);
	assert_string_equal(back.cgroup, "/x/c1");
	rt.binary = none;
	assert_int_equal(task_record_write(dir, &rt, NULL), 0);
	assert_int_equal(task_record_read(&arena, dir, &back, NULL), 0);
	assert_ptr_equal(back.ops, &builtin_ops);
}

/* ---- settings ------------------------------------------------------------- */

static void settings_of_a_file(void **state)
{
	struct settings s;
	char path[128];
	struct err e;

	snprintf(path, sizeof path, "%s/shim.json", dir);
	setenv("BERTH_SHIM_CONFIG", path, 1);
	assert_int_equal(settings_read(&arena, &s, &e), -ENOENT); /* one that is named must be there */
	put("shim.json", "{\"builtin_names\": [\"mine\"], \"mount_namespace\": false}");
	assert_int_equal(settings_read(&arena, &s, NULL), 0);
	assert_false(s.mount_namespace);
	assert_true(settings_is_builtin(&s, ""));
	assert_true(settings_is_builtin(&s, "mine"));
	assert_false(settings_is_builtin(&s, "runc"));
	assert_string_equal(s.runtime_root, "/run/containerd/runc");
	put("shim.json", "{\"mount_namespaces\": false}");
	assert_true(settings_read(&arena, &s, &e) < 0);
	assert_non_null(strstr(e.msg, "/mount_namespaces"));
	put("shim.json", "{\"root\": \"\"}");
	assert_true(settings_read(&arena, &s, &e) < 0);
	assert_non_null(strstr(e.msg, "/root"));
}

static void settings_otherwise(void **state)
{
	struct settings s;
	char path[128];

	snprintf(path, sizeof path, "%s/shim.json", dir);
	setenv("BERTH_SHIM_CONFIG", path, 1);
	put("shim.json", "{}");
	assert_int_equal(settings_read(&arena, &s, NULL), 0);
	assert_true(s.mount_namespace);
	assert_true(settings_is_builtin(&s, "runc"));
	assert_true(settings_is_builtin(&s, "berth"));
	assert_false(settings_is_builtin(&s, "/usr/sbin/runc"));
	assert_false(settings_is_builtin(&s, "crun"));
}

/* ---- options -------------------------------------------------------------- */

static Google__Protobuf__Any any_of(const ProtobufCMessage *m, const char *prefix)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = arena_printf(&arena, "%s%s", prefix, m->descriptor->name);
	any.value.data = arena_alloc(&arena, protobuf_c_message_get_packed_size(m) + 1);
	assert_non_null(any.value.data);
	any.value.len = protobuf_c_message_pack(m, any.value.data);
	return any;
}

static void options_of_every_kind(void **state)
{
	Containerd__Runc__V1__Options v2 = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	Containerd__Linux__Runc__RuncOptions runc = CONTAINERD__LINUX__RUNC__RUNC_OPTIONS__INIT;
	Containerd__Linux__Runc__CreateOptions create = CONTAINERD__LINUX__RUNC__CREATE_OPTIONS__INIT;
	char name[] = "crun", root[] = "/run/x", cgroup[] = "/shims";
	Google__Protobuf__Any any;
	struct task_options o;

	assert_int_equal(task_options_decode(&arena, NULL, &o, NULL), 0);
	assert_string_equal(o.binary_name, "");
	v2.binary_name = name;
	v2.io_uid = 1000;
	v2.systemd_cgroup = true;
	any = any_of(&v2.base, "");
	assert_int_equal(task_options_decode(&arena, &any, &o, NULL), 0);
	assert_string_equal(o.binary_name, "crun");
	assert_int_equal(o.io_uid, 1000);
	assert_true(o.systemd_cgroup);
	runc.runtime = name;
	runc.runtime_root = root;
	any = any_of(&runc.base, "type.googleapis.com/");
	assert_int_equal(task_options_decode(&arena, &any, &o, NULL), 0);
	assert_string_equal(o.binary_name, "crun");
	assert_string_equal(o.root, "/run/x");
	create.shim_cgroup = cgroup;
	create.no_pivot_root = true;
	any = any_of(&create.base, "");
	assert_int_equal(task_options_decode(&arena, &any, &o, NULL), 0);
	assert_string_equal(o.shim_cgroup, "/shims");
	assert_true(o.no_pivot_root);
}

static void options_that_are_wrong(void **state)
{
	char type[] = "containerd.runc.v1.Options", other[] = "containerd.runc.v1.CheckpointOptions";
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uint8_t broken[] = { 0x32, 0x7f, 'x' };
	struct task_options o;
	struct err e;

	any.type_url = other;
	assert_true(task_options_decode(&arena, &any, &o, &e) < 0);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.msg, "CheckpointOptions"));
	any.type_url = type;
	any.value.data = broken;
	any.value.len = sizeof broken;
	assert_true(task_options_decode(&arena, &any, &o, &e) < 0);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(task_options_of_start(&arena, broken, sizeof broken, "c1", &o, &e) < 0);
}

static void options_on_stdin(void **state)
{
	Containerd__Runc__V1__Options v2 = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	Containerd__Runtime__Bootstrap__V1__BootstrapParams m =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_PARAMS__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension ext = CONTAINERD__RUNTIME__BOOTSTRAP__V1__EXTENSION__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension *list[] = { &ext };
	char cgroup[] = "/shims", id[] = "c1";
	Google__Protobuf__Any any;
	struct task_options o;
	uint8_t buf[512];
	size_t n;

	assert_int_equal(task_options_of_start(&arena, "", 0, "c1", &o, NULL), 0);
	assert_string_equal(o.shim_cgroup, "");
	v2.shim_cgroup = cgroup;
	any = any_of(&v2.base, "");
	n = google__protobuf__any__pack(&any, buf);
	assert_int_equal(task_options_of_start(&arena, buf, n, "c1", &o, NULL), 0);
	assert_string_equal(o.shim_cgroup, "/shims");
	m.instance_id = id;
	m.n_extensions = 1;
	m.extensions = list;
	ext.value = &any;
	n = containerd__runtime__bootstrap__v1__bootstrap_params__pack(&m, buf);
	assert_int_equal(task_options_of_start(&arena, buf, n, "c1", &o, NULL), 0);
	assert_string_equal(o.shim_cgroup, "/shims");
}

/* ---- the life-cycle table ------------------------------------------------- */

/* As it is with containerd's own shim; all that is not here is refused. */
static void what_is_possible_in_which_state(void **state)
{
	static const bool possible[LIFE_CALL_COUNT][LIFE_STATE_COUNT] = {
		[LIFE_START] = { [LIFE_CREATED] = true },
		[LIFE_DELETE] = { [LIFE_CREATED] = true, [LIFE_STOPPED] = true },
		[LIFE_KILL] = { [LIFE_CREATED] = true, [LIFE_RUNNING] = true, [LIFE_PAUSED] = true },
		[LIFE_PAUSE] = { [LIFE_RUNNING] = true },
		[LIFE_RESUME] = { [LIFE_PAUSED] = true },
		[LIFE_EXEC] = { [LIFE_CREATED] = true, [LIFE_RUNNING] = true },
		[LIFE_UPDATE] = { [LIFE_CREATED] = true, [LIFE_RUNNING] = true, [LIFE_PAUSED] = true },
		[LIFE_RESIZE] = { [LIFE_CREATED] = true, [LIFE_RUNNING] = true, [LIFE_PAUSED] = true },
		[LIFE_MOUNT] = { [LIFE_CREATED] = true, [LIFE_RUNNING] = true, [LIFE_PAUSED] = true },
	};
	struct err e;

	for (int call = 0; call < LIFE_CALL_COUNT; call++)
		for (int s = 0; s < LIFE_STATE_COUNT; s++) {
			int r = life_check((enum life_state)s, (enum life_call)call, &e);

			assert_int_equal(r == 0, possible[call][s]);
			if (r < 0)
				assert_int_equal(e.kind, call == LIFE_KILL ? ERR_NOT_FOUND : ERR_STATE);
		}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(how_a_process_ended),
		TEST(a_record_of_another_version),
		TEST(which_runtime_a_task_has),
		TEST(settings_of_a_file),
		TEST(settings_otherwise),
		TEST(options_of_every_kind),
		TEST(options_that_are_wrong),
		TEST(options_on_stdin),
		TEST(what_is_possible_in_which_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
