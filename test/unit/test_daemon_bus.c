/* Events: what is taken, who gets it, and what becomes of who is too slow. */
#include "daemon_for.h"
#include "tasks_forward.h"

#include "missed.pb-c.h"
#include "resource_events.pb-c.h"
#include "subscribe.pb-c.h"
#include "ttrpc.pb-c.h"

#define EVENTS "/containerd.services.events.v1.Events/"

typedef Containerd__Events__Envelope Envelope;

static struct asked *subscribe(const char *filter)
{
	Containerd__Services__Events__V1__SubscribeRequest m =
		CONTAINERD__SERVICES__EVENTS__V1__SUBSCRIBE_REQUEST__INIT;
	char *filters[] = { (char *)filter };

	m.filters = filters;
	m.n_filters = filter != NULL;
	return begin(EVENTS "Subscribe", NULL, &m);
}

static Google__Protobuf__Any any_of(const char *type, const void *body, size_t len)
{
	Google__Protobuf__Any m = GOOGLE__PROTOBUF__ANY__INIT;

	m.type_url = (char *)type;
	m.value = (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)body };
	return m;
}

static void publish(const char *ns, const char *topic)
{
	Containerd__Services__Events__V1__PublishRequest m = CONTAINERD__SERVICES__EVENTS__V1__PUBLISH_REQUEST__INIT;
	Google__Protobuf__Any any = any_of("some.Type", "\1\2", 2);

	m.topic = (char *)topic;
	m.event = &any;
	well(EVENTS "Publish", ns, &m);
}

/* ---- what is taken ---------------------------------------------------------------- */

#define MUST " must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$"

static void publish_body(const char *ns, const char *topic, const char *type, const uint8_t *body, size_t len)
{
	struct bus_event ev = { .ns = ns, .topic = topic, .type = type, .body = body, .len = len };

	clock_gettime(CLOCK_REALTIME, &ev.at);
	bus_publish(d.bus, &ev);
}

