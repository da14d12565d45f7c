/* Scopes made by systemd; see cgroup_systemd.h. */
#include "cgroup_systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "cgroup_systemd_props.h"
#include "dbus.h"
#include "err.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

enum { CALL_MS = 10000, JOB_MS = 30000, MAX_UNIT = 255, MAX_DESCRIPTION = 400, IDLE_SINCE = 252 };

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
#define INTERFACE "org.freedesktop.systemd1.Manager"

/* ---- names ------------------------------------------------------------ */

/* "a-b.slice" is in "a.slice"; "-.slice" is the root. */
int cgroup_systemd_expand(struct arena *a, const char *slice, char **ret, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	size_t n = strlen(slice);

	if (!str_ends(slice, ".slice") || n > MAX_UNIT || strchr(slice, '/') || n == 6)
		goto invalid;
	n -= strlen(".slice");
	sb_puts(&b, "");
	for (size_t i = 0; i <= n && !(n == 1 && slice[0] == '-'); i++) {
		if (i < n && slice[i] != '-')
			continue;
		if (i == 0 || slice[i - 1] == '-')
			goto invalid;
		sb_printf(&b, "/%.*s.slice", (int)i, slice);
	}
	*ret = b.failed ? NULL : arena_strdup(a, b.s ? b.s : "");
	return *ret ? 0 : err_sys(e, -ENOMEM, "slice '%s'", slice);
invalid:
	return err_set(e, ERR_INVALID, 0, "/linux/cgroupsPath: invalid slice name '%s'", slice);
}

int cgroup_systemd_unit(struct arena *a, const char *cgroups_path, const char *id, bool user,
			struct cgroup_unit *ret, struct err *e)
{
	char *copy = arena_strdup(a, str_empty(cgroups_path) ? "::" : cgroups_path), *dir;
	const char *slice, *prefix, *name;
	int r;

	if (!copy)
		return err_sys(e, -ENOMEM, "choose the cgroup");
	slice = strsep(&copy, ":");
	prefix = strsep(&copy, ":");
	name = strsep(&copy, ":");
	if (!name || copy)
		return err_set(e, ERR_INVALID, 0,
			       "/linux/cgroupsPath: expected cgroupsPath to be of format "
			       "\"slice:prefix:name\" for systemd cgroups, got \"%s\" instead",
			       cgroups_path);
	if (str_empty(slice))
		slice = user ? "user.slice" : "system.slice";
	if (str_empty(cgroups_path))
		prefix = "berth";
	if (str_empty(name))
		name = id;
	if (strchr(prefix, '/') || strchr(name, '/') || str_ends(name, ".slice"))
		return err_set(e, ERR_INVALID, 0, "/linux/cgroupsPath: '%s' names no scope",
			       cgroups_path);
	r = cgroup_systemd_expand(a, slice, &dir, e);
	if (r < 0)
		return r;
	ret->user = user;
	ret->made = NULL;
	ret->slice = slice;
	ret->name = arena_printf(a, "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
	ret->path = ret->name ? arena_printf(a, "%s/%s", dir, ret->name) : NULL;
	return ret->path ? 0 : err_sys(e, -ENOMEM, "choose the cgroup");
}

/* ---- the connection --------------------------------------------------- */

/* "unix:path=/run/x,guid=..." -> "/run/x"; other transports are none of ours. */
static bool address_path(const char *address, char *buf, size_t cap)
{
	const char *p = address ? strstr(address, "unix:path=") : NULL;

	if (!p)
		return false;
	p += strlen("unix:path=");
	snprintf(buf, cap, "%.*s", (int)strcspn(p, ",;"), p);
	return true;
}

static int open_user_bus(struct dbus *b)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[108];

	if (address_path(getenv("DBUS_SESSION_BUS_ADDRESS"), path, sizeof path))
		return dbus_open(b, path, DBUS_BUS, CALL_MS);
	if (str_empty(dir))
		snprintf(path, sizeof path, "/run/user/%u/bus", (unsigned)geteuid());
	else
		snprintf(path, sizeof path, "%.90s/bus", dir);
	return dbus_open(b, path, DBUS_BUS, CALL_MS);
}

