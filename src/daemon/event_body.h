/*
 * What is in an event, for filters on event.FIELD: the types of events that are known,
 * and their fields as containerd's filters have them (texts, switches, labels, and
 * those of messages inside; no numbers).
 */
#pragma once

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* NULL: of a type that is not known, or it is none. */
ProtobufCMessage *event_body_read(const char *type_url, const void *body, size_t len);
const char *event_body_field(const ProtobufCMessage *m, const char *const *path, size_t n);
