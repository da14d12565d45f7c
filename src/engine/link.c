/* A connection to a task's shim: greeting, calls, events. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "engine_parts.h"
#include "fd.h"
#include "log.h"
#include "str.h"
#include "sys.h"

enum { VERSION = 1, AGAIN_MS = 1000 };
/* Within this time after its task's deletion a shim that has no other has ended. */
enum { SHIM_END_MS = 500 };
/* How long events that there are may take to arrive, for who asks for the state. */
enum { ON_THEIR_WAY_MS = 100 };

/* ---- its beginning and end -------------------------------------------------- */

static void link_release(struct loop_owner *o)
{
	struct link *l = (struct link *)((char *)o - offsetof(struct link, client.conn.owner));

	fd_closep(&l->pidfd);
	free(l->why);
	free(l);
}

static void tell_waiters(struct link *l, int r, const struct err *e)
{
	struct waiter *list = l->waiters;

	/* Who waits again while he is told waits for the next answers. */
	l->waiters = NULL;
	for (struct waiter *w = list; w; w = w->next)
		w->list = &list;
	while (list) {
		struct waiter *w = list;

		waiter_leave(w);
		w->ready(w, r, e);
	}
}

/* The task has no connection any more; the last use of the link but for the loop. */
static void detach(struct link *l)
{
	struct task *t = l->task;

	source_remove(&l->process);
	source_remove(&l->again);
	l->task = NULL;
	t->link = NULL;
	task_unref(t);
	loop_owner_drop(&l->client.conn.owner);
}

/* The calls have been told. */
static void on_end(struct ttrpc_client *c)
{
	struct link *l = (struct link *)c;
	struct task *t = l->task;
	OWN_FD pidfd = -1;
	struct err e;

	if (!t)
		return;
	task_ref(t);
	loop_owner_hold(&c->conn.owner);
	pidfd = take_fd(&l->pidfd);
	detach(l);
	if ((t->watches || t->deletion) && !t->ending && !t->t.engine->ending)
		ending_begin(t, take_fd(&pidfd));
	tell_waiters(l, err_set(&e, ERR_LOST, -EPIPE, "task %s: its shim has ended", t->t.id), &e);
	loop_owner_drop(&c->conn.owner);
	task_unref(t);
}

void link_close(struct link *l)
{
	struct err e;

	loop_owner_hold(&l->client.conn.owner);
	detach(l);
	ttrpc_client_close(&l->client);
	if (!l->engine->ending)
		tell_waiters(l, err_set(&e, ERR_LOST, -EPIPE, "the connection is closed"), &e);
	while (l->waiters)
		waiter_leave(l->waiters);
	loop_owner_drop(&l->client.conn.owner);
}

void link_use(struct task *t)
{
	task_ref(t);
	t->users++;
}

void link_unuse(struct task *t)
{
	if (--t->users == 0 && !t->watches && t->link)
		link_close(t->link);
	task_unref(t);
}

