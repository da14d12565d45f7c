/*
 * Messages of peers. What unpacks them does not look at the texts in them: here all
 * are UTF-8, as Go's demands, and none has a NUL, at which it would end for us and
 * not for others. One of more than a million fields is refused: it would take a
 * hundred times its bytes.
 */
#pragma once

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* NULL: it is none, or there is no memory. protobuf_c_message_free_unpacked(). */
ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t len);
