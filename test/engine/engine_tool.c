/*
 * The engine, driven by lines: each line of standard input is a JSON object that
 * says what to do, each line of output one that says what came of it, or what
 * happened. For test/engine/client.py.
 *
 *	{"do":"create","tag":1,"id":"c1","config":"/path/config.json"}
 *	{"tag":1,"result":"ok","us":31000,"task":{"id":"c1","status":"created",...}}
 *	{"event":"/tasks/start","id":"c1","number":2,...}
 *	{"gone":"c1","lost":false}
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "clock.h"
#include "engine.h"
#include "err.h"
#include "events.pb-c.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "runc_options.pb-c.h"
#include "runc_v1.pb-c.h"
#include "str.h"
#include "task.pb-c.h"

struct command {
	char *what, *id, *exec, *namespace, *config, *record, *lifetime, *spec, *binary, *text, *text2;
	char *stdio[3], *mount_type, *mount_source;
	char **mount_options;
	size_t n_mount_options;
	uint64_t tag, number, target;
	uint32_t timeout, signal;
	bool terminal, all;
};

static const struct json_field fields[] = {
	JSON_FIELD("do", json_dec_string, struct command, what, JSON_REQUIRED),
	JSON_FIELD("tag", json_dec_u64, struct command, tag, 0),
	JSON_FIELD("id", json_dec_string, struct command, id, 0),
	JSON_FIELD("exec", json_dec_string, struct command, exec, 0),
	JSON_FIELD("namespace", json_dec_string, struct command, namespace, 0),
	JSON_FIELD("config", json_dec_string, struct command, config, 0),
	JSON_FIELD("record", json_dec_string, struct command, record, 0),
	JSON_FIELD("lifetime", json_dec_string, struct command, lifetime, 0),
	JSON_FIELD("spec", json_dec_string, struct command, spec, 0),
	JSON_FIELD("binary", json_dec_string, struct command, binary, 0),
	JSON_FIELD("text", json_dec_string, struct command, text, 0),
	JSON_FIELD("stdin", json_dec_string, struct command, stdio[0], 0),
	JSON_FIELD("stdout", json_dec_string, struct command, stdio[1], 0),
	JSON_FIELD("stderr", json_dec_string, struct command, stdio[2], 0),
	JSON_FIELD("mount_type", json_dec_string, struct command, mount_type, 0),
	JSON_FIELD("mount_source", json_dec_string, struct command, mount_source, 0),
	JSON_FIELD_LIST("mount_options", json_dec_strings, struct command, mount_options, 0, NULL),
	JSON_FIELD("timeout", json_dec_u32, struct command, timeout, 0),
	JSON_FIELD("signal", json_dec_u32, struct command, signal, 0),
	JSON_FIELD("number", json_dec_u64, struct command, number, 0),
	JSON_FIELD("target", json_dec_u64, struct command, target, 0),
	JSON_FIELD("terminal", json_dec_bool, struct command, terminal, 0),
	JSON_FIELD("all", json_dec_bool, struct command, all, 0),
	{ 0 },
};

struct operation {
	struct engine_op op; /* first */
	struct operation *next;
	uint64_t tag;
	int64_t begun_us;
	char what[24];
};

struct known { /* a task that is open */
	struct known *next;
	struct engine_task *task;
};

static struct loop loop = LOOP_INIT;
static struct engine *engine;
static struct operation *operations;
static struct known *known;
static struct source input;
static struct sb unread;
static bool ended; /* the input */

/* ---- output ----------------------------------------------------------------- */

static void print(struct sb *b)
{
	sb_putc(b, '\n');
	if (b->failed || fd_write_all(STDOUT_FILENO, b->s, b->len) < 0)
		exit(2);
	b->len = 0;
}

static const char *status_name(enum engine_status s)
{
	static const char *const names[] = { "unknown", "created", "running", "paused", "stopped", "gone" };

	return names[s];
}

static double seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_task(struct jw *w, const struct engine_task *t)
{
	jw_begin(w, '{');
	jw_kstr(w, "namespace", t->namespace);
	jw_kstr(w, "id", t->id);
	jw_kstr(w, "bundle", t->bundle);
	jw_kstr(w, "record", t->record);
	jw_kbool(w, "watched", t->watched);
	jw_kstr(w, "status", status_name(t->now.status));
	jw_kuint(w, "pid", t->now.pid);
	jw_kuint(w, "exit_status", t->now.exit_status);
	jw_key(w, "exited_at");
	jw_double(w, seconds(t->now.exited_at));
	jw_end(w);
}

