/* Tasks that are there, and that come; see discover.h. */
#include "discover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir.h"
#include "err.h"
#include "fd.h"
#include "state_dir.h"
#include "sys.h"

struct discover_namespace {
	struct discover_namespace *next;
	int wd;
	char name[];
};

/* Each directory in it that is none of the engine's own. */
static void each_directory(struct discover *d, const char *path, const char *namespace,
			   void (*fn)(struct discover *d, const char *namespace, const char *name))
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *entry;

	while (fd >= 0 && (entry = dir_next(&rd))) {
		if (entry->name[0] != '.')
			fn(d, namespace, entry->name);
		else if (bundle_is_leftover(entry->name)) /* somebody was killed at it, perhaps we */
			bundle_sweep(fd, entry->name);
	}
}

static void tell(struct discover *d, const char *namespace, const char *id)
{
	d->found(d->ctx, namespace, id, d->is_new);
}

/* First the watch, then the look: what comes in between is found twice. */
static void add_namespace(struct discover *d, const char *unused, const char *name)
{
	struct discover_namespace *n;
	char path[PATH_MAX];
	int wd;

	if (snprintf(path, sizeof path, "%s/%s", d->state, name) >= (int)sizeof path)
		return;
	wd = sys_inotify_add_watch(d->fd, path, IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
	/* One by this name that is removed, but still open somewhere, is another. */
	for (n = d->namespaces; n && n->wd != wd; n = n->next)
		;
	if (wd < 0 || n)
		return;
	n = malloc(sizeof *n + strlen(name) + 1);
	if (!n)
		return;
	strcpy(n->name, name);
	n->wd = wd;
	n->next = d->namespaces;
	d->namespaces = n;
	each_directory(d, path, n->name, tell);
}

static void remove_namespace(struct discover *d, int wd)
{
	for (struct discover_namespace **at = &d->namespaces; *at; at = &(*at)->next) {
		struct discover_namespace *n = *at;

		if (n->wd != wd)
			continue;
		*at = n->next;
		free(n);
		return;
	}
}

static void forget_namespaces(struct discover *d)
{
	while (d->namespaces) {
		struct discover_namespace *n = d->namespaces;

		d->namespaces = n->next;
		(void)inotify_rm_watch(d->fd, n->wd);
		free(n);
	}
}

int discover_check(const struct discover *d, struct err *e)
{
	struct stat st;
	int r = sys_fstatat(AT_FDCWD, d->state, &st, 0);

	if (r < 0)
		return err_set(e, ERR_STATE, r, "the state directory '%s' is gone", d->state);
	if (st.st_dev != d->dev || st.st_ino != d->ino)
		return err_set(e, ERR_STATE, 0, "the state directory '%s' is another than at the start", d->state);
	return 0;
}

static void on_change(struct discover *d, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW) { /* the kernel had more to tell than it keeps */
		forget_namespaces(d);
		each_directory(d, d->state, NULL, add_namespace);
		return;
	}
	if (ev->mask & (IN_DELETE_SELF | IN_IGNORED)) {
		remove_namespace(d, ev->wd);
		return;
	}
	if (!ev->len || ev->name[0] == '.')
		return;
	if (ev->wd == d->wd)
		add_namespace(d, NULL, ev->name);
	for (struct discover_namespace *n = d->namespaces; n; n = n->next)
		if (n->wd == ev->wd) {
			tell(d, n->name, ev->name);
			return;
		}
}

static int on_inotify(struct source *s, uint32_t events)
{
	struct discover *d = (struct discover *)((char *)s - offsetof(struct discover, src));
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n;

	while ((n = sys_read(d->fd, buf, sizeof buf)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(buf + at);

			on_change(d, ev);
			at += (ssize_t)(sizeof *ev + ev->len);
		}
	return 0;
}

int discover_begin(struct discover *d, struct loop *l, const char *state, struct err *e)
{
	struct stat st = { 0 };
	int r;

	d->fd = sys_inotify_init(IN_NONBLOCK | IN_CLOEXEC);
	d->state = strdup(state);
	r = d->fd < 0 ? d->fd : !d->state ? -ENOMEM : 0;
	if (r >= 0)
		r = d->wd = sys_inotify_add_watch(d->fd, state, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (r >= 0)
		r = sys_fstatat(AT_FDCWD, state, &st, 0);
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	if (r >= 0)
		r = source_fd(&d->src, l, d->fd, EPOLLIN, on_inotify);
	if (r < 0) {
		discover_end(d);
		return err_sys(e, r, "watch '%s'", state);
	}
	each_directory(d, state, NULL, add_namespace);
	d->is_new = true;
	return 0;
}

void discover_end(struct discover *d)
{
	source_remove(&d->src);
	if (d->fd >= 0)
		forget_namespaces(d);
	fd_closep(&d->fd);
	free(d->state);
	d->state = NULL;
}
