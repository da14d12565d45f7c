/* engine_create(): a bundle, a shim, a task in it; or nothing of all that. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "engine_parts.h"
#include "fd.h"
#include "file.h"
#include "identifier.h"
#include "log.h"
#include "probe.h"
#include "runc_options.pb-c.h"
#include "str.h"
#include "sys.h"
#include "wellknown.pb-c.h"

enum { CREATE_MS = 120000, HURRY_MS = 5000, TRIES = 3 };

struct creating {
	struct engine_progress p; /* first */
	struct task *task; /* with a reference; in the table when the bundle is ours */
	struct bundle bundle;
	enum engine_lifetime lifetime;
	bool grouped; /* its shim may not be ours alone */
	bool claimed, started, sent, answered, created;
	unsigned tries;
	unsigned starts; /* of the shim */
	struct probe probe; /* of what has the id already */
	struct child start;
	struct waiter foreign; /* for the greeting of a shim that is not ours */
	struct source late; /* the same, when all is undone */
	struct cleanup *cleanup;
	Containerd__Task__V2__CreateTaskRequest *request;
	/* why it failed, told when all is undone */
	bool failed;
	int result;
	struct err why;
};

static void fail(struct creating *c, int r, const struct err *e);

static void creating_free(struct creating *c)
{
	probe_end(&c->probe);
	waiter_leave(&c->foreign);
	source_remove(&c->late);
	child_done(&c->start, true);
	bundle_unlock(&c->bundle);
	if (c->cleanup)
		cleanup_forget(c->cleanup);
	if (c->request)
		containerd__task__v2__create_task_request__free_unpacked(c->request, NULL);
	if (c->sent)
		link_unuse(c->task);
	c->task->made_here = false;
	task_unref(c->task);
	free(c);
}

/* ---- undoing ---------------------------------------------------------------- */

static void failed(struct creating *c)
{
	struct task *t = c->task;

	if (t->link)
		link_close(t->link);
	t->t.now.status = ENGINE_GONE;
	task_forget(t);
	if (t->foreign)
		foreign_tell_left(t, NULL, false);
	operation_end(&c->p, c->result, &c->why);
	creating_free(c);
}

static void on_undone(struct cleanup *cleanup, enum cleanup_result result)
{
	struct creating *c = cleanup->ctx;

	c->cleanup = NULL;
	failed(c);
}

static void undo_now(struct creating *c)
{
	struct task *t = c->task;
	OWN_FD pidfd = -1;
	unsigned flags = CLEANUP_QUIET;
	int r;

	operation_phase(&c->p, "undo");
	if (c->started && link_open(t, NULL) >= 0) {
		pidfd = link_dup_pidfd(t);
		/* Ours alone, with nothing in it that is worth a wait; or it is told. */
		flags |= c->grouped || pidfd < 0 ? CLEANUP_ORPHAN : CLEANUP_KILL;
	}
	if (flags & CLEANUP_KILL)
		link_close(t->link);
	if (c->claimed && c->started) {
		c->cleanup = cleanup_begin(t, flags, &c->bundle, take_fd(&pidfd), on_undone, c);
		if (c->cleanup)
			return;
	}
	r = c->bundle.fd >= 0 ? bundle_remove(&c->bundle) : 0;
	if (r < 0)
		task_log(LOG_LEVEL_ERROR, t, "the bundle is not removed", NULL);
	failed(c);
}

/* Who it is, and whether there is a container, is known. */
static void undo_if_known(struct creating *c)
{
	if (c->foreign.list || (c->sent && !c->answered))
		return;
	source_remove(&c->late);
	undo_now(c);
}

static void on_who(struct waiter *w, int r, const struct err *e)
{
	undo_if_known((struct creating *)((char *)w - offsetof(struct creating, foreign)));
}

static int on_late(struct source *s, uint32_t events)
{
	struct creating *c = (struct creating *)((char *)s - offsetof(struct creating, late));

	waiter_leave(&c->foreign);
	undo_now(c);
	return 0;
}

/* What it began has ended: now what it made goes. A foreign shim that makes a container
 * does not end when it is told to, but has to be killed: who is it? And what it executes
 * goes on without it: that is to end first. */
