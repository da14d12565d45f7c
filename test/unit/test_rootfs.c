/* Paths below a hostile root: what is opened and made, and that nothing outside
 * is. Everything twice: with openat2, and with a filter that refuses it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd.h"
#include "rootfs.h"

enum { RACE_MS = 400 };
enum op { OPEN, OPEN_DIR, OPEN_NOFOLLOW, MAKE_DIR, MAKE_FILE, MAKE_PARENT };

static char base[PATH_MAX]; /* base/root is the root, base/outside is not */
static char long_name[NAME_MAX + 2];

static void put_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static void make_tree(void)
{
	static const struct {
		const char *to, *name;
	} links[] = {
		{ "/etc", "abs" }, { "../../outside", "up" }, { "/../../outside", "absup" },
		{ "dir/../../../../outside", "zigzag" }, { "nothing", "dangling" },
		{ "/made/by/link", "absdangling" }, { "../../outside/new", "updangling" },
		{ "loop2", "loop1" }, { "loop1", "loop2" }, { "self", "self" },
		{ "link2", "link1" }, { "link3", "link2" }, { "dir", "link3" },
		{ "dir/file", "tofile" }, { ".", "dot" }, { "/", "slash" }, { "etc/", "slashed" },
	};
	int top, root, outside;

	strcpy(base, "/tmp/berth-rootfs-XXXXXX");
	assert_non_null(mkdtemp(base));
	top = open(base, O_DIRECTORY | O_CLOEXEC);
	mkdirat(top, "root", 0755);
	mkdirat(top, "outside", 0755);
	root = openat(top, "root", O_DIRECTORY | O_CLOEXEC);
	outside = openat(top, "outside", O_DIRECTORY | O_CLOEXEC);
	put_file(outside, "secret");
	mkdirat(root, "etc", 0755);
	put_file(root, "etc/passwd");
	mkdirat(root, "dir", 0755);
	put_file(root, "dir/file");
	mkfifoat(root, "fifo", 0644);
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		assert_int_equal(symlinkat(links[i].to, root, links[i].name), 0);
	close(outside);
	close(root);
	close(top);
}

static void remove_tree(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof command, "rm -rf '%s'", base);
	assert_int_equal(system(command), 0);
}

static int count_entries(const char *below)
{
	char path[PATH_MAX + 16];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof path, "%s/%s", base, below);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Where the fd is, without `base`; or "!" and the error. */
static const char *where(int fd, char *buf, size_t cap)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (fd < 0) {
		snprintf(buf, cap, "!%s", strerrorname_np(-fd));
		return buf;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	snprintf(buf, cap, "%s", strncmp(path, base, strlen(base)) ? path : path + strlen(base));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return buf;
}

static int parent_only(int root, const char *path, char *leaf)
{
	struct rootfs_dir memory = { .fd = -1 };

	return rootfs_parent(root, &memory, path, leaf);
}

static int perform(enum op op, int root, const char *path, char *leaf)
{
	switch (op) {
	case OPEN:
		return rootfs_open(root, path, O_RDONLY | O_NONBLOCK);
	case OPEN_DIR:
		return rootfs_open(root, path, O_PATH | O_DIRECTORY);
	case OPEN_NOFOLLOW:
		return rootfs_open(root, path, O_PATH | O_NOFOLLOW);
	case MAKE_DIR:
		return rootfs_make_dir(root, path, 0755);
	case MAKE_FILE:
		return rootfs_make_file(root, path, 0644);
	default:
		return parent_only(root, path, leaf);
	}
}

