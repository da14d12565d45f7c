/*
 * A shim under a client that does whatever it likes: the input is a list of
 * steps, each a call of the task service, the end of an operation (well, badly,
 * or by its death), or the end of a process. Nothing is forked: helper_start()
 * of src/shim/helper.c is replaced here by one whose operations end when a step
 * says so, and a process is a pipe that closes; some wait on a connection to be
 * let go, or leave no more behind than an empty directory. What must hold whatever comes:
 * every call has one answer, events are in order, nothing is left open.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "err.h"
#include "events.pb-c.h"
#include "fd.h"
#include "file.h"
#include "handshake.h"
#include "helper.h"
#include "hold.h"
#include "job.h"
#include "log.h"
#include "service.h"
#include "str.h"
#include "task.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

enum { OPERATIONS = 64, PROCESSES = 64, CALLS = 2048, STEPS = 1000 };
enum { TASKS = 2, EXECS = 3 };
enum { NO_PID = 1 << 23 }; /* above any that there is */

static const char *const ids[TASKS] = { "a", "b" };
static const char *const exec_ids[EXECS] = { "", "x", "y" };

static struct operation {
	struct helper *h;
	const struct job *job; /* the helper is its first member */
	int (*work)(struct helper_result *ret, void *arg, struct err *e);
	void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e);
} operations[OPERATIONS];

static struct {
	int lives; /* our end of the pipe; -1: it has ended */
	int start; /* of the connection on which it waits; closed when it executes */
	char task; /* its id */
	pid_t pid;
} processes[PROCESSES];

static struct {
	bool may_wait; /* for an end that never comes */
	unsigned answers;
} calls[CALLS];

static struct shim shim;
static struct loop loop;
static struct reaper reaper;
static struct ttrpc_conn *conn;
static int client = -1;
static unsigned n_operations, n_calls;
static size_t n_processes;
static char dir[] = "/tmp/berth-fuzz-shim-XXXXXX", bundle[sizeof dir + 8];

/* ---- instead of helpers --------------------------------------------------- */

int helper_start(struct helper *h, struct loop *l, const struct helper_job *job,
		 void (*done)(struct helper *h, int r, struct helper_result *ret, const struct err *e), void *ctx,
		 struct err *e)
{
	*h = (struct helper){ .socket = -1, .pidfd = -1, .done = done, .ctx = ctx };
	if (n_operations == OPERATIONS)
		return err_set(e, ERR_INTERNAL, -EAGAIN, "no more");
	operations[n_operations++] = (struct operation){ h, (struct job *)h, job->work, done };
	return 0;
}

void helper_spare_begin(struct helper_spare *s, helper_told *work, void (*warm)(const void *ctx), const void *ctx)
{
}

void helper_spare_end(struct helper_spare *s)
{
}

void helper_hurry(struct helper *h, uint32_t ms) /* steps end them, not time */
{
}

void helper_end(struct helper *h) /* nothing is dropped */
{
}

static void end_process(size_t i)
{
	fd_closep(&processes[i].start);
	fd_closep(&processes[i].lives);
}

/* It executes its program, or says why not; if it was not let go, it just ends. */
static void go_on(size_t i, bool well)
{
	const struct hs_msg failed = { .phase = HS_FAILED, .stage = STAGE_IDS, .sys = EPERM };
	struct hs_msg m;
	bool let_go = recv(processes[i].start, &m, sizeof m, MSG_DONTWAIT) == sizeof m;

	if (!let_go)
		end_process(i);
	else if (!well)
		CHECK(send(processes[i].start, &failed, sizeof failed, 0) == sizeof failed);
	fd_closep(&processes[i].start);
}

/* What container_remove_plain() finds. */
static bool make_state(const struct job *j)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", j->order.runtime->root, j->order.id);
	CHECK(mkdir(j->order.runtime->root, 0700) == 0 || errno == EEXIST);
	CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
	strcat(path, "/lock");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	return true;
}

