/*
 * Tasks/Create: a task for a container that a client has told of before. The spec
 * and the runtime are the container's; the engine does the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon_settings.h"
#include "runc_options.pb-c.h"
#include "runc_v1.pb-c.h"
#include "store.h"
#include "store_tables.h"
#include "str.h"
#include "tasks.h"
#include "tasks.pb-c.h"

typedef Containerd__Services__Tasks__V1__CreateTaskRequest CreateRequest;
typedef Containerd__Runc__V1__Options Options;

struct creation { /* of the request's arena */
	struct request *q;
	struct engine_op op;
	Container *container;
	Options options; /* what the shim gets */
	struct engine_foreign foreign; /* instead, if it is not ours: its program is not NULL */
	ProtobufCMessage *task_options, *container_options; /* as they came, and that is made of them */
};

/* ---- the runtime, and its options --------------------------------------------------- */

/* Names for which our shim is started; those of containerd 1.0 have options of their own. */
static const struct runtime_name {
	const char *name;
	bool is_v1;
} runtimes[] = {
	{ "io.containerd.berth.v2", false },
	{ "io.containerd.runc.v2", false },
	{ "io.containerd.runc.v1", false },
	{ "io.containerd.runtime.v1.linux", true },
};

static const struct runtime_name *find_runtime(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (!strcmp(runtimes[i].name, name))
			return &runtimes[i];
	err_set(e, ERR_NOT_FOUND, 0, "unknown runtime \"%s\"", name);
	return NULL;
}

/* NULL, and no error: there are none. */
static int unpack(const Google__Protobuf__Any *any, const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
		  struct err *e)
{
	const char *name;

	*ret = NULL;
	if (!any || str_empty(any->type_url))
		return 0;
	name = strrchr(any->type_url, '/');
	name = name ? name + 1 : any->type_url;
	if (strcmp(name, type->name) != 0)
		return err_set(e, ERR_INVALID, 0, "invalid runtime options format: '%s' is not %s", any->type_url,
			       type->name);
	*ret = protobuf_c_message_unpack(type, NULL, any->value.len, any->value.data);
	return *ret ? 0 : err_set(e, ERR_INVALID, 0, "runtime options: cannot be read as %s", type->name);
}

/* What the shim of containerd 1.0 was told in two messages. */
static int take_v1(struct creation *c, const Google__Protobuf__Any *task, const Google__Protobuf__Any *container,
		   struct err *e)
{
	const Containerd__Linux__Runc__RuncOptions *of_container;
	const Containerd__Linux__Runc__CreateOptions *of_task;
	int r = unpack(container, &containerd__linux__runc__runc_options__descriptor, &c->container_options, e);

	if (r >= 0)
		r = unpack(task, &containerd__linux__runc__create_options__descriptor, &c->task_options, e);
	if (r < 0)
		return r;
	of_container = (const void *)c->container_options;
	of_task = (const void *)c->task_options;
	if (of_container) {
		c->options.binary_name = of_container->runtime;
		c->options.root = of_container->runtime_root;
		c->options.criu_path = of_container->criu_path;
		c->options.systemd_cgroup = of_container->systemd_cgroup;
	}
	if (of_task) {
		if (of_task->n_empty_namespaces || of_task->open_tcp || of_task->external_unix_sockets ||
		    of_task->file_locks || *of_task->cgroups_mode)
			return err_set(e, ERR_UNSUPPORTED, 0, "task options of a checkpoint");
		c->options.no_pivot_root = of_task->no_pivot_root;
		c->options.no_new_keyring = of_task->no_new_keyring;
		c->options.shim_cgroup = of_task->shim_cgroup;
		c->options.io_uid = of_task->io_uid;
		c->options.io_gid = of_task->io_gid;
	}
	return 0;
}

/* A shim that is not ours knows itself what is in its options. */
static int take_foreign(struct creation *c, const char *program, struct err *e)
{
	const Google__Protobuf__Any *task = ((const CreateRequest *)c->q->m)->options;
	const Google__Protobuf__Any *any = task && !str_empty(task->type_url) ? task : c->container->runtime->options;
	const struct daemon_settings *s = c->q->d->settings;

	c->foreign = (struct engine_foreign){
		.program = program,
		.address = s->address,
		.ttrpc_address = arena_printf(&c->q->arena, "%s.ttrpc", s->address),
	};
	if (!c->foreign.ttrpc_address)
		return err_sys(e, -ENOMEM, "container %s", c->container->id);
	if (!any || str_empty(any->type_url))
		return 0;
	c->foreign.options_type = any->type_url;
	c->foreign.options = any->value.data;
	c->foreign.options_len = any->value.len;
	return 0;
}

