/* The shim program: how it is found, its settings, and its two commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "dir.h"
#include "engine_parts.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "str.h"
#include "sys.h"
#include "wellknown.pb-c.h"

#define SETTINGS "shim.json"

extern char **environ;

enum { SOCKET_NAME = 64 /* digits */ };

/* ---- where it keeps what ---------------------------------------------------- */

/* Beside the tasks, unless that makes a path that no socket can have. */
static void print_socket_dir(const struct engine *en, struct sb *b)
{
	const size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;

	if (strlen(en->settings.state) + strlen("/.s/") + SOCKET_NAME <= max)
		sb_printf(b, "%s/.s", en->settings.state);
	else
		sb_puts(b, "/run/berth/s");
}

int shim_write_settings(const struct engine *en, int bundle, struct err *e)
{
	const char *state = en->settings.state;
	OWN_SB struct sb b = SB_INIT, root = SB_INIT, state_dir = SB_INIT, socket_dir = SB_INIT;
	struct jw w;

	sb_printf(&root, "%s/.runtime", state);
	sb_printf(&state_dir, "%s/" ENGINE_SHIMS, state);
	print_socket_dir(en, &socket_dir);
	if (root.failed || state_dir.failed || socket_dir.failed)
		return err_sys(e, -ENOMEM, "write the shim's settings");
	jw_init(&w, &b, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "root", root.s);
	jw_kstr(&w, "runtime_root", en->settings.runtime_root);
	jw_kstr(&w, "state_dir", state_dir.s);
	jw_kstr(&w, "socket_dir", socket_dir.s);
	jw_kbool(&w, "mount_namespace", en->settings.shim_mount_namespace);
	jw_end(&w);
	if (b.failed)
		return err_sys(e, -ENOMEM, "write the shim's settings");
	return file_replace(bundle, SETTINGS, b.s, b.len, 0600, e);
}

bool shim_stays(const struct task *t)
{
	return !t->hosted && shim_listens(t->address);
}

bool shim_listens(const char *address)
{
	const char *path = str_starts(address, "unix://") ? address + strlen("unix://") : address;

	return sys_faccessat(AT_FDCWD, path, F_OK) >= 0;
}

void shim_remove_socket(const char *address)
{
	const char *path = str_starts(address, "unix://") ? address + strlen("unix://") : address;
	OWN_FD fd = *path == '/' ? fd_connect(path) : -1;

	/* Another may serve there by now. */
	if (fd == -ECONNREFUSED)
		sys_unlinkat(AT_FDCWD, path, 0);
}

/* ---- how it is found -------------------------------------------------------- */

static const char *try(struct arena *a, const char *dir, size_t len, const char *name)
{
	const char *path = arena_printf(a, "%.*s/%s", (int)len, dir, name);

	return path && sys_faccessat(AT_FDCWD, path, X_OK) >= 0 ? path : NULL;
}

