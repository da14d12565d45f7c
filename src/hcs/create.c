/*
 * HcsCreateComputeSystem(): from the document to a task. What is wrong with the
 * document is known at once, but told through the operation, as everything that
 * the host says later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "file.h"
#include "host.h"
#include "log_calls.h"
#include "problems.h"
#include "results.h"
#include "schema_oci.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "system.h"

struct creation { /* in the request's arena */
	struct arena work; /* the document and what it becomes: until the engine has it */
	struct schema_system *doc;
	struct schema_needs needs;
	struct schema_oci_input in;
	struct schema_oci_output out;
	const char **made; /* directories that were not there before */
	size_t n_made;
	enum engine_lifetime lifetime;
	char network_path[40];
	char stdio[3][48];
	bool keep;
	bool translated; /* what is wrong from now on is not the document */
	HRESULT hr; /* a code that is more exact than the error's */
	struct engine_task *unwanted; /* a reference; NULL: there is none */
};

/* ---- undo -------------------------------------------------------------------------- */

static void remove_made(struct creation *m)
{
	while (m->n_made)
		(void)sys_unlinkat(AT_FDCWD, m->made[--m->n_made], AT_REMOVEDIR);
}

static void failed(struct request *rq, const struct err *e, char *doc)
{
	struct creation *m = rq->mine;
	struct system *s = rq->sys;
	HRESULT hr = m->hr ? m->hr : m->translated ? result_of(e) : document_result(e);

	arena_done(&m->work);
	remove_made(m);
	s->creating = NULL;
	if (s->killed)
		hr = HCS_E_TERMINATED;
	system_fail(s);
	while (s->waiting) {
		struct request *waiting = s->waiting;

		s->waiting = waiting->link;
		request_end(waiting, S_OK, NULL, NULL);
	}
	request_end(rq, hr, e, doc);
}

static void cancel(struct request *rq)
{
	if (rq->in_engine)
		engine_cancel(&rq->eop);
}

/* ---- the engine's part ----------------------------------------------------------------- */

static void on_removed(struct request *rq, int r, const struct err *e)
{
	struct creation *m = rq->mine;
	struct err why;

	engine_task_unwatch(m->unwanted);
	engine_task_unref(m->unwanted);
	err_set(&why, ERR_INTERNAL, -ECANCELED, "create");
	failed(rq, &why, NULL);
}

/* It was cancelled, but the answer was there already. */
static void remove_again(struct request *rq)
{
	struct creation *m = rq->mine;
	struct err e;

	m->unwanted = engine_task_ref(rq->eop.task);
	request_in_engine(rq, on_removed);
	rq->in_engine = engine_delete(m->unwanted, &rq->eop, &e) >= 0;
	if (!rq->in_engine)
		on_removed(rq, -ECANCELED, &e);
}

static void on_created(struct request *rq, int r, const struct err *e)
{
	struct system *s = rq->sys;

	if (r < 0) {
		failed(rq, e, NULL);
		return;
	}
	if (rq->cancelled && !s->killed) {
		remove_again(rq);
		return;
	}
	s->creating = NULL;
	system_found(system_ref(s), rq->eop.task);
	request_end(rq, S_OK, NULL, NULL);
	if (s->killed)
		system_kill(s);
	system_unref(s);
}

/* mkdir -p; what was made is remembered. */
static int make_directories(struct request *rq, struct err *e)
{
	struct creation *m = rq->mine;

	m->made = arena_calloc(&rq->a, m->out.n_directories + 1, sizeof *m->made);
	if (!m->made)
		return err_sys(e, -ENOMEM, "make the scratch directories");
	for (size_t i = 0; i < m->out.n_directories; i++) {
		const char *path = arena_strdup(&rq->a, m->out.directories[i]);
		OWN_FD fd = -1;

		if (!path)
			return err_sys(e, -ENOMEM, "make the scratch directories");
		if (sys_faccessat(AT_FDCWD, path, F_OK) >= 0)
			continue;
		fd = file_mkdirs(path, str_ends(path, "/work") ? 0700 : 0755, e);
		if (fd < 0)
			return fd;
		m->made[m->n_made++] = path;
	}
	return 0;
}