static void undo(struct creating *c)
{
	struct task *t = c->task;
	struct err e;

	waiter_leave(&c->foreign);
	if (!t->foreign || !c->started || link_open(t, &e) < 0 || link_greet(t, GREET_HELLO, NULL, &e) < 0) {
		undo_now(c);
		return;
	}
	c->foreign.ready = on_who;
	if (t->link->due)
		link_wait(t, &c->foreign);
	if (!t->link->due && (!c->sent || c->answered))
		undo_now(c);
	else
		source_timer(&c->late, c->p.engine->loop, HURRY_MS, on_late);
}

static void fail(struct creating *c, int r, const struct err *e)
{
	if (c->failed)
		return;
	c->failed = true;
	c->p.failed_in = c->p.op ? c->p.op->phase : NULL;
	c->result = r;
	c->why = *e;
	err_wrap(&c->why, r, "create task %s", c->task->t.id);
	probe_end(&c->probe);
	if (child_runs(&c->start) && c->task->foreign)
		child_hurry(&c->start, HURRY_MS); /* what it starts would be left: nobody else knows where it is */
	else if (child_runs(&c->start))
		child_kill(&c->start); /* on_started() goes on */
	else
		undo(c);
}

/* The engine goes: the shim ends the task, since nobody holds it any more; what
 * is left of the bundle whoever looks next removes. */
static void stop(struct engine_progress *p, int r, const struct err *e)
{
	struct creating *c = (struct creating *)p;

	if (!p->engine->ending) {
		fail(c, r, e);
		return;
	}
	c->failed = true;
	if (c->task->link) /* its calls have to end before we are freed, whoever uses it, too */
		link_close(c->task->link);
	child_done(&c->start, true);
	if (c->bundle.fd >= 0 && !c->started)
		bundle_remove(&c->bundle);
	operation_end(p, r, e);
	creating_free(c);
}

/* ---- the task in its shim --------------------------------------------------- */

static void succeed(struct creating *c)
{
	struct task *t = c->task;

	bundle_unlock(&c->bundle);
	task_watch(t);
	link_poll(t);
	c->p.op->task = &t->t;
	operation_end(&c->p, 0, NULL);
	creating_free(c);
}

static void take_timing(struct creating *c, const struct ttrpc_answer *a)
{
	Berth__Shim__V1__HoldResponse *m = berth__shim__v1__hold_response__unpack(NULL, a->len, a->payload);

	if (!m)
		return;
	c->p.op->shim_us = m->create_us;
	berth__shim__v1__hold_response__free_unpacked(m, NULL);
}

static void on_kept(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct creating *c = ctx;

	if (c->failed)
		return;
	if (r < 0 && e->kind != ERR_UNSUPPORTED) {
		fail(c, r, e);
		return;
	}
	if (r >= 0)
		take_timing(c, a);
	succeed(c);
}

/* Until now its end was ours; from now on it is what was asked for. */
static void set_lifetime(struct creating *c)
{
	Berth__Shim__V1__HoldRequest m = BERTH__SHIM__V1__HOLD_REQUEST__INIT;
	struct err e;
	int r;

	if (c->lifetime == ENGINE_TERMINATE || c->task->foreign || c->task->hosted) {
		succeed(c);
		return;
	}
	operation_phase(&c->p, "set its lifetime");
	m.id = c->task->t.id;
	m.lifetime = (Berth__Shim__V1__Lifetime)(BERTH__SHIM__V1__LIFETIME__KEEP + c->lifetime);
	r = link_call(c->task, "Hold", &m.base, 0, on_kept, c, &e);
	if (r < 0)
		fail(c, r, &e);
}

/* It has been asked who it is before, but may know that only now that it has the task. */
static void on_foreign(struct waiter *w, int r, const struct err *e)
{
	struct creating *c = (struct creating *)((char *)w - offsetof(struct creating, foreign));
	struct err why;

	if (c->failed)
		return;
	c->task->foreign->is_told_of = true;
	if (r >= 0) {
		r = foreign_record_pid(c->task, c->bundle.fd, &why);
		e = &why;
	}
	if (r < 0)
		fail(c, r, e);
	else
		set_lifetime(c);
}

static void greet_foreign(struct creating *c)
{
	struct task *t = c->task;
	struct err e;
	int r = link_greet(t, GREET_HELLO, NULL, &e);

	if (r >= 0 && t->link->due)
		link_wait(t, &c->foreign);
	else
		on_foreign(&c->foreign, r, &e);
}

static int start_shim(struct creating *c, struct err *e);

