/* Shims in a daemon; see hosting.h. */
#include "hosting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "events.pb-c.h"
#include "exit_record.h"
#include "fd.h"
#include "hosted_record.h"
#include "job.h"
#include "journal_left.h"
#include "log.h"
#include "order.h"
#include "shim.h"
#include "stdstreams.h"
#include "str.h"
#include "sys.h"
#include "task_options.h"
#include "task_record.h"

/* Of an end that nobody has seen. */
enum { UNKNOWN = 255 };
/* Connections to one that is being restored: of the engine, which has one at a time. */
enum { WAITING_MAX = 8 };

struct shim_host {
	struct loop *loop;
	struct reaper reaper;
	struct arena arena;
	struct cgroup_host cgroup_host;
	struct hosted *list;
};

struct hosted {
	struct shim s; /* first */
	struct shim_host *host;
	struct hosted *next;
	struct arena arena; /* its words, and its settings */
	const char *id, *bundle;
	bool restoring;
	int waiting[WAITING_MAX]; /* the service's ends */
	unsigned n_waiting;
};

static void hosted_done(struct hosted *x)
{
	shim_end(&x->s);
	while (x->n_waiting)
		sys_close(x->waiting[--x->n_waiting]);
	free(x->s.instance);
	arena_done(&x->arena);
	free(x);
}

static void hosted_free(struct hosted *x)
{
	struct hosted **at = &x->host->list;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	hosted_done(x);
}

static void on_ended(struct shim *s)
{
	hosted_free((struct hosted *)s);
}

/* ---- connections ------------------------------------------------------------ */

static int connect_to(struct hosted *x, struct err *e)
{
	OWN_FD ours = -1, theirs = -1;
	int pair[2], r = sys_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, pair);

	if (r >= 0) {
		ours = pair[0];
		theirs = pair[1];
		r = x->restoring && x->n_waiting == WAITING_MAX ? -EAGAIN : 0;
	}
	if (r >= 0 && x->restoring)
		x->waiting[x->n_waiting++] = take_fd(&theirs);
	else if (r >= 0)
		r = ttrpc_server_add(&x->s.server, take_fd(&theirs), NULL);
	return r < 0 ? err_sys(e, r, "connect to the task's service") : take_fd(&ours);
}

static void is_restored(struct hosted *x)
{
	x->restoring = false;
	for (unsigned i = 0; i < x->n_waiting; i++)
		(void)ttrpc_server_add(&x->s.server, x->waiting[i], NULL);
	x->n_waiting = 0;
}

/* ---- after a restart -------------------------------------------------------- */

struct told { /* what is in the journal */
	bool any, exit, delete;
};

static void on_event(void *ctx, uint64_t number, const Containerd__Events__Envelope *m)
{
	Containerd__Events__TaskExit *exit;
	struct told *told = ctx;

	told->any = true;
	if (!m->event)
		return;
	if (!strcmp(m->topic, "/tasks/delete"))
		told->delete = true;
	if (strcmp(m->topic, "/tasks/exit") != 0)
		return;
	exit = containerd__events__task_exit__unpack(NULL, m->event->value.len, m->event->value.data);
	if (exit && !strcmp(exit->id, exit->container_id))
		told->exit = true;
	if (exit)
		containerd__events__task_exit__free_unpacked(exit, NULL);
}

static void tell_create(struct task *t)
{
	Containerd__Events__TaskCreate m = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;

	io.stdin = t->init.path[STDIN];
	io.stdout = t->init.path[STDOUT];
	io.stderr = t->init.path[STDERR];
	io.terminal = t->init.terminal;
	m.container_id = t->id;
	m.bundle = t->bundle;
	m.io = &io;
	m.pid = (uint32_t)t->init.pid;
	events_publish(&t->shim->events, "/tasks/create", &m.base);
}

/* It ended while we were away, or just before; and who waits has been told, or not. */
static void set_ended(struct task *t, bool told)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct process *p = &t->init;
	struct exit_record rec;

	p->status = UNKNOWN;
	clock_gettime(CLOCK_REALTIME, &p->at);
	if (exit_record_read(&a, t->bundle, "", &rec, NULL) >= 0) {
		p->status = rec.status;
		p->at = rec.at;
		p->signal = rec.signal;
		p->core_dumped = rec.core_dumped;
		p->oom_kills = t->oom_kills = rec.oom_kills;
		p->kill_signal = rec.kill_signal;
		p->kill_all = rec.kill_all;
	}
	t->ready = true;
	if (told) {
		p->state = LIFE_STOPPED;
	} else {
		p->ended = true;
		process_settle(p);
	}
}

static void adopt(struct task *t, struct helper_result *ret)
{
	free(t->cgroup);
	free(t->memory);
	t->cgroup = strdup(ret->cgroup);
	t->memory = strdup(ret->memory);
	t->shared_pids = ret->shared_pids;
	t->init.state = ret->state;
	task_watch_oom(t, take_fd(&ret->oom));
}

