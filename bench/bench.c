/*
 * The bench driver: starts runtimes in random order and writes down what each
 * start cost. Every round holds each pair of case and runtime once, shuffled,
 * so that a busy minute of the machine falls on all of them alike.
 *
 * Wall time is from before the first command to after the last process of the
 * container is reaped (the driver is a subreaper). CPU is everything that ran
 * on the case's behalf: the driver sits below one cpuacct cgroup, so do all
 * containers, and its own share is taken off. Statistics are bench/report's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sampling.h"

#define MAX_RUNTIMES 8
#define MAX_ARGS 24
#define MAX_TEXT 256
#define SLOTS 8 /* containers in flight in the parallel case */
#define DEADLINE 60

enum what { RUN,
	    LIFE,
	    EXEC,
	    KILL,
	    PARALLEL,
	    SPAWN };

static const struct bench_case {
	const char *name;
	enum what what;
	const char *bundle;
	const char *floor_flag; /* NULL: the floor has no such case */
	bool every; /* in each round; the others in every eighth */
} cases[] = {
	/* clang-format off */
	{ "run",          RUN,      "full",    "--net",  true },
	{ "run-seccomp",  RUN,      "seccomp", "--net",  true },
	{ "run-nonet",    RUN,      "nonet",   "",       true },
	{ "life",         LIFE,     "full",    NULL,     true },
	{ "life-seccomp", LIFE,     "seccomp", NULL,     true },
	{ "exec",         EXEC,     NULL,      "",       true },
	{ "kill",         KILL,     "sleep",   NULL,     true },
	{ "parallel",     PARALLEL, "slot",    "--net",  false },
	{ "spawn",        SPAWN,    NULL,      "",       true },
	/* clang-format on */
};

struct runtime {
	const char *name, *path;
	bool floor;
	char root[MAX_TEXT];
};

struct bench {
	const char *mode, *work, *cgroup, *cpuacct, *only;
	const char *hierarchies; /* their names for the floor, or "cgroup2" */
	long rounds, hot_rounds, gap_ms, per_slot;
	uint64_t seed;
	struct runtime rt[MAX_RUNTIMES];
	int n_rt;
	int usage_fd;
	FILE *out;
	posix_spawn_file_actions_t files;
	unsigned long next_id, failed;
};

struct sample {
	uint64_t wall_ns, cpu_ns, rusage_ns;
	long rss_kib;
	int status, count;
};

/* One command line; a plain value, so no pointers into itself. */
struct command {
	int n;
	char word[MAX_ARGS][MAX_TEXT];
};

static void __attribute__((format(printf, 2, 3))) arg(struct command *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->word[c->n++], MAX_TEXT, format, ap);
	va_end(ap);
}

/* ---- clocks ---- */

static uint64_t children_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime);
}

/* CPU of the whole cgroup less the driver's own; the sum over children where there is none. */
static uint64_t tree_ns(const struct bench *b)
{
	return b->usage_fd < 0 ? children_ns() : usage_ns(b->usage_fd) - clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- processes ---- */

static void on_alarm(int sig)
{
	static const char text[] = "bench: a command hung, giving up\n";

	(void)sig;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(3);
	_exit(2);
}

static pid_t spawn(struct bench *b, const struct command *c)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	char *argv[MAX_ARGS + 1];
	pid_t pid;
	int r;

	for (int i = 0; i < c->n; i++)
		argv[i] = (char *)c->word[i];
	argv[c->n] = NULL;
	r = posix_spawn(&pid, argv[0], &b->files, NULL, argv, env);
	if (r) {
		errno = r;
		die("start '%s': %m", argv[0]);
	}
	return pid;
}

static void note(struct sample *s, int status, const struct rusage *u)
{
	if (status && !s->status)
		s->status = status;
	if (u->ru_maxrss > s->rss_kib)
		s->rss_kib = u->ru_maxrss;
}

static void call(struct bench *b, const struct command *c, struct sample *s)
{
	struct rusage u;
	int status;
	pid_t pid = spawn(b, c);

	if (wait4(pid, &status, 0, &u) < 0)
		die("wait for '%s': %m", c->word[0]);
	note(s, status, &u);
}

/* The container's own processes come to us when their runtime has gone. */
static void reap_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* ---- command lines ---- */

