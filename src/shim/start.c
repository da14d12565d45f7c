/* `start`: from containerd's call to a server that listens. */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "remains.h"
#include "server.h"
#include "settings.h"
#include "sha256.h"
#include "str.h"
#include "sys.h"
#include "task_options.h"

#define OOM_SCORE_ADJ_MAX 1000
enum { MODE_SOCKET_DIR = 0700, LISTEN_BACKLOG = 1024 };
#ifndef PR_SCHED_CORE /* musl has it from 1.2.4 on */
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_CREATE 1
#endif
enum { SCHED_CORE_THREAD_GROUP = 1 };
enum { LISTEN = 3, READY, FIRST_CLOSED };

struct starting {
	struct arena *a;
	const struct command_line *cl;
	struct settings settings;
	struct task_options options;
	const char *group; /* containers with the same share a server */
	const char *name; /* of the socket, and of the server's directory */
	const char *socket, *address; /* its path; the same with "unix://" */
	const char *bundle;
	int listen;
	struct cgroup_host *host;
};

/* ---- what is asked for ---------------------------------------------------- */

/* A member of a pod says so in its annotations. */
static int find_group(struct starting *st, struct err *e)
{
	static const char *const keys[] = { "io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id" };
	OWN_ARENA struct arena a = ARENA_INIT;
	const struct json *annotations;
	struct json_doc doc;
	char *text;
	size_t len;
	int r = file_read(&a, AT_FDCWD, "config.json", JSON_MAX_SIZE, &text, &len, e);

	st->group = st->cl->id;
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = json_parse(&a, text, len, "config.json", &doc, e);
	if (r < 0)
		return r;
	annotations = json_get(doc.root, "annotations");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *group = json_string(json_get(annotations, keys[i]), NULL);

		if (str_empty(group))
			continue;
		st->group = arena_strdup(st->a, group);
		return st->group ? 0 : err_sys(e, -ENOMEM, "read config.json");
	}
	return 0;
}

