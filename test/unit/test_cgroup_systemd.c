/* The systemd driver: names, properties, and a whole life against a real
 * dbus-daemon with a systemd made up here. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "cgroup_systemd.h"
#include "cgroup_systemd_props.h"
#include "dbus.h"
#include "err.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

/* ---- names ------------------------------------------------------------ */

static void expands_slices(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "system.slice", "/system.slice" },
		{ "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice" },
		{ "-.slice", "" },
		{ ".slice", NULL },
		{ "a", NULL },
		{ "a--b.slice", NULL },
		{ "-a.slice", NULL },
		{ "a-.slice", NULL },
		{ "a/b.slice", NULL },
	};
	OWN_ARENA struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e;
		char *out;
		int r = cgroup_systemd_expand(&a, t[i].in, &out, &e);

		assert_int_equal(r, t[i].out ? 0 : -EINVAL);
		if (t[i].out)
			assert_string_equal(out, t[i].out);
	}
}

static void names_units(void **state)
{
	static const struct {
		const char *in;
		bool user;
		const char *name, *slice, *path;
	} t[] = {
		{ NULL, false, "berth-c1.scope", "system.slice", "/system.slice/berth-c1.scope" },
		{ "", true, "berth-c1.scope", "user.slice", "/user.slice/berth-c1.scope" },
		{ "machine.slice:libpod:x", false, "libpod-x.scope", "machine.slice",
		  "/machine.slice/libpod-x.scope" },
		{ "a-b.slice:cri:x", false, "cri-x.scope", "a-b.slice", "/a.slice/a-b.slice/cri-x.scope" },
		{ ":docker:x", false, "docker-x.scope", "system.slice", "/system.slice/docker-x.scope" },
		{ "::x", false, "x.scope", "system.slice", "/system.slice/x.scope" },
		{ "-.slice:p:x", false, "p-x.scope", "-.slice", "/p-x.scope" },
		{ "/a/b", false, NULL, NULL, NULL },
		{ "a:b", false, NULL, NULL, NULL },
		{ "a.slice:b:c:d", false, NULL, NULL, NULL },
		{ "a.slice:../..:c", false, NULL, NULL, NULL },
		{ "a.slice:b:c/d", false, NULL, NULL, NULL },
		{ "a.slice:b:c.slice", false, NULL, NULL, NULL },
		{ "a:b:c", false, NULL, NULL, NULL },
	};
	OWN_ARENA struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct cgroup_unit u;
		struct err e;
		int r = cgroup_systemd_unit(&a, t[i].in, "c1", t[i].user, &u, &e);

		if (!t[i].name) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(e.msg, "/linux/cgroupsPath"));
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(u.name, t[i].name);
		assert_string_equal(u.slice, t[i].slice);
		assert_string_equal(u.path, t[i].path);
	}
}

/* ---- properties ------------------------------------------------------- */

/* The elements of an a(sv) as "Name=value " text; only the types used. */
static void print_props(struct dbus_reader *r, size_t end, struct sb *out)
{
	while (!r->bad && r->at < end) {
		const char *name, *type;

		r->at = (r->at + 7) / 8 * 8;
		name = dbus_get_string(r);
		type = dbus_get_signature(r);
		sb_printf(out, "%s=", name);
		if (!strcmp(type, "s")) {
			sb_puts(out, dbus_get_string(r));
		} else if (!strcmp(type, "b")) {
			sb_puts(out, dbus_get_u32(r) ? "yes" : "no");
		} else if (!strcmp(type, "t")) {
			uint64_t v;

			r->at = (r->at + 7) / 8 * 8;
			assert_true(r->at + 8 <= r->len);
			memcpy(&v, r->p + r->at, 8);
			r->at += 8;
			sb_printf(out, "%lld", (long long)v);
		} else if (!strcmp(type, "au")) {
			assert_int_equal(dbus_get_u32(r), 4);
			sb_printf(out, "[%u]", dbus_get_u32(r));
		} else if (!strcmp(type, "ay")) {
			for (uint32_t n = dbus_get_u32(r); n; n--)
				sb_printf(out, "%02x", dbus_get_u8(r));
		} else if (!strcmp(type, "a(ss)")) {
			uint32_t n = dbus_get_u32(r);
			size_t stop;

			r->at = (r->at + 7) / 8 * 8;
			stop = r->at + n;
			while (!r->bad && r->at < stop) {
				r->at = (r->at + 7) / 8 * 8;
				sb_printf(out, "(%s", dbus_get_string(r));
				sb_printf(out, " %s)", dbus_get_string(r));
			}
		} else {
			fail_msg("type %s", type);
		}
		sb_putc(out, ' ');
	}
	assert_false(r->bad);
}

