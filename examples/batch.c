#define _GNU_SOURCE
/*
 * batch ROOTFS [-j N] [-t SECONDS] <COMMANDS: runs each line of its standard input
 * in a system of its own, N (4) at a time, and prints how each ended.
 *
 * The library's helper thread calls the callbacks; the main thread only waits. When
 * the time is up, or on an interrupt, what has not begun yet is cancelled: an
 * operation that is in progress by HcsCancelOperation(), which undoes a create, and
 * a command that runs by terminating its system.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <berth/computecore.h>

enum state { WAITING, CREATING, STARTING, SPAWNING, RUNNING, ENDING, DONE };

struct job {
	char *command;
	enum state state;
	HCS_SYSTEM system;
	HCS_PROCESS process;
	HCS_OPERATION op; /* in progress */
	int code; /* -1: not known */
	HRESULT hr;
	int cancelled;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const char *rootfs;
static struct job *jobs;
static int n_jobs, running, at_a_time = 4;

static void step(struct job *j);

/* ---- with the lock ------------------------------------------------------------- */

static void finished(struct job *j, HRESULT hr)
{
	if (FAILED(hr) && SUCCEEDED(j->hr))
		j->hr = hr;
	HcsCloseProcess(j->process);
	HcsCloseComputeSystem(j->system); /* ends it, if it has not yet: see its document */
	j->process = NULL;
	j->system = NULL;
	j->state = DONE;
	running--;
	pthread_cond_broadcast(&changed);
}

