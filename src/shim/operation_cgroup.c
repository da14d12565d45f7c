/* What is read from a container's cgroup, in a helper: the answer is a file. */
#include <errno.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "helper.h"
#include "mem.h"
#include "metrics.h"
#include "operation.h"
#include "str.h"

static int open_cgroup(const struct order *o, struct cgroup *ret, struct err *e)
{
	if (str_empty(o->cgroup) || !o->host)
		return err_set(e, ERR_NOT_FOUND, 0, "cgroup does not exist");
	return cgroup_open(ret, o->host, o->cgroup, e);
}

static int answer(struct helper_result *ret, const void *data, size_t len, struct err *e)
{
	OWN_FD fd = file_memory("answer");
	int r = fd < 0 ? fd : fd_write_all(fd, data, len);

	if (r < 0)
		return err_sys(e, r, "answer");
	ret->fd = take_fd(&fd);
	return 0;
}

int operation_pids(struct helper_result *ret, void *order, struct err *e)
{
	struct arena a = ARENA_INIT;
	struct cgroup cg;
	pid_t *pids;
	size_t n;
	int r = open_cgroup(order, &cg, e);

	if (r >= 0)
		r = cgroup_pids(&cg, &a, &pids, &n, e);
	return r < 0 ? r : answer(ret, pids, n * sizeof *pids, e);
}

int operation_metrics(struct helper_result *ret, void *order, struct err *e)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct arena a = ARENA_INIT;
	struct cgroup cg;
	const char *type;
	uint8_t *packed;
	int r = open_cgroup(order, &cg, e);

	if (r >= 0)
		r = metrics_read(&cg, &a, &type, &any.value.data, &any.value.len, e);
	if (r < 0)
		return r;
	any.type_url = (char *)(uintptr_t)type;
	packed = arena_alloc(&a, protobuf_c_message_get_packed_size(&any.base) + 1);
	if (!packed)
		return err_sys(e, -ENOMEM, "answer");
	return answer(ret, packed, protobuf_c_message_pack(&any.base, packed), e);
}