/* The members of a message that tests look at. */
static void print_message(struct jw *w, const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, len, data);

	jw_begin(w, '{');
	for (unsigned i = 0; m && i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const void *v = (const char *)m + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		jw_key(w, f->name);
		switch (f->type) {
		case PROTOBUF_C_TYPE_STRING:
			jw_str(w, *(char *const *)v);
			break;
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_INT64:
			jw_uint(w, *(const uint64_t *)v);
			break;
		case PROTOBUF_C_TYPE_MESSAGE:
			if (f->descriptor == &google__protobuf__timestamp__descriptor && *(void *const *)v) {
				const Google__Protobuf__Timestamp *t = *(void *const *)v;

				jw_double(w, (double)t->seconds + (double)t->nanos / 1e9);
			} else {
				jw_null(w);
			}
			break;
		default:
			jw_uint(w, *(const uint32_t *)v);
		}
	}
	jw_end(w);
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

static void say_error(uint64_t tag, int r, const struct err *e, int64_t us)
{
	OWN_SB struct sb b = SB_INIT;
	char text[1400];
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kuint(&w, "tag", tag);
	jw_kstr(&w, "result", err_kind_name(e->kind));
	jw_kint(&w, "errno", -r);
	jw_kstr(&w, "words", err_text(e, text, sizeof text));
	jw_kint(&w, "us", us);
	jw_end(&w);
	print(&b);
}

/* ---- what happens ------------------------------------------------------------ */

static const ProtobufCMessageDescriptor *type_of_event(const char *name)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&containerd__events__task_create__descriptor,	  &containerd__events__task_start__descriptor,
		&containerd__events__task_exit__descriptor,	  &containerd__events__task_delete__descriptor,
		&containerd__events__task_oom__descriptor,	  &containerd__events__task_paused__descriptor,
		&containerd__events__task_resumed__descriptor,	  &containerd__events__task_exec_added__descriptor,
		&containerd__events__task_exec_started__descriptor,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i]->name, name))
			return types[i];
	return NULL;
}

static void on_event(void *ctx, struct engine_task *t, const struct engine_event *ev)
{
	const ProtobufCMessageDescriptor *d = type_of_event(ev->type);
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "event", ev->topic);
	jw_kstr(&w, "namespace", ev->namespace);
	jw_kstr(&w, "id", ev->id);
	jw_kstr(&w, "instance", ev->instance);
	jw_kuint(&w, "number", ev->number);
	jw_key(&w, "at");
	jw_double(&w, seconds(ev->at));
	jw_kstr(&w, "now", status_name(t->now.status));
	if (d) {
		jw_key(&w, "body");
		print_message(&w, d, ev->body, ev->len);
	}
	jw_end(&w);
	print(&b);
}

static void forget(struct engine_task *t)
{
	for (struct known **at = &known; *at; at = &(*at)->next) {
		struct known *k = *at;

		if (k->task != t)
			continue;
		*at = k->next;
		engine_task_unref(t);
		free(k);
		return;
	}
}

static void on_gone(void *ctx, struct engine_task *t, bool lost)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "gone", t->id);
	jw_kstr(&w, "namespace", t->namespace);
	jw_kbool(&w, "lost", lost);
	jw_kstr(&w, "now", status_name(t->now.status));
	jw_end(&w);
	print(&b);
	forget(t);
}

/* ---- operations -------------------------------------------------------------- */

static void drop(struct operation *o)
{
	struct operation **at = &operations;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
	if (ended && !operations)
		loop_stop(&loop, 0);
}

static void remember(struct engine_task *t)
{
	struct known *k = calloc(1, sizeof *k);

	if (!k)
		exit(2);
	*k = (struct known){ known, engine_task_ref(t) };
	known = k;
}

