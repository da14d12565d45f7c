/*
 * The bench of libberth: lives of a system beside the floor, shuffled in each
 * round; and what many systems cost (library_many.h). Statistics are
 * bench/report-library's.
 *
 * CPU of a life is everything: this program, from the call to its return, and
 * whatever else ran below one cpuacct cgroup until it is quiet again: shim,
 * helpers, container, however short-lived.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library_calls.h"
#include "library_many.h"
#include "sampling.h"

#define VERSION "\"SchemaVersion\": {\"Major\": 2, \"Minor\": 1}"

enum { DEADLINE = 60, MANY_DEADLINE = 600, MAX_DOCUMENT = 1 << 16 };
enum { GAP_MS = 25, OPENED_MS = 150, MEMORY_ROUNDS = 9 };

struct bench {
	const char *self, *work, *cgroup, *hierarchies, *cpuacct, *floor;
	char document[512], own[MAX_DOCUMENT]; /* a system for processes; one of its own command */
	const char *mode;
	long rounds, hot_rounds, gap_ms, many, many_rounds, few;
	uint64_t seed;
	int usage_fd;
	FILE *out, *facts;
	long round, n;
};

/* ---- samples ----------------------------------------------------------------- */

struct sample {
	const char *name;
	uint64_t begin, others, own;
};

/* Of all but this process; its own clock first: reading it brings the cgroup's up to date. */
static uint64_t others_ns(const void *ctx)
{
	const struct bench *b = ctx;
	uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	return usage_ns(b->usage_fd) - own;
}

static void begin(const struct bench *b, struct sample *s, const char *name)
{
	s->name = name;
	if (b->gap_ms)
		idle(b->gap_ms);
	s->others = others_ns(b);
	s->own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	s->begin = clock_ns(CLOCK_MONOTONIC);
}

static void write_sample(const struct bench *b, const struct sample *s, const char *who, uint64_t wall, uint64_t cpu,
			 int status)
{
	if (b->round >= 0)
		fprintf(b->out, "%s,%ld,%s,%s,%.1f,%.1f,0,0,%d,1\n", b->mode, b->round, s->name, who,
			(double)wall / 1000, (double)(int64_t)cpu / 1000, status);
}

/* `with_us`: what this process used counts, and is also a row by itself. */
static void end(const struct bench *b, const struct sample *s, const char *who, bool with_us, int status)
{
	uint64_t wall = clock_ns(CLOCK_MONOTONIC) - s->begin;
	uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - s->own;
	uint64_t cpu = settled_ns(others_ns, b) - s->others;

	write_sample(b, s, who, wall, cpu + (with_us ? own : 0), status);
	if (with_us)
		write_sample(b, s, "program", wall, own, status);
	fflush(b->out);
}

/* ---- one life ------------------------------------------------------------------ */

static int life(const char *id, const char *document)
{
	HCS_SYSTEM s = system_create(id, document);
	int code;

	system_do("start", s, HcsStartComputeSystem);
	code = system_process(s);
	system_do("terminate", s, HcsTerminateComputeSystem);
	HcsCloseComputeSystem(s);
	return code;
}

static void next_id(struct bench *b, char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "l%ld", b->n++);
}

static void take_life(struct bench *b)
{
	struct sample x;
	char id[ID_SIZE];
	int code;

	next_id(b, id);
	begin(b, &x, "life");
	code = life(id, b->document);
	end(b, &x, "berth", true, code);
}

/* A system that brings its own command ends with it. */
static void take_own(struct bench *b)
{
	char id[ID_SIZE], *end_doc = NULL;
	struct sample x;
	HCS_SYSTEM s;

	next_id(b, id);
	begin(b, &x, "own");
	s = system_create(id, b->own);
	system_do("start", s, HcsStartComputeSystem);
	if (FAILED(HcsWaitForComputeSystemExit(s, INFINITE, &end_doc)))
		die("wait for system %s", id);
	HcsFree(end_doc);
	HcsCloseComputeSystem(s);
	end(b, &x, "berth", true, 0);
}

