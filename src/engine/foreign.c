/*
 * A shim that is not ours: any program that speaks containerd's protocol. Our private
 * service, which says who it is, numbers its events and keeps them, it has not: it is
 * greeted with Connect, forwards its events to who started it, and its task's end is
 * asked for besides (Wait). So that each event of the first process is told once, and
 * none is missed that was forwarded while nobody listened, these four have numbers
 * here, in the order of a life.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_parts.h"
#include "events.pb-c.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "str.h"
#include "sys.h"

enum { CREATED = 1, STARTED, EXITED, DELETED };
/* An event may be on its way when the shim answers; a shim that cannot say when its task
 * ends is asked again. Of a task that nobody saw end the status is unknown. */
enum { ON_ITS_WAY_MS = 500, AGAIN_MS = 1000, UNKNOWN_STATUS = 255 };

/* ---- its bundle ------------------------------------------------------------- */

int foreign_set(struct task *t, const struct bundle_foreign *from)
{
	struct foreign *f = calloc(1, sizeof *f);

	if (!f)
		return -ENOMEM;
	f->log = -1;
	f->program = strdup(from->program);
	f->address = strdup(from->address);
	f->ttrpc_address = strdup(from->ttrpc_address);
	if (!f->program || !f->address || !f->ttrpc_address) {
		foreign_free(f);
		return -ENOMEM;
	}
	t->foreign = f;
	f->has_pid = from->pid > 0;
	if (f->has_pid)
		t->t.now.pid = (uint32_t)from->pid;
	return 0;
}

int foreign_record_pid(const struct task *t, int bundle, struct err *e)
{
	struct foreign *f = t->foreign;
	const struct bundle_record r = {
		.made = t->made,
		.lifetime = t->lifetime,
		.record = t->t.record,
		.foreign = { f->program, f->address, f->ttrpc_address, (int32_t)t->t.now.pid },
	};

	f->has_pid = true;
	return bundle_record_write(bundle, &r, e);
}

/* The shim has said it to us, and not to who created the task: when it is gone, too,
 * nobody could be asked. Where another is at the bundle the next one does it. */
static void keep_pid(struct task *t)
{
	struct bundle b = BUNDLE_INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	struct bundle_record now;
	struct err e;

	if (t->foreign->has_pid || !t->t.now.pid ||
	    bundle_lock(&b, t->t.engine->settings.state, t->t.namespace, t->t.id) < 0)
		return;
	if (bundle_record_read(&a, t->t.bundle, &now, &e) >= 0 && !strcmp(now.made, t->made)) {
		now.foreign.pid = (int32_t)t->t.now.pid;
		t->foreign->has_pid = true;
		if (bundle_record_write(b.fd, &now, &e) < 0)
			task_log(LOG_LEVEL_WARNING, t, "its pid cannot be recorded", &e);
	}
	bundle_unlock(&b);
}

void foreign_silence(struct foreign *f)
{
	source_remove(&f->log_source);
	fd_closep(&f->log);
}

void foreign_free(struct foreign *f)
{
	foreign_silence(f);
	free(f->program);
	free(f->address);
	free(f->ttrpc_address);
	free(f);
}

/* Somebody has to read its log, or it stops when the FIFO is full. */
static int on_log(struct source *s, uint32_t events)
{
	struct foreign *f = (struct foreign *)((char *)s - offsetof(struct foreign, log_source));
	char buf[4096];
	ssize_t n = sys_read(f->log, buf, sizeof buf);

	if (n > 0 && f->debug)
		(void)fd_write_all(STDERR_FILENO, buf, (size_t)n);
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		foreign_silence(f);
	return 0;
}