static void topics(void **state)
{
	static const char *const good[] = { "/a", "/a/b", "/tasks/exit", "/a-b/c.d_e/1" };
	static const struct {
		const char *topic, *words;
	} wrong[] = {
		{ "", "envelope topic \"\": must not be empty" },
		{ "a", "envelope topic \"a\": must start with '/'" },
		{ "/", "envelope topic \"/\": must have at least one component" },
		{ "//", "envelope topic \"//\": failed validation on component \"\": identifier must not be empty" },
		{ "/a/", "envelope topic \"/a/\": failed validation on component \"\": identifier must not be empty" },
		{ "/a//b",
		  "envelope topic \"/a//b\": failed validation on component \"\": identifier must not be empty" },
		{ "/a/b c",
		  "envelope topic \"/a/b c\": failed validation on component \"b c\": identifier \"b c\"" MUST },
		{ "/-", "envelope topic \"/-\": failed validation on component \"-\": identifier \"-\"" MUST },
	};
	char longer[300];
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(bus_topic_check(good[i], &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_true(bus_topic_check(wrong[i].topic, &e) < 0);
		assert_string_equal(e.msg, wrong[i].words);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	for (size_t n = 70; n < 299; n++) {
		memset(longer, 'x', n);
		longer[0] = '/';
		longer[n] = '\0';
		assert_int_equal(bus_topic_check(longer, &e) >= 0, n - 1 <= 76);
	}
}

static void published(void **state)
{
	Containerd__Services__Events__V1__PublishRequest m = CONTAINERD__SERVICES__EVENTS__V1__PUBLISH_REQUEST__INIT;
	Google__Protobuf__Any any = any_of("type.example/some.Type", "\1\2", 2);
	Envelope *v;

	m.topic = (char *)"/x/y";
	refused(EVENTS "Publish", "ns", &m, ERR_INVALID, "an event to publish must be set");
	m.event = &any;
	refused(EVENTS "Publish", NULL, &m, ERR_STATE, "namespace is required");
	m.topic = (char *)"x";
	refused(EVENTS "Publish", "ns", &m, ERR_INVALID, "envelope topic \"x\": must start with '/'");
	no_event();
	m.topic = (char *)"/x/y";
	well(EVENTS "Publish", "ns", &m);
	v = sent(listener, heard++, &containerd__events__envelope__descriptor);
	assert_string_equal(v->topic, "/x/y");
	assert_string_equal(v->namespace_, "ns");
	assert_string_equal(v->event->type_url, "type.example/some.Type"); /* as it came */
	assert_int_equal(v->event->value.len, 2);
	assert_memory_equal(v->event->value.data, "\1\2", 2);
	assert_true(llabs(v->timestamp->seconds - (int64_t)time(NULL)) < 60);
	protobuf_c_message_free_unpacked(&v->base, NULL);
}

static void forwarded(void **state)
{
	Containerd__Events__ForwardRequest m = CONTAINERD__EVENTS__FORWARD_REQUEST__INIT;
	Envelope in = CONTAINERD__EVENTS__ENVELOPE__INIT, *v;
	Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = any_of("some.Type", NULL, 0);
	static const struct {
		int64_t seconds;
		int32_t nanos;
		bool good;
	} times[] = {
		{ 0, 0, true },
		{ -62135596800, 0, false }, /* Go's zero */
		{ -62135596800, 1, true },
		{ -62135596801, 0, false },
		{ 253402300799, 999999999, true },
		{ 253402300800, 0, false },
		{ 1, -1, false },
		{ 1, 1000000000, false },
	};
	struct err e;

	refused(EVENTS "Forward", NULL, &m, ERR_INVALID,
		"event envelope has invalid namespace: identifier must not be empty");
	m.envelope = &in;
	in.topic = (char *)"/x";
	in.namespace_ = (char *)"n s";
	refused(EVENTS "Forward", NULL, &m, ERR_INVALID,
		"event envelope has invalid namespace: identifier \"n s\"" MUST);
	in.namespace_ = (char *)"other";
	refused(EVENTS "Forward", NULL, &m, ERR_INVALID, "timestamp must be set on forwarded event");
	in.timestamp = &t;
	refused(EVENTS "Forward", NULL, &m, ERR_INVALID, "event must be set on forwarded event");
	in.event = &any;
	in.topic = (char *)"";
	refused(EVENTS "Forward", NULL, &m, ERR_INVALID, "envelope topic \"\": must not be empty");
	in.topic = (char *)"/x";
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		t.seconds = times[i].seconds;
		t.nanos = times[i].nanos;
		assert_int_equal(bus_forward(d.bus, &in, &e) >= 0, times[i].good);
	}
	heard = listener->n_sent;
	t.seconds = 12;
	t.nanos = 34;
	well(EVENTS "Forward", "ns", &m);
	v = sent(listener, heard++, &containerd__events__envelope__descriptor);
	assert_string_equal(v->namespace_, "other"); /* the envelope's, */
	assert_int_equal(v->timestamp->seconds, 12); /* as its time */
	assert_int_equal(v->timestamp->nanos, 34);
	protobuf_c_message_free_unpacked(&v->base, NULL);
}

/* ---- from a foreign shim ---------------------------------------------------------- */

static struct {
	unsigned replies;
	struct err e;
} ttrpc;

void __wrap_ttrpc_reply(struct ttrpc_call *c, const ProtobufCMessage *m);
void __wrap_ttrpc_fail(struct ttrpc_call *c, const struct err *e);

void __wrap_ttrpc_reply(struct ttrpc_call *c, const ProtobufCMessage *m)
{
	ttrpc.replies++;
}

void __wrap_ttrpc_fail(struct ttrpc_call *c, const struct err *e)
{
	ttrpc.e = *e;
}

static void from_a_shim(void **state)
{
	static const char good[] = "\x0a\x17\x0a\x02\x08\x01\x12\x02ns\x1a\x02/x\x22\x09\x0a\x01t\x12\x04"
				   "body";
	struct ttrpc_server s = { .ctx = &d };
	Ttrpc__Request q = TTRPC__REQUEST__INIT;
	struct ttrpc_call c = { .server = &s, .req = &q };
	Envelope *v;

	q.service = (char *)"containerd.services.events.ttrpc.v1.Events";
	q.method = (char *)"Forward";
	q.payload = (ProtobufCBinaryData){ sizeof good - 1, (uint8_t *)(uintptr_t)good };
	forward_ttrpc_request(&c);
	assert_int_equal(ttrpc.replies, 1);
	v = sent(listener, heard++, &containerd__events__envelope__descriptor);
	assert_string_equal(v->topic, "/x");
	assert_int_equal(v->timestamp->seconds, 1);
	assert_string_equal(v->event->type_url, "t");
	protobuf_c_message_free_unpacked(&v->base, NULL);

	q.payload.len--;
	forward_ttrpc_request(&c);
	assert_string_equal(ttrpc.e.msg, "Forward: the request cannot be read");
	q.payload.len = 0;
	forward_ttrpc_request(&c);
	assert_string_equal(ttrpc.e.msg, "event envelope has invalid namespace: identifier must not be empty");
	q.method = (char *)"Publish";
	forward_ttrpc_request(&c);
	assert_int_equal(ttrpc.e.kind, ERR_UNSUPPORTED);
	q.method = (char *)"Forward";
	q.service = (char *)"containerd.task.v2.Task";
	forward_ttrpc_request(&c);
	assert_int_equal(ttrpc.e.kind, ERR_UNSUPPORTED);
	assert_int_equal(ttrpc.replies, 1);
	no_event();
}

/* ---- filters ---------------------------------------------------------------------- */

/* Whether a filter lets this event through. */
static bool gets(const char *filter, const char *ns, const char *topic, const ProtobufCMessage *body)
{
	struct asked *a = subscribe(filter);
	bool is;

	if (a->failed)
		fail_msg("%s: %s", filter, a->e.msg);
	bus_tell(d.bus, ns, topic, body);
	is = a->n_sent == 1;
	forget(a);
	return is;
}

static void filters(void **state)
{
	Containerd__Events__TaskCreate create = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;
	Containerd__Events__ContainerUpdate update = CONTAINERD__EVENTS__CONTAINER_UPDATE__INIT;
	Containerd__Events__ContainerCreate made = CONTAINERD__EVENTS__CONTAINER_CREATE__INIT;
	Containerd__Events__ContainerCreate__Runtime runtime = CONTAINERD__EVENTS__CONTAINER_CREATE__RUNTIME__INIT;
	Google__Protobuf__Any options = any_of("containerd.events.TaskStart", "\x0a\1x", 3);
	Berth__Events__EventsMissed unknown = BERTH__EVENTS__EVENTS_MISSED__INIT;

	create.container_id = (char *)"c1";
	create.pid = 7;
	create.io = &io;
	io.terminal = true;
	io.stdin = (char *)"/in";
#define CREATE(filter) gets(filter, "moby", "/tasks/create", &create.base)
	assert_true(CREATE(NULL));
	assert_true(CREATE("topic==\"/tasks/create\""));
	assert_false(CREATE("topic==\"/tasks/exit\""));
	assert_true(CREATE("namespace==moby,topic~=|^/tasks/|"));
	assert_false(CREATE("namespace==other,topic~=|^/tasks/|"));
	assert_true(CREATE("event.container_id==c1"));
	assert_false(CREATE("event.container_id==c2"));
	assert_true(CREATE("event.container_id"));
	assert_false(CREATE("event.bundle")); /* empty is not there */
	assert_false(CREATE("event.pid")); /* numbers have no field, */
	assert_false(CREATE("event.rootfs")); /* nor have lists */
	assert_true(CREATE("event.io.terminal==true"));
	assert_true(CREATE("event.io.stdin==\"/in\""));
	assert_false(CREATE("event.io.stdout"));
	assert_false(CREATE("event.io"));
	assert_false(CREATE("event"));
	assert_false(CREATE("event.x"));
	assert_false(CREATE("x"));
	assert_false(CREATE("timestamp"));
	create.io = NULL;
	assert_false(CREATE("event.io.terminal==true"));

	update.id = (char *)"c1";
	put_labels(MAP(&update, labels), PAIRS("com.example/a", "1", "b", "2"));
#define UPDATE(filter) gets(filter, "ns", "/containers/update", &update.base)
	assert_true(UPDATE("event.labels.\"com.example/a\"==1"));
	assert_true(UPDATE("event.labels.b==2,event.id==c1"));
	assert_false(UPDATE("event.labels.c"));

	made.runtime = &runtime;
	runtime.name = (char *)"r";
	runtime.options = &options;
	assert_true(gets("event.runtime.name==r", "ns", "/containers/create", &made.base));
	assert_false(gets("event.runtime.options.container_id==x", "ns", "/containers/create", &made.base));

	unknown.count = 1;
	assert_true(gets("topic==\"/x\"", "ns", "/x", &unknown.base));
	assert_false(gets("event.count", "ns", "/x", &unknown.base));
}

/* Any of several; what cannot be read as its type has no fields; a wrong one is refused. */
static void more_filters(void **state)
{
	Containerd__Services__Events__V1__SubscribeRequest m =
		CONTAINERD__SERVICES__EVENTS__V1__SUBSCRIBE_REQUEST__INIT;
	char *two[] = { (char *)"topic==\"/a\"", (char *)"topic==\"/b\"" };
	struct asked *a, *fields, *wrong;

	m.filters = two;
	m.n_filters = 2;
	a = begin(EVENTS "Subscribe", NULL, &m);
	publish("ns", "/a");
	publish("ns", "/b");
	publish("ns", "/c");
	assert_int_equal(a->n_sent, 2);
	forget(a);

	fields = subscribe("event.container_id");
	publish_body("ns", "/x", "containerd.events.TaskStart", (const uint8_t *)"\x0a\x05x", 3);
	publish_body("ns", "/x", "", NULL, 0);
	assert_int_equal(fields->n_sent, 0);
	publish_body("ns", "/x", "x/containerd.events.TaskStart", (const uint8_t *)"\x0a\x01x", 3);
	assert_int_equal(fields->n_sent, 1);
	forget(fields);

	wrong = subscribe("topic==");
	assert_true(wrong->failed);
	assert_int_equal(wrong->e.kind, ERR_INVALID);
	assert_true(str_starts(wrong->e.msg, "failed parsing subscription filters: "));
	forget(wrong);
}

/* ---- many, and slow --------------------------------------------------------------- */

/* All have the same bytes. */
static void shared(void **state)
{
	enum { MANY = 1000 };
	static struct asked *all[MANY];
	unsigned before = messages;
	const struct grpc_message *first;

	for (int i = 0; i < MANY; i++)
		all[i] = subscribe(i % 2 ? NULL : "topic==\"/a\"");
	publish("ns", "/a");
	assert_int_equal(messages - before, 1);
	first = all[0]->sent[0];
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(all[i]->n_sent, 1);
		assert_ptr_equal(all[i]->sent[0], first);
		if (i % 3 == 0)
			forget(all[i]);
	}
	publish("ns", "/b");
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			continue;
		assert_int_equal(all[i]->n_sent, i % 2 ? 2 : 1);
		forget(all[i]);
	}
}

