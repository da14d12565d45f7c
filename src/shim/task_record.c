/* How a task's runtime is called, on file; see task_record.h and docs/formats/task.md. */
#include "task_record.h"

#include "bundle_document.h"
#include "str.h"

#define FILE_NAME "berth.json"

int task_record_write(const char *bundle, const struct runtime *rt, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", TASK_RECORD_VERSION);
	jw_kstr(&w, "binary", rt->binary);
	jw_kstr(&w, "root", rt->root);
	jw_kbool(&w, "systemdCgroup", rt->systemd_cgroup);
	if (!str_empty(rt->cgroup))
		jw_kstr(&w, "cgroup", rt->cgroup);
	jw_end(&w);
	return bundle_document_write(bundle, FILE_NAME, &b, e);
}

struct numbered {
	int32_t version;
	struct runtime rt;
};

static const struct json_field fields[] = {
	JSON_FIELD("version", json_dec_i32, struct numbered, version, JSON_REQUIRED),
	JSON_FIELD("binary", json_dec_string, struct numbered, rt.binary, JSON_REQUIRED),
	JSON_FIELD("root", json_dec_string, struct numbered, rt.root, JSON_REQUIRED),
	JSON_FIELD("systemdCgroup", json_dec_bool, struct numbered, rt.systemd_cgroup, 0),
	JSON_FIELD("cgroup", json_dec_string, struct numbered, rt.cgroup, 0),
	{ 0 },
};

int task_record_read(struct arena *a, const char *bundle, struct runtime *ret, struct err *e)
{
	struct numbered n = { 0 };
	int r = bundle_document_read(a, bundle, FILE_NAME, TASK_RECORD_VERSION, fields, &n, e);

	if (r < 0)
		return r;
	*ret = n.rt;
	ret->ops = *ret->binary ? &external_ops : &builtin_ops;
	return 0;
}