/* For writing, too: so it has no end when the shim opens and closes it. */
static int open_log(struct task *t, int dir, const char *path)
{
	struct foreign *f = t->foreign;
	int r;

	if (f->log >= 0)
		return 0;
	f->debug = t->t.engine->settings.shim_debug;
	r = f->log = sys_openat(dir, path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
	if (r >= 0)
		r = source_fd(&f->log_source, t->t.engine->loop, f->log, EPOLLIN, on_log);
	if (r < 0)
		foreign_silence(f);
	return r;
}

int foreign_prepare(struct task *t, int bundle, struct err *e)
{
	int r = sys_mknodat(bundle, "log", S_IFIFO | 0700, 0);

	if (r >= 0)
		r = open_log(t, bundle, "log");
	return r < 0 ? err_sys(e, r, "make the shim's log") : 0;
}

void foreign_hear(struct task *t)
{
	OWN_SB struct sb path = SB_INIT;

	if (!t->t.engine->watch.looks_on)
		return;
	sb_printf(&path, "%s/log", t->t.bundle);
	if (!path.failed)
		(void)open_log(t, AT_FDCWD, path.s);
}

struct foreign_answer {
	int32_t version;
	char *address, *protocol;
};

static const struct json_field answer_fields[] = {
	JSON_FIELD("version", json_dec_i32, struct foreign_answer, version, JSON_REQUIRED),
	JSON_FIELD("address", json_dec_string, struct foreign_answer, address, JSON_REQUIRED),
	JSON_FIELD("protocol", json_dec_string, struct foreign_answer, protocol, JSON_REQUIRED),
	{ 0 },
};

/* What later shims print: {"version":2,"address":"unix:///...","protocol":"ttrpc"} */
static int read_answer(struct arena *a, const struct sb *out, struct foreign_answer *ret, struct err *e)
{
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	int r = json_parse(a, out->s, out->len, "its answer", &doc, e);

	if (r >= 0)
		r = json_decode(&d, doc.root, answer_fields, ret);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return err_wrap(e, r, "start the shim");
	if (ret->version != 2 || strcmp(ret->protocol, "ttrpc") != 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "start the shim: it speaks version %d over %s, not 2 over ttrpc",
			       ret->version, ret->protocol);
	return 0;
}

int foreign_take_address(struct sb *out, int bundle, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct foreign_answer answer;
	int r;

	if (!out->failed && out->len && *out->s == '{') {
		r = read_answer(&a, out, &answer, e);
		if (r < 0)
			return r;
		out->len = 0;
		sb_puts(out, answer.address);
	}
	if (out->failed || !out->len || sys_faccessat(bundle, "address", F_OK) >= 0)
		return 0;
	/* Some leave it to who starts them. */
	return file_replace(bundle, "address", out->s, out->len, 0600, e);
}

/* ---- its events ------------------------------------------------------------- */

/* As the daemon keeps it on record; no process is looked for by this name. */
int foreign_begin(struct task *t)
{
	const struct engine_watch *w = &t->t.engine->watch;
	size_t cap = strlen(t->made ? t->made : "") + sizeof "foreign:";

	if (t->instance)
		return 0;
	t->instance = malloc(cap);
	if (!t->instance)
		return -ENOMEM;
	snprintf(t->instance, cap, "foreign:%s", t->made ? t->made : "");
	for (char *s = t->instance; *s; s++)
		if (*s == '-')
			*s = '.';
	/* That one was created and started is no news to who looks for the first time. */
	t->told = w->told ? w->told(w->ctx, &t->t, t->instance, t->made_here ? 0 : STARTED) : 0;
	return 0;
}

static Google__Protobuf__Timestamp time_of(struct timespec at)
{
	Google__Protobuf__Timestamp m = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	m.seconds = at.tv_sec;
	m.nanos = (int32_t)at.tv_nsec;
	return m;
}

static void tell(struct task *t, uint64_t number, const char *topic, const ProtobufCMessage *m)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	uint8_t *body = arena_alloc(&a, protobuf_c_message_get_packed_size(m) + 1);
	struct engine_event ev = { .topic = topic, .number = number, .type = m->descriptor->name, .body = body };

	if (!body)
		return;
	t->told = number;
	ev.len = protobuf_c_message_pack(m, body);
	clock_gettime(CLOCK_REALTIME, &ev.at);
	event_tell(t, &ev);
}

static void tell_create(struct task *t)
{
	Containerd__Events__TaskCreate m = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;

	io.stdin = (char *)(uintptr_t)t->t.stdio[0];
	io.stdout = (char *)(uintptr_t)t->t.stdio[1];
	io.stderr = (char *)(uintptr_t)t->t.stdio[2];
	io.terminal = t->t.terminal;
	m.container_id = t->t.id;
	m.bundle = t->t.bundle;
	m.io = &io;
	m.pid = t->t.now.pid;
	tell(t, CREATED, "/tasks/create", &m.base);
}

