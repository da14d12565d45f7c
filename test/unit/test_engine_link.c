/* The engine beside a shim that is played here: it answers what it is told to. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "berth_shim.pb-c.h"
#include "engine.h"
#include "err.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "str.h"
#include "task.pb-c.h"
#include "ttrpc_server.h"

static char dir[] = "/tmp/berth-link-XXXXXX";
static struct arena arena;
static struct loop loop = LOOP_INIT;
static struct ttrpc_server shim;
static struct engine *engine;
static unsigned n_created, n_deleted, n_shut; /* requests */
static unsigned n_polls; /* for events */
static uint64_t last_event; /* 0: there are none */
static uint64_t asked_after;
static unsigned n_after_hello; /* of those, from what Hello has said */
static bool creates; /* else requests to create are never answered */
static bool deletes; /* else it refuses to, for the moment */
static bool says_nothing; /* about events, at once */
static bool refuses_events; /* and the loop ends when it is asked a second time */
static bool no_fds; /* are left from its greeting on, until it is told to end */
static Containerd__Types__Status status;
static unsigned n_holds;
static bool knows_hold; /* one of an earlier version does not */
static uint32_t plays; /* the version of its private service */
static uint32_t asked; /* the version that we say we speak */

static void never(struct ttrpc_call *c)
{
}

static void allow_fds(rlim_t n)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

/* As a shim does that knows of no other way to ask. */
static void answer_from_the_first(struct ttrpc_call *c)
{
	Berth__Shim__V1__EventsResponse m = BERTH__SHIM__V1__EVENTS_RESPONSE__INIT;
	Containerd__Events__Envelope envelope = CONTAINERD__EVENTS__ENVELOPE__INIT;
	Berth__Shim__V1__Event event[8], *list[8];
	Berth__Shim__V1__EventsRequest *q =
		berth__shim__v1__events_request__unpack(NULL, c->req->payload.len, c->req->payload.data);

	assert_non_null(q);
	n_polls++;
	asked_after = q->after;
	n_after_hello += q->after_hello;
	berth__shim__v1__events_request__free_unpacked(q, NULL);
	assert_in_range(last_event, 1, 8);
	for (; m.n_events < last_event - asked_after; m.n_events++) {
		list[m.n_events] = &event[m.n_events];
		berth__shim__v1__event__init(list[m.n_events]);
		event[m.n_events].number = asked_after + m.n_events + 1;
		event[m.n_events].envelope = &envelope;
	}
	m.events = list;
	if (m.n_events)
		ttrpc_reply(c, &m.base);
	else
		c->gone = never;
}