static uint64_t missed(struct asked *a, size_t i)
{
	Envelope *v = sent(a, i, &containerd__events__envelope__descriptor);
	Berth__Events__EventsMissed *m;
	uint64_t count;

	assert_string_equal(v->topic, "/berth/events-missed");
	assert_string_equal(v->event->type_url, "berth.events.EventsMissed");
	m = (void *)rpc_unpack(&berth__events__events_missed__descriptor, v->event->value.data, v->event->value.len);
	count = m->count;
	protobuf_c_message_free_unpacked(&m->base, NULL);
	protobuf_c_message_free_unpacked(&v->base, NULL);
	return count;
}

static void slow(void **state)
{
	static uint8_t body[65536];
	struct asked *a = subscribe("topic==\"/big\""), *quick = subscribe("topic==\"/big\"");
	size_t n;

	a->reads_not = true;
	while (a->unread <= BUS_UNREAD_MAX)
		publish_body("ns", "/big", "t", body, sizeof body);
	n = a->n_sent;
	for (int i = 0; i < 7; i++)
		publish_body("ns", "/big", "t", body, sizeof body);
	publish_body("ns", "/small", "t", body, 1); /* not asked for: not missed */
	assert_int_equal(a->n_sent, n);
	assert_int_equal(quick->n_sent, n + 7);

	/* it reads: it is told, and goes on */
	a->reads_not = false;
	a->rpc.writable(&a->rpc);
	assert_int_equal(a->n_sent, n + 1);
	assert_int_equal(missed(a, n), 7);
	publish_body("ns", "/big", "t", body, sizeof body);
	assert_int_equal(a->n_sent, n + 2);
	a->rpc.writable(&a->rpc); /* nothing new to tell */
	assert_int_equal(a->n_sent, n + 2);

	/* again, with a new count; and it leaves while it is behind */
	a->reads_not = true;
	while (a->unread <= BUS_UNREAD_MAX)
		publish_body("ns", "/big", "t", body, sizeof body);
	publish_body("ns", "/big", "t", body, sizeof body);
	n = a->n_sent;
	a->reads_not = false;
	a->rpc.writable(&a->rpc);
	assert_int_equal(missed(a, n), 1);
	a->reads_not = true;
	while (a->unread <= BUS_UNREAD_MAX)
		publish_body("ns", "/big", "t", body, sizeof body);
	publish_body("ns", "/big", "t", body, sizeof body);
	forget(a);
	publish_body("ns", "/big", "t", body, sizeof body);
	forget(quick);
}

