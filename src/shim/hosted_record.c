/* A hosted task's first process, on file; see hosted_record.h and docs/formats/hosted.md. */
#include "hosted_record.h"

#include <errno.h>
#include <fcntl.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "proc.h"
#include "shim.h"
#include "str.h"
#include "sys.h"

#define FILE_NAME "hosted.json"

enum { MAX_SIZE = 64 << 10 };

static int open_bundle(const char *bundle, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "open the bundle '%s'", bundle) : fd;
}

int hosted_record_write(const struct process *p, struct err *e)
{
	OWN_FD dir = open_bundle(p->task->bundle, e);
	OWN_SB struct sb b = SB_INIT;
	struct proc_stat st = { 0 };
	struct jw w;

	if (dir < 0)
		return dir;
	(void)proc_stat(p->pid, &st); /* one that has ended already has no start any more */
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", HOSTED_RECORD_VERSION);
	jw_kstr(&w, "bootId", p->shim->boot_id);
	jw_kint(&w, "pid", p->pid);
	jw_kuint(&w, "startTime", st.start_time);
	jw_kstr(&w, "stdin", p->path[STDIN]);
	jw_kstr(&w, "stdout", p->path[STDOUT]);
	jw_kstr(&w, "stderr", p->path[STDERR]);
	jw_kbool(&w, "terminal", p->terminal);
	jw_end(&w);
	if (b.failed)
		return err_sys(e, -ENOMEM, "record the task");
	return file_replace(dir, FILE_NAME, b.s, b.len, 0600, e);
}

struct numbered {
	int32_t version;
	struct hosted_record r;
};

static const struct json_field fields[] = {
	JSON_FIELD("version", json_dec_i32, struct numbered, version, JSON_REQUIRED),
	JSON_FIELD("bootId", json_dec_string, struct numbered, r.boot_id, JSON_REQUIRED),
	JSON_FIELD("pid", json_dec_i32, struct numbered, r.pid, JSON_REQUIRED),
	JSON_FIELD("startTime", json_dec_u64, struct numbered, r.start_time, JSON_REQUIRED),
	JSON_FIELD("stdin", json_dec_string, struct numbered, r.stdio[STDIN], JSON_REQUIRED),
	JSON_FIELD("stdout", json_dec_string, struct numbered, r.stdio[STDOUT], JSON_REQUIRED),
	JSON_FIELD("stderr", json_dec_string, struct numbered, r.stdio[STDERR], JSON_REQUIRED),
	JSON_FIELD("terminal", json_dec_bool, struct numbered, r.terminal, JSON_REQUIRED),
	{ 0 },
};

int hosted_record_read(struct arena *a, const char *bundle, struct hosted_record *ret, struct err *e)
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
	if (n.version != HOSTED_RECORD_VERSION)
		return err_set(e, ERR_UNSUPPORTED, 0, FILE_NAME ": /version: %d, but this program knows only %d",
			       n.version, HOSTED_RECORD_VERSION);
	*ret = n.r;
	return 0;
}