static void tell_start(struct task *t)
{
	Containerd__Events__TaskStart m = CONTAINERD__EVENTS__TASK_START__INIT;

	m.container_id = t->t.id;
	m.pid = t->t.now.pid;
	tell(t, STARTED, "/tasks/start", &m.base);
}

static void tell_exit(struct task *t, uint32_t pid, uint32_t status, struct timespec at)
{
	Containerd__Events__TaskExit m = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp when;

	if (!at.tv_sec)
		clock_gettime(CLOCK_REALTIME, &at);
	when = time_of(at);
	m.container_id = m.id = t->t.id;
	m.pid = pid;
	m.exit_status = status;
	m.exited_at = &when;
	tell(t, EXITED, "/tasks/exit", &m.base);
}

void foreign_tell_end(struct task *t, const Containerd__Task__V2__DeleteResponse *end)
{
	Containerd__Events__TaskDelete m = CONTAINERD__EVENTS__TASK_DELETE__INIT;
	const struct engine_state *now = &t->t.now;
	Google__Protobuf__Timestamp when;

	if (!t->told || t->told >= DELETED) /* nobody has heard of it, or all of it */
		return;
	task_ref(t);
	if (t->told < EXITED && now->status == ENGINE_STOPPED)
		tell_exit(t, now->pid, now->exit_status, now->exited_at);
	else if (t->told < EXITED)
		/* A Go shim's `delete` says -1 where the pid file is not to be read. */
		tell_exit(t, end && (int32_t)end->pid > 0 ? end->pid : now->pid,
			  end ? end->exit_status : UNKNOWN_STATUS,
			  timespec_of(end ? end->exited_at : NULL));
	when = time_of(now->exited_at); /* as it is known now in any case */
	m.container_id = t->t.id;
	m.pid = now->pid;
	m.exit_status = now->exit_status;
	m.exited_at = &when;
	tell(t, DELETED, "/tasks/delete", &m.base);
	task_unref(t);
}

void foreign_tell_left(struct task *t, const Containerd__Task__V2__DeleteResponse *end, bool lost)
{
	const struct engine_watch *w = &t->t.engine->watch;

	if (!w->told || t->t.watched || foreign_begin(t) < 0)
		return;
	foreign_tell_end(t, end);
	if (w->gone)
		w->gone(w->ctx, &t->t, lost);
}

/* What has happened while it could not be heard. */
static void catch_up(struct task *t)
{
	enum engine_status status = t->t.now.status;
	bool runs = status == ENGINE_RUNNING || status == ENGINE_PAUSED, stopped = status == ENGINE_STOPPED;

	if (status == ENGINE_UNKNOWN || status == ENGINE_GONE)
		return;
	if (!t->t.engine->watch.told && !t->foreign->is_told_of)
		t->told = stopped ? EXITED : runs ? STARTED : CREATED; /* to who wants to hear what is to come */
	t->foreign->is_told_of = true;
	if (t->told < CREATED)
		tell_create(t);
	if (t->told < STARTED && runs)
		tell_start(t);
	if (t->told < EXITED && stopped)
		tell_exit(t, t->t.now.pid, t->t.now.exit_status, t->t.now.exited_at);
}

/* ---- those that it forwards -------------------------------------------------- */

static uint64_t number_of_exit(const struct engine_event *ev)
{
	Containerd__Events__TaskExit *m = containerd__events__task_exit__unpack(NULL, ev->len, ev->body);
	bool of_first = m && !strcmp(m->id, m->container_id);

	if (m)
		containerd__events__task_exit__free_unpacked(m, NULL);
	return of_first ? EXITED : 0;
}

/* One of an exec has its id; one that came before the exit says all of it. */
static uint64_t number_of_delete(struct task *t, const struct engine_event *ev)
{
	Containerd__Events__TaskDelete *m = containerd__events__task_delete__unpack(NULL, ev->len, ev->body);
	bool of_first = m && !*m->id;

	if (of_first && t->told < EXITED)
		tell_exit(t, m->pid, m->exit_status, timespec_of(m->exited_at));
	if (m)
		containerd__events__task_delete__free_unpacked(m, NULL);
	return of_first ? DELETED : 0;
}

