/* The durable record of a container; see record.h and docs/formats/record.md. */
#include "record.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

enum { MAX_SIZE = 4 << 20 };

struct numbered { /* a record and its version */
	int32_t version;
	struct record r;
};

static JSON_DECODER(decode_annotations)
{
	struct record *rec = &((struct numbered *)obj)->r;

	(void)f;
	if (v->type != JSON_OBJECT)
		return json_fail(d, v, "must be an object");
	rec->annotations = arena_calloc(d->a, v->n + 1, sizeof *rec->annotations);
	if (!rec->annotations)
		return json_nomem(d);
	for (uint32_t i = 0; i < v->n; i++) {
		rec->annotations[i].key = arena_strdup(d->a, v->items[i].key);
		rec->annotations[i].value = arena_strdup(d->a, json_string(&v->items[i], ""));
		if (!rec->annotations[i].key || !rec->annotations[i].value)
			return json_nomem(d);
	}
	rec->n_annotations = v->n;
	return 0;
}

static const struct json_field fields[] = {
	JSON_FIELD("version", json_dec_i32, struct numbered, version, JSON_REQUIRED),
	JSON_FIELD("id", json_dec_string, struct numbered, r.id, JSON_REQUIRED),
	JSON_FIELD("ociVersion", json_dec_string, struct numbered, r.oci_version, JSON_REQUIRED),
	JSON_FIELD("bundle", json_dec_string, struct numbered, r.bundle, JSON_REQUIRED),
	JSON_FIELD("rootfs", json_dec_string, struct numbered, r.rootfs, 0),
	JSON_FIELD("created", json_dec_string, struct numbered, r.created, JSON_REQUIRED),
	JSON_FIELD("owner", json_dec_u32, struct numbered, r.owner, JSON_REQUIRED),
	JSON_FIELD("status", json_dec_string, struct numbered, r.status, JSON_REQUIRED),
	JSON_FIELD("pid", json_dec_i32, struct numbered, r.pid, JSON_REQUIRED),
	JSON_FIELD("startTime", json_dec_u64, struct numbered, r.start_time, JSON_REQUIRED),
	JSON_FIELD("bootId", json_dec_string, struct numbered, r.boot_id, 0),
	JSON_FIELD("cgroupPath", json_dec_string, struct numbered, r.cgroup_path, 0),
	JSON_FIELD("systemdCgroup", json_dec_bool, struct numbered, r.systemd_cgroup, 0),
	JSON_FIELD("systemdUnit", json_dec_string, struct numbered, r.systemd_unit, 0),
	JSON_FIELD("systemdUser", json_dec_bool, struct numbered, r.systemd_user, 0),
	JSON_FIELD("rdtGroup", json_dec_string, struct numbered, r.rdt_group, 0),
	JSON_FIELD("noNewKeyring", json_dec_bool, struct numbered, r.no_new_keyring, 0),
	JSON_FIELD("needsSpec", json_dec_bool, struct numbered, r.needs_spec, 0),
	JSON_FIELD("annotations", decode_annotations, struct numbered, r.annotations, 0),
	{ 0 },
};

int record_read(struct arena *a, int dir, struct record **ret, struct err *e)
{
	struct numbered *n = arena_alloc(a, sizeof *n);
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .refuse_unknown = true, .e = e };
	char *text;
	size_t len;
	int64_t version;
	int r;

	if (!n)
		return err_sys(e, -ENOMEM, "read record.json");
	r = file_read(a, dir, RECORD_FILE, MAX_SIZE, &text, &len, e);
	if (r >= 0)
		r = json_parse(a, text, len, RECORD_FILE, &doc, e);
	if (r < 0)
		return r;
	version = json_i64(json_get(doc.root, "version"), 0);
	if (version != RECORD_VERSION)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "record.json: /version: %lld, but this program knows only %d",
			       (long long)version, RECORD_VERSION);
	r = json_decode(&d, doc.root, fields, n);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return r;
	*ret = &n->r;
	return 0;
}

int record_write(int dir, const struct record *r, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "version", RECORD_VERSION);
	jw_kstr(&w, "id", r->id);
	jw_kstr(&w, "ociVersion", r->oci_version);
	jw_kstr(&w, "bundle", r->bundle);
	jw_kstr(&w, "rootfs", r->rootfs);
	jw_kstr(&w, "created", r->created);
	jw_kuint(&w, "owner", r->owner);
	jw_kstr(&w, "status", r->status);
	jw_kint(&w, "pid", r->pid);
	jw_kuint(&w, "startTime", r->start_time);
	jw_kstr(&w, "bootId", r->boot_id);
	jw_kstr(&w, "cgroupPath", r->cgroup_path);
	jw_kbool(&w, "systemdCgroup", r->systemd_cgroup);
	jw_kstr(&w, "systemdUnit", r->systemd_unit);
	jw_kbool(&w, "systemdUser", r->systemd_user);
	jw_kstr(&w, "rdtGroup", r->rdt_group);
	jw_kbool(&w, "noNewKeyring", r->no_new_keyring);
	jw_kbool(&w, "needsSpec", r->needs_spec);
	jw_kbegin(&w, "annotations", '{');
	for (size_t i = 0; i < r->n_annotations; i++)
		jw_kstr(&w, r->annotations[i].key, r->annotations[i].value);
	jw_end(&w);
	jw_end(&w);
	if (b.failed)
		return err_sys(e, -ENOMEM, "write record.json");
	/* Never one that cannot be read again; escapes make annotations longer. */
	if (b.len > MAX_SIZE)
		return err_set(e, ERR_INVALID, -EFBIG, "write record.json: /annotations");
	return file_replace(dir, RECORD_FILE, b.s, b.len, 0600, e);
}