/* Early at boot there is a systemd and no bus yet: then its own socket. */
static int open_system_bus(struct dbus *b)
{
	char path[108] = "/run/dbus/system_bus_socket";
	int r;

	address_path(getenv("DBUS_SYSTEM_BUS_ADDRESS"), path, sizeof path);
	r = dbus_open(b, path, DBUS_BUS, CALL_MS);
	if ((r == -ENOENT || r == -ECONNREFUSED) && geteuid() == 0)
		r = dbus_open(b, "/run/systemd/private", DBUS_PEER, CALL_MS);
	return r;
}

static int connect_to(struct dbus *b, bool user, struct err *e)
{
	int r = user ? open_user_bus(b) : open_system_bus(b);

	if (r < 0)
		return err_set(e, ERR_UNSUPPORTED, r,
			       "systemd cgroup flag passed, but systemd support for managing "
			       "cgroups is not available: connect to the %s bus",
			       user ? "user" : "system");
	return 0;
}

static int failed(const struct dbus *b, int r, const char *what, const char *unit, struct err *e)
{
	if (r == -EREMOTEIO)
		return err_set(e, ERR_INTERNAL, r, "%s systemd unit '%s': %s", what, unit, b->error);
	return err_sys(e, r, "%s systemd unit '%s'", what, unit);
}

/* Before a job is started, or its end may pass unheard. */
static int subscribe(struct dbus *b, struct err *e)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "Subscribe", NULL };
	struct dbus_message m;
	int r;

	/* A peer has no matches (and says so); it sends everything. */
	r = dbus_add_match(b,
			   "type='signal',path='/org/freedesktop/systemd1',"
			   "interface='" INTERFACE "',member='JobRemoved'",
			   CALL_MS);
	if (r == 0 || r == -EREMOTEIO)
		r = dbus_call(b, &c, NULL, &m, CALL_MS);
	return r < 0 ? failed(b, r, "subscribe for", "*", e) : 0;
}

/* ---- jobs ------------------------------------------------------------- */

struct job {
	char path[128];
	char result[32];
};

/* JobRemoved(u id, o job, s unit, s result) */
static int is_removal(const struct dbus_message *m, void *ctx)
{
	struct dbus_reader r = { .p = m->body, .len = m->len };
	struct job *job = ctx;
	const char *path, *result;

	if (m->type != DBUS_SIGNAL || strcmp(m->member, "JobRemoved") != 0 ||
	    strcmp(m->interface, INTERFACE) != 0 || strcmp(m->signature, "uoss") != 0)
		return 0;
	dbus_get_u32(&r);
	path = dbus_get_string(&r);
	dbus_get_string(&r);
	result = dbus_get_string(&r);
	if (r.bad || strcmp(path, job->path) != 0)
		return 0;
	snprintf(job->result, sizeof job->result, "%s", result);
	return 1;
}

/* A call that returns a job, and the job's end. 1: done, 0: it failed. */
static int run_job(struct dbus *b, const struct dbus_call *c, const struct sb *body,
		   struct job *job)
{
	struct dbus_message m;
	struct dbus_reader r;
	int n = dbus_call(b, c, body, &m, CALL_MS);

	if (n < 0)
		return n;
	r = (struct dbus_reader){ .p = m.body, .len = m.len };
	snprintf(job->path, sizeof job->path, "%s", dbus_get_string(&r));
	if (r.bad || strcmp(m.signature, "o") != 0)
		return -EPROTO;
	n = dbus_wait(b, is_removal, job, JOB_MS);
	return n < 0 ? n : !strcmp(job->result, "done");
}

static int reset_failed(struct dbus *b, const char *unit)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "ResetFailedUnit", "s" };
	OWN_SB struct sb body = SB_INIT;
	struct dbus_message m;

	dbus_put_string(&body, unit);
	return dbus_call(b, &c, &body, &m, CALL_MS);
}

/* ---- start ------------------------------------------------------------ */

/* Also what tells it from somebody else's of that name. */
static void describe(const struct cgroup_unit *u, char buf[MAX_DESCRIPTION])
{
	snprintf(buf, MAX_DESCRIPTION, "berth container %s%s%s", u->name, u->made ? ", made " : "",
		 u->made ? u->made : "");
}