static int new_process(struct helper_result *ret, const struct job *j)
{
	int pair[2];

	if (n_processes == PROCESSES)
		return -EAGAIN;
	CHECK(pipe2(pair, O_CLOEXEC) == 0);
	ret->pidfd = pair[0];
	ret->pid = NO_PID + (pid_t)n_processes;
	ret->shared_pids = n_processes % 2;
	ret->plain = n_processes % 3 && make_state(j);
	processes[n_processes].start = -1;
	processes[n_processes].lives = pair[1];
	if (!j->order.exec_id && n_processes % 4) {
		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
		ret->start = pair[0];
		processes[n_processes].start = pair[1];
	}
	processes[n_processes].task = *j->task->id;
	processes[n_processes++].pid = ret->pid;
	return 0;
}

static void end_all_of(const struct job *j)
{
	for (size_t i = 0; i < n_processes; i++)
		if (processes[i].task == *j->task->id)
			end_process(i);
}

/* What a real one would have done by now. */
static int succeed(const struct operation *o, struct helper_result *ret)
{
	if (o->work == builtin_ops.create || o->work == builtin_ops.exec)
		return new_process(ret, o->job);
	if (o->work == builtin_ops.destroy || o->work == builtin_ops.kill)
		end_all_of(o->job);
	if (o->work == operation_pids || o->work == operation_metrics)
		ret->fd = file_memory("answer");
	return 0;
}

enum end { WELL, BADLY, DEAD, ENDS };

static void end_operation(size_t i, enum end how)
{
	struct operation o = operations[i];
	struct helper_result ret = HELPER_RESULT;
	struct err e = { 0 };
	int r;

	operations[i] = operations[--n_operations];
	r = how == WELL ? succeed(&o, &ret) : -EIO;
	ret.answered = how != DEAD;
	if (r < 0)
		err_set(&e, how == DEAD ? ERR_TIMEOUT : ERR_INTERNAL, r, "no");
	o.done(o.h, r, &ret, &e);
}

/* ---- the client ----------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

#define TASK_SERVICE "containerd.task.v3.Task"
#define OWN_SERVICE "berth.shim.v1.Shim"

static void send_to(const char *service_name, const char *method, const ProtobufCMessage *m, bool may_wait)
{
	Ttrpc__Request q = TTRPC__REQUEST__INIT;
	uint8_t payload[1024], frame[2048];
	char service[32], name[32];
	size_t len;

	if (n_calls == CALLS)
		return;
	CHECK(protobuf_c_message_get_packed_size(m) <= sizeof payload);
	strcpy(service, service_name);
	strcpy(name, method);
	q.service = service;
	q.method = name;
	q.payload.len = protobuf_c_message_pack(m, payload);
	q.payload.data = payload;
	len = ttrpc__request__pack(&q, frame + TTRPC_HEADER);
	put32(frame, (uint32_t)len);
	put32(frame + 4, 2 * n_calls + 1);
	frame[8] = TTRPC_REQUEST;
	frame[9] = 0;
	calls[n_calls].may_wait = may_wait;
	calls[n_calls++].answers = 0;
	ttrpc_conn_feed(conn, frame, TTRPC_HEADER + len);
}

static void send_call(const char *method, const ProtobufCMessage *m, bool may_wait)
{
	send_to(TASK_SERVICE, method, m, may_wait);
}

static void take_answers(void)
{
	static uint8_t buf[1 << 16];
	static size_t have;
	ssize_t n;

	have = 0;
	while ((n = recv(client, buf + have, sizeof buf - have, MSG_DONTWAIT)) > 0) {
		size_t at = 0;

		have += (size_t)n;
		while (have - at >= TTRPC_HEADER) {
			uint32_t len, stream;

			memcpy(&len, buf + at, sizeof len);
			memcpy(&stream, buf + at + 4, sizeof stream);
			len = be32toh(len);
			stream = be32toh(stream);
			if (have - at < TTRPC_HEADER + len)
				break;
			CHECK(stream % 2 && stream / 2 < n_calls);
			CHECK(++calls[stream / 2].answers == 1);
			at += TTRPC_HEADER + len;
		}
		memmove(buf, buf + at, have - at);
		have -= at;
	}
	CHECK(have == 0);
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void call_create_task(const char *id)
{
	Containerd__Task__V2__CreateTaskRequest m = CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;

	m.id = text(id);
	m.bundle = bundle;
	send_call("Create", &m.base, false);
}

static void call_exec_process(const char *id, const char *exec_id)
{
	Containerd__Task__V2__ExecProcessRequest m = CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.value.data = (uint8_t *)text("{}");
	any.value.len = 2;
	m.id = text(id);
	m.exec_id = text(exec_id);
	m.spec = &any;
	send_call("Exec", &m.base, false);
}

/* Every lifetime, of tasks that are there and of some to be made; two bundles. */
static void call_hold_task(const char *id, uint8_t which)
{
	Berth__Shim__V1__HoldRequest m = BERTH__SHIM__V1__HOLD_REQUEST__INIT;

	m.id = text(id);
	m.lifetime = which % 4;
	m.bundle = text(which & 0x10 ? "" : which & 0x40 ? bundle : "/elsewhere");
	send_to(OWN_SERVICE, "Hold", &m.base, false);
}

