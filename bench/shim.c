/*
 * The bench of containerd's shims: ours, and Debian's with runc and with crun.
 * They are driven over their own sockets (shim_peer.h) and by containerd, which
 * is called with ctr. Every round holds each of them once, shuffled, so that a
 * busy minute of the machine falls on all alike. Statistics are bench/report-shim's.
 *
 * CPU is everything that ran below one cpuacct cgroup on a sample's behalf:
 * shim, `start` and `delete`, runtime, container, however short-lived. This
 * program, containerd and ctr run there too and are taken off: by the clock of
 * the process, of containerd's whole thread group, and what ctr's end reports.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim_memory.h"
#include "shim_peer.h"

enum { DEADLINE = 60, MEMORY_DEADLINE = 600, MAX_PEERS = 4 };

struct bench {
	struct host host;
	struct peer peer[MAX_PEERS];
	int n_peers;
	const char *floor, *hierarchies, *cpuacct;
	const char *containerd; /* its address */
	const char *trace; /* strace writes here what the first shim does; nothing is measured then */
	clockid_t containerd_clock;
	const char *mode;
	long rounds, hot_rounds, gap_ms, idle, execs;
	uint64_t seed;
	int usage_fd;
	FILE *out, *memory;
	long round;
	unsigned long n;
};

/* What is being measured. */
struct sample {
	const char *name;
	const struct peer *peer; /* NULL: the floor */
	uint64_t begin, end, cpu, minus;
	int status;
};

/* ---- clocks ---------------------------------------------------------------- */

/* Ours first: reading it brings our share of the cgroup's up to date. */
static uint64_t tree_ns(const void *ctx)
{
	const struct bench *b = ctx;
	uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (b->containerd)
		own += clock_ns(b->containerd_clock);
	return usage_ns(b->usage_fd) - own;
}

static void begin(const struct bench *b, struct sample *s, const char *name, const struct peer *p)
{
	*s = (struct sample){ .name = name, .peer = p };
	if (b->gap_ms)
		idle(b->gap_ms);
	s->cpu = tree_ns(b);
	s->begin = clock_ns(CLOCK_MONOTONIC);
}

/* `end` is when the sample was over, 0: now. */
static void end(struct bench *b, struct sample *s, uint64_t end)
{
	double wall, cpu;

	s->end = end ? end : clock_ns(CLOCK_MONOTONIC);
	cpu = (double)(int64_t)(settled_ns(tree_ns, b) - s->cpu - s->minus) / 1000;
	wall = (double)(s->end - s->begin) / 1000;
	events_forget(&b->host);
	if (b->round >= 0)
		fprintf(b->out, "%s,%ld,%s,%s,%.1f,%.1f,0,0,%d,1\n", b->mode, b->round, s->name,
			s->peer ? s->peer->name : "floor", wall, cpu, s->status);
	fflush(b->out);
}

/* ---- over its own socket --------------------------------------------------- */

static void life(struct bench *b, struct shim *s, const char *name, const char *id, const char *bundle)
{
	struct sample x;
	uint64_t at;

	begin(b, &x, name, s->peer);
	shim_create(s, id, bundle, NULL);
	shim_run(s, id, "");
	x.status = (int)shim_wait(s, id, "");
	shim_delete(s, id, "");
	at = clock_ns(CLOCK_MONOTONIC);
	events_wait(&b->host, "/tasks/delete", NULL);
	end(b, &x, at);
}

/* Each call by itself, on a container that sleeps, with an exec. */
static void calls(struct bench *b, struct shim *s, const char *id, const char *bundle)
{
	struct sample x;
	uint64_t at;

	begin(b, &x, "create", s->peer);
	shim_create(s, id, bundle, NULL);
	end(b, &x, 0);
	begin(b, &x, "run", s->peer);
	shim_run(s, id, "");
	end(b, &x, 0);
	begin(b, &x, "stats", s->peer);
	shim_stats(s, id);
	end(b, &x, 0);

	begin(b, &x, "exec", s->peer);
	shim_exec(s, id, "e", NULL);
	shim_run(s, id, "e");
	x.status = (int)shim_wait(s, id, "e");
	shim_delete(s, id, "e");
	at = clock_ns(CLOCK_MONOTONIC);
	events_wait(&b->host, "/tasks/exit", "e");
	end(b, &x, at);

	begin(b, &x, "kill", s->peer);
	shim_kill(s, id);
	at = events_wait(&b->host, "/tasks/exit", id);
	end(b, &x, at);
	shim_wait(s, id, "");
	begin(b, &x, "delete", s->peer);
	shim_delete(s, id, "");
	end(b, &x, 0);
}

