/* How a task's runtime is called, on file; see task_record.h and docs/formats/task.md. */
#include "task_record.h"

#include <errno.h>
#include <fcntl.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "str.h"
#include "sys.h"

#define FILE_NAME "berth.json"

enum { MAX_SIZE = 64 << 10 };

static int open_bundle(const char *bundle, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "open the bundle '%s'", bundle) : fd;
}

int task_record_write(const char *bundle, const struct runtime *rt, struct err *e)
{
	OWN_FD dir = open_bundle(bundle, e);
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (dir < 0)
		return dir;
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", TASK_RECORD_VERSION);
	jw_kstr(&w, "binary", rt->binary);
	jw_kstr(&w, "root", rt->root);
	jw_kbool(&w, "systemdCgroup", rt->systemd_cgroup);
	if (!str_empty(rt->cgroup))
		jw_kstr(&w, "cgroup", rt->cgroup);
	jw_end(&w);
	if (b.failed)
		return err_sys(e, -ENOMEM, "record the task");
	return file_replace(dir, FILE_NAME, b.s, b.len, 0600, e);
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
	OWN_FD dir = open_bundle(bundle, e);
	struct numbered n = { 0 };
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	char *text;
	size_t len;
	int r = dir;

	if (r >= 0)
		r = file_read(a, dir, FILE_NAME, MAX_SIZE, &text, &len, e);
	if (r >= 0)
		r = json_parse(a, text, len, FILE_NAME, &doc, e);
	if (r >= 0)
		r = json_decode(&d, doc.root, fields, &n);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return r;
	if (n.version != TASK_RECORD_VERSION)
		return err_set(e, ERR_UNSUPPORTED, 0, FILE_NAME ": /version: %d, but this program knows only %d",
			       n.version, TASK_RECORD_VERSION);
	*ret = n.rt;
	ret->ops = *ret->binary ? &external_ops : &builtin_ops;
	return 0;
}