static char *props(struct arena *a, enum cgroup_mode mode, const struct spec_resources *res)
{
	OWN_SB struct sb b = SB_INIT, out = SB_INIT;
	struct cgroup_host host = { .mode = mode };
	struct dbus_reader r;
	struct err e;

	if (props_resources(&b, &host, res, &e) < 0)
		fail_msg("%s", e.msg);
	r = (struct dbus_reader){ .p = (const uint8_t *)b.s, .len = b.len };
	print_props(&r, b.len, &out);
	return arena_strdup(a, out.s ? out.s : "");
}

static void makes_properties(void **state)
{
	/* clang-format off */
	struct spec_device_rule rules[] = {
		{ false, 'a', -1, -1, true, true, true }, { true, 'c', 1, 3, true, true, true },
		{ true, 'c', 136, -1, true, true, false }, { true, 'b', -1, -1, false, false, true },
		{ true, 'c', -1, 5, true, false, false },
	};
	/* clang-format on */
	/* clang-format off */
	struct kv unified[] = { { (char *)"memory.high", (char *)"77" },
				{ (char *)"pids.max", (char *)"max" },
				{ (char *)"cpu.max", (char *)"15000 100000" },
				{ (char *)"memory.oom.group", (char *)"1" },
				{ (char *)"io.weight", (char *)"default 200" } };
	/* clang-format on */
	/* clang-format off */
	struct spec_resources r = {
		.memory = { .has_limit = true, .limit = 1000, .has_swap = true, .swap = 1500,
			    .has_reservation = true, .reservation = 400 },
		.cpu = { .has_shares = true, .shares = 1024, .has_quota = true, .quota = 33333,
			 .has_period = true, .period = 100000, .cpus = (char *)"0,9-10",
			 .mems = (char *)"0" },
		.has_pids = true, .pids_limit = 5,
		.block_io = { .has_weight = true, .weight = 10 },
		.devices = rules, .n_devices = 5,
	};
	/* clang-format on */
	OWN_ARENA struct arena a = ARENA_INIT;

	assert_string_equal(
		props(&a, CGROUP_V2, &r),
		"DevicePolicy=strict DeviceAllow=(/dev/char/1:3 rwm)(char-pts rw)(block-* m) "
		"MemoryMax=1000 MemoryLow=400 MemorySwapMax=500 CPUWeight=39 "
		"CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=340000 AllowedCPUs=0106 "
		"AllowedMemoryNodes=01 TasksMax=5 IOWeight=1 ");
	rules[0].allow = true;
	r.n_devices = 1;
	r.memory.limit = -1;
	r.pids_limit = -1;
	r.cpu = (struct spec_cpu){ .has_shares = true, .shares = 512, .has_quota = true, .quota = -1 };
	r.cpu.has_period = true;
	r.cpu.period = 50000;
	assert_string_equal(props(&a, CGROUP_V1, &r),
			    "DevicePolicy=auto DeviceAllow= MemoryLimit=-1 CPUShares=512 "
			    "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=-1 TasksMax=-1 "
			    "BlockIOWeight=10 ");
	r = (struct spec_resources){ .unified = unified, .n_unified = 5 };
	assert_string_equal(props(&a, CGROUP_V2, &r),
			    "MemoryHigh=77 TasksMax=-1 CPUQuotaPeriodUSec=100000 "
			    "CPUQuotaPerSecUSec=150000 IOWeight=200 ");
	r = (struct spec_resources){ .cpu = { .has_idle = true, .idle = 1, .has_shares = true, .shares = 1024 } };
	assert_string_equal(props(&a, CGROUP_V2, &r), "CPUWeight=0 ");
	r.cpu.idle = 0;
	assert_string_equal(props(&a, CGROUP_V2, &r), "CPUWeight=39 ");
	r.cpu.has_shares = false;
	assert_string_equal(props(&a, CGROUP_V2, &r), "CPUWeight=-1 ");
	r = (struct spec_resources){ .cpu = { .cpus = (char *)"0-" } };
	{
		OWN_SB struct sb b = SB_INIT;
		struct cgroup_host host = { .mode = CGROUP_V2 };

		assert_true(props_resources(&b, &host, &r, NULL) < 0);
		r.cpu.cpus = (char *)"0-99999999";
		assert_true(props_resources(&b, &host, &r, NULL) < 0);
	}
}

