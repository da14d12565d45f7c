/*
 * HcsSetServiceCallback(): the events of every system in the state directory. Each
 * shim is asked for them over a connection that holds nothing, so that no system
 * lives longer for it; inotify tells of new systems.
 *
 *	STATE            a new namespace
 *	STATE/NS         a new bundle
 *	STATE/NS/ID      its shim's address, until it is there
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "berth_shim.pb-c.h"
#include "clock.h"
#include "dir.h"
#include "fd.h"
#include "file.h"
#include "hcs.h"
#include "journal_left.h"
#include "json.h"
#include "library.h"
#include "proc.h"
#include "str.h"
#include "sys.h"
#include "ttrpc_client.h"
#include "watch_words.h"

enum { HISTORY_MS = 2000 }; /* a shim that is silent has none */
enum { AGAIN_MS = 1, AGAIN_MAX_MS = 64 }; /* twice as long each time; a life may take 30 ms */

struct followed { /* a bundle, and the connection to its shim */
	struct ttrpc_client client; /* first */
	struct followed *next;
	char *ns, *id;
	int wd; /* until there is an address; -1 */
	bool is_new; /* it came while we watched: its events from the first */
	bool connected, greeted, deleted, ended;
	uint64_t after, last; /* the latter when we greeted it */
	char *address;
	uint32_t pid; /* of the shim */
	struct source again; /* there is an address, but nobody at it yet */
	uint32_t again_ms;
};

struct namespace
{
	struct namespace *next;
	int wd;
	char name[];
};

static struct {
	int inotify;
	struct source src;
	int root_wd;
	struct namespace *namespaces;
	struct followed *list;
	bool from_first; /* what is kept of earlier events is wanted, too */
} watch = { .inotify = -1 };

static const char *state_dir(void)
{
	return engine_settings_of(lib.engine)->state;
}

/* ---- telling --------------------------------------------------------------------------- */

/* The event's own name, among all there ever were. */
static void write_cursor(struct jw *w, const char *ns, const char *id, const struct watch_fact *fact)
{
	OWN_SB struct sb b = SB_INIT;
	static char boot[PROC_BOOT_ID];

	if (!*boot && proc_boot_id(boot) < 0)
		return;
	sb_printf(&b, "%s/%s/%s-%u/%llu", ns, id, boot, fact->shim, (unsigned long long)fact->number);
	if (!b.failed)
		jw_kstr(w, "Cursor", b.s);
}

static void tell(const char *ns, const char *id, const struct watch_fact *fact)
{
	OWN_SB struct sb b = SB_INIT;
	char stamp[CLOCK_TEXT];
	struct jw w;

	if (!lib.service.cb.fn)
		return;
	clock_utc(&fact->at, 1, stamp);
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Namespace", ns);
	jw_kstr(&w, "SystemId", id);
	jw_kstr(&w, "Event", fact->event);
	jw_kstr(&w, "Timestamp", stamp);
	if (fact->pid)
		jw_kuint(&w, "ProcessId", fact->pid);
	if (fact->has_code)
		jw_kuint(&w, "ExitCode", fact->code);
	if (fact->number)
		write_cursor(&w, ns, id, fact);
	jw_end(&w);
	if (!b.failed)
		(void)notice_add(NULL, HcsEventServiceSystem, b.s, NULL);
}

/* ---- a shim ---------------------------------------------------------------------------- */

static void followed_free(struct followed *f)
{
	struct followed **at;

	for (at = &watch.list; *at && *at != f; at = &(*at)->next)
		;
	if (*at)
		*at = f->next;
	if (f->wd >= 0)
		(void)inotify_rm_watch(watch.inotify, f->wd);
	source_remove(&f->again);
	free(f->address);
	free(f->ns);
	free(f->id);
	free(f);
}

static void release(struct loop_owner *o)
{
	followed_free((struct followed *)((char *)o - offsetof(struct followed, client.conn.owner)));
}

static void forget(struct followed *f)
{
	if (!f->connected) {
		followed_free(f);
		return;
	}
	f->ended = true;
	ttrpc_client_close(&f->client); /* and released with its last source */
}

static void tell_event(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct followed *f = ctx;
	struct watch_fact fact;

	if (!watch_read(m, f->id, &fact))
		return;
	fact.number = number;
	fact.shim = f->pid;
	if (!strcmp(fact.event, "Deleted"))
		f->deleted = true;
	tell(f->ns, f->id, &fact);
}

