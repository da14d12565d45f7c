/* Mounting a task's root file system; see rootfs_mounts.h. */
#include "rootfs_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "mem.h"
#include "names.h"
#include "rootfs.h"
#include "str.h"
#include "sys.h"

enum { UNDO_MAX = 64 }; /* mounts one over the other */

struct options { /* as mount(2) wants them */
	unsigned long flags, propagation;
	struct sb data;
};

static int add_option(struct options *o, const char *word, struct err *e)
{
	const struct mount_option *known = mount_option_find(word);

	if (!known) {
		if (o->data.len)
			sb_putc(&o->data, ',');
		sb_puts(&o->data, word);
	} else if (known->kind == MOUNT_OPTION_FLAG && known->clear) {
		o->flags &= ~(unsigned long)known->bits;
	} else if (known->kind == MOUNT_OPTION_FLAG) {
		o->flags |= (unsigned long)known->bits;
	} else if (known->kind == MOUNT_OPTION_PROPAGATION) {
		o->propagation = (unsigned long)known->bits;
	} else if (known->kind != MOUNT_OPTION_NOTHING) {
		return err_set(e, ERR_UNSUPPORTED, 0, "rootfs: option '%s'", word);
	}
	return 0;
}

/* The root itself, or a directory below it; found anew for each call, since what
 * was mounted last is what counts. Below the root nothing is trusted. */
static int mount_on(const char *dir, const Containerd__Types__Mount *m, unsigned long flags, const char *data)
{
	OWN_FD root = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	OWN_FD below = -1;
	char target[32];

	if (root < 0)
		return root;
	if (!str_empty(m->target)) {
		below = rootfs_open(root, m->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (below < 0)
			return below;
	}
	snprintf(target, sizeof target, "/proc/self/fd/%d", below >= 0 ? below : root);
	return sys_mount(m->source, target, m->type, flags, data);
}

/* A bind takes its other flags only when it is there. */
static int mount_all(const char *dir, const Containerd__Types__Mount *m, const struct options *o)
{
	const unsigned long bind = MS_BIND | MS_REC;
	int r = mount_on(dir, m, o->flags & MS_BIND ? o->flags & bind : o->flags, o->data.s);

	if (r >= 0 && o->flags & MS_BIND && o->flags & ~bind)
		r = mount_on(dir, m, (o->flags & ~(unsigned long)MS_REC) | MS_REMOUNT, NULL);
	if (r >= 0 && o->propagation)
		r = mount_on(dir, m, o->propagation, NULL);
	return r;
}

/* An overlay of many layers has more options than fit in a page: the names are
 * shortened by what they begin with, and that is where we stand. This is a
 * helper, whose directory is its own. */
static int from_common_directory(struct options *o)
{
	static const char key[] = "lowerdir=";
	char *list = o->data.s ? strstr(o->data.s, key) : NULL, *end, *cut;
	OWN_SB struct sb shorter = SB_INIT;
	size_t common;
	int r;

	if (!list || o->data.len < 4000)
		return 0;
	list += sizeof key - 1;
	end = list + strcspn(list, ",");
	common = (size_t)(strcspn(list, ":,"));
	for (const char *dir = list; dir < end; dir += strcspn(dir, ":,") + 1) {
		size_t same = 0;

		while (same < common && dir[same] == list[same])
			same++;
		common = same;
	}
	while (common && list[common - 1] != '/')
		common--;
	if (common < 2)
		return 0;
	cut = strndup(list, common);
	r = cut ? sys_chdir(cut) : -ENOMEM;
	free(cut);
	if (r < 0)
		return r;
	sb_add(&shorter, o->data.s, (size_t)(list - o->data.s));
	for (const char *dir = list; dir < end;) {
		size_t n = strcspn(dir, ":,");

		sb_add(&shorter, dir + common, n - common);
		if (dir + n < end)
			sb_putc(&shorter, ':');
		dir += n + 1;
	}
	sb_puts(&shorter, end);
	if (shorter.failed)
		return -ENOMEM;
	o->data.len = 0;
	sb_add(&o->data, shorter.s, shorter.len);
	return 0;
}

static int make_one(const char *dir, const Containerd__Types__Mount *m, struct err *e)
{
	struct options o = { .data = SB_INIT };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->n_options; i++)
		r = add_option(&o, m->options[i], e);
	if (r >= 0) {
		r = o.data.failed ? -ENOMEM : from_common_directory(&o);
		/* mount(2) reads one page, and what is beyond it would be passed over. */
		if (r >= 0 && o.data.len >= (size_t)sysconf(_SC_PAGESIZE))
			r = -E2BIG;
		if (r >= 0)
			r = mount_all(dir, m, &o);
		if (r < 0)
			err_sys(e, r, "failed to mount rootfs component: %s '%s'", m->type, m->source);
	}
	sb_done(&o.data);
	return r;
}

int rootfs_mounts_make(const char *bundle, Containerd__Types__Mount *const *mounts, size_t n, struct err *e)
{
	OWN_SB struct sb dir = SB_INIT;
	struct err ignored;
	int r = 0;

	if (!n)
		return 0;
	sb_printf(&dir, "%s/rootfs", bundle);
	if (dir.failed)
		return err_sys(e, -ENOMEM, "mount the root file system");
	r = sys_mkdirat(AT_FDCWD, dir.s, 0711);
	if (r < 0 && r != -EEXIST)
		return err_sys(e, r, "make '%s'", dir.s);
	r = 0;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = make_one(dir.s, mounts[i], e);
	if (r < 0)
		rootfs_mounts_undo(bundle, &ignored);
	return r;
}

static bool is_bind(const Containerd__Types__Mount *m)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (!strcmp(m->options[i], "bind") || !strcmp(m->options[i], "rbind"))
			return true;
	return false;
}

bool rootfs_mounts_are_binds(Containerd__Types__Mount *const *mounts, size_t n)
{
	while (n && is_bind(mounts[n - 1]))
		n--;
	return !n;
}

int rootfs_mounts_undo(const char *bundle, struct err *e)
{
	OWN_SB struct sb dir = SB_INIT;
	int r = 0;

	sb_printf(&dir, "%s/rootfs", bundle);
	if (dir.failed)
		return err_sys(e, -ENOMEM, "unmount the root file system");
	for (int i = 0; r >= 0 && i < UNDO_MAX; i++)
		r = sys_umount2(dir.s, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (r == -EINVAL || r == -ENOENT) /* nothing (more) is mounted there */
		return 0;
	return r < 0 ? err_sys(e, r, "unmount '%s'", dir.s) : 0;
}