/* ---- a bus and a systemd ---------------------------------------------- */

struct world {
	char dir[64], address[192];
	pid_t daemon, systemd;
	int log; /* what the made-up systemd was asked, a line each */
};

static void send_message(struct dbus *b, enum dbus_type type, uint32_t reply_to, const char *to,
			 const char *error, const char *signature, const struct sb *body)
{
	struct {
		uint8_t code;
		const char *type, *value;
	} fields[] = {
		{ 1, "o", type == DBUS_SIGNAL ? "/org/freedesktop/systemd1" : NULL },
		{ 2, "s", type == DBUS_SIGNAL ? "org.freedesktop.systemd1.Manager" : NULL },
		{ 3, "s", type == DBUS_SIGNAL ? "JobRemoved" : NULL },
		{ 4, "s", error },
		{ 6, "s", to },
		{ 8, "g", signature },
	};
	OWN_SB struct sb m = SB_INIT;
	char head[4] = { 'l', (char)type, 0, 1 };
	size_t mark;

	sb_add(&m, head, 4);
	dbus_put_u32(&m, body ? (uint32_t)body->len : 0);
	dbus_put_u32(&m, ++b->serial);
	mark = dbus_put_array(&m, 8);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!fields[i].value)
			continue;
		dbus_put_align(&m, 8);
		sb_putc(&m, (char)fields[i].code);
		dbus_put_signature(&m, fields[i].type);
		if (*fields[i].type == 'g')
			dbus_put_signature(&m, fields[i].value);
		else
			dbus_put_string(&m, fields[i].value);
	}
	if (reply_to) {
		dbus_put_align(&m, 8);
		sb_putc(&m, 5);
		dbus_put_signature(&m, "u");
		dbus_put_u32(&m, reply_to);
	}
	dbus_end_array(&m, mark, 8);
	dbus_put_align(&m, 8);
	if (body)
		sb_add(&m, body->s, body->len);
	if (write(b->fd, m.s, m.len) != (ssize_t)m.len)
		_exit(9);
}

/* Who asked: the sender's unique name is not in struct dbus_message, but the
 * bus gives them in order, ":1.N", and there is one client at a time. So the
 * signals are sent to everybody who subscribed, and replies to the sender as
 * it is found in the raw header. */
static const char *sender_of(const struct dbus_message *m)
{
	const uint8_t *start = m->body;
	static char name[32];

	/* The sender is the only string ":1." of a header. */
	for (const uint8_t *p = start - 1; p > start - 512; p--)
		if (!memcmp(p, ":1.", 3)) {
			snprintf(name, sizeof name, "%s", (const char *)p);
			return name;
		}
	_exit(8);
}