static const ProtobufCMessageDescriptor *type_of_answer(const char *what)
{
	static const struct {
		const char *what;
		const ProtobufCMessageDescriptor *type;
	} types[] = {
		{ "start", &containerd__task__v2__start_response__descriptor },
		{ "state", &containerd__task__v2__state_response__descriptor },
		{ "wait", &containerd__task__v2__wait_response__descriptor },
		{ "delete", &containerd__task__v2__delete_response__descriptor },
		{ "delete-exec", &containerd__task__v2__delete_response__descriptor },
		{ "hello", &berth__shim__v1__hello_response__descriptor },
		{ "properties", &berth__shim__v1__properties_response__descriptor },
		{ "stdio", &berth__shim__v1__stdio_response__descriptor },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].what, what))
			return types[i].type;
	return NULL;
}

/* What is in a stream that came with an answer. */
static void read_fds(struct jw *w, struct engine_op *op)
{
	jw_kbegin(w, "fds", '[');
	for (int i = 0; i < 3; i++) {
		char buf[256];
		ssize_t n;

		if (op->fds[i] < 0)
			continue;
		n = i ? read(op->fds[i], buf, sizeof buf) : 0;
		jw_strn(w, buf, n > 0 ? (size_t)n : 0);
		close(op->fds[i]);
	}
	jw_end(w);
}

static void on_done(struct engine_op *op, int r, const struct err *e)
{
	struct operation *o = (struct operation *)op;
	const ProtobufCMessageDescriptor *d = type_of_answer(o->what);
	int64_t us = clock_us() - o->begun_us;
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	if (r < 0) {
		say_error(o->tag, r, e, us);
		drop(o);
		return;
	}
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kuint(&w, "tag", o->tag);
	jw_kstr(&w, "result", "ok");
	jw_kint(&w, "us", us);
	if (op->task) {
		jw_key(&w, "task");
		print_task(&w, op->task);
	}
	if (!strcmp(o->what, "list")) {
		jw_kbegin(&w, "tasks", '[');
		for (size_t i = 0; i < op->n_tasks; i++)
			print_task(&w, op->tasks[i]);
		jw_end(&w);
	}
	if (d && op->payload) {
		jw_key(&w, "answer");
		print_message(&w, d, op->payload, op->len);
	}
	if (!strcmp(o->what, "stdio"))
		read_fds(&w, op);
	jw_end(&w);
	print(&b);
	if (!strcmp(o->what, "create") || !strcmp(o->what, "open"))
		remember(op->task);
	drop(o);
}

static struct engine_task *find(const struct command *c, struct err *e)
{
	for (struct known *k = known; k; k = k->next)
		if (c->id && !strcmp(k->task->id, c->id) &&
		    (!c->namespace || !strcmp(k->task->namespace, c->namespace)))
			return k->task;
	err_set(e, ERR_NOT_FOUND, 0, "no task of this name is open");
	return NULL;
}

static int create(struct arena *a, struct engine_op *op, const struct command *c, struct err *e)
{
	static const char *const lifetimes[] = { "keep", "closed", "terminate" };
	Containerd__Runc__V1__Options options = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	struct engine_mount mount = { c->mount_type, c->mount_source, (const char *const *)c->mount_options };
	struct engine_create w = {
		.namespace = c->namespace,
		.id = c->id,
		.record = c->record,
		.stdio = { c->stdio[0], c->stdio[1], c->stdio[2] },
		.terminal = c->terminal,
		.rootfs = &mount,
		.n_rootfs = c->mount_source ? 1 : 0,
	};
	char *text;
	int r = file_read(a, AT_FDCWD, c->config, JSON_MAX_SIZE, &text, &w.config_len, e);

	if (r < 0)
		return r;
	w.config = text;
	for (int i = 0; c->lifetime && i < 3; i++)
		if (!strcmp(lifetimes[i], c->lifetime))
			w.lifetime = (enum engine_lifetime)i;
	if (c->binary) {
		options.binary_name = c->binary;
		w.options = &options.base;
	}
	return engine_create(engine, op, &w, e);
}

static int exec(struct engine_task *t, struct engine_op *op, const struct command *c, struct err *e)
{
	Containerd__Task__V2__ExecProcessRequest m = CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)(uintptr_t) "types.containerd.io/opencontainers/runtime-spec/1/Process";
	any.value.data = (uint8_t *)c->spec;
	any.value.len = strlen(c->spec);
	m.id = t->id;
	m.exec_id = c->exec;
	m.terminal = c->terminal;
	m.stdin = c->stdio[0] ? c->stdio[0] : m.stdin;
	m.stdout = c->stdio[1] ? c->stdio[1] : m.stdout;
	m.stderr = c->stdio[2] ? c->stdio[2] : m.stderr;
	m.spec = &any;
	return engine_call(t, op, "Exec", &m.base, e);
}

