/* Events to the journal and to the daemon; see events.h. */
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "events.pb-c.h"
#include "log.h"
#include "str.h"

enum { ANSWER_MS = 5000, AGAIN_MS = 100, AGAIN_MAX_MS = 5000 };

static void send_next(struct events *ev);

/* ---- what the journal did not take ---------------------------------------- */

struct unwritten {
	struct unwritten *next;
	struct sb envelope;
};

/* To the end: all that comes later has to wait here, too. Takes the envelope. */
static void keep(struct events *ev, struct sb *envelope)
{
	struct unwritten **at = &ev->unwritten, *u;
	unsigned n = 0;

	while (*at && ++n)
		at = &(*at)->next;
	u = ev->address && n < EVENTS_UNWRITTEN ? calloc(1, sizeof *u) : NULL;
	if (!u) {
		log_printf(LOG_LEVEL_ERROR, "the event is lost, after %u others that could not be written", n);
		return;
	}
	u->envelope = *envelope;
	*envelope = (struct sb)SB_INIT;
	*at = u;
}

static void drop_unwritten(struct events *ev)
{
	struct unwritten *u = ev->unwritten;

	ev->unwritten = u->next;
	sb_done(&u->envelope);
	free(u);
}

/* ---- the whole ----------------------------------------------------------- */

static int prepare(struct events *ev, struct loop *l, const char *namespace, const char *address, struct err *e)
{
	*ev = (struct events){ .loop = l, .client.conn.fd = -1 };
	ev->namespace = strdup(namespace);
	ev->address = str_empty(address) ? NULL : strdup(address);
	if (!ev->namespace || (!ev->address && !str_empty(address))) {
		events_close(ev);
		return err_sys(e, -ENOMEM, "prepare for events");
	}
	return 0;
}

int events_open(struct events *ev, struct loop *l, const char *namespace, const char *address, const char *journal,
		struct err *e)
{
	int r = prepare(ev, l, namespace, address, e);

	return r < 0 ? r : journal_open(&ev->journal, journal, e);
}