static int read_address(struct task *t)
{
	char path[PATH_MAX], text[sizeof((struct sockaddr_un *)0)->sun_path + 8];
	OWN_FD fd = -1;
	ssize_t n;

	if (snprintf(path, sizeof path, "%s/address", t->t.bundle) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
	n = fd < 0 ? fd : sys_read(fd, text, sizeof text - 1);
	if (n < 0)
		return (int)n;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	t->address = strndup(text, (size_t)n);
	return t->address ? 0 : -ENOMEM;
}

/* Nobody else's server is one. */
pid_t link_peer(const struct link *l)
{
	struct ucred cred;
	socklen_t n = sizeof cred;

	if (sys_getsockopt(l->client.conn.fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 ||
	    (cred.uid != 0 && cred.uid != geteuid()))
		return 0;
	return cred.pid;
}

static int connect_hosted(struct link *l, struct task *t, struct err *e)
{
	int r = hosted_connect(t, e);

	if (r < 0)
		return r;
	r = ttrpc_client_init(&l->client, l->engine->loop, r);
	return r < 0 ? err_sys(e, r, "connect to the service of task %s", t->t.id) : 0;
}

int link_open(struct task *t, struct err *e)
{
	struct link *l;
	int r = 0;

	if (t->link)
		return ttrpc_client_is_open(&t->link->client) ?
			       0 :
			       err_set(e, ERR_LOST, -EPIPE, "task %s: its shim has ended", t->t.id);
	if (!t->address && !t->hosted)
		r = read_address(t);
	if (t->foreign)
		foreign_hear(t);
	l = r < 0 ? NULL : calloc(1, sizeof *l);
	if (!l)
		return err_sys(e, r < 0 ? r : -ENOMEM, "task %s: find its shim", t->t.id);
	l->client.conn.fd = l->pidfd = -1;
	l->client.conn.owner.release = link_release;
	l->client.on_end = on_end;
	loop_owner_hold(&l->client.conn.owner);
	l->engine = t->t.engine;
	r = t->hosted ? connect_hosted(l, t, e) :
			ttrpc_client_connect(&l->client, l->engine->loop, t->address, e);
	if (r < 0) {
		loop_owner_drop(&l->client.conn.owner);
		return r;
	}
	l->task = task_ref(t);
	t->link = l;
	return 0;
}

/* ---- greeting --------------------------------------------------------------- */

void link_wait(struct task *t, struct waiter *w)
{
	struct link *l = t->link;

	w->list = &l->waiters;
	w->prev = NULL;
	w->next = l->waiters;
	if (w->next)
		w->next->prev = w;
	l->waiters = w;
}

void waiter_leave(struct waiter *w)
{
	if (!w->list)
		return;
	*(w->prev ? &w->prev->next : w->list) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->list = NULL;
}

/* Nobody waits for the greeting of a shim that was silent for long: now it has
 * said that there is no such task, or that it is no shim of ours. */
static void fail_late(struct link *l)
{
	struct task *t = task_ref(l->task);
	bool deleted = l->why && l->why->kind == ERR_NOT_FOUND;

	if (!deleted)
		task_log(LOG_LEVEL_ERROR, t, "the task cannot be watched", l->why);
	link_close(l);
	task_gone(t, !deleted);
	task_unref(t);
}

static void answered(struct link *l, int r, const struct err *e)
{
	if (r < 0 && l->result >= 0) {
		l->result = r;
		l->why = l->why ? l->why : malloc(sizeof *e);
		if (l->why)
			*l->why = *e;
	}
	if (--l->due)
		return;
	if (l->waiters)
		tell_waiters(l, l->result, l->why);
	else if (l->result < 0 && l->task->watches)
		fail_late(l);
	else if (l->task->watches)
		link_poll(l->task);
}

/* The process that answers is the one that the kernel says we are connected to. */
static void hold_process(struct link *l, pid_t pid);

static int take_hello(struct link *l, const Berth__Shim__V1__HelloResponse *m)
{
	struct task *t = l->task;
	const struct engine_watch *w = &l->engine->watch;

	if (!t->instance || strcmp(t->instance, m->instance) != 0) {
		char *copy = strdup(m->instance);

		if (!copy)
			return -ENOMEM;
		free(t->instance);
		t->instance = copy;
		t->told = w->told ? w->told(w->ctx, &t->t, m->instance, m->last_event) : m->last_event;
	}
	t->shim_pid = m->pid;
	hold_process(l, (pid_t)m->pid);
	return 0;
}

static void on_hello(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;
	Berth__Shim__V1__HelloResponse *m = NULL;
	struct err failed;

	if (!l->task || (r < 0 && e->kind == ERR_LOST))
		return;
	if (r >= 0) {
		m = berth__shim__v1__hello_response__unpack(NULL, a->len, a->payload);
		r = m ? take_hello(l, m) : -EPROTO;
		if (r < 0)
			err_sys(&failed, r, "task %s: greet its shim", l->task->t.id);
		e = &failed;
	}
	if (m)
		berth__shim__v1__hello_response__free_unpacked(m, NULL);
	answered(l, r, e);
}

static int take_connect(struct link *l, const Containerd__Task__V2__ConnectResponse *m)
{
	int r = foreign_begin(l->task);

	if (r < 0)
		return r;
	if (!l->task->t.now.pid)
		l->task->t.now.pid = m->task_pid;
	l->task->shim_pid = m->shim_pid;
	hold_process(l, (pid_t)m->shim_pid);
	return 0;
}

static void on_connect(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;
	Containerd__Task__V2__ConnectResponse *m = NULL;
	struct err failed;

	if (!l->task || (r < 0 && e->kind == ERR_LOST))
		return;
	if (r >= 0) {
		m = containerd__task__v2__connect_response__unpack(NULL, a->len, a->payload);
		r = m ? take_connect(l, m) : -EPROTO;
		if (r < 0)
			err_sys(&failed, r, "task %s: greet its shim", l->task->t.id);
		e = &failed;
	}
	if (m)
		containerd__task__v2__connect_response__free_unpacked(m, NULL);
	if (r < 0)
		l->greeted &= ~(unsigned)GREET_HELLO;
	answered(l, r, e);
}

static void on_state(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;
	Containerd__Task__V2__StateResponse *m = NULL;
	struct err failed;

	if (!l->task || (r < 0 && e->kind == ERR_LOST))
		return;
	if (r >= 0) {
		m = containerd__task__v2__state_response__unpack(NULL, a->len, a->payload);
		r = m ? 0 : err_sys(&failed, -EPROTO, "task %s: ask for its state", l->task->t.id);
		e = &failed;
	}
	if (m) {
		task_set_state(l->task, m);
		containerd__task__v2__state_response__free_unpacked(m, NULL);
	}
	answered(l, r, e);
}

static void on_hold(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;

	if (!l->task || (r < 0 && e->kind == ERR_LOST))
		return;
	if (r < 0 && e->kind == ERR_UNSUPPORTED) /* an older shim: its tasks stay until they are deleted */
		r = 0;
	if (r < 0)
		l->greeted &= ~(unsigned)GREET_HOLD;
	answered(l, r, e);
}

static int say_hello(struct task *t, struct err *e)
{
	Berth__Shim__V1__HelloRequest m = BERTH__SHIM__V1__HELLO_REQUEST__INIT;
	Containerd__Task__V2__ConnectRequest foreign = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;

	if (t->foreign) {
		foreign.id = t->t.id;
		return link_call(t, "Connect", &foreign.base, 0, on_connect, t->link, e);
	}
	m.version = VERSION;
	return link_call(t, "Hello", &m.base, 0, on_hello, t->link, e);
}

static int ask_state(struct task *t, struct err *e)
{
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;

	m.id = t->t.id;
	return link_call(t, "State", &m.base, 0, on_state, t->link, e);
}

static int hold(struct task *t, const Berth__Shim__V1__HoldRequest *hold, struct err *e)
{
	Berth__Shim__V1__HoldRequest m = BERTH__SHIM__V1__HOLD_REQUEST__INIT;

	m.id = t->t.id;
	return link_call(t, "Hold", hold ? &hold->base : &m.base, 0, on_hold, t->link, e);
}

static int ask_events(struct task *t, bool after_hello, struct err *e);

static int say(struct task *t, unsigned one, const Berth__Shim__V1__HoldRequest *request, struct err *e)
{
	switch (one) {
	case GREET_HELLO:
		return say_hello(t, e);
	case GREET_HOLD:
		return hold(t, request, e);
	case GREET_STATE:
		return ask_state(t, e);
	default:
		return ask_events(t, true, e);
	}
}

int link_greet(struct task *t, unsigned what, const Berth__Shim__V1__HoldRequest *request, struct err *e)
{
	struct link *l = t->link;
	unsigned ask;
	bool corked;
	int r = 0;

	if (!l)
		return err_set(e, ERR_LOST, -EPIPE, "task %s: its shim has ended", t->t.id);
	ask = what & ~(l->greeted & (unsigned)~GREET_STATE);
	if (t->foreign || t->hosted)
		ask &= ~(unsigned)(GREET_HOLD | GREET_EVENTS);
	if (t->instance) /* events are counted from before this Hello */
		ask &= ~(unsigned)GREET_EVENTS;
	corked = ttrpc_conn_cork(&l->client.conn);
	l->result = 0;
	for (unsigned one = GREET_HELLO; r >= 0 && one <= GREET_EVENTS; one <<= 1) {
		if (!(ask & one))
			continue;
		r = say(t, one, request, e);
		if (r >= 0) {
			l->greeted |= one;
			l->due += one != GREET_EVENTS;
		}
	}
	ttrpc_conn_uncork(&l->client.conn, corked);
	return r;
}

/* ---- the shim's process ----------------------------------------------------- */

/* It has ended, but a process that it had forked may still hold the connection. */
static int on_process(struct source *s, uint32_t events)
{
	struct link *l = (struct link *)((char *)s - offsetof(struct link, process));

	source_remove(s);
	loop_owner_hold(&l->client.conn.owner);
	ttrpc_client_drain(&l->client);
	ttrpc_client_close(&l->client);
	loop_owner_drop(&l->client.conn.owner);
	return 0;
}

static void hold_process(struct link *l, pid_t pid)
{
	/* The socket of a foreign one may have been made by the program that started it. */
	if (l->pidfd >= 0 || pid <= 0 || l->task->hosted || (!l->task->foreign && pid != link_peer(l)))
		return;
	/* It has just answered, so this is none that came after it. */
	l->pidfd = sys_pidfd_open(pid, 0);
	if (l->pidfd >= 0 && source_fd(&l->process, l->engine->loop, l->pidfd, EPOLLIN, on_process) < 0)
		fd_closep(&l->pidfd);
}

int link_dup_pidfd(const struct task *t)
{
	const struct link *l = t->link;

	if (l && l->pidfd >= 0)
		return sys_fcntl(l->pidfd, F_DUPFD_CLOEXEC, 0);
	if (!l || t->foreign || t->hosted || link_peer(l) <= 0)
		return -1;
	return sys_pidfd_open(link_peer(l), 0);
}

/* ---- calls ------------------------------------------------------------------ */

int link_call(struct task *t, const char *method, const ProtobufCMessage *m, uint32_t timeout_ms,
	      void (*done)(void *ctx, int r, struct ttrpc_answer *a, const struct err *e), void *ctx, struct err *e)
{
	bool ours = !strcmp(m->descriptor->package_name, "berth.shim.v1");
	struct ttrpc_request q = {
		.service = ours ? "berth.shim.v1.Shim" : "containerd.task.v2.Task",
		.method = method,
		.namespace = t->t.namespace,
		.m = m,
		.timeout_ms = timeout_ms,
		.done = done,
		.ctx = ctx,
	};
	int r;

	if (!t->link || !ttrpc_client_is_open(&t->link->client))
		return err_set(e, ERR_LOST, -EPIPE, "task %s: its shim has ended", t->t.id);
	r = ttrpc_client_call(&t->link->client, &q, e);
	return r < 0 ? err_wrap(e, r, "task %s", t->t.id) : r;
}

/* ---- events ----------------------------------------------------------------- */

/* Its task is deleted, but the shim stays: it has others. */
static void leave_shim(struct link *l)
{
	struct task *t = task_ref(l->task);

	link_close(l);
	task_gone(t, false);
	task_unref(t);
}

static int on_again(struct source *s, uint32_t events)
{
	struct link *l = (struct link *)((char *)s - offsetof(struct link, again));

	if (l->task->deleted && !l->task->deletion)
		leave_shim(l);
	else
		link_poll(l->task);
	return 0;
}

void link_poll_later(struct link *l, uint32_t ms)
{
	source_timer(&l->again, l->engine->loop, ms, on_again);
}

void link_leave_soon(struct link *l)
{
	source_remove(&l->again);
	link_poll_later(l, SHIM_END_MS);
}

static void deliver_all(struct link *l, const Berth__Shim__V1__EventsResponse *m)
{
	for (size_t i = 0; i < m->n_events && l->task; i++)
		if (m->events[i]->envelope)
			event_deliver(l->task, m->events[i]->number, m->events[i]->envelope);
}

static void on_events(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct link *l = ctx;
	Berth__Shim__V1__EventsResponse *m;
	struct err failed;
	uint64_t told;

	l->polling = false;
	if (!l->task || (r < 0 && e->kind == ERR_LOST))
		return;
	m = r < 0 ? NULL : berth__shim__v1__events_response__unpack(NULL, a->len, a->payload);
	if (!m) {
		if (r >= 0)
			err_sys(&failed, -EPROTO, "unpack");
		task_log(LOG_LEVEL_WARNING, l->task, "its events cannot be read", r < 0 ? e : &failed);
		source_timer(&l->again, l->engine->loop, AGAIN_MS, on_again);
		return;
	}
	loop_owner_hold(&l->client.conn.owner);
	told = l->task->told;
	deliver_all(l, m);
	berth__shim__v1__events_response__free_unpacked(m, NULL);
	if (l->task && l->task->deleted)
		source_timer(&l->again, l->engine->loop, SHIM_END_MS, on_again);
	else if (l->task && l->task->told == told && l->polled == told) /* it would be asked all the time */
		source_timer(&l->again, l->engine->loop, AGAIN_MS, on_again);
	else if (l->task)
		link_poll(l->task);
	loop_owner_drop(&l->client.conn.owner);
}

static int ask_events(struct task *t, bool after_hello, struct err *e)
{
	Berth__Shim__V1__EventsRequest m = BERTH__SHIM__V1__EVENTS_REQUEST__INIT;
	struct link *l = t->link;
	int r;

	m.after = after_hello ? 0 : t->told;
	m.after_hello = after_hello;
	r = link_call(t, "Events", &m.base, 0, on_events, l, e);
	if (r < 0)
		return r;
	l->polling = true;
	l->polled = m.after;
	l->polled_ms = clock_ms();
	return 0;
}

void link_poll(struct task *t)
{
	struct link *l = t->link;
	struct err e;

	if (!l || l->polling || l->again.loop || !t->watches)
		return;
	if (t->foreign)
		foreign_watch(t);
	else if (ask_events(t, false, &e) < 0 && e.kind != ERR_LOST)
		link_poll_later(l, AGAIN_MS);
}

bool link_drain(struct task *t)
{
	if (!t->link || t->foreign)
		return true;
	ttrpc_client_drain(&t->link->client);
	return !t->link || t->link->due || !t->link->polling || clock_ms() - t->link->polled_ms < ON_THEIR_WAY_MS;
}
