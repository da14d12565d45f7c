/* A config.json from a few wishes; see spec_make.h. */
#include "spec_make.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"
#include "names.h"
#include "spec.h"
#include "spec_seccomp_default.h"
#include "str.h"

/* docker's set */
static const char *const capabilities[] = {
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
	"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
};

/* ---- process -------------------------------------------------------------- */

static void strings(struct jw *w, const char *key, const char *const *list, size_t n)
{
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < n; i++)
		jw_str(w, list[i]);
	jw_end(w);
}

static bool is_given(const struct spec_make *m, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (size_t i = 0; i < m->n_env; i++)
		if (!strncmp(m->env[i], entry, n) && (m->env[i][n] == '=' || !m->env[i][n]))
			return true;
	return false;
}

static void environment(struct jw *w, const struct spec_make *m, const struct json *from)
{
	jw_kbegin(w, "env", '[');
	for (uint32_t i = 0; from && i < from->n; i++) {
		const char *entry = json_string(json_at(from, i), "");

		if (!is_given(m, entry))
			jw_str(w, entry);
	}
	for (size_t i = 0; i < m->n_env; i++)
		if (strchr(m->env[i], '='))
			jw_str(w, m->env[i]);
	jw_end(w);
}

void spec_make_capabilities(struct jw *w, bool usual)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	jw_kbegin(w, "capabilities", '{');
	for (size_t i = 0; usual && i < ARRAY_SIZE(sets); i++)
		strings(w, sets[i], capabilities, ARRAY_SIZE(capabilities));
	jw_end(w);
}

static void process(struct jw *w, const struct spec_make *m, const struct json *from)
{
	if (m->process) {
		jw_key(w, "process");
		jw_value(w, m->process);
		return;
	}
	jw_kbegin(w, "process", '{');
	jw_kbool(w, "terminal", m->terminal);
	jw_kbegin(w, "user", '{');
	jw_kuint(w, "uid", m->uid);
	jw_kuint(w, "gid", m->gid);
	jw_end(w);
	strings(w, "args", m->args, m->n_args);
	environment(w, m, json_get(from, "env"));
	jw_kstr(w, "cwd", m->cwd ? m->cwd : "/");
	spec_make_capabilities(w, true);
	jw_kbool(w, "noNewPrivileges", true);
	jw_end(w);
}

/* ---- mounts --------------------------------------------------------------- */

static void mounts(struct jw *w, const struct spec_make *m, const struct json *from)
{
	jw_kbegin(w, "mounts", '[');
	for (uint32_t i = 0; from && i < from->n; i++)
		jw_value(w, json_at(from, i));
	for (size_t i = 0; i < m->n_mounts; i++) {
		const struct spec_make_mount *mount = &m->mounts[i];

		jw_begin(w, '{');
		jw_kstr(w, "destination", mount->destination);
		jw_kstr(w, "type", mount->type);
		jw_kstr(w, "source", mount->source);
		strings(w, "options", mount->options, mount->n_options);
		jw_end(w);
	}
	jw_end(w);
}

/* ---- linux ---------------------------------------------------------------- */

static void cpu(struct jw *w, const struct spec_make *m)
{
	if (!m->cpu_quota && !m->cpu_shares)
		return;
	jw_kbegin(w, "cpu", '{');
	if (m->cpu_shares)
		jw_kuint(w, "shares", m->cpu_shares);
	if (m->cpu_quota) {
		jw_kint(w, "quota", m->cpu_quota);
		jw_kuint(w, "period", m->cpu_period);
	}
	jw_end(w);
}

static void throttle_device(struct jw *w, const char *key, const struct spec_make_throttle *t,
			    uint64_t rate)
{
	jw_kbegin(w, key, '[');
	jw_begin(w, '{');
	jw_kuint(w, "major", t->major);
	jw_kuint(w, "minor", t->minor);
	jw_kuint(w, "rate", rate);
	jw_end(w);
	jw_end(w);
}

static void throttle(struct jw *w, const struct spec_make_throttle *t)
{
	if (!t->bytes && !t->operations)
		return;
	jw_kbegin(w, "blockIO", '{');
	if (t->bytes) {
		throttle_device(w, "throttleReadBpsDevice", t, t->bytes);
		throttle_device(w, "throttleWriteBpsDevice", t, t->bytes);
	}
	if (t->operations) {
		throttle_device(w, "throttleReadIOPSDevice", t, t->operations);
		throttle_device(w, "throttleWriteIOPSDevice", t, t->operations);
	}
	jw_end(w);
}

