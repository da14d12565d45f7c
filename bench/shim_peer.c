/* Driving a shim as containerd does; see shim_peer.h. */
#include "shim_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "events.pb-c.h"
#include "runc_options.pb-c.h"
#include "task.pb-c.h"

#define NAMESPACE "bench"

enum { ANSWER_MS = 30000 };

static char *text_of(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* ---- the receiver of events ------------------------------------------------ */

static void note_event(struct host *h, const Containerd__Events__Envelope *m, uint64_t at)
{
	Containerd__Events__TaskExit *exit;
	char *id = h->event[h->n_events].id;

	if (h->n_events == EVENTS)
		die("more than %d events", EVENTS);
	snprintf(h->event[h->n_events].topic, sizeof h->event[0].topic, "%s", m->topic);
	h->event[h->n_events].at = at;
	*id = '\0';
	if (!strcmp(m->topic, "/tasks/exit")) {
		exit = containerd__events__task_exit__unpack(NULL, m->event->value.len, m->event->value.data);
		if (!exit)
			die("an exit event that cannot be read");
		snprintf(id, sizeof h->event[0].id, "%s", exit->id);
		containerd__events__task_exit__free_unpacked(exit, NULL);
	}
	h->n_events++;
}

static uint64_t find_event(const struct host *h, const char *topic, const char *id)
{
	for (unsigned i = 0; i < h->n_events; i++)
		if (!strcmp(h->event[i].topic, topic) && (!id || !strcmp(h->event[i].id, id)))
			return h->event[i].at;
	return 0;
}

static void on_request(struct ttrpc_call *c)
{
	uint64_t at = clock_ns(CLOCK_MONOTONIC);
	Containerd__Events__ForwardRequest *m =
		containerd__events__forward_request__unpack(NULL, c->req->payload.len, c->req->payload.data);
	Google__Protobuf__Empty answer = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct host *h = c->server->ctx;

	if (!m || strcmp(c->req->method, "Forward") != 0)
		die("%s is no event", c->req->method);
	note_event(h, m->envelope, at);
	containerd__events__forward_request__free_unpacked(m, NULL);
	ttrpc_reply(c, &answer.base);
	if (h->wanted_topic && find_event(h, h->wanted_topic, h->wanted_id))
		loop_stop(&h->loop, 0);
}

void events_forget(struct host *h)
{
	h->n_events = 0;
}

uint64_t events_wait(struct host *h, const char *topic, const char *id)
{
	h->wanted_topic = topic;
	h->wanted_id = id;
	while (!find_event(h, topic, id))
		loop_run(&h->loop);
	h->wanted_topic = NULL;
	return find_event(h, topic, id);
}

void host_open(struct host *h)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct err e;

	snprintf(h->address, sizeof h->address, "%s/sock", h->work);
	snprintf(h->events_address, sizeof h->events_address, "%s.ttrpc", h->address);
	snprintf(h->log, sizeof h->log, "%s/log", h->work);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", h->events_address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 128) < 0)
		die("listen at '%s': %s", sa.sun_path, strerror(errno));
	if (loop_init(&h->loop, &e) < 0 || ttrpc_server_init(&h->receiver, &h->loop, fd, on_request, h, &e) < 0)
		die("listen for events: %s", e.msg);
}

/* ---- bundles --------------------------------------------------------------- */

static char *read_text(const char *path)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0)
		die("read '%s': %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	return text;
}