static uint64_t number_of(struct task *t, const struct engine_event *ev)
{
	if (!strcmp(ev->topic, "/tasks/create"))
		return CREATED;
	if (!strcmp(ev->topic, "/tasks/start"))
		return STARTED;
	if (!strcmp(ev->topic, "/tasks/exit"))
		return number_of_exit(ev);
	return !strcmp(ev->topic, "/tasks/delete") ? number_of_delete(t, ev) : 0;
}

bool engine_forwarded(struct engine *en, const struct engine_event *given)
{
	struct task *t = task_known(en, given->namespace, given->id);
	struct engine_event ev = *given;
	uint64_t number;

	if (!t || !t->foreign || (!t->t.watched && !t->made_here) || foreign_begin(t) < 0)
		return false;
	task_ref(t);
	number = number_of(t, &ev);
	if (!number || number > t->told) {
		t->told = number ? number : t->told;
		ev.number = t->told;
		event_tell(t, &ev);
	}
	if (t->deleted && !t->deletion && t->link && t->watches)
		link_leave_soon(t->link);
	task_unref(t);
	return true;
}

/* ---- its task's end, as it says it itself -------------------------------------- */

static void on_waited(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;
	Containerd__Task__V2__WaitResponse *m;

	l->polling = false;
	if (!l->task || (r < 0 && (e->kind == ERR_LOST || e->kind == ERR_NOT_FOUND)))
		return;
	m = r < 0 ? NULL : containerd__task__v2__wait_response__unpack(NULL, a->len, a->payload);
	if (m && l->task->told < EXITED)
		task_set_stopped(l->task, l->task->t.now.pid, m->exit_status, m->exited_at);
	if (!l->again.loop)
		link_poll_later(l, m ? ON_ITS_WAY_MS : AGAIN_MS);
	if (m)
		containerd__task__v2__wait_response__free_unpacked(m, NULL);
}

void foreign_watch(struct task *t)
{
	Containerd__Task__V2__WaitRequest m = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
	struct err e;

	task_ref(t);
	keep_pid(t);
	if (!t->foreign->is_told_of || t->t.now.status == ENGINE_STOPPED)
		catch_up(t);
	m.id = t->t.id;
	if (t->link && t->watches && t->told < EXITED &&
	    link_call(t, "Wait", &m.base, 0, on_waited, t->link, &e) >= 0)
		t->link->polling = true;
	task_unref(t);
}

/* ---- what ours would say of it ------------------------------------------------- */

static const char *const state_names[ENGINE_GONE + 1] = {
	[ENGINE_CREATED] = "created",
	[ENGINE_RUNNING] = "running",
	[ENGINE_PAUSED] = "paused",
	[ENGINE_STOPPED] = "stopped",
};

static uint8_t *pack_properties(const struct task *t, const struct engine_state *now, size_t *ret_len)
{
	Berth__Shim__V1__PropertiesResponse m = BERTH__SHIM__V1__PROPERTIES_RESPONSE__INIT;
	Berth__Shim__V1__ProcessProperties first = BERTH__SHIM__V1__PROCESS_PROPERTIES__INIT, *list = &first;
	Google__Protobuf__Timestamp exited = time_of(now->exited_at);
	uint8_t *packed;

	first.pid = now->pid;
	first.state = (char *)(uintptr_t)state_names[now->status];
	first.exit_status = now->exit_status;
	first.exited_at = now->status == ENGINE_STOPPED ? &exited : NULL;
	m.bundle = t->t.bundle;
	m.runtime = t->foreign->program;
	m.lifetime = BERTH__SHIM__V1__LIFETIME__KEEP;
	m.paused = now->status == ENGINE_PAUSED;
	m.processes = &list;
	m.n_processes = 1;
	packed = malloc(protobuf_c_message_get_packed_size(&m.base) + 1);
	if (packed)
		*ret_len = protobuf_c_message_pack(&m.base, packed);
	return packed;
}

uint8_t *foreign_properties(const struct task *t, const uint8_t *state, size_t len, size_t *ret_len)
{
	Containerd__Task__V2__StateResponse *m = containerd__task__v2__state_response__unpack(NULL, len, state);
	struct engine_state now = { 0 };

	if (!m)
		return NULL;
	now.status = task_status_of(m);
	now.pid = m->pid;
	now.exit_status = m->exit_status;
	now.exited_at = timespec_of(m->exited_at);
	containerd__task__v2__state_response__free_unpacked(m, NULL);
	return state_names[now.status] ? pack_properties(t, &now, ret_len) : NULL;
}