static void job_removed(struct dbus *b, const char *path, const char *result)
{
	OWN_SB struct sb body = SB_INIT;

	dbus_put_u32(&body, 1);
	dbus_put_string(&body, path);
	dbus_put_string(&body, "some.scope");
	dbus_put_string(&body, result);
	send_message(b, DBUS_SIGNAL, 0, NULL, NULL, "uoss", &body);
}

/* Of ListUnitsByNames: as one of ours, made "now", unless its name says otherwise. */
static void put_unit(struct sb *body, const char *unit)
{
	size_t mark = dbus_put_array(body, 8);
	char description[128];

	snprintf(description, sizeof description, "berth container %s, made %s", unit,
		 strstr(unit, "foreign") ? "long ago" : "now");
	dbus_put_align(body, 8);
	dbus_put_string(body, unit);
	dbus_put_string(body, description);
	dbus_put_string(body, "loaded");
	dbus_put_string(body, strstr(unit, "absent") ? "inactive" : "active");
	for (int i = 0; i < 3; i++) /* sub state, followed unit, path */
		dbus_put_string(body, "/");
	dbus_put_u32(body, 0);
	dbus_put_string(body, "");
	dbus_put_string(body, "/");
	dbus_end_array(body, mark, 8);
}

static void answer(struct dbus *b, const struct dbus_message *m, const char *to, int log)
{
	struct dbus_reader r = { .p = m->body, .len = m->len };
	OWN_SB struct sb body = SB_INIT, line = SB_INIT;
	char member[64], unit[64] = "";
	uint32_t serial = m->serial;
	const char *path = "/org/freedesktop/systemd1/job/7";

	snprintf(member, sizeof member, "%s", m->member);
	if (!strcmp(m->signature, "as"))
		dbus_get_u32(&r);
	if (*m->signature == 's' || !strcmp(m->signature, "as"))
		snprintf(unit, sizeof unit, "%s", dbus_get_string(&r));
	sb_printf(&line, "%s %s ", member, unit);
	if (!strcmp(member, "StartTransientUnit")) {
		uint32_t n;

		dbus_get_string(&r);
		n = dbus_get_u32(&r);
		r.at = (r.at + 7) / 8 * 8;
		print_props(&r, r.at + n, &line);
	}
	sb_putc(&line, '\n');
	if (write(log, line.s, line.len) < 0)
		_exit(7);
	if (strstr(unit, "taken") && !strcmp(member, "StartTransientUnit")) {
		dbus_put_string(&body, "Unit taken.scope already exists.");
		send_message(b, DBUS_ERROR, serial, to, "org.freedesktop.systemd1.UnitExists", "s", &body);
	} else if (strstr(unit, "absent") && !strcmp(member, "StopUnit")) {
		dbus_put_string(&body, "Unit absent.scope not loaded.");
		send_message(b, DBUS_ERROR, serial, to, "org.freedesktop.systemd1.NoSuchUnit", "s", &body);
	} else if (!strcmp(member, "ListUnitsByNames")) {
		put_unit(&body, unit);
		send_message(b, DBUS_RETURN, serial, to, NULL, "a(ssssssouso)", &body);
	} else if (!strcmp(member, "Get")) {
		dbus_put_signature(&body, "s");
		dbus_put_string(&body, "/user.slice/user-7.slice/user@7.service");
		send_message(b, DBUS_RETURN, serial, to, NULL, "v", &body);
	} else if (!strcmp(member, "StartTransientUnit") || !strcmp(member, "StopUnit")) {
		dbus_put_string(&body, path);
		send_message(b, DBUS_RETURN, serial, to, NULL, "o", &body);
		job_removed(b, "/org/freedesktop/systemd1/job/6", "failed");
		if (!strstr(unit, "silent"))
			job_removed(b, path, strstr(unit, "fails") ? "failed" : "done");
	} else {
		send_message(b, DBUS_RETURN, serial, to, NULL, NULL, NULL);
	}
}