/* By a shell, which comes back when strace has had the time to attach. */
static void trace(struct bench *b, const struct shim *s)
{
	char pid[16];
	const char *argv[] = { "sh", "-c", "strace -f -ttt -T -s 80 -o \"$0\" -p $1 & sleep 0.5", b->trace, pid, NULL };
	struct rusage u;

	snprintf(pid, sizeof pid, "%d", (int)s->pid);
	run(argv, b->host.log, &u);
}

/* One shim from `start` to Shutdown, with three containers one after the other. */
static void take_shim(struct bench *b, const struct peer *p)
{
	char id[64], bundle[MAX_TEXT];
	struct sample x;
	struct shim s;

	shim_prepare(&b->host, p, &s);
	begin(b, &x, "start", p);
	shim_start(&s);
	shim_connect(&s);
	end(b, &x, 0);
	if (b->trace)
		trace(b, &s);
	life(b, &s, "life", s.id, s.bundle);

	bundle_make(&b->host, "full", id, bundle);
	life(b, &s, "again", id, bundle);
	bundle_remove(bundle);

	bundle_make(&b->host, "sleep", id, bundle);
	calls(b, &s, id, bundle);
	bundle_remove(bundle);
	shim_stop(&s);
	events_forget(&b->host);
}

static void take_floor(struct bench *b, const struct peer *p)
{
	char cgroup[MAX_TEXT], rootfs[MAX_TEXT];
	const char *argv[] = { b->floor, "--net", "--cgroup", cgroup, "--rootfs", rootfs,
			 strcmp(b->hierarchies, "cgroup2") != 0 ? "--hierarchies" : "--cgroup2",
			 strcmp(b->hierarchies, "cgroup2") != 0 ? b->hierarchies : NULL, NULL };
	struct rusage u;
	struct sample x;

	snprintf(cgroup, sizeof cgroup, "%s/floor", b->host.cgroup);
	snprintf(rootfs, sizeof rootfs, "%s/rootfs", b->host.work);
	begin(b, &x, "life", p);
	x.status = run(argv, b->host.log, &u);
	end(b, &x, 0);
}

/* ---- through containerd ----------------------------------------------------- */

static void take_ctr(struct bench *b, struct sample *x, const char *const argv[])
{
	struct rusage u;
	uint64_t at;

	x->status = run(argv, b->host.log, &u);
	at = clock_ns(CLOCK_MONOTONIC);
	x->minus = timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime);
	end(b, x, at);
}

/* Create, Start, Wait, Delete; containerd calls the shim's `start` and `delete`. */
static void take_run(struct bench *b, const struct peer *p)
{
	char id[32], config[MAX_TEXT];
	const char *argv[16] = { "ctr", "-a", b->containerd, "run", "--rm", "--null-io", "--config", config,
				 "--runtime", NULL };
	struct sample x;
	int n = 9;

	argv[n++] = !strcmp(p->name, "berth") ? "io.containerd.berth.v2" : "io.containerd.runc.v2";
	if (p->binary) {
		argv[n++] = "--runc-binary";
		argv[n++] = p->binary;
	}
	argv[n++] = id;
	snprintf(id, sizeof id, "c%lu", b->n++);
	snprintf(config, sizeof config, "%s/bundle/full/config.json", b->host.work);
	begin(b, &x, "containerd-life", p);
	take_ctr(b, &x, argv);
}

/* With the three FIFOs that ctr makes. */
static void take_exec(struct bench *b, const struct peer *p)
{
	char id[32], container[64];
	const char *argv[] = { "ctr", "-a", b->containerd, "task", "exec", "--exec-id", id, container,
			       "/bin/true", NULL };
	struct sample x;

	snprintf(id, sizeof id, "e%lu", b->n++);
	snprintf(container, sizeof container, "exec-%s", p->name);
	begin(b, &x, "containerd-exec", p);
	take_ctr(b, &x, argv);
}

/* ---- rounds ----------------------------------------------------------------- */