/* The shim that had the id before us has let go of its bundle, but not of its socket
 * yet: we were led there, and it has ended without a word. */
static bool was_another_s(const struct creating *c, const struct err *e)
{
	bool ended = c->sent ? e->kind == ERR_LOST : e->sys == ENOENT || e->sys == ECONNREFUSED;

	return ended && !c->task->hosted && !c->task->shim_pid && c->starts < TRIES;
}

static int start_again(struct creating *c, struct err *e)
{
	if (c->sent)
		link_unuse(c->task);
	c->sent = false;
	free(c->task->address);
	c->task->address = NULL;
	child_done(&c->start, true);
	return start_shim(c, e);
}

static void on_created(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct creating *c = ctx;
	Containerd__Task__V2__CreateTaskResponse *m;
	struct err why;

	c->answered = true;
	if (c->failed) {
		if (c->late.loop)
			undo_if_known(c);
		return;
	}
	if (r < 0 && was_another_s(c, e)) {
		r = start_again(c, &why);
		e = &why;
		if (r >= 0)
			return;
	}
	if (r < 0) {
		fail(c, r, e);
		return;
	}
	m = containerd__task__v2__create_task_response__unpack(NULL, a->len, a->payload);
	if (!m) {
		fail(c, err_sys(&why, -EPROTO, "read its answer"), &why);
		return;
	}
	c->task->t.now = (struct engine_state){ .status = ENGINE_CREATED, .pid = m->pid };
	containerd__task__v2__create_task_response__free_unpacked(m, NULL);
	c->created = true;
	if (c->task->foreign) {
		greet_foreign(c);
		return;
	}
	if (!c->task->hosted && c->task->link->pidfd < 0) {
		fail(c, err_set(&why, ERR_LOST, -ESRCH, "watch the shim"), &why);
		return;
	}
	set_lifetime(c);
}

/* All at once: the shim does one after the other. If we die now, it ends. */
static int send_all(struct creating *c, struct err *e)
{
	Berth__Shim__V1__HoldRequest hold = BERTH__SHIM__V1__HOLD_REQUEST__INIT;
	struct task *t = c->task;
	int r;

	hold.id = t->t.id;
	hold.bundle = t->t.bundle;
	hold.lifetime = BERTH__SHIM__V1__LIFETIME__TERMINATE;
	operation_phase(&c->p, "connect to the shim");
	r = link_open(t, e);
	if (r < 0)
		return r;
	link_use(t);
	c->sent = true;
	c->answered = false;
	if (t->foreign)
		r = foreign_begin(t) < 0 ? err_sys(e, -ENOMEM, "greet the shim") : 0;
	if (r >= 0)
		r = link_greet(t, GREET_HELLO | GREET_HOLD, &hold, e);
	operation_phase(&c->p, "create the task");
	return r < 0 ? r : link_call(t, "Create", &c->request->base, 0, on_created, c, e);
}

/* ---- the shim --------------------------------------------------------------- */

static int take_address(struct creating *c, struct err *e)
{
	const struct child *s = &c->start;
	char words[512];

	if (s->status != 0 && !(s->status == -ECHILD && s->out.len))
		return err_set(e, ERR_INTERNAL, 0, "start the shim: %s", child_words(s, words, sizeof words));
	while (c->start.out.len && strchr("\n\r ", c->start.out.s[c->start.out.len - 1]))
		c->start.out.s[--c->start.out.len] = '\0';
	if (c->task->foreign) {
		int r = foreign_take_address(&c->start.out, c->bundle.fd, e);

		if (r < 0)
			return r;
	}
	if (s->out.failed || !s->out.len || !str_starts(s->out.s, "unix://"))
		return err_set(e, ERR_INTERNAL, 0, "start the shim: it said no address");
	free(c->task->address); /* somebody may have looked at it already */
	c->task->address = strdup(s->out.s);
	return c->task->address ? 0 : err_sys(e, -ENOMEM, "start the shim");
}

static void on_started(struct child *child)
{
	struct creating *c = child->ctx;
	struct err e;
	int r;

	if (c->failed) {
		if (c->task->foreign)
			(void)take_address(c, &e);
		undo(c);
		return;
	}
	r = take_address(c, &e);
	if (r >= 0) {
		r = send_all(c, &e);
		if (r < 0 && was_another_s(c, &e))
			r = start_again(c, &e);
	}
	if (r < 0)
		fail(c, r, &e);
}

