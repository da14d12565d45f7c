/* berth's own service, berth.shim.v1.Shim: see api/berth_shim.proto. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "err.h"
#include "fd.h"
#include "hold.h"
#include "mem.h"
#include "service.h"
#include "str.h"
#include "unread.h"

enum { VERSION = 1 };
enum { EVENTS_DEFAULT = 100, EVENTS_MAX = 1000 };

void call_hello(struct call *c)
{
	const Berth__Shim__V1__HelloRequest *q = (void *)c->m;
	Berth__Shim__V1__HelloResponse m = BERTH__SHIM__V1__HELLO_RESPONSE__INIT;
	struct err e;

	if (!q->version) {
		err_set(&e, ERR_INVALID, 0, "version: 0, but the first is 1");
		call_fail(c, &e);
		return;
	}
	m.version = VERSION; /* a newer client speaks ours */
	m.program = (char *)(uintptr_t)BERTH_VERSION;
	m.pid = (uint32_t)getpid();
	m.instance = c->shim->instance;
	m.last_event = *ttrpc_call_mark(c->rpc) = c->shim->events.journal.last;
	ttrpc_reply(c->rpc, &m.base);
}

/* ---- events --------------------------------------------------------------- */

struct subscriber { /* a call that waits for the next event */
	struct subscriber *next, **link;
	struct ttrpc_call *rpc;
	uint64_t after;
	uint32_t limit;
};

static void subscriber_free(struct subscriber *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	free(s);
}

static void on_gone(struct ttrpc_call *rpc)
{
	subscriber_free(rpc->ctx);
}

static int add_event(struct arena *a, Berth__Shim__V1__EventsResponse *m, uint64_t number, const struct sb *envelope)
{
	Berth__Shim__V1__Event *event = arena_alloc(a, sizeof *event);

	if (!event)
		return -ENOMEM;
	berth__shim__v1__event__init(event);
	event->number = number;
	event->envelope = containerd__events__envelope__unpack(NULL, envelope->len, (const uint8_t *)envelope->s);
	if (!event->envelope)
		return -ENOMEM;
	m->events[m->n_events++] = event;
	return 0;
}

/* Everything that is there; nothing is answered when that is none. */
static bool answer_events(struct shim *s, struct ttrpc_call *rpc, uint64_t after, uint32_t limit)
{
	Berth__Shim__V1__EventsResponse m = BERTH__SHIM__V1__EVENTS_RESPONSE__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb envelope = SB_INIT;
	struct journal_reader rd = { .number = after };
	struct err e;
	int r = 0;

	if (s->events.journal.last <= after)
		return false;
	m.events = arena_calloc(&a, limit, sizeof(void *));
	while (m.events && m.n_events < limit && (r = journal_next(&s->events.journal, &rd, &envelope)) > 0) {
		r = add_event(&a, &m, rd.number, &envelope);
		if (r < 0)
			break;
	}
	rpc->gone = NULL;
	if (!m.events || r < 0) {
		err_sys(&e, m.events ? r : -ENOMEM, "read the events");
		ttrpc_fail(rpc, &e);
	} else {
		ttrpc_reply(rpc, &m.base);
	}
	for (size_t i = 0; i < m.n_events; i++)
		containerd__events__envelope__free_unpacked(m.events[i]->envelope, NULL);
	return true;
}

void call_events(struct call *c)
{
	const Berth__Shim__V1__EventsRequest *q = (void *)c->m;
	uint32_t limit = !q->limit ? EVENTS_DEFAULT : q->limit < EVENTS_MAX ? q->limit : EVENTS_MAX;
	uint64_t after = q->after_hello ? *ttrpc_call_mark(c->rpc) : q->after;
	struct subscriber *s;
	struct err e;

	if (answer_events(c->shim, c->rpc, after, limit))
		return;
	s = calloc(1, sizeof *s);
	if (!s) {
		err_sys(&e, -ENOMEM, "wait for events");
		call_fail(c, &e);
		return;
	}
	*s = (struct subscriber){
		.rpc = c->rpc,
		.after = after,
		.limit = limit,
		.next = c->shim->subscribers,
		.link = &c->shim->subscribers,
	};
	if (s->next)
		s->next->link = &s->next;
	c->shim->subscribers = s;
	c->rpc->ctx = s;
	c->rpc->gone = on_gone;
}

void subscribers_tell(struct events *ev)
{
	struct shim *s = (struct shim *)((char *)ev - offsetof(struct shim, events));

	for (struct subscriber *at = s->subscribers, *next; at; at = next) {
		next = at->next;
		if (answer_events(s, at->rpc, at->after, at->limit))
			subscriber_free(at);
	}
}

/* ---- streams -------------------------------------------------------------- */

