/* Fields of events; see event_body.h. */
#include "event_body.h"

#include <string.h>

#include "events.pb-c.h"
#include "map.h"
#include "mem.h"
#include "resource_events.pb-c.h"
#include "rpc_unpack.h"
#include "str.h"

static const ProtobufCMessageDescriptor *const types[] = {
	&containerd__events__task_create__descriptor,
	&containerd__events__task_start__descriptor,
	&containerd__events__task_delete__descriptor,
	&containerd__events__task_exit__descriptor,
	&containerd__events__task_oom__descriptor,
	&containerd__events__task_exec_added__descriptor,
	&containerd__events__task_exec_started__descriptor,
	&containerd__events__task_paused__descriptor,
	&containerd__events__task_resumed__descriptor,
	&containerd__events__container_create__descriptor,
	&containerd__events__container_update__descriptor,
	&containerd__events__container_delete__descriptor,
	&containerd__events__namespace_create__descriptor,
	&containerd__events__namespace_update__descriptor,
	&containerd__events__namespace_delete__descriptor,
};

ProtobufCMessage *event_body_read(const char *type_url, const void *body, size_t len)
{
	const char *slash = strrchr(type_url, '/'), *name = slash ? slash + 1 : type_url;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i]->name, name))
			return rpc_unpack(types[i], body, len);
	return NULL;
}

static const char *text_or_none(const char *s)
{
	return *s ? s : NULL;
}

const char *event_body_field(const ProtobufCMessage *m, const char *const *path, size_t n)
{
	const ProtobufCFieldDescriptor *f =
		n ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor, path[0]) : NULL;
	const void *at = f ? (const char *)m + f->offset : NULL;
	const ProtobufCMessageDescriptor *type;

	if (!f)
		return NULL;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		struct map labels;

		if (strcmp(f->name, "labels") != 0)
			return NULL;
		labels.n = *(const size_t *)((const char *)m + f->quantifier_offset);
		memcpy(&labels.entries, at, sizeof labels.entries);
		return map_label(&labels, path + 1, n - 1);
	}
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return text_or_none(*(const char *const *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)at ? "true" : "false";
	case PROTOBUF_C_TYPE_MESSAGE:
		type = f->descriptor;
		/* Times, and what only a runtime can read, have no fields. */
		if (!*(const void *const *)at || str_starts(type->name, "google.protobuf."))
			return NULL;
		return event_body_field(*(const ProtobufCMessage *const *)at, path + 1, n - 1);
	default:
		return NULL;
	}
}
