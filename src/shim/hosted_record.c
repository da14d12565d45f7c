/* A hosted task's first process, on file; see hosted_record.h and docs/formats/hosted.md. */
#include "hosted_record.h"

#include "bundle_document.h"
#include "proc.h"
#include "shim.h"
#include "str.h"

#define FILE_NAME "hosted.json"

int hosted_record_write(const struct process *p, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	struct proc_stat st = { 0 };
	struct jw w;

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
	return bundle_document_write(p->task->bundle, FILE_NAME, &b, e);
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
	struct numbered n = { 0 };
	int r = bundle_document_read(a, bundle, FILE_NAME, HOSTED_RECORD_VERSION, fields, &n, e);

	if (r < 0)
		return r;
	*ret = n.r;
	return 0;
}
