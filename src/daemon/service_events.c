/* Events for clients: to publish, to forward, and to subscribe (bus.h). */
#include <errno.h>

#include "bus.h"
#include "filter.h"
#include "request.h"
#include "subscribe.pb-c.h"

void serve_event_publish(struct request *q)
{
	const Containerd__Services__Events__V1__PublishRequest *m = (const void *)q->m;
	struct bus_event ev = { .ns = q->namespace, .topic = m->topic };
	struct err e;
	int r = bus_topic_check(m->topic, &e);

	if (r >= 0 && !m->event)
		r = err_set(&e, ERR_INVALID, 0, "an event to publish must be set");
	if (r >= 0 && m->event) {
		clock_gettime(CLOCK_REALTIME, &ev.at);
		ev.type = m->event->type_url;
		ev.body = m->event->value.data;
		ev.len = m->event->value.len;
		bus_publish(q->d->bus, &ev);
	}
	request_end(q, r, &e);
}

void serve_event_forward(struct request *q)
{
	const Containerd__Events__ForwardRequest *m = (const void *)q->m;
	struct err e;
	int r = bus_forward(q->d->bus, m->envelope, &e);

	request_end(q, r, &e);
}

static void on_writable(struct grpc_call *rpc)
{
	struct request *q = rpc->ctx;

	bus_resume(q->ctx);
}

static void end(struct request *q)
{
	bus_unsubscribe(q->ctx);
}

void serve_event_subscribe(struct request *q)
{
	const Containerd__Services__Events__V1__SubscribeRequest *m = (const void *)q->m;
	struct filter *f = NULL;
	struct err e;
	int r = m->n_filters ? filter_parse((const char *const *)m->filters, m->n_filters, &f, &e) : 0;

	if (r < 0) {
		err_wrap(&e, r, "failed parsing subscription filters");
		request_fail(q, &e);
		return;
	}
	q->ctx = bus_subscribe(q->d->bus, f, q->rpc);
	if (!q->ctx) {
		err_sys(&e, -ENOMEM, "subscribe");
		request_fail(q, &e);
		return;
	}
	q->end = end;
	q->gone = request_close;
	q->rpc->writable = on_writable;
	q->rpc->endless = true;
}