static void call_mount(const char *id, uint8_t which)
{
	static const char *const mounts[] = {
		"{\"destination\":\"/a\",\"source\":\"/\",\"type\":\"bind\"}",
		"{\"destination\":\"/a/../b\",\"source\":\"/\",\"options\":[\"rbind\",\"ro\"]}",
		"{\"destination\":\"/a\",\"type\":\"tmpfs\"}",
		"{",
	};
	static const char *const destinations[] = { "/a", "b", "/c", "" };
	Berth__Shim__V1__MountAddRequest add = BERTH__SHIM__V1__MOUNT_ADD_REQUEST__INIT;
	Berth__Shim__V1__MountRemoveRequest remove = BERTH__SHIM__V1__MOUNT_REMOVE_REQUEST__INIT;

	add.id = remove.id = text(id);
	add.mount = text(mounts[which / 2 % 4]);
	remove.destination = text(destinations[which / 2 % 4]);
	send_to(OWN_SERVICE, which & 8 ? "MountAdd" : "MountRemove", which & 8 ? &add.base : &remove.base, false);
}

/* The requests that hold no more than the ids: all begin with them. */
static void call_with_ids(uint8_t which, const char *id, const char *exec_id)
{
	static const struct {
		const char *method;
		bool exec, may_wait, own;
	} known[] = {
		{ "Start", true, false },
		{ "Delete", true, false },
		{ "Kill", true, false },
		{ "State", true, false },
		{ "Wait", true, true },
		{ "Pause", false, false },
		{ "Resume", false, false },
		{ "Pids", false, false },
		{ "Stats", false, false },
		{ "CloseIO", true, false },
		{ "ResizePty", true, false },
		{ "Connect", false, false },
		{ "Checkpoint", false, false },
		{ "Nothing", false, false },
		{ "Release", false, false, true },
		{ "Properties", false, false, true },
	};
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;

	which %= sizeof known / sizeof known[0];
	m.id = text(id);
	m.exec_id = text(known[which].exec ? exec_id : "");
	send_to(known[which].own ? OWN_SERVICE : TASK_SERVICE, known[which].method, &m.base, known[which].may_wait);
}

/* ---- events --------------------------------------------------------------- */

enum stage { ABSENT, CREATED, STARTED, ENDED };

static struct {
	enum stage task, exec[EXECS];
} seen[TASKS];

static int index_of(const char *id, const char *const *of, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(of[i], id))
			return i;
	abort();
}