static int serve_one(const struct dbus_message *m, void *ctx)
{
	struct dbus_message *to = ctx;

	if (m->type != DBUS_CALL)
		return 0;
	*to = *m;
	return 1;
}

static void be_systemd(const char *bus, int ready, int log)
{
	struct dbus_call own = { "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
				 "RequestName", "su" };
	OWN_SB struct sb body = SB_INIT;
	struct dbus_message m;
	struct dbus b;

	if (dbus_open(&b, bus, DBUS_BUS, 5000) < 0)
		_exit(3);
	dbus_put_string(&body, "org.freedesktop.systemd1");
	dbus_put_u32(&body, 0);
	if (dbus_call(&b, &own, &body, &m, 5000) < 0)
		_exit(4);
	if (write(ready, "x", 1) != 1)
		_exit(5);
	while (dbus_wait(&b, serve_one, &m, 60000) == 0)
		answer(&b, &m, sender_of(&m), log);
	_exit(0);
}

/* A socket that is bound need not listen yet. */
static bool listens(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%.107s", path);
	r = connect(fd, (struct sockaddr *)&sa, sizeof sa);
	close(fd);
	return r == 0;
}

static int world_setup(void **state)
{
	static struct world w;
	char path[128], bus[128];
	int ready[2], log[2];
	FILE *f;
	char c;

	*state = &w;
	if (access("/usr/bin/dbus-daemon", X_OK) < 0)
		return 0;
	strcpy(w.dir, "/tmp/berth-dbus-XXXXXX");
	if (!mkdtemp(w.dir))
		return -1;
	snprintf(bus, sizeof bus, "%s/bus", w.dir);
	snprintf(path, sizeof path, "%s/conf", w.dir);
	f = fopen(path, "w");
	fprintf(f,
		"<busconfig><listen>unix:path=%s</listen><auth>EXTERNAL</auth>"
		"<policy context='default'><allow send_destination='*' eavesdrop='true'/>"
		"<allow eavesdrop='true'/><allow own='*'/><allow user='*'/></policy></busconfig>\n",
		bus);
	fclose(f);
	snprintf(path, sizeof path, "--config-file=%s/conf", w.dir);
	w.daemon = fork();
	if (w.daemon == 0) {
		execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", path, NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !listens(bus); i++)
		usleep(10000);
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(log, O_CLOEXEC) < 0)
		return -1;
	w.systemd = fork();
	if (w.systemd == 0)
		be_systemd(bus, ready[1], log[1]);
	close(ready[1]);
	close(log[1]);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	w.log = log[0];
	snprintf(w.address, sizeof w.address, "unix:path=%s,guid=0", bus);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", w.address, 1);
	setenv("DBUS_SESSION_BUS_ADDRESS", w.address, 1);
	return 0;
}

static int world_teardown(void **state)
{
	struct world *w = *state;
	char cmd[128];

	if (!w->daemon)
		return 0;
	kill(w->systemd, SIGTERM);
	kill(w->daemon, SIGTERM);
	waitpid(w->systemd, NULL, 0);
	waitpid(w->daemon, NULL, 0);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", w->dir);
	return system(cmd);
}

#define NEED_BUS(w)               \
	do {                      \
		if (!(w)->daemon) \
			skip();   \
	} while (0)

/* The next line that systemd logged. */
static const char *asked(struct world *w)
{
	static char buf[4096];
	size_t n = 0;

	while (n < sizeof buf - 1 && read(w->log, buf + n, 1) == 1 && buf[n] != '\n')
		n++;
	buf[n] = '\0';
	return buf;
}

static struct cgroup_unit unit(struct arena *a, const char *name, bool user)
{
	struct cgroup_unit u = { 0 };
	struct err e;

	assert_int_equal(cgroup_systemd_unit(a, arena_printf(a, "a-b.slice:p:%s", name), "x", user,
					     &u, &e),
			 0);
	u.made = "now";
	return u;
}