static void on_restored(struct job *j, int r, struct helper_result *ret, struct err *e)
{
	struct task *t = j->task;
	struct hosted *x = (struct hosted *)t->shim;
	int pidfd = take_fd(&t->init.pidfd);
	char text[1200];

	if (pidfd < 0 && r < 0) {
		log_printf(LOG_LEVEL_ERROR, "task %s: is taken to have ended: %s", t->id,
			   err_text(e, text, sizeof text));
		set_ended(t, false);
		is_restored(x);
		return;
	}
	if (pidfd < 0) {
		pidfd = take_fd(&ret->pidfd);
		t->init.pid = ret->pid;
	}
	if (r < 0)
		log_printf(LOG_LEVEL_WARNING, "task %s: what its runtime knows of it cannot be read: %s", t->id,
			   err_text(e, text, sizeof text));
	else
		adopt(t, ret);
	if (r < 0)
		t->init.state = LIFE_RUNNING;
	t->ready = true;
	r = process_watch(&t->init, t->init.pid, pidfd);
	if (r < 0)
		log_printf(LOG_LEVEL_ERROR, "task %s: its end will not be seen: %s", t->id, err_cause(-r));
	is_restored(x);
}

/* A record that cannot be read is one today and tomorrow, unless we have too little of something. */
static bool is_lost(const char *id, int r, const struct err *e)
{
	char text[1200];

	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return false;
	log_printf(LOG_LEVEL_ERROR, "task %s: what is on record of it is lost: %s", id,
		   err_text(e, text, sizeof text));
	return true;
}

/* -ESRCH: it has ended. */
static int open_process(const struct shim *s, const struct hosted_record *rec)
{
	OWN_FD pidfd = -1;
	struct proc_stat st;
	int r;

	if (rec->pid <= 0 || strcmp(rec->boot_id, s->boot_id) != 0)
		return -ESRCH;
	pidfd = r = sys_pidfd_open(rec->pid, 0);
	if (r >= 0)
		r = proc_stat(rec->pid, &st);
	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? -ESRCH : r; /* the number is a thread's now */
	return st.start_time != rec->start_time || st.state == 'Z' || st.state == 'X' ? -ESRCH : take_fd(&pidfd);
}

/* That of its record, or, where that is lost, the one that stands for none. */
static int set_runtime(struct task *t, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct task_options none;
	struct runtime rt = { 0 };
	int r = task_record_read(&a, t->bundle, &rt, e);

	if (r < 0 && !is_lost(t->id, r, e))
		return r;
	if (r < 0) {
		r = task_options_decode(&a, NULL, &none, e);
		if (r >= 0)
			r = task_choose_runtime(t, &none, e);
	} else {
		t->runtime = rt;
		t->runtime.binary = strdup(rt.binary);
		t->runtime.root = strdup(rt.root);
		t->runtime.cgroup = NULL;
	}
	t->cgroup = strdup(rt.cgroup ? rt.cgroup : "");
	t->memory = strdup("");
	if (r >= 0 && (!t->runtime.binary || !t->runtime.root || !t->cgroup || !t->memory))
		r = err_sys(e, -ENOMEM, "restore task %s", t->id);
	return r;
}

static struct task *make_task(struct hosted *x, const struct hosted_record *rec, struct err *e)
{
	struct task *t = task_new(&x->s, x->id, x->bundle);
	int r;

	if (!t)
		return err_sys(e, -ENOMEM, "restore task %s", x->id), NULL;
	t->init.pid = rec->pid;
	r = set_runtime(t, e);
	if (r >= 0)
		r = stdstreams_set(&t->init, rec->stdio[STDIN], rec->stdio[STDOUT], rec->stdio[STDERR], rec->terminal,
				   e);
	if (r >= 0)
		return t;
	task_free(t);
	return NULL;
}

/* How long a runtime may take to say how its task is, which is taken to run then. */
enum { RESTORE_MS = 10000 };

static int ask_runtime(struct hosted *x, struct task *t, int pidfd, struct err *e)
{
	struct job *j = job_new(t, &t->init, NULL, on_restored);

	if (!j) {
		sys_close(pidfd);
		return err_sys(e, -ENOMEM, "restore");
	}
	t->init.pidfd = pidfd;
	x->restoring = true;
	j->order.pid = t->init.pid;
	job_start(j, t->runtime.ops->restore, NULL);
	job_hurry(t, RESTORE_MS);
	return 0;
}

