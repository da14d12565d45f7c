/* The metrics of a task: what both messages share; see metrics.h. */
#include "metrics.h"

#include <errno.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "mem.h"
#include "metrics_parts.h"

void *metrics_part(struct metrics *m, const ProtobufCMessageDescriptor *d)
{
	void *new = arena_alloc(m->a, d->sizeof_message);

	if (new)
		protobuf_c_message_init(d, new);
	else
		m->failed = true;
	return new;
}

void *metrics_list(struct metrics *m, const ProtobufCMessageDescriptor *d, size_t n)
{
	void **list;

	if (!n)
		return NULL;
	list = arena_calloc(m->a, n, sizeof *list);
	if (!list) {
		m->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		list[i] = metrics_part(m, d);
		if (!list[i])
			return NULL;
	}
	return list;
}

void metrics_memory_stat(const struct metrics *m, const struct metrics_name *renamed,
			 ProtobufCMessage *to)
{
	for (size_t i = 0; i < m->s->memory.n_raw; i++) {
		const struct stats_named *line = &m->s->memory.raw[i];
		const struct metrics_name *other = renamed;
		const ProtobufCFieldDescriptor *field;

		while (other->line && strcmp(other->line, line->name) != 0)
			other++;
		field = protobuf_c_message_descriptor_get_field_by_name(
			to->descriptor, other->line ? other->field : line->name);
		/* v1 has a line "swap", and something else of that name. */
		if (field && field->type == PROTOBUF_C_TYPE_UINT64)
			*(uint64_t *)((char *)to + field->offset) = line->value;
	}
}

static void *field(ProtobufCMessage *of, const char *name)
{
	return (char *)of + protobuf_c_message_descriptor_get_field_by_name(of->descriptor, name)->offset;
}

static void rdma_entries(struct metrics *m, const struct stats_rdma_file *from, ProtobufCMessage *to, const char *name)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(to->descriptor, name);
	ProtobufCMessage **list = metrics_list(m, f->descriptor, from->n);

	for (size_t i = 0; list && i < from->n; i++) {
		*(const char **)field(list[i], "device") = from->v[i].device;
		*(uint32_t *)field(list[i], "hca_handles") = from->v[i].handles;
		*(uint32_t *)field(list[i], "hca_objects") = from->v[i].objects;
	}
	*(ProtobufCMessage ***)field(to, name) = list;
	*(size_t *)((char *)to + f->quantifier_offset) = list ? from->n : 0;
}

void *metrics_rdma(struct metrics *m, const ProtobufCMessageDescriptor *d)
{
	void *to = metrics_part(m, d);

	if (to) {
		rdma_entries(m, &m->s->rdma.current, to, "current");
		rdma_entries(m, &m->s->rdma.limit, to, "limit");
	}
	return to;
}

static bool any_open(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->host->n; i++)
		if (cg->fd[i] >= 0)
			return true;
	return false;
}

int metrics_read(const struct cgroup *cg, struct arena *a, const char **ret_type_url, uint8_t **ret,
		 size_t *ret_len, struct err *e)
{
	ProtobufCMessage *message;
	struct cgroup_stats s;
	struct metrics m = { .cg = cg, .s = &s, .a = a };
	int r;

	if (!any_open(cg))
		return err_set(e, ERR_NOT_FOUND, 0, "cgroup '%s' does not exist", cg->path);
	r = cgroup_stats_read(cg, a, &s, e);
	if (r < 0)
		return r;
	message = cg->host->mode == CGROUP_V2 ? metrics_v2(&m) : metrics_v1(&m);
	*ret = NULL;
	if (message && !m.failed) {
		*ret_len = protobuf_c_message_get_packed_size(message);
		*ret = arena_alloc(a, *ret_len);
	}
	if (!*ret)
		return err_sys(e, -ENOMEM, "pack the metrics of cgroup '%s'", cg->path);
	protobuf_c_message_pack(message, *ret);
	*ret_type_url = message->descriptor->name;
	return 0;
}
