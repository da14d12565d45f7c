/* Prints the features document. */
#include "spec_features.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "names.h"
#include "str.h"

/* `which` limits flags to what is supported; all bits: the whole table. */
static void names(struct jw *w, const char *key, const struct name *table, uint64_t which)
{
	jw_kbegin(w, key, '[');
	for (; table->name; table++)
		if ((table->value & which) == table->value)
			jw_str(w, table->name);
	jw_end(w);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void namespaces(struct jw *w)
{
	const char *sorted[NS_COUNT];

	for (int i = 0; i < NS_COUNT; i++)
		sorted[i] = namespace_names[i].name;
	qsort(sorted, NS_COUNT, sizeof sorted[0], compare);
	jw_kbegin(w, "namespaces", '[');
	for (int i = 0; i < NS_COUNT; i++)
		jw_str(w, sorted[i]);
	jw_end(w);
}

static void enabled(struct jw *w, const char *key, bool on)
{
	jw_kbegin(w, key, '{');
	jw_kbool(w, "enabled", on);
	jw_end(w);
}

static void cgroup(struct jw *w, const struct features_host *h)
{
	jw_kbegin(w, "cgroup", '{');
	jw_kbool(w, "v1", h->cgroup_v1);
	jw_kbool(w, "v2", h->cgroup_v2);
	jw_kbool(w, "systemd", h->systemd);
	jw_kbool(w, "systemdUser", h->systemd_user);
	jw_kbool(w, "rdma", h->rdma);
	jw_end(w);
}

static void seccomp(struct jw *w, const struct features_host *h)
{
	jw_kbegin(w, "seccomp", '{');
	jw_kbool(w, "enabled", h->seccomp);
	if (h->seccomp) {
		names(w, "actions", seccomp_action_names, UINT64_MAX);
		names(w, "operators", seccomp_operator_names, UINT64_MAX);
		names(w, "archs", seccomp_arch_names, UINT64_MAX);
		names(w, "knownFlags", seccomp_flag_names, UINT64_MAX);
		names(w, "supportedFlags", seccomp_flag_names, h->seccomp_flags);
	}
	jw_end(w);
}

static void linux_features(struct jw *w, const struct features_host *h)
{
	jw_kbegin(w, "linux", '{');
	namespaces(w);
	names(w, "capabilities", capability_names, UINT64_MAX);
	cgroup(w, h);
	seccomp(w, h);
	enabled(w, "apparmor", h->apparmor);
	enabled(w, "selinux", h->selinux);
	enabled(w, "intelRdt", h->intel_rdt);
	jw_kbegin(w, "mountExtensions", '{');
	enabled(w, "idmap", h->idmap);
	jw_end(w);
	jw_end(w);
}

static void annotations(struct jw *w, const struct features_host *h)
{
	jw_kbegin(w, "annotations", '{');
	if (h->libseccomp_version)
		jw_kstr(w, "io.github.seccomp.libseccomp.version", h->libseccomp_version);
	if (h->commit)
		jw_kstr(w, "berth.commit", h->commit);
	if (h->version)
		jw_kstr(w, "berth.version", h->version);
	/* What runc tells under its name: no checkpoints yet. */
	jw_kstr(w, "org.opencontainers.runc.checkpoint.enabled", "false");
	jw_end(w);
	if (!h->unsafe_annotations)
		return;
	jw_kbegin(w, "potentiallyUnsafeConfigAnnotations", '[');
	for (const char *const *a = h->unsafe_annotations; *a; a++)
		jw_str(w, *a);
	jw_end(w);
}

void spec_features_print(struct sb *b, const struct features_host *h)
{
	struct jw w;

	jw_init(&w, b, "    ");
	jw_begin(&w, '{');
	jw_kstr(&w, "ociVersionMin", SPEC_VERSION_MIN);
	jw_kstr(&w, "ociVersionMax", SPEC_VERSION_MAX);
	names(&w, "hooks", hook_names, UINT64_MAX);
	jw_kbegin(&w, "mountOptions", '[');
	for (const struct mount_option *o = mount_options; o->name; o++)
		jw_str(&w, o->name);
	jw_end(&w);
	linux_features(&w, h);
	annotations(&w, h);
	jw_end(&w);
}
