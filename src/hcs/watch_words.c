/* Events of shims as facts; see watch_words.h. */
#include "watch_words.h"

#include <string.h>

#include "hcs.h"
#include "wellknown.pb-c.h"

static const struct {
	const char *topic, *event;
	const ProtobufCMessageDescriptor *message;
} rows[] = {
#define X(topic, event, message) { topic, event, &message##__descriptor },
	WATCH_EVENTS(X)
#undef X
};

/* Members have the same names in all the messages that have them. */
static const void *member(const ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	return f ? (const char *)m + f->offset : NULL;
}

static const char *text(const ProtobufCMessage *m, const char *name)
{
	const void *at = member(m, name);

	return at ? *(const char *const *)at : "";
}

static void read_message(const ProtobufCMessage *m, const char *event, struct watch_fact *ret)
{
	const uint32_t *pid = member(m, "pid"), *status = member(m, "exit_status");

	ret->event = event;
	ret->pid = pid ? *pid : 0;
	ret->has_code = status;
	ret->code = status ? *status : 0;
}

static ProtobufCMessage *unpack(const Containerd__Events__Envelope *m, const char **event)
{
	for (size_t i = 0; m->event && m->topic && i < ARRAY_SIZE(rows); i++) {
		*event = rows[i].event;
		if (!strcmp(rows[i].topic, m->topic))
			return protobuf_c_message_unpack(rows[i].message, NULL, m->event->value.len,
							 m->event->value.data);
	}
	return NULL;
}

char *watch_task(const Containerd__Events__Envelope *m)
{
	const char *event;
	ProtobufCMessage *body = unpack(m, &event);
	char *id = body ? strdup(text(body, "container_id")) : NULL;

	if (body)
		protobuf_c_message_free_unpacked(body, NULL);
	return id;
}

bool watch_read(const Containerd__Events__Envelope *m, const char *id, struct watch_fact *ret)
{
	const char *event = NULL, *of_exec;
	ProtobufCMessage *body = unpack(m, &event);
	bool ours;

	if (!body)
		return false;
	*ret = (struct watch_fact){ 0 };
	if (m->timestamp)
		ret->at = (struct timespec){ .tv_sec = m->timestamp->seconds, .tv_nsec = m->timestamp->nanos };
	read_message(body, event, ret);
	of_exec = text(body, "id"); /* of an exit and a delete: the exec's, or the task's again */
	if (*of_exec && strcmp(of_exec, id) != 0)
		ret->event = !strcmp(event, "Exited") ? "ProcessExited" : NULL;
	ours = ret->event && !strcmp(text(body, "container_id"), id);
	protobuf_c_message_free_unpacked(body, NULL);
	return ours;
}
