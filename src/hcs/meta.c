/* The record of a system; see meta.h. */
#include "meta.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "names.h"
#include "str.h"

static const struct json_field fields[] = {
	JSON_FIELD("Owner", json_dec_string, struct system_meta, owner, 0),
	JSON_FIELD("Name", json_dec_string, struct system_meta, name, 0),
	JSON_FIELD("V1", json_dec_bool, struct system_meta, v1, 0),
	JSON_FIELD("OwnCommand", json_dec_bool, struct system_meta, own_command, 0),
	JSON_FIELD("Terminate", json_dec_bool, struct system_meta, terminate, 0),
	JSON_FIELD("Keep", json_dec_bool, struct system_meta, keep, 0),
	JSON_FIELD("StopSignal", json_dec_string, struct system_meta, stop_signal, 0),
	{ 0 },
};

int meta_read(struct arena *a, const char *record, struct system_meta *ret)
{
	struct json_doc doc;
	struct err e;
	struct json_dec d = { .doc = &doc, .a = a, .e = &e };

	*ret = (struct system_meta){ .own_command = true };
	if (str_empty(record))
		return 0;
	if (json_parse(a, record, strlen(record), "record", &doc, &e) < 0)
		return e.sys == ENOMEM ? -ENOMEM : 0;
	ret->own_command = false;
	if (json_decode(&d, doc.root, fields, ret) < 0)
		*ret = (struct system_meta){ .own_command = true };
	return 0;
}

char *meta_write(struct arena *a, const struct system_meta *m)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kint(&w, "Version", 1);
	if (m->owner)
		jw_kstr(&w, "Owner", m->owner);
	if (m->name)
		jw_kstr(&w, "Name", m->name);
	jw_kbool(&w, "V1", m->v1);
	jw_kbool(&w, "OwnCommand", m->own_command);
	jw_kbool(&w, "Terminate", m->terminate);
	jw_kbool(&w, "Keep", m->keep);
	if (m->stop_signal)
		jw_kstr(&w, "StopSignal", m->stop_signal);
	jw_end(&w);
	return b.failed ? NULL : arena_strdup(a, b.s);
}

int meta_copy(struct system_meta *to, const struct system_meta *from)
{
	*to = *from;
	to->owner = from->owner ? strdup(from->owner) : NULL;
	to->name = from->name ? strdup(from->name) : NULL;
	to->stop_signal = from->stop_signal ? strdup(from->stop_signal) : NULL;
	if (!to->owner == !from->owner && !to->name == !from->name && !to->stop_signal == !from->stop_signal)
		return 0;
	meta_free(to);
	return -ENOMEM;
}

void meta_free(struct system_meta *m)
{
	free(m->owner);
	free(m->name);
	free(m->stop_signal);
	*m = (struct system_meta){ 0 };
}

int meta_signal(const struct system_meta *m)
{
	int n = m->stop_signal ? signal_parse(m->stop_signal) : 0;

	return n > 0 ? n : SIGTERM;
}