static void take_steps(struct bench *b)
{
	struct sample x;
	char id[ID_SIZE];
	HCS_SYSTEM s;
	int code;

	next_id(b, id);
	begin(b, &x, "create");
	s = system_create(id, b->document);
	end(b, &x, "berth", true, 0);
	begin(b, &x, "start");
	system_do("start", s, HcsStartComputeSystem);
	end(b, &x, "berth", true, 0);
	begin(b, &x, "process");
	code = system_process(s);
	end(b, &x, "berth", true, code);
	begin(b, &x, "terminate");
	system_do("terminate", s, HcsTerminateComputeSystem);
	end(b, &x, "berth", true, 0);
	begin(b, &x, "close");
	HcsCloseComputeSystem(s);
	end(b, &x, "berth", true, 0);
}

/* ---- other processes ------------------------------------------------------------- */

struct child {
	pid_t pid;
	FILE *to, *from;
};

static pid_t spawn(const char *const argv[], int in, int out)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	r = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (r)
		die("start '%s': %s", argv[0], strerror(r));
	return pid;
}

static int await_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		die("wait for a process: %s", strerror(errno));
	return status;
}

static void take_floor(struct bench *b)
{
	bool v2 = !strcmp(b->hierarchies, "cgroup2");
	char cgroup[256], rootfs[256];
	const char *argv[] = { b->floor, "--net",   "--cgroup",
			       cgroup,	 "--rootfs", rootfs,
			       v2 ? "--cgroup2" : "--hierarchies", v2 ? NULL : b->hierarchies, NULL };
	struct sample x;
	int status;

	snprintf(cgroup, sizeof cgroup, "%s/floor", b->cgroup);
	snprintf(rootfs, sizeof rootfs, "%s/rootfs", b->work);
	begin(b, &x, "life");
	status = await_child(spawn(argv, 0, 2));
	end(b, &x, "floor", false, status);
}

/* A program that is started for one life. */
static void take_program(struct bench *b)
{
	char id[ID_SIZE];
	const char *argv[] = { b->self, "life", id, b->document, NULL };
	struct sample x;
	int status;

	next_id(b, id);
	begin(b, &x, "once");
	status = await_child(spawn(argv, 0, 2));
	end(b, &x, "berth", false, status);
}

