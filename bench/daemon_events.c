/*
 * Events through a daemon, as fast as it takes them: a sender that forwards them over
 * ttrpc without waiting for each answer, as many shims together would, and a
 * subscriber over gRPC, which reads each and ticks it off: containerd changes their
 * order. Two programs, so that neither holds up the other. Prints how many a second: from the first that is
 * sent until the last has come.
 */
#include <errno.h>
#include <getopt.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "events.pb-c.h"
#include "loop.h"
#include "sampling.h"
#include "ttrpc_client.h"

#define NAMESPACE "bench"
#define TOPIC "/tasks/exit"
#define SUBSCRIBE "/containerd.services.events.v1.Events/Subscribe"

enum { DEADLINE = 60, WINDOW = 256, STREAM_WINDOW = 4 << 20 };

/* What both programs see. */
struct shared {
	uint64_t first_sent, last_come;
	volatile int is_subscribed;
};

/* ---- the sender ---------------------------------------------------------------- */

struct sender {
	struct loop loop;
	struct ttrpc_client client;
	long todo, sent, answered;
};

static void send_more(struct sender *s);

static void on_answer(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct sender *s = ctx;

	if (r < 0)
		die("forward an event: %s", e->msg);
	if (++s->answered == s->todo)
		loop_stop(&s->loop, 0);
	else if (s->sent - s->answered <= WINDOW / 2)
		send_more(s);
}

static void send_one(struct sender *s)
{
	Containerd__Events__TaskExit exit = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Containerd__Events__Envelope m = CONTAINERD__EVENTS__ENVELOPE__INIT;
	Containerd__Events__ForwardRequest q = CONTAINERD__EVENTS__FORWARD_REQUEST__INIT;
	struct ttrpc_request request = { .service = "containerd.services.events.ttrpc.v1.Events",
					 .method = "Forward",
					 .namespace = NAMESPACE,
					 .m = &q.base,
					 .done = on_answer,
					 .ctx = s };
	struct timespec now;
	uint8_t body[128];
	struct err e;

	clock_gettime(CLOCK_REALTIME, &now);
	at.seconds = now.tv_sec;
	at.nanos = (int32_t)now.tv_nsec;
	exit.container_id = exit.id = (char *)"a-container-of-the-bench";
	exit.pid = (uint32_t)++s->sent;
	exit.exited_at = &at;
	any.type_url = (char *)"containerd.events.TaskExit";
	any.value = (ProtobufCBinaryData){ protobuf_c_message_pack(&exit.base, body), body };
	m.timestamp = &at;
	m.namespace_ = (char *)NAMESPACE;
	m.topic = (char *)TOPIC;
	m.event = &any;
	q.envelope = &m;
	if (ttrpc_client_call(&s->client, &request, &e) < 0)
		die("forward an event: %s", e.msg);
}

static void send_more(struct sender *s)
{
	bool ours = ttrpc_conn_cork(&s->client.conn);

	while (s->sent < s->todo && s->sent - s->answered < WINDOW)
		send_one(s);
	ttrpc_conn_uncork(&s->client.conn, ours);
}

static void run_sender(const char *address, long n, struct shared *shared)
{
	static struct sender s = { .loop = LOOP_INIT };
	char path[256];
	struct err e;

	s.todo = n;
	snprintf(path, sizeof path, "%s.ttrpc", address);
	if (loop_init(&s.loop, &e) < 0 || ttrpc_client_connect(&s.client, &s.loop, path, &e) < 0)
		die("%s", e.msg);
	shared->first_sent = clock_ns(CLOCK_MONOTONIC);
	send_more(&s);
	loop_run(&s.loop);
	ttrpc_client_close(&s.client);
}

/* ---- the subscriber -------------------------------------------------------------- */

struct subscriber {
	int fd;
	nghttp2_session *session;
	uint8_t *text; /* of which no whole message has been made */
	size_t have, cap;
	long todo, come;
	bool *has_come; /* by number */
};

static void look_at(struct subscriber *s, const uint8_t *body, size_t len)
{
	Containerd__Events__Envelope *m = containerd__events__envelope__unpack(NULL, len, body);
	Containerd__Events__TaskExit *exit;

	if (!m || strcmp(m->topic, TOPIC) != 0)
		die("after %ld events came one of %s", s->come, m ? m->topic : "which nothing can be read");
	exit = containerd__events__task_exit__unpack(NULL, m->event->value.len, m->event->value.data);
	if (!exit || exit->pid > (unsigned long)s->todo || s->has_come[exit->pid])
		die("after %ld events came number %u", s->come, exit ? exit->pid : 0);
	s->has_come[exit->pid] = true;
	s->come++;
	containerd__events__task_exit__free_unpacked(exit, NULL);
	containerd__events__envelope__free_unpacked(m, NULL);
}