static int start_shim(struct creating *c, struct err *e)
{
	struct engine *en = c->p.engine;
	struct shim_order o = {
		.namespace = c->task->t.namespace,
		.id = c->task->t.id,
		.bundle = c->task->t.bundle,
		.directory = c->bundle.fd,
		.foreign = c->task->foreign,
		.any = c->request->options,
		.timeout_ms = CREATE_MS,
	};
	ProtobufCMessage *options = NULL;
	const Google__Protobuf__Any *any = c->request->options;
	int r;

	operation_phase(&c->p, "start the shim");
	c->starts++;
	if (any && !o.foreign && !strcmp(any->type_url, containerd__runc__v1__options__descriptor.name))
		options = protobuf_c_message_unpack(&containerd__runc__v1__options__descriptor, NULL, any->value.len,
						    any->value.data);
	o.options = options;
	r = shim_command_start(en, &c->start, &o, e);
	if (options)
		protobuf_c_message_free_unpacked(options, NULL);
	c->started = r >= 0;
	return r;
}

/* There is none: its service is connected to. */
static int on_hosted(struct source *s, uint32_t events)
{
	struct creating *c = (struct creating *)((char *)s - offsetof(struct creating, late));
	struct err e;
	int r;

	if (c->failed)
		return 0;
	c->started = true;
	r = send_all(c, &e);
	if (r < 0)
		fail(c, r, &e);
	return 0;
}

/* ---- the id ----------------------------------------------------------------- */

static int claim(struct creating *c, struct err *e);

static void on_probed(struct probe *p, enum probe_result result)
{
	struct creating *c = (struct creating *)((char *)p - offsetof(struct creating, probe));
	struct err e;
	int r = 0;

	probe_end(p);
	if (result == PROBE_FAILED)
		r = err_set(&e, ERR_EXISTS, 0, "what is there cannot be looked at: %s", p->why.msg);
	else if (result != PROBE_NONE || c->tries >= TRIES)
		r = err_set(&e, ERR_EXISTS, 0, "the id is in use");
	else
		r = claim(c, &e);
	if (r < 0)
		fail(c, r, &e);
}

/* The one that has the id: it may be dead. */
static int look_at_other(struct creating *c, struct err *e)
{
	struct task *other = task_get(c->p.engine, c->task->t.namespace, c->task->t.id, e);

	if (!other)
		return -ENOMEM;
	c->tries++;
	operation_phase(&c->p, "look at what has the id");
	probe_begin(&c->probe, other, GREET_STATE, on_probed);
	return 0;
}

static int claim(struct creating *c, struct err *e)
{
	struct task *t = c->task;
	int r = bundle_claim(&c->bundle, t->t.id);

	if (r == -EEXIST)
		return look_at_other(c, e);
	if (r < 0)
		return err_sys(e, r, "make the bundle '%s'", t->t.bundle);
	c->claimed = true;
	r = task_add(t);
	if (r < 0)
		return err_sys(e, r, "remember it");
	if (t->hosted)
		return source_timer(&c->late, c->p.engine->loop, 0, on_hosted);
	return start_shim(c, e);
}

/* ---- what is wanted --------------------------------------------------------- */

static int pack_any(struct arena *a, const ProtobufCMessage *m, Google__Protobuf__Any *ret)
{
	google__protobuf__any__init(ret);
	ret->type_url = (char *)(uintptr_t)m->descriptor->name;
	ret->value.len = protobuf_c_message_get_packed_size(m);
	ret->value.data = arena_alloc(a, ret->value.len + 1);
	if (!ret->value.data)
		return -ENOMEM;
	protobuf_c_message_pack(m, ret->value.data);
	return 0;
}

