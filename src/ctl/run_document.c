/* Flags of run -> the document of a system: ComputeSystem of schema 2. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "mount_flag.h"
#include "run.h"

enum { MIB = 1 << 20, WHOLE_HOST = 10000 };

static int memory(struct request *q, struct jw *w, const char *s, struct err *e)
{
	int64_t bytes;

	if (!s)
		return 0;
	if (bytes_parse(s, &bytes) < 0 || bytes <= 0 || bytes % MIB)
		return bad_usage(q, e, "--memory '%s' is no number of whole MiB", s);
	jw_kbegin(w, "Memory", '{');
	jw_kint(w, "SizeInMB", bytes / MIB);
	jw_end(w);
	return 0;
}

void put_cpus(struct jw *w, double n)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	double share = n / (double)(host > 0 ? host : 1) * WHOLE_HOST + 0.5;

	if (n == (double)(int64_t)n)
		jw_kint(w, "Count", (int64_t)n);
	else
		jw_kint(w, "Maximum", share < 1 ? 1 : share > WHOLE_HOST ? WHOLE_HOST : (int64_t)share);
}

static int cpus(struct request *q, struct jw *w, const char *s, struct err *e)
{
	double n;

	if (!s)
		return 0;
	if (cpus_parse(s, &n) < 0)
		return bad_usage(q, e, "--cpus '%s' is no number of processors", s);
	jw_kbegin(w, "Processor", '{');
	put_cpus(w, n);
	jw_end(w);
	return 0;
}

static int mount_options(struct request *q, const struct mount_flag *m, bool *read_only, const char *flag,
			 struct err *e)
{
	*read_only = false;
	for (size_t i = 0; i < m->n_options; i++) {
		if (strcmp(m->options[i], "ro") != 0 && strcmp(m->options[i], "rw") != 0)
			return bad_usage(q, e, "--mount '%s': '%s' is not ro or rw", flag, m->options[i]);
		*read_only = !strcmp(m->options[i], "ro");
	}
	return 0;
}

static int mount(struct request *q, struct jw *w, const char *flag, struct err *e)
{
	char *copy = arena_strdup(q->arena, flag);
	const char *source;
	struct mount_flag m;
	bool read_only;
	int r;

	if (!copy)
		return no_memory(e);
	if (mount_flag_parse(copy, &m) < 0 || strcmp(m.type, "bind") != 0)
		return bad_usage(q, e, "--mount '%s' is not SRC:DST[:ro]", flag);
	r = mount_options(q, &m, &read_only, flag, e);
	if (r < 0)
		return r;
	r = host_path(q, m.source, &source, e);
	if (r < 0)
		return r;
	jw_begin(w, '{');
	jw_kstr(w, "HostPath", source);
	jw_kstr(w, "ContainerPath", m.target);
	jw_kbool(w, "ReadOnly", read_only);
	jw_end(w);
	return 0;
}

static int mounts(struct request *q, struct jw *w, const struct option_list *l, struct err *e)
{
	int r = 0;

	if (!l->n)
		return 0;
	jw_kbegin(w, "MappedDirectories", '[');
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = mount(q, w, l->v[i], e);
	jw_end(w);
	return r;
}

static int network(struct request *q, struct jw *w, const char *net, struct err *e)
{
	const char *ns = net;

	if (!net || !strcmp(net, "none"))
		return 0;
	if (!strcmp(net, "host"))
		ns = arena_printf(q->arena, "/proc/%d/ns/net", (int)getpid());
	if (!ns)
		return no_memory(e);
	jw_kbegin(w, "Networking", '{');
	jw_kstr(w, "Namespace", ns);
	jw_end(w);
	return 0;
}

static int first_process(struct request *q, struct jw *w, const struct run_flags *f, char *const *command,
			 struct err *e)
{
	const char *text = process_document(q, &f->p, command, e);
	struct json_doc doc;
	int r = text ? json_parse(q->arena, text, strlen(text), "process", &doc, e) : -EINVAL;

	if (r < 0)
		return r;
	jw_key(w, "Process");
	jw_value(w, doc.root);
	return 0;
}

static int container(struct request *q, struct jw *w, const struct run_flags *f, char *const *command,
		     struct err *e)
{
	const char *rootfs;
	int r = host_path(q, f->rootfs, &rootfs, e);

	if (r < 0)
		return r;
	jw_kbegin(w, "Container", '{');
	if (f->hostname) {
		jw_kbegin(w, "GuestOs", '{');
		jw_kstr(w, "HostName", f->hostname);
		jw_end(w);
	}
	jw_kbegin(w, "Storage", '{');
	jw_kstr(w, "Path", rootfs);
	jw_end(w);
	r = mounts(q, w, &f->mounts, e);
	if (r == 0)
		r = memory(q, w, f->memory, e);
	if (r == 0)
		r = cpus(q, w, f->cpus, e);
	if (r == 0)
		r = network(q, w, f->net, e);
	if (r == 0 && f->p.detach)
		r = first_process(q, w, f, command, e);
	jw_end(w);
	return r;
}

static const char *of_flags(struct request *q, const struct run_flags *f, char *const *command, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;
	char *copy;
	struct jw w;
	int r;

	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "Owner", f->owner);
	jw_kbegin(&w, "SchemaVersion", '{');
	jw_kint(&w, "Major", 2);
	jw_kint(&w, "Minor", 1);
	jw_end(&w);
	r = container(q, &w, f, command, e);
	if (!f->p.detach)
		jw_kbool(&w, "ShouldTerminateOnLastHandleClosed", true);
	jw_end(&w);
	if (r < 0)
		return NULL;
	copy = b.failed ? NULL : arena_strdup(q->arena, b.s);
	if (!copy)
		no_memory(e);
	return copy;
}

/* One that runs in the foreground ends with us, whatever ends us. */
static const char *of_file(struct request *q, const struct run_flags *f, struct err *e)
{
	static const char *const members[] = { "ShouldTerminateOnLastHandleClosed", "TerminateOnLastHandleClosed" };
	OWN_SB struct sb b = SB_INIT;
	const char *member;
	struct json_doc doc;
	struct jw w;
	char *text;

	if (read_document(q, f->file, &text, e) < 0)
		return NULL;
	if (f->p.detach || json_parse(q->arena, text, strlen(text), f->file, &doc, NULL) < 0 ||
	    doc.root->type != JSON_OBJECT)
		return text; /* what is wrong with it the library says best */
	member = members[json_get(doc.root, "SystemType") && !json_get(doc.root, "SchemaVersion")];
	if (json_get(doc.root, member))
		return text;
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	for (uint32_t i = 0; i < doc.root->n; i++) {
		jw_key(&w, json_at(doc.root, i)->key);
		jw_value(&w, json_at(doc.root, i));
	}
	jw_kbool(&w, member, true);
	jw_end(&w);
	return b.failed ? text : arena_strdup(q->arena, b.s);
}

static bool shapes_the_document(const struct run_flags *f)
{
	return f->memory || f->cpus || f->hostname || f->net || f->mounts.n || strcmp(f->owner, PROGRAM) != 0;
}

const char *run_document(struct request *q, const struct run_flags *f, char ***command, struct err *e)
{
	static char word[] = "sh", *shell[] = { word, NULL };
	const char *document;

	if (!f->rootfs == !f->file) {
		bad_usage(q, e, "needs --rootfs or -f, one of them");
		return NULL;
	}
	if (f->file && shapes_the_document(f)) {
		bad_usage(q, e, "with -f the document alone says what the system is");
		return NULL;
	}
	if (f->file)
		return of_file(q, f, e);
	if (!**command)
		*command = shell;
	document = of_flags(q, f, *command, e);
	if (f->p.detach)
		*command = shell + 1;
	return document;
}
