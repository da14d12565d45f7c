/* Phases, told; see timings.h. */
#include "timings.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "request.h"
#include "str.h"

/* One that takes longer is in the log, whether or not somebody looks for it. */
enum { SLOW_US = 1000000,
       KEY_MAX = 48 };

void timings_add(struct timings *t, const struct engine_op *op)
{
	for (unsigned i = 0; i < op->n_phases && t->n < TIMINGS_MAX; i++)
		t->v[t->n++] = op->phases[i];
	if (op->shim_us && t->n < TIMINGS_MAX)
		t->v[t->n++] = (struct engine_phase){ "within the shim", op->shim_us };
}

/* "wait for the shim's answer" -> "wait_for_the_shims_answer" */
static void one_word(char *to, const char *words, char between, const char *end)
{
	size_t n = 0;

	for (; *words && n < KEY_MAX - 8; words++)
		if (*words == ' ')
			to[n++] = between;
		else if (*words != '\'')
			to[n++] = *words;
	snprintf(to + n, KEY_MAX - n, "%s", end);
}

static void log_it(const struct timings *t, struct log_record *l, struct log_field *fields)
{
	char keys[TIMINGS_MAX][KEY_MAX];

	for (unsigned i = 0; i < t->n; i++) {
		one_word(keys[i], t->v[i].words, '_', "_us");
		fields[l->n_fields++] = (struct log_field){ .key = keys[i], .number = t->v[i].us };
	}
	l->fields = fields;
	log_record(l);
}

static void send_it(const struct timings *t, struct request *q, uint64_t total_us)
{
	OWN_SB struct sb b = SB_INIT;
	char key[KEY_MAX];

	for (unsigned i = 0; i < t->n; i++) {
		one_word(key, t->v[i].words, '-', "");
		sb_printf(&b, "%s;dur=%.3f, ", key, (double)t->v[i].us / 1000);
	}
	sb_printf(&b, "total;dur=%.3f", (double)total_us / 1000);
	if (!b.failed && q->rpc)
		grpc_trailer(q->rpc, "berth-timings", b.s);
}

void timings_tell(const struct timings *t, struct request *q, const char *words, const char *id, const char *exec_id)
{
	uint64_t total_us = request_age_us(q);
	struct log_field fields[TIMINGS_MAX + 4] = { { .key = "id", .text = id },
						     { .key = "namespace", .text = q->namespace } };
	struct log_record l = {
		.level = total_us >= SLOW_US ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		.words = words,
		.n_fields = 2,
	};

	if (*exec_id)
		fields[l.n_fields++] = (struct log_field){ .key = "exec_id", .text = exec_id };
	fields[l.n_fields++] = (struct log_field){ .key = "total_us", .number = total_us };
	log_it(t, &l, fields);
	send_it(t, q, total_us);
}
