/* modify: limits of a system. share: a directory of the host in one that runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "run.h"
#include "verbs_parts.h"

enum { MIB = 1 << 20, WHOLE_HOST = 10000 };

static int send(struct request *q, HCS_SYSTEM s, const char *document, struct err *e)
{
	OWN_OPERATION op = operation_new(e);

	return op ? finish(q, op, HcsModifyComputeSystem(s, op, document, -1), NULL, e) : -ENOMEM;
}

/* ---- requests ------------------------------------------------------------------------- */

struct change {
	struct sb b;
	struct jw w;
};

static void begin(struct change *c, const char *path, const char *type)
{
	c->b = (struct sb)SB_INIT;
	jw_init(&c->w, &c->b, NULL);
	jw_begin(&c->w, '{');
	jw_kstr(&c->w, "ResourcePath", path);
	jw_kstr(&c->w, "RequestType", type);
	jw_key(&c->w, "Settings");
}

static int send_change(struct request *q, HCS_SYSTEM s, struct change *c, struct err *e)
{
	int r;

	jw_end(&c->w);
	r = c->b.failed ? no_memory(e) : send(q, s, c->b.s, e);
	sb_done(&c->b);
	return r;
}

/* ---- modify ----------------------------------------------------------------------------- */

struct modify_flags {
	struct common common;
	const char *file, *memory, *cpus;
	int64_t weight;
};

static const struct option_def modify_options[] = {
	OPTION("memory", 'm', OPT_STRING, struct modify_flags, memory, NULL, "memory limit (\"64m\")"),
	OPTION("cpus", 0, OPT_STRING, struct modify_flags, cpus, NULL, "CPUs it may use (\"1.5\")"),
	OPTION("cpu-weight", 0, OPT_INT, struct modify_flags, weight, NULL,
	       "its weight beside others, 1 to 10000; one that has none counts as 5000"),
	OPTION("file", 'f', OPT_STRING, struct modify_flags, file, NULL,
	       "a ModifySettingRequest instead; '-' is standard input"),
	COMMON_FLAGS(struct modify_flags),
	{ 0 },
};

static int set_memory(struct request *q, HCS_SYSTEM s, const char *words, struct err *e)
{
	struct change c;
	int64_t bytes = 0;

	bytes_parse(words, &bytes); /* looked at in check() */
	begin(&c, "Container/Memory/SizeInMB", "Update");
	jw_int(&c.w, bytes / MIB);
	return send_change(q, s, &c, e);
}

static int set_processor(struct request *q, HCS_SYSTEM s, const struct modify_flags *f, struct err *e)
{
	struct change c;
	double n = 0;

	begin(&c, "Container/Processor", "Update");
	jw_begin(&c.w, '{');
	if (f->weight) {
		jw_kint(&c.w, "Weight", f->weight);
	} else {
		cpus_parse(f->cpus, &n);
		put_cpus(&c.w, n);
	}
	jw_end(&c.w);
	return send_change(q, s, &c, e);
}

static int check(struct request *q, const struct modify_flags *f, struct err *e)
{
	int64_t bytes;
	double n;

	if (!f->file && !f->memory && !f->cpus && !f->weight)
		return bad_usage(q, e, "needs a flag that says what to change");
	if (f->file && (f->memory || f->cpus || f->weight))
		return bad_usage(q, e, "with -f the document alone says what to change");
	if (f->memory && (bytes_parse(f->memory, &bytes) < 0 || bytes <= 0 || bytes % MIB))
		return bad_usage(q, e, "--memory '%s' is no number of whole MiB", f->memory);
	if (f->cpus && cpus_parse(f->cpus, &n) < 0)
		return bad_usage(q, e, "--cpus '%s' is no number of processors", f->cpus);
	if (f->cpus && f->weight)
		return bad_usage(q, e, "--cpus and --cpu-weight exclude each other");
	if (f->weight < 0 || f->weight > WHOLE_HOST)
		return bad_usage(q, e, "--cpu-weight is 1 to %d", WHOLE_HOST);
	return 0;
}

static int modify_run(struct request *q, void *options, struct err *e)
{
	const struct modify_flags *f = options;
	OWN_SYSTEM s = NULL;
	char *document = NULL;
	int r = check(q, f, e);

	if (r == 0 && f->file)
		r = read_document(q, f->file, &document, e);
	if (r == 0)
		r = open_system(q, q->args[0], &s, e);
	if (r == 0 && document)
		r = send(q, s, document, e);
	if (r == 0 && f->memory)
		r = set_memory(q, s, f->memory, e);
	if (r == 0 && (f->cpus || f->weight))
		r = set_processor(q, s, f, e);
	return r < 0 ? r : show_system(q, s, e);
}