static int restore(struct hosted *x, const struct hosted_record *rec, struct err *e)
{
	OWN_FD pidfd = -1;
	struct told told = { 0 };
	bool unknown = rec->pid <= 0;
	struct task *t;

	journal_tell(&x->s.events.journal, 0, on_event, &told);
	if (told.delete)
		return err_set(e, ERR_NOT_FOUND, -ECONNREFUSED, "task %s has been deleted", x->id), -ECONNREFUSED;
	if (!told.exit && !unknown)
		pidfd = open_process(&x->s, rec);
	if (pidfd < 0 && pidfd != -ESRCH && !told.exit && !unknown)
		return err_sys(e, pidfd, "look for the process of task %s", x->id);
	t = make_task(x, rec, e);
	if (!t)
		return -EIO;
	if (!told.any && !x->s.events.begun_anew)
		tell_create(t);
	if (pidfd >= 0 || (unknown && !told.exit))
		return ask_runtime(x, t, take_fd(&pidfd), e);
	set_ended(t, told.exit);
	return 0;
}

/* ---- one task --------------------------------------------------------------- */

static struct hosted *find(const struct shim_host *h, const struct shim_host_task *t)
{
	struct hosted *x = h->list;

	while (x && (x->s.stopping || strcmp(x->s.instance, t->instance) != 0))
		x = x->next;
	return x;
}

/* Its words in memory of its own. */
static int begin(struct hosted *x, const struct shim_host_task *t, struct err *e)
{
	struct settings *settings = arena_alloc(&x->arena, sizeof *settings);
	char *journal = arena_printf(&x->arena, "%s/events", t->bundle);
	char *shim_json = arena_printf(&x->arena, "%s/shim.json", t->bundle);
	struct shim_parts parts = {
		.loop = x->host->loop,
		.reaper = &x->host->reaper,
		.namespace = arena_strdup(&x->arena, t->namespace),
		.settings = settings,
		.cgroup_host = &x->host->cgroup_host,
		.journal = journal,
		.journal_goes_on = !t->create,
		.listen_fd = -1,
	};

	x->id = arena_strdup(&x->arena, t->id);
	x->bundle = arena_strdup(&x->arena, t->bundle);
	x->s.binary = arena_strdup(&x->arena, t->binary);
	x->s.instance = strdup(t->instance);
	x->s.ended = on_ended;
	if (!settings || !journal || !shim_json || !parts.namespace || !x->id || !x->bundle || !x->s.binary ||
	    !x->s.instance)
		return err_sys(e, -ENOMEM, "task %s", t->id);
	if (settings_read_file(&x->arena, shim_json, settings, e) < 0)
		return -EIO;
	return shim_begin(&x->s, &parts, e);
}

static int host(struct shim_host *h, const struct shim_host_task *t, struct hosted **ret, struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	static char none[] = "";
	struct hosted_record rec;
	struct hosted *x;
	int r = 0;

	if (!t->create)
		r = hosted_record_read(&a, t->bundle, &rec, e);
	if (r == -ENOENT)
		return -ECONNREFUSED;
	if (r < 0 && !is_lost(t->id, r, e))
		return r;
	if (r < 0)
		rec = (struct hosted_record){ .stdio = { none, none, none } };
	x = calloc(1, sizeof *x);
	if (!x)
		return err_sys(e, -ENOMEM, "task %s", t->id);
	x->s = (struct shim)SHIM_EMPTY;
	x->host = h;
	x->next = h->list;
	h->list = x;
	r = begin(x, t, e);
	if (r == -ENOENT)
		r = -EIO; /* of its files one is missing, which is not: it was never made */
	if (r >= 0 && !t->create)
		r = restore(x, &rec, e);
	if (r < 0)
		hosted_free(x);
	else
		*ret = x;
	return r;
}

int shim_host_connect(struct shim_host *h, const struct shim_host_task *t, struct err *e)
{
	struct hosted *x = find(h, t);
	int r = x ? 0 : host(h, t, &x, e);

	return r < 0 ? r : connect_to(x, e);
}

/* ---- all of them ------------------------------------------------------------ */

int shim_host_new(struct shim_host **ret, struct loop *l, bool (*is_other)(pid_t pid), struct err *e)
{
	struct shim_host *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return err_sys(e, -ENOMEM, "host tasks");
	h->loop = l;
	h->reaper.signals = -1;
	h->reaper.is_other = is_other;
	r = cgroup_host_read(&h->cgroup_host, &h->arena, e);
	if (r >= 0)
		r = reaper_start(&h->reaper, l, e);
	if (r < 0)
		shim_host_free(h);
	else
		*ret = h;
	return r;
}

void shim_host_free(struct shim_host *h)
{
	for (struct hosted *x = h->list, *next; x; x = next) {
		next = x->next;
		hosted_done(x);
	}
	reaper_end(&h->reaper);
	arena_done(&h->arena);
	free(h);
}

void shim_host_help(char **argv)
{
	static const char *const help[] = HELPER_ARGV;

	if (argv[0] && !argv[1] && !strcmp(argv[0], help[0]))
		helper_be(order_do);
}
