/* The `process` section of config.json; also what `exec --process` reads. */
#include "spec_decode.h"

#include <sched.h>
#include <string.h>

#include "mem.h"
#include "str.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

/* clang-format off */
static const struct spec_choice rlimit = { rlimit_names, "rlimit" };
static const struct spec_choice policy = { scheduler_policy_names, "scheduler policy" };
static const struct spec_choice scheduler_flag = { scheduler_flag_names, "scheduler flag" };
static const struct spec_choice ioprio_class = { ioprio_class_names, "I/O priority class" };
/* clang-format on */

/* ---- user, console ---------------------------------------------------- */

static JSON_DECODER(dec_umask)
{
	if (v->type == JSON_INT && !v->negative && v->u > 0777)
		return json_fail(d, v, "must be at most 511 (0777)");
	return json_dec_u32(d, v, f, obj);
}

static JSON_DECODER(dec_gids)
{
	for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->n; i++) {
		const struct json *gid = &v->items[i];

		if (gid->type == JSON_INT && !gid->negative && gid->u == UINT32_MAX) {
			int r = json_fail(d, gid, "must be at most %u", UINT32_MAX - 1);

			if (r < 0)
				return r;
		}
	}
	return json_dec_u32s(d, v, f, obj);
}

/* clang-format off */
static const struct json_field user_fields[] = {
	JSON_FIELD("uid",                 spec_dec_id, struct spec_user, uid, 0),
	JSON_FIELD("gid",                 spec_dec_id, struct spec_user, gid, 0),
	JSON_FIELD_OPT("umask",           dec_umask,   struct spec_user, umask),
	JSON_FIELD_LIST("additionalGids", dec_gids,    struct spec_user, additional_gids, 0, NULL),
	{ 0 }
};

static const struct json_field console_fields[] = {
	JSON_FIELD("height", json_dec_u16, struct spec_process, console_height, JSON_REQUIRED),
	JSON_FIELD("width",  json_dec_u16, struct spec_process, console_width,  JSON_REQUIRED),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_console)
{
	(void)f;
	((struct spec_process *)obj)->has_console_size = true;
	return json_decode(d, v, console_fields, obj);
}

