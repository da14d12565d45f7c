/*
 * grpc_tool SOCKET: a gRPC server whose clients are other people's (test/it/grpc.bats).
 * Messages are text, not protobuf:
 *
 *	/test.Test/Echo		what was sent
 *	/test.Test/Namespace	the value of containerd-namespace
 *	/test.Test/Stream	"N SIZE": so many messages of so many bytes
 *	/test.Test/Sleep	"MS": nothing, after so long
 *	/test.Test/Fail		"KIND WORDS": an error, its kind by number
 *	/test.Test/Gone		how many calls have been given up by their clients
 *
 * SIGTERM ends it gracefully, a second one at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "err.h"
#include "grpc_server.h"

static struct loop loop;
static struct grpc_server server;
static struct source signals;
static unsigned n_gone;

static void answer(struct grpc_call *c, const void *body, size_t len)
{
	struct grpc_message *m = grpc_message_packed(body, len);

	if (m)
		grpc_send(c, m);
	grpc_message_unref(m);
	grpc_end(c);
}

/* ---- a stream ------------------------------------------------------------------- */

struct stream {
	unsigned left;
	struct grpc_message *m;
};

static void stream_gone(struct grpc_call *c)
{
	struct stream *s = c->ctx;

	n_gone++;
	grpc_message_unref(s->m);
	free(s);
}

static void stream_more(struct grpc_call *c)
{
	struct stream *s = c->ctx;

	while (s->left) {
		s->left--;
		if (grpc_send(c, s->m) > GRPC_SEND_MARK && s->left)
			return;
	}
	grpc_message_unref(s->m);
	free(s);
	grpc_end(c);
}

static void stream_begin(struct grpc_call *c, const char *text)
{
	struct stream *s = calloc(1, sizeof *s);
	size_t size = 0;
	void *body;

	if (!s || sscanf(text, "%u %zu", &s->left, &size) != 2)
		exit(1);
	body = calloc(1, size + 1);
	s->m = body ? grpc_message_packed(body, size) : NULL;
	free(body);
	if (!s->m)
		exit(1);
	c->ctx = s;
	c->gone = stream_gone;
	c->writable = stream_more;
	stream_more(c);
}

/* ---- a call that takes its time ------------------------------------------------- */

struct sleeper {
	struct source timer;
	struct grpc_call *call;
};

static void sleeper_gone(struct grpc_call *c)
{
	struct sleeper *s = c->ctx;

	n_gone++;
	source_remove(&s->timer);
	free(s);
}

static int sleeper_wakes(struct source *src, uint32_t events)
{
	struct sleeper *s = (struct sleeper *)src;

	answer(s->call, "", 0);
	free(s);
	return 0;
}

static void sleep_begin(struct grpc_call *c, const char *text)
{
	struct sleeper *s = calloc(1, sizeof *s);

	if (!s)
		exit(1);
	s->call = c;
	c->ctx = s;
	c->gone = sleeper_gone;
	source_timer(&s->timer, &loop, (uint32_t)atoi(text), sleeper_wakes);
}

/* ---- the service ---------------------------------------------------------------- */

static void fail(struct grpc_call *c, const char *text)
{
	int kind = 0, n = 0;
	struct err e;

	sscanf(text, "%d %n", &kind, &n);
	err_set(&e, (enum err_kind)kind, 0, "%s", text + n);
	grpc_fail(c, &e);
}

static bool knows(struct grpc_server *s, const char *path)
{
	return !strncmp(path, "/test.Test/", 11);
}

static void on_request(struct grpc_call *c)
{
	const char *method = strrchr(c->path, '/') + 1, *ns = grpc_metadata(c, "containerd-namespace");
	char text[8192];
	struct err e;

	if (!strcmp(method, "Echo"))
		return answer(c, c->body, c->len);
	snprintf(text, sizeof text, "%.*s", (int)(c->len < 8000 ? c->len : 8000), (const char *)c->body);
	if (!strcmp(method, "Namespace"))
		answer(c, ns ? ns : "", ns ? strlen(ns) : 0);
	else if (!strcmp(method, "Stream"))
		stream_begin(c, text);
	else if (!strcmp(method, "Sleep"))
		sleep_begin(c, text);
	else if (!strcmp(method, "Fail"))
		fail(c, text);
	else if (!strcmp(method, "Gone"))
		answer(c, text, (size_t)snprintf(text, sizeof text, "%u", n_gone));
	else
		err_set(&e, ERR_UNSUPPORTED, 0, "method %s", c->path), grpc_fail(c, &e);
}

static void on_stopped(struct grpc_server *s)
{
	loop_stop(&loop, 0);
}

static int on_signal(struct source *s, uint32_t events)
{
	static bool again;
	struct signalfd_siginfo si;

	while (loop_take_signal(s->fd, &si) > 0) {
		if (again)
			loop_stop(&loop, 0);
		grpc_server_stop(&server);
		again = true;
	}
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 4096) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct err e;
	sigset_t mask;

	if (argc != 2)
		return 2;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	if (loop_init(&loop, &e) < 0 || source_fd(&signals, &loop, loop_signalfd(&mask), EPOLLIN, on_signal) < 0 ||
	    grpc_server_init(&server, &loop, listen_at(argv[1]), on_request, NULL, &e) < 0)
		return 1;
	server.knows = knows;
	server.stopped = on_stopped;
	puts("ready");
	fflush(stdout);
	loop_run(&loop);
	grpc_server_done(&server);
	source_remove(&signals);
	loop_done(&loop);
	return 0;
}
