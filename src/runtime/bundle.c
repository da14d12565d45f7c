/* The bundle: config.json, and what the caller's surroundings add to it. */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "spec.h"
#include "str.h"
#include "sys.h"
#include "verb.h"

static int open_dir(const char *dir, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "chdir %s", dir) : fd;
}

int bundle_path(struct request *q, const char *dir, const char **ret, struct err *e)
{
	OWN_FD fd = -1;

	fd = open_dir(str_empty(dir) ? "." : dir, e);
	return fd < 0 ? fd : file_path_of(q->core.arena, fd, ret, e);
}

int bundle_load(struct request *q, const char *dir, struct bundle *ret, struct err *e)
{
	OWN_FD fd = -1;
	char *text;
	size_t len;
	int r;

	fd = open_dir(str_empty(dir) ? "." : dir, e);
	if (fd < 0)
		return fd;
	r = file_path_of(q->core.arena, fd, &ret->path, e);
	if (r < 0)
		return r;
	r = file_read(q->core.arena, fd, "config.json", JSON_MAX_SIZE, &text, &len, e);
	if (r == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "JSON specification file config.json not found");
	if (r < 0)
		return r;
	ret->text = text;
	return spec_parse(q->core.arena, text, len, "config.json", NULL, &ret->spec, e);
}

int bundle_add_listen_fds(struct request *q, struct spec_process *p, struct err *e)
{
	char **env;

	if (!q->listen_fds || !p)
		return 0;
	env = arena_calloc(q->core.arena, p->n_env + 3, sizeof *env);
	if (!env)
		return err_sys(e, -ENOMEM, "pass on sockets");
	if (p->n_env)
		memcpy(env, p->env, p->n_env * sizeof *env);
	env[p->n_env] = arena_printf(q->core.arena, "LISTEN_FDS=%u", q->listen_fds);
	env[p->n_env + 1] = arena_strdup(q->core.arena, "LISTEN_PID=1");
	if (!env[p->n_env] || !env[p->n_env + 1])
		return err_sys(e, -ENOMEM, "pass on sockets");
	p->env = env;
	p->n_env += 2;
	return 0;
}