/* As containerd's own shims name it, so that its clean-up finds it. */
static int name_socket(struct starting *st, struct err *e)
{
	const char *address = st->cl->address ? st->cl->address : "";
	char *text = arena_printf(st->a, "%s/%s/%s", address, st->cl->namespace, st->group);
	uint8_t sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	struct sha256 h;

	if (!text)
		return err_sys(e, -ENOMEM, "name the socket");
	sha256_init(&h);
	sha256_add(&h, text, strlen(text));
	sha256_end(&h, sum);
	sha256_hex(sum, hex);
	st->name = arena_strdup(st->a, hex);
	st->address = arena_printf(st->a, "unix://%s/%s", st->settings.socket_dir, hex);
	st->socket = st->address ? st->address + strlen("unix://") : NULL;
	if (!st->name || !st->socket)
		return err_sys(e, -ENOMEM, "name the socket");
	if (strlen(st->socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return err_set(e, ERR_INVALID, 0, "the socket's path is too long: '%s'", st->socket);
	return 0;
}

static int read_input(struct starting *st, struct err *e)
{
	char *data;
	size_t len;
	int r = file_read_fd(st->a, STDIN_FILENO, "stdin", JSON_MAX_SIZE, &data, &len, e);

	if (r >= 0)
		r = task_options_of_start(st->a, data, len, st->cl->id, &st->options, e);
	if (r >= 0)
		r = settings_read(st->a, &st->settings, e);
	if (r >= 0)
		r = find_group(st, e);
	return r < 0 ? r : name_socket(st, e);
}

/* ---- the socket ----------------------------------------------------------- */

/* 1: a server is there already. Called with the directory locked. */
static int bind_socket(struct starting *st)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	OWN_FD fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return fd;
	strcpy(sa.sun_path, st->socket);
	mask = umask(0177);
	r = sys_bind(fd, (struct sockaddr *)&sa, sizeof sa);
	if (r == -EADDRINUSE) {
		OWN_FD other = fd_connect(st->socket);

		if ((other >= 0 && !remains_is_dead(st->settings.state_dir, st->name, other)) || other == -EAGAIN) {
			/* (a full backlog is somebody's) */
			umask(mask);
			return 1;
		}
		sys_unlinkat(AT_FDCWD, st->socket, 0);
		remains_remove(st->settings.state_dir, st->name);
		r = sys_bind(fd, (struct sockaddr *)&sa, sizeof sa);
	}
	umask(mask);
	if (r >= 0)
		r = sys_listen(fd, LISTEN_BACKLOG);
	if (r < 0)
		return r;
	st->listen = take_fd(&fd);
	return 0;
}

static int make_socket(struct starting *st, struct err *e)
{
	OWN_FD path = file_mkdirs(st->settings.socket_dir, MODE_SOCKET_DIR, e);
	OWN_FD dir = -1;
	int r = path;

	if (r < 0)
		return r;
	dir = r = sys_openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (r >= 0)
		r = sys_flock(dir, LOCK_EX);
	if (r >= 0)
		r = bind_socket(st);
	return r < 0 ? err_sys(e, r, "listen at '%s'", st->socket) : r;
}

/* ---- the process ---------------------------------------------------------- */

/* As containerd wants it: a little more likely to be killed than itself. */
static void set_oom_score(void)
{
	char path[40], text[16];
	int32_t score;

	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)getppid());
	if (file_read_line(AT_FDCWD, path, text, sizeof text) < 0 || parse_i32(text, &score) < 0)
		return;
	snprintf(text, sizeof text, "%d", score < OOM_SCORE_ADJ_MAX ? score + 1 : score);
	file_write_string(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

/* With the cgroup that we are in. */
static int read_host(struct starting *st, struct err *e)
{
	st->host = arena_alloc(st->a, sizeof *st->host);
	return st->host ? cgroup_host_read(st->host, st->a, e) : err_sys(e, -ENOMEM, "look for cgroups");
}

static int enter_cgroup(struct starting *st, struct err *e)
{
	struct cgroup cg;
	int fds[CGROUP_MAX_HIERARCHIES], n, r;

	if (str_empty(st->options.shim_cgroup))
		return 0;
	r = read_host(st, e);
	if (r >= 0)
		r = cgroup_open(&cg, st->host, st->options.shim_cgroup, e);
	if (r < 0)
		return r;
	r = n = cgroup_join_fds(&cg, fds, e);
	cgroup_done(&cg);
	if (n == 0)
		r = err_set(e, ERR_NOT_FOUND, 0, "shim_cgroup: '%s' does not exist", st->options.shim_cgroup);
	for (int i = 0; i < n; i++) {
		int w = r >= 0 ? fd_write_all(fds[i], "0", 1) : 0;

		if (w < 0)
			r = err_sys(e, w, "enter cgroup '%s'", st->options.shim_cgroup);
		sys_close(fds[i]);
	}
	return r < 0 ? r : 0;
}

/* What is mounted here goes with the last process in here. */
static int enter_mount_namespace(const struct starting *st, struct err *e)
{
	int r;

	if (!st->settings.mount_namespace)
		return 0;
	r = sys_unshare(CLONE_NEWNS);
	if (r >= 0)
		r = sys_mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL);
	return r < 0 ? err_sys(e, r, "make the shim's mount namespace") : 0;
}

static int set_up(struct starting *st, struct err *e)
{
	const char *core = getenv("SCHED_CORE");
	int r;

	set_oom_score();
	r = enter_cgroup(st, e);
	if (r >= 0)
		r = enter_mount_namespace(st, e);
	if (r >= 0)
		r = read_host(st, e); /* for all that is done here later */
	if (r >= 0 && !str_empty(core)) {
		r = sys_prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, SCHED_CORE_THREAD_GROUP);
		if (r < 0)
			return err_sys(e, r, "SCHED_CORE: give the shim a cookie for core scheduling");
	}
	return r;
}

/* Writing to a client that does not read must never stop a shim, so its log's
 * pipe does not block; what does not fit is dropped. */
static int keep_fds(const struct starting *st, int ready)
{
	const int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	OWN_FD null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	OWN_FD log = sys_openat(AT_FDCWD, "log", flags, 0);
	int fds[FIRST_CLOSED], r = 0;

	if (log < 0 && st->cl->debug) /* opened anew: whoever shares it with us is not to notice */
		log = sys_openat(AT_FDCWD, "/proc/self/fd/2", flags | O_APPEND, 0);
	fds[STDIN_FILENO] = fds[STDOUT_FILENO] = null;
	fds[STDERR_FILENO] = log < 0 ? null : log;
	fds[LISTEN] = st->listen;
	fds[READY] = ready;
	for (int i = 0; r >= 0 && i < FIRST_CLOSED; i++)
		r = fds[i] = sys_fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_CLOSED);
	for (int i = 0; r >= 0 && i < FIRST_CLOSED; i++)
		r = sys_dup3(fds[i], i, i > STDERR_FILENO ? O_CLOEXEC : 0);
	if (r >= 0) {
		log = null = -1;
		fd_close_from(FIRST_CLOSED);
	}
	return r;
}

