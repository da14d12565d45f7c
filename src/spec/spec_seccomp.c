/* linux.seccomp: names become libseccomp's numbers here; compiling is core's. */
#include "spec_decode.h"

#include <string.h>

#include <seccomp.h>

#include "mem.h"
#include "str.h"

/* clang-format off */
static const struct spec_choice action = { seccomp_action_names, "seccomp action" };
static const struct spec_choice operator = { seccomp_operator_names, "seccomp operator" };
static const struct spec_choice arch = { seccomp_arch_names, "seccomp architecture" };
static const struct spec_choice flag = { seccomp_flag_names, "seccomp flag" };
/* clang-format on */

static bool takes_errno(uint32_t act)
{
	return act == SCMP_ACT_ERRNO(0) || act == SCMP_ACT_TRACE(0);
}

static bool is_notify(uint32_t act)
{
	return act == SCMP_ACT_NOTIFY;
}

/* The kernel has 16 bits for either, and takes no errno above 4095. */
static int check_errno(struct json_dec *d, const struct json *v, const char *rel, uint32_t act,
		       uint32_t value)
{
	if (!takes_errno(act))
		return json_fail_at(d, v, rel, "only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE");
	if (act == SCMP_ACT_ERRNO(0) && value > 4095)
		return json_fail_at(d, v, rel, "must be at most 4095");
	if (value > UINT16_MAX)
		return json_fail_at(d, v, rel, "must be at most %u", UINT16_MAX);
	return 0;
}

static JSON_DECODER(dec_arches)
{
	struct spec_seccomp *s = obj;
	uint64_t value;
	int r = 0;

	if (!json_want(d, v, JSON_ARRAY, &r))
		return r;
	s->arches = arena_calloc(d->a, v->n, sizeof *s->arches);
	if (!s->arches)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		if (spec_want_name(d, &v->items[i], f->arg, &value, &r))
			s->arches[s->n_arches++] = (uint32_t)value;
		else if (r < 0)
			return r;
	}
	return 0;
}

static JSON_DECODER(dec_index)
{
	if (v->type == JSON_INT && !v->negative && v->u > 5)
		return json_fail(d, v, "must be between 0 and 5");
	return json_dec_u32(d, v, f, obj);
}

/* clang-format off */
static const struct json_field arg_fields[] = {
	JSON_FIELD("index",    dec_index,     struct spec_seccomp_arg, index, JSON_REQUIRED),
	JSON_FIELD("value",    json_dec_u64,  struct spec_seccomp_arg, value, JSON_REQUIRED),
	JSON_FIELD("valueTwo", json_dec_u64,  struct spec_seccomp_arg, value_two, 0),
	JSON_FIELD_ARG("op",   spec_dec_name, struct spec_seccomp_arg, op, JSON_REQUIRED, &operator),
	{ 0 }
};
static const struct json_struct arg_struct = { sizeof(struct spec_seccomp_arg), arg_fields, NULL };

static const struct json_field syscall_fields[] = {
	JSON_FIELD_LIST("names",   json_dec_strings,  struct spec_syscall, names, JSON_REQUIRED | JSON_NONEMPTY, NULL),
	JSON_FIELD_ARG("action",   spec_dec_name_u32, struct spec_syscall, action, JSON_REQUIRED, &action),
	{ "errnoRet", json_dec_u32, offsetof(struct spec_syscall, errno_ret), 0,
	  1 + offsetof(struct spec_syscall, has_errno), NULL },
	JSON_FIELD_LIST("args",    json_dec_list,     struct spec_syscall, args, 0, &arg_struct),
	{ 0 }
};
/* clang-format on */

static int check_syscall(struct json_dec *d, const struct json *v, void *obj)
{
	const struct spec_syscall *s = obj;
	int r = 0;

	if (s->has_errno && spec_is_known(v, "action", seccomp_action_names))
		r = check_errno(d, v, "/errnoRet", s->action, s->errno_ret);
	if (r < 0 || !is_notify(s->action))
		return r;
	/* The runtime writes to the listener's socket after the filter is on. */
	for (size_t i = 0; i < s->n_names; i++)
		if (!strcmp(s->names[i], "write"))
			return json_fail(d, v, "SCMP_ACT_NOTIFY cannot be used for 'write'");
	return 0;
}

static const struct json_struct syscall_struct = { sizeof(struct spec_syscall), syscall_fields,
						   check_syscall };

/* clang-format off */
static const struct json_field seccomp_fields[] = {
	JSON_FIELD_ARG("defaultAction",  spec_dec_name_u32,  struct spec_seccomp, default_action, JSON_REQUIRED,
		       &action),
	{ "defaultErrnoRet", json_dec_u32, offsetof(struct spec_seccomp, default_errno), 0,
	  1 + offsetof(struct spec_seccomp, has_default_errno), NULL },
	JSON_FIELD_ARG("architectures",  dec_arches,         struct spec_seccomp, arches, 0, &arch),
	{ "flags", spec_dec_flags_u32, offsetof(struct spec_seccomp, flags), 0,
	  1 + offsetof(struct spec_seccomp, has_flags), &flag },
	JSON_FIELD("listenerPath",       spec_dec_text,      struct spec_seccomp, listener_path, 0),
	JSON_FIELD("listenerMetadata",   spec_dec_text,      struct spec_seccomp, listener_metadata, 0),
	JSON_FIELD_LIST("syscalls",      json_dec_list,      struct spec_seccomp, syscalls, 0, &syscall_struct),
	{ 0 }
};
/* clang-format on */

static bool uses_notify(const struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->n_syscalls; i++)
		if (is_notify(s->syscalls[i].action))
			return true;
	return false;
}

static int check_listener(struct json_dec *d, const struct json *v, const struct spec_seccomp *s)
{
	if (is_notify(s->default_action))
		return json_fail_at(d, v, "/defaultAction",
				    "SCMP_ACT_NOTIFY cannot be the default action");
	if (uses_notify(s) && !s->listener_path)
		return json_fail_at(d, v, "/listenerPath", "is missing: SCMP_ACT_NOTIFY needs it");
	if (s->listener_metadata && !s->listener_path)
		return json_fail_at(d, v, "/listenerMetadata", "needs listenerPath");
	return 0;
}

static int check_seccomp(struct json_dec *d, const struct json *v, void *obj)
{
	struct spec_seccomp *s = obj;
	int r = 0;

	if (s->has_default_errno && spec_is_known(v, "defaultAction", seccomp_action_names))
		r = check_errno(d, v, "/defaultErrnoRet", s->default_action, s->default_errno);
	if (r == 0)
		r = check_listener(d, v, s);
	if (r < 0)
		return r;
	s->canonical = json_print(d->a, v);
	return s->canonical ? 0 : json_nomem(d);
}

const struct json_struct spec_seccomp_struct = { sizeof(struct spec_seccomp), seccomp_fields,
						 check_seccomp };