/* What it did not come to say. */
static void read_left(struct followed *f)
{
	OWN_SB struct sb shims = SB_INIT, path = SB_INIT;

	if (!f->pid || (!f->greeted && !f->is_new && !watch.from_first))
		return;
	sb_printf(&shims, "%s/" ENGINE_SHIMS, state_dir());
	if (!shims.failed && journal_left_find(shims.s, f->address, f->pid, &path) >= 0)
		journal_left_tell(path.s, f->after, tell_event, f);
}

/* The shim has ended: in its order, after the task was deleted (its last events may
 * be in its journal alone); else it died. */
static void on_end(struct ttrpc_client *c)
{
	struct followed *f = (struct followed *)c;
	struct watch_fact lost = { .event = "Lost" };

	if (f->ended)
		return;
	f->ended = true;
	if (!f->deleted)
		read_left(f);
	clock_gettime(CLOCK_REALTIME, &lost.at);
	if (!f->deleted)
		tell(f->ns, f->id, &lost);
}

static void ask(struct followed *f);

static void take_events(struct followed *f, const Berth__Shim__V1__EventsResponse *m)
{
	for (size_t i = 0; i < m->n_events; i++) {
		f->after = m->events[i]->number;
		if (m->events[i]->envelope)
			tell_event(f, m->events[i]->number, m->events[i]->envelope);
	}
}

static void on_events(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct followed *f = ctx;
	Berth__Shim__V1__EventsResponse *m;

	if (r < 0 || f->ended)
		return; /* the connection has ended, or does soon */
	m = berth__shim__v1__events_response__unpack(NULL, a->len, a->payload);
	if (!m)
		return;
	take_events(f, m);
	berth__shim__v1__events_response__free_unpacked(m, NULL);
	ask(f);
}

static void call(struct followed *f, const char *method, const ProtobufCMessage *m,
		 void (*done)(void *ctx, int r, struct ttrpc_answer *a, const struct err *e))
{
	const struct ttrpc_request request = {
		.service = "berth.shim.v1.Shim",
		.method = method,
		.namespace = f->ns,
		.m = m,
		.done = done,
		.ctx = f,
	};
	struct err e;

	(void)ttrpc_client_call(&f->client, &request, &e);
}

static void ask(struct followed *f)
{
	Berth__Shim__V1__EventsRequest m = BERTH__SHIM__V1__EVENTS_REQUEST__INIT;

	m.after = f->after;
	call(f, "Events", &m.base, on_events);
}

static void on_hello(void *ctx, int r, struct ttrpc_answer *a, const struct err *e)
{
	struct followed *f = ctx;
	Berth__Shim__V1__HelloResponse *m;

	if (r < 0 || f->ended)
		return;
	m = berth__shim__v1__hello_response__unpack(NULL, a->len, a->payload);
	if (!m)
		return;
	f->greeted = true;
	f->last = m->last_event;
	f->pid = m->pid;
	f->after = f->is_new || watch.from_first ? 0 : f->last;
	berth__shim__v1__hello_response__free_unpacked(m, NULL);
	ask(f);
}

static bool connect_to(struct followed *f);