/* After a restart those of the first time wait for who comes, in order, while there is room. */
static void early(void **state)
{
	static uint8_t body[3 << 20];
	struct asked *a, *b;
	struct err e;
	unsigned n;

	publish("ns", "/a"); /* not yet */
	assert_int_equal(bus_keep(d.bus, &e), 0);
	publish("ns", "/b");
	publish("ns", "/c");
	a = subscribe("topic~=|^/[ac]|");
	assert_int_equal(a->n_sent, 1);
	forget(a);
	publish_body("ns", "/big", "t", body, sizeof body);
	publish_body("ns", "/big", "t", body, sizeof body);
	n = messages;
	a = subscribe(NULL);
	b = subscribe(NULL);
	assert_int_equal(a->n_sent, 4);
	assert_ptr_equal(a->sent[3], b->sent[3]); /* one for all */
	assert_int_equal(messages, n);
	forget(a);
	forget(b);
	publish_body("ns", "/big", "t", body, sizeof body); /* no room for this, */
	publish("ns", "/d"); /* and so for none after it */
	a = subscribe(NULL);
	assert_int_equal(a->n_sent, 4);
	publish("ns", "/e");
	assert_int_equal(a->n_sent, 5);
	forget(a);
}

static char told[64];

struct numbered {
	struct grpc_receipt receipt; /* first */
	int number;
};

