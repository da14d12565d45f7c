/* The answer to -info; see info.h. */
#include "info.h"

#include <errno.h>

#include "err.h"
#include "fd.h"
#include "features_host.h"
#include "file.h"
#include "introspection.pb-c.h"
#include "mem.h"
#include "revision.h"
#include "spec_features.h"
#include "str.h"

#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

enum { OPTIONS_MAX = 1 << 20 };

/* The options go back as they came; nothing that is told depends on them. */
static int read_options(int in, struct arena *a, Google__Protobuf__Any **ret, struct err *e)
{
	char *data;
	size_t len;
	int r = file_read_fd(a, in, "the options", OPTIONS_MAX, &data, &len, e);

	if (r < 0 || !len)
		return r;
	*ret = google__protobuf__any__unpack(NULL, len, (const uint8_t *)data);
	return *ret ? 0 : err_set(e, ERR_INVALID, 0, "the options are no google.protobuf.Any");
}

static int write_info(int out, struct arena *a, const Containerd__Types__RuntimeInfo *info, struct err *e)
{
	size_t len = containerd__types__runtime_info__get_packed_size(info);
	uint8_t *data = arena_alloc(a, len);
	int r = data ? 0 : -ENOMEM;

	if (data) {
		containerd__types__runtime_info__pack(info, data);
		r = fd_write_all(out, data, len);
	}
	return r < 0 ? err_sys(e, r, "write the runtime's information") : 0;
}

int shim_info(int in, int out, struct err *e)
{
	Containerd__Types__RuntimeVersion version = CONTAINERD__TYPES__RUNTIME_VERSION__INIT;
	Containerd__Types__RuntimeInfo info = CONTAINERD__TYPES__RUNTIME_INFO__INIT;
	Google__Protobuf__Any features = GOOGLE__PROTOBUF__ANY__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb json = SB_INIT;
	struct features_host h;
	int r = read_options(in, &a, &info.options, e);

	if (r < 0)
		return r;
	features_host_read(&h);
	spec_features_print(&json, &h);
	info.name = (char *)SHIM_NAME;
	info.version = &version;
	version.version = (char *)BERTH_VERSION;
	version.revision = (char *)BERTH_REVISION;
	info.features = &features;
	features.type_url = (char *)FEATURES_TYPE;
	features.value = (ProtobufCBinaryData){ .data = (uint8_t *)json.s, .len = json.len };
	r = json.failed ? err_sys(e, -ENOMEM, "print the features") : write_info(out, &a, &info, e);
	if (info.options)
		google__protobuf__any__free_unpacked(info.options, NULL);
	return r;
}
