/*
 * A small D-Bus client: one connection, one call at a time with its reply, and
 * waiting for a signal. Enough to ask systemd for a scope; not a bus library.
 * Messages are bounded, every length in what is received is checked, and every
 * wait has a deadline.
 *
 *	struct dbus b;
 *	r = dbus_open(&b, "/run/dbus/system_bus_socket", DBUS_BUS, 5000);
 *	OWN_SB struct sb body = SB_INIT;
 *	dbus_put_string(&body, "x.scope");
 *	struct dbus_call c = { dest, path, interface, "StopUnit", "s" };
 *	r = dbus_call(&b, &c, &body, &reply, 5000);
 *	dbus_close(&b);
 *
 * An error reply is -EREMOTEIO, with "name: text" in b.error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "str.h"

#define DBUS_MAX_MESSAGE ((size_t)256 << 10)

enum dbus_kind {
	DBUS_BUS, /* a message bus: a Hello is said */
	DBUS_PEER, /* a service's own socket (/run/systemd/private) */
};

struct dbus {
	int fd;
	uint32_t serial; /* of the last message sent */
	uint8_t *in; /* the message read last; heap */
	char error[512];
};

int dbus_open(struct dbus *b, const char *socket_path, enum dbus_kind kind, int ms);
/* The same on a connected socket, which is then ours. */
int dbus_open_fd(struct dbus *b, int fd, enum dbus_kind kind, int ms);
void dbus_close(struct dbus *b);

/* ---- messages --------------------------------------------------------- */

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

/* A received message; strings and body are valid until the next call. */
struct dbus_message {
	enum dbus_type type;
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error, *signature;
	const uint8_t *body;
	size_t len;
};

struct dbus_call {
	const char *destination, *path, *interface, *member;
	const char *signature; /* of the body; NULL: none */
};

/* Sends a call and waits for what answers it; signals meanwhile are dropped. */
int dbus_call(struct dbus *b, const struct dbus_call *c, const struct sb *body,
	      struct dbus_message *reply, int ms);
/* Reads messages until `is_it` says 1 (then 0 is returned) or fails. */
int dbus_wait(struct dbus *b, int (*is_it)(const struct dbus_message *m, void *ctx), void *ctx,
	      int ms);
/* Tells the bus which signals to send us. */
int dbus_add_match(struct dbus *b, const char *rule, int ms);

/* One call as bytes; for dbus_call() and tests. */
void dbus_marshal_call(struct sb *out, const struct dbus_call *c, uint32_t serial,
		       const struct sb *body);
/* One message from `len` bytes: its whole size, 0 when more is needed, -errno. */
ssize_t dbus_parse(const uint8_t *data, size_t len, struct dbus_message *ret);

/* ---- values ----------------------------------------------------------- */

/* Append a value, aligned from the start of the buffer. */
void dbus_put_u32(struct sb *b, uint32_t v); /* also a boolean */
void dbus_put_u64(struct sb *b, uint64_t v);
void dbus_put_string(struct sb *b, const char *s); /* also an object path */
void dbus_put_signature(struct sb *b, const char *s); /* also the head of a variant */
void dbus_put_bytes(struct sb *b, const void *data, size_t len); /* "ay" */
void dbus_put_align(struct sb *b, size_t to); /* 8: the start of a struct */
/* An array: remember the mark, append the elements, end it. `align` is that of
 * the elements (8 for structs). */
size_t dbus_put_array(struct sb *b, size_t align);
void dbus_end_array(struct sb *b, size_t mark, size_t align);

/* Take values in turn; after the first that is not there, `bad` is set and
 * zeros and empty strings come. */
struct dbus_reader {
	const uint8_t *p;
	size_t len, at;
	bool bad;
};
uint8_t dbus_get_u8(struct dbus_reader *r);
uint32_t dbus_get_u32(struct dbus_reader *r);
const char *dbus_get_string(struct dbus_reader *r);
const char *dbus_get_signature(struct dbus_reader *r);