static void run_round(struct bench *b)
{
	struct {
		void (*take)(struct bench *b, const struct peer *p);
		const struct peer *p;
	} todo[3 * MAX_PEERS + 1];
	size_t n = 0;

	todo[n].take = take_floor;
	todo[n++].p = NULL;
	for (int i = 0; i < b->n_peers; i++) {
		void (*const takes[])(struct bench * b, const struct peer *p) = { take_shim, take_run, take_exec };

		for (size_t k = 0; k < (b->containerd ? ARRAY_SIZE(takes) : 1); k++) {
			todo[n].take = takes[k];
			todo[n++].p = &b->peer[i];
		}
	}
	shuffle(todo, n, sizeof todo[0], &b->seed);
	for (size_t i = 0; i < n; i++) {
		alarm(DEADLINE);
		todo[i].take(b, todo[i].p);
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

/* The Go shims are large and alike, whatever runtime they call: fewer do. */
static void run_memory(struct bench *b)
{
	fputs("peer,what,index,value\n", b->memory);
	for (int i = 0; i < b->n_peers; i++) {
		const struct peer *p = &b->peer[i];
		bool ours = !strcmp(p->name, "berth");

		if (p->binary)
			continue;
		fprintf(stderr, "bench: memory of %s\n", p->name);
		alarm(MEMORY_DEADLINE);
		memory_of_idle(&b->host, p, ours ? b->idle : (b->idle + 4) / 5, b->memory);
		fds_of_streams(&b->host, p, b->memory);
		memory_of_execs(&b->host, p, ours ? b->execs : (b->execs + 49) / 50, b->memory);
	}
}

/* ---- start-up ---------------------------------------------------------------- */

static void on_alarm(int sig)
{
	static const char text[] = "bench: something hung, giving up\n";

	(void)sig;
	_exit(write(2, text, sizeof text - 1) < 0 ? 3 : 2);
}

/* NAME=SHIM[,BINARY], or floor=PATH */
static void add_peer(struct bench *b, char *text)
{
	char *eq = strchr(text, '='), *comma = eq ? strchr(eq, ',') : NULL;

	if (!eq || b->n_peers == MAX_PEERS)
		die("peer '%s'", text);
	*eq = '\0';
	if (!strcmp(text, "floor")) {
		b->floor = eq + 1;
		return;
	}
	if (comma)
		*comma = '\0';
	b->peer[b->n_peers++] = (struct peer){ .name = text, .path = eq + 1, .binary = comma ? comma + 1 : NULL };
}

static FILE *open_raw(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("write '%s': %s", path, strerror(errno));
	return f;
}

static bool parse(struct bench *b, int argc, char **argv)
{
	const struct {
		char c;
		const char **text;
		long *number;
		FILE **file;
	} options[] = {
		{ 'w', .text = &b->host.work },
		{ 'c', .text = &b->host.cgroup },
		{ 'a', .text = &b->cpuacct },
		{ 'H', .text = &b->hierarchies },
		{ 'A', .text = &b->containerd },
		{ 't', .text = &b->trace },
		{ 'n', .number = &b->rounds },
		{ 'h', .number = &b->hot_rounds },
		{ 'i', .number = &b->idle },
		{ 'e', .number = &b->execs },
		{ 's', .number = (long *)&b->seed },
		{ 'o', .file = &b->out },
		{ 'm', .file = &b->memory },
	};
	int c, pid = 0;

	while ((c = getopt(argc, argv, "w:c:a:H:A:P:t:n:h:i:e:s:o:m:")) != -1) {
		size_t i = 0;

		if (c == 'P') {
			pid = atoi(optarg);
			continue;
		}
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
	for (; optind < argc; optind++)
		add_peer(b, argv[optind]);
	if (b->containerd && clock_getcpuclockid(pid, &b->containerd_clock))
		return false;
	return b->host.work && b->host.cgroup && b->cpuacct && b->hierarchies && b->out && b->floor && b->n_peers;
}

static const char usage[] =
	"usage: shim -w WORKDIR -c CGROUP -a CPUACCT_DIR -H NAME,NAME...|cgroup2 -o RAW.csv [-m MEMORY.csv]\n"
	"            [-A CONTAINERD_ADDRESS -P CONTAINERD_PID] [-n ROUNDS] [-h HOT_ROUNDS]\n"
	"            [-i IDLE_SHIMS] [-e EXECS] [-s SEED] [-t TRACE] floor=PATH NAME=SHIM[,BINARY_NAME]...\n";

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 10, .hot_rounds = 10, .idle = 10, .execs = 100, .seed = 1 };

	if (!parse(&b, argc, argv)) {
		fputs(usage, stderr);
		return 1;
	}
	/* What a shim leaves behind would come to us, as it comes to containerd. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("become a subreaper: %s", strerror(errno));
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	b.usage_fd = usage_enter(b.cpuacct);
	host_open(&b.host);
	if (b.memory)
		run_memory(&b);
	fputs("mode,round,case,runtime,wall_us,cpu_us,rusage_us,rss_kib,status,count\n", b.out);
	b.round = -1;
	b.mode = "warm";
	if (b.trace) {
		take_shim(&b, &b.peer[0]);
		return 0;
	}
	run_round(&b);
	run_mode(&b, "gap", b.rounds, 25);
	run_mode(&b, "hot", b.hot_rounds, 0);
	return 0;
}