static uint32_t peer_of(const struct ttrpc_client *c)
{
	struct ucred cred;
	socklen_t n = sizeof cred;

	return sys_getsockopt(c->conn.fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 ? 0 : (uint32_t)cred.pid;
}

/* What has gone before we looked must not stand in the way of the next of its name. */
static void connect_or_forget(struct followed *f)
{
	if (!connect_to(f) && f->wd < 0 && !f->again.loop)
		followed_free(f);
}

/* As long as the bundle is there. */
static int on_again(struct source *s, uint32_t events)
{
	struct followed *f = (struct followed *)((char *)s - offsetof(struct followed, again));

	if (!f->connected)
		connect_or_forget(f);
	return 0;
}

/* Whether there is an address, and somebody at it. */
static bool connect_to(struct followed *f)
{
	Berth__Shim__V1__HelloRequest m = BERTH__SHIM__V1__HELLO_REQUEST__INIT;
	char path[PATH_MAX], address[256];
	struct err e;
	int n = snprintf(path, sizeof path, "%s/%s/%s/address", state_dir(), f->ns, f->id);

	if (n < 0 || (size_t)n >= sizeof path || file_read_line(AT_FDCWD, path, address, sizeof address) <= 0)
		return false;
	free(f->address);
	f->address = strdup(address);
	if (!f->address)
		return false;
	f->client.conn.owner.release = release;
	f->client.on_end = on_end;
	if (ttrpc_client_connect(&f->client, &lib.loop, address, &e) < 0) {
		if (!f->again.loop) {
			if (f->again_ms < AGAIN_MAX_MS)
				f->again_ms = f->again_ms ? 2 * f->again_ms : AGAIN_MS;
			(void)source_timer(&f->again, &lib.loop, f->again_ms, on_again);
		}
		return false;
	}
	source_remove(&f->again);
	f->connected = true;
	f->pid = peer_of(&f->client);
	if (f->wd >= 0)
		(void)inotify_rm_watch(watch.inotify, f->wd);
	f->wd = -1;
	m.version = 1;
	call(f, "Hello", &m.base, on_hello);
	return true;
}

/* ---- directories ----------------------------------------------------------------------- */

static struct followed *find_bundle(const char *ns, const char *id)
{
	struct followed *f;

	for (f = watch.list; f; f = f->next)
		if (!f->ended && !strcmp(f->id, id) && !strcmp(f->ns, ns))
			break;
	return f;
}

static void add_bundle(const char *ns, const char *id, bool is_new)
{
	struct followed *f;
	char path[PATH_MAX];

	if (*id == '.' || find_bundle(ns, id))
		return;
	f = calloc(1, sizeof *f);
	if (!f)
		return;
	f->wd = -1;
	f->client.conn.fd = -1;
	f->is_new = is_new;
	f->ns = strdup(ns);
	f->id = strdup(id);
	f->next = watch.list;
	watch.list = f;
	if (!f->ns || !f->id || snprintf(path, sizeof path, "%s/%s/%s", state_dir(), ns, id) >= (int)sizeof path) {
		followed_free(f);
		return;
	}
	/* First the watch, then the look: what comes in between is seen twice. */
	f->wd = sys_inotify_add_watch(watch.inotify, path,
				      IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_ONLYDIR);
	connect_or_forget(f);
}

/* Each directory in it that is none of the engine's own. */
static void each_directory(const char *path, void (*fn)(const char *parent, const char *name, bool is_new),
			   const char *parent, bool is_new)
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;

	while (fd >= 0 && (d = dir_next(&rd)))
		if (d->name[0] != '.')
			fn(parent, d->name, is_new);
}