static const struct row {
	enum op op;
	const char *path, *want;
} rows[] = {
	{ OPEN, "dir/file", "/root/dir/file" },
	{ OPEN, "/dir//./file", "/root/dir/file" },
	{ OPEN, "../../dir/file", "/root/dir/file" },
	{ OPEN, "dir/../../../etc/passwd", "/root/etc/passwd" },
	{ OPEN, "", "/root" },
	{ OPEN, "/", "/root" },
	{ OPEN, "..", "/root" },
	{ OPEN, "abs/passwd", "/root/etc/passwd" },
	{ OPEN, "up/secret", "!ENOENT" },
	{ OPEN, "absup/secret", "!ENOENT" },
	{ OPEN, "zigzag/secret", "!ENOENT" },
	{ OPEN, "link1/file", "/root/dir/file" },
	{ OPEN, "slash/slash/dir/file", "/root/dir/file" },
	{ OPEN, "dot/dot/tofile", "/root/dir/file" },
	{ OPEN, "slashed/passwd", "/root/etc/passwd" },
	{ OPEN, "dangling", "!ENOENT" },
	{ OPEN, "loop1", "!ELOOP" },
	{ OPEN, "self/x", "!ELOOP" },
	{ OPEN, "dir/file/x", "!ENOTDIR" },
	{ OPEN, "fifo", "/root/fifo" },
	{ OPEN_DIR, "dir/file", "!ENOTDIR" },
	{ OPEN_DIR, "fifo", "!ENOTDIR" },
	{ OPEN_DIR, "link1", "/root/dir" },
	{ OPEN_NOFOLLOW, "link1", "/root/link1" },
	{ OPEN_NOFOLLOW, "up", "/root/up" },
	{ OPEN, long_name, "!ENAMETOOLONG" },
	{ MAKE_DIR, "new", "/root/new" },
	{ MAKE_DIR, "a/b/c", "/root/a/b/c" },
	{ MAKE_DIR, "../../a/b", "/root/a/b" },
	{ MAKE_DIR, "up/x/y", "/root/outside/x/y" },
	{ MAKE_DIR, "absup/x", "/root/outside/x" },
	{ MAKE_DIR, "zigzag/x", "/root/outside/x" },
	{ MAKE_DIR, "dangling", "/root/nothing" },
	{ MAKE_DIR, "absdangling", "/root/made/by/link" },
	{ MAKE_DIR, "updangling", "/root/outside/new" },
	{ MAKE_DIR, "link1/x", "/root/dir/x" },
	{ MAKE_DIR, "loop1/x", "!ELOOP" },
	{ MAKE_DIR, "self", "!ELOOP" },
	{ MAKE_DIR, "dir/file", "/root/dir/file" }, /* there already, whatever it is */
	{ MAKE_DIR, "dir/file/x", "!ENOTDIR" },
	{ MAKE_DIR, "fifo/x", "!ENOTDIR" },
	{ MAKE_DIR, long_name, "!ENAMETOOLONG" },
	{ MAKE_FILE, "new", "/root/new" },
	{ MAKE_FILE, "a/b/f", "/root/a/b/f" },
	{ MAKE_FILE, "up/f", "/root/outside/f" },
	{ MAKE_FILE, "updangling", "/root/outside/new" },
	{ MAKE_FILE, "absdangling", "/root/made/by/link" },
	{ MAKE_FILE, "fifo", "/root/fifo" },
	{ MAKE_FILE, "loop1", "!ELOOP" },
	{ MAKE_FILE, "dir", "/root/dir" },
	{ MAKE_PARENT, "a/b/c", "/root/a/b" },
	{ MAKE_PARENT, "up/f", "/root/outside" },
	{ MAKE_PARENT, "new", "/root" },
	{ MAKE_PARENT, "/", "!EINVAL" },
	{ MAKE_PARENT, "a/..", "!EINVAL" },
};

static void hostile_table(void **state)
{
	char got[PATH_MAX], leaf[NAME_MAX + 1], path[PATH_MAX + 16];

	memset(long_name, 'n', sizeof long_name - 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int root, fd;

		make_tree();
		snprintf(path, sizeof path, "%s/root", base);
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = perform(rows[i].op, root, rows[i].path, leaf);
		if (strcmp(where(fd, got, sizeof got), rows[i].want) != 0)
			fail_msg("row %zu, '%.60s': %s instead of %s", i, rows[i].path, got, rows[i].want);
		assert_int_equal(count_entries("outside"), 1);
		assert_int_equal(count_entries(""), 2);
		if (fd >= 0)
			close(fd);
		close(root);
		remove_tree();
	}
}

/* /proc below the root: what would lead out by the kernel's own links. */
static void magic_links(void **state)
{
	static const char *const names[] = { "cwd", "root", "root/etc", "exe", "fd/0", "ns/mnt" };
	static const char *const plain[] = { "proc/self/status", "proc/mounts", "proc/net/dev" };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "proc/%d/%s", (int)getpid(), names[i]);
		assert_int_equal(rootfs_open(root, path, O_PATH), -ELOOP);
		assert_int_equal(rootfs_make_file(root, path, 0644), -ELOOP);
	}
	/* ... and those that lead where they say. */
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		int fd = rootfs_open(root, plain[i], O_RDONLY);

		assert_true(fd >= 0);
		close(fd);
	}
	close(root);
}

