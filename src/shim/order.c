/* Orders for a helper that is there already; see order.h. */
#include "order.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "helper.h"
#include "mem.h"
#include "proc.h"
#include "shim.h"
#include "shim_order.pb-c.h"
#include "str.h"

/* ---- verbs ------------------------------------------------------------------ */

#define OP(name) .op = offsetof(struct runtime_ops, name) + 1
static const struct verb {
	const char *name; /* at most 15 characters */
	size_t op; /* the place of a runtime's own, and 1; 0: of all runtimes: */
	order_work *work;
	bool untold; /* of what it is told something is only in this process */
} verbs[] = {
	{ "shim: create", OP(create) },
	{ "shim: start", OP(start) },
	{ "shim: exec", OP(exec) },
	{ "shim: kill", OP(kill) },
	{ "shim: pause", OP(pause) },
	{ "shim: resume", OP(resume) },
	{ "shim: update", OP(update) },
	{ "shim: delete", OP(destroy) },
	{ "shim: restore", OP(restore) },
	{ "shim: clean up", .work = operation_remove_bundle },
	{ "shim: mount", .work = operation_mount_add, .untold = true },
	{ "shim: unmount", .work = operation_mount_remove, .untold = true },
	{ "shim: list", .work = operation_pids },
	{ "shim: measure", .work = operation_metrics },
};

static order_work *work_of(const struct verb *v, const struct runtime_ops *ops)
{
	return v->op ? *(order_work *const *)((const char *)ops + v->op - 1) : v->work;
}

int order_verb(const struct runtime_ops *ops, order_work *work)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (work_of(&verbs[i], ops) == work)
			return (int)i;
	return -1;
}

const char *order_verb_name(int verb)
{
	return verb < 0 ? NULL : verbs[verb].name;
}

/* ---- as bytes --------------------------------------------------------------- */

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

void *order_pack(const struct order *o, int verb, size_t *len)
{
	Berth__Shim__Order__Order m = BERTH__SHIM__ORDER__ORDER__INIT;
	uint8_t *ret;

	if (verb < 0 || verbs[verb].untold)
		return NULL;
	m.verb = (uint32_t)verb;
	m.runtime_binary = o->runtime->binary;
	m.runtime_root = o->runtime->root;
	m.systemd_cgroup = o->runtime->systemd_cgroup;
	m.no_pivot_root = o->runtime->no_pivot_root;
	m.no_new_keyring = o->runtime->no_new_keyring;
	m.namespace_ = text(o->namespace);
	m.id = text(o->id);
	m.bundle = text(o->bundle);
	m.exec_id = text(o->exec_id);
	m.logger = text(o->logger);
	m.terminal = o->terminal;
	m.all = o->all;
	m.signal = o->sig;
	m.cgroup = text(o->cgroup);
	m.document.data = (uint8_t *)(uintptr_t)o->document;
	m.document.len = o->document_len;
	m.pid = o->pid;
	m.rootfs = o->mounts;
	m.n_rootfs = o->n_mounts;
	*len = berth__shim__order__order__get_packed_size(&m);
	ret = malloc(*len + 1);
	if (ret)
		berth__shim__order__order__pack(&m, ret);
	return ret;
}

/* ---- in the helper ---------------------------------------------------------- */

static int read_host(struct arena *a, struct core *facts, struct err *e)
{
	struct cgroup_host *host = arena_alloc(a, sizeof *host);

	*facts = (struct core){ .cgroup = host, .in_user_ns = proc_in_user_ns() };
	facts->rootless = facts->in_user_ns || geteuid() != 0;
	return host ? cgroup_host_read(host, a, e) : err_sys(e, -ENOMEM, "look for cgroups");
}

static int do_it(struct helper_result *ret, const struct core *facts, const Berth__Shim__Order__Order *m,
		 struct err *e)
{
	struct runtime rt = {
		.ops = *m->runtime_binary ? &external_ops : &builtin_ops,
		.binary = m->runtime_binary,
		.root = m->runtime_root,
		.systemd_cgroup = m->systemd_cgroup,
		.no_pivot_root = m->no_pivot_root,
		.no_new_keyring = m->no_new_keyring,
	};
	struct order o = {
		.runtime = &rt,
		.facts = facts,
		.namespace = m->namespace_,
		.id = m->id,
		.bundle = m->bundle,
		.exec_id = m->exec_id,
		.logger = str_empty(m->logger) ? NULL : m->logger,
		.terminal = m->terminal,
		.all = m->all,
		.sig = m->signal,
		.cgroup = m->cgroup,
		.document = m->document.data,
		.document_len = m->document.len,
		.pid = m->pid,
		.mounts = m->rootfs,
		.n_mounts = m->n_rootfs,
	};
	order_work *work = m->verb < ARRAY_SIZE(verbs) ? work_of(&verbs[m->verb], rt.ops) : NULL;

	return work ? work(ret, &o, e) : err_sys(e, -EPROTO, "read what is to be done");
}

/* Without an end of what it allocates: the process ends with it. */
int order_do(struct helper_result *ret, const void *shim, const void *packed, size_t len, struct err *e)
{
	const struct shim *s = shim;
	Berth__Shim__Order__Order *m = berth__shim__order__order__unpack(NULL, len, packed);
	struct arena a = ARENA_INIT;
	struct core facts;
	int r;

	if (!m)
		return err_sys(e, -ENOMEM, "read what is to be done");
	r = s ? 0 : read_host(&a, &facts, e);
	return r < 0 ? r : do_it(ret, s ? &s->facts : &facts, m, e);
}

/* ---- before it comes -------------------------------------------------------- */

enum { PAGE = 4096, AROUND = 16 * PAGE, STACK = 6 * PAGE };

/* Of the program's own image, by the linker. */
extern char __executable_start[], edata[], end[];

static __attribute__((no_sanitize("address"))) void touch(void *from, size_t len, size_t step, bool write)
{
	volatile char *p = from;

	for (size_t i = 0; i < len; i += step) {
		char c = p[i];

		if (write)
			p[i] = c;
	}
}

/* Each first touch of a page is a fault, some fifty in a Create. The kernel maps what
 * is in its cache around one that is read; what is written must be a page of our own. */
void order_warm(const void *shim)
{
	static const size_t sizes[] = { 24, 40, 60, 100, 200, 300, 600, 1000, 2000, 4000, 9000, 20000 };
	char stack[STACK] = "", *data = (char *)((uintptr_t)edata & -(uintptr_t)PAGE);
	void *p[ARRAY_SIZE(sizes)];

	touch(__executable_start, (size_t)(edata - __executable_start), AROUND, false);
	touch(data, (size_t)(end - data), PAGE, true);
	touch(stack, sizeof stack, PAGE, true);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = calloc(1, sizes[i]);
		if (p[i])
			touch(p[i], sizes[i], PAGE, true);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		free(p[i]);
}