int events_resume(struct events *ev, struct loop *l, const char *namespace, const char *journal, struct err *e)
{
	int r = prepare(ev, l, namespace, NULL, e);
	char text[1200];
	struct timespec now;

	if (r >= 0)
		r = journal_open_left(&ev->journal, journal, e);
	if (r == -ENOENT || r == -EPROTO) {
		log_printf(LOG_LEVEL_ERROR, "events that were not told are lost: %s", err_text(e, text, sizeof text));
		r = journal_open(&ev->journal, journal, e);
		ev->begun_anew = r >= 0;
	}
	if (r >= 0 && ev->journal.last < ev->journal.first) { /* it may be the second time */
		clock_gettime(CLOCK_REALTIME, &now);
		journal_go_on_from(&ev->journal, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	}
	return r;
}

void events_close(struct events *ev)
{
	char *address = ev->address;

	ev->address = NULL; /* what is not told now is not tried again */
	if (ev->client.conn.fd >= 0)
		ttrpc_client_close(&ev->client);
	source_remove(&ev->again);
	while (ev->unwritten)
		drop_unwritten(ev);
	journal_close(&ev->journal);
	free(ev->namespace);
	free(address);
	ev->namespace = NULL;
}

bool events_are_told(const struct events *ev)
{
	return !ev->address || (ev->told.number >= ev->journal.last && !ev->unwritten && !ev->sending);
}

/* ---- to the daemon -------------------------------------------------------- */

static int on_again(struct source *s, uint32_t events)
{
	send_next((struct events *)((char *)s - offsetof(struct events, again)));
	return 0;
}

static void later(struct events *ev)
{
	uint32_t ms = ev->failures < 6 ? AGAIN_MS << ev->failures : AGAIN_MAX_MS;

	ev->failures++;
	source_timer(&ev->again, ev->loop, ms, on_again);
}

static void on_answer(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct events *ev = ctx;
	char text[1200];

	bool unwritten = ev->sending_unwritten;

	ev->sending = ev->sending_unwritten = false;
	if (r < 0 && (e->kind == ERR_TIMEOUT || e->kind == ERR_LOST)) {
		/* Not told: it is read again. A connection that hangs is no use. */
		ev->told.number -= !unwritten;
		ev->told.generation = 0;
		if (e->kind == ERR_TIMEOUT && ttrpc_client_is_open(&ev->client))
			ttrpc_client_close(&ev->client);
		if (ev->address) /* not while we close */
			later(ev);
		return;
	}
	if (r < 0)
		log_printf(LOG_LEVEL_WARNING, "event %llu was refused: %s", (unsigned long long)ev->told.number,
			   err_text(e, text, sizeof text));
	if (unwritten && ev->unwritten)
		drop_unwritten(ev);
	ev->failures = 0;
	send_next(ev);
}

static int forward(struct events *ev, const struct sb *envelope)
{
	Containerd__Events__ForwardPackedRequest m = CONTAINERD__EVENTS__FORWARD_PACKED_REQUEST__INIT;
	struct ttrpc_request q = {
		.service = "containerd.services.events.ttrpc.v1.Events",
		.method = "Forward",
		.namespace = ev->namespace,
		.m = &m.base,
		.timeout_ms = ANSWER_MS,
		.done = on_answer,
		.ctx = ev,
	};
	int r = 0;

	m.envelope.data = (uint8_t *)envelope->s;
	m.envelope.len = envelope->len;
	if (!ttrpc_client_is_open(&ev->client))
		r = ttrpc_client_connect(&ev->client, ev->loop, ev->address, NULL);
	if (r >= 0)
		r = ttrpc_client_call(&ev->client, &q, NULL);
	return r;
}

static void sent(struct events *ev, int r, const struct journal_reader *told)
{
	if (r < 0) {
		later(ev);
		return;
	}
	ev->told = *told;
	ev->sending = true;
}

/* `next` is the first that is still there after those that were told. */
static void tell_of_lost(struct events *ev, uint64_t next)
{
	uint64_t first = (ev->lost > ev->told.number ? ev->lost : ev->told.number) + 1;

	if (first >= next)
		return;
	log_printf(LOG_LEVEL_ERROR, "events %llu to %llu could not be told in time and are lost",
		   (unsigned long long)first, (unsigned long long)next - 1);
	ev->lost = next - 1;
}

static void send_next(struct events *ev)
{
	OWN_SB struct sb envelope = SB_INIT;
	struct journal_reader rd = ev->told;
	int r;

	if (ev->sending || ev->again.loop || !ev->address)
		return;
	r = journal_next(&ev->journal, &rd, &envelope);
	if (r <= 0 && ev->unwritten) { /* or the journal cannot be read any more */
		r = forward(ev, &ev->unwritten->envelope);
		sent(ev, r, &ev->told);
		ev->sending_unwritten = r >= 0;
		return;
	}
	if (r == 0) {
		if (ev->all_told)
			ev->all_told(ev);
		return;
	}
	if (r > 0) {
		tell_of_lost(ev, rd.number);
		r = forward(ev, &envelope);
	}
	sent(ev, r, &rd);
}

/* The one that was just added; most of the time nothing waits before it, and it
 * need not be read back. */
static void send_new(struct events *ev, const struct sb *envelope)
{
	const struct journal *j = &ev->journal;
	struct journal_reader rd = { .number = j->last, .at = j->size, .generation = j->generation };

	if (ev->sending || ev->again.loop || !ev->address)
		return;
	if (ev->told.number + 1 == ev->journal.last)
		sent(ev, forward(ev, envelope), &rd);
	else
		send_next(ev);
}

/* ---- from the tasks ------------------------------------------------------- */

int events_pack(const char *namespace, const char *topic, const ProtobufCMessage *m, struct sb *out)
{
	Containerd__Events__Envelope envelope = CONTAINERD__EVENTS__ENVELOPE__INIT;
	Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uint8_t *body = malloc(protobuf_c_message_get_packed_size(m) + 1), *whole;
	struct timespec ts;

	if (!body)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &ts);
	now.seconds = ts.tv_sec;
	now.nanos = (int32_t)ts.tv_nsec;
	any.type_url = (char *)(uintptr_t)m->descriptor->name;
	any.value.len = protobuf_c_message_pack(m, body);
	any.value.data = body;
	envelope.timestamp = &now;
	envelope.namespace_ = (char *)(uintptr_t) namespace;
	envelope.topic = (char *)(uintptr_t)topic;
	envelope.event = &any;
	whole = malloc(protobuf_c_message_get_packed_size(&envelope.base) + 1);
	if (whole)
		sb_add(out, (char *)whole, protobuf_c_message_pack(&envelope.base, whole));
	free(whole);
	free(body);
	return whole && !out->failed ? 0 : -ENOMEM;
}

void events_publish(struct events *ev, const char *topic, const ProtobufCMessage *m)
{
	OWN_SB struct sb envelope = SB_INIT;
	struct err e;
	char text[1200];
	int r = events_pack(ev->namespace, topic, m, &envelope);

	if (r < 0) {
		err_sys(&e, r, "pack");
		log_printf(LOG_LEVEL_ERROR, "event %s: %s", topic, err_text(&e, text, sizeof text));
		return;
	}
	r = ev->unwritten ? -EAGAIN : journal_add(&ev->journal, envelope.s, envelope.len, &e);
	if (r < 0) {
		if (!ev->unwritten)
			log_printf(LOG_LEVEL_ERROR, "event %s: %s", topic, err_text(&e, text, sizeof text));
		keep(ev, &envelope);
		send_next(ev);
		return;
	}
	send_new(ev, &envelope);
	if (ev->added)
		ev->added(ev);
}