/* Each has a prefix: not compressed, and four bytes of length. */
static size_t look_at_whole(struct subscriber *s, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (n - at >= 5) {
		size_t len = (size_t)p[at + 1] << 24 | (size_t)p[at + 2] << 16 | (size_t)p[at + 3] << 8 | p[at + 4];

		if (n - at - 5 < len)
			break;
		look_at(s, p + at + 5, len);
		at += 5 + len;
	}
	return at;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct subscriber *s = ctx;
	size_t done;

	if (s->have + n > s->cap) {
		s->cap = 2 * (s->have + n);
		s->text = realloc(s->text, s->cap);
		if (!s->text)
			die("out of memory");
	}
	memcpy(s->text + s->have, p, n);
	s->have += n;
	done = look_at_whole(s, s->text, s->have);
	s->have -= done;
	memmove(s->text, s->text + done, s->have);
	return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	die("the subscription has ended after %ld events", ((struct subscriber *)ctx)->come);
}

/* The request: no filters, so an empty message. */
static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *buf, size_t n, uint32_t *flags,
			    nghttp2_data_source *source, void *ctx)
{
	memset(buf, 0, 5);
	*flags = NGHTTP2_DATA_FLAG_EOF;
	return 5;
}

static int connect_to(const char *address)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
		die("connect to '%s': %s", address, strerror(errno));
	return fd;
}

static void flush(struct subscriber *s)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(s->session, &p)) > 0)
		if (send(s->fd, p, (size_t)n, MSG_NOSIGNAL) != n)
			die("send to the daemon: %s", strerror(errno));
	if (n < 0)
		die("send to the daemon: %s", nghttp2_strerror((int)n));
}

#define HEADER(n, v)                                                             \
	{                                                                        \
		(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), \
			strlen(v), NGHTTP2_NV_FLAG_NONE                          \
	}

static void subscribe(struct subscriber *s)
{
	const nghttp2_nv headers[] = { HEADER(":method", "POST"),
				       HEADER(":scheme", "http"),
				       HEADER(":path", SUBSCRIBE),
				       HEADER(":authority", "localhost"),
				       HEADER("content-type", "application/grpc"),
				       HEADER("te", "trailers"),
				       HEADER("containerd-namespace", NAMESPACE) };
	const nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW };
	nghttp2_data_provider request = { .read_callback = read_request };
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks))
		die("out of memory");
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
	if (nghttp2_session_client_new(&s->session, callbacks, s) ||
	    nghttp2_submit_settings(s->session, NGHTTP2_FLAG_NONE, &window, 1) ||
	    nghttp2_session_set_local_window_size(s->session, NGHTTP2_FLAG_NONE, 0, STREAM_WINDOW) ||
	    nghttp2_submit_request(s->session, NULL, headers, ARRAY_SIZE(headers), &request, NULL) < 0)
		die("subscribe");
	nghttp2_session_callbacks_del(callbacks);
	flush(s);
}

static void run_subscriber(const char *address, long n, struct shared *shared)
{
	static struct subscriber s;
	static uint8_t buf[256 << 10];

	s.todo = n;
	s.has_come = calloc((size_t)n + 1, sizeof *s.has_come);
	if (!s.has_come)
		die("out of memory");
	s.fd = connect_to(address);
	subscribe(&s);
	while (s.come < s.todo) {
		ssize_t got = recv(s.fd, buf, sizeof buf, 0), r;

		if (got <= 0)
			die("the daemon has gone after %ld events", s.come);
		r = nghttp2_session_mem_recv(s.session, buf, (size_t)got);
		if (r < 0)
			die("read from the daemon: %s", nghttp2_strerror((int)r));
		flush(&s);
		shared->is_subscribed = 1;
	}
	shared->last_come = clock_ns(CLOCK_MONOTONIC);
}

/* ---- both -------------------------------------------------------------------------- */

static pid_t begin(void (*run)(const char *address, long n, struct shared *shared), const char *address, long n,
		   struct shared *shared)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	alarm(DEADLINE);
	run(address, n, shared);
	_exit(0);
}

static void end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		die("it has failed");
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *address = NULL;
	pid_t subscriber, sender;
	long n = 10000;
	int c;

	while ((c = getopt(argc, argv, "a:n:")) != -1)
		if (c == 'a')
			address = optarg;
		else
			n = c == 'n' ? atol(optarg) : 0;
	if (!address || n <= 0 || shared == MAP_FAILED) {
		fputs("usage: daemon_events -a ADDRESS [-n EVENTS]\n", stderr);
		return 1;
	}
	subscriber = begin(run_subscriber, address, n, shared);
	for (int i = 0; i < 5000 && !shared->is_subscribed; i++)
		idle(1);
	idle(200); /* settings have come; the call is taken soon after */
	sender = begin(run_sender, address, n, shared);
	end(sender);
	end(subscriber);
	printf("%.0f\n", (double)n * 1e9 / (double)(shared->last_come - shared->first_sent));
	return 0;
}