/* The request's come before the container's. */
static int take_options(struct creation *c, struct err *e)
{
	const Google__Protobuf__Any *task = ((const CreateRequest *)c->q->m)->options;
	const Containerd__Services__Containers__V1__Container__Runtime *runtime = c->container->runtime;
	const char *program = runtime ? daemon_settings_shim(c->q->d->settings, runtime->name) : NULL;
	const struct runtime_name *name;
	int r;

	if (!runtime)
		return err_set(e, ERR_INVALID, 0, "container %s: no runtime", c->container->id);
	if (program)
		return take_foreign(c, program, e);
	name = find_runtime(runtime->name, e);
	if (!name)
		return -ENOENT;
	containerd__runc__v1__options__init(&c->options);
	if (name->is_v1)
		return take_v1(c, task, runtime->options, e);
	r = unpack(task && !str_empty(task->type_url) ? task : runtime->options,
		   &containerd__runc__v1__options__descriptor, &c->task_options, e);
	if (r >= 0 && c->task_options)
		c->options = *(const Options *)(const void *)c->task_options;
	return r;
}

/* ---- the task ----------------------------------------------------------------------------- */

static void creation_free(struct request *q)
{
	struct creation *c = q->ctx;

	if (c->task_options)
		protobuf_c_message_free_unpacked(c->task_options, NULL);
	if (c->container_options)
		protobuf_c_message_free_unpacked(c->container_options, NULL);
	if (c->container)
		protobuf_c_message_free_unpacked(&c->container->base, NULL);
}

static void on_gone(struct request *q)
{
	engine_cancel(&((struct creation *)q->ctx)->op);
}

static void on_created(struct engine_op *op, int r, const struct err *e)
{
	Containerd__Services__Tasks__V1__CreateTaskResponse m =
		CONTAINERD__SERVICES__TASKS__V1__CREATE_TASK_RESPONSE__INIT;
	struct creation *c = op->ctx;
	struct timings t = { 0 };
	struct err exists;

	if (r >= 0) {
		timings_add(&t, op);
		timings_tell(&t, c->q, "task created", op->task->id, "");
		m.container_id = op->task->id;
		m.pid = op->task->now.pid;
		request_reply(c->q, &m.base);
		return;
	}
	if (e->kind == ERR_EXISTS) {
		err_set(&exists, ERR_EXISTS, 0, "task %s", c->container->id);
		e = &exists;
	}
	request_fail(c->q, e);
}

static int take_mounts(struct creation *c, struct engine_create *w, struct err *e)
{
	const CreateRequest *m = (const void *)c->q->m;
	struct engine_mount *mounts = arena_calloc(&c->q->arena, m->n_rootfs + 1, sizeof *mounts);

	for (size_t i = 0; mounts && i < m->n_rootfs; i++) {
		const Containerd__Types__Mount *from = m->rootfs[i];
		const char **options = arena_calloc(&c->q->arena, from->n_options + 1, sizeof *options);

		if (!options)
			return err_sys(e, -ENOMEM, "rootfs");
		if (*from->target)
			return err_set(e, ERR_UNSUPPORTED, 0, "rootfs: mount %zu: a target below it", i);
		memcpy(options, from->options, from->n_options * sizeof *options);
		mounts[i] = (struct engine_mount){ from->type, from->source, options };
	}
	w->rootfs = mounts;
	w->n_rootfs = m->n_rootfs;
	return mounts ? 0 : err_sys(e, -ENOMEM, "rootfs");
}

static int create(struct creation *c, struct err *e)
{
	const CreateRequest *m = (const void *)c->q->m;
	struct engine_create w = {
		.namespace = c->q->namespace,
		.id = m->container_id,
		.stdio = { m->stdin, m->stdout, m->stderr },
		.terminal = m->terminal,
		.lifetime = ENGINE_KEEP,
		.options = &c->options.base,
	};
	int r = container_get(store_reader(c->q->d->store), w.namespace, w.id, &c->container, e);

	if (r < 0)
		return r;
	if (m->checkpoint)
		return err_set(e, ERR_UNSUPPORTED, 0, "restore from a checkpoint");
	if (!str_empty(m->runtime_path))
		return err_set(e, ERR_UNSUPPORTED, 0, "runtime_path");
	if (engine_find(c->q->d->engine, w.namespace, w.id))
		return err_set(e, ERR_EXISTS, 0, "task %s", w.id);
	r = tasks_check_state(c->q->d, e);
	if (r >= 0)
		r = take_options(c, e);
	if (r >= 0)
		r = take_mounts(c, &w, e);
	if (r < 0)
		return r;
	w.foreign = c->foreign.program ? &c->foreign : NULL;
	w.hosted = c->q->d->settings->no_shim && !w.foreign;
	w.config = c->container->spec ? (const char *)c->container->spec->value.data : NULL;
	w.config_len = c->container->spec ? c->container->spec->value.len : 0;
	return engine_create(c->q->d->engine, &c->op, &w, e);
}

void serve_task_create(struct request *q)
{
	struct creation *c = arena_alloc(&q->arena, sizeof *c);
	struct err e;
	int r;

	if (!c) {
		err_sys(&e, -ENOMEM, "create a task");
		request_fail(q, &e);
		return;
	}
	c->q = q;
	c->op = (struct engine_op){ .done = on_created, .ctx = c };
	q->ctx = c;
	q->op = &c->op;
	q->end = creation_free;
	r = create(c, &e);
	if (r < 0)
		request_fail(q, &e);
	else
		q->gone = on_gone;
}