const struct verb verb_modify = {
	.name = "modify",
	.summary = "change the limits of a system, also of one that runs",
	.usage = "[--memory <size>] [--cpus <n>] <id>",
	.options = modify_options,
	.options_size = sizeof(struct modify_flags),
	.min_args = 1,
	.max_args = 1,
	.run = modify_run,
};

/* ---- share ------------------------------------------------------------------------------- */

struct share_flags {
	struct common common;
	bool read_only, remove, uvm, as_user;
	int64_t port;
};

static const struct option_def share_options[] = {
	OPTION("readonly", 0, OPT_BOOL, struct share_flags, read_only, NULL,
	       "the system cannot write there, and to nothing that is mounted below"),
	OPTION("remove", 0, OPT_BOOL, struct share_flags, remove, NULL, "take away what was shared: <id> <cdir>"),
	OPTION("uvm", 0, OPT_BOOL, struct share_flags, uvm, NULL, NULL),
	OPTION("asuser", 0, OPT_BOOL, struct share_flags, as_user, NULL, NULL),
	OPTION("port", 0, OPT_INT, struct share_flags, port, NULL, NULL),
	COMMON_FLAGS(struct share_flags),
	{ 0 },
};

static int add(struct request *q, HCS_SYSTEM s, const char *host, bool read_only, struct err *e)
{
	struct change c;

	begin(&c, "Container/MappedDirectories", "Add");
	jw_begin(&c.w, '{');
	jw_kstr(&c.w, "HostPath", host);
	jw_kstr(&c.w, "ContainerPath", q->args[2]);
	jw_kbool(&c.w, "ReadOnly", read_only);
	jw_end(&c.w);
	return send_change(q, s, &c, e);
}

static int take_away(struct request *q, HCS_SYSTEM s, struct err *e)
{
	struct change c;

	begin(&c, "Container/MappedDirectories", "Remove");
	jw_begin(&c.w, '{');
	jw_kstr(&c.w, "ContainerPath", q->args[1]);
	jw_end(&c.w);
	return send_change(q, s, &c, e);
}

static int share_run(struct request *q, void *options, struct err *e)
{
	const struct share_flags *f = options;
	const char *host = NULL;
	OWN_SYSTEM s = NULL;
	int r = 0;

	if (q->n_args != (f->remove ? 2 : 3))
		return bad_usage(q, e, f->remove ? "--remove takes <id> <cdir>" : "takes <id> <hostdir> <cdir>");
	if (f->uvm || f->as_user || f->port)
		return not_supported(q, e, "-uvm, -asuser and -port: there is no utility VM");
	if (!f->remove)
		r = host_path(q, q->args[1], &host, e);
	if (r == 0)
		r = open_system(q, q->args[0], &s, e);
	if (r == 0)
		r = f->remove ? take_away(q, s, e) : add(q, s, host, f->read_only, e);
	return r < 0 ? r : show_system(q, s, e);
}

const struct verb verb_share = {
	.name = "share",
	.summary = "let a system see a directory of the host, from now on",
	.usage = "[--readonly] <id> <hostdir> <cdir>\n   " PROGRAM " share --remove <id> <cdir>",
	.options = share_options,
	.options_size = sizeof(struct share_flags),
	.min_args = 2,
	.max_args = 3,
	.run = share_run,
};

/* ---- what hcsdiag has besides ------------------------------------------------------------- */

static int crash_run(struct request *q, void *options, struct err *e)
{
	OWN_SYSTEM s = NULL;
	int r = open_system(q, q->args[0], &s, e);

	return r < 0 ? r : call_simple(q, s, HcsCrashComputeSystem, NULL, e);
}

const struct verb verb_crash = {
	.name = "crash",
	.summary = "not supported: a container has no kernel of its own",
	.usage = "<id>",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = crash_run,
};

struct vhd_flags {
	struct common common;
	bool uvm;
};

static const struct option_def vhd_options[] = {
	OPTION("uvm", 0, OPT_BOOL, struct vhd_flags, uvm, NULL, NULL),
	COMMON_FLAGS(struct vhd_flags),
	{ 0 },
};

static int vhd_run(struct request *q, void *options, struct err *e)
{
	return not_supported(q, e, "there are no virtual disks; 'share' takes directories");
}

const struct verb verb_vhd = {
	.name = "vhd",
	.summary = "not supported: there are no virtual disks",
	.usage = "<id> <hostvhd> <cdir>",
	.options = vhd_options,
	.options_size = sizeof(struct vhd_flags),
	.max_args = -1,
	.hidden = true,
	.run = vhd_run,
};
