/* What shims keep while nothing happens: memory, threads, descriptors. */
#include "shim_memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim_peer.h"

/* ---- what the kernel says of a process -------------------------------------- */

/* The number after `key` in a file of /proc/PID; -1: not there. */
static long number_of(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	if (!f)
		die("read '%s': %s", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			value = atol(line + strlen(key));
	fclose(f);
	return value;
}

static long count_fds(pid_t pid)
{
	char path[64];
	long n = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		die("read '%s': %s", path, strerror(errno));
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void write_row(FILE *out, const struct shim *s, const char *what, long i, long value)
{
	fprintf(out, "%s,%s,%ld,%ld\n", s->peer->name, what, i, value);
	fflush(out);
}

static void write_memory(FILE *out, const struct shim *s, long i)
{
	write_row(out, s, "pss", i, number_of(s->pid, "smaps_rollup", "Pss:"));
	write_row(out, s, "private_dirty", i, number_of(s->pid, "smaps_rollup", "Private_Dirty:"));
	write_row(out, s, "rss", i, number_of(s->pid, "smaps_rollup", "Rss:"));
	write_row(out, s, "threads", i, number_of(s->pid, "status", "Threads:"));
	write_row(out, s, "fds", i, count_fds(s->pid));
}

/* ---- shims with a container each -------------------------------------------- */

struct kept {
	struct shim shim;
	char id[64], bundle[MAX_TEXT];
};

static void one_exec(struct kept *k, const char *exec)
{
	shim_exec(&k->shim, k->id, exec, NULL);
	shim_run(&k->shim, k->id, exec);
	shim_wait(&k->shim, k->id, exec);
	shim_delete(&k->shim, k->id, exec);
	events_forget(k->shim.h);
}

static void begin(struct host *h, const struct peer *p, struct kept *k, const struct stdio *io)
{
	shim_prepare(h, p, &k->shim);
	shim_start(&k->shim);
	shim_connect(&k->shim);
	bundle_make(h, "sleep", k->id, k->bundle);
	shim_create(&k->shim, k->id, k->bundle, io);
	shim_run(&k->shim, k->id, "");
	events_forget(h);
}

static void end(struct kept *k)
{
	shim_kill(&k->shim, k->id);
	shim_wait(&k->shim, k->id, "");
	shim_delete(&k->shim, k->id, "");
	shim_stop(&k->shim);
	bundle_remove(k->bundle);
	events_forget(k->shim.h);
}

void memory_of_idle(struct host *h, const struct peer *p, long n, FILE *out)
{
	struct kept *k = calloc((size_t)n, sizeof *k);

	if (!k)
		die("out of memory");
	for (long i = 0; i < n; i++) {
		begin(h, p, &k[i], NULL);
		one_exec(&k[i], "e");
	}
	idle(500);
	for (long i = 0; i < n; i++)
		write_memory(out, &k[i].shim, i);
	for (long i = 0; i < n; i++)
		end(&k[i]);
	free(k);
}

void memory_of_execs(struct host *h, const struct peer *p, long n, FILE *out)
{
	struct kept k;
	char exec[32];

	begin(h, p, &k, NULL);
	for (long i = 1, mark = 1; i <= n; i++) {
		snprintf(exec, sizeof exec, "e%ld", i);
		one_exec(&k, exec);
		if (i != mark && i != n)
			continue;
		idle(20); /* whatever it does afterwards */
		write_row(out, &k.shim, "after_execs", i, number_of(k.shim.pid, "smaps_rollup", "Private_Dirty:"));
		mark *= 10;
	}
	end(&k);
}

/* ---- streams ----------------------------------------------------------------- */

/* Three FIFOs with us at the other ends. */
static void open_streams(const struct kept *k, const char *name, struct stdio *io, int fds[3])
{
	for (int i = 0; i < 3; i++) {
		snprintf(io->path[i], sizeof io->path[i], "%.200s/%s-%d", k->shim.h->work, name, i);
		fds[i] = mkfifo(io->path[i], 0600) < 0 ? -1 : open(io->path[i], O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fds[i] < 0)
			die("make '%s': %s", io->path[i], strerror(errno));
	}
}

static void close_streams(const struct stdio *io, const int fds[3])
{
	for (int i = 0; i < 3; i++) {
		close(fds[i]);
		unlink(io->path[i]);
	}
}

void fds_of_streams(struct host *h, const struct peer *p, FILE *out)
{
	struct kept k = { .shim.h = h };
	struct stdio first, second;
	int fds[2][3];

	open_streams(&k, "init", &first, fds[0]);
	begin(h, p, &k, &first);
	idle(200);
	write_row(out, &k.shim, "fds_streams", 1, count_fds(k.shim.pid));
	open_streams(&k, "exec", &second, fds[1]);
	shim_exec(&k.shim, k.id, "s", &second);
	shim_run(&k.shim, k.id, "s");
	idle(200);
	write_row(out, &k.shim, "fds_streams", 2, count_fds(k.shim.pid));
	end(&k);
	close_streams(&first, fds[0]);
	close_streams(&second, fds[1]);
}
