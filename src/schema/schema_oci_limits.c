/* Memory and processor of HCS's documents in OCI's units, and `resources` of an
 * update. */
#include <errno.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "schema_oci_parts.h"

enum { CPU_PERIOD = 100000, CPU_PERIOD_MAX = 1000000, CPU_QUOTA_MIN = 1000 }; /* microseconds */

/* Hundredths of a percent of all processors; never less than the kernel takes,
 * which is a thousandth of one. */
static void set_maximum(struct spec_make *m, uint32_t maximum, uint32_t processors)
{
	int64_t share = (int64_t)maximum * processors;

	m->cpu_period = CPU_PERIOD;
	m->cpu_quota = share * CPU_PERIOD / 10000;
	if (m->cpu_quota >= CPU_QUOTA_MIN)
		return;
	m->cpu_period = CPU_PERIOD_MAX;
	m->cpu_quota = share * CPU_PERIOD_MAX / 10000;
	if (m->cpu_quota < CPU_QUOTA_MIN)
		m->cpu_quota = CPU_QUOTA_MIN;
}

/* What has no weight counts as 5000 on Windows, 100 on cgroup v2, 1024 on v1. */
static void set_weight(struct spec_make *m, uint32_t weight, bool cgroup_v2)
{
	uint64_t w = weight < 50 ? 1 : weight / 50;

	if (cgroup_v2)
		m->cpu_weight = w;
	else
		m->cpu_shares = w * 1024 / 100;
}

int schema_set_processor(struct spec_make *m, const struct schema_processor *p,
			 const struct schema_oci_input *in, struct err *e)
{
	if (p->count) {
		m->cpu_period = CPU_PERIOD;
		m->cpu_quota = (int64_t)p->count * CPU_PERIOD;
	}
	if (p->weight)
		set_weight(m, p->weight, in->cgroup_v2);
	if (!p->maximum)
		return 0;
	if (!in->processors)
		return err_set(e, ERR_INVALID, 0, "map a processor maximum: how many there are is not known");
	set_maximum(m, p->maximum, in->processors);
	return 0;
}

void schema_set_memory(struct spec_make *m, uint64_t megabytes)
{
	m->memory = (int64_t)(megabytes << 20);
}

int schema_oci_resources(struct arena *a, const struct schema_modify *m,
			 const struct schema_oci_input *in, struct schema_text *ret,
			 struct err *e)
{
	OWN_SB struct sb text = SB_INIT;
	struct spec_make make = { 0 };
	struct jw w;
	int r = 0;

	if (m->resource == SCHEMA_RESOURCE_MEMORY)
		schema_set_memory(&make, m->memory_mb);
	else if (m->resource == SCHEMA_RESOURCE_PROCESSOR)
		r = schema_set_processor(&make, &m->processor, in, e);
	else
		return err_set(e, ERR_INVALID, 0, "map a change: it is none of memory or processor");
	if (r < 0)
		return r;
	jw_init(&w, &text, NULL);
	jw_begin(&w, '{');
	spec_make_limits(&w, &make);
	jw_end(&w);
	return schema_take_text(a, &text, &ret->text, &ret->len, e);
}