static int start_body(struct sb *body, const struct cgroup_unit *u, const struct cgroup_host *host,
		      const struct spec_resources *r, pid_t pid, struct err *e)
{
	char description[MAX_DESCRIPTION];
	size_t mark;
	int n;

	describe(u, description);
	dbus_put_string(body, u->name);
	dbus_put_string(body, "replace");
	mark = dbus_put_array(body, 8);
	prop_string(body, "Description", description);
	prop_string(body, "Slice", u->slice);
	if (pid > 0)
		prop_u32s(body, "PIDs", (uint32_t)pid);
	prop_bool(body, "Delegate", true);
	prop_bool(body, "DefaultDependencies", false);
	prop_bool(body, "MemoryAccounting", true);
	prop_bool(body, "CPUAccounting", true);
	prop_bool(body, host->mode == CGROUP_V2 ? "IOAccounting" : "BlockIOAccounting", true);
	prop_bool(body, "TasksAccounting", true);
	n = props_resources(body, host, r, e);
	if (n < 0)
		return n;
	dbus_end_array(body, mark, 8);
	/* a(sa(sv)): no further units */
	mark = dbus_put_array(body, 8);
	dbus_end_array(body, mark, 8);
	return body->failed ? err_sys(e, -ENOMEM, "start systemd unit '%s'", u->name) : 0;
}

/* A string of the manager's; it lives until the next message. */
static int get_property(struct dbus *b, const char *name, const char **ret)
{
	static const struct dbus_call c = { MANAGER, "org.freedesktop.DBus.Properties", "Get", "ss" };
	OWN_SB struct sb body = SB_INIT;
	struct dbus_message m;
	struct dbus_reader r;
	int n;

	dbus_put_string(&body, INTERFACE);
	dbus_put_string(&body, name);
	n = dbus_call(b, &c, &body, &m, CALL_MS);
	if (n < 0)
		return n;
	r = (struct dbus_reader){ .p = m.body, .len = m.len };
	*ret = strcmp(dbus_get_signature(&r), "s") == 0 ? dbus_get_string(&r) : "";
	return r.bad ? -EPROTO : 0;
}

/* A user's manager sits somewhere below /user.slice, and its slices below it. */
static int find_manager_cgroup(struct dbus *b, struct arena *a, struct cgroup_unit *u,
			       struct err *e)
{
	const char *own;
	int n = get_property(b, "ControlGroup", &own);

	if (n < 0)
		return failed(b, n, "find the manager of", u->name, e);
	if (*own != '/' || strstr(own, ".."))
		return err_set(e, ERR_INTERNAL, -EPROTO, "systemd's own cgroup '%s'", own);
	u->path = arena_printf(a, "%s%s", strcmp(own, "/") ? own : "", u->path);
	return u->path ? 0 : err_sys(e, -ENOMEM, "start systemd unit '%s'", u->name);
}

/* An idle cgroup is something that systemd knows, and would undo otherwise, since
 * IDLE_SINCE; an older one refuses it. */
static int check_idle(struct dbus *b, const struct cgroup_unit *u, struct spec_resources *r,
		      struct err *e)
{
	const char *version;
	int n;

	for (size_t i = 0; i < r->n_unified; i++)
		if (!strcmp(r->unified[i].key, "cpu.idle") && !strcmp(r->unified[i].value, "1")) {
			r->cpu.has_idle = true;
			r->cpu.idle = 1;
		}
	if (!r->cpu.has_idle)
		return 0;
	n = get_property(b, "Version", &version);
	if (n < 0)
		return failed(b, n, "find the manager of", u->name, e);
	r->cpu.has_idle = strtoul(version + strcspn(version, "0123456789"), NULL, 10) >= IDLE_SINCE;
	return 0;
}

static int start_scope(struct dbus *b, const struct cgroup_unit *u, const struct sb *body,
		       struct err *e)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "StartTransientUnit", "ssa(sv)a(sa(sv))" };
	struct job job = { .result = "no answer" };
	int r = run_job(b, &c, body, &job);

	/* A failed unit of that name may be left over: forget it, try once more. */
	if (r == -EREMOTEIO && strstr(b->error, "UnitExists")) {
		reset_failed(b, u->name);
		r = run_job(b, &c, body, &job);
	}
	if (r > 0)
		return 0;
	if (r == -EREMOTEIO && strstr(b->error, "UnitExists"))
		return err_set(e, ERR_EXISTS, -EEXIST, "start systemd unit '%s': %s", u->name, b->error);
	if (r < 0)
		failed(b, r, "start", u->name, e);
	else
		r = err_set(e, ERR_INTERNAL, -EIO, "start systemd unit '%s': got '%s'", u->name,
			    job.result);
	reset_failed(b, u->name);
	return r;
}