static struct command verb(const struct runtime *rt, const char *name)
{
	struct command c = { .n = 0 };

	arg(&c, "%s", rt->path);
	arg(&c, "--root");
	arg(&c, "%s", rt->root);
	arg(&c, "%s", name);
	return c;
}

static void bundle_args(const struct bench *b, struct command *c, const char *bundle)
{
	arg(c, "--bundle");
	arg(c, "%s/bundle/%s", b->work, bundle);
}

static void floor_cgroups(const struct bench *b, struct command *c)
{
	if (!b->hierarchies)
		return;
	if (!strcmp(b->hierarchies, "cgroup2")) {
		arg(c, "--cgroup2");
		return;
	}
	arg(c, "--hierarchies");
	arg(c, "%s", b->hierarchies);
}

static struct command floor_line(const struct bench *b, const struct runtime *rt,
				 const struct bench_case *bc, int slot)
{
	struct command c = { .n = 0 };

	arg(&c, "%s", rt->path);
	if (bc->floor_flag[0])
		arg(&c, "%s", bc->floor_flag);
	arg(&c, "--cgroup");
	arg(&c, "%s/floor-%d", b->cgroup, slot);
	floor_cgroups(b, &c);
	arg(&c, "--rootfs");
	arg(&c, "%s/rootfs", b->work);
	if (bc->bundle && !strcmp(bc->bundle, "seccomp")) {
		arg(&c, "--bpf");
		arg(&c, "%s/seccomp.bpf", b->work);
	}
	return c;
}

static struct command run_line(struct bench *b, const struct runtime *rt,
			       const struct bench_case *bc, int slot)
{
	struct command c;
	char bundle[32];

	if (rt->floor)
		return floor_line(b, rt, bc, slot < 0 ? 0 : slot);
	if (slot < 0)
		snprintf(bundle, sizeof(bundle), "%s", bc->bundle);
	else
		snprintf(bundle, sizeof(bundle), "%s-%d", bc->bundle, slot);
	c = verb(rt, "run");
	bundle_args(b, &c, bundle);
	arg(&c, "b%lu", b->next_id++);
	return c;
}

static pid_t read_pid(const struct bench *b, const char *name)
{
	char path[MAX_TEXT];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/exec-%s.pid", b->work, name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1)
		die("read '%s': %m", path);
	fclose(f);
	return pid;
}

static struct command exec_line(const struct bench *b, const struct runtime *rt)
{
	struct command c = { .n = 0 };

	if (rt->floor) {
		arg(&c, "%s", rt->path);
		arg(&c, "--exec");
		arg(&c, "%d", read_pid(b, rt->name));
		arg(&c, "--cgroup");
		arg(&c, "%s/exec-%s", b->cgroup, rt->name);
		floor_cgroups(b, &c);
		return c;
	}
	c = verb(rt, "exec");
	arg(&c, "exec-%s", rt->name);
	arg(&c, "/bin/true");
	return c;
}

/* ---- one sample of each kind; begin() and end() fence what is measured ---- */

static void begin(const struct bench *b, struct sample *s, long gap_ms)
{
	if (gap_ms)
		idle(gap_ms);
	s->rusage_ns = children_ns();
	s->cpu_ns = tree_ns(b);
	s->wall_ns = clock_ns(CLOCK_MONOTONIC);
}

static void end(const struct bench *b, struct sample *s)
{
	s->wall_ns = clock_ns(CLOCK_MONOTONIC) - s->wall_ns;
	reap_orphans();
	s->cpu_ns = tree_ns(b) - s->cpu_ns;
	s->rusage_ns = children_ns() - s->rusage_ns;
}

static void one(struct bench *b, const struct command *c, struct sample *s, long gap_ms)
{
	begin(b, s, gap_ms);
	call(b, c, s);
	end(b, s);
}

static void create_start(struct bench *b, const struct runtime *rt, const char *bundle,
			 struct sample *s)
{
	struct command create = verb(rt, "create"), start = verb(rt, "start");

	bundle_args(b, &create, bundle);
	arg(&create, "b%lu", b->next_id);
	arg(&start, "b%lu", b->next_id);
	call(b, &create, s);
	call(b, &start, s);
}