static JSON_DECODER(dec_env)
{
	int r = json_dec_strings(d, v, f, obj);

	if (r < 0 || v->type != JSON_ARRAY)
		return r;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct json *s = &v->items[i];
		const char *eq = s->type == JSON_STRING ? strchr(s->s, '=') : "x";

		if (!eq)
			r = json_fail(d, s, "invalid environment variable '%s': no '='", s->s);
		else if (s->type == JSON_STRING && eq == s->s)
			r = json_fail(d, s, "invalid environment variable '%s': no name", s->s);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- capabilities ----------------------------------------------------- */

/* The one kind of name that may be unknown: the specification wants a warning. */
static int unknown_cap(struct json_dec *d, struct spec_caps *c, const char *name)
{
	if (c->n_unknown == ARRAY_SIZE(c->unknown))
		return 0;
	c->unknown[c->n_unknown] = arena_strdup(d->a, name);
	return c->unknown[c->n_unknown++] ? 0 : json_nomem(d);
}

static JSON_DECODER(dec_cap_set)
{
	uint64_t *set = (uint64_t *)((char *)obj + f->offset), cap;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	for (uint32_t i = 0; i < v->n && r >= 0; i++) {
		if (!json_want(d, &v->items[i], JSON_STRING, &r))
			continue;
		if (name_value(capability_names, v->items[i].s, &cap) == 0)
			*set |= (uint64_t)1 << cap;
		else
			r = unknown_cap(d, obj, v->items[i].s);
	}
	return r < 0 ? r : 0;
}

/* clang-format off */
static const struct json_field cap_fields[] = {
	JSON_FIELD("bounding",    dec_cap_set, struct spec_caps, set[CAP_SET_BOUNDING], 0),
	JSON_FIELD("effective",   dec_cap_set, struct spec_caps, set[CAP_SET_EFFECTIVE], 0),
	JSON_FIELD("inheritable", dec_cap_set, struct spec_caps, set[CAP_SET_INHERITABLE], 0),
	JSON_FIELD("permitted",   dec_cap_set, struct spec_caps, set[CAP_SET_PERMITTED], 0),
	JSON_FIELD("ambient",     dec_cap_set, struct spec_caps, set[CAP_SET_AMBIENT], 0),
	{ 0 }
};
/* clang-format on */

static const struct json_struct caps_struct = { sizeof(struct spec_caps), cap_fields, NULL };

/* ---- limits and priorities -------------------------------------------- */

/* clang-format off */
static const struct json_field rlimit_fields[] = {
	JSON_FIELD_ARG("type", spec_dec_name, struct spec_rlimit, resource, JSON_REQUIRED, &rlimit),
	JSON_FIELD("soft",     json_dec_u64,  struct spec_rlimit, soft,     JSON_REQUIRED),
	JSON_FIELD("hard",     json_dec_u64,  struct spec_rlimit, hard,     JSON_REQUIRED),
	{ 0 }
};
/* clang-format on */

static int check_rlimit(struct json_dec *d, const struct json *v, void *obj)
{
	const struct spec_rlimit *l = obj;
	const char *type = json_string(json_get(v, "type"), "");
	size_t index = (size_t)(v - v->parent->items);

	if (l->soft > l->hard)
		return json_fail_at(d, v, "/soft", "must not be larger than hard");
	for (size_t i = 0; i < index; i++) {
		const char *other = json_string(json_get(&v->parent->items[i], "type"), NULL);

		if (other && !strcmp(type, other))
			return json_fail_at(d, v, "/type", "duplicate rlimit '%s'", type);
	}
	return 0;
}

static const struct json_struct rlimit_struct = { sizeof(struct spec_rlimit), rlimit_fields,
						  check_rlimit };

/* clang-format off */
static const struct json_field scheduler_fields[] = {
	JSON_FIELD_ARG("policy", spec_dec_name,  struct spec_scheduler, policy, JSON_REQUIRED, &policy),
	JSON_FIELD("nice",       json_dec_i32,   struct spec_scheduler, nice, 0),
	JSON_FIELD("priority",   json_dec_i32,   struct spec_scheduler, priority, 0),
	JSON_FIELD_ARG("flags",  spec_dec_flags, struct spec_scheduler, flags, 0, &scheduler_flag),
	JSON_FIELD("runtime",    json_dec_u64,   struct spec_scheduler, runtime, 0),
	JSON_FIELD("deadline",   json_dec_u64,   struct spec_scheduler, deadline, 0),
	JSON_FIELD("period",     json_dec_u64,   struct spec_scheduler, period, 0),
	{ 0 }
};
/* clang-format on */

static int check_deadline(struct json_dec *d, const struct json *v, const struct spec_scheduler *s)
{
	if (s->policy != SCHED_DEADLINE) {
		if (s->runtime || s->deadline || s->period)
			return json_fail(d, v, "runtime, deadline and period are only for SCHED_DEADLINE");
		return 0;
	}
	if (!s->runtime || s->runtime > s->deadline || (s->period && s->deadline > s->period))
		return json_fail(d, v, "SCHED_DEADLINE needs 0 < runtime <= deadline <= period");
	return 0;
}

/* The kernel answers a wrong combination with a bare EINVAL. */
static int check_scheduler(struct json_dec *d, const struct json *v, void *obj)
{
	const struct spec_scheduler *s = obj;
	bool fair = s->policy == SCHED_OTHER || s->policy == SCHED_BATCH;
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (!spec_is_known(v, "policy", scheduler_policy_names))
		return 0;
	if (s->nice < -20 || s->nice > 19)
		return json_fail_at(d, v, "/nice", "must be between -20 and 19");
	if (s->nice && !fair)
		return json_fail_at(d, v, "/nice", "only for SCHED_OTHER and SCHED_BATCH");
	if (s->priority && !realtime)
		return json_fail_at(d, v, "/priority", "only for SCHED_FIFO and SCHED_RR");
	if (realtime && (s->priority < 1 || s->priority > 99))
		return json_fail_at(d, v, "/priority", "must be between 1 and 99");
	return check_deadline(d, v, s);
}

static const struct json_struct scheduler_struct = { sizeof(struct spec_scheduler),
						     scheduler_fields, check_scheduler };

static JSON_DECODER(dec_io_level)
{
	if (v->type == JSON_INT && (v->negative || v->u > 7))
		return json_fail(d, v, "must be between 0 and 7");
	return json_dec_i32(d, v, f, obj);
}

static JSON_DECODER(dec_oom_score_adj)
{
	if (v->type == JSON_INT && (v->negative ? v->i < -1000 : v->u > 1000))
		return json_fail(d, v, "must be between -1000 and 1000");
	return json_dec_i32(d, v, f, obj);
}

/* clang-format off */
static const struct json_field io_priority_fields[] = {
	JSON_FIELD_ARG("class", spec_dec_name, struct spec_io_priority, class, JSON_REQUIRED, &ioprio_class),
	JSON_FIELD("priority",  dec_io_level,  struct spec_io_priority, priority, JSON_REQUIRED),
	{ 0 }
};
static const struct json_struct io_priority_struct = {
	sizeof(struct spec_io_priority), io_priority_fields, NULL
};
/* clang-format on */

static JSON_DECODER(dec_cpus)
{
	if (v->type == JSON_STRING && v->n && !spec_is_cpu_list(v->s))
		return json_fail(d, v, "'%s' is not a list of CPUs", v->s);
	return spec_dec_text(d, v, f, obj);
}

/* clang-format off */
static const struct json_field affinity_fields[] = {
	JSON_FIELD("initial", dec_cpus, struct spec_process, cpu_affinity_initial, 0),
	JSON_FIELD("final",   dec_cpus, struct spec_process, cpu_affinity_final, 0),
	{ 0 }
};
/* clang-format on */

static JSON_DECODER(dec_affinity)
{
	(void)f;
	return json_decode(d, v, affinity_fields, obj);
}

/* ---- the section ------------------------------------------------------ */

/* clang-format off */
static const struct json_field process_fields[] = {
	JSON_FIELD("terminal",        json_dec_bool,     struct spec_process, terminal, 0),
	JSON_FIELD("consoleSize",     dec_console,       struct spec_process, console_height, 0),
	JSON_FIELD_ARG("user",        json_dec_object,   struct spec_process, user, 0, user_fields),
	JSON_FIELD_LIST("args",       json_dec_strings,  struct spec_process, args, 0, NULL),
	JSON_FIELD_LIST("env",        dec_env,           struct spec_process, env, 0, NULL),
	JSON_FIELD("cwd",             spec_dec_abs_path, struct spec_process, cwd, JSON_REQUIRED),
	JSON_FIELD_ARG("capabilities", json_dec_pointer, struct spec_process, capabilities, 0, &caps_struct),
	JSON_FIELD_LIST("rlimits",    json_dec_list,     struct spec_process, rlimits, 0, &rlimit_struct),
	JSON_FIELD("noNewPrivileges", json_dec_bool,     struct spec_process, no_new_privileges, 0),
	JSON_FIELD("apparmorProfile", spec_dec_text,     struct spec_process, apparmor_profile, 0),
	JSON_FIELD_OPT("oomScoreAdj", dec_oom_score_adj, struct spec_process, oom_score_adj),
	JSON_FIELD_ARG("scheduler",   json_dec_pointer,  struct spec_process, scheduler, 0, &scheduler_struct),
	JSON_FIELD_ARG("ioPriority",  json_dec_pointer,  struct spec_process, io_priority, 0, &io_priority_struct),
	JSON_FIELD("execCPUAffinity", dec_affinity,      struct spec_process, cpu_affinity_initial, 0),
	JSON_FIELD("selinuxLabel",    spec_dec_text,     struct spec_process, selinux_label, 0),
	{ 0 }
};
/* clang-format on */

static int check_process(struct json_dec *d, const struct json *v, void *obj)
{
	struct spec_process *p = obj;
	static char *empty[] = { NULL };

	if (!p->env)
		p->env = empty;
	if (p->n_args)
		return 0;
	p->args = empty;
	/* A wrong type was reported already. */
	if (json_get(v, "args") && json_get(v, "args")->n)
		return 0;
	return json_fail_at(d, v, "/args", "args must not be empty");
}

const struct json_struct spec_process_struct = { sizeof(struct spec_process), process_fields,
						 check_process };
