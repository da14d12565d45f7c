/*
 * The first process of the virtual machine (test/vm/run): makes the host's root,
 * below a tmpfs, its own, runs one job there and ends the machine with the job's
 * exit status. Where systemd is the init process it comes back as the service
 * that runs the job. `agent khz` prints the rate of the time stamp counter,
 * which the emulated kernel would otherwise measure, and get wrong under load.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { EXIT_PORT = 0x501, FAILED = 125 }; /* qemu's exit status is 2 * value + 1 */

static _Noreturn void end(int status)
{
	if (ioperm(EXIT_PORT, 4, 1) == 0)
		outl((unsigned)(status > FAILED ? FAILED : status) + 1, EXIT_PORT);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "vm: %s: %s\n", what, strerror(errno));
	end(FAILED);
}

static void mount_at(const char *source, const char *at, const char *type, const char *options)
{
	mkdir(at, 0755);
	if (mount(source, at, type, 0, options) < 0 && errno != EBUSY)
		die(at);
}

static void read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, cap - 1);

	if (n < 0)
		die(path);
	buf[n] = '\0';
	close(fd);
}

static void write_file(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0755);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* "name=value" of the kernel's command line, in static memory. */
static const char *option(const char *name)
{
	static char line[4096];
	size_t n = strlen(name);

	read_file("/proc/cmdline", line, sizeof line);
	for (char *p = strtok(line, " \n"); p; p = strtok(NULL, " \n"))
		if (!strncmp(p, name, n) && p[n] == '=')
			return p + n + 1;
	return "";
}

/* /modules lists them in the order in which they need each other. */
static void load_modules(void)
{
	char list[1024];

	read_file("/modules", list, sizeof list);
	for (char *m = strtok(list, "\n"); m; m = strtok(NULL, "\n")) {
		int fd = open(m, O_RDONLY | O_CLOEXEC);

		if (syscall(SYS_finit_module, fd, "", 0) < 0)
			die(m);
		close(fd);
	}
}

/* What the job prints goes to the first port of virtio-serial. */
static int open_output(void)
{
	for (int tries = 0; tries < 5000; tries++) {
		int fd = open("/dev/vport0p1", O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		usleep(1000);
	}
	die("/dev/vport0p1");
}

static void make_root(void)
{
	mount_at("tmpfs", "/upper", "tmpfs", "mode=755");
	mkdir("/upper/new", 0755);
	mkdir("/upper/work", 0755);
	mkdir("/host", 0755);
	if (mount("host", "/host", "9p", MS_RDONLY,
		  "trans=virtio,version=9p2000.L,msize=524288,cache=loose") < 0)
		die("mount the host's root");
	mount_at("root", "/top", "overlay",
		 "lowerdir=/host,upperdir=/upper/new,workdir=/upper/work");
	mount_at("proc", "/top/proc", "proc", NULL);
	mount_at("sysfs", "/top/sys", "sysfs", NULL);
	mount_at("dev", "/top/dev", "devtmpfs", NULL);
	mount_at("devpts", "/top/dev/pts", "devpts", "mode=620,gid=5,ptmxmode=666");
	mount_at("shm", "/top/dev/shm", "tmpfs", "mode=1777");
	mount_at("mqueue", "/top/dev/mqueue", "mqueue", NULL);
	mount_at("run", "/top/run", "tmpfs", "mode=755");
	mount_at("tmp", "/top/var/tmp", "tmpfs", "mode=1777");
	symlink("/proc/self/fd", "/top/dev/fd");
	unlink("/top/.dockerenv"); /* systemd would take this for a container */
	symlink("/proc/self/mounts", "/top/etc/mtab");
}

static void enter_root(void)
{
	if (chdir("/top") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		die("enter the root");
	mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL); /* as on every host with systemd */
}

static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(s, SIOCSIFFLAGS, &lo);
	close(s);
}

/* Every controller there is, for everybody. */
static void mount_cgroups(void)
{
	char list[512], plus[600] = "";

	mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", "nsdelegate,memory_recursiveprot");
	read_file("/sys/fs/cgroup/cgroup.controllers", list, sizeof list);
	for (char *c = strtok(list, " \n"); c; c = strtok(NULL, " \n")) {
		strcat(plus, " +");
		strcat(plus, c);
	}
	write_file("/sys/fs/cgroup/cgroup.subtree_control", plus, 0);
}

static int run_job(const char *job, int output)
{
	int status = 0;
	pid_t pid = fork(), dead;

	if (pid == 0) {
		setsid();
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
		dup2(output, 1);
		dup2(output, 2);
		execl("/bin/bash", "bash", job, NULL);
		die(job);
	}
	do
		dead = wait(&status); /* orphans come to the first process too */
	while (dead != pid && (dead > 0 || errno == EINTR));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Units come from the source tree alone: what a distribution starts at boot
 * takes a minute here. */
static void become_systemd(const char *units)
{
	char path[1024];

	snprintf(path, sizeof path, "SYSTEMD_UNIT_PATH=/run/systemd/system.control:"
				    "/run/systemd/transient:%s:/run/systemd/system",
		 units);
	char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", path,
			"SYSTEMD_GENERATOR_PATH=/nonexistent", NULL };
	execle("/lib/systemd/systemd", "systemd", "--unit=job.target", "--show-status=no",
	       "--log-target=kmsg", NULL, env);
	die("systemd");
}

static void print_khz(void)
{
	struct timespec a, b;
	unsigned long long from, to;

	clock_gettime(CLOCK_MONOTONIC, &a);
	from = __rdtsc();
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	to = __rdtsc();
	printf("%.0f\n", (double)(to - from) * 1e6 /
				 ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "khz")) {
		print_khz();
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "job"))
		end(run_job(option("vm.job"), open_output()));
	mount_at("dev", "/dev", "devtmpfs", NULL);
	dup2(dup2(open("/dev/console", O_RDWR), 1), 2);
	mount_at("proc", "/proc", "proc", NULL);
	mount_at("sys", "/sys", "sysfs", NULL);
	load_modules();
	loopback_up();
	make_root();
	symlink(option("vm.dir"), "/top/run/vm");
	enter_root();
	if (!strcmp(option("vm.init"), "systemd"))
		become_systemd(option("vm.units"));
	mount_cgroups();
	end(run_job(option("vm.job"), open_output()));
}