static void weight(struct jw *w, uint64_t n)
{
	OWN_SB struct sb text = SB_INIT;

	if (!n)
		return;
	sb_printf(&text, "%llu", (unsigned long long)n);
	jw_kbegin(w, "unified", '{');
	jw_kstr(w, "cpu.weight", text.s);
	jw_end(w);
}

void spec_make_limits(struct jw *w, const struct spec_make *m)
{
	if (m->memory) {
		jw_kbegin(w, "memory", '{');
		jw_kint(w, "limit", m->memory);
		jw_end(w);
	}
	cpu(w, m);
	if (m->pids) {
		jw_kbegin(w, "pids", '{');
		jw_kint(w, "limit", m->pids);
		jw_end(w);
	}
	throttle(w, &m->throttle);
	weight(w, m->cpu_weight);
}

static void resources(struct jw *w, const struct spec_make *m, const struct json *from)
{
	jw_kbegin(w, "resources", '{');
	if (json_get(from, "devices")) {
		jw_key(w, "devices");
		jw_value(w, json_get(from, "devices"));
	}
	spec_make_limits(w, m);
	jw_end(w);
}

static void namespaces(struct jw *w, const struct spec_make *m, const struct json *from)
{
	jw_kbegin(w, "namespaces", '[');
	for (uint32_t i = 0; from && i < from->n; i++) {
		const char *type = json_string(json_get(json_at(from, i), "type"), "");

		if (strcmp(type, "network") != 0)
			jw_value(w, json_at(from, i));
	}
	if (!m->host_network) {
		jw_begin(w, '{');
		jw_kstr(w, "type", "network");
		if (m->network_path)
			jw_kstr(w, "path", m->network_path);
		jw_end(w);
	}
	jw_end(w);
}

static void seccomp(struct jw *w, const struct spec_make *m)
{
	uint64_t caps = 0, n;

	if (m->unconfined)
		return;
	jw_key(w, "seccomp");
	if (m->seccomp) {
		jw_value(w, m->seccomp);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (name_value(capability_names, capabilities[i], &n) == 0)
			caps |= (uint64_t)1 << n;
	spec_seccomp_default(w, caps);
}

static void linux_section(struct jw *w, const struct spec_make *m, const struct json *from)
{
	jw_kbegin(w, "linux", '{');
	for (uint32_t i = 0; i < from->n; i++) {
		const struct json *v = json_at(from, i);

		if (!strcmp(v->key, "namespaces") || !strcmp(v->key, "resources"))
			continue;
		jw_key(w, v->key);
		jw_value(w, v);
	}
	if (m->cgroups_path)
		jw_kstr(w, "cgroupsPath", m->cgroups_path);
	namespaces(w, m, json_get(from, "namespaces"));
	resources(w, m, json_get(from, "resources"));
	seccomp(w, m);
	jw_end(w);
}

/* ---- the document --------------------------------------------------------- */

static int read_template(struct arena *a, const struct template_options *o, struct json_doc *ret,
			 struct err *e)
{
	OWN_SB struct sb text = SB_INIT;

	spec_template_print(&text, o);
	if (text.failed)
		return err_sys(e, -ENOMEM, "make a specification");
	return json_parse(a, text.s, text.len, "default specification", ret, e);
}

int spec_make(struct jw *w, struct arena *a, const struct spec_make *m, struct err *e)
{
	struct json_doc doc = { 0 };
	int r = read_template(a, &m->template, &doc, e);

	if (r < 0)
		return r;
	jw_begin(w, '{');
	jw_kstr(w, "ociVersion", json_string(json_get(doc.root, "ociVersion"), "1.0.0"));
	process(w, m, json_get(doc.root, "process"));
	jw_kbegin(w, "root", '{');
	jw_kstr(w, "path", m->root);
	jw_kbool(w, "readonly", m->read_only);
	jw_end(w);
	jw_kstr(w, "hostname", m->hostname);
	mounts(w, m, json_get(doc.root, "mounts"));
	if (m->n_annotations) {
		jw_kbegin(w, "annotations", '{');
		for (size_t i = 0; i < m->n_annotations; i++)
			jw_kstr(w, m->annotations[i].key, m->annotations[i].value);
		jw_end(w);
	}
	linux_section(w, m, json_get(doc.root, "linux"));
	jw_end(w);
	return 0;
}