/* What the caller's options leave open is as the settings have it. */
static int choose_options(struct engine *en, struct arena *a, const struct engine_create *w,
			  Google__Protobuf__Any *ret, struct err *e)
{
	const ProtobufCMessage *given = w->options;
	Containerd__Runc__V1__Options m = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	const struct engine_settings *s = &en->settings;

	if (given && given->descriptor != m.base.descriptor)
		return pack_any(a, given, ret) < 0 ? err_sys(e, -ENOMEM, "pack the options") : 0;
	if (given)
		m = *(const Containerd__Runc__V1__Options *)given;
	if (str_empty(m.binary_name) && *s->runtime) {
		/* By its path: some names mean the built-in one to a shim. */
		m.binary_name = (char *)(uintptr_t)shim_find_program(a, s->runtime, false);
		if (!m.binary_name)
			return err_set(e, ERR_NOT_FOUND, -ENOENT, "the runtime '%s': not in PATH", s->runtime);
	}
	if (str_empty(m.shim_cgroup))
		m.shim_cgroup = s->shim_cgroup;
	if (w->hosted && !str_empty(m.shim_cgroup))
		return err_set(e, ERR_UNSUPPORTED, 0, "shim_cgroup '%s': there is no shim that could enter it",
			       m.shim_cgroup);
	return pack_any(a, &m.base, ret) < 0 ? err_sys(e, -ENOMEM, "pack the options") : 0;
}

/* They go to a shim of whose options we know nothing as they are. */
static void take_options(const struct engine_foreign *f, Google__Protobuf__Any *ret)
{
	google__protobuf__any__init(ret);
	ret->type_url = (char *)(uintptr_t)f->options_type;
	ret->value.data = (uint8_t *)(uintptr_t)f->options;
	ret->value.len = f->options_len;
}

static Containerd__Types__Mount **make_mounts(struct arena *a, const struct engine_create *w)
{
	Containerd__Types__Mount **mounts = arena_calloc(a, w->n_rootfs + 1, sizeof(void *));

	for (size_t i = 0; mounts && i < w->n_rootfs; i++) {
		const struct engine_mount *from = &w->rootfs[i];
		Containerd__Types__Mount *m = mounts[i] = arena_alloc(a, sizeof *m);

		if (!m)
			return NULL;
		containerd__types__mount__init(m);
		m->type = (char *)(uintptr_t)(from->type ? from->type : "");
		m->source = (char *)(uintptr_t)(from->source ? from->source : "");
		while (from->options && from->options[m->n_options])
			m->n_options++;
		m->options = (char **)(uintptr_t)from->options;
	}
	return mounts;
}

/* A copy of its own, of all that is wanted. */
static int make_request(struct creating *c, const struct engine_create *w, struct err *e)
{
	Containerd__Task__V2__CreateTaskRequest m = CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	Google__Protobuf__Any options;
	uint8_t *packed;
	size_t len;
	int r = 0;

	if (w->foreign)
		take_options(w->foreign, &options);
	else
		r = choose_options(c->p.engine, &a, w, &options, e);
	if (r < 0)
		return r;
	m.id = c->task->t.id;
	m.bundle = c->task->t.bundle;
	m.rootfs = make_mounts(&a, w);
	m.n_rootfs = w->n_rootfs;
	m.terminal = w->terminal;
	m.stdin = (char *)(uintptr_t)(w->stdio[0] ? w->stdio[0] : "");
	m.stdout = (char *)(uintptr_t)(w->stdio[1] ? w->stdio[1] : "");
	m.stderr = (char *)(uintptr_t)(w->stdio[2] ? w->stdio[2] : "");
	m.options = !w->foreign || w->foreign->options_type ? &options : NULL;
	len = m.rootfs ? protobuf_c_message_get_packed_size(&m.base) : 0;
	packed = m.rootfs ? arena_alloc(&a, len + 1) : NULL;
	if (packed)
		protobuf_c_message_pack(&m.base, packed);
	c->request = packed ? containerd__task__v2__create_task_request__unpack(NULL, len, packed) : NULL;
	return c->request ? 0 : err_sys(e, -ENOMEM, "create task %s", m.id);
}

static int fill(struct creating *c, const struct config *config, const struct engine_create *w, struct err *e)
{
	char made[BUNDLE_UNIQUE];
	struct bundle_record record = {
		.made = made,
		.lifetime = w->lifetime,
		.record = (char *)(uintptr_t)(w->record ? w->record : ""),
		.hosted = w->hosted,
	};
	int r = file_replace(c->bundle.fd, "config.json", config->text, config->len, 0600, e);

	if (w->foreign)
		record.foreign = (struct bundle_foreign){
			.program = (char *)(uintptr_t)w->foreign->program,
			.address = (char *)(uintptr_t)w->foreign->address,
			.ttrpc_address = (char *)(uintptr_t)w->foreign->ttrpc_address,
		};
	bundle_unique(made);
	if (r >= 0 && !w->foreign)
		r = shim_write_settings(c->p.engine, c->bundle.fd, e);
	if (r >= 0)
		r = bundle_record_write(c->bundle.fd, &record, e);
	if (r >= 0 && task_set_record(c->task, &record) < 0)
		r = err_sys(e, -ENOMEM, "create task %s", c->task->t.id);
	if (r >= 0 && c->task->foreign)
		r = foreign_prepare(c->task, c->bundle.fd, e);
	return r;
}