static const char *stdio_of(const struct request *rq, int i, bool held)
{
	struct creation *m = rq->mine;

	if (rq->resource[i] >= 0) {
		snprintf(m->stdio[i], sizeof m->stdio[i], "/proc/%u/fd/%d", (unsigned)getpid(), rq->resource[i]);
		return m->stdio[i];
	}
	return held ? "held://" : NULL;
}

/* What a document in OCI's form, which may be its bundle's, has no member for. NULL: nothing. */
static const char *annotation(const struct creation *m, const char *key)
{
	const struct spec *spec = m->out.spec;

	for (size_t i = 0; spec && i < spec->n_annotations; i++)
		if (!strcmp(spec->annotations[i].key, key))
			return spec->annotations[i].value;
	return NULL;
}

/* What a client may fetch. */
static bool is_held(const struct creation *m, int i)
{
	const struct schema_process *p = m->doc->container.process;
	const char *stdio = annotation(m, "io.berth.stdio");

	if (p && !m->out.terminal)
		return i == 0 ? p->create_stdin : i == 1 ? p->create_stdout : p->create_stderr;
	if (m->out.terminal)
		return i != 2;
	return stdio && !strcmp(stdio, "held");
}

static char *record_of(struct request *rq)
{
	struct creation *m = rq->mine;
	struct system_meta meta = {
		.owner = (char *)(uintptr_t)m->doc->owner,
		.name = (char *)(uintptr_t)m->doc->name,
		.v1 = m->doc->form == SCHEMA_FORM_V1,
		.own_command = m->out.own_command,
		.terminate = m->doc->terminate_on_last_handle_closed,
		.keep = m->keep,
		.stop_signal = (char *)(uintptr_t)annotation(m, "org.opencontainers.image.stopSignal"),
	};

	return meta_write(&m->work, &meta);
}

static int begin(struct request *rq, struct err *e)
{
	struct creation *m = rq->mine;
	struct engine_mount *mounts = arena_calloc(&m->work, m->out.n_rootfs + 1, sizeof *mounts);
	struct engine_create c = {
		.namespace = rq->sys->ns,
		.id = rq->sys->id,
		.config = m->out.text,
		.config_len = m->out.len,
		.rootfs = mounts,
		.n_rootfs = m->out.n_rootfs,
		.terminal = m->out.terminal,
		.record = record_of(rq),
		.lifetime = m->lifetime,
	};
	int r;

	if (!mounts || !c.record)
		return err_sys(e, -ENOMEM, "create");
	for (size_t i = 0; i < m->out.n_rootfs; i++)
		mounts[i] = (struct engine_mount){ m->out.rootfs[i].type, m->out.rootfs[i].source,
						   (const char *const *)m->out.rootfs[i].options };
	for (int i = 0; i < 3; i++)
		c.stdio[i] = stdio_of(rq, i, is_held(m, i));
	r = make_directories(rq, e);
	if (r < 0)
		return r;
	rq->eop.timeout_ms = lib.timeouts.create;
	request_in_engine(rq, on_created);
	r = engine_create(lib.engine, &rq->eop, &c, e);
	if (r < 0)
		return r;
	rq->in_engine = true;
	arena_done(&m->work);
	return 0;
}

/* ---- what the document needs ---------------------------------------------------------------- */

static int translate(struct request *rq, struct err *e)
{
	struct creation *m = rq->mine;
	int r;

	m->in.id = rq->sys->id;
	m->in.cgroup_v2 = host_cgroup_v2();
	r = host_answer(&m->work, &m->needs, &m->in, e);
	if (r >= 0)
		r = schema_oci_system(&m->work, m->doc, &m->in, &m->out, e);
	if (r < 0)
		return r;
	m->translated = true;
	return begin(rq, e);
}

/* Where a section of the container's document is; that of schema 1.0 has none. */
struct place {
	const char *container, *section;
};

static struct place place_of(const struct creation *m, const char *section)
{
	switch (m->doc->form) {
	case SCHEMA_FORM_V1:
		return (struct place){ "", "" };
	case SCHEMA_FORM_HOSTED:
		return (struct place){ "/HostedSystem/Container", section };
	default:
		return (struct place){ "/Container", section };
	}
}