static const char *find_beside_us(struct arena *a, const char *name)
{
	char self[4096];
	ssize_t n = sys_readlinkat(AT_FDCWD, "/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n < 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	return slash ? try(a, self, (size_t)(slash - self), name) : NULL;
}

const char *shim_find_program(struct arena *a, const char *name, bool beside_us)
{
	const char *path = getenv("PATH"), *found = NULL;

	if (strchr(name, '/'))
		return name;
	if (beside_us)
		found = find_beside_us(a, name);
	if (str_empty(path))
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (const char *dir = path; !found && *dir;) {
		size_t len = strcspn(dir, ":");

		if (len)
			found = try(a, dir, len, name);
		dir += len + (dir[len] == ':');
	}
	return found;
}

/* ---- its commands ----------------------------------------------------------- */

enum { ADDED = 5 };

/* What a shim is told in its environment: ours, where its settings are; another, who
 * starts it. False: no memory. */
static bool add_variables(struct arena *a, const struct shim_order *o, const char **env)
{
	const struct foreign *f = o->foreign;
	size_t k = 0;

	if (f) {
		env[k++] = arena_printf(a, "TTRPC_ADDRESS=%s", f->ttrpc_address);
		env[k++] = arena_printf(a, "GRPC_ADDRESS=%s", f->address);
		env[k++] = arena_printf(a, "NAMESPACE=%s", o->namespace);
		env[k++] = "MAX_SHIM_VERSION=2";
		env[k++] = "GOMAXPROCS=2";
	} else {
		env[k++] = arena_printf(a, "BERTH_SHIM_CONFIG=%s/" SETTINGS, o->bundle);
	}
	for (size_t i = 0; i < k; i++)
		if (!env[i])
			return false;
	return true;
}

/* Ours, without what would make it tell somebody else of its events. */
static const char **make_environment(struct arena *a, const struct shim_order *o)
{
	static const char *const not_ours[] = { "TTRPC_ADDRESS=", "GRPC_ADDRESS=", "BERTH_SHIM_CONFIG=",
						"NAMESPACE=",	  "GOMAXPROCS=",   "MAX_SHIM_VERSION=" };
	size_t n = 0, k = 0;
	const char **env;

	while (environ && environ[n])
		n++;
	env = arena_calloc(a, n + ADDED + 1, sizeof(char *));
	for (size_t i = 0; env && i < n; i++) {
		bool keep = true;

		for (size_t j = 0; j < ARRAY_SIZE(not_ours); j++)
			keep = keep && !str_starts(environ[i], not_ours[j]);
		if (keep)
			env[k++] = environ[i];
	}
	return env && add_variables(a, o, env + k) ? env : NULL;
}

static int run(struct engine *en, struct child *c, const struct shim_order *o, const char *command, const void *input,
	       size_t len, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct foreign *f = o->foreign;
	const char *name = f ? f->program : en->settings.shim;
	const char *program = shim_find_program(&a, name, !f);
	const char *argv[16] = { program,    "-namespace", o->namespace,
				 "-id",	     o->id,	   "-address",
				 f ? f->address : en->settings.state };
	const char **env = make_environment(&a, o);
	struct child_command cmd = {
		.path = program,
		.directory = o->directory,
		.kept = o->directory,
		.input = input,
		.input_len = len,
		.our_stderr = en->settings.shim_debug,
		.timeout_ms = o->timeout_ms,
	};
	size_t n = 7;

	if (!program)
		return err_set(e, ERR_NOT_FOUND, -ENOENT, "the shim '%s': %s", name,
			       f ? "not in PATH" : "neither beside this program nor in PATH");
	if (!env)
		return err_sys(e, -ENOMEM, "execute the shim");
	if (f) {
		argv[n++] = "-publish-binary";
		argv[n++] = "/proc/self/exe";
	}
	if (!f || !strcmp(command, "delete")) {
		argv[n++] = "-bundle";
		argv[n++] = o->bundle;
	}
	if (en->settings.shim_debug)
		argv[n++] = "-debug";
	argv[n++] = command;
	cmd.argv = (char *const *)(uintptr_t)argv;
	cmd.env = (char *const *)(uintptr_t)env;
	return child_start(c, en->loop, &cmd, e);
}

int shim_command_start(struct engine *en, struct child *c, const struct shim_order *o, struct err *e)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	OWN_ARENA struct arena a = ARENA_INIT;
	uint8_t *input = NULL;
	size_t len = 0;

	if (o->any && o->foreign)
		any = *o->any;
	if (o->options) {
		any.type_url = (char *)(uintptr_t)o->options->descriptor->name;
		any.value.len = protobuf_c_message_get_packed_size(o->options);
		any.value.data = arena_alloc(&a, any.value.len + 1);
		if (!any.value.data)
			return err_sys(e, -ENOMEM, "start the shim");
		protobuf_c_message_pack(o->options, any.value.data);
	}
	if (any.value.len || o->options) {
		len = protobuf_c_message_get_packed_size(&any.base);
		input = arena_alloc(&a, len + 1);
		if (!input)
			return err_sys(e, -ENOMEM, "start the shim");
		protobuf_c_message_pack(&any.base, input);
	}
	return run(en, c, o, "start", input, len, e);
}

int shim_command_delete(struct engine *en, struct child *c, const struct shim_order *o, struct err *e)
{
	return run(en, c, o, "delete", NULL, 0, e);
}