static int check(struct engine *en, const struct engine_create *w, const char **namespace, struct err *e)
{
	int r;

	*namespace = w->namespace ? w->namespace : en->settings.namespace;
	r = identifier_check(*namespace, e);
	if (r < 0)
		return err_wrap(e, r, "namespace");
	if (!w->config)
		return err_set(e, ERR_INVALID, 0, "no config.json");
	if (w->foreign && w->lifetime != ENGINE_KEEP)
		return err_set(e, ERR_UNSUPPORTED, 0, "a foreign shim whose task is not kept");
	if (w->hosted && (w->foreign || w->lifetime != ENGINE_KEEP || !en->hosting.connect))
		return err_set(e, ERR_UNSUPPORTED, 0, "a task without a shim that is %s",
			       w->foreign ? "to have a foreign one" : en->hosting.connect ? "not kept" : "nobody's");
	return identifier_check(w->id ? w->id : "", e);
}

static bool wants_systemd(const struct engine_create *w)
{
	const Containerd__Runc__V1__Options *given = (const void *)w->options;
	const struct engine_foreign *f = w->foreign;
	Containerd__Runc__V1__Options *o;
	bool systemd;

	if (!f)
		return given && given->base.descriptor == &containerd__runc__v1__options__descriptor &&
		       given->systemd_cgroup;
	if (!f->options_type || strcmp(f->options_type, containerd__runc__v1__options__descriptor.name) != 0)
		return false;
	o = containerd__runc__v1__options__unpack(NULL, f->options_len, f->options);
	systemd = o && o->systemd_cgroup;
	if (o)
		containerd__runc__v1__options__free_unpacked(o, NULL);
	return systemd;
}

static int prepare(struct creating *c, const struct engine_create *w, const char *namespace, struct err *e)
{
	bool systemd = wants_systemd(w);
	struct engine *en = c->p.engine;
	OWN_ARENA struct arena a = ARENA_INIT;
	struct config config;
	char *cgroup = NULL;
	int r = 0;

	c->task = task_make(en, namespace, w->id);
	if (c->task && !systemd) /* which has names of another form */
		cgroup = arena_printf(&a, "%s/%s/%s", en->settings.cgroup_parent, namespace, w->id);
	if (!c->task || (!systemd && !cgroup))
		return err_sys(e, -ENOMEM, "create task %s", w->id);
	c->task->made_here = true;
	r = config_prepare(&a, w->config, w->config_len, cgroup, &config, e);
	if (r >= 0)
		r = make_request(c, w, e);
	if (r >= 0 && task_set_stdio(c->task, w->stdio, w->terminal) < 0)
		r = err_sys(e, -ENOMEM, "create task %s", w->id);
	if (r >= 0)
		r = bundle_make(&c->bundle, en->settings.state, namespace, e);
	if (r >= 0)
		r = fill(c, &config, w, e);
	c->grouped = r >= 0 && config.grouped;
	return r;
}

int engine_create(struct engine *en, struct engine_op *op, const struct engine_create *w, struct err *e)
{
	struct creating *c;
	const char *namespace;
	struct timespec begun;
	int r = check(en, w, &namespace, e);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	c = calloc(1, sizeof *c);
	if (!c)
		return err_sys(e, -ENOMEM, "create task %s", w->id);
	c->p.engine = en;
	c->bundle = (struct bundle)BUNDLE_INIT;
	c->lifetime = w->lifetime;
	c->foreign.ready = on_foreign;
	child_init(&c->start, on_started, c);
	r = prepare(c, w, namespace, e);
	if (r >= 0) {
		operation_begin(en, op, &c->p, CREATE_MS, stop);
		op->phase = "make the bundle";
		op->since = begun;
		r = claim(c, e);
		if (r < 0)
			operation_drop(&c->p);
	}
	if (r >= 0)
		return 0;
	if (c->bundle.fd >= 0)
		bundle_remove(&c->bundle);
	if (c->task)
		creating_free(c);
	else
		free(c);
	return r;
}