int cgroup_systemd_start(struct arena *a, struct cgroup_unit *u, const struct cgroup_host *host,
			 const struct spec_resources *r, pid_t pid, struct err *e)
{
	__attribute__((cleanup(dbus_close))) struct dbus b = { .fd = -1 };
	OWN_SB struct sb body = SB_INIT;
	struct spec_resources known = *r;
	int n = connect_to(&b, u->user, e);

	if (n == 0)
		n = subscribe(&b, e);
	if (n == 0 && u->user)
		n = find_manager_cgroup(&b, a, u, e);
	if (n == 0)
		n = check_idle(&b, u, &known, e);
	if (n == 0)
		n = start_body(&body, u, host, &known, pid, e);
	return n < 0 ? n : start_scope(&b, u, &body, e);
}

int cgroup_systemd_enter(struct arena *a, const struct cgroup_host *host, struct err *e)
{
	static const struct spec_resources none;
	char id[16];
	struct cgroup_unit u;
	int r;

	snprintf(id, sizeof id, "%d", (int)getpid());
	r = cgroup_systemd_unit(a, ":berth-caller:", id, true, &u, e);
	return r < 0 ? r : cgroup_systemd_start(a, &u, host, &none, getpid(), e);
}

/* ---- update and stop -------------------------------------------------- */

int cgroup_systemd_update(const struct cgroup_unit *u, const struct cgroup_host *host,
			  const struct spec_resources *r, struct err *e)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "SetUnitProperties", "sba(sv)" };
	__attribute__((cleanup(dbus_close))) struct dbus b = { .fd = -1 };
	OWN_SB struct sb body = SB_INIT;
	struct spec_resources known = *r;
	struct dbus_message m;
	size_t mark;
	int n = connect_to(&b, u->user, e);

	if (n == 0)
		n = check_idle(&b, u, &known, e);
	if (n < 0)
		return n;
	dbus_put_string(&body, u->name);
	dbus_put_u32(&body, true); /* runtime: not beyond the next boot */
	mark = dbus_put_array(&body, 8);
	n = props_resources(&body, host, &known, e);
	if (n < 0)
		return n;
	dbus_end_array(&body, mark, 8);
	n = dbus_call(&b, &c, &body, &m, CALL_MS);
	return n < 0 ? failed(&b, n, "update", u->name, e) : 0;
}

/* 1: a unit of that name is there which we did not start; 0, -errno. */
static int is_anothers(struct dbus *b, const struct cgroup_unit *u)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "ListUnitsByNames", "as" };
	OWN_SB struct sb body = SB_INIT;
	char ours[MAX_DESCRIPTION];
	const char *description, *active;
	struct dbus_message m;
	struct dbus_reader r;
	size_t mark = dbus_put_array(&body, 4);
	int n;

	dbus_put_string(&body, u->name);
	dbus_end_array(&body, mark, 4);
	n = dbus_call(b, &c, &body, &m, CALL_MS);
	if (n < 0)
		return n;
	/* a(ssssssouso): name, description, load state, active state, ... */
	r = (struct dbus_reader){ .p = m.body, .len = m.len };
	dbus_get_u32(&r);
	r.at = 8;
	dbus_get_string(&r);
	description = dbus_get_string(&r);
	dbus_get_string(&r);
	active = dbus_get_string(&r);
	if (r.bad || strcmp(m.signature, "a(ssssssouso)") != 0)
		return -EPROTO;
	describe(u, ours);
	return strcmp(active, "inactive") != 0 && strcmp(description, ours) != 0;
}

int cgroup_systemd_stop(const struct cgroup_unit *u, struct err *e)
{
	static const struct dbus_call c = { MANAGER, INTERFACE, "StopUnit", "ss" };
	__attribute__((cleanup(dbus_close))) struct dbus b = { .fd = -1 };
	OWN_SB struct sb body = SB_INIT;
	struct job job;
	int r = connect_to(&b, u->user, e);

	if (r == 0)
		r = subscribe(&b, e);
	if (r < 0)
		return r;
	r = is_anothers(&b, u);
	if (r)
		return r < 0 ? failed(&b, r, "look at", u->name, e) : r;
	dbus_put_string(&body, u->name);
	dbus_put_string(&body, "replace");
	r = run_job(&b, &c, &body, &job);
	/* A scope goes by itself when its last process does. */
	if (r == -EREMOTEIO && strstr(b.error, "NoSuchUnit"))
		return 0;
	if (r < 0)
		failed(&b, r, "stop", u->name, e);
	reset_failed(&b, u->name);
	return r < 0 ? r : 0;
}