static int call_on(struct engine_task *t, struct engine_op *op, const struct command *c, struct err *e)
{
	char *exec_id = c->exec ? c->exec : (char *)(uintptr_t) "";

#define CALL(verb, method, type, init, ...)                  \
	if (!strcmp(c->what, verb)) {                        \
		type m = init;                               \
		m.id = t->id;                                \
		__VA_ARGS__;                                 \
		return engine_call(t, op, method, &m.base, e); \
	}
	CALL("start", "Start", Containerd__Task__V2__StartRequest, CONTAINERD__TASK__V2__START_REQUEST__INIT,
	     m.exec_id = exec_id)
	CALL("state", "State", Containerd__Task__V2__StateRequest, CONTAINERD__TASK__V2__STATE_REQUEST__INIT,
	     m.exec_id = exec_id)
	CALL("wait", "Wait", Containerd__Task__V2__WaitRequest, CONTAINERD__TASK__V2__WAIT_REQUEST__INIT,
	     m.exec_id = exec_id)
	CALL("pause", "Pause", Containerd__Task__V2__PauseRequest, CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT, (void)0)
	CALL("resume", "Resume", Containerd__Task__V2__ResumeRequest, CONTAINERD__TASK__V2__RESUME_REQUEST__INIT,
	     (void)0)
	CALL("delete-exec", "Delete", Containerd__Task__V2__DeleteRequest, CONTAINERD__TASK__V2__DELETE_REQUEST__INIT,
	     m.exec_id = exec_id)
	CALL("kill", "Kill", Containerd__Task__V2__KillRequest, CONTAINERD__TASK__V2__KILL_REQUEST__INIT,
	     m.exec_id = exec_id;
	     m.signal = c->signal ? c->signal : 9; m.all = c->all)
	CALL("stdio", "Stdio", Berth__Shim__V1__StdioRequest, BERTH__SHIM__V1__STDIO_REQUEST__INIT, m.exec_id = exec_id)
	CALL("properties", "Properties", Berth__Shim__V1__PropertiesRequest, BERTH__SHIM__V1__PROPERTIES_REQUEST__INIT,
	     (void)0)
	if (!strcmp(c->what, "hello")) {
		Berth__Shim__V1__HelloRequest m = BERTH__SHIM__V1__HELLO_REQUEST__INIT;

		m.version = 1;
		return engine_call(t, op, "Hello", &m.base, e);
	}
	if (!strcmp(c->what, "exec"))
		return exec(t, op, c, e);
	if (!strcmp(c->what, "delete"))
		return engine_delete(t, op, e);
	return err_set(e, ERR_INVALID, 0, "what is '%s'?", c->what);
}

static int begin(struct arena *a, struct operation *o, const struct command *c, struct err *e)
{
	struct engine_task *t;

	if (!strcmp(c->what, "create"))
		return create(a, &o->op, c, e);
	if (!strcmp(c->what, "open"))
		return engine_open(engine, &o->op, c->namespace, c->id, e);
	if (!strcmp(c->what, "list"))
		return engine_list(engine, &o->op, c->namespace, e);
	t = find(c, e);
	return t ? call_on(t, &o->op, c, e) : -ENOENT;
}

/* ---- what is no operation ----------------------------------------------------- */

static void say_ok(uint64_t tag, const char *key, uint64_t value)
{
	OWN_SB struct sb b = SB_INIT;
	struct jw w;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kuint(&w, "tag", tag);
	jw_kstr(&w, "result", "ok");
	if (key)
		jw_kuint(&w, key, value);
	jw_end(&w);
	print(&b);
}

static uint64_t private_kib(void)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *text, *line;
	uint64_t sum = 0;

	if (file_read(&a, AT_FDCWD, "/proc/self/smaps_rollup", 1 << 20, &text, NULL, NULL) < 0)
		return 0;
	for (line = text; line; line = strchr(line, '\n')) {
		unsigned long kib;

		line += *line == '\n';
		if (sscanf(line, "Private_%*[A-Za-z]: %lu", &kib) == 1)
			sum += kib;
	}
	return sum;
}

