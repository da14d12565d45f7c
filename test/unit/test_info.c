/* -info: what goes in comes back, with what this program is and can do. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "info.h"
#include "introspection.pb-c.h"
#include "json.h"
#include "mem.h"
#include "runc_options.pb-c.h"

static int file_with(const void *data, size_t len)
{
	int fd = file_memory("test");

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static Containerd__Types__RuntimeInfo *info_of(const void *options, size_t len)
{
	OWN_FD in = file_with(options, len);
	OWN_FD out = file_with("", 0);
	Containerd__Types__RuntimeInfo *info;
	uint8_t buf[65536];
	struct err e;
	ssize_t n;

	if (shim_info(in, out, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	n = fd_read_all(out, buf, sizeof buf);
	assert_true(n > 0);
	info = containerd__types__runtime_info__unpack(NULL, (size_t)n, buf);
	assert_non_null(info);
	return info;
}

static void tells_what_it_is(void **state)
{
	Containerd__Types__RuntimeInfo *info = info_of("", 0);
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct json *idmap;
	struct json_doc doc;
	struct err e;

	assert_string_equal(info->name, "io.containerd.berth.v2");
	assert_string_equal(info->version->version, BERTH_VERSION);
	assert_null(info->options);
	assert_int_equal(info->n_annotations, 0);
	assert_string_equal(info->features->type_url,
			    "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
	if (json_parse(&a, (char *)info->features->value.data, info->features->value.len, "features", &doc, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(json_string(json_get(doc.root, "ociVersionMin"), ""), "1.0.0");
	/* What containerd looks for. */
	idmap = json_get(json_get(json_get(json_get(doc.root, "linux"), "mountExtensions"), "idmap"), "enabled");
	assert_true(idmap && idmap->type == JSON_BOOL && idmap->b);
	containerd__types__runtime_info__free_unpacked(info, NULL);
}

static void returns_the_options(void **state)
{
	Containerd__Runc__V1__Options options = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Containerd__Types__RuntimeInfo *info;
	uint8_t value[256], data[512];

	options.systemd_cgroup = true;
	options.root = (char *)"/run/x";
	any.type_url = (char *)"containerd.runc.v1.Options";
	any.value.data = value;
	any.value.len = containerd__runc__v1__options__pack(&options, value);
	info = info_of(data, google__protobuf__any__pack(&any, data));
	assert_string_equal(info->options->type_url, any.type_url);
	assert_int_equal(info->options->value.len, any.value.len);
	assert_memory_equal(info->options->value.data, value, any.value.len);
	containerd__types__runtime_info__free_unpacked(info, NULL);
}

static void refuses_other_input(void **state)
{
	OWN_FD in = file_with("\xff\xff garbage", 10);
	OWN_FD out = file_with("", 0);
	struct err e;

	assert_true(shim_info(in, out, &e) < 0);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(lseek(out, 0, SEEK_END), 0);
}

static void tells_that_it_cannot_write(void **state)
{
	OWN_FD in = file_with("", 0);
	OWN_FD full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e;

	assert_true(full >= 0);
	assert_int_equal(shim_info(in, full, &e), -28);
	assert_string_equal(e.msg, "write the runtime's information");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_it_is),
		cmocka_unit_test(returns_the_options),
		cmocka_unit_test(refuses_other_input),
		cmocka_unit_test(tells_that_it_cannot_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
