/* Decoding a task's options; see task_options.h. */
#include "task_options.h"

#include <errno.h>
#include <string.h>

#include "bootstrap.pb-c.h"
#include "err.h"
#include "mem.h"
#include "rpc_unpack.h"
#include "runc_options.pb-c.h"
#include "runc_v1.pb-c.h"
#include "str.h"

static int text(struct arena *a, const char *from, const char **ret)
{
	*ret = arena_strdup(a, from ? from : "");
	return *ret ? 0 : -ENOMEM;
}

static int copy_options(struct arena *a, const ProtobufCMessage *message, struct task_options *ret)
{
	const Containerd__Runc__V1__Options *m = (const void *)message;

	*ret = (struct task_options){
		.no_pivot_root = m->no_pivot_root,
		.no_new_keyring = m->no_new_keyring,
		.systemd_cgroup = m->systemd_cgroup,
		.io_uid = m->io_uid,
		.io_gid = m->io_gid,
	};
	return text(a, m->shim_cgroup, &ret->shim_cgroup) | text(a, m->binary_name, &ret->binary_name) |
	       text(a, m->root, &ret->root);
}

static int copy_runc_options(struct arena *a, const ProtobufCMessage *message, struct task_options *ret)
{
	const Containerd__Linux__Runc__RuncOptions *m = (const void *)message;

	*ret = (struct task_options){ .systemd_cgroup = m->systemd_cgroup, .shim_cgroup = "" };
	return text(a, m->runtime, &ret->binary_name) | text(a, m->runtime_root, &ret->root);
}

static int copy_create_options(struct arena *a, const ProtobufCMessage *message, struct task_options *ret)
{
	const Containerd__Linux__Runc__CreateOptions *m = (const void *)message;

	*ret = (struct task_options){
		.no_pivot_root = m->no_pivot_root,
		.no_new_keyring = m->no_new_keyring,
		.io_uid = m->io_uid,
		.io_gid = m->io_gid,
		.binary_name = "",
		.root = "",
	};
	return text(a, m->shim_cgroup, &ret->shim_cgroup);
}

static const struct {
	const ProtobufCMessageDescriptor *type;
	int (*copy)(struct arena *a, const ProtobufCMessage *m, struct task_options *ret);
} types[] = {
	{ &containerd__runc__v1__options__descriptor, copy_options },
	{ &containerd__linux__runc__runc_options__descriptor, copy_runc_options },
	{ &containerd__linux__runc__create_options__descriptor, copy_create_options },
};

int task_options_decode(struct arena *a, const Google__Protobuf__Any *any, struct task_options *ret, struct err *e)
{
	const char *url = any && any->type_url ? any->type_url : "", *slash = strrchr(url, '/');
	const char *name = slash ? slash + 1 : url;

	*ret = (struct task_options){ .shim_cgroup = "", .binary_name = "", .root = "" };
	if (!*url && (!any || !any->value.len))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		ProtobufCMessage *m;
		int r;

		if (strcmp(name, types[i].type->name) != 0)
			continue;
		m = rpc_unpack(types[i].type, any->value.data, any->value.len);
		if (!m)
			return err_set(e, ERR_INVALID, 0, "options: no message of type '%s'", name);
		r = types[i].copy(a, m, ret);
		protobuf_c_message_free_unpacked(m, NULL);
		return r < 0 ? err_sys(e, -ENOMEM, "read the options") : 0;
	}
	return err_set(e, ERR_INVALID, 0, "invalid runtime options format: unsupported type '%s'", name);
}

static int of_bootstrap(struct arena *a, const Containerd__Runtime__Bootstrap__V1__BootstrapParams *m,
			struct task_options *ret, struct err *e)
{
	*ret = (struct task_options){ .shim_cgroup = "", .binary_name = "", .root = "" };
	for (size_t i = 0; i < m->n_extensions; i++) {
		const Google__Protobuf__Any *any = m->extensions[i]->value;
		struct err ignored;
		struct task_options o;

		/* Others are for other shims. */
		if (any && task_options_decode(a, any, &o, &ignored) >= 0)
			*ret = o;
	}
	return 0;
}

int task_options_of_start(struct arena *a, const void *data, size_t len, const char *id, struct task_options *ret,
			  struct err *e)
{
	Containerd__Runtime__Bootstrap__V1__BootstrapParams *m =
		containerd__runtime__bootstrap__v1__bootstrap_params__unpack(NULL, len, data);
	Google__Protobuf__Any *any;
	int r;

	/* An Any can be read as the other; its type is no id. */
	if (m && len && str_eq(m->instance_id, id)) {
		r = of_bootstrap(a, m, ret, e);
		containerd__runtime__bootstrap__v1__bootstrap_params__free_unpacked(m, NULL);
		return r;
	}
	if (m)
		containerd__runtime__bootstrap__v1__bootstrap_params__free_unpacked(m, NULL);
	any = google__protobuf__any__unpack(NULL, len, data);
	if (!any)
		return err_set(e, ERR_INVALID, 0, "stdin: neither options nor bootstrap parameters");
	r = task_options_decode(a, any, ret, e);
	google__protobuf__any__free_unpacked(any, NULL);
	return r;
}