static bool at_once(const struct command *c)
{
	struct err e;
	struct engine_task *t;

	if (!strcmp(c->what, "free")) { /* in the midst of what is in progress */
		while (known)
			forget(known->task);
		engine_free(engine);
		engine = NULL;
		say_ok(c->tag, NULL, 0);
		loop_stop(&loop, 0);
	} else if (!strcmp(c->what, "memory")) {
		say_ok(c->tag, "kib", private_kib());
	} else if (!strcmp(c->what, "unwatch")) {
		t = find(c, &e);
		if (t) {
			engine_task_ref(t);
			engine_task_unwatch(t);
			if (!t->watched)
				forget(t);
			engine_task_unref(t);
			say_ok(c->tag, NULL, 0);
		} else {
			say_error(c->tag, -ENOENT, &e, 0);
		}
	} else if (!strcmp(c->what, "cancel")) {
		for (struct operation *o = operations; o; o = o->next)
			if (o->tag == c->target)
				engine_cancel(&o->op);
		say_ok(c->tag, NULL, 0);
	} else if (!strcmp(c->what, "show")) {
		OWN_SB struct sb b = SB_INIT;
		struct jw w;

		t = find(c, &e);
		jw_init(&w, &b, NULL);
		jw_begin(&w, '{');
		jw_kuint(&w, "tag", c->tag);
		jw_kstr(&w, "result", t ? "ok" : "not-found");
		if (t) {
			jw_key(&w, "task");
			print_task(&w, t);
		}
		jw_end(&w);
		print(&b);
	} else {
		return false;
	}
	return true;
}

/* ---- input -------------------------------------------------------------------- */

static void carry_out(char *line)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct command c = { 0 };
	struct json_doc doc;
	struct err e;
	struct json_dec d = { .doc = &doc, .a = &a, .refuse_unknown = true, .e = &e };
	struct operation *o;
	int r = json_parse(&a, line, strlen(line), "command", &doc, &e);

	if (r >= 0)
		r = json_decode(&d, doc.root, fields, &c);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0) {
		say_error(c.tag, r, &e, 0);
		return;
	}
	if (at_once(&c))
		return;
	o = calloc(1, sizeof *o);
	if (!o)
		exit(2);
	o->tag = c.tag;
	o->op.done = on_done;
	o->op.timeout_ms = c.timeout;
	o->begun_us = clock_us();
	snprintf(o->what, sizeof o->what, "%s", c.what);
	o->next = operations;
	operations = o;
	r = begin(&a, o, &c, &e);
	if (r < 0) {
		say_error(c.tag, r, &e, clock_us() - o->begun_us);
		drop(o);
	}
}

static int on_input(struct source *s, uint32_t events)
{
	char buf[4096], *end;
	ssize_t n = read(STDIN_FILENO, buf, sizeof buf);

	if (n <= 0) {
		source_remove(s);
		ended = true;
		if (!operations)
			loop_stop(&loop, 0);
		return 0;
	}
	sb_add(&unread, buf, (size_t)n);
	while (engine && unread.len && (end = memchr(unread.s, '\n', unread.len))) {
		size_t len = (size_t)(end - unread.s) + 1;

		*end = '\0';
		carry_out(unread.s);
		memmove(unread.s, unread.s + len, unread.len - len);
		unread.len -= len;
	}
	return 0;
}

int main(void)
{
	struct engine_watch watch = { on_event, on_gone, NULL };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct engine_settings settings;
	struct err e;
	char text[1400];
	int r = loop_init(&loop, &e);

	if (r >= 0)
		r = engine_settings_read(&a, &settings, &e);
	if (r >= 0)
		r = engine_new(&engine, &loop, &settings, &watch, &e);
	if (r < 0) {
		fprintf(stderr, "engine_tool: %s\n", err_text(&e, text, sizeof text));
		return 1;
	}
	source_fd(&input, &loop, STDIN_FILENO, EPOLLIN, on_input);
	r = loop_run(&loop);
	while (known)
		forget(known->task);
	if (engine)
		engine_free(engine);
	loop_done(&loop);
	sb_done(&unread);
	return r < 0;
}
