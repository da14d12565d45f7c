/* Clocks, CPU and chance; see sampling.h. */
#define _GNU_SOURCE
#include "sampling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* ---- clocks ---------------------------------------------------------------- */

uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

void idle(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- CPU ------------------------------------------------------------------- */

int usage_enter(const char *dir)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/driver", dir);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die("make '%s': %s", path, strerror(errno));
	snprintf(path, sizeof path, "%s/driver/cgroup.procs", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) < 0)
		die("join '%s': %s", path, strerror(errno));
	close(fd);
	snprintf(path, sizeof path, "%s/cpuacct.usage", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(path, sizeof path, "%s/cpu.stat", dir);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		die("open '%s': %s", path, strerror(errno));
	return fd;
}

/* cpuacct.usage is one number of nanoseconds, cpu.stat begins with usage_usec. */
uint64_t usage_ns(int fd)
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n <= 0)
		die("read the CPU usage: %s", strerror(errno));
	text[n] = '\0';
	if (!strncmp(text, "usage_usec ", 11))
		return strtoull(text + 11, NULL, 10) * 1000;
	return strtoull(text, NULL, 10);
}

/* ---- chance ---------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

enum { QUIET_NS = 20000, SETTLE_MS = 100 };

uint64_t settled_ns(uint64_t (*used)(const void *ctx), const void *ctx)
{
	uint64_t before = used(ctx), now = before;

	for (int i = 0; i < SETTLE_MS; i++, before = now) {
		idle(1);
		now = used(ctx);
		if (now < before + QUIET_NS)
			break;
	}
	return now;
}

void shuffle(void *items, size_t n, size_t size, uint64_t *seed)
{
	char swap[64], *at = items;

	for (size_t i = n; i > 1; i--) {
		size_t k = next_random(seed) % i;

		memcpy(swap, at + (i - 1) * size, size);
		memcpy(at + (i - 1) * size, at + k * size, size);
		memcpy(at + k * size, swap, size);
	}
}