static void delete (struct bench *b, const struct runtime *rt, struct sample *s)
{
	struct command c = verb(rt, "delete");

	arg(&c, "b%lu", b->next_id++);
	call(b, &c, s);
}

static void life(struct bench *b, const struct runtime *rt, const char *bundle, struct sample *s,
		 long gap_ms)
{
	begin(b, s, gap_ms);
	create_start(b, rt, bundle, s);
	reap_orphans();
	delete (b, rt, s);
	end(b, s);
}

static void kill_delete(struct bench *b, const struct runtime *rt, struct sample *s, long gap_ms)
{
	struct command c = verb(rt, "kill");

	arg(&c, "b%lu", b->next_id);
	arg(&c, "KILL");
	create_start(b, rt, "sleep", s);
	begin(b, s, gap_ms);
	call(b, &c, s);
	reap_orphans();
	delete (b, rt, s);
	end(b, s);
}

/* Eight at a time: a slot takes its next container as soon as the last has ended. */
static void parallel(struct bench *b, const struct runtime *rt, const struct bench_case *bc,
		     struct sample *s, long gap_ms)
{
	pid_t pid[SLOTS] = { 0 };
	long left = SLOTS * b->per_slot, flying = 0;

	begin(b, s, gap_ms);
	for (int slot = 0; slot < SLOTS; slot++) {
		struct command c = run_line(b, rt, bc, slot);

		pid[slot] = spawn(b, &c);
		left--;
		flying++;
	}
	while (flying) {
		struct rusage u;
		int status, slot = 0;
		pid_t done = wait4(-1, &status, 0, &u);

		while (slot < SLOTS && pid[slot] != done)
			slot++;
		if (slot == SLOTS)
			continue;
		note(s, status, &u);
		flying--;
		if (left > 0) {
			struct command c = run_line(b, rt, bc, slot);

			pid[slot] = spawn(b, &c);
			left--;
			flying++;
		}
	}
	end(b, s);
	s->count = (int)(SLOTS * b->per_slot);
}

static void take(struct bench *b, const struct bench_case *bc, const struct runtime *rt,
		 struct sample *s, long gap_ms)
{
	struct command c = { .n = 0 };

	alarm(DEADLINE);
	switch (bc->what) {
	case RUN:
		c = run_line(b, rt, bc, -1);
		one(b, &c, s, gap_ms);
		break;
	case EXEC:
		c = exec_line(b, rt);
		one(b, &c, s, gap_ms);
		break;
	case SPAWN:
		arg(&c, "%s/rootfs/bin/true", b->work);
		one(b, &c, s, gap_ms);
		break;
	case LIFE:
		life(b, rt, bc->bundle, s, gap_ms);
		break;
	case KILL:
		kill_delete(b, rt, s, gap_ms);
		break;
	case PARALLEL:
		parallel(b, rt, bc, s, gap_ms);
		break;
	}
	alarm(0);
}

/* ---- rounds ---- */

static bool wanted(const struct bench *b, const struct bench_case *bc, const struct runtime *rt,
		   long round)
{
	if (rt->floor ? !bc->floor_flag : bc->what == SPAWN)
		return false;
	if (!bc->every && round % 8)
		return false;
	return !b->only || !strcmp(b->only, bc->name);
}

static void write_sample(struct bench *b, long round,
			 const struct bench_case *bc, const struct runtime *rt, const struct sample *s)
{
	b->failed += s->status != 0;
	if (!b->out)
		return;
	fprintf(b->out, "%s,%ld,%s,%s,%.1f,%.1f,%.1f,%ld,%d,%d\n", b->mode, round, bc->name, rt->name,
		(double)s->wall_ns / 1000, (double)s->cpu_ns / 1000, (double)s->rusage_ns / 1000,
		s->rss_kib, s->status, s->count);
	fflush(b->out);
}