static void add_namespace(const char *unused, const char *name, bool is_new)
{
	struct namespace *n;
	char path[PATH_MAX];

	for (n = watch.namespaces; n; n = n->next)
		if (!strcmp(n->name, name))
			return;
	if (*name == '.' || snprintf(path, sizeof path, "%s/%s", state_dir(), name) >= (int)sizeof path)
		return;
	n = malloc(sizeof *n + strlen(name) + 1);
	if (!n)
		return;
	strcpy(n->name, name);
	n->wd = sys_inotify_add_watch(watch.inotify, path, IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
	if (n->wd < 0) {
		free(n);
		return;
	}
	n->next = watch.namespaces;
	watch.namespaces = n;
	each_directory(path, add_bundle, n->name, is_new);
}

static void remove_namespace(int wd)
{
	for (struct namespace **at = &watch.namespaces; *at; at = &(*at)->next) {
		struct namespace *n = *at;

		if (n->wd != wd)
			continue;
		*at = n->next;
		free(n);
		return;
	}
}

static void forget_namespaces(void)
{
	while (watch.namespaces) {
		struct namespace *n = watch.namespaces;

		watch.namespaces = n->next;
		(void)inotify_rm_watch(watch.inotify, n->wd);
		free(n);
	}
}

/* The kernel had more to tell than it keeps: also that some are gone. */
static void look_again(void)
{
	struct followed *next;

	for (struct followed *f = watch.list; f; f = next) {
		next = f->next;
		if (!f->connected)
			followed_free(f);
	}
	forget_namespaces();
	each_directory(state_dir(), add_namespace, NULL, true);
}

static void on_change(const struct inotify_event *ev)
{
	bool over = ev->mask & (IN_DELETE_SELF | IN_IGNORED);

	if (ev->mask & IN_Q_OVERFLOW) {
		look_again();
		return;
	}
	if (ev->wd == watch.root_wd && ev->len)
		add_namespace(NULL, ev->name, true);
	for (struct namespace *n = watch.namespaces; n; n = n->next)
		if (n->wd == ev->wd && ev->len) {
			add_bundle(n->name, ev->name, true);
			return;
		}
	if (over)
		remove_namespace(ev->wd);
	for (struct followed *f = watch.list; f; f = f->next) {
		if (f->wd != ev->wd)
			continue;
		if (over) {
			f->wd = -1;
			if (!f->connected)
				followed_free(f); /* it was never made */
		} else if (ev->len && !strcmp(ev->name, "address")) {
			(void)connect_to(f);
		}
		return;
	}
}

static int on_inotify(struct source *s, uint32_t events)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n;

	while ((n = sys_read(watch.inotify, buf, sizeof buf)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(buf + at);

			on_change(ev);
			at += (ssize_t)(sizeof *ev + ev->len);
		}
	return 0;
}

/* ---- systems that are gone ------------------------------------------------------------- */

/* Its own journal, if the shim ends while we listen, is told when it has. */
static bool is_followed(const char *name)
{
	char own[256];

	for (const struct followed *f = watch.list; f; f = f->next) {
		const char *slash = f->connected ? strrchr(f->address, '/') : NULL;

		if (slash && snprintf(own, sizeof own, "%s.%u", slash + 1, f->pid) < (int)sizeof own &&
		    !strcmp(own, name))
			return true;
	}
	return false;
}

/* A shim may have had several tasks. */
static void on_gone_event(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	struct watch_fact fact;
	char *id = watch_task(m);

	if (id && watch_read(m, id, &fact)) {
		fact.number = number;
		fact.shim = *(const uint32_t *)ctx;
		tell(m->namespace_, id, &fact);
	}
	free(id);
}

static void on_gone(void *ctx, const char *path, const char *name)
{
	const char *dot = strrchr(name, '.');
	int64_t pid;
	uint32_t shim;

	if (!dot || parse_i64(dot + 1, &pid) < 0 || is_followed(name))
		return;
	shim = (uint32_t)pid;
	journal_left_tell(path, 0, on_gone_event, &shim);
}

/* Before the loop runs again: until then nobody that we have found is heard to end. */
static void tell_gone(void)
{
	OWN_SB struct sb shims = SB_INIT;

	sb_printf(&shims, "%s/" ENGINE_SHIMS, state_dir());
	if (!shims.failed)
		journal_left_each(shims.s, on_gone, NULL);
}

/* ---- begin and end --------------------------------------------------------------------- */

void watch_end(void)
{
	struct followed *next;

	if (watch.inotify < 0)
		return;
	source_remove(&watch.src);
	for (struct followed *f = watch.list; f; f = next) {
		next = f->next;
		f->wd = -1;
		forget(f);
	}
	forget_namespaces();
	fd_closep(&watch.inotify);
	watch.inotify = -1;
}

int watch_begin(struct err *e)
{
	OWN_FD made = -1;
	int r;

	if (watch.inotify >= 0)
		return 0;
	made = file_mkdirs(state_dir(), 0711, e);
	if (made < 0)
		return made;
	r = sys_inotify_init(IN_CLOEXEC | IN_NONBLOCK);
	if (r < 0)
		return err_sys(e, r, "watch '%s'", state_dir());
	watch.inotify = r;
	r = sys_inotify_add_watch(watch.inotify, state_dir(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (r >= 0) {
		watch.root_wd = r;
		r = source_fd(&watch.src, &lib.loop, watch.inotify, EPOLLIN, on_inotify);
	}
	if (r < 0) {
		fd_closep(&watch.inotify);
		watch.inotify = -1;
		return err_sys(e, r, "watch '%s'", state_dir());
	}
	each_directory(state_dir(), add_namespace, NULL, false);
	return 0;
}

/* Of each shim that we have found, and that answers. */
static bool has_history(void *ctx)
{
	for (const struct followed *f = watch.list; f; f = f->next)
		if (f->connected && !f->ended && !f->is_new && (!f->greeted || f->after < f->last))
			return false;
	return true;
}

API HRESULT HcsSetServiceCallback(HCS_EVENT_OPTIONS callbackOptions, const void *context, HCS_EVENT_CALLBACK callback)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);

	if (FAILED(hr))
		return hr;
	hr = check_callback_options(&c, callbackOptions & ~HcsEventOptionEnableHistory);
	if (SUCCEEDED(hr))
		hr = call_ready(&c);
	if (FAILED(hr))
		return call_end(&c, hr);
	watch.from_first = callback && callbackOptions & HcsEventOptionEnableHistory;
	if (watch.from_first || !callback)
		watch_end(); /* and from the first again */
	if (callback && watch_begin(&c.e) < 0)
		return call_end(&c, call_failed(&c));
	lib.service.cb = (struct callback){ callback, (void *)(uintptr_t)context, callbackOptions };
	if (watch.from_first) {
		tell_gone();
		lib_wait(has_history, NULL, clock_ms() + HISTORY_MS);
	}
	watch.from_first = false;
	while (lib.service.busy && !pthread_equal(lib.service.busy_by, pthread_self()))
		lib_await_change();
	return call_end(&c, S_OK);
}
