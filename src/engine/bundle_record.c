/* What the engine keeps beside config.json; see state_dir.h and docs/formats/engine.md. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "state_dir.h"
#include "engine.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "str.h"
#include "sys.h"

#define FILE_NAME "engine.json"

static const char *const lifetimes[] = {
	[ENGINE_KEEP] = "keep",
	[ENGINE_CLOSED] = "closed",
	[ENGINE_TERMINATE] = "terminate",
};

int bundle_record_write(int bundle, const struct bundle_record *r, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", r->hosted ? BUNDLE_RECORD_VERSION : r->foreign.program ? 2 : 1);
	jw_kstr(&w, "made", r->made);
	jw_kstr(&w, "lifetime", lifetimes[r->lifetime]);
	jw_kstr(&w, "record", r->record);
	if (r->foreign.program) {
		jw_kbegin(&w, "foreign", '{');
		jw_kstr(&w, "program", r->foreign.program);
		jw_kstr(&w, "address", r->foreign.address);
		jw_kstr(&w, "ttrpc_address", r->foreign.ttrpc_address);
		jw_kint(&w, "pid", r->foreign.pid);
		jw_end(&w);
	}
	if (r->hosted)
		jw_kstr(&w, "shim", "none");
	jw_end(&w);
	if (b.failed)
		return err_sys(e, -ENOMEM, "record the task");
	return file_replace(bundle, FILE_NAME, b.s, b.len, 0600, e);
}

struct numbered {
	int32_t version;
	struct bundle_record r;
};

static JSON_DECODER(decode_lifetime)
{
	struct numbered *n = obj;
	int r;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	for (unsigned i = 0; i < ARRAY_SIZE(lifetimes); i++)
		if (!strcmp(v->s, lifetimes[i])) {
			n->r.lifetime = i;
			return 0;
		}
	return json_fail(d, v, "unknown lifetime '%s'", v->s);
}

static JSON_DECODER(decode_shim)
{
	struct numbered *n = obj;
	int r;

	if (!json_want(d, v, JSON_STRING, &r))
		return r;
	n->r.hosted = !strcmp(v->s, "none");
	return n->r.hosted ? 0 : json_fail(d, v, "'%s' is not 'none'", v->s);
}

static const struct json_field foreign_fields[] = {
	JSON_FIELD("program", json_dec_string, struct bundle_foreign, program, JSON_REQUIRED | JSON_NONEMPTY),
	JSON_FIELD("address", json_dec_string, struct bundle_foreign, address, JSON_REQUIRED),
	JSON_FIELD("ttrpc_address", json_dec_string, struct bundle_foreign, ttrpc_address, JSON_REQUIRED),
	JSON_FIELD("pid", json_dec_i32, struct bundle_foreign, pid, 0),
	{ 0 },
};

static const struct json_field fields[] = {
	JSON_FIELD("version", json_dec_i32, struct numbered, version, JSON_REQUIRED),
	JSON_FIELD("made", json_dec_string, struct numbered, r.made, JSON_REQUIRED),
	JSON_FIELD("lifetime", decode_lifetime, struct numbered, r.lifetime, JSON_REQUIRED),
	JSON_FIELD("record", json_dec_string, struct numbered, r.record, JSON_REQUIRED),
	JSON_FIELD_ARG("foreign", json_dec_object, struct numbered, r.foreign, 0, foreign_fields),
	JSON_FIELD("shim", decode_shim, struct numbered, r, 0),
	{ 0 },
};

/* A list reads a thousand of them: most are small, and need no more than this. */
static int read_text(struct arena *a, const char *path, char *small, size_t cap, char **ret, size_t *len,
		     struct err *e)
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0);
	ssize_t n = fd < 0 ? fd : sys_read(fd, small, cap);

	if (n == (ssize_t)cap || n == -EINTR)
		return file_read(a, AT_FDCWD, path, JSON_MAX_SIZE, ret, len, e);
	if (n < 0)
		return err_sys(e, (int)n, "read '%s'", path);
	*ret = small;
	*len = (size_t)n;
	return 0;
}

int bundle_record_read(struct arena *a, const char *bundle, struct bundle_record *ret, struct err *e)
{
	struct numbered n = { 0 };
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	char path[PATH_MAX], small[1024], *text;
	size_t len;
	int r = snprintf(path, sizeof path, "%s/" FILE_NAME, bundle) < (int)sizeof path ? 0 : -ENAMETOOLONG;

	if (r >= 0)
		r = read_text(a, path, small, sizeof small, &text, &len, e);
	else
		err_sys(e, r, "read '%s'", bundle);
	if (r >= 0)
		r = json_parse(a, text, len, FILE_NAME, &doc, e);
	if (r >= 0)
		r = json_decode(&d, doc.root, fields, &n);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return r;
	if (n.version < 1 || n.version > BUNDLE_RECORD_VERSION)
		return err_set(e, ERR_UNSUPPORTED, 0, FILE_NAME ": /version: %d, but this program knows none after %d",
			       n.version, BUNDLE_RECORD_VERSION);
	*ret = n.r;
	return 0;
}