static void on_request(struct ttrpc_call *c)
{
	Berth__Shim__V1__HelloResponse hello = BERTH__SHIM__V1__HELLO_RESPONSE__INIT;
	Containerd__Task__V2__StateResponse st = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
	Containerd__Task__V2__CreateTaskResponse made = CONTAINERD__TASK__V2__CREATE_TASK_RESPONSE__INIT;
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	Berth__Shim__V1__EventsResponse events = BERTH__SHIM__V1__EVENTS_RESPONSE__INIT;
	Containerd__Task__V2__DeleteResponse gone = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	struct err e;

	if (!strcmp(c->req->method, "Hello")) {
		Berth__Shim__V1__HelloRequest *m =
			berth__shim__v1__hello_request__unpack(NULL, c->req->payload.len, c->req->payload.data);

		assert_non_null(m);
		asked = m->version;
		berth__shim__v1__hello_request__free_unpacked(m, NULL);
		hello.version = plays;
		hello.pid = (uint32_t)getpid();
		hello.instance = (char *)"boot-1-1";
		hello.last_event = last_event;
		if (no_fds)
			allow_fds(0);
		ttrpc_reply(c, &hello.base);
	} else if (!strcmp(c->req->method, "State")) {
		st.id = (char *)"c1";
		st.status = status;
		ttrpc_reply(c, &st.base);
	} else if (!strcmp(c->req->method, "Hold")) {
		n_holds++;
		if (knows_hold) {
			ttrpc_reply(c, &empty.base);
			return;
		}
		err_set(&e, ERR_UNSUPPORTED, 0, "method berth.shim.v1.Shim/Hold");
		ttrpc_fail(c, &e);
	} else if (!strcmp(c->req->method, "Create")) {
		n_created++;
		if (creates) {
			ttrpc_reply(c, &made.base);
			return;
		}
		c->gone = never;
		loop_stop(&loop, 0);
	} else if (!strcmp(c->req->method, "Delete")) {
		n_deleted++;
		if (deletes) {
			ttrpc_reply(c, &gone.base);
			return;
		}
		err_set(&e, ERR_STATE, 0, "another operation is at work");
		ttrpc_fail(c, &e);
		loop_stop(&loop, 0);
	} else if (!strcmp(c->req->method, "Shutdown")) {
		n_shut++;
		if (no_fds)
			allow_fds(1024);
		err_set(&e, ERR_INTERNAL, 0, "it cannot end");
		ttrpc_fail(c, &e);
	} else if (!strcmp(c->req->method, "Events") && refuses_events) {
		err_set(&e, ERR_INTERNAL, 0, "not now");
		ttrpc_fail(c, &e);
		if (++n_polls == 2)
			loop_stop(&loop, 0);
	} else if (!strcmp(c->req->method, "Events") && says_nothing) {
		n_polls++;
		ttrpc_reply(c, &events.base);
	} else if (!strcmp(c->req->method, "Events") && last_event) {
		answer_from_the_first(c);
	} else {
		c->gone = never;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int setup(void **state)
{
	struct engine_settings s;
	char *program, *socket_path, *text;
	struct err e;
	int fd;

	assert_non_null(mkdtemp(dir));
	program = arena_printf(&arena, "%s/shim", dir);
	socket_path = arena_printf(&arena, "%s/s", dir);
	text = arena_printf(&arena, "#!/bin/sh\necho unix://%s\n", socket_path);
	fd = open(program, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(loop_init(&loop, &e), 0);
	assert_int_equal(ttrpc_server_init(&shim, &loop, listen_at(socket_path), on_request, NULL, &e), 0);
	setenv("BERTH_STATE", arena_printf(&arena, "%s/state", dir), 1);
	setenv("BERTH_SHIM", program, 1);
	assert_int_equal(mkdir(getenv("BERTH_STATE"), 0700), 0);
	assert_int_equal(engine_settings_read(&arena, &s, &e), 0);
	assert_int_equal(engine_new(&engine, &loop, &s, NULL, &e), 0);
	n_created = n_deleted = n_shut = n_polls = 0;
	creates = deletes = says_nothing = refuses_events = no_fds = false;
	last_event = asked_after = n_after_hello = 0;
	status = CONTAINERD__TYPES__STATUS__RUNNING;
	asked = n_holds = 0;
	knows_hold = true;
	plays = 1;
	return 0;
}

static int teardown(void **state)
{
	if (engine)
		engine_free(engine);
	engine = NULL;
	ttrpc_server_done(&shim);
	loop_done(&loop);
	unsetenv("BERTH_STATE");
	unsetenv("BERTH_SHIM");
	arena_done(&arena);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

struct ended {
	struct engine_op op;
	int n, result;
	struct err why;
};

static void on_ended(struct engine_op *op, int r, const struct err *e)
{
	struct ended *x = (struct ended *)op;

	x->n++;
	x->result = r;
	if (r < 0)
		x->why = *e;
	if (engine)
		loop_stop(&loop, 0);
}

/* Somebody has opened the task while it was made: the connection is theirs, too. */
static void the_engine_goes_while_a_create_shares_its_connection(void **state)
{
	struct ended made = { .op.done = on_ended }, opened = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct engine *en = engine;
	struct err e;

	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_created, 1);
	assert_int_equal(engine_open(engine, &opened.op, NULL, "c1", &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(opened.n, 1);
	assert_int_equal(opened.result, 0);
	assert_int_equal(made.n, 0);
	engine = NULL;
	engine_free(en);
	assert_int_equal(made.n, 1);
	assert_int_equal(made.result, -ECANCELED);
}

static void a_shim_of_a_later_version_is_served_in_ours(void **state)
{
	struct ended made = { .op.done = on_ended }, opened = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct engine *en;
	struct err e;

	plays = 7;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(engine_open(engine, &opened.op, NULL, "c1", &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(opened.result, 0);
	assert_int_equal(opened.op.task->now.status, ENGINE_RUNNING);
	en = engine;
	engine = NULL;
	engine_free(en);
	assert_int_equal(made.result, -ECANCELED);
}

/* What it has no method for is done without: its tasks stay until they are deleted. */
static void a_shim_of_an_earlier_version_is_served_in_its_own(void **state)
{
	struct ended made = { .op.done = on_ended }, opened = { .op.done = on_ended },
		     deleted = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2, .lifetime = ENGINE_KEEP };
	struct err e;

	knows_hold = false;
	creates = deletes = true;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	assert_in_range(n_holds, 1, 2);
	assert_int_equal(engine_open(engine, &opened.op, NULL, "c1", &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(opened.result, 0);
	assert_int_equal(opened.op.task->now.status, ENGINE_CREATED);
	status = CONTAINERD__TYPES__STATUS__STOPPED;
	assert_int_equal(engine_delete(opened.op.task, &deleted.op, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_deleted, 1);
	assert_int_equal(deleted.result, 0);
}

/* A shim that is no script writes where it can be found. */
static void write_address(const struct engine_task *t)
{
	const char *path = arena_printf(&arena, "%s/address", t->bundle);
	const char *text = arena_printf(&arena, "unix://%s/s", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void listen_again(void)
{
	struct err e;
	int fd = listen_at(arena_printf(&arena, "%s/s", dir));

	assert_int_equal(ttrpc_server_init(&shim, &loop, fd, on_request, NULL, &e), 0);
}

static void start_again(void)
{
	struct engine_settings s;
	struct err e;

	engine_free(engine);
	assert_int_equal(engine_settings_read(&arena, &s, &e), 0);
	assert_int_equal(engine_new(&engine, &loop, &s, NULL, &e), 0);
}

static int on_time(struct source *s, uint32_t events)
{
	return loop_stop(&loop, 0), 0;
}

static void run_for(uint32_t ms)
{
	struct source timer = { 0 };

	assert_int_equal(source_timer(&timer, &loop, ms, on_time), 0);
	assert_int_equal(loop_run(&loop), 0);
}

/* Events are asked for together with the greeting. What an older shim then tells of
 * the time before it is nobody's, and it is asked again at once. */
static void an_earlier_shim_tells_old_events_to_who_has_just_come(void **state)
{
	struct ended made = { .op.done = on_ended }, opened = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2, .lifetime = ENGINE_KEEP };
	struct err e;

	creates = true;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	write_address(engine_find(engine, "default", "c1"));
	run_for(5); /* its question for events has been read */
	start_again();
	last_event = 7;
	assert_int_equal(engine_open(engine, &opened.op, NULL, "c1", &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(opened.result, 0);
	run_for(500);
	assert_int_equal(n_polls, 2);
	assert_int_equal(asked_after, 7);
	assert_int_equal(n_after_hello, 1);

	/* Over another connection to the same shim it is from what was told. */
	ttrpc_server_done(&shim);
	unlink(arena_printf(&arena, "%s/s", dir));
	listen_again();
	last_event = 8;
	run_for(1500);
	assert_int_equal(asked_after, 8);
	assert_in_range(n_polls, 3, 4);
	assert_int_equal(n_after_hello, 1);
}

/* It is to be asked again in a moment, when nobody is there to be asked any more. */
static void a_shim_goes_after_it_has_refused_a_delete(void **state)
{
	struct ended made = { .op.done = on_ended }, deleted = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct engine *en = engine;
	struct err e;

	creates = true;
	status = CONTAINERD__TYPES__STATUS__STOPPED;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	assert_int_equal(engine_delete(engine_find(engine, "default", "c1"), &deleted.op, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_deleted, 1);
	run_for(5); /* the answer is there */
	assert_int_equal(deleted.n, 0);
	ttrpc_server_done(&shim);
	run_for(100);
	assert_int_equal(deleted.n, 0); /* its process is there */
	engine = NULL;
	engine_free(en);
	assert_int_equal(deleted.n, 1);
	assert_int_equal(deleted.result, -ECANCELED);
}

static char words[1024];

static void on_words(enum log_level level, const char *line)
{
	snprintf(words, sizeof words, "%s", line);
}

/* The task is deleted; that its shim stays is no reason for anybody to wait. */
static void a_shim_that_does_not_end_holds_up_no_delete(void **state)
{
	struct ended made = { .op.done = on_ended }, deleted = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct err e;

	creates = deletes = true;
	status = CONTAINERD__TYPES__STATUS__STOPPED;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	assert_int_equal(access(arena_printf(&arena, "%s/state/default/c1", dir), F_OK), 0);
	assert_int_equal(engine_delete(engine_find(engine, "default", "c1"), &deleted.op, &e), 0);
	log_hook(on_words);
	assert_int_equal(loop_run(&loop), 0);
	log_hook(NULL);
	assert_non_null(strstr(words, "failed to stop monitoring"));
	assert_non_null(strstr(words, "id=c1 namespace=default"));
	assert_non_null(strstr(words, "it cannot end"));
	assert_int_equal(n_shut, 1);
	assert_int_equal(deleted.n, 1);
	assert_int_equal(deleted.result, 0);
	assert_int_equal(access(arena_printf(&arena, "%s/state/default/c1", dir), F_OK), -1);
	assert_null(engine_find(engine, "default", "c1"));
}

/* Without a pidfd nobody would notice that the shim is dead. */
static void a_task_whose_shim_cannot_be_watched_is_undone(void **state)
{
	struct ended made = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct err e;

	creates = no_fds = true;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_created, 1);
	assert_int_equal(made.n, 1);
	assert_int_equal(made.result, -ESRCH);
	assert_int_equal(made.why.kind, ERR_LOST);
	assert_non_null(strstr(made.why.msg, "watch the shim"));
	assert_int_equal(n_shut, 1);
	assert_int_equal(access(arena_printf(&arena, "%s/state/default/c1", dir), F_OK), -1);
	assert_null(engine_find(engine, "default", "c1"));
	assert_false(engine_makes(engine, "default", "c1"));
	no_fds = false; /* and the id is free */
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
}

/* It is asked again, but not all the time. */
static void a_shim_that_has_no_events_to_tell(void **state)
{
	struct ended made = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct err e;

	creates = says_nothing = true;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	run_for(100);
	assert_in_range(n_polls, 1, 3);
}

/* The task is there, and its shim's end would be noticed: it is not undone, but asked again. */
static void a_shim_that_does_not_tell_its_events_now(void **state)
{
	struct ended made = { .op.done = on_ended };
	const struct engine_create w = { .id = "c1", .config = "{}", .config_len = 2 };
	struct err e;

	creates = refuses_events = true;
	assert_int_equal(engine_create(engine, &made.op, &w, &e), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(made.result, 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_polls, 2);
	assert_int_equal(n_shut, 0);
	assert_non_null(engine_find(engine, "default", "c1"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_engine_goes_while_a_create_shares_its_connection),
		TEST(a_shim_of_a_later_version_is_served_in_ours),
		TEST(a_shim_of_an_earlier_version_is_served_in_its_own),
		TEST(an_earlier_shim_tells_old_events_to_who_has_just_come),
		TEST(a_shim_goes_after_it_has_refused_a_delete),
		TEST(a_shim_that_does_not_end_holds_up_no_delete),
		TEST(a_task_whose_shim_cannot_be_watched_is_undone),
		TEST(a_shim_that_has_no_events_to_tell),
		TEST(a_shim_that_does_not_tell_its_events_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