static void run_round(struct bench *b, long round, long gap_ms)
{
	struct {
		const struct bench_case *bc;
		const struct runtime *rt;
	} todo[ARRAY_SIZE(cases) * MAX_RUNTIMES];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int k = 0; k < b->n_rt; k++) {
			if (!wanted(b, &cases[i], &b->rt[k], round))
				continue;
			todo[n].bc = &cases[i];
			todo[n++].rt = &b->rt[k];
		}
	}
	shuffle(todo, n, sizeof todo[0], &b->seed);
	for (size_t i = 0; i < n; i++) {
		struct sample s = { .count = 1 };

		take(b, todo[i].bc, todo[i].rt, &s, gap_ms);
		if (round >= 0)
			write_sample(b, round, todo[i].bc, todo[i].rt, &s);
	}
}

static void run_mode(struct bench *b, const char *mode, long rounds, long gap_ms)
{
	b->mode = mode;
	for (long i = 0; i < rounds; i++) {
		run_round(b, i, gap_ms);
		if ((i + 1) % 10 == 0 || i + 1 == rounds)
			fprintf(stderr, "bench: %s: %ld of %ld rounds, %lu failed\n", mode, i + 1,
				rounds, b->failed);
	}
}

/* ---- start-up ---- */

static void redirect_children(struct bench *b)
{
	char path[MAX_TEXT];

	snprintf(path, sizeof(path), "%s/log", b->work);
	posix_spawn_file_actions_init(&b->files);
	posix_spawn_file_actions_addopen(&b->files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&b->files, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	posix_spawn_file_actions_adddup2(&b->files, 1, 2);
}

static void add_runtime(struct bench *b, char *text)
{
	struct runtime *rt = &b->rt[b->n_rt];
	char *eq = strchr(text, '=');

	if (!eq || b->n_rt == MAX_RUNTIMES)
		die("runtime '%s'", text);
	*eq = '\0';
	rt->name = text;
	rt->path = eq + 1;
	rt->floor = !strcmp(rt->name, "floor");
	b->n_rt++;
}

static int parse(struct bench *b, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "w:c:a:H:o:n:h:g:s:p:O:")) != -1) {
		switch (c) {
		case 'w':
			b->work = optarg;
			break;
		case 'c':
			b->cgroup = optarg;
			break;
		case 'a':
			b->cpuacct = optarg;
			break;
		case 'H':
			b->hierarchies = optarg;
			break;
		case 'n':
			b->rounds = atol(optarg);
			break;
		case 'h':
			b->hot_rounds = atol(optarg);
			break;
		case 'g':
			b->gap_ms = atol(optarg);
			break;
		case 'p':
			b->per_slot = atol(optarg);
			break;
		case 's':
			b->seed = strtoull(optarg, NULL, 0);
			break;
		case 'O':
			b->only = optarg;
			break;
		case 'o':
			b->out = fopen(optarg, "we");
			if (!b->out)
				die("write '%s': %m", optarg);
			break;
		default:
			return -1;
		}
	}
	for (; optind < argc; optind++)
		add_runtime(b, argv[optind]);
	return b->work && b->cgroup && b->n_rt ? 0 : -1;
}

static const char usage[] =
	"usage: bench -w WORKDIR -c CGROUP [-a CPUACCT_DIR] [-H NAME,NAME...] [-o RAW.csv]\n"
	"             [-n ROUNDS] [-h HOT_ROUNDS]\n"
	"             [-g GAP_MS] [-p PER_SLOT] [-s SEED] [-O CASE] NAME=PATH...\n";

int main(int argc, char **argv)
{
	static struct bench b = { .gap_ms = 25, .rounds = 15, .hot_rounds = 15, .per_slot = 5, .seed = 1 };

	if (parse(&b, argc, argv) < 0) {
		fputs(usage, stderr);
		return 1;
	}
	for (int i = 0; i < b.n_rt; i++)
		snprintf(b.rt[i].root, sizeof(b.rt[i].root), "%s/root-%s", b.work, b.rt[i].name);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("become a subreaper: %m");
	signal(SIGALRM, on_alarm);
	b.usage_fd = b.cpuacct ? usage_enter(b.cpuacct) : -1;
	redirect_children(&b);
	if (b.out)
		fputs("mode,round,case,runtime,wall_us,cpu_us,rusage_us,rss_kib,status,count\n",
		      b.out);
	run_round(&b, -1, 0);
	run_round(&b, -2, 0);
	run_mode(&b, "gap", b.rounds, b.gap_ms);
	run_mode(&b, "hot", b.hot_rounds, 0);
	return 0;
}
