/* Events for whoever subscribes; see bus.h. */
#include "bus.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "err.h"
#include "event_body.h"
#include "filter.h"
#include "identifier.h"
#include "log.h"
#include "missed.pb-c.h"
#include "rpc_unpack.h"
#include "str.h"
#include "timestamp.h"

typedef Containerd__Events__Envelope Envelope;

struct kept { /* an event for who comes late */
	struct kept *next;
	Envelope *m; /* for filters */
	struct grpc_message *packed; /* for all */
};

struct bus {
	struct bus_subscriber *first;
	struct loop *loop;
	struct kept *kept, **last_kept;
	size_t n_kept; /* bytes */
	bool keeps; /* until the time is over, or there is no room */
	struct source expiry;
};

struct bus_subscriber {
	struct bus_subscriber *next, **link;
	struct filter *filter;
	struct grpc_call *rpc;
	bool full; /* until it has read */
	uint64_t missed;
};

/* ---- who comes late --------------------------------------------------------------- */

static void kept_free(struct kept *k)
{
	if (k && k->m)
		containerd__events__envelope__free_unpacked(k->m, NULL);
	if (k)
		grpc_message_unref(k->packed);
	free(k);
}

void bus_forget(struct bus *b)
{
	b->keeps = false;
	while (b->kept) {
		struct kept *k = b->kept;

		b->kept = k->next;
		kept_free(k);
	}
	b->last_kept = &b->kept;
}

static int on_expiry(struct source *s, uint32_t events)
{
	struct bus *b = (struct bus *)((char *)s - offsetof(struct bus, expiry));

	bus_forget(b);
	return 0;
}

struct bus *bus_new(struct loop *l)
{
	struct bus *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->loop = l;
	b->last_kept = &b->kept;
	return b;
}

int bus_keep(struct bus *b, struct err *e)
{
	int r = source_timer(&b->expiry, b->loop, BUS_KEEP_MS, on_expiry);

	b->keeps = r >= 0;
	return r < 0 ? err_sys(e, r, "keep events") : 0;
}

void bus_free(struct bus *b)
{
	bus_forget(b);
	source_remove(&b->expiry);
	free(b);
}

/* ---- what comes ---------------------------------------------------------------- */

/* An event. For filters its body is read when the first asks for it; for all that get it
 * it is packed by the first who wants it. */
struct event {
	const Envelope *m;
	ProtobufCMessage *body;
	bool is_read;
	struct grpc_message *packed;
};

static const char *body_field(struct event *v, const char *const *path, size_t n)
{
	const Google__Protobuf__Any *any = v->m->event;

	if (!v->is_read) {
		v->is_read = true;
		v->body = event_body_read(any->type_url, any->value.data, any->value.len);
	}
	return v->body ? event_body_field(v->body, path, n) : NULL;
}

static const char *event_field(void *ctx, const char *const *path, size_t n)
{
	struct event *v = ctx;
	const char *s = NULL;

	if (n && !strcmp(path[0], "topic"))
		s = v->m->topic;
	else if (n && !strcmp(path[0], "namespace"))
		s = v->m->namespace_;
	else if (n && !strcmp(path[0], "event"))
		return body_field(v, path + 1, n - 1);
	return str_empty(s) ? NULL : s;
}

/* Packed: NULL when there is no memory. */
static uint8_t *pack(const ProtobufCMessage *m, size_t *len)
{
	uint8_t *s;

	*len = protobuf_c_message_get_packed_size(m);
	s = malloc(*len + 1);
	if (s)
		protobuf_c_message_pack(m, s);
	return s;
}

static void give(struct bus_subscriber *s, struct grpc_message *m)
{
	s->full = grpc_send(s->rpc, m) > BUS_UNREAD_MAX;
}

static bool is_wanted(const struct bus_subscriber *s, struct event *v)
{
	return !s->filter || filter_match(s->filter, event_field, v);
}

static void event_done(struct event *v)
{
	if (v->body)
		protobuf_c_message_free_unpacked(v->body, NULL);
	grpc_message_unref(v->packed);
}

/* NULL: no memory. */
static struct grpc_message *packed_of(struct event *v)
{
	if (!v->packed)
		v->packed = grpc_message_new(&v->m->base);
	return v->packed;
}

static void keep(struct bus *b, struct event *v)
{
	struct kept *k = calloc(1, sizeof *k);
	size_t len;
	uint8_t *body = k ? pack(&v->m->base, &len) : NULL;

	if (body && b->n_kept + len <= BUS_KEPT_MAX && packed_of(v)) {
		k->m = containerd__events__envelope__unpack(NULL, len, body);
		k->packed = grpc_message_ref(v->packed);
	}
	free(body);
	if (!k || !k->m) {
		log_printf(LOG_LEVEL_WARNING, "no more events are kept for who comes late: namespace=%s topic=%s",
			   v->m->namespace_, v->m->topic);
		b->keeps = false;
		kept_free(k);
		return;
	}
	b->n_kept += len;
	*b->last_kept = k;
	b->last_kept = &k->next;
}

static void tell_kept(struct bus *b, struct bus_subscriber *s)
{
	for (struct kept *k = b->kept; k; k = k->next) {
		struct event v = { .m = k->m };

		if (is_wanted(s, &v))
			give(s, k->packed);
		event_done(&v);
	}
}

static void give_all(struct bus *b, struct event *v)
{
	for (struct bus_subscriber *s = b->first, *next; s; s = next) {
		next = s->next;
		if (!is_wanted(s, v))
			continue;
		if (!s->full)
			bus_resume(s); /* what could not be told before */
		if (!s->full && packed_of(v))
			give(s, v->packed);
		else
			s->missed++;
	}
}