void call_stdio(struct call *c)
{
	const Berth__Shim__V1__StdioRequest *q = (void *)c->m;
	Berth__Shim__V1__StdioResponse m = BERTH__SHIM__V1__STDIO_RESPONSE__INIT;
	struct process *p = call_process(c, q->id, q->exec_id);
	protobuf_c_boolean *has[STDIO_COUNT] = { &m.stdin, &m.stdout, &m.stderr };
	int fds[STDIO_COUNT];
	size_t n = 0;

	if (!p)
		return;
	for (int i = 0; i < STDIO_COUNT; i++) {
		*has[i] = p->held[i] >= 0;
		if (p->held[i] >= 0)
			fds[n++] = take_fd(&p->held[i]);
	}
	m.terminal = p->terminal && n;
	if (m.terminal)
		unread_end(p);
	ttrpc_reply_fds(c->rpc, &m.base, fds, n);
}

/* ---- holding --------------------------------------------------------------- */

void call_hold(struct call *c)
{
	Berth__Shim__V1__HoldResponse m = BERTH__SHIM__V1__HOLD_RESPONSE__INIT;
	struct err e;

	if (holding_hold(c->shim, c->rpc->peer, (void *)c->m, &m, &e) < 0)
		call_fail(c, &e);
	else
		ttrpc_reply(c->rpc, &m.base);
}

void call_release(struct call *c)
{
	holding_release(c->shim, c->rpc, ((Berth__Shim__V1__ReleaseRequest *)c->m)->id);
}

/* ---- properties ----------------------------------------------------------- */

/* Nothing of what has not happened. */
static int describe_time(struct arena *a, Google__Protobuf__Timestamp **ret, const struct timespec *at, bool known)
{
	if (!known || !at->tv_sec)
		return 0;
	*ret = arena_alloc(a, sizeof **ret);
	if (!*ret)
		return -ENOMEM;
	google__protobuf__timestamp__init(*ret);
	(*ret)->seconds = at->tv_sec;
	(*ret)->nanos = (int32_t)at->tv_nsec;
	return 0;
}

static Berth__Shim__V1__ProcessProperties *describe(struct arena *a, const struct process *p)
{
	Berth__Shim__V1__ProcessProperties *m = arena_alloc(a, sizeof *m);

	if (!m)
		return NULL;
	berth__shim__v1__process_properties__init(m);
	m->exec_id = p->id;
	m->pid = (uint32_t)p->pid;
	m->state = (char *)(uintptr_t)life_state_name(p->state);
	m->exit_status = p->status;
	m->create_us = p->create_us;
	m->start_us = p->start_us;
	m->exit_signal = p->signal;
	m->core_dumped = p->core_dumped;
	m->oom_kills = p->state == LIFE_STOPPED ? p->oom_kills : 0;
	m->kill_signal = p->kill_signal;
	m->kill_all = p->kill_all;
	if (describe_time(a, &m->created_at, &p->created, true) < 0 ||
	    describe_time(a, &m->started_at, &p->started, true) < 0 ||
	    describe_time(a, &m->exited_at, &p->at, p->state == LIFE_STOPPED) < 0 ||
	    describe_time(a, &m->killed_at, &p->killed, true) < 0)
		return NULL;
	return m;
}

static int describe_all(struct arena *a, const struct task *t, Berth__Shim__V1__PropertiesResponse *m)
{
	size_t n = 1;

	for (const struct process *p = t->execs; p; p = p->next)
		n++;
	m->processes = arena_calloc(a, n, sizeof(void *));
	if (!m->processes)
		return -ENOMEM;
	for (const struct process *p = &t->init; p; p = p == &t->init ? t->execs : p->next) {
		m->processes[m->n_processes] = describe(a, p);
		if (!m->processes[m->n_processes++])
			return -ENOMEM;
	}
	return 0;
}

void call_properties(struct call *c)
{
	struct task *t = call_task(c, ((Berth__Shim__V1__PropertiesRequest *)c->m)->id);
	Berth__Shim__V1__PropertiesResponse m = BERTH__SHIM__V1__PROPERTIES_RESPONSE__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	struct err e;

	if (!t)
		return;
	m.bundle = t->bundle;
	m.runtime = t->runtime.binary;
	m.runtime_root = t->runtime.root;
	m.cgroup = t->cgroup;
	task_look_for_oom(t);
	m.oom_kills = t->oom_kills;
	m.lifetime = t->holding ? t->holding->lifetime : BERTH__SHIM__V1__LIFETIME__KEEP;
	m.holders = holding_count(t->holding);
	m.paused = t->init.state == LIFE_PAUSED;
	m.builtin_init = t->builtin_init;
	if (describe_all(&a, t, &m) < 0) {
		err_sys(&e, -ENOMEM, "describe the task");
		call_fail(c, &e);
		return;
	}
	ttrpc_reply(c->rpc, &m.base);
}