/* What the engine says of another system, at the member that has its id. */
static const struct err *at_network(const struct creation *m, const struct err *e, struct err *ret)
{
	struct place at = place_of(m, "/Networking");

	err_set(ret, e->kind, -e->sys, "%s%s/NetworkSharedContainerName: %s", at.container, at.section, e->msg);
	return ret;
}

static void on_network(struct request *rq, int r, const struct err *e)
{
	struct creation *m = rq->mine;
	struct err mine;

	if (r < 0) {
		e = at_network(m, e, &mine);
	} else {
		struct engine_task *t = rq->eop.task;

		snprintf(m->network_path, sizeof m->network_path, "/proc/%u/ns/net", t->now.pid);
		m->in.network_path = m->network_path;
		if (rq->cancelled)
			r = err_set(&mine, ERR_INTERNAL, -ECANCELED, "create");
		else if (!t->now.pid || t->now.status == ENGINE_STOPPED)
			r = err_set(&mine, ERR_STATE, 0, "the system '%s', whose network it is to join, does not run",
				    m->needs.network_of);
		else
			r = translate(rq, &mine);
		engine_task_unwatch(t);
		e = &mine;
	}
	if (r < 0)
		failed(rq, e, NULL);
}

static int check_layers(struct creation *m, struct err *e)
{
	const struct schema_storage *storage = &m->doc->container.storage;
	struct place at = place_of(m, "/Storage");

	for (size_t i = 0; i < storage->n_layers; i++) {
		struct stat st;
		int r = sys_fstatat(AT_FDCWD, storage->layers[i].path, &st, 0);

		if (r >= 0 && S_ISDIR(st.st_mode))
			continue;
		m->hr = HCS_E_INVALID_LAYER;
		return err_sys(e, r < 0 ? r : -ENOTDIR, "%s%s/Layers/%zu/Path: '%s'", at.container, at.section, i,
			       storage->layers[i].path);
	}
	return 0;
}

static int prepare(struct request *rq, struct err *e)
{
	struct creation *m = rq->mine;
	int r = check_layers(m, e);

	if (r >= 0)
		r = schema_needs(&m->work, m->doc, &m->needs, e);
	if (r < 0)
		return r;
	rq->cancel = cancel;
	if (!m->needs.network_of)
		return translate(rq, e);
	request_in_engine(rq, on_network);
	r = engine_open(lib.engine, &rq->eop, rq->sys->ns, m->needs.network_of, e);
	if (r >= 0)
		rq->in_engine = true;
	return r;
}

/* ---- the call ---------------------------------------------------------------------------------- */

struct wanted {
	const char *ns, *id, *document;
	struct callback cb;
	bool keep;
};

static HRESULT carry_out(struct call *c, const struct wanted *w)
{
	struct request *rq = request_new(c);
	struct creation *m = rq ? arena_alloc(&rq->a, sizeof *m) : NULL;
	struct problems problems;
	struct err e = { 0 };
	int r;

	if (!m)
		return rq ? request_refuse(rq, c, call_nomem(c)) : E_OUTOFMEMORY;
	rq->mine = m;
	c->sys->creating = rq;
	problems_init(&problems, &m->work);
	r = problems_parse_system(&problems, &m->work, w->document, &m->doc, &e);
	if (r >= 0) {
		m->keep = w->keep;
		m->lifetime = w->keep ? ENGINE_KEEP :
			      m->doc->terminate_on_last_handle_closed ? ENGINE_TERMINATE : ENGINE_CLOSED;
		r = prepare(rq, &e);
	}
	if (r < 0)
		failed(rq, &e, m->hr || m->translated || !problems.n ? NULL : problems_report(&problems, c, &e));
	return S_OK;
}