static void see_exec(int t, const char *topic, const char *exec_id)
{
	enum stage *e = &seen[t].exec[index_of(exec_id, exec_ids, EXECS)];

	/* Nothing of an exec after the end of the first process. */
	CHECK(seen[t].task == CREATED || seen[t].task == STARTED);
	if (!strcmp(topic, "/tasks/exec-added")) {
		*e = CREATED;
	} else if (!strcmp(topic, "/tasks/exec-started")) {
		CHECK(*e == CREATED);
		*e = STARTED;
	} else {
		CHECK(*e == STARTED);
		*e = ENDED;
	}
}

static void see_task(int t, const char *topic)
{
	enum stage *now = &seen[t].task;

	if (!strcmp(topic, "/tasks/create")) {
		CHECK(*now == ABSENT);
		memset(&seen[t], 0, sizeof seen[t]);
		*now = CREATED;
	} else if (!strcmp(topic, "/tasks/start")) {
		CHECK(*now == CREATED);
		*now = STARTED;
	} else if (!strcmp(topic, "/tasks/exit")) {
		CHECK(*now == CREATED || *now == STARTED);
		*now = ENDED;
	} else if (!strcmp(topic, "/tasks/delete")) {
		CHECK(*now == ENDED);
		*now = ABSENT;
	} else {
		CHECK(*now == STARTED || *now == ENDED); /* paused and resumed */
	}
}

/* All of these messages begin with the task's id, and the exec's second. */
static void see(const Containerd__Events__Envelope *envelope)
{
	Containerd__Task__V2__StartRequest *m;
	bool exec = !strcmp(envelope->topic, "/tasks/exec-added") || !strcmp(envelope->topic, "/tasks/exec-started");
	int t;

	if (exec || !strcmp(envelope->topic, "/tasks/exit")) {
		m = containerd__task__v2__start_request__unpack(NULL, envelope->event->value.len,
								envelope->event->value.data);
		CHECK(m);
		t = index_of(m->id, ids, TASKS);
		if (exec || strcmp(m->exec_id, m->id) != 0)
			see_exec(t, envelope->topic, m->exec_id);
		else
			see_task(t, envelope->topic);
		containerd__task__v2__start_request__free_unpacked(m, NULL);
	} else {
		Containerd__Events__TaskPaused *any = containerd__events__task_paused__unpack(
			NULL, envelope->event->value.len, envelope->event->value.data);

		CHECK(any);
		see_task(index_of(any->container_id, ids, TASKS), envelope->topic);
		containerd__events__task_paused__free_unpacked(any, NULL);
	}
}

static void check_events(void)
{
	struct journal_reader rd = { 0 };
	OWN_SB struct sb b = SB_INIT;
	uint64_t before = 0;

	memset(seen, 0, sizeof seen);
	while (journal_next(&shim.events.journal, &rd, &b) > 0) {
		Containerd__Events__Envelope *m =
			containerd__events__envelope__unpack(NULL, b.len, (uint8_t *)b.s);

		CHECK(m && rd.number == before + 1);
		before = rd.number;
		see(m);
		containerd__events__envelope__free_unpacked(m, NULL);
	}
	CHECK(before == shim.events.journal.last);
}

/* ---- steps ---------------------------------------------------------------- */

/* Always ready, so the others have been asked as often. */
static int on_turn(struct source *s, uint32_t events)
{
	static unsigned n;

	if (++n % 4 == 0)
		loop_stop(&loop, 0);
	return 0;
}

/* Everything that is ready now, and what comes of it. */
static void turn(void)
{
	struct source always = { 0 };
	OWN_FD fd = eventfd(1, EFD_CLOEXEC);

	CHECK(source_fd(&always, &loop, fd, EPOLLIN, on_turn) == 0);
	CHECK(loop_run(&loop) == 0);
	source_remove(&always);
	take_answers();
}

/* The client dies, and another comes. */
static void new_client(void)
{
	int pair[2];

	take_answers();
	for (unsigned i = 0; i < n_calls; i++)
		calls[i].may_wait = true; /* for ever, now */
	close(client);
	for (int i = 0; i < 2; i++) /* its end is seen at once, or after more has been done */
		turn();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client = pair[1];
	if (shim.stopping) /* it has closed its end of the old one, and takes no new ones */
		close(pair[0]);
	else
		CHECK(ttrpc_server_add(&shim.server, pair[0], &conn) == 0);
}