static void start_many(const struct bench *b, struct child *c, const char *how, long n)
{
	char number[24];
	const char *argv[] = { b->self, how, number, b->document, NULL };
	int in[2], out[2];

	snprintf(number, sizeof number, "%ld", n);
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("make a pipe: %s", strerror(errno));
	c->pid = spawn(argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	c->to = fdopen(in[1], "we");
	c->from = fdopen(out[0], "re");
	if (!c->to || !c->from)
		die("out of memory");
}

static void hear(const struct child *c, char *line, size_t size)
{
	if (!fgets(line, (int)size, c->from))
		die("a program with many systems has ended");
}

static void say(const struct child *c, const char *what)
{
	fputs(what, c->to);
	fputc('\n', c->to);
	fflush(c->to);
}

static void end_many(const struct child *c)
{
	fclose(c->to);
	fclose(c->from);
	await_child(c->pid);
}

/* ---- many ------------------------------------------------------------------------ */

static void write_fact(const struct bench *b, const char *what, long i, double value)
{
	fprintf(b->facts, "%s,%ld,%.3f\n", what, i, value);
	fflush(b->facts);
}

static uint64_t heard_ready(const struct child *c, uint64_t *begun)
{
	unsigned long long from, to;
	char line[128];

	hear(c, line, sizeof line);
	if (sscanf(line, "ready %llu %llu", &from, &to) != 2)
		die("an answer that is none: %s", line);
	*begun = from;
	return to;
}

/* The list has to say what somebody else has just done to one system. */
static double heard_list(const struct bench *b, const struct child *c, const char *paused)
{
	unsigned long long ns;
	char line[128], id[ID_SIZE + 1];
	long n_running, n_paused;

	hear(c, line, sizeof line);
	if (sscanf(line, "list %llu %ld %ld %16s", &ns, &n_running, &n_paused, id) != 4)
		die("an answer that is none: %s", line);
	if (n_running != b->many - 1 || n_paused != 1 || strcmp(id, paused) != 0)
		die("a list that is not true: %s is paused, and it says: %s", paused, line);
	return (double)ns / 1e6;
}

static double cpu_ms_since(const struct bench *b, uint64_t before)
{
	return (double)(int64_t)(settled_ns(others_ns, b) - before) / 1e6;
}

/* One system is paused by this process, then both kinds of program list all. */
static void take_lists(const struct bench *b, const struct child *holder, long round)
{
	char id[ID_SIZE];
	struct child cold;
	uint64_t cpu;
	HCS_SYSTEM s;

	/* For a tenth of a second after it was opened a system is asked for its state again,
	 * as the shim may not have read yet that somebody wants its events. */
	idle(OPENED_MS);
	system_id(id, round * 37 % b->many);
	s = system_open(id);
	system_do("pause", s, HcsPauseComputeSystem);
	idle(GAP_MS);
	cpu = settled_ns(others_ns, b);
	say(holder, "list");
	write_fact(b, "list_connected_ms", round, heard_list(b, holder, id));
	write_fact(b, "list_connected_cpu_ms", round, cpu_ms_since(b, cpu));
	idle(GAP_MS);
	cpu = settled_ns(others_ns, b);
	start_many(b, &cold, "list", b->many);
	write_fact(b, "list_cold_ms", round, heard_list(b, &cold, id));
	end_many(&cold);
	write_fact(b, "list_cold_cpu_ms", round, cpu_ms_since(b, cpu));
	system_do("resume", s, HcsResumeComputeSystem);
	HcsCloseComputeSystem(s);
	(void)settled_ns(others_ns, b);
}

/* The program is killed, and the next opens them all. */
static void take_open(const struct bench *b, struct child *holder, long round)
{
	uint64_t killed = clock_ns(CLOCK_MONOTONIC), cpu = others_ns(b), begun, ready;

	kill(holder->pid, SIGKILL);
	end_many(holder);
	start_many(b, holder, "open", b->many);
	ready = heard_ready(holder, &begun);
	write_fact(b, "open_ms", round, (double)(ready - begun) / 1e6);
	write_fact(b, "open_from_kill_ms", round, (double)(ready - killed) / 1e6);
	write_fact(b, "open_cpu_ms", round, cpu_ms_since(b, cpu));
}

static void run_many(struct bench *b)
{
	struct child holder;
	uint64_t begun;

	alarm(MANY_DEADLINE);
	fprintf(stderr, "bench: %ld systems are made\n", b->many);
	start_many(b, &holder, "make", b->many);
	write_fact(b, "make_ms", 0, (double)(heard_ready(&holder, &begun) - begun) / 1e6);
	for (long i = 0; i < b->many_rounds; i++) {
		take_lists(b, &holder, i);
		take_open(b, &holder, i);
		fprintf(stderr, "bench: %ld systems: %ld of %ld rounds\n", b->many, i + 1, b->many_rounds);
	}
	say(&holder, "end");
	end_many(&holder);
	alarm(0);
}

static void take_memory(const struct bench *b, const struct child *c, const char *what, int round)
{
	long kib, threads, fds;
	char line[128], name[64];

	say(c, "memory");
	hear(c, line, sizeof line);
	if (sscanf(line, "memory %ld %ld %ld", &kib, &threads, &fds) != 3)
		die("an answer that is none: %s", line);
	snprintf(name, sizeof name, "%s_kib", what);
	write_fact(b, name, round, (double)kib);
	snprintf(name, sizeof name, "%s_threads", what);
	write_fact(b, name, round, (double)threads);
	snprintf(name, sizeof name, "%s_fds", what);
	write_fact(b, name, round, (double)fds);
}

/* One program that made them, and one that opened them. */
static void run_memory(const struct bench *b, int round)
{
	struct child none, maker, opener;
	char line[128];
	uint64_t begun;

	alarm(MANY_DEADLINE);
	start_many(b, &none, "none", 0);
	heard_ready(&none, &begun);
	take_memory(b, &none, "none", round);
	end_many(&none);
	start_many(b, &maker, "make", b->few);
	heard_ready(&maker, &begun);
	take_memory(b, &maker, "made", round);
	start_many(b, &opener, "open", b->few);
	heard_ready(&opener, &begun);
	take_memory(b, &opener, "opened", round);
	say(&opener, "list");
	hear(&opener, line, sizeof line);
	take_memory(b, &opener, "listed", round);
	end_many(&opener);
	say(&maker, "end");
	end_many(&maker);
	alarm(0);
}

/* ---- rounds ----------------------------------------------------------------- */

static void run_round(struct bench *b)
{
	void (*todo[])(struct bench * b) = { take_floor, take_life, take_own, take_steps, take_program };

	shuffle(todo, ARRAY_SIZE(todo), sizeof todo[0], &b->seed);
	for (size_t i = 0; i < ARRAY_SIZE(todo); i++) {
		alarm(DEADLINE);
		todo[i](b);
	}
	alarm(0);
}

static void run_mode(struct bench *b, const char *mode, long rounds, long gap_ms)
{
	b->mode = mode;
	b->gap_ms = gap_ms;
	for (b->round = 0; b->round < rounds; b->round++) {
		run_round(b);
		if ((b->round + 1) % 10 == 0 || b->round + 1 == rounds)
			fprintf(stderr, "bench: %s: %ld of %ld rounds\n", mode, b->round + 1, rounds);
	}
}

/* ---- start-up ---------------------------------------------------------------- */

static void on_alarm(int sig)
{
	static const char text[] = "bench: something hung, giving up\n";

	(void)sig;
	_exit(write(2, text, sizeof text - 1) < 0 ? 3 : 2);
}

static FILE *open_raw(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("write '%s': %s", path, strerror(errno));
	return f;
}

/* The one of a bundle of the bench, without its cgroup: the engine gives it one. */
static void read_own(struct bench *b, const char *path)
{
	static char text[MAX_DOCUMENT - 256];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (!n)
		die("read '%s'", path);
	fclose(f);
	snprintf(b->own, sizeof b->own,
		 "{" VERSION ", \"HostedSystem\": {" VERSION ", \"OciSpecification\": %s}}", text);
}

static bool parse(struct bench *b, int argc, char **argv)
{
	const struct {
		char c;
		const char **text;
		long *number;
		FILE **file;
	} options[] = {
		{ 'w', .text = &b->work },
		{ 'c', .text = &b->cgroup },
		{ 'a', .text = &b->cpuacct },
		{ 'H', .text = &b->hierarchies },
		{ 'f', .text = &b->floor },
		{ 'n', .number = &b->rounds },
		{ 'h', .number = &b->hot_rounds },
		{ 'm', .number = &b->many_rounds },
		{ 's', .number = (long *)&b->seed },
		{ 'o', .file = &b->out },
		{ 'F', .file = &b->facts },
	};
	int c;

	while ((c = getopt(argc, argv, "w:c:a:H:f:n:h:m:s:o:F:")) != -1) {
		size_t i = 0;

		while (i < ARRAY_SIZE(options) && options[i].c != c)
			i++;
		if (i == ARRAY_SIZE(options))
			return false;
		if (options[i].text)
			*options[i].text = optarg;
		else if (options[i].number)
			*options[i].number = atol(optarg);
		else
			*options[i].file = open_raw(optarg);
	}
	return b->work && b->cgroup && b->cpuacct && b->hierarchies && b->floor && b->out && b->facts &&
	       argc == optind + 1;
}

static const char usage[] =
	"usage: library -w WORKDIR -c CGROUP -a CPUACCT_DIR -H NAME,NAME...|cgroup2 -f FLOOR -o RAW.csv -F MANY.csv\n"
	"               [-n ROUNDS] [-h HOT_ROUNDS] [-m ROUNDS_OF_MANY] [-s SEED] CONFIG.json\n"
	"       library make|open|list|none N DOCUMENT\n"
	"       library life ID DOCUMENT\n";

int main(int argc, char **argv)
{
	static struct bench b = { .self = "/proc/self/exe", .many = 1000, .few = 100, .seed = 1 };

	signal(SIGALRM, on_alarm);
	if (argc == 4 && *argv[1] != '-') {
		alarm(MANY_DEADLINE);
		return strcmp(argv[1], "life") ? many(argv[1], atol(argv[2]), argv[3]) : life(argv[2], argv[3]);
	}
	if (!parse(&b, argc, argv)) {
		fputs(usage, stderr);
		return 1;
	}
	read_own(&b, argv[optind]);
	snprintf(b.document, sizeof b.document,
		 "{" VERSION ", \"Container\": {\"Storage\": {\"Path\": \"%s/rootfs\"}}}", b.work);
	b.usage_fd = usage_enter(b.cpuacct);
	fputs("what,index,value\n", b.facts);
	fputs("mode,round,case,runtime,wall_us,cpu_us,rusage_us,rss_kib,status,count\n", b.out);
	for (int i = 0; i < MEMORY_ROUNDS; i++)
		run_memory(&b, i);
	run_many(&b);
	b.round = -1;
	b.mode = "warm";
	run_round(&b);
	run_mode(&b, "gap", b.rounds, GAP_MS);
	run_mode(&b, "hot", b.hot_rounds, 0);
	return 0;
}
