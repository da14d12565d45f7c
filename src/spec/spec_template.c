/* The default config.json. */
#include "spec_template.h"

#include <string.h>

#include "spec_features.h"
#include "json.h"
#include "mem.h"
#include "str.h"

struct template_mount {
	const char *destination, *type, *source;
	const char *options; /* separated by commas; NULL: none */
};

enum { ROOTFUL,
       ROOTLESS };

/* clang-format off */
static const struct template_mount mounts[][2] = {
	/* [ROOTFUL] and, where it differs, [ROOTLESS] */
	{ { "/proc", "proc", "proc", NULL } },
	{ { "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" } },
	{ { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	  { "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" } },
	{ { "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k" } },
	{ { "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" } },
	{ { "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" },
	  { "/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro" } },
	{ { "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro" } },
};

static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" };
static const char *const capability_sets[] = { "bounding", "effective", "permitted", "ambient" };

static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
};

static const char *const masked_paths[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
/* clang-format on */

static void strings(struct jw *w, const char *key, const char *const *list, size_t n)
{
	jw_kbegin(w, key, '[');
	for (size_t i = 0; i < n; i++)
		jw_str(w, list[i]);
	jw_end(w);
}

static void process(struct jw *w)
{
	static const char *const shell[] = { "sh" };

	jw_kbegin(w, "process", '{');
	jw_kbool(w, "terminal", true);
	jw_kbegin(w, "user", '{');
	jw_kuint(w, "uid", 0);
	jw_kuint(w, "gid", 0);
	jw_end(w);
	strings(w, "args", shell, ARRAY_SIZE(shell));
	strings(w, "env", environment, ARRAY_SIZE(environment));
	jw_kstr(w, "cwd", "/");
	jw_kbegin(w, "capabilities", '{');
	for (size_t i = 0; i < ARRAY_SIZE(capability_sets); i++)
		strings(w, capability_sets[i], capabilities, ARRAY_SIZE(capabilities));
	jw_end(w);
	jw_kbegin(w, "rlimits", '[');
	jw_begin(w, '{');
	jw_kstr(w, "type", "RLIMIT_NOFILE");
	jw_kuint(w, "hard", 1024);
	jw_kuint(w, "soft", 1024);
	jw_end(w);
	jw_end(w);
	jw_kbool(w, "noNewPrivileges", true);
	jw_end(w);
}

static void options(struct jw *w, const char *list)
{
	jw_kbegin(w, "options", '[');
	while (*list) {
		size_t n = strcspn(list, ",");

		jw_strn(w, list, n);
		list += n;
		list += *list == ',';
	}
	jw_end(w);
}

static void mount_list(struct jw *w, bool rootless)
{
	jw_kbegin(w, "mounts", '[');
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		bool differs = rootless && mounts[i][ROOTLESS].destination;
		const struct template_mount *m = &mounts[i][differs ? ROOTLESS : ROOTFUL];

		jw_begin(w, '{');
		jw_kstr(w, "destination", m->destination);
		jw_kstr(w, "type", m->type);
		jw_kstr(w, "source", m->source);
		if (m->options)
			options(w, m->options);
		jw_end(w);
	}
	jw_end(w);
}

static void id_map(struct jw *w, const char *key, uint32_t host)
{
	jw_kbegin(w, key, '[');
	jw_begin(w, '{');
	jw_kuint(w, "containerID", 0);
	jw_kuint(w, "hostID", host);
	jw_kuint(w, "size", 1);
	jw_end(w);
	jw_end(w);
}

static void resources(struct jw *w)
{
	jw_kbegin(w, "resources", '{');
	jw_kbegin(w, "devices", '[');
	jw_begin(w, '{');
	jw_kbool(w, "allow", false);
	jw_kstr(w, "access", "rwm");
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void namespace_of(struct jw *w, const char *type)
{
	jw_begin(w, '{');
	jw_kstr(w, "type", type);
	jw_end(w);
}

static void linux_section(struct jw *w, const struct template_options *o)
{
	jw_kbegin(w, "linux", '{');
	if (o->rootless) {
		id_map(w, "uidMappings", o->uid);
		id_map(w, "gidMappings", o->gid);
	} else {
		resources(w);
	}
	jw_kbegin(w, "namespaces", '[');
	namespace_of(w, "pid");
	if (!o->rootless)
		namespace_of(w, "network");
	namespace_of(w, "ipc");
	namespace_of(w, "uts");
	namespace_of(w, "mount");
	if (o->cgroup_namespace)
		namespace_of(w, "cgroup");
	if (o->rootless)
		namespace_of(w, "user");
	jw_end(w);
	strings(w, "maskedPaths", masked_paths, ARRAY_SIZE(masked_paths));
	strings(w, "readonlyPaths", readonly_paths, ARRAY_SIZE(readonly_paths));
	jw_end(w);
}

void spec_template_print(struct sb *b, const struct template_options *o)
{
	struct jw w;

	jw_init(&w, b, "\t");
	jw_begin(&w, '{');
	jw_kstr(&w, "ociVersion", SPEC_VERSION_MAX);
	process(&w);
	jw_kbegin(&w, "root", '{');
	jw_kstr(&w, "path", "rootfs");
	jw_kbool(&w, "readonly", true);
	jw_end(&w);
	jw_kstr(&w, "hostname", "berth");
	mount_list(&w, o->rootless);
	linux_section(&w, o);
	jw_end(&w);
}