static void on_told(struct grpc_receipt *r)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof told - len, "%d ", ((struct numbered *)r)->number);
}

static void publish_numbered(const char *topic, int number)
{
	static struct numbered all[10];
	struct bus_event ev = { .ns = "ns", .topic = topic, .type = "t", .receipt = &all[number].receipt };

	all[number] = (struct numbered){ { on_told }, number };
	bus_publish(d.bus, &ev);
}

/* At once where nobody wants it; else when the message says so, which is freed at the latest. */
static void receipts(void **state)
{
	struct asked *a, *b;
	struct err e;

	forget(listener);
	publish_numbered("/a", 1);
	assert_string_equal(told, "1 ");
	a = subscribe("topic~=|^/b|");
	b = subscribe("topic~=|^/b|");
	publish_numbered("/a", 2);
	publish_numbered("/b", 3);
	assert_string_equal(told, "1 2 ");
	forget(a);
	assert_string_equal(told, "1 2 ");
	forget(b);
	assert_string_equal(told, "1 2 3 ");

	/* Those for who comes late: who goes without having read it is nobody. */
	assert_int_equal(bus_keep(d.bus, &e), 0);
	publish_numbered("/b", 4);
	a = subscribe(NULL);
	publish_numbered("/b", 5);
	assert_int_equal(a->n_sent, 2);
	forget(a);
	assert_string_equal(told, "1 2 3 ");
	bus_forget(d.bus);
	assert_string_equal(told, "1 2 3 4 5 ");
	publish_numbered("/b", 6);
	assert_string_equal(told, "1 2 3 4 5 6 ");
	listener = subscribe(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(topics),
		DAEMON_TEST(published),
		DAEMON_TEST(forwarded),
		DAEMON_TEST(from_a_shim),
		DAEMON_TEST(filters),
		DAEMON_TEST(more_filters),
		DAEMON_TEST(shared),
		DAEMON_TEST(slow),
		DAEMON_TEST(early),
		DAEMON_TEST(receipts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