static _Noreturn void serve(struct starting *st, int ready)
{
	struct server_options o = {
		.namespace = st->cl->namespace,
		.socket = st->socket,
		.listen_fd = LISTEN,
		.ready_fd = READY,
		.events_address = getenv("TTRPC_ADDRESS"),
		.bundle = st->bundle,
		.name = st->name,
		.settings = &st->settings,
		.cgroup_host = st->host,
		.spare = settings_is_builtin(&st->settings, st->options.binary_name),
	};
	struct err e;
	char text[1200];
	int r;

	sys_setsid();
	umask(022);
	sys_prctl(PR_SET_NAME, (unsigned long)"containerd-shim", 0, 0);
	r = keep_fds(st, ready);
	if (r >= 0) /* clients are told by the kernel that they are connected to us */
		r = sys_listen(LISTEN, LISTEN_BACKLOG);
	if (r >= 0)
		r = sys_chdir("/");
	log_open(&(struct log_options){ .debug = st->cl->debug }, NULL);
	if (r < 0)
		err_sys(&e, r, "prepare the server");
	else
		r = server_run(&o, &e);
	if (r < 0)
		log_line(LOG_LEVEL_ERROR, err_text(&e, text, sizeof text));
	_exit(r < 0);
}

/* The word that tells a start from a server, for whoever looks with ps. */
static void look_like_a_server(char **argv)
{
	for (; *argv; argv++)
		if (!argv[1] && !strcmp(*argv, "start"))
			memset(*argv, 0, strlen(*argv));
}

/* The server is known to work when it closes its end without a word. */
static int launch(struct starting *st, char **argv, struct err *e)
{
	OWN_FD ours = -1, theirs = -1;
	int pair[2], r = sys_pipe2(pair, O_CLOEXEC);
	pid_t pid;

	if (r < 0)
		return err_sys(e, r, "make a pipe");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, -errno, "start the server");
	if (pid == 0) {
		look_like_a_server(argv);
		serve(st, theirs);
	}
	fd_closep(&theirs);
	do
		r = (int)sys_read(ours, e, sizeof *e);
	while (r == -EINTR);
	if (r == 0)
		return 0;
	return r == (int)sizeof *e ? -EIO : err_sys(e, r < 0 ? r : -EPROTO, "start the server");
}

/* For the clean-up, and for a containerd that starts anew. */
static int write_address(const struct starting *st, struct err *e)
{
	return file_replace(AT_FDCWD, "address", st->address, strlen(st->address), 0600, e);
}

/* The current directory, by its path: who is in it would keep what is mounted there. */
static int read_bundle(struct starting *st, struct err *e)
{
	OWN_FD fd = sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "open the bundle") : file_path_of(st->a, fd, &st->bundle, e);
}

int shim_start(const struct command_line *cl, char **argv, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct starting st = { .a = &a, .cl = cl, .listen = -1 };
	int r;

	if (str_empty(cl->id) || str_empty(cl->namespace))
		return err_set(e, ERR_INVALID, 0, "shim %s cannot be empty", str_empty(cl->id) ? "id" : "namespace");
	r = read_input(&st, e);
	if (r >= 0)
		r = write_address(&st, e);
	if (r >= 0)
		r = make_socket(&st, e);
	if (r == 0) {
		r = set_up(&st, e);
		if (r >= 0)
			r = read_bundle(&st, e);
		if (r >= 0)
			r = launch(&st, argv, e);
		if (r < 0)
			sys_unlinkat(AT_FDCWD, st.socket, 0);
	}
	if (r >= 0)
		r = fd_write_all(STDOUT_FILENO, st.address, strlen(st.address));
	return r < 0 && !e->msg[0] ? err_sys(e, r, "tell the address") : r;
}