static HRESULT check_options(struct call *c, const HCS_CREATE_OPTIONS *options, struct wanted *w)
{
	const HCS_CREATE_OPTIONS_BERTH_1 *o = (const void *)options;

	if (!options)
		return S_OK;
	/* The members are in the same order in both. */
	if (*options != HcsCreateOptions_1 && *options != HcsCreateOptions_Berth1)
		return call_refuse(c, E_INVALIDARG, "options: Version 0x%x is not known", (unsigned)*options);
	if (o->UserToken > 0 || o->UserToken < -1)
		return call_refuse(c, HCS_E_ERROR_NOT_SUPPORTED, "options: UserToken: another identity");
	if (o->SecurityDescriptor)
		return call_refuse(c, E_INVALIDARG, "options: SecurityDescriptor: must be NULL");
	w->cb = (struct callback){ o->Callback, o->CallbackContext, o->CallbackOptions };
	if (*options == HcsCreateOptions_Berth1) {
		if (o->Lifetime != HcsLifetimeHandles && o->Lifetime != HcsLifetimeKeep)
			return call_refuse(c, E_INVALIDARG, "options: Lifetime %d", (int)o->Lifetime);
		w->keep = o->Lifetime == HcsLifetimeKeep;
	}
	return check_callback_options(c, o->CallbackOptions);
}

static HRESULT create(struct call *c, const struct wanted *w, HCS_SYSTEM *ret)
{
	struct system *s = system_new(w->ns ? w->ns : engine_settings_of(lib.engine)->namespace, w->id);
	struct system_handle *h = s ? system_open(s, &w->cb) : NULL;
	HRESULT hr;

	if (!h) {
		if (s)
			system_unref(s);
		return call_nomem(c);
	}
	system_unref(s); /* it is the handle's */
	hr = call_system(c, h->w.obj.handle);
	if (SUCCEEDED(hr))
		hr = carry_out(c, w);
	if (SUCCEEDED(hr))
		*ret = h->w.obj.handle;
	else
		system_forget(h);
	return hr;
}

static HRESULT create_system(const char *name, struct wanted *w, const HCS_CREATE_OPTIONS *options,
			     HCS_OPERATION operation, HCS_SYSTEM *ret)
{
	struct call c;
	HRESULT hr = call_begin(&c, name);

	if (ret)
		*ret = NULL;
	if (FAILED(hr))
		return hr;
	c.id = w->id;
	c.doc = w->document;
	hr = call_claim(&c, operation, HcsOperationTypeCreate);
	if (SUCCEEDED(hr))
		hr = call_ready(&c);
	if (SUCCEEDED(hr) && (!w->id || !w->document || !ret))
		hr = call_refuse(&c, E_INVALIDARG, "%s: is NULL",
				 !w->id ? "id" : !w->document ? "configuration" : "computeSystem");
	if (SUCCEEDED(hr))
		hr = check_options(&c, options, w);
	if (SUCCEEDED(hr))
		hr = create(&c, w, ret);
	return call_end(&c, hr);
}

API HRESULT HcsCreateComputeSystem(const char *id, const char *configuration, HCS_OPERATION operation,
				   const void *securityDescriptor, HCS_SYSTEM *computeSystem)
{
	const HCS_CREATE_OPTIONS_1 options = {
		.Version = HcsCreateOptions_1,
		.UserToken = -1,
		.SecurityDescriptor = securityDescriptor,
	};
	struct wanted w = { .id = id, .document = configuration };

	return create_system(__func__, &w, &options.Version, operation, computeSystem);
}

API HRESULT HcsCreateComputeSystemInNamespace(const char *idNamespace, const char *id, const char *configuration,
					      HCS_OPERATION operation, const HCS_CREATE_OPTIONS *options,
					      HCS_SYSTEM *computeSystem)
{
	struct wanted w = { .ns = idNamespace, .id = id, .document = configuration };

	return create_system(__func__, &w, options, operation, computeSystem);
}

API HRESULT HcsValidateConfiguration(const char *configuration, char **report)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct schema_system *doc;
	struct problems problems;
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	struct err e = { 0 };

	if (report)
		*report = NULL;
	if (FAILED(hr))
		return hr;
	if (!configuration)
		return call_end(&c, call_refuse(&c, E_INVALIDARG, "configuration: is NULL"));
	problems_init(&problems, &a);
	if (problems_parse_system(&problems, &a, configuration, &doc, &e) >= 0)
		return call_end(&c, S_OK);
	c.e = e;
	c.report = problems_report(&problems, &c, &e);
	if (report && c.report)
		*report = strdup(c.report);
	return call_end(&c, document_result(&e));
}