static void step(uint8_t what, uint8_t which)
{
	const char *id = ids[which % TASKS], *exec_id = exec_ids[which / TASKS % EXECS];

	switch (what % 8) {
	case 0:
		call_create_task(id);
		break;
	case 1:
		call_exec_process(id, exec_id);
		break;
	case 2:
	case 3:
		if (n_operations)
			end_operation(which / ENDS % n_operations, what % 8 == 2 ? WELL : (enum end)(which % ENDS));
		break;
	case 4:
		if (n_processes && which & 0x80 && processes[which % n_processes].start >= 0)
			go_on(which % n_processes, which & 0x40);
		else if (n_processes)
			end_process(which % n_processes);
		break;
	case 5:
		if (which >= 0xf0)
			new_client();
		else if (which >= 0xe0)
			call_mount(id, which);
		else if (which >= 0x80)
			call_hold_task(id, which);
		else
			turn();
		break;
	default:
		call_with_ids(what / 8, id, exec_id);
		break;
	}
}

static void on_ended(struct shim *s)
{
	loop_stop(s->loop, 0);
}

static void begin(void)
{
	char path[64];
	int pair[2];

	snprintf(path, sizeof path, "%s/events", dir);
	snprintf(bundle, sizeof bundle, "%s/bundle", dir); /* it goes with its holders */
	CHECK(mkdir(bundle, 0700) == 0 || errno == EEXIST);
	n_operations = n_calls = 0;
	n_processes = 0;
	loop = (struct loop)LOOP_INIT;
	shim = (struct shim){ .loop = &loop, .reaper = &reaper, .namespace = "fuzz", .spare = HELPER_SPARE };
	shim.ended = on_ended;
	shim.settings.root = shim.settings.runtime_root = dir;
	CHECK(loop_init(&loop, NULL) == 0);
	CHECK(events_open(&shim.events, &loop, "fuzz", NULL, path, NULL) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client = pair[1];
	CHECK(ttrpc_server_init(&shim.server, &loop, -1, shim_request, &shim, NULL) == 0);
	CHECK(ttrpc_server_add(&shim.server, pair[0], &conn) == 0);
	shim.server.left = holding_left;
	shim.socket = "";
}

/* All operations end, then all processes, until nothing is left to do. */
static void finish(void)
{
	for (int i = 0; i < 8; i++) {
		while (n_operations)
			end_operation(0, WELL);
		for (size_t p = 0; p < n_processes; p++)
			end_process(p);
		turn();
	}
	CHECK(!n_operations && !shim.n_jobs);
	for (unsigned i = 0; i < n_calls; i++)
		CHECK(calls[i].answers == 1 || calls[i].may_wait);
	check_events();
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void remove_dir(void)
{
	file_remove_tree(AT_FDCWD, dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null = -1;
	int fds;

	if (null < 0) { /* whatever is opened once */
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		log_to(null);
		CHECK(mkdtemp(dir));
		atexit(remove_dir);
	}
	fds = count_fds();
	begin();
	for (size_t i = 0; i + 1 < size && i < 2 * STEPS && !shim.stopping; i += 2)
		step(data[i], data[i + 1]);
	finish();
	ttrpc_server_done(&shim.server);
	finish(); /* what was held until now */
	for (const struct holding *h = shim.holdings; h; h = h->next)
		CHECK(!h->holds && (h->again.loop || h->lifetime <= BERTH__SHIM__V1__LIFETIME__KEEP));
	while (shim.tasks)
		task_free(shim.tasks);
	while (shim.holdings)
		holding_free(shim.holdings);
	events_close(&shim.events);
	loop_done(&loop);
	close(client);
	CHECK(count_fds() == fds);
	return 0;
}
