/* Orders for a helper that is there already; see order.h. */
#include "order.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "err.h"
#include "helper.h"
#include "mem.h"
#include "shim.h"
#include "shim_order.pb-c.h"
#include "str.h"

void *order_pack(const struct order *o, size_t *len)
{
	Berth__Shim__Order__Create m = BERTH__SHIM__ORDER__CREATE__INIT;
	uint8_t *ret;

	m.runtime_root = o->runtime->root;
	m.systemd_cgroup = o->runtime->systemd_cgroup;
	m.no_pivot_root = o->runtime->no_pivot_root;
	m.no_new_keyring = o->runtime->no_new_keyring;
	m.id = (char *)(uintptr_t)o->id;
	m.bundle = (char *)(uintptr_t)o->bundle;
	m.logger = (char *)(uintptr_t)(o->logger ? o->logger : "");
	m.terminal = o->terminal;
	m.rootfs = o->mounts;
	m.n_rootfs = o->n_mounts;
	*len = berth__shim__order__create__get_packed_size(&m);
	ret = malloc(*len);
	if (ret)
		berth__shim__order__create__pack(&m, ret);
	return ret;
}

int order_create(struct helper_result *ret, const void *shim, const void *packed, size_t len, struct err *e)
{
	const struct shim *s = shim;
	Berth__Shim__Order__Create *m = berth__shim__order__create__unpack(NULL, len, packed);
	struct runtime rt = { .ops = &builtin_ops, .binary = (char *)(uintptr_t)"" };
	struct order o = { .runtime = &rt, .facts = &s->facts, .namespace = s->namespace };

	if (!m)
		return err_sys(e, -ENOMEM, "read what is to be created");
	rt.root = m->runtime_root;
	rt.systemd_cgroup = m->systemd_cgroup;
	rt.no_pivot_root = m->no_pivot_root;
	rt.no_new_keyring = m->no_new_keyring;
	o.id = m->id;
	o.bundle = m->bundle;
	o.logger = str_empty(m->logger) ? NULL : m->logger;
	o.terminal = m->terminal;
	o.mounts = m->rootfs;
	o.n_mounts = m->n_rootfs;
	return builtin_ops.create(ret, &o, e); /* the process ends with it */
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