static void starts_and_stops(void **state)
{
	struct spec_resources r = { .memory = { .has_limit = true, .limit = 4096 } };
	struct cgroup_host host = { .mode = CGROUP_V2 };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct world *w = *state;
	struct cgroup_unit u;
	struct err e = { 0 };

	NEED_BUS(w);
	u = unit(&a, "c1", false);
	if (cgroup_systemd_start(&a, &u, &host, &r, 4711, &e) < 0)
		fail_msg("%s (%d)", e.msg, e.sys);
	assert_string_equal(asked(w), "Subscribe  ");
	assert_string_equal(asked(w),
			    "StartTransientUnit p-c1.scope Description=berth container p-c1.scope, made now "
			    "Slice=a-b.slice PIDs=[4711] Delegate=yes DefaultDependencies=no "
			    "MemoryAccounting=yes CPUAccounting=yes IOAccounting=yes "
			    "TasksAccounting=yes MemoryMax=4096 ");
	assert_string_equal(u.path, "/a.slice/a-b.slice/p-c1.scope");
	assert_int_equal(cgroup_systemd_update(&u, &host, &r, &e), 0);
	assert_string_equal(asked(w), "SetUnitProperties p-c1.scope ");
	assert_int_equal(cgroup_systemd_stop(&u, &e), 0);
	assert_string_equal(asked(w), "Subscribe  ");
	assert_string_equal(asked(w), "ListUnitsByNames p-c1.scope ");
	assert_string_equal(asked(w), "StopUnit p-c1.scope ");
	assert_string_equal(asked(w), "ResetFailedUnit p-c1.scope ");
	/* Its name is another's by now. */
	u = unit(&a, "foreign", false);
	assert_int_equal(cgroup_systemd_stop(&u, &e), 1);
	assert_string_equal((asked(w), asked(w)), "ListUnitsByNames p-foreign.scope ");
}

static void starts_for_a_user(void **state)
{
	struct cgroup_host host = { .mode = CGROUP_V2 };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_resources r = { 0 };
	struct world *w = *state;
	struct cgroup_unit u;
	struct err e = { 0 };

	NEED_BUS(w);
	u = unit(&a, "c2", true);
	assert_int_equal(cgroup_systemd_start(&a, &u, &host, &r, 1, &e), 0);
	assert_string_equal(u.path, "/user.slice/user-7.slice/user@7.service/a.slice/a-b.slice/"
				    "p-c2.scope");
	for (int i = 0; i < 3; i++)
		asked(w);
}

static void reports_failures(void **state)
{
	struct cgroup_host host = { .mode = CGROUP_V1 };
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_resources r = { 0 };
	struct world *w = *state;
	struct cgroup_unit u;
	struct err e = { 0 };

	NEED_BUS(w);
	u = unit(&a, "fails", false);
	assert_true(cgroup_systemd_start(&a, &u, &host, &r, 1, &e) < 0);
	assert_string_equal(e.msg, "start systemd unit 'p-fails.scope': got 'failed'");
	assert_string_equal((asked(w), asked(w), asked(w)), "ResetFailedUnit p-fails.scope ");
	u = unit(&a, "taken", false);
	assert_int_equal(cgroup_systemd_start(&a, &u, &host, &r, 1, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "org.freedesktop.systemd1.UnitExists: Unit taken.scope"));
	for (int i = 0; i < 4; i++) /* subscribe, start, reset, start: it is another's */
		asked(w);
	u = unit(&a, "absent", false);
	assert_int_equal(cgroup_systemd_stop(&u, &e), 0);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/no/such/bus", 1);
	assert_true(cgroup_systemd_start(&a, &u, &host, &r, 1, &e) < 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "systemd support for managing cgroups is not available"));
	setenv("DBUS_SYSTEM_BUS_ADDRESS", w->address, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_slices),
		cmocka_unit_test(names_units),
		cmocka_unit_test(makes_properties),
		cmocka_unit_test(starts_and_stops),
		cmocka_unit_test(starts_for_a_user),
		cmocka_unit_test(reports_failures),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