static char *quoted(const char *s)
{
	char *text, *at = text = malloc(strlen(s) * 6 + 3);

	for (*at++ = '"'; *s; s++) {
		if ((unsigned char)*s < ' ')
			at += sprintf(at, "\\u%04x", (unsigned)*s);
		else
			at += sprintf(at, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	strcpy(at, "\"");
	return text;
}

static HRESULT create(struct job *j)
{
	char id[64], *root = quoted(rootfs), *document;
	HRESULT hr;

	snprintf(id, sizeof id, "batch-%d-%d", (int)getpid(), (int)(j - jobs));
	if (asprintf(&document,
		     "{ \"SchemaVersion\": { \"Major\": 2, \"Minor\": 1 }, \"Owner\": \"batch\","
		     "  \"ShouldTerminateOnLastHandleClosed\": true,"
		     "  \"Container\": { \"Storage\": { \"Path\": %s } } }",
		     root) < 0)
		abort();
	hr = HcsCreateComputeSystem(id, document, j->op, NULL, &j->system);
	free(document);
	free(root);
	return hr;
}

static HRESULT spawn(struct job *j)
{
	char *command = quoted(j->command), *document;
	HRESULT hr;

	if (asprintf(&document,
		     "{ \"CommandArgs\": [ \"sh\", \"-c\", %s ],"
		     "  \"Environment\": { \"PATH\": \"/usr/sbin:/usr/bin:/sbin:/bin\" } }",
		     command) < 0)
		abort();
	hr = HcsCreateProcess(j->system, document, j->op, NULL, &j->process);
	free(document);
	free(command);
	return hr;
}

/* ---- callbacks: on the helper thread --------------------------------------------- */

static void on_done(HCS_OPERATION op, void *context)
{
	struct job *j = context;
	HRESULT hr = HcsGetOperationResult(op, NULL);

	pthread_mutex_lock(&lock);
	HcsCloseOperation(op);
	j->op = NULL;
	if (FAILED(hr) && hr != HCS_E_SYSTEM_ALREADY_STOPPED)
		finished(j, hr);
	else
		step(j);
	pthread_mutex_unlock(&lock);
}

static void on_process_event(HCS_EVENT *event, void *context)
{
	const char *code = event->EventData ? strstr(event->EventData, "\"ExitCode\":") : NULL;
	struct job *j = context;

	if (event->Type != HcsEventProcessExited)
		return;
	pthread_mutex_lock(&lock);
	j->code = code ? atoi(code + strlen("\"ExitCode\":")) : -1;
	if (j->state == RUNNING)
		step(j);
	pthread_mutex_unlock(&lock);
}

/* ---- what comes next, with the lock ----------------------------------------------- */

/* A job is in one state, and has at most one operation. */
static void step(struct job *j)
{
	HRESULT hr = S_OK;

	if (j->state == ENDING) {
		finished(j, S_OK);
		return;
	}
	if (j->cancelled && j->state != WAITING)
		j->state = RUNNING; /* what comes next is its end */
	if (j->state == SPAWNING) {
		j->state = RUNNING;
		hr = HcsSetProcessCallback(j->process, HcsEventOptionNone, j, on_process_event);
		if (FAILED(hr))
			finished(j, hr);
		return;
	}
	j->op = HcsCreateOperation(j, on_done);
	j->state++;
	if (j->state == CREATING)
		hr = create(j);
	else if (j->state == STARTING)
		hr = HcsStartComputeSystem(j->system, j->op, NULL);
	else if (j->state == SPAWNING)
		hr = spawn(j);
	else
		hr = HcsTerminateComputeSystem(j->system, j->op, NULL);
	if (FAILED(hr)) { /* refused: no callback comes */
		HcsCloseOperation(j->op);
		j->op = NULL;
		finished(j, hr);
	}
}

/* From the main thread: handles are closed by callbacks alone, as closing waits for
 * a callback that is running, which may wait for our lock. */
static void end(struct job *j)
{
	j->op = HcsCreateOperation(j, on_done);
	if (SUCCEEDED(HcsTerminateComputeSystem(j->system, j->op, NULL))) {
		j->state = ENDING;
		return;
	}
	HcsCloseOperation(j->op); /* it has ended by itself, and the event is on its way */
	j->op = NULL;
}

static void cancel(struct job *j)
{
	if (j->state == DONE)
		return;
	j->cancelled = 1;
	if (j->state == WAITING)
		j->state = DONE;
	else if (j->op)
		HcsCancelOperation(j->op);
	else if (j->state == RUNNING)
		end(j);
}

/* ---- the main thread ----------------------------------------------------------------- */

static int all_done(void)
{
	int done = 1;

	for (int i = 0; i < n_jobs; i++) {
		if (jobs[i].state == WAITING && running < at_a_time) {
			running++;
			step(&jobs[i]);
		}
		done = done && jobs[i].state == DONE;
	}
	return done;
}

static volatile sig_atomic_t interrupted;

/* Signals come to this thread: the library's has all of them blocked. */
static void *wait_for_signal(void *mask)
{
	int sig;

	sigwait(mask, &sig);
	pthread_mutex_lock(&lock);
	interrupted = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void run_all(int seconds)
{
	struct timespec until;
	int r = 0, cancelling = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&lock);
	while (!all_done()) {
		if ((r == ETIMEDOUT || interrupted) && !cancelling) {
			cancelling = 1;
			for (int i = 0; i < n_jobs; i++)
				cancel(&jobs[i]);
			continue;
		}
		r = seconds && !cancelling ? pthread_cond_timedwait(&changed, &lock, &until) :
					     pthread_cond_wait(&changed, &lock);
	}
	pthread_mutex_unlock(&lock);
}

static int report(void)
{
	int bad = 0;

	for (int i = 0; i < n_jobs; i++) {
		const struct job *j = &jobs[i];

		if (j->cancelled)
			printf("cancelled\t%s\n", j->command);
		else if (FAILED(j->hr))
			printf("%s\t%s\n", HcsResultToString(j->hr), j->command);
		else
			printf("code %d\t%s\n", j->code, j->command);
		bad += j->cancelled || FAILED(j->hr) || j->code;
		free(j->command);
	}
	free(jobs);
	return bad != 0;
}

static void read_jobs(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (!*line)
			continue;
		jobs = realloc(jobs, sizeof *jobs * (size_t)(n_jobs + 1));
		jobs[n_jobs++] = (struct job){ .command = strdup(line), .code = -1 };
	}
	free(line);
}

int main(int argc, char **argv)
{
	int option, seconds = 0;
	pthread_t waiter;
	sigset_t mask;
	HRESULT hr;

	while ((option = getopt(argc, argv, "j:t:")) != -1) {
		if (option == 'j')
			at_a_time = atoi(optarg);
		else if (option == 't')
			seconds = atoi(optarg);
		else
			return 64;
	}
	if (optind + 1 != argc || at_a_time < 1)
		return fprintf(stderr, "usage: %s [-j N] [-t SECONDS] ROOTFS <COMMANDS\n", argv[0]), 64;
	rootfs = argv[optind];
	read_jobs();
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	if (pthread_create(&waiter, NULL, wait_for_signal, &mask) != 0)
		return 1;
	pthread_detach(waiter);
	hr = HcsStartDispatchThread();
	if (FAILED(hr))
		return fprintf(stderr, "%s\n", HcsResultToString(hr)), 1;
	run_all(seconds);
	HcsStopDispatchThread();
	return report();
}
