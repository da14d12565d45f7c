/* `delete`: what is left of a task whose shim is gone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "container.h"
#include "err.h"
#include "exit_record.h"
#include "fd.h"
#include "file.h"
#include "helper.h"
#include "last_events.h"
#include "mem.h"
#include "operation.h"
#include "proc.h"
#include "remains.h"
#include "settings.h"
#include "start.h"
#include "str.h"
#include "sys.h"
#include "task.pb-c.h"
#include "task_record.h"

/* As a client gets them whose container had to be killed, or of which nothing
 * is known any more. */
enum { KILLED = 128 + SIGKILL, UNKNOWN = 255 };

/* The pid that the runtime wrote, for an event that must not have none; 0: it is not known. */
static pid_t first_pid(const char *bundle)
{
	OWN_FD dir = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char text[16];
	int32_t pid;

	if (dir < 0 || file_read_line(dir, "init.pid", text, sizeof text) < 0 || parse_i32(text, &pid) < 0 ||
	    pid < 0)
		return 0;
	return pid;
}

/* Whether it still runs, and has to be killed. */
static bool is_alive(struct arena *a, const struct runtime *rt, const char *id)
{
	struct core core = { .arena = a, .root = rt->root, .systemd_cgroup = rt->systemd_cgroup };
	struct container ct;
	bool alive;

	if (container_open(&core, id, false, &ct, NULL) < 0)
		return false;
	alive = ct.state != CT_STOPPED;
	container_close(&ct);
	return alive;
}

/* A server that was killed has left its socket, which nobody answers. Its path
 * in the bundle is "unix:///..."; NULL: there is no such server. */
static const char *find_dead_socket(const struct settings *settings, const char *bundle, char *text, size_t cap)
{
	OWN_FD dir = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_FD fd = -1;
	const char *path = text + strlen("unix://");

	if (dir < 0 || file_read_line(dir, "address", text, cap) < 0 || !str_starts(text, "unix:///"))
		return NULL;
	fd = fd_connect(path);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return path;
	return fd >= 0 && remains_is_dead(settings->state_dir, strrchr(path, '/') + 1, fd) ? path : NULL;
}

/* What it could not tell any more, and what it has left. */
static void finish_server(struct arena *a, const char *bundle, struct last_events *l)
{
	char text[sizeof((struct sockaddr_un *)0)->sun_path + 7 /* of "unix://" */];
	struct settings settings;
	const char *path;

	if (settings_read(a, &settings, NULL) < 0)
		return;
	path = find_dead_socket(&settings, bundle, text, sizeof text);
	if (!path)
		return;
	sys_unlinkat(AT_FDCWD, path, 0);
	last_events_tell(&settings, strrchr(path, '/') + 1, l);
}

/* *known: its status and time are true. */
static int clean_up(struct arena *a, const struct command_line *cl, const char *bundle,
		    Containerd__Task__V2__DeleteResponse *m, bool *known, struct err *e)
{
	Google__Protobuf__Timestamp *at = m->exited_at;
	struct helper_result ret = HELPER_RESULT;
	struct exit_record rec;
	const struct core facts = { .in_user_ns = proc_in_user_ns() };
	struct order o = { .facts = &facts, .namespace = cl->namespace, .id = cl->id, .bundle = bundle };
	struct runtime rt;
	struct timespec now;
	bool alive;
	int r = task_record_read(a, bundle, &rt, e);

	m->pid = (uint32_t)first_pid(bundle);
	m->exit_status = KILLED;
	clock_gettime(CLOCK_REALTIME, &now);
	at->seconds = now.tv_sec;
	at->nanos = (int32_t)now.tv_nsec;
	if (r == -ENOENT) /* nothing was made */
		return 0;
	if (r < 0)
		return r;
	o.runtime = &rt;
	o.cgroup = rt.cgroup;
	alive = rt.ops == &external_ops || is_alive(a, &rt, cl->id);
	r = rt.ops->destroy(&ret, &o, e);
	if (exit_record_read(a, bundle, "", &rec, NULL) >= 0) {
		m->pid = (uint32_t)rec.pid;
		m->exit_status = rec.status;
		at->seconds = rec.at.tv_sec;
		at->nanos = (int32_t)rec.at.tv_nsec;
		*known = true;
	} else if (!alive) {
		m->exit_status = UNKNOWN;
	}
	return r;
}

static int print(const Containerd__Task__V2__DeleteResponse *m, struct arena *a, struct err *e)
{
	uint8_t *packed = arena_alloc(a, containerd__task__v2__delete_response__get_packed_size(m) + 1);
	int r = packed ? fd_write_all(STDOUT_FILENO, packed, containerd__task__v2__delete_response__pack(m, packed)) :
			 -ENOMEM;

	return r < 0 ? err_sys(e, r, "tell how the task ended") : 0;
}

int shim_delete(const struct command_line *cl, struct err *e)
{
	Containerd__Task__V2__DeleteResponse m = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct last_events last = { .namespace = cl->namespace, .id = cl->id, .m = &m };
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *bundle = cl->bundle;
	char cwd[4096];
	struct err ignored;
	int r;

	if (str_empty(cl->id) || str_empty(cl->namespace))
		return err_set(e, ERR_INVALID, 0, "shim %s cannot be empty", str_empty(cl->id) ? "id" : "namespace");
	if (str_empty(bundle)) {
		r = (int)sys_getcwd(cwd, sizeof cwd);
		if (r < 0)
			return err_sys(e, r, "find the bundle");
		bundle = cwd;
	}
	m.exited_at = &at;
	r = clean_up(&a, cl, bundle, &m, &last.known, e);
	/* One that is to be debugged is left where it is: not deleted. */
	last.removed = r >= 0 || !cl->debug;
	finish_server(&a, bundle, &last);
	if (r >= 0)
		return print(&m, &a, e);
	print(&m, &a, &ignored);
	return r;
}