static void publish(struct bus *b, const Envelope *m, struct grpc_receipt *receipt)
{
	struct event v = { .m = m };

	give_all(b, &v);
	if (b->keeps)
		keep(b, &v);
	if (receipt && v.packed)
		grpc_message_receipt(v.packed, receipt);
	else if (receipt)
		receipt->told(receipt);
	event_done(&v);
}

void bus_publish(struct bus *b, const struct bus_event *ev)
{
	Google__Protobuf__Timestamp t;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Envelope m = CONTAINERD__EVENTS__ENVELOPE__INIT;

	timestamp_set(&t, &ev->at);
	any.type_url = (char *)(uintptr_t)ev->type;
	any.value = (ProtobufCBinaryData){ ev->len, (uint8_t *)(uintptr_t)ev->body };
	m.timestamp = &t;
	m.namespace_ = (char *)(uintptr_t)ev->ns;
	m.topic = (char *)(uintptr_t)ev->topic;
	m.event = &any;
	publish(b, &m, ev->receipt);
}

void bus_tell(struct bus *b, const char *ns, const char *topic, const ProtobufCMessage *m)
{
	struct bus_event ev = { .ns = ns, .topic = topic, .type = m->descriptor->name };
	uint8_t *body;

	if (!b->first && !b->expiry.loop)
		return;
	ev.body = body = pack(m, &ev.len);
	clock_gettime(CLOCK_REALTIME, &ev.at);
	if (body) {
		bus_publish(b, &ev);
	} else {
		for (struct bus_subscriber *s = b->first; s; s = s->next)
			s->missed++;
	}
	free(body);
}

int bus_topic_check(const char *topic, struct err *e)
{
	const char *why = NULL;
	char part[128];

	if (!*topic)
		why = "must not be empty";
	else if (*topic != '/')
		why = "must start with '/'";
	else if (!topic[1])
		why = "must have at least one component";
	if (why)
		return err_set(e, ERR_INVALID, 0, "envelope topic \"%.80s\": %s", topic, why);
	for (const char *s = topic; *s; s += strlen(part) + 1) {
		size_t n = strcspn(s + 1, "/");
		int r;

		/* What does not fit is too long, anyway. */
		n = n < sizeof part ? n : sizeof part - 1;
		memcpy(part, s + 1, n);
		part[n] = '\0';
		r = identifier_check(part, e);
		if (r < 0)
			return err_wrap(e, r, "envelope topic \"%.80s\": failed validation on component \"%s\"", topic,
					part);
	}
	return 0;
}

/* A time that Go's clients can read, and not its zero, which means none. */
static bool is_time(const Google__Protobuf__Timestamp *t)
{
	const int64_t year_1 = -62135596800, year_10000 = 253402300800;

	return t && t->seconds >= year_1 && t->seconds < year_10000 && t->nanos >= 0 && t->nanos < 1000000000 &&
	       (t->seconds != year_1 || t->nanos);
}

int bus_check(const Envelope *m, struct err *e)
{
	static const Envelope none = CONTAINERD__EVENTS__ENVELOPE__INIT;
	int r;

	m = m ? m : &none;
	r = identifier_check(m->namespace_, e);
	if (r < 0)
		return err_wrap(e, r, "event envelope has invalid namespace");
	r = bus_topic_check(m->topic, e);
	if (r < 0)
		return r;
	if (!is_time(m->timestamp))
		return err_set(e, ERR_INVALID, 0, "timestamp must be set on forwarded event");
	if (!m->event)
		return err_set(e, ERR_INVALID, 0, "event must be set on forwarded event");
	return 0;
}

int bus_forward(struct bus *b, const Envelope *m, struct err *e)
{
	int r = bus_check(m, e);

	if (r >= 0)
		publish(b, m, NULL);
	return r;
}

/* ---- who gets it --------------------------------------------------------------- */

struct bus_subscriber *bus_subscribe(struct bus *b, struct filter *f, struct grpc_call *rpc)
{
	struct bus_subscriber *s = calloc(1, sizeof *s);

	if (!s) {
		filter_free(f);
		return NULL;
	}
	s->filter = f;
	s->rpc = rpc;
	s->next = b->first;
	s->link = &b->first;
	if (s->next)
		s->next->link = &s->next;
	b->first = s;
	tell_kept(b, s);
	return s;
}

void bus_unsubscribe(struct bus_subscriber *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	filter_free(s->filter);
	free(s);
}

/* It has read: what it has missed comes first. */
void bus_resume(struct bus_subscriber *s)
{
	Berth__Events__EventsMissed missed = BERTH__EVENTS__EVENTS_MISSED__INIT;
	Google__Protobuf__Timestamp t;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Envelope m = CONTAINERD__EVENTS__ENVELOPE__INIT;
	struct grpc_message *packed;
	uint8_t body[16];

	s->full = false;
	if (!s->missed)
		return;
	missed.count = s->missed;
	any.type_url = (char *)(uintptr_t)missed.base.descriptor->name;
	any.value = (ProtobufCBinaryData){ protobuf_c_message_pack(&missed.base, body), body };
	timestamp_now(&t);
	m.timestamp = &t;
	m.topic = (char *)"/berth/events-missed";
	m.event = &any;
	packed = grpc_message_new(&m.base);
	if (!packed) /* it is told with the next one */
		return;
	s->missed = 0;
	give(s, packed);
	grpc_message_unref(packed);
}