/* The memory of a parent: for its own entries only, and until it is forgotten. */
static void remembers_parent(void **state)
{
	struct rootfs_dir memory = { .fd = -1 };
	char leaf[NAME_MAX + 1], buf[PATH_MAX], path[PATH_MAX + 16];
	int root, fd;

	make_tree();
	snprintf(path, sizeof path, "%s/root", base);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_false(rootfs_knows_parent(&memory, "/dir/a"));
	fd = rootfs_parent(root, &memory, "/dir/a", leaf);
	assert_string_equal(where(fd, buf, sizeof buf), "/root/dir");
	assert_string_equal(leaf, "a");
	assert_true(rootfs_knows_parent(&memory, "/dir/b/"));
	assert_int_equal(rootfs_parent(root, &memory, "/dir/b/", leaf), fd);
	assert_string_equal(leaf, "b");
	assert_false(rootfs_knows_parent(&memory, "/dir/b/c"));
	assert_false(rootfs_knows_parent(&memory, "/dir/.."));
	assert_false(rootfs_knows_parent(&memory, "/di"));
	assert_int_equal(rootfs_parent(root, &memory, "/dir/..", leaf), -EINVAL);

	/* Another directory is there now: seen only after it was forgotten. */
	assert_int_equal(renameat(root, "dir", root, "moved"), 0);
	assert_int_equal(mkdirat(root, "dir", 0755), 0);
	fd = rootfs_parent(root, &memory, "/dir/c", leaf);
	assert_string_equal(where(fd, buf, sizeof buf), "/root/moved");
	rootfs_forget(&memory);
	assert_int_equal(memory.fd, -1);
	fd = rootfs_parent(root, &memory, "/dir/c", leaf);
	assert_string_equal(where(fd, buf, sizeof buf), "/root/dir");
	fd = rootfs_parent(root, &memory, "/etc/x", leaf);
	assert_string_equal(where(fd, buf, sizeof buf), "/root/etc");
	rootfs_forget(&memory);
	close(root);
	remove_tree();
}

static atomic_bool stop;

/* Exchanges a directory and a link out of the root, without end. */
static void *rename_on(void *root)
{
	int dir = *(int *)root;

	while (!stop)
		syscall(SYS_renameat2, dir, "swap", dir, "swap2", 2 /* RENAME_EXCHANGE */);
	return NULL;
}

static void racing_renames(void **state)
{
	char path[PATH_MAX + 16], got[PATH_MAX], name[64];
	struct timespec t0, t;
	pthread_t thread;
	int root, rounds = 0;

	make_tree();
	snprintf(path, sizeof path, "%s/root", base);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mkdirat(root, "swap", 0755);
	assert_int_equal(symlinkat("../../outside", root, "swap2"), 0);
	put_file(root, "swap/secret");
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, rename_on, &root), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		int fd = rootfs_open(root, "swap/secret", O_RDONLY);

		assert_true(strncmp(where(fd, got, sizeof got), "/outside", 8) != 0);
		if (fd >= 0)
			close(fd);
		snprintf(name, sizeof name, "swap/f%d", rounds % 50);
		fd = rounds & 1 ? rootfs_make_file(root, name, 0644) : rootfs_make_dir(root, name, 0755);
		assert_true(strncmp(where(fd, got, sizeof got), "/outside", 8) != 0);
		if (fd >= 0)
			close(fd);
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while ((t.tv_sec - t0.tv_sec) * 1000 + (t.tv_nsec - t0.tv_nsec) / 1000000 < RACE_MS);
	stop = true;
	pthread_join(thread, NULL);
	assert_true(rounds > 10);
	assert_int_equal(count_entries("outside"), 1);
	assert_int_equal(count_entries(""), 2);
	close(root);
	remove_tree();
}

/* For the rest of this process. */
static void refuse_openat2(void **state)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof code / sizeof code[0], .filter = code };

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
	assert_int_equal(syscall(SYS_openat2, -1, "", NULL, 0), -1);
	assert_int_equal(errno, ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_table),
		cmocka_unit_test(magic_links),
		cmocka_unit_test(remembers_parent),
		cmocka_unit_test(racing_renames),
		cmocka_unit_test(refuse_openat2),
		{ "hostile_table_without_openat2", hostile_table, NULL, NULL, NULL },
		{ "magic_links_without_openat2", magic_links, NULL, NULL, NULL },
		{ "racing_renames_without_openat2", racing_renames, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
