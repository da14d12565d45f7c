/* The end of a process on file; see exit_record.h and docs/formats/exit.md. */
#include "exit_record.h"

#include <fcntl.h>
#include <stdio.h>

#include "bundle_document.h"
#include "fd.h"
#include "str.h"
#include "sys.h"

enum { NAME = 128 };

static const char *file_name(const char *exec_id, char buf[NAME])
{
	if (str_empty(exec_id))
		return "exit.json";
	snprintf(buf, NAME, "exec.%s.exit.json", exec_id);
	return buf;
}

int exit_record_write(const char *bundle, const struct exit_record *r, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	char name[NAME];
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", EXIT_RECORD_VERSION);
	jw_kstr(&w, "id", r->id);
	jw_kstr(&w, "execId", r->exec_id);
	jw_kint(&w, "pid", r->pid);
	jw_kuint(&w, "status", r->status);
	jw_kint(&w, "seconds", r->at.tv_sec);
	jw_kint(&w, "nanoseconds", r->at.tv_nsec);
	jw_kuint(&w, "oomKills", r->oom_kills);
	jw_kuint(&w, "signal", r->signal);
	jw_kbool(&w, "coreDumped", r->core_dumped);
	jw_kuint(&w, "killSignal", r->kill_signal);
	jw_kbool(&w, "killAll", r->kill_all);
	jw_end(&w);
	return bundle_document_write(bundle, file_name(r->exec_id, name), &b, e);
}

struct numbered {
	int32_t version, pid;
	char *id, *exec_id;
	uint32_t status;
	int64_t seconds, nanoseconds;
	uint64_t oom_kills;
	uint32_t signal, kill_signal;
	bool core_dumped, kill_all;
};

static const struct json_field fields[] = {
	JSON_FIELD("version", json_dec_i32, struct numbered, version, JSON_REQUIRED),
	JSON_FIELD("id", json_dec_string, struct numbered, id, JSON_REQUIRED),
	JSON_FIELD("execId", json_dec_string, struct numbered, exec_id, JSON_REQUIRED),
	JSON_FIELD("pid", json_dec_i32, struct numbered, pid, JSON_REQUIRED),
	JSON_FIELD("status", json_dec_u32, struct numbered, status, JSON_REQUIRED),
	JSON_FIELD("seconds", json_dec_i64, struct numbered, seconds, JSON_REQUIRED),
	JSON_FIELD("nanoseconds", json_dec_i64, struct numbered, nanoseconds, JSON_REQUIRED),
	JSON_FIELD("oomKills", json_dec_u64, struct numbered, oom_kills, 0),
	JSON_FIELD("signal", json_dec_u32, struct numbered, signal, 0),
	JSON_FIELD("coreDumped", json_dec_bool, struct numbered, core_dumped, 0),
	JSON_FIELD("killSignal", json_dec_u32, struct numbered, kill_signal, 0),
	JSON_FIELD("killAll", json_dec_bool, struct numbered, kill_all, 0),
	{ 0 },
};

int exit_record_read(struct arena *a, const char *bundle, const char *exec_id, struct exit_record *ret,
		     struct err *e)
{
	struct numbered n = { 0 };
	char name[NAME];
	int r = bundle_document_read(a, bundle, file_name(exec_id, name), EXIT_RECORD_VERSION, fields, &n, e);

	if (r < 0)
		return r;
	*ret = (struct exit_record){
		.id = n.id,
		.exec_id = n.exec_id,
		.pid = n.pid,
		.status = n.status,
		.at = { .tv_sec = n.seconds, .tv_nsec = (long)n.nanoseconds },
		.oom_kills = n.oom_kills,
		.signal = n.signal,
		.core_dumped = n.core_dumped,
		.kill_signal = n.kill_signal,
		.kill_all = n.kill_all,
	};
	return 0;
}

void exit_record_remove(const char *bundle, const char *exec_id)
{
	OWN_FD dir = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char name[NAME];

	if (dir >= 0)
		sys_unlinkat(dir, file_name(exec_id, name), 0);
}