void bundle_make(struct host *h, const char *from, char id[64], char bundle[MAX_TEXT])
{
	char path[MAX_TEXT + 32], old[MAX_TEXT], *text, *at;
	FILE *f;

	snprintf(id, 64, "b%lu", h->next_id++);
	snprintf(bundle, MAX_TEXT, "%s/b/%s", h->work, id);
	snprintf(path, sizeof path, "%s/bundle/%s/config.json", h->work, from);
	snprintf(old, sizeof old, "\"%s/%s\"", h->cgroup, from);
	text = read_text(path);
	at = strstr(text, old);
	if (!at)
		die("'%s' has no cgroup %s", path, old);
	*at = '\0';
	snprintf(path, sizeof path, "%s/b", h->work);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/config.json", bundle);
	f = mkdir(bundle, 0700) < 0 ? NULL : fopen(path, "we");
	if (!f)
		die("write '%s': %s", path, strerror(errno));
	fprintf(f, "%s\"%s/%s\"%s", text, h->cgroup, id, at + strlen(old));
	fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void bundle_remove(const char *bundle)
{
	nftw(bundle, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- commands -------------------------------------------------------------- */

/* What containerd 1.6 gives a shim beside its own environment. */
static char *const *environment(const struct host *h)
{
	static char path[1024], ttrpc[MAX_TEXT + 32], procs[] = "GOMAXPROCS=2";
	static char *env[] = { path, ttrpc, procs, NULL };

	snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
	snprintf(ttrpc, sizeof ttrpc, "TTRPC_ADDRESS=%s", h->events_address);
	return env;
}

int run(const char *const argv[], const char *log, struct rusage *u)
{
	posix_spawn_file_actions_t files;
	int status, r;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	r = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (r)
		die("start '%s': %s", argv[0], strerror(r));
	if (wait4(pid, &status, 0, u) < 0)
		die("wait for '%s': %s", argv[0], strerror(errno));
	return status;
}

/* ---- the shim's start and end ---------------------------------------------- */

static bool pack_options(const struct peer *p, Google__Protobuf__Any *any, uint8_t buf[MAX_TEXT])
{
	Containerd__Runc__V1__Options o = CONTAINERD__RUNC__V1__OPTIONS__INIT;

	google__protobuf__any__init(any);
	if (!p->binary)
		return false;
	o.binary_name = text_of(p->binary);
	any->type_url = text_of(o.base.descriptor->name);
	any->value.len = containerd__runc__v1__options__pack(&o, buf);
	any->value.data = buf;
	return true;
}

void shim_prepare(struct host *h, const struct peer *p, struct shim *s)
{
	char path[MAX_TEXT + 8];

	*s = (struct shim){ .h = h, .peer = p, .client.conn.fd = -1 };
	bundle_make(h, "full", s->id, s->bundle);
	snprintf(path, sizeof path, "%s/log", s->bundle);
	/* Read and write: it stays open whoever has it open besides. */
	if (mkfifo(path, 0700) < 0 || (s->log = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		die("make '%s': %s", path, strerror(errno));
}

/* The options as a file for stdin: /dev/null where there are none. */
static int options_file(const struct peer *p)
{
	uint8_t value[MAX_TEXT], packed[2 * MAX_TEXT];
	Google__Protobuf__Any any;
	int pair[2];
	size_t n;

	if (!pack_options(p, &any, value))
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	n = google__protobuf__any__pack(&any, packed);
	if (pipe2(pair, O_CLOEXEC) < 0 || write(pair[1], packed, n) != (ssize_t)n)
		die("write the options: %s", strerror(errno));
	close(pair[1]);
	return pair[0];
}

/* What it prints, as one word. */
static void read_address(int fd, char address[MAX_TEXT])
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, address + have, MAX_TEXT - 1 - have)) > 0)
		have += (size_t)n;
	address[have] = '\0';
	address[strcspn(address, "\n")] = '\0';
}

void shim_start(struct shim *s)
{
	const char *argv[] = { s->peer->path, "-namespace", NAMESPACE, "-address", s->h->address, "-publish-binary",
			       "/usr/bin/containerd", "-id", s->id, "start", NULL };
	posix_spawn_file_actions_t files;
	int out[2], in = options_file(s->peer), r, status;
	pid_t pid;

	if (in < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("make a pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, out[1], 1);
	posix_spawn_file_actions_addopen(&files, 2, s->h->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	posix_spawn_file_actions_addchdir_np(&files, s->bundle);
	r = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environment(s->h));
	posix_spawn_file_actions_destroy(&files);
	if (r)
		die("start '%s': %s", argv[0], strerror(r));
	close(in);
	close(out[1]);
	read_address(out[0], s->address);
	close(out[0]);
	if (waitpid(pid, &status, 0) < 0 || status)
		die("%s start: status %d, see '%s'", s->peer->name, status, s->h->log);
}

/* ---- calls ----------------------------------------------------------------- */

struct answer {
	struct loop *loop;
	const ProtobufCMessageDescriptor *type;
	ProtobufCMessage *m;
	int r;
	bool done;
	struct err e;
};

static void on_answer(void *ctx, int r, struct ttrpc_answer *answer, const struct err *e)
{
	struct answer *a = ctx;

	a->done = true;
	a->r = r;
	if (r < 0)
		a->e = *e;
	else
		a->m = protobuf_c_message_unpack(a->type, NULL, answer->len, answer->payload);
	loop_stop(a->loop, 0);
}

/* NULL: refused, and *ret says why; `ret` NULL: that is the end of us. */
static ProtobufCMessage *call(struct shim *s, const char *method, const ProtobufCMessage *m,
			      const ProtobufCMessageDescriptor *type, struct err *ret)
{
	struct answer a = { .loop = &s->h->loop, .type = type };
	struct ttrpc_request q = {
		.service = "containerd.task.v2.Task",
		.method = method,
		.namespace = NAMESPACE,
		.m = m,
		.timeout_ms = ANSWER_MS,
		.done = on_answer,
		.ctx = &a,
	};
	char text[1200];

	a.r = ttrpc_client_call(&s->client, &q, &a.e);
	while (a.r >= 0 && !a.done)
		loop_run(&s->h->loop);
	if (a.r >= 0 && !a.m)
		die("%s: %s: an answer that cannot be read", s->peer->name, method);
	if (a.r < 0 && !ret)
		die("%s: %s: %s", s->peer->name, method, err_text(&a.e, text, sizeof text));
	if (a.r < 0)
		*ret = a.e;
	return a.r < 0 ? NULL : a.m;
}

static void call_empty(struct shim *s, const char *method, const ProtobufCMessage *m)
{
	protobuf_c_message_free_unpacked(call(s, method, m, &google__protobuf__empty__descriptor, NULL), NULL);
}

void shim_connect(struct shim *s)
{
	Containerd__Task__V2__ConnectRequest q = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	Containerd__Task__V2__ConnectResponse *m;
	struct err e;

	q.id = s->id;
	if (ttrpc_client_connect(&s->client, &s->h->loop, s->address, &e) < 0)
		die("connect to '%s': %s", s->address, e.msg);
	m = (void *)call(s, "Connect", &q.base, &containerd__task__v2__connect_response__descriptor, NULL);
	s->pid = (pid_t)m->shim_pid;
	containerd__task__v2__connect_response__free_unpacked(m, NULL);
}

static int on_end(struct source *src, uint32_t events)
{
	(void)events;
	loop_stop(src->loop, 0);
	return 0;
}

/* It does not end before its events are told: they are taken meanwhile. */
static void await_end(const struct shim *s)
{
	int pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	siginfo_t si = { 0 };
	struct source src = { 0 };

	if (pidfd < 0 || source_fd(&src, &s->h->loop, pidfd, EPOLLIN, on_end) < 0)
		die("watch shim %d: %s", (int)s->pid, strerror(errno));
	while (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG) == 0 && !si.si_pid)
		loop_run(&s->h->loop);
	source_remove(&src);
	close(pidfd);
}

void shim_stop(struct shim *s)
{
	Containerd__Task__V2__ShutdownRequest q = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;
	ProtobufCMessage *m;
	struct err e;

	q.id = s->id;
	/* The Go shim may end before it answers. */
	m = call(s, "Shutdown", &q.base, &google__protobuf__empty__descriptor, &e);
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
	ttrpc_client_close(&s->client);
	await_end(s);
	close(s->log);
	bundle_remove(s->bundle);
}

/* ---- the life of a process ------------------------------------------------- */

static char *io_path(const struct stdio *io, int i)
{
	static char none[] = "";

	return io ? text_of(io->path[i]) : none;
}

void shim_create(struct shim *s, const char *id, const char *bundle, const struct stdio *io)
{
	Containerd__Task__V2__CreateTaskRequest q = CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any;
	uint8_t value[MAX_TEXT];

	q.id = text_of(id);
	q.bundle = text_of(bundle);
	q.stdin = io_path(io, 0);
	q.stdout = io_path(io, 1);
	q.stderr = io_path(io, 2);
	if (pack_options(s->peer, &any, value))
		q.options = &any;
	protobuf_c_message_free_unpacked(
		call(s, "Create", &q.base, &containerd__task__v2__create_task_response__descriptor, NULL), NULL);
}

void shim_exec(struct shim *s, const char *id, const char *exec, const struct stdio *io)
{
	static char process[] = "{\"args\":[\"/bin/true\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
				"\"env\":[\"PATH=/bin\"]}";
	static char sleeper[] = "{\"args\":[\"/bin/sleep\",\"3600\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
				"\"env\":[\"PATH=/bin\"]}";
	Containerd__Task__V2__ExecProcessRequest q = CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;

	spec.type_url = text_of("types.containerd.io/opencontainers/runtime-spec/1/Process");
	spec.value.data = (uint8_t *)(io ? sleeper : process);
	spec.value.len = strlen((char *)spec.value.data);
	q.id = text_of(id);
	q.exec_id = text_of(exec);
	q.stdin = io_path(io, 0);
	q.stdout = io_path(io, 1);
	q.stderr = io_path(io, 2);
	q.spec = &spec;
	call_empty(s, "Exec", &q.base);
}

pid_t shim_run(struct shim *s, const char *id, const char *exec)
{
	Containerd__Task__V2__StartRequest q = CONTAINERD__TASK__V2__START_REQUEST__INIT;
	Containerd__Task__V2__StartResponse *m;
	pid_t pid;

	q.id = text_of(id);
	q.exec_id = text_of(exec);
	m = (void *)call(s, "Start", &q.base, &containerd__task__v2__start_response__descriptor, NULL);
	pid = (pid_t)m->pid;
	containerd__task__v2__start_response__free_unpacked(m, NULL);
	return pid;
}

unsigned shim_wait(struct shim *s, const char *id, const char *exec)
{
	Containerd__Task__V2__WaitRequest q = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
	Containerd__Task__V2__WaitResponse *m;
	unsigned status;

	q.id = text_of(id);
	q.exec_id = text_of(exec);
	m = (void *)call(s, "Wait", &q.base, &containerd__task__v2__wait_response__descriptor, NULL);
	status = m->exit_status;
	containerd__task__v2__wait_response__free_unpacked(m, NULL);
	return status;
}

void shim_kill(struct shim *s, const char *id)
{
	Containerd__Task__V2__KillRequest q = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

	q.id = text_of(id);
	q.signal = SIGKILL;
	call_empty(s, "Kill", &q.base);
}

void shim_stats(struct shim *s, const char *id)
{
	Containerd__Task__V2__StatsRequest q = CONTAINERD__TASK__V2__STATS_REQUEST__INIT;

	q.id = text_of(id);
	protobuf_c_message_free_unpacked(
		call(s, "Stats", &q.base, &containerd__task__v2__stats_response__descriptor, NULL), NULL);
}

void shim_delete(struct shim *s, const char *id, const char *exec)
{
	Containerd__Task__V2__DeleteRequest q = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;

	q.id = text_of(id);
	q.exec_id = text_of(exec);
	protobuf_c_message_free_unpacked(
		call(s, "Delete", &q.base, &containerd__task__v2__delete_response__descriptor, NULL), NULL);
}
