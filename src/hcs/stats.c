/* Metrics of containerd's protocol, as HCS's statistics. */
#include <errno.h>
#include <string.h>

#include "cgroups_v1.pb-c.h"
#include "cgroups_v2.pb-c.h"
#include "properties.h"
#include "str.h"
#include "task.pb-c.h"
#include "wellknown.pb-c.h"

enum { PAGE = 4096 };

struct numbers {
	struct schema_processor_stats *cpu;
	struct schema_memory_stats *memory;
	struct schema_storage_stats *storage;
	struct schema_memory_info *info;
};

/* A limit of "max" is the largest number, on v1 as near as pages come to it. */
static void memory_info(struct schema_memory_info *info, uint64_t usage, uint64_t limit)
{
	info->has_assigned = true;
	info->assigned = usage / PAGE;
	if (!limit || limit >= INT64_MAX / PAGE * PAGE)
		return;
	info->has_reserved = info->has_available = true;
	info->reserved = limit / PAGE;
	info->available = usage >= limit ? 0 : (int32_t)((limit - usage) * 100 / limit);
}

static void read_v2(const Io__Containerd__Cgroups__V2__Metrics *m, const struct numbers *n)
{
	if (m->cpu)
		*n->cpu = (struct schema_processor_stats){ m->cpu->usage_usec * 10, m->cpu->user_usec * 10,
							   m->cpu->system_usec * 10 };
	if (m->memory) {
		*n->memory = (struct schema_memory_stats){ m->memory->usage, m->memory->max_usage, m->memory->anon };
		memory_info(n->info, m->memory->usage, m->memory->usage_limit);
	}
	for (size_t i = 0; m->io && i < m->io->n_usage; i++) {
		n->storage->read_count += m->io->usage[i]->rios;
		n->storage->read_bytes += m->io->usage[i]->rbytes;
		n->storage->write_count += m->io->usage[i]->wios;
		n->storage->write_bytes += m->io->usage[i]->wbytes;
	}
}

static uint64_t sum(Io__Containerd__Cgroups__V1__BlkIOEntry **list, size_t n, const char *op)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i]->op, op))
			total += list[i]->value;
	return total;
}

static void read_v1(const Io__Containerd__Cgroups__V1__Metrics *m, const struct numbers *n)
{
	const Io__Containerd__Cgroups__V1__BlkIOStat *io = m->blkio;

	if (m->cpu && m->cpu->usage)
		*n->cpu = (struct schema_processor_stats){ m->cpu->usage->total / 100, m->cpu->usage->user / 100,
							   m->cpu->usage->kernel / 100 };
	if (m->memory && m->memory->usage) {
		*n->memory = (struct schema_memory_stats){ m->memory->usage->usage, m->memory->usage->max,
							   m->memory->total_rss };
		memory_info(n->info, m->memory->usage->usage, m->memory->usage->limit);
	}
	if (!io)
		return;
	n->storage->read_count = sum(io->io_serviced_recursive, io->n_io_serviced_recursive, "Read");
	n->storage->write_count = sum(io->io_serviced_recursive, io->n_io_serviced_recursive, "Write");
	n->storage->read_bytes = sum(io->io_service_bytes_recursive, io->n_io_service_bytes_recursive, "Read");
	n->storage->write_bytes = sum(io->io_service_bytes_recursive, io->n_io_service_bytes_recursive, "Write");
}

static int read_any(const Google__Protobuf__Any *any, const struct numbers *n)
{
	if (str_ends(any->type_url, "cgroups.v2.Metrics")) {
		Io__Containerd__Cgroups__V2__Metrics *m =
			io__containerd__cgroups__v2__metrics__unpack(NULL, any->value.len, any->value.data);

		if (!m)
			return -EPROTO;
		read_v2(m, n);
		io__containerd__cgroups__v2__metrics__free_unpacked(m, NULL);
	} else {
		Io__Containerd__Cgroups__V1__Metrics *m =
			io__containerd__cgroups__v1__metrics__unpack(NULL, any->value.len, any->value.data);

		if (!m)
			return -EPROTO;
		read_v1(m, n);
		io__containerd__cgroups__v1__metrics__free_unpacked(m, NULL);
	}
	return 0;
}

int stats_read(struct arena *a, const uint8_t *payload, size_t len, struct schema_statistics *stats,
	       struct schema_memory_info *memory)
{
	struct numbers n = {
		arena_alloc(a, sizeof *n.cpu),
		arena_alloc(a, sizeof *n.memory),
		arena_alloc(a, sizeof *n.storage),
		memory,
	};
	Containerd__Task__V2__StatsResponse *m = containerd__task__v2__stats_response__unpack(NULL, len, payload);
	int r = -EPROTO;

	if (m && m->stats && n.cpu && n.memory && n.storage)
		r = read_any(m->stats, &n);
	if (m)
		containerd__task__v2__stats_response__free_unpacked(m, NULL);
	if (r < 0)
		return r;
	stats->processor = n.cpu;
	stats->memory = n.memory;
	stats->storage = n.storage;
	return 0;
}
